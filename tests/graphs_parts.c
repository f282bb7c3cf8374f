/* SPDX-License-Identifier: Apache-2.0
 *
 * Parts of an array, and arrays made of parts.
 */
#include <string.h>

#include "graphs.h"

/* Begin, size and step, either sign, of a part of `whole`. */
static void choose_part(struct graph *g, struct node *n, const ls_shape *whole)
{
    for (int d = 0; d < whole->rank; d++) {
        int64_t length = whole->dim[d], step = 1 + draw(g, 3);
        bool backwards = draw(g, 3) == 0;
        n->begin[d] = length > 0 ? draw(g, length) : 0;
        int64_t room = backwards ? n->begin[d] + 1 : length - n->begin[d], most = (room + step - 1) / step;
        n->size[d] = length > 0 ? 1 + draw(g, most) : 0;
        if (g->empty && draw(g, 8) == 0)
            n->size[d] = 0;
        n->step[d] = backwards ? -step : step;
    }
}

/* The index in `whole` of element i of a part. */
static int64_t part_index(const struct node *n, const ls_shape *whole, const ls_shape *part, int64_t i)
{
    int64_t at[LS_MAX_RANK];
    coordinates_of(part, i, at);
    for (int d = 0; d < whole->rank; d++)
        at[d] = n->begin[d] + at[d] * n->step[d];
    return index_of(whole, at);
}

static bool plan_slice(struct graph *g, struct node *n)
{
    if (!pick_input(g, n, -100, 100))
        return false;
    choose_part(g, n, &g->node[n->in[0]].shape);
    memcpy(n->shape.dim, n->size, sizeof n->size);
    n->flag[0] = draw(g, 2);
    return true;
}

static void eval_slice(const struct node *n, const struct array *in, struct array *out)
{
    for (int64_t i = 0; i < out->n; i++)
        out->x[i] = in->x[part_index(n, &in->shape, &out->shape, i)];
}

static ls_tensor call_slice(const struct node *n, const ls_tensor *in)
{
    bool plain = n->flag[0];
    for (int d = 0; d < n->shape.rank; d++)
        plain = plain && n->step[d] == 1;
    return ls_slice(in[0], n->begin, n->size, plain ? NULL : n->step);
}

/* The shape is chosen first, then a part of it that has the input's size. */
static bool plan_unslice(struct graph *g, struct node *n)
{
    if (!pick_input(g, n, -100, 100))
        return false;
    for (int d = 0; d < n->shape.rank; d++) {
        int64_t length = n->shape.dim[d], step = 1 + draw(g, 2), span = length > 0 ? (length - 1) * step + 1 : 0;
        bool backwards = draw(g, 3) == 0;
        int64_t before = draw(g, 2), after = draw(g, 2);
        n->begin[d] = before + (backwards && span > 0 ? span - 1 : 0);
        n->step[d] = backwards ? -step : step;
        n->shape.dim[d] = before + span + after;
    }
    return true;
}

static void eval_unslice(const struct node *n, const struct array *in, struct array *out)
{
    for (int64_t o = 0; o < out->n; o++)
        out->x[o] = 0;
    for (int64_t i = 0; i < in->n; i++)
        out->x[part_index(n, &out->shape, &in->shape, i)] = in->x[i];
}

static ls_tensor call_unslice(const struct node *n, const ls_tensor *in)
{
    return ls_unslice(in[0], n->shape, n->begin, n->step);
}

/* One to four tensors that agree but along the axis; missing ones are new inputs. */
static bool plan_concat(struct graph *g, struct node *n)
{
    if (!pick_input(g, n, -100, 100) || n->shape.rank == 0)
        return false;
    n->axis = (int)draw(g, n->shape.rank);
    for (int64_t more = draw(g, MOST_INPUTS); more > 0; more--) {
        ls_shape shape = g->node[n->in[0]].shape;
        shape.dim[n->axis] = random_shape(g, 1).dim[0];
        int i = pick(g, LS_FLOAT32, -100, 100);
        for (int d = 0; i >= 0 && d < shape.rank; d++)
            if (g->node[i].shape.rank != shape.rank || (d != n->axis && g->node[i].shape.dim[d] != shape.dim[d]))
                i = -1;
        i = i >= 0 ? i : fresh(g, LS_FLOAT32, shape, -3, 3);
        if (i < 0)
            return false;
        n->in[n->inputs++] = i;
        n->shape.dim[n->axis] += g->node[i].shape.dim[n->axis];
    }
    return true;
}

static void eval_concat(const struct node *n, const struct array *in, struct array *out)
{
    int64_t offset = 0;
    for (int k = 0; k < n->inputs; k++) {
        for (int64_t i = 0; i < in[k].n; i++) {
            int64_t at[LS_MAX_RANK];
            coordinates_of(&in[k].shape, i, at);
            at[n->axis] += offset;
            out->x[index_of(&out->shape, at)] = in[k].x[i];
        }
        offset += in[k].shape.dim[n->axis];
    }
}

static ls_tensor call_concat(const struct node *n, const ls_tensor *in)
{
    return ls_concat(in, (size_t)n->inputs, n->axis - (n->flag[0] ? n->shape.rank : 0));
}

static bool plan_stack(struct graph *g, struct node *n)
{
    if (!pick_input(g, n, -100, 100) || n->shape.rank > 4)
        return false;
    for (int64_t more = draw(g, MOST_INPUTS); more > 0; more--)
        if (!fresh_input(g, n, n->shape, -3, 3))
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

/* ---- Pieces: begin[0]: which one counts, size[0]: where it begins; flag[0]: unstacked ---- */

static bool plan_piece(struct graph *g, struct node *n)
{
    n->flag[0] = draw(g, 2);
    if (!pick_input(g, n, -100, 100) || n->shape.rank == 0)
        return false;
    n->axis = (int)draw(g, n->shape.rank);
    int64_t *length = &n->shape.dim[n->axis];
    if (*length < 1)
        return false;
    int64_t cut = draw(g, *length + 1); /* into two, or unstacked at `cut` */
    n->size[0] = n->flag[0] ? cut % *length : draw(g, 2) ? cut : 0;
    n->begin[0] = n->flag[0] ? n->size[0] : n->size[0] > 0;
    n->step[0] = cut;
    n->step[1] = *length - cut;
    n->begin[1] = *length;
    *length = n->flag[0] ? 1 : n->begin[0] ? n->step[1] : n->step[0];
    if (!n->flag[0] && n->begin[0])
        n->size[0] = cut;
    if (n->flag[0]) {
        memmove(&n->shape.dim[n->axis], &n->shape.dim[n->axis + 1],
                (size_t)(n->shape.rank - n->axis - 1) * sizeof n->shape.dim[0]);
        n->shape.rank--;
    }
    return true;
}

static void eval_piece(const struct node *n, const struct array *in, struct array *out)
{
    for (int64_t o = 0; o < out->n; o++) {
        int64_t at[LS_MAX_RANK];
        coordinates_of(&out->shape, o, at);
        if (n->flag[0]) {
            memmove(&at[n->axis + 1], &at[n->axis], (size_t)(in->shape.rank - n->axis - 1) * sizeof at[0]);
            at[n->axis] = 0;
        }
        at[n->axis] += n->size[0];
        out->x[o] = in->x[index_of(&in->shape, at)];
    }
}

static ls_tensor call_piece(const struct node *n, const ls_tensor *in)
{
    ls_tensor parts[MOST_ELEMENTS];
    ls_status status = n->flag[0] ? ls_unstack(in[0], n->axis, parts, (size_t)n->begin[1])
                                  : ls_split(in[0], n->step, 2, n->axis, parts);
    return status == LS_OK ? parts[n->begin[0]] : (ls_tensor){0};
}

const struct row graph_part_rows[] = {
    {"slice", plan_slice, eval_slice, call_slice, .exact = true},
    {"unslice", plan_unslice, eval_unslice, call_unslice, .exact = true},
    {"concat", plan_concat, eval_concat, call_concat, .exact = true},
    {"stack", plan_stack, eval_stack, call_stack, .exact = true},
    {"split, unstack", plan_piece, eval_piece, call_piece, .exact = true},
    {0},
};
