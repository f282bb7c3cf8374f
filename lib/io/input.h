/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading a file of unknown honesty from front to end, through gzip if it is compressed.
 */
#ifndef LOCKSTEP_IO_INPUT_H
#define LOCKSTEP_IO_INPUT_H

#include <zlib.h>

#include <lockstep/context.h>

enum { LS_INPUT_CHUNK = 1 << 14 };

struct ls_input {
    ls_context *ls;
    const char *path; /* the caller's, for messages */
    int fd;           /* -1: not open */
    bool gzip;
    bool file_ended;   /* the file has no more bytes */
    bool member_ended; /* the gzip member before was complete */
    bool peeked;       /* `first` was read and not yet used */
    unsigned char first;
    int64_t most;      /* no more bytes than this can come out of the file */
    z_stream stream;   /* next_in, avail_in: what was read and not yet used, in both cases */
    unsigned char chunk[LS_INPUT_CHUNK];
};

/**
 * Opens a regular file; directories, pipes and devices are refused without waiting for them. gzip is
 * recognised by its first bytes. On an error there is nothing to close. LS_NOT_FOUND, LS_FILE_ERROR,
 * LS_OUT_OF_MEMORY.
 */
ls_status ls_input_open(struct ls_input *input, ls_context *ls, const char *path);

/**
 * Reads `bytes` bytes, or fewer if the file ends before; `*got` says how many. LS_BAD_FILE for gzip
 * data that are cut off, damaged, or followed by something else; the checksum is verified when the
 * end is reached, so read on until it is. LS_FILE_ERROR.
 */
ls_status ls_input_read(struct ls_input *input, void *data, size_t bytes, size_t *got);

/** The byte that ls_input_read will give next; 0 at the end. Errors as there. */
ls_status ls_input_peek(struct ls_input *input, unsigned char *byte);

void ls_input_close(struct ls_input *input);

#endif
