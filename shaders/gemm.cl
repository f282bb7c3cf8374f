/* SPDX-License-Identifier: Apache-2.0
 *
 * gemm: C = act(op(A) op(B) + bias), every output one CHAIN over k (canon rule 6): within a block of
 * 1024, acc = fma(a_k, b_k, acc) from +0 with k ascending; block results are added in order.
 *
 *     LS_GEMM_WIDE      1: one work-item per group computes tiles of 8 rows with vectors (CPUs)
 *                       0: groups of 16 x 16 items share tiles in local memory (GPUs)
 *     LS_TRANS_A, LS_TRANS_B
 *     LS_BIAS           1: adds bias[column]
 *     LS_ACTIVATION(x)  the row after that
 */

#define BLOCK 1024

#if LS_BIAS
#define LS_FINISH(x, column) LS_ACTIVATION((x) + bias[column])
#else
#define LS_FINISH(x, column) LS_ACTIVATION(x)
#endif

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

/* Rows 0..7 of a tile, or only as many as the tile has. */
#define ROWS_8(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)
#define ROWS_4(X) X(0) X(1) X(2) X(3)
#define ROWS_2(X) X(0) X(1)
#define ROWS_1(X) X(0)

/* Stores up to 16 sums of one row, joined with the block results before (first == 0). */
LS_FN void ls_put(float16 sum, __global float *c, __global const float *bias, long column, int count,
                  int first, int last)
{
    if (count >= 16) {
        float16 value = sum;
        if (!first)
            value = vload16(0, c) + sum;
        if (last) {
#if LS_BIAS
            value = value + vload16(0, bias + column);
#endif
#if LS_HAS_ACTIVATION
            float rest[16];
            vstore16(value, 0, rest);
            for (int l = 0; l < 16; l++)
                rest[l] = LS_ACTIVATION(rest[l]);
            value = vload16(0, rest);
#endif
        }
        vstore16(value, 0, c);
    } else {
        float rest[16];
        vstore16(sum, 0, rest);
        for (int l = 0; l < count; l++) {
            float value = rest[l];
            if (!first)
                value = c[l] + value;
            c[l] = last ? LS_FINISH(value, column + l) : value;
        }
    }
}

#define DECLARE(r) float16 low##r = 0.0f, high##r = 0.0f;
#define STEP(r)                                                                                    \
    {                                                                                              \
        float x = LS_A(row + r, kk);                                                               \
        low##r = ls_fma16(x, low, low##r);                                                         \
        high##r = ls_fma16(x, high, high##r);                                                      \
    }
#define PUT(r)                                                                                     \
    ls_put(low##r, c + (row + r) * n + column, bias, column, count, first, last);                 \
    if (count > 16)                                                                                \
        ls_put(high##r, c + (row + r) * n + column + 16, bias, column + 16, count - 16, first, last);

#define TILE(rows)                                                                                 \
    LS_FN void ls_tile_##rows(__global const float *a, __local const float *panel,                 \
                              __global float *c, __global const float *bias, long m, long n,       \
                              long k, long row, long column, int count, long start, int length,    \
                              int first, int last)                                                 \
    {                                                                                              \
        ROWS_##rows(DECLARE)                                                                       \
        for (int i = 0; i < length; i++) {                                                         \
            long kk = start + i;                                                                   \
            float16 low = vload16(2 * i, panel), high = vload16(2 * i + 1, panel);                 \
            ROWS_##rows(STEP)                                                                      \
        }                                                                                          \
        ROWS_##rows(PUT)                                                                           \
    }

TILE(8)
TILE(4)
TILE(2)
TILE(1)

/* Groups: (column panels of 32, chunks of rows, batch). */
__kernel LS_LOCAL(1, 1) void gemm(__global const float *a, __global const float *b, __global float *c,
                                  __global const float *bias, long m, long n, long k, long stride_a,
                                  long stride_b, long chunk)
{
    __local float panel[BLOCK * 32]; /* op(B), this block's rows of k, 32 columns, padded with 0 */
    long batch = get_group_id(2);
    long column = (long)get_group_id(0) * 32;
    long from = (long)get_group_id(1) * chunk, to = LS_MIN(from + chunk, m);
    int count = (int)LS_MIN(n - column, 32L);
    a += batch * stride_a;
    b += batch * stride_b;
    c += batch * m * n;

    long start = 0;
    do {
        int length = (int)LS_MIN(k - start, (long)BLOCK);
        int first = start == 0, last = start + length >= k;
#if LS_TRANS_B
        for (int j = 0; j < 32; j++)
            for (int i = 0; i < length; i++)
                panel[i * 32 + j] = j < count ? LS_B(start + i, column + j) : 0.0f;
#else
        if (count == 32)
            for (int i = 0; i < length; i++) {
                vstore16(vload16(0, &LS_B(start + i, column)), 2 * i, panel);
                vstore16(vload16(1, &LS_B(start + i, column)), 2 * i + 1, panel);
            }
        else
            for (int i = 0; i < length; i++)
                for (int j = 0; j < 32; j++)
                    panel[i * 32 + j] = j < count ? LS_B(start + i, column + j) : 0.0f;
#endif
        long row = from;
        for (; row + 8 <= to; row += 8)
            ls_tile_8(a, panel, c, bias, m, n, k, row, column, count, start, length, first, last);
        if (to - row >= 4) {
            ls_tile_4(a, panel, c, bias, m, n, k, row, column, count, start, length, first, last);
            row += 4;
        }
        if (to - row >= 2) {
            ls_tile_2(a, panel, c, bias, m, n, k, row, column, count, start, length, first, last);
            row += 2;
        }
        if (to - row >= 1)
            ls_tile_1(a, panel, c, bias, m, n, k, row, column, count, start, length, first, last);
        start += BLOCK;
    } while (start < k);
}

#else

#define TILE 64  /* a group's rows and columns of C */
#define DEPTH 16 /* of k at a time; divides BLOCK */
#define PER 4    /* rows and columns of an item: 16 apart, so that accesses are next to each other */

/* Groups: (column tiles, row tiles, batch) of 16 x 16 items. */
__kernel LS_LOCAL(16, 16) void gemm(__global const float *a, __global const float *b,
                                    __global float *c, __global const float *bias, long m, long n,
                                    long k, long stride_a, long stride_b)
{
    __local float tile_a[DEPTH][TILE + 1], tile_b[DEPTH][TILE + 1];
    long batch = get_group_id(2);
    long column = (long)get_group_id(0) * TILE, row = (long)get_group_id(1) * TILE;
    int x = get_local_id(0), y = get_local_id(1), item = y * 16 + x;
    a += batch * stride_a;
    b += batch * stride_b;
    c += batch * m * n;

    float total[PER][PER], sum[PER][PER];
    for (int i = 0; i < PER; i++)
        for (int j = 0; j < PER; j++)
            total[i][j] = sum[i][j] = 0.0f;

    for (long start = 0; start < k; start += DEPTH) {
        int depth = (int)LS_MIN(k - start, (long)DEPTH);
        for (int i = item; i < DEPTH * TILE; i += 256) {
            /* Neighbouring items read neighbouring addresses. */
#if LS_TRANS_A
            int along = i % TILE, deep = i / TILE;
#else
            int along = i / DEPTH, deep = i % DEPTH;
#endif
            tile_a[deep][along] =
                deep < depth && row + along < m ? LS_A(row + along, start + deep) : 0.0f;
        }
        for (int i = item; i < DEPTH * TILE; i += 256) {
#if LS_TRANS_B
            int along = i / DEPTH, deep = i % DEPTH;
#else
            int along = i % TILE, deep = i / TILE;
#endif
            tile_b[deep][along] =
                deep < depth && column + along < n ? LS_B(start + deep, column + along) : 0.0f;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int deep = 0; deep < depth; deep++) {
            float bs[PER];
            for (int j = 0; j < PER; j++)
                bs[j] = tile_b[deep][x + 16 * j];
            for (int i = 0; i < PER; i++) {
                float as = tile_a[deep][y + 16 * i];
                for (int j = 0; j < PER; j++)
                    sum[i][j] = LS_FMA(as, bs[j], sum[i][j]);
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        /* The end of a block of 1024, or of k. */
        if ((start + DEPTH) % BLOCK == 0 || start + DEPTH >= k)
            for (int i = 0; i < PER; i++)
                for (int j = 0; j < PER; j++) {
                    total[i][j] = start < BLOCK ? sum[i][j] : total[i][j] + sum[i][j];
                    sum[i][j] = 0.0f;
                }
    }
    for (int i = 0; i < PER; i++)
        for (int j = 0; j < PER; j++) {
            long r = row + y + 16 * i, s = column + x + 16 * j;
            if (r < m && s < n)
                c[r * n + s] = LS_FINISH(total[i][j], s);
        }
}

#endif
