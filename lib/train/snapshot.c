/* SPDX-License-Identifier: Apache-2.0
 *
 * Snapshots: a safetensors file whose tensors are called "model0/mlp/dense/kernel", "optimizer0/adam/iteration",
 * "dataset0/position".
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lockstep/random.h>
#include <lockstep/snapshot.h>

#include "../core/internal.h"
#include "../io/bytes.h"
#include "../io/safetensors.h"
#include "../nn/layer.h"
#include "../nn/optimizer.h"
#include "history.h"
#include "train.h"
#include "weights.h"

#define VERSION_KEY     "lockstep.snapshot"
#define VERSION         "1"
#define FINGERPRINT_KEY "lockstep.fingerprint"
#define CANON_KEY       "lockstep.canon"

enum { NAME = 640, RANDOM_BYTES = 12, COUNTER_BYTES = 16 };

/* ---- What is in it: variables, and a few bytes besides ---- */

/* Room for everything; names and bytes are owned. */
struct contents {
    ls_context *ls;
    struct ls_named_data *items;
    size_t count;
};

/* Adds an item under "<kind><i>/<name>"; takes a copy of the bytes. */
static void add(struct contents *c, const char *kind, size_t i, const char *name, ls_tensor tensor, const void *bytes,
                size_t size)
{
    if (ls_failed(c->ls))
        return;
    char *full = malloc(NAME), *copy = size ? malloc(size) : NULL;
    if (!full || (size && !copy) || !ls_grow((void **)&c->items, c->count, sizeof *c->items)) {
        free(full);
        free(copy);
        ls_fail(c->ls, LS_OUT_OF_MEMORY, "snapshot: no host memory");
        return;
    }
    snprintf(full, NAME, "%s%zu/%s", kind, i, name);
    if (size)
        memcpy(copy, bytes, size);
    c->items[c->count++] = (struct ls_named_data){full, tensor, copy, size};
}

static void add_variables(struct contents *c, const char *kind, size_t i, ls_variables variables)
{
    for (size_t v = 0; v < variables.count; v++)
        add(c, kind, i, ls_name(variables.items[v]), variables.items[v], NULL, 0);
}

static void free_contents(struct contents *c)
{
    for (size_t i = 0; i < c->count; i++) {
        free((void *)c->items[i].name);
        free((void *)c->items[i].bytes);
    }
    free(c->items);
}

static void add_all_variables(struct contents *c, const ls_snapshot *s)
{
    for (size_t i = 0; s->models && s->models[i]; i++)
        add_variables(c, "model", i, ls_all_variables(s->models[i]));
    for (size_t i = 0; s->optimizers && s->optimizers[i]; i++)
        add_variables(c, "optimizer", i, ls_optimizer_variables(s->optimizers[i]));
    for (size_t i = 0; s->metrics && s->metrics[i]; i++)
        add_variables(c, "metric", i, ls_metric_variables(s->metrics[i]));
}

/* ---- Numbers as bytes, the same on every machine ---- */

static void put_u64(unsigned char *to, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        to[i] = (unsigned char)(value >> 8 * i);
}

static void add_random(struct contents *c)
{
    ls_random_state state;
    unsigned char bytes[16];
    if (ls_get_random_state(c->ls, &state) != LS_OK)
        return;
    put_u64(bytes, state.seed);
    put_u64(bytes + 8, state.step);
    add(c, "random", 0, "state", (ls_tensor){0}, bytes, RANDOM_BYTES);
}

static void add_callback(struct contents *c, size_t i, const ls_callback *callback)
{
    const char *name;
    for (size_t n = 0; (name = ls_callback_number_name(callback, n)); n++) {
        unsigned char bytes[8];
        double value = ls_callback_number(callback, name);
        uint64_t bits;
        memcpy(&bits, &value, sizeof bits);
        put_u64(bytes, bits);
        add(c, "callback", i, name, (ls_tensor){0}, bytes, sizeof bytes);
    }
}

/* A column as epoch, value and presence of every row. */
enum { ROW = 24 };

static void add_history(struct contents *c, const ls_history *history)
{
    size_t rows = ls_history_epochs(history), columns = ls_history_names(history);
    unsigned char *bytes = malloc(rows ? rows * ROW : 1);
    if (!bytes)
        ls_fail(c->ls, LS_OUT_OF_MEMORY, "snapshot: no host memory");
    for (size_t k = 0; bytes && k < columns; k++) {
        const char *name = ls_history_name(history, k);
        for (size_t i = 0; i < rows; i++) {
            double value = ls_history_value(history, name, i);
            uint64_t bits;
            memcpy(&bits, &value, sizeof bits);
            put_u64(bytes + i * ROW, (uint64_t)ls_history_epoch(history, i));
            put_u64(bytes + i * ROW + 8, bits);
            put_u64(bytes + i * ROW + 16, ls_history_has(history, name, i));
        }
        add(c, "history", 0, name, (ls_tensor){0}, bytes, rows * ROW);
    }
    free(bytes);
}

static void add_numbers(struct contents *c, const ls_snapshot *s)
{
    unsigned char counters[COUNTER_BYTES];
    add_random(c);
    for (size_t i = 0; s->datasets && s->datasets[i]; i++) {
        ls_dataset_position position;
        if (ls_dataset_save_position(s->datasets[i], &position) == LS_OK)
            add(c, "dataset", i, "position", (ls_tensor){0}, position.bytes, sizeof position.bytes);
    }
    for (size_t i = 0; s->callbacks && s->callbacks[i]; i++) {
        add_callback(c, i, s->callbacks[i]);
        add_variables(c, "kept", i, ls_callback_variables(s->callbacks[i]));
    }
    if (s->history)
        add_history(c, s->history);
    put_u64(counters, s->epoch ? (uint64_t)*s->epoch : 0);
    put_u64(counters + 8, s->batch ? (uint64_t)*s->batch : 0);
    add(c, "loop", 0, "epoch_and_batch", (ls_tensor){0}, counters, sizeof counters);
}

/* ---- Saving ---- */

/* The fingerprint of all tensors in the order of `items`. */
static ls_fingerprint_text fingerprint(ls_context *ls, const struct ls_named_data *items, size_t count)
{
    ls_tensor *tensors = malloc((count + 1) * sizeof *tensors);
    size_t n = 0;
    for (size_t i = 0; tensors && i < count; i++)
        if (items[i].tensor.context)
            tensors[n++] = items[i].tensor;
    ls_fingerprint_text text = tensors ? ls_fingerprint(tensors, n) : (ls_fingerprint_text){""};
    if (!tensors)
        ls_fail(ls, LS_OUT_OF_MEMORY, "snapshot: no host memory");
    free(tensors);
    return text;
}

/* True where nothing is wrong with the call itself. */
static bool check(const ls_snapshot *s)
{
    if (!s || !s->context || ls_failed(s->context))
        return false;
    if (!s->path)
        ls_fail(s->context, LS_INVALID_ARGUMENT, "snapshot: no path was given");
    for (size_t i = 0; s->models && s->models[i]; i++)
        if (s->models[i]->context != s->context)
            ls_fail(s->context, LS_FOREIGN_HANDLE, "snapshot: the model %s belongs to another context",
                    ls_layer_name(s->models[i]));
    for (size_t i = 0; s->optimizers && s->optimizers[i]; i++)
        if (s->optimizers[i]->context != s->context)
            ls_fail(s->context, LS_FOREIGN_HANDLE, "snapshot: the optimizer %s belongs to another context",
                    s->optimizers[i]->name);
    return !ls_failed(s->context);
}

ls_status ls_save_snapshot(const ls_snapshot *s)
{
    if (!check(s))
        return s && s->context ? ls_error(s->context) : LS_INVALID_ARGUMENT;
    struct contents c = {.ls = s->context};
    char canon[16];
    ls_scope_begin(c.ls);
    add_all_variables(&c, s);
    ls_fingerprint_text text = fingerprint(c.ls, c.items, c.count);
    add_numbers(&c, s);
    snprintf(canon, sizeof canon, "%d", ls_canon_version());
    const char *metadata[] = {VERSION_KEY, VERSION, FINGERPRINT_KEY, text.text, CANON_KEY, canon, NULL};
    if (!ls_failed(c.ls))
        ls_safetensors_save(c.ls, s->path, c.items, c.count, metadata);
    free_contents(&c);
    return ls_scope_end(c.ls);
}

/* ---- Loading ---- */

static ls_safetensors *open_snapshot(const ls_snapshot *s)
{
    ls_safetensors *file = ls_safetensors_open(s->context, s->path);
    const char *version = ls_safetensors_metadata(file, VERSION_KEY), *canon = ls_safetensors_metadata(file, CANON_KEY);
    if (!file)
        return NULL;
    const char *wrong = !version || !canon || !ls_safetensors_metadata(file, "lockstep.crc32c")
                            ? "is no snapshot; ls_load_weights reads other safetensors"
                        : strcmp(version, VERSION) != 0 ? "is a snapshot of another version of Lockstep"
                                                        : NULL;
    if (wrong) {
        ls_fail(s->context, LS_BAD_FILE, "%s: %s", s->path, wrong);
        ls_safetensors_close(&file);
        return NULL;
    }
    if (atoi(canon) != ls_canon_version())
        ls_say(s->context, LS_LOG_WARNING,
               "%s: was written with version %s of the arithmetic, this is %d: training goes on, "
               "but not with the same bits",
               s->path, canon, ls_canon_version());
    return file;
}

/* Bytes of a known size; what is missing is noted. */
static bool get(struct ls_loading *loading, ls_safetensors *file, const char *name, unsigned char *bytes, size_t size)
{
    ptrdiff_t i = ls_safetensors_find(file, name);
    if (i >= 0 && ls_safetensors_size(file, (size_t)i) == size)
        return ls_safetensors_bytes(file, (size_t)i, bytes) == LS_OK;
    ls_loading_misfit(loading, LS_NOT_FOUND, i < 0 ? "%s is missing" : "%s has another size", name);
    return false;
}

/* Makes the slots that the optimizer had: those whose names are in the file. */
static void make_slots(ls_safetensors *file, const ls_snapshot *s, size_t i)
{
    char name[NAME], var[300];
    ls_optimizer *optimizer = s->optimizers[i];
    for (size_t m = 0; s->models && s->models[m]; m++) {
        ls_variables list = ls_all_variables(s->models[m]);
        for (size_t v = 0; v < list.count; v++) {
            snprintf(var, sizeof var, "%s", ls_name(list.items[v]));
            for (char *c = var; *c; c++)
                *c = *c == '/' ? '_' : *c;
            int n = snprintf(name, sizeof name, "optimizer%zu/%s/%s_", i, optimizer->name, var);
            for (size_t k = 0; k < ls_safetensors_count(file); k++)
                if (strncmp(ls_safetensors_name(file, k), name, (size_t)n) == 0 &&
                    !strchr(ls_safetensors_name(file, k) + n, '/')) {
                    ls_optimizer_build(optimizer, (ls_variables){&list.items[v], 1, NULL});
                    break;
                }
        }
    }
}

static void load_variables(struct ls_loading *loading, ls_safetensors *file, const struct contents *c)
{
    for (size_t i = 0; i < c->count && !ls_failed(c->ls); i++) {
        const char *name = c->items[i].name;
        if (ls_safetensors_find(file, name) < 0)
            ls_loading_misfit(loading, LS_NOT_FOUND, "%s is missing", name);
        else
            ls_loading_add(loading, c->items[i].tensor, ls_safetensors_read(file, name));
    }
    /* What is there and has no place. */
    static const char *const kinds[] = {"model", "optimizer", "metric"};
    for (size_t k = 0; k < ls_safetensors_count(file); k++) {
        const char *name = ls_safetensors_name(file, k);
        bool known = false, of_kind = false;
        for (size_t i = 0; i < c->count && !known; i++)
            known = strcmp(c->items[i].name, name) == 0;
        for (int i = 0; i < 3; i++)
            of_kind |= strncmp(name, kinds[i], strlen(kinds[i])) == 0;
        if (of_kind && !known)
            ls_loading_misfit(loading, LS_NOT_FOUND, "there is nothing for %.200s", name);
    }
}

/* What the file says beside the variables. */
struct numbers {
    ls_random_state random;
    ls_dataset_position *positions, *before; /* of each data set: new, and to go back to */
    size_t dataset_count;
    int64_t epoch, batch;
};

static void read_numbers(struct ls_loading *loading, ls_safetensors *file, const ls_snapshot *s, struct numbers *n)
{
    unsigned char bytes[16];
    char name[64];
    if (get(loading, file, "random0/state", bytes, RANDOM_BYTES))
        n->random = (ls_random_state){ls_get_u64(bytes), ls_get_u32(bytes + 8)};
    if (get(loading, file, "loop0/epoch_and_batch", bytes, COUNTER_BYTES)) {
        n->epoch = (int64_t)ls_get_u64(bytes);
        n->batch = (int64_t)ls_get_u64(bytes + 8);
    }
    while (s->datasets && s->datasets[n->dataset_count])
        n->dataset_count++;
    n->positions = calloc(2 * n->dataset_count + 1, sizeof *n->positions);
    n->before = n->positions + n->dataset_count;
    if (!n->positions)
        ls_fail(loading->ls, LS_OUT_OF_MEMORY, "%s: no host memory to load it", s->path);
    for (size_t i = 0; n->positions && i < n->dataset_count; i++) {
        snprintf(name, sizeof name, "dataset%zu/position", i);
        get(loading, file, name, n->positions[i].bytes, sizeof n->positions[i].bytes);
        ls_dataset_save_position(s->datasets[i], &n->before[i]);
    }
}

/* The numbers of callbacks: all are looked up; set only if `set`. */
static void load_callbacks(struct ls_loading *loading, ls_safetensors *file, const ls_snapshot *s, bool set)
{
    for (size_t i = 0; s->callbacks && s->callbacks[i]; i++) {
        const char *number;
        for (size_t n = 0; (number = ls_callback_number_name(s->callbacks[i], n)); n++) {
            unsigned char bytes[8];
            char name[NAME];
            snprintf(name, sizeof name, "callback%zu/%s", i, number);
            if (!get(loading, file, name, bytes, sizeof bytes) || !set)
                continue;
            uint64_t bits = ls_get_u64(bytes);
            double value;
            memcpy(&value, &bits, sizeof value);
            ls_callback_set_number(s->callbacks[i], number, value);
        }
    }
}

/* The tensors that a callback kept, which are named as all variables of one of the models. */
static void load_kept(ls_safetensors *file, const ls_snapshot *s, size_t i)
{
    for (size_t m = 0; s->models && s->models[m]; m++) {
        ls_variables list = ls_all_variables(s->models[m]);
        ls_tensor *values = calloc(list.count + 1, sizeof *values);
        size_t found = 0;
        for (char name[NAME]; values && found < list.count; found++) {
            snprintf(name, sizeof name, "kept%zu/%s", i, ls_name(list.items[found]));
            if (ls_safetensors_find(file, name) < 0)
                break;
            values[found] = ls_variable(ls_safetensors_read(file, name), ls_name(list.items[found]), false); /* named */
        }
        if (!values)
            ls_fail(s->context, LS_OUT_OF_MEMORY, "%s: no host memory to load it", s->path);
        else if (found > 0 && found == list.count)
            ls_callback_set_variables(s->callbacks[i], values, found);
        while (values && found-- > 0)
            ls_variable_destroy(&values[found]);
        free(values);
    }
}

/* Row i of the columns in the file, into the logs. False when there is no such row. */
static bool history_row(ls_safetensors *file, size_t i, ls_logs *logs, int *epoch)
{
    bool any = false;
    for (size_t k = 0; k < ls_safetensors_count(file); k++) {
        const char *name = ls_safetensors_name(file, k);
        size_t size = ls_safetensors_size(file, k);
        unsigned char *bytes = strncmp(name, "history0/", 9) == 0 && size >= (i + 1) * ROW ? malloc(size) : NULL;
        if (!bytes)
            continue;
        if (ls_safetensors_bytes(file, k, bytes) == LS_OK) {
            double value;
            uint64_t bits = ls_get_u64(bytes + i * ROW + 8);
            memcpy(&value, &bits, sizeof value);
            *epoch = (int)ls_get_u64(bytes + i * ROW);
            if (ls_get_u64(bytes + i * ROW + 16))
                ls_logs_set(logs, name + 9, value);
            any = true;
        }
        free(bytes);
    }
    return any;
}

static void load_history(ls_safetensors *file, ls_history *history)
{
    for (size_t i = 0; !ls_failed(history->context); i++) {
        ls_logs logs = {.count = 0};
        int epoch = 0;
        if (!history_row(file, i, &logs, &epoch))
            return;
        ls_history_add(history, epoch, &logs);
    }
}

/* Data sets can still refuse; then those before go back. */
static bool restore_positions(const ls_snapshot *s, const struct numbers *n)
{
    for (size_t i = 0; i < n->dataset_count; i++)
        if (ls_dataset_restore_position(s->datasets[i], &n->positions[i]) != LS_OK) {
            char message[800];
            ls_status status = ls_error(s->context);
            snprintf(message, sizeof message, "%s", ls_error_message(s->context));
            ls_clear_error(s->context);
            while (i-- > 0)
                ls_dataset_restore_position(s->datasets[i], &n->before[i]);
            ls_fail(s->context, status, "%s: data set: %s", s->path, message);
            return false;
        }
    return true;
}

/* Whether the values that were read are those that were saved; a device of class T says so in the prefix alone. */
static bool same_fingerprint(const struct ls_loading *loading, const ls_safetensors *file)
{
    const char *saved = ls_safetensors_metadata(file, FINGERPRINT_KEY);
    ls_tensor *values = malloc((loading->count + 1) * sizeof *values);
    for (size_t i = 0; values && i < loading->count; i++)
        values[i] = loading->values[i].value;
    ls_fingerprint_text now = values ? ls_fingerprint(values, loading->count) : (ls_fingerprint_text){""};
    free(values);
    const char *a = saved ? strchr(saved, ':') : NULL, *b = strchr(now.text, ':');
    if (!ls_failed(loading->ls) && (!a || !b || strcmp(a, b) != 0))
        ls_fail(loading->ls, LS_BAD_FILE, "%s: its tensors have the fingerprint %s, and had %s when they were saved",
                loading->path, now.text, saved ? saved : "none");
    return !ls_failed(loading->ls);
}

static void load_all(struct ls_loading *loading, ls_safetensors *file, const ls_snapshot *s, struct contents *c)
{
    struct numbers numbers = {.positions = NULL};
    for (size_t i = 0; s->optimizers && s->optimizers[i]; i++)
        make_slots(file, s, i);
    add_all_variables(c, s);
    load_variables(loading, file, c);
    read_numbers(loading, file, s, &numbers);
    load_callbacks(loading, file, s, false);
    if (ls_loading_check(loading, "what the snapshot is loaded into") == LS_OK && same_fingerprint(loading, file) &&
        restore_positions(s, &numbers)) {
        ls_loading_finish(loading);
        ls_set_random_state(c->ls, &numbers.random);
        load_callbacks(loading, file, s, true);
        for (size_t i = 0; s->callbacks && s->callbacks[i]; i++)
            load_kept(file, s, i);
        if (s->history)
            load_history(file, s->history);
        if (s->epoch)
            *s->epoch = numbers.epoch;
        if (s->batch)
            *s->batch = numbers.batch;
    }
    free(numbers.positions);
}

ls_status ls_load_snapshot(const ls_snapshot *s)
{
    if (!check(s))
        return s && s->context ? ls_error(s->context) : LS_INVALID_ARGUMENT;
    struct contents c = {.ls = s->context};
    struct ls_loading loading = {.ls = s->context, .path = s->path};
    ls_safetensors *file = open_snapshot(s);
    if (!file)
        return ls_error(s->context);
    ls_scope_begin(c.ls);
    load_all(&loading, file, s, &c);
    ls_loading_free(&loading);
    free_contents(&c);
    ls_safetensors_close(&file);
    return ls_scope_end(c.ls);
}
