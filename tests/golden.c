/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads the golden files. See golden.h for the format.
 */
#define _POSIX_C_SOURCE 200809L
#include "golden.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Words ---- */

struct reader {
    const char *file;
    char *next; /* where the next word is looked for */
    char *word; /* the current one; NULL at the end */
    size_t words;
    bool failed;
    FILE *report;
};

static const char *const keywords[] = {"case",    "op",     "covers",    "flags",    "attrs",     "reals",  "input",
                                       "pattern", "output", "cotangent", "gradient", "direction", "second", "end"};

static bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

static void advance(struct reader *r)
{
    char *p = r->next;
    while (is_space(*p))
        p++;
    if (!*p) {
        r->word = NULL;
        return;
    }
    r->word = p;
    while (*p && !is_space(*p))
        p++;
    if (*p)
        *p++ = '\0';
    r->next = p;
    r->words++;
}

static bool fail(struct reader *r, const char *what)
{
    if (!r->failed && r->report)
        fprintf(r->report, "%s, word %zu, \"%s\": %s\n", r->file, r->words, r->word ? r->word : "(end)", what);
    r->failed = true;
    return false;
}

static bool at(const struct reader *r, const char *keyword) { return r->word && strcmp(r->word, keyword) == 0; }

static bool at_keyword(const struct reader *r)
{
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (at(r, keywords[i]))
            return true;
    return !r->word;
}

static int64_t integer(struct reader *r)
{
    char *end = NULL;
    errno = 0;
    long long value = r->word ? strtoll(r->word, &end, 10) : 0;
    if (!r->word || end == r->word || *end || errno)
        fail(r, "an integer is expected");
    advance(r);
    return value;
}

/* The bits of `digits` hex digits. */
static uint64_t bits(struct reader *r, size_t digits)
{
    if (!r->word || strlen(r->word) != digits || strspn(r->word, "0123456789abcdef") != digits) {
        fail(r, digits == 8 ? "8 hex digits are expected" : "16 hex digits are expected");
        return 0;
    }
    uint64_t value = strtoull(r->word, NULL, 16);
    advance(r);
    return value;
}

static float single(struct reader *r)
{
    uint32_t word = (uint32_t)bits(r, 8);
    float value;
    memcpy(&value, &word, sizeof value);
    return value;
}

static double real(struct reader *r)
{
    if (r->word && strlen(r->word) == 8)
        return (double)single(r);
    uint64_t word = bits(r, 16);
    double value;
    memcpy(&value, &word, sizeof value);
    return value;
}

/* ---- Arrays ---- */

static bool read_dtype(struct reader *r, struct golden_array *a)
{
    for (ls_dtype d = 0; d < LS_DTYPE_COUNT; d++)
        if (at(r, ls_dtype_name(d))) {
            a->dtype = d;
            advance(r);
            return true;
        }
    return fail(r, "a type is expected");
}

static bool read_shape(struct reader *r, struct golden_array *a)
{
    a->shape = ls_shape_of(0, NULL);
    a->size = 1;
    if (at(r, "()")) {
        advance(r);
        return true;
    }
    for (char *p = r->word; p;) {
        char *end;
        long long size = strtoll(p, &end, 10);
        if (end == p || size < 0 || size > 1 << 20 || a->shape.rank == LS_MAX_RANK || (*end && *end != 'x'))
            return fail(r, "a shape is expected");
        a->shape.dim[a->shape.rank++] = size;
        a->size *= size;
        if (a->size > 1 << 24)
            return fail(r, "the shape is too large");
        p = *end ? end + 1 : NULL;
    }
    if (!r->word)
        return fail(r, "a shape is expected");
    advance(r);
    return true;
}

/* Zeroed room for the elements; one at least, so that NULL means failure. */
static bool make_room(struct reader *r, struct golden_array *a, bool reals)
{
    size_t n = a->size ? (size_t)a->size : 1;
    void *room = calloc(n, reals ? sizeof(double) : sizeof(int32_t));
    *(reals ? (void **)&a->real : &a->data) = room;
    a->given = room != NULL;
    return a->given || fail(r, "memory is exhausted");
}

static void read_elements(struct reader *r, struct golden_array *a)
{
    if (!make_room(r, a, false))
        return;
    for (int64_t i = 0; i < a->size && !r->failed; i++)
        switch (a->dtype) {
        case LS_FLOAT32: ((float *)a->data)[i] = single(r); break;
        case LS_INT32: ((int32_t *)a->data)[i] = (int32_t)integer(r); break;
        case LS_FLOAT16:
        case LS_BFLOAT16: ((uint16_t *)a->data)[i] = (uint16_t)integer(r); break;
        default: ((uint8_t *)a->data)[i] = (uint8_t)integer(r);
        }
}

static void read_reals(struct reader *r, struct golden_array *a)
{
    a->bound = real(r);
    if (!make_room(r, a, true))
        return;
    if (at(r, "zeros")) {
        advance(r);
        return;
    }
    for (int64_t i = 0; i < a->size && !r->failed; i++)
        a->real[i] = real(r);
}

/* Multiples of 2^-23 in [-1, 1), from position and seed. */
static void fill_pattern(float *data, int64_t size, uint32_t seed)
{
    for (int64_t i = 0; i < size; i++) {
        uint32_t word = (uint32_t)i * 2654435761u + seed * 40503u;
        word = (word ^ (word >> 15)) * 2246822519u;
        word ^= word >> 13;
        data[i] = (float)((double)(word >> 8) * 0x1p-23 - 1.0);
    }
}

/* ---- Cases ---- */

/* The array that belongs to input number `index` (of `limit`), with that input's shape. */
static struct golden_array *array_of_input(struct reader *r, struct golden_case *c, struct golden_array *arrays,
                                           int limit)
{
    int64_t index = integer(r);
    if (r->failed || index < 0 || index >= limit || arrays[index].given) {
        fail(r, "no such input, or a second time");
        return NULL;
    }
    struct golden_array *a = &arrays[index];
    const struct golden_array *shape = index == c->inputs ? &c->cotangent : &c->input[index];
    a->dtype = LS_FLOAT32;
    a->shape = shape->shape;
    a->size = shape->size;
    return a;
}

static void read_field(struct reader *r, struct golden_case *c)
{
    struct golden_array *a;
    if (at(r, "op")) {
        advance(r);
        c->op = r->word;
        advance(r);
    } else if (at(r, "covers")) {
        for (advance(r); !at_keyword(r) && !r->failed; advance(r)) {
            if (c->covers == GOLDEN_COVERS)
                fail(r, "too many names");
            else
                c->cover[c->covers++] = r->word;
        }
    } else if (at(r, "flags")) {
        for (advance(r); !at_keyword(r) && !r->failed; advance(r)) {
            unsigned flag = at(r, "subnormal") ? GOLDEN_SUBNORMAL : at(r, "no_gradient") ? GOLDEN_NO_GRADIENT : 0;
            if (!flag)
                fail(r, "no such flag");
            c->flags |= flag;
        }
    } else if (at(r, "attrs")) {
        for (advance(r); !at_keyword(r) && !r->failed;) {
            if (c->attrs == GOLDEN_ATTRS)
                fail(r, "too many attributes");
            else
                c->attr[c->attrs++] = integer(r);
        }
    } else if (at(r, "reals")) {
        for (advance(r); !at_keyword(r) && !r->failed;) {
            if (c->reals == GOLDEN_REALS)
                fail(r, "too many reals");
            else
                c->real[c->reals++] = single(r);
        }
    } else if (at(r, "input") || at(r, "pattern")) {
        bool pattern = at(r, "pattern");
        advance(r);
        if (c->inputs == GOLDEN_INPUTS) {
            fail(r, "too many inputs");
            return;
        }
        a = &c->input[c->inputs++];
        if (!read_dtype(r, a) || !read_shape(r, a))
            return;
        if (!pattern)
            read_elements(r, a);
        else if (make_room(r, a, false))
            fill_pattern(a->data, a->size, (uint32_t)integer(r));
    } else if (at(r, "output")) {
        advance(r);
        if (c->outputs == GOLDEN_OUTPUTS) {
            fail(r, "too many outputs");
            return;
        }
        a = &c->output[c->outputs++];
        if (!read_dtype(r, a) || !read_shape(r, a))
            return;
        if (a->dtype == LS_FLOAT32)
            read_reals(r, a);
        else
            read_elements(r, a);
    } else if (at(r, "cotangent") && c->outputs) {
        advance(r);
        a = &c->cotangent;
        a->shape = c->output[0].shape;
        a->size = c->output[0].size;
        if (a->given)
            fail(r, "a second cotangent");
        else
            read_elements(r, a);
    } else if (at(r, "gradient")) {
        advance(r);
        if ((a = array_of_input(r, c, c->gradient, c->inputs)))
            read_reals(r, a);
    } else if (at(r, "direction")) {
        advance(r);
        if ((a = array_of_input(r, c, c->direction, c->inputs)))
            read_elements(r, a);
    } else if (at(r, "second") && c->cotangent.given) {
        advance(r);
        if ((a = array_of_input(r, c, c->second, c->inputs + 1)))
            read_reals(r, a);
    } else {
        fail(r, "not expected here");
    }
}

static void read_file(struct reader *r, struct golden_set *set)
{
    advance(r);
    if (!at(r, "lockstep-golden"))
        fail(r, "not a golden file");
    advance(r);
    if (!r->failed && integer(r) != 1)
        fail(r, "another version of the format");
    int64_t cases = 0;
    while (!r->failed && at(r, "case")) {
        struct golden_case *more = realloc(set->cases, (set->count + 1) * sizeof *more);
        if (!more) {
            fail(r, "memory is exhausted");
            return;
        }
        set->cases = more;
        struct golden_case *c = &more[set->count++];
        memset(c, 0, sizeof *c);
        advance(r);
        c->name = r->word;
        advance(r);
        while (!r->failed && !at(r, "case") && !at(r, "end"))
            read_field(r, c);
        if (!r->failed && (!c->name || !c->op || !c->outputs))
            fail(r, "a case without name, op or output");
        cases++;
    }
    if (!r->failed && !at(r, "end"))
        fail(r, "`end` is missing");
    advance(r);
    if (!r->failed && integer(r) != cases)
        fail(r, "another number of cases than the file promises");
    if (!r->failed && r->word)
        fail(r, "text after the end");
}

static char *read_text(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    if (file && fseek(file, 0, SEEK_END) == 0) {
        long size = ftell(file);
        rewind(file);
        text = size >= 0 ? malloc((size_t)size + 1) : NULL;
        if (text) {
            size_t got = fread(text, 1, (size_t)size, file);
            text[got] = '\0';
        }
    }
    if (file)
        fclose(file);
    return text;
}

static int is_golden(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return dot && strcmp(dot, ".golden") == 0;
}

bool golden_load(struct golden_set *set, const char *folder, FILE *report)
{
    *set = (struct golden_set){0};
    struct dirent **entries = NULL;
    int files = scandir(folder, &entries, is_golden, alphasort);
    bool ok = files > 0;
    if (!ok && report)
        fprintf(report, "%s: no golden files\n", folder);
    set->text = files > 0 ? calloc((size_t)files, sizeof *set->text) : NULL;
    for (int i = 0; i < files; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        char *text = ok && set->text ? read_text(path) : NULL;
        struct reader r = {.file = path, .next = text, .report = report};
        if (text) {
            set->text[set->texts++] = text;
            read_file(&r, set);
        } else if (ok) {
            fail(&r, "cannot be read");
        }
        ok = ok && !r.failed;
        free(entries[i]);
    }
    free(entries);
    if (!ok)
        golden_unload(set);
    return ok;
}

static void free_arrays(struct golden_array *arrays, int count)
{
    for (int i = 0; i < count; i++) {
        free(arrays[i].data);
        free(arrays[i].real);
    }
}

void golden_unload(struct golden_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        struct golden_case *c = &set->cases[i];
        free_arrays(c->input, GOLDEN_INPUTS);
        free_arrays(c->output, GOLDEN_OUTPUTS);
        free_arrays(&c->cotangent, 1);
        free_arrays(c->gradient, GOLDEN_INPUTS);
        free_arrays(c->direction, GOLDEN_INPUTS);
        free_arrays(c->second, GOLDEN_INPUTS + 1);
    }
    for (size_t i = 0; i < set->texts; i++)
        free(set->text[i]);
    free(set->text);
    free(set->cases);
    *set = (struct golden_set){0};
}
