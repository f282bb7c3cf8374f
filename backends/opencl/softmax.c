/* SPDX-License-Identifier: Apache-2.0
 *
 * softmax and sparse_xent, each in one launch.
 */
#include "opencl.h"

/* What shaders/softmax.cl calls LS_SOFTMAX_KIND. */
enum kind { KIND_SOFTMAX, KIND_LOG_SOFTMAX, KIND_LOSS, KIND_LOSS_AND_PROBABILITIES };

/* Longer rows have more than one level of block results: the composed form handles them. */
#define LONGEST_ROW ((int64_t)LS_REDUCE_BLOCK * LS_REDUCE_LANES)

static ls_status find_kernel(struct ls_cl_device *device, enum kind kind,
                             const struct ls_cl_kernel **kernel)
{
    struct ls_cl_key key = {.size = 0};
    ls_cl_key_add(&key, LS_CL_SOFTMAX);
    ls_cl_key_add(&key, (unsigned)kind | (device->wide ? 4u : 0u));
    *kernel = ls_cl_find(device, &key);
    if (*kernel != NULL)
        return LS_OK;
    struct ls_cl_source source = {
        .primitive = kind >= KIND_LOSS ? "sparse_xent" : "softmax",
        .entry = "softmax",
        .file = ls_cl_file_softmax,
        .parts = LS_CL_EXP | LS_CL_FAULT,
    };
    ls_cl_add(&source.text, "#define LS_SOFTMAX_KIND %d\n#define LS_SOFTMAX_WIDE %d\n", (int)kind,
              device->wide);
    return ls_cl_build(device, &key, &source, kernel);
}

ls_status ls_cl_softmax(struct ls_device *base, const struct ls_softmax_args *args)
{
    struct ls_cl_device *device = ls_cl_device_of(base);
    const struct ls_cl_kernel *kernel;
    if (args->r > LONGEST_ROW)
        return LS_UNSUPPORTED;
    ls_status status = find_kernel(device, args->log ? KIND_LOG_SOFTMAX : KIND_SOFTMAX, &kernel);
    if (status != LS_OK)
        return status;
    struct ls_cl_launch launch = ls_cl_begin(device, kernel);
    ls_cl_pass_buffer(&launch, args->src);
    ls_cl_pass_buffer(&launch, args->dst);
    ls_cl_pass_long(&launch, args->r);
    return ls_cl_run(&launch, 1, (size_t[3]){(size_t)args->outer, 1, 1},
                     (size_t[3]){device->wide ? 1 : 64, 1, 1});
}

ls_status ls_cl_sparse_xent(struct ls_device *base, const struct ls_sparse_xent_args *args)
{
    struct ls_cl_device *device = ls_cl_device_of(base);
    const struct ls_cl_kernel *kernel;
    if (args->r > LONGEST_ROW)
        return LS_UNSUPPORTED;
    ls_status status = find_kernel(
        device, args->probabilities != NULL ? KIND_LOSS_AND_PROBABILITIES : KIND_LOSS, &kernel);
    if (status != LS_OK)
        return status;
    struct ls_cl_launch launch = ls_cl_begin(device, kernel);
    ls_cl_pass_buffer(&launch, args->logits);
    ls_cl_pass_buffer(&launch, args->probabilities != NULL ? args->probabilities : args->loss);
    ls_cl_pass_long(&launch, args->r);
    ls_cl_pass_buffer(&launch, args->labels);
    ls_cl_pass_buffer(&launch, args->loss);
    ls_cl_pass(&launch, sizeof device->faults, &device->faults);
    ls_cl_pass_int(&launch, ls_cl_next_fault_call(device));
    return ls_cl_run(&launch, 1, (size_t[3]){(size_t)args->outer, 1, 1},
                     (size_t[3]){device->wide ? 1 : 64, 1, 1});
}
