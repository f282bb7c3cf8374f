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

struct step {
    struct layout *layout;
    int64_t number;
    size_t place; /* in the file: of two of the same number the later one counts */
    struct fields digests;
};

struct receipt {
    const char *path;
    char *text;
    const char *version, *canon, *device, *name, *driver, *class; /* of the last head */
    struct layout **layouts; /* of all heads */
    size_t layout_count, first_layout, layout_capacity;
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
