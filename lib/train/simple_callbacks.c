/* SPDX-License-Identifier: Apache-2.0
 *
 * Callbacks of a few lines: the learning rate by epoch, ending at NaN.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "number.h"
#include "train.h"

/* ---- The learning rate by epoch ---- */

static ls_status scheduler_epoch_begin(void *user, const ls_event *event)
{
    const ls_lr_scheduler_options *o = user;
    char text[160];
    ls_optimizer *optimizer = ls_model_optimizer(event->model);
    double rate = o->schedule(o->user, event->epoch, (double)ls_learning_rate(optimizer));
    if (!isfinite(rate))
        return ls_fail(o->context, LS_INVALID_ARGUMENT,
                       "learning_rate_scheduler: the schedule gave %g for epoch %d; it "
                       "must be a finite number",
                       rate, event->epoch);
    ls_set_learning_rate(optimizer, (float)rate);
    if (o->verbose > 0) {
        snprintf(text, sizeof text, "\nEpoch %d: LearningRateScheduler setting learning rate to %s.", event->epoch + 1,
                 ls_number(rate).text);
        ls_callback_print(event, text);
    }
    return ls_error(o->context);
}

static ls_status scheduler_epoch_end(void *user, const ls_event *event)
{
    const ls_lr_scheduler_options *o = user;
    ls_logs_set(event->logs, "learning_rate", (double)ls_learning_rate(ls_model_optimizer(event->model)));
    return ls_error(o->context);
}

ls_callback *ls_learning_rate_scheduler_with(const ls_lr_scheduler_options *options)
{
    if (!options)
        return ls_no_options("learning_rate_scheduler");
    ls_lr_scheduler_options *o = ls_callback_state(options->context, "learning_rate_scheduler", sizeof *o);
    if (!o)
        return NULL;
    *o = *options;
    if (!o->schedule)
        ls_fail(o->context, LS_INVALID_ARGUMENT, "learning_rate_scheduler: there is no schedule");
    ls_callback *callback = ls_lambda_callback(o->context, "learning_rate_scheduler", o,
                                               .on_epoch_begin = scheduler_epoch_begin,
                                               .on_epoch_end = scheduler_epoch_end, .destroy = free);
    if (!callback)
        free(o);
    return callback;
}

/* ---- NaN ---- */

static ls_status nan_batch_end(void *user, const ls_event *event)
{
    const ls_terminate_on_nan_options *o = user;
    char text[96];
    double loss = ls_logs_has(event->logs, "loss") ? ls_logs_get(event->logs, "loss") : 0;
    if (isfinite(loss) || ls_failed(o->context))
        return ls_error(o->context);
    if (o->raise_error)
        return ls_fail(o->context, LS_NOT_FINITE, "NaN or Inf loss encountered at batch %lld. Loss value: %s. "
                       "Terminating training immediately.", (long long)event->batch, ls_number(loss).text);
    snprintf(text, sizeof text, "Batch %lld: Invalid loss, terminating training", (long long)event->batch);
    ls_callback_print(event, text);
    ls_stop_training(event->model);
    return LS_OK;
}

ls_callback *ls_terminate_on_nan_with(const ls_terminate_on_nan_options *options)
{
    if (!options)
        return ls_no_options("terminate_on_nan");
    ls_terminate_on_nan_options *o = ls_callback_state(options->context, "terminate_on_nan", sizeof *o);
    if (!o)
        return NULL;
    *o = *options;
    ls_callback *callback = ls_lambda_callback(o->context, "terminate_on_nan", o, .on_train_batch_end = nan_batch_end,
                                               .destroy = free);
    if (!callback)
        free(o);
    return callback;
}
