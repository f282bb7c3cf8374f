/* SPDX-License-Identifier: Apache-2.0
 *
 * `lockstep compare A B`: whether two receipts are of the same computation, and where they part.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "receipt.h"
#include "tool.h"

static int by_number(const void *left, const void *right)
{
    const struct step *a = *(struct step *const *)left, *b = *(struct step *const *)right;
    int order = strcmp(a->layout->optimizer, b->layout->optimizer);
    if (order == 0)
        order = (a->number > b->number) - (a->number < b->number);
    return order ? order : (a->place > b->place) - (a->place < b->place);
}

/* The steps in order, each once. */
static struct step **indexed(struct receipt *r, size_t *count)
{
    struct step **index = malloc((r->step_count + 1) * sizeof *index);
    *count = 0;
    for (size_t i = 0; index && i < r->step_count; i++)
        index[i] = &r->steps[i];
    if (index)
        qsort(index, r->step_count, sizeof *index, by_number);
    for (size_t i = 0; index && i < r->step_count; i++) {
        bool last = i + 1 == r->step_count || index[i]->number != index[i + 1]->number ||
                    strcmp(index[i]->layout->optimizer, index[i + 1]->layout->optimizer) != 0;
        if (last)
            index[(*count)++] = index[i];
    }
    return index;
}

static bool same_fields(const struct fields *a, const struct fields *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++)
        same = strcmp(a->at[i], b->at[i]) == 0;
    return same;
}

struct pair {
    const struct step *a, *b;
};

/* The steps that are in both receipts. */
static struct pair *joined(struct step **a, size_t na, struct step **b, size_t nb, size_t *count)
{
    struct pair *pairs = malloc((na + 1) * sizeof *pairs);
    *count = 0;
    for (size_t i = 0, k = 0; pairs && i < na && k < nb;) {
        int order = strcmp(a[i]->layout->optimizer, b[k]->layout->optimizer);
        if (order == 0)
            order = (a[i]->number > b[k]->number) - (a[i]->number < b[k]->number);
        if (order == 0)
            pairs[(*count)++] = (struct pair){a[i], b[k]};
        i += order <= 0;
        k += order >= 0;
    }
    return pairs;
}

static bool agree(const struct pair *pair)
{
    return same_fields(&pair->a->layout->tensors, &pair->b->layout->tensors) &&
           same_fields(&pair->a->digests, &pair->b->digests);
}

/* The first pair, in the order in which a was written, that differs; NULL if none does. */
static const struct pair *first_apart(const struct pair *pairs, size_t count)
{
    const struct pair *first = NULL;
    for (size_t i = 0; i < count; i++)
        if (!agree(&pairs[i]) && (!first || pairs[i].a->place < first->a->place))
            first = &pairs[i];
    return first;
}

static const struct run *run_of(const struct receipt *r, const struct step *step) { return &r->runs[step->run]; }

/* A line for each run that wrote some of the steps. */
static void describe(const struct receipt *r, struct step *const *steps, size_t count)
{
    for (size_t i = 0; i < r->run_count; i++) {
        const struct run *run = &r->runs[i];
        size_t own = 0;
        for (size_t k = 0; k < count; k++)
            own += steps[k]->run == i;
        if (own == 0 && (r->run_count > 1 || !run->class))
            continue;
        printf("%s: %zu step%s on %s, %s (%s), class %s; library %s, canon %s\n", r->path, own, own == 1 ? "" : "s",
               run->device, run->name, run->driver, run->class, run->version, run->canon);
        if (strcmp(run->class, "T") == 0)
            printf("    a device of class T: its digests need not be those of any other device\n");
    }
}

/* The device whose results a decorator passes on: "profile:D" and "verify:D,OTHER" are D. */
static void plain_device(const char *words, char *device, size_t size)
{
    bool two = false;
    for (bool more = true; more;) {
        more = strncmp(words, "profile:", 8) == 0 || strncmp(words, "verify:", 7) == 0;
        two = two || (more && words[0] == 'v');
        words += more ? strcspn(words, ":") + 1 : 0;
    }
    size_t length = strcspn(words, ",");
    if (strncmp(words, "fault:", 6) == 0 && words[length])
        length += 1 + strcspn(words + length + 1, ",");
    snprintf(device, size, "%.*s", two ? (int)length : (int)strlen(words), words);
}

/* What finds the primitive, by the devices that the heads name. */
static void advise(const struct run *a, const struct run *b, int64_t step)
{
    char device[256], other[256];
    plain_device(a->device, device, sizeof device);
    plain_device(b->device, other, sizeof other);
    bool same = strcmp(device, other) == 0;
    if (same)
        snprintf(other, sizeof other, "%s", strcmp(device, "reference") == 0 ? "reference:baseline" : "reference");
    bool bounds = strcmp(a->class, "T") == 0 || strcmp(b->class, "T") == 0; /* else verify: would allow for them */
    printf("next: run the program again, from the start");
    if (step > 1)
        printf(" or from a state saved after step %" PRId64, step - 1);
    printf(", with LOCKSTEP_BACKEND='verify:%s,%s%s'%s: it stops at the first primitive that differs and names it\n",
           device, other, bounds ? ",bits" : "", same ? ", on the machine of each receipt" : "");
}

static void tell(const struct receipt *a, const struct receipt *b, const struct pair *at, size_t before)
{
    const struct fields *names = &at->a->layout->tensors;
    printf("they part at step %" PRId64 " of %s", at->a->number, at->a->layout->optimizer);
    if (!same_fields(names, &at->b->layout->tensors)) {
        printf(": it is of other tensors, %zu and %zu of them, so these are different programs\n", names->count,
               at->b->layout->tensors.count);
        return;
    }
    size_t different = 0, first = 0;
    for (size_t i = names->count; i-- > 0;)
        if (strcmp(at->a->digests.at[i], at->b->digests.at[i]) != 0) {
            different++;
            first = i;
        }
    printf(": %s, %s and %s\n", names->at[first], at->a->digests.at[first], at->b->digests.at[first]);
    printf("    %zu of its %zu tensors differ; %zu step%s before it agree\n", different, names->count, before,
           before == 1 ? "" : "s");
    const struct run *run_a = run_of(a, at->a), *run_b = run_of(b, at->b);
    if (before == 0 && first == 0 && strncmp(names->at[0], "loss", 4) == 0)
        printf("    the first loss differs already: perhaps the data, the seed or the first weights are not the same\n");
    advise(run_a, run_b, at->a->number);
}

static int judge(const struct receipt *a, const struct receipt *b, const struct pair *pairs, size_t count)
{
    const struct pair *apart = first_apart(pairs, count);
    size_t before = 0;
    bool same_canon = true;
    for (size_t i = 0; i < count; i++)
        same_canon = same_canon && strcmp(run_of(a, pairs[i].a)->canon, run_of(b, pairs[i].b)->canon) == 0;
    if (!same_canon || count == 0) {
        printf(count ? "they are of different versions of the arithmetic and cannot be compared\n"
                     : "they have no step in common\n");
        return EXIT_MISUSE;
    }
    if (!apart) {
        printf("the same computation: the %zu step%s in both agree\n", count, count == 1 ? "" : "s");
        return 0;
    }
    for (size_t i = 0; i < count; i++)
        before += pairs[i].a->place < apart->a->place;
    tell(a, b, apart, before);
    return 1;
}

static void tell_rest(const struct receipt *r, size_t steps)
{
    if (steps > 0)
        printf("%zu step%s of %s %s not in the other\n", steps, steps == 1 ? "" : "s", r->path, steps == 1 ? "is" : "are");
}

static int compare(struct receipt *a, struct receipt *b)
{
    size_t na, nb, count = 0;
    struct step **steps_a = indexed(a, &na), **steps_b = indexed(b, &nb);
    struct pair *pairs = steps_a && steps_b ? joined(steps_a, na, steps_b, nb, &count) : NULL;
    int result = EXIT_MISUSE;
    if (!pairs) {
        fprintf(stderr, "lockstep: compare: no memory\n");
    } else {
        describe(a, steps_a, na);
        describe(b, steps_b, nb);
        result = judge(a, b, pairs, count);
        tell_rest(a, na - count);
        tell_rest(b, nb - count);
    }
    free(steps_a);
    free(steps_b);
    free(pairs);
    return result;
}

int compare_command(int argc, char **argv)
{
    const char *paths[2];
    int count = 0;
    bool partial = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--partial") == 0)
            partial = true;
        else if (argv[i][0] == '-' || count == 2)
            return misuse("compare: \"%s\" is not understood", argv[i]);
        else
            paths[count++] = argv[i];
    }
    if (count != 2)
        return misuse("compare: two receipts are what it takes");
    struct receipt a = {NULL}, b = {NULL};
    int result = receipt_load(&a, paths[0], partial) && receipt_load(&b, paths[1], partial) ? compare(&a, &b) : EXIT_MISUSE;
    receipt_unload(&a);
    receipt_unload(&b);
    return result;
}
