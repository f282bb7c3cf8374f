/* SPDX-License-Identifier: Apache-2.0
 *
 * Saving a file so that at every moment, also after kill -9 or a power failure, either the old file or
 * the whole new one is there: a temporary sibling, fsync, rename, fsync of the folder.
 */
#ifndef LOCKSTEP_IO_ATOMIC_H
#define LOCKSTEP_IO_ATOMIC_H

#include <lockstep/context.h>

enum { LS_ATOMIC_CHUNK = 1 << 16 };

/** One save. `temporary` is open for reading and writing until commit or abandon. */
struct ls_atomic {
    ls_context *ls;
    const char *path;   /* the caller's, for messages */
    char *target;       /* the same behind symbolic links */
    char *temporary;    /* "<target>.tmp" */
    int fd;             /* -1: none, or a status was returned already */
    size_t used;        /* of the chunk */
    unsigned char chunk[LS_ATOMIC_CHUNK];
};

/**
 * Begins to save `path`: makes "<path>.tmp", which is locked while it is written. One that a killed process
 * left behind is removed; one that a living process holds is an error. A symbolic link stays, and what it
 * points to is replaced. On an error there is nothing to abandon. LS_NOT_FOUND, LS_FILE_ERROR,
 * LS_OUT_OF_MEMORY.
 */
ls_status ls_atomic_begin(struct ls_atomic *save, ls_context *ls, const char *path);

/** Appends to the temporary, whatever signals interrupt it. On an error the save is abandoned. */
ls_status ls_atomic_write(struct ls_atomic *save, const void *data, size_t bytes);

/** Writes over what was written at `offset`. Otherwise as ls_atomic_write. */
ls_status ls_atomic_patch(struct ls_atomic *save, int64_t offset, const void *data, size_t bytes);

/**
 * Puts the temporary in the place of `path` for good; keeps the old file's mode. On an error the save is
 * abandoned: the file from before is as it was. Frees what `save` holds.
 */
ls_status ls_atomic_commit(struct ls_atomic *save);

/** Removes the temporary. No effect after an error or commit. */
void ls_atomic_abandon(struct ls_atomic *save);

/** All of it for `bytes` bytes that lie in memory. */
ls_status ls_atomic_save(ls_context *ls, const char *path, const void *data, size_t bytes);

/* ---- What other writers share ---- */

/** Writes everything, whatever interrupts it; 0 or the errno. Too large a file is EFBIG, never a signal. */
int ls_write_all(int fd, const void *data, size_t bytes);

/** The words for an errno, and what the user can do about it ("; free space there, …", or ""). */
struct ls_reason {
    char text[128];
};
struct ls_reason ls_reason_of(int code);
const char *ls_way_out(int code);

#endif
