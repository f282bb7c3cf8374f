/* SPDX-License-Identifier: Apache-2.0
 *
 * conv: gemm's own kernels over factors that shaders/conv.cl finds in images and kernels. The matrix of
 * patches is never whole: it exists by tiles in local memory, and no pass allocates anything.
 */
#include "opencl.h"
#include "tiles.h"

enum { ROWS = 8 }; /* of a wide work-item's tile */

/* What a kernel is compiled for. */
struct variant {
    bool wide;
    unsigned panel;             /* columns of a wide tile */
    const struct ls_tile *tile; /* that a group shares, else */
};

static struct variant variant_of(const struct ls_cl_device *device, int64_t m, int64_t n, int64_t groups)
{
    struct variant variant = {.panel = n <= 16 ? 16 : 32};
    cl_ulong needed = (cl_ulong)LS_CHAIN_BLOCK * (variant.panel + ROWS) * sizeof(float);
    variant.wide = device->wide && device->local_memory >= needed;
    variant.tile = ls_cl_tile(device, m, n, groups);
    return variant;
}

static ls_status find_kernel(struct ls_cl_device *device, const struct ls_conv_args *args,
                             const struct variant *variant, const struct ls_cl_kernel **kernel)
{
    struct ls_cl_key key = {.size = 0};
    bool bias = args->bias != NULL, activation = args->activation != LS_ROW_NONE;
    ls_cl_key_add(&key, LS_CL_CONV);
    ls_cl_key_add(&key, (unsigned)args->pass | (bias ? 4u : 0u) | (variant->wide ? 8u : 0u));
    ls_cl_key_add(&key, variant->wide ? variant->panel : (unsigned)(variant->tile - ls_tiles));
    ls_cl_key_add(&key, args->activation & 255u);
    ls_cl_key_add(&key, args->activation >> 8);
    *kernel = ls_cl_find(device, &key);
    if (*kernel != NULL)
        return LS_OK;

    struct ls_cl_source source = {.primitive = "conv", .entry = "conv", .file = ls_cl_file_gemm};
    if (activation)
        ls_cl_add_row(&source, args->activation);
    if (variant->wide)
        ls_cl_add(&source.text, "#define LS_GEMM_WIDE 1\n#define ROWS %d\n#define PANEL %u\n", ROWS, variant->panel);
    else
        ls_cl_add_tile(&source, variant->tile);
    ls_cl_add(&source.text,
              "#define LS_CONV 1\n#define LS_PASS %d\n#define LS_BIAS %d\n#define LS_ACTIVATION(x) %s%s(x)\n%s",
              (int)args->pass, bias, activation ? "row_" : "", activation ? ls_cl_row_name(args->activation) : "",
              ls_cl_file_conv);
    return ls_cl_build(device, &key, &source, kernel);
}

/* How many rows one wide work-item takes with its panel: see gemm.c. */
static int64_t rows_per_item(const struct ls_cl_device *device, int64_t m, int64_t panels)
{
    int64_t wanted = (int64_t)device->base.info.compute_units * 4;
    int64_t chunks = (wanted + panels - 1) / panels;
    int64_t rows = ((m + chunks - 1) / chunks + ROWS - 1) / ROWS * ROWS;
    return rows < 32 ? 32 : rows;
}

/* (in, out, size, stride, dilation) and (before, groups, channels, filters). */
static void pass_window(struct ls_cl_launch *launch, const struct ls_conv_args *args)
{
    const struct ls_window *w = &args->window;
    const int64_t *all[] = {w->in, w->out, w->size, w->stride, w->dilation};
    cl_int sizes[16] = {0}, steps[8] = {0};
    for (int d = 0; d < LS_SPATIAL; d++) {
        for (int i = 0; i < 5; i++)
            sizes[i * LS_SPATIAL + d] = (cl_int)all[i][d];
        steps[d] = (cl_int)w->before[d];
    }
    steps[3] = (cl_int)args->groups;
    steps[4] = (cl_int)args->channels;
    steps[5] = (cl_int)args->filters;
    ls_cl_pass(launch, sizeof sizes, sizes);
    ls_cl_pass(launch, sizeof steps, steps);
}

static int64_t product(const int64_t *sizes) { return sizes[0] * sizes[1] * sizes[2]; }

ls_status ls_cl_conv(struct ls_device *base, const struct ls_conv_args *args)
{
    struct ls_cl_device *device = ls_cl_device_of(base);
    const struct ls_window *w = &args->window;
    bool back = args->pass == LS_CONV_INPUT;
    int64_t windows = w->batch * product(back ? w->in : w->out);
    int64_t patch = product(w->size) * (back ? args->filters : args->channels);
    int64_t m = args->pass == LS_CONV_KERNEL ? patch : windows;
    int64_t k = args->pass == LS_CONV_KERNEL ? windows : patch;
    int64_t n = back ? args->channels : args->filters;
    struct variant variant = variant_of(device, m, n, args->groups);
    const struct ls_cl_kernel *kernel;
    ls_status status = find_kernel(device, args, &variant, &kernel);
    if (status != LS_OK)
        return status;

    struct ls_buffer *factors[3][3] = {
        [LS_CONV_FORWARD] = {args->input, args->kernel, args->output},
        [LS_CONV_INPUT] = {args->output, args->kernel, args->input},
        [LS_CONV_KERNEL] = {args->input, args->output, args->kernel},
    };
    struct ls_buffer *result = factors[args->pass][2];
    struct ls_cl_launch launch = ls_cl_begin(device, kernel);
    for (int i = 0; i < 3; i++) /* without terms there may be no factors, and they are not read */
        ls_cl_pass_buffer(&launch, factors[args->pass][i] ? factors[args->pass][i] : result);
    ls_cl_pass_buffer(&launch, args->bias != NULL ? args->bias : result);
    ls_cl_pass_long(&launch, m);
    ls_cl_pass_long(&launch, n);
    ls_cl_pass_long(&launch, k);
    pass_window(&launch, args);
    if (variant.wide) {
        int64_t panels = (n + variant.panel - 1) / variant.panel;
        int64_t rows = rows_per_item(device, m, panels * args->groups);
        ls_cl_pass_long(&launch, rows);
        size_t groups[3] = {(size_t)panels, (size_t)((m + rows - 1) / rows), (size_t)args->groups};
        return ls_cl_run(&launch, 3, groups, (size_t[3]){1, 1, 1});
    }
    const struct ls_tile *tile = variant.tile;
    size_t groups[3] = {(size_t)ls_tile_columns(tile, n), (size_t)ls_tile_rows(tile, m), (size_t)args->groups};
    return ls_cl_run(&launch, 3, groups, (size_t[3]){tile->x, tile->y, 1});
}
