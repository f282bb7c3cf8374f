/* SPDX-License-Identifier: Apache-2.0
 *
 * Initializers: how the first value of a weight is drawn, as keras.initializers. Each is a small value:
 * `.kernel_initializer = ls_he_normal()`. Random ones draw from the context's stream, in the order in which
 * weights are made. Bounds and deviations are computed in double and rounded once.
 *
 * Fans as Keras: (…, in, out) with the sizes before counting into both; (n) is both.
 */
#ifndef LOCKSTEP_INITIALIZERS_H
#define LOCKSTEP_INITIALIZERS_H

#include <lockstep/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How to draw the first value of a weight; all zero means the layer's default. Fill one for a way of your own. */
typedef struct ls_initializer {
    ls_tensor (*make)(const struct ls_initializer *self, ls_context *ls, ls_shape shape);
    float parameter[3];
} ls_initializer;

/* Every element has one value: 0, 1, or `value`. */
LS_API ls_initializer ls_zeros_initializer(void);
LS_API ls_initializer ls_ones_initializer(void);
LS_API ls_initializer ls_constant_initializer(float value);

/** Uniform in [minimum, maximum). keras.initializers.RandomUniform, whose default is -0.05, 0.05. */
LS_API ls_initializer ls_random_uniform_initializer(float minimum, float maximum);
/** Normal. keras.initializers.RandomNormal, whose default is 0, 0.05. */
LS_API ls_initializer ls_random_normal_initializer(float mean, float stddev);
/** Normal, drawn again outside of two deviations. keras.initializers.TruncatedNormal, 0, 0.05. */
LS_API ls_initializer ls_truncated_normal_initializer(float mean, float stddev);

/** How many inputs an output has, how many outputs an input, or the mean of both; and what is drawn from. */
typedef enum ls_fan { LS_FAN_IN, LS_FAN_OUT, LS_FAN_AVG } ls_fan;
typedef enum ls_distribution { LS_TRUNCATED_NORMAL, LS_UNTRUNCATED_NORMAL, LS_UNIFORM } ls_distribution;

/**
 * With n the fan (at least 1) and v = scale / n: truncated normal of deviation sqrt(v) / 0.87962566103423978,
 * normal of deviation sqrt(v), or uniform in [-sqrt(3 v), sqrt(3 v)). keras.initializers.VarianceScaling.
 */
LS_API ls_initializer ls_variance_scaling(float scale, ls_fan fan, ls_distribution distribution);
/* Variance scaling: average fan, scale 1. Glorot and Bengio, "Understanding the difficulty of training …", 2010. */
LS_API ls_initializer ls_glorot_uniform(void);
LS_API ls_initializer ls_glorot_normal(void);
/* Fan in, scale 2. He et al., "Delving deep into rectifiers", 2015. */
LS_API ls_initializer ls_he_uniform(void);
LS_API ls_initializer ls_he_normal(void);
/* Fan in, scale 1. LeCun et al., "Efficient BackProp", 1998; Klambauer et al., 2017. */
LS_API ls_initializer ls_lecun_uniform(void);
LS_API ls_initializer ls_lecun_normal(void);

/**
 * `gain` times a matrix with orthonormal columns (or rows, whichever are fewer) of a shape flattened to
 * (…, last): a normal matrix by Gram and Schmidt, done twice. Rank 2 and up. keras.initializers.Orthogonal.
 */
LS_API ls_initializer ls_orthogonal(float gain);
/** `gain` on the diagonal, else 0; rank 2. keras.initializers.Identity. */
LS_API ls_initializer ls_identity_initializer(float gain);

#ifdef __cplusplus
}
#endif
#endif
