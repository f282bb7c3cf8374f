/* SPDX-License-Identifier: Apache-2.0
 *
 * reduce: rows (inner == 1) block by block until one value is left, columns (inner > 1) as chains.
 */
#include "opencl.h"

static bool is_place(enum ls_reduce_op op)
{
    return op == LS_REDUCE_ARGMAX || op == LS_REDUCE_ARGMIN;
}

/* The kernel for the last dimension (along_rows) or for the middle one. */
static ls_status find_kernel(struct ls_cl_device *device, const struct ls_reduce_args *args,
                             bool along_rows, const struct ls_cl_kernel **kernel)
{
    struct ls_cl_key key = {.size = 0};
    ls_cl_key_add(&key, LS_CL_REDUCE);
    ls_cl_key_add(&key, (unsigned)args->op << 3 | (args->dtype == LS_INT32 ? 4u : 0u) |
                            (along_rows ? 2u : 0u) | (device->wide ? 1u : 0u));
    *kernel = ls_cl_find(device, &key);
    if (*kernel != NULL)
        return LS_OK;
    struct ls_cl_source source = {
        .primitive = "reduce",
        .entry = !along_rows ? "columns" : is_place(args->op) ? "places" : "rows",
        .file = ls_cl_file_reduce,
    };
    ls_cl_add(&source.text,
              "#define LS_REDUCE_OP %d\n#define LS_REDUCE_INT %d\n#define LS_REDUCE_WIDE %d\n",
              (int)args->op, args->dtype == LS_INT32, device->wide);
    return ls_cl_build(device, &key, &source, kernel);
}

static ls_status reduce_rows(struct ls_cl_device *device, const struct ls_reduce_args *args)
{
    const struct ls_cl_kernel *kernel;
    ls_status status = find_kernel(device, args, true, &kernel);
    if (status != LS_OK)
        return status;
    size_t local[3] = {device->wide ? 1 : 64, 1, 1};
    if (is_place(args->op)) {
        struct ls_cl_launch launch = ls_cl_begin(device, kernel);
        ls_cl_pass_buffer(&launch, args->src);
        ls_cl_pass_buffer(&launch, args->dst);
        ls_cl_pass_long(&launch, args->r);
        return ls_cl_run(&launch, 1, (size_t[3]){(size_t)args->outer, 1, 1}, local);
    }

    const struct ls_buffer *src = args->src;
    int64_t r = args->r;
    for (int pass = 0;; pass++) {
        int64_t blocks = r == 0 ? 1 : (r + LS_REDUCE_BLOCK - 1) / LS_REDUCE_BLOCK;
        struct ls_buffer *dst = args->dst;
        if (blocks > 1) {
            status = ls_cl_scratch(device, pass % LS_CL_SCRATCH,
                                   (size_t)(args->outer * blocks) * 4, &dst);
            if (status != LS_OK)
                return status;
        }
        struct ls_cl_launch launch = ls_cl_begin(device, kernel);
        ls_cl_pass_buffer(&launch, src);
        ls_cl_pass_buffer(&launch, dst);
        ls_cl_pass_long(&launch, r);
        ls_cl_pass_long(&launch, blocks);
        status = ls_cl_run(&launch, 2, (size_t[3]){(size_t)blocks, (size_t)args->outer, 1}, local);
        if (status != LS_OK || blocks == 1)
            return status;
        src = dst;
        r = blocks;
    }
}

/* How many parts to cut r into: one, unless the columns alone leave the device idle. */
static int64_t parts_of(const struct ls_cl_device *device, const struct ls_reduce_args *args,
                        int64_t column_groups)
{
    int64_t blocks = (args->r + LS_CHAIN_BLOCK - 1) / LS_CHAIN_BLOCK;
    int64_t wanted = (int64_t)device->base.info.compute_units * (device->wide ? 2 : 8);
    return blocks > 1 && column_groups * args->outer < wanted ? blocks : 1;
}

static ls_status reduce_columns(struct ls_cl_device *device, const struct ls_reduce_args *args)
{
    const struct ls_cl_kernel *kernel;
    ls_status status = find_kernel(device, args, false, &kernel);
    if (status != LS_OK)
        return status;
    size_t local[3] = {device->wide ? 1 : 64, 1, 1};
    int64_t group = device->wide ? 16 : 64;
    int64_t column_groups = (args->inner + group - 1) / group;
    size_t groups[3] = {(size_t)column_groups, 1, (size_t)args->outer};
    if (is_place(args->op)) {
        struct ls_cl_launch launch = ls_cl_begin(device, kernel);
        ls_cl_pass_buffer(&launch, args->src);
        ls_cl_pass_buffer(&launch, args->dst);
        ls_cl_pass_long(&launch, args->r);
        ls_cl_pass_long(&launch, args->inner);
        return ls_cl_run(&launch, 3, groups, local);
    }

    int64_t parts = parts_of(device, args, column_groups);
    struct ls_buffer *dst = args->dst;
    if (parts > 1) {
        status = ls_cl_scratch(device, 0, (size_t)(args->outer * parts * args->inner) * 4, &dst);
        if (status != LS_OK)
            return status;
    }
    struct ls_cl_launch launch = ls_cl_begin(device, kernel);
    ls_cl_pass_buffer(&launch, args->src);
    ls_cl_pass_buffer(&launch, dst);
    ls_cl_pass_long(&launch, args->r);
    ls_cl_pass_long(&launch, args->inner);
    ls_cl_pass_long(&launch, parts > 1 ? LS_CHAIN_BLOCK : args->r);
    ls_cl_pass_long(&launch, parts);
    ls_cl_pass_int(&launch, 0);
    groups[1] = (size_t)parts;
    status = ls_cl_run(&launch, 3, groups, local);
    if (status != LS_OK || parts == 1)
        return status;

    launch = ls_cl_begin(device, kernel);
    ls_cl_pass_buffer(&launch, dst);
    ls_cl_pass_buffer(&launch, args->dst);
    ls_cl_pass_long(&launch, parts);
    ls_cl_pass_long(&launch, args->inner);
    ls_cl_pass_long(&launch, parts);
    ls_cl_pass_long(&launch, 1);
    ls_cl_pass_int(&launch, 1);
    groups[1] = 1;
    return ls_cl_run(&launch, 3, groups, local);
}

ls_status ls_cl_reduce(struct ls_device *base, const struct ls_reduce_args *args)
{
    struct ls_cl_device *device = ls_cl_device_of(base);
    return args->inner == 1 ? reduce_rows(device, args) : reduce_columns(device, args);
}
