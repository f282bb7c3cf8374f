/* SPDX-License-Identifier: Apache-2.0
 *
 * What the decorator profile: collects, and writes when its device is closed.
 */
#ifndef LS_PROFILE_H
#define LS_PROFILE_H

#include "backend.h"

/** All calls of one kind: "gemm", "reduce sum", "map mul add"; "write" and "read" of host memory. */
struct profile_row {
    char name[176];
    int64_t calls;
    double seconds, bytes, flop;
};

/** One call. Text of its sizes is in `texts` of the profile, at `text`. */
struct profile_event {
    size_t row, text;
    double start, seconds, bytes, flop;
};

struct profile {
    const struct ls_device_info *device;
    struct profile_row *rows;
    size_t row_count, row_capacity;
    struct profile_event *events;
    size_t event_count, event_capacity, dropped; /* dropped: beyond the most that are kept */
    char *texts;
    size_t text_size, text_capacity;
    double peak_flop, peak_bytes; /* per second, of this device's own matrix product and copy; 0: not known */
};

enum { LS_PROFILE_EVENTS = 1000000 };

/** Notes a call. What cannot be kept for lack of memory is left out. */
void ls_profile_note(struct profile *p, const char *kind, const char *sizes, double start, double seconds, double bytes,
                     double flop);
/** Writes NAME.txt and NAME.json. */
void ls_profile_write(struct profile *p, const char *name);
void ls_profile_finish(struct profile *p);

#endif
