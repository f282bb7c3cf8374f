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

/* ---- Indexing. An index out of range is LS_OUT_OF_RANGE at the next call that waits; the message names the op, or
 * the ops that looked up by index since the last wait ---- */

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
/**
 * Ones at the labels' positions: int32 (…) -> float32 (…, depth). A label outside [0, depth) is
 * LS_OUT_OF_RANGE; the check costs one gather of a byte per label.
 */
LS_API ls_tensor ls_one_hot(ls_tensor labels, int64_t depth);
/** 0, 1, …, n - 1 as int32. */
LS_API ls_tensor ls_arange(ls_context *ls, int64_t n);

/**
 * One element per index: result[…, i, …] = a[…, indices[…, i, …], …] along `axis`. indices int32 with
 * a's shape but for that axis. `take_along_axis(x, ls_argsort(x, -1, false), -1)` sorts.
 */
LS_API ls_tensor ls_take_along_axis(ls_tensor a, ls_tensor indices, int axis);
/**
 * a[indices[…, 0], …, indices[…, k - 1]]: indices (…, k) int32 name the first k axes of a, at least one
 * (tf.gather_nd).
 */
LS_API ls_tensor ls_gather_nd(ls_tensor a, ls_tensor indices);
/**
 * base with rows along `axis` replaced by those of updates at indices (n), int32; of several updates of
 * one row the last wins, and it alone gets the gradient. updates has base's shape with n along `axis`.
 */
LS_API ls_tensor ls_scatter_update(ls_tensor base, ls_tensor indices, ls_tensor updates, int axis);

/* ---- Order; float32 or int32. Stable: equal elements, and -0 is equal to +0, stay in their order.
 * NaNs come last, ascending and descending ---- */

/** The elements along `axis` in ascending or descending order. The gradient goes back where each came from. */
LS_API ls_tensor ls_sort(ls_tensor a, int axis, bool descending);
/** The positions from which ls_sort takes its elements, int32; no gradient. */
LS_API ls_tensor ls_argsort(ls_tensor a, int axis, bool descending);
/** The k largest elements of the last axis, largest first, and their positions (int32); of equals the first. */
LS_API ls_status ls_top_k(ls_tensor a, int64_t k, ls_tensor *values, ls_tensor *indices);
/**
 * How many elements of a sorted vector are below each value (`right`: not above it), int32 in the shape
 * of values; no gradient. What comes of an unsorted vector or of NaNs is the same everywhere, but nothing else.
 */
LS_API ls_tensor ls_searchsorted(ls_tensor sorted, ls_tensor values, bool right);

/* ---- Triangles, diagonals, sequences ---- */

/** The last two axes' elements with column - row <= k (triu: >= k), elsewhere 0; any type. */
LS_API ls_tensor ls_tril(ls_tensor a, int64_t k);
LS_API ls_tensor ls_triu(ls_tensor a, int64_t k);
/** (…, n) -> (…, n, n) with a on the diagonal and 0 elsewhere; any type. */
LS_API ls_tensor ls_diag(ls_tensor a);
/** The diagonal of the last two axes: (…, m, n) -> (…, min(m, n)); any type. */
LS_API ls_tensor ls_diag_part(ls_tensor a);
/** float32 (rows, columns): 1 where row == column. */
LS_API ls_tensor ls_eye(ls_context *ls, int64_t rows, int64_t columns);
/** start, start + delta, … while below limit (above it, for a negative delta), int32. */
LS_API ls_tensor ls_range(ls_context *ls, int32_t start, int32_t limit, int32_t delta);
/** n values from start to stop: fma(i, (stop - start) / (n - 1), start), the last one stop; n <= 2^24. */
LS_API ls_tensor ls_linspace(ls_context *ls, float start, float stop, int64_t n);
/**
 * `count` (1 to 8) vectors to coordinates: grids[i] has vectors[i] along dimension i, repeated along the others; without
 * `matrix_indexing` the first two dimensions are exchanged, as NumPy's "xy" has them.
 */
LS_API ls_status ls_meshgrid(const ls_tensor *vectors, int count, bool matrix_indexing, ls_tensor *grids);

#ifdef __cplusplus
}
#endif
#endif
