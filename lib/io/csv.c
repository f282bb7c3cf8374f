/* SPDX-License-Identifier: Apache-2.0
 *
 * CSV: RFC 4180, numbers only.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/internal.h"
#include "csv.h"
#include "input.h"

enum { MOST_FIELD = 1 << 16, MOST_COLUMNS = 1 << 16, CHUNK = 1 << 14 };
static const int64_t most_bytes = INT64_C(1) << 31;

struct reader {
    struct ls_input in;
    char delimiter;
    unsigned char chunk[CHUNK];
    size_t at, filled;
    int64_t line; /* the current one, from 1, as an editor counts */
    char *field;  /* the last that was read, with a NUL */
    size_t length, room;
    bool quoted; /* it was in quotes */
};

/* What a column is for. */
enum { UNUSED = -1, LABEL = -2 };

struct columns {
    char **names;
    int64_t count, room;
    int64_t *place; /* of x, or UNUSED or LABEL */
    int64_t used;   /* columns of x */
};

/* ---- Characters and fields ---- */

/* The next character; -1 at the end, -2 on an error. */
static int next_char(struct reader *r)
{
    if (r->at == r->filled) {
        r->at = 0;
        if (ls_input_read(&r->in, r->chunk, sizeof r->chunk, &r->filled) != LS_OK)
            return -2;
        if (r->filled == 0)
            return -1;
    }
    return r->chunk[r->at++];
}

static ls_status bad(struct reader *r, const char *what)
{
    return ls_fail(r->in.ls, LS_BAD_FILE, "%s: line %lld: %s", r->in.path, (long long)r->line, what);
}

static bool add_char(struct reader *r, int c)
{
    if (c == '\0')
        return bad(r, "contains a NUL; is it text?") == LS_OK;
    if (r->length + 1 >= r->room) {
        size_t room = r->room ? 2 * r->room : 64;
        char *grown = room <= MOST_FIELD ? realloc(r->field, room) : NULL;
        if (!grown)
            return (room > MOST_FIELD ? bad(r, "has a field of more than 64 KiB; is a quote not closed?")
                                      : ls_fail(r->in.ls, LS_OUT_OF_MEMORY, "%s: no host memory", r->in.path)) == LS_OK;
        r->field = grown;
        r->room = room;
    }
    r->field[r->length++] = (char)c;
    r->field[r->length] = '\0';
    return true;
}

/* After a quoted part: what ended it. -2 on an error. */
static int read_quoted(struct reader *r)
{
    for (;;) {
        int c = next_char(r);
        if (c == '"') {
            c = next_char(r);
            if (c != '"')
                return c;
        } else if (c == -1) {
            bad(r, "ends inside quotes");
            return -2;
        }
        r->line += c == '\n';
        if (c == -2 || !add_char(r, c))
            return -2;
    }
}

/* Reads a field. Returns what ended it: the delimiter, '\n', -1 for the end of the file, -2 for an error. */
static int read_field(struct reader *r)
{
    r->length = 0;
    if (!add_char(r, ' ')) /* so that there is memory */
        return -2;
    r->field[r->length = 0] = '\0';
    int c = next_char(r);
    r->quoted = c == '"';
    if (r->quoted)
        c = read_quoted(r);
    while (c >= 0 && c != r->delimiter && c != '\n' && c != '\r') {
        if (r->quoted || c == '"') {
            bad(r, r->quoted ? "has something after a closing quote"
                             : "has a quote inside a field; quote the whole field");
            return -2;
        }
        if (!add_char(r, c))
            return -2;
        c = next_char(r);
    }
    if (c == '\r' && (c = next_char(r)) != '\n' && c != -2) {
        bad(r, "has a carriage return that does not end the line");
        return -2;
    }
    return c;
}

static void skip_byte_order_mark(struct reader *r)
{
    if (next_char(r) == -2)
        return;
    r->at = r->filled >= 3 && memcmp(r->chunk, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

/* ---- Columns ---- */

static bool add_column(struct reader *r, struct columns *columns, const char *name)
{
    if (columns->count == columns->room) {
        int64_t room = columns->room ? 2 * columns->room : 16;
        char **grown = room <= MOST_COLUMNS ? realloc(columns->names, (size_t)room * sizeof *grown) : NULL;
        if (!grown)
            return (room > MOST_COLUMNS
                        ? bad(r, "has more than 65536 columns")
                        : ls_fail(r->in.ls, LS_OUT_OF_MEMORY, "%s: no host memory", r->in.path)) == LS_OK;
        columns->names = grown;
        columns->room = room;
    }
    char *copy = malloc(strlen(name) + 1);
    if (!copy)
        return ls_fail(r->in.ls, LS_OUT_OF_MEMORY, "%s: no host memory", r->in.path) == LS_OK;
    columns->names[columns->count++] = strcpy(copy, name);
    return true;
}

/* The column of that name, of which there must be one. */
static int64_t find(struct reader *r, const struct columns *columns, const char *name)
{
    int64_t found = -1;
    char list[256] = "";
    for (int64_t i = 0; i < columns->count; i++) {
        size_t length = strlen(list);
        snprintf(list + length, sizeof list - length, "%s%s", i ? ", " : "", columns->names[i]);
        if (strcmp(columns->names[i], name) != 0)
            continue;
        if (found >= 0) {
            ls_fail(r->in.ls, LS_BAD_FILE, "%s: two columns are called \"%s\"", r->in.path, name);
            return -1;
        }
        found = i;
    }
    if (found < 0)
        ls_fail(r->in.ls, LS_NOT_FOUND, "%s: there is no column \"%s\"; there are: %s", r->in.path, name, list);
    return found;
}

/* Decides what each column is for. */
static ls_status assign(struct reader *r, const ls_csv_options *options, struct columns *columns)
{
    columns->place = malloc((size_t)columns->count * sizeof *columns->place + 1);
    if (!columns->place)
        return ls_fail(r->in.ls, LS_OUT_OF_MEMORY, "%s: no host memory", r->in.path);
    for (int64_t i = 0; i < columns->count; i++)
        columns->place[i] = UNUSED;
    for (const char *const *name = options->columns; name && *name; name++) {
        int64_t i = find(r, columns, *name);
        if (i >= 0 && columns->place[i] != UNUSED)
            ls_fail(r->in.ls, LS_INVALID_ARGUMENT, "dataset_from_csv: the column \"%s\" is named twice", *name);
        if (ls_failed(r->in.ls))
            return ls_error(r->in.ls);
        columns->place[i] = columns->used++;
    }
    int64_t label = options->label ? find(r, columns, options->label) : -1;
    if (ls_failed(r->in.ls))
        return ls_error(r->in.ls);
    for (int64_t i = 0; i < columns->count; i++) {
        if (i == label && columns->place[i] != UNUSED)
            return ls_fail(r->in.ls, LS_INVALID_ARGUMENT,
                           "dataset_from_csv: the label \"%s\" is among the columns of x", options->label);
        if (i == label)
            columns->place[i] = LABEL;
        else if (!options->columns)
            columns->place[i] = columns->used++;
    }
    return LS_OK;
}

/* ---- Numbers ---- */

static bool is_decimal(const char *text)
{
    const char *digits = text + (*text == '+' || *text == '-');
    return strspn(text, "+-.0123456789eE") == strlen(text) || strcmp(digits, "nan") == 0 ||
           strcmp(digits, "NaN") == 0 || strcmp(digits, "inf") == 0 || strcmp(digits, "Inf") == 0;
}

/* The field without the spaces around it. */
static const char *trimmed(struct reader *r)
{
    while (r->length > 0 && strchr(" \t", r->field[r->length - 1]))
        r->field[--r->length] = '\0';
    return r->field + strspn(r->field, " \t");
}

static ls_status no_number(struct reader *r, const char *text, const char *column, const char *what)
{
    return ls_fail(r->in.ls, LS_BAD_FILE, "%s: line %lld, column \"%s\": \"%.40s\" %s", r->in.path, (long long)r->line,
                   column, text, what);
}

static ls_status parse_float(struct reader *r, const char *column, bool missing_is_nan, float *value)
{
    const char *text = trimmed(r);
    char *end;
    if (!*text && missing_is_nan) {
        *value = nanf("");
        return LS_OK;
    }
    if (!*text || !is_decimal(text))
        return no_number(r, text, column, *text ? "is not a number" : "is empty; .missing_is_nan reads it as NaN");
    *value = strtof(text, &end);
    if (*end)
        return no_number(r, text, column, "is not a number");
    return isinf(*value) && !strchr(text, 'f') ? no_number(r, text, column, "does not fit float32") : LS_OK;
}

static ls_status parse_int(struct reader *r, const char *column, int32_t *value)
{
    const char *text = trimmed(r);
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (!*text || *end || errno || number < INT32_MIN || number > INT32_MAX)
        return no_number(r, text, column, "is no int32; .float_label reads it as float32");
    *value = (int32_t)number;
    return LS_OK;
}

/* ---- Lines ---- */

static bool grow(struct reader *r, struct ls_csv *csv, int64_t *room)
{
    if (csv->lines < *room)
        return true;
    int64_t wanted = *room ? 2 * *room : 256, bytes;
    if (!ls_checked_mul(4 * wanted, csv->columns, &bytes) || bytes > most_bytes || 4 * wanted > most_bytes)
        return ls_fail(r->in.ls, LS_OVERFLOW, "%s: more than 2 GiB of numbers", r->in.path) == LS_OK;
    float *x = realloc(csv->x, (size_t)bytes + 1);
    csv->x = x ? x : csv->x;
    void *y = x ? realloc(csv->y, 4 * (size_t)wanted) : NULL;
    csv->y = y ? y : csv->y;
    if (!y)
        return ls_fail(r->in.ls, LS_OUT_OF_MEMORY, "%s: no host memory for %lld lines", r->in.path,
                       (long long)wanted) == LS_OK;
    *room = wanted;
    return true;
}

/* Puts the field at hand where it belongs. */
static ls_status store(struct reader *r, const ls_csv_options *options, const struct columns *columns, int64_t column,
                       struct ls_csv *csv)
{
    int64_t place = columns->place[column];
    const char *name = columns->names[column];
    if (place == UNUSED)
        return LS_OK;
    if (place != LABEL)
        return parse_float(r, name, options->missing_is_nan, &csv->x[csv->lines * csv->columns + place]);
    if (options->float_label)
        return parse_float(r, name, false, (float *)csv->y + csv->lines);
    return parse_int(r, name, (int32_t *)csv->y + csv->lines);
}

/* Reads a line whose first field is at hand, ended by `ended`. */
static int read_line(struct reader *r, const ls_csv_options *options, const struct columns *columns, int ended,
                     struct ls_csv *csv)
{
    int64_t column = 0;
    for (;;) {
        if (column < columns->count && store(r, options, columns, column, csv) != LS_OK)
            return -2;
        column++;
        if (ended != r->delimiter)
            break;
        if ((ended = read_field(r)) == -2)
            return -2;
    }
    if (column == columns->count)
        return ended;
    ls_fail(r->in.ls, LS_BAD_FILE, "%s: line %lld has %lld fields, not %lld as the first line", r->in.path,
            (long long)r->line, (long long)column, (long long)columns->count);
    return -2;
}

/* The names of the columns. Without a header the first line is read again. */
static ls_status read_names(struct reader *r, const ls_csv_options *options, struct columns *columns)
{
    int ended;
    do {
        ended = read_field(r);
        char number[24];
        snprintf(number, sizeof number, "%lld", (long long)columns->count);
        if (ended == -2 || !add_column(r, columns, options->no_header ? number : r->field))
            return ls_error(r->in.ls);
    } while (ended == r->delimiter);
    r->line += ended == '\n';
    return LS_OK;
}

static ls_status read_lines(struct reader *r, const ls_csv_options *options, const struct columns *columns,
                            struct ls_csv *csv)
{
    int64_t room = 0;
    csv->columns = columns->used;
    for (int ended = '\n'; ended == '\n'; r->line += ended == '\n') {
        ended = read_field(r);
        bool blank = r->length == 0 && !r->quoted && (ended == '\n' || ended == -1);
        if (ended == -2 ||
            (!blank && (!grow(r, csv, &room) || (ended = read_line(r, options, columns, ended, csv)) == -2)))
            return ls_error(r->in.ls);
        csv->lines += !blank;
    }
    return LS_OK;
}

static ls_status open_reader(struct reader *r, const ls_csv_options *options)
{
    memset(r, 0, sizeof *r);
    r->delimiter = options->delimiter ? options->delimiter : ',';
    r->line = 1;
    if (ls_input_open(&r->in, options->context, options->path) != LS_OK)
        return ls_error(options->context);
    skip_byte_order_mark(r);
    return ls_error(options->context);
}

static void close_reader(struct reader *r)
{
    ls_input_close(&r->in);
    free(r->field);
}

static ls_status load(struct reader *r, const ls_csv_options *options, struct columns *columns, struct ls_csv *csv)
{
    ls_status status = open_reader(r, options);
    if (status == LS_OK)
        status = read_names(r, options, columns);
    if (status == LS_OK && options->no_header) {
        close_reader(r);
        status = open_reader(r, options);
    }
    if (status == LS_OK)
        status = assign(r, options, columns);
    return status == LS_OK ? read_lines(r, options, columns, csv) : status;
}

ls_status ls_csv_load(const ls_csv_options *options, struct ls_csv *csv)
{
    ls_context *ls = options->context;
    memset(csv, 0, sizeof *csv);
    struct reader *r = malloc(sizeof *r);
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    struct columns columns = {0};
    if (r && c) {
        r->in.fd = -1;
        r->field = NULL;
        locale_t before = uselocale(c); /* of this thread only: numbers have points, not commas */
        load(r, options, &columns, csv);
        uselocale(before);
        close_reader(r);
    } else {
        ls_fail(ls, LS_OUT_OF_MEMORY, "%s: no host memory to read it", options->path);
    }
    for (int64_t i = 0; i < columns.count; i++)
        free(columns.names[i]);
    free(columns.names);
    free(columns.place);
    free(r);
    if (c)
        freelocale(c);
    if (ls_failed(ls)) {
        free(csv->x);
        free(csv->y);
        memset(csv, 0, sizeof *csv);
    }
    return ls_error(ls);
}
