/* SPDX-License-Identifier: Apache-2.0
 *
 * A place in the course of a data set as bytes: "LSDP", the version, the signature of the pipeline, the
 * epoch, the batches taken of it, a hash of the elements, and a CRC-32 of what stands before; little-endian.
 */
#include <string.h>

#include <zlib.h>

#include "../core/internal.h"
#include "position.h"

enum { VERSION = 1, SIGNATURE = 8, EPOCH = 16, TAKEN = 24, CONTENTS = 32, CHECKSUM = 36, END = 40 };

_Static_assert((int)END <= (int)LS_POSITION_BYTES, "a position fits its bytes");

static void put(unsigned char *to, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        to[i] = (unsigned char)(value >> 8 * i);
}

static uint64_t get(const unsigned char *from, int bytes)
{
    uint64_t value = 0;
    for (int i = bytes; i-- > 0;)
        value = value << 8 | from[i];
    return value;
}

static uint32_t checksum(const unsigned char *bytes) { return (uint32_t)crc32(crc32(0, NULL, 0), bytes, CHECKSUM); }

void ls_position_write(ls_dataset_position *position, const struct ls_place *place)
{
    unsigned char *bytes = position->bytes;
    memset(position, 0, sizeof *position);
    memcpy(bytes, "LSDP", 4);
    put(bytes + 4, VERSION, 4);
    put(bytes + SIGNATURE, place->signature, 8);
    put(bytes + EPOCH, place->epoch, 8);
    put(bytes + TAKEN, (uint64_t)place->taken, 8);
    put(bytes + CONTENTS, place->contents, 4);
    put(bytes + CHECKSUM, checksum(bytes), 4);
}

ls_status ls_position_read(ls_context *ls, const ls_dataset_position *position, struct ls_place *place)
{
    const unsigned char *bytes = position->bytes;
    if (memcmp(bytes, "LSDP", 4) != 0)
        return ls_fail(ls, LS_BAD_FILE, "dataset_restore_position: these bytes are no position of a data set");
    if (get(bytes + 4, 4) != VERSION)
        return ls_fail(ls, LS_BAD_FILE, "dataset_restore_position: a position of version %llu; this library knows %d",
                       (unsigned long long)get(bytes + 4, 4), VERSION);
    place->signature = get(bytes + SIGNATURE, 8);
    place->epoch = get(bytes + EPOCH, 8);
    place->taken = (int64_t)get(bytes + TAKEN, 8);
    place->contents = (uint32_t)get(bytes + CONTENTS, 4);
    if (get(bytes + CHECKSUM, 4) != checksum(bytes) || place->taken < 0)
        return ls_fail(ls, LS_BAD_FILE, "dataset_restore_position: the position is damaged: its checksum differs");
    return LS_OK;
}
