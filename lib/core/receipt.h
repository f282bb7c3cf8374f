/* SPDX-License-Identifier: Apache-2.0
 *
 * Receipts: with LOCKSTEP_RECEIPT=FILE a context writes down, for each step of an optimizer, a 64-bit
 * digest of the losses, the gradients and the variables. The digests are computed on the device and
 * gathered there, so that no step waits. docs/receipts.md tells what the file says.
 */
#ifndef LOCKSTEP_CORE_RECEIPT_H
#define LOCKSTEP_CORE_RECEIPT_H

#include "internal.h"

struct ls_recorder;

/** Reads LOCKSTEP_RECEIPT. The file is made by the first step. */
void ls_receipt_open(ls_context *ls);
/** Writes what is gathered and ends the file. LS_FILE_ERROR if it could not be written. */
ls_status ls_receipt_close(ls_context *ls);

/** Called by ls_gradient: which targets these gradients are of. */
void ls_receipt_gradient(ls_context *ls, const ls_tensor *targets, size_t target_count, const ls_tensor *gradients,
                         size_t count);

/**
 * Called by ls_assign. While a tape records, the next step is of this variable too; and the number of an optimizer's
 * step is no longer known if it was assigned by anything but a step, such as the loading of a state.
 */
void ls_receipt_assigned(ls_context *ls, ls_tensor variable);

/** A step, when it is done. The receipt's parts are asked of the gradients that were `given` to the step. */
struct ls_receipt_step {
    const char *name;     /* the optimizer's */
    ls_tensor iterations; /* which it is, and the number of this step, from 1 on; int32, rank 0 */
    const ls_tensor *given, *applied, *variables;
    size_t count;
};
void ls_receipt_step(ls_context *ls, const struct ls_receipt_step *step);

/* ---- Capture (function.c): a recorded step leaves its digests in a row of its own ---- */

/** Before a replay: decides which of its steps are written. */
void ls_receipt_replays(ls_context *ls, struct ls_recorder *recorder);
/** After a replay that failed: which of its steps were made is not known. */
void ls_receipt_replay_failed(ls_context *ls);
/** Whether this replay leaves out node n: a digest of a step that is not written. */
bool ls_receipt_skips(const struct ls_recorder *recorder, size_t n);
/** After a recording or a replay: takes over the rows. */
void ls_receipt_replayed(ls_context *ls, struct ls_recorder *recorder);
/** Releases what the recorder keeps of receipts. */
void ls_receipt_forget(ls_context *ls, struct ls_recorder *recorder);

#endif
