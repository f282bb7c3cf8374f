/* SPDX-License-Identifier: Apache-2.0
 *
 * The kinds of device that the suites run on, how each is reached on a machine, and what to do when
 * it is not there: exit 77 (meson's "skipped"), or fail when LOCKSTEP_TEST_REQUIRE names the kind.
 */
#ifndef LOCKSTEP_TESTS_DEVICES_H
#define LOCKSTEP_TESTS_DEVICES_H

#include <stdbool.h>

struct device_kind {
    const char *name;        /* as in LOCKSTEP_TEST_REQUIRE */
    const char *words;       /* as in LOCKSTEP_BACKEND */
    const char *environment; /* "NAME=VALUE" to set before the driver is loaded, or NULL */
    const char *file;        /* must exist, or NULL */
    bool flushes;            /* subnormals are not kept: canon.md class N */
    long most_elements;      /* the largest arrays worth the time there */
    bool emulates_fma;       /* its own is not exact: class E-slow */
    bool short_loops;        /* loops end after 65,535 rounds: class T, though exact on smaller sizes */
};

/** The kind of that name; any other words are a device of their own, unlimited. Sets its environment. */
struct device_kind device_kind_of(const char *name);

/** Ends the process with 77, or with 1 if the kind is required, saying why on stderr. */
_Noreturn void device_absent(const struct device_kind *kind, const char *why);

#endif
