/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading safetensors: eight bytes of length, a header in JSON, the data. Nothing that the header says is
 * believed before it was held against the size of the file.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "../core/internal.h"
#include "atomic.h"
#include "bytes.h"
#include "safetensors.h"
#include "safetensors_format.h"

const struct ls_safetensors_type ls_safetensors_types[] = {
    {"F32", 32, LS_FLOAT32}, {"F16", 16, LS_FLOAT16}, {"BF16", 16, LS_BFLOAT16}, {"I32", 32, LS_INT32},
    {"U8", 8, LS_UINT8},     {"BOOL", 8, LS_BOOL},    {"I64", 64, LS_INT32},     {"F64", 64, -1},
    {"I8", 8, -1},           {"I16", 16, -1},         {"U16", 16, -1},           {"U32", 32, -1},
    {"U64", 64, -1},         {"C64", 64, -1},         {"F8_E4M3", 8, -1},        {"F8_E5M2", 8, -1},
    {"F8_E8M0", 8, -1},      {"F4", 4, -1},           {"F6_E2M3", 6, -1},        {"F6_E3M2", 6, -1},
    {NULL, 0, -1},
};

struct entry {
    const char *name; /* the header's */
    const struct ls_safetensors_type *type;
    ls_shape shape;
    int64_t elements, begin, end;
};

struct ls_safetensors {
    ls_context *context;
    char *path;
    int fd;
    int64_t size, data_at;
    json_t *header, *metadata;
    struct entry *entries; /* by offset */
    size_t count;
};

static ls_status bad(ls_safetensors *file, const char *what, const char *name)
{
    return ls_fail(file->context, LS_BAD_FILE, "%s: is not a whole safetensors file: %s%s%.200s%s", file->path, what,
                   name ? " (" : "", name ? name : "", name ? ")" : "");
}

/* ---- Reading bytes ---- */

static ls_status read_at(ls_safetensors *file, int64_t at, void *data, size_t bytes)
{
    for (unsigned char *to = data; bytes > 0;) {
        ssize_t n = pread(file->fd, to, bytes < 1u << 30 ? bytes : 1u << 30, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ls_fail(file->context, LS_FILE_ERROR, "%s: cannot be read: %s", file->path,
                           ls_reason_of(errno).text);
        if (n == 0)
            return bad(file, "it became shorter while it was read; keep other programs from writing to it", NULL);
        to += n;
        at += n;
        bytes -= (size_t)n;
    }
    return LS_OK;
}

static ls_status open_regular(ls_safetensors *file)
{
    struct stat info;
    file->fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file->fd < 0 || fstat(file->fd, &info) != 0)
        return ls_fail(file->context, errno == ENOENT || errno == ENOTDIR ? LS_NOT_FOUND : LS_FILE_ERROR,
                       "%s: cannot be opened: %s", file->path, ls_reason_of(errno).text);
    if (!S_ISREG(info.st_mode))
        return ls_fail(file->context, LS_FILE_ERROR, "%s: is not a regular file", file->path);
    file->size = info.st_size;
    return LS_OK;
}

/* ---- The header ---- */

/* What other formats begin with, for those who mistook the file. */
static const char *foreign(const unsigned char *start)
{
    return memcmp(start, "\x89HDF", 4) == 0   ? "it is HDF5; if it is Keras', let its name end with .weights.h5"
           : memcmp(start, "PK\3\4", 4) == 0  ? "it is a ZIP archive, such as .keras, .npz or PyTorch's; convert it"
           : memcmp(start, "\x93NUM", 4) == 0 ? "it is a NumPy file; ls_read_npy reads those"
           : start[0] == 0x80                 ? "it is Python's pickle; convert it with the safetensors package"
                                              : NULL;
}

static ls_status read_header(ls_safetensors *file)
{
    unsigned char start[8];
    if (file->size < 8)
        return bad(file, file->size ? "it has less than 8 bytes" : "it is empty", NULL);
    if (read_at(file, 0, start, sizeof start) != LS_OK)
        return ls_error(file->context);
    uint64_t length = ls_get_u64(start);
    if (length < 2 || length > LS_SAFETENSORS_HEADER || (int64_t)length > file->size - 8)
        return bad(file,
                   foreign(start) ? foreign(start)
                                  : "the length of its header is beyond the file, or above "
                                    "100,000,000",
                   NULL);
    char *text = malloc((size_t)length);
    if (!text)
        return ls_fail(file->context, LS_OUT_OF_MEMORY, "%s: no host memory for its header", file->path);
    file->data_at = 8 + (int64_t)length;
    if (read_at(file, 8, text, (size_t)length) == LS_OK) {
        json_error_t error;
        if (text[0] == '{')
            file->header = json_loadb(text, (size_t)length, JSON_REJECT_DUPLICATES, &error);
        else
            snprintf(error.text, sizeof error.text, "it does not begin with {");
        if (!file->header)
            bad(file, "its header is not valid JSON", error.text);
    }
    free(text);
    return ls_error(file->context);
}

/* A number that is written as a whole one, and not negative; else -1. */
static int64_t whole(const json_t *number)
{
    return json_is_integer(number) && json_integer_value(number) >= 0 ? (int64_t)json_integer_value(number) : -1;
}

static const struct ls_safetensors_type *type_named(const char *name)
{
    const struct ls_safetensors_type *type = ls_safetensors_types;
    while (type->name && strcmp(type->name, name) != 0)
        type++;
    return type->name ? type : NULL;
}

static ls_status read_shape(ls_safetensors *file, struct entry *e, const json_t *shape)
{
    size_t rank = json_array_size(shape);
    e->shape.rank = rank <= LS_MAX_RANK ? (int)rank : -1;
    e->elements = 1;
    for (size_t i = 0; i < rank; i++) {
        int64_t dim = whole(json_array_get(shape, i));
        if (dim < 0)
            return bad(file, "a size in a shape is not a whole number", e->name);
        if (!ls_checked_mul(e->elements, dim, &e->elements))
            return bad(file, "a shape is too large", e->name);
        if (e->shape.rank > 0)
            e->shape.dim[i] = dim;
    }
    return LS_OK;
}

static ls_status read_entry(ls_safetensors *file, struct entry *e, const json_t *value)
{
    const json_t *dtype = json_object_get(value, "dtype"), *shape = json_object_get(value, "shape");
    const json_t *offsets = json_object_get(value, "data_offsets");
    if (!json_is_string(dtype) || !json_is_array(shape) || !json_is_array(offsets) || json_array_size(offsets) != 2)
        return bad(file, "a tensor lacks its dtype, shape or data_offsets", e->name);
    e->type = type_named(json_string_value(dtype));
    if (!e->type)
        return bad(file, "a tensor is of an unknown dtype", e->name);
    if (read_shape(file, e, shape) != LS_OK)
        return ls_error(file->context);
    e->begin = whole(json_array_get(offsets, 0));
    e->end = whole(json_array_get(offsets, 1));
    int64_t bits;
    if (e->begin < 0 || e->end < e->begin || e->end > file->size - file->data_at)
        return bad(file, "the data_offsets of a tensor do not lie in the file", e->name);
    if (!ls_checked_mul(e->elements, e->type->bits, &bits) || bits % 8 != 0 || bits / 8 != e->end - e->begin)
        return bad(file, "the shape of a tensor does not fit its data_offsets", e->name);
    return LS_OK;
}

static int by_offset(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return x->end < y->end ? -1 : x->end > y->end;
}

static ls_status check_offsets(ls_safetensors *file)
{
    int64_t at = 0;
    for (size_t i = 0; i < file->count; i++) {
        if (file->entries[i].begin != at)
            return bad(file, "there is a hole or an overlap before a tensor's data", file->entries[i].name);
        at = file->entries[i].end;
    }
    return file->data_at + at == file->size ? LS_OK : bad(file, "something follows the data", NULL);
}

static ls_status check_metadata(ls_safetensors *file)
{
    const char *key;
    json_t *value;
    if (file->metadata && !json_is_object(file->metadata))
        return bad(file, "__metadata__ is not an object", NULL);
    json_object_foreach(file->metadata, key, value)
    {
        if (!json_is_string(value))
            return bad(file, "a value in __metadata__ is not a string", key);
    }
    return LS_OK;
}

static ls_status read_entries(ls_safetensors *file)
{
    const char *key;
    json_t *value;
    file->entries = calloc(json_object_size(file->header) + 1, sizeof *file->entries);
    if (!file->entries)
        return ls_fail(file->context, LS_OUT_OF_MEMORY, "%s: no host memory for its header", file->path);
    json_object_foreach(file->header, key, value)
    {
        if (strcmp(key, "__metadata__") == 0) {
            file->metadata = value;
            continue;
        }
        struct entry *e = &file->entries[file->count++];
        e->name = key;
        if (read_entry(file, e, value) != LS_OK)
            return ls_error(file->context);
    }
    qsort(file->entries, file->count, sizeof *file->entries, by_offset);
    return check_metadata(file) == LS_OK ? check_offsets(file) : ls_error(file->context);
}

/* ---- The checksum ---- */

/* Over all bytes of the file, with zeros for its own digits. Only where our writer put it. */
static ls_status verify(ls_safetensors *file)
{
    enum { LENGTH = sizeof LS_SAFETENSORS_START - 1, PIECE = 1 << 16 };
    const char *given = ls_safetensors_metadata(file, LS_SAFETENSORS_CRC);
    unsigned char *data = given ? malloc(PIECE) : NULL;
    if (!given || !data)
        return given ? ls_fail(file->context, LS_OUT_OF_MEMORY, "%s: no host memory", file->path) : LS_OK;
    uint32_t crc = 0;
    for (int64_t at = 0; at < file->size && !ls_failed(file->context);) {
        size_t n = file->size - at < PIECE ? (size_t)(file->size - at) : PIECE;
        if (read_at(file, at, data, n) != LS_OK)
            break;
        if (at == 0) {
            /* Another program has written the header anew: it holds for another file. */
            if (n < 8 + LENGTH + 8 || memcmp(data + 8, LS_SAFETENSORS_START, LENGTH) != 0)
                break;
            memset(data + 8 + LENGTH, '0', 8);
        }
        crc = ls_crc32c(crc, data, n);
        at += (int64_t)n;
        if (at == file->size) {
            char text[9];
            snprintf(text, sizeof text, "%08" PRIx32, crc);
            if (strcmp(text, given) != 0)
                ls_fail(file->context, LS_BAD_FILE,
                        "%s: is damaged: its checksum is %s, and was %.8s when it was saved; use an older copy",
                        file->path, text, given);
        }
    }
    free(data);
    return ls_error(file->context);
}

/* ---- The public face ---- */

static void free_file(void *object)
{
    ls_safetensors *file = object;
    if (file->fd >= 0)
        close(file->fd);
    json_decref(file->header);
    free(file->entries);
    free(file->path);
    free(file);
}

ls_safetensors *ls_safetensors_open(ls_context *ls, const char *path)
{
    if (!ls || ls_failed(ls))
        return NULL;
    if (!path) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "safetensors: no path was given");
        return NULL;
    }
    ls_safetensors *file = calloc(1, sizeof *file);
    if (file) {
        file->context = ls;
        file->fd = -1;
        file->path = strdup(path);
    }
    if (!file || !file->path) {
        free(file);
        ls_fail(ls, LS_OUT_OF_MEMORY, "%s: no host memory to open it", path);
        return NULL;
    }
    if (open_regular(file) == LS_OK && read_header(file) == LS_OK && read_entries(file) == LS_OK &&
        verify(file) == LS_OK && ls_own(ls, file, free_file) == LS_OK)
        return file;
    free_file(file);
    return NULL;
}

void ls_safetensors_close(ls_safetensors **file)
{
    if (!file || !*file)
        return;
    ls_disown((*file)->context, *file);
    free_file(*file);
    *file = NULL;
}

size_t ls_safetensors_count(const ls_safetensors *file) { return file ? file->count : 0; }

const char *ls_safetensors_name(const ls_safetensors *file, size_t i)
{
    return file && i < file->count ? file->entries[i].name : "";
}

const char *ls_safetensors_dtype(const ls_safetensors *file, size_t i)
{
    return file && i < file->count ? file->entries[i].type->name : "";
}

ls_shape ls_safetensors_shape(const ls_safetensors *file, size_t i)
{
    return file && i < file->count ? file->entries[i].shape : (ls_shape){0};
}

const char *ls_safetensors_metadata(const ls_safetensors *file, const char *key)
{
    return file && key ? json_string_value(json_object_get(file->metadata, key)) : NULL;
}

size_t ls_safetensors_size(const ls_safetensors *file, size_t i)
{
    return (size_t)(file->entries[i].end - file->entries[i].begin);
}

ls_status ls_safetensors_bytes(ls_safetensors *file, size_t i, void *data)
{
    return read_at(file, file->data_at + file->entries[i].begin, data, ls_safetensors_size(file, i));
}

ptrdiff_t ls_safetensors_find(const ls_safetensors *file, const char *name)
{
    for (size_t i = 0; i < file->count; i++)
        if (strcmp(file->entries[i].name, name) == 0)
            return (ptrdiff_t)i;
    return -1;
}

/* int64 becomes int32 in place. */
static ls_status narrow(ls_safetensors *file, const struct entry *e, unsigned char *data)
{
    for (int64_t i = 0; i < e->elements; i++) {
        int64_t wide = (int64_t)ls_get_u64(data + 8 * i);
        int32_t value = (int32_t)wide;
        if (value != wide)
            return ls_fail(file->context, LS_OVERFLOW,
                           "%s: %s holds %" PRId64 ", which does not fit int32; convert it before it is saved",
                           file->path, e->name, wide);
        memcpy(data + 4 * i, &value, sizeof value);
    }
    return LS_OK;
}

static ls_status check_bools(ls_safetensors *file, const struct entry *e, const unsigned char *data)
{
    for (int64_t i = 0; i < e->elements; i++)
        if (data[i] > 1)
            return ls_fail(file->context, LS_BAD_FILE, "%s: the BOOL %s holds %d, neither 0 nor 1", file->path, e->name,
                           data[i]);
    return LS_OK;
}

static ls_status fail_missing(ls_safetensors *file, const char *name)
{
    char names[600] = "";
    size_t used = 0;
    for (size_t i = 0; i < file->count && used < sizeof names - 1; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", file->entries[i].name);
    return ls_fail(file->context, LS_NOT_FOUND, "%s: has no tensor %.200s; it has %s", file->path, name,
                   file->count ? names : "none");
}

ls_tensor ls_safetensors_read(ls_safetensors *file, const char *name)
{
    ls_tensor none = {0};
    if (!file || ls_failed(file->context))
        return none;
    ptrdiff_t i = name ? ls_safetensors_find(file, name) : -1;
    if (i < 0) {
        fail_missing(file, name ? name : "NULL");
        return none;
    }
    const struct entry *e = &file->entries[i];
    if (e->type->dtype < 0 || e->shape.rank < 0) {
        ls_fail(file->context, LS_DTYPE_MISMATCH,
                "%s: %s is %s%s, which has no counterpart here; convert it before it is saved", file->path, name,
                e->type->name, e->shape.rank < 0 ? " of a rank above 8" : "");
        return none;
    }
    size_t size = ls_safetensors_size(file, (size_t)i);
    unsigned char *data = malloc(size ? size : 1);
    if (!data)
        ls_fail(file->context, LS_OUT_OF_MEMORY, "%s: no host memory for %zu bytes of %s", file->path, size, name);
    else if (ls_safetensors_bytes(file, (size_t)i, data) == LS_OK &&
             (e->type->bits != 64 || narrow(file, e, data) == LS_OK) &&
             (e->type->dtype != LS_BOOL || check_bools(file, e, data) == LS_OK))
        none = ls_from_host(file->context, (ls_dtype)e->type->dtype, e->shape, data);
    free(data);
    return none;
}
