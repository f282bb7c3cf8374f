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
LS_API ls_tensor ls_abs(ls_tensor a);        /**< |a|; gradient sign(a); also int32 */
LS_API ls_tensor ls_sign(ls_tensor a);       /**< -1, 0 or 1 (a NaN stays NaN); gradient 0; also int32 */
LS_API ls_tensor ls_square(ls_tensor a);     /**< a * a; also int32, modulo 2^32 */
LS_API ls_tensor ls_reciprocal(ls_tensor a); /**< 1 / a, correctly rounded */
LS_API ls_tensor ls_sqrt(ls_tensor a);       /**< square root, correctly rounded; NaN below 0 */
LS_API ls_tensor ls_rsqrt(ls_tensor a);      /**< 1 / sqrt(a) */
LS_API ls_tensor ls_cbrt(ls_tensor a);       /**< cube root; that of a negative number is negative */
LS_API ls_tensor ls_exp(ls_tensor a);        /**< e^a; +0 where the result is below 2^-126 */
LS_API ls_tensor ls_exp2(ls_tensor a);       /**< 2^a */
LS_API ls_tensor ls_expm1(ls_tensor a);      /**< e^a - 1 without cancellation near 0 */
LS_API ls_tensor ls_log(ls_tensor a);        /**< natural logarithm; -Inf at 0, NaN below */
LS_API ls_tensor ls_log2(ls_tensor a);       /**< logarithm to base 2; -Inf at 0, NaN below */
LS_API ls_tensor ls_log10(ls_tensor a);      /**< logarithm to base 10; -Inf at 0, NaN below */
LS_API ls_tensor ls_log1p(ls_tensor a);      /**< ln(1 + a) without cancellation near 0 */
LS_API ls_tensor ls_sin(ls_tensor a);        /**< sine of a in radians */
LS_API ls_tensor ls_cos(ls_tensor a);        /**< cosine of a in radians */
LS_API ls_tensor ls_tan(ls_tensor a);        /**< tangent of a in radians */
LS_API ls_tensor ls_asin(ls_tensor a);       /**< angle in [-pi/2, pi/2] whose sine is a; NaN outside [-1, 1] */
LS_API ls_tensor ls_acos(ls_tensor a);       /**< angle in [0, pi] whose cosine is a; NaN outside [-1, 1] */
LS_API ls_tensor ls_atan(ls_tensor a);       /**< angle in [-pi/2, pi/2] whose tangent is a */
LS_API ls_tensor ls_sinh(ls_tensor a);       /**< (e^a - e^-a) / 2 */
LS_API ls_tensor ls_cosh(ls_tensor a);       /**< (e^a + e^-a) / 2 */
LS_API ls_tensor ls_tanh(ls_tensor a);       /**< hyperbolic tangent */
LS_API ls_tensor ls_asinh(ls_tensor a);      /**< inverse of sinh */
LS_API ls_tensor ls_acosh(ls_tensor a);      /**< inverse of cosh, >= 0; NaN below 1 */
LS_API ls_tensor ls_atanh(ls_tensor a);      /**< inverse of tanh; NaN outside [-1, 1] */
LS_API ls_tensor ls_erf(ls_tensor a);        /**< error function, 2/sqrt(pi) * integral of e^-t^2 */
LS_API ls_tensor ls_erfc(ls_tensor a);       /**< 1 - erf(a) without cancellation */
LS_API ls_tensor ls_erfinv(ls_tensor a);     /**< inverse of erf; +-Inf at +-1, NaN outside */
LS_API ls_tensor ls_floor(ls_tensor a);      /**< largest whole number <= a; has no gradient: LS_NO_GRADIENT if asked for */
LS_API ls_tensor ls_ceil(ls_tensor a);       /**< smallest whole number >= a; no gradient, as ls_floor */
LS_API ls_tensor ls_round(ls_tensor a);      /**< nearest whole number, half to even; no gradient, as ls_floor */
LS_API ls_tensor ls_trunc(ls_tensor a);      /**< a without its fraction, towards 0; no gradient, as ls_floor */

/* ---- Activations, float32; definitions and gradients at corners are those of Keras 3 ---- */

LS_API ls_tensor ls_relu(ls_tensor a);         /**< max(a, 0); gradient 0 at 0, as in Keras */
LS_API ls_tensor ls_relu6(ls_tensor a);        /**< min(max(a, 0), 6); gradient 0 at 0 and at 6 */
LS_API ls_tensor ls_sigmoid(ls_tensor a);      /**< 1 / (1 + e^-a) */
LS_API ls_tensor ls_log_sigmoid(ls_tensor a);  /**< ln(sigmoid(a)), without overflow */
LS_API ls_tensor ls_hard_sigmoid(ls_tensor a); /**< a / 6 + 0.5 clipped to [0, 1]; gradient 1/6 at -3 and at 3 */
LS_API ls_tensor ls_sparse_sigmoid(ls_tensor a); /**< (a + 1) / 2 clipped to [0, 1]; gradient 0 at -1 and at 1 */
LS_API ls_tensor ls_silu(ls_tensor a);         /**< a * sigmoid(a), also called swish */
LS_API ls_tensor ls_hard_silu(ls_tensor a);    /**< a * hard_sigmoid(a) */
LS_API ls_tensor ls_hard_tanh(ls_tensor a);    /**< a clipped to [-1, 1]; gradient 1 at -1 and at 1 */
LS_API ls_tensor ls_tanh_shrink(ls_tensor a);  /**< a - tanh(a) */
LS_API ls_tensor ls_softplus(ls_tensor a);     /**< ln(1 + e^a), without overflow */
LS_API ls_tensor ls_softsign(ls_tensor a);     /**< a / (1 + |a|) */
LS_API ls_tensor ls_mish(ls_tensor a);         /**< a * tanh(softplus(a)) (Misra, 2019) */
/**
 * scale * (a > 0 ? a : alpha * (e^a - 1)), scale 1.0507, alpha 1.6733 (Klambauer et al., 2017); gradient
 * scale at 0.
 */
LS_API ls_tensor ls_selu(ls_tensor a);

/** a > 0 ? a : slope * a, with one number for the slope; gradient slope at 0. */
LS_API ls_tensor ls_leaky_relu(ls_tensor a, float slope);
/** a > 0 ? a : alpha * a, with a tensor of slopes that is broadcast and learned; gradient to a 0 at 0. */
LS_API ls_tensor ls_prelu(ls_tensor a, ls_tensor alpha);
/** a > 0 ? a : alpha * (e^a - 1) (Clevert et al., 2016); gradient alpha at 0. */
LS_API ls_tensor ls_elu(ls_tensor a, float alpha);
/**
 * a > 0 ? a : alpha * (e^(a / alpha) - 1) (Barron, 2017); gradient 1 at 0, the slope on both sides, where Keras on
 * TensorFlow adds up the slopes of its two parts and gets 2. LS_INVALID_ARGUMENT where alpha is 0 or NaN.
 */
LS_API ls_tensor ls_celu(ls_tensor a, float alpha);
/** a * Phi(a) with the normal distribution Phi, or its form with tanh (Hendrycks and Gimpel, 2016). */
LS_API ls_tensor ls_gelu(ls_tensor a, bool approximate);
/** |a| > threshold ? a : 0; gradient 0 at the threshold. LS_INVALID_ARGUMENT unless threshold >= 0. */
LS_API ls_tensor ls_hard_shrink(ls_tensor a, float threshold);
/**
 * a moved by `threshold` towards 0, and 0 where it would pass it; gradient 0 at the threshold.
 * LS_INVALID_ARGUMENT unless threshold >= 0.
 */
LS_API ls_tensor ls_soft_shrink(ls_tensor a, float threshold);
/** a > threshold ? a : value; gradient 0 at the threshold. */
LS_API ls_tensor ls_threshold(ls_tensor a, float threshold, float value);
/**
 * (a + sqrt(a^2 + b)) / 2, without overflow or cancellation; b is 4 in Keras. LS_INVALID_ARGUMENT unless b >= 0;
 * with b = 0 the gradient at 0 is NaN.
 */
LS_API ls_tensor ls_squareplus(ls_tensor a, float b);
/**
 * min(max(a, minimum), maximum); gradient 1 at both bounds. float32 or int32, whose bounds must be whole;
 * an infinite bound is none. A NaN stays NaN. LS_INVALID_ARGUMENT where minimum > maximum or one is NaN.
 */
LS_API ls_tensor ls_clip(ls_tensor a, float minimum, float maximum);

/* ---- Elementwise over two inputs, broadcast; float32, and int32 where said ---- */

LS_API ls_tensor ls_add(ls_tensor a, ls_tensor b);     /**< a + b; also int32, modulo 2^32 */
LS_API ls_tensor ls_sub(ls_tensor a, ls_tensor b);     /**< a - b; also int32, modulo 2^32 */
LS_API ls_tensor ls_mul(ls_tensor a, ls_tensor b);     /**< a * b; also int32, modulo 2^32 */
LS_API ls_tensor ls_div(ls_tensor a, ls_tensor b);     /**< a / b, correctly rounded */
LS_API ls_tensor ls_pow(ls_tensor a, ls_tensor b);     /**< a^b; gradient to b is 0 where a <= 0 */
/**
 * a > b ? a : b; also int32; a tie's gradient goes to a. NaN operands: a NaN compares as not greater, so the
 * result and the gradient are b's where either is NaN: maximum(NaN, 0) is 0 and maximum(0, NaN) is NaN, where
 * TensorFlow has NaN twice (canon.md rules 10 and 19).
 */
LS_API ls_tensor ls_maximum(ls_tensor a, ls_tensor b);
/** a < b ? a : b; also int32; a tie's gradient goes to a. NaN operands as in ls_maximum: b's where either is NaN. */
LS_API ls_tensor ls_minimum(ls_tensor a, ls_tensor b);
/** floor(a / b); no gradient, as ls_floor; also int32, where x / 0 is 0. */
LS_API ls_tensor ls_floor_div(ls_tensor a, ls_tensor b);
/**
 * What is left of a after whole multiples of b, with the sign of b; gradient to b -floor(a / b). Also
 * int32, where x mod 0 is 0.
 */
LS_API ls_tensor ls_mod(ls_tensor a, ls_tensor b);
/** The angle of the point (x, y) in [-pi, pi]; both gradients are 0 at (0, 0). */
LS_API ls_tensor ls_atan2(ls_tensor y, ls_tensor x);
LS_API ls_tensor ls_hypot(ls_tensor a, ls_tensor b);     /**< sqrt(a^2 + b^2) without overflow; gradients 0 at (0, 0) */
LS_API ls_tensor ls_logaddexp(ls_tensor a, ls_tensor b); /**< ln(e^a + e^b), without overflow */
LS_API ls_tensor ls_fma(ls_tensor a, ls_tensor b, ls_tensor c); /**< a * b + c, rounded once */

/** dy where y > 0, else 0: the gradient of relu, given its result y. */
LS_API ls_tensor ls_relu_grad(ls_tensor dy, ls_tensor y);

/* Comparisons of float32 or of int32; bool results, at which the way back ends. NaN is equal, less and greater to nothing. */
LS_API ls_tensor ls_equal(ls_tensor a, ls_tensor b);         /**< a == b */
LS_API ls_tensor ls_not_equal(ls_tensor a, ls_tensor b);     /**< a != b */
LS_API ls_tensor ls_less(ls_tensor a, ls_tensor b);          /**< a < b */
LS_API ls_tensor ls_less_equal(ls_tensor a, ls_tensor b);    /**< a <= b */
LS_API ls_tensor ls_greater(ls_tensor a, ls_tensor b);       /**< a > b */
LS_API ls_tensor ls_greater_equal(ls_tensor a, ls_tensor b); /**< a >= b */
LS_API ls_tensor ls_logical_and(ls_tensor a, ls_tensor b);   /**< bool and bool */
LS_API ls_tensor ls_logical_or(ls_tensor a, ls_tensor b);    /**< bool or bool */
LS_API ls_tensor ls_logical_xor(ls_tensor a, ls_tensor b);   /**< one bool and not the other */
LS_API ls_tensor ls_logical_not(ls_tensor a);                /**< not bool */

/* Of float32; bool results, no gradient. */
LS_API ls_tensor ls_isnan(ls_tensor a);    /**< a is not a number */
LS_API ls_tensor ls_isinf(ls_tensor a);    /**< a is +Inf or -Inf */
LS_API ls_tensor ls_isfinite(ls_tensor a); /**< a is neither infinite nor NaN */

/** condition ? a : b. `condition` is bool; a and b have one type; all three are broadcast. */
LS_API ls_tensor ls_where(ls_tensor condition, ls_tensor a, ls_tensor b);

/**
 * Converts to another type. float32 to int32 truncates towards zero and saturates, NaN gives 0;
 * to bool is a != 0; to uint8 keeps the low 8 bits of the int32; int32 to float32 rounds to nearest.
 * float32 to float16 and bfloat16 rounds to nearest, ties to even: subnormals are right, what is too
 * large becomes infinite, NaN stays NaN; back it is exact. Between a 16-bit type and any other type it goes
 * by way of float32. Gradients pass between the three float types, cast to the type of `a`, as if nothing
 * had been rounded.
 */
LS_API ls_tensor ls_cast(ls_tensor a, ls_dtype dtype);

/** The same values, cut off from every tape: the gradient does not pass. Shares storage. */
LS_API ls_tensor ls_stop_gradient(ls_tensor a);

#ifdef __cplusplus
}
#endif
#endif
