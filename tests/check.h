/* SPDX-License-Identifier: Apache-2.0
 *
 * For test programs with a plain main: CHECK counts, end_of_checks reports.
 */
#ifndef TESTS_CHECK_H
#define TESTS_CHECK_H

#include <stdio.h>

#include <lockstep/lockstep.h>

static int checks_passed, checks_failed;

/** Counts a condition; prints where it is and the formatted rest when it does not hold. */
#define CHECK(condition, ...)                                                                      \
    ((condition) ? (void)checks_passed++                                                           \
                 : (void)(checks_failed++, printf("%s:%d: %s: ", __FILE__, __LINE__, #condition),  \
                          printf(__VA_ARGS__), printf("\n")))

/** That the context has an error of that status whose message contains `part`. Clears the error. */
#define CHECK_ERROR(ls, status, part)                                                              \
    (CHECK(ls_error(ls) == (status) && strstr(ls_error_message(ls), part), "%s: %s",               \
           ls_status_name(ls_error(ls)), ls_error_message(ls)),                                    \
     ls_clear_error(ls))

static inline int end_of_checks(void)
{
    printf("%d passed, %d failed\n", checks_passed, checks_failed);
    return checks_failed ? 1 : 0;
}

#endif
