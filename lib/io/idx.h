/* SPDX-License-Identifier: Apache-2.0
 *
 * IDX arrays on the host.
 */
#ifndef LOCKSTEP_IO_IDX_H
#define LOCKSTEP_IO_IDX_H

#include <lockstep/tensor.h>

/** An array as it will lie on the device. `data` belongs to it. */
struct ls_idx {
    ls_dtype dtype;
    ls_shape shape;
    void *data;
};

/** Reads a file as ls_read_idx says. On an error `idx` is all zero. */
ls_status ls_idx_load(ls_context *ls, const char *path, struct ls_idx *idx);

/** Frees the data; fine for one that is all zero. */
void ls_idx_finish(struct ls_idx *idx);

#endif
