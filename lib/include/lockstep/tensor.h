/* SPDX-License-Identifier: Apache-2.0
 *
 * Tensors are small values that name an array on the context's device; copy them freely. A tensor
 * belongs to the scope that was open when it was made; ls_scope_end releases all of that scope's
 * tensors that were not kept. A handle whose tensor was released is detected, never followed.
 * Arrays are dense and row-major. Rank 0 and dimensions of size 0 are legal everywhere.
 */
#ifndef LOCKSTEP_TENSOR_H
#define LOCKSTEP_TENSOR_H

#include <lockstep/context.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LS_MAX_RANK 8

/**
 * The types of elements. There is no int64: an axis, a vocabulary or a count above 2^31 does not fit the
 * memory of the devices this is for, the registers of `map` are 32-bit words, and OpenCL's embedded
 * profile and Vulkan need not have 64-bit integers, so that the bits could not be the same everywhere.
 *
 * float16 (IEEE binary16) and bfloat16 (the upper half of a float32) are for storage: half the memory
 * and half the traffic. Host data of these types are 16-bit words. What only moves elements takes them
 * (reshape, transpose, slice, concat, gather, where, …) and so do ls_read, ls_from_host, ls_assign and
 * ls_fingerprint; what computes needs float32 and says so. ls_cast converts, by integer code, the same on
 * every device (canon.md rule 16).
 */
typedef enum ls_dtype {
    LS_FLOAT32,
    LS_INT32,
    LS_UINT8,
    LS_BOOL,
    LS_FLOAT16,
    LS_BFLOAT16,
    LS_DTYPE_COUNT
} ls_dtype;

/** A shape: `rank` sizes, outermost first. */
typedef struct ls_shape {
    int rank;
    int64_t dim[LS_MAX_RANK];
} ls_shape;

/**
 * The handle. All zero is the nil tensor, which stands for what an error kept from being made. An op whose inputs are
 * all nil, or whose context has an error, does nothing and returns nil; so does what returns a status, with the
 * context's error or LS_INVALID_ARGUMENT. Nil beside tensors of a context without error is LS_INVALID_ARGUMENT,
 * except where an input may be left out.
 */
typedef struct ls_tensor {
    ls_context *context;
    uint32_t index, generation;
} ls_tensor;

/** A shape from its sizes: LS_SHAPE(128, 784); LS_SHAPE() is not valid C, use LS_SCALAR_SHAPE. */
#define LS_SHAPE(...)                                                                              \
    ls_shape_of((int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]){__VA_ARGS__})
#define LS_SCALAR_SHAPE ls_shape_of(0, NULL)
/** `dims` has `rank` sizes; NULL with a rank above 0 gives a shape that every op refuses. */
LS_API ls_shape ls_shape_of(int rank, const int64_t *dims);

/** The bytes of one element, and the type's name ("float32"). */
LS_API size_t ls_dtype_size(ls_dtype dtype);
LS_API const char *ls_dtype_name(ls_dtype dtype);

/**
 * Copies `shape.dim[0] * …` elements of type `dtype` from `data` to a new tensor. `data` may be
 * reused when the call returns. Errors: LS_OVERFLOW, LS_OUT_OF_MEMORY.
 */
LS_API ls_tensor ls_from_host(ls_context *ls, ls_dtype dtype, ls_shape shape, const void *data);

/** A rank-0 float32 or int32 tensor. Costs no device memory until a non-elementwise op needs it. */
LS_API ls_tensor ls_scalar(ls_context *ls, float value);
LS_API ls_tensor ls_int_scalar(ls_context *ls, int32_t value);

/** A tensor whose elements all have one value. Costs no device memory while only read elementwise. */
LS_API ls_tensor ls_fill(ls_context *ls, ls_shape shape, float value);
LS_API ls_tensor ls_zeros(ls_context *ls, ls_dtype dtype, ls_shape shape);
LS_API ls_tensor ls_ones(ls_context *ls, ls_dtype dtype, ls_shape shape);
LS_API ls_tensor ls_zeros_like(ls_tensor a);
LS_API ls_tensor ls_ones_like(ls_tensor a);

/**
 * Copies the tensor's elements to `data`, which has room for `bytes`; `bytes` must be exactly the
 * tensor's size. Blocks until the device has computed them. Index errors that kernels noted (a label
 * out of range in gather) are reported here at the latest. Errors: any error of the context so far.
 */
LS_API ls_status ls_read(ls_tensor a, void *data, size_t bytes);

/** The value of a float32 tensor with one element; NaN on error (see ls_error). Blocks. */
LS_API float ls_item(ls_tensor a);

/** Whether a handle is nil: {0}, what an op returns after an error. Not whether it is stale. */
LS_API bool ls_is_nil(ls_tensor a);
/** Shape, dtype and element count of a tensor; a nil or stale handle gives rank 0 / LS_FLOAT32 / 0. */
LS_API ls_shape ls_shape_of_tensor(ls_tensor a);
LS_API ls_dtype ls_dtype_of(ls_tensor a);
LS_API int64_t ls_size(ls_tensor a);
/** "(128, 784)" into `text`; returns `text`. */
LS_API char *ls_shape_text(ls_shape shape, char *text, size_t size);

/* ---- Scopes ---- */

/** Opens a scope: tensors made from here on belong to it. Scopes nest. */
LS_API void ls_scope_begin(ls_context *ls);

/**
 * Releases every tensor of the innermost scope that was not kept. Returns the context's first error,
 * so it is the one check that a step needs. The outermost scope is the context itself.
 */
LS_API ls_status ls_scope_end(ls_context *ls);

/**
 * Moves a tensor to the scope around its own; returns it. A variable, a tensor of the outermost scope and nil
 * stay what they are. LS_STALE_HANDLE (sticky; returns nil) for a tensor that was released.
 */
LS_API ls_tensor ls_keep(ls_tensor a);

/** Releases one tensor now, before its scope ends, and sets the handle to nil. */
LS_API void ls_release(ls_tensor *a);

/**
 * Runs the block in a scope of its own: `LS_SCOPE(ls) { … }`. `break` leaves the block and ends the
 * scope; `return` and `goto` out of it do not: the scope then ends with the one around it.
 */
#define LS_SCOPE(ls)                                                                               \
    for (int ls_once_ = (ls_scope_begin(ls), 1); ls_once_; ls_once_ = (ls_scope_end(ls), 0))       \
        for (; ls_once_; ls_once_ = 0)

/* ---- Variables ---- */

/**
 * A variable: a tensor whose value can be assigned, and which a tape watches by itself when
 * `trainable` (float32 only). `initial` gives shape, type and value. `name` is copied and is what
 * messages call it. It belongs to the context, not to a scope: it lives until ls_variable_destroy or
 * ls_close.
 */
LS_API ls_tensor ls_variable(ls_tensor initial, const char *name, bool trainable);

/**
 * Gives a variable a new value of the same shape and type. A tape, a saved tensor or another handle
 * that still needs the old value keeps it.
 */
LS_API ls_status ls_assign(ls_tensor variable, ls_tensor value);

/** Releases a variable and sets the handle to nil. Accepts nil. */
LS_API void ls_variable_destroy(ls_tensor *variable);

/** The name of a variable; "" for other tensors. Valid until the variable is destroyed. */
LS_API const char *ls_name(ls_tensor variable);

/**
 * A fingerprint of tensors: "ls1:" and 16 hex digits, canon.md rule 23: two 32-bit sums, modulo
 * 2^32, over all elements, of two integer mixes of (bits with -0 as +0, element index, tensor
 * index). Equal on every device that computes the canonical arithmetic. On a device of class T
 * (verify.h) "T:" takes the place of "ls1:": such digits compare with nobody's. Blocks.
 */
typedef struct ls_fingerprint_text {
    char text[24];
} ls_fingerprint_text;
LS_API ls_fingerprint_text ls_fingerprint(const ls_tensor *tensors, size_t count);

#ifdef __cplusplus
}
#endif
#endif
