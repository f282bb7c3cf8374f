/* SPDX-License-Identifier: Apache-2.0
 *
 * A training loop by hand: tape, gradients, optimizer, metrics. The role of Keras' guide "Writing a
 * training loop from scratch". Run it with LOCKSTEP_BACKEND=reference and =opencl: the same digits.
 */
#include <limits.h>

#include <lockstep/lockstep.h>

#include "options.h"

enum { BATCH = 128 };

struct training {
    ls_context *ls;
    ls_model *mlp;
    ls_optimizer *adam;
    ls_metric *loss, *accuracy, *val_loss, *val_accuracy;
    ls_function *step; /* the step, captured, with --captured */
};

/* One step: forward, backward, update. inputs: x (batch, 28, 28) uint8, y (batch) int32. */
static void train_step(void *user, const ls_tensor *inputs, ls_tensor *outputs)
{
    struct training *t = user;
    ls_tensor x = inputs[0], y = inputs[1], logits, loss;
    LS_TAPE(tape, t->ls) {
        logits = ls_call(t->mlp, x, .training = true);                               /* (batch, 10) */
        loss = ls_sparse_categorical_crossentropy(y, logits, .from_logits = true);   /* () */
    }
    ls_gradients gradients = ls_gradients_of(tape, loss, ls_trainable_variables(t->mlp));
    ls_apply_gradients(t->adam, gradients);
    ls_update_state(t->accuracy, y, logits);
    outputs[0] = loss;
}

static void train(struct training *t, const ls_batch *batch)
{
    ls_tensor inputs[] = {batch->x, batch->y}, loss = {0};
    if (t->step && batch->size == BATCH) /* a captured step has one shape; the short last batch has another */
        ls_function_call(t->step, inputs, &loss);
    else
        train_step(t, inputs, &loss);
    ls_update_state(t->loss, loss, ls_scalar(t->ls, (float)batch->size)); /* the short batch counts less */
}

static void evaluate(struct training *t, ls_dataset *dataset)
{
    ls_reset_states(t->val_loss, t->val_accuracy);
    LS_FOR_BATCHES(batch, dataset) {
        ls_tensor logits = ls_call(t->mlp, batch.x);
        ls_tensor loss = ls_sparse_categorical_crossentropy(batch.y, logits, .from_logits = true);
        ls_update_state(t->val_loss, loss, ls_scalar(t->ls, (float)batch.size));
        ls_update_state(t->val_accuracy, batch.y, logits);
    }
}

static void fit(struct training *t, ls_dataset *train_set, ls_dataset *validation, const struct options *options)
{
    ls_progress *bar = ls_progress_create(t->ls, stdout);
    long long done = 0;
    for (int epoch = 0; epoch < options->epochs && !enough(options, done) && ls_error(t->ls) == LS_OK; epoch++) {
        ls_reset_states(t->loss, t->accuracy);
        ls_progress_begin(bar, epoch, options->epochs, ls_dataset_batches(train_set));
        int64_t step = 0;
        LS_FOR_BATCHES(batch, train_set) {
            train(t, &batch);
            step = batch.index + 1;
            ls_progress_update(bar, step, t->accuracy, t->loss);
            if (enough(options, ++done))
                break;
        }
        evaluate(t, validation);
        ls_progress_end(bar, step, t->accuracy, t->loss, t->val_accuracy, t->val_loss);
    }
}

int main(int argc, char **argv)
{
    struct options options = {.epochs = 10, .steps = LLONG_MAX, .seed = 42, .can_capture = true};
    read_options(argc, argv, &options);
    stop_on_interrupt();

    ls_context *ls = ls_open(NULL); /* LOCKSTEP_BACKEND, else the best device */
    ls_set_random_seed(ls, options.seed);

    ls_dataset *train_set, *validation, *test; /* 55,000, 5,000 and 10,000 images (28, 28) uint8, labels () int32 */
    load_images(ls, &options, &train_set, &validation, &test);
    train_set = ls_dataset_batch(ls_dataset_shuffle(train_set), BATCH);
    validation = ls_dataset_batch(validation, BATCH);
    test = ls_dataset_batch(test, BATCH);

    ls_model *mlp = ls_sequential(ls, "mlp", (ls_layer *[]){
        ls_rescaling(ls, 1.0f / 255),
        ls_flatten(ls),
        ls_dense(ls, 256, .activation = LS_RELU),
        ls_dense(ls, 128, .activation = LS_RELU),
        ls_dense(ls, 10),
        NULL});

    struct training t = {
        .ls = ls,
        .mlp = mlp,
        .adam = ls_adam(ls, .learning_rate = 1e-3f),
        .loss = ls_mean_metric(ls, "loss"),
        .accuracy = ls_sparse_categorical_accuracy(ls, "accuracy"),
        .val_loss = ls_mean_metric(ls, "val_loss"),
        .val_accuracy = ls_sparse_categorical_accuracy(ls, "val_accuracy"),
    };
    if (options.captured)
        t.step = ls_function_create(ls, train_step, &t, 2, 1);

    fit(&t, train_set, validation, &options);
    evaluate(&t, test);
    float loss = ls_result(t.val_loss), accuracy = ls_result(t.val_accuracy);
    if (ls_error(ls) == LS_OK)
        printf("test accuracy: %.4f, test loss: %.4f\n", (double)accuracy, (double)loss);
    return finish(ls, mlp, "custom_loop");
}
