/* SPDX-License-Identifier: Apache-2.0
 *
 * A loss of several parts: the cross-entropy, a penalty on weights (a kernel regularizer), a penalty on activations
 * (an activity regularizer) and one that a layer of one's own adds while it is called. Each part is shown, and the
 * optimizer sees their sum.
 */
#include <limits.h>

#include "options.h"

enum { BATCH = 128, PARTS = 4 };

/* A layer that passes x on and asks its features to have a mean of zero over the batch: loss = weight * mean^2. */
struct centered {
    float weight;
};

static ls_tensor call_centered(ls_layer *layer, void *state, ls_tensor x, bool training)
{
    const struct centered *self = state;
    (void)training;
    ls_tensor mean = ls_mean(x, (int[]){0}, 1, false);           /* (features) */
    ls_tensor penalty = ls_mean(ls_square(mean), NULL, 0, false); /* () */
    ls_add_loss(layer, ls_mul(penalty, ls_scalar(ls_layer_context(layer), self->weight)));
    return x;
}

static const ls_layer_kind centered_kind = {
    .name = "centered", .state_size = sizeof(struct centered), .call = call_centered, .title = "Centered"};

struct training {
    ls_context *ls;
    ls_model *mlp;
    ls_optimizer *adam;
    ls_metric *part[PARTS];
};

static void train_step(struct training *t, const ls_batch *batch)
{
    ls_tensor parts[PARTS], total;
    LS_TAPE (tape, t->ls) {
        ls_tensor logits = ls_call(t->mlp, batch->x, .training = true);                       /* (batch, 10) */
        parts[0] = ls_sparse_categorical_crossentropy(batch->y, logits, .from_logits = true); /* () */
        ls_losses(t->mlp, parts + 1, PARTS - 1); /* those of the call first, then those of the weights */
        total = parts[0];
        for (int i = 1; i < PARTS; i++)
            total = ls_add(total, parts[i]);
    }
    ls_apply_gradients(t->adam, ls_gradients_of(tape, total, ls_trainable_variables(t->mlp)));
    for (int i = 0; i < PARTS; i++)
        ls_update_state(t->part[i], parts[i]);
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

    struct training t = {.ls = ls, .adam = ls_adam(ls, .learning_rate = 1e-3f)};
    const char *names[PARTS] = {"cross-entropy", "activations", "centered", "weights"};
    for (int i = 0; i < PARTS; i++)
        t.part[i] = ls_mean_metric(ls, names[i]);
    t.mlp = ls_sequential(ls, "mlp", (ls_layer *[]){
        ls_rescaling(ls, 1.0f / 255),
        ls_flatten(ls),
        ls_dense(ls, 128, .activation = LS_RELU, .activity_regularizer = ls_l1(1e-4f)),
        ls_layer_create(ls, &centered_kind, &(struct centered){.weight = 0.1f}, NULL),
        ls_dense(ls, 10, .kernel_regularizer = ls_l2(1e-3f)),
        NULL});

    long long done = 0;
    for (int epoch = 0; epoch < options.epochs && !enough(&options, done) && ls_error(ls) == LS_OK; epoch++) {
        ls_reset_states(t.part[0], t.part[1], t.part[2], t.part[3]);
        LS_FOR_BATCHES (batch, train_set) {
            train_step(&t, &batch);
            if (enough(&options, ++done))
                break;
        }
        printf("epoch %d:", epoch + 1);
        for (int i = 0; i < PARTS; i++)
            printf(" %s %.4f", names[i], (double)ls_result(t.part[i]));
        printf("\n");
    }

    return finish(ls, t.mlp, "multi_loss");
}
