/* SPDX-License-Identifier: Apache-2.0
 *
 * A product as the canon has it, compiled once per instruction set with -DLS_ISA=<name>.
 */
#include <math.h>

#include "host.h"

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

double JOIN(host_spin_, LS_ISA)(int64_t rounds);

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

const struct host_code JOIN(host_code_, LS_ISA) = {JOIN(host_spin_, LS_ISA), gemm_row};
