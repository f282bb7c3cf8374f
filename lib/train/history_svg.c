/* SPDX-License-Identifier: Apache-2.0
 *
 * A History as a picture: a panel for each number, two side by side, training solid and validation dashed.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../io/atomic.h"
#include "history.h"
#include "number.h"

/* A panel, in pixels: its size, and the margins of the plot in it. */
enum { WIDTH = 480, HEIGHT = 320, LEFT = 64, RIGHT = 16, TOP = 40, BOTTOM = 44, TICKS = 6 };

LS_PRINTF(2, 3) static void put(struct ls_atomic *save, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length > 0)
        ls_atomic_write(save, text, (size_t)length < sizeof text ? (size_t)length : sizeof text - 1);
}

static void put_escaped(struct ls_atomic *save, const char *text)
{
    for (; *text; text++) {
        if (*text == '<')
            put(save, "&lt;");
        else if (*text == '&')
            put(save, "&amp;");
        else if ((unsigned char)*text >= 0x20)
            ls_atomic_write(save, text, 1);
    }
}

/* ---- Scales ---- */

/* An axis: values low..high lie at pixels begin..end. */
struct axis {
    double low, high, step;
    double begin, end;
};

/* A step of 1, 2 or 5 times a power of ten that gives at most TICKS intervals. */
static double nice_step(double range, bool whole)
{
    double step = pow(10, floor(log10(range / TICKS)));
    if (range / step > TICKS * 5)
        step *= 10;
    else if (range / step > TICKS * 2)
        step *= 5;
    else if (range / step > TICKS)
        step *= 2;
    return whole && step < 1 ? 1 : step;
}

static struct axis make_axis(double low, double high, bool whole, double begin, double end)
{
    if (!(high > low)) {
        double room = whole ? 1 : low != 0 ? fabs(low) / 10 : 1;
        low -= room;
        high += room;
    }
    double step = nice_step(high - low, whole);
    if (!whole) { /* values end at ticks, epochs where they are */
        low = floor(low / step) * step;
        high = ceil(high / step) * step;
    }
    return (struct axis){low, high, step, begin, end};
}

static double place(const struct axis *axis, double value)
{
    return axis->begin + (axis->end - axis->begin) * ((value - axis->low) / (axis->high - axis->low));
}

/* A coordinate, to a tenth of a pixel. */
static struct ls_number at(double pixel) { return ls_number_fixed(pixel, 1); }

/* ---- A panel ---- */

/* The number and its validation, either of which may be missing. */
struct panel {
    const char *title;
    const struct ls_history_column *curves[2];
};

static void put_ticks(struct ls_atomic *save, const struct axis *x, const struct axis *y)
{
    for (double k = ceil(y->low / y->step - 1e-9); k * y->step <= y->high + y->step * 1e-9; k++) {
        struct ls_number pixel = at(place(y, k * y->step));
        put(save, "<path class=\"grid\" d=\"M%d %sH%d\"/>\n", LEFT, pixel.text, WIDTH - RIGHT);
        put(save, "<text x=\"%d\" y=\"%s\" dy=\"4\" text-anchor=\"end\">%s</text>\n", LEFT - 8, pixel.text,
            ls_number_rounded(k == 0 ? 0 : k * y->step, 6).text);
    }
    for (double k = ceil(x->low / x->step - 1e-9); k * x->step <= x->high + 1e-9; k++) {
        struct ls_number pixel = at(place(x, k * x->step));
        put(save, "<path class=\"axis\" d=\"M%s %dv5\"/>\n", pixel.text, HEIGHT - BOTTOM);
        put(save, "<text x=\"%s\" y=\"%d\" text-anchor=\"middle\">%.0f</text>\n", pixel.text, HEIGHT - BOTTOM + 19,
            k * x->step);
    }
    put(save, "<path class=\"axis\" d=\"M%d %dV%dH%d\"/>\n", LEFT, TOP, HEIGHT - BOTTOM, WIDTH - RIGHT);
    put(save, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">epoch</text>\n", (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8);
}

/* Lines between neighbours that have a value; a dot for each where there are few. */
static void put_curve(struct ls_atomic *save, const ls_history *history, const struct ls_history_column *column,
                      const char *class, const struct axis *x, const struct axis *y)
{
    bool drawing = false, dots = history->epoch_count <= 40;
    put(save, "<path class=\"%s\" d=\"", class);
    for (size_t i = 0; i < history->epoch_count; i++) {
        double value = column->values[i].value;
        if (!column->values[i].present)
            continue; /* every few epochs: the line goes on */
        if (isfinite(value))
            put(save, "%s%s %s", drawing ? "L" : "M", at(place(x, history->epochs[i] + 1)).text,
                at(place(y, value)).text);
        drawing = isfinite(value);
    }
    put(save, "\"/>\n");
    for (size_t i = 0; dots && i < history->epoch_count; i++)
        if (column->values[i].present && isfinite(column->values[i].value))
            put(save, "<circle class=\"%s\" cx=\"%s\" cy=\"%s\" r=\"2.5\"/>\n", class,
                at(place(x, history->epochs[i] + 1)).text, at(place(y, column->values[i].value)).text);
}

static void put_legend(struct ls_atomic *save, const struct panel *panel)
{
    static const char *const classes[] = {"train", "val"}, *const words[] = {"training", "validation"};
    int left = WIDTH - RIGHT;
    for (int c = 1; c >= 0; c--) {
        if (!panel->curves[c])
            continue;
        left -= c ? 100 : 86;
        put(save, "<path class=\"%s\" d=\"M%d 22h24\"/>\n<text x=\"%d\" y=\"26\">%s</text>\n", classes[c], left,
            left + 30, words[c]);
    }
}

static void put_panel(struct ls_atomic *save, const ls_history *history, const struct panel *panel, int number)
{
    double low = INFINITY, high = -INFINITY;
    for (int c = 0; c < 2; c++)
        for (size_t i = 0; panel->curves[c] && i < history->epoch_count; i++) {
            double value = panel->curves[c]->values[i].value;
            if (!panel->curves[c]->values[i].present || !isfinite(value))
                continue;
            low = value < low ? value : low;
            high = value > high ? value : high;
        }
    bool any = low <= high;
    struct axis y = make_axis(any ? low : 0, any ? high : 1, false, HEIGHT - BOTTOM, TOP);
    struct axis x = make_axis(history->epochs[0] + 1, history->epochs[history->epoch_count - 1] + 1, true, LEFT + 8,
                              WIDTH - RIGHT - 8);
    put(save, "<g transform=\"translate(%d %d)\">\n<text class=\"title\" x=\"%d\" y=\"26\">", number % 2 * WIDTH,
        number / 2 * HEIGHT, LEFT);
    put_escaped(save, panel->title);
    put(save, "</text>\n");
    put_ticks(save, &x, &y);
    for (int c = 0; c < 2; c++)
        if (panel->curves[c])
            put_curve(save, history, panel->curves[c], c ? "val" : "train", &x, &y);
    put_legend(save, panel);
    put(save, "</g>\n");
}

/* ---- The picture ---- */

static const struct ls_history_column *find(const ls_history *history, const char *prefix, const char *name)
{
    size_t length = strlen(prefix);
    for (size_t k = 0; k < history->name_count; k++)
        if (strncmp(history->columns[k].name, prefix, length) == 0 &&
            strcmp(history->columns[k].name + length, name) == 0)
            return &history->columns[k];
    return NULL;
}

/* The panel that begins with column k; false if it is in another one's. */
static bool panel_of(const ls_history *history, size_t k, struct panel *panel)
{
    const char *name = history->columns[k].name;
    bool validation = strncmp(name, "val_", 4) == 0;
    if (validation && find(history, "", name + 4))
        return false;
    *panel = (struct panel){name, {&history->columns[k], find(history, "val_", name)}};
    return true;
}

static void put_svg(struct ls_atomic *save, const ls_history *history)
{
    struct panel panel;
    int panels = 0;
    for (size_t k = 0; history->epoch_count && k < history->name_count; k++)
        panels += panel_of(history, k, &panel);
    int width = panels == 1 ? WIDTH : 2 * WIDTH, height = panels ? (panels + 1) / 2 * HEIGHT : 60;
    put(save, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
        "font-family=\"sans-serif\" font-size=\"12\" fill=\"#333\">\n", width, height, width, height);
    put(save, "<style>.title{font-size:15px;font-weight:bold}.grid{stroke:#e4e4e4}.axis{stroke:#888;fill:none}"
        ".train,.val{fill:none;stroke-width:2;stroke-linejoin:round}.train{stroke:#1f6fb4}.val{stroke:#d9630a}"
        "path.val{stroke-dasharray:6 4}circle.train{fill:#1f6fb4}circle.val{fill:#d9630a}</style>\n");
    put(save, "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n");
    int number = 0;
    for (size_t k = 0; panels && k < history->name_count; k++)
        if (panel_of(history, k, &panel))
            put_panel(save, history, &panel, number++);
    if (!panels)
        put(save, "<text x=\"20\" y=\"36\">No epoch was completed.</text>\n");
    put(save, "</svg>\n");
}

ls_status ls_history_write_svg(const ls_history *history, const char *path)
{
    return ls_history_save(history, path, put_svg);
}
