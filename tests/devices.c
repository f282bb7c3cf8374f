/* SPDX-License-Identifier: Apache-2.0 */
#include "devices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OCLGRIND "/usr/lib/oclgrind/liboclgrind-rt-icd.so"

static const struct device_kind kinds[] = {
    {"reference", "reference", NULL, NULL, false, 1 << 26},
    {"baseline", "reference:baseline", NULL, NULL, false, 1 << 20},
    {"avx2", "reference:avx2", NULL, NULL, false, 1 << 22},
    {"avx512", "reference:avx512", NULL, NULL, false, 1 << 22},
    {"neon", "reference:neon", NULL, NULL, false, 1 << 22},
    {"pocl", "opencl:Portable Computing Language", NULL, NULL, false, 1 << 25},
    {"pocl-ftz", "opencl:Portable Computing Language", "LOCKSTEP_CL_BUILD_OPTIONS=-cl-denorms-are-zero", NULL, true,
     1 << 20},
    {"rusticl", "opencl:rusticl", "RUSTICL_ENABLE=llvmpipe", NULL, true, 70000, false, true},
    {"lavapipe", "vulkan:llvmpipe", NULL, NULL, false, 70000, true},
    {"lavapipe-shaderc", "vulkan:llvmpipe", "LOCKSTEP_VULKAN_TEST=fused", NULL, false, 70000, true},
    {"lavapipe-unfused", "vulkan:llvmpipe", "LOCKSTEP_VULKAN_TEST=unfused", NULL, false, 70000, true},
    {"lavapipe-staging", "vulkan:llvmpipe", "LOCKSTEP_VULKAN_TEST=staging", NULL, false, 70000, true},
    {"lavapipe-small", "vulkan:llvmpipe", "LOCKSTEP_VULKAN_TEST=range=36864", NULL, false, 70000, true},
    {"oclgrind", "opencl:oclgrind", "OCL_ICD_VENDORS=" OCLGRIND, OCLGRIND, false, 700},
};

struct device_kind device_kind_of(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].name, name) != 0)
            continue;
        if (kinds[i].file && access(kinds[i].file, R_OK) != 0)
            device_absent(&kinds[i], "its driver is not installed (" OCLGRIND ")");
        if (kinds[i].environment) {
            static char copy[256]; /* putenv keeps the pointer */
            snprintf(copy, sizeof copy, "%s", kinds[i].environment);
            char *equals = strchr(copy, '=');
            *equals = '\0';
            setenv(copy, equals + 1, 1);
        }
        return kinds[i];
    }
    return (struct device_kind){name, name, NULL, NULL, false, 1 << 20};
}

/* Whether a comma-separated list contains a word. */
static bool lists(const char *list, const char *word)
{
    size_t length = strlen(word);
    while (list && *list) {
        size_t span = strcspn(list, ",");
        if (span == length && strncmp(list, word, length) == 0)
            return true;
        list += span + (list[span] == ',');
    }
    return false;
}

void device_absent(const struct device_kind *kind, const char *why)
{
    bool required = lists(getenv("LOCKSTEP_TEST_REQUIRE"), kind->name);
    fprintf(stderr, "%s: %s is absent: %s\n", required ? "FAILED" : "SKIPPED", kind->name, why);
    exit(required ? 1 : 77);
}
