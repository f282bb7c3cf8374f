/* SPDX-License-Identifier: Apache-2.0
 *
 * What the library uses of POSIX and mingw-w64 does not have. Builds for Windows include this file before
 * all others and this folder's <dlfcn.h>, <regex.h>, <sys/file.h>; no other file asks for the system.
 */
#ifndef LOCKSTEP_WINDOWS_POSIX_H
#define LOCKSTEP_WINDOWS_POSIX_H

#include <direct.h>
#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

/* ---- Files: binary, and others may rename and delete them while they are open ---- */

#define O_CLOEXEC _O_NOINHERIT
#define O_NONBLOCK 0
#define O_NOCTTY 0
#define O_NOFOLLOW 0
#define O_DIRECTORY 0 /* a folder cannot be opened: EACCES */

int ls_windows_open(const char *path, int flags, ...);
int ls_windows_rename(const char *from, const char *to); /* replaces what is there */
int ls_windows_mkostemp(char *path, int flags);
ssize_t ls_windows_pread(int fd, void *data, size_t bytes, int64_t offset);
#define open ls_windows_open
#define rename ls_windows_rename
#define mkostemp ls_windows_mkostemp
#define pread ls_windows_pread
#define mkdir(path, mode) _mkdir(path)
#define fsync(fd) _commit(fd)
#define fchmod(fd, mode) ((void)(fd), (void)(mode), 0)
#define realpath(path, resolved) _fullpath(resolved, path, 0)
#define S_ISSOCK(mode) 0

/* Files have no numbers here, so two that are compared count as the same one. */
static inline int ls_windows_fstat(int fd, struct stat *info)
{
    int code = fstat(fd, info);
    info->st_dev = 0;
    info->st_ino = 0;
    return code;
}
static inline int ls_windows_lstat(const char *path, struct stat *info)
{
    int code = stat(path, info);
    info->st_dev = 0;
    info->st_ino = 0;
    return code;
}
#undef fstat
#define fstat ls_windows_fstat
#define lstat ls_windows_lstat

#ifndef EDQUOT
#define EDQUOT 10069
#endif

/* ---- Signals: none reaches a thread ---- */

typedef int ls_windows_signals;
#define sigset_t ls_windows_signals
#define SIGXFSZ 25
#define sigemptyset(set) (*(set) = 0)
#define sigfillset(set) (*(set) = -1)
#define sigaddset(set, signal) (*(set) |= (signal))
#define sigismember(set, signal) ((void)(signal), *(set) != 0)
#define sigtimedwait(set, info, time) ((void)(set), (void)(time))
#undef pthread_sigmask
#define pthread_sigmask(how, set, before) ls_windows_sigmask(set, before)
static inline int ls_windows_sigmask(const sigset_t *set, sigset_t *before)
{
    if (before)
        *before = *set;
    return 0;
}

/* ---- The locale of one thread ---- */

typedef const char *locale_t;
#define LC_ALL_MASK 0
locale_t ls_windows_uselocale(locale_t locale); /* what it returns is valid until the next call of the thread */
#define newlocale(mask, name, base) ((void)(base), (locale_t)(name))
#define uselocale ls_windows_uselocale
#define freelocale(locale) ((void)(locale))

/* ---- The rest ---- */

char *ls_windows_strcasestr(const char *text, const char *part);
int ls_windows_gethostname(char *name, size_t size);
#define strcasestr ls_windows_strcasestr
#define gethostname ls_windows_gethostname
#define strerror_r(code, text, size) strerror_s(text, size, code)
#define aligned_alloc(alignment, bytes) _aligned_malloc(bytes, alignment)
#define ls_aligned_free _aligned_free
#define TIME_UTC 1
#define timespec_get ls_windows_timespec_get
static inline int ls_windows_timespec_get(struct timespec *time, int base)
{
    return clock_gettime(CLOCK_REALTIME, time) == 0 ? base : 0;
}

/* Names that Microsoft's headers take, for functions of the library's own. */
#define tell ls_windows_tell

#endif
