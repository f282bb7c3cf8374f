/* SPDX-License-Identifier: Apache-2.0
 *
 * The ops. Every op returns a new tensor in the innermost scope, computes on its inputs' device,
 * does not block, and is recorded by listening tapes. Errors are sticky in the context (status.h):
 * the nil tensor comes back, and LS_SHAPE_MISMATCH, LS_DTYPE_MISMATCH, LS_INVALID_ARGUMENT or
 * LS_OUT_OF_MEMORY with a message that names op and shapes. NULL for an array or a place that is needed, or for
 * options, is LS_INVALID_ARGUMENT. The arithmetic is canon.md's, the same
 * bits on every exact device. Not safe to call for one context from two threads at a time.
 *
 * Broadcasting is NumPy's: shapes are aligned at the last dimension, and a size of 1 (or a missing
 * dimension) is repeated. Types are never converted silently; see ls_cast.
 * Axes may be negative: -1 is the last.
 */
#ifndef LOCKSTEP_OPS_H
#define LOCKSTEP_OPS_H

#include <lockstep/convolution.h>
#include <lockstep/elementwise.h>
#include <lockstep/index.h>
#include <lockstep/linalg.h>
#include <lockstep/network.h>
#include <lockstep/random.h>
#include <lockstep/reduce.h>
#include <lockstep/shape.h>

#endif
