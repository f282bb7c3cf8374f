/* SPDX-License-Identifier: Apache-2.0
 *
 * fit: epochs of train_step over batches, with validation and hooks, in Keras' order.
 */
#include <math.h>
#include <stdio.h>

#include <lockstep/ops.h>

#include "../nn/layer.h"
#include "train.h"

struct fit {
    const ls_fit_options *options;
    struct ls_run run;
    struct ls_feed data, validation;
    bool validates;
    bool within; /* a batch */
    ls_logs epoch_logs; /* of the last epoch that was completed */
};

/* ---- Data ---- */

/* Samples begin..end-1. */
static ls_tensor samples(ls_tensor a, int64_t begin, int64_t end)
{
    int64_t begins[LS_MAX_RANK] = {begin}, sizes[LS_MAX_RANK] = {end - begin};
    for (int d = 1; d < LS_MAX_RANK; d++)
        sizes[d] = -1;
    return a.context ? ls_slice(a, begins, sizes, NULL) : a;
}

/* The training and the validating part of tensors. */
struct parts {
    struct ls_feed_options train, validation;
    ls_tensor inputs[2][LS_STEP_TENSORS], targets[2][LS_STEP_TENSORS];
};

static bool split(struct fit *fit, struct parts *parts)
{
    ls_context *ls = fit->run.context;
    const ls_fit_options *o = fit->options;
    struct ls_feed_options *whole = &parts->train;
    double part = o->validation_split;
    if (!(part > 0 && part < 1))
        ls_fail(ls, LS_INVALID_ARGUMENT, "fit: validation_split is %g; it must be from 0 to below 1", part);
    else if (o->data)
        ls_fail(ls, LS_INVALID_ARGUMENT, "fit: validation_split is for tensors; give a data set's part as "
                ".validation_data");
    else if (o->input_count > LS_STEP_TENSORS || o->target_count > LS_STEP_TENSORS)
        ls_fail(ls, LS_INVALID_ARGUMENT, "fit: at most %d inputs and targets", LS_STEP_TENSORS);
    if (ls_failed(ls))
        return false;
    const ls_tensor first = whole->inputs ? whole->inputs[0] : whole->x;
    ls_shape shape = ls_shape_of_tensor(first);
    int64_t count = shape.rank ? shape.dim[0] : 0, at = (int64_t)floor((double)count * (1.0 - part));
    if (at == 0 || at == count) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "fit: %lld samples are not enough to split off a part of %g for validation",
                (long long)count, part);
        return false;
    }
    const struct ls_feed_options given = *whole;
    struct ls_feed_options *both[] = {&parts->train, &parts->validation};
    parts->validation = given;
    for (int p = 0; p < 2; p++) {
        int64_t begin = p ? at : 0, end = p ? count : at;
        both[p]->x = samples(given.x, begin, end);
        both[p]->y = samples(given.y, begin, end);
        both[p]->sample_weight = samples(given.sample_weight, begin, end);
        for (size_t i = 0; given.inputs && i < given.input_count; i++)
            parts->inputs[p][i] = samples(given.inputs[i], begin, end);
        for (size_t i = 0; given.targets && i < given.target_count; i++)
            parts->targets[p][i] = samples(given.targets[i], begin, end);
        both[p]->inputs = given.inputs ? parts->inputs[p] : NULL;
        both[p]->targets = given.targets ? parts->targets[p] : NULL;
    }
    parts->validation.shuffle = false;
    parts->validation.class_weight_count = 0;
    return !ls_failed(ls);
}

static bool open_data(struct fit *fit)
{
    const ls_fit_options *o = fit->options;
    ls_context *ls = fit->run.context;
    struct parts parts = {.train = {LS_FEED_OPTIONS(o), .shuffle = !o->no_shuffle && !o->data,
                                    .class_weight = o->class_weight, .class_weight_count = o->class_weight_count}};
    bool tensors = o->validation_x.context != NULL;
    fit->validates = o->validation_data || tensors;
    if (fit->validates)
        parts.validation = (struct ls_feed_options){.data = o->validation_data, .x = o->validation_x,
                                                    .y = o->validation_y,
                                                    .sample_weight = o->validation_sample_weight};
    else if (o->validation_split != 0) {
        if (!split(fit, &parts))
            return false;
        fit->validates = true;
    }
    if (fit->validates && !parts.validation.data)
        parts.validation.batch_size = o->validation_batch_size ? o->validation_batch_size : o->batch_size;
    if (ls_feed_open(&fit->data, ls, "fit", &parts.train) == LS_OK && fit->validates)
        ls_feed_open(&fit->validation, ls, "fit: validation", &parts.validation);
    return ls_feed_ends(&fit->data, o->steps_per_epoch, "steps_per_epoch") &&
           (!fit->validates || ls_feed_ends(&fit->validation, o->validation_steps, "validation_steps"));
}

static bool check_options(ls_context *ls, const ls_fit_options *o)
{
    const char *wrong = NULL;
    if (o->epochs < 0 || o->initial_epoch < 0)
        wrong = "epochs and initial_epoch cannot be negative";
    else if (o->initial_batch < 0 || (o->initial_batch && !o->resume))
        wrong = "initial_batch is for .resume = true, and at least 0";
    else if (o->resume && !o->data)
        wrong = "resume needs a data set, whose position was restored; tensors are shuffled anew";
    else if (o->steps_per_epoch < 0 || o->validation_steps < 0)
        wrong = "steps_per_epoch and validation_steps cannot be negative";
    else if (o->validation_freq < 0)
        wrong = "validation_freq must be at least 1";
    else if (o->validation_data && (o->validation_x.context || o->validation_y.context))
        wrong = "give validation_data or validation_x, not both";
    else if (o->validation_y.context && !o->validation_x.context)
        wrong = "there is a validation_y without a validation_x";
    else if (o->validation_data && o->validation_batch_size)
        wrong = "validation_batch_size is for tensors; a data set is batched by ls_dataset_batch";
    if (wrong)
        ls_fail(ls, LS_INVALID_ARGUMENT, "fit: %s", wrong);
    return !wrong;
}

/* ---- An epoch ---- */

static bool train_batch(struct fit *fit)
{
    struct ls_run *run = &fit->run;
    struct ls_compiled *compiled = run->compiled;
    ls_logs_clear(&run->logs);
    bool going = ls_run_hook(run, LS_HOOK_on_train_batch_begin, &run->logs);
    if (going && compiled->options.train_step)
        compiled->options.train_step(&run->step);
    else if (going)
        ls_default_train_step(&run->step);
    ls_feed_release(&fit->data);
    if (ls_failed(run->context))
        return false;
    ls_logs_of_metrics(&run->logs, compiled);
    return ls_run_hook(run, LS_HOOK_on_train_batch_end, &run->logs);
}

/* The next batch; at the end of a pass false, but another pass where one ended with the epoch before. */
static bool next_batch(struct fit *fit, int64_t done)
{
    if (ls_feed_next(&fit->data, &fit->run.step))
        return true;
    return done == 0 && ls_feed_next(&fit->data, &fit->run.step);
}

/* In an epoch of which a part was done before the snapshot. */
static bool is_midway(const struct fit *fit)
{
    const ls_fit_options *o = fit->options;
    return o->resume && o->initial_batch > 0 && fit->run.event.epoch == o->initial_epoch;
}

static bool train_epoch(struct fit *fit)
{
    struct ls_run *run = &fit->run;
    int64_t steps = fit->options->steps_per_epoch, done = is_midway(fit) ? fit->options->initial_batch : 0;
    for (; !steps || done < steps; done++) {
        run->event.batch = done;
        fit->within = true;
        if (!next_batch(fit, done))
            break;
        if (!train_batch(fit))
            return false;
        if (run->compiled->stop || ls_run_stopped(run)) {
            done++;
            break;
        }
    }
    run->event.batch = done;
    if (ls_failed(run->context))
        return false;
    fit->within = false;
    if (done == 0)
        return ls_fail(run->context, LS_INVALID_ARGUMENT, "the data set has no batches") == LS_OK;
    if (steps && done < steps && !run->compiled->stop && !ls_run_stopped(run))
        ls_say(run->context, LS_LOG_WARNING, "Your input ran out of data; interrupting training. fit: epoch %d ended "
               "after %lld of %lld batches: the data must have steps_per_epoch * epochs of them; ls_dataset_repeat "
               "makes more", run->event.epoch + 1, (long long)done, (long long)steps);
    return true;
}

static bool validate(struct fit *fit)
{
    int freq = fit->options->validation_freq ? fit->options->validation_freq : 1;
    struct ls_run *run = &fit->run;
    if (!fit->validates || (run->event.epoch + 1) % freq != 0)
        return true;
    if (!ls_test_pass(run, &fit->validation, fit->options->validation_steps))
        return false;
    for (size_t i = 0; i < run->logs.count; i++) {
        char name[LS_LOG_NAME_SIZE + 4];
        snprintf(name, sizeof name, "val_%s", run->logs.entries[i].name);
        ls_logs_set(&fit->epoch_logs, name, run->logs.entries[i].value);
    }
    return true;
}

static bool begin_epoch(struct fit *fit)
{
    struct ls_run *run = &fit->run;
    ls_callback *const *callbacks = run->callbacks;
    ls_logs logs = {0};
    run->event.batch = 0;
    if (is_midway(fit))
        run->callbacks = NULL; /* they were called before the snapshot; the bar begins anew */
    else
        ls_reset_states_of(run->compiled->all);
    bool going = ls_run_hook(run, LS_HOOK_on_epoch_begin, &logs);
    run->callbacks = callbacks;
    return going;
}

/* False when training ends with this epoch, by an error or a wish to stop. */
static bool epoch(struct fit *fit)
{
    struct ls_run *run = &fit->run;
    struct ls_compiled *compiled = run->compiled;
    if (!begin_epoch(fit) || !train_epoch(fit) || ls_run_stopped(run))
        return false;
    ls_logs_of_metrics(&fit->epoch_logs, compiled);
    ls_logs_read(&fit->epoch_logs);
    if (ls_failed(run->context) || !validate(fit) || ls_run_stopped(run))
        return false;
    if (fit->options->data)
        ls_dataset_report_waiting(fit->options->data);
    ls_logs_sort(&fit->epoch_logs);
    if (!ls_run_hook(run, LS_HOOK_on_epoch_end, &fit->epoch_logs))
        return false;
    if (run->event.steps <= 0)
        run->event.steps = run->event.batch; /* known now */
    return !compiled->stop;
}

static void all_epochs(struct fit *fit)
{
    struct ls_run *run = &fit->run;
    int epochs = fit->options->epochs ? fit->options->epochs : 1;
    run->event.epochs = epochs;
    run->event.steps =
        fit->options->steps_per_epoch ? fit->options->steps_per_epoch : fit->data.batches; /* below 1: unknown */
    run->event.epoch = fit->options->initial_epoch;
    ls_logs begin = {0};
    run->event.resumed = fit->options->resume;
    if (!ls_run_hook(run, LS_HOOK_on_train_begin, &begin))
        return;
    run->event.resumed = false;
    while (run->event.epoch < epochs && !ls_run_stopped(run) && epoch(fit))
        run->event.epoch++;
}

/* Ends as after success: averages, on_train_end; an error so far is set aside meanwhile, and told with its place. */
static void finish(struct fit *fit)
{
    struct ls_run *run = &fit->run;
    ls_context *ls = run->context;
    char message[2048] = "";
    ls_status status = ls_error(ls);
    if (status != LS_OK) {
        char place[40] = "";
        if (fit->within || run->event.batch > 0)
            snprintf(place, sizeof place, ", %s %lld", fit->within ? "batch" : "after batch",
                     (long long)run->event.batch + fit->within);
        snprintf(message, sizeof message, "fit: epoch %d%s: %s", run->event.epoch + 1, place, ls_error_message(ls));
        ls_clear_error(ls);
    }
    if (run->step.optimizer)
        ls_finalize_variable_values(run->step.optimizer);
    ls_run_hook(run, LS_HOOK_on_train_end, &fit->epoch_logs);
    if (status != LS_OK) {
        ls_clear_error(ls); /* the first one counts */
        ls_fail(ls, status, "%s", message);
    }
}

ls_status ls_fit_with(const ls_fit_options *options)
{
    if (!options)
        return ls_no_options("fit"), LS_INVALID_ARGUMENT;
    ls_history *before = options->history && options->resume ? *options->history : NULL;
    if (options->history && !options->resume)
        *options->history = NULL;
    struct ls_compiled *compiled = ls_compiled_of(options->model, "fit");
    if (!compiled)
        return options->model ? ls_error(options->model->context) : LS_INVALID_ARGUMENT;
    ls_context *ls = compiled->context;
    if (ls_failed(ls) || !check_options(ls, options))
        return ls_error(ls);
    if (compiled->running)
        return ls_fail(ls, LS_INVALID_ARGUMENT, "fit: model %s is being trained already; a callback cannot call fit",
                       ls_layer_name(options->model));
    struct fit fit = {.options = options};
    struct ls_run_options run_options = {LS_OPTIONS_OF_RUN(options)};
    if (ls_run_begin(&fit.run, options->model, "fit", &run_options) != LS_OK)
        return ls_error(ls);
    fit.run.history = before ? before : ls_history_create(ls);
    compiled->running = true;
    compiled->stop = false;
    if (!ls_failed(ls) && open_data(&fit)) {
        all_epochs(&fit);
        finish(&fit);
    }
    compiled->running = false;
    ls_feed_close(&fit.data);
    ls_feed_close(&fit.validation);
    if (options->history)
        *options->history = fit.run.history;
    else
        ls_history_destroy(&fit.run.history);
    return ls_run_end(&fit.run);
}
