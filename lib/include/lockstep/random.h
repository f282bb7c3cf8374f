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

/** Uniform in [low, high): low + u * (high - low) by one fma, u a multiple of 2^-24. */
LS_API ls_tensor ls_random_uniform(ls_context *ls, ls_shape shape, float low, float high);
/** Normal by Box-Muller: mean + z * stddev by one fma. */
LS_API ls_tensor ls_random_normal(ls_context *ls, ls_shape shape, float mean, float stddev);

#ifdef __cplusplus
}
#endif
#endif
