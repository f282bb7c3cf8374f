/* SPDX-License-Identifier: Apache-2.0
 *
 * The canonical elementary functions, each beside its oracle in double precision.
 */
#include <math.h>

#include "prelude_c.h"

#include "canon.h"
#include "ulp.h"

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

#define CANON1(name, domain, ulp, full, sample)                                    \
    static void block_##name(const float *restrict x, float *restrict y)           \
    {                                                                              \
        for (int i = 0; i < ULP_BLOCK; i++)                                            \
            y[i] = canon_##name(x[i]);                                             \
    }
#define CANON2(name, domain, ulp, sample)                                          \
    static void block_##name(const float *restrict x, const float *restrict y,     \
                             float *restrict z)                                    \
    {                                                                              \
        for (int i = 0; i < ULP_BLOCK; i++)                                            \
            z[i] = canon_##name(x[i], y[i]);                                       \
    }
#include "canon_functions.def"
#undef CANON1
#undef CANON2

const struct ulp_function ulp_functions[] = {
#define CANON1(name, domain, ulp, full, sample)                                    \
    {#name, domain, ulp, UINT64_C(full), UINT64_C(sample), block_##name, NULL, oracle_##name, NULL},
#define CANON2(name, domain, ulp, sample)                                          \
    {#name, domain, ulp, 0, UINT64_C(sample), NULL, block_##name, NULL, oracle_##name},
#include "canon_functions.def"
#undef CANON1
#undef CANON2
};

const size_t ulp_function_count = sizeof ulp_functions / sizeof *ulp_functions;
