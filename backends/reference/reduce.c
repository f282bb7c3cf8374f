/* SPDX-License-Identifier: Apache-2.0
 *
 * reduce: over the middle of (outer, r, inner).
 *
 * inner == 1: canon rule 9 for sums and products: 64 lanes over blocks of 4096, which is what vector
 * registers do anyway. Maxima use the same lanes: comparisons may be regrouped, because a
 * lane that starts from the first element gives the same result in any order.
 * inner > 1: canon rule 8: chains down the columns in blocks of 1024 rows, vectorised over columns.
 */
#include "slots.h"

#include <string.h>

#include "prelude_c.h"
#include "canon.h"

/* The ways to combine two values; `op` is a constant wherever this is inlined. */
LS_FN float combine_float(enum ls_reduce_op op, float best, float x)
{
    switch (op) {
    case LS_REDUCE_SUM: return best + x;
    case LS_REDUCE_PROD: return best * x;
    case LS_REDUCE_MAX: return LS_SELECT(x > best, x, best);
    default: return LS_SELECT(x < best, x, best);
    }
}

LS_FN int combine_int(enum ls_reduce_op op, int best, int x)
{
    switch (op) {
    case LS_REDUCE_SUM: return (int)((unsigned)best + (unsigned)x);
    case LS_REDUCE_PROD: return (int)((unsigned)best * (unsigned)x);
    case LS_REDUCE_MAX: return LS_SELECT(x > best, x, best);
    default: return LS_SELECT(x < best, x, best);
    }
}

enum {
    SHORT = 32, /* rows up to here are worked on side by side, */
    SIDE = 64,  /* so many at a time */
    TILE = 512, /* columns that a task accumulates: they stay in the first level cache */
};

#define TYPE float
#define NAME(name) name##_float
#include "reduce_loops.h"
#undef TYPE
#undef NAME

#define TYPE int
#define NAME(name) name##_int
#include "reduce_loops.h"
#undef TYPE
#undef NAME

void ISA(reduce_rows)(enum ls_reduce_op op, const float *x, float *y, int64_t rows, int64_t r)
{
    rows_float(op, x, y, rows, r);
}

ls_status ISA(reduce)(struct reference_device *device, const struct ls_reduce_args *args)
{
    if (args->op == LS_REDUCE_ARGMAX || args->op == LS_REDUCE_ARGMIN) {
        return ISA(arg)(device, args);
    }
    return args->dtype == LS_INT32 ? reduce_int(device, args) : reduce_float(device, args);
}
