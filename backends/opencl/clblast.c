/* SPDX-License-Identifier: Apache-2.0
 *
 * gemm by CLBlast, and when it may be used. Its kernels compute each output as one ascending chain, so
 * where the device's fma is what they use, calling it block by block with beta = 1 gives the canonical
 * bits (canon.md section 4). That is not believed but tried, once per device, driver and version.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "env.h"
#include "opencl.h"

/* From clblast_c.h. */
enum { ROW_MAJOR = 101, AS_STORED = 111, TRANSPOSED = 112, SINGLE = 32 };

static ls_status multiply(struct ls_cl_device *device, const struct ls_gemm_args *args, int64_t i)
{
    cl_mem a = ls_cl_memory(args->a), b = ls_cl_memory(args->b), c = ls_cl_memory(args->c);
    size_t m = (size_t)args->m, n = (size_t)args->n, k = (size_t)args->k;
    for (size_t start = 0; start < k; start += LS_CHAIN_BLOCK) {
        size_t depth = k - start < LS_CHAIN_BLOCK ? k - start : LS_CHAIN_BLOCK;
        size_t a_offset = (size_t)(i * args->stride_a) + (args->trans_a ? start * m : start);
        size_t b_offset = (size_t)(i * args->stride_b) + (args->trans_b ? start : start * n);
        int code = ls_clblast.CLBlastSgemm(
            ROW_MAJOR, args->trans_a ? TRANSPOSED : AS_STORED,
            args->trans_b ? TRANSPOSED : AS_STORED, m, n, depth, 1.0f, a, a_offset,
            args->trans_a ? m : k, b, b_offset, args->trans_b ? k : n, start == 0 ? 0.0f : 1.0f, c,
            (size_t)i * m * n, n, &device->queue, NULL);
        if (code != 0)
            return ls_cl_failed(device, code, "CLBlastSgemm(m %zu, n %zu, k %zu)", m, n, depth);
    }
    return LS_OK;
}

/* What our own kernels do in their epilogue: one map over C, in place. */
static ls_status add_bias_and_activate(struct ls_cl_device *device, const struct ls_gemm_args *args)
{
    struct ls_map_args map = {
        .inputs = 1,
        .outputs = 1,
        .rank = 1,
        .n = args->batch * args->m * args->n,
        .extent = {args->batch * args->m * args->n},
        .input = {{.buffer = args->c, .dtype = LS_FLOAT32, .stride = {1}}},
        .output = {{.buffer = args->c, .dtype = LS_FLOAT32, .source = 0}},
    };
    if (args->bias != NULL) {
        map.inputs = map.rank = 2;
        map.extent[0] = args->batch * args->m;
        map.extent[1] = args->n;
        map.input[0].stride[0] = args->n;
        map.input[0].stride[1] = 1;
        map.input[1] = (struct ls_map_input){
            .buffer = args->bias, .dtype = LS_FLOAT32, .stride = {0, 1}};
        map.row[map.rows++] = (struct ls_map_row){.op = LS_ROW_add, .arg = {0, 1}};
        map.output[0].source = LS_REGISTER_ROW;
    }
    if (args->activation != LS_ROW_NONE) {
        map.row[map.rows] = (struct ls_map_row){.op = args->activation,
                                                .arg = {map.output[0].source}};
        map.output[0].source = (uint8_t)(LS_REGISTER_ROW + map.rows++);
    }
    return map.rows == 0 ? LS_OK : ls_cl_map(&device->base, &map);
}

ls_status ls_cl_gemm_clblast(struct ls_cl_device *device, const struct ls_gemm_args *args)
{
    for (int64_t i = 0; i < args->batch; i++) {
        ls_status status = multiply(device, args, i);
        if (status != LS_OK)
            return status;
    }
    ls_status status = add_bias_and_activate(device, args);
    return status == LS_OK ? ls_cl_queued(device) : status;
}

/* ---- The trial ---- */

enum { MOST = 512 * 512, LONGEST = 2050 }; /* elements of a matrix in the trial; the largest k */

struct trial {
    struct ls_buffer *a, *b, *own, *theirs;
    float *host[2];
};

static void finish_trial(struct ls_cl_device *device, struct trial *trial)
{
    ls_cl_destroy(&device->base, trial->a);
    ls_cl_destroy(&device->base, trial->b);
    ls_cl_destroy(&device->base, trial->own);
    ls_cl_destroy(&device->base, trial->theirs);
    free(trial->host[0]);
    free(trial->host[1]);
}

/* Numbers of both signs whose sums depend on their order; all of [2^-4, 2). */
static void fill_with_numbers(float *numbers, uint32_t seed)
{
    for (int i = 0; i < MOST; i++) {
        seed = seed * 1664525u + 1013904223u;
        uint32_t bits = (seed & 0x80000000u) | ((123u + (seed >> 9) % 5u) << 23) |
                        ((seed * 2654435761u) >> 9);
        memcpy(&numbers[i], &bits, sizeof bits);
    }
}

static ls_status start_trial(struct ls_cl_device *device, struct trial *trial)
{
    size_t bytes = MOST * sizeof(float);
    *trial = (struct trial){.host = {malloc(bytes), malloc(bytes)}};
    if (trial->host[0] == NULL || trial->host[1] == NULL)
        return ls_cl_failed(device, CL_OUT_OF_HOST_MEMORY, "the trial of CLBlast");
    struct ls_buffer **buffers[4] = {&trial->a, &trial->b, &trial->own, &trial->theirs};
    for (int i = 0; i < 4; i++) {
        ls_status status = ls_cl_create(&device->base, bytes, buffers[i]);
        if (status == LS_OK && i < 2) {
            fill_with_numbers(trial->host[i], 1u + (uint32_t)i);
            status = ls_cl_write(&device->base, *buffers[i], 0, trial->host[i], bytes);
        }
        if (status != LS_OK)
            return status;
    }
    return LS_OK;
}

static ls_status compare(struct ls_cl_device *device, struct trial *trial,
                         const struct ls_gemm_args *args, bool *equal)
{
    struct ls_gemm_args ours = *args, theirs = *args;
    ours.c = trial->own;
    theirs.c = trial->theirs;
    size_t bytes = (size_t)(args->batch * args->m * args->n) * sizeof(float);
    ls_status status = ls_cl_gemm_own(device, &ours);
    if (status == LS_OK)
        status = ls_cl_gemm_clblast(device, &theirs);
    if (status == LS_OK)
        status = ls_cl_read(&device->base, trial->own, 0, trial->host[0], bytes);
    if (status == LS_OK)
        status = ls_cl_read(&device->base, trial->theirs, 0, trial->host[1], bytes);
    if (status == LS_OK && memcmp(trial->host[0], trial->host[1], bytes) != 0)
        *equal = false;
    return status;
}

/* Whether all bits are equal: every transposition, sizes at edges of tiles, the kernels for small and
 * for large products, one and several blocks of k, a batch. */
static ls_status compare_all(struct ls_cl_device *device, struct trial *trial, bool *equal)
{
    static const struct {
        int64_t batch, m, n, k;
    } sizes[] = {{1, 1, 1, 1},    {1, 7, 5, 3},       {1, 33, 65, 129},  {1, 64, 64, 64},
                 {3, 17, 19, 31}, {1, 40, 24, 1025}, {1, 5, 100, 2050}, {1, 512, 512, 512},
                 {1, 500, 510, 511}};
    *equal = true;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0] && *equal; i++)
        for (int transposed = 0; transposed < 4 && *equal; transposed++) {
            struct ls_gemm_args args = {.a = trial->a,
                                        .b = trial->b,
                                        .batch = sizes[i].batch,
                                        .m = sizes[i].m,
                                        .n = sizes[i].n,
                                        .k = sizes[i].k,
                                        .stride_a = sizes[i].m * sizes[i].k,
                                        .stride_b = sizes[i].k * sizes[i].n,
                                        .trans_a = (transposed & 1) != 0,
                                        .trans_b = (transposed & 2) != 0,
                                        .activation = LS_ROW_NONE};
            ls_status status = compare(device, trial, &args, equal);
            if (status != LS_OK)
                return status;
        }
    return LS_OK;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Seconds that a few products take. */
static ls_status measure(struct ls_cl_device *device, struct trial *trial,
                         ls_status (*gemm)(struct ls_cl_device *, const struct ls_gemm_args *),
                         double *seconds)
{
    struct ls_gemm_args large = {.a = trial->a, .b = trial->b, .c = trial->own, .batch = 1,
                                 .m = 512, .n = 512, .k = 512, .activation = LS_ROW_NONE};
    struct ls_gemm_args small = large;
    small.m = 128;
    small.n = 256;
    *seconds = 1e30;
    for (int run = 0; run < 4; run++) {
        ls_status status = LS_OK;
        double from = now();
        for (int i = 0; i < 4 && status == LS_OK; i++) {
            status = gemm(device, &large);
            if (status == LS_OK)
                status = gemm(device, &small);
        }
        if (status == LS_OK)
            status = device->base.backend->finish(&device->base);
        if (status != LS_OK)
            return status;
        double taken = now() - from;
        if (taken < *seconds)
            *seconds = taken;
    }
    return LS_OK;
}

/* Whether a trial would take a minute: on simulators, whose own kernel has to do. */
static ls_status find_slow(struct ls_cl_device *device, struct trial *trial, bool *slow)
{
    struct ls_gemm_args args = {.a = trial->a, .b = trial->b, .c = trial->own, .batch = 1,
                                .m = 32, .n = 32, .k = 32, .activation = LS_ROW_NONE};
    double seconds = 1e30; /* the least: the first run builds the kernel, and others may want the processor */
    for (int run = 0; run < 4; run++) {
        double from = now();
        ls_status status = ls_cl_gemm_own(device, &args);
        if (status == LS_OK)
            status = device->base.backend->finish(&device->base);
        if (status != LS_OK)
            return status;
        double taken = now() - from;
        if (taken < seconds)
            seconds = taken;
    }
    *slow = seconds > 0.005; /* oclgrind, which interprets, takes 0.03 */
    return LS_OK;
}

/* What a trial found; kept on disk. */
struct verdict {
    uint8_t equal, faster;
};

static ls_status try_clblast(struct ls_cl_device *device, const char *version, bool automatic,
                             struct verdict *verdict)
{
    uint64_t name = ls_cl_hash(device->identity, "gemm by CLBlast ", 16);
    name = ls_cl_hash(name, version, strlen(version));
    void *kept;
    size_t size;
    if (ls_cache_load(device->cache_folder, name, &kept, &size)) {
        bool usable = size == sizeof *verdict;
        if (usable)
            memcpy(verdict, kept, sizeof *verdict);
        free(kept);
        if (usable)
            return LS_OK;
    }

    struct trial trial;
    bool equal = false, slow = false;
    double own = 0.0, theirs = 0.0;
    ls_status status = start_trial(device, &trial);
    if (status == LS_OK && automatic)
        status = find_slow(device, &trial, &slow);
    if (status != LS_OK || slow) {
        finish_trial(device, &trial);
        return status;
    }
    status = compare_all(device, &trial, &equal);
    if (status == LS_OK)
        status = measure(device, &trial, ls_cl_gemm_own, &own);
    if (status == LS_OK)
        status = measure(device, &trial, ls_cl_gemm_clblast, &theirs);
    finish_trial(device, &trial);
    if (status != LS_OK)
        return status;
    *verdict = (struct verdict){.equal = equal, .faster = theirs < 0.95 * own};
    ls_cache_store(device->cache_folder, name, verdict, sizeof *verdict);
    return LS_OK;
}

/* Up to 1.6.2 the kernels with GEMMK=1, which the tuning database picks for some Intel, Apple and NVIDIA
 * devices, are wrong. Replaces the database's choice by one with GEMMK=0. */
static ls_status refuse_wrong_kernels(struct ls_cl_device *device, const char *version)
{
    int major = 0, minor = 0, patch = 0;
    sscanf(version, "%d.%d.%d", &major, &minor, &patch);
    if (device->wide || major * 10000 + minor * 100 + patch >= 10603)
        return LS_OK;
    static const char *names[] = {"GEMMK", "KREG", "KWG",  "KWI", "MDIMA", "MDIMC", "MWG", "NDIMB",
                                  "NDIMC", "NWG",  "SA",   "SB",  "STRM",  "STRN",  "VWM", "VWN"};
    static const size_t values[] = {0, 1, 32, 2, 16, 16, 64, 16, 16, 64, 1, 1, 0, 0, 2, 2};
    int code = ls_clblast.CLBlastOverrideParameters(device->id, "Xgemm", SINGLE, 16, names, values);
    return code == 0 ? LS_OK : ls_cl_failed(device, code, "CLBlastOverrideParameters");
}

ls_status ls_cl_gemm_decide(struct ls_cl_device *device)
{
    const char *wanted = ls_env("LOCKSTEP_GEMM"), *numerics = ls_env("LOCKSTEP_NUMERICS");
    char *message = device->base.message.text;
    size_t size = sizeof device->base.message.text;
    bool automatic = wanted == NULL || strcmp(wanted, "auto") == 0;
    bool fast = numerics != NULL && strcmp(numerics, "fast") == 0;
    if (!automatic && strcmp(wanted, "own") != 0 && strcmp(wanted, "clblast") != 0) {
        snprintf(message, size, "LOCKSTEP_GEMM is \"%s\"; it may be auto, own or clblast", wanted);
        return LS_INVALID_ARGUMENT;
    }
    /* On CPUs CLBlast was a tenth as fast as our own kernel, and building it takes seconds. */
    device->gemm = LS_CL_GEMM_OWN;
    if (automatic ? device->wide : strcmp(wanted, "own") == 0)
        return LS_OK;

    char version[16];
    struct verdict verdict = {0};
    if (!ls_clblast_load(&device->base.message, version)) {
        device->gemm = automatic ? LS_CL_GEMM_OWN : LS_CL_GEMM_UNDECIDED;
        return automatic ? LS_OK : LS_UNAVAILABLE;
    }
    ls_status status = refuse_wrong_kernels(device, version);
    if (status == LS_OK)
        status = try_clblast(device, version, automatic, &verdict);
    if (automatic && !device->base.lost) /* what does not work here is not used here */
        status = LS_OK;
    if (status == LS_OK && !automatic && !verdict.equal && !fast) {
        snprintf(message, size,
                 "the bits of CLBlast %s are not the canonical ones on this device; "
                 "LOCKSTEP_GEMM=own gives them, LOCKSTEP_NUMERICS=fast allows others",
                 version);
        status = LS_UNAVAILABLE;
    }
    if (status != LS_OK)
        device->gemm = LS_CL_GEMM_UNDECIDED;
    else if (!automatic || ((verdict.equal || fast) && verdict.faster))
        device->gemm = LS_CL_GEMM_CLBLAST;
    return status;
}
