/* SPDX-License-Identifier: Apache-2.0
 *
 * Two optimizers over the parts of one model, from one backward pass: slow SGD with momentum for the body, Adam for
 * the head. A list of variables is an array and a count, so a part of a model is a part of the list.
 */
#include <limits.h>

#include "options.h"

enum { BATCH = 128 };

struct training {
    ls_context *ls;
    ls_layer *body, *head;
    ls_model *mlp;
    ls_optimizer *sgd, *adam;
    ls_metric *loss, *accuracy;
    ls_function *step; /* the step, captured, with --captured */
};

/* The first variables of a list are the body's, in the order of the layers; the rest are the head's. */
static ls_gradients part_of(ls_gradients all, size_t first, size_t count)
{
    return (ls_gradients){all.items + first, all.variables + first, count, all.context};
}

/* One step. inputs: x (batch, 28, 28) uint8, y (batch) int32. */
static void train_step(void *user, const ls_tensor *inputs, ls_tensor *outputs)
{
    struct training *t = user;
    ls_tensor x = inputs[0], y = inputs[1], logits, loss;
    (void)outputs;
    LS_TAPE (tape, t->ls) {
        logits = ls_call(t->mlp, x, .training = true);                             /* (batch, 10) */
        loss = ls_sparse_categorical_crossentropy(y, logits, .from_logits = true); /* () */
    }
    ls_gradients gradients = ls_gradients_of(tape, loss, ls_trainable_variables(t->mlp));
    if (gradients.count == 0)
        return; /* an error, which the context keeps */
    size_t body = ls_trainable_variables(t->body).count;
    ls_apply_gradients(t->sgd, part_of(gradients, 0, body));
    ls_apply_gradients(t->adam, part_of(gradients, body, gradients.count - body));
    ls_update_state(t->loss, loss);
    ls_update_state(t->accuracy, y, logits);
}

static void train(struct training *t, const ls_batch *batch)
{
    ls_tensor inputs[] = {batch->x, batch->y};
    if (t->step && batch->size == BATCH) /* a captured step has one shape; the short last batch has another */
        ls_function_call(t->step, inputs, NULL);
    else
        train_step(t, inputs, NULL);
}

int main(int argc, char **argv)
{
    struct options options = {.epochs = 3, .steps = LLONG_MAX, .seed = 42, .can_capture = true};
    read_options(argc, argv, &options);
    stop_on_interrupt();
    ls_context *ls = ls_open(NULL); /* LOCKSTEP_BACKEND, else the best device */
    ls_set_random_seed(ls, options.seed);
    ls_dataset *train_set;
    load_images(ls, &options, &train_set, NULL, NULL);
    train_set = ls_dataset_batch(ls_dataset_shuffle(train_set), BATCH);

    struct training t = {
        .ls = ls,
        .body = ls_sequential(ls, "body", (ls_layer *[]){
            ls_rescaling(ls, 1.0f / 255),
            ls_flatten(ls),
            ls_dense(ls, 256, .activation = LS_RELU),
            ls_dense(ls, 128, .activation = LS_RELU),
            NULL}),
        .head = ls_dense(ls, 10, .name = "head"),
        .sgd = ls_sgd(ls, .learning_rate = 0.01f, .momentum = 0.9f),
        .adam = ls_adam(ls, .learning_rate = 1e-3f),
        .loss = ls_mean_metric(ls, "loss"),
        .accuracy = ls_sparse_categorical_accuracy(ls, "accuracy"),
    };
    t.mlp = ls_sequential(ls, "mlp", (ls_layer *[]){t.body, t.head, NULL});
    if (options.captured)
        t.step = ls_function_create(ls, train_step, &t, 2, 0);

    long long done = 0;
    for (int epoch = 0; epoch < options.epochs && !enough(&options, done) && ls_error(ls) == LS_OK; epoch++) {
        ls_reset_states(t.loss, t.accuracy);
        LS_FOR_BATCHES (batch, train_set) {
            train(&t, &batch);
            if (enough(&options, ++done))
                break;
        }
        float loss = ls_result(t.loss), accuracy = ls_result(t.accuracy);
        if (ls_error(ls) == LS_OK)
            printf("epoch %d: loss %.4f, accuracy %.4f\n", epoch + 1, (double)loss, (double)accuracy);
    }

    return finish(ls, t.mlp, "two_optimizers");
}
