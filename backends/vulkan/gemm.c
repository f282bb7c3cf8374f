/* SPDX-License-Identifier: Apache-2.0
 *
 * gemm: see shaders/tile.glsl.
 */
#include "vulkan.h"

int64_t ls_vk_tile(const struct ls_vk_device *device, int64_t m, int64_t n, int64_t batch, struct ls_vk_key *key)
{
    struct ls_tile_limits limits = {device->limits.maxComputeWorkGroupInvocations, device->limits.maxComputeSharedMemorySize,
                                    device->base.info.compute_units};
    const struct ls_tile *tile = device->tile != NULL ? device->tile : ls_tile_choose(&limits, m, n, batch);
    ls_vk_key_add(key, tile->x);
    ls_vk_key_add(key, tile->y);
    ls_vk_key_add(key, tile->rows);
    ls_vk_key_add(key, tile->columns);
    ls_vk_key_add(key, tile->depth);
    return ls_tile_rows(tile, m) * ls_tile_columns(tile, n) * batch;
}

ls_status ls_vk_gemm(struct ls_device *base, const struct ls_gemm_args *args)
{
    struct ls_vk_device *device = ls_vk_device_of(base);
    bool relu = args->activation == LS_ROW_relu;
    struct ls_vk_key key = ls_vk_key_of(LS_VK_SHADER_gemm);
    ls_vk_key_add(&key, args->trans_a);
    ls_vk_key_add(&key, args->trans_b);
    int64_t groups = ls_vk_tile(device, args->m, args->n, args->batch, &key);
    ls_vk_key_add(&key, args->bias != NULL);
    ls_vk_key_add(&key, relu);
    const struct ls_vk_pipeline *pipeline;
    ls_status status = ls_vk_pipeline(device, "gemm", &key, 4, &pipeline);
    if (status != LS_OK)
        return status;

    bool terms = args->k > 0; /* else there may be no factors, and they are not read */
    int64_t a = (args->batch - 1) * args->stride_a + args->m * args->k;
    int64_t b = (args->batch - 1) * args->stride_b + args->k * args->n;
    struct ls_vk_launch launch = ls_vk_begin(device, pipeline);
    ls_vk_bind(&launch, terms ? args->a : args->c, terms ? a * 4 : 4, LS_VK_READ);
    ls_vk_bind(&launch, terms ? args->b : args->c, terms ? b * 4 : 4, LS_VK_READ);
    ls_vk_bind(&launch, args->c, args->batch * args->m * args->n * 4, LS_VK_READ | LS_VK_WRITE);
    ls_vk_bind(&launch, args->bias != NULL ? args->bias : args->c, args->bias != NULL ? args->n * 4 : 4, LS_VK_READ);
    ls_vk_push(&launch, groups);
    ls_vk_push(&launch, args->m);
    ls_vk_push(&launch, args->n);
    ls_vk_push(&launch, args->k);
    ls_vk_push(&launch, args->stride_a);
    ls_vk_push(&launch, args->stride_b);
    status = ls_vk_run_parts(&launch, groups, args->k, LS_VK_CHAIN_PART);
    if (status == LS_OK && !relu)
        status = ls_vk_activate(device, args->activation, args->c, args->batch * args->m * args->n);
    return status;
}
