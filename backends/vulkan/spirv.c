/* SPDX-License-Identifier: Apache-2.0
 *
 * One walk to learn what the module has, one to write it again with what it lacks. The layout of a
 * module (SPIR-V specification, 2.4) is a row of sections; what is added goes to the end of one.
 */
#include <stdlib.h>
#include <string.h>

#include "spirv_words.h"

enum {
    CAPABILITY_FLOAT64 = 10,
    CAPABILITY_DENORM_PRESERVE = 4464,
    CAPABILITY_PRESERVE_SPECIAL = 4466,
    CAPABILITY_ROUND_TO_EVEN = 4467,
    CAPABILITY_FMA = 6030,

    MODE_DENORM_PRESERVE = 4459,
    MODE_DENORM_FLUSH = 4460,
    MODE_PRESERVE_SPECIAL = 4461,
    MODE_ROUND_TO_EVEN = 4462,
    MODE_ROUND_TO_ZERO = 4463,

    NO_CONTRACTION = 42, /* a decoration */
    GLSL_FMA = 50,       /* of GLSL.std.450 */
};

/* What additions come after; everything from the types on is REST. */
enum section { CAPABILITIES, EXTENSIONS, IMPORTS, MODEL, ENTRIES, MODES, DEBUG, ANNOTATIONS, REST };

/* What is known of an id. */
enum { DECORATED = 1, GLSL = 2, FLOAT32 = 4 };

/* The float controls, one row each. */
static const struct control {
    uint32_t capability, mode, opposite;
} controls[] = {
    {CAPABILITY_DENORM_PRESERVE, MODE_DENORM_PRESERVE, MODE_DENORM_FLUSH},
    {CAPABILITY_PRESERVE_SPECIAL, MODE_PRESERVE_SPECIAL, 0},
    {CAPABILITY_ROUND_TO_EVEN, MODE_ROUND_TO_EVEN, MODE_ROUND_TO_ZERO},
};
enum { CONTROLS = sizeof controls / sizeof *controls };

struct module {
    const uint32_t *words;
    size_t count;
    uint32_t bound;
    unsigned char *ids;         /* [bound] */
    unsigned widths[CONTROLS];  /* what is asked for */
    bool fma_khr;
    bool doubles;
    bool any_fma;               /* an fma of floats to be replaced */
    uint32_t *out;              /* NULL while the size is counted */
    size_t out_count;
};

static enum section section_of(uint32_t opcode)
{
    switch (opcode) {
    case OP_CAPABILITY: return CAPABILITIES;
    case OP_EXTENSION: return EXTENSIONS;
    case OP_EXT_INST_IMPORT: return IMPORTS;
    case OP_MEMORY_MODEL: return MODEL;
    case OP_ENTRY_POINT: return ENTRIES;
    case OP_EXECUTION_MODE:
    case 331: /* OpExecutionModeId */ return MODES;
    case OP_NAME:
    case OP_MEMBER_NAME:
    case 2: /* OpSourceContinued, OpSource, OpSourceExtension, OpString */
    case 3:
    case 4:
    case 7:
    case 330: /* OpModuleProcessed */ return DEBUG;
    case OP_DECORATE:
    case 72: /* OpMemberDecorate, OpDecorationGroup, OpGroupDecorate, OpGroupMemberDecorate */
    case 73:
    case OP_GROUP_DECORATE:
    case 75:
    case 332:  /* OpDecorateId */
    case 5632: /* OpDecorateString, OpMemberDecorateString */
    case 5633: return ANNOTATIONS;
    default: return REST;
    }
}

/* The fewest words of an instruction that is looked into. */
static uint32_t shortest(uint32_t opcode)
{
    switch (opcode) {
    case OP_CAPABILITY:
    case OP_EXTENSION:
    case OP_GROUP_DECORATE:
    case OP_NAME:
    case OP_MEMBER_NAME:
    case OP_TYPE_BOOL:
    case OP_LABEL:
    case OP_BRANCH: return 2;
    case OP_EXT_INST_IMPORT:
    case OP_EXECUTION_MODE:
    case OP_TYPE_FLOAT:
    case OP_CONSTANT_TRUE:
    case OP_CONSTANT_FALSE:
    case OP_SPEC_CONSTANT_TRUE:
    case OP_SPEC_CONSTANT_FALSE:
    case OP_SELECTION_MERGE:
    case OP_SWITCH:
    case OP_PHI:
    case OP_DECORATE: return 3;
    case OP_ENTRY_POINT:
    case OP_TYPE_INT:
    case OP_TYPE_VECTOR:
    case OP_CONSTANT:
    case OP_SPEC_CONSTANT:
    case OP_SPEC_CONSTANT_OP:
    case OP_FUNCTION_CALL:
    case OP_LOOP_MERGE:
    case OP_BRANCH_CONDITIONAL:
    case OP_F_NEGATE: return 4;
    case OP_EXT_INST:
    case OP_FUNCTION:
    case OP_F_ADD:
    case OP_F_SUB:
    case OP_F_MUL:
    case OP_F_DIV: return 5;
    case OP_FMA_KHR: return 6;
    default: return 1;
    }
}

/* Whether a literal string of a whole instruction, from word `first` on, is `text`. */
static bool is_text(const uint32_t *at, uint32_t first, const char *text)
{
    size_t size = strlen(text) + 1;
    return size <= (spirv_length(at) - first) * sizeof *at && memcmp(at + first, text, size) == 0;
}

static bool is_id(const struct module *m, uint32_t id) { return id != 0 && id < m->bound; }

static bool is_fma(const struct module *m, const uint32_t *at)
{
    return spirv_opcode(at) == OP_EXT_INST && at[4] == GLSL_FMA && (m->ids[at[3]] & GLSL) != 0;
}

static bool is_arithmetic(const struct module *m, const uint32_t *at)
{
    switch (spirv_opcode(at)) {
    case OP_F_NEGATE:
    case OP_F_ADD:
    case OP_F_SUB:
    case OP_F_MUL:
    case OP_F_DIV:
    case OP_FMA_KHR: return true;
    default: return is_fma(m, at);
    }
}

static bool is_replaced(const struct module *m, const uint32_t *at)
{
    return m->fma_khr && is_fma(m, at) && (m->ids[at[1]] & FLOAT32) != 0;
}

/* ---- the first walk ---- */

/* A mode the module sets itself: asked for again it is one too many, its opposite a conflict. */
static enum ls_spirv_result learn_mode(const struct module *m, const uint32_t *at)
{
    for (int i = 0; i < CONTROLS && spirv_length(at) >= 4; i++) {
        unsigned width = at[3] == 32 ? LS_SPIRV_32 : at[3] == 64 ? LS_SPIRV_64 : 0;
        if (at[2] == controls[i].opposite && (m->widths[i] & width) != 0)
            return LS_SPIRV_CONFLICT;
    }
    return LS_SPIRV_OK;
}

static enum ls_spirv_result learn_group(struct module *m, const uint32_t *at)
{
    for (uint32_t i = 1; i < spirv_length(at); i++) {
        if (!is_id(m, at[i]))
            return LS_SPIRV_BAD_ID;
        m->ids[at[i]] |= m->ids[at[1]] & DECORATED;
    }
    return LS_SPIRV_OK;
}

static enum ls_spirv_result learn_operation(struct module *m, const uint32_t *at)
{
    if (!is_id(m, at[1]) || !is_id(m, at[2]))
        return LS_SPIRV_BAD_ID;
    if (spirv_opcode(at) != OP_EXT_INST)
        return LS_SPIRV_OK;
    if (!is_id(m, at[3]))
        return LS_SPIRV_BAD_ID;
    if (is_fma(m, at) && spirv_length(at) != 8)
        return LS_SPIRV_BAD_INSTRUCTION;
    m->any_fma |= is_replaced(m, at);
    return LS_SPIRV_OK;
}

static enum ls_spirv_result learn(struct module *m, const uint32_t *at)
{
    switch (spirv_opcode(at)) {
    case OP_CAPABILITY:
        m->doubles |= at[1] == CAPABILITY_FLOAT64;
        return LS_SPIRV_OK;
    case OP_EXT_INST_IMPORT:
        if (!is_id(m, at[1]))
            return LS_SPIRV_BAD_ID;
        m->ids[at[1]] |= is_text(at, 2, "GLSL.std.450") ? GLSL : 0;
        return LS_SPIRV_OK;
    case OP_ENTRY_POINT: return is_id(m, at[2]) ? LS_SPIRV_OK : LS_SPIRV_BAD_ID;
    case OP_EXECUTION_MODE: return learn_mode(m, at);
    case OP_DECORATE:
        if (!is_id(m, at[1]))
            return LS_SPIRV_BAD_ID;
        m->ids[at[1]] |= at[2] == NO_CONTRACTION ? DECORATED : 0;
        return LS_SPIRV_OK;
    case OP_GROUP_DECORATE: return learn_group(m, at);
    case OP_TYPE_FLOAT:
    case OP_TYPE_VECTOR:
        if (!is_id(m, at[1]) || (spirv_opcode(at) == OP_TYPE_VECTOR && !is_id(m, at[2])))
            return LS_SPIRV_BAD_ID;
        m->ids[at[1]] |= spirv_opcode(at) == OP_TYPE_VECTOR ? m->ids[at[2]] & FLOAT32
                         : at[2] == 32                   ? FLOAT32
                                                         : 0;
        return LS_SPIRV_OK;
    case OP_EXT_INST:
    case OP_F_NEGATE:
    case OP_F_ADD:
    case OP_F_SUB:
    case OP_F_MUL:
    case OP_F_DIV:
    case OP_FMA_KHR: return learn_operation(m, at);
    default: return LS_SPIRV_OK;
    }
}

static enum ls_spirv_result learn_all(struct module *m)
{
    enum section section = CAPABILITIES;
    bool functions = false;
    for (size_t i = SPIRV_HEADER; i < m->count; i += spirv_length(m->words + i)) {
        const uint32_t *at = m->words + i;
        if (section_of(spirv_opcode(at)) < section)
            return LS_SPIRV_BAD_ORDER;
        section = section_of(spirv_opcode(at));
        functions |= spirv_opcode(at) == OP_FUNCTION;
        enum ls_spirv_result result = learn(m, at);
        if (result != LS_SPIRV_OK)
            return result;
    }
    return functions ? LS_SPIRV_OK : LS_SPIRV_TRUNCATED;
}

/* ---- the second walk ---- */

static void put(struct module *m, const uint32_t *words, size_t count)
{
    if (m->out != NULL)
        memcpy(m->out + m->out_count, words, count * sizeof *words);
    m->out_count += count;
}

#define PUT(m, ...) put(m, (uint32_t[]){__VA_ARGS__}, sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

/* The instruction after `at`, or the first if that is NULL, if it belongs to sections up to `last`. */
static const uint32_t *next_of(const struct module *m, const uint32_t *at, enum section last)
{
    at = at == NULL ? m->words + SPIRV_HEADER : at + spirv_length(at);
    return at < m->words + m->count && section_of(spirv_opcode(at)) <= last ? at : NULL;
}

static void put_capability(struct module *m, uint32_t capability)
{
    for (const uint32_t *at = NULL; (at = next_of(m, at, CAPABILITIES)) != NULL;)
        if (at[1] == capability)
            return;
    PUT(m, 2u << 16 | OP_CAPABILITY, capability);
}

static void put_extension(struct module *m, const char *name)
{
    for (const uint32_t *at = NULL; (at = next_of(m, at, EXTENSIONS)) != NULL;)
        if (spirv_opcode(at) == OP_EXTENSION && is_text(at, 1, name))
            return;
    uint32_t text[8] = {0};
    memcpy(text, name, strlen(name));
    uint32_t length = (uint32_t)(strlen(name) / sizeof *text) + 1;
    PUT(m, (length + 1) << 16 | OP_EXTENSION);
    put(m, text, length);
}

static void put_mode(struct module *m, uint32_t entry, uint32_t mode, uint32_t width)
{
    for (const uint32_t *at = NULL; (at = next_of(m, at, MODES)) != NULL;)
        if (spirv_opcode(at) == OP_EXECUTION_MODE && spirv_length(at) >= 4 && at[1] == entry && at[2] == mode &&
            at[3] == width)
            return;
    PUT(m, 4u << 16 | OP_EXECUTION_MODE, entry, mode, width);
}

static void put_modes(struct module *m)
{
    for (const uint32_t *at = NULL; (at = next_of(m, at, ENTRIES)) != NULL;)
        for (int i = 0; i < CONTROLS && spirv_opcode(at) == OP_ENTRY_POINT; i++) {
            if (m->widths[i] & LS_SPIRV_32)
                put_mode(m, at[2], controls[i].mode, 32);
            if (m->widths[i] & LS_SPIRV_64)
                put_mode(m, at[2], controls[i].mode, 64);
        }
}

static void put_decorations(struct module *m)
{
    const uint32_t *end = m->words + m->count;
    for (const uint32_t *at = m->words + SPIRV_HEADER; at < end; at += spirv_length(at))
        if (is_arithmetic(m, at) && (m->ids[at[2]] & DECORATED) == 0)
            PUT(m, 3u << 16 | OP_DECORATE, at[2], NO_CONTRACTION);
}

/* What is added at the end of a section. */
static void put_additions(struct module *m, enum section section)
{
    bool any_control = false;
    for (int i = 0; i < CONTROLS; i++) {
        any_control |= m->widths[i] != 0;
        if (section == CAPABILITIES && m->widths[i] != 0)
            put_capability(m, controls[i].capability);
    }
    if (section == CAPABILITIES && m->any_fma)
        put_capability(m, CAPABILITY_FMA);
    if (section == EXTENSIONS && any_control)
        put_extension(m, "SPV_KHR_float_controls");
    if (section == EXTENSIONS && m->any_fma)
        put_extension(m, "SPV_KHR_fma");
    if (section == MODES)
        put_modes(m);
    if (section == ANNOTATIONS)
        put_decorations(m);
}

static void put_all(struct module *m)
{
    m->out_count = 0;
    put(m, m->words, SPIRV_HEADER);
    int section = CAPABILITIES;
    for (size_t i = SPIRV_HEADER; i < m->count; i += spirv_length(m->words + i)) {
        const uint32_t *at = m->words + i;
        for (; section < (int)section_of(spirv_opcode(at)); section++)
            put_additions(m, (enum section)section);
        if (is_replaced(m, at))
            PUT(m, 6u << 16 | OP_FMA_KHR, at[1], at[2], at[5], at[6], at[7]);
        else
            put(m, at, spirv_length(at));
    }
}

/* ---- */

enum ls_spirv_result ls_spirv_check(const uint32_t *words, size_t count)
{
    if (count > 0 && words[0] == SPIRV_SWAPPED)
        return LS_SPIRV_BYTE_ORDER;
    if (count == 0 || words[0] != SPIRV_MAGIC)
        return LS_SPIRV_NOT_SPIRV;
    if (count < SPIRV_HEADER)
        return LS_SPIRV_TRUNCATED;
    if (words[3] == 0 || words[3] > SPIRV_LARGEST_BOUND)
        return LS_SPIRV_BAD_ID;
    for (size_t i = SPIRV_HEADER; i < count; i += spirv_length(words + i)) {
        uint32_t length = spirv_length(words + i);
        if (length == 0)
            return LS_SPIRV_BAD_INSTRUCTION;
        if (length > count - i)
            return LS_SPIRV_TRUNCATED;
        if (length < shortest(spirv_opcode(words + i)))
            return LS_SPIRV_BAD_INSTRUCTION;
    }
    return LS_SPIRV_OK;
}

static enum ls_spirv_result canonicalize(struct module *m, const struct ls_spirv_options *options)
{
    m->ids = calloc(m->bound, 1);
    if (m->ids == NULL)
        return LS_SPIRV_NO_MEMORY;
    m->widths[0] = options->preserve_denormals;
    m->widths[1] = options->preserve_special;
    m->widths[2] = options->round_to_even;
    m->fma_khr = options->fma_khr;
    enum ls_spirv_result result = learn_all(m);
    if (result != LS_SPIRV_OK)
        return result;
    for (int i = 0; i < CONTROLS && !m->doubles; i++)
        m->widths[i] &= LS_SPIRV_32;
    put_all(m);
    m->out = malloc(m->out_count * sizeof *m->out);
    if (m->out == NULL)
        return LS_SPIRV_NO_MEMORY;
    put_all(m);
    return LS_SPIRV_OK;
}

enum ls_spirv_result ls_spirv_canonicalize(const uint32_t *words, size_t count,
                                           const struct ls_spirv_options *options, uint32_t **out,
                                           size_t *out_count)
{
    *out = NULL;
    *out_count = 0;
    enum ls_spirv_result result = ls_spirv_check(words, count);
    if (result != LS_SPIRV_OK)
        return result;
    struct module m = {.words = words, .count = count, .bound = words[3]};
    result = canonicalize(&m, options);
    free(m.ids);
    if (result != LS_SPIRV_OK)
        return result;
    *out = m.out;
    *out_count = m.out_count;
    return LS_SPIRV_OK;
}

const char *ls_spirv_error(enum ls_spirv_result result)
{
    static const char *const texts[] = {
#define X(name, text) text,
        LS_SPIRV_RESULTS(X)
#undef X
    };
    return texts[result];
}
