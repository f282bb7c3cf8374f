/* SPDX-License-Identifier: Apache-2.0
 *
 * What all optimizers share: options, slots, the learning rate, ownership; apply_gradients.c takes a step.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lockstep/ops.h>

#include "../core/internal.h"
#include "lists.h"
#include "optimizer.h"

/* ---- Options ---- */

float ls_option(float value, float otherwise)
{
    if (value != 0)
        return value;
    return signbit(value) ? 0 : otherwise;
}

bool ls_option_within(ls_context *ls, const char *who, const char *option, float value, float low, float high,
                      bool below)
{
    if (value >= low && (below ? value < high : value <= high))
        return true;
    if (high == FLT_MAX)
        ls_fail(ls, LS_INVALID_ARGUMENT, "%s: %s is %g; it must be a finite number, at least %g", who, option,
                (double)value, (double)low);
    else
        ls_fail(ls, LS_INVALID_ARGUMENT, "%s: %s is %g; it must be from %g to %s%g", who, option, (double)value,
                (double)low, below ? "below " : "", (double)high);
    return false;
}

/* ---- Making and releasing ---- */

/* Frees the host side. The context releases the variables by itself when it closes. */
static void free_optimizer(void *object)
{
    ls_optimizer *optimizer = object;
    ls_exclusions_finish(optimizer);
    ls_lists_finish(&optimizer->lists);
    free(optimizer->slots);
    free(optimizer->name);
    free(optimizer);
}

static void destroy_slots(struct ls_optimizer_slots *slots)
{
    for (int s = 0; s < LS_OPTIMIZER_SLOTS; s++)
        ls_variable_destroy(&slots->slot[s]);
    ls_variable_destroy(&slots->average);
    ls_variable_destroy(&slots->accumulator);
}

static void destroy_variables(ls_optimizer *optimizer)
{
    ls_variable_destroy(&optimizer->iterations);
    ls_variable_destroy(&optimizer->learning_rate);
    for (int i = 0; i < LS_OPTIMIZER_OWN; i++)
        ls_variable_destroy(&optimizer->own[i]);
    for (size_t i = 0; i < optimizer->count; i++)
        destroy_slots(&optimizer->slots[i]);
}

/* A variable "<optimizer>/<name>" that training does not change. */
static ls_tensor make_variable(const ls_optimizer *optimizer, const char *name, ls_tensor initial)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", optimizer->name, name);
    ls_tensor variable = ls_variable(initial, path, false);
    ls_release(&initial);
    return variable;
}

/* Checks what all optimizers may be given and puts the defaults in. */
static bool complete(ls_context *ls, const char *name, struct ls_optimizer_common *common)
{
    common->ema_momentum = ls_option(common->ema_momentum, 0.99f);
    if (!ls_option_within(ls, name, "weight_decay", common->weight_decay, 0, FLT_MAX, false) ||
        !ls_option_within(ls, name, "clipnorm", common->clipnorm, 0, FLT_MAX, false) ||
        !ls_option_within(ls, name, "global_clipnorm", common->global_clipnorm, 0, FLT_MAX, false) ||
        !ls_option_within(ls, name, "clipvalue", common->clipvalue, 0, FLT_MAX, false) ||
        !ls_option_within(ls, name, "ema_momentum", common->ema_momentum, 0, 1, false))
        return false;
    const char *wrong = NULL;
    if ((common->clipnorm > 0) + (common->global_clipnorm > 0) + (common->clipvalue > 0) > 1)
        wrong = "only one of clipnorm, global_clipnorm and clipvalue can be given";
    else if (common->gradient_accumulation_steps < 0 || common->gradient_accumulation_steps == 1)
        wrong = "gradient_accumulation_steps must be at least 2, or 0 for none";
    else if (common->ema_overwrite_frequency < 0)
        wrong = "ema_overwrite_frequency must be at least 1, or 0 for never";
    else if (common->schedule.wrong)
        wrong = common->schedule.wrong;
    if (wrong)
        ls_fail(ls, LS_INVALID_ARGUMENT, "%s: %s", name, wrong);
    return !wrong;
}

ls_optimizer *ls_optimizer_create(const struct ls_optimizer *draft, const char *name, float learning_rate)
{
    ls_context *ls = draft->context;
    struct ls_optimizer_common common = draft->common;
    if (!ls || ls_failed(ls) || !complete(ls, name, &common))
        return NULL;
    ls_optimizer *optimizer = malloc(sizeof *optimizer);
    char *copy = malloc(strlen(name) + 1);
    if (!optimizer || !copy || ls_own(ls, optimizer, free_optimizer) != LS_OK) {
        free(optimizer);
        free(copy);
        ls_fail(ls, LS_OUT_OF_MEMORY, "%s: no host memory for an optimizer", name);
        return NULL;
    }
    *optimizer = *draft;
    optimizer->name = strcpy(copy, name);
    optimizer->common = common;
    const struct ls_optimizer_kind *kind = optimizer->kind;
    optimizer->iterations = make_variable(optimizer, "iteration", ls_int_scalar(ls, 0));
    optimizer->learning_rate = make_variable(optimizer, "learning_rate", ls_scalar(ls, learning_rate));
    for (int i = 0; i < LS_OPTIMIZER_OWN && kind->own[i].name; i++)
        optimizer->own[i] = make_variable(optimizer, kind->own[i].name, ls_scalar(ls, kind->own[i].initial));
    return ls_failed(ls) ? NULL : optimizer;
}

void ls_optimizer_destroy(ls_optimizer **pointer)
{
    if (!pointer || !*pointer)
        return;
    destroy_variables(*pointer);
    ls_disown((*pointer)->context, *pointer);
    free_optimizer(*pointer);
    *pointer = NULL;
}

/* ---- Slots ---- */

static bool same(ls_tensor a, ls_tensor b)
{
    return a.context == b.context && a.index == b.index && a.generation == b.generation;
}

bool ls_optimizer_has_slot(const ls_optimizer *optimizer, int s)
{
    return s < LS_OPTIMIZER_SLOTS && optimizer->kind->slot_name[s] && !(optimizer->without >> s & 1);
}

/* "mlp/dense/kernel" and "momentum" make "adam/mlp_dense_kernel_momentum", as in Keras. */
static ls_tensor make_slot(const ls_optimizer *optimizer, ls_tensor variable, const char *slot_name, float initial)
{
    char name[400];
    snprintf(name, sizeof name, "%s_%s", ls_name(variable), slot_name);
    for (char *c = name; *c; c++)
        if (*c == '/')
            *c = '_';
    return make_variable(optimizer, name, ls_fill(optimizer->context, ls_shape_of_tensor(variable), initial));
}

/* Lists of variables come in one order, so the slots are probably at `hint`. */
struct ls_optimizer_slots *ls_optimizer_slots_of(ls_optimizer *optimizer, ls_tensor variable, size_t hint)
{
    if (hint < optimizer->count && same(optimizer->slots[hint].variable, variable))
        return &optimizer->slots[hint];
    for (size_t i = 0; i < optimizer->count; i++)
        if (same(optimizer->slots[i].variable, variable))
            return &optimizer->slots[i];
    if (optimizer->count == optimizer->capacity) {
        size_t capacity = optimizer->capacity ? 2 * optimizer->capacity : 8;
        struct ls_optimizer_slots *slots = realloc(optimizer->slots, capacity * sizeof *slots);
        if (!slots) {
            ls_fail(optimizer->context, LS_OUT_OF_MEMORY, "%s: no host memory for slots", optimizer->name);
            return NULL;
        }
        optimizer->slots = slots;
        optimizer->capacity = capacity;
    }
    struct ls_optimizer_slots new = {.variable = variable, .decays = ls_optimizer_decays(optimizer, variable)};
    for (int s = 0; s < LS_OPTIMIZER_SLOTS; s++)
        if (ls_optimizer_has_slot(optimizer, s))
            new.slot[s] = make_slot(optimizer, variable, optimizer->kind->slot_name[s], optimizer->slot_initial);
    if (optimizer->common.use_ema)
        new.average = make_slot(optimizer, variable, "average", 0);
    if (optimizer->common.gradient_accumulation_steps)
        new.accumulator = make_slot(optimizer, variable, "gradient_accumulator", 0);
    if (ls_failed(optimizer->context)) {
        destroy_slots(&new);
        return NULL;
    }
    optimizer->slots[optimizer->count] = new;
    return &optimizer->slots[optimizer->count++];
}

/* Appends those that exist. */
static void append(ls_tensor *items, size_t *count, ls_tensor variable)
{
    if (!ls_is_nil(variable))
        items[(*count)++] = variable;
}

/* The slots of one group, variable by variable. */
static void append_group(const ls_optimizer *optimizer, int group, ls_tensor *items, size_t *count)
{
    for (size_t i = 0; i < optimizer->count; i++)
        for (int s = 0; s < LS_OPTIMIZER_SLOTS; s++)
            if (optimizer->kind->slot_group[s] == group)
                append(items, count, optimizer->slots[i].slot[s]);
}

ls_variables ls_optimizer_variables(ls_optimizer *optimizer)
{
    ls_variables none = {0};
    if (!optimizer || ls_failed(optimizer->context))
        return none;
    size_t most = 2 + LS_OPTIMIZER_OWN + optimizer->count * (LS_OPTIMIZER_SLOTS + 2), count = 0;
    ls_tensor *items = ls_lists_take(&optimizer->lists, optimizer->context, most);
    if (!items)
        return none;
    bool scheduled = optimizer->common.schedule.rate != NULL;
    append(items, &count, optimizer->iterations);
    if (!scheduled)
        append(items, &count, optimizer->learning_rate);
    for (size_t i = 0; i < optimizer->count; i++)
        append(items, &count, optimizer->slots[i].average);
    for (size_t i = 0; i < optimizer->count; i++)
        append(items, &count, optimizer->slots[i].accumulator);
    for (int group = 0; group < LS_OPTIMIZER_SLOTS; group++)
        append_group(optimizer, group, items, &count);
    for (int i = 0; i < LS_OPTIMIZER_OWN; i++)
        append(items, &count, optimizer->own[i]);
    if (scheduled)
        append(items, &count, optimizer->learning_rate);
    return (ls_variables){items, count, &optimizer->lists};
}

size_t ls_optimizer_keras_count(ls_optimizer *optimizer)
{
    size_t more = optimizer->common.schedule.rate != NULL;
    for (int i = 0; i < LS_OPTIMIZER_OWN; i++)
        more += !ls_is_nil(optimizer->own[i]);
    size_t all = ls_optimizer_variables(optimizer).count;
    return all > more ? all - more : 0;
}

ls_status ls_optimizer_resume(ls_optimizer *optimizer)
{
    ls_context *ls = optimizer->context;
    int32_t iterations = 0;
    int calls = optimizer->common.gradient_accumulation_steps;
    if (optimizer->kind->resume && ls_read(optimizer->iterations, &iterations, sizeof iterations) == LS_OK) {
        ls_scope_begin(ls);
        optimizer->kind->resume(optimizer, iterations / (calls ? calls : 1));
        ls_scope_end(ls);
    }
    return ls_error(ls);
}

ls_status ls_optimizer_build(ls_optimizer *optimizer, ls_variables variables)
{
    if (!optimizer)
        return LS_INVALID_ARGUMENT;
    ls_context *ls = optimizer->context;
    for (size_t i = 0; i < variables.count && !ls_failed(ls); i++)
        if (!ls_optimizer_slots_of(optimizer, variables.items[i], i))
            break;
    return ls_error(ls);
}

/* ---- The learning rate ---- */

float ls_learning_rate(const ls_optimizer *optimizer)
{
    if (!optimizer)
        return NAN;
    const ls_schedule *schedule = &optimizer->common.schedule;
    if (!schedule->rate)
        return ls_item(optimizer->learning_rate);
    ls_scope_begin(optimizer->context);
    float rate = ls_item(ls_schedule_rate(schedule, optimizer->iterations));
    ls_scope_end(optimizer->context);
    return rate;
}

ls_status ls_set_learning_rate(ls_optimizer *optimizer, float learning_rate)
{
    if (!optimizer)
        return LS_INVALID_ARGUMENT;
    ls_context *ls = optimizer->context;
    if (ls_failed(ls) ||
        !ls_option_within(ls, optimizer->name, "the learning rate", learning_rate, 0, FLT_MAX, false))
        return ls_error(ls);
    if (optimizer->common.schedule.rate)
        return ls_fail(ls, LS_INVALID_ARGUMENT,
                       "%s: its learning rate follows a schedule and cannot be set; make it with .learning_rate",
                       optimizer->name);
    ls_scope_begin(ls);
    ls_assign(optimizer->learning_rate, ls_scalar(ls, learning_rate));
    return ls_scope_end(ls);
}

ls_tensor ls_iterations(const ls_optimizer *optimizer)
{
    return optimizer ? optimizer->iterations : (ls_tensor){0};
}
