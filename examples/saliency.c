/* SPDX-License-Identifier: Apache-2.0
 *
 * Gradients with respect to a picture: which pixels decide (a saliency map; Simonyan and others, 2013),
 * and how little change deceives the network (the fast gradient sign method; Goodfellow and others, 2014).
 * The network learns made-up pictures first. The same digits with LOCKSTEP_BACKEND=reference and =opencl.
 */
#include <lockstep/lockstep.h>

#include "options.h"

enum { BATCH = 128, SIDE = 28 };

static ls_tensor loss_of(ls_model *model, ls_tensor pictures, ls_tensor labels)
{
    return ls_sparse_categorical_crossentropy(labels, ls_call(model, pictures), .from_logits = true);
}

static void train(ls_model *model, ls_optimizer *adam, ls_dataset *dataset, const struct options *options)
{
    long long done = 0;
    ls_context *ls = ls_layer_context(model);
    for (int epoch = 0; epoch < options->epochs; epoch++) {
        LS_FOR_BATCHES (batch, dataset) {
            if (enough(options, done++))
                break;
            ls_tensor loss;
            LS_TAPE (tape, ls)
                loss = loss_of(model, batch.x, batch.y);
            ls_apply_gradients(adam, ls_gradients_of(tape, loss, ls_trainable_variables(model)));
        }
    }
}

/* |d logit of the true class / d pixel| of the first picture, 14 by 14: the largest of four pixels, as marks. */
static void print_saliency(ls_model *model, ls_tensor pictures, ls_tensor labels)
{
    ls_context *ls = ls_layer_context(model);
    ls_tensor picture = ls_slice(pictures, (int64_t[]){0, 0, 0}, (int64_t[]){1, SIDE, SIDE}, NULL), logit, slope;
    ls_tensor label = ls_slice(labels, (int64_t[]){0}, (int64_t[]){1}, NULL);
    LS_TAPE (tape, ls) {
        ls_watch(tape, picture);
        logit = ls_mul(ls_call(model, picture), ls_one_hot(label, 10));
    }
    ls_gradient(tape, logit, &picture, 1, &slope);
    ls_tensor map = ls_max(ls_reshape(ls_abs(slope), LS_SHAPE(SIDE / 2, 2, SIDE / 2, 2)), (int[]){1, 3}, 2, false);
    map = ls_div(map, ls_max(map, NULL, 0, false));
    float marks[SIDE / 2][SIDE / 2] = {{0}};
    ls_read(map, marks, sizeof marks);
    printf("saliency of the first picture:\n");
    for (int row = 0; row < SIDE / 2; row++) {
        for (int column = 0; column < SIDE / 2; column++)
            putchar(" .:+*#"[(int)(marks[row][column] * 5.999f)]);
        printf("\n");
    }
}

static float accuracy_on(ls_model *model, ls_tensor pictures, ls_tensor labels)
{
    ls_tensor right = ls_equal(ls_argmax(ls_call(model, pictures), 1), labels);
    return ls_item(ls_mean(ls_cast(right, LS_FLOAT32), NULL, 0, false));
}

/* Every pixel moves by `step` in the direction in which the loss grows. */
static ls_tensor attack(ls_model *model, ls_tensor pictures, ls_tensor labels, float step)
{
    ls_context *ls = ls_layer_context(model);
    ls_tensor loss, slope, zero = ls_scalar(ls, 0), white = ls_scalar(ls, 255);
    LS_TAPE (tape, ls) {
        ls_watch(tape, pictures);
        loss = loss_of(model, pictures, labels);
    }
    ls_gradient(tape, loss, &pictures, 1, &slope);
    return ls_minimum(ls_maximum(ls_fma(ls_scalar(ls, step), ls_sign(slope), pictures), zero), white);
}

int main(int argc, char **argv)
{
    struct options options = {.epochs = 1, .steps = 400, .seed = 42};
    read_options(argc, argv, &options);
    stop_on_interrupt();
    ls_context *ls = ls_open(NULL); /* LOCKSTEP_BACKEND, else the best device */
    ls_set_random_seed(ls, options.seed);
    ls_dataset *train_set, *validation, *test; /* images (28, 28) uint8, labels () int32 */
    ls_synthetic_images(ls, options.seed, &train_set, &validation, &test);
    train_set = ls_dataset_batch(train_set, BATCH);
    test = ls_dataset_batch(test, BATCH);
    ls_model *model = ls_sequential(ls, "classifier", (ls_layer *[]){
        ls_rescaling(ls, 1.0f / 255),
        ls_flatten(ls),
        ls_dense(ls, 64, .activation = LS_RELU),
        ls_dense(ls, 10),
        NULL});
    train(model, ls_adam(ls, .learning_rate = 1e-3f), train_set, &options);

    LS_FOR_BATCHES (batch, test) {
        ls_tensor pictures = ls_cast(batch.x, LS_FLOAT32);
        print_saliency(model, pictures, batch.y);
        for (int step = 0; step <= 16; step = step ? 2 * step : 4)
            printf("pixels moved by %2d of 255: accuracy %.4f\n", step,
                   (double)accuracy_on(model, attack(model, pictures, batch.y, (float)step), batch.y));
        break;
    }
    return finish(ls, model, "saliency");
}
