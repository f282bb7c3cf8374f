#version 450
#extension GL_GOOGLE_include_directive : require
/* SPDX-License-Identifier: Apache-2.0
 *
 * map: one row of elementwise.def over up to three inputs, each dense, a scalar, strided or an
 * immediate. The switch is over a specialization constant, and backends/vulkan/spirv_prune.c takes one
 * case out of it. Programs of several rows: backends/vulkan/fuse.c.
 *
 * An item makes one word of the result: one float or int, two halves, or four bytes.
 */
layout(local_size_x = 128) in;

layout(constant_id = 0) const int LS_ROW = 0;      /* its line in elementwise.def */
layout(constant_id = 1) const uint KIND_A = 0u;    /* see kernel.glsl */
layout(constant_id = 2) const uint KIND_B = 0u;
layout(constant_id = 3) const uint KIND_C = 0u;
layout(constant_id = 4) const uint KIND = 0u;      /* of the result */
layout(constant_id = 5) const uint RANK = 0u;      /* 0: inputs step by stride[0] from element to element */

layout(set = 0, binding = 0) readonly buffer A { uint in_a[]; };
layout(set = 0, binding = 1) readonly buffer B { uint in_b[]; };
layout(set = 0, binding = 2) readonly buffer C { uint in_c[]; };
layout(set = 0, binding = 3) writeonly buffer Result { uint result[]; };

layout(push_constant) uniform Push {
    uint n;
    uint immediates; /* bits of the inputs that are a word of `value` */
    uint value[3];
    int extent[6];
    int stride_a[6];
    int stride_b[6];
    int stride_c[6];
};

#include "prelude_glsl.h"
#include "canon.h"
#include "canon_exp.h"
#include "canon_trig.h"
#include "canon_special.h"
#include "kernel.glsl"

#define F_F(name, formula, saves, ga, la, ha) uint row_##name(uint x, uint y, uint z) { float a = LS_FLOAT(x); return LS_BITS(formula); }
#define F_FF(name, formula, saves, ga, gb, la, ha, lb, hb) uint row_##name(uint x, uint y, uint z) { float a = LS_FLOAT(x); float b = LS_FLOAT(y); return LS_BITS(formula); }
#define F_FFF(name, formula, saves, ga, gb, gc) uint row_##name(uint x, uint y, uint z) { float a = LS_FLOAT(x); float b = LS_FLOAT(y); float c = LS_FLOAT(z); return LS_BITS(formula); }
#define I_F(name, formula) uint row_##name(uint x, uint y, uint z) { float a = LS_FLOAT(x); return LS_UINT(formula); }
#define I_FF(name, formula) uint row_##name(uint x, uint y, uint z) { float a = LS_FLOAT(x); float b = LS_FLOAT(y); return LS_UINT(formula); }
#define I_I(name, formula) uint row_##name(uint x, uint y, uint z) { int a = LS_INT(x); return LS_UINT(formula); }
#define I_II(name, formula) uint row_##name(uint x, uint y, uint z) { int a = LS_INT(x); int b = LS_INT(y); return LS_UINT(formula); }
#define F_I(name, formula) uint row_##name(uint x, uint y, uint z) { int a = LS_INT(x); return LS_BITS(formula); }
#define W_IWW(name, formula) uint row_##name(uint x, uint b, uint c) { int a = LS_INT(x); return formula; }
#include "../lib/ops/elementwise.def"
#undef F_F
#undef F_FF
#undef F_FFF
#undef I_F
#undef I_FF
#undef I_I
#undef I_II
#undef F_I
#undef W_IWW

uint ls_row(uint a, uint b, uint c)
{
    uint r = a;
    switch (LS_ROW) {
#define CASE(name) case __LINE__: r = row_##name(a, b, c); break;
#define F_F(name, formula, saves, ga, la, ha) CASE(name)
#define F_FF(name, formula, saves, ga, gb, la, ha, lb, hb) CASE(name)
#define F_FFF(name, formula, saves, ga, gb, gc) CASE(name)
#define I_F(name, formula) CASE(name)
#define I_FF(name, formula) CASE(name)
#define I_I(name, formula) CASE(name)
#define I_II(name, formula) CASE(name)
#define F_I(name, formula) CASE(name)
#define W_IWW(name, formula) CASE(name)
#include "../lib/ops/elementwise.def"
    }
    return r;
}

uint ls_element(uint i)
{
    uint rest = i;
    int pa = 0;
    int pb = 0;
    int pc = 0;
    for (uint d = max(RANK, 1u) - 1u; d > 0u; d--) {
        uint quotient = rest / uint(extent[d]);
        int at = int(rest - quotient * uint(extent[d]));
        pa += at * stride_a[d];
        pb += at * stride_b[d];
        pc += at * stride_c[d];
        rest = quotient;
    }
    uint ia = uint(pa + int(rest) * stride_a[0]);
    uint ib = uint(pb + int(rest) * stride_b[0]);
    uint ic = uint(pc + int(rest) * stride_c[0]);
    uint a = (immediates & 1u) != 0u ? value[0] : ls_unpack(KIND_A, ia, in_a[LS_AT(KIND_A, ia)]);
    uint b = (immediates & 2u) != 0u ? value[1] : ls_unpack(KIND_B, ib, in_b[LS_AT(KIND_B, ib)]);
    uint c = (immediates & 4u) != 0u ? value[2] : ls_unpack(KIND_C, ic, in_c[LS_AT(KIND_C, ic)]);
    return ls_row(a, b, c);
}

void main()
{
    uint word = ls_item();
    if (KIND == 0u) { /* most: no loop, which would take drivers longer */
        if (word < n)
            result[word] = ls_element(word);
    } else {
        uint per = LS_PER_WORD(KIND);
        uint packed = 0u;
        for (uint i = word * per; i < word * per + per && i < n; i++)
            packed |= ls_pack(KIND, i, ls_element(i));
        if (word * per < n)
            result[word] = packed;
    }
}
