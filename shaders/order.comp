#version 450
#extension GL_GOOGLE_include_directive : require
/* SPDX-License-Identifier: Apache-2.0
 *
 * scan and sort: see order.cl.
 *
 *     LS_SORT  whether it is a sort
 *     LS_INTS  the elements are int, else float
 *     LS_KIND  of a scan: 0 recurrence, 1 products, 2 sums; of a sort: 1 descending
 */
layout(local_size_x = 64) in;

layout(constant_id = 0) const bool LS_SORT = false;
layout(constant_id = 1) const bool LS_INTS = false;
layout(constant_id = 2) const int LS_KIND = 0;

/* scan: factor, addend, dst. sort: src, -, positions. */
layout(set = 0, binding = 0) readonly buffer Factor { uint factor[]; };
layout(set = 0, binding = 1) readonly buffer Addend { uint addend[]; };
layout(set = 0, binding = 2) buffer Target { uint dst[]; };

layout(push_constant) uniform Push {
    uint n; /* columns, or pairs */
    uint r;
    uint inner;
    uint reverse;
    uint exclusive;
    uint p; /* sort: the pass */
    uint rest;
    uint distance_;
};

/* scan: the part of the columns. */
#define START p
#define END rest

#include "prelude_glsl.h"
#include "canon.h"
#include "kernel.glsl"

uint ls_step(uint s, uint at)
{
    if (LS_KIND == 0)
        return LS_BITS(LS_FMA(LS_FLOAT(factor[at]), LS_FLOAT(s), LS_FLOAT(addend[at])));
    if (LS_KIND == 1)
        return LS_INTS ? s * factor[at] : LS_BITS(LS_FLOAT(s) * LS_FLOAT(factor[at]));
    return LS_INTS ? s + addend[at] : LS_BITS(LS_FLOAT(s) + LS_FLOAT(addend[at]));
}

/* An item walks one column. A column's neighbours are its neighbours in memory. */
void ls_scan(uint column)
{
    uint outer = column / inner;
    uint first = outer * r * inner + (column - outer * inner);
    uint s = LS_KIND == 1 ? (LS_INTS ? 1u : LS_BITS(1.0f)) : 0u;
    if (START > 0u) { /* where the launch before has ended */
        uint at = first + (reverse != 0u ? r - START : START - 1u) * inner;
        s = exclusive != 0u ? ls_step(dst[at], at) : dst[at];
    }
    for (uint i = START; i < END; i++) {
        uint at = first + (reverse != 0u ? r - 1u - i : i) * inner;
        uint before = s;
        s = ls_step(s, at);
        dst[at] = exclusive != 0u ? before : s;
    }
}

/* A key that orders as unsigned integers do: -0 as +0, all NaNs above everything in both orders. */
uint ls_key(uint bits)
{
    uint key = bits ^ 0x80000000u;
    if (!LS_INTS) {
        if ((bits & 0x7fffffffu) > 0x7f800000u)
            return 0xffffffffu;
        bits = bits == 0x80000000u ? 0u : bits;
        key = (bits >> 31) != 0u ? ~bits : bits | 0x80000000u;
    }
    return LS_KIND == 1 ? ~key : key;
}

/* One pass of Batcher's merge exchange (Knuth 5.2.2, algorithm M): every position i with
 * (i & p) == rest is compared with i + distance. The pairs of a pass are disjoint. A distance of 0
 * is the pass before the first: the positions in their own order. */
void ls_exchange(uint item)
{
    uint each = r - distance_;
    uint row = item / each;
    uint i = item - row * each;
    uint at = row * r + i;
    if (distance_ == 0u) {
        dst[at] = i;
    } else if ((i & p) == rest) {
        uint a = dst[at];
        uint b = dst[at + distance_];
        uint x = ls_key(factor[row * r + a]);
        uint y = ls_key(factor[row * r + b]);
        if (x > y || (x == y && a > b)) {
            dst[at] = b;
            dst[at + distance_] = a;
        }
    }
}

void main()
{
    uint item = ls_item();
    if (item >= n)
        return;
    if (LS_SORT)
        ls_exchange(item);
    else
        ls_scan(item);
}
