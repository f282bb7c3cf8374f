/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files compiled once per instruction set share: names that end in the set's name, and the
 * functions they use of each other.
 */
#ifndef LS_REFERENCE_SLOTS_H
#define LS_REFERENCE_SLOTS_H

#include "device.h"

#define LS_JOIN3(a, b, c) a##b##c
#define LS_JOIN(a, b, c) LS_JOIN3(a, b, c)
/* ISA(map) is ls_reference_map_avx2 where LS_ISA is avx2. */
#define ISA(name) LS_JOIN(ls_reference_##name, _, LS_ISA)

/* A loop whose iterations do not depend on each other: reading and writing one address in the same
 * iteration (an update in place) is allowed. */
#define EACH(i, n) _Pragma("omp simd") for (size_t i = 0; i < (size_t)(n); i++)

/* Data whose type is only known at run time: floats and ints alike. */
typedef uint32_t __attribute__((__may_alias__)) word;

/* An argument of a row: n values, or the same one n times where step is 0. */
struct operand {
    const void *data;
    size_t step;
};

/* result[i] = row(operand[0][i], ...) for i < n. If all steps are 0, n is 1. The result may be the
 * memory of an operand. */
typedef void row_loop(size_t n, const struct operand *operand, void *result);

/* The loops of all rows of elementwise.def. */
extern row_loop *const ISA(rows)[LS_ROW_COUNT];

/* y[o] = the sum (canon rule 9), product, maximum or minimum of row o of x (rows, r), r >= 1. */
void ISA(reduce_rows)(enum ls_reduce_op op, const float *x, float *y, int64_t rows, int64_t r);

/* to[j * to_row + i] = from[i * from_row + j] for i < rows, j < columns. */
void ISA(transpose)(const word *from, int64_t from_row, word *to, int64_t to_row, int64_t rows,
                    int64_t columns);

/* Notes the first of the indices that is outside [0, limit), if there is one, as a fault. */
void ISA(check_indices)(struct reference_device *device, enum ls_fault_kind kind,
                        const int32_t *indices, int64_t count, int64_t limit);

/* reduce, for argmax and argmin. */
ls_status ISA(arg)(struct reference_device *device, const struct ls_reduce_args *args);

#define PRIM(name, need, meaning)                                                                  \
    ls_status ISA(name)(struct reference_device * device, const struct ls_##name##_args *args);
#include "prims.def"
#undef PRIM

extern const struct reference_slots ISA(slots);

#endif
