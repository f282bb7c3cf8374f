#version 450
#extension GL_GOOGLE_include_directive : require
/* SPDX-License-Identifier: Apache-2.0
 *
 * random: an item makes the four values of one Philox counter (canon rule 15).
 *
 *     LS_KIND  0 uniform, 1 normal, 2 the words
 */
layout(local_size_x = 64) in;

layout(constant_id = 0) const int LS_KIND = 0;

layout(set = 0, binding = 0) writeonly buffer Target { uint dst[]; };
layout(set = 0, binding = 1) readonly buffer Step { uint step_[]; };

layout(push_constant) uniform Push {
    uint n;
    uint start; /* counters before the first */
    uint seed_low;
    uint seed_high;
    uint stream;
};

#include "prelude_glsl.h"
#include "canon.h"
#include "canon_exp.h"
#include "canon_trig.h"
#include "kernel.glsl"

uvec4 ls_values(canon_uint4 words)
{
    if (LS_KIND == 0)
        return uvec4(LS_BITS(canon_uniform(words.x)), LS_BITS(canon_uniform(words.y)), LS_BITS(canon_uniform(words.z)),
                     LS_BITS(canon_uniform(words.w)));
    if (LS_KIND == 1) {
        canon_float4 values = canon_normal4(words);
        return uvec4(LS_BITS(values.x), LS_BITS(values.y), LS_BITS(values.z), LS_BITS(values.w));
    }
    return uvec4(words.x, words.y, words.z, words.w);
}

void main()
{
    uint i = ls_item();
    if (i * 4u >= n)
        return;
    uvec4 values = ls_values(canon_philox(start + i, stream, step_[0], 0u, seed_low, seed_high));
    for (uint part = 0u; part < 4u; part++)
        if (i * 4u + part < n)
            dst[i * 4u + part] = values[part];
}
