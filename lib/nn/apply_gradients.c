/* SPDX-License-Identifier: Apache-2.0
 *
 * One step of any optimizer: the gradients, those that are missing, clipping, decay, accumulation, the updates.
 */
#include <stdio.h>
#include <string.h>

#include <lockstep/ops.h>
#include <lockstep/update.h>

#include "../core/internal.h"
#include "../core/receipt.h"
#include "lists.h"
#include "optimizer.h"

/* ---- Gradients ---- */

ls_gradients ls_gradients_of(ls_tape *tape, ls_tensor target, ls_variables variables)
{
    ls_gradients none = {0};
    ls_context *ls = target.context;
    if (!tape || !ls || ls_failed(ls))
        return none;
    if (!variables.lists) {
        ls_fail(ls, LS_INVALID_ARGUMENT,
                "gradients_of: the list of variables was not made by a layer; call ls_gradient with your own array");
        return none;
    }
    ls_tensor *items = ls_lists_take(variables.lists, ls, variables.count);
    if (!items || ls_gradient(tape, target, variables.items, variables.count, items) != LS_OK)
        return none;
    return (ls_gradients){items, variables.items, variables.count, ls};
}

/* Says once in the log which variables have no gradient. */
static void warn_of_missing(ls_optimizer *optimizer, ls_gradients gradients)
{
    char names[800] = "";
    size_t used = 0;
    bool news = false;
    for (size_t i = 0; i < gradients.count; i++) {
        if (!ls_is_nil(gradients.items[i]))
            continue;
        struct ls_optimizer_slots *slots = ls_optimizer_slots_of(optimizer, gradients.variables[i], i);
        if (!slots)
            return;
        news |= !slots->warned;
        slots->warned = true;
        if (used < sizeof names) {
            int more = snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "",
                                ls_name(gradients.variables[i]));
            used += more > 0 ? (size_t)more : 0;
        }
    }
    if (news)
        ls_say(optimizer->context, LS_LOG_WARNING,
                       "%s: gradients do not exist for variables [%s]; they stay as they are. Does the loss depend on "
                       "them, and was it computed while the tape was recording?",
                       optimizer->name, names);
}

/* ---- One step ---- */

/* What a variable was before the step, for calls that only accumulate: its storage is kept by this
 * second handle, so that the update writes elsewhere. */
struct before {
    ls_tensor own[LS_OPTIMIZER_OWN];
    ls_tensor *of_slots; /* 1 + LS_OPTIMIZER_SLOTS for each of the optimizer's slots */
};

static ls_tensor value_of(ls_tensor variable) { return ls_is_nil(variable) ? variable : ls_stop_gradient(variable); }

static bool remember(ls_optimizer *optimizer, struct before *before)
{
    enum { EACH = 1 + LS_OPTIMIZER_SLOTS };
    before->of_slots = ls_lists_take(&optimizer->lists, optimizer->context, optimizer->count * EACH);
    if (!before->of_slots)
        return false;
    for (int i = 0; i < LS_OPTIMIZER_OWN; i++)
        before->own[i] = value_of(optimizer->own[i]);
    for (size_t i = 0; i < optimizer->count; i++) {
        before->of_slots[i * EACH] = value_of(optimizer->slots[i].variable);
        for (int s = 0; s < LS_OPTIMIZER_SLOTS; s++)
            before->of_slots[i * EACH + 1 + (size_t)s] = value_of(optimizer->slots[i].slot[s]);
    }
    return true;
}

static void restore_unless(ls_tensor applies, ls_tensor variable, ls_tensor before)
{
    if (!ls_is_nil(variable))
        ls_assign(variable, ls_where(applies, variable, before));
}

static void restore_all_unless(ls_tensor applies, ls_optimizer *optimizer, const struct before *before)
{
    enum { EACH = 1 + LS_OPTIMIZER_SLOTS };
    for (int i = 0; i < LS_OPTIMIZER_OWN; i++)
        restore_unless(applies, optimizer->own[i], before->own[i]);
    for (size_t i = 0; i < optimizer->count; i++) {
        restore_unless(applies, optimizer->slots[i].variable, before->of_slots[i * EACH]);
        for (int s = 0; s < LS_OPTIMIZER_SLOTS; s++)
            restore_unless(applies, optimizer->slots[i].slot[s], before->of_slots[i * EACH + 1 + (size_t)s]);
    }
}

static void clip(const ls_optimizer *optimizer, ls_gradients gradients)
{
    const struct ls_optimizer_common *c = &optimizer->common;
    if (c->global_clipnorm > 0)
        ls_clip_by_global_norm(gradients, c->global_clipnorm);
    for (size_t i = 0; i < gradients.count && !ls_failed(optimizer->context); i++) {
        if (ls_is_nil(gradients.items[i]))
            continue;
        if (c->clipnorm > 0)
            gradients.items[i] = ls_clip_by_norm(gradients.items[i], c->clipnorm);
        if (c->clipvalue > 0) {
            ls_tensor high = ls_scalar(optimizer->context, c->clipvalue);
            gradients.items[i] = ls_maximum(ls_minimum(gradients.items[i], high), ls_neg(high));
        }
    }
}

/* Clips, decays and updates. `gradients` is the optimizer's own list, with slots for every variable. */
static ls_status update_variables(ls_optimizer *optimizer, ls_gradients gradients)
{
    ls_context *ls = optimizer->context;
    clip(optimizer, gradients);
    if (ls_failed(ls) || (optimizer->kind->begin && optimizer->kind->begin(optimizer) != LS_OK))
        return ls_error(ls);
    for (size_t i = 0; i < gradients.count; i++) {
        if (ls_is_nil(gradients.items[i]))
            continue;
        const struct ls_optimizer_slots *slots = ls_optimizer_slots_of(optimizer, gradients.variables[i], i);
        if (!slots)
            return ls_error(ls);
        if (optimizer->common.weight_decay > 0 && slots->decays)
            ls_update_weight_decay(slots->variable, optimizer->learning_rate, optimizer->common.weight_decay);
        if (optimizer->kind->update(optimizer, slots, gradients.items[i]) != LS_OK)
            return ls_error(ls);
    }
    return ls_error(ls);
}

/* The same on the mean of the accumulated gradients, undone in the calls that only accumulate. */
static ls_status update_by_mean(ls_optimizer *optimizer, ls_gradients gradients, ls_tensor applies)
{
    ls_context *ls = optimizer->context;
    struct before before;
    ls_tensor *sums = ls_lists_take(&optimizer->lists, ls, optimizer->count);
    if (!sums || !remember(optimizer, &before))
        return ls_error(ls);
    for (size_t i = 0; i < gradients.count; i++) {
        struct ls_optimizer_slots *slots = ls_optimizer_slots_of(optimizer, gradients.variables[i], i);
        if (slots && !ls_is_nil(gradients.items[i]))
            gradients.items[i] = ls_accumulate(optimizer, slots, gradients.items[i], &sums[slots - optimizer->slots]);
    }
    if (update_variables(optimizer, gradients) != LS_OK)
        return ls_error(ls);
    restore_all_unless(applies, optimizer, &before);
    for (size_t i = 0; i < optimizer->count; i++) {
        ls_tensor accumulator = optimizer->slots[i].accumulator;
        ls_tensor sum = ls_is_nil(sums[i]) ? accumulator : sums[i];
        ls_assign(accumulator, ls_where(applies, ls_scalar(ls, 0), sum));
    }
    return ls_error(ls);
}

static ls_status step(ls_optimizer *optimizer, ls_gradients gradients)
{
    ls_context *ls = optimizer->context;
    const struct ls_optimizer_common *c = &optimizer->common;
    for (size_t i = 0; i < gradients.count; i++)
        if (!ls_is_nil(gradients.items[i]) && !ls_optimizer_slots_of(optimizer, gradients.variables[i], i))
            return ls_error(ls);
    if (c->schedule.rate)
        ls_assign(optimizer->learning_rate, ls_schedule_rate(&c->schedule, optimizer->iterations));
    ls_tensor *items = ls_lists_take(&optimizer->lists, ls, gradients.count);
    const ls_tensor *given = gradients.items;
    if (!items)
        return ls_error(ls);
    memcpy(items, gradients.items, gradients.count * sizeof *items);
    gradients.items = items;
    ls_tensor applies = ls_accumulation_applies(optimizer);
    if (c->gradient_accumulation_steps)
        update_by_mean(optimizer, gradients, applies);
    else
        update_variables(optimizer, gradients);
    if (c->use_ema)
        ls_update_averages(optimizer);
    ls_assign(optimizer->iterations, ls_add(optimizer->iterations, ls_int_scalar(ls, 1)));
    ls_receipt_step(ls, &(struct ls_receipt_step){.name = optimizer->name,
                                                  .iterations = optimizer->iterations, .given = given, .applied = items,
                                                  .variables = gradients.variables, .count = gradients.count});
    ls_step_ended(ls);
    return ls_error(ls);
}

ls_status ls_apply_gradients(ls_optimizer *optimizer, ls_gradients gradients)
{
    if (!optimizer)
        return LS_INVALID_ARGUMENT;
    ls_context *ls = optimizer->context;
    if (ls_failed(ls))
        return ls_error(ls);
    size_t present = 0;
    for (size_t i = 0; i < gradients.count; i++)
        present += !ls_is_nil(gradients.items[i]);
    if (present == 0)
        return ls_fail(ls, LS_NO_GRADIENT,
                       "%s: No gradients provided for any variable. Does the loss depend on them, and was it computed "
                       "while the tape was recording?",
                       optimizer->name);
    if (present < gradients.count)
        warn_of_missing(optimizer, gradients);
    ls_scope_begin(ls);
    step(optimizer, gradients);
    return ls_scope_end(ls);
}
