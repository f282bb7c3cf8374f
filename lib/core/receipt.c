/* SPDX-License-Identifier: Apache-2.0
 *
 * What a step leaves is an entry in `words`, an int32 array on the device: the step's number, then two
 * words for each tensor. The host knows each entry's layout. When the array is full, and at the end, it
 * is read and written to the file.
 */
#include "receipt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "env.h"
#include "receipt_file.h"
#include "record.h"
#include "recorder.h"

enum { WORDS = 1 << 16, REMEMBERED = 4, MOST_LOSSES = 8 };

/* What the digests of a step are of. */
struct layout {
    ls_tensor iterations; /* of the optimizer */
    ls_tensor *variables;
    bool *has_gradient;
    size_t losses, count, words; /* of the entry */
};

/* An optimizer, and how many steps it has made as far as the host knows (only where `every` is not 1). */
struct counted {
    ls_tensor iterations; /* which it is */
    int64_t steps; /* below 0: not known */
    int assigned;  /* how often `iterations` was, since the last step; a step does it once itself */
    int number; /* among those of the same name */
    char name[64];
};

struct entry {
    size_t layout, at;
};

/* One call of ls_gradient: its targets, and the values that it gave. */
struct remembered {
    struct ls_value target[MOST_LOSSES];
    size_t targets;
    uint64_t first, last;
};

struct ls_receipt {
    char *path;
    bool append, failed;
    int64_t every;
    FILE *file;
    struct ls_receipt_line line;
    int64_t written;

    struct layout *layouts;
    size_t layout_count;
    struct counted *optimizers;
    size_t optimizer_count;
    struct remembered calls[REMEMBERED];
    unsigned next_call;

    ls_tensor *assigned; /* since the last step, while a tape recorded: moving averages */
    size_t assigned_count, assigned_capacity;

    struct ls_storage *words;
    size_t used;
    struct entry *entries;
    size_t entry_count, entry_capacity;
};

/* A recorded step: its row, and the nodes that fill it. */
struct ls_receipt_mark {
    struct ls_storage *row;
    size_t layout, begin, end;
    bool due;
};

static bool grow(void **items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return true;
    size_t more = *capacity ? 2 * *capacity : 64;
    void *grown = realloc(*items, more * size);
    if (grown) {
        *items = grown;
        *capacity = more;
    }
    return grown != NULL;
}

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
                ls_fail(ls, LS_INVALID_ARGUMENT, "LOCKSTEP_RECEIPT=%.300s: every=N takes a number from 1 on", words);
                return;
            }
        } else if (strchr(comma, '/') || strchr(comma, '.')) {
            break; /* part of the name */
        } else {
            ls_fail(ls, LS_INVALID_ARGUMENT, "LOCKSTEP_RECEIPT=%.300s: \"%.60s\" is not understood; there are every=N and append",
                    words, comma + 1);
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

/* What `append` finds: whether it is a receipt, whether it has a line yet, and whether its last one is cut off. */
static bool is_receipt(const char *path, bool *begun, bool *torn)
{
    static const char magic[] = LS_RECEIPT_MAGIC "\t";
    char start[64] = "";
    FILE *file = fopen(path, "rb");
    size_t size = file ? fread(start, 1, sizeof start - 1, file) : 0;
    *begun = memchr(start, '\n', size) != NULL;
    *torn = *begun && (fseek(file, -1, SEEK_END) != 0 || fgetc(file) != '\n');
    if (file)
        fclose(file);
    return *begun ? strncmp(start, magic, sizeof magic - 1) == 0 : strncmp(magic, start, size) == 0;
}

static bool refuse_file(ls_context *ls, struct ls_receipt *r, const char *why)
{
    r->failed = true;
    ls_fail(ls, LS_FILE_ERROR, "LOCKSTEP_RECEIPT: %.300s cannot be written: %s", r->path, why);
    return false;
}

static bool begin_file(ls_context *ls, struct ls_receipt *r)
{
    bool begun = false, torn = false;
    if (r->file)
        return true;
    number_file(r);
    if (r->append && !is_receipt(r->path, &begun, &torn))
        return refuse_file(ls, r, "it is not a receipt that could be continued; name another file");
    r->file = fopen(r->path, begun ? "ab" : "wb");
    if (!r->file)
        return refuse_file(ls, r, strerror(errno));
    if (torn)
        fputc('\n', r->file);
    setvbuf(r->file, NULL, _IOFBF, 1 << 16);
    return ls_receipt_head(&r->line, r->file, &ls->device->info);
}

/* ---- Layouts ---- */

static bool is_same(ls_tensor a, ls_tensor b)
{
    return a.context == b.context && a.index == b.index && a.generation == b.generation;
}

static struct counted *counted(struct ls_receipt *r, const struct ls_receipt_step *step)
{
    int same = 1;
    for (size_t i = 0; i < r->optimizer_count; i++) {
        if (is_same(r->optimizers[i].iterations, step->iterations))
            return &r->optimizers[i];
        same += strcmp(r->optimizers[i].name, step->name) == 0;
    }
    struct counted *more = realloc(r->optimizers, (r->optimizer_count + 1) * sizeof *more);
    if (!more)
        return NULL;
    r->optimizers = more;
    struct counted *new = &more[r->optimizer_count++];
    *new = (struct counted){.iterations = step->iterations, .steps = -1, .number = same};
    snprintf(new->name, sizeof new->name, "%s", step->name);
    return new;
}

/*
 * Counts a step, and whether it is one of those to be written. The number is read, and waited for, only once and after a
 * state was loaded: which steps are written depends on where the run continues. `own`: the step has assigned it already.
 */
static bool is_due(ls_context *ls, const struct ls_receipt *r, struct counted *optimizer, int own)
{
    if (r->every == 1)
        return true;
    if (optimizer->steps < 0 || optimizer->assigned != own) {
        int32_t done = 0;
        const struct ls_slot *slot = ls_slot_of(optimizer->iterations);
        struct ls_buffer *buffer = slot ? ls_value_buffer(ls, &slot->value) : NULL;
        if (buffer)
            ls->device->backend->read(ls->device, buffer, 0, &done, sizeof done);
        optimizer->steps = done - own;
    }
    optimizer->assigned = 0;
    return ++optimizer->steps % r->every == 0;
}

static bool fits(const struct layout *layout, const struct ls_receipt_step *step, size_t losses)
{
    if (!is_same(layout->iterations, step->iterations) || layout->count != step->count || layout->losses != losses)
        return false;
    for (size_t i = 0; i < step->count; i++)
        if (!is_same(layout->variables[i], step->variables[i]) ||
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

/* The number of the step's layout; a new one is written to the file. False without memory. */
static bool find_layout(struct ls_receipt *r, const struct ls_receipt_step *step, size_t losses,
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

/* ---- Losses ---- */

static void forget_call(ls_context *ls, struct remembered *call)
{
    for (size_t i = 0; i < call->targets; i++)
        ls_value_release(ls, &call->target[i]);
    *call = (struct remembered){.targets = 0};
}

void ls_receipt_gradient(ls_context *ls, const ls_tensor *targets, size_t target_count, const ls_tensor *gradients,
                         size_t count)
{
    struct ls_receipt *r = ls->receipt;
    struct remembered call = {.targets = 0};
    for (size_t i = 0; i < count; i++) {
        const struct ls_slot *slot = ls_slot_of(gradients[i]);
        if (slot && call.first == 0)
            call.first = slot->value.id;
        if (slot)
            call.last = slot->value.id;
    }
    if (!r || r->failed || ls_failed(ls) || call.first == 0)
        return;
    for (size_t i = 0; i < target_count && i < MOST_LOSSES; i++)
        if (ls_slot_of(targets[i]))
            call.target[call.targets++] = ls_value_retain(&ls_slot_of(targets[i])->value);
    struct remembered *place = &r->calls[r->next_call++ % REMEMBERED];
    forget_call(ls, place);
    *place = call;
}

/* The call that made the step's gradients; the last one if the program changed them in between. */
static const struct remembered *call_of(const struct ls_receipt *r, const struct ls_receipt_step *step)
{
    for (unsigned k = 0; k < REMEMBERED; k++) {
        const struct remembered *call = &r->calls[(r->next_call + REMEMBERED - 1 - k) % REMEMBERED];
        for (size_t i = 0; i < step->count && call->first; i++) {
            const struct ls_slot *slot = ls_slot_of(step->given[i]);
            if (slot && (slot->value.id == call->first || slot->value.id == call->last))
                return call;
        }
    }
    return &r->calls[(r->next_call + REMEMBERED - 1) % REMEMBERED];
}

/* ---- Variables that the forward pass assigned ---- */

static bool is_among(const ls_tensor *items, size_t count, ls_tensor variable)
{
    while (count-- > 0)
        if (is_same(items[count], variable))
            return true;
    return false;
}

void ls_receipt_assigned(ls_context *ls, ls_tensor variable)
{
    struct ls_receipt *r = ls->receipt;
    for (size_t i = 0; i < r->optimizer_count; i++)
        r->optimizers[i].assigned += is_same(r->optimizers[i].iterations, variable);
    if (r->failed || !ls_recording(ls) || is_among(r->assigned, r->assigned_count, variable))
        return;
    if (grow((void **)&r->assigned, r->assigned_count, &r->assigned_capacity, sizeof *r->assigned))
        r->assigned[r->assigned_count++] = variable;
    else
        ls_fail(ls, LS_OUT_OF_MEMORY, "no host memory for a receipt");
}

/* The step with those variables behind its own, as variables without a gradient; *three holds its lists. */
static bool with_assigned(struct ls_receipt *r, struct ls_receipt_step *step, ls_tensor **three)
{
    size_t most = step->count + r->assigned_count, count = step->count;
    ls_tensor *lists = calloc(3 * most + 1, sizeof *lists);
    *three = lists;
    if (!lists)
        return false;
    memcpy(lists, step->given, count * sizeof *lists);
    memcpy(lists + most, step->applied, count * sizeof *lists);
    memcpy(lists + 2 * most, step->variables, count * sizeof *lists);
    for (size_t i = 0; i < r->assigned_count; i++)
        if (ls_slot_of(r->assigned[i]) && !is_among(step->variables, step->count, r->assigned[i]))
            lists[2 * most + count++] = r->assigned[i];
    r->assigned_count = 0;
    step->given = lists;
    step->applied = lists + most;
    step->variables = lists + 2 * most;
    step->count = count;
    return true;
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

/* From here on nothing is written; the program goes on, and ls_close says so. */
static void give_up(ls_context *ls, struct ls_receipt *r)
{
    r->failed = true;
    ls_say(ls, LS_LOG_ERROR, "LOCKSTEP_RECEIPT: %.300s cannot be written after step %lld", r->path, (long long)r->written);
}

/* Room for an entry; where it begins, or -1. */
static int64_t reserve(ls_context *ls, struct ls_receipt *r, size_t layout)
{
    size_t need = r->layouts[layout].words;
    if (r->used + need > WORDS && !write_entries(ls, r)) {
        give_up(ls, r);
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
    if (!r->words || !grow((void **)&r->entries, r->entry_count, &r->entry_capacity, sizeof *r->entries))
        return -1;
    r->entries[r->entry_count++] = (struct entry){layout, r->used};
    r->used += need;
    return (int64_t)(r->used - need);
}

static void copy_words(ls_context *ls, struct ls_buffer *src, struct ls_buffer *dst, int64_t at, int64_t n)
{
    struct ls_copy_nd_args args = {.src = src, .dst = dst, .dtype = LS_INT32, .rank = 1, .extent = {n},
                                   .dst_offset = at, .src_stride = {1}, .dst_stride = {1}};
    if (src)
        ls_dispatch_copy_nd(ls, &args);
}

/* Tensors put into calls of `digest`, as many as one takes. */
static void add_digest(ls_context *ls, struct ls_digest_args *args, const struct ls_value *value, bool last)
{
    if (value)
        args->input[args->inputs++] =
            (struct ls_digest_input){ls_value_buffer(ls, value), value->dtype, ls_shape_elements(&value->shape)};
    if (args->inputs == LS_DIGEST_INPUTS || (last && args->inputs > 0)) {
        ls_dispatch_digest(ls, args);
        args->at += 2 * (int64_t)args->inputs;
        args->inputs = 0;
    }
}

static void write_digests(ls_context *ls, const struct ls_receipt_step *step, const struct remembered *call,
                          struct ls_buffer *dst, int64_t at)
{
    struct ls_digest_args args = {.dst = dst, .at = at + 1};
    copy_words(ls, ls_value_buffer(ls, &ls_slot_of(step->iterations)->value), dst, at, 1);
    for (size_t i = 0; i < call->targets; i++)
        add_digest(ls, &args, &call->target[i], false);
    for (size_t i = 0; i < step->count; i++)
        if (!ls_is_nil(step->applied[i]))
            add_digest(ls, &args, &ls_slot_of(step->applied[i])->value, false);
    for (size_t i = 0; i < step->count; i++)
        add_digest(ls, &args, &ls_slot_of(step->variables[i])->value, false);
    add_digest(ls, &args, NULL, true);
}

static void make_buffers(ls_context *ls, const struct ls_receipt_step *step, const struct remembered *call)
{
    for (size_t i = 0; i < call->targets; i++)
        ls_value_buffer(ls, &call->target[i]);
    for (size_t i = 0; i < step->count; i++) {
        if (!ls_is_nil(step->applied[i]))
            ls_value_buffer(ls, &ls_slot_of(step->applied[i])->value);
        ls_value_buffer(ls, &ls_slot_of(step->variables[i])->value);
    }
}

/* While a function is recorded: into a row that belongs to it. */
static void record_step(ls_context *ls, struct ls_receipt *r, const struct ls_receipt_step *step,
                        const struct remembered *call, size_t layout, bool due)
{
    struct ls_recorder *recorder = ls->recorder;
    struct ls_receipt_mark *marks = realloc(recorder->marks, (recorder->mark_count + 1) * sizeof *marks);
    if (marks)
        recorder->marks = marks;
    struct ls_storage *row = marks ? ls_storage_new(ls, LS_INT32, (int64_t)r->layouts[layout].words) : NULL;
    if (!row) {
        ls_fail(ls, LS_OUT_OF_MEMORY, "no host memory for the receipt of a captured step");
        return;
    }
    make_buffers(ls, step, call); /* before the nodes that a replay may leave out */
    size_t begin = recorder->count;
    write_digests(ls, step, call, row->buffer, 0);
    recorder->marks[recorder->mark_count++] = (struct ls_receipt_mark){row, layout, begin, recorder->count, due};
}

static void write_step(ls_context *ls, struct ls_receipt *r, const struct ls_receipt_step *step)
{
    struct counted *optimizer = counted(r, step);
    const struct remembered *call = call_of(r, step);
    size_t layout;
    bool due = optimizer && is_due(ls, r, optimizer, 1);
    if (!optimizer || ((due || ls->recorder) && !find_layout(r, step, call->targets, optimizer, &layout))) {
        give_up(ls, r);
        return;
    }
    if (ls->recorder) {
        record_step(ls, r, step, call, layout, due);
    } else if (due) {
        int64_t at = reserve(ls, r, layout);
        if (at >= 0)
            write_digests(ls, step, call, r->words->buffer, at);
    }
}

void ls_receipt_step(ls_context *ls, const struct ls_receipt_step *step)
{
    struct ls_receipt *r = ls->receipt;
    if (!r || r->failed || ls_failed(ls) || !begin_file(ls, r))
        return;
    struct ls_receipt_step whole = *step;
    ls_tensor *lists = NULL;
    if (r->assigned_count == 0)
        write_step(ls, r, step);
    else if (with_assigned(r, &whole, &lists))
        write_step(ls, r, &whole);
    else
        give_up(ls, r);
    free(lists);
}

/* ---- Capture ---- */

void ls_receipt_replays(ls_context *ls, struct ls_recorder *recorder)
{
    struct ls_receipt *r = ls->receipt;
    for (size_t i = 0; i < recorder->mark_count; i++) {
        struct ls_receipt_mark *mark = &recorder->marks[i];
        mark->due = false;
        for (size_t o = 0; o < r->optimizer_count && !r->failed; o++)
            if (is_same(r->optimizers[o].iterations, r->layouts[mark->layout].iterations))
                mark->due = is_due(ls, r, &r->optimizers[o], 0);
    }
}

bool ls_receipt_skips(const struct ls_recorder *recorder, size_t n)
{
    for (size_t i = 0; i < recorder->mark_count; i++)
        if (n >= recorder->marks[i].begin && n < recorder->marks[i].end)
            return !recorder->marks[i].due;
    return false;
}

void ls_receipt_replayed(ls_context *ls, struct ls_recorder *recorder)
{
    struct ls_receipt *r = ls->receipt;
    for (size_t i = 0; i < recorder->mark_count && r && !r->failed; i++) {
        struct ls_receipt_mark *mark = &recorder->marks[i];
        int64_t at = mark->due ? reserve(ls, r, mark->layout) : -1;
        if (at >= 0)
            copy_words(ls, mark->row->buffer, r->words->buffer, at, (int64_t)r->layouts[mark->layout].words);
    }
}

void ls_receipt_forget(ls_context *ls, struct ls_recorder *recorder)
{
    for (size_t i = 0; i < recorder->mark_count; i++)
        ls_storage_release(ls, recorder->marks[i].row);
    free(recorder->marks);
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
        forget_call(ls, &r->calls[i]);
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
