/* SPDX-License-Identifier: Apache-2.0
 *
 * The tape's life: begin, watch, stop, reset, end, destroy. What it keeps is in lib/core/record.c; the
 * way back is in gradient.c.
 */
#include <stdlib.h>

#include "gradient.h"

ls_tape *ls_tape_begin_with(const ls_tape_options *options)
{
    ls_context *ls = options ? options->context : NULL;
    if (!ls || ls_failed(ls))
        return NULL;
    struct ls_tape *tape = calloc(1, sizeof *tape);
    if (!tape) {
        ls_fail(ls, LS_OUT_OF_MEMORY, "no host memory for a tape");
        return NULL;
    }
    *tape = (struct ls_tape){.ls = ls, .options = *options, .scope = ls->scope_count - 1, .next = ls->tapes};
    ls->tapes = tape;
    return tape;
}

void ls_tape_end(ls_tape *tape)
{
    if (tape)
        tape->ended = true;
}

void ls_tape_destroy(ls_tape **tape)
{
    if (!tape || !*tape)
        return;
    ls_tape_free(*tape);
    *tape = NULL;
}

ls_status ls_tape_missing(const char *what, ls_tensor tensor)
{
    ls_context *ls = tensor.context;
    if (!ls)
        return LS_INVALID_ARGUMENT;
    ls_fail(ls, LS_INVALID_ARGUMENT, "%s: the tape is NULL; ls_tape_begin makes one", what);
    return ls_error(ls);
}

/* Whether the tape can still record; raises LS_TAPE_ERROR if not. */
static bool alive(ls_tape *tape, const char *what)
{
    if (!tape || ls_failed(tape->ls))
        return false;
    if (tape->ended)
        ls_fail(tape->ls, LS_TAPE_ERROR, "%s: the tape no longer records; call it between ls_tape_begin and %s", what,
                tape->consumed ? "the gradient that consumed it" : "ls_tape_end");
    return !tape->ended;
}

void ls_watch(ls_tape *tape, ls_tensor tensor)
{
    if (!tape)
        ls_tape_missing("watch", tensor);
    if (!alive(tape, "watch"))
        return;
    ls_context *ls = tape->ls;
    const struct ls_slot *slot = ls_slot_of(tensor);
    if (!slot || tensor.context != ls)
        ls_fail(ls, slot ? LS_FOREIGN_HANDLE : LS_STALE_HANDLE, "watch: the tensor %s",
                slot ? "belongs to another context" : "is nil or was released");
    else if (!ls_dtype_is_float(slot->value.dtype))
        ls_say(ls, LS_LOG_WARNING, "watch: only float types have gradients, not %s", ls_dtype_name(slot->value.dtype));
    else
        ls_tape_watch(tape, tensor);
}

void ls_stop_recording(ls_tape *tape)
{
    if (alive(tape, "stop_recording"))
        tape->stopped++;
}

void ls_resume_recording(ls_tape *tape)
{
    if (tape && tape->stopped > 0) /* also of a tape that a gradient consumed in between */
        tape->stopped--;
    else if (alive(tape, "resume_recording"))
        ls_fail(tape->ls, LS_TAPE_ERROR, "resume_recording: recording is not stopped; ls_stop_recording comes first");
}

void ls_tape_reset(ls_tape *tape)
{
    if (!alive(tape, "tape_reset"))
        return;
    ls_tape_clear(tape);
    tape->watched_count = tape->reason_count = 0;
}

size_t ls_watched_variables(const ls_tape *tape, ls_tensor *variables, size_t capacity)
{
    if (!tape)
        return 0;
    for (size_t i = 0; variables && i < tape->watched_count && i < capacity; i++)
        variables[i] = tape->watched[i];
    return tape->watched_count;
}
