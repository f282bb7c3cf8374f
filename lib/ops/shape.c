/* SPDX-License-Identifier: Apache-2.0
 *
 * Ops that move elements without computing: one strided copy each, or none at all.
 */
#include <string.h>

#include "op.h"

/* A constant stays one in any shape. */
static ls_tensor constant_like(ls_context *ls, const struct ls_value *v, const ls_shape *shape)
{
    struct ls_storage *storage = ls_storage_constant(ls, v->dtype, ls_shape_elements(shape), v->storage->word);
    return storage ? ls_tensor_new(ls, v->dtype, shape, storage, 0) : LS_NIL;
}

/* ---- Reshape, expand_dims, stop_gradient: views ---- */

static void vjp_reshape(struct ls_vjp_call *call)
{
    call->dx[0] = ls_reshape(call->dy, ls_shape_of_tensor(call->in[0]));
}

static const struct ls_op reshape_op = {"reshape", vjp_reshape, NULL};

/* Puts the inferred size in place of a -1. */
static bool infer(ls_context *ls, const struct ls_value *v, ls_shape *shape)
{
    int64_t n = ls_shape_elements(&v->shape), known = 1;
    int at = -1;
    bool valid = shape->rank >= 0 && shape->rank <= LS_MAX_RANK;
    for (int d = 0; valid && d < shape->rank; d++) {
        if (shape->dim[d] == -1 && at < 0)
            at = d;
        else
            valid = shape->dim[d] >= 0 && ls_checked_mul(known, shape->dim[d], &known);
    }
    if (valid && at >= 0) {
        valid = known > 0 && n % known == 0;
        if (valid)
            shape->dim[at] = n / known;
    } else {
        valid = valid && known == n;
    }
    if (!valid)
        ls_fail(ls, LS_SHAPE_MISMATCH, "reshape: %s has %lld elements and cannot become %s", ls_text(v->shape).text,
                (long long)n, ls_text(*shape).text);
    return valid;
}

ls_tensor ls_reshape(ls_tensor a, ls_shape shape)
{
    const struct ls_value *v;
    ls_context *ls = ls_op_enter("reshape", &a, 1, &v);
    if (!ls || !infer(ls, v, &shape))
        return LS_NIL;
    if (ls_shape_equal(&shape, &v->shape))
        return a;
    return ls_record(ls, &reshape_op, &a, 1, ls_op_view(ls, v, &shape), 0, NULL, 0);
}

ls_tensor ls_expand_dims(ls_tensor a, int axis)
{
    const struct ls_value *v;
    ls_context *ls = ls_op_enter("expand_dims", &a, 1, &v);
    if (!ls)
        return LS_NIL;
    ls_shape shape = v->shape;
    int at = ls_shape_axis(axis, shape.rank + 1);
    if (at < 0 || shape.rank == LS_MAX_RANK) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "expand_dims: axis %d is not a place in %s, or the rank would pass %d", axis,
                ls_text(shape).text, LS_MAX_RANK);
        return LS_NIL;
    }
    memmove(&shape.dim[at + 1], &shape.dim[at], (size_t)(shape.rank - at) * sizeof shape.dim[0]);
    shape.dim[at] = 1;
    shape.rank++;
    return ls_reshape(a, shape);
}

static const struct ls_op stop_gradient_op = {"stop_gradient", NULL, NULL};

ls_tensor ls_stop_gradient(ls_tensor a)
{
    const struct ls_value *v;
    ls_context *ls = ls_op_enter("stop_gradient", &a, 1, &v);
    return ls ? ls_record(ls, &stop_gradient_op, &a, 1, ls_op_view(ls, v, &v->shape), 0, NULL, 0) : LS_NIL;
}

/* ---- One strided copy ---- */

/* Dispatches a copy of `extent` elements, with dimensions joined where both sides walk them as one. */
static bool copy(ls_context *ls, const struct ls_value *src, const struct ls_value *dst, const ls_shape *extent,
                 int64_t src_offset, const int64_t *src_stride, int64_t dst_offset, const int64_t *dst_stride)
{
    struct ls_copy_nd_args args = {.dtype = src->dtype, .src_offset = src_offset, .dst_offset = dst_offset};
    if (ls_shape_elements(extent) == 0)
        return true;
    args.src = ls_value_buffer(ls, src);
    args.dst = dst->storage->buffer;
    if (!args.src)
        return false;
    for (int d = 0; d < extent->rank; d++) {
        int64_t n = extent->dim[d];
        if (n == 1)
            continue;
        int last = args.rank - 1;
        bool joins = last >= 0 && args.src_stride[last] == src_stride[d] * n && args.dst_stride[last] == dst_stride[d] * n;
        int to = joins ? last : args.rank++;
        args.extent[to] = joins ? args.extent[to] * n : n;
        args.src_stride[to] = src_stride[d];
        args.dst_stride[to] = dst_stride[d];
    }
    if (args.rank == 0) {
        args.rank = 1;
        args.extent[0] = 1;
    }
    return ls_dispatch_copy_nd(ls, &args) == LS_OK;
}

struct permutation {
    int axes[LS_MAX_RANK];
};

static void vjp_transpose(struct ls_vjp_call *call)
{
    const struct permutation *p = call->attributes;
    int inverse[LS_MAX_RANK];
    for (int d = 0; d < ls_shape_of_tensor(call->dy).rank; d++)
        inverse[p->axes[d]] = d;
    call->dx[0] = ls_transpose(call->dy, inverse);
}

static const struct ls_op transpose_op = {"transpose", vjp_transpose, NULL};

ls_tensor ls_transpose(ls_tensor a, const int *axes)
{
    const struct ls_value *v, *o;
    ls_context *ls = ls_op_enter("transpose", &a, 1, &v);
    if (!ls)
        return LS_NIL;
    int rank = v->shape.rank, seen = 0;
    struct permutation p = {{0}};
    ls_shape shape = {.rank = rank};
    int64_t own[LS_MAX_RANK], src_stride[LS_MAX_RANK], dst_stride[LS_MAX_RANK];
    ls_shape_strides(&v->shape, own);
    for (int d = 0; d < rank; d++) {
        int axis = axes ? ls_shape_axis(axes[d], rank) : rank - 1 - d;
        if (axis < 0 || seen >> axis & 1) {
            ls_fail(ls, LS_INVALID_ARGUMENT, "transpose: axes[%d] = %d is no axis of %s or is named twice", d,
                    axes ? axes[d] : axis, ls_text(v->shape).text);
            return LS_NIL;
        }
        seen |= 1 << axis;
        p.axes[d] = axis;
        shape.dim[d] = v->shape.dim[axis];
        src_stride[d] = own[axis];
    }
    ls_tensor out = v->storage->constant ? constant_like(ls, v, &shape) : ls_op_result(ls, v->dtype, &shape, &o);
    if (!out.context)
        return LS_NIL;
    ls_shape_strides(&shape, dst_stride);
    if (!v->storage->constant && !copy(ls, v, o, &shape, 0, src_stride, 0, dst_stride))
        return LS_NIL;
    return ls_record(ls, &transpose_op, &a, 1, out, 0, &p, sizeof p);
}

static void vjp_broadcast_to(struct ls_vjp_call *call)
{
    call->dx[0] = ls_sum_to(call->dy, ls_shape_of_tensor(call->in[0]));
}

static const struct ls_op broadcast_to_op = {"broadcast_to", vjp_broadcast_to, NULL};

ls_tensor ls_broadcast_to(ls_tensor a, ls_shape shape)
{
    const struct ls_value *v, *o;
    ls_context *ls = ls_op_enter("broadcast_to", &a, 1, &v);
    ls_shape joined;
    if (!ls)
        return LS_NIL;
    if (ls_shape_check(ls, "broadcast_to", &shape) < 0)
        return LS_NIL;
    if (!ls_shape_broadcast(&v->shape, &shape, &joined) ||
        !ls_shape_equal(&joined, &shape)) {
        ls_fail(ls, LS_SHAPE_MISMATCH, "broadcast_to: %s does not broadcast to %s", ls_text(v->shape).text,
                ls_text(shape).text);
        return LS_NIL;
    }
    if (ls_shape_equal(&v->shape, &shape))
        return a;
    ls_tensor out = v->storage->constant ? constant_like(ls, v, &shape) : ls_op_result(ls, v->dtype, &shape, &o);
    if (!out.context)
        return LS_NIL;
    if (!v->storage->constant) {
        int64_t own[LS_MAX_RANK], src_stride[LS_MAX_RANK], dst_stride[LS_MAX_RANK];
        int shift = shape.rank - v->shape.rank;
        ls_shape_strides(&v->shape, own);
        ls_shape_strides(&shape, dst_stride);
        for (int d = 0; d < shape.rank; d++)
            src_stride[d] = d < shift || v->shape.dim[d - shift] == 1 ? 0 : own[d - shift];
        if (!copy(ls, v, o, &shape, 0, src_stride, 0, dst_stride))
            return LS_NIL;
    }
    return ls_record(ls, &broadcast_to_op, &a, 1, out, 0, NULL, 0);
}

/* ---- Slice and its inverse ---- */

struct slicing {
    int64_t begin[LS_MAX_RANK], step[LS_MAX_RANK];
};

static void vjp_slice(struct ls_vjp_call *call)
{
    const struct slicing *s = call->attributes;
    call->dx[0] = ls_unslice(call->dy, ls_shape_of_tensor(call->in[0]), s->begin, s->step);
}

static void vjp_unslice(struct ls_vjp_call *call)
{
    const struct slicing *s = call->attributes;
    ls_shape size = ls_shape_of_tensor(call->in[0]);
    call->dx[0] = ls_slice(call->dy, s->begin, size.dim, s->step);
}

static const struct ls_op slice_op = {"slice", vjp_slice, NULL}, unslice_op = {"unslice", vjp_unslice, NULL};

/* Whether begin + (size - 1) * step and begin lie in [0, whole) in every dimension. */
static bool inside(ls_context *ls, const char *op, const ls_shape *whole, const ls_shape *part, const struct slicing *s)
{
    for (int d = 0; d < whole->rank; d++) {
        int64_t n = part->dim[d], last = 0;
        bool fits = s->step[d] != 0 && s->begin[d] >= 0 && s->begin[d] <= whole->dim[d] && n >= 0;
        if (fits && n > 0) {
            int64_t magnitude = s->step[d] < 0 ? -(s->step[d] + 1) : s->step[d];
            fits = magnitude < INT64_MAX && ls_checked_mul(n - 1, s->step[d] < 0 ? magnitude + 1 : magnitude, &last);
            last = s->step[d] < 0 ? s->begin[d] - last : last <= INT64_MAX - s->begin[d] ? s->begin[d] + last : -1;
            fits = fits && s->begin[d] < whole->dim[d] && last >= 0 && last < whole->dim[d];
        }
        if (!fits) {
            ls_fail(ls, LS_INVALID_ARGUMENT,
                    "%s: dimension %d takes %lld elements from %lld in steps of %lld, outside the size %lld", op, d,
                    (long long)n, (long long)s->begin[d], (long long)s->step[d], (long long)whole->dim[d]);
            return false;
        }
    }
    return true;
}

static struct slicing slicing_of(int rank, const int64_t *begin, const int64_t *step)
{
    struct slicing s = {{0}, {0}};
    for (int d = 0; d < rank; d++) {
        s.begin[d] = begin[d];
        s.step[d] = step ? step[d] : 1;
    }
    return s;
}

/* The offset and strides that walk a part of `whole`. */
static int64_t walk(const ls_shape *whole, const ls_shape *part, const struct slicing *s, int64_t *stride)
{
    int64_t offset = 0;
    ls_shape_strides(whole, stride);
    for (int d = 0; d < whole->rank; d++) {
        offset += s->begin[d] * stride[d];
        stride[d] *= part->dim[d] > 1 ? s->step[d] : 1; /* a step that is not taken may be huge */
    }
    return offset;
}

ls_tensor ls_slice(ls_tensor a, const int64_t *begin, const int64_t *size, const int64_t *step)
{
    const struct ls_value *v, *o;
    ls_context *ls = ls_op_enter("slice", &a, 1, &v);
    if (!ls)
        return LS_NIL;
    if (!ls_op_given(ls, "slice", "begin", begin, v->shape.rank, "number") ||
        !ls_op_given(ls, "slice", "size", size, v->shape.rank, "number"))
        return LS_NIL;
    struct slicing s = slicing_of(v->shape.rank, begin, step);
    ls_shape shape = v->shape;
    for (int d = 0; d < shape.rank; d++) {
        shape.dim[d] = size[d];
        if (size[d] == -1 && s.step[d] != 0 && s.begin[d] >= 0 && s.begin[d] <= v->shape.dim[d])
            shape.dim[d] = s.begin[d] == v->shape.dim[d] ? 0
                           : s.step[d] > 0               ? (v->shape.dim[d] - s.begin[d] - 1) / s.step[d] + 1
                                                         : -(s.begin[d] / s.step[d]) + 1;
    }
    if (!inside(ls, "slice", &v->shape, &shape, &s))
        return LS_NIL;
    ls_tensor out = ls_op_result(ls, v->dtype, &shape, &o);
    int64_t src_stride[LS_MAX_RANK], dst_stride[LS_MAX_RANK];
    int64_t offset = walk(&v->shape, &shape, &s, src_stride);
    ls_shape_strides(&shape, dst_stride);
    if (!out.context || !copy(ls, v, o, &shape, offset, src_stride, 0, dst_stride))
        return LS_NIL;
    return ls_record(ls, &slice_op, &a, 1, out, 0, &s, sizeof s);
}

/* Fills a result with zeros. */
static bool clear(ls_context *ls, const struct ls_value *o)
{
    struct ls_fill_args zeros = {.dst = o->storage->buffer, .dtype = o->dtype, .n = ls_shape_elements(&o->shape)};
    return zeros.n == 0 || ls_dispatch_fill(ls, &zeros) == LS_OK;
}

ls_tensor ls_unslice(ls_tensor a, ls_shape shape, const int64_t *begin, const int64_t *step)
{
    const struct ls_value *v, *o;
    ls_context *ls = ls_op_enter("unslice", &a, 1, &v);
    if (!ls)
        return LS_NIL;
    if (shape.rank != v->shape.rank) {
        ls_fail(ls, LS_SHAPE_MISMATCH, "unslice: %s cannot lie in %s, which has another rank", ls_text(v->shape).text,
                ls_text(shape).text);
        return LS_NIL;
    }
    if (ls_shape_check(ls, "unslice", &shape) < 0)
        return LS_NIL;
    if (!ls_op_given(ls, "unslice", "begin", begin, shape.rank, "number"))
        return LS_NIL;
    struct slicing s = slicing_of(shape.rank, begin, step);
    if (!inside(ls, "unslice", &shape, &v->shape, &s))
        return LS_NIL;
    ls_tensor out = ls_op_result(ls, v->dtype, &shape, &o);
    int64_t src_stride[LS_MAX_RANK], dst_stride[LS_MAX_RANK];
    int64_t offset = walk(&shape, &v->shape, &s, dst_stride);
    ls_shape_strides(&v->shape, src_stride);
    if (!out.context || !clear(ls, o) || !copy(ls, v, o, &v->shape, 0, src_stride, offset, dst_stride))
        return LS_NIL;
    return ls_record(ls, &unslice_op, &a, 1, out, 0, &s, sizeof s);
}

/* ---- Concat ---- */

static void vjp_concat(struct ls_vjp_call *call)
{
    int axis = *(const int *)call->attributes;
    int64_t begin[LS_MAX_RANK] = {0};
    for (int i = 0; i < call->inputs; i++) {
        ls_shape size = ls_shape_of_tensor(call->in[i]);
        if (call->needs[i])
            call->dx[i] = ls_slice(call->dy, begin, size.dim, NULL);
        begin[axis] += size.dim[axis];
    }
}

static const struct ls_op concat_op = {"concat", vjp_concat, NULL};

enum { MOST_CONCAT = 256 };

ls_tensor ls_concat(const ls_tensor *tensors, size_t count, int axis)
{
    const struct ls_value *v[MOST_CONCAT], *o;
    if (!ls_op_list("concat", tensors, count, MOST_CONCAT))
        return LS_NIL;
    ls_context *ls = ls_op_enter("concat", tensors, (int)count, v);
    int at = ls ? ls_op_axis(ls, "concat", axis, &v[0]->shape) : -1;
    if (at < 0)
        return LS_NIL;
    ls_shape shape = v[0]->shape;
    for (size_t i = 1; i < count; i++) {
        ls_shape other = v[i]->shape;
        bool fits = other.rank == shape.rank;
        int64_t joined = fits && other.dim[at] <= INT64_MAX - shape.dim[at] ? shape.dim[at] + other.dim[at] : -1;
        other.dim[at] = shape.dim[at];
        if (!fits || joined < 0 || !ls_shape_equal(&other, &shape)) {
            ls_fail(ls, LS_SHAPE_MISMATCH, "concat: input %zu is %s; all but axis %d must agree with %s", i,
                    ls_text(v[i]->shape).text, at, ls_text(v[0]->shape).text);
            return LS_NIL;
        }
        if (!ls_op_dtype(ls, "concat", v[i], v[0]->dtype))
            return LS_NIL;
        shape.dim[at] = joined;
    }
    ls_tensor out = ls_op_result(ls, v[0]->dtype, &shape, &o);
    if (!out.context)
        return LS_NIL;
    int64_t src_stride[LS_MAX_RANK], dst_stride[LS_MAX_RANK], offset = 0;
    ls_shape_strides(&shape, dst_stride);
    for (size_t i = 0; i < count; i++) {
        ls_shape_strides(&v[i]->shape, src_stride);
        if (!copy(ls, v[i], o, &v[i]->shape, 0, src_stride, offset, dst_stride))
            return LS_NIL;
        offset += v[i]->shape.dim[at] * dst_stride[at];
    }
    return ls_record(ls, &concat_op, tensors, (int)count, out, 0, &at, sizeof at);
}
