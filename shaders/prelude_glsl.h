/* What GLSL 450 needs so that canon.h, and kernels written on top of it, can be read as GLSL.
 *
 * GLSL promises no fused fma(), no correctly rounded division and no root: the self-test finds out what a
 * device has. A shader is compiled three times, with LS_EMULATE_FMA 0 (native), 1 (by doubles: declares
 * the capability Float64, so for devices with shaderFloat64 only) and 2 (by integers, for any device);
 * division and root are chosen by two specialization constants, native unless they are set to false.
 * Never compile with glslc -O: it fuses. Load through backends/vulkan/spirv.h. See docs/vulkan.md. */
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

layout(constant_id = 1000) const bool LS_NATIVE_DIVISION = true;
layout(constant_id = 1001) const bool LS_NATIVE_ROOT = true;
#define LS_EMULATE_DIV 1
#define LS_EMULATE_SQRT 1
#define LS_CHOOSE(native, value, emulated)                                                         \
    if (native)                                                                                    \
        return value;                                                                              \
    return emulated;

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
