/* SPDX-License-Identifier: Apache-2.0
 *
 * Adam. The powers of beta are kept as tensors and multiplied once per step (canon.md rule 14).
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

static ls_status update(ls_optimizer *adam, const struct ls_optimizer_slots *slots, ls_tensor gradient)
{
    return ls_update_adam(slots->variable, slots->slot[0], slots->slot[1], gradient, adam->own[RATE],
                          adam->number[BETA_1], adam->number[BETA_2], adam->number[EPSILON]);
}

static const struct ls_optimizer_kind kind = {
    .slot_name = {"momentum", "velocity"},
    .own = {{"beta_1_power", 1}, {"beta_2_power", 1}, {"rate", 0}},
    .begin = begin,
    .update = update,
};

ls_optimizer *ls_adam_with(const ls_adam_options *options)
{
    ls_context *ls = options->context;
    float rate = ls_option(options->learning_rate, 0.001f);
    float beta_1 = ls_option(options->beta_1, 0.9f), beta_2 = ls_option(options->beta_2, 0.999f);
    float epsilon = ls_option(options->epsilon, 1e-7f);
    if (!ls || ls_failed(ls) || !ls_option_within(ls, "adam", "learning_rate", rate, 0, FLT_MAX, false) ||
        !ls_option_within(ls, "adam", "beta_1", beta_1, 0, 1, true) ||
        !ls_option_within(ls, "adam", "beta_2", beta_2, 0, 1, true) ||
        !ls_option_within(ls, "adam", "epsilon", epsilon, 0, FLT_MAX, false))
        return NULL;
    struct ls_optimizer draft = {.context = ls,
                                 .kind = &kind,
                                 .number = {[BETA_1] = beta_1, [BETA_2] = beta_2, [EPSILON] = epsilon}};
    return ls_optimizer_create(&draft, options->name ? options->name : "adam", rate);
}
