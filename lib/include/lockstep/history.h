/* SPDX-License-Identifier: Apache-2.0
 *
 * Named numbers of a batch or an epoch (logs), and those of all epochs (History).
 */
#ifndef LOCKSTEP_HISTORY_H
#define LOCKSTEP_HISTORY_H

#include <lockstep/metrics.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Logs ---- */

enum { LS_LOGS_CAPACITY = 64, LS_LOG_NAME_SIZE = 64 };

/** One number. `value` holds once it was read: take it by ls_logs_get. */
typedef struct ls_log_entry {
    char name[LS_LOG_NAME_SIZE];
    double value;
    const ls_metric *unread; /* private: its result is the value, when somebody asks */
} ls_log_entry;

/**
 * What Keras hands around as the dict `logs`: "loss", "accuracy", "val_loss". Memory of the caller, all zero is
 * empty. The logs that a batch hook is given are read from the device when somebody asks for them, which blocks;
 * a hook that does not ask costs nothing. They hold during the hook.
 */
typedef struct ls_logs {
    size_t count;
    ls_log_entry entries[LS_LOGS_CAPACITY];
} ls_logs;

/** The number of that name; NaN if there is none. May block. */
LS_API double ls_logs_get(ls_logs *logs, const char *name);
/** Whether there is a number of that name. Does not block. */
LS_API bool ls_logs_has(const ls_logs *logs, const char *name);
/** Adds or replaces a number; hooks called later see it. False when 64 are there, or the name has 64 bytes. */
LS_API bool ls_logs_set(ls_logs *logs, const char *name, double value);

/* ---- History ---- */

/** The numbers of the epochs of one ls_fit. Belongs to its context. keras.callbacks.History. */
typedef struct ls_history ls_history;

/** How many epochs were completed, and the number of the i-th (0 the first; not i after .initial_epoch). */
LS_API size_t ls_history_epochs(const ls_history *history);
LS_API int ls_history_epoch(const ls_history *history, size_t i);
/** How many names there are, and the k-th, in the order in which they first came. "" beyond. */
LS_API size_t ls_history_names(const ls_history *history);
LS_API const char *ls_history_name(const ls_history *history, size_t k);
/** The number `name` of the i-th completed epoch; NaN where that epoch has none (see .validation_freq). */
LS_API double ls_history_value(const ls_history *history, const char *name, size_t i);
/** Whether the i-th completed epoch has a number of that name. */
LS_API bool ls_history_has(const ls_history *history, const char *name, size_t i);

/**
 * Writes it as a table: a line "epoch,accuracy,loss,…", then one per epoch; empty where there is no number.
 * Numbers are the shortest that read back to the same double. The file appears whole or not at all. Blocks.
 * Errors of all three: LS_FILE_ERROR, LS_OUT_OF_MEMORY.
 */
LS_API ls_status ls_history_write_csv(const ls_history *history, const char *path);
/** {"epoch": [0, 1], "history": {"loss": [1.5, 1.25], "val_loss": [1.75]}}, as Keras keeps it: a list of a name
 * has entries only for the epochs that have the number. NaN and infinities, which JSON has not, become null. */
LS_API ls_status ls_history_write_json(const ls_history *history, const char *path);
/** Its curves as one picture, a self-contained SVG: a panel for each number, with the curve of "val_" of the same
 * name in it, dashed. */
LS_API ls_status ls_history_write_svg(const ls_history *history, const char *path);

/** Releases it and sets `*history` to NULL. Accepts NULL. Not needed before ls_close. */
LS_API void ls_history_destroy(ls_history **history);

#ifdef __cplusplus
}
#endif
#endif
