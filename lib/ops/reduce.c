/* SPDX-License-Identifier: Apache-2.0
 *
 * Reductions. Any set of axes becomes a few (outer, r, inner) reductions: neighbouring axes that are
 * both reduced or both kept are joined, and the reduced groups go from the last to the first. That
 * order is part of the arithmetic.
 */
#include "op.h"

struct reduction {
    bool axis[LS_MAX_RANK]; /* which axes are reduced */
    ls_shape kept;          /* the result's shape with sizes of 1 */
};

/* Which axes, and the shapes of the result; false with the error raised. */
static bool plan(ls_context *ls, const char *op, const struct ls_value *v, const int *axes, int count, bool keepdims,
                 struct reduction *r, ls_shape *out)
{
    *r = (struct reduction){.kept = v->shape};
    if (!ls_op_axes(ls, op, &v->shape, axes, count, r->axis))
        return false;
    *out = (ls_shape){.rank = keepdims ? v->shape.rank : 0};
    for (int d = 0; d < v->shape.rank; d++) {
        r->kept.dim[d] = r->axis[d] ? 1 : v->shape.dim[d];
        if (keepdims)
            out->dim[d] = r->kept.dim[d];
        else if (!r->axis[d])
            out->dim[out->rank++] = v->shape.dim[d];
    }
    return true;
}

static int64_t product(const ls_shape *shape, int from, int to)
{
    int64_t n = 1;
    for (int d = from; d < to; d++)
        n *= shape->dim[d];
    return n;
}

/* Runs the groups, last first. The result has v's type and the shape `out`; a second handle to v's
 * elements if nothing is reduced. */
static ls_tensor reduce(ls_context *ls, enum ls_reduce_op op, const struct ls_value *v, const struct reduction *r,
                        const ls_shape *out)
{
    struct ls_value current = *v;
    ls_tensor temporary = LS_NIL, result = LS_NIL;
    bool any = false;
    for (int end = v->shape.rank; end > 0; end--) {
        if (!r->axis[end - 1] || current.shape.dim[end - 1] == 1)
            continue;
        int begin = end - 1;
        while (begin > 0 && r->axis[begin - 1])
            begin--;
        ls_shape shape = current.shape;
        for (int d = begin; d < end; d++)
            shape.dim[d] = 1;
        const struct ls_value *o;
        result = ls_op_result(ls, v->dtype, &shape, &o);
        if (!result.context)
            return LS_NIL;
        struct ls_reduce_args args = {.op = op,
                                      .dtype = v->dtype,
                                      .src = ls_value_buffer(ls, &current),
                                      .dst = o->storage->buffer,
                                      .outer = product(&current.shape, 0, begin),
                                      .r = product(&current.shape, begin, end),
                                      .inner = product(&current.shape, end, current.shape.rank)};
        if ((!args.src && args.r > 0) || (args.outer * args.inner > 0 && ls_dispatch_reduce(ls, &args) != LS_OK))
            return LS_NIL;
        ls_release(&temporary);
        temporary = result;
        current = *o;
        any = true;
        end = begin + 1;
    }
    if (any && ls_shape_equal(&current.shape, out))
        return result;
    result = ls_op_view(ls, &current, out);
    ls_release(&temporary);
    return result;
}

/* Empty sums are constants, so that no backend sees an empty input. */
static ls_tensor reduce_or_constant(ls_context *ls, const char *name, enum ls_reduce_op op, const struct ls_value *v,
                                    const struct reduction *r, const ls_shape *out)
{
    if (ls_shape_elements(&v->shape) > 0)
        return reduce(ls, op, v, r, out);
    if (op == LS_REDUCE_SUM || ls_shape_elements(out) == 0)
        return ls_zeros(ls, v->dtype, *out);
    if (op == LS_REDUCE_PROD)
        return ls_ones(ls, v->dtype, *out);
    ls_fail(ls, LS_INVALID_ARGUMENT, "%s: %s has no elements along the axes", name, ls_text(v->shape).text);
    return LS_NIL;
}

/* ---- Sum and mean ---- */

/* The gradient of a sum is the same for every summand. `attributes`: the shape with sizes of 1. */
static ls_tensor spread(struct ls_vjp_call *call, ls_tensor g)
{
    return ls_broadcast_to(ls_reshape(g, *(const ls_shape *)call->attributes), ls_shape_of_tensor(call->in[0]));
}

static void vjp_sum(struct ls_vjp_call *call) { call->dx[0] = spread(call, call->dy); }

static const struct ls_op sum_op = {"sum", vjp_sum, NULL};

static bool summable(ls_context *ls, const char *name, const struct ls_value *v)
{
    return v->dtype == LS_INT32 || ls_op_dtype(ls, name, v, LS_FLOAT32);
}

ls_tensor ls_sum(ls_tensor a, const int *axes, int count, bool keepdims)
{
    const struct ls_value *v;
    struct reduction r;
    ls_shape shape;
    ls_context *ls = ls_op_enter("sum", &a, 1, &v);
    if (!ls || !summable(ls, "sum", v) || !plan(ls, "sum", v, axes, count, keepdims, &r, &shape))
        return LS_NIL;
    ls_tensor out = reduce_or_constant(ls, "sum", LS_REDUCE_SUM, v, &r, &shape);
    return v->dtype == LS_FLOAT32 ? ls_record(ls, &sum_op, &a, 1, out, 0, &r.kept, sizeof r.kept) : out;
}

/* The product without an element is what stands before it times what stands behind it, so that
 * zeros are right. The reduced axes are made one, the last. */
static void vjp_prod(struct ls_vjp_call *call)
{
    ls_shape kept = *(const ls_shape *)call->attributes, shape = ls_shape_of_tensor(call->in[0]);
    int axes[LS_MAX_RANK], inverse[LS_MAX_RANK], rank = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int d = 0; d < shape.rank; d++)
            if ((kept.dim[d] != shape.dim[d]) == (pass == 1))
                axes[rank++] = d;
    for (int d = 0; d < rank; d++)
        inverse[axes[d]] = d;
    ls_tensor turned = ls_transpose(call->in[0], axes);
    ls_shape turned_shape = ls_shape_of_tensor(turned);
    int64_t outer = product(&kept, 0, kept.rank), n = outer ? product(&shape, 0, shape.rank) / outer : 0;
    ls_tensor rows = ls_reshape(turned, LS_SHAPE(outer, n));
    ls_tensor without = ls_mul(ls_cumprod(rows, 1, true, false), ls_cumprod(rows, 1, true, true));
    ls_tensor dx = ls_mul(without, ls_reshape(call->dy, LS_SHAPE(outer, 1)));
    call->dx[0] = ls_transpose(ls_reshape(dx, turned_shape), inverse);
}

static const struct ls_op prod_op = {"prod", vjp_prod, NULL};

ls_tensor ls_prod(ls_tensor a, const int *axes, int count, bool keepdims)
{
    const struct ls_value *v;
    struct reduction r;
    ls_shape shape;
    ls_context *ls = ls_op_enter("prod", &a, 1, &v);
    if (!ls || !summable(ls, "prod", v) || !plan(ls, "prod", v, axes, count, keepdims, &r, &shape))
        return LS_NIL;
    ls_tensor out = reduce_or_constant(ls, "prod", LS_REDUCE_PROD, v, &r, &shape);
    return v->dtype == LS_FLOAT32 ? ls_record(ls, &prod_op, &a, 1, out, 1, &r.kept, sizeof r.kept) : out;
}

ls_tensor ls_mean(ls_tensor a, const int *axes, int count, bool keepdims)
{
    const struct ls_value *v;
    struct reduction r;
    ls_shape shape;
    ls_context *ls = ls_op_enter("mean", &a, 1, &v);
    if (!ls || !ls_op_dtype(ls, "mean", v, LS_FLOAT32) || !plan(ls, "mean", v, axes, count, keepdims, &r, &shape))
        return LS_NIL;
    int64_t n = 1;
    for (int d = 0; d < v->shape.rank; d++)
        n *= r.axis[d] ? v->shape.dim[d] : 1;
    return ls_div(ls_sum(a, axes, count, keepdims), ls_scalar(ls, (float)n));
}

ls_tensor ls_sum_to(ls_tensor a, ls_shape shape)
{
    const struct ls_value *v;
    ls_context *ls = ls_op_enter("sum_to", &a, 1, &v);
    if (!ls)
        return LS_NIL;
    ls_shape whole = v->shape, joined;
    if (ls_shape_check(ls, "sum_to", &shape) < 0)
        return LS_NIL;
    if (ls_shape_equal(&whole, &shape))
        return a;
    if (!ls_shape_broadcast(&whole, &shape, &joined)) {
        ls_fail(ls, LS_SHAPE_MISMATCH, "sum_to: %s does not broadcast to %s", ls_text(shape).text, ls_text(whole).text);
        return LS_NIL;
    }
    if (ls_dtype_is_float16(v->dtype)) /* summed in float32 */
        return ls_cast(ls_sum_to(ls_cast(a, LS_FLOAT32), shape), v->dtype);
    /* A rule may give a gradient smaller than the input, such as a scalar. */
    if (!ls_shape_equal(&joined, &whole))
        return ls_sum_to(ls_broadcast_to(a, joined), shape);
    int axes[LS_MAX_RANK], count = 0, shift = whole.rank - shape.rank;
    for (int d = 0; d < whole.rank; d++)
        if (d < shift || (shape.dim[d - shift] == 1 && whole.dim[d] != 1))
            axes[count++] = d;
    return ls_reshape(ls_sum(a, axes, count, false), shape);
}

/* ---- Max and min ---- */

static void vjp_extreme(struct ls_vjp_call *call)
{
    ls_shape kept = *(const ls_shape *)call->attributes;
    ls_tensor a = call->in[0], y = ls_reshape(call->out, kept);
    ls_tensor ties = ls_cast(ls_equal(a, y), LS_FLOAT32);
    ls_tensor share = ls_div(ls_reshape(call->dy, kept), ls_sum_to(ties, kept));
    call->dx[0] = ls_mul(ties, share);
}

static const struct ls_op max_op = {"max", vjp_extreme, NULL}, min_op = {"min", vjp_extreme, NULL};

static ls_tensor extreme(const struct ls_op *record, enum ls_reduce_op op, ls_tensor a, const int *axes, int count,
                         bool keepdims)
{
    const struct ls_value *v;
    struct reduction r;
    ls_shape shape;
    ls_context *ls = ls_op_enter(record->name, &a, 1, &v);
    if (!ls || !summable(ls, record->name, v) || !plan(ls, record->name, v, axes, count, keepdims, &r, &shape))
        return LS_NIL;
    ls_tensor out = reduce_or_constant(ls, record->name, op, v, &r, &shape);
    if (v->dtype != LS_FLOAT32)
        return out;
    return ls_record(ls, record, &a, 1, out, LS_SAVE_OUT | 1, &r.kept, sizeof r.kept);
}

ls_tensor ls_max(ls_tensor a, const int *axes, int count, bool keepdims)
{
    return extreme(&max_op, LS_REDUCE_MAX, a, axes, count, keepdims);
}

ls_tensor ls_min(ls_tensor a, const int *axes, int count, bool keepdims)
{
    return extreme(&min_op, LS_REDUCE_MIN, a, axes, count, keepdims);
}

/* Of int32: the smallest of the positions where the extreme value stands. */
static ls_tensor int_position(ls_context *ls, enum ls_reduce_op op, ls_tensor a, int axis)
{
    int64_t n = ls_shape_of_tensor(a).dim[axis];
    ls_tensor best = op == LS_REDUCE_ARGMAX ? ls_max(a, &axis, 1, true) : ls_min(a, &axis, 1, true);
    ls_tensor places = ls_arange(ls, n);
    ls_shape shape = {.rank = ls_shape_of_tensor(a).rank};
    for (int d = 0; d < shape.rank; d++)
        shape.dim[d] = d == axis ? n : 1;
    places = ls_where(ls_equal(a, best), ls_reshape(places, shape), ls_int_scalar(ls, INT32_MAX));
    return ls_min(places, &axis, 1, false);
}

static ls_tensor position(const struct ls_op *record, enum ls_reduce_op op, ls_tensor a, int axis)
{
    const char *name = record->name;
    const struct ls_value *v, *o;
    ls_context *ls = ls_op_enter(name, &a, 1, &v);
    if (!ls || !summable(ls, name, v))
        return LS_NIL;
    int at = ls_op_axis(ls, name, axis, &v->shape);
    if (at < 0)
        return LS_NIL;
    ls_shape shape = {.rank = v->shape.rank - 1};
    for (int d = 0; d < shape.rank; d++)
        shape.dim[d] = v->shape.dim[d < at ? d : d + 1];
    struct ls_reduce_args args = {.op = op,
                                  .dtype = v->dtype,
                                  .outer = product(&v->shape, 0, at),
                                  .r = v->shape.dim[at],
                                  .inner = product(&v->shape, at + 1, v->shape.rank)};
    if (args.r == 0 && args.outer * args.inner > 0) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "%s: %s has no elements along axis %d", name, ls_text(v->shape).text, at);
        return LS_NIL;
    }
    if (v->dtype == LS_INT32 && args.r > 0)
        return int_position(ls, op, a, at);
    ls_tensor out = ls_op_result(ls, LS_INT32, &shape, &o);
    if (!out.context || args.outer * args.inner == 0)
        return out;
    args.src = ls_value_buffer(ls, v);
    args.dst = o->storage->buffer;
    if (!args.src || ls_dispatch_reduce(ls, &args) != LS_OK)
        return LS_NIL;
    return ls_record(ls, record, &a, 1, out, 0, NULL, 0);
}

static const struct ls_op argmax_op = {"argmax", NULL, NULL}, argmin_op = {"argmin", NULL, NULL};

ls_tensor ls_argmax(ls_tensor a, int axis) { return position(&argmax_op, LS_REDUCE_ARGMAX, a, axis); }
ls_tensor ls_argmin(ls_tensor a, int axis) { return position(&argmin_op, LS_REDUCE_ARGMIN, a, axis); }
