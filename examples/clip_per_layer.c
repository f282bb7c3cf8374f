/* SPDX-License-Identifier: Apache-2.0
 *
 * Each layer's gradients clipped by a norm of their own: between the tape and the optimizer the gradients are plain
 * tensors, so whatever ops can say may be done to them. Prints how long they were before, layer by layer.
 */
#include <limits.h>

#include "options.h"

enum { BATCH = 128, LAYERS = 3 };

static const float limits[LAYERS] = {0.5f, 0.25f, 0.1f}; /* of the first dense layer, the second, the last */

struct training {
    ls_context *ls;
    ls_model *mlp;
    ls_layer *dense[LAYERS];
    ls_optimizer *sgd;
    ls_metric *loss, *norm[LAYERS];
};

/* Scales the gradients of one layer so that all of them together are no longer than `limit`. */
static void clip_layer(struct training *t, ls_gradients all, int which)
{
    ls_variables own = ls_trainable_variables(t->dense[which]);
    for (size_t first = 0; first < all.count; first++) {
        if (all.variables[first].index != own.items[0].index)
            continue; /* the layer's variables stand together, from its kernel on */
        ls_gradients part = {all.items + first, all.variables + first, own.count, all.context};
        ls_update_state(t->norm[which], ls_clip_by_global_norm(part, limits[which]));
    }
}

static void train_step(struct training *t, const ls_batch *batch)
{
    ls_tensor loss;
    LS_TAPE (tape, t->ls) {
        ls_tensor logits = ls_call(t->mlp, batch->x, .training = true);                  /* (batch, 10) */
        loss = ls_sparse_categorical_crossentropy(batch->y, logits, .from_logits = true); /* () */
    }
    ls_gradients gradients = ls_gradients_of(tape, loss, ls_trainable_variables(t->mlp));
    for (int i = 0; i < LAYERS; i++)
        clip_layer(t, gradients, i);
    ls_apply_gradients(t->sgd, gradients);
    ls_update_state(t->loss, loss);
}

static void print_epoch(struct training *t, int epoch)
{
    float loss = ls_result(t->loss), norm[LAYERS];
    for (int i = 0; i < LAYERS; i++)
        norm[i] = ls_result(t->norm[i]);
    if (ls_error(t->ls) != LS_OK)
        return;
    printf("epoch %d: loss %.4f, mean gradient norms", epoch + 1, (double)loss);
    for (int i = 0; i < LAYERS; i++)
        printf(" %s %.3f (at most %g)", ls_layer_name(t->dense[i]), (double)norm[i], (double)limits[i]);
    printf("\n");
}

int main(int argc, char **argv)
{
    struct options options = {.epochs = 3, .steps = LLONG_MAX, .seed = 42};
    read_options(argc, argv, &options);
    stop_on_interrupt();
    ls_context *ls = ls_open(NULL); /* LOCKSTEP_BACKEND, else the best device */
    ls_set_random_seed(ls, options.seed);
    ls_dataset *train_set;
    load_images(ls, &options, &train_set, NULL, NULL);
    train_set = ls_dataset_batch(ls_dataset_shuffle(train_set), BATCH);

    struct training t = {.ls = ls, .sgd = ls_sgd(ls, .learning_rate = 0.1f, .momentum = 0.9f),
                         .loss = ls_mean_metric(ls, "loss")};
    t.dense[0] = ls_dense(ls, 256, .activation = LS_RELU);
    t.dense[1] = ls_dense(ls, 128, .activation = LS_RELU);
    t.dense[2] = ls_dense(ls, 10);
    t.mlp = ls_sequential(ls, "mlp", (ls_layer *[]){
        ls_rescaling(ls, 1.0f / 255), ls_flatten(ls), t.dense[0], t.dense[1], t.dense[2], NULL});
    ls_build(t.mlp, LS_SHAPE(1, 28, 28));
    for (int i = 0; i < LAYERS; i++)
        t.norm[i] = ls_mean_metric(ls, "norm");

    long long done = 0;
    for (int epoch = 0; epoch < options.epochs && !enough(&options, done) && ls_error(ls) == LS_OK; epoch++) {
        ls_reset_states(t.loss, t.norm[0], t.norm[1], t.norm[2]);
        LS_FOR_BATCHES (batch, train_set) {
            train_step(&t, &batch);
            if (enough(&options, ++done))
                break;
        }
        print_epoch(&t, epoch);
    }

    return finish(ls, t.mlp, "clip_per_layer");
}
