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

/* a: rows, inner, count, call. Items: (outer, position, element of a row). */
void ls_gather(uint item)
{
    uint inner = uint(a[1]);
    uint row = item / inner;
    uint x = item - row * inner;
    uint outer = row / uint(a[2]);
    uint position = row - outer * uint(a[2]);
    int index = indices[position];
    uint value = 0u;
    if (index >= 0 && index < a[0]) {
        uint from = (outer * uint(a[0]) + uint(index)) * inner + x;
        value = ls_unpack(KIND, from, src[LS_AT(KIND, from)]);
    } else if (x == 0u && outer == 0u) {
        ls_note_fault(a[3], 0, a[0], int(position), index);
    }
    ls_put(item, value);
}

/* a: rows, inner, count, call, segment, segments, the part of the positions. Items: (outer, segment of the rows, column). An item
 * walks all positions in order and adds those whose row is in its segment: each element has one owner. */
void ls_scatter_add(uint item)
{
    uint inner = uint(a[1]);
    uint part = item / inner;
    uint x = item - part * inner;
    uint outer = part / uint(a[5]);
    int from = int(part - outer * uint(a[5])) * a[4];
    int to = from + a[4] < a[0] ? from + a[4] : a[0];
    bool notes = item == 0u;
    for (int position = a[6]; position < a[7]; position++) {
        int index = indices[position];
        if (index >= from && index < to) {
            uint at = (outer * uint(a[0]) + uint(index)) * inner + x;
            float sum = LS_FLOAT(dst[at]) + LS_FLOAT(src[(outer * uint(a[2]) + uint(position)) * inner + x]);
            dst[at] = LS_BITS(sum);
        } else if (notes && (index < 0 || index >= a[0])) {
            ls_note_fault(a[3], 1, a[0], position, index);
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
