/* SPDX-License-Identifier: Apache-2.0
 *
 * The table, and the trace in the Trace Event Format that chrome://tracing and ui.perfetto.dev read.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profile.h"

/* ---- The files ---- */

static ls_status fail(struct ls_message *message, const char *path, const char *why, int code)
{
    snprintf(message->text, sizeof message->text, "LOCKSTEP_PROFILE: %.300s %s: %s", path, why, strerror(code));
    return LS_FILE_ERROR;
}

ls_status ls_profile_open(struct profile *p, const char *name, struct ls_message *message)
{
    static const char *const suffix[] = {"txt", "json"};
    static int devices;
    char numbered[16] = "";
    if (p->file[0])
        return LS_OK;
    if (p->number == 0)
        p->number = __atomic_add_fetch(&devices, 1, __ATOMIC_RELAXED);
    if (p->number > 1)
        snprintf(numbered, sizeof numbered, ".%d", p->number);
    for (int i = 0; i < 2; i++) {
        size_t length = (size_t)snprintf(p->path[i], sizeof p->path[i], "%s%s.%s", name, numbered, suffix[i]);
        p->file[i] = length < sizeof p->path[i] ? fopen(p->path[i], "w") : NULL;
        if (p->file[i])
            continue;
        ls_status status = fail(message, p->path[i], "cannot be written",
                                length < sizeof p->path[i] ? errno : ENAMETOOLONG);
        if (i == 1)
            fclose(p->file[0]);
        p->file[0] = NULL;
        return status;
    }
    return LS_OK;
}

/* ---- Calls ---- */

static bool grow(void **items, size_t need, size_t *capacity, size_t size)
{
    if (need <= *capacity)
        return true;
    size_t more = 2 * need + 64;
    void *grown = realloc(*items, more * size);
    if (grown) {
        *items = grown;
        *capacity = more;
    }
    return grown != NULL;
}

static struct profile_row *row_of(struct profile *p, const char *kind)
{
    for (size_t i = 0; i < p->row_count; i++)
        if (strcmp(p->rows[i].name, kind) == 0)
            return &p->rows[i];
    if (!grow((void **)&p->rows, p->row_count + 1, &p->row_capacity, sizeof *p->rows))
        return NULL;
    struct profile_row *row = &p->rows[p->row_count++];
    *row = (struct profile_row){.calls = 0};
    snprintf(row->name, sizeof row->name, "%s", kind);
    return row;
}

/* Whether no call of the row had these sizes before. */
static bool is_first(struct profile_row *row, const char *sizes)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (; *sizes; sizes++)
        hash = (hash ^ (unsigned char)*sizes) * 1099511628211u;
    for (size_t i = 0; i < row->size_count; i++)
        if (row->sizes[i] == hash)
            return false;
    if (grow((void **)&row->sizes, row->size_count + 1, &row->size_capacity, sizeof *row->sizes))
        row->sizes[row->size_count++] = hash;
    return true;
}

void ls_profile_note(struct profile *p, const char *kind, const char *sizes, double start, double seconds, double bytes,
                     double flop)
{
    struct profile_row *row = row_of(p, kind);
    if (!row)
        return;
    bool first = is_first(row, sizes);
    if (first) {
        row->first += seconds;
    } else {
        row->calls++;
        row->seconds += seconds;
        row->bytes += bytes;
        row->flop += flop;
    }
    size_t length = strlen(sizes) + 1;
    if (p->event_count >= LS_PROFILE_EVENTS ||
        !grow((void **)&p->events, p->event_count + 1, &p->event_capacity, sizeof *p->events) ||
        !grow((void **)&p->texts, p->text_size + length, &p->text_capacity, 1)) {
        p->dropped++;
        return;
    }
    memcpy(p->texts + p->text_size, sizes, length);
    p->events[p->event_count++] =
        (struct profile_event){(size_t)(row - p->rows), p->text_size, first, start, seconds, bytes, flop};
    p->text_size += length;
}

/* ---- The table ---- */

static int by_time(const void *left, const void *right)
{
    const struct profile_row *a = *(const struct profile_row *const *)left, *b = *(const struct profile_row *const *)right;
    double x = a->seconds, y = b->seconds;
    if (x == y) /* neither was called again */
        x = a->first, y = b->first;
    return (x < y) - (x > y);
}

/* Of the peak that bounds the row more: of arithmetic, or of memory. */
static void write_peak(FILE *file, const struct profile *p, const struct profile_row *row)
{
    double flop = p->peak_flop > 0 && row->seconds > 0 ? row->flop / row->seconds / p->peak_flop : 0;
    double bytes = p->peak_bytes > 0 && row->seconds > 0 ? row->bytes / row->seconds / p->peak_bytes : 0;
    if (row->calls == 0 || (p->peak_flop == 0 && p->peak_bytes == 0))
        fprintf(file, "  %15s", "-");
    else
        fprintf(file, "  %5.0f %% of %s", 100 * (flop > bytes ? flop : bytes), flop > bytes ? "fma " : "copy");
}

static void write_row(FILE *file, const struct profile *p, const struct profile_row *row, double all)
{
    fprintf(file, "%10.3f  %10.3f %5.1f %%  %9lld", row->first * 1e3, row->seconds * 1e3,
            all > 0 ? 100 * row->seconds / all : 0, (long long)row->calls);
    if (row->calls > 0)
        fprintf(file, "  %10.3f", row->seconds / (double)row->calls * 1e6);
    else
        fprintf(file, "  %10s", "-");
    fprintf(file, "  %10.3f", row->bytes * 1e-6);
    if (row->flop > 0)
        fprintf(file, "  %8.2f", row->flop / (row->seconds > 0 ? row->seconds : 1) * 1e-9);
    else
        fprintf(file, "  %8s", "-");
    write_peak(file, p, row);
    fprintf(file, "  %s\n", row->name);
}

static void write_table(const struct profile *p, FILE *file)
{
    struct profile_row **order = malloc((p->row_count + 1) * sizeof *order);
    double all = 0, first = 0;
    for (size_t i = 0; order && i < p->row_count; i++) {
        order[i] = &p->rows[i];
        all += p->rows[i].seconds;
        first += p->rows[i].first;
    }
    if (order)
        qsort(order, p->row_count, sizeof *order, by_time);
    fprintf(file, "%s, %s (%s)\n", p->device->device, p->device->name, p->device->driver);
    if (p->peak_flop > 0)
        fprintf(file, "fma: %.1f GFLOP/s, what its own matrix product of 512 x 512 x 512 reaches; ", p->peak_flop * 1e-9);
    if (p->peak_bytes > 0)
        fprintf(file, "copy: %.1f GB/s, what its copy of 16 MiB reaches", p->peak_bytes * 1e-9);
    fprintf(file, "\nfirst: the first call of a kind and size, in which kernels are built; the other columns are without it\n");
    fprintf(file, "\n%10s  %10s %7s  %9s  %10s  %10s  %8s  %15s  call\n", "first, ms", "ms", "time", "calls", "us a call",
            "MB", "GFLOP/s", "of the peak");
    for (size_t i = 0; order && i < p->row_count; i++)
        write_row(file, p, order[i], all);
    fprintf(file, "%10.3f  %10.3f ms in all; each call was waited for, so a device that works ahead is slower here\n",
            first * 1e3, all * 1e3);
    if (p->dropped)
        fprintf(file, "%zu calls are not in the trace, which keeps the first %d\n", p->dropped, LS_PROFILE_EVENTS);
    free(order);
}

/* ---- The trace ---- */

static void write_text(FILE *file, const char *text)
{
    fputc('"', file);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            fprintf(file, "\\%c", c);
        else if (c < 0x20)
            fprintf(file, "\\u%04x", c);
        else
            fputc(c, file);
    }
    fputc('"', file);
}

static void write_trace(const struct profile *p, FILE *file)
{
    fputs("{\"displayTimeUnit\": \"ms\", \"otherData\": {\"device\": ", file);
    write_text(file, p->device->device);
    fputs(", \"name\": ", file);
    write_text(file, p->device->name);
    fputs(", \"driver\": ", file);
    write_text(file, p->device->driver);
    fputs("},\n\"traceEvents\": [\n{\"name\": \"thread_name\", \"ph\": \"M\", \"pid\": 1, \"tid\": 1, \"args\": {\"name\": ", file);
    write_text(file, p->device->device);
    fputs("}}", file);
    for (size_t i = 0; i < p->event_count; i++) {
        const struct profile_event *e = &p->events[i];
        fputs(",\n{\"name\": ", file);
        write_text(file, p->rows[e->row].name);
        fprintf(file, ", \"ph\": \"X\", \"pid\": 1, \"tid\": 1, \"ts\": %.3f, \"dur\": %.3f, \"args\": {\"sizes\": ", e->start * 1e6,
                e->seconds * 1e6);
        write_text(file, p->texts + e->text);
        fprintf(file, ", \"bytes\": %.0f, \"flop\": %.0f, \"first\": %s}}", e->bytes, e->flop, e->first ? "true" : "false");
    }
    fputs("\n]}\n", file);
}

ls_status ls_profile_write(struct profile *p, struct ls_message *message)
{
    static void (*const writers[])(const struct profile *p, FILE *file) = {write_table, write_trace};
    ls_status status = LS_OK;
    for (int i = 0; i < 2 && p->file[i]; i++) {
        writers[i](p, p->file[i]);
        bool good = !ferror(p->file[i]);
        if (fclose(p->file[i]) != 0 || !good)
            status = fail(message, p->path[i], "is not complete", errno);
        p->file[i] = NULL;
    }
    return status;
}

void ls_profile_finish(struct profile *p)
{
    for (size_t i = 0; i < p->row_count; i++)
        free(p->rows[i].sizes);
    free(p->rows);
    free(p->events);
    free(p->texts);
}
