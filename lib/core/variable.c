/* SPDX-License-Identifier: Apache-2.0
 *
 * Variables: slots that belong to no scope. Assigning shares the value's storage; an optimizer
 * writes in place, unless somebody (a tape, a saved tensor, another handle) still needs the old
 * value: then the variable moves to new storage first.
 */
#include <stdlib.h>
#include <string.h>

#include "receipt.h"
#include "record.h"
#include "state.h"

ls_tensor ls_variable(ls_tensor initial, const char *name, bool trainable)
{
    ls_context *ls = initial.context;
    if (!ls || ls_failed(ls))
        return (ls_tensor){0};
    name = name ? name : "variable";
    struct ls_slot *source = ls_slot_of(initial);
    if (!source) {
        ls_fail(ls, LS_STALE_HANDLE, "variable %s: its initial value was released", name);
        return (ls_tensor){0};
    }
    if (ls->recorder) {
        ls_fail(ls, LS_CAPTURE_ERROR, "variable %s: make variables before the second call of a captured function", name);
        return (ls_tensor){0};
    }
    if (trainable && source->value.dtype != LS_FLOAT32) {
        ls_fail(ls, LS_DTYPE_MISMATCH, "variable %s: a trainable variable is float32, not %s", name,
                ls_dtype_name(source->value.dtype));
        return (ls_tensor){0};
    }
    size_t length = strlen(name) + 1;
    char *copy = malloc(length);
    if (!copy) {
        ls_fail(ls, LS_OUT_OF_MEMORY, "variable %s: no host memory", name);
        return (ls_tensor){0};
    }
    memcpy(copy, name, length);
    struct ls_value value = ls_value_retain(&source->value);
    ls_tensor variable = ls_tensor_new(ls, value.dtype, &value.shape, value.storage, 0);
    struct ls_slot *slot = ls_slot_of(variable);
    if (!slot) {
        free(copy);
        return variable;
    }
    ls_slot_move(ls, variable.index, -1);
    slot->name = copy;
    slot->trainable = trainable;
    return variable;
}

void ls_variable_destroy(ls_tensor *variable)
{
    if (!variable)
        return;
    struct ls_slot *slot = ls_slot_of(*variable);
    if (slot && ls_slot_is_variable(slot))
        ls_slot_release(variable->context, variable->index);
    *variable = (ls_tensor){0};
}

const char *ls_name(ls_tensor variable)
{
    struct ls_slot *slot = ls_slot_of(variable);
    return slot && slot->name ? slot->name : "";
}

ls_status ls_assign(ls_tensor variable, ls_tensor value)
{
    ls_context *ls = variable.context;
    if (!ls)
        return LS_INVALID_ARGUMENT;
    if (ls_failed(ls))
        return ls->error;
    struct ls_slot *to = ls_slot_of(variable), *from = ls_slot_of(value);
    if (!to || !ls_slot_is_variable(to))
        return ls_fail(ls, to ? LS_INVALID_ARGUMENT : LS_STALE_HANDLE, "assign: the target is %s",
                       to ? "not a variable; ls_variable makes one" : "a variable that was destroyed");
    if (!from || value.context != ls)
        return ls_fail(ls, from ? LS_FOREIGN_HANDLE : LS_STALE_HANDLE, "assign to %s: the value %s", to->name,
                       from ? "belongs to another context" : "is nil or was released");
    if (to->value.dtype != from->value.dtype)
        return ls_fail(ls, LS_DTYPE_MISMATCH, "assign to %s: %s cannot take %s; ls_cast converts", to->name,
                       ls_dtype_name(to->value.dtype), ls_dtype_name(from->value.dtype));
    if (!ls_shape_equal(&to->value.shape, &from->value.shape))
        return ls_fail(ls, LS_SHAPE_MISMATCH, "assign to %s: shape %s cannot take %s", to->name,
                       ls_text(to->value.shape).text, ls_text(from->value.shape).text);
    ls_tapes_read(ls, value);
    if (ls_failed(ls) || (ls->recorder && ls_recorder_moved(ls, to) != LS_OK))
        return ls->error;
    struct ls_value shared = ls_value_retain(&from->value);
    ls_storage_release(ls, to->value.storage);
    to->value.storage = shared.storage;
    if (ls->receipt)
        ls_receipt_assigned(ls, variable);
    return ls->error;
}

struct ls_buffer *ls_variable_writable(ls_context *ls, struct ls_slot *slot, bool copy)
{
    struct ls_storage *old = slot->value.storage;
    if (old->refs == 1) {
        struct ls_buffer *buffer = ls_value_buffer(ls, &slot->value);
        old->constant = false;
        return buffer;
    }
    if (ls->recorder && ls_recorder_moved(ls, slot) != LS_OK)
        return NULL;
    int64_t n = ls_shape_elements(&slot->value.shape);
    struct ls_buffer *source = copy ? ls_value_buffer(ls, &slot->value) : NULL;
    struct ls_storage *storage = ls_storage_new(ls, slot->value.dtype, n);
    if (!storage)
        return NULL;
    if (source && ls_copy_elements(ls, source, storage->buffer, slot->value.dtype, n) != LS_OK) {
        ls_storage_release(ls, storage);
        return NULL;
    }
    ls_storage_release(ls, old);
    slot->value.storage = storage;
    return storage->buffer;
}
