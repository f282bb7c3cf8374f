/* SPDX-License-Identifier: Apache-2.0
 *
 * The folder for what can be made again: compiled kernels, verdicts of the self-test. Anything in it
 * may be deleted at any time.
 */
#ifndef LOCKSTEP_CORE_CACHE_H
#define LOCKSTEP_CORE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LS_CACHE_FOLDER = 400 };

/** Its name, with room left for a file's: at most LS_CACHE_FOLDER bytes. "" if there is none. */
void ls_cache_folder(char folder[LS_CACHE_FOLDER]);

/** Makes the folder and those above it that are missing. */
bool ls_cache_make(const char *folder);

/** FNV-1a, 64 bits. Start with LS_CACHE_HASH; go on with the result. */
#define LS_CACHE_HASH UINT64_C(0xcbf29ce484222325)
uint64_t ls_cache_hash(uint64_t hash, const void *data, size_t size);

/**
 * Reads the blob of this name. A blob is named by the hash of all that its contents depend on, so it
 * never gets stale; what is truncated, damaged or foreign counts as absent. `data` is to be freed.
 */
bool ls_cache_load(const char *folder, uint64_t name, void **data, size_t *size);

/** Writes a blob, atomically. Failing to is no error. */
void ls_cache_store(const char *folder, uint64_t name, const void *data, size_t size);

#endif
