/* SPDX-License-Identifier: Apache-2.0
 *
 * Products of vectors, matrices and tensors, a recurrence, factors and solutions.
 */
#include <math.h>
#include <string.h>

#include "graphs.h"

/* ---- Matrix product ---- */

/* a is picked; b is made to fit unless a node happens to; flag: transpose a, transpose b. */
static bool plan_matmul(struct graph *g, struct node *n)
{
    int a = pick(g, LS_FLOAT32, -5, 5), b = -1;
    if (a < 0 || g->node[a].shape.rank < 2)
        return false;
    n->flag[0] = draw(g, 2);
    n->flag[1] = draw(g, 2);
    n->activation = draw(g, 2) ? LS_LINEAR : (ls_activation)draw(g, LS_ACTIVATION_COUNT);
    ls_shape sa = g->node[a].shape, batch_a = sa, batch_b, batch;
    int64_t m = sa.dim[sa.rank - (n->flag[0] ? 1 : 2)], k = sa.dim[sa.rank - (n->flag[0] ? 2 : 1)], columns = 0;
    batch_a.rank -= 2;
    for (int attempt = 0; attempt < 3 && b < 0; attempt++) {
        b = pick(g, LS_FLOAT32, -5, 5);
        const ls_shape *sb = b < 0 ? NULL : &g->node[b].shape;
        if (sb && (sb->rank < 2 || sb->dim[sb->rank - (n->flag[1] ? 1 : 2)] != k))
            b = -1;
    }
    if (b < 0) {
        ls_shape shape = thinner_shape(g, batch_a);
        columns = random_shape(g, 1).dim[0];
        shape.dim[shape.rank++] = n->flag[1] ? columns : k;
        shape.dim[shape.rank++] = n->flag[1] ? k : columns;
        b = fresh(g, LS_FLOAT32, shape, -2, 2);
    }
    if (b < 0)
        return false;
    batch_b = g->node[b].shape;
    columns = batch_b.dim[batch_b.rank - (n->flag[1] ? 2 : 1)];
    batch_b.rank -= 2;
    if (!broadcast(&batch_a, &batch_b, &batch))
        return false;
    n->in[n->inputs++] = a;
    n->in[n->inputs++] = b;
    if (draw(g, 3) == 0)
        n->in[n->inputs++] = fresh(g, LS_FLOAT32, LS_SHAPE(columns), -2, 2);
    n->shape = batch;
    n->shape.dim[n->shape.rank++] = m;
    n->shape.dim[n->shape.rank++] = columns;
    return n->shape.rank < 6;
}

static double activated(ls_activation activation, double x)
{
    switch (activation) {
    case LS_RELU: return above(x) ? x : 0;
    case LS_SIGMOID: return fabs(x) < 2.5 ? 1 / (1 + exp(-x)) : (double)NAN; /* the intervals of their rows */
    case LS_TANH: return fabs(x) < 2 ? tanh(x) : (double)NAN;
    default: return x;
    }
}

/* Element (row, column) of the matrix that belongs to element o of the result, transposed or not. */
static double matrix_element(const struct array *a, const ls_shape *whole, int64_t o, bool transposed, int64_t row,
                             int64_t column)
{
    ls_shape batch = *whole, own = a->shape;
    int64_t at[LS_MAX_RANK], all = whole->dim[whole->rank - 1] * whole->dim[whole->rank - 2];
    batch.rank -= 2;
    own.rank -= 2;
    coordinates_of(&own, broadcast_index(&batch, o / all, &own), at);
    at[own.rank] = transposed ? column : row;
    at[own.rank + 1] = transposed ? row : column;
    return a->x[index_of(&a->shape, at)];
}

static void eval_matmul(const struct node *n, const struct array *in, struct array *out)
{
    int64_t columns = n->shape.dim[n->shape.rank - 1], rows = n->shape.dim[n->shape.rank - 2];
    int64_t depth = in[0].shape.dim[in[0].shape.rank - (n->flag[0] ? 2 : 1)];
    for (int64_t o = 0; o < out->n; o++) {
        int64_t row = o / columns % rows, column = o % columns;
        double sum = n->inputs == 3 ? in[2].x[column] : 0;
        for (int64_t k = 0; k < depth; k++)
            sum += matrix_element(&in[0], &out->shape, o, n->flag[0], row, k) *
                   matrix_element(&in[1], &out->shape, o, n->flag[1], k, column);
        out->x[o] = activated(n->activation, sum);
    }
}

static ls_tensor call_matmul(const struct node *n, const ls_tensor *in)
{
    return ls_matmul(in[0], in[1], .transpose_a = n->flag[0], .transpose_b = n->flag[1],
                     .bias = n->inputs == 3 ? in[2] : (ls_tensor){0}, .activation = n->activation);
}

/* ---- einsum and tensordot of (a, b, c) and (c, a, d) over a and c, and a recurrence ---- */

static bool plan_einsum(struct graph *g, struct node *n)
{
    if (!pick_input(g, n, -5, 5) || n->shape.rank != 3)
        return false;
    int64_t columns = 1 + draw(g, 4);
    ls_shape other = LS_SHAPE(n->shape.dim[2], n->shape.dim[0], columns);
    n->flag[0] = draw(g, 2);
    n->shape = LS_SHAPE(n->shape.dim[1], columns);
    return fresh_input(g, n, other, -2, 2);
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
    return pick_input(g, n, -1.5, 1.5) && n->shape.rank > 0 && fresh_input(g, n, n->shape, -3, 3);
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

/* ---- Einstein's notation, by the definition: axis: which ---- */

static const struct {
    const char *text, *a, *b, *out;
} equations[] = {
    {"ab,bc->ac", "ab", "bc", "ac"}, {"abc,abd->acd", "abc", "abd", "acd"}, {"ab,ab->", "ab", "ab", ""},
    {"a,b->ba", "a", "b", "ba"},     {"aab->b", "aab", NULL, "b"},          {"abc->cb", "abc", NULL, "cb"},
    {"abc,cd->adb", "abc", "cd", "adb"}, {"ab,c->b", "ab", "c", "b"},       {"aa,a->a", "aa", "a", "a"},
};

static ls_shape shape_of_term(const struct node *n, const char *term)
{
    ls_shape shape = {.rank = (int)strlen(term)};
    for (int d = 0; d < shape.rank; d++)
        shape.dim[d] = n->size[term[d] - 'a'];
    return shape;
}

static bool plan_equation(struct graph *g, struct node *n)
{
    n->axis = (int)draw(g, sizeof equations / sizeof *equations);
    for (int letter = 0; letter < 4; letter++)
        n->size[letter] = g->few_shapes ? 3 : 1 + draw(g, 4);
    n->shape = shape_of_term(n, equations[n->axis].out);
    return fresh_input(g, n, shape_of_term(n, equations[n->axis].a), -2, 2) &&
           (!equations[n->axis].b || fresh_input(g, n, shape_of_term(n, equations[n->axis].b), -2, 2));
}

static int64_t index_of_term(const struct node *n, const char *term, const int64_t *letters)
{
    int64_t index = 0;
    for (; *term; term++)
        index = index * n->size[*term - 'a'] + letters[*term - 'a'];
    return index;
}

static void eval_equation(const struct node *n, const struct array *in, struct array *out)
{
    const char *a = equations[n->axis].a, *b = equations[n->axis].b ? equations[n->axis].b : "";
    ls_shape all = {.rank = 4};
    for (int letter = 0; letter < 4; letter++)
        all.dim[letter] = strchr(a, 'a' + letter) || strchr(b, 'a' + letter) ? n->size[letter] : 1;
    for (int64_t o = 0; o < out->n; o++)
        out->x[o] = 0;
    for (int64_t i = 0; i < elements_of(&all); i++) {
        int64_t at[LS_MAX_RANK];
        coordinates_of(&all, i, at);
        out->x[index_of_term(n, equations[n->axis].out, at)] +=
            in[0].x[index_of_term(n, a, at)] * (*b ? in[1].x[index_of_term(n, b, at)] : 1);
    }
}

static ls_tensor call_equation(const struct node *n, const ls_tensor *in)
{
    return ls_einsum(equations[n->axis].text, in, n->inputs);
}

/* Of vectors; flag: outer. */
static bool plan_vectors(struct graph *g, struct node *n)
{
    n->flag[0] = draw(g, 2);
    int64_t length = g->few_shapes ? 4 : 1 + draw(g, 9), other = n->flag[0] ? 1 + draw(g, 4) : length;
    n->shape = n->flag[0] ? LS_SHAPE(length, other) : LS_SCALAR_SHAPE;
    return fresh_input(g, n, LS_SHAPE(length), -2, 2) && fresh_input(g, n, LS_SHAPE(other), -2, 2);
}

static void eval_vectors(const struct node *n, const struct array *in, struct array *out)
{
    out->x[0] = 0;
    for (int64_t i = 0; !n->flag[0] && i < in[0].n; i++)
        out->x[0] += in[0].x[i] * in[1].x[i];
    for (int64_t o = 0; n->flag[0] && o < out->n; o++)
        out->x[o] = in[0].x[o / in[1].n] * in[1].x[o % in[1].n];
}

static ls_tensor call_vectors(const struct node *n, const ls_tensor *in)
{
    return n->flag[0] ? ls_outer(in[0], in[1]) : ls_dot(in[0], in[1]);
}

/* ---- Factors: of m m^T + 2 1, and solutions with m + 3 1 (flags: upper, transposed) ---- */

static bool plan_cholesky(struct graph *g, struct node *n)
{
    n->shape = draw(g, 2) ? LS_SHAPE(2, 1, 1) : LS_SHAPE(1, 1);
    n->shape.dim[n->shape.rank - 1] = n->shape.dim[n->shape.rank - 2] = g->few_shapes ? 3 : 1 + draw(g, 5);
    return fresh_input(g, n, n->shape, -1, 1);
}

static void eval_cholesky(const struct node *n, const struct array *in, struct array *out)
{
    int64_t m = n->shape.dim[n->shape.rank - 1];
    for (int64_t b = 0; b < out->n / (m * m); b++) {
        const double *x = in->x + b * m * m;
        double *l = out->x + b * m * m;
        for (int64_t i = 0; i < m; i++) {
            for (int64_t j = 0; j < m; j++) {
                double s = i == j ? 2 : 0;
                for (int64_t k = 0; k < m; k++)
                    s += x[i * m + k] * x[j * m + k];
                for (int64_t k = 0; k < j && j <= i; k++)
                    s -= l[i * m + k] * l[j * m + k];
                l[i * m + j] = j > i ? 0 : i == j ? sqrt(s) : s / l[j * m + j];
            }
        }
    }
}

static ls_tensor unit(ls_tensor like, float factor)
{
    ls_shape shape = ls_shape_of_tensor(like);
    int64_t m = shape.dim[shape.rank - 1];
    return ls_mul(ls_eye(like.context, m, m), ls_scalar(like.context, factor));
}

static ls_tensor call_cholesky(const struct node *n, const ls_tensor *in)
{
    (void)n;
    return ls_cholesky(ls_add(ls_matmul(in[0], in[0], .transpose_b = true), unit(in[0], 2)));
}

static bool plan_solve(struct graph *g, struct node *n)
{
    n->flag[0] = draw(g, 2);
    n->flag[1] = draw(g, 2);
    if (!plan_cholesky(g, n))
        return false;
    n->shape.dim[n->shape.rank - 1] = 1 + draw(g, 3);
    return fresh_input(g, n, n->shape, -2, 2);
}

static void eval_solve(const struct node *n, const struct array *in, struct array *out)
{
    int64_t m = n->shape.dim[n->shape.rank - 2], columns = n->shape.dim[n->shape.rank - 1];
    bool from_below = n->flag[0] != n->flag[1];
    for (int64_t b = 0; b < out->n / (m * columns); b++) {
        const double *a = in[0].x + b * m * m, *y = in[1].x + b * m * columns;
        double *x = out->x + b * m * columns;
        for (int64_t c = 0; c < columns; c++) {
            for (int64_t r = 0; r < m; r++) {
                int64_t i = from_below ? m - 1 - r : r;
                double s = y[i * columns + c];
                for (int64_t k = from_below ? i + 1 : 0; k < (from_below ? m : i); k++)
                    s -= a[n->flag[1] ? k * m + i : i * m + k] * x[k * columns + c];
                x[i * columns + c] = s / (a[i * m + i] + 3);
            }
        }
    }
}

static ls_tensor call_solve(const struct node *n, const ls_tensor *in)
{
    return ls_triangular_solve(ls_add(in[0], unit(in[0], 3)), in[1], .upper = n->flag[0], .transpose_a = n->flag[1]);
}

const struct row graph_linalg_rows[] = {
    {"matmul", plan_matmul, eval_matmul, call_matmul},
    {"einsum, tensordot", plan_einsum, eval_einsum, call_einsum},
    {"linear_recurrence", plan_recurrence, eval_recurrence, call_recurrence},
    {"einsum", plan_equation, eval_equation, call_equation},
    {"dot, outer", plan_vectors, eval_vectors, call_vectors},
    {"cholesky", plan_cholesky, eval_cholesky, call_cholesky},
    {"triangular_solve", plan_solve, eval_solve, call_solve},
    {0},
};
