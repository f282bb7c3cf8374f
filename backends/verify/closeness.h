/* SPDX-License-Identifier: Apache-2.0
 *
 * How results of two devices are compared, element by element, and what is said of two that differ.
 */
#ifndef LS_VERIFY_CLOSENESS_H
#define LS_VERIFY_CLOSENESS_H

#include "backend.h"

/** How results are compared: bits; subnormals as zero (class N); bounds (class T). */
enum ls_closeness { LS_SAME_BITS, LS_SAME_NORMALS, LS_WITHIN_BOUNDS };
/** The weaker of what two devices promise. */
enum ls_closeness ls_closeness_of(const struct ls_device_info *a, const struct ls_device_info *b);

/**
 * How many of n elements of two arrays differ by more than `closeness` allows, and the first that does. All NaN are the
 * same, and both zeros are. Bounds are those of the largest element of `b`.
 */
int64_t ls_count_different(ls_dtype dtype, enum ls_closeness closeness, const void *a, const void *b, int64_t n, int64_t *first);
/** Element `i` of both, in hex and decimal, and their distance. */
void ls_difference_text(char *text, size_t size, ls_dtype dtype, int64_t i, const void *a, const char *on_a, const void *b,
                        const char *on_b);

#endif
