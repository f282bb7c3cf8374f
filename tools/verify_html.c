/* SPDX-License-Identifier: Apache-2.0
 *
 * What `lockstep verify --html FILE` writes: one page that needs nothing else.
 */
#include <stdio.h>

#include "verify.h"

static void put(FILE *page, const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '&': fputs("&amp;", page); break;
        case '<': fputs("&lt;", page); break;
        case '>': fputs("&gt;", page); break;
        case '"': fputs("&quot;", page); break;
        case '\n': fputs("<br>", page); break;
        default: fputc(*text, page);
        }
}

static void cell(FILE *page, const char *tag, const char *text)
{
    fprintf(page, "<%s>", tag);
    put(page, text);
    fprintf(page, "</%.2s>", tag);
}

static void write_devices(const struct verify_report *r, FILE *page)
{
    fputs("<table><tr><th>device<th>name<th>driver<th>class<th>why</tr>\n", page);
    for (int d = 0; d < r->devices; d++) {
        const struct verify_device *device = &r->device[d];
        fputs("<tr>", page);
        cell(page, "td", device->words);
        cell(page, "td", device->verdict.device.name);
        cell(page, "td", device->verdict.device.driver);
        cell(page, "td", device->opened ? device->verdict.device.exactness : "not verified");
        cell(page, "td", device->opened ? device->verdict.reasons : device->why);
        fputs("</tr>\n", page);
    }
    fputs("</table>\n", page);
}

static void write_counts(FILE *page, const struct verify_counts *c)
{
    fprintf(page, "<td class=%s>%d", c->apart ? "apart" : c->close ? "close" : "same", c->same);
    if (c->close || c->apart)
        fprintf(page, " of %d", c->same + c->close + c->apart);
    fputs("</td>", page);
}

static void write_matrix(const struct verify_report *r, FILE *page)
{
    fputs("<table><tr><th>", page);
    for (int d = 0; d < r->devices; d++)
        if (r->device[d].opened)
            cell(page, "th", r->device[d].words);
    fputs("</tr>\n", page);
    for (int f = 0; f < r->families; f++) {
        if (!verify_family_used(r, f))
            continue;
        fputs("<tr>", page);
        cell(page, "th", verify_family(f));
        for (int d = 0; d < r->devices; d++)
            if (r->device[d].opened)
                write_counts(page, &r->family[f][d]);
        fputs("</tr>\n", page);
    }
    fputs("</table>\n<table><tr><th>pair<th>cases with the same bits<th>within what their classes allow<th>apart</tr>\n", page);
    for (int a = 0; a < r->devices; a++)
        for (int b = a + 1; b < r->devices; b++) {
            if (!r->device[a].opened || !r->device[b].opened)
                continue;
            fputs("<tr><td>", page);
            put(page, r->device[a].words);
            fputs(" and ", page);
            put(page, r->device[b].words);
            fputs("</td>", page);
            write_counts(page, &r->pair[a][b]);
            fprintf(page, "<td>%d</td><td>%d</td></tr>\n", r->pair[a][b].close, r->pair[a][b].apart);
        }
    fputs("</table>\n", page);
}

static void write_differences(const struct verify_report *r, FILE *page)
{
    fputs("<table><tr><th>case<th>devices<th>where<th>primitive</tr>\n", page);
    for (size_t i = 0; i < r->difference_count; i++) {
        const struct verify_difference *d = &r->differences[i];
        fputs("<tr>", page);
        cell(page, "td", r->cases[d->the_case].name);
        fputs("<td>", page);
        put(page, r->device[d->device[0]].words);
        fputs(" and ", page);
        put(page, r->device[d->device[1]].words);
        fputs("</td>", page);
        cell(page, "td", d->text);
        cell(page, "td", d->named);
        fputs("</tr>\n", page);
    }
    fputs("</table>\n", page);
}

bool verify_write_html(const struct verify_report *r, const char *path)
{
    FILE *page = fopen(path, "w");
    if (!page)
        return false;
    fputs("<!doctype html><html lang=en><meta charset=utf-8><title>lockstep verify</title>\n<style>body{font:15px "
          "sans-serif;margin:2em;max-width:75em}table{border-collapse:collapse;margin:1em 0}td,th{border:1px solid "
          "#bbb;padding:.3em .6em;text-align:left;vertical-align:top}.same{background:#dff0d8}.close{background:#fcf3cf}"
          ".apart{background:#f5b7b1}</style>\n<h1>lockstep verify</h1>\n", page);
    fprintf(page, "<p>Lockstep %s, canon %d, %s. %zu cases of ops with first and second gradients and %zu networks on each device, "
                  "%.1f s.</p>\n<p>",
            ls_version(), ls_canon_version(), r->date, r->case_count - r->networks, r->networks, r->seconds);
    put(page, r->scope);
    fputs("</p>\n", page);
    write_devices(r, page);
    fputs("<p>How many cases have the same bits as on every other device, by the primitive that they are about: green all, "
          "yellow all but what the devices' classes allow (N: subnormals; T: 64 ulp or 2<sup>-16</sup> of the largest), "
          "red not.</p>\n", page);
    write_matrix(r, page);
    if (r->difference_count)
        write_differences(r, page);
    fputs("</html>\n", page);
    bool good = !ferror(page);
    return fclose(page) == 0 && good;
}
