/* SPDX-License-Identifier: Apache-2.0 */
#include "protobuf.h"

#include <string.h>

enum wire { VARINT = 0, FIXED_64 = 1, LENGTH = 2 };

static void varint(struct ls_bytes *message, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        ls_bytes_append(message, &(unsigned char){(unsigned char)(value | 0x80)}, 1);
    ls_bytes_append(message, &(unsigned char){(unsigned char)value}, 1);
}

static void key(struct ls_bytes *message, int field, enum wire wire)
{
    varint(message, (uint64_t)field << 3 | (uint64_t)wire);
}

void ls_proto_varint(struct ls_bytes *message, int field, uint64_t value)
{
    key(message, field, VARINT);
    varint(message, value);
}

void ls_proto_double(struct ls_bytes *message, int field, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    key(message, field, FIXED_64);
    ls_bytes_u64(message, bits);
}

void ls_proto_bytes(struct ls_bytes *message, int field, const void *data, size_t count)
{
    key(message, field, LENGTH);
    varint(message, count);
    ls_bytes_append(message, data, count);
}

void ls_proto_text(struct ls_bytes *message, int field, const char *text)
{
    ls_proto_bytes(message, field, text, strlen(text));
}

void ls_proto_message(struct ls_bytes *message, int field, struct ls_bytes *inner)
{
    message->failed |= inner->failed;
    ls_proto_bytes(message, field, inner->data, inner->count);
    ls_bytes_free(inner);
}
