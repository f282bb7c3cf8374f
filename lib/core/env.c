/* SPDX-License-Identifier: Apache-2.0 */
#include "env.h"

#include <stdlib.h>
#include <string.h>

#include <lockstep/context.h>

static const ls_variable_info known[] = {
#define ENV(name, meaning) {name, meaning, NULL},
#include "env.def"
#undef ENV
};
enum { KNOWN = sizeof known / sizeof *known };

const char *ls_env(const char *name)
{
    for (int i = 0; i < KNOWN; i++) {
        if (strcmp(known[i].name, name) == 0) {
            const char *value = getenv(name);
            return value && *value ? value : NULL;
        }
    }
    return NULL;
}

size_t ls_list_environment(ls_variable_info *variables, size_t capacity)
{
    size_t count = 0;
    for (int i = 0; i < KNOWN; i++) {
        if (strncmp(known[i].name, "LOCKSTEP_", 9) != 0)
            continue;
        if (count < capacity) {
            variables[count] = known[i];
            variables[count].value = ls_env(known[i].name);
        }
        count++;
    }
    return count;
}
