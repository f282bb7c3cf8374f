#version 450
#extension GL_GOOGLE_include_directive : require
/* SPDX-License-Identifier: Apache-2.0
 *
 * What the self-test asks of a device before anything else runs: from (a, b, c), three words each, the
 * fma that this form of the shader has, a / b and the root of a, as the device has them. And where a long walk
 * ends, of steps that no compiler takes together. */
layout(local_size_x = 64) in;

layout(set = 0, binding = 0) readonly buffer Inputs { uint inputs[]; };
layout(set = 0, binding = 1) writeonly buffer Results { uint results[]; };
layout(push_constant) uniform Push {
    uint n;
    uint rounds;
};

#include "prelude_glsl.h"
#include "canon.h"
#include "kernel.glsl"

void main()
{
    uint i = ls_item();
    if (i == n) {
        uint place = 1u;
        uint step_ = 0u;
        for (; step_ < rounds; step_++)
            place = (place ^ (place >> 15)) * 0x9e3779b1u + step_;
        results[3u * n] = place;
        results[3u * n + 1u] = step_;
    }
    if (i >= n)
        return;
    float a = LS_FLOAT(inputs[3u * i]);
    float b = LS_FLOAT(inputs[3u * i + 1u]);
    float c = LS_FLOAT(inputs[3u * i + 2u]);
    results[3u * i] = LS_BITS(LS_FMA(a, b, c));
    results[3u * i + 1u] = LS_BITS(LS_DIV_NATIVE(a, b));
    results[3u * i + 2u] = LS_BITS(LS_SQRT_NATIVE(a));
}
