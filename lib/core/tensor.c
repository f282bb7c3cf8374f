/* SPDX-License-Identifier: Apache-2.0
 *
 * Handles and scopes. A handle is an index and a generation; the slot behind it holds the value.
 * Slots lie in chunks that never move. A slot's generation is odd while it is live and counts up at
 * birth and death, so an old handle never matches.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "state.h"

struct ls_slot *ls_slot_at(const ls_context *ls, uint32_t index)
{
    return &ls->chunks[index / LS_SLOT_CHUNK][index % LS_SLOT_CHUNK];
}

struct ls_slot *ls_slot_of(ls_tensor t)
{
    if (!t.context || t.index >= t.context->slots)
        return NULL;
    struct ls_slot *slot = ls_slot_at(t.context, t.index);
    return slot->generation == t.generation && (t.generation & 1) ? slot : NULL;
}

bool ls_slot_is_variable(const struct ls_slot *slot) { return slot->scope < 0; }

static uint32_t *list_of(ls_context *ls, int scope) { return scope < 0 ? &ls->variables : &ls->scopes[scope]; }

static void link_slot(ls_context *ls, uint32_t index, int scope)
{
    struct ls_slot *slot = ls_slot_at(ls, index);
    uint32_t *head = list_of(ls, scope);
    slot->scope = scope;
    slot->prev = LS_NO_SLOT;
    slot->next = *head;
    if (*head != LS_NO_SLOT)
        ls_slot_at(ls, *head)->prev = index;
    *head = index;
}

static void unlink_slot(ls_context *ls, uint32_t index)
{
    struct ls_slot *slot = ls_slot_at(ls, index);
    if (slot->prev != LS_NO_SLOT)
        ls_slot_at(ls, slot->prev)->next = slot->next;
    else
        *list_of(ls, slot->scope) = slot->next;
    if (slot->next != LS_NO_SLOT)
        ls_slot_at(ls, slot->next)->prev = slot->prev;
}

static bool add_chunk(ls_context *ls)
{
    uint32_t count = ls->slots / LS_SLOT_CHUNK;
    if (count == ls->chunk_capacity) {
        uint32_t capacity = count ? 2 * count : 16;
        struct ls_slot **chunks = realloc(ls->chunks, capacity * sizeof(*chunks));
        if (!chunks)
            return false;
        ls->chunks = chunks;
        ls->chunk_capacity = capacity;
    }
    struct ls_slot *chunk = calloc(LS_SLOT_CHUNK, sizeof *chunk);
    if (!chunk)
        return false;
    ls->chunks[count] = chunk;
    for (uint32_t i = LS_SLOT_CHUNK; i-- > 0;) {
        chunk[i].next = ls->free_slot;
        ls->free_slot = ls->slots + i;
    }
    ls->slots += LS_SLOT_CHUNK;
    return true;
}

ls_tensor ls_tensor_new(ls_context *ls, ls_dtype dtype, const ls_shape *shape, struct ls_storage *storage, uint64_t id)
{
    if (ls->free_slot == LS_NO_SLOT && !add_chunk(ls)) {
        if (storage)
            ls_storage_release(ls, storage);
        ls_fail(ls, LS_OUT_OF_MEMORY, "no host memory for another tensor handle");
        return (ls_tensor){0};
    }
    uint32_t index = ls->free_slot;
    struct ls_slot *slot = ls_slot_at(ls, index);
    ls->free_slot = slot->next;
    slot->generation++;
    slot->value.storage = storage;
    slot->value.id = id ? id : ++ls->next_id;
    slot->value.dtype = dtype;
    slot->value.shape = *shape;
    slot->trainable = false;
    slot->name = NULL;
    link_slot(ls, index, ls->scope_count - 1);
    ls->stats.live_tensors++;
    return (ls_tensor){ls, index, slot->generation};
}

void ls_slot_release(ls_context *ls, uint32_t index)
{
    struct ls_slot *slot = ls_slot_at(ls, index);
    unlink_slot(ls, index);
    if (slot->value.storage)
        ls_storage_release(ls, slot->value.storage);
    free(slot->name);
    slot->name = NULL;
    slot->value.storage = NULL;
    slot->generation++;
    slot->next = ls->free_slot;
    ls->free_slot = index;
    ls->stats.live_tensors--;
}

void ls_slot_move(ls_context *ls, uint32_t index, int scope)
{
    unlink_slot(ls, index);
    link_slot(ls, index, scope);
}

struct ls_value ls_value_retain(const struct ls_value *value)
{
    if (value->storage)
        ls_storage_retain(value->storage);
    return *value;
}

void ls_value_release(ls_context *ls, struct ls_value *value)
{
    if (value->storage)
        ls_storage_release(ls, value->storage);
    value->storage = NULL;
}

ls_tensor ls_tensor_of_value(ls_context *ls, const struct ls_value *value)
{
    struct ls_value copy = ls_value_retain(value);
    return ls_tensor_new(ls, copy.dtype, &copy.shape, copy.storage, copy.id);
}

/* ---- Scopes ---- */

void ls_scope_begin(ls_context *ls)
{
    if (!ls)
        return;
    if (ls->scopes_missing > 0 || ls->scope_count == ls->scope_capacity) {
        int capacity = ls->scope_capacity ? 2 * ls->scope_capacity : 16;
        uint32_t *scopes = ls->scopes_missing ? NULL : realloc(ls->scopes, (size_t)capacity * sizeof *scopes);
        if (!scopes) {
            ls->scopes_missing++;
            ls_fail(ls, LS_OUT_OF_MEMORY, "no host memory for another scope");
            return;
        }
        ls->scopes = scopes;
        ls->scope_capacity = capacity;
    }
    ls->scopes[ls->scope_count++] = LS_NO_SLOT;
}

ls_status ls_scope_end(ls_context *ls)
{
    if (!ls)
        return LS_INVALID_ARGUMENT;
    if (ls->scopes_missing > 0) {
        ls->scopes_missing--;
        return ls->error;
    }
    if (ls->scope_count <= 1)
        return ls_fail(ls, LS_INVALID_ARGUMENT, "scope_end: no scope is open; each ls_scope_begin is ended once");
    ls_tapes_end_scope(ls, ls->scope_count - 1);
    uint32_t *head = &ls->scopes[ls->scope_count - 1];
    while (*head != LS_NO_SLOT)
        ls_slot_release(ls, *head);
    ls->scope_count--;
    return ls->error;
}

ls_tensor ls_keep(ls_tensor a)
{
    struct ls_slot *slot = ls_slot_of(a);
    if (a.context && !slot) {
        ls_fail(a.context, LS_STALE_HANDLE,
                "keep: the tensor was released; keep it before its scope ends, once per scope that it leaves");
        return (ls_tensor){0};
    }
    if (slot && slot->scope > 0 && a.context->scopes_missing == 0)
        ls_slot_move(a.context, a.index, slot->scope - 1);
    return a;
}

void ls_release(ls_tensor *a)
{
    if (!a)
        return;
    struct ls_slot *slot = ls_slot_of(*a);
    if (slot && !ls_slot_is_variable(slot))
        ls_slot_release(a->context, a->index);
    *a = (ls_tensor){0};
}

void ls_tensors_close(ls_context *ls)
{
    for (int s = 0; s < ls->scope_count; s++)
        while (ls->scopes[s] != LS_NO_SLOT)
            ls_slot_release(ls, ls->scopes[s]);
    while (ls->variables != LS_NO_SLOT)
        ls_slot_release(ls, ls->variables);
    for (uint32_t c = 0; c < ls->slots / LS_SLOT_CHUNK; c++)
        free(ls->chunks[c]);
    free(ls->chunks);
    free(ls->scopes);
}

/* ---- Making and reading ---- */

int64_t ls_shape_check(ls_context *ls, const char *op, const ls_shape *shape)
{
    int64_t n = ls_shape_elements(shape);
    if (n < 0)
        ls_fail(ls, shape->rank > LS_MAX_RANK || shape->rank < 0 ? LS_INVALID_ARGUMENT : LS_OVERFLOW,
                "%s: shape %s of rank %d is not valid: rank 0 to %d, no negative size, and a product below 2^63", op,
                ls_text(*shape).text, shape->rank, LS_MAX_RANK);
    return n;
}

ls_tensor ls_from_host(ls_context *ls, ls_dtype dtype, ls_shape shape, const void *data)
{
    if (!ls || ls_failed(ls))
        return (ls_tensor){0};
    ls->op = "from_host";
    int64_t n = ls_shape_check(ls, "from_host", &shape);
    if (n < 0)
        return (ls_tensor){0};
    if ((unsigned)dtype >= LS_DTYPE_COUNT || (!data && n > 0)) {
        ls_fail(ls, LS_INVALID_ARGUMENT, !data ? "from_host: data is NULL" : "from_host: unknown dtype %d", (int)dtype);
        return (ls_tensor){0};
    }
    if (ls->recorder) {
        ls_fail(ls, LS_CAPTURE_ERROR,
                "from_host: host data cannot change between replays; make it an input of the function");
        return (ls_tensor){0};
    }
    struct ls_storage *storage = ls_storage_new(ls, dtype, n);
    if (!storage)
        return (ls_tensor){0};
    if (storage->bytes > 0) {
        struct ls_device *device = ls->device;
        ls_status status = device->backend->write(device, storage->buffer, 0, data, storage->bytes);
        if (status != LS_OK) {
            ls_storage_release(ls, storage);
            ls_fail_device(ls, status, "from_host");
            return (ls_tensor){0};
        }
    }
    return ls_tensor_new(ls, dtype, &shape, storage, 0);
}

static ls_tensor constant(ls_context *ls, ls_dtype dtype, ls_shape shape, uint32_t word)
{
    if (!ls || ls_failed(ls))
        return (ls_tensor){0};
    if ((unsigned)dtype >= LS_DTYPE_COUNT) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "fill: unknown dtype %d", (int)dtype);
        return (ls_tensor){0};
    }
    int64_t n = ls_shape_check(ls, "fill", &shape);
    if (n < 0)
        return (ls_tensor){0};
    if (ls_too_large(dtype, n)) {
        ls_fail(ls, LS_OVERFLOW, "fill: %s %s is larger than any device's memory", ls_dtype_name(dtype),
                ls_text(shape).text);
        return (ls_tensor){0};
    }
    struct ls_storage *storage = ls_storage_constant(ls, dtype, n, word);
    return storage ? ls_tensor_new(ls, dtype, &shape, storage, 0) : (ls_tensor){0};
}

static uint32_t float_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

ls_tensor ls_scalar(ls_context *ls, float value)
{
    return constant(ls, LS_FLOAT32, LS_SCALAR_SHAPE, float_bits(value));
}

ls_tensor ls_int_scalar(ls_context *ls, int32_t value)
{
    return constant(ls, LS_INT32, LS_SCALAR_SHAPE, (uint32_t)value);
}

ls_tensor ls_fill(ls_context *ls, ls_shape shape, float value)
{
    return constant(ls, LS_FLOAT32, shape, float_bits(value));
}

ls_tensor ls_zeros(ls_context *ls, ls_dtype dtype, ls_shape shape) { return constant(ls, dtype, shape, 0); }

ls_tensor ls_ones(ls_context *ls, ls_dtype dtype, ls_shape shape)
{
    return constant(ls, dtype, shape, ls_dtype_one(dtype));
}

ls_tensor ls_zeros_like(ls_tensor a)
{
    struct ls_slot *slot = ls_slot_of(a);
    return slot ? ls_zeros(a.context, slot->value.dtype, slot->value.shape) : (ls_tensor){0};
}

ls_tensor ls_ones_like(ls_tensor a)
{
    struct ls_slot *slot = ls_slot_of(a);
    return slot ? ls_ones(a.context, slot->value.dtype, slot->value.shape) : (ls_tensor){0};
}

ls_status ls_read(ls_tensor a, void *data, size_t bytes)
{
    ls_context *ls = a.context;
    if (!ls)
        return LS_INVALID_ARGUMENT;
    if (ls_failed(ls))
        return ls->error;
    struct ls_slot *slot = ls_slot_of(a);
    if (!slot)
        return ls_fail(ls, LS_STALE_HANDLE, "read: the tensor was released; ls_keep moves one to the outer scope");
    if (ls->recorder)
        return ls_fail(ls, LS_CAPTURE_ERROR,
                       "read: a captured function cannot read %s on the host; return it as an output",
                       ls_text(slot->value.shape).text);
    struct ls_storage *storage = slot->value.storage;
    if (!storage || bytes != storage->bytes)
        return ls_fail(ls, LS_INVALID_ARGUMENT, "read: %zu bytes were asked for, but %s %s has %zu", bytes,
                       ls_dtype_name(slot->value.dtype), ls_text(slot->value.shape).text,
                       storage ? storage->bytes : 0);
    if (bytes == 0)
        return LS_OK;
    if (!data)
        return ls_fail(ls, LS_INVALID_ARGUMENT, "read: data is NULL");
    struct ls_buffer *buffer = ls_value_buffer(ls, &slot->value);
    if (!buffer)
        return ls->error;
    ls_status status = ls->device->backend->read(ls->device, buffer, 0, data, bytes);
    return status == LS_OK ? ls_check_fault(ls) : ls_fail_device(ls, status, "read");
}

float ls_item(ls_tensor a)
{
    float value = NAN;
    struct ls_slot *slot = ls_slot_of(a);
    if (slot && slot->value.dtype != LS_FLOAT32) {
        ls_fail(a.context, LS_DTYPE_MISMATCH, "item: the tensor is %s, not float32; ls_cast converts",
                ls_dtype_name(slot->value.dtype));
        return NAN;
    }
    return ls_read(a, &value, sizeof value) == LS_OK ? value : NAN;
}

bool ls_is_nil(ls_tensor a) { return a.context == NULL; }

ls_shape ls_shape_of_tensor(ls_tensor a)
{
    struct ls_slot *slot = ls_slot_of(a);
    return slot ? slot->value.shape : (ls_shape){0};
}

ls_dtype ls_dtype_of(ls_tensor a)
{
    struct ls_slot *slot = ls_slot_of(a);
    return slot ? slot->value.dtype : LS_FLOAT32;
}

int64_t ls_size(ls_tensor a)
{
    struct ls_slot *slot = ls_slot_of(a);
    return slot ? ls_shape_elements(&slot->value.shape) : 0;
}
