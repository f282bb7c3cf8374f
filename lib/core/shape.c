/* SPDX-License-Identifier: Apache-2.0
 *
 * Shapes and checked sizes.
 */
#include <stdio.h>
#include <string.h>

#include "internal.h"

ls_shape ls_shape_of(int rank, const int64_t *dims)
{
    ls_shape shape = {.rank = dims || rank <= 0 ? rank : -1}; /* no rank: refused wherever it is used */
    for (int d = 0; dims && d < rank && d < LS_MAX_RANK; d++)
        shape.dim[d] = dims[d];
    return shape;
}

static const struct {
    const char *name;
    size_t size;
    uint32_t one; /* its bits */
} dtypes[LS_DTYPE_COUNT] = {
    [LS_FLOAT32] = {"float32", 4, 0x3f800000},
    [LS_INT32] = {"int32", 4, 1},
    [LS_UINT8] = {"uint8", 1, 1},
    [LS_BOOL] = {"bool", 1, 1},
    [LS_FLOAT16] = {"float16", 2, 0x3c00},
    [LS_BFLOAT16] = {"bfloat16", 2, 0x3f80},
};

size_t ls_dtype_size(ls_dtype dtype) { return (unsigned)dtype < LS_DTYPE_COUNT ? dtypes[dtype].size : 0; }

const char *ls_dtype_name(ls_dtype dtype)
{
    return (unsigned)dtype < LS_DTYPE_COUNT ? dtypes[dtype].name : "unknown type";
}

uint32_t ls_dtype_one(ls_dtype dtype) { return (unsigned)dtype < LS_DTYPE_COUNT ? dtypes[dtype].one : 0; }

bool ls_dtype_is_float16(ls_dtype dtype) { return dtype == LS_FLOAT16 || dtype == LS_BFLOAT16; }

bool ls_dtype_is_float(ls_dtype dtype) { return dtype == LS_FLOAT32 || ls_dtype_is_float16(dtype); }

bool ls_checked_mul(int64_t a, int64_t b, int64_t *product)
{
    if (a != 0 && b > INT64_MAX / a)
        return false;
    *product = a * b;
    return true;
}

int64_t ls_shape_elements(const ls_shape *shape)
{
    if (shape->rank < 0 || shape->rank > LS_MAX_RANK)
        return -1;
    int64_t n = 1;
    bool empty = false;
    for (int d = 0; d < shape->rank; d++) {
        if (shape->dim[d] < 0)
            return -1;
        if (shape->dim[d] == 0)
            empty = true;
        else if (!ls_checked_mul(n, shape->dim[d], &n))
            return -1;
    }
    return empty ? 0 : n;
}

bool ls_shape_equal(const ls_shape *a, const ls_shape *b)
{
    return a->rank == b->rank && memcmp(a->dim, b->dim, (size_t)a->rank * sizeof a->dim[0]) == 0;
}

void ls_shape_strides(const ls_shape *shape, int64_t *strides)
{
    int64_t stride = 1;
    for (int d = shape->rank - 1; d >= 0; d--) {
        strides[d] = stride;
        stride *= shape->dim[d];
    }
}

bool ls_shape_broadcast(const ls_shape *a, const ls_shape *b, ls_shape *out)
{
    const ls_shape *longer = a->rank >= b->rank ? a : b, *shorter = longer == a ? b : a;
    ls_shape result = *longer;
    int shift = longer->rank - shorter->rank;
    for (int d = 0; d < shorter->rank; d++) {
        int64_t x = longer->dim[d + shift], y = shorter->dim[d];
        if (x != y && x != 1 && y != 1)
            return false;
        result.dim[d + shift] = x == 1 ? y : x;
    }
    *out = result;
    return true;
}

int ls_shape_axis(int axis, int rank)
{
    if (axis < -rank || axis >= rank)
        return -1;
    return axis < 0 ? axis + rank : axis;
}

char *ls_shape_text(ls_shape shape, char *text, size_t size)
{
    if (size == 0)
        return text;
    size_t at = (size_t)snprintf(text, size, "(");
    for (int d = 0; d < shape.rank && d < LS_MAX_RANK && at < size; d++)
        at += (size_t)snprintf(text + at, size - at, d ? ", %lld" : "%lld", (long long)shape.dim[d]);
    if (at < size)
        snprintf(text + at, size - at, shape.rank == 1 ? ",)" : ")");
    return text;
}

struct ls_text ls_text(ls_shape shape)
{
    struct ls_text t;
    ls_shape_text(shape, t.text, sizeof t.text);
    return t;
}
