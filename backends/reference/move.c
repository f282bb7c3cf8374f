/* SPDX-License-Identifier: Apache-2.0
 *
 * fill, copy_nd, gather, scatter_add: what moves elements.
 */
#include "slots.h"

#include <string.h>

static size_t size_of(ls_dtype dtype)
{
    switch (dtype) {
    case LS_FLOAT16:
    case LS_BFLOAT16: return 2;
    case LS_UINT8:
    case LS_BOOL: return 1;
    default: return 4;
    }
}

/* ---- fill ---- */

static void fill_part(const void *work, int thread, int64_t begin, int64_t end)
{
    const struct ls_fill_args *args = work;
    (void)thread;
    if (size_of(args->dtype) == 1) {
        memset((uint8_t *)data_of(args->dst) + begin, (int)(args->value & 255u),
               (size_t)(end - begin));
    } else if (size_of(args->dtype) == 2) {
        uint16_t *to = (uint16_t *)data_of(args->dst) + begin, value = (uint16_t)args->value;
        EACH(i, end - begin) to[i] = value;
    } else {
        word *to = (word *)data_of(args->dst) + begin;
        word step = args->step;
        word value = args->value + (word)begin * step;
        EACH(i, end - begin) to[i] = value + (word)i * step;
    }
}

ls_status ISA(fill)(struct reference_device *device, const struct ls_fill_args *args)
{
    ls_reference_parallel(device, args->n, PARALLEL_WORK, fill_part, args);
    return LS_OK;
}

/* ---- copy_nd ---- */

/* A two-dimensional part: rows and columns, with the strides of both, on either side. */
struct plane {
    int64_t rows, columns, to_row, to_column, from_row, from_column;
};

static void copy_words(const struct plane *plane, const word *from, word *to)
{
    for (int64_t i = 0; i < plane->rows; i++, from += plane->from_row, to += plane->to_row) {
        if (plane->from_column == 1 && plane->to_column == 1 && plane->columns >= CACHE_LINE) {
            memcpy(to, from, (size_t)plane->columns * sizeof *to);
        } else if (plane->from_column == 1 && plane->to_column == 1) {
            for (int64_t j = 0; j < plane->columns; j++) {
                to[j] = from[j];
            }
        } else {
            for (int64_t j = 0; j < plane->columns; j++) {
                to[j * plane->to_column] = from[j * plane->from_column];
            }
        }
    }
}

static void copy_bytes(const struct plane *plane, const uint8_t *from, uint8_t *to)
{
    for (int64_t i = 0; i < plane->rows; i++, from += plane->from_row, to += plane->to_row) {
        if (plane->from_column == 1 && plane->to_column == 1) {
            memcpy(to, from, (size_t)plane->columns);
        } else {
            for (int64_t j = 0; j < plane->columns; j++) {
                to[j * plane->to_column] = from[j * plane->from_column];
            }
        }
    }
}

static void copy_halves(const struct plane *plane, const uint16_t *from, uint16_t *to)
{
    for (int64_t i = 0; i < plane->rows; i++, from += plane->from_row, to += plane->to_row) {
        if (plane->from_column == 1 && plane->to_column == 1) {
            memcpy(to, from, (size_t)plane->columns * sizeof *to);
        } else {
            for (int64_t j = 0; j < plane->columns; j++) {
                to[j * plane->to_column] = from[j * plane->from_column];
            }
        }
    }
}

/* A copy whose last two dimensions are `plane`, repeated over the dimensions before them. */
struct copy {
    const struct ls_copy_nd_args *args;
    struct plane plane;
    int64_t extent[LS_MAX_RANK], src_stride[LS_MAX_RANK], dst_stride[LS_MAX_RANK];
    int outer; /* how many dimensions come before */
};

/* Rows [begin, end) of all planes. */
static void copy_part(const void *work, int thread, int64_t begin, int64_t end)
{
    const struct copy *copy = work;
    const struct ls_copy_nd_args *args = copy->args;
    (void)thread;
    while (begin < end) {
        struct plane plane = copy->plane;
        int64_t rest = begin / plane.rows, row = begin % plane.rows;
        int64_t from = args->src_offset + row * plane.from_row;
        int64_t to = args->dst_offset + row * plane.to_row;
        for (int d = copy->outer - 1; d >= 0; d--) {
            from += rest % copy->extent[d] * copy->src_stride[d];
            to += rest % copy->extent[d] * copy->dst_stride[d];
            rest /= copy->extent[d];
        }
        plane.rows = plane.rows - row < end - begin ? plane.rows - row : end - begin;
        begin += plane.rows;
        if (size_of(args->dtype) == 1) {
            copy_bytes(&plane, (uint8_t *)data_of(args->src) + from, (uint8_t *)data_of(args->dst) + to);
        } else if (size_of(args->dtype) == 2) {
            copy_halves(&plane, (uint16_t *)data_of(args->src) + from, (uint16_t *)data_of(args->dst) + to);
        } else if (plane.from_row == 1 && plane.to_column == 1 && plane.columns >= 4) {
            ISA(transpose)((word *)data_of(args->src) + from, plane.from_column,
                           (word *)data_of(args->dst) + to, plane.to_row, plane.columns, plane.rows);
        } else {
            copy_words(&plane, (word *)data_of(args->src) + from, (word *)data_of(args->dst) + to);
        }
    }
}

/* Takes the last dimension as the columns of a plane, and as its rows the one along which src is
 * contiguous, if there is one (a transposition), else the last but one. */
static struct copy plan_copy(const struct ls_copy_nd_args *args)
{
    struct copy copy = {.args = args, .plane = {.rows = 1}};
    int columns = args->rank - 1, rows = args->rank - 2;
    for (int d = 0; d < columns && args->src_stride[columns] != 1; d++) {
        rows = args->src_stride[d] == 1 ? d : rows;
    }
    copy.plane.columns = args->extent[columns];
    copy.plane.from_column = args->src_stride[columns];
    copy.plane.to_column = args->dst_stride[columns];
    if (rows >= 0) {
        copy.plane.rows = args->extent[rows];
        copy.plane.from_row = args->src_stride[rows];
        copy.plane.to_row = args->dst_stride[rows];
    }
    for (int d = 0; d < columns; d++) {
        if (d != rows) {
            copy.extent[copy.outer] = args->extent[d];
            copy.src_stride[copy.outer] = args->src_stride[d];
            copy.dst_stride[copy.outer++] = args->dst_stride[d];
        }
    }
    return copy;
}

ls_status ISA(copy_nd)(struct reference_device *device, const struct ls_copy_nd_args *args)
{
    struct copy copy = plan_copy(args);
    int64_t rows = copy.plane.rows;
    for (int d = 0; d < copy.outer; d++) {
        rows *= copy.extent[d];
    }
    if (rows * copy.plane.columns > 0) {
        int64_t grain = PARALLEL_WORK / copy.plane.columns + 1;
        ls_reference_parallel(device, rows, (grain + 15) / 16 * 16, copy_part, &copy);
    }
    return LS_OK;
}

/* ---- gather and scatter_add ---- */

void ISA(check_indices)(struct reference_device *device, enum ls_fault_kind kind,
                        const int32_t *indices, int64_t count, int64_t limit)
{
    uint32_t bound = limit > INT32_MAX ? (uint32_t)INT32_MAX + 1 : (uint32_t)limit;
    uint32_t outside = 0;
    for (int64_t i = 0; i < count; i++) {
        outside |= (uint32_t)indices[i] >= bound;
    }
    if (!outside) {
        return;
    }
    int64_t i = 0;
    while (indices[i] >= 0 && indices[i] < limit) {
        i++;
    }
    ls_reference_fault(device, kind, i, indices[i], limit);
}

/* Rows [begin, end) of dst, counted through outer and count. */
static void gather_part(const void *work, int thread, int64_t begin, int64_t end)
{
    const struct ls_gather_args *args = work;
    const int32_t *indices = data_of(args->indices);
    size_t size = size_of(args->dtype);
    size_t row = (size_t)args->inner * size;
    uint8_t *to = (uint8_t *)data_of(args->dst) + (size_t)begin * row;
    (void)thread;
    for (int64_t i = begin; i < end;) {
        int64_t outer = i / args->count;
        int64_t last = (outer + 1) * args->count < end ? (outer + 1) * args->count : end;
        const uint8_t *table = (uint8_t *)data_of(args->table) + (size_t)(outer * args->rows) * row;
        const int32_t *index = indices + (i - outer * args->count);
        for (; i < last; i++, index++, to += row) {
            if (*index < 0 || *index >= args->rows) {
                memset(to, 0, row);
            } else if (row == 4) {
                memcpy(to, table + (size_t)*index * 4, 4);
            } else {
                memcpy(to, table + (size_t)*index * row, row);
            }
        }
    }
}

ls_status ISA(gather)(struct reference_device *device, const struct ls_gather_args *args)
{
    ISA(check_indices)(device, LS_FAULT_GATHER, data_of(args->indices), args->count, args->rows);
    ls_reference_parallel(device, args->outer * args->count, PARALLEL_WORK / args->inner + 1,
                          gather_part, args);
    return LS_OK;
}

/* A range of the columns of all rows. */
static void scatter_columns(const void *work, int thread, int64_t begin, int64_t end)
{
    const struct ls_scatter_add_args *args = work;
    const int32_t *indices = data_of(args->indices);
    (void)thread;
    for (int64_t outer = 0; outer < args->outer; outer++) {
        float *dst = (float *)data_of(args->dst) + outer * args->rows * args->inner;
        const float *updates = (float *)data_of(args->updates) + outer * args->count * args->inner;
        for (int64_t i = 0; i < args->count; i++) {
            if (indices[i] >= 0 && indices[i] < args->rows) {
                float *to = dst + indices[i] * args->inner + begin;
                const float *from = updates + i * args->inner + begin;
                EACH(j, end - begin) to[j] += from[j];
            }
        }
    }
}

/* A range of the rows of dst, counted through outer: each thread reads all indices and takes those
 * that are its own. */
static void scatter_rows(const void *work, int thread, int64_t begin, int64_t end)
{
    const struct ls_scatter_add_args *args = work;
    const int32_t *indices = data_of(args->indices);
    (void)thread;
    for (int64_t outer = begin / args->rows; outer * args->rows < end; outer++) {
        int64_t first = outer * args->rows;
        float *dst = (float *)data_of(args->dst) + first * args->inner;
        const float *updates = (float *)data_of(args->updates) + outer * args->count * args->inner;
        int64_t low = begin > first ? begin - first : 0;
        int64_t high = end - first < args->rows ? end - first : args->rows;
        for (int64_t i = 0; i < args->count; i++) {
            if (indices[i] >= low && indices[i] < high) {
                float *to = dst + indices[i] * args->inner;
                const float *from = updates + i * args->inner;
                EACH(j, args->inner) to[j] += from[j];
            }
        }
    }
}

ls_status ISA(scatter_add)(struct reference_device *device, const struct ls_scatter_add_args *args)
{
    ISA(check_indices)(device, LS_FAULT_SCATTER_ADD, data_of(args->indices), args->count, args->rows);
    bool small = args->outer * args->count * args->inner < PARALLEL_WORK;
    int64_t rows = args->outer * args->rows;
    if (args->inner >= 2 * CACHE_LINE) {
        ls_reference_parallel(device, args->inner, small ? args->inner : CACHE_LINE, scatter_columns,
                              args);
    } else {
        /* Reading all indices pays only where a row costs more than an index does. */
        bool serial = small || args->inner < 8;
        ls_reference_parallel(device, rows, serial ? rows : CACHE_LINE, scatter_rows, args);
    }
    return LS_OK;
}
