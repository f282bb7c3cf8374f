/* SPDX-License-Identifier: Apache-2.0
 *
 * The Vulkan backend, inside. One compute queue per device; commands are recorded in batches;
 * pipelines are made lazily, one per variant, from SPIR-V that is embedded (the .comp files of shaders/) or, for
 * maps of several rows, compiled by libshaderc.
 *
 *     loader.c   the native libraries, and the text of their codes
 *     device.c   list, open, close, faults, and the table ls_vulkan_backend
 *     settings.c what the environment says
 *     probe.c    which fma, division and square root the device has
 *     memory.c   the allocator                  buffer.c  create, read, write, scratch memory
 *     batch.c    command buffers, barriers, submission, waiting
 *     program.c  pipelines: find, build, launch
 *     spirv.c    what the canonical arithmetic needs said in SPIR-V    spirv_prune.c  one variant of it
 *     map.c fuse.c reduce.c gemm.c conv.c move.c random.c order.c pool.c softmax.c digest.c   the
 *     primitives
 *
 * Functions return LS_OK or leave a sentence in device->base.message.
 */
#ifndef LOCKSTEP_VULKAN_H
#define LOCKSTEP_VULKAN_H

#define VK_NO_PROTOTYPES
#include <vulkan/vulkan_core.h>

#include <sys/types.h>

#include "backend.h"
#include "cache.h"
#include "spirv.h"
#include "tiles.h"

/* ---- Native functions: loader.c ---- */

/** The loader. All NULL until ls_vk_load succeeded. Tests replace single entries. */
struct ls_vk_functions {
#define VK(name) PFN_##name name;
#include "functions.def"
};
extern struct ls_vk_functions ls_vk;

/** libshaderc. All NULL until ls_shaderc_load succeeded. */
struct ls_shaderc_functions {
#define SHADERC(result, name, parameters) result(*name) parameters;
#include "functions.def"
};
extern struct ls_shaderc_functions ls_shaderc;

/** Opens the Vulkan loader once per process. On failure `message` says what to install. Any thread. */
bool ls_vk_load(struct ls_message *message);

/** Whether this is the process that started the driver, not a child that it forked; if not, says so. */
bool ls_vk_here(pid_t process, struct ls_message *message);

/** Opens libshaderc once per process. Any thread. */
bool ls_shaderc_load(void);

/** "VK_ERROR_DEVICE_LOST". Never NULL. */
const char *ls_vk_code_text(VkResult code);

/* ---- Memory: memory.c ---- */

/* A piece of one VkDeviceMemory, which one VkBuffer covers. */
struct ls_vk_block;
struct ls_vk_piece {
    struct ls_vk_block *block;
    VkDeviceSize offset, size;
};

/* What memory is for. */
enum ls_vk_use { LS_VK_STORAGE, LS_VK_STAGING, LS_VK_USES };

struct ls_vk_block {
    VkDeviceMemory memory;
    VkBuffer buffer;
    VkDeviceSize size;
    unsigned char *mapped; /* NULL where the host cannot see it */
    enum ls_vk_use use;
    struct ls_vk_gap {
        VkDeviceSize offset, size;
    } *gaps; /* what is free, by offset; never two that touch */
    size_t gap_count, gap_capacity;
    struct ls_vk_block *next;
};

/* ---- Device: device.c ---- */

enum {
    LS_VK_BATCHES = 4,
    LS_VK_BINDINGS = LS_MAP_INPUTS + LS_MAP_OUTPUTS,
    LS_VK_PUSH = 128, /* bytes of push constants that every device has */
    LS_VK_SCRATCH_PARTS = LS_MAP_ROWS + LS_MAP_INPUTS + 2, /* copies of a launch's parts; see ls_vk_part */
    LS_VK_SCRATCH = LS_VK_SCRATCH_PARTS + LS_VK_BINDINGS,
    LS_VK_ALIGNMENT = 256, /* the largest minStorageBufferOffsetAlignment that a device may have */
    LS_VK_DESCRIPTOR_POOLS = 16,
};

enum ls_vk_fma { LS_VK_FMA_NATIVE, LS_VK_FMA_DOUBLE, LS_VK_FMA_INTEGER, LS_VK_FMA_FORMS };

/* Commands that are submitted together. */
struct ls_vk_batch {
    VkCommandPool pool;
    VkCommandBuffer commands;
    VkFence fence;
    VkDescriptorPool sets[LS_VK_DESCRIPTOR_POOLS];
    int set_pools, set_pool; /* how many there are; the one in use */
    uint64_t serial;         /* of what it holds; 0: nothing */
    bool recording;
    int commands_count;
    struct ls_vk_piece *staging; /* that its copies read */
    size_t staging_count, staging_capacity;
    VkDeviceSize staged;
};

/* Memory that is given back once a batch is done. */
struct ls_vk_retired {
    struct ls_vk_piece piece;
    uint64_t serial;
};

struct ls_vk_device {
    struct ls_device base;
    pid_t process; /* who opened it: a forked child cannot use it */
    VkInstance instance;
    VkPhysicalDevice physical;
    VkDevice device;
    VkQueue queue;
    uint32_t family, api_version;
    VkPhysicalDeviceLimits limits;
    VkPhysicalDeviceMemoryProperties memory;
    VkDeviceSize largest_allocation;
    VkDeviceSize range; /* bytes that a binding spans at most; a multiple of 4 */
    int64_t rounds;     /* that the loops of a shader may take, all together; see ls_vk_probe */
    bool unified;       /* the host sees storage, at full speed */
    bool has_double;

    enum ls_vk_fma fma;
    bool few_results; /* of an item of a product: the driver makes no pipeline with more */
    bool native_division, native_root;
    struct ls_spirv_options spirv;

    uint64_t identity; /* hash of device, driver and library version: what blobs fit */
    char cache_folder[LS_CACHE_FOLDER];
    VkPipelineCache cache;
    bool cache_grew;

    VkDescriptorSetLayout set_layout[LS_VK_BINDINGS + 1]; /* by number of buffers; made when needed */
    VkPipelineLayout layout[LS_VK_BINDINGS + 1];
    struct ls_vk_pipeline **pipelines; /* open addressing; capacity a power of two */
    size_t pipeline_count, pipeline_capacity;

    struct ls_vk_block *blocks;
    struct ls_vk_retired *retired;
    size_t retired_count, retired_capacity;

    struct ls_vk_batch batch[LS_VK_BATCHES];
    int current;
    uint64_t serial;    /* of the batch that is or will be recorded: 1, 2, ... */
    uint64_t completed; /* all batches up to this one are done */
    uint64_t epoch;     /* one more at each barrier */

    struct ls_buffer *scratch[LS_VK_SCRATCH];
    struct ls_vk_piece readback;
    struct ls_buffer *faults; /* see shaders/fault.glsl */
    int fault_call; /* number of the last call that may fault, since faults was cleared */

    uint64_t patience; /* seconds that a batch may take; 0: any time */
    bool hung;         /* one took longer, and may still be at work: nothing may be destroyed */

    bool orders; /* puts barriers, but for a test of who notices */
    bool fuses;  /* maps of several rows become one pipeline */
    void *compiler, *compiler_options; /* of libshaderc */
    VkDeviceSize upload_limit;
    int batch_limit;
};

struct ls_vk_buffer {
    struct ls_buffer base;
    struct ls_vk_piece piece;
    uint64_t read_epoch, written_epoch; /* of the latest command that does so; 0: none */
    uint64_t used, written;             /* batches, likewise */
    /* Of a part: what it is a part of, and its rows there if they do not lie end to end. */
    struct ls_vk_buffer *whole;
    int64_t rows;
    VkDeviceSize row, pitch;
};

static inline struct ls_vk_device *ls_vk_device_of(struct ls_device *device)
{
    return (struct ls_vk_device *)device;
}

static inline struct ls_vk_buffer *ls_vk_buffer_of(struct ls_buffer *buffer)
{
    return (struct ls_vk_buffer *)buffer;
}

/** Notes "<call, printf-like>: VK_CODE (-4)" and returns the status that the code stands for. */
ls_status ls_vk_failed(struct ls_vk_device *device, VkResult code, const char *call, ...)
    __attribute__((format(printf, 3, 4)));

/** Whether the word is in LOCKSTEP_VULKAN_TEST, a list with commas; its value after "=", or "". */
const char *ls_vk_test_option(const char *word);

/** The seconds that a batch may take, 0 for any time: LOCKSTEP_TIMEOUT. */
uint64_t ls_vk_patience(void);

/** Refuses settings that are not understood, with a message that says which and what there is. */
ls_status ls_vk_check_settings(struct ls_message *message);

/** Finds out which fma, division and root are right and how long loops may be; sets device->fma and the rest; probe.c. */
ls_status ls_vk_probe(struct ls_vk_device *device);

/** Takes a piece of memory. Multiples of 256 bytes. Where there is none it waits for all that was recorded, which
 *  may hold some, and tries again. */
ls_status ls_vk_take(struct ls_vk_device *device, enum ls_vk_use use, VkDeviceSize size,
                     struct ls_vk_piece *piece);
void ls_vk_give(struct ls_vk_device *device, struct ls_vk_piece *piece);
void ls_vk_release_blocks(struct ls_vk_device *device);

/** Where the host sees a piece, or NULL. */
static inline unsigned char *ls_vk_mapped(const struct ls_vk_piece *piece)
{
    return piece->block->mapped == NULL ? NULL : piece->block->mapped + piece->offset;
}

/* ---- Buffers: buffer.c ---- */

ls_status ls_vk_create(struct ls_device *device, size_t bytes, struct ls_buffer **buffer);
void ls_vk_destroy(struct ls_device *device, struct ls_buffer *buffer);
ls_status ls_vk_write(struct ls_device *device, struct ls_buffer *buffer, size_t offset,
                      const void *data, size_t bytes);
ls_status ls_vk_read(struct ls_device *device, struct ls_buffer *buffer, size_t offset, void *data,
                     size_t bytes);

/**
 * Scratch memory number `index` of at least `bytes`. It belongs to the device, and one primitive
 * may use it from its first launch to its last: barriers keep the primitives apart.
 */
ls_status ls_vk_scratch(struct ls_vk_device *device, int index, size_t bytes,
                        struct ls_buffer **buffer);

/** Gives back the scratch memory of parts, between primitives: it may be as large as what they are parts of. */
void ls_vk_release_copies(struct ls_vk_device *device);

/* Tensors that are larger than a binding may span are computed in parts, which lie in memory where they are: one
 * primitive takes a part for a tensor of its own, as long as `part` lives. */

/** What begins at byte `offset` of a buffer, or of a part. NULL of NULL. */
struct ls_buffer *ls_vk_part(struct ls_vk_buffer *part, struct ls_buffer *buffer, int64_t offset);

/** `rows` rows of `row` bytes, `pitch` bytes apart, end to end. Has no parts itself. */
struct ls_buffer *ls_vk_box(struct ls_vk_buffer *part, struct ls_buffer *buffer, int64_t offset, int64_t rows,
                            int64_t row, int64_t pitch);

/** Whether a shader can bind n elements of `size` bytes at once, and count them. */
static inline bool ls_vk_fits(const struct ls_vk_device *device, int64_t n, int64_t size)
{
    return n <= INT32_MAX && (VkDeviceSize)(n * size) <= device->range;
}

/** How many words a shader can bind at once. */
static inline int64_t ls_vk_most(const struct ls_vk_device *device)
{
    return (int64_t)(device->range / 4);
}

/** Where to cut n > 1 in two: about in the middle, where the second half is aligned if that can be. */
static inline int64_t ls_vk_middle(int64_t n)
{
    int64_t middle = (n / 2 + LS_VK_ALIGNMENT - 1) / LS_VK_ALIGNMENT * LS_VK_ALIGNMENT;
    return middle < n ? middle : n / 2;
}

/** Releases the scratch memory, the staging memory and what was retired. */
void ls_vk_release_memory(struct ls_vk_device *device);

/* ---- Batches: batch.c ---- */

enum ls_vk_access { LS_VK_READ = 1, LS_VK_WRITE = 2 };

/** Makes the command pools. */
ls_status ls_vk_batches_init(struct ls_vk_device *device);
void ls_vk_batches_finish(struct ls_vk_device *device);

/** The batch to record into, begun if it was not. */
ls_status ls_vk_record(struct ls_vk_device *device, struct ls_vk_batch **batch);

/** Puts a barrier before the next command if it needs one, and notes what it will do. */
void ls_vk_order(struct ls_vk_device *device, struct ls_vk_batch *batch,
                 struct ls_vk_buffer *const *buffers, const unsigned *access, int count);

/** Counts a recorded command; submits a batch that is long. */
ls_status ls_vk_recorded(struct ls_vk_device *device, struct ls_vk_batch *batch);

/** Submits what is recorded. */
ls_status ls_vk_submit(struct ls_vk_device *device);

/** Waits for the batch with this number and those before it, submitting it first if need be. */
ls_status ls_vk_wait(struct ls_vk_device *device, uint64_t serial);

/** Waits for all that was recorded. */
ls_status ls_vk_wait_all(struct ls_vk_device *device);

/** Staging memory of the batch that is being recorded, free again once that is done. May submit what is recorded. */
ls_status ls_vk_stage(struct ls_vk_device *device, VkDeviceSize bytes, struct ls_vk_piece *piece);

/** Copies from place to place, in order with all else. A place is in a buffer, or in staging memory. */
struct ls_vk_place {
    struct ls_vk_buffer *buffer; /* or NULL */
    struct ls_vk_piece piece;
    VkDeviceSize offset;
};
ls_status ls_vk_copy(struct ls_vk_device *device, struct ls_vk_place from, struct ls_vk_place to,
                     VkDeviceSize bytes);
/** Likewise `rows` rows of `bytes` bytes, so many bytes apart. */
ls_status ls_vk_copy_rows(struct ls_vk_device *device, struct ls_vk_place from, VkDeviceSize from_pitch,
                          struct ls_vk_place to, VkDeviceSize to_pitch, int64_t rows, VkDeviceSize bytes);
static inline struct ls_vk_place ls_vk_in_buffer(struct ls_buffer *buffer, VkDeviceSize offset)
{
    return (struct ls_vk_place){ls_vk_buffer_of(buffer), ls_vk_buffer_of(buffer)->piece, offset};
}

/* ---- Pipelines: program.c ---- */

/* The embedded shaders: SHADER(name, whether it has arithmetic, and so one form for each fma). */
#define LS_VK_SHADERS(SHADER)                                                                      \
    SHADER(move, 0)                                                                                \
    SHADER(reduce, 0)                                                                              \
    SHADER(digest, 0)                                                                              \
    SHADER(map, 1)                                                                                 \
    SHADER(gemm, 1)                                                                                \
    SHADER(conv, 1)                                                                                \
    SHADER(order, 1)                                                                               \
    SHADER(pool, 1)                                                                                \
    SHADER(random, 1)                                                                              \
    SHADER(softmax, 1)                                                                             \
    SHADER(probe, 1)

enum ls_vk_shader {
#define SHADER(name, arithmetic) LS_VK_SHADER_##name,
    LS_VK_SHADERS(SHADER)
#undef SHADER
    LS_VK_FUSED, /* not embedded: the key is the program of a map */
};

/* What a pipeline is found by: the shader and its specialization constants, numbered from 0; or the
 * program of a fused map. */
struct ls_vk_key {
    uint8_t shader, form, count;
    uint32_t words[64];
};

struct ls_vk_pipeline {
    uint64_t hash;
    struct ls_vk_key key;
    VkPipeline pipeline;
    int buffers;
    const char *name; /* for messages */
};

static inline struct ls_vk_key ls_vk_key_of(enum ls_vk_shader shader)
{
    return (struct ls_vk_key){.shader = (uint8_t)shader};
}
static inline void ls_vk_key_add(struct ls_vk_key *key, uint32_t word)
{
    key->words[key->count++] = word;
}

/** The pipeline with this key, or NULL if it was not made yet. */
const struct ls_vk_pipeline *ls_vk_find(struct ls_vk_device *device, const struct ls_vk_key *key);

/** Finds or makes the pipeline of an embedded shader, which binds `buffers` buffers. */
ls_status ls_vk_pipeline(struct ls_vk_device *device, const char *name, const struct ls_vk_key *key,
                         int buffers, const struct ls_vk_pipeline **pipeline);

/** Makes a pipeline from SPIR-V and adds it under `key`. Constants are those of the key unless it is fused. */
ls_status ls_vk_build(struct ls_vk_device *device, const char *name, const struct ls_vk_key *key,
                      const uint32_t *words, size_t count, int buffers,
                      const struct ls_vk_pipeline **pipeline);

void ls_vk_release_pipelines(struct ls_vk_device *device);

/** The pipeline cache, from disk where there is one that fits; and back to it. */
ls_status ls_vk_cache_open(struct ls_vk_device *device);
void ls_vk_cache_close(struct ls_vk_device *device);

/** A launch being put together: begin, bind the buffers in order, push words, run. */
struct ls_vk_launch {
    struct ls_vk_device *device;
    const struct ls_vk_pipeline *pipeline;
    struct ls_vk_buffer *buffer[LS_VK_BINDINGS];
    VkDeviceSize bytes[LS_VK_BINDINGS];
    unsigned access[LS_VK_BINDINGS];
    int count;
    uint32_t push[LS_VK_PUSH / 4];
    int pushed;
    ls_status status;
};

static inline struct ls_vk_launch ls_vk_begin(struct ls_vk_device *device,
                                              const struct ls_vk_pipeline *pipeline)
{
    return (struct ls_vk_launch){.device = device, .pipeline = pipeline, .status = LS_OK};
}

/** Binds the first `bytes` of a buffer. NULL is what the shader does not look at. A part that cannot be bound where it
 * lies, because of the device's alignment, or since its rows are apart, is bound as a copy. */
void ls_vk_bind(struct ls_vk_launch *launch, struct ls_buffer *buffer, int64_t bytes, unsigned access);

/** Pushes a number, or remembers that it does not fit 31 bits. */
void ls_vk_push(struct ls_vk_launch *launch, int64_t value);
static inline void ls_vk_push_bits(struct ls_vk_launch *launch, uint32_t value)
{
    launch->push[launch->pushed++] = value;
}

/** Queues `groups` groups; shaders find their number as ls_group() of kernel.glsl says. */
ls_status ls_vk_run(struct ls_vk_launch *launch, int64_t groups);

/* Where loops may take so many rounds (device->rounds), long walks take several launches: of so many elements that are
 * one round each, or so much of a product's k, with loops inside. Multiples of LS_CHAIN_BLOCK. */
static inline int64_t ls_vk_walk_part(const struct ls_vk_device *device)
{
    return device->rounds / 2 / LS_CHAIN_BLOCK * LS_CHAIN_BLOCK;
}
static inline int64_t ls_vk_chain_part(const struct ls_vk_device *device)
{
    return device->rounds / 15 / LS_CHAIN_BLOCK * LS_CHAIN_BLOCK;
}
/** Queues a launch for each `part` of [start, end), one at least; pushes its start and its end behind what was pushed. */
ls_status ls_vk_run_parts(struct ls_vk_launch *launch, int64_t groups, int64_t start, int64_t end, int64_t part);

/** As many groups of `size` as `items` need. */
static inline int64_t ls_vk_groups(int64_t items, int64_t size)
{
    return (items + size - 1) / size;
}

/* ---- Primitives ---- */

#define PRIM(name, need, meaning)                                                                  \
    ls_status ls_vk_##name(struct ls_device *device, const struct ls_##name##_args *args);
#include "prims.def"
#undef PRIM

/** Fills whole words; move.c. */
ls_status ls_vk_fill_words(struct ls_vk_device *device, struct ls_buffer *dst, VkDeviceSize offset,
                           VkDeviceSize bytes, uint32_t word);

/** Runs a row on n floats in place: what gemm and conv end with. LS_ROW_NONE does nothing; map.c. */
ls_status ls_vk_activate(struct ls_vk_device *device, unsigned row, struct ls_buffer *buffer, int64_t n);

/** What LOCKSTEP_TILE and ls_vk_tile choose from; gemm.c. */
struct ls_tile_limits ls_vk_tile_limits(const struct ls_vk_device *device);

/** Chooses the tile for `batch` products (m, n), adds tile.glsl's constants from 4 on to the key, and returns how many
 * groups it takes; gemm.c. */
int64_t ls_vk_tile(const struct ls_vk_device *device, int64_t m, int64_t n, int64_t batch, struct ls_vk_key *key);

/** Whether another tile is to be tried, since the driver did not make a pipeline for the one that was chosen: once for
 * a device, which then has tiles of few results only; gemm.c. */
bool ls_vk_try_smaller(struct ls_vk_device *device, ls_status status);

/** Pushes in, out, size, stride, dilation and before; conv.c. */
void ls_vk_push_window(struct ls_vk_launch *launch, const struct ls_window *window);

/** Tries the map as one pipeline; fuse.c. LS_UNSUPPORTED where it cannot be. */
ls_status ls_vk_map_fused(struct ls_vk_device *device, const struct ls_map_args *args);

/** The step from element to element of a strided operand if it is the same everywhere, 0 or 1; else -1; map.c. */
int64_t ls_vk_step(int rank, const int64_t *extent, const int64_t *strides);

/** Elements that a strided operand is read from; its strides are not negative; map.c. */
int64_t ls_vk_reach(int rank, const int64_t *extent, const int64_t *strides);

/** Whether there is a compiler to fuse with; opens it the first time. */
bool ls_vk_has_compiler(struct ls_vk_device *device);
void ls_vk_release_compiler(struct ls_vk_device *device);

/* A row of lib/ops/elementwise.def. Arguments: F float, I int, W either. */
struct ls_vk_row {
    const char *name, *formula, *arguments;
    char result;
    int line; /* its case in the switch */
};
extern const struct ls_vk_row ls_vk_rows[LS_ROW_COUNT];

/* How elements are stored, as map.comp knows it. */
enum ls_vk_kind { LS_VK_WORD, LS_VK_BYTE, LS_VK_BOOL, LS_VK_HALF };
static inline enum ls_vk_kind ls_vk_kind_of(ls_dtype dtype)
{
    return dtype == LS_BOOL    ? LS_VK_BOOL
           : dtype == LS_UINT8 ? LS_VK_BYTE
           : dtype == LS_FLOAT16 || dtype == LS_BFLOAT16 ? LS_VK_HALF
                                                         : LS_VK_WORD;
}

/** The number that a launch which may fault passes to its shader, and the buffer. */
static inline void ls_vk_bind_faults(struct ls_vk_launch *launch)
{
    ls_vk_bind(launch, launch->device->faults, 1024, LS_VK_READ | LS_VK_WRITE);
}
static inline int ls_vk_next_fault_call(struct ls_vk_device *device)
{
    return ++device->fault_call;
}

/* ---- Embedded texts of shaders/, made by scripts/embed.py: what fused maps are made of ---- */

extern const char ls_vk_file_prelude_glsl[], ls_vk_file_canon[], ls_vk_file_canon_exp[],
    ls_vk_file_canon_trig[], ls_vk_file_canon_special[], ls_vk_file_kernel[];

extern const struct ls_backend ls_vulkan_backend;

#endif
