/* SPDX-License-Identifier: Apache-2.0
 *
 * What IDX and NPY have in common after their headers: numbers of several types and both byte orders.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../core/internal.h"
#include "../data/stage.h"
#include "array_file.h"

static const int64_t most_bytes = INT64_C(1) << 31;

static const struct {
    const char *name;
    int64_t bytes;
    ls_dtype dtype;
} numbers[] = {
#define NUMBER(name, bytes, dtype) {#name, bytes, dtype},
    LS_NUMBERS(NUMBER)
#undef NUMBER
};

/* ---- Headers ---- */

ls_status ls_input_read_exactly(struct ls_input *in, void *data, size_t bytes, const char *what)
{
    size_t got;
    if (ls_input_read(in, data, bytes, &got) != LS_OK)
        return ls_error(in->ls);
    if (got < bytes)
        return ls_fail(in->ls, LS_BAD_FILE, "%s: ends in %s: %zu bytes are missing", in->path, what, bytes - got);
    return LS_OK;
}

/* Sets `bytes`; an error if so many elements cannot be in the file. */
static ls_status check_header(const struct ls_input *in, struct ls_array_header *header)
{
    header->bytes = numbers[header->number].bytes;
    for (int d = 0; d < header->shape.rank; d++)
        if (!ls_checked_mul(header->bytes, header->shape.dim[d], &header->bytes))
            return ls_fail(in->ls, LS_BAD_FILE, "%s: shape %s overflows%s", in->path, ls_text(header->shape).text,
                           header->big_endian ? "; are its sizes little-endian?" : "");
    if (header->bytes > in->most)
        return ls_fail(in->ls, LS_BAD_FILE, "%s: promises %s %s, which cannot be in a file of its size", in->path,
                       numbers[header->number].name, ls_text(header->shape).text);
    return LS_OK;
}

ls_status ls_array_header_any(struct ls_input *in, struct ls_array_header *header)
{
    unsigned char first = 0;
    if (ls_input_peek(in, &first) != LS_OK)
        return ls_error(in->ls);
    return first == 0x93 ? ls_npy_header(in, header) : ls_idx_header(in, header);
}

/* ---- Numbers ---- */

static uint64_t bits_of(const unsigned char *bytes, int64_t count, bool big_endian)
{
    uint64_t value = 0;
    for (int64_t i = 0; i < count; i++)
        value = value << 8 | bytes[big_endian ? i : count - 1 - i];
    return value;
}

/* The number at `from`, as `to`; false when it is none of that type, or does not fit. */
static bool convert(const struct ls_array_header *header, const unsigned char *from, void *to)
{
    uint64_t bits = bits_of(from, numbers[header->number].bytes, header->big_endian);
    int64_t integer = 0;
    double real;
    float single;
    uint16_t half = (uint16_t)bits;
    uint32_t word = (uint32_t)bits;
    switch (header->number) {
    case LS_NUMBER_bool:
    case LS_NUMBER_uint8:
        *(unsigned char *)to = (unsigned char)bits;
        return header->number == LS_NUMBER_uint8 || bits < 2;
    case LS_NUMBER_float16: memcpy(to, &half, sizeof half); return true;
    case LS_NUMBER_float32: memcpy(to, &word, sizeof word); return true;
    case LS_NUMBER_float64:
        memcpy(&real, &bits, sizeof bits);
        single = (float)real;
        memcpy(to, &single, sizeof single);
        return true;
    case LS_NUMBER_int8: integer = (int64_t)(bits ^ 0x80) - 0x80; break;
    case LS_NUMBER_int16: integer = (int64_t)(bits ^ 0x8000) - 0x8000; break;
    case LS_NUMBER_int32: integer = (int64_t)(bits ^ 0x80000000u) - INT64_C(0x80000000); break;
    case LS_NUMBER_int64: memcpy(&integer, &bits, sizeof bits); break;
    case LS_NUMBER_uint64: integer = bits > INT32_MAX ? INT64_MAX : (int64_t)bits; break;
    default: integer = (int64_t)bits; break;
    }
    int32_t small = (int32_t)integer;
    memcpy(to, &small, sizeof small);
    return integer >= INT32_MIN && integer <= INT32_MAX;
}

/* How many of the numbers could be converted; all, if nothing is wrong. */
static int64_t convert_all(const struct ls_array_header *header, const unsigned char *from, int64_t count, void *to)
{
    int64_t bytes = numbers[header->number].bytes, size = (int64_t)ls_dtype_size(numbers[header->number].dtype);
    if (header->number == LS_NUMBER_uint8) {
        memmove(to, from, (size_t)count);
        return count;
    }
    for (int64_t i = 0; i < count; i++)
        if (!convert(header, from + i * bytes, (char *)to + i * size))
            return i;
    return count;
}

static const char *what_is_wrong(const struct ls_array_header *header)
{
    return header->number == LS_NUMBER_bool ? "is neither 0 nor 1" : "does not fit int32";
}

/* ---- Whole files ---- */

static ls_status check_length(const struct ls_input *in, const struct ls_array_header *header)
{
    return ls_fail(in->ls, LS_BAD_FILE, "%s: has more bytes than %s %s needs", in->path, numbers[header->number].name,
                   ls_text(header->shape).text);
}

/* Takes the elements that were read over into `array`, in their type on the device. */
static ls_status keep(struct ls_input *in, const struct ls_array_header *header, unsigned char *raw, ls_array *array)
{
    int64_t count = header->bytes / numbers[header->number].bytes, done = count;
    array->data = raw;
    if (header->number == LS_NUMBER_uint8)
        return LS_OK;
    array->data = malloc((size_t)count * ls_dtype_size(array->dtype) + 1);
    if (array->data)
        done = convert_all(header, raw, count, array->data);
    free(raw);
    if (!array->data)
        return ls_fail(in->ls, LS_OUT_OF_MEMORY, "%s: no host memory for %lld elements", in->path, (long long)count);
    if (done == count)
        return LS_OK;
    free(array->data);
    array->data = NULL;
    return ls_fail(in->ls, LS_OUT_OF_RANGE, "%s: the %s at %lld %s", in->path, numbers[header->number].name,
                   (long long)done, what_is_wrong(header));
}

static ls_status load(struct ls_input *in, ls_array_header_fn *format, ls_array *array)
{
    struct ls_array_header header = {0};
    if (format(in, &header) != LS_OK || check_header(in, &header) != LS_OK)
        return ls_error(in->ls);
    if (header.bytes > most_bytes)
        return ls_fail(in->ls, LS_OVERFLOW, "%s: %s %s is more than 2 GiB", in->path, numbers[header.number].name,
                       ls_text(header.shape).text);
    array->dtype = numbers[header.number].dtype;
    array->shape = header.shape;
    unsigned char *raw = malloc((size_t)header.bytes + 1);
    if (!raw)
        return ls_fail(in->ls, LS_OUT_OF_MEMORY, "%s: no host memory for %lld bytes", in->path,
                       (long long)header.bytes);
    size_t more = 0;
    char probe;
    ls_status status = ls_input_read_exactly(in, raw, (size_t)header.bytes, "its elements");
    if (status == LS_OK)
        status = ls_input_read(in, &probe, 1, &more);
    if (status == LS_OK && more > 0)
        status = check_length(in, &header);
    if (status == LS_OK)
        return keep(in, &header, raw, array);
    free(raw);
    return status;
}

ls_status ls_array_load(ls_context *ls, const char *path, ls_array_header_fn *format, ls_array *array)
{
    struct ls_input input;
    memset(array, 0, sizeof *array);
    if (ls_input_open(&input, ls, path) != LS_OK)
        return ls_error(ls);
    ls_status status = load(&input, format, array);
    ls_input_close(&input);
    if (status != LS_OK)
        memset(array, 0, sizeof *array);
    return status;
}

static ls_tensor read_tensor(ls_context *ls, const char *path, ls_array_header_fn *format, const char *name)
{
    ls_array array;
    if (!ls || ls_failed(ls))
        return (ls_tensor){0};
    if (!path)
        ls_fail(ls, LS_INVALID_ARGUMENT, "%s: the path is NULL", name);
    if (!path || ls_array_load(ls, path, format, &array) != LS_OK)
        return (ls_tensor){0};
    ls_tensor tensor = ls_from_host(ls, array.dtype, array.shape, array.data);
    free(array.data);
    return tensor;
}

ls_tensor ls_read_idx(ls_context *ls, const char *path) { return read_tensor(ls, path, ls_idx_header, "read_idx"); }

ls_tensor ls_read_npy(ls_context *ls, const char *path) { return read_tensor(ls, path, ls_npy_header, "read_npy"); }

/* ---- Row by row ---- */

static ls_status open_rows(struct ls_input *in, struct ls_array_file *file)
{
    struct ls_array_header *header = &file->header;
    if (ls_array_header_any(in, header) != LS_OK || check_header(in, header) != LS_OK)
        return ls_error(in->ls);
    if (header->shape.rank < 1 || header->shape.dim[0] > INT32_MAX)
        return ls_fail(in->ls, LS_SHAPE_MISMATCH, "%s: is %s; elements need a first dimension, below 2^31", in->path,
                       ls_text(header->shape).text);
    int64_t size = header->offset + header->bytes;
    if (in->most < size)
        return ls_fail(in->ls, LS_BAD_FILE, "%s: ends in its elements: %lld bytes are missing", in->path,
                       (long long)(size - in->most));
    if (in->most > size)
        return check_length(in, header);
    int64_t rows = header->shape.dim[0];
    file->row_bytes = rows ? header->bytes / rows : 0;
    file->row_elements = file->row_bytes / numbers[header->number].bytes;
    file->path = malloc(strlen(in->path) + 1);
    file->fd = file->path ? dup(in->fd) : -1;
    if (file->path)
        strcpy(file->path, in->path);
    return file->fd >= 0
               ? LS_OK
               : ls_fail(in->ls, file->path ? LS_FILE_ERROR : LS_OUT_OF_MEMORY, "%s: cannot be kept open", in->path);
}

ls_status ls_array_file_open(ls_context *ls, const char *path, struct ls_array_file **file, ls_array *array)
{
    struct ls_input input;
    *file = NULL;
    if (ls_input_open(&input, ls, path) != LS_OK)
        return ls_error(ls);
    if (!input.gzip && !(*file = calloc(1, sizeof **file)))
        ls_fail(ls, LS_OUT_OF_MEMORY, "%s: no host memory to open it", path);
    if (*file) {
        (*file)->fd = -1;
        if (open_rows(&input, *file) != LS_OK)
            ls_array_file_close(file);
        else
            *array = (ls_array){numbers[(*file)->header.number].dtype, (*file)->header.shape, NULL};
    }
    ls_input_close(&input);
    return ls_error(ls);
}

bool ls_array_file_read(const struct ls_array_file *file, int64_t row, void *to, struct ls_problem *problem)
{
    const struct ls_array_header *header = &file->header;
    unsigned char small[1024], *raw = small;
    if (header->number == LS_NUMBER_uint8)
        raw = to;
    else if (file->row_bytes > (int64_t)sizeof small)
        raw = malloc((size_t)file->row_bytes);
    if (!raw) {
        ls_problem_set(problem, LS_OUT_OF_MEMORY, "%s: no host memory for row %lld", file->path, (long long)row);
        return false;
    }
    int64_t got = 0;
    while (got < file->row_bytes) {
        ssize_t n =
            pread(file->fd, raw + got, (size_t)(file->row_bytes - got), header->offset + row * file->row_bytes + got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            ls_problem_set(problem, n < 0 ? LS_FILE_ERROR : LS_BAD_FILE, "%s: row %lld cannot be read: %s", file->path,
                           (long long)row, n < 0 ? "the system reports an error" : "the file became shorter");
            break;
        }
        got += n;
    }
    bool good = got == file->row_bytes;
    int64_t done = good && raw != to ? convert_all(header, raw, file->row_elements, to) : file->row_elements;
    if (raw != to && raw != small)
        free(raw);
    if (good && done < file->row_elements) {
        ls_problem_set(problem, LS_OUT_OF_RANGE, "%s: row %lld: the %s at %lld %s", file->path, (long long)row,
                       numbers[header->number].name, (long long)done, what_is_wrong(header));
        good = false;
    }
    return good;
}

void ls_array_file_close(struct ls_array_file **file)
{
    if (!*file)
        return;
    if ((*file)->fd >= 0)
        close((*file)->fd);
    free((*file)->path);
    free(*file);
    *file = NULL;
}
