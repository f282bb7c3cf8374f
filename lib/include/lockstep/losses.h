/* SPDX-License-Identifier: Apache-2.0
 *
 * Losses: from labels and predictions to one number, made of ops, so tapes differentiate them. Errors
 * are sticky and none blocks. Options as in layers.h. One thread per context at a time.
 *
 * A loss gives one value for each row, (batch, …) from (batch, …, n), which then is weighted and
 * reduced. As in Keras, labels (batch) fit predictions (batch, 1) and the other way round; nothing
 * else is broadcast: Keras would quietly make (batch, batch) of (batch) and (batch, n). Labels may
 * be of any type; predictions are float32. eps is 1e-7, keras.config.epsilon().
 */
#ifndef LOCKSTEP_LOSSES_H
#define LOCKSTEP_LOSSES_H

#include <lockstep/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How the values of the rows become the loss. Division by 0 gives 0. */
typedef enum ls_reduction {
    LS_SUM_OVER_BATCH_SIZE,     /* sum(value * weight) / number of values */
    LS_SUM_OF_VALUES,           /* sum(value * weight) */
    LS_NO_REDUCTION,            /* value * weight */
    LS_MEAN_WITH_SAMPLE_WEIGHT, /* sum(value * weight) / sum(weight) */
    LS_REDUCTION_COUNT
} ls_reduction;

typedef struct ls_loss_arguments {
    ls_tensor y_true, y_pred;
    bool from_logits;        /* cross-entropies: y_pred is what goes into softmax or sigmoid */
    float label_smoothing;   /* dense and binary cross-entropy; 0 to 1 */
    float delta;             /* huber; default 1 */
    ls_reduction reduction;
    ls_tensor sample_weight; /* a weight for each value, or of a shape that broadcasts to the values; nil: 1 */
} ls_loss_arguments;

/** Any loss, own ones too: ls_huber_with is one. */
typedef ls_tensor ls_loss_function(const ls_loss_arguments *call);

/**
 * Weights and reduces the values of a loss of one's own; `who` is its name in messages. Errors:
 * LS_SHAPE_MISMATCH when the weights do not fit, LS_INVALID_ARGUMENT for an unknown reduction.
 */
LS_API ls_tensor ls_reduce_loss(const char *who, ls_tensor values, const ls_loss_arguments *call);

/* ---- Classes. Errors: LS_SHAPE_MISMATCH, LS_DTYPE_MISMATCH; LS_OUT_OF_RANGE for a label that is no
 * class, at the next read. A warning is logged once when y_pred comes from ls_softmax or ls_sigmoid
 * but from_logits is set and a tape is recording. ---- */

/**
 * -log p[label], y_true int32 or uint8 (batch, …) or (batch, …, 1), y_pred (batch, …, classes). With
 * from_logits p is softmax(y_pred); without, y_pred is clipped to [eps, 1 - eps] and divided by its sum.
 * keras.losses.SparseCategoricalCrossentropy.
 */
LS_API ls_tensor ls_sparse_categorical_crossentropy_with(const ls_loss_arguments *call);
/** ls_sparse_categorical_crossentropy(y, logits, .from_logits = true). */
#define ls_sparse_categorical_crossentropy(...)                                                    \
    ls_sparse_categorical_crossentropy_with(&(ls_loss_arguments){.y_true = __VA_ARGS__})

/**
 * -sum(y_true log p) with one-hot (or soft) y_true (batch, …, classes). With from_logits log p is
 * log_softmax(y_pred); without, p is y_pred divided by its sum, then clipped. label_smoothing s makes
 * y_true (1 - s) + s / classes of y_true. keras.losses.CategoricalCrossentropy.
 */
LS_API ls_tensor ls_categorical_crossentropy_with(const ls_loss_arguments *call);
#define ls_categorical_crossentropy(...)                                                           \
    ls_categorical_crossentropy_with(&(ls_loss_arguments){.y_true = __VA_ARGS__})

/**
 * mean of -(y_true log p + (1 - y_true) log(1 - p)), p clipped to [eps, 1 - eps]; with from_logits
 * from sigmoid's input without overflow. label_smoothing s makes y_true (1 - s) + s / 2 of y_true.
 * keras.losses.BinaryCrossentropy.
 */
LS_API ls_tensor ls_binary_crossentropy_with(const ls_loss_arguments *call);
#define ls_binary_crossentropy(...) ls_binary_crossentropy_with(&(ls_loss_arguments){.y_true = __VA_ARGS__})

/** sum(t log(t / p)), both clipped to [eps, 1]. keras.losses.KLDivergence. */
LS_API ls_tensor ls_kl_divergence_with(const ls_loss_arguments *call);
#define ls_kl_divergence(...) ls_kl_divergence_with(&(ls_loss_arguments){.y_true = __VA_ARGS__})

/* Labels -1 and 1 (if all of a batch are 0 or 1, 0 counts as -1). keras.losses.Hinge and others. */

/** mean(max(1 - t p, 0)) */
LS_API ls_tensor ls_hinge_with(const ls_loss_arguments *call);
#define ls_hinge(...) ls_hinge_with(&(ls_loss_arguments){.y_true = __VA_ARGS__})
/** mean(max(1 - t p, 0)^2) */
LS_API ls_tensor ls_squared_hinge_with(const ls_loss_arguments *call);
#define ls_squared_hinge(...) ls_squared_hinge_with(&(ls_loss_arguments){.y_true = __VA_ARGS__})
/** max(max((1 - t) p) - sum(t p) + 1, 0), t one-hot. */
LS_API ls_tensor ls_categorical_hinge_with(const ls_loss_arguments *call);
#define ls_categorical_hinge(...) ls_categorical_hinge_with(&(ls_loss_arguments){.y_true = __VA_ARGS__})

/* ---- Regression, t the labels and p the predictions; means over the last axis. keras.losses ---- */

/** mean((t - p)^2) */
LS_API ls_tensor ls_mean_squared_error_with(const ls_loss_arguments *call);
#define ls_mean_squared_error(...) ls_mean_squared_error_with(&(ls_loss_arguments){.y_true = __VA_ARGS__})
/** mean(|t - p|) */
LS_API ls_tensor ls_mean_absolute_error_with(const ls_loss_arguments *call);
#define ls_mean_absolute_error(...) ls_mean_absolute_error_with(&(ls_loss_arguments){.y_true = __VA_ARGS__})
/** 100 mean(|(t - p) / max(|t|, eps)|) */
LS_API ls_tensor ls_mean_absolute_percentage_error_with(const ls_loss_arguments *call);
#define ls_mean_absolute_percentage_error(...)                                                     \
    ls_mean_absolute_percentage_error_with(&(ls_loss_arguments){.y_true = __VA_ARGS__})
/** mean((log(max(p, eps) + 1) - log(max(t, eps) + 1))^2) */
LS_API ls_tensor ls_mean_squared_logarithmic_error_with(const ls_loss_arguments *call);
#define ls_mean_squared_logarithmic_error(...)                                                     \
    ls_mean_squared_logarithmic_error_with(&(ls_loss_arguments){.y_true = __VA_ARGS__})
/** mean of e^2 / 2 where |e| <= delta, else delta |e| - delta^2 / 2; e = p - t. */
LS_API ls_tensor ls_huber_with(const ls_loss_arguments *call);
#define ls_huber(...) ls_huber_with(&(ls_loss_arguments){.y_true = __VA_ARGS__})
/** mean(log(cosh(p - t))), without overflow. */
LS_API ls_tensor ls_log_cosh_with(const ls_loss_arguments *call);
#define ls_log_cosh(...) ls_log_cosh_with(&(ls_loss_arguments){.y_true = __VA_ARGS__})
/** mean(p - t log(p + eps)) */
LS_API ls_tensor ls_poisson_with(const ls_loss_arguments *call);
#define ls_poisson(...) ls_poisson_with(&(ls_loss_arguments){.y_true = __VA_ARGS__})
/** -sum(t p), both divided by their length first: -1 where they point the same way. */
LS_API ls_tensor ls_cosine_similarity_with(const ls_loss_arguments *call);
#define ls_cosine_similarity(...) ls_cosine_similarity_with(&(ls_loss_arguments){.y_true = __VA_ARGS__})

#ifdef __cplusplus
}
#endif
#endif
