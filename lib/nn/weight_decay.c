/* SPDX-License-Identifier: Apache-2.0
 *
 * Which variables do not decay: patterns for their names.
 */
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "../core/internal.h"
#include "optimizer.h"

struct ls_exclusion {
    struct ls_exclusion *next;
    regex_t pattern;
};

bool ls_optimizer_decays(const ls_optimizer *optimizer, ls_tensor variable)
{
    const char *name = ls_name(variable), *slash = strrchr(name, '/');
    name = slash ? slash + 1 : name;
    for (const struct ls_exclusion *e = optimizer->exclusions; e; e = e->next)
        if (regexec(&e->pattern, name, 0, NULL, 0) == 0)
            return false;
    return true;
}

void ls_exclusions_finish(ls_optimizer *optimizer)
{
    while (optimizer->exclusions) {
        struct ls_exclusion *next = optimizer->exclusions->next;
        regfree(&optimizer->exclusions->pattern);
        free(optimizer->exclusions);
        optimizer->exclusions = next;
    }
}

static ls_status exclude(ls_optimizer *optimizer, const char *pattern)
{
    struct ls_exclusion *e = malloc(sizeof *e);
    if (!e)
        return ls_fail(optimizer->context, LS_OUT_OF_MEMORY, "%s: no host memory for a pattern", optimizer->name);
    int code = regcomp(&e->pattern, pattern, REG_EXTENDED | REG_NOSUB);
    if (code != 0) {
        char why[128];
        regerror(code, &e->pattern, why, sizeof why);
        free(e);
        return ls_fail(optimizer->context, LS_INVALID_ARGUMENT,
                       "%s: exclude_from_weight_decay: \"%s\" is no regular expression: %s", optimizer->name, pattern,
                       why);
    }
    e->next = optimizer->exclusions;
    optimizer->exclusions = e;
    return LS_OK;
}

ls_status ls_exclude_from_weight_decay_of(ls_optimizer *optimizer, const char *const *patterns)
{
    if (!optimizer)
        return LS_INVALID_ARGUMENT;
    if (ls_failed(optimizer->context))
        return ls_error(optimizer->context);
    if (optimizer->count)
        return ls_fail(optimizer->context, LS_INVALID_ARGUMENT,
                       "%s: exclude_from_weight_decay must be called before the optimizer is built", optimizer->name);
    for (; *patterns; patterns++)
        if (exclude(optimizer, *patterns) != LS_OK)
            return ls_error(optimizer->context);
    return LS_OK;
}
