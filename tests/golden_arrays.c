/* SPDX-License-Identifier: Apache-2.0
 *
 * How the ops of golden/cases_arrays.py are called: what moves, reduces, scans, orders, normalises.
 * Attributes are said beside each function.
 */
#include <string.h>

#include <lockstep/ops.h>

#include "golden.h"

#define CALL(op)                                                                                   \
    static int call_##op(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)

/* The attributes from `first` on as axes; how many in *count. */
static const int *axes_from(const struct golden_case *c, int first, int *count, int *room)
{
    *count = 0;
    for (int i = first; i < c->attrs && *count < LS_MAX_RANK; i++)
        room[(*count)++] = (int)c->attr[i];
    return *count ? room : NULL;
}

/* ---- Shape ---- */

/* attrs: axes, or none */
CALL(squeeze)
{
    int room[LS_MAX_RANK], count;
    const int *axes = axes_from(c, 0, &count, room);
    (void)ls;
    out[0] = ls_squeeze(in[0], axes, count);
    return 1;
}

/* attrs: axes, or none */
CALL(flip)
{
    int room[LS_MAX_RANK], count;
    const int *axes = axes_from(c, 0, &count, room);
    (void)ls;
    out[0] = ls_flip(in[0], axes, count);
    return 1;
}

/* attrs: from, to */
CALL(moveaxis) { return (void)ls, out[0] = ls_moveaxis(in[0], (int)c->attr[0], (int)c->attr[1]), 1; }
CALL(swapaxes) { return (void)ls, out[0] = ls_swapaxes(in[0], (int)c->attr[0], (int)c->attr[1]), 1; }

/* attrs: the axis */
CALL(stack) { return (void)ls, out[0] = ls_stack(in, (size_t)c->inputs, (int)c->attr[0]), 1; }

/* attrs: the axis; the case has as many outputs as there are parts */
CALL(unstack)
{
    (void)ls;
    ls_unstack(in[0], (int)c->attr[0], out, (size_t)c->outputs);
    return c->outputs;
}

/* attrs: the axis, the sizes; gradients are those of the first part */
CALL(split)
{
    (void)ls;
    ls_split(in[0], c->attr + 1, (size_t)c->attrs - 1, (int)c->attr[0], out);
    return c->outputs;
}

/* attrs: shift, axis */
CALL(roll) { return (void)ls, out[0] = ls_roll(in[0], c->attr[0], (int)c->attr[1]), 1; }

/* attrs: a multiple per dimension */
CALL(tile) { return (void)ls, out[0] = ls_tile(in[0], c->attr), 1; }

/* attrs: times, axis */
CALL(repeat) { return (void)ls, out[0] = ls_repeat(in[0], c->attr[0], (int)c->attr[1]), 1; }

/* attrs: mode, before per dimension, after per dimension. reals: the value */
CALL(pad)
{
    int rank = (c->attrs - 1) / 2;
    (void)ls;
    out[0] = ls_pad(in[0], .before = c->attr + 1, .after = c->attr + 1 + rank, .mode = (ls_pad_mode)c->attr[0],
                    .value = c->reals ? c->real[0] : 0.0f);
    return 1;
}

/* ---- Reductions and scans: attrs keepdims, then axes, or none for all ---- */

#define REDUCE(op)                                                                                 \
    CALL(op)                                                                                       \
    {                                                                                              \
        int room[LS_MAX_RANK], count;                                                              \
        const int *axes = axes_from(c, 1, &count, room);                                           \
        (void)ls;                                                                                  \
        out[0] = ls_##op(in[0], axes, count, c->attr[0] != 0);                                     \
        return 1;                                                                                  \
    }
REDUCE(prod)
REDUCE(all)
REDUCE(any)
REDUCE(count_nonzero)
REDUCE(var)
REDUCE(std)
REDUCE(logsumexp)
#undef REDUCE

CALL(moments)
{
    int room[LS_MAX_RANK], count;
    const int *axes = axes_from(c, 1, &count, room);
    (void)ls;
    ls_moments(in[0], axes, count, c->attr[0] != 0, &out[0], &out[1]);
    return 2;
}

/* attrs: the order, keepdims, axes */
CALL(norm)
{
    int room[LS_MAX_RANK], count;
    const int *axes = axes_from(c, 2, &count, room);
    (void)ls;
    out[0] = ls_norm(in[0], (ls_norm_order)c->attr[0], axes, count, c->attr[1] != 0);
    return 1;
}

/* attrs: axis, exclusive, reverse */
CALL(cumsum) { return (void)ls, out[0] = ls_cumsum(in[0], (int)c->attr[0], c->attr[1] != 0, c->attr[2] != 0), 1; }
CALL(cumprod) { return (void)ls, out[0] = ls_cumprod(in[0], (int)c->attr[0], c->attr[1] != 0, c->attr[2] != 0), 1; }

/* attrs: axis, reverse */
CALL(linear_recurrence)
{
    (void)ls;
    out[0] = ls_linear_recurrence(in[0], in[1], (int)c->attr[0], c->attr[1] != 0);
    return 1;
}

/* ---- Networks ---- */

static ls_tensor optional(const struct golden_case *c, const ls_tensor *in, int i)
{
    return i < c->inputs ? in[i] : (ls_tensor){0};
}

CALL(softmax_cross_entropy) { return (void)ls, (void)c, out[0] = ls_softmax_cross_entropy(in[0], in[1]), 1; }
CALL(sigmoid_cross_entropy) { return (void)ls, (void)c, out[0] = ls_sigmoid_cross_entropy(in[0], in[1]), 1; }
CALL(embedding_lookup) { return (void)ls, (void)c, out[0] = ls_embedding_lookup(in[0], in[1]), 1; }

/* attrs: how many segments */
CALL(segment_sum) { return (void)ls, out[0] = ls_segment_sum(in[0], in[1], c->attr[0]), 1; }

/* inputs: a, mean, variance, offset, scale. reals: epsilon */
CALL(batch_normalization)
{
    (void)ls;
    out[0] = ls_batch_normalization(in[0], in[1], in[2], optional(c, in, 3), optional(c, in, 4), c->real[0]);
    return 1;
}

/* inputs: a, scale, offset. attrs: the axis, or the groups. reals: epsilon */
CALL(layer_normalization)
{
    (void)ls;
    out[0] = ls_layer_normalization(in[0], (int)c->attr[0], optional(c, in, 1), optional(c, in, 2), c->real[0]);
    return 1;
}

CALL(rms_normalization)
{
    return (void)ls, out[0] = ls_rms_normalization(in[0], (int)c->attr[0], optional(c, in, 1), c->real[0]), 1;
}

CALL(group_normalization)
{
    (void)ls;
    out[0] = ls_group_normalization(in[0], c->attr[0], optional(c, in, 1), optional(c, in, 2), c->real[0]);
    return 1;
}

/* attrs: the seed. reals: the rate */
CALL(dropout)
{
    ls_set_random_seed(ls, (uint64_t)c->attr[0]);
    out[0] = ls_dropout(in[0], c->real[0]);
    return 1;
}

/* inputs: query, key, value, mask. attrs: causal. reals: the scale */
CALL(attention)
{
    (void)ls;
    out[0] = ls_attention(in[0], .key = in[1], .value = in[2], .mask = optional(c, in, 3), .causal = c->attr[0] != 0,
                          .scale = c->reals ? c->real[0] : 0.0f);
    return 1;
}

/* attrs: height, width */
CALL(resize_nearest) { return (void)ls, out[0] = ls_resize_nearest(in[0], c->attr[0], c->attr[1]), 1; }
CALL(resize_bilinear) { return (void)ls, out[0] = ls_resize_bilinear(in[0], c->attr[0], c->attr[1]), 1; }

/* ---- Linear algebra ---- */

CALL(dot) { return (void)ls, (void)c, out[0] = ls_dot(in[0], in[1]), 1; }
CALL(outer) { return (void)ls, (void)c, out[0] = ls_outer(in[0], in[1]), 1; }

/* attrs: axes of a, then as many of b */
CALL(ctc_loss)
{
    (void)ls;
    out[0] = ls_ctc_loss(in[0], in[1], in[2], in[3], (int32_t)c->attr[0]);
    return 1;
}

CALL(triangular_solve)
{
    (void)ls;
    out[0] = ls_triangular_solve(in[0], in[1], .upper = c->attr[0], .transpose_a = c->attr[1]);
    return 1;
}

CALL(cholesky)
{
    (void)ls, (void)c;
    out[0] = ls_cholesky(in[0]);
    return 1;
}

CALL(tensordot)
{
    int room[LS_MAX_RANK], count;
    axes_from(c, 0, &count, room);
    (void)ls;
    out[0] = ls_tensordot(in[0], in[1], room, room + count / 2, count / 2);
    return 1;
}

/* attrs: the characters of the equation */
CALL(einsum)
{
    char equation[GOLDEN_ATTRS + 1] = "";
    for (int i = 0; i < c->attrs; i++)
        equation[i] = (char)c->attr[i];
    (void)ls;
    out[0] = ls_einsum(equation, in, c->inputs);
    return 1;
}

/* ---- Index and order ---- */

/* attrs: the axis */
CALL(take_along_axis) { return (void)ls, out[0] = ls_take_along_axis(in[0], in[1], (int)c->attr[0]), 1; }
CALL(gather_nd) { return (void)ls, (void)c, out[0] = ls_gather_nd(in[0], in[1]), 1; }
CALL(scatter_update) { return (void)ls, out[0] = ls_scatter_update(in[0], in[1], in[2], (int)c->attr[0]), 1; }

/* attrs: axis, descending */
CALL(sort) { return (void)ls, out[0] = ls_sort(in[0], (int)c->attr[0], c->attr[1] != 0), 1; }
CALL(argsort) { return (void)ls, out[0] = ls_argsort(in[0], (int)c->attr[0], c->attr[1] != 0), 1; }

/* attrs: k, whether the positions come too */
CALL(top_k)
{
    (void)ls;
    ls_top_k(in[0], c->attr[0], &out[0], &out[1]);
    return c->attr[1] ? 2 : 1;
}

/* attrs: right */
CALL(searchsorted) { return (void)ls, out[0] = ls_searchsorted(in[0], in[1], c->attr[0] != 0), 1; }

/* attrs: k */
CALL(tril) { return (void)ls, out[0] = ls_tril(in[0], c->attr[0]), 1; }
CALL(triu) { return (void)ls, out[0] = ls_triu(in[0], c->attr[0]), 1; }
CALL(diag) { return (void)ls, (void)c, out[0] = ls_diag(in[0]), 1; }
CALL(diag_part) { return (void)ls, (void)c, out[0] = ls_diag_part(in[0]), 1; }
CALL(eye) { return (void)in, out[0] = ls_eye(ls, c->attr[0], c->attr[1]), 1; }

CALL(range)
{
    (void)in;
    out[0] = ls_range(ls, (int32_t)c->attr[0], (int32_t)c->attr[1], (int32_t)c->attr[2]);
    return 1;
}

/* attrs: n. reals: start, stop */
CALL(linspace) { return (void)in, out[0] = ls_linspace(ls, c->real[0], c->real[1], c->attr[0]), 1; }

/* attrs: matrix indexing */
CALL(meshgrid)
{
    (void)ls;
    ls_meshgrid(in, c->inputs, c->attr[0] != 0, out);
    return c->inputs;
}

/* ---- Random: attrs the seed, the number of draws before, then the shape ---- */

static ls_shape drawn_shape(ls_context *ls, const struct golden_case *c, int first)
{
    ls_set_random_seed(ls, (uint64_t)c->attr[0]);
    for (int64_t i = 0; i < c->attr[1]; i++)
        ls_random_uniform(ls, LS_SHAPE(1), 0.0f, 1.0f);
    return ls_shape_of(c->attrs - first, c->attr + first);
}

CALL(random_truncated_normal)
{
    (void)in;
    out[0] = ls_random_truncated_normal(ls, drawn_shape(ls, c, 2), c->real[0], c->real[1]);
    return 1;
}

CALL(random_bernoulli) { return (void)in, out[0] = ls_random_bernoulli(ls, drawn_shape(ls, c, 2), c->real[0]), 1; }

/* attrs: seed, draws before, low, high, shape */
CALL(random_randint)
{
    ls_shape shape = drawn_shape(ls, c, 4);
    (void)in;
    out[0] = ls_random_randint(ls, shape, (int32_t)c->attr[2], (int32_t)c->attr[3]);
    return 1;
}

CALL(random_categorical)
{
    ls_shape samples = drawn_shape(ls, c, 2);
    out[0] = ls_random_categorical(in[0], samples.dim[0]);
    return 1;
}

CALL(random_permutation)
{
    ls_shape shape = drawn_shape(ls, c, 2);
    (void)in;
    out[0] = ls_random_permutation(ls, shape.dim[0]);
    return 1;
}

/* attrs: seed, draws before, axis */
CALL(random_shuffle)
{
    drawn_shape(ls, c, 2);
    out[0] = ls_random_shuffle(in[0], (int)c->attr[2]);
    return 1;
}

/* The draw after the state was read; again from the saved state, under another seed. */
CALL(set_random_state)
{
    ls_shape shape = drawn_shape(ls, c, 2);
    ls_random_state state;
    (void)in;
    ls_get_random_state(ls, &state);
    out[0] = ls_random_uniform(ls, shape, 0.0f, 1.0f);
    ls_random_uniform(ls, shape, 0.0f, 1.0f);
    ls_set_random_seed(ls, 99);
    ls_set_random_state(ls, &state);
    out[1] = ls_random_uniform(ls, shape, 0.0f, 1.0f);
    return 2;
}

#undef CALL

/* clang-format off */
#define CALL(op) {#op, call_##op}
const struct golden_entry golden_array_ops[] = {
    CALL(squeeze), CALL(flip), CALL(moveaxis), CALL(swapaxes), CALL(stack), CALL(unstack), CALL(split), CALL(roll),
    CALL(tile), CALL(repeat), CALL(pad),
    CALL(prod), CALL(all), CALL(any), CALL(count_nonzero), CALL(var), CALL(std), CALL(logsumexp), CALL(moments),
    CALL(norm), CALL(cumsum), CALL(cumprod), CALL(linear_recurrence),
    CALL(softmax_cross_entropy), CALL(sigmoid_cross_entropy), CALL(embedding_lookup), CALL(segment_sum),
    CALL(batch_normalization), CALL(layer_normalization), CALL(rms_normalization), CALL(group_normalization),
    CALL(dropout), CALL(attention), CALL(resize_nearest), CALL(resize_bilinear),
    CALL(dot), CALL(outer), CALL(tensordot), CALL(einsum), CALL(triangular_solve), CALL(cholesky), CALL(ctc_loss),
    CALL(take_along_axis), CALL(gather_nd), CALL(scatter_update), CALL(sort), CALL(argsort), CALL(top_k),
    CALL(searchsorted), CALL(tril), CALL(triu), CALL(diag), CALL(diag_part), CALL(eye), CALL(range),
    CALL(linspace), CALL(meshgrid),
    CALL(random_truncated_normal), CALL(random_bernoulli), CALL(random_randint), CALL(random_categorical),
    CALL(random_permutation), CALL(random_shuffle), CALL(set_random_state),
    {0},
};
#undef CALL
/* clang-format on */
