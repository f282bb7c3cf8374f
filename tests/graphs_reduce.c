/* SPDX-License-Identifier: Apache-2.0
 *
 * The ops that reduce axes, that map each line along an axis to a line, or that find a place on it.
 */
#include <math.h>
#include <string.h>

#include "graphs.h"

/* Some axes, or all by naming none; at least `least` elements for each result. */
static bool plan_reduce(struct graph *g, struct node *n)
{
    int a = pick(g, n->row->type[0], n->row->domain[0][0], n->row->domain[0][1]);
    if (a < 0)
        return false;
    n->dtype = n->row->result;
    ls_shape shape = g->node[a].shape, kept = shape;
    n->in[n->inputs++] = a;
    n->with_axes = shape.rank > 0 && draw(g, 4) > 0;
    n->flag[0] = draw(g, 2);
    int64_t each = 1;
    for (int d = 0; d < shape.rank; d++) {
        bool reduced = !n->with_axes || draw(g, 2);
        if (reduced && n->with_axes)
            n->axes[n->count++] = draw(g, 2) ? d : d - shape.rank;
        each *= reduced ? shape.dim[d] : 1;
        kept.dim[d] = reduced ? 1 : kept.dim[d];
        if (!reduced || n->flag[0])
            n->shape.dim[n->shape.rank++] = kept.dim[d];
    }
    for (int i = n->count; i > 1; i--) { /* in any order */
        int64_t j = draw(g, i);
        int axis = n->axes[i - 1];
        n->axes[i - 1] = n->axes[j];
        n->axes[j] = axis;
    }
    memcpy(n->size, kept.dim, sizeof n->size);
    if (n->with_axes && n->count == 0)
        each = 1;
    return each >= n->row->least && g->node[a].n >= n->row->least;
}

static void eval_reduce(const struct node *n, const struct array *in, struct array *out)
{
    ls_shape kept = {.rank = in->shape.rank};
    memcpy(kept.dim, n->size, sizeof kept.dim);
    for (int64_t o = 0; o < out->n; o++) {
        double group[MOST_ELEMENTS];
        int64_t count = 0;
        for (int64_t i = 0; i < in->n; i++)
            if (broadcast_index(&in->shape, i, &kept) == o)
                group[count++] = in->x[i];
        out->x[o] = n->row->reduce(group, count);
    }
}

static double sum_of(const double *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += x[i];
    return sum;
}

/* The first largest (sign 1) or smallest (-1) element; which others equal it is an answer of its own. */
static int64_t largest(const double *x, int64_t n, double sign)
{
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
        best = sign * x[i] > sign * x[best] ? i : best;
    for (int64_t i = 0; i < n; i++)
        above(sign * (x[best] - x[i]));
    return best;
}

static double product_of(const double *x, int64_t n)
{
    double product = 1;
    for (int64_t i = 0; i < n; i++)
        product *= x[i];
    return product;
}

static double variance_of(const double *x, int64_t n)
{
    double mean = sum_of(x, n) / (double)n, sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (x[i] - mean) * (x[i] - mean);
    return sum / (double)n;
}

static double length_of(const double *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += x[i] * x[i];
    return sqrt(sum);
}

/* Where a square root is steep it is not asked for. */
static double far_from_0(double x) { return x > 0.25 ? x : (double)NAN; }

static double sum_of_magnitudes(const double *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += above(x[i]) ? x[i] : -x[i];
    return sum;
}

static double largest_magnitude(const double *x, int64_t n)
{
    double magnitudes[MOST_ELEMENTS];
    for (int64_t i = 0; i < n; i++)
        magnitudes[i] = above(x[i]) ? x[i] : -x[i];
    return magnitudes[largest(magnitudes, n, 1)];
}

static double how_many_above(const double *x, int64_t n)
{
    double count = 0;
    for (int64_t i = 0; i < n; i++)
        count += above(x[i]);
    return count;
}

static double log_of_sum(const double *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += exp(x[i]);
    return log(sum);
}

static ls_tensor sum_of_moments(ls_tensor a, const int *axes, int count, bool keepdims)
{
    ls_tensor mean, variance;
    ls_moments(a, axes, count, keepdims, &mean, &variance);
    return ls_add(mean, variance);
}

/* ---- Along an axis ---- */

static bool plan_along(struct graph *g, struct node *n)
{
    int a = pick(g, n->row->type[0], n->row->domain[0][0], n->row->domain[0][1]);
    if (a < 0 || g->node[a].shape.rank == 0 || g->node[a].n == 0)
        return false;
    n->dtype = n->row->result;
    n->in[n->inputs++] = a;
    n->shape = g->node[a].shape;
    n->axis = (int)draw(g, 2 * n->shape.rank) - n->shape.rank;
    n->flag[0] = draw(g, 2);
    n->flag[1] = draw(g, 2);
    return true;
}

static int axis_of(const struct node *n, int rank) { return n->axis < 0 ? n->axis + rank : n->axis; }

static int64_t stride_after(const ls_shape *shape, int axis)
{
    int64_t stride = 1;
    for (int d = axis + 1; d < shape->rank; d++)
        stride *= shape->dim[d];
    return stride;
}

static void eval_along(const struct node *n, const struct array *in, struct array *out)
{
    int axis = axis_of(n, in->shape.rank);
    int64_t stride = stride_after(&in->shape, axis), count = in->shape.dim[axis];
    for (int64_t i = 0; i < in->n; i++) {
        double x[MOST_ELEMENTS], y[MOST_ELEMENTS];
        if (i / stride % count != 0)
            continue;
        for (int64_t k = 0; k < count; k++)
            x[k] = in->x[i + k * stride];
        n->row->along(n, x, count, y);
        for (int64_t k = 0; k < count; k++)
            out->x[i + k * stride] = y[k];
    }
}

/* Stable, by insertion; flag: descending. */
static void argsort(const struct node *node, const double *x, int64_t n, double *order)
{
    double sign = node->flag[0] ? -1 : 1;
    for (int64_t i = 0; i < n; i++) {
        int64_t k = i;
        for (; k > 0 && above(sign * (x[(int64_t)order[k - 1]] - x[i])); k--)
            order[k] = order[k - 1];
        order[k] = (double)i;
    }
}

static void sort(const struct node *node, const double *x, int64_t n, double *y)
{
    argsort(node, x, n, y);
    for (int64_t i = 0; i < n; i++)
        y[i] = x[(int64_t)y[i]];
}

/* flags: exclusive, reverse. */
static void cumsum(const struct node *node, const double *x, int64_t n, double *y)
{
    double sum = 0;
    for (int64_t k = 0; k < n; k++) {
        int64_t i = node->flag[1] ? n - 1 - k : k;
        y[i] = node->flag[0] ? sum : sum + x[i];
        sum += x[i];
    }
}

static void cumprod(const struct node *node, const double *x, int64_t n, double *y)
{
    double product = 1;
    for (int64_t k = 0; k < n; k++) {
        int64_t i = node->flag[1] ? n - 1 - k : k;
        y[i] = node->flag[0] ? product : product * x[i];
        product *= x[i];
    }
}

static void log_softmax(const struct node *node, const double *x, int64_t n, double *y)
{
    (void)node;
    for (int64_t i = 0; i < n; i++)
        y[i] = x[i] - log_of_sum(x, n);
}

static void softmax(const struct node *node, const double *x, int64_t n, double *y)
{
    log_softmax(node, x, n, y);
    for (int64_t i = 0; i < n; i++)
        y[i] = exp(y[i]);
}

/* ---- The position of an extreme ---- */

static bool plan_position(struct graph *g, struct node *n)
{
    if (!plan_along(g, n))
        return false;
    n->dtype = LS_INT32;
    int axis = axis_of(n, n->shape.rank);
    n->shape.rank--;
    for (int d = axis; d < n->shape.rank; d++)
        n->shape.dim[d] = n->shape.dim[d + 1];
    return true;
}

static void eval_position(const struct node *n, const struct array *in, struct array *out)
{
    int axis = axis_of(n, in->shape.rank);
    int64_t stride = stride_after(&in->shape, axis), count = in->shape.dim[axis];
    for (int64_t o = 0; o < out->n; o++) {
        double x[MOST_ELEMENTS];
        for (int64_t k = 0; k < count; k++)
            x[k] = in->x[o / stride * stride * count + o % stride + k * stride];
        out->x[o] = (double)largest(x, count, n->row->domain[1][0]);
    }
}

static ls_tensor call_argmax(const struct node *n, const ls_tensor *in) { return ls_argmax(in[0], n->axis); }
static ls_tensor call_argmin(const struct node *n, const ls_tensor *in) { return ls_argmin(in[0], n->axis); }

/* ---- The rows: first what each calls and computes, then each ---- */

#define REDUCE(op, expression, low, high, fewest, f)                         \
    static double reduce_##op(const double *x, int64_t n) { return f; }      \
    static ls_tensor call_##op(const struct node *node, const ls_tensor *in) \
    {                                                                        \
        ls_tensor a = in[0];                                                 \
        const int *axes = node->with_axes ? node->axes : NULL;               \
        int count = node->count;                                             \
        bool keepdims = node->flag[0];                                       \
        return expression;                                                   \
    }
#define ALONG(op, expression, low, high, function)                           \
    static ls_tensor call_##op(const struct node *node, const ls_tensor *in) \
    {                                                                        \
        ls_tensor a = in[0];                                                 \
        int axis = node->axis;                                               \
        return expression;                                                   \
    }
#define EXTREME      REDUCE
#define WHOLE_REDUCE REDUCE
#define LOGIC_REDUCE REDUCE
#define COUNT        REDUCE
#define ORDER        ALONG
#define PLACES       ALONG
#define WHOLE_ALONG  ALONG
#include "graphs_reduce.def"
#undef REDUCE
#undef ALONG
#undef EXTREME
#undef WHOLE_REDUCE
#undef LOGIC_REDUCE
#undef COUNT
#undef ORDER
#undef PLACES
#undef WHOLE_ALONG

#define REDUCTION(op, expression, low, high, fewest, f, ...)                                                  \
    {.name = #op, .plan = plan_reduce, .eval = eval_reduce, .call = call_##op, .domain = {{low, high}},       \
     .least = fewest, .reduce = reduce_##op, __VA_ARGS__},
#define REDUCE(...)       REDUCTION(__VA_ARGS__, .exact = false)
#define EXTREME(...)      REDUCTION(__VA_ARGS__, .exact = true)
#define WHOLE_REDUCE(...) REDUCTION(__VA_ARGS__, .result = LS_INT32, .type = {LS_INT32})
#define LOGIC_REDUCE(...) REDUCTION(__VA_ARGS__, .result = LS_BOOL, .type = {LS_BOOL})
#define COUNT(...)        REDUCTION(__VA_ARGS__, .result = LS_INT32)
#define LINES(op, expression, low, high, function, ...)                                                       \
    {.name = #op, .plan = plan_along, .eval = eval_along, .call = call_##op, .domain = {{low, high}},         \
     .along = function, __VA_ARGS__},
#define ALONG(...)       LINES(__VA_ARGS__, .exact = false)
#define ORDER(...)       LINES(__VA_ARGS__, .exact = true)
#define PLACES(...)      LINES(__VA_ARGS__, .result = LS_INT32)
#define WHOLE_ALONG(...) LINES(__VA_ARGS__, .result = LS_INT32, .type = {LS_INT32})
const struct row graph_reduce_rows[] = {
#include "graphs_reduce.def"
    /* domain[1][0] of the positions is the sign of the order. */
    {"argmax", plan_position, eval_position, call_argmax, .domain = {{-100, 100}, {1}}},
    {"argmin", plan_position, eval_position, call_argmin, .domain = {{-100, 100}, {-1}}},
    {0},
};
