/* SPDX-License-Identifier: Apache-2.0
 *
 * Functions that tapes see as one op: with a gradient of the user's own, or with one that runs the
 * function again. While such a function runs, all tapes are stopped, but one that only notes which
 * variables are read.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lockstep/ops.h>

#include "gradient.h"

/* ---- Running a function unseen ---- */

/* The function's result under a new identity, in the caller's scope. The variables that it read go
 * behind the inputs, into `*all`, which the caller frees; `*total` counts both. */
static ls_tensor run_unseen(ls_context *ls, ls_tensor_function *function, void *user, const ls_tensor *inputs,
                            size_t count, ls_tensor **all, size_t *total)
{
    *total = count;
    ls_scope_begin(ls);
    ls_tapes_stop(ls, 1);
    ls_tape *watcher = ls_tape_begin(ls);
    if (watcher)
        watcher->only_watches = true;
    ls_tensor out = ls_keep(ls_stop_gradient(function(user, inputs, count)));
    for (size_t v = 0, known; watcher && v < watcher->watched_count; v++) {
        ls_tensor variable = watcher->watched[v];
        for (known = 0; known < count && ls_slot_of(inputs[known]) != ls_slot_of(variable);)
            known++;
        if (known == count)
            watcher->watched[(*total)++ - count] = variable;
    }
    *all = malloc((*total + 1) * sizeof **all); /* one more for the caller */
    if (*all) {
        memcpy(*all, inputs, count * sizeof **all);
        if (*total > count)
            memcpy(*all + count, watcher->watched, (*total - count) * sizeof **all);
    } else {
        ls_fail(ls, LS_OUT_OF_MEMORY, "no host memory for the inputs of a function");
    }
    ls_tape_destroy(&watcher);
    ls_tapes_stop(ls, -1);
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
}

static const struct ls_op custom_op = {"custom_gradient", vjp_custom, NULL};

ls_tensor ls_custom_gradient(ls_context *ls, const char *name, ls_tensor_function *forward,
                             ls_custom_backward *backward, void *user, const ls_tensor *inputs, size_t count)
{
    ls_tensor out = {0}, *all = NULL;
    size_t total;
    struct custom custom = {.backward = backward, .user = user};
    if (!ls || ls_failed(ls))
        return out;
    snprintf(custom.name, sizeof custom.name, "%s", name ? name : "");
    out = run_unseen(ls, forward, user, inputs, count, &all, &total);
    for (size_t v = count; all && v < total && ls_recording(ls) && !ls_failed(ls); v++)
        if (ls_slot_of(all[v])->trainable)
            ls_fail(ls, LS_TAPE_ERROR,
                    "custom_gradient %s: its function reads the trainable variable %s, which is not "
                    "among its inputs; give it as an input, and its gradient",
                    custom.name, ls_name(all[v]));
    free(all);
    if (ls_failed(ls))
        return (ls_tensor){0};
    return ls_record(ls, &custom_op, inputs, (int)count, out, LS_SAVE_ALL_IN | LS_SAVE_OUT, &custom, sizeof custom);
}

/* ---- recompute_grad ---- */

/* The inputs of its entry: the function's, the variables that it read, the counter of the random
 * numbers. Behind this struct lie the handles of the variables. */
struct recompute {
    ls_tensor_function *function;
    void *user;
    size_t count, variables;
    uint64_t seed;
};

/* Exchanges the values of variables with those that the tape saved; a second call undoes it. */
static void exchange(const ls_tensor *variables, const ls_tensor *saved, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct ls_slot *a = ls_slot_of(variables[i]), *b = ls_slot_of(saved[i]);
        if (a && b) {
            struct ls_storage *storage = a->value.storage;
            a->value.storage = b->value.storage;
            b->value.storage = storage;
        }
    }
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
    const ls_tensor *variables = (const ls_tensor *)(r + 1), *saved = call->in + r->count;
    const struct ls_slot *step = ls_slot_of(call->in[call->inputs - 1]);
    ls_tensor counter = step ? copy_of_step(ls, &step->value) : (ls_tensor){0};
    if (ls_failed(ls))
        return counter;
    struct ls_storage *drawn = ls->random_step;
    uint64_t seed = ls->seed;
    ls->random_step = ls_slot_of(counter)->value.storage;
    ls_storage_retain(ls->random_step);
    ls->seed = r->seed;
    exchange(variables, saved, r->variables);
    for (int i = 0; i < call->inputs; i++)
        if (call->needs[i])
            ls_tape_watch(tape, call->in[i]);
    ls_tensor out = r->function(r->user, call->in, r->count);
    exchange(variables, saved, r->variables);
    if (ls->random_step)
        ls_storage_release(ls, ls->random_step);
    ls->random_step = drawn;
    ls->seed = seed;
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
    ls_tensor out = {0}, *all = NULL;
    size_t total;
    if (!ls || ls_failed(ls))
        return out;
    ls_scope_begin(ls);
    const struct ls_value drawn = {.storage = ls->random_step, .dtype = LS_INT32};
    ls_tensor step = drawn.storage ? copy_of_step(ls, &drawn) : ls_zeros(ls, LS_INT32, LS_SCALAR_SHAPE);
    uint64_t seed = ls->seed;
    out = run_unseen(ls, function, user, inputs, count, &all, &total);
    size_t variables = total - count, bytes = sizeof(struct recompute) + variables * sizeof(ls_tensor);
    struct recompute *attributes = all ? malloc(bytes) : NULL;
    if (attributes) {
        *attributes = (struct recompute){function, user, count, variables, seed};
        memcpy(attributes + 1, all + count, variables * sizeof *all);
        all[total] = step;
        out = ls_keep(ls_record(ls, &recompute_op, all, (int)total + 1, out, LS_SAVE_ALL_IN, attributes, bytes));
    } else {
        ls_fail(ls, LS_OUT_OF_MEMORY, "recompute_grad: no host memory");
    }
    free(attributes);
    free(all);
    ls_scope_end(ls);
    return ls_failed(ls) ? (ls_tensor){0} : out;
}
