/* SPDX-License-Identifier: Apache-2.0
 *
 * A receipt as `lockstep compare` reads it. Texts point into the file's, which the receipt holds.
 */
#ifndef LOCKSTEP_TOOLS_RECEIPT_H
#define LOCKSTEP_TOOLS_RECEIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fields {
    char **at; /* into the file's text */
    size_t count;
};

struct layout {
    struct fields tensors;
    const char *optimizer;
};

/* What a head begins: a file that was continued has several. */
struct run {
    const char *version, *canon, *device, *name, *driver, *class;
    size_t first_layout, first_step;
};

struct step {
    struct layout *layout;
    size_t run;
    int64_t number;
    size_t place; /* in the file: of two of the same number the later one counts */
    struct fields digests;
};

struct receipt {
    const char *path;
    char *text;
    struct run *runs;
    size_t run_count, run_capacity;
    struct layout **layouts; /* of all runs */
    size_t layout_count, layout_capacity;
    struct step *steps;
    size_t step_count, step_capacity;
    char ***fields; /* of all lines */
    size_t field_count, field_capacity;
    bool ended;
    long line;
};

/**
 * Reads a receipt, of which `partial` allows only the beginning. On failure says on stderr what is wrong, with the
 * line, and returns false; receipt_unload is due in any case.
 */
bool receipt_load(struct receipt *r, const char *path, bool partial);
void receipt_unload(struct receipt *r);

#endif
