/* SPDX-License-Identifier: Apache-2.0
 *
 * Opens the Vulkan loader and libshaderc when they are first needed.
 */
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "library.h"
#include "vulkan.h"

struct ls_vk_functions ls_vk;
struct ls_shaderc_functions ls_shaderc;

/* Guards the tables while they are filled. */
static pthread_mutex_t loading = PTHREAD_MUTEX_INITIALIZER;

static const struct ls_library_function vk_functions[] = {
#define VK(name) {#name, offsetof(struct ls_vk_functions, name)},
#include "functions.def"
};

static const struct ls_library_function shaderc_functions[] = {
#define SHADERC(result, name, parameters) {#name, offsetof(struct ls_shaderc_functions, name)},
#include "functions.def"
};

static const char *const vk_files[] = {
#if defined __APPLE__
    "libvulkan.1.dylib",
    "libvulkan.dylib",
    "libMoltenVK.dylib",
#elif defined _WIN32
    "vulkan-1.dll",
#else
    "libvulkan.so.1",
    "libvulkan.so",
#endif
    NULL,
};

static const char *const shaderc_files[] = {
#if defined __APPLE__
    "libshaderc_shared.1.dylib",
    "libshaderc_shared.dylib",
#elif defined _WIN32
    "shaderc_shared.dll",
#else
    "libshaderc.so.1",
    "libshaderc_shared.so.1",
    "libshaderc_shared.so",
#endif
    NULL,
};

bool ls_vk_here(pid_t process, struct ls_message *message)
{
    if (process == getpid())
        return true;
    snprintf(message->text, sizeof message->text,
             "process %ld started the Vulkan driver before it forked, and the driver's threads are not in the "
             "child; call fork before the first ls_open or ls_list_devices, or exec another program after it",
             (long)process);
    return false;
}

bool ls_vk_load(struct ls_message *message)
{
    static void *library;
    static pid_t process; /* that opened it */
    char why[256] = "";
    pthread_mutex_lock(&loading);
    if (library == NULL) {
        library = ls_library_open(vk_files, vk_functions, sizeof vk_functions / sizeof *vk_functions,
                                  &ls_vk, why, sizeof why);
        process = getpid();
    }
    bool loaded = library != NULL;
    pthread_mutex_unlock(&loading);
    if (!loaded)
        snprintf(message->text, sizeof message->text,
                 "the Vulkan loader cannot be opened (%s); install libvulkan1 and a driver, for "
                 "example mesa-vulkan-drivers, or on macOS MoltenVK",
                 why);
    return loaded && ls_vk_here(process, message);
}

bool ls_shaderc_load(void)
{
    static void *library;
    char why[256];
    pthread_mutex_lock(&loading);
    if (library == NULL)
        library = ls_library_open(shaderc_files, shaderc_functions,
                                  sizeof shaderc_functions / sizeof *shaderc_functions, &ls_shaderc,
                                  why, sizeof why);
    bool loaded = library != NULL;
    pthread_mutex_unlock(&loading);
    return loaded;
}

const char *ls_vk_code_text(VkResult code)
{
    static const struct {
        VkResult code;
        const char *text;
    } codes[] = {
#define VK_CODE(name, status) {name, #name},
#include "codes.def"
    };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i].code == code)
            return codes[i].text;
    return "an unknown code";
}
