/* What GLSL 450 needs so that canon.h, and kernels written on top of it, can be read as GLSL.
 *
 * GLSL promises no fused fma(): the self-test decides, else define LS_EMULATE_FMA as 1 (needs
 * shaderFloat64) or 2. Never compile with glslc -O; see canon.md, section 4. */
#ifndef LS_PRELUDE_GLSL_H
#define LS_PRELUDE_GLSL_H

#define LS_LANGUAGE_GLSL 1

#define LS_FN
#define LS_STRUCT(name) struct name

#define LS_UINT(x) uint(x)
#define LS_INT(x) int(x)
#define LS_TO_INT(x) int(x)
#define LS_TO_FLOAT(i) float(i)
#define LS_SELECT(condition, a, b) ((condition) ? (a) : (b))
#define LS_BITS(x) floatBitsToUint(x)
#define LS_FLOAT(bits) uintBitsToFloat(bits)
#define LS_SHL(x, s) ((x) << (s))
#define LS_SHR(x, s) ((x) >> (s))

uint ls_mulhi(uint a, uint b)
{
    uint high;
    uint low;
    umulExtended(a, b, high, low);
    return high;
}
#define LS_MULHI(a, b) ls_mulhi(a, b)

#if !defined(LS_EMULATE_FMA)
#define LS_EMULATE_FMA 0
#endif

#if LS_EMULATE_FMA == 1
/* Round to odd in double, then to float: see prelude_c.h. A double is handled as two words. */
float ls_fma_by_double(float a, float b, float c)
{
    precise double product = double(a) * double(b); /* exact */
    precise double addend = double(c);
    precise double sum = product + addend;
    precise double part = sum - product;
    precise double lost = (product - (sum - part)) + (addend - part);
    precise double side = lost * sum;
    uint toward_zero = side < 0.0LF ? 1u : 0u;
    uint inexact = side > 0.0LF ? 1u : toward_zero;
    uvec2 words = unpackDouble2x32(sum);
    words.y -= words.x < toward_zero ? 1u : 0u;
    words.x = (words.x - toward_zero) | inexact;
    return float(packDouble2x32(words));
}
#define LS_FMA_BY_DOUBLE(a, b, c) ls_fma_by_double(a, b, c)
#endif

#define LS_FMA_NATIVE(a, b, c) fma(float(a), float(b), float(c))
#define LS_DIV_NATIVE(a, b) ((a) / (b))
#define LS_SQRT_NATIVE(a) sqrt(a)

#endif
