/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of this room share: what ls_compile leaves with a model, where batches come from, one run of fit or
 * its kin, and the hooks it calls.
 */
#ifndef LOCKSTEP_TRAIN_TRAIN_H
#define LOCKSTEP_TRAIN_TRAIN_H

#include <lockstep/train.h>

#include "../core/internal.h"

enum { LS_STEP_TENSORS = 16 };

/* ---- compile.c ---- */

/** A metric and the output it looks at. */
struct ls_output_metric {
    ls_metric *metric;
    size_t output;
    bool weighted;
    char name[2 * LS_LOG_NAME_SIZE]; /* in logs: with several outputs "<output>_<metric>", as Keras has it */
};

/** What a compiled model knows. */
struct ls_compiled {
    ls_context *context;
    ls_compile_options options; /* the pointers to lists are not used */
    ls_loss *losses;            /* one for each output */
    size_t loss_count;
    ls_metric *loss;            /* the mean that is called "loss"; NULL where no loss is tracked */
    ls_metric **output_losses;  /* of several outputs; else NULL */
    struct ls_output_metric *metrics;
    size_t metric_count;
    ls_metric **all;            /* every metric, by name, ends with NULL: what is reset and logged */
    bool running, stop;         /* in fit; ls_stop_training */
    bool told_of_frozen;
};

/** What ls_compile left; NULL, with the error raised, if it was not called. `who` is for the message. */
struct ls_compiled *ls_compiled_of(ls_model *model, const char *who);
/** The same; NULL without an error. */
struct ls_compiled *ls_compiled_or_null(const ls_model *model);

/** What a metric of `all` is called in logs. */
const char *ls_name_in_logs(const struct ls_compiled *compiled, const ls_metric *metric);

/* ---- logs.c ---- */

void ls_logs_clear(ls_logs *logs);
/** Lists the metrics, to be read when somebody asks. */
void ls_logs_of_metrics(ls_logs *logs, const struct ls_compiled *compiled);
/** Reads all of them now. */
void ls_logs_read(ls_logs *logs);
void ls_logs_sort(ls_logs *logs);

/* ---- feed.c ---- */

/** Batches from a data set or tensors. All zero is closed. */
struct ls_feed {
    ls_context *context;
    const char *who;
    ls_dataset *dataset;
    bool own_dataset; /* made here, of tensors */
    bool by_number;   /* the data set holds sample numbers; the tensors are gathered by them */
    ls_tensor inputs[LS_STEP_TENSORS], targets[LS_STEP_TENSORS], weight; /* all samples */
    size_t input_count, target_count;
    bool weighted;
    ls_tensor class_table; /* (classes + 1), the last for all others; nil: none */
    int64_t class_count;
    int64_t batches;       /* of one pass; below 1: unknown */
    ls_batch batch;
    bool begun;
    ls_tensor batch_inputs[LS_STEP_TENSORS], batch_targets[LS_STEP_TENSORS];
};

/** What ls_feed_open takes: LS_DATA_OPTIONS, and whether the samples are shuffled. */
struct ls_feed_options {
    LS_DATA_OPTIONS
    bool shuffle;
    const ls_class_weight *class_weight;
    size_t class_weight_count;
};

#define LS_FEED_OPTIONS(o)                                                                         \
    .data = (o)->data, .x = (o)->x, .y = (o)->y, .sample_weight = (o)->sample_weight,              \
    .inputs = (o)->inputs, .targets = (o)->targets, .input_count = (o)->input_count,               \
    .target_count = (o)->target_count, .batch_size = (o)->batch_size

/** Its tensors belong to the innermost scope, which must outlast it. Close it also after an error. */
ls_status ls_feed_open(struct ls_feed *feed, ls_context *ls, const char *who, const struct ls_feed_options *options);
/** Whether a pass ends, by itself or after `steps`; else raises an error that asks for `option`. */
bool ls_feed_ends(const struct ls_feed *feed, int64_t steps, const char *option);
/** The next batch into `step`, in a scope of its own; false at the end of a pass (the next call begins another). */
bool ls_feed_next(struct ls_feed *feed, ls_step *step);
/** Ends the scope of the batch. */
void ls_feed_release(struct ls_feed *feed);
/** Begins the next call with a new pass. */
void ls_feed_restart(struct ls_feed *feed);
void ls_feed_close(struct ls_feed *feed);

/** What a class weight table makes of labels: one weight for each sample. */
ls_tensor ls_class_table(ls_context *ls, const char *who, const ls_class_weight *weights, size_t count,
                         int64_t *classes);
ls_tensor ls_class_weights_of(ls_tensor labels, ls_tensor table, int64_t classes);

/* ---- callback.c ---- */

enum ls_hook_number {
#define LS_HOOK_NUMBER(hook) LS_HOOK_##hook,
    LS_HOOK_LIST(LS_HOOK_NUMBER)
#undef LS_HOOK_NUMBER
    LS_HOOK_COUNT
};

/** Copies of tensors, as variables. All zero is empty. */
struct ls_kept {
    ls_tensor *items;
    size_t count;
};

enum { LS_CALLBACK_NUMBERS = 5 };

/** A number that a callback keeps: in its state, under a name. */
struct ls_callback_number {
    const char *name;
    double *at;
};

struct ls_callback {
    ls_context *context;
    char *name;
    void *user; /* of a ready-made one: its state */
    ls_hook *hooks[LS_HOOK_COUNT];
    void (*destroy)(void *user);
    struct ls_callback_number numbers[LS_CALLBACK_NUMBERS]; /* a name NULL ends, if not full */
    struct ls_kept *kept;   /* in its state; NULL: it keeps no tensors */
};

/** Host memory for the state of a ready-made callback, all zero; NULL with the error raised. */
void *ls_callback_state(ls_context *ls, const char *name, size_t size);

/** Keeps copies of tensors in the place of those before; they share storage until one of them changes. */
ls_status ls_keep_copies(ls_context *ls, struct ls_kept *kept, const ls_tensor *items, size_t count);
void ls_forget_copies(struct ls_kept *kept);

/* ---- monitor.c ---- */

/** A number of the logs, which way is better, and the best so far. */
struct ls_monitor {
    char name[LS_LOG_NAME_SIZE];
    ls_monitor_mode mode;
    double min_delta;
    bool larger;       /* is better */
    double best, has_best; /* has_best: 0 or 1; both are numbers of the callback, for snapshots */
};

/** Copies the options; false with the error raised for a name that is too long. */
bool ls_monitor_set(struct ls_monitor *monitor, ls_context *ls, const char *who, const char *name,
                    ls_monitor_mode mode, double min_delta);
/** When training begins: finds out which way is better, and forgets the best unless it goes on from a snapshot. */
ls_status ls_monitor_begin(struct ls_monitor *monitor, const char *who, const ls_event *event);
/** Whether `value` is better than `reference` by more than min_delta. */
bool ls_monitor_better(const struct ls_monitor *monitor, double value, double reference);
/** Whether `value` is the best so far. */
static inline bool ls_monitor_improves(const struct ls_monitor *monitor, double value)
{
    return monitor->has_best == 0 || ls_monitor_better(monitor, value, monitor->best);
}

/* ---- run.c ---- */

/** One run of fit, evaluate or predict. */
struct ls_run {
    ls_context *context;
    const char *who;
    struct ls_compiled *compiled; /* NULL in predict without compile */
    ls_callback *const *callbacks;
    const volatile sig_atomic_t *stop;
    int verbose;
    ls_progress *bar;    /* where text goes to; NULL: nowhere */
    ls_history *history; /* of fit; NULL in the others */
    ls_event event;
    ls_logs logs;        /* of the hook that is called */
    ls_step step;
    ls_tensor outputs[LS_STEP_TENSORS];
};

/** What ls_run_begin takes: LS_RUN_OPTIONS. */
struct ls_run_options {
    LS_RUN_OPTIONS
};

#define LS_OPTIONS_OF_RUN(o)                                                                       \
    .verbose = (o)->verbose, .progress = (o)->progress, .callbacks = (o)->callbacks, .stop = (o)->stop

/** Checks the options, makes the bar, opens the scope of the run. On an error there is nothing to end. */
ls_status ls_run_begin(struct ls_run *run, ls_model *model, const char *who, const struct ls_run_options *options);
/** Closes the scope; returns the context's error. */
ls_status ls_run_end(struct ls_run *run);
/** Calls a hook of all callbacks with `logs`, then History and bar. False after an error. */
bool ls_run_hook(struct ls_run *run, enum ls_hook_number hook, ls_logs *logs);
/** Whether the program asked to stop. */
static inline bool ls_run_stopped(const struct ls_run *run) { return run->stop && *run->stop; }

/* ---- evaluate.c ---- */

/** test_step over one pass, or `steps` batches, with its hooks; the results are in run->logs. False after an error. */
bool ls_test_pass(struct ls_run *run, struct ls_feed *feed, int64_t steps);

/* ---- history.c ---- */

ls_history *ls_history_create(ls_context *ls);
ls_status ls_history_add(ls_history *history, int epoch, ls_logs *logs);

#endif
