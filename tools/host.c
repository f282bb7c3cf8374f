/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stddef.h>

#if defined _OPENMP
#include <omp.h>
#endif

#include "bench.h"
#include "host.h"

static struct {
    const char *name;
    const struct host_code *code;
} best;

static const struct host_code *code(void)
{
    if (best.code)
        return best.code;
#if defined LS_HAVE_BASELINE
    best.name = "baseline", best.code = &host_code_baseline;
#endif
#if defined LS_HAVE_NEON
    best.name = "neon", best.code = &host_code_neon;
#endif
#if defined LS_HAVE_AVX2
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        best.name = "avx2", best.code = &host_code_avx2;
#endif
#if defined LS_HAVE_AVX512
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("fma"))
        best.name = "avx512", best.code = &host_code_avx512;
#endif
    return best.code;
}

const char *host_isa(void)
{
    code();
    return best.name;
}

int host_threads(void)
{
#if defined _OPENMP
    return omp_get_max_threads();
#else
    return 1;
#endif
}

/* Operations per second while all threads spin: from the first one's start to the last one's end. */
static double rate(int64_t rounds)
{
    double begin = INFINITY, end = 0, operations = 0;
#if defined _OPENMP
#pragma omp parallel
#endif
    {
#if defined _OPENMP
#pragma omp barrier
#endif
        double mine = bench_now(), done = code()->spin(rounds), then = bench_now();
#if defined _OPENMP
#pragma omp critical
#endif
        {
            begin = fmin(begin, mine);
            end = fmax(end, then);
            operations += done;
        }
    }
    return operations / (end - begin);
}

double host_peak(void)
{
    enum { TRIES = 20 };
    double seconds = 0, best_rate = 0;
    int64_t rounds = 1 << 10;
    while (seconds < 0.01) { /* one thread */
        rounds *= 2;
        double begin = bench_now();
        code()->spin(rounds);
        seconds = bench_now() - begin;
    }
    for (int i = 0; i < TRIES; i++)
        best_rate = fmax(best_rate, rate(rounds));
    return best_rate;
}

void host_gemm(const float *a, const float *b, float *c, int64_t m, int64_t n, int64_t k)
{
    const struct host_code *host = code();
#if defined _OPENMP
#pragma omp parallel for schedule(dynamic, 8)
#endif
    for (int64_t i = 0; i < m; i++)
        host->gemm_row(a + i * k, b, c + i * n, n, k);
}
