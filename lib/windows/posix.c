/* SPDX-License-Identifier: Apache-2.0 */
#include "posix.h"

#include <ctype.h>
#include <dlfcn.h>
#include <locale.h>
#include <stdarg.h>
#include <sys/file.h>

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

static int failed(DWORD code)
{
    errno = code == ERROR_FILE_NOT_FOUND || code == ERROR_PATH_NOT_FOUND ? ENOENT
            : code == ERROR_FILE_EXISTS || code == ERROR_ALREADY_EXISTS  ? EEXIST
            : code == ERROR_ACCESS_DENIED                                ? EACCES
            : code == ERROR_SHARING_VIOLATION                            ? EBUSY
            : code == ERROR_LOCK_VIOLATION                               ? EWOULDBLOCK
            : code == ERROR_DISK_FULL                                    ? ENOSPC
            : code == ERROR_WRITE_PROTECT                                ? EROFS
                                                                         : EIO;
    return -1;
}

/* ---- Files ---- */

int ls_windows_open(const char *path, int flags, ...)
{
    DWORD access = (flags & O_RDWR) != 0     ? GENERIC_READ | GENERIC_WRITE
                   : (flags & O_WRONLY) != 0 ? GENERIC_WRITE
                                             : GENERIC_READ;
    DWORD how = (flags & O_CREAT) == 0  ? (flags & O_TRUNC) != 0 ? TRUNCATE_EXISTING : OPEN_EXISTING
                : (flags & O_EXCL) != 0 ? CREATE_NEW
                                        : (flags & O_TRUNC) != 0 ? CREATE_ALWAYS : OPEN_ALWAYS;
    HANDLE file = CreateFileA(path, access, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, how,
                              FILE_ATTRIBUTE_NORMAL, NULL);
    if (file == INVALID_HANDLE_VALUE)
        return failed(GetLastError());
    int fd = _open_osfhandle((intptr_t)file, flags & (_O_APPEND | _O_NOINHERIT));
    if (fd < 0)
        CloseHandle(file);
    return fd;
}

int ls_windows_rename(const char *from, const char *to)
{
    return MoveFileExA(from, to, MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH) ? 0 : failed(GetLastError());
}

int ls_windows_mkostemp(char *path, int flags)
{
    static volatile LONG count;
    char *end = path + strlen(path) - 6;
    for (int attempt = 0; attempt < 100; attempt++) {
        LARGE_INTEGER ticks;
        QueryPerformanceCounter(&ticks);
        uint64_t draw = (uint64_t)ticks.QuadPart * 2654435761u + (uint64_t)GetCurrentProcessId() * 40503u +
                        (uint64_t)InterlockedIncrement(&count);
        for (int i = 0; i < 6; i++, draw /= 36)
            end[i] = "0123456789abcdefghijklmnopqrstuvwxyz"[draw % 36];
        int fd = ls_windows_open(path, O_RDWR | O_CREAT | O_EXCL | flags);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

ssize_t ls_windows_pread(int fd, void *data, size_t bytes, int64_t offset)
{
    OVERLAPPED at = {.Offset = (DWORD)offset, .OffsetHigh = (DWORD)((uint64_t)offset >> 32)};
    DWORD got = 0;
    if (ReadFile((HANDLE)_get_osfhandle(fd), data, bytes > 1u << 30 ? 1u << 30 : (DWORD)bytes, &got, &at))
        return (ssize_t)got;
    return GetLastError() == ERROR_HANDLE_EOF ? 0 : failed(GetLastError());
}

/* Locks keep others from reading, so the byte that is locked lies behind all data. */
int ls_windows_flock(int fd, int how)
{
    OVERLAPPED at = {.Offset = 0xfffffffe, .OffsetHigh = 0x7fffffff};
    DWORD flags = LOCKFILE_EXCLUSIVE_LOCK | ((how & LOCK_NB) != 0 ? LOCKFILE_FAIL_IMMEDIATELY : 0);
    return LockFileEx((HANDLE)_get_osfhandle(fd), flags, 0, 1, 0, &at) ? 0 : failed(GetLastError());
}

/* ---- Libraries ---- */

static _Thread_local DWORD library_error;

void *ls_windows_dlopen(const char *file)
{
    HMODULE library = LoadLibraryA(file);
    library_error = library ? 0 : GetLastError();
    return (void *)library;
}

void *ls_windows_dlsym(void *library, const char *name)
{
    FARPROC function = GetProcAddress((HMODULE)library, name);
    void *address = NULL;
    memcpy(&address, &function, sizeof address);
    return address;
}

void ls_windows_dlclose(void *library) { FreeLibrary((HMODULE)library); }

const char *ls_windows_dlerror(void)
{
    static _Thread_local char text[256];
    if (!library_error || !FormatMessageA(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL, library_error,
                                          0, text, sizeof text, NULL))
        return NULL;
    text[strcspn(text, "\r\n")] = '\0';
    return text;
}

int ls_windows_dladdr(const void *address, Dl_info *info)
{
    static _Thread_local char path[MAX_PATH];
    HMODULE library;
    DWORD flags = GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT;
    if (!GetModuleHandleExA(flags, address, &library) || !GetModuleFileNameA(library, path, sizeof path))
        return 0;
    info->dli_fname = path;
    return 1;
}

/* ---- The rest ---- */

locale_t ls_windows_uselocale(locale_t locale)
{
    static _Thread_local char before[256];
    char wanted[256];
    snprintf(wanted, sizeof wanted, "%s", locale);
    _configthreadlocale(_ENABLE_PER_THREAD_LOCALE);
    const char *now = setlocale(LC_ALL, NULL);
    snprintf(before, sizeof before, "%s", now ? now : "C");
    setlocale(LC_ALL, wanted);
    return before;
}

char *ls_windows_strcasestr(const char *text, const char *part)
{
    size_t length = strlen(part);
    for (; strlen(text) >= length; text++)
        if (_strnicmp(text, part, length) == 0)
            return (char *)(uintptr_t)text;
    return NULL;
}

int ls_windows_gethostname(char *name, size_t size)
{
    DWORD room = (DWORD)size;
    return GetComputerNameA(name, &room) ? 0 : -1;
}
