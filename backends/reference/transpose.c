/* SPDX-License-Identifier: Apache-2.0
 *
 * Transposition of 32-bit elements, for packing in gemm and for copy_nd.
 */
#include "slots.h"

#include <string.h>

enum { SIDE = 32 }; /* of the squares that are turned at a time: 2 x 4 KiB */

/* Four elements at any address. */
typedef float __attribute__((vector_size(16), aligned(4), may_alias)) four;

#if defined __clang__ || __GNUC__ >= 12
#define SHUFFLE(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#else
typedef int __attribute__((vector_size(16))) four_positions;
#define SHUFFLE(a, b, i, j, k, l) __builtin_shuffle(a, b, (four_positions){i, j, k, l})
#endif

static inline void transpose_4x4(const word *from, int64_t from_row, word *to, int64_t to_row)
{
    four a = *(const four *)from;
    four b = *(const four *)(from + from_row);
    four c = *(const four *)(from + 2 * from_row);
    four d = *(const four *)(from + 3 * from_row);
    four ab_low = SHUFFLE(a, b, 0, 4, 1, 5), ab_high = SHUFFLE(a, b, 2, 6, 3, 7);
    four cd_low = SHUFFLE(c, d, 0, 4, 1, 5), cd_high = SHUFFLE(c, d, 2, 6, 3, 7);
    *(four *)to = SHUFFLE(ab_low, cd_low, 0, 1, 4, 5);
    *(four *)(to + to_row) = SHUFFLE(ab_low, cd_low, 2, 3, 6, 7);
    *(four *)(to + 2 * to_row) = SHUFFLE(ab_high, cd_high, 0, 1, 4, 5);
    *(four *)(to + 3 * to_row) = SHUFFLE(ab_high, cd_high, 2, 3, 6, 7);
}

/* A square or what is left of one. */
static void transpose_part(const word *from, int64_t from_row, word *to, int64_t to_row, int64_t rows,
                           int64_t columns)
{
    int64_t i = 0;
    for (; i + 4 <= rows; i += 4) {
        int64_t j = 0;
        for (; j + 4 <= columns; j += 4) {
            transpose_4x4(from + i * from_row + j, from_row, to + j * to_row + i, to_row);
        }
        for (; j < columns; j++) {
            for (int64_t r = i; r < i + 4; r++) {
                to[j * to_row + r] = from[r * from_row + j];
            }
        }
    }
    for (; i < rows; i++) {
        for (int64_t j = 0; j < columns; j++) {
            to[j * to_row + i] = from[i * from_row + j];
        }
    }
}

void ISA(transpose)(const word *from, int64_t from_row, word *to, int64_t to_row, int64_t rows,
                    int64_t columns)
{
    /* Rows a multiple of 2 KiB apart compete for few places of the first level cache: then a square is
     * turned on the side and leaves in whole lines. */
    bool competing = to_row % 512 == 0;
    word side[SIDE * SIDE];
    for (int64_t i = 0; i < rows; i += SIDE) {
        int64_t height = rows - i < SIDE ? rows - i : SIDE;
        for (int64_t j = 0; j < columns; j += SIDE) {
            int64_t width = columns - j < SIDE ? columns - j : SIDE;
            const word *source = from + i * from_row + j;
            word *target = to + j * to_row + i;
            if (!competing) {
                transpose_part(source, from_row, target, to_row, height, width);
                continue;
            }
            transpose_part(source, from_row, side, SIDE, height, width);
            for (int64_t k = 0; k < width; k++) {
                memcpy(target + k * to_row, side + k * SIDE, (size_t)height * sizeof *side);
            }
        }
    }
}
