/* SPDX-License-Identifier: Apache-2.0
 *
 * An epoch by ls_fit, with metrics and a progress bar, against the same epoch by a loop of one's own, without a bar:
 * in turns, so that both meet the same machine. The weights of both must be the same bits.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"

enum { STEPS = 50, MOST_EPOCHS = 2000 };

struct trainer {
    ls_model *model;
    ls_optimizer *adam;
    ls_metric *loss, *accuracy;
    ls_dataset *data;
    double seconds[MOST_EPOCHS]; /* of a step */
};

static void init(struct trainer *t, ls_context *ls, ls_tensor x, ls_tensor y)
{
    ls_set_random_seed(ls, 42);
    t->model = ls_sequential(ls, "mlp", (ls_layer *[]){
        ls_dense(ls, 256, .activation = LS_RELU), ls_dense(ls, 128, .activation = LS_RELU), ls_dense(ls, MLP_CLASSES),
        NULL});
    ls_build(t->model, LS_SHAPE(MLP_BATCH, MLP_INPUTS)); /* draws the same weights for both */
    t->adam = ls_adam(ls, .learning_rate = 1e-3f);
    t->loss = ls_mean_metric(ls, "loss");
    t->accuracy = ls_sparse_categorical_accuracy(ls, "accuracy");
    t->data = ls_dataset_batch(ls_dataset_shuffle(ls_dataset_from_tensors(x, y), .seed = 7), MLP_BATCH);
    ls_compile(t->model, t->adam, {ls_sparse_categorical_crossentropy_with, .from_logits = true},
               .metrics = LS_METRICS(t->accuracy));
}

static void finish(struct trainer *t)
{
    ls_layer_destroy(&t->model);
    ls_optimizer_destroy(&t->adam);
    ls_metric_destroy(&t->loss);
    ls_metric_destroy(&t->accuracy);
    ls_dataset_destroy(&t->data);
}

static void raw_epoch(struct trainer *t, ls_context *ls)
{
    ls_reset_states(t->loss, t->accuracy);
    LS_FOR_BATCHES(batch, t->data) {
        ls_tensor logits, loss;
        LS_TAPE(tape, ls) {
            logits = ls_call(t->model, batch.x, .training = true);
            loss = ls_sparse_categorical_crossentropy(batch.y, logits, .from_logits = true);
        }
        ls_apply_gradients(t->adam, ls_gradients_of(tape, loss, ls_trainable_variables(t->model)));
        ls_update_state(t->loss, loss, ls_scalar(ls, (float)batch.size));
        ls_update_state(t->accuracy, batch.y, logits);
    }
    ls_result(t->loss);
    ls_result(t->accuracy);
}

static void drop(void *user, const char *text, size_t length) { (void)user, (void)text, (void)length; }

static void fit_epoch(struct trainer *t, ls_context *ls)
{
    (void)ls;
    ls_fit(t->model, t->data, .verbose = 1, .progress.write = drop);
}

static double timed(void (*epoch)(struct trainer *t, ls_context *ls), struct trainer *t, ls_context *ls)
{
    double begin = bench_now();
    epoch(t, ls);
    ls_synchronize(ls);
    return (bench_now() - begin) / STEPS;
}

static void measure(struct bench *b, ls_context *ls, struct trainer *raw, struct trainer *fit)
{
    struct bench_bits bits = {"equal"};
    size_t count = 0;
    double end = bench_now() + 2 * b->seconds;
    raw_epoch(raw, ls);
    fit_epoch(fit, ls);
    while (count < MOST_EPOCHS && (count < 5 || bench_now() < end) && ls_error(ls) == LS_OK) {
        raw->seconds[count] = timed(raw_epoch, raw, ls);
        fit->seconds[count++] = timed(fit_epoch, fit, ls);
    }
    if (bench_failed(b, ls, "fit"))
        return;
    ls_fingerprint_text one = ls_fingerprint_model(raw->model), other = ls_fingerprint_model(fit->model);
    if (strcmp(one.text, other.text) != 0)
        snprintf(bits.text, sizeof bits.text, "weights %s by the loop, %s by fit", one.text, other.text);
    bench_report(b, ls, "raw_loop", bench_middle(raw->seconds, count), MLP_FLOP, &bits);
    bench_report(b, ls, "fit", bench_middle(fit->seconds, count), MLP_FLOP, &bits);
}

void bench_fit(struct bench *b, ls_context *ls)
{
    static float x[STEPS * MLP_BATCH * MLP_INPUTS];
    static int32_t y[STEPS * MLP_BATCH];
    static struct trainer raw, fit;
    bench_random(x, sizeof x / sizeof *x, 1);
    for (int i = 0; i < STEPS * MLP_BATCH; i++)
        y[i] = (int32_t)(fabsf(x[i * 7]) * 0x1p20f) % MLP_CLASSES;
    LS_SCOPE(ls) {
        ls_tensor images = ls_from_host(ls, LS_FLOAT32, LS_SHAPE(STEPS * MLP_BATCH, MLP_INPUTS), x);
        ls_tensor labels = ls_from_host(ls, LS_INT32, LS_SHAPE(STEPS * MLP_BATCH), y);
        init(&raw, ls, images, labels);
        init(&fit, ls, images, labels);
        measure(b, ls, &raw, &fit);
        finish(&raw);
        finish(&fit);
    }
}
