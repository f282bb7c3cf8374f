/* SPDX-License-Identifier: Apache-2.0
 *
 * The tape (the role of tf.GradientTape). Between begin and end it records every op that depends on
 * a trainable variable or on a watched tensor; ls_gradient walks the record backwards. Gradients are
 * made with the public ops, so an outer tape records them too: tapes nest, and any order of
 * derivative works.
 *
 * A tape belongs to the scope it was begun in and to the thread that uses its context. What the tape
 * saved keeps its value: assigning to a variable afterwards does not change the gradient.
 *
 * A NULL tape, as ls_tape_begin returns when it failed, is LS_INVALID_ARGUMENT on the context of the tensor
 * that is given with it, unless that has an error already; functions that are given no tensor ignore it.
 */
#ifndef LOCKSTEP_TAPE_H
#define LOCKSTEP_TAPE_H

#include <lockstep/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ls_tape ls_tape;

/* ---- The tape's life ---- */

typedef struct ls_tape_options {
    ls_context *context;
    bool persistent;                /* may be asked for gradients more than once */
    bool ignore_accessed_variables; /* watch only what ls_watch names (watch_accessed_variables=False) */
} ls_tape_options;

/** Starts a tape; it records until ls_tape_end. NULL on error (sticky: LS_OUT_OF_MEMORY). */
LS_API ls_tape *ls_tape_begin_with(const ls_tape_options *options);
/** ls_tape_begin(ls) or ls_tape_begin(ls, .persistent = true). */
#define ls_tape_begin(...) ls_tape_begin_with(&(ls_tape_options){.context = __VA_ARGS__})

/** Stops recording for good. The tape can still be asked for gradients. */
LS_API void ls_tape_end(ls_tape *tape);

/**
 * Releases a tape and what it saved; sets `*tape` to NULL. Accepts NULL. A tape belongs to the scope
 * it was begun in and is released with it at the latest.
 */
LS_API void ls_tape_destroy(ls_tape **tape);

/**
 * `LS_TAPE(tape, ls) { … }` or `LS_TAPE(tape, ls, .persistent = true) { … }` declares `ls_tape *tape`,
 * records the block, and stops recording after it; ask `tape` for gradients behind the block. A tape
 * made so is released with the scope it was made in. `break` leaves the block and stops recording;
 * `return` out of it leaves the tape recording until its scope ends.
 */
#define LS_TAPE(tape, ...)                                                                         \
    ls_tape *tape = ls_tape_begin(__VA_ARGS__);                                                    \
    for (int tape##_once_ = 1; tape##_once_; tape##_once_ = (ls_tape_end(tape), 0))                \
        for (; tape##_once_; tape##_once_ = 0)

/* ---- What it records ---- */

/**
 * Watches a tensor of a float type, so that gradients to it can be asked for. Trainable variables need no
 * watching. Errors: LS_TAPE_ERROR when the tape no longer records. Another type only warns (log).
 */
LS_API void ls_watch(ls_tape *tape, ls_tensor tensor);

/**
 * Between the two, the tape records nothing (tape.stop_recording()); other tapes go on. Pairs nest.
 * Errors: LS_TAPE_ERROR for a tape that has ended, or a second call without a first.
 */
LS_API void ls_stop_recording(ls_tape *tape);
LS_API void ls_resume_recording(ls_tape *tape);
/** `LS_STOP_RECORDING(tape) { … }`; `break` leaves the block and resumes, `return` does not. */
#define LS_STOP_RECORDING(tape)                                                                    \
    for (int ls_stop_once_ = (ls_stop_recording(tape), 1); ls_stop_once_;                          \
         ls_stop_once_ = (ls_resume_recording(tape), 0))                                           \
        for (; ls_stop_once_; ls_stop_once_ = 0)

/** Forgets all that was recorded and watched, and goes on recording. LS_TAPE_ERROR once it has ended. */
LS_API void ls_tape_reset(ls_tape *tape);

/**
 * The variables that the tape watches, in the order in which it met them: at most `capacity` of them
 * into `variables`. Returns how many there are. Also after ls_gradient.
 */
LS_API size_t ls_watched_variables(const ls_tape *tape, ls_tensor *variables, size_t capacity);

/* ---- Gradients ---- */

/**
 * d target / d sources[i] into gradients[i], for `count` sources. A target that is not rank 0 counts
 * as the sum of its elements. A source that the target does not depend on gives the nil tensor, and
 * ls_gradient_reason says why. The gradients belong to the innermost scope. A non-persistent tape is
 * consumed: it stops recording, and asking it again is LS_TAPE_ERROR. `gradients` may be `sources`. Where several consumers
 * contribute, their contributions are added in the order in which the tape recorded them (canon.md
 * rule 12). A persistent tape that still records, records its own way back too, and warns once.
 * Errors: also LS_NO_GRADIENT for an op without one.
 */
LS_API ls_status ls_gradient(ls_tape *tape, ls_tensor target, const ls_tensor *sources, size_t count,
                             ls_tensor *gradients);

/** What a source that the target does not depend on gets: the nil tensor, or zeros of its shape. */
typedef enum ls_unconnected { LS_UNCONNECTED_NONE, LS_UNCONNECTED_ZERO } ls_unconnected;

/** What ls_gradient_with computes: tape.gradient(targets, sources, output_gradients, unconnected). */
typedef struct ls_gradient_options {
    ls_tape *tape;
    const ls_tensor *targets; /* their sum is differentiated */
    size_t target_count;
    const ls_tensor *output_gradients; /* one per target, of its shape; nil: ones; NULL: all ones */
    const ls_tensor *sources;
    size_t source_count;
    ls_unconnected unconnected_gradients; /* nil (default) or zeros */
    ls_tensor *gradients;                 /* one per source */
} ls_gradient_options;

/**
 * ls_gradient with all options. LS_SHAPE_MISMATCH for an output gradient of another shape. `gradients` may
 * overlap `sources` or `targets`; where an error is returned all of it is nil.
 */
LS_API ls_status ls_gradient_with(const ls_gradient_options *options);

/**
 * Why the last gradient that `tape` was asked for did not reach `source`: "variable head/kernel is not
 * reached from the target: it is only reached through argmax, which has no gradient". "" if it did, or
 * was not asked about. Belongs to the tape; valid until it is asked for another gradient.
 */
LS_API const char *ls_gradient_reason(const ls_tape *tape, ls_tensor source);

/**
 * d target[i] / d source[j], shape target + source, one way back per element of the target. nil if
 * the target does not depend on the source. LS_OVERFLOW when the rank would pass LS_MAX_RANK.
 * Consumes a non-persistent tape.
 */
LS_API ls_tensor ls_jacobian(ls_tape *tape, ls_tensor target, ls_tensor source);

/**
 * For a target (batch, …) and a source (batch, …) whose rows do not depend on each other: d target[b, i]
 * / d source[b, j], shape (batch, target's rest, source's rest), one way back per element of one row.
 * Zeros if the target does not depend on the source. LS_SHAPE_MISMATCH unless both have a rank of at
 * least 2 and the same first dimension. Consumes a non-persistent tape.
 */
LS_API ls_tensor ls_batch_jacobian(ls_tape *tape, ls_tensor target, ls_tensor source);

/**
 * Forward mode (the role of tf.autodiff.ForwardAccumulator): the Jacobian-vector product, sum over
 * the sources of d target / d sources[i] times tangents[i], of the target's shape. tangents[i] has
 * sources[i]'s shape; nil counts as zeros. It is made of two ways back, so it costs about two
 * gradients whatever the target's size, and can be differentiated again. nil if the target depends on
 * no source; zeros if it does, but all tangents are nil. Consumes a non-persistent tape.
 *
 * A Hessian-vector product is the jvp of a gradient, or, cheaper, the gradient of gradient times vector:
 *
 *     LS_TAPE(outer, ls) {
 *         LS_TAPE(inner, ls)
 *             loss = f(x);
 *         ls_gradient(inner, loss, &x, 1, &g);
 *     }
 *     ls_gradient_with(&(ls_gradient_options){.tape = outer, .targets = &g, .target_count = 1,
 *         .output_gradients = &v, .sources = &x, .source_count = 1, .gradients = &hv});
 */
LS_API ls_tensor ls_jvp(ls_tape *tape, ls_tensor target, const ls_tensor *sources, const ls_tensor *tangents,
                        size_t count);

/* ---- Functions with a gradient of their own, and checkpoints ---- */

/** A function of `count` inputs. `user` is what the caller gave; it outlives the tapes that record. */
typedef ls_tensor ls_tensor_function(void *user, const ls_tensor *inputs, size_t count);

/** What a custom gradient is given. All tensors are valid during the call. */
typedef struct ls_custom_call {
    const ls_tensor *inputs;
    size_t count;
    ls_tensor output;          /* what the forward function returned */
    ls_tensor output_gradient; /* of the output's shape */
    ls_tensor *gradients;      /* to fill: one per input, all nil at first; nil: none, which is not zero */
} ls_custom_call;

/** Fills call->gradients with public ops, and returns for how many inputs: call->count, nil ones included. */
typedef size_t ls_custom_backward(void *user, const ls_custom_call *call);

/**
 * forward(user, inputs, count), whose gradient is what `backward` says (tf.custom_gradient). The tapes do
 * not look into `forward`; they see one op. `backward` is written with ops, so outer tapes differentiate
 * it. An input for which it leaves nil is reached by no gradient on this way: if there is no other, ls_gradient
 * gives nil. `name` is what messages call it. Errors, when the gradient is asked for: LS_INVALID_ARGUMENT when
 * backward returns another number than `count`, LS_SHAPE_MISMATCH or LS_DTYPE_MISMATCH for a gradient
 * that does not fit its input. At once: LS_TAPE_ERROR when forward reads a trainable variable that is not
 * among the inputs; LS_INVALID_ARGUMENT when a function is NULL or forward returns nil.
 */
LS_API ls_tensor ls_custom_gradient(ls_context *ls, const char *name, ls_tensor_function *forward,
                                    ls_custom_backward *backward, void *user, const ls_tensor *inputs, size_t count);

/**
 * function(user, inputs, count), of which tapes keep only the inputs: the gradient runs the function again
 * (tf.recompute_grad, checkpointing). It must depend on nothing but its inputs, on variables, and on
 * random numbers, which are drawn again as they were, dropout included. Gradients have the same bits
 * as without it: contributions are added in the same order. A variable counts with the value that it had when
 * the function first read it, whoever assigned to it since. The function may assign to variables: that counts
 * once; what the second run assigns is undone. LS_INVALID_ARGUMENT when it is NULL or returns nil.
 */
LS_API ls_tensor ls_recompute_grad(ls_context *ls, ls_tensor_function *function, void *user, const ls_tensor *inputs,
                                   size_t count);

#ifdef __cplusplus
}
#endif
#endif
