/* SPDX-License-Identifier: Apache-2.0
 *
 * The OpenCL backend, inside. One in-order queue per device; kernels are built lazily, one program
 * per variant, and kept in one table in memory and as binaries on disk.
 *
 *     loader.c   the native libraries, and the text of their codes
 *     device.c   list, open, close, finish, faults, and the table ls_opencl_backend
 *     buffer.c   memory, uploads that do not wait, scratch memory
 *     program.c  kernels: find, build, launch
 *     map.c reduce.c gemm.c clblast.c move.c random.c softmax.c conv.c pool.c
 *     order.c digest.c                             the primitives
 *
 * Functions return LS_OK or leave a sentence in device->base.message.
 */
#ifndef LOCKSTEP_OPENCL_H
#define LOCKSTEP_OPENCL_H

#define CL_TARGET_OPENCL_VERSION 120
#include <sys/types.h>

#include <CL/cl.h>

#include "backend.h"
#include "cache.h"

/* ---- Native functions: loader.c ---- */

/** libOpenCL. All NULL until ls_cl_load succeeded. Tests replace single entries. */
struct ls_cl_functions {
#define CL(name) __typeof__(name) *name;
#include "functions.def"
};
extern struct ls_cl_functions ls_cl;

/** libclblast. All NULL until ls_clblast_load succeeded. */
struct ls_clblast_functions {
#define CLBLAST(result, name, parameters) result(*name) parameters;
#include "functions.def"
};
extern struct ls_clblast_functions ls_clblast;

/** Opens libOpenCL once per process. On failure `message` says what to install. Any thread. */
bool ls_cl_load(struct ls_message *message);
/** Whether this is the process that started the driver, not a child that it forked; if not, says so. */
bool ls_cl_here(pid_t process, struct ls_message *message);

/** Opens libclblast once per process. `version` gets "1.5.3", or "" if it cannot be told. */
bool ls_clblast_load(struct ls_message *message, char version[16]);

/** "CL_OUT_OF_RESOURCES", or for CLBlast's own codes its text. Never NULL. */
const char *ls_cl_code_text(cl_int code);

/* ---- Device: device.c ---- */

/* One upload on its way: the host copy that the device reads, free again once `done` is. */
struct ls_cl_upload {
    void *memory;
    size_t capacity;
    cl_event done;
};

enum { LS_CL_UPLOADS = 16, LS_CL_SCRATCH = 2 };

/* Which matrix product runs: gemm.c decides at the first one. */
enum ls_cl_gemm { LS_CL_GEMM_UNDECIDED, LS_CL_GEMM_OWN, LS_CL_GEMM_CLBLAST };

struct ls_cl_device {
    struct ls_device base;
    pid_t process; /* that opened it */
    cl_device_id id;
    cl_context context;
    cl_command_queue queue;

    /* Kernels come in two forms: `wide`, where one work-item computes with float16 vectors and
     * groups have one item (CPUs), and one with groups of 64 or more items and local memory. */
    bool wide;
    size_t max_group;
    cl_ulong local_memory;
    bool fast_fma; /* else it is dozens of instructions */
    char options[256]; /* of every program */
    uint64_t identity; /* hash of device, driver, options and library version: what binaries fit */
    char cache_folder[LS_CACHE_FOLDER]; /* "" if there is none */

    struct ls_cl_kernel **kernels; /* open addressing; capacity a power of two */
    size_t kernel_count, kernel_capacity;

    struct ls_cl_upload uploads[LS_CL_UPLOADS];
    unsigned next_upload;
    struct ls_buffer *scratch[LS_CL_SCRATCH];
    unsigned launches; /* since the last flush */

    cl_mem faults; /* see shaders/fault.cl */
    cl_int fault_call; /* number of the last call that may fault, since faults was cleared */

    enum ls_cl_gemm gemm;
};

struct ls_cl_buffer {
    struct ls_buffer base;
    cl_mem memory;
};

static inline struct ls_cl_device *ls_cl_device_of(struct ls_device *device)
{
    return (struct ls_cl_device *)device;
}

static inline cl_mem ls_cl_memory(const struct ls_buffer *buffer)
{
    return ((const struct ls_cl_buffer *)buffer)->memory;
}

/** Notes "<call, printf-like>: CL_CODE (-5)" and returns the status that the code stands for. */
ls_status ls_cl_failed(struct ls_cl_device *device, cl_int code, const char *call, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- Memory: buffer.c ---- */

ls_status ls_cl_create(struct ls_device *device, size_t bytes, struct ls_buffer **buffer);
void ls_cl_destroy(struct ls_device *device, struct ls_buffer *buffer);
ls_status ls_cl_write(struct ls_device *device, struct ls_buffer *buffer, size_t offset,
                      const void *data, size_t bytes);
ls_status ls_cl_read(struct ls_device *device, struct ls_buffer *buffer, size_t offset, void *data,
                     size_t bytes);

/**
 * Scratch memory number `index` of at least `bytes`. It belongs to the device, and one primitive
 * may use it from its first launch to its last: the queue keeps the primitives apart.
 */
ls_status ls_cl_scratch(struct ls_cl_device *device, int index, size_t bytes,
                        struct ls_buffer **buffer);

/** Waits for the uploads and releases them and the scratch memory. */
void ls_cl_release_memory(struct ls_cl_device *device);

/* ---- Kernels: program.c ---- */

/* What a kernel is found by: the primitive, its variant, a map's program and types. */
struct ls_cl_key {
    unsigned size;
    unsigned char bytes[188];
};

/* A first byte of keys. */
enum ls_cl_family { LS_CL_MAP = 1, LS_CL_REDUCE, LS_CL_GEMM, LS_CL_MOVE, LS_CL_RANDOM,
                    LS_CL_SOFTMAX, LS_CL_CONV, LS_CL_POOL, LS_CL_ORDER,
                    LS_CL_DIGEST };

static inline void ls_cl_key_add(struct ls_cl_key *key, unsigned value)
{
    key->bytes[key->size++] = (unsigned char)value;
}

struct ls_cl_kernel {
    uint64_t hash;
    struct ls_cl_key key;
    cl_program program;
    cl_kernel kernel;
    const char *primitive; /* for messages */
    uint64_t name;   /* of its binary in the cache on disk */
    bool not_kept;   /* its binary is not there yet */
};

/** Text that grows. After a failed allocation it stays empty and `failed` is set. */
struct ls_cl_text {
    char *data;
    size_t size, capacity;
    bool failed;
};
void ls_cl_add(struct ls_cl_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Parts of a kernel's source that not all need: the elementary functions, in order; fault.cl; and
 * whether the functions are those of vectors (wide_begin.cl). */
enum { LS_CL_EXP = 1, LS_CL_TRIG = 2, LS_CL_SPECIAL = 4, LS_CL_FAULT = 8, LS_CL_WIDE = 16 };

/* What a kernel is built from. */
struct ls_cl_source {
    const char *primitive, *entry;   /* its name in messages, and in the file */
    const char *file;                /* embedded text */
    unsigned parts;
    struct ls_cl_text functions;     /* generated: rows; and what the file is specialised by */
    struct ls_cl_text text;
};

/** The kernel with this key, or NULL if it was not built yet. */
const struct ls_cl_kernel *ls_cl_find(struct ls_cl_device *device, const struct ls_cl_key *key);

/** Builds a kernel and adds it under `key`. Releases the generated texts. */
ls_status ls_cl_build(struct ls_cl_device *device, const struct ls_cl_key *key,
                      struct ls_cl_source *source, const struct ls_cl_kernel **kernel);

/** Keeps the binaries that are not on disk yet, and releases all kernels. */
void ls_cl_release_kernels(struct ls_cl_device *device);

/** A launch being put together: begin, pass the arguments in order, run. Errors are remembered. */
struct ls_cl_launch {
    struct ls_cl_device *device;
    const struct ls_cl_kernel *kernel;
    cl_uint arguments;
    cl_int code;
};

static inline struct ls_cl_launch ls_cl_begin(struct ls_cl_device *device,
                                              const struct ls_cl_kernel *kernel)
{
    return (struct ls_cl_launch){.device = device, .kernel = kernel};
}

void ls_cl_pass(struct ls_cl_launch *launch, size_t size, const void *value);
static inline void ls_cl_pass_buffer(struct ls_cl_launch *launch, const struct ls_buffer *buffer)
{
    cl_mem memory = ls_cl_memory(buffer);
    ls_cl_pass(launch, sizeof memory, &memory);
}
static inline void ls_cl_pass_int(struct ls_cl_launch *launch, cl_int value)
{
    ls_cl_pass(launch, sizeof value, &value);
}
static inline void ls_cl_pass_long(struct ls_cl_launch *launch, cl_long value)
{
    ls_cl_pass(launch, sizeof value, &value);
}

/** Queues the launch: `groups` groups of `local` items in each dimension. */
ls_status ls_cl_run(struct ls_cl_launch *launch, cl_uint dimensions, const size_t groups[3],
                    const size_t local[3]);

/** Counts a queued command, and now and then tells the driver to start what is queued. */
ls_status ls_cl_queued(struct ls_cl_device *device);

/** Passes one number per dimension as int8, or as long8 where `large`: strides. */
void ls_cl_pass_dimensions(struct ls_cl_launch *launch, const int64_t *values, int rank, bool large);

/** Passes extents the same way; where not `large` also what ls_quotient of index.cl divides by. */
void ls_cl_pass_extents(struct ls_cl_launch *launch, const int64_t *extents, int rank, bool large);

/** FNV-1a, for keys and file names. Start with `hash` = LS_CL_HASH_START. */
#define LS_CL_HASH_START 0xcbf29ce484222325u
uint64_t ls_cl_hash(uint64_t hash, const void *data, size_t size);

/* ---- Primitives ---- */

#define PRIM(name, need, meaning)                                                                  \
    ls_status ls_cl_##name(struct ls_device *device, const struct ls_##name##_args *args);
#include "prims.def"
#undef PRIM

/** Adds `LS_FN float row_relu(float a) {...}` and the parts it needs; map.c. A row's name. */
void ls_cl_add_row(struct ls_cl_source *source, unsigned row);
const char *ls_cl_row_name(unsigned row);

struct ls_tile;
/** The tile for `batch` products (m, n) where groups share tiles, and what gemm.cl is told of it; gemm.c. */
const struct ls_tile *ls_cl_tile(const struct ls_cl_device *device, int64_t m, int64_t n, int64_t batch);
void ls_cl_add_tile(struct ls_cl_source *source, const struct ls_tile *tile);
/** Refuses a LOCKSTEP_TILE that the device cannot have; gemm.c. */
ls_status ls_cl_check_tile(struct ls_cl_device *device);

/** The canonical product by our own kernels; gemm.c. Its bits are the definition for CLBlast. */
ls_status ls_cl_gemm_own(struct ls_cl_device *device, const struct ls_gemm_args *args);

/** The product by CLBlast, block by block; clblast.c. */
ls_status ls_cl_gemm_clblast(struct ls_cl_device *device, const struct ls_gemm_args *args);

/**
 * Decides from LOCKSTEP_GEMM and LOCKSTEP_NUMERICS, and where it may be CLBlast by its bits and
 * speed, which product this device runs. Sets device->gemm.
 */
ls_status ls_cl_gemm_decide(struct ls_cl_device *device);

/** The number that a launch which may fault passes to its kernel. */
static inline cl_int ls_cl_next_fault_call(struct ls_cl_device *device)
{
    return ++device->fault_call;
}

/* ---- Embedded files of shaders/, made by scripts/embed.py ---- */

extern const char ls_cl_file_prelude_cl[], ls_cl_file_wide_begin[], ls_cl_file_wide_end[],
    ls_cl_file_canon[], ls_cl_file_canon_exp[], ls_cl_file_canon_trig[],
    ls_cl_file_canon_special[], ls_cl_file_index[], ls_cl_file_fault[], ls_cl_file_map[],
    ls_cl_file_reduce[], ls_cl_file_gemm[], ls_cl_file_move[], ls_cl_file_random[],
    ls_cl_file_softmax[], ls_cl_file_conv[], ls_cl_file_pool[], ls_cl_file_order[],
    ls_cl_file_digest[];

extern const struct ls_backend ls_opencl_backend;

#endif
