/* SPDX-License-Identifier: Apache-2.0
 *
 * Elementwise ops, one row each in lib/ops/elementwise.def. See ops.h for what all ops share.
 */
#ifndef LOCKSTEP_ELEMENTWISE_H
#define LOCKSTEP_ELEMENTWISE_H

#include <lockstep/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Elementwise, float32 unless said otherwise; y has the shape of a ---- */

LS_API ls_tensor ls_neg(ls_tensor a);        /**< -a; also int32 */
LS_API ls_tensor ls_abs(ls_tensor a);        /**< |a|; gradient sign(a) */
LS_API ls_tensor ls_sign(ls_tensor a);       /**< -1, 0 or 1 (a NaN stays NaN); gradient 0 */
LS_API ls_tensor ls_square(ls_tensor a);     /**< a * a */
LS_API ls_tensor ls_reciprocal(ls_tensor a); /**< 1 / a, correctly rounded */
LS_API ls_tensor ls_sqrt(ls_tensor a);       /**< square root, correctly rounded; NaN below 0 */
LS_API ls_tensor ls_rsqrt(ls_tensor a);      /**< 1 / sqrt(a) */
LS_API ls_tensor ls_exp(ls_tensor a);        /**< e^a; +0 where the result is below 2^-126 */
LS_API ls_tensor ls_expm1(ls_tensor a);      /**< e^a - 1 without cancellation near 0 */
LS_API ls_tensor ls_log(ls_tensor a);        /**< natural logarithm; -Inf at 0, NaN below */
LS_API ls_tensor ls_log1p(ls_tensor a);      /**< ln(1 + a) without cancellation near 0 */
LS_API ls_tensor ls_sin(ls_tensor a);        /**< sine of a in radians */
LS_API ls_tensor ls_cos(ls_tensor a);        /**< cosine of a in radians */
LS_API ls_tensor ls_tanh(ls_tensor a);       /**< hyperbolic tangent */
LS_API ls_tensor ls_sigmoid(ls_tensor a);    /**< 1 / (1 + e^-a) */
LS_API ls_tensor ls_erf(ls_tensor a);        /**< error function, 2/sqrt(pi) * integral of e^-t^2 */
LS_API ls_tensor ls_relu(ls_tensor a);       /**< max(a, 0); gradient 0 at 0, as in Keras */
LS_API ls_tensor ls_floor(ls_tensor a);      /**< largest whole number <= a; has no gradient */

/* ---- Elementwise over two inputs, broadcast; float32, and int32 where said ---- */

LS_API ls_tensor ls_add(ls_tensor a, ls_tensor b);     /**< a + b; also int32, modulo 2^32 */
LS_API ls_tensor ls_sub(ls_tensor a, ls_tensor b);     /**< a - b; also int32, modulo 2^32 */
LS_API ls_tensor ls_mul(ls_tensor a, ls_tensor b);     /**< a * b; also int32, modulo 2^32 */
LS_API ls_tensor ls_div(ls_tensor a, ls_tensor b);     /**< a / b, correctly rounded */
LS_API ls_tensor ls_pow(ls_tensor a, ls_tensor b);     /**< a^b; gradient to b is 0 where a <= 0 */
LS_API ls_tensor ls_maximum(ls_tensor a, ls_tensor b); /**< a > b ? a : b; a tie's gradient goes to a */
LS_API ls_tensor ls_minimum(ls_tensor a, ls_tensor b); /**< a < b ? a : b; a tie's gradient goes to a */
LS_API ls_tensor ls_fma(ls_tensor a, ls_tensor b, ls_tensor c); /**< a * b + c, rounded once */

/** dy where y > 0, else 0: the gradient of relu, given its result y. */
LS_API ls_tensor ls_relu_grad(ls_tensor dy, ls_tensor y);

/* Comparisons of float32 or of int32; bool results, no gradient. */
LS_API ls_tensor ls_equal(ls_tensor a, ls_tensor b);         /**< a == b */
LS_API ls_tensor ls_not_equal(ls_tensor a, ls_tensor b);     /**< a != b */
LS_API ls_tensor ls_less(ls_tensor a, ls_tensor b);          /**< a < b */
LS_API ls_tensor ls_less_equal(ls_tensor a, ls_tensor b);    /**< a <= b */
LS_API ls_tensor ls_greater(ls_tensor a, ls_tensor b);       /**< a > b */
LS_API ls_tensor ls_greater_equal(ls_tensor a, ls_tensor b); /**< a >= b */
LS_API ls_tensor ls_logical_and(ls_tensor a, ls_tensor b);   /**< bool and bool */
LS_API ls_tensor ls_logical_or(ls_tensor a, ls_tensor b);    /**< bool or bool */
LS_API ls_tensor ls_logical_not(ls_tensor a);                /**< not bool */

/** condition ? a : b. `condition` is bool; a and b have one type; all three are broadcast. */
LS_API ls_tensor ls_where(ls_tensor condition, ls_tensor a, ls_tensor b);

/**
 * Converts to another type. float32 to int32 truncates towards zero and saturates, NaN gives 0;
 * to bool is a != 0; to uint8 keeps the low 8 bits of the int32; int32 to float32 rounds to nearest.
 * The gradient passes from float32 to float32 only.
 */
LS_API ls_tensor ls_cast(ls_tensor a, ls_dtype dtype);

/** The same values, cut off from every tape: the gradient does not pass. Shares storage. */
LS_API ls_tensor ls_stop_gradient(ls_tensor a);

#ifdef __cplusplus
}
#endif
#endif
