/* SPDX-License-Identifier: Apache-2.0
 *
 * Compiled once per instruction set with -DLS_ISA=<name> and that set's flags.
 */
#include <math.h>
#include <stddef.h>

#include "host.h"

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define HOST_CODE JOIN(host_code_, LS_ISA)

#if defined __AVX512F__
enum { LANES = 16, CHAINS = 12 };
#elif defined __AVX2__
enum { LANES = 8, CHAINS = 12 };
#elif defined __aarch64__
enum { LANES = 4, CHAINS = 24 };
#else
enum { LANES = 4, CHAINS = 8 };
#endif

/* Without an fma instruction fmaf is a library call, which says nothing about the processor. */
#if defined FP_FAST_FMAF
#define MULTIPLY_ADD(a, b, c) fmaf(a, b, c)
#else
#define MULTIPLY_ADD(a, b, c) ((a) * (b) + (c))
#endif

/* CHAINS independent chains of LANES each hide the latency and fit the registers. x = 0.75 x + 0.25
 * stays near 1, far from subnormals. */
static float spin(int64_t rounds)
{
    volatile float factor_given = 0.75f, term_given = 0.25f; /* not known to the compiler */
    float factor = factor_given, term = term_given, x[CHAINS][LANES];
    for (int c = 0; c < CHAINS; c++)
        for (int l = 0; l < LANES; l++)
            x[c][l] = (float)(c + l);
    for (int64_t r = 0; r < rounds; r++)
        for (int c = 0; c < CHAINS; c++)
            for (int l = 0; l < LANES; l++)
                x[c][l] = MULTIPLY_ADD(x[c][l], factor, term);
    float sum = 0;
    for (int c = 0; c < CHAINS; c++)
        for (int l = 0; l < LANES; l++)
            sum += x[c][l];
    return sum;
}

/* The block length of canon.md rule 6, said here once more: this code checks the library. */
enum { BLOCK = 1024 };

static void gemm_row(const float *restrict a, const float *restrict b, float *restrict c, int64_t n, int64_t k)
{
    enum { COLUMNS = 64 };
    for (int64_t j0 = 0; j0 < n; j0 += COLUMNS) {
        int64_t columns = n - j0 < COLUMNS ? n - j0 : COLUMNS;
        float sum[COLUMNS] = {0};
        for (int64_t k0 = 0; k0 < k; k0 += BLOCK) {
            float chain[COLUMNS] = {0};
            for (int64_t i = k0; i < k && i < k0 + BLOCK; i++)
                for (int64_t j = 0; j < columns; j++)
                    chain[j] = fmaf(a[i], b[i * n + j0 + j], chain[j]);
            for (int64_t j = 0; j < columns; j++)
                sum[j] = k0 == 0 ? chain[j] : sum[j] + chain[j];
        }
        for (int64_t j = 0; j < columns; j++)
            c[j0 + j] = sum[j];
    }
}

const struct host_code HOST_CODE = {spin, 2.0 * CHAINS * LANES, gemm_row};
