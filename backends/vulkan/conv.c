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

/* Some of the images of a batch, and some of the terms of each result. */
struct window {
    int64_t image, images, term, end;
};

static ls_status run(struct ls_vk_device *device, const struct ls_conv_args *args, struct window part)
{
    const struct ls_window *w = &args->window;
    bool back = args->pass == LS_CONV_INPUT, relu = args->activation == LS_ROW_relu;
    bool sums = args->pass == LS_CONV_KERNEL; /* over the windows */
    int64_t stands = product(back ? w->in : w->out);
    int64_t patch = product(w->size) * (back ? args->filters : args->channels);
    int64_t m = sums ? patch : part.images * stands, k = sums ? w->batch * stands : patch;
    int64_t n = back ? args->channels : args->filters;
    struct ls_vk_key key = ls_vk_key_of(LS_VK_SHADER_conv);
    ls_vk_key_add(&key, args->pass);
    ls_vk_key_add(&key, 0);
    int64_t groups = ls_vk_tile(device, m, n, args->groups, &key);
    ls_vk_key_add(&key, args->bias != NULL);
    ls_vk_key_add(&key, relu);
    const struct ls_vk_pipeline *pipeline;
    ls_status status = ls_vk_pipeline(device, "conv", &key, 4, &pipeline);
    if (ls_vk_try_smaller(device, status))
        return run(device, args, part);
    if (status != LS_OK)
        return status;

    int64_t in = product(w->in) * args->groups * args->channels, out = product(w->out) * args->groups * args->filters;
    struct ls_vk_buffer parts[2];
    struct ls_buffer *images[] = {ls_vk_part(&parts[0], args->input, part.image * in * 4), args->kernel,
                                  ls_vk_part(&parts[1], args->output, part.image * out * 4)};
    int64_t elements[] = {part.images * in, product(w->size) * args->channels * args->groups * args->filters,
                          part.images * out};
    static const int factors[3][3] = {
        [LS_CONV_FORWARD] = {0, 1, 2}, [LS_CONV_INPUT] = {2, 1, 0}, [LS_CONV_KERNEL] = {0, 2, 1}};
    int result = factors[args->pass][2];
    struct ls_vk_launch launch = ls_vk_begin(device, pipeline);
    for (int i = 0; i < 2; i++) { /* without terms there may be no factors, and they are not read */
        int factor = factors[args->pass][i];
        ls_vk_bind(&launch, k > 0 ? images[factor] : NULL, elements[factor] * 4, LS_VK_READ);
    }
    ls_vk_bind(&launch, images[result], elements[result] * 4, LS_VK_READ | LS_VK_WRITE);
    ls_vk_bind(&launch, args->bias, args->groups * n * 4, LS_VK_READ);
    ls_vk_push(&launch, groups);
    ls_vk_push(&launch, m);
    ls_vk_push(&launch, n);
    ls_vk_push(&launch, k);
    ls_vk_push_window(&launch, w);
    ls_vk_push(&launch, args->groups);
    ls_vk_push(&launch, args->channels);
    ls_vk_push(&launch, args->filters);
    ls_vk_push(&launch, sums ? part.image * stands : 0);
    status = ls_vk_run_parts(&launch, groups, part.term, part.end, ls_vk_chain_part(device));
    if (status == LS_OK && !relu)
        status = ls_vk_activate(device, args->activation, images[result], elements[result]);
    return status;
}

/* As many images at once as can be bound, one at least. */
static int64_t images_at_once(const struct ls_vk_device *device, const struct ls_conv_args *args)
{
    const struct ls_window *w = &args->window;
    int64_t in = product(w->in) * args->groups * args->channels, out = product(w->out) * args->groups * args->filters;
    int64_t most = ls_vk_most(device), larger = in > out ? in : out;
    int64_t images = larger == 0 ? w->batch : most / larger;
    return images < 1 ? 1 : images < w->batch ? images : w->batch;
}

/* The kernel gradient sums over all windows of all images, and what a launch adds are whole blocks of the chain. The
 * images of which a part has been added are bound by two launches. */
static ls_status sum_windows(struct ls_vk_device *device, const struct ls_conv_args *args, int64_t most)
{
    const struct ls_window *w = &args->window;
    int64_t stands = product(w->out), k = w->batch * stands, block = LS_CHAIN_BLOCK;
    ls_status status = LS_OK;
    struct window part = {.term = 0};
    do {
        part.image = part.term / stands;
        part.end = (part.image + most) * stands / block * block;
        if (part.end <= part.term)
            part.end = part.term + block;
        if (part.image + most >= w->batch || part.end > k)
            part.end = k;
        part.images = ls_vk_groups(part.end, stands) - part.image;
        status = run(device, args, part);
        part.term = part.end;
    } while (part.term < k && status == LS_OK);
    return status;
}

ls_status ls_vk_conv(struct ls_device *base, const struct ls_conv_args *args)
{
    struct ls_vk_device *device = ls_vk_device_of(base);
    const struct ls_window *w = &args->window;
    int64_t most = images_at_once(device, args);
    if (args->pass == LS_CONV_KERNEL && most < w->batch && product(w->out) > 0)
        return sum_windows(device, args, most);
    int64_t terms = args->pass == LS_CONV_KERNEL  ? w->batch * product(w->out)
                    : args->pass == LS_CONV_INPUT ? product(w->size) * args->filters
                                                  : product(w->size) * args->channels;
    ls_status status = LS_OK;
    int64_t image = 0;
    do {
        int64_t images = w->batch - image < most ? w->batch - image : most;
        status = run(device, args, (struct window){image, images, 0, terms});
        image += most;
    } while (image < w->batch && status == LS_OK);
    return status;
}
