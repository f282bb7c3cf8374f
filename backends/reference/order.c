/* SPDX-License-Identifier: Apache-2.0
 *
 * scan and sort: what goes through an axis from one end to the other.
 */
#include "slots.h"

#include "prelude_c.h"
#include "canon.h"

/* ---- scan ---- */

/* Columns [begin, end), counted through outer and inner; `kind` is known wherever this is inlined. */
#define SCAN(type, name, first, step)                                                              \
    static void name(const void *work, int thread, int64_t begin, int64_t end)                     \
    {                                                                                              \
        const struct ls_scan_args *args = work;                                                    \
        const type *factor = args->factor ? data_of(args->factor) : NULL;                          \
        const type *addend = args->addend ? data_of(args->addend) : NULL;                          \
        type *dst = data_of(args->dst);                                                            \
        (void)thread, (void)factor, (void)addend;                                                  \
        for (int64_t column = begin; column < end; column++) {                                     \
            int64_t stride = args->reverse ? -args->inner : args->inner;                           \
            int64_t at = column / args->inner * args->r * args->inner + column % args->inner;      \
            at += args->reverse ? (args->r - 1) * args->inner : 0;                                 \
            type s = first;                                                                        \
            for (int64_t i = 0; i < args->r; i++, at += stride) {                                  \
                type before = s;                                                                   \
                s = step;                                                                          \
                dst[at] = args->exclusive ? before : s;                                            \
            }                                                                                      \
        }                                                                                          \
    }
SCAN(float, recurrence, 0.0f, LS_FMA(factor[at], s, addend[at]))
SCAN(float, products, 1.0f, s *factor[at])
SCAN(float, sums, 0.0f, s + addend[at])
SCAN(int32_t, int_products, 1, (int32_t)((uint32_t)s * (uint32_t)factor[at]))
SCAN(int32_t, int_sums, 0, (int32_t)((uint32_t)s + (uint32_t)addend[at]))
#undef SCAN

ls_status ISA(scan)(struct reference_device *device, const struct ls_scan_args *args)
{
    bool ints = args->dtype == LS_INT32;
    reference_part *part = args->factor && args->addend ? recurrence
                           : args->factor               ? ints ? int_products : products
                           : ints                       ? int_sums
                                                        : sums;
    int64_t columns = args->outer * args->inner;
    int64_t grain = (PARALLEL_WORK / args->r / CACHE_LINE + 1) * CACHE_LINE;
    ls_reference_parallel(device, columns, grain, part, args);
    return LS_OK;
}

/* ---- sort ---- */

/* A key that orders as unsigned integers do: -0 as +0, all NaNs above everything in both orders. */
LS_FN uint32_t key_of(const struct ls_sort_args *args, uint32_t bits)
{
    uint32_t key;
    if (args->dtype == LS_INT32) {
        key = bits ^ 0x80000000u;
        return args->descending ? ~key : key;
    }
    if ((bits & 0x7fffffffu) > 0x7f800000u) {
        return 0xffffffffu;
    }
    bits = bits == 0x80000000u ? 0u : bits;
    key = bits >> 31 ? ~bits : bits | 0x80000000u;
    return args->descending ? ~key : key;
}

struct row {
    const struct ls_sort_args *args;
    const word *src;
    int32_t *order;
};

/* Whether the element at position a comes before that at b. Positions decide among equals, so there
 * is one right result, whatever the algorithm. */
LS_FN bool before(const struct row *row, int32_t a, int32_t b)
{
    uint32_t x = key_of(row->args, row->src[a]), y = key_of(row->args, row->src[b]);
    return x != y ? x < y : a < b;
}

/* Moves the element at `root` of the heap [0, n) down to its place. */
static void sift(const struct row *row, int64_t root, int64_t n)
{
    int32_t moving = row->order[root];
    for (int64_t child = 2 * root + 1; child < n; child = 2 * root + 1) {
        child += child + 1 < n && before(row, row->order[child], row->order[child + 1]);
        if (!before(row, moving, row->order[child])) {
            break;
        }
        row->order[root] = row->order[child];
        root = child;
    }
    row->order[root] = moving;
}

/* Heapsort: in place, and never slower than n log n. */
static void sort_rows(const void *work, int thread, int64_t begin, int64_t end)
{
    const struct ls_sort_args *args = work;
    int64_t r = args->r;
    (void)thread;
    for (int64_t o = begin; o < end; o++) {
        struct row row = {args, (const word *)data_of(args->src) + o * r, (int32_t *)data_of(args->dst) + o * r};
        for (int64_t i = 0; i < r; i++) {
            row.order[i] = (int32_t)i;
        }
        for (int64_t i = r / 2 - 1; i >= 0; i--) {
            sift(&row, i, r);
        }
        for (int64_t last = r - 1; last > 0; last--) {
            int32_t largest = row.order[0];
            row.order[0] = row.order[last];
            row.order[last] = largest;
            sift(&row, 0, last);
        }
    }
}

ls_status ISA(sort)(struct reference_device *device, const struct ls_sort_args *args)
{
    ls_reference_parallel(device, args->outer, PARALLEL_WORK / 8 / args->r + 1, sort_rows, args);
    return LS_OK;
}
