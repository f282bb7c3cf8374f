/* SPDX-License-Identifier: Apache-2.0
 *
 * What the op families share. An op reads like this: enter (check the handles), find the shape, make
 * the result, dispatch, record.
 */
#ifndef LOCKSTEP_OPS_OP_H
#define LOCKSTEP_OPS_OP_H

#include <lockstep/ops.h>

#include "../core/record.h"

static const ls_tensor LS_NIL = {0};

/**
 * Checks the inputs of an op: live, of one context, which is without error. Fills `values` and returns
 * the context, or NULL when there is nothing to do (an error is raised or was there before).
 */
ls_context *ls_op_enter(const char *op, const ls_tensor *in, int count, const struct ls_value **values);

/** The same for an op without inputs: whether `ls` is there and without error. */
bool ls_op_open(ls_context *ls, const char *op);

/** A new tensor of that type and shape with undefined elements, its value in `*out`. nil on error. */
ls_tensor ls_op_result(ls_context *ls, ls_dtype dtype, const ls_shape *shape, const struct ls_value **out);

/** Whether a value has a dtype; raises LS_DTYPE_MISMATCH if not. */
bool ls_op_dtype(ls_context *ls, const char *op, const struct ls_value *value, ls_dtype dtype);

/** Whether a pointer that must lead to `count` things ("number", "tensor") is there; raises LS_INVALID_ARGUMENT. */
bool ls_op_given(ls_context *ls, const char *op, const char *argument, const void *pointer, int64_t count,
                 const char *thing);

/** Whether there are 1 to `most` tensors, and an array of them; raises LS_INVALID_ARGUMENT. */
bool ls_op_list(const char *op, const ls_tensor *tensors, size_t count, size_t most);

/** The nil tensor for an op that was given NULL in place of its options, with the error raised for no context. */
ls_tensor ls_op_no_options(const char *op);

/** A second handle to the elements of a value in another shape (same size). New identity. */
ls_tensor ls_op_view(ls_context *ls, const struct ls_value *value, const ls_shape *shape);

/** ls_one_hot where every label is known to be in range. */
ls_tensor ls_one_hot_of_checked(ls_tensor labels, int64_t depth);

/** The axis as 0..rank-1, or -1 with the error raised. */
int ls_op_axis(ls_context *ls, const char *op, int axis, const ls_shape *shape);

/** Marks the `count` named axes, or with axes NULL all; false with the error raised (out of range, named twice). */
bool ls_op_axes(ls_context *ls, const char *op, const ls_shape *shape, const int *axes, int count,
                bool named[LS_MAX_RANK]);

/** ls_gather for an op that is made of it, whose name the message of an index out of range has. */
ls_tensor ls_gather_for(const char *op, ls_tensor a, ls_tensor indices, int axis);

/** The activation in the epilogue of a recorded matmul; LS_LINEAR for entries of other ops. */
ls_activation ls_matmul_activation_of(const struct ls_entry *entry);

/* ---- Elementwise programs ---- */

/** A row of a program whose operands are 0..7 for inputs, LS_REGISTER_IMMEDIATE + i, LS_REGISTER_ROW + i. */
struct ls_program {
    int rows, immediates;
    struct ls_map_row row[LS_MAP_ROWS];
    float immediate[LS_MAP_IMMEDIATES];
};

/** Where a program writes: a buffer of the program's shape and type, and the register it takes. */
struct ls_program_output {
    struct ls_buffer *buffer;
    ls_dtype dtype;
    uint8_t source;
};

/** Runs a program over inputs broadcast to `shape`. Constants among the inputs become immediates. */
ls_status ls_run_program(ls_context *ls, const struct ls_program *program, const ls_shape *shape,
                         const struct ls_value *const *in, int inputs, const struct ls_program_output *out,
                         int outputs);

#endif
