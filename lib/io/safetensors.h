/* SPDX-License-Identifier: Apache-2.0
 *
 * What others read from safetensors files: the bytes of a tensor without a device.
 */
#ifndef LOCKSTEP_IO_SAFETENSORS_H
#define LOCKSTEP_IO_SAFETENSORS_H

#include <lockstep/files.h>

/** The bytes of tensor i. */
size_t ls_safetensors_size(const ls_safetensors *file, size_t i);
/** Copies them to `data`. LS_BAD_FILE, LS_FILE_ERROR. */
ls_status ls_safetensors_bytes(ls_safetensors *file, size_t i, void *data);
/** The tensor of that name; -1 if there is none. */
ptrdiff_t ls_safetensors_find(const ls_safetensors *file, const char *name);

/** As ls_named_tensor, or, where `tensor` is nil, `size` bytes on the host as U8 (size). */
struct ls_named_data {
    const char *name;
    ls_tensor tensor;
    const void *bytes;
    size_t size;
};
ls_status ls_safetensors_save(ls_context *ls, const char *path, const struct ls_named_data *items, size_t count,
                              const char *const *metadata);

#endif
