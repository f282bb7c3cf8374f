/* SPDX-License-Identifier: Apache-2.0
 *
 * What tapes keep. An entry's arrays lie in the tape's arena; the values that its rule reads hold
 * references to their storage, so nothing is copied.
 */
#include "record.h"

#include <stdlib.h>
#include <string.h>

struct ls_arena_block {
    struct ls_arena_block *next;
    size_t used, capacity;
    max_align_t data[];
};

static void *arena_alloc(struct ls_tape *tape, size_t bytes)
{
    bytes = (bytes + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    struct ls_arena_block *block = tape->arena;
    if (!block || block->capacity - block->used < bytes) {
        size_t capacity = bytes > 16000 ? bytes : 16000;
        block = malloc(sizeof *block + capacity);
        if (!block)
            return NULL;
        *block = (struct ls_arena_block){.next = tape->arena, .capacity = capacity};
        tape->arena = block;
    }
    void *memory = (char *)block->data + block->used;
    block->used += bytes;
    return memory;
}

/* ---- The table from value ids to the tape's own numbers ---- */

static size_t place(const struct ls_tape *tape, uint64_t id)
{
    size_t mask = tape->table_capacity - 1;
    size_t at = (size_t)(id * 0x9e3779b97f4a7c15u >> 20) & mask;
    while (tape->keys[at] && tape->keys[at] != id)
        at = (at + 1) & mask;
    return at;
}

int32_t ls_tape_find(const struct ls_tape *tape, uint64_t id)
{
    if (tape->table_capacity == 0)
        return -1;
    size_t at = place(tape, id);
    return tape->keys[at] ? tape->numbers[at] : -1;
}

static bool grow(struct ls_tape *tape)
{
    size_t capacity = tape->table_capacity ? 2 * tape->table_capacity : 64;
    struct ls_tape bigger = {.keys = calloc(capacity, sizeof(uint64_t)),
                             .numbers = malloc(capacity * sizeof(int32_t)),
                             .table_capacity = capacity};
    if (!bigger.keys || !bigger.numbers) {
        free(bigger.keys);
        free(bigger.numbers);
        return false;
    }
    for (size_t i = 0; i < tape->table_capacity; i++) {
        if (tape->keys[i]) {
            size_t at = place(&bigger, tape->keys[i]);
            bigger.keys[at] = tape->keys[i];
            bigger.numbers[at] = tape->numbers[i];
        }
    }
    free(tape->keys);
    free(tape->numbers);
    tape->keys = bigger.keys;
    tape->numbers = bigger.numbers;
    tape->table_capacity = capacity;
    return true;
}

static int32_t no_memory(struct ls_tape *tape)
{
    ls_fail(tape->ls, LS_OUT_OF_MEMORY, "no host memory for the tape");
    return -1;
}

/* Follows a value from now on; its number, or -1 without memory (raised). */
static int32_t follow(struct ls_tape *tape, uint64_t id)
{
    if (2 * (size_t)tape->value_count >= tape->table_capacity && !grow(tape))
        return no_memory(tape);
    size_t at = place(tape, id);
    if (!tape->keys[at]) {
        tape->keys[at] = id;
        tape->numbers[at] = tape->value_count++;
    }
    return tape->numbers[at];
}

void ls_tape_clear(struct ls_tape *tape)
{
    for (size_t e = 0; e < tape->entry_count; e++) {
        struct ls_entry *entry = &tape->entries[e];
        for (int i = 0; i < entry->inputs; i++)
            ls_value_release(tape->ls, &entry->in[i]);
        ls_value_release(tape->ls, &entry->out);
    }
    tape->entry_count = 0;
    while (tape->arena) {
        struct ls_arena_block *next = tape->arena->next;
        free(tape->arena);
        tape->arena = next;
    }
    free(tape->entries);
    free(tape->keys);
    free(tape->numbers);
    tape->entries = NULL;
    tape->keys = NULL;
    tape->numbers = NULL;
    tape->entry_capacity = tape->table_capacity = 0;
    tape->value_count = 0;
}

void ls_tape_free(struct ls_tape *tape)
{
    struct ls_tape **link = &tape->ls->tapes;
    while (*link != tape)
        link = &(*link)->next;
    *link = tape->next;
    ls_tape_clear(tape);
    for (size_t v = 0; tape->read && v < tape->watched_count; v++)
        ls_value_release(tape->ls, &tape->read[v]);
    free(tape->read);
    free(tape->watched);
    free(tape->reasons);
    free(tape);
}

/* Releases the tapes that were begun in a scope or inside it. */
void ls_tapes_end_scope(ls_context *ls, int scope)
{
    for (struct ls_tape *tape = ls->tapes, *next; tape; tape = next) {
        next = tape->next;
        if (tape->scope >= scope)
            ls_tape_free(tape);
    }
}

void ls_tapes_stop(ls_context *ls, int by)
{
    for (struct ls_tape *tape = ls->tapes; tape; tape = tape->next)
        tape->stopped += by;
}

/* ---- Recording ---- */

bool ls_tape_recording(const struct ls_tape *tape) { return !tape->ended && tape->stopped == 0; }

bool ls_recording(const ls_context *ls)
{
    for (const struct ls_tape *tape = ls->tapes; tape; tape = tape->next)
        if (ls_tape_recording(tape) && !tape->only_watches)
            return true;
    return false;
}

static bool note_variable(struct ls_tape *tape, ls_tensor variable)
{
    if (tape->watched_count == tape->watched_capacity) {
        size_t capacity = tape->watched_capacity ? 2 * tape->watched_capacity : 16;
        ls_tensor *watched = realloc(tape->watched, capacity * sizeof *watched);
        if (!watched)
            return false;
        tape->watched = watched;
        struct ls_value *read = tape->only_watches ? realloc(tape->read, capacity * sizeof *read) : NULL;
        if (tape->only_watches && !read)
            return false;
        tape->read = read;
        tape->watched_capacity = capacity;
    }
    if (tape->only_watches)
        tape->read[tape->watched_count] = ls_value_retain(&ls_slot_of(variable)->value);
    tape->watched[tape->watched_count++] = variable;
    return true;
}

int32_t ls_tape_watch(struct ls_tape *tape, ls_tensor tensor)
{
    const struct ls_slot *slot = ls_slot_of(tensor);
    int32_t number = ls_tape_find(tape, slot->value.id);
    if (number >= 0)
        return number;
    if (ls_slot_is_variable(slot) && !note_variable(tape, tensor))
        return no_memory(tape);
    return follow(tape, slot->value.id);
}

static struct ls_value keep(const struct ls_value *value, bool elements)
{
    struct ls_value kept = *value;
    if (elements)
        return ls_value_retain(value);
    kept.storage = NULL;
    return kept;
}

/* Whether the tape follows a tensor; a trainable variable it does from its first use on. */
static bool follows_input(struct ls_tape *tape, ls_tensor tensor)
{
    const struct ls_slot *slot = ls_slot_of(tensor);
    if (!slot)
        return false;
    if (tape->only_watches ? ls_slot_is_variable(slot) : slot->trainable && !tape->options.ignore_accessed_variables)
        return ls_tape_watch(tape, tensor) >= 0;
    return ls_tape_find(tape, slot->value.id) >= 0;
}

static bool record_on(struct ls_tape *tape, const struct ls_op *op, const ls_tensor *in, int inputs, ls_tensor out,
                      uint32_t saves, const void *attributes, size_t bytes)
{
    bool follows = false;
    for (int i = 0; i < inputs; i++)
        follows |= follows_input(tape, in[i]);
    if (!follows || tape->only_watches)
        return tape->ls->error == LS_OK;
    if (tape->entry_count == tape->entry_capacity) {
        size_t capacity = tape->entry_capacity ? 2 * tape->entry_capacity : 32;
        struct ls_entry *entries = realloc(tape->entries, capacity * sizeof *entries);
        if (!entries)
            return no_memory(tape), false;
        tape->entries = entries;
        tape->entry_capacity = capacity;
    }
    struct ls_entry entry = {.op = op, .inputs = inputs};
    entry.in = arena_alloc(tape, (size_t)inputs * sizeof *entry.in);
    entry.in_index = arena_alloc(tape, (size_t)inputs * sizeof *entry.in_index);
    entry.attributes = bytes ? arena_alloc(tape, bytes) : NULL;
    if (!entry.in || !entry.in_index || (bytes && !entry.attributes))
        return no_memory(tape), false;
    if (bytes)
        memcpy(entry.attributes, attributes, bytes);
    const struct ls_slot *result = ls_slot_of(out);
    entry.out_index = follow(tape, result->value.id);
    if (entry.out_index < 0)
        return false;
    entry.out = keep(&result->value, saves & LS_SAVE_OUT);
    for (int i = 0; i < inputs; i++) {
        const struct ls_slot *slot = ls_slot_of(in[i]);
        entry.in_index[i] = slot ? ls_tape_find(tape, slot->value.id) : -1;
        bool save = i < 30 ? saves >> i & 1 : (saves & LS_SAVE_ALL_IN) == LS_SAVE_ALL_IN;
        entry.in[i] = slot ? keep(&slot->value, save) : (struct ls_value){0};
    }
    tape->entries[tape->entry_count++] = entry;
    return true;
}

void ls_tapes_read(ls_context *ls, ls_tensor tensor)
{
    for (struct ls_tape *tape = ls->tapes; tape; tape = tape->next)
        if (tape->only_watches && ls_tape_recording(tape))
            follows_input(tape, tensor);
}

ls_tensor ls_record(ls_context *ls, const struct ls_op *op, const ls_tensor *in, int inputs, ls_tensor out,
                    uint32_t saves, const void *attributes, size_t bytes)
{
    if (!out.context)
        return out;
    if (ls->numerics && !ls_numerics_check(ls, op, in, inputs, out))
        return (ls_tensor){0};
    for (struct ls_tape *tape = ls->tapes; tape; tape = tape->next)
        if (ls_tape_recording(tape) && !record_on(tape, op, in, inputs, out, saves, attributes, bytes))
            return (ls_tensor){0};
    return out;
}
