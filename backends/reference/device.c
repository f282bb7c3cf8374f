/* SPDX-License-Identifier: Apache-2.0
 *
 * Devices and memory of the reference backend, and the choice of an instruction set.
 */
#include "reference.h"

#include "device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined _OPENMP
#include <omp.h>
#endif
#if defined __unix__ || defined __APPLE__
#include <unistd.h>
#endif

extern const struct reference_slots ls_reference_slots_baseline, ls_reference_slots_avx2,
    ls_reference_slots_avx512, ls_reference_slots_neon;

struct isa {
    const char *name;
    const struct reference_slots *slots;
};

/* Every instruction set that is built in and that this processor has, slowest first. */
static size_t usable_isas(struct isa isa[4])
{
    size_t count = 0;
#if defined LS_HAVE_BASELINE
    isa[count++] = (struct isa){"baseline", &ls_reference_slots_baseline};
#endif
#if defined LS_HAVE_NEON
    isa[count++] = (struct isa){"neon", &ls_reference_slots_neon};
#endif
#if defined LS_HAVE_AVX2
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        isa[count++] = (struct isa){"avx2", &ls_reference_slots_avx2};
    }
#endif
#if defined LS_HAVE_AVX512
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        isa[count++] = (struct isa){"avx512", &ls_reference_slots_avx512};
    }
#endif
    return count;
}

size_t ls_reference_isas(const char **names, size_t capacity)
{
    struct isa isa[4];
    size_t count = usable_isas(isa);
    for (size_t i = 0; i < count && i < capacity; i++) {
        names[i] = isa[i].name;
    }
    return count;
}

static int thread_count(void)
{
#if defined _OPENMP
    return omp_get_max_threads();
#else
    return 1;
#endif
}

/* The processor's own name where the system tells it, else "CPU". */
static void cpu_name(char *name, size_t size)
{
    snprintf(name, size, "CPU");
    FILE *file = fopen("/proc/cpuinfo", "r");
    if (!file) {
        return;
    }
    char line[512];
    while (fgets(line, sizeof line, file)) {
        char *value = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && value) {
            value += 1 + strspn(value + 1, " \t");
            value[strcspn(value, "\n")] = '\0';
            if (*value) {
                snprintf(name, size, "%.*s", (int)size - 1, value);
            }
            break;
        }
    }
    fclose(file);
}

static uint64_t memory_bytes(void)
{
#if defined _SC_PHYS_PAGES && defined _SC_PAGESIZE
    long pages = sysconf(_SC_PHYS_PAGES);
    long page = sysconf(_SC_PAGESIZE);
    return pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : 0;
#else
    return 0;
#endif
}

static void describe(struct ls_device_info *info, const char *isa, bool forced, int threads)
{
    *info = (struct ls_device_info){.available = true, .compute_units = threads, .has_fp64 = true};
    snprintf(info->device, sizeof info->device, forced ? "reference:%s" : "reference", isa);
    snprintf(info->backend, sizeof info->backend, "reference");
    cpu_name(info->name, sizeof info->name);
    snprintf(info->driver, sizeof info->driver, "C%s, %s, %d thread%s",
#if defined _OPENMP
             ", OpenMP",
#else
             "",
#endif
             isa, threads, threads == 1 ? "" : "s");
    snprintf(info->exactness, sizeof info->exactness, "E");
    info->memory = memory_bytes();
}

static size_t list_devices(struct ls_device_info *devices, size_t capacity)
{
    struct isa isa[4];
    size_t count = usable_isas(isa);
    if (capacity > 0) {
        describe(&devices[0], isa[count - 1].name, false, thread_count());
    }
    return 1;
}

/* Explains why `which` names nothing that can be opened here. */
static ls_status not_found(const char *which, const struct isa *isa, size_t count,
                           struct ls_message *message)
{
    static const char *const known[] = {"baseline", "avx2", "avx512", "neon"};
    ls_status status = LS_NOT_FOUND;
    const char *reason = "no instruction set has this name";
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(which, known[i]) == 0) {
            status = LS_UNAVAILABLE;
            reason = "this build or this processor does not have it";
        }
    }
    int used = snprintf(message->text, sizeof message->text, "reference:%.64s: %s; there %s:", which,
                        reason, count == 1 ? "is" : "are");
    for (size_t i = 0; i < count; i++) {
        used += snprintf(message->text + used, sizeof message->text - (size_t)used,
                         "%s reference:%s", i ? "," : "", isa[i].name);
    }
    return status;
}

static ls_status open_device(const char *which, struct ls_device **opened, struct ls_message *message)
{
    struct isa isa[4];
    size_t count = usable_isas(isa);
    size_t chosen = count - 1;
    bool forced = which && *which;
    if (forced) {
        chosen = 0;
        while (chosen < count && strcmp(isa[chosen].name, which) != 0) {
            chosen++;
        }
        if (chosen == count) {
            return not_found(which, isa, count, message);
        }
    }
    struct reference_device *device = calloc(1, sizeof *device);
    if (!device) {
        snprintf(message->text, sizeof message->text, "calloc of %zu bytes failed", sizeof *device);
        return LS_OUT_OF_MEMORY;
    }
    device->base.backend = &ls_reference_backend;
    device->slots = isa[chosen].slots;
    device->threads = thread_count();
    describe(&device->base.info, isa[chosen].name, forced, device->threads);
    *opened = &device->base;
    return LS_OK;
}

static struct reference_device *own(struct ls_device *device)
{
    return (struct reference_device *)device;
}

/* aligned_alloc of `bytes` rounded up to cache lines, or NULL. */
static void *allocate(size_t bytes)
{
    if (bytes > PTRDIFF_MAX - CACHE_LINE) {
        return NULL;
    }
    size_t rounded = (bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
#if defined _WIN32
    return _aligned_malloc(rounded, CACHE_LINE);
#else
    return aligned_alloc(CACHE_LINE, rounded);
#endif
}

/* What `allocate` gave. */
static void release(void *memory)
{
#if defined _WIN32
    _aligned_free(memory);
#else
    free(memory);
#endif
}

static void close_device(struct ls_device *device)
{
    if (device) {
        release(own(device)->scratch);
        free(device);
    }
}

static ls_status out_of_memory(struct ls_message *message, size_t bytes)
{
    snprintf(message->text, sizeof message->text, "aligned_alloc of %zu bytes failed", bytes);
    return LS_OUT_OF_MEMORY;
}

static ls_status create_buffer(struct ls_device *device, size_t bytes, struct ls_buffer **created)
{
    struct reference_buffer *buffer = NULL;
    if (bytes <= PTRDIFF_MAX - sizeof *buffer - CACHE_LINE) {
        buffer = allocate(sizeof *buffer + bytes);
    }
    if (!buffer) {
        *created = NULL;
        return out_of_memory(&device->message, bytes);
    }
    buffer->base.bytes = bytes;
    *created = &buffer->base;
    return LS_OK;
}

static void destroy_buffer(struct ls_device *device, struct ls_buffer *buffer)
{
    (void)device;
    release(buffer);
}

static ls_status write_buffer(struct ls_device *device, struct ls_buffer *buffer, size_t offset,
                              const void *data, size_t bytes)
{
    (void)device;
    if (bytes) {
        memcpy((char *)data_of(buffer) + offset, data, bytes);
    }
    return LS_OK;
}

static ls_status read_buffer(struct ls_device *device, struct ls_buffer *buffer, size_t offset,
                             void *data, size_t bytes)
{
    (void)device;
    if (bytes) {
        memcpy(data, (const char *)data_of(buffer) + offset, bytes);
    }
    return LS_OK;
}

static ls_status finish(struct ls_device *device)
{
    (void)device;
    return LS_OK;
}

static ls_status take_fault(struct ls_device *device, struct ls_fault *taken)
{
    *taken = own(device)->fault;
    own(device)->fault = (struct ls_fault){0};
    return LS_OK;
}

void ls_reference_fault(struct reference_device *device, enum ls_fault_kind kind, int64_t position,
                        int64_t value, int64_t limit)
{
    if (!device->fault.set) {
        device->fault = (struct ls_fault){true, kind, position, value, limit};
    }
}

void *ls_reference_scratch(struct reference_device *device, size_t bytes)
{
    if (bytes > device->scratch_bytes) {
        release(device->scratch);
        device->scratch = allocate(bytes);
        device->scratch_bytes = device->scratch ? bytes : 0;
        if (!device->scratch) {
            out_of_memory(&device->base.message, bytes);
        }
    }
    return device->scratch;
}

/* The vtable's slots: each calls the chosen set's slot. */
#define PRIM(name, need, meaning)                                                                  \
    static ls_status call_##name(struct ls_device *device, const struct ls_##name##_args *args)    \
    {                                                                                              \
        const struct reference_slots *slots = own(device)->slots;                                  \
        return slots->name ? slots->name(own(device), args) : LS_UNSUPPORTED;                      \
    }
#include "prims.def"
#undef PRIM

static const struct ls_backend unguarded = {
    .list = list_devices,
    .open = open_device,
    .close = close_device,
    .create = create_buffer,
    .destroy = destroy_buffer,
    .write = write_buffer,
    .read = read_buffer,
    .finish = finish,
    .fault = take_fault,
#define PRIM(name, need, meaning) .name = call_##name,
#include "prims.def"
#undef PRIM
};
#define BACKEND reference
#include "guarded_backend.h"
