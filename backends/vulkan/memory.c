/* SPDX-License-Identifier: Apache-2.0
 *
 * The allocator. Drivers allow few allocations, so memory is taken in blocks, and a block is one
 * VkDeviceMemory with one VkBuffer over all of it: a piece is an offset. The first gap that is large
 * enough is taken. What asks for more than half a block gets one of its own.
 */
#include <stdlib.h>
#include <string.h>

#include "vulkan.h"

#define BLOCK_SIZE ((VkDeviceSize)32 << 20)

/* ---- Kinds of memory ---- */

/* The flags that a use wants, best first. */
static const VkMemoryPropertyFlags wanted[LS_VK_USES][4] = {
    [LS_VK_STORAGE] = {VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT, 0},
    [LS_VK_STAGING] = {VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT |
                           VK_MEMORY_PROPERTY_HOST_CACHED_BIT,
                       VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT},
};

/* The storage of a unified device. */
#define UNIFIED                                                                                    \
    (VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT | VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |                   \
     VK_MEMORY_PROPERTY_HOST_COHERENT_BIT | VK_MEMORY_PROPERTY_HOST_CACHED_BIT)

/* A memory type among `allowed` that has all `flags`, or -1. */
static int type_with(const struct ls_vk_device *device, uint32_t allowed, VkMemoryPropertyFlags flags)
{
    for (uint32_t i = 0; i < device->memory.memoryTypeCount; i++)
        if ((allowed >> i & 1u) != 0 && (device->memory.memoryTypes[i].propertyFlags & flags) == flags)
            return (int)i;
    return -1;
}

static int choose_type(const struct ls_vk_device *device, enum ls_vk_use use, uint32_t allowed)
{
    if (use == LS_VK_STORAGE && device->unified)
        return type_with(device, allowed, UNIFIED);
    int type = type_with(device, allowed, wanted[use][0]);
    return type >= 0 ? type : type_with(device, allowed, wanted[use][1]);
}

/* ---- Blocks ---- */

static void free_block(struct ls_vk_device *device, struct ls_vk_block *block)
{
    if (block->buffer != VK_NULL_HANDLE)
        ls_vk.vkDestroyBuffer(device->device, block->buffer, NULL);
    if (block->memory != VK_NULL_HANDLE)
        ls_vk.vkFreeMemory(device->device, block->memory, NULL);
    free(block->gaps);
    free(block);
}

static ls_status fill_block(struct ls_vk_device *device, struct ls_vk_block *block)
{
    unsigned long long size = block->size;
    VkBufferCreateInfo buffer = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .size = block->size,
        .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                 VK_BUFFER_USAGE_TRANSFER_DST_BIT,
    };
    VkResult code = ls_vk.vkCreateBuffer(device->device, &buffer, NULL, &block->buffer);
    if (code != VK_SUCCESS) {
        block->buffer = VK_NULL_HANDLE;
        return ls_vk_failed(device, code, "vkCreateBuffer of %llu bytes", size);
    }
    VkMemoryRequirements needs;
    ls_vk.vkGetBufferMemoryRequirements(device->device, block->buffer, &needs);
    int type = choose_type(device, block->use, needs.memoryTypeBits);
    if (type < 0)
        return ls_vk_failed(device, VK_ERROR_OUT_OF_DEVICE_MEMORY,
                            "the device has no memory of a suitable type for %llu bytes", size);
    VkMemoryAllocateInfo allocation = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .allocationSize = needs.size,
        .memoryTypeIndex = (uint32_t)type,
    };
    code = ls_vk.vkAllocateMemory(device->device, &allocation, NULL, &block->memory);
    if (code != VK_SUCCESS) {
        block->memory = VK_NULL_HANDLE;
        return ls_vk_failed(device, code, "vkAllocateMemory of %llu bytes (the device has %llu)", size,
                            (unsigned long long)device->base.info.memory);
    }
    code = ls_vk.vkBindBufferMemory(device->device, block->buffer, block->memory, 0);
    if (code != VK_SUCCESS)
        return ls_vk_failed(device, code, "vkBindBufferMemory of %llu bytes", size);
    if (block->use == LS_VK_STORAGE && !device->unified)
        return LS_OK;
    void *mapped;
    code = ls_vk.vkMapMemory(device->device, block->memory, 0, VK_WHOLE_SIZE, 0, &mapped);
    if (code != VK_SUCCESS)
        return ls_vk_failed(device, code, "vkMapMemory of %llu bytes", size);
    block->mapped = mapped;
    return LS_OK;
}

static ls_status add_block(struct ls_vk_device *device, enum ls_vk_use use, VkDeviceSize size,
                           struct ls_vk_block **added)
{
    struct ls_vk_block *block = calloc(1, sizeof *block);
    if (block != NULL)
        block->gaps = calloc(8, sizeof *block->gaps);
    if (block == NULL || block->gaps == NULL) {
        free(block);
        return ls_vk_failed(device, VK_ERROR_OUT_OF_HOST_MEMORY, "a block of memory");
    }
    block->gap_capacity = 8;
    block->use = use;
    block->size = size;
    ls_status status = size > device->largest_allocation
                           ? ls_vk_failed(device, VK_ERROR_OUT_OF_DEVICE_MEMORY,
                                          "%llu bytes at once (the largest allocation may have %llu)",
                                          (unsigned long long)size,
                                          (unsigned long long)device->largest_allocation)
                           : fill_block(device, block);
    if (status != LS_OK) {
        free_block(device, block);
        return status;
    }
    block->gaps[0] = (struct ls_vk_gap){0, size};
    block->gap_count = 1;
    block->next = device->blocks;
    device->blocks = block;
    *added = block;
    return LS_OK;
}

static bool is_empty(const struct ls_vk_block *block)
{
    return block->gap_count == 1 && block->gaps[0].size == block->size;
}

/* ---- Pieces ---- */

static bool take_from(struct ls_vk_block *block, VkDeviceSize size, struct ls_vk_piece *piece)
{
    for (size_t i = 0; i < block->gap_count; i++) {
        struct ls_vk_gap *gap = &block->gaps[i];
        if (gap->size < size)
            continue;
        *piece = (struct ls_vk_piece){block, gap->offset, size};
        gap->offset += size;
        gap->size -= size;
        if (gap->size == 0)
            memmove(gap, gap + 1, (--block->gap_count - i) * sizeof *gap);
        return true;
    }
    return false;
}

static ls_status take(struct ls_vk_device *device, enum ls_vk_use use, VkDeviceSize size, struct ls_vk_piece *piece)
{
    for (struct ls_vk_block *block = device->blocks; block != NULL; block = block->next)
        if (block->use == use && take_from(block, size, piece))
            return LS_OK;
    struct ls_vk_block *block;
    VkDeviceSize usual = BLOCK_SIZE < device->largest_allocation ? BLOCK_SIZE : device->largest_allocation;
    ls_status status = add_block(device, use, size > usual / 2 ? size : usual, &block);
    if (status == LS_OUT_OF_MEMORY && size <= usual / 2) /* there may be room for this much */
        status = add_block(device, use, size, &block);
    if (status == LS_OK)
        take_from(block, size, piece);
    return status;
}

/* Blocks of any use, of which the device may make others. */
static void drop_empty_blocks(struct ls_vk_device *device)
{
    struct ls_vk_block **link = &device->blocks;
    while (*link != NULL) {
        struct ls_vk_block *block = *link;
        if (is_empty(block)) {
            *link = block->next;
            free_block(device, block);
        } else {
            link = &block->next;
        }
    }
}

ls_status ls_vk_take(struct ls_vk_device *device, enum ls_vk_use use, VkDeviceSize size,
                     struct ls_vk_piece *piece)
{
    size = (size + LS_VK_ALIGNMENT - 1) / LS_VK_ALIGNMENT * LS_VK_ALIGNMENT;
    ls_status status = take(device, use, size, piece);
    if (status != LS_OUT_OF_MEMORY)
        return status;
    status = ls_vk_wait_all(device); /* then nothing is retired */
    if (status != LS_OK)
        return status;
    drop_empty_blocks(device);
    return take(device, use, size, piece);
}

/* Room for one more gap. Without host memory for it the piece stays taken until the block goes. */
static bool room_for_gap(struct ls_vk_block *block)
{
    if (block->gap_count < block->gap_capacity)
        return true;
    struct ls_vk_gap *larger = realloc(block->gaps, 2 * block->gap_capacity * sizeof *larger);
    if (larger == NULL)
        return false;
    block->gaps = larger;
    block->gap_capacity *= 2;
    return true;
}

static void drop_if_spare(struct ls_vk_device *device, struct ls_vk_block *block)
{
    bool spare = block->size > BLOCK_SIZE;
    for (struct ls_vk_block *other = device->blocks; other != NULL; other = other->next)
        spare = spare || (other != block && other->use == block->use && is_empty(other));
    if (!is_empty(block) || !spare)
        return;
    struct ls_vk_block **link = &device->blocks;
    while (*link != block)
        link = &(*link)->next;
    *link = block->next;
    free_block(device, block);
}

void ls_vk_give(struct ls_vk_device *device, struct ls_vk_piece *piece)
{
    struct ls_vk_block *block = piece->block;
    if (block == NULL || !room_for_gap(block))
        return;
    size_t i = 0; /* the first gap behind the piece */
    while (i < block->gap_count && block->gaps[i].offset < piece->offset)
        i++;
    struct ls_vk_gap *gaps = block->gaps;
    bool before = i > 0 && gaps[i - 1].offset + gaps[i - 1].size == piece->offset;
    bool behind = i < block->gap_count && piece->offset + piece->size == gaps[i].offset;
    if (before && behind) {
        gaps[i - 1].size += piece->size + gaps[i].size;
        memmove(&gaps[i], &gaps[i + 1], (--block->gap_count - i) * sizeof *gaps);
    } else if (before) {
        gaps[i - 1].size += piece->size;
    } else if (behind) {
        gaps[i].offset -= piece->size;
        gaps[i].size += piece->size;
    } else {
        memmove(&gaps[i + 1], &gaps[i], (block->gap_count++ - i) * sizeof *gaps);
        gaps[i] = (struct ls_vk_gap){piece->offset, piece->size};
    }
    *piece = (struct ls_vk_piece){NULL, 0, 0};
    drop_if_spare(device, block);
}

void ls_vk_release_blocks(struct ls_vk_device *device)
{
    while (device->blocks != NULL) {
        struct ls_vk_block *block = device->blocks;
        device->blocks = block->next;
        free_block(device, block);
    }
}
