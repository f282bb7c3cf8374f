/* SPDX-License-Identifier: Apache-2.0
 *
 * Mixup (Zhang and others, 2018): training on sums of two images, with labels that are the same sums. Everything is
 * made on the device: the partners by a random permutation of the batch, the shares by one uniform number each (a
 * Beta distribution with both parameters 1).
 */
#include <limits.h>

#include "options.h"

enum { BATCH = 128, CLASSES = 10 };

struct training {
    ls_context *ls;
    ls_model *mlp;
    ls_optimizer *adam;
    ls_metric *loss, *accuracy;
};

/* share * a + (1 - share) * b, row by row; share (batch, 1), a and b (batch, n). */
static ls_tensor mixed(ls_tensor share, ls_tensor a, ls_tensor b) { return ls_fma(share, ls_sub(a, b), b); }

static void train_step(struct training *t, const ls_batch *batch)
{
    ls_context *ls = t->ls;
    int64_t n = batch->size;
    ls_tensor x = ls_reshape(ls_cast(batch->x, LS_FLOAT32), LS_SHAPE(n, 784));
    ls_tensor y = ls_one_hot(batch->y, CLASSES); /* (batch, 10) */
    ls_tensor partner = ls_random_permutation(ls, n), share = ls_random_uniform(ls, LS_SHAPE(n, 1), 0, 1), loss;
    x = mixed(share, x, ls_gather(x, partner, 0));
    y = mixed(share, y, ls_gather(y, partner, 0));

    LS_TAPE (tape, ls)
        loss = ls_categorical_crossentropy(y, ls_call(t->mlp, x, .training = true), .from_logits = true);
    ls_apply_gradients(t->adam, ls_gradients_of(tape, loss, ls_trainable_variables(t->mlp)));
    ls_update_state(t->loss, loss);
}

static float evaluate(struct training *t, ls_dataset *dataset)
{
    ls_reset_states(t->accuracy);
    LS_FOR_BATCHES (batch, dataset) {
        ls_tensor x = ls_reshape(ls_cast(batch.x, LS_FLOAT32), LS_SHAPE(batch.size, 784));
        ls_update_state(t->accuracy, batch.y, ls_call(t->mlp, x));
    }
    return ls_result(t->accuracy);
}

int main(int argc, char **argv)
{
    struct options options = {.epochs = 3, .steps = LLONG_MAX, .seed = 42};
    read_options(argc, argv, &options);
    stop_on_interrupt();
    ls_context *ls = ls_open(NULL); /* LOCKSTEP_BACKEND, else the best device */
    ls_set_random_seed(ls, options.seed);
    ls_dataset *train_set, *test;
    load_images(ls, &options, &train_set, NULL, &test);
    train_set = ls_dataset_batch(ls_dataset_shuffle(train_set), BATCH);
    test = ls_dataset_batch(test, BATCH);

    struct training t = {
        .ls = ls,
        .mlp = ls_sequential(ls, "mlp", (ls_layer *[]){
            ls_rescaling(ls, 1.0f / 255),
            ls_dense(ls, 256, .activation = LS_RELU),
            ls_dense(ls, 128, .activation = LS_RELU),
            ls_dense(ls, CLASSES),
            NULL}),
        .adam = ls_adam(ls, .learning_rate = 1e-3f),
        .loss = ls_mean_metric(ls, "loss"),
        .accuracy = ls_sparse_categorical_accuracy(ls, "accuracy"),
    };

    long long done = 0;
    for (int epoch = 0; epoch < options.epochs && !enough(&options, done) && ls_error(ls) == LS_OK; epoch++) {
        ls_reset_states(t.loss);
        LS_FOR_BATCHES (batch, train_set) {
            train_step(&t, &batch);
            if (enough(&options, ++done))
                break;
        }
        float loss = ls_result(t.loss), accuracy = evaluate(&t, test);
        if (ls_error(ls) == LS_OK)
            printf("epoch %d: loss on mixtures %.4f, test accuracy %.4f\n", epoch + 1, (double)loss, (double)accuracy);
    }

    return finish(ls, t.mlp, "mixup");
}
