/* What OpenCL C 1.2 needs so that canon.h, and kernels written on top of it, can be read as
 * OpenCL C. Pass it as the first string of clCreateProgramWithSource, canon.h as the next.
 *
 * LS_EMULATE_FMA=1 needs cl_khr_fp64. Build with -cl-fp32-correctly-rounded-divide-sqrt where
 * the device offers it; elsewhere define LS_EMULATE_DIV and LS_EMULATE_SQRT. */
#ifndef LS_PRELUDE_CL_H
#define LS_PRELUDE_CL_H

#pragma OPENCL FP_CONTRACT OFF

#define LS_LANGUAGE_OPENCL 1

#define LS_FN static inline
#define LS_STRUCT(name) typedef struct name name; struct name

#define LS_UINT(x) ((uint)(x))
#define LS_INT(x) ((int)(x))
#define LS_TO_INT(x) ((int)(x))
#define LS_TO_FLOAT(i) ((float)(i))
#define LS_SELECT(condition, a, b) ((condition) ? (a) : (b))
#define LS_BITS(x) as_uint(x)
#define LS_FLOAT(bits) as_float(bits)
#define LS_MULHI(a, b) mul_hi((uint)(a), (uint)(b))
#define LS_SHL(x, s) ((x) << (s))
#define LS_SHR(x, s) ((x) >> (s))

#if !defined(LS_EMULATE_FMA)
#define LS_EMULATE_FMA 0
#endif

#if LS_EMULATE_FMA == 1
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
/* Round to odd in double, then to float: see prelude_c.h. */
LS_FN float ls_fma_by_double(float a, float b, float c)
{
    double product = (double)a * (double)b; /* exact */
    double addend = (double)c;
    double sum = product + addend;
    double part = sum - product;
    double lost = (product - (sum - part)) + (addend - part);
    double side = lost * sum;
    long toward_zero = side < 0.0 ? 1 : 0;
    long inexact = side > 0.0 ? 1 : toward_zero;
    return (float)as_double((as_long(sum) - toward_zero) | inexact);
}
#define LS_FMA_BY_DOUBLE(a, b, c) ls_fma_by_double(a, b, c)
#endif

#define LS_FMA_NATIVE(a, b, c) fma((float)(a), (float)(b), (float)(c))
#define LS_DIV_NATIVE(a, b) ((a) / (b))
#define LS_SQRT_NATIVE(a) sqrt(a)

#endif
