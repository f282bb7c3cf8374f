/* SPDX-License-Identifier: Apache-2.0
 *
 * Why a gradient is nil: found from the tape's entries when it is, read by ls_gradient_reason.
 */
#include "reason.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The first op on the way from a source to a target through which no gradient passes; NULL: no way, or,
 * with `*open`, one on which nothing cuts. */
static const struct ls_op *cut_between(const ls_gradient_options *r, int32_t source, bool *open)
{
    const struct ls_tape *tape = r->tape;
    const struct ls_op *cut = NULL;
    struct mark {
        bool differentiable;
        const struct ls_op *cut;
    } *from = calloc((size_t)tape->value_count, sizeof *from); /* by number: how it comes from the source */
    if (!from)
        return NULL;
    from[source].differentiable = true;
    for (size_t e = 0; e < tape->entry_count; e++) {
        const struct ls_entry *entry = &tape->entries[e];
        bool passes = entry->op->vjp || entry->op->no_gradient;
        struct mark *out = &from[entry->out_index];
        for (int i = 0; i < entry->inputs; i++) {
            const struct mark *in = entry->in_index[i] >= 0 ? &from[entry->in_index[i]] : NULL;
            if (in && in->differentiable && passes)
                out->differentiable = true;
            else if (in && (in->differentiable || in->cut) && !out->cut)
                out->cut = in->differentiable ? entry->op : in->cut;
        }
    }
    for (size_t t = 0; t < r->target_count && !cut; t++) {
        int32_t target = ls_tape_find(tape, ls_slot_of(r->targets[t])->value.id);
        cut = target >= 0 ? from[target].cut : NULL;
        *open = *open || (target >= 0 && from[target].differentiable);
    }
    free(from);
    return cut;
}

static bool any_target_known(const ls_gradient_options *r)
{
    for (size_t t = 0; t < r->target_count; t++)
        if (ls_tape_find(r->tape, ls_slot_of(r->targets[t])->value.id) >= 0)
            return true;
    return false;
}

static void explain(const ls_gradient_options *r, const struct ls_slot *slot, char *text, size_t size)
{
    int32_t number = ls_tape_find(r->tape, slot->value.id);
    bool open = false;
    const struct ls_op *cut = number >= 0 ? cut_between(r, number, &open) : NULL;
    if (!ls_dtype_is_float(slot->value.dtype))
        snprintf(text, size, "it is %s, and only float types have gradients", ls_dtype_name(slot->value.dtype));
    else if (number < 0 && !slot->trainable)
        snprintf(text, size, "the tape does not watch it; call ls_watch before it is used");
    else if (number < 0 && r->tape->options.ignore_accessed_variables)
        snprintf(text, size, "the tape ignores accessed variables; call ls_watch before it is used");
    else if (number < 0)
        snprintf(text, size, "it was read outside the tape, or not at all");
    else if (open)
        snprintf(text, size, "a custom_gradient on the way gives none for it");
    else if (cut && strcmp(cut->name, "stop_gradient") == 0)
        snprintf(text, size, "it is cut by stop_gradient");
    else if (cut)
        snprintf(text, size, "it is only reached through %s, which has no gradient", cut->name);
    else if (!any_target_known(r))
        snprintf(text, size, "the target was not computed while the tape recorded, or from nothing that it watches");
    else
        snprintf(text, size, "nothing that the target was computed from on the tape depends on it");
}

void ls_reason_add(const ls_gradient_options *r, size_t source)
{
    struct ls_tape *tape = r->tape;
    const struct ls_slot *slot = ls_slot_of(r->sources[source]);
    struct ls_reason *grown = realloc(tape->reasons, (tape->reason_count + 1) * sizeof *grown);
    if (!grown)
        return; /* the gradient is right without it */
    tape->reasons = grown;
    struct ls_reason *reason = &grown[tape->reason_count++];
    reason->id = slot->value.id;
    char why[120], name[100];
    explain(r, slot, why, sizeof why);
    if (slot->name)
        snprintf(name, sizeof name, "variable %.80s", slot->name);
    else
        snprintf(name, sizeof name, "source %zu", source);
    snprintf(reason->text, sizeof reason->text, "%s is not reached from the target: %s", name, why);
}

const char *ls_gradient_reason(const ls_tape *tape, ls_tensor source)
{
    const struct ls_slot *slot = ls_slot_of(source);
    for (size_t i = 0; tape && slot && i < tape->reason_count; i++)
        if (tape->reasons[i].id == slot->value.id)
            return tape->reasons[i].text;
    return "";
}
