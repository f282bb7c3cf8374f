/* SPDX-License-Identifier: Apache-2.0
 *
 * fill, copy_nd, gather, scatter_add.
 */
#include <stdint.h>
#include <stdlib.h>

#include "opencl.h"

/* What shaders/move.cl calls LS_MOVE. */
enum move { MOVE_COPY, MOVE_GATHER, MOVE_SCATTER_ADD, MOVE_COUNT };

/* Work-items along the fastest dimension of `length`: no more than are of use. */
static size_t group_for(const struct ls_cl_device *device, int64_t length)
{
    size_t group = device->wide ? 256 : 64;
    while (group > 16 && (int64_t)group >= 2 * length)
        group /= 2;
    return group < device->max_group ? group : device->max_group;
}

/* The type that kernels move elements as. */
static const char *element_of(size_t size)
{
    return size == 1 ? "uchar" : size == 2 ? "ushort" : "uint";
}

static size_t groups_of(int64_t items, size_t group)
{
    return ((size_t)items + group - 1) / group;
}

static ls_status find_kernel(struct ls_cl_device *device, enum move move, const char *name,
                             size_t size, size_t group, const struct ls_cl_kernel **kernel)
{
    struct ls_cl_key key = {.size = 0};
    ls_cl_key_add(&key, LS_CL_MOVE);
    ls_cl_key_add(&key, move);
    ls_cl_key_add(&key, (unsigned)size | (device->wide ? 8u : 0u));
    ls_cl_key_add(&key, (unsigned)(group / 16));
    *kernel = ls_cl_find(device, &key);
    if (*kernel != NULL)
        return LS_OK;
    struct ls_cl_source source = {.primitive = name, .entry = name, .file = ls_cl_file_move,
                                  .parts = LS_CL_FAULT};
    ls_cl_add(&source.text,
              "#define LS_MOVE %d\n#define LS_ELEMENT %s\n#define LS_GROUP %d\n#define LS_WIDE %d\n",
              move, element_of(size), (int)group, device->wide);
    return ls_cl_build(device, &key, &source, kernel);
}

/* dst[i] = value + i * step, for int32. */
static ls_status count(struct ls_cl_device *device, const struct ls_fill_args *args)
{
    size_t group = group_for(device, args->n);
    const struct ls_cl_kernel *kernel;
    ls_status status = find_kernel(device, MOVE_COUNT, "count", sizeof(cl_int), group, &kernel);
    if (status != LS_OK)
        return status;
    struct ls_cl_launch launch = ls_cl_begin(device, kernel);
    ls_cl_pass_buffer(&launch, args->dst);
    ls_cl_pass_long(&launch, args->n);
    ls_cl_pass_int(&launch, (cl_int)args->value);
    ls_cl_pass_int(&launch, (cl_int)args->step);
    return ls_cl_run(&launch, 1, (size_t[3]){groups_of(args->n, group), 1, 1}, (size_t[3]){group, 1, 1});
}

ls_status ls_cl_fill(struct ls_device *base, const struct ls_fill_args *args)
{
    struct ls_cl_device *device = ls_cl_device_of(base);
    if (args->step != 0)
        return count(device, args);
    size_t size = ls_dtype_size(args->dtype);
    unsigned char byte = (unsigned char)args->value;
    cl_ushort half = (cl_ushort)args->value;
    const void *pattern = size == 1 ? (const void *)&byte : size == 2 ? (const void *)&half : &args->value;
    cl_int code = ls_cl.clEnqueueFillBuffer(device->queue, ls_cl_memory(args->dst), pattern, size, 0,
                                            (size_t)args->n * size, 0, NULL, NULL);
    if (code != CL_SUCCESS)
        return ls_cl_failed(device, code, "clEnqueueFillBuffer of %zu bytes",
                            (size_t)args->n * size);
    return ls_cl_queued(device);
}

/* ---- copy_nd ---- */

static bool is_large(const struct ls_copy_nd_args *args, int64_t n)
{
    int64_t src = 0, dst = 0;
    for (int d = 0; d < args->rank; d++) {
        src += llabs(args->src_stride[d]) * (args->extent[d] - 1);
        dst += llabs(args->dst_stride[d]) * (args->extent[d] - 1);
    }
    return n > INT32_MAX || src > INT32_MAX || dst > INT32_MAX;
}

ls_status ls_cl_copy_nd(struct ls_device *base, const struct ls_copy_nd_args *args)
{
    struct ls_cl_device *device = ls_cl_device_of(base);
    size_t size = ls_dtype_size(args->dtype);
    int last = args->rank - 1;
    int64_t n = 1;
    for (int d = 0; d < args->rank; d++)
        n *= args->extent[d];
    bool dense_last = args->src_stride[last] == 1 && args->dst_stride[last] == 1;
    if (args->rank == 1 && dense_last) {
        cl_int code = ls_cl.clEnqueueCopyBuffer(
            device->queue, ls_cl_memory(args->src), ls_cl_memory(args->dst),
            (size_t)args->src_offset * size, (size_t)args->dst_offset * size, (size_t)n * size, 0,
            NULL, NULL);
        if (code != CL_SUCCESS)
            return ls_cl_failed(device, code, "clEnqueueCopyBuffer of %zu bytes", (size_t)n * size);
        return ls_cl_queued(device);
    }

    bool rows = dense_last && args->extent[last] >= 32;
    bool large = is_large(args, n);
    int64_t length = rows ? args->extent[last] : n;
    size_t group = group_for(device, length);
    struct ls_cl_key key = {.size = 0};
    ls_cl_key_add(&key, LS_CL_MOVE);
    ls_cl_key_add(&key, MOVE_COPY);
    ls_cl_key_add(&key, (unsigned)args->rank | (rows ? 16u : 0u) | (large ? 32u : 0u));
    ls_cl_key_add(&key, (unsigned)size);
    ls_cl_key_add(&key, (unsigned)(group / 16));
    const struct ls_cl_kernel *kernel = ls_cl_find(device, &key);
    if (kernel == NULL) {
        struct ls_cl_source source = {.primitive = "copy_nd", .entry = "copy",
                                      .file = ls_cl_file_move};
        ls_cl_add(&source.text,
                  "#define LS_MOVE %d\n#define LS_ELEMENT %s\n#define LS_COPY_ROWS %d\n"
                  "#define LS_COPY_LARGE %d\n#define LS_GROUP %d\n#define LS_COPY_LOCATE",
                  MOVE_COPY, element_of(size), rows, large, (int)group);
        for (int d = rows ? last - 1 : last; d > 0; d--)
            ls_cl_add(&source.text, " LS_COPY_SPLIT(%d)", d);
        ls_cl_add(&source.text, "\n");
        ls_status status = ls_cl_build(device, &key, &source, &kernel);
        if (status != LS_OK)
            return status;
    }

    struct ls_cl_launch launch = ls_cl_begin(device, kernel);
    ls_cl_pass_buffer(&launch, args->src);
    ls_cl_pass_buffer(&launch, args->dst);
    ls_cl_pass_long(&launch, length);
    ls_cl_pass_long(&launch, args->src_offset);
    ls_cl_pass_long(&launch, args->dst_offset);
    ls_cl_pass_dimensions(&launch, args->src_stride, args->rank, large);
    ls_cl_pass_dimensions(&launch, args->dst_stride, args->rank, large);
    ls_cl_pass_extents(&launch, args->extent, args->rank, large);
    size_t groups[3] = {groups_of(length, group), (size_t)(n / length), 1};
    return ls_cl_run(&launch, 2, groups, (size_t[3]){group, 1, 1});
}

/* ---- gather and scatter_add ---- */

ls_status ls_cl_gather(struct ls_device *base, const struct ls_gather_args *args)
{
    struct ls_cl_device *device = ls_cl_device_of(base);
    size_t size = ls_dtype_size(args->dtype), group = group_for(device, args->inner);
    const struct ls_cl_kernel *kernel;
    ls_status status = find_kernel(device, MOVE_GATHER, "gather", size, group, &kernel);
    if (status != LS_OK)
        return status;
    struct ls_cl_launch launch = ls_cl_begin(device, kernel);
    ls_cl_pass_buffer(&launch, args->table);
    ls_cl_pass_buffer(&launch, args->indices);
    ls_cl_pass_buffer(&launch, args->dst);
    ls_cl_pass(&launch, sizeof device->faults, &device->faults);
    ls_cl_pass_int(&launch, ls_cl_next_fault_call(device));
    ls_cl_pass_long(&launch, args->rows);
    ls_cl_pass_long(&launch, args->inner);
    ls_cl_pass_long(&launch, args->count);
    size_t groups[3] = {groups_of(args->inner, group), (size_t)args->count, (size_t)args->outer};
    return ls_cl_run(&launch, 3, groups, (size_t[3]){group, 1, 1});
}

ls_status ls_cl_scatter_add(struct ls_device *base, const struct ls_scatter_add_args *args)
{
    struct ls_cl_device *device = ls_cl_device_of(base);
    size_t group = device->wide ? 1 : 64;
    const struct ls_cl_kernel *kernel;
    ls_status status = find_kernel(device, MOVE_SCATTER_ADD, "scatter_add", 4, group, &kernel);
    if (status != LS_OK)
        return status;

    /* Enough segments to occupy the device, but each has to look at every index. */
    int64_t columns = device->wide ? 16 : 1;
    int64_t items = (args->inner + columns - 1) / columns * args->outer;
    int64_t wanted = (int64_t)device->base.info.compute_units * (device->wide ? 2 : 512);
    int64_t segments = items >= wanted ? 1 : (wanted + items - 1) / items;
    if (segments > args->rows)
        segments = args->rows;
    if (segments < 1)
        segments = 1;
    int64_t segment = (args->rows + segments - 1) / segments;

    struct ls_cl_launch launch = ls_cl_begin(device, kernel);
    ls_cl_pass_buffer(&launch, args->dst);
    ls_cl_pass_buffer(&launch, args->indices);
    ls_cl_pass_buffer(&launch, args->updates);
    ls_cl_pass(&launch, sizeof device->faults, &device->faults);
    ls_cl_pass_int(&launch, ls_cl_next_fault_call(device));
    ls_cl_pass_long(&launch, args->rows);
    ls_cl_pass_long(&launch, args->inner);
    ls_cl_pass_long(&launch, args->count);
    ls_cl_pass_long(&launch, segment);
    size_t groups[3] = {groups_of((args->inner + columns - 1) / columns, group), (size_t)segments,
                        (size_t)args->outer};
    return ls_cl_run(&launch, 3, groups, (size_t[3]){group, 1, 1});
}
