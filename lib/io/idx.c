/* SPDX-License-Identifier: Apache-2.0
 *
 * IDX, the format of MNIST: 00 00 type rank, then `rank` sizes and the elements, all big-endian.
 * Nothing is allocated before the sizes were found to fit the file.
 */
#include <stdlib.h>
#include <string.h>

#include <lockstep/data.h>

#include "../core/internal.h"
#include "idx.h"
#include "input.h"

static const int64_t most_bytes = INT64_C(1) << 31;

/* The types, and what they become. */
static const struct idx_type {
    unsigned char code;
    unsigned char size;
    ls_dtype dtype;
    const char *name;
} types[] = {
    {0x08, 1, LS_UINT8, "uint8"},   {0x09, 1, LS_INT32, "int8"},      {0x0b, 2, LS_INT32, "int16"},
    {0x0c, 4, LS_INT32, "int32"},   {0x0d, 4, LS_FLOAT32, "float32"}, {0x0e, 8, LS_FLOAT32, "float64"},
};

static const struct idx_type *type_of(unsigned char code)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].code == code)
            return &types[i];
    return NULL;
}

static uint64_t big_endian(const unsigned char *bytes, int count)
{
    uint64_t value = 0;
    for (int i = 0; i < count; i++)
        value = value << 8 | bytes[i];
    return value;
}

static ls_status read_exactly(struct ls_input *in, void *data, size_t bytes, const char *what)
{
    size_t got;
    if (ls_input_read(in, data, bytes, &got) != LS_OK)
        return ls_error(in->ls);
    if (got < bytes)
        return ls_fail(in->ls, LS_BAD_FILE, "%s: ends in %s: %zu bytes are missing", in->path, what, bytes - got);
    return LS_OK;
}

/* Reads type and sizes. `*bytes` is how many bytes of elements have to follow. */
static ls_status read_header(struct ls_input *in, const struct idx_type **type, ls_shape *shape, int64_t *bytes)
{
    unsigned char magic[4], size[4];
    if (read_exactly(in, magic, sizeof magic, "its header") != LS_OK)
        return ls_error(in->ls);
    *type = type_of(magic[2]);
    if (magic[0] != 0 || magic[1] != 0 || !*type)
        return ls_fail(in->ls, LS_BAD_FILE,
                       "%s: is not an IDX file: begins with %02x %02x %02x %02x, not 00 00 and a type of 08 to 0e",
                       in->path, magic[0], magic[1], magic[2], magic[3]);
    if (magic[3] > LS_MAX_RANK)
        return ls_fail(in->ls, LS_BAD_FILE, "%s: has rank %d; at most %d is possible", in->path, magic[3], LS_MAX_RANK);
    shape->rank = magic[3];
    *bytes = (*type)->size;
    for (int d = 0; d < shape->rank; d++) {
        if (read_exactly(in, size, sizeof size, "its header") != LS_OK)
            return ls_error(in->ls);
        shape->dim[d] = (int64_t)big_endian(size, 4);
    }
    for (int d = 0; d < shape->rank; d++)
        if (!ls_checked_mul(*bytes, shape->dim[d], bytes))
            return ls_fail(in->ls, LS_BAD_FILE, "%s: shape %s overflows; are its sizes little-endian?", in->path,
                           ls_text(*shape).text);
    if (*bytes > in->most)
        return ls_fail(in->ls, LS_BAD_FILE, "%s: promises %s %s, which cannot be in a file of its size", in->path,
                       (*type)->name, ls_text(*shape).text);
    if (*bytes > most_bytes)
        return ls_fail(in->ls, LS_OVERFLOW, "%s: %s %s is more than 2 GiB", in->path, (*type)->name,
                       ls_text(*shape).text);
    return LS_OK;
}

static void convert(const struct idx_type *type, const unsigned char *from, size_t count, void *data)
{
    int32_t *ints = data;
    float *floats = data;
    for (size_t i = 0; i < count; i++, from += type->size) {
        uint64_t bits = big_endian(from, type->size);
        uint32_t word = (uint32_t)bits;
        double real;
        switch (type->code) {
        case 0x09: ints[i] = (int32_t)(bits ^ 0x80) - 0x80; break;
        case 0x0b: ints[i] = (int32_t)(bits ^ 0x8000) - 0x8000; break;
        case 0x0c: memcpy(&ints[i], &word, sizeof word); break;
        case 0x0d: memcpy(&floats[i], &word, sizeof word); break;
        case 0x0e:
            memcpy(&real, &bits, sizeof bits);
            floats[i] = (float)real;
            break;
        }
    }
}

/* Takes the elements that were read over into `idx`, in their type on the device. */
static ls_status keep(struct ls_input *in, const struct idx_type *type, unsigned char *raw, size_t bytes,
                      struct ls_idx *idx)
{
    idx->data = raw;
    if (type->code == 0x08)
        return LS_OK;
    size_t count = bytes / type->size;
    idx->data = count <= SIZE_MAX / 4 ? malloc(4 * count + 1) : NULL;
    if (idx->data)
        convert(type, raw, count, idx->data);
    free(raw);
    if (!idx->data)
        return ls_fail(in->ls, LS_OUT_OF_MEMORY, "%s: no host memory for %zu elements", in->path, count);
    return LS_OK;
}

static ls_status load(struct ls_input *in, struct ls_idx *idx)
{
    const struct idx_type *type = NULL;
    int64_t bytes = 0;
    if (read_header(in, &type, &idx->shape, &bytes) != LS_OK)
        return ls_error(in->ls);
    idx->dtype = type->dtype;
    unsigned char *raw = malloc((size_t)bytes + 1);
    if (!raw)
        return ls_fail(in->ls, LS_OUT_OF_MEMORY, "%s: no host memory for %lld bytes", in->path, (long long)bytes);
    size_t more = 0;
    char probe;
    ls_status status = read_exactly(in, raw, (size_t)bytes, "its elements");
    if (status == LS_OK)
        status = ls_input_read(in, &probe, 1, &more);
    if (status == LS_OK && more > 0)
        status = ls_fail(in->ls, LS_BAD_FILE, "%s: has more bytes than %s %s needs", in->path, type->name,
                         ls_text(idx->shape).text);
    if (status == LS_OK)
        return keep(in, type, raw, (size_t)bytes, idx);
    free(raw);
    return status;
}

ls_status ls_idx_load(ls_context *ls, const char *path, struct ls_idx *idx)
{
    memset(idx, 0, sizeof *idx);
    struct ls_input input;
    if (ls_input_open(&input, ls, path) != LS_OK)
        return ls_error(ls);
    ls_status status = load(&input, idx);
    ls_input_close(&input);
    if (status != LS_OK)
        memset(idx, 0, sizeof *idx);
    return status;
}

void ls_idx_finish(struct ls_idx *idx)
{
    free(idx->data);
    memset(idx, 0, sizeof *idx);
}

ls_tensor ls_read_idx(ls_context *ls, const char *path)
{
    if (!ls || ls_failed(ls))
        return (ls_tensor){0};
    if (!path) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "read_idx: the path is NULL");
        return (ls_tensor){0};
    }
    struct ls_idx idx;
    if (ls_idx_load(ls, path, &idx) != LS_OK)
        return (ls_tensor){0};
    ls_tensor tensor = ls_from_host(ls, idx.dtype, idx.shape, idx.data);
    ls_idx_finish(&idx);
    return tensor;
}
