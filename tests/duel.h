/* SPDX-License-Identifier: Apache-2.0
 *
 * Two devices side by side, for the primitives of the conformance suite: arrays that are the same on both, one call
 * on both, and the comparison of what it gave, by bits.
 */
#ifndef LOCKSTEP_TESTS_DUEL_H
#define LOCKSTEP_TESTS_DUEL_H

#include "suite.h"

/** What elements are like: INTEGERS make every sum exact, ORDER shows the order of a sum. */
enum duel_data { PLAIN, INTEGERS, ORDER, SPECIAL, DATA_KINDS };

struct duel {
    struct suite *s;
    struct ls_device *device[2]; /* the reference, and the one under test */
    bool builds;                 /* the latter builds a kernel for each row and pattern */
};

/** One array on both devices. */
struct duel_array {
    struct ls_buffer *on[2];
    int64_t n;
    ls_dtype dtype;
};

/** Whether the device under test is fast enough for so many elements. */
bool duel_affordable(const struct duel *d, int64_t n);

/** A new array of the suite's random stream, in [low, high) where it is PLAIN; floats in [-2, 2); ints in 0..rows-1. */
struct duel_array duel_make(struct duel *d, ls_dtype dtype, int64_t n, enum duel_data data, double low, double high);
struct duel_array duel_floats(struct duel *d, int64_t n, enum duel_data data);
struct duel_array duel_indices(struct duel *d, int64_t n, int64_t rows);
void duel_drop(struct duel *d, struct duel_array *a);

/** The word of a float32. */
uint32_t duel_bits(float x);

/** Runs a slot on both, device `k` in turn. A NULL optional slot is not tried: its fallback is tested with the ops. */
#define DUEL(slot, name, ...)                                                                                 \
    do {                                                                                                      \
        for (int k = 0; k < 2; k++) {                                                                         \
            struct ls_device *device = d->device[k];                                                          \
            __VA_ARGS__;                                                                                      \
            ls_status status = device->backend->slot(device, &args);                                          \
            suite_check(d->s, status == LS_OK, name, "%s: %s", ls_status_text(status), device->message.text); \
        }                                                                                                     \
    } while (0)

/** Compares the first `n` elements of an output of both devices. */
void duel_compare(struct duel *d, const struct duel_array *a, ls_dtype dtype, int64_t n, const char *name);

/* ---- suite_map.c: every row, then programs of several rows and the 16-bit types ---- */
void duel_rows(struct duel *d);
void duel_program(struct duel *d, int64_t n);
void duel_halves(struct duel *d, int64_t n, int pattern);

/* ---- suite_moves.c: fill, copy_nd, gather and scatter_add, random, digest ---- */
void duel_fill(struct duel *d, int64_t n);
void duel_copies(struct duel *d);
void duel_index(struct duel *d, int64_t outer, int64_t rows, int64_t inner, int64_t count);
void duel_random(struct duel *d, int64_t n);
void duel_digest(struct duel *d, int64_t n);

/* ---- suite_lines.c: reduce, softmax and sparse_xent, scan, sort, of (outer, r, inner) along the middle ---- */
void duel_reductions(struct duel *d, const int64_t *sizes, int count);
void duel_softmax(struct duel *d, int64_t outer, int64_t r);
void duel_scan(struct duel *d, int64_t outer, int64_t r, int64_t inner);
void duel_sort(struct duel *d, int64_t outer, int64_t r);

/* ---- suite_products.c: gemm, conv, pool ---- */
void duel_products(struct duel *d);
void duel_convolutions(struct duel *d);
void duel_pool(struct duel *d, enum duel_data data);

#endif
