/* SPDX-License-Identifier: Apache-2.0
 *
 * Blobs on disk: compiled programs, and which matrix product a device runs. A file is named by the
 * hash of all that its contents depend on, so it never gets stale; any file may be deleted at any
 * time. Files that are truncated, damaged or foreign are ignored and replaced.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache.h"
#include "opencl.h"

/* The start of every file, in the byte order of the machine (a foreign one fails the check). */
struct header {
    char magic[8];
    uint64_t name;     /* as in the file's name: files may have been renamed */
    uint64_t size;     /* of what follows */
    uint64_t checksum; /* of what follows */
};

static const char magic[8] = "lscache1";

#define LARGEST_BLOB ((uint64_t)64 << 20)

void ls_cl_cache_init(struct ls_cl_device *device)
{
    ls_cache_folder(device->cache_folder);
}

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

bool ls_cl_cache_load(const struct ls_cl_device *device, uint64_t name, void **data, size_t *size)
{
    if (device->cache_folder[0] == '\0')
        return false;
    char path[512];
    snprintf(path, sizeof path, "%s/%016llx", device->cache_folder, (unsigned long long)name);
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
                  ls_cl_hash(LS_CL_HASH_START, blob, (size_t)header.size) == header.checksum;
    close(file);
    if (!intact) {
        free(blob);
        return false;
    }
    *data = blob;
    *size = (size_t)header.size;
    return true;
}

void ls_cl_cache_store(const struct ls_cl_device *device, uint64_t name, const void *data,
                       size_t size)
{
    if (device->cache_folder[0] == '\0' || size == 0 || size > LARGEST_BLOB ||
        !ls_cache_make(device->cache_folder))
        return;
    char path[512], temporary[512];
    snprintf(path, sizeof path, "%s/%016llx", device->cache_folder, (unsigned long long)name);
    snprintf(temporary, sizeof temporary, "%s/new-XXXXXX", device->cache_folder);
    int file = mkostemp(temporary, O_CLOEXEC);
    if (file < 0)
        return;
    struct header header = {.name = name, .size = size,
                            .checksum = ls_cl_hash(LS_CL_HASH_START, data, size)};
    memcpy(header.magic, magic, sizeof magic);
    /* No fsync: a file that a crash damaged fails the check and is written anew. */
    bool written = write_all(file, &header, sizeof header) && write_all(file, data, size);
    written = close(file) == 0 && written;
    if (!written || rename(temporary, path) != 0)
        unlink(temporary);
}
