/* SPDX-License-Identifier: Apache-2.0
 *
 * map: one element per work-item. The host (map.c) generates, for a program and its pattern of access:
 *
 *     LS_MAP_PARAMETERS  inputs, outputs, immediates, each followed by a comma
 *     LS_MAP_LOCATE      where the strided inputs are, from an index `rest` over the extents
 *     LS_MAP_BODY        loads, rows and stores of the element i
 *     LS_MAP_FORM        0: every input is dense or a scalar
 *                        1: rows of `columns` elements: the first index is x, LS_MAP_LOCATE gives the
 *                           start of the row
 *                        2: any strides, LS_MAP_LOCATE gives the element
 *     LS_MAP_LARGE       1 where indices or offsets do not fit 31 bits
 */

#if LS_MAP_LARGE
typedef ulong ls_index;
typedef long ls_offset;
#define LS_MAP_SHAPE ulong8 extent
#define LS_MAP_QUOTIENT(d) (rest / extent.s##d)
#else
typedef uint ls_index;
typedef int ls_offset;
#define LS_MAP_SHAPE uint8 extent, uint8 multiplier, uint8 shift
#define LS_MAP_QUOTIENT(d) ls_quotient(rest, multiplier.s##d, shift.s##d)
#endif

/* Splits the index of dimension d off `rest`. */
#define LS_MAP_SPLIT(d)                                                                            \
    {                                                                                              \
        ls_index quotient = LS_MAP_QUOTIENT(d);                                                    \
        at = (ls_offset)(rest - quotient * extent.s##d);                                           \
        rest = quotient;                                                                           \
    }

#if LS_MAP_FORM == 0

__kernel LS_LOCAL(LS_MAP_GROUP, 1) void map(LS_MAP_PARAMETERS ulong n)
{
    size_t i = get_global_id(0);
    if (i < n) {
        LS_MAP_BODY
    }
}

#elif LS_MAP_FORM == 1

__kernel LS_LOCAL(LS_MAP_GROUP, 1) void map(LS_MAP_PARAMETERS ulong columns, LS_MAP_SHAPE)
{
    size_t x = get_global_id(0);
    size_t row = get_global_id(1);
    ls_index rest = (ls_index)row;
    ls_offset at;
    LS_MAP_LOCATE
    if (x < columns) {
        size_t i = row * columns + x;
        LS_MAP_BODY
    }
}

#else

__kernel LS_LOCAL(LS_MAP_GROUP, 1) void map(LS_MAP_PARAMETERS ulong n, LS_MAP_SHAPE)
{
    size_t i = get_global_id(0);
    if (i < n) {
        ls_index rest = (ls_index)i;
        ls_offset at;
        LS_MAP_LOCATE
        LS_MAP_BODY
    }
}

#endif
