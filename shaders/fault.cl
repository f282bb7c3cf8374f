/* SPDX-License-Identifier: Apache-2.0
 *
 * Index faults. `faults` has the words {call, kind, limit, position, notes} and then 64 notes of
 * {position, value}. Calls are numbered from 1, and run in order, so the first call that faults keeps
 * the word `call`. Of its positions the lowest is kept; everyone who lowers it also notes its value,
 * and the host takes the note of the position that was lowest in the end. */
LS_FN void ls_note_fault(__global volatile int *faults, int call, int kind, int limit, int position,
                         int value)
{
    int first = atomic_cmpxchg(&faults[0], 0, call);
    if (first != 0 && first != call)
        return;
    faults[1] = kind;
    faults[2] = limit;
    if (position < atomic_min(&faults[3], position)) {
        int note = atomic_inc(&faults[4]);
        if (note < 64) {
            faults[5 + 2 * note] = position;
            faults[6 + 2 * note] = value;
        }
    }
}
