/* SPDX-License-Identifier: Apache-2.0
 *
 * Jacobians, one way back per column of the target, and their products with vectors by two ways back.
 */
#include <stdlib.h>

#include <lockstep/ops.h>

#include "gradient.h"

enum { MOST_JOINED = 128 };

/* Joins along axis 1, a bounded number at a time. Overwrites `parts`. */
static ls_tensor join(ls_tensor *parts, size_t count)
{
    while (count > 1) {
        size_t joined = 0;
        for (size_t i = 0; i < count; i += MOST_JOINED)
            parts[joined++] = ls_concat(parts + i, count - i < MOST_JOINED ? count - i : MOST_JOINED, 1);
        count = joined;
    }
    return parts[0];
}

/* The gradient of column `i` of the target, seen as (batch, columns): source's shape, or nil. */
static ls_tensor column(ls_tape *tape, ls_tensor target, ls_tensor source, int64_t batch, int64_t columns, int64_t i)
{
    ls_tensor ones = ls_ones(tape->ls, ls_dtype_of(target), LS_SHAPE(batch, 1));
    ls_tensor dy =
        ls_reshape(ls_unslice(ones, LS_SHAPE(batch, columns), (int64_t[]){0, i}, NULL), ls_shape_of_tensor(target));
    ls_tensor gradient = {0};
    if (!ls_failed(tape->ls))
        ls_gradient_again(&(ls_gradient_options){.tape = tape,
                                                 .targets = &target,
                                                 .target_count = 1,
                                                 .output_gradients = &dy,
                                                 .sources = &source,
                                                 .source_count = 1,
                                                 .gradients = &gradient});
    return gradient;
}

/* d target / d source with shape `shape`, for a target seen as (batch, columns); nil if unconnected. */
static ls_tensor jacobian(ls_tape *tape, ls_tensor target, ls_tensor source, int64_t batch, int64_t columns,
                          ls_shape shape)
{
    ls_context *ls = tape->ls;
    int64_t row = batch > 0 ? ls_size(source) / batch : 0;
    ls_dtype dtype = ls_dtype_is_float(ls_dtype_of(source)) ? ls_dtype_of(source) : LS_FLOAT32;
    if (batch * columns * row == 0)
        return ls_zeros(ls, dtype, shape);
    ls_tensor *parts = calloc((size_t)columns, sizeof *parts), result = {0};
    if (!parts) {
        ls_fail(ls, LS_OUT_OF_MEMORY, "jacobian: no host memory");
        return result;
    }
    ls_scope_begin(ls);
    bool connected = true;
    for (int64_t i = 0; i < columns && connected && !ls_failed(ls); i++) {
        ls_scope_begin(ls);
        ls_tensor gradient = column(tape, target, source, batch, columns, i);
        connected = gradient.context != NULL;
        /* A fresh handle: the gradient may be a tensor that reshape gives back as it is. */
        parts[i] = connected ? ls_keep(ls_reshape(gradient, LS_SHAPE(batch, 1, row))) : gradient;
        ls_scope_end(ls);
    }
    if (connected && !ls_failed(ls))
        result = ls_keep(ls_reshape(join(parts, (size_t)columns), shape));
    ls_scope_end(ls);
    free(parts);
    return result;
}

/* target's dimensions, then source's from `first` on; false with the error raised. */
static bool joined_shape(const char *what, ls_tape *tape, ls_tensor target, ls_tensor source, int first,
                         ls_shape *shape)
{
    const struct ls_slot *t = ls_slot_of(target), *s = ls_slot_of(source);
    ls_context *ls = tape->ls;
    if (!t || !s || target.context != ls || source.context != ls) {
        ls_fail(ls, t && s ? LS_FOREIGN_HANDLE : LS_STALE_HANDLE, "%s: the %s %s", what, t ? "source" : "target",
                t && s ? "or the target belongs to another context" : "is nil or was released");
        return false;
    }
    *shape = t->value.shape;
    if (shape->rank + s->value.shape.rank - first > LS_MAX_RANK) {
        ls_fail(ls, LS_OVERFLOW, "%s: of %s by %s the rank would pass %d; reshape them to fewer dimensions first", what,
                ls_text(t->value.shape).text, ls_text(s->value.shape).text, LS_MAX_RANK);
        return false;
    }
    for (int d = first; d < s->value.shape.rank; d++)
        shape->dim[shape->rank++] = s->value.shape.dim[d];
    return true;
}

ls_tensor ls_jacobian(ls_tape *tape, ls_tensor target, ls_tensor source)
{
    ls_shape shape;
    ls_tensor result = {0};
    if (!tape)
        ls_tape_missing("jacobian", target);
    if (!tape || ls_tape_askable(tape, "jacobian") != LS_OK)
        return result;
    if (joined_shape("jacobian", tape, target, source, 0, &shape))
        result = jacobian(tape, target, source, 1, ls_size(target), shape);
    ls_tape_consume(tape);
    return result;
}

ls_tensor ls_batch_jacobian(ls_tape *tape, ls_tensor target, ls_tensor source)
{
    ls_shape shape;
    ls_tensor result = {0};
    if (!tape)
        ls_tape_missing("batch_jacobian", target);
    if (!tape || ls_tape_askable(tape, "batch_jacobian") != LS_OK)
        return result;
    ls_shape t = ls_shape_of_tensor(target), s = ls_shape_of_tensor(source);
    if (!joined_shape("batch_jacobian", tape, target, source, s.rank > 0, &shape)) {
        ls_tape_consume(tape);
        return result;
    }
    if (t.rank < 2 || s.rank < 2 || t.dim[0] != s.dim[0]) {
        ls_fail(tape->ls, LS_SHAPE_MISMATCH,
                "batch_jacobian: of %s by %s: both need a rank of at least 2 and the same "
                "first dimension",
                ls_text(t).text, ls_text(s).text);
    } else {
        result = jacobian(tape, target, source, t.dim[0], t.dim[0] ? ls_size(target) / t.dim[0] : 0, shape);
        if (ls_is_nil(result))
            result = ls_cast(ls_zeros(tape->ls, LS_FLOAT32, shape), ls_dtype_of(source));
    }
    ls_tape_consume(tape);
    return result;
}

/* ---- Forward mode: the gradient of u * J, which is linear in u, along the tangents ---- */

static bool tangents_fit(ls_context *ls, const ls_tensor *sources, const ls_tensor *tangents, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct ls_slot *source = ls_slot_of(sources[i]), *tangent = ls_slot_of(tangents[i]);
        if (!source || (tangents[i].context && !tangent))
            ls_fail(ls, LS_STALE_HANDLE, "jvp: %s %zu %s released", source ? "tangent" : "source", i,
                    source ? "was" : "is nil or was");
        else if (sources[i].context != ls || (tangent && tangents[i].context != ls))
            ls_fail(ls, LS_FOREIGN_HANDLE, "jvp: source or tangent %zu belongs to another context", i);
        else if (tangent && tangent->value.dtype != source->value.dtype)
            ls_fail(ls, LS_DTYPE_MISMATCH, "jvp: tangent %zu is %s, but its source is %s; ls_cast converts", i,
                    ls_dtype_name(tangent->value.dtype), ls_dtype_name(source->value.dtype));
        else if (tangent && !ls_shape_equal(&tangent->value.shape, &source->value.shape))
            ls_fail(ls, LS_SHAPE_MISMATCH, "jvp: tangent %zu is %s, but its source is %s", i,
                    ls_text(tangent->value.shape).text, ls_text(source->value.shape).text);
    }
    return !ls_failed(ls);
}

/* `products` has room for two arrays of `count`. */
static ls_tensor jvp(ls_tape *tape, ls_tensor target, const ls_tensor *sources, const ls_tensor *tangents, size_t count,
                     ls_tensor *products)
{
    ls_context *ls = tape->ls;
    ls_tensor *along = products + count, u = ls_ones_like(target), result = {0};
    ls_tape *line = ls_tape_begin(ls, .ignore_accessed_variables = true);
    size_t connected = 0;
    bool reached = false;
    if (line)
        ls_watch(line, u);
    if (ls_gradient_again(&(ls_gradient_options){.tape = tape,
                                                 .targets = &target,
                                                 .target_count = 1,
                                                 .output_gradients = &u,
                                                 .sources = sources,
                                                 .source_count = count,
                                                 .gradients = products}) == LS_OK) {
        for (size_t i = 0; i < count; i++) {
            reached = reached || products[i].context;
            if (!products[i].context || !tangents[i].context)
                continue;
            products[connected] = products[i];
            along[connected++] = tangents[i];
        }
        ls_tape_end(line);
        if (connected > 0)
            ls_gradient_with(&(ls_gradient_options){.tape = line,
                                                    .targets = products,
                                                    .target_count = connected,
                                                    .output_gradients = along,
                                                    .sources = &u,
                                                    .source_count = 1,
                                                    .unconnected_gradients = LS_UNCONNECTED_ZERO,
                                                    .gradients = &result});
        else if (reached)
            result = ls_zeros_like(target);
    }
    ls_tape_destroy(&line);
    return ls_keep(result);
}

ls_tensor ls_jvp(ls_tape *tape, ls_tensor target, const ls_tensor *sources, const ls_tensor *tangents, size_t count)
{
    ls_tensor result = {0};
    if (!tape)
        ls_tape_missing("jvp", target);
    if (!tape || ls_tape_askable(tape, "jvp") != LS_OK)
        return result;
    ls_tensor *products = calloc(2 * count + 1, sizeof *products);
    ls_scope_begin(tape->ls);
    if (!products)
        ls_fail(tape->ls, LS_OUT_OF_MEMORY, "jvp: no host memory");
    else if (count && (!sources || !tangents))
        ls_fail(tape->ls, LS_INVALID_ARGUMENT, "jvp: the array of %s is NULL", sources ? "tangents" : "sources");
    else if (!ls_slot_of(target))
        ls_fail(tape->ls, LS_STALE_HANDLE, "jvp: the target is nil or was released");
    else if (tangents_fit(tape->ls, sources, tangents, count))
        result = jvp(tape, target, sources, tangents, count, products);
    ls_scope_end(tape->ls);
    free(products);
    ls_tape_consume(tape);
    return result;
}
