/* SPDX-License-Identifier: Apache-2.0
 *
 * The canonical arithmetic on a Vulkan device against C, without the Vulkan backend: every row, every
 * function, every primitive operation, with native and with emulated fma, division and root.
 *
 *     vulkan_probe FOLDER [--device PART] [--count N] [--facts]
 *
 * FOLDER has vulkan_probe_0.spv, _1.spv and _2.spv, compiled with that LS_EMULATE_FMA, and spirv_shapes.spv. --facts says what the
 * device's own operations do, which need not be right; otherwise whatever is emulated must be.
 * Exits with 77 where there is no device, unless LOCKSTEP_TEST_REQUIRE names vulkan or lavapipe.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <vulkan/vulkan.h>

#include "prelude_c.h"
#include "canon.h"
#include "../backends/vulkan/spirv.h"

enum { ARGUMENTS = 3, GROUP = 64 };

static uint32_t count = 1u << 20;
static int failures;

#define TRY(call)                                                                                  \
    do {                                                                                           \
        VkResult result_ = (call);                                                                 \
        if (result_ != VK_SUCCESS) {                                                               \
            printf("%s:%d: %s: VkResult %d\n", __FILE__, __LINE__, #call, result_);                \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static _Noreturn void absent(const char *why)
{
    const char *required = getenv("LOCKSTEP_TEST_REQUIRE");
    bool must = required && (strstr(required, "vulkan") || strstr(required, "lavapipe"));
    printf("no Vulkan device: %s\n", why);
    exit(must ? 1 : 77);
}

/* ---- what C says ---- */

#define EACH(body)                                                                                 \
    for (uint32_t i = 0; i < n; i++) {                                                             \
        body;                                                                                      \
    }
#define IN_A in[i]
#define IN_B in[n + i]
#define IN_C in[2 * (size_t)n + i]
#define OUT(word) out[i] = word
#define FMA_OF(a, b, c) fmaf(a, b, c)
#define DIV_OF(a, b) ((a) / (b))
#define ROOT_OF(a) sqrtf(a)

static bool expect(int op, const uint32_t *in, uint32_t *out, uint32_t n)
{
    switch (op) {
#include "vulkan_probe_rows.h"
    default: return false;
    }
    return true;
}

static const char *name_of(int op)
{
    switch (op) {
#define F_F(name, ...) case __LINE__: return #name;
#define F_FF F_F
#define F_FFF F_F
#define I_F F_F
#define I_FF F_F
#define I_I F_F
#define I_II F_F
#define F_I F_F
#define W_IWW F_F
#include "../lib/ops/elementwise.def"
#define PROBE1(number, name) case number: return "canon_" #name;
#define PROBE2 PROBE1
#include "vulkan_probe_functions.def"
    case 2000: return "a + b";
    case 2001: return "a - b";
    case 2002: return "a * b";
    case 2003: return "fma";
    case 2004: return "a / b";
    case 2005: return "square root";
    case 2006: return "-a";
    case 2007: return "float of int";
    case 2008: return "int of float";
    case 2009: return "a + 0";
    case 2010: return "a * 1";
    case 2011: return "a - a";
    case 2012: return "TwoSum";
    case 2013: return "Philox";
    case 2014: return "uniform and normal";
    case 2015: return "a * b + c in two steps";
    case 2016: return "c - a * b in two steps";
    case 2017: return "fma of fma";
    case 2018: return "64 fma in a loop";
    default: return NULL;
    }
}

/* Every function of canon_functions.def is on trial, and nothing else. */
static void check_list(void)
{
    static const char *const names[] = {
#define CANON1(name, ...) "canon_" #name,
#define CANON2 CANON1
#include "canon_functions.def"
    };
    int functions = (int)(sizeof names / sizeof *names);
    for (int i = 0; i < functions; i++)
        if (name_of(1000 + i) == NULL || strcmp(name_of(1000 + i), names[i]) != 0) {
            printf("%s is not number %d of tests/vulkan_probe_functions.def\n", names[i], 1000 + i);
            failures++;
        }
    failures += name_of(1000 + functions) != NULL;
}

/* ---- what is asked ---- */

static uint32_t random_word(void)
{
    static uint64_t state = 0x9e3779b97f4a7c15u;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 32) ^ (uint32_t)(state >> 11);
}

/* A float near the places where something ends: subnormals, overflow, 1, integers, halves of them. */
static uint32_t hard_word(void)
{
    static const uint32_t places[] = {0,          1,          0x007fffff, 0x00800000, 0x00800001, 0x01000000, 0x0c800000,
                                      0x19800000, 0x33800000, 0x34000000, 0x3effffff, 0x3f000000, 0x3f7fffff, 0x3f800000,
                                      0x3f800001, 0x3fffffff, 0x40000000, 0x40490fdb, 0x42b17218, 0x42cff1b5, 0x4b000000,
                                      0x4b800000, 0x4f000000, 0x5f800000, 0x7effffff, 0x7f000000, 0x7f7fffff, 0x7f800000, 0x7fc00000};
    uint32_t place = places[random_word() % (sizeof places / sizeof *places)];
    uint32_t off = random_word() % 4 == 0 ? random_word() % 5 - 2 : 0;
    return ((place + off) & 0x7fffffffu) | (random_word() & 0x80000000u);
}

static uint32_t float_word(void)
{
    uint32_t word = random_word();
    switch (random_word() % 8) {
    case 0: return hard_word();
    case 1: return word & 0x807fffffu;                        /* subnormal */
    case 2: return (word & 0x807fffffu) | (1u + word % 24u) << 23;
    case 3:
    case 4: return (word & 0x807fffffu) | (117u + random_word() % 20u) << 23;
    case 5: return (word & 0x80700000u) | (120u + random_word() % 14u) << 23; /* few bits */
    default: return word;
    }
}

/* Sums that nearly cancel, quotients and products near a tie or near the subnormals. */
static void relate(uint32_t *a, uint32_t *b, uint32_t *c)
{
    float product = ls_float_of(*a) * ls_float_of(*b);
    uint32_t bits = ls_bits_of(product);
    switch (random_word() % 8) {
    case 0: *c = bits ^ 0x80000000u; break;
    case 1: *c = (bits ^ 0x80000000u) + random_word() % 7 - 3; break;
    case 2: *c = (bits ^ (random_word() & 0x80000000u)) - ((random_word() % 60) << 23); break;
    case 3: *c = (bits ^ (random_word() & 0x80000000u)) + ((random_word() % 30) << 23); break;
    case 4: *b = (*a & 0x80000000u) ^ (*a + random_word() % 9 - 4); break;
    case 5: /* a product in the subnormals */
        *b = (*b & 0x807fffffu) | ((0u - (*a >> 23) + 110u + random_word() % 30u) & 0xffu) << 23;
        break;
    default: break;
    }
}

static void ask(uint32_t *in, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t a = float_word(), b = float_word(), c = float_word();
        relate(&a, &b, &c);
        in[i] = a, in[n + i] = b, in[2 * (size_t)n + i] = c;
    }
}

/* ---- the device ---- */

static struct {
    VkInstance instance;
    VkPhysicalDevice physical;
    VkDevice device;
    VkQueue queue;
    VkPhysicalDeviceProperties properties;
    VkPhysicalDeviceFloatControlsProperties controls;
    VkBool32 doubles;
    VkDescriptorSetLayout set_layout;
    VkPipelineLayout layout;
    VkDescriptorSet set;
    VkCommandBuffer commands;
    uint32_t *in, *out;
} vk;

static void choose_device(const char *part)
{
    VkApplicationInfo application = {VK_STRUCTURE_TYPE_APPLICATION_INFO, .apiVersion = VK_API_VERSION_1_1};
    VkInstanceCreateInfo info = {VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO, .pApplicationInfo = &application};
    if (vkCreateInstance(&info, NULL, &vk.instance) != VK_SUCCESS)
        absent("vkCreateInstance");
    VkPhysicalDevice all[16];
    uint32_t found = 16;
    vkEnumeratePhysicalDevices(vk.instance, &found, all);
    for (uint32_t i = 0; i < found && vk.physical == NULL; i++) {
        vk.controls.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FLOAT_CONTROLS_PROPERTIES;
        VkPhysicalDeviceProperties2 properties = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, &vk.controls};
        vkGetPhysicalDeviceProperties2(all[i], &properties);
        vk.properties = properties.properties;
        if (strstr(vk.properties.deviceName, part))
            vk.physical = all[i];
    }
    if (vk.physical == NULL)
        absent(found == 0 ? "no driver" : "none of that name");
    VkPhysicalDeviceFeatures features;
    vkGetPhysicalDeviceFeatures(vk.physical, &features);
    vk.doubles = features.shaderFloat64;
}

static void open_device(void)
{
    VkQueueFamilyProperties families[16];
    uint32_t found = 16, family = 0;
    vkGetPhysicalDeviceQueueFamilyProperties(vk.physical, &found, families);
    while (family < found && !(families[family].queueFlags & VK_QUEUE_COMPUTE_BIT))
        family++;
    if (family == found)
        absent("no compute queue");
    VkDeviceQueueCreateInfo queue = {VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO, .queueFamilyIndex = family, .queueCount = 1,
                                     .pQueuePriorities = (float[]){1}};
    const char *extension = VK_KHR_SHADER_FLOAT_CONTROLS_EXTENSION_NAME;
    VkPhysicalDeviceFeatures features = {.shaderFloat64 = vk.doubles};
    VkDeviceCreateInfo info = {VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO, .queueCreateInfoCount = 1, .pQueueCreateInfos = &queue,
                               .enabledExtensionCount = 1, .ppEnabledExtensionNames = &extension, .pEnabledFeatures = &features};
    TRY(vkCreateDevice(vk.physical, &info, NULL, &vk.device));
    vkGetDeviceQueue(vk.device, family, 0, &vk.queue);
    VkCommandPoolCreateInfo pool_info = {VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO, .queueFamilyIndex = family,
                                         .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT};
    VkCommandPool pool;
    TRY(vkCreateCommandPool(vk.device, &pool_info, NULL, &pool));
    VkCommandBufferAllocateInfo commands = {VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO, .commandPool = pool,
                                            .commandBufferCount = 1};
    TRY(vkAllocateCommandBuffers(vk.device, &commands, &vk.commands));
}

static uint32_t *make_buffer(VkDeviceSize size, uint32_t binding)
{
    VkBufferCreateInfo info = {VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO, .size = size, .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT};
    VkBuffer buffer;
    TRY(vkCreateBuffer(vk.device, &info, NULL, &buffer));
    VkMemoryRequirements needs;
    vkGetBufferMemoryRequirements(vk.device, buffer, &needs);
    VkPhysicalDeviceMemoryProperties types;
    vkGetPhysicalDeviceMemoryProperties(vk.physical, &types);
    VkMemoryPropertyFlags wanted = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    uint32_t type = 0;
    while (!(needs.memoryTypeBits >> type & 1) || (types.memoryTypes[type].propertyFlags & wanted) != wanted)
        type++;
    VkMemoryAllocateInfo allocate = {VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO, .allocationSize = needs.size, .memoryTypeIndex = type};
    VkDeviceMemory memory;
    void *mapped;
    TRY(vkAllocateMemory(vk.device, &allocate, NULL, &memory));
    TRY(vkBindBufferMemory(vk.device, buffer, memory, 0));
    TRY(vkMapMemory(vk.device, memory, 0, VK_WHOLE_SIZE, 0, &mapped));
    VkWriteDescriptorSet write = {VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET, .dstSet = vk.set, .dstBinding = binding,
                                  .descriptorCount = 1, .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                  .pBufferInfo = &(VkDescriptorBufferInfo){buffer, 0, VK_WHOLE_SIZE}};
    vkUpdateDescriptorSets(vk.device, 1, &write, 0, NULL);
    return mapped;
}

static void make_buffers(void)
{
    VkDescriptorSetLayoutBinding bindings[2];
    for (uint32_t i = 0; i < 2; i++)
        bindings[i] = (VkDescriptorSetLayoutBinding){i, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1, VK_SHADER_STAGE_COMPUTE_BIT, NULL};
    VkDescriptorSetLayoutCreateInfo set = {VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO, .bindingCount = 2, .pBindings = bindings};
    TRY(vkCreateDescriptorSetLayout(vk.device, &set, NULL, &vk.set_layout));
    VkPipelineLayoutCreateInfo layout = {VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO, .setLayoutCount = 1, .pSetLayouts = &vk.set_layout};
    TRY(vkCreatePipelineLayout(vk.device, &layout, NULL, &vk.layout));
    VkDescriptorPoolSize size = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 2};
    VkDescriptorPoolCreateInfo pool_info = {VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO, .maxSets = 1, .poolSizeCount = 1, .pPoolSizes = &size};
    VkDescriptorPool pool;
    TRY(vkCreateDescriptorPool(vk.device, &pool_info, NULL, &pool));
    VkDescriptorSetAllocateInfo allocate = {VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO, .descriptorPool = pool, .descriptorSetCount = 1, .pSetLayouts = &vk.set_layout};
    TRY(vkAllocateDescriptorSets(vk.device, &allocate, &vk.set));
    vk.in = make_buffer((VkDeviceSize)count * ARGUMENTS * sizeof *vk.in, 0);
    vk.out = make_buffer((VkDeviceSize)count * sizeof *vk.out, 1);
}

/* What of a float control is for 32 and for 64 bits. */
static unsigned widths(VkBool32 in_32, VkBool32 in_64) { return (in_32 ? LS_SPIRV_32 : 0u) | (in_64 ? LS_SPIRV_64 : 0u); }

static struct {
    uint32_t words[1 << 18];
    size_t count;
} shader;

static void load(const char *folder, const char *name)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    shader.count = file ? fread(shader.words, sizeof *shader.words, sizeof shader.words / sizeof *shader.words, file) : 0;
    if (file)
        fclose(file);
}

/* The specialization constants of the shaders. */
struct constants {
    uint32_t op, division, root;
};

/* The shader for one operation, as the backend has it; not specialized ahead of the driver if not pruned. */
static VkShaderModule make_module(struct constants c, bool prune)
{
    struct ls_spirv_constant constants[] = {{0, c.op}, {1000, c.division}, {1001, c.root}};
    struct ls_spirv_options options = {
        .round_to_even = widths(vk.controls.shaderRoundingModeRTEFloat32, vk.controls.shaderRoundingModeRTEFloat64),
        .preserve_special = widths(vk.controls.shaderSignedZeroInfNanPreserveFloat32, vk.controls.shaderSignedZeroInfNanPreserveFloat64),
        .preserve_denormals = widths(vk.controls.shaderDenormPreserveFloat32, vk.controls.shaderDenormPreserveFloat64),
    };
    uint32_t *pruned, *made = NULL;
    size_t pruned_count, made_count = 0;
    enum ls_spirv_result result = ls_spirv_specialize(shader.words, shader.count, constants, prune ? 3 : 0, &pruned, &pruned_count);
    if (result == LS_SPIRV_OK)
        result = ls_spirv_canonicalize(pruned, pruned_count, &options, &made, &made_count);
    if (result != LS_SPIRV_OK) {
        printf("operation %u: %s\n", c.op, ls_spirv_error(result));
        exit(1);
    }
    VkShaderModuleCreateInfo info = {VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO, .codeSize = made_count * sizeof *made, .pCode = made};
    VkShaderModule module;
    TRY(vkCreateShaderModule(vk.device, &info, NULL, &module));
    free(pruned);
    free(made);
    return module;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static double build_seconds, run_seconds;

static void dispatch(struct constants c, bool prune)
{
    double start = seconds();
    VkShaderModule module = make_module(c, prune);
    VkSpecializationMapEntry entries[] = {{0, 0, 4}, {1000, 4, 4}, {1001, 8, 4}};
    VkSpecializationInfo special = {3, entries, sizeof c, &c};
    VkComputePipelineCreateInfo info = {VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO, .layout = vk.layout,
        .stage = {VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO, .stage = VK_SHADER_STAGE_COMPUTE_BIT, .module = module,
                  .pName = "main", .pSpecializationInfo = prune ? NULL : &special}};
    VkPipeline pipeline;
    TRY(vkCreateComputePipelines(vk.device, VK_NULL_HANDLE, 1, &info, NULL, &pipeline));
    vkDestroyShaderModule(vk.device, module, NULL);
    build_seconds += seconds() - start;
    start = seconds();
    TRY(vkBeginCommandBuffer(vk.commands, &(VkCommandBufferBeginInfo){VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO}));
    vkCmdBindPipeline(vk.commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
    vkCmdBindDescriptorSets(vk.commands, VK_PIPELINE_BIND_POINT_COMPUTE, vk.layout, 0, 1, &vk.set, 0, NULL);
    vkCmdDispatch(vk.commands, (count + GROUP - 1) / GROUP, 1, 1);
    TRY(vkEndCommandBuffer(vk.commands));
    VkSubmitInfo submit = {VK_STRUCTURE_TYPE_SUBMIT_INFO, .commandBufferCount = 1, .pCommandBuffers = &vk.commands};
    TRY(vkQueueSubmit(vk.queue, 1, &submit, VK_NULL_HANDLE));
    TRY(vkQueueWaitIdle(vk.queue));
    run_seconds += seconds() - start;
    vkDestroyPipeline(vk.device, pipeline, NULL);
}

/* ---- the comparison ---- */

static bool is_nan(uint32_t bits) { return (bits & 0x7fffffffu) > 0x7f800000u; }
static bool is_subnormal(uint32_t bits) { return (bits & 0x7f800000u) == 0 && (bits & 0x7fffffu) != 0; }

/* Returns how many of the outputs are wrong: other bits, where neither both are NaN nor both zero. */
static uint32_t compare(const char *how, int op, bool must, const uint32_t *wanted)
{
    const uint32_t *in = vk.in, *out = vk.out;
    uint32_t wrong = 0, with_subnormals = 0, zeros = 0, first = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (out[i] == wanted[i] || (is_nan(out[i]) && is_nan(wanted[i])))
            continue;
        if (((out[i] | wanted[i]) & 0x7fffffffu) == 0) {
            zeros++;
            continue;
        }
        if (wrong++ == 0)
            first = i;
        with_subnormals += is_subnormal(in[i]) || is_subnormal(in[count + i]) || is_subnormal(in[2 * (size_t)count + i]) ||
                           is_subnormal(wanted[i]);
    }
    failures += must && wrong > 0;
    if (wrong > 0 || zeros > 0)
        printf("%s%-22s %-16s %u of %u wrong, %u of them with subnormals; %u zeros of the other sign", wrong > 0 && must ? "FAIL " : "", how,
               name_of(op), wrong, count, with_subnormals, zeros);
    if (wrong > 0)
        printf("; %08x %08x %08x gives %08x, not %08x", in[first], in[count + first], in[2 * (size_t)count + first], out[first], wanted[first]);
    if (wrong > 0 || zeros > 0)
        printf("\n");
    return wrong;
}

/* One variant of the shader over all that there is, or over the primitive operations. */
static void try_variant(const char *folder, const char *how, int emulate, bool native, bool must, uint32_t *wanted, bool all)
{
    build_seconds = run_seconds = 0;
    char name[] = "vulkan_probe_0.spv";
    name[strlen("vulkan_probe_")] += (char)emulate;
    load(folder, name);
    int tried = 0, right = 0;
    for (int op = all ? 0 : 2000; op < 2100; op++) {
        if (!name_of(op) || !expect(op, vk.in, wanted, count))
            continue;
        dispatch((struct constants){(uint32_t)op, native, native}, true);
        right += compare(how, op, must, wanted) == 0;
        tried++;
    }
    printf("%s: %d of %d right; %.2f s to build, %.2f s to run\n", how, right, tried, build_seconds, run_seconds);
    fflush(stdout);
}

/* What spirv_shapes.comp writes where its arrays are not as long as the constant says. */
static bool any_array_wrong(const uint32_t *out, uint32_t op)
{
    for (uint32_t i = 0; i < count; i++)
        if (out[i] == 0xbadbad00u + op)
            return true;
    return false;
}

/* That what is specialized here computes what the driver's own specialization does. */
static void try_shapes(const char *folder, uint32_t *wanted)
{
    load(folder, "spirv_shapes.spv");
    int different = 0, wrong = 0;
    for (uint32_t op = 0; op < 7; op++)
        for (uint32_t choice = 0; choice < 4; choice++) {
            struct constants c = {op, choice & 1, choice >> 1};
            dispatch(c, false);
            memcpy(wanted, vk.out, (size_t)count * sizeof *wanted);
            memset(vk.out, 0, (size_t)count * sizeof *wanted);
            wrong += any_array_wrong(wanted, op);
            dispatch(c, true);
            wrong += any_array_wrong(vk.out, op);
            if (memcmp(wanted, vk.out, (size_t)count * sizeof *wanted) == 0)
                continue;
            printf("FAIL spirv_shapes.comp, OP %u, YES %u, ALSO %u: other results when pruned\n", op, c.division, c.root);
            different++;
        }
    failures += different + wrong;
    printf("control flow: %d of 28 differ; %d of 56 have wrong arrays\n", different, wrong);
}

int main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : ".", *part = "";
    bool facts = false;
    for (int i = 2; i < argc; i++) {
        facts |= strcmp(argv[i], "--facts") == 0;
        if (strcmp(argv[i], "--device") == 0 && i + 1 < argc)
            part = argv[++i];
        else if (strcmp(argv[i], "--count") == 0 && i + 1 < argc)
            count = (uint32_t)strtoul(argv[++i], NULL, 10);
    }
    check_list();
    choose_device(part);
    open_device();
    make_buffers();
    uint32_t *wanted = malloc((size_t)count * sizeof *wanted);
    if (!wanted)
        return 1;
    ask(vk.in, count);
    printf("%s, driver %#x, API %u.%u; doubles %d; RTE %d %d, zero/inf/nan %d %d, denormals kept %d %d flushed %d %d, independence %d %d\n",
           vk.properties.deviceName, vk.properties.driverVersion, VK_API_VERSION_MAJOR(vk.properties.apiVersion),
           VK_API_VERSION_MINOR(vk.properties.apiVersion), vk.doubles, vk.controls.shaderRoundingModeRTEFloat32,
           vk.controls.shaderRoundingModeRTEFloat64, vk.controls.shaderSignedZeroInfNanPreserveFloat32,
           vk.controls.shaderSignedZeroInfNanPreserveFloat64, vk.controls.shaderDenormPreserveFloat32,
           vk.controls.shaderDenormPreserveFloat64, vk.controls.shaderDenormFlushToZeroFloat32,
           vk.controls.shaderDenormFlushToZeroFloat64, vk.controls.denormBehaviorIndependence, vk.controls.roundingModeIndependence);
    try_shapes(folder, wanted);
    if (facts)
        try_variant(folder, "native", 0, true, false, wanted, true);
    if (vk.doubles)
        try_variant(folder, "doubles, native / sqrt", 1, true, !facts, wanted, true);
    if (vk.doubles)
        try_variant(folder, "doubles", 1, false, true, wanted, true);
    try_variant(folder, "integers", 2, false, true, wanted, facts);
    free(wanted);
    printf("%d failed\n", failures);
    return failures ? 1 : 0;
}
