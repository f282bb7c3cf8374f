/* SPDX-License-Identifier: Apache-2.0
 *
 * Optimizers, schedules and clipping: the same as in golden/cases_optimizers.py, whose ops update one variable,
 * and in golden/cases_training.py, whose optimizers update two.
 */
#include <lockstep/ops.h>
#include <lockstep/optimizers.h>
#include <lockstep/update.h>

#include "golden.h"

/* ---- Optimizers: inputs variable, slots, gradients (steps, …). Outputs: the variable after every
 * step, then the slots. Each snapshot shares the variable's storage, which the next step must not
 * write to. ---- */

static ls_tensor snapshot(ls_tensor variable) { return ls_stop_gradient(variable); }

/* attrs: nesterov, with a velocity. reals: learning rate, momentum */
static int call_update_sgd(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    int steps = (int)c->input[2].shape.dim[0];
    ls_tensor w = ls_variable(in[0], "w", true), v = ls_variable(in[1], "v", false), nil = {0};
    ls_tensor rate = ls_scalar(ls, c->real[0]);
    for (int i = 0; i < steps; i++) {
        ls_update_sgd(w, c->attr[1] ? v : nil, golden_step(in[2], i), rate, c->real[1], c->attr[0] != 0);
        out[i] = snapshot(w);
    }
    if (c->attr[1])
        out[steps] = snapshot(v);
    ls_variable_destroy(&w);
    ls_variable_destroy(&v);
    return steps + (c->attr[1] ? 1 : 0);
}

/* reals: learning rate, beta1, beta2. Outputs: the rate after every step, the two powers */
static int call_update_adam_rate(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    ls_tensor one = ls_scalar(ls, 1.0f), learning_rate = ls_scalar(ls, c->real[0]);
    ls_tensor rate = ls_variable(ls_scalar(ls, 0.0f), "rate", false);
    ls_tensor power1 = ls_variable(one, "beta1_power", false), power2 = ls_variable(one, "beta2_power", false);
    int steps = c->outputs - 2;
    (void)in;
    for (int i = 0; i < steps; i++) {
        ls_update_adam_rate(rate, power1, power2, learning_rate, c->real[1], c->real[2]);
        out[i] = snapshot(rate);
    }
    out[steps] = snapshot(power1);
    out[steps + 1] = snapshot(power2);
    ls_variable_destroy(&rate);
    ls_variable_destroy(&power1);
    ls_variable_destroy(&power2);
    return steps + 2;
}

/* reals: learning rate, beta1, beta2, epsilon. Slots: both moments */
static int call_update_adam(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    int steps = (int)c->input[3].shape.dim[0];
    ls_tensor one = ls_scalar(ls, 1.0f), learning_rate = ls_scalar(ls, c->real[0]);
    ls_tensor rate = ls_variable(ls_scalar(ls, 0.0f), "rate", false);
    ls_tensor power1 = ls_variable(one, "beta1_power", false), power2 = ls_variable(one, "beta2_power", false);
    ls_tensor w = ls_variable(in[0], "w", true), m = ls_variable(in[1], "m", false), v = ls_variable(in[2], "v", false);
    for (int i = 0; i < steps; i++) {
        ls_update_adam_rate(rate, power1, power2, learning_rate, c->real[1], c->real[2]);
        ls_update_adam(w, m, v, golden_step(in[3], i), rate, c->real[1], c->real[2], c->real[3]);
        out[i] = snapshot(w);
    }
    out[steps] = snapshot(m);
    out[steps + 1] = snapshot(v);
    ls_tensor *variables[] = {&rate, &power1, &power2, &w, &m, &v};
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        ls_variable_destroy(variables[i]);
    return steps + 2;
}

/* ---- Whole optimizers, schedules, clipping: the same as in golden/cases_training.py ---- */

/* attrs: kind, flag, the step at which the second gradient is missing, whether bias is excluded from
 * decay, then ema, 64 times its momentum, its frequency, accumulation. reals: learning rate, three
 * numbers of the kind, decay, clipnorm, global_clipnorm, clipvalue. */
static ls_optimizer *make_optimizer(ls_context *ls, const struct golden_case *c)
{
    const float *r = c->real;
    bool flag = c->attr[1] != 0;
#define COMMON                                                                                     \
    .weight_decay = r[4], .clipnorm = r[5], .global_clipnorm = r[6], .clipvalue = r[7],            \
    .use_ema = c->attr[4] != 0, .ema_momentum = (float)c->attr[5] / 64,                            \
    .ema_overwrite_frequency = (int)c->attr[6], .gradient_accumulation_steps = (int)c->attr[7]
    switch (c->attr[0]) {
    case 0:
        return ls_sgd(ls, r[0], .momentum = r[1], .nesterov = flag, COMMON);
    case 1:
        return ls_adam(ls, r[0], r[1], r[2], r[3], .amsgrad = flag, COMMON);
    case 2:
        return ls_adamw(ls, r[0], r[1], r[2], r[3], .amsgrad = flag, COMMON);
    case 3:
        return ls_rmsprop(ls, r[0], r[1], r[2], r[3], .centered = flag, COMMON);
    default:
        return ls_adagrad(ls, r[0], r[1], r[2], COMMON);
    }
#undef COMMON
}

static ls_tensor flat(ls_tensor a) { return ls_reshape(a, LS_SHAPE(-1)); }

/* The optimizer's variables as Keras has them, flat, after a 0. */
static ls_tensor state_of(ls_context *ls, ls_optimizer *optimizer)
{
    ls_tensor parts[32] = {flat(ls_scalar(ls, 0))};
    size_t count = 1;
    ls_variables variables = ls_optimizer_variables(optimizer);
    for (size_t i = 2; i < variables.count && count < 32; i++)
        if (ls_shape_of_tensor(variables.items[i]).rank > 0)
            parts[count++] = flat(variables.items[i]);
    return ls_concat(parts, count, 0);
}

static int call_optimizer(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    enum { MOST_STEPS = 16 };
    int64_t steps = c->input[2].shape.dim[0];
    ls_tensor w[2] = {ls_variable(in[0], "layer/kernel", true), ls_variable(in[1], "layer/bias", true)};
    ls_tensor history[2][MOST_STEPS];
    ls_optimizer *optimizer = make_optimizer(ls, c);
    if (c->attr[3])
        ls_exclude_from_weight_decay(optimizer, "^bi.s$");
    ls_optimizer_build(optimizer, (ls_variables){w, 2, NULL});
    for (int64_t i = 0; i < steps && i < MOST_STEPS; i++) {
        ls_tensor g[2] = {golden_step(in[2], i), golden_step(in[3], i)};
        if (i == c->attr[2])
            g[1] = (ls_tensor){0};
        ls_apply_gradients(optimizer, (ls_gradients){g, w, 2, ls});
        for (int k = 0; k < 2; k++)
            history[k][i] = ls_expand_dims(snapshot(w[k]), 0);
    }
    for (int k = 0; k < 2; k++)
        out[k] = ls_concat(history[k], (size_t)steps, 0);
    out[2] = state_of(ls, optimizer);
    ls_optimizer_destroy(&optimizer);
    ls_variable_destroy(&w[0]);
    ls_variable_destroy(&w[1]);
    return 3;
}

/* attrs: kind, flag. reals: the numbers of the kind. in[0]: steps; then boundaries and values */
static int call_schedule(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    const float *r = c->real;
    bool flag = c->attr[1] != 0;
    ls_schedule s = c->attr[0] == 0   ? ls_exponential_decay(r[0], r[1], r[2], flag)
                    : c->attr[0] == 1 ? ls_piecewise_constant_decay((int)c->input[1].size, c->input[1].data,
                                                                    c->input[2].data)
                    : c->attr[0] == 2 ? ls_polynomial_decay(r[0], r[1], r[2], r[3], flag)
                    : c->attr[0] == 3 ? ls_inverse_time_decay(r[0], r[1], r[2], flag)
                    : c->attr[0] == 4 ? ls_cosine_decay(r[0], r[1], r[2], r[3], r[4])
                                      : ls_cosine_decay_restarts(r[0], r[1], r[2], r[3], r[4]);
    (void)ls;
    out[0] = ls_schedule_rate(&s, in[0]);
    return 1;
}

static int call_clip_by_norm(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    (void)ls;
    out[0] = ls_clip_by_norm(in[0], c->real[0]);
    return 1;
}

/* Both clipped, flat, and then the norm. */
static int call_clip_by_global_norm(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    ls_tensor items[] = {in[0], {0}, in[1]};
    ls_tensor norm = ls_clip_by_global_norm((ls_gradients){items, NULL, 3, ls}, c->real[0]);
    out[0] = ls_concat((ls_tensor[]){flat(items[0]), flat(items[2]), flat(norm)}, 3, 0);
    return 1;
}

/* clang-format off */
#define CALL(op) {#op, call_##op}
const struct golden_entry golden_training_ops[] = {
    CALL(update_sgd), CALL(update_adam_rate), CALL(update_adam), CALL(optimizer), CALL(schedule),
    CALL(clip_by_norm), CALL(clip_by_global_norm),
    {0},
};
#undef CALL
/* clang-format on */
