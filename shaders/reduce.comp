#version 450
#extension GL_GOOGLE_include_directive : require
/* SPDX-License-Identifier: Apache-2.0
 *
 * reduce: src (outer, r, inner) -> dst (outer, inner). See reduce.cl; an element is a word.
 *
 *     LS_OP    0 sum, 1 product, 2 max, 3 min, 4 argmax, 5 argmin
 *     LS_INTS  elements are int (sums and products modulo 2^32), else float
 *     LS_FORM  0 rows (inner == 1, canon rule 9, one block of up to 4096 per group),
 *              1 places of the best (inner == 1, a row per group),
 *              2 columns (inner > 1, canon rule 8), 3 places in columns
 */
layout(local_size_x = 64) in;

layout(constant_id = 0) const int LS_OP = 0;
layout(constant_id = 1) const bool LS_INTS = false;
layout(constant_id = 2) const int LS_FORM = 0;

layout(set = 0, binding = 0) readonly buffer Source { uint src[]; };
layout(set = 0, binding = 1) buffer Target { uint dst[]; };
layout(set = 0, binding = 2) buffer Best { uint kept[]; }; /* of places, from one launch to the next */

layout(push_constant) uniform Push {
    uint count;  /* rows and places: groups; columns: items */
    uint r;
    uint blocks; /* rows: results of a row; columns: parts of r */
    uint inner;
    uint part;   /* columns: elements of a part, a multiple of `chain` */
    uint chain;  /* columns: elements that are joined before they join the others */
    uint before; /* places and columns: elements that are not bound, but are in dst already */
    uint keeps;  /* places: `kept` is there */
    uint start;  /* places and columns: what this launch takes of r; of columns whole chains */
    uint end;
};

#include "prelude_glsl.h"
#include "kernel.glsl"

shared uint lanes[64];
shared uint places[64];

bool ls_better(uint x, uint best)
{
    bool greater = LS_INTS ? LS_INT(x) > LS_INT(best) : LS_FLOAT(x) > LS_FLOAT(best);
    bool less = LS_INTS ? LS_INT(x) < LS_INT(best) : LS_FLOAT(x) < LS_FLOAT(best);
    return (LS_OP & 1) == 0 ? greater : less;
}

uint ls_join(uint a, uint b)
{
    if (LS_OP == 0)
        return LS_INTS ? a + b : LS_BITS(LS_FLOAT(a) + LS_FLOAT(b));
    if (LS_OP == 1)
        return LS_INTS ? a * b : LS_BITS(LS_FLOAT(a) * LS_FLOAT(b));
    return ls_better(b, a) ? b : a;
}

/* What a chain begins with: sums at +0, so that they are never -0; products at 1; else the first. */
uint ls_first(uint at)
{
    if (LS_OP == 0)
        return 0u;
    if (LS_OP == 1)
        return LS_INTS ? 1u : LS_BITS(1.0f);
    return src[at];
}

void ls_rows(uint group)
{
    uint lane = gl_LocalInvocationID.x;
    uint row = group / blocks;
    uint start = (group - row * blocks) * 4096u;
    uint end = start + 4096u < r ? start + 4096u : r;
    uint from = row * r;
    uint sum = ls_first(from + start);
    for (uint i = start + lane; i < end; i += 64u)
        sum = ls_join(sum, src[from + i]);
    lanes[lane] = sum;
    for (uint width = 32u; width > 0u; width >>= 1) {
        barrier();
        if (lane < width)
            lanes[lane] = ls_join(lanes[lane], lanes[lane + width]);
    }
    if (lane == 0u)
        dst[group] = lanes[0];
}

/* Whether (x, x_at) comes before (best, best_at): better, or as good and earlier. */
bool ls_before(uint x, uint x_at, uint best, uint best_at)
{
    return ls_better(x, best) || (!ls_better(best, x) && x_at < best_at);
}

void ls_places(uint row)
{
    uint lane = gl_LocalInvocationID.x;
    bool goes_on = before + start > 0u;
    uint best = src[row * r];
    uint at = 0u;
    if (goes_on) {
        best = kept[row];
        at = dst[row];
    }
    for (uint i = start + lane; i < end; i += 64u) {
        uint x = src[row * r + i];
        if (ls_better(x, best)) {
            best = x;
            at = before + i;
        }
    }
    lanes[lane] = best;
    places[lane] = at;
    for (uint width = 32u; width > 0u; width >>= 1) {
        barrier();
        if (lane < width && ls_before(lanes[lane + width], places[lane + width], lanes[lane], places[lane])) {
            lanes[lane] = lanes[lane + width];
            places[lane] = places[lane + width];
        }
    }
    if (lane == 0u) {
        dst[row] = places[0];
        if (keeps != 0u)
            kept[row] = lanes[0];
    }
}

uint ls_chain(uint at, uint length)
{
    uint sum = ls_first(at);
    for (uint i = 0u; i < length; i++)
        sum = ls_join(sum, src[at + i * inner]);
    return sum;
}

/* Items: (outer, part, column). Where there are several parts, a launch takes all of r. */
void ls_columns(uint item)
{
    uint rest = item / inner;
    uint column = item - rest * inner;
    uint row = rest / blocks;
    uint first = (rest - row * blocks) * part + start;
    uint length = part < end - first ? part : end - first;
    uint from = (row * r + first) * inner + column;
    bool goes_on = before + start > 0u;
    uint sum = 0u;
    if (goes_on)
        sum = dst[item];
    for (uint i = 0u; i < length; i += chain) {
        uint more = src[from + i * inner];
        if (chain > 1u)
            more = ls_chain(from + i * inner, length - i < chain ? length - i : chain);
        sum = i == 0u && !goes_on ? more : ls_join(sum, more);
    }
    if (length == 0u)
        sum = LS_OP == 1 ? (LS_INTS ? 1u : LS_BITS(1.0f)) : 0u;
    dst[item] = sum;
}

void ls_column_places(uint item)
{
    uint row = item / inner;
    uint from = row * r * inner + (item - row * inner);
    uint best = src[from];
    uint at = 0u;
    if (before + start > 0u) {
        best = kept[item];
        at = dst[item];
    }
    for (uint i = start; i < end; i++) {
        uint x = src[from + i * inner];
        if (ls_better(x, best)) {
            best = x;
            at = before + i;
        }
    }
    dst[item] = at;
    if (keeps != 0u)
        kept[item] = best;
}

void main()
{
    uint index = LS_FORM < 2 ? ls_group() : ls_item();
    if (index >= count)
        return;
    if (LS_FORM == 0)
        ls_rows(index);
    else if (LS_FORM == 1)
        ls_places(index);
    else if (LS_FORM == 2)
        ls_columns(index);
    else
        ls_column_places(index);
}
