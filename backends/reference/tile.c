/* SPDX-License-Identifier: Apache-2.0
 *
 * The inner loop of gemm: a tile of C that stays in registers while k runs. Every sum is the
 * canonical chain, acc = fma(a, b, acc) with k ascending from +0; the vector lanes are columns.
 */
#include "gemm.h"

#include "prelude_c.h"
#include "canon.h"

LS_FN void multiply(int rows, int width, const struct tile *tile)
{
    float sum[TILE_ROWS][TILE_COLUMNS];
    const struct matrix a = tile->a;
    const float *b = tile->b;
    for (int i = 0; i < rows; i++) {
        EACH(j, TILE_COLUMNS) sum[i][j] = 0.0f;
    }
    for (int64_t p = 0; p < tile->k; p++, b += tile->b_row) {
        for (int i = 0; i < rows; i++) {
            float left = a.at[i * a.row + p * a.column];
            EACH(j, width) sum[i][j] = LS_FMA(left, b[j], sum[i][j]);
        }
    }
    /* A full tile is stored straight from the registers. */
    float *c = tile->c;
    for (int i = 0; i < rows; i++, c += tile->c_row) {
        if (tile->n == width && tile->add) {
            EACH(j, width) c[j] = c[j] + sum[i][j];
        } else if (tile->n == width) {
            EACH(j, width) c[j] = sum[i][j];
        } else {
            for (int64_t j = 0; j < tile->n; j++) {
                c[j] = tile->add ? c[j] + sum[i][j] : sum[i][j];
            }
        }
    }
}

#define WIDE(rows)                                                                                 \
    static void wide_##rows(const struct tile *tile) { multiply(rows, TILE_COLUMNS, tile); }
EVERY_ROW_COUNT(WIDE)
#undef WIDE

#define NARROW(rows)                                                                               \
    static void narrow_##rows(const struct tile *tile) { multiply(rows, TILE_COLUMNS / 2, tile); }
EVERY_ROW_COUNT(NARROW)
#undef NARROW

tile_kernel *const ISA(wide_tiles)[TILE_ROWS + 1] = {
#define ENTRY(rows) [rows] = wide_##rows,
    EVERY_ROW_COUNT(ENTRY)
#undef ENTRY
};

tile_kernel *const ISA(narrow_tiles)[TILE_ROWS + 1] = {
#define ENTRY(rows) [rows] = narrow_##rows,
    EVERY_ROW_COUNT(ENTRY)
#undef ENTRY
};
