/* SPDX-License-Identifier: Apache-2.0
 *
 * The way back through a tape. Entries are visited from the last to the first; each one's rule turns
 * the gradient of its output into those of its inputs, with public ops, which outer tapes record.
 *
 * A value with several consumers gets the sum of their contributions in the order in which the tape
 * recorded the consumers, the first one copied (canon.md rule 12). They arrive in the opposite order,
 * so they are kept until the value's own entry is reached and added then.
 */
#include <stdlib.h>

#include <lockstep/ops.h>

#include "../core/record.h"

/* The contributions to one value's gradient, the latest consumer's first. */
struct contribution {
    struct ls_value value;
    struct contribution *next;
};

struct walk {
    ls_context *ls;
    const struct ls_tape *tape;
    bool *wanted;               /* by number: does the way lead to a source */
    struct contribution **sums; /* by number; the earliest consumer's is first in the list */
};

static bool add(struct walk *w, int32_t number, ls_tensor gradient)
{
    struct contribution *c = malloc(sizeof *c);
    if (!c) {
        ls_fail(w->ls, LS_OUT_OF_MEMORY, "gradient: no host memory");
        return false;
    }
    *c = (struct contribution){ls_value_retain(&ls_slot_of(gradient)->value), w->sums[number]};
    w->sums[number] = c;
    return true;
}

static struct contribution *take_first(struct walk *w, int32_t number)
{
    struct contribution *first = w->sums[number];
    w->sums[number] = first->next;
    return first;
}

/* Adds up what has arrived for a value, and leaves the sum as its only contribution. nil if nothing. */
static ls_tensor finish(struct walk *w, int32_t number)
{
    ls_tensor sum = {0};
    if (!w->sums[number])
        return sum;
    bool several = w->sums[number]->next != NULL;
    while (w->sums[number] && (several || !sum.context)) {
        struct contribution *c = several ? take_first(w, number) : w->sums[number];
        ls_tensor part = ls_tensor_of_value(w->ls, &c->value);
        sum = sum.context ? ls_add(sum, part) : part;
        if (several) {
            ls_value_release(w->ls, &c->value);
            free(c);
        }
    }
    if (several && sum.context && !add(w, number, sum))
        return (ls_tensor){0};
    return sum;
}

/* One entry: its rule, and where the results go. In a scope of its own. */
static ls_status step(struct walk *w, const struct ls_entry *entry)
{
    ls_context *ls = w->ls;
    if (!entry->op->vjp)
        return ls_fail(ls, LS_NO_GRADIENT, "%s has no gradient: %s", entry->op->name, entry->op->no_gradient);
    enum { FEW = 8 };
    ls_tensor few_in[FEW], few_dx[FEW] = {{0}};
    bool few_needs[FEW];
    size_t n = (size_t)entry->inputs;
    void *many = n > FEW ? calloc(n, 2 * sizeof(ls_tensor) + sizeof(bool)) : NULL;
    if (n > FEW && !many)
        return ls_fail(ls, LS_OUT_OF_MEMORY, "gradient: no host memory");
    ls_tensor *in = many ? many : few_in, *dx = many ? in + n : few_dx;
    bool *needs = many ? (bool *)(dx + n) : few_needs;
    ls_scope_begin(ls);
    struct ls_vjp_call call = {.ls = ls,
                               .op = entry->op,
                               .attributes = entry->attributes,
                               .inputs = entry->inputs,
                               .in = in,
                               .needs = needs,
                               .dx = dx};
    for (size_t i = 0; i < n; i++) {
        in[i] = ls_tensor_of_value(ls, &entry->in[i]);
        needs[i] = entry->in_index[i] >= 0 && w->wanted[entry->in_index[i]];
    }
    call.out = ls_tensor_of_value(ls, &entry->out);
    call.dy = finish(w, entry->out_index);
    if (!ls_failed(ls))
        entry->op->vjp(&call);
    /* From the last input to the first, so that the first one's contribution is added first. */
    for (size_t i = n; i-- > 0 && !ls_failed(ls);)
        if (needs[i] && dx[i].context)
            add(w, entry->in_index[i], dx[i]);
    free(many);
    return ls_scope_end(ls);
}

/* Which values the way back must reach: the sources and all that was computed from them. */
static void mark_wanted(struct walk *w, const ls_tensor *sources, size_t count)
{
    const struct ls_tape *tape = w->tape;
    for (size_t s = 0; s < count; s++) {
        const struct ls_slot *slot = ls_slot_of(sources[s]);
        int32_t number = slot ? ls_tape_find(tape, slot->value.id) : -1;
        if (number >= 0)
            w->wanted[number] = true;
    }
    for (size_t e = 0; e < tape->entry_count; e++) {
        const struct ls_entry *entry = &tape->entries[e];
        for (int i = 0; i < entry->inputs; i++)
            if (entry->in_index[i] >= 0 && w->wanted[entry->in_index[i]])
                w->wanted[entry->out_index] = true;
    }
}

static ls_status check(ls_tape *tape, ls_tensor target, const ls_tensor *sources, size_t count)
{
    ls_context *ls = tape->ls;
    if (tape->consumed)
        return ls_fail(ls, LS_TAPE_ERROR, "gradient: a non-persistent tape can be asked once; begin it with "
                                          ".persistent = true to ask again");
    const struct ls_slot *slot = ls_slot_of(target);
    if (!slot || target.context != ls)
        return ls_fail(ls, slot ? LS_FOREIGN_HANDLE : LS_STALE_HANDLE, "gradient: the target %s",
                       slot ? "belongs to another context" : "is nil or was released");
    if (slot->value.dtype != LS_FLOAT32)
        return ls_fail(ls, LS_DTYPE_MISMATCH, "gradient: the target is %s; only float32 has gradients",
                       ls_dtype_name(slot->value.dtype));
    for (size_t s = 0; s < count; s++)
        if (!ls_slot_of(sources[s]) || sources[s].context != ls)
            return ls_fail(ls, LS_STALE_HANDLE, "gradient: source %zu is nil, was released, or is of another context", s);
    return LS_OK;
}

static ls_status walk_back(struct walk *w, ls_tensor target, const ls_tensor *sources, size_t count,
                           ls_tensor *gradients)
{
    const struct ls_tape *tape = w->tape;
    int32_t number = ls_tape_find(tape, ls_slot_of(target)->value.id);
    if (number < 0)
        return LS_OK;
    mark_wanted(w, sources, count);
    ls_tensor ones = ls_ones_like(target);
    if (ls_failed(w->ls) || !add(w, number, ones))
        return w->ls->error;
    for (size_t e = tape->entry_count; e-- > 0;) {
        const struct ls_entry *entry = &tape->entries[e];
        if (w->sums[entry->out_index] && w->wanted[entry->out_index] && step(w, entry) != LS_OK)
            return w->ls->error;
    }
    for (size_t s = 0; s < count; s++) {
        int32_t source = ls_tape_find(tape, ls_slot_of(sources[s])->value.id);
        if (source >= 0)
            gradients[s] = ls_keep(finish(w, source));
    }
    return w->ls->error;
}

ls_status ls_gradient(ls_tape *tape, ls_tensor target, const ls_tensor *sources, size_t count, ls_tensor *gradients)
{
    for (size_t s = 0; s < count; s++)
        gradients[s] = (ls_tensor){0};
    if (!tape)
        return target.context ? ls_error(target.context) : LS_INVALID_ARGUMENT;
    ls_context *ls = tape->ls;
    if (ls_failed(ls) || check(tape, target, sources, count) != LS_OK)
        return ls->error;
    size_t values = (size_t)tape->value_count + 1;
    struct walk w = {ls, tape, calloc(values, sizeof(bool)), calloc(values, sizeof(struct contribution *))};
    bool recording = tape->recording;
    tape->recording = false; /* its own way back is not recorded; outer tapes' is */
    if (w.wanted && w.sums) {
        ls_scope_begin(ls);
        walk_back(&w, target, sources, count, gradients);
        for (size_t number = 0; number < values; number++) {
            while (w.sums[number]) {
                struct contribution *c = take_first(&w, (int32_t)number);
                ls_value_release(ls, &c->value);
                free(c);
            }
        }
        ls_scope_end(ls);
    } else {
        ls_fail(ls, LS_OUT_OF_MEMORY, "gradient: no host memory");
    }
    free(w.wanted);
    free(w.sums);
    if (tape->options.persistent) {
        tape->recording = recording;
    } else {
        tape->consumed = true;
        ls_tape_clear(tape);
    }
    return ls->error;
}
