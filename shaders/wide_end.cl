/* SPDX-License-Identifier: Apache-2.0
 *
 * After the canonical functions and the rows that wide_begin.cl turned into functions of vectors.
 */
#undef float
#undef int
#undef uint

/* Vectors of 16 from memory, or `count` < 16 of them; what is absent repeats the first. */
#define LS_PART(type)                                                                              \
    LS_ANY type##16 ls_load(__global const type *x, int count)                                     \
    {                                                                                              \
        type some[16];                                                                             \
        for (int l = 0; l < 16; l++)                                                               \
            some[l] = x[l < count ? l : 0];                                                        \
        return vload16(0, some);                                                                   \
    }                                                                                              \
    LS_ANY void ls_store(type##16 value, __global type *x, int count)                              \
    {                                                                                              \
        type some[16];                                                                             \
        vstore16(value, 0, some);                                                                  \
        for (int l = 0; l < count; l++)                                                            \
            x[l] = some[l];                                                                        \
    }
LS_PART(float)
LS_PART(int)
LS_PART(uchar)
LS_PART(ushort)
#undef LS_PART

/* The elements of x at 16 places. */
#define LS_PICK(x, p)                                                                              \
    (x)[p.s0], (x)[p.s1], (x)[p.s2], (x)[p.s3], (x)[p.s4], (x)[p.s5], (x)[p.s6], (x)[p.s7],        \
        (x)[p.s8], (x)[p.s9], (x)[p.sa], (x)[p.sb], (x)[p.sc], (x)[p.sd], (x)[p.se], (x)[p.sf]

#define LS_COUNT_UP (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
