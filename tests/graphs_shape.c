/* SPDX-License-Identifier: Apache-2.0
 *
 * The same elements in another shape or order of dimensions.
 */
#include <math.h>
#include <string.h>

#include "graphs.h"

static void eval_same_order(const struct node *n, const struct array *in, struct array *out)
{
    (void)n;
    memcpy(out->x, in->x, (size_t)out->n * sizeof *out->x);
}

/* Another factorization of the size; sometimes one dimension is left to be inferred. */
static bool plan_reshape(struct graph *g, struct node *n)
{
    if (!pick_input(g, n, -100, 100))
        return false;
    int64_t left = elements_of(&n->shape);
    n->shape.rank = 0;
    while (left > 1 && n->shape.rank < 4) {
        int64_t factor = left;
        if (n->shape.rank < 3)
            for (factor = 1 + draw(g, left); left % factor != 0;)
                factor--;
        n->shape.dim[n->shape.rank++] = factor;
        left /= factor;
    }
    if (left != 1)
        n->shape.dim[n->shape.rank++] = left;
    n->axis = n->shape.rank > 0 && left > 0 && draw(g, 2) ? (int)draw(g, n->shape.rank) : -1;
    return true;
}

static ls_tensor call_reshape(const struct node *n, const ls_tensor *in)
{
    ls_shape shape = n->shape;
    if (n->axis >= 0)
        shape.dim[n->axis] = -1;
    return ls_reshape(in[0], shape);
}

static bool plan_expand_dims(struct graph *g, struct node *n)
{
    if (!pick_input(g, n, -100, 100) || n->shape.rank > 4)
        return false;
    n->axis = (int)draw(g, 2 * (n->shape.rank + 1)) - (n->shape.rank + 1);
    int at = n->axis < 0 ? n->axis + n->shape.rank + 1 : n->axis;
    memmove(&n->shape.dim[at + 1], &n->shape.dim[at], (size_t)(n->shape.rank - at) * sizeof n->shape.dim[0]);
    n->shape.dim[at] = 1;
    n->shape.rank++;
    return true;
}

static ls_tensor call_expand_dims(const struct node *n, const ls_tensor *in) { return ls_expand_dims(in[0], n->axis); }

static bool plan_transpose(struct graph *g, struct node *n)
{
    if (!pick_input(g, n, -100, 100))
        return false;
    ls_shape shape = n->shape;
    n->with_axes = draw(g, 4) > 0; /* without: reversed */
    for (int d = 0; d < shape.rank; d++) {
        int64_t j = n->with_axes ? draw(g, d + 1) : 0;
        n->axes[d] = d;
        for (int e = d; e > j; e--)
            n->axes[e] = n->axes[e - 1];
        n->axes[j] = d;
    }
    for (int d = 0; d < shape.rank; d++)
        n->shape.dim[d] = shape.dim[n->axes[d]];
    return true;
}

static void eval_transpose(const struct node *n, const struct array *in, struct array *out)
{
    for (int64_t i = 0; i < out->n; i++) {
        int64_t at[LS_MAX_RANK], from[LS_MAX_RANK];
        coordinates_of(&out->shape, i, at);
        for (int d = 0; d < n->shape.rank; d++)
            from[n->axes[d]] = at[d];
        out->x[i] = in->x[index_of(&in->shape, from)];
    }
}

static ls_tensor call_transpose(const struct node *n, const ls_tensor *in)
{
    return ls_transpose(in[0], n->with_axes ? n->axes : NULL);
}

static bool plan_broadcast_to(struct graph *g, struct node *n)
{
    if (!pick_input(g, n, -100, 100) || n->shape.rank > 4)
        return false;
    ls_shape other = n->shape;
    for (int d = 0; d < other.rank; d++)
        other.dim[d] = other.dim[d] == 1 ? random_shape(g, 1).dim[0] : other.dim[d];
    for (int64_t more = draw(g, 3); more > 0 && other.rank < 5; more--) {
        memmove(&other.dim[1], &other.dim[0], (size_t)other.rank * sizeof other.dim[0]);
        other.dim[0] = random_shape(g, 1).dim[0];
        other.rank++;
    }
    n->shape = other;
    return true;
}

static void eval_broadcast_to(const struct node *n, const struct array *in, struct array *out)
{
    (void)n;
    for (int64_t i = 0; i < out->n; i++)
        out->x[i] = in->x[broadcast_index(&out->shape, i, &in->shape)];
}

static ls_tensor call_broadcast_to(const struct node *n, const ls_tensor *in)
{
    return ls_broadcast_to(in[0], n->shape);
}

static bool plan_sum_to(struct graph *g, struct node *n)
{
    if (!pick_input(g, n, -100, 100))
        return false;
    for (int64_t i = 0; i < g->node[n->in[0]].n; i++)
        if (fabs(g->value[n->in[0]][i]) > 20)
            return false;
    n->shape = thinner_shape(g, n->shape);
    return true;
}

static void eval_sum_to(const struct node *n, const struct array *in, struct array *out)
{
    (void)n;
    for (int64_t o = 0; o < out->n; o++)
        out->x[o] = 0;
    for (int64_t i = 0; i < in->n; i++)
        out->x[broadcast_index(&in->shape, i, &out->shape)] += in->x[i];
}

static ls_tensor call_sum_to(const struct node *n, const ls_tensor *in) { return ls_sum_to(in[0], n->shape); }

/* ---- The order of dimensions: axis, axes[0]: from where to where; flags: exchanged; without those of size 1 ---- */

static bool plan_order(struct graph *g, struct node *n)
{
    if (!pick_input(g, n, -100, 100) || n->shape.rank == 0)
        return false;
    ls_shape given = n->shape;
    n->flag[0] = draw(g, 2);
    n->flag[1] = draw(g, 3) == 0;
    n->axis = (int)draw(g, given.rank);
    n->axes[0] = (int)draw(g, given.rank);
    for (int d = 0; d < given.rank; d++)
        n->axes[1 + d] = d;
    if (given.rank > 5)
        return false;
    if (n->flag[0]) {
        n->axes[1 + n->axis] = n->axes[0];
        n->axes[1 + n->axes[0]] = n->axis;
    } else {
        int step = n->axis < n->axes[0] ? 1 : -1;
        for (int d = n->axis; d != n->axes[0]; d += step)
            n->axes[1 + d] = d + step;
        n->axes[1 + n->axes[0]] = n->axis;
    }
    n->shape.rank = 0;
    for (int d = 0; d < given.rank; d++)
        if (!n->flag[1] || given.dim[n->axes[1 + d]] != 1)
            n->shape.dim[n->shape.rank++] = given.dim[n->axes[1 + d]];
    return true;
}

static void eval_order(const struct node *n, const struct array *in, struct array *out)
{
    ls_shape turned = {.rank = in->shape.rank};
    for (int d = 0; d < turned.rank; d++)
        turned.dim[d] = in->shape.dim[n->axes[1 + d]];
    for (int64_t o = 0; o < out->n; o++) {
        int64_t at[LS_MAX_RANK], from[LS_MAX_RANK];
        coordinates_of(&turned, o, at);
        for (int d = 0; d < turned.rank; d++)
            from[n->axes[1 + d]] = at[d];
        out->x[o] = in->x[index_of(&in->shape, from)];
    }
}

static ls_tensor call_order(const struct node *n, const ls_tensor *in)
{
    ls_tensor turned = n->flag[0] ? ls_swapaxes(in[0], n->axis, n->axes[0]) : ls_moveaxis(in[0], n->axis, n->axes[0]);
    return n->flag[1] ? ls_squeeze(turned, NULL, 0) : turned;
}

const struct row graph_shape_rows[] = {
    {"reshape", plan_reshape, eval_same_order, call_reshape, .exact = true},
    {"expand_dims", plan_expand_dims, eval_same_order, call_expand_dims, .exact = true},
    {"transpose", plan_transpose, eval_transpose, call_transpose, .exact = true},
    {"broadcast_to", plan_broadcast_to, eval_broadcast_to, call_broadcast_to, .exact = true},
    {"sum_to", plan_sum_to, eval_sum_to, call_sum_to},
    {"swapaxes, moveaxis, squeeze", plan_order, eval_order, call_order, .exact = true},
    {0},
};
