/* SPDX-License-Identifier: Apache-2.0
 *
 * The elementwise ops. Functions, op records and gradient rules are made from elementwise.def; what
 * stands here is how a row is run and how broadcasting is undone.
 */
#include <math.h>
#include <stdio.h>

#include "op.h"

static ls_tensor one_row(ls_context *ls, enum ls_row row, const struct ls_value *const *v, int inputs, ls_dtype dtype,
                         const char *name)
{
    ls_shape shape = v[0]->shape;
    for (int i = 1; i < inputs; i++) {
        ls_shape joined;
        if (!ls_shape_broadcast(&shape, &v[i]->shape, &joined)) {
            ls_fail(ls, LS_SHAPE_MISMATCH,
                    "%s: %s and %s do not broadcast: aligned at the last dimension, sizes must agree or be 1", name,
                    ls_text(shape).text, ls_text(v[i]->shape).text);
            return LS_NIL;
        }
        shape = joined;
    }
    const struct ls_value *out;
    ls_tensor result = ls_op_result(ls, dtype, &shape, &out);
    if (!result.context)
        return LS_NIL;
    struct ls_program program = {.rows = 1, .row = {{(uint16_t)row, {0, 1, 2}}}};
    struct ls_program_output output = {out->storage->buffer, dtype, LS_REGISTER_ROW};
    return ls_run_program(ls, &program, &shape, v, inputs, &output, 1) == LS_OK ? result : LS_NIL;
}

/* ---- Gradient rules ---- */

static ls_tensor no_gradient(struct ls_vjp_call *call)
{
    ls_fail(call->ls, LS_NO_GRADIENT, "%s has no gradient: it is constant between its steps; ls_stop_gradient "
            "before it says that this is meant", call->op->name);
    return LS_NIL;
}

/* The functions of the rows of section 8, by which rules call them. */
#define LS_ROWS 8
#define F_F(name, ...) static ls_tensor name(ls_tensor a);
#define F_FFF(name, ...) static ls_tensor name(ls_tensor a, ls_tensor b, ls_tensor c);
#include "elementwise_rows.h"

/* Factors of rules that do not fit a row. They take what they need from tensors that are live. */
static ls_tensor constant(ls_tensor like, float value) { return ls_scalar(like.context, value); }

/* v / h^2 without overflow, 0 at h = 0; a NaN stays NaN */
static ls_tensor on_circle(ls_tensor v, ls_tensor h)
{
    ls_tensor length = ls_where(ls_equal(h, constant(v, 0.0f)), constant(v, 1.0f), h);
    return ls_div(ls_div(v, length), length);
}

/* v / h, 0 at h = 0; a NaN stays NaN */
static ls_tensor over_length(ls_tensor v, ls_tensor h)
{
    return ls_div(v, ls_where(ls_equal(h, constant(v, 0.0f)), constant(v, 1.0f), h));
}

/* y ln a, 0 where a <= 0 even if y = a^b is infinite */
static ls_tensor times_log(ls_tensor y, ls_tensor a)
{
    ls_tensor below = ls_less_equal(a, constant(a, 0.0f));
    return ls_where(below, constant(a, 0.0f), ls_mul(y, ls_log(ls_where(below, constant(a, 1.0f), a))));
}

/* g / (1 + |a|)^2 */
static ls_tensor softsign_gradient(ls_tensor g, ls_tensor a)
{
    ls_tensor size = ls_add(ls_abs(a), constant(a, 1.0f));
    return ls_div(ls_div(g, size), size);
}

/* hard_sigmoid(a) + (|a| <= 3 ? a / 6 : 0) */
static ls_tensor hard_silu_slope(ls_tensor a)
{
    ls_tensor inside = ls_less(ls_abs(a), constant(a, 3.0f));
    return ls_add(ls_hard_sigmoid(a), ls_where(inside, ls_div(a, constant(a, 6.0f)), constant(a, 0.0f)));
}

/* s (1 - s) (2 + a (1 - 2 s)) with s = sigmoid(a) */
static ls_tensor silu_bend(ls_tensor a)
{
    ls_tensor s = ls_sigmoid(a), one = constant(a, 1.0f);
    ls_tensor far = ls_fma(a, ls_fma(s, constant(a, -2.0f), one), constant(a, 2.0f));
    return ls_mul(ls_mul(s, ls_sub(one, s)), far);
}

/* (1 - w^2) s (2 + a (1 - s - 2 s w)) with s = sigmoid(a), w = tanh(softplus(a)) */
static ls_tensor mish_bend(ls_tensor a)
{
    ls_tensor s = ls_sigmoid(a), w = ls_tanh(ls_softplus(a)), one = constant(a, 1.0f);
    ls_tensor rest = ls_fma(ls_mul(s, constant(a, -2.0f)), w, ls_sub(one, s));
    return ls_mul(ls_mul(ls_fma(ls_neg(w), w, one), s), ls_fma(a, rest, constant(a, 2.0f)));
}

/* (2 - a^2) phi(a) with the density phi of the standard normal, which is 0 from |a| = 16 on */
static ls_tensor gelu_bend(ls_tensor a)
{
    ls_tensor square = ls_square(ls_clip(a, -16.0f, 16.0f));
    ls_tensor density = ls_mul(ls_exp(ls_mul(square, constant(a, -0.5f))), constant(a, 0.398942292f));
    return ls_mul(ls_sub(constant(a, 2.0f), square), density);
}

/* s (1 - s) (2 u' + a u'' + a (1 - 2 s) u'^2) with s = sigmoid(u), u = 2 sqrt(2 / pi) (a + 0.044715 a^3);
 * s (1 - s) is 0 from |a| = 16 on */
static ls_tensor gelu_tanh_bend(ls_tensor a)
{
    ls_tensor x = ls_clip(a, -16.0f, 16.0f), square = ls_square(x), one = constant(a, 1.0f);
    ls_tensor linear = constant(a, 1.59576917f), cubic = constant(a, 7.13548139e-2f);
    ls_tensor s = ls_sigmoid(ls_mul(x, ls_fma(square, cubic, linear)));
    ls_tensor first = ls_fma(square, constant(a, 0.214064434f), linear);
    ls_tensor sum = ls_fma(square, constant(a, 0.428128868f), ls_mul(first, constant(a, 2.0f)));
    ls_tensor turn = ls_mul(x, ls_fma(s, constant(a, -2.0f), one));
    return ls_mul(ls_mul(s, ls_sub(one, s)), ls_fma(turn, ls_square(first), sum));
}

/* In a rule: g, a, b, c, y, and constants. A gradient has the shape of the result; sum_to undoes
 * broadcasting. This is the only place that does so for elementwise ops. */
#define K(value) ls_scalar(call->ls, value)
#define ZERO LS_NIL
#define NONE no_gradient(call)
#define RULE(i, gradient)                                                                          \
    if (call->needs[i])                                                                            \
        call->dx[i] = ls_sum_to(gradient, ls_shape_of_tensor(call->in[i]));
#define F_F(name, formula, saves, grad_a, ...)                                                     \
    static void vjp_##name(struct ls_vjp_call *call)                                               \
    {                                                                                              \
        ls_tensor g = call->dy, a = call->in[0], y = call->out;                                    \
        (void)g, (void)a, (void)y;                                                                 \
        RULE(0, grad_a)                                                                            \
    }
#define F_FF(name, formula, saves, grad_a, grad_b, ...)                                            \
    static void vjp_##name(struct ls_vjp_call *call)                                               \
    {                                                                                              \
        ls_tensor g = call->dy, a = call->in[0], b = call->in[1], y = call->out;                   \
        (void)g, (void)a, (void)b, (void)y;                                                        \
        RULE(0, grad_a)                                                                            \
        RULE(1, grad_b)                                                                            \
    }
#define F_FFF(name, formula, saves, grad_a, grad_b, grad_c)                                        \
    static void vjp_##name(struct ls_vjp_call *call)                                               \
    {                                                                                              \
        ls_tensor g = call->dy, a = call->in[0], b = call->in[1], c = call->in[2], y = call->out;  \
        (void)a, (void)b, (void)c, (void)y;                                                        \
        RULE(0, grad_a)                                                                            \
        RULE(1, grad_b)                                                                            \
        RULE(2, grad_c)                                                                            \
    }
#include "elementwise_rows.h"
#undef RULE
#undef K
#undef ZERO
#undef NONE

/* where: the gradient goes to the side that was taken. */
static void vjp_where(struct ls_vjp_call *call)
{
    ls_tensor zero = ls_zeros(call->ls, ls_dtype_of(call->dy), LS_SCALAR_SHAPE), condition = call->in[0];
    if (call->needs[1])
        call->dx[1] = ls_sum_to(ls_where(condition, call->dy, zero), ls_shape_of_tensor(call->in[1]));
    if (call->needs[2])
        call->dx[2] = ls_sum_to(ls_where(condition, zero, call->dy), ls_shape_of_tensor(call->in[2]));
}

/* ---- Records: name, rule, what is saved ---- */

struct elementwise {
    struct ls_op op;
    uint32_t saves;
};

enum { A = 1, B = 2, C = 4, Y = LS_SAVE_OUT };
#define F_F(name, formula, saves, ...) [LS_ROW_##name] = {{#name, vjp_##name, NULL}, saves},
#define F_FF F_F
#define F_FFF F_F
#define I_F(name, formula) [LS_ROW_##name] = {{#name, NULL, NULL}, 0},
#define I_I I_F
#define I_FF I_F
#define I_II I_F
#define F_I I_F
#define W_IWW(name, formula) [LS_ROW_##name] = {{#name, vjp_##name, NULL}, A},
static const struct elementwise records[LS_ROW_COUNT] = {
#include "elementwise_rows.h"
};
#undef F_F
#undef F_FF
#undef F_FFF
#undef I_F
#undef I_I
#undef I_FF
#undef I_II
#undef F_I
#undef W_IWW

/* Runs a row whose result has type `dtype` and tells the tapes. */
static ls_tensor run(ls_context *ls, enum ls_row row, const ls_tensor *in, const struct ls_value *const *v, int inputs,
                     ls_dtype dtype, const char *name)
{
    const struct elementwise *record = &records[row];
    ls_tensor out = one_row(ls, row, v, inputs, dtype, name);
    return ls_record(ls, &record->op, in, inputs, out, record->saves, NULL, 0);
}

/* ---- The int32 forms: int_of_int_add is LS_ROW_int_add, and 0 where a float row has none ---- */

#define LS_ROWS 1
#define F_F(name, ...) static const uint16_t int_of_int_##name; /* 0 unless the next list defines it */
#define F_FF F_F
#define F_FFF F_F
#define I_FF F_F
#include "elementwise_rows.h"
#define LS_ROWS 4
#define I_I(name, ...) static const uint16_t int_of_##name __attribute__((__unused__)) = LS_ROW_##name;
#define I_II I_I
#include "elementwise_rows.h"

/* ---- The public functions ---- */

/* All inputs float32, or, where the op has a row for it, all int32. */
static ls_tensor numeric(enum ls_row row, enum ls_row int_row, const ls_tensor *in, int inputs, ls_dtype result)
{
    const struct ls_value *v[3];
    const char *name = records[row].op.name;
    ls_context *ls = ls_op_enter(name, in, inputs, v);
    if (!ls)
        return LS_NIL;
    bool ints = int_row && v[0]->dtype == LS_INT32;
    for (int i = 0; i < inputs; i++)
        if (!ls_op_dtype(ls, name, v[i], ints ? LS_INT32 : LS_FLOAT32))
            return LS_NIL;
    return run(ls, ints ? int_row : row, in, v, inputs, ints && result == LS_FLOAT32 ? LS_INT32 : result, name);
}

static ls_tensor logical(enum ls_row row, const ls_tensor *in, int inputs)
{
    const struct ls_value *v[2];
    const char *name = records[row].op.name;
    ls_context *ls = ls_op_enter(name, in, inputs, v);
    for (int i = 0; ls && i < inputs; i++)
        if (!ls_op_dtype(ls, name, v[i], LS_BOOL))
            return LS_NIL;
    return ls ? run(ls, row, in, v, inputs, LS_BOOL, name) : LS_NIL;
}

/* Whether the first parameter is one that the row's formula allows; false with the error raised. */
static bool parameter_fits(ls_context *ls, enum ls_row row, const ls_shape *shape, float b)
{
    const char *wrong = NULL;
    if (row == LS_ROW_celu && !(b != 0.0f && b == b))
        wrong = "alpha %g; it is any number but 0";
    if ((row == LS_ROW_hard_shrink || row == LS_ROW_soft_shrink) && !(b >= 0.0f))
        wrong = "threshold %g; it is at least 0";
    if (row == LS_ROW_squareplus && !(b >= 0.0f))
        wrong = "b %g; it is at least 0";
    if (!wrong)
        return true;
    char text[64];
    snprintf(text, sizeof text, wrong, (double)b);
    ls_fail(ls, LS_INVALID_ARGUMENT, "%s: of %s with %s", records[row].op.name, ls_text(*shape).text, text);
    return false;
}

/* Parameters are constants, which map takes as immediates. */
static ls_tensor with_parameters(enum ls_row row, ls_tensor a, const float *parameters, int count)
{
    const struct ls_value *v;
    ls_tensor in[3] = {a};
    ls_context *ls = ls_op_enter(records[row].op.name, &a, 1, &v);
    if (ls && !parameter_fits(ls, row, &v->shape, parameters[0]))
        return LS_NIL;
    for (int i = 0; ls && i < count; i++)
        in[1 + i] = ls_scalar(ls, parameters[i]);
    return ls ? numeric(row, 0, in, 1 + count, LS_FLOAT32) : LS_NIL;
}

#define LS_ROWS 1
#define F_F(name, ...)                                                                             \
    ls_tensor ls_##name(ls_tensor a) { return numeric(LS_ROW_##name, int_of_int_##name, &a, 1, LS_FLOAT32); }
#define OF_TWO(name, result)                                                                       \
    ls_tensor ls_##name(ls_tensor a, ls_tensor b)                                                  \
    {                                                                                              \
        return numeric(LS_ROW_##name, int_of_int_##name, (ls_tensor[]){a, b}, 2, result);          \
    }
#define F_FF(name, ...) OF_TWO(name, LS_FLOAT32)
#define I_FF(name, ...) OF_TWO(name, LS_BOOL)
#define F_FFF(name, ...)                                                                           \
    ls_tensor ls_##name(ls_tensor a, ls_tensor b, ls_tensor c)                                     \
    {                                                                                              \
        return numeric(LS_ROW_##name, int_of_int_##name, (ls_tensor[]){a, b, c}, 3, LS_FLOAT32);   \
    }
#define I_F(name, ...)                                                                             \
    ls_tensor ls_##name(ls_tensor a) { return numeric(LS_ROW_##name, 0, &a, 1, LS_BOOL); }
#define I_I(name, ...)                                                                             \
    ls_tensor ls_##name(ls_tensor a) { return logical(LS_ROW_##name, &a, 1); }
#define I_II(name, ...)                                                                            \
    ls_tensor ls_##name(ls_tensor a, ls_tensor b) { return logical(LS_ROW_##name, (ls_tensor[]){a, b}, 2); }
#include "elementwise_rows.h"
#undef OF_TWO

#define LS_ROWS 2
#define F_FF(name, ...)                                                                            \
    ls_tensor ls_##name(ls_tensor a, float b) { return with_parameters(LS_ROW_##name, a, &b, 1); }
#define F_FFF(name, ...)                                                                           \
    ls_tensor ls_##name(ls_tensor a, float b, float c)                                             \
    {                                                                                              \
        return with_parameters(LS_ROW_##name, a, (float[]){b, c}, 2);                              \
    }
#include "elementwise_rows.h"

#define LS_ROWS 8
#define F_F(name, ...)                                                                             \
    static ls_tensor name(ls_tensor a) { return numeric(LS_ROW_##name, 0, &a, 1, LS_FLOAT32); }
#define F_FFF(name, ...)                                                                           \
    static ls_tensor name(ls_tensor a, ls_tensor b, ls_tensor c)                                   \
    {                                                                                              \
        return numeric(LS_ROW_##name, 0, (ls_tensor[]){a, b, c}, 3, LS_FLOAT32);                   \
    }
#include "elementwise_rows.h"

ls_tensor ls_gelu(ls_tensor a, bool approximate)
{
    return numeric(approximate ? LS_ROW_gelu_tanh : LS_ROW_gelu, 0, &a, 1, LS_FLOAT32);
}

/* The int32 nearest to a whole number, which may be infinite. */
static int32_t saturated(float value)
{
    return value >= 0x1p31f ? INT32_MAX : value < -0x1p31f ? INT32_MIN : (int32_t)value;
}

ls_tensor ls_clip(ls_tensor a, float minimum, float maximum)
{
    const struct ls_value *v;
    ls_context *ls = ls_op_enter("clip", &a, 1, &v);
    if (!ls)
        return LS_NIL;
    bool ints = v->dtype == LS_INT32;
    if (!(minimum <= maximum)) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "clip: of %s to [%g, %g]: the minimum must not be above the maximum",
                ls_text(v->shape).text, (double)minimum, (double)maximum);
        return LS_NIL;
    }
    if (ints && (truncf(minimum) != minimum || truncf(maximum) != maximum)) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "clip: of int32 %s to [%g, %g]: bounds of integers must be whole; "
                "ls_cast(a, LS_FLOAT32) before it allows others",
                ls_text(v->shape).text, (double)minimum, (double)maximum);
        return LS_NIL;
    }
    if (!ints)
        return with_parameters(LS_ROW_clip, a, (float[]){minimum, maximum}, 2);
    return ls_minimum(ls_maximum(a, ls_int_scalar(ls, saturated(minimum))), ls_int_scalar(ls, saturated(maximum)));
}

ls_tensor ls_where(ls_tensor condition, ls_tensor a, ls_tensor b)
{
    const struct ls_value *v[3];
    ls_tensor in[] = {condition, a, b};
    ls_context *ls = ls_op_enter("where", in, 3, v);
    if (!ls || !ls_op_dtype(ls, "where", v[0], LS_BOOL) || !ls_op_dtype(ls, "where", v[2], v[1]->dtype))
        return LS_NIL;
    return run(ls, LS_ROW_where, in, v, 3, v[1]->dtype, "where");
}

/* Between float types: g, in the type of a. Elsewhere none. */
static void vjp_cast(struct ls_vjp_call *call) { call->dx[0] = ls_cast(call->dy, ls_dtype_of(call->in[0])); }

static const struct ls_op float_cast = {"cast", vjp_cast, NULL};

/* To or from a 16-bit type, whose other side is float32. */
static ls_tensor cast_storage(ls_context *ls, ls_tensor a, const struct ls_value *v, ls_dtype dtype)
{
    static const enum ls_row to[] = {[LS_FLOAT16] = LS_ROW_to_float16, [LS_BFLOAT16] = LS_ROW_to_bfloat16};
    static const enum ls_row from[] = {[LS_FLOAT16] = LS_ROW_from_float16, [LS_BFLOAT16] = LS_ROW_from_bfloat16};
    if (v->dtype != LS_FLOAT32 && dtype != LS_FLOAT32)
        return ls_cast(ls_cast(a, LS_FLOAT32), dtype);
    ls_tensor out = one_row(ls, dtype == LS_FLOAT32 ? from[v->dtype] : to[dtype], &v, 1, dtype, "cast");
    return ls_record(ls, &float_cast, &a, 1, out, 0, NULL, 0);
}

ls_tensor ls_cast(ls_tensor a, ls_dtype dtype)
{
    const struct ls_value *v;
    ls_context *ls = ls_op_enter("cast", &a, 1, &v);
    if (!ls)
        return LS_NIL;
    if ((unsigned)dtype >= LS_DTYPE_COUNT) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "cast: unknown dtype %d", (int)dtype);
        return LS_NIL;
    }
    if (v->dtype == dtype)
        return a;
    if (ls_dtype_is_float16(v->dtype) || ls_dtype_is_float16(dtype))
        return cast_storage(ls, a, v, dtype);
    bool from_float = v->dtype == LS_FLOAT32, to_float = dtype == LS_FLOAT32;
    return run(ls, from_float ? dtype == LS_BOOL ? LS_ROW_not_zero : LS_ROW_to_int
                   : to_float ? LS_ROW_to_float
                              : LS_ROW_int_copy,
               &a, &v, 1, dtype, "cast");
}
