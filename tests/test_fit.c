/* SPDX-License-Identifier: Apache-2.0
 *
 * compile, fit, evaluate, predict: the same bits as the raw loop and as an overridden step, on every kind of device;
 * hooks in Keras' order; what is drawn; what is said of bad input.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "devices.h"

enum { SAMPLES = 50, FEATURES = 6, CLASSES = 3, BATCH = 16, EPOCHS = 3 };

static const char *words; /* of the device */

/* ---- A small problem ---- */

struct problem {
    ls_context *ls;
    ls_tensor x, y, weight;
    ls_model *mlp;
    ls_optimizer *adam;
    ls_metric *accuracy;
};

static struct problem make_problem(void)
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

static ls_status compile(struct problem *p)
{
    return ls_compile(p->mlp, p->adam, {ls_sparse_categorical_crossentropy_with, .from_logits = true},
                      .metrics = LS_METRICS(p->accuracy));
}

static void close_problem(struct problem *p)
{
    CHECK(ls_error(p->ls) == LS_OK, "%s", ls_error_message(p->ls));
    ls_close(&p->ls);
}

static ls_dataset *batches(struct problem *p)
{
    return ls_dataset_batch(ls_dataset_shuffle(ls_dataset_from_tensors(p->x, p->y), .seed = 5), BATCH);
}

/* ---- Three altitudes, the same bits ---- */

struct outcome {
    ls_fingerprint_text weights;
    double loss, accuracy;
};

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

/* ---- Hooks ---- */

struct record {
    char text[8192];
    size_t length;
    int stop_at_batch, fail_at_epoch; /* -1: never */
    bool told;
    const char *adds;
};

static void note(struct record *r, const char *name, const ls_event *e)
{
    int n = snprintf(r->text + r->length, sizeof r->text - r->length, "%s(%d,%d,%zu) ", name, e->epoch, (int)e->batch,
                     e->logs->count);
    r->length += n > 0 ? (size_t)n : 0;
}

#define RECORD(hook)                                                                               \
    static ls_status record_##hook(void *user, const ls_event *event)                              \
    {                                                                                              \
        note(user, #hook, event);                                                                  \
        return LS_OK;                                                                              \
    }
RECORD(on_train_begin)
RECORD(on_train_end)
RECORD(on_epoch_begin)
RECORD(on_train_batch_begin)
RECORD(on_test_begin)
RECORD(on_test_end)
RECORD(on_test_batch_begin)
RECORD(on_test_batch_end)
RECORD(on_predict_begin)
RECORD(on_predict_end)
RECORD(on_predict_batch_begin)
RECORD(on_predict_batch_end)
#undef RECORD

static ls_status record_on_train_batch_end(void *user, const ls_event *event)
{
    struct record *r = user;
    note(r, "on_train_batch_end", event);
    if (event->batch == r->stop_at_batch)
        ls_stop_training(event->model);
    return LS_OK;
}

static ls_status record_on_epoch_end(void *user, const ls_event *event)
{
    struct record *r = user;
    note(r, "on_epoch_end", event);
    if (r->adds)
        ls_logs_set(event->logs, r->adds, 0.25);
    return event->epoch == r->fail_at_epoch ? LS_FILE_ERROR : LS_OK;
}

static ls_status set_flag(void *user, const ls_event *event)
{
    (void)event;
    *(volatile sig_atomic_t *)user = 1;
    return LS_OK;
}

static ls_callback *recorder(struct problem *p, struct record *r)
{
#define MEMBER(hook) .hook = record_##hook,
    return ls_lambda_callback(p->ls, .name = "recorder", .user = r, LS_HOOK_LIST(MEMBER));
#undef MEMBER
}

static void expect(const struct record *r, const char *expected, const char *what)
{
    CHECK(strcmp(r->text, expected) == 0, "%s:\n%s\nexpected\n%s", what, r->text, expected);
}

#define EPOCH(e, test, logs)                                                                       \
    "on_epoch_begin(" e ",0,0) on_train_batch_begin(" e ",0,0) on_train_batch_end(" e ",0,2) "      \
    "on_train_batch_begin(" e ",1,0) on_train_batch_end(" e ",1,2) " test "on_epoch_end(" e ",2," logs ") "
#define TEST(e)                                                                                    \
    "on_test_begin(" e ",0,0) on_test_batch_begin(" e ",0,0) on_test_batch_end(" e ",0,2) on_test_end(" e ",1,2) "

static void test_hooks(void)
{
    struct problem p = make_problem();
    struct record r = {.stop_at_batch = -1, .fail_at_epoch = -1};
    ls_callback *callback = recorder(&p, &r);
    compile(&p);
    ls_fit(p.mlp, .x = p.x, .y = p.y, .batch_size = 30, .epochs = 2, .validation_data = NULL, .validation_x = p.x,
           .validation_y = p.y, .validation_batch_size = 64, .validation_freq = 2, .callbacks = LS_CALLBACKS(callback));
    expect(&r, "on_train_begin(0,0,0) " EPOCH("0", "", "2") EPOCH("1", TEST("1"), "4") "on_train_end(2,2,4) ", "fit");

    r = (struct record){.stop_at_batch = 0, .fail_at_epoch = -1};
    ls_fit(p.mlp, .x = p.x, .y = p.y, .batch_size = 30, .epochs = 2, .validation_x = p.x, .validation_y = p.y,
           .validation_batch_size = 64, .callbacks = LS_CALLBACKS(callback));
    expect(&r, "on_train_begin(0,0,0) on_epoch_begin(0,0,0) on_train_batch_begin(0,0,0) on_train_batch_end(0,0,2) "
           TEST("0") "on_epoch_end(0,1,4) on_train_end(0,1,4) ", "stop_training still validates");

    volatile sig_atomic_t stop = 1;
    r = (struct record){.stop_at_batch = -1, .fail_at_epoch = -1};
    CHECK(ls_fit(p.mlp, .x = p.x, .y = p.y, .callbacks = LS_CALLBACKS(callback), .stop = &stop) == LS_OK, "stop");
    expect(&r, "on_train_begin(0,0,0) on_train_end(0,0,0) ", "stopped before the first batch");

    /* Set while the first batch runs: the epoch is not completed. */
    volatile sig_atomic_t flag = 0;
    r = (struct record){.stop_at_batch = -1, .fail_at_epoch = -1};
    ls_history *history;
    ls_callback *setter = ls_lambda_callback(p.ls, .user = (void *)&flag, .on_train_batch_end = set_flag);
    CHECK(ls_fit(p.mlp, .x = p.x, .y = p.y, .callbacks = LS_CALLBACKS(callback, setter), .stop = &flag, .epochs = 3,
                 .validation_split = 0.5, .history = &history) == LS_OK, "stop");
    expect(&r, "on_train_begin(0,0,0) on_epoch_begin(0,0,0) on_train_batch_begin(0,0,0) on_train_batch_end(0,0,2) "
           "on_train_end(0,1,0) ", "stopped in the first epoch");
    CHECK(ls_history_epochs(history) == 0, "%zu epochs", ls_history_epochs(history));

    r = (struct record){.stop_at_batch = -1, .fail_at_epoch = -1};
    ls_predict(p.mlp, .x = p.x, .batch_size = 64, .callbacks = LS_CALLBACKS(callback));
    expect(&r,
           "on_predict_begin(0,0,0) on_predict_batch_begin(0,0,0) on_predict_batch_end(0,0,0) on_predict_end(0,0,0) ",
           "predict");
    close_problem(&p);
}

static void test_logs_are_shared(void)
{
    struct problem p = make_problem();
    struct record first = {.stop_at_batch = -1, .fail_at_epoch = -1, .adds = "extra"};
    struct record second = {.stop_at_batch = -1, .fail_at_epoch = -1};
    ls_history *history;
    compile(&p);
    ls_fit(p.mlp, .x = p.x, .y = p.y, .history = &history,
           .callbacks = LS_CALLBACKS(recorder(&p, &first), recorder(&p, &second)));
    CHECK(strstr(second.text, "on_epoch_end(0,2,3)"), "%s", second.text);
    CHECK(ls_history_value(history, "extra", 0) == 0.25, "%g", ls_history_value(history, "extra", 0));
    close_problem(&p);
}

static void test_failing_callback(void)
{
    struct problem p = make_problem();
    struct record r = {.stop_at_batch = -1, .fail_at_epoch = 1}, other = {.stop_at_batch = -1, .fail_at_epoch = -1};
    ls_history *history;
    compile(&p);
    ls_status status = ls_fit(p.mlp, .x = p.x, .y = p.y, .epochs = 4, .history = &history,
                              .callbacks = LS_CALLBACKS(recorder(&p, &r), recorder(&p, &other)));
    CHECK(status == LS_FILE_ERROR, "%s", ls_status_name(status));
    CHECK_ERROR(p.ls, LS_FILE_ERROR, "fit: epoch 2, after batch 2: callback recorder stopped in on_epoch_end");
    CHECK(strstr(r.text, "on_train_end") && strstr(other.text, "on_train_end"), "%s", other.text);
    CHECK(ls_history_epochs(history) == 1, "%zu", ls_history_epochs(history));
    CHECK(ls_fit(p.mlp, .x = p.x, .y = p.y) == LS_OK, "and works again: %s", ls_error_message(p.ls));
    close_problem(&p);
}

/* ---- The bar ---- */

struct screen {
    char text[16384];
    size_t length;
    double time;
};

static void write_screen(void *user, const char *text, size_t length)
{
    struct screen *s = user;
    if (s->length + length < sizeof s->text)
        memcpy(s->text + s->length, text, length), s->length += length;
}

static double read_clock(void *user) { return ((struct screen *)user)->time += 0.03; }

static void test_bar(void)
{
    struct problem p = make_problem();
    struct screen s = {.length = 0};
    ls_progress_options sink = {.write = write_screen, .clock = read_clock, .user = &s};
    compile(&p);
    ls_fit(p.mlp, .x = p.x, .y = p.y, .epochs = 2, .verbose = 2, .progress = sink, .validation_split = 0.2);
    CHECK(strstr(s.text, "Epoch 1/2\n2/2 - ") && strstr(s.text, "/step - accuracy: 0.") &&
          strstr(s.text, " - val_accuracy: 0.") && strstr(s.text, "\nEpoch 2/2\n2/2 - "), "%s", s.text);
    s = (struct screen){.length = 0};
    ls_fit(p.mlp, .x = p.x, .y = p.y, .verbose = 1, .progress = sink);
    CHECK(!strstr(s.text, "Epoch") && strstr(s.text, "\x1b[1m1/2\x1b[0m ") && strstr(s.text, "\x1b[1m2/2\x1b[0m ") &&
          strstr(s.text, " - loss: "), "%s", s.text);
    s = (struct screen){.length = 0};
    ls_evaluate(p.mlp, .x = p.x, .y = p.y, .verbose = 2, .progress = sink);
    CHECK(strncmp(s.text, "2/2 - ", 6) == 0 && strstr(s.text, " - accuracy: "), "%s", s.text);
    close_problem(&p);
}

/* The bar reads metrics only when it draws: no batch waits for the device. */
static void test_no_reads(void)
{
    struct problem p = make_problem();
    struct screen s = {.length = 0};
    compile(&p);
    ls_progress_options sink = {.write = write_screen, .user = &s};
    ls_fit(p.mlp, .x = p.x, .y = p.y, .batch_size = 1, .epochs = 2, .verbose = 1, .progress = sink);
    int drawn = 0;
    for (const char *c = s.text; (c = strstr(c, "loss: ")); c++)
        drawn++;
    CHECK(drawn < 60 && drawn >= 2, "%d times drawn in 100 steps", drawn);
    close_problem(&p);
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
    ls_metric *error = ls_loss_metric(p.ls, ls_mean_absolute_error_with, "size_error");
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
    CHECK(ls_history_has(history, "val_size_error", 1) && ls_history_has(history, "val_accuracy", 1), "names");
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

/* ---- Overrides ---- */

static ls_tensor doubled_loss(ls_step *step, ls_tensor y_pred)
{
    return ls_mul(ls_default_compute_loss(step, y_pred), ls_scalar(step->context, 2));
}

static void perfect_metrics(ls_step *step, ls_tensor y_pred)
{
    (void)y_pred;
    ls_update_state(*(ls_metric **)step->user, step->y, ls_one_hot(step->y, CLASSES));
}

static ls_tensor probabilities(ls_step *step) { return ls_softmax(ls_default_predict_step(step), -1); }

static int tested;

static void count_tests(ls_step *step)
{
    tested++;
    ls_default_test_step(step);
}

static void test_overrides(void)
{
    struct problem p = make_problem();
    ls_logs plain, doubled;
    ls_tensor y_pred, sums;
    float values[SAMPLES];
    compile(&p);
    ls_evaluate(p.mlp, .x = p.x, .y = p.y, .logs = &plain);
    ls_compile(p.mlp, p.adam, {ls_sparse_categorical_crossentropy_with, .from_logits = true},
               .metrics = LS_METRICS(p.accuracy), .compute_loss = doubled_loss, .compute_metrics = perfect_metrics,
               .test_step = count_tests, .predict_step = probabilities, .user = &p.accuracy);
    ls_evaluate(p.mlp, .x = p.x, .y = p.y, .logs = &doubled);
    CHECK(ls_logs_get(&doubled, "loss") == 2 * ls_logs_get(&plain, "loss"), "%g and %g", ls_logs_get(&doubled, "loss"),
          ls_logs_get(&plain, "loss"));
    CHECK(ls_logs_get(&doubled, "accuracy") == 1 && ls_logs_get(&plain, "accuracy") < 1, "accuracy %g, %g",
          ls_logs_get(&doubled, "accuracy"), ls_logs_get(&plain, "accuracy"));
    CHECK(tested == 2, "%d test steps", tested);
    ls_predict(p.mlp, .x = p.x, .y_pred = &y_pred);
    sums = ls_sum(y_pred, (int[]){1}, 1, false);
    ls_read(sums, values, sizeof values);
    for (int i = 0; i < SAMPLES; i++)
        CHECK(fabsf(values[i] - 1) < 1e-6f, "row %d sums to %g", i, (double)values[i]);
    CHECK(ls_model_optimizer(p.mlp) == p.adam, "optimizer");
    close_problem(&p);
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

/* ---- Interrupted in the middle of an epoch, and resumed: as if it had not been ---- */

static double shrink(void *user, int epoch, double rate)
{
    (void)user;
    return epoch ? rate * 0.7 : rate;
}

/* Everything that a step reads, as a snapshot file keeps it. */
struct snapshot {
    ls_model *model;
    ls_callback **callbacks;
    ls_tensor variables[64], copies[64];
    size_t count;
    double numbers[4][8];
    ls_tensor best[8];
    size_t best_count;
    ls_dataset *data;
    ls_dataset_position position;
    volatile sig_atomic_t stop;
    int epoch, batch; /* where to stop; -1: nowhere */
};

static void copy_variables(struct snapshot *s, ls_variables list)
{
    for (size_t i = 0; i < list.count; i++) {
        s->variables[s->count] = list.items[i];
        s->copies[s->count++] = ls_variable(list.items[i], "copy", false);
    }
}

static void save_all(struct snapshot *s)
{
    const char *name;
    copy_variables(s, ls_all_variables(s->model));
    copy_variables(s, ls_optimizer_variables(ls_model_optimizer(s->model)));
    for (ls_metric *const *m = ls_model_metrics(s->model); *m; m++)
        copy_variables(s, ls_metric_variables(*m));
    for (int c = 0; s->callbacks[c]; c++)
        for (int n = 0; (name = ls_callback_number_name(s->callbacks[c], (size_t)n)); n++)
            s->numbers[c][n] = ls_callback_number(s->callbacks[c], name);
    ls_variables best = ls_callback_variables(s->callbacks[1]);
    for (s->best_count = 0; s->best_count < best.count; s->best_count++)
        s->best[s->best_count] = ls_variable(best.items[s->best_count], "best", false);
}

static void restore_all(struct snapshot *s)
{
    const char *name;
    for (size_t i = 0; i < s->count; i++)
        ls_assign(s->variables[i], s->copies[i]);
    for (int c = 0; s->callbacks[c]; c++)
        for (int n = 0; (name = ls_callback_number_name(s->callbacks[c], (size_t)n)); n++)
            ls_callback_set_number(s->callbacks[c], name, s->numbers[c][n]);
    ls_callback_set_variables(s->callbacks[1], s->best, s->best_count);
    ls_dataset_restore_position(s->data, &s->position);
}

static ls_status snap(void *user, const ls_event *event)
{
    struct snapshot *s = user;
    if (event->epoch != s->epoch || event->batch != s->batch)
        return LS_OK;
    s->stop = 1;
    save_all(s);
    return ls_dataset_save_position(s->data, &s->position);
}

static struct outcome with_resume(int epoch, int batch, double *best, size_t *epochs)
{
    struct problem p = make_problem();
    struct snapshot s = {.data = batches(&p), .epoch = epoch, .batch = batch};
    ls_history *history = NULL;
    compile(&p);
    ls_callback *stopping = ls_early_stopping(p.ls, "loss", .patience = 9, .restore_best_weights = true);
    ls_callback *callbacks[] = {ls_learning_rate_scheduler(p.ls, shrink), stopping,
                                ls_reduce_lr_on_plateau(p.ls, "accuracy", .patience = 1, .mode = LS_MODE_MIN),
                                ls_lambda_callback(p.ls, .user = &s, .on_train_batch_end = snap), NULL};
    s.model = p.mlp;
    s.callbacks = callbacks;
    ls_fit_options options = {.model = p.mlp, .data = s.data, .epochs = 4, .history = &history, .callbacks = callbacks,
                              .stop = &s.stop};
    CHECK(ls_fit_with(&options) == LS_OK, "%s", ls_error_message(p.ls));
    if (epoch >= 0) {
        CHECK(ls_history_epochs(history) == (size_t)epoch, "%zu epochs", ls_history_epochs(history));
        s.stop = 0;
        restore_all(&s);
        options.resume = true;
        options.initial_epoch = epoch;
        options.initial_batch = batch + 1;
        CHECK(ls_fit_with(&options) == LS_OK, "%s", ls_error_message(p.ls));
    }
    *best = ls_callback_number(stopping, "best");
    *epochs = ls_history_epochs(history);
    struct outcome out = {ls_fingerprint_model(p.mlp), ls_history_value(history, "loss", *epochs - 1),
                          ls_history_value(history, "learning_rate", *epochs - 1)};
    close_problem(&p);
    return out;
}

static void test_resume(void)
{
    double best, other_best;
    size_t epochs, other_epochs;
    struct outcome whole = with_resume(-1, 0, &best, &epochs);
    CHECK(epochs == 4 && whole.accuracy < 0.01, "%zu epochs, rate %g", epochs, whole.accuracy);
    for (int batch = 0; batch < 4; batch++) { /* of four; the last one too */
        struct outcome halves = with_resume(2, batch, &other_best, &other_epochs);
        CHECK(other_epochs == epochs && other_best == best, "%zu epochs, best %g", other_epochs, other_best);
        CHECK(strcmp(whole.weights.text, halves.weights.text) == 0 && whole.loss == halves.loss &&
              whole.accuracy == halves.accuracy, "interrupted behind batch %d: %s, loss %g, rate %g; else %s, %g, %g",
              batch, halves.weights.text, halves.loss, halves.accuracy, whole.weights.text, whole.loss, whole.accuracy);
    }
}

/* ---- A fit within a fit ---- */

static ls_status fit_again(void *user, const ls_event *event)
{
    struct problem *p = user;
    return ls_fit(event->model, .x = p->x, .y = p->y);
}

static void test_no_recursion(void)
{
    struct problem p = make_problem();
    compile(&p);
    ls_fit(p.mlp, .x = p.x, .y = p.y,
           .callbacks = LS_CALLBACKS(ls_lambda_callback(p.ls, .user = &p, .on_epoch_end = fit_again)));
    CHECK_ERROR(p.ls, LS_INVALID_ARGUMENT, "a callback cannot call fit");
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
    struct device_kind kind = device_kind_of(argc > 1 ? argv[1] : "reference");
    words = kind.words;
    ls_context *ls = ls_open(words);
    if (ls_error(ls) != LS_OK)
        device_absent(&kind, ls_error_message(ls));
    ls_close(&ls);
    test_three_altitudes();
    test_hooks();
    test_logs_are_shared();
    test_failing_callback();
    test_bar();
    test_no_reads();
    test_evaluate_and_predict();
    test_weights();
    test_several();
    test_steps_per_epoch();
    test_bad_input();
    test_overrides();
    test_averages();
    test_resume();
    test_no_recursion();
    test_nothing_leaks();
    return end_of_checks();
}
