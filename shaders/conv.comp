#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
/* SPDX-License-Identifier: Apache-2.0
 *
 * The three passes of a convolution as products of matrices, one per group of channels (see conv in
 * backend.h), by tile.glsl: where A, the patches of an image, and B are found.
 *
 *     LS_PASS  0: forward, 1: input gradient, 2: kernel gradient
 */
layout(constant_id = 0) const int LS_PASS = 0;

layout(set = 0, binding = 0) readonly buffer A { uint a[]; };
layout(set = 0, binding = 1) readonly buffer B { uint b[]; };
layout(set = 0, binding = 2) buffer C { uint c[]; };
layout(set = 0, binding = 3) readonly buffer Bias { uint bias[]; };

layout(push_constant) uniform Push {
    uint tiles;
    uint m;
    uint n;
    uint k;
    int in_[3];
    int out_[3];
    int size[3];
    int stride[3];
    int dilation[3];
    int before[3];
    uint groups;
    uint channels;
    uint filters;
    uint windows_before; /* kernel gradient: those of images that are not bound */
    uint start_k;
    uint end_k;
};

#include "prelude_glsl.h"
#include "canon.h"
#include "kernel.glsl"

uint group_;

/* What the patches are of, its channels in a group; and where the windows stand. */
int ls_from(uint d) { return LS_PASS == 1 ? out_[d] : in_[d]; }
int ls_stand(uint d) { return LS_PASS == 1 ? in_[d] : out_[d]; }
uint ls_channels() { return LS_PASS == 1 ? filters : channels; }

void ls_start(uint batch)
{
    group_ = batch;
}

/* The coordinate that position j of the window at x meets, or -1. */
int ls_meet(int x, int j, uint d)
{
    if (LS_PASS == 1) {
        int at = x + before[d] - j * dilation[d];
        int o = at / stride[d];
        return at < 0 || o * stride[d] != at || o >= out_[d] ? -1 : o;
    }
    int at = x * stride[d] - before[d] + j * dilation[d];
    return at < 0 || at >= in_[d] ? -1 : at;
}

/* Element number `element` of the patch that window number `window` sees. */
float ls_element(uint window, uint element)
{
    uint rest = window;
    int x2 = int(rest % uint(ls_stand(2u)));
    rest /= uint(ls_stand(2u));
    int x1 = int(rest % uint(ls_stand(1u)));
    rest /= uint(ls_stand(1u));
    int x0 = int(rest % uint(ls_stand(0u)));
    uint image = rest / uint(ls_stand(0u));
    uint j = element / ls_channels();
    uint channel = element - j * ls_channels();
    int i2 = ls_meet(x2, int(j % uint(size[2])), 2u);
    j /= uint(size[2]);
    int i1 = ls_meet(x1, int(j % uint(size[1])), 1u);
    int i0 = ls_meet(x0, int(j / uint(size[1])), 0u);
    if (i0 < 0 || i1 < 0 || i2 < 0)
        return 0.0f;
    uint pixel = ((image * uint(ls_from(0u)) + uint(i0)) * uint(ls_from(1u)) + uint(i1)) * uint(ls_from(2u)) + uint(i2);
    return LS_FLOAT(a[(pixel * groups + group_) * ls_channels() + channel]);
}

float ls_a(uint row, uint kk)
{
    return LS_PASS == 2 ? ls_element(kk - windows_before, row) : ls_element(row, kk);
}

/* B is a matrix whose rows are rows of the output or of the kernel; for the input gradient (j, channels,
 * filters) is read as (j filters, channels). */
float ls_b(uint kk, uint column)
{
    uint at = (kk - windows_before) * groups * filters + column;
    if (LS_PASS == 1) {
        uint j = kk / filters;
        at = (j * channels + column) * groups * filters + (kk - j * filters);
    }
    return LS_FLOAT(b[at + group_ * filters]);
}

uint ls_c(uint row, uint column)
{
    return row * n * groups + group_ * n + column;
}

uint ls_bias(uint column)
{
    return group_ * n + column;
}

#define LS_A_ALONG (LS_PASS == 2)
#define LS_B_ALONG (LS_PASS != 1)
#include "tile.glsl"

void main()
{
    if (ls_group() < tiles)
        ls_tile(ls_group());
}
