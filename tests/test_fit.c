/* SPDX-License-Identifier: Apache-2.0
 *
 * compile, fit, evaluate, predict: the same bits as the raw loop and as an overridden step, on every kind of device;
 * what is said of bad input.
 */
#include <math.h>
#include <string.h>

#include "fit_problem.h"

/* ---- Three altitudes, the same bits ---- */

static struct outcome raw_loop(void)
{
    struct problem p = make_problem();
    ls_metric *mean = ls_mean_metric(p.ls, "loss");
    ls_dataset *data = batches(&p);
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
        ls_reset_states(mean, p.accuracy);
        LS_FOR_BATCHES(batch, data) {
            ls_tensor logits, loss;
            LS_TAPE(tape, p.ls) {
                logits = ls_call(p.mlp, batch.x, .training = true);
                loss = ls_sparse_categorical_crossentropy(batch.y, logits, .from_logits = true);
                loss = ls_add(loss, ls_sum_losses(p.mlp));
            }
            ls_apply_gradients(p.adam, ls_gradients_of(tape, loss, ls_trainable_variables(p.mlp)));
            ls_update_state(mean, loss, ls_scalar(p.ls, (float)batch.size));
            ls_update_state(p.accuracy, batch.y, logits);
        }
    }
    struct outcome out = {ls_fingerprint_model(p.mlp), (double)ls_result(mean), (double)ls_result(p.accuracy)};
    close_problem(&p);
    return out;
}

static int own_steps;

static void own_step(ls_step *step)
{
    ls_tensor y_pred, loss;
    LS_TAPE(tape, step->context) {
        y_pred = ls_forward(step, true);
        loss = ls_compute_loss(step, y_pred);
    }
    ls_gradients gradients = ls_gradients_of(tape, loss, ls_trainable_variables(step->model));
    ls_update_state(*(ls_metric **)step->user, ls_global_norm(gradients));
    ls_apply_gradients(step->optimizer, gradients);
    ls_track_loss(step, loss);
    ls_compute_metrics(step, y_pred);
    own_steps++;
}

static struct outcome with_fit(bool override)
{
    struct problem p = make_problem();
    ls_metric *norm = ls_mean_metric(p.ls, "grad_norm");
    ls_history *history;
    if (override)
        ls_compile(p.mlp, p.adam, {ls_sparse_categorical_crossentropy_with, .from_logits = true},
                   .metrics = LS_METRICS(p.accuracy), .train_step = own_step, .trackers = LS_METRICS(norm),
                   .user = &norm);
    else
        compile(&p);
    own_steps = 0;
    CHECK(ls_fit(p.mlp, batches(&p), .epochs = EPOCHS, .history = &history) == LS_OK, "%s", ls_error_message(p.ls));
    CHECK(own_steps == (override ? EPOCHS * 4 : 0), "%d own steps", own_steps);
    CHECK(ls_history_epochs(history) == EPOCHS, "%zu epochs", ls_history_epochs(history));
    CHECK(ls_history_has(history, "grad_norm", 2) == override, "grad_norm");
    CHECK(!override || ls_history_value(history, "grad_norm", 2) > 0, "norm %g",
          ls_history_value(history, "grad_norm", 2));
    struct outcome out = {ls_fingerprint_model(p.mlp), ls_history_value(history, "loss", EPOCHS - 1),
                          ls_history_value(history, "accuracy", EPOCHS - 1)};
    close_problem(&p);
    return out;
}

static void test_three_altitudes(void)
{
    struct outcome raw = raw_loop(), fit = with_fit(false), override = with_fit(true);
    CHECK(strcmp(raw.weights.text, fit.weights.text) == 0, "%s and %s", raw.weights.text, fit.weights.text);
    CHECK(strcmp(raw.weights.text, override.weights.text) == 0, "%s and %s", raw.weights.text, override.weights.text);
    CHECK(raw.loss == fit.loss && fit.loss == override.loss, "%g %g %g", raw.loss, fit.loss, override.loss);
    CHECK(raw.accuracy == fit.accuracy && fit.accuracy == override.accuracy, "%g %g %g", raw.accuracy, fit.accuracy,
          override.accuracy);
    const char *device = words;
    words = "reference";
    struct outcome reference = with_fit(false);
    words = device;
    CHECK(strcmp(reference.weights.text, fit.weights.text) == 0, "%s, on the reference %s", fit.weights.text,
          reference.weights.text);
    CHECK(reference.loss == fit.loss && reference.accuracy == fit.accuracy, "%g and %g", fit.loss, reference.loss);
}

/* ---- evaluate, predict, single batches ---- */

static void test_evaluate_and_predict(void)
{
    struct problem p = make_problem();
    ls_logs whole, parts, batch;
    ls_tensor at_once, piecewise;
    compile(&p);
    ls_fit(p.mlp, .x = p.x, .y = p.y, .epochs = 2);
    CHECK(ls_evaluate(p.mlp, .x = p.x, .y = p.y, .batch_size = 7, .logs = &parts) == LS_OK, "evaluate");
    ls_evaluate(p.mlp, .x = p.x, .y = p.y, .batch_size = 64, .logs = &whole);
    CHECK(parts.count == 2 && fabs(ls_logs_get(&parts, "loss") - ls_logs_get(&whole, "loss")) < 1e-5, "%g and %g",
          ls_logs_get(&parts, "loss"), ls_logs_get(&whole, "loss"));
    CHECK(ls_logs_get(&parts, "accuracy") == ls_logs_get(&whole, "accuracy"), "accuracy");
    CHECK(isnan(ls_logs_get(&parts, "no such")) && !ls_logs_has(&parts, "no such"), "no such");

    CHECK(ls_predict(p.mlp, .x = p.x, .batch_size = 1, .y_pred = &piecewise) == LS_OK, "predict");
    ls_predict(p.mlp, .x = p.x, .batch_size = 64, .y_pred = &at_once);
    ls_fingerprint_text a = ls_fingerprint(&at_once, 1), b = ls_fingerprint(&piecewise, 1);
    CHECK(strcmp(a.text, b.text) == 0 && ls_size(at_once) == SAMPLES * CLASSES, "%s and %s", a.text, b.text);

    CHECK(ls_test_on_batch(p.mlp, p.x, p.y, .logs = &batch) == LS_OK, "test_on_batch");
    CHECK(ls_logs_get(&batch, "loss") == ls_logs_get(&whole, "loss"), "%g", ls_logs_get(&batch, "loss"));
    ls_train_on_batch(p.mlp, p.x, p.y, .logs = &batch);
    CHECK(ls_logs_get(&batch, "loss") == ls_logs_get(&whole, "loss"), "before the update");
    ls_tensor again;
    ls_predict_on_batch(p.mlp, p.x, .y_pred = &again);
    CHECK(strcmp(ls_fingerprint(&again, 1).text, a.text) != 0, "train_on_batch changed the weights");
    close_problem(&p);
}

/* ---- Weights of samples and classes ---- */

static double loss_with(struct problem *p, ls_tensor weight)
{
    ls_logs logs;
    ls_evaluate(p->mlp, .x = p->x, .y = p->y, .sample_weight = weight, .logs = &logs, .batch_size = SAMPLES);
    return ls_logs_get(&logs, "loss");
}

static void test_weights(void)
{
    struct problem p = make_problem();
    ls_compile(p.mlp, ls_sgd(p.ls), {ls_sparse_categorical_crossentropy_with, .from_logits = true},
               .weighted_metrics = LS_METRICS(p.accuracy));
    ls_build(p.mlp, LS_SHAPE(1, FEATURES));
    double plain = loss_with(&p, (ls_tensor){0}), ones = loss_with(&p, ls_ones_like(p.weight));
    CHECK(plain == ones && plain != loss_with(&p, p.weight), "%g %g", plain, ones);

    /* Class weights are sample weights by label; a class that is not listed counts 1. */
    const ls_class_weight classes[] = {{0, 3}, {2, 0.5f}};
    float table[] = {3, 1, 0.5f}, weight[SAMPLES];
    for (int i = 0; i < SAMPLES; i++)
        weight[i] = table[i * 7 % CLASSES];
    ls_logs by_class, by_sample;
    ls_tensor w = ls_from_host(p.ls, LS_FLOAT32, LS_SHAPE(SAMPLES), weight);
    ls_train_on_batch(p.mlp, p.x, p.y, .class_weight = classes, .class_weight_count = 2, .logs = &by_class);
    ls_logs first = by_class;
    CHECK(ls_train_on_batch(p.mlp, p.x, p.y, w, .class_weight = classes, .class_weight_count = 2) ==
          LS_INVALID_ARGUMENT, "both weights");
    ls_clear_error(p.ls);
    struct problem q = make_problem();
    ls_compile(q.mlp, ls_sgd(q.ls), {ls_sparse_categorical_crossentropy_with, .from_logits = true},
               .weighted_metrics = LS_METRICS(q.accuracy));
    ls_tensor v = ls_from_host(q.ls, LS_FLOAT32, LS_SHAPE(SAMPLES), weight);
    ls_train_on_batch(q.mlp, q.x, q.y, v, .logs = &by_sample);
    CHECK(strcmp(ls_fingerprint_model(p.mlp).text, ls_fingerprint_model(q.mlp).text) == 0, "class weights");
    CHECK(ls_logs_get(&by_sample, "accuracy") == ls_logs_get(&by_sample, "accuracy") && first.count == 2 && w.context,
          "logs");
    close_problem(&q);
    CHECK(ls_fit(p.mlp, .x = p.x, .y = p.y, .class_weight = classes, .class_weight_count = 2) == LS_OK, "fit");
    CHECK(ls_fit(p.mlp, .x = p.x, .y = p.y, .sample_weight = p.weight, .validation_split = 0.3) == LS_OK, "fit");
    close_problem(&p);
}

/* ---- Several inputs and outputs ---- */

static void test_several(void)
{
    struct problem p = make_problem();
    ls_symbol *a = ls_input(p.ls, LS_SHAPE(FEATURES)), *b = ls_input(p.ls, LS_SHAPE(FEATURES));
    ls_symbol *both = ls_apply(ls_merge_add(p.ls), a, b);
    ls_symbol *logits = ls_apply(ls_dense(p.ls, CLASSES), both), *size = ls_apply(ls_dense(p.ls, 1), both);
    ls_model *model = ls_functional(p.ls, "two", LS_SYMBOLS(a, b), LS_SYMBOLS(logits, size));
    ls_metric *error = ls_loss_metric(p.ls, ls_mean_absolute_error_with, "accuracy");
    ls_loss losses[] = {{ls_sparse_categorical_crossentropy_with, .from_logits = true, .name = "class",
                         .metrics = LS_METRICS(p.accuracy)},
                        {ls_mean_squared_error_with, .weight = 0.5f, .name = "size", .metrics = LS_METRICS(error)}};
    ls_compile(model, p.adam, .losses = losses, .loss_count = 2);
    ls_history *history;
    ls_tensor inputs[] = {p.x, p.x}, targets[] = {p.y, p.weight};
    CHECK(ls_fit(model, .inputs = inputs, .input_count = 2, .targets = targets, .target_count = 2, .epochs = 2,
                 .validation_split = 0.2, .history = &history) == LS_OK, "%s", ls_error_message(p.ls));
    for (size_t i = 0; i < 2; i++) {
        double total = ls_history_value(history, "class_loss", i) + 0.5 * ls_history_value(history, "size_loss", i);
        CHECK(fabs(total - ls_history_value(history, "loss", i)) < 1e-4, "%g %g", total,
              ls_history_value(history, "loss", i));
    }
    CHECK(ls_history_has(history, "val_size_accuracy", 1) && ls_history_has(history, "val_class_accuracy", 1), "names");
    ls_fit(model, .inputs = inputs, .input_count = 2, .targets = targets, .target_count = 2,
           .callbacks = LS_CALLBACKS(ls_early_stopping(p.ls, "class_accuracy")));
    CHECK(ls_error(p.ls) == LS_OK, "the direction of class_accuracy: %s", ls_error_message(p.ls));
    close_problem(&p);
}

/* ---- steps_per_epoch ---- */

static char last_log[1024];
static int warnings;

static void keep_log(void *user, ls_log_level level, const char *message)
{
    (void)user;
    warnings += level == LS_LOG_WARNING;
    snprintf(last_log, sizeof last_log, "%s", message);
}

static void test_frozen(void)
{
    ls_context *ls = ls_open_logged("reference", LS_LOG_WARNING, keep_log, NULL);
    ls_model *model = ls_sequential(ls, NULL, (ls_layer *[]){ls_dense(ls, 2), NULL});
    ls_tensor x = ls_random_normal(ls, LS_SHAPE(9, 3), 0, 1), y = ls_ones(ls, LS_FLOAT32, LS_SHAPE(9, 2));
    ls_build(model, LS_SHAPE(1, 3));
    ls_set_trainable(model, false);
    ls_compile(model, ls_sgd(ls), {ls_mean_squared_error_with});
    ls_fingerprint_text before = ls_fingerprint_model(model);
    ls_history *history = NULL;
    warnings = 0;
    ls_fit(model, .x = x, .y = y, .batch_size = 2, .epochs = 2, .history = &history);
    CHECK(ls_error(ls) == LS_OK && ls_history_value(history, "loss", 1) > 0, "%s", ls_error_message(ls));
    CHECK(warnings == 1 && strstr(last_log, "does not have any trainable weights"), "%d: %s", warnings, last_log);
    CHECK(strcmp(before.text, ls_fingerprint_model(model).text) == 0, "a frozen model changed");
    ls_set_trainable(model, true);
    ls_fit(model, .x = x, .y = y);
    CHECK(ls_error(ls) == LS_OK && strcmp(before.text, ls_fingerprint_model(model).text) != 0, "it trains again");
    ls_close(&ls);
}

static void count_samples(ls_step *step)
{
    int64_t *seen = step->user;
    seen[seen[0]++ + 1] = step->size;
    ls_default_train_step(step);
}

static void test_steps_per_epoch(void)
{
    struct problem p = make_problem();
    int64_t seen[32] = {0};
    ls_history *history;
    ls_set_log(p.ls, LS_LOG_WARNING, keep_log, NULL);
    ls_compile(p.mlp, p.adam, {ls_sparse_categorical_crossentropy_with, .from_logits = true},
               .train_step = count_samples, .user = seen);
    /* 4 batches (16, 16, 16, 2) by threes: the second epoch gets the rest, and says so; the third begins anew. */
    warnings = 0;
    ls_fit(p.mlp, batches(&p), .epochs = 3, .steps_per_epoch = 3, .history = &history);
    CHECK(seen[0] == 7 && seen[3] == 16 && seen[4] == 2 && seen[5] == 16, "%d steps", (int)seen[0]);
    CHECK(warnings == 1 && strstr(last_log, "Your input ran out of data; interrupting training"), "%s", last_log);
    CHECK(ls_history_epochs(history) == 3, "%zu epochs", ls_history_epochs(history));
    /* By twos nothing runs out: the passes end with epochs. */
    warnings = 0, seen[0] = 0;
    ls_fit(p.mlp, batches(&p), .epochs = 4, .initial_epoch = 1, .steps_per_epoch = 2, .history = &history);
    CHECK(seen[0] == 6 && warnings == 0, "%d steps, %s", (int)seen[0], last_log);
    CHECK(ls_history_epochs(history) == 3 && ls_history_epoch(history, 0) == 1, "initial_epoch");
    close_problem(&p);
}

/* ---- Bad input ---- */

static void test_bad_input(void)
{
    struct problem p = make_problem();
    ls_context *ls = p.ls;
    ls_tensor few = ls_ones(ls, LS_FLOAT32, LS_SHAPE(3, FEATURES)),
              none = ls_ones(ls, LS_FLOAT32, LS_SHAPE(0, FEATURES));
    ls_fit(p.mlp, .x = p.x, .y = p.y);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "model mlp is not compiled; call ls_compile first");
    ls_compile(p.mlp, p.adam, {ls_mean_squared_error_with}, .metrics = LS_METRICS(p.accuracy, p.accuracy));
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "two metrics are called accuracy");
    ls_compile(p.mlp, p.adam,
               .metrics = LS_METRICS(ls_precision(ls, .thresholds = (float[]){0.2f, 0.7f}, .threshold_count = 2)));
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "not one number");
    compile(&p);
    ls_fit(p.mlp);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "there are no data");
    ls_fit(p.mlp, .x = none, .y = p.y);
    CHECK_ERROR(ls, LS_SHAPE_MISMATCH, "y[0] (50,) has another number of samples than x (0, 6)");
    ls_fit(p.mlp, .x = none);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "there are no samples: x is (0, 6)");
    ls_fit(p.mlp, ls_dataset_batch(ls_dataset_from_tensors(none, (ls_tensor){0}), 4));
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "the data set has no batches");
    ls_fit(p.mlp, .x = few, .y = p.y);
    CHECK_ERROR(ls, LS_SHAPE_MISMATCH, "y[0] (50,) has another number of samples than x (3, 6)");
    ls_fit(p.mlp, .x = p.x);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "the data have no labels y, which the loss needs");
    ls_fit(p.mlp, batches(&p), .validation_split = 0.5);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "validation_split is for tensors");
    ls_fit(p.mlp, .x = p.x, .y = p.y, .validation_split = 1.5);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "validation_split is 1.5");
    ls_fit(p.mlp, .x = p.x, .y = p.y, .validation_split = 0.999);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "not enough to split");
    ls_fit(p.mlp, batches(&p), .batch_size = 3);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "batch_size is for tensors");
    ls_fit(p.mlp, batches(&p), .x = p.x);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "not both");
    ls_fit(p.mlp, .x = p.x, .y = p.y, .verbose = 1);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, ".progress.file = stdout");
    ls_fit(p.mlp, .x = p.x, .y = p.y, .class_weight = (ls_class_weight[]){{-1, 1}}, .class_weight_count = 1);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "class_weight[0] is {-1, 1}");
    ls_fit(p.mlp, ls_dataset_repeat(batches(&p), -1));
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "fit: the data set never ends; give .steps_per_epoch");
    ls_fit(p.mlp, ls_dataset_from_tensors(p.x, p.y));
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "ls_dataset_batch");
    ls_fit(p.mlp, .x = p.x, .y = p.y);
    ls_fit(p.mlp, .x = ls_ones(ls, LS_FLOAT32, LS_SHAPE(SAMPLES, 2)), .y = p.y);
    CHECK_ERROR(ls, LS_SHAPE_MISMATCH, "fit: epoch 1, batch 1: ");
    ls_compile(p.mlp, p.adam, {ls_categorical_crossentropy_with, .from_logits = true});
    ls_fit(p.mlp, .x = p.x, .y = p.y);
    CHECK_ERROR(ls, LS_SHAPE_MISMATCH, "sparse_categorical_crossentropy");
    ls_compile(p.mlp, .loss = {ls_mean_squared_error_with});
    ls_fit(p.mlp, .x = p.x, .y = p.x);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "compiled without an optimizer");
    ls_close(&p.ls);
}

/* ---- Averages of the weights become the weights at the end ---- */

static void test_averages(void)
{
    struct problem p = make_problem();
    ls_tensor average = {0};
    ls_optimizer *adam = ls_adam(p.ls, .use_ema = true, .ema_momentum = 0.5f);
    ls_compile(p.mlp, adam, {ls_sparse_categorical_crossentropy_with, .from_logits = true});
    ls_fit(p.mlp, .x = p.x, .y = p.y);
    ls_variables all = ls_optimizer_variables(adam);
    for (size_t i = 0; i < all.count; i++)
        if (strstr(ls_name(all.items[i]), "kernel_average") && !average.context)
            average = all.items[i];
    ls_tensor kernel = ls_trainable_variables(p.mlp).items[0];
    CHECK(average.context && strcmp(ls_fingerprint(&average, 1).text, ls_fingerprint(&kernel, 1).text) == 0, "%s",
          ls_name(average));
    close_problem(&p);
}

/* ---- Nothing stays behind ---- */

static void test_nothing_leaks(void)
{
    struct problem p = make_problem();
    compile(&p);
    ls_fit(p.mlp, .x = p.x, .y = p.y, .sample_weight = p.weight, .validation_split = 0.2);
    size_t before = ls_get_stats(p.ls).live_tensors;
    ls_fit(p.mlp, .x = p.x, .y = p.y, .sample_weight = p.weight, .validation_split = 0.2, .epochs = 3,
           .steps_per_epoch = 1, .validation_steps = 1);
    ls_predict(p.mlp, .x = p.x);
    size_t after = ls_get_stats(p.ls).live_tensors;
    CHECK(before == after, "%zu tensors, then %zu", before, after);
    ls_layer_destroy(&p.mlp);
    close_problem(&p);
}

int main(int argc, char **argv)
{
    choose_device(argc, argv);
    test_three_altitudes();
    test_evaluate_and_predict();
    test_weights();
    test_frozen();
    test_several();
    test_steps_per_epoch();
    test_bad_input();
    test_averages();
    test_nothing_leaks();
    return end_of_checks();
}
