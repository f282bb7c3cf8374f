/* SPDX-License-Identifier: Apache-2.0
 *
 * Data that moves: copy, gather, scatter_add, count. LS_ELEMENT is uint, ushort or uchar; copies move bits.
 */

#if LS_MOVE == 0

/* copy_nd, as map: LS_COPY_ROWS 1: the first index is the last dimension, which both read densely. */
#if LS_COPY_LARGE
typedef ulong ls_index;
typedef long ls_offset;
#define LS_COPY_QUOTIENT(d) (rest / extent.s##d)
__kernel LS_LOCAL(LS_GROUP, 1) void copy(__global const LS_ELEMENT *src, __global LS_ELEMENT *dst,
                                         ulong n, long src_offset, long dst_offset,
                                         long8 src_stride, long8 dst_stride, ulong8 extent)
#else
typedef uint ls_index;
typedef int ls_offset;
#define LS_COPY_QUOTIENT(d) ls_quotient(rest, multiplier.s##d, shift.s##d)
__kernel LS_LOCAL(LS_GROUP, 1) void copy(__global const LS_ELEMENT *src, __global LS_ELEMENT *dst,
                                         ulong n, long src_offset, long dst_offset,
                                         int8 src_stride, int8 dst_stride, uint8 extent,
                                         uint8 multiplier, uint8 shift)
#endif
{
    size_t x = get_global_id(0);
    ls_index rest = LS_COPY_ROWS ? (ls_index)get_global_id(1) : (ls_index)x;
    ls_offset at, from = 0, to = 0;
#define LS_COPY_SPLIT(d)                                                                           \
    {                                                                                              \
        ls_index quotient = LS_COPY_QUOTIENT(d);                                                   \
        at = (ls_offset)(rest - quotient * extent.s##d);                                           \
        from += at * src_stride.s##d;                                                              \
        to += at * dst_stride.s##d;                                                                \
        rest = quotient;                                                                           \
    }
    LS_COPY_LOCATE
    from += (ls_offset)rest * src_stride.s0;
    to += (ls_offset)rest * dst_stride.s0;
    if (x < n) {
#if LS_COPY_ROWS
        (dst + (dst_offset + to))[x] = (src + (src_offset + from))[x];
#else
        dst[dst_offset + to] = src[src_offset + from];
#endif
    }
}

#elif LS_MOVE == 1

/* Items: (element of a row, position, outer). */
__kernel LS_LOCAL(LS_GROUP, 1) void gather(__global const LS_ELEMENT *table,
                                           __global const int *indices, __global LS_ELEMENT *dst,
                                           __global volatile int *faults, int call, long rows,
                                           long inner, long count)
{
    size_t x = get_global_id(0);
    long position = get_global_id(1), outer = get_global_id(2);
    if (x < (size_t)inner) {
        int index = indices[position];
        LS_ELEMENT value = 0;
        if (index >= 0 && index < rows)
            value = table[(outer * rows + index) * inner + (long)x];
        else if (x == 0 && outer == 0)
            ls_note_fault(faults, call, 0, (int)LS_MIN(rows, 0x7fffffffL), (int)position, index);
        dst[(outer * count + position) * inner + (long)x] = value;
    }
}

#elif LS_MOVE == 3

/* fill with a step: 0, 1, 2, … and the like, modulo 2^32. */
__kernel LS_LOCAL(LS_GROUP, 1) void count(__global LS_ELEMENT *dst, long n, int value, int step)
{
    size_t x = get_global_id(0);
    if ((long)x < n)
        dst[x] = (uint)value + (uint)x * (uint)step;
}

#else

/* Items: (columns of a row, segment of the rows, outer). An item walks all positions in order and
 * adds those whose row is in its segment, so that each element has one owner. */
#if LS_WIDE
#define COLUMNS 16
#else
#define COLUMNS 1
#endif
__kernel LS_LOCAL(LS_GROUP, 1) void scatter_add(__global float *dst, __global const int *indices,
                                                __global const float *updates,
                                                __global volatile int *faults, int call, long rows,
                                                long inner, long count, long segment)
{
    long x = (long)get_global_id(0) * COLUMNS;
    long from = (long)get_global_id(1) * segment, outer = get_global_id(2);
    long to = LS_MIN(from + segment, rows);
    if (x >= inner)
        return;
    bool notes = x == 0 && from == 0 && outer == 0;
    long width = LS_MIN(inner - x, (long)COLUMNS);
    dst += outer * rows * inner + x;
    updates += outer * count * inner + x;
    for (long position = 0; position < count; position++) {
        int index = indices[position];
        if (index >= from && index < to) {
            __global float *to_row = dst + index * inner;
            __global const float *update = updates + position * inner;
#if LS_WIDE
            if (width == 16)
                vstore16(vload16(0, to_row) + vload16(0, update), 0, to_row);
            else
                for (long l = 0; l < width; l++)
                    to_row[l] = to_row[l] + update[l];
#else
            to_row[0] = to_row[0] + update[0];
#endif
        } else if (notes && (index < 0 || index >= rows)) {
            ls_note_fault(faults, call, 1, (int)LS_MIN(rows, 0x7fffffffL), (int)position, index);
        }
    }
}

#endif
