/* SPDX-License-Identifier: Apache-2.0
 *
 * Gradient accumulation and moving averages. What decides lies on the device, so that a captured step
 * decides anew each time. Steps are counted in float32, exact up to 2^24.
 */
#include <lockstep/ops.h>
#include <lockstep/update.h>

#include "../core/internal.h"
#include "optimizer.h"

/* The iterations as a float, plus `more`. */
static ls_tensor counted(const ls_optimizer *optimizer, int more)
{
    ls_context *ls = optimizer->context;
    return ls_cast(ls_add(optimizer->iterations, ls_int_scalar(ls, more)), LS_FLOAT32);
}

/* floor(a / n) for whole numbers: a quotient below a whole number never rounds up to it, as a < 2^24. */
static ls_tensor quotient(ls_tensor a, int n) { return ls_floor(ls_div(a, ls_scalar(a.context, (float)n))); }

/* Whether n divides a. */
static ls_tensor divides(int n, ls_tensor a)
{
    return ls_equal(ls_mul(quotient(a, n), ls_scalar(a.context, (float)n)), a);
}

ls_tensor ls_accumulation_applies(ls_optimizer *optimizer)
{
    int steps = optimizer->common.gradient_accumulation_steps;
    return steps ? divides(steps, counted(optimizer, 1)) : (ls_tensor){0};
}

ls_tensor ls_accumulate(ls_optimizer *optimizer, const struct ls_optimizer_slots *slots, ls_tensor gradient,
                        ls_tensor *sum)
{
    *sum = ls_add(gradient, slots->accumulator);
    return ls_div(*sum, ls_scalar(optimizer->context, (float)optimizer->common.gradient_accumulation_steps));
}

void ls_update_averages(ls_optimizer *optimizer)
{
    ls_context *ls = optimizer->context;
    const struct ls_optimizer_common *c = &optimizer->common;
    ls_tensor done = counted(optimizer, 0), zero = ls_scalar(ls, 0);
    if (c->gradient_accumulation_steps)
        done = quotient(done, c->gradient_accumulation_steps);
    ls_tensor momentum = ls_where(ls_equal(done, zero), zero, ls_scalar(ls, c->ema_momentum)), time = {0};
    if (c->ema_overwrite_frequency)
        time = divides(c->ema_overwrite_frequency, ls_add(done, ls_scalar(ls, 1)));
    for (size_t i = 0; i < optimizer->count && !ls_failed(ls); i++) {
        ls_tensor variable = optimizer->slots[i].variable, average = optimizer->slots[i].average;
        ls_update_average(average, variable, momentum);
        if (c->ema_overwrite_frequency)
            ls_assign(variable, ls_where(time, average, variable));
    }
}

ls_status ls_finalize_variable_values(ls_optimizer *optimizer)
{
    if (!optimizer)
        return LS_INVALID_ARGUMENT;
    ls_context *ls = optimizer->context;
    ls_scope_begin(ls);
    for (size_t i = 0; optimizer->common.use_ema && i < optimizer->count && !ls_failed(ls); i++)
        ls_assign(optimizer->slots[i].variable, optimizer->slots[i].average);
    return ls_scope_end(ls);
}
