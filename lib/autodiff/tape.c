/* SPDX-License-Identifier: Apache-2.0
 *
 * The tape's life: begin, watch, end, destroy. What it keeps is in lib/core/record.c; the way back
 * is in gradient.c.
 */
#include <stdlib.h>

#include "../core/record.h"

ls_tape *ls_tape_begin(ls_context *ls, const ls_tape_options *options)
{
    if (!ls || ls_failed(ls))
        return NULL;
    struct ls_tape *tape = calloc(1, sizeof *tape);
    if (!tape) {
        ls_fail(ls, LS_OUT_OF_MEMORY, "no host memory for a tape");
        return NULL;
    }
    tape->ls = ls;
    tape->options = options ? *options : (ls_tape_options){0};
    tape->recording = true;
    tape->scope = ls->scope_count - 1;
    tape->next = ls->tapes;
    ls->tapes = tape;
    return tape;
}

void ls_tape_end(ls_tape *tape)
{
    if (tape)
        tape->recording = false;
}

void ls_watch(ls_tape *tape, ls_tensor tensor)
{
    if (!tape)
        return;
    ls_context *ls = tape->ls;
    struct ls_slot *slot = ls_slot_of(tensor);
    if (ls_failed(ls))
        return;
    if (!slot || tensor.context != ls)
        ls_fail(ls, slot ? LS_FOREIGN_HANDLE : LS_STALE_HANDLE, "watch: the tensor %s",
                slot ? "belongs to another context" : "is nil or was released");
    else if (!tape->recording)
        ls_fail(ls, LS_TAPE_ERROR, "watch: the tape no longer records; watch between ls_tape_begin and ls_tape_end");
    else if (slot->value.dtype != LS_FLOAT32)
        ls_say(ls, LS_LOG_WARNING, "watch: only float32 has gradients, not %s", ls_dtype_name(slot->value.dtype));
    else
        ls_tape_follow(tape, slot->value.id);
}

void ls_tape_destroy(ls_tape **pointer)
{
    if (!pointer || !*pointer)
        return;
    struct ls_tape *tape = *pointer;
    struct ls_tape **link = &tape->ls->tapes;
    while (*link != tape)
        link = &(*link)->next;
    *link = tape->next;
    ls_tape_clear(tape);
    free(tape);
    *pointer = NULL;
}

/* Releases the tapes that were begun in a scope or inside it. */
void ls_tapes_end_scope(ls_context *ls, int scope)
{
    for (struct ls_tape *tape = ls->tapes, *next; tape; tape = next) {
        next = tape->next;
        if (tape->scope >= scope)
            ls_tape_destroy(&tape);
    }
}
