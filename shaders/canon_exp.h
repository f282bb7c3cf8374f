/* Canonical roots, exponentials, logarithms, powers, second of four files; canon.h comes before. */
#ifndef LS_CANON_EXP_H
#define LS_CANON_EXP_H

/* e^x. Domain: all. Inf -> Inf, -Inf -> +0; a result below 2^-126 is +0 (rule 17).
 * n = rint(x / ln 2 - 0.085), r = x - n ln 2, e^x = 2^n (1 + r + r^2 q(r)). The first part of
 * ln 2 has 15 bits, so n times it is exact; 2^n is added to the exponent. The shift by 0.085
 * keeps r above -0.289, where 1 + ... < 1 has small ulps and |r + r^2 q| must be below 1/4.
 * fpminimax(exp(x), [|2,...,6|], [|SG...|], [-0.2885;0.4072], floating, relative, 1+x): 2^-28.2 */
LS_FN float canon_exp(float x)
{
    float shifted = LS_FMA(x, 1.44269502f, -0.085f) + LS_ROUNDER;
    float n = shifted - LS_ROUNDER;
    float r = LS_FMA(n, -0.693145752f, x);
    r = LS_FMA(n, -1.42860677e-6f, r);
    float q = LS_FMA(r, 1.46372116e-3f, 8.36053956e-3f);
    q = LS_FMA(q, r, 4.16584535e-2f);
    q = LS_FMA(q, r, 0.166665688f);
    q = LS_FMA(q, r, 0.500000179f);
    float y = LS_FMA(r * r, q, r) + 1.0f;
    y = LS_FLOAT(LS_BITS(y) + (LS_BITS(shifted) << 23));
    y = LS_SELECT(x < -87.3365402f, 0.0f, y);
    y = LS_SELECT(x > 88.7228317f, LS_INFINITY, y);
    return LS_SELECT(x == x, y, x);
}

/* e^x - 1. Domain: all. -Inf -> -1; -0 -> -0.
 * n and r as in exp, with the rounding error of r kept: e^r - 1 = p + p_low, then
 * 2^n (p + p_low) + (2^n - 1) by an exact two-term sum. The largest n is halved and doubled again.
 * fpminimax(expm1(x), [|2,...,7|], [|SG...|], [-0.3467;0.3467], floating, relative, x): 2^-31 */
LS_FN float canon_expm1(float x)
{
    float inside = LS_SELECT(x < -17.5f, -17.5f, x);
    float shifted = LS_FMA(inside, 1.44269502f, LS_ROUNDER);
    float n = shifted - LS_ROUNDER;
    float r_high = LS_FMA(n, -0.693145752f, inside);
    float r = LS_FMA(n, -1.42860677e-6f, r_high);
    float r_low = LS_FMA(n, -1.42860677e-6f, r_high - r);
    float q = LS_FMA(r, 1.97433226e-4f, 1.39336952e-3f);
    q = LS_FMA(q, r, 8.3335666e-3f);
    q = LS_FMA(q, r, 4.16664779e-2f);
    q = LS_FMA(q, r, 0.166666657f);
    q = LS_FMA(q, r, 0.5f);
    float tail = LS_FMA(r * r, q, r_low);
    float p = r + tail;
    float p_low = tail - (p - r);
    uint exponent = (LS_BITS(shifted) << 23) + 0x3f800000u;
    uint largest = LS_SELECT(exponent == 0x7f800000u, 0x00800000u, 0u);
    float scale = LS_FLOAT(exponent - largest);
    float unit = LS_SELECT(largest != 0u, 0.5f, 1.0f);
    float base = scale - unit;
    float base_low = (scale - base) - unit;
    float sum = LS_FMA(scale, p, base);
    float lost = LS_FMA(scale, p, base - sum) + base_low;
    float y = sum + LS_FMA(scale, p_low, lost);
    y = LS_SELECT(largest != 0u, y * 2.0f, y);
    y = LS_SELECT(x > 88.7228317f, LS_INFINITY, y);
    y = LS_SELECT(x == 0.0f, x, y);
    return LS_SELECT(x == x, y, x);
}

/* ln x. Domain: x >= 0, subnormals included. +-0 -> -Inf, Inf -> Inf, x < 0 -> NaN.
 * x = 2^e m with 2/3 <= m < 4/3, f = m - 1, ln x = e ln 2 + f - f^2/2 + f^3 q(f); the sum of
 * the two large terms is kept in two parts.
 * fpminimax(log1p(x), [|3,...,11|], [|SG...|], [-0.3334;0.3334], floating, relative,
 * x-x^2/2): 2^-30 */
LS_FN float canon_log_tail(float f)
{
    float q = LS_FMA(f, 0.119224533f, -0.128469497f);
    q = LS_FMA(q, f, 0.107786857f);
    q = LS_FMA(q, f, -0.121953711f);
    q = LS_FMA(q, f, 0.14301972f);
    q = LS_FMA(q, f, -0.166796058f);
    q = LS_FMA(q, f, 0.199997008f);
    q = LS_FMA(q, f, -0.249998197f);
    q = LS_FMA(q, f, 0.333333343f);
    return LS_FMA(q, f, -0.5f);
}

LS_FN canon_pair canon_log_pair(float x)
{
    canon_pair result;
    float scaled = LS_SELECT(x < 1.17549435e-38f, x * 8388608.0f, x);
    float shift = LS_SELECT(x < 1.17549435e-38f, -23.0f, 0.0f);
    uint offset = LS_BITS(scaled) - 0x3f2aaaabu;
    float e = LS_TO_FLOAT(LS_INT(offset) >> 23) + shift;
    float f = LS_FLOAT((offset & 0x007fffffu) + 0x3f2aaaabu) - 1.0f;
    float sum = LS_FMA(e, 0.693145752f, f);
    float lost = f - LS_FMA(e, -0.693145752f, sum);
    float low = LS_FMA(e, 1.42860677e-6f, lost);
    float tail = LS_FMA(f * f, canon_log_tail(f), low);
    result.high = sum + tail;
    result.low = tail - (result.high - sum);
    return result;
}

LS_FN float canon_log(float x)
{
    canon_pair l = canon_log_pair(x);
    float y = LS_SELECT(x == LS_INFINITY, x, l.high);
    y = LS_SELECT(x == 0.0f, -LS_INFINITY, y);
    return LS_SELECT(x >= 0.0f, y, LS_NAN);
}

/* ln(u + u_low) + doublings ln 2, for a normal u >= 0.5 and |u_low| of the order of u's rounding
 * error. As ln; what of u_low does not fit f counts by 1/(1+f) ~ 1-f. */
LS_FN float canon_log_sum(float u, float u_low, float doublings)
{
    uint offset = LS_BITS(u) - 0x3f2aaaabu;
    int exponent = LS_INT(offset) >> 23;
    float e = LS_TO_FLOAT(exponent) + doublings;
    uint down = LS_UINT(LS_SELECT(exponent > 126, 126, exponent)) << 23;
    float g = LS_FLOAT((offset & 0x007fffffu) + 0x3f2aaaabu) - 1.0f;
    float g_low = u_low * LS_FLOAT(0x3f800000u - down); /* exact */
    float f = g + g_low;
    float f_low = g_low - (f - g);
    float sum = LS_FMA(e, 0.693145752f, f);
    float lost = f - LS_FMA(e, -0.693145752f, sum);
    float low = LS_FMA(e, 1.42860677e-6f, lost + LS_FMA(-f, f_low, f_low));
    return sum + LS_FMA(f * f, canon_log_tail(f), low);
}

/* ln(1 + x). Domain: x >= -1. -1 -> -Inf, Inf -> Inf, x < -1 -> NaN, -0 -> -0.
 * 1 + x = u + u_low exactly. */
LS_FN float canon_log1p(float x)
{
    float u = x + 1.0f;
    float part = u - x;
    float u_low = (x - (u - part)) + (1.0f - part);
    float y = canon_log_sum(u, u_low, 0.0f);
    y = LS_SELECT(x == LS_INFINITY, x, y);
    y = LS_SELECT(x == 0.0f, x, y);
    y = LS_SELECT(x == -1.0f, -LS_INFINITY, y);
    return LS_SELECT(x >= -1.0f, y, LS_NAN);
}

/* tanh x. Domain: all. +-Inf -> +-1, -0 -> -0.
 * |x| < 1: x + x^3 p(x^2); else 1 - 2 / (e^(2|x|) + 1) with the sign of x.
 * fpminimax(tanh(x), [|3,5,...,17|], [|SG...|], [2^-20;1.001], floating, relative, x): 2^-30.8 */
LS_FN float canon_tanh(float x)
{
    float a = LS_ABS(x);
    float t = x * x;
    float p = LS_FMA(t, 1.19894044e-4f, -8.34651873e-4f);
    p = LS_FMA(p, t, 3.06766457e-3f);
    p = LS_FMA(p, t, -8.58541764e-3f);
    p = LS_FMA(p, t, 2.17798967e-2f);
    p = LS_FMA(p, t, -5.39517666e-2f);
    p = LS_FMA(p, t, 0.13333182f);
    p = LS_FMA(p, t, -0.333333284f);
    float near_zero = LS_FMA(x * t, p, x);
    float far = 1.0f - LS_DIV(2.0f, canon_exp(a + a) + 1.0f);
    return LS_SELECT(a < 1.0f, near_zero, LS_WITH_SIGN(far, x));
}

/* 1 / (1 + e^-x). Domain: all. -Inf -> +0, Inf -> 1; +0 where exp(x) is below 2^-126 (rule 17).
 * e = e^-|x|, as in exp, is kept in two parts, and so is 1 + e; the quotient 1/(1+e), or e/(1+e)
 * for negative x, is corrected once by its remainder. */
LS_FN float canon_sigmoid(float x)
{
    float a = LS_ABS(x);
    float inside = LS_SELECT(a < 88.0f, -a, -88.0f);
    float shifted = LS_FMA(inside, 1.44269502f, -0.085f) + LS_ROUNDER;
    float n = shifted - LS_ROUNDER;
    float r = LS_FMA(n, -0.693145752f, inside);
    r = LS_FMA(n, -1.42860677e-6f, r);
    float q = LS_FMA(r, 1.46372116e-3f, 8.36053956e-3f);
    q = LS_FMA(q, r, 4.16584535e-2f);
    q = LS_FMA(q, r, 0.166665688f);
    q = LS_FMA(q, r, 0.500000179f);
    float s = LS_FMA(r * r, q, r);
    float y = s + 1.0f;
    float y_low = s - (y - 1.0f);
    float scale = LS_FLOAT((LS_BITS(shifted) << 23) + 0x3f800000u);
    float e = y * scale; /* exact */
    float e_low = y_low * scale; /* exact */
    float d = e + 1.0f;
    float d_low = (e - (d - 1.0f)) + e_low;
    float numerator = LS_SELECT(x < 0.0f, e, 1.0f);
    float numerator_low = LS_SELECT(x < 0.0f, e_low, 0.0f);
    float reciprocal = LS_DIV(1.0f, d);
    float quotient = numerator * reciprocal;
    float rest = LS_FMA(-quotient, d, numerator) + numerator_low;
    rest = LS_FMA(-quotient, d_low, rest);
    float z = LS_FMA(rest, reciprocal, quotient);
    z = LS_SELECT(x < -87.3365402f, 0.0f, z);
    return LS_SELECT(x == x, z, x);
}

/* Square root, correctly rounded. x < 0 -> NaN, -0 -> -0. */
LS_FN float canon_sqrt(float x)
{
    return LS_SQRT(x);
}

/* 1 / sqrt x. Domain: x >= 0. +-0 -> +Inf (rule 18), Inf -> +0, x < 0 -> NaN.
 * s = sqrt x and y = 1/s, then one correction by what both roundings lost. Small x is scaled. */
LS_FN float canon_rsqrt(float x)
{
    float scaled = LS_SELECT(x < 1e-20f, x * 1.84467441e19f, x);
    float unscale = LS_SELECT(x < 1e-20f, 4.2949673e9f, 1.0f);
    float s = LS_SQRT(scaled);
    float y = LS_DIV(1.0f, s);
    float lost_s = LS_FMA(-s, s, scaled);
    float lost_y = LS_FMA(-y, s, 1.0f);
    float t = LS_FMA(lost_s * -0.5f, y * y, lost_y);
    y = LS_FMA(y, t, y) * unscale;
    y = LS_SELECT(x == LS_INFINITY, 0.0f, y);
    y = LS_SELECT(x == 0.0f, LS_INFINITY, y);
    return LS_SELECT(x >= 0.0f, y, LS_NAN);
}

/* y 2^n for -250 <= n <= 254, rounded once if y is normal and near 1. */
LS_FN float canon_scale(float y, int n)
{
    int first = n >> 1;
    uint bits = LS_UINT(first + 127) << 23;
    uint bits_rest = LS_UINT(n - first + 127) << 23;
    return y * LS_FLOAT(bits) * LS_FLOAT(bits_rest);
}

/* 2^(x + x_low) for |x_low| far below 1, with gradual underflow: 2^n (1 + r ln 2 + r^2 q(r)), where
 * r = x - n, and 1 + r ln 2 is kept in two parts.
 * fpminimax(2^x, [|2,...,7|], [|SG...|], [-0.5001;0.5001], floating, relative, 1+x*ln(2)): 2^-33 */
LS_FN float canon_exp2_sum(float x, float x_low)
{
    float inside = LS_SELECT(x < -160.0f, -160.0f, x);
    inside = LS_SELECT(inside > 130.0f, 130.0f, inside);
    float shifted = inside + LS_ROUNDER;
    float n = shifted - LS_ROUNDER;
    float rest = inside - n;
    float r = rest + x_low;
    float r_low = x_low - (r - rest);
    float q = LS_FMA(r, 1.5103014e-5f, 1.545635645e-4f);
    q = LS_FMA(q, r, 1.33342401e-3f);
    q = LS_FMA(q, r, 9.61807743e-3f);
    q = LS_FMA(q, r, 5.55041023e-2f);
    q = LS_FMA(q, r, 0.240226507f);
    float start = LS_FMA(r, 0.693147182f, 1.0f);
    float tail = LS_FMA(r, 0.693147182f, 1.0f - start);
    tail = LS_FMA(r_low, 0.693147182f, tail);
    tail = LS_FMA(r, -1.90465421e-9f, tail);
    float y = start + LS_FMA(r * r, q, tail);
    return canon_scale(y, LS_INT(LS_BITS(shifted) - 0x4b400000u));
}

/* 2^x. Domain: all. Exact for integers; subnormal results are kept. */
LS_FN float canon_exp2(float x)
{
    float y = canon_exp2_sum(x, 0.0f);
    return LS_SELECT(x == x, y, x);
}

/* |x| = 2^e m with ln m = high + low; 2/3 <= m < 4/3. */
LS_STRUCT(canon_log_parts) {
    float e;
    float high;
    float low;
};

LS_FN canon_log_parts canon_log_split(float x)
{
    canon_log_parts result;
    float scaled = LS_SELECT(x < 1.17549435e-38f, x * 8388608.0f, x);
    float shift = LS_SELECT(x < 1.17549435e-38f, -23.0f, 0.0f);
    uint offset = LS_BITS(scaled) - 0x3f2aaaabu;
    float f = LS_FLOAT((offset & 0x007fffffu) + 0x3f2aaaabu) - 1.0f;
    float square = f * f;
    float tail = canon_log_tail(f);
    result.e = LS_TO_FLOAT(LS_INT(offset) >> 23) + shift;
    result.high = LS_FMA(square, tail, f);
    result.low = LS_FMA(square, tail, f - result.high);
    return result;
}

/* log2 x and log10 x. Domain and special values as ln. Exact for powers of 2. */
LS_FN float canon_log2(float x)
{
    canon_log_parts l = canon_log_split(x);
    float part = LS_FMA(l.high, 1.44269502f, l.low * 1.44269502f);
    float part_low = LS_FMA(l.low, 1.44269502f, LS_FMA(l.high, 1.44269502f, -part));
    part_low = LS_FMA(l.high, 1.92596303e-8f, part_low);
    float sum = l.e + part;
    float y = sum + ((part - (sum - l.e)) + part_low);
    y = LS_SELECT(x == LS_INFINITY, x, y);
    y = LS_SELECT(x == 0.0f, -LS_INFINITY, y);
    return LS_SELECT(x >= 0.0f, y, LS_NAN);
}

LS_FN float canon_log10(float x)
{
    canon_log_parts l = canon_log_split(x);
    float part = LS_FMA(l.high, 0.434294492f, l.low * 0.434294492f);
    float part_low = LS_FMA(l.low, 0.434294492f, LS_FMA(l.high, 0.434294492f, -part));
    part_low = LS_FMA(l.high, -1.010305e-8f, part_low);
    float sum = LS_FMA(l.e, 0.301025391f, part);
    float lost = part - LS_FMA(l.e, -0.301025391f, sum);
    float y = sum + (LS_FMA(l.e, 4.60503907e-6f, lost) + part_low);
    y = LS_SELECT(x == LS_INFINITY, x, y);
    y = LS_SELECT(x == 0.0f, -LS_INFINITY, y);
    return LS_SELECT(x >= 0.0f, y, LS_NAN);
}

/* x^y. Domain: x >= 0, or x < 0 and an integer y. Special values as C99 Annex F, but
 * pow(-0, y) = pow(+0, y) (rule 18).
 * log2 |x| in two floats by e + 2/ln 2 (s + s^3 c(s^2)), s = (m-1)/(m+1), sqrt(1/2) < m < sqrt 2;
 * times y exactly; then 2^. |log2 m| < 1/2 for all these m, so that e - log2 |x| is exact.
 * fpminimax((atanh(sqrt(x))/sqrt(x)-1)/x, [|1,2,3,4|], [|SG...|], [2^-20;0.0401], floating,
 * absolute, 1/3): 2^-40 */
LS_FN float canon_pow(float x, float y)
{
    float a = LS_ABS(x);
    float scaled = LS_SELECT(a < 1.17549435e-38f, a * 8388608.0f, a);
    float shift = LS_SELECT(a < 1.17549435e-38f, -23.0f, 0.0f);
    uint offset = LS_BITS(scaled) - 0x3f3504f4u;
    float e = LS_TO_FLOAT(LS_INT(offset) >> 23) + shift;
    float m = LS_FLOAT((offset & 0x007fffffu) + 0x3f3504f4u);
    float f = m - 1.0f;
    float d = m + 1.0f;
    float s = LS_DIV(f, d);
    float rest = LS_FMA(-s, m - (d - 1.0f), LS_FMA(-s, d, f));
    float s_low = LS_DIV(rest, d);
    float t = s * s;
    float t_low = LS_FMA(s + s, s_low, LS_FMA(s, s, -t));
    float q = LS_FMA(t, 9.86717045e-2f, 0.110854246f);
    q = LS_FMA(q, t, 0.14286038f);
    q = LS_FMA(q, t, 0.199999988f);
    float c = LS_FMA(q, t, 0.333333343f);
    float c_low = LS_FMA(q, t, 0.333333343f - c) - 9.93410776e-9f;
    float u = t * c;
    float u_low = LS_FMA(t, c, -u);
    u_low = LS_FMA(t, c_low, u_low);
    u_low = LS_FMA(t_low, c, u_low);
    float l = LS_FMA(s, u, s);
    float l_low = LS_FMA(s, u, s - l) + LS_FMA(s_low, u, LS_FMA(s, u_low, s_low));
    float log2_x = LS_FMA(l, 2.88539004f, e);
    float log2_low = LS_FMA(l, 2.88539004f, e - log2_x);
    log2_low = LS_FMA(l, 3.85192607e-8f, log2_low);
    log2_low = LS_FMA(l_low, 2.88539004f, log2_low);

    float y_size = LS_ABS(y);
    float bounded = LS_SELECT(y_size < 8589934592.0f, y_size, 8589934592.0f);
    bounded = LS_FLOAT(LS_BITS(bounded) | (LS_BITS(y) & 0x80000000u));
    float product = bounded * log2_x;
    float product_low = LS_FMA(bounded, log2_x, -product);
    product_low = LS_FMA(bounded, log2_low, product_low);
    product_low = LS_SELECT(LS_ABS(product) < 256.0f, product_low, 0.0f);
    float z = canon_exp2_sum(product, product_low);

    float whole_size = LS_SELECT(y_size < 16777216.0f, y_size, 16777216.0f);
    int whole = LS_TO_INT(whole_size);
    uint odd = LS_UINT(whole) & 1u;
    float zero_or_infinity = LS_SELECT((a > 1.0f) == (y > 0.0f), LS_INFINITY, 0.0f);
    z = LS_SELECT(a == 0.0f, zero_or_infinity, z);
    z = LS_SELECT(a == LS_INFINITY, zero_or_infinity, z);
    uint integer = LS_SELECT(LS_TO_FLOAT(whole) == whole_size, 1u, 0u);
    uint negative = LS_SELECT(x < 0.0f, 1u, 0u);
    z = LS_FLOAT(LS_BITS(z) ^ ((negative & integer & odd) << 31));
    uint invalid = negative & (1u - integer); /* int */
    invalid = LS_SELECT(a == LS_INFINITY, 0u, invalid);
    z = LS_SELECT(invalid == 1u, LS_NAN, z);
    z = LS_SELECT(x == x, z, x);
    z = LS_SELECT(y == y, z, y);
    z = LS_SELECT(x == 1.0f, 1.0f, z);
    return LS_SELECT(y == 0.0f, 1.0f, z);
}

#endif
