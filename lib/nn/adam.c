/* SPDX-License-Identifier: Apache-2.0
 *
 * Adam and AdamW. The powers of beta are kept as tensors and multiplied once per step (canon.md rule 14).
 */
#include <float.h>

#include <lockstep/update.h>

#include "../core/internal.h"
#include "optimizer.h"

enum { BETA_1, BETA_2, EPSILON };
enum { BETA_1_POWER, BETA_2_POWER, RATE };

static ls_status begin(ls_optimizer *adam)
{
    return ls_update_adam_rate(adam->own[RATE], adam->own[BETA_1_POWER], adam->own[BETA_2_POWER], adam->learning_rate,
                               adam->number[BETA_1], adam->number[BETA_2]);
}

/* The powers as so many steps leave them, by the same multiplications. */
static void resume(ls_optimizer *adam, int64_t steps)
{
    for (int p = BETA_1; p <= BETA_2; p++) {
        float power = 1, before = 0;
        for (int64_t i = 0; i < steps && power != before; i++) {
            before = power;
            power *= adam->number[p];
        }
        ls_assign(adam->own[BETA_1_POWER + p], ls_scalar(adam->context, power));
    }
}

static ls_status update(ls_optimizer *adam, const struct ls_optimizer_slots *slots, ls_tensor gradient)
{
    const ls_tensor *slot = slots->slot;
    const float *n = adam->number;
    if (ls_optimizer_has_slot(adam, 2))
        return ls_update_amsgrad(slots->variable, slot[0], slot[1], slot[2], gradient, adam->own[RATE], n[BETA_1],
                                 n[BETA_2], n[EPSILON]);
    return ls_update_adam(slots->variable, slot[0], slot[1], gradient, adam->own[RATE], n[BETA_1], n[BETA_2],
                          n[EPSILON]);
}

static const struct ls_optimizer_kind kind = {
    .slot_name = {"momentum", "velocity", "velocity_hat"},
    .slot_group = {0, 0, 1},
    .own = {{"beta_1_power", 1}, {"beta_2_power", 1}, {"rate", 0}},
    .begin = begin,
    .resume = resume,
    .update = update,
};

static ls_optimizer *make(const ls_adam_options *options, const char *name, float weight_decay)
{
    ls_context *ls = options->context;
    float rate = ls_option(options->learning_rate, 0.001f);
    float beta_1 = ls_option(options->beta_1, 0.9f), beta_2 = ls_option(options->beta_2, 0.999f);
    float epsilon = ls_option(options->epsilon, 1e-7f);
    if (!ls || ls_failed(ls) || !ls_option_within(ls, name, "learning_rate", rate, 0, FLT_MAX, false) ||
        !ls_option_within(ls, name, "beta_1", beta_1, 0, 1, true) ||
        !ls_option_within(ls, name, "beta_2", beta_2, 0, 1, true) ||
        !ls_option_within(ls, name, "epsilon", epsilon, 0, FLT_MAX, false))
        return NULL;
    struct ls_optimizer draft = {.context = ls,
                                 .kind = &kind,
                                 .common = LS_OPTIMIZER_COMMON(options),
                                 .number = {[BETA_1] = beta_1, [BETA_2] = beta_2, [EPSILON] = epsilon},
                                 .without = options->amsgrad ? 0 : 1u << 2};
    draft.common.weight_decay = ls_option(options->weight_decay, weight_decay);
    return ls_optimizer_create(&draft, options->name ? options->name : name, rate);
}

ls_optimizer *ls_adam_with(const ls_adam_options *options)
{
    return options ? make(options, "adam", 0) : ls_no_options("adam");
}

ls_optimizer *ls_adamw_with(const ls_adam_options *options)
{
    return options ? make(options, "adamw", 0.004f) : ls_no_options("adamw");
}
