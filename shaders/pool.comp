#version 450
#extension GL_GOOGLE_include_directive : require
/* SPDX-License-Identifier: Apache-2.0
 *
 * Pooling and the way back: one item per element of the result, which gathers (see pool in backend.h).
 *
 *     LS_POOL       0: max, 1: average, 2: take, 3: spread_max, 4: spread_average
 *     LS_POSITIONS  whether max writes positions
 */
layout(local_size_x = 64) in;

layout(constant_id = 0) const int LS_POOL = 0;
layout(constant_id = 1) const bool LS_POSITIONS = false;

layout(set = 0, binding = 0) readonly buffer Source { uint src[]; };
layout(set = 0, binding = 1) buffer Target { uint dst[]; };
layout(set = 0, binding = 2) buffer Positions { int positions[]; };

layout(push_constant) uniform Push {
    uint n;
    uint channels;
    int in_[3];
    int out_[3];
    int size[3];
    int stride[3];
    int dilation[3];
    int before[3];
    int start; /* of the positions of a window, those that this launch looks at */
    int end;
};

#include "prelude_glsl.h"
#include "canon.h"
#include "kernel.glsl"

bool ls_back() { return LS_POOL >= 3; }
int ls_to(uint d) { return ls_back() ? in_[d] : out_[d]; }
int ls_from(uint d) { return ls_back() ? out_[d] : in_[d]; }

/* Where position j of the window at x lies in the image that is read, or -1. */
int ls_meet(int x, int j, uint d)
{
    if (ls_back()) {
        int at = x + before[d] - j * dilation[d];
        int o = at / stride[d];
        return at < 0 || o * stride[d] != at || o >= out_[d] ? -1 : o;
    }
    int at = x * stride[d] - before[d] + j * dilation[d];
    return at < 0 || at >= in_[d] ? -1 : at;
}

int ls_within(int o, uint d)
{
    int at = o * stride[d] - before[d]; /* of position 0 */
    int last = in_[d] - 1 - at;
    int first = at < 0 ? (dilation[d] - 1 - at) / dilation[d] : 0;
    int end = last < 0 ? 0 : last / dilation[d] + 1;
    end = end < size[d] ? end : size[d];
    return end > first ? end - first : 0;
}

/* How many positions of window o lie inside. */
float ls_count(int o0, int o1, int o2)
{
    return LS_TO_FLOAT(ls_within(o0, 0u) * ls_within(o1, 1u) * ls_within(o2, 2u));
}

void main()
{
    uint item = ls_item();
    if (item >= n)
        return;
    uint rest = item / channels;
    uint channel = item - rest * channels;
    int x2 = int(rest % uint(ls_to(2u)));
    rest /= uint(ls_to(2u));
    int x1 = int(rest % uint(ls_to(1u)));
    rest /= uint(ls_to(1u));
    int x0 = int(rest % uint(ls_to(0u)));
    uint image = rest / uint(ls_to(0u));

    int count = size[0] * size[1] * size[2];
    int best = start > 0 && LS_POOL == 0 && LS_POSITIONS ? positions[item] : -1;
    int wanted = LS_POOL == 2 ? positions[item] : 0;
    float y = start > 0 ? LS_FLOAT(dst[item]) : 0.0f; /* from the launch before */
    for (int place = start; place < end; place++) {
        int j = ls_back() ? count - 1 - place : place; /* so that outputs ascend */
        int i2 = ls_meet(x2, j % size[2], 2u);
        int i1 = ls_meet(x1, j / size[2] % size[1], 1u);
        int i0 = ls_meet(x0, j / size[2] / size[1], 0u);
        if (i0 < 0 || i1 < 0 || i2 < 0)
            continue;
        uint pixel = ((image * uint(ls_from(0u)) + uint(i0)) * uint(ls_from(1u)) + uint(i1)) * uint(ls_from(2u)) + uint(i2);
        uint at = pixel * channels + channel;
        float x = LS_FLOAT(src[at]);
        if (LS_POOL == 0) {
            if (best < 0 || x > y) {
                y = x;
                best = j;
            }
        } else if (LS_POOL == 1) {
            y = y + x;
        } else if (LS_POOL == 2) {
            y = j == wanted ? x : y;
        } else if (LS_POOL == 3) {
            y = y + (positions[at] == j ? x : 0.0f);
        } else {
            y = y + LS_DIV(x, ls_count(i0, i1, i2));
        }
    }
    if (LS_POOL == 1 && end == count)
        y = LS_DIV(y, ls_count(x0, x1, x2));
    dst[item] = LS_BITS(y);
    if (LS_POOL == 0 && LS_POSITIONS)
        positions[item] = best;
}
