/* SPDX-License-Identifier: Apache-2.0
 *
 * Reductions and scans. See ops.h for what all ops share.
 */
#ifndef LOCKSTEP_REDUCE_H
#define LOCKSTEP_REDUCE_H

#include <lockstep/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Reductions over `count` axes (0 of them with axes NULL: all). keepdims leaves sizes of 1.
 * LS_INVALID_ARGUMENT for an axis out of range or named twice, or a count of axes that are NULL ---- */

/** Sum in the canonical order (canon.md rules 8 and 9); float32 or int32. Of nothing: 0. */
LS_API ls_tensor ls_sum(ls_tensor a, const int *axes, int count, bool keepdims);
/** sum / n, one division; float32. Of nothing: NaN. */
LS_API ls_tensor ls_mean(ls_tensor a, const int *axes, int count, bool keepdims);
/**
 * Product in the order of sums, with 1 in place of 0; float32 or int32 (modulo 2^32). Of nothing: 1.
 * The gradient is right where elements are 0, and so are those of higher order.
 */
LS_API ls_tensor ls_prod(ls_tensor a, const int *axes, int count, bool keepdims);
/**
 * Largest (smallest) element; float32 or int32; the gradient is split evenly among ties. Of nothing:
 * LS_INVALID_ARGUMENT. NaN operands: NaN compares as neither greater nor smaller, so whether one gets through depends
 * on where it stands, and the guarantee of equal bits ends (canon.md rules 10 and 19): the reference gives 1 for the max
 * of [1, NaN] and NaN for that of [NaN, 1], where TensorFlow has NaN twice. LOCKSTEP_CHECK=numerics names the op that
 * made the NaN.
 */
LS_API ls_tensor ls_max(ls_tensor a, const int *axes, int count, bool keepdims);
LS_API ls_tensor ls_min(ls_tensor a, const int *axes, int count, bool keepdims);
/**
 * Position of the largest (smallest) element along one axis, int32; the first one wins. float32 or
 * int32. Of nothing: LS_INVALID_ARGUMENT. NaN operands as in ls_max.
 */
LS_API ls_tensor ls_argmax(ls_tensor a, int axis);
LS_API ls_tensor ls_argmin(ls_tensor a, int axis);
/** Sums a over the dimensions in which it was broadcast, back to `shape`; 16-bit types in float32, rounded once. */
LS_API ls_tensor ls_sum_to(ls_tensor a, ls_shape shape);

/** Whether all elements (any element) of a bool tensor are true; bool. Of nothing: true (false). */
LS_API ls_tensor ls_all(ls_tensor a, const int *axes, int count, bool keepdims);
LS_API ls_tensor ls_any(ls_tensor a, const int *axes, int count, bool keepdims);
/** How many elements of any type are not 0 (NaN is not), int32. */
LS_API ls_tensor ls_count_nonzero(ls_tensor a, const int *axes, int count, bool keepdims);
/** mean((a - mean a)^2), float32: the population's variance, as tf.math.reduce_variance. */
LS_API ls_tensor ls_var(ls_tensor a, const int *axes, int count, bool keepdims);
/** sqrt of ls_var; its gradient is not finite where the variance is 0. */
LS_API ls_tensor ls_std(ls_tensor a, const int *axes, int count, bool keepdims);
/** ls_mean into `*mean` and ls_var into `*variance` (tf.nn.moments). Both nil on error. */
LS_API ls_status ls_moments(ls_tensor a, const int *axes, int count, bool keepdims, ls_tensor *mean,
                            ls_tensor *variance);
/** log sum e^a without overflow: log sum e^(a - m) + m with m the maximum. float32. Of nothing: -Inf. */
LS_API ls_tensor ls_logsumexp(ls_tensor a, const int *axes, int count, bool keepdims);

/** 1: sum |a|; 2: sqrt(sum a^2), not scaled against overflow; infinity: max |a|, not of nothing. */
typedef enum ls_norm_order { LS_NORM_1 = 1, LS_NORM_2 = 2, LS_NORM_INFINITY = 3 } ls_norm_order;
/** The norm of the elements along the axes as one vector, float32. Norm 2 has gradient 0 at 0. */
LS_API ls_tensor ls_norm(ls_tensor a, ls_norm_order order, const int *axes, int count, bool keepdims);

/* ---- Scans: one element after the other along an axis, from the first (`reverse`: the last) on.
 * Each result is rounded once more than the one before it; there is no regrouping ---- */

/** Running sums y_i = y_(i-1) + a_i from +0; `exclusive`: without a_i. float32 or int32 (modulo 2^32). */
LS_API ls_tensor ls_cumsum(ls_tensor a, int axis, bool exclusive, bool reverse);
/** Running products from 1, as ls_cumsum. The gradient is right where elements are 0, to any order. */
LS_API ls_tensor ls_cumprod(ls_tensor a, int axis, bool exclusive, bool reverse);
/**
 * y_i = fma(a_i, y_(i-1), b_i) from y = 0: moving averages, discounted returns, diagonal state-space
 * layers. a and b have one shape; float32.
 */
LS_API ls_tensor ls_linear_recurrence(ls_tensor a, ls_tensor b, int axis, bool reverse);

#ifdef __cplusplus
}
#endif
#endif
