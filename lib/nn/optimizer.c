/* SPDX-License-Identifier: Apache-2.0
 *
 * What all optimizers share: slots, the learning rate, gradients that are missing, ownership.
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
    free(optimizer->slots);
    free(optimizer->name);
    free(optimizer);
}

static void destroy_variables(ls_optimizer *optimizer)
{
    ls_variable_destroy(&optimizer->iterations);
    ls_variable_destroy(&optimizer->learning_rate);
    for (int i = 0; i < LS_OPTIMIZER_OWN; i++)
        ls_variable_destroy(&optimizer->own[i]);
    for (size_t i = 0; i < optimizer->count; i++)
        for (int s = 0; s < LS_OPTIMIZER_SLOTS; s++)
            ls_variable_destroy(&optimizer->slots[i].slot[s]);
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

ls_optimizer *ls_optimizer_create(const struct ls_optimizer *draft, const char *name, float learning_rate)
{
    ls_context *ls = draft->context;
    if (!ls || ls_failed(ls))
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

/* "mlp/dense/kernel" and "momentum" make "adam/mlp_dense_kernel_momentum", as in Keras. */
static ls_tensor make_slot(const ls_optimizer *optimizer, ls_tensor variable, const char *slot_name)
{
    char name[400];
    snprintf(name, sizeof name, "%s_%s", ls_name(variable), slot_name);
    for (char *c = name; *c; c++)
        if (*c == '/')
            *c = '_';
    ls_tensor zeros = ls_zeros(optimizer->context, LS_FLOAT32, ls_shape_of_tensor(variable));
    return make_variable(optimizer, name, zeros);
}

/* The slots of a variable, made if it is new; NULL on an error. `hint` is where they probably are:
 * lists of variables come in one order. */
static struct ls_optimizer_slots *slots_of(ls_optimizer *optimizer, ls_tensor variable, size_t hint)
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
    struct ls_optimizer_slots new = {.variable = variable};
    for (int s = 0; s < LS_OPTIMIZER_SLOTS && optimizer->kind->slot_name[s]; s++)
        new.slot[s] = make_slot(optimizer, variable, optimizer->kind->slot_name[s]);
    if (ls_failed(optimizer->context)) {
        for (int s = 0; s < LS_OPTIMIZER_SLOTS; s++)
            ls_variable_destroy(&new.slot[s]);
        return NULL;
    }
    optimizer->slots[optimizer->count] = new;
    return &optimizer->slots[optimizer->count++];
}

ls_status ls_optimizer_build(ls_optimizer *optimizer, ls_variables variables)
{
    if (!optimizer)
        return LS_INVALID_ARGUMENT;
    ls_context *ls = optimizer->context;
    for (size_t i = 0; i < variables.count && !ls_failed(ls); i++)
        if (!slots_of(optimizer, variables.items[i], i))
            break;
    return ls_error(ls);
}

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
        struct ls_optimizer_slots *slots = slots_of(optimizer, gradients.variables[i], i);
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

static ls_status update_all(ls_optimizer *optimizer, ls_gradients gradients)
{
    ls_context *ls = optimizer->context;
    if (optimizer->kind->begin && optimizer->kind->begin(optimizer) != LS_OK)
        return ls_error(ls);
    for (size_t i = 0; i < gradients.count; i++) {
        if (ls_is_nil(gradients.items[i]))
            continue;
        const struct ls_optimizer_slots *slots = slots_of(optimizer, gradients.variables[i], i);
        if (!slots || optimizer->kind->update(optimizer, slots, gradients.items[i]) != LS_OK)
            return ls_error(ls);
    }
    return ls_assign(optimizer->iterations, ls_add(optimizer->iterations, ls_int_scalar(ls, 1)));
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
    update_all(optimizer, gradients);
    return ls_scope_end(ls);
}

/* ---- The learning rate ---- */

float ls_learning_rate(const ls_optimizer *optimizer) { return optimizer ? ls_item(optimizer->learning_rate) : NAN; }

ls_status ls_set_learning_rate(ls_optimizer *optimizer, float learning_rate)
{
    if (!optimizer)
        return LS_INVALID_ARGUMENT;
    ls_context *ls = optimizer->context;
    if (ls_failed(ls) ||
        !ls_option_within(ls, optimizer->name, "the learning rate", learning_rate, 0, FLT_MAX, false))
        return ls_error(ls);
    ls_scope_begin(ls);
    ls_assign(optimizer->learning_rate, ls_scalar(ls, learning_rate));
    return ls_scope_end(ls);
}

ls_tensor ls_iterations(const ls_optimizer *optimizer)
{
    return optimizer ? optimizer->iterations : (ls_tensor){0};
}
