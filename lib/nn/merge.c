/* SPDX-License-Identifier: Apache-2.0
 *
 * Layers of several inputs: Add, Subtract, Multiply, Average, Maximum, Minimum, Concatenate, Dot.
 */
#include <string.h>

#include <lockstep/models.h>

#include "layer.h"

struct merge {
    ls_merge_options options;
    size_t least, most;                      /* inputs */
    ls_tensor (*pair)(ls_tensor, ls_tensor); /* from the first to the last; NULL: `all` */
    ls_tensor (*all)(ls_layer *layer, const struct merge *m, const ls_tensor *x, size_t count);
    bool mean;
};

static ls_tensor concatenate(ls_layer *layer, const struct merge *m, const ls_tensor *x, size_t count)
{
    (void)layer;
    return ls_concat(x, count, m->options.axis ? m->options.axis : -1);
}

/* x / max(|x|, 1e-6) along an axis: Keras' epsilon, whose maximum is taken of the squares. */
static ls_tensor unit(ls_tensor x, int axis)
{
    ls_tensor squares = ls_sum(ls_square(x), &axis, 1, true);
    return ls_mul(x, ls_rsqrt(ls_maximum(squares, ls_scalar(x.context, 1e-12f))));
}

/* The axis as 1..rank-1, or -1 with the error raised. */
static int dot_axis(ls_layer *layer, ls_tensor x, int given)
{
    ls_shape shape = ls_shape_of_tensor(x);
    int axis = ls_shape_axis(given ? given : -1, shape.rank);
    if (axis < 1)
        ls_fail(ls_layer_context(layer), LS_SHAPE_MISMATCH, "%s: input %s has no axis %d behind the batch",
                ls_layer_name(layer), ls_text(shape).text, given ? given : -1);
    return axis < 1 ? -1 : axis;
}

/* (batch, the others…, axis) as a matrix per sample; `others` gets the sizes in between. */
static ls_tensor matrix(ls_tensor x, int axis, ls_shape *others)
{
    ls_tensor last = ls_moveaxis(x, axis, -1);
    ls_shape shape = ls_shape_of_tensor(last);
    int64_t rows = 1;
    for (int d = 1; d < shape.rank - 1; d++) {
        others->dim[others->rank++] = shape.dim[d];
        rows *= shape.dim[d];
    }
    return ls_reshape(last, LS_SHAPE(shape.dim[0], rows, shape.dim[shape.rank - 1]));
}

static ls_tensor dot(ls_layer *layer, const struct merge *m, const ls_tensor *x, size_t count)
{
    int axes[2];
    ls_shape result = {.rank = 1};
    (void)count;
    for (int i = 0; i < 2; i++)
        if ((axes[i] = dot_axis(layer, x[i], m->options.axes[i])) < 0 || !ls_layer_wants_float(layer, x[i]))
            return (ls_tensor){0};
    ls_shape a = ls_shape_of_tensor(x[0]), b = ls_shape_of_tensor(x[1]);
    if (a.dim[0] != b.dim[0] || a.dim[axes[0]] != b.dim[axes[1]] || a.rank + b.rank - 3 > LS_MAX_RANK) {
        ls_fail(ls_layer_context(layer), LS_SHAPE_MISMATCH, "%s: %s and %s: batches and the sizes of axes %d and %d must "
                "agree", ls_layer_name(layer), ls_text(a).text, ls_text(b).text, axes[0], axes[1]);
        return (ls_tensor){0};
    }
    ls_tensor in[2];
    result.dim[0] = a.dim[0];
    for (int i = 0; i < 2; i++)
        in[i] = matrix(m->options.normalize ? unit(x[i], axes[i]) : x[i], axes[i], &result);
    if (result.rank == 1)
        result.dim[result.rank++] = 1;
    return ls_reshape(ls_matmul(in[0], in[1], .transpose_b = true), result);
}

/* x with sizes of 1 behind the batch, where Keras puts them, until it has the rank. */
static ls_tensor with_rank(ls_tensor x, int rank)
{
    ls_shape shape = ls_shape_of_tensor(x), raised = {.rank = rank, .dim = {shape.dim[0]}};
    int more = rank - shape.rank;
    if (more <= 0 || shape.rank == 0)
        return x;
    for (int d = 1; d < rank; d++)
        raised.dim[d] = d <= more ? 1 : shape.dim[d - more];
    return ls_reshape(x, raised);
}

static void call(ls_layer *layer, void *state, const ls_tensor *x, size_t count, bool training, ls_tensor *y)
{
    const struct merge *m = state;
    int rank = 0;
    (void)training;
    if (count < m->least || count > m->most) {
        ls_fail(ls_layer_context(layer), LS_INVALID_ARGUMENT, "%s: called with %zu inputs; it takes %s",
                ls_layer_name(layer), count, m->most == 2 ? "2" : "at least 2");
        return;
    }
    if (m->all) {
        y[0] = m->all(layer, m, x, count);
        return;
    }
    for (size_t i = 0; i < count; i++)
        rank = ls_shape_of_tensor(x[i]).rank > rank ? ls_shape_of_tensor(x[i]).rank : rank;
    ls_tensor sum = with_rank(x[0], rank);
    for (size_t i = 1; i < count; i++)
        sum = m->pair(sum, with_rank(x[i], rank));
    y[0] = m->mean ? ls_div(sum, ls_scalar(sum.context, (float)count)) : sum;
}

static ls_layer *create(const ls_merge_options *o, const ls_layer_kind *kind, struct merge state)
{
    state.options = *o;
    state.options.name = NULL;
    state.least = 2;
    state.most = state.most ? state.most : LS_CALL_INPUTS;
    return ls_layer_create(o->context, kind, &state, o->name);
}

#define MERGE(what, class, ...)                                                                    \
    ls_layer *ls_merge_##what##_with(const ls_merge_options *o)                                    \
    {                                                                                              \
        static const ls_layer_kind kind = {                                                        \
            .name = #what, .title = class, .state_size = sizeof(struct merge), .call_many = call}; \
        return o ? create(o, &kind, (struct merge){__VA_ARGS__}) : ls_no_options("merge_" #what);  \
    }

MERGE(add, "Add", .pair = ls_add)
MERGE(subtract, "Subtract", .pair = ls_sub, .most = 2)
MERGE(multiply, "Multiply", .pair = ls_mul)
MERGE(average, "Average", .pair = ls_add, .mean = true)
MERGE(maximum, "Maximum", .pair = ls_maximum)
MERGE(minimum, "Minimum", .pair = ls_minimum)
MERGE(concatenate, "Concatenate", .all = concatenate)
MERGE(dot, "Dot", .all = dot, .most = 2)
