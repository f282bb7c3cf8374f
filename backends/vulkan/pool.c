/* SPDX-License-Identifier: Apache-2.0
 *
 * pool: see shaders/pool.comp.
 */
#include "vulkan.h"

enum { GROUP = 64 };

/* Elements of the images that windows slide over, and of those that they give. */
static int64_t elements(const struct ls_pool_args *args, const int64_t *sizes)
{
    return args->window.batch * sizes[0] * sizes[1] * sizes[2] * args->channels;
}

static ls_status pool_halves(struct ls_device *base, const struct ls_pool_args *args, bool back)
{
    const struct ls_window *w = &args->window;
    struct ls_vk_buffer parts[3];
    struct ls_pool_args half = *args;
    half.window.batch = ls_vk_middle(w->batch);
    ls_status status = ls_vk_pool(base, &half);
    int64_t in = elements(&half, w->in) * 4, out = elements(&half, w->out) * 4;
    half.src = ls_vk_part(&parts[0], args->src, back ? out : in);
    half.dst = ls_vk_part(&parts[1], args->dst, back ? in : out);
    half.positions = ls_vk_part(&parts[2], args->positions, out);
    half.window.batch = w->batch - half.window.batch;
    return status == LS_OK ? ls_vk_pool(base, &half) : status;
}

ls_status ls_vk_pool(struct ls_device *base, const struct ls_pool_args *args)
{
    struct ls_vk_device *device = ls_vk_device_of(base);
    const struct ls_window *w = &args->window;
    bool back = args->op == LS_POOL_SPREAD_MAX || args->op == LS_POOL_SPREAD_AVERAGE;
    int64_t in = elements(args, w->in), out = elements(args, w->out), places = w->size[0] * w->size[1] * w->size[2];
    if (w->batch > 1 && !(ls_vk_fits(device, in, 4) && ls_vk_fits(device, out, 4)))
        return pool_halves(base, args, back);
    /* Where several launches look at a window, the best has to be remembered from one to the next. */
    struct ls_buffer *positions = args->positions;
    int64_t part = ls_vk_walk_part(device);
    ls_status status = LS_OK;
    if (args->op == LS_POOL_MAX && positions == NULL && places > part)
        status = ls_vk_scratch(device, 0, (size_t)out * 4, &positions);
    bool writes = args->op == LS_POOL_MAX && positions != NULL;
    bool reads = args->op == LS_POOL_TAKE || args->op == LS_POOL_SPREAD_MAX;
    struct ls_vk_key key = ls_vk_key_of(LS_VK_SHADER_pool);
    ls_vk_key_add(&key, args->op);
    ls_vk_key_add(&key, writes);
    const struct ls_vk_pipeline *pipeline;
    if (status == LS_OK)
        status = ls_vk_pipeline(device, "pool", &key, 3, &pipeline);
    if (status != LS_OK)
        return status;

    int64_t n = back ? in : out, source = back ? out : in;
    struct ls_vk_launch launch = ls_vk_begin(device, pipeline);
    ls_vk_bind(&launch, source > 0 ? args->src : NULL, source * 4, LS_VK_READ);
    ls_vk_bind(&launch, args->dst, n * 4, LS_VK_READ | LS_VK_WRITE);
    ls_vk_bind(&launch, writes || reads ? positions : NULL, out * 4, writes ? LS_VK_READ | LS_VK_WRITE : LS_VK_READ);
    ls_vk_push(&launch, n);
    ls_vk_push(&launch, args->channels);
    ls_vk_push_window(&launch, w);
    return ls_vk_run_parts(&launch, ls_vk_groups(n, GROUP), 0, places, part);
}
