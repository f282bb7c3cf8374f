/* SPDX-License-Identifier: Apache-2.0
 *
 * Capture: a C function that runs ops, recorded once and replayed (the seed of tf.function). What is
 * recorded are the primitive calls below ops and tape, forward, backward and optimizer alike; the
 * replay calls the same primitives on the same buffers, so its bits are those of the eager run.
 */
#ifndef LOCKSTEP_FUNCTION_H
#define LOCKSTEP_FUNCTION_H

#include <lockstep/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ls_function ls_function;

/**
 * The function to capture: reads `inputs`, writes `outputs` (as many as ls_function_create said).
 * Everything that changes between calls must be an input, a variable, or lie on the device: reading
 * a tensor on the host inside is LS_CAPTURE_ERROR. Variables may be assigned to.
 */
typedef void ls_function_body(void *user, const ls_tensor *inputs, ls_tensor *outputs);

/**
 * Prepares a function of `inputs` inputs and `outputs` outputs. Nothing runs yet. It belongs to the
 * context and lives until ls_function_destroy or ls_close. NULL on error (sticky).
 */
LS_API ls_function *ls_function_create(ls_context *ls, ls_function_body *body, void *user, size_t inputs,
                                       size_t outputs);

/**
 * Runs it. The first call runs the body eagerly (so that variables and optimizer slots are made), the
 * second records it while it runs, later calls replay. From the second on, shapes and types of
 * the inputs must stay as they are (LS_SHAPE_MISMATCH, LS_DTYPE_MISMATCH). The inputs are
 * copied to the recorded buffers; each output is a new tensor in the innermost scope. `outputs` may be `inputs`.
 * LS_INVALID_ARGUMENT, and all outputs nil, when the body leaves an output nil or released.
 */
LS_API ls_status ls_function_call(ls_function *function, const ls_tensor *inputs, ls_tensor *outputs);

/** How many primitive calls one replay makes; 0 before the second call. */
LS_API size_t ls_function_size(const ls_function *function);

/** Releases a function and its buffers; sets `*function` to NULL. Accepts NULL. */
LS_API void ls_function_destroy(ls_function **function);

#ifdef __cplusplus
}
#endif
#endif
