/* SPDX-License-Identifier: Apache-2.0 */
#include "bytes.h"

#include <stdlib.h>
#include <string.h>

static bool reserve(struct ls_bytes *bytes, size_t more)
{
    if (bytes->failed || more > SIZE_MAX / 2 - bytes->count) {
        bytes->failed = true;
        return false;
    }
    if (bytes->count + more <= bytes->capacity)
        return true;
    size_t capacity = bytes->capacity ? bytes->capacity : 256;
    while (capacity < bytes->count + more)
        capacity *= 2;
    unsigned char *data = realloc(bytes->data, capacity);
    if (!data) {
        bytes->failed = true;
        return false;
    }
    bytes->data = data;
    bytes->capacity = capacity;
    return true;
}

void ls_bytes_append(struct ls_bytes *bytes, const void *data, size_t count)
{
    if (count == 0 || !reserve(bytes, count))
        return;
    memcpy(bytes->data + bytes->count, data, count);
    bytes->count += count;
}

void ls_bytes_text(struct ls_bytes *bytes, const char *text) { ls_bytes_append(bytes, text, strlen(text)); }

void ls_bytes_u32(struct ls_bytes *bytes, uint32_t value)
{
    unsigned char le[4];
    for (int i = 0; i < 4; i++)
        le[i] = (unsigned char)(value >> 8 * i);
    ls_bytes_append(bytes, le, sizeof le);
}

void ls_bytes_u64(struct ls_bytes *bytes, uint64_t value)
{
    ls_bytes_u32(bytes, (uint32_t)value);
    ls_bytes_u32(bytes, (uint32_t)(value >> 32));
}

void ls_bytes_free(struct ls_bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct ls_bytes){0};
}

uint32_t ls_get_u32(const unsigned char *data)
{
    return data[0] | (uint32_t)data[1] << 8 | (uint32_t)data[2] << 16 | (uint32_t)data[3] << 24;
}

uint64_t ls_get_u64(const unsigned char *data) { return ls_get_u32(data) | (uint64_t)ls_get_u32(data + 4) << 32; }

/* Four bits at a time: the remainders of all of them. */
static uint32_t crc_table(uint32_t crc, const unsigned char *data, size_t count)
{
    static const uint32_t table[16] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
        0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
    };
    for (size_t i = 0; i < count; i++) {
        crc ^= data[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return crc;
}

/* x86 has an instruction for it. */
#if defined __x86_64__ && defined __GNUC__
__attribute__((target("sse4.2"))) static uint32_t crc_sse(uint32_t crc, const unsigned char *data, size_t count)
{
    uint64_t wide = crc;
    for (; count >= 8; data += 8, count -= 8) {
        uint64_t word;
        memcpy(&word, data, sizeof word);
        wide = __builtin_ia32_crc32di(wide, word);
    }
    crc = (uint32_t)wide;
    for (; count > 0; data++, count--)
        crc = __builtin_ia32_crc32qi(crc, *data);
    return crc;
}
#endif

uint32_t ls_crc32c(uint32_t crc, const void *data, size_t count)
{
#if defined __x86_64__ && defined __GNUC__
    if (count >= 64 && __builtin_cpu_supports("sse4.2"))
        return ~crc_sse(~crc, data, count);
#endif
    return ~crc_table(~crc, data, count);
}

/* The length of the sequence that begins here, 0 if it is none. */
static size_t sequence(const unsigned char *s, size_t left)
{
    if (s[0] < 0x80)
        return 1;
    size_t length = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4 || left < length)
        return 0;
    for (size_t i = 1; i < length; i++)
        if (s[i] >> 6 != 2)
            return 0;
    bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    bool beyond = (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf4 && s[1] > 0x8f);
    return overlong || beyond ? 0 : length;
}

bool ls_is_utf8(const char *text, size_t count)
{
    const unsigned char *s = (const unsigned char *)text;
    for (size_t i = 0; i < count;) {
        size_t length = sequence(s + i, count - i);
        if (length == 0)
            return false;
        i += length;
    }
    return true;
}
