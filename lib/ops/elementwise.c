/* SPDX-License-Identifier: Apache-2.0
 *
 * The elementwise ops. Functions, op records and gradient rules are made from elementwise.def; what
 * stands here is how a row is run and how broadcasting is undone.
 */
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
        ls_tensor g = call->dy, a = call->in[0], b = call->in[1];                                  \
        (void)a, (void)b;                                                                          \
        RULE(0, grad_a)                                                                            \
        RULE(1, grad_b)                                                                            \
        RULE(2, grad_c)                                                                            \
    }
#define I_F(...)
#define I_I(...)
#define I_FF(...)
#define I_II(...)
#define F_I(...)
#define W_IWW(...)
#include "elementwise.def"
#undef F_F
#undef F_FF
#undef F_FFF
#undef I_F
#undef I_I
#undef I_FF
#undef I_II
#undef F_I
#undef W_IWW
#undef RULE
#undef K
#undef ZERO
#undef NONE

/* where: the gradient goes to the side that was taken. */
static void vjp_where(struct ls_vjp_call *call)
{
    ls_tensor zero = ls_scalar(call->ls, 0.0f), condition = call->in[0];
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

enum { A = 1, B = 2, Y = LS_SAVE_OUT };
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
#include "elementwise.def"
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
                     ls_dtype dtype)
{
    const struct elementwise *record = &records[row];
    ls_tensor out = one_row(ls, row, v, inputs, dtype, record->op.name);
    return ls_record(ls, &record->op, in, inputs, out, record->saves, NULL, 0);
}

/* ---- The public functions ---- */

/* All inputs float32, or, where the op has a row for it, all int32. */
static ls_tensor numeric(enum ls_row float_row, enum ls_row int_row, const ls_tensor *in, int inputs, ls_dtype result)
{
    const struct ls_value *v[3];
    const char *name = records[float_row].op.name;
    ls_context *ls = ls_op_enter(name, in, inputs, v);
    if (!ls)
        return LS_NIL;
    bool ints = int_row != LS_ROW_NONE && v[0]->dtype == LS_INT32;
    for (int i = 0; i < inputs; i++)
        if (!ls_op_dtype(ls, name, v[i], ints ? LS_INT32 : LS_FLOAT32))
            return LS_NIL;
    return run(ls, ints ? int_row : float_row, in, v, inputs, ints && result == LS_FLOAT32 ? LS_INT32 : result);
}

#define UNARY(name, int_row)                                                                       \
    ls_tensor ls_##name(ls_tensor a)                                                               \
    {                                                                                              \
        return numeric(LS_ROW_##name, int_row, &a, 1, LS_FLOAT32);                                 \
    }
#define BINARY(name, int_row, result)                                                              \
    ls_tensor ls_##name(ls_tensor a, ls_tensor b)                                                  \
    {                                                                                              \
        return numeric(LS_ROW_##name, int_row, (ls_tensor[]){a, b}, 2, result);                    \
    }
UNARY(neg, LS_ROW_int_neg)
UNARY(abs, LS_ROW_NONE)
UNARY(sign, LS_ROW_NONE)
UNARY(square, LS_ROW_NONE)
UNARY(reciprocal, LS_ROW_NONE)
UNARY(sqrt, LS_ROW_NONE)
UNARY(rsqrt, LS_ROW_NONE)
UNARY(exp, LS_ROW_NONE)
UNARY(expm1, LS_ROW_NONE)
UNARY(log, LS_ROW_NONE)
UNARY(log1p, LS_ROW_NONE)
UNARY(sin, LS_ROW_NONE)
UNARY(cos, LS_ROW_NONE)
UNARY(tanh, LS_ROW_NONE)
UNARY(sigmoid, LS_ROW_NONE)
UNARY(erf, LS_ROW_NONE)
UNARY(relu, LS_ROW_NONE)
UNARY(floor, LS_ROW_NONE)
BINARY(add, LS_ROW_int_add, LS_FLOAT32)
BINARY(sub, LS_ROW_int_sub, LS_FLOAT32)
BINARY(mul, LS_ROW_int_mul, LS_FLOAT32)
BINARY(div, LS_ROW_NONE, LS_FLOAT32)
BINARY(pow, LS_ROW_NONE, LS_FLOAT32)
BINARY(maximum, LS_ROW_int_maximum, LS_FLOAT32)
BINARY(minimum, LS_ROW_int_minimum, LS_FLOAT32)
BINARY(relu_grad, LS_ROW_NONE, LS_FLOAT32)
BINARY(equal, LS_ROW_int_equal, LS_BOOL)
BINARY(not_equal, LS_ROW_int_not_equal, LS_BOOL)
BINARY(less, LS_ROW_int_less, LS_BOOL)
BINARY(less_equal, LS_ROW_int_less_equal, LS_BOOL)
BINARY(greater, LS_ROW_int_greater, LS_BOOL)
BINARY(greater_equal, LS_ROW_int_greater_equal, LS_BOOL)
#undef UNARY
#undef BINARY

ls_tensor ls_fma(ls_tensor a, ls_tensor b, ls_tensor c)
{
    return numeric(LS_ROW_fma, LS_ROW_NONE, (ls_tensor[]){a, b, c}, 3, LS_FLOAT32);
}

static ls_tensor logical(enum ls_row row, const ls_tensor *in, int inputs)
{
    const struct ls_value *v[2];
    const char *name = records[row].op.name;
    ls_context *ls = ls_op_enter(name, in, inputs, v);
    for (int i = 0; ls && i < inputs; i++)
        if (!ls_op_dtype(ls, name, v[i], LS_BOOL))
            return LS_NIL;
    return ls ? run(ls, row, in, v, inputs, LS_BOOL) : LS_NIL;
}

ls_tensor ls_logical_and(ls_tensor a, ls_tensor b) { return logical(LS_ROW_logical_and, (ls_tensor[]){a, b}, 2); }
ls_tensor ls_logical_or(ls_tensor a, ls_tensor b) { return logical(LS_ROW_logical_or, (ls_tensor[]){a, b}, 2); }
ls_tensor ls_logical_not(ls_tensor a) { return logical(LS_ROW_logical_not, &a, 1); }

ls_tensor ls_where(ls_tensor condition, ls_tensor a, ls_tensor b)
{
    const struct ls_value *v[3];
    ls_tensor in[] = {condition, a, b};
    ls_context *ls = ls_op_enter("where", in, 3, v);
    if (!ls || !ls_op_dtype(ls, "where", v[0], LS_BOOL) || !ls_op_dtype(ls, "where", v[2], v[1]->dtype))
        return LS_NIL;
    return run(ls, LS_ROW_where, in, v, 3, v[1]->dtype);
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
    bool from_float = v->dtype == LS_FLOAT32, to_float = dtype == LS_FLOAT32;
    return run(ls, from_float ? dtype == LS_BOOL ? LS_ROW_not_zero : LS_ROW_to_int
                   : to_float ? LS_ROW_to_float
                              : LS_ROW_int_copy,
               &a, &v, 1, dtype);
}
