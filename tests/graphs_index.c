/* SPDX-License-Identifier: Apache-2.0
 *
 * By index, and by order: rows of a table, and the largest elements.
 */
#include <string.h>

#include "graphs.h"

/* in: table, indices; the shape of both, the axis replaced by that of the indices. */
static bool plan_gather(struct graph *g, struct node *n)
{
    if (!pick_input(g, n, -100, 100) || n->shape.rank == 0 || n->shape.rank > 4)
        return false;
    ls_shape table = n->shape, indices = random_shape(g, (int)draw(g, 3));
    n->axis = (int)draw(g, table.rank);
    if (table.dim[n->axis] == 0)
        return false;
    int i = fresh(g, LS_INT32, indices, 0, (double)(table.dim[n->axis] < 3 ? table.dim[n->axis] : 3));
    n->in[n->inputs++] = i;
    n->shape.rank = 0;
    for (int d = 0; d < table.rank; d++) {
        if (d != n->axis)
            n->shape.dim[n->shape.rank++] = table.dim[d];
        for (int e = 0; d == n->axis && e < indices.rank; e++)
            n->shape.dim[n->shape.rank++] = indices.dim[e];
    }
    return i >= 0;
}

/* The index in the table of element o of the gathered result. */
static int64_t table_index(const struct node *n, const struct array *indices, const ls_shape *table,
                           const ls_shape *gathered, int64_t o)
{
    int64_t at[LS_MAX_RANK], from[LS_MAX_RANK], index = 0;
    coordinates_of(gathered, o, at);
    for (int e = 0; e < indices->shape.rank; e++)
        index = index * indices->shape.dim[e] + at[n->axis + e];
    for (int d = 0; d < table->rank; d++)
        from[d] = d < n->axis ? at[d] : d == n->axis ? (int64_t)indices->x[index] : at[d - 1 + indices->shape.rank];
    return index_of(table, from);
}

static void eval_gather(const struct node *n, const struct array *in, struct array *out)
{
    for (int64_t o = 0; o < out->n; o++)
        out->x[o] = in[0].x[table_index(n, &in[1], &in[0].shape, &out->shape, o)];
}

static ls_tensor call_gather(const struct node *n, const ls_tensor *in) { return ls_gather(in[0], in[1], n->axis); }

/* in: base, indices, updates of the gathered shape. */
static bool plan_scatter_add(struct graph *g, struct node *n)
{
    if (!plan_gather(g, n))
        return false;
    int updates = fresh(g, LS_FLOAT32, n->shape, -3, 3);
    n->in[n->inputs++] = updates;
    n->shape = g->node[n->in[0]].shape;
    return updates >= 0;
}

static void eval_scatter_add(const struct node *n, const struct array *in, struct array *out)
{
    memcpy(out->x, in[0].x, (size_t)out->n * sizeof *out->x);
    for (int64_t i = 0; i < in[2].n; i++)
        out->x[table_index(n, &in[1], &out->shape, &in[2].shape, i)] += in[2].x[i];
}

static ls_tensor call_scatter_add(const struct node *n, const ls_tensor *in)
{
    return ls_scatter_add(in[0], in[1], in[2], n->axis);
}

static bool plan_one_hot(struct graph *g, struct node *n)
{
    int64_t depth = 1 + draw(g, 5);
    int labels = fresh(g, LS_INT32, random_shape(g, (int)draw(g, 4)), 0, (double)depth);
    if (labels < 0)
        return false;
    n->in[n->inputs++] = labels;
    n->shape = g->node[labels].shape;
    n->shape.dim[n->shape.rank++] = depth;
    return true;
}

static void eval_one_hot(const struct node *n, const struct array *in, struct array *out)
{
    int64_t depth = n->shape.dim[n->shape.rank - 1];
    for (int64_t o = 0; o < out->n; o++)
        out->x[o] = in->x[o / depth] == (double)(o % depth);
}

static ls_tensor call_one_hot(const struct node *n, const ls_tensor *in)
{
    return ls_one_hot(in[0], n->shape.dim[n->shape.rank - 1]);
}

static bool plan_embedding(struct graph *g, struct node *n)
{
    ls_shape table = LS_SHAPE(3, 1 + draw(g, 4)), ids = random_shape(g, (int)draw(g, 3));
    n->shape = ids;
    n->shape.dim[n->shape.rank++] = table.dim[1];
    if (!fresh_input(g, n, table, -3, 3))
        return false;
    int i = fresh(g, LS_INT32, ids, 0, 3);
    n->in[n->inputs++] = i;
    return i >= 0;
}

static void eval_embedding(const struct node *n, const struct array *in, struct array *out)
{
    int64_t features = n->shape.dim[n->shape.rank - 1];
    for (int64_t o = 0; o < out->n; o++)
        out->x[o] = in[0].x[(int64_t)in[1].x[o / features] * features + o % features];
}

static ls_tensor call_embedding(const struct node *n, const ls_tensor *in)
{
    (void)n;
    return ls_embedding_lookup(in[0], in[1]);
}

/* ---- The indices are new inputs, from 0 up to 2 where the axis is long enough ---- */

static bool indices(struct graph *g, struct node *n, ls_shape shape, int64_t length)
{
    int i = length > 0 ? fresh(g, LS_INT32, shape, 0, (double)(length < 3 ? length : 3)) : -1;
    n->in[n->inputs++] = i;
    return i >= 0;
}

static bool plan_take_along(struct graph *g, struct node *n)
{
    if (!pick_input(g, n, -100, 100) || n->shape.rank == 0)
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
    if (!pick_input(g, n, -100, 100) || n->shape.rank == 0)
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
    if (!pick_input(g, n, -100, 100) || n->shape.rank == 0)
        return false;
    ls_shape updates = n->shape;
    updates.dim[0] = 1 + draw(g, 4);
    return indices(g, n, LS_SHAPE(updates.dim[0]), n->shape.dim[0]) && fresh_input(g, n, updates, -3, 3);
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
    if (!pick_input(g, n, -20, 20) || n->shape.rank == 0)
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

/* ---- The largest elements of the last axis ---- */

static bool plan_top(struct graph *g, struct node *n)
{
    if (!pick_input(g, n, -100, 100) || n->shape.rank == 0 || n->shape.dim[n->shape.rank - 1] == 0)
        return false;
    n->size[0] = n->shape.dim[n->shape.rank - 1];
    n->shape.dim[n->shape.rank - 1] = 1 + draw(g, n->size[0]);
    return true;
}

static void eval_top(const struct node *n, const struct array *in, struct array *out)
{
    int64_t length = n->size[0], k = n->shape.dim[n->shape.rank - 1];
    for (int64_t row = 0; row < out->n / k; row++) {
        double sorted[MOST_ELEMENTS];
        for (int64_t i = 0; i < length; i++) {
            double x = in->x[row * length + i];
            int64_t place = i;
            for (; place > 0 && above(x - sorted[place - 1]); place--)
                sorted[place] = sorted[place - 1];
            sorted[place] = x;
        }
        memcpy(out->x + row * k, sorted, (size_t)k * sizeof *sorted);
    }
}

static ls_tensor call_top(const struct node *n, const ls_tensor *in)
{
    ls_tensor values, indices;
    return ls_top_k(in[0], n->shape.dim[n->shape.rank - 1], &values, &indices) == LS_OK ? values : (ls_tensor){0};
}

/* ---- A grid of two vectors; flag: the second ---- */

static bool plan_grid(struct graph *g, struct node *n)
{
    ls_shape a = random_shape(g, 1), b = random_shape(g, 1);
    n->flag[0] = draw(g, 2);
    n->shape = LS_SHAPE(a.dim[0], b.dim[0]);
    return fresh_input(g, n, a, -3, 3) && fresh_input(g, n, b, -3, 3);
}

static void eval_grid(const struct node *n, const struct array *in, struct array *out)
{
    for (int64_t o = 0; o < out->n; o++)
        out->x[o] = n->flag[0] ? in[1].x[o % n->shape.dim[1]] : in[0].x[o / n->shape.dim[1]];
}

static ls_tensor call_grid(const struct node *n, const ls_tensor *in)
{
    ls_tensor grids[2];
    return ls_meshgrid(in, 2, true, grids) == LS_OK ? grids[n->flag[0]] : (ls_tensor){0};
}

const struct row graph_index_rows[] = {
    {"gather", plan_gather, eval_gather, call_gather, .exact = true},
    {"scatter_add", plan_scatter_add, eval_scatter_add, call_scatter_add},
    {"one_hot", plan_one_hot, eval_one_hot, call_one_hot, .exact = true},
    {"embedding_lookup", plan_embedding, eval_embedding, call_embedding, .exact = true},
    {"take_along_axis", plan_take_along, eval_take_along, call_take_along, .exact = true},
    {"gather_nd", plan_gather_nd, eval_gather_nd, call_gather_nd, .exact = true},
    {"scatter_update", plan_scatter_update, eval_scatter_update, call_scatter_update, .exact = true},
    {"segment_sum", plan_segment_sum, eval_segment_sum, call_segment_sum},
    {"top_k", plan_top, eval_top, call_top, .exact = true},
    {"meshgrid", plan_grid, eval_grid, call_grid, .exact = true},
    {0},
};
