/* SPDX-License-Identifier: Apache-2.0
 *
 * In place of prelude_cl.h: canon.h and the rows read as functions of 16 numbers at a time, for the
 * devices that compute with vectors (CPUs). Here `float` means float16, and so on, until wide_end.cl.
 * Their source has neither branches nor casts, so this is all it takes, and nothing depends on what
 * a compiler's vectoriser can do. Needs overloadable functions, which clang has, and so has every
 * OpenCL driver for CPUs.
 */
#pragma OPENCL FP_CONTRACT OFF

#define LS_LANGUAGE_OPENCL 1
#define LS_WIDE 1

#define LS_FN static inline
#define LS_ANY static inline __attribute__((overloadable))
#define LS_STRUCT(name) typedef struct name name; struct name

/* Literals become vectors; vectors stay. */
LS_ANY float16 ls_all(float x) { return (float16)(x); }
LS_ANY float16 ls_all(float16 x) { return x; }
LS_ANY int16 ls_all(int x) { return (int16)(x); }
LS_ANY int16 ls_all(int16 x) { return x; }
LS_ANY uint16 ls_all(uint x) { return (uint16)(x); }
LS_ANY uint16 ls_all(uint16 x) { return x; }

/* Comparisons of vectors give all ones for true, which is how select reads a condition. */
LS_ANY float16 ls_choose(int16 c, float16 a, float16 b) { return select(b, a, c); }
LS_ANY int16 ls_choose(int16 c, int16 a, int16 b) { return select(b, a, c); }
LS_ANY uint16 ls_choose(int16 c, uint16 a, uint16 b) { return select(b, a, c); }

LS_ANY uint16 ls_to_uint(int16 x) { return as_uint16(x); }
LS_ANY uint16 ls_to_uint(uint16 x) { return x; }
LS_ANY int16 ls_to_int(uint16 x) { return as_int16(x); }
LS_ANY int16 ls_to_int(int16 x) { return x; }
LS_ANY int16 ls_to_int(float16 x) { return convert_int16(x); }
LS_ANY float16 ls_to_float(int16 x) { return convert_float16(x); }
LS_ANY float16 ls_to_float(uint16 x) { return convert_float16(x); }

#define LS_UINT(x) ls_to_uint(ls_all(x))
#define LS_INT(x) ls_to_int(ls_all(x))
#define LS_TO_INT(x) ls_to_int(ls_all(x))
#define LS_TO_FLOAT(i) ls_to_float(ls_all(i))
#define LS_SELECT(condition, a, b) ls_choose(condition, ls_all(a), ls_all(b))
#define LS_BITS(x) as_uint16(ls_all(x))
#define LS_FLOAT(bits) as_float16(ls_all(bits))
#define LS_MULHI(a, b) mul_hi(ls_all(a), ls_all(b))
#define LS_SHL(x, s) (ls_all(x) << ls_all(s))
#define LS_SHR(x, s) (ls_all(x) >> ls_all(s))

#if !defined(LS_EMULATE_FMA)
#define LS_EMULATE_FMA 0
#endif

#if LS_EMULATE_FMA == 1
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
/* Round to odd in double, then to float: see prelude_c.h. */
LS_FN float16 ls_fma_by_double(float16 a, float16 b, float16 c)
{
    double16 product = convert_double16(a) * convert_double16(b); /* exact */
    double16 addend = convert_double16(c);
    double16 sum = product + addend;
    double16 part = sum - product;
    double16 lost = (product - (sum - part)) + (addend - part);
    double16 side = lost * sum;
    long16 toward_zero = (side < 0.0) & 1L;
    long16 inexact = ((side > 0.0) & 1L) | toward_zero;
    return convert_float16(as_double16((as_long16(sum) - toward_zero) | inexact));
}
#define LS_FMA_BY_DOUBLE(a, b, c) ls_fma_by_double(ls_all(a), ls_all(b), ls_all(c))
#endif

#define LS_FMA_NATIVE(a, b, c) fma(ls_all(a), ls_all(b), ls_all(c))
#define LS_DIV_NATIVE(a, b) (ls_all(a) / ls_all(b))
#define LS_SQRT_NATIVE(a) sqrt(ls_all(a))

#define float float16
#define int int16
#define uint uint16
