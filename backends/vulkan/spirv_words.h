/* SPDX-License-Identifier: Apache-2.0
 *
 * What the two passes over SPIR-V share: numbers of the specification and steps over instructions.
 */
#ifndef LS_VULKAN_SPIRV_WORDS_H
#define LS_VULKAN_SPIRV_WORDS_H

#include "spirv.h"

enum {
    SPIRV_MAGIC = 0x07230203,
    SPIRV_SWAPPED = 0x03022307,
    SPIRV_HEADER = 5,
    SPIRV_LARGEST_BOUND = 0x400000, /* universal limit of the specification */

    OP_NOP = 0,
    OP_NAME = 5,
    OP_MEMBER_NAME = 6,
    OP_LINE = 8,
    OP_EXTENSION = 10,
    OP_EXT_INST_IMPORT = 11,
    OP_EXT_INST = 12,
    OP_MEMORY_MODEL = 14,
    OP_ENTRY_POINT = 15,
    OP_EXECUTION_MODE = 16,
    OP_CAPABILITY = 17,
    OP_TYPE_BOOL = 20,
    OP_TYPE_INT = 21,
    OP_TYPE_FLOAT = 22,
    OP_TYPE_VECTOR = 23,
    OP_CONSTANT_TRUE = 41,
    OP_CONSTANT_FALSE = 42,
    OP_CONSTANT = 43,
    OP_SPEC_CONSTANT_TRUE = 48,
    OP_SPEC_CONSTANT_FALSE = 49,
    OP_SPEC_CONSTANT = 50,
    OP_SPEC_CONSTANT_OP = 52,
    OP_FUNCTION = 54,
    OP_FUNCTION_PARAMETER = 55,
    OP_FUNCTION_END = 56,
    OP_FUNCTION_CALL = 57,
    OP_STORE = 62,
    OP_COPY_MEMORY = 63,
    OP_COPY_MEMORY_SIZED = 64,
    OP_DECORATE = 71,
    OP_GROUP_DECORATE = 74,
    OP_IMAGE_WRITE = 99,
    OP_F_NEGATE = 127,
    OP_F_ADD = 129,
    OP_F_SUB = 131,
    OP_F_MUL = 133,
    OP_F_DIV = 136,
    OP_CONTROL_BARRIER = 224,
    OP_MEMORY_BARRIER = 225,
    OP_ATOMIC_STORE = 228,
    OP_PHI = 245,
    OP_LOOP_MERGE = 246,
    OP_SELECTION_MERGE = 247,
    OP_LABEL = 248,
    OP_BRANCH = 249,
    OP_BRANCH_CONDITIONAL = 250,
    OP_SWITCH = 251,
    OP_KILL = 252,
    OP_RETURN = 253,
    OP_RETURN_VALUE = 254,
    OP_UNREACHABLE = 255,
    OP_NO_LINE = 317,
    OP_FMA_KHR = 4427,
};

static inline uint32_t spirv_opcode(const uint32_t *at) { return at[0] & 0xffffu; }
static inline uint32_t spirv_length(const uint32_t *at) { return at[0] >> 16; }

/* That the words begin as a module does, and that every instruction is inside them and as long as
 * the passes need. */
enum ls_spirv_result ls_spirv_check(const uint32_t *words, size_t count);

#endif
