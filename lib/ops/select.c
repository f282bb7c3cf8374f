/* SPDX-License-Identifier: Apache-2.0
 *
 * Ops by index that are made of gather and sort. An index is checked by looking it up in a table of
 * the places it may name, so that the kernels report its value, position and limit.
 */
#include "op.h"

/* start, start + step, …: int32. The caller has checked that all of it fits. */
static ls_tensor steps(ls_context *ls, int64_t n, int64_t start, int64_t step)
{
    const struct ls_value *o;
    ls_shape shape = LS_SHAPE(n);
    ls_tensor out = ls_op_result(ls, LS_INT32, &shape, &o);
    if (!out.context || n == 0)
        return out;
    struct ls_fill_args args = {.dst = o->storage->buffer,
                                .dtype = LS_INT32,
                                .value = (uint32_t)(int32_t)start,
                                .step = (uint32_t)(int32_t)step,
                                .n = n};
    return ls_dispatch_fill(ls, &args) == LS_OK ? out : LS_NIL;
}

/* `n` steps as dimension `axis` of a shape of `rank` otherwise of size 1. */
static ls_tensor steps_along(ls_context *ls, int rank, int axis, int64_t n, int64_t step)
{
    ls_shape shape = {.rank = rank};
    for (int d = 0; d < rank; d++)
        shape.dim[d] = d == axis ? n : 1;
    return ls_reshape(steps(ls, n, 0, step), shape);
}

static bool small_enough(ls_context *ls, const char *op, const ls_shape *shape)
{
    if (ls_shape_elements(shape) <= INT32_MAX)
        return true;
    ls_fail(ls, LS_OVERFLOW, "%s: %s has more than 2^31 - 1 elements, which int32 indices cannot number", op,
            ls_text(*shape).text);
    return false;
}

/* ---- take_along_axis, gather_nd ---- */

ls_tensor ls_take_along_axis(ls_tensor a, ls_tensor indices, int axis)
{
    const char *op = "take_along_axis";
    const struct ls_value *v[2];
    ls_context *ls = ls_op_enter(op, (ls_tensor[]){a, indices}, 2, v);
    int at = ls && ls_op_dtype(ls, op, v[1], LS_INT32) ? ls_op_axis(ls, op, axis, &v[0]->shape) : -1;
    if (at < 0)
        return LS_NIL;
    ls_shape shape = v[0]->shape, wanted = v[1]->shape, expected = shape;
    int64_t stride[LS_MAX_RANK], n = ls_shape_elements(&shape);
    expected.dim[at] = wanted.rank == shape.rank ? wanted.dim[at] : 0;
    if (!ls_shape_equal(&expected, &wanted)) {
        ls_fail(ls, LS_SHAPE_MISMATCH, "%s: indices %s should agree with %s in all dimensions but %d", op,
                ls_text(wanted).text, ls_text(shape).text, at);
        return LS_NIL;
    }
    if (!small_enough(ls, op, &shape))
        return LS_NIL;
    if (shape.dim[at] == 0 && ls_shape_elements(&wanted) > 0) {
        ls_fail(ls, LS_OUT_OF_RANGE, "%s: axis %d of %s has size 0: no index is valid", op, at, ls_text(shape).text);
        return LS_NIL;
    }
    ls_shape_strides(&shape, stride);
    if (n == 0)
        return ls_reshape(a, wanted);
    ls_tensor flat = ls_gather_for(op, steps(ls, shape.dim[at], 0, stride[at]), indices, 0);
    for (int d = 0; d < shape.rank; d++)
        if (d != at && shape.dim[d] > 1)
            flat = ls_add(flat, steps_along(ls, shape.rank, d, shape.dim[d], stride[d]));
    return ls_gather_for(op, ls_reshape(a, LS_SHAPE(n)), flat, 0); /* so that an index error names this op */
}

ls_tensor ls_gather_nd(ls_tensor a, ls_tensor indices)
{
    const struct ls_value *v[2];
    ls_context *ls = ls_op_enter("gather_nd", (ls_tensor[]){a, indices}, 2, v);
    if (!ls || !ls_op_dtype(ls, "gather_nd", v[1], LS_INT32))
        return LS_NIL;
    ls_shape shape = v[0]->shape, where = v[1]->shape, table = {.rank = 1, .dim = {1}};
    int64_t depth = where.rank > 0 ? where.dim[where.rank - 1] : 0;
    if (depth < 1 || depth > shape.rank || where.rank - 1 + shape.rank - depth > LS_MAX_RANK) {
        ls_fail(ls, LS_SHAPE_MISMATCH, "gather_nd: indices %s of %s: the last dimension, %lld, counts the axes they name, 1 "
                "to %d, and the result's rank is at most %d", ls_text(where).text, ls_text(shape).text, (long long)depth,
                shape.rank, LS_MAX_RANK);
        return LS_NIL;
    }
    if (!small_enough(ls, "gather_nd", &shape))
        return LS_NIL;
    int64_t stride = 1, begin[LS_MAX_RANK] = {0};
    ls_shape one = where, batch = where;
    ls_tensor flat = LS_NIL;
    batch.rank--;
    one.dim[one.rank - 1] = 1;
    for (int d = (int)depth - 1; d >= 0; d--) {
        if (shape.dim[d] == 0 && ls_shape_elements(&batch) > 0) {
            ls_fail(ls, LS_OUT_OF_RANGE, "gather_nd: axis %d of %s has size 0: no index is valid", d,
                    ls_text(shape).text);
            return LS_NIL;
        }
        begin[one.rank - 1] = d;
        ls_tensor coordinate = ls_reshape(ls_slice(indices, begin, one.dim, NULL), batch);
        ls_tensor places = ls_gather_for("gather_nd", steps(ls, shape.dim[d], 0, stride), coordinate, 0);
        flat = flat.context ? ls_add(flat, places) : places;
        stride *= shape.dim[d];
    }
    table.dim[0] = stride;
    for (int d = (int)depth; d < shape.rank; d++)
        table.dim[table.rank++] = shape.dim[d];
    return ls_gather_for("gather_nd", ls_reshape(a, table), flat, 0);
}

/* ---- Sorting ---- */

ls_tensor ls_argsort(ls_tensor a, int axis, bool descending)
{
    const struct ls_value *v, *o;
    ls_context *ls = ls_op_enter("argsort", &a, 1, &v);
    if (!ls || (v->dtype != LS_INT32 && !ls_op_dtype(ls, "argsort", v, LS_FLOAT32)))
        return LS_NIL;
    int at = ls_op_axis(ls, "argsort", axis, &v->shape), last = v->shape.rank - 1;
    if (at < 0)
        return LS_NIL;
    if (at != last) /* of no tape's concern: the result is int32 */
        return ls_moveaxis(ls_argsort(ls_moveaxis(ls_stop_gradient(a), at, -1), -1, descending), -1, at);
    int64_t n = ls_shape_elements(&v->shape), r = v->shape.dim[last];
    if (r > INT32_MAX) {
        ls_fail(ls, LS_OVERFLOW, "argsort: %lld elements along axis %d; int32 positions number fewer", (long long)r,
                at);
        return LS_NIL;
    }
    ls_tensor out = ls_op_result(ls, LS_INT32, &v->shape, &o);
    if (!out.context || n == 0)
        return out;
    struct ls_sort_args args = {v->dtype, ls_value_buffer(ls, v), o->storage->buffer, n / r, r, descending};
    return args.src && ls_dispatch_sort(ls, &args) == LS_OK ? out : LS_NIL;
}

ls_tensor ls_sort(ls_tensor a, int axis, bool descending)
{
    return ls_take_along_axis(a, ls_argsort(a, axis, descending), axis);
}

ls_status ls_top_k(ls_tensor a, int64_t k, ls_tensor *values, ls_tensor *indices)
{
    const struct ls_value *v;
    ls_context *ls = ls_op_enter("top_k", &a, 1, &v);
    if (values)
        *values = LS_NIL;
    if (indices)
        *indices = LS_NIL;
    if (!ls || !ls_op_given(ls, "top_k", "values", values, 1, "tensor") ||
        !ls_op_given(ls, "top_k", "indices", indices, 1, "tensor"))
        return a.context ? ls_error(a.context) : LS_INVALID_ARGUMENT;
    ls_shape shape = v->shape;
    int64_t begin[LS_MAX_RANK] = {0};
    if (shape.rank == 0 || k < 0 || k > shape.dim[shape.rank - 1])
        return ls_fail(ls, LS_INVALID_ARGUMENT, "top_k: %lld of the last dimension of %s; 0 to %lld", (long long)k,
                       ls_text(shape).text, (long long)(shape.rank ? shape.dim[shape.rank - 1] : 0));
    shape.dim[shape.rank - 1] = k;
    *indices = ls_slice(ls_argsort(a, -1, true), begin, shape.dim, NULL);
    *values = ls_take_along_axis(a, *indices, -1);
    return ls_error(ls);
}

/* Bisection: `low` is how many elements stand before the value, known to be at least so many. The
 * halving takes as many rounds as the length has bits, the same for all. */
ls_tensor ls_searchsorted(ls_tensor sorted, ls_tensor values, bool right)
{
    const char *op = "searchsorted";
    const struct ls_value *v[2];
    ls_context *ls = ls_op_enter(op, (ls_tensor[]){sorted, values}, 2, v);
    if (!ls || (v[0]->dtype != LS_INT32 && !ls_op_dtype(ls, op, v[0], LS_FLOAT32)) ||
        !ls_op_dtype(ls, op, v[1], v[0]->dtype))
        return LS_NIL;
    ls_shape shape = v[1]->shape;
    if (v[0]->shape.rank != 1 || v[0]->shape.dim[0] > INT32_MAX / 2) {
        ls_fail(ls, LS_SHAPE_MISMATCH, "%s: the sorted sequence %s should be a vector", op, ls_text(v[0]->shape).text);
        return LS_NIL;
    }
    int64_t n = v[0]->shape.dim[0], jump = 1;
    ls_tensor low = ls_zeros(ls, LS_INT32, shape), limit = ls_int_scalar(ls, (int32_t)n);
    sorted = ls_stop_gradient(sorted);
    values = ls_stop_gradient(values);
    while (2 * jump <= n)
        jump *= 2;
    for (; n > 0 && jump > 0; jump /= 2) {
        ls_tensor next = ls_add(low, ls_int_scalar(ls, (int32_t)jump)), inside = ls_less_equal(next, limit);
        ls_tensor probe = ls_minimum(ls_sub(next, ls_int_scalar(ls, 1)), ls_int_scalar(ls, (int32_t)n - 1));
        ls_tensor element = ls_gather(sorted, probe, 0);
        ls_tensor stands_before = right ? ls_less_equal(element, values) : ls_less(element, values);
        low = ls_where(ls_logical_and(inside, stands_before), next, low);
    }
    return low;
}

/* ---- scatter_update ---- */

/* Which update each row gets is found by sorting the indices: the last of equal ones, as they are stable. */
ls_tensor ls_scatter_update(ls_tensor base, ls_tensor indices, ls_tensor updates, int axis)
{
    const char *op = "scatter_update";
    const struct ls_value *v[3];
    ls_context *ls = ls_op_enter(op, (ls_tensor[]){base, indices, updates}, 3, v);
    int at = ls && ls_op_dtype(ls, op, v[1], LS_INT32) ? ls_op_axis(ls, op, axis, &v[0]->shape) : -1;
    if (at < 0 || !ls_op_dtype(ls, op, v[2], v[0]->dtype))
        return LS_NIL;
    ls_shape shape = v[0]->shape, expected = shape;
    int64_t rows = shape.dim[at], count = ls_shape_elements(&v[1]->shape);
    expected.dim[at] = count;
    if (v[1]->shape.rank != 1 || !ls_shape_equal(&expected, &v[2]->shape)) {
        ls_fail(ls, LS_SHAPE_MISMATCH, "%s: updates %s should be %s, %s by a vector of indices %s", op,
                ls_text(v[2]->shape).text, ls_text(expected).text, ls_text(shape).text, ls_text(v[1]->shape).text);
        return LS_NIL;
    }
    if (count == 0 || ls_shape_elements(&expected) == 0)
        return base;
    if (rows == 0) {
        ls_fail(ls, LS_OUT_OF_RANGE, "%s: axis %d of %s has size 0: no index is valid", op, at, ls_text(shape).text);
        return LS_NIL;
    }
    ls_tensor all = steps(ls, rows, 0, 1), one = ls_int_scalar(ls, 1), none = ls_int_scalar(ls, 0);
    ls_tensor checked = ls_gather_for(op, all, indices, 0), order = ls_argsort(checked, 0, false);
    ls_tensor sorted = ls_gather(checked, order, 0);
    ls_tensor found = ls_maximum(ls_sub(ls_searchsorted(sorted, all, true), one), none);
    ls_tensor hit = ls_equal(ls_gather(sorted, found, 0), all);
    ls_tensor source = ls_where(hit, ls_gather(order, found, 0), none);
    ls_shape along = {.rank = shape.rank};
    for (int d = 0; d < shape.rank; d++)
        along.dim[d] = d == at ? rows : 1;
    return ls_where(ls_reshape(hit, along), ls_gather(updates, source, at), base);
}

/* ---- Triangles, diagonals, grids ---- */

/* The elements where column - row <= k, or >= k; elsewhere 0. */
static ls_tensor triangle(const char *op, ls_tensor a, int64_t k, bool lower)
{
    const struct ls_value *v;
    ls_context *ls = ls_op_enter(op, &a, 1, &v);
    if (!ls)
        return LS_NIL;
    ls_shape shape = v->shape;
    if (shape.rank < 2 || shape.dim[shape.rank - 1] > INT32_MAX / 4 || shape.dim[shape.rank - 2] > INT32_MAX / 4) {
        ls_fail(ls, LS_SHAPE_MISMATCH, "%s: %s should be (…, rows, columns)", op, ls_text(shape).text);
        return LS_NIL;
    }
    k = k > INT32_MAX / 4 ? INT32_MAX / 4 : k < -(INT32_MAX / 4) ? -(INT32_MAX / 4) : k;
    ls_tensor row = ls_reshape(steps(ls, shape.dim[shape.rank - 2], k, 1), LS_SHAPE(-1, 1));
    ls_tensor column = steps(ls, shape.dim[shape.rank - 1], 0, 1);
    if (shape.dim[shape.rank - 2] == 0)
        return a;
    ls_tensor kept = lower ? ls_less_equal(column, row) : ls_greater_equal(column, row);
    return ls_where(kept, a, ls_zeros(ls, v->dtype, LS_SCALAR_SHAPE));
}

ls_tensor ls_tril(ls_tensor a, int64_t k) { return triangle("tril", a, k, true); }
ls_tensor ls_triu(ls_tensor a, int64_t k) { return triangle("triu", a, k, false); }

ls_tensor ls_diag(ls_tensor a)
{
    const struct ls_value *v;
    ls_context *ls = ls_op_enter("diag", &a, 1, &v);
    if (!ls)
        return LS_NIL;
    ls_shape shape = v->shape, flat = shape, whole = shape;
    int last = shape.rank - 1;
    if (shape.rank < 1 || shape.rank == LS_MAX_RANK ||
        !ls_checked_mul(shape.dim[last], shape.dim[last], &flat.dim[last])) {
        ls_fail(ls, LS_SHAPE_MISMATCH, "diag: %s should be (…, n) with a rank below %d", ls_text(shape).text,
                LS_MAX_RANK);
        return LS_NIL;
    }
    int64_t begin[LS_MAX_RANK] = {0}, step[LS_MAX_RANK];
    for (int d = 0; d <= last; d++)
        step[d] = d == last ? shape.dim[d] + 1 : 1;
    whole.dim[whole.rank++] = shape.dim[last];
    return ls_reshape(ls_unslice(a, flat, begin, step), whole);
}

ls_tensor ls_diag_part(ls_tensor a)
{
    const struct ls_value *v;
    ls_context *ls = ls_op_enter("diag_part", &a, 1, &v);
    if (!ls)
        return LS_NIL;
    ls_shape shape = v->shape, flat = shape;
    int last = shape.rank - 2;
    if (last < 0) {
        ls_fail(ls, LS_SHAPE_MISMATCH, "diag_part: %s should be (…, rows, columns)", ls_text(shape).text);
        return LS_NIL;
    }
    int64_t rows = shape.dim[last], columns = shape.dim[last + 1];
    int64_t begin[LS_MAX_RANK] = {0}, step[LS_MAX_RANK];
    flat.rank--;
    flat.dim[last] = rows * columns;
    ls_shape part = flat;
    part.dim[last] = rows < columns ? rows : columns;
    for (int d = 0; d <= last; d++)
        step[d] = d == last ? columns + 1 : 1;
    return ls_slice(ls_reshape(a, flat), begin, part.dim, step);
}

ls_tensor ls_eye(ls_context *ls, int64_t rows, int64_t columns)
{
    if (!ls_op_open(ls, "eye"))
        return LS_NIL;
    if (rows < 0 || columns < 0 || rows > INT32_MAX || columns > INT32_MAX) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "eye: %lld x %lld is not a size; 0 to 2^31 - 1", (long long)rows, (long long)columns);
        return LS_NIL;
    }
    ls_tensor row = ls_reshape(steps(ls, rows, 0, 1), LS_SHAPE(rows, 1));
    return ls_cast(ls_equal(row, steps(ls, columns, 0, 1)), LS_FLOAT32);
}

ls_tensor ls_range(ls_context *ls, int32_t start, int32_t limit, int32_t delta)
{
    if (!ls_op_open(ls, "range"))
        return LS_NIL;
    if (delta == 0) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "range: from %d to %d in steps of 0 has no end", (int)start, (int)limit);
        return LS_NIL;
    }
    int64_t span = delta > 0 ? (int64_t)limit - start : (int64_t)start - limit,
            by = delta > 0 ? delta : -(int64_t)delta;
    return steps(ls, span > 0 ? (span + by - 1) / by : 0, start, delta);
}

ls_tensor ls_linspace(ls_context *ls, float start, float stop, int64_t n)
{
    if (!ls_op_open(ls, "linspace"))
        return LS_NIL;
    if (n < 0 || n > 1 << 24) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "linspace: %lld values; 0 to 2^24", (long long)n);
        return LS_NIL;
    }
    ls_tensor place = steps(ls, n, 0, 1), step = ls_scalar(ls, n > 1 ? (stop - start) / (float)(n - 1) : 0.0f);
    ls_tensor y = ls_fma(ls_cast(place, LS_FLOAT32), step, ls_scalar(ls, start));
    if (n < 2)
        return y;
    return ls_where(ls_equal(place, ls_int_scalar(ls, (int32_t)n - 1)), ls_scalar(ls, stop), y);
}

ls_status ls_meshgrid(const ls_tensor *vectors, int count, bool matrix_indexing, ls_tensor *grids)
{
    const struct ls_value *v[LS_MAX_RANK];
    for (int i = 0; grids && i < count; i++)
        grids[i] = LS_NIL;
    if (!ls_op_list("meshgrid", vectors, count > 0 ? (size_t)count : 0, LS_MAX_RANK))
        return LS_INVALID_ARGUMENT;
    ls_context *ls = ls_op_enter("meshgrid", vectors, count, v);
    if (!ls || !ls_op_given(ls, "meshgrid", "grids", grids, count, "tensor"))
        return vectors[0].context ? ls_error(vectors[0].context) : LS_INVALID_ARGUMENT;
    ls_shape whole = {.rank = count};
    for (int i = 0; i < count; i++) {
        if (v[i]->shape.rank != 1)
            return ls_fail(ls, LS_SHAPE_MISMATCH, "meshgrid: input %d is %s; each should be a vector", i,
                           ls_text(v[i]->shape).text);
        int d = !matrix_indexing && i < 2 && count > 1 ? 1 - i : i; /* "xy": x runs along the columns */
        whole.dim[d] = v[i]->shape.dim[0];
    }
    for (int i = 0; i < count; i++) {
        int d = !matrix_indexing && i < 2 && count > 1 ? 1 - i : i;
        ls_shape own = {.rank = count};
        for (int k = 0; k < count; k++)
            own.dim[k] = k == d ? whole.dim[d] : 1;
        grids[i] = ls_broadcast_to(ls_reshape(vectors[i], own), whole);
    }
    return ls_error(ls);
}
