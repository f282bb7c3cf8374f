/* SPDX-License-Identifier: Apache-2.0
 *
 * `lockstep verify`: every op and its gradients, and networks, on several devices, compared by bits.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../backends/verify/closeness.h"
#include "state.h"
#include <lockstep/verify.h>
#include "tool.h"
#include "verify.h"

enum { NAMED = 12 }; /* differences of which verify: is asked the primitive */

/* ---- Families: the rarest primitive that a case runs, as the reference sees it ---- */

static bool called[LS_PRIM_COUNT];
static const struct ls_backend *counted;

#define PRIM(primitive, need, meaning)                                                             \
    static ls_status count_##primitive(struct ls_device *device, const struct ls_##primitive##_args *args) \
    {                                                                                              \
        called[LS_PRIM_##primitive] = true;                                                        \
        return counted->primitive(device, args);                                                   \
    }
#include "prims.def"
#undef PRIM

static struct ls_backend counting_table(const struct ls_backend *backend)
{
    struct ls_backend table = *backend;
    counted = backend;
#define PRIM(primitive, need, meaning)                                                             \
    if (table.primitive)                                                                           \
        table.primitive = count_##primitive;
#include "prims.def"
#undef PRIM
    return table;
}

const char *verify_family(int family)
{
    static const char *const names[] = {
#define PRIM(primitive, need, meaning) #primitive,
#include "prims.def"
#undef PRIM
        "networks"};
    return names[family];
}

static int family_of_calls(void)
{
    for (int p = LS_PRIM_COUNT; p-- > 0;)
        if (called[p])
            return p;
    return LS_PRIM_fill;
}

/* ---- Cases ---- */

void verify_note(struct verify_result *result, const char *name, ls_tensor t)
{
    struct verify_part *more = realloc(result->part, (result->count + 1) * sizeof *more);
    if (!more)
        return;
    result->part = more;
    struct verify_part *part = &more[result->count++];
    *part = (struct verify_part){.dtype = ls_dtype_of(t), .n = ls_is_nil(t) ? 0 : ls_size(t)};
    snprintf(part->name, sizeof part->name, "%s", name);
    size_t bytes = (size_t)part->n * ls_dtype_size(part->dtype);
    part->data = calloc(1, bytes + 1);
    if (part->data && !ls_is_nil(t))
        ls_read(t, part->data, bytes);
}

/* The suite of a case and its number there. */
static const struct verify_suite *suite_of(size_t *i)
{
    static const struct verify_suite *const suites[] = {&verify_ops, &verify_others, &verify_networks};
    size_t s = 0;
    for (; *i >= suites[s]->count(); s++)
        *i -= suites[s]->count();
    return suites[s];
}

static void run_case(size_t i, ls_context *ls, struct verify_result *result)
{
    *result = (struct verify_result){.count = 0};
    const struct verify_suite *suite = suite_of(&i);
    suite->run(i, ls, result);
    if (ls_error(ls) != LS_OK)
        snprintf(result->failure, sizeof result->failure, "%s", ls_error_message(ls));
    ls_clear_error(ls);
}

static void free_result(struct verify_result *result)
{
    for (size_t p = 0; p < result->count; p++)
        free(result->part[p].data);
    free(result->part);
}

/* ---- Comparing ---- */

enum outcome { SAME, CLOSE, APART };

/* Compares two runs of a case; `text` says where they part first. */
static enum outcome compare(const struct verify_result *a, const char *on_a, const struct verify_result *b, const char *on_b,
                            enum ls_closeness closeness, char *text, size_t size)
{
    enum outcome worst = SAME;
    if (a->failure[0] || b->failure[0] || a->count != b->count) {
        snprintf(text, size, "it fails on %s: %s", a->failure[0] ? on_a : on_b, a->failure[0] ? a->failure : b->failure[0] ? b->failure : "no memory");
        return APART;
    }
    for (size_t p = 0; p < a->count; p++) {
        const struct verify_part *x = &a->part[p], *y = &b->part[p];
        if (x->n != y->n || x->dtype != y->dtype || !x->data || !y->data) {
            snprintf(text, size, "%s has %lld elements, and %lld", x->name, (long long)x->n, (long long)y->n);
            return APART;
        }
        int64_t first = 0;
        if (ls_count_different(x->dtype, LS_SAME_BITS, x->data, y->data, x->n, &first) == 0)
            continue;
        enum outcome here = ls_count_different(x->dtype, closeness, x->data, y->data, x->n, &first) ? APART : CLOSE;
        if (here <= worst)
            continue;
        worst = here;
        int used = snprintf(text, size, "%s, element %lld of %lld: ", x->name, (long long)first, (long long)x->n);
        ls_difference_text(text + used, size - (size_t)used, x->dtype, first, x->data, on_a, y->data, on_b);
    }
    return worst;
}

/* What the decorator says of a case: the primitive at which the two part. */
static void name_primitive(const struct verify_report *r, struct verify_difference *d, int number)
{
    char words[300], path[64];
    struct verify_result result;
    snprintf(words, sizeof words, "verify:%s,%s,bits", r->device[d->device[0]].words, r->device[d->device[1]].words);
    snprintf(path, sizeof path, "lockstep-verify-%d.lsd", number);
    setenv("LOCKSTEP_DUMP", path, 1);
    ls_context *ls = ls_open_plain(words);
    run_case(d->the_case, ls, &result);
    snprintf(d->named, sizeof d->named, "%s", result.failure);
    free_result(&result);
    ls_close(&ls);
}

static void add_difference(struct verify_report *r, int a, int b, size_t i, const char *text)
{
    struct verify_difference *more = realloc(r->differences, (r->difference_count + 1) * sizeof *more);
    if (!more)
        return;
    r->differences = more;
    struct verify_difference *d = &more[r->difference_count++];
    *d = (struct verify_difference){.device = {a, b}, .the_case = i};
    snprintf(d->text, sizeof d->text, "%s", text);
    if (r->difference_count <= NAMED)
        name_primitive(r, d, (int)r->difference_count);
}

static void count(struct verify_counts *counts, enum outcome outcome)
{
    counts->same += outcome == SAME;
    counts->close += outcome == CLOSE;
    counts->apart += outcome == APART;
}

static void compare_pair(struct verify_report *r, struct verify_result *const *results, int a, int b)
{
    enum ls_closeness closeness = ls_closeness_of(&r->device[a].verdict.device, &r->device[b].verdict.device);
    for (size_t i = 0; i < r->case_count; i++) {
        char text[600] = "";
        enum outcome outcome = compare(&results[a][i], r->device[a].words, &results[b][i], r->device[b].words, closeness, text,
                                       sizeof text);
        count(&r->pair[a][b], outcome);
        count(&r->family[r->cases[i].family][a], outcome);
        count(&r->family[r->cases[i].family][b], outcome);
        if (outcome != SAME)
            add_difference(r, a, b, i, text);
    }
}

/* ---- Running ---- */

/* All cases on one device; on the first one also their families. */
static bool run_device(struct verify_report *r, int index, struct verify_result *results, bool quiet)
{
    struct verify_device *device = &r->device[index];
    if (ls_selftest(&device->verdict, .device = device->words) != LS_OK) {
        snprintf(device->why, sizeof device->why, "%.500s", device->verdict.reasons);
        return false;
    }
    ls_context *ls = ls_open_plain(device->words);
    struct ls_backend table;
    if (ls_error(ls) != LS_OK) {
        snprintf(device->why, sizeof device->why, "%.500s", ls_error_message(ls));
        ls_close(&ls);
        return false;
    }
    const struct ls_backend *own = ls->device->backend;
    if (index == 0) {
        table = counting_table(own);
        ls->device->backend = &table;
    }
    for (size_t i = 0; i < r->case_count; i++) {
        if (!quiet && i % 50 == 0)
            fprintf(stderr, "\r%s: %zu of %zu   ", device->words, i, r->case_count);
        memset(called, 0, sizeof called);
        run_case(i, ls, &results[i]);
        size_t within = i;
        const struct verify_suite *suite = suite_of(&within);
        r->cases[i].name = suite->name(within);
        if (index == 0)
            r->cases[i].family = suite == &verify_networks ? LS_PRIM_COUNT : family_of_calls();
    }
    if (!quiet)
        fprintf(stderr, "\r%s: done                      \n", device->words);
    ls->device->backend = own;
    ls_close(&ls);
    return device->opened = true;
}

bool verify_family_used(const struct verify_report *r, int family)
{
    for (size_t i = 0; i < r->case_count; i++)
        if (r->cases[i].family == family)
            return true;
    return false;
}

static double seconds_now(void)
{
    struct timespec now;
    timespec_get(&now, TIME_UTC);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Returns false where a device could not run, there was nothing to compare, or the bits of two differ anywhere. */
static bool verify(struct verify_report *r, bool quiet)
{
    struct verify_result *results[VERIFY_DEVICES] = {NULL};
    double start = seconds_now();
    bool good = true;
    for (int d = 0; d < r->devices; d++) {
        results[d] = calloc(r->case_count, sizeof *results[d]);
        good = results[d] && run_device(r, d, results[d], quiet) && good;
    }
    for (int a = 0; a < r->devices; a++)
        for (int b = a + 1; b < r->devices; b++)
            if (r->device[a].opened && r->device[b].opened)
                compare_pair(r, results, a, b);
    for (int d = 0; d < r->devices; d++) {
        for (size_t i = 0; results[d] && i < r->case_count; i++)
            free_result(&results[d][i]);
        free(results[d]);
    }
    r->seconds = seconds_now() - start;
    return good && verify_opened(r) > 1 && r->difference_count == 0;
}

int verify_command(int argc, char **argv)
{
    static struct verify_report r;
    const char *page = NULL;
    bool json = false;
    int named = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            json = true;
        else if (strcmp(argv[i], "--html") == 0 && i + 1 < argc)
            page = argv[++i];
        else if (argv[i][0] == '-')
            return misuse("verify: \"%s\" is not understood", argv[i]);
        else
            argv[1 + named++] = argv[i];
    }
    for (int i = 1; i <= named; i++)
        if (!verify_is_there(argv[i]))
            return EXIT_MISUSE;
    if (named >= VERIFY_DEVICES)
        return misuse("verify: more than %d devices beside the reference", VERIFY_DEVICES - 1);
    size_t capacity = ls_list_devices(NULL, 0);
    ls_device_info *found = calloc(capacity + 1, sizeof *found);
    size_t all = found ? ls_list_devices(found, capacity) : 0;
    size_t listed = all < capacity ? all : capacity;
    verify_choose_devices(&r, named, argv + 1, found, listed);
    time_t now = time(NULL);
    strftime(r.date, sizeof r.date, "%Y-%m-%d %H:%M UTC", gmtime(&now));
    r.families = LS_PRIM_COUNT + 1;
    r.networks = verify_networks.count();
    r.case_count = verify_ops.count() + verify_others.count() + r.networks;
    r.cases = calloc(r.case_count, sizeof *r.cases);
    r.family = calloc((size_t)r.families, sizeof *r.family);
    if (!r.cases || !r.family) {
        fprintf(stderr, "lockstep: verify: no memory\n");
        return 1;
    }
    bool good = verify(&r, json || !isatty(STDERR_FILENO));
    verify_describe_scope(&r, named > 0, found, listed);
    free(found);
    if (json)
        verify_write_json(&r);
    else
        verify_write_text(&r);
    if (page && !verify_write_html(&r, page)) {
        fprintf(stderr, "lockstep: verify: %s cannot be written\n", page);
        good = false;
    }
    free(r.cases);
    free(r.family);
    free(r.differences);
    return good ? 0 : 1;
}
