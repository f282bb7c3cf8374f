/* SPDX-License-Identifier: Apache-2.0
 *
 * Pooling. Given the positions of the maxima, max pooling takes elements and its gradient spreads them
 * back: both are linear, and each is the gradient of the other. So are averaging and its gradient.
 */
#include "window.h"

struct pooling {
    enum ls_pool_op op;
    struct ls_window window;
    int rank; /* spatial dimensions */
    int64_t channels;
};

static bool goes_back(enum ls_pool_op op) { return op == LS_POOL_SPREAD_MAX || op == LS_POOL_SPREAD_AVERAGE; }

static ls_tensor run(const struct pooling *p, ls_tensor x, ls_tensor positions);

static ls_tensor with(const struct pooling *like, enum ls_pool_op op, ls_tensor x, ls_tensor positions)
{
    struct pooling p = *like;
    p.op = op;
    return run(&p, x, positions);
}

static void vjp_pool(struct ls_vjp_call *call)
{
    static const enum ls_pool_op back[] = {
        [LS_POOL_MAX] = LS_POOL_SPREAD_MAX,   [LS_POOL_AVERAGE] = LS_POOL_SPREAD_AVERAGE,
        [LS_POOL_TAKE] = LS_POOL_SPREAD_MAX,  [LS_POOL_SPREAD_MAX] = LS_POOL_TAKE,
        [LS_POOL_SPREAD_AVERAGE] = LS_POOL_AVERAGE,
    };
    const struct pooling *p = call->attributes;
    if (call->needs[0])
        call->dx[0] = with(p, back[p->op], call->dy, call->inputs == 2 ? call->in[1] : LS_NIL);
}

static const struct ls_op max_pool_op = {"max_pool", vjp_pool, NULL};
static const struct ls_op average_pool_op = {"average_pool", vjp_pool, NULL};

static ls_shape shape_on(const struct pooling *p, bool out)
{
    return ls_window_image(&p->window, out, p->rank, p->channels);
}

/* `positions` is nil for averages; for MAX it is made here where a tape listens. */
static ls_tensor run(const struct pooling *p, ls_tensor x, ls_tensor positions)
{
    const struct ls_op *op = p->op == LS_POOL_AVERAGE || p->op == LS_POOL_SPREAD_AVERAGE ? &average_pool_op : &max_pool_op;
    const struct ls_value *v[2], *o, *made;
    ls_tensor in[] = {x, positions};
    ls_context *ls = ls_op_enter(op->name, in, positions.context ? 2 : 1, v);
    if (!ls)
        return LS_NIL;
    ls_shape shape = shape_on(p, !goes_back(p->op)), outputs = shape_on(p, true);
    if (p->op == LS_POOL_MAX && ls_recording(ls)) {
        in[1] = ls_op_result(ls, LS_INT32, &outputs, &made);
        v[1] = made;
    }
    ls_tensor result = ls_op_result(ls, LS_FLOAT32, &shape, &o);
    if (!result.context)
        return LS_NIL;
    if (ls_shape_elements(&shape) > 0) {
        struct ls_pool_args args = {.op = p->op,
                                    .window = p->window,
                                    .channels = p->channels,
                                    .src = ls_value_buffer(ls, v[0]),
                                    .dst = o->storage->buffer,
                                    .positions = in[1].context ? v[1]->storage->buffer : NULL};
        if (ls_failed(ls) || ls_dispatch_pool(ls, &args) != LS_OK)
            return LS_NIL;
    }
    return ls_record(ls, op, in, in[1].context ? 2 : 1, result, 2, p, sizeof *p);
}

static ls_tensor pool(const char *name, enum ls_pool_op op, const ls_pool_options *o)
{
    const struct ls_value *v;
    ls_context *ls = ls_op_enter(name, &o->input, 1, &v);
    int rank = ls && ls_op_dtype(ls, name, v, LS_FLOAT32) ? ls_window_rank(ls, name, &v->shape) : 0;
    if (!rank)
        return LS_NIL;
    if (o->padding != LS_VALID && o->padding != LS_SAME) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "%s: padding %d; it is LS_VALID or LS_SAME", name, (int)o->padding);
        return LS_NIL;
    }
    if (o->pool_size[0] == 0) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "%s: no pool_size; .pool_size = {2} takes windows of 2 in every dimension", name);
        return LS_NIL;
    }
    struct pooling p = {.op = op, .rank = rank, .channels = v->shape.dim[rank + 1]};
    int64_t size[LS_SPATIAL];
    for (int d = 0; d < LS_SPATIAL; d++)
        size[d] = ls_window_option(o->pool_size, d);
    struct ls_window_options window = {name, size, o->strides[0] ? o->strides : size, NULL, o->padding, NULL};
    if (!ls_window_make(ls, &window, &v->shape, &p.window))
        return LS_NIL;
    return run(&p, o->input, LS_NIL);
}

ls_tensor ls_max_pool_with(const ls_pool_options *o) { return pool("max_pool", LS_POOL_MAX, o); }

ls_tensor ls_average_pool_with(const ls_pool_options *o) { return pool("average_pool", LS_POOL_AVERAGE, o); }
