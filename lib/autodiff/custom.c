/* SPDX-License-Identifier: Apache-2.0
 *
 * Functions that tapes see as one op: with a gradient of the user's own, or with one that runs the
 * function again. While such a function runs, all tapes are stopped, but one that only notes which
 * variables are read, and with which values.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lockstep/ops.h>

#include "gradient.h"

/* ---- Running a function unseen ---- */

/* The variables that a function read, and handles to the values that they had then. */
struct read {
    size_t count;
    ls_tensor *variables, *values; /* one allocation, at `variables` */
};

static void note_read(ls_context *ls, const ls_tape *watcher, struct read *read)
{
    read->count = watcher->watched_count;
    read->variables = calloc(2 * read->count + 1, sizeof *read->variables);
    if (!read->variables) {
        read->count = 0;
        ls_fail(ls, LS_OUT_OF_MEMORY, "no host memory for the variables of a function");
        return;
    }
    read->values = read->variables + read->count;
    for (size_t v = 0; v < read->count; v++) {
        read->variables[v] = watcher->watched[v];
        read->values[v] = ls_keep(ls_tensor_of_value(ls, &watcher->read[v]));
    }
}

static bool fits(ls_context *ls, const char *what, const void *function, const ls_tensor *inputs, size_t count)
{
    if (!function || (count && !inputs))
        ls_fail(ls, LS_INVALID_ARGUMENT, "%s: the %s is NULL", what, function ? "array of inputs" : "function");
    for (size_t i = 0; i < count && !ls_failed(ls); i++)
        if (inputs[i].context && (!ls_slot_of(inputs[i]) || inputs[i].context != ls))
            ls_fail(ls, ls_slot_of(inputs[i]) ? LS_FOREIGN_HANDLE : LS_STALE_HANDLE, "%s: input %zu %s", what, i,
                    ls_slot_of(inputs[i]) ? "belongs to another context" : "was released");
    return !ls_failed(ls);
}

/* The function's result under a new identity, in the caller's scope. Frees nothing of `*read`. */
static ls_tensor run_unseen(ls_context *ls, const char *what, ls_tensor_function *function, void *user,
                            const ls_tensor *inputs, size_t count, struct read *read)
{
    ls_scope_begin(ls);
    ls_tapes_stop(ls, 1);
    ls_tape *watcher = ls_tape_begin(ls);
    if (watcher)
        watcher->only_watches = true;
    ls_tensor out = watcher ? function(user, inputs, count) : (ls_tensor){0};
    if (!ls_failed(ls) && (!ls_slot_of(out) || out.context != ls))
        ls_fail(ls, out.context ? LS_STALE_HANDLE : LS_INVALID_ARGUMENT, "%s: the function returned %s", what,
                !out.context         ? "no tensor"
                : out.context != ls ? "a tensor of another context"
                                     : "a tensor that was released");
    out = ls_failed(ls) ? (ls_tensor){0} : ls_keep(ls_stop_gradient(out));
    if (!ls_failed(ls))
        note_read(ls, watcher, read);
    ls_tape_destroy(&watcher);
    ls_tapes_stop(ls, -1);
    ls_scope_end(ls);
    return out;
}

/* Exchanges the variables' values with those that they had when they were read; a second call undoes it. */
static void exchange(const struct read *read)
{
    for (size_t v = 0; v < read->count; v++) {
        struct ls_slot *a = ls_slot_of(read->variables[v]), *b = ls_slot_of(read->values[v]);
        if (a && b) {
            struct ls_storage *storage = a->value.storage;
            a->value.storage = b->value.storage;
            b->value.storage = storage;
        }
    }
}

/* ls_record, for which variables have the values that the function read: it may have assigned to them. */
static ls_tensor record_read(ls_context *ls, const struct ls_op *op, const ls_tensor *in, int inputs, ls_tensor out,
                                uint32_t saves, const void *attributes, size_t bytes, const struct read *read)
{
    exchange(read);
    out = ls_record(ls, op, in, inputs, out, saves, attributes, bytes);
    exchange(read);
    return out;
}

/* Ends the scope that the function was run in; the result goes to the one around it. */
static ls_tensor leave(ls_context *ls, ls_tensor out, struct read *read)
{
    free(read->variables);
    out = ls_failed(ls) ? (ls_tensor){0} : ls_keep(out);
    ls_scope_end(ls);
    return ls_failed(ls) ? (ls_tensor){0} : out;
}

/* ---- custom_gradient ---- */

struct custom {
    char name[64];
    ls_custom_backward *backward;
    void *user;
};

static ls_status check_custom(struct ls_vjp_call *call, const char *name, size_t given)
{
    if (given != (size_t)call->inputs)
        return ls_fail(call->ls, LS_INVALID_ARGUMENT,
                       "custom_gradient %s: expected to return %d gradients, one per "
                       "input, but returned %zu",
                       name, call->inputs, given);
    for (int i = 0; i < call->inputs; i++) {
        const struct ls_slot *dx = ls_slot_of(call->dx[i]), *in = ls_slot_of(call->in[i]);
        if (!call->dx[i].context)
            continue;
        if (!dx)
            return ls_fail(call->ls, LS_STALE_HANDLE,
                           "custom_gradient %s: gradient %d was released; ls_keep moves a "
                           "tensor to the outer scope",
                           name, i);
        ls_dtype wanted = in && ls_dtype_is_float(in->value.dtype) ? in->value.dtype : LS_FLOAT32;
        if (dx->value.dtype != wanted)
            return ls_fail(call->ls, LS_DTYPE_MISMATCH, "custom_gradient %s: gradient %d is %s, not %s", name, i,
                           ls_dtype_name(dx->value.dtype), ls_dtype_name(wanted));
        if (in && !ls_shape_equal(&dx->value.shape, &in->value.shape))
            return ls_fail(call->ls, LS_SHAPE_MISMATCH, "custom_gradient %s: gradient %d is %s, but its input is %s",
                           name, i, ls_text(dx->value.shape).text, ls_text(in->value.shape).text);
    }
    return LS_OK;
}

static void vjp_custom(struct ls_vjp_call *call)
{
    const struct custom *custom = call->attributes;
    const ls_custom_call given = {.inputs = call->in,
                                  .count = (size_t)call->inputs,
                                  .output = call->out,
                                  .output_gradient = call->dy,
                                  .gradients = call->dx};
    size_t count = custom->backward(custom->user, &given);
    if (!ls_failed(call->ls))
        check_custom(call, custom->name, count);
    call->nil_is_none = true;
}

static const struct ls_op custom_op = {"custom_gradient", vjp_custom, NULL};

ls_tensor ls_custom_gradient(ls_context *ls, const char *name, ls_tensor_function *forward,
                             ls_custom_backward *backward, void *user, const ls_tensor *inputs, size_t count)
{
    struct read read = {0};
    struct custom custom = {.backward = backward, .user = user};
    char what[96];
    if (!ls || ls_failed(ls))
        return (ls_tensor){0};
    snprintf(custom.name, sizeof custom.name, "%s", name ? name : "");
    snprintf(what, sizeof what, "custom_gradient %s", custom.name);
    if (!backward)
        ls_fail(ls, LS_INVALID_ARGUMENT, "%s: the backward function is NULL", what);
    if (!fits(ls, what, (const void *)(size_t)forward, inputs, count))
        return (ls_tensor){0};
    ls_scope_begin(ls);
    ls_tensor out = run_unseen(ls, what, forward, user, inputs, count, &read);
    for (size_t v = 0; v < read.count && ls_recording(ls); v++) {
        const struct ls_slot *variable = ls_slot_of(read.variables[v]);
        size_t i = 0;
        while (i < count && ls_slot_of(inputs[i]) != variable)
            i++;
        if (i == count && variable && variable->trainable)
            ls_fail(ls, LS_TAPE_ERROR,
                    "%s: its function reads the trainable variable %s, which is not among its inputs; give it as "
                    "an input, and its gradient",
                    what, variable->name);
    }
    if (!ls_failed(ls))
        out = record_read(ls, &custom_op, inputs, (int)count, out, LS_SAVE_ALL_IN | LS_SAVE_OUT, &custom,
                             sizeof custom, &read);
    return leave(ls, out, &read);
}

/* ---- recompute_grad ---- */

/*
 * The inputs of its entry: the function's, the variables that it read with the values they had, the counter of
 * the random numbers. Behind this struct lie the handles of the function's inputs that are variables (else
 * nil), then those of the variables that it read.
 */
struct recompute {
    ls_tensor_function *function;
    void *user;
    size_t count, variables;
    uint64_t seed;
};

/* The values of all variables; put back, they undo what the function assigns when it runs again. */
struct snapshot {
    size_t count;
    ls_tensor *variables;
    struct ls_value *values;
};

static bool take_snapshot(ls_context *ls, struct snapshot *s)
{
    size_t most = 0;
    for (uint32_t v = ls->variables; v != LS_NO_SLOT; v = ls_slot_at(ls, v)->next)
        most++;
    *s = (struct snapshot){.variables = malloc((most + 1) * sizeof *s->variables),
                           .values = malloc((most + 1) * sizeof *s->values)};
    if (!s->variables || !s->values) {
        free(s->variables);
        free(s->values);
        ls_fail(ls, LS_OUT_OF_MEMORY, "recompute_grad: no host memory");
        return false;
    }
    for (uint32_t v = ls->variables; v != LS_NO_SLOT; v = ls_slot_at(ls, v)->next) {
        s->variables[s->count] = (ls_tensor){ls, v, ls_slot_at(ls, v)->generation};
        s->values[s->count++] = ls_value_retain(&ls_slot_at(ls, v)->value);
    }
    return true;
}

static void put_back(ls_context *ls, struct snapshot *s)
{
    for (size_t i = 0; i < s->count; i++) {
        struct ls_slot *slot = ls_slot_of(s->variables[i]);
        if (slot) {
            struct ls_storage *assigned = slot->value.storage;
            slot->value.storage = s->values[i].storage;
            s->values[i].storage = assigned;
        }
        ls_value_release(ls, &s->values[i]);
    }
    free(s->variables);
    free(s->values);
}

static void give_value(ls_context *ls, ls_tensor variable, ls_tensor saved)
{
    struct ls_slot *to = ls_slot_of(variable), *from = ls_slot_of(saved);
    if (!to || !from || !from->value.storage)
        return;
    ls_storage_retain(from->value.storage);
    ls_storage_release(ls, to->value.storage);
    to->value.storage = from->value.storage;
}

/* The counter of the random numbers as a tensor of its own; zero if nothing was drawn yet. */
static ls_tensor copy_of_step(ls_context *ls, const struct ls_value *step)
{
    struct ls_buffer *source = ls_value_buffer(ls, step);
    struct ls_storage *copy = source ? ls_storage_new(ls, LS_INT32, 1) : NULL;
    ls_shape scalar = {.rank = 0};
    if (!copy)
        return (ls_tensor){0};
    ls_copy_elements(ls, source, copy->buffer, LS_INT32, 1);
    return ls_tensor_new(ls, LS_INT32, &scalar, copy, 0);
}

/* The function once more, recorded on `tape`, with the variables and random numbers of the first time. */
static ls_tensor run_again(struct ls_vjp_call *call, ls_tape *tape)
{
    ls_context *ls = call->ls;
    const struct recompute *r = call->attributes;
    const ls_tensor *given = (const ls_tensor *)(r + 1), *variables = given + r->count;
    const struct ls_slot *step = ls_slot_of(call->in[call->inputs - 1]);
    ls_tensor counter = step ? copy_of_step(ls, &step->value) : (ls_tensor){0};
    ls_tensor *inputs = malloc((r->count + 1) * sizeof *inputs);
    struct snapshot now;
    if (!inputs)
        ls_fail(ls, LS_OUT_OF_MEMORY, "recompute_grad: no host memory");
    if (ls_failed(ls) || !take_snapshot(ls, &now)) {
        free(inputs);
        return (ls_tensor){0};
    }
    struct ls_storage *drawn = ls->random_step;
    uint64_t seed = ls->seed;
    ls->random_step = ls_slot_of(counter)->value.storage;
    ls_storage_retain(ls->random_step);
    ls->seed = r->seed;
    for (size_t i = 0; i < r->count; i++) {
        inputs[i] = ls_slot_of(given[i]) ? given[i] : call->in[i];
        give_value(ls, given[i], call->in[i]);
    }
    for (size_t v = 0; v < r->variables; v++)
        give_value(ls, variables[v], call->in[r->count + v]);
    for (int i = 0; i < call->inputs; i++)
        if (call->needs[i])
            ls_tape_watch(tape, call->in[i]);
    ls_tensor out = r->function(r->user, inputs, r->count);
    put_back(ls, &now);
    if (ls->random_step)
        ls_storage_release(ls, ls->random_step);
    ls->random_step = drawn;
    ls->seed = seed;
    free(inputs);
    return out;
}

static void vjp_recompute(struct ls_vjp_call *call)
{
    ls_tape *tape = ls_tape_begin(call->ls, .persistent = true, .ignore_accessed_variables = true);
    if (!tape)
        return;
    ls_tensor out = run_again(call, tape);
    ls_tape_end(tape);
    ls_shape again = ls_shape_of_tensor(out), first = ls_shape_of_tensor(call->dy);
    call->nil_is_none = true;
    if (!ls_failed(call->ls) && !ls_shape_equal(&again, &first))
        ls_fail(call->ls, LS_SHAPE_MISMATCH,
                "recompute_grad: the function gave %s, but %s the first time; it must "
                "depend on its inputs, variables and random numbers alone",
                ls_text(again).text, ls_text(first).text);
    if (!ls_failed(call->ls))
        ls_gradient_into(tape, out, call);
    ls_tape_destroy(&tape);
}

static const struct ls_op recompute_op = {"recompute_grad", vjp_recompute, NULL};

ls_tensor ls_recompute_grad(ls_context *ls, ls_tensor_function *function, void *user, const ls_tensor *inputs,
                            size_t count)
{
    struct read read = {0};
    if (!ls || ls_failed(ls) || !fits(ls, "recompute_grad", (const void *)(size_t)function, inputs, count))
        return (ls_tensor){0};
    ls_scope_begin(ls);
    const struct ls_value drawn = {.storage = ls->random_step, .dtype = LS_INT32};
    ls_tensor step = drawn.storage ? copy_of_step(ls, &drawn) : ls_zeros(ls, LS_INT32, LS_SCALAR_SHAPE);
    uint64_t seed = ls->seed;
    ls_tensor out = ls_failed(ls) ? step : run_unseen(ls, "recompute_grad", function, user, inputs, count, &read);
    size_t total = count + read.count, bytes = sizeof(struct recompute) + total * sizeof(ls_tensor);
    struct recompute *attributes = calloc(1, bytes);
    ls_tensor *all = malloc((total + 1) * sizeof *all);
    if (!attributes || !all) {
        ls_fail(ls, LS_OUT_OF_MEMORY, "recompute_grad: no host memory");
    } else if (!ls_failed(ls)) {
        *attributes = (struct recompute){function, user, count, read.count, seed};
        ls_tensor *handles = (ls_tensor *)(attributes + 1);
        for (size_t i = 0; i < count; i++) {
            const struct ls_slot *slot = ls_slot_of(inputs[i]);
            all[i] = inputs[i];
            handles[i] = slot && ls_slot_is_variable(slot) ? inputs[i] : (ls_tensor){0};
        }
        for (size_t v = 0; v < read.count; v++)
            all[count + v] = handles[count + v] = read.variables[v];
        all[total] = step;
        out = record_read(ls, &recompute_op, all, (int)total + 1, out, LS_SAVE_ALL_IN, attributes, bytes, &read);
    }
    free(attributes);
    free(all);
    return leave(ls, out, &read);
}
