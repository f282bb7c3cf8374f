/* Canonical circular functions, third of four files; canon.h and canon_exp.h come before. */
#ifndef LS_CANON_TRIG_H
#define LS_CANON_TRIG_H

/* |x| = quadrant * pi/2 + (high + low), with |high| <= pi/4 and low the rounding error of high. */
LS_STRUCT(canon_angle) {
    float high;
    float low;
    uint quadrant;
};

/* One of five words by index 0..4. */
LS_FN uint canon_word_of_5(uint index, uint w0, uint w1, uint w2, uint w3, uint w4)
{
    uint w = LS_SELECT(index == 0u, w0, w1);
    w = LS_SELECT(index == 2u, w2, w);
    w = LS_SELECT(index == 3u, w3, w);
    return LS_SELECT(index == 4u, w4, w);
}

/* Argument reduction after Payne and Hanek (1983), exact for every finite x and without a branch.
 * |x| = m 2^(field-150) with a 24-bit m. Bits of 2/pi that contribute whole turns are dropped;
 * m times the next 96 bits gives the turn in units of 2^-62 quadrants, which leaves 33 bits
 * where a float comes closest to a multiple of pi/2. The words are one word of zeros and
 * 2/pi = 0.a2f9836e 4e441529 ... in base 2^32. Below pi/4 there is nothing to reduce. */
LS_FN canon_angle canon_reduce_angle(float x)
{
    uint bits = LS_BITS(x) & 0x7fffffffu;
    uint field = LS_SELECT(bits < 0x3f000000u, 126u, bits >> 23);
    uint m = (bits & 0x007fffffu) | 0x00800000u;
    uint first = field - 120u;
    uint index = first >> 5;
    uint shift = first & 31u;
    uint w1 = 0xa2f9836eu;
    uint w2 = 0x4e441529u;
    uint w3 = 0xfc2757d1u;
    uint w4 = 0xf534ddc0u;
    uint w5 = 0xdb629599u;
    uint w6 = 0x3c439041u;
    uint w7 = 0xfe5163abu;
    uint a = canon_word_of_5(index, 0u, w1, w2, w3, w4);
    uint b = canon_word_of_5(index, w1, w2, w3, w4, w5);
    uint c = canon_word_of_5(index, w2, w3, w4, w5, w6);
    uint d = canon_word_of_5(index, w3, w4, w5, w6, w7);
    uint back = 31u - shift;
    a = LS_SHL(a, shift) | LS_SHR(b >> 1, back);
    b = LS_SHL(b, shift) | LS_SHR(c >> 1, back);
    c = LS_SHL(c, shift) | LS_SHR(d >> 1, back);

    uint middle = m * b;
    uint low = middle + LS_MULHI(m, c);
    uint carry = LS_SELECT(low < middle, 1u, 0u);
    uint high = m * a + LS_MULHI(m, b) + carry; /* int */
    uint quadrant = (high + 0x20000000u) >> 30;
    high = high - (quadrant << 30);

    float top = LS_TO_FLOAT(LS_INT(high) >> 8);
    float rest = LS_TO_FLOAT(LS_INT(((high & 0xffu) << 16) | (low >> 16)));
    float bottom = LS_TO_FLOAT(LS_INT(low & 0xffffu));
    float turn = LS_FMA(top, 16777216.0f, rest);
    float turn_low = LS_FMA(top, 16777216.0f, -turn) + rest;
    turn_low = LS_FMA(bottom, 1.52587891e-5f, turn_low);
    float angle = turn * 2.2322359e-14f;
    float angle_low = LS_FMA(turn, 2.2322359e-14f, -angle);
    angle_low = LS_FMA(turn, -6.21176188e-22f, angle_low);
    angle_low = LS_FMA(turn_low, 2.2322359e-14f, angle_low);

    canon_angle result;
    uint small = LS_SELECT(bits <= 0x3f490fdau, 1u, 0u);
    result.high = LS_SELECT(small == 1u, LS_FLOAT(bits), angle);
    result.low = LS_SELECT(small == 1u, 0.0f, angle_low);
    result.quadrant = LS_SELECT(small == 1u, 0u, quadrant);
    return result;
}

/* sin and cos of high + low, each as the sum of two floats.
 * fpminimax(sin(x), [|3,5,7,9|], [|SG...|], [2^-20;0.786], floating, relative, x): 2^-32.2
 * fpminimax(cos(x), [|4,6,8|], [|SG...|], [2^-20;0.786], floating, relative, 1-x^2/2): 2^-33 */
LS_FN canon_pair canon_sin_pair(float r, float r_low)
{
    canon_pair result;
    float t = r * r;
    float p = LS_FMA(t, 2.80043059e-6f, -1.98499052e-4f);
    p = LS_FMA(p, t, 8.33337195e-3f);
    p = LS_FMA(p, t, -0.166666672f);
    float tail = LS_FMA(r_low * t, -0.5f, r_low);
    tail = LS_FMA(r * t, p, tail);
    result.high = r + tail;
    result.low = tail - (result.high - r);
    return result;
}

LS_FN canon_pair canon_cos_pair(float r, float r_low)
{
    canon_pair result;
    float t = r * r;
    float t_low = LS_FMA(r, r, -t);
    float p = LS_FMA(t, 2.44325446e-5f, -1.38873106e-3f);
    p = LS_FMA(p, t, 4.16666456e-2f);
    float start = LS_FMA(t, -0.5f, 1.0f);
    float tail = LS_FMA(t, -0.5f, 1.0f - start);
    tail = LS_FMA(r, -r_low, tail);
    tail = LS_FMA(t_low, -0.5f, tail);
    tail = LS_FMA(t * t, p, tail);
    result.high = start + tail;
    result.low = tail - (result.high - start);
    return result;
}

/* sin x. Domain: all finite x. +-Inf -> NaN, -0 -> -0. */
LS_FN float canon_sin(float x)
{
    canon_angle angle = canon_reduce_angle(x);
    canon_pair s = canon_sin_pair(angle.high, angle.low);
    canon_pair c = canon_cos_pair(angle.high, angle.low);
    float y = LS_SELECT((angle.quadrant & 1u) == 0u, s.high, c.high);
    uint sign = ((angle.quadrant & 2u) << 30) ^ (LS_BITS(x) & 0x80000000u);
    y = LS_FLOAT(LS_BITS(y) ^ sign);
    return LS_SELECT(LS_ABS(x) < LS_INFINITY, y, LS_NAN);
}

/* cos x. Domain: all finite x. +-Inf -> NaN. */
LS_FN float canon_cos(float x)
{
    canon_angle angle = canon_reduce_angle(x);
    canon_pair s = canon_sin_pair(angle.high, angle.low);
    canon_pair c = canon_cos_pair(angle.high, angle.low);
    float y = LS_SELECT((angle.quadrant & 1u) == 0u, c.high, s.high);
    uint sign = ((angle.quadrant + 1u) & 2u) << 30;
    y = LS_FLOAT(LS_BITS(y) ^ sign);
    return LS_SELECT(LS_ABS(x) < LS_INFINITY, y, LS_NAN);
}

/* tan x. Domain: all finite x. +-Inf -> NaN, -0 -> -0.
 * The quotient of the two pairs, corrected once by its remainder; -cos/sin in odd quadrants. */
LS_FN float canon_tan(float x)
{
    canon_angle angle = canon_reduce_angle(x);
    canon_pair s = canon_sin_pair(angle.high, angle.low);
    canon_pair c = canon_cos_pair(angle.high, angle.low);
    uint odd = angle.quadrant & 1u;
    float n = LS_SELECT(odd == 0u, s.high, c.high);
    float n_low = LS_SELECT(odd == 0u, s.low, c.low);
    float d = LS_SELECT(odd == 0u, c.high, s.high);
    float d_low = LS_SELECT(odd == 0u, c.low, s.low);
    float q = LS_DIV(n, d);
    float rest = LS_FMA(-q, d, n) + n_low;
    rest = LS_FMA(-q, d_low, rest);
    float y = q + LS_DIV(rest, d);
    y = LS_FLOAT(LS_BITS(y) ^ (odd << 31) ^ (LS_BITS(x) & 0x80000000u));
    y = LS_SELECT(x == 0.0f, x, y);
    return LS_SELECT(LS_ABS(x) < LS_INFINITY, y, LS_NAN);
}

/* |x| = quadrant / 2 + z modulo 2, exactly, with |z| <= 1/4 in high. */
LS_FN canon_angle canon_reduce_turn(float x)
{
    canon_angle result;
    float a = LS_ABS(x);
    float t = LS_SELECT(a < 16777216.0f, a, 0.0f);
    float even = LS_FMA(t, 0.5f, 8388608.0f) - 8388608.0f;
    float rest = LS_FMA(even, -2.0f, t);
    float shifted = LS_FMA(rest, 2.0f, LS_ROUNDER);
    result.high = LS_FMA(shifted - LS_ROUNDER, -0.5f, rest);
    result.low = 0.0f;
    result.quadrant = LS_BITS(shifted) & 3u;
    return result;
}

/* sin(pi z) and cos(pi z) for |z| <= 1/4. In the sine pi is kept in two parts.
 * fpminimax(sin(pi*x), [|3,5,7,9|], [|SG...|], [2^-20;0.2501], floating, relative, pi*x): 2^-33
 * fpminimax(cos(pi*x), [|2,4,6,8|], [|SG...|], [2^-20;0.2501], floating, relative, 1): 2^-30.8 */
LS_FN float canon_sinpi_kernel(float z)
{
    float t = z * z;
    float p = LS_FMA(t, 7.97745585e-2f, -0.599041998f);
    p = LS_FMA(p, t, 2.55015612f);
    p = LS_FMA(p, t, -5.16771269f);
    p = LS_FMA(p, t, -8.74227766e-8f);
    return LS_FMA(z, 3.14159274f, z * p);
}

LS_FN float canon_cospi_kernel(float z)
{
    float t = z * z;
    float p = LS_FMA(t, 0.229745299f, -1.33483589f);
    p = LS_FMA(p, t, 4.05869865f);
    p = LS_FMA(p, t, -4.93480206f);
    return LS_FMA(p, t, 1.0f);
}

/* sin(pi x) and cos(pi x). Domain: all finite x. +-Inf -> NaN. Box-Muller uses them. */
LS_FN float canon_sinpi(float x)
{
    canon_angle turn = canon_reduce_turn(x);
    float s = canon_sinpi_kernel(turn.high);
    float c = canon_cospi_kernel(turn.high);
    float y = LS_SELECT((turn.quadrant & 1u) == 0u, s, c);
    uint sign = ((turn.quadrant & 2u) << 30) ^ (LS_BITS(x) & 0x80000000u);
    y = LS_FLOAT(LS_BITS(y) ^ sign);
    return LS_SELECT(LS_ABS(x) < LS_INFINITY, y, LS_NAN);
}

LS_FN float canon_cospi(float x)
{
    canon_angle turn = canon_reduce_turn(x);
    float s = canon_sinpi_kernel(turn.high);
    float c = canon_cospi_kernel(turn.high);
    float y = LS_SELECT((turn.quadrant & 1u) == 0u, c, s);
    uint sign = ((turn.quadrant + 1u) & 2u) << 30;
    y = LS_FLOAT(LS_BITS(y) ^ sign);
    return LS_SELECT(LS_ABS(x) < LS_INFINITY, y, LS_NAN);
}

/* atan of z + z_low for |z| <= tan(pi/8), plus base + base_low, where base = 0 or base > |z|.
 * fpminimax(atan(x), [|3,...,11|], [|SG...|], [2^-20;0.4143], floating, relative, x): 2^-30.4 */
LS_FN float canon_atan_kernel(float z, float z_low, float base, float base_low)
{
    float t = z * z;
    float p = LS_FMA(t, -6.09062724e-2f, 0.105994172f);
    p = LS_FMA(p, t, -0.142444253f);
    p = LS_FMA(p, t, 0.199985296f);
    p = LS_FMA(p, t, -0.333333164f);
    float sum = base + z;
    float lost = z - (sum - base);
    float tail = LS_FMA(t * z, p, lost + (z_low + base_low));
    return sum + tail;
}

/* atan x. Domain: all. +-Inf -> +-pi/2, -0 -> -0.
 * a = |x| below tan(pi/8): z = a; below tan(3 pi/8): pi/4 and z = (a-1)/(a+1); else pi/2, -1/a. */
LS_FN float canon_atan(float x)
{
    float a = LS_ABS(x);
    uint near_one = LS_SELECT(a >= 0.414213568f, 1u, 0u);
    uint large = LS_SELECT(a > 2.41421366f, 1u, 0u);
    float n = LS_SELECT(large == 1u, -1.0f, LS_SELECT(near_one == 1u, a - 1.0f, a));
    float bounded = LS_SELECT(a < 1e30f, a, 1e30f);
    float sum = bounded + 1.0f;
    float n_low = LS_SELECT(near_one == 1u, a - (n + 1.0f), 0.0f);
    n_low = LS_SELECT(large == 1u, 0.0f, n_low);
    float d = LS_SELECT(large == 1u, bounded, LS_SELECT(near_one == 1u, sum, 1.0f));
    float d_low = LS_SELECT(near_one == 1u, bounded - (sum - 1.0f), 0.0f);
    d_low = LS_SELECT(large == 1u, 0.0f, d_low);
    float z = LS_DIV(n, d);
    float rest = LS_FMA(-z, d, n) + n_low;
    rest = LS_FMA(-z, d_low, rest);
    float z_low = LS_DIV(rest, d);
    float base = LS_SELECT(near_one == 1u, 0.785398185f, 0.0f);
    float base_low = LS_SELECT(near_one == 1u, -2.18556941e-8f, 0.0f);
    base = LS_SELECT(large == 1u, 1.57079637f, base);
    base_low = LS_SELECT(large == 1u, -4.37113883e-8f, base_low);
    float y = canon_atan_kernel(z, z_low, base, base_low);
    y = LS_WITH_SIGN(y, x);
    y = LS_SELECT(x == 0.0f, x, y);
    return LS_SELECT(x == x, y, x);
}

/* The angle of the point (x, y), in [-pi, pi]. atan2(0, x) is 0 for x >= 0 and pi for x < 0,
 * whatever the signs of zeros (rule 18); infinities as C99 Annex F.
 * As atan, for |y| / |x|, with the base mirrored where x < 0. Large and small pairs are scaled. */
LS_FN float canon_atan2(float y, float x)
{
    float a = LS_ABS(y);
    float b = LS_ABS(x);
    float b_infinite = LS_SELECT(b == LS_INFINITY, 1.0f, 0.0f);
    float a_infinite = LS_SELECT(a == LS_INFINITY, 1.0f, 0.0f);
    float infinite = LS_SELECT(a_infinite > b_infinite, a_infinite, b_infinite);
    a = LS_SELECT(infinite == 1.0f, a_infinite, a);
    b = LS_SELECT(infinite == 1.0f, b_infinite, b);
    float larger = LS_SELECT(a > b, a, b);
    float scale = LS_SELECT(larger > 1.84467441e19f, 2.16840434e-19f, 1.0f);
    scale = LS_SELECT(larger < 1e-18f, 4.61168602e18f, scale);
    a = a * scale; /* exact */
    b = b * scale; /* exact */
    uint diagonal = LS_SELECT(a >= b * 0.414213568f, 1u, 0u);
    uint steep = LS_SELECT(a > b * 2.41421366f, 1u, 0u);
    float difference = a - b;
    float part = difference - a;
    float difference_low = (a - (difference - part)) - (b + part);
    float sum = a + b;
    part = sum - a;
    float sum_low = (a - (sum - part)) + (b - part);
    float n = LS_SELECT(steep == 1u, -b, LS_SELECT(diagonal == 1u, difference, a));
    float d = LS_SELECT(steep == 1u, a, LS_SELECT(diagonal == 1u, sum, b));
    uint both = diagonal & (1u - steep); /* int */
    float n_low = LS_SELECT(both == 1u, difference_low, 0.0f);
    float d_low = LS_SELECT(both == 1u, sum_low, 0.0f);
    d = LS_SELECT(larger == 0.0f, 1.0f, d);
    float z = LS_DIV(n, d);
    float rest = LS_FMA(-z, d, n) + n_low;
    rest = LS_FMA(-z, d_low, rest);
    float z_low = LS_DIV(rest, d);

    float base = LS_SELECT(diagonal == 1u, 0.785398185f, 0.0f);
    float base_low = LS_SELECT(diagonal == 1u, -2.18556941e-8f, 0.0f);
    float mirrored = LS_SELECT(diagonal == 1u, 2.3561945f, 3.14159274f);
    float mirrored_low = LS_SELECT(diagonal == 1u, -5.96244032e-9f, -8.74227766e-8f);
    uint left = LS_SELECT(x < 0.0f, 1u, 0u);
    base = LS_SELECT(left == 1u, mirrored, base);
    base_low = LS_SELECT(left == 1u, mirrored_low, base_low);
    base = LS_SELECT(steep == 1u, 1.57079637f, base);
    base_low = LS_SELECT(steep == 1u, -4.37113883e-8f, base_low);
    z = LS_FLOAT(LS_BITS(z) ^ (left << 31));
    z_low = LS_FLOAT(LS_BITS(z_low) ^ (left << 31));
    float angle = canon_atan_kernel(z, z_low, base, base_low);
    angle = LS_SELECT(larger == 0.0f, 0.0f, angle);
    uint sign = LS_SELECT(y == 0.0f, 0u, LS_BITS(y) & 0x80000000u);
    angle = LS_FLOAT(LS_BITS(angle) ^ sign);
    angle = LS_SELECT(x == x, angle, x);
    return LS_SELECT(y == y, angle, y);
}

/* asin and acos share, for a = |x|: z = a^2 and s = a up to 1/2; above, z = (1-a)/2 exactly and
 * s + s_low = sqrt z. Then asin s = s + s_low + s z p(z).
 * fpminimax(asin(x), [|3,...,13|], [|SG...|], [2^-20;0.5001], floating, relative, x): 2^-31.7 */
LS_FN canon_pair canon_asin_kernel(float x)
{
    canon_pair result;
    float a = LS_ABS(x);
    uint large = LS_SELECT(a > 0.5f, 1u, 0u);
    float half_rest = LS_FMA(a, -0.5f, 0.5f);
    float z = LS_SELECT(large == 1u, half_rest, a * a);
    float root = LS_SQRT(half_rest);
    float root_low = LS_DIV(LS_FMA(-root, root, half_rest), root + root);
    root_low = LS_SELECT(root > 0.0f, root_low, 0.0f);
    float s = LS_SELECT(large == 1u, root, a);
    float s_low = LS_SELECT(large == 1u, root_low, 0.0f);
    float p = LS_FMA(z, 3.75908576e-2f, 1.43819563e-2f);
    p = LS_FMA(p, z, 3.18240076e-2f);
    p = LS_FMA(p, z, 4.4514779e-2f);
    p = LS_FMA(p, z, 7.50051737e-2f);
    p = LS_FMA(p, z, 0.166666597f);
    result.high = s;
    result.low = LS_FMA(s * z, p, s_low);
    return result;
}

/* asin x. Domain: [-1, 1], elsewhere NaN. -0 -> -0. Above 1/2: pi/2 - 2 asin sqrt((1-|x|)/2). */
LS_FN float canon_asin(float x)
{
    float a = LS_ABS(x);
    canon_pair s = canon_asin_kernel(x);
    float sum = LS_FMA(s.high, -2.0f, 1.57079637f);
    float lost = LS_FMA(s.high, -2.0f, 1.57079637f - sum) - 4.37113883e-8f;
    float far = sum + LS_FMA(s.low, -2.0f, lost);
    float y = LS_SELECT(a > 0.5f, far, s.high + s.low);
    return LS_SELECT(a <= 1.0f, LS_WITH_SIGN(y, x), LS_NAN);
}

/* acos x. Domain: [-1, 1], elsewhere NaN. 1 -> +0.
 * Up to 1/2: pi/2 - asin x; above 2 asin sqrt((1-|x|)/2), or pi minus that where x < 0. */
LS_FN float canon_acos(float x)
{
    float a = LS_ABS(x);
    uint large = LS_SELECT(a > 0.5f, 1u, 0u);
    uint negative = LS_SELECT(x < 0.0f, 1u, 0u);
    canon_pair s = canon_asin_kernel(x);
    float factor = LS_SELECT(large == 1u, 2.0f, -1.0f);
    factor = LS_SELECT(negative == 1u, -factor, factor);
    float base = LS_SELECT(negative == 1u, 3.14159274f, 0.0f);
    base = LS_SELECT(large == 1u, base, 1.57079637f);
    float base_low = LS_SELECT(negative == 1u, -8.74227766e-8f, 0.0f);
    base_low = LS_SELECT(large == 1u, base_low, -4.37113883e-8f);
    float sum = LS_FMA(s.high, factor, base);
    float lost = LS_FMA(s.high, factor, base - sum) + base_low;
    float y = sum + LS_FMA(s.low, factor, lost);
    return LS_SELECT(a <= 1.0f, y, LS_NAN);
}

/* Four numbers from the standard normal distribution from four random words, by Box and Muller:
 * with u = ((first >> 8) + 1) 2^-24 and v = (second >> 8) 2^-24, sqrt(-2 ln u) times cos(2 pi v)
 * and sin(2 pi v); x and y come from words x and y, z and w from words z and w. */
LS_FN canon_float4 canon_normal4(canon_uint4 words)
{
    canon_float4 result;
    float first = LS_TO_FLOAT(LS_INT((words.x >> 8) + 1u)) * 5.96046448e-8f;
    float second = LS_TO_FLOAT(LS_INT((words.z >> 8) + 1u)) * 5.96046448e-8f;
    float radius = LS_SQRT(canon_log(first) * -2.0f);
    float turn = LS_TO_FLOAT(LS_INT(words.y >> 8)) * 1.1920929e-7f;
    result.x = radius * canon_cospi(turn);
    result.y = radius * canon_sinpi(turn);
    radius = LS_SQRT(canon_log(second) * -2.0f);
    turn = LS_TO_FLOAT(LS_INT(words.w >> 8)) * 1.1920929e-7f;
    result.z = radius * canon_cospi(turn);
    result.w = radius * canon_sinpi(turn);
    return result;
}

#endif
