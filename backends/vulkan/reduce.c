/* SPDX-License-Identifier: Apache-2.0
 *
 * reduce: rows (inner == 1) block by block until one value is left, columns (inner > 1) as chains.
 */
#include "vulkan.h"

enum { GROUP = 64 };

/* What shaders/reduce.comp calls LS_FORM. */
enum form { FORM_ROWS, FORM_PLACES, FORM_COLUMNS, FORM_COLUMN_PLACES };

static bool is_place(enum ls_reduce_op op)
{
    return op == LS_REDUCE_ARGMAX || op == LS_REDUCE_ARGMIN;
}

struct pass {
    struct ls_buffer *src, *dst;
    int64_t outer, r, inner, blocks, part;
    bool joined;
};

static ls_status run_pass(struct ls_vk_device *device, const struct ls_reduce_args *args, enum form form,
                          const struct pass *pass)
{
    const struct ls_vk_pipeline *pipeline;
    struct ls_vk_key key = ls_vk_key_of(LS_VK_SHADER_reduce);
    ls_vk_key_add(&key, args->op);
    ls_vk_key_add(&key, args->dtype == LS_INT32);
    ls_vk_key_add(&key, form);
    ls_status status = ls_vk_pipeline(device, "reduce", &key, 2, &pipeline);
    if (status != LS_OK)
        return status;
    int64_t results = pass->outer * pass->blocks * pass->inner, read = pass->outer * pass->r * pass->inner;
    struct ls_vk_launch launch = ls_vk_begin(device, pipeline);
    ls_vk_bind(&launch, read > 0 ? pass->src : pass->dst, read > 0 ? read * 4 : 4, LS_VK_READ);
    ls_vk_bind(&launch, pass->dst, results * 4, LS_VK_WRITE);
    ls_vk_push(&launch, results);
    ls_vk_push(&launch, pass->r);
    ls_vk_push(&launch, pass->blocks);
    ls_vk_push(&launch, pass->inner);
    ls_vk_push(&launch, pass->part);
    ls_vk_push(&launch, pass->joined);
    return ls_vk_run(&launch, form <= FORM_PLACES ? results : ls_vk_groups(results, GROUP));
}

static ls_status reduce_rows(struct ls_vk_device *device, const struct ls_reduce_args *args)
{
    struct pass pass = {args->src, args->dst, args->outer, args->r, 1, 1, 0, false};
    if (is_place(args->op))
        return run_pass(device, args, FORM_PLACES, &pass);
    for (int number = 0;; number++) {
        pass.blocks = pass.r == 0 ? 1 : ls_vk_groups(pass.r, LS_REDUCE_BLOCK);
        pass.dst = args->dst;
        ls_status status = LS_OK;
        if (pass.blocks > 1)
            status = ls_vk_scratch(device, number % 2, (size_t)(args->outer * pass.blocks) * 4, &pass.dst);
        if (status == LS_OK)
            status = run_pass(device, args, FORM_ROWS, &pass);
        if (status != LS_OK || pass.blocks == 1)
            return status;
        pass.src = pass.dst;
        pass.r = pass.blocks;
    }
}

/* How many parts to cut r into: one, unless the columns alone leave the device idle. */
static int64_t parts_of(const struct ls_vk_device *device, const struct ls_reduce_args *args)
{
    int64_t blocks = ls_vk_groups(args->r, LS_CHAIN_BLOCK), wanted = device->base.info.is_gpu ? 32768 : 256;
    return blocks > 1 && args->inner * args->outer < wanted ? blocks : 1;
}

static ls_status reduce_columns(struct ls_vk_device *device, const struct ls_reduce_args *args)
{
    struct pass pass = {args->src, args->dst, args->outer, args->r, args->inner, 1, args->r, false};
    if (is_place(args->op))
        return run_pass(device, args, FORM_COLUMN_PLACES, &pass);
    int64_t parts = parts_of(device, args);
    if (parts == 1)
        return run_pass(device, args, FORM_COLUMNS, &pass);
    pass.blocks = parts;
    pass.part = LS_CHAIN_BLOCK;
    ls_status status = ls_vk_scratch(device, 0, (size_t)(args->outer * parts * args->inner) * 4, &pass.dst);
    if (status == LS_OK)
        status = run_pass(device, args, FORM_COLUMNS, &pass);
    if (status != LS_OK)
        return status;
    pass = (struct pass){pass.dst, args->dst, args->outer, parts, args->inner, 1, parts, true};
    return run_pass(device, args, FORM_COLUMNS, &pass);
}

ls_status ls_vk_reduce(struct ls_device *base, const struct ls_reduce_args *args)
{
    struct ls_vk_device *device = ls_vk_device_of(base);
    return args->inner == 1 ? reduce_rows(device, args) : reduce_columns(device, args);
}
