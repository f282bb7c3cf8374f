/* SPDX-License-Identifier: Apache-2.0
 *
 * What shaders/canon.h puts in place of an fma, a division and a root that a device lacks, against the
 * processor's own: built with LS_EMULATE_FMA 1 and 2. Roots of all mantissas and all subnormals (by doubles); sums that
 * cancel, ties, products and quotients in the subnormals and near overflow. --full tries 64 times as
 * many, and all 2^32 roots.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LS_EMULATE_DIV 1
#define LS_EMULATE_SQRT 1
#include "prelude_c.h"
#include "canon.h"
#include "check.h"

enum { BLOCK = 4096 };

static uint32_t a[BLOCK], b[BLOCK], c[BLOCK], wanted[BLOCK], got[BLOCK];

/* Other bits, where not both are NaN. The sign of a zero counts. */
static void compare(const char *what)
{
    int wrong = 0, first = 0;
    for (int i = BLOCK - 1; i >= 0; i--)
        if (wanted[i] != got[i] && !(isnan(ls_float_of(wanted[i])) && isnan(ls_float_of(got[i])))) {
            wrong++;
            first = i;
        }
    CHECK(wrong == 0, "%s: %d wrong; %08x %08x %08x gives %08x, not %08x", what, wrong, a[first], b[first], c[first], got[first], wanted[first]);
}

static void try_fma(void)
{
    for (int i = 0; i < BLOCK; i++)
        got[i] = ls_bits_of(LS_FMA(ls_float_of(a[i]), ls_float_of(b[i]), ls_float_of(c[i])));
    for (int i = 0; i < BLOCK; i++)
        wanted[i] = ls_bits_of(fmaf(ls_float_of(a[i]), ls_float_of(b[i]), ls_float_of(c[i])));
    compare("fma");
}

static void try_division(void)
{
    for (int i = 0; i < BLOCK; i++)
        got[i] = ls_bits_of(LS_DIV(ls_float_of(a[i]), ls_float_of(b[i])));
    for (int i = 0; i < BLOCK; i++)
        wanted[i] = ls_bits_of(ls_float_of(a[i]) / ls_float_of(b[i]));
    compare("division");
}

static void try_root(void)
{
    for (int i = 0; i < BLOCK; i++)
        got[i] = ls_bits_of(LS_SQRT(ls_float_of(a[i])));
    for (int i = 0; i < BLOCK; i++)
        wanted[i] = ls_bits_of(sqrtf(ls_float_of(a[i])));
    compare("square root");
}

static uint32_t random_word(void)
{
    static uint64_t state = 88172645463325252u;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 32) ^ (uint32_t)(state >> 9);
}

static uint32_t draw(void)
{
    static const uint32_t ends[] = {0, 1, 2, 0x7fffff, 0x800000, 0x800001, 0x1000000, 0x34000000, 0x3f7fffff, 0x3f800000, 0x3f800001,
                                    0x3fffffff, 0x40000000, 0x5f800000, 0x7effffff, 0x7f000000, 0x7f7fffff, 0x7f800000, 0x7fc00000};
    uint32_t word = random_word();
    switch (random_word() % 6) {
    case 0: return ends[word % (sizeof ends / sizeof *ends)] | (random_word() & 0x80000000u);
    case 1: return word & (0x807fffffu >> (random_word() % 20)); /* subnormal */
    case 2: return (word & 0x807ff000u) | (119u + random_word() % 16u) << 23;
    case 3: return (word & 0x807fffffu) | (119u + random_word() % 16u) << 23;
    default: return word;
    }
}

/* Draws the arguments, most of them so that something hard happens between the three. */
static void draw_block(void)
{
    for (int i = 0; i < BLOCK; i++) {
        a[i] = draw(), b[i] = draw(), c[i] = draw();
        uint32_t product = ls_bits_of(ls_float_of(a[i]) * ls_float_of(b[i])), sign = random_word() & 0x80000000u;
        switch (random_word() % 8) {
        case 0: c[i] = (product ^ 0x80000000u) + random_word() % 7 - 3; break; /* cancels */
        case 1: c[i] = (product ^ sign) - ((random_word() % 60) << 23); break; /* far below */
        case 2: c[i] = (product ^ sign) + ((random_word() % 30) << 23); break; /* far above */
        case 3: b[i] = a[i] + random_word() % 9 - 4; break;                    /* a quotient near 1 */
        case 4: /* a product in the subnormals or below */
            b[i] = (b[i] & 0x807fffffu) | ((110u - (a[i] >> 23) + random_word() % 40u) & 0xffu) << 23;
            break;
        case 5: /* a quotient in the subnormals or below */
            b[i] = (b[i] & 0x807fffffu) | (((a[i] >> 23) + 120u + random_word() % 40u) & 0xffu) << 23;
            break;
        default: break;
        }
    }
}

static void try_roots(uint64_t first, uint64_t end)
{
    for (uint64_t start = first; start < end; start += BLOCK) {
        for (int i = 0; i < BLOCK; i++)
            a[i] = (uint32_t)start + (uint32_t)i;
        try_root();
    }
}

int main(int argc, char **argv)
{
    bool full = argc > 1 && strcmp(argv[1], "--full") == 0;
    for (int round = 0; round < (full ? 64 : 1) * 1024; round++) {
        draw_block();
        try_fma();
        try_division();
        try_root();
    }
    if (full) {
        try_roots(0, (uint64_t)1 << 32);
    } else if (LS_EMULATE_FMA == 1) { /* by integers it takes long */
        try_roots(0, 0x00800000);          /* zero and the subnormals */
        try_roots(0x3f800000, 0x40800000); /* [1, 4): every mantissa, even and odd exponents */
    }
    return end_of_checks();
}
