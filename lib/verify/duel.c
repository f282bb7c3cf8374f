/* SPDX-License-Identifier: Apache-2.0
 *
 * Two devices side by side: arrays that are the same on both, and the comparison of results.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "selftest.h"

uint64_t ls_duel_next(struct ls_duel *d)
{
    uint64_t z = d->random += 0x9e3779b97f4a7c15u; /* SplitMix64 */
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

void ls_duel_wrong(struct ls_duel *d, const char *name, const char *format, ...)
{
    size_t subject = strcspn(name, " "), used = strlen(d->reasons);
    *(d->subnormal ? &d->wrong_subnormal : &d->wrong) += 1;
    bool again = strlen(d->section) == subject && strncmp(d->section, name, subject) == 0;
    if (again || used + 8 >= sizeof d->reasons)
        return;
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    int length = snprintf(d->reasons + used, sizeof d->reasons - used, "%s%s: %s", used ? "\n" : "", name, text);
    if (length < 0 || used + (size_t)length >= sizeof d->reasons)
        d->reasons[used] = '\0'; /* no half sentences */
    snprintf(d->section, sizeof d->section, "%.*s", (int)subject, name);
}

bool ls_duel_ran(struct ls_duel *d, int side, ls_status status, const char *name)
{
    if (status == LS_OK)
        return true;
    d->status = status;
    snprintf(d->reasons, sizeof d->reasons, "%s fails on %s: %s", name, d->device[side]->info.device,
             d->device[side]->message.text[0] ? d->device[side]->message.text : ls_status_text(status));
    return false;
}

/* ---- Arrays ---- */

static uint32_t word_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static uint32_t element(struct ls_duel *d, ls_dtype dtype, enum ls_pattern pattern, double low, double high)
{
    uint64_t r = ls_duel_next(d);
    double unit = (double)(r >> 40) * 0x1p-24;
    if (pattern == LS_PATTERN_INDEX)
        return (uint32_t)(r % (uint64_t)high);
    if (dtype != LS_FLOAT32)
        return dtype == LS_BOOL ? (uint32_t)(r >> 63) : (uint32_t)(r % 2001) - 1000u;
    switch (pattern) {
    case LS_PATTERN_ORDER: /* any sign and mantissa, exponents -12 to 3 */
        return (uint32_t)(r >> 32 & 0x807fffffu) | (uint32_t)(115 + (r & 15)) << 23;
    case LS_PATTERN_INTEGERS: return word_of((float)((int)(r >> 40) % 17 - 8));
    case LS_PATTERN_SUBNORMAL: /* half of them subnormal, half of them small */
        return (uint32_t)(r >> 32 & 0x807fffffu) | (uint32_t)((r & 1) ? 0 : r >> 1 & 15) << 23;
    default: break;
    }
    float value = (float)(low + (high - low) * unit);
    return word_of(value);
}

struct ls_pair ls_pair_of(struct ls_duel *d, ls_dtype dtype, int64_t n, const void *elements)
{
    struct ls_pair pair = {{NULL, NULL}, dtype, n};
    size_t bytes = (size_t)n * ls_dtype_size(dtype), rounded = (bytes + 64) / 64 * 64;
    for (int k = 0; k < 2 && d->status == LS_OK; k++) {
        struct ls_device *device = d->device[k];
        if (!ls_duel_ran(d, k, device->backend->create(device, rounded, &pair.on[k]), "allocating"))
            break;
        pair.on[k]->bytes = rounded;
        if (bytes > 0)
            ls_duel_ran(d, k, device->backend->write(device, pair.on[k], 0, elements, bytes), "writing");
    }
    return pair;
}

struct ls_pair ls_pair_make(struct ls_duel *d, ls_dtype dtype, int64_t n, enum ls_pattern pattern, double low,
                            double high)
{
    size_t size = ls_dtype_size(dtype);
    unsigned char *host = malloc((size_t)n * size + 1);
    if (!host)
        d->status = LS_OUT_OF_MEMORY;
    for (int64_t i = 0; host && i < n; i++) {
        uint32_t word = element(d, dtype, pattern, low, high);
        memcpy(host + (size_t)i * size, &word, size);
    }
    struct ls_pair pair = ls_pair_of(d, dtype, n, host);
    free(host);
    return pair;
}

void ls_pair_drop(struct ls_duel *d, struct ls_pair *pair)
{
    for (int k = 0; k < 2; k++)
        if (pair->on[k])
            d->device[k]->backend->destroy(d->device[k], pair->on[k]);
}

/* ---- Comparing ---- */

static uint32_t word_at(const unsigned char *data, int64_t i, size_t size)
{
    uint32_t word = 0;
    memcpy(&word, data + (size_t)i * size, size);
    return word;
}

/* The word that stands for all that are equal to it. */
static uint32_t plain(ls_dtype dtype, uint32_t word)
{
    if (dtype != LS_FLOAT32)
        return word;
    return word == 0x80000000u ? 0 : (word & 0x7fffffffu) > 0x7f800000u ? 0x7fc00000u : word;
}

static unsigned char *fetch(struct ls_duel *d, int side, const struct ls_pair *pair, int64_t n, const char *name)
{
    size_t bytes = (size_t)n * ls_dtype_size(pair->dtype);
    struct ls_device *device = d->device[side];
    if (d->status != LS_OK)
        return NULL;
    unsigned char *data = malloc(bytes + 1);
    if (!data)
        d->status = LS_OUT_OF_MEMORY;
    else if (!ls_duel_ran(d, side, device->backend->read(device, pair->on[side], 0, data, bytes), name)) {
        free(data);
        data = NULL;
    }
    return data;
}

static void differ(struct ls_duel *d, ls_dtype dtype, const char *name, int64_t different, int64_t n, int64_t first,
                   uint32_t got, uint32_t want)
{
    float g, w;
    memcpy(&g, &got, sizeof g);
    memcpy(&w, &want, sizeof w);
    if (dtype == LS_FLOAT32)
        ls_duel_wrong(d, name, "%lld of %lld results are wrong, the first at %lld: 0x%08x (%.9g), not 0x%08x (%.9g)",
                      (long long)different, (long long)n, (long long)first, (unsigned)got, (double)g, (unsigned)want,
                      (double)w);
    else
        ls_duel_wrong(d, name, "%lld of %lld results are wrong, the first at %lld: %d, not %d", (long long)different,
                      (long long)n, (long long)first, (int)got, (int)want);
}

bool ls_pair_compare(struct ls_duel *d, const struct ls_pair *pair, int64_t n, const char *name)
{
    unsigned char *want = fetch(d, 0, pair, n, name), *got = fetch(d, 1, pair, n, name);
    size_t size = ls_dtype_size(pair->dtype);
    int64_t different = 0, first = 0;
    for (int64_t i = n; want && got && i-- > 0;) {
        uint32_t w = plain(pair->dtype, word_at(want, i, size)), g = plain(pair->dtype, word_at(got, i, size));
        d->anchor = ls_cache_hash(d->anchor, &w, sizeof w);
        if (w != g) {
            different++;
            first = i;
        }
    }
    d->checks++;
    if (different > 0)
        differ(d, pair->dtype, name, different, n, first, word_at(got, first, size), word_at(want, first, size));
    free(want);
    free(got);
    return different == 0;
}

bool ls_pair_known(struct ls_duel *d, const struct ls_pair *pair, int64_t n, const uint32_t *words, const char *name)
{
    bool right = true;
    for (int side = 0; side < 2; side++) {
        unsigned char *got = fetch(d, side, pair, n, name);
        for (int64_t i = 0; got && right && i < n; i++) {
            uint32_t word = word_at(got, i, 4);
            right = plain(pair->dtype, word) == plain(pair->dtype, words[i]);
            if (!right)
                differ(d, pair->dtype, name, 1, n, i, word, words[i]);
        }
        d->checks++;
        free(got);
    }
    return right;
}
