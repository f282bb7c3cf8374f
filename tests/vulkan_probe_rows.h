/* SPDX-License-Identifier: Apache-2.0
 *
 * All that is probed, as the cases of one switch that C and GLSL share. Before it: EACH, which runs its
 * argument for each i; IN_A, IN_B, IN_C, words; OUT(word); FMA_OF, DIV_OF, ROOT_OF, what is on trial.
 *
 * Numbers below 1000 are lines of elementwise.def.
 */
#define A_F float a = LS_FLOAT(IN_A);
#define B_F float b = LS_FLOAT(IN_B);
#define C_F float c = LS_FLOAT(IN_C);
#define A_I int a = LS_INT(IN_A);
#define B_I int b = LS_INT(IN_B);
#define CASE(number, body) case number: EACH(body) break;

#define F_F(name, formula, saves, ga, la, ha) CASE(__LINE__, A_F OUT(LS_BITS(formula)))
#define F_FF(name, formula, saves, ga, gb, la, ha, lb, hb) CASE(__LINE__, A_F B_F OUT(LS_BITS(formula)))
#define F_FFF(name, formula, saves, ga, gb, gc) CASE(__LINE__, A_F B_F C_F OUT(LS_BITS(formula)))
#define I_F(name, formula) CASE(__LINE__, A_F OUT(LS_UINT(formula)))
#define I_FF(name, formula) CASE(__LINE__, A_F B_F OUT(LS_UINT(formula)))
#define I_I(name, formula) CASE(__LINE__, A_I OUT(LS_UINT(formula)))
#define I_II(name, formula) CASE(__LINE__, A_I B_I OUT(LS_UINT(formula)))
#define F_I(name, formula) CASE(__LINE__, A_I OUT(LS_BITS(formula)))
#define W_IWW(name, formula) CASE(__LINE__, A_I uint b = IN_B; uint c = IN_C; OUT(formula))
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

#define PROBE1(number, name) CASE(number, A_F OUT(LS_BITS(canon_##name(a))))
#define PROBE2(number, name) CASE(number, A_F B_F OUT(LS_BITS(canon_##name(a, b))))
#include "vulkan_probe_functions.def"
#undef PROBE1
#undef PROBE2

CASE(2000, A_F B_F OUT(LS_BITS(a + b)))
CASE(2001, A_F B_F OUT(LS_BITS(a - b)))
CASE(2002, A_F B_F OUT(LS_BITS(a * b)))
CASE(2003, A_F B_F C_F OUT(LS_BITS(FMA_OF(a, b, c))))
CASE(2004, A_F B_F OUT(LS_BITS(DIV_OF(a, b))))
CASE(2005, A_F OUT(LS_BITS(ROOT_OF(a))))
CASE(2006, A_F OUT(LS_BITS(-a)))
CASE(2007, A_I OUT(LS_BITS(LS_I2F(a))))
CASE(2008, A_F OUT(LS_UINT(LS_F2I(a))))
CASE(2009, A_F OUT(LS_BITS(a + 0.0f)))
CASE(2010, A_F OUT(LS_BITS(a * 1.0f)))
CASE(2011, A_F OUT(LS_BITS(a - a)))
/* What TwoSum loses, and what it says is lost. */
CASE(2012, A_F B_F float sum = a + b; float part = sum - a; OUT(LS_BITS((a - (sum - part)) + (b - part))))
/* The smallest of the words of a random number, a uniform and a normal one. */
CASE(2013, canon_uint4 w = canon_philox(IN_A, IN_B, IN_C, 0u, IN_B, IN_A); OUT(w.x ^ w.y ^ w.z ^ w.w))
CASE(2014, canon_uint4 w = canon_philox(IN_A, IN_B, IN_C, 1u, 7u, 9u); canon_float4 n = canon_normal4(w);
     OUT(LS_BITS((n.x + n.y) + (n.z + n.w)) ^ LS_BITS(canon_uniform(w.x))))
CASE(2015, A_F B_F C_F float p = a * b; OUT(LS_BITS(p + c)))
CASE(2016, A_F B_F C_F float p = a * b; OUT(LS_BITS(c - p)))
CASE(2017, A_F B_F C_F OUT(LS_BITS(FMA_OF(-a, b, FMA_OF(a, c, b)))))
/* In a loop, as gemm has it. */
CASE(2018, A_F B_F C_F float m = LS_FLOAT((LS_BITS(a) & 0x007fffffu) | 0x3f000000u);
     for (int k = 0; k < 64; k++) c = FMA_OF(c, m, b); OUT(LS_BITS(c)))
