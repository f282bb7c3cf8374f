/* SPDX-License-Identifier: Apache-2.0
 *
 * The way back through a tape. Entries are visited from the last to the first; each one's rule turns
 * the gradient of its output into those of its inputs, with public ops, which outer tapes record.
 *
 * A value with several consumers gets the sum of their contributions in the order in which the tape
 * recorded the consumers, the first one copied (canon.md rule 12). They arrive in the opposite order,
 * so they are kept until the value's own entry is reached and added then.
 */
#include "gradient.h"

#include <stdlib.h>

#include <lockstep/ops.h>

#include "../core/receipt.h"
#include "reason.h"

/* The contributions to one value's gradient, the latest consumer's first. */
struct contribution {
    struct ls_value value;
    struct contribution *next;
};

struct ls_walk {
    ls_context *ls;
    ls_tape *tape;
    size_t entries, values;     /* how many there were when the walk began */
    struct contribution **sums; /* by number; the earliest consumer's is first in the list */
    bool *wanted;               /* by number: computed from a source */
    bool *reached;              /* by number: a gradient arrives from the target, be it zero */
};

static bool add(struct ls_walk *w, int32_t number, const struct ls_value *gradient)
{
    struct contribution *c = malloc(sizeof *c);
    if (!c) {
        ls_fail(w->ls, LS_OUT_OF_MEMORY, "gradient: no host memory");
        return false;
    }
    *c = (struct contribution){ls_value_retain(gradient), w->sums[number]};
    w->sums[number] = c;
    return true;
}

static void drop_first(struct ls_walk *w, int32_t number)
{
    struct contribution *first = w->sums[number];
    w->sums[number] = first->next;
    ls_value_release(w->ls, &first->value);
    free(first);
}

/* Adds up what has arrived for a value, and leaves the sum as its only contribution. nil if nothing. */
static ls_tensor finish(struct ls_walk *w, int32_t number)
{
    if (!w->sums[number])
        return (ls_tensor){0};
    ls_tensor sum = ls_tensor_of_value(w->ls, &w->sums[number]->value);
    if (!w->sums[number]->next)
        return sum;
    drop_first(w, number);
    ls_dtype dtype = ls_dtype_of(sum); /* 16-bit types are added in float32 and rounded once */
    sum = ls_cast(sum, LS_FLOAT32);
    while (w->sums[number]) {
        sum = ls_add(sum, ls_cast(ls_tensor_of_value(w->ls, &w->sums[number]->value), LS_FLOAT32));
        drop_first(w, number);
    }
    sum = ls_cast(sum, dtype);
    const struct ls_slot *slot = ls_slot_of(sum);
    return slot && add(w, number, &slot->value) ? sum : (ls_tensor){0};
}

/* One entry: its rule, and where the results go. In a scope of its own. */
static ls_status step(struct ls_walk *w, const struct ls_entry *entry)
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
                               .dx = dx,
                               .walk = w,
                               .in_index = entry->in_index};
    for (size_t i = 0; i < n; i++) {
        in[i] = ls_tensor_of_value(ls, &entry->in[i]);
        needs[i] = entry->in_index[i] >= 0 && w->wanted[entry->in_index[i]];
    }
    call.out = ls_tensor_of_value(ls, &entry->out);
    call.dy = finish(w, entry->out_index);
    const char *outer = ls_numerics_backward(ls, entry->op->name);
    if (!ls_failed(ls))
        entry->op->vjp(&call);
    ls_numerics_backward(ls, outer);
    /* From the last input to the first, so that the first one's contribution is added first. */
    for (size_t i = n; i-- > 0 && !ls_failed(ls);) {
        const struct ls_slot *slot = needs[i] ? ls_slot_of(dx[i]) : NULL;
        if (needs[i] && (slot || !call.nil_is_none))
            w->reached[entry->in_index[i]] = true;
        if (slot)
            add(w, entry->in_index[i], &slot->value);
    }
    free(many);
    return ls_scope_end(ls);
}

static int32_t number_of(const struct ls_walk *w, ls_tensor tensor)
{
    const struct ls_slot *slot = ls_slot_of(tensor);
    int32_t number = slot ? ls_tape_find(w->tape, slot->value.id) : -1;
    return number < (int32_t)w->values ? number : -1;
}

/* Whether gradients pass from an entry's output to its inputs; where not, the way back ends silently. */
static bool passes(const struct ls_entry *entry) { return entry->op->vjp || entry->op->no_gradient; }

/* Which values are computed from the sources, and where the way back begins. */
static void mark(struct ls_walk *w, const ls_gradient_options *r)
{
    const struct ls_entry *entries = w->tape->entries;
    for (size_t s = 0; s < r->source_count; s++)
        if (number_of(w, r->sources[s]) >= 0)
            w->wanted[number_of(w, r->sources[s])] = true;
    for (size_t t = 0; t < r->target_count; t++)
        if (number_of(w, r->targets[t]) >= 0)
            w->reached[number_of(w, r->targets[t])] = true;
    for (size_t e = 0; e < w->entries; e++)
        for (int i = 0; i < entries[e].inputs && passes(&entries[e]); i++)
            if (entries[e].in_index[i] >= 0 && w->wanted[entries[e].in_index[i]])
                w->wanted[entries[e].out_index] = true;
}

/* The gradients that the targets start with; the first target's is added first. */
static void seed(struct ls_walk *w, const ls_gradient_options *r)
{
    for (size_t t = r->target_count; t-- > 0 && !ls_failed(w->ls);) {
        ls_tensor given = r->output_gradients ? r->output_gradients[t] : (ls_tensor){0};
        ls_tensor dy = given.context ? given : ls_ones_like(r->targets[t]);
        int32_t number = number_of(w, r->targets[t]);
        if (number >= 0 && ls_slot_of(dy))
            add(w, number, &ls_slot_of(dy)->value);
    }
}

static void walk_back(struct ls_walk *w, const ls_gradient_options *r)
{
    mark(w, r);
    seed(w, r);
    for (size_t e = w->entries; e-- > 0 && !ls_failed(w->ls);) {
        struct ls_entry entry = w->tape->entries[e]; /* a copy: a persistent tape may grow meanwhile */
        if (!w->reached[entry.out_index] || !w->wanted[entry.out_index] || !passes(&entry))
            continue;
        if (w->sums[entry.out_index])
            step(w, &entry);
        for (int i = 0; i < entry.inputs && !w->sums[entry.out_index]; i++) /* zero all the way */
            if (entry.in_index[i] >= 0)
                w->reached[entry.in_index[i]] = true;
    }
}

static bool walk_init(struct ls_walk *w, ls_tape *tape)
{
    size_t values = (size_t)tape->value_count;
    *w = (struct ls_walk){.ls = tape->ls, .tape = tape, .entries = tape->entry_count, .values = values};
    w->sums = calloc(values + 1, sizeof *w->sums + 2 * sizeof(bool));
    if (!w->sums)
        return ls_fail(w->ls, LS_OUT_OF_MEMORY, "gradient: no host memory"), false;
    w->wanted = (bool *)(w->sums + values + 1);
    w->reached = w->wanted + values + 1;
    ls_scope_begin(w->ls);
    return true;
}

static ls_status walk_finish(struct ls_walk *w)
{
    for (size_t number = 0; number < w->values; number++)
        while (w->sums[number])
            drop_first(w, (int32_t)number);
    free(w->sums);
    return ls_scope_end(w->ls);
}

/* ---- What a user asks ---- */

static ls_status check_handle(ls_context *ls, ls_tensor tensor, const char *what, size_t index)
{
    const struct ls_slot *slot = ls_slot_of(tensor);
    if (slot && tensor.context == ls)
        return LS_OK;
    return ls_fail(ls, slot ? LS_FOREIGN_HANDLE : LS_STALE_HANDLE, "gradient: %s %zu %s", what, index,
                   slot ? "belongs to another context" : "is nil or was released");
}

static ls_status check_target(ls_context *ls, const ls_gradient_options *r, size_t t)
{
    if (check_handle(ls, r->targets[t], "target", t) != LS_OK)
        return ls->error;
    const struct ls_value *target = &ls_slot_of(r->targets[t])->value;
    if (!ls_dtype_is_float(target->dtype))
        return ls_fail(ls, LS_DTYPE_MISMATCH, "gradient: target %zu is %s; only float types have gradients", t,
                       ls_dtype_name(target->dtype));
    if (!r->output_gradients || !r->output_gradients[t].context)
        return LS_OK;
    if (check_handle(ls, r->output_gradients[t], "output gradient", t) != LS_OK)
        return ls->error;
    const struct ls_value *dy = &ls_slot_of(r->output_gradients[t])->value;
    if (dy->dtype != target->dtype)
        return ls_fail(ls, LS_DTYPE_MISMATCH, "gradient: output gradient %zu is %s, not %s; ls_cast converts", t,
                       ls_dtype_name(dy->dtype), ls_dtype_name(target->dtype));
    if (!ls_shape_equal(&dy->shape, &target->shape))
        return ls_fail(ls, LS_SHAPE_MISMATCH, "gradient: output gradient %zu is %s, but its target is %s", t,
                       ls_text(dy->shape).text, ls_text(target->shape).text);
    return LS_OK;
}

ls_status ls_gradient_again(const ls_gradient_options *r)
{
    struct ls_walk w;
    ls_context *ls = r->tape->ls;
    for (size_t t = 0; t < r->target_count; t++)
        if (check_target(ls, r, t) != LS_OK)
            return ls->error;
    for (size_t s = 0; s < r->source_count; s++)
        if (check_handle(ls, r->sources[s], "source", s) != LS_OK)
            return ls->error;
    /* A variable that is itself the target may be read by no op: a cast or a reshape to what it is. */
    for (size_t t = 0; t < r->target_count && !ls_failed(ls); t++)
        if (ls_slot_of(r->targets[t])->trainable && !r->tape->options.ignore_accessed_variables)
            ls_tape_watch(r->tape, r->targets[t]);
    if (ls_failed(ls) || !walk_init(&w, r->tape))
        return ls->error;
    walk_back(&w, r);
    for (size_t s = 0; s < r->source_count && !ls_failed(ls); s++) {
        int32_t number = number_of(&w, r->sources[s]);
        bool zeros = r->unconnected_gradients == LS_UNCONNECTED_ZERO || (number >= 0 && w.reached[number]);
        ls_tensor gradient = number >= 0 ? finish(&w, number) : (ls_tensor){0};
        r->gradients[s] = ls_keep(zeros && !gradient.context ? ls_zeros_like(r->sources[s]) : gradient);
        if (number < 0 || !w.reached[number])
            ls_reason_add(r, s);
    }
    return walk_finish(&w);
}

ls_status ls_tape_askable(ls_tape *tape, const char *what)
{
    ls_context *ls = tape->ls;
    if (ls_failed(ls))
        return ls->error;
    if (tape->consumed)
        return ls_fail(ls, LS_TAPE_ERROR,
                       "%s: a non-persistent tape can be asked once, and its resources are released "
                       "by then; begin it with .persistent = true to ask again",
                       what);
    if (tape->options.persistent && ls_tape_recording(tape) && !tape->warned) {
        tape->warned = true;
        ls_say(ls, LS_LOG_WARNING,
               "%s: the persistent tape still records, and so records its own way back; ask it "
               "after ls_tape_end unless higher derivatives are meant",
               what);
    }
    tape->reason_count = 0;
    if (!tape->options.persistent)
        tape->ended = true; /* its own way back is not recorded; outer tapes' is */
    return LS_OK;
}

void ls_tape_consume(ls_tape *tape)
{
    if (tape->options.persistent)
        return;
    tape->consumed = true;
    ls_tape_clear(tape);
}

static ls_status check_request(const ls_gradient_options *r)
{
    ls_context *ls = r->tape->ls;
    const char *missing = r->target_count && !r->targets      ? "targets"
                          : r->source_count && !r->sources    ? "sources"
                          : r->source_count && !r->gradients ? "gradients"
                                                             : NULL;
    if (missing)
        return ls_fail(ls, LS_INVALID_ARGUMENT, "gradient: the array of %s is NULL", missing);
    if (r->unconnected_gradients != LS_UNCONNECTED_NONE && r->unconnected_gradients != LS_UNCONNECTED_ZERO)
        return ls_fail(ls, LS_INVALID_ARGUMENT,
                       "gradient: unconnected_gradients is %d; it is LS_UNCONNECTED_NONE or LS_UNCONNECTED_ZERO",
                       (int)r->unconnected_gradients);
    return ls_tape_askable(r->tape, "gradient");
}

ls_status ls_gradient_with(const ls_gradient_options *r)
{
    if (!r)
        return LS_INVALID_ARGUMENT;
    enum { FEW = 16 };
    ls_tensor few[FEW] = {{0}}, *made = r->source_count > FEW ? calloc(r->source_count, sizeof *made) : few;
    ls_status status = LS_INVALID_ARGUMENT;
    if (!r->tape) {
        status = ls_tape_missing("gradient", r->target_count && r->targets ? r->targets[0] : (ls_tensor){0});
    } else if (!made) {
        status = ls_fail(r->tape->ls, LS_OUT_OF_MEMORY, "gradient: no host memory");
    } else if ((status = check_request(r)) == LS_OK) {
        ls_gradient_options apart = *r;
        apart.gradients = made; /* the caller's may be the sources, or the targets */
        status = ls_gradient_again(&apart);
        if (r->tape->ls->receipt)
            ls_receipt_gradient(r->tape->ls, r->targets, r->target_count, made, r->source_count);
        ls_tape_consume(r->tape);
    }
    for (size_t s = 0; r->gradients && s < r->source_count; s++)
        r->gradients[s] = made && status == LS_OK ? made[s] : (ls_tensor){0};
    if (made != few)
        free(made);
    return status;
}

ls_status ls_gradient(ls_tape *tape, ls_tensor target, const ls_tensor *sources, size_t count, ls_tensor *gradients)
{
    return ls_gradient_with(&(ls_gradient_options){.tape = tape,
                                                   .targets = &target,
                                                   .target_count = 1,
                                                   .sources = sources,
                                                   .source_count = count,
                                                   .gradients = gradients});
}

ls_status ls_gradient_into(ls_tape *inner, ls_tensor target, struct ls_vjp_call *call)
{
    struct ls_walk w;
    ls_context *ls = call->ls;
    if (check_handle(ls, target, "target", 0) != LS_OK || !walk_init(&w, inner))
        return ls->error;
    walk_back(&w, &(ls_gradient_options){.targets = &target,
                                         .target_count = 1,
                                         .output_gradients = &call->dy,
                                         .sources = call->in,
                                         .source_count = (size_t)call->inputs});
    for (int i = call->inputs; i-- > 0;) {
        int32_t number = call->needs[i] ? number_of(&w, call->in[i]) : -1;
        if (number >= 0 && w.reached[number])
            call->walk->reached[call->in_index[i]] = true;
        /* Turned round, then handed over: the last contribution arrives first, as if met on the way. */
        struct contribution *turned = NULL;
        while (number >= 0 && w.sums[number]) {
            struct contribution *first = w.sums[number];
            w.sums[number] = first->next;
            first->next = turned;
            turned = first;
        }
        while (turned) {
            struct contribution *next = turned->next;
            if (!ls_failed(ls))
                add(call->walk, call->in_index[i], &turned->value);
            ls_value_release(ls, &turned->value);
            free(turned);
            turned = next;
        }
    }
    return walk_finish(&w);
}
