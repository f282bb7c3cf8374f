/* SPDX-License-Identifier: Apache-2.0
 *
 * hdf5.h for those who build without libhdf5: nothing can be opened, so nothing else is ever called.
 */
#include "hdf5.h"

#include "../core/internal.h"

static struct ls_h5 *absent(ls_context *ls, const char *path)
{
    ls_fail(ls, LS_UNAVAILABLE,
            "%s: Lockstep was built without HDF5; install libhdf5-dev and build it again, or let the "
            "name end with .safetensors",
            path);
    return NULL;
}

struct ls_h5 *ls_h5_create(ls_context *ls, const char *path) { return absent(ls, path); }
struct ls_h5 *ls_h5_open(ls_context *ls, const char *path) { return absent(ls, path); }

ls_status ls_h5_group(struct ls_h5 *file, const char *group, const char *name)
{
    return (void)file, (void)group, (void)name, LS_UNAVAILABLE;
}

ls_status ls_h5_write(struct ls_h5 *file, const char *at, ls_shape shape, const float *data)
{
    return (void)file, (void)at, (void)shape, (void)data, LS_UNAVAILABLE;
}

ls_status ls_h5_write_int(struct ls_h5 *file, const char *at, int64_t value)
{
    return (void)file, (void)at, (void)value, LS_UNAVAILABLE;
}

ls_status ls_h5_save(struct ls_h5 *file) { return (void)file, LS_UNAVAILABLE; }
int64_t ls_h5_members(struct ls_h5 *file, const char *group) { return (void)file, (void)group, -1; }

const char *ls_h5_member(struct ls_h5 *file, const char *group, int64_t i)
{
    return (void)file, (void)group, (void)i, "";
}

ls_status ls_h5_describe(struct ls_h5 *file, const char *at, ls_shape *shape, enum ls_h5_kind *kind)
{
    return (void)file, (void)at, (void)shape, (void)kind, LS_UNAVAILABLE;
}

ls_status ls_h5_read(struct ls_h5 *file, const char *at, float *data, int64_t elements)
{
    return (void)file, (void)at, (void)data, (void)elements, LS_UNAVAILABLE;
}

ls_status ls_h5_read_int(struct ls_h5 *file, const char *at, int32_t *value)
{
    return (void)file, (void)at, (void)value, LS_UNAVAILABLE;
}

void ls_h5_close(struct ls_h5 **file) { (void)file; }
