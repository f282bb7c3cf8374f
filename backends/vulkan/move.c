/* SPDX-License-Identifier: Apache-2.0
 *
 * fill, copy_nd, gather, scatter_add.
 */
#include <string.h>

#include "vulkan.h"

enum { GROUP = 64 };

/* What shaders/move.comp calls LS_MOVE. */
enum move { MOVE_COPY, MOVE_GATHER, MOVE_SCATTER_ADD, MOVE_COUNT };

static ls_status find_pipeline(struct ls_vk_device *device, enum move move, const char *name, ls_dtype dtype,
                               int rank, const struct ls_vk_pipeline **pipeline)
{
    struct ls_vk_key key = ls_vk_key_of(LS_VK_SHADER_move);
    enum ls_vk_kind kind = ls_vk_kind_of(dtype);
    ls_vk_key_add(&key, move);
    ls_vk_key_add(&key, kind == LS_VK_BOOL ? LS_VK_BYTE : kind);
    ls_vk_key_add(&key, (uint32_t)rank);
    return ls_vk_pipeline(device, name, &key, 4, pipeline);
}

/* dst[i] = value + i * step, for int32, in windows that can be bound. */
static ls_status count(struct ls_vk_device *device, const struct ls_fill_args *args)
{
    const struct ls_vk_pipeline *pipeline;
    ls_status status = find_pipeline(device, MOVE_COUNT, "count", LS_INT32, 1, &pipeline);
    int64_t window = (int64_t)(device->range / 4) / 1024 * 1024;
    for (int64_t start = 0; start < args->n && status == LS_OK; start += window) {
        int64_t items = args->n - start < window ? args->n - start : window;
        struct ls_vk_launch launch = ls_vk_begin(device, pipeline);
        ls_vk_bind(&launch, args->dst, 4, LS_VK_READ); /* not read */
        ls_vk_bind_part(&launch, args->dst, (VkDeviceSize)start * 4, (VkDeviceSize)items * 4, LS_VK_WRITE);
        ls_vk_bind(&launch, args->dst, 4, LS_VK_READ);
        ls_vk_bind(&launch, args->dst, 4, LS_VK_READ);
        ls_vk_push(&launch, items);
        ls_vk_push_bits(&launch, args->value + (uint32_t)start * args->step);
        ls_vk_push_bits(&launch, args->step);
        status = ls_vk_run(&launch, ls_vk_groups(items, GROUP));
    }
    return status;
}

ls_status ls_vk_fill_words(struct ls_vk_device *device, struct ls_buffer *dst, VkDeviceSize offset,
                           VkDeviceSize bytes, uint32_t word)
{
    struct ls_vk_buffer *buffer = ls_vk_buffer_of(dst);
    struct ls_vk_batch *batch;
    ls_status status = ls_vk_record(device, &batch);
    if (status != LS_OK)
        return status;
    ls_vk_order(device, batch, &buffer, (unsigned[]){LS_VK_WRITE}, 1);
    ls_vk.vkCmdFillBuffer(batch->commands, buffer->piece.block->buffer, buffer->piece.offset + offset, bytes,
                          word);
    return ls_vk_recorded(device, batch);
}

ls_status ls_vk_fill(struct ls_device *base, const struct ls_fill_args *args)
{
    struct ls_vk_device *device = ls_vk_device_of(base);
    if (args->step != 0)
        return count(device, args);
    size_t size = ls_dtype_size(args->dtype);
    uint32_t word = size == 1   ? (args->value & 0xffu) * 0x01010101u
                    : size == 2 ? (args->value & 0xffffu) * 0x00010001u
                                : args->value;
    /* Whole words by a command; up to three bytes behind them by a copy. */
    VkDeviceSize bytes = (VkDeviceSize)args->n * size, whole = bytes & ~(VkDeviceSize)3;
    ls_status status = LS_OK;
    if (whole > 0)
        status = ls_vk_fill_words(device, args->dst, 0, whole, word);
    if (status != LS_OK || whole == bytes)
        return status;
    struct ls_vk_place from = {.buffer = NULL};
    status = ls_vk_stage(device, sizeof word, &from.piece);
    if (status != LS_OK)
        return status;
    memcpy(ls_vk_mapped(&from.piece), &word, sizeof word);
    return ls_vk_copy(device, from, ls_vk_in_buffer(args->dst, whole), bytes - whole);
}

/* ---- copy_nd ---- */

/* Bytes up to the last element that is touched. */
static int64_t reach(const struct ls_copy_nd_args *args, int64_t offset, const int64_t *stride)
{
    for (int d = 0; d < args->rank; d++)
        offset += stride[d] > 0 ? (args->extent[d] - 1) * stride[d] : 0;
    return (offset + 1) * (int64_t)ls_dtype_size(args->dtype);
}

ls_status ls_vk_copy_nd(struct ls_device *base, const struct ls_copy_nd_args *args)
{
    struct ls_vk_device *device = ls_vk_device_of(base);
    int64_t size = (int64_t)ls_dtype_size(args->dtype), n = 1;
    for (int d = 0; d < args->rank; d++)
        n *= args->extent[d];
    if (args->rank == 1 && args->src_stride[0] == 1 && args->dst_stride[0] == 1)
        return ls_vk_copy(device, ls_vk_in_buffer(args->src, (VkDeviceSize)(args->src_offset * size)),
                          ls_vk_in_buffer(args->dst, (VkDeviceSize)(args->dst_offset * size)),
                          (VkDeviceSize)(n * size));
    const struct ls_vk_pipeline *pipeline;
    ls_status status = find_pipeline(device, MOVE_COPY, "copy_nd", args->dtype, args->rank, &pipeline);
    if (status != LS_OK)
        return status;
    struct ls_vk_launch launch = ls_vk_begin(device, pipeline);
    ls_vk_bind(&launch, args->src, reach(args, args->src_offset, args->src_stride), LS_VK_READ);
    /* Words that are written in part are read as well. */
    ls_vk_bind(&launch, args->dst, reach(args, args->dst_offset, args->dst_stride), LS_VK_READ | LS_VK_WRITE);
    ls_vk_bind(&launch, args->src, 4, LS_VK_READ);
    ls_vk_bind(&launch, args->src, 4, LS_VK_READ);
    ls_vk_push(&launch, n);
    ls_vk_push(&launch, args->src_offset);
    ls_vk_push(&launch, args->dst_offset);
    const int64_t *all[] = {args->extent, args->src_stride, args->dst_stride};
    for (int i = 0; i < 3; i++)
        for (int d = 0; d < LS_MAX_RANK; d++)
            ls_vk_push(&launch, d < args->rank ? all[i][d] : 0);
    return ls_vk_run(&launch, ls_vk_groups(n, GROUP));
}

/* ---- gather and scatter_add ---- */

ls_status ls_vk_gather(struct ls_device *base, const struct ls_gather_args *args)
{
    struct ls_vk_device *device = ls_vk_device_of(base);
    int64_t size = (int64_t)ls_dtype_size(args->dtype), n = args->outer * args->count * args->inner;
    const struct ls_vk_pipeline *pipeline;
    ls_status status = find_pipeline(device, MOVE_GATHER, "gather", args->dtype, 1, &pipeline);
    if (status != LS_OK)
        return status;
    struct ls_vk_launch launch = ls_vk_begin(device, pipeline);
    bool rows = args->rows > 0; /* else nothing is read */
    ls_vk_bind(&launch, rows ? args->table : args->dst, rows ? args->outer * args->rows * args->inner * size : 4,
               LS_VK_READ);
    ls_vk_bind(&launch, args->dst, n * size, LS_VK_READ | LS_VK_WRITE);
    ls_vk_bind(&launch, args->indices, args->count * 4, LS_VK_READ);
    ls_vk_bind_faults(&launch);
    ls_vk_push(&launch, n);
    ls_vk_push(&launch, args->rows);
    ls_vk_push(&launch, args->inner);
    ls_vk_push(&launch, args->count);
    ls_vk_push(&launch, ls_vk_next_fault_call(device));
    return ls_vk_run(&launch, ls_vk_groups(n, GROUP));
}

ls_status ls_vk_scatter_add(struct ls_device *base, const struct ls_scatter_add_args *args)
{
    struct ls_vk_device *device = ls_vk_device_of(base);
    const struct ls_vk_pipeline *pipeline;
    ls_status status = find_pipeline(device, MOVE_SCATTER_ADD, "scatter_add", LS_FLOAT32, 1, &pipeline);
    if (status != LS_OK)
        return status;

    /* Enough segments to occupy the device, but each has to look at every index. */
    int64_t columns = args->inner * args->outer, wanted = device->base.info.is_gpu ? 16384 : 256;
    int64_t segments = columns >= wanted ? 1 : (wanted + columns - 1) / columns;
    segments = segments > args->rows ? args->rows : segments;
    segments = segments < 1 ? 1 : segments;
    int64_t segment = (args->rows + segments - 1) / segments;

    struct ls_vk_launch launch = ls_vk_begin(device, pipeline);
    ls_vk_bind(&launch, args->updates, args->outer * args->count * args->inner * 4, LS_VK_READ);
    ls_vk_bind(&launch, args->dst, columns * args->rows * 4, LS_VK_READ | LS_VK_WRITE);
    ls_vk_bind(&launch, args->indices, args->count * 4, LS_VK_READ);
    ls_vk_bind_faults(&launch);
    ls_vk_push(&launch, columns * segments);
    ls_vk_push(&launch, args->rows);
    ls_vk_push(&launch, args->inner);
    ls_vk_push(&launch, args->count);
    ls_vk_push(&launch, ls_vk_next_fault_call(device));
    ls_vk_push(&launch, segment);
    ls_vk_push(&launch, segments);
    return ls_vk_run_parts(&launch, ls_vk_groups(columns * segments, GROUP), args->count, LS_VK_WALK_PART);
}
