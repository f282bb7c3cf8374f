/* SPDX-License-Identifier: Apache-2.0
 *
 * What losses and metrics share about labels.
 */
#ifndef LOCKSTEP_NN_LABELS_H
#define LOCKSTEP_NN_LABELS_H

#include <lockstep/tensor.h>

/**
 * Class numbers for predictions (…, classes): y_true (…) or (…, 1), uint8 or int32, as int32 (…).
 * Otherwise raises an error in the name of `who` that says the way out, and returns nil.
 */
ls_tensor ls_sparse_labels(const char *who, ls_tensor y_true, ls_tensor y_pred);

#endif
