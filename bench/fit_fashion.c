/* SPDX-License-Identifier: Apache-2.0
 *
 * Five epochs of fit on Fashion-MNIST, for bench/peers/fit.py: prints the seconds that fit took, without reading the
 * files, and the accuracy and fingerprint that show what was computed.
 */
#include <stdio.h>
#include <time.h>

#include <lockstep/lockstep.h>

enum { BATCH = 128, EPOCHS = 5 };

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

int main(void)
{
    ls_context *ls = ls_open(NULL);
    ls_set_random_seed(ls, 42);
    ls_dataset *train_set, *validation;
    ls_fashion_mnist(ls, &train_set, &validation, NULL);
    train_set = ls_dataset_batch(ls_dataset_shuffle(train_set), BATCH);
    ls_model *mlp = ls_sequential(ls, "mlp", (ls_layer *[]){
        ls_rescaling(ls, 1.0f / 255),
        ls_flatten(ls),
        ls_dense(ls, 256, .activation = LS_RELU),
        ls_dense(ls, 128, .activation = LS_RELU),
        ls_dense(ls, 10),
        NULL});
    ls_compile(mlp, ls_adam(ls, .learning_rate = 1e-3f),
               {ls_sparse_categorical_crossentropy_with, .from_logits = true},
               .metrics = LS_METRICS(ls_sparse_categorical_accuracy(ls, "accuracy")));
    FILE *nowhere = fopen("/dev/null", "w");
    ls_history *history = NULL;
    double start = now();
    ls_fit(mlp, train_set, .epochs = EPOCHS, .verbose = 1, .progress.file = nowhere, .history = &history);
    double seconds = now() - start;
    if (ls_error(ls) == LS_OK)
        printf("{\"seconds\": %.4f, \"accuracy\": %.4f, \"weights\": \"%s\"}\n", seconds,
               ls_history_value(history, "accuracy", EPOCHS - 1), ls_fingerprint_model(mlp).text);
    else
        fprintf(stderr, "fit_fashion: %s\n", ls_error_message(ls));
    if (nowhere)
        fclose(nowhere);
    return ls_close(&ls) == LS_OK ? 0 : 1;
}
