/* SPDX-License-Identifier: Apache-2.0
 *
 * One loop per row of elementwise.def. A row's formula becomes a function of single values; the
 * loops below, one per signature, inline it. An argument with step 0 is loaded once, so that
 * constants and broadcast scalars cost no memory traffic.
 */
#include "slots.h"

#include "prelude_c.h"
#include "canon.h"

/* F_F, F_I, I_F, I_I: one argument. */
LS_FN void each_f_f(size_t n, const struct operand *operand, void *result, float op(float))
{
    const float *a = operand[0].data;
    float *y = result;
    EACH(i, n) y[i] = op(a[i]);
}

LS_FN void each_f_i(size_t n, const struct operand *operand, void *result, float op(int))
{
    const int *a = operand[0].data;
    float *y = result;
    EACH(i, n) y[i] = op(a[i]);
}

LS_FN void each_i_f(size_t n, const struct operand *operand, void *result, int op(float))
{
    const float *a = operand[0].data;
    int *y = result;
    EACH(i, n) y[i] = op(a[i]);
}

LS_FN void each_i_i(size_t n, const struct operand *operand, void *result, int op(int))
{
    const int *a = operand[0].data;
    int *y = result;
    EACH(i, n) y[i] = op(a[i]);
}

/* F_FF, I_FF, I_II: two arguments, one of which may be a scalar. */
LS_FN void each_f_ff(size_t n, const struct operand *operand, void *result, float op(float, float))
{
    const float *a = operand[0].data, *b = operand[1].data, a0 = *a, b0 = *b;
    float *y = result;
    if (operand[0].step && operand[1].step) {
        EACH(i, n) y[i] = op(a[i], b[i]);
    } else if (operand[0].step) {
        EACH(i, n) y[i] = op(a[i], b0);
    } else {
        EACH(i, n) y[i] = op(a0, b[i]);
    }
}

LS_FN void each_i_ff(size_t n, const struct operand *operand, void *result, int op(float, float))
{
    const float *a = operand[0].data, *b = operand[1].data, a0 = *a, b0 = *b;
    int *y = result;
    if (operand[0].step && operand[1].step) {
        EACH(i, n) y[i] = op(a[i], b[i]);
    } else if (operand[0].step) {
        EACH(i, n) y[i] = op(a[i], b0);
    } else {
        EACH(i, n) y[i] = op(a0, b[i]);
    }
}

LS_FN void each_i_ii(size_t n, const struct operand *operand, void *result, int op(int, int))
{
    const int *a = operand[0].data, *b = operand[1].data, a0 = *a, b0 = *b;
    int *y = result;
    if (operand[0].step && operand[1].step) {
        EACH(i, n) y[i] = op(a[i], b[i]);
    } else if (operand[0].step) {
        EACH(i, n) y[i] = op(a[i], b0);
    } else {
        EACH(i, n) y[i] = op(a0, b[i]);
    }
}

/* Which of three arguments are arrays: one bit each, the first argument's the highest. */
static int arrays(const struct operand *operand)
{
    return (operand[0].step ? 4 : 0) | (operand[1].step ? 2 : 0) | (operand[2].step ? 1 : 0);
}

/* F_FFF, W_IWW: three arguments, of which two may be scalars. */
LS_FN void each_f_fff(size_t n, const struct operand *operand, void *result,
                      float op(float, float, float))
{
    const float *a = operand[0].data, a0 = *a;
    const float *b = operand[1].data, *c = operand[2].data, b0 = *b, c0 = *c;
    float *y = result;
    switch (arrays(operand)) {
    case 7: EACH(i, n) y[i] = op(a[i], b[i], c[i]); break;
    case 6: EACH(i, n) y[i] = op(a[i], b[i], c0); break;
    case 5: EACH(i, n) y[i] = op(a[i], b0, c[i]); break;
    case 4: EACH(i, n) y[i] = op(a[i], b0, c0); break;
    case 3: EACH(i, n) y[i] = op(a0, b[i], c[i]); break;
    case 2: EACH(i, n) y[i] = op(a0, b[i], c0); break;
    default: EACH(i, n) y[i] = op(a0, b0, c[i]); break;
    }
}

LS_FN void each_w_iww(size_t n, const struct operand *operand, void *result,
                      word op(int, word, word))
{
    const int *a = operand[0].data, a0 = *a;
    const word *b = operand[1].data, *c = operand[2].data, b0 = *b, c0 = *c;
    word *y = result;
    switch (arrays(operand)) {
    case 7: EACH(i, n) y[i] = op(a[i], b[i], c[i]); break;
    case 6: EACH(i, n) y[i] = op(a[i], b[i], c0); break;
    case 5: EACH(i, n) y[i] = op(a[i], b0, c[i]); break;
    case 4: EACH(i, n) y[i] = op(a[i], b0, c0); break;
    case 3: EACH(i, n) y[i] = op(a0, b[i], c[i]); break;
    case 2: EACH(i, n) y[i] = op(a0, b[i], c0); break;
    default: EACH(i, n) y[i] = op(a0, b0, c[i]); break;
    }
}

/* The formulas as functions, and their loops. */
#define LOOP(name, each)                                                                           \
    static void name##_loop(size_t n, const struct operand *operand, void *result)                 \
    {                                                                                              \
        each(n, operand, result, name##_of);                                                       \
    }
#define F_F(name, formula, ...)                                                                    \
    LS_FN float name##_of(float a) { return formula; }                                             \
    LOOP(name, each_f_f)
#define F_FF(name, formula, ...)                                                                   \
    LS_FN float name##_of(float a, float b) { return formula; }                                    \
    LOOP(name, each_f_ff)
#define F_FFF(name, formula, ...)                                                                  \
    LS_FN float name##_of(float a, float b, float c) { return formula; }                           \
    LOOP(name, each_f_fff)
#define F_I(name, formula)                                                                         \
    LS_FN float name##_of(int a) { return formula; }                                               \
    LOOP(name, each_f_i)
#define I_F(name, formula)                                                                         \
    LS_FN int name##_of(float a) { return formula; }                                               \
    LOOP(name, each_i_f)
#define I_I(name, formula)                                                                         \
    LS_FN int name##_of(int a) { return formula; }                                                 \
    LOOP(name, each_i_i)
#define I_FF(name, formula)                                                                        \
    LS_FN int name##_of(float a, float b) { return formula; }                                      \
    LOOP(name, each_i_ff)
#define I_II(name, formula)                                                                        \
    LS_FN int name##_of(int a, int b) { return formula; }                                          \
    LOOP(name, each_i_ii)
#define W_IWW(name, formula)                                                                       \
    LS_FN word name##_of(int a, word b, word c) { return formula; }                                \
    LOOP(name, each_w_iww)
#include "elementwise_rows.h"
#undef LOOP

row_loop *const ISA(rows)[LS_ROW_COUNT] = {
#define ROW(name) [LS_ROW_##name] = name##_loop,
#include "elementwise_names.h"
#undef ROW
};
