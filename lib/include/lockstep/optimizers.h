/* SPDX-License-Identifier: Apache-2.0
 *
 * Optimizers, as Keras computes them, with the canonical arithmetic of update.h. An optimizer
 * belongs to its context. Options as in layers.h: a member left out means Keras' default; write
 * LS_ZERO where a true 0 is meant. One thread per context at a time.
 */
#ifndef LOCKSTEP_OPTIMIZERS_H
#define LOCKSTEP_OPTIMIZERS_H

#include <lockstep/layers.h>
#include <lockstep/tape.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ls_optimizer ls_optimizer;

/** A true zero where zero means the default: `.beta_1 = LS_ZERO`. */
#define LS_ZERO (-0.0f)

/* ---- Gradients with the variables they belong to ---- */

/** gradients of variables, item by item; nil where the target does not depend on the variable. */
typedef struct ls_gradients {
    ls_tensor *items;
    const ls_tensor *variables;
    size_t count;
    ls_context *context;
} ls_gradients;

/**
 * ls_gradient of `target` to each of `variables`: tape.gradient(loss, model.trainable_variables). The
 * items may be replaced, say by clipped ones, before they are applied; they and the list belong to
 * the innermost scope. Sticky: on an error the list is empty. Errors: those of ls_gradient;
 * LS_INVALID_ARGUMENT for a list of variables that no layer made (use ls_gradient itself, with an
 * array of your own, and fill in an ls_gradients).
 */
LS_API ls_gradients ls_gradients_of(ls_tape *tape, ls_tensor target, ls_variables variables);

/* ---- Applying them ---- */

/**
 * One step of the optimizer: updates every variable by its gradient, in place on the device. The
 * optimizer's slots for a variable are made the first time it sees it (in a captured function: in its
 * first call, which is not recorded). A nil gradient leaves its variable alone; a warning in the log
 * names such variables, once. Does not block. Errors: LS_NO_GRADIENT "No gradients provided for any
 * variable" when all are nil, and those of update.h.
 */
LS_API ls_status ls_apply_gradients(ls_optimizer *optimizer, ls_gradients gradients);

/** Makes the slots for `variables` now; see ls_apply_gradients. */
LS_API ls_status ls_optimizer_build(ls_optimizer *optimizer, ls_variables variables);

/** The learning rate. Blocks; NaN on an error. */
LS_API float ls_learning_rate(const ls_optimizer *optimizer);
/** Changes it from the next step on, in captured functions too. Does not block. */
LS_API ls_status ls_set_learning_rate(ls_optimizer *optimizer, float learning_rate);
/** How many steps were applied, an int32 variable of rank 0. */
LS_API ls_tensor ls_iterations(const ls_optimizer *optimizer);

/** Releases an optimizer and its slots, and sets `*optimizer` to NULL. Accepts NULL. */
LS_API void ls_optimizer_destroy(ls_optimizer **optimizer);

/* ---- The optimizers. LS_INVALID_ARGUMENT names an option outside its range ---- */

typedef struct ls_sgd_options {
    ls_context *context;
    float learning_rate; /* default 0.01; >= 0 */
    float momentum;      /* default 0; 0 to 1 */
    bool nesterov;
    const char *name;    /* default "SGD" */
} ls_sgd_options;

/**
 * w -= lr g; with momentum v = momentum v - lr g, w += v; nesterov w += momentum v - lr g with the
 * new v. Exact expressions: ls_update_sgd. keras.optimizers.SGD.
 */
LS_API ls_optimizer *ls_sgd_with(const ls_sgd_options *options);
/** ls_sgd(ls) or ls_sgd(ls, .learning_rate = 0.1f, .momentum = 0.9f). */
#define ls_sgd(...) ls_sgd_with(&(ls_sgd_options){.context = __VA_ARGS__})

typedef struct ls_adam_options {
    ls_context *context;
    float learning_rate; /* default 0.001; >= 0 */
    float beta_1;        /* default 0.9; 0 to below 1 */
    float beta_2;        /* default 0.999; 0 to below 1 */
    float epsilon;       /* default 1e-7; >= 0 */
    const char *name;    /* default "adam" */
} ls_adam_options;

/**
 * m += (g - m)(1 - beta_1), v += (g^2 - v)(1 - beta_2), t the steps so far and this one:
 * w -= lr sqrt(1 - beta_2^t) / (1 - beta_1^t) m / (sqrt(v) + epsilon). Exact expressions:
 * ls_update_adam. keras.optimizers.Adam; Kingma and Ba, "Adam", 2014, end of section 2.
 */
LS_API ls_optimizer *ls_adam_with(const ls_adam_options *options);
/** ls_adam(ls) or ls_adam(ls, .learning_rate = 1e-3f). */
#define ls_adam(...) ls_adam_with(&(ls_adam_options){.context = __VA_ARGS__})

#ifdef __cplusplus
}
#endif
#endif
