/* SPDX-License-Identifier: Apache-2.0
 *
 * evaluate, predict, and the calls for a single batch.
 */
#include <stdlib.h>
#include <string.h>

#include <lockstep/ops.h>

#include "../nn/layer.h"
#include "train.h"

static void no_data(const struct ls_run *run)
{
    ls_fail(run->context, LS_INVALID_ARGUMENT, "%s: the data set has no batches", run->who);
}

/* ---- Testing ---- */

bool ls_test_pass(struct ls_run *run, struct ls_feed *feed, int64_t steps)
{
    struct ls_compiled *compiled = run->compiled;
    void (*test_step)(ls_step *) = compiled->options.test_step ? compiled->options.test_step : ls_default_test_step;
    ls_event before = run->event;
    run->event.batch = 0;
    run->event.steps = steps ? steps : feed->batches;
    ls_reset_states_of(compiled->all);
    ls_logs_clear(&run->logs);
    bool going = ls_run_hook(run, LS_HOOK_on_test_begin, &run->logs);
    int64_t done = 0;
    for (; going && (!steps || done < steps) && ls_feed_next(feed, &run->step); done++) {
        run->event.batch = done;
        ls_logs_clear(&run->logs);
        going = ls_run_hook(run, LS_HOOK_on_test_batch_begin, &run->logs);
        if (going)
            test_step(&run->step);
        ls_feed_release(feed);
        ls_logs_of_metrics(&run->logs, compiled);
        going = going && !ls_failed(run->context) && ls_run_hook(run, LS_HOOK_on_test_batch_end, &run->logs);
        if (ls_run_stopped(run))
            break;
    }
    if (going && done == 0)
        no_data(run);
    else if (steps && done < steps && !ls_run_stopped(run) && !ls_failed(run->context))
        ls_say(run->context, LS_LOG_WARNING, "%s: the data ran out after %lld of %lld batches; ls_dataset_repeat makes "
               "more of them", run->who, (long long)done, (long long)steps);
    ls_feed_restart(feed);
    ls_logs_of_metrics(&run->logs, compiled);
    ls_logs_read(&run->logs);
    run->event.batch = done;
    going = !ls_failed(run->context) && ls_run_hook(run, LS_HOOK_on_test_end, &run->logs);
    before.run = run;
    run->event = before;
    return going;
}

ls_status ls_evaluate_with(const ls_evaluate_options *options)
{
    if (!options)
        return ls_no_options("evaluate"), LS_INVALID_ARGUMENT;
    struct ls_run run;
    struct ls_feed feed = {0};
    struct ls_run_options run_options = {LS_OPTIONS_OF_RUN(options)};
    if (options->logs)
        ls_logs_clear(options->logs);
    if (!ls_compiled_of(options->model, "evaluate"))
        return options->model ? ls_error(options->model->context) : LS_INVALID_ARGUMENT;
    ls_status status = ls_run_begin(&run, options->model, "evaluate", &run_options);
    if (status != LS_OK)
        return status;
    struct ls_feed_options data = {LS_FEED_OPTIONS(options)};
    if (ls_feed_open(&feed, run.context, "evaluate", &data) == LS_OK && ls_feed_ends(&feed, options->steps, "steps"))
        ls_test_pass(&run, &feed, options->steps);
    ls_feed_close(&feed);
    if (options->logs && !ls_failed(run.context))
        *options->logs = run.logs;
    return ls_run_end(&run);
}

/* ---- Predicting ---- */

/* The predictions of the batches so far. */
struct pieces {
    ls_tensor *items;
    size_t count, capacity;
};

static void add_piece(struct ls_run *run, struct pieces *pieces, ls_tensor y_pred)
{
    if (pieces->count == pieces->capacity) {
        size_t capacity = pieces->capacity ? 2 * pieces->capacity : 64;
        ls_tensor *items = realloc(pieces->items, capacity * sizeof *items);
        if (!items) {
            ls_fail(run->context, LS_OUT_OF_MEMORY, "predict: no host memory");
            return;
        }
        pieces->items = items;
        pieces->capacity = capacity;
    }
    if (!ls_is_nil(y_pred))
        pieces->items[pieces->count++] = ls_keep(y_pred); /* out of the batch's scope */
}

/* All of them in one, a few at a time. */
static ls_tensor join(struct pieces *pieces)
{
    enum { AT_ONCE = 32 };
    while (pieces->count > 1) {
        size_t joined = 0;
        for (size_t i = 0; i < pieces->count; i += AT_ONCE) {
            size_t some = pieces->count - i < AT_ONCE ? pieces->count - i : AT_ONCE;
            ls_tensor whole = some > 1 ? ls_concat(pieces->items + i, some, 0) : pieces->items[i];
            for (size_t k = 0; some > 1 && k < some; k++)
                ls_release(&pieces->items[i + k]);
            pieces->items[joined++] = whole;
        }
        pieces->count = joined;
    }
    return pieces->count ? pieces->items[0] : (ls_tensor){0};
}

static void predict_pass(struct ls_run *run, struct ls_feed *feed, int64_t steps, struct pieces *pieces)
{
    const struct ls_compiled *compiled = run->compiled;
    ls_tensor (*predict_step)(ls_step *) =
        compiled && compiled->options.predict_step ? compiled->options.predict_step : ls_default_predict_step;
    run->event.steps = steps ? steps : feed->batches;
    bool going = ls_run_hook(run, LS_HOOK_on_predict_begin, &run->logs);
    for (int64_t done = 0; going && (!steps || done < steps) && ls_feed_next(feed, &run->step); done++) {
        run->event.batch = done;
        ls_logs_clear(&run->logs);
        going = ls_run_hook(run, LS_HOOK_on_predict_batch_begin, &run->logs);
        if (going)
            add_piece(run, pieces, predict_step(&run->step));
        ls_feed_release(feed);
        ls_logs_clear(&run->logs);
        going = going && !ls_failed(run->context) && ls_run_hook(run, LS_HOOK_on_predict_batch_end, &run->logs);
        if (ls_run_stopped(run))
            break;
    }
    if (going && !ls_failed(run->context) && pieces->count == 0)
        no_data(run);
    if (!ls_failed(run->context))
        ls_run_hook(run, LS_HOOK_on_predict_end, &run->logs);
}

ls_status ls_predict_with(const ls_predict_options *options)
{
    if (!options)
        return ls_no_options("predict"), LS_INVALID_ARGUMENT;
    struct ls_run run;
    struct ls_feed feed = {0};
    struct pieces pieces = {0};
    struct ls_run_options run_options = {LS_OPTIONS_OF_RUN(options)};
    if (options->y_pred)
        *options->y_pred = (ls_tensor){0};
    ls_status status = ls_run_begin(&run, options->model, "predict", &run_options);
    if (status != LS_OK)
        return status;
    struct ls_feed_options data = {LS_FEED_OPTIONS(options)};
    if (ls_feed_open(&feed, run.context, "predict", &data) == LS_OK && ls_feed_ends(&feed, options->steps, "steps"))
        predict_pass(&run, &feed, options->steps, &pieces);
    ls_feed_close(&feed);
    ls_tensor whole = ls_failed(run.context) ? (ls_tensor){0} : join(&pieces);
    if (options->y_pred && whole.context && !ls_failed(run.context))
        *options->y_pred = ls_keep(whole);
    free(pieces.items);
    return ls_run_end(&run);
}

/* ---- One batch ---- */

static void fill(ls_step *step, const ls_on_batch_options *o)
{
    int64_t classes;
    step->inputs = o->inputs ? o->inputs : &o->x;
    step->targets = o->targets ? o->targets : &o->y;
    step->input_count = o->inputs ? o->input_count : 1;
    step->target_count = o->targets ? o->target_count : o->y.context != NULL;
    step->x = step->input_count ? step->inputs[0] : (ls_tensor){0};
    step->y = step->target_count ? step->targets[0] : (ls_tensor){0};
    step->sample_weight = o->sample_weight;
    ls_shape shape = ls_shape_of_tensor(step->x);
    step->size = shape.rank ? shape.dim[0] : 0;
    if (shape.rank == 0 || step->input_count > LS_STEP_TENSORS || step->target_count > LS_STEP_TENSORS)
        ls_fail(step->context, LS_INVALID_ARGUMENT,
                "on_batch: x needs a first dimension, the samples, and there may be "
                "%d inputs and targets at most",
                LS_STEP_TENSORS);
    if (o->class_weight_count && o->sample_weight.context)
        ls_fail(step->context, LS_INVALID_ARGUMENT, "on_batch: give class_weight or sample_weight, not both");
    else if (o->class_weight_count && step->target_count) {
        ls_tensor table = ls_class_table(step->context, "on_batch", o->class_weight, o->class_weight_count, &classes);
        step->sample_weight = ls_class_weights_of(step->y, table, classes);
    }
}

typedef void one_step(ls_step *step);

static ls_status on_batch(const ls_on_batch_options *o, struct ls_compiled *compiled, one_step *function)
{
    ls_tensor outputs[LS_STEP_TENSORS] = {{0}};
    ls_context *ls = o->model->context;
    ls_step step = {.context = ls, .model = o->model, .optimizer = compiled->options.optimizer,
                    .user = compiled->options.user, .outputs = outputs};
    if (o->logs)
        ls_logs_clear(o->logs);
    if (ls_failed(ls))
        return ls_error(ls);
    ls_scope_begin(ls);
    fill(&step, o);
    if (!ls_failed(ls) && ls_reset_states_of(compiled->all) == LS_OK)
        function(&step);
    ls_scope_end(ls);
    if (o->logs && !ls_failed(ls)) {
        ls_logs_of_metrics(o->logs, compiled);
        ls_logs_read(o->logs);
    }
    return ls_error(ls);
}

static ls_status no_model(const ls_on_batch_options *options)
{
    return options->model ? ls_error(options->model->context) : LS_INVALID_ARGUMENT;
}

ls_status ls_train_on_batch_with(const ls_on_batch_options *options)
{
    if (!options)
        return ls_no_options("train_on_batch"), LS_INVALID_ARGUMENT;
    struct ls_compiled *compiled = ls_compiled_of(options->model, "train_on_batch");
    one_step *own = compiled ? compiled->options.train_step : NULL;
    return compiled ? on_batch(options, compiled, own ? own : ls_default_train_step) : no_model(options);
}

ls_status ls_test_on_batch_with(const ls_on_batch_options *options)
{
    if (!options)
        return ls_no_options("test_on_batch"), LS_INVALID_ARGUMENT;
    struct ls_compiled *compiled = ls_compiled_of(options->model, "test_on_batch");
    one_step *own = compiled ? compiled->options.test_step : NULL;
    return compiled ? on_batch(options, compiled, own ? own : ls_default_test_step) : no_model(options);
}

ls_status ls_predict_on_batch_with(const ls_on_batch_options *options)
{
    if (!options)
        return ls_no_options("predict_on_batch"), LS_INVALID_ARGUMENT;
    if (options->y_pred)
        *options->y_pred = (ls_tensor){0};
    if (!options->model || ls_failed(options->model->context))
        return no_model(options);
    const struct ls_compiled *compiled = ls_compiled_or_null(options->model);
    ls_tensor outputs[LS_STEP_TENSORS] = {{0}};
    ls_context *ls = options->model->context;
    ls_step step = {.context = ls, .model = options->model, .outputs = outputs,
                    .user = compiled ? compiled->options.user : NULL};
    ls_scope_begin(ls);
    fill(&step, options);
    ls_tensor y_pred = {0};
    if (!ls_failed(ls))
        y_pred = compiled && compiled->options.predict_step ? compiled->options.predict_step(&step)
                                                            : ls_default_predict_step(&step);
    if (options->y_pred && !ls_is_nil(y_pred))
        *options->y_pred = ls_keep(y_pred);
    return ls_scope_end(ls);
}
