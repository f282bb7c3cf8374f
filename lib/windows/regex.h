/* SPDX-License-Identifier: Apache-2.0
 *
 * Windows has no regular expressions: every pattern is refused, with the reason.
 */
#ifndef LOCKSTEP_WINDOWS_REGEX_H
#define LOCKSTEP_WINDOWS_REGEX_H

#include <stdio.h>

enum { REG_EXTENDED = 1, REG_NOSUB = 2, REG_UNAVAILABLE = 1 };

typedef struct {
    char unused;
} regex_t;

#define regcomp(pattern, text, flags) ((void)(pattern), (void)(text), REG_UNAVAILABLE)
#define regexec(pattern, text, matches, match, flags) ((void)(pattern), (void)(text), REG_UNAVAILABLE)
#define regerror(code, pattern, text, size) snprintf(text, size, "there are none in this build for Windows")
#define regfree(pattern) ((void)(pattern))

#endif
