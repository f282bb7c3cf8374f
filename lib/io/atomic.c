/* SPDX-License-Identifier: Apache-2.0
 *
 * Atomic saves. fsync is called once: after it has failed the kernel may have dropped the pages, so a
 * second one that succeeds means nothing.
 */
#define _DEFAULT_SOURCE /* flock */
#define _POSIX_C_SOURCE 200809L
#define _XOPEN_SOURCE   700 /* realpath */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../core/internal.h"
#include "atomic.h"

struct ls_reason ls_reason_of(int code)
{
    struct ls_reason reason;
    if (strerror_r(code, reason.text, sizeof reason.text) != 0)
        reason.text[0] = '\0';
    return reason;
}

const char *ls_way_out(int code)
{
    switch (code) {
    case ENOSPC:
    case EDQUOT: return "; free space there, or save to another disk";
    case EFBIG: return "; raise the limit (ulimit -f), or save to another file system";
    case EROFS:
    case EACCES:
    case EPERM: return "; save to a folder that you may write to";
    case ENOENT:
    case ENOTDIR: return "; make its folder first";
    case EIO: return "; the disk may be failing: save to another one";
    default: return "";
    }
}

static void free_names(struct ls_atomic *save)
{
    free(save->target);
    free(save->temporary);
    save->target = save->temporary = NULL;
}

void ls_atomic_abandon(struct ls_atomic *save)
{
    if (save->fd >= 0) {
        unlink(save->temporary);
        close(save->fd);
    }
    save->fd = -1;
    free_names(save);
}

static ls_status fail(struct ls_atomic *save, int code, const char *what)
{
    ls_status status = code == ENOENT || code == ENOTDIR ? LS_NOT_FOUND : LS_FILE_ERROR;
    ls_fail(save->ls, status, "%s: %s: %s%s; what was there before is unchanged", save->path, what,
            ls_reason_of(code).text, ls_way_out(code));
    ls_atomic_abandon(save);
    return status;
}

/* ---- The temporary ---- */

static bool same_file(int fd, const char *path)
{
    struct stat ours, theirs;
    return fstat(fd, &ours) == 0 && lstat(path, &theirs) == 0 && ours.st_dev == theirs.st_dev &&
           ours.st_ino == theirs.st_ino;
}

static bool cannot_lock(int code) { return code == ENOLCK || code == EOPNOTSUPP || code == EINVAL || code == ENOSYS; }

/* Removes a temporary that nobody holds. 0, or why it cannot be done: EBUSY while another process saves. */
static int remove_leftover(const char *temporary)
{
    int fd = open(temporary, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return errno == ENOENT ? 0 : errno;
    int code = 0;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        code = errno == EWOULDBLOCK || cannot_lock(errno) ? EBUSY : errno;
    else if (same_file(fd, temporary) && unlink(temporary) != 0)
        code = errno;
    close(fd);
    return code;
}

/* Whoever removes leftovers may have taken our new file for one, before it was locked: then again. */
static int make_temporary(struct ls_atomic *save)
{
    for (int attempt = 0; attempt < 100; attempt++) {
        save->fd = open(save->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (save->fd < 0 && errno == EEXIST) {
            int code = remove_leftover(save->temporary);
            if (code)
                return code;
            continue;
        }
        if (save->fd < 0 && errno == EINTR)
            continue;
        if (save->fd < 0)
            return errno;
        bool locked = flock(save->fd, LOCK_EX | LOCK_NB) == 0 || cannot_lock(errno);
        if (locked && same_file(save->fd, save->temporary))
            return 0;
        close(save->fd);
        save->fd = -1;
    }
    return EBUSY;
}

ls_status ls_atomic_begin(struct ls_atomic *save, ls_context *ls, const char *path)
{
    *save = (struct ls_atomic){.ls = ls, .path = path, .fd = -1};
    if (!path || !path[0])
        return ls_fail(ls, LS_INVALID_ARGUMENT, "save: no path was given");
    struct stat old;
    bool there = stat(path, &old) == 0;
    if (there && !S_ISREG(old.st_mode))
        return ls_fail(ls, LS_FILE_ERROR, "%s: is %s, not a regular file; choose another path", path,
                       S_ISDIR(old.st_mode) ? "a directory" : "a pipe or a device");
    size_t size = 0;
    save->target = there ? realpath(path, NULL) : strdup(path);
    if (save->target) {
        size = strlen(save->target) + sizeof ".tmp";
        save->temporary = malloc(size);
    }
    if (!save->temporary) {
        free_names(save);
        return ls_fail(ls, LS_OUT_OF_MEMORY, "%s: no host memory to save it", path);
    }
    snprintf(save->temporary, size, "%s.tmp", save->target);
    int code = make_temporary(save);
    if (code == EBUSY) {
        ls_fail(ls, LS_FILE_ERROR,
                "%s: another process is saving it (%s is in use); use another path, or delete that "
                "file if none is",
                path, save->temporary);
        free_names(save);
        return LS_FILE_ERROR;
    }
    if (code)
        return fail(save, code, "cannot be made");
    if (there && fchmod(save->fd, old.st_mode & 07777) != 0 && errno != EPERM)
        return fail(save, errno, "cannot be given the mode of the file from before");
    return LS_OK;
}

/* ---- Writing ---- */

/* As write, but over a limit on file sizes (RLIMIT_FSIZE) it is EFBIG, and SIGXFSZ does not end the process. */
static ssize_t write_limited(int fd, const void *data, size_t bytes)
{
    sigset_t limit, old, pending;
    sigemptyset(&limit);
    sigaddset(&limit, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &limit, &old);
    ssize_t n = write(fd, data, bytes);
    int code = errno;
    sigpending(&pending);
    if (n < 0 && code == EFBIG && !sigismember(&old, SIGXFSZ) && sigismember(&pending, SIGXFSZ))
        sigwait(&limit, &(int){0});
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    errno = code;
    return n;
}

int ls_write_all(int fd, const void *data, size_t bytes)
{
    for (const unsigned char *at = data; bytes > 0;) {
        /* Linux writes at most 2 GiB at once. */
        ssize_t n = write_limited(fd, at, bytes < 1u << 30 ? bytes : 1u << 30);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : EIO;
        at += n;
        bytes -= (size_t)n;
    }
    return 0;
}

static ls_status write_all(struct ls_atomic *save, const void *data, size_t bytes)
{
    int code = ls_write_all(save->fd, data, bytes);
    return code ? fail(save, code, "cannot be written") : LS_OK;
}

ls_status ls_atomic_write(struct ls_atomic *save, const void *data, size_t bytes)
{
    if (save->fd < 0)
        return ls_error(save->ls);
    if (bytes <= sizeof save->chunk - save->used) {
        if (bytes > 0)
            memcpy(save->chunk + save->used, data, bytes);
        save->used += bytes;
        return LS_OK;
    }
    size_t used = save->used;
    save->used = 0;
    return write_all(save, save->chunk, used) == LS_OK ? write_all(save, data, bytes) : ls_error(save->ls);
}

ls_status ls_atomic_patch(struct ls_atomic *save, int64_t offset, const void *data, size_t bytes)
{
    size_t used = save->used;
    save->used = 0;
    if (save->fd < 0 || write_all(save, save->chunk, used) != LS_OK)
        return ls_error(save->ls);
    if (lseek(save->fd, (off_t)offset, SEEK_SET) < 0)
        return fail(save, errno, "cannot be written");
    if (write_all(save, data, bytes) != LS_OK)
        return ls_error(save->ls);
    return lseek(save->fd, 0, SEEK_END) < 0 ? fail(save, errno, "cannot be written") : LS_OK;
}

/* The name lies in the folder, so the folder must reach the disk too. */
static int sync_folder(const char *target)
{
    char *folder = strdup(target), *slash = folder ? strrchr(folder, '/') : NULL;
    if (!folder)
        return ENOMEM;
    if (slash)
        slash[slash == folder] = '\0';
    int fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(folder);
    /* A folder may be writable and not readable; some file systems cannot sync folders. */
    if (fd < 0)
        return errno == EACCES ? 0 : errno;
    int code = fsync(fd) == 0 || errno == EINVAL || errno == EROFS ? 0 : errno;
    close(fd);
    return code;
}

ls_status ls_atomic_commit(struct ls_atomic *save)
{
    size_t used = save->used;
    save->used = 0;
    if (save->fd < 0 || write_all(save, save->chunk, used) != LS_OK)
        return ls_error(save->ls);
    if (fsync(save->fd) != 0)
        return fail(save, errno, "cannot be brought to the disk");
    if (rename(save->temporary, save->target) != 0)
        return fail(save, errno, "cannot be put in its place");
    /* The lock goes with the descriptor, and only now. */
    int code = close(save->fd) == 0 || errno == EINTR ? 0 : errno;
    save->fd = -1;
    if (!code)
        code = sync_folder(save->target);
    free_names(save);
    if (code)
        return ls_fail(save->ls, LS_FILE_ERROR,
                       "%s: is saved, but would not survive a power failure, for its folder cannot be brought to the "
                       "disk: %s",
                       save->path, ls_reason_of(code).text);
    return LS_OK;
}

ls_status ls_atomic_save(ls_context *ls, const char *path, const void *data, size_t bytes)
{
    struct ls_atomic *save = malloc(sizeof *save);
    if (!save)
        return ls_fail(ls, LS_OUT_OF_MEMORY, "%s: no host memory to save it", path ? path : "save");
    ls_status status = ls_atomic_begin(save, ls, path);
    if (status == LS_OK)
        status = ls_atomic_write(save, data, bytes);
    if (status == LS_OK)
        status = ls_atomic_commit(save);
    free(save);
    return status;
}
