/* SPDX-License-Identifier: Apache-2.0
 *
 * What a History is, for those that add to it, write it and draw it.
 */
#ifndef LOCKSTEP_TRAIN_HISTORY_H
#define LOCKSTEP_TRAIN_HISTORY_H

#include <lockstep/history.h>

#include "../core/internal.h"

struct ls_history_value {
    double value;
    bool present;
};

struct ls_history_column {
    char name[LS_LOG_NAME_SIZE];
    struct ls_history_value *values; /* one for each epoch; room for `capacity` */
};

struct ls_history {
    ls_context *context;
    int *epochs;
    size_t epoch_count, capacity;
    struct ls_history_column *columns;
    size_t name_count;
};

struct ls_atomic;

/** Writes a file with `write`, whole or not at all. */
ls_status ls_history_save(const ls_history *history, const char *path,
                          void (*write)(struct ls_atomic *save, const ls_history *history));

#endif
