/* SPDX-License-Identifier: Apache-2.0 */
#include "library.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

void *ls_library_open(const char *const *files, const struct ls_library_function *functions, size_t count, void *table,
                      char *why, size_t why_size)
{
    void *library = NULL;
    size_t opened = 0;
    for (; files[opened] && !library; opened += !library)
        library = dlopen(files[opened], RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        const char *error = dlerror();
        snprintf(why, why_size, "%s", error ? error : files[0]);
        return NULL;
    }
    /* All of them first, so that a library that lacks one leaves the table empty. */
    for (size_t i = 0; i < count; i++)
        if (!dlsym(library, functions[i].name)) {
            snprintf(why, why_size, "%s has no function %s", files[opened], functions[i].name);
            dlclose(library);
            return NULL;
        }
    for (size_t i = 0; i < count; i++) {
        void *symbol = dlsym(library, functions[i].name);
        memcpy((char *)table + functions[i].offset, &symbol, sizeof symbol);
    }
    return library;
}
