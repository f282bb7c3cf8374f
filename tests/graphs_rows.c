/* SPDX-License-Identifier: Apache-2.0
 *
 * The ops of random graphs: how inputs and attributes are chosen, the value in double, the call.
 */
#include <math.h>
#include <string.h>

#include "graphs.h"

/* ---- Elementwise ---- */

/* A shape that broadcasts with `whole`: some sizes become 1, some leading dimensions go. */
static ls_shape thinner(struct graph *g, ls_shape whole)
{
    int drop = whole.rank > 0 ? (int)draw(g, whole.rank + 1) * (draw(g, 2) == 0) : 0;
    ls_shape shape = {.rank = whole.rank - drop};
    for (int d = 0; d < shape.rank; d++)
        shape.dim[d] = draw(g, 3) == 0 ? 1 : whole.dim[d + drop];
    return shape;
}

/* Inputs of the types and intervals of the row, which broadcast. */
bool graph_plan_elementwise(struct graph *g, struct node *n)
{
    const struct row *row = n->row;
    n->inputs = row->inputs;
    n->dtype = row->result;
    for (int k = 0; k < n->inputs; k++) {
        const double *domain = row->domain[k];
        ls_shape joined;
        int i = -1;
        for (int attempt = 0; attempt < 4 && i < 0; attempt++) {
            i = pick(g, row->type[k], domain[0], domain[1]);
            if (i >= 0 && k > 0 && !broadcast(&n->shape, &g->node[i].shape, &joined))
                i = -1;
        }
        if (i < 0 && k > 0)
            i = fresh(g, row->type[k], thinner(g, n->shape), domain[0], domain[1]);
        if (i < 0 || (k > 0 && !broadcast(&n->shape, &g->node[i].shape, &joined)))
            return false;
        n->shape = k > 0 ? joined : g->node[i].shape;
        n->in[k] = i;
    }
    return true;
}

void graph_eval_elementwise(const struct node *n, const struct array *in, struct array *out)
{
    for (int64_t i = 0; i < out->n; i++) {
        double x[3] = {0};
        for (int k = 0; k < n->inputs; k++)
            x[k] = in[k].x[broadcast_index(&out->shape, i, &in[k].shape)];
        out->x[i] = n->row->formula(x[0], x[1], x[2]);
    }
}

double graph_floor(double t) { return stair(floor(t), fmin(t - floor(t), floor(t) + 1 - t)); }

/* By Newton's method. */
double graph_inverse_erf(double y)
{
    double x = y;
    for (int i = 0; i < 12; i++)
        x -= (erf(x) - y) * exp(x * x) * sqrt(acos(-1)) / 2;
    return x;
}

/* ---- Reductions ---- */

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

/* ---- Shapes ---- */

static void eval_same_order(const struct node *n, const struct array *in, struct array *out)
{
    (void)n;
    memcpy(out->x, in->x, (size_t)out->n * sizeof *out->x);
}

static bool plan_any(struct graph *g, struct node *n)
{
    int a = pick(g, LS_FLOAT32, -100, 100);
    n->in[n->inputs++] = a;
    if (a >= 0)
        n->shape = g->node[a].shape;
    return a >= 0;
}

/* Another factorization of the size; sometimes one dimension is left to be inferred. */
static bool plan_reshape(struct graph *g, struct node *n)
{
    if (!plan_any(g, n))
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
    if (!plan_any(g, n) || n->shape.rank > 4)
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
    if (!plan_any(g, n))
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
    if (!plan_any(g, n) || n->shape.rank > 4)
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
    if (!plan_any(g, n))
        return false;
    for (int64_t i = 0; i < g->node[n->in[0]].n; i++)
        if (fabs(g->value[n->in[0]][i]) > 20)
            return false;
    n->shape = thinner(g, n->shape);
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
    if (!plan_any(g, n))
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
    if (!plan_any(g, n))
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
    if (!plan_any(g, n) || n->shape.rank == 0)
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
        ls_shape shape = thinner(g, batch_a);
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

/* ---- By index ---- */

/* in: table, indices; the shape of both, the axis replaced by that of the indices. */
static bool plan_gather(struct graph *g, struct node *n)
{
    if (!plan_any(g, n) || n->shape.rank == 0 || n->shape.rank > 4)
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

/* in: logits, labels that are made to fit. */
static bool plan_cross_entropy(struct graph *g, struct node *n)
{
    int a = pick(g, LS_FLOAT32, -1, 1);
    if (a < 0 || g->node[a].shape.rank == 0 || g->node[a].n == 0)
        return false;
    n->in[n->inputs++] = a;
    n->shape = g->node[a].shape;
    int64_t classes = n->shape.dim[--n->shape.rank];
    int labels = fresh(g, LS_INT32, n->shape, 0, (double)(classes < 3 ? classes : 3));
    n->in[n->inputs++] = labels;
    return labels >= 0;
}

static void eval_cross_entropy(const struct node *n, const struct array *in, struct array *out)
{
    (void)n;
    int64_t classes = in[0].shape.dim[in[0].shape.rank - 1];
    for (int64_t o = 0; o < out->n; o++)
        out->x[o] = log_of_sum(in[0].x + o * classes, classes) - in[0].x[o * classes + (int64_t)in[1].x[o]];
}

static ls_tensor call_cross_entropy(const struct node *n, const ls_tensor *in)
{
    (void)n;
    return ls_sparse_softmax_cross_entropy(in[1], in[0]);
}

/* ---- Between types ---- */

static double as_it_is(double a, double b, double c)
{
    (void)b, (void)c;
    return a;
}

static double chosen(double a, double b, double c) { return a != 0 ? b : c; }
static double negated(double a, double b, double c)
{
    (void)b, (void)c;
    return a == 0;
}

static ls_tensor call_to_float(const struct node *n, const ls_tensor *in)
{
    (void)n;
    return ls_cast(in[0], LS_FLOAT32);
}

static ls_tensor call_to_int(const struct node *n, const ls_tensor *in)
{
    (void)n;
    return ls_cast(in[0], LS_INT32);
}

static double towards_zero(double a, double b, double c)
{
    (void)b, (void)c;
    return stair(trunc(a), fmin(a - floor(a), floor(a) + 1 - a));
}

static ls_tensor call_where(const struct node *n, const ls_tensor *in)
{
    (void)n;
    return ls_where(in[0], in[1], in[2]);
}

static ls_tensor call_not(const struct node *n, const ls_tensor *in)
{
    (void)n;
    return ls_logical_not(in[0]);
}

/* ---- The rows ---- */

#define ELEMENTWISE(op, expression, f, ...)                                                \
    static double formula_##op(double a, double b, double c)                               \
    {                                                                                      \
        (void)a, (void)b, (void)c;                                                         \
        return f;                                                                          \
    }                                                                                      \
    static ls_tensor call_##op(const struct node *n, const ls_tensor *in)                  \
    {                                                                                      \
        ls_tensor a = in[0], b = n->inputs > 1 ? in[1] : a, c = n->inputs > 2 ? in[2] : a; \
        (void)a, (void)b, (void)c;                                                         \
        return expression;                                                                 \
    }                                                                                      \
    static const struct row row_##op = {.name = #op,                                       \
                                        .plan = graph_plan_elementwise,                          \
                                        .eval = graph_eval_elementwise,                          \
                                        .call = call_##op,                                 \
                                        .formula = formula_##op,                           \
                                        __VA_ARGS__};
#define ONE(op, call, low, high, f)    ELEMENTWISE(op, call, f, .inputs = 1, .domain = {{low, high}})
#define CHOOSE(op, call, low, high, f) ELEMENTWISE(op, call, f, .inputs = 1, .domain = {{low, high}}, .exact = true)
#define FROZEN(op, call, low, high, f) \
    ELEMENTWISE(op, call, f, .inputs = 1, .domain = {{low, high}}, .exact = true, .frozen = true)
#define CHOOSE2(op, call, la, ha, lb, hb, f) \
    ELEMENTWISE(op, call, f, .inputs = 2, .domain = {{la, ha}, {lb, hb}}, .exact = true)
#define TWO(op, call, la, ha, lb, hb, f) ELEMENTWISE(op, call, f, .inputs = 2, .domain = {{la, ha}, {lb, hb}})
#define THREE(op, call, la, ha, lb, hb, lc, hc, f) \
    ELEMENTWISE(op, call, f, .inputs = 3, .domain = {{la, ha}, {lb, hb}, {lc, hc}})
#define TEST(op, call, f)  ELEMENTWISE(op, call, f, .inputs = 2, .result = LS_BOOL, .domain = {{-100, 100}, {-100, 100}})
#define TEST1(op, call, f) ELEMENTWISE(op, call, f, .inputs = 1, .result = LS_BOOL, .domain = {{-100, 100}})
#define LOGIC(op, call, f) \
    ELEMENTWISE(op, call, f, .inputs = 2, .result = LS_BOOL, .type = {LS_BOOL, LS_BOOL}, .domain = {{0, 2}, {0, 2}})
#define WHOLE(op, call, f)                                                                  \
    ELEMENTWISE(op, call, f, .inputs = 2, .result = LS_INT32, .type = {LS_INT32, LS_INT32}, \
                .domain = {{-100, 100}, {-100, 100}})
#define WHOLE1(op, call, f) \
    ELEMENTWISE(op, call, f, .inputs = 1, .result = LS_INT32, .type = {LS_INT32}, .domain = {{-100, 100}})
#define WHOLE_TEST(op, call, f)                                                            \
    ELEMENTWISE(op, call, f, .inputs = 2, .result = LS_BOOL, .type = {LS_INT32, LS_INT32}, \
                .domain = {{-100, 100}, {-100, 100}})
#define REDUCTION(op, expression, low, high, fewest, f, ...)                 \
    static double reduce_##op(const double *x, int64_t n) { return f; }      \
    static ls_tensor call_##op(const struct node *node, const ls_tensor *in) \
    {                                                                        \
        ls_tensor a = in[0];                                                 \
        const int *axes = node->with_axes ? node->axes : NULL;               \
        int count = node->count;                                             \
        bool keepdims = node->flag[0];                                       \
        return expression;                                                   \
    }                                                                        \
    static const struct row row_##op = {.name = #op,                         \
                                        .plan = plan_reduce,                 \
                                        .eval = eval_reduce,                 \
                                        .call = call_##op,                   \
                                        .domain = {{low, high}},             \
                                        .least = fewest,                     \
                                        .reduce = reduce_##op,               \
                                        __VA_ARGS__};
#define REDUCE(...)       REDUCTION(__VA_ARGS__, .exact = false)
#define EXTREME(...)      REDUCTION(__VA_ARGS__, .exact = true)
#define WHOLE_REDUCE(...) REDUCTION(__VA_ARGS__, .result = LS_INT32, .type = {LS_INT32})
#define LOGIC_REDUCE(...) REDUCTION(__VA_ARGS__, .result = LS_BOOL, .type = {LS_BOOL})
#define COUNT(...)        REDUCTION(__VA_ARGS__, .result = LS_INT32)
#define LINES(op, expression, low, high, function, ...)                      \
    static ls_tensor call_##op(const struct node *node, const ls_tensor *in) \
    {                                                                        \
        ls_tensor a = in[0];                                                 \
        int axis = node->axis;                                               \
        return expression;                                                   \
    }                                                                        \
    static const struct row row_##op = {.name = #op,                         \
                                        .plan = plan_along,                  \
                                        .eval = eval_along,                  \
                                        .call = call_##op,                   \
                                        .domain = {{low, high}},             \
                                        .along = function,                   \
                                        __VA_ARGS__};
#define ALONG(...)       LINES(__VA_ARGS__, .exact = false)
#define ORDER(...)       LINES(__VA_ARGS__, .exact = true)
#define PLACES(...)      LINES(__VA_ARGS__, .result = LS_INT32)
#define WHOLE_ALONG(...) LINES(__VA_ARGS__, .result = LS_INT32, .type = {LS_INT32})
#include "graphs_rows.def"
#undef ONE
#undef CHOOSE
#undef CHOOSE2
#undef FROZEN
#undef TWO
#undef THREE
#undef TEST
#undef TEST1
#undef LOGIC
#undef WHOLE
#undef WHOLE1
#undef WHOLE_TEST
#undef REDUCTION
#undef REDUCE
#undef EXTREME
#undef WHOLE_REDUCE
#undef LOGIC_REDUCE
#undef COUNT
#undef LINES
#undef ALONG
#undef ORDER
#undef PLACES
#undef WHOLE_ALONG

/* domain[1][0] of the positions is the sign of the order. */
static const struct row others[] = {
    {"argmax", plan_position, eval_position, call_argmax, .domain = {{-100, 100}, {1}}},
    {"argmin", plan_position, eval_position, call_argmin, .domain = {{-100, 100}, {-1}}},
    {"reshape", plan_reshape, eval_same_order, call_reshape, .exact = true},
    {"expand_dims", plan_expand_dims, eval_same_order, call_expand_dims, .exact = true},
    {"transpose", plan_transpose, eval_transpose, call_transpose, .exact = true},
    {"broadcast_to", plan_broadcast_to, eval_broadcast_to, call_broadcast_to, .exact = true},
    {"sum_to", plan_sum_to, eval_sum_to, call_sum_to},
    {"slice", plan_slice, eval_slice, call_slice, .exact = true},
    {"unslice", plan_unslice, eval_unslice, call_unslice, .exact = true},
    {"concat", plan_concat, eval_concat, call_concat, .exact = true},
    {"matmul", plan_matmul, eval_matmul, call_matmul},
    {"gather", plan_gather, eval_gather, call_gather, .exact = true},
    {"scatter_add", plan_scatter_add, eval_scatter_add, call_scatter_add},
    {"one_hot", plan_one_hot, eval_one_hot, call_one_hot, .exact = true},
    {"sparse_softmax_cross_entropy", plan_cross_entropy, eval_cross_entropy, call_cross_entropy},
    {"cast_bool", graph_plan_elementwise, graph_eval_elementwise, call_to_float, .inputs = 1, .type = {LS_BOOL}, .domain = {{0, 1}},
     .formula = as_it_is, .exact = true},
    {"cast_int", graph_plan_elementwise, graph_eval_elementwise, call_to_float, .inputs = 1, .type = {LS_INT32},
     .domain = {{-100, 100}}, .formula = as_it_is, .exact = true},
    {"cast_to_int", graph_plan_elementwise, graph_eval_elementwise, call_to_int, .inputs = 1, .result = LS_INT32,
     .domain = {{-100, 100}}, .formula = towards_zero},
    {"logical_not", graph_plan_elementwise, graph_eval_elementwise, call_not, .inputs = 1, .result = LS_BOOL, .type = {LS_BOOL},
     .domain = {{0, 1}}, .formula = negated},
    {"where", graph_plan_elementwise, graph_eval_elementwise, call_where, .inputs = 3, .type = {LS_BOOL},
     .domain = {{0, 1}, {-100, 100}, {-100, 100}}, .formula = chosen, .exact = true},
};

#define ADD(op, ...) &row_##op,
#define ONE          ADD
#define CHOOSE       ADD
#define CHOOSE2      ADD
#define FROZEN       ADD
#define TWO          ADD
#define THREE        ADD
#define TEST         ADD
#define TEST1        ADD
#define LOGIC        ADD
#define WHOLE        ADD
#define WHOLE1       ADD
#define WHOLE_TEST   ADD
#define REDUCE       ADD
#define EXTREME      ADD
#define WHOLE_REDUCE ADD
#define LOGIC_REDUCE ADD
#define COUNT        ADD
#define ALONG        ADD
#define ORDER        ADD
#define PLACES       ADD
#define WHOLE_ALONG  ADD
static const struct row *const listed[] = {
#include "graphs_rows.def"
};

enum { LISTED = sizeof listed / sizeof *listed };

enum { HERE = LISTED + sizeof others / sizeof *others };

int graph_written_count(void) { return HERE + graph_more_count + graph_network_count; }
int graph_row_count(void) { return graph_written_count() + graph_derived_count(); }

const struct row *graph_row(int i)
{
    if (i >= graph_written_count())
        return graph_derived_row(i - graph_written_count());
    if (i < HERE)
        return i < LISTED ? listed[i] : &others[i - LISTED];
    i -= HERE;
    return i < graph_more_count ? &graph_more_rows[i] : &graph_network_rows[i - graph_more_count];
}
