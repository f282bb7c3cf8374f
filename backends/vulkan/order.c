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

ls_status ls_vk_scan(struct ls_device *base, const struct ls_scan_args *args)
{
    struct ls_vk_device *device = ls_vk_device_of(base);
    unsigned kind = args->factor && args->addend ? 0 : args->factor ? 1 : 2;
    const struct ls_vk_pipeline *pipeline;
    ls_status status = find_pipeline(device, false, args->dtype == LS_INT32, kind, &pipeline);
    if (status != LS_OK)
        return status;
    int64_t columns = args->outer * args->inner, bytes = columns * args->r * 4;
    struct ls_vk_launch launch = ls_vk_begin(device, pipeline);
    ls_vk_bind(&launch, args->factor ? args->factor : args->addend, bytes, LS_VK_READ);
    ls_vk_bind(&launch, args->addend ? args->addend : args->factor, bytes, LS_VK_READ);
    ls_vk_bind(&launch, args->dst, bytes, LS_VK_READ | LS_VK_WRITE);
    ls_vk_push(&launch, columns);
    ls_vk_push(&launch, args->r);
    ls_vk_push(&launch, args->inner);
    ls_vk_push(&launch, args->reverse);
    ls_vk_push(&launch, args->exclusive);
    return ls_vk_run_parts(&launch, ls_vk_groups(columns, GROUP), args->r, LS_VK_WALK_PART);
}

static ls_status run_pass(struct ls_vk_device *device, const struct ls_vk_pipeline *pipeline,
                          const struct ls_sort_args *args, const struct ls_sort_pass *pass)
{
    int64_t pairs = args->outer * (args->r - pass->distance), bytes = args->outer * args->r * 4;
    struct ls_vk_launch launch = ls_vk_begin(device, pipeline);
    ls_vk_bind(&launch, args->src, bytes, LS_VK_READ);
    ls_vk_bind(&launch, args->src, 4, LS_VK_READ);
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

ls_status ls_vk_sort(struct ls_device *base, const struct ls_sort_args *args)
{
    struct ls_vk_device *device = ls_vk_device_of(base);
    const struct ls_vk_pipeline *pipeline;
    ls_status status = find_pipeline(device, true, args->dtype == LS_INT32, args->descending, &pipeline);
    struct ls_sort_pass pass = {0};
    while (status == LS_OK && ls_sort_next(args->r, &pass))
        status = run_pass(device, pipeline, args, &pass);
    return status;
}
