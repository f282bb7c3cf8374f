/* SPDX-License-Identifier: Apache-2.0
 *
 * Ops that read and write by index. See ops.h for what all ops share.
 */
#ifndef LOCKSTEP_INDEX_H
#define LOCKSTEP_INDEX_H

#include <lockstep/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Indexing. An index out of range is LS_OUT_OF_RANGE at the next call that waits ---- */

/**
 * Rows of a by index: along `axis`, indices int32 of any shape. The result has a's shape with that
 * dimension replaced by the shape of indices. `gather(table (v, d), ids (b, t)) -> (b, t, d)`.
 */
LS_API ls_tensor ls_gather(ls_tensor a, ls_tensor indices, int axis);
/**
 * base with updates added at indices along `axis`, in ascending position of the indices; float32.
 * updates has the shape that ls_gather(base, indices, axis) would have.
 */
LS_API ls_tensor ls_scatter_add(ls_tensor base, ls_tensor indices, ls_tensor updates, int axis);
/** Ones at the labels' positions: int32 (…) -> float32 (…, depth); a row of zeros where out of range. */
LS_API ls_tensor ls_one_hot(ls_tensor labels, int64_t depth);
/** 0, 1, …, n - 1 as int32. */
LS_API ls_tensor ls_arange(ls_context *ls, int64_t n);

#ifdef __cplusplus
}
#endif
#endif
