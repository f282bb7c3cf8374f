/* SPDX-License-Identifier: Apache-2.0
 *
 * ulp: the exhaustive check of the canonical elementary functions.
 *
 *     gcc -std=gnu11 -O3 -fopenmp -ffp-contract=off -fno-math-errno -fno-trapping-math \
 *         -I shaders tools/ulp*.c -o ulp -lm           (-DHAVE_MPFR ... -lmpfr confirms the worst)
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
 * counts as 2^128. The oracle is libm in double, whose own error is near 1e-9 of that unit.
 */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prelude_c.h"

#include "ulp.h"

#ifdef HAVE_MPFR
#include <mpfr.h>
#endif

static const uint64_t default_sample = UINT64_C(1) << 24;
static const uint64_t default_seed = 1;

/* ---- confirming the worst input ---- */

#ifdef HAVE_MPFR

static bool exact_by_mpfr(const struct ulp_function *function, float x, float y, mpfr_t r)
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

static void confirm(const struct ulp_function *function, struct ulp_worst *worst)
{
    float x[ULP_BLOCK] = {worst->x};
    float y[ULP_BLOCK] = {worst->y};
    float result[ULP_BLOCK];
    mpfr_t exact;
    mpfr_init2(exact, 300);
    if (exact_by_mpfr(function, worst->x, worst->y, exact) && mpfr_number_p(exact)) {
        if (function->block)
            function->block(x, result);
        else
            function->block2(x, y, result);
        int exponent = mpfr_zero_p(exact) ? -126 : (int)mpfr_get_exp(exact) - 1;
        exponent = exponent < -126 ? -126 : exponent > 127 ? 127 : exponent;
        mpfr_d_sub(exact, ulp_in_range((double)result[0]), exact, MPFR_RNDN);
        mpfr_mul_2si(exact, exact, 23 - exponent, MPFR_RNDN);
        worst->error = fabs(mpfr_get_d(exact, MPFR_RNDU));
    }
    mpfr_clear(exact);
}

#else

static void confirm(const struct ulp_function *function, struct ulp_worst *worst)
{
    (void)function;
    (void)worst;
}

#endif

/* ---- the program ---- */

static void print_line(const struct ulp_function *function, const struct ulp_report *report, const char *verdict)
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
static bool judge(const struct ulp_function *function, const struct ulp_report *report, bool full, bool check_sample,
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
            for (size_t f = 0; f < ulp_function_count; f++)
                printf("%-9s %5.3f ulp  %s\n", ulp_functions[f].name, ulp_functions[f].stated_ulp,
                       ulp_functions[f].domain);
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

    for (size_t f = 0; f < ulp_function_count; f++) {
        const struct ulp_function *function = &ulp_functions[f];
        char verdict[96];
        if (!wanted(function->name, names, named))
            continue;
        bool full = !sample && function->oracle;
        uint64_t size = full ? 0 : sample ? sample : default_sample;
        struct ulp_report report = ulp_measure(function, size, seed);
        confirm(function, &report.normal);
        bool check_sample = size == default_sample && seed == default_seed;
        good &= judge(function, &report, full, check_sample, verdict, sizeof verdict);
        print_line(function, &report, verdict);
        if (rows) {
            struct ulp_report other = full ? ulp_measure(function, default_sample, default_seed) : report;
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
