/* SPDX-License-Identifier: Apache-2.0
 *
 * The progress bar against what keras.utils.Progbar of Keras 3.15 wrote for the same calls and the
 * same clock. Escape sequences and runs of one character are written short: <b> bold, <g> green,
 * <w> white, <.> end of these, <r> carriage return, <20 bar> and <41 back> so many bars and backspaces.
 */
#include <locale.h>
#include <math.h>
#include <string.h>

#include "check.h"

struct screen {
    char text[8192];
    size_t length;
    double time;
};

static void write_screen(void *user, const char *text, size_t length)
{
    struct screen *screen = user;
    if (screen->length + length >= sizeof screen->text)
        length = sizeof screen->text - 1 - screen->length;
    memcpy(screen->text + screen->length, text, length);
    screen->length += length;
    screen->text[screen->length] = '\0';
}

static double read_clock(void *user) { return ((struct screen *)user)->time; }

/* The screen's text in the short form. */
static const char *shorten(const char *text)
{
    static char out[8192];
    static const char *const names[][2] = {
        {"\x1b[1m", "<b>"}, {"\x1b[32m", "<g>"}, {"\x1b[37m", "<w>"}, {"\x1b[0m", "<.>"}, {"\r", "<r>"}};
    static const char *const runs[][2] = {{"\u2501", "bar"}, {"\b", "back"}};
    size_t used = 0;
    while (*text && used + 32 < sizeof out) {
        const char *start = text;
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            if (strncmp(text, names[i][0], strlen(names[i][0])) == 0) {
                used += (size_t)sprintf(out + used, "%s", names[i][1]);
                text += strlen(names[i][0]);
                break;
            }
        for (size_t i = 0; i < 2; i++) {
            int count = 0;
            for (; strncmp(text, runs[i][0], strlen(runs[i][0])) == 0; count++)
                text += strlen(runs[i][0]);
            if (count)
                used += (size_t)sprintf(out + used, "<%d %s>", count, runs[i][1]);
        }
        if (text == start)
            out[used++] = *text++;
    }
    out[used] = '\0';
    return out;
}

/* A call at some time, with at most three values. */
struct call {
    double time;
    int64_t step;
    ls_progress_value values[3];
    bool last;
};

static const struct bar {
    const char *name;
    ls_progress_style style;
    int epoch, epochs;
    int64_t steps;
    struct call calls[5];
    const char *expected;
} bars[] = {
    {"terminal", LS_PROGRESS_TERMINAL, 1, 3, 12,
     {{0.5, 1, {{"accuracy", 0.1}, {"loss", 2.3456}}, false},
      {0.52, 2, {{"accuracy", 0.2}, {"loss", 2.2}}, false},
      {0.7, 5, {{"accuracy", 0.34567}, {"loss", 0.0009}}, false},
      {0.9, 7, {{"accuracy", 0.5}, {"loss", -0.5}}, false},
      {1.5, 12, {{"accuracy", 0.75}, {"loss", 0.125}, {"val_loss", 0.00001}}, true}},
     "Epoch 2/3\n"
     "<r><b> 1/12<.> <g><1 bar><.><w><19 bar><.> <b>5s<.> 500ms/step - accuracy: 0.1000 - loss: 2.3456"
     "<74 back><r><b> 5/12<.> <g><8 bar><.><w><12 bar><.> <b>0s<.> 50ms/step - accuracy: 0.3457 - loss: 9.0000e-04"
     "<77 back><r><b> 7/12<.> <g><11 bar><.><w><9 bar><.> <b>0s<.> 67ms/step - accuracy: 0.5000 - loss: -0.5000   "
     "<74 back><r><b>12/12<.> <g><20 bar><.><w><.> <b>2s<.> 91ms/step - accuracy: 0.7500 - loss: 0.1250 - "
     "val_loss: 1.0000e-05\n"},
    {"lines", LS_PROGRESS_LINES, 0, 1, 12,
     {{0.5, 1, {{"accuracy", 0.1}, {"loss", 2.3456}}, false},
      {0.52, 2, {{"accuracy", 0.2}, {"loss", 2.2}}, false},
      {0.7, 5, {{"accuracy", 0.34567}, {"loss", 0.0009}}, false},
      {0.9, 7, {{"accuracy", 0.5}, {"loss", -0.5}}, false},
      {1.5, 12, {{"accuracy", 0.75}, {"loss", 0.125}, {"val_loss", 0.00001}}, true}},
     "\n<b> 1/12<.> <g><1 bar><.><w><19 bar><.> <b>5s<.> 500ms/step - accuracy: 0.1000 - loss: 2.3456"
     "\n<b> 5/12<.> <g><8 bar><.><w><12 bar><.> <b>0s<.> 50ms/step - accuracy: 0.3457 - loss: 9.0000e-04"
     "\n<b> 7/12<.> <g><11 bar><.><w><9 bar><.> <b>0s<.> 67ms/step - accuracy: 0.5000 - loss: -0.5000   "
     "\n<b>12/12<.> <g><20 bar><.><w><.> <b>2s<.> 91ms/step - accuracy: 0.7500 - loss: 0.1250 - "
     "val_loss: 1.0000e-05\n"},
    {"summary", LS_PROGRESS_SUMMARY, 0, 3, 12,
     {{0.5, 1, {{"accuracy", 0.1}, {"loss", 2.3456}}, false},
      {1.5, 12, {{"accuracy", 0.75}, {"loss", -0.125}}, true}},
     "Epoch 1/3\n12/12 - 2s - 125ms/step - accuracy: 0.7500 - loss: -1.2500e-01\n"},
    {"unknown", LS_PROGRESS_TERMINAL, 0, 1, 0,
     {{0.1, 1, {{"loss", NAN}}, false}, {0.2, 2, {{"loss", INFINITY}}, false}, {0.35, 3, {{"loss", 1}}, true}},
     "<r>      1/Unknown <b>0s<.> 100ms/step - loss: nan<41 back><r>      2/Unknown <b>0s<.> 100ms/step - loss: inf"
     "<41 back><r><b>3/3<.> <g><20 bar><.><w><.> <b>0s<.> 125ms/step - loss: 1.0000\n"},
    {"hours", LS_PROGRESS_TERMINAL, 0, 1, 100000,
     {{2, 1, {{"loss", 1}}, false},
      {4, 2, {{"loss", 1}}, false},
      {4.5, 99000, {{"loss", 1}}, false},
      {70, 99999, {{"loss", 1}}, false},
      {200000, 100000, {{"loss", 1}}, true}},
     "<r><b>     1/100000<.> <w><20 bar><.> <b>55:33:18<.> 2s/step - loss: 1.0000"
     "<66 back><r><b>     2/100000<.> <w><20 bar><.> <b>55:33:16<.> 2s/step - loss: 1.0000"
     "<66 back><r><b> 99000/100000<.> <g><19 bar><.><w><1 bar><.> <b>0s<.> 25us/step - loss: 1.0000    "
     "<62 back><r><b> 99999/100000<.> <g><19 bar><.><w><1 bar><.> <b>0s<.> 680us/step - loss: 1.0000"
     "<63 back><r><b>100000/100000<.> <g><20 bar><.><w><.> <b>200000s<.> 2s/step - loss: 1.0000\n"},
    {"minutes", LS_PROGRESS_TERMINAL, 0, 1, 100,
     {{2, 1, {{0}}, false}, {4, 2, {{0}}, false}, {4.06, 60, {{0}}, false}, {104, 100, {{0}}, true}},
     "<r><b>  1/100<.> <w><20 bar><.> <b>3:18<.> 2s/step<41 back><r><b>  2/100<.> <w><20 bar><.> <b>3:16<.> 2s/step"
     "<41 back><r><b> 60/100<.> <g><12 bar><.><w><8 bar><.> <b>1s<.> 35ms/step"
     "<41 back><r><b>100/100<.> <g><20 bar><.><w><.> <b>104s<.> 1s/step\n"},
};

static void test_bar(ls_context *ls, const struct bar *test)
{
    static struct screen screen;
    screen = (struct screen){.time = 1000};
    ls_progress *bar = ls_progress_create(ls, NULL, test->style, .write = write_screen, .clock = read_clock,
                                          .user = &screen);
    ls_progress_begin(bar, test->epoch, test->epochs, test->steps);
    bool ended = false;
    for (int c = 0; c < 5 && !ended; c++) {
        const struct call *call = &test->calls[c];
        size_t count = 0;
        while (count < 3 && call->values[count].name)
            count++;
        screen.time = 1000 + call->time;
        ls_progress_draw(bar, call->step, call->values, count, call->last);
        ended = call->last;
    }
    CHECK(strcmp(shorten(screen.text), test->expected) == 0, "%s:\n%s\ninstead of\n%s", test->name,
          shorten(screen.text), test->expected);
    ls_progress_destroy(&bar);
}

/* Metrics are read only when the bar is drawn. */
static void test_metrics(ls_context *ls)
{
    static struct screen screen;
    screen = (struct screen){.time = 5};
    ls_progress *bar =
        ls_progress_create(ls, NULL, LS_PROGRESS_LINES, .write = write_screen, .clock = read_clock, .user = &screen);
    ls_metric *loss = ls_mean_metric(ls, "loss");
    ls_progress_begin(bar, 0, 1, 4);
    ls_update_state(loss, ls_scalar(ls, 2));
    ls_progress_update(bar, 1, loss);
    uint64_t before = ls_get_stats(ls).dispatches;
    ls_progress_update(bar, 2, loss);
    CHECK(ls_get_stats(ls).dispatches == before, "an update that draws nothing asked the device");
    screen.time += 1;
    ls_update_state(loss, ls_scalar(ls, 4));
    ls_progress_update(bar, 3, loss);
    ls_progress_end(bar, 4, loss);
    CHECK(strcmp(shorten(screen.text), "\n<b>1/4<.> <g><5 bar><.><w><15 bar><.> <b>0s<.> 0s/step - loss: 2.0000"
                                       "\n<b>3/4<.> <g><15 bar><.><w><5 bar><.> <b>0s<.> 500ms/step - loss: 3.0000"
                                       "\n<b>4/4<.> <g><20 bar><.><w><.> <b>1s<.> 333ms/step - loss: 3.0000\n") == 0,
          "%s", shorten(screen.text));
    ls_progress_destroy(&bar);
    ls_progress_update(NULL, 1, loss);
    ls_metric_destroy(&loss);
}

int main(int argc, char **argv)
{
    ls_context *ls = ls_open(argc > 1 ? argv[1] : "reference");
    static const char *const locales[] = {"C", "de_DE.UTF-8", "de_DE"};
    for (size_t l = 0; l < sizeof locales / sizeof *locales; l++) {
        if (!setlocale(LC_ALL, locales[l]))
            continue;
        for (size_t i = 0; i < sizeof bars / sizeof *bars; i++)
            test_bar(ls, &bars[i]);
    }
    LS_SCOPE(ls)
        test_metrics(ls);
    CHECK(ls_error(ls) == LS_OK, "%s", ls_error_message(ls));
    CHECK(ls_close(&ls) == LS_OK, "close");
    return end_of_checks();
}
