/* SPDX-License-Identifier: Apache-2.0
 *
 * Ops that move elements, made of reshape, transpose, slice, concat and broadcast_to. Their gradients
 * are those of what they are made of.
 */
#include "op.h"

/* The shape with its sizes before, at and after an axis as (outer, n, inner). */
static ls_shape around(const ls_shape *shape, int axis)
{
    ls_shape three = LS_SHAPE(1, shape->dim[axis], 1);
    for (int d = 0; d < shape->rank; d++)
        if (d != axis)
            three.dim[d < axis ? 0 : 2] *= shape->dim[d];
    return three;
}

/* Why an op that returns a status did nothing. */
static ls_status refusal(ls_tensor a) { return a.context ? ls_error(a.context) : LS_INVALID_ARGUMENT; }

/* ---- Squeeze, swapaxes, moveaxis ---- */

ls_tensor ls_squeeze(ls_tensor a, const int *axes, int count)
{
    const struct ls_value *v;
    ls_context *ls = ls_op_enter("squeeze", &a, 1, &v);
    bool drop[LS_MAX_RANK];
    if (!ls)
        return LS_NIL;
    ls_shape shape = v->shape, left = {.rank = 0};
    if (!ls_op_axes(ls, "squeeze", &shape, axes, count, drop))
        return LS_NIL;
    for (int d = 0; d < shape.rank; d++) {
        if (axes && drop[d] && shape.dim[d] != 1) {
            ls_fail(ls, LS_SHAPE_MISMATCH, "squeeze: axis %d of %s has size %lld, not 1", d, ls_text(shape).text,
                    (long long)shape.dim[d]);
            return LS_NIL;
        }
        if (!drop[d] || shape.dim[d] != 1)
            left.dim[left.rank++] = shape.dim[d];
    }
    return ls_reshape(a, left);
}

ls_tensor ls_moveaxis(ls_tensor a, int from, int to)
{
    const struct ls_value *v;
    ls_context *ls = ls_op_enter("moveaxis", &a, 1, &v);
    int source = ls ? ls_op_axis(ls, "moveaxis", from, &v->shape) : -1;
    int target = source >= 0 ? ls_op_axis(ls, "moveaxis", to, &v->shape) : -1;
    if (target < 0)
        return LS_NIL;
    int axes[LS_MAX_RANK], next = 0;
    for (int d = 0; d < v->shape.rank; d++) {
        next += next == source;
        axes[d] = d == target ? source : next++;
    }
    return source == target ? a : ls_transpose(a, axes);
}

ls_tensor ls_swapaxes(ls_tensor a, int first, int second)
{
    const struct ls_value *v;
    ls_context *ls = ls_op_enter("swapaxes", &a, 1, &v);
    int one = ls ? ls_op_axis(ls, "swapaxes", first, &v->shape) : -1;
    int two = one >= 0 ? ls_op_axis(ls, "swapaxes", second, &v->shape) : -1;
    if (two < 0)
        return LS_NIL;
    int axes[LS_MAX_RANK];
    for (int d = 0; d < v->shape.rank; d++)
        axes[d] = d == one ? two : d == two ? one : d;
    return one == two ? a : ls_transpose(a, axes);
}

/* ---- Stack and split ---- */

ls_tensor ls_stack(const ls_tensor *tensors, size_t count, int axis)
{
    enum { MOST = 256 };
    const struct ls_value *v[MOST];
    ls_tensor rows[MOST];
    if (!ls_op_list("stack", tensors, count, MOST))
        return LS_NIL;
    ls_context *ls = ls_op_enter("stack", tensors, (int)count, v);
    if (!ls)
        return LS_NIL;
    ls_shape shape = v[0]->shape;
    ls_dtype dtype = v[0]->dtype;
    int at = ls_shape_axis(axis, shape.rank + 1);
    if (at < 0 || shape.rank == LS_MAX_RANK) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "stack: axis %d is not a place in %s, or the rank would pass %d", axis,
                ls_text(shape).text, LS_MAX_RANK);
        return LS_NIL;
    }
    for (size_t i = 1; i < count; i++) {
        if (!ls_op_dtype(ls, "stack", v[i], dtype))
            return LS_NIL;
        if (!ls_shape_equal(&v[i]->shape, &shape)) {
            ls_fail(ls, LS_SHAPE_MISMATCH, "stack: input %zu is %s, but input 0 is %s; ls_concat joins unequal sizes",
                    i, ls_text(v[i]->shape).text, ls_text(shape).text);
            return LS_NIL;
        }
    }
    for (size_t i = 0; i < count; i++)
        rows[i] = ls_expand_dims(tensors[i], at);
    return ls_concat(rows, count, at);
}

ls_status ls_split(ls_tensor a, const int64_t *sizes, size_t count, int axis, ls_tensor *parts)
{
    const struct ls_value *v;
    ls_context *ls = ls_op_enter("split", &a, 1, &v);
    int at = ls ? ls_op_axis(ls, "split", axis, &v->shape) : -1;
    for (size_t i = 0; parts && i < count; i++)
        parts[i] = LS_NIL;
    if (at < 0 || !ls_op_given(ls, "split", "sizes", sizes, (int64_t)count, "number") ||
        !ls_op_given(ls, "split", "parts", parts, (int64_t)count, "tensor"))
        return refusal(a);
    ls_shape shape = v->shape;
    int64_t sum = 0, begin[LS_MAX_RANK] = {0};
    bool fits = true;
    for (size_t i = 0; i < count && fits; i++) {
        fits = sizes[i] >= 0 && sizes[i] <= shape.dim[at] - sum;
        sum += fits ? sizes[i] : 0;
    }
    if (!fits || sum != shape.dim[at])
        return ls_fail(ls, LS_SHAPE_MISMATCH, "split: the %zu sizes along axis %d of %s do not add up to %lld", count,
                       at, ls_text(shape).text, (long long)shape.dim[at]);
    for (size_t i = 0; i < count; i++) {
        ls_shape part = shape;
        part.dim[at] = sizes[i];
        parts[i] = ls_slice(a, begin, part.dim, NULL);
        begin[at] += sizes[i];
    }
    return ls_error(ls);
}

ls_status ls_unstack(ls_tensor a, int axis, ls_tensor *parts, size_t count)
{
    const struct ls_value *v;
    ls_context *ls = ls_op_enter("unstack", &a, 1, &v);
    int at = ls ? ls_op_axis(ls, "unstack", axis, &v->shape) : -1;
    for (size_t i = 0; parts && i < count; i++)
        parts[i] = LS_NIL;
    if (at < 0 || !ls_op_given(ls, "unstack", "parts", parts, (int64_t)count, "tensor"))
        return refusal(a);
    ls_shape shape = v->shape;
    if ((uint64_t)shape.dim[at] != count)
        return ls_fail(ls, LS_SHAPE_MISMATCH, "unstack: axis %d of %s gives %lld tensors, not %zu", at,
                       ls_text(shape).text, (long long)shape.dim[at], count);
    for (size_t i = 0; i < count; i++) {
        int64_t begin[LS_MAX_RANK] = {0};
        ls_shape part = shape;
        begin[at] = (int64_t)i;
        part.dim[at] = 1;
        parts[i] = ls_squeeze(ls_slice(a, begin, part.dim, NULL), &at, 1);
    }
    return ls_error(ls);
}

/* ---- Flip, roll, tile, repeat ---- */

ls_tensor ls_flip(ls_tensor a, const int *axes, int count)
{
    const struct ls_value *v;
    ls_context *ls = ls_op_enter("flip", &a, 1, &v);
    if (!ls)
        return LS_NIL;
    ls_shape shape = v->shape;
    int64_t begin[LS_MAX_RANK], step[LS_MAX_RANK];
    bool turn[LS_MAX_RANK];
    if (!ls_op_axes(ls, "flip", &shape, axes, count, turn))
        return LS_NIL;
    for (int d = 0; d < shape.rank; d++) {
        step[d] = turn[d] ? -1 : 1;
        begin[d] = turn[d] && shape.dim[d] > 0 ? shape.dim[d] - 1 : 0;
    }
    return ls_slice(a, begin, shape.dim, step);
}

/* Elements `from` up to `to` along an axis. */
static ls_tensor part(ls_tensor a, int axis, int64_t from, int64_t to)
{
    ls_shape shape = ls_shape_of_tensor(a);
    int64_t begin[LS_MAX_RANK] = {0};
    begin[axis] = from;
    shape.dim[axis] = to - from;
    return ls_slice(a, begin, shape.dim, NULL);
}

ls_tensor ls_roll(ls_tensor a, int64_t shift, int axis)
{
    const struct ls_value *v;
    ls_context *ls = ls_op_enter("roll", &a, 1, &v);
    int at = ls ? ls_op_axis(ls, "roll", axis, &v->shape) : -1;
    if (at < 0)
        return LS_NIL;
    int64_t n = v->shape.dim[at], by = n > 0 ? shift % n : 0;
    by += by < 0 ? n : 0;
    if (by == 0)
        return a;
    return ls_concat((ls_tensor[]){part(a, at, n - by, n), part(a, at, 0, n - by)}, 2, at);
}

/* (outer, n, inner) repeated in a new dimension before (`whole`) or after the axis' elements. */
static ls_tensor repeated(const char *op, ls_tensor a, int64_t times, int axis, bool whole)
{
    ls_shape shape = ls_shape_of_tensor(a), three = around(&shape, axis), result = shape;
    if (times == 1 || !a.context)
        return a;
    if (times < 0 || !ls_checked_mul(shape.dim[axis], times, &result.dim[axis]) || ls_shape_elements(&result) < 0) {
        ls_fail(a.context, LS_INVALID_ARGUMENT, "%s: axis %d of %s cannot be repeated %lld times", op, axis,
                ls_text(shape).text, (long long)times);
        return LS_NIL;
    }
    int64_t n = three.dim[1], inner = three.dim[2];
    ls_shape from = whole ? LS_SHAPE(three.dim[0], 1, n * inner) : LS_SHAPE(three.dim[0] * n, 1, inner), to = from;
    to.dim[1] = times;
    return ls_reshape(ls_broadcast_to(ls_reshape(a, from), to), result);
}

ls_tensor ls_tile(ls_tensor a, const int64_t *multiples)
{
    const struct ls_value *v;
    ls_context *ls = ls_op_enter("tile", &a, 1, &v);
    if (!ls || !ls_op_given(ls, "tile", "multiples", multiples, v->shape.rank, "number"))
        return LS_NIL;
    int rank = v->shape.rank;
    for (int d = 0; d < rank; d++)
        a = repeated("tile", a, multiples[d], d, true);
    return a;
}

ls_tensor ls_repeat(ls_tensor a, int64_t times, int axis)
{
    const struct ls_value *v;
    ls_context *ls = ls_op_enter("repeat", &a, 1, &v);
    int at = ls ? ls_op_axis(ls, "repeat", axis, &v->shape) : -1;
    return at < 0 ? LS_NIL : repeated("repeat", a, times, at, false);
}

/* ---- Pad ---- */

/* The padded shape; false with the error raised. */
static bool padded(ls_context *ls, const ls_shape *shape, const int64_t *before, const int64_t *after, int most_less,
                   const char *mode, ls_shape *out)
{
    *out = *shape;
    for (int d = 0; d < shape->rank; d++) {
        int64_t n = shape->dim[d], most = most_less < 0 ? INT64_MAX / 4 : n - most_less;
        bool fits =
            before[d] >= 0 && after[d] >= 0 && before[d] <= (most < 0 ? 0 : most) && after[d] <= (most < 0 ? 0 : most);
        out->dim[d] = fits ? before[d] + n + after[d] : -1;
        if (!fits) {
            ls_fail(ls, LS_INVALID_ARGUMENT,
                    "pad: %lld before and %lld after dimension %d of %s is not possible in mode %s, which takes 0 to %lld",
                    (long long)before[d], (long long)after[d], d, ls_text(*shape).text, mode,
                    (long long)(most < 0 ? 0 : most));
            return false;
        }
    }
    if (ls_shape_elements(out) >= 0)
        return true;
    ls_fail(ls, LS_OVERFLOW, "pad: %s would have too many elements", ls_text(*out).text);
    return false;
}

/* One axis of mode reflect (`edge` 1: the border is not repeated) or symmetric (`edge` 0). */
static ls_tensor mirrored(ls_tensor a, int axis, int64_t before, int64_t after, int edge)
{
    ls_shape shape = ls_shape_of_tensor(a);
    int64_t n = shape.dim[axis], begin[LS_MAX_RANK] = {0}, step[LS_MAX_RANK];
    ls_tensor pieces[3];
    size_t count = 0;
    for (int d = 0; d < shape.rank; d++)
        step[d] = 1;
    step[axis] = -1;
    if (before > 0) {
        begin[axis] = before - 1 + edge;
        shape.dim[axis] = before;
        pieces[count++] = ls_slice(a, begin, shape.dim, step);
    }
    pieces[count++] = a;
    if (after > 0) {
        begin[axis] = n - 1 - edge;
        shape.dim[axis] = after;
        pieces[count++] = ls_slice(a, begin, shape.dim, step);
    }
    return count > 1 ? ls_concat(pieces, count, axis) : a;
}

ls_tensor ls_pad_with(const ls_pad_options *o)
{
    static const char *const modes[] = {"constant", "reflect", "symmetric"};
    const struct ls_value *v;
    if (!o)
        return ls_op_no_options("pad");
    ls_tensor a = o->a;
    ls_context *ls = ls_op_enter("pad", &a, 1, &v);
    int64_t none[LS_MAX_RANK] = {0};
    const int64_t *before = o->before ? o->before : none, *after = o->after ? o->after : none;
    ls_shape shape, whole;
    if (!ls)
        return LS_NIL;
    if ((unsigned)o->mode > LS_PAD_SYMMETRIC) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "pad: unknown mode %d for %s; LS_PAD_CONSTANT, LS_PAD_REFLECT or LS_PAD_SYMMETRIC",
                (int)o->mode, ls_text(v->shape).text);
        return LS_NIL;
    }
    shape = v->shape;
    int most_less = o->mode == LS_PAD_CONSTANT ? -1 : o->mode == LS_PAD_REFLECT ? 1 : 0;
    if (!padded(ls, &shape, before, after, most_less, modes[o->mode], &whole))
        return LS_NIL;
    if (o->mode != LS_PAD_CONSTANT) {
        for (int d = 0; d < shape.rank; d++)
            a = mirrored(a, d, before[d], after[d], o->mode == LS_PAD_REFLECT);
        return a;
    }
    if (o->value == 0.0f)
        return ls_unslice(a, whole, before, NULL);
    if (!ls_op_dtype(ls, "pad with a value", v, LS_FLOAT32))
        return LS_NIL;
    for (int d = 0; d < shape.rank; d++) {
        ls_shape edge = ls_shape_of_tensor(a);
        ls_tensor pieces[3];
        size_t count = 0;
        edge.dim[d] = before[d];
        if (before[d] > 0)
            pieces[count++] = ls_fill(ls, edge, o->value);
        pieces[count++] = a;
        edge.dim[d] = after[d];
        if (after[d] > 0)
            pieces[count++] = ls_fill(ls, edge, o->value);
        a = count > 1 ? ls_concat(pieces, count, d) : a;
    }
    return a;
}
