/* SPDX-License-Identifier: Apache-2.0
 *
 * A convolutional network on Fashion-MNIST: convolution, batch normalisation, pooling, dropout. Training passes
 * .training = true, so that dropout drops and moving statistics move; evaluation leaves it out.
 */
#include <limits.h>

#include <lockstep/lockstep.h>

#include "options.h"

enum { BATCH = 128 };

struct training {
    ls_context *ls;
    ls_model *cnn;
    ls_optimizer *adam;
    ls_metric *loss, *accuracy;
    ls_function *step; /* the step, captured, with --captured */
};

/* One step: forward, backward, update. inputs: x (batch, 28, 28) uint8, y (batch) int32. */
static void train_step(void *user, const ls_tensor *inputs, ls_tensor *outputs)
{
    struct training *t = user;
    ls_tensor x = inputs[0], y = inputs[1], logits, loss;
    LS_TAPE(tape, t->ls) {
        logits = ls_call(t->cnn, x, .training = true);                             /* (batch, 10) */
        loss = ls_sparse_categorical_crossentropy(y, logits, .from_logits = true); /* () */
        loss = ls_add(loss, ls_sum_losses(t->cnn));                                /* the kernel's penalty */
    }
    ls_apply_gradients(t->adam, ls_gradients_of(tape, loss, ls_trainable_variables(t->cnn)));
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
    ls_update_state(t->loss, loss, ls_scalar(t->ls, (float)batch->size));
}

static void fit(struct training *t, ls_dataset *train_set, const struct options *options)
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
        ls_progress_end(bar, step, t->accuracy, t->loss);
    }
}

static float evaluate(struct training *t, ls_dataset *dataset)
{
    ls_reset_states(t->accuracy);
    LS_FOR_BATCHES(batch, dataset) {
        ls_update_state(t->accuracy, batch.y, ls_call(t->cnn, batch.x));
    }
    return ls_result(t->accuracy);
}

int main(int argc, char **argv)
{
    struct options options = {.epochs = 3, .steps = LLONG_MAX, .seed = 42, .can_capture = true};
    read_options(argc, argv, &options);
    stop_on_interrupt();

    ls_context *ls = ls_open(NULL); /* LOCKSTEP_BACKEND, else the best device */
    ls_set_random_seed(ls, options.seed);

    ls_dataset *train_set, *validation, *test; /* images (28, 28) uint8, labels () int32 */
    load_images(ls, &options, &train_set, &validation, &test);
    train_set = ls_dataset_batch(ls_dataset_shuffle(train_set), BATCH);
    test = ls_dataset_batch(test, BATCH);

    ls_model *cnn = ls_sequential(ls, "cnn", (ls_layer *[]){
        ls_rescaling(ls, 1.0f / 255),
        ls_reshape_layer(ls, LS_SHAPE(28, 28, 1)),
        ls_conv2d(ls, 16, {3}, .padding = LS_SAME, .no_bias = true),
        ls_batch_normalization_layer(ls),
        ls_activation_layer(ls, LS_RELU),
        ls_max_pooling2d(ls),
        ls_conv2d(ls, 32, {3}, .activation = LS_RELU, .kernel_initializer = ls_he_normal()),
        ls_max_pooling2d(ls),
        ls_flatten(ls),
        ls_dropout_layer(ls, 0.25f),
        ls_dense(ls, 10, .kernel_regularizer = ls_l2(1e-4f)),
        NULL});
    ls_build(cnn, LS_SHAPE(1, 28, 28));
    ls_summary(cnn, stdout);

    struct training t = {
        .ls = ls,
        .cnn = cnn,
        .adam = ls_adam(ls, .learning_rate = 1e-3f),
        .loss = ls_mean_metric(ls, "loss"),
        .accuracy = ls_sparse_categorical_accuracy(ls, "accuracy"),
    };
    if (options.captured)
        t.step = ls_function_create(ls, train_step, &t, 2, 1);

    fit(&t, train_set, &options);
    float accuracy = evaluate(&t, test);
    if (ls_error(ls) == LS_OK)
        printf("test accuracy: %.4f\n", (double)accuracy);
    return finish(ls, cnn, "cnn");
}
