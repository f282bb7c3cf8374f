/* SPDX-License-Identifier: Apache-2.0
 *
 * Regularizers: penalties on weights and on what layers return, as keras.regularizers. Their losses are
 * listed by ls_losses (models.h).
 */
#ifndef LOCKSTEP_REGULARIZERS_H
#define LOCKSTEP_REGULARIZERS_H

#include <lockstep/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A penalty of a tensor, rank 0; all zero is none. Fill one for a penalty of your own. */
typedef struct ls_regularizer {
    ls_tensor (*penalty)(const struct ls_regularizer *self, ls_tensor x);
    float parameter[2];
} ls_regularizer;

/** factor * sum |x|. keras.regularizers.L1, whose default is 0.01. */
LS_API ls_regularizer ls_l1(float factor);
/** factor * sum x^2. keras.regularizers.L2, whose default is 0.01. */
LS_API ls_regularizer ls_l2(float factor);
/** l1 * sum |x| + l2 * sum x^2, the second added by one fma. keras.regularizers.L1L2. */
LS_API ls_regularizer ls_l1_l2(float l1, float l2);

#ifdef __cplusplus
}
#endif
#endif
