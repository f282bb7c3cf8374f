/* SPDX-License-Identifier: Apache-2.0
 *
 * softmax and sparse_xent, each in one launch for as many rows as can be bound.
 */
#include "vulkan.h"

/* What shaders/softmax.comp calls LS_KIND. */
enum kind { KIND_SOFTMAX, KIND_LOG_SOFTMAX, KIND_LOSS, KIND_LOSS_AND_PROBABILITIES };

/* Longer rows have more than one level of block results: the composed form handles them. */
#define LONGEST_ROW ((int64_t)LS_REDUCE_BLOCK * LS_REDUCE_LANES)

enum { BUFFERS = 5 };

static bool can_run(const struct ls_vk_device *device, int64_t r)
{
    return r <= LONGEST_ROW && ls_vk_fits(device, r, 4) &&
           device->limits.maxPerStageDescriptorStorageBuffers >= BUFFERS;
}

static ls_status find_pipeline(struct ls_vk_device *device, enum kind kind, const struct ls_vk_pipeline **pipeline)
{
    struct ls_vk_key key = ls_vk_key_of(LS_VK_SHADER_softmax);
    ls_vk_key_add(&key, kind);
    return ls_vk_pipeline(device, kind >= KIND_LOSS ? "sparse_xent" : "softmax", &key, BUFFERS, pipeline);
}

ls_status ls_vk_softmax(struct ls_device *base, const struct ls_softmax_args *args)
{
    struct ls_vk_device *device = ls_vk_device_of(base);
    const struct ls_vk_pipeline *pipeline;
    if (!can_run(device, args->r))
        return LS_UNSUPPORTED;
    ls_status status = find_pipeline(device, args->log ? KIND_LOG_SOFTMAX : KIND_SOFTMAX, &pipeline);
    int64_t most = ls_vk_most(device) / args->r;
    for (int64_t row = 0; row < args->outer && status == LS_OK; row += most) {
        int64_t rows = args->outer - row < most ? args->outer - row : most;
        struct ls_vk_buffer src, dst;
        struct ls_vk_launch launch = ls_vk_begin(device, pipeline);
        ls_vk_bind(&launch, ls_vk_part(&src, args->src, row * args->r * 4), rows * args->r * 4, LS_VK_READ);
        ls_vk_bind(&launch, ls_vk_part(&dst, args->dst, row * args->r * 4), rows * args->r * 4, LS_VK_WRITE);
        for (int i = 0; i < 3; i++)
            ls_vk_bind(&launch, NULL, 0, 0);
        ls_vk_push(&launch, rows);
        ls_vk_push(&launch, args->r);
        ls_vk_push(&launch, 0);
        ls_vk_push(&launch, 0);
        status = ls_vk_run(&launch, rows);
    }
    return status;
}

ls_status ls_vk_sparse_xent(struct ls_device *base, const struct ls_sparse_xent_args *args)
{
    struct ls_vk_device *device = ls_vk_device_of(base);
    const struct ls_vk_pipeline *pipeline;
    bool probabilities = args->probabilities != NULL;
    if (!can_run(device, args->r))
        return LS_UNSUPPORTED;
    ls_status status = find_pipeline(device, probabilities ? KIND_LOSS_AND_PROBABILITIES : KIND_LOSS, &pipeline);
    int64_t most = ls_vk_most(device) / args->r;
    int call = ls_vk_next_fault_call(device);
    for (int64_t row = 0; row < args->outer && status == LS_OK; row += most) {
        int64_t rows = args->outer - row < most ? args->outer - row : most;
        struct ls_vk_buffer part[4];
        struct ls_vk_launch launch = ls_vk_begin(device, pipeline);
        ls_vk_bind(&launch, ls_vk_part(&part[0], args->logits, row * args->r * 4), rows * args->r * 4, LS_VK_READ);
        ls_vk_bind(&launch, ls_vk_part(&part[1], args->probabilities, row * args->r * 4), rows * args->r * 4,
                   LS_VK_WRITE);
        ls_vk_bind(&launch, ls_vk_part(&part[2], args->labels, row * 4), rows * 4, LS_VK_READ);
        ls_vk_bind(&launch, ls_vk_part(&part[3], args->loss, row * 4), rows * 4, LS_VK_WRITE);
        ls_vk_bind_faults(&launch);
        ls_vk_push(&launch, rows);
        ls_vk_push(&launch, args->r);
        ls_vk_push(&launch, call);
        ls_vk_push(&launch, row);
        status = ls_vk_run(&launch, rows);
    }
    return status;
}
