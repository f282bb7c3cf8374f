/* SPDX-License-Identifier: Apache-2.0
 *
 * `lockstep compare A B`: whether two receipts are of the same computation, and where they part.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "receipt_file.h"
#include "tool.h"

struct fields {
    char **at; /* into the file's text */
    size_t count;
};

struct layout {
    struct fields tensors;
    const char *optimizer;
};

struct step {
    struct layout *layout;
    int64_t number;
    size_t place; /* in the file: of two of the same number the later one counts */
    struct fields digests;
};

struct receipt {
    const char *path;
    char *text;
    const char *version, *canon, *device, *name, *driver, *class; /* of the last head */
    struct layout **layouts; /* of all heads */
    size_t layout_count, first_layout, layout_capacity;
    struct step *steps;
    size_t step_count, step_capacity;
    char ***fields; /* of all lines */
    size_t field_count, field_capacity;
    bool ended;
    long line;
};

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
        more = got > 0;
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

static bool take_layout(struct receipt *r, const struct fields *f)
{
    int64_t number;
    if (f->count < 3 || !is_number(f->at[1], &number) || number != (int64_t)(r->layout_count - r->first_layout))
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
    if (f->count < 3 || !is_number(f->at[1], &layout) || !is_number(f->at[2], &number) || layout < 0 ||
        layout >= (int64_t)(r->layout_count - r->first_layout))
        return wrong(r, "a step of no layout");
    struct layout *of = r->layouts[r->first_layout + (size_t)layout];
    if (f->count - 3 != of->tensors.count)
        return wrong(r, "a step with another number of digests than its layout has tensors");
    if (!grow((void **)&r->steps, r->step_count, &r->step_capacity, sizeof *r->steps))
        return false;
    r->steps[r->step_count] = (struct step){of, number, r->step_count, {f->at + 3, f->count - 3}};
    r->step_count++;
    return true;
}

static bool take_line(struct receipt *r, struct fields *f)
{
    const char *kind = f->at[0];
    r->ended = false;
    if (strcmp(kind, "lockstep receipt") == 0 && f->count == 2) {
        r->first_layout = r->layout_count;
        return strcmp(f->at[1], "1") == 0 || wrong(r, "a receipt of a newer version of Lockstep");
    }
    if (strcmp(kind, "library") == 0 && f->count == 4) {
        r->version = f->at[1];
        r->canon = f->at[3];
    } else if (strcmp(kind, "device") == 0 && f->count == 5) {
        r->device = f->at[1];
        r->name = f->at[2];
        r->driver = f->at[3];
        r->class = f->at[4];
    } else if (strcmp(kind, "layout") == 0) {
        return take_layout(r, f);
    } else if (strcmp(kind, "step") == 0) {
        return take_step(r, f);
    } else if (strcmp(kind, "end") == 0) {
        r->ended = true;
    } else {
        return wrong(r, "not a line of a receipt");
    }
    return true;
}

static bool load(struct receipt *r, const char *path, bool partial)
{
    static const char magic[] = "lockstep receipt\t";
    size_t size;
    *r = (struct receipt){.path = path};
    r->text = read_file(path, &size);
    if (!r->text)
        return wrong(r, "cannot be read");
    if (strncmp(r->text, magic, sizeof magic - 1) != 0)
        return wrong(r, "is not a receipt of LOCKSTEP_RECEIPT");
    char *end, *line = r->text;
    for (r->line = 1; line < r->text + size; line = end + 1, r->line++) {
        struct fields fields;
        end = memchr(line, '\n', size - (size_t)(line - r->text));
        if (!end && partial)
            break;
        if (!end)
            return wrong(r, "the file is cut off here; --partial compares what there is");
        *end = '\0';
        if (strlen(line) != (size_t)(end - line) || !is_checked(line, (size_t)(end - line)))
            return wrong(r, "the line is damaged");
        if (!grow((void **)&r->fields, r->field_count, &r->field_capacity, sizeof *r->fields) || !split(line, &fields))
            return false;
        r->fields[r->field_count++] = fields.at;
        if (!take_line(r, &fields))
            return false;
    }
    r->line = 0;
    if (!r->device || !r->version)
        return wrong(r, "is cut off before its first step");
    if (!r->ended && !partial)
        return wrong(r, "has no end: it is cut off, or its program did not come to ls_close; --partial compares what there is");
    return true;
}

static void unload(struct receipt *r)
{
    for (size_t i = 0; i < r->field_count; i++)
        free(r->fields[i]);
    for (size_t i = 0; i < r->layout_count; i++)
        free(r->layouts[i]);
    free(r->fields);
    free(r->layouts);
    free(r->steps);
    free(r->text);
}

/* ---- Comparing ---- */

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

static void describe(const struct receipt *r, size_t steps)
{
    printf("%s: %zu step%s on %s, %s (%s), class %s; library %s, canon %s\n", r->path, steps, steps == 1 ? "" : "s",
           r->device, r->name, r->driver, r->class, r->version, r->canon);
    if (strcmp(r->class, "T") == 0)
        printf("    a device of class T: its digests need not be those of any other device\n");
}

/* What finds the primitive, by the devices that the heads name. */
static void advise(const struct receipt *a, const struct receipt *b, int64_t step)
{
    bool same = strcmp(a->device, b->device) == 0;
    const char *other = !same ? b->device : strcmp(a->device, "reference") == 0 ? "reference:baseline" : "reference";
    bool bounds = strcmp(a->class, "T") == 0 || strcmp(b->class, "T") == 0; /* else verify: would allow for them */
    printf("next: run the program again, from the start");
    if (step > 1)
        printf(" or from a state saved after step %" PRId64, step - 1);
    printf(", with LOCKSTEP_BACKEND='verify:%s,%s%s'%s: it stops at the first primitive that differs and names it\n",
           a->device, other, bounds ? ",bits" : "", same ? ", on the machine of each receipt" : "");
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
    if (before == 0 && first == 0 && strncmp(names->at[0], "loss", 4) == 0)
        printf("    the first loss differs already: perhaps the data, the seed or the first weights are not the same\n");
    advise(a, b, at->a->number);
}

static int judge(const struct receipt *a, const struct receipt *b, const struct pair *pairs, size_t count)
{
    const struct pair *apart = first_apart(pairs, count);
    size_t before = 0;
    if (strcmp(a->canon, b->canon) != 0 || count == 0) {
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

static int compare(struct receipt *a, struct receipt *b)
{
    size_t na, nb, count = 0;
    struct step **steps_a = indexed(a, &na), **steps_b = indexed(b, &nb);
    struct pair *pairs = steps_a && steps_b ? joined(steps_a, na, steps_b, nb, &count) : NULL;
    int result = EXIT_MISUSE;
    if (!pairs) {
        fprintf(stderr, "lockstep: compare: no memory\n");
    } else {
        describe(a, na);
        describe(b, nb);
        result = judge(a, b, pairs, count);
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
    int result = load(&a, paths[0], partial) && load(&b, paths[1], partial) ? compare(&a, &b) : EXIT_MISUSE;
    unload(&a);
    unload(&b);
    return result;
}
