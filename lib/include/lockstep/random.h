/* SPDX-License-Identifier: Apache-2.0
 *
 * Random numbers. See ops.h for what all ops share.
 */
#ifndef LOCKSTEP_RANDOM_H
#define LOCKSTEP_RANDOM_H

#include <lockstep/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Random numbers: a function of seed, stream, step and element index alone ---- */

/**
 * Uniform in [low, high): low + u * (high - low) by one fma, u a multiple of 2^-24. LS_INVALID_ARGUMENT unless
 * low <= high, and both and their difference are finite.
 */
LS_API ls_tensor ls_random_uniform(ls_context *ls, ls_shape shape, float low, float high);
/** Normal by Box-Muller: mean + z * stddev by one fma. LS_INVALID_ARGUMENT unless both are finite, stddev >= 0. */
LS_API ls_tensor ls_random_normal(ls_context *ls, ls_shape shape, float mean, float stddev);
/**
 * Normal, within two standard deviations: z is the first of 8 draws (streams 0 to 7 of one step) with
 * |z| <= 2, and where there is none, once in 5e10, the last one clamped. Then mean + z * stddev by one fma.
 * Errors as ls_random_normal.
 */
LS_API ls_tensor ls_random_truncated_normal(ls_context *ls, ls_shape shape, float mean, float stddev);
/** True with the given probability: u < probability; bool. */
LS_API ls_tensor ls_random_bernoulli(ls_context *ls, ls_shape shape, float probability);
/** Whole numbers in [low, high), int32: low + floor(u * (high - low)); at most 2^24 different ones. */
LS_API ls_tensor ls_random_randint(ls_context *ls, ls_shape shape, int32_t low, int32_t high);
/**
 * Classes drawn by their unnormalised log-probabilities: logits (…, classes) -> (…, samples) int32, the
 * position of the largest logit - log(-log u), u drawn for (…, samples, classes). No gradient.
 */
LS_API ls_tensor ls_random_categorical(ls_tensor logits, int64_t samples);
/** 0, 1, …, n - 1 in random order, int32: the order of n random ints; equal ones stay in place. */
LS_API ls_tensor ls_random_permutation(ls_context *ls, int64_t n);
/** The rows along `axis` by a random permutation; the gradient goes back where each came from. */
LS_API ls_tensor ls_random_shuffle(ls_tensor a, int axis);

/** Where the random stream stands: ls_set_random_seed makes {seed, 0}; each drawing op adds 1 to step. */
typedef struct ls_random_state {
    uint64_t seed;
    uint32_t step;
} ls_random_state;
/** Reads the state, to be saved. Blocks. Errors: LS_CAPTURE_ERROR inside a captured function; LS_INVALID_ARGUMENT (NULL). */
LS_API ls_status ls_get_random_state(ls_context *ls, ls_random_state *state);
/**
 * Goes on from a saved state: what is drawn next is what was drawn after it was read. A captured function
 * follows the step, but keeps the seed with which it was recorded. Errors as above.
 */
LS_API ls_status ls_set_random_state(ls_context *ls, const ls_random_state *state);

#ifdef __cplusplus
}
#endif
#endif
