/* SPDX-License-Identifier: Apache-2.0
 *
 * What a backend is: a table of functions. lib/core/dispatch.c is the only caller of the primitive
 * slots; it has validated every argument struct, so that backends contain no checks, only
 * arithmetic. All arrays are dense and row-major unless strides are given; sizes count elements,
 * never bytes, and may be zero only where said (dispatch does not call a slot for an empty output).
 *
 * A device is used by one thread at a time. Slots are asynchronous where the device is: they return
 * once the work is queued, in order; `read` waits. What a slot computes follows canon.md to the bit.
 */
#ifndef LOCKSTEP_CORE_BACKEND_H
#define LOCKSTEP_CORE_BACKEND_H

#include <lockstep/tensor.h>

struct ls_device;

/** Device memory. Backends embed this as the first member of a struct of their own. */
struct ls_buffer {
    size_t bytes;              /* usable size; allocated a multiple of 64 */
    struct ls_storage *owner;  /* core's: who holds it; NULL while pooled */
    struct ls_buffer *next;    /* core's: the next one in its pool */
};

enum {
    LS_MAP_INPUTS = 8,
    LS_MAP_OUTPUTS = 4,
    LS_MAP_ROWS = 16,
    LS_MAP_IMMEDIATES = 8,
    LS_REGISTER_IMMEDIATE = LS_MAP_INPUTS,                          /* first immediate */
    LS_REGISTER_ROW = LS_REGISTER_IMMEDIATE + LS_MAP_IMMEDIATES,    /* result of row 0 */
    LS_CHAIN_BLOCK = 1024,   /* canon rules 6 and 8 */
    LS_REDUCE_BLOCK = 4096,  /* canon rule 9 */
    LS_REDUCE_LANES = 64,    /* canon rule 9 */
};

/* The rows of lib/ops/elementwise.def, numbered: LS_ROW_add, ... */
enum ls_row {
#define ROW(name) LS_ROW_##name,
#include "elementwise_names.h"
#undef ROW
    LS_ROW_COUNT,
    LS_ROW_NONE = LS_ROW_COUNT /* where a row is optional, such as an epilogue */
};

/* fill: dst[i] = value + i * step for 0 <= i < n. value is a bit pattern of dtype (for one-byte types
 * its low byte, for 16-bit ones its low half); step is 0 except for int32, where the sum is modulo 2^32. */
struct ls_fill_args {
    struct ls_buffer *dst;
    ls_dtype dtype;
    uint32_t value, step;
    int64_t n;
};

/* copy_nd: dst[dst_offset + sum i_d*dst_stride_d] = src[src_offset + sum i_d*src_stride_d] for all
 * 0 <= i_d < extent_d. Element units; strides may be zero (src only) or negative. rank >= 1 and the
 * dimensions are already collapsed. src and dst are different buffers. */
struct ls_copy_nd_args {
    struct ls_buffer *src, *dst;
    ls_dtype dtype;
    int rank;
    int64_t extent[LS_MAX_RANK];
    int64_t src_offset, dst_offset;
    int64_t src_stride[LS_MAX_RANK], dst_stride[LS_MAX_RANK];
};

/* map: for every index of `extent`, load the inputs, run the rows, store the outputs.
 *
 * Registers are 32-bit words: 0..7 the inputs, 8..15 the immediates, 16+i the result of row i. A
 * register holds a float's bits or an int. Loading uint8 gives its value as an int, bool 0 or 1,
 * float16 and bfloat16 their 16 bits as an int; storing an int to uint8 keeps the low 8 bits, to bool
 * (v != 0), to float16 and bfloat16 the low 16 bits. Rows are numbered by enum ls_row
 * and say in elementwise.def which arguments are float and which int; dispatch has checked that.
 * Inputs have strides in elements, 0 where broadcast; outputs are dense. rank >= 1; dimensions are
 * collapsed as far as all inputs allow, so rank 1 with strides 0 or 1 is the common case. An output
 * may be the same buffer as an input of the same dtype that is read densely (in-place update); it
 * is then never read by a broadcast input. */
struct ls_map_row {
    uint16_t op;     /* enum ls_row */
    uint8_t arg[3];  /* registers */
};
struct ls_map_input {
    struct ls_buffer *buffer;
    ls_dtype dtype;
    int64_t stride[LS_MAX_RANK];
};
struct ls_map_output {
    struct ls_buffer *buffer;
    ls_dtype dtype;
    uint8_t source; /* register */
};
struct ls_map_args {
    uint8_t rows, inputs, outputs, immediates;
    int rank;
    int64_t n; /* product of extent, >= 1 */
    int64_t extent[LS_MAX_RANK];
    struct ls_map_row row[LS_MAP_ROWS];
    uint32_t immediate[LS_MAP_IMMEDIATES];
    struct ls_map_input input[LS_MAP_INPUTS];
    struct ls_map_output output[LS_MAP_OUTPUTS];
};

/* reduce: src (outer, r, inner) -> dst (outer, inner). dtype float32, or int32 for sum, prod, max and
 * min (modulo 2^32). argmax and argmin of float32 give int32 positions; the first one wins.
 * Sums: inner == 1 follows canon rule 9 (REDUCE), inner > 1 rule 8 (chain of adds in blocks). prod
 * is the same with * and 1. Max and min: `x > best ? x : best` from the first element on. r >= 1, but
 * sum and prod allow r == 0 (giving 0 and 1). */
enum ls_reduce_op { LS_REDUCE_SUM, LS_REDUCE_PROD, LS_REDUCE_MAX, LS_REDUCE_MIN, LS_REDUCE_ARGMAX,
                    LS_REDUCE_ARGMIN };
struct ls_reduce_args {
    enum ls_reduce_op op;
    ls_dtype dtype; /* of src */
    struct ls_buffer *src, *dst;
    int64_t outer, r, inner;
};

/* gemm: for each batch index i: C_i = act(op(A_i) op(B_i) + bias), float32.
 * op(A) is (m, k), op(B) is (k, n), C is (m, n). A_i is stored (m, k), or (k, m) if trans_a; B_i is
 * stored (k, n), or (n, k) if trans_b. Each output is one CHAIN over k (canon rule 6); k == 0 gives
 * +0. Then one rounded add of bias[n] if bias is not NULL, then the float -> float row `activation`
 * unless LS_ROW_NONE. stride_a, stride_b: elements from one batch index to the next, 0 if shared. C
 * is dense. C overlaps neither input. */
struct ls_gemm_args {
    struct ls_buffer *a, *b, *c, *bias;
    int64_t batch, m, n, k;
    int64_t stride_a, stride_b;
    bool trans_a, trans_b;
    uint16_t activation; /* enum ls_row */
};

/* Windows that slide over up to three dimensions: output position o and window position j meet at input
 * position i = o * stride - before + j * dilation, which may lie outside [0, in). Dimensions that are
 * not used have size 1, and so have all sizes. Images are (batch, in[0], in[1], in[2], channels). */
enum { LS_SPATIAL = 3 };
struct ls_window {
    int64_t batch;
    int64_t in[LS_SPATIAL], out[LS_SPATIAL], size[LS_SPATIAL];
    int64_t stride[LS_SPATIAL], dilation[LS_SPATIAL], before[LS_SPATIAL];
};

/* conv: with input (batch, in..., groups * channels), kernel (size..., channels, groups * filters) and
 * output (batch, out..., groups * filters), float32, one of the three is computed from the other two:
 *     FORWARD  output[n, o, g f] = sum over (j, c) of input[n, i, g c] kernel[j, c, g f]
 *     INPUT    input[n, i, g c]  = sum over (j, f) of output[n, o, g f] kernel[j, c, g f]
 *     KERNEL   kernel[j, c, g f] = sum over (n, o) of input[n, i, g c] output[n, o, g f]
 * where i, o and j meet. Each sum is one CHAIN (canon rules 6 and 7) in the order named, the last index
 * fastest; where no i or o meets, the factor is +0. No terms give +0. FORWARD and INPUT then add
 * bias[channel of the result] if bias is not NULL and apply `activation` as gemm does. */
enum ls_conv_pass { LS_CONV_FORWARD, LS_CONV_INPUT, LS_CONV_KERNEL };
struct ls_conv_args {
    enum ls_conv_pass pass;
    struct ls_window window;
    int64_t groups, channels, filters;
    struct ls_buffer *input, *kernel, *output, *bias;
    uint16_t activation; /* enum ls_row */
};

/* pool: src, dst float32 images with `channels`; window positions outside the input do not take part,
 * and every window has one inside. positions (batch, out..., channels) int32 are row-major in `size`.
 *     MAX             input -> output: `x > best ? x : best` from the first on; where positions is not
 *                     NULL, that of the best is written
 *     AVERAGE         input -> output: plain adds from +0 with j ascending, divided by their count
 *     TAKE            input -> output: what lies at the window's position in positions
 *     SPREAD_MAX      output -> input: plain adds from +0 with o ascending of the outputs whose
 *                     positions name this input
 *     SPREAD_AVERAGE  output -> input: plain adds from +0 with o ascending of output / count */
enum ls_pool_op { LS_POOL_MAX, LS_POOL_AVERAGE, LS_POOL_TAKE, LS_POOL_SPREAD_MAX, LS_POOL_SPREAD_AVERAGE };
struct ls_pool_args {
    enum ls_pool_op op;
    struct ls_window window;
    int64_t channels;
    struct ls_buffer *src, *dst, *positions;
};

/* gather: table (outer, rows, inner), indices (count) int32 -> dst (outer, count, inner), any dtype.
 * An index outside [0, rows) writes zeros and notes a fault (see `fault`). */
struct ls_gather_args {
    struct ls_buffer *table, *indices, *dst;
    ls_dtype dtype;
    int64_t outer, rows, inner, count;
};

/* scatter_add: dst (outer, rows, inner) += updates (outer, count, inner), float32: for every dst
 * element, the updates of its row are added one by one in ascending position. In place. An index
 * outside [0, rows) adds nothing and notes a fault. */
struct ls_scatter_add_args {
    struct ls_buffer *dst, *indices, *updates;
    int64_t outer, rows, inner, count;
};

/* scan: over the middle of (outer, r, inner), one element after the other in ascending order (in
 * descending order if `reverse`), with a state s per (outer, inner):
 *     factor and addend   s = fma(factor_i, s, addend_i) from +0   (float32 only)
 *     factor alone        s = s * factor_i from 1
 *     addend alone        s = s + addend_i from +0
 * dst_i is s after the step, or before it if `exclusive`. int32 is modulo 2^32. r >= 1. */
struct ls_scan_args {
    ls_dtype dtype;
    struct ls_buffer *factor, *addend, *dst; /* factor or addend may be NULL */
    int64_t outer, r, inner;
    bool reverse, exclusive;
};

/* sort: src (outer, r) float32 or int32 -> dst (outer, r) int32, the positions of each row's elements
 * in ascending (descending) order; equal elements in ascending position. -0 equals +0, and NaNs are
 * equal to each other and last in both orders. r >= 1, r < 2^31. */
struct ls_sort_args {
    ls_dtype dtype;
    struct ls_buffer *src, *dst;
    int64_t outer, r;
    bool descending;
};

/* random: dst[i] for 0 <= i < n from Philox4x32-10 with counter (i / 4, stream, step, 0), key = seed
 * (low word, high word): word i % 4 of the result. `step` is read from an int32 buffer of one element
 * (so that a captured step draws anew each time). Kinds: UNIFORM canon_uniform(word) in [0, 1);
 * NORMAL the i % 4th of canon_normal4; BITS the word itself as int32. */
enum ls_random_kind { LS_RANDOM_UNIFORM, LS_RANDOM_NORMAL, LS_RANDOM_BITS };
struct ls_random_args {
    enum ls_random_kind kind;
    struct ls_buffer *dst, *step;
    uint64_t seed;
    uint32_t stream;
    int64_t n;
};

/* digest: for each input, a 64-bit digest of its n elements in two words: dst[at + 2 i] and
 * dst[at + 2 i + 1] of int32, in the order of the inputs. Canon rule 29: blocks of LS_DIGEST_BLOCK
 * elements. An element's word is its bits, widened by zeros, -0 of a float type as +0. In a block, pairs
 * (2j, 2j + 1) are joined: s = the sum modulo 2^64 of (word_2j ^ key_2j) * (word_2j+1 ^ key_2j+1), each a
 * 32-bit factor, with key_i = canon_digest_key(i) for the place i in the block and the word 0 for the
 * second of a pair that n cuts. The words are the sums modulo 2^32, over the blocks, of
 * canon_digest_join(low s, high s, number of the block). Sums, so that any order gives them; n may be 0. */
enum { LS_DIGEST_INPUTS = 16, LS_DIGEST_BLOCK = 2048 };
struct ls_digest_input {
    struct ls_buffer *buffer;
    ls_dtype dtype;
    int64_t n;
};
struct ls_digest_args {
    int inputs;
    struct ls_digest_input input[LS_DIGEST_INPUTS];
    struct ls_buffer *dst;
    int64_t at;
};

/* softmax: src, dst (outer, r) float32, r >= 1, over r: m = max x; e = canon_exp(x - m); s = REDUCE sum
 * of e; e / s, or for log: (x - m) - canon_log(s). The same bits as that composition. */
struct ls_softmax_args {
    struct ls_buffer *src, *dst;
    int64_t outer, r;
    bool log;
};

/* sparse_xent: logits (outer, r) float32, labels (outer) int32 -> loss (outer) = canon_log(s) - (x_label - m)
 * with m and s as in softmax; probabilities (outer, r) = softmax, unless NULL. A label outside
 * [0, r) gives loss 0 and notes a fault. */
struct ls_sparse_xent_args {
    struct ls_buffer *logits, *labels, *loss, *probabilities;
    int64_t outer, r;
};

/** The first index fault that kernels noted since it was last asked for. */
struct ls_fault {
    bool set;
    enum ls_fault_kind { LS_FAULT_GATHER, LS_FAULT_SCATTER_ADD, LS_FAULT_SPARSE_XENT } kind;
    int64_t position; /* the lowest position in the indices of the first call that faulted */
    int64_t value, limit;
};

/** What a backend reports of itself: messages go into a caller's buffer, never to a stream. */
struct ls_message {
    char text[512];
};

/**
 * A backend. All functions are required unless said otherwise. On failure they return a status and
 * write a message that names the native call and its code; the caller adds op and shapes.
 */
struct ls_backend {
    const char *name;

    /** Lists devices, or one unavailable entry with the reason. Returns how many there are. */
    size_t (*list)(struct ls_device_info *devices, size_t capacity);

    /** Opens the device that `which` names (the part of LOCKSTEP_BACKEND after "name:", or NULL). */
    ls_status (*open)(const char *which, struct ls_device **device, struct ls_message *message);
    /** Optional. The last call before `close`: writes what the device has to say of the run; NULL: nothing. */
    ls_status (*report)(struct ls_device *device);
    void (*close)(struct ls_device *device);

    /** Memory. `create` returns LS_OUT_OF_MEMORY when there is none; contents are undefined. */
    ls_status (*create)(struct ls_device *device, size_t bytes, struct ls_buffer **buffer);
    void (*destroy)(struct ls_device *device, struct ls_buffer *buffer);

    /** Copies from host memory, which may be reused on return. Offset and size in bytes. */
    ls_status (*write)(struct ls_device *device, struct ls_buffer *buffer, size_t offset, const void *data,
                       size_t bytes);
    /** Copies to host memory; waits for all that was queued before. */
    ls_status (*read)(struct ls_device *device, struct ls_buffer *buffer, size_t offset, void *data, size_t bytes);
    /** Waits for all that was queued. */
    ls_status (*finish)(struct ls_device *device);
    /** Takes the first index fault, after a wait. NULL where faults cannot happen. */
    ls_status (*fault)(struct ls_device *device, struct ls_fault *fault);
    /** Told that a training step has ended: an optimizer has applied its gradients. NULL where that is
     * nothing to know; decorators pass it on to the device that they wrap. */
    void (*step)(struct ls_device *device);

    /* The primitives. An OPTIONAL slot may be NULL: the caller then composes it. */
#define PRIM(name, need, meaning)                                                                  \
    ls_status (*name)(struct ls_device *device, const struct ls_##name##_args *args);
#include "prims.def"
#undef PRIM
};

/**
 * A device. Backends embed this as the first member. `message` is where slots explain a failure.
 * `backend` is the table that dispatch calls: a decorator (backends/fault) is a device that wraps one.
 */
struct ls_device {
    const struct ls_backend *backend;
    struct ls_device_info info;
    struct ls_message message;
    bool lost; /* every later call fails with LS_DEVICE_LOST */
};

/** Every backend built in, in the order in which `auto` and lists look at them; NULL-terminated. */
extern const struct ls_backend *const ls_backends[];

/** Opens the device named as in ls_open; logs nothing. For contexts and for decorators. */
ls_status ls_device_open(const char *words, struct ls_device **device, struct ls_message *message);

#endif
