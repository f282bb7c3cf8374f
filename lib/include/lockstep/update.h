/* SPDX-License-Identifier: Apache-2.0
 *
 * The optimizers' rules, each one elementwise program that updates its variables in place (canon.md
 * rule 14: explicit fma expressions; rule 17: the flushes). Learning rates and powers are tensors,
 * so that a captured step replays with the values of its own time. Not recorded by tapes. All
 * tensors float32; `variable`, slots and `gradient` have one shape; scalars have rank 0.
 * Errors: LS_SHAPE_MISMATCH, LS_DTYPE_MISMATCH, LS_INVALID_ARGUMENT (not a variable).
 */
#ifndef LOCKSTEP_UPDATE_H
#define LOCKSTEP_UPDATE_H

#include <lockstep/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * SGD as keras.optimizers.SGD: without velocity (nil) w = fma(-lr, g, w). With velocity
 * v = fma(-lr, g, momentum * v), snapped to +0 where |v| < 2^-100, then w = w + v, or with nesterov
 * w = w + fma(-lr, g, momentum * v).
 */
LS_API ls_status ls_update_sgd(ls_tensor variable, ls_tensor velocity, ls_tensor gradient, ls_tensor learning_rate,
                               float momentum, bool nesterov);

/**
 * Adam's step size: beta1_power *= beta1, beta2_power *= beta2 (both variables, 1 before the first
 * step), rate = learning_rate * sqrt(1 - beta2_power) / (1 - beta1_power). Once per step.
 */
LS_API ls_status ls_update_adam_rate(ls_tensor rate, ls_tensor beta1_power, ls_tensor beta2_power,
                                     ls_tensor learning_rate, float beta1, float beta2);

/**
 * Adam as keras.optimizers.Adam: m += (g - m)(1 - beta1), v += (g^2 - v)(1 - beta2),
 * w -= rate * m / (sqrt(v) + epsilon), with epsilon on the uncorrected v as Keras has it.
 */
LS_API ls_status ls_update_adam(ls_tensor variable, ls_tensor m, ls_tensor v, ls_tensor gradient, ls_tensor rate,
                                float beta1, float beta2, float epsilon);

#ifdef __cplusplus
}
#endif
#endif
