/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* mkostemp */
#include "verdict.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lockstep/context.h>

#include "build_id.h"
#include "cache.h"
#include "env.h"

#define HEAD "lockstep verdict 1"

/* All that a verdict depends on. */
static uint64_t key_of(const struct ls_device_info *info, const char *words)
{
    static const char *const variables[] = {"LOCKSTEP_CL_BUILD_OPTIONS", "LOCKSTEP_GEMM", "LOCKSTEP_NUMERICS",
                                            "LOCKSTEP_VULKAN_TEST"};
    const char *parts[9] = {info->backend, info->name, info->driver, words, LS_BUILD_ID};
    int count = 5, canon = ls_canon_version();
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        parts[count++] = ls_env(variables[i]);
    uint64_t hash = ls_cache_hash(LS_CACHE_HASH, &canon, sizeof canon);
    for (int i = 0; i < count; i++)
        hash = ls_cache_hash(hash, parts[i] ? parts[i] : "", (parts[i] ? strlen(parts[i]) : 0) + 1);
    return hash;
}

bool ls_verdict_load(const struct ls_device_info *info, const char *words, struct ls_verdict *verdict)
{
    char folder[LS_CACHE_FOLDER], path[LS_CACHE_FOLDER + 64], text[2048];
    unsigned long long key = key_of(info, words), found = 0;
    ls_cache_folder(folder);
    if (!folder[0])
        return false;
    snprintf(path, sizeof path, "%s/verdict-%016llx", folder, key);
    FILE *file = fopen(path, "r");
    if (!file)
        return false;
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = '\0';
    *verdict = (struct ls_verdict){{0}};
    int full = 0, used = 0;
    if (sscanf(text, HEAD " %llx %15s %d %d %lf%n", &found, verdict->exactness, &full, &verdict->checks,
               &verdict->seconds, &used) != 5 || found != key || text[used] != '\n')
        return false;
    char *end = strstr(text + used, "\nend\n"); /* a file without its end was cut off */
    if (!end)
        return false;
    *end = '\0';
    verdict->full = full != 0;
    snprintf(verdict->reasons, sizeof verdict->reasons, "%s", end > text + used ? text + used + 1 : "");
    return true;
}

void ls_verdict_store(const struct ls_device_info *info, const char *words, const struct ls_verdict *verdict)
{
    char folder[LS_CACHE_FOLDER], path[LS_CACHE_FOLDER + 64], temporary[LS_CACHE_FOLDER + 64];
    unsigned long long key = key_of(info, words);
    ls_cache_folder(folder);
    if (!folder[0] || !ls_cache_make(folder))
        return;
    snprintf(path, sizeof path, "%s/verdict-%016llx", folder, key);
    snprintf(temporary, sizeof temporary, "%s/new-XXXXXX", folder);
    int descriptor = mkostemp(temporary, 0);
    FILE *file = descriptor < 0 ? NULL : fdopen(descriptor, "w");
    if (!file) {
        if (descriptor >= 0)
            close(descriptor);
        return;
    }
    bool written = fprintf(file, HEAD " %llx %s %d %d %.3f\n%s%send\n", key, verdict->exactness, verdict->full,
                           verdict->checks, verdict->seconds, verdict->reasons, verdict->reasons[0] ? "\n" : "") > 0;
    written = fclose(file) == 0 && written;
    if (!written || rename(temporary, path) != 0)
        unlink(temporary);
}

void ls_verdict_apply(struct ls_device_info *info, const char *words)
{
    struct ls_verdict verdict;
    if (info->available && strcmp(info->exactness, "T") != 0 && ls_verdict_load(info, words, &verdict))
        memcpy(info->exactness, verdict.exactness, sizeof info->exactness);
}
