/* SPDX-License-Identifier: Apache-2.0
 *
 * Fingerprints (canon.md rule 23). Two 32-bit sums modulo 2^32, each of a different mix of an
 * element's bits, its index and its tensor's index: sums do not depend on order, so any device can
 * compute them in any order and parts can be added up.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state.h"

/* A bijection of 32-bit words in which every input bit reaches every output bit; the constants are
 * odd and the shifts near half the width. */
static uint32_t mix(uint32_t x, uint32_t m1, uint32_t m2)
{
    x ^= x >> 16;
    x *= m1;
    x ^= x >> 15;
    x *= m2;
    return x ^ x >> 16;
}

struct sums {
    uint32_t first, second;
};

static void add(struct sums *s, uint32_t bits, uint64_t element, uint32_t tensor)
{
    uint32_t index = mix((uint32_t)element ^ (uint32_t)(element >> 32) * 0x9e3779b1u, 0x7feb352du, 0x846ca68bu) +
                     mix(tensor + 1, 0x9e3779b1u, 0x85ebca6bu);
    s->first += mix(bits ^ index, 0x21f0aaadu, 0x735a2d97u);
    s->second += mix(bits + index * 0xc2b2ae35u + 0x27d4eb2fu, 0x2c1b3c6du, 0x297a2d39u);
}

static ls_status add_tensor(struct sums *s, ls_tensor t, uint32_t number)
{
    struct ls_slot *slot = ls_slot_of(t);
    if (!slot)
        return ls_fail(t.context, LS_STALE_HANDLE, "fingerprint: tensor %u is nil or was released", number);
    size_t bytes = slot->value.storage->bytes, size = ls_dtype_size(slot->value.dtype);
    unsigned char *data = malloc(bytes ? bytes : 1);
    if (!data)
        return ls_fail(t.context, LS_OUT_OF_MEMORY, "fingerprint: no host memory for %zu bytes", bytes);
    ls_status status = ls_read(t, data, bytes);
    for (size_t i = 0; status == LS_OK && i < bytes / size; i++) {
        const unsigned char *e = data + i * size;
        uint32_t bits = 0;
        for (size_t b = 0; b < size; b++)
            bits |= (uint32_t)e[b] << 8 * b;
        if (ls_dtype_is_float(slot->value.dtype) && bits == 1u << (8 * size - 1))
            bits = 0;
        add(s, bits, i, number);
    }
    free(data);
    return status;
}

ls_fingerprint_text ls_fingerprint(const ls_tensor *tensors, size_t count)
{
    ls_fingerprint_text result = {"ls1:????????????????"};
    struct sums s = {0, 0};
    if (count > 0 && !tensors)
        return ls_fail(NULL, LS_INVALID_ARGUMENT, "fingerprint: the array of tensors is NULL"), result;
    for (size_t i = 0; i < count; i++)
        if (!tensors[i].context || add_tensor(&s, tensors[i], (uint32_t)i) != LS_OK)
            return result;
    /* Where the arithmetic is not canonical, the digits compare with nobody's. */
    bool tolerance = count > 0 && strcmp(tensors[0].context->device->info.exactness, "T") == 0;
    snprintf(result.text, sizeof result.text, "%s:%08x%08x", tolerance ? "T" : "ls1", (unsigned)s.first,
             (unsigned)s.second);
    return result;
}
