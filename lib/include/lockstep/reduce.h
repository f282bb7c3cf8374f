/* SPDX-License-Identifier: Apache-2.0
 *
 * Reductions. See ops.h for what all ops share.
 */
#ifndef LOCKSTEP_REDUCE_H
#define LOCKSTEP_REDUCE_H

#include <lockstep/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Reductions over `count` axes (0 of them with axes NULL: all). keepdims leaves sizes of 1 ---- */

/** Sum in the canonical order (canon.md rules 8 and 9); float32 or int32. Of nothing: 0. */
LS_API ls_tensor ls_sum(ls_tensor a, const int *axes, int count, bool keepdims);
/** sum / n, one division; float32. Of nothing: NaN. */
LS_API ls_tensor ls_mean(ls_tensor a, const int *axes, int count, bool keepdims);
/** Largest (smallest) element; float32 or int32; the gradient is split evenly among ties. */
LS_API ls_tensor ls_max(ls_tensor a, const int *axes, int count, bool keepdims);
LS_API ls_tensor ls_min(ls_tensor a, const int *axes, int count, bool keepdims);
/** Position of the largest (smallest) float32 element along one axis, int32; the first one wins. */
LS_API ls_tensor ls_argmax(ls_tensor a, int axis);
LS_API ls_tensor ls_argmin(ls_tensor a, int axis);
/** Sums a over the dimensions in which it was broadcast, back to `shape`. */
LS_API ls_tensor ls_sum_to(ls_tensor a, ls_shape shape);

#ifdef __cplusplus
}
#endif
#endif
