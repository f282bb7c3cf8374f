/* SPDX-License-Identifier: Apache-2.0
 *
 * Capture. The first call of a function runs its body eagerly, so that variables and optimizer slots
 * come into being; the second runs it again while dispatch writes down every primitive call; later
 * calls replay that list. Two things make the replay right:
 *
 *   - Buffers. While recording, storage comes from the function's own pool, so that nobody else is
 *     ever given a buffer that a replay writes to. Storage from outside that a call reads is kept
 *     alive.
 *   - Variables. Each variable is bound to the storage it had when recording began. Where the body
 *     moved a variable to other storage, a last copy brings the value back; where the user did so
 *     between calls, the value is brought back before the replay.
 */
#include <stdlib.h>

#include <lockstep/function.h>

#include "receipt.h"
#include "record.h"
#include "recorder.h"

struct ls_function {
    ls_context *ls;
    ls_function_body *body;
    void *user;
    size_t inputs, outputs;
    int calls; /* 0, 1, then 2 once recorded */
    struct ls_value *in, *out;
    struct ls_recorder recorder;
};

/* ---- Variables ---- */

/* Gives every variable storage of its own and binds it. Nothing is retained yet, so that optimizers
 * still find the variables writable in place. */
static ls_status bind_variables(ls_context *ls, struct ls_recorder *r)
{
    size_t count = 0;
    for (uint32_t v = ls->variables; v != LS_NO_SLOT; v = ls_slot_at(ls, v)->next)
        count++;
    r->bound = calloc(count ? count : 1, sizeof *r->bound);
    if (!r->bound)
        return ls_fail(ls, LS_OUT_OF_MEMORY, "no host memory for a captured step");
    for (uint32_t v = ls->variables; v != LS_NO_SLOT; v = ls_slot_at(ls, v)->next) {
        struct ls_slot *slot = ls_slot_at(ls, v);
        if (slot->value.storage->bytes > 0 && !ls_variable_writable(ls, slot, true))
            return ls->error;
        r->bound[r->bound_count++] =
            (struct bound_variable){{ls, v, slot->generation}, slot->value.storage, false};
    }
    return LS_OK;
}

static int64_t elements(const struct ls_value *value) { return ls_shape_elements(&value->shape); }

/* After the body: values that moved are copied back, by a recorded call. */
static ls_status return_variables(ls_context *ls, struct ls_recorder *r)
{
    for (size_t b = 0; b < r->bound_count; b++) {
        struct ls_slot *slot = ls_slot_of(r->bound[b].variable);
        struct ls_storage *home = r->bound[b].storage;
        if (!slot) {
            return ls_fail(ls, LS_CAPTURE_ERROR, "a captured function destroyed a variable");
        }
        if (slot->value.storage != home) {
            struct ls_buffer *source = ls_value_buffer(ls, &slot->value);
            if (!source && home->bytes > 0)
                return ls->error;
            if (ls_copy_elements(ls, source, home->buffer, slot->value.dtype, elements(&slot->value)) != LS_OK)
                return ls->error;
            ls_storage_release(ls, slot->value.storage);
            slot->value.storage = home; /* by the reference that was held */
            r->bound[b].held = false;
        }
        if (!r->bound[b].held)
            ls_recorder_hold(&r->bound[b]);
    }
    return LS_OK;
}

/* Leaves the bound buffer to the function alone: whoever else holds the storage gets a copy. */
static ls_status detach(ls_context *ls, struct bound_variable *bound, ls_dtype dtype, int64_t n, int mine)
{
    struct ls_storage *shared = bound->storage;
    struct ls_storage *copy = ls_storage_new(ls, dtype, n);
    if (!copy)
        return ls->error;
    if (ls_copy_elements(ls, shared->buffer, copy->buffer, dtype, n) != LS_OK) {
        ls_storage_release(ls, copy);
        return ls->error;
    }
    struct ls_buffer *buffer = copy->buffer;
    struct ls_pool *pool = copy->pool;
    copy->buffer = shared->buffer;
    copy->pool = shared->pool;
    copy->buffer->owner = copy;
    copy->refs = mine;
    shared->buffer = buffer;
    shared->pool = pool;
    shared->buffer->owner = shared;
    shared->refs -= mine;
    bound->storage = copy;
    return LS_OK;
}

/* Before a replay: every variable's value lies in the storage that the nodes know, held by the
 * variable and the function alone. */
static ls_status bring_variables(ls_context *ls, struct ls_recorder *r)
{
    for (size_t b = 0; b < r->bound_count; b++) {
        struct bound_variable *bound = &r->bound[b];
        struct ls_slot *slot = ls_slot_of(bound->variable);
        if (!slot || bound->storage->bytes == 0)
            continue;
        bool home = slot->value.storage == bound->storage;
        int mine = home ? 2 : 1;
        if (bound->storage->refs > mine) {
            if (detach(ls, bound, slot->value.dtype, elements(&slot->value), mine) != LS_OK)
                return ls->error;
            if (home)
                slot->value.storage = bound->storage;
        }
        if (home)
            continue;
        struct ls_buffer *source = ls_value_buffer(ls, &slot->value);
        if (!source || ls_copy_elements(ls, source, bound->storage->buffer, slot->value.dtype,
                                        elements(&slot->value)) != LS_OK)
            return ls->error;
        ls_storage_release(ls, slot->value.storage);
        ls_storage_retain(bound->storage);
        slot->value.storage = bound->storage;
    }
    return LS_OK;
}

/* ---- The three kinds of call ---- */

static void forget(struct ls_function *f)
{
    ls_context *ls = f->ls;
    struct ls_recorder *r = &f->recorder;
    for (size_t k = 0; k < r->kept_count; k++)
        ls_storage_release(ls, r->kept[k]);
    for (size_t b = 0; b < r->bound_count; b++)
        if (r->bound[b].held)
            ls_storage_release(ls, r->bound[b].storage);
    for (size_t i = 0; i < f->inputs; i++)
        ls_value_release(ls, &f->in[i]);
    for (size_t i = 0; i < f->outputs; i++)
        ls_value_release(ls, &f->out[i]);
    ls_receipt_forget(ls, r);
    if (r->pool)
        ls_pool_retire(ls, r->pool);
    free(r->nodes);
    free(r->kept);
    free(r->bound);
    *r = (struct ls_recorder){0};
    if (f->calls == 2)
        f->calls = 1;
}

/* What the body must have done. `out` are the outputs that it set. */
static ls_status check_outputs(struct ls_function *f, const ls_tensor *out)
{
    for (size_t i = 0; i < f->outputs && !ls_failed(f->ls); i++) {
        bool live = ls_slot_of(out[i]) != NULL;
        if (!live || out[i].context != f->ls)
            ls_fail(f->ls, live ? LS_FOREIGN_HANDLE : LS_INVALID_ARGUMENT, "function: the body %s output %zu%s",
                    live ? "set" : out[i].context ? "released" : "did not set", i,
                    live ? " to a tensor of another context" : "; it sets each of its outputs");
    }
    return f->ls->error;
}

static ls_status run_eagerly(struct ls_function *f, const ls_tensor *inputs, ls_tensor *outputs)
{
    ls_context *ls = f->ls;
    ls_tensor *out = calloc(f->outputs + 1, sizeof *out); /* `outputs` may be `inputs` */
    if (!out)
        return ls_fail(ls, LS_OUT_OF_MEMORY, "no host memory for a function's outputs");
    ls_scope_begin(ls);
    f->body(f->user, inputs, out);
    check_outputs(f, out);
    for (size_t i = 0; i < f->outputs && !ls_failed(ls); i++) {
        const struct ls_slot *slot = ls_slot_of(out[i]); /* an input or a variable stays where it belongs */
        outputs[i] = ls_keep(slot->scope == ls->scope_count - 1 ? out[i] : ls_tensor_of_value(ls, &slot->value));
    }
    free(out);
    return ls_scope_end(ls);
}

static ls_status check_input(struct ls_function *f, size_t i, ls_tensor input)
{
    const struct ls_slot *slot = ls_slot_of(input);
    if (!slot || input.context != f->ls)
        return ls_fail(f->ls, slot ? LS_FOREIGN_HANDLE : LS_STALE_HANDLE, "function: input %zu %s", i,
                       slot ? "belongs to another context" : "is nil or was released");
    const struct ls_value *want = &f->in[i];
    if (f->calls < 2)
        return LS_OK;
    if (slot->value.dtype != want->dtype)
        return ls_fail(f->ls, LS_DTYPE_MISMATCH, "function: input %zu is %s, but was captured as %s", i,
                       ls_dtype_name(slot->value.dtype), ls_dtype_name(want->dtype));
    if (!ls_shape_equal(&slot->value.shape, &want->shape))
        return ls_fail(f->ls, LS_SHAPE_MISMATCH,
                       "function: input %zu is %s, but was captured as %s; make a function for each shape", i,
                       ls_text(slot->value.shape).text, ls_text(want->shape).text);
    return LS_OK;
}

/* Copies an input's elements to the buffer that the nodes read. */
static ls_status take_input(struct ls_function *f, size_t i, ls_tensor input)
{
    const struct ls_slot *slot = ls_slot_of(input);
    if (slot->value.storage->bytes == 0)
        return LS_OK;
    struct ls_buffer *source = ls_value_buffer(f->ls, &slot->value);
    return source ? ls_copy_elements(f->ls, source, f->in[i].storage->buffer, slot->value.dtype,
                                     elements(&slot->value))
                  : f->ls->error;
}

/* A new tensor with the value that a replay left in an output's buffer. */
static ls_tensor give_output(struct ls_function *f, size_t i)
{
    const struct ls_value *out = &f->out[i];
    if (!out->storage)
        return (ls_tensor){0};
    if (out->storage->constant || out->storage->bytes == 0)
        return ls_tensor_of_value(f->ls, out);
    struct ls_storage *storage = ls_storage_new(f->ls, out->dtype, elements(out));
    if (!storage)
        return (ls_tensor){0};
    if (ls_copy_elements(f->ls, out->storage->buffer, storage->buffer, out->dtype, elements(out)) != LS_OK) {
        ls_storage_release(f->ls, storage);
        return (ls_tensor){0};
    }
    return ls_tensor_new(f->ls, out->dtype, &out->shape, storage, 0);
}

/* What replays leave in output i. A view of a variable is copied, by a recorded call: the variable's
 * own buffer changes when the body, or the user between two calls, assigns to it. */
static void take_output(struct ls_function *f, size_t i, ls_tensor output)
{
    ls_context *ls = f->ls;
    const struct ls_recorder *r = &f->recorder;
    const struct ls_slot *slot = ls_slot_of(output);
    bool shared = false;
    for (size_t b = 0; slot && b < r->bound_count; b++)
        shared = shared || (r->bound[b].storage == slot->value.storage && slot->value.storage->bytes > 0);
    if (slot)
        f->out[i] = ls_value_retain(&slot->value);
    if (!shared)
        return;
    struct ls_storage *home = f->out[i].storage;
    struct ls_storage *copy = ls_storage_new(ls, f->out[i].dtype, elements(&f->out[i]));
    if (copy) {
        ls_copy_elements(ls, home->buffer, copy->buffer, f->out[i].dtype, elements(&f->out[i]));
        f->out[i].storage = copy;
        ls_storage_release(ls, home);
    }
}

static ls_status record(struct ls_function *f, const ls_tensor *inputs)
{
    ls_context *ls = f->ls;
    struct ls_recorder *r = &f->recorder;
    r->pool = ls_pool_begin(ls);
    if (!r->pool)
        return ls->error;
    ls_scope_begin(ls);
    ls_tensor *in = calloc(f->inputs + 1, sizeof *in), *out = calloc(f->outputs + 1, sizeof *out);
    if (!in || !out)
        ls_fail(ls, LS_OUT_OF_MEMORY, "no host memory for a captured step");
    for (size_t i = 0; i < f->inputs && !ls_failed(ls); i++) {
        const struct ls_value *value = &ls_slot_of(inputs[i])->value;
        f->in[i] = *value;
        f->in[i].id = ++ls->next_id;
        f->in[i].storage = ls_storage_new(ls, value->dtype, elements(value));
        if (f->in[i].storage && take_input(f, i, inputs[i]) == LS_OK)
            in[i] = ls_tensor_of_value(ls, &f->in[i]);
    }
    if (!ls_failed(ls) && bind_variables(ls, r) == LS_OK) {
        ls->recorder = r;
        f->body(f->user, in, out);
        check_outputs(f, out);
        for (size_t i = 0; i < f->outputs && !ls_failed(ls); i++)
            take_output(f, i, out[i]);
        if (!ls_failed(ls))
            return_variables(ls, r);
        ls->recorder = NULL;
    }
    free(in);
    free(out);
    ls_scope_end(ls);
    ls_pool_end(ls);
    if (!ls_failed(ls)) {
        f->calls = 2;
        ls_receipt_replayed(ls, r);
        ls_say(ls, LS_LOG_DEBUG, "captured a step of %zu primitive calls", ls_function_size(f));
    } else {
        forget(f);
    }
    return ls->error;
}

static ls_status replay(struct ls_function *f, const ls_tensor *inputs)
{
    ls_context *ls = f->ls;
    for (size_t i = 0; i < f->inputs; i++)
        if (take_input(f, i, inputs[i]) != LS_OK)
            return ls->error;
    if (bring_variables(ls, &f->recorder) != LS_OK)
        return ls->error;
    if (f->recorder.mark_count)
        ls_receipt_replays(ls, &f->recorder);
    ls->op = NULL; /* a replay knows primitives only */
    for (size_t n = 0; n < f->recorder.count; n++) {
        if (f->recorder.mark_count && ls_receipt_skips(&f->recorder, n))
            continue;
        ls_status status = ls_dispatch_node(ls, &f->recorder.nodes[n]);
        if (status != LS_OK) {
            ls_receipt_replay_failed(ls);
            return status;
        }
    }
    ls_receipt_replayed(ls, &f->recorder);
    return ls->error;
}

static bool any_tape_listens(const ls_context *ls)
{
    for (const struct ls_tape *tape = ls->tapes; tape; tape = tape->next)
        if (ls_tape_recording(tape))
            return true;
    return false;
}

static ls_status call(struct ls_function *f, const ls_tensor *inputs, ls_tensor *outputs)
{
    ls_context *ls = f->ls;
    for (size_t i = 0; i < f->inputs; i++)
        if (check_input(f, i, inputs[i]) != LS_OK)
            return ls->error;
    /* Inside another recording, or under a tape, or while numerics are checked, the body's ops must be
     * seen one by one. */
    if (f->calls == 0 || ls->recorder || any_tape_listens(ls) || ls->numerics) {
        f->calls += f->calls == 0;
        return run_eagerly(f, inputs, outputs);
    }
    ls_status status = f->calls == 1 ? record(f, inputs) : replay(f, inputs);
    for (size_t i = 0; i < f->outputs && status == LS_OK; i++) {
        outputs[i] = give_output(f, i);
        status = ls->error;
    }
    return status;
}

ls_status ls_function_call(ls_function *f, const ls_tensor *inputs, ls_tensor *outputs)
{
    if (!f)
        return LS_INVALID_ARGUMENT;
    ls_context *ls = f->ls;
    if ((f->inputs && !inputs) || (f->outputs && !outputs))
        return ls_fail(ls, LS_INVALID_ARGUMENT, "function: the array of %s is NULL",
                       f->outputs && !outputs ? "outputs" : "inputs");
    ls_status status = ls_failed(ls) ? ls->error : call(f, inputs, outputs);
    for (size_t i = 0; i < f->outputs && status != LS_OK; i++)
        outputs[i] = (ls_tensor){0};
    return status;
}

static void destroy_function(void *object)
{
    struct ls_function *f = object;
    forget(f);
    free(f->in);
    free(f->out);
    free(f);
}

ls_function *ls_function_create(ls_context *ls, ls_function_body *body, void *user, size_t inputs, size_t outputs)
{
    if (!ls || ls_failed(ls))
        return NULL;
    if (!body) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "function: the body is NULL");
        return NULL;
    }
    struct ls_function *f = calloc(1, sizeof *f);
    if (f) {
        *f = (struct ls_function){.ls = ls, .body = body, .user = user, .inputs = inputs, .outputs = outputs};
        f->in = calloc(inputs + 1, sizeof *f->in);
        f->out = calloc(outputs + 1, sizeof *f->out);
    }
    if (!f || !f->in || !f->out || ls_own(ls, f, destroy_function) != LS_OK) {
        ls_fail(ls, LS_OUT_OF_MEMORY, "no host memory for a function");
        if (f) {
            free(f->in);
            free(f->out);
        }
        free(f);
        return NULL;
    }
    return f;
}

/* The nodes but the ends of steps. */
size_t ls_function_size(const ls_function *f)
{
    size_t calls = 0;
    for (size_t n = 0; f && n < f->recorder.count; n++)
        calls += f->recorder.nodes[n].prim != LS_NODE_STEP;
    return calls;
}

void ls_function_destroy(ls_function **f)
{
    if (!f || !*f)
        return;
    ls_disown((*f)->ls, *f);
    destroy_function(*f);
    *f = NULL;
}
