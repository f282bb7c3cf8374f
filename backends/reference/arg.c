/* SPDX-License-Identifier: Apache-2.0
 *
 * argmax and argmin over the middle of (outer, r, inner): the position of the first greatest or least
 * element, canon rule 10. Compiled once per instruction set; reduce.c calls it.
 */
#include "slots.h"

#include <limits.h>

#include "prelude_c.h"
#include "canon.h"

enum {
    TILE = 256, /* columns of one task */
    SHORT = 32, /* rows up to here are turned into columns */
};

LS_FN float more_extreme(float a, float b, bool least)
{
    int better = least ? b < a : b > a;
    return LS_SELECT(better, b, a);
}

LS_FN int lesser(int a, int b)
{
    return LS_SELECT(b < a, b, a);
}

/* The least position among the lanes that hold the extreme. No lane does if all are NaN, as they are
 * where the row's first element is: then that is the position. */
LS_FN int first_of_extreme(const float *best, int *position, bool least)
{
    float lane[LS_REDUCE_LANES];
    EACH(l, 32) lane[l] = more_extreme(best[l], best[l + 32], least);
    EACH(l, 16) lane[l] = more_extreme(lane[l], lane[l + 16], least);
    EACH(l, 8) lane[l] = more_extreme(lane[l], lane[l + 8], least);
    EACH(l, 4) lane[l] = more_extreme(lane[l], lane[l + 4], least);
    EACH(l, 2) lane[l] = more_extreme(lane[l], lane[l + 2], least);
    float extreme = more_extreme(lane[0], lane[1], least);
    EACH(l, LS_REDUCE_LANES) position[l] = LS_SELECT(best[l] == extreme, position[l], INT_MAX);
    EACH(l, 32) position[l] = lesser(position[l], position[l + 32]);
    EACH(l, 16) position[l] = lesser(position[l], position[l + 16]);
    EACH(l, 8) position[l] = lesser(position[l], position[l + 8]);
    EACH(l, 4) position[l] = lesser(position[l], position[l + 4]);
    EACH(l, 2) position[l] = lesser(position[l], position[l + 2]);
    int first = lesser(position[0], position[1]);
    return first == INT_MAX ? 0 : first;
}

/* Along a row, in lanes: every lane starts from the first element and keeps the first of equals. */
LS_FN int row_position(const float *x, int64_t r, bool least)
{
    float best[LS_REDUCE_LANES];
    int position[LS_REDUCE_LANES];
    int64_t whole = r / LS_REDUCE_LANES * LS_REDUCE_LANES;
    EACH(l, LS_REDUCE_LANES)
    {
        best[l] = x[0];
        position[l] = 0;
    }
    for (int64_t i = 0; i < whole; i += LS_REDUCE_LANES) {
        EACH(l, LS_REDUCE_LANES)
        {
            float value = x[i + (int64_t)l];
            int better = least ? value < best[l] : value > best[l];
            position[l] = LS_SELECT(better, (int)i + (int)l, position[l]);
            best[l] = LS_SELECT(better, value, best[l]);
        }
    }
    for (int64_t l = 0; l < r - whole; l++) {
        float value = x[whole + l];
        if (least ? value < best[l] : value > best[l]) {
            position[l] = (int)(whole + l);
            best[l] = value;
        }
    }
    return first_of_extreme(best, position, least);
}

/* Down n columns of r rows that are `inner` apart. */
LS_FN void column_positions(const float *x, int *y, int64_t r, int64_t inner, int64_t n, bool least)
{
    float best[TILE];
    int position[TILE];
    EACH(j, n)
    {
        best[j] = x[j];
        position[j] = 0;
    }
    for (int64_t k = 1; k < r; k++) {
        const float *row = x + k * inner;
        int at = (int)k;
        EACH(j, n)
        {
            int better = least ? row[j] < best[j] : row[j] > best[j];
            position[j] = LS_SELECT(better, at, position[j]);
            best[j] = LS_SELECT(better, row[j], best[j]);
        }
    }
    EACH(j, n) y[j] = position[j];
}

/* Short rows as columns, so that vectors are full: a square of them is transposed at a time. */
static void short_rows(const float *x, int *y, int64_t rows, int64_t r, bool least)
{
    float turned[SHORT * TILE];
    for (int64_t o = 0; o < rows; o += TILE) {
        int64_t n = rows - o < TILE ? rows - o : TILE;
        ISA(transpose)((const word *)(x + o * r), r, (word *)turned, TILE, n, r);
        if (least) {
            column_positions(turned, y + o, r, TILE, n, true);
        } else {
            column_positions(turned, y + o, r, TILE, n, false);
        }
    }
}

static void rows_part(const void *work, int thread, int64_t begin, int64_t end)
{
    const struct ls_reduce_args *args = work;
    const float *x = (const float *)data_of(args->src) + begin * args->r;
    int *y = (int *)data_of(args->dst) + begin;
    bool least = args->op == LS_REDUCE_ARGMIN;
    (void)thread;
    if (args->r <= SHORT && end - begin >= 8) {
        short_rows(x, y, end - begin, args->r, least);
        return;
    }
    for (int64_t o = 0; o < end - begin; o++, x += args->r) {
        y[o] = least ? row_position(x, args->r, true) : row_position(x, args->r, false);
    }
}

static void columns_part(const void *work, int thread, int64_t begin, int64_t end)
{
    const struct ls_reduce_args *args = work;
    const float *x = data_of(args->src);
    int *y = data_of(args->dst);
    int64_t tiles = (args->inner + TILE - 1) / TILE;
    (void)thread;
    for (int64_t task = begin; task < end; task++) {
        int64_t o = task / tiles, column = task % tiles * TILE;
        int64_t n = args->inner - column < TILE ? args->inner - column : TILE;
        const float *top = x + o * args->r * args->inner + column;
        int *to = y + o * args->inner + column;
        if (args->op == LS_REDUCE_ARGMIN) {
            column_positions(top, to, args->r, args->inner, n, true);
        } else {
            column_positions(top, to, args->r, args->inner, n, false);
        }
    }
}

ls_status ISA(arg)(struct reference_device *device, const struct ls_reduce_args *args)
{
    int64_t grain = PARALLEL_WORK / args->r + 1;
    if (args->inner == 1) {
        ls_reference_parallel(device, args->outer, grain, rows_part, args);
    } else {
        int64_t columns = args->inner < TILE ? args->inner : TILE;
        int64_t tiles = (args->inner + TILE - 1) / TILE;
        ls_reference_parallel(device, args->outer * tiles, grain / columns + 1, columns_part, args);
    }
    return LS_OK;
}
