/* SPDX-License-Identifier: Apache-2.0
 *
 * Folders for files that are to be written.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../core/internal.h"
#include "folders.h"

int ls_make_folders(char *folder)
{
    for (char *slash = folder + 1;; slash++) {
        slash += strcspn(slash, "/");
        char end = *slash;
        *slash = '\0';
        int code = mkdir(folder, 0777) == 0 || errno == EEXIST ? 0 : errno;
        *slash = end;
        if (code || !end)
            return code;
    }
}

ls_status ls_make_folders_of(ls_context *ls, const char *who, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash || slash == path)
        return LS_OK;
    char *folder = malloc((size_t)(slash - path) + 1);
    if (!folder)
        return ls_fail(ls, LS_OUT_OF_MEMORY, "%s: no host memory for a path", who);
    memcpy(folder, path, (size_t)(slash - path));
    folder[slash - path] = '\0';
    int code = ls_make_folders(folder);
    free(folder);
    return code ? ls_fail(ls, LS_FILE_ERROR, "%s: the folder of %s cannot be made: %s", who, path, strerror(code)) : LS_OK;
}
