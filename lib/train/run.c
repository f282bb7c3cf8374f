/* SPDX-License-Identifier: Apache-2.0
 *
 * What fit, evaluate and predict have in common: hooks in their order, and the bar, which comes last.
 */
#include <string.h>

#include "../nn/layer.h"
#include "progress.h"
#include "train.h"

/* ---- Beginning and ending ---- */

static bool check_callbacks(ls_context *ls, const char *who, ls_callback *const *callbacks)
{
    for (; callbacks && *callbacks && !ls_failed(ls); callbacks++)
        if ((*callbacks)->context != ls)
            ls_fail(ls, LS_FOREIGN_HANDLE, "%s: callback %s belongs to another context", who, (*callbacks)->name);
    return !ls_failed(ls);
}

ls_status ls_run_begin(struct ls_run *run, ls_model *model, const char *who, const struct ls_run_options *options)
{
    ls_context *ls = ls_layer_context(model);
    memset(run, 0, sizeof *run);
    if (!ls)
        return LS_INVALID_ARGUMENT;
    bool sink = options->progress.file || options->progress.write;
    if (ls_failed(ls) || !check_callbacks(ls, who, options->callbacks))
        return ls_error(ls);
    if (options->verbose < 0 || options->verbose > 2)
        return ls_fail(ls, LS_INVALID_ARGUMENT, "%s: verbose is %d; 0 is silent, 1 a bar, 2 a line for each epoch", who,
                       options->verbose);
    if (options->verbose && !sink)
        return ls_fail(ls, LS_INVALID_ARGUMENT, "%s: verbose is %d, but there is nowhere to write to; give "
                       ".progress.file = stdout, or .progress.write", who, options->verbose);
    run->context = ls;
    run->who = who;
    run->compiled = ls_compiled_or_null(model);
    run->callbacks = options->callbacks;
    run->stop = options->stop;
    run->verbose = options->verbose;
    run->event = (ls_event){.model = model, .epochs = 1, .run = run};
    run->step = (ls_step){.context = ls,
                          .model = model,
                          .optimizer = ls_model_optimizer(model),
                          .outputs = run->outputs,
                          .user = run->compiled ? run->compiled->options.user : NULL};
    if (sink) {
        ls_progress_options progress = options->progress;
        progress.context = ls;
        progress.style = options->verbose == 2 ? LS_PROGRESS_SUMMARY : progress.style;
        run->bar = ls_progress_create_with(&progress);
    }
    if (!ls_failed(ls))
        ls_scope_begin(ls);
    return ls_error(ls);
}

ls_status ls_run_end(struct ls_run *run)
{
    ls_progress_destroy(&run->bar);
    ls_scope_end(run->context);
    return ls_error(run->context);
}

/* ---- The bar ---- */

static void update_bar(struct ls_run *run, ls_logs *logs)
{
    bool drawing = ls_progress_due(run->bar);
    for (size_t i = 0; drawing && i < logs->count; i++)
        ls_progress_show(run->bar, logs->entries[i].name, ls_logs_get(logs, logs->entries[i].name));
    ls_progress_advance(run->bar, run->event.batch + 1, drawing, false);
}

static void finish_bar(struct ls_run *run, ls_logs *logs)
{
    for (size_t i = 0; i < logs->count; i++)
        ls_progress_show(run->bar, logs->entries[i].name, ls_logs_get(logs, logs->entries[i].name));
    ls_progress_advance(run->bar, run->event.steps > 0 ? run->event.steps : run->event.batch, true, true);
}

static void draw(struct ls_run *run, enum ls_hook_number hook, ls_logs *logs)
{
    bool fit = run->history != NULL;
    if (!run->bar || !run->verbose)
        return;
    switch (hook) {
    case LS_HOOK_on_epoch_begin:
        ls_progress_begin(run->bar, run->event.epoch, run->event.epochs, run->event.steps);
        break;
    case LS_HOOK_on_epoch_end:
        finish_bar(run, logs);
        break;
    case LS_HOOK_on_train_batch_end:
        update_bar(run, logs);
        break;
    case LS_HOOK_on_test_begin:
    case LS_HOOK_on_predict_begin:
        if (!fit)
            ls_progress_begin(run->bar, 0, 1, run->event.steps);
        break;
    case LS_HOOK_on_test_batch_end:
    case LS_HOOK_on_predict_batch_end:
        if (!fit)
            update_bar(run, logs);
        break;
    case LS_HOOK_on_test_end:
    case LS_HOOK_on_predict_end:
        if (!fit)
            finish_bar(run, logs);
        break;
    default:
        break;
    }
}

void ls_callback_print(const ls_event *event, const char *text)
{
    if (event->run && event->run->bar)
        ls_progress_print(event->run->bar, text);
    else
        ls_say(ls_layer_context(event->model), LS_LOG_INFO, "%s", text + (*text == '\n'));
}

/* ---- Hooks ---- */

static const char *const hook_names[] = {
#define NAME(hook) #hook,
    LS_HOOK_LIST(NAME)
#undef NAME
};

static void call_one(struct ls_run *run, const ls_callback *callback, enum ls_hook_number hook)
{
    ls_context *ls = run->context;
    ls_scope_begin(ls); /* what a hook makes goes with it */
    ls_status status = callback->hooks[hook](callback->user, &run->event);
    if (status != LS_OK && !ls_failed(ls))
        ls_fail(ls, status, "callback %s stopped in %s: %s", callback->name, hook_names[hook], ls_status_text(status));
    ls_scope_end(ls);
}

bool ls_run_hook(struct ls_run *run, enum ls_hook_number hook, ls_logs *logs)
{
    ls_context *ls = run->context;
    bool last = hook == LS_HOOK_on_train_end; /* all of them end, whatever the others did */
    run->event.logs = logs;
    for (ls_callback *const *c = run->callbacks; c && *c && (last || !ls_failed(ls)); c++)
        if ((*c)->hooks[hook])
            call_one(run, *c, hook);
    if (ls_failed(ls))
        return false;
    if (run->history && hook == LS_HOOK_on_epoch_end)
        ls_history_add(run->history, run->event.epoch, logs);
    draw(run, hook, logs);
    return !ls_failed(ls);
}
