/* SPDX-License-Identifier: Apache-2.0
 *
 * Windows over `count` dimensions: size: cells, step: strides, axes: dilations, begin: cells of padding before,
 * size[4…]: after, axis: the padding.
 */
#include <math.h>
#include <string.h>

#include "graphs.h"

bool pick_images(struct graph *g, struct node *n, int64_t groups, double low, double high)
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
        if (!fresh_input(g, n, n->shape, low, high))
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
    if (!pick_images(g, n, groups, -4, 4) || !windows(g, n, true))
        return false;
    n->size[3] = groups;
    int64_t *channels = &n->shape.dim[n->shape.rank - 1], given = *channels, each = 1 + draw(g, 2);
    *channels = n->flag[0] ? given * each : groups * each;
    ls_shape kernel = n->flag[0] ? kernel_shape(n, given, each) : kernel_shape(n, given / groups, *channels);
    return fresh_input(g, n, kernel, -2, 2) && (draw(g, 2) || fresh_input(g, n, LS_SHAPE(*channels), -2, 2));
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
    if (!pick_images(g, n, 1, -4, 4))
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
    return elements_of(&n->shape) <= MOST_ELEMENTS && fresh_input(g, n, kernel_shape(n, filters, channels), -2, 2) &&
           (draw(g, 2) || fresh_input(g, n, LS_SHAPE(filters), -2, 2));
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
    return pick_images(g, n, 1, -20, 20) && windows(g, n, false);
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
    if (!pick_images(g, n, 1, -20, 20))
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
    if (!pick_images(g, n, 1, -20, 20) || n->shape.rank != 4)
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

const struct row graph_convolution_rows[] = {
    {"convolution, depthwise", plan_convolution, eval_convolution, call_convolution},
    {"conv_transpose", plan_transposed, eval_transposed, call_transposed},
    {"pooling", plan_pooling, eval_pooling, call_pooling},
    {"adaptive, global pool", plan_adaptive, eval_adaptive, call_adaptive},
    {"resize", plan_resize, eval_resize, call_resize},
    {0},
};
