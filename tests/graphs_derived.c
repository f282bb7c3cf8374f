/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows for the ops of elementwise.def that graphs_elementwise.def says nothing about: the formula of the library's
 * own row, in double. Such a row notices a gradient that is not that of the formula, and devices that differ; whether
 * the formula is the op's is for the golden to say. Ops without a gradient, and those with parameters, need a line.
 */
#include <math.h>
#include <string.h>

#include "graphs.h"

/* Which side was taken is an answer, so that finite differences across a kink are noticed. */
static bool side(bool taken) { return above(taken ? 1 : -1); }

#define LS_SELECT(condition, x, y) (side(condition) ? (x) : (y))
#define LS_FMA(x, y, z)            ((x) * (y) + (z))
#define LS_DIV(x, y)               ((x) / (y))
#define LS_SQRT                    sqrt
#define LS_ABS(x)                  (side((x) < 0) ? -(x) : (x))
#define LS_FLOOR(x)                graph_floor(x)
#define LS_CEIL(x)                 (-graph_floor(-(x)))
#define LS_ROUND(x)                stair(rint(x), fabs((x) - floor(x) - 0.5))
#define LS_TRUNC(x)                (side((x) < 0) ? -graph_floor(-(x)) : graph_floor(x))
#define canon_floormod(x, y)       ((x) - (y) * graph_floor((x) / (y)))
#define canon_rsqrt(x)             (1 / sqrt(x))
#define canon_sigmoid(x)           (1 / (1 + exp(-(x))))
#define canon_erfinv               graph_inverse_erf
#define canon_acos                 acos
#define canon_acosh                acosh
#define canon_asin                 asin
#define canon_asinh                asinh
#define canon_atan                 atan
#define canon_atan2                atan2
#define canon_atanh                atanh
#define canon_cbrt                 cbrt
#define canon_cos                  cos
#define canon_cosh                 cosh
#define canon_erf                  erf
#define canon_erfc                 erfc
#define canon_exp                  exp
#define canon_exp2                 exp2
#define canon_expm1                expm1
#define canon_hypot                hypot
#define canon_log                  log
#define canon_log10                log10
#define canon_log1p                log1p
#define canon_log2                 log2
#define canon_pow                  pow
#define canon_sin                  sin
#define canon_sinh                 sinh
#define canon_tan                  tan
#define canon_tanh                 tanh

#define LS_ROWS 1
#define F_F(op, value, saves, gradient, low, high)                               \
    static double formula_##op(double a, double b, double c)                     \
    {                                                                            \
        (void)b, (void)c;                                                        \
        return value;                                                            \
    }                                                                            \
    static ls_tensor call_##op(const struct node *n, const ls_tensor *in)        \
    {                                                                            \
        (void)n;                                                                 \
        return ls_##op(in[0]);                                                   \
    }
#define F_FF(op, value, ...)                                                     \
    static double formula_##op(double a, double b, double c)                     \
    {                                                                            \
        (void)c;                                                                 \
        return value;                                                            \
    }                                                                            \
    static ls_tensor call_##op(const struct node *n, const ls_tensor *in)        \
    {                                                                            \
        (void)n;                                                                 \
        return ls_##op(in[0], in[1]);                                            \
    }
#include "elementwise_rows.h"

/* ---- The rows ---- */

static const struct derived {
    struct row row;
    const char *gradient;
} candidates[] = {
#define LS_ROWS 1
#define ROW(op, slope, ...)                                                                                  \
    {{.name = #op, .plan = graph_plan_elementwise, .eval = graph_eval_elementwise, .call = call_##op,        \
      .formula = formula_##op, __VA_ARGS__}, slope},
#define F_F(op, value, saves, gradient, low, high) ROW(op, #gradient, .inputs = 1, .domain = {{low, high}})
#define F_FF(op, value, saves, gradient, grad_b, la, ha, lb, hb) \
    ROW(op, #gradient, .inputs = 2, .domain = {{la, ha}, {lb, hb}})
#include "elementwise_rows.h"
};

const struct row *graph_derived_row(int i)
{
    for (size_t c = 0; c < sizeof candidates / sizeof *candidates; c++)
        if (strcmp(candidates[c].gradient, "NONE") != 0 && i-- == 0)
            return &candidates[c].row;
    return NULL;
}
