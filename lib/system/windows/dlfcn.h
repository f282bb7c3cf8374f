/* SPDX-License-Identifier: Apache-2.0
 *
 * Libraries at run time, on Windows.
 */
#ifndef LS_WINDOWS_DLFCN_H
#define LS_WINDOWS_DLFCN_H

#include "posix.h"

#undef MOVEFILE_REPLACE_EXISTING
#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <windows.h>
#undef small

enum { RTLD_NOW, RTLD_LOCAL };

typedef struct {
    const char *dli_fname;
} Dl_info;

static inline void *dlopen(const char *file, int flags)
{
    (void)flags;
    return (void *)LoadLibraryA(file);
}

static inline void *dlsym(void *library, const char *name)
{
    void *symbol = NULL;
    FARPROC found = GetProcAddress((HMODULE)library, name);
    memcpy(&symbol, &found, sizeof symbol);
    return symbol;
}

static inline int dlclose(void *library) { return FreeLibrary((HMODULE)library) ? 0 : -1; }

static inline const char *dlerror(void) { return GetLastError() == 0 ? NULL : "LoadLibrary failed"; }

static inline int dladdr(const void *symbol, Dl_info *info)
{
    static char path[MAX_PATH];
    HMODULE module = NULL;
    info->dli_fname = path;
    return GetModuleHandleExA(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
                              (LPCSTR)symbol, &module) &&
           GetModuleFileNameA(module, path, sizeof path) > 0;
}

#endif
