/* SPDX-License-Identifier: Apache-2.0
 *
 * Snapshots: a training program that is killed again and again, at any moment, also while it saves, and goes on from
 * its snapshot on this device or on another, ends with the bits of one that nobody disturbed.
 *
 *     test_files_snapshot [KIND]                       the test; with KIND, resumed there and on the reference in turns
 *     test_files_snapshot --train DEVICE FILE STEPS    the program: prints its fingerprint at the end
 */
#define _DEFAULT_SOURCE
#define _XOPEN_SOURCE 700

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "devices.h"
#include "files_check.h"

enum { STEPS = 48, FEATURES = 6, ROWS = 50 };

/* ---- The program ---- */

struct training {
    ls_model *model;
    ls_optimizer *optimizer;
    ls_metric *loss;
    ls_dataset *data;
    ls_callback *stopping;
    ls_model *models[2];
    ls_optimizer *optimizers[2];
    ls_metric *metrics[2];
    ls_dataset *datasets[2];
    ls_callback *callbacks[2];
    int64_t step;
    ls_snapshot snapshot;
};

/* Everything with a state: dropout, moving averages, a schedule, accumulated gradients, a shuffled pipeline. */
static void make(struct training *t, ls_context *ls, const char *path)
{
    ls_set_random_seed(ls, 11);
    ls_layer *layers[] = {ls_dense(ls, 8, .activation = LS_TANH), ls_batch_normalization_layer(ls),
                          ls_dropout_layer(ls, 0.25f), ls_dense(ls, 2), NULL};
    t->model = ls_sequential(ls, "m", layers);
    ls_build(t->model, LS_SHAPE(1, FEATURES));
    t->optimizer = ls_adam(ls, .schedule = ls_cosine_decay(0.02f, 40, 0.1f, 0.1f, 3), .use_ema = true, .amsgrad = true,
                           .ema_overwrite_frequency = 5, .gradient_accumulation_steps = 2);
    t->loss = ls_mean_metric(ls, "loss");
    ls_tensor x = ls_random_normal(ls, LS_SHAPE(ROWS, FEATURES), 0, 1);
    ls_tensor y = ls_random_normal(ls, LS_SHAPE(ROWS, 2), 0, 1);
    t->data = ls_dataset_batch(ls_dataset_shuffle(ls_dataset_from_tensors(x, y), 20, .seed = 3), 7);
    t->stopping = ls_early_stopping(ls, .monitor = "loss", .patience = 2);
    t->models[0] = t->model, t->optimizers[0] = t->optimizer, t->metrics[0] = t->loss, t->datasets[0] = t->data;
    t->callbacks[0] = t->stopping;
    t->snapshot = (ls_snapshot){.context = ls, .path = path, .models = t->models, .optimizers = t->optimizers,
                                .metrics = t->metrics, .datasets = t->datasets, .callbacks = t->callbacks,
                                .batch = &t->step};
}

static void train_step(struct training *t, const ls_batch *batch)
{
    ls_tensor loss;
    if (batch->index == 0)
        ls_reset_states(t->loss);
    LS_TAPE(tape, t->snapshot.context)
        loss = ls_mean_squared_error(batch->y, ls_call(t->model, batch->x, .training = true));
    ls_apply_gradients(t->optimizer, ls_gradients_of(tape, loss, ls_trainable_variables(t->model)));
    ls_update_state(t->loss, loss);
    t->step++;
}

/* Of everything that a snapshot restores. */
static ls_fingerprint_text state_of(struct training *t)
{
    ls_tensor all[128];
    size_t count = 0;
    ls_variables lists[] = {ls_all_variables(t->model), ls_optimizer_variables(t->optimizer),
                            ls_metric_variables(t->loss)};
    for (int k = 0; k < 3; k++)
        for (size_t i = 0; i < lists[k].count && count < 127; i++)
            all[count++] = lists[k].items[i];
    all[count++] = ls_random_uniform(t->snapshot.context, LS_SHAPE(3), 0, 1);
    return ls_fingerprint(all, count);
}

/* Trains until `steps` steps are done, with a snapshot after every second one. */
static ls_fingerprint_text run(struct training *t, int64_t steps, bool saves)
{
    ls_context *ls = t->snapshot.context;
    while (t->step < steps && ls_error(ls) == LS_OK)
        LS_FOR_BATCHES(batch, t->data) {
            train_step(t, &batch);
            if (saves && t->step % 2 == 0)
                ls_save_snapshot(&t->snapshot);
            if (t->step >= steps)
                break;
        }
    ls_fingerprint_text text;
    LS_SCOPE(ls)
        text = state_of(t);
    return text;
}

static int train_program(const char *device, const char *path, int64_t steps)
{
    struct training t = {.step = 0};
    ls_context *ls = ls_open(device);
    make(&t, ls, path);
    if (access(path, F_OK) == 0)
        ls_load_snapshot(&t.snapshot);
    ls_fingerprint_text text = run(&t, steps, true);
    if (ls_error(ls) != LS_OK)
        fprintf(stderr, "%s\n", ls_error_message(ls));
    printf("%s\n", text.text);
    return ls_close(&ls) == LS_OK ? 0 : 1;
}

/* ---- Killing it ---- */

static const char *self;
static char folder[64], path[128];

static long milliseconds_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (long)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* Starts the program, its output to a file; kills it after some milliseconds, never if < 0. True if it ended. */
static bool run_program(const char *device, long milliseconds, char *output, size_t size)
{
    char out[128], steps[16];
    snprintf(out, sizeof out, "%s/output", folder);
    snprintf(steps, sizeof steps, "%d", STEPS);
    pid_t child = fork();
    if (child == 0) {
        if (!freopen(out, "w", stdout))
            _exit(1);
        execl(self, self, "--train", device, path, steps, (char *)NULL);
        _exit(1);
    }
    int status = 0;
    long end = milliseconds_now() + milliseconds;
    while (milliseconds >= 0 && waitpid(child, &status, WNOHANG) == 0) {
        if (milliseconds_now() >= end) {
            kill(child, SIGKILL);
            milliseconds = -1;
        }
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
    if (milliseconds < 0)
        waitpid(child, &status, 0);
    FILE *f = fopen(out, "r");
    output[0] = '\0';
    if (f && fgets(output, (int)size, f))
        output[strcspn(output, "\n")] = '\0';
    if (f)
        fclose(f);
    unlink(out);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* At moments within an undisturbed run. Runs get shorter as caches warm and as there is less left to do: one that
 * ended by itself says how long they are now, and the next one begins anew. */
static void test_kill(const char *first, const char *second, int kills)
{
    char whole[64], resumed[64];
    unlink(path);
    long start = milliseconds_now();
    CHECK(run_program(first, -1, whole, sizeof whole) && strncmp(whole, "ls1:", 4) == 0, "%s: %s", first, whole);
    long most = milliseconds_now() - start + 1;
    unlink(path);
    int killed = 0;
    uint32_t random = 12345;
    for (int i = 0; i < kills; i++) {
        random = random * 1664525u + 1013904223u;
        start = milliseconds_now();
        if (!run_program(i % 2 ? second : first, (long)(random >> 8) % most, resumed, sizeof resumed)) {
            killed++;
            continue;
        }
        most = milliseconds_now() - start + 1;
        unlink(path);
    }
    CHECK(run_program(second, -1, resumed, sizeof resumed), "%s: did not end", second);
    CHECK(strcmp(whole, resumed) == 0, "%s then %s, killed %d times: %s, undisturbed %s", first, second, killed, resumed,
          whole);
    CHECK(killed > 0, "nobody was killed");
    unlink(path);
}

/* ---- N + M, misfits, damages ---- */

static struct training victim;

static void test_halves(ls_context *ls)
{
    for (int64_t n = 1; n < 20; n += 3) {
        struct training a = {.step = 0}, b = {.step = 0};
        make(&a, ls, path);
        ls_fingerprint_text whole = run(&a, 20, false);
        struct training half = {.step = 0};
        make(&half, ls, path);
        while (half.step < n)
            LS_FOR_BATCHES(batch, half.data) {
                train_step(&half, &batch);
                if (half.step == n) {
                    ls_callback_set_number(half.stopping, "wait", 5);
                    CHECK(ls_save_snapshot(&half.snapshot) == LS_OK, "%s", ls_error_message(ls));
                    break;
                }
            }
        make(&b, ls, path);
        ls_random_uniform(ls, LS_SHAPE(5), 0, 1); /* what must not matter */
        CHECK(ls_load_snapshot(&b.snapshot) == LS_OK, "%s", ls_error_message(ls));
        CHECK(b.step == n && ls_callback_number(b.stopping, "wait") == 5, "step %lld", (long long)b.step);
        ls_fingerprint_text rest = run(&b, 20, false);
        CHECK(strcmp(whole.text, rest.text) == 0, "%lld + %lld steps: %s, %s", (long long)n, (long long)(20 - n), rest.text,
              whole.text);
    }
}

static bool opens(const char *name)
{
    victim.snapshot.path = name;
    int64_t step = victim.step;
    ls_fingerprint_text before = ls_fingerprint_model(victim.model);
    bool good = ls_load_snapshot(&victim.snapshot) == LS_OK;
    if (!good) {
        ls_context *ls = victim.snapshot.context;
        char message[1100];
        snprintf(message, sizeof message, "%s", ls_error_message(ls));
        ls_clear_error(ls);
        CHECK(strcmp(before.text, ls_fingerprint_model(victim.model).text) == 0 && victim.step == step, "%s: changed",
              message);
        ls_load_snapshot(&victim.snapshot);
    }
    return good;
}

static void test_bad(ls_context *ls)
{
    struct training t = {.step = 0};
    make(&t, ls, path);
    run(&t, 4, true);
    make(&victim, ls, path);
    CHECK(opens(path) && victim.step == 4, "%s", ls_error_message(ls));
    /* Something more, something less, another pipeline: nothing changes. */
    ls_metric *more[] = {t.loss, ls_mean_metric(ls, "more"), NULL};
    victim.snapshot.metrics = more;
    CHECK(!opens(path), "a metric more");
    CHECK_ERROR(ls, LS_NOT_FOUND, "metric1/more/total is missing");
    victim.snapshot.metrics = NULL;
    CHECK(!opens(path), "no metric");
    CHECK_ERROR(ls, LS_NOT_FOUND, "nothing for metric0/loss/total");
    victim.snapshot.metrics = victim.metrics;
    ls_dataset *other[] = {ls_dataset_batch(ls_dataset_from_tensors(ls_zeros(ls, LS_FLOAT32, LS_SHAPE(9, 1)), (ls_tensor){0}), 3), NULL};
    victim.snapshot.datasets = other;
    CHECK(!opens(path), "another pipeline");
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "data set");
    victim.snapshot.datasets = victim.datasets;
    char weights[160];
    snprintf(weights, sizeof weights, "%s/w.safetensors", folder);
    ls_save_weights(t.model, weights);
    CHECK(!opens(weights), "weights alone");
    CHECK_ERROR(ls, LS_BAD_FILE, "is no snapshot");
    CHECK(ls_load_weights(t.model, path) != LS_OK, "a snapshot as weights");
    ls_clear_error(ls);
    unlink(weights);
    size_t size = 0;
    unsigned char *data = load_file(path, &size);
    char damaged[160];
    snprintf(damaged, sizeof damaged, "%s/damaged", folder);
    try_damages(ls, damaged, data, size, 17, 100, opens);
    free(data);
    unlink(damaged);
    CHECK(ls_save_snapshot(NULL) == LS_INVALID_ARGUMENT && ls_load_snapshot(NULL) == LS_INVALID_ARGUMENT, "NULL");
    victim.snapshot.path = NULL;
    ls_save_snapshot(&victim.snapshot);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "path");
    victim.snapshot.path = "/nonexistent/a";
    ls_save_snapshot(&victim.snapshot);
    CHECK_ERROR(ls, LS_NOT_FOUND, "make its folder");
    ls_load_snapshot(&victim.snapshot);
    CHECK_ERROR(ls, LS_NOT_FOUND, "/nonexistent/a");
}

/* ---- fit ---- */

static ls_status fail_at(void *user, const ls_event *event)
{
    int64_t *left = user;
    (void)event;
    return --*left == 0 ? LS_INTERNAL : LS_OK;
}

/* Six epochs of eight batches; breaks down in the batch of that number, if any. "" and an error then. */
static ls_status fit(ls_context *ls, int64_t breaks, int freq, ls_fingerprint_text *weights, ls_history **history)
{
    struct training t = {.step = 0};
    make(&t, ls, path);
    ls_compile(t.model, t.optimizer, {ls_mean_squared_error_with});
    /* No epoch is so much better than the first: it stops behind the fifth, with the weights of the first. */
    t.stopping = ls_early_stopping(ls, .monitor = "loss", .patience = 4, .min_delta = 100, .restore_best_weights = true);
    ls_callback *others[] = {t.stopping, ls_reduce_lr_on_plateau(ls, .monitor = "loss", .patience = 100), NULL};
    ls_callback *backup = ls_backup_and_restore({.context = ls, .path = path, .models = t.models, .optimizers = t.optimizers,
                                                 .datasets = t.datasets, .callbacks = others}, .save_freq = freq);
    ls_callback *breaking = ls_lambda_callback(ls, .on_train_batch_end = fail_at, .user = &breaks);
    ls_status status = ls_fit(t.model, t.data, .epochs = 6, .history = history,
                              .callbacks = LS_CALLBACKS(backup, others[0], others[1], breaking));
    char message[800];
    snprintf(message, sizeof message, "%s", ls_error_message(ls));
    CHECK(status == LS_OK || strstr(message, "stopped in on_train_batch_end"), "%s", message);
    ls_clear_error(ls);
    *weights = state_of(&t);
    return status;
}

static bool same_history(const ls_history *a, const ls_history *b)
{
    bool same = ls_history_epochs(a) == ls_history_epochs(b) && ls_history_names(a) == ls_history_names(b);
    for (size_t i = 0; same && i < ls_history_epochs(a); i++)
        same = ls_history_value(a, "loss", i) == ls_history_value(b, "loss", i) && ls_history_epoch(b, i) == (int)i;
    return same;
}

static void test_fit(ls_context *ls)
{
    ls_fingerprint_text whole, parts;
    ls_history *all = NULL, *some = NULL;
    unlink(path);
    CHECK(fit(ls, 0, 0, &whole, &all) == LS_OK && access(path, F_OK) != 0, "the file is still there");
    static const struct {
        int64_t breaks;
        int freq;
    } cases[] = {{3, 0}, {17, 0}, {30, 0}, {30, 3}, {16, 1}, {39, 4}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK(fit(ls, cases[i].breaks, cases[i].freq, &parts, &some) != LS_OK && access(path, F_OK) == 0, "did not break");
        ls_history_destroy(&some);
        CHECK(fit(ls, 0, cases[i].freq, &parts, &some) == LS_OK, "resumed");
        CHECK(strcmp(whole.text, parts.text) == 0, "broken at %d: %s, %s", (int)cases[i].breaks, parts.text, whole.text);
        CHECK(same_history(all, some), "broken at %d: another History of %zu epochs", (int)cases[i].breaks,
              ls_history_epochs(some));
        ls_history_destroy(&some);
    }
    ls_history_destroy(&all);
    CHECK(!ls_backup_and_restore({.context = ls}), "no path");
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "needs a path");
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "--train") == 0)
        return train_program(argv[2], argv[3], atoi(argv[4]));
    self = argv[0];
    make_folder(folder);
    snprintf(path, sizeof path, "%s/run.snapshot", folder);
    if (argc == 2) {
        struct device_kind kind = device_kind_of(argv[1]);
        ls_context *probe = ls_open(kind.words);
        if (ls_error(probe) != LS_OK)
            device_absent(&kind, ls_error_message(probe));
        ls_close(&probe);
        test_kill(kind.words, kind.words, 4);
        test_kill("reference", kind.words, 4);
        test_kill(kind.words, "reference", 4);
    } else {
        ls_context *ls = ls_open("reference");
        test_halves(ls);
        test_bad(ls);
        test_fit(ls);
        CHECK(ls_close(&ls) == LS_OK, "close");
        test_kill("reference", "reference", 20);
    }
    unlink(path);
    rmdir(folder);
    return end_of_checks();
}
