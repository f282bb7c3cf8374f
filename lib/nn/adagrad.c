/* SPDX-License-Identifier: Apache-2.0
 *
 * Adagrad.
 */
#include <float.h>

#include <lockstep/update.h>

#include "../core/internal.h"
#include "optimizer.h"

enum { EPSILON };

static ls_status update(ls_optimizer *adagrad, const struct ls_optimizer_slots *slots, ls_tensor gradient)
{
    return ls_update_adagrad(slots->variable, slots->slot[0], gradient, adagrad->learning_rate,
                             adagrad->number[EPSILON]);
}

static const struct ls_optimizer_kind kind = {.slot_name = {"accumulator"}, .update = update};

ls_optimizer *ls_adagrad_with(const ls_adagrad_options *options)
{
    if (!options)
        return ls_no_options("adagrad");
    ls_context *ls = options->context;
    float rate = ls_option(options->learning_rate, 0.001f), epsilon = ls_option(options->epsilon, 1e-7f);
    float initial = ls_option(options->initial_accumulator_value, 0.1f);
    if (!ls || ls_failed(ls) || !ls_option_within(ls, "adagrad", "learning_rate", rate, 0, FLT_MAX, false) ||
        !ls_option_within(ls, "adagrad", "initial_accumulator_value", initial, 0, FLT_MAX, false) ||
        !ls_option_within(ls, "adagrad", "epsilon", epsilon, 0, FLT_MAX, false))
        return NULL;
    struct ls_optimizer draft = {.context = ls,
                                 .kind = &kind,
                                 .common = LS_OPTIMIZER_COMMON(options),
                                 .number = {[EPSILON] = epsilon},
                                 .slot_initial = initial};
    return ls_optimizer_create(&draft, options->name ? options->name : "adagrad", rate);
}
