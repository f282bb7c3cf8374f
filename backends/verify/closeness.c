/* SPDX-License-Identifier: Apache-2.0 */
#include "closeness.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum ls_closeness ls_closeness_of(const struct ls_device_info *a, const struct ls_device_info *b)
{
    if (strcmp(a->exactness, "T") == 0 || strcmp(b->exactness, "T") == 0)
        return LS_WITHIN_BOUNDS;
    return strcmp(a->exactness, "N") == 0 || strcmp(b->exactness, "N") == 0 ? LS_SAME_NORMALS : LS_SAME_BITS;
}

static uint32_t word_at(const void *data, size_t size, int64_t i)
{
    uint32_t word = 0;
    memcpy(&word, (const char *)data + (size_t)i * size, size);
    return word;
}

static double number(uint32_t word)
{
    float x;
    memcpy(&x, &word, sizeof x);
    return (double)x;
}

/* On a line where neighbouring floats are neighbouring integers. */
static int64_t place_of(uint32_t word) { return word >> 31 ? -(int64_t)(word & 0x7fffffffu) : (int64_t)word; }

static int64_t ulp_between(uint32_t a, uint32_t b)
{
    int64_t apart = place_of(a) - place_of(b);
    return apart < 0 ? -apart : apart;
}

static double largest_of(const float *data, int64_t n)
{
    double most = 0;
    for (int64_t i = 0; i < n; i++) {
        double x = fabs((double)data[i]);
        most = isfinite(x) && x > most ? x : most;
    }
    return most;
}

/* The stated bounds of class T: 64 ulp, or 2^-16 of the largest result. */
enum { MOST_ULP = 64 };

static bool close_enough(ls_dtype dtype, enum ls_closeness closeness, uint32_t a, uint32_t b, double largest)
{
    if (a == b || dtype != LS_FLOAT32)
        return a == b;
    bool nan_a = (a & 0x7fffffffu) > 0x7f800000u, nan_b = (b & 0x7fffffffu) > 0x7f800000u;
    if (nan_a || nan_b || ((a | b) & 0x7fffffffu) == 0)
        return nan_a == nan_b;
    if (closeness != LS_SAME_BITS && !(a & 0x7f800000u) && !(b & 0x7f800000u))
        return true;
    return closeness == LS_WITHIN_BOUNDS &&
           (ulp_between(a, b) <= MOST_ULP || fabs(number(a) - number(b)) <= largest * 0x1p-16);
}

int64_t ls_count_different(ls_dtype dtype, enum ls_closeness closeness, const void *a, const void *b, int64_t n, int64_t *first)
{
    size_t size = ls_dtype_size(dtype);
    double largest = closeness == LS_WITHIN_BOUNDS && dtype == LS_FLOAT32 ? largest_of(b, n) : 0;
    int64_t different = 0;
    for (int64_t i = n; i-- > 0;)
        if (!close_enough(dtype, closeness, word_at(a, size, i), word_at(b, size, i), largest)) {
            different++;
            *first = i;
        }
    return different;
}

void ls_difference_text(char *text, size_t size, ls_dtype dtype, int64_t i, const void *a, const char *on_a, const void *b,
                        const char *on_b)
{
    uint32_t x = word_at(a, ls_dtype_size(dtype), i), y = word_at(b, ls_dtype_size(dtype), i);
    if (dtype == LS_FLOAT32)
        snprintf(text, size, "0x%08x (%.9g) on %s, 0x%08x (%.9g) on %s, %lld ulp apart", (unsigned)x, number(x), on_a,
                 (unsigned)y, number(y), on_b, (long long)ulp_between(x, y));
    else
        snprintf(text, size, "%d on %s, %d on %s", (int)x, on_a, (int)y, on_b);
}
