/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of the progress bar, for fit, whose values come from logs.
 */
#ifndef LOCKSTEP_TRAIN_PROGRESS_H
#define LOCKSTEP_TRAIN_PROGRESS_H

#include <lockstep/progress.h>

/** A value to be drawn from now on. */
void ls_progress_show(ls_progress *bar, const char *name, double value);
/** One step further, with whatever values are known; `drawing` says whether to show it. */
void ls_progress_advance(ls_progress *bar, int64_t step, bool drawing, bool last);
/** A line of text to where the bar is drawn. */
void ls_progress_print(ls_progress *bar, const char *text);

#endif
