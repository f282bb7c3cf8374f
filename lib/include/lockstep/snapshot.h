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

#ifdef __cplusplus
}
#endif
#endif
