/* SPDX-License-Identifier: Apache-2.0
 *
 * reduce: src (outer, r, inner) -> dst (outer, inner).
 *
 *     LS_REDUCE_OP     0 sum, 1 product, 2 max, 3 min, 4 argmax, 5 argmin
 *     LS_REDUCE_INT    1: elements are int (sums and products modulo 2^32), 0: float
 *     LS_REDUCE_WIDE   1: one work-item computes all lanes, with vectors
 *
 * rows:   inner == 1. Canon rule 9 on one block of up to 4096 elements: 64 lanes, then a tree. The
 *         block's result goes to dst (outer, blocks); the host repeats until blocks == 1.
 * places: argmax and argmin for inner == 1, over the whole row.
 * columns: inner > 1. Canon rule 8 on one block of up to 1024 elements, or on all of them.
 */

#if LS_REDUCE_INT
#if LS_REDUCE_OP < 2
typedef uint element;
typedef uint16 element16;
#else
typedef int element;
typedef int16 element16;
#endif
#else
typedef float element;
typedef float16 element16;
#endif

/* Absent elements take part as START, which changes no accumulator: those of sums begin at +0
 * and so are never -0. For max and min an absent element repeats one that is there. */
#if LS_REDUCE_OP == 0
#define LS_JOIN(a, b) ((a) + (b))
#define START ((element)0)
#elif LS_REDUCE_OP == 1
#define LS_JOIN(a, b) ((a) * (b))
#define START ((element)1)
#elif LS_REDUCE_OP == 2 || LS_REDUCE_OP == 4
#define LS_BETTER(a, b) ((a) > (b))
#else
#define LS_BETTER(a, b) ((a) < (b))
#endif

#if LS_REDUCE_OP >= 2
/* The vector form of a comparison is all ones where true, as select wants it. */
LS_FN element ls_join(element best, element x) { return LS_BETTER(x, best) ? x : best; }
LS_FN element16 ls_join16(element16 best, element16 x) { return select(best, x, LS_BETTER(x, best)); }
#define LS_JOIN(a, b) ls_join(a, b)
#define LS_JOIN16(a, b) ls_join16(a, b)
#else
#define LS_JOIN16(a, b) LS_JOIN(a, b)
#endif

/* ---- inner == 1 ---- */

#if LS_REDUCE_OP < 4

#if LS_REDUCE_WIDE

LS_FN element ls_tree(element16 a, element16 b, element16 c, element16 d)
{
    element16 t = LS_JOIN16(LS_JOIN16(a, c), LS_JOIN16(b, d));
    element16 u = LS_JOIN16(t, t.s89abcdef89abcdef);
    u = LS_JOIN16(u, u.s4567456745674567);
    return LS_JOIN(LS_JOIN(u.s0, u.s2), LS_JOIN(u.s1, u.s3));
}

__kernel LS_LOCAL(1, 1) void rows(__global const element *src, __global element *dst, long r,
                                  long blocks)
{
    long block = get_group_id(0), row = get_group_id(1);
    __global const element *x = src + row * r + block * 4096;
    int count = (int)LS_MIN(r - block * 4096, 4096L);
#if LS_REDUCE_OP < 2
    element first = START;
    element16 a = first, b = first, c = first, d = first;
#else
    element first = x[0];
    element16 a = first, b = first, c = first, d = first;
#endif
    int i = 0;
    for (; i + 64 <= count; i += 64) {
        a = LS_JOIN16(a, vload16(0, x + i));
        b = LS_JOIN16(b, vload16(1, x + i));
        c = LS_JOIN16(c, vload16(2, x + i));
        d = LS_JOIN16(d, vload16(3, x + i));
    }
    if (i < count) {
        element rest[64];
        for (int l = 0; l < 64; l++)
            rest[l] = first;
        for (int l = 0; i + l < count; l++)
            rest[l] = x[i + l];
        a = LS_JOIN16(a, vload16(0, rest));
        b = LS_JOIN16(b, vload16(1, rest));
        c = LS_JOIN16(c, vload16(2, rest));
        d = LS_JOIN16(d, vload16(3, rest));
    }
    dst[row * blocks + block] = ls_tree(a, b, c, d);
}

#else

__kernel LS_LOCAL(64, 1) void rows(__global const element *src, __global element *dst, long r,
                                   long blocks)
{
    __local element lanes[64];
    int lane = get_local_id(0);
    long block = get_group_id(0), row = get_group_id(1);
    __global const element *x = src + row * r + block * 4096;
    int count = (int)LS_MIN(r - block * 4096, 4096L);
#if LS_REDUCE_OP < 2
    element sum = START;
#else
    element sum = x[0];
#endif
    for (int i = lane; i < count; i += 64)
        sum = LS_JOIN(sum, x[i]);
    lanes[lane] = sum;
    for (int width = 32; width > 0; width >>= 1) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (lane < width)
            lanes[lane] = LS_JOIN(lanes[lane], lanes[lane + width]);
    }
    if (lane == 0)
        dst[row * blocks + block] = lanes[0];
}

#endif

#else /* argmax, argmin */

/* Whether (x, x_at) comes before (best, best_at): better, or as good and earlier. */
#define LS_BEFORE(x, x_at, best, best_at) \
    (LS_BETTER(x, best) || ((x) == (best) && (x_at) < (best_at)))

#if LS_REDUCE_WIDE

__kernel LS_LOCAL(1, 1) void places(__global const element *src, __global int *dst, long r)
{
    long row = get_group_id(0);
    __global const element *x = src + row * r;
    element best = x[0];
    int at = 0, i = 0, count = (int)r;
    if (count >= 64) {
        element16 bests = best;
        int16 ats = 0;
        int16 now = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        for (; i + 16 <= count; i += 16) {
            element16 v = vload16(0, x + i);
            int16 better = LS_BETTER(v, bests);
            bests = select(bests, v, better);
            ats = select(ats, now, better);
            now += 16;
        }
        element values[16];
        int places[16];
        vstore16(bests, 0, values);
        vstore16(ats, 0, places);
        for (int l = 0; l < 16; l++)
            if (LS_BEFORE(values[l], places[l], best, at)) {
                best = values[l];
                at = places[l];
            }
    }
    for (; i < count; i++)
        if (LS_BETTER(x[i], best)) {
            best = x[i];
            at = i;
        }
    dst[row] = at;
}

#else

__kernel LS_LOCAL(64, 1) void places(__global const element *src, __global int *dst, long r)
{
    __local element bests[64];
    __local int ats[64];
    int lane = get_local_id(0);
    long row = get_group_id(0);
    __global const element *x = src + row * r;
    element best = x[0];
    int at = 0;
    for (int i = lane; i < (int)r; i += 64)
        if (LS_BETTER(x[i], best)) {
            best = x[i];
            at = i;
        }
    bests[lane] = best;
    ats[lane] = at;
    for (int width = 32; width > 0; width >>= 1) {
        barrier(CLK_LOCAL_MEM_FENCE);
        int other = lane + width;
        if (lane < width && LS_BEFORE(bests[other], ats[other], bests[lane], ats[lane])) {
            bests[lane] = bests[other];
            ats[lane] = ats[other];
        }
    }
    if (lane == 0)
        dst[row] = ats[0];
}

#endif
#endif

/* ---- inner > 1: each column is a chain in blocks of 1024 ---- */

#if LS_REDUCE_WIDE
#define COLUMNS 16
#define GROUP 1
typedef element16 columns_t;
typedef int16 places_t;
#else
#define COLUMNS 1
#define GROUP 64
typedef element columns_t;
typedef int places_t;
#endif

LS_FN columns_t ls_load(__global const element *x, long count)
{
#if LS_REDUCE_WIDE
    if (count < 16) {
        element rest[16];
        for (int l = 0; l < 16; l++)
            rest[l] = x[l < count ? l : 0];
        return vload16(0, rest);
    }
    return vload16(0, x);
#else
    return x[0];
#endif
}

#if LS_REDUCE_OP < 4

LS_FN void ls_store(columns_t value, __global element *x, long count)
{
#if LS_REDUCE_WIDE
    if (count < 16) {
        element rest[16];
        vstore16(value, 0, rest);
        for (int l = 0; l < count; l++)
            x[l] = rest[l];
    } else {
        vstore16(value, 0, x);
    }
#else
    x[0] = value;
#endif
}

#if LS_REDUCE_WIDE
#define LS_JOIN_COLUMNS(a, b) LS_JOIN16(a, b)
#else
#define LS_JOIN_COLUMNS(a, b) LS_JOIN(a, b)
#endif

LS_FN columns_t ls_chain(__global const element *x, long length, long inner, long count)
{
#if LS_REDUCE_OP < 2
    columns_t chain = START;
#else
    columns_t chain = ls_load(x, count);
#endif
    if (count >= COLUMNS)
        for (long i = 0; i < length; i++)
            chain = LS_JOIN_COLUMNS(chain, ls_load(x + i * inner, COLUMNS));
    else
        for (long i = 0; i < length; i++)
            chain = LS_JOIN_COLUMNS(chain, ls_load(x + i * inner, count));
    return chain;
}

/* The group's second index is the part of r: `part` elements from there on, a multiple of 1024, go
 * to dst (outer, parts, inner). With joined != 0 the elements are block results already. */
__kernel LS_LOCAL(GROUP, 1) void columns(__global const element *src, __global element *dst, long r,
                                         long inner, long part, long parts, int joined)
{
    long column = (long)get_global_id(0) * COLUMNS;
    long which = get_global_id(1), row = get_global_id(2);
    if (column >= inner)
        return;
    long count = LS_MIN(inner - column, (long)COLUMNS);
    __global const element *x = src + (row * r + which * part) * inner + column;
    long length = LS_MIN(r - which * part, part);
    columns_t result;
    if (joined) {
        result = ls_load(x, count);
        for (long i = 1; i < length; i++)
            result = LS_JOIN_COLUMNS(result, ls_load(x + i * inner, count));
    } else {
        result = ls_chain(x, LS_MIN(length, 1024L), inner, count);
        for (long i = 1024; i < length; i += 1024)
            result = LS_JOIN_COLUMNS(
                result, ls_chain(x + i * inner, LS_MIN(length - i, 1024L), inner, count));
    }
    ls_store(result, dst + (row * parts + which) * inner + column, count);
}

#else

__kernel LS_LOCAL(GROUP, 1) void columns(__global const element *src, __global int *dst, long r,
                                         long inner)
{
    long column = (long)get_global_id(0) * COLUMNS;
    long row = get_global_id(2);
    if (column >= inner)
        return;
    long count = LS_MIN(inner - column, (long)COLUMNS);
    __global const element *x = src + row * r * inner + column;
    columns_t best = ls_load(x, count);
    places_t at = 0;
    for (int i = 1; i < (int)r; i++) {
        columns_t v = ls_load(x + i * inner, count);
#if LS_REDUCE_WIDE
        int16 better = LS_BETTER(v, best);
#else
        int better = LS_BETTER(v, best);
#endif
        best = better ? v : best;
        at = better ? (places_t)i : at;
    }
#if LS_REDUCE_WIDE
    int rest[16];
    vstore16(at, 0, rest);
    for (int l = 0; l < count; l++)
        dst[row * inner + column + l] = rest[l];
#else
    dst[row * inner + column] = at;
#endif
}

#endif
