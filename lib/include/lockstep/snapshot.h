/* SPDX-License-Identifier: Apache-2.0
 *
 * Snapshots: everything that training needs to go on, in one file. N steps, a snapshot, kill -9, and M steps from it
 * give the bits of N + M steps, also when the second half runs on another device.
 *
 *     int64_t epoch = 0;
 *     ls_snapshot all = {.context = ls, .path = "run.snapshot", .models = (ls_model *[]){mlp, NULL},
 *                        .optimizers = (ls_optimizer *[]){adam, NULL}, .datasets = (ls_dataset *[]){train, NULL},
 *                        .metrics = (ls_metric *[]){loss, NULL}, .epoch = &epoch};
 *     if (access(all.path, F_OK) == 0)
 *         ls_load_snapshot(&all);
 *     for (; epoch < 10; epoch++)
 *         LS_FOR_BATCHES(batch, train) {
 *             …
 *             if (batch.index % 100 == 99)
 *                 ls_save_snapshot(&all);
 *         }
 */
#ifndef LOCKSTEP_SNAPSHOT_H
#define LOCKSTEP_SNAPSHOT_H

#include <lockstep/callbacks.h>
#include <lockstep/data.h>
#include <lockstep/files.h>
#include <lockstep/metrics.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What a snapshot holds, beside the context's random state. Lists end with NULL; NULL is an empty one. */
typedef struct ls_snapshot {
    ls_context *context;
    const char *path;
    ls_model *const *models;         /* all variables */
    ls_optimizer *const *optimizers; /* slots, iterations, learning rate, averages, accumulated gradients */
    ls_metric *const *metrics;       /* what they have summed up */
    ls_dataset *const *datasets;     /* their positions: which epoch, which batch */
    ls_callback *const *callbacks;   /* their numbers: ls_callback_number */
    int64_t *epoch, *batch;          /* the loop's own: read by save, set by load; NULL: not kept */
    ls_history *history;             /* set by ls_backup_and_restore; NULL: none */
} ls_snapshot;

/**
 * Saves it, atomically; the file is safetensors with a checksum and carries the fingerprint of its tensors. Inside
 * LS_FOR_BATCHES, call it after the step: the batch at hand counts as taken. Blocks for the device and the disk.
 * Errors: LS_INVALID_ARGUMENT (two variables of one model with one name), LS_NOT_FOUND, LS_FILE_ERROR,
 * LS_OUT_OF_MEMORY.
 */
LS_API ls_status ls_save_snapshot(const ls_snapshot *snapshot);

/**
 * Goes on from it. Models, data sets, metrics and callbacks are made as they were, in the same order, and models are
 * built; the slots of optimizers are made here. All or nothing: on an error nothing has changed. Errors: LS_NOT_FOUND,
 * LS_FILE_ERROR; LS_BAD_FILE for a file that is damaged or no snapshot; LS_SHAPE_MISMATCH and LS_NOT_FOUND list what
 * does not fit, on both sides; LS_INVALID_ARGUMENT for a data set that is made otherwise. A warning says when another
 * version of the arithmetic wrote it.
 */
LS_API ls_status ls_load_snapshot(const ls_snapshot *snapshot);

typedef struct ls_backup_and_restore_options {
    ls_snapshot snapshot; /* what to keep; the metrics of ls_compile are added where .metrics is NULL */
    int save_freq;        /* also after so many batches of an epoch; 0: between epochs only */
    bool keep;            /* do not delete the file when training ends: Keras' delete_checkpoint = False */
} ls_backup_and_restore_options;

/**
 * For ls_fit: saves a snapshot at the end of every epoch, with the History, and where fit is called again and the file
 * is there, goes on from it: that epoch, that batch, those numbers of the callbacks, that History. Put it first into
 * the list of callbacks, name the others in .snapshot.callbacks, train from a data set (.data) and name it in
 * .snapshot.datasets; then the bits are those of a run that nobody stopped. The lists must outlast the callback.
 * When fit ends, the file is deleted, unless an error or .stop ended it. keras.callbacks.BackupAndRestore. NULL on an
 * error: LS_INVALID_ARGUMENT without a path.
 */
LS_API ls_callback *ls_backup_and_restore_with(const ls_backup_and_restore_options *options);
/** ls_backup_and_restore({.context = ls, .path = "run.snapshot", …}, .save_freq = 100). */
#define ls_backup_and_restore(...)                                                                 \
    ls_backup_and_restore_with(&(ls_backup_and_restore_options){.snapshot = __VA_ARGS__})

#ifdef __cplusplus
}
#endif
#endif
