/* SPDX-License-Identifier: Apache-2.0 */
#include "receipt_file.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cache.h"

static char *room(struct ls_receipt_line *line, size_t more)
{
    if (line->size + more > line->capacity) {
        size_t capacity = 2 * (line->size + more);
        char *text = realloc(line->text, capacity);
        if (!text) {
            line->failed = true;
            return NULL;
        }
        line->text = text;
        line->capacity = capacity;
    }
    char *at = line->text + line->size;
    line->size += more;
    return at;
}

void ls_receipt_begin(struct ls_receipt_line *line, const char *field)
{
    size_t length = strlen(field);
    line->size = 0;
    char *at = room(line, length);
    if (at)
        memcpy(at, field, length);
}

void ls_receipt_field(struct ls_receipt_line *line, const char *field)
{
    char *at = room(line, 1);
    if (at)
        *at = '\t';
    for (; *field; field++) {
        const char *escape = *field == '\t' ? "\\t" : *field == '\n' ? "\\n" : *field == '\\' ? "\\\\" : NULL;
        at = room(line, escape ? 2 : 1);
        if (at)
            memcpy(at, escape ? escape : field, escape ? 2 : 1);
    }
}

void ls_receipt_number(struct ls_receipt_line *line, int64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, number);
    ls_receipt_field(line, text);
}

static void put_word(char *at, uint32_t word)
{
    for (int i = 0; i < 8; i++)
        at[i] = "0123456789abcdef"[word >> (28 - 4 * i) & 15];
}

void ls_receipt_digest(struct ls_receipt_line *line, uint32_t first, uint32_t second)
{
    char *at = room(line, 17);
    if (!at)
        return;
    *at = '\t';
    put_word(at + 1, first);
    put_word(at + 9, second);
}

uint32_t ls_receipt_check(const char *text, size_t size)
{
    uint64_t hash = ls_cache_hash(LS_CACHE_HASH, text, size);
    return (uint32_t)(hash ^ hash >> 32);
}

bool ls_receipt_write(struct ls_receipt_line *line, FILE *file)
{
    uint32_t check = ls_receipt_check(line->text, line->failed ? 0 : line->size);
    char *at = room(line, 10);
    if (line->failed)
        return false;
    at[0] = '\t';
    put_word(at + 1, check);
    at[9] = '\n';
    return fwrite(line->text, line->size, 1, file) == 1;
}

bool ls_receipt_head(struct ls_receipt_line *line, FILE *file, const ls_device_info *device)
{
    ls_receipt_begin(line, LS_RECEIPT_MAGIC);
    ls_receipt_number(line, 1);
    bool good = ls_receipt_write(line, file);
    ls_receipt_begin(line, "library");
    ls_receipt_field(line, ls_version());
    ls_receipt_field(line, "canon");
    ls_receipt_number(line, ls_canon_version());
    good = good && ls_receipt_write(line, file);
    ls_receipt_begin(line, "device");
    ls_receipt_field(line, device->device);
    ls_receipt_field(line, device->name);
    ls_receipt_field(line, device->driver);
    ls_receipt_field(line, device->exactness[0] ? device->exactness : "untested");
    return good && ls_receipt_write(line, file);
}
