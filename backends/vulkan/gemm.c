/* SPDX-License-Identifier: Apache-2.0
 *
 * gemm: see shaders/tile.glsl.
 */
#include "vulkan.h"

struct ls_tile_limits ls_vk_tile_limits(const struct ls_vk_device *device)
{
    return (struct ls_tile_limits){device->limits.maxComputeWorkGroupInvocations, device->limits.maxComputeSharedMemorySize,
                                   device->base.info.compute_units,
                                   device->fma == LS_VK_FMA_INTEGER || device->few_results};
}

bool ls_vk_try_smaller(struct ls_vk_device *device, ls_status status)
{
    bool try = status == LS_COMPILE_ERROR && !device->few_results && device->fma != LS_VK_FMA_INTEGER;
    device->few_results = device->few_results || try;
    return try;
}

int64_t ls_vk_tile(const struct ls_vk_device *device, int64_t m, int64_t n, int64_t batch, struct ls_vk_key *key)
{
    struct ls_tile_limits limits = ls_vk_tile_limits(device);
    const struct ls_tile *tile = ls_tile_choose(&limits, m, n, batch);
    ls_vk_key_add(key, tile->x);
    ls_vk_key_add(key, tile->y);
    ls_vk_key_add(key, tile->rows);
    ls_vk_key_add(key, tile->columns);
    ls_vk_key_add(key, tile->depth);
    return ls_tile_rows(tile, m) * ls_tile_columns(tile, n) * batch;
}

/* What a launch computes: these rows and columns of these products, and these of their terms (the dimension k). */
struct box {
    int64_t batch, batches, row, rows, column, columns, term, terms;
};

/* A stored matrix (height, width), one for each number of the batch, and what a box takes of it. */
struct matrix {
    int64_t width, stride;
    int64_t row, rows, column, columns;
};

static struct matrix matrix_of(int64_t height, int64_t width, int64_t stride, int64_t row, int64_t rows, int64_t column,
                               int64_t columns, bool transposed)
{
    return transposed ? (struct matrix){height, stride, column, columns, row, rows}
                      : (struct matrix){width, stride, row, rows, column, columns};
}

static struct matrix a_of(const struct ls_gemm_args *args, const struct box *box)
{
    return matrix_of(args->m, args->k, args->stride_a, box->row, box->rows, box->term, box->terms, args->trans_a);
}

static struct matrix b_of(const struct ls_gemm_args *args, const struct box *box)
{
    return matrix_of(args->k, args->n, args->stride_b, box->term, box->terms, box->column, box->columns, args->trans_b);
}

static struct matrix c_of(const struct ls_gemm_args *args, const struct box *box)
{
    return matrix_of(args->m, args->n, args->m * args->n, box->row, box->rows, box->column, box->columns, false);
}

/* Elements that are bound. Several batches are taken whole. */
static int64_t elements(const struct matrix *matrix, const struct box *box)
{
    return (box->batches - 1) * matrix->stride + matrix->rows * matrix->columns;
}

static void bind(struct ls_vk_launch *launch, struct ls_vk_buffer *part, struct ls_buffer *buffer,
                 const struct matrix *matrix, const struct box *box, unsigned access)
{
    int64_t offset = box->batch * matrix->stride + matrix->row * matrix->width + matrix->column;
    ls_vk_bind(launch, ls_vk_box(part, buffer, offset * 4, matrix->rows, matrix->columns * 4, matrix->width * 4),
               elements(matrix, box) * 4, access);
}

static ls_status run_box(struct ls_vk_device *device, const struct ls_gemm_args *args, const struct box *box)
{
    struct ls_vk_key key = ls_vk_key_of(LS_VK_SHADER_gemm);
    ls_vk_key_add(&key, args->trans_a);
    ls_vk_key_add(&key, args->trans_b);
    int64_t groups = ls_vk_tile(device, box->rows, box->columns, box->batches, &key);
    ls_vk_key_add(&key, args->bias != NULL);
    ls_vk_key_add(&key, args->activation == LS_ROW_relu);
    const struct ls_vk_pipeline *pipeline;
    ls_status status = ls_vk_pipeline(device, "gemm", &key, 4, &pipeline);
    if (ls_vk_try_smaller(device, status))
        return run_box(device, args, box);
    if (status != LS_OK)
        return status;
    bool terms = args->k > 0; /* else there may be no factors, and they are not read */
    struct matrix a = a_of(args, box), b = b_of(args, box), c = c_of(args, box);
    struct ls_vk_buffer parts[4];
    struct ls_vk_launch launch = ls_vk_begin(device, pipeline);
    bind(&launch, &parts[0], terms ? args->a : NULL, &a, box, LS_VK_READ);
    bind(&launch, &parts[1], terms ? args->b : NULL, &b, box, LS_VK_READ);
    bind(&launch, &parts[2], args->c, &c, box, LS_VK_READ | LS_VK_WRITE);
    ls_vk_bind(&launch, ls_vk_part(&parts[3], args->bias, box->column * 4), box->columns * 4, LS_VK_READ);
    ls_vk_push(&launch, groups);
    ls_vk_push(&launch, box->rows);
    ls_vk_push(&launch, box->columns);
    ls_vk_push(&launch, args->k);
    ls_vk_push(&launch, box->batches > 1 ? args->stride_a : 0);
    ls_vk_push(&launch, box->batches > 1 ? args->stride_b : 0);
    ls_vk_push(&launch, box->term);
    ls_vk_push(&launch, box->terms);
    return ls_vk_run_parts(&launch, groups, box->term, box->term + box->terms, ls_vk_chain_part(device));
}

static ls_status run(struct ls_vk_device *device, const struct ls_gemm_args *args, const struct box *box);

/* Cuts `*count` of the box, from `*first` on, in two: as many as `half` for the first one. */
static ls_status run_halves(struct ls_vk_device *device, const struct ls_gemm_args *args, struct box *box,
                            int64_t *first, int64_t *count, int64_t half)
{
    int64_t all = *count;
    *count = half;
    ls_status status = run(device, args, box);
    *first += half;
    *count = all - half;
    return status == LS_OK ? run(device, args, box) : status;
}

/* What is too large to be bound is cut: the batch first, then a factor between the rows in which it is stored, so
 * that what is bound lies together; else what is bound is a copy. Of the terms whole blocks, for C keeps their sums;
 * they go before rows and columns that one group can share. */
static ls_status run(struct ls_vk_device *device, const struct ls_gemm_args *args, const struct box *all)
{
    enum { SIDE = 128 }; /* of the largest tile */
    struct box box = *all;
    struct matrix a = a_of(args, &box), b = b_of(args, &box), c = c_of(args, &box);
    bool a_fits = ls_vk_fits(device, elements(&a, &box), 4), b_fits = ls_vk_fits(device, elements(&b, &box), 4);
    bool c_fits = ls_vk_fits(device, elements(&c, &box), 4);
    if (a_fits && b_fits && c_fits)
        return run_box(device, args, &box);
    if (box.batches > 1)
        return run_halves(device, args, &box, &box.batch, &box.batches, box.batches / 2);
    bool terms = box.terms > LS_CHAIN_BLOCK && !(a_fits && b_fits);
    int64_t least = terms ? SIDE : 1;
    bool rows = box.rows > 1 && (!c_fits || (box.rows > least && !a_fits && !args->trans_a));
    bool columns = box.columns > 1 && (!c_fits || (box.columns > least && !b_fits && args->trans_b));
    if (!rows && !columns && !terms) { /* less than a block of long rows */
        rows = box.rows > 1 && !a_fits;
        columns = box.columns > 1 && !b_fits;
    }
    if (rows)
        return run_halves(device, args, &box, &box.row, &box.rows, ls_vk_middle(box.rows));
    if (columns)
        return run_halves(device, args, &box, &box.column, &box.columns, ls_vk_middle(box.columns));
    if (terms)
        return run_halves(device, args, &box, &box.term, &box.terms,
                          (box.terms / 2 + LS_CHAIN_BLOCK - 1) / LS_CHAIN_BLOCK * LS_CHAIN_BLOCK);
    return run_box(device, args, &box);
}

ls_status ls_vk_gemm(struct ls_device *base, const struct ls_gemm_args *args)
{
    struct ls_vk_device *device = ls_vk_device_of(base);
    struct box all = {0, args->batch, 0, args->m, 0, args->n, 0, args->k};
    ls_status status = run(device, args, &all);
    if (status == LS_OK && args->activation != LS_ROW_relu)
        status = ls_vk_activate(device, args->activation, args->c, args->batch * args->m * args->n);
    return status;
}
