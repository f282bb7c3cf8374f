/* SPDX-License-Identifier: Apache-2.0
 *
 * Vulkan devices in trouble that one failing call does not make: too little memory for what is queued, no end
 * of the work, no more descriptors, settings that are not understood. Each case in a process of its own.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../backends/vulkan/vulkan.h"
#include "apart.h"

static struct ls_vk_functions real;

static void load(void)
{
    struct ls_message message;
    CHECK(ls_vk_load(&message), "%s", message.text);
    real = ls_vk;
}

/* ---- Little memory: what was given back, but is still queued, is waited for ---- */

enum { MOST_ALLOCATIONS = 64 };
static struct {
    VkDeviceMemory memory;
    VkDeviceSize size;
} allocations[MOST_ALLOCATIONS];
static VkDeviceSize budget, allocated;
static int refused;

static VkResult VKAPI_CALL allocate(VkDevice device, const VkMemoryAllocateInfo *info,
                                    const VkAllocationCallbacks *allocator, VkDeviceMemory *memory)
{
    int free_place = 0;
    while (allocations[free_place].size != 0)
        free_place++;
    if (allocated + info->allocationSize > budget) {
        refused++;
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    }
    VkResult code = real.vkAllocateMemory(device, info, allocator, memory);
    if (code != VK_SUCCESS)
        return code;
    allocations[free_place].memory = *memory;
    allocations[free_place].size = info->allocationSize;
    allocated += info->allocationSize;
    return code;
}

static void VKAPI_CALL release(VkDevice device, VkDeviceMemory memory, const VkAllocationCallbacks *allocator)
{
    for (int i = 0; i < MOST_ALLOCATIONS; i++)
        if (allocations[i].size != 0 && allocations[i].memory == memory) {
            allocated -= allocations[i].size;
            allocations[i].size = 0;
        }
    real.vkFreeMemory(device, memory, allocator);
}

static void little_memory(VkDeviceSize megabytes)
{
    load();
    budget = megabytes << 20;
    ls_vk.vkAllocateMemory = allocate;
    ls_vk.vkFreeMemory = release;
}

/* Each tensor goes before the next one comes, and nobody reads. */
static void one_after_another(void)
{
    static const int64_t megabytes[] = {20, 24, 30, 37, 48, 59};
    little_memory(100);
    ls_context *ls = ls_open("vulkan");
    for (int i = 0; i < 6; i++)
        LS_SCOPE(ls)
        {
            ls_tensor whole = ls_arange(ls, megabytes[i] << 18), last;
            last = ls_slice(whole, (int64_t[]){(megabytes[i] << 18) - 1}, (int64_t[]){1}, NULL);
            CHECK(i < 5 || ls_item(ls_cast(last, LS_FLOAT32)) == (float)((megabytes[i] << 18) - 1), "a wrong number");
        }
    CHECK(ls_error(ls) == LS_OK && refused > 0, "%d refused: %s", refused, ls_error_message(ls));
    CHECK(ls_close(&ls) == LS_OK && allocated == 0, "close");
}

/* 48 MiB through staging memory, for which there is room for one block; then scratch memory. */
static void staging(void)
{
    enum { N = 12 << 20 };
    float *in = malloc(N * sizeof *in), *out = malloc(N * sizeof *out);
    for (int i = 0; i < N; i++)
        in[i] = (float)(i % 1000);
    setenv("LOCKSTEP_VULKAN_TEST", "staging", 1);
    little_memory(128);
    ls_context *ls = ls_open("vulkan");
    ls_tensor x = ls_from_host(ls, LS_FLOAT32, LS_SHAPE(N), in);
    CHECK(ls_read(x, out, N * sizeof *out) == LS_OK, "%s", ls_error_message(ls));
    CHECK(memcmp(in, out, N * sizeof *out) == 0, "other numbers came back");
    ls_tensor few = ls_slice(x, (int64_t[]){0}, (int64_t[]){2000}, NULL);
    CHECK(ls_item(ls_sum(few, NULL, 0, false)) == 999000.0f, "%s", ls_error_message(ls));
    CHECK(refused > 0, "there was memory enough");
    CHECK(ls_close(&ls) == LS_OK && allocated == 0, "close");
    free(in);
    free(out);
}

/* More than there is remains an error, and the context can be closed. */
static void too_much(void)
{
    little_memory(100);
    ls_context *ls = ls_open("vulkan");
    ls_tensor kept = ls_arange(ls, 60 << 18), more = ls_arange(ls, 60 << 18);
    CHECK(kept.context && !more.context, "there was room for both");
    CHECK(ls_error(ls) == LS_OUT_OF_MEMORY && strstr(ls_error_message(ls), "vkAllocateMemory"), "%s",
          ls_error_message(ls));
    CHECK(ls_close(&ls) == LS_OUT_OF_MEMORY && allocated == 0, "close");
}

/* Rows of which one fits a binding, but does not begin where one may: what they were copied to is given back. */
static void copies(void)
{
    enum { COLUMNS = (5 << 20) + 1 };
    setenv("LOCKSTEP_VULKAN_TEST", "range=22020096", 1);
    little_memory(240);
    ls_context *ls = ls_open("vulkan");
    LS_SCOPE(ls)
    {
        ls_tensor rows = ls_reshape(ls_arange(ls, 3 * COLUMNS), LS_SHAPE(3, COLUMNS));
        ls_tensor sums = ls_add(rows, ls_reshape(ls_arange(ls, 3), LS_SHAPE(3, 1)));
        ls_tensor last = ls_slice(sums, (int64_t[]){2, COLUMNS - 1}, (int64_t[]){1, 1}, NULL);
        int32_t number;
        CHECK(ls_read(last, &number, sizeof number) == LS_OK && number == 3 * COLUMNS + 1, "%d: %s", number,
              ls_error_message(ls));
    }
    CHECK(refused == 0, "too little memory for the sums");
    ls_tensor large = ls_fill(ls, LS_SHAPE(48 << 20), 2.0f); /* 192 MiB */
    ls_tensor last = ls_slice(large, (int64_t[]){(48 << 20) - 1}, (int64_t[]){1}, NULL);
    CHECK(ls_item(last) == 2.0f && refused > 0, "%d refused: %s", refused, ls_error_message(ls));
    CHECK(ls_close(&ls) == LS_OK && allocated == 0, "close");
}

/* ---- A driver that does not make large kernels ---- */

static int refusals; /* how many pipelines it refuses */

static VkResult VKAPI_CALL refuse_pipeline(VkDevice device, VkPipelineCache cache, uint32_t count,
                                           const VkComputePipelineCreateInfo *infos, const VkAllocationCallbacks *allocator,
                                           VkPipeline *pipelines)
{
    if (refusals > 0) {
        refusals--;
        return VK_ERROR_UNKNOWN;
    }
    return real.vkCreateComputePipelines(device, cache, count, infos, allocator, pipelines);
}

/* Products and convolutions are tried once more, with few results of an item; what fails then is an error. */
static void large_kernels(void)
{
    static const char *const tiles[] = {"large", "large", "tiny"};
    float numbers[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    load();
    ls_vk.vkCreateComputePipelines = refuse_pipeline;
    for (int form = 0; form < 6; form++) {
        int times = form / 2 == 1 ? 2 : 1;
        setenv("LOCKSTEP_TILE", tiles[form / 2], 1);
        ls_context *ls = ls_open("vulkan");
        ls_tensor a = ls_from_host(ls, LS_FLOAT32, LS_SHAPE(3, 3), numbers), y;
        CHECK(ls_error(ls) == LS_OK, "%s", ls_error_message(ls));
        refusals = times;
        y = form % 2 == 0 ? ls_matmul(a, a) : ls_conv(ls_reshape(a, LS_SHAPE(1, 3, 3, 1)), ls_reshape(a, LS_SHAPE(3, 3, 1, 1)));
        float first[9] = {0};
        ls_read(y, first, form % 2 == 0 ? 36 : 4);
        CHECK(refusals == 0, "%d pipelines were not asked for", refusals);
        CHECK(times == 2 ? ls_error(ls) == LS_COMPILE_ERROR && strstr(ls_error_message(ls), "vkCreateComputePipelines")
                         : ls_error(ls) == LS_OK && first[0] == (form % 2 == 0 ? 30.0f : 285.0f),
              "tile %s, refused %d times: %s", tiles[form / 2], times, ls_error_message(ls));
        ls_close(&ls);
    }
}

/* ---- A device that does not end its work ---- */

static int waits, late; /* calls; of those, how many time out: -1 all */

static VkResult VKAPI_CALL wait_in_vain(VkDevice device, uint32_t count, const VkFence *fences, VkBool32 all,
                                        uint64_t nanoseconds)
{
    waits++;
    CHECK(nanoseconds <= 1000000000, "waits for %llu ns", (unsigned long long)nanoseconds);
    if (late != 0 && late-- != 0)
        return VK_TIMEOUT;
    return real.vkWaitForFences(device, count, fences, all, nanoseconds);
}

static VkResult VKAPI_CALL never_idle(VkDevice device)
{
    (void)device;
    CHECK(false, "waits for a device that hangs");
    return VK_SUCCESS;
}

static void VKAPI_CALL never_destroyed(VkDevice device, const VkAllocationCallbacks *allocator)
{
    (void)device, (void)allocator;
    CHECK(false, "destroys a device that may be at work");
}

static void hang(void)
{
    setenv("LOCKSTEP_TIMEOUT", "3", 1);
    load();
    ls_vk.vkWaitForFences = wait_in_vain;
    ls_context *ls = ls_open("vulkan");
    late = 2;
    CHECK(compute(ls) == 20.0f && late == 0, "late, but in time: %s", ls_error_message(ls));
    late = -1;
    waits = 0;
    ls_vk.vkDeviceWaitIdle = never_idle;
    ls_vk.vkDestroyDevice = never_destroyed;
    compute(ls);
    CHECK(ls_error(ls) == LS_DEVICE_LOST && waits == 3, "%s after %d s", ls_status_name(ls_error(ls)), waits);
    CHECK(strstr(ls_error_message(ls), "VK_TIMEOUT") && strstr(ls_error_message(ls), "LOCKSTEP_TIMEOUT") &&
              strstr(ls_error_message(ls), "3 s"), "\"%s\"", ls_error_message(ls));
    CHECK(ls_synchronize(ls) == LS_DEVICE_LOST, "it is not final");
    CHECK(ls_close(&ls) == LS_DEVICE_LOST && waits == 3, "close waits again");
    ls_vk = real;
    check_healthy("vulkan");
}

/* ---- No more descriptors ---- */

static int pools;

static VkResult VKAPI_CALL count_pool(VkDevice device, const VkDescriptorPoolCreateInfo *info,
                                      const VkAllocationCallbacks *allocator, VkDescriptorPool *pool)
{
    pools++;
    return real.vkCreateDescriptorPool(device, info, allocator, pool);
}

static VkResult VKAPI_CALL no_sets(VkDevice device, const VkDescriptorSetAllocateInfo *info, VkDescriptorSet *sets)
{
    (void)device, (void)info, (void)sets;
    return VK_ERROR_FRAGMENTED_POOL;
}

/* As many calls as there may be pools, of which each fails: no pool is made beyond them. */
static void no_descriptors(void)
{
    struct ls_device *opened;
    struct ls_buffer *buffer;
    struct ls_message message;
    load();
    if (ls_device_open("vulkan", &opened, &message) != LS_OK || opened->backend->create(opened, 64, &buffer) != LS_OK) {
        CHECK(false, "%s", message.text);
        return;
    }
    ls_vk.vkCreateDescriptorPool = count_pool;
    ls_vk.vkAllocateDescriptorSets = no_sets;
    struct ls_fill_args args = {.dst = buffer, .dtype = LS_INT32, .step = 1, .n = 16};
    for (int i = 0; i < LS_VK_DESCRIPTOR_POOLS; i++)
        CHECK(opened->backend->fill(opened, &args) == LS_OUT_OF_MEMORY, "call %d", i);
    CHECK(pools <= LS_VK_DESCRIPTOR_POOLS, "%d pools", pools);
    CHECK(strstr(opened->message.text, "VK_ERROR_FRAGMENTED_POOL"), "\"%s\"", opened->message.text);
    ls_vk = real;
    CHECK(opened->backend->fill(opened, &args) == LS_OK && opened->backend->finish(opened) == LS_OK, "afterwards: %s",
          opened->message.text);
    opened->backend->destroy(opened, buffer);
    opened->backend->close(opened);
}

/* ---- Settings ---- */

static void refused_setting(const char *name, const char *value)
{
    setenv(name, value, 1);
    ls_context *ls = ls_open("vulkan");
    CHECK(ls_error(ls) == LS_INVALID_ARGUMENT, "%s=%s: %s", name, value, ls_status_name(ls_error(ls)));
    CHECK(strstr(ls_error_message(ls), name) && strstr(ls_error_message(ls), "\""), "%s=%s: \"%s\"", name, value,
          ls_error_message(ls));
    ls_close(&ls);
    unsetenv(name);
}

static void settings(void)
{
    static const char *const words[] = {"groups=0", "groups=", "groups", "groups=7x", "groups=99999999999999999999",
                                        "groups=-1", "range=0", "range=100", "range", "fma=none", "fma", "rounds=0",
                                        "stagin", "staging2", "staging,unfsued", ",staging", "range=65536,,groups=7"};
    static const char *const seconds[] = {"soon", "-1", "1.5", "10s", "999999999999999999999"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        refused_setting("LOCKSTEP_VULKAN_TEST", words[i]);
    for (size_t i = 0; i < sizeof seconds / sizeof *seconds; i++)
        refused_setting("LOCKSTEP_TIMEOUT", seconds[i]);
    setenv("LOCKSTEP_VULKAN_TEST", "range=4096,groups=7,rounds=20000,fma=integer,unfused", 1);
    setenv("LOCKSTEP_TIMEOUT", "0", 1);
    check_healthy("vulkan");
}

int main(void)
{
    static char folder[] = "/tmp/lockstep-test-XXXXXX";
    CHECK(mkdtemp(folder) != NULL, "no folder below /tmp");
    setenv("LOCKSTEP_CACHE_DIR", folder, 1);
    if (there_is("vulkan")) {
        apart(one_after_another, "tensors one after another");
        apart(staging, "staging memory");
        apart(too_much, "too much");
        apart(copies, "the copies of parts");
        apart(large_kernels, "a driver that does not make large kernels");
        apart(hang, "a device that hangs");
        apart(no_descriptors, "no descriptors");
        apart(settings, "settings");
    } else {
        printf("no Vulkan device\n");
    }
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK(system(command) == 0, "cannot remove %s", folder);
    return end_of_checks();
}
