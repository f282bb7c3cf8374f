/* SPDX-License-Identifier: Apache-2.0
 *
 * Kernels: one table from keys to kernels, filled from the cache on disk or by the compiler, and
 * the few calls that launch one.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "opencl.h"

uint64_t ls_cl_hash(uint64_t hash, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    return hash;
}

void ls_cl_add(struct ls_cl_text *text, const char *format, ...)
{
    va_list arguments;
    if (text->failed)
        return;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0) {
        text->failed = true;
        return;
    }
    size_t needed = text->size + (size_t)length + 1;
    if (needed > text->capacity) {
        size_t capacity = needed * 2 + 1024;
        char *data = realloc(text->data, capacity);
        if (data == NULL) {
            text->failed = true;
            return;
        }
        text->data = data;
        text->capacity = capacity;
    }
    va_start(arguments, format);
    vsnprintf(text->data + text->size, (size_t)length + 1, format, arguments);
    va_end(arguments);
    text->size += (size_t)length;
}

/* ---- The table ---- */

static bool same_key(const struct ls_cl_key *a, const struct ls_cl_key *b)
{
    return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

/* The place of a key: its kernel, or the free place where it belongs. */
static size_t place_of(const struct ls_cl_device *device, uint64_t hash,
                       const struct ls_cl_key *key)
{
    size_t mask = device->kernel_capacity - 1, place = (size_t)hash & mask;
    while (device->kernels[place] != NULL &&
           !(device->kernels[place]->hash == hash && same_key(&device->kernels[place]->key, key)))
        place = (place + 1) & mask;
    return place;
}

const struct ls_cl_kernel *ls_cl_find(struct ls_cl_device *device, const struct ls_cl_key *key)
{
    if (device->kernel_capacity == 0)
        return NULL;
    uint64_t hash = ls_cl_hash(LS_CL_HASH_START, key->bytes, key->size);
    return device->kernels[place_of(device, hash, key)];
}

/* Keeps at least a third of the places free. */
static ls_status make_room(struct ls_cl_device *device)
{
    if ((device->kernel_count + 1) * 3 <= device->kernel_capacity * 2)
        return LS_OK;
    size_t old_capacity = device->kernel_capacity;
    struct ls_cl_kernel **old = device->kernels;
    size_t capacity = old_capacity == 0 ? 64 : old_capacity * 2;
    struct ls_cl_kernel **larger = calloc(capacity, sizeof(struct ls_cl_kernel *));
    if (larger == NULL)
        return ls_cl_failed(device, CL_OUT_OF_HOST_MEMORY, "the table of kernels");
    device->kernels = larger;
    device->kernel_capacity = capacity;
    for (size_t i = 0; i < old_capacity; i++)
        if (old[i] != NULL)
            larger[place_of(device, old[i]->hash, &old[i]->key)] = old[i];
    free(old);
    return LS_OK;
}

static void release_kernel(struct ls_cl_kernel *kernel)
{
    if (kernel->kernel != NULL)
        ls_cl.clReleaseKernel(kernel->kernel);
    if (kernel->program != NULL)
        ls_cl.clReleaseProgram(kernel->program);
    free(kernel);
}

/* ---- Building ---- */

/* Puts the start of the compiler's log into the device's message, on one line. */
static void add_build_log(struct ls_cl_device *device, cl_program program)
{
    size_t size = 0;
    if (ls_cl.clGetProgramBuildInfo(program, device->id, CL_PROGRAM_BUILD_LOG, 0, NULL, &size) !=
            CL_SUCCESS ||
        size == 0)
        return;
    char *log = malloc(size + 1);
    if (log == NULL)
        return;
    if (ls_cl.clGetProgramBuildInfo(program, device->id, CL_PROGRAM_BUILD_LOG, size, log, NULL) ==
        CL_SUCCESS) {
        log[size] = '\0';
        for (char *c = log; *c != '\0'; c++)
            if (*c == '\n' || *c == '\r')
                *c = ' ';
        char *text = device->base.message.text;
        size_t used = strlen(text);
        snprintf(text + used, sizeof device->base.message.text - used, "; %s", log);
    }
    free(log);
}

/* The program from a binary that an earlier process kept; NULL, and no error, if it will not do. */
static cl_program program_from_cache(struct ls_cl_device *device, uint64_t name)
{
    void *binary;
    size_t size;
    if (!ls_cache_load(device->cache_folder, name, &binary, &size))
        return NULL;
    const unsigned char *binaries[1] = {binary};
    cl_int code, loaded = CL_SUCCESS;
    cl_program program = ls_cl.clCreateProgramWithBinary(device->context, 1, &device->id, &size,
                                                         binaries, &loaded, &code);
    free(binary);
    if (code != CL_SUCCESS)
        return NULL;
    if (loaded == CL_SUCCESS)
        code = ls_cl.clBuildProgram(program, 1, &device->id, device->options, NULL, NULL);
    if (loaded != CL_SUCCESS || code != CL_SUCCESS) {
        ls_cl.clReleaseProgram(program);
        return NULL;
    }
    return program;
}

static void keep_binary(const struct ls_cl_device *device, const struct ls_cl_kernel *kernel)
{
    size_t size = 0;
    if (ls_cl.clGetProgramInfo(kernel->program, CL_PROGRAM_BINARY_SIZES, sizeof size, &size,
                               NULL) != CL_SUCCESS ||
        size == 0)
        return;
    unsigned char *binary = malloc(size);
    if (binary == NULL)
        return;
    if (ls_cl.clGetProgramInfo(kernel->program, CL_PROGRAM_BINARIES, sizeof binary, &binary,
                               NULL) == CL_SUCCESS)
        ls_cache_store(device->cache_folder, kernel->name, binary, size);
    free(binary);
}

/* Binaries are kept at the end, for a driver may compile once more to make one (PoCL does), and the
 * first step should not wait for that. */
void ls_cl_release_kernels(struct ls_cl_device *device)
{
    bool keep = device->cache_folder[0] != '\0' && !device->base.lost;
    for (size_t i = 0; i < device->kernel_capacity; i++) {
        struct ls_cl_kernel *kernel = device->kernels[i];
        if (kernel == NULL)
            continue;
        if (keep && kernel->not_kept)
            keep_binary(device, kernel);
        release_kernel(kernel);
    }
    free(device->kernels);
    device->kernels = NULL;
    device->kernel_count = device->kernel_capacity = 0;
}

static ls_status program_from_source(struct ls_cl_device *device, const char *primitive,
                                     const char *const *texts, cl_uint count, cl_program *program)
{
    cl_int code;
    *program = ls_cl.clCreateProgramWithSource(device->context, count, (const char **)texts, NULL,
                                               &code);
    if (code != CL_SUCCESS) {
        *program = NULL;
        return ls_cl_failed(device, code, "clCreateProgramWithSource(%s)", primitive);
    }
    code = ls_cl.clBuildProgram(*program, 1, &device->id, device->options, NULL, NULL);
    if (code == CL_SUCCESS)
        return LS_OK;
    ls_status status = ls_cl_failed(device, code, "clBuildProgram(%s)", primitive);
    if (status == LS_COMPILE_ERROR || status == LS_DEVICE_ERROR) {
        status = LS_COMPILE_ERROR;
        add_build_log(device, *program);
    }
    ls_cl.clReleaseProgram(*program);
    *program = NULL;
    return status;
}

enum { MOST_TEXTS = 12 };

/* All texts of a program, in order. */
static cl_uint collect(const struct ls_cl_source *source, const char *texts[MOST_TEXTS])
{
    bool wide = (source->parts & LS_CL_WIDE) != 0;
    cl_uint count = 0;
    texts[count++] = "#pragma OPENCL FP_CONTRACT OFF\n";
    texts[count++] = wide ? ls_cl_file_wide_begin : ls_cl_file_prelude_cl;
    texts[count++] = ls_cl_file_canon;
    if ((source->parts & LS_CL_EXP) != 0)
        texts[count++] = ls_cl_file_canon_exp;
    if ((source->parts & LS_CL_TRIG) != 0)
        texts[count++] = ls_cl_file_canon_trig;
    if ((source->parts & LS_CL_SPECIAL) != 0)
        texts[count++] = ls_cl_file_canon_special;
    if (source->functions.data != NULL)
        texts[count++] = source->functions.data;
    if (wide)
        texts[count++] = ls_cl_file_wide_end;
    texts[count++] = ls_cl_file_index;
    if ((source->parts & LS_CL_FAULT) != 0)
        texts[count++] = ls_cl_file_fault;
    if (source->text.data != NULL)
        texts[count++] = source->text.data;
    texts[count++] = source->file;
    return count;
}

/* The program, from the cache or compiled, and its kernel. */
static ls_status make(struct ls_cl_device *device, const struct ls_cl_source *source,
                      struct ls_cl_kernel *kernel)
{
    const char *texts[MOST_TEXTS];
    cl_uint count = collect(source, texts);
    kernel->primitive = source->primitive;
    kernel->name = device->identity;
    for (cl_uint i = 0; i < count; i++)
        kernel->name = ls_cl_hash(kernel->name, texts[i], strlen(texts[i]));
    kernel->program = program_from_cache(device, kernel->name);
    if (kernel->program == NULL) {
        ls_status status = program_from_source(device, source->primitive, texts, count,
                                               &kernel->program);
        if (status != LS_OK)
            return status;
        kernel->not_kept = true;
    }
    cl_int code;
    kernel->kernel = ls_cl.clCreateKernel(kernel->program, source->entry, &code);
    if (code == CL_SUCCESS)
        return LS_OK;
    kernel->kernel = NULL;
    return ls_cl_failed(device, code, "clCreateKernel(%s, %s)", source->primitive, source->entry);
}

ls_status ls_cl_build(struct ls_cl_device *device, const struct ls_cl_key *key,
                      struct ls_cl_source *source, const struct ls_cl_kernel **built)
{
    *built = NULL;
    struct ls_cl_kernel *kernel = calloc(1, sizeof *kernel);
    ls_status status = LS_OK;
    if (source->functions.failed || source->text.failed || kernel == NULL)
        status = ls_cl_failed(device, CL_OUT_OF_HOST_MEMORY, "the kernel %s", source->primitive);
    if (status == LS_OK)
        status = make_room(device);
    if (status == LS_OK)
        status = make(device, source, kernel);
    free(source->functions.data);
    free(source->text.data);
    if (status != LS_OK) {
        if (kernel != NULL)
            release_kernel(kernel);
        return status;
    }
    kernel->key = *key;
    kernel->hash = ls_cl_hash(LS_CL_HASH_START, key->bytes, key->size);
    device->kernels[place_of(device, kernel->hash, key)] = kernel;
    device->kernel_count++;
    *built = kernel;
    return LS_OK;
}

/* ---- Launching ---- */

void ls_cl_pass(struct ls_cl_launch *launch, size_t size, const void *value)
{
    if (launch->code == CL_SUCCESS)
        launch->code = ls_cl.clSetKernelArg(launch->kernel->kernel, launch->arguments++, size,
                                            value);
}

ls_status ls_cl_queued(struct ls_cl_device *device)
{
    /* A driver may hold back what was not flushed, and would then start only at the next read. */
    if (++device->launches < 16)
        return LS_OK;
    device->launches = 0;
    if (!ls_cl_here(device->process, &device->base.message))
        return LS_DEVICE_LOST;
    cl_int code = ls_cl.clFlush(device->queue);
    return code == CL_SUCCESS ? LS_OK : ls_cl_failed(device, code, "clFlush");
}

ls_status ls_cl_run(struct ls_cl_launch *launch, cl_uint dimensions, const size_t groups[3],
                    const size_t local[3])
{
    struct ls_cl_device *device = launch->device;
    if (launch->code != CL_SUCCESS)
        return ls_cl_failed(device, launch->code, "clSetKernelArg(%s, %u)",
                            launch->kernel->primitive, (unsigned)launch->arguments - 1);
    size_t global[3];
    for (cl_uint i = 0; i < dimensions; i++)
        global[i] = groups[i] * local[i];
    cl_int code = ls_cl.clEnqueueNDRangeKernel(device->queue, launch->kernel->kernel, dimensions,
                                               NULL, global, local, 0, NULL, NULL);
    if (code != CL_SUCCESS)
        return ls_cl_failed(device, code, "clEnqueueNDRangeKernel(%s)", launch->kernel->primitive);
    return ls_cl_queued(device);
}

/* n / divisor for n < 2^31 is (mul_hi(n, multiplier) + n) >> shift: Granlund and Montgomery,
 * "Division by invariant integers using multiplication", 1994. */
static void find_divisor(uint32_t divisor, cl_uint *multiplier, cl_uint *shift)
{
    *shift = 0;
    while (((uint64_t)1 << *shift) < divisor)
        ++*shift;
    uint64_t excess = ((uint64_t)1 << *shift) - divisor;
    *multiplier = (cl_uint)((excess << 32) / divisor + 1);
}

void ls_cl_pass_dimensions(struct ls_cl_launch *launch, const int64_t *values, int rank, bool large)
{
    cl_long wide[8] = {0};
    cl_int narrow[8] = {0};
    for (int d = 0; d < rank; d++) {
        wide[d] = values[d];
        narrow[d] = (cl_int)values[d];
    }
    if (large)
        ls_cl_pass(launch, sizeof wide, wide);
    else
        ls_cl_pass(launch, sizeof narrow, narrow);
}

void ls_cl_pass_extents(struct ls_cl_launch *launch, const int64_t *extents, int rank, bool large)
{
    ls_cl_pass_dimensions(launch, extents, rank, large);
    if (large)
        return;
    cl_uint multiplier[8] = {0}, shift[8] = {0};
    for (int d = 0; d < rank; d++)
        find_divisor((uint32_t)extents[d], &multiplier[d], &shift[d]);
    ls_cl_pass(launch, sizeof multiplier, multiplier);
    ls_cl_pass(launch, sizeof shift, shift);
}
