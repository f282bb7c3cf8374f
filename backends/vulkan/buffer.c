/* SPDX-License-Identifier: Apache-2.0
 *
 * Buffers. On a unified device the host reads and writes them where they are, once the commands that
 * use them are done; elsewhere, and where waiting would hold up the queue, through staging memory.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vulkan.h"

/* What one copy through staging memory moves at most. */
#define CHUNK ((VkDeviceSize)8 << 20)

ls_status ls_vk_create(struct ls_device *base, size_t bytes, struct ls_buffer **created)
{
    struct ls_vk_device *device = ls_vk_device_of(base);
    *created = NULL;
    if (!ls_vk_here(device->process, &base->message))
        return LS_DEVICE_LOST;
    size_t size = bytes == 0 ? 64 : bytes;
    if (size > SIZE_MAX / 2)
        return ls_vk_failed(device, VK_ERROR_OUT_OF_DEVICE_MEMORY, "a buffer of %zu bytes", bytes);
    size = (size + 63) & ~(size_t)63;
    struct ls_vk_buffer *buffer = calloc(1, sizeof *buffer);
    if (buffer == NULL)
        return ls_vk_failed(device, VK_ERROR_OUT_OF_HOST_MEMORY, "a buffer of %zu bytes", bytes);
    buffer->base.bytes = size;
    ls_status status = ls_vk_take(device, LS_VK_STORAGE, size, &buffer->piece);
    if (status != LS_OK) {
        free(buffer);
        return status;
    }
    *created = &buffer->base;
    return LS_OK;
}

/* Gives back memory that commands up to batch `serial` may still use. */
static void retire(struct ls_vk_device *device, struct ls_vk_piece *piece, uint64_t serial)
{
    if (serial > device->completed && device->retired_count == device->retired_capacity) {
        size_t capacity = device->retired_capacity == 0 ? 64 : 2 * device->retired_capacity;
        struct ls_vk_retired *larger = realloc(device->retired, capacity * sizeof *larger);
        if (larger != NULL) {
            device->retired = larger;
            device->retired_capacity = capacity;
        } else if (ls_vk_wait(device, serial) != LS_OK) {
            return; /* the device is lost, and takes its memory with it */
        }
    }
    if (serial <= device->completed)
        ls_vk_give(device, piece);
    else
        device->retired[device->retired_count++] = (struct ls_vk_retired){*piece, serial};
}

void ls_vk_destroy(struct ls_device *base, struct ls_buffer *destroyed)
{
    if (destroyed == NULL)
        return;
    struct ls_vk_buffer *buffer = ls_vk_buffer_of(destroyed);
    struct ls_message ignored;
    if (ls_vk_here(ls_vk_device_of(base)->process, &ignored))
        retire(ls_vk_device_of(base), &buffer->piece, buffer->used);
    free(buffer);
}

ls_status ls_vk_write(struct ls_device *base, struct ls_buffer *target, size_t offset,
                      const void *data, size_t bytes)
{
    struct ls_vk_device *device = ls_vk_device_of(base);
    struct ls_vk_buffer *buffer = ls_vk_buffer_of(target);
    unsigned char *mapped = ls_vk_mapped(&buffer->piece);
    if (bytes == 0)
        return LS_OK;
    if (!ls_vk_here(device->process, &base->message))
        return LS_DEVICE_LOST;
    if (mapped != NULL && buffer->used <= device->completed) {
        memcpy(mapped + offset, data, bytes);
        return LS_OK;
    }
    for (size_t done = 0; done < bytes;) {
        VkDeviceSize part = bytes - done < CHUNK ? bytes - done : CHUNK;
        struct ls_vk_place from = {.buffer = NULL};
        ls_status status = ls_vk_stage(device, part, &from.piece);
        if (status != LS_OK)
            return status;
        memcpy(ls_vk_mapped(&from.piece), (const char *)data + done, part);
        status = ls_vk_copy(device, from, ls_vk_in_buffer(target, offset + done), part);
        if (status != LS_OK)
            return status;
        done += part;
    }
    return LS_OK;
}

ls_status ls_vk_read(struct ls_device *base, struct ls_buffer *source, size_t offset, void *data,
                     size_t bytes)
{
    struct ls_vk_device *device = ls_vk_device_of(base);
    struct ls_vk_buffer *buffer = ls_vk_buffer_of(source);
    const unsigned char *mapped = ls_vk_mapped(&buffer->piece);
    ls_status status = LS_OK;
    if (bytes == 0)
        return LS_OK;
    if (!ls_vk_here(device->process, &base->message))
        return LS_DEVICE_LOST;
    if (mapped != NULL) {
        status = ls_vk_wait(device, buffer->written);
        if (status == LS_OK)
            memcpy(data, mapped + offset, bytes);
        return status;
    }
    VkDeviceSize room = bytes < CHUNK ? bytes : CHUNK;
    if (device->readback.size < room) {
        if (device->readback.block != NULL)
            ls_vk_give(device, &device->readback);
        status = ls_vk_take(device, LS_VK_STAGING, room, &device->readback);
    }
    for (size_t done = 0; done < bytes && status == LS_OK;) {
        VkDeviceSize part = bytes - done < CHUNK ? bytes - done : CHUNK;
        struct ls_vk_place to = {.buffer = NULL, .piece = device->readback};
        status = ls_vk_copy(device, ls_vk_in_buffer(source, offset + done), to, part);
        if (status == LS_OK)
            status = ls_vk_wait(device, buffer->used);
        if (status == LS_OK)
            memcpy((char *)data + done, ls_vk_mapped(&device->readback), part);
        done += part;
    }
    return status;
}

ls_status ls_vk_scratch(struct ls_vk_device *device, int index, size_t bytes,
                        struct ls_buffer **buffer)
{
    struct ls_buffer **scratch = &device->scratch[index];
    if (*scratch == NULL || (*scratch)->bytes < bytes) {
        ls_vk_destroy(&device->base, *scratch);
        *scratch = NULL;
        ls_status status = ls_vk_create(&device->base, bytes, scratch);
        if (status != LS_OK)
            return status;
    }
    *buffer = *scratch;
    return LS_OK;
}

void ls_vk_release_copies(struct ls_vk_device *device)
{
    for (int i = LS_VK_SCRATCH_PARTS; i < LS_VK_SCRATCH; i++) {
        ls_vk_destroy(&device->base, device->scratch[i]);
        device->scratch[i] = NULL;
    }
}

struct ls_buffer *ls_vk_part(struct ls_vk_buffer *part, struct ls_buffer *of, int64_t offset)
{
    if (of == NULL)
        return NULL;
    struct ls_vk_buffer *buffer = ls_vk_buffer_of(of);
    *part = (struct ls_vk_buffer){
        .base = {.bytes = of->bytes - (size_t)offset},
        .piece = buffer->piece,
        .whole = buffer->whole != NULL ? buffer->whole : buffer,
    };
    part->piece.offset += (VkDeviceSize)offset;
    return &part->base;
}

struct ls_buffer *ls_vk_box(struct ls_vk_buffer *part, struct ls_buffer *buffer, int64_t offset, int64_t rows,
                            int64_t row, int64_t pitch)
{
    struct ls_buffer *box = ls_vk_part(part, buffer, offset);
    if (box == NULL || row == pitch || rows <= 1)
        return box;
    part->rows = rows;
    part->row = (VkDeviceSize)row;
    part->pitch = (VkDeviceSize)pitch;
    return box;
}

void ls_vk_release_memory(struct ls_vk_device *device)
{
    for (int i = 0; i < LS_VK_SCRATCH; i++)
        ls_vk_destroy(&device->base, device->scratch[i]);
    ls_vk_destroy(&device->base, device->faults);
    free(device->retired);
    device->retired = NULL;
    device->retired_count = device->retired_capacity = 0;
}
