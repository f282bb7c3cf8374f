/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parts of the self-test share: two devices, arrays on both, and what was found.
 */
#ifndef LOCKSTEP_VERIFY_SELFTEST_H
#define LOCKSTEP_VERIFY_SELFTEST_H

#include "../core/backend.h"

enum { LS_REASONS = 1024 };

struct ls_duel {
    struct ls_device *device[2]; /* the reference, and the one under test */
    bool subnormal;              /* a difference found now only means class N */
    bool full;
    int checks, wrong, wrong_subnormal;
    char reasons[LS_REASONS];
    char section[48]; /* the subject of the last reason: one is enough for each */
    uint64_t random;
    uint64_t anchor;     /* hash of all that the reference computed */
    ls_status status;    /* of the device under test, where it fails */
};

/** An array on both devices. */
struct ls_pair {
    struct ls_buffer *on[2];
    ls_dtype dtype;
    int64_t n;
};

/** What elements are like. ORDER shows in which order they are added; none of it makes a subnormal. */
enum ls_pattern { LS_PATTERN_RANGE, LS_PATTERN_ORDER, LS_PATTERN_INTEGERS, LS_PATTERN_SUBNORMAL, LS_PATTERN_INDEX };

/** An array of `n` elements, the same on both. low and high: of RANGE, and of INDEX [0, high). */
struct ls_pair ls_pair_make(struct ls_duel *d, ls_dtype dtype, int64_t n, enum ls_pattern pattern, double low,
                            double high);
/** One with given elements. */
struct ls_pair ls_pair_of(struct ls_duel *d, ls_dtype dtype, int64_t n, const void *elements);
void ls_pair_drop(struct ls_duel *d, struct ls_pair *pair);

/** Compares the first n elements by bits (-0 is +0, any NaN any NaN) and notes a difference. */
bool ls_pair_compare(struct ls_duel *d, const struct ls_pair *pair, int64_t n, const char *name);
/** Compares them with known words, on both devices. */
bool ls_pair_known(struct ls_duel *d, const struct ls_pair *pair, int64_t n, const uint32_t *words, const char *name);

/** Notes that a check failed. `name` is the primitive, and after a space what of it. */
void ls_duel_wrong(struct ls_duel *d, const char *name, const char *format, ...)
    __attribute__((__format__(__printf__, 3, 4)));

/** Notes a status; false when the test cannot go on. */
bool ls_duel_ran(struct ls_duel *d, int side, ls_status status, const char *name);

/** The next number of the stream. */
uint64_t ls_duel_next(struct ls_duel *d);

/** Runs a slot on both with the arguments that `...`, a statement over `k`, fills in. */
#define LS_DUEL(d, slot, name, args, ...)                                                          \
    for (int k = 0; k < 2 && (d)->status == LS_OK; k++) {                                          \
        __VA_ARGS__;                                                                               \
        ls_duel_ran(d, k, (d)->device[k]->backend->slot((d)->device[k], args), name);              \
    }

/* The parts (selftest_map.c, selftest_prims.c). */
void ls_selftest_arithmetic(struct ls_duel *d);
void ls_selftest_rows(struct ls_duel *d);
void ls_selftest_prims(struct ls_duel *d);

#endif
