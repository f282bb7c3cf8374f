/* SPDX-License-Identifier: Apache-2.0
 *
 * More ops of random graphs: those that move elements by a rule of coordinates, and those of networks.
 */
#include <math.h>
#include <string.h>

#include "graphs.h"

static bool start(struct graph *g, struct node *n, double low, double high)
{
    int a = pick(g, LS_FLOAT32, low, high);
    n->in[n->inputs++] = a;
    if (a >= 0)
        n->shape = g->node[a].shape;
    return a >= 0;
}

/* A new float32 input. */
static bool also(struct graph *g, struct node *n, ls_shape shape, double low, double high)
{
    int i = fresh(g, LS_FLOAT32, shape, low, high);
    n->in[n->inputs++] = i;
    return i >= 0;
}

/* ---- Moves: `rule` turns the coordinates of the result into those of the input; false: a 0 stands there ---- */

typedef bool rule(const struct node *n, const ls_shape *in, int64_t *at);

static void move(const struct node *n, const struct array *in, struct array *out, rule *from)
{
    for (int64_t o = 0; o < out->n; o++) {
        int64_t at[LS_MAX_RANK];
        coordinates_of(&out->shape, o, at);
        out->x[o] = from(n, &in->shape, at) ? in->x[index_of(&in->shape, at)] : 0;
    }
}

#define MOVES(op)                                                                          \
    static void eval_##op(const struct node *n, const struct array *in, struct array *out) \
    {                                                                                      \
        move(n, in, out, from_##op);                                                       \
    }

static bool plan_flip(struct graph *g, struct node *n)
{
    if (!start(g, n, -100, 100))
        return false;
    for (int d = 0; d < n->shape.rank; d++)
        if (draw(g, 2))
            n->axes[n->count++] = draw(g, 2) ? d : d - n->shape.rank;
    return true;
}

static bool from_flip(const struct node *n, const ls_shape *in, int64_t *at)
{
    for (int i = 0; i < n->count; i++) {
        int d = n->axes[i] < 0 ? n->axes[i] + in->rank : n->axes[i];
        at[d] = in->dim[d] - 1 - at[d];
    }
    return true;
}
MOVES(flip)

static ls_tensor call_flip(const struct node *n, const ls_tensor *in) { return ls_flip(in[0], n->axes, n->count); }

static bool plan_roll(struct graph *g, struct node *n)
{
    if (!start(g, n, -100, 100) || n->shape.rank == 0)
        return false;
    n->axis = (int)draw(g, n->shape.rank);
    n->begin[0] = draw(g, 13) - 6;
    return true;
}

static bool from_roll(const struct node *n, const ls_shape *in, int64_t *at)
{
    int64_t length = in->dim[n->axis];
    at[n->axis] = ((at[n->axis] - n->begin[0]) % length + length) % length;
    return true;
}
MOVES(roll)

static ls_tensor call_roll(const struct node *n, const ls_tensor *in) { return ls_roll(in[0], n->begin[0], n->axis); }

static bool plan_tile(struct graph *g, struct node *n)
{
    if (!start(g, n, -100, 100))
        return false;
    for (int d = 0; d < n->shape.rank; d++)
        n->shape.dim[d] *= n->size[d] = 1 + draw(g, 3);
    return true;
}

static bool from_tile(const struct node *n, const ls_shape *in, int64_t *at)
{
    (void)n;
    for (int d = 0; d < in->rank; d++)
        at[d] %= in->dim[d];
    return true;
}
MOVES(tile)

static ls_tensor call_tile(const struct node *n, const ls_tensor *in) { return ls_tile(in[0], n->size); }

static bool plan_repeat(struct graph *g, struct node *n)
{
    if (!start(g, n, -100, 100) || n->shape.rank == 0)
        return false;
    n->axis = (int)draw(g, n->shape.rank);
    n->shape.dim[n->axis] *= n->size[0] = 1 + draw(g, 3);
    return true;
}

static bool from_repeat(const struct node *n, const ls_shape *in, int64_t *at)
{
    (void)in;
    at[n->axis] /= n->size[0];
    return true;
}
MOVES(repeat)

static ls_tensor call_repeat(const struct node *n, const ls_tensor *in)
{
    return ls_repeat(in[0], n->size[0], n->axis);
}

/* begin: how much before, size: how much after, axis: the mode. */
static bool plan_pad(struct graph *g, struct node *n)
{
    if (!start(g, n, -100, 100))
        return false;
    n->axis = (int)draw(g, 3);
    for (int d = 0; d < n->shape.rank; d++) {
        int64_t length = n->shape.dim[d], most = n->axis == LS_PAD_REFLECT ? length - 1 : length;
        most = n->axis == LS_PAD_CONSTANT || most > 2 ? 2 : most < 0 ? 0 : most;
        n->begin[d] = draw(g, most + 1);
        n->size[d] = draw(g, most + 1);
        n->shape.dim[d] += n->begin[d] + n->size[d];
    }
    return true;
}

static bool from_pad(const struct node *n, const ls_shape *in, int64_t *at)
{
    int64_t border = n->axis == LS_PAD_SYMMETRIC;
    for (int d = 0; d < in->rank; d++) {
        int64_t i = at[d] - n->begin[d], length = in->dim[d];
        if (n->axis == LS_PAD_CONSTANT && (i < 0 || i >= length))
            return false;
        i = i < 0 ? -i - border : i;
        at[d] = i >= length ? 2 * length - 2 + border - i : i;
    }
    return true;
}
MOVES(pad)

static ls_tensor call_pad(const struct node *n, const ls_tensor *in)
{
    return ls_pad(in[0], .before = n->begin, .after = n->size, .mode = (ls_pad_mode)n->axis);
}

/* begin: k; flag: upper. */
static bool plan_triangle(struct graph *g, struct node *n)
{
    n->begin[0] = draw(g, 5) - 2;
    n->flag[0] = draw(g, 2);
    return start(g, n, -100, 100) && n->shape.rank >= 2;
}

static bool from_triangle(const struct node *n, const ls_shape *in, int64_t *at)
{
    int64_t right = at[in->rank - 1] - at[in->rank - 2];
    return n->flag[0] ? right >= n->begin[0] : right <= n->begin[0];
}
MOVES(triangle)

static ls_tensor call_triangle(const struct node *n, const ls_tensor *in)
{
    return n->flag[0] ? ls_triu(in[0], n->begin[0]) : ls_tril(in[0], n->begin[0]);
}

/* ---- Normalization over the axes from `axis` on; flag: only by the root mean square ---- */

static bool plan_normalize(struct graph *g, struct node *n)
{
    if (!start(g, n, -4, 4) || n->shape.rank == 0 || g->node[n->in[0]].n == 0)
        return false;
    n->axis = (int)draw(g, n->shape.rank);
    n->flag[0] = draw(g, 2);
    ls_shape part = {.rank = n->shape.rank - n->axis};
    memcpy(part.dim, n->shape.dim + n->axis, (size_t)part.rank * sizeof part.dim[0]);
    return also(g, n, part, 0.25, 2) && (n->flag[0] || also(g, n, part, -2, 2));
}

static void eval_normalize(const struct node *n, const struct array *in, struct array *out)
{
    int64_t each = in[1].n;
    for (int64_t o = 0; o < out->n; o++) {
        const double *x = in[0].x + o / each * each;
        double mean = 0, square = 0;
        for (int64_t i = 0; i < each && !n->flag[0]; i++)
            mean += x[i] / (double)each;
        for (int64_t i = 0; i < each; i++)
            square += (x[i] - mean) * (x[i] - mean) / (double)each;
        out->x[o] = (in[0].x[o] - mean) / sqrt(square + 0.5) * in[1].x[o % each];
        out->x[o] += n->flag[0] ? 0 : in[2].x[o % each];
    }
}

static ls_tensor call_normalize(const struct node *n, const ls_tensor *in)
{
    return n->flag[0] ? ls_rms_normalization(in[0], n->axis, in[1], 0.5f)
                      : ls_layer_normalization(in[0], n->axis, in[1], in[2], 0.5f);
}

/* ---- Attention; flags: causal, scaled by 3/4; a fourth input is the mask ---- */

static bool plan_attention(struct graph *g, struct node *n)
{
    if (!start(g, n, -1, 1) || n->shape.rank < 2 || g->node[n->in[0]].n == 0)
        return false;
    ls_shape key = n->shape, value = n->shape;
    n->flag[0] = draw(g, 2);
    key.dim[key.rank - 2] = value.dim[key.rank - 2] = 1 + draw(g, 4);
    n->shape.dim[n->shape.rank - 1] = value.dim[value.rank - 1] = 1 + draw(g, 4);
    if (!also(g, n, key, -1, 1) || !also(g, n, value, -2, 2))
        return false;
    ls_shape mask = LS_SHAPE(n->shape.dim[n->shape.rank - 2], key.dim[key.rank - 2]);
    n->flag[1] = draw(g, 2);
    if (draw(g, 2))
        n->in[n->inputs++] = fresh(g, LS_BOOL, mask, 0, 2);
    return n->in[n->inputs - 1] >= 0;
}

static void eval_attention(const struct node *n, const struct array *in, struct array *out)
{
    int last = n->shape.rank - 1;
    int64_t queries = n->shape.dim[last - 1], keys = in[1].shape.dim[last - 1], e = n->shape.dim[last];
    int64_t d = in[0].shape.dim[last];
    for (int64_t o = 0; o < out->n; o++) {
        int64_t batch = o / e / queries, q = o / e % queries, row = batch * queries + q;
        double weight[MOST_ELEMENTS] = {0}, sum = 0;
        for (int64_t k = 0; k < keys && (!n->flag[0] || k <= q); k++) {
            double score = 0;
            if (n->inputs > 3 && in[3].x[q * keys + k] == 0)
                continue;
            for (int64_t i = 0; i < d; i++)
                score += in[0].x[row * d + i] * in[1].x[(batch * keys + k) * d + i];
            score *= n->flag[1] ? 0.75 : 1 / sqrt((double)d);
            sum += weight[k] = exp(graph_inside(score, 2 * (row * keys + k)));
        }
        out->x[o] = 0; /* for a query that may see nothing too */
        for (int64_t k = 0; k < keys && sum > 0; k++)
            out->x[o] += graph_inside(weight[k], 2 * (row * keys + k) + 1) / sum * in[2].x[(batch * keys + k) * e + o % e];
    }
}

static ls_tensor call_attention(const struct node *n, const ls_tensor *in)
{
    ls_attention_options options = {.query = in[0], .key = in[1], .value = in[2], .causal = n->flag[0]};
    options.scale = n->flag[1] ? 0.75f : 0;
    if (n->inputs > 3)
        options.mask = in[3];
    return ls_attention_with(&options);
}

/* ---- Windows over one dimension of (batch, length, channels): begin: stride, dilation, cells before ---- */

static bool plan_window(struct graph *g, struct node *n, int64_t cells, bool same)
{
    int64_t length = n->shape.dim[1], stride = 1 + draw(g, 2), dilation = n->begin[1];
    int64_t span = dilation * (cells - 1) + 1;
    n->size[0] = cells;
    n->begin[0] = stride;
    n->flag[0] = same;
    n->shape.dim[1] = same ? (length + stride - 1) / stride : (length - span) / stride + 1;
    int64_t missing = (n->shape.dim[1] - 1) * stride + span - length;
    n->begin[2] = same && missing > 0 ? missing / 2 : 0;
    return same || length >= span;
}

/* A picked array of rank 3 or, where it has another rank, a new one. */
static bool start_sequence(struct graph *g, struct node *n, double low, double high)
{
    if (!start(g, n, low, high))
        return false;
    if (n->shape.rank != 3) {
        n->inputs = 0;
        n->shape = random_shape(g, 3);
        if (!also(g, n, n->shape, low, high))
            return false;
    }
    return elements_of(&n->shape) > 0;
}

static bool plan_conv(struct graph *g, struct node *n)
{
    if (!start_sequence(g, n, -4, 4))
        return false;
    int64_t cells = 1 + draw(g, 3), filters = 1 + draw(g, 3), channels = n->shape.dim[2];
    n->begin[1] = 1 + draw(g, 2);
    n->shape.dim[2] = filters;
    return plan_window(g, n, cells, draw(g, 2)) && also(g, n, LS_SHAPE(cells, channels, filters), -2, 2) &&
           also(g, n, LS_SHAPE(filters), -2, 2);
}

/* The cell of the input that cell j of the window of result o reads; -1: padding. */
static int64_t cell(const struct node *n, const ls_shape *in, int64_t o, int64_t j)
{
    int64_t i = o * n->begin[0] - n->begin[2] + j * n->begin[1];
    return i >= 0 && i < in->dim[1] ? i : -1;
}

static void eval_conv(const struct node *n, const struct array *in, struct array *out)
{
    int64_t channels = in[0].shape.dim[2];
    for (int64_t o = 0; o < out->n; o++) {
        int64_t at[LS_MAX_RANK];
        coordinates_of(&out->shape, o, at);
        double sum = in[2].x[at[2]];
        for (int64_t j = 0; j < n->size[0]; j++) {
            int64_t i = cell(n, &in[0].shape, at[1], j);
            for (int64_t c = 0; i >= 0 && c < channels; c++)
                sum += in[0].x[(at[0] * in[0].shape.dim[1] + i) * channels + c] *
                       in[1].x[(j * channels + c) * n->shape.dim[2] + at[2]];
        }
        out->x[o] = sum;
    }
}

static ls_tensor call_conv(const struct node *n, const ls_tensor *in)
{
    return ls_conv(in[0], in[1], .bias = in[2], .strides = {n->begin[0]}, .dilations = {n->begin[1]},
                   .padding = n->flag[0] ? LS_SAME : LS_VALID);
}

/* flag[1]: the mean, not the largest. */
static bool plan_pool(struct graph *g, struct node *n)
{
    if (!start_sequence(g, n, -20, 20))
        return false;
    n->begin[1] = 1;
    n->flag[1] = draw(g, 2);
    return plan_window(g, n, 1 + draw(g, 3), draw(g, 2));
}

static void eval_pool(const struct node *n, const struct array *in, struct array *out)
{
    for (int64_t o = 0; o < out->n; o++) {
        int64_t at[LS_MAX_RANK], count = 0;
        double sum = 0, most = 0;
        coordinates_of(&out->shape, o, at);
        for (int64_t j = 0; j < n->size[0]; j++) {
            int64_t i = cell(n, &in->shape, at[1], j);
            if (i < 0)
                continue;
            double x = in->x[(at[0] * in->shape.dim[1] + i) * in->shape.dim[2] + at[2]];
            most = count == 0 || (!n->flag[1] && above(x - most)) ? x : most;
            sum += x;
            count++;
        }
        out->x[o] = n->flag[1] ? sum / (double)count : most;
    }
}

static ls_tensor call_pool(const struct node *n, const ls_tensor *in)
{
    ls_pool_options options = {in[0], {n->size[0]}, {n->begin[0]}, n->flag[0] ? LS_SAME : LS_VALID};
    return n->flag[1] ? ls_average_pool_with(&options) : ls_max_pool_with(&options);
}

/* ---- Losses: in: labels, logits; flag: of sigmoids ---- */

static bool plan_loss(struct graph *g, struct node *n)
{
    n->flag[0] = draw(g, 2);
    if (!start(g, n, 0, 1) || n->shape.rank == 0 || g->node[n->in[0]].n == 0 || !also(g, n, n->shape, -1, 1))
        return false;
    n->shape.rank -= !n->flag[0];
    return true;
}

static void eval_loss(const struct node *n, const struct array *in, struct array *out)
{
    int64_t classes = n->flag[0] ? 1 : in[0].shape.dim[n->shape.rank];
    for (int64_t o = 0; o < out->n; o++) {
        const double *z = in[0].x + o * classes, *x = in[1].x + o * classes;
        double sum = 0, loss = 0;
        for (int64_t c = 0; c < classes; c++)
            sum += exp(x[c]);
        for (int64_t c = 0; c < classes; c++)
            loss += z[c] * (log(sum) - x[c]);
        out->x[o] = n->flag[0] ? log1p(exp(x[0])) - x[0] * z[0] : loss;
    }
}

static ls_tensor call_loss(const struct node *n, const ls_tensor *in)
{
    return n->flag[0] ? ls_sigmoid_cross_entropy(in[0], in[1]) : ls_softmax_cross_entropy(in[0], in[1]);
}

/* ---- Stacks and diagonals ---- */

static bool plan_stack(struct graph *g, struct node *n)
{
    if (!start(g, n, -100, 100) || n->shape.rank > 4)
        return false;
    for (int64_t more = draw(g, MOST_INPUTS); more > 0; more--)
        if (!also(g, n, n->shape, -3, 3))
            return false;
    n->axis = (int)draw(g, n->shape.rank + 1);
    memmove(&n->shape.dim[n->axis + 1], &n->shape.dim[n->axis],
            (size_t)(n->shape.rank - n->axis) * sizeof n->shape.dim[0]);
    n->shape.dim[n->axis] = n->inputs;
    n->shape.rank++;
    return true;
}

static void eval_stack(const struct node *n, const struct array *in, struct array *out)
{
    for (int64_t o = 0; o < out->n; o++) {
        int64_t at[LS_MAX_RANK];
        coordinates_of(&out->shape, o, at);
        int64_t which = at[n->axis];
        memmove(&at[n->axis], &at[n->axis + 1], (size_t)(in->shape.rank - n->axis) * sizeof at[0]);
        out->x[o] = in[which].x[index_of(&in->shape, at)];
    }
}

static ls_tensor call_stack(const struct node *n, const ls_tensor *in)
{
    return ls_stack(in, (size_t)n->inputs, n->axis);
}

static bool plan_diag(struct graph *g, struct node *n)
{
    if (!start(g, n, -100, 100) || n->shape.rank == 0 || n->shape.rank > 4)
        return false;
    n->shape.dim[n->shape.rank] = n->shape.dim[n->shape.rank - 1];
    n->shape.rank++;
    return true;
}

static bool from_diag(const struct node *n, const ls_shape *in, int64_t *at)
{
    (void)n;
    return at[in->rank] == at[in->rank - 1];
}
MOVES(diag)

static ls_tensor call_diag(const struct node *n, const ls_tensor *in)
{
    (void)n;
    return ls_diag(in[0]);
}

static bool plan_diag_part(struct graph *g, struct node *n)
{
    if (!start(g, n, -100, 100) || n->shape.rank < 2)
        return false;
    int64_t columns = n->shape.dim[--n->shape.rank], *rows = &n->shape.dim[n->shape.rank - 1];
    *rows = *rows < columns ? *rows : columns;
    return true;
}

static bool from_diag_part(const struct node *n, const ls_shape *in, int64_t *at)
{
    (void)n;
    at[in->rank - 1] = at[in->rank - 2];
    return true;
}
MOVES(diag_part)

static ls_tensor call_diag_part(const struct node *n, const ls_tensor *in)
{
    (void)n;
    return ls_diag_part(in[0]);
}

/* ---- By index; the indices are new inputs, from 0 up to 2 where the axis is long enough ---- */

static bool indices(struct graph *g, struct node *n, ls_shape shape, int64_t length)
{
    int i = length > 0 ? fresh(g, LS_INT32, shape, 0, (double)(length < 3 ? length : 3)) : -1;
    n->in[n->inputs++] = i;
    return i >= 0;
}

static bool plan_take_along(struct graph *g, struct node *n)
{
    if (!start(g, n, -100, 100) || n->shape.rank == 0)
        return false;
    n->axis = (int)draw(g, n->shape.rank);
    int64_t length = n->shape.dim[n->axis];
    n->shape.dim[n->axis] = 1 + draw(g, 4);
    return indices(g, n, n->shape, length);
}

static void eval_take_along(const struct node *n, const struct array *in, struct array *out)
{
    for (int64_t o = 0; o < out->n; o++) {
        int64_t at[LS_MAX_RANK];
        coordinates_of(&out->shape, o, at);
        at[n->axis] = (int64_t)in[1].x[o];
        out->x[o] = in[0].x[index_of(&in[0].shape, at)];
    }
}

static ls_tensor call_take_along(const struct node *n, const ls_tensor *in)
{
    return ls_take_along_axis(in[0], in[1], n->axis);
}

/* Rows of the first two axes, or of the first: size: how many; in: a, indices (size, 1 or 2). */
static bool plan_gather_nd(struct graph *g, struct node *n)
{
    if (!start(g, n, -100, 100) || n->shape.rank == 0)
        return false;
    int64_t k = 1 + draw(g, n->shape.rank > 1 ? 2 : 1), least = n->shape.dim[0], count = 1 + draw(g, 4);
    if (k == 2 && n->shape.dim[1] < least)
        least = n->shape.dim[1];
    memmove(&n->shape.dim[1], &n->shape.dim[k], (size_t)(n->shape.rank - k) * sizeof n->shape.dim[0]);
    n->shape.rank -= (int)k - 1;
    n->shape.dim[0] = count;
    return indices(g, n, LS_SHAPE(count, k), least);
}

static void eval_gather_nd(const struct node *n, const struct array *in, struct array *out)
{
    int64_t k = in[1].shape.dim[1], each = out->n / n->shape.dim[0];
    for (int64_t o = 0; o < out->n; o++) {
        const double *index = in[1].x + o / each * k;
        int64_t row = (int64_t)index[0];
        if (k == 2)
            row = row * in[0].shape.dim[1] + (int64_t)index[1];
        out->x[o] = in[0].x[row * each + o % each];
    }
}

static ls_tensor call_gather_nd(const struct node *n, const ls_tensor *in)
{
    (void)n;
    return ls_gather_nd(in[0], in[1]);
}

/* in: base, indices (count), updates (count, …), along the first axis; the last of several wins. */
static bool plan_scatter_update(struct graph *g, struct node *n)
{
    if (!start(g, n, -100, 100) || n->shape.rank == 0)
        return false;
    ls_shape updates = n->shape;
    updates.dim[0] = 1 + draw(g, 4);
    return indices(g, n, LS_SHAPE(updates.dim[0]), n->shape.dim[0]) && also(g, n, updates, -3, 3);
}

static void eval_scatter_update(const struct node *n, const struct array *in, struct array *out)
{
    int64_t each = out->n / n->shape.dim[0];
    memcpy(out->x, in[0].x, (size_t)out->n * sizeof *out->x);
    for (int64_t i = 0; i < in[2].n; i++)
        out->x[(int64_t)in[1].x[i / each] * each + i % each] = in[2].x[i];
}

static ls_tensor call_scatter_update(const struct node *n, const ls_tensor *in)
{
    (void)n;
    return ls_scatter_update(in[0], in[1], in[2], 0);
}

static bool plan_segment_sum(struct graph *g, struct node *n)
{
    if (!start(g, n, -20, 20) || n->shape.rank == 0)
        return false;
    int64_t rows = n->shape.dim[0];
    n->shape.dim[0] = 1 + draw(g, 4);
    return indices(g, n, LS_SHAPE(rows), n->shape.dim[0]);
}

static void eval_segment_sum(const struct node *n, const struct array *in, struct array *out)
{
    int64_t each = out->n / n->shape.dim[0];
    for (int64_t o = 0; o < out->n; o++)
        out->x[o] = 0;
    for (int64_t i = 0; i < in[0].n; i++)
        out->x[(int64_t)in[1].x[i / each] * each + i % each] += in[0].x[i];
}

static ls_tensor call_segment_sum(const struct node *n, const ls_tensor *in)
{
    return ls_segment_sum(in[0], in[1], n->shape.dim[0]);
}

/* ---- Products: einsum and tensordot of (a, b, c) and (c, a, d) over a and c, and a recurrence ---- */

static bool plan_einsum(struct graph *g, struct node *n)
{
    if (!start(g, n, -5, 5) || n->shape.rank != 3)
        return false;
    int64_t columns = 1 + draw(g, 4);
    ls_shape other = LS_SHAPE(n->shape.dim[2], n->shape.dim[0], columns);
    n->flag[0] = draw(g, 2);
    n->shape = LS_SHAPE(n->shape.dim[1], columns);
    return also(g, n, other, -2, 2);
}

static void eval_einsum(const struct node *n, const struct array *in, struct array *out)
{
    const int64_t *dim = in[0].shape.dim, columns = n->shape.dim[1];
    for (int64_t o = 0; o < out->n; o++) {
        double sum = 0;
        for (int64_t a = 0; a < dim[0]; a++)
            for (int64_t c = 0; c < dim[2]; c++)
                sum += in[0].x[(a * dim[1] + o / columns) * dim[2] + c] *
                       in[1].x[(c * dim[0] + a) * columns + o % columns];
        out->x[o] = sum;
    }
}

static ls_tensor call_einsum(const struct node *n, const ls_tensor *in)
{
    const int first[] = {0, 2}, second[] = {1, 0};
    return n->flag[0] ? ls_einsum("abc,cad->bd", in, 2) : ls_tensordot(in[0], in[1], first, second, 2);
}

/* Along the last axis; flag: from its end. */
static bool plan_recurrence(struct graph *g, struct node *n)
{
    n->flag[0] = draw(g, 2);
    return start(g, n, -1.5, 1.5) && n->shape.rank > 0 && also(g, n, n->shape, -3, 3);
}

static void eval_recurrence(const struct node *n, const struct array *in, struct array *out)
{
    int64_t length = n->shape.dim[n->shape.rank - 1];
    for (int64_t i = 0; i < out->n; i++) {
        int64_t row = i / length * length, k = i % length, at = row + (n->flag[0] ? length - 1 - k : k);
        double before = k == 0 ? 0 : out->x[n->flag[0] ? at + 1 : at - 1];
        out->x[at] = in[0].x[at] * before + in[1].x[at];
    }
}

static ls_tensor call_recurrence(const struct node *n, const ls_tensor *in)
{
    return ls_linear_recurrence(in[0], in[1], -1, n->flag[0]);
}

const struct row graph_more_rows[] = {
    {"stack", plan_stack, eval_stack, call_stack, .exact = true},
    {"diag", plan_diag, eval_diag, call_diag, .exact = true},
    {"diag_part", plan_diag_part, eval_diag_part, call_diag_part, .exact = true},
    {"take_along_axis", plan_take_along, eval_take_along, call_take_along, .exact = true},
    {"gather_nd", plan_gather_nd, eval_gather_nd, call_gather_nd, .exact = true},
    {"scatter_update", plan_scatter_update, eval_scatter_update, call_scatter_update, .exact = true},
    {"segment_sum", plan_segment_sum, eval_segment_sum, call_segment_sum},
    {"einsum, tensordot", plan_einsum, eval_einsum, call_einsum},
    {"linear_recurrence", plan_recurrence, eval_recurrence, call_recurrence},
    {"flip", plan_flip, eval_flip, call_flip, .exact = true},
    {"roll", plan_roll, eval_roll, call_roll, .exact = true},
    {"tile", plan_tile, eval_tile, call_tile, .exact = true},
    {"repeat", plan_repeat, eval_repeat, call_repeat, .exact = true},
    {"pad", plan_pad, eval_pad, call_pad, .exact = true},
    {"tril, triu", plan_triangle, eval_triangle, call_triangle, .exact = true},
    {"normalization", plan_normalize, eval_normalize, call_normalize},
    {"attention", plan_attention, eval_attention, call_attention},
    {"conv", plan_conv, eval_conv, call_conv},
    {"pool", plan_pool, eval_pool, call_pool},
    {"cross_entropy", plan_loss, eval_loss, call_loss},
};

const int graph_more_count = sizeof graph_more_rows / sizeof *graph_more_rows;
