/* SPDX-License-Identifier: Apache-2.0
 *
 * Precision, recall and the area under a curve: true and false positives and negatives at thresholds.
 * All thresholds are compared at once, (thresholds, elements). The rules are those of
 * keras/src/metrics/metrics_utils.py and confusion_metrics.py.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <lockstep/ops.h>

#include "../core/internal.h"
#include "labels.h"
#include "metric.h"

enum { THRESHOLDS, TOP_K, CLASS };          /* integers of precision and recall; CLASS -1: all */
enum { CURVE = 1, SUMMATION = 2 };          /* integers of AUC beside THRESHOLDS */
enum { FROM_LOGITS, EVENLY };               /* numbers: whether; the divisions of [0, 1], 0: none */
enum { TP, FP, TN, FN };                    /* states of AUC */
#define NOT_IN_TOP_K (-1e10f)               /* Keras' NEG_INF */

static ls_tensor number(ls_tensor like, float value) { return ls_scalar(like.context, value); }

/* ---- Counting ---- */

/* Only the k largest of a row stay, the first ones of equals. */
static ls_tensor keep_top_k(ls_tensor p, int k)
{
    ls_shape shape = ls_shape_of_tensor(p);
    int64_t classes = shape.dim[shape.rank - 1];
    ls_tensor rest = p, kept = ls_fill(p.context, shape, NOT_IN_TOP_K);
    for (int i = 0; i < k && i < classes; i++) {
        ls_tensor best = ls_greater(ls_one_hot(ls_argmax(rest, -1), classes), number(p, 0));
        kept = ls_where(best, p, kept);
        rest = ls_where(best, number(p, -INFINITY), rest);
    }
    return kept;
}

static ls_tensor one_class(ls_tensor a, int class_id)
{
    ls_shape shape = ls_shape_of_tensor(a);
    int64_t begin[LS_MAX_RANK] = {0};
    begin[shape.rank - 1] = class_id;
    shape.dim[shape.rank - 1] = 1;
    return ls_slice(a, begin, shape.dim, NULL);
}

/* Weights (batch) of elements (batch, n) belong to the rows. False on an error. */
static bool spread_weight(const ls_metric *metric, ls_tensor *weight, ls_shape shape)
{
    ls_shape given = ls_shape_of_tensor(*weight), joined;
    if (given.rank == shape.rank - 1)
        *weight = ls_expand_dims(*weight, -1);
    else if (given.rank == shape.rank + 1 && given.dim[given.rank - 1] == 1)
        *weight = ls_reshape(*weight, ls_shape_of(shape.rank, given.dim));
    ls_shape now = ls_shape_of_tensor(*weight);
    if (!ls_shape_broadcast(&now, &shape, &joined) || !ls_shape_equal(&joined, &shape)) {
        ls_fail(metric->context, LS_SHAPE_MISMATCH, "metric %s: sample_weight %s does not fit the predictions %s",
                metric->name, ls_text(given).text, ls_text(shape).text);
        return false;
    }
    *weight = ls_broadcast_to(*weight, shape);
    return true;
}

/* What is counted: all in one row, (1, elements). */
struct counts {
    ls_tensor positive;          /* (thresholds, elements) bool: predictions above the threshold */
    ls_tensor is_true, is_false; /* (1, elements) the weight of positive and negative labels, else 0 */
};

static bool compare(const ls_metric *metric, const ls_tensor *in, ls_tensor weight, int top_k, int class_id,
                    struct counts *c)
{
    ls_context *ls = metric->context;
    ls_tensor t = in[0], p = in[1];
    if (!ls_fit_labels(metric->name, &t, &p, false))
        return false;
    ls_shape shape = ls_shape_of_tensor(p);
    if (ls_size(p) == 0)
        return false;
    if (class_id >= 0 && (shape.rank < 2 || class_id >= shape.dim[shape.rank - 1])) {
        ls_fail(ls, LS_OUT_OF_RANGE, "metric %s: class_id %d is no class of predictions %s", metric->name, class_id,
                ls_text(shape).text);
        return false;
    }
    if (metric->number[FROM_LOGITS] != 0)
        p = ls_sigmoid(p);
    if (top_k)
        p = keep_top_k(p, top_k);
    if (class_id >= 0) {
        t = one_class(t, class_id);
        p = one_class(p, class_id);
    }
    shape = ls_shape_of_tensor(p);
    if (ls_is_nil(weight))
        weight = ls_fill(ls, shape, 1);
    else if (!spread_weight(metric, &weight, shape))
        return false;
    int64_t n = ls_size(p);
    ls_tensor zero = number(p, 0), row = ls_reshape(p, LS_SHAPE(1, n));
    if (metric->number[EVENLY] > 0) /* Keras finds the bucket by this product */
        row = ls_mul(ls_minimum(ls_maximum(row, zero), number(p, 1)), number(p, metric->number[EVENLY]));
    ls_tensor label = ls_not_equal(ls_reshape(t, LS_SHAPE(1, n)), zero);
    weight = ls_reshape(weight, LS_SHAPE(1, n));
    c->positive = ls_greater(row, metric->threshold_values);
    c->is_true = ls_where(label, weight, zero);
    c->is_false = ls_where(label, zero, weight);
    return !ls_failed(ls);
}

static ls_tensor sum_where(ls_tensor condition, ls_tensor weight)
{
    return ls_sum(ls_where(condition, weight, number(weight, 0)), (const int[]){1}, 1, false);
}

/* ---- Precision and recall ---- */

static void precision_update(ls_metric *metric, const ls_tensor *in, ls_tensor weight)
{
    struct counts c;
    if (!compare(metric, in, weight, metric->integer[TOP_K], metric->integer[CLASS], &c))
        return;
    ls_metric_add(metric->state[0], sum_where(c.positive, c.is_true));
    ls_metric_add(metric->state[1], sum_where(c.positive, c.is_false));
}

static void recall_update(ls_metric *metric, const ls_tensor *in, ls_tensor weight)
{
    struct counts c;
    if (!compare(metric, in, weight, metric->integer[TOP_K], metric->integer[CLASS], &c))
        return;
    ls_metric_add(metric->state[0], sum_where(c.positive, c.is_true));
    ls_metric_add(metric->state[1], sum_where(ls_logical_not(c.positive), c.is_true));
}

static ls_tensor share(ls_tensor a, ls_tensor b) { return ls_divide_or_zero(a, ls_add(a, b)); }

static ls_tensor share_result(const ls_metric *metric)
{
    ls_tensor result = share(metric->state[0], metric->state[1]);
    return metric->integer[THRESHOLDS] == 1 ? ls_reshape(result, LS_SCALAR_SHAPE) : result;
}

static const struct ls_metric_kind precision = {
    "precision", 2, "y_true, y_pred", {"true_positives", "false_positives"}, 1, precision_update, share_result, NULL};
static const struct ls_metric_kind recall = {
    "recall", 2, "y_true, y_pred", {"true_positives", "false_negatives"}, 1, recall_update, share_result, NULL};

static bool within_0_1(ls_context *ls, const char *who, const float *thresholds, int count)
{
    for (int i = 0; i < count; i++)
        if (!(thresholds[i] >= 0 && thresholds[i] <= 1)) {
            ls_fail(ls, LS_INVALID_ARGUMENT, "%s: threshold %d is %g; thresholds lie in [0, 1]", who, i,
                    (double)thresholds[i]);
            return false;
        }
    return true;
}

/* Room for `count` thresholds; NULL with the error raised. */
static float *make_thresholds(ls_context *ls, const char *who, int count)
{
    float *thresholds = malloc((size_t)count * sizeof *thresholds);
    if (!thresholds)
        ls_fail(ls, LS_OUT_OF_MEMORY, "%s: no host memory for %d thresholds", who, count);
    return thresholds;
}

/* Three or more that divide [0, 1] evenly are compared by buckets, 0, 1, …: returns how many divisions. */
static float evenly(float *thresholds, int count)
{
    bool even = count >= 3;
    for (int i = 0; i < count && even; i++) {
        double at = (double)i / (count - 1);
        even = fabs((double)thresholds[i] - at) <= 1e-7 + 1e-5 * at; /* numpy.allclose */
    }
    for (int i = 0; i < count && even; i++)
        thresholds[i] = (float)i;
    return even ? (float)(count - 1) : 0;
}

static ls_metric *make(const struct ls_metric_kind *kind, const ls_precision_options *o)
{
    ls_context *ls = o->context;
    int count = o->thresholds ? o->threshold_count : 1;
    if (!ls || ls_failed(ls) || (o->thresholds && !within_0_1(ls, kind->name, o->thresholds, count)))
        return NULL;
    if (count < 1 || o->top_k < 0 || (o->one_class && o->class_id < 0)) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "%s: %d thresholds, top_k %d, class_id %d: needs at least one threshold, and "
                "no negative number", kind->name, count, o->top_k, o->class_id);
        return NULL;
    }
    ls_metric draft = {.context = ls,
                       .kind = kind,
                       .integer = {count, o->top_k, o->one_class ? o->class_id : -1},
                       .thresholds = make_thresholds(ls, kind->name, count)};
    if (!draft.thresholds)
        return NULL;
    draft.thresholds[0] = o->top_k ? NOT_IN_TOP_K : 0.5f;
    if (o->thresholds)
        memcpy(draft.thresholds, o->thresholds, (size_t)count * sizeof(float));
    draft.number[EVENLY] = evenly(draft.thresholds, count);
    return ls_metric_create(&draft, o->name);
}

ls_metric *ls_precision_with(const ls_precision_options *options)
{
    return options ? make(&precision, options) : ls_no_options("precision");
}

ls_metric *ls_recall_with(const ls_precision_options *options)
{
    return options ? make(&recall, options) : ls_no_options("recall");
}

/* ---- AUC ---- */

static void auc_update(ls_metric *metric, const ls_tensor *in, ls_tensor weight)
{
    struct counts c;
    if (!compare(metric, in, weight, 0, -1, &c))
        return;
    ls_tensor negative = ls_logical_not(c.positive);
    ls_metric_add(metric->state[TP], sum_where(c.positive, c.is_true));
    ls_metric_add(metric->state[FP], sum_where(c.positive, c.is_false));
    ls_metric_add(metric->state[TN], sum_where(negative, c.is_false));
    ls_metric_add(metric->state[FN], sum_where(negative, c.is_true));
}

/* a[0 … n-2] and a[1 … n-1] */
static ls_tensor but_last(ls_tensor a) { return ls_slice(a, (int64_t[]){0}, (int64_t[]){ls_size(a) - 1}, NULL); }
static ls_tensor but_first(ls_tensor a) { return ls_slice(a, (int64_t[]){1}, (int64_t[]){ls_size(a) - 1}, NULL); }
static ls_tensor step_down(ls_tensor a) { return ls_sub(but_last(a), but_first(a)); }

/* Davis and Goadrich, "The relationship between precision-recall and ROC curves", 2006: between two points
 * true positives are linear in all positives, so the area of a piece has a logarithm in it. */
static ls_tensor interpolated_pr(const ls_metric *metric)
{
    ls_tensor tp = metric->state[TP], zero = number(tp, 0), one = number(tp, 1);
    ls_tensor p = ls_add(tp, metric->state[FP]), dtp = step_down(tp), tp_next = but_first(tp), p_next = but_first(p);
    ls_tensor slope = ls_divide_or_zero(dtp, ls_maximum(step_down(p), zero));
    ls_tensor intercept = ls_fma(ls_neg(slope), p_next, tp_next);
    ls_tensor some = ls_logical_and(ls_greater(but_last(p), zero), ls_greater(p_next, zero));
    ls_tensor ratio = ls_where(some, ls_divide_or_zero(but_last(p), ls_maximum(p_next, zero)), one);
    ls_tensor area = ls_mul(slope, ls_fma(intercept, ls_log(ratio), dtp));
    ls_tensor all = ls_maximum(ls_add(tp_next, but_first(metric->state[FN])), zero);
    return ls_sum(ls_divide_or_zero(area, all), NULL, 0, false);
}

static ls_tensor auc_result(const ls_metric *metric)
{
    const ls_tensor *s = metric->state;
    bool pr = metric->integer[CURVE] == LS_AUC_PR;
    if (pr && metric->integer[SUMMATION] == LS_AUC_INTERPOLATION)
        return interpolated_pr(metric);
    ls_tensor recall_at = share(s[TP], s[FN]);
    ls_tensor x = pr ? recall_at : share(s[FP], s[TN]), y = pr ? share(s[TP], s[FP]) : recall_at;
    ls_tensor left = but_last(y), right = but_first(y), height;
    if (metric->integer[SUMMATION] == LS_AUC_INTERPOLATION)
        height = ls_div(ls_add(left, right), number(y, 2));
    else
        height = metric->integer[SUMMATION] == LS_AUC_MAJORING ? ls_maximum(left, right) : ls_minimum(left, right);
    return ls_sum(ls_mul(step_down(x), height), NULL, 0, false);
}

static const struct ls_metric_kind auc = {
    "auc", 2, "y_true, y_pred", {"true_positives", "false_positives", "true_negatives", "false_negatives"},
    1, auc_update, auc_result, NULL};

static int ascending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

ls_metric *ls_auc_with(const ls_auc_options *o)
{
    if (!o)
        return ls_no_options("auc");
    ls_context *ls = o->context;
    int given = o->thresholds ? o->threshold_count : 0;
    int count = o->thresholds ? given + 2 : o->num_thresholds ? o->num_thresholds : 200;
    if (!ls || ls_failed(ls) || !within_0_1(ls, "auc", o->thresholds, given))
        return NULL;
    if (given < 0 || count < 2 || (unsigned)o->curve >= LS_AUC_CURVE_COUNT ||
        (unsigned)o->summation_method >= LS_AUC_SUMMATION_COUNT) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "auc: num_thresholds is %d, at least 2 are needed; curve %d and "
                "summation_method %d must be of their lists", count, (int)o->curve, (int)o->summation_method);
        return NULL;
    }
    ls_metric draft = {.context = ls,
                       .kind = &auc,
                       .integer = {count, (int)o->curve, (int)o->summation_method},
                       .number[FROM_LOGITS] = o->from_logits,
                       .thresholds = make_thresholds(ls, "auc", count)};
    float *t = draft.thresholds;
    if (!t)
        return NULL;
    for (int i = 0; i < count; i++)
        t[i] = given || o->thresholds ? 0 : (float)((double)i / (count - 1));
    if (o->thresholds && given)
        memcpy(t + 1, o->thresholds, (size_t)given * sizeof *t);
    qsort(t + 1, (size_t)given, sizeof *t, ascending);
    t[0] = 0;
    t[count - 1] = 1;
    draft.number[EVENLY] = evenly(t, count);
    bool even = draft.number[EVENLY] > 0;
    t[0] = even ? -1 : -1e-7f; /* every prediction is above the first and none above the last */
    t[count - 1] = even ? (float)count : (float)(1 + 1e-7);
    return ls_metric_create(&draft, o->name);
}
