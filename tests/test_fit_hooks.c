/* SPDX-License-Identifier: Apache-2.0
 *
 * Hooks in Keras' order, what is drawn, what a subclass of the step overrides, a fit within a fit.
 */
#include <math.h>
#include <string.h>

#include "fit_problem.h"

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

int main(int argc, char **argv)
{
    choose_device(argc, argv);
    test_hooks();
    test_logs_are_shared();
    test_failing_callback();
    test_bar();
    test_no_reads();
    test_overrides();
    test_no_recursion();
    return end_of_checks();
}
