/* SPDX-License-Identifier: Apache-2.0
 *
 * Ops that move elements. See ops.h for what all ops share.
 */
#ifndef LOCKSTEP_SHAPE_H
#define LOCKSTEP_SHAPE_H

#include <lockstep/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Shape; any type. Reshape shares storage, the others copy ---- */

/** The same elements in another shape; one dimension may be -1 and is inferred. */
LS_API ls_tensor ls_reshape(ls_tensor a, ls_shape shape);
/** Inserts a dimension of size 1 before `axis` (of the result). */
LS_API ls_tensor ls_expand_dims(ls_tensor a, int axis);
/** Permutes: result dimension i is a's dimension axes[i]. `axes` has rank entries; NULL reverses. */
LS_API ls_tensor ls_transpose(ls_tensor a, const int *axes);
/** Repeats dimensions of size 1 (and missing leading ones) to fill `shape`. */
LS_API ls_tensor ls_broadcast_to(ls_tensor a, ls_shape shape);
/**
 * a[begin[d] : begin[d] + size[d] * step[d] : step[d]] in every dimension d. `step` may be NULL (all
 * 1) and must not be 0; size -1 means up to the end, which for a negative step is index 0. Everything
 * must lie inside a.
 */
LS_API ls_tensor ls_slice(ls_tensor a, const int64_t *begin, const int64_t *size, const int64_t *step);
/** The inverse of slice: zeros of `shape` with a written at begin, step. */
LS_API ls_tensor ls_unslice(ls_tensor a, ls_shape shape, const int64_t *begin, const int64_t *step);
/** Joins `count` (1 to 256) tensors along `axis`; all other dimensions agree. */
LS_API ls_tensor ls_concat(const ls_tensor *tensors, size_t count, int axis);

/** Drops the `count` dimensions `axes`, which have size 1; axes NULL: all that have. */
LS_API ls_tensor ls_squeeze(ls_tensor a, const int *axes, int count);
/** Moves dimension `from` to place `to`; the others keep their order. */
LS_API ls_tensor ls_moveaxis(ls_tensor a, int from, int to);
/** Exchanges two dimensions. */
LS_API ls_tensor ls_swapaxes(ls_tensor a, int first, int second);
/** Joins `count` (1 to 256) tensors of one shape along a new dimension before `axis` (of the result). */
LS_API ls_tensor ls_stack(const ls_tensor *tensors, size_t count, int axis);
/** The reverse of stack: as many tensors as `axis` is long, which must be `count`, into `parts`. */
LS_API ls_status ls_unstack(ls_tensor a, int axis, ls_tensor *parts, size_t count);
/** Cuts `axis` into `count` pieces of the given sizes, which add up to its length, into `parts`. */
LS_API ls_status ls_split(ls_tensor a, const int64_t *sizes, size_t count, int axis, ls_tensor *parts);
/** Reverses the order of the elements along `count` axes; axes NULL: all. */
LS_API ls_tensor ls_flip(ls_tensor a, const int *axes, int count);
/** Moves element i of `axis` to (i + shift) modulo its length. */
LS_API ls_tensor ls_roll(ls_tensor a, int64_t shift, int axis);
/** The whole tensor multiples[d] times one after the other in dimension d (tf.tile). */
LS_API ls_tensor ls_tile(ls_tensor a, const int64_t *multiples);
/** Every element along `axis` `times` times in a row (numpy.repeat): a b -> a a b b. */
LS_API ls_tensor ls_repeat(ls_tensor a, int64_t times, int axis);

/** What ls_pad writes: a value, the mirror image without (reflect) or with (symmetric) the border. */
typedef enum ls_pad_mode { LS_PAD_CONSTANT, LS_PAD_REFLECT, LS_PAD_SYMMETRIC } ls_pad_mode;

typedef struct ls_pad_options {
    ls_tensor a;
    const int64_t *before, *after; /* per dimension; NULL: 0 */
    ls_pad_mode mode;
    float value; /* of LS_PAD_CONSTANT; other than 0 for float32 only */
} ls_pad_options;

/**
 * a with before[d] elements before and after[d] after it in dimension d (tf.pad). Reflect takes at
 * most size - 1 elements, symmetric at most size.
 */
LS_API ls_tensor ls_pad_with(const ls_pad_options *options);
/** ls_pad(a, .before = (int64_t[]){1, 0}, .after = (int64_t[]){2, 0}). */
#define ls_pad(...) ls_pad_with(&(ls_pad_options){.a = __VA_ARGS__})

#ifdef __cplusplus
}
#endif
#endif
