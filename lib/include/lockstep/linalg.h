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

#ifdef __cplusplus
}
#endif
#endif
