/* SPDX-License-Identifier: Apache-2.0
 *
 * Opens libOpenCL and libclblast when they are first needed.
 */
#define _GNU_SOURCE /* dladdr */
#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "library.h"
#include "opencl.h"

#include <CL/cl_ext.h>

struct ls_cl_functions ls_cl;
struct ls_clblast_functions ls_clblast;

/* Guards the tables while they are filled. */
static pthread_mutex_t loading = PTHREAD_MUTEX_INITIALIZER;

static const struct ls_library_function cl_functions[] = {
#define CL(name) {#name, offsetof(struct ls_cl_functions, name)},
#include "functions.def"
};

static const struct ls_library_function clblast_functions[] = {
#define CLBLAST(result, name, parameters) {#name, offsetof(struct ls_clblast_functions, name)},
#include "functions.def"
};

static const char *const cl_files[] = {
#if defined __APPLE__
    "/System/Library/Frameworks/OpenCL.framework/OpenCL",
#elif defined _WIN32
    "OpenCL.dll",
#else
    "libOpenCL.so.1",
    "libOpenCL.so",
#endif
    NULL,
};

static const char *const clblast_files[] = {
#if defined __APPLE__
    "libclblast.1.dylib",
    "libclblast.dylib",
#else
    "libclblast.so.1",
    "libclblast.so",
#endif
    NULL,
};

bool ls_cl_here(pid_t process, struct ls_message *message)
{
    if (process == getpid())
        return true;
    snprintf(message->text, sizeof message->text,
             "process %ld started the OpenCL driver before it forked, and the driver's threads are not in the "
             "child; call fork before the first ls_open or ls_list_devices, or exec another program after it",
             (long)process);
    return false;
}

bool ls_cl_load(struct ls_message *message)
{
    static void *library;
    static pid_t process; /* that opened it */
    char why[256] = "";
    pthread_mutex_lock(&loading);
    if (library == NULL) {
        library = ls_library_open(cl_files, cl_functions, sizeof cl_functions / sizeof cl_functions[0],
                               &ls_cl, why, sizeof why);
        process = getpid();
    }
    bool loaded = library != NULL;
    pthread_mutex_unlock(&loading);
    if (!loaded)
        snprintf(message->text, sizeof message->text,
                 "the OpenCL loader cannot be opened (%s); install ocl-icd-libopencl1 and a driver, "
                 "for example pocl-opencl-icd",
                 why);
    return loaded && ls_cl_here(process, message);
}

/* CLBlast has no call that tells its version, but its file is named libclblast.so.1.5.3. */
static void version_of(void *symbol, char version[16])
{
    Dl_info info;
    version[0] = '\0';
    if (dladdr(symbol, &info) == 0 || info.dli_fname == NULL)
        return;
    char *path = realpath(info.dli_fname, NULL);
    const char *suffix = path != NULL ? strstr(path, ".so.") : NULL;
    int major, minor, patch;
    if (suffix != NULL && sscanf(suffix, ".so.%d.%d.%d", &major, &minor, &patch) == 3)
        snprintf(version, 16, "%d.%d.%d", major, minor, patch);
    free(path);
}

bool ls_clblast_load(struct ls_message *message, char version[16])
{
    static void *library;
    char why[256] = "";
    version[0] = '\0';
    pthread_mutex_lock(&loading);
    if (library == NULL)
        library = ls_library_open(clblast_files, clblast_functions,
                               sizeof clblast_functions / sizeof clblast_functions[0], &ls_clblast,
                               why, sizeof why);
    if (library != NULL)
        version_of(dlsym(library, clblast_functions[0].name), version);
    bool loaded = library != NULL;
    pthread_mutex_unlock(&loading);
    if (!loaded)
        snprintf(message->text, sizeof message->text,
                 "CLBlast cannot be opened (%s); install libclblast1", why);
    return loaded;
}

const char *ls_cl_code_text(cl_int code)
{
    static const struct {
        cl_int code;
        const char *text;
    } codes[] = {
#define CL_CODE(name) {name, #name},
#define CLBLAST_CODE(value, name, text) {value, "CLBlast " #name ": " text},
#include "codes.def"
    };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (codes[i].code == code)
            return codes[i].text;
    return "an unknown code";
}
