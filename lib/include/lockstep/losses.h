/* SPDX-License-Identifier: Apache-2.0
 *
 * Losses: from labels and predictions to one number, made of ops, so tapes differentiate them. Errors
 * are sticky and none blocks. Options as in layers.h. One thread per context at a time.
 */
#ifndef LOCKSTEP_LOSSES_H
#define LOCKSTEP_LOSSES_H

#include <lockstep/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ls_sparse_categorical_crossentropy_arguments {
    ls_tensor y_true; /* labels (batch, …) or (batch, …, 1), int32 or uint8 */
    ls_tensor y_pred; /* (batch, …, classes) float32 */
    bool from_logits; /* y_pred is what goes into softmax, not what comes out */
} ls_sparse_categorical_crossentropy_arguments;

/**
 * mean over all labels of -log p[label], rank 0 (Keras' sum_over_batch_size). With from_logits p is
 * softmax(y_pred); without, y_pred is clipped to [1e-7, 1 - 1e-7] and divided by its sum, as
 * keras.losses.SparseCategoricalCrossentropy does. Errors: LS_SHAPE_MISMATCH (one-hot labels among
 * others), LS_DTYPE_MISMATCH; LS_OUT_OF_RANGE for a label that is no class, at the next read.
 */
LS_API ls_tensor ls_sparse_categorical_crossentropy_with(const ls_sparse_categorical_crossentropy_arguments *call);
/** ls_sparse_categorical_crossentropy(y, logits, .from_logits = true). */
#define ls_sparse_categorical_crossentropy(...)                                                    \
    ls_sparse_categorical_crossentropy_with(                                                       \
        &(ls_sparse_categorical_crossentropy_arguments){.y_true = __VA_ARGS__})

#ifdef __cplusplus
}
#endif
#endif
