/* SPDX-License-Identifier: Apache-2.0
 *
 * Validation in a loop written by hand: after each epoch the network is measured on data that it does not train on,
 * the best weights are kept, and training stops when three epochs brought nothing better.
 */
#include <limits.h>

#include "options.h"

enum { BATCH = 128, PATIENCE = 3, MAX_VARIABLES = 8 };

struct training {
    ls_context *ls;
    ls_model *mlp;
    ls_optimizer *adam;
    ls_metric *loss, *val_loss, *val_accuracy;
    ls_tensor best[MAX_VARIABLES]; /* the weights of the best epoch: variables that do not train */
};

static void train_step(struct training *t, const ls_batch *batch)
{
    ls_tensor loss;
    LS_TAPE (tape, t->ls) {
        ls_tensor logits = ls_call(t->mlp, batch->x, .training = true);                   /* (batch, 10) */
        loss = ls_sparse_categorical_crossentropy(batch->y, logits, .from_logits = true); /* () */
    }
    ls_apply_gradients(t->adam, ls_gradients_of(tape, loss, ls_trainable_variables(t->mlp)));
    ls_update_state(t->loss, loss);
}

/* No tape, no training: dropout keeps everything. */
static void evaluate(struct training *t, ls_dataset *dataset)
{
    ls_reset_states(t->val_loss, t->val_accuracy);
    LS_FOR_BATCHES (batch, dataset) {
        ls_tensor logits = ls_call(t->mlp, batch.x);
        ls_tensor loss = ls_sparse_categorical_crossentropy(batch.y, logits, .from_logits = true);
        ls_update_state(t->val_loss, loss, ls_scalar(t->ls, (float)batch.size)); /* the short batch counts less */
        ls_update_state(t->val_accuracy, batch.y, logits);
    }
}

static void copy_weights(struct training *t, bool restore)
{
    ls_variables weights = ls_all_variables(t->mlp);
    for (size_t i = 0; i < weights.count && i < MAX_VARIABLES; i++) {
        if (restore)
            ls_assign(weights.items[i], t->best[i]);
        else if (ls_is_nil(t->best[i]))
            t->best[i] = ls_variable(weights.items[i], "best", false);
        else
            ls_assign(t->best[i], weights.items[i]);
    }
}

static void train(struct training *t, ls_dataset *train_set, ls_dataset *validation, const struct options *options)
{
    long long done = 0;
    float best = 0;
    int best_epoch = 0;
    for (int epoch = 1; epoch <= options->epochs && !enough(options, done) && ls_error(t->ls) == LS_OK; epoch++) {
        ls_reset_states(t->loss);
        LS_FOR_BATCHES (batch, train_set) {
            train_step(t, &batch);
            if (enough(options, ++done))
                break;
        }
        evaluate(t, validation);
        float loss = ls_result(t->loss), val_loss = ls_result(t->val_loss), accuracy = ls_result(t->val_accuracy);
        if (ls_error(t->ls) != LS_OK)
            return;
        printf("epoch %d: loss %.4f, validation loss %.4f, validation accuracy %.4f\n", epoch, (double)loss,
               (double)val_loss, (double)accuracy);
        if (best_epoch == 0 || val_loss < best) {
            best = val_loss, best_epoch = epoch;
            copy_weights(t, false);
        } else if (epoch - best_epoch == PATIENCE) {
            break;
        }
    }
    if (best_epoch)
        printf("the best weights are those of epoch %d\n", best_epoch);
    copy_weights(t, best_epoch > 0);
}

int main(int argc, char **argv)
{
    struct options options = {.epochs = 20, .steps = LLONG_MAX, .seed = 42};
    read_options(argc, argv, &options);
    stop_on_interrupt();
    ls_context *ls = ls_open(NULL); /* LOCKSTEP_BACKEND, else the best device */
    ls_set_random_seed(ls, options.seed);
    ls_dataset *train_set, *validation, *test;
    load_images(ls, &options, &train_set, &validation, &test);
    train_set = ls_dataset_batch(ls_dataset_shuffle(train_set), BATCH);
    validation = ls_dataset_batch(validation, BATCH);
    test = ls_dataset_batch(test, BATCH);

    struct training t = {
        .ls = ls,
        .mlp = ls_sequential(ls, "mlp", (ls_layer *[]){
            ls_rescaling(ls, 1.0f / 255),
            ls_flatten(ls),
            ls_dense(ls, 128, .activation = LS_RELU),
            ls_dropout_layer(ls, 0.2f),
            ls_dense(ls, 10),
            NULL}),
        .adam = ls_adam(ls, .learning_rate = 2e-3f),
        .loss = ls_mean_metric(ls, "loss"),
        .val_loss = ls_mean_metric(ls, "val_loss"),
        .val_accuracy = ls_sparse_categorical_accuracy(ls, "val_accuracy"),
    };
    train(&t, train_set, validation, &options);
    evaluate(&t, test);

    float accuracy = ls_result(t.val_accuracy);
    if (ls_error(ls) == LS_OK)
        printf("test accuracy: %.4f\n", (double)accuracy);
    return finish(ls, t.mlp, "validation_loop");
}
