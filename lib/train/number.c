/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers as text. printf gives digits and exponent; the point, which depends on the locale, is put here.
 */
#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"

/* Digits d1 d2 …, without zeros at the end, and the exponent of d1, of |value| rounded to `precision` digits. */
static int take_digits(double value, int precision, char *digits)
{
    char text[64];
    snprintf(text, sizeof text, "%.*e", precision - 1, fabs(value));
    int count = 0;
    const char *c = text;
    for (; *c && *c != 'e'; c++)
        if (isdigit((unsigned char)*c))
            digits[count++] = *c;
    while (count > 1 && digits[count - 1] == '0')
        count--;
    digits[count] = '\0';
    return atoi(c + 1);
}

static struct ls_number special(double value)
{
    struct ls_number n;
    strcpy(n.text, isnan(value) ? "nan" : value > 0 ? "inf" : "-inf");
    return n;
}

/* repr's choice: powers of ten below 1e-4 and from 1e16 on. */
static struct ls_number lay_out(bool negative, const char *digits, int exponent)
{
    struct ls_number n;
    int count = (int)strlen(digits), used = 0;
    char *t = n.text;
    if (negative)
        t[used++] = '-';
    if (exponent < -4 || exponent >= 16) {
        t[used++] = digits[0];
        if (count > 1)
            used += snprintf(t + used, sizeof n.text - (size_t)used, ".%s", digits + 1);
        snprintf(t + used, sizeof n.text - (size_t)used, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
        return n;
    }
    if (exponent < 0)
        t[used++] = '0';
    for (int i = 0; i <= exponent; i++)
        t[used++] = i < count ? digits[i] : '0';
    t[used++] = '.';
    for (int i = exponent + 1; i < count; i++)
        t[used++] = i < 0 ? '0' : digits[i];
    if (exponent + 1 >= count)
        t[used++] = '0';
    t[used] = '\0';
    return n;
}

struct ls_number ls_number_rounded(double value, int digits)
{
    char text[24];
    if (!isfinite(value))
        return special(value);
    int exponent = take_digits(value, digits, text);
    return lay_out(signbit(value), text, exponent);
}

static double back(double value, const char *digits, int exponent)
{
    char text[48];
    snprintf(text, sizeof text, "%s%se%d", signbit(value) ? "-" : "", digits, exponent - (int)strlen(digits) + 1);
    return strtod(text, NULL);
}

struct ls_number ls_number(double value)
{
    char digits[24] = "0";
    int exponent = 0;
    if (!isfinite(value))
        return special(value);
    for (int precision = 1; precision <= 17; precision++) {
        exponent = take_digits(value, precision, digits);
        if (back(value, digits, exponent) == value)
            break;
    }
    return lay_out(signbit(value), digits, exponent);
}

struct ls_number ls_number_fixed(double value, int places)
{
    struct ls_number n;
    if (!isfinite(value))
        return special(value);
    if (fabs(value) >= 1e15)
        return ls_number(value);
    snprintf(n.text, sizeof n.text, "%.*f", places, value);
    char *last = n.text + strspn(n.text, "-0123456789"); /* the locale's point, of one or more bytes */
    if (*last) {
        char *rest = last + strcspn(last, "0123456789");
        *last = '.';
        memmove(last + 1, rest, strlen(rest) + 1);
    }
    return n;
}
