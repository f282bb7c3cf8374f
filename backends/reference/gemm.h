/* SPDX-License-Identifier: Apache-2.0
 *
 * What gemm.c, which cuts a product into tiles, and tile.c, which computes one, share. Also the
 * sizes of a tile: as many sums as the registers hold besides a row of B and one element of A.
 */
#ifndef LS_REFERENCE_GEMM_H
#define LS_REFERENCE_GEMM_H

#include "slots.h"

#if defined __AVX512F__ /* 32 registers of 16: 24 sums */
enum { TILE_ROWS = 12, TILE_COLUMNS = 32 };
#define EVERY_ROW_COUNT(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12)
#elif defined __AVX2__ || defined __aarch64__ /* 16 of 8: 12 sums, or 32 of 4: 24 sums */
enum { TILE_ROWS = 6, TILE_COLUMNS = 16 };
#define EVERY_ROW_COUNT(X) X(1) X(2) X(3) X(4) X(5) X(6)
#else
enum { TILE_ROWS = 4, TILE_COLUMNS = 16 };
#define EVERY_ROW_COUNT(X) X(1) X(2) X(3) X(4)
#endif

/* A matrix as it lies in memory: element (i, j) is at[i * row + j * column]. */
struct matrix {
    const float *at;
    int64_t row, column;
};

/* A tile of C: rows of A (rows, k) times columns of B (k, width), whose rows are contiguous and
 * b_row apart. Stores n <= width columns to c, or adds them to what is there, as the blocks of a CHAIN
 * are added. */
struct tile {
    struct matrix a;
    const float *b;
    float *c;
    int64_t b_row, c_row, k, n;
    bool add;
};
typedef void tile_kernel(const struct tile *tile);

/* One kernel per count of rows, for B of TILE_COLUMNS and of half as many columns. */
extern tile_kernel *const ISA(wide_tiles)[TILE_ROWS + 1];
extern tile_kernel *const ISA(narrow_tiles)[TILE_ROWS + 1];

/* Copies n columns of k rows of B to a panel that is `width` wide; the rest of it is +0. */
void ISA(pack)(float *panel, struct matrix b, int64_t k, int64_t n, int64_t width);

/* Bias (of the tile's columns, or NULL) and activation over its finished rows, while they are hot. */
void ISA(finish_tile)(const struct tile *tile, int64_t rows, const float *bias, uint16_t activation);

#endif
