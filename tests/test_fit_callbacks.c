/* SPDX-License-Identifier: Apache-2.0
 *
 * Callbacks: their decisions and messages against those of Keras' own (golden/keras/callbacks.golden), and the files
 * that they write.
 */
#define _XOPEN_SOURCE 700

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

/* ---- A model whose weight is the number of the epoch ---- */

enum { MOST = 32 };

struct stage {
    ls_context *ls;
    ls_model *model;
    ls_tensor x, y, kernel;
    double values[MOST];
    bool given[MOST];
    int count;
    double rates[MOST];
    char saved[4096], messages[8192];
    int ran;
};

static ls_status set_scene(void *user, const ls_event *event)
{
    struct stage *s = user;
    ls_assign(s->kernel, ls_fill(s->ls, LS_SHAPE(1, 1), (float)event->epoch));
    if (s->given[event->epoch])
        ls_logs_set(event->logs, "watched", s->values[event->epoch]);
    return LS_OK;
}

static ls_status note_rate(void *user, const ls_event *event)
{
    struct stage *s = user;
    s->rates[event->epoch] = (double)ls_learning_rate(ls_model_optimizer(event->model));
    s->ran = event->epoch + 1;
    return LS_OK;
}

static ls_status note_save(void *user, ls_model *model, const char *path)
{
    struct stage *s = user;
    (void)model;
    if (s->saved[0])
        strcat(s->saved, ",");
    strcat(s->saved, path);
    return LS_OK;
}

/* Messages as the golden has them: a tab before each, line ends as \n. */
static void note_message(void *user, const char *text, size_t length)
{
    struct stage *s = user;
    size_t used = strlen(s->messages);
    s->messages[used++] = '\t';
    for (size_t i = 0; i + 1 < length && used + 3 < sizeof s->messages; i++) {
        if (text[i] == '\n')
            s->messages[used++] = '\\';
        s->messages[used++] = text[i] == '\n' ? 'n' : text[i];
    }
    s->messages[used] = '\0';
}

static void open_stage(struct stage *s)
{
    memset(s, 0, sizeof *s);
    s->ls = ls_open("reference");
    s->model = ls_sequential(s->ls, "model", (ls_layer *[]){ls_dense(s->ls, 1, .no_bias = true), NULL});
    s->x = ls_ones(s->ls, LS_FLOAT32, LS_SHAPE(1, 1));
    s->y = ls_ones(s->ls, LS_FLOAT32, LS_SHAPE(1, 1));
    ls_build(s->model, LS_SHAPE(1, 1));
    s->kernel = ls_all_variables(s->model).items[0];
    ls_compile(s->model, ls_sgd(s->ls, .learning_rate = 0.5f), {ls_mean_squared_error_with});
}

static void perform(struct stage *s, ls_callback *callback)
{
    ls_callback *before = ls_lambda_callback(s->ls, .user = s, .on_epoch_end = set_scene);
    ls_callback *after = ls_lambda_callback(s->ls, .user = s, .on_epoch_end = note_rate);
    ls_fit(s->model, .x = s->x, .y = s->y, .epochs = s->count, .callbacks = LS_CALLBACKS(before, callback, after),
           .progress.write = note_message, .progress.user = s);
}

/* ---- Cases ---- */

/* What stands behind " name=" of a line, in memory of the call before next. */
static const char *option(const char *line, const char *name)
{
    static char texts[4][4096];
    static int turn;
    char *text = texts[turn++ % 4], key[64];
    snprintf(key, sizeof key, " %s=", name);
    const char *found = strstr(line, key);
    size_t length = found ? strcspn(found + strlen(key), " \t\n") : 0;
    memcpy(text, found ? found + strlen(key) : "", length);
    text[length] = '\0';
    return text;
}

static double number(const char *line, const char *name) { return atof(option(line, name)); }

static ls_monitor_mode mode(const char *line)
{
    return strcmp(option(line, "mode"), "max") == 0 ? LS_MODE_MAX : LS_MODE_MIN;
}

static double or_none(const char *line, const char *name)
{
    return strcmp(option(line, name), "none") == 0 ? 0 : number(line, name);
}

static bool read_values(struct stage *s, char *values)
{
    for (char *word = strtok(values, " "); word; word = strtok(NULL, " "), s->count++) {
        s->given[s->count] = strcmp(word, "-") != 0;
        s->values[s->count] = s->given[s->count] ? strtod(word, NULL) : 0;
    }
    return s->count > 0 && s->count <= MOST;
}

static bool same(double a, double b) { return a == b || (isnan(a) && isnan(b)); }

static void check_early_stopping(struct stage *s, const char *line, const char *result)
{
    ls_callback *c = ls_early_stopping(s->ls, "watched", .mode = mode(line), .min_delta = number(line, "min_delta"),
                                       .patience = (int)number(line, "patience"), .baseline = or_none(line, "baseline"),
                                       .start_from_epoch = (int)number(line, "start"), .verbose = 1,
                                       .restore_best_weights = number(line, "restore") != 0);
    perform(s, c);
    static const char *const kept[] = {"stopped_epoch", "best_epoch"};
    for (int i = 0; i < 2; i++)
        CHECK(ls_callback_number(c, kept[i]) == number(result, kept[i]), "%s is %g: %s", kept[i],
              ls_callback_number(c, kept[i]), line);
    double best = strcmp(option(result, "best"), "-") == 0 ? NAN : number(result, "best");
    CHECK(same(ls_callback_number(c, "best"), best), "best is %g: %s", ls_callback_number(c, "best"), line);
    CHECK(s->ran == (int)number(result, "ran"), "ran %d: %s", s->ran, line);
    CHECK((double)ls_item(s->kernel) == number(result, "weights"), "weights %g: %s", (double)ls_item(s->kernel), line);
}

static void check_reduce_lr(struct stage *s, const char *line, const char *result)
{
    double delta = number(line, "min_delta");
    ls_callback *c = ls_reduce_lr_on_plateau(s->ls, "watched", .mode = mode(line), .factor = number(line, "factor"),
                                             .patience = (int)number(line, "patience"), .min_delta = delta,
                                             .cooldown = (int)number(line, "cooldown"),
                                             .min_lr = number(line, "min_lr"), .verbose = 1);
    perform(s, c);
    CHECK(ls_callback_number(c, "wait") == number(result, "wait"), "wait %g: %s", ls_callback_number(c, "wait"), line);
    const char *rate = option(result, "rates");
    for (int i = 0; i < s->count; i++, rate += strcspn(rate, ",") + 1)
        CHECK(s->rates[i] == atof(rate), "rate %g in epoch %d: %s", s->rates[i], i, line);
}

static void check_checkpoint(struct stage *s, const char *line, const char *result)
{
    char path[256], expected[4096];
    snprintf(path, sizeof path, "%s", strstr(line, " path=") + 6);
    *strstr(path, " mode=") = '\0';
    snprintf(expected, sizeof expected, "%s", strstr(result, "saved=") + 6);
    expected[strcspn(expected, "\t\n")] = '\0';
    perform(s,
            ls_model_checkpoint(s->ls, path, "watched", .mode = mode(line), .verbose = 1,
                                .save_best_only = number(line, "best_only") != 0,
                                .initial_value_threshold = or_none(line, "threshold"), .save = note_save, .user = s));
    CHECK(strcmp(s->saved, expected) == 0, "saved %s: %s", s->saved, line);
}

static void check_case(char *line)
{
    struct stage s;
    char *values = strstr(line, " : "), *result = values ? strstr(values, " -> ") : NULL;
    if (line[0] == '#' || !result)
        return;
    line[strcspn(line, "\n")] = '\0';
    open_stage(&s);
    char copy[4096];
    snprintf(copy, sizeof copy, "%.*s", (int)(result - values - 3), values + 3);
    CHECK(read_values(&s, copy), "values: %s", line);
    *values = '\0';
    result += 3;
    if (strncmp(line, "early", 5) == 0)
        check_early_stopping(&s, line, result);
    else if (strncmp(line, "reduce", 6) == 0)
        check_reduce_lr(&s, line, result);
    else
        check_checkpoint(&s, line, result);
    const char *messages = strchr(result, '\t');
    CHECK(strcmp(s.messages, messages ? messages : "") == 0, "%s\n  said    %s\n  and not %s", line, s.messages,
          messages ? messages : "nothing");
    CHECK(ls_error(s.ls) == LS_OK, "%s: %s", line, ls_error_message(s.ls));
    ls_close(&s.ls);
}

static void test_goldens(const char *folder)
{
    char path[1024], line[8192];
    snprintf(path, sizeof path, "%s/callbacks.golden", folder);
    FILE *file = fopen(path, "r");
    int cases = 0;
    CHECK(file != NULL, "%s cannot be read", path);
    for (; file && fgets(line, sizeof line, file); cases++)
        check_case(line);
    if (file)
        fclose(file);
    CHECK(cases > 100, "%d cases", cases);
}

/* ---- Which way is better ---- */

static void test_modes(void)
{
    struct stage s;
    open_stage(&s);
    s.count = 1;
    perform(&s, ls_early_stopping(s.ls, "watched"));
    CHECK_ERROR(s.ls, LS_INVALID_ARGUMENT, "nobody knows whether watched is better");
    perform(&s, ls_early_stopping(s.ls, "loss"));
    CHECK(ls_error(s.ls) == LS_OK, "%s", ls_error_message(s.ls));
    ls_metric *accuracy = ls_accuracy(s.ls, "accuracy");
    ls_compile(s.model, ls_sgd(s.ls), {ls_mean_squared_error_with}, .metrics = LS_METRICS(accuracy));
    ls_callback *up = ls_early_stopping(s.ls, "accuracy", .patience = 1);
    s.count = 3;
    perform(&s, up);
    CHECK(ls_error(s.ls) == LS_OK && s.ran == 2, "%d epochs without a larger accuracy", s.ran);
    CHECK(ls_reduce_lr_on_plateau(s.ls, .factor = 1.5) == NULL, "factor");
    CHECK_ERROR(s.ls, LS_INVALID_ARGUMENT, "factor is 1.5");
    CHECK(isnan(ls_callback_number(up, "nothing")) && strcmp(ls_callback_number_name(up, 0), "wait") == 0, "numbers");
    ls_close(&s.ls);
}

/* ---- The learning rate by epoch, NaN ---- */

static double halve(void *user, int epoch, double rate)
{
    (void)user;
    return epoch ? rate / 2 : rate;
}

static double no_number(void *user, int epoch, double rate)
{
    (void)user, (void)epoch;
    return rate * NAN;
}

static void test_scheduler(void)
{
    struct stage s;
    open_stage(&s);
    s.count = 3;
    perform(&s, ls_learning_rate_scheduler(s.ls, halve, .verbose = 1));
    CHECK(s.rates[0] == 0.5 && s.rates[1] == 0.25 && s.rates[2] == 0.125, "%g %g", s.rates[1], s.rates[2]);
    CHECK(strstr(s.messages, "\\nEpoch 2: LearningRateScheduler setting learning rate to 0.25."), "%s", s.messages);
    perform(&s, ls_learning_rate_scheduler(s.ls, no_number));
    CHECK_ERROR(s.ls, LS_INVALID_ARGUMENT, "must be a finite number");
    ls_compile(s.model, ls_sgd(s.ls, .schedule = ls_exponential_decay(0.1f, 10, 0.5f, false)),
               {ls_mean_squared_error_with});
    perform(&s, ls_learning_rate_scheduler(s.ls, halve));
    CHECK_ERROR(s.ls, LS_INVALID_ARGUMENT, "schedule");
    ls_close(&s.ls);
}

static void test_nan(void)
{
    struct stage s;
    open_stage(&s);
    s.count = 5;
    s.x = ls_fill(s.ls, LS_SHAPE(1, 1), INFINITY);
    perform(&s, ls_terminate_on_nan(s.ls));
    CHECK(s.ran == 1 && strcmp(s.messages, "\tBatch 0: Invalid loss, terminating training") == 0, "%d epochs%s", s.ran,
          s.messages);
    perform(&s, ls_terminate_on_nan(s.ls, .raise_error = true));
    CHECK_ERROR(s.ls, LS_NOT_FINITE, "NaN or Inf loss encountered at batch 0");
    ls_close(&s.ls);
}

/* ---- Files ---- */

static char folder[] = "/tmp/lockstep-callbacks-XXXXXX";

static char *in_folder(const char *name)
{
    static char paths[8][256];
    static int turn;
    char *path = paths[turn++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static const char *contents(const char *path)
{
    static char text[65536];
    FILE *file = fopen(path, "rb");
    size_t length = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file)
        fclose(file);
    text[length] = '\0';
    return text;
}

static void test_csv_logger(void)
{
    struct stage s;
    open_stage(&s);
    s.count = 3;
    s.given[0] = s.given[2] = true;
    s.values[0] = 0.1;
    s.values[2] = 1e-7;
    ls_assign(s.kernel, ls_ones(s.ls, LS_FLOAT32, LS_SHAPE(1, 1)));
    char *path = in_folder("log.csv");
    perform(&s, ls_csv_logger(s.ls, path));
    const char *text = contents(path);
    CHECK(strcmp(text, "epoch,loss,watched,val_loss,val_watched\r\n0,0.0,0.1,NA,NA\r\n1,1.0,NA,NA,NA\r\n"
                       "2,0.0,1e-07,NA,NA\r\n") == 0, "%s", text);
    s.count = 1;
    perform(&s, ls_csv_logger(s.ls, path, ";", .append = true));
    text = contents(path);
    CHECK(strstr(text, "2,0.0,1e-07,NA,NA\r\n0;") && !strstr(text, "epoch;"), "%s", text);
    perform(&s, ls_csv_logger(s.ls, in_folder("no such folder/log.csv")));
    CHECK_ERROR(s.ls, LS_FILE_ERROR, "no such folder/log.csv cannot be opened");
    perform(&s, ls_csv_logger(s.ls, "/dev/full"));
    CHECK_ERROR(s.ls, LS_FILE_ERROR, "/dev/full cannot be written");
    CHECK(ls_csv_logger(s.ls, path, "--") == NULL, "separator");
    CHECK_ERROR(s.ls, LS_INVALID_ARGUMENT, "one character");
    ls_close(&s.ls);
}

static void test_checkpoint_files(void)
{
    struct stage s;
    open_stage(&s);
    s.count = 2;
    ls_model_checkpoint_options o = {.context = s.ls, .path = "b{batch}e{epoch}", .save_freq = 2, .save = note_save,
                                     .user = &s};
    perform(&s, ls_model_checkpoint_with(&o));
    CHECK(strcmp(s.saved, "b1e2") == 0, "%s", s.saved); /* two epochs of one batch */
    s.saved[0] = '\0';
    o.path = "{val_acc:.2f}";
    o.save_freq = 0;
    perform(&s, ls_model_checkpoint_with(&o));
    CHECK_ERROR(s.ls, LS_INVALID_ARGUMENT, "there is no number for \"{val_acc:.2f}\"");
    o.path = "{loss:x}";
    perform(&s, ls_model_checkpoint_with(&o));
    CHECK_ERROR(s.ls, LS_INVALID_ARGUMENT, "not understood");
    o.path = in_folder("made/for/it/{{w}}.bin");
    perform(&s, ls_model_checkpoint_with(&o));
    CHECK(strstr(s.saved, "/made/for/it/{w}.bin") && access(in_folder("made/for/it"), F_OK) == 0, "%s", s.saved);
    CHECK(ls_model_checkpoint(s.ls, "weights.bin") == NULL, "suffix");
    CHECK_ERROR(s.ls, LS_INVALID_ARGUMENT, "weights.bin ends neither with .weights.h5 nor with .safetensors");

    /* The weights of the best epoch, which is the second: the kernel is the number of the epoch. */
    s.count = 3;
    for (int i = 0; i < 3; i++)
        s.given[i] = true, s.values[i] = i == 1 ? 0.5 : 1;
    perform(&s, ls_model_checkpoint(s.ls, in_folder("best.safetensors"), "watched", .mode = LS_MODE_MIN,
                                    .save_best_only = true));
    CHECK((double)ls_item(s.kernel) == 2, "%g", (double)ls_item(s.kernel));
    CHECK(ls_load_weights(s.model, in_folder("best.safetensors"), .optimizer = ls_model_optimizer(s.model)) == LS_OK &&
          (double)ls_item(s.kernel) == 1, "%s", ls_error_message(s.ls));
    perform(&s, ls_model_checkpoint(s.ls, in_folder("log.csv/best.safetensors")));
    CHECK(ls_error(s.ls) == LS_FILE_ERROR || ls_error(s.ls) == LS_NOT_FOUND, "%s", ls_error_message(s.ls));
    ls_clear_error(s.ls);
    ls_close(&s.ls);
}

static void test_history_files(void)
{
    struct stage s;
    ls_history *history = NULL;
    open_stage(&s);
    ls_assign(s.kernel, ls_ones(s.ls, LS_FLOAT32, LS_SHAPE(1, 1)));
    s.given[0] = s.given[1] = true;
    s.values[0] = NAN;
    s.values[1] = 0.30000000000000004;
    ls_callback *scene = ls_lambda_callback(s.ls, .user = &s, .on_epoch_end = set_scene);
    ls_fit(s.model, .x = s.x, .y = s.y, .epochs = 2, .validation_x = s.x, .validation_y = s.y, .validation_freq = 2,
           .callbacks = LS_CALLBACKS(scene), .history = &history);
    ls_history_write_csv(history, in_folder("h.csv"));
    const char *text = contents(in_folder("h.csv"));
    CHECK(strcmp(text, "epoch,loss,watched,val_loss\n0,0.0,nan,\n1,1.0,0.30000000000000004,0.0\n") == 0, "%s", text);
    ls_history_write_json(history, in_folder("h.json"));
    text = contents(in_folder("h.json"));
    CHECK(strcmp(text, "{\"epoch\": [0, 1], \"history\": {\"loss\": [0.0, 1.0], \"watched\": [null, "
                       "0.30000000000000004], \"val_loss\": [0.0]}}\n") == 0, "%s", text);
    ls_history_write_svg(history, in_folder("h.svg"));
    text = contents(in_folder("h.svg"));
    int panels = 0, curves = 0;
    for (const char *c = text; (c = strstr(c, "<g ")); c++)
        panels++;
    for (const char *c = text; (c = strstr(c, "<circle")); c++)
        curves++;
    CHECK(panels == 2 && curves == 4 && strstr(text, ">validation</text>") && strstr(text, "</svg>"),
          "%d panels, %d dots", panels, curves);
    CHECK(!strstr(text, "nan") && !strstr(text, "inf"), "%s", text);
    ls_history_write_svg(history, in_folder("no such folder/h.svg"));
    CHECK_ERROR(s.ls, LS_NOT_FOUND, "no such folder");
    ls_history_destroy(&history);
    CHECK(history == NULL, "destroyed");
    ls_close(&s.ls);
}

/* Whether the one event file in a folder has a series of that name. */
static bool board_has(const char *which, const char *tag)
{
    char command[512];
    snprintf(command, sizeof command, "cat %s/board/%s/events.out.tfevents.*.v2 | grep -aq '%s'", folder, which, tag);
    return system(command) == 0;
}

static void test_tensorboard(void)
{
    struct stage s;
    open_stage(&s);
    ls_fit(s.model, .x = s.x, .y = s.y, .epochs = 2, .validation_x = s.x, .validation_y = s.y,
           .callbacks = LS_CALLBACKS(ls_tensorboard(s.ls, in_folder("board"), .histogram_freq = 1, .update_freq = 1,
                                                    .write_steps_per_second = true)));
    CHECK(ls_error(s.ls) == LS_OK, "%s", ls_error_message(s.ls));
    static const char *const train[] = {"epoch_loss", "epoch_learning_rate", "epoch_steps_per_second", "batch_loss",
                                        "batch_steps_per_second", "model/dense/kernel/histogram"};
    static const char *const validation[] = {"epoch_loss", "evaluation_loss_vs_iterations"};
    for (int i = 0; i < 6; i++)
        CHECK(board_has("train", train[i]), "no %s", train[i]);
    for (int i = 0; i < 2; i++)
        CHECK(board_has("validation", validation[i]), "no %s", validation[i]);
    CHECK(!board_has("train", "val_loss") && !board_has("validation", "learning_rate"), "folders are mixed up");
    ls_close(&s.ls);
}

int main(int argc, char **argv)
{
    if (!mkdtemp(folder))
        return 1;
    test_goldens(argc > 1 ? argv[1] : "tests/golden/keras");
    test_modes();
    test_scheduler();
    test_nan();
    test_csv_logger();
    test_checkpoint_files();
    test_history_files();
    test_tensorboard();
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) ? 1 : end_of_checks();
}
