/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes that grow, for what is put together before it is written, and checks that several formats need.
 */
#ifndef LOCKSTEP_IO_BYTES_H
#define LOCKSTEP_IO_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** All zero is empty. `failed`: memory was exhausted, and what is appended later is dropped. */
struct ls_bytes {
    unsigned char *data;
    size_t count, capacity;
    bool failed;
};

void ls_bytes_append(struct ls_bytes *bytes, const void *data, size_t count);
void ls_bytes_text(struct ls_bytes *bytes, const char *text);
/** Little-endian, whatever the machine. */
void ls_bytes_u32(struct ls_bytes *bytes, uint32_t value);
void ls_bytes_u64(struct ls_bytes *bytes, uint64_t value);
void ls_bytes_free(struct ls_bytes *bytes);

/** The same, from memory. */
uint32_t ls_get_u32(const unsigned char *data);
uint64_t ls_get_u64(const unsigned char *data);

/** CRC-32C (Castagnoli), as RFC 3720 defines it; `crc` is that of what came before, 0 at the start. */
uint32_t ls_crc32c(uint32_t crc, const void *data, size_t count);

/** Whether text is UTF-8 by RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
bool ls_is_utf8(const char *text, size_t count);

#endif
