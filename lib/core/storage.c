/* SPDX-License-Identifier: Apache-2.0
 *
 * Storage and its pools. Buffers are rounded up to size classes, four to an octave, and are kept
 * when they are freed: in steady state a training step asks the device for nothing. Work is queued
 * in order, so a buffer can be given out again at once.
 */
#include <stdio.h>
#include <stdlib.h>

#include "state.h"

/* The class of a size and the size that buffers of the class have. */
static int size_class(size_t bytes, size_t *rounded)
{
    if (bytes <= 256) {
        *rounded = bytes <= 64 ? 64 : bytes <= 128 ? 128 : 256;
        return bytes <= 64 ? 0 : bytes <= 128 ? 1 : 2;
    }
    int octave = 63 - __builtin_clzll((unsigned long long)(bytes - 1)); /* 2^octave < bytes <= 2^(octave+1) */
    size_t step = (size_t)1 << (octave - 2);
    size_t base = (size_t)1 << octave;
    size_t steps = (bytes - base + step - 1) / step; /* 1..4 */
    *rounded = base + steps * step;
    return octave * 4 + (int)steps - 1;
}

static struct ls_buffer *take_buffer(ls_context *ls, struct ls_pool *pool, size_t bytes)
{
    size_t rounded;
    int class = size_class(bytes, &rounded);
    struct ls_buffer *buffer = pool->free[class];
    if (buffer) {
        pool->free[class] = buffer->next;
        ls->stats.pooled_bytes -= buffer->bytes;
    } else {
        struct ls_device *device = ls->device;
        ls_status status = device->backend->create(device, rounded, &buffer);
        if (status == LS_OUT_OF_MEMORY) { /* what is queued may still hold memory that was given back */
            ls_trim(ls);
            status = device->backend->finish(device);
            if (status == LS_OK)
                status = device->backend->create(device, rounded, &buffer);
        }
        if (status != LS_OK) {
            char what[128];
            const char *op = ls->op ? ls->op : "function";
            struct ls_message *message = &device->message;
            if (!message->text[0])
                ls_fail(ls, status, "%s: allocating %zu bytes on %s: %s; %zu bytes are in use", op, rounded,
                        device->info.device, ls_status_text(status), ls->stats.live_bytes);
            else
                ls_fail_device(ls, status, (snprintf(what, sizeof what, "%s: allocating %zu bytes", op, rounded), what));
            return NULL;
        }
        buffer->bytes = rounded;
        ls->stats.allocations++;
    }
    buffer->next = NULL;
    ls->stats.live_buffers++;
    ls->stats.live_bytes += buffer->bytes;
    if (ls->stats.live_bytes > ls->stats.peak_bytes)
        ls->stats.peak_bytes = ls->stats.live_bytes;
    return buffer;
}

static void give_buffer(ls_context *ls, struct ls_pool *pool, struct ls_buffer *buffer)
{
    if (pool->retired)
        pool = &ls->pool;
    size_t rounded;
    int class = size_class(buffer->bytes, &rounded);
    buffer->owner = NULL;
    buffer->next = pool->free[class];
    pool->free[class] = buffer;
    ls->stats.live_buffers--;
    ls->stats.live_bytes -= buffer->bytes;
    ls->stats.pooled_bytes += buffer->bytes;
}

bool ls_too_large(ls_dtype dtype, int64_t elements)
{
    return elements > ((int64_t)1 << 46) / (int64_t)ls_dtype_size(dtype);
}

static struct ls_storage *new_storage(ls_context *ls, ls_dtype dtype, int64_t elements)
{
    if (elements < 0 || ls_too_large(dtype, elements)) {
        ls_fail(ls, LS_OVERFLOW, "%s: a tensor of %lld %s elements is larger than any device's memory",
                ls->op ? ls->op : "function", (long long)elements, ls_dtype_name(dtype));
        return NULL;
    }
    struct ls_storage *storage = ls->free_storage;
    if (storage)
        ls->free_storage = storage->next_free;
    else if (!(storage = malloc(sizeof *storage))) {
        ls_fail(ls, LS_OUT_OF_MEMORY, "no host memory for a tensor's record");
        return NULL;
    }
    *storage = (struct ls_storage){.refs = 1, .bytes = (size_t)elements * ls_dtype_size(dtype), .pool = ls->current_pool};
    return storage;
}

static void free_storage(ls_context *ls, struct ls_storage *storage)
{
    storage->next_free = ls->free_storage;
    ls->free_storage = storage;
}

static bool give_storage_a_buffer(ls_context *ls, struct ls_storage *storage)
{
    storage->buffer = take_buffer(ls, storage->pool, storage->bytes);
    if (storage->buffer)
        storage->buffer->owner = storage;
    return storage->buffer != NULL;
}

struct ls_storage *ls_storage_new(ls_context *ls, ls_dtype dtype, int64_t elements)
{
    struct ls_storage *storage = new_storage(ls, dtype, elements);
    if (storage && storage->bytes > 0 && !give_storage_a_buffer(ls, storage)) {
        free_storage(ls, storage);
        return NULL;
    }
    return storage;
}

struct ls_storage *ls_storage_constant(ls_context *ls, ls_dtype dtype, int64_t elements, uint32_t word)
{
    struct ls_storage *storage = new_storage(ls, dtype, elements);
    if (storage) {
        storage->constant = true;
        storage->word = word;
    }
    return storage;
}

void ls_storage_retain(struct ls_storage *storage) { storage->refs++; }

void ls_storage_release(ls_context *ls, struct ls_storage *storage)
{
    if (--storage->refs > 0)
        return;
    if (storage->buffer)
        give_buffer(ls, storage->pool, storage->buffer);
    free_storage(ls, storage);
}

struct ls_buffer *ls_value_buffer(ls_context *ls, const struct ls_value *value)
{
    struct ls_storage *storage = value->storage;
    if (storage->buffer || storage->bytes == 0)
        return storage->buffer;
    /* A constant that a captured function left behind: its pool's buffers are written to by replays. */
    if (storage->pool != ls->current_pool && storage->pool != &ls->pool)
        storage->pool = ls->current_pool;
    if (!give_storage_a_buffer(ls, storage))
        return NULL;
    struct ls_fill_args args = {.dst = storage->buffer,
                                .dtype = value->dtype,
                                .value = storage->word,
                                .n = (int64_t)(storage->bytes / ls_dtype_size(value->dtype))};
    return ls_dispatch_fill(ls, &args) == LS_OK ? storage->buffer : NULL;
}

struct ls_pool *ls_pool_begin(ls_context *ls)
{
    struct ls_pool *pool = calloc(1, sizeof *pool);
    if (!pool) {
        ls_fail(ls, LS_OUT_OF_MEMORY, "no host memory for a captured function");
        return NULL;
    }
    pool->next = ls->pools;
    ls->pools = pool;
    ls->current_pool = pool;
    return pool;
}

void ls_pool_end(ls_context *ls) { ls->current_pool = &ls->pool; }

void ls_pool_retire(ls_context *ls, struct ls_pool *pool)
{
    pool->retired = true;
    for (int class = 0; class < LS_SIZE_CLASSES; class ++) {
        while (pool->free[class]) {
            struct ls_buffer *buffer = pool->free[class];
            pool->free[class] = buffer->next;
            buffer->next = ls->pool.free[class];
            ls->pool.free[class] = buffer;
        }
    }
}

void ls_pools_trim(ls_context *ls)
{
    for (int class = 0; class < LS_SIZE_CLASSES; class ++) {
        while (ls->pool.free[class]) {
            struct ls_buffer *buffer = ls->pool.free[class];
            ls->pool.free[class] = buffer->next;
            ls->stats.pooled_bytes -= buffer->bytes;
            ls->device->backend->destroy(ls->device, buffer);
        }
    }
}

void ls_trim(ls_context *ls)
{
    /* The buffers of a function's own pool stay: its replay writes to them. */
    if (ls && ls->device)
        ls_pools_trim(ls);
}
