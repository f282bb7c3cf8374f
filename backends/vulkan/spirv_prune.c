/* SPDX-License-Identifier: Apache-2.0
 *
 * Specialization ahead of the driver. A shader that has every row in one switch takes a driver a
 * third of a second to specialize, since it reads and inlines all of it first; this takes less than
 * a millisecond and leaves it one row to read.
 */
#include <stdlib.h>
#include <string.h>

#include "spirv_words.h"

enum { SPEC_ID = 1 }; /* the decoration */

/* What is known of an id. */
enum {
    KNOWN = 1,     /* a bool or a 32-bit integer constant: its value is in `values` */
    GIVEN = 2,     /* a specialization constant whose value was given */
    SCALAR = 4,    /* a type: bool or 32-bit integer */
    PLACE = 8,     /* a function or block: `places` says where */
    REACHED = 16,  /* such a place that can be reached */
    REMOVED = 32,  /* defined in what is left out */
};

struct pruning {
    const uint32_t *words;
    size_t count;
    uint32_t bound;
    unsigned char *ids;
    uint32_t *values;   /* of constants */
    uint32_t *places;   /* of functions and blocks */
    uint32_t *waiting;  /* functions and blocks that are reached but not walked yet */
    uint32_t waiting_count;
    const struct ls_spirv_constant *constants;
    size_t constant_count;
    uint32_t *out;
    size_t out_count;
};

#define EACH_INSTRUCTION(p, at)                                                                    \
    for (const uint32_t *at = (p)->words + SPIRV_HEADER; at < (p)->words + (p)->count; at += spirv_length(at))

static bool is(const struct pruning *p, uint32_t id, unsigned what)
{
    return id < p->bound && (p->ids[id] & what) != 0;
}

/* ---- constants ---- */

static void know(struct pruning *p, uint32_t id, uint32_t value)
{
    p->ids[id] |= KNOWN;
    p->values[id] = value;
}

/* The operations that conditions over specialization constants are made of. */
static bool compute(uint32_t opcode, uint32_t a, uint32_t b, uint32_t *result)
{
    switch (opcode) {
    case 128: *result = a + b; return true;
    case 130: *result = a - b; return true;
    case 132: *result = a * b; return true;
    case 164: *result = !a == !b; return true; /* OpLogicalEqual, NotEqual, Or, And, Not */
    case 165: *result = !a != !b; return true;
    case 166: *result = a || b; return true;
    case 167: *result = a && b; return true;
    case 168: *result = !a; return true;
    case 170: *result = a == b; return true;
    case 171: *result = a != b; return true;
    case 172: *result = a > b; return true;
    case 173: *result = (int32_t)a > (int32_t)b; return true;
    case 174: *result = a >= b; return true;
    case 175: *result = (int32_t)a >= (int32_t)b; return true;
    case 176: *result = a < b; return true;
    case 177: *result = (int32_t)a < (int32_t)b; return true;
    case 178: *result = a <= b; return true;
    case 179: *result = (int32_t)a <= (int32_t)b; return true;
    case 197: *result = a | b; return true;
    case 199: *result = a & b; return true;
    default: return false;
    }
}

static void learn_operation(struct pruning *p, const uint32_t *at)
{
    uint32_t length = spirv_length(at), result;
    if (length < 5 || length > 6 || !is(p, at[4], KNOWN) || (length == 6 && !is(p, at[5], KNOWN)))
        return;
    if (compute(at[3], p->values[at[4]], length == 6 ? p->values[at[5]] : 0, &result))
        know(p, at[2], result);
}

static void learn_given(struct pruning *p, const uint32_t *at)
{
    for (size_t i = 0; i < p->constant_count && at[2] == SPEC_ID && spirv_length(at) >= 4; i++)
        if (p->constants[i].id == at[3]) {
            p->ids[at[1]] |= GIVEN;
            p->values[at[1]] = p->constants[i].value;
        }
}

static void learn_constant(struct pruning *p, const uint32_t *at)
{
    uint32_t id = at[2];
    bool scalar = is(p, at[1], SCALAR);
    switch (spirv_opcode(at)) {
    case OP_CONSTANT_TRUE: know(p, id, 1); break;
    case OP_CONSTANT_FALSE: know(p, id, 0); break;
    case OP_CONSTANT:
        if (scalar)
            know(p, id, at[3]);
        break;
    case OP_SPEC_CONSTANT:
    case OP_SPEC_CONSTANT_TRUE:
    case OP_SPEC_CONSTANT_FALSE:
        if (is(p, id, GIVEN) && scalar)
            know(p, id, p->values[id]);
        break;
    default: learn_operation(p, at);
    }
}

/* Ids of types and constants are below the bound from here on, and so are those of blocks and functions. */
static enum ls_spirv_result learn(struct pruning *p, const uint32_t *at)
{
    uint32_t opcode = spirv_opcode(at), id = 0;
    switch (opcode) {
    case OP_DECORATE:
    case OP_TYPE_BOOL:
    case OP_TYPE_INT:
    case OP_LABEL: id = at[1]; break;
    case OP_FUNCTION:
    case OP_CONSTANT:
    case OP_CONSTANT_TRUE:
    case OP_CONSTANT_FALSE:
    case OP_SPEC_CONSTANT:
    case OP_SPEC_CONSTANT_TRUE:
    case OP_SPEC_CONSTANT_FALSE:
    case OP_SPEC_CONSTANT_OP: id = at[2]; break;
    default: return LS_SPIRV_OK;
    }
    if (id == 0 || id >= p->bound)
        return LS_SPIRV_BAD_ID;
    if (opcode == OP_DECORATE)
        learn_given(p, at);
    else if (opcode == OP_TYPE_BOOL || opcode == OP_TYPE_INT)
        p->ids[id] |= opcode == OP_TYPE_BOOL || at[2] == 32 ? SCALAR : 0;
    else if (opcode == OP_LABEL || opcode == OP_FUNCTION) {
        p->ids[id] |= PLACE;
        p->places[id] = (uint32_t)(at - p->words);
    } else {
        learn_constant(p, at);
    }
    return LS_SPIRV_OK;
}

/* ---- what can be reached ---- */

static enum ls_spirv_result reach(struct pruning *p, uint32_t id)
{
    if (!is(p, id, PLACE))
        return LS_SPIRV_BAD_ID;
    if (!is(p, id, REACHED))
        p->waiting[p->waiting_count++] = id;
    p->ids[id] |= REACHED;
    return LS_SPIRV_OK;
}

/* Where a branch on a constant goes, else 0. */
static uint32_t only_target(const struct pruning *p, const uint32_t *at)
{
    if (spirv_opcode(at) == OP_BRANCH)
        return at[1];
    if ((spirv_opcode(at) != OP_BRANCH_CONDITIONAL && spirv_opcode(at) != OP_SWITCH) || !is(p, at[1], KNOWN))
        return 0;
    uint32_t value = p->values[at[1]];
    if (spirv_opcode(at) == OP_BRANCH_CONDITIONAL)
        return value ? at[2] : at[3];
    for (uint32_t i = 3; i + 1 < spirv_length(at); i += 2)
        if (at[i] == value)
            return at[i + 1];
    return at[2];
}

/* Whether a block that ends so can go to that label. Among the words of a switch there are literals,
 * one or two each; one that looks like the label counts, which keeps too much but never too little. */
static bool goes_to(const struct pruning *p, const uint32_t *at, uint32_t label)
{
    uint32_t only = only_target(p, at);
    bool any = only == label;
    for (uint32_t i = 2; i < spirv_length(at) && only == 0; i++)
        any |= (spirv_opcode(at) == OP_BRANCH_CONDITIONAL || spirv_opcode(at) == OP_SWITCH) && at[i] == label;
    return any;
}

static bool ends_block(uint32_t opcode)
{
    return (opcode >= OP_BRANCH && opcode <= OP_UNREACHABLE) || opcode == OP_FUNCTION_END;
}

/* A selection whose branch is decided is none any more. A switch stays one, of a single case, as
 * what is nested in that may leave it by a break. */
static bool is_decided_merge(const struct pruning *p, const uint32_t *at)
{
    const uint32_t *next = at + spirv_length(at);
    return spirv_opcode(at) == OP_SELECTION_MERGE && next < p->words + p->count &&
           spirv_opcode(next) == OP_BRANCH_CONDITIONAL && only_target(p, next) != 0;
}

static enum ls_spirv_result reach_from(struct pruning *p, const uint32_t *at)
{
    uint32_t opcode = spirv_opcode(at), only = only_target(p, at);
    enum ls_spirv_result result = LS_SPIRV_OK;
    if (opcode == OP_FUNCTION_CALL)
        return reach(p, at[3]);
    if (opcode == OP_SELECTION_MERGE && !is_decided_merge(p, at))
        return reach(p, at[1]);
    if (opcode == OP_LOOP_MERGE) {
        result = reach(p, at[1]);
        return result == LS_SPIRV_OK ? reach(p, at[2]) : result;
    }
    if (only != 0)
        return reach(p, only);
    if (opcode == OP_BRANCH_CONDITIONAL) {
        result = reach(p, at[2]);
        return result == LS_SPIRV_OK ? reach(p, at[3]) : result;
    }
    for (uint32_t i = 2; i < spirv_length(at) && opcode == OP_SWITCH; i++)
        if (is(p, at[i], PLACE))
            result = reach(p, at[i]);
    return result;
}

static enum ls_spirv_result reach_all(struct pruning *p)
{
    enum ls_spirv_result result = LS_SPIRV_OK;
    EACH_INSTRUCTION(p, at)
        if (spirv_opcode(at) == OP_ENTRY_POINT && result == LS_SPIRV_OK)
            result = reach(p, at[2]);
    while (p->waiting_count > 0 && result == LS_SPIRV_OK) {
        const uint32_t *at = p->words + p->places[p->waiting[--p->waiting_count]];
        const uint32_t *end = p->words + p->count;
        bool function = spirv_opcode(at) == OP_FUNCTION;
        for (at += spirv_length(at); at < end && result == LS_SPIRV_OK; at += spirv_length(at)) {
            if (function && spirv_opcode(at) == OP_LABEL) {
                result = reach(p, at[1]);
                break;
            }
            result = reach_from(p, at);
            if (ends_block(spirv_opcode(at)))
                break;
        }
    }
    return result;
}

/* ---- what is written ---- */

/* The id that an instruction in a function defines, or 0. */
static uint32_t defined_by(const uint32_t *at)
{
    switch (spirv_opcode(at)) {
    case OP_NOP:
    case OP_LINE:
    case OP_NO_LINE:
    case OP_FUNCTION_END:
    case OP_STORE:
    case OP_COPY_MEMORY:
    case OP_COPY_MEMORY_SIZED:
    case OP_IMAGE_WRITE:
    case OP_CONTROL_BARRIER:
    case OP_MEMORY_BARRIER:
    case OP_ATOMIC_STORE:
    case OP_LOOP_MERGE:
    case OP_SELECTION_MERGE: return 0;
    case OP_LABEL: return at[1];
    default: return ends_block(spirv_opcode(at)) || spirv_length(at) < 3 ? 0 : at[2];
    }
}

/* Where an instruction stands: outside of functions, or in a function and block that are reached or not. */
struct standing {
    bool inside, function_reached, block_reached;
};

static bool is_kept(const struct pruning *p, const uint32_t *at, struct standing *s)
{
    uint32_t opcode = spirv_opcode(at);
    if (opcode == OP_FUNCTION)
        *s = (struct standing){true, is(p, at[2], REACHED), true};
    if (opcode == OP_LABEL)
        s->block_reached = is(p, at[1], REACHED);
    if (opcode == OP_FUNCTION_END)
        s->block_reached = true;
    bool kept = !s->inside || (s->function_reached && s->block_reached);
    s->inside &= opcode != OP_FUNCTION_END;
    return kept;
}

static void mark_removed(struct pruning *p)
{
    struct standing s = {0};
    EACH_INSTRUCTION(p, at)
    {
        uint32_t id = defined_by(at);
        if (!is_kept(p, at, &s) && id < p->bound)
            p->ids[id] |= REMOVED;
    }
}

static void put(struct pruning *p, const uint32_t *words, size_t count)
{
    memcpy(p->out + p->out_count, words, count * sizeof *words);
    p->out_count += count;
}

#define PUT(p, ...) put(p, (uint32_t[]){__VA_ARGS__}, sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

/* A phi without the blocks it is not entered from any more. */
static void put_phi(struct pruning *p, const uint32_t *at, uint32_t label)
{
    uint32_t *head = p->out + p->out_count;
    put(p, at, 3);
    for (uint32_t i = 3; i + 1 < spirv_length(at); i += 2) {
        if (!is(p, at[i + 1], REACHED))
            continue;
        const uint32_t *end = p->words + p->places[at[i + 1]];
        while (end + spirv_length(end) < p->words + p->count && !ends_block(spirv_opcode(end)))
            end += spirv_length(end);
        if (goes_to(p, end, label))
            put(p, at + i, 2);
    }
    *head = (uint32_t)(p->out + p->out_count - head) << 16 | OP_PHI;
}

static void put_constant(struct pruning *p, const uint32_t *at)
{
    if (spirv_opcode(at) == OP_SPEC_CONSTANT)
        PUT(p, 4u << 16 | OP_CONSTANT, at[1], at[2], p->values[at[2]]);
    else
        PUT(p, 3u << 16 | (p->values[at[2]] ? OP_CONSTANT_TRUE : OP_CONSTANT_FALSE), at[1], at[2]);
}

static void put_one(struct pruning *p, const uint32_t *at, uint32_t label)
{
    switch (spirv_opcode(at)) {
    case OP_NAME:
    case OP_MEMBER_NAME:
    case OP_DECORATE:
        if (is(p, at[1], REMOVED) || (spirv_opcode(at) == OP_DECORATE && at[2] == SPEC_ID && is(p, at[1], GIVEN) && is(p, at[1], KNOWN)))
            return;
        break;
    case OP_SPEC_CONSTANT:
    case OP_SPEC_CONSTANT_TRUE:
    case OP_SPEC_CONSTANT_FALSE:
        if (!is(p, at[2], KNOWN))
            break;
        put_constant(p, at);
        return;
    case OP_PHI: put_phi(p, at, label); return;
    case OP_SELECTION_MERGE:
        if (is_decided_merge(p, at))
            return;
        break;
    case OP_BRANCH_CONDITIONAL:
        if (only_target(p, at) == 0)
            break;
        PUT(p, 2u << 16 | OP_BRANCH, only_target(p, at));
        return;
    case OP_SWITCH:
        if (only_target(p, at) == 0)
            break;
        PUT(p, 3u << 16 | OP_SWITCH, at[1], only_target(p, at));
        return;
    default: break;
    }
    put(p, at, spirv_length(at));
}

static void put_all(struct pruning *p)
{
    struct standing s = {0};
    uint32_t label = 0;
    put(p, p->words, SPIRV_HEADER);
    EACH_INSTRUCTION(p, at)
    {
        label = spirv_opcode(at) == OP_LABEL ? at[1] : label;
        if (is_kept(p, at, &s))
            put_one(p, at, label);
    }
}

/* ---- */

static enum ls_spirv_result prune(struct pruning *p)
{
    p->ids = calloc(p->bound, 1);
    p->values = calloc(p->bound, 3 * sizeof *p->values);
    p->out = malloc(p->count * sizeof *p->out); /* nothing gets longer */
    if (!p->ids || !p->values || !p->out)
        return LS_SPIRV_NO_MEMORY;
    p->places = p->values + p->bound;
    p->waiting = p->places + p->bound;
    enum ls_spirv_result result = LS_SPIRV_OK;
    EACH_INSTRUCTION(p, at)
        if (result == LS_SPIRV_OK)
            result = learn(p, at);
    if (result == LS_SPIRV_OK)
        result = reach_all(p);
    if (result != LS_SPIRV_OK)
        return result;
    mark_removed(p);
    put_all(p);
    return LS_SPIRV_OK;
}

enum ls_spirv_result ls_spirv_specialize(const uint32_t *words, size_t count, const struct ls_spirv_constant *constants,
                                         size_t constant_count, uint32_t **out, size_t *out_count)
{
    *out = NULL;
    *out_count = 0;
    enum ls_spirv_result result = ls_spirv_check(words, count);
    if (result != LS_SPIRV_OK)
        return result;
    struct pruning p = {.words = words, .count = count, .bound = words[3], .constants = constants, .constant_count = constant_count};
    result = prune(&p);
    free(p.ids);
    free(p.values);
    if (result != LS_SPIRV_OK) {
        free(p.out);
        return result;
    }
    *out = p.out;
    *out_count = p.out_count;
    return LS_SPIRV_OK;
}
