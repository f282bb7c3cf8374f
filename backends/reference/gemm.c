/* SPDX-License-Identifier: Apache-2.0
 *
 * gemm: C = act(op(A) op(B) + bias), every output one CHAIN (canon rule 6).
 *
 * The unit of work is a panel: TILE_COLUMNS columns of C and some or all of its rows. A thread takes
 * neighbouring panels in groups. For each block of k it packs the group's part of B once, to
 * (k, TILE_COLUMNS) per panel; then it goes down the rows of A, which are read where they are, in
 * chunks that stay in the second level cache while all panels of the group use them. Where only
 * one tile would read it, B is read in place too. A product with few columns is computed as its
 * transpose: C^T = op(B)^T op(A)^T has the same chains.
 */
#include "gemm.h"

#include <string.h>

enum {
    PANEL = LS_CHAIN_BLOCK * TILE_COLUMNS,
    GROUP = 1 << 17,    /* elements of B that are packed at a time: 512 KiB */
    CHUNK = 1 << 16,    /* elements of A that a group goes over: 256 KiB */
    SMALL = 1 << 18,    /* multiplications below which a second thread does not pay */
    PACKING_ROWS = 48,  /* the fewest rows for which packing a panel pays */
    MANY_ROWS = 512,    /* so many per thread that packing a panel costs next to nothing */
};

struct gemm {
    const struct ls_gemm_args *args;
    float *packed;          /* GROUP elements per thread */
    struct matrix a, b;     /* of batch index 0, as they take part: exchanged if `swapped` */
    int64_t a_next, b_next; /* from one batch index to the next */
    int64_t m, n;
    int64_t across, down;   /* panels side by side and one below the other */
    int64_t rows;           /* of a panel */
    bool swapped;           /* m <= TILE_ROWS, and C is stored transposed */
};

void ISA(pack)(float *panel, struct matrix b, int64_t k, int64_t n, int64_t width)
{
    if (n < width) {
        memset(panel, 0, (size_t)(k * width) * sizeof *panel);
    }
    if (b.row == 1) {
        ISA(transpose)((const word *)b.at, b.column, (word *)panel, width, n, k);
    } else if (n == TILE_COLUMNS && b.column == 1) {
        for (int64_t p = 0; p < k; p++) {
            EACH(j, TILE_COLUMNS) panel[p * TILE_COLUMNS + (int64_t)j] = b.at[p * b.row + (int64_t)j];
        }
    } else {
        for (int64_t p = 0; p < k; p++) {
            for (int64_t j = 0; j < n; j++) {
                panel[p * width + j] = b.at[p * b.row + j * b.column];
            }
        }
    }
}

static void activate(uint16_t activation, float *c, int64_t n)
{
    if (activation != LS_ROW_NONE) {
        struct operand operand = {c, 1};
        ISA(rows)[activation]((size_t)n, &operand, c);
    }
}

void ISA(finish_tile)(const struct tile *tile, int64_t rows, const float *bias, uint16_t activation)
{
    if (!bias && activation == LS_ROW_NONE) {
        return;
    }
    float *c = tile->c;
    for (int64_t i = 0; i < rows; i++, c += tile->c_row) {
        if (bias) {
            EACH(j, tile->n) c[j] = c[j] + bias[j];
        }
        activate(activation, c, tile->n);
    }
}

/* The same for a tile of C^T, which then goes to C: c is (tile->n, gemm->m). */
static void finish_swapped(const struct gemm *gemm, const struct tile *tile, float *c)
{
    const struct ls_gemm_args *args = gemm->args;
    for (int64_t i = 0; i < gemm->m; i++) {
        float *sums = tile->c + i * tile->c_row;
        if (args->bias) {
            float bias = ((const float *)data_of(args->bias))[i];
            EACH(j, tile->n) sums[j] = sums[j] + bias;
        }
        activate(args->activation, sums, tile->n);
        for (int64_t j = 0; j < tile->n; j++) {
            c[j * gemm->m + i] = sums[j];
        }
    }
}

/* What a thread does at a time: `count` panels from column `column` on, rows [first, last). */
struct group {
    int64_t batch, column, count, first, last;
};

/* The part of B for a tile: packed, if this is the first time that it is used, or where it is. */
static void set_b(struct tile *tile, struct matrix b, float *packed, bool first, int64_t rows)
{
    int64_t width = tile->n > TILE_COLUMNS / 2 ? TILE_COLUMNS : TILE_COLUMNS / 2;
    if (tile->n == width && b.column == 1 && rows <= TILE_ROWS) {
        tile->b = b.at;
        tile->b_row = b.row;
        return;
    }
    if (first) {
        ISA(pack)(packed, b, tile->k, tile->n, width);
    }
    tile->b = packed;
    tile->b_row = width;
}

/* The tiles of a panel from `tile` down, for one block of k; `last` if it is the last one. c is the C
 * of this batch index. */
static void run_tiles(const struct gemm *gemm, struct tile *tile, int64_t rows, int64_t column,
                      bool last, float *c)
{
    tile_kernel *const *kernels = tile->n > TILE_COLUMNS / 2 ? ISA(wide_tiles) : ISA(narrow_tiles);
    for (int64_t i = 0; i < rows; i += TILE_ROWS) {
        int64_t count = rows - i < TILE_ROWS ? rows - i : TILE_ROWS;
        kernels[count](tile);
        if (last && gemm->swapped) {
            finish_swapped(gemm, tile, c + column * gemm->m);
        } else if (last) {
            const float *bias = gemm->args->bias ? data_of(gemm->args->bias) : NULL;
            ISA(finish_tile)(tile, count, bias ? bias + column : NULL, gemm->args->activation);
        }
        tile->a.at += count * tile->a.row;
        tile->c += count * tile->c_row;
    }
}

static void run_group(const struct gemm *gemm, const struct group *group, float *packed)
{
    int64_t depth = gemm->args->k;
    float turned[TILE_ROWS * TILE_COLUMNS]; /* the tile of C^T: the group is one panel then */
    float *c = (float *)data_of(gemm->args->c) + group->batch * gemm->m * gemm->n;
    struct matrix a = gemm->a, b = gemm->b;
    a.at += group->batch * gemm->a_next;
    b.at += group->batch * gemm->b_next;
    int64_t done = 0;
    do {
        int64_t k = depth - done < LS_CHAIN_BLOCK ? depth - done : LS_CHAIN_BLOCK;
        int64_t chunk = (CHUNK / TILE_ROWS / (k + 1) + 1) * TILE_ROWS;
        for (int64_t row = group->first; row < group->last; row += chunk) {
            int64_t rows = group->last - row < chunk ? group->last - row : chunk;
            for (int64_t g = 0; g < group->count; g++) {
                int64_t column = group->column + g * TILE_COLUMNS;
                int64_t n = gemm->n - column < TILE_COLUMNS ? gemm->n - column : TILE_COLUMNS;
                struct matrix left = {a.at + row * a.row + done * a.column, a.row, a.column};
                struct matrix right = {b.at + column * b.column + done * b.row, b.row, b.column};
                struct tile tile = {.a = left, .n = n, .k = k, .add = done > 0};
                tile.c = gemm->swapped ? turned : c + row * gemm->n + column;
                tile.c_row = gemm->swapped ? TILE_COLUMNS : gemm->n;
                set_b(&tile, right, packed + g * k * TILE_COLUMNS, row == group->first,
                      group->last - group->first);
                run_tiles(gemm, &tile, rows, column, done + k == depth, c);
            }
        }
        done += k;
    } while (done < depth);
}

/* Panels [begin, end) in the order (batch, down, across). */
static void gemm_part(const void *work, int thread, int64_t begin, int64_t end)
{
    const struct gemm *gemm = work;
    int64_t k = gemm->args->k < LS_CHAIN_BLOCK ? gemm->args->k : LS_CHAIN_BLOCK;
    int64_t most = gemm->swapped ? 1 : GROUP / (k * TILE_COLUMNS + 1);
    while (begin < end) {
        int64_t panel = begin % gemm->across;
        int64_t down = begin / gemm->across % gemm->down;
        struct group group = {.batch = begin / gemm->across / gemm->down,
                              .column = panel * TILE_COLUMNS,
                              .count = gemm->across - panel,
                              .first = down * gemm->rows,
                              .last = (down + 1) * gemm->rows};
        group.last = group.last < gemm->m ? group.last : gemm->m;
        group.count = group.count < end - begin ? group.count : end - begin;
        group.count = group.count < most ? group.count : most;
        run_group(gemm, &group, gemm->packed + (int64_t)thread * GROUP);
        begin += group.count;
    }
}

/* Orients the product, and cuts it so that the threads have about the same to do. */
static struct gemm plan(const struct ls_gemm_args *args, int threads)
{
    struct matrix a = {data_of(args->a), args->trans_a ? 1 : args->k, args->trans_a ? args->m : 1};
    struct matrix b = {data_of(args->b), args->trans_b ? 1 : args->n, args->trans_b ? args->k : 1};
    struct gemm gemm = {.args = args, .a = a, .b = b, .a_next = args->stride_a,
                        .b_next = args->stride_b, .m = args->m, .n = args->n};
    int64_t few = args->trans_a ? TILE_ROWS : TILE_ROWS * 2 / 3;
    if (args->n <= few && args->n < args->m) {
        gemm.swapped = true;
        gemm.a = (struct matrix){b.at, b.column, b.row};
        gemm.b = (struct matrix){a.at, a.column, a.row};
        gemm.a_next = args->stride_b;
        gemm.b_next = args->stride_a;
        gemm.m = args->n;
        gemm.n = args->m;
    }
    gemm.across = (gemm.n + TILE_COLUMNS - 1) / TILE_COLUMNS;
    gemm.down = gemm.m >= (int64_t)threads * MANY_ROWS && args->batch == 1 ? threads : 1;
    int64_t panels = args->batch * gemm.across;
    while (panels * gemm.down % threads && panels * gemm.down < 8 * threads &&
           gemm.m / (gemm.down + 1) >= PACKING_ROWS) {
        gemm.down++;
    }
    int64_t rows = (gemm.m + gemm.down - 1) / gemm.down;
    gemm.rows = (rows + TILE_ROWS - 1) / TILE_ROWS * TILE_ROWS;
    gemm.down = (gemm.m + gemm.rows - 1) / gemm.rows;
    return gemm;
}

ls_status ISA(gemm)(struct reference_device *device, const struct ls_gemm_args *args)
{
    struct gemm gemm = plan(args, device->threads);
    gemm.packed = ls_reference_scratch(device, (size_t)device->threads * GROUP * sizeof(float));
    if (!gemm.packed) {
        return LS_OUT_OF_MEMORY;
    }
    int64_t work = gemm.rows * TILE_COLUMNS * (args->k + 16);
    ls_reference_parallel(device, args->batch * gemm.across * gemm.down, SMALL / work + 1, gemm_part,
                          &gemm);
    return LS_OK;
}
