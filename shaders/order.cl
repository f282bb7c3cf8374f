/* SPDX-License-Identifier: Apache-2.0
 *
 * scan and sort.
 *
 *     LS_ORDER  0 scan, 1 sort
 *     LS_INTS   the elements are int, else float
 *     LS_KIND   of a scan: 0 recurrence, 1 products, 2 sums
 *     LS_DESCENDING  of a sort
 */
#if LS_INTS
#define LS_TYPE uint
#else
#define LS_TYPE float
#endif

#if LS_ORDER == 0

#if LS_KIND == 0
#define LS_FIRST 0.0f
#define LS_STEP LS_FMA(factor[at], s, addend[at])
#elif LS_KIND == 1
#define LS_FIRST 1
#define LS_STEP s * factor[at]
#else
#define LS_FIRST 0
#define LS_STEP s + addend[at]
#endif

/* An item walks one column. A column's neighbours are its neighbours in memory. */
__kernel LS_LOCAL(LS_GROUP, 1) void scan(__global const LS_TYPE *factor, __global const LS_TYPE *addend,
                                         __global LS_TYPE *dst, long columns, long r, long inner,
                                         int reverse, int exclusive)
{
    long column = (long)get_global_id(0);
    if (column < columns) {
        long at = column / inner * r * inner + column % inner, stride = inner;
        if (reverse != 0) {
            at = at + (r - 1) * inner;
            stride = -inner;
        }
        LS_TYPE s = LS_FIRST;
        for (long i = 0; i < r; i++) {
            LS_TYPE before = s;
            s = LS_STEP;
            dst[at] = exclusive != 0 ? before : s;
            at = at + stride;
        }
    }
}

#else

/* A key that orders as unsigned integers do: -0 as +0, all NaNs above everything in both orders. */
LS_FN uint key_of(uint bits)
{
#if LS_INTS
    uint key = bits ^ 0x80000000u;
#else
    if ((bits & 0x7fffffffu) > 0x7f800000u)
        return 0xffffffffu;
    bits = bits == 0x80000000u ? 0u : bits;
    uint key = (bits >> 31) != 0u ? ~bits : bits | 0x80000000u;
#endif
    return LS_DESCENDING ? ~key : key;
}

/* One pass of Batcher's merge exchange (Knuth 5.2.2, algorithm M): every position i with
 * (i & p) == rest is compared with i + distance. The pairs of a pass are disjoint. A distance of 0
 * is the pass before the first: the positions in their own order. */
__kernel LS_LOCAL(LS_GROUP, 1) void sort(__global const uint *src, __global int *order, long pairs,
                                         long r, int p, int rest, int distance)
{
    long item = (long)get_global_id(0), each = r - (long)distance;
    if (item < pairs) {
        long row = item / each;
        int i = (int)(item - row * each);
        src += row * r;
        order += row * r;
        if (distance == 0) {
            order[i] = i;
        } else if ((i & p) == rest) {
            int a = order[i], b = order[i + distance];
            uint x = key_of(src[a]), y = key_of(src[b]);
            if (x > y || (x == y && a > b)) {
                order[i] = b;
                order[i + distance] = a;
            }
        }
    }
}

#endif
