/* SPDX-License-Identifier: Apache-2.0
 *
 * pool: see shaders/pool.cl.
 */
#include "opencl.h"

ls_status ls_cl_pool(struct ls_device *base, const struct ls_pool_args *args)
{
    struct ls_cl_device *device = ls_cl_device_of(base);
    const struct ls_window *w = &args->window;
    size_t group = 64 < device->max_group ? 64 : device->max_group;
    bool back = args->op == LS_POOL_SPREAD_MAX || args->op == LS_POOL_SPREAD_AVERAGE;
    bool positions = args->op == LS_POOL_MAX && args->positions != NULL;
    struct ls_cl_key key = {.size = 0};
    ls_cl_key_add(&key, LS_CL_POOL);
    ls_cl_key_add(&key, (unsigned)args->op | (positions ? 8u : 0u));
    const struct ls_cl_kernel *kernel = ls_cl_find(device, &key);
    if (kernel == NULL) {
        struct ls_cl_source source = {.primitive = "pool", .entry = "pool", .file = ls_cl_file_pool};
        ls_cl_add(&source.text, "#define LS_POOL %d\n#define LS_POSITIONS %d\n#define LS_GROUP %d\n",
                  (int)args->op, positions, (int)group);
        ls_status status = ls_cl_build(device, &key, &source, &kernel);
        if (status != LS_OK)
            return status;
    }

    const int64_t *to = back ? w->in : w->out;
    const int64_t *all[] = {w->in, w->out, w->size, w->stride, w->dilation};
    int64_t n = w->batch * to[0] * to[1] * to[2] * args->channels;
    cl_int sizes[16] = {0}, before[4] = {0};
    for (int d = 0; d < LS_SPATIAL; d++) {
        for (int i = 0; i < 5; i++)
            sizes[i * LS_SPATIAL + d] = (cl_int)all[i][d];
        before[d] = (cl_int)w->before[d];
    }
    struct ls_cl_launch launch = ls_cl_begin(device, kernel);
    ls_cl_pass_buffer(&launch, args->src);
    ls_cl_pass_buffer(&launch, args->dst);
    ls_cl_pass_buffer(&launch, args->positions != NULL ? args->positions : args->dst); /* not read then */
    ls_cl_pass_long(&launch, n);
    ls_cl_pass_long(&launch, args->channels);
    ls_cl_pass(&launch, sizeof sizes, sizes);
    ls_cl_pass(&launch, sizeof before, before);
    return ls_cl_run(&launch, 1, (size_t[3]){((size_t)n + group - 1) / group, 1, 1}, (size_t[3]){group, 1, 1});
}
