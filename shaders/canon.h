/* The canonical elementary functions, first of four files:
 * canon.h, canon_exp.h, canon_trig.h, canon_special.h, in this order.
 *
 * One source, read without a change as C11, OpenCL C 1.2 and GLSL 450; the prelude of the
 * language comes first. In C this file includes the others; OpenCL and GLSL get all the
 * texts in that order, or only as many as they need.
 *
 * Everything here is made of + - * fma / sqrt, each rounded once to nearest even, of integer
 * operations and of bit casts, so it gives the same bits wherever those do. No loop, no branch, no
 * table, no double, no libm. Errors, hashes and worst inputs: docs/canon.md, tools/ulp.c.
 *
 * Polynomials are our own, made by sollya with single precision coefficients. The comment gives
 * the call, where SG is sollya's name for binary32:
 *     fpminimax(f, [|monomials|], [|SG...|], interval, floating, relative, fixed part)
 */
#ifndef LS_CANON_H
#define LS_CANON_H

#define LS_INFINITY LS_FLOAT(0x7f800000u)
#define LS_NAN LS_FLOAT(0x7fc00000u)
#define LS_ABS(x) LS_FLOAT(LS_BITS(x) & 0x7fffffffu)
#define LS_NEGATE(x) LS_FLOAT(LS_BITS(x) ^ 0x80000000u)

/* magnitude >= 0 with the sign of x. */
#define LS_WITH_SIGN(magnitude, x) LS_FLOAT(LS_BITS(magnitude) | (LS_BITS(x) & 0x80000000u))

/* Adding this to |x| < 2^22 rounds x to an integer, which then sits in the low bits. */
#define LS_ROUNDER 12582912.0f

/* ---- what a device may lack: fma, division, square root ----
 *
 * Each is native, or emulated where LS_EMULATE_FMA, LS_EMULATE_DIV, LS_EMULATE_SQRT say so. A prelude
 * with LS_CHOOSE has the quotient and the root both ways and chooses when the kernel is built. */

#if LS_EMULATE_FMA == 2

LS_FN uint canon_leading_zeros(uint x)
{
    uint n = 0u;
    uint shift = LS_SELECT(x < 0x00010000u, 16u, 0u);
    n = n + shift;
    x = LS_SHL(x, shift);
    shift = LS_SELECT(x < 0x01000000u, 8u, 0u);
    n = n + shift;
    x = LS_SHL(x, shift);
    shift = LS_SELECT(x < 0x10000000u, 4u, 0u);
    n = n + shift;
    x = LS_SHL(x, shift);
    shift = LS_SELECT(x < 0x40000000u, 2u, 0u);
    n = n + shift;
    x = LS_SHL(x, shift);
    return n + LS_SELECT(x < 0x80000000u, 1u, 0u);
}

/* A 64-bit number in two words. */
LS_STRUCT(canon_wide) {
    uint high;
    uint low;
};

/* x >> count for count 0..63; the lowest bit also stands for all bits that were shifted out. */
LS_FN canon_wide canon_shift_sticky(canon_wide x, uint count)
{
    canon_wide result;
    uint whole = count >> 5;
    uint rest = count & 31u;
    uint lost = LS_SELECT(whole == 1u, x.low, 0u);
    uint low = LS_SELECT(whole == 1u, x.high, x.low);
    uint high = LS_SELECT(whole == 1u, 0u, x.high);
    uint back = 31u - rest;
    lost = lost | (LS_SHL(low, back) << 1);
    result.high = LS_SHR(high, rest);
    result.low = LS_SHR(low, rest) | (LS_SHL(high, back) << 1);
    result.low = result.low | LS_SELECT(lost != 0u, 1u, 0u);
    return result;
}

/* a*b + c rounded once, by 32-bit integers alone: for devices with neither an exact fma nor
 * doubles. The 48-bit product and c are aligned in 64 bits, below which one bit collects the
 * rest, then added, normalised and rounded to nearest even. Exact everywhere, slow. */
LS_FN float canon_fma_by_integers(float a, float b, float c)
{
    uint a_bits = LS_BITS(a);
    uint b_bits = LS_BITS(b);
    uint c_bits = LS_BITS(c);
    uint a_field = (a_bits >> 23) & 0xffu;
    uint b_field = (b_bits >> 23) & 0xffu;
    uint c_field = (c_bits >> 23) & 0xffu;
    uint a_m = (a_bits & 0x007fffffu) | LS_SELECT(a_field > 0u, 0x00800000u, 0u);
    uint b_m = (b_bits & 0x007fffffu) | LS_SELECT(b_field > 0u, 0x00800000u, 0u);
    uint c_m = (c_bits & 0x007fffffu) | LS_SELECT(c_field > 0u, 0x00800000u, 0u);
    uint a_zeros = canon_leading_zeros(a_m | 1u);
    uint b_zeros = canon_leading_zeros(b_m | 1u);
    uint c_zeros = canon_leading_zeros(c_m | 1u);
    a_m = LS_SHL(a_m, a_zeros);
    b_m = LS_SHL(b_m, b_zeros);
    c_m = LS_SHL(c_m, c_zeros);
    /* |a| = a_m 2^(a_e - 150) with the top bit of a_m set. */
    int a_e = LS_INT(a_field + LS_SELECT(a_field > 0u, 0u, 1u)) - LS_INT(a_zeros);
    int b_e = LS_INT(b_field + LS_SELECT(b_field > 0u, 0u, 1u)) - LS_INT(b_zeros);
    int c_e = LS_INT(c_field + LS_SELECT(c_field > 0u, 0u, 1u)) - LS_INT(c_zeros);

    canon_wide p;
    canon_wide q;
    uint top = LS_MULHI(a_m, b_m);
    p.low = ((a_m * b_m) >> 2) | (top << 30);
    p.high = top >> 2;
    q.high = c_m >> 2;
    q.low = c_m << 30;
    /* The values are p 2^(p_e - 298) and q 2^(q_e - 298). */
    int p_e = a_e + b_e;
    int q_e = c_e + 118;
    int apart = p_e - q_e;
    int e = LS_SELECT(apart > 0, p_e, q_e);
    uint p_shift = LS_UINT(LS_SELECT(apart < 0, -apart, 0));
    uint q_shift = LS_UINT(LS_SELECT(apart > 0, apart, 0));
    p = canon_shift_sticky(p, LS_SELECT(p_shift > 63u, 63u, p_shift));
    q = canon_shift_sticky(q, LS_SELECT(q_shift > 63u, 63u, q_shift));

    uint p_sign = (a_bits ^ b_bits) & 0x80000000u;
    uint c_sign = c_bits & 0x80000000u;
    uint sum_low = p.low + q.low;
    uint sum_high = p.high + q.high + LS_SELECT(sum_low < p.low, 1u, 0u);
    uint difference_low = p.low - q.low;
    uint difference_high = p.high - q.high - LS_SELECT(p.low < q.low, 1u, 0u);
    uint negative = difference_high >> 31;
    uint flipped_low = 0u - difference_low;
    uint flipped_high = 0u - difference_high - LS_SELECT(difference_low != 0u, 1u, 0u);
    difference_low = LS_SELECT(negative == 1u, flipped_low, difference_low);
    difference_high = LS_SELECT(negative == 1u, flipped_high, difference_high);
    uint high = LS_SELECT(p_sign == c_sign, sum_high, difference_high);
    uint low = LS_SELECT(p_sign == c_sign, sum_low, difference_low);
    uint sign = LS_SELECT(p_sign == c_sign, 0u, negative << 31) ^ p_sign;
    uint nothing = LS_SELECT((high | low) == 0u, 1u, 0u);

    uint empty = LS_SELECT(high == 0u, 1u, 0u);
    high = LS_SELECT(empty == 1u, low, high);
    low = LS_SELECT(empty == 1u, 0u, low);
    e = LS_SELECT(empty == 1u, e - 32, e);
    uint zeros = canon_leading_zeros(high | 1u);
    uint back = 31u - zeros;
    high = LS_SHL(high, zeros) | (LS_SHR(low, back) >> 1);
    low = LS_SHL(low, zeros);
    int field = e - LS_INT(zeros) - 108;

    uint extra = LS_UINT(LS_SELECT(field < 1, 1 - field, 0));
    extra = LS_SELECT(extra > 31u, 31u, extra);
    uint cut = LS_SHL(high, 31u - extra) << 1;
    uint rest = LS_SHR(high, extra) | LS_SELECT((cut | low) != 0u, 1u, 0u);
    uint m = rest >> 8;
    m = m + (((rest & 0xffu) + 127u + (m & 1u)) >> 8);
    int kept_field = LS_SELECT(field < 1, 1, field);
    uint bits = (LS_UINT(LS_SELECT(kept_field > 255, 255, kept_field) - 1) << 23) + m;
    bits = LS_SELECT(bits > 0x7f800000u, 0x7f800000u, bits) | sign;
    bits = LS_SELECT(nothing == 1u, 0u, bits);

    uint no_product = LS_SELECT((a_bits & 0x7fffffffu) == 0u, 1u, 0u);
    no_product = LS_SELECT((b_bits & 0x7fffffffu) == 0u, 1u, no_product);
    uint no_addend = LS_SELECT((c_bits & 0x7fffffffu) == 0u, 1u, 0u);
    uint zero_sign = p_sign & c_sign;
    bits = LS_SELECT(no_product == 1u, LS_SELECT(no_addend == 1u, zero_sign, c_bits), bits);
    float product = a * b; /* exact: infinite or NaN where it is used */
    float special = product + c;
    float result = LS_FLOAT(bits);
    result = LS_SELECT(c_field == 255u, c, result);
    result = LS_SELECT(a_field == 255u, special, result);
    return LS_SELECT(b_field == 255u, special, result);
}

#endif

#if LS_EMULATE_FMA == 0
#define LS_FMA(a, b, c) LS_FMA_NATIVE(a, b, c)
#elif LS_EMULATE_FMA == 1
#define LS_FMA(a, b, c) LS_FMA_BY_DOUBLE(a, b, c)
#else
#define LS_FMA(a, b, c) canon_fma_by_integers(a, b, c)
#endif

#if defined(LS_EMULATE_DIV) || defined(LS_EMULATE_SQRT)

/* |x| = m 2^e with 1 <= m < 2, for finite x != 0, subnormals included. */
LS_STRUCT(canon_normalised) {
    float m;
    int e;
};

LS_FN canon_normalised canon_normalise(float x)
{
    canon_normalised result;
    uint bits = LS_BITS(x) & 0x7fffffffu;
    uint subnormal = LS_SELECT(bits < 0x00800000u, 1u, 0u);
    uint small = LS_BITS(LS_TO_FLOAT(LS_INT(bits & 0x007fffffu)));
    bits = LS_SELECT(subnormal == 1u, small, bits);
    result.m = LS_FLOAT((bits & 0x007fffffu) | 0x3f800000u);
    result.e = LS_INT(bits >> 23) - LS_SELECT(subnormal == 1u, 127 + 149, 127);
    return result;
}

#endif

#if defined(LS_EMULATE_DIV)

/* a / b correctly rounded, from fma: both normalised to [1, 2), a reciprocal from a polynomial
 * and three Newton steps, the quotient and one correction by its remainder (P. Markstein, 1990).
 * A subnormal quotient is rounded once more, with the sign of the last remainder as the sticky bit.
 * fpminimax(1/x, [|0,1,2,3|], [|SG...|], [1;2], floating, relative): 2^-9.1 */
LS_FN float canon_divide(float a, float b)
{
    canon_normalised n = canon_normalise(a);
    canon_normalised d = canon_normalise(b);
    float y = LS_FMA(d.m, -0.221836731f, 1.33102095f);
    y = LS_FMA(y, d.m, -2.93933916f);
    y = LS_FMA(y, d.m, 2.82842183f);
    y = LS_FMA(LS_FMA(-d.m, y, 1.0f), y, y);
    y = LS_FMA(LS_FMA(-d.m, y, 1.0f), y, y);
    y = LS_FMA(LS_FMA(-d.m, y, 1.0f), y, y);
    float q = n.m * y;
    q = LS_FMA(LS_FMA(-d.m, q, n.m), y, q);
    float rest = LS_FMA(-d.m, q, n.m);
    /* Where d.m is all ones, y cannot be rounded correctly and q may be its neighbour. */
    float half_unit = d.m * LS_SELECT(q < 1.0f, 2.98023224e-8f, 5.96046448e-8f);
    uint nearest = LS_BITS(q);
    nearest = LS_SELECT(rest > half_unit, nearest + 1u, nearest);
    nearest = LS_SELECT(rest < -half_unit, nearest - 1u, nearest);
    q = LS_FLOAT(nearest);
    rest = LS_FMA(-d.m, q, n.m);

    int field = LS_INT(LS_BITS(q) >> 23) + (n.e - d.e);
    uint mantissa = (LS_BITS(q) & 0x007fffffu) | 0x00800000u;
    uint normal = mantissa + (LS_UINT(LS_SELECT(field < 1, 1, field) - 1) << 23);
    normal = LS_SELECT(field > 254, 0x7f800000u, normal);
    uint shift = LS_UINT(LS_SELECT(field < 1, 1 - field, 0)) + 2u;
    shift = LS_SELECT(shift > 31u, 31u, shift);
    uint exact = mantissa << 2;
    exact = LS_SELECT(rest > 0.0f, exact + 1u, exact);
    exact = LS_SELECT(rest < 0.0f, exact - 1u, exact);
    uint odd = LS_SHR(exact, shift) & 1u;
    uint half_less = (LS_SHL(1u, shift) >> 1) - 1u;
    uint subnormal = LS_SHR(exact + half_less + odd, shift);
    uint bits = LS_SELECT(field < 1, subnormal, normal);

    uint a_bits = LS_BITS(a) & 0x7fffffffu;
    uint b_bits = LS_BITS(b) & 0x7fffffffu;
    bits = LS_SELECT(b_bits == 0x7f800000u, 0u, bits);
    bits = LS_SELECT(a_bits == 0x7f800000u, 0x7f800000u, bits);
    bits = LS_SELECT(b_bits == 0u, LS_SELECT(a_bits == 0u, 0x7fc00000u, 0x7f800000u), bits);
    bits = LS_SELECT(a_bits == 0u, LS_SELECT(b_bits == 0u, 0x7fc00000u, 0u), bits);
    uint infinities = LS_SELECT(a_bits == 0x7f800000u, 1u, 0u);
    infinities = LS_SELECT(b_bits == 0x7f800000u, infinities, 0u);
    bits = LS_SELECT(infinities == 1u, 0x7fc00000u, bits);
    bits = LS_SELECT(a_bits > 0x7f800000u, 0x7fc00000u, bits);
    bits = LS_SELECT(b_bits > 0x7f800000u, 0x7fc00000u, bits);
    return LS_FLOAT(bits ^ ((LS_BITS(a) ^ LS_BITS(b)) & 0x80000000u));
}

#if defined(LS_CHOOSE)
LS_FN float canon_chosen_divide(float a, float b)
{
    LS_CHOOSE(LS_NATIVE_DIVISION, LS_DIV_NATIVE(a, b), canon_divide(a, b))
}
#define LS_DIV(a, b) canon_chosen_divide(a, b)
#else
#define LS_DIV(a, b) canon_divide(a, b)
#endif
#else
#define LS_DIV(a, b) LS_DIV_NATIVE(a, b)
#endif

#if defined(LS_EMULATE_SQRT)

/* sqrt x correctly rounded, from fma: x normalised to [1, 4), 1/sqrt from a polynomial and three
 * Newton steps, then Goldschmidt's root and half reciprocal, and one correction by the remainder.
 * fpminimax(1/sqrt(x), [|0,1,2,3|], [|SG...|], [1;4], floating, relative): 2^-7.1 */
LS_FN float canon_square_root(float x)
{
    canon_normalised n = canon_normalise(x);
    int odd = n.e & 1;
    float a = LS_SELECT(odd == 1, n.m + n.m, n.m);
    float y = LS_FMA(a, -1.90504305e-2f, 0.194685817f);
    y = LS_FMA(y, a, -0.738863289f);
    y = LS_FMA(y, a, 1.55618727f);
    y = LS_FMA(LS_FMA(-(a * y), y, 1.0f), y * 0.5f, y);
    y = LS_FMA(LS_FMA(-(a * y), y, 1.0f), y * 0.5f, y);
    y = LS_FMA(LS_FMA(-(a * y), y, 1.0f), y * 0.5f, y);
    float g = a * y;
    float h = y * 0.5f;
    float r = LS_FMA(-h, g, 0.5f);
    g = LS_FMA(g, r, g);
    h = LS_FMA(h, r, h);
    g = LS_FMA(h, LS_FMA(-g, g, a), g);
    uint bits = LS_BITS(g) + (LS_UINT((n.e - odd) >> 1) << 23);
    bits = LS_SELECT(LS_BITS(x) == 0x7f800000u, 0x7f800000u, bits);
    bits = LS_SELECT((LS_BITS(x) & 0x7fffffffu) == 0u, LS_BITS(x), bits);
    bits = LS_SELECT(LS_BITS(x) > 0x80000000u, 0x7fc00000u, bits);
    bits = LS_SELECT((LS_BITS(x) & 0x7fffffffu) > 0x7f800000u, 0x7fc00000u, bits);
    return LS_FLOAT(bits);
}

#if defined(LS_CHOOSE)
LS_FN float canon_chosen_square_root(float a)
{
    LS_CHOOSE(LS_NATIVE_ROOT, LS_SQRT_NATIVE(a), canon_square_root(a))
}
#define LS_SQRT(a) canon_chosen_square_root(a)
#else
#define LS_SQRT(a) canon_square_root(a)
#endif
#else
#define LS_SQRT(a) LS_SQRT_NATIVE(a)
#endif

/* ---- conversions and rounding to integers ---- */

/* Toward zero; saturates; NaN -> 0. */
LS_FN int canon_int_of_float(float x)
{
    int i = LS_TO_INT(LS_SELECT(LS_ABS(x) < 2147483648.0f, x, 0.0f));
    i = LS_SELECT(x >= 2147483648.0f, 0x7fffffff, i);
    return LS_SELECT(x <= -2147483648.0f, LS_INT(0x80000000u), i);
}
#define LS_F2I(x) canon_int_of_float(x)

/* To nearest even: both halves are exact, so fma rounds once. */
LS_FN float canon_float_of_int(int i)
{
    return LS_FMA(LS_TO_FLOAT(i >> 16), 65536.0f, LS_TO_FLOAT(i & 0xffff));
}
#define LS_I2F(i) canon_float_of_int(i)

LS_FN float canon_float_of_uint(uint u)
{
    return LS_FMA(LS_TO_FLOAT(LS_INT(u >> 16)), 65536.0f, LS_TO_FLOAT(LS_INT(u & 0xffffu)));
}
#define LS_U2F(u) canon_float_of_uint(u)

/* Toward zero, down, up, and to nearest even, all exact; the sign of a zero is kept. */
LS_FN float canon_trunc(float x)
{
    float inside = LS_SELECT(LS_ABS(x) < 8388608.0f, x, 0.0f);
    float whole = LS_TO_FLOAT(LS_TO_INT(inside));
    return LS_SELECT(LS_ABS(x) < 8388608.0f, LS_WITH_SIGN(whole, x), x);
}
#define LS_TRUNC(x) canon_trunc(x)

LS_FN float canon_floor(float x)
{
    float whole = canon_trunc(x);
    return LS_SELECT(whole > x, whole - 1.0f, whole);
}
#define LS_FLOOR(x) canon_floor(x)

LS_FN float canon_ceil(float x)
{
    float whole = canon_trunc(x);
    return LS_SELECT(whole < x, whole + 1.0f, whole);
}
#define LS_CEIL(x) canon_ceil(x)

LS_FN float canon_round(float x)
{
    float a = LS_ABS(x);
    float whole = (a + 8388608.0f) - 8388608.0f;
    return LS_SELECT(a < 8388608.0f, LS_WITH_SIGN(whole, x), x);
}
#define LS_ROUND(x) canon_round(x)

/* IEEE binary16 and bfloat16 in the low 16 bits: ties to even, subnormals kept, NaN made quiet. */
LS_FN uint canon_half_of_float(float x)
{
    uint bits = LS_BITS(x) & 0x7fffffffu;
    uint normal = (bits - 0x38000000u + 0xfffu + ((bits >> 13) & 1u)) >> 13;
    uint field = bits >> 23;
    uint m = (bits & 0x007fffffu) | 0x00800000u;
    uint shift = LS_SELECT(field < 95u, 31u, 126u - field);
    shift = LS_SELECT(field < 113u, shift, 31u);
    uint odd = LS_SHR(m, shift) & 1u;
    uint subnormal = LS_SHR(m + (LS_SHL(1u, shift - 1u) - 1u) + odd, shift);
    uint result = LS_SELECT(field < 113u, subnormal, normal);
    result = LS_SELECT(bits >= 0x477ff000u, 0x7c00u, result);
    result = LS_SELECT(bits > 0x7f800000u, 0x7e00u, result);
    return result | ((LS_BITS(x) >> 16) & 0x8000u);
}

LS_FN float canon_float_of_half(uint half_bits)
{
    uint bits = half_bits & 0x7fffu;
    uint subnormal = LS_BITS(LS_TO_FLOAT(LS_INT(bits)) * 5.96046448e-8f);
    uint result = LS_SELECT(bits < 0x0400u, subnormal, (bits << 13) + 0x38000000u);
    result = LS_SELECT(bits >= 0x7c00u, (bits << 13) | 0x7f800000u, result);
    result = LS_SELECT(bits > 0x7c00u, 0x7fc00000u, result);
    return LS_FLOAT(result | ((half_bits & 0x8000u) << 16));
}

LS_FN uint canon_bfloat_of_float(float x)
{
    uint bits = LS_BITS(x);
    uint rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    uint nan = ((bits >> 16) & 0x8000u) | 0x7fc0u;
    return LS_SELECT((bits & 0x7fffffffu) > 0x7f800000u, nan, rounded);
}

LS_FN float canon_float_of_bfloat(uint bfloat_bits)
{
    return LS_FLOAT(bfloat_bits << 16);
}

/* The same with the 16 bits in an int, as the registers of map have them. */
#define LS_F2H(x) LS_INT(canon_half_of_float(x))
#define LS_H2F(h) canon_float_of_half(LS_UINT(h))
#define LS_F2B(x) LS_INT(canon_bfloat_of_float(x))
#define LS_B2F(b) canon_float_of_bfloat(LS_UINT(b))

/* ---- random words ---- */

LS_STRUCT(canon_uint4) {
    uint x;
    uint y;
    uint z;
    uint w;
};

LS_STRUCT(canon_float4) {
    float x;
    float y;
    float z;
    float w;
};

LS_FN canon_uint4 canon_philox_round(canon_uint4 c, uint key0, uint key1)
{
    canon_uint4 result;
    result.x = LS_MULHI(0xcd9e8d57u, c.z) ^ c.y ^ key0;
    result.y = 0xcd9e8d57u * c.z;
    result.z = LS_MULHI(0xd2511f53u, c.x) ^ c.w ^ key1;
    result.w = 0xd2511f53u * c.x;
    return result;
}

/* Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011): four random
 * words from a counter of four and a key of two. Rule 15 says what goes into the counter. */
LS_FN canon_uint4 canon_philox(uint c0, uint c1, uint c2, uint c3, uint key0, uint key1)
{
    canon_uint4 c;
    c.x = c0;
    c.y = c1;
    c.z = c2;
    c.w = c3;
    c = canon_philox_round(c, key0, key1);
    c = canon_philox_round(c, key0 + 0x9e3779b9u, key1 + 0xbb67ae85u);
    c = canon_philox_round(c, key0 + 0x3c6ef372u, key1 + 0x76cf5d0au);
    c = canon_philox_round(c, key0 + 0xdaa66d2bu, key1 + 0x32370b8fu);
    c = canon_philox_round(c, key0 + 0x78dde6e4u, key1 + 0xed9eba14u);
    c = canon_philox_round(c, key0 + 0x1715609du, key1 + 0xa9066899u);
    c = canon_philox_round(c, key0 + 0xb54cda56u, key1 + 0x646e171eu);
    c = canon_philox_round(c, key0 + 0x5384540fu, key1 + 0x1fd5c5a3u);
    c = canon_philox_round(c, key0 + 0xf1bbcdc8u, key1 + 0xdb3d7428u);
    return canon_philox_round(c, key0 + 0x8ff34781u, key1 + 0x96a522adu);
}

/* A word as a number in [0, 1), a multiple of 2^-24. */
LS_FN float canon_uniform(uint word)
{
    return LS_TO_FLOAT(LS_INT(word >> 8)) * 5.96046448e-8f;
}

/* A bijection of words in which every bit of x reaches every bit of the result: xors with shifts of about
 * half the width, and odd factors. */
LS_FN uint canon_mix(uint x)
{
    x = (x ^ (x >> 16)) * 0x21f0aaadu;
    x = (x ^ (x >> 15)) * 0x735a2d97u;
    return x ^ (x >> 16);
}

/* Digests, rule 29: what element i of a block is joined with, and what a block's sum adds. */
LS_FN uint canon_digest_key(uint i)
{
    return canon_mix(i + 0x9e3779b9u);
}

LS_STRUCT(canon_uint2) {
    uint x;
    uint y;
};

LS_FN canon_uint2 canon_digest_join(uint low, uint high, uint block)
{
    canon_uint2 result;
    uint inner = canon_mix(low ^ canon_mix(block + 0x85ebca6bu));
    result.x = canon_mix(high + inner);
    uint spread = result.x * 0xc2b2ae35u;
    result.y = canon_mix(inner + spread);
    return result;
}

/* The sum of two floats, where one is not precise enough. */
LS_STRUCT(canon_pair) {
    float high;
    float low;
};

#if defined(LS_LANGUAGE_C)
#include "canon_exp.h"
#include "canon_trig.h"
#include "canon_special.h"
#endif

#endif
