/* SPDX-License-Identifier: Apache-2.0
 *
 * What the floors above core may use beside the public headers. What only core sees is in state.h.
 */
#ifndef LOCKSTEP_CORE_INTERNAL_H
#define LOCKSTEP_CORE_INTERNAL_H

#include <stdarg.h>

#include <lockstep/tensor.h>

#if defined __GNUC__
#define LS_PRINTF(format_at, first_at) __attribute__((__format__(__printf__, format_at, first_at)))
#else
#define LS_PRINTF(format_at, first_at)
#endif

/**
 * Remembers an error, unless there is one already, and returns `status`. The message is a whole
 * sentence without a full stop: "matmul: (32, 784) x (10, 784): inner dimensions 784 and 10 differ;
 * transpose_b?". All errors of the library pass here: set a breakpoint on ls_error_raised.
 */
ls_status ls_fail(ls_context *ls, ls_status status, const char *format, ...) LS_PRINTF(3, 4);

/** For a function that was given NULL in place of its options: raises the error, for no context. NULL. */
void *ls_no_options(const char *what);

/** As ls_open, but without log: for the library's own contexts. */
ls_context *ls_open_plain(const char *device);

/** Sends a message to the log callback. */
void ls_say(ls_context *ls, ls_log_level level, const char *format, ...) LS_PRINTF(3, 4);

/**
 * Makes the context own an object: `destroy(object)` is called at ls_close, last owned first. The
 * public destroy function of the object calls ls_disown first. Returns LS_OUT_OF_MEMORY (and the
 * object is not owned) when there is no memory.
 */
ls_status ls_own(ls_context *ls, void *object, void (*destroy)(void *object));
void ls_disown(ls_context *ls, void *object);
/** The first owned object that has this destroy function; NULL if there is none. */
void *ls_owned_by(const ls_context *ls, void (*destroy)(void *object));

/** Tells the device that a training step has ended; a function that is being captured notes where. */
void ls_step_ended(ls_context *ls);

/** Whether the context has an error, and so building calls do nothing. */
static inline bool ls_failed(const ls_context *ls) { return ls_error(ls) != LS_OK; }

/** Whether a type is float16 or bfloat16; whether it is one of these or float32, and so has gradients. */
bool ls_dtype_is_float16(ls_dtype dtype);
bool ls_dtype_is_float(ls_dtype dtype);
/** The bits of the value 1. */
uint32_t ls_dtype_one(ls_dtype dtype);

/* ---- Checked sizes: every size computation passes here ---- */

/** The number of elements; -1 on overflow of int64 or for a negative dimension. */
int64_t ls_shape_elements(const ls_shape *shape);
bool ls_shape_equal(const ls_shape *a, const ls_shape *b);
/** Row-major strides in elements. */
void ls_shape_strides(const ls_shape *shape, int64_t *strides);
/** NumPy broadcasting; false if the shapes do not fit. */
bool ls_shape_broadcast(const ls_shape *a, const ls_shape *b, ls_shape *out);
/** The axis as 0..rank-1, or -1 if it is not one of them. */
int ls_shape_axis(int axis, int rank);
/** a * b; false on overflow. Both non-negative. */
bool ls_checked_mul(int64_t a, int64_t b, int64_t *product);

/** The text of a shape in a value of its own, for messages: ls_text(s).text. */
struct ls_text {
    char text[128];
};
struct ls_text ls_text(ls_shape shape);

#endif
