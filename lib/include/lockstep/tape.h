/* SPDX-License-Identifier: Apache-2.0
 *
 * The tape (the role of tf.GradientTape). Between begin and end it records every op that depends on
 * a trainable variable or on a watched tensor; ls_gradient walks the record backwards. Gradients are
 * made with the public ops, so an outer tape records them too: any order of derivative works.
 */
#ifndef LOCKSTEP_TAPE_H
#define LOCKSTEP_TAPE_H

#include <lockstep/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ls_tape ls_tape;

typedef struct ls_tape_options {
    bool persistent;                  /* may be asked for gradients more than once */
    bool ignore_accessed_variables;   /* watch only what ls_watch names (watch_accessed_variables=False) */
} ls_tape_options;

/** Starts a tape; it records until ls_tape_end. `options` NULL: not persistent, watches variables. */
LS_API ls_tape *ls_tape_begin(ls_context *ls, const ls_tape_options *options);

/** Stops recording. The tape can still be asked for gradients. */
LS_API void ls_tape_end(ls_tape *tape);

/** Watches a float32 tensor, so that gradients to it can be asked for. */
LS_API void ls_watch(ls_tape *tape, ls_tensor tensor);

/**
 * d target / d sources[i] into gradients[i], for `count` sources. A target that is not rank 0 counts
 * as the sum of its elements. A source that the target does not depend on gives the nil tensor. The
 * gradients belong to the innermost scope. A non-persistent tape is consumed: asking it again is
 * LS_TAPE_ERROR. Where several consumers contribute, their contributions are added in the order in
 * which the tape recorded them (canon.md rule 12). Errors: also LS_NO_GRADIENT for an op without one.
 */
LS_API ls_status ls_gradient(ls_tape *tape, ls_tensor target, const ls_tensor *sources, size_t count,
                             ls_tensor *gradients);

/**
 * Releases a tape and what it saved; sets `*tape` to NULL. Accepts NULL. A tape belongs to the scope
 * it was begun in and is released with it at the latest.
 */
LS_API void ls_tape_destroy(ls_tape **tape);

/**
 * `LS_TAPE(tape, ls) { … }` declares `ls_tape *tape`, records the block, and stops recording after it;
 * ask `tape` for gradients behind the block. A tape made so is released with the scope it was made in.
 * `break` leaves the block and stops recording; `return` out of it leaves the tape recording until
 * its scope ends.
 */
#define LS_TAPE(tape, ls)                                                                          \
    ls_tape *tape = ls_tape_begin(ls, NULL);                                                       \
    for (int tape##_once_ = 1; tape##_once_; tape##_once_ = (ls_tape_end(tape), 0))                \
        for (; tape##_once_; tape##_once_ = 0)

#ifdef __cplusplus
}
#endif
#endif
