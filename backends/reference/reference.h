/* SPDX-License-Identifier: Apache-2.0
 *
 * The reference backend: plain C and OpenMP. What it computes is the definition of the bits.
 */
#ifndef LS_REFERENCE_H
#define LS_REFERENCE_H

#include "backend.h"

extern const struct ls_backend ls_reference_backend;

/**
 * The instruction sets this build has kernels for and this processor can run, slowest first:
 * "baseline", "avx2", "avx512", or "neon". Each opens as "reference:<name>"; plain "reference" takes
 * the last. Fills at most `capacity` names (static storage), returns how many there are. Any thread.
 */
size_t ls_reference_isas(const char **names, size_t capacity);

#endif
