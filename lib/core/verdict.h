/* SPDX-License-Identifier: Apache-2.0
 *
 * The verdicts of the self-test, kept on disk: one for each device, driver, build and canon version.
 */
#ifndef LOCKSTEP_CORE_VERDICT_H
#define LOCKSTEP_CORE_VERDICT_H

#include "backend.h"

struct ls_verdict {
    char exactness[16];
    char reasons[1024]; /* sentences, each on a line of its own; "" for class E */
    int checks;
    bool full;
    double seconds;
};

/** Finds the kept verdict of a device. `words` names it if it is decorated, else NULL. */
bool ls_verdict_load(const struct ls_device_info *info, const char *words, struct ls_verdict *verdict);

/** Keeps one; does nothing where there is no cache folder. */
void ls_verdict_store(const struct ls_device_info *info, const char *words, const struct ls_verdict *verdict);

/** Puts the kept verdict, if there is one, into `info->exactness`. What is T by its settings stays T. */
void ls_verdict_apply(struct ls_device_info *info, const char *words);

#endif
