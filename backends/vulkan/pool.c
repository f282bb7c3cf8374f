/* SPDX-License-Identifier: Apache-2.0
 *
 * pool: see shaders/pool.comp.
 */
#include "vulkan.h"

enum { GROUP = 64 };

ls_status ls_vk_pool(struct ls_device *base, const struct ls_pool_args *args)
{
    struct ls_vk_device *device = ls_vk_device_of(base);
    const struct ls_window *w = &args->window;
    bool back = args->op == LS_POOL_SPREAD_MAX || args->op == LS_POOL_SPREAD_AVERAGE;
    bool writes = args->op == LS_POOL_MAX && args->positions != NULL;
    bool reads = args->op == LS_POOL_TAKE || args->op == LS_POOL_SPREAD_MAX;
    struct ls_vk_key key = ls_vk_key_of(LS_VK_SHADER_pool);
    ls_vk_key_add(&key, args->op);
    ls_vk_key_add(&key, writes);
    const struct ls_vk_pipeline *pipeline;
    ls_status status = ls_vk_pipeline(device, "pool", &key, 3, &pipeline);
    if (status != LS_OK)
        return status;

    int64_t in = w->batch * w->in[0] * w->in[1] * w->in[2] * args->channels;
    int64_t out = w->batch * w->out[0] * w->out[1] * w->out[2] * args->channels;
    int64_t n = back ? in : out, source = back ? out : in;
    struct ls_vk_launch launch = ls_vk_begin(device, pipeline);
    ls_vk_bind(&launch, source > 0 ? args->src : args->dst, source * 4, LS_VK_READ);
    ls_vk_bind(&launch, args->dst, n * 4, LS_VK_WRITE);
    if (writes || reads)
        ls_vk_bind(&launch, args->positions, out * 4, writes ? LS_VK_WRITE : LS_VK_READ);
    else
        ls_vk_bind(&launch, args->dst, 4, LS_VK_READ);
    ls_vk_push(&launch, n);
    ls_vk_push(&launch, args->channels);
    ls_vk_push_window(&launch, w);
    return ls_vk_run(&launch, ls_vk_groups(n, GROUP));
}
