/* SPDX-License-Identifier: Apache-2.0
 *
 * What `lockstep verify` prints: for people, and as JSON.
 */
#include <stdio.h>
#include <string.h>

#include "tool.h"
#include "verify.h"

enum { SHOWN = 20 };

static void print_cell(const struct verify_counts *c)
{
    char text[48];
    int all = c->same + c->close + c->apart;
    if (c->apart)
        snprintf(text, sizeof text, "%d/%d !", c->same, all);
    else if (c->close)
        snprintf(text, sizeof text, "%d/%d ~", c->same, all);
    else
        snprintf(text, sizeof text, "%d", c->same);
    printf(" %11s", all ? text : "-");
}

static void print_matrix(const struct verify_report *r)
{
    printf("%-12s", "");
    for (int d = 0; d < r->devices; d++)
        if (r->device[d].opened)
            printf(" %11.11s", r->device[d].words);
    printf("\n%-12s", "class");
    for (int d = 0; d < r->devices; d++)
        if (r->device[d].opened)
            printf(" %11s", r->device[d].verdict.device.exactness);
    putchar('\n');
    for (int f = 0; f < r->families; f++) {
        if (!verify_family_used(r, f))
            continue;
        printf("%-12s", verify_family(f));
        for (int d = 0; d < r->devices; d++)
            if (r->device[d].opened)
                print_cell(&r->family[f][d]);
        putchar('\n');
    }
}

static void print_difference(const struct verify_report *r, const struct verify_difference *d)
{
    printf("%s on %s and %s: %s\n", r->cases[d->the_case].name, r->device[d->device[0]].words,
           r->device[d->device[1]].words, d->text);
    if (d->named[0])
        printf("    %s\n", d->named);
}

static void print_pairs(const struct verify_report *r)
{
    for (int a = 0; a < r->devices; a++)
        for (int b = a + 1; b < r->devices; b++) {
            const struct verify_counts *c = &r->pair[a][b];
            if (!r->device[a].opened || !r->device[b].opened)
                continue;
            printf("%s and %s: the same bits in %d of %zu cases", r->device[a].words, r->device[b].words, c->same,
                   r->case_count);
            if (c->close)
                printf(", %d within what their classes promise", c->close);
            if (c->apart)
                printf(", %d APART", c->apart);
            putchar('\n');
        }
}

void verify_write_text(const struct verify_report *r)
{
    printf("Lockstep %s, canon %d, %s: %zu cases of ops with first and second gradients, %zu networks, %.1f s\n\n",
           ls_version(), ls_canon_version(), r->date, r->case_count - r->networks, r->networks, r->seconds);
    for (int d = 0; d < r->devices; d++) {
        const struct verify_device *device = &r->device[d];
        if (device->opened)
            printf("%s: %s, %s\n", device->words, device->verdict.device.name, device->verdict.device.driver);
        else
            printf("%s: cannot be verified: %s\n", device->words, device->why);
        if (device->opened && device->verdict.reasons[0])
            printf("    class %s: %.*s\n", device->verdict.device.exactness, (int)strcspn(device->verdict.reasons, "\n"),
                   device->verdict.reasons);
    }
    if (r->scope[0])
        printf("%s\n", r->scope);
    if (verify_opened(r) < 2)
        return;
    printf("\ncases with the same bits as every other device (~: the rest within what the classes promise, !: not)\n\n");
    print_matrix(r);
    putchar('\n');
    print_pairs(r);
    for (size_t i = 0; i < r->difference_count && i < SHOWN; i++)
        print_difference(r, &r->differences[i]);
    if (r->difference_count > SHOWN)
        printf("and %zu more; --json and --html list all\n", r->difference_count - SHOWN);
}

static void json_counts(const struct verify_counts *counts)
{
    json_integer("same", (uint64_t)counts->same);
    json_integer("close", (uint64_t)counts->close);
    json_integer("apart", (uint64_t)counts->apart);
}

void verify_write_json(const struct verify_report *r)
{
    json_begin_list();
    json_begin_object();
    json_text("kind", "run");
    json_text("version", ls_version());
    json_integer("canon", (uint64_t)ls_canon_version());
    json_text("date", r->date);
    json_number("seconds", r->seconds);
    json_integer("op_cases", r->case_count - r->networks);
    json_integer("networks", r->networks);
    json_text("scope", r->scope);
    json_end_object();
    for (int d = 0; d < r->devices; d++) {
        const struct verify_device *device = &r->device[d];
        json_begin_object();
        json_text("kind", "device");
        json_text("device", device->words);
        json_text("name", device->verdict.device.name);
        json_text("driver", device->verdict.device.driver);
        json_text("class", device->verdict.device.exactness);
        json_text("reasons", device->verdict.reasons);
        json_bool("is_gpu", device->verdict.device.is_gpu);
        json_bool("verified", device->opened);
        json_text("why", device->why);
        json_end_object();
    }
    for (int f = 0; f < r->families; f++)
        for (int d = 0; d < r->devices; d++) {
            if (!verify_family_used(r, f) || !r->device[d].opened)
                continue;
            json_begin_object();
            json_text("kind", "family");
            json_text("device", r->device[d].words);
            json_text("family", verify_family(f));
            json_counts(&r->family[f][d]);
            json_end_object();
        }
    for (int a = 0; a < r->devices; a++)
        for (int b = a + 1; b < r->devices; b++) {
            if (!r->device[a].opened || !r->device[b].opened)
                continue;
            json_begin_object();
            json_text("kind", "pair");
            json_text("device", r->device[a].words);
            json_text("other", r->device[b].words);
            json_counts(&r->pair[a][b]);
            json_end_object();
        }
    for (size_t i = 0; i < r->difference_count; i++) {
        const struct verify_difference *d = &r->differences[i];
        json_begin_object();
        json_text("kind", "difference");
        json_text("case", r->cases[d->the_case].name);
        json_text("device", r->device[d->device[0]].words);
        json_text("other", r->device[d->device[1]].words);
        json_text("where", d->text);
        json_text("primitive", d->named);
        json_end_object();
    }
    json_end_list();
}
