/* SPDX-License-Identifier: Apache-2.0
 *
 * Training that was interrupted in the middle of an epoch and resumed gives the bits of one that was not.
 */
#include <string.h>

#include "fit_problem.h"

static double shrink(void *user, int epoch, double rate)
{
    (void)user;
    return epoch ? rate * 0.7 : rate;
}

/* Everything that a step reads, as a snapshot file keeps it. */
struct snapshot {
    ls_model *model;
    ls_callback **callbacks;
    ls_tensor variables[64], copies[64];
    size_t count;
    double numbers[4][8];
    ls_tensor best[8];
    size_t best_count;
    ls_dataset *data;
    ls_dataset_position position;
    volatile sig_atomic_t stop;
    int epoch, batch; /* where to stop; -1: nowhere */
};

static void copy_variables(struct snapshot *s, ls_variables list)
{
    for (size_t i = 0; i < list.count; i++) {
        s->variables[s->count] = list.items[i];
        s->copies[s->count++] = ls_variable(list.items[i], "copy", false);
    }
}

static void save_all(struct snapshot *s)
{
    const char *name;
    copy_variables(s, ls_all_variables(s->model));
    copy_variables(s, ls_optimizer_variables(ls_model_optimizer(s->model)));
    for (ls_metric *const *m = ls_model_metrics(s->model); *m; m++)
        copy_variables(s, ls_metric_variables(*m));
    for (int c = 0; s->callbacks[c]; c++)
        for (int n = 0; (name = ls_callback_number_name(s->callbacks[c], (size_t)n)); n++)
            s->numbers[c][n] = ls_callback_number(s->callbacks[c], name);
    ls_variables best = ls_callback_variables(s->callbacks[1]);
    for (s->best_count = 0; s->best_count < best.count; s->best_count++)
        s->best[s->best_count] = ls_variable(best.items[s->best_count], "best", false);
}

static void restore_all(struct snapshot *s)
{
    const char *name;
    for (size_t i = 0; i < s->count; i++)
        ls_assign(s->variables[i], s->copies[i]);
    for (int c = 0; s->callbacks[c]; c++)
        for (int n = 0; (name = ls_callback_number_name(s->callbacks[c], (size_t)n)); n++)
            ls_callback_set_number(s->callbacks[c], name, s->numbers[c][n]);
    ls_callback_set_variables(s->callbacks[1], s->best, s->best_count);
    ls_dataset_restore_position(s->data, &s->position);
}

static ls_status snap(void *user, const ls_event *event)
{
    struct snapshot *s = user;
    if (event->epoch != s->epoch || event->batch != s->batch)
        return LS_OK;
    s->stop = 1;
    save_all(s);
    return ls_dataset_save_position(s->data, &s->position);
}

static struct outcome with_resume(int epoch, int batch, double *best, size_t *epochs)
{
    struct problem p = make_problem();
    struct snapshot s = {.data = batches(&p), .epoch = epoch, .batch = batch};
    ls_history *history = NULL;
    compile(&p);
    ls_callback *stopping = ls_early_stopping(p.ls, "loss", .patience = 9, .restore_best_weights = true);
    ls_callback *callbacks[] = {ls_learning_rate_scheduler(p.ls, shrink), stopping,
                                ls_reduce_lr_on_plateau(p.ls, "accuracy", .patience = 1, .mode = LS_MODE_MIN),
                                ls_lambda_callback(p.ls, .user = &s, .on_train_batch_end = snap), NULL};
    s.model = p.mlp;
    s.callbacks = callbacks;
    ls_fit_options options = {.model = p.mlp, .data = s.data, .epochs = 4, .history = &history, .callbacks = callbacks,
                              .stop = &s.stop};
    CHECK(ls_fit_with(&options) == LS_OK, "%s", ls_error_message(p.ls));
    if (epoch >= 0) {
        CHECK(ls_history_epochs(history) == (size_t)epoch, "%zu epochs", ls_history_epochs(history));
        s.stop = 0;
        restore_all(&s);
        options.resume = true;
        options.initial_epoch = epoch;
        options.initial_batch = batch + 1;
        CHECK(ls_fit_with(&options) == LS_OK, "%s", ls_error_message(p.ls));
    }
    *best = ls_callback_number(stopping, "best");
    *epochs = ls_history_epochs(history);
    struct outcome out = {ls_fingerprint_model(p.mlp), ls_history_value(history, "loss", *epochs - 1),
                          ls_history_value(history, "learning_rate", *epochs - 1)};
    close_problem(&p);
    return out;
}

static void test_resume(void)
{
    double best, other_best;
    size_t epochs, other_epochs;
    struct outcome whole = with_resume(-1, 0, &best, &epochs);
    CHECK(epochs == 4 && whole.accuracy < 0.01, "%zu epochs, rate %g", epochs, whole.accuracy);
    for (int batch = 0; batch < 4; batch++) { /* of four; the last one too */
        struct outcome halves = with_resume(2, batch, &other_best, &other_epochs);
        CHECK(other_epochs == epochs && other_best == best, "%zu epochs, best %g", other_epochs, other_best);
        CHECK(strcmp(whole.weights.text, halves.weights.text) == 0 && whole.loss == halves.loss &&
              whole.accuracy == halves.accuracy, "interrupted behind batch %d: %s, loss %g, rate %g; else %s, %g, %g",
              batch, halves.weights.text, halves.loss, halves.accuracy, whole.weights.text, whole.loss, whole.accuracy);
    }
}

int main(int argc, char **argv)
{
    choose_device(argc, argv);
    test_resume();
    return end_of_checks();
}
