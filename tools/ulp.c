/* ulp: the exhaustive check of the canonical elementary functions.
 *
 *     gcc -std=gnu11 -O3 -fopenmp -ffp-contract=off -fno-math-errno -fno-trapping-math \
 *         -I shaders tools/ulp.c -o ulp -lm            (-DHAVE_MPFR ... -lmpfr confirms the worst)
 *     ulp [--sample N] [--seed S] [--list] [--rows] [names...]
 *
 * Without --sample every function of one argument gets all 2^32 inputs. For each function one
 * line: the largest error in ulp among normal results and among subnormal results, the input
 * where it is, and a hash of all output bits. The hash is a sum, so any order, thread or device
 * gives the same one. The exit status is 1 if a hash or an error bound differs from
 * shaders/canon_functions.def (hashes of samples are compared for the default N and S only).
 * --rows prints lines for that file.
 *
 * Error: |result - exact| / ulp(exact), where ulp(v) = 2^(max(exponent of v, -126) - 23) and Inf
 * counts as 2^128. The oracle is libm in double, whose own error is near 1e-9 of that unit. */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prelude_c.h"

#include "canon.h"

#ifdef HAVE_MPFR
#include <mpfr.h>
#endif

enum { BLOCK = 4096, CHUNK_BLOCKS = 64 };

static const uint64_t default_sample = UINT64_C(1) << 24;
static const uint64_t default_seed = 1;

/* ---- the double precision oracle, where libm has no function of that name ---- */

static double oracle_sigmoid(double x)
{
    return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
}

static double oracle_rsqrt(double x)
{
    return x == 0 ? INFINITY : 1 / sqrt(x);
}

/* sin(pi x) and cos(pi x): x is reduced exactly to [-1/4, 1/4] and a quadrant. */
static double quadrant_pi(double x, int add)
{
    const double pi = 3.14159265358979323846;
    double r = remainder(x, 2.0);
    double quarter = rint(2 * r);
    double z = r - quarter / 2;
    int quadrant = ((int)quarter + add) & 3;
    double value = quadrant & 1 ? cos(pi * z) : sin(pi * z);
    return quadrant & 2 ? -value : value;
}

static double oracle_sinpi(double x)
{
    return isfinite(x) ? quadrant_pi(x, 0) : NAN;
}

static double oracle_cospi(double x)
{
    return isfinite(x) ? quadrant_pi(x, 1) : NAN;
}

/* Newton's method with the second order term, from a start that is good to 1e-4 or better. */
static double oracle_erfinv(double x)
{
    double a = fabs(x);
    if (!(a < 1))
        return a == 1 ? copysign(INFINITY, x) : NAN;
    double l = log1p(-a * a);
    double b = 4.3307467508 + l / 2; /* 2 / (pi * 0.147) + l / 2 (Winitzki) */
    double w = sqrt(sqrt(b * b - l / 0.147) - b);
    for (int i = 0; i < 4; i++) {
        double off = a < 0.5 ? erf(w) - a : (1 - a) - erfc(w);
        double step = off / (1.12837916709551257390 * exp(-w * w));
        w -= step / (1 + w * step);
    }
    return copysign(w, x);
}

#define oracle_exp exp
#define oracle_exp2 exp2
#define oracle_expm1 expm1
#define oracle_log log
#define oracle_log2 log2
#define oracle_log10 log10
#define oracle_log1p log1p
#define oracle_tanh tanh
#define oracle_erf erf
#define oracle_erfc erfc
#define oracle_sin sin
#define oracle_cos cos
#define oracle_tan tan
#define oracle_sqrt sqrt
#define oracle_cbrt cbrt
#define oracle_sinh sinh
#define oracle_cosh cosh
#define oracle_asin asin
#define oracle_acos acos
#define oracle_atan atan
#define oracle_asinh asinh
#define oracle_acosh acosh
#define oracle_atanh atanh
#define oracle_hypot hypot
#define oracle_fmod fmod

/* Rule 18: no result depends on the sign of a zero. */
static double oracle_pow(double x, double y)
{
    return pow(x == 0 ? 0.0 : x, y);
}

static double oracle_atan2(double y, double x)
{
    return atan2(y == 0 ? 0.0 : y, x == 0 ? 0.0 : x);
}

static double oracle_floormod(double x, double y)
{
    double r = fmod(x, y);
    return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}

/* ---- the table ---- */

typedef struct Function {
    const char *name;
    const char *domain;
    double stated_ulp;
    uint64_t full_hash;
    uint64_t sample_hash;
    void (*block)(const float *x, float *y);
    void (*block2)(const float *x, const float *y, float *z);
    double (*oracle)(double);
    double (*oracle2)(double, double);
} Function;

#define CANON1(name, domain, ulp, full, sample)                                    \
    static void block_##name(const float *restrict x, float *restrict y)           \
    {                                                                              \
        for (int i = 0; i < BLOCK; i++)                                            \
            y[i] = canon_##name(x[i]);                                             \
    }
#define CANON2(name, domain, ulp, sample)                                          \
    static void block_##name(const float *restrict x, const float *restrict y,     \
                             float *restrict z)                                    \
    {                                                                              \
        for (int i = 0; i < BLOCK; i++)                                            \
            z[i] = canon_##name(x[i], y[i]);                                       \
    }
#include "canon_functions.def"
#undef CANON1
#undef CANON2

static const Function functions[] = {
#define CANON1(name, domain, ulp, full, sample)                                    \
    {#name, domain, ulp, UINT64_C(full), UINT64_C(sample), block_##name, NULL, oracle_##name, NULL},
#define CANON2(name, domain, ulp, sample)                                          \
    {#name, domain, ulp, 0, UINT64_C(sample), NULL, block_##name, NULL, oracle_##name},
#include "canon_functions.def"
#undef CANON1
#undef CANON2
};

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

typedef struct Worst {
    double error;
    float x;
    float y;
} Worst;

typedef struct Report {
    uint64_t hash;
    Worst normal;
    Worst subnormal;
    uint64_t kept;        /* results that are not 0 where the exact one is subnormal */
    uint64_t wrong_class; /* NaN where there is a number, or a number where there is none */
    Worst example;
} Report;

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
    for (int i = 0; i < BLOCK; i++) {
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

static inline double in_range(double v)
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

static void keep_worse(Worst *worst, double error, float x, float y)
{
    /* Ties go to the smaller input bits, so that the report does not depend on threads. */
    if (error > worst->error ||
        (error == worst->error && error > 0 && ls_bits_of(x) < ls_bits_of(worst->x)))
        *worst = (Worst){error, x, y};
}

static void measure_block(const Function *function, const float *x, const float *y,
                          Report *report)
{
    float result[BLOCK];
    double exact[BLOCK];
    if (function->block)
        function->block(x, result);
    else
        function->block2(x, y, result);
    for (int i = 0; i < BLOCK; i++)
        exact[i] = in_range(function->oracle ? function->oracle((double)x[i])
                                             : function->oracle2((double)x[i], (double)y[i]));
    report->hash = add_hashes(report->hash, hash_block(x, function->block ? NULL : y, result));

    /* First without branches and in 64 bits throughout, which vectorises; then the block's own
     * worst, if it is news. */
    double error[BLOCK];
    int64_t worst_normal = 0; /* bits of doubles >= 0 are in the order of their values */
    int64_t worst_subnormal = 0;
    int64_t wrong = 0;
    int64_t kept = 0;
    for (int i = 0; i < BLOCK; i++) {
        double value = (double)result[i];
        int64_t nan_result = value != value ? 1 : 0;
        int64_t nan_exact = exact[i] != exact[i] ? 1 : 0;
        double off = fabs(in_range(value) - exact[i]) * ulps_per_unit(exact[i]);
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
    for (int i = 0; i < BLOCK; i++) {
        bool tiny = fabs(exact[i]) < 0x1p-126;
        keep_worse(tiny ? &report->subnormal : &report->normal, error[i], x[i], y ? y[i] : 0);
        if ((result[i] != result[i]) != (exact[i] != exact[i]))
            report->example = (Worst){1, x[i], y ? y[i] : 0};
    }
}

static void merge(Report *into, const Report *from)
{
    into->hash = add_hashes(into->hash, from->hash);
    keep_worse(&into->normal, from->normal.error, from->normal.x, from->normal.y);
    keep_worse(&into->subnormal, from->subnormal.error, from->subnormal.x, from->subnormal.y);
    into->kept += from->kept;
    into->wrong_class += from->wrong_class;
    if (from->wrong_class)
        into->example = from->example;
}

/* sample 0: all inputs. A sample is rounded up to whole chunks. */
static Report measure(const Function *function, uint64_t sample, uint64_t seed)
{
    uint64_t inputs = sample ? sample : UINT64_C(1) << 32;
    int64_t chunks = (int64_t)((inputs + BLOCK * CHUNK_BLOCKS - 1) / (BLOCK * CHUNK_BLOCKS));
    Report total = {0};
#pragma omp parallel for schedule(dynamic, 4) num_threads(2)
    for (int64_t chunk = 0; chunk < chunks; chunk++) {
        float x[BLOCK];
        float y[BLOCK];
        Report report = {0};
        for (int64_t block = 0; block < CHUNK_BLOCKS; block++) {
            uint64_t first = (uint64_t)(chunk * CHUNK_BLOCKS + block) * BLOCK;
            for (uint64_t i = 0; i < BLOCK; i++) {
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

/* ---- confirming the worst input ---- */

#ifdef HAVE_MPFR

static bool exact_by_mpfr(const Function *function, float x, float y, mpfr_t r)
{
    const char *name = function->name;
    mpfr_t a;
    mpfr_t b;
    bool known = true;
    mpfr_init2(a, 300);
    mpfr_init2(b, 300);
    mpfr_set_flt(a, x, MPFR_RNDN);
    mpfr_set_flt(b, y, MPFR_RNDN);
    if (strcmp(name, "sigmoid") == 0) {
        mpfr_neg(a, a, MPFR_RNDN);
        mpfr_exp(a, a, MPFR_RNDN);
        mpfr_add_ui(a, a, 1, MPFR_RNDN);
        mpfr_ui_div(r, 1, a, MPFR_RNDN);
    } else {
#define ONE(n, call) else if (strcmp(name, #n) == 0) call(r, a, MPFR_RNDN);
#define TWO(n, call) else if (strcmp(name, #n) == 0) call(r, a, b, MPFR_RNDN);
        if (false)
            ;
        ONE(exp, mpfr_exp) ONE(exp2, mpfr_exp2) ONE(expm1, mpfr_expm1) ONE(log, mpfr_log)
        ONE(log2, mpfr_log2) ONE(log10, mpfr_log10) ONE(log1p, mpfr_log1p) ONE(tanh, mpfr_tanh)
        ONE(erf, mpfr_erf) ONE(erfc, mpfr_erfc) ONE(sin, mpfr_sin) ONE(cos, mpfr_cos)
        ONE(tan, mpfr_tan) ONE(sinpi, mpfr_sinpi) ONE(cospi, mpfr_cospi) ONE(sqrt, mpfr_sqrt)
        ONE(rsqrt, mpfr_rec_sqrt) ONE(cbrt, mpfr_cbrt) ONE(sinh, mpfr_sinh) ONE(cosh, mpfr_cosh)
        ONE(asin, mpfr_asin) ONE(acos, mpfr_acos) ONE(atan, mpfr_atan) ONE(asinh, mpfr_asinh)
        ONE(acosh, mpfr_acosh) ONE(atanh, mpfr_atanh) TWO(pow, mpfr_pow) TWO(atan2, mpfr_atan2)
        TWO(hypot, mpfr_hypot) TWO(fmod, mpfr_fmod)
        else known = false;
#undef ONE
#undef TWO
    }
    mpfr_clear(a);
    mpfr_clear(b);
    return known;
}

static void confirm(const Function *function, Worst *worst)
{
    float x[BLOCK] = {worst->x};
    float y[BLOCK] = {worst->y};
    float result[BLOCK];
    mpfr_t exact;
    mpfr_init2(exact, 300);
    if (exact_by_mpfr(function, worst->x, worst->y, exact) && mpfr_number_p(exact)) {
        if (function->block)
            function->block(x, result);
        else
            function->block2(x, y, result);
        int exponent = mpfr_zero_p(exact) ? -126 : (int)mpfr_get_exp(exact) - 1;
        exponent = exponent < -126 ? -126 : exponent > 127 ? 127 : exponent;
        mpfr_d_sub(exact, in_range((double)result[0]), exact, MPFR_RNDN);
        mpfr_mul_2si(exact, exact, 23 - exponent, MPFR_RNDN);
        worst->error = fabs(mpfr_get_d(exact, MPFR_RNDU));
    }
    mpfr_clear(exact);
}

#else

static void confirm(const Function *function, Worst *worst)
{
    (void)function;
    (void)worst;
}

#endif

/* ---- the program ---- */

static void print_line(const Function *function, const Report *report, const char *verdict)
{
    char place[64];
    char subnormal[16] = "flushed";
    if (report->kept || report->subnormal.error <= 1)
        snprintf(subnormal, sizeof subnormal, "%.4f", report->subnormal.error);
    if (function->oracle2)
        snprintf(place, sizeof place, "(%.9g, %.9g)", (double)report->normal.x,
                 (double)report->normal.y);
    else
        snprintf(place, sizeof place, "%.9g (0x%08x)", (double)report->normal.x,
                 ls_bits_of(report->normal.x));
    printf("%-9s %8.5f ulp at %-34s subnormal %7s  hash %016llx  %s\n", function->name,
           report->normal.error, place, subnormal,
           (unsigned long long)report->hash, verdict);
    fflush(stdout);
}

/* Returns whether the report agrees with the table, and says in verdict what does not. */
static bool judge(const Function *function, const Report *report, bool full, bool check_sample,
                  char *verdict, size_t size)
{
    uint64_t expected = full ? function->full_hash : function->sample_hash;
    bool good = true;
    snprintf(verdict, size, "ok");
    if ((full || check_sample) && report->hash != expected) {
        snprintf(verdict, size, "HASH, expected %016llx", (unsigned long long)expected);
        good = false;
    }
    if (report->normal.error > function->stated_ulp) {
        snprintf(verdict, size, "ERROR, stated %g ulp", function->stated_ulp);
        good = false;
    }
    if (report->wrong_class) {
        snprintf(verdict, size, "NaN wrong %llu times, e.g. 0x%08x 0x%08x",
                 (unsigned long long)report->wrong_class, ls_bits_of(report->example.x),
                 ls_bits_of(report->example.y));
        good = false;
    }
    return good;
}

static bool wanted(const char *name, char **names, int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return count == 0;
}

static uint64_t number(const char *text)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text ? text : "", &end, 0);
    if (!text || errno || end == text || *end) {
        fprintf(stderr, "ulp: '%s' is not a number\n", text ? text : "");
        exit(2);
    }
    return value;
}

int main(int argc, char **argv)
{
    const size_t function_count = sizeof functions / sizeof *functions;
    uint64_t sample = 0;
    uint64_t seed = default_seed;
    bool rows = false;
    bool good = true;
    int named = 0;
    char **names = calloc((size_t)argc, sizeof *names);
    if (!names)
        return 2;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--sample") == 0) {
            sample = number(argv[++i]);
        } else if (strcmp(argv[i], "--seed") == 0) {
            seed = number(argv[++i]);
        } else if (strcmp(argv[i], "--rows") == 0) {
            rows = true;
        } else if (strcmp(argv[i], "--list") == 0) {
            for (size_t f = 0; f < function_count; f++)
                printf("%-9s %5.3f ulp  %s\n", functions[f].name, functions[f].stated_ulp,
                       functions[f].domain);
            free(names);
            return 0;
        } else if (argv[i][0] == '-') {
            fprintf(stderr, "usage: ulp [--sample N] [--seed S] [--list] [--rows] [names...]\n");
            free(names);
            return 2;
        } else {
            names[named++] = argv[i];
        }
    }

    for (size_t f = 0; f < function_count; f++) {
        const Function *function = &functions[f];
        char verdict[96];
        if (!wanted(function->name, names, named))
            continue;
        bool full = !sample && function->oracle;
        uint64_t size = full ? 0 : sample ? sample : default_sample;
        Report report = measure(function, size, seed);
        confirm(function, &report.normal);
        bool check_sample = size == default_sample && seed == default_seed;
        good &= judge(function, &report, full, check_sample, verdict, sizeof verdict);
        print_line(function, &report, verdict);
        if (rows) {
            Report other = full ? measure(function, default_sample, default_seed) : report;
            double up = ceil(report.normal.error * 1000) / 1000;
            if (full)
                printf("CANON1(%s, \"%s\", %.3f, 0x%016llx, 0x%016llx)\n", function->name,
                       function->domain, up, (unsigned long long)report.hash,
                       (unsigned long long)other.hash);
            else
                printf("CANON2(%s, \"%s\", %.3f, 0x%016llx)\n", function->name, function->domain,
                       up, (unsigned long long)other.hash);
        }
    }
    free(names);
    return good ? 0 : 1;
}
