/* SPDX-License-Identifier: Apache-2.0
 *
 * The arrays of a duel and their comparison; see duel.h.
 */
#include <stdlib.h>
#include <string.h>

#include "duel.h"

uint32_t duel_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static uint32_t element(struct suite *s, ls_dtype dtype, enum duel_data data, double low, double high)
{
    static const uint32_t special[] = {0x00000000, 0x80000000, 0x3f800000, 0xbf800000, 0x7f7fffff, 0xff7fffff,
                                       0x7f800000, 0xff800000, 0x7fc00000, 0x00800000, 0x80800000, 0x4b800000,
                                       0x00000001, 0x80000001, 0x007fffff, 0x00400000}; /* the last 4 subnormal */
    uint64_t r = suite_next(s);
    double unit = (double)(r >> 40) * 0x1p-24;
    if (dtype != LS_FLOAT32)
        return dtype == LS_BOOL                   ? (uint32_t)(r >> 60 & 1)
               : dtype == LS_UINT8                ? (uint32_t)(r >> 56)
               : ls_dtype_size(dtype) == 2        ? (uint32_t)(r >> 48)
                                                  : (uint32_t)(r % 2001) - 1000u;
    switch (data) {
    case INTEGERS: return duel_bits((float)((int)(r >> 40) % 17 - 8));
    case ORDER: return duel_bits((float)(unit * 2 - 1) * (float)(1 << (r & 15)));
    case SPECIAL:
        if ((r & 3) == 0)
            return special[(r >> 8) % (s->kind.flushes ? 12 : 16)];
        break;
    case PLAIN:
    case DATA_KINDS: break;
    }
    return duel_bits((float)(low + (high - low) * unit));
}

struct duel_array duel_make(struct duel *d, ls_dtype dtype, int64_t n, enum duel_data data, double low, double high)
{
    struct duel_array a = {{NULL, NULL}, n, dtype};
    size_t size = ls_dtype_size(dtype), bytes = (size_t)n * size;
    unsigned char *host = malloc(bytes + 1);
    for (int64_t i = 0; i < n; i++) {
        uint32_t word = element(d->s, dtype, data, low, high);
        memcpy(host + (size_t)i * size, &word, size); /* little-endian: the low byte of a small type */
    }
    for (int k = 0; k < 2; k++) {
        struct ls_device *device = d->device[k];
        size_t rounded = (bytes + 64) / 64 * 64;
        bool made = device->backend->create(device, rounded, &a.on[k]) == LS_OK;
        if (made)
            a.on[k]->bytes = rounded;
        suite_check(d->s, made && (bytes == 0 || device->backend->write(device, a.on[k], 0, host, bytes) == LS_OK),
                    "buffers", "%zu bytes: %s", bytes, device->message.text);
    }
    free(host);
    return a;
}

struct duel_array duel_floats(struct duel *d, int64_t n, enum duel_data data)
{
    return duel_make(d, LS_FLOAT32, n, data, -2, 2);
}

struct duel_array duel_indices(struct duel *d, int64_t n, int64_t rows)
{
    struct duel_array a = duel_make(d, LS_INT32, n, PLAIN, 0, 0);
    int32_t *host = malloc((size_t)n * sizeof *host + 1);
    for (int64_t i = 0; i < n; i++)
        host[i] = (int32_t)suite_below(d->s, rows);
    for (int k = 0; k < 2 && n > 0; k++)
        d->device[k]->backend->write(d->device[k], a.on[k], 0, host, (size_t)n * sizeof *host);
    free(host);
    return a;
}

void duel_drop(struct duel *d, struct duel_array *a)
{
    for (int k = 0; k < 2; k++)
        if (a->on[k])
            d->device[k]->backend->destroy(d->device[k], a->on[k]);
}

void duel_compare(struct duel *d, const struct duel_array *a, ls_dtype dtype, int64_t n, const char *name)
{
    size_t size = ls_dtype_size(dtype), bytes = (size_t)n * size;
    unsigned char *host[2] = {calloc(1, bytes + 1), calloc(1, bytes + 1)};
    ls_status status = LS_OK;
    for (int k = 0; k < 2 && bytes > 0; k++)
        if (status == LS_OK)
            status = d->device[k]->backend->read(d->device[k], a->on[k], 0, host[k], bytes);
    int64_t different = 0, first = -1;
    uint32_t want = 0, got = 0;
    for (int64_t i = 0; i < n; i++) {
        uint32_t w[2] = {0, 0};
        for (int k = 0; k < 2; k++)
            memcpy(&w[k], host[k] + (size_t)i * size, size);
        if (dtype == LS_FLOAT32 ? suite_same_float(w[0], w[1]) : w[0] == w[1])
            continue;
        if (different++ == 0) {
            first = i;
            want = w[0];
            got = w[1];
        }
    }
    float fw, fg;
    memcpy(&fw, &want, 4);
    memcpy(&fg, &got, 4);
    suite_check(d->s, status == LS_OK && different == 0, name,
                "%lld of %lld elements differ, first at %lld: %08x (%.9g) should be %08x (%.9g) %s",
                (long long)different, (long long)n, (long long)first, (unsigned)got, (double)fg, (unsigned)want,
                (double)fw, status == LS_OK ? "" : d->device[1]->message.text);
    free(host[0]);
    free(host[1]);
}

bool duel_affordable(const struct duel *d, int64_t n) { return n <= d->s->kind.most_elements; }
