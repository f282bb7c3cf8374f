/* SPDX-License-Identifier: Apache-2.0
 *
 * Running sums, running products, and what their gradients need: the linear recurrence. All three are
 * the primitive scan, one element after the other.
 */
#include "op.h"

struct scan {
    int axis;
    bool exclusive, reverse;
};

/* Checks and runs. `dtype` of the result is that of the inputs; nil on error. */
static ls_tensor run_scan(ls_context *ls, const struct ls_value *shape_of, const struct ls_value *factor,
                          const struct ls_value *addend, const struct scan *s)
{
    const struct ls_value *o;
    const ls_shape *shape = &shape_of->shape;
    struct ls_scan_args args = {.dtype = shape_of->dtype,
                                .outer = 1,
                                .r = shape->dim[s->axis],
                                .inner = 1,
                                .reverse = s->reverse,
                                .exclusive = s->exclusive};
    for (int d = 0; d < shape->rank; d++)
        *(d < s->axis ? &args.outer : &args.inner) *= d == s->axis ? 1 : shape->dim[d];
    ls_tensor out = ls_op_result(ls, shape_of->dtype, shape, &o);
    if (!out.context || ls_shape_elements(shape) == 0)
        return out;
    args.factor = factor ? ls_value_buffer(ls, factor) : NULL;
    args.addend = addend ? ls_value_buffer(ls, addend) : NULL;
    args.dst = o->storage->buffer;
    return !ls_failed(ls) && ls_dispatch_scan(ls, &args) == LS_OK ? out : LS_NIL;
}

/* a[i + 1] at i (a[i - 1] with `back`), and 0 at the end. */
static ls_tensor shifted(ls_tensor a, int axis, bool back)
{
    ls_shape shape = ls_shape_of_tensor(a), part = shape;
    int64_t from[LS_MAX_RANK] = {0}, to[LS_MAX_RANK] = {0};
    if (shape.dim[axis] == 0)
        return a;
    part.dim[axis]--;
    from[axis] = part.dim[axis] && !back;
    to[axis] = part.dim[axis] && back;
    return ls_unslice(ls_slice(a, from, part.dim, NULL), shape, to, NULL);
}

/* ---- The recurrence y_i = a_i y_(i-1) + b_i ----
 *
 * What reaches y_i from behind is h_i = g_i + a_(i+1) h_(i+1), a recurrence the other way round. Then
 * db_i = h_i and da_i = h_i y_(i-1). */
static void vjp_linear_recurrence(struct ls_vjp_call *call)
{
    const struct scan *s = call->attributes;
    ls_tensor h = ls_linear_recurrence(shifted(call->in[0], s->axis, s->reverse), call->dy, s->axis, !s->reverse);
    if (call->needs[0])
        call->dx[0] = ls_mul(h, shifted(call->out, s->axis, !s->reverse));
    if (call->needs[1])
        call->dx[1] = h;
}

static const struct ls_op recurrence_op = {"linear_recurrence", vjp_linear_recurrence, NULL};

ls_tensor ls_linear_recurrence(ls_tensor a, ls_tensor b, int axis, bool reverse)
{
    const struct ls_value *v[2];
    ls_tensor in[] = {a, b};
    const char *name = recurrence_op.name;
    ls_context *ls = ls_op_enter(name, in, 2, v);
    if (!ls || !ls_op_dtype(ls, name, v[0], LS_FLOAT32) || !ls_op_dtype(ls, name, v[1], LS_FLOAT32))
        return LS_NIL;
    struct scan s = {.axis = ls_op_axis(ls, name, axis, &v[0]->shape), .reverse = reverse};
    if (s.axis < 0)
        return LS_NIL;
    if (!ls_shape_equal(&v[0]->shape, &v[1]->shape)) {
        ls_fail(ls, LS_SHAPE_MISMATCH, "%s: factors %s and addends %s should have one shape; ls_broadcast_to repeats",
                name, ls_text(v[0]->shape).text, ls_text(v[1]->shape).text);
        return LS_NIL;
    }
    return ls_record(ls, &recurrence_op, in, 2, run_scan(ls, v[0], v[0], v[1], &s), LS_SAVE_OUT | 1, &s, sizeof s);
}

/* ---- Running sums and products ---- */

static void vjp_cumsum(struct ls_vjp_call *call)
{
    const struct scan *s = call->attributes;
    call->dx[0] = ls_cumsum(call->dy, s->axis, s->exclusive, !s->reverse);
}

/* dx_j is the product of what stands before j, times what reaches the element from behind. No
 * division, so that zeros are right. */
static void vjp_cumprod(struct ls_vjp_call *call)
{
    const struct scan *s = call->attributes;
    ls_tensor a = call->in[0], g = call->dy;
    ls_tensor before = s->exclusive ? call->out : ls_cumprod(a, s->axis, true, s->reverse);
    if (s->exclusive)
        g = shifted(g, s->axis, s->reverse);
    ls_tensor behind = ls_linear_recurrence(shifted(a, s->axis, s->reverse), g, s->axis, !s->reverse);
    call->dx[0] = ls_mul(before, behind);
}

static const struct ls_op cumsum_op = {"cumsum", vjp_cumsum, NULL}, cumprod_op = {"cumprod", vjp_cumprod, NULL};

static ls_tensor cumulative(const struct ls_op *op, bool product, ls_tensor a, int axis, bool exclusive, bool reverse)
{
    const struct ls_value *v;
    ls_context *ls = ls_op_enter(op->name, &a, 1, &v);
    if (!ls || (v->dtype != LS_INT32 && !ls_op_dtype(ls, op->name, v, LS_FLOAT32)))
        return LS_NIL;
    struct scan s = {ls_op_axis(ls, op->name, axis, &v->shape), exclusive, reverse};
    if (s.axis < 0)
        return LS_NIL;
    ls_tensor out = run_scan(ls, v, product ? v : NULL, product ? NULL : v, &s);
    if (v->dtype == LS_INT32)
        return out;
    return ls_record(ls, op, &a, 1, out, product ? LS_SAVE_OUT | 1 : 0, &s, sizeof s);
}

ls_tensor ls_cumsum(ls_tensor a, int axis, bool exclusive, bool reverse)
{
    return cumulative(&cumsum_op, false, a, axis, exclusive, reverse);
}

ls_tensor ls_cumprod(ls_tensor a, int axis, bool exclusive, bool reverse)
{
    return cumulative(&cumprod_op, true, a, axis, exclusive, reverse);
}
