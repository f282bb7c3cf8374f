/* SPDX-License-Identifier: Apache-2.0
 *
 * Failures in fit, one at a time: the Nth host allocation, the Nth allocation on the device, the Nth primitive call,
 * the loss of the device. Each ends with a status and a message, and on_train_end is called where training began;
 * nothing leaks (sanitizers watch), and after an error that is not a loss the same context trains again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "failing_memory.h"

/* ---- A job with everything in it ---- */

enum { SAMPLES = 12, FEATURES = 3 };

static int begun, ended;

static ls_status on_begin(void *user, const ls_event *event)
{
    (void)user, (void)event;
    begun++;
    return LS_OK;
}

static ls_status on_end(void *user, const ls_event *event)
{
    (void)user, (void)event;
    ended++;
    return LS_OK;
}

static ls_status save_nothing(void *user, ls_model *model, const char *path)
{
    (void)user, (void)path;
    return model ? LS_OK : LS_INVALID_ARGUMENT;
}

/* Trains, evaluates, predicts; the fingerprint of the predictions into `text`. */
static ls_status run(ls_context *ls, char *text)
{
    ls_tensor y_pred = {0};
    ls_logs logs;
    ls_history *history = NULL;
    begun = ended = 0;
    ls_scope_begin(ls);
    ls_set_random_seed(ls, 5);
    ls_tensor x = ls_random_normal(ls, LS_SHAPE(SAMPLES, FEATURES), 0, 1);
    ls_tensor y = ls_sum(x, (int[]){1}, 1, true), weight = ls_ones(ls, LS_FLOAT32, LS_SHAPE(SAMPLES));
    ls_model *model =
        ls_sequential(ls, "m", (ls_layer *[]){ls_dense(ls, 4, .activation = LS_RELU), ls_dense(ls, 1), NULL});
    ls_optimizer *adam = ls_adam(ls);
    ls_metric *error = ls_loss_metric(ls, ls_mean_absolute_error_with, "error");
    ls_callback *callbacks[] = {
        ls_lambda_callback(ls, .on_train_begin = on_begin, .on_train_end = on_end),
        ls_early_stopping(ls, .restore_best_weights = true),
        ls_reduce_lr_on_plateau(ls, .patience = 1),
        ls_model_checkpoint(ls, "/tmp/{epoch}-{val_loss:.2f}", .save = save_nothing),
        ls_csv_logger(ls, "/dev/null"), NULL};
    ls_compile(model, adam, {ls_mean_squared_error_with}, .metrics = LS_METRICS(error));
    ls_fit(model, .x = x, .y = y, .sample_weight = weight, .batch_size = 4, .epochs = 2, .validation_split = 0.25,
           .callbacks = callbacks, .history = &history);
    ls_evaluate(model, .x = x, .y = y, .logs = &logs);
    ls_predict(model, .x = x, .batch_size = 5, .y_pred = &y_pred);
    ls_fingerprint_text print = ls_fingerprint(&y_pred, 1);
    if (ls_error(ls) == LS_OK)
        strcpy(text, print.text);
    for (int i = 0; i < 5; i++)
        ls_callback_destroy(&callbacks[i]);
    ls_history_destroy(&history);
    ls_layer_destroy(&model);
    ls_optimizer_destroy(&adam);
    ls_metric_destroy(&error);
    ls_status status = ls_error(ls);
    ls_scope_end(ls);
    return status;
}

/* ---- Failures ---- */

static void check_again(ls_context *ls, const char *what, const char *truth)
{
    char text[32] = "";
    CHECK(begun == ended, "%s: began %d times and ended %d times", what, begun, ended);
    ls_clear_error(ls);
    CHECK(run(ls, text) == LS_OK && strcmp(text, truth) == 0, "%s: afterwards %s, %s", what, text,
          ls_error_message(ls));
}

static void device_faults(const char *kind, const char *truth)
{
    int met = 0;
    for (int n = 1; n < 3000; n += n < 40 ? 1 : 13) {
        char words[64], text[32] = "";
        snprintf(words, sizeof words, "fault:%s=%d,reference", kind, n);
        ls_context *ls = ls_open(words);
        ls_status status = run(ls, text);
        if (status == LS_OK) {
            CHECK(strcmp(text, truth) == 0, "%s: %s", words, text);
            ls_close(&ls);
            break;
        }
        met++;
        CHECK(strstr(ls_error_message(ls), "planted"), "%s: %s", words, ls_error_message(ls));
        if (status == LS_DEVICE_LOST)
            CHECK(begun == ended, "%s: began %d times and ended %d times", words, begun, ended);
        else
            check_again(ls, words, truth);
        ls_close(&ls);
    }
    CHECK(met > 3, "%s: only %d met", kind, met);
}

static void host_faults(const char *truth)
{
    int met = 0;
    for (int n = 1; n < 20000; n += n < 100 ? 1 : 7) {
        char what[32], text[32] = "";
        snprintf(what, sizeof what, "host=%d", n);
        ls_context *ls = ls_open("reference");
        host_countdown = n;
        ls_status status = run(ls, text);
        bool failed = host_countdown == 0;
        host_countdown = 0;
        if (!failed) {
            CHECK(status == LS_OK && strcmp(text, truth) == 0, "%s: %s", what, text);
            ls_close(&ls);
            break;
        }
        met++;
        /* Where memory is only for speed, its lack need not be an error; the result is then right. */
        CHECK(status == LS_OUT_OF_MEMORY || (status == LS_OK && strcmp(text, truth) == 0), "%s: %s: %s", what,
              ls_status_name(status), ls_error_message(ls));
        check_again(ls, what, truth);
        ls_close(&ls);
    }
    CHECK(met > 50, "only %d met", met);
}

int main(void)
{
    char truth[32] = "";
    ls_context *ls = ls_open("reference");
    CHECK(run(ls, truth) == LS_OK && begun == 1 && ended == 1, "%s", ls_error_message(ls));
    ls_close(&ls);
    host_faults(truth);
    device_faults("alloc", truth);
    device_faults("call", truth);
    device_faults("lost", truth);
    return end_of_checks();
}
