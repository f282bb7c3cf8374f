/* SPDX-License-Identifier: Apache-2.0
 *
 * What losses and metrics share about labels, shapes and weights.
 */
#ifndef LOCKSTEP_NN_LABELS_H
#define LOCKSTEP_NN_LABELS_H

#include <lockstep/losses.h>

/**
 * Class numbers for predictions (…, classes): y_true (…) or (…, 1), uint8 or int32, as int32 (…).
 * Otherwise raises an error in the name of `who` that says the way out, and returns nil.
 */
ls_tensor ls_sparse_labels(const char *who, ls_tensor y_true, ls_tensor y_pred);

/** As float32; nil stays nil. */
ls_tensor ls_as_float(ls_tensor a);

/** Keras' squeeze_or_expand_to_same_rank: where the ranks differ by one and the higher one ends with a
 * 1, (batch) becomes (batch, 1), or else the 1 goes. */
void ls_to_same_rank(ls_tensor *a, ls_tensor *b);

/**
 * Brings labels and predictions to float32 and one shape. If they do not fit, raises an error in the
 * name of `who` that says the way out, and returns false. `classes`: integer labels without a
 * dimension for the classes are told to take the sparse form.
 */
bool ls_fit_labels(const char *who, ls_tensor *y_true, ls_tensor *y_pred, bool classes);

/** a / b, and 0 where b is 0. */
ls_tensor ls_divide_or_zero(ls_tensor a, ls_tensor b);

/** Warns, once for a context, if a recording tape saw softmax or sigmoid make what should be logits. */
void ls_warn_of_probabilities(const char *who, ls_tensor logits);

/** The name of a loss of the library: "huber"; NULL for others. */
const char *ls_loss_name(ls_loss_function *loss);

#endif
