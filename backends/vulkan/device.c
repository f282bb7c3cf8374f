/* SPDX-License-Identifier: Apache-2.0
 *
 * Finding, opening and closing Vulkan devices, and the backend's table.
 */
#define _GNU_SOURCE /* strcasestr */
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lockstep/context.h>

#include "env.h"
#include "vulkan.h"

enum {
    MOST_DEVICES = 64,
    FAULT_NOTES = 64, /* as in shaders/fault.glsl */
    FAULT_WORDS = 5 + 2 * FAULT_NOTES,
    FAULT_BYTES = 1024,
};

/* ---- Errors ---- */

static ls_status status_of(VkResult code)
{
    static const struct {
        VkResult code;
        ls_status status;
    } codes[] = {
#define VK_CODE(name, status) {name, status},
#include "codes.def"
    };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i].code == code)
            return codes[i].status;
    return LS_DEVICE_ERROR;
}

static void add_code(struct ls_message *message, VkResult code)
{
    size_t used = strlen(message->text);
    snprintf(message->text + used, sizeof message->text - used, ": %s (%d)", ls_vk_code_text(code), (int)code);
}

ls_status ls_vk_failed(struct ls_vk_device *device, VkResult code, const char *call, ...)
{
    va_list arguments;
    va_start(arguments, call);
    vsnprintf(device->base.message.text, sizeof device->base.message.text, call, arguments);
    va_end(arguments);
    add_code(&device->base.message, code);
    ls_status status = status_of(code);
    if (status == LS_DEVICE_LOST)
        device->base.lost = true;
    return status;
}

/* ---- The list ---- */

/* An instance and what is found through it. */
struct found {
    VkInstance instance;
    uint32_t count;
    VkPhysicalDevice devices[MOST_DEVICES];
};

static bool has_extension(const VkExtensionProperties *extensions, uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(extensions[i].extensionName, name) == 0)
            return true;
    return false;
}

/* Drivers that lack parts of Vulkan, such as MoltenVK, are listed only for who asks for them. */
static bool has_portability(void)
{
    uint32_t count = 0;
    if (ls_vk.vkEnumerateInstanceExtensionProperties(NULL, &count, NULL) != VK_SUCCESS || count == 0)
        return false;
    VkExtensionProperties *extensions = calloc(count, sizeof *extensions);
    bool has = extensions != NULL &&
               ls_vk.vkEnumerateInstanceExtensionProperties(NULL, &count, extensions) >= VK_SUCCESS &&
               has_extension(extensions, count, VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME);
    free(extensions);
    return has;
}

static ls_status make_instance(struct found *found, struct ls_message *message)
{
    static const char *const portability[] = {VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME};
    bool portable = has_portability();
    VkApplicationInfo application = {
        .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
        .pApplicationName = "lockstep",
        .apiVersion = VK_API_VERSION_1_2,
    };
    VkInstanceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
        .flags = portable ? VK_INSTANCE_CREATE_ENUMERATE_PORTABILITY_BIT_KHR : 0,
        .pApplicationInfo = &application,
        .enabledExtensionCount = portable ? 1 : 0,
        .ppEnabledExtensionNames = portability,
    };
    const char *call = "vkEnumerateInstanceVersion";
    uint32_t version = VK_API_VERSION_1_0;
    VkResult code = ls_vk.vkEnumerateInstanceVersion(&version);
    if (code == VK_SUCCESS && version < VK_API_VERSION_1_1)
        code = VK_ERROR_INCOMPATIBLE_DRIVER;
    if (code == VK_SUCCESS) {
        call = "vkCreateInstance";
        code = ls_vk.vkCreateInstance(&info, NULL, &found->instance);
    }
    if (code == VK_SUCCESS)
        return LS_OK;
    found->instance = VK_NULL_HANDLE;
    snprintf(message->text, sizeof message->text, "%s%s",
             code == VK_ERROR_INCOMPATIBLE_DRIVER
                 ? "no Vulkan 1.1 driver is installed; install one, for example mesa-vulkan-drivers; "
                 : "",
             call);
    add_code(message, code);
    return status_of(code);
}

/* Makes an instance and finds its devices. On failure there is no instance, and a message. */
static ls_status find_devices(struct found *found, struct ls_message *message)
{
    *found = (struct found){.count = 0};
    if (!ls_vk_load(message))
        return LS_UNAVAILABLE;
    ls_status status = make_instance(found, message);
    if (status != LS_OK)
        return status;
    found->count = MOST_DEVICES;
    VkResult code = ls_vk.vkEnumeratePhysicalDevices(found->instance, &found->count, found->devices);
    if (code >= VK_SUCCESS && found->count > 0)
        return LS_OK;
    status = code < VK_SUCCESS ? status_of(code) : LS_UNAVAILABLE;
    snprintf(message->text, sizeof message->text, "%s",
             code < VK_SUCCESS ? "vkEnumeratePhysicalDevices"
                               : "there is no Vulkan device; for CPUs install mesa-vulkan-drivers (lavapipe)");
    if (code < VK_SUCCESS)
        add_code(message, code);
    ls_vk.vkDestroyInstance(found->instance, NULL);
    found->instance = VK_NULL_HANDLE;
    found->count = 0;
    return status;
}

/* A queue family that computes: one that does nothing else if there is one, for it is not busy with
 * pictures. -1 if there is none. */
static int compute_family(VkPhysicalDevice device)
{
    enum { MOST = 32 };
    VkQueueFamilyProperties families[MOST];
    uint32_t count = MOST;
    int found = -1;
    ls_vk.vkGetPhysicalDeviceQueueFamilyProperties(device, &count, families);
    for (uint32_t i = 0; i < count; i++)
        if ((families[i].queueFlags & VK_QUEUE_COMPUTE_BIT) != 0 && families[i].queueCount > 0 &&
            (found < 0 || ((families[i].queueFlags & VK_QUEUE_GRAPHICS_BIT) == 0 &&
                           (families[found].queueFlags & VK_QUEUE_GRAPHICS_BIT) != 0)))
            found = (int)i;
    return found;
}

static void describe(VkPhysicalDevice device, uint32_t index, struct ls_device_info *info)
{
    VkPhysicalDeviceDriverProperties driver = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES};
    VkPhysicalDeviceMaintenance3Properties limits = {.sType =
                                                         VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES};
    VkPhysicalDeviceProperties2 properties = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                              .pNext = &limits};
    VkPhysicalDeviceFeatures2 features = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2};
    VkPhysicalDeviceMemoryProperties memory;
    const VkPhysicalDeviceProperties *p = &properties.properties;
    ls_vk.vkGetPhysicalDeviceProperties2(device, &properties);
    if (p->apiVersion >= VK_API_VERSION_1_2) {
        limits.pNext = &driver;
        ls_vk.vkGetPhysicalDeviceProperties2(device, &properties);
    }
    *info = (struct ls_device_info){.available = true};
    snprintf(info->device, sizeof info->device, "vulkan:%u", index);
    snprintf(info->backend, sizeof info->backend, "vulkan");
    snprintf(info->exactness, sizeof info->exactness, "untested");
    snprintf(info->name, sizeof info->name, "%.*s", (int)sizeof info->name - 1, p->deviceName);
    char made_by[VK_MAX_DRIVER_NAME_SIZE + VK_MAX_DRIVER_INFO_SIZE + 2] = "unnamed driver";
    if (driver.driverName[0] != '\0')
        snprintf(made_by, sizeof made_by, "%s %s", driver.driverName, driver.driverInfo);
    snprintf(info->driver, sizeof info->driver, "%.100s, version %#x, Vulkan %u.%u.%u", made_by, p->driverVersion,
             VK_VERSION_MAJOR(p->apiVersion), VK_VERSION_MINOR(p->apiVersion), VK_VERSION_PATCH(p->apiVersion));

    ls_vk.vkGetPhysicalDeviceMemoryProperties(device, &memory);
    for (uint32_t i = 0; i < memory.memoryHeapCount; i++)
        if ((memory.memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) != 0 &&
            memory.memoryHeaps[i].size > info->memory)
            info->memory = memory.memoryHeaps[i].size;
    info->max_buffer = limits.maxMemoryAllocationSize < info->memory ? limits.maxMemoryAllocationSize : info->memory;
    info->is_gpu = p->deviceType == VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU ||
                   p->deviceType == VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU ||
                   p->deviceType == VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU;
    if (p->deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU) /* of others Vulkan does not tell */
        info->compute_units = (int)sysconf(_SC_NPROCESSORS_ONLN);
    ls_vk.vkGetPhysicalDeviceFeatures2(device, &features);
    info->has_fp64 = features.features.shaderFloat64 != 0;
    const char *reason = p->apiVersion < VK_API_VERSION_1_1 ? "the driver has no Vulkan 1.1"
                         : compute_family(device) < 0       ? "it has no queue that computes"
                                                            : NULL;
    if (reason != NULL) {
        info->available = false;
        snprintf(info->reason, sizeof info->reason, "%s", reason);
    }
}

static size_t list(struct ls_device_info *devices, size_t capacity)
{
    struct found found;
    struct ls_message message = {""};
    ls_status status = find_devices(&found, &message);
    for (uint32_t i = 0; i < found.count && i < capacity; i++)
        describe(found.devices[i], i, &devices[i]);
    if (status == LS_OK)
        ls_vk.vkDestroyInstance(found.instance, NULL);
    if (found.count == 0 && capacity > 0) {
        devices[0] =
            (struct ls_device_info){.device = "vulkan", .backend = "vulkan", .exactness = "untested"};
        snprintf(devices[0].reason, sizeof devices[0].reason, "%.*s", (int)sizeof devices[0].reason - 1,
                 message.text);
    }
    return found.count > 0 ? found.count : 1;
}

/* ---- Opening ---- */

/* Finds the device that `which` names: a number, part of a name or driver, or NULL for the best one that
 * works: a discrete GPU, another GPU, anything. */
static ls_status choose(const struct found *found, const char *which, VkPhysicalDevice *chosen,
                        struct ls_device_info *info, struct ls_message *message)
{
    bool any = which == NULL || which[0] == '\0';
    bool number = !any && which[strspn(which, "0123456789")] == '\0' && strlen(which) < 6;
    bool named = false, usable = false; /* there is one, though it may not be usable */
    for (uint32_t i = 0; i < found->count; i++) {
        struct ls_device_info candidate;
        describe(found->devices[i], i, &candidate);
        if (number ? i != strtoul(which, NULL, 10)
                   : !any && strcasestr(candidate.name, which) == NULL && strcasestr(candidate.driver, which) == NULL)
            continue;
        named = true;
        if (!candidate.available && !usable)
            snprintf(message->text, sizeof message->text, "%s (%s) cannot be used: %s", candidate.device,
                     candidate.name, candidate.reason);
        if (!candidate.available || (usable && !(any && candidate.is_gpu && !info->is_gpu)))
            continue;
        usable = true;
        *info = candidate;
        *chosen = found->devices[i];
    }
    if (usable)
        return LS_OK;
    if (named)
        return LS_UNAVAILABLE;
    size_t used = (size_t)snprintf(message->text, sizeof message->text,
                                   "there is no Vulkan device \"%s\"; there is", which);
    for (uint32_t i = 0; i < found->count && used < sizeof message->text; i++) {
        describe(found->devices[i], i, info);
        used += (size_t)snprintf(message->text + used, sizeof message->text - used, "%s %s (%s)", i == 0 ? "" : ",",
                                 info->device, info->name);
    }
    return LS_NOT_FOUND;
}

/* VK_KHR_shader_fma is younger than many headers. */
struct fma_features {
    VkStructureType type;
    void *next;
    VkBool32 fma16, fma32, fma64;
};
enum { FMA_FEATURES = 1000579000 };

/* The float controls, which are part of Vulkan 1.2; without them the decorations are all there is. */
static void set_float_controls(struct ls_vk_device *device)
{
    VkPhysicalDeviceFloatControlsProperties has = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FLOAT_CONTROLS_PROPERTIES};
    VkPhysicalDeviceProperties2 properties = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                              .pNext = &has};
    ls_vk.vkGetPhysicalDeviceProperties2(device->physical, &properties);
    struct ls_spirv_options *options = &device->spirv;
    options->round_to_even = (has.shaderRoundingModeRTEFloat32 ? LS_SPIRV_32 : 0) |
                             (has.shaderRoundingModeRTEFloat64 ? LS_SPIRV_64 : 0);
    options->preserve_special = (has.shaderSignedZeroInfNanPreserveFloat32 ? LS_SPIRV_32 : 0) |
                                (has.shaderSignedZeroInfNanPreserveFloat64 ? LS_SPIRV_64 : 0);
    options->preserve_denormals = (has.shaderDenormPreserveFloat32 ? LS_SPIRV_32 : 0) |
                                  (has.shaderDenormPreserveFloat64 ? LS_SPIRV_64 : 0);
    /* Where the widths are not independent it is both or none. */
    if (has.denormBehaviorIndependence == VK_SHADER_FLOAT_CONTROLS_INDEPENDENCE_NONE &&
        options->preserve_denormals != (LS_SPIRV_32 | LS_SPIRV_64))
        options->preserve_denormals = 0;
    if (has.roundingModeIndependence == VK_SHADER_FLOAT_CONTROLS_INDEPENDENCE_NONE &&
        options->round_to_even != (LS_SPIRV_32 | LS_SPIRV_64))
        options->round_to_even = 0;
}

static ls_status make_device(struct ls_vk_device *device)
{
    const char *names[2];
    uint32_t names_count = 0, count = 0;
    struct fma_features fma = {.type = (VkStructureType)FMA_FEATURES};
    VkPhysicalDeviceFeatures2 has = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2};
    VkResult code = ls_vk.vkEnumerateDeviceExtensionProperties(device->physical, NULL, &count, NULL);
    VkExtensionProperties *extensions = code == VK_SUCCESS ? calloc(count + 1, sizeof *extensions) : NULL;
    if (code == VK_SUCCESS)
        code = extensions == NULL ? VK_ERROR_OUT_OF_HOST_MEMORY
                                  : ls_vk.vkEnumerateDeviceExtensionProperties(device->physical, NULL, &count,
                                                                               extensions);
    if (code < VK_SUCCESS) {
        free(extensions);
        return ls_vk_failed(device, code, "vkEnumerateDeviceExtensionProperties");
    }
    if (has_extension(extensions, count, "VK_KHR_shader_fma"))
        has.pNext = &fma;
    if (has_extension(extensions, count, "VK_KHR_portability_subset")) /* where it is there it is a duty */
        names[names_count++] = "VK_KHR_portability_subset";
    free(extensions);
    ls_vk.vkGetPhysicalDeviceFeatures2(device->physical, &has);
    bool fma_khr = device->spirv.fma_khr = fma.fma32 != 0;
    fma.fma16 = fma.fma64 = VK_FALSE;
    if (fma_khr)
        names[names_count++] = "VK_KHR_shader_fma";
    device->has_double = has.features.shaderFloat64 != 0;

    float priority = 1.0f;
    VkDeviceQueueCreateInfo queue = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
        .queueFamilyIndex = device->family,
        .queueCount = 1,
        .pQueuePriorities = &priority,
    };
    VkPhysicalDeviceFeatures wanted = {.shaderFloat64 = has.features.shaderFloat64};
    VkDeviceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
        .pNext = fma_khr ? &fma : NULL,
        .queueCreateInfoCount = 1,
        .pQueueCreateInfos = &queue,
        .enabledExtensionCount = names_count,
        .ppEnabledExtensionNames = names,
        .pEnabledFeatures = &wanted,
    };
    code = ls_vk.vkCreateDevice(device->physical, &info, NULL, &device->device);
    if (code != VK_SUCCESS) {
        device->device = VK_NULL_HANDLE;
        return ls_vk_failed(device, code, "vkCreateDevice");
    }
    ls_vk.vkGetDeviceQueue(device->device, device->family, 0, &device->queue);
    return LS_OK;
}

/* Whether storage can be memory that the host sees at full speed. */
static bool is_unified(const struct ls_vk_device *device)
{
    const VkMemoryPropertyFlags all = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT | VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
                                      VK_MEMORY_PROPERTY_HOST_COHERENT_BIT | VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
    for (uint32_t i = 0; i < device->memory.memoryTypeCount; i++)
        if ((device->memory.memoryTypes[i].propertyFlags & all) == all)
            return ls_vk_test_option("staging") == NULL;
    return false;
}

static void read_limits(struct ls_vk_device *device)
{
    VkPhysicalDeviceProperties2 properties = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2};
    ls_vk.vkGetPhysicalDeviceProperties2(device->physical, &properties);
    ls_vk.vkGetPhysicalDeviceMemoryProperties(device->physical, &device->memory);
    device->limits = properties.properties.limits;
    device->api_version = properties.properties.apiVersion;
    device->largest_allocation = device->base.info.max_buffer;
    device->unified = is_unified(device);
    /* For tests, as if the device had less. */
    const char *groups = ls_vk_test_option("groups");
    device->range = device->limits.maxStorageBufferRange & ~(VkDeviceSize)3;
    if (groups != NULL)
        device->limits.maxComputeWorkGroupCount[0] = (uint32_t)strtoul(groups, NULL, 10);
    device->orders = ls_vk_test_option("nobarriers") == NULL;
    device->fuses = ls_vk_test_option("unfused") == NULL;
    device->patience = ls_vk_patience();
    device->batch_limit = 128;
    device->upload_limit = (VkDeviceSize)64 << 20;
    /* What blobs fit: this build of the library on this driver. */
    const char *const parts[] = {device->base.info.name, device->base.info.driver, ls_version()};
    device->identity = LS_CACHE_HASH;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        device->identity = ls_cache_hash(device->identity, parts[i], strlen(parts[i]) + 1);
    device->identity =
        ls_cache_hash(device->identity, properties.properties.pipelineCacheUUID, VK_UUID_SIZE);
    ls_cache_folder(device->cache_folder);
}

static const int32_t no_faults[5] = {0, 0, 0, INT32_MAX, 0};

static ls_status start(struct ls_vk_device *device)
{
    device->family = (uint32_t)compute_family(device->physical);
    ls_status status = make_device(device);
    if (status != LS_OK)
        return status;
    if (device->api_version >= VK_API_VERSION_1_2)
        set_float_controls(device);
    status = ls_vk_cache_open(device);
    if (status == LS_OK)
        status = ls_vk_batches_init(device);
    if (status == LS_OK)
        status = ls_vk_probe(device);
    struct ls_tile_limits limits = ls_vk_tile_limits(device); /* they depend on what the probe found */
    if (status == LS_OK && !ls_tile_check(&limits, &device->base.message))
        status = LS_INVALID_ARGUMENT;
    const char *range = ls_vk_test_option("range");
    if (range != NULL) /* less than the probe needs */
        device->range = strtoull(range, NULL, 10) & ~(VkDeviceSize)3;
    if (status == LS_OK)
        status = ls_vk_create(&device->base, FAULT_BYTES, &device->faults);
    if (status == LS_OK)
        status = ls_vk_write(&device->base, device->faults, 0, no_faults, sizeof no_faults);
    if (status == LS_OK && ls_vk_test_option("fused") != NULL && !ls_vk_has_compiler(device)) {
        snprintf(device->base.message.text, sizeof device->base.message.text, "libshaderc cannot be used");
        status = LS_UNAVAILABLE;
    }
    return status;
}

/* A caller who finds no memory comes here before it tries again. */
static ls_status finish(struct ls_device *base)
{
    ls_status status = ls_vk_wait_all(ls_vk_device_of(base));
    if (status == LS_OK)
        ls_vk_release_copies(ls_vk_device_of(base));
    return status;
}

static void close_device(struct ls_device *base)
{
    struct ls_vk_device *device = ls_vk_device_of(base);
    if (device == NULL)
        return;
    struct ls_message ignored;
    if (device->hung || !ls_vk_here(device->process, &ignored)) { /* the driver's objects stay: in use, or the parent's */
        free(device);
        return;
    }
    if (device->device != VK_NULL_HANDLE) {
        if (!device->base.lost)
            finish(base);
        ls_vk.vkDeviceWaitIdle(device->device); /* a lost one as well: nothing in use may be destroyed */
        ls_vk_release_memory(device);
        ls_vk_batches_finish(device);
        ls_vk_release_blocks(device);
        ls_vk_release_pipelines(device);
        ls_vk_cache_close(device);
        ls_vk.vkDestroyDevice(device->device, NULL);
    }
    ls_vk_release_compiler(device);
    if (device->instance != VK_NULL_HANDLE)
        ls_vk.vkDestroyInstance(device->instance, NULL);
    free(device);
}

static ls_status open_device(const char *which, struct ls_device **opened, struct ls_message *message)
{
    struct found found;
    *opened = NULL;
    ls_status status = ls_vk_check_settings(message);
    if (status == LS_OK)
        status = find_devices(&found, message);
    if (status != LS_OK)
        return status;
    struct ls_vk_device *device = calloc(1, sizeof *device);
    if (device == NULL) {
        snprintf(message->text, sizeof message->text, "no memory for a Vulkan device");
        ls_vk.vkDestroyInstance(found.instance, NULL);
        return LS_OUT_OF_MEMORY;
    }
    device->base.backend = &ls_vulkan_backend;
    device->process = getpid();
    device->instance = found.instance;
    status = choose(&found, which, &device->physical, &device->base.info, message);
    if (status == LS_OK) {
        read_limits(device);
        status = start(device);
        if (status != LS_OK)
            *message = device->base.message;
    }
    if (status != LS_OK) {
        close_device(&device->base);
        return status;
    }
    *opened = &device->base;
    return LS_OK;
}

/* ---- Faults ---- */

static ls_status take_fault(struct ls_device *base, struct ls_fault *fault)
{
    struct ls_vk_device *device = ls_vk_device_of(base);
    int32_t words[FAULT_WORDS];
    *fault = (struct ls_fault){.set = false};
    if (device->fault_call == 0) /* nothing that can fault has run */
        return LS_OK;
    ls_status status = ls_vk_read(base, device->faults, 0, words, sizeof words);
    if (status != LS_OK)
        return status;
    device->fault_call = 0;
    if (words[0] == 0)
        return LS_OK;
    *fault = (struct ls_fault){
        .set = true,
        .kind = (enum ls_fault_kind)words[1],
        .limit = words[2],
        .position = words[3],
    };
    for (int i = 0; i < words[4] && i < FAULT_NOTES; i++)
        if (words[5 + 2 * i] == words[3])
            fault->value = words[6 + 2 * i];
    return ls_vk_write(base, device->faults, 0, no_faults, sizeof no_faults);
}

static const struct ls_backend unguarded = {
    .list = list,
    .open = open_device,
    .close = close_device,
    .create = ls_vk_create,
    .destroy = ls_vk_destroy,
    .write = ls_vk_write,
    .read = ls_vk_read,
    .finish = finish,
    .fault = take_fault,
#define PRIM(name, need, meaning) .name = ls_vk_##name,
#include "prims.def"
#undef PRIM
};
#define BACKEND vulkan
#include "guarded_backend.h"
