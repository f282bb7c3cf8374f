/* SPDX-License-Identifier: Apache-2.0
 *
 * Pipelines: one table from keys to pipelines, filled from embedded SPIR-V, and the few calls that
 * launch one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vulkan.h"

/* ---- The embedded SPIR-V: made by glslc, one form for each fma where there is arithmetic ---- */

#define FORM(name, form)                                                                           \
    static const uint32_t name##_##form[] = {
FORM(move, 0)
#include "move_0.spv.inc"
};
FORM(reduce, 0)
#include "reduce_0.spv.inc"
};
FORM(digest, 0)
#include "digest_0.spv.inc"
};
FORM(map, 0)
#include "map_0.spv.inc"
};
FORM(map, 1)
#include "map_1.spv.inc"
};
FORM(map, 2)
#include "map_2.spv.inc"
};
FORM(gemm, 0)
#include "gemm_0.spv.inc"
};
FORM(gemm, 1)
#include "gemm_1.spv.inc"
};
FORM(gemm, 2)
#include "gemm_2.spv.inc"
};
FORM(conv, 0)
#include "conv_0.spv.inc"
};
FORM(conv, 1)
#include "conv_1.spv.inc"
};
FORM(conv, 2)
#include "conv_2.spv.inc"
};
FORM(order, 0)
#include "order_0.spv.inc"
};
FORM(order, 1)
#include "order_1.spv.inc"
};
FORM(order, 2)
#include "order_2.spv.inc"
};
FORM(pool, 0)
#include "pool_0.spv.inc"
};
FORM(pool, 1)
#include "pool_1.spv.inc"
};
FORM(pool, 2)
#include "pool_2.spv.inc"
};
FORM(random, 0)
#include "random_0.spv.inc"
};
FORM(random, 1)
#include "random_1.spv.inc"
};
FORM(random, 2)
#include "random_2.spv.inc"
};
FORM(softmax, 0)
#include "softmax_0.spv.inc"
};
FORM(softmax, 1)
#include "softmax_1.spv.inc"
};
FORM(softmax, 2)
#include "softmax_2.spv.inc"
};
FORM(probe, 0)
#include "probe_0.spv.inc"
};
FORM(probe, 1)
#include "probe_1.spv.inc"
};
FORM(probe, 2)
#include "probe_2.spv.inc"
};
#undef FORM

/* Without arithmetic there is one form. */
#define WORDS_0(name) {name##_0, NULL, NULL}, {sizeof name##_0 / 4, 0, 0}
#define WORDS_1(name)                                                                              \
    {name##_0, name##_1, name##_2}, {sizeof name##_0 / 4, sizeof name##_1 / 4, sizeof name##_2 / 4}

static const struct embedded {
    const uint32_t *words[LS_VK_FMA_FORMS];
    size_t count[LS_VK_FMA_FORMS];
    bool arithmetic;
} embedded[] = {
#define SHADER(name, arithmetic) {WORDS_##arithmetic(name), arithmetic},
    LS_VK_SHADERS(SHADER)
#undef SHADER
};

/* ---- The table ---- */

static uint64_t hash_of(const struct ls_vk_key *key)
{
    uint64_t hash = ls_cache_hash(LS_CACHE_HASH, &key->shader, 1);
    hash = ls_cache_hash(hash, &key->form, 1);
    return ls_cache_hash(hash, key->words, key->count * sizeof *key->words);
}

static bool same_key(const struct ls_vk_key *a, const struct ls_vk_key *b)
{
    return a->shader == b->shader && a->form == b->form && a->count == b->count &&
           memcmp(a->words, b->words, a->count * sizeof *a->words) == 0;
}

/* The place of a key: its pipeline, or the free place where it belongs. */
static size_t place_of(const struct ls_vk_device *device, uint64_t hash, const struct ls_vk_key *key)
{
    size_t mask = device->pipeline_capacity - 1, place = (size_t)hash & mask;
    while (device->pipelines[place] != NULL && !(device->pipelines[place]->hash == hash &&
                                                 same_key(&device->pipelines[place]->key, key)))
        place = (place + 1) & mask;
    return place;
}

const struct ls_vk_pipeline *ls_vk_find(struct ls_vk_device *device, const struct ls_vk_key *key)
{
    if (device->pipeline_capacity == 0)
        return NULL;
    return device->pipelines[place_of(device, hash_of(key), key)];
}

/* Keeps at least a third of the places free. */
static ls_status make_room(struct ls_vk_device *device)
{
    if ((device->pipeline_count + 1) * 3 <= device->pipeline_capacity * 2)
        return LS_OK;
    size_t old_capacity = device->pipeline_capacity;
    struct ls_vk_pipeline **old = device->pipelines;
    size_t capacity = old_capacity == 0 ? 64 : old_capacity * 2;
    struct ls_vk_pipeline **larger = calloc(capacity, sizeof(struct ls_vk_pipeline *));
    if (larger == NULL)
        return ls_vk_failed(device, VK_ERROR_OUT_OF_HOST_MEMORY, "the table of pipelines");
    device->pipelines = larger;
    device->pipeline_capacity = capacity;
    for (size_t i = 0; i < old_capacity; i++)
        if (old[i] != NULL)
            larger[place_of(device, old[i]->hash, &old[i]->key)] = old[i];
    free(old);
    return LS_OK;
}

void ls_vk_release_pipelines(struct ls_vk_device *device)
{
    for (size_t i = 0; i < device->pipeline_capacity; i++) {
        if (device->pipelines[i] == NULL)
            continue;
        ls_vk.vkDestroyPipeline(device->device, device->pipelines[i]->pipeline, NULL);
        free(device->pipelines[i]);
    }
    free(device->pipelines);
    device->pipelines = NULL;
    device->pipeline_count = device->pipeline_capacity = 0;
    for (int i = 0; i <= LS_VK_BINDINGS; i++) {
        if (device->layout[i] != VK_NULL_HANDLE)
            ls_vk.vkDestroyPipelineLayout(device->device, device->layout[i], NULL);
        if (device->set_layout[i] != VK_NULL_HANDLE)
            ls_vk.vkDestroyDescriptorSetLayout(device->device, device->set_layout[i], NULL);
    }
}

/* ---- The pipeline cache on disk ---- */

/* What every driver writes first: VkPipelineCacheHeaderVersionOne. Another driver's is of no use,
 * and not all drivers look. */
static bool fits(const struct ls_vk_device *device, const void *data, size_t size)
{
    VkPhysicalDeviceProperties2 properties = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2};
    VkPipelineCacheHeaderVersionOne header;
    if (size < sizeof header)
        return false;
    memcpy(&header, data, sizeof header);
    ls_vk.vkGetPhysicalDeviceProperties2(device->physical, &properties);
    return header.headerSize >= sizeof header && header.headerSize <= size &&
           header.headerVersion == VK_PIPELINE_CACHE_HEADER_VERSION_ONE &&
           header.vendorID == properties.properties.vendorID &&
           header.deviceID == properties.properties.deviceID &&
           memcmp(header.pipelineCacheUUID, properties.properties.pipelineCacheUUID, VK_UUID_SIZE) == 0;
}

ls_status ls_vk_cache_open(struct ls_vk_device *device)
{
    void *data = NULL;
    size_t size = 0;
    if (ls_cache_load(device->cache_folder, device->identity, &data, &size) && !fits(device, data, size))
        size = 0;
    VkPipelineCacheCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO,
        .initialDataSize = size,
        .pInitialData = data,
    };
    VkResult code = ls_vk.vkCreatePipelineCache(device->device, &info, NULL, &device->cache);
    if (code != VK_SUCCESS && size > 0) { /* what is there is of no use */
        info.initialDataSize = 0;
        code = ls_vk.vkCreatePipelineCache(device->device, &info, NULL, &device->cache);
    }
    free(data);
    if (code == VK_SUCCESS)
        return LS_OK;
    device->cache = VK_NULL_HANDLE;
    return ls_vk_failed(device, code, "vkCreatePipelineCache");
}

void ls_vk_cache_close(struct ls_vk_device *device)
{
    size_t size = 0;
    if (device->cache == VK_NULL_HANDLE)
        return;
    bool keep = device->cache_grew && device->cache_folder[0] != '\0' && !device->base.lost;
    if (keep && ls_vk.vkGetPipelineCacheData(device->device, device->cache, &size, NULL) == VK_SUCCESS &&
        size > sizeof(VkPipelineCacheHeaderVersionOne)) {
        void *data = malloc(size);
        if (data != NULL && ls_vk.vkGetPipelineCacheData(device->device, device->cache, &size, data) == VK_SUCCESS)
            ls_cache_store(device->cache_folder, device->identity, data, size);
        free(data);
    }
    ls_vk.vkDestroyPipelineCache(device->device, device->cache, NULL);
}

/* ---- Building ---- */

/* The layouts for so many buffers and LS_VK_PUSH bytes. */
static ls_status make_layout(struct ls_vk_device *device, int buffers)
{
    VkDescriptorSetLayoutBinding bindings[LS_VK_BINDINGS];
    if (device->layout[buffers] != VK_NULL_HANDLE)
        return LS_OK;
    for (int i = 0; i < buffers; i++)
        bindings[i] = (VkDescriptorSetLayoutBinding){
            .binding = (uint32_t)i,
            .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
            .descriptorCount = 1,
            .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT,
        };
    VkDescriptorSetLayoutCreateInfo set = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
        .bindingCount = (uint32_t)buffers,
        .pBindings = bindings,
    };
    VkResult code = VK_SUCCESS;
    if (device->set_layout[buffers] == VK_NULL_HANDLE)
        code = ls_vk.vkCreateDescriptorSetLayout(device->device, &set, NULL, &device->set_layout[buffers]);
    if (code != VK_SUCCESS) {
        device->set_layout[buffers] = VK_NULL_HANDLE;
        return ls_vk_failed(device, code, "vkCreateDescriptorSetLayout");
    }
    VkPushConstantRange push = {VK_SHADER_STAGE_COMPUTE_BIT, 0, LS_VK_PUSH};
    VkPipelineLayoutCreateInfo layout = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
        .setLayoutCount = 1,
        .pSetLayouts = &device->set_layout[buffers],
        .pushConstantRangeCount = 1,
        .pPushConstantRanges = &push,
    };
    code = ls_vk.vkCreatePipelineLayout(device->device, &layout, NULL, &device->layout[buffers]);
    if (code == VK_SUCCESS)
        return LS_OK;
    device->layout[buffers] = VK_NULL_HANDLE;
    return ls_vk_failed(device, code, "vkCreatePipelineLayout");
}

/* The SPIR-V of this variant as the canonical arithmetic needs it: the constants of the key, and those of
 * prelude_glsl.h, fixed; what they rule out dropped, which drivers would read, inline and fold first. */
static enum ls_spirv_result finish_words(const struct ls_vk_device *device, const struct ls_vk_key *key,
                                         const uint32_t *words, size_t count, uint32_t **out, size_t *out_count)
{
    enum { MOST = 32, NATIVE_DIVISION = 1000, NATIVE_ROOT = 1001 };
    struct ls_spirv_constant constants[MOST];
    size_t constant_count = key->shader == LS_VK_FUSED ? 0 : key->count;
    for (size_t i = 0; i < constant_count; i++)
        constants[i] = (struct ls_spirv_constant){(uint32_t)i, key->words[i]};
    constants[constant_count++] = (struct ls_spirv_constant){NATIVE_DIVISION, device->native_division};
    constants[constant_count++] = (struct ls_spirv_constant){NATIVE_ROOT, device->native_root};
    uint32_t *special;
    size_t special_count;
    enum ls_spirv_result result =
        ls_spirv_specialize(words, count, constants, constant_count, &special, &special_count);
    if (result == LS_SPIRV_OK)
        result = ls_spirv_canonicalize(special, special_count, &device->spirv, out, out_count);
    free(special);
    return result;
}

static ls_status make_module(struct ls_vk_device *device, const char *name, const struct ls_vk_key *key,
                             const uint32_t *words, size_t count, VkShaderModule *module)
{
    uint32_t *finished = NULL;
    size_t finished_count;
    enum ls_spirv_result result = finish_words(device, key, words, count, &finished, &finished_count);
    if (result == LS_SPIRV_NO_MEMORY)
        return ls_vk_failed(device, VK_ERROR_OUT_OF_HOST_MEMORY, "the shader %s", name);
    if (result != LS_SPIRV_OK) {
        snprintf(device->base.message.text, sizeof device->base.message.text, "the shader %s: %s", name,
                 ls_spirv_error(result));
        return LS_COMPILE_ERROR;
    }
    VkShaderModuleCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
        .codeSize = finished_count * sizeof *finished,
        .pCode = finished,
    };
    VkResult code = ls_vk.vkCreateShaderModule(device->device, &info, NULL, module);
    free(finished);
    return code == VK_SUCCESS ? LS_OK : ls_vk_failed(device, code, "vkCreateShaderModule(%s)", name);
}

static ls_status make_pipeline(struct ls_vk_device *device, const char *name, VkShaderModule module, int buffers,
                               VkPipeline *pipeline)
{
    VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                  .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                  .module = module,
                  .pName = "main"},
        .layout = device->layout[buffers],
    };
    VkResult code = ls_vk.vkCreateComputePipelines(device->device, device->cache, 1, &info, NULL, pipeline);
    if (code == VK_SUCCESS)
        return LS_OK;
    ls_status status = ls_vk_failed(device, code, "vkCreateComputePipelines(%s)", name);
    return status == LS_DEVICE_ERROR ? LS_COMPILE_ERROR : status;
}

ls_status ls_vk_build(struct ls_vk_device *device, const char *name, const struct ls_vk_key *key,
                      const uint32_t *words, size_t count, int buffers,
                      const struct ls_vk_pipeline **built)
{
    *built = NULL;
    if ((uint32_t)buffers > device->limits.maxPerStageDescriptorStorageBuffers) {
        snprintf(device->base.message.text, sizeof device->base.message.text,
                 "%s needs %d buffers; this device binds %u to a shader", name, buffers,
                 device->limits.maxPerStageDescriptorStorageBuffers);
        return LS_DEVICE_ERROR;
    }
    ls_status status = make_layout(device, buffers);
    if (status == LS_OK)
        status = make_room(device);
    if (status != LS_OK)
        return status;
    struct ls_vk_pipeline *pipeline = calloc(1, sizeof *pipeline);
    if (pipeline == NULL)
        return ls_vk_failed(device, VK_ERROR_OUT_OF_HOST_MEMORY, "the pipeline %s", name);
    VkShaderModule module = VK_NULL_HANDLE;
    status = make_module(device, name, key, words, count, &module);
    if (status == LS_OK) {
        status = make_pipeline(device, name, module, buffers, &pipeline->pipeline);
        ls_vk.vkDestroyShaderModule(device->device, module, NULL);
    }
    if (status != LS_OK) {
        free(pipeline);
        return status;
    }
    device->cache_grew = true;
    pipeline->key = *key;
    pipeline->hash = hash_of(key);
    pipeline->buffers = buffers;
    pipeline->name = name;
    device->pipelines[place_of(device, pipeline->hash, key)] = pipeline;
    device->pipeline_count++;
    *built = pipeline;
    return LS_OK;
}

ls_status ls_vk_pipeline(struct ls_vk_device *device, const char *name, const struct ls_vk_key *key,
                         int buffers, const struct ls_vk_pipeline **pipeline)
{
    *pipeline = ls_vk_find(device, key);
    if (*pipeline != NULL)
        return LS_OK;
    const struct embedded *shader = &embedded[key->shader];
    int form = key->shader == LS_VK_SHADER_probe ? key->form : shader->arithmetic ? (int)device->fma : 0;
    return ls_vk_build(device, name, key, shader->words[form], shader->count[form], buffers, pipeline);
}

/* ---- Launching ---- */

void ls_vk_bind(struct ls_vk_launch *launch, struct ls_buffer *buffer, int64_t bytes, unsigned access)
{
    struct ls_vk_device *device = launch->device;
    if (buffer != NULL && (VkDeviceSize)bytes > device->range && launch->status == LS_OK) {
        snprintf(device->base.message.text, sizeof device->base.message.text,
                 "%s: %lld bytes that are needed at once (a row, an image, a kernel); this device binds at most %llu "
                 "(maxStorageBufferRange). Make them smaller, or compute it on another device",
                 launch->pipeline->name, (long long)bytes, (unsigned long long)device->range);
        launch->status = LS_UNAVAILABLE;
    }
    launch->buffer[launch->count] = buffer == NULL ? NULL : ls_vk_buffer_of(buffer);
    launch->bytes[launch->count] = buffer == NULL || bytes < 1 ? 4 : (VkDeviceSize)bytes;
    launch->access[launch->count++] = access;
}

void ls_vk_push(struct ls_vk_launch *launch, int64_t value)
{
    struct ls_vk_device *device = launch->device;
    if ((value > INT32_MAX || value < INT32_MIN) && launch->status == LS_OK) {
        snprintf(device->base.message.text, sizeof device->base.message.text,
                 "%s: the size or stride %lld is above 2^31, which shaders do not count to. Compute it "
                 "in parts, or on another device",
                 launch->pipeline->name, (long long)value);
        launch->status = LS_UNAVAILABLE;
    }
    launch->push[launch->pushed++] = (uint32_t)(int32_t)value;
}

/* A descriptor set of this batch. Pools are made when those that are there are full. */
static ls_status take_set(struct ls_vk_device *device, struct ls_vk_batch *batch, int buffers,
                          VkDescriptorSet *set)
{
    enum { SETS = 128, BUFFERS = 4 * SETS };
    for (;;) {
        if (batch->set_pool < batch->set_pools) {
            VkDescriptorSetAllocateInfo info = {
                .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                .descriptorPool = batch->sets[batch->set_pool],
                .descriptorSetCount = 1,
                .pSetLayouts = &device->set_layout[buffers],
            };
            VkResult code = ls_vk.vkAllocateDescriptorSets(device->device, &info, set);
            if (code == VK_SUCCESS)
                return LS_OK;
            bool full = code == VK_ERROR_OUT_OF_POOL_MEMORY || code == VK_ERROR_FRAGMENTED_POOL;
            if (!full || batch->set_pool + 1 == LS_VK_DESCRIPTOR_POOLS)
                return ls_vk_failed(device, code, "vkAllocateDescriptorSets");
            batch->set_pool++;
            continue;
        }
        VkDescriptorPoolSize size = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, BUFFERS};
        VkDescriptorPoolCreateInfo info = {
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
            .maxSets = SETS,
            .poolSizeCount = 1,
            .pPoolSizes = &size,
        };
        VkResult code = ls_vk.vkCreateDescriptorPool(device->device, &info, NULL, &batch->sets[batch->set_pools]);
        if (code != VK_SUCCESS)
            return ls_vk_failed(device, code, "vkCreateDescriptorPool");
        batch->set_pools++;
    }
}

static void write_set(const struct ls_vk_launch *launch, struct ls_vk_buffer *const *bound, VkDescriptorSet set)
{
    VkDescriptorBufferInfo infos[LS_VK_BINDINGS];
    int any = 0; /* stands in for what the shader does not look at */
    while (bound[any] == NULL)
        any++;
    for (int i = 0; i < launch->count; i++) {
        const struct ls_vk_piece *piece = &bound[bound[i] != NULL ? i : any]->piece;
        infos[i] = (VkDescriptorBufferInfo){
            .buffer = piece->block->buffer,
            .offset = piece->offset,
            .range = (launch->bytes[i] + 3) & ~(VkDeviceSize)3,
        };
    }
    VkWriteDescriptorSet write = {
        .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
        .dstSet = set,
        .descriptorCount = (uint32_t)launch->count, /* binding after binding */
        .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
        .pBufferInfo = infos,
    };
    ls_vk.vkUpdateDescriptorSets(launch->device->device, 1, &write, 0, NULL);
}

/* ---- Parts that cannot be bound where they lie ---- */

/* Its rows are apart, or it is not aligned, or the last word that it writes is not all its own. */
static bool is_copied(const struct ls_vk_launch *launch, int i)
{
    const struct ls_vk_buffer *part = launch->buffer[i];
    return part != NULL && part->whole != NULL &&
           (part->rows > 1 || part->piece.offset % LS_VK_ALIGNMENT != 0 ||
            (launch->access[i] == LS_VK_WRITE && launch->bytes[i] % 4 != 0));
}

static ls_status copy_part(const struct ls_vk_launch *launch, int i, struct ls_vk_buffer *copy, bool back)
{
    struct ls_vk_buffer *part = launch->buffer[i];
    struct ls_vk_place there = {part, part->piece, 0}, here = {copy, copy->piece, 0};
    VkDeviceSize row = part->rows > 1 ? part->row : launch->bytes[i];
    int64_t rows = part->rows > 1 ? part->rows : 1;
    return back ? ls_vk_copy_rows(launch->device, here, row, there, part->pitch, rows, row)
                : ls_vk_copy_rows(launch->device, there, part->pitch, here, row, rows, row);
}

/* The buffers to bind: what was asked for, or scratch memory with what is to be read. */
static ls_status copy_in(const struct ls_vk_launch *launch, struct ls_vk_buffer **bound)
{
    ls_status status = LS_OK;
    for (int i = 0; i < launch->count && status == LS_OK; i++) {
        struct ls_buffer *scratch;
        bound[i] = launch->buffer[i];
        if (!is_copied(launch, i))
            continue;
        status = ls_vk_scratch(launch->device, LS_VK_SCRATCH_PARTS + i, launch->bytes[i], &scratch);
        if (status != LS_OK)
            break;
        bound[i] = ls_vk_buffer_of(scratch);
        if ((launch->access[i] & LS_VK_READ) != 0)
            status = copy_part(launch, i, bound[i], false);
    }
    return status;
}

static ls_status copy_out(const struct ls_vk_launch *launch, struct ls_vk_buffer *const *bound)
{
    ls_status status = LS_OK;
    for (int i = 0; i < launch->count && status == LS_OK; i++)
        if (bound[i] != launch->buffer[i] && (launch->access[i] & LS_VK_WRITE) != 0)
            status = copy_part(launch, i, bound[i], true);
    return status;
}

/* ---- Running ---- */

ls_status ls_vk_run(struct ls_vk_launch *launch, int64_t groups)
{
    struct ls_vk_device *device = launch->device;
    const struct ls_vk_pipeline *pipeline = launch->pipeline;
    struct ls_vk_batch *batch;
    struct ls_vk_buffer *bound[LS_VK_BINDINGS];
    VkDescriptorSet set;
    if (launch->status != LS_OK)
        return launch->status;
    /* As many columns as a dispatch may have, and rows for the rest; the last row may be too long. */
    int64_t most = device->limits.maxComputeWorkGroupCount[0];
    int64_t columns = groups < most ? groups : most, rows = ls_vk_groups(groups, columns);
    if (rows > device->limits.maxComputeWorkGroupCount[1] || groups > UINT32_MAX / 2) {
        snprintf(device->base.message.text, sizeof device->base.message.text,
                 "%s: %lld groups are more than this device runs at once. Compute it in parts",
                 pipeline->name, (long long)groups);
        return LS_UNAVAILABLE;
    }
    ls_status status = copy_in(launch, bound);
    if (status == LS_OK)
        status = ls_vk_record(device, &batch);
    if (status == LS_OK)
        status = take_set(device, batch, pipeline->buffers, &set);
    if (status != LS_OK)
        return status;
    write_set(launch, bound, set);
    ls_vk_order(device, batch, bound, launch->access, launch->count);
    VkPipelineLayout layout = device->layout[pipeline->buffers];
    ls_vk.vkCmdBindPipeline(batch->commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline->pipeline);
    ls_vk.vkCmdBindDescriptorSets(batch->commands, VK_PIPELINE_BIND_POINT_COMPUTE, layout, 0, 1, &set, 0, NULL);
    ls_vk.vkCmdPushConstants(batch->commands, layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, LS_VK_PUSH, launch->push);
    ls_vk.vkCmdDispatch(batch->commands, (uint32_t)columns, (uint32_t)rows, 1);
    status = ls_vk_recorded(device, batch);
    return status == LS_OK ? copy_out(launch, bound) : status;
}

ls_status ls_vk_run_parts(struct ls_vk_launch *launch, int64_t groups, int64_t start, int64_t end, int64_t part)
{
    ls_status status = LS_OK;
    int pushed = launch->pushed;
    do {
        launch->pushed = pushed;
        ls_vk_push(launch, start);
        ls_vk_push(launch, end - start < part ? end : start + part);
        status = ls_vk_run(launch, groups);
        start += part;
    } while (status == LS_OK && start < end);
    return status;
}
