/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parts of the conformance suite share: a count, a random stream and a report.
 */
#ifndef LOCKSTEP_TESTS_SUITE_H
#define LOCKSTEP_TESTS_SUITE_H

#include <stdio.h>

#include "backend.h"
#include "devices.h"
#include "golden.h"

struct suite {
    struct device_kind kind;
    size_t passed, failed;
    uint64_t random; /* state of the stream; printed with failures */
    double since;    /* when the last part ended, in seconds of any clock; 0 at first */
};

/** Counts a check; on failure prints "FAILED <name>: <detail>". Returns whether it held. */
bool suite_check(struct suite *s, bool held, const char *name, const char *format, ...)
    __attribute__((__format__(__printf__, 4, 5)));

/** The context must hold `status` and a message with `part`; then it is cleared. `name`: of the check; NULL: `part`. */
void suite_expect(struct suite *s, ls_context *ls, ls_status status, const char *part, const char *name);

/** That an op gives nil, and that error; for functions with `s` and `ls`. */
#define REFUSED(op, status, part)                          \
    do {                                                   \
        suite_check(s, ls_is_nil(op), part, "is not nil"); \
        suite_expect(s, ls, status, part, NULL);           \
    } while (0)

/** Ends a part of the suite: prints how long it took. */
void suite_part(struct suite *s, const char *name);

/** A number from the stream: SplitMix64, so that a printed seed repeats the run. */
uint64_t suite_next(struct suite *s);
int64_t suite_below(struct suite *s, int64_t n);

/** Whether two words are equal as the canon counts them: -0 is +0, any NaN is any NaN. */
bool suite_same_float(uint32_t a, uint32_t b);

/** Every primitive with odd sizes and adversarial data, against the reference device, by bits. */
void suite_primitives(struct suite *s);

/**
 * Small networks and their training, into a trace: every loss, gradient and weight. Run once on the
 * reference and once on the device; the traces must be equal.
 */
void suite_networks(struct suite *s, ls_context *ls, struct golden_trace *trace);

/** What a user can do wrong, section E of the house's list: status, message, nothing lost. */
void suite_errors(struct suite *s, ls_context *ls);

/** Pointers to nothing, and numbers that an op cannot take. */
void suite_arguments(struct suite *s, ls_context *ls);

/** The same for the ops of golden_arrays.c, and that they can be captured. */
void suite_arrays(struct suite *s, ls_context *ls);

#endif
