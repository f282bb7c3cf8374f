/* SPDX-License-Identifier: Apache-2.0
 *
 * Normalization, attention and losses.
 */
#include <math.h>
#include <string.h>

#include "graphs.h"

/* ---- Normalization over the axes from `axis` on; flag: only by the root mean square ---- */

static bool plan_normalize(struct graph *g, struct node *n)
{
    if (!pick_input(g, n, -4, 4) || n->shape.rank == 0 || g->node[n->in[0]].n == 0)
        return false;
    n->axis = (int)draw(g, n->shape.rank);
    n->flag[0] = draw(g, 2);
    ls_shape part = {.rank = n->shape.rank - n->axis};
    memcpy(part.dim, n->shape.dim + n->axis, (size_t)part.rank * sizeof part.dim[0]);
    return fresh_input(g, n, part, 0.25, 2) && (n->flag[0] || fresh_input(g, n, part, -2, 2));
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

/* ---- Normalization of channels: by given moments (flag[0]: with offset, else with scale), or by groups ---- */

static bool plan_batch_norm(struct graph *g, struct node *n)
{
    n->flag[0] = draw(g, 2);
    if (!pick_input(g, n, -4, 4) || n->shape.rank == 0)
        return false;
    ls_shape channels = LS_SHAPE(n->shape.dim[n->shape.rank - 1]);
    return fresh_input(g, n, channels, -2, 2) && fresh_input(g, n, channels, 0.25, 2) &&
           fresh_input(g, n, channels, -2, 2);
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
    if (!pick_images(g, n, n->size[3], -4, 4))
        return false;
    ls_shape channels = LS_SHAPE(n->shape.dim[n->shape.rank - 1]);
    return fresh_input(g, n, channels, 0.25, 2) && fresh_input(g, n, channels, -2, 2);
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

/* ---- Attention; flags: causal, scaled by 3/4; a fourth input is the mask ---- */

static bool plan_attention(struct graph *g, struct node *n)
{
    if (!pick_input(g, n, -1, 1) || n->shape.rank < 2 || g->node[n->in[0]].n == 0)
        return false;
    ls_shape key = n->shape, value = n->shape;
    n->flag[0] = draw(g, 2);
    key.dim[key.rank - 2] = value.dim[key.rank - 2] = 1 + draw(g, 4);
    n->shape.dim[n->shape.rank - 1] = value.dim[value.rank - 1] = 1 + draw(g, 4);
    if (!fresh_input(g, n, key, -1, 1) || !fresh_input(g, n, value, -2, 2))
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
            out->x[o] +=
                graph_inside(weight[k], 2 * (row * keys + k) + 1) / sum * in[2].x[(batch * keys + k) * e + o % e];
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

/* ---- Losses: in: labels, logits; flag: of sigmoids ---- */

static double log_of_sum(const double *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += exp(x[i]);
    return log(sum);
}

static bool plan_loss(struct graph *g, struct node *n)
{
    n->flag[0] = draw(g, 2);
    if (!pick_input(g, n, 0, 1) || n->shape.rank == 0 || g->node[n->in[0]].n == 0 || !fresh_input(g, n, n->shape, -1, 1))
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

/* ---- CTC, by the sum over alignments: labels, logits, the length of the labels, of the logits ---- */

static bool plan_ctc(struct graph *g, struct node *n)
{
    int64_t batch = 1 + draw(g, 2), length = 1 + draw(g, 2), time = 3 + draw(g, 2);
    if (g->few_shapes || draw(g, 2))
        return false; /* some 15 ops per step of time */
    int labels = fresh(g, LS_INT32, LS_SHAPE(batch, length), 1, 3);
    n->in[n->inputs++] = labels;
    n->shape = LS_SHAPE(batch);
    if (labels < 0 || !fresh_input(g, n, LS_SHAPE(batch, time, 3), -1, 1))
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
    {"normalization", plan_normalize, eval_normalize, call_normalize},
    {"batch_normalization", plan_batch_norm, eval_batch_norm, call_batch_norm},
    {"group_normalization", plan_group_norm, eval_group_norm, call_group_norm},
    {"attention", plan_attention, eval_attention, call_attention},
    {"cross_entropy", plan_loss, eval_loss, call_loss},
    {"sparse_softmax_cross_entropy", plan_cross_entropy, eval_cross_entropy, call_cross_entropy},
    {"ctc_loss", plan_ctc, eval_ctc, call_ctc},
    {0},
};
