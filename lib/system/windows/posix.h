/* SPDX-License-Identifier: Apache-2.0
 *
 * What the library uses of POSIX, on Windows (MinGW-w64). Included before every source file there and
 * nowhere else, so that the sources stay free of #if. scripts/check mingw compiles all of them with it; nobody
 * has run the result yet.
 */
#ifndef LS_WINDOWS_POSIX_H
#define LS_WINDOWS_POSIX_H

#define __USE_MINGW_ANSI_STDIO 1 /* %zu and %lld */
#define tell ls_windows_tell /* a name that is ours to use */
#include <direct.h>
#include <errno.h>
#include <fcntl.h>
#include <io.h>
#undef tell
#include <locale.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

/* ---- Files: bytes as they are, folders without modes, a rename that replaces ---- */

#define O_CLOEXEC (_O_NOINHERIT | _O_BINARY)
#define O_NONBLOCK 0
#define O_NOCTTY 0
#define O_DIRECTORY 0
#define O_NOFOLLOW 0
#define lstat(path, info) stat(path, info) /* links are not followed by programs here */
#define S_ISSOCK(mode) 0
#ifndef EDQUOT
#define EDQUOT 132
#endif
#define mkdir(path, mode) _mkdir(path)
#define fsync(fd) _commit(fd)
#define fchmod(fd, mode) ((void)(fd), (void)(mode), 0)
/* Not <windows.h>: it takes names such as small and SIZE. */
__declspec(dllimport) int __stdcall MoveFileExA(const char *from, const char *to, unsigned long flags);
#define MOVEFILE_REPLACE_EXISTING 1
#define rename(from, to) (MoveFileExA(from, to, MOVEFILE_REPLACE_EXISTING) ? 0 : (errno = EACCES, -1))
#define strerror_r(code, text, size) strerror_s(text, size, code)
/* A file that is open cannot be removed here, which is what the locks are for. */
#include <sys/file.h>
#ifndef LOCK_EX
#define LOCK_EX 2
#define LOCK_NB 4
#endif
#define flock(fd, operation) ((void)(fd), (void)(operation), 0)
#define mkostemp(name, flags) mkstemp(name)
#define realpath(path, unused) _fullpath(NULL, path, 0)

/* Not for two threads on one file, as the library does not. */
static inline ssize_t pread(int fd, void *data, size_t bytes, int64_t at)
{
    return _lseeki64(fd, at, SEEK_SET) < 0 ? -1 : _read(fd, data, bytes < INT32_MAX ? (unsigned)bytes : INT32_MAX);
}

static inline char *strcasestr(const char *text, const char *part)
{
    size_t length = strlen(part);
    for (; *text; text++)
        if (_strnicmp(text, part, length) == 0)
            return (char *)text;
    return length ? NULL : (char *)text;
}

static inline int gethostname(char *name, size_t size)
{
    const char *known = getenv("COMPUTERNAME");
    return snprintf(name, size, "%s", known ? known : "windows") < 0 ? -1 : 0;
}

/* Only the number of processors, of all groups, is asked for. */
__declspec(dllimport) unsigned long __stdcall GetActiveProcessorCount(unsigned short group);
#define _SC_NPROCESSORS_ONLN 0xffff
#define sysconf(group) ((long)GetActiveProcessorCount(group))

/* ---- Time ---- */

#ifndef TIME_UTC
#define TIME_UTC 1
static inline int timespec_get(struct timespec *time, int base) { return clock_gettime(CLOCK_REALTIME, time) == 0 ? base : 0; }
#endif

/* ---- Signals do not reach threads here ---- */

#define sigset_t int
#define sigfillset(set) (void)(*(set) = 0)
#define sigemptyset(set) (void)(*(set) = 0)
#define sigaddset(set, signal) (void)(*(set) |= (signal))
#define sigismember(set, signal) ((void)(set), (void)(signal), 1) /* "was there before": nothing to take away */
#define sigpending(set) (*(set) = 0)
#define sigwait(set, signal) ((void)(set), (void)(signal), 0)
#define SIGXFSZ 25
#undef pthread_sigmask
#define pthread_sigmask(how, set, before) ((void)(set), (void)(before), 0)

/* ---- The locale of a thread: only "C" and back is asked for ---- */

#define locale_t int
#define LC_ALL_MASK 0
#define newlocale(mask, name, base) ((void)(base), 1)
#define freelocale(locale) ((void)(locale))
static inline int uselocale(int locale)
{
    _configthreadlocale(locale ? _ENABLE_PER_THREAD_LOCALE : _DISABLE_PER_THREAD_LOCALE);
    if (locale)
        setlocale(LC_ALL, "C");
    return 0;
}

#endif
