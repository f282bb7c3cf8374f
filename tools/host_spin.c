/* SPDX-License-Identifier: Apache-2.0
 *
 * As many multiply-adds in registers as the processor can do. Compiled once per instruction set with
 * -DLS_ISA=<name>, and with -ffp-contract=fast, so that they are fmas where there is such an
 * instruction. Nothing that is computed here is used.
 */
#include "host.h"

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

#if defined __AVX512F__
enum { LANES = 16, CHAINS = 12 };
#elif defined __AVX2__
enum { LANES = 8, CHAINS = 12 };
#elif defined __aarch64__
enum { LANES = 4, CHAINS = 16 };
#else
enum { LANES = 4, CHAINS = 8 };
#endif

typedef float lanes __attribute__((vector_size(4 * LANES)));

double JOIN(host_spin_, LS_ISA)(int64_t rounds);

/* CHAINS independent chains hide the latency and fit the registers. x = 0.75 x + 0.25 stays near 1,
 * far from subnormals. The volatile read keeps compilers from running one chain after the other. */
double JOIN(host_spin_, LS_ISA)(int64_t rounds)
{
    volatile float given = 0.75f;
    volatile lanes unknown = {0}; /* so that the chains are not known to be one and the same */
    lanes x[CHAINS];
    for (int c = 0; c < CHAINS; c++)
        x[c] = unknown;
    for (int64_t r = 0; r < rounds; r++) {
        float factor = given;
        for (int c = 0; c < CHAINS; c++)
            x[c] = x[c] * factor + 0.25f;
    }
    for (int c = 0; c < CHAINS; c++)
        unknown = x[c];
    return 2.0 * CHAINS * LANES * (double)rounds;
}
