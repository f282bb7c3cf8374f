/* SPDX-License-Identifier: Apache-2.0
 *
 * compile, fit, evaluate, predict, with callbacks: the first altitude. Early stopping that brings the best weights
 * back, a file of the best weights, a learning rate that falls on a plateau, a log for each epoch, files for
 * TensorBoard, a callback of one's own, and Ctrl-C, which ends the training after the current batch, saved.
 */
#include "options.h"

enum { BATCH = 128 };

/* A callback of one's own: with --steps, ends the training behind so many; and tells the gap after each epoch. */
struct watcher {
    long long steps, done;
};

static ls_status count_step(void *user, const ls_event *event)
{
    struct watcher *watcher = user;
    if (++watcher->done >= watcher->steps)
        ls_stop_training(event->model);
    return LS_OK;
}

static ls_status tell_gap(void *user, const ls_event *event)
{
    (void)user;
    double gap = ls_logs_get(event->logs, "accuracy") - ls_logs_get(event->logs, "val_accuracy");
    ls_logs_set(event->logs, "gap", gap); /* the History and the bar take it from there */
    return LS_OK;
}

int main(int argc, char **argv)
{
    struct options options = {.epochs = 10, .steps = 1LL << 60, .seed = 42};
    read_options(argc, argv, &options);
    stop_on_interrupt();

    ls_context *ls = ls_open(NULL); /* LOCKSTEP_BACKEND, else the best device */
    ls_set_random_seed(ls, options.seed);
    ls_dataset *train_set, *validation, *test; /* images (28, 28) uint8, labels () int32 */
    load_images(ls, &options, &train_set, &validation, &test);
    train_set = ls_dataset_batch(ls_dataset_shuffle(train_set), BATCH);
    validation = ls_dataset_batch(validation, BATCH);
    test = ls_dataset_batch(test, BATCH);

    ls_model *mlp = ls_sequential(ls, "mlp", (ls_layer *[]){
        ls_rescaling(ls, 1.0f / 255),
        ls_flatten(ls),
        ls_dense(ls, 256, .activation = LS_RELU),
        ls_dropout_layer(ls, 0.2f),
        ls_dense(ls, 10),
        NULL});
    ls_compile(mlp, ls_adam(ls, .learning_rate = 1e-3f), {ls_sparse_categorical_crossentropy_with, .from_logits = true},
               .metrics = LS_METRICS(ls_sparse_categorical_accuracy(ls, "accuracy")));

    struct watcher watcher = {options.steps, 0};
    ls_history *history = NULL;
    ls_fit(mlp, train_set, .epochs = options.epochs, .validation_data = validation,
           .callbacks = LS_CALLBACKS(
               ls_early_stopping(ls, "val_loss", .patience = 3, .restore_best_weights = true, .verbose = 1),
               ls_reduce_lr_on_plateau(ls, "val_loss", .factor = 0.5, .patience = 1, .verbose = 1),
               ls_model_checkpoint(ls, "fit_callbacks.best.safetensors", "val_loss", .save_best_only = true),
               ls_terminate_on_nan(ls),
               ls_csv_logger(ls, "fit_callbacks.csv"),
               ls_tensorboard(ls, "fit_callbacks.logs", .histogram_freq = 1),
               ls_lambda_callback(ls, .user = &watcher, .on_train_batch_end = count_step, .on_epoch_end = tell_gap)),
           .verbose = 2, .progress.file = stdout, .stop = &interrupted, .history = &history);
    ls_history_write_svg(history, "fit_callbacks.svg");

    for (size_t i = 0; i < ls_history_epochs(history); i++)
        printf("epoch %zu: loss %.4f, val_loss %.4f, gap %.4f\n", i + 1, ls_history_value(history, "loss", i),
               ls_history_value(history, "val_loss", i), ls_history_value(history, "gap", i));
    ls_logs logs = {0};
    ls_tensor logits = {0};
    if (!interrupted) {
        ls_evaluate(mlp, test, .logs = &logs);
        ls_predict(mlp, test, .y_pred = &logits); /* (10000, 10) */
        printf("test accuracy: %.4f, test loss: %.4f\n", ls_logs_get(&logs, "accuracy"), ls_logs_get(&logs, "loss"));
        printf("predictions: %s\n", ls_fingerprint(&logits, 1).text);
    }
    return finish(ls, mlp, "fit_callbacks");
}
