#version 450
#extension GL_GOOGLE_include_directive : require
/* SPDX-License-Identifier: Apache-2.0
 *
 * softmax, log_softmax and the cross-entropy of integer labels over rows of r elements, fused: see
 * softmax.cl. A group computes a row, a lane of canon rule 9 each item.
 *
 *     LS_KIND  0 softmax, 1 log_softmax, 2 loss, 3 loss and probabilities
 */
layout(local_size_x = 64) in;

layout(constant_id = 0) const int LS_KIND = 0;

layout(set = 0, binding = 0) readonly buffer Source { uint src[]; };
layout(set = 0, binding = 1) writeonly buffer Target { uint dst[]; };
layout(set = 0, binding = 2) readonly buffer Labels { int labels[]; };
layout(set = 0, binding = 3) writeonly buffer Loss { uint loss[]; };
layout(set = 0, binding = 4) buffer Faults { int faults[]; };

layout(push_constant) uniform Push {
    uint rows;
    uint r;
    int call;
    int first; /* rows before these */
};

#include "prelude_glsl.h"
#include "canon.h"
#include "canon_exp.h"
#include "kernel.glsl"
#include "fault.glsl"

const uint LANES = 64u;
const uint BLOCK = 4096u;

shared float lanes[LANES];
shared float blocks[LANES];

void ls_put_loss(uint row, float m, float log_s)
{
    int label = labels[row];
    float value = 0.0f;
    if (label >= 0 && label < int(r))
        value = log_s - (LS_FLOAT(src[row * r + uint(label)]) - m);
    else
        ls_note_fault(call, 2, int(r), first + int(row), label);
    loss[row] = LS_BITS(value);
}

void ls_softmax(uint row)
{
    uint lane = gl_LocalInvocationID.x;
    uint from = row * r;

    float m = LS_FLOAT(src[from]);
    for (uint i = lane; i < r; i += LANES) {
        float x = LS_FLOAT(src[from + i]);
        m = x > m ? x : m;
    }
    lanes[lane] = m;
    for (uint width = 32u; width > 0u; width >>= 1) {
        barrier();
        if (lane < width)
            lanes[lane] = lanes[lane + width] > lanes[lane] ? lanes[lane + width] : lanes[lane];
    }
    barrier();
    m = lanes[0];
    blocks[lane] = 0.0f;

    uint count = 0u;
    for (uint start = 0u; start < r; start += BLOCK) {
        uint end = start + BLOCK < r ? start + BLOCK : r;
        float sum = 0.0f;
        for (uint i = start + lane; i < end; i += LANES)
            sum = sum + canon_exp(LS_FLOAT(src[from + i]) - m);
        barrier();
        lanes[lane] = sum;
        for (uint width = 32u; width > 0u; width >>= 1) {
            barrier();
            if (lane < width)
                lanes[lane] = lanes[lane] + lanes[lane + width];
        }
        if (lane == 0u)
            blocks[count] = lanes[0];
        count++;
    }
    if (count > 1u)
        for (uint width = 32u; width > 0u; width >>= 1) {
            barrier();
            if (lane < width)
                blocks[lane] = blocks[lane] + blocks[lane + width];
        }
    barrier();
    float s = blocks[0];
    float log_s = 0.0f;
    if (LS_KIND > 0)
        log_s = canon_log(s);
    if (LS_KIND >= 2 && lane == 0u)
        ls_put_loss(row, m, log_s);
    if (LS_KIND != 2)
        for (uint i = lane; i < r; i += LANES) {
            float x = LS_FLOAT(src[from + i]);
            float y = LS_KIND == 1 ? (x - m) - log_s : LS_DIV(canon_exp(x - m), s);
            dst[from + i] = LS_BITS(y);
        }
}

void main()
{
    if (ls_group() < rows)
        ls_softmax(ls_group());
}
