/* SPDX-License-Identifier: Apache-2.0
 *
 * conv: each pass is a product of matrices, one per group, whose outputs are CHAINs (canon rule 7).
 *
 *     FORWARD  output (windows, filters) = patches of the input (windows, j c)  x  kernel (j c, filters)
 *     INPUT    input (windows, channels) = patches of the output (windows, j f) x  kernel (j f, channels)
 *     KERNEL   kernel (j c, filters)     = patches of the input (j c, windows)  x  output (windows, filters)
 *
 * The matrix of patches is never whole. A task is a range of rows of the product, and of its columns;
 * for each block of k it packs the right factor once, to panels as gemm does, and then goes down its
 * rows in chunks: gathers the patches of a chunk, and runs gemm's tiles over it. The workspace of a
 * thread is PANELS + CHUNK elements (768 KiB), and that of all threads one table per dimension.
 */
#include "conv.h"
#include "gemm.h"

enum {
    PANELS = 1 << 17,  /* elements of the right factor that are packed at a time: 512 KiB */
    CHUNK = 1 << 16,   /* elements of patches that are gathered at a time: 256 KiB */
    SPACING = 16,      /* keeps rows of a chunk from competing for the same places of the cache */
    SMALL = 1 << 18,   /* multiplications below which a second thread does not pay */
};

struct conv {
    const struct ls_conv_args *args;
    struct patches patches;
    const float *images; /* that the patches are of */
    float *packed;       /* PANELS + CHUNK per thread */
    int64_t m, n, k;     /* of a group's product */
    int64_t rows, columns, down, across; /* of a task; tasks below and beside each other */
};

/* What a task computes: rows [first, last) and columns [left, right) of a group's product. */
struct part {
    int64_t group, first, last, left, right;
};

/* Rows [row, row + rows) of the left factor, positions [from, from + k): (rows, k) with spacing, or for
 * the kernel gradient (k, rows). */
static struct matrix gather(const struct conv *v, int64_t group, int64_t row, int64_t rows, int64_t from,
                            int64_t k, float *to)
{
    if (k == 0) {
        return (struct matrix){to, 0, 0};
    }
    const float *images = v->images + group * v->patches.channels;
    bool kernel = v->args->pass == LS_CONV_KERNEL;
    struct window_at at = ISA(window_at)(&v->patches, kernel ? from : row);
    int64_t count = kernel ? k : rows, step = kernel ? rows : k + SPACING;
    int64_t first = kernel ? row : from, last = kernel ? row + rows : from + k;
    for (int64_t i = 0; i < count; i++) {
        ISA(copy_patch)(&v->patches, images, &at, first, last, to + i * step);
        ISA(window_next)(&v->patches, &at);
    }
    return (struct matrix){to, kernel ? 1 : step, kernel ? step : 1};
}

/* n columns from `column` on of positions [from, from + k) of the right factor, as a panel. */
static void pack_panel(const struct conv *v, int64_t group, int64_t column, int64_t n, int64_t from,
                       int64_t k, int64_t width, float *panel)
{
    const struct ls_conv_args *args = v->args;
    int64_t row = args->groups * args->filters;
    if (args->pass != LS_CONV_INPUT) {
        bool forward = args->pass == LS_CONV_FORWARD;
        const float *right = data_of(forward ? args->kernel : args->output);
        right += from * row + group * args->filters + column;
        ISA(pack)(panel, (struct matrix){right, row, 1}, k, n, width);
        return;
    }
    /* (j, channels, filters) as (j filters, channels) */
    const float *kernel = (const float *)data_of(args->kernel) + group * args->filters;
    for (int64_t end = from + k; from < end;) {
        int64_t j = from / args->filters, f = from % args->filters;
        int64_t count = args->filters - f < end - from ? args->filters - f : end - from;
        const float *right = kernel + (j * args->channels + column) * row + f;
        ISA(pack)(panel, (struct matrix){right, 1, row}, count, n, width);
        panel += count * width;
        from += count;
    }
}

/* The result's element (0, 0) of a group, and the elements from row to row. */
static float *result(const struct ls_conv_args *args, int64_t group, int64_t *row)
{
    if (args->pass == LS_CONV_INPUT) {
        *row = args->groups * args->channels;
        return (float *)data_of(args->input) + group * args->channels;
    }
    *row = args->groups * args->filters;
    return (float *)data_of(args->pass == LS_CONV_FORWARD ? args->output : args->kernel) + group * args->filters;
}

/* The tiles of one chunk and panel, from `tile` down. */
static void run_tiles(const struct conv *v, struct tile *tile, int64_t rows, bool last, const float *bias)
{
    tile_kernel *const *kernels = tile->n > TILE_COLUMNS / 2 ? ISA(wide_tiles) : ISA(narrow_tiles);
    for (int64_t i = 0; i < rows; i += TILE_ROWS) {
        int64_t count = rows - i < TILE_ROWS ? rows - i : TILE_ROWS;
        kernels[count](tile);
        if (last) {
            ISA(finish_tile)(tile, count, bias, v->args->activation);
        }
        tile->a.at += count * tile->a.row;
        tile->c += count * tile->c_row;
    }
}

/* One block of k over a part that is no wider than the packed panels. */
static void run_block(const struct conv *v, const struct part *part, int64_t from, int64_t k, float *packed)
{
    float *chunk = packed + PANELS;
    int64_t most = CHUNK / (k + SPACING) / TILE_ROWS * TILE_ROWS, c_row;
    float *c = result(v->args, part->group, &c_row);
    const float *bias = v->args->bias ? data_of(v->args->bias) : NULL;
    for (int64_t row = part->first; row < part->last; row += most) {
        int64_t rows = part->last - row < most ? part->last - row : most;
        struct matrix a = gather(v, part->group, row, rows, from, k, chunk);
        float *panel = packed;
        for (int64_t column = part->left; column < part->right; column += TILE_COLUMNS) {
            int64_t n = part->right - column < TILE_COLUMNS ? part->right - column : TILE_COLUMNS;
            int64_t width = n > TILE_COLUMNS / 2 ? TILE_COLUMNS : TILE_COLUMNS / 2;
            if (row == part->first) {
                pack_panel(v, part->group, column, n, from, k, width, panel);
            }
            struct tile tile = {.a = a, .b = panel, .b_row = width, .c = c + row * c_row + column,
                                .c_row = c_row, .n = n, .k = k, .add = from > 0};
            run_tiles(v, &tile, rows, from + k == v->k, bias ? bias + part->group * v->n + column : NULL);
            panel += k * width;
        }
    }
}

static void run_part(const struct conv *v, struct part part, float *packed)
{
    int64_t block = v->k < LS_CHAIN_BLOCK ? v->k + 1 : LS_CHAIN_BLOCK;
    int64_t width = PANELS / (block * TILE_COLUMNS) * TILE_COLUMNS, right = part.right;
    for (; part.left < right; part.left += width) {
        part.right = right - part.left < width ? right : part.left + width;
        int64_t done = 0;
        do {
            int64_t k = v->k - done < LS_CHAIN_BLOCK ? v->k - done : LS_CHAIN_BLOCK;
            run_block(v, &part, done, k, packed);
            done += k;
        } while (done < v->k);
    }
}

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* Tasks [begin, end) in the order (group, down, across). */
static void conv_part(const void *work, int thread, int64_t begin, int64_t end)
{
    const struct conv *v = work;
    for (; begin < end; begin++) {
        int64_t across = begin % v->across, down = begin / v->across % v->down;
        struct part part = {.group = begin / v->across / v->down,
                            .first = down * v->rows,
                            .last = least((down + 1) * v->rows, v->m),
                            .left = across * v->columns,
                            .right = least((across + 1) * v->columns, v->n)};
        run_part(v, part, v->packed + (int64_t)thread * (PANELS + CHUNK));
    }
}

/* Cuts the products so that the threads have about the same to do. */
static void cut(struct conv *v, int threads)
{
    int64_t pieces = v->args->groups % threads ? threads : 1;
    v->rows = ((v->m + pieces - 1) / pieces + TILE_ROWS - 1) / TILE_ROWS * TILE_ROWS;
    v->down = (v->m + v->rows - 1) / v->rows;
    pieces = (pieces + v->down - 1) / v->down;
    v->columns = ((v->n + pieces - 1) / pieces + TILE_COLUMNS - 1) / TILE_COLUMNS * TILE_COLUMNS;
    v->across = (v->n + v->columns - 1) / v->columns;
}

static int64_t product(const int64_t *sizes) { return sizes[0] * sizes[1] * sizes[2]; }

ls_status ISA(conv)(struct reference_device *device, const struct ls_conv_args *args)
{
    const struct ls_window *window = &args->window;
    bool back = args->pass == LS_CONV_INPUT;
    if (args->channels == 1 && args->filters == 1) {
        return ISA(conv_depthwise)(device, args);
    }
    size_t tables = (size_t)ISA(patches_tables)(window, back) * sizeof(int32_t);
    tables = (tables + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    char *scratch = ls_reference_scratch(device, tables + (size_t)device->threads * (PANELS + CHUNK) * sizeof(float));
    if (!scratch) {
        return LS_OUT_OF_MEMORY;
    }
    struct conv v = {.args = args, .images = data_of(back ? args->output : args->input)};
    v.packed = (float *)(void *)(scratch + tables);
    ISA(patches_init)(&v.patches, window, back, back ? args->filters : args->channels, args->groups,
                      (int32_t *)(void *)scratch);
    int64_t windows = window->batch * product(back ? window->in : window->out);
    v.m = args->pass == LS_CONV_KERNEL ? v.patches.size : windows;
    v.k = args->pass == LS_CONV_KERNEL ? windows : v.patches.size;
    v.n = back ? args->channels : args->filters;
    cut(&v, device->threads);
    int64_t work = v.rows * v.columns * (v.k + 16);
    ls_reference_parallel(device, args->groups * v.down * v.across, SMALL / work + 1, conv_part, &v);
    return LS_OK;
}
