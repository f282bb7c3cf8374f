/* SPDX-License-Identifier: Apache-2.0
 *
 * gemm: C = act(op(A) op(B) + bias), every output one CHAIN over k (canon rule 6): within a block of
 * 1024, acc = fma(a_k, b_k, acc) from +0 with k ascending; block results are added in order.
 *
 *     LS_GEMM_WIDE      1: one work-item per group computes tiles of ROWS x PANEL with vectors (CPUs);
 *                          ROWS is 8 or 1, PANEL 32 or 16
 *                       0: groups of ITEMS_X x ITEMS_Y items share tiles in local memory, DEPTH of k at a time, and an
 *                          item has PER_ROWS x PER_COLUMNS results (GPUs; lib/core/tiles.c, as tile.glsl)
 *     LS_TRANS_A, LS_TRANS_B
 *     LS_BIAS           1: adds bias[column], 2: adds bias[0]
 *     LS_ACTIVATION(x)  the row after that
 *     LS_CONV           1: a convolution, whose factors conv.cl, read before this file, finds
 */

#define BLOCK 1024

#if LS_BIAS
#define LS_FINISH(x, column) LS_ACTIVATION((x) + bias[LS_BIAS == 1 ? (column) : 0])
#else
#define LS_FINISH(x, column) LS_ACTIVATION(x)
#endif

#if !LS_CONV
#define LS_KERNEL gemm
#define LS_MORE_PARAMETERS
#define LS_MORE_ARGUMENTS
#define LS_KERNEL_PARAMETERS , long stride_a, long stride_b
#define LS_START                                                                                   \
    a += batch * stride_a;                                                                         \
    b += batch * stride_b;                                                                         \
    c += batch * m * n;
#define LS_C_ROW n     /* elements from one row of C to the next */
#define LS_B_LINES 1   /* 16 values of k, from a multiple of 16 on, are neighbours if LS_TRANS_B */
/* Where a wide tile reads row r of A from, and the elements from one k to the next. */
#define LS_LEFT __global const float *
#define LS_LEFT_ROW(r) &LS_A(row + LS_MIN(r, rows - 1), start)
#define LS_LEFT_STEP (LS_TRANS_A ? m : 1)
#if LS_TRANS_A
#define LS_A(row, kk) a[(kk) * m + (row)]
#else
#define LS_A(row, kk) a[(row) * k + (kk)]
#endif
#if LS_TRANS_B
#define LS_B(kk, column) b[(column) * k + (kk)]
#else
#define LS_B(kk, column) b[(kk) * n + (column)]
#endif
#endif

#if LS_GEMM_WIDE

#if LS_EMULATE_FMA
LS_FN float16 ls_fma16(float a, float16 b, float16 c)
{
    float x[16], y[16];
    vstore16(b, 0, x);
    vstore16(c, 0, y);
    for (int l = 0; l < 16; l++)
        y[l] = LS_FMA(a, x[l], y[l]);
    return vload16(0, y);
}
#else
#define ls_fma16(a, b, c) fma((float16)(a), b, c)
#endif

/* Turns 16 rows of 16 into columns: four times, the rows of both halves are interleaved. */
LS_FN void ls_transpose(float16 *x)
{
    for (int round = 0; round < 4; round++) {
        float16 t[16];
        for (int i = 0; i < 8; i++) {
            t[2 * i].even = x[i].lo;
            t[2 * i].odd = x[i + 8].lo;
            t[2 * i + 1].even = x[i].hi;
            t[2 * i + 1].odd = x[i + 8].hi;
        }
        for (int i = 0; i < 16; i++)
            x[i] = t[i];
    }
}

/* panel (length, PANEL) = op(B)[start.., column..], with +0 where B has no more columns. */
LS_FN void ls_pack(__global const float *b, __local float *panel, long n, long k, long column,
                   int count, long start, int length LS_MORE_PARAMETERS)
{
#if LS_TRANS_B
    for (int j = 0; j < PANEL; j += 16) {
        int i = 0;
        for (; LS_B_LINES && i + 16 <= length && j + 16 <= count; i += 16) {
            float16 x[16];
            for (int l = 0; l < 16; l++)
                x[l] = vload16(0, &LS_B(start + i, column + j + l));
            ls_transpose(x);
            for (int l = 0; l < 16; l++)
                vstore16(x[l], 0, panel + (i + l) * PANEL + j);
        }
        for (; i < length; i++)
            for (int l = j; l < j + 16; l++)
                panel[i * PANEL + l] = l < count ? LS_B(start + i, column + l) : 0.0f;
    }
#else
    for (int i = 0; i < length; i++)
        if (count == PANEL) {
            for (int j = 0; j < PANEL; j += 16)
                vstore16(vload16(0, &LS_B(start + i, column + j)), 0, panel + i * PANEL + j);
        } else {
            for (int l = 0; l < PANEL; l++)
                panel[i * PANEL + l] = l < count ? LS_B(start + i, column + l) : 0.0f;
        }
#endif
}

/* Written out row by row, since not every compiler keeps an array of vectors in registers. */
#if ROWS == 8
#define EACH_ROW(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)
#else
#define EACH_ROW(X) X(0)
#endif
#if PANEL == 32
#define BOTH_HALVES(low, high) low high
#else
#define BOTH_HALVES(low, high) low
#endif
#define START_ROW(r)                                                                               \
    BOTH_HALVES(float16 low##r = 0.0f;, float16 high##r = 0.0f;)                                   \
    LS_LEFT x##r = LS_LEFT_ROW(r);
#define STEP_ROW(r)                                                                                \
    {                                                                                              \
        float value = x##r[i * LS_LEFT_STEP];                                                      \
        BOTH_HALVES(low##r = ls_fma16(value, b_low, low##r);                                       \
                    , high##r = ls_fma16(value, b_high, high##r);)                                 \
    }
#define STORE_ROW(r) BOTH_HALVES(vstore16(low##r, 0, sums[r]);, vstore16(high##r, 1, sums[r]);)

/* A tile of C: the products of one block of k, joined with the blocks before unless `first`, finished
 * if `last`. Where C has fewer than ROWS rows left, the last one is computed again and dropped. */
LS_FN void ls_tile(LS_LEFT a, __local const float *panel, __global float *c,
                   __global const float *bias, long m, long n, long k, long row, long column,
                   int count, long start, int length, int first, int last LS_MORE_PARAMETERS)
{
    int rows = (int)LS_MIN(m - row, (long)ROWS);
    EACH_ROW(START_ROW)
    for (int i = 0; i < length; i++) {
        BOTH_HALVES(float16 b_low = vload16(0, panel + i * PANEL);
                    , float16 b_high = vload16(1, panel + i * PANEL);)
        EACH_ROW(STEP_ROW)
    }
    float sums[ROWS][PANEL];
    EACH_ROW(STORE_ROW)
    for (int r = 0; r < rows; r++) {
        __global float *to = c + (row + r) * LS_C_ROW + column;
        if (!first)
            for (int l = 0; l < count; l++)
                sums[r][l] = to[l] + sums[r][l];
        if (last)
            for (int l = 0; l < count; l++)
                to[l] = LS_FINISH(sums[r][l], column + l);
        else
            for (int l = 0; l < count; l++)
                to[l] = sums[r][l];
    }
}

/* Groups: (column panels, chunks of rows: multiples of ROWS, batch). */
__kernel LS_LOCAL(1, 1) void LS_KERNEL(__global const float *a, __global const float *b,
                                       __global float *c, __global const float *bias, long m, long n,
                                       long k LS_KERNEL_PARAMETERS, long chunk)
{
    __local float panel[BLOCK * PANEL]; /* op(B): this block of k, these columns */
#if LS_CONV
    __local float patch[BLOCK * ROWS];  /* A: the same of some rows */
#endif
    long batch = get_group_id(2);
    long column = (long)get_group_id(0) * PANEL;
    long from = (long)get_group_id(1) * chunk, to = LS_MIN(from + chunk, m);
    int count = (int)LS_MIN(n - column, (long)PANEL);
    LS_START

    long start = 0;
    do {
        int length = (int)LS_MIN(k - start, (long)BLOCK);
        ls_pack(b, panel, n, k, column, count, start, length LS_MORE_ARGUMENTS);
        for (long row = from; row < to; row += ROWS) {
#if LS_CONV
            ls_gather(a, patch, row, (int)LS_MIN(m - row, (long)ROWS), start, length LS_MORE_ARGUMENTS);
            LS_LEFT left = patch;
#else
            LS_LEFT left = a;
#endif
            ls_tile(left, panel, c, bias, m, n, k, row, column, count, start, length, start == 0,
                    start + length >= k LS_MORE_ARGUMENTS);
        }
        start += BLOCK;
    } while (start < k);
}

#else

/* Written out, since an array stays in registers only where its indices are constants. */
#define EACH_OF_2(X, i) X(i, 0) X(i, 1)
#define EACH_OF_4(X, i) EACH_OF_2(X, i) X(i, 2) X(i, 3)
#define EACH_OF_8(X, i) EACH_OF_4(X, i) X(i, 4) X(i, 5) X(i, 6) X(i, 7)
#if PER_COLUMNS == 8
#define EACH_COLUMN EACH_OF_8
#elif PER_COLUMNS == 4
#define EACH_COLUMN EACH_OF_4
#else
#define EACH_COLUMN EACH_OF_2
#endif
#define EACH_ROW_OF_2(X) X(0) X(1)
#define EACH_ROW_OF_4(X) EACH_ROW_OF_2(X) X(2) X(3)
#define EACH_ROW_OF_8(X) EACH_ROW_OF_4(X) X(4) X(5) X(6) X(7)
#if PER_ROWS == 8
#define EACH_ROW EACH_ROW_OF_8
#elif PER_ROWS == 4
#define EACH_ROW EACH_ROW_OF_4
#else
#define EACH_ROW EACH_ROW_OF_2
#endif
#define CLEAR(i, j) sum[i][j] = 0.0f;
#define CLEAR_ROW(i) EACH_COLUMN(CLEAR, i)
#define LOAD(i, j) bs[j] = tile_b[deep][x + ITEMS_X * (j)]; /* ITEMS_X apart: items access neighbours */
#define STEP(i, j) sum[i][j] = LS_FMA(as, bs[j], sum[i][j]);
#define STEP_ROW(i)                                                                                \
    {                                                                                              \
        float as = tile_a[deep][y + ITEMS_Y * (i)];                                                \
        EACH_COLUMN(STEP, i)                                                                       \
    }
/* The end of a block of 1024, or of k. */
#define STORE(i, j)                                                                                \
    {                                                                                              \
        long r = row + y + ITEMS_Y * (i), s = column + x + ITEMS_X * (j);                          \
        if (r < m && s < n) {                                                                      \
            __global float *to = &c[r * LS_C_ROW + s];                                             \
            float value = start <= BLOCK ? sum[i][j] : *to + sum[i][j];                            \
            *to = start >= k ? LS_FINISH(value, s) : value;                                        \
        }                                                                                          \
    }
#define STORE_ROW(i) EACH_COLUMN(STORE, i)
#define ROWS (ITEMS_Y * PER_ROWS) /* of C, a group's */
#define COLUMNS (ITEMS_X * PER_COLUMNS)

/* Groups: (column tiles, row tiles, batch) of ITEMS_X x ITEMS_Y items. Beyond the edges the factors are +0, so the
 * inner loop is the same everywhere. What the blocks before have given waits in C, where each result has one owner. */
__kernel LS_LOCAL(ITEMS_X, ITEMS_Y) void LS_KERNEL(__global const float *a, __global const float *b,
                                    __global float *c, __global const float *bias, long m, long n,
                                    long k LS_KERNEL_PARAMETERS)
{
    __local float tile_a[DEPTH][ROWS + 1], tile_b[DEPTH][COLUMNS + 1];
    long batch = get_group_id(2);
    long column = (long)get_group_id(0) * COLUMNS, row = (long)get_group_id(1) * ROWS;
    int x = get_local_id(0), y = get_local_id(1), item = y * ITEMS_X + x;
    LS_START

    float sum[PER_ROWS][PER_COLUMNS];
    EACH_ROW(CLEAR_ROW)

    long start = 0;
    do {
        for (int i = item; i < DEPTH * ROWS; i += ITEMS_X * ITEMS_Y) {
            /* Neighbouring items read neighbouring addresses. */
#if LS_TRANS_A
            int along = i % ROWS, deep = i / ROWS;
#else
            int along = i / DEPTH, deep = i % DEPTH;
#endif
            tile_a[deep][along] =
                start + deep < k && row + along < m ? LS_A(row + along, start + deep) : 0.0f;
        }
        for (int i = item; i < DEPTH * COLUMNS; i += ITEMS_X * ITEMS_Y) {
#if LS_TRANS_B
            int along = i / DEPTH, deep = i % DEPTH;
#else
            int along = i % COLUMNS, deep = i / COLUMNS;
#endif
            tile_b[deep][along] =
                start + deep < k && column + along < n ? LS_B(start + deep, column + along) : 0.0f;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int deep = 0; deep < DEPTH; deep++) {
            float bs[PER_COLUMNS];
            EACH_COLUMN(LOAD, 0)
            EACH_ROW(STEP_ROW)
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        start += DEPTH;
        if (start % BLOCK == 0 || start >= k) {
            EACH_ROW(STORE_ROW)
            EACH_ROW(CLEAR_ROW)
        }
    } while (start < k);
}

#endif
