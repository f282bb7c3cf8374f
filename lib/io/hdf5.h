/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of HDF5 that Keras' weights need: groups with a name, arrays of numbers. libhdf5 does the work; whoever
 * builds without it gets LS_UNAVAILABLE and the package's name.
 *
 * A file is an array in memory while it is written, so that it can be saved atomically. libhdf5 is not safe for
 * threads, so one lock holds for all contexts; its messages are off while we are inside.
 */
#ifndef LOCKSTEP_IO_HDF5_H
#define LOCKSTEP_IO_HDF5_H

#include <lockstep/tensor.h>

struct ls_h5;

/** What a data set holds: float32, float16, bfloat16 (Keras' way) or whole numbers. */
enum ls_h5_kind { LS_H5_FLOAT, LS_H5_BFLOAT16, LS_H5_INTEGER };

/* ---- Writing. Errors are sticky in the context; paths are "layers/dense/vars/0", groups made as needed ---- */

struct ls_h5 *ls_h5_create(ls_context *ls, const char *path);
/** Makes a group with Keras' attribute "name". */
ls_status ls_h5_group(struct ls_h5 *file, const char *group, const char *name);
ls_status ls_h5_write(struct ls_h5 *file, const char *at, ls_shape shape, const float *data);
ls_status ls_h5_write_int(struct ls_h5 *file, const char *at, int64_t value);
/** Saves the file. */
ls_status ls_h5_save(struct ls_h5 *file);

/* ---- Reading. LS_BAD_FILE names what is not as Keras writes it ---- */

/**
 * Opens a file. Soft, external and user links, external and virtual data sets, filters other than deflate,
 * shuffle and fletcher32, and sizes that the file does not hold are refused when they are met.
 */
struct ls_h5 *ls_h5_open(ls_context *ls, const char *path);
/** How many members a group has; -1 if there is no such group. */
int64_t ls_h5_members(struct ls_h5 *file, const char *group);
/** The name of member i, in the order of names; "" on an error (raised). Valid until the next call. */
const char *ls_h5_member(struct ls_h5 *file, const char *group, int64_t i);
/** Shape and kind of a data set. */
ls_status ls_h5_describe(struct ls_h5 *file, const char *at, ls_shape *shape, enum ls_h5_kind *kind);
/** Its elements, `elements` of them, which the caller has held against the shape. */
ls_status ls_h5_read(struct ls_h5 *file, const char *at, float *data, int64_t elements);
/** One whole number, of rank 0. LS_OVERFLOW above int32. */
ls_status ls_h5_read_int(struct ls_h5 *file, const char *at, int32_t *value);

void ls_h5_close(struct ls_h5 **file);

#endif
