/* SPDX-License-Identifier: Apache-2.0
 *
 * random: Philox by element index.
 */
#include "opencl.h"

ls_status ls_cl_random(struct ls_device *base, const struct ls_random_args *args)
{
    struct ls_cl_device *device = ls_cl_device_of(base);
    size_t group = device->max_group < 64 ? device->max_group : 64;
    struct ls_cl_key key = {.size = 0};
    ls_cl_key_add(&key, LS_CL_RANDOM);
    ls_cl_key_add(&key, args->kind);
    const struct ls_cl_kernel *kernel = ls_cl_find(device, &key);
    if (kernel == NULL) {
        struct ls_cl_source source = {.primitive = "random", .entry = "random",
                                      .file = ls_cl_file_random,
                                      .parts = LS_CL_EXP | LS_CL_TRIG};
        ls_cl_add(&source.text, "#define LS_RANDOM_KIND %d\n#define LS_GROUP %d\n", (int)args->kind,
                  (int)group);
        ls_status status = ls_cl_build(device, &key, &source, &kernel);
        if (status != LS_OK)
            return status;
    }
    struct ls_cl_launch launch = ls_cl_begin(device, kernel);
    ls_cl_pass_buffer(&launch, args->dst);
    ls_cl_pass_buffer(&launch, args->step);
    ls_cl_pass_int(&launch, (cl_int)(uint32_t)args->seed);
    ls_cl_pass_int(&launch, (cl_int)(uint32_t)(args->seed >> 32));
    ls_cl_pass_int(&launch, (cl_int)args->stream);
    ls_cl_pass_long(&launch, args->n);
    size_t items = (size_t)((args->n + 3) / 4);
    return ls_cl_run(&launch, 1, (size_t[3]){(items + group - 1) / group, 1, 1},
                     (size_t[3]){group, 1, 1});
}
