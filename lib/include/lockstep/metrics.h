/* SPDX-License-Identifier: Apache-2.0
 *
 * Metrics: numbers gathered over many batches. The sums lie on the device in canonical arithmetic;
 * updating reads nothing back, so it may stand in the hot path and in a captured function. A metric
 * belongs to its context. Everything here accepts NULL metrics. One thread per context at a time.
 */
#ifndef LOCKSTEP_METRICS_H
#define LOCKSTEP_METRICS_H

#include <lockstep/tensor.h>

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

/**
 * How often the largest prediction is the label's: ls_update_state(metric, y_true, y_pred) or with
 * sample_weight; y_true (batch, …) or (batch, …, 1) int32 or uint8, y_pred (batch, …, classes), logits
 * or probabilities. keras.metrics.SparseCategoricalAccuracy. `name` NULL:
 * "sparse_categorical_accuracy".
 */
LS_API ls_metric *ls_sparse_categorical_accuracy(ls_context *ls, const char *name);

/**
 * Takes `count` tensors in: those the metric says, and a float32 sample_weight, which is broadcast to
 * the values, if there is one more. total += sum(values * weight), count += sum(weight). Does not
 * block. Errors, sticky as well: LS_INVALID_ARGUMENT for another count, and those of the ops.
 */
LS_API ls_status ls_update_state_with(ls_metric *metric, const ls_tensor *inputs, size_t count);
/** ls_update_state(loss_mean, loss), ls_update_state(accuracy, y, logits). */
#define ls_update_state(metric, ...)                                                               \
    ls_update_state_with(metric, (const ls_tensor[]){__VA_ARGS__},                                 \
                         sizeof((const ls_tensor[]){__VA_ARGS__}) / sizeof(ls_tensor))

/** total / count as a rank-0 tensor in the innermost scope; 0 when nothing was counted. */
LS_API ls_tensor ls_result_tensor(const ls_metric *metric);
/** The same, read back. Blocks; NaN on an error. */
LS_API float ls_result(const ls_metric *metric);

/** Sets metrics, an array that ends with NULL, back to having counted nothing. Does not block. */
LS_API ls_status ls_reset_states_of(ls_metric *const *metrics);
/** ls_reset_states(loss_mean, accuracy). */
#define ls_reset_states(...) ls_reset_states_of((ls_metric *[]){__VA_ARGS__, NULL})

/** The metric's name; "" for NULL. */
LS_API const char *ls_metric_name(const ls_metric *metric);

/** Releases a metric and sets `*metric` to NULL. Accepts NULL. */
LS_API void ls_metric_destroy(ls_metric **metric);

#ifdef __cplusplus
}
#endif
#endif
