/* SPDX-License-Identifier: Apache-2.0
 *
 * compile, fit, evaluate, predict, as in Keras, and what of them can be overridden.
 *
 *     ls_compile(mlp, ls_adam(ls), {ls_sparse_categorical_crossentropy_with, .from_logits = true},
 *                .metrics = LS_METRICS(ls_sparse_categorical_accuracy(ls, "accuracy")));
 *     ls_fit(mlp, train, .epochs = 5, .validation_data = validation, .verbose = 1, .progress.file = stdout);
 *
 * Calls return an ls_status and are sticky as well: the context keeps the first error, whose message says in which
 * epoch and batch it happened. Options as in layers.h. One thread per context at a time.
 */
#ifndef LOCKSTEP_TRAIN_H
#define LOCKSTEP_TRAIN_H

#include <signal.h>

#include <lockstep/callbacks.h>
#include <lockstep/data.h>
#include <lockstep/history.h>
#include <lockstep/losses.h>
#include <lockstep/models.h>
#include <lockstep/optimizers.h>
#include <lockstep/progress.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- compile ---- */

/** The loss of one output: {ls_huber_with, .delta = 2}. */
typedef struct ls_loss {
    ls_loss_function *function; /* of losses.h, or one of one's own */
    bool from_logits;
    float label_smoothing, delta;
    ls_reduction reduction;
    float weight;               /* Keras' loss_weights; 0: 1 */
    ls_metric *const *metrics;  /* of this output, where there are several; ends with NULL */
    const char *name;           /* where there are several, "<name>_loss" is logged; default output_1, output_2, … */
} ls_loss;

/** Metrics in an array that ends with NULL. It lives as long as the block: ls_compile copies it. */
#define LS_METRICS(...) ((ls_metric *[]){__VA_ARGS__, NULL})

/** One batch on its way through a step. The tensors belong to the batch's scope; nil where there is none. */
typedef struct ls_step {
    ls_context *context;
    ls_model *model;
    ls_optimizer *optimizer;         /* that of ls_compile */
    ls_tensor x, y, sample_weight;   /* the first inputs[] and targets[] */
    const ls_tensor *inputs, *targets;
    size_t input_count, target_count;
    int64_t size;                    /* samples in this batch */
    void *user;                      /* that of ls_compile */
    ls_tensor *outputs;              /* of the last ls_forward; as many as there are losses, at least one */
} ls_step;

typedef struct ls_compile_options {
    ls_model *model;
    ls_optimizer *optimizer;      /* NULL: only for evaluate and predict, or for a train_step with its own */
    ls_loss loss;                 /* of the one output */
    ls_metric *const *metrics;    /* ends with NULL; updated with (y, y_pred) */
    ls_metric *const *weighted_metrics; /* likewise, with sample_weight too */
    const ls_loss *losses;        /* in place of loss, for several outputs: one for each */
    size_t loss_count;

    /* Overrides, the role of subclassing keras.Model. NULL: the default, which is a function below. */
    void (*train_step)(ls_step *step);
    void (*test_step)(ls_step *step);
    ls_tensor (*predict_step)(ls_step *step);
    ls_tensor (*compute_loss)(ls_step *step, ls_tensor y_pred);
    void (*compute_metrics)(ls_step *step, ls_tensor y_pred);
    ls_metric *const *trackers;   /* metrics that the overrides update; shown, logged, reset like the others */
    void *user;                   /* for step->user */
} ls_compile_options;

/**
 * Says how the model is trained. The model keeps copies of the lists, and uses optimizer and metrics until it is
 * compiled anew. Errors: LS_INVALID_ARGUMENT for two metrics of one name, or one whose result is no single number;
 * LS_FOREIGN_HANDLE. model.compile.
 */
LS_API ls_status ls_compile_with(const ls_compile_options *options);
/** ls_compile(mlp, adam, {ls_mean_squared_error_with}, .metrics = LS_METRICS(mae)). */
#define ls_compile(...) ls_compile_with(&(ls_compile_options){.model = __VA_ARGS__})

/** All metrics of a compiled model by name, with the mean that is called "loss": an array that ends with NULL and holds
 * until it is compiled anew; NULL before. model.metrics. */
LS_API ls_metric *const *ls_model_metrics(const ls_model *model);
/** The optimizer given to ls_compile; NULL before it. */
LS_API ls_optimizer *ls_model_optimizer(const ls_model *model);

/* ---- The parts of a step: the defaults, for overrides to call ---- */

/** model(inputs), all its outputs into step->outputs; returns the first. */
LS_API ls_tensor ls_forward(ls_step *step, bool training);
/** The loss by the override, else the default: each output's loss times its weight, added up from the first to the
 * last, plus ls_sum_losses. The outputs are y_pred, or step->outputs where there are several. */
LS_API ls_tensor ls_compute_loss(ls_step *step, ls_tensor y_pred);
LS_API ls_tensor ls_default_compute_loss(ls_step *step, ls_tensor y_pred);
/** Updates the compiled metrics, by the override, else the default. */
LS_API void ls_compute_metrics(ls_step *step, ls_tensor y_pred);
LS_API void ls_default_compute_metrics(ls_step *step, ls_tensor y_pred);
/** Takes the batch's loss into the metric "loss": a mean weighted by batch sizes. */
LS_API void ls_track_loss(ls_step *step, ls_tensor loss);
/**
 * forward and loss on a tape, track_loss, gradients, apply_gradients, metrics; in public calls:
 *
 *     LS_TAPE(tape, step->context) {
 *         y_pred = ls_forward(step, true);
 *         loss = ls_compute_loss(step, y_pred);
 *     }
 *     ls_track_loss(step, loss);
 *     ls_apply_gradients(step->optimizer, ls_gradients_of(tape, loss, ls_trainable_variables(step->model)));
 *     ls_compute_metrics(step, y_pred);
 */
LS_API void ls_default_train_step(ls_step *step);
/** forward, loss, track_loss, metrics. */
LS_API void ls_default_test_step(ls_step *step);
/** forward. */
LS_API ls_tensor ls_default_predict_step(ls_step *step);

/* ---- fit and its kin ---- */

/** A class and what its samples weigh. */
typedef struct ls_class_weight {
    int class_id; /* 0 to 1,000,000 */
    float weight;
} ls_class_weight;

/** Where batches come from: a data set that is batched, or tensors. */
#define LS_DATA_OPTIONS                                                                            \
    ls_dataset *data;                                                                              \
    ls_tensor x, y, sample_weight; /* (n, …), (n, …), (n) or nil */                                \
    const ls_tensor *inputs, *targets; /* in place of x and y, for several: at most 16 of each */  \
    size_t input_count, target_count;                                                              \
    int64_t batch_size; /* of tensors; default 32 */

/** What is told meanwhile, and by what it is stopped. */
#define LS_RUN_OPTIONS                                                                             \
    int verbose;                  /* 0: nothing; 1: a progress bar; 2: a line for each epoch */    \
    ls_progress_options progress; /* where to: .progress.file = stdout. Needed if verbose. Messages of callbacks go \
                                   * there too, without it to the log. The context is filled in */ \
    ls_callback *const *callbacks; /* ends with NULL; called in this order */                      \
    const volatile sig_atomic_t *stop; /* leaves after the current batch once it is not 0: a signal handler of the \
                                        * program may set it */

/** Callbacks in an array that ends with NULL. */
#define LS_CALLBACKS(...) ((ls_callback *[]){__VA_ARGS__, NULL})

typedef struct ls_fit_options {
    ls_model *model;
    LS_DATA_OPTIONS
    LS_RUN_OPTIONS
    int epochs;              /* default 1: the last one's number, counted from 1 */
    int initial_epoch;       /* the first one's number, counted from 0 */
    bool resume;             /* goes on from a snapshot, see below */
    int64_t initial_batch;   /* of a resumed epoch: how many of its batches were done */
    int64_t steps_per_epoch; /* 0: all of the data. Else data go on where the last epoch left them */
    bool no_shuffle;         /* tensors are shuffled each epoch (Keras' shuffle = True), data sets never */
    const ls_class_weight *class_weight; /* samples of classes that are not in it weigh 1 */
    size_t class_weight_count;
    ls_dataset *validation_data; /* or tensors: */
    ls_tensor validation_x, validation_y, validation_sample_weight;
    double validation_split; /* the part of the tensors, from their end, that validates: 0 to below 1 */
    int validation_freq;     /* every so many epochs; default 1 */
    int64_t validation_steps, validation_batch_size;
    ls_history **history;    /* gets the History, on an error too; yours to destroy, else with the context */
} ls_fit_options;

/**
 * Trains for some epochs, as Keras does: for each epoch metrics are reset; each batch passes train_step in a scope
 * of its own; then the validation data pass test_step. Hooks are called in Keras' order (callbacks.h). Nothing is
 * read from the device between batches but by callbacks and, up to 20 times a second, by the bar.
 *
 * ls_stop_training ends it as in Keras: after the batch the epoch is completed, with validation. `stop` ends it at
 * once: no validation, no on_epoch_end; both call on_train_end and return LS_OK. When a callback or a step fails,
 * that error is returned; the model keeps the weights of the last complete batch, and on_train_end is called
 * before, with the error set aside, so that callbacks can save. With optimizers that average, variables become
 * their averages at the end. When steps_per_epoch is more than the data hold, the epoch ends early with a warning.
 *
 * With `resume`, the weights, optimizer, random numbers, metrics, callbacks and the position of the data set are as a
 * snapshot restored them; training goes on with batch initial_batch of epoch initial_epoch and gives the bits of
 * a training that was never interrupted. Callbacks keep their numbers; in the middle of an epoch metrics are not reset and
 * on_epoch_begin is not called again; if *history is not NULL, it is added to. A snapshot is taken by a callback: in
 * on_train_batch_end, as the last one, of (epoch, batch + 1), or in on_epoch_begin, as the first one, of (epoch, 0).
 * The data must be a data set, for tensors are shuffled anew.
 *
 * Errors: LS_INVALID_ARGUMENT for options that do not go together, no data, and a call from within fit.
 */
LS_API ls_status ls_fit_with(const ls_fit_options *options);
/** ls_fit(mlp, train, .epochs = 5) or ls_fit(mlp, .x = x, .y = y, .batch_size = 64). */
#define ls_fit(...) ls_fit_with(&(ls_fit_options){.model = __VA_ARGS__})

typedef struct ls_evaluate_options {
    ls_model *model;
    LS_DATA_OPTIONS
    LS_RUN_OPTIONS
    int64_t steps;  /* 0: all */
    ls_logs *logs;  /* gets loss and metrics; NULL: nobody asks */
} ls_evaluate_options;

/** Resets the metrics and runs test_step over the data, once. Blocks. model.evaluate. */
LS_API ls_status ls_evaluate_with(const ls_evaluate_options *options);
/** ls_evaluate(mlp, test, .logs = &logs). */
#define ls_evaluate(...) ls_evaluate_with(&(ls_evaluate_options){.model = __VA_ARGS__})

typedef struct ls_predict_options {
    ls_model *model;
    LS_DATA_OPTIONS /* y is not looked at */
    LS_RUN_OPTIONS
    int64_t steps;
    ls_tensor *y_pred; /* gets all predictions (n, …) in the innermost scope; nil on an error */
} ls_predict_options;

/** Runs predict_step over the data and puts the results together. Needs no ls_compile. model.predict. */
LS_API ls_status ls_predict_with(const ls_predict_options *options);
/** ls_predict(mlp, .x = images, .y_pred = &logits). */
#define ls_predict(...) ls_predict_with(&(ls_predict_options){.model = __VA_ARGS__})

typedef struct ls_on_batch_options {
    ls_model *model;
    ls_tensor x, y, sample_weight;
    const ls_tensor *inputs, *targets;
    size_t input_count, target_count;
    const ls_class_weight *class_weight;
    size_t class_weight_count;
    ls_logs *logs;     /* gets loss and metrics of this batch; blocks. NULL: nobody asks, nothing blocks */
    ls_tensor *y_pred; /* of ls_predict_on_batch */
} ls_on_batch_options;

/** One train_step, test_step or predict_step, without callbacks. The first two reset the metrics before, as in Keras. */
LS_API ls_status ls_train_on_batch_with(const ls_on_batch_options *options);
LS_API ls_status ls_test_on_batch_with(const ls_on_batch_options *options);
LS_API ls_status ls_predict_on_batch_with(const ls_on_batch_options *options);
/** ls_train_on_batch(mlp, x, y) or ls_train_on_batch(mlp, x, y, .logs = &logs). */
#define ls_train_on_batch(...) ls_train_on_batch_with(&(ls_on_batch_options){.model = __VA_ARGS__})
#define ls_test_on_batch(...) ls_test_on_batch_with(&(ls_on_batch_options){.model = __VA_ARGS__})
/** ls_predict_on_batch(mlp, x, .y_pred = &logits). */
#define ls_predict_on_batch(...) ls_predict_on_batch_with(&(ls_on_batch_options){.model = __VA_ARGS__})

/** Sets the loss and all metrics of a compiled model back to having counted nothing. */
LS_API ls_status ls_reset_metrics(ls_model *model);

/** Keras' model.stop_training = True: fit ends behind this batch, or this epoch. No effect outside of fit. */
LS_API void ls_stop_training(ls_model *model);

#ifdef __cplusplus
}
#endif
#endif
