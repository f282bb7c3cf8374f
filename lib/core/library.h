/* SPDX-License-Identifier: Apache-2.0
 *
 * Libraries that are opened at run time into a table of function pointers, so that nothing links to
 * them and a test can replace any function.
 */
#ifndef LOCKSTEP_CORE_LIBRARY_H
#define LOCKSTEP_CORE_LIBRARY_H

#include <stddef.h>

struct ls_library_function {
    const char *name;
    size_t offset; /* of its pointer in the table */
};

/**
 * Opens the first of `files` (ends with NULL) that is there and finds all functions, or changes
 * nothing, says in `why` what is missing, and returns NULL. The library stays open until the process
 * ends: drivers start threads and leave handlers behind, so unloading them is not safe.
 */
void *ls_library_open(const char *const *files, const struct ls_library_function *functions, size_t count, void *table,
                      char *why, size_t why_size);

#endif
