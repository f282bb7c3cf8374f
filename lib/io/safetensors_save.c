/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing safetensors: tensors by falling size of their elements, then by name, so that every one is aligned;
 * the header is padded to a multiple of eight. The checksum is put in when everything else is written.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "../core/internal.h"
#include "atomic.h"
#include "bytes.h"
#include "safetensors.h"
#include "safetensors_format.h"

static ls_dtype dtype_of(const struct ls_named_data *item)
{
    return item->tensor.context ? ls_dtype_of(item->tensor) : LS_UINT8;
}

static size_t size_of(const struct ls_named_data *item)
{
    return item->tensor.context ? (size_t)ls_size(item->tensor) * ls_dtype_size(dtype_of(item)) : item->size;
}

static int by_alignment(const void *a, const void *b)
{
    const struct ls_named_data *x = *(const struct ls_named_data *const *)a,
                               *y = *(const struct ls_named_data *const *)b;
    size_t of_x = ls_dtype_size(dtype_of(x)), of_y = ls_dtype_size(dtype_of(y));
    return of_x != of_y ? (of_x > of_y ? -1 : 1) : strcmp(x->name, y->name);
}

static ls_status check_items(ls_context *ls, const char *path, const struct ls_named_data *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *name = items[i].name;
        if (!name || strcmp(name, "__metadata__") == 0 || !ls_is_utf8(name, strlen(name)))
            return ls_fail(ls, LS_INVALID_ARGUMENT, "%s: the name of tensor %zu is %s", path, i,
                           !name            ? "NULL"
                           : name[0] == '_' ? "__metadata__, which the format uses"
                                            : "not UTF-8");
        ls_tensor t = items[i].tensor;
        if (t.context && t.context != ls)
            return ls_fail(ls, LS_FOREIGN_HANDLE, "%s: tensor %s belongs to another context", path, name);
        /* Even a rank-0 tensor has an element while it lives. */
        bool released = t.context && ls_shape_of_tensor(t).rank == 0 && ls_size(t) == 0;
        if (released || (!t.context && !items[i].bytes && items[i].size > 0))
            return ls_fail(ls, LS_STALE_HANDLE, "%s: tensor %s is nil or was released", path, name);
    }
    return LS_OK;
}

/* ---- The header ---- */

static const char *type_name(ls_dtype dtype)
{
    const struct ls_safetensors_type *type = ls_safetensors_types;
    while (type->dtype != (int)dtype)
        type++;
    return type->name;
}

static json_t *make_entry(const struct ls_named_data *item, uint64_t begin)
{
    ls_shape shape = item->tensor.context ? ls_shape_of_tensor(item->tensor) : LS_SHAPE((int64_t)item->size);
    json_t *dims = json_array();
    for (int d = 0; d < shape.rank; d++)
        json_array_append_new(dims, json_integer((json_int_t)shape.dim[d]));
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", type_name(dtype_of(item)), "shape", dims, "data_offsets",
                     (json_int_t)begin, (json_int_t)(begin + size_of(item)));
}

/* The header as text, padded; NULL with the error raised. `sorted` are checked. */
static char *make_header(ls_context *ls, const char *path, const struct ls_named_data *const *sorted, size_t count,
                         const char *const *metadata, size_t *length)
{
    json_t *header = json_object(), *more = json_pack("{s:s}", LS_SAFETENSORS_CRC, "00000000");
    bool good = header && more;
    for (size_t i = 0; good && metadata && metadata[i]; i += 2)
        if (!metadata[i + 1] || json_object_get(more, metadata[i]) ||
            json_object_set_new(more, metadata[i], json_string(metadata[i + 1])) != 0) {
            ls_fail(ls, LS_INVALID_ARGUMENT,
                    "%s: metadata are pairs of texts in UTF-8, each key once; \"%.100s\" is not", path, metadata[i]);
            good = false;
        }
    if (!good)
        json_decref(more);
    good = good && json_object_set_new(header, "__metadata__", more) == 0;
    uint64_t at = 0;
    for (size_t i = 0; good && i < count; at += size_of(sorted[i]), i++) {
        if (json_object_get(header, sorted[i]->name))
            ls_fail(ls, LS_INVALID_ARGUMENT, "%s: two tensors are called %s; a name can be there once", path,
                    sorted[i]->name);
        good = !ls_failed(ls) && json_object_set_new(header, sorted[i]->name, make_entry(sorted[i], at)) == 0;
    }
    char *text = good ? json_dumps(header, JSON_COMPACT) : NULL, *padded = NULL;
    json_decref(header);
    *length = text ? (strlen(text) + 7) / 8 * 8 : 0;
    if (text && *length <= LS_SAFETENSORS_HEADER && (padded = malloc(*length))) {
        memset(padded, ' ', *length);
        memcpy(padded, text, strlen(text));
    }
    free(text);
    if (!padded)
        ls_fail(ls, *length > LS_SAFETENSORS_HEADER ? LS_OVERFLOW : LS_OUT_OF_MEMORY,
                "%s: the header is above 100,000,000 bytes, or memory is exhausted", path);
    return padded;
}

/* ---- The data ---- */

static ls_status write_and_sum(struct ls_atomic *save, uint32_t *crc, const void *data, size_t bytes)
{
    *crc = ls_crc32c(*crc, data, bytes);
    return ls_atomic_write(save, data, bytes);
}

static ls_status write_item(struct ls_atomic *save, uint32_t *crc, const struct ls_named_data *item)
{
    size_t size = size_of(item);
    if (!item->tensor.context)
        return write_and_sum(save, crc, item->bytes, size);
    void *data = malloc(size ? size : 1);
    if (!data)
        return ls_fail(save->ls, LS_OUT_OF_MEMORY, "%s: no host memory for %zu bytes of %s", save->path, size,
                       item->name);
    ls_status status = ls_read(item->tensor, data, size);
    if (status == LS_OK)
        status = write_and_sum(save, crc, data, size);
    free(data);
    return status;
}

static ls_status write_file(struct ls_atomic *save, const char *header, size_t length,
                            const struct ls_named_data *const *sorted, size_t count)
{
    unsigned char start[8];
    for (int i = 0; i < 8; i++)
        start[i] = (unsigned char)((uint64_t)length >> 8 * i);
    uint32_t crc = 0;
    ls_status status = write_and_sum(save, &crc, start, sizeof start);
    if (status == LS_OK)
        status = write_and_sum(save, &crc, header, length);
    for (size_t i = 0; i < count && status == LS_OK; i++)
        status = write_item(save, &crc, sorted[i]);
    char digits[9];
    snprintf(digits, sizeof digits, "%08" PRIx32, crc);
    if (status == LS_OK)
        status = ls_atomic_patch(save, 8 + sizeof LS_SAFETENSORS_START - 1, digits, 8);
    if (status == LS_OK)
        return ls_atomic_commit(save);
    ls_atomic_abandon(save);
    return status;
}

ls_status ls_safetensors_save(ls_context *ls, const char *path, const struct ls_named_data *items, size_t count,
                              const char *const *metadata)
{
    if (!ls || ls_failed(ls))
        return ls ? ls_error(ls) : LS_INVALID_ARGUMENT;
    if (!path || (!items && count > 0))
        return ls_fail(ls, LS_INVALID_ARGUMENT, "safetensors: needs a path and tensors");
    if (check_items(ls, path, items, count) != LS_OK)
        return ls_error(ls);
    const struct ls_named_data **sorted = malloc((count + 1) * sizeof *sorted);
    struct ls_atomic *save = malloc(sizeof *save);
    if (!sorted || !save)
        ls_fail(ls, LS_OUT_OF_MEMORY, "%s: no host memory to save it", path);
    for (size_t i = 0; sorted && i < count; i++)
        sorted[i] = &items[i];
    if (sorted)
        qsort(sorted, count, sizeof *sorted, by_alignment);
    size_t length = 0;
    char *header = ls_failed(ls) ? NULL : make_header(ls, path, sorted, count, metadata, &length);
    if (header && ls_atomic_begin(save, ls, path) == LS_OK)
        write_file(save, header, length, sorted, count);
    free(header);
    free(save);
    free(sorted);
    return ls_error(ls);
}

ls_status ls_save_safetensors_with(const ls_safetensors_options *o)
{
    if (!o)
        return ls_no_options("save_safetensors"), LS_INVALID_ARGUMENT;
    if (!o->context || ls_failed(o->context))
        return o->context ? ls_error(o->context) : LS_INVALID_ARGUMENT;
    struct ls_named_data *items = calloc(o->count + 1, sizeof *items);
    if (!items)
        return ls_fail(o->context, LS_OUT_OF_MEMORY, "%s: no host memory to save it",
                       o->path ? o->path : "safetensors");
    /* A size, so that nil is an error and not an empty array. */
    for (size_t i = 0; o->tensors && i < o->count; i++)
        items[i] = (struct ls_named_data){.name = o->tensors[i].name, .tensor = o->tensors[i].tensor, .size = 1};
    ls_status status = ls_safetensors_save(o->context, o->path, o->tensors ? items : NULL, o->count, o->metadata);
    free(items);
    return status;
}
