#version 450
#extension GL_GOOGLE_include_directive : require
/* SPDX-License-Identifier: Apache-2.0
 *
 * Data that moves: copy, gather, scatter_add, count.
 *
 *     LS_MOVE  0 copy, 1 gather, 2 scatter_add, 3 count
 *     KIND     of the elements that copy and gather move: see kernel.glsl
 */
layout(local_size_x = 64) in;

layout(constant_id = 0) const uint LS_MOVE = 0u;
layout(constant_id = 1) const uint KIND = 0u;
layout(constant_id = 2) const uint RANK = 1u;

#include "prelude_glsl.h"
#include "kernel.glsl"

/* copy: src, dst. gather: table, dst, indices, faults. scatter_add: updates, dst, indices, faults. */
layout(set = 0, binding = 0) readonly buffer Source { uint src[]; };
layout(set = 0, binding = 1) buffer Target { uint dst[]; };
layout(set = 0, binding = 2) readonly buffer Indices { int indices[]; };
layout(set = 0, binding = 3) buffer Faults { int faults[]; };

layout(push_constant) uniform Push {
    int n;
    int a[27]; /* copy: src_offset, dst_offset, extent[8], src_stride[8], dst_stride[8] */
};

#include "fault.glsl"

/* Elements below a word share it with their neighbours, which other items write. */
void ls_put(uint i, uint value)
{
    if (KIND == 0u) {
        dst[i] = value;
    } else {
        atomicAnd(dst[LS_AT(KIND, i)], ~ls_pack(KIND, i, 0xffffffffu));
        atomicOr(dst[LS_AT(KIND, i)], ls_pack(KIND, i, value));
    }
}

void ls_copy(uint item)
{
    uint rest = item;
    int from = a[0];
    int to = a[1];
    for (uint d = RANK - 1u; d > 0u; d--) {
        uint quotient = rest / uint(a[2u + d]);
        int at = int(rest - quotient * uint(a[2u + d]));
        from += at * a[10u + d];
        to += at * a[18u + d];
        rest = quotient;
    }
    from += int(rest) * a[10];
    to += int(rest) * a[18];
    ls_put(uint(to), ls_unpack(KIND, uint(from), src[LS_AT(KIND, uint(from))]));
}

/* gather and scatter_add reach a part of the rows: so many from `first` on. a: rows, inner, count, call, number of the
 * first position, first, reached, ... */
#define ROWS a[0]
#define INNER uint(a[1])
#define COUNT uint(a[2])
#define FIRST a[5]
#define REACHED a[6]

bool ls_is_row(int index)
{
    return index >= 0 && index < ROWS;
}

void ls_note_row(int kind, int position, int index)
{
    ls_note_fault(a[3], kind, ROWS, a[4] + position, index);
}

/* Items: (outer, position, element of a row). */
void ls_gather(uint item)
{
    uint row = item / INNER;
    uint x = item - row * INNER;
    uint outer = row / COUNT;
    uint position = row - outer * COUNT;
    int index = indices[position];
    uint value = 0u;
    if (index >= FIRST && index < FIRST + REACHED) {
        uint from = (outer * uint(REACHED) + uint(index - FIRST)) * INNER + x;
        value = ls_unpack(KIND, from, src[LS_AT(KIND, from)]);
    } else if (ls_is_row(index)) {
        return;
    } else if (x == 0u && outer == 0u) {
        ls_note_row(0, int(position), index);
    }
    ls_put(item, value);
}

/* a: also segment, segments, the part of the positions. Items: (outer, segment of the rows, column). An item
 * walks all positions in order and adds those whose row is in its segment: each element has one owner. */
void ls_scatter_add(uint item)
{
    uint part = item / INNER;
    uint x = item - part * INNER;
    uint outer = part / uint(a[8]);
    int from = int(part - outer * uint(a[8])) * a[7];
    int to = from + a[7] < REACHED ? from + a[7] : REACHED;
    bool notes = item == 0u;
    for (int position = a[9]; position < a[10]; position++) {
        int index = indices[position];
        int row = index - FIRST;
        if (ls_is_row(index) && row >= from && row < to) {
            uint at = (outer * uint(REACHED) + uint(row)) * INNER + x;
            float sum = LS_FLOAT(dst[at]) + LS_FLOAT(src[(outer * COUNT + uint(position)) * INNER + x]);
            dst[at] = LS_BITS(sum);
        } else if (notes && !ls_is_row(index)) {
            ls_note_row(1, position, index);
        }
    }
}

void main()
{
    uint item = ls_item();
    if (item >= uint(n))
        return;
    if (LS_MOVE == 0u)
        ls_copy(item);
    else if (LS_MOVE == 1u)
        ls_gather(item);
    else if (LS_MOVE == 2u)
        ls_scatter_add(item);
    else
        dst[item] = uint(a[0]) + item * uint(a[1]);
}
