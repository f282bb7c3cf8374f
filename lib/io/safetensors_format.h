/* SPDX-License-Identifier: Apache-2.0
 *
 * What the reader and the writer of safetensors agree on.
 */
#ifndef LOCKSTEP_IO_SAFETENSORS_FORMAT_H
#define LOCKSTEP_IO_SAFETENSORS_FORMAT_H

#include <lockstep/tensor.h>

enum { LS_SAFETENSORS_HEADER = 100000000 }; /* the longest that the format allows */

/** A type by its name in files; `dtype` is what it is read as, -1 for those that are not. */
struct ls_safetensors_type {
    const char *name;
    int bits, dtype;
};
/** All of them; of those with one dtype the first is what is written. Ends with a NULL name. */
extern const struct ls_safetensors_type ls_safetensors_types[];

/** The checksum's key, and how a header of ours begins, up to its eight digits. */
#define LS_SAFETENSORS_CRC "lockstep.crc32c"
#define LS_SAFETENSORS_START "{\"__metadata__\":{\"" LS_SAFETENSORS_CRC "\":\""

#endif
