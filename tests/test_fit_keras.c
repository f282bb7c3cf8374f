/* SPDX-License-Identifier: Apache-2.0
 *
 * fit against Keras' fit, from the same initial weights and batches: the losses of a hundred steps and the histories
 * to five digits; the hooks with their numbers and logs, and all that is drawn, exactly (golden/keras/fit.golden).
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "devices.h"

enum { SAMPLES = 90, FEATURES = 8, CLASSES = 4, LINE = 1 << 16 };

static const char *words, *golden;

/* ---- The golden ---- */

/* What stands behind `name` at the start of a line; NULL if there is no such line. */
static const char *line_of(const char *name)
{
    static char line[LINE];
    FILE *file = fopen(golden, "r");
    bool found = false;
    while (file && !found && fgets(line, sizeof line, file))
        found = strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ' ';
    if (file)
        fclose(file);
    CHECK(found, "%s has no line %s", golden, name);
    line[strcspn(line, "\n")] = '\0';
    return found ? line + strlen(name) + 1 : NULL;
}

static void check_numbers(const char *name, const double *values, size_t count)
{
    const char *text = line_of(name);
    for (size_t i = 0; text && i < count; i++) {
        char *end;
        double expected = strtod(text, &end);
        CHECK(end != text && fabs(values[i] - expected) < 5e-6 * fabs(expected) + 1e-9, "%s[%zu]: %.8g, not %.8g", name,
              i, values[i], expected);
        text = end;
    }
    CHECK(text && strspn(text, " ") == strlen(text), "%s: more than %zu numbers: %s", name, count, text ? text : "");
}

/* ---- The model ---- */

static float formula(int i, int seed) { return (float)(((i * 37 + seed * 11) % 101 - 50) / 125.0); }

struct problem {
    ls_context *ls;
    ls_tensor x, y, weight;
    ls_model *model;
};

static struct problem open_problem(float rate)
{
    struct problem p = {.ls = ls_open(words)};
    float x[SAMPLES * FEATURES], weight[SAMPLES], values[16 * 16];
    int32_t y[SAMPLES];
    for (int i = 0; i < SAMPLES * FEATURES; i++)
        x[i] = formula(i, 3) * 2;
    for (int i = 0; i < SAMPLES; i++) {
        y[i] = i * 7 % 5 % CLASSES;
        weight[i] = (float)(i % 4) * 0.5f;
        x[i * FEATURES + y[i]] += 0.5f;
    }
    p.x = ls_from_host(p.ls, LS_FLOAT32, LS_SHAPE(SAMPLES, FEATURES), x);
    p.y = ls_from_host(p.ls, LS_INT32, LS_SHAPE(SAMPLES), y);
    p.weight = ls_from_host(p.ls, LS_FLOAT32, LS_SHAPE(SAMPLES), weight);
    p.model = ls_sequential(p.ls, "model", (ls_layer *[]){
        ls_dense(p.ls, 16, .activation = LS_RELU, .kernel_regularizer = ls_l2(0.001f)),
        ls_dense(p.ls, 12, .activation = LS_TANH), ls_dense(p.ls, CLASSES), NULL});
    ls_build(p.model, LS_SHAPE(1, FEATURES));
    ls_variables all = ls_all_variables(p.model);
    for (int v = 0; v < (int)all.count; v++) {
        for (int i = 0; i < (int)ls_size(all.items[v]); i++)
            values[i] = formula(i, v);
        ls_assign(all.items[v], ls_from_host(p.ls, LS_FLOAT32, ls_shape_of_tensor(all.items[v]), values));
    }
    ls_compile(p.model, ls_adam(p.ls, .learning_rate = rate),
               {ls_sparse_categorical_crossentropy_with, .from_logits = true},
               .metrics = LS_METRICS(ls_sparse_categorical_accuracy(p.ls, "accuracy")));
    return p;
}

static void close_problem(struct problem *p)
{
    CHECK(ls_error(p->ls) == LS_OK, "%s", ls_error_message(p->ls));
    ls_close(&p->ls);
}

static ls_tensor rows(ls_tensor a, int64_t begin, int64_t count)
{
    return ls_slice(a, (int64_t[LS_MAX_RANK]){begin}, (int64_t[LS_MAX_RANK]){count, -1, -1, -1, -1, -1, -1, -1}, NULL);
}

static void test_losses(void)
{
    struct problem p = open_problem(0.001f);
    double losses[100];
    for (int step = 0; step < 100; step++) {
        ls_logs logs;
        ls_train_on_batch(p.model, rows(p.x, step * 16 % 80, 16), rows(p.y, step * 16 % 80, 16), .logs = &logs);
        losses[step] = ls_logs_get(&logs, "loss");
    }
    check_numbers("losses", losses, 100);
    check_numbers("truth", losses, 100);
    close_problem(&p);
}

/* ---- Hooks ---- */

struct trace {
    char text[LINE];
    int stop_at;
};

static void note(struct trace *t, const char *hook, int64_t number, const ls_logs *logs)
{
    size_t used = strlen(t->text);
    used += (size_t)sprintf(t->text + used, "%s%s(", used ? " " : "", hook);
    used += number >= 0 ? (size_t)sprintf(t->text + used, "%d;", (int)number) : (size_t)sprintf(t->text + used, ";");
    for (size_t i = 0; i < logs->count; i++)
        used += (size_t)sprintf(t->text + used, "%s%s", i ? "," : "", logs->entries[i].name);
    strcpy(t->text + used, ")");
}

#define TRACE(hook)                                                                                \
    static ls_status trace_##hook(void *user, const ls_event *event)                               \
    {                                                                                              \
        bool batch = strstr(#hook, "batch"), epoch = strstr(#hook, "epoch");                       \
        note(user, #hook, batch ? event->batch : epoch ? event->epoch : -1, event->logs);          \
        if (strcmp(#hook, "on_train_batch_end") == 0 && event->batch == ((struct trace *)user)->stop_at) \
            ls_stop_training(event->model);                                                        \
        return LS_OK;                                                                              \
    }
LS_HOOK_LIST(TRACE)
#undef TRACE

/* Runs fit with the given options and compares trace and history with those of `name`. */
static void check_fit(const char *name, int stop_at, ls_fit_options options)
{
    static struct trace trace;
    struct problem p = open_problem(0.01f);
    ls_history *history = NULL;
    char key[128];
    double values[16];
    trace = (struct trace){.stop_at = stop_at};
    options.model = p.model;
    options.x = p.x;
    options.y = p.y;
    options.no_shuffle = true;
    options.sample_weight = options.sample_weight.index ? p.weight : (ls_tensor){0};
    options.history = &history;
#define MEMBER(hook) .hook = trace_##hook,
    options.callbacks = LS_CALLBACKS(ls_lambda_callback(p.ls, .user = &trace, LS_HOOK_LIST(MEMBER)));
#undef MEMBER
    CHECK(ls_fit_with(&options) == LS_OK, "%s: %s", name, ls_error_message(p.ls));
    snprintf(key, sizeof key, "trace %s", name);
    const char *expected = line_of(key);
    CHECK(expected && strcmp(trace.text, expected) == 0, "%s:\n%s\nnot\n%s", name, trace.text,
          expected ? expected : "");
    size_t epochs = ls_history_epochs(history), names = 0;
    for (size_t i = 0; i < epochs; i++)
        values[i] = ls_history_epoch(history, i);
    snprintf(key, sizeof key, "epochs %s", name);
    check_numbers(key, values, epochs);
    for (; names < ls_history_names(history); names++) {
        const char *column = ls_history_name(history, names);
        size_t count = 0;
        for (size_t i = 0; i < epochs; i++)
            if (ls_history_has(history, column, i))
                values[count++] = ls_history_value(history, column, i);
        snprintf(key, sizeof key, "history %s.%s", name, column);
        check_numbers(key, values, count);
    }
    CHECK(names == (options.validation_split != 0 ? 4u : 2u), "%s: %zu names", name, names);
    close_problem(&p);
}

/* ---- The screen ---- */

/* A tenth of a second passes in each batch, and nowhere else, as in the golden's script. */
static double now = 1000;

static ls_status pass_time(void *user, const ls_event *event)
{
    (void)user, (void)event;
    now += 0.1;
    return LS_OK;
}

static double read_clock(void *user)
{
    (void)user;
    return now;
}

/* What is written, with Python's escapes. */
static void write_screen(void *user, const char *text, size_t length)
{
    char *screen = user;
    size_t used = strlen(screen);
    for (size_t i = 0; i < length && used + 8 < LINE; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '\n' || c == '\r')
            used += (size_t)sprintf(screen + used, c == '\n' ? "\\n" : "\\r");
        else if (c < 0x20)
            used += (size_t)sprintf(screen + used, "\\x%02x", c);
        else if (c == 0xe2 && i + 2 < length) /* the one character of three bytes */
            used += (size_t)sprintf(screen + used, "\\u%04x",
                                    (c & 15) << 12 | (text[i + 1] & 63) << 6 | (text[i + 2] & 63)),
                i += 2;
        else
            screen[used++] = (char)c;
    }
    screen[used] = '\0';
}

static void check_screen(const char *name, ls_progress_style style, ls_fit_options options)
{
    static char screen[LINE];
    char key[64];
    struct problem p = open_problem(0.01f);
    ls_callback *clock = ls_lambda_callback(p.ls, .on_train_batch_begin = pass_time, .on_test_batch_begin = pass_time,
                                            .on_predict_batch_begin = pass_time);
    ls_progress_options sink = {.style = style, .write = write_screen, .clock = read_clock, .user = screen};
    screen[0] = '\0';
    if (strncmp(name, "evaluate", 8) == 0)
        ls_evaluate(p.model, .x = p.x, .y = p.y, .batch_size = options.batch_size, .verbose = options.verbose,
                    .progress = sink, .callbacks = LS_CALLBACKS(clock));
    else if (strcmp(name, "predict") == 0)
        ls_predict(p.model, .x = p.x, .batch_size = options.batch_size, .verbose = options.verbose, .progress = sink,
                   .callbacks = LS_CALLBACKS(clock));
    else {
        options.model = p.model;
        options.x = p.x;
        options.y = p.y;
        options.no_shuffle = true;
        options.progress = sink;
        options.callbacks = LS_CALLBACKS(clock);
        ls_fit_with(&options);
    }
    snprintf(key, sizeof key, "screen %s", name);
    const char *expected = line_of(key);
    CHECK(expected && strcmp(screen, expected) == 0, "%s:\n%s\nnot\n%s", name, screen, expected ? expected : "");
    close_problem(&p);
}

int main(int argc, char **argv)
{
    struct device_kind kind = device_kind_of(argc > 2 ? argv[2] : "reference");
    char path[1024];
    snprintf(path, sizeof path, "%s/fit.golden", argc > 1 ? argv[1] : "tests/golden/keras");
    golden = path;
    words = kind.words;
    ls_context *ls = ls_open(words);
    if (ls_error(ls) != LS_OK)
        device_absent(&kind, ls_error_message(ls));
    ls_close(&ls);
    const ls_class_weight classes[] = {{0, 2}, {3, 0.25f}};
    test_losses();
    check_fit("plain", -1, (ls_fit_options){.epochs = 3, .batch_size = 32});
    check_fit("split", -1,
              (ls_fit_options){.epochs = 3, .batch_size = 20, .validation_split = 0.2, .validation_freq = 2});
    check_fit("weights", -1, (ls_fit_options){.epochs = 2, .batch_size = 25, .sample_weight = {.index = 1},
                                              .validation_split = 0.1, .validation_batch_size = 4});
    check_fit("classes", -1, (ls_fit_options){.epochs = 2, .batch_size = 30, .class_weight = classes,
                                              .class_weight_count = 2});
    check_fit("steps", -1, (ls_fit_options){.epochs = 4, .batch_size = 30, .steps_per_epoch = 2});
    check_fit("later", -1, (ls_fit_options){.epochs = 5, .initial_epoch = 3, .batch_size = 64});
    check_fit("stop", 1,
              (ls_fit_options){.epochs = 3, .batch_size = 30, .validation_split = 0.2, .validation_steps = 1});
    check_screen("bar", LS_PROGRESS_TERMINAL, (ls_fit_options){.epochs = 2, .batch_size = 20, .verbose = 1,
                                                               .validation_split = 0.2});
    check_screen("lines", LS_PROGRESS_LINES, (ls_fit_options){.epochs = 2, .batch_size = 30, .verbose = 1});
    check_screen("summary", LS_PROGRESS_TERMINAL, (ls_fit_options){.epochs = 3, .batch_size = 20, .verbose = 2,
                                                                   .validation_split = 0.2, .validation_freq = 2});
    check_screen("once", LS_PROGRESS_TERMINAL, (ls_fit_options){.batch_size = 50, .verbose = 1});
    check_screen("short", LS_PROGRESS_TERMINAL, (ls_fit_options){.epochs = 2, .batch_size = 30, .steps_per_epoch = 2,
                                                                 .verbose = 1});
    check_screen("evaluate", LS_PROGRESS_TERMINAL, (ls_fit_options){.batch_size = 40, .verbose = 1});
    check_screen("evaluate2", LS_PROGRESS_TERMINAL, (ls_fit_options){.batch_size = 40, .verbose = 2});
    check_screen("predict", LS_PROGRESS_TERMINAL, (ls_fit_options){.batch_size = 40, .verbose = 1});
    return end_of_checks();
}
