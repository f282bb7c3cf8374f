/* SPDX-License-Identifier: Apache-2.0
 *
 * Batches of commands. Commands run in the order in which they were recorded only where a barrier
 * says so. Each buffer remembers the epoch, the time between two barriers, in which it was last read
 * and written: a command needs a barrier before it exactly when it touches what was written, or
 * writes what was read, in the current epoch. Epochs go on from one batch to the next.
 */
#include <stdio.h>
#include <stdlib.h>

#include "vulkan.h"

#define ALL_STAGES (VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT)
#define ALL_READS (VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_TRANSFER_READ_BIT)
#define ALL_WRITES (VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT)

ls_status ls_vk_batches_init(struct ls_vk_device *device)
{
    device->serial = 1;
    device->epoch = 1;
    for (int i = 0; i < LS_VK_BATCHES; i++) {
        struct ls_vk_batch *batch = &device->batch[i];
        VkCommandPoolCreateInfo pool = {
            .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
            .flags = VK_COMMAND_POOL_CREATE_TRANSIENT_BIT,
            .queueFamilyIndex = device->family,
        };
        VkResult code = ls_vk.vkCreateCommandPool(device->device, &pool, NULL, &batch->pool);
        if (code != VK_SUCCESS) {
            batch->pool = VK_NULL_HANDLE;
            return ls_vk_failed(device, code, "vkCreateCommandPool");
        }
        VkCommandBufferAllocateInfo commands = {
            .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
            .commandPool = batch->pool,
            .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
            .commandBufferCount = 1,
        };
        code = ls_vk.vkAllocateCommandBuffers(device->device, &commands, &batch->commands);
        if (code != VK_SUCCESS)
            return ls_vk_failed(device, code, "vkAllocateCommandBuffers");
        VkFenceCreateInfo fence = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
        code = ls_vk.vkCreateFence(device->device, &fence, NULL, &batch->fence);
        if (code != VK_SUCCESS) {
            batch->fence = VK_NULL_HANDLE;
            return ls_vk_failed(device, code, "vkCreateFence");
        }
    }
    return LS_OK;
}

static void release_staging(struct ls_vk_device *device, struct ls_vk_batch *batch)
{
    for (size_t i = 0; i < batch->staging_count; i++)
        ls_vk_give(device, &batch->staging[i]);
    batch->staging_count = 0;
    batch->staged = 0;
}

void ls_vk_batches_finish(struct ls_vk_device *device)
{
    for (int i = 0; i < LS_VK_BATCHES; i++) {
        struct ls_vk_batch *batch = &device->batch[i];
        release_staging(device, batch);
        free(batch->staging);
        for (int s = 0; s < batch->set_pools; s++)
            ls_vk.vkDestroyDescriptorPool(device->device, batch->sets[s], NULL);
        if (batch->pool != VK_NULL_HANDLE)
            ls_vk.vkDestroyCommandPool(device->device, batch->pool, NULL);
        if (batch->fence != VK_NULL_HANDLE)
            ls_vk.vkDestroyFence(device->device, batch->fence, NULL);
        *batch = (struct ls_vk_batch){.pool = VK_NULL_HANDLE};
    }
}

/* After a failure here what was queued is gone, and no later result could be trusted. */
static ls_status broken(struct ls_vk_device *device, VkResult code, const char *call)
{
    ls_vk_failed(device, code, "%s; what was queued is lost", call);
    device->base.lost = true;
    return LS_DEVICE_LOST;
}

/* ---- Waiting ---- */

/* Gives back what belonged to the batches that are done. */
static void reclaim(struct ls_vk_device *device)
{
    size_t kept = 0;
    for (size_t i = 0; i < device->retired_count; i++)
        if (device->retired[i].serial <= device->completed)
            ls_vk_give(device, &device->retired[i].piece);
        else
            device->retired[kept++] = device->retired[i];
    device->retired_count = kept;
}

/* Waits a second at a time, so that only those count in which this process ran. */
static VkResult wait_patiently(const struct ls_vk_device *device, VkFence fence)
{
    const uint64_t second = 1000000000;
    VkResult code = VK_TIMEOUT;
    for (uint64_t waited = 0; code == VK_TIMEOUT && (device->patience == 0 || waited < device->patience); waited++)
        code = ls_vk.vkWaitForFences(device->device, 1, &fence, VK_TRUE, second);
    return code;
}

static ls_status wait_for(struct ls_vk_device *device, struct ls_vk_batch *batch)
{
    VkResult code = wait_patiently(device, batch->fence);
    if (code == VK_TIMEOUT) {
        char call[160];
        snprintf(call, sizeof call, "vkWaitForFences: the device did not end its work in %llu s (LOCKSTEP_TIMEOUT is "
                 "how long to wait, 0 for ever)", (unsigned long long)device->patience);
        device->hung = true;
        return broken(device, code, call);
    }
    if (code != VK_SUCCESS)
        return broken(device, code, "vkWaitForFences");
    code = ls_vk.vkResetFences(device->device, 1, &batch->fence);
    if (code != VK_SUCCESS)
        return broken(device, code, "vkResetFences");
    device->completed = batch->serial;
    batch->serial = 0;
    release_staging(device, batch);
    reclaim(device);
    return LS_OK;
}

ls_status ls_vk_wait(struct ls_vk_device *device, uint64_t serial)
{
    if (serial <= device->completed)
        return LS_OK;
    if (device->hung || !ls_vk_here(device->process, &device->base.message))
        return LS_DEVICE_LOST;
    ls_status status = serial >= device->serial ? ls_vk_submit(device) : LS_OK;
    while (status == LS_OK && device->completed < serial) {
        struct ls_vk_batch *next = NULL; /* the oldest one on its way */
        for (int i = 0; i < LS_VK_BATCHES; i++) {
            struct ls_vk_batch *batch = &device->batch[i];
            if (!batch->recording && batch->serial != 0 && (next == NULL || batch->serial < next->serial))
                next = batch;
        }
        if (next == NULL)
            return LS_OK;
        status = wait_for(device, next);
    }
    return status;
}

ls_status ls_vk_wait_all(struct ls_vk_device *device)
{
    return ls_vk_wait(device, device->batch[device->current].recording ? device->serial : device->serial - 1);
}

/* ---- Recording ---- */

static ls_status begin(struct ls_vk_device *device, struct ls_vk_batch *batch)
{
    ls_status status = batch->serial != 0 ? ls_vk_wait(device, batch->serial) : LS_OK;
    if (status != LS_OK)
        return status;
    VkResult code = ls_vk.vkResetCommandPool(device->device, batch->pool, 0);
    if (code != VK_SUCCESS)
        return ls_vk_failed(device, code, "vkResetCommandPool");
    for (int i = 0; i < batch->set_pools; i++) {
        code = ls_vk.vkResetDescriptorPool(device->device, batch->sets[i], 0);
        if (code != VK_SUCCESS)
            return ls_vk_failed(device, code, "vkResetDescriptorPool");
    }
    batch->set_pool = 0;
    VkCommandBufferBeginInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
        .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT,
    };
    code = ls_vk.vkBeginCommandBuffer(batch->commands, &info);
    if (code != VK_SUCCESS)
        return ls_vk_failed(device, code, "vkBeginCommandBuffer");
    batch->recording = true;
    batch->serial = device->serial;
    batch->commands_count = 0;
    return LS_OK;
}

ls_status ls_vk_record(struct ls_vk_device *device, struct ls_vk_batch **recording)
{
    if (!ls_vk_here(device->process, &device->base.message))
        return LS_DEVICE_LOST;
    *recording = &device->batch[device->current];
    return (*recording)->recording ? LS_OK : begin(device, *recording);
}

static void barrier(struct ls_vk_batch *batch, VkPipelineStageFlags stages, VkAccessFlags access)
{
    VkMemoryBarrier memory = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
        .srcAccessMask = ALL_WRITES,
        .dstAccessMask = access,
    };
    ls_vk.vkCmdPipelineBarrier(batch->commands, ALL_STAGES, stages, 0, 1, &memory, 0, NULL, 0, NULL);
}

/* What remembers the epochs: of a part, its whole. */
static struct ls_vk_buffer *whole_of(struct ls_vk_buffer *buffer)
{
    return buffer != NULL && buffer->whole != NULL ? buffer->whole : buffer;
}

void ls_vk_order(struct ls_vk_device *device, struct ls_vk_batch *batch,
                 struct ls_vk_buffer *const *buffers, const unsigned *access, int count)
{
    bool needed = false;
    for (int i = 0; i < count; i++) {
        const struct ls_vk_buffer *buffer = whole_of(buffers[i]);
        if (buffer != NULL)
            needed = needed || buffer->written_epoch == device->epoch ||
                     ((access[i] & LS_VK_WRITE) != 0 && buffer->read_epoch == device->epoch);
    }
    if (needed && device->orders) {
        barrier(batch, ALL_STAGES, ALL_READS | ALL_WRITES);
        device->epoch++;
    }
    for (int i = 0; i < count; i++) {
        struct ls_vk_buffer *buffer = whole_of(buffers[i]);
        if (buffer == NULL)
            continue;
        buffer->used = batch->serial;
        if ((access[i] & LS_VK_READ) != 0)
            buffer->read_epoch = device->epoch;
        if ((access[i] & LS_VK_WRITE) != 0) {
            buffer->written_epoch = device->epoch;
            buffer->written = batch->serial;
        }
    }
}

ls_status ls_vk_recorded(struct ls_vk_device *device, struct ls_vk_batch *batch)
{
    return ++batch->commands_count >= device->batch_limit ? ls_vk_submit(device) : LS_OK;
}

ls_status ls_vk_submit(struct ls_vk_device *device)
{
    struct ls_vk_batch *batch = &device->batch[device->current];
    if (!batch->recording)
        return LS_OK;
    barrier(batch, VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT);
    batch->recording = false;
    VkResult code = ls_vk.vkEndCommandBuffer(batch->commands);
    if (code != VK_SUCCESS) {
        batch->serial = 0;
        return broken(device, code, "vkEndCommandBuffer");
    }
    VkSubmitInfo info = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
        .commandBufferCount = 1,
        .pCommandBuffers = &batch->commands,
    };
    code = ls_vk.vkQueueSubmit(device->queue, 1, &info, batch->fence);
    if (code != VK_SUCCESS) {
        batch->serial = 0;
        return broken(device, code, "vkQueueSubmit");
    }
    device->serial++;
    device->current = (device->current + 1) % LS_VK_BATCHES;
    return LS_OK;
}

/* ---- Copies ---- */

static ls_status room_for_staging(struct ls_vk_device *device, struct ls_vk_batch *batch)
{
    if (batch->staging_count < batch->staging_capacity)
        return LS_OK;
    size_t capacity = batch->staging_capacity == 0 ? 16 : 2 * batch->staging_capacity;
    struct ls_vk_piece *larger = realloc(batch->staging, capacity * sizeof *larger);
    if (larger == NULL)
        return ls_vk_failed(device, VK_ERROR_OUT_OF_HOST_MEMORY, "the list of uploads");
    batch->staging = larger;
    batch->staging_capacity = capacity;
    return LS_OK;
}

ls_status ls_vk_stage(struct ls_vk_device *device, VkDeviceSize bytes, struct ls_vk_piece *piece)
{
    struct ls_vk_batch *batch;
    *piece = (struct ls_vk_piece){.block = NULL};
    ls_status status = ls_vk_record(device, &batch);
    if (status == LS_OK && batch->staged > 0 && batch->staged + bytes > device->upload_limit)
        status = ls_vk_submit(device);
    if (status == LS_OK)
        status = ls_vk_take(device, LS_VK_STAGING, bytes, piece);
    if (status == LS_OK)
        status = ls_vk_record(device, &batch); /* the batch may have been submitted, for its memory */
    if (status == LS_OK)
        status = room_for_staging(device, batch);
    if (status != LS_OK) {
        ls_vk_give(device, piece);
        return status;
    }
    batch->staging[batch->staging_count++] = *piece;
    batch->staged += bytes;
    return LS_OK;
}

ls_status ls_vk_copy_rows(struct ls_vk_device *device, struct ls_vk_place from, VkDeviceSize from_pitch,
                          struct ls_vk_place to, VkDeviceSize to_pitch, int64_t rows, VkDeviceSize bytes)
{
    enum { REGIONS = 256 };
    VkBufferCopy regions[REGIONS];
    struct ls_vk_batch *batch;
    ls_status status = ls_vk_record(device, &batch);
    if (status != LS_OK)
        return status;
    ls_vk_order(device, batch, (struct ls_vk_buffer *[]){from.buffer, to.buffer},
                (unsigned[]){LS_VK_READ, LS_VK_WRITE}, 2);
    for (int64_t start = 0; start < rows; start += REGIONS) {
        uint32_t count = (uint32_t)(rows - start < REGIONS ? rows - start : REGIONS);
        for (uint32_t i = 0; i < count; i++)
            regions[i] = (VkBufferCopy){
                .srcOffset = from.piece.offset + from.offset + (VkDeviceSize)(start + i) * from_pitch,
                .dstOffset = to.piece.offset + to.offset + (VkDeviceSize)(start + i) * to_pitch,
                .size = bytes,
            };
        ls_vk.vkCmdCopyBuffer(batch->commands, from.piece.block->buffer, to.piece.block->buffer, count, regions);
    }
    return ls_vk_recorded(device, batch);
}

ls_status ls_vk_copy(struct ls_vk_device *device, struct ls_vk_place from, struct ls_vk_place to,
                     VkDeviceSize bytes)
{
    return ls_vk_copy_rows(device, from, 0, to, 0, 1, bytes);
}
