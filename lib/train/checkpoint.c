/* SPDX-License-Identifier: Apache-2.0
 *
 * Saving the model as it is trained: after epochs or batches, all or only the best.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lockstep/files.h>

#include "../io/folders.h"
#include "../nn/layer.h"
#include "number.h"
#include "template.h"
#include "train.h"

struct checkpoint {
    ls_context *context;
    struct ls_monitor monitor;
    char *path; /* a template */
    bool verbose, best_only, has_threshold;
    double threshold;
    int64_t save_freq; /* batches; 0: epochs */
    double batches;    /* since the last save */
    ls_status (*save)(void *user, ls_model *model, const char *path);
    void *user;
};

static void free_checkpoint(void *user)
{
    struct checkpoint *c = user;
    free(c->path);
    free(c);
}

LS_PRINTF(3, 4) static void tell(const struct checkpoint *c, const ls_event *event, const char *format, ...)
{
    char text[4400];
    int used = snprintf(text, sizeof text, "\nEpoch %d: ", event->epoch + 1);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + used, sizeof text - (size_t)used, format, arguments);
    va_end(arguments);
    if (c->verbose)
        ls_callback_print(event, text);
}

/* Whether this is to be saved, saying why. */
static bool is_wanted(struct checkpoint *c, const ls_event *event, const char *path)
{
    if (!c->best_only) {
        tell(c, event, "saving model to %s", path);
        return true;
    }
    if (!ls_logs_has(event->logs, c->monitor.name)) {
        ls_say(c->context, LS_LOG_WARNING, "Can save best model only with %s available; saving", c->monitor.name);
        return true;
    }
    double current = ls_logs_get(event->logs, c->monitor.name);
    struct ls_number best = ls_number_fixed(c->monitor.best, 5);
    const char *before = c->monitor.has_best != 0 ? best.text : "None";
    if (!ls_monitor_improves(&c->monitor, current)) {
        tell(c, event, "%s did not improve from %s", c->monitor.name, before);
        return false;
    }
    tell(c, event, "%s improved from %s to %s, saving model to %s", c->monitor.name, before,
         ls_number_fixed(current, 5).text, path);
    c->monitor.best = current;
    c->monitor.has_best = 1;
    return true;
}

static ls_status save(struct checkpoint *c, const ls_event *event, int64_t batch)
{
    const struct ls_template_count counts[] = {{"epoch", event->epoch + 1}, {"batch", batch}, {NULL, 0}};
    char *path = ls_template_fill(c->context, "model_checkpoint", c->path, counts, event->logs);
    if (path && is_wanted(c, event, path) && ls_make_folders_of(c->context, "model_checkpoint", path) == LS_OK &&
        c->save(c->user, event->model, path) == LS_OK)
        tell(c, event, "finished saving model to %s", path);
    free(path);
    return ls_error(c->context);
}

static ls_status checkpoint_train_begin(void *user, const ls_event *event)
{
    struct checkpoint *c = user;
    if (!c->best_only)
        return LS_OK;
    /* Unlike the others, a best of before counts on: in the next fit too, as in Keras. */
    struct ls_monitor before = c->monitor;
    ls_status status = ls_monitor_begin(&c->monitor, "model_checkpoint", event);
    c->monitor.best = before.best;
    c->monitor.has_best = before.has_best;
    return status;
}

static ls_status checkpoint_batch_end(void *user, const ls_event *event)
{
    struct checkpoint *c = user;
    if (!c->save_freq || ++c->batches < (double)c->save_freq)
        return LS_OK;
    c->batches = 0;
    return save(c, event, event->batch + 1);
}

static ls_status checkpoint_epoch_end(void *user, const ls_event *event)
{
    struct checkpoint *c = user;
    return c->save_freq ? LS_OK : save(c, event, -1);
}

/* Weights and the optimizer's state, in the format that the path's ending says. */
static ls_status save_weights(void *user, ls_model *model, const char *path)
{
    (void)user;
    return ls_save_weights(model, path, .optimizer = ls_model_optimizer(model));
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length > tail && strcmp(text + length - tail, end) == 0;
}

static bool check(const ls_model_checkpoint_options *o)
{
    if (!o->path || !o->path[0])
        ls_fail(o->context, LS_INVALID_ARGUMENT, "model_checkpoint: there is no path");
    else if (o->save_freq < 0)
        ls_fail(o->context, LS_INVALID_ARGUMENT, "model_checkpoint: save_freq is negative; it counts batches, 0 means "
                "after epochs");
    else if (!o->save && !ends_with(o->path, ".weights.h5") && !ends_with(o->path, ".safetensors"))
        ls_fail(o->context, LS_INVALID_ARGUMENT, "model_checkpoint: %s ends neither with .weights.h5 nor with "
                ".safetensors; for other formats give a .save of your own", o->path);
    return !ls_failed(o->context);
}

ls_callback *ls_model_checkpoint_with(const ls_model_checkpoint_options *o)
{
    if (!o)
        return ls_no_options("model_checkpoint");
    struct checkpoint *c = ls_callback_state(o->context, "model_checkpoint", sizeof *c);
    if (!c)
        return NULL;
    c->context = o->context;
    c->verbose = o->verbose > 0;
    c->best_only = o->save_best_only;
    c->save_freq = o->save_freq;
    c->save = o->save ? o->save : save_weights;
    c->user = o->user;
    c->monitor.best = o->initial_value_threshold;
    c->monitor.has_best = o->initial_value_threshold != 0 || signbit(o->initial_value_threshold);
    if (c->monitor.has_best == 0)
        c->monitor.best = NAN;
    ls_callback *callback = NULL;
    if (check(o) && ls_monitor_set(&c->monitor, o->context, "model_checkpoint", o->monitor, o->mode, 0)) {
        c->path = malloc(strlen(o->path) + 1);
        if (c->path)
            strcpy(c->path, o->path);
        else
            ls_fail(o->context, LS_OUT_OF_MEMORY, "model_checkpoint: no host memory");
        callback = ls_lambda_callback(o->context, "model_checkpoint", c, .on_train_begin = checkpoint_train_begin,
                                      .on_train_batch_end = checkpoint_batch_end, .on_epoch_end = checkpoint_epoch_end,
                                      .destroy = free_checkpoint);
    }
    if (!callback) {
        free_checkpoint(c);
        return NULL;
    }
    const struct ls_callback_number numbers[] = {
        {"best", &c->monitor.best}, {"has_best", &c->monitor.has_best}, {"batches", &c->batches}};
    memcpy(callback->numbers, numbers, sizeof numbers);
    return callback;
}
