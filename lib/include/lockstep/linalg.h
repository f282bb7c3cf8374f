/* SPDX-License-Identifier: Apache-2.0
 *
 * Products of matrices. See ops.h for what all ops share.
 */
#ifndef LOCKSTEP_LINALG_H
#define LOCKSTEP_LINALG_H

#include <lockstep/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Linear algebra, float32 ---- */

/** Up to LS_ACTIVATION_COUNT: what an op can apply last. Layers also take those behind it (layers.h). */
typedef enum ls_activation {
    LS_LINEAR, LS_RELU, LS_SIGMOID, LS_TANH, LS_ACTIVATION_COUNT,
    LS_CELU = LS_ACTIVATION_COUNT, LS_ELU, LS_EXPONENTIAL, LS_GELU, LS_HARD_SHRINK, LS_HARD_SIGMOID, LS_HARD_SILU,
    LS_HARD_TANH, LS_LEAKY_RELU, LS_LOG_SIGMOID, LS_LOG_SOFTMAX, LS_MISH, LS_RELU6, LS_SELU, LS_SILU, LS_SOFTMAX,
    LS_SOFT_SHRINK, LS_SOFTPLUS, LS_SOFTSIGN, LS_SPARSE_SIGMOID, LS_SQUAREPLUS, LS_TANH_SHRINK,
    LS_LAYER_ACTIVATION_COUNT
} ls_activation;

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

/** sum a_i b_i of two vectors of one length: rank 0, one fma chain. */
LS_API ls_tensor ls_dot(ls_tensor a, ls_tensor b);
/** a_i b_j of two vectors: (m), (n) -> (m, n). */
LS_API ls_tensor ls_outer(ls_tensor a, ls_tensor b);
/**
 * Sums products over `count` pairs of axes, axes_a[i] of a with axes_b[i] of b, of equal size: the
 * result has the other axes of a, then those of b. One matmul; k runs through the pairs in their order.
 */
LS_API ls_tensor ls_tensordot(ls_tensor a, ls_tensor b, const int *axes_a, const int *axes_b, int count);
/**
 * Einstein's notation for one or two operands, "bij,bjk->bik": letters name dimensions; those that
 * are not in the result are summed, one that stands twice in a term means the diagonal. Labels of one
 * operand alone are summed first; the rest is one matmul, k running through the labels in the order
 * of the first term. The result's labels must be written; no ellipsis. Errors: LS_INVALID_ARGUMENT for
 * the text, LS_SHAPE_MISMATCH where it does not fit.
 */
LS_API ls_tensor ls_einsum(const char *equation, const ls_tensor *operands, int count);

/** The inputs of ls_triangular_solve and its options. */
typedef struct ls_triangular_solve_options {
    ls_tensor a, b;
    bool upper;       /* the upper triangle of a is the matrix, not the lower */
    bool transpose_a; /* that matrix transposed */
} ls_triangular_solve_options;

/**
 * x of op(a) x = b: a (…, n, n), of which one triangle is read, b (…, n, columns) -> b's shape. By halves,
 * which matrix products couple (canon.md rule 28); a 0 on the diagonal gives Inf or NaN. About 5 n
 * primitive calls: for matrices of up to some hundred rows, any number of them at once.
 * Errors: LS_SHAPE_MISMATCH. tf.linalg.triangular_solve.
 */
LS_API ls_tensor ls_triangular_solve_with(const ls_triangular_solve_options *options);
/** ls_triangular_solve(a, b) or ls_triangular_solve(a, b, .upper = true, .transpose_a = true). */
#define ls_triangular_solve(...)                                                                   \
    ls_triangular_solve_with(&(ls_triangular_solve_options){.a = __VA_ARGS__})

/**
 * The lower triangular L with L L^T = a: symmetric positive definite matrices (…, n, n), of which the lower
 * triangle is read -> (…, n, n), zeros above the diagonal. NaN where a is not positive definite. The
 * gradient is symmetric. Order and cost as ls_triangular_solve. tf.linalg.cholesky.
 */
LS_API ls_tensor ls_cholesky(ls_tensor a);

#ifdef __cplusplus
}
#endif
#endif
