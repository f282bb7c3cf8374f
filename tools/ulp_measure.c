/* SPDX-License-Identifier: Apache-2.0
 *
 * The largest errors of a function, and a hash of all its results.
 */
#include <math.h>
#include <string.h>

#include "prelude_c.h"

#include "ulp.h"

enum { CHUNK_BLOCKS = 64 };

/* ---- inputs ---- */

/* A bijection of 32-bit words (the finalizer of MurmurHash3, public domain). */
static uint32_t scramble(uint32_t h)
{
    h ^= h >> 16;
    h *= 0x85ebca6bu;
    h ^= h >> 13;
    h *= 0xc2b2ae35u;
    return h ^ (h >> 16);
}

static uint32_t sampled_bits(uint64_t index, uint64_t seed)
{
    uint32_t key = scramble((uint32_t)seed + 0x9e3779b9u * (uint32_t)(seed >> 32));
    return scramble((uint32_t)index ^ key);
}

/* A float whose exponent lies in [low, low + 2^count_bits). */
static float limited(uint32_t bits, int low, int count_bits)
{
    uint32_t exponent = (uint32_t)(low + 127) + ((bits >> 23) & ((1u << count_bits) - 1u));
    return ls_float_of((bits & 0x807fffffu) | (exponent << 23));
}

/* Pairs: any bits; exponents near 0; a base near 1 with a large second argument; quarters of
 * small integers, which hit the exact and the special cases. */
static void pair(uint64_t index, uint64_t seed, float *x, float *y)
{
    uint32_t a = sampled_bits(index, seed);
    uint32_t b = scramble(a + 0x7feb352du);
    switch (index & 3u) {
    case 0:
        *x = ls_float_of(a);
        *y = ls_float_of(b);
        break;
    case 1:
        *x = limited(a, -8, 4);
        *y = limited(b, -8, 4);
        break;
    case 2:
        *x = limited(a, -1, 1);
        *y = limited(b, 0, 5);
        break;
    default:
        *x = (float)((int)(a % 129u) - 64) / 4;
        *y = (float)((int)(b % 129u) - 64) / 4;
        break;
    }
}

/* ---- measuring ---- */

/* One half of the hash: 32-bit arithmetic only, so that any device can compute it. */
static inline uint32_t mix(uint32_t x, uint32_t y, uint32_t result, uint32_t salt)
{
    uint32_t h = x * 0x9e3779b1u + salt;
    h = (h ^ (h >> 15)) * 0x85ebca77u + y;
    h = (h ^ (h >> 13)) * 0xc2b2ae3du + result;
    h = (h ^ (h >> 16)) * 0x27d4eb2fu;
    h = (h ^ (h >> 15)) * 0x165667b1u;
    return h ^ (h >> 16);
}

static uint64_t hash_block(const float *x, const float *y, const float *z)
{
    uint32_t low = 0;
    uint32_t high = 0;
    for (int i = 0; i < ULP_BLOCK; i++) {
        uint32_t result = ls_bits_of(z[i]);
        result = result == 0x80000000u ? 0 : result;
        result = (result & 0x7fffffffu) > 0x7f800000u ? 0x7fc00000u : result;
        uint32_t a = ls_bits_of(x[i]);
        uint32_t b = y ? ls_bits_of(y[i]) : 0;
        low += mix(a, b, result, 0);
        high += mix(a, b, result, 0x5bd1e995u);
    }
    return (uint64_t)high << 32 | low;
}

/* The halves are added separately. */
static uint64_t add_hashes(uint64_t a, uint64_t b)
{
    uint32_t high = (uint32_t)(a >> 32) + (uint32_t)(b >> 32);
    return (uint64_t)high << 32 | (uint32_t)((uint32_t)a + (uint32_t)b);
}

static inline int64_t bits_of_double(double v)
{
    int64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

double ulp_in_range(double v)
{
    const double limit = 0x1p128;
    v = v > limit ? limit : v;
    return v < -limit ? -limit : v;
}

/* The power of two 2^(23 - e), where e is the exponent of the exact result as a float. */
static inline double ulps_per_unit(double exact)
{
    double size = fabs(exact) < 0x1p-126 ? 0x1p-126 : exact;
    uint64_t field = (uint64_t)bits_of_double(size) & UINT64_C(0x7ff0000000000000);
    uint64_t bits = (UINT64_C(2069) << 52) - field;
    memcpy(&size, &bits, sizeof size);
    return size;
}

static void keep_worse(struct ulp_worst *worst, double error, float x, float y)
{
    /* Ties go to the smaller input bits, so that the report does not depend on threads. */
    if (error > worst->error ||
        (error == worst->error && error > 0 && ls_bits_of(x) < ls_bits_of(worst->x)))
        *worst = (struct ulp_worst){error, x, y};
}

static void measure_block(const struct ulp_function *function, const float *x, const float *y,
                          struct ulp_report *report)
{
    float result[ULP_BLOCK];
    double exact[ULP_BLOCK];
    if (function->block)
        function->block(x, result);
    else
        function->block2(x, y, result);
    for (int i = 0; i < ULP_BLOCK; i++)
        exact[i] = ulp_in_range(function->oracle ? function->oracle((double)x[i])
                                             : function->oracle2((double)x[i], (double)y[i]));
    report->hash = add_hashes(report->hash, hash_block(x, function->block ? NULL : y, result));

    /* First without branches and in 64 bits throughout, which vectorises; then the block's own
     * worst, if it is news. */
    double error[ULP_BLOCK];
    int64_t worst_normal = 0; /* bits of doubles >= 0 are in the order of their values */
    int64_t worst_subnormal = 0;
    int64_t wrong = 0;
    int64_t kept = 0;
    for (int i = 0; i < ULP_BLOCK; i++) {
        double value = (double)result[i];
        int64_t nan_result = value != value ? 1 : 0;
        int64_t nan_exact = exact[i] != exact[i] ? 1 : 0;
        double off = fabs(ulp_in_range(value) - exact[i]) * ulps_per_unit(exact[i]);
        off = off >= 0 ? off : 0;
        double normal = fabs(exact[i]) >= 0x1p-126 ? off : 0;
        double subnormal = off - normal;
        wrong += nan_result ^ nan_exact;
        kept += (value != 0 ? 1 : 0) & (fabs(exact[i]) < 0x1p-126 ? 1 : 0);
        error[i] = off;
        int64_t normal_bits = bits_of_double(normal);
        int64_t subnormal_bits = bits_of_double(subnormal);
        worst_normal = normal_bits > worst_normal ? normal_bits : worst_normal;
        worst_subnormal = subnormal_bits > worst_subnormal ? subnormal_bits : worst_subnormal;
    }
    report->wrong_class += (uint64_t)wrong;
    report->kept += (uint64_t)kept;
    if (!wrong && worst_normal < bits_of_double(report->normal.error) &&
        worst_subnormal < bits_of_double(report->subnormal.error))
        return;
    for (int i = 0; i < ULP_BLOCK; i++) {
        bool tiny = fabs(exact[i]) < 0x1p-126;
        keep_worse(tiny ? &report->subnormal : &report->normal, error[i], x[i], y ? y[i] : 0);
        if ((result[i] != result[i]) != (exact[i] != exact[i]))
            report->example = (struct ulp_worst){1, x[i], y ? y[i] : 0};
    }
}

static void merge(struct ulp_report *into, const struct ulp_report *from)
{
    into->hash = add_hashes(into->hash, from->hash);
    keep_worse(&into->normal, from->normal.error, from->normal.x, from->normal.y);
    keep_worse(&into->subnormal, from->subnormal.error, from->subnormal.x, from->subnormal.y);
    into->kept += from->kept;
    into->wrong_class += from->wrong_class;
    if (from->wrong_class)
        into->example = from->example;
}

struct ulp_report ulp_measure(const struct ulp_function *function, uint64_t sample, uint64_t seed)
{
    uint64_t inputs = sample ? sample : UINT64_C(1) << 32;
    int64_t chunks = (int64_t)((inputs + ULP_BLOCK * CHUNK_BLOCKS - 1) / (ULP_BLOCK * CHUNK_BLOCKS));
    struct ulp_report total = {0};
#pragma omp parallel for schedule(dynamic, 4) num_threads(2)
    for (int64_t chunk = 0; chunk < chunks; chunk++) {
        float x[ULP_BLOCK];
        float y[ULP_BLOCK];
        struct ulp_report report = {0};
        for (int64_t block = 0; block < CHUNK_BLOCKS; block++) {
            uint64_t first = (uint64_t)(chunk * CHUNK_BLOCKS + block) * ULP_BLOCK;
            for (uint64_t i = 0; i < ULP_BLOCK; i++) {
                if (function->oracle2)
                    pair(first + i, seed, &x[i], &y[i]);
                else
                    x[i] = ls_float_of(sample ? sampled_bits(first + i, seed)
                                              : (uint32_t)(first + i));
            }
            measure_block(function, x, function->oracle2 ? y : NULL, &report);
        }
#pragma omp critical
        merge(&total, &report);
    }
    return total;
}
