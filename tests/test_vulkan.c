/* SPDX-License-Identifier: Apache-2.0
 *
 * Vulkan on machines that are not as they should be: no loader, no such device, a cache that is damaged
 * or foreign, a forked child, small limits; and every native call failing with each of its errors. Each
 * case in a process of its own, since drivers do not survive a fork.
 */
#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../backends/vulkan/vulkan.h"
#include "apart.h"

static char folder[] = "/tmp/lockstep-test-XXXXXX";

static void healthy(void) { check_healthy("vulkan"); }
static void forked(void) { check_forked("vulkan"); }
static void flushing(void) { check_environment("vulkan", FLUSHING); }
static void upward(void) { check_environment("vulkan", UPWARD); }

static void without_driver(void)
{
    setenv("VK_DRIVER_FILES", "/nonexistent", 1);
    setenv("VK_ICD_FILENAMES", "/nonexistent", 1);
    ls_context *ls = ls_open("vulkan");
    CHECK(ls_error(ls) == LS_UNAVAILABLE || ls_error(ls) == LS_NOT_FOUND, "%s", ls_status_name(ls_error(ls)));
    CHECK(strstr(ls_error_message(ls), "install"), "\"%s\" does not say what to install", ls_error_message(ls));
    ls_close(&ls);
    ls_device_info found[16];
    size_t count = ls_list_devices(found, 16);
    bool explained = false;
    for (size_t i = 0; i < count && i < 16; i++)
        explained |= strcmp(found[i].backend, "vulkan") == 0 && !found[i].available && found[i].reason[0];
    CHECK(explained, "the list does not say why Vulkan is not there");
}

static void without_device(void)
{
    static const char *const words[] = {"vulkan:99", "vulkan:no such thing", "vulkan:-1",
                                        "vulkan:99999999999999999999"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        ls_context *ls = ls_open(words[i]);
        CHECK(ls_error(ls) == LS_NOT_FOUND || ls_error(ls) == LS_UNAVAILABLE, "\"%s\": %s", words[i],
              ls_status_name(ls_error(ls)));
        CHECK(strstr(ls_error_message(ls), "Vulkan"), "\"%s\": \"%s\"", words[i], ls_error_message(ls));
        CHECK(ls_close(&ls) != LS_OK && !ls, "\"%s\": close", words[i]);
    }
}

/* ---- Small limits ---- */

/* Bindings of 64 KiB and dispatches of 7 groups in a row: what is larger runs in parts, and groups that make a
 * rectangle compute what a row of them does. More: test_vulkan_large.c. */
static void small_limits(void)
{
    enum { N = 50000 };
    setenv("LOCKSTEP_VULKAN_TEST", "range=65536,groups=7", 1);
    static float in[N], out[N], uniform[N], wanted[N];
    static int32_t whole[N];
    for (int i = 0; i < N; i++)
        in[i] = (float)i;
    ls_context *ls = ls_open("vulkan"), *reference = ls_open("reference");
    ls_tensor x = ls_from_host(ls, LS_FLOAT32, LS_SHAPE(N), in);
    ls_read(ls_relu(ls_sub(x, ls_scalar(ls, 10))), out, sizeof out);
    int wrong = 0;
    for (int i = 0; i < N; i++)
        wrong += out[i] != (i < 10 ? 0 : (float)i - 10);
    CHECK(ls_error(ls) == LS_OK && wrong == 0, "map in windows: %d wrong; %s", wrong, ls_error_message(ls));
    ls_read(ls_arange(ls, N), whole, sizeof whole);
    wrong = 0;
    for (int i = 0; i < N; i++)
        wrong += whole[i] != i;
    CHECK(ls_error(ls) == LS_OK && wrong == 0, "counting in windows: %d wrong; %s", wrong, ls_error_message(ls));
    ls_set_random_seed(ls, 7);
    ls_set_random_seed(reference, 7);
    ls_read(ls_random_uniform(ls, LS_SHAPE(N), 0, 1), uniform, sizeof uniform);
    ls_read(ls_random_uniform(reference, LS_SHAPE(N), 0, 1), wanted, sizeof wanted);
    CHECK(ls_error(ls) == LS_OK && memcmp(uniform, wanted, sizeof wanted) == 0, "random in windows: %s",
          ls_error_message(ls));
    ls_argsort(x, 0, false);
    CHECK_ERROR(ls, LS_UNAVAILABLE, "maxStorageBufferRange");
    /* 2048 columns are 32 groups. */
    ls_tensor rows = ls_from_host(ls, LS_FLOAT32, LS_SHAPE(2, 2048), in);
    ls_read(ls_sum(rows, (int[]){0}, 1, false), out, 2048 * sizeof *out);
    wrong = 0;
    for (int i = 0; i < 2048; i++)
        wrong += out[i] != (float)(2 * i + 2048);
    CHECK(ls_error(ls) == LS_OK && wrong == 0, "rectangles of groups: %d wrong; %s", wrong, ls_error_message(ls));
    ls_close(&ls);
    ls_close(&reference);
}

/* ---- Every native call fails ---- */

/* What is on trial: the function, how many of its calls succeed first, and what the next one returns. */
static struct trial {
    const char *name;
    int before;
    VkResult code;
    bool forever; /* and all calls after it */
    bool fired;
} trial;

static struct ls_vk_functions real;
static int alive; /* what was created and not yet destroyed */

static bool fails(const char *name)
{
    if ((trial.fired && !trial.forever) || strcmp(name, trial.name) != 0 || (!trial.fired && trial.before-- > 0))
        return false;
    trial.fired = true;
    return true;
}

/* A call that returns a code, and whether it makes something. */
#define EACH_CALL(CALL)                                                                            \
    CALL(vkEnumerateInstanceVersion, 0, (uint32_t *a), (a))                                        \
    CALL(vkEnumerateInstanceExtensionProperties, 0, (const char *a, uint32_t *b, VkExtensionProperties *c), (a, b, c)) \
    CALL(vkCreateInstance, 1, (const VkInstanceCreateInfo *a, const VkAllocationCallbacks *b, VkInstance *c), (a, b, c)) \
    CALL(vkEnumeratePhysicalDevices, 0, (VkInstance a, uint32_t *b, VkPhysicalDevice *c), (a, b, c)) \
    CALL(vkEnumerateDeviceExtensionProperties, 0, (VkPhysicalDevice a, const char *b, uint32_t *c, VkExtensionProperties *d), (a, b, c, d)) \
    CALL(vkDeviceWaitIdle, 0, (VkDevice a), (a))                                                   \
    CALL(vkCreateDevice, 1, (VkPhysicalDevice a, const VkDeviceCreateInfo *b, const VkAllocationCallbacks *c, VkDevice *d), (a, b, c, d)) \
    CALL(vkAllocateMemory, 1, (VkDevice a, const VkMemoryAllocateInfo *b, const VkAllocationCallbacks *c, VkDeviceMemory *d), (a, b, c, d)) \
    CALL(vkMapMemory, 0, (VkDevice a, VkDeviceMemory b, VkDeviceSize c, VkDeviceSize d, VkMemoryMapFlags e, void **f), (a, b, c, d, e, f)) \
    CALL(vkCreateBuffer, 1, (VkDevice a, const VkBufferCreateInfo *b, const VkAllocationCallbacks *c, VkBuffer *d), (a, b, c, d)) \
    CALL(vkBindBufferMemory, 0, (VkDevice a, VkBuffer b, VkDeviceMemory c, VkDeviceSize d), (a, b, c, d)) \
    CALL(vkCreateShaderModule, 1, (VkDevice a, const VkShaderModuleCreateInfo *b, const VkAllocationCallbacks *c, VkShaderModule *d), (a, b, c, d)) \
    CALL(vkCreatePipelineCache, 1, (VkDevice a, const VkPipelineCacheCreateInfo *b, const VkAllocationCallbacks *c, VkPipelineCache *d), (a, b, c, d)) \
    CALL(vkGetPipelineCacheData, 0, (VkDevice a, VkPipelineCache b, size_t *c, void *d), (a, b, c, d)) \
    CALL(vkCreateComputePipelines, 1, (VkDevice a, VkPipelineCache b, uint32_t c, const VkComputePipelineCreateInfo *d, const VkAllocationCallbacks *e, VkPipeline *f), (a, b, c, d, e, f)) \
    CALL(vkCreateDescriptorSetLayout, 1, (VkDevice a, const VkDescriptorSetLayoutCreateInfo *b, const VkAllocationCallbacks *c, VkDescriptorSetLayout *d), (a, b, c, d)) \
    CALL(vkCreatePipelineLayout, 1, (VkDevice a, const VkPipelineLayoutCreateInfo *b, const VkAllocationCallbacks *c, VkPipelineLayout *d), (a, b, c, d)) \
    CALL(vkCreateDescriptorPool, 1, (VkDevice a, const VkDescriptorPoolCreateInfo *b, const VkAllocationCallbacks *c, VkDescriptorPool *d), (a, b, c, d)) \
    CALL(vkResetDescriptorPool, 0, (VkDevice a, VkDescriptorPool b, VkDescriptorPoolResetFlags c), (a, b, c)) \
    CALL(vkAllocateDescriptorSets, 0, (VkDevice a, const VkDescriptorSetAllocateInfo *b, VkDescriptorSet *c), (a, b, c)) \
    CALL(vkCreateCommandPool, 1, (VkDevice a, const VkCommandPoolCreateInfo *b, const VkAllocationCallbacks *c, VkCommandPool *d), (a, b, c, d)) \
    CALL(vkResetCommandPool, 0, (VkDevice a, VkCommandPool b, VkCommandPoolResetFlags c), (a, b, c)) \
    CALL(vkAllocateCommandBuffers, 0, (VkDevice a, const VkCommandBufferAllocateInfo *b, VkCommandBuffer *c), (a, b, c)) \
    CALL(vkBeginCommandBuffer, 0, (VkCommandBuffer a, const VkCommandBufferBeginInfo *b), (a, b))  \
    CALL(vkEndCommandBuffer, 0, (VkCommandBuffer a), (a))                                          \
    CALL(vkCreateFence, 1, (VkDevice a, const VkFenceCreateInfo *b, const VkAllocationCallbacks *c, VkFence *d), (a, b, c, d)) \
    CALL(vkResetFences, 0, (VkDevice a, uint32_t b, const VkFence *c), (a, b, c))                  \
    CALL(vkWaitForFences, 0, (VkDevice a, uint32_t b, const VkFence *c, VkBool32 d, uint64_t e), (a, b, c, d, e)) \
    CALL(vkQueueSubmit, 0, (VkQueue a, uint32_t b, const VkSubmitInfo *c, VkFence d), (a, b, c, d))

#define CALL(name, makes, parameters, arguments)                                                   \
    static VkResult VKAPI_CALL try_##name parameters                                               \
    {                                                                                              \
        if (fails(#name))                                                                          \
            return trial.code;                                                                     \
        VkResult code = real.name arguments;                                                       \
        alive += makes && code == VK_SUCCESS;                                                      \
        return code;                                                                               \
    }
EACH_CALL(CALL)
#undef CALL

/* The calls that destroy what those make. */
#define EACH_END(END)                                                                              \
    END(vkDestroyInstance, (VkInstance a, const VkAllocationCallbacks *b), (a, b), a)              \
    END(vkDestroyDevice, (VkDevice a, const VkAllocationCallbacks *b), (a, b), a)                  \
    END(vkFreeMemory, (VkDevice a, VkDeviceMemory b, const VkAllocationCallbacks *c), (a, b, c), b) \
    END(vkDestroyBuffer, (VkDevice a, VkBuffer b, const VkAllocationCallbacks *c), (a, b, c), b)   \
    END(vkDestroyShaderModule, (VkDevice a, VkShaderModule b, const VkAllocationCallbacks *c), (a, b, c), b) \
    END(vkDestroyPipelineCache, (VkDevice a, VkPipelineCache b, const VkAllocationCallbacks *c), (a, b, c), b) \
    END(vkDestroyPipeline, (VkDevice a, VkPipeline b, const VkAllocationCallbacks *c), (a, b, c), b) \
    END(vkDestroyDescriptorSetLayout, (VkDevice a, VkDescriptorSetLayout b, const VkAllocationCallbacks *c), (a, b, c), b) \
    END(vkDestroyPipelineLayout, (VkDevice a, VkPipelineLayout b, const VkAllocationCallbacks *c), (a, b, c), b) \
    END(vkDestroyDescriptorPool, (VkDevice a, VkDescriptorPool b, const VkAllocationCallbacks *c), (a, b, c), b) \
    END(vkDestroyCommandPool, (VkDevice a, VkCommandPool b, const VkAllocationCallbacks *c), (a, b, c), b) \
    END(vkDestroyFence, (VkDevice a, VkFence b, const VkAllocationCallbacks *c), (a, b, c), b)

#define END(name, parameters, arguments, handle)                                                   \
    static void VKAPI_CALL try_##name parameters                                                   \
    {                                                                                              \
        alive -= handle != VK_NULL_HANDLE;                                                         \
        real.name arguments;                                                                       \
    }
EACH_END(END)
#undef END

static const char *const calls[] = {
#define CALL(name, makes, parameters, arguments) #name,
    EACH_CALL(CALL)
#undef CALL
};

#define MEMORY_CODES VK_ERROR_OUT_OF_HOST_MEMORY, VK_ERROR_OUT_OF_DEVICE_MEMORY
enum { MOST_CODES = 9 };

/* The codes that the specification lists for a call, where it is not those of memory alone. Any call may return
 * VK_ERROR_UNKNOWN besides. */
static const struct documented {
    const char *name;
    VkResult codes[MOST_CODES]; /* ends with VK_SUCCESS */
} documented[] = {
    {"vkEnumerateInstanceVersion", {VK_ERROR_OUT_OF_HOST_MEMORY}},
    {"vkEnumerateInstanceExtensionProperties", {MEMORY_CODES, VK_ERROR_LAYER_NOT_PRESENT}},
    {"vkCreateInstance",
     {MEMORY_CODES, VK_ERROR_INITIALIZATION_FAILED, VK_ERROR_LAYER_NOT_PRESENT, VK_ERROR_EXTENSION_NOT_PRESENT,
      VK_ERROR_INCOMPATIBLE_DRIVER}},
    {"vkEnumeratePhysicalDevices", {MEMORY_CODES, VK_ERROR_INITIALIZATION_FAILED}},
    {"vkEnumerateDeviceExtensionProperties", {MEMORY_CODES, VK_ERROR_LAYER_NOT_PRESENT}},
    {"vkDeviceWaitIdle", {MEMORY_CODES, VK_ERROR_DEVICE_LOST}},
    {"vkCreateDevice",
     {MEMORY_CODES, VK_ERROR_INITIALIZATION_FAILED, VK_ERROR_EXTENSION_NOT_PRESENT, VK_ERROR_FEATURE_NOT_PRESENT,
      VK_ERROR_TOO_MANY_OBJECTS, VK_ERROR_DEVICE_LOST}},
    {"vkAllocateMemory", {MEMORY_CODES, VK_ERROR_TOO_MANY_OBJECTS, VK_ERROR_INVALID_EXTERNAL_HANDLE}},
    {"vkMapMemory", {MEMORY_CODES, VK_ERROR_MEMORY_MAP_FAILED}},
    {"vkCreateShaderModule", {MEMORY_CODES, VK_ERROR_INVALID_SHADER_NV}},
    {"vkGetPipelineCacheData", {MEMORY_CODES, VK_INCOMPLETE}},
    {"vkCreateComputePipelines", {MEMORY_CODES, VK_ERROR_INVALID_SHADER_NV}},
    {"vkCreateDescriptorPool", {MEMORY_CODES, VK_ERROR_FRAGMENTATION}},
    {"vkAllocateDescriptorSets", {MEMORY_CODES, VK_ERROR_FRAGMENTED_POOL, VK_ERROR_OUT_OF_POOL_MEMORY}},
    {"vkWaitForFences", {MEMORY_CODES, VK_ERROR_DEVICE_LOST, VK_TIMEOUT}},
    {"vkQueueSubmit", {MEMORY_CODES, VK_ERROR_DEVICE_LOST}},
};

/* Writes the codes of a call, and how many there are. */
static size_t codes_of(const char *name, VkResult codes[MOST_CODES])
{
    const VkResult usual[MOST_CODES] = {MEMORY_CODES}, *found = usual;
    size_t count = 0;
    for (size_t i = 0; i < sizeof documented / sizeof *documented; i++)
        if (strcmp(documented[i].name, name) == 0)
            found = documented[i].codes;
    for (; found[count] != VK_SUCCESS; count++)
        codes[count] = found[count];
    codes[count++] = VK_ERROR_UNKNOWN;
    return count;
}

/* What a code stands for. */
static ls_status meaning_of(VkResult code)
{
    switch (code) {
#define VK_CODE(name, status)                                                                      \
    case name: return status;
#include "../backends/vulkan/codes.def"
    default: return LS_DEVICE_ERROR;
    }
}

static bool is_one_of(const char *name, const char *const *names)
{
    while (*names && strcmp(*names, name) != 0)
        names++;
    return *names != NULL;
}

/* Whether there may be less memory, which the allocator asks for once more. */
static bool is_memory(const char *name, VkResult code)
{
    static const char *const names[] = {"vkAllocateMemory", "vkCreateBuffer", "vkBindBufferMemory", "vkMapMemory", NULL};
    return is_one_of(name, names) && meaning_of(code) == LS_OUT_OF_MEMORY;
}

/* The status that a failure must end in. */
static bool is_status(const char *name, VkResult code, ls_status status)
{
    static const char *const final[] = {"vkEndCommandBuffer", "vkQueueSubmit", "vkWaitForFences", "vkResetFences", NULL};
    return is_one_of(name, final)                         ? status == LS_DEVICE_LOST
           : strcmp(name, "vkCreateComputePipelines") == 0 ? status == meaning_of(code) || status == LS_COMPILE_ERROR
                                                           : status == meaning_of(code);
}

/* Failures that a device can do without: no cache on disk, an extension less, another pool. */
static bool is_tolerable(const char *name, VkResult code)
{
    return (!trial.forever && is_memory(name, code)) || strcmp(name, "vkEnumerateInstanceExtensionProperties") == 0 || strcmp(name, "vkGetPipelineCacheData") == 0 ||
           strcmp(name, "vkDeviceWaitIdle") == 0 ||
           (!trial.forever && code == VK_TIMEOUT) || /* it waits again */
           (!trial.forever && strcmp(name, "vkAllocateDescriptorSets") == 0 &&
            (code == VK_ERROR_OUT_OF_POOL_MEMORY || code == VK_ERROR_FRAGMENTED_POOL));
}

static void try_calls(const char *name, int before, VkResult code, bool forever)
{
    trial = (struct trial){name, before, code, forever, false};
    alive = 0;
    ls_context *ls = ls_open("vulkan");
    float sum = 0;
    for (int i = 0; i < 3 && (sum = compute(ls)) == 20.0f; i++)
        ls_synchronize(ls);
    ls_status status = ls_error(ls);
    const char *text = ls_vk_code_text(code);
    if (trial.fired && !is_tolerable(name, code)) {
        CHECK(status != LS_OK, "%s: %s, call %d: no error", name, text, before);
        CHECK(strstr(ls_error_message(ls), text) && strstr(ls_error_message(ls), name),
              "%s: %s, call %d: \"%s\"", name, text, before, ls_error_message(ls));
        CHECK(is_status(name, code, status), "%s: %s is %s", name, text, ls_status_name(status));
    } else {
        CHECK(status == LS_OK && sum == 20.0f, "%s: %s, call %d: %s", name, text, before, ls_error_message(ls));
    }
    ls_close(&ls);
    CHECK(alive == 0, "%s: %s, call %d: %d objects were not destroyed", name, text, before, alive);
}

static void failing_calls(void)
{
    struct ls_message message;
    CHECK(ls_vk_load(&message), "%s", message.text);
    real = ls_vk;
#define CALL(name, makes, parameters, arguments) ls_vk.name = try_##name;
#define END(name, parameters, arguments, handle) ls_vk.name = try_##name;
    EACH_CALL(CALL)
    EACH_END(END)
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        bool reached = false;
        VkResult codes[MOST_CODES];
        size_t count = codes_of(calls[i], codes);
        for (size_t c = 0; c < count; c++) {
            try_calls(calls[i], 0, codes[c], false);
            reached = reached || trial.fired;
            if (is_memory(calls[i], codes[c]))
                try_calls(calls[i], 0, codes[c], true);
        }
        CHECK(reached, "%s was never called", calls[i]);
        for (int before = 1; before < 8 && trial.fired; before += before) {
            try_calls(calls[i], before, VK_ERROR_OUT_OF_HOST_MEMORY, false);
            if (trial.fired)
                try_calls(calls[i], before, codes[count - 2], false); /* the last one that is its own */
        }
    }
    trial = (struct trial){.name = ""};
    ls_context *ls = ls_open("vulkan");
    CHECK(compute(ls) == 20.0f, "after all that: %s", ls_error_message(ls));
    CHECK(ls_close(&ls) == LS_OK && alive == 0, "close");
}

/* ---- The pipeline cache ---- */

static struct {
    unsigned char data[256];
    size_t size;
    size_t given; /* what the library passed to a new cache */
} blob;

static VkResult VKAPI_CALL cache_data(VkDevice device, VkPipelineCache cache, size_t *size, void *data)
{
    (void)device, (void)cache;
    if (data)
        memcpy(data, blob.data, blob.size);
    *size = blob.size;
    return VK_SUCCESS;
}

static VkResult VKAPI_CALL make_cache(VkDevice device, const VkPipelineCacheCreateInfo *info,
                                      const VkAllocationCallbacks *allocator, VkPipelineCache *cache)
{
    VkPipelineCacheCreateInfo none = *info;
    blob.given = info->initialDataSize;
    none.initialDataSize = 0; /* what is in the blob below is no driver's */
    return real.vkCreatePipelineCache(device, &none, allocator, cache);
}

/* Opens, computes, closes. Returns the size of the cache that was found. */
static size_t found_cache(void)
{
    ls_context *ls = ls_open("vulkan");
    CHECK(compute(ls) == 20.0f, "%s", ls_error_message(ls));
    CHECK(ls_close(&ls) == LS_OK, "close");
    return blob.given;
}

/* Does something to every file in the folder. Returns how many there are. */
static int each_file(void (*act)(const char *path))
{
    int count = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char inside[1024];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(inside, sizeof inside, "%s/%s", folder, entry->d_name);
        act(inside);
        count++;
    }
    if (dir)
        closedir(dir);
    return count;
}

static void discard(const char *path) { unlink(path); }
static void cut(const char *path) { CHECK(truncate(path, 60) == 0, "%s", path); }

static void flip(const char *path)
{
    FILE *f = fopen(path, "r+b");
    if (!f)
        return;
    fseek(f, -1, SEEK_END);
    int byte = fgetc(f);
    fseek(f, -1, SEEK_END);
    fputc(byte ^ 0x10, f);
    fclose(f);
}

static void caching(void)
{
    struct ls_message message;
    struct ls_device *opened;
    CHECK(ls_vk_load(&message), "%s", message.text);
    real = ls_vk;
    ls_vk.vkGetPipelineCacheData = cache_data;
    ls_vk.vkCreatePipelineCache = make_cache;
    if (ls_device_open("vulkan", &opened, &message) != LS_OK)
        return;
    VkPhysicalDeviceProperties2 p = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2};
    ls_vk.vkGetPhysicalDeviceProperties2(ls_vk_device_of(opened)->physical, &p);
    opened->backend->close(opened);
    each_file(discard);

    VkPipelineCacheHeaderVersionOne header = {
        .headerSize = sizeof header, .headerVersion = VK_PIPELINE_CACHE_HEADER_VERSION_ONE,
        .vendorID = p.properties.vendorID, .deviceID = p.properties.deviceID};
    memcpy(header.pipelineCacheUUID, p.properties.pipelineCacheUUID, VK_UUID_SIZE);
    memcpy(blob.data, &header, sizeof header);
    blob.size = 200;
    CHECK(found_cache() == 0, "a cache where there is none");
    CHECK(each_file(cut) == 0 || found_cache() == 0, "a truncated cache was used");
    each_file(discard);
    found_cache();
    CHECK(found_cache() == 200, "the cache was not kept");
    each_file(flip);
    CHECK(found_cache() == 0, "a damaged cache was used");
    CHECK(found_cache() == 200, "the damaged cache was not replaced");
    header.deviceID ^= 1;
    memcpy(blob.data, &header, sizeof header);
    each_file(discard);
    found_cache();
    CHECK(found_cache() == 0, "the cache of another device was used");
    setenv("LOCKSTEP_CACHE_DIR", "/proc/nothing", 1);
    CHECK(found_cache() == 0, "a folder that cannot be made");
}

/* ---- */

int main(int argc, char **argv)
{
    CHECK(mkdtemp(folder) != NULL, "no folder below /tmp");
    setenv("LOCKSTEP_CACHE_DIR", folder, 1);
    if (argc > 1 && strcmp(argv[1], "failing") == 0) { /* here, for a debugger */
        failing_calls();
        return end_of_checks();
    }
    apart(without_driver, "no driver");
    apart(without_device, "no device");
    if (there_is("vulkan")) {
        apart(healthy, "a healthy device");
        apart(flushing, "a host that flushes subnormals");
        apart(upward, "a host that rounds up");
        apart(small_limits, "small limits");
        apart(caching, "the pipeline cache");
        apart(forked, "a forked child");
        apart(failing_calls, "failing calls");
    } else {
        printf("no Vulkan device: only its absence was tested\n");
    }
    each_file(discard);
    rmdir(folder);
    return end_of_checks();
}
