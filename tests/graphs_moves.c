/* SPDX-License-Identifier: Apache-2.0
 *
 * Elements that move by a rule: `rule` turns the coordinates of the result into those of the input; false: a 0
 * stands there.
 */
#include "graphs.h"

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
    if (!pick_input(g, n, -100, 100))
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
    if (!pick_input(g, n, -100, 100) || n->shape.rank == 0)
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
    if (!pick_input(g, n, -100, 100))
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
    if (!pick_input(g, n, -100, 100) || n->shape.rank == 0)
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
    if (!pick_input(g, n, -100, 100))
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
    return pick_input(g, n, -100, 100) && n->shape.rank >= 2;
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

static bool plan_diag(struct graph *g, struct node *n)
{
    if (!pick_input(g, n, -100, 100) || n->shape.rank == 0 || n->shape.rank > 4)
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
    if (!pick_input(g, n, -100, 100) || n->shape.rank < 2)
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

#undef MOVES

const struct row graph_move_rows[] = {
    {"flip", plan_flip, eval_flip, call_flip, .exact = true},
    {"roll", plan_roll, eval_roll, call_roll, .exact = true},
    {"tile", plan_tile, eval_tile, call_tile, .exact = true},
    {"repeat", plan_repeat, eval_repeat, call_repeat, .exact = true},
    {"pad", plan_pad, eval_pad, call_pad, .exact = true},
    {"tril, triu", plan_triangle, eval_triangle, call_triangle, .exact = true},
    {"diag", plan_diag, eval_diag, call_diag, .exact = true},
    {"diag_part", plan_diag_part, eval_diag_part, call_diag_part, .exact = true},
    {0},
};
