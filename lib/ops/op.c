/* SPDX-License-Identifier: Apache-2.0 */
#include "op.h"

#include <string.h>

ls_context *ls_op_enter(const char *op, const ls_tensor *in, int count, const struct ls_value **values)
{
    ls_context *ls = NULL;
    for (int i = 0; i < count && !ls; i++)
        ls = in[i].context;
    if (!ls || ls->error != LS_OK)
        return NULL;
    ls->op = op;
    for (int i = 0; i < count; i++) {
        if (in[i].context && in[i].context != ls) {
            ls_context *both[] = {ls, in[i].context}; /* whichever the user asks */
            for (int k = 0; k < 2; k++)
                ls_fail(both[k], LS_FOREIGN_HANDLE, "%s: input %d and those before it belong to different contexts; ls_read "
                        "and ls_from_host move one to another context", op, i);
            return NULL;
        }
        const struct ls_slot *slot = ls_slot_of(in[i]);
        if (!slot) {
            ls_fail(ls, in[i].context ? LS_STALE_HANDLE : LS_INVALID_ARGUMENT, "%s: input %d %s", op, i,
                    in[i].context ? "was released with its scope; ls_keep moves a tensor to the outer scope"
                                  : "is the nil tensor");
            return NULL;
        }
        if (!slot->value.storage) {
            ls_fail(ls, LS_INTERNAL, "%s: input %d was not saved for the gradient; please report this", op, i);
            return NULL;
        }
        values[i] = &slot->value;
    }
    return ls;
}

bool ls_op_open(ls_context *ls, const char *op)
{
    if (!ls || ls_failed(ls))
        return false;
    ls->op = op;
    return true;
}

ls_tensor ls_op_result(ls_context *ls, ls_dtype dtype, const ls_shape *shape, const struct ls_value **out)
{
    int64_t n = ls_shape_elements(shape);
    if (n < 0 || ls_too_large(dtype, n)) {
        ls_fail(ls, LS_OVERFLOW, "%s: its result, %s %s, is larger than any device's memory", ls->op, ls_dtype_name(dtype),
                ls_text(*shape).text);
        return LS_NIL;
    }
    struct ls_storage *storage = ls_storage_new(ls, dtype, n);
    if (!storage)
        return LS_NIL;
    ls_tensor result = ls_tensor_new(ls, dtype, shape, storage, 0);
    if (result.context)
        *out = &ls_slot_of(result)->value;
    return result;
}

bool ls_op_dtype(ls_context *ls, const char *op, const struct ls_value *value, ls_dtype dtype)
{
    if (value->dtype == dtype)
        return true;
    ls_fail(ls, LS_DTYPE_MISMATCH, "%s: needs %s, but was given %s %s; ls_cast converts", op, ls_dtype_name(dtype),
            ls_dtype_name(value->dtype), ls_text(value->shape).text);
    return false;
}

bool ls_op_given(ls_context *ls, const char *op, const char *argument, const void *pointer, int64_t count,
                 const char *thing)
{
    if (pointer || count == 0)
        return true;
    ls_fail(ls, LS_INVALID_ARGUMENT, "%s: %s is NULL; it should lead to %lld %s%s", op, argument, (long long)count, thing,
            count == 1 ? "" : "s");
    return false;
}

bool ls_op_list(const char *op, const ls_tensor *tensors, size_t count, size_t most)
{
    ls_context *ls = NULL;
    if (count == 0 || !tensors) {
        ls_fail(NULL, LS_INVALID_ARGUMENT, "%s: %s; it takes 1 to %zu tensors", op,
                count ? "the array of tensors is NULL" : "no tensors", most);
        return false;
    }
    if (count <= most)
        return true;
    for (size_t i = 0; i < most && !ls; i++)
        ls = tensors[i].context;
    ls_fail(ls, LS_INVALID_ARGUMENT, "%s: %zu tensors; it takes 1 to %zu in one call", op, count, most);
    return false;
}

ls_tensor ls_op_no_options(const char *op)
{
    ls_no_options(op);
    return LS_NIL;
}

ls_tensor ls_op_view(ls_context *ls, const struct ls_value *value, const ls_shape *shape)
{
    ls_storage_retain(value->storage);
    return ls_tensor_new(ls, value->dtype, shape, value->storage, 0);
}

int ls_op_axis(ls_context *ls, const char *op, int axis, const ls_shape *shape)
{
    int at = ls_shape_axis(axis, shape->rank);
    if (at < 0)
        ls_fail(ls, LS_INVALID_ARGUMENT, "%s: axis %d is not an axis of %s; it has %d", op, axis, ls_text(*shape).text,
                shape->rank);
    return at;
}

bool ls_op_axes(ls_context *ls, const char *op, const ls_shape *shape, const int *axes, int count,
                bool named[LS_MAX_RANK])
{
    for (int d = 0; d < LS_MAX_RANK; d++)
        named[d] = !axes && d < shape->rank;
    if (count < 0 || count > LS_MAX_RANK || (count > 0 && !axes)) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "%s: %d axes of %s%s; none with axes NULL means all", op, count,
                ls_text(*shape).text, axes ? "" : ", but axes is NULL");
        return false;
    }
    for (int i = 0; axes && i < count; i++) {
        int at = ls_op_axis(ls, op, axes[i], shape);
        if (at < 0)
            return false;
        if (named[at]) {
            ls_fail(ls, LS_INVALID_ARGUMENT, "%s: axis %d of %s is named twice", op, at, ls_text(*shape).text);
            return false;
        }
        named[at] = true;
    }
    return true;
}

/* ---- Elementwise programs ---- */

/* An input's strides over `shape`: 0 where it is broadcast. */
static void broadcast_strides(const ls_shape *in, const ls_shape *shape, int64_t *stride)
{
    int64_t own[LS_MAX_RANK];
    ls_shape_strides(in, own);
    int shift = shape->rank - in->rank;
    for (int d = 0; d < shape->rank; d++)
        stride[d] = d < shift || in->dim[d - shift] == 1 ? 0 : own[d - shift];
}

/* Drops dimensions of size 1 and joins neighbours that all inputs walk as one. */
static void collapse(struct ls_map_args *args)
{
    int rank = 0;
    for (int d = 0; d < args->rank; d++) {
        if (args->extent[d] == 1)
            continue;
        bool joins = rank > 0;
        for (int i = 0; i < args->inputs && joins; i++)
            joins = args->input[i].stride[rank - 1] == args->input[i].stride[d] * args->extent[d];
        int to = joins ? rank - 1 : rank++;
        args->extent[to] = joins ? args->extent[to] * args->extent[d] : args->extent[d];
        for (int i = 0; i < args->inputs; i++)
            args->input[i].stride[to] = args->input[i].stride[d];
    }
    if (rank == 0) {
        rank = 1;
        args->extent[0] = 1;
        for (int i = 0; i < args->inputs; i++)
            args->input[i].stride[0] = 1;
    }
    args->rank = rank;
}

ls_status ls_run_program(ls_context *ls, const struct ls_program *program, const ls_shape *shape,
                         const struct ls_value *const *in, int inputs, const struct ls_program_output *out, int outputs)
{
    struct ls_map_args args; /* large: only what is used is set */
    uint8_t registers[LS_MAP_INPUTS];
    bool same = true;
    args.n = ls_shape_elements(shape);
    if (args.n == 0)
        return LS_OK;
    args.rows = (uint8_t)program->rows;
    args.inputs = 0;
    args.outputs = (uint8_t)outputs;
    args.immediates = (uint8_t)program->immediates;
    memcpy(args.immediate, program->immediate, (size_t)program->immediates * sizeof *args.immediate);
    for (int i = 0; i < inputs; i++) {
        const struct ls_value *value = in[i];
        if (value->storage->constant && args.immediates < LS_MAP_IMMEDIATES) {
            registers[i] = (uint8_t)(LS_REGISTER_IMMEDIATE + args.immediates);
            args.immediate[args.immediates++] = value->storage->word;
            continue;
        }
        struct ls_map_input *input = &args.input[args.inputs];
        registers[i] = args.inputs++;
        input->buffer = ls_value_buffer(ls, value);
        input->dtype = value->dtype;
        if (!input->buffer)
            return ls->error;
        same &= ls_shape_equal(&value->shape, shape);
    }
    if (same) {
        args.rank = 1;
        args.extent[0] = args.n;
        for (int i = 0; i < args.inputs; i++)
            args.input[i].stride[0] = 1;
    } else {
        args.rank = shape->rank;
        memcpy(args.extent, shape->dim, sizeof args.extent);
        for (int i = 0; i < inputs; i++)
            if (registers[i] < LS_REGISTER_IMMEDIATE)
                broadcast_strides(&in[i]->shape, shape, args.input[registers[i]].stride);
        collapse(&args);
    }
    for (int r = 0; r < program->rows; r++) {
        args.row[r].op = program->row[r].op;
        for (int k = 0; k < 3; k++) {
            uint8_t arg = program->row[r].arg[k];
            args.row[r].arg[k] = arg < inputs ? registers[arg] : arg;
        }
    }
    for (int o = 0; o < outputs; o++)
        args.output[o] = (struct ls_map_output){out[o].buffer, out[o].dtype, out[o].source};
    return ls_dispatch_map(ls, &args);
}
