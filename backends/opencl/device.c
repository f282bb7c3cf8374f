/* SPDX-License-Identifier: Apache-2.0
 *
 * Finding, opening and closing OpenCL devices, and the backend's table.
 */
#define _GNU_SOURCE /* strcasestr */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "env.h"
#include "opencl.h"

#include <CL/cl_ext.h>

enum {
    MOST_DEVICES = 64,
    FAULT_NOTES = 64,               /* as in shaders/fault.cl */
    FAULT_WORDS = 5 + 2 * FAULT_NOTES,
};

/* ---- Errors ---- */

static ls_status status_of(struct ls_cl_device *device, cl_int code)
{
    switch (code) {
    case CL_OUT_OF_RESOURCES:
    case CL_MEM_OBJECT_ALLOCATION_FAILURE:
    case CL_OUT_OF_HOST_MEMORY:
    case CL_INVALID_BUFFER_SIZE:
        return LS_OUT_OF_MEMORY;
    case CL_DEVICE_NOT_AVAILABLE:
    case CL_INVALID_CONTEXT: /* ours are valid, unless the driver gave up on them: */
    case CL_INVALID_COMMAND_QUEUE: /* so drivers answer after a kernel that crashed */
        device->base.lost = true;
        return LS_DEVICE_LOST;
    case CL_BUILD_PROGRAM_FAILURE:
    case CL_COMPILE_PROGRAM_FAILURE:
    case CL_COMPILER_NOT_AVAILABLE:
        return LS_COMPILE_ERROR;
    default:
        return LS_DEVICE_ERROR;
    }
}

ls_status ls_cl_failed(struct ls_cl_device *device, cl_int code, const char *call, ...)
{
    char *text = device->base.message.text;
    size_t size = sizeof device->base.message.text;
    va_list arguments;
    va_start(arguments, call);
    int used = vsnprintf(text, size, call, arguments);
    va_end(arguments);
    if (used >= 0 && (size_t)used < size)
        snprintf(text + used, size - (size_t)used, ": %s (%d)", ls_cl_code_text(code), (int)code);
    return status_of(device, code);
}

/* ---- The list ---- */

struct found {
    cl_platform_id platform;
    cl_device_id device;
    const char *failed; /* the first call about it that failed, and its code; NULL if none did */
    cl_int code;
};

/* All devices of all platforms, in the order in which they are numbered. 0 and a message if none;
 * `silent` is what a driver said that showed none, CL_SUCCESS if all did. */
static size_t find_devices(struct found found[MOST_DEVICES], cl_int *silent, struct ls_message *message)
{
    *silent = CL_SUCCESS;
    if (!ls_cl_load(message))
        return 0;
    cl_platform_id platforms[MOST_DEVICES];
    cl_uint platform_count = 0;
    cl_int code = ls_cl.clGetPlatformIDs(MOST_DEVICES, platforms, &platform_count);
    if (code != CL_SUCCESS && code != CL_PLATFORM_NOT_FOUND_KHR) {
        snprintf(message->text, sizeof message->text, "clGetPlatformIDs: %s (%d)",
                 ls_cl_code_text(code), (int)code);
        return 0;
    }
    if (code != CL_SUCCESS || platform_count == 0) {
        snprintf(message->text, sizeof message->text,
                 "no OpenCL driver is installed (clGetPlatformIDs: %s (%d)); install one, for example "
                 "pocl-opencl-icd for CPUs, mesa-opencl-icd or intel-opencl-icd",
                 ls_cl_code_text(code), (int)code);
        return 0;
    }
    if (platform_count > MOST_DEVICES)
        platform_count = MOST_DEVICES;

    size_t count = 0;
    for (cl_uint p = 0; p < platform_count; p++) {
        cl_device_id devices[MOST_DEVICES];
        cl_uint device_count = 0;
        code = ls_cl.clGetDeviceIDs(platforms[p], CL_DEVICE_TYPE_ALL, MOST_DEVICES, devices,
                                    &device_count);
        if (code != CL_SUCCESS) {
            if (*silent == CL_SUCCESS || *silent == CL_DEVICE_NOT_FOUND) /* which is common */
                *silent = code;
            continue;
        }
        for (cl_uint d = 0; d < device_count && d < MOST_DEVICES && count < MOST_DEVICES; d++)
            found[count++] = (struct found){.platform = platforms[p], .device = devices[d]};
    }
    if (count == 0)
        snprintf(message->text, sizeof message->text,
                 "%u OpenCL driver%s installed, but no device (clGetDeviceIDs: %s (%d)); for CPUs install "
                 "pocl-opencl-icd, for rusticl set RUSTICL_ENABLE",
                 (unsigned)platform_count, platform_count == 1 ? " is" : "s are", ls_cl_code_text(*silent),
                 (int)*silent);
    return count;
}

static bool answered(struct found *found, cl_int code, const char *call)
{
    if (code != CL_SUCCESS && found->failed == NULL) {
        found->failed = call;
        found->code = code;
    }
    return code == CL_SUCCESS;
}

static void platform_text(struct found *found, cl_platform_info what, char *text, size_t size)
{
    text[0] = '\0';
    if (!answered(found, ls_cl.clGetPlatformInfo(found->platform, what, size, text, NULL), "clGetPlatformInfo"))
        text[0] = '\0';
    text[size - 1] = '\0';
}

static void device_text(struct found *found, cl_device_info what, char *text, size_t size)
{
    text[0] = '\0';
    if (!answered(found, ls_cl.clGetDeviceInfo(found->device, what, size, text, NULL), "clGetDeviceInfo"))
        text[0] = '\0';
    text[size - 1] = '\0';
}

static cl_ulong device_number(struct found *found, cl_device_info what, size_t size)
{
    union {
        cl_uint narrow;
        cl_ulong wide;
    } value = {.wide = 0};
    if (!answered(found, ls_cl.clGetDeviceInfo(found->device, what, size, &value, NULL), "clGetDeviceInfo"))
        return 0;
    return size == sizeof value.narrow ? value.narrow : value.wide;
}

#define DEVICE_NUMBER(found, what, type) ((type)device_number(found, what, sizeof(type)))

/* Version 1.1 and early 1.2 drivers without doubles may not know this question. */
static bool has_doubles(struct found found)
{
    return DEVICE_NUMBER(&found, CL_DEVICE_DOUBLE_FP_CONFIG, cl_ulong) != 0;
}

/* Copies as much of a text as fits; names may be longer than what we show. */
static void copy_text(char *to, size_t size, const char *from)
{
    size_t length = strnlen(from, size - 1);
    memcpy(to, from, length);
    to[length] = '\0';
}

static void describe(struct found *found, size_t index, struct ls_device_info *info)
{
    *info = (struct ls_device_info){.available = true};
    snprintf(info->device, sizeof info->device, "opencl:%zu", index);
    snprintf(info->backend, sizeof info->backend, "opencl");
    snprintf(info->exactness, sizeof info->exactness, "untested");

    char text[1024], platform[1024], platform_version[1024], driver[1024]; /* a longer answer is an error */
    device_text(found, CL_DEVICE_NAME, text, sizeof text);
    copy_text(info->name, sizeof info->name, text);
    platform_text(found, CL_PLATFORM_NAME, platform, sizeof platform);
    platform_text(found, CL_PLATFORM_VERSION, platform_version, sizeof platform_version);
    device_text(found, CL_DRIVER_VERSION, driver, sizeof driver);
    snprintf(text, sizeof text, "%.300s, driver %.300s, %.300s", platform, driver, platform_version);
    copy_text(info->driver, sizeof info->driver, text);

    info->memory = DEVICE_NUMBER(found, CL_DEVICE_GLOBAL_MEM_SIZE, cl_ulong);
    info->max_buffer = DEVICE_NUMBER(found, CL_DEVICE_MAX_MEM_ALLOC_SIZE, cl_ulong);
    info->compute_units = (int)DEVICE_NUMBER(found, CL_DEVICE_MAX_COMPUTE_UNITS, cl_uint);
    cl_ulong type = DEVICE_NUMBER(found, CL_DEVICE_TYPE, cl_ulong);
    info->is_gpu = (type & CL_DEVICE_TYPE_GPU) != 0;
    info->has_fp64 = has_doubles(*found);

    int major = 0, minor = 0;
    device_text(found, CL_DEVICE_VERSION, text, sizeof text);
    sscanf(text, "OpenCL %d.%d", &major, &minor);
    bool available = DEVICE_NUMBER(found, CL_DEVICE_AVAILABLE, cl_uint),
         compiler = DEVICE_NUMBER(found, CL_DEVICE_COMPILER_AVAILABLE, cl_uint),
         little = DEVICE_NUMBER(found, CL_DEVICE_ENDIAN_LITTLE, cl_uint);
    char unanswered[128] = "";
    if (found->failed != NULL)
        snprintf(unanswered, sizeof unanswered, "%s: %s (%d)", found->failed, ls_cl_code_text(found->code),
                 (int)found->code);
    const char *reason = NULL;
    if (found->failed != NULL)
        reason = unanswered;
    else if (!available)
        reason = "the driver says that the device is not available";
    else if (!compiler)
        reason = "the driver has no compiler";
    else if (major * 10 + minor < 12)
        reason = "OpenCL 1.2 is needed";
    else if (!little)
        reason = "the device is big-endian";
    if (reason != NULL) {
        info->available = false;
        snprintf(info->reason, sizeof info->reason, "%s", reason);
    }
}

static size_t list(struct ls_device_info *devices, size_t capacity)
{
    struct found found[MOST_DEVICES];
    struct ls_message message = {""};
    cl_int silent;
    size_t count = find_devices(found, &silent, &message);
    for (size_t i = 0; i < count && i < capacity; i++)
        describe(&found[i], i, &devices[i]);
    if (count == 0 && capacity > 0) {
        devices[0] = (struct ls_device_info){.device = "opencl", .backend = "opencl",
                                             .exactness = "untested"};
        copy_text(devices[0].reason, sizeof devices[0].reason, message.text);
    }
    return count > 0 ? count : 1;
}

/* ---- Opening ---- */

/* Finds the device that `which` names: a number, part of a name or platform, or NULL for the first
 * one that works. */
static ls_status choose(const char *which, struct found *chosen, struct ls_device_info *info,
                        struct ls_message *message)
{
    struct found found[MOST_DEVICES];
    cl_int silent;
    size_t count = find_devices(found, &silent, message);
    if (count == 0)
        return LS_UNAVAILABLE;

    bool any = which == NULL || which[0] == '\0';
    bool number = !any && which[strspn(which, "0123456789")] == '\0' && strlen(which) < 6;
    bool named = false; /* there is one, though it may not be usable */
    for (size_t i = 0; i < count; i++) {
        describe(&found[i], i, info);
        if (number ? i != strtoul(which, NULL, 10)
                   : !any && strcasestr(info->name, which) == NULL &&
                         strcasestr(info->driver, which) == NULL)
            continue;
        named = true;
        *chosen = found[i];
        if (info->available)
            return LS_OK;
        snprintf(message->text, sizeof message->text, "%s (%s) cannot be used: %s", info->device,
                 info->name, info->reason);
    }
    if (named)
        return LS_UNAVAILABLE;

    size_t used = (size_t)snprintf(message->text, sizeof message->text,
                                   "there is no OpenCL device \"%s\"; there is", which);
    for (size_t i = 0; i < count && used < sizeof message->text; i++) {
        describe(&found[i], i, info);
        used += (size_t)snprintf(message->text + used, sizeof message->text - used, "%s %s (%s)",
                                 i == 0 ? "" : ",", info->device,
                                 info->available ? info->name : info->reason);
    }
    if (silent != CL_SUCCESS && used < sizeof message->text)
        snprintf(message->text + used, sizeof message->text - used, "; one driver shows none (clGetDeviceIDs: %s (%d))",
                 ls_cl_code_text(silent), (int)silent);
    return LS_NOT_FOUND;
}

/* Whether work-items should use vectors: on a CPU whose driver runs them as such. A driver that
 * splits vectors and puts one work-item into each lane (llvmpipe) is better served as GPUs are. */
static bool prefers_vectors(const struct ls_cl_device *device, struct found *found)
{
    cl_ulong type = DEVICE_NUMBER(found, CL_DEVICE_TYPE, cl_ulong);
    cl_uint width = DEVICE_NUMBER(found, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, cl_uint);
    bool cpu = (type & CL_DEVICE_TYPE_CPU) != 0 && (type & CL_DEVICE_TYPE_GPU) == 0;
    return (cpu && width >= 4) || device->max_group < 256 || device->local_memory < 16384;
}

/* Options of every program. The pragma against contraction is in the source: no option does it. */
static void set_options(struct ls_cl_device *device, struct found *found)
{
    cl_ulong single = DEVICE_NUMBER(found, CL_DEVICE_SINGLE_FP_CONFIG, cl_ulong);
    const char *extra = ls_env("LOCKSTEP_CL_BUILD_OPTIONS");
    device->fast_fma = (single & CL_FP_FMA) != 0;
    snprintf(device->options, sizeof device->options, "-cl-std=CL1.2 %s%s%s",
             (single & CL_FP_CORRECTLY_ROUNDED_DIVIDE_SQRT) != 0
                 ? "-cl-fp32-correctly-rounded-divide-sqrt"
                 : "-DLS_EMULATE_DIV=1 -DLS_EMULATE_SQRT=1",
             extra != NULL ? " " : "", extra != NULL ? extra : "");
}

/* What a compiled program or a measurement is good for. */
static uint64_t identity_of(const struct ls_cl_device *device)
{
    const char *const parts[] = {device->base.info.name, device->base.info.driver, device->options,
                                 ls_version()};
    uint64_t hash = LS_CL_HASH_START;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        hash = ls_cl_hash(hash, parts[i], strlen(parts[i]) + 1);
    return hash;
}

static const cl_int no_faults[5] = {0, 0, 0, CL_INT_MAX, 0};

static ls_status start(struct ls_cl_device *device)
{
    cl_int code;
    device->context = ls_cl.clCreateContext(NULL, 1, &device->id, NULL, NULL, &code);
    if (code != CL_SUCCESS)
        return ls_cl_failed(device, code, "clCreateContext");
    device->queue = ls_cl.clCreateCommandQueue(device->context, device->id, 0, &code);
    if (code != CL_SUCCESS)
        return ls_cl_failed(device, code, "clCreateCommandQueue");
    device->faults = ls_cl.clCreateBuffer(device->context, CL_MEM_READ_WRITE,
                                          FAULT_WORDS * sizeof(cl_int), NULL, &code);
    if (code != CL_SUCCESS)
        return ls_cl_failed(device, code, "clCreateBuffer of %zu bytes",
                            FAULT_WORDS * sizeof(cl_int));
    code = ls_cl.clEnqueueWriteBuffer(device->queue, device->faults, CL_TRUE, 0, sizeof no_faults,
                                      no_faults, 0, NULL, NULL);
    if (code != CL_SUCCESS)
        return ls_cl_failed(device, code, "clEnqueueWriteBuffer of %zu bytes", sizeof no_faults);
    return LS_OK;
}

static void close_device(struct ls_device *base)
{
    struct ls_cl_device *device = ls_cl_device_of(base);
    struct ls_message ignored;
    if (device == NULL)
        return;
    if (!ls_cl_here(device->process, &ignored)) { /* what belongs to the driver stays the parent's */
        free(device);
        return;
    }
    if (device->queue != NULL)
        ls_cl.clFinish(device->queue);
    ls_cl_release_memory(device);
    ls_cl_release_kernels(device);
    if (device->faults != NULL)
        ls_cl.clReleaseMemObject(device->faults);
    if (device->queue != NULL)
        ls_cl.clReleaseCommandQueue(device->queue);
    if (device->context != NULL)
        ls_cl.clReleaseContext(device->context);
    free(device);
}

static ls_status open_device(const char *which, struct ls_device **opened,
                             struct ls_message *message)
{
    struct found chosen;
    struct ls_cl_device *device = calloc(1, sizeof *device);
    *opened = NULL;
    if (device == NULL) {
        snprintf(message->text, sizeof message->text, "no memory for an OpenCL device");
        return LS_OUT_OF_MEMORY;
    }
    device->base.backend = &ls_opencl_backend;
    device->process = getpid();
    ls_status status = choose(which, &chosen, &device->base.info, message);
    if (status != LS_OK) {
        free(device);
        return status;
    }
    device->id = chosen.device;
    device->max_group = DEVICE_NUMBER(&chosen, CL_DEVICE_MAX_WORK_GROUP_SIZE, size_t);
    device->local_memory = DEVICE_NUMBER(&chosen, CL_DEVICE_LOCAL_MEM_SIZE, cl_ulong);
    device->wide = prefers_vectors(device, &chosen);
    set_options(device, &chosen);
    if (chosen.failed != NULL) {
        status = ls_cl_failed(device, chosen.code, "%s", chosen.failed);
        *message = device->base.message;
        free(device);
        return status;
    }
    device->identity = identity_of(device);
    ls_cache_folder(device->cache_folder);
    const char *numerics = ls_env("LOCKSTEP_NUMERICS");
    if (numerics != NULL && strcmp(numerics, "fast") == 0) /* other bits are allowed: tolerance only */
        copy_text(device->base.info.exactness, sizeof device->base.info.exactness, "T");

    status = ls_cl_check_tile(device);
    if (status == LS_OK)
        status = start(device);
    if (status != LS_OK) {
        *message = device->base.message;
        close_device(&device->base);
        return status;
    }
    *opened = &device->base;
    return LS_OK;
}

/* ---- Waiting ---- */

static ls_status finish(struct ls_device *base)
{
    struct ls_cl_device *device = ls_cl_device_of(base);
    if (!ls_cl_here(device->process, &base->message))
        return LS_DEVICE_LOST;
    cl_int code = ls_cl.clFinish(device->queue);
    device->launches = 0;
    return code == CL_SUCCESS ? LS_OK : ls_cl_failed(device, code, "clFinish");
}

static ls_status take_fault(struct ls_device *base, struct ls_fault *fault)
{
    struct ls_cl_device *device = ls_cl_device_of(base);
    *fault = (struct ls_fault){.set = false};
    if (device->fault_call == 0) /* nothing that can fault has run */
        return LS_OK;
    cl_int words[FAULT_WORDS];
    cl_int code = ls_cl.clEnqueueReadBuffer(device->queue, device->faults, CL_TRUE, 0, sizeof words,
                                            words, 0, NULL, NULL);
    if (code != CL_SUCCESS)
        return ls_cl_failed(device, code, "clEnqueueReadBuffer of %zu bytes", sizeof words);
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
    code = ls_cl.clEnqueueWriteBuffer(device->queue, device->faults, CL_TRUE, 0, sizeof no_faults,
                                      no_faults, 0, NULL, NULL);
    if (code != CL_SUCCESS)
        return ls_cl_failed(device, code, "clEnqueueWriteBuffer of %zu bytes", sizeof no_faults);
    return LS_OK;
}

static const struct ls_backend unguarded = {
    .list = list,
    .open = open_device,
    .close = close_device,
    .create = ls_cl_create,
    .destroy = ls_cl_destroy,
    .write = ls_cl_write,
    .read = ls_cl_read,
    .finish = finish,
    .fault = take_fault,
#define PRIM(name, need, meaning) .name = ls_cl_##name,
#include "prims.def"
#undef PRIM
};
#define BACKEND opencl
#include "guarded_backend.h"
