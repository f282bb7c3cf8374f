/* SPDX-License-Identifier: Apache-2.0
 *
 * A train_step of one's own inside fit's machinery, as in Keras' guide "Customizing what happens in fit()": clipping
 * by the global norm, and the norm before that as a metric "grad_norm" in bar, logs and history.
 */
#include "options.h"

enum { BATCH = 128 };

struct clipping {
    ls_metric *grad_norm;
    float limit;
};

static void train_step(ls_step *step)
{
    const struct clipping *clipping = step->user;
    ls_tensor y_pred, loss;
    LS_TAPE(tape, step->context) {
        y_pred = ls_forward(step, true);          /* (batch, 10) */
        loss = ls_compute_loss(step, y_pred);     /* (), as ls_compile said */
    }
    ls_gradients gradients = ls_gradients_of(tape, loss, ls_trainable_variables(step->model));
    ls_tensor norm = ls_clip_by_global_norm(gradients, clipping->limit); /* (), before clipping */
    ls_apply_gradients(step->optimizer, gradients);
    ls_update_state(clipping->grad_norm, norm);
    ls_track_loss(step, loss);
    ls_compute_metrics(step, y_pred);
}

/* With --steps, ends the training behind so many. */
struct limit {
    long long steps, done;
};

static ls_status count_step(void *user, const ls_event *event)
{
    struct limit *limit = user;
    if (++limit->done >= limit->steps)
        ls_stop_training(event->model);
    return LS_OK;
}

int main(int argc, char **argv)
{
    struct options options = {.epochs = 5, .steps = 1LL << 60, .seed = 42};
    read_options(argc, argv, &options);
    stop_on_interrupt();
    ls_context *ls = ls_open(NULL); /* LOCKSTEP_BACKEND, else the best device */
    ls_set_random_seed(ls, options.seed);
    ls_dataset *train_set, *validation;
    load_images(ls, &options, &train_set, &validation, NULL);
    train_set = ls_dataset_batch(ls_dataset_shuffle(train_set), BATCH);
    validation = ls_dataset_batch(validation, BATCH);

    ls_model *mlp = ls_sequential(ls, "mlp", (ls_layer *[]){
        ls_rescaling(ls, 1.0f / 255),
        ls_flatten(ls),
        ls_dense(ls, 128, .activation = LS_RELU),
        ls_dense(ls, 10),
        NULL});
    struct clipping clipping = {ls_mean_metric(ls, "grad_norm"), 1.0f};
    struct limit limit = {options.steps, 0};
    ls_compile(mlp, ls_sgd(ls, .learning_rate = 0.1f), {ls_sparse_categorical_crossentropy_with, .from_logits = true},
               .metrics = LS_METRICS(ls_sparse_categorical_accuracy(ls, "accuracy")),
               .train_step = train_step, .trackers = LS_METRICS(clipping.grad_norm), .user = &clipping);

    ls_history *history = NULL;
    ls_fit(mlp, train_set, .epochs = options.epochs, .validation_data = validation, .verbose = 1,
           .progress.file = stdout, .history = &history, .stop = &interrupted,
           .callbacks = LS_CALLBACKS(ls_lambda_callback(ls, .user = &limit, .on_train_batch_end = count_step)));

    for (size_t i = 0; i < ls_history_epochs(history); i++)
        printf("epoch %zu: loss %.4f, grad_norm %.4f, val_accuracy %.4f\n", i + 1, ls_history_value(history, "loss", i),
               ls_history_value(history, "grad_norm", i), ls_history_value(history, "val_accuracy", i));
    return finish(ls, mlp, "train_step_override");
}
