/* SPDX-License-Identifier: Apache-2.0
 *
 * conv: gemm's tiles over factors that shaders/conv.comp finds in images and kernels. The matrix of
 * patches is never whole, and no pass allocates anything.
 */
#include "vulkan.h"

static int64_t product(const int64_t *sizes) { return sizes[0] * sizes[1] * sizes[2]; }

void ls_vk_push_window(struct ls_vk_launch *launch, const struct ls_window *w)
{
    const int64_t *all[] = {w->in, w->out, w->size, w->stride, w->dilation, w->before};
    for (int i = 0; i < 6; i++)
        for (int d = 0; d < LS_SPATIAL; d++)
            ls_vk_push(launch, all[i][d]);
}

ls_status ls_vk_conv(struct ls_device *base, const struct ls_conv_args *args)
{
    struct ls_vk_device *device = ls_vk_device_of(base);
    const struct ls_window *w = &args->window;
    bool back = args->pass == LS_CONV_INPUT, relu = args->activation == LS_ROW_relu;
    int64_t windows = w->batch * product(back ? w->in : w->out);
    int64_t patch = product(w->size) * (back ? args->filters : args->channels);
    int64_t m = args->pass == LS_CONV_KERNEL ? patch : windows;
    int64_t k = args->pass == LS_CONV_KERNEL ? windows : patch;
    int64_t n = back ? args->channels : args->filters;
    struct ls_vk_key key = ls_vk_key_of(LS_VK_SHADER_conv);
    ls_vk_key_add(&key, args->pass);
    ls_vk_key_add(&key, 0);
    int64_t groups = ls_vk_tile(device, m, n, args->groups, &key);
    ls_vk_key_add(&key, args->bias != NULL);
    ls_vk_key_add(&key, relu);
    const struct ls_vk_pipeline *pipeline;
    ls_status status = ls_vk_pipeline(device, "conv", &key, 4, &pipeline);
    if (status != LS_OK)
        return status;

    struct ls_buffer *images[] = {args->input, args->kernel, args->output};
    int64_t elements[] = {w->batch * product(w->in) * args->groups * args->channels,
                          product(w->size) * args->channels * args->groups * args->filters,
                          w->batch * product(w->out) * args->groups * args->filters};
    static const int factors[3][3] = {
        [LS_CONV_FORWARD] = {0, 1, 2}, [LS_CONV_INPUT] = {2, 1, 0}, [LS_CONV_KERNEL] = {0, 2, 1}};
    int result = factors[args->pass][2];
    struct ls_vk_launch launch = ls_vk_begin(device, pipeline);
    for (int i = 0; i < 2; i++) { /* without terms there may be no factors, and they are not read */
        int factor = factors[args->pass][i];
        bool there = images[factor] != NULL && elements[factor] > 0;
        ls_vk_bind(&launch, images[there ? factor : result], there ? elements[factor] * 4 : 4, LS_VK_READ);
    }
    ls_vk_bind(&launch, images[result], elements[result] * 4, LS_VK_READ | LS_VK_WRITE);
    ls_vk_bind(&launch, args->bias != NULL ? args->bias : images[result],
               args->bias != NULL ? args->groups * n * 4 : 4, LS_VK_READ);
    ls_vk_push(&launch, groups);
    ls_vk_push(&launch, m);
    ls_vk_push(&launch, n);
    ls_vk_push(&launch, k);
    ls_vk_push_window(&launch, w);
    ls_vk_push(&launch, args->groups);
    ls_vk_push(&launch, args->channels);
    ls_vk_push(&launch, args->filters);
    status = ls_vk_run_parts(&launch, groups, k, LS_VK_CHAIN_PART);
    if (status == LS_OK && !relu)
        status = ls_vk_activate(device, args->activation, images[result], elements[result]);
    return status;
}
