/* SPDX-License-Identifier: Apache-2.0
 *
 * Callbacks: functions that fit, evaluate and predict call on their way. Keras' order: of one hook all callbacks in
 * the order given, then the History, then the progress bar. They share the logs of the hook: what one adds, later
 * ones see, show and keep.
 *
 *     on_train_begin
 *       on_epoch_begin
 *         on_train_batch_begin, on_train_batch_end        for each batch
 *         on_test_begin                                   with validation data
 *           on_test_batch_begin, on_test_batch_end
 *         on_test_end
 *       on_epoch_end
 *     on_train_end
 *
 * A callback belongs to its context. Calls that make one are sticky and return NULL on an error. A callback serves
 * one fit at a time; on_train_begin makes the ready-made ones as new, as in Keras.
 */
#ifndef LOCKSTEP_CALLBACKS_H
#define LOCKSTEP_CALLBACKS_H

#include <lockstep/history.h>
#include <lockstep/layers.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ls_callback ls_callback;

struct ls_run;

/** What a hook is told. */
typedef struct ls_event {
    ls_model *model;
    ls_logs *logs;  /* never NULL; of on_…_begin empty */
    int epoch;      /* 0 the first */
    int64_t batch;  /* 0 the first of its epoch; in epoch and train hooks the number of batches done */
    int epochs;     /* of the whole fit */
    int64_t steps;  /* batches of an epoch; below 1: unknown */
    bool resumed;   /* in on_train_begin: training goes on from a snapshot, so keep what was counted (ls_fit's .resume) */
    struct ls_run *run; /* private */
} ls_event;

/**
 * A hook. Another status than LS_OK stops training: it becomes the context's error, unless the hook raised one by a
 * call that failed, whose message then stays.
 */
typedef ls_status ls_hook(void *user, const ls_event *event);

/** All hooks: expands X(name) for each. */
#define LS_HOOK_LIST(X)                                                                            \
    X(on_train_begin) X(on_train_end) X(on_epoch_begin) X(on_epoch_end)                            \
    X(on_train_batch_begin) X(on_train_batch_end)                                                  \
    X(on_test_begin) X(on_test_end) X(on_test_batch_begin) X(on_test_batch_end)                    \
    X(on_predict_begin) X(on_predict_end) X(on_predict_batch_begin) X(on_predict_batch_end)

typedef struct ls_lambda_callback_options {
    ls_context *context;
    const char *name; /* for messages; copied; default "callback" */
    void *user;
#define LS_HOOK_MEMBER(hook) ls_hook *hook;
    LS_HOOK_LIST(LS_HOOK_MEMBER)
#undef LS_HOOK_MEMBER
    void (*destroy)(void *user); /* called when the callback is released; may be NULL */
} ls_lambda_callback_options;

/** A callback of one's own: any of the hooks. keras.callbacks.LambdaCallback, and subclasses of Callback. */
LS_API ls_callback *ls_lambda_callback_with(const ls_lambda_callback_options *options);
/** ls_lambda_callback(ls, .on_epoch_end = print_it, .user = &it). */
#define ls_lambda_callback(...)                                                                    \
    ls_lambda_callback_with(&(ls_lambda_callback_options){.context = __VA_ARGS__})

/**
 * A line to where fit was told to write (its .progress), else to the log as INFO; for hooks. `text` without line
 * end. As Keras' own callbacks do it, begin with "\n" where a bar may stand unfinished on the line.
 */
LS_API void ls_callback_print(const ls_event *event, const char *text);

/* ---- The numbers that callbacks keep ---- */

/**
 * A number that a ready-made callback keeps, by Keras' name: "wait", "best", "best_epoch", "stopped_epoch" of
 * early stopping; "wait", "best", "cooldown_counter" of the reduction of the rate; "best" of checkpoints. NaN
 * where there is none, and for "best" before the first. Does not block.
 */
LS_API double ls_callback_number(const ls_callback *callback, const char *name);
/** For snapshots: the name of number i, NULL behind the last; and setting one. LS_NOT_FOUND for other names. */
LS_API const char *ls_callback_number_name(const ls_callback *callback, size_t i);
LS_API ls_status ls_callback_set_number(ls_callback *callback, const char *name, double value);
/** For snapshots: the tensors that a callback keeps, none or the weights of the best epoch of early stopping, named as
 * the model's; they hold until the next epoch ends. And copies of others in their place; shares their storage. */
LS_API ls_variables ls_callback_variables(const ls_callback *callback);
LS_API ls_status ls_callback_set_variables(ls_callback *callback, const ls_tensor *values, size_t count);

/* ---- Those that watch a number: of the logs, at the end of an epoch. As in Keras, a number that is NaN the first
 * time is never improved upon: use ls_terminate_on_nan beside them. Comparisons are in float32, as Keras' ---- */

typedef enum ls_monitor_mode {
    LS_MODE_AUTO, /* min for losses, else what is better of the metric of that name (ls_metric_direction) */
    LS_MODE_MIN,
    LS_MODE_MAX
} ls_monitor_mode;

typedef struct ls_early_stopping_options {
    ls_context *context;
    const char *monitor; /* default "val_loss" */
    double min_delta;    /* less than that is no improvement; default 0 */
    int patience;        /* epochs without improvement that are let pass; default 0, which acts as 1 */
    int verbose;         /* 1: says what it does */
    ls_monitor_mode mode;
    double baseline;     /* patience runs until the number is better than this; 0: none, LS_ZERO: 0 */
    bool restore_best_weights; /* at the end, stopped or not; all variables of the model */
    int start_from_epoch; /* epochs before are not looked at */
} ls_early_stopping_options;

/**
 * Stops training when a number stops getting better. A number that is missing is a warning in the log.
 * LS_INVALID_ARGUMENT, when training begins, where the mode is auto and nobody knows the direction.
 * keras.callbacks.EarlyStopping.
 */
LS_API ls_callback *ls_early_stopping_with(const ls_early_stopping_options *options);
/** ls_early_stopping(ls, .patience = 3) or ls_early_stopping(ls, "val_accuracy", .patience = 3). */
#define ls_early_stopping(...) ls_early_stopping_with(&(ls_early_stopping_options){.context = __VA_ARGS__})

typedef struct ls_reduce_lr_options {
    ls_context *context;
    const char *monitor; /* default "val_loss" */
    double factor;       /* default 0.1; below 1 */
    int patience;        /* default 10 */
    int verbose;         /* 1: says what it does */
    ls_monitor_mode mode;
    double min_delta;    /* default 1e-4; LS_ZERO: 0 */
    int cooldown;        /* epochs after a reduction in which it does not count; default 0 */
    double min_lr;       /* default 0 */
} ls_reduce_lr_options;

/** Multiplies the learning rate by `factor` when a number stops getting better, and logs "learning_rate".
 * LS_INVALID_ARGUMENT for a factor of 1 or more. keras.callbacks.ReduceLROnPlateau. */
LS_API ls_callback *ls_reduce_lr_on_plateau_with(const ls_reduce_lr_options *options);
/** ls_reduce_lr_on_plateau(ls, .factor = 0.5, .patience = 2). */
#define ls_reduce_lr_on_plateau(...) ls_reduce_lr_on_plateau_with(&(ls_reduce_lr_options){.context = __VA_ARGS__})

typedef struct ls_model_checkpoint_options {
    ls_context *context;
    const char *path;     /* ends with .weights.h5 or .safetensors; a template: {epoch:02d} and {batch} from 1,
                           * {val_loss:.2f} of the logs; copied */
    const char *monitor;  /* default "val_loss" */
    int verbose;          /* 1: says what it does */
    bool save_best_only;
    ls_monitor_mode mode;
    int64_t save_freq;    /* after every so many batches, counted through all epochs; 0: after epochs */
    double initial_value_threshold; /* the best so far; 0: none, LS_ZERO: 0 */
    ls_status (*save)(void *user, ls_model *model, const char *path); /* default ls_save_weights, with the optimizer */
    void *user;           /* for save */
} ls_model_checkpoint_options;

/**
 * Saves the model, into folders that it makes. With save_best_only only where the number is the best so far; where it
 * is missing, it warns and saves. The best counts on in the next fit. Errors: LS_INVALID_ARGUMENT for a template
 * that names what is not there, and those of saving, which end training. keras.callbacks.ModelCheckpoint.
 */
LS_API ls_callback *ls_model_checkpoint_with(const ls_model_checkpoint_options *options);
/** ls_model_checkpoint(ls, "best.weights.h5", .save_best_only = true). */
#define ls_model_checkpoint(...)                                                                   \
    ls_model_checkpoint_with(&(ls_model_checkpoint_options){.context = __VA_ARGS__})

/* ---- Others ---- */

typedef struct ls_lr_scheduler_options {
    ls_context *context;
    double (*schedule)(void *user, int epoch, double learning_rate); /* the rate of this epoch, from the one before */
    int verbose; /* 1: says what it sets */
    void *user;
} ls_lr_scheduler_options;

/** Sets the learning rate when an epoch begins, and logs "learning_rate". An error where the optimizer has a schedule
 * of its own, or for a rate that is not finite. keras.callbacks.LearningRateScheduler. */
LS_API ls_callback *ls_learning_rate_scheduler_with(const ls_lr_scheduler_options *options);
/** ls_learning_rate_scheduler(ls, halve). */
#define ls_learning_rate_scheduler(...)                                                            \
    ls_learning_rate_scheduler_with(&(ls_lr_scheduler_options){.context = __VA_ARGS__})

typedef struct ls_terminate_on_nan_options {
    ls_context *context;
    bool raise_error; /* fit returns LS_NOT_FINITE; else it ends as by ls_stop_training */
} ls_terminate_on_nan_options;

/** Ends training when the loss is NaN or infinite. Reads the loss after every batch, which blocks.
 * keras.callbacks.TerminateOnNaN. */
LS_API ls_callback *ls_terminate_on_nan_with(const ls_terminate_on_nan_options *options);
/** ls_terminate_on_nan(ls). */
#define ls_terminate_on_nan(...) ls_terminate_on_nan_with(&(ls_terminate_on_nan_options){.context = __VA_ARGS__})

typedef struct ls_csv_logger_options {
    ls_context *context;
    const char *path;      /* copied */
    const char *separator; /* default ","; one character */
    bool append;           /* goes on behind what is there, and writes no second header */
} ls_csv_logger_options;

/**
 * One line for each epoch, written through at once: "epoch" and the logs by name, those of the first epoch; where
 * it has no val_ ones, their columns are there too; NA where there is no number; lines end with CR LF, as Python's.
 * An error when the file cannot be written: LS_FILE_ERROR. keras.callbacks.CSVLogger.
 */
LS_API ls_callback *ls_csv_logger_with(const ls_csv_logger_options *options);
/** ls_csv_logger(ls, "training.csv") or ls_csv_logger(ls, "training.csv", .append = true). */
#define ls_csv_logger(...) ls_csv_logger_with(&(ls_csv_logger_options){.context = __VA_ARGS__})

typedef struct ls_tensorboard_options {
    ls_context *context;
    const char *log_dir;  /* default "logs"; copied. Event files come into its folders train and validation */
    int histogram_freq;   /* histograms of all weights every so many epochs; 0: none */
    int64_t update_freq;  /* "batch_<name>" after every so many batches, which blocks then; 0: epochs alone */
    bool write_steps_per_second;
} ls_tensorboard_options;

/**
 * Files for TensorBoard: epoch_<name> (of val_ ones into validation), epoch_learning_rate,
 * evaluation_<name>_vs_iterations, and what the options say; the step of an epoch is its number from 0.
 * keras.callbacks.TensorBoard. The graph of the model is not written.
 */
LS_API ls_callback *ls_tensorboard_with(const ls_tensorboard_options *options);
/** ls_tensorboard(ls, "logs") or ls_tensorboard(ls, "logs", .histogram_freq = 1). */
#define ls_tensorboard(...) ls_tensorboard_with(&(ls_tensorboard_options){.context = __VA_ARGS__})

/** Releases a callback and sets `*callback` to NULL. Accepts NULL. Not needed before ls_close. */
LS_API void ls_callback_destroy(ls_callback **callback);

#ifdef __cplusplus
}
#endif
#endif
