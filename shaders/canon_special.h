/* Canonical hyperbolic and error functions, cube root, hypot and remainders, last of four files;
 * canon.h and canon_exp.h come before. */
#ifndef LS_CANON_SPECIAL_H
#define LS_CANON_SPECIAL_H

/* Cube root. Domain: all, subnormals included. Exact for cubes.
 * |x| = 8^k m with 1 <= m < 8; a start from the bits of m, two steps of Halley's method, and
 * one of Newton's with y^3 in two parts. */
LS_FN float canon_cbrt(float x)
{
    float a = LS_ABS(x);
    uint small = LS_SELECT(a < 1.17549435e-38f, 1u, 0u);
    float scaled = LS_SELECT(small == 1u, a * 16777216.0f, a);
    uint bits = LS_BITS(scaled);
    uint above = (bits >> 23) + 2u;
    uint third = LS_MULHI(above, 0x55555556u);
    uint left = above - third * 3u; /* int */
    float m = LS_FLOAT((bits & 0x007fffffu) | ((left + 127u) << 23));
    float y = LS_FLOAT(LS_MULHI(LS_BITS(m), 0x55555556u) + 0x2a5119f2u);
    float cube = y * y * y;
    y = LS_DIV(y * LS_FMA(m, 2.0f, cube), LS_FMA(cube, 2.0f, m));
    cube = y * y * y;
    y = LS_DIV(y * LS_FMA(m, 2.0f, cube), LS_FMA(cube, 2.0f, m));
    float square = y * y;
    float square_low = LS_FMA(y, y, -square);
    float over = LS_FMA(square, y, -m);
    over = LS_FMA(square_low, y, over);
    y = y - LS_DIV(over, square * 3.0f);
    third = LS_SELECT(small == 1u, third - 8u, third);
    y = LS_FLOAT(LS_BITS(y) + ((third - 43u) << 23));
    y = LS_WITH_SIGN(y, x);
    y = LS_SELECT(a == 0.0f, x, y);
    return LS_SELECT(a < LS_INFINITY, y, x);
}

/* sqrt(x^2 + y^2) without undue overflow or underflow. An infinite argument gives Inf.
 * The larger number is split, u^2 = top^2 + (u - top)(u + top), so that top^2 is exact; the sum of
 * squares and the root are kept in two parts; large and small pairs are scaled. */
LS_FN float canon_hypot(float x, float y)
{
    float a = LS_ABS(x);
    float b = LS_ABS(y);
    float large = LS_SELECT(a > b, a, b);
    float small = LS_SELECT(a > b, b, a);
    float scale = LS_SELECT(large > 1.15292150e18f, 8.47032947e-22f, 1.0f);
    float unscale = LS_SELECT(large > 1.15292150e18f, 1.18059162e21f, 1.0f);
    scale = LS_SELECT(large < 9.09494702e-13f, 7.92281625e28f, scale);
    unscale = LS_SELECT(large < 9.09494702e-13f, 1.26217745e-29f, unscale);
    float u = large * scale; /* exact */
    float v = small * scale; /* exact, or too small to matter */
    float u_top = LS_FLOAT(LS_BITS(u) & 0xfffff000u);
    float sum = LS_FMA(v, v, u_top * u_top);
    float low = LS_FMA(v, v, LS_FMA(u_top, u_top, -sum));
    float sum_all = LS_FMA(u - u_top, u + u_top, sum);
    low = LS_FMA(u - u_top, u + u_top, sum - sum_all) + low;
    sum = sum_all;
    float root = LS_SQRT(sum);
    float z = root + LS_DIV(LS_FMA(-root, root, sum) + low, root + root);
    z = z * unscale;
    z = LS_SELECT(large == 0.0f, 0.0f, z);
    z = LS_SELECT(a == a, z, a);
    z = LS_SELECT(b == b, z, b);
    z = LS_SELECT(a == LS_INFINITY, a, z);
    return LS_SELECT(b == LS_INFINITY, b, z);
}

/* a b mod n, exactly, for a, b < n < 2^24 (or b <= 1 and any a < 2^24). inverse ~ 1/n. The quotient
 * is guessed in floats and corrected twice; remainders fit 32 bits, modulo 2^32. */
LS_FN uint canon_multiply_modulo(uint a, uint b, uint n, float inverse)
{
    float guess = LS_TO_FLOAT(LS_INT(a)) * LS_TO_FLOAT(LS_INT(b)) * inverse;
    uint r = a * b - LS_UINT(LS_TO_INT(guess)) * n; /* int */
    float again = LS_TO_FLOAT(LS_INT(r)) * inverse;
    r = r - LS_UINT(LS_TO_INT(again)) * n; /* int */
    r = LS_SELECT(LS_INT(r) < 0, r + n, r);
    return LS_SELECT(r >= n, r - n, r);
}

LS_FN uint canon_power_step(uint power, uint bit, uint n, float inverse)
{
    uint squared = canon_multiply_modulo(power, power, n, inverse);
    uint doubled = squared + squared;
    doubled = LS_SELECT(doubled >= n, doubled - n, doubled);
    return LS_SELECT((bit & 1u) == 1u, doubled, squared);
}

/* The remainder of x / y with the sign of x, exactly, as C's fmod. y = 0 or x infinite -> NaN.
 * |x| = m 2^e and |y| = n 2^f give (m 2^(e-f) mod n) 2^f, where 2^(e-f) mod n comes from eight
 * steps of square and double. If e < f the answer is x, and the steps compute nothing of use. */
LS_FN float canon_fmod(float x, float y)
{
    uint x_bits = LS_BITS(x) & 0x7fffffffu;
    uint y_bits = LS_BITS(y) & 0x7fffffffu;
    uint x_normal = LS_SELECT(x_bits >= 0x00800000u, 1u, 0u);
    uint y_normal = LS_SELECT(y_bits >= 0x00800000u, 1u, 0u);
    uint m = (x_bits & 0x007fffffu) | (x_normal << 23);
    uint n = (y_bits & 0x007fffffu) | (y_normal << 23);
    uint e = (x_bits >> 23) + (1u - x_normal);
    uint f = (y_bits >> 23) + (1u - y_normal);
    n = LS_SELECT(n == 0u, 1u, n);
    uint d = e - f; /* int */
    float inverse = LS_DIV(1.0f, LS_TO_FLOAT(LS_INT(n)));
    uint power = LS_SELECT(n == 1u, 0u, 1u);
    power = canon_power_step(power, d >> 7, n, inverse);
    power = canon_power_step(power, d >> 6, n, inverse);
    power = canon_power_step(power, d >> 5, n, inverse);
    power = canon_power_step(power, d >> 4, n, inverse);
    power = canon_power_step(power, d >> 3, n, inverse);
    power = canon_power_step(power, d >> 2, n, inverse);
    power = canon_power_step(power, d >> 1, n, inverse);
    power = canon_power_step(power, d, n, inverse);
    uint r = canon_multiply_modulo(m, 1u, n, inverse);
    r = canon_multiply_modulo(r, power, n, inverse);
    float z = canon_scale(LS_TO_FLOAT(LS_INT(r)), LS_INT(f) - 150);
    z = LS_SELECT(x_bits < y_bits, LS_FLOAT(x_bits), z);
    z = LS_WITH_SIGN(z, x);
    uint valid = LS_SELECT(x_bits < 0x7f800000u, 1u, 0u);
    valid = LS_SELECT(y_bits <= 0x7f800000u, valid, 0u);
    valid = LS_SELECT(y_bits == 0u, 0u, valid);
    return LS_SELECT(valid == 1u, z, LS_NAN);
}

/* The remainder with the sign of y, as Python's %: fmod, plus y, rounded, where signs differ. */
LS_FN float canon_floormod(float x, float y)
{
    float r = canon_fmod(x, y);
    float moved = r + y;
    uint differ = (LS_BITS(r) ^ LS_BITS(y)) >> 31;
    differ = LS_SELECT(r == 0.0f, 0u, differ);
    return LS_SELECT(differ == 1u, moved, r);
}

/* |a|, also of the smallest integer. The sign is found by a product, since compilers turn the usual
 * forms into an intrinsic that oclgrind does not know. */
LS_FN uint canon_int_magnitude(int a)
{
    uint sign = LS_MULHI(LS_UINT(a), 2u);
    return (LS_UINT(a) ^ (0u - sign)) + sign;
}

/* Division of integers goes by their magnitudes, as no division of these can overflow.
 * a / b rounded down, modulo 2^32; 0 where b is 0. */
LS_FN int canon_int_floor_div(int a, int b)
{
    uint size = canon_int_magnitude(a);
    uint divisor = canon_int_magnitude(b);
    divisor = LS_SELECT(divisor == 0u, 1u, divisor);
    uint quotient = size / divisor;
    uint rest = size - quotient * divisor; /* int */
    uint differ = LS_UINT(a ^ b) >> 31;
    uint up = LS_SELECT(rest == 0u, 0u, 1u);
    uint down = 0u - (quotient + up);
    int result = LS_INT(LS_SELECT(differ == 1u, down, quotient));
    return LS_SELECT(b == 0, 0, result);
}

/* What a / b rounded down leaves of a, with the sign of b; 0 where b is 0. */
LS_FN int canon_int_floor_mod(int a, int b)
{
    uint size = canon_int_magnitude(a);
    uint divisor = canon_int_magnitude(b);
    uint bounded = LS_SELECT(divisor == 0u, 1u, divisor);
    uint rest = size - size / bounded * bounded; /* int */
    uint differ = LS_UINT(a ^ b) >> 31;
    uint other = LS_SELECT(rest == 0u, 0u, divisor - rest);
    rest = LS_SELECT(differ == 1u, other, rest);
    int result = LS_INT(LS_SELECT(b < 0, 0u - rest, rest));
    return LS_SELECT(b == 0, 0, result);
}

/* e^a / 4 = high + low for 0 <= a <= 89.5. As exp, with the rounding error of the last sum kept. */
LS_FN canon_pair canon_exp_quarter(float a)
{
    canon_pair result;
    float shifted = LS_FMA(a, 1.44269502f, LS_ROUNDER);
    float n = shifted - LS_ROUNDER;
    float r_high = LS_FMA(n, -0.693145752f, a);
    float r = LS_FMA(n, -1.42860677e-6f, r_high);
    float r_low = LS_FMA(n, -1.42860677e-6f, r_high - r);
    float q = LS_FMA(r, 1.37825042e-3f, 8.36867467e-3f);
    q = LS_FMA(q, r, 4.16689627e-2f);
    q = LS_FMA(q, r, 0.166665211f);
    q = LS_FMA(q, r, 0.499999911f);
    float start = r + 1.0f;
    float tail = (r - (start - 1.0f)) + r_low;
    tail = LS_FMA(r * r, q, tail);
    float scale = LS_FLOAT((LS_BITS(shifted) << 23) + 0x3e800000u);
    float y = start + tail;
    result.high = y * scale; /* exact */
    result.low = (tail - (y - start)) * scale; /* exact */
    return result;
}

/* sinh x. Domain: all. -0 -> -0.
 * |x| < 1: x + x^3 p(x^2); else (e^|x| - e^-|x|) / 2 with the sign of x.
 * fpminimax(sinh(x), [|3,5,7,9|], [|SG...|], [2^-20;1.001], floating, relative, x): 2^-31.4 */
LS_FN float canon_sinh(float x)
{
    float a = LS_ABS(x);
    float t = x * x;
    float p = LS_FMA(t, 2.79005599e-6f, 1.98416601e-4f);
    p = LS_FMA(p, t, 8.33331514e-3f);
    p = LS_FMA(p, t, 0.166666672f);
    float near_zero = LS_FMA(x * t, p, x);
    canon_pair e = canon_exp_quarter(LS_SELECT(a < 89.5f, a, 89.5f));
    float far = e.high + (e.low - LS_DIV(0.0625f, e.high));
    far = LS_WITH_SIGN(far + far, x);
    float y = LS_SELECT(a < 1.0f, near_zero, far);
    return LS_SELECT(x == x, y, x);
}

/* cosh x = (e^|x| + e^-|x|) / 2. Domain: all. */
LS_FN float canon_cosh(float x)
{
    float a = LS_ABS(x);
    canon_pair e = canon_exp_quarter(LS_SELECT(a < 89.5f, a, 89.5f));
    float inverse = LS_DIV(0.0625f, e.high);
    float sum = e.high + inverse;
    float y = sum + ((inverse - (sum - e.high)) + e.low);
    y = y + y;
    return LS_SELECT(x == x, y, x);
}

/* asinh x. Domain: all. -0 -> -0.
 * |x| < 1/2: x + x^3 p(x^2); else ln(|x| + sqrt(x^2+1)), half of whose argument is kept in two
 * parts; above 2^12 that half is |x| + 1/(4|x|).
 * fpminimax(asinh(x), [|3,...,13|], [|SG...|], [2^-20;0.5001], floating, relative, x): 2^-33.9 */
LS_FN float canon_asinh(float x)
{
    float a = LS_ABS(x);
    float t = x * x;
    float p = LS_FMA(t, 9.25583299e-3f, -2.00491641e-2f);
    p = LS_FMA(p, t, 3.0033499e-2f);
    p = LS_FMA(p, t, -4.4616092e-2f);
    p = LS_FMA(p, t, 7.49990717e-2f);
    p = LS_FMA(p, t, -0.166666657f);
    float near_zero = LS_FMA(x * t, p, x);

    float inside = LS_SELECT(a < 4096.0f, a, 1.0f);
    float sum = LS_FMA(inside, inside, 1.0f);
    float sum_low = LS_FMA(inside, inside, 1.0f - sum);
    float root = LS_SQRT(sum);
    float root_low = LS_DIV(LS_FMA(-root, root, sum) + sum_low, root + root);
    float u = root + inside;
    float u_low = (inside - (u - root)) + root_low;
    u = LS_SELECT(a < 4096.0f, u * 0.5f, a);
    u_low = LS_SELECT(a < 4096.0f, u_low * 0.5f, LS_DIV(0.25f, a));
    float far = canon_log_sum(u, u_low, 1.0f);
    float y = LS_SELECT(a < 0.5f, near_zero, LS_WITH_SIGN(far, x));
    return LS_SELECT(a < LS_INFINITY, y, x);
}

/* acosh x. Domain: x >= 1, elsewhere NaN. Inf -> Inf.
 * With d = x - 1: ln(1 + d + sqrt(d^2 + 2d)), all in two parts; above 2^12 as asinh. */
LS_FN float canon_acosh(float x)
{
    float inside = LS_SELECT(x < 4096.0f, x, 1.0f);
    float d = inside - 1.0f;
    float twice = d + d;
    float w = LS_FMA(d, d, twice);
    float w_low = LS_FMA(d, d, twice - w);
    float root = LS_SQRT(w);
    float root_low = LS_DIV(LS_FMA(-root, root, w) + w_low, root + root);
    root_low = LS_SELECT(root > 0.0f, root_low, 0.0f);
    float more = root + d;
    float more_low = (d - (more - root)) + root_low;
    float u = more + 1.0f;
    float part = u - more;
    float u_low = ((more - (u - part)) + (1.0f - part)) + more_low;
    float half_u = LS_SELECT(x < 4096.0f, u, x);
    float half_low = LS_SELECT(x < 4096.0f, u_low, LS_DIV(-0.25f, x));
    float y = canon_log_sum(half_u, half_low, LS_SELECT(x < 4096.0f, 0.0f, 1.0f));
    y = LS_SELECT(x == LS_INFINITY, x, y);
    return LS_SELECT(x >= 1.0f, y, LS_NAN);
}

/* atanh x. Domain: [-1, 1], elsewhere NaN. +-1 -> +-Inf, -0 -> -0.
 * |x| < 1/2: x + x^3 p(x^2); else ln((1+|x|) / (1-|x|)) / 2, the quotient in two parts.
 * fpminimax(atanh(x), [|3,...,15|], [|SG...|], [2^-20;0.5001], floating, relative, x): 2^-32.7 */
LS_FN float canon_atanh(float x)
{
    float a = LS_ABS(x);
    float t = x * x;
    float p = LS_FMA(t, 0.179146111f, 2.1620458e-2f);
    p = LS_FMA(p, t, 0.103866778f);
    p = LS_FMA(p, t, 0.109485321f);
    p = LS_FMA(p, t, 0.142965883f);
    p = LS_FMA(p, t, 0.199996501f);
    p = LS_FMA(p, t, 0.333333373f);
    float near_zero = LS_FMA(x * t, p, x);

    float n = a + 1.0f;
    float n_low = a - (n - 1.0f);
    float d = LS_SELECT(a < 1.0f, 1.0f - a, 1.0f);
    float u = LS_DIV(n, d);
    float u_low = LS_DIV(LS_FMA(-u, d, n) + n_low, d);
    float far = canon_log_sum(u, u_low, 0.0f) * 0.5f;
    far = LS_SELECT(a == 1.0f, LS_INFINITY, far);
    float y = LS_SELECT(a < 0.5f, near_zero, LS_WITH_SIGN(far, x));
    return LS_SELECT(a <= 1.0f, y, LS_NAN);
}

/* (erf x - x) / x on |x| <= 1, by t = x^2.
 * fpminimax(erf(x)-x, [|1,3,...,15|], [|SG...|], [2^-12;1.0001], floating, absolute): 2^-30 */
LS_FN float canon_erf_tail(float t)
{
    float p = LS_FMA(t, -8.82556196e-6f, 1.09427856e-4f);
    p = LS_FMA(p, t, -8.43421905e-4f);
    p = LS_FMA(p, t, 5.21709304e-3f);
    p = LS_FMA(p, t, -2.68637538e-2f);
    p = LS_FMA(p, t, 0.112837456f);
    p = LS_FMA(p, t, -0.376126349f);
    return LS_FMA(p, t, 0.128379166f);
}

/* erf x. Domain: all. +-Inf -> +-1, -0 -> -0.
 * a = |x| < 1: x + x p(x^2); else 1 - e^-(a+g(a)), a + g ~ -ln erfc, with the sign of x; what the
 * sum a + g loses is put back after the exponential.
 * g: fpminimax((-log(erfc(x))-x)*erfc(x), [|erfc(x), x*erfc(x), ..., x^6*erfc(x)|], [|SG...|],
 * [0.999;3.95], floating, absolute): 2^-29.8 of the result */
LS_FN float canon_erf(float x)
{
    float a = LS_ABS(x);
    float near_zero = LS_FMA(canon_erf_tail(x * x), x, x);
    float b = LS_SELECT(a < 4.0f, a, 4.0f);
    float g = LS_FMA(b, -1.85692741e-4f, 2.94082263e-3f);
    g = LS_FMA(g, b, -2.18103882e-2f);
    g = LS_FMA(g, b, 0.103048407f);
    g = LS_FMA(g, b, 0.638212442f);
    g = LS_FMA(g, b, 0.127048328f);
    g = LS_FMA(g, b, 3.51596653e-4f);
    float sum = b + g;
    float sum_low = g - (sum - b);
    float e = canon_exp(-sum);
    float rest = 1.0f - e;
    float rest_low = (1.0f - rest) - e;
    float far = rest + LS_FMA(e, sum_low, rest_low);
    float y = LS_SELECT(a < 1.0f, near_zero, LS_WITH_SIGN(far, x));
    return LS_SELECT(x == x, y, x);
}

/* 1 - erf x. Domain: all. Inf -> +0, -Inf -> 2; subnormal results are kept.
 * |x| < 1/2: (1 - x) - x p(x^2). Else, for a = |x|: e^(-a^2) h(t) / (1 + 2a) with
 * t = (a-2.25) / (a+2.25) (Shepherd and Laframboise, 1981), or 2 minus that where x < 0. The
 * square, the exponential, h and the quotient are kept in two parts.
 * h: with k = 2.25, a = k*(1+x)/(1-x), f = exp(a^2)*erfc(a)*(1+2*a):
 * fpminimax(f, [|0,...,10|], [|46,SG...|], [-0.637;0.64], floating, relative): 2^-31.6 */
LS_FN float canon_erfc(float x)
{
    float start = 1.0f - x;
    float lost = (1.0f - start) - x;
    float near_zero = start + LS_FMA(canon_erf_tail(x * x), -x, lost);

    float a = LS_ABS(x);
    a = LS_SELECT(a < 10.5f, a, 10.5f);
    float t = LS_DIV(a - 2.25f, a + 2.25f);
    float h = LS_FMA(t, 1.84104952e-4f, 3.61339946e-4f);
    h = LS_FMA(h, t, -1.14181836e-3f);
    h = LS_FMA(h, t, -2.59856647e-3f);
    h = LS_FMA(h, t, 8.08647368e-3f);
    h = LS_FMA(h, t, 1.143739e-2f);
    h = LS_FMA(h, t, -8.31317902e-2f);
    h = LS_FMA(h, t, 0.165256694f);
    h = LS_FMA(h, t, -0.13078013f);
    h = LS_FMA(h, t, -0.110255621f);
    float n = LS_FMA(h, t, 1.27097988f);
    float n_low = LS_FMA(h, t, 1.27097988f - n) + 4.19102264e-8f;
    float d = LS_FMA(a, 2.0f, 1.0f);
    float d_low = LS_SELECT(a > 0.5f, LS_FMA(a, 2.0f, -d) + 1.0f, 0.0f);
    float q = LS_DIV(n, d);
    float rest = LS_FMA(-q, d, n) + n_low;
    float q_low = LS_DIV(LS_FMA(-q, d_low, rest), d);

    float square = a * a;
    float square_low = LS_FMA(a, a, -square);
    float shifted = LS_FMA(square, -1.44269502f, LS_ROUNDER);
    float n_e = shifted - LS_ROUNDER;
    float r_high = LS_FMA(n_e, -0.693145752f, -square);
    float correction = LS_FMA(n_e, -1.42860677e-6f, -square_low);
    float r = r_high + correction;
    float r_low = correction - (r - r_high);
    float p = LS_FMA(r, 1.37825042e-3f, 8.36867467e-3f);
    p = LS_FMA(p, r, 4.16689627e-2f);
    p = LS_FMA(p, r, 0.166665211f);
    p = LS_FMA(p, r, 0.499999911f);
    float one_plus = r + 1.0f;
    float tail = (r - (one_plus - 1.0f)) + r_low;
    tail = LS_FMA(r * r, p, tail);
    float e = one_plus + tail;
    float e_low = tail - (e - one_plus);

    float y = LS_FMA(e, q, LS_FMA(e, q_low, e_low * q));
    y = canon_scale(y, LS_INT(LS_BITS(shifted) - 0x4b400000u));
    y = LS_SELECT(x < 0.0f, 2.0f - y, y);
    y = LS_SELECT(LS_ABS(x) < 0.5f, near_zero, y);
    return LS_SELECT(x == x, y, x);
}

/* erfinv x. Domain: [-1, 1], elsewhere NaN. +-1 -> +-Inf, -0 -> -0.
 * x p(w) with w = -ln(1 - x^2): below 5 a polynomial in w - 1.25, else in sqrt(w) - 3.125 (the
 * variables of M. Giles, 2010). The coefficients are ours: weighted least squares against
 * mpmath's erfinv with 40 digits, iterated to equal ripples, rounded from the lowest with a
 * refit of the others after each: 2^-27 */
LS_FN float canon_erfinv(float x)
{
    canon_pair l = canon_log_pair(LS_FMA(-x, x, 1.0f));
    float w = -l.high;
    float central = w - 1.25f;
    float central_low = (w - (central + 1.25f)) - l.low;
    float p = LS_FMA(central, -8.79428885e-9f, 1.2216492e-7f);
    p = LS_FMA(p, central, -2.60752159e-7f);
    p = LS_FMA(p, central, -5.08298126e-6f);
    p = LS_FMA(p, central, 3.10581891e-5f);
    p = LS_FMA(p, central, 1.43691606e-4f);
    p = LS_FMA(p, central, -2.25370843e-3f);
    p = LS_FMA(p, central, 2.51162215e-3f);
    p = LS_FMA(p, central, 0.249519616f);
    float inside = LS_SELECT(w > 4.0f, w, 4.0f);
    float root = LS_SQRT(inside);
    float root_low = LS_DIV(LS_FMA(-root, root, inside) - l.low, root + root);
    float v = root - 3.125f;
    float q = LS_FMA(v, 1.2827554e-4f, -1.7396106e-4f);
    q = LS_FMA(q, v, -3.22238106e-4f);
    q = LS_FMA(q, v, 1.31080137e-3f);
    q = LS_FMA(q, v, -2.52098031e-3f);
    q = LS_FMA(q, v, 3.7816884e-3f);
    q = LS_FMA(q, v, -5.30120684e-3f);
    q = LS_FMA(q, v, 7.04903249e-3f);
    q = LS_FMA(q, v, 1.00371873f);
    uint tail = LS_SELECT(w < 5.0f, 0u, 1u);
    float base = LS_SELECT(tail == 0u, 1.18956161f, 2.95832014f);
    float base_low = LS_SELECT(tail == 0u, LS_FMA(central_low, 0.249519616f, -2.29017907e-8f),
                               LS_FMA(root_low, 1.00371873f, -8.46223802e-9f));
    float slope = LS_SELECT(tail == 0u, p, q);
    float variable = LS_SELECT(tail == 0u, central, v);
    float sum = LS_FMA(slope, variable, base);
    float sum_low = LS_FMA(slope, variable, base - sum) + base_low;
    float scaled = x * 4294967296.0f;
    float y = LS_FMA(scaled, sum, scaled * sum_low) * 2.32830644e-10f;
    y = LS_SELECT(LS_ABS(x) == 1.0f, LS_WITH_SIGN(LS_INFINITY, x), y);
    y = LS_SELECT(x == 0.0f, x, y);
    return LS_SELECT(LS_ABS(x) <= 1.0f, y, LS_NAN);
}

/* s + a s (1 - s) u' with s = sigmoid(u), u = 2 sqrt(2/pi) (a + 0.044715 a^3): the slope of gelu's form
 * with tanh. From |a| = 16 on, s is 0 or 1 to the last bit, and u' there must not overflow */
LS_FN float canon_gelu_tanh_slope(float a)
{
    float x = LS_SELECT(a > 16.0f, 16.0f, a);
    x = LS_SELECT(a < -16.0f, -16.0f, x);
    float t = x * x;
    float s = canon_sigmoid(x * LS_FMA(t, 7.13548139e-2f, 1.59576917f));
    float steep = x * s * (1.0f - s);
    return LS_FMA(steep, LS_FMA(t, 0.214064434f, 1.59576917f), s);
}

/* w + a s (1 - w^2) with s = sigmoid(a), w = tanh(softplus(a)): the slope of mish */
LS_FN float canon_mish_slope(float a)
{
    float s = canon_sigmoid(a);
    float w = canon_tanh(LS_SELECT(a > 0.0f, a, 0.0f) + canon_log1p(canon_exp(-LS_ABS(a))));
    return LS_FMA(a * s, LS_FMA(-w, w, 1.0f), w);
}

#endif
