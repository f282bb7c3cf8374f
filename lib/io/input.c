/* SPDX-License-Identifier: Apache-2.0
 *
 * zlib's inflate rather than gzread, because gzread passes over what follows the compressed data and
 * cannot tell a cut-off file from a whole one before it is closed.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../core/internal.h"
#include "input.h"

/* deflate encodes at most 258 bytes in 2 bits. */
enum { MOST_PER_BYTE = 1032 };

struct reason {
    char text[128];
};

static struct reason reason_of(int code)
{
    struct reason reason;
    if (strerror_r(code, reason.text, sizeof reason.text) != 0)
        reason.text[0] = '\0';
    return reason;
}

static ls_status fail_open(struct ls_input *in, int code)
{
    ls_status status = code == ENOENT || code == ENOTDIR ? LS_NOT_FOUND : LS_FILE_ERROR;
    return ls_fail(in->ls, status, "%s: cannot be opened: %s", in->path, reason_of(code).text);
}

static const char *kind_of(mode_t mode)
{
    return S_ISDIR(mode) ? "a directory" : S_ISFIFO(mode) ? "a pipe" : S_ISSOCK(mode) ? "a socket" : "a device";
}

/* Reads more of the file into the empty chunk. */
static ls_status fill(struct ls_input *in)
{
    ssize_t n;
    do
        n = read(in->fd, in->chunk, sizeof in->chunk);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return ls_fail(in->ls, LS_FILE_ERROR, "%s: cannot be read: %s", in->path, reason_of(errno).text);
    in->file_ended = n == 0;
    in->stream.next_in = in->chunk;
    in->stream.avail_in = (uInt)n;
    return LS_OK;
}

ls_status ls_input_open(struct ls_input *in, ls_context *ls, const char *path)
{
    memset(in, 0, sizeof *in);
    in->ls = ls;
    in->path = path;
    /* Not blocking, so that a pipe without a writer does not hold us up. */
    in->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (in->fd < 0)
        return fail_open(in, errno);
    struct stat info;
    ls_status status = LS_OK;
    if (fstat(in->fd, &info) != 0)
        status = fail_open(in, errno);
    else if (!S_ISREG(info.st_mode))
        status = ls_fail(ls, LS_FILE_ERROR, "%s: is %s, not a regular file", path, kind_of(info.st_mode));
    else
        status = fill(in);
    if (status == LS_OK) {
        in->most = info.st_size;
        in->gzip = in->stream.avail_in >= 2 && in->chunk[0] == 0x1f && in->chunk[1] == 0x8b;
        if (in->gzip && !ls_checked_mul(info.st_size, MOST_PER_BYTE, &in->most))
            in->most = INT64_MAX;
        if (in->gzip && inflateInit2(&in->stream, 16 + MAX_WBITS) != Z_OK)
            status = ls_fail(ls, LS_OUT_OF_MEMORY, "%s: no host memory to decompress it", path);
    }
    if (status != LS_OK) {
        close(in->fd);
        in->fd = -1;
    }
    return status;
}

void ls_input_close(struct ls_input *in)
{
    if (in->fd < 0)
        return;
    if (in->gzip)
        inflateEnd(&in->stream);
    close(in->fd);
    in->fd = -1;
}

static ls_status fail_inflate(struct ls_input *in, int code)
{
    if (code == Z_MEM_ERROR)
        return ls_fail(in->ls, LS_OUT_OF_MEMORY, "%s: no host memory to decompress it", in->path);
    const char *what = in->stream.msg ? in->stream.msg : "not gzip data";
    return ls_fail(in->ls, LS_BAD_FILE, "%s: the compressed data are damaged, or something follows them: %s", in->path,
                   what);
}

/* gzip files may be joined: after the end of one member, the file ends or the next one begins. */
static ls_status inflate_some(struct ls_input *in, unsigned char *data, uInt bytes, size_t *got)
{
    z_stream *stream = &in->stream;
    stream->next_out = data;
    stream->avail_out = bytes;
    while (stream->avail_out > 0) {
        if (stream->avail_in == 0 && !in->file_ended && fill(in) != LS_OK)
            return ls_error(in->ls);
        if (in->member_ended) {
            if (stream->avail_in == 0)
                break;
            inflateReset(stream);
            in->member_ended = false;
        }
        if (stream->avail_in == 0)
            return ls_fail(in->ls, LS_BAD_FILE, "%s: the compressed data are cut off", in->path);
        int code = inflate(stream, Z_NO_FLUSH);
        in->member_ended = code == Z_STREAM_END;
        if (code != Z_OK && code != Z_STREAM_END)
            return fail_inflate(in, code);
    }
    *got = bytes - stream->avail_out;
    return LS_OK;
}

static ls_status copy_some(struct ls_input *in, unsigned char *data, size_t bytes, size_t *got)
{
    z_stream *stream = &in->stream;
    *got = 0;
    while (*got < bytes) {
        if (stream->avail_in == 0 && !in->file_ended && fill(in) != LS_OK)
            return ls_error(in->ls);
        if (stream->avail_in == 0)
            break;
        uInt n = bytes - *got < stream->avail_in ? (uInt)(bytes - *got) : stream->avail_in;
        memcpy(data + *got, stream->next_in, n);
        stream->next_in += n;
        stream->avail_in -= n;
        *got += n;
    }
    return LS_OK;
}

static ls_status read_on(struct ls_input *in, void *data, size_t bytes, size_t *got)
{
    if (!in->gzip)
        return copy_some(in, data, bytes, got);
    *got = 0;
    while (*got < bytes) {
        size_t left = bytes - *got, some = 0;
        uInt piece = left < INT_MAX ? (uInt)left : INT_MAX;
        if (inflate_some(in, (unsigned char *)data + *got, piece, &some) != LS_OK)
            return ls_error(in->ls);
        *got += some;
        if (some < piece)
            break;
    }
    return LS_OK;
}

ls_status ls_input_peek(struct ls_input *in, unsigned char *byte)
{
    size_t got = in->peeked;
    if (!in->peeked && read_on(in, &in->first, 1, &got) != LS_OK)
        return ls_error(in->ls);
    in->peeked = got > 0;
    *byte = in->peeked ? in->first : 0;
    return LS_OK;
}

ls_status ls_input_read(struct ls_input *in, void *data, size_t bytes, size_t *got)
{
    size_t given = in->peeked && bytes > 0;
    if (given)
        *(unsigned char *)data = in->first;
    in->peeked = in->peeked && !given;
    ls_status status = read_on(in, (unsigned char *)data + given, bytes - given, got);
    *got += given;
    return status;
}
