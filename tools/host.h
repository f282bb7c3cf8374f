/* SPDX-License-Identifier: Apache-2.0
 *
 * What the processor can do by itself: the yardstick of the benchmark, and the host's own word on
 * which bits are right. Some of it is compiled once per instruction set; host.c chooses the best one.
 */
#ifndef LOCKSTEP_TOOLS_HOST_H
#define LOCKSTEP_TOOLS_HOST_H

#include <stdint.h>

/** Floating-point operations per second of all threads at dependent fmas in registers, each counted
 * as two; unfused multiply and add where the instruction set has no fma. The best of some tries. */
double host_peak(void);

/** The instruction set and the number of threads that host_peak used. */
const char *host_isa(void);
int host_threads(void);

/** c (m, n) = a (m, k) b (k, n): one chain per output (canon.md rule 6), one scalar at a time. */
void host_gemm(const float *a, const float *b, float *c, int64_t m, int64_t n, int64_t k);

/* ---- What host_isa.c and host_spin.c define for each instruction set ---- */

struct host_code {
    /* Runs `rounds` rounds of multiply-adds in registers; returns how many operations that were. */
    double (*spin)(int64_t rounds);
    /* One row of host_gemm: a (k), b (k, n), c (n). */
    void (*gemm_row)(const float *a, const float *b, float *c, int64_t n, int64_t k);
};

extern const struct host_code host_code_baseline, host_code_avx2, host_code_avx512, host_code_neon;

#endif
