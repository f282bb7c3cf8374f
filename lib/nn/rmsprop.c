/* SPDX-License-Identifier: Apache-2.0
 *
 * RMSprop, plain, with momentum, centered, or both.
 */
#include <float.h>

#include <lockstep/update.h>

#include "../core/internal.h"
#include "optimizer.h"

enum { RHO, MOMENTUM, EPSILON };

static ls_status update(ls_optimizer *rmsprop, const struct ls_optimizer_slots *slots, ls_tensor gradient)
{
    return ls_update_rmsprop(slots->variable, slots->slot[0], slots->slot[1], slots->slot[2], gradient,
                             rmsprop->learning_rate, rmsprop->number[RHO], rmsprop->number[MOMENTUM],
                             rmsprop->number[EPSILON]);
}

static const struct ls_optimizer_kind kind = {
    .slot_name = {"velocity", "momentum", "average_gradient"},
    .slot_group = {0, 1, 2},
    .update = update,
};

ls_optimizer *ls_rmsprop_with(const ls_rmsprop_options *options)
{
    if (!options)
        return ls_no_options("rmsprop");
    ls_context *ls = options->context;
    float rate = ls_option(options->learning_rate, 0.001f), rho = ls_option(options->rho, 0.9f);
    float momentum = ls_option(options->momentum, 0), epsilon = ls_option(options->epsilon, 1e-7f);
    if (!ls || ls_failed(ls) || !ls_option_within(ls, "rmsprop", "learning_rate", rate, 0, FLT_MAX, false) ||
        !ls_option_within(ls, "rmsprop", "rho", rho, 0, 1, false) ||
        !ls_option_within(ls, "rmsprop", "momentum", momentum, 0, 1, false) ||
        !ls_option_within(ls, "rmsprop", "epsilon", epsilon, 0, FLT_MAX, false))
        return NULL;
    struct ls_optimizer draft = {.context = ls,
                                 .kind = &kind,
                                 .common = LS_OPTIMIZER_COMMON(options),
                                 .number = {[RHO] = rho, [MOMENTUM] = momentum, [EPSILON] = epsilon},
                                 .without = (momentum > 0 ? 0 : 1u << 1) | (options->centered ? 0 : 1u << 2)};
    return ls_optimizer_create(&draft, options->name ? options->name : "rmsprop", rate);
}
