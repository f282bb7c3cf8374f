#version 450
#extension GL_GOOGLE_include_directive : require
/* SPDX-License-Identifier: Apache-2.0
 *
 * digest: a group adds one block of up to 2048 elements (canon rule 29). Sums of integers, so atomics
 * may add them in any order.
 *
 *     KIND     of the elements: see kernel.glsl
 *     LS_ZERO  the word that stands for 0 as well: -0 of a float type, else 0
 */
layout(local_size_x = 64) in;

layout(constant_id = 0) const uint KIND = 0u;
layout(constant_id = 1) const uint LS_ZERO = 0u;

layout(set = 0, binding = 0) readonly buffer Source { uint src[]; };
layout(set = 0, binding = 1) buffer Target { uint dst[]; };

layout(push_constant) uniform Push {
    uint blocks;
    uint n;
    uint first; /* blocks before these */
    uint at;
};

#include "prelude_glsl.h"
#include "canon.h"
#include "kernel.glsl"

shared uint high[64];
shared uint low[64];

uint ls_word(uint i)
{
    uint word = ls_unpack(KIND, i, src[LS_AT(KIND, i)]);
    return word == LS_ZERO ? 0u : word;
}

/* Adds the 64-bit product a * b, or a 64-bit number, to lane's sum. */
void ls_add(uint lane, uint more_high, uint more_low)
{
    uint carry;
    low[lane] = uaddCarry(low[lane], more_low, carry);
    high[lane] += more_high + carry;
}

void ls_digest(uint block)
{
    uint lane = gl_LocalInvocationID.x;
    uint from = block * 2048u;
    uint count = n - from < 2048u ? n - from : 2048u;
    high[lane] = 0u;
    low[lane] = 0u;
    for (uint i = 2u * lane; i < count; i += 128u) {
        uint a = ls_word(from + i) ^ canon_digest_key(i);
        uint b = canon_digest_key(i + 1u);
        if (i + 1u < count)
            b = ls_word(from + i + 1u) ^ b;
        uint product_high;
        uint product_low;
        umulExtended(a, b, product_high, product_low);
        ls_add(lane, product_high, product_low);
    }
    for (uint width = 32u; width > 0u; width >>= 1) {
        barrier();
        if (lane < width)
            ls_add(lane, high[lane + width], low[lane + width]);
    }
    if (lane == 0u) {
        canon_uint2 joined = canon_digest_join(low[0], high[0], first + block);
        atomicAdd(dst[at], joined.x);
        atomicAdd(dst[at + 1u], joined.y);
    }
}

void main()
{
    if (ls_group() < blocks)
        ls_digest(ls_group());
}
