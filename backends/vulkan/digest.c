/* SPDX-License-Identifier: Apache-2.0
 *
 * digest: the words are set to 0, then a launch for each input, in windows that can be bound, adds its
 * blocks.
 */
#include "vulkan.h"

static ls_status add_input(struct ls_vk_device *device, const struct ls_digest_args *args, int i)
{
    const struct ls_digest_input *input = &args->input[i];
    int64_t size = (int64_t)ls_dtype_size(input->dtype);
    bool is_float = input->dtype == LS_FLOAT32 || input->dtype == LS_FLOAT16 || input->dtype == LS_BFLOAT16;
    enum ls_vk_kind kind = ls_vk_kind_of(input->dtype);
    struct ls_vk_key key = ls_vk_key_of(LS_VK_SHADER_digest);
    ls_vk_key_add(&key, kind == LS_VK_BOOL ? LS_VK_BYTE : kind);
    ls_vk_key_add(&key, !is_float ? 0 : size == 4 ? 0x80000000u : 0x8000u);
    const struct ls_vk_pipeline *pipeline;
    ls_status status = ls_vk_pipeline(device, "digest", &key, 2, &pipeline);
    int64_t window = ls_vk_most(device) / LS_DIGEST_BLOCK * LS_DIGEST_BLOCK;
    for (int64_t start = 0; start < input->n && status == LS_OK; start += window) {
        int64_t n = input->n - start < window ? input->n - start : window;
        struct ls_vk_buffer part;
        struct ls_vk_launch launch = ls_vk_begin(device, pipeline);
        ls_vk_bind(&launch, ls_vk_part(&part, input->buffer, start * size), n * size, LS_VK_READ);
        ls_vk_bind(&launch, args->dst, (args->at + 2 * args->inputs) * 4, LS_VK_READ | LS_VK_WRITE);
        ls_vk_push(&launch, ls_vk_groups(n, LS_DIGEST_BLOCK));
        ls_vk_push(&launch, n);
        ls_vk_push(&launch, start / LS_DIGEST_BLOCK);
        ls_vk_push(&launch, args->at + 2 * i);
        status = ls_vk_run(&launch, ls_vk_groups(n, LS_DIGEST_BLOCK));
    }
    return status;
}

ls_status ls_vk_digest(struct ls_device *base, const struct ls_digest_args *args)
{
    struct ls_vk_device *device = ls_vk_device_of(base);
    ls_status status =
        ls_vk_fill_words(device, args->dst, (VkDeviceSize)args->at * 4, (VkDeviceSize)args->inputs * 8, 0);
    for (int i = 0; i < args->inputs && status == LS_OK; i++)
        status = add_input(device, args, i);
    return status;
}
