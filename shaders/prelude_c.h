/* What C11 needs so that canon.h, and kernels written on top of it, can be read as C.
 *
 * Build with -ffp-contract=off. With -fno-math-errno -fno-trapping-math the functions vectorise. */
#ifndef LS_PRELUDE_C_H
#define LS_PRELUDE_C_H

#include <float.h>
#include <stdint.h>
#include <string.h>

#if FLT_EVAL_METHOD != 0
#error "the canonical arithmetic needs FLT_EVAL_METHOD == 0 (on 32-bit x86: -msse2 -mfpmath=sse)"
#endif

#define LS_LANGUAGE_C 1

typedef unsigned int uint;

#if defined(__GNUC__)
#define LS_FN static inline __attribute__((always_inline, unused))
#else
#define LS_FN static inline
#endif

#define LS_STRUCT(name) typedef struct name name; struct name

/* Value conversions. LS_TO_INT needs a number within int; LS_TO_FLOAT needs |i| <= 2^24. */
#define LS_UINT(x) ((uint)(x))
#define LS_INT(x) ((int)(x))
#define LS_TO_INT(x) ((int)(x))
#define LS_TO_FLOAT(i) ((float)(i))

LS_FN uint ls_bits_of(float x)
{
    uint bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

LS_FN float ls_float_of(uint bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

#define LS_BITS(x) ls_bits_of(x)
#define LS_FLOAT(bits) ls_float_of(bits)

/* condition ? a : b for float, int or uint by a mask: GCC duplicates code behind a ?: whose arms
 * it knows, and then does not vectorise the loop. Both arms are always evaluated. */
LS_FN uint ls_select_uint(int condition, uint a, uint b)
{
    uint mask = 0u - (uint)condition;
    return (a & mask) | (b & ~mask);
}

LS_FN int ls_select_int(int condition, int a, int b)
{
    return (int)ls_select_uint(condition, (uint)a, (uint)b);
}

LS_FN float ls_select_float(int condition, float a, float b)
{
    return ls_float_of(ls_select_uint(condition, ls_bits_of(a), ls_bits_of(b)));
}

#define LS_SELECT(condition, a, b) \
    _Generic((a), float : ls_select_float, int : ls_select_int, uint : ls_select_uint)( \
        (condition) ? 1 : 0, a, b)

/* The upper half of the 64-bit product. */
#define LS_MULHI(a, b) ((uint)(((uint64_t)(uint)(a) * (uint64_t)(uint)(b)) >> 32))

/* Shifts of a uint by a variable 0..31. SSE2 cannot shift each lane by its own count, but it can
 * multiply: x << s = x * 2^s, and x >> s is the upper half of x * 2^(32-s). */
#if defined(__SSE2__) && !defined(__AVX2__)
LS_FN uint ls_power_of_two(uint s)
{
    uint low = (uint)(int)ls_float_of(((s & 15u) + 127u) << 23);
    return ls_select_uint((s & 16u) != 0u, low << 16, low);
}
#define LS_SHL(x, s) ((x) * ls_power_of_two(s))
LS_FN uint ls_shift_right(uint x, uint s)
{
    uint shifted = (uint)(((uint64_t)x * ls_power_of_two((32u - s) & 31u)) >> 32);
    return ls_select_uint(s == 0u, x, shifted);
}
#define LS_SHR(x, s) ls_shift_right(x, s)
#else
#define LS_SHL(x, s) ((x) << (s))
#define LS_SHR(x, s) ((x) >> (s))
#endif

/* a*b + c rounded once. Without the instruction: the product of two floats is exact in a
 * double; TwoSum gives the sum and what its rounding lost; the sum is then rounded to odd,
 * which makes the second rounding, to float, correct (Boldo and Melquiond, "Emulation of FMA
 * and correctly rounded sums", 2008). All integers are 64 bits wide and no comparison feeds an
 * integer, so that it vectorises with SSE2. side is NaN where the sum is NaN or infinite. */
LS_FN float ls_fma_by_double(float a, float b, float c)
{
    double product = (double)a * (double)b; /* exact */
    double addend = (double)c;
    double sum = product + addend;
    double part = sum - product;
    double lost = (product - (sum - part)) + (addend - part);
    double side = lost * sum;
    side = side == side ? side : 0.0;
    uint64_t bits;
    uint64_t side_bits;
    memcpy(&bits, &sum, sizeof bits);
    memcpy(&side_bits, &side, sizeof side_bits);
    uint64_t inexact = ((side_bits << 1) | (0u - (side_bits << 1))) >> 63;
    uint64_t toward_zero = (side_bits >> 63) & inexact;
    bits = (bits - toward_zero) | inexact;
    memcpy(&sum, &bits, sizeof sum);
    return (float)sum;
}

#define LS_FMA_BY_DOUBLE(a, b, c) ls_fma_by_double(a, b, c)
#define LS_FMA_NATIVE(a, b, c) __builtin_fmaf(a, b, c)

#if !defined(LS_EMULATE_FMA)
#if defined(__FMA__) || defined(__aarch64__) || defined(__ARM_FEATURE_FMA)
#define LS_EMULATE_FMA 0
#else
#define LS_EMULATE_FMA 1
#endif
#endif

#define LS_DIV_NATIVE(a, b) ((a) / (b))
#define LS_SQRT_NATIVE(a) __builtin_sqrtf(a)

#endif
