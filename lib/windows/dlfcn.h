/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOCKSTEP_WINDOWS_DLFCN_H
#define LOCKSTEP_WINDOWS_DLFCN_H

#define RTLD_NOW 0
#define RTLD_LOCAL 0

typedef struct {
    const char *dli_fname;
} Dl_info;

void *ls_windows_dlopen(const char *file);
void *ls_windows_dlsym(void *library, const char *name);
void ls_windows_dlclose(void *library);
const char *ls_windows_dlerror(void);
int ls_windows_dladdr(const void *address, Dl_info *info);

#define dlopen(file, flags) ((void)(flags), ls_windows_dlopen(file))
#define dlsym ls_windows_dlsym
#define dlclose ls_windows_dlclose
#define dlerror ls_windows_dlerror
#define dladdr ls_windows_dladdr

#endif
