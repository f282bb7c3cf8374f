/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads a receipt for `lockstep compare`: lines, their checks, layouts and steps.
 */
#include "receipt.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "receipt_file.h"

static bool wrong(const struct receipt *r, const char *what)
{
    if (r->line > 0)
        fprintf(stderr, "lockstep: compare: %s, line %ld: %s\n", r->path, r->line, what);
    else
        fprintf(stderr, "lockstep: compare: %s %s\n", r->path, what);
    return false;
}

static bool grow(void **items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return true;
    size_t more = *capacity ? 2 * *capacity : 64;
    void *grown = realloc(*items, more * size);
    if (!grown) {
        fprintf(stderr, "lockstep: compare: no memory\n");
        return false;
    }
    *items = grown;
    *capacity = more;
    return true;
}

/* ---- Reading ---- */

static char *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    size_t capacity = 0;
    *size = 0;
    for (bool more = file != NULL; more;) {
        char *grown = realloc(text, capacity = 2 * capacity + 65536);
        if (!grown)
            break;
        text = grown;
        size_t got = fread(text + *size, 1, capacity - *size - 1, file);
        *size += got;
        more = got > 0 && *size >= sizeof LS_RECEIPT_MAGIC && memcmp(text, LS_RECEIPT_MAGIC, sizeof LS_RECEIPT_MAGIC - 1) == 0;
    }
    if (text)
        text[*size] = '\0';
    if (file)
        fclose(file);
    return text;
}

static void unescape(char *field)
{
    char *to = field;
    for (; *field; field++) {
        if (field[0] == '\\' && field[1])
            *to++ = *++field == 't' ? '\t' : *field == 'n' ? '\n' : *field;
        else
            *to++ = *field;
    }
    *to = '\0';
}

/* Cuts the line into fields; the check, which is the last, is left out. */
static bool split(char *line, struct fields *fields)
{
    size_t count = 0;
    for (const char *c = line; *c; c++)
        count += *c == '\t';
    fields->at = malloc((count + 1) * sizeof *fields->at);
    fields->count = 0;
    if (!fields->at)
        return false;
    while (fields->count < count) {
        char *tab = strchr(line, '\t');
        *tab = '\0';
        unescape(line);
        fields->at[fields->count++] = line;
        line = tab + 1;
    }
    return true;
}

static bool is_checked(const char *line, size_t length)
{
    char check[16];
    if (length < 9 || line[length - 9] != '\t')
        return false;
    snprintf(check, sizeof check, "%08" PRIx32, ls_receipt_check(line, length - 9));
    return memcmp(check, line + length - 8, 8) == 0;
}

static bool is_number(const char *text, int64_t *number)
{
    char *end;
    *number = strtoll(text, &end, 10);
    return *text && !*end;
}

static struct run *last_run(const struct receipt *r) { return &r->runs[r->run_count - 1]; }

static bool take_head(struct receipt *r, const struct fields *f)
{
    if (strcmp(f->at[1], "1") != 0)
        return wrong(r, "a receipt of a newer version of Lockstep");
    if (!grow((void **)&r->runs, r->run_count, &r->run_capacity, sizeof *r->runs))
        return false;
    r->runs[r->run_count++] = (struct run){.first_layout = r->layout_count, .first_step = r->step_count};
    return true;
}

static bool take_layout(struct receipt *r, const struct fields *f)
{
    int64_t number;
    if (f->count < 3 || !is_number(f->at[1], &number) || number != (int64_t)(r->layout_count - last_run(r)->first_layout))
        return wrong(r, "a layout out of order");
    if (!grow((void **)&r->layouts, r->layout_count, &r->layout_capacity, sizeof(struct layout *)))
        return false;
    struct layout *layout = malloc(sizeof *layout);
    if (!layout)
        return false;
    *layout = (struct layout){{f->at + 3, f->count - 3}, f->at[2]};
    r->layouts[r->layout_count++] = layout;
    return true;
}

static bool take_step(struct receipt *r, const struct fields *f)
{
    int64_t layout, number;
    size_t first = last_run(r)->first_layout;
    if (f->count < 3 || !is_number(f->at[1], &layout) || !is_number(f->at[2], &number) || layout < 0 ||
        layout >= (int64_t)(r->layout_count - first) || !last_run(r)->class)
        return wrong(r, "a step of no layout");
    struct layout *of = r->layouts[first + (size_t)layout];
    if (f->count - 3 != of->tensors.count)
        return wrong(r, "a step with another number of digests than its layout has tensors");
    if (!grow((void **)&r->steps, r->step_count, &r->step_capacity, sizeof *r->steps))
        return false;
    r->steps[r->step_count] = (struct step){of, r->run_count - 1, number, r->step_count, {f->at + 3, f->count - 3}};
    r->step_count++;
    return true;
}

static bool take_end(struct receipt *r, const struct fields *f)
{
    int64_t steps;
    if (f->count != 2 || !is_number(f->at[1], &steps) || steps != (int64_t)(r->step_count - last_run(r)->first_step))
        return wrong(r, "the end of another number of steps than there are: some are missing");
    return r->ended = true;
}

static bool take_line(struct receipt *r, const struct fields *f)
{
    const char *kind = f->at[0];
    if (strcmp(kind, LS_RECEIPT_MAGIC) == 0 && f->count == 2) {
        r->ended = false;
        return take_head(r, f);
    }
    if (r->run_count == 0)
        return wrong(r, "not the head of a receipt");
    if (r->ended)
        return wrong(r, "something behind the end");
    struct run *run = last_run(r);
    if (strcmp(kind, "library") == 0 && f->count == 4) {
        run->version = f->at[1];
        run->canon = f->at[3];
    } else if (strcmp(kind, "device") == 0 && f->count == 5 && run->canon) {
        run->device = f->at[1];
        run->name = f->at[2];
        run->driver = f->at[3];
        run->class = f->at[4];
    } else if (strcmp(kind, "layout") == 0) {
        return take_layout(r, f);
    } else if (strcmp(kind, "step") == 0) {
        return take_step(r, f);
    } else if (strcmp(kind, "end") == 0) {
        return take_end(r, f);
    } else {
        return wrong(r, "not a line of a receipt");
    }
    return true;
}

/* A line that was being written when its run was killed: behind it another run continues the file. */
static bool pass_over(const struct receipt *r, const char *next)
{
    if (r->run_count == 0 || strncmp(next, LS_RECEIPT_MAGIC "\t", sizeof LS_RECEIPT_MAGIC) != 0)
        return false;
    fprintf(stderr, "lockstep: compare: %s, line %ld: passed over: a run was killed while it wrote it, or it is damaged\n",
            r->path, r->line);
    return true;
}

static bool take_lines(struct receipt *r, size_t size, bool partial)
{
    char *end, *line = r->text;
    for (r->line = 1; line < r->text + size; line = end + 1, r->line++) {
        struct fields fields;
        end = memchr(line, '\n', size - (size_t)(line - r->text));
        if (!end && partial)
            break;
        if (!end)
            return wrong(r, "the file is cut off here; --partial compares what there is");
        *end = '\0';
        if (strlen(line) != (size_t)(end - line) || !is_checked(line, (size_t)(end - line))) {
            if (pass_over(r, end + 1))
                continue;
            return wrong(r, "the line is damaged");
        }
        if (!grow((void **)&r->fields, r->field_count, &r->field_capacity, sizeof *r->fields) || !split(line, &fields))
            return false;
        r->fields[r->field_count++] = fields.at;
        if (!take_line(r, &fields))
            return false;
    }
    r->line = 0;
    return true;
}

bool receipt_load(struct receipt *r, const char *path, bool partial)
{
    size_t size;
    *r = (struct receipt){.path = path};
    r->text = read_file(path, &size);
    if (!r->text)
        return wrong(r, "cannot be read");
    if (strncmp(r->text, LS_RECEIPT_MAGIC "\t", sizeof LS_RECEIPT_MAGIC) != 0)
        return wrong(r, "is not a receipt of LOCKSTEP_RECEIPT");
    if (!take_lines(r, size, partial))
        return false;
    if (r->run_count == 0 || !last_run(r)->class)
        return wrong(r, "is cut off before its first step");
    if (!r->ended && !partial)
        return wrong(r, "has no end: it is cut off, or its program did not come to ls_close; --partial compares what there is");
    return true;
}

void receipt_unload(struct receipt *r)
{
    for (size_t i = 0; i < r->field_count; i++)
        free(r->fields[i]);
    for (size_t i = 0; i < r->layout_count; i++)
        free(r->layouts[i]);
    free(r->fields);
    free(r->runs);
    free(r->layouts);
    free(r->steps);
    free(r->text);
}
