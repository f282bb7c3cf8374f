/* SPDX-License-Identifier: Apache-2.0
 *
 * Gradient accumulation: a batch of 128 as four of 32, for devices whose memory holds no more. Once by hand, adding
 * gradients up and applying their mean; once by the optimizer's own option. The weights have the same bits.
 */
#include <limits.h>

#include "options.h"

enum { MICRO_BATCH = 32, PIECES = 4, MAX_VARIABLES = 4 };

/* The same initial weights each time. */
static ls_model *network(ls_context *ls, uint64_t seed)
{
    ls_set_random_seed(ls, seed);
    ls_model *mlp = ls_sequential(ls, "mlp", (ls_layer *[]){
        ls_rescaling(ls, 1.0f / 255),
        ls_flatten(ls),
        ls_dense(ls, 64, .activation = LS_RELU),
        ls_dense(ls, 10),
        NULL});
    ls_build(mlp, LS_SHAPE(1, 28, 28));
    return mlp;
}

static ls_gradients gradients_of(ls_model *mlp, const ls_batch *batch, ls_metric *mean)
{
    ls_tensor loss;
    LS_TAPE (tape, ls_layer_context(mlp)) {
        ls_tensor logits = ls_call(mlp, batch->x, .training = true);                      /* (batch, 10) */
        loss = ls_sparse_categorical_crossentropy(batch->y, logits, .from_logits = true); /* () */
    }
    ls_update_state(mean, loss);
    return ls_gradients_of(tape, loss, ls_trainable_variables(mlp));
}

/* Adds the gradients to `sums`, variables of their own, and applies the mean at every PIECES-th call. */
static void accumulate(ls_optimizer *optimizer, ls_gradients gradients, ls_tensor *sums, int64_t call)
{
    for (size_t i = 0; i < gradients.count; i++)
        ls_assign(sums[i], ls_add(sums[i], gradients.items[i]));
    if ((call + 1) % PIECES)
        return;
    for (size_t i = 0; i < gradients.count; i++)
        gradients.items[i] = ls_div(sums[i], ls_scalar(gradients.context, PIECES));
    ls_apply_gradients(optimizer, gradients);
    for (size_t i = 0; i < gradients.count; i++)
        ls_assign(sums[i], ls_zeros_like(sums[i]));
}

/* Trains for at most `steps` micro-batches; by hand if there are `sums`. */
static void train(ls_model *mlp, ls_optimizer *optimizer, ls_dataset *data, const struct options *options,
                  ls_tensor *sums)
{
    ls_context *ls = ls_layer_context(mlp);
    ls_metric *mean = ls_mean_metric(ls, "loss");
    long long done = 0;
    for (int epoch = 0; epoch < options->epochs && !enough(options, done) && ls_error(ls) == LS_OK; epoch++) {
        ls_reset_states(mean);
        LS_FOR_BATCHES (batch, data) {
            ls_gradients gradients = gradients_of(mlp, &batch, mean);
            if (sums)
                accumulate(optimizer, gradients, sums, done);
            else
                ls_apply_gradients(optimizer, gradients);
            if (enough(options, ++done))
                break;
        }
        float loss = ls_result(mean);
        if (ls_error(ls) == LS_OK)
            printf("  epoch %d: loss %.4f\n", epoch + 1, (double)loss);
    }
}

int main(int argc, char **argv)
{
    struct options options = {.epochs = 2, .steps = LLONG_MAX, .seed = 42};
    read_options(argc, argv, &options);
    stop_on_interrupt();
    ls_context *ls = ls_open(NULL); /* LOCKSTEP_BACKEND, else the best device */
    ls_dataset *train_set;
    load_images(ls, &options, &train_set, NULL, NULL);
    train_set = ls_dataset_batch(train_set, MICRO_BATCH, .drop_remainder = true);

    printf("by hand\n");
    ls_model *by_hand = network(ls, options.seed);
    ls_variables variables = ls_trainable_variables(by_hand);
    ls_tensor sums[MAX_VARIABLES] = {0};
    for (size_t i = 0; i < variables.count && i < MAX_VARIABLES; i++)
        sums[i] = ls_variable(ls_zeros_like(variables.items[i]), "sum", false);
    train(by_hand, ls_adam(ls, .learning_rate = 1e-3f), train_set, &options, sums);

    printf("by the optimizer\n");
    ls_model *by_option = network(ls, options.seed);
    train(by_option, ls_adam(ls, .learning_rate = 1e-3f, .gradient_accumulation_steps = PIECES), train_set, &options,
          NULL);

    save_if_interrupted(by_option, "gradient_accumulation.safetensors");
    ls_fingerprint_text one = ls_fingerprint_model(by_hand), other = ls_fingerprint_model(by_option);
    if (ls_error(ls) == LS_OK)
        printf("weights: %s and %s: %s\n", one.text, other.text, strcmp(one.text, other.text) ? "different" : "equal");
    return leave(ls, "gradient_accumulation");
}
