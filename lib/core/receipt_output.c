/* SPDX-License-Identifier: Apache-2.0
 *
 * The file of a receipt, and the entries that wait on the device until they are written to it.
 */
#include "receipt_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "env.h"
#include "recorder.h"

enum { WORDS = 1 << 16 };

/* ---- Opening ---- */

/* "run.lsr", then perhaps ",every=10" and ",append". */
void ls_receipt_open(ls_context *ls)
{
    const char *words = ls_env("LOCKSTEP_RECEIPT");
    if (!words)
        return;
    struct ls_receipt *r = calloc(1, sizeof *r);
    size_t length = strlen(words);
    char *path = malloc(length + 16);
    if (!r || !path) {
        free(r);
        free(path);
        ls_fail(ls, LS_OUT_OF_MEMORY, "no host memory for a receipt");
        return;
    }
    memcpy(path, words, length + 1);
    r->path = path;
    r->every = 1;
    ls->receipt = r;
    for (char *comma; (comma = strrchr(path, ',')) != NULL;) {
        char *end = NULL;
        if (strcmp(comma, ",append") == 0)
            r->append = true;
        else if (strncmp(comma, ",every=", 7) == 0) {
            r->every = strtol(comma + 7, &end, 10);
            if (r->every < 1 || *end) {
                r->failed = true;
                ls_fail(ls, LS_INVALID_ARGUMENT, "LOCKSTEP_RECEIPT=%.300s: every=N takes a number from 1 on", words);
                return;
            }
        } else if (strchr(comma, '/') || strchr(comma, '.')) {
            break; /* part of the name */
        } else {
            r->failed = true;
            ls_fail(ls, LS_INVALID_ARGUMENT,
                    "LOCKSTEP_RECEIPT=%.300s: \"%.60s\" is not understood; there are every=N and append", words,
                    comma + 1);
            return;
        }
        *comma = '\0';
    }
}

/* The first context of a process that makes a step writes to the file as named, the next to FILE.2, ... */
static void number_file(struct ls_receipt *r)
{
    static int contexts;
    int number = __atomic_add_fetch(&contexts, 1, __ATOMIC_RELAXED);
    if (number > 1)
        snprintf(r->path + strlen(r->path), 16, ".%d", number);
}

/* Why `path` cannot be continued, or NULL; whether it has a line yet, and whether its last one is cut off. */
static const char *look(const char *path, bool *begun, bool *torn)
{
    static const char magic[] = LS_RECEIPT_MAGIC "\t";
    char start[64] = "";
    FILE *file = fopen(path, "rb");
    if (!file)
        return errno == ENOENT ? NULL : strerror(errno);
    size_t size = fread(start, 1, sizeof start - 1, file);
    *begun = memchr(start, '\n', size) != NULL;
    *torn = *begun && (fseek(file, -1, SEEK_END) != 0 || fgetc(file) != '\n');
    bool is_receipt = *begun ? strncmp(start, magic, sizeof magic - 1) == 0 : strncmp(magic, start, size) == 0;
    bool unread = ferror(file) != 0;
    fclose(file);
    return unread ? "it cannot be read" : is_receipt ? NULL : "it is not a receipt that could be continued; name another file";
}

static bool refuse_file(ls_context *ls, struct ls_receipt *r, const char *why)
{
    r->failed = true;
    ls_fail(ls, LS_FILE_ERROR, "LOCKSTEP_RECEIPT: %.300s cannot be written: %s", r->path, why);
    return false;
}

bool ls_receipt_begin_file(ls_context *ls, struct ls_receipt *r)
{
    bool begun = false, torn = false;
    if (r->file)
        return true;
    number_file(r);
    const char *why = r->append ? look(r->path, &begun, &torn) : NULL;
    if (why)
        return refuse_file(ls, r, why);
    r->file = fopen(r->path, begun ? "ab" : "wb");
    if (!r->file)
        return refuse_file(ls, r, strerror(errno));
    setvbuf(r->file, NULL, _IOFBF, 1 << 16);
    if (torn)
        fputc('\n', r->file);
    return ls_receipt_head(&r->line, r->file, &ls->device->info);
}

/* ---- Layouts ---- */

static bool fits(const struct layout *layout, const struct ls_receipt_step *step, size_t losses)
{
    if (!ls_receipt_same(layout->iterations, step->iterations) || layout->count != step->count ||
        layout->losses != losses)
        return false;
    for (size_t i = 0; i < step->count; i++)
        if (!ls_receipt_same(layout->variables[i], step->variables[i]) ||
            layout->has_gradient[i] == ls_is_nil(step->applied[i]))
            return false;
    return true;
}

static bool write_layout(struct ls_receipt *r, const struct layout *layout, const struct counted *optimizer)
{
    char text[600];
    ls_receipt_begin(&r->line, "layout");
    ls_receipt_number(&r->line, (int64_t)r->layout_count);
    snprintf(text, sizeof text, optimizer->number > 1 ? "%s %d" : "%s", optimizer->name, optimizer->number);
    ls_receipt_field(&r->line, text);
    for (size_t i = 0; i < layout->losses; i++) {
        snprintf(text, sizeof text, i ? "loss %zu" : "loss", i + 1);
        ls_receipt_field(&r->line, text);
    }
    for (size_t i = 0; i < layout->count; i++) {
        snprintf(text, sizeof text, "gradient of %.500s", ls_name(layout->variables[i]));
        if (layout->has_gradient[i])
            ls_receipt_field(&r->line, text);
    }
    for (size_t i = 0; i < layout->count; i++)
        ls_receipt_field(&r->line, ls_name(layout->variables[i]));
    return ls_receipt_write(&r->line, r->file);
}

bool ls_receipt_layout(struct ls_receipt *r, const struct ls_receipt_step *step, size_t losses,
                       const struct counted *optimizer, size_t *number)
{
    for (*number = r->layout_count; (*number)-- > 0;)
        if (fits(&r->layouts[*number], step, losses))
            return true;
    struct layout new = {.iterations = step->iterations, .losses = losses, .count = step->count};
    struct layout *more = realloc(r->layouts, (r->layout_count + 1) * sizeof *more);
    new.variables = malloc((step->count + 1) * sizeof *new.variables);
    new.has_gradient = malloc((step->count + 1) * sizeof *new.has_gradient);
    if (more)
        r->layouts = more;
    if (!more || !new.variables || !new.has_gradient) {
        free(new.variables);
        free(new.has_gradient);
        return false;
    }
    new.words = 1 + 2 * (losses + step->count);
    for (size_t i = 0; i < step->count; i++) {
        new.variables[i] = step->variables[i];
        new.has_gradient[i] = !ls_is_nil(step->applied[i]);
        new.words += 2 * new.has_gradient[i];
    }
    bool good = write_layout(r, &new, optimizer);
    *number = r->layout_count;
    r->layouts[r->layout_count++] = new;
    return good;
}

/* ---- Entries ---- */

static bool write_entries(ls_context *ls, struct ls_receipt *r)
{
    uint32_t *words = malloc(r->used * sizeof *words + 1);
    bool good = words && (r->used == 0 || ls->device->backend->read(ls->device, r->words->buffer, 0, words,
                                                                    r->used * sizeof *words) == LS_OK);
    for (size_t e = 0; e < r->entry_count && good; e++) {
        const uint32_t *at = words + r->entries[e].at;
        ls_receipt_begin(&r->line, "step");
        ls_receipt_number(&r->line, (int64_t)r->entries[e].layout);
        ls_receipt_number(&r->line, (int32_t)at[0]);
        for (size_t i = 1; i < r->layouts[r->entries[e].layout].words; i += 2)
            ls_receipt_digest(&r->line, at[i], at[i + 1]);
        good = ls_receipt_write(&r->line, r->file);
        r->written += good;
    }
    free(words);
    r->used = r->entry_count = 0;
    return good && fflush(r->file) == 0;
}

void ls_receipt_give_up(ls_context *ls, struct ls_receipt *r)
{
    r->failed = true;
    ls_say(ls, LS_LOG_ERROR, "LOCKSTEP_RECEIPT: %.300s cannot be written after %lld steps", r->path,
           (long long)r->written);
}

int64_t ls_receipt_reserve(ls_context *ls, struct ls_receipt *r, size_t layout)
{
    size_t need = r->layouts[layout].words;
    if (r->used + need > WORDS && !write_entries(ls, r)) {
        ls_receipt_give_up(ls, r);
        return -1;
    }
    if (!r->words || r->used + need > r->words->bytes / 4) {
        struct ls_pool *pool = ls->current_pool;
        if (r->words)
            ls_storage_release(ls, r->words);
        ls->current_pool = &ls->pool;
        r->words = ls_storage_new(ls, LS_INT32, (int64_t)(need > WORDS ? need : WORDS));
        ls->current_pool = pool;
    }
    if (!r->words || !ls_reserve((void **)&r->entries, r->entry_count, &r->entry_capacity, sizeof *r->entries)) {
        ls_receipt_give_up(ls, r);
        return -1;
    }
    r->entries[r->entry_count++] = (struct entry){layout, r->used};
    r->used += need;
    return (int64_t)(r->used - need);
}

/* ---- Closing ---- */

static bool end_file(ls_context *ls, struct ls_receipt *r)
{
    bool lost = ls->device->lost; /* and with it what was gathered: the file stays without its end */
    bool good = !r->failed && (lost || write_entries(ls, r));
    if (good && !lost) {
        ls_receipt_begin(&r->line, "end");
        ls_receipt_number(&r->line, r->written);
        good = ls_receipt_write(&r->line, r->file);
    }
    return fclose(r->file) == 0 && good;
}

ls_status ls_receipt_close(ls_context *ls)
{
    struct ls_receipt *r = ls->receipt;
    if (!r)
        return LS_OK;
    bool good = !r->file || end_file(ls, r);
    for (int i = 0; i < REMEMBERED; i++)
        ls_receipt_forget_call(ls, &r->calls[i]);
    if (r->words)
        ls_storage_release(ls, r->words);
    for (size_t i = 0; i < r->layout_count; i++) {
        free(r->layouts[i].variables);
        free(r->layouts[i].has_gradient);
    }
    ls_status status = good ? LS_OK : ls_fail(ls, LS_FILE_ERROR, "LOCKSTEP_RECEIPT: %.300s is not complete", r->path);
    free(r->layouts);
    free(r->optimizers);
    free(r->entries);
    free(r->assigned);
    free(r->line.text);
    free(r->path);
    free(r);
    ls->receipt = NULL;
    return status;
}
