/* SPDX-License-Identifier: Apache-2.0
 *
 * Index faults, as in fault.cl. `faults` has the words {call, kind, limit, position, notes} and then
 * 64 notes of {position, value}. Calls are numbered from 1, and run in order, so the first call that
 * faults keeps the word `call`. Of its positions the lowest is kept; everyone who lowers it also notes
 * its value, and the host takes the note of the position that was lowest in the end. */
void ls_note_fault(int call, int kind, int limit, int position, int value)
{
    int first = atomicCompSwap(faults[0], 0, call);
    if (first != 0 && first != call)
        return;
    atomicExchange(faults[1], kind);
    atomicExchange(faults[2], limit);
    if (position < atomicMin(faults[3], position)) {
        int note = atomicAdd(faults[4], 1);
        if (note < 64) {
            faults[5 + 2 * note] = position;
            faults[6 + 2 * note] = value;
        }
    }
}
