/* SPDX-License-Identifier: Apache-2.0
 *
 * What a step is of: its losses, gradients and variables, and whether it is to be written.
 */
#include "receipt_state.h"

#include <stdlib.h>
#include <string.h>

#include "record.h"
#include "recorder.h"

/* A recorded step: its row, and the nodes that fill it. */
struct ls_receipt_mark {
    struct ls_storage *row;
    size_t layout, begin, end;
    bool due;
};

/* ---- Counting ---- */

static struct counted *counted(struct ls_receipt *r, const struct ls_receipt_step *step)
{
    int same = 1;
    for (size_t i = 0; i < r->optimizer_count; i++) {
        if (ls_receipt_same(r->optimizers[i].iterations, step->iterations))
            return &r->optimizers[i];
        same += strcmp(r->optimizers[i].name, step->name) == 0;
    }
    struct counted *more = realloc(r->optimizers, (r->optimizer_count + 1) * sizeof *more);
    if (!more)
        return NULL;
    r->optimizers = more;
    struct counted *new = &more[r->optimizer_count++];
    *new = (struct counted){.iterations = step->iterations, .steps = -1, .number = same};
    snprintf(new->name, sizeof new->name, "%s", step->name);
    return new;
}

/*
 * Counts a step, and whether it is one of those to be written. The number is read, and waited for, only once and after a
 * state was loaded: which steps are written depends on where the run continues. `own`: the step has assigned it already.
 */
static bool is_due(ls_context *ls, const struct ls_receipt *r, struct counted *optimizer, int own)
{
    if (r->every == 1)
        return true;
    if (optimizer->steps < 0 || optimizer->assigned != own) {
        int32_t done = 0;
        const struct ls_slot *slot = ls_slot_of(optimizer->iterations);
        struct ls_buffer *buffer = slot ? ls_value_buffer(ls, &slot->value) : NULL;
        if (buffer)
            ls->device->backend->read(ls->device, buffer, 0, &done, sizeof done);
        optimizer->steps = done - own;
    }
    optimizer->assigned = 0;
    return ++optimizer->steps % r->every == 0;
}

/* ---- Losses ---- */

void ls_receipt_forget_call(ls_context *ls, struct remembered *call)
{
    for (size_t i = 0; i < call->targets; i++)
        ls_value_release(ls, &call->target[i]);
    *call = (struct remembered){.targets = 0};
}

void ls_receipt_gradient(ls_context *ls, const ls_tensor *targets, size_t target_count, const ls_tensor *gradients,
                         size_t count)
{
    struct ls_receipt *r = ls->receipt;
    struct remembered call = {.targets = 0};
    for (size_t i = 0; i < count; i++) {
        const struct ls_slot *slot = ls_slot_of(gradients[i]);
        if (slot && call.first == 0)
            call.first = slot->value.id;
        if (slot)
            call.last = slot->value.id;
    }
    if (!r || r->failed || ls_failed(ls) || call.first == 0)
        return;
    for (size_t i = 0; i < target_count && i < MOST_LOSSES; i++)
        if (ls_slot_of(targets[i]))
            call.target[call.targets++] = ls_value_retain(&ls_slot_of(targets[i])->value);
    struct remembered *place = &r->calls[r->next_call++ % REMEMBERED];
    ls_receipt_forget_call(ls, place);
    *place = call;
}

/* The call that made the step's gradients; the last one if the program changed them in between. */
static const struct remembered *call_of(const struct ls_receipt *r, const struct ls_receipt_step *step)
{
    for (unsigned k = 0; k < REMEMBERED; k++) {
        const struct remembered *call = &r->calls[(r->next_call + REMEMBERED - 1 - k) % REMEMBERED];
        for (size_t i = 0; i < step->count && call->first; i++) {
            const struct ls_slot *slot = ls_slot_of(step->given[i]);
            if (slot && (slot->value.id == call->first || slot->value.id == call->last))
                return call;
        }
    }
    return &r->calls[(r->next_call + REMEMBERED - 1) % REMEMBERED];
}

/* ---- Variables that the forward pass assigned ---- */

static bool is_among(const ls_tensor *items, size_t count, ls_tensor variable)
{
    while (count-- > 0)
        if (ls_receipt_same(items[count], variable))
            return true;
    return false;
}

void ls_receipt_assigned(ls_context *ls, ls_tensor variable)
{
    struct ls_receipt *r = ls->receipt;
    for (size_t i = 0; i < r->optimizer_count; i++)
        r->optimizers[i].assigned += ls_receipt_same(r->optimizers[i].iterations, variable);
    if (r->failed || !ls_recording(ls) || is_among(r->assigned, r->assigned_count, variable))
        return;
    if (ls_reserve((void **)&r->assigned, r->assigned_count, &r->assigned_capacity, sizeof *r->assigned))
        r->assigned[r->assigned_count++] = variable;
    else
        ls_fail(ls, LS_OUT_OF_MEMORY, "no host memory for a receipt");
}

/* The step with those variables behind its own, as variables without a gradient; *three holds its lists. */
static bool with_assigned(struct ls_receipt *r, struct ls_receipt_step *step, ls_tensor **three)
{
    size_t most = step->count + r->assigned_count, count = step->count;
    ls_tensor *lists = calloc(3 * most + 1, sizeof *lists);
    *three = lists;
    if (!lists)
        return false;
    memcpy(lists, step->given, count * sizeof *lists);
    memcpy(lists + most, step->applied, count * sizeof *lists);
    memcpy(lists + 2 * most, step->variables, count * sizeof *lists);
    for (size_t i = 0; i < r->assigned_count; i++)
        if (ls_slot_of(r->assigned[i]) && !is_among(step->variables, step->count, r->assigned[i]))
            lists[2 * most + count++] = r->assigned[i];
    r->assigned_count = 0;
    step->given = lists;
    step->applied = lists + most;
    step->variables = lists + 2 * most;
    step->count = count;
    return true;
}

/* ---- Digests ---- */

static void copy_words(ls_context *ls, struct ls_buffer *src, struct ls_buffer *dst, int64_t at, int64_t n)
{
    struct ls_copy_nd_args args = {.src = src,
                                   .dst = dst,
                                   .dtype = LS_INT32,
                                   .rank = 1,
                                   .extent = {n},
                                   .dst_offset = at,
                                   .src_stride = {1},
                                   .dst_stride = {1}};
    if (src)
        ls_dispatch_copy_nd(ls, &args);
}

/* Tensors put into calls of `digest`, as many as one takes. */
static void add_digest(ls_context *ls, struct ls_digest_args *args, const struct ls_value *value, bool last)
{
    if (value)
        args->input[args->inputs++] =
            (struct ls_digest_input){ls_value_buffer(ls, value), value->dtype, ls_shape_elements(&value->shape)};
    if (args->inputs == LS_DIGEST_INPUTS || (last && args->inputs > 0)) {
        ls_dispatch_digest(ls, args);
        args->at += 2 * (int64_t)args->inputs;
        args->inputs = 0;
    }
}

static void write_digests(ls_context *ls, const struct ls_receipt_step *step, const struct remembered *call,
                          struct ls_buffer *dst, int64_t at)
{
    struct ls_digest_args args = {.dst = dst, .at = at + 1};
    copy_words(ls, ls_value_buffer(ls, &ls_slot_of(step->iterations)->value), dst, at, 1);
    for (size_t i = 0; i < call->targets; i++)
        add_digest(ls, &args, &call->target[i], false);
    for (size_t i = 0; i < step->count; i++)
        if (!ls_is_nil(step->applied[i]))
            add_digest(ls, &args, &ls_slot_of(step->applied[i])->value, false);
    for (size_t i = 0; i < step->count; i++)
        add_digest(ls, &args, &ls_slot_of(step->variables[i])->value, false);
    add_digest(ls, &args, NULL, true);
}

static void make_buffers(ls_context *ls, const struct ls_receipt_step *step, const struct remembered *call)
{
    for (size_t i = 0; i < call->targets; i++)
        ls_value_buffer(ls, &call->target[i]);
    for (size_t i = 0; i < step->count; i++) {
        if (!ls_is_nil(step->applied[i]))
            ls_value_buffer(ls, &ls_slot_of(step->applied[i])->value);
        ls_value_buffer(ls, &ls_slot_of(step->variables[i])->value);
    }
}

/* While a function is recorded: into a row that belongs to it. */
static void record_step(ls_context *ls, struct ls_receipt *r, const struct ls_receipt_step *step,
                        const struct remembered *call, size_t layout, bool due)
{
    struct ls_recorder *recorder = ls->recorder;
    struct ls_receipt_mark *marks = realloc(recorder->marks, (recorder->mark_count + 1) * sizeof *marks);
    if (marks)
        recorder->marks = marks;
    struct ls_storage *row = marks ? ls_storage_new(ls, LS_INT32, (int64_t)r->layouts[layout].words) : NULL;
    if (!row) {
        ls_fail(ls, LS_OUT_OF_MEMORY, "no host memory for the receipt of a captured step");
        return;
    }
    make_buffers(ls, step, call); /* before the nodes that a replay may leave out */
    size_t begin = recorder->count;
    write_digests(ls, step, call, row->buffer, 0);
    recorder->marks[recorder->mark_count++] = (struct ls_receipt_mark){row, layout, begin, recorder->count, due};
}

static void write_step(ls_context *ls, struct ls_receipt *r, const struct ls_receipt_step *step)
{
    struct counted *optimizer = counted(r, step);
    const struct remembered *call = call_of(r, step);
    size_t layout;
    bool due = optimizer && is_due(ls, r, optimizer, 1);
    if (!optimizer || ((due || ls->recorder) && !ls_receipt_layout(r, step, call->targets, optimizer, &layout))) {
        ls_receipt_give_up(ls, r);
        return;
    }
    if (ls->recorder) {
        record_step(ls, r, step, call, layout, due);
    } else if (due) {
        int64_t at = ls_receipt_reserve(ls, r, layout);
        if (at >= 0)
            write_digests(ls, step, call, r->words->buffer, at);
    }
}

void ls_receipt_step(ls_context *ls, const struct ls_receipt_step *step)
{
    struct ls_receipt *r = ls->receipt;
    if (!r || r->failed || ls_failed(ls) || !ls_receipt_begin_file(ls, r))
        return;
    struct ls_receipt_step whole = *step;
    ls_tensor *lists = NULL;
    if (r->assigned_count == 0)
        write_step(ls, r, step);
    else if (with_assigned(r, &whole, &lists))
        write_step(ls, r, &whole);
    else
        ls_receipt_give_up(ls, r);
    free(lists);
}

/* ---- Capture ---- */

void ls_receipt_replays(ls_context *ls, struct ls_recorder *recorder)
{
    struct ls_receipt *r = ls->receipt;
    for (size_t i = 0; i < recorder->mark_count; i++) {
        struct ls_receipt_mark *mark = &recorder->marks[i];
        mark->due = false;
        for (size_t o = 0; o < r->optimizer_count && !r->failed; o++)
            if (ls_receipt_same(r->optimizers[o].iterations, r->layouts[mark->layout].iterations))
                mark->due = is_due(ls, r, &r->optimizers[o], 0);
    }
}

void ls_receipt_replay_failed(ls_context *ls)
{
    for (size_t i = 0; ls->receipt && i < ls->receipt->optimizer_count; i++)
        ls->receipt->optimizers[i].steps = -1;
}

bool ls_receipt_skips(const struct ls_recorder *recorder, size_t n)
{
    for (size_t i = 0; i < recorder->mark_count; i++)
        if (n >= recorder->marks[i].begin && n < recorder->marks[i].end)
            return !recorder->marks[i].due;
    return false;
}

void ls_receipt_replayed(ls_context *ls, struct ls_recorder *recorder)
{
    struct ls_receipt *r = ls->receipt;
    for (size_t i = 0; i < recorder->mark_count && r && !r->failed; i++) {
        struct ls_receipt_mark *mark = &recorder->marks[i];
        int64_t at = mark->due ? ls_receipt_reserve(ls, r, mark->layout) : -1;
        if (at >= 0)
            copy_words(ls, mark->row->buffer, r->words->buffer, at, (int64_t)r->layouts[mark->layout].words);
    }
}

void ls_receipt_forget(ls_context *ls, struct ls_recorder *recorder)
{
    for (size_t i = 0; i < recorder->mark_count; i++)
        ls_storage_release(ls, recorder->marks[i].row);
    free(recorder->marks);
}
