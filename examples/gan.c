/* SPDX-License-Identifier: Apache-2.0
 *
 * A generative adversarial network (Goodfellow and others, 2014) on Fashion-MNIST: the generator makes images from
 * noise, the discriminator tells them from real ones, each with its own tape and optimizer. Shows an image at the end.
 */
#include <limits.h>

#include "options.h"

enum { BATCH = 128, NOISE = 32, SIDE = 28 };

struct gan {
    ls_context *ls;
    ls_model *generator, *discriminator;
    ls_optimizer *generator_adam, *discriminator_adam;
    ls_metric *generator_loss, *discriminator_loss;
    ls_function *step; /* the step, captured, with --captured */
};

/* Images (n, 784) with values from 0 to 1. */
static ls_tensor generated(struct gan *gan, int64_t n)
{
    return ls_call(gan->generator, ls_random_normal(gan->ls, LS_SHAPE(n, NOISE), 0, 1), .training = true);
}

/* How far the discriminator is from saying `label` of every image. */
static ls_tensor judged(struct gan *gan, ls_tensor images, float label)
{
    ls_tensor logits = ls_call(gan->discriminator, images, .training = true); /* (n, 1) */
    return ls_binary_crossentropy(ls_fill(gan->ls, ls_shape_of_tensor(logits), label), logits, .from_logits = true);
}

/* One step of both. inputs: x (batch, 28, 28) uint8. */
static void train_step(void *user, const ls_tensor *inputs, ls_tensor *outputs)
{
    struct gan *gan = user;
    ls_context *ls = gan->ls;
    int64_t n = ls_shape_of_tensor(inputs[0]).dim[0];
    (void)outputs;
    ls_tensor pixels = ls_cast(ls_reshape(inputs[0], LS_SHAPE(n, SIDE * SIDE)), LS_FLOAT32), loss;
    ls_tensor real = ls_mul(pixels, ls_scalar(ls, 1.0f / 255)), fake = generated(gan, n);
    LS_TAPE (judging, ls)
        loss = ls_add(judged(gan, real, 0.9f), judged(gan, fake, 0)); /* 0.9: one-sided label smoothing */
    ls_apply_gradients(gan->discriminator_adam,
                       ls_gradients_of(judging, loss, ls_trainable_variables(gan->discriminator)));
    ls_update_state(gan->discriminator_loss, loss);

    LS_TAPE (making, ls)
        loss = judged(gan, generated(gan, n), 1); /* it wants to be taken for real */
    ls_apply_gradients(gan->generator_adam, ls_gradients_of(making, loss, ls_trainable_variables(gan->generator)));
    ls_update_state(gan->generator_loss, loss);
}

static void train(struct gan *gan, const ls_batch *batch)
{
    if (gan->step && batch->size == BATCH) /* a captured step has one shape; the short last batch has another */
        ls_function_call(gan->step, &batch->x, NULL);
    else
        train_step(gan, &batch->x, NULL);
}

static void draw_image(struct gan *gan)
{
    float image[SIDE][SIDE];
    LS_SCOPE (gan->ls) {
        if (ls_read(generated(gan, 1), image, sizeof image) != LS_OK)
            break;
        for (int row = 0; row < SIDE; row += 2) { /* characters are twice as high as wide */
            for (int column = 0; column < SIDE; column++)
                putchar(" .:-=+*#%@"[(int)(image[row][column] * 9.99f)]);
            putchar('\n');
        }
    }
}

int main(int argc, char **argv)
{
    struct options options = {.epochs = 10, .steps = LLONG_MAX, .seed = 42, .can_capture = true};
    read_options(argc, argv, &options);
    stop_on_interrupt();
    ls_context *ls = ls_open(NULL); /* LOCKSTEP_BACKEND, else the best device */
    ls_set_random_seed(ls, options.seed);
    ls_dataset *train_set;
    load_images(ls, &options, &train_set, NULL, NULL);
    train_set = ls_dataset_batch(ls_dataset_shuffle(train_set), BATCH);

    struct gan gan = {
        .ls = ls,
        .generator = ls_sequential(ls, "generator", (ls_layer *[]){
            ls_dense(ls, 128),
            ls_leaky_relu_layer(ls, 0.2f),
            ls_dense(ls, 256),
            ls_leaky_relu_layer(ls, 0.2f),
            ls_dense(ls, SIDE * SIDE, .activation = LS_SIGMOID),
            NULL}),
        .discriminator = ls_sequential(ls, "discriminator", (ls_layer *[]){
            ls_dense(ls, 256),
            ls_leaky_relu_layer(ls, 0.2f),
            ls_dropout_layer(ls, 0.3f),
            ls_dense(ls, 128),
            ls_leaky_relu_layer(ls, 0.2f),
            ls_dense(ls, 1),
            NULL}),
        .generator_adam = ls_adam(ls, .learning_rate = 2e-4f, .beta_1 = 0.5f),
        .discriminator_adam = ls_adam(ls, .learning_rate = 2e-4f, .beta_1 = 0.5f),
        .generator_loss = ls_mean_metric(ls, "generator_loss"),
        .discriminator_loss = ls_mean_metric(ls, "discriminator_loss"),
    };
    if (options.captured)
        gan.step = ls_function_create(ls, train_step, &gan, 1, 0);

    long long done = 0;
    for (int epoch = 0; epoch < options.epochs && !enough(&options, done) && ls_error(ls) == LS_OK; epoch++) {
        ls_reset_states(gan.generator_loss, gan.discriminator_loss);
        LS_FOR_BATCHES (batch, train_set) {
            train(&gan, &batch);
            if (enough(&options, ++done))
                break;
        }
        float making = ls_result(gan.generator_loss), judging = ls_result(gan.discriminator_loss);
        if (ls_error(ls) == LS_OK)
            printf("epoch %d: generator loss %.4f, discriminator loss %.4f\n", epoch + 1, (double)making,
                   (double)judging);
    }
    draw_image(&gan);

    save_if_interrupted(gan.discriminator, "gan_discriminator.safetensors");
    return finish(ls, gan.generator, "gan");
}
