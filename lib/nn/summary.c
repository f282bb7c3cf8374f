/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of model.summary(), as Keras draws it without a terminal.
 */
#include <string.h>

#include <lockstep/models.h>

#include "layer.h"

enum { COLUMNS = 4, ROW_TEXT = 160 };

/* How wide the texts of each column are; the last column is there only for models with branches. */
static const int wide[COLUMNS] = {31, 22, 13, 0}, narrow[COLUMNS] = {19, 17, 10, 17};

struct out {
    const ls_model *model;
    const int *widths;
    int columns;
    void (*line)(void *user, const char *text);
    void *user;
};

/* ---- Texts ---- */

/* 1234567 -> 1,234,567 */
static void with_commas(int64_t n, char *text, size_t size)
{
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%lld", (long long)n);
    size_t used = 0;
    for (int i = 0; i < length && used + 2 < size; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            text[used++] = ',';
        text[used++] = digits[i];
    }
    text[used] = 0;
}

static void memory_text(double bytes, char *text, size_t size)
{
    static const char *const units[] = {"B", "KB", "MB", "GB", "TB", "PB"};
    size_t unit = 0;
    for (; bytes >= 1024 && unit < 5; unit++)
        bytes /= 1024;
    snprintf(text, size, "%.2f %s", bytes, units[unit]);
}

static void shape_text(const ls_layer *layer, char *text, size_t size)
{
    size_t used = 0;
    if (!layer->called) {
        snprintf(text, size, "?");
        return;
    }
    used += (size_t)snprintf(text, size, "(%s", layer->output_shape.rank ? "None" : "");
    for (int d = 1; d < layer->output_shape.rank && used < size; d++)
        used += (size_t)snprintf(text + used, size - used, ", %lld", (long long)layer->output_shape.dim[d]);
    if (used < size)
        snprintf(text + used, size - used, ")");
}

/* ---- Counting ---- */

static int64_t elements(const ls_tensor *variables, size_t count)
{
    int64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += ls_size(variables[i]);
    return sum;
}

static void count_line(const struct out *out, const char *what, int64_t count)
{
    char text[ROW_TEXT], number[40], memory[40];
    with_commas(count, number, sizeof number);
    memory_text(4 * (double)count, memory, sizeof memory);
    snprintf(text, sizeof text, " %s params: %s (%s)", what, number, memory);
    out->line(out->user, text);
}

/* ---- The table ---- */

struct border {
    const char *left, *line, *cross, *right;
};
static const struct border top = {"┏", "━", "┳", "┓"}, below_head = {"┡", "━", "╇", "┩"};
static const struct border between = {"├", "─", "┼", "┤"}, bottom = {"└", "─", "┴", "┘"};

static void append(char *text, size_t size, const char *more)
{
    size_t used = strlen(text);
    if (used < size)
        snprintf(text + used, size - used, "%s", more);
}

static void draw_border(const struct out *out, const struct border *b)
{
    char text[400] = "";
    append(text, sizeof text, b->left);
    for (int c = 0; c < out->columns; c++) {
        for (int i = 0; i < out->widths[c] + 2; i++)
            append(text, sizeof text, b->line);
        append(text, sizeof text, c + 1 < out->columns ? b->cross : b->right);
    }
    out->line(out->user, text);
}

/* How many characters of `text` go into one line: whole words, or the first word alone, however long. */
static size_t fitting(const char *text, size_t width)
{
    size_t length = strlen(text), at = width;
    if (length <= width)
        return length;
    while (at > 0 && text[at] != ' ')
        at--;
    return at ? at : strcspn(text, " ");
}

/* Draws the first `n` characters of `text`, with "…" where they do not fit. */
static void draw_cell(char *line, size_t size, const char *text, size_t n, size_t width, bool right)
{
    char cell[ROW_TEXT], padding[ROW_TEXT];
    bool cut = n > width;
    snprintf(cell, sizeof cell, "%.*s%s", (int)(cut ? width - 1 : n), text, cut ? "…" : "");
    snprintf(padding, sizeof padding, "%*s", cut ? 0 : (int)(width - n), "");
    append(line, size, right ? padding : cell);
    append(line, size, right ? cell : padding);
}

/* One line of the last column, "dense[0][0], dense[1][0],": the inputs of `layer` from `which` on that fit, or "-". True
 * when there are more of them. */
static bool connection_text(const struct out *out, const ls_layer *layer, size_t *which, char *text, size_t size)
{
    struct ls_connection from;
    bool more = ls_functional_connection(out->model, layer, *which, &from);
    snprintf(text, size, "%s", !more && *which == 0 ? "-" : "");
    *which += !more;
    while (more) {
        char piece[ROW_TEXT];
        struct ls_connection next;
        more = ls_functional_connection(out->model, layer, *which + 1, &next);
        snprintf(piece, sizeof piece, "%s%.100s[%zu][%zu]%s", *text ? " " : "", ls_layer_name(from.layer),
                 from.application, from.output, more ? "," : "");
        if (*text && strlen(text) + strlen(piece) > (size_t)out->widths[COLUMNS - 1])
            return true;
        append(text, size, piece);
        from = next;
        ++*which;
    }
    return false;
}

/* `layer` is NULL for the head, whose last cell is a text as the others. */
static void draw_row(const struct out *out, const char *bar, const char *const *cells, const ls_layer *layer)
{
    const char *rest[COLUMNS];
    bool more = true;
    size_t input = 0;
    memcpy(rest, cells, sizeof rest);
    while (more) {
        char text[500] = "", connection[ROW_TEXT];
        more = false;
        if (layer && out->columns == COLUMNS) {
            more = connection_text(out, layer, &input, connection, sizeof connection);
            rest[COLUMNS - 1] = connection;
        }
        for (int c = 0; c < out->columns; c++) {
            size_t n = fitting(rest[c], (size_t)out->widths[c]);
            append(text, sizeof text, bar);
            append(text, sizeof text, " ");
            draw_cell(text, sizeof text, rest[c], n, (size_t)out->widths[c], c == 2);
            append(text, sizeof text, " ");
            rest[c] += n;
            rest[c] += strspn(rest[c], " ");
            more = more || *rest[c];
        }
        append(text, sizeof text, bar);
        out->line(out->user, text);
    }
}

static void draw_layer(const struct out *out, ls_layer *layer)
{
    char name[ROW_TEXT], shape[ROW_TEXT], params[64];
    const ls_layer_kind *kind = layer->kind;
    ls_variables all = ls_all_variables(layer);
    snprintf(name, sizeof name, "%s (%s)", ls_layer_name(layer), kind->title ? kind->title : kind->name);
    shape_text(layer, shape, sizeof shape);
    with_commas(elements(all.items, all.count), params, sizeof params - 12);
    if (!layer->built)
        append(params, sizeof params, " (unbuilt)");
    draw_row(out, "│", (const char *const[]){name, shape, params, ""}, layer);
}

ls_status ls_summary_lines(const ls_model *model, void (*line)(void *user, const char *text), void *user)
{
    char title[ROW_TEXT];
    if (!model || !line)
        return LS_INVALID_ARGUMENT;
    bool branches = ls_functional_branches(model);
    struct out out = {model, branches ? narrow : wide, branches ? COLUMNS : COLUMNS - 1, line, user};
    snprintf(title, sizeof title, "Model: \"%s\"", ls_layer_name(model));
    line(user, title);
    draw_border(&out, &top);
    draw_row(&out, "┃", (const char *const[]){"Layer (type)", "Output Shape", "Param #", "Connected to"}, NULL);
    draw_border(&out, &below_head);
    for (size_t i = 0; i < model->part_count; i++) {
        if (i > 0)
            draw_border(&out, &between);
        draw_layer(&out, model->parts[i]);
    }
    draw_border(&out, &bottom);
    ls_layer *layer = (ls_layer *)model; /* its lists of variables are remade, nothing else */
    ls_variables all = ls_all_variables(layer), trainable = ls_trainable_variables(layer);
    int64_t total = elements(all.items, all.count), trained = elements(trainable.items, trainable.count);
    count_line(&out, "Total", total);
    count_line(&out, "Trainable", trained);
    count_line(&out, "Non-trainable", total - trained);
    return ls_error(model->context);
}

static void write_line(void *user, const char *text) { fprintf(user, "%s\n", text); }

ls_status ls_summary(const ls_model *model, FILE *file)
{
    if (!file || !model)
        return LS_INVALID_ARGUMENT;
    ls_status status = ls_summary_lines(model, write_line, file);
    if (status == LS_OK && ferror(file))
        return ls_fail(model->context, LS_FILE_ERROR, "summary of %s: the file cannot be written", ls_layer_name(model));
    return status;
}
