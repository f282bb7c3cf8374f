/* SPDX-License-Identifier: Apache-2.0
 *
 * Takes one row out of the embedded map: of the switch over specialization constant 0 in SPIR-V, one
 * case, and of the functions, those that are still called. Drivers drop the rest as well, but only
 * after they have read, inlined and folded all rows, which takes some of them seconds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vulkan.h"

enum { HEADER = 5, BOUND = 3 };

enum {
    OP_NAME = 5, OP_MEMBER_NAME = 6, OP_SPEC_CONSTANT = 50, OP_FUNCTION = 54, OP_FUNCTION_END = 56,
    OP_FUNCTION_CALL = 57, OP_DECORATE = 71, OP_SELECTION_MERGE = 247, OP_LABEL = 248, OP_BRANCH = 249,
    OP_SWITCH = 251, OP_ENTRY_POINT = 15, DECORATION_SPEC_ID = 1,
};

struct module {
    const uint32_t *words;
    size_t count;
    uint32_t bound;
    size_t *function;     /* by id: where OpFunction stands, else 0 */
    unsigned char *alive; /* by id: functions that are called */
    unsigned char *gone;  /* by id: results of what is left out */
    size_t switch_at;     /* OpSwitch; the OpSelectionMerge stands before it */
    uint32_t merge, kept; /* labels: behind the switch, of the case */
};

static unsigned opcode(uint32_t word) { return word & 0xffffu; }
static size_t length(uint32_t word) { return word >> 16; }

/* Whether lengths lead from instruction to instruction to the end. The embedded blobs are our own, but a
 * loop must not run away if one is damaged. */
static bool is_sound(const uint32_t *words, size_t count)
{
    size_t at = HEADER;
    while (at < count && length(words[at]) > 0 && at + length(words[at]) <= count)
        at += length(words[at]);
    return count > HEADER && at == count;
}

/* Finds the constant, the switch over it, and the functions. */
static bool survey(struct module *m, uint32_t value)
{
    uint32_t constant = 0;
    for (size_t at = HEADER; at < m->count; at += length(m->words[at])) {
        const uint32_t *w = m->words + at;
        if (opcode(*w) == OP_DECORATE && w[2] == DECORATION_SPEC_ID && w[3] == 0)
            constant = w[1];
        if (opcode(*w) == OP_FUNCTION)
            m->function[w[2]] = at;
        if (opcode(*w) != OP_SWITCH || w[1] != constant || constant == 0)
            continue;
        m->switch_at = at;
        m->merge = w[-2];
        m->kept = w[2];
        for (size_t i = 3; i + 1 < length(*w); i += 2)
            if (w[i] == value)
                m->kept = w[i + 1];
    }
    return m->switch_at != 0;
}

/* Where the instruction behind the skipped blocks of the switch is: blocks from the first label after
 * OpSwitch up to the merge label are left out, but for the kept one. */
static bool is_skipped(const struct module *m, size_t at, bool *inside, bool *skipping)
{
    const uint32_t *w = m->words + at;
    if (at == m->switch_at)
        *inside = true;
    else if (*inside && opcode(*w) == OP_LABEL) {
        *inside = w[1] != m->merge;
        *skipping = *inside && w[1] != m->kept;
    }
    return *inside && *skipping && at != m->switch_at;
}

/* Marks the functions that are reached from this one. */
static void mark(struct module *m, uint32_t id)
{
    if (id >= m->bound || m->alive[id] || m->function[id] == 0)
        return;
    bool inside = false, skipping = false;
    m->alive[id] = 1;
    for (size_t at = m->function[id]; opcode(m->words[at]) != OP_FUNCTION_END; at += length(m->words[at]))
        if (!is_skipped(m, at, &inside, &skipping) && opcode(m->words[at]) == OP_FUNCTION_CALL)
            mark(m, m->words[at + 3]);
}

/* Instructions within functions whose second word is a type and third a result, as far as glslc writes
 * them: all but labels and those without a result. Names and decorations of what is gone must go too. */
static void note_gone(struct module *m, const uint32_t *w)
{
    if (opcode(*w) == OP_LABEL && w[1] < m->bound)
        m->gone[w[1]] = 1;
    else if (length(*w) > 2 && w[2] < m->bound && opcode(*w) != OP_SELECTION_MERGE)
        switch (opcode(*w)) {
        case 62: case 63: case 246: case 249: case 250: case 251: case 253: case 254: case 255:
            break; /* OpStore, OpCopyMemory, OpLoopMerge, branches, returns */
        default:
            m->gone[w[2]] = 1;
        }
}

static size_t write(struct module *m, uint32_t *out)
{
    memcpy(out, m->words, HEADER * sizeof *out);
    size_t used = HEADER;
    bool dead = false, inside = false, skipping = false;
    for (size_t at = HEADER; at < m->count; at += length(m->words[at])) {
        const uint32_t *w = m->words + at;
        if (opcode(*w) == OP_FUNCTION)
            dead = !m->alive[w[2]];
        bool skipped = is_skipped(m, at, &inside, &skipping) || dead;
        if (skipped)
            note_gone(m, w);
        else if (at == m->switch_at) {
            used -= 3; /* OpSelectionMerge */
            out[used++] = 2u << 16 | OP_BRANCH;
            out[used++] = m->kept;
        } else {
            memcpy(out + used, w, length(*w) * sizeof *w);
            used += length(*w);
        }
    }
    /* Once more, without the names and decorations of what is gone. */
    size_t kept = HEADER;
    for (size_t at = HEADER, next; at < used; at = next) {
        unsigned op = opcode(out[at]);
        size_t words = length(out[at]);
        next = at + words;
        if ((op == OP_NAME || op == OP_MEMBER_NAME || op == OP_DECORATE) && m->gone[out[at + 1]])
            continue;
        memmove(out + kept, out + at, words * sizeof *out);
        kept += words;
    }
    return kept;
}

ls_status ls_vk_trim(struct ls_vk_device *device, const uint32_t *words, size_t count, uint32_t value,
                     uint32_t **trimmed, size_t *trimmed_count)
{
    struct module m = {.words = words, .count = count};
    *trimmed = NULL;
    *trimmed_count = 0;
    if (!is_sound(words, count)) {
        snprintf(device->base.message.text, sizeof device->base.message.text, "the embedded shader is damaged");
        return LS_COMPILE_ERROR;
    }
    m.bound = words[BOUND];
    m.function = calloc(m.bound, sizeof *m.function);
    m.alive = calloc(m.bound, 1);
    m.gone = calloc(m.bound, 1);
    uint32_t *out = malloc(count * sizeof *out);
    ls_status status = LS_OK;
    if (m.function == NULL || m.alive == NULL || m.gone == NULL || out == NULL) {
        status = ls_vk_failed(device, VK_ERROR_OUT_OF_HOST_MEMORY, "a shader");
    } else if (!survey(&m, value)) {
        snprintf(device->base.message.text, sizeof device->base.message.text,
                 "the embedded shader has no switch over its first constant");
        status = LS_COMPILE_ERROR;
    } else {
        for (size_t at = HEADER; at < count; at += length(words[at]))
            if (opcode(words[at]) == OP_ENTRY_POINT)
                mark(&m, words[at + 2]);
        *trimmed_count = write(&m, out);
        *trimmed = out;
        out = NULL;
    }
    free(m.function);
    free(m.alive);
    free(m.gone);
    free(out);
    return status;
}
