/* SPDX-License-Identifier: Apache-2.0
 *
 * The progress bar, character by character as keras/src/utils/progbar.py draws it. The comments give
 * the reasons that are not in Keras' source.
 */
#define _POSIX_C_SOURCE 200809L

#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <lockstep/progress.h>

#include "../core/internal.h"
#include "progress.h"

enum { WIDTH = 20 };
static const double interval = 0.05; /* seconds between two drawings */

struct shown {
    char *name;
    double value;
};

struct ls_progress {
    ls_context *context;
    ls_progress_options options;

    int64_t steps; /* <= 0: unknown */
    double start, last_drawn, after_first_step;
    bool drawn, first_step_done;
    int previous_width; /* columns of the line that is on the screen */
    struct shown *shown;
    size_t shown_count;

    char *text; /* the message that is being put together */
    size_t length, capacity;
};

/* ---- Text ---- */

static void put(ls_progress *bar, const char *text, size_t length)
{
    if (bar->length + length > bar->capacity) {
        size_t capacity = 2 * bar->capacity > bar->length + length ? 2 * bar->capacity : bar->length + length + 256;
        char *grown = realloc(bar->text, capacity);
        if (!grown) {
            ls_fail(bar->context, LS_OUT_OF_MEMORY, "progress: no host memory for a line");
            return;
        }
        bar->text = grown;
        bar->capacity = capacity;
    }
    memcpy(bar->text + bar->length, text, length);
    bar->length += length;
}

static void put_text(ls_progress *bar, const char *text) { put(bar, text, strlen(text)); }

static void put_times(ls_progress *bar, const char *text, int times)
{
    while (times-- > 0)
        put_text(bar, text);
}

LS_PRINTF(2, 3) static void put_format(ls_progress *bar, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length > 0)
        put(bar, text, (size_t)length < sizeof text ? (size_t)length : sizeof text - 1);
}

/* A number with a point, whatever the program's locale writes. */
static void put_number(ls_progress *bar, const char *format, double value)
{
    char text[400];
    const char *point = localeconv()->decimal_point;
    if (isnan(value)) {
        put_text(bar, "nan");
        return;
    }
    snprintf(text, sizeof text, format, value);
    char *found = strstr(text, point);
    if (!found || strcmp(point, ".") == 0) {
        put_text(bar, text);
        return;
    }
    put(bar, text, (size_t)(found - text));
    put_text(bar, ".");
    put_text(bar, found + strlen(point));
}

/* The columns that bytes from `begin` on take: escape sequences none, a UTF-8 character one. */
static int columns(const ls_progress *bar, size_t begin)
{
    int count = 0;
    bool escape = false;
    for (size_t i = begin; i < bar->length; i++) {
        unsigned char c = (unsigned char)bar->text[i];
        if (c == '\x1b')
            escape = true;
        else if (escape)
            escape = c != 'm';
        else
            count += (c & 0xc0) != 0x80;
    }
    return count;
}

static void write_out(ls_progress *bar)
{
    if (bar->options.file) {
        fwrite(bar->text, 1, bar->length, bar->options.file);
        fflush(bar->options.file);
    } else if (bar->options.write) {
        bar->options.write(bar->options.user, bar->text, bar->length);
    }
    bar->length = 0;
}

/* ---- Making and releasing ---- */

static void forget_values(ls_progress *bar)
{
    for (size_t i = 0; i < bar->shown_count; i++)
        free(bar->shown[i].name);
    bar->shown_count = 0;
}

static void free_progress(void *object)
{
    ls_progress *bar = object;
    forget_values(bar);
    free(bar->shown);
    free(bar->text);
    free(bar);
}

static double now(const ls_progress *bar)
{
    if (bar->options.clock)
        return bar->options.clock(bar->options.user);
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

ls_progress *ls_progress_create_with(const ls_progress_options *options)
{
    if (!options)
        return ls_no_options("progress_create");
    ls_context *ls = options->context;
    if (!ls || ls_failed(ls))
        return NULL;
    ls_progress *bar = calloc(1, sizeof *bar);
    if (!bar || ls_own(ls, bar, free_progress) != LS_OK) {
        free(bar);
        ls_fail(ls, LS_OUT_OF_MEMORY, "progress: no host memory for a bar");
        return NULL;
    }
    bar->context = ls;
    bar->options = *options;
    if (options->style == LS_PROGRESS_AUTO) {
        bool terminal = options->file && isatty(fileno(options->file));
        bar->options.style = terminal ? LS_PROGRESS_TERMINAL : LS_PROGRESS_LINES;
    }
    bar->start = now(bar);
    return bar;
}

void ls_progress_print(ls_progress *bar, const char *text)
{
    put_text(bar, text);
    put_text(bar, "\n");
    write_out(bar);
}

void ls_progress_destroy(ls_progress **bar)
{
    if (!bar || !*bar)
        return;
    ls_disown((*bar)->context, *bar);
    free_progress(*bar);
    *bar = NULL;
}

/* ---- Drawing ---- */

void ls_progress_begin(ls_progress *bar, int epoch, int epochs, int64_t steps)
{
    if (!bar)
        return;
    forget_values(bar);
    bar->steps = steps;
    bar->drawn = bar->first_step_done = false;
    bar->previous_width = 0;
    bar->start = now(bar);
    if (epochs > 1) {
        put_format(bar, "Epoch %d/%d\n", epoch + 1, epochs);
        write_out(bar);
    }
}

bool ls_progress_due(const ls_progress *bar)
{
    return bar && bar->options.style != LS_PROGRESS_SUMMARY && (!bar->drawn || now(bar) - bar->last_drawn >= interval);
}

/* Keras leaves out the first step, which is not like the others, once there are others. */
static double seconds_per_step(ls_progress *bar, int64_t step, double time)
{
    if (step <= 0)
        return 0;
    double seconds = bar->first_step_done && step > 1 ? (time - bar->after_first_step) / (double)(step - 1)
                                                      : (time - bar->start) / (double)step;
    if (step == 1) {
        bar->first_step_done = true;
        bar->after_first_step = time;
    }
    return seconds;
}

void ls_progress_show(ls_progress *bar, const char *name, double value)
{
    for (size_t i = 0; i < bar->shown_count; i++)
        if (strcmp(bar->shown[i].name, name) == 0) {
            bar->shown[i].value = value;
            return;
        }
    size_t size = strlen(name) + 1;
    struct shown *shown = realloc(bar->shown, (bar->shown_count + 1) * sizeof *shown);
    bar->shown = shown ? shown : bar->shown;
    char *copy = shown ? malloc(size) : NULL;
    if (!copy) {
        ls_fail(bar->context, LS_OUT_OF_MEMORY, "progress: no host memory for one more value");
        return;
    }
    memcpy(copy, name, size);
    bar->shown[bar->shown_count++] = (struct shown){copy, value};
}

static void put_values(ls_progress *bar)
{
    bool summary = bar->options.style == LS_PROGRESS_SUMMARY;
    for (size_t i = 0; i < bar->shown_count; i++) {
        double value = bar->shown[i].value;
        put_text(bar, " - ");
        put_text(bar, bar->shown[i].name);
        put_text(bar, ": ");
        /* Keras' summary line tests the value itself, so negative ones come as powers of ten. */
        put_number(bar, (summary ? value : fabs(value)) > 1e-3 ? "%.4f" : "%.4e", value);
    }
}

static void put_step_time(ls_progress *bar, double seconds)
{
    if (seconds >= 1 || seconds == 0)
        put_format(bar, " %.0fs/step", seconds);
    else if (seconds >= 1e-3)
        put_format(bar, " %.0fms/step", seconds * 1e3);
    else
        put_format(bar, " %.0fus/step", seconds * 1e6);
}

static void put_remaining(ls_progress *bar, double seconds)
{
    int64_t whole = (int64_t)seconds;
    int hours = (int)(whole / 3600), minutes = (int)(whole % 3600 / 60), rest = (int)(whole % 60);
    if (seconds > 3600)
        put_format(bar, " \x1b[1m%d:%02d:%02d\x1b[0m", hours, minutes, rest);
    else if (seconds > 60)
        put_format(bar, " \x1b[1m%d:%02d\x1b[0m", minutes, rest);
    else
        put_format(bar, " \x1b[1m%ds\x1b[0m", (int)whole);
}

static int digits_of(int64_t number)
{
    int digits = 1;
    while (number >= 10) {
        number /= 10;
        digits++;
    }
    return digits;
}

static void draw_line(ls_progress *bar, int64_t step, double time, double per_step, bool last)
{
    if (bar->options.style == LS_PROGRESS_TERMINAL) {
        put_times(bar, "\b", bar->previous_width);
        put_text(bar, "\r");
    } else {
        put_text(bar, "\n");
    }
    size_t begin = bar->length;
    if (bar->steps > 0) {
        int done = (int)(WIDTH * ((double)step / (double)bar->steps));
        put_format(bar, "\x1b[1m%*lld/%lld\x1b[0m ", digits_of(bar->steps), (long long)step, (long long)bar->steps);
        if (done > 0) {
            put_text(bar, "\x1b[32m");
            put_times(bar, "\u2501", done);
            put_text(bar, "\x1b[0m");
        }
        put_text(bar, "\x1b[37m");
        put_times(bar, "\u2501", WIDTH - done);
        put_text(bar, "\x1b[0m");
    } else {
        put_format(bar, "%7lld/Unknown", (long long)step);
    }
    if (bar->steps > 0 && !last)
        put_remaining(bar, per_step * (double)(bar->steps - step));
    else
        put_format(bar, " \x1b[1m%.0fs\x1b[0m", time - bar->start);
    put_step_time(bar, per_step);
    put_values(bar);
    int width = columns(bar, begin);
    put_times(bar, " ", bar->previous_width - width);
    bar->previous_width = width;
    if (last)
        put_text(bar, "\n");
}

static void draw_summary(ls_progress *bar, int64_t step, double time, double per_step)
{
    put_format(bar, "%*lld/%lld - %.0fs -", digits_of(bar->steps), (long long)step, (long long)bar->steps,
               time - bar->start);
    put_step_time(bar, per_step);
    put_values(bar);
    put_text(bar, "\n");
}

void ls_progress_advance(ls_progress *bar, int64_t step, bool drawing, bool last)
{
    bool summary = bar->options.style == LS_PROGRESS_SUMMARY;
    if (summary && !last) /* nor does Keras note then how long the first step took */
        return;
    double time = now(bar), per_step = seconds_per_step(bar, step, time);
    if (last && bar->steps <= 0)
        bar->steps = step;
    if (summary) {
        draw_summary(bar, step, time, per_step);
    } else if (drawing) {
        draw_line(bar, step, time, per_step, last);
        bar->drawn = true;
        bar->last_drawn = time;
    }
    if (bar->length > 0)
        write_out(bar);
}

void ls_progress_draw(ls_progress *bar, int64_t step, const ls_progress_value *values, size_t count, bool last)
{
    if (!bar)
        return;
    for (size_t i = 0; i < count; i++)
        ls_progress_show(bar, values[i].name, values[i].value);
    ls_progress_advance(bar, step, last || ls_progress_due(bar), last);
}

void ls_progress_draw_metrics(ls_progress *bar, int64_t step, ls_metric *const *metrics, bool last)
{
    if (!bar || ls_failed(bar->context))
        return;
    bool drawing = last || ls_progress_due(bar);
    for (; *metrics && drawing; metrics++) {
        double value = (double)ls_result(*metrics);
        if (ls_failed(bar->context))
            return;
        ls_progress_show(bar, ls_metric_name(*metrics), value);
    }
    ls_progress_advance(bar, step, drawing, last);
}
