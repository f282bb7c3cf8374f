#version 450
#extension GL_GOOGLE_include_directive : require
/* SPDX-License-Identifier: Apache-2.0
 *
 * One word per invocation from up to three: the GLSL side of vulkan_probe.c.
 */
layout(local_size_x = 64) in;
layout(constant_id = 0) const int OP = 0;

layout(set = 0, binding = 0) readonly buffer Inputs { uint inputs[]; };
layout(set = 0, binding = 1) writeonly buffer Outputs { uint outputs[]; };

#include "prelude_glsl.h"
#include "canon.h"
#include "canon_exp.h"
#include "canon_trig.h"
#include "canon_special.h"

#define EACH(body) { body; }
#define IN_A inputs[i]
#define IN_B inputs[n + i]
#define IN_C inputs[n + n + i]
#define OUT(word) outputs[i] = word
#define FMA_OF(a, b, c) LS_FMA(a, b, c)
#define DIV_OF(a, b) LS_DIV(a, b)
#define ROOT_OF(a) LS_SQRT(a)

void main()
{
    uint i = gl_GlobalInvocationID.x;
    uint n = outputs.length();
    if (i >= n)
        return;
    switch (OP) {
#include "vulkan_probe_rows.h"
    }
}
