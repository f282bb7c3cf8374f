/* SPDX-License-Identifier: Apache-2.0
 *
 * The optimizers' rules: one elementwise program each, in place.
 */
#include <lockstep/update.h>

#include "op.h"

enum { MOST = 6, ROW = LS_REGISTER_ROW, IMMEDIATE = LS_REGISTER_IMMEDIATE };

/**
 * Runs a program over tensors `in`, of which the first `written` are variables that take the
 * registers `source`. All but the last `scalars` have the shape of the first; those have rank 0.
 */
static ls_status update(const char *name, const struct ls_program *program, const ls_tensor *in, int inputs,
                        int written, const uint8_t *source, int scalars)
{
    const struct ls_value *v[MOST];
    struct ls_program_output out[MOST];
    ls_context *ls = ls_op_enter(name, in, inputs, v);
    if (!ls)
        return in[0].context ? ls_error(in[0].context) : LS_INVALID_ARGUMENT;
    for (int i = 0; i < inputs; i++) {
        if (!ls_op_dtype(ls, name, v[i], LS_FLOAT32))
            return ls->error;
        bool scalar = i >= inputs - scalars;
        if (scalar ? v[i]->shape.rank != 0 : !ls_shape_equal(&v[i]->shape, &v[0]->shape))
            return ls_fail(ls, LS_SHAPE_MISMATCH, "%s: input %d is %s, but should be %s", name, i,
                           ls_text(v[i]->shape).text, scalar ? "()" : ls_text(v[0]->shape).text);
    }
    if (ls_shape_elements(&v[0]->shape) == 0)
        return LS_OK;
    for (int i = 0; i < written; i++) {
        struct ls_slot *slot = ls_slot_of(in[i]);
        if (!ls_slot_is_variable(slot))
            return ls_fail(ls, LS_INVALID_ARGUMENT, "%s: input %d is not a variable; ls_variable makes one", name, i);
        for (int k = 0; k < i; k++)
            if (in[k].index == in[i].index)
                return ls_fail(ls, LS_INVALID_ARGUMENT, "%s: inputs %d and %d are one variable", name, k, i);
        out[i].buffer = ls_variable_writable(ls, slot, true);
        out[i].dtype = LS_FLOAT32;
        out[i].source = source[i];
        if (!out[i].buffer)
            return ls->error;
    }
    return ls_run_program(ls, program, &v[0]->shape, v, inputs, out, written);
}

ls_status ls_update_sgd(ls_tensor variable, ls_tensor velocity, ls_tensor gradient, ls_tensor learning_rate,
                        float momentum, bool nesterov)
{
    if (!velocity.context) {
        enum { W, G, LR };
        struct ls_program plain = {
            .rows = 2, .row = {{LS_ROW_neg, {LR, 0, 0}}, {LS_ROW_fma, {ROW, G, W}}}};
        const uint8_t source[] = {ROW + 1};
        return update("update_sgd", &plain, (ls_tensor[]){variable, gradient, learning_rate}, 3, 1, source, 1);
    }
    enum { W, V, G, LR };
    struct ls_program program = {
        .rows = nesterov ? 7 : 5,
        .immediates = 1,
        .immediate = {momentum},
        .row = {{LS_ROW_neg, {LR, 0, 0}},
                {LS_ROW_mul, {V, IMMEDIATE, 0}},
                {LS_ROW_fma, {ROW, G, ROW + 1}},
                {LS_ROW_flush_first, {ROW + 2, 0, 0}}}};
    if (nesterov) {
        program.row[4] = (struct ls_map_row){LS_ROW_mul, {ROW + 3, IMMEDIATE, 0}};
        program.row[5] = (struct ls_map_row){LS_ROW_fma, {ROW, G, ROW + 4}};
        program.row[6] = (struct ls_map_row){LS_ROW_add, {W, ROW + 5, 0}};
    } else {
        program.row[4] = (struct ls_map_row){LS_ROW_add, {W, ROW + 3, 0}};
    }
    const uint8_t source[] = {(uint8_t)(ROW + program.rows - 1), ROW + 3};
    return update("update_sgd", &program, (ls_tensor[]){variable, velocity, gradient, learning_rate}, 4, 2, source, 1);
}

ls_status ls_update_adam_rate(ls_tensor rate, ls_tensor beta1_power, ls_tensor beta2_power, ls_tensor learning_rate,
                              float beta1, float beta2)
{
    enum { RATE, POWER1, POWER2, LR, BETA1 = IMMEDIATE, BETA2, ONE };
    struct ls_program program = {
        .rows = 7,
        .immediates = 3,
        .immediate = {beta1, beta2, 1.0f},
        .row = {{LS_ROW_mul, {POWER1, BETA1, 0}},
                {LS_ROW_mul, {POWER2, BETA2, 0}},
                {LS_ROW_sub, {ONE, ROW, 0}},
                {LS_ROW_sub, {ONE, ROW + 1, 0}},
                {LS_ROW_sqrt, {ROW + 3, 0, 0}},
                {LS_ROW_mul, {LR, ROW + 4, 0}},
                {LS_ROW_div, {ROW + 5, ROW + 2, 0}}}};
    const uint8_t source[] = {ROW + 6, ROW, ROW + 1};
    return update("update_adam_rate", &program, (ls_tensor[]){rate, beta1_power, beta2_power, learning_rate}, 4, 3,
                  source, 1);
}

ls_status ls_update_adam(ls_tensor variable, ls_tensor m, ls_tensor v, ls_tensor gradient, ls_tensor rate, float beta1,
                         float beta2, float epsilon)
{
    enum { W, M, V, G, RATE, KEEP1 = IMMEDIATE, KEEP2, EPSILON };
    struct ls_program program = {
        .rows = 12,
        .immediates = 3,
        .immediate = {1.0f - beta1, 1.0f - beta2, epsilon},
        .row = {{LS_ROW_sub, {G, M, 0}},               /* g - m */
                {LS_ROW_fma, {ROW, KEEP1, M}},         /* m + (g - m)(1 - beta1) */
                {LS_ROW_flush_first, {ROW + 1, 0, 0}}, /* m */
                {LS_ROW_flush_square, {G, 0, 0}},      /* g^2 */
                {LS_ROW_sub, {ROW + 3, V, 0}},
                {LS_ROW_fma, {ROW + 4, KEEP2, V}},
                {LS_ROW_flush_second, {ROW + 5, 0, 0}}, /* v */
                {LS_ROW_sqrt, {ROW + 6, 0, 0}},
                {LS_ROW_add, {ROW + 7, EPSILON, 0}},
                {LS_ROW_mul, {RATE, ROW + 2, 0}},
                {LS_ROW_div, {ROW + 9, ROW + 8, 0}},
                {LS_ROW_sub, {W, ROW + 10, 0}}}};
    const uint8_t source[] = {ROW + 11, ROW + 2, ROW + 6};
    return update("update_adam", &program, (ls_tensor[]){variable, m, v, gradient, rate}, 5, 3, source, 1);
}

ls_status ls_update_amsgrad(ls_tensor variable, ls_tensor m, ls_tensor v, ls_tensor v_hat, ls_tensor gradient,
                            ls_tensor rate, float beta1, float beta2, float epsilon)
{
    enum { W, M, V, VHAT, G, RATE, KEEP1 = IMMEDIATE, KEEP2, EPSILON };
    struct ls_program program = {
        .rows = 13,
        .immediates = 3,
        .immediate = {1.0f - beta1, 1.0f - beta2, epsilon},
        .row = {{LS_ROW_sub, {G, M, 0}},
                {LS_ROW_fma, {ROW, KEEP1, M}},
                {LS_ROW_flush_first, {ROW + 1, 0, 0}}, /* m */
                {LS_ROW_flush_square, {G, 0, 0}},
                {LS_ROW_sub, {ROW + 3, V, 0}},
                {LS_ROW_fma, {ROW + 4, KEEP2, V}},
                {LS_ROW_flush_second, {ROW + 5, 0, 0}}, /* v */
                {LS_ROW_maximum, {VHAT, ROW + 6, 0}},   /* v_hat */
                {LS_ROW_sqrt, {ROW + 7, 0, 0}},
                {LS_ROW_add, {ROW + 8, EPSILON, 0}},
                {LS_ROW_mul, {RATE, ROW + 2, 0}},
                {LS_ROW_div, {ROW + 10, ROW + 9, 0}},
                {LS_ROW_sub, {W, ROW + 11, 0}}}};
    const uint8_t source[] = {ROW + 12, ROW + 2, ROW + 6, ROW + 7};
    return update("update_amsgrad", &program, (ls_tensor[]){variable, m, v, v_hat, gradient, rate}, 6, 4, source, 1);
}

/* ---- RMSprop and Adagrad: a program that grows with what is asked for ---- */

/* Appends a row; returns its register. */
static uint8_t then(struct ls_program *program, enum ls_row op, uint8_t a, uint8_t b, uint8_t c)
{
    program->row[program->rows] = (struct ls_map_row){(uint16_t)op, {a, b, c}};
    return (uint8_t)(ROW + program->rows++);
}

/* average = rho average + (1 - rho) gradient, snapped as a first moment. */
static ls_status update_average(ls_tensor average, ls_tensor gradient, float rho)
{
    enum { A, G, RHO = IMMEDIATE, KEEP };
    struct ls_program program = {.immediates = 2, .immediate = {rho, 1.0f - rho}};
    uint8_t decayed = then(&program, LS_ROW_mul, A, RHO, 0);
    uint8_t moved = then(&program, LS_ROW_fma, G, KEEP, decayed);
    const uint8_t source[] = {then(&program, LS_ROW_flush_first, moved, 0, 0)};
    return update("update_rmsprop", &program, (ls_tensor[]){average, gradient}, 2, 1, source, 0);
}

ls_status ls_update_rmsprop(ls_tensor variable, ls_tensor velocity, ls_tensor momentum_slot, ls_tensor average,
                            ls_tensor gradient, ls_tensor learning_rate, float rho, float momentum, float epsilon)
{
    enum { RHO = IMMEDIATE, KEEP, EPSILON, MOMENTUM, ZERO };
    ls_tensor in[MOST] = {variable, velocity};
    uint8_t source[3], inputs = 2, written = 2, w = 0, v = 1, m = 0, a = 0;
    if (momentum_slot.context) {
        in[m = inputs++] = momentum_slot;
        written++;
    }
    if (average.context) {
        if (update_average(average, gradient, rho) != LS_OK)
            return ls_error(variable.context);
        in[a = inputs++] = average;
    }
    uint8_t g = inputs++, rate = inputs++;
    in[g] = gradient;
    in[rate] = learning_rate;

    struct ls_program p = {.immediates = 5, .immediate = {rho, 1.0f - rho, epsilon, momentum, 0.0f}};
    uint8_t square = then(&p, LS_ROW_flush_square, g, 0, 0);
    uint8_t decayed = then(&p, LS_ROW_mul, v, RHO, 0);
    uint8_t moved = then(&p, LS_ROW_fma, square, KEEP, decayed);
    uint8_t under = source[1] = then(&p, LS_ROW_flush_second, moved, 0, 0);
    if (a) {
        uint8_t centre = then(&p, LS_ROW_flush_square, a, 0, 0);
        under = then(&p, LS_ROW_sub, under, centre, 0);
        under = then(&p, LS_ROW_maximum, under, ZERO, 0);
    }
    uint8_t root = then(&p, LS_ROW_sqrt, then(&p, LS_ROW_add, under, EPSILON, 0), 0, 0);
    uint8_t step = then(&p, LS_ROW_div, then(&p, LS_ROW_mul, rate, g, 0), root, 0);
    if (m) {
        step = then(&p, LS_ROW_fma, MOMENTUM, m, step);
        step = source[2] = then(&p, LS_ROW_flush_first, step, 0, 0);
    }
    source[0] = then(&p, LS_ROW_sub, w, step, 0);
    return update("update_rmsprop", &p, in, inputs, written, source, 1);
}

ls_status ls_update_adagrad(ls_tensor variable, ls_tensor accumulator, ls_tensor gradient, ls_tensor learning_rate,
                            float epsilon)
{
    enum { W, SUM, G, LR, EPSILON = IMMEDIATE };
    struct ls_program program = {
        .rows = 8,
        .immediates = 1,
        .immediate = {epsilon},
        .row = {{LS_ROW_flush_square, {G, 0, 0}},
                {LS_ROW_add, {SUM, ROW, 0}},
                {LS_ROW_flush_second, {ROW + 1, 0, 0}},
                {LS_ROW_add, {ROW + 2, EPSILON, 0}},
                {LS_ROW_sqrt, {ROW + 3, 0, 0}},
                {LS_ROW_mul, {LR, G, 0}},
                {LS_ROW_div, {ROW + 5, ROW + 4, 0}},
                {LS_ROW_sub, {W, ROW + 6, 0}}}};
    const uint8_t source[] = {ROW + 7, ROW + 2};
    return update("update_adagrad", &program, (ls_tensor[]){variable, accumulator, gradient, learning_rate}, 4, 2,
                  source, 1);
}

ls_status ls_update_weight_decay(ls_tensor variable, ls_tensor learning_rate, float weight_decay)
{
    enum { W, LR, DECAY = IMMEDIATE };
    struct ls_program program = {.rows = 3,
                                 .immediates = 1,
                                 .immediate = {weight_decay},
                                 .row = {{LS_ROW_mul, {W, DECAY, 0}},
                                         {LS_ROW_neg, {LR, 0, 0}},
                                         {LS_ROW_fma, {ROW + 1, ROW, W}}}};
    const uint8_t source[] = {ROW + 2};
    return update("update_weight_decay", &program, (ls_tensor[]){variable, learning_rate}, 2, 1, source, 1);
}

ls_status ls_update_average(ls_tensor average, ls_tensor variable, ls_tensor momentum)
{
    enum { A, W, MOMENTUM, ONE = IMMEDIATE };
    struct ls_program program = {.rows = 3,
                                 .immediates = 1,
                                 .immediate = {1.0f},
                                 .row = {{LS_ROW_mul, {MOMENTUM, A, 0}},
                                         {LS_ROW_sub, {ONE, MOMENTUM, 0}},
                                         {LS_ROW_fma, {ROW + 1, W, ROW}}}};
    const uint8_t source[] = {ROW + 2};
    return update("update_average", &program, (ls_tensor[]){average, variable, momentum}, 3, 1, source, 1);
}
