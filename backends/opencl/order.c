/* SPDX-License-Identifier: Apache-2.0
 *
 * scan: one item per column. sort: passes of a sorting network that takes rows of any length.
 */
#include "opencl.h"
#include "tiles.h"

static ls_status find_kernel(struct ls_cl_device *device, bool sort, bool ints, unsigned variant,
                             size_t group, const struct ls_cl_kernel **kernel)
{
    struct ls_cl_key key = {.size = 0};
    ls_cl_key_add(&key, LS_CL_ORDER);
    ls_cl_key_add(&key, (sort ? 1u : 0u) | (ints ? 2u : 0u) | variant << 2);
    *kernel = ls_cl_find(device, &key);
    if (*kernel != NULL)
        return LS_OK;
    struct ls_cl_source source = {.primitive = sort ? "sort" : "scan",
                                  .entry = sort ? "sort" : "scan",
                                  .file = ls_cl_file_order};
    ls_cl_add(&source.text,
              "#define LS_ORDER %d\n#define LS_INTS %d\n#define LS_KIND %u\n#define LS_DESCENDING %u\n"
              "#define LS_GROUP %d\n",
              sort, ints, variant, variant, (int)group);
    return ls_cl_build(device, &key, &source, kernel);
}

static size_t group_of(const struct ls_cl_device *device)
{
    return device->max_group < 64 ? device->max_group : 64;
}

ls_status ls_cl_scan(struct ls_device *base, const struct ls_scan_args *args)
{
    struct ls_cl_device *device = ls_cl_device_of(base);
    size_t group = group_of(device);
    unsigned kind = args->factor && args->addend ? 0 : args->factor ? 1 : 2;
    const struct ls_cl_kernel *kernel;
    ls_status status = find_kernel(device, false, args->dtype == LS_INT32, kind, group, &kernel);
    if (status != LS_OK)
        return status;
    int64_t columns = args->outer * args->inner;
    struct ls_cl_launch launch = ls_cl_begin(device, kernel);
    ls_cl_pass_buffer(&launch, args->factor ? args->factor : args->addend);
    ls_cl_pass_buffer(&launch, args->addend ? args->addend : args->factor);
    ls_cl_pass_buffer(&launch, args->dst);
    ls_cl_pass_long(&launch, columns);
    ls_cl_pass_long(&launch, args->r);
    ls_cl_pass_long(&launch, args->inner);
    ls_cl_pass_int(&launch, args->reverse);
    ls_cl_pass_int(&launch, args->exclusive);
    return ls_cl_run(&launch, 1, (size_t[3]){((size_t)columns + group - 1) / group, 1, 1},
                     (size_t[3]){group, 1, 1});
}

static ls_status run_pass(struct ls_cl_device *device, const struct ls_cl_kernel *kernel,
                          const struct ls_sort_args *args, const struct ls_sort_pass *pass)
{
    size_t group = group_of(device);
    int64_t pairs = args->outer * (args->r - pass->distance);
    struct ls_cl_launch launch = ls_cl_begin(device, kernel);
    ls_cl_pass_buffer(&launch, args->src);
    ls_cl_pass_buffer(&launch, args->dst);
    ls_cl_pass_long(&launch, pairs);
    ls_cl_pass_long(&launch, args->r);
    ls_cl_pass_int(&launch, (cl_int)pass->bit);
    ls_cl_pass_int(&launch, (cl_int)pass->rest);
    ls_cl_pass_int(&launch, (cl_int)pass->distance);
    return ls_cl_run(&launch, 1, (size_t[3]){((size_t)pairs + group - 1) / group, 1, 1},
                     (size_t[3]){group, 1, 1});
}

ls_status ls_cl_sort(struct ls_device *base, const struct ls_sort_args *args)
{
    struct ls_cl_device *device = ls_cl_device_of(base);
    const struct ls_cl_kernel *kernel;
    ls_status status = find_kernel(device, true, args->dtype == LS_INT32, args->descending,
                                   group_of(device), &kernel);
    struct ls_sort_pass pass = {0};
    while (status == LS_OK && ls_sort_next(args->r, &pass))
        status = run_pass(device, kernel, args, &pass);
    return status;
}
