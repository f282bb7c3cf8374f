/* SPDX-License-Identifier: Apache-2.0
 *
 * The small problem that the tests of fit train: which device it is on, its data, its model.
 */
#ifndef TESTS_FIT_PROBLEM_H
#define TESTS_FIT_PROBLEM_H

#include "check.h"
#include "devices.h"

enum { SAMPLES = 50, FEATURES = 6, CLASSES = 3, BATCH = 16, EPOCHS = 3 };

static const char *words; /* of the device */

struct problem {
    ls_context *ls;
    ls_tensor x, y, weight;
    ls_model *mlp;
    ls_optimizer *adam;
    ls_metric *accuracy;
};

static inline struct problem make_problem(void)
{
    struct problem p = {.ls = ls_open(words)};
    float x[SAMPLES * FEATURES], weight[SAMPLES];
    int32_t y[SAMPLES];
    for (int i = 0; i < SAMPLES; i++) {
        y[i] = i * 7 % CLASSES;
        weight[i] = (float)(i % 4);
        for (int f = 0; f < FEATURES; f++)
            x[i * FEATURES + f] = (float)((i * 13 + f * 5) % 17) / 8 - 1 + (f == y[i] ? 1.0f : 0.0f);
    }
    p.x = ls_from_host(p.ls, LS_FLOAT32, LS_SHAPE(SAMPLES, FEATURES), x);
    p.y = ls_from_host(p.ls, LS_INT32, LS_SHAPE(SAMPLES), y);
    p.weight = ls_from_host(p.ls, LS_FLOAT32, LS_SHAPE(SAMPLES), weight);
    ls_set_random_seed(p.ls, 3);
    p.mlp = ls_sequential(p.ls, "mlp", (ls_layer *[]){
        ls_dense(p.ls, 8, .activation = LS_RELU, .kernel_regularizer = ls_l2(0.01f)), ls_dense(p.ls, CLASSES), NULL});
    p.adam = ls_adam(p.ls, .learning_rate = 0.01f);
    p.accuracy = ls_sparse_categorical_accuracy(p.ls, "accuracy");
    return p;
}

static inline ls_status compile(struct problem *p)
{
    return ls_compile(p->mlp, p->adam, {ls_sparse_categorical_crossentropy_with, .from_logits = true},
                      .metrics = LS_METRICS(p->accuracy));
}

static inline void close_problem(struct problem *p)
{
    CHECK(ls_error(p->ls) == LS_OK, "%s", ls_error_message(p->ls));
    ls_close(&p->ls);
}

static inline ls_dataset *batches(struct problem *p)
{
    return ls_dataset_batch(ls_dataset_shuffle(ls_dataset_from_tensors(p->x, p->y), .seed = 5), BATCH);
}

/** What is compared of two trainings. */
struct outcome {
    ls_fingerprint_text weights;
    double loss, accuracy;
};

/** Takes the device from the command line; ends the program where it is absent. */
static inline void choose_device(int argc, char **argv)
{
    struct device_kind kind = device_kind_of(argc > 1 ? argv[1] : "reference");
    words = kind.words;
    ls_context *ls = ls_open(words);
    if (ls_error(ls) != LS_OK)
        device_absent(&kind, ls_error_message(ls));
    ls_close(&ls);
}

#endif
