/* SPDX-License-Identifier: Apache-2.0
 *
 * gemm by our own kernels, which are the definition on this backend; see also clblast.c.
 */
#include "opencl.h"
#include "tiles.h"

enum { ROWS = 8 }; /* of a wide work-item's tile, unless there is only one */

/* What a kernel is compiled for. */
struct variant {
    bool wide;
    unsigned rows, panel; /* of a wide tile */
    const struct ls_tile *tile; /* that a group shares, else */
    unsigned bias;        /* 0: none, 1: by column, 2: one number */
};

static struct ls_tile_limits limits_of(const struct ls_cl_device *device)
{
    return (struct ls_tile_limits){device->max_group, device->local_memory, device->base.info.compute_units,
                                   !device->fast_fma};
}

ls_status ls_cl_check_tile(struct ls_cl_device *device)
{
    struct ls_tile_limits limits = limits_of(device);
    return ls_tile_check(&limits, &device->base.message) ? LS_OK : LS_INVALID_ARGUMENT;
}

const struct ls_tile *ls_cl_tile(const struct ls_cl_device *device, int64_t m, int64_t n, int64_t batch)
{
    struct ls_tile_limits limits = limits_of(device);
    return ls_tile_choose(&limits, m, n, batch);
}

void ls_cl_add_tile(struct ls_cl_source *source, const struct ls_tile *tile)
{
    ls_cl_add(&source->text,
              "#define LS_GEMM_WIDE 0\n#define ITEMS_X %u\n#define ITEMS_Y %u\n#define PER_ROWS %u\n"
              "#define PER_COLUMNS %u\n#define DEPTH %u\n",
              tile->x, tile->y, tile->rows, tile->columns, tile->depth);
}

static struct variant variant_of(const struct ls_cl_device *device, const struct ls_gemm_args *args,
                                 unsigned bias)
{
    struct variant variant = {.bias = bias};
    variant.panel = args->n <= 16 ? 16 : 32;
    variant.rows = args->m == 1 ? 1 : ROWS;
    cl_ulong needed = (cl_ulong)LS_CHAIN_BLOCK * variant.panel * sizeof(float);
    variant.wide = device->wide && device->local_memory >= needed;
    variant.tile = ls_cl_tile(device, args->m, args->n, args->batch);
    return variant;
}

static ls_status find_kernel(struct ls_cl_device *device, const struct ls_gemm_args *args,
                             const struct variant *variant, const struct ls_cl_kernel **kernel)
{
    struct ls_cl_key key = {.size = 0};
    ls_cl_key_add(&key, LS_CL_GEMM);
    ls_cl_key_add(&key, (args->trans_a ? 1u : 0u) | (args->trans_b ? 2u : 0u) |
                            variant->bias << 2 | (variant->wide ? 16u : 0u));
    ls_cl_key_add(&key, variant->wide ? variant->panel + variant->rows : (unsigned)(variant->tile - ls_tiles));
    ls_cl_key_add(&key, args->activation & 255u);
    ls_cl_key_add(&key, args->activation >> 8);
    *kernel = ls_cl_find(device, &key);
    if (*kernel != NULL)
        return LS_OK;

    bool activation = args->activation != LS_ROW_NONE;
    struct ls_cl_source source = {.primitive = "gemm", .entry = "gemm", .file = ls_cl_file_gemm};
    if (activation)
        ls_cl_add_row(&source, args->activation);
    if (variant->wide)
        ls_cl_add(&source.text, "#define LS_GEMM_WIDE 1\n#define ROWS %u\n#define PANEL %u\n", variant->rows, variant->panel);
    else
        ls_cl_add_tile(&source, variant->tile);
    ls_cl_add(&source.text,
              "#define LS_CONV 0\n#define LS_TRANS_A %d\n#define LS_TRANS_B %d\n#define LS_BIAS %u\n"
              "#define LS_ACTIVATION(x) %s%s(x)\n",
              args->trans_a, args->trans_b, variant->bias, activation ? "row_" : "",
              activation ? ls_cl_row_name(args->activation) : "");
    return ls_cl_build(device, &key, &source, kernel);
}

/* How many rows one wide work-item takes with its panel: few enough that all compute units have some
 * items, many enough that packing the panel is small against using it. */
static int64_t rows_per_item(const struct ls_cl_device *device, const struct ls_gemm_args *args,
                             int64_t panels)
{
    int64_t wanted = (int64_t)device->base.info.compute_units * 4;
    int64_t chunks = (wanted + panels * args->batch - 1) / (panels * args->batch);
    int64_t rows = (args->m + chunks - 1) / chunks;
    rows = (rows + ROWS - 1) / ROWS * ROWS;
    return rows < 32 ? 32 : rows;
}

/* A single column is computed as a single row, C^T = op(B)^T op(A)^T, for vectors run along rows.
 * Factors change places in every product, which changes no bit. */
static struct ls_gemm_args column_as_row(const struct ls_gemm_args *args)
{
    struct ls_gemm_args row = *args;
    row.a = args->b;
    row.b = args->a;
    row.m = 1;
    row.n = args->m;
    row.stride_a = args->stride_b;
    row.stride_b = args->stride_a;
    row.trans_a = !args->trans_b;
    row.trans_b = !args->trans_a;
    return row;
}

ls_status ls_cl_gemm_own(struct ls_cl_device *device, const struct ls_gemm_args *args)
{
    struct ls_gemm_args turned;
    unsigned bias = args->bias != NULL ? 1 : 0;
    if (args->n == 1 && args->m > 1) {
        turned = column_as_row(args);
        args = &turned;
        bias *= 2;
    }
    struct variant variant = variant_of(device, args, bias);
    const struct ls_cl_kernel *kernel;
    ls_status status = find_kernel(device, args, &variant, &kernel);
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
    if (variant.wide) {
        int64_t panels = (args->n + variant.panel - 1) / variant.panel;
        int64_t rows = rows_per_item(device, args, panels);
        ls_cl_pass_long(&launch, rows);
        size_t groups[3] = {(size_t)panels, (size_t)((args->m + rows - 1) / rows),
                            (size_t)args->batch};
        return ls_cl_run(&launch, 3, groups, (size_t[3]){1, 1, 1});
    }
    const struct ls_tile *tile = variant.tile;
    size_t groups[3] = {(size_t)ls_tile_columns(tile, args->n), (size_t)ls_tile_rows(tile, args->m), (size_t)args->batch};
    return ls_cl_run(&launch, 3, groups, (size_t[3]){tile->x, tile->y, 1});
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
