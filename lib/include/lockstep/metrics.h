/* SPDX-License-Identifier: Apache-2.0
 *
 * Metrics: numbers gathered over many batches. The sums lie on the device in canonical arithmetic;
 * updating reads nothing back, so it may stand in the hot path and in a captured function. A metric
 * belongs to its context. Everything here accepts NULL metrics. One thread per context at a time.
 */
#ifndef LOCKSTEP_METRICS_H
#define LOCKSTEP_METRICS_H

#include <lockstep/layers.h>
#include <lockstep/losses.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ls_metric ls_metric;

/**
 * The mean of everything it is updated with: ls_update_state(metric, values) or with sample_weight as
 * one more tensor. Values (batch, …) count as their mean over all but the first dimension, rank 0 as
 * one value. keras.metrics.Mean. `name` NULL: "mean". (The op over axes is ls_mean.)
 */
LS_API ls_metric *ls_mean_metric(ls_context *ls, const char *name);

/** The sum of everything, values * sample_weight. keras.metrics.Sum. `name` NULL: "sum". */
LS_API ls_metric *ls_sum_metric(ls_context *ls, const char *name);

typedef struct ls_loss_metric_options {
    ls_context *context;
    ls_loss_function *loss;      /* ls_huber_with, or one of one's own */
    const char *name;            /* default: the loss's, or "loss" */
    ls_loss_arguments arguments; /* from_logits, label_smoothing, delta; the rest is ignored */
} ls_loss_metric_options;

/**
 * The mean of a loss's values: keras.metrics.MeanSquaredError and all others that are named like losses.
 * ls_update_state(metric, y_true, y_pred) or with sample_weight. As a metric, cosine similarity is
 * +1 where both point the same way (as a loss it is -1).
 */
LS_API ls_metric *ls_loss_metric_with(const ls_loss_metric_options *options);
/** ls_loss_metric(ls, ls_huber_with, .arguments.delta = 2). */
#define ls_loss_metric(...) ls_loss_metric_with(&(ls_loss_metric_options){.context = __VA_ARGS__})

/** sqrt of the mean of (y_pred - y_true)^2. keras.metrics.RootMeanSquaredError. */
LS_API ls_metric *ls_root_mean_squared_error(ls_context *ls, const char *name);

/* ---- Accuracies: ls_update_state(metric, y_true, y_pred) or with sample_weight. `name` NULL: Keras' ---- */

/**
 * How often the largest prediction is the label's: y_true (batch, …) or (batch, …, 1) int32 or uint8,
 * y_pred (batch, …, classes), logits or probabilities. keras.metrics.SparseCategoricalAccuracy.
 */
LS_API ls_metric *ls_sparse_categorical_accuracy(ls_context *ls, const char *name);
/** The same with one-hot y_true (batch, …, classes). keras.metrics.CategoricalAccuracy. */
LS_API ls_metric *ls_categorical_accuracy(ls_context *ls, const char *name);
/** How often y_pred equals y_true. keras.metrics.Accuracy. */
LS_API ls_metric *ls_accuracy(ls_context *ls, const char *name);

typedef struct ls_accuracy_options {
    ls_context *context;
    const char *name;
    float threshold; /* ls_binary_accuracy: default 0.5; LS_ZERO is 0 */
    int k;           /* top-k: default 5 */
} ls_accuracy_options;

/** How often (y_pred > threshold) is y_true, 0 or 1. keras.metrics.BinaryAccuracy. */
LS_API ls_metric *ls_binary_accuracy_with(const ls_accuracy_options *options);
#define ls_binary_accuracy(...) ls_binary_accuracy_with(&(ls_accuracy_options){.context = __VA_ARGS__})

/**
 * How often fewer than k predictions are larger than that of the label, so ties count as in; one-hot
 * y_true. keras.metrics.TopKCategoricalAccuracy.
 */
LS_API ls_metric *ls_top_k_categorical_accuracy_with(const ls_accuracy_options *options);
#define ls_top_k_categorical_accuracy(...)                                                         \
    ls_top_k_categorical_accuracy_with(&(ls_accuracy_options){.context = __VA_ARGS__})
/** The same with class numbers. keras.metrics.SparseTopKCategoricalAccuracy. */
LS_API ls_metric *ls_sparse_top_k_categorical_accuracy_with(const ls_accuracy_options *options);
#define ls_sparse_top_k_categorical_accuracy(...)                                                  \
    ls_sparse_top_k_categorical_accuracy_with(&(ls_accuracy_options){.context = __VA_ARGS__})

/* ---- From true and false positives and negatives at thresholds. A prediction is positive when it is
 * strictly above the threshold; a label when it is not 0. y_true and y_pred have one shape ---- */

typedef struct ls_precision_options {
    ls_context *context;
    const char *name;
    const float *thresholds; /* each in [0, 1]; copied. Default: 0.5 alone, with top_k none */
    int threshold_count;
    int top_k;     /* only the k largest predictions of a row can be positive; 0: all */
    bool one_class; /* look at class_id of the last dimension alone */
    int class_id;
} ls_precision_options;

/** tp / (tp + fp), 0 where both are 0; a tensor of threshold_count if there are several.
 * keras.metrics.Precision. */
LS_API ls_metric *ls_precision_with(const ls_precision_options *options);
/** ls_precision(ls) or ls_precision(ls, .top_k = 3). */
#define ls_precision(...) ls_precision_with(&(ls_precision_options){.context = __VA_ARGS__})
/** tp / (tp + fn), likewise. keras.metrics.Recall. */
LS_API ls_metric *ls_recall_with(const ls_precision_options *options);
#define ls_recall(...) ls_recall_with(&(ls_precision_options){.context = __VA_ARGS__})

/** The curve: receiver operating characteristic, or precision over recall; and how its area is summed. */
typedef enum ls_auc_curve { LS_AUC_ROC, LS_AUC_PR, LS_AUC_CURVE_COUNT } ls_auc_curve;
typedef enum ls_auc_summation {
    LS_AUC_INTERPOLATION, /* trapezoids; of a PR curve the integral of the true curve between points */
    LS_AUC_MAJORING,
    LS_AUC_MINORING,
    LS_AUC_SUMMATION_COUNT
} ls_auc_summation;

typedef struct ls_auc_options {
    ls_context *context;
    const char *name;
    int num_thresholds; /* default 200, evenly spread over [0, 1]; at least 2 */
    ls_auc_curve curve;
    ls_auc_summation summation_method;
    bool from_logits;        /* sigmoid is applied first */
    const float *thresholds; /* instead of num_thresholds: those between 0 and 1, in any order; copied */
    int threshold_count;
} ls_auc_options;

/** The area under the curve over all elements together. keras.metrics.AUC (without multi_label). */
LS_API ls_metric *ls_auc_with(const ls_auc_options *options);
/** ls_auc(ls) or ls_auc(ls, .curve = LS_AUC_PR). */
#define ls_auc(...) ls_auc_with(&(ls_auc_options){.context = __VA_ARGS__})

/* ---- Updating, asking, resetting ---- */

/**
 * Takes `count` tensors in: those the metric says, and a float32 sample_weight, which is broadcast to
 * the values, if there is one more. for a mean total += sum(values * weight), count += sum(weight).
 * Does not block. Errors, sticky as well: LS_INVALID_ARGUMENT for another count, LS_SHAPE_MISMATCH
 * and LS_DTYPE_MISMATCH for labels, predictions and weights that do not fit.
 */
LS_API ls_status ls_update_state_with(ls_metric *metric, const ls_tensor *inputs, size_t count);
/** ls_update_state(loss_mean, loss), ls_update_state(accuracy, y, logits). */
#define ls_update_state(metric, ...)                                                               \
    ls_update_state_with(metric, (const ls_tensor[]){__VA_ARGS__},                                 \
                         sizeof((const ls_tensor[]){__VA_ARGS__}) / sizeof(ls_tensor))

/** The result in the innermost scope, rank 0 unless said otherwise; 0 when nothing was counted. */
LS_API ls_tensor ls_result_tensor(const ls_metric *metric);
/** The same, read back. Blocks; NaN on an error. */
LS_API float ls_result(const ls_metric *metric);

/** Sets metrics, an array that ends with NULL, back to having counted nothing. Does not block. */
LS_API ls_status ls_reset_states_of(ls_metric *const *metrics);
/** ls_reset_states(loss_mean, accuracy). */
#define ls_reset_states(...) ls_reset_states_of((ls_metric *[]){__VA_ARGS__, NULL})

/** 1 when larger is better, -1 when smaller is; 0 for NULL. For callbacks whose mode is auto. */
LS_API int ls_metric_direction(const ls_metric *metric);
/** The metric's variables, as long as it lives. For snapshots. */
LS_API ls_variables ls_metric_variables(const ls_metric *metric);

/** The metric's name; "" for NULL. */
LS_API const char *ls_metric_name(const ls_metric *metric);

/** Releases a metric and sets `*metric` to NULL. Accepts NULL. */
LS_API void ls_metric_destroy(ls_metric **metric);

#ifdef __cplusplus
}
#endif
#endif
