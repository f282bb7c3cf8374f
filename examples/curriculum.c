/* SPDX-License-Identifier: Apache-2.0
 *
 * A curriculum by loss: an image is drawn with a probability that grows with its last loss, so that the network sees
 * most of what it knows least. Losses are kept on the device; drawing is a running sum and a search in it.
 */
#include <limits.h>

#include "options.h"

enum { POOL = 4096, BATCH = 64 };

struct training {
    ls_context *ls;
    ls_model *mlp;
    ls_optimizer *adam;
    ls_tensor x, y;     /* (POOL, 28, 28) uint8, (POOL) int32: all images there are */
    ls_tensor last_loss; /* (POOL), a variable */
};

/* BATCH positions, each with probability proportional to its last loss, (BATCH) int32. */
static ls_tensor draw(struct training *t)
{
    ls_tensor sums = ls_cumsum(t->last_loss, 0, false, false);                            /* (POOL), ascending */
    ls_tensor total = ls_sum(t->last_loss, NULL, 0, false);                               /* () */
    ls_tensor where = ls_mul(ls_random_uniform(t->ls, LS_SHAPE(BATCH), 0, 1), total);     /* (BATCH) */
    ls_tensor found = ls_searchsorted(sums, where, true);
    return ls_minimum(found, ls_int_scalar(t->ls, POOL - 1)); /* where rounding went past the last sum */
}

/* Returns the mean loss of the batch. */
static ls_tensor train_step(struct training *t)
{
    ls_tensor chosen = draw(t), x = ls_gather(t->x, chosen, 0), y = ls_gather(t->y, chosen, 0), losses, loss;
    LS_TAPE (tape, t->ls) {
        ls_tensor logits = ls_call(t->mlp, x, .training = true);                          /* (BATCH, 10) */
        losses = ls_sparse_categorical_crossentropy(y, logits, .from_logits = true,
                                                    .reduction = LS_NO_REDUCTION);        /* (BATCH) */
        loss = ls_mean(losses, NULL, 0, false);                                           /* () */
    }
    ls_apply_gradients(t->adam, ls_gradients_of(tape, loss, ls_trainable_variables(t->mlp)));
    ls_tensor floor = ls_scalar(t->ls, 0.05f); /* nobody is forgotten */
    ls_assign(t->last_loss, ls_scatter_update(t->last_loss, chosen, ls_maximum(losses, floor), 0));
    return loss;
}

static float evaluate(struct training *t, ls_dataset *test)
{
    ls_metric *accuracy = ls_sparse_categorical_accuracy(t->ls, "accuracy");
    LS_FOR_BATCHES (batch, test) {
        ls_update_state(accuracy, batch.y, ls_call(t->mlp, batch.x));
    }
    return ls_result(accuracy);
}

int main(int argc, char **argv)
{
    struct options options = {.epochs = 5, .steps = LLONG_MAX, .seed = 42};
    read_options(argc, argv, &options);
    stop_on_interrupt();
    ls_context *ls = ls_open(NULL); /* LOCKSTEP_BACKEND, else the best device */
    ls_set_random_seed(ls, options.seed);
    ls_dataset *train_set, *test;
    load_images(ls, &options, &train_set, NULL, &test);
    train_set = ls_dataset_batch(train_set, POOL);
    test = ls_dataset_batch(test, BATCH);

    struct training t = {
        .ls = ls,
        .mlp = ls_sequential(ls, "mlp", (ls_layer *[]){
            ls_rescaling(ls, 1.0f / 255),
            ls_flatten(ls),
            ls_dense(ls, 128, .activation = LS_RELU),
            ls_dense(ls, 10),
            NULL}),
        .adam = ls_adam(ls, .learning_rate = 1e-3f),
        .last_loss = ls_variable(ls_ones(ls, LS_FLOAT32, LS_SHAPE(POOL)), "last_loss", false),
    };
    LS_FOR_BATCHES (batch, train_set) {
        t.x = ls_keep(batch.x), t.y = ls_keep(batch.y);
        break;
    }

    long long done = 0;
    for (int epoch = 0; epoch < options.epochs && !enough(&options, done) && ls_error(ls) == LS_OK; epoch++) {
        for (int i = 0; i < POOL / BATCH && !enough(&options, done) && ls_error(ls) == LS_OK; i++, done++) {
            LS_SCOPE (ls)
                train_step(&t);
        }
        LS_SCOPE (ls) {
            float mean = ls_item(ls_mean(t.last_loss, NULL, 0, false));
            float hardest = ls_item(ls_max(t.last_loss, NULL, 0, false)), accuracy = evaluate(&t, test);
            if (ls_error(ls) == LS_OK)
                printf("epoch %d: last losses %.4f on average, %.4f at most; test accuracy %.4f\n", epoch + 1,
                       (double)mean, (double)hardest, (double)accuracy);
        }
    }

    return finish(ls, t.mlp, "curriculum");
}
