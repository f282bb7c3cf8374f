/* SPDX-License-Identifier: Apache-2.0 */
#include "verdict.h"

#include <stdlib.h>
#include <string.h>

#include <lockstep/context.h>

#include "build_id.h"
#include "cache.h"
#include "env.h"

/* All that a verdict depends on. */
static uint64_t key_of(const struct ls_device_info *info, const char *words)
{
    static const char *const variables[] = {"LOCKSTEP_CL_BUILD_OPTIONS", "LOCKSTEP_GEMM", "LOCKSTEP_NUMERICS",
                                            "LOCKSTEP_VULKAN_TEST"};
    const char *parts[10] = {"verdict", info->backend, info->name, info->driver, words, LS_BUILD_ID};
    int count = 6, canon = ls_canon_version();
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        parts[count++] = ls_env(variables[i]);
    uint64_t hash = ls_cache_hash(LS_CACHE_HASH, &canon, sizeof canon);
    for (int i = 0; i < count; i++)
        hash = ls_cache_hash(hash, parts[i] ? parts[i] : "", (parts[i] ? strlen(parts[i]) : 0) + 1);
    return hash;
}

bool ls_verdict_load(const struct ls_device_info *info, const char *words, struct ls_verdict *verdict)
{
    char folder[LS_CACHE_FOLDER];
    void *kept;
    size_t size;
    ls_cache_folder(folder);
    if (!ls_cache_load(folder, key_of(info, words), &kept, &size))
        return false;
    bool fits = size == sizeof *verdict;
    if (fits)
        memcpy(verdict, kept, size);
    free(kept);
    return fits;
}

void ls_verdict_store(const struct ls_device_info *info, const char *words, const struct ls_verdict *verdict)
{
    char folder[LS_CACHE_FOLDER];
    ls_cache_folder(folder);
    ls_cache_store(folder, key_of(info, words), verdict, sizeof *verdict);
}

void ls_verdict_apply(struct ls_device_info *info, const char *words)
{
    struct ls_verdict verdict;
    if (info->available && strcmp(info->exactness, "T") != 0 && ls_verdict_load(info, words, &verdict))
        memcpy(info->exactness, verdict.exactness, sizeof info->exactness);
}
