/* SPDX-License-Identifier: Apache-2.0 */
#include "cache.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "env.h"

void ls_cache_folder(char folder[LS_CACHE_FOLDER])
{
    const char *own = ls_env("LOCKSTEP_CACHE_DIR");
    const char *user = ls_env("XDG_CACHE_HOME");
    const char *home = ls_env("HOME");
    size_t size = LS_CACHE_FOLDER;
    int length = own                       ? snprintf(folder, size, "%s", own)
                 : user && user[0] == '/'  ? snprintf(folder, size, "%s/lockstep", user)
                 : home                    ? snprintf(folder, size, "%s/.cache/lockstep", home)
                                           : 0;
    if (length <= 0 || (size_t)length + 64 > size)
        folder[0] = '\0';
}

bool ls_cache_make(const char *folder)
{
    char path[LS_CACHE_FOLDER];
    snprintf(path, sizeof path, "%s", folder);
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0777) != 0 && errno != EEXIST)
            return false;
        *slash = '/';
    }
    return mkdir(path, 0777) == 0 || errno == EEXIST;
}

uint64_t ls_cache_hash(uint64_t hash, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    return hash;
}
