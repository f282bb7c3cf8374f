/* SPDX-License-Identifier: Apache-2.0
 *
 * What core keeps: the context, its tensors and their storage, pools, tapes and the recorder. The
 * floors above see ls_value (a tensor's shape, type and storage) through lib/ops/op.h and the tape.
 */
#ifndef LOCKSTEP_CORE_STATE_H
#define LOCKSTEP_CORE_STATE_H

#include "backend.h"
#include "internal.h"

/* ---- Storage: the elements of one or several tensors ---- */

enum { LS_SIZE_CLASSES = 64 * 4 };

/** Free buffers by size class. A captured function has a pool of its own, so that nobody else is
 * given a buffer that its replay writes to. */
struct ls_pool {
    struct ls_buffer *free[LS_SIZE_CLASSES];
    struct ls_pool *next; /* all pools of a context, the general one last */
    bool retired;         /* its function is gone: buffers go back to the general pool */
};

/**
 * Refcounted elements. A constant has one word for all elements and gets a buffer only when a
 * primitive other than map reads it. A storage without elements never has a buffer.
 */
struct ls_storage {
    int refs;
    bool constant;
    uint32_t word; /* the bit pattern of a constant's elements, widened as map does */
    size_t bytes;
    struct ls_buffer *buffer;
    struct ls_pool *pool;
    struct ls_storage *next_free;
};

/** What a tensor is: `id` names the value on tapes and is shared by handles to the same value. */
struct ls_value {
    struct ls_storage *storage; /* NULL: only the shape is known (saved for a gradient) */
    uint64_t id;
    ls_dtype dtype;
    ls_shape shape;
};

/* ---- Handles ---- */

#define LS_NO_SLOT 0xffffffffu
enum { LS_SLOT_CHUNK = 256 };

struct ls_slot {
    struct ls_value value;
    uint32_t generation; /* odd while live */
    uint32_t prev, next; /* in the list of its scope, or of the free slots */
    int scope;           /* index of its scope; -1 for variables */
    bool trainable;
    char *name; /* variables only */
};

struct ls_owned {
    void *object;
    void (*destroy)(void *object);
};

enum { LS_LOOKUPS = 4 };

struct ls_context {
    struct ls_device *device;
    ls_status error;
    char message[1024];
    ls_log_level log_least;
    ls_log_fn *log;
    void *log_user;

    struct ls_slot **chunks;
    uint32_t slots, chunk_capacity, free_slot;
    uint32_t *scopes; /* head slot of each open scope */
    int scope_count, scope_capacity;
    int scopes_missing; /* begun without memory: their ends and keeps do nothing */
    uint32_t variables; /* head of the list of variables */

    struct ls_pool pool;          /* the general one */
    struct ls_pool *pools;        /* all, newest first */
    struct ls_pool *current_pool; /* where new storage comes from */
    struct ls_storage *free_storage;

    struct ls_tape *tapes; /* all that are alive, newest first */
    struct ls_numerics *numerics; /* LOCKSTEP_CHECK=numerics; else NULL */
    struct ls_receipt *receipt;   /* LOCKSTEP_RECEIPT; else NULL */
    uint64_t next_id;

    const char *op; /* the last that was entered, for messages */
    const char *lookups[LS_LOOKUPS]; /* the ops that looked up by index since faults were last asked for */
    struct ls_recorder *recorder; /* while a function is being recorded */

    uint64_t seed;
    struct ls_storage *random_step; /* int32 on the device, made by the first random op */

    struct ls_owned *owned;
    size_t owned_count, owned_capacity;
    ls_stats stats;
    bool told_of_probabilities; /* a loss has warned of logits that are none */
};

/* ---- Storage (storage.c) ---- */

/** The elements of a shape that a user gave, or -1 with the error raised. */
int64_t ls_shape_check(ls_context *ls, const char *op, const ls_shape *shape);
/** Whether `elements` of a type are more than any device's memory holds. */
bool ls_too_large(ls_dtype dtype, int64_t elements);

/** Storage for `elements` of `dtype`, one reference, with a buffer. NULL on error (raised). */
struct ls_storage *ls_storage_new(ls_context *ls, ls_dtype dtype, int64_t elements);
/** Storage whose elements all are `word`. NULL on error (raised). */
struct ls_storage *ls_storage_constant(ls_context *ls, ls_dtype dtype, int64_t elements, uint32_t word);
void ls_storage_retain(struct ls_storage *storage);
void ls_storage_release(ls_context *ls, struct ls_storage *storage);
/** The buffer of a value, filled if it was a constant; NULL on error (raised) or without elements. */
struct ls_buffer *ls_value_buffer(ls_context *ls, const struct ls_value *value);
/** Starts a pool for a function and makes it current; ends that; and gives it up. */
struct ls_pool *ls_pool_begin(ls_context *ls);
void ls_pool_end(ls_context *ls);
void ls_pool_retire(ls_context *ls, struct ls_pool *pool);
/** Destroys all pools and their free buffers; for ls_close and ls_trim. */
void ls_pools_trim(ls_context *ls);

/* ---- Handles (tensor.c) ---- */

/** The slot of a live handle; NULL if it is nil, stale or its context is NULL. Raises nothing. */
struct ls_slot *ls_slot_of(ls_tensor t);
/** A new handle in the innermost scope for storage whose reference it takes over. On error the
 * reference is released, the error raised, and nil returned. id 0: a new one. */
ls_tensor ls_tensor_new(ls_context *ls, ls_dtype dtype, const ls_shape *shape, struct ls_storage *storage, uint64_t id);
/** A second handle to a value (its reference is taken in addition). */
ls_tensor ls_tensor_of_value(ls_context *ls, const struct ls_value *value);
/** A retained copy of a value; and its release. */
struct ls_value ls_value_retain(const struct ls_value *value);
void ls_value_release(ls_context *ls, struct ls_value *value);
/** Releases all handles, scopes and variables; for ls_close. */
void ls_tensors_close(ls_context *ls);
bool ls_slot_is_variable(const struct ls_slot *slot);
/** Moves a live slot to the list of another scope, -1 for the variables; and releases one. */
void ls_slot_move(ls_context *ls, uint32_t index, int scope);
void ls_slot_release(ls_context *ls, uint32_t index);
/** The slot with that index, live or not. */
struct ls_slot *ls_slot_at(const ls_context *ls, uint32_t index);
/**
 * Makes a variable's storage writable in place: when somebody else still needs the old value, the
 * variable moves to new storage, copied from the old one if `copy`. Returns its buffer or NULL.
 */
struct ls_buffer *ls_variable_writable(ls_context *ls, struct ls_slot *slot, bool copy);

/* ---- Dispatch (dispatch.c): checks, counts, calls, records ---- */

#define PRIM(name, need, meaning) ls_status ls_dispatch_##name(ls_context *ls, const struct ls_##name##_args *args);
#include "prims.def"
#undef PRIM

enum ls_prim {
#define PRIM(name, need, meaning) LS_PRIM_##name,
#include "prims.def"
#undef PRIM
    LS_PRIM_COUNT
};

/** In place of a primitive, in what a function records: here a training step ended. */
#define LS_NODE_STEP LS_PRIM_COUNT

/** One recorded primitive call. */
struct ls_node {
    enum ls_prim prim;
    union {
#define PRIM(name, need, meaning) struct ls_##name##_args name;
#include "prims.def"
#undef PRIM
    } args;
};

/** The most buffers one call names. */
enum { LS_NODE_BUFFERS = LS_DIGEST_INPUTS + 1 };
_Static_assert(LS_MAP_INPUTS + LS_MAP_OUTPUTS <= LS_NODE_BUFFERS, "a digest has the most buffers of all calls");

/** What a call reads or writes of a buffer: its first elements. */
struct ls_extent {
    struct ls_buffer *const *buffer; /* where the arguments name it */
    int64_t elements;
    ls_dtype dtype;
    bool written;
};
/** The extents of a call, at most LS_NODE_BUFFERS; for decorators. Returns how many, or -1 if it lacks a buffer that it
 * needs. Follows no pointer to a buffer. */
int ls_node_extents(const struct ls_node *node, struct ls_extent *extents);

/** Runs a recorded call again. Not recorded. */
ls_status ls_dispatch_node(ls_context *ls, const struct ls_node *node);

/** Called by dispatch for each call while recording (recorder.c). */
ls_status ls_recorder_add(ls_context *ls, const struct ls_node *node, const struct ls_extent *extents, int count);
/** Called before a variable moves to other storage while recording (recorder.c). */
ls_status ls_recorder_moved(ls_context *ls, struct ls_slot *slot);

/** Copies `n` elements from one buffer to the start of another. */
ls_status ls_copy_elements(ls_context *ls, struct ls_buffer *src, struct ls_buffer *dst, ls_dtype dtype, int64_t n);

/** The composed forms of the OPTIONAL primitives (fallback.c). */
ls_status ls_fallback_softmax(ls_context *ls, const struct ls_softmax_args *args);
ls_status ls_fallback_sparse_xent(ls_context *ls, const struct ls_sparse_xent_args *args);

/** Reports index faults that kernels noted, as an error. After every wait. */
ls_status ls_check_fault(ls_context *ls);

/** Turns a failed backend call into the context's error, with its message. */
ls_status ls_fail_device(ls_context *ls, ls_status status, const char *what);

/* ---- Tapes (record.c keeps them, lib/autodiff walks them) ---- */

/** Tells tapes that note which variables are read that `tensor` is, other than by an op. */
void ls_tapes_read(ls_context *ls, ls_tensor tensor);
/** Releases the tapes that were begun in a scope or inside it. */
void ls_tapes_end_scope(ls_context *ls, int scope);

#endif
