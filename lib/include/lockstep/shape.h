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
 * 1) and must not be 0; size -1 means up to the end. Everything must lie inside a.
 */
LS_API ls_tensor ls_slice(ls_tensor a, const int64_t *begin, const int64_t *size, const int64_t *step);
/** The inverse of slice: zeros of `shape` with a written at begin, step. */
LS_API ls_tensor ls_unslice(ls_tensor a, ls_shape shape, const int64_t *begin, const int64_t *step);
/** Joins `count` tensors along `axis`; all other dimensions agree. */
LS_API ls_tensor ls_concat(const ls_tensor *tensors, size_t count, int axis);

#ifdef __cplusplus
}
#endif
#endif
