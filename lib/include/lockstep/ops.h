/* SPDX-License-Identifier: Apache-2.0
 *
 * The ops. Every op returns a new tensor in the innermost scope, computes on its inputs' device,
 * does not block, and is recorded by listening tapes. Errors are sticky in the context (status.h):
 * the nil tensor comes back, and LS_SHAPE_MISMATCH, LS_DTYPE_MISMATCH, LS_INVALID_ARGUMENT or
 * LS_OUT_OF_MEMORY with a message that names op and shapes. The arithmetic is canon.md's, the same
 * bits on every exact device. Not safe to call for one context from two threads at a time.
 *
 * Broadcasting is NumPy's: shapes are aligned at the last dimension, and a size of 1 (or a missing
 * dimension) is repeated. Types are never converted silently; see ls_cast.
 * Axes may be negative: -1 is the last.
 */
#ifndef LOCKSTEP_OPS_H
#define LOCKSTEP_OPS_H

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

/* ---- Shape; any type. Reshape shares storage, the others copy ---- */

/** The same elements in another shape; one dimension may be -1 and is inferred. */
LS_API ls_tensor ls_reshape(ls_tensor a, ls_shape shape);
/** Inserts a dimension of size 1 before `axis` (of the result). */
LS_API ls_tensor ls_expand_dims(ls_tensor a, int axis);
/** Permutes: result dimension i is a's dimension axes[i]. `axes` has rank entries; NULL reverses. */
LS_API ls_tensor ls_transpose(ls_tensor a, const int *axes);
/** Repeats dimensions of size 1 (and missing leading ones) to fill `shape`. */
LS_API ls_tensor ls_broadcast_to(ls_tensor a, ls_shape shape);
/**
 * a[begin[d] : begin[d] + size[d] * step[d] : step[d]] in every dimension d. `step` may be NULL (all
 * 1) and must not be 0; size -1 means up to the end. Everything must lie inside a.
 */
LS_API ls_tensor ls_slice(ls_tensor a, const int64_t *begin, const int64_t *size, const int64_t *step);
/** The inverse of slice: zeros of `shape` with a written at begin, step. */
LS_API ls_tensor ls_unslice(ls_tensor a, ls_shape shape, const int64_t *begin, const int64_t *step);
/** Joins `count` tensors along `axis`; all other dimensions agree. */
LS_API ls_tensor ls_concat(const ls_tensor *tensors, size_t count, int axis);

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

/* ---- Linear algebra, float32 ---- */

typedef enum ls_activation { LS_LINEAR, LS_RELU, LS_SIGMOID, LS_TANH, LS_ACTIVATION_COUNT } ls_activation;

/** The inputs of ls_matmul and its options; zero options are a plain product. */
typedef struct ls_matmul_options {
    ls_tensor a, b;
    bool transpose_a, transpose_b;
    ls_tensor bias;           /* (n), added to every row of the product; nil: none */
    ls_activation activation; /* applied last */
} ls_matmul_options;

/**
 * activation(op(a) op(b) + bias): (…, m, k) x (…, k, n) -> (…, m, n); leading dimensions broadcast.
 * Each output is one fma chain over k in ascending order (canon.md rule 6).
 */
LS_API ls_tensor ls_matmul_with(const ls_matmul_options *options);
/** ls_matmul(a, b) or ls_matmul(a, b, .transpose_b = true). */
#define ls_matmul(...) ls_matmul_with(&(ls_matmul_options){.a = __VA_ARGS__})

/* ---- Indexing. An index out of range is LS_OUT_OF_RANGE at the next call that waits ---- */

/**
 * Rows of a by index: along `axis`, indices int32 of any shape. The result has a's shape with that
 * dimension replaced by the shape of indices. `gather(table (v, d), ids (b, t)) -> (b, t, d)`.
 */
LS_API ls_tensor ls_gather(ls_tensor a, ls_tensor indices, int axis);
/**
 * base with updates added at indices along `axis`, in ascending position of the indices; float32.
 * updates has the shape that ls_gather(base, indices, axis) would have.
 */
LS_API ls_tensor ls_scatter_add(ls_tensor base, ls_tensor indices, ls_tensor updates, int axis);
/** Ones at the labels' positions: int32 (…) -> float32 (…, depth); a row of zeros where out of range. */
LS_API ls_tensor ls_one_hot(ls_tensor labels, int64_t depth);
/** 0, 1, …, n - 1 as int32. */
LS_API ls_tensor ls_arange(ls_context *ls, int64_t n);

/* ---- Random numbers: a function of seed, stream, step and element index alone ---- */

/** Uniform in [low, high): low + u * (high - low) by one fma, u a multiple of 2^-24. */
LS_API ls_tensor ls_random_uniform(ls_context *ls, ls_shape shape, float low, float high);
/** Normal by Box-Muller: mean + z * stddev by one fma. */
LS_API ls_tensor ls_random_normal(ls_context *ls, ls_shape shape, float mean, float stddev);

/* ---- Networks, float32 ---- */

/** e^(a - max) / sum e^(a - max) along `axis`. */
LS_API ls_tensor ls_softmax(ls_tensor a, int axis);
/** (a - max) - log(sum e^(a - max)) along `axis`. */
LS_API ls_tensor ls_log_softmax(ls_tensor a, int axis);
/** -log softmax(logits)[label]: labels int32 (…), logits (…, classes) -> (…). Keras' from_logits. */
LS_API ls_tensor ls_sparse_softmax_cross_entropy(ls_tensor labels, ls_tensor logits);

#ifdef __cplusplus
}
#endif
#endif
