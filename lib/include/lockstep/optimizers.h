/* SPDX-License-Identifier: Apache-2.0
 *
 * Optimizers, as Keras computes them, with the canonical arithmetic of update.h. An optimizer
 * belongs to its context. Options as in layers.h: a member left out means Keras' default; write
 * LS_ZERO where a true 0 is meant. One thread per context at a time.
 */
#ifndef LOCKSTEP_OPTIMIZERS_H
#define LOCKSTEP_OPTIMIZERS_H

#include <lockstep/layers.h>
#include <lockstep/schedules.h>
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

/* ---- Clipping, with public ops. Gradients below 2^-50 count as 0 in a norm (canon.md rule 17) ---- */

/**
 * a * clip_norm / max(norm, clip_norm), norm = sqrt(sum a^2) over all elements: no longer than clip_norm.
 * Zeros stay zeros. tf.clip_by_norm. Sticky: LS_INVALID_ARGUMENT unless clip_norm is above 0.
 */
LS_API ls_tensor ls_clip_by_norm(ls_tensor a, float clip_norm);

/**
 * Clips all gradients together, in place of `items`, and returns their global norm before that, rank 0:
 * each is multiplied by clip_norm * min(1 / norm, 1 / clip_norm), or becomes NaN if the norm is not
 * finite. nil items stay nil. tf.clip_by_global_norm. Sticky: LS_INVALID_ARGUMENT unless clip_norm is
 * above 0 and at least one item is not nil.
 */
LS_API ls_tensor ls_clip_by_global_norm(ls_gradients gradients, float clip_norm);

/** sqrt of the sum of all squares, rank 0. tf.linalg.global_norm. */
LS_API ls_tensor ls_global_norm(ls_gradients gradients);

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

/**
 * The optimizer's variables: those of Keras in Keras' order (iteration, learning_rate unless there is a
 * schedule, averages, gradient accumulators, slots), then those that Keras does not have. For saving;
 * `items` holds until the innermost scope ends. Slots exist once built.
 */
LS_API ls_variables ls_optimizer_variables(ls_optimizer *optimizer);

/**
 * Variables whose own name (what stands after the last "/": kernel, bias) matches one of the POSIX
 * extended regular expressions, which end with NULL, do not decay: optimizer.exclude_from_weight_decay.
 * Before the slots are made. LS_INVALID_ARGUMENT names a pattern that is none.
 */
LS_API ls_status ls_exclude_from_weight_decay_of(ls_optimizer *optimizer, const char *const *patterns);
/** ls_exclude_from_weight_decay(adamw, "bias", "gamma"). */
#define ls_exclude_from_weight_decay(optimizer, ...)                                               \
    ls_exclude_from_weight_decay_of(optimizer, (const char *const[]){__VA_ARGS__, NULL})

/** With use_ema: sets every variable to its average, as at the end of fit. finalize_variable_values. */
LS_API ls_status ls_finalize_variable_values(ls_optimizer *optimizer);

/** The learning rate; with a schedule that of the next step. Blocks; NaN on an error. */
LS_API float ls_learning_rate(const ls_optimizer *optimizer);
/** Changes it from the next step on, in captured functions too. Does not block. LS_INVALID_ARGUMENT when a
 * schedule sets it. */
LS_API ls_status ls_set_learning_rate(ls_optimizer *optimizer, float learning_rate);
/** How many times gradients were applied (or accumulated), an int32 variable of rank 0. */
LS_API ls_tensor ls_iterations(const ls_optimizer *optimizer);

/** Releases an optimizer and its slots, and sets `*optimizer` to NULL. Accepts NULL. */
LS_API void ls_optimizer_destroy(ls_optimizer **optimizer);

/* ---- The optimizers. LS_INVALID_ARGUMENT names an option outside its range ---- */

/**
 * What every optimizer may be given beside its own options. A step is: clip (one of the three), decay,
 * update, average. With accumulation, the gradients of that many calls are summed, and the last of
 * them applies their mean: what was there before stays, to the bit, in the calls between. There a
 * schedule counts calls, and averages move at every call, as in Keras.
 */
#define LS_OPTIMIZER_OPTIONS                                                                       \
    ls_schedule schedule;              /* in place of learning_rate */                             \
    float weight_decay;                /* w -= w weight_decay lr; default 0 */                     \
    float clipnorm;                    /* each gradient by its own norm; 0: not */                 \
    float global_clipnorm;             /* all by their common norm; 0: not */                      \
    float clipvalue;                   /* each element to [-clipvalue, clipvalue]; 0: not */       \
    bool use_ema;                      /* keep moving averages of the variables */                 \
    float ema_momentum;                /* default 0.99; 0 to 1 */                                  \
    int ema_overwrite_frequency;       /* variables become their averages every so many; 0: never */ \
    int gradient_accumulation_steps;   /* 0: none; at least 2 */

typedef struct ls_sgd_options {
    ls_context *context;
    float learning_rate; /* default 0.01; >= 0 */
    float momentum;      /* default 0; 0 to 1 */
    bool nesterov;
    const char *name;    /* default "SGD" */
    LS_OPTIMIZER_OPTIONS
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
    bool amsgrad;        /* the largest v so far in the place of v */
    LS_OPTIMIZER_OPTIONS
} ls_adam_options;

/**
 * m += (g - m)(1 - beta_1), v += (g^2 - v)(1 - beta_2), t the steps so far and this one:
 * w -= lr sqrt(1 - beta_2^t) / (1 - beta_1^t) m / (sqrt(v) + epsilon). Exact expressions:
 * ls_update_adam. keras.optimizers.Adam; Kingma and Ba, "Adam", 2014, end of section 2.
 */
LS_API ls_optimizer *ls_adam_with(const ls_adam_options *options);
/** ls_adam(ls) or ls_adam(ls, .learning_rate = 1e-3f). */
#define ls_adam(...) ls_adam_with(&(ls_adam_options){.context = __VA_ARGS__})

/** Adam with decoupled weight decay, default 0.004; named "adamw". keras.optimizers.AdamW. */
LS_API ls_optimizer *ls_adamw_with(const ls_adam_options *options);
/** ls_adamw(ls) or ls_adamw(ls, .weight_decay = 1e-2f). */
#define ls_adamw(...) ls_adamw_with(&(ls_adam_options){.context = __VA_ARGS__})

typedef struct ls_rmsprop_options {
    ls_context *context;
    float learning_rate; /* default 0.001; >= 0 */
    float rho;           /* default 0.9; 0 to 1 */
    float momentum;      /* default 0; 0 to 1 */
    float epsilon;       /* default 1e-7; >= 0 */
    bool centered;       /* divide by the variance, not by the mean square */
    const char *name;    /* default "rmsprop" */
    LS_OPTIMIZER_OPTIONS
} ls_rmsprop_options;

/** Exact expressions: ls_update_rmsprop. keras.optimizers.RMSprop. */
LS_API ls_optimizer *ls_rmsprop_with(const ls_rmsprop_options *options);
/** ls_rmsprop(ls) or ls_rmsprop(ls, 1e-3f, .centered = true). */
#define ls_rmsprop(...) ls_rmsprop_with(&(ls_rmsprop_options){.context = __VA_ARGS__})

typedef struct ls_adagrad_options {
    ls_context *context;
    float learning_rate;             /* default 0.001; >= 0 */
    float initial_accumulator_value; /* default 0.1; >= 0 */
    float epsilon;                   /* default 1e-7; >= 0 */
    const char *name;                /* default "adagrad" */
    LS_OPTIMIZER_OPTIONS
} ls_adagrad_options;

/** Exact expressions: ls_update_adagrad. keras.optimizers.Adagrad. */
LS_API ls_optimizer *ls_adagrad_with(const ls_adagrad_options *options);
/** ls_adagrad(ls) or ls_adagrad(ls, 0.01f). */
#define ls_adagrad(...) ls_adagrad_with(&(ls_adagrad_options){.context = __VA_ARGS__})

#ifdef __cplusplus
}
#endif
#endif
