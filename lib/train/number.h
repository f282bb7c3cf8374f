/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers as Python writes them, whatever the program's locale.
 */
#ifndef LOCKSTEP_TRAIN_NUMBER_H
#define LOCKSTEP_TRAIN_NUMBER_H

/** A text in a value of its own: ls_number(x).text. */
struct ls_number {
    char text[40];
};

/** As repr(float): the shortest digits that read back to the same double; 1.0, 1e-05, nan, inf. */
struct ls_number ls_number(double value);
/** The same with at most `digits` significant digits, 1 to 17: ticks of an axis. */
struct ls_number ls_number_rounded(double value, int digits);
/** As format(value, ".<places>f"), 0 to 17 places, |value| below 1e15; larger ones as repr. */
struct ls_number ls_number_fixed(double value, int places);

#endif
