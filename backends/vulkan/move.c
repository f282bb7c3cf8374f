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
    int64_t window = ls_vk_most(device) / 1024 * 1024;
    for (int64_t start = 0; start < args->n && status == LS_OK; start += window) {
        int64_t items = args->n - start < window ? args->n - start : window;
        struct ls_vk_buffer part;
        struct ls_vk_launch launch = ls_vk_begin(device, pipeline);
        ls_vk_bind(&launch, NULL, 0, 0);
        ls_vk_bind(&launch, ls_vk_part(&part, args->dst, start * 4), items * 4, LS_VK_WRITE);
        ls_vk_bind(&launch, NULL, 0, 0);
        ls_vk_bind(&launch, NULL, 0, 0);
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

/* What a copy touches of one of its tensors: from an aligned element on, so many elements; and where the copy
 * begins in there. */
struct span {
    int64_t first, n, offset;
};

static struct span span_of(const struct ls_copy_nd_args *args, int64_t offset, const int64_t *stride)
{
    int64_t aligned = LS_VK_ALIGNMENT / (int64_t)ls_dtype_size(args->dtype), first = offset, last = offset;
    for (int d = 0; d < args->rank; d++) {
        int64_t way = (args->extent[d] - 1) * stride[d];
        first += way < 0 ? way : 0;
        last += way > 0 ? way : 0;
    }
    first = first / aligned * aligned;
    return (struct span){first, last + 1 - first, offset - first};
}

/* The dimension in which a tensor reaches farthest. */
static int widest(const struct ls_copy_nd_args *args, const int64_t *stride)
{
    int widest = 0;
    int64_t most = -1;
    for (int d = 0; d < args->rank; d++) {
        int64_t way = (args->extent[d] - 1) * (stride[d] < 0 ? -stride[d] : stride[d]);
        if (way > most) {
            most = way;
            widest = d;
        }
    }
    return widest;
}

static ls_status copy_halves(struct ls_device *base, const struct ls_copy_nd_args *args, int d)
{
    struct ls_copy_nd_args half = *args;
    half.extent[d] = ls_vk_middle(args->extent[d]);
    ls_status status = ls_vk_copy_nd(base, &half);
    half.src_offset += half.extent[d] * half.src_stride[d];
    half.dst_offset += half.extent[d] * half.dst_stride[d];
    half.extent[d] = args->extent[d] - half.extent[d];
    return status == LS_OK ? ls_vk_copy_nd(base, &half) : status;
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
    struct span src = span_of(args, args->src_offset, args->src_stride);
    struct span dst = span_of(args, args->dst_offset, args->dst_stride);
    if (!ls_vk_fits(device, src.n, size))
        return copy_halves(base, args, widest(args, args->src_stride));
    if (!ls_vk_fits(device, dst.n, size))
        return copy_halves(base, args, widest(args, args->dst_stride));
    const struct ls_vk_pipeline *pipeline;
    ls_status status = find_pipeline(device, MOVE_COPY, "copy_nd", args->dtype, args->rank, &pipeline);
    if (status != LS_OK)
        return status;
    struct ls_vk_buffer src_part, dst_part;
    struct ls_vk_launch launch = ls_vk_begin(device, pipeline);
    ls_vk_bind(&launch, ls_vk_part(&src_part, args->src, src.first * size), src.n * size, LS_VK_READ);
    /* Words that are written in part are read as well. */
    ls_vk_bind(&launch, ls_vk_part(&dst_part, args->dst, dst.first * size), dst.n * size, LS_VK_READ | LS_VK_WRITE);
    ls_vk_bind(&launch, NULL, 0, 0);
    ls_vk_bind(&launch, NULL, 0, 0);
    ls_vk_push(&launch, n);
    ls_vk_push(&launch, src.offset);
    ls_vk_push(&launch, dst.offset);
    const int64_t *all[] = {args->extent, args->src_stride, args->dst_stride};
    for (int i = 0; i < 3; i++)
        for (int d = 0; d < LS_MAX_RANK; d++)
            ls_vk_push(&launch, d < args->rank && args->extent[d] > 1 ? all[i][d] : i == 0);
    return ls_vk_run(&launch, ls_vk_groups(n, GROUP));
}

/* ---- gather and scatter_add ---- */

/* Which of the rows of a table, or of the target of a scatter_add, a launch can reach: all of them, or as many as can
 * be bound. Those whose index is not among them wait for another launch. */
struct rows {
    int64_t first, count;
};

static int64_t rows_at_once(const struct ls_vk_device *device, int64_t outer, int64_t rows, int64_t inner, int64_t size)
{
    int64_t most = ls_vk_most(device) / inner;
    return ls_vk_fits(device, outer * rows * inner, size) ? rows : most < 1 ? 1 : most;
}

static ls_status gather_rows(struct ls_vk_device *device, const struct ls_gather_args *args, struct rows rows,
                             int64_t position, int call)
{
    int64_t size = (int64_t)ls_dtype_size(args->dtype), n = args->outer * args->count * args->inner;
    const struct ls_vk_pipeline *pipeline;
    ls_status status = find_pipeline(device, MOVE_GATHER, "gather", args->dtype, 1, &pipeline);
    if (status != LS_OK)
        return status;
    struct ls_vk_buffer part;
    struct ls_vk_launch launch = ls_vk_begin(device, pipeline);
    struct ls_buffer *table = ls_vk_part(&part, args->table, rows.first * args->inner * size);
    ls_vk_bind(&launch, rows.count > 0 ? table : NULL, args->outer * rows.count * args->inner * size, LS_VK_READ);
    ls_vk_bind(&launch, args->dst, n * size, LS_VK_READ | LS_VK_WRITE);
    ls_vk_bind(&launch, args->indices, args->count * 4, LS_VK_READ);
    ls_vk_bind_faults(&launch);
    ls_vk_push(&launch, n);
    ls_vk_push(&launch, args->rows);
    ls_vk_push(&launch, args->inner);
    ls_vk_push(&launch, args->count);
    ls_vk_push(&launch, call);
    ls_vk_push(&launch, position);
    ls_vk_push(&launch, rows.first);
    ls_vk_push(&launch, rows.count);
    return ls_vk_run(&launch, ls_vk_groups(n, GROUP));
}

/* `position`: where the indices are among those of the call. */
static ls_status gather(struct ls_vk_device *device, const struct ls_gather_args *args, int64_t position, int call)
{
    int64_t size = (int64_t)ls_dtype_size(args->dtype), table = args->outer * args->rows * args->inner;
    struct ls_vk_buffer parts[3];
    struct ls_gather_args half = *args;
    bool fits = ls_vk_fits(device, args->outer * args->count * args->inner, size);
    if (args->outer > 1 && !(fits && ls_vk_fits(device, table, size))) {
        half.outer = ls_vk_middle(args->outer);
        ls_status status = gather(device, &half, position, call);
        half.table = ls_vk_part(&parts[0], args->table, half.outer * args->rows * args->inner * size);
        half.dst = ls_vk_part(&parts[1], args->dst, half.outer * args->count * args->inner * size);
        half.outer = args->outer - half.outer;
        return status == LS_OK ? gather(device, &half, position, call) : status;
    }
    if (!fits && args->count > 1) {
        half.count = ls_vk_middle(args->count);
        ls_status status = gather(device, &half, position, call);
        half.indices = ls_vk_part(&parts[0], args->indices, half.count * 4);
        half.dst = ls_vk_part(&parts[1], args->dst, half.count * args->inner * size);
        position += half.count;
        half.count = args->count - half.count;
        return status == LS_OK ? gather(device, &half, position, call) : status;
    }
    int64_t at_once = rows_at_once(device, args->outer, args->rows, args->inner, size);
    ls_status status = LS_OK;
    struct rows rows = {0, at_once};
    do {
        rows.count = args->rows - rows.first < at_once ? args->rows - rows.first : at_once;
        status = gather_rows(device, args, rows, position, call);
        rows.first += at_once;
    } while (rows.first < args->rows && status == LS_OK);
    return status;
}

ls_status ls_vk_gather(struct ls_device *base, const struct ls_gather_args *args)
{
    struct ls_vk_device *device = ls_vk_device_of(base);
    return gather(device, args, 0, ls_vk_next_fault_call(device));
}

/* Adds `args->count` updates, the first of which is number `position` of the call, to some rows. */
static ls_status scatter_rows(struct ls_vk_device *device, const struct ls_scatter_add_args *args, struct rows rows,
                              int64_t position, int call)
{
    const struct ls_vk_pipeline *pipeline;
    ls_status status = find_pipeline(device, MOVE_SCATTER_ADD, "scatter_add", LS_FLOAT32, 1, &pipeline);
    if (status != LS_OK)
        return status;

    /* Enough segments to occupy the device, but each has to look at every index. */
    int64_t columns = args->inner * args->outer, wanted = device->base.info.is_gpu ? 16384 : 256;
    int64_t segments = columns >= wanted ? 1 : (wanted + columns - 1) / columns;
    segments = segments > rows.count ? rows.count : segments;
    segments = segments < 1 ? 1 : segments;
    int64_t segment = (rows.count + segments - 1) / segments;

    struct ls_vk_buffer part;
    struct ls_vk_launch launch = ls_vk_begin(device, pipeline);
    ls_vk_bind(&launch, args->updates, args->outer * args->count * args->inner * 4, LS_VK_READ);
    ls_vk_bind(&launch, ls_vk_part(&part, args->dst, rows.first * args->inner * 4), columns * rows.count * 4,
               LS_VK_READ | LS_VK_WRITE);
    ls_vk_bind(&launch, args->indices, args->count * 4, LS_VK_READ);
    ls_vk_bind_faults(&launch);
    ls_vk_push(&launch, columns * segments);
    ls_vk_push(&launch, args->rows);
    ls_vk_push(&launch, args->inner);
    ls_vk_push(&launch, args->count);
    ls_vk_push(&launch, call);
    ls_vk_push(&launch, position);
    ls_vk_push(&launch, rows.first);
    ls_vk_push(&launch, rows.count);
    ls_vk_push(&launch, segment);
    ls_vk_push(&launch, segments);
    return ls_vk_run_parts(&launch, ls_vk_groups(columns * segments, GROUP), 0, args->count, ls_vk_walk_part(device));
}

static ls_status scatter_add(struct ls_vk_device *device, const struct ls_scatter_add_args *args, int64_t position,
                             int call)
{
    int64_t row = args->inner * args->outer;
    struct ls_vk_buffer parts[3];
    struct ls_scatter_add_args half = *args;
    bool fits = ls_vk_fits(device, row * args->count, 4);
    if (args->outer > 1 && !(fits && ls_vk_fits(device, row * args->rows, 4))) {
        half.outer = ls_vk_middle(args->outer);
        ls_status status = scatter_add(device, &half, position, call);
        half.updates = ls_vk_part(&parts[0], args->updates, half.outer * args->count * args->inner * 4);
        half.dst = ls_vk_part(&parts[1], args->dst, half.outer * args->rows * args->inner * 4);
        half.outer = args->outer - half.outer;
        return status == LS_OK ? scatter_add(device, &half, position, call) : status;
    }
    if (!fits && args->count > 1) { /* the earlier ones first */
        half.count = ls_vk_middle(args->count);
        ls_status status = scatter_add(device, &half, position, call);
        half.indices = ls_vk_part(&parts[0], args->indices, half.count * 4);
        half.updates = ls_vk_part(&parts[1], args->updates, half.count * args->inner * 4);
        position += half.count;
        half.count = args->count - half.count;
        return status == LS_OK ? scatter_add(device, &half, position, call) : status;
    }
    int64_t at_once = rows_at_once(device, args->outer, args->rows, args->inner, 4);
    ls_status status = LS_OK;
    struct rows rows = {0, at_once};
    do {
        rows.count = args->rows - rows.first < at_once ? args->rows - rows.first : at_once;
        status = scatter_rows(device, args, rows, position, call);
        rows.first += at_once;
    } while (rows.first < args->rows && status == LS_OK);
    return status;
}

ls_status ls_vk_scatter_add(struct ls_device *base, const struct ls_scatter_add_args *args)
{
    struct ls_vk_device *device = ls_vk_device_of(base);
    return scatter_add(device, args, 0, ls_vk_next_fault_call(device));
}
