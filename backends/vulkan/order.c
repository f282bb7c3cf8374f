/* SPDX-License-Identifier: Apache-2.0
 *
 * scan: one item per column. sort: passes of a sorting network that takes rows of any length.
 */
#include "vulkan.h"

enum { GROUP = 64 };

static ls_status find_pipeline(struct ls_vk_device *device, bool sort, bool ints, unsigned kind,
                               const struct ls_vk_pipeline **pipeline)
{
    struct ls_vk_key key = ls_vk_key_of(LS_VK_SHADER_order);
    ls_vk_key_add(&key, sort);
    ls_vk_key_add(&key, ints);
    ls_vk_key_add(&key, kind);
    return ls_vk_pipeline(device, sort ? "sort" : "scan", &key, 3, pipeline);
}

/* Some rows of r and columns of inner, of all there are if args->outer > 1. The first `done` rows are those before. */
struct window {
    int64_t row, rows, column, columns, done;
};

static ls_status scan_window(struct ls_vk_device *device, const struct ls_scan_args *args,
                             const struct ls_vk_pipeline *pipeline, struct window w)
{
    struct ls_buffer *buffers[] = {args->factor, args->addend, args->dst};
    struct ls_vk_buffer parts[3];
    int64_t columns = args->outer * w.columns, offset = (w.row * args->inner + w.column) * 4;
    struct ls_vk_launch launch = ls_vk_begin(device, pipeline);
    for (int i = 0; i < 3; i++)
        ls_vk_bind(&launch, ls_vk_box(&parts[i], buffers[i], offset, w.rows, w.columns * 4, args->inner * 4),
                   columns * w.rows * 4, i < 2 ? LS_VK_READ : LS_VK_READ | LS_VK_WRITE);
    ls_vk_push(&launch, columns);
    ls_vk_push(&launch, w.rows);
    ls_vk_push(&launch, w.columns);
    ls_vk_push(&launch, args->reverse);
    ls_vk_push(&launch, args->exclusive);
    return ls_vk_run_parts(&launch, ls_vk_groups(columns, GROUP), w.done, w.rows, ls_vk_walk_part(device));
}

/* As many columns as can be bound of two rows, and as many rows as can be bound of these. A window begins with the row
 * that the one before has ended with, since that holds its state. */
static ls_status scan_windows(struct ls_vk_device *device, const struct ls_scan_args *args,
                              const struct ls_vk_pipeline *pipeline)
{
    int64_t most = ls_vk_most(device), width = args->inner < most / 2 ? args->inner : most / 2, height = most / width;
    ls_status status = LS_OK;
    for (int64_t column = 0; column < args->inner; column += width) {
        struct window w = {.column = column, .columns = width < args->inner - column ? width : args->inner - column};
        for (int64_t start = 0; start < args->r && status == LS_OK; start += w.rows) {
            int64_t from = start == 0 ? 0 : start - 1;
            w.done = start - from;
            w.rows = args->r - from < height ? args->r - from : height;
            w.row = args->reverse ? args->r - from - w.rows : from;
            status = scan_window(device, args, pipeline, w);
            w.rows -= w.done; /* that are new */
        }
    }
    return status;
}

static ls_status scan(struct ls_vk_device *device, const struct ls_scan_args *args,
                      const struct ls_vk_pipeline *pipeline)
{
    if (ls_vk_fits(device, args->outer * args->r * args->inner, 4))
        return scan_window(device, args, pipeline, (struct window){.rows = args->r, .columns = args->inner});
    if (args->outer == 1)
        return scan_windows(device, args, pipeline);
    struct ls_vk_buffer parts[3];
    struct ls_scan_args half = *args;
    half.outer = ls_vk_middle(args->outer);
    int64_t offset = half.outer * args->r * args->inner * 4;
    ls_status status = scan(device, &half, pipeline);
    half.factor = ls_vk_part(&parts[0], args->factor, offset);
    half.addend = ls_vk_part(&parts[1], args->addend, offset);
    half.dst = ls_vk_part(&parts[2], args->dst, offset);
    half.outer = args->outer - half.outer;
    return status == LS_OK ? scan(device, &half, pipeline) : status;
}

ls_status ls_vk_scan(struct ls_device *base, const struct ls_scan_args *args)
{
    struct ls_vk_device *device = ls_vk_device_of(base);
    unsigned kind = args->factor && args->addend ? 0 : args->factor ? 1 : 2;
    const struct ls_vk_pipeline *pipeline;
    ls_status status = find_pipeline(device, false, args->dtype == LS_INT32, kind, &pipeline);
    return status == LS_OK ? scan(device, args, pipeline) : status;
}

static ls_status run_pass(struct ls_vk_device *device, const struct ls_vk_pipeline *pipeline,
                          const struct ls_sort_args *args, const struct ls_sort_pass *pass)
{
    int64_t pairs = args->outer * (args->r - pass->distance), bytes = args->outer * args->r * 4;
    struct ls_vk_launch launch = ls_vk_begin(device, pipeline);
    ls_vk_bind(&launch, args->src, bytes, LS_VK_READ);
    ls_vk_bind(&launch, NULL, 0, 0);
    ls_vk_bind(&launch, args->dst, bytes, LS_VK_READ | LS_VK_WRITE);
    ls_vk_push(&launch, pairs);
    ls_vk_push(&launch, args->r);
    ls_vk_push(&launch, 1);
    ls_vk_push(&launch, 0);
    ls_vk_push(&launch, 0);
    ls_vk_push(&launch, pass->bit);
    ls_vk_push(&launch, pass->rest);
    ls_vk_push(&launch, pass->distance);
    return ls_vk_run(&launch, ls_vk_groups(pairs, GROUP));
}

static ls_status sort(struct ls_vk_device *device, const struct ls_vk_pipeline *pipeline,
                      const struct ls_sort_args *args)
{
    if (args->outer > 1 && !ls_vk_fits(device, args->outer * args->r, 4)) {
        struct ls_vk_buffer parts[2];
        struct ls_sort_args half = *args;
        half.outer = ls_vk_middle(args->outer);
        ls_status status = sort(device, pipeline, &half);
        half.src = ls_vk_part(&parts[0], args->src, half.outer * args->r * 4);
        half.dst = ls_vk_part(&parts[1], args->dst, half.outer * args->r * 4);
        half.outer = args->outer - half.outer;
        return status == LS_OK ? sort(device, pipeline, &half) : status;
    }
    ls_status status = LS_OK;
    struct ls_sort_pass pass = {0};
    while (status == LS_OK && ls_sort_next(args->r, &pass))
        status = run_pass(device, pipeline, args, &pass);
    return status;
}

ls_status ls_vk_sort(struct ls_device *base, const struct ls_sort_args *args)
{
    struct ls_vk_device *device = ls_vk_device_of(base);
    const struct ls_vk_pipeline *pipeline;
    ls_status status = find_pipeline(device, true, args->dtype == LS_INT32, args->descending, &pipeline);
    return status == LS_OK ? sort(device, pipeline, args) : status;
}
