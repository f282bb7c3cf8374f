/* SPDX-License-Identifier: Apache-2.0
 *
 * Event files, which TensorBoard draws: scalars, histograms and texts, each with a name and a step.
 *
 *     ls_event_writer *writer = ls_event_writer_open(ls, "logs/train");
 *     ls_event_scalar(writer, "epoch_loss", loss, epoch);
 *     ls_event_writer_close(&writer);
 *
 * A writer belongs to its context; one thread per context at a time. Several writers, also of several
 * processes, may share a folder: each has a file of its own. Errors are sticky (status.h), and every function
 * accepts NULL. See docs/files.md.
 */
#ifndef LOCKSTEP_EVENTS_H
#define LOCKSTEP_EVENTS_H

#include <lockstep/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ls_event_writer ls_event_writer;

typedef struct ls_event_writer_options {
    ls_context *context;
    const char *folder;         /* made, with those above it, if it is not there */
    const char *filename_suffix; /* what the name of the file ends with; NULL: ".v2", as TensorFlow's */
    double wall_time;           /* of every record, in seconds since 1970; 0: the clock's */
} ls_event_writer_options;

/**
 * Makes a new file events.out.tfevents.<seconds>.<host>.<process>.<n><suffix> in `folder`, with its first record.
 * tf.summary.create_file_writer. NULL on an error: LS_INVALID_ARGUMENT, LS_NOT_FOUND, LS_FILE_ERROR,
 * LS_OUT_OF_MEMORY. Blocks for the disk.
 */
LS_API ls_event_writer *ls_event_writer_open_with(const ls_event_writer_options *options);
/** ls_event_writer_open(ls, "logs/train"). */
#define ls_event_writer_open(...) ls_event_writer_open_with(&(ls_event_writer_options){.context = __VA_ARGS__})

/**
 * One value of the series `name` at `step`. tf.summary.scalar. NaN and infinities are written as they are. What
 * is written lies in memory until 1 MiB is full, ls_event_flush or ls_event_writer_close. LS_INVALID_ARGUMENT
 * when `name` is empty, longer than 65535 bytes, or not UTF-8; LS_FILE_ERROR as ls_event_flush.
 */
LS_API ls_status ls_event_scalar(ls_event_writer *writer, const char *name, float value, int64_t step);

/**
 * How the values of a tensor are distributed: 30 buckets of equal width from the smallest to the largest, each
 * [left, right, count], computed in double precision. Where all are equal, the edges are too, and the last
 * bucket has the count; without values all are 0. NaN and infinities are left out. tf.summary.histogram. Any
 * shape; float32, or what ls_cast makes float32 of. Blocks until the device has computed them. Errors as
 * ls_event_scalar and ls_read.
 */
LS_API ls_status ls_event_histogram(ls_event_writer *writer, const char *name, ls_tensor values, int64_t step);
/** The same of `count` numbers on the host. */
LS_API ls_status ls_event_histogram_of(ls_event_writer *writer, const char *name, const float *values, size_t count,
                                       int64_t step);

/** A text, in UTF-8, which TensorBoard shows as Markdown. tf.summary.text. Errors as ls_event_scalar. */
LS_API ls_status ls_event_text(ls_event_writer *writer, const char *name, const char *text, int64_t step);

/**
 * Gives the file what was written so far, so that a TensorBoard that is running draws it. Blocks for the disk.
 * LS_FILE_ERROR names the file and the way out; the file then ends behind its last whole record, and the next
 * flush tries again to write the rest.
 */
LS_API ls_status ls_event_flush(ls_event_writer *writer);

/** The path of the file; "" for NULL. Belongs to the writer. */
LS_API const char *ls_event_writer_path(const ls_event_writer *writer);

/**
 * Flushes, brings the file to the disk, closes it, frees the writer and sets `*writer` to NULL. Accepts NULL. A
 * writer that is still open at ls_close is closed there, and errors are lost.
 */
LS_API ls_status ls_event_writer_close(ls_event_writer **writer);

#ifdef __cplusplus
}
#endif
#endif
