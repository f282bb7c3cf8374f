/* SPDX-License-Identifier: Apache-2.0
 *
 * C = op(A) op(B) + bias, every output one CHAIN over k (canon rule 6): within a block of 1024,
 * acc = fma(a_k, b_k, acc) from +0 with k ascending; block results are added in order. The includer
 * defines, for the matrix number `batch`:
 *
 *     ls_a(row, kk), ls_b(kk, column)   the factors
 *     ls_c(row, column)                 where the result goes
 *     LS_A_ALONG, LS_B_ALONG            whether neighbours in memory are rows of A, columns of B (else k)
 *
 * A group of ITEMS_X x ITEMS_Y items shares a tile of each factor, DEPTH of k at a time; beyond the edges there is
 * +0, so the inner loop is the same everywhere. An item has PER_ROWS x PER_COLUMNS results in registers, ITEMS_Y and
 * ITEMS_X apart, so that items access neighbours. What the blocks before have given waits in C, where each result has
 * one owner; a launch takes k from `start_k`, a multiple of the block, to `end_k`.
 *
 * `sum` stays in one function: glslang passes an array whose size is a specialization constant to another by
 * copying its first element only. */
layout(local_size_x_id = 2, local_size_y_id = 3) in;
layout(constant_id = 4) const uint PER_ROWS = 4u;
layout(constant_id = 5) const uint PER_COLUMNS = 4u;
layout(constant_id = 6) const uint DEPTH = 16u; /* divides the block */
layout(constant_id = 7) const bool LS_BIAS = false;
layout(constant_id = 8) const bool LS_RELU = false;

#define ITEMS_X gl_WorkGroupSize.x
#define ITEMS_Y gl_WorkGroupSize.y
const uint ROWS = ITEMS_Y * PER_ROWS;
const uint COLUMNS = ITEMS_X * PER_COLUMNS;
const uint BLOCK = 1024u;

shared float tile_a[DEPTH * (ROWS + 1u)]; /* one more, so that what is written k by k meets other banks */
shared float tile_b[DEPTH * (COLUMNS + 1u)];

/* The factors at `start` of k. Neighbouring items read neighbouring addresses. */
void ls_load(uint item, uint row, uint column, uint start)
{
    for (uint i = item; i < DEPTH * ROWS; i += ITEMS_X * ITEMS_Y) {
        uint along = LS_A_ALONG ? i % ROWS : i / DEPTH;
        uint deep = LS_A_ALONG ? i / ROWS : i % DEPTH;
        float value = 0.0f;
        if (start + deep < k && row + along < m)
            value = ls_a(row + along, start + deep);
        tile_a[deep * (ROWS + 1u) + along] = value;
    }
    for (uint i = item; i < DEPTH * COLUMNS; i += ITEMS_X * ITEMS_Y) {
        uint along = LS_B_ALONG ? i % COLUMNS : i / DEPTH;
        uint deep = LS_B_ALONG ? i / COLUMNS : i % DEPTH;
        float value = 0.0f;
        if (start + deep < k && column + along < n)
            value = ls_b(start + deep, column + along);
        tile_b[deep * (COLUMNS + 1u) + along] = value;
    }
}

/* Adds the sum of a block to what is in C, unless it is the first one, and ends with the last one. */
void ls_store(uint row, uint column, float value, bool first, bool last)
{
    if (row >= m || column >= n)
        return;
    uint at = ls_c(row, column);
    if (!first)
        value = LS_FLOAT(c[at]) + value;
    if (LS_BIAS && last)
        value = value + LS_FLOAT(bias[ls_bias(column)]);
    if (LS_RELU && last)
        value = LS_SELECT(value <= 0.0f, 0.0f, value);
    c[at] = LS_BITS(value);
}

void ls_tile(uint group)
{
    uint columns = (n + COLUMNS - 1u) / COLUMNS;
    uint rows = (m + ROWS - 1u) / ROWS;
    uint batch = group / (columns * rows);
    uint place = group - batch * columns * rows;
    uint row = place / columns * ROWS;
    uint column = (place - place / columns * columns) * COLUMNS;
    uint x = gl_LocalInvocationID.x;
    uint y = gl_LocalInvocationID.y;
    ls_start(batch);

    float sum[PER_ROWS * PER_COLUMNS];
    [[unroll]] for (uint i = 0u; i < PER_ROWS; i++)
        [[unroll]] for (uint j = 0u; j < PER_COLUMNS; j++)
            sum[i * PER_COLUMNS + j] = 0.0f;
    uint start = start_k;
    do {
        ls_load(y * ITEMS_X + x, row, column, start);
        barrier();
        for (uint deep = 0u; deep < DEPTH; deep++) {
            float bs[PER_COLUMNS];
            [[unroll]] for (uint j = 0u; j < PER_COLUMNS; j++)
                bs[j] = tile_b[deep * (COLUMNS + 1u) + x + ITEMS_X * j];
            [[unroll]] for (uint i = 0u; i < PER_ROWS; i++) {
                float as = tile_a[deep * (ROWS + 1u) + y + ITEMS_Y * i];
                [[unroll]] for (uint j = 0u; j < PER_COLUMNS; j++)
                    sum[i * PER_COLUMNS + j] = LS_FMA(as, bs[j], sum[i * PER_COLUMNS + j]);
            }
        }
        barrier();
        start += DEPTH;
        if (start % BLOCK == 0u || start >= k)
            [[unroll]] for (uint i = 0u; i < PER_ROWS; i++)
                [[unroll]] for (uint j = 0u; j < PER_COLUMNS; j++) {
                    ls_store(row + y + ITEMS_Y * i, column + x + ITEMS_X * j, sum[i * PER_COLUMNS + j], start <= BLOCK, start >= k);
                    sum[i * PER_COLUMNS + j] = 0.0f;
                }
    } while (start < end_k);
}
