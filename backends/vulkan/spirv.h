/* SPDX-License-Identifier: Apache-2.0
 *
 * SPIR-V as the canonical arithmetic needs it (docs/vulkan.md). GLSL cannot say all of it, so one
 * blob is embedded and this pass adds, when the blob is loaded, what the device at hand has:
 * NoContraction on every float operation, float controls, a fused multiply-add that is one by promise.
 *
 * Plain C, no Vulkan header, no global state; safe from any thread.
 */
#ifndef LS_VULKAN_SPIRV_H
#define LS_VULKAN_SPIRV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Widths of floats, to be added up. */
enum { LS_SPIRV_32 = 1, LS_SPIRV_64 = 2 };

/* What the device has: the fields of VkPhysicalDeviceFloatControlsProperties by width. A mode for
 * 64 bits is added only to modules that use doubles. All zero: decorations only, right on any device. */
struct ls_spirv_options {
    unsigned round_to_even;         /* shaderRoundingModeRTEFloat* */
    unsigned preserve_special;      /* shaderSignedZeroInfNanPreserveFloat* */
    unsigned preserve_denormals;    /* shaderDenormPreserveFloat*; see denormBehaviorIndependence */
    bool fma_khr;                   /* shaderFmaFloat32: fma of floats becomes OpFmaKHR */
};

/* What came of it, and the sentence for it. */
#define LS_SPIRV_RESULTS(X)                                                                        \
    X(OK, "no error")                                                                              \
    X(NO_MEMORY, "out of memory")                                                                  \
    X(NOT_SPIRV, "not a SPIR-V module: the first word is not the magic number")                    \
    X(BYTE_ORDER, "a SPIR-V module in the other byte order")                                       \
    X(TRUNCATED, "the SPIR-V module ends inside an instruction or before its first function")     \
    X(BAD_INSTRUCTION, "a SPIR-V instruction is too short for its kind, or of length 0")           \
    X(BAD_ID, "a SPIR-V instruction uses an id that is 0, not below the bound, or not of its kind") \
    X(BAD_ORDER, "the SPIR-V instructions are not in the order that the specification wants")      \
    X(CONFLICT, "the SPIR-V module asks for another rounding or denormal mode itself")

enum ls_spirv_result {
#define X(name, text) LS_SPIRV_##name,
    LS_SPIRV_RESULTS(X)
#undef X
};

/* Makes `*out`, of `*out_count` words, from `words[0..count)`. The caller frees it with free. What
 * is there already is not added twice, so a result comes back as it is. The input need not be valid:
 * nothing outside of it is read, and an error leaves *out NULL and *out_count 0. */
enum ls_spirv_result ls_spirv_canonicalize(const uint32_t *words, size_t count,
                                           const struct ls_spirv_options *options, uint32_t **out,
                                           size_t *out_count);

/* A constant_id of the GLSL source with its value: an integer of 32 bits, or a bool as 0 or 1. */
struct ls_spirv_constant {
    uint32_t id, value;
};

/* The module with these specialization constants fixed, without the branches that are then never
 * taken and the functions that are then never called. So a shader with all rows in one switch costs the
 * driver no more than one with a single row. Call it before ls_spirv_canonicalize; memory and errors as
 * there. Constants of the module that are not given stay open; such that it does not have are ignored. */
enum ls_spirv_result ls_spirv_specialize(const uint32_t *words, size_t count, const struct ls_spirv_constant *constants,
                                         size_t constant_count, uint32_t **out, size_t *out_count);

/* The sentence for a result; static. */
const char *ls_spirv_error(enum ls_spirv_result result);

#endif
