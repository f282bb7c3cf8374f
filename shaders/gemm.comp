#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
/* SPDX-License-Identifier: Apache-2.0
 *
 * gemm: C = act(op(A) op(B) + bias), by tile.glsl.
 */
layout(constant_id = 0) const bool LS_TRANS_A = false;
layout(constant_id = 1) const bool LS_TRANS_B = false;

layout(set = 0, binding = 0) readonly buffer A { uint a[]; };
layout(set = 0, binding = 1) readonly buffer B { uint b[]; };
layout(set = 0, binding = 2) buffer C { uint c[]; };
layout(set = 0, binding = 3) readonly buffer Bias { uint bias[]; };

layout(push_constant) uniform Push {
    uint groups;
    uint m;
    uint n;
    uint k;
    uint stride_a;
    uint stride_b;
    uint first_k; /* where the factors that are bound begin, and how much of k they have */
    uint bound_k;
    uint start_k;
    uint end_k;
};

#include "prelude_glsl.h"
#include "canon.h"
#include "kernel.glsl"

uint from_a;
uint from_b;
uint to_c;

void ls_start(uint batch)
{
    from_a = batch * stride_a;
    from_b = batch * stride_b;
    to_c = batch * m * n;
}

float ls_a(uint row, uint kk)
{
    return LS_FLOAT(a[from_a + (LS_TRANS_A ? (kk - first_k) * m + row : row * bound_k + (kk - first_k))]);
}

float ls_b(uint kk, uint column)
{
    return LS_FLOAT(b[from_b + (LS_TRANS_B ? column * bound_k + (kk - first_k) : (kk - first_k) * n + column)]);
}

uint ls_c(uint row, uint column)
{
    return to_c + row * n + column;
}

uint ls_bias(uint column)
{
    return column;
}

#define LS_A_ALONG LS_TRANS_A
#define LS_B_ALONG (!LS_TRANS_B)
#include "tile.glsl"

void main()
{
    if (ls_group() < groups)
        ls_tile(ls_group());
}
