/* SPDX-License-Identifier: Apache-2.0
 *
 * The table, and the trace in the Trace Event Format that chrome://tracing and ui.perfetto.dev read.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profile.h"

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

void ls_profile_note(struct profile *p, const char *kind, const char *sizes, double start, double seconds, double bytes,
                     double flop)
{
    struct profile_row *row = row_of(p, kind);
    if (!row)
        return;
    row->calls++;
    row->seconds += seconds;
    row->bytes += bytes;
    row->flop += flop;
    size_t length = strlen(sizes) + 1;
    if (p->event_count >= LS_PROFILE_EVENTS ||
        !grow((void **)&p->events, p->event_count + 1, &p->event_capacity, sizeof *p->events) ||
        !grow((void **)&p->texts, p->text_size + length, &p->text_capacity, 1)) {
        p->dropped++;
        return;
    }
    memcpy(p->texts + p->text_size, sizes, length);
    p->events[p->event_count++] =
        (struct profile_event){(size_t)(row - p->rows), p->text_size, start, seconds, bytes, flop};
    p->text_size += length;
}

/* ---- The table ---- */

static int by_time(const void *left, const void *right)
{
    const struct profile_row *a = *(const struct profile_row *const *)left, *b = *(const struct profile_row *const *)right;
    return (a->seconds < b->seconds) - (a->seconds > b->seconds);
}

/* Of the peak that bounds the row more: of arithmetic, or of memory. */
static void write_peak(FILE *file, const struct profile *p, const struct profile_row *row)
{
    double flop = p->peak_flop > 0 && row->seconds > 0 ? row->flop / row->seconds / p->peak_flop : 0;
    double bytes = p->peak_bytes > 0 && row->seconds > 0 ? row->bytes / row->seconds / p->peak_bytes : 0;
    if (p->peak_flop == 0 && p->peak_bytes == 0)
        fprintf(file, "  %15s", "-");
    else
        fprintf(file, "  %5.0f %% of %s", 100 * (flop > bytes ? flop : bytes), flop > bytes ? "fma " : "copy");
}

static void write_row(FILE *file, const struct profile *p, const struct profile_row *row, double all)
{
    fprintf(file, "%10.3f %5.1f %%  %9lld  %10.3f  %10.3f", row->seconds * 1e3, all > 0 ? 100 * row->seconds / all : 0,
            (long long)row->calls, row->seconds / (double)row->calls * 1e6, row->bytes * 1e-6);
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
    double all = 0;
    for (size_t i = 0; order && i < p->row_count; i++) {
        order[i] = &p->rows[i];
        all += p->rows[i].seconds;
    }
    if (order)
        qsort(order, p->row_count, sizeof *order, by_time);
    fprintf(file, "%s, %s (%s)\n", p->device->device, p->device->name, p->device->driver);
    if (p->peak_flop > 0)
        fprintf(file, "fma: %.1f GFLOP/s, what its own matrix product of 512 x 512 x 512 reaches; ", p->peak_flop * 1e-9);
    if (p->peak_bytes > 0)
        fprintf(file, "copy: %.1f GB/s, what its copy of 16 MiB reaches", p->peak_bytes * 1e-9);
    fprintf(file, "\n\n%10s %7s  %9s  %10s  %10s  %8s  %15s  call\n", "ms", "time", "calls", "us a call", "MB", "GFLOP/s",
            "of the peak");
    for (size_t i = 0; order && i < p->row_count; i++)
        write_row(file, p, order[i], all);
    fprintf(file, "%10.3f ms in all; each call was waited for, so a device that works ahead is slower here\n", all * 1e3);
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
        fprintf(file, ", \"bytes\": %.0f, \"flop\": %.0f}}", e->bytes, e->flop);
    }
    fputs("\n]}\n", file);
}

void ls_profile_write(struct profile *p, const char *name)
{
    static const struct {
        const char *suffix;
        void (*write)(const struct profile *p, FILE *file);
    } files[] = {{"txt", write_table}, {"json", write_trace}};
    for (int i = 0; i < 2; i++) {
        char path[512];
        snprintf(path, sizeof path, "%.490s.%s", name, files[i].suffix);
        FILE *file = fopen(path, "w");
        if (!file)
            continue;
        files[i].write(p, file);
        fclose(file);
    }
}

void ls_profile_finish(struct profile *p)
{
    free(p->rows);
    free(p->events);
    free(p->texts);
}
