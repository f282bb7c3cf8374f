/* SPDX-License-Identifier: Apache-2.0
 *
 * Watching a number of the logs: which way is better, and by how much. What early stopping, checkpoints and the
 * reduction of the learning rate share, and the first and last of these.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../nn/layer.h"
#include "number.h"
#include "train.h"

bool ls_monitor_set(struct ls_monitor *monitor, ls_context *ls, const char *who, const char *name,
                    ls_monitor_mode mode, double min_delta)
{
    name = name ? name : "val_loss";
    if (strlen(name) >= LS_LOG_NAME_SIZE || (unsigned)mode > LS_MODE_MAX) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "%s: there is no mode %d, or the name of what it monitors has %d bytes or "
                "more: %s", who, (int)mode, LS_LOG_NAME_SIZE, name);
        return false;
    }
    strcpy(monitor->name, name);
    monitor->mode = mode;
    monitor->min_delta = fabs(min_delta);
    return true;
}

ls_status ls_monitor_begin(struct ls_monitor *monitor, const char *who, const ls_event *event)
{
    const char *name = monitor->name + (strncmp(monitor->name, "val_", 4) == 0 ? 4 : 0);
    int direction = monitor->mode == LS_MODE_MIN || strcmp(name, "loss") == 0 ? -1 : 0;
    const struct ls_compiled *compiled = ls_compiled_or_null(event->model);
    ls_metric *const *metrics = compiled->all;
    for (; !direction && *metrics; metrics++)
        if (strcmp(ls_name_in_logs(compiled, *metrics), name) == 0)
            direction = ls_metric_direction(*metrics);
    if (monitor->mode == LS_MODE_MAX)
        direction = 1;
    if (!direction)
        return ls_fail(ls_layer_context(event->model), LS_INVALID_ARGUMENT,
                       "%s: nobody knows whether %s is better when "
                       "it is smaller or larger; give .mode = LS_MODE_MIN or LS_MODE_MAX",
                       who, monitor->name);
    monitor->larger = direction > 0;
    if (!event->resumed) {
        monitor->has_best = 0;
        monitor->best = NAN;
    }
    return LS_OK;
}

bool ls_monitor_better(const struct ls_monitor *monitor, double value, double reference)
{
    double shifted = monitor->larger ? value - monitor->min_delta : value + monitor->min_delta;
    return monitor->larger ? (float)shifted > (float)reference : (float)shifted < (float)reference;
}

/* The names of all logs, comma by comma, for messages. */
static const char *log_names(const ls_logs *logs, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < logs->count && used < size; i++) {
        int n = snprintf(text + used, size - used, "%s%s", i ? "," : "", logs->entries[i].name);
        used += n > 0 ? (size_t)n : 0;
    }
    return text;
}

/* ---- Early stopping ---- */

struct stopper {
    struct ls_monitor monitor;
    double wait, best_epoch, stopped_epoch;
    int patience, start_from_epoch;
    bool verbose, restore, has_baseline;
    double baseline;
    struct ls_kept best; /* the weights of the best epoch */
};

static void free_stopper(void *user)
{
    struct stopper *s = user;
    free(s->best.items); /* the context releases the variables */
    free(s);
}

static ls_status keep_weights(struct stopper *s, const ls_event *event)
{
    ls_variables all = ls_all_variables(event->model);
    s->best_epoch = event->epoch;
    return ls_keep_copies(ls_layer_context(event->model), &s->best, all.items, all.count);
}

static ls_status stopper_train_begin(void *user, const ls_event *event)
{
    struct stopper *s = user;
    if (!event->resumed) {
        s->wait = s->best_epoch = s->stopped_epoch = 0;
        ls_forget_copies(&s->best);
    }
    return ls_monitor_begin(&s->monitor, "early_stopping", event);
}

static ls_status stopper_epoch_end(void *user, const ls_event *event)
{
    struct stopper *s = user;
    char names[1024];
    if (!ls_logs_has(event->logs, s->monitor.name)) {
        ls_say(ls_layer_context(event->model), LS_LOG_WARNING, "Early stopping conditioned on metric `%s` which is not "
               "available. Available metrics are: %s", s->monitor.name, log_names(event->logs, names, sizeof names));
        return LS_OK;
    }
    if (event->epoch < s->start_from_epoch)
        return LS_OK;
    double current = ls_logs_get(event->logs, s->monitor.name);
    bool improves = ls_monitor_improves(&s->monitor, current);
    if (s->restore && (improves || !s->best.count) && keep_weights(s, event) != LS_OK)
        return ls_error(ls_layer_context(event->model));
    s->wait++;
    if (improves) {
        s->monitor.best = current;
        s->monitor.has_best = 1;
        s->best_epoch = event->epoch;
        if (!s->has_baseline || ls_monitor_better(&s->monitor, current, s->baseline))
            s->wait = 0;
    } else if (s->wait >= s->patience && event->epoch > 0) {
        s->stopped_epoch = event->epoch;
        ls_stop_training(event->model);
    }
    return LS_OK;
}

static ls_status stopper_train_end(void *user, const ls_event *event)
{
    struct stopper *s = user;
    char text[128];
    if (s->stopped_epoch > 0 && s->verbose) {
        snprintf(text, sizeof text, "Epoch %d: early stopping", (int)s->stopped_epoch + 1);
        ls_callback_print(event, text);
    }
    if (!s->restore || !s->best.count)
        return LS_OK;
    if (s->verbose) {
        snprintf(text, sizeof text, "Restoring model weights from the end of the best epoch: %d.",
                 (int)s->best_epoch + 1);
        ls_callback_print(event, text);
    }
    ls_variables all = ls_all_variables(event->model);
    for (size_t i = 0; i < all.count && i < s->best.count; i++)
        ls_assign(all.items[i], s->best.items[i]);
    ls_forget_copies(&s->best);
    return ls_error(ls_layer_context(event->model));
}

ls_callback *ls_early_stopping_with(const ls_early_stopping_options *o)
{
    if (!o)
        return ls_no_options("early_stopping");
    struct stopper *s = ls_callback_state(o->context, "early_stopping", sizeof *s);
    if (!s)
        return NULL;
    s->patience = o->patience;
    s->start_from_epoch = o->start_from_epoch;
    s->verbose = o->verbose > 0;
    s->restore = o->restore_best_weights;
    s->baseline = o->baseline;
    s->has_baseline = o->baseline != 0 || signbit(o->baseline);
    s->monitor.best = NAN;
    ls_callback *callback = NULL;
    if (ls_monitor_set(&s->monitor, o->context, "early_stopping", o->monitor, o->mode, o->min_delta))
        callback = ls_lambda_callback(o->context, "early_stopping", s, .on_train_begin = stopper_train_begin,
                                      .on_epoch_end = stopper_epoch_end, .on_train_end = stopper_train_end,
                                      .destroy = free_stopper);
    if (!callback) {
        free_stopper(s);
        return NULL;
    }
    const struct ls_callback_number numbers[] = {{"wait", &s->wait},
                                                 {"best", &s->monitor.best},
                                                 {"has_best", &s->monitor.has_best},
                                                 {"best_epoch", &s->best_epoch},
                                                 {"stopped_epoch", &s->stopped_epoch}};
    memcpy(callback->numbers, numbers, sizeof numbers);
    callback->kept = &s->best;
    return callback;
}

/* ---- Reducing the learning rate ---- */

struct reducer {
    struct ls_monitor monitor;
    double factor, min_lr, wait, cooldown_counter;
    int patience, cooldown;
    bool verbose;
};

static ls_status reducer_train_begin(void *user, const ls_event *event)
{
    struct reducer *r = user;
    if (!event->resumed)
        r->wait = r->cooldown_counter = 0;
    return ls_monitor_begin(&r->monitor, "reduce_lr_on_plateau", event);
}

static void reduce(struct reducer *r, const ls_event *event, double old_rate)
{
    char text[160];
    if (!(old_rate > (double)(float)r->min_lr))
        return;
    double rate = old_rate * r->factor;
    rate = rate > r->min_lr ? rate : r->min_lr;
    ls_set_learning_rate(ls_model_optimizer(event->model), (float)rate);
    r->cooldown_counter = r->cooldown;
    r->wait = 0;
    if (r->verbose) {
        snprintf(text, sizeof text, "\nEpoch %d: ReduceLROnPlateau reducing learning rate to %s.", event->epoch + 1,
                 ls_number(rate).text);
        ls_callback_print(event, text);
    }
}

static ls_status reducer_epoch_end(void *user, const ls_event *event)
{
    struct reducer *r = user;
    char names[1024];
    ls_context *ls = ls_layer_context(event->model);
    double rate = (double)ls_learning_rate(ls_model_optimizer(event->model));
    ls_logs_set(event->logs, "learning_rate", rate);
    if (!ls_logs_has(event->logs, r->monitor.name)) {
        ls_say(ls, LS_LOG_WARNING, "Learning rate reduction is conditioned on metric `%s` which is not available. "
               "Available metrics are: %s.", r->monitor.name, log_names(event->logs, names, sizeof names));
        return ls_error(ls);
    }
    double current = ls_logs_get(event->logs, r->monitor.name);
    if (r->cooldown_counter > 0) {
        r->cooldown_counter--;
        r->wait = 0;
    }
    if (ls_monitor_improves(&r->monitor, current)) {
        r->monitor.best = current;
        r->monitor.has_best = 1;
        r->wait = 0;
    } else if (!(r->cooldown_counter > 0) && ++r->wait >= r->patience) {
        reduce(r, event, rate);
    }
    return ls_error(ls);
}

ls_callback *ls_reduce_lr_on_plateau_with(const ls_reduce_lr_options *o)
{
    if (!o)
        return ls_no_options("reduce_lr_on_plateau");
    struct reducer *r = ls_callback_state(o->context, "reduce_lr_on_plateau", sizeof *r);
    if (!r)
        return NULL;
    bool default_delta = o->min_delta == 0 && !signbit(o->min_delta);
    r->factor = o->factor != 0 ? o->factor : 0.1;
    r->patience = o->patience ? o->patience : 10;
    r->cooldown = o->cooldown;
    r->min_lr = o->min_lr;
    r->verbose = o->verbose > 0;
    r->monitor.best = NAN;
    if (!(r->factor < 1 && r->factor > 0))
        ls_fail(o->context, LS_INVALID_ARGUMENT, "reduce_lr_on_plateau: factor is %g; it must be above 0 and below 1",
                r->factor);
    ls_callback *callback = NULL;
    if (!ls_failed(o->context) && ls_monitor_set(&r->monitor, o->context, "reduce_lr_on_plateau", o->monitor, o->mode,
                                                 default_delta ? 1e-4 : o->min_delta))
        callback = ls_lambda_callback(o->context, "reduce_lr_on_plateau", r, .on_train_begin = reducer_train_begin,
                                      .on_epoch_end = reducer_epoch_end, .destroy = free);
    if (!callback) {
        free(r);
        return NULL;
    }
    const struct ls_callback_number numbers[] = {{"wait", &r->wait},
                                                 {"best", &r->monitor.best},
                                                 {"has_best", &r->monitor.has_best},
                                                 {"cooldown_counter", &r->cooldown_counter}};
    memcpy(callback->numbers, numbers, sizeof numbers);
    return callback;
}
