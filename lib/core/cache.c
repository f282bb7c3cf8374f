/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* mkostemp */
#include "cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* ---- Blobs ---- */

/* The start of every file, in the byte order of the machine (a foreign one fails the check). */
struct header {
    char magic[8];
    uint64_t name;     /* as in the file's name: files may have been renamed */
    uint64_t size;     /* of what follows */
    uint64_t checksum; /* of what follows */
};

static const char magic[8] = "lscache1";

#define LARGEST_BLOB ((uint64_t)64 << 20)

static bool read_all(int file, void *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = read(file, (char *)data + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

static bool write_all(int file, const void *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = write(file, (const char *)data + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

bool ls_cache_load(const char *folder, uint64_t name, void **data, size_t *size)
{
    if (folder[0] == '\0')
        return false;
    char path[512];
    snprintf(path, sizeof path, "%s/%016llx", folder, (unsigned long long)name);
    /* O_NONBLOCK: someone may have put a pipe there. */
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return false;
    struct header header;
    struct stat status;
    void *blob = NULL;
    bool intact = fstat(file, &status) == 0 && S_ISREG(status.st_mode) &&
                  read_all(file, &header, sizeof header) &&
                  memcmp(header.magic, magic, sizeof magic) == 0 && header.name == name &&
                  header.size > 0 && header.size <= LARGEST_BLOB &&
                  (uint64_t)status.st_size == sizeof header + header.size &&
                  (blob = malloc((size_t)header.size)) != NULL &&
                  read_all(file, blob, (size_t)header.size) &&
                  ls_cache_hash(LS_CACHE_HASH, blob, (size_t)header.size) == header.checksum;
    close(file);
    if (!intact) {
        free(blob);
        return false;
    }
    *data = blob;
    *size = (size_t)header.size;
    return true;
}

void ls_cache_store(const char *folder, uint64_t name, const void *data, size_t size)
{
    if (folder[0] == '\0' || size == 0 || size > LARGEST_BLOB ||
        !ls_cache_make(folder))
        return;
    char path[512], temporary[512];
    snprintf(path, sizeof path, "%s/%016llx", folder, (unsigned long long)name);
    snprintf(temporary, sizeof temporary, "%s/new-XXXXXX", folder);
    int file = mkostemp(temporary, O_CLOEXEC);
    if (file < 0)
        return;
    struct header header = {.name = name, .size = size,
                            .checksum = ls_cache_hash(LS_CACHE_HASH, data, size)};
    memcpy(header.magic, magic, sizeof magic);
    /* No fsync: a file that a crash damaged fails the check and is written anew. */
    bool written = write_all(file, &header, sizeof header) && write_all(file, data, size);
    written = close(file) == 0 && written;
    if (!written || rename(temporary, path) != 0)
        unlink(temporary);
}
