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
 * A group of SIDE x SIDE items shares a tile of each factor, and an item has PER x PER results, SIDE apart.
 * What the blocks before have given waits in C, where each result has one owner; a launch takes k from `start_k`,
 * a multiple of the block, to `end_k`. */
layout(local_size_x_id = 2, local_size_y_id = 3) in;
layout(constant_id = 4) const bool LS_BIAS = false;
layout(constant_id = 5) const bool LS_RELU = false;

#define SIDE gl_WorkGroupSize.x

const uint PER = 4u; /* rows and columns of an item */
const uint DEPTH = 16u; /* of k at a time; divides the block */
const uint BLOCK = 1024u;

shared float tile_a[DEPTH * (SIDE * PER + 1u)];
shared float tile_b[DEPTH * (SIDE * PER + 1u)];

/* Adds the sums of a block to what is in C, unless it is the first one, and ends with the last one. */
void ls_store(uint row, uint column, float sum[PER * PER], bool first, bool last)
{
    for (uint i = 0u; i < PER; i++)
        for (uint j = 0u; j < PER; j++) {
            uint r = row + SIDE * i;
            uint s = column + SIDE * j;
            if (r < m && s < n) {
                uint at = ls_c(r, s);
                float value = sum[i * PER + j];
                if (!first)
                    value = LS_FLOAT(c[at]) + value;
                if (LS_BIAS && last)
                    value = value + LS_FLOAT(bias[ls_bias(s)]);
                if (LS_RELU && last)
                    value = LS_SELECT(value <= 0.0f, 0.0f, value);
                c[at] = LS_BITS(value);
            }
        }
}

void ls_tile(uint group)
{
    uint width = SIDE * PER;
    uint pitch = width + 1u;
    uint columns = (n + width - 1u) / width;
    uint rows = (m + width - 1u) / width;
    uint batch = group / (columns * rows);
    uint place = group - batch * columns * rows;
    uint row = place / columns * width;
    uint column = (place - place / columns * columns) * width;
    uint x = gl_LocalInvocationID.x;
    uint y = gl_LocalInvocationID.y;
    uint item = y * SIDE + x;
    ls_start(batch);

    float sum[PER * PER];
    for (uint i = 0u; i < PER * PER; i++)
        sum[i] = 0.0f;
    if (k == 0u)
        ls_store(row + y, column + x, sum, true, true);
    for (uint start = start_k; start < end_k; start += DEPTH) {
        uint depth = min(k - start, DEPTH);
        for (uint i = item; i < DEPTH * width; i += SIDE * SIDE) {
            uint along = LS_A_ALONG ? i % width : i / DEPTH;
            uint deep = LS_A_ALONG ? i / width : i % DEPTH;
            float a = 0.0f;
            if (deep < depth && row + along < m)
                a = ls_a(row + along, start + deep);
            tile_a[deep * pitch + along] = a;
        }
        for (uint i = item; i < DEPTH * width; i += SIDE * SIDE) {
            uint along = LS_B_ALONG ? i % width : i / DEPTH;
            uint deep = LS_B_ALONG ? i / width : i % DEPTH;
            float b = 0.0f;
            if (deep < depth && column + along < n)
                b = ls_b(start + deep, column + along);
            tile_b[deep * pitch + along] = b;
        }
        barrier();
        for (uint deep = 0u; deep < depth; deep++) {
            float bs[PER];
            for (uint j = 0u; j < PER; j++)
                bs[j] = tile_b[deep * pitch + x + SIDE * j];
            for (uint i = 0u; i < PER; i++) {
                float as = tile_a[deep * pitch + y + SIDE * i];
                for (uint j = 0u; j < PER; j++)
                    sum[i * PER + j] = LS_FMA(as, bs[j], sum[i * PER + j]);
            }
        }
        barrier();
        bool last = start + DEPTH >= k;
        if ((start + DEPTH) % BLOCK == 0u || last) {
            ls_store(row + y, column + x, sum, start < BLOCK, last);
            for (uint i = 0u; i < PER * PER; i++)
                sum[i] = 0.0f;
        }
    }
}
