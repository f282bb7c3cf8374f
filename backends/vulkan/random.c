/* SPDX-License-Identifier: Apache-2.0
 *
 * random: Philox by element index, in windows that can be bound.
 */
#include "vulkan.h"

enum { GROUP = 64 };

ls_status ls_vk_random(struct ls_device *base, const struct ls_random_args *args)
{
    struct ls_vk_device *device = ls_vk_device_of(base);
    struct ls_vk_key key = ls_vk_key_of(LS_VK_SHADER_random);
    ls_vk_key_add(&key, args->kind);
    const struct ls_vk_pipeline *pipeline;
    ls_status status = ls_vk_pipeline(device, "random", &key, 2, &pipeline);
    int64_t window = ls_vk_most(device) / 1024 * 1024;
    for (int64_t start = 0; start < args->n && status == LS_OK; start += window) {
        int64_t count = args->n - start < window ? args->n - start : window;
        struct ls_vk_buffer part;
        struct ls_vk_launch launch = ls_vk_begin(device, pipeline);
        ls_vk_bind(&launch, ls_vk_part(&part, args->dst, start * 4), count * 4, LS_VK_WRITE);
        ls_vk_bind(&launch, args->step, 4, LS_VK_READ);
        ls_vk_push(&launch, count);
        ls_vk_push_bits(&launch, (uint32_t)(start / 4));
        ls_vk_push_bits(&launch, (uint32_t)args->seed);
        ls_vk_push_bits(&launch, (uint32_t)(args->seed >> 32));
        ls_vk_push_bits(&launch, args->stream);
        status = ls_vk_run(&launch, ls_vk_groups(ls_vk_groups(count, 4), GROUP));
    }
    return status;
}
