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
    if (!o)
        return ls_op_no_options(name);
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

/* ---- Adaptive and global pooling: compositions ---- */

/* The windows of one dimension, as float32 tensors computed on the device: quotients of integers whose
 * product is below 2^23 are on the right side of every integer. */
struct cells {
    int64_t longest;
    ls_tensor begin, end; /* (out, 1) */
    ls_tensor step;       /* (longest): 0, 1, ... */
};

static int64_t longest_window(int64_t in, int64_t out)
{
    int64_t longest = 0;
    for (int64_t o = 0; o < out; o++) {
        int64_t length = ((o + 1) * in + out - 1) / out - o * in / out;
        longest = length > longest ? length : longest;
    }
    return longest;
}

static struct cells cells_of(ls_context *ls, int64_t in, int64_t out)
{
    struct cells w = {.longest = longest_window(in, out)};
    ls_tensor o = ls_cast(ls_reshape(ls_arange(ls, out), LS_SHAPE(out, 1)), LS_FLOAT32);
    ls_tensor length = ls_scalar(ls, (float)in), cells = ls_scalar(ls, (float)out);
    w.begin = ls_floor(ls_div(ls_mul(o, length), cells));
    ls_tensor above = ls_mul(ls_add(o, ls_scalar(ls, 1.0f)), length);
    w.end = ls_neg(ls_floor(ls_div(ls_neg(above), cells)));
    w.step = ls_cast(ls_arange(ls, w.longest), LS_FLOAT32);
    return w;
}

/* Every window of one dimension, side by side: `longest` positions each, of which those past a window's
 * end repeat its last one. A maximum never prefers them, for the first one wins. */
static ls_tensor windows_along(ls_tensor x, int axis, const struct cells *w)
{
    ls_tensor last = ls_sub(w->end, ls_scalar(x.context, 1.0f));
    ls_tensor at = ls_minimum(ls_add(w->begin, w->step), last);
    return ls_gather(x, ls_cast(ls_reshape(at, LS_SHAPE(-1)), LS_INT32), axis);
}

/* The mean of every window along one dimension: repeated positions count 0. */
static ls_tensor means_along(ls_tensor x, int axis, int64_t out, const struct cells *w)
{
    ls_shape shape = ls_shape_of_tensor(x), split = shape, side = {.rank = shape.rank + 1 - axis, .dim = {out, w->longest}};
    for (int d = shape.rank; d > axis + 1; d--) {
        split.dim[d] = shape.dim[d - 1];
        side.dim[d - axis] = 1;
    }
    split.rank++;
    split.dim[axis] = out;
    split.dim[axis + 1] = w->longest;
    ls_tensor length = ls_sub(w->end, w->begin);
    ls_tensor weight = ls_reshape(ls_cast(ls_less(w->step, length), LS_FLOAT32), side);
    ls_tensor sum = ls_sum(ls_mul(ls_reshape(windows_along(x, axis, w), split), weight), (int[]){axis + 1}, 1, false);
    side.rank--;
    side.dim[1] = 1;
    return ls_div(sum, ls_reshape(length, side));
}

static ls_tensor adaptive(const char *name, enum ls_pool_op op, ls_tensor x, const int64_t *sizes)
{
    enum { LARGEST = 1 << 22 };
    const struct ls_value *v;
    ls_context *ls = ls_op_enter(name, &x, 1, &v);
    int rank = ls && ls_op_dtype(ls, name, v, LS_FLOAT32) ? ls_window_rank(ls, name, &v->shape) : 0;
    if (rank && !ls_op_given(ls, name, "output_size", sizes, rank, "number"))
        return LS_NIL;
    ls_pool_options pool = {.pool_size = {0}};
    ls_shape shape = rank ? v->shape : (ls_shape){.rank = 0};
    for (int d = 0; d < rank; d++) {
        int64_t in = shape.dim[1 + d];
        if (sizes[d] < 1 || sizes[d] > LARGEST || in < 1 || in > LARGEST / sizes[d]) {
            ls_fail(ls, LS_SHAPE_MISMATCH,
                    "%s: dimension %d of input %s cannot become %lld; both are at least 1, their product at most %d", name, d,
                    ls_text(shape).text, (long long)sizes[d], LARGEST);
            return LS_NIL;
        }
        struct cells w = cells_of(ls, in, sizes[d]);
        pool.pool_size[d] = w.longest;
        x = op == LS_POOL_MAX ? windows_along(x, 1 + d, &w) : means_along(x, 1 + d, sizes[d], &w);
    }
    if (!rank || op != LS_POOL_MAX)
        return rank ? x : LS_NIL;
    pool.input = x;
    return ls_max_pool_with(&pool);
}

ls_tensor ls_adaptive_max_pool(ls_tensor input, const int64_t *output_size)
{
    return adaptive("adaptive_max_pool", LS_POOL_MAX, input, output_size);
}

ls_tensor ls_adaptive_average_pool(ls_tensor input, const int64_t *output_size)
{
    return adaptive("adaptive_average_pool", LS_POOL_AVERAGE, input, output_size);
}

/* The spatial dimensions; how many, or 0 with the error raised. */
static int spatial(const char *name, ls_tensor x, int axes[LS_SPATIAL])
{
    const struct ls_value *v;
    ls_context *ls = ls_op_enter(name, &x, 1, &v);
    for (int d = 0; d < LS_SPATIAL; d++)
        axes[d] = 1 + d;
    return ls && ls_op_dtype(ls, name, v, LS_FLOAT32) ? ls_window_rank(ls, name, &v->shape) : 0;
}

ls_tensor ls_global_max_pool(ls_tensor input, bool keepdims)
{
    int axes[LS_SPATIAL], rank = spatial("global_max_pool", input, axes);
    return rank ? ls_max(input, axes, rank, keepdims) : LS_NIL;
}

ls_tensor ls_global_average_pool(ls_tensor input, bool keepdims)
{
    int axes[LS_SPATIAL], rank = spatial("global_average_pool", input, axes);
    return rank ? ls_mean(input, axes, rank, keepdims) : LS_NIL;
}
