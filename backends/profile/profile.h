/* SPDX-License-Identifier: Apache-2.0
 *
 * What the decorator profile: collects, and writes when its device is closed.
 */
#ifndef LS_PROFILE_H
#define LS_PROFILE_H

#include <stdio.h>

#include "backend.h"

/**
 * All calls of one kind: "gemm", "reduce sum", "map mul add"; "write" and "read" of host memory. The first call with
 * each sizes is apart, as kernels are built in it: `first` seconds of such calls, which the other sums leave out.
 */
struct profile_row {
    char name[176];
    int64_t calls;
    double seconds, bytes, flop, first;
    uint64_t *sizes; /* hashes of those that were called */
    size_t size_count, size_capacity;
};

/** One call. Text of its sizes is in `texts` of the profile, at `text`. */
struct profile_event {
    size_t row, text;
    bool first;
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
    FILE *file[2];                /* the table and the trace; NULL before ls_profile_open */
    char path[2][512];
    int number; /* of this device among those of the process that needed files; 0 before */
};

enum { LS_PROFILE_EVENTS = 1000000 };

/**
 * Creates NAME.txt and NAME.json, so that a place where they cannot be is known before the run and not after it. The
 * second device of a process that needs files makes NAME.2.txt and NAME.2.json, and so on. No effect if they are open.
 */
ls_status ls_profile_open(struct profile *p, const char *name, struct ls_message *message);
/** Notes a call. What cannot be kept for lack of memory is left out. */
void ls_profile_note(struct profile *p, const char *kind, const char *sizes, double start, double seconds, double bytes,
                     double flop);
/** Writes both files, if they are open, and closes them. */
ls_status ls_profile_write(struct profile *p, struct ls_message *message);
void ls_profile_finish(struct profile *p);

#endif
