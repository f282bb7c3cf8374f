/* SPDX-License-Identifier: Apache-2.0
 *
 * Stochastic gradient descent, plain, with momentum, or with Nesterov's.
 */
#include <float.h>

#include <lockstep/update.h>

#include "../core/internal.h"
#include "optimizer.h"

enum { MOMENTUM };

static ls_status update(ls_optimizer *sgd, const struct ls_optimizer_slots *slots, ls_tensor gradient)
{
    return ls_update_sgd(slots->variable, slots->slot[0], gradient, sgd->learning_rate, sgd->number[MOMENTUM],
                         sgd->flag);
}

static const struct ls_optimizer_kind plain = {.update = update};
static const struct ls_optimizer_kind with_momentum = {.slot_name = {"momentum"}, .update = update};

ls_optimizer *ls_sgd_with(const ls_sgd_options *options)
{
    if (!options)
        return ls_no_options("sgd");
    ls_context *ls = options->context;
    float rate = ls_option(options->learning_rate, 0.01f), momentum = ls_option(options->momentum, 0);
    if (!ls || ls_failed(ls) || !ls_option_within(ls, "sgd", "learning_rate", rate, 0, FLT_MAX, false) ||
        !ls_option_within(ls, "sgd", "momentum", momentum, 0, 1, false))
        return NULL;
    struct ls_optimizer draft = {.context = ls,
                                 .common = LS_OPTIMIZER_COMMON(options),
                                 .kind = momentum > 0 ? &with_momentum : &plain,
                                 .number[MOMENTUM] = momentum,
                                 .flag = options->nesterov};
    return ls_optimizer_create(&draft, options->name ? options->name : "SGD", rate);
}
