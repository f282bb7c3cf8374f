/* SPDX-License-Identifier: Apache-2.0
 *
 * Windows has no POSIX regular expressions: a pattern is an error that says so.
 */
#ifndef LS_WINDOWS_REGEX_H
#define LS_WINDOWS_REGEX_H

#include <stdio.h>

enum { REG_EXTENDED = 1, REG_NOSUB = 2 };

typedef struct {
    int unused;
} regex_t;

static inline int regcomp(regex_t *pattern, const char *text, int flags)
{
    (void)pattern, (void)text, (void)flags;
    return 1;
}

static inline int regexec(const regex_t *pattern, const char *text, size_t count, void *matches, int flags)
{
    (void)pattern, (void)text, (void)count, (void)matches, (void)flags;
    return 1;
}

static inline size_t regerror(int code, const regex_t *pattern, char *text, size_t size)
{
    (void)code, (void)pattern;
    return (size_t)snprintf(text, size, "regular expressions are not built in on this system");
}

static inline void regfree(regex_t *pattern) { (void)pattern; }

#endif
