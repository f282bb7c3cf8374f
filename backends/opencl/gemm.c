/* SPDX-License-Identifier: Apache-2.0
 *
 * gemm by our own kernels, which are the definition on this backend; see also clblast.c.
 */
#include "opencl.h"

enum {
    PANEL = 32,  /* columns of a wide work-item, as in gemm.cl */
    TILE = 64,   /* rows and columns of a group of 16 x 16 items */
};

static ls_status find_kernel(struct ls_cl_device *device, const struct ls_gemm_args *args,
                             const struct ls_cl_kernel **kernel)
{
    struct ls_cl_key key = {.size = 0};
    ls_cl_key_add(&key, LS_CL_GEMM);
    ls_cl_key_add(&key, (args->trans_a ? 1u : 0u) | (args->trans_b ? 2u : 0u) |
                            (args->bias != NULL ? 4u : 0u) | (device->wide ? 8u : 0u));
    ls_cl_key_add(&key, args->activation & 255u);
    ls_cl_key_add(&key, args->activation >> 8);
    *kernel = ls_cl_find(device, &key);
    if (*kernel != NULL)
        return LS_OK;

    bool activation = args->activation != LS_ROW_NONE;
    struct ls_cl_text text = {.data = NULL};
    unsigned parts = activation ? ls_cl_add_row(&text, args->activation) : 0;
    ls_cl_add(&text,
              "#define LS_GEMM_WIDE %d\n#define LS_TRANS_A %d\n#define LS_TRANS_B %d\n"
              "#define LS_BIAS %d\n#define LS_HAS_ACTIVATION %d\n"
              "#define LS_ACTIVATION(x) %s%s(x)\n",
              device->wide, args->trans_a, args->trans_b, args->bias != NULL, activation,
              activation ? "row_" : "", activation ? ls_cl_row_name(args->activation) : "");
    return ls_cl_build(device, &key, "gemm", "gemm", parts, &text, ls_cl_file_gemm, kernel);
}

/* How many rows one wide work-item takes with its panel: few enough that all compute units have some
 * items, many enough that packing the panel is small against using it. */
static int64_t rows_per_item(const struct ls_cl_device *device, const struct ls_gemm_args *args)
{
    int64_t panels = (args->n + PANEL - 1) / PANEL * args->batch;
    int64_t wanted = (int64_t)device->base.info.compute_units * 4;
    int64_t chunks = (wanted + panels - 1) / panels;
    int64_t rows = (args->m + chunks - 1) / chunks;
    rows = (rows + 7) / 8 * 8;
    return rows < 32 ? 32 : rows;
}

ls_status ls_cl_gemm_own(struct ls_cl_device *device, const struct ls_gemm_args *args)
{
    const struct ls_cl_kernel *kernel;
    ls_status status = find_kernel(device, args, &kernel);
    if (status != LS_OK)
        return status;
    struct ls_cl_launch launch = ls_cl_begin(device, kernel);
    ls_cl_pass_buffer(&launch, args->a);
    ls_cl_pass_buffer(&launch, args->b);
    ls_cl_pass_buffer(&launch, args->c);
    ls_cl_pass_buffer(&launch, args->bias != NULL ? args->bias : args->a); /* not read then */
    ls_cl_pass_long(&launch, args->m);
    ls_cl_pass_long(&launch, args->n);
    ls_cl_pass_long(&launch, args->k);
    ls_cl_pass_long(&launch, args->stride_a);
    ls_cl_pass_long(&launch, args->stride_b);
    if (device->wide) {
        int64_t rows = rows_per_item(device, args);
        ls_cl_pass_long(&launch, rows);
        size_t groups[3] = {(size_t)((args->n + PANEL - 1) / PANEL),
                            (size_t)((args->m + rows - 1) / rows), (size_t)args->batch};
        return ls_cl_run(&launch, 3, groups, (size_t[3]){1, 1, 1});
    }
    size_t groups[3] = {(size_t)((args->n + TILE - 1) / TILE),
                        (size_t)((args->m + TILE - 1) / TILE), (size_t)args->batch};
    return ls_cl_run(&launch, 3, groups, (size_t[3]){16, 16, 1});
}

ls_status ls_cl_gemm(struct ls_device *base, const struct ls_gemm_args *args)
{
    struct ls_cl_device *device = ls_cl_device_of(base);
    if (device->gemm == LS_CL_GEMM_UNDECIDED) {
        ls_status status = ls_cl_gemm_decide(device);
        if (status != LS_OK)
            return status;
    }
    /* CLBlast refuses empty products; ours gives +0 for k == 0. */
    if (device->gemm == LS_CL_GEMM_CLBLAST && args->k > 0)
        return ls_cl_gemm_clblast(device, args);
    return ls_cl_gemm_own(device, args);
}
