/* SPDX-License-Identifier: Apache-2.0
 *
 * Ops of random graphs with windows in one to three dimensions, of factors of matrices, and of sequences.
 */
#include <math.h>
#include <string.h>

#include "graphs.h"

/* A new float32 input. */
static bool also(struct graph *g, struct node *n, ls_shape shape, double low, double high)
{
    int i = fresh(g, LS_FLOAT32, shape, low, high);
    n->in[n->inputs++] = i;
    return i >= 0;
}

static bool start(struct graph *g, struct node *n, double low, double high)
{
    int a = pick(g, LS_FLOAT32, low, high);
    n->in[n->inputs++] = a;
    if (a >= 0)
        n->shape = g->node[a].shape;
    return a >= 0;
}

/* ---- Windows over `count` dimensions: size: cells, step: strides, axes: dilations, begin: cells of padding
 * before, size[4…]: after, axis: the padding ---- */

/* A picked array of (batch, …, channels), or else a new one, with a multiple of `groups` channels. */
static bool images(struct graph *g, struct node *n, int64_t groups, double low, double high)
{
    int a = pick(g, LS_FLOAT32, low, high);
    int rank = a >= 0 ? g->node[a].shape.rank : 0;
    if (rank >= 3 && rank <= 5 && g->node[a].n > 0 && g->node[a].shape.dim[rank - 1] % groups == 0) {
        n->in[n->inputs++] = a;
        n->shape = g->node[a].shape;
    } else {
        n->shape = (ls_shape){.rank = 3 + (int)draw(g, 3)};
        n->shape.dim[0] = 1 + draw(g, 2);
        n->shape.dim[n->shape.rank - 1] = groups * (1 + draw(g, 2));
        for (int d = 1; d < n->shape.rank - 1; d++)
            n->shape.dim[d] = g->few_shapes ? 3 : 1 + draw(g, n->shape.rank == 5 ? 3 : 5);
        if (!also(g, n, n->shape, low, high))
            return false;
    }
    n->count = n->shape.rank - 2;
    return true;
}

static int64_t span(const struct node *n, int d) { return n->axes[d] * (n->size[d] - 1) + 1; }

/* Chooses windows, and makes `shape` that of the result. */
static bool windows(struct graph *g, struct node *n, bool of_convolution)
{
    n->axis = (int)draw(g, !of_convolution ? 2 : n->count == 1 ? 4 : 3);
    n->axis = of_convolution && n->count > 1 && n->axis == LS_CAUSAL ? LS_EXPLICIT : n->axis;
    for (int d = 0; d < n->count; d++) {
        int64_t length = n->shape.dim[1 + d];
        n->size[d] = 1 + draw(g, n->count == 3 ? 2 : 3);
        n->step[d] = 1 + draw(g, 2);
        n->axes[d] = of_convolution ? 1 + (int)draw(g, 2) : 1;
        int64_t out = (length + n->step[d] - 1) / n->step[d], missing = (out - 1) * n->step[d] + span(n, d) - length;
        missing = n->axis == LS_CAUSAL ? span(n, d) - 1 : missing > 0 ? missing : 0;
        n->begin[d] = n->axis == LS_SAME       ? missing / 2
                      : n->axis == LS_CAUSAL   ? missing
                      : n->axis == LS_EXPLICIT ? draw(g, 3)
                                               : 0;
        n->size[4 + d] = n->axis == LS_SAME ? missing - missing / 2 : n->axis == LS_EXPLICIT ? draw(g, 3) : 0;
        int64_t padded = length + n->begin[d] + n->size[4 + d];
        if (padded < span(n, d))
            return false;
        n->shape.dim[1 + d] = (padded - span(n, d)) / n->step[d] + 1;
    }
    return true;
}

static int64_t cells_of(const struct node *n)
{
    int64_t cells = 1;
    for (int d = 0; d < n->count; d++)
        cells *= n->size[d];
    return cells;
}

/* at[1…]: from a place of the windows' side to the cell that cell j of its window covers; false: outside `whole`. */
static bool covered(const struct node *n, const ls_shape *whole, int64_t j, int64_t *at)
{
    for (int d = n->count; d-- > 0; j /= n->size[d]) {
        at[1 + d] = at[1 + d] * n->step[d] - n->begin[d] + j % n->size[d] * n->axes[d];
        if (at[1 + d] < 0 || at[1 + d] >= whole->dim[1 + d])
            return false;
    }
    return true;
}

/* The kernel's shape: the windows, then two numbers of channels. */
static ls_shape kernel_shape(const struct node *n, int64_t first, int64_t second)
{
    ls_shape shape = {.rank = n->count + 2};
    memcpy(shape.dim, n->size, (size_t)n->count * sizeof shape.dim[0]);
    shape.dim[n->count] = first;
    shape.dim[n->count + 1] = second;
    return shape;
}

/* flag: depthwise; size[3]: groups. */
static bool plan_convolution(struct graph *g, struct node *n)
{
    n->flag[0] = draw(g, 3) == 0;
    int64_t groups = n->flag[0] || draw(g, 2) ? 1 : 2;
    if (!images(g, n, groups, -4, 4) || !windows(g, n, true))
        return false;
    n->size[3] = groups;
    int64_t *channels = &n->shape.dim[n->shape.rank - 1], given = *channels, each = 1 + draw(g, 2);
    *channels = n->flag[0] ? given * each : groups * each;
    ls_shape kernel = n->flag[0] ? kernel_shape(n, given, each) : kernel_shape(n, given / groups, *channels);
    return also(g, n, kernel, -2, 2) && (draw(g, 2) || also(g, n, LS_SHAPE(*channels), -2, 2));
}

static void eval_convolution(const struct node *n, const struct array *in, struct array *out)
{
    int last = n->shape.rank - 1;
    int64_t filters = out->shape.dim[last], channels = in[0].shape.dim[last];
    int64_t groups = n->flag[0] ? channels : n->size[3], mine = channels / groups, each = filters / groups;
    for (int64_t o = 0; o < out->n; o++) {
        int64_t f = o % filters;
        double sum = n->inputs > 2 ? in[2].x[f] : 0;
        for (int64_t j = 0; j < cells_of(n); j++) {
            int64_t at[LS_MAX_RANK];
            coordinates_of(&out->shape, o, at);
            for (int64_t c = 0; covered(n, &in[0].shape, j, at) && c < mine; c++) {
                at[last] = f / each * mine + c;
                int64_t k = n->flag[0] ? j * filters + f : (j * mine + c) * filters + f;
                sum += in[0].x[index_of(&in[0].shape, at)] * in[1].x[k];
                coordinates_of(&out->shape, o, at);
            }
        }
        out->x[o] = sum;
    }
}

static ls_tensor call_convolution(const struct node *n, const ls_tensor *in)
{
    ls_conv_options options = {.input = in[0], .kernel = in[1], .padding = (ls_padding)n->axis};
    if (n->inputs > 2)
        options.bias = in[2];
    options.groups = n->flag[0] ? 0 : n->size[3];
    for (int d = 0; d < n->count; d++) {
        options.strides[d] = n->step[d];
        options.dilations[d] = n->axes[d];
        options.pads[d][0] = n->axis == LS_EXPLICIT ? n->begin[d] : 0;
        options.pads[d][1] = n->axis == LS_EXPLICIT ? n->size[4 + d] : 0;
    }
    return n->flag[0] ? ls_depthwise_conv_with(&options) : ls_conv_with(&options);
}

/* flag: with output_padding, in size[4…]. */
static bool plan_transposed(struct graph *g, struct node *n)
{
    if (!images(g, n, 1, -4, 4))
        return false;
    ls_shape given = n->shape;
    int64_t filters = 1 + draw(g, 2), channels = given.dim[given.rank - 1];
    n->axis = (int)draw(g, 2);
    n->flag[0] = draw(g, 2);
    for (int d = 0; d < n->count; d++) {
        int64_t in = given.dim[1 + d], *out = &n->shape.dim[1 + d];
        n->size[d] = 1 + draw(g, n->count == 3 ? 2 : 3);
        n->step[d] = 1 + draw(g, 2);
        n->axes[d] = 1 + (int)draw(g, 2);
        int64_t s = span(n, d), extra = n->flag[0] ? draw(g, n->step[d]) : n->step[d] > s ? n->step[d] - s : 0;
        n->size[4 + d] = extra;
        *out = (in - 1) * n->step[d] + s + extra;
        if (n->axis == LS_SAME)
            *out = n->flag[0] ? (in - 1) * n->step[d] + s % 2 + extra : in * n->step[d];
        int64_t missing = (in - 1) * n->step[d] + s - *out;
        n->begin[d] = n->axis == LS_SAME && missing > 0 ? missing / 2 : 0;
        if (*out < 1)
            return false;
    }
    n->shape.dim[n->shape.rank - 1] = filters;
    return elements_of(&n->shape) <= MOST_ELEMENTS && also(g, n, kernel_shape(n, filters, channels), -2, 2) &&
           (draw(g, 2) || also(g, n, LS_SHAPE(filters), -2, 2));
}

static void eval_transposed(const struct node *n, const struct array *in, struct array *out)
{
    int last = n->shape.rank - 1;
    int64_t filters = out->shape.dim[last], channels = in[0].shape.dim[last];
    for (int64_t o = 0; o < out->n; o++)
        out->x[o] = n->inputs > 2 ? in[2].x[o % filters] : 0;
    for (int64_t i = 0; i < in[0].n; i++) {
        for (int64_t j = 0; j < cells_of(n); j++) {
            int64_t at[LS_MAX_RANK], c = i % channels;
            coordinates_of(&in[0].shape, i, at);
            if (!covered(n, &out->shape, j, at))
                continue;
            for (int64_t f = 0; f < filters; f++) {
                at[last] = f;
                out->x[index_of(&out->shape, at)] += in[0].x[i] * in[1].x[(j * filters + f) * channels + c];
            }
        }
    }
}

static ls_tensor call_transposed(const struct node *n, const ls_tensor *in)
{
    ls_conv_transpose_options options = {.input = in[0], .kernel = in[1], .padding = (ls_padding)n->axis};
    if (n->inputs > 2)
        options.bias = in[2];
    for (int d = 0; d < n->count; d++) {
        options.strides[d] = n->step[d];
        options.dilations[d] = n->axes[d];
    }
    options.output_padding = n->flag[0] ? n->size + 4 : NULL;
    return ls_conv_transpose_with(&options);
}

/* flag[0]: the mean, not the largest. */
static double pooled(const struct node *n, const double *x, int64_t count)
{
    double sum = 0, most = 0;
    for (int64_t i = 0; i < count; i++) {
        sum += x[i];
        most = i == 0 || (!n->flag[0] && above(x[i] - most)) ? x[i] : most;
    }
    return n->flag[0] ? sum / (double)count : most;
}

static bool plan_pooling(struct graph *g, struct node *n)
{
    n->flag[0] = draw(g, 2);
    return images(g, n, 1, -20, 20) && windows(g, n, false);
}

static void eval_pooling(const struct node *n, const struct array *in, struct array *out)
{
    for (int64_t o = 0; o < out->n; o++) {
        double x[MOST_ELEMENTS];
        int64_t at[LS_MAX_RANK], count = 0;
        for (int64_t j = 0; j < cells_of(n); j++) {
            coordinates_of(&out->shape, o, at);
            if (covered(n, &in->shape, j, at))
                x[count++] = in->x[index_of(&in->shape, at)];
        }
        out->x[o] = pooled(n, x, count);
    }
}

static ls_tensor call_pooling(const struct node *n, const ls_tensor *in)
{
    ls_pool_options options = {.input = in[0], .padding = (ls_padding)n->axis};
    memcpy(options.pool_size, n->size, sizeof options.pool_size);
    memcpy(options.strides, n->step, sizeof options.strides);
    return n->flag[0] ? ls_average_pool_with(&options) : ls_max_pool_with(&options);
}

/* To size[…] cells; flag[1]: to one cell, whose dimensions are dropped. */
static bool plan_adaptive(struct graph *g, struct node *n)
{
    n->flag[0] = draw(g, 2);
    n->flag[1] = draw(g, 3) == 0;
    if (!images(g, n, 1, -20, 20))
        return false;
    for (int d = 0; d < n->count; d++)
        n->size[d] = n->shape.dim[1 + d] = n->flag[1] ? 1 : 1 + draw(g, 4);
    if (n->flag[1])
        n->shape = LS_SHAPE(n->shape.dim[0], n->shape.dim[n->shape.rank - 1]);
    return true;
}

static void eval_adaptive(const struct node *n, const struct array *in, struct array *out)
{
    ls_shape windows = in->shape;
    memcpy(windows.dim + 1, n->size, (size_t)n->count * sizeof windows.dim[0]);
    for (int64_t o = 0; o < out->n; o++) {
        double x[MOST_ELEMENTS];
        int64_t at[LS_MAX_RANK], here[LS_MAX_RANK], count = 0;
        coordinates_of(&windows, o, at);
        for (int64_t i = 0; i < in->n; i++) {
            coordinates_of(&in->shape, i, here);
            bool inside = here[0] == at[0] && here[n->count + 1] == at[n->count + 1];
            for (int d = 0; d < n->count; d++) {
                int64_t length = in->shape.dim[1 + d], a = at[1 + d], b = a + 1, m = n->size[d];
                inside = inside && here[1 + d] >= a * length / m && here[1 + d] < (b * length + m - 1) / m;
            }
            if (inside)
                x[count++] = in->x[i];
        }
        out->x[o] = pooled(n, x, count);
    }
}

static ls_tensor call_adaptive(const struct node *n, const ls_tensor *in)
{
    if (n->flag[1])
        return n->flag[0] ? ls_global_average_pool(in[0], false) : ls_global_max_pool(in[0], false);
    return n->flag[0] ? ls_adaptive_average_pool(in[0], n->size) : ls_adaptive_max_pool(in[0], n->size);
}

/* flag: bilinear. */
static bool plan_resize(struct graph *g, struct node *n)
{
    n->flag[0] = draw(g, 2);
    if (!images(g, n, 1, -20, 20) || n->shape.rank != 4)
        return false;
    n->shape.dim[1] = 1 + draw(g, 5);
    n->shape.dim[2] = 1 + draw(g, 5);
    return elements_of(&n->shape) <= MOST_ELEMENTS;
}

static void eval_resize(const struct node *n, const struct array *in, struct array *out)
{
    for (int64_t o = 0; o < out->n; o++) {
        int64_t at[LS_MAX_RANK], low[2], high[2];
        double weight[2], sum = 0;
        coordinates_of(&out->shape, o, at);
        for (int d = 0; d < 2; d++) {
            int64_t length = in->shape.dim[1 + d];
            double centre = ((double)at[1 + d] + 0.5) * (double)length / (double)out->shape.dim[1 + d];
            double place = n->flag[0] ? centre - 0.5 : floor(centre);
            weight[d] = place - floor(place);
            low[d] = place < 0 ? 0 : (int64_t)floor(place);
            high[d] = (int64_t)floor(place) + 1 < length ? (int64_t)floor(place) + 1 : length - 1;
            high[d] = weight[d] == 0 ? low[d] : high[d];
        }
        for (int corner = 0; corner < 4; corner++) {
            bool down = corner & 1, right = corner & 2;
            at[1] = down ? high[0] : low[0];
            at[2] = right ? high[1] : low[1];
            sum += (down ? weight[0] : 1 - weight[0]) * (right ? weight[1] : 1 - weight[1]) *
                   in->x[index_of(&in->shape, at)];
        }
        out->x[o] = sum;
    }
}

static ls_tensor call_resize(const struct node *n, const ls_tensor *in)
{
    return n->flag[0] ? ls_resize_bilinear(in[0], n->shape.dim[1], n->shape.dim[2])
                      : ls_resize_nearest(in[0], n->shape.dim[1], n->shape.dim[2]);
}

/* ---- Normalization of channels: by given moments (flag[0]: with offset, else with scale), or by groups ---- */

static bool plan_batch_norm(struct graph *g, struct node *n)
{
    n->flag[0] = draw(g, 2);
    if (!start(g, n, -4, 4) || n->shape.rank == 0)
        return false;
    ls_shape channels = LS_SHAPE(n->shape.dim[n->shape.rank - 1]);
    return also(g, n, channels, -2, 2) && also(g, n, channels, 0.25, 2) && also(g, n, channels, -2, 2);
}

static void eval_batch_norm(const struct node *n, const struct array *in, struct array *out)
{
    int64_t channels = in[1].n;
    for (int64_t o = 0; o < out->n; o++) {
        int64_t c = o % channels;
        double y = (in[0].x[o] - in[1].x[c]) / sqrt(in[2].x[c] + 0.25);
        out->x[o] = n->flag[0] ? y + in[3].x[c] : y * in[3].x[c];
    }
}

static ls_tensor call_batch_norm(const struct node *n, const ls_tensor *in)
{
    ls_tensor nil = {0};
    return ls_batch_normalization(in[0], in[1], in[2], n->flag[0] ? in[3] : nil, n->flag[0] ? nil : in[3], 0.25f);
}

static bool plan_group_norm(struct graph *g, struct node *n)
{
    n->size[3] = 1 + draw(g, 2);
    if (!images(g, n, n->size[3], -4, 4))
        return false;
    ls_shape channels = LS_SHAPE(n->shape.dim[n->shape.rank - 1]);
    return also(g, n, channels, 0.25, 2) && also(g, n, channels, -2, 2);
}

static void eval_group_norm(const struct node *n, const struct array *in, struct array *out)
{
    int64_t channels = in[1].n, each = channels / n->size[3], sample = out->n / n->shape.dim[0];
    double count = (double)(sample / channels * each);
    for (int64_t o = 0; o < out->n; o++) {
        const double *x = in[0].x + o / sample * sample;
        int64_t group = o % channels / each;
        double mean = 0, variance = 0;
        for (int64_t i = 0; i < sample; i++)
            mean += i % channels / each == group ? x[i] / count : 0;
        for (int64_t i = 0; i < sample; i++)
            variance += i % channels / each == group ? (x[i] - mean) * (x[i] - mean) / count : 0;
        out->x[o] = (in[0].x[o] - mean) / sqrt(variance + 0.5) * in[1].x[o % channels] + in[2].x[o % channels];
    }
}

static ls_tensor call_group_norm(const struct node *n, const ls_tensor *in)
{
    return ls_group_normalization(in[0], n->size[3], in[1], in[2], 0.5f);
}

/* ---- Factors: of m m^T + 2 1, and solutions with m + 3 1 (flags: upper, transposed) ---- */

static bool plan_cholesky(struct graph *g, struct node *n)
{
    n->shape = draw(g, 2) ? LS_SHAPE(2, 1, 1) : LS_SHAPE(1, 1);
    n->shape.dim[n->shape.rank - 1] = n->shape.dim[n->shape.rank - 2] = g->few_shapes ? 3 : 1 + draw(g, 5);
    return also(g, n, n->shape, -1, 1);
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
    return also(g, n, n->shape, -2, 2);
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
    return also(g, n, shape_of_term(n, equations[n->axis].a), -2, 2) &&
           (!equations[n->axis].b || also(g, n, shape_of_term(n, equations[n->axis].b), -2, 2));
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
    return also(g, n, LS_SHAPE(length), -2, 2) && also(g, n, LS_SHAPE(other), -2, 2);
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

/* ---- Pieces: begin[0]: which one counts, size[0]: where it begins; flag[0]: unstacked ---- */

static bool plan_piece(struct graph *g, struct node *n)
{
    n->flag[0] = draw(g, 2);
    if (!start(g, n, -100, 100) || n->shape.rank == 0)
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

/* ---- The order of dimensions: axis, axes[0]: from where to where; flags: exchanged; without those of size 1 ---- */

static bool plan_order(struct graph *g, struct node *n)
{
    if (!start(g, n, -100, 100) || n->shape.rank == 0)
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

/* ---- The largest elements of the last axis ---- */

static bool plan_top(struct graph *g, struct node *n)
{
    if (!start(g, n, -100, 100) || n->shape.rank == 0 || n->shape.dim[n->shape.rank - 1] == 0)
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

/* ---- Rows of a table by ids; a grid of two vectors, flag: the second ---- */

static bool plan_embedding(struct graph *g, struct node *n)
{
    ls_shape table = LS_SHAPE(3, 1 + draw(g, 4)), ids = random_shape(g, (int)draw(g, 3));
    n->shape = ids;
    n->shape.dim[n->shape.rank++] = table.dim[1];
    if (!also(g, n, table, -3, 3))
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

static bool plan_grid(struct graph *g, struct node *n)
{
    ls_shape a = random_shape(g, 1), b = random_shape(g, 1);
    n->flag[0] = draw(g, 2);
    n->shape = LS_SHAPE(a.dim[0], b.dim[0]);
    return also(g, n, a, -3, 3) && also(g, n, b, -3, 3);
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

/* ---- CTC, by the sum over alignments: labels, logits, the length of the labels, of the logits ---- */

static bool plan_ctc(struct graph *g, struct node *n)
{
    int64_t batch = 1 + draw(g, 2), length = 1 + draw(g, 2), time = 3 + draw(g, 2);
    if (g->few_shapes || draw(g, 2))
        return false; /* some 15 ops per step of time */
    int labels = fresh(g, LS_INT32, LS_SHAPE(batch, length), 1, 3);
    n->in[n->inputs++] = labels;
    n->shape = LS_SHAPE(batch);
    if (labels < 0 || !also(g, n, LS_SHAPE(batch, time, 3), -1, 1))
        return false;
    n->in[2] = fresh(g, LS_INT32, n->shape, 1, (double)length + 1);
    n->in[3] = n->in[2] < 0 ? -1 : fresh(g, LS_INT32, n->shape, 3, 4);
    n->inputs = 4;
    return n->in[3] >= 0;
}

/* The probability that the steps from t on spell the labels from l on, after the class `before`. */
static double spelled(const double *p, int64_t t, int64_t time, const double *labels, int64_t l, int64_t length,
                      int64_t before)
{
    double sum = 0;
    if (t == time)
        return l == length;
    for (int64_t c = 0; c < 3; c++) {
        bool next = l < length && c == (int64_t)labels[l] && c != before;
        if (c == 0 || c == before)
            sum += p[t * 3 + c] * spelled(p, t + 1, time, labels, l, length, c);
        else if (next)
            sum += p[t * 3 + c] * spelled(p, t + 1, time, labels, l + 1, length, c);
    }
    return sum;
}

static void eval_ctc(const struct node *n, const struct array *in, struct array *out)
{
    int64_t length = in[0].shape.dim[1], time = in[1].shape.dim[1];
    for (int64_t b = 0; b < n->shape.dim[0]; b++) {
        double p[32];
        for (int64_t t = 0; t < time; t++) {
            const double *x = in[1].x + (b * time + t) * 3;
            double sum = exp(x[0]) + exp(x[1]) + exp(x[2]);
            for (int c = 0; c < 3; c++)
                p[t * 3 + c] = exp(x[c]) / sum;
        }
        out->x[b] = -log(spelled(p, 0, (int64_t)in[3].x[b], in[0].x + b * length, 0, (int64_t)in[2].x[b], 0));
    }
}

static ls_tensor call_ctc(const struct node *n, const ls_tensor *in)
{
    (void)n;
    return ls_ctc_loss(in[0], in[1], in[2], in[3], 0);
}

const struct row graph_network_rows[] = {
    {"convolution, depthwise", plan_convolution, eval_convolution, call_convolution},
    {"conv_transpose", plan_transposed, eval_transposed, call_transposed},
    {"pooling", plan_pooling, eval_pooling, call_pooling},
    {"adaptive, global pool", plan_adaptive, eval_adaptive, call_adaptive},
    {"resize", plan_resize, eval_resize, call_resize},
    {"batch_normalization", plan_batch_norm, eval_batch_norm, call_batch_norm},
    {"group_normalization", plan_group_norm, eval_group_norm, call_group_norm},
    {"cholesky", plan_cholesky, eval_cholesky, call_cholesky},
    {"triangular_solve", plan_solve, eval_solve, call_solve},
    {"einsum", plan_equation, eval_equation, call_equation},
    {"dot, outer", plan_vectors, eval_vectors, call_vectors},
    {"split, unstack", plan_piece, eval_piece, call_piece, .exact = true},
    {"swapaxes, moveaxis, squeeze", plan_order, eval_order, call_order, .exact = true},
    {"top_k", plan_top, eval_top, call_top, .exact = true},
    {"embedding_lookup", plan_embedding, eval_embedding, call_embedding, .exact = true},
    {"meshgrid", plan_grid, eval_grid, call_grid, .exact = true},
    {"ctc_loss", plan_ctc, eval_ctc, call_ctc},
};

const int graph_network_count = sizeof graph_network_rows / sizeof *graph_network_rows;
