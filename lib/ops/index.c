/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows by index. The checks of the indices' values are made by the kernels, which note a fault that
 * the next waiting call reports: no op waits for the device.
 */
#include <string.h>

#include "op.h"

/* (outer, rows, inner) of a tensor around an axis. */
static void split(const ls_shape *shape, int axis, int64_t *outer, int64_t *rows, int64_t *inner)
{
    *outer = *inner = 1;
    *rows = shape->dim[axis];
    for (int d = 0; d < shape->rank; d++)
        *(d < axis ? outer : inner) *= d == axis ? 1 : shape->dim[d];
}

/* `table` with its axis replaced by the dimensions of `indices`; false if the rank is too large. */
static bool gathered(const ls_shape *table, const ls_shape *indices, int axis, ls_shape *shape)
{
    *shape = (ls_shape){.rank = 0};
    if (table->rank - 1 + indices->rank > LS_MAX_RANK)
        return false;
    for (int d = 0; d < axis; d++)
        shape->dim[shape->rank++] = table->dim[d];
    for (int d = 0; d < indices->rank; d++)
        shape->dim[shape->rank++] = indices->dim[d];
    for (int d = axis + 1; d < table->rank; d++)
        shape->dim[shape->rank++] = table->dim[d];
    return ls_shape_elements(shape) >= 0;
}

/* g added up by index (scatter_add), in float32 whatever is stored. */
static void vjp_gather(struct ls_vjp_call *call)
{
    if (!call->needs[0])
        return;
    ls_tensor zeros = ls_zeros(call->ls, LS_FLOAT32, ls_shape_of_tensor(call->in[0]));
    ls_tensor sums = ls_scatter_add(zeros, call->in[1], ls_cast(call->dy, LS_FLOAT32), *(const int *)call->attributes);
    call->dx[0] = ls_cast(sums, ls_dtype_of(call->in[0]));
}

static const struct ls_op gather_op = {"gather", vjp_gather, NULL};

/* An index out of range is found when the device is waited for: who may have given it is kept until then. */
static void note_lookup(ls_context *ls, const char *op)
{
    int i = 0;
    while (i < LS_LOOKUPS && ls->lookups[i] && strcmp(ls->lookups[i], op) != 0)
        i++;
    if (i < LS_LOOKUPS)
        ls->lookups[i] = op;
}

ls_tensor ls_gather_for(const char *op, ls_tensor a, ls_tensor indices, int axis)
{
    const struct ls_value *v[2], *o;
    ls_tensor in[] = {a, indices};
    ls_shape shape;
    ls_context *ls = ls_op_enter(op, in, 2, v);
    int at = ls ? ls_op_axis(ls, op, axis, &v[0]->shape) : -1;
    if (at < 0 || !ls_op_dtype(ls, op, v[1], LS_INT32))
        return LS_NIL;
    if (!gathered(&v[0]->shape, &v[1]->shape, at, &shape)) {
        ls_fail(ls, LS_OVERFLOW, "%s: %s by indices %s has a rank above %d or too many elements", op,
                ls_text(v[0]->shape).text, ls_text(v[1]->shape).text, LS_MAX_RANK);
        return LS_NIL;
    }
    struct ls_gather_args args = {.dtype = v[0]->dtype, .count = ls_shape_elements(&v[1]->shape)};
    split(&v[0]->shape, at, &args.outer, &args.rows, &args.inner);
    if (args.rows == 0 && args.outer * args.inner * args.count > 0) {
        ls_fail(ls, LS_OUT_OF_RANGE, "%s: axis %d of %s has size 0: no index is valid", op, at, ls_text(v[0]->shape).text);
        return LS_NIL;
    }
    ls_tensor out = ls_op_result(ls, v[0]->dtype, &shape, &o);
    if (!out.context)
        return LS_NIL;
    if (ls_shape_elements(&shape) > 0) {
        note_lookup(ls, op);
        args.table = ls_value_buffer(ls, v[0]);
        args.indices = ls_value_buffer(ls, v[1]);
        args.dst = o->storage->buffer;
        if (!args.table || !args.indices || ls_dispatch_gather(ls, &args) != LS_OK)
            return LS_NIL;
    }
    if (!ls_dtype_is_float(v[0]->dtype))
        return out;
    return ls_record(ls, &gather_op, in, 2, out, 2, &at, sizeof at);
}

ls_tensor ls_gather(ls_tensor a, ls_tensor indices, int axis) { return ls_gather_for(gather_op.name, a, indices, axis); }

static void vjp_scatter_add(struct ls_vjp_call *call)
{
    if (call->needs[0])
        call->dx[0] = call->dy;
    if (call->needs[2])
        call->dx[2] = ls_gather(call->dy, call->in[1], *(const int *)call->attributes);
}

static const struct ls_op scatter_add_op = {"scatter_add", vjp_scatter_add, NULL};

ls_tensor ls_scatter_add(ls_tensor base, ls_tensor indices, ls_tensor updates, int axis)
{
    const struct ls_value *v[3], *o;
    ls_tensor in[] = {base, indices, updates};
    ls_shape shape;
    ls_context *ls = ls_op_enter("scatter_add", in, 3, v);
    int at = ls ? ls_op_axis(ls, "scatter_add", axis, &v[0]->shape) : -1;
    if (at < 0 || !ls_op_dtype(ls, "scatter_add", v[0], LS_FLOAT32) ||
        !ls_op_dtype(ls, "scatter_add", v[1], LS_INT32) || !ls_op_dtype(ls, "scatter_add", v[2], LS_FLOAT32))
        return LS_NIL;
    if (!gathered(&v[0]->shape, &v[1]->shape, at, &shape) || !ls_shape_equal(&shape, &v[2]->shape)) {
        ls_fail(ls, LS_SHAPE_MISMATCH, "scatter_add: updates %s should be %s, %s by indices %s",
                ls_text(v[2]->shape).text, ls_text(shape).text, ls_text(v[0]->shape).text, ls_text(v[1]->shape).text);
        return LS_NIL;
    }
    struct ls_scatter_add_args args = {.count = ls_shape_elements(&v[1]->shape)};
    split(&v[0]->shape, at, &args.outer, &args.rows, &args.inner);
    ls_tensor out = ls_op_result(ls, LS_FLOAT32, &v[0]->shape, &o);
    if (!out.context)
        return LS_NIL;
    int64_t n = ls_shape_elements(&v[0]->shape);
    if (n == 0 && ls_shape_elements(&v[2]->shape) > 0) {
        ls_fail(ls, LS_OUT_OF_RANGE, "scatter_add: axis %d of %s has size 0: no index is valid", at,
                ls_text(v[0]->shape).text);
        return LS_NIL;
    }
    if (n > 0) {
        args.dst = o->storage->buffer;
        struct ls_fill_args fill = {.dst = args.dst, .dtype = LS_FLOAT32, .value = v[0]->storage->word, .n = n};
        ls_status status = v[0]->storage->constant ? ls_dispatch_fill(ls, &fill)
                                                   : ls_copy_elements(ls, ls_value_buffer(ls, v[0]), args.dst,
                                                                      LS_FLOAT32, n);
        if (status != LS_OK)
            return LS_NIL;
    }
    if (ls_shape_elements(&v[2]->shape) > 0) {
        args.indices = ls_value_buffer(ls, v[1]);
        args.updates = ls_value_buffer(ls, v[2]);
        if (!args.indices || !args.updates || ls_dispatch_scatter_add(ls, &args) != LS_OK)
            return LS_NIL;
    }
    return ls_record(ls, &scatter_add_op, in, 3, out, 2, &at, sizeof at);
}

ls_tensor ls_arange(ls_context *ls, int64_t n)
{
    const struct ls_value *o;
    if (!ls_op_open(ls, "arange"))
        return LS_NIL;
    if (n < 0 || n > INT32_MAX) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "arange: %lld is not a count that int32 can hold; 0 to 2^31 - 1", (long long)n);
        return LS_NIL;
    }
    ls_shape shape = LS_SHAPE(n);
    ls_tensor out = ls_op_result(ls, LS_INT32, &shape, &o);
    if (!out.context || n == 0)
        return out;
    struct ls_fill_args args = {.dst = o->storage->buffer, .dtype = LS_INT32, .step = 1, .n = n};
    return ls_dispatch_fill(ls, &args) == LS_OK ? out : LS_NIL;
}

ls_tensor ls_one_hot_of_checked(ls_tensor labels, int64_t depth)
{
    ls_tensor columns = ls_arange(labels.context, depth);
    return ls_cast(ls_equal(ls_expand_dims(labels, -1), columns), LS_FLOAT32);
}

ls_tensor ls_one_hot(ls_tensor labels, int64_t depth)
{
    const struct ls_value *v;
    ls_context *ls = ls_op_enter("one_hot", &labels, 1, &v);
    if (!ls || !ls_op_dtype(ls, "one_hot", v, LS_INT32))
        return LS_NIL;
    if (depth < 0 || v->shape.rank == LS_MAX_RANK) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "one_hot: depth %lld of labels %s; depth is not negative, rank below %d",
                (long long)depth, ls_text(v->shape).text, LS_MAX_RANK);
        return LS_NIL;
    }
    /* A label out of range is found where every index is checked: by a gather, from nothing but zeros. */
    ls_tensor zeros = ls_zeros(ls, LS_UINT8, (ls_shape){1, {depth}}), checked = ls_gather_for("one_hot", zeros, labels, 0);
    ls_release(&checked);
    ls_release(&zeros);
    return ls_one_hot_of_checked(labels, depth);
}
