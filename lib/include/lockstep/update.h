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

/** The same with v_hat = max(v_hat, v) in the place of v below the line: Adam's amsgrad. */
LS_API ls_status ls_update_amsgrad(ls_tensor variable, ls_tensor m, ls_tensor v, ls_tensor v_hat, ls_tensor gradient,
                                   ls_tensor rate, float beta1, float beta2, float epsilon);

/**
 * RMSprop as keras.optimizers.RMSprop: v = fma(g^2, 1 - rho, rho v), step = lr g / sqrt(v + epsilon),
 * w -= step. With `momentum_slot` (or nil) it is fma(momentum, slot, step) that is kept there and
 * subtracted. With `average` (or nil; "centered") average = fma(g, 1 - rho, rho average) first, and
 * max(v - average^2, 0) stands for v under the root: where Keras' difference rounds to below
 * -epsilon and gives NaN, this does not.
 */
LS_API ls_status ls_update_rmsprop(ls_tensor variable, ls_tensor velocity, ls_tensor momentum_slot, ls_tensor average,
                                   ls_tensor gradient, ls_tensor learning_rate, float rho, float momentum,
                                   float epsilon);

/** Adagrad as keras.optimizers.Adagrad: sum += g^2, w -= lr g / sqrt(sum + epsilon). */
LS_API ls_status ls_update_adagrad(ls_tensor variable, ls_tensor accumulator, ls_tensor gradient,
                                   ls_tensor learning_rate, float epsilon);

/** Decoupled weight decay, before the rule of the optimizer: w = fma(-lr, weight_decay w, w). */
LS_API ls_status ls_update_weight_decay(ls_tensor variable, ls_tensor learning_rate, float weight_decay);

/** An exponential moving average: average = fma(1 - momentum, variable, momentum average). */
LS_API ls_status ls_update_average(ls_tensor average, ls_tensor variable, ls_tensor momentum);

#ifdef __cplusplus
}
#endif
#endif
