/* SPDX-License-Identifier: Apache-2.0
 *
 * Folders for files that are to be written.
 */
#ifndef LOCKSTEP_IO_FOLDERS_H
#define LOCKSTEP_IO_FOLDERS_H

#include <lockstep/context.h>

/** Makes a folder and those above it; 0 or the errno. Changes and restores `folder`. */
int ls_make_folders(char *folder);

/** Makes the folders above a file; `who` is for the message. LS_FILE_ERROR, LS_OUT_OF_MEMORY. */
ls_status ls_make_folders_of(ls_context *ls, const char *who, const char *path);

#endif
