/* SPDX-License-Identifier: Apache-2.0
 *
 * For the tests of the reference backend: every slot is stated once more, one scalar at a time in the
 * written order of canon.md, and compared by bits with every instruction set this machine has, with
 * one, two and three threads. Plain mains, so that they also run under sanitizers.
 */
#ifndef TESTS_REFERENCE_CHECK_H
#define TESTS_REFERENCE_CHECK_H

#include "reference.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined _OPENMP
#include <omp.h>
#endif

/* Here fma is libm's, so that the backend's emulation is compared with something else. */
#undef LS_EMULATE_FMA
#define LS_EMULATE_FMA 0
#include "prelude_c.h"
#include "canon.h"

enum { MAX_DEVICES = 12, GUARD = 64 };

static struct ls_device *devices[MAX_DEVICES];
static int device_count;
static int passed, failed;

static const int64_t edges[] = {1,    2,    15,   16,   17,    63,    64,    65,   1023,
                                1024, 1025, 4095, 4096, 4097, 65535, 65536, 65537};
enum { EDGES = sizeof edges / sizeof edges[0] };

/* ---- random data ---- */

static uint64_t state = 1;

static inline uint32_t draw(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    uint64_t x = state ^ state >> 29;
    return (uint32_t)((x * 0xbf58476d1ce4e5b9u) >> 32);
}

static inline int64_t draw_below(int64_t n)
{
    return (int64_t)(draw() % (uint64_t)n);
}

/* Mostly ordinary numbers; some zeros of both signs, tiny, subnormal and large ones. */
static inline float draw_float(void)
{
    float x = (float)(int32_t)draw() * 0x1p-29f;
    switch (draw() % 64) {
    case 0: return 0.0f;
    case 1: return -0.0f;
    case 2: return x * 0x1p-60f;
    case 3: return x * 0x1p-130f;
    case 4: return x * 0x1p20f;
    case 5: return (float)(draw() % 7) - 3.0f;
    default: return x;
    }
}

static inline float *draw_floats(int64_t n)
{
    float *x = malloc((size_t)(n + 1) * sizeof *x);
    for (int64_t i = 0; i < n; i++) {
        x[i] = draw_float();
    }
    return x;
}

static inline int32_t *draw_ints(int64_t n, int64_t low, int64_t high)
{
    int32_t *x = malloc((size_t)(n + 1) * sizeof *x);
    for (int64_t i = 0; i < n; i++) {
        x[i] = (int32_t)(low + draw_below(high - low));
    }
    return x;
}

static inline size_t size_of(ls_dtype dtype)
{
    return ls_dtype_size(dtype);
}

static inline void *draw_elements(ls_dtype dtype, int64_t n)
{
    if (dtype == LS_FLOAT32) {
        return draw_floats(n);
    }
    int32_t *words = draw_ints(n, -1000, 1000);
    if (size_of(dtype) == 2) {
        uint16_t *halves = (uint16_t *)words;
        for (int64_t i = 0; i < n; i++) {
            halves[i] = (uint16_t)draw();
        }
    }
    if (size_of(dtype) == 1) {
        uint8_t *bytes = (uint8_t *)words;
        for (int64_t i = 0; i < n; i++) {
            bytes[i] = (uint8_t)(draw() % (dtype == LS_BOOL ? 2 : 256));
        }
    }
    return words;
}

/* ---- buffers and comparison ---- */

static inline struct ls_buffer *upload(struct ls_device *device, const void *data, int64_t bytes)
{
    static const uint8_t guard[GUARD] = {0xa5, 0x5a};
    struct ls_buffer *buffer = NULL;
    if (ls_reference_backend.create(device, (size_t)bytes + GUARD, &buffer)) {
        abort();
    }
    if (data) {
        ls_reference_backend.write(device, buffer, 0, data, (size_t)bytes);
    }
    ls_reference_backend.write(device, buffer, (size_t)bytes, guard, GUARD);
    return buffer;
}

static inline bool same_word(ls_dtype dtype, const void *want, const void *got)
{
    if (memcmp(want, got, size_of(dtype)) == 0) {
        return true;
    }
    float a, b;
    if (dtype != LS_FLOAT32) {
        return false;
    }
    memcpy(&a, want, sizeof a);
    memcpy(&b, got, sizeof b);
    return a == b || (a != a && b != b);
}

/* Compares and frees an output; `what` says what was computed. */
static inline void check(struct ls_device *device, struct ls_buffer *buffer, ls_dtype dtype,
                  const void *want, int64_t n, const char *what)
{
    static const uint8_t guard[GUARD] = {0xa5, 0x5a};
    size_t size = size_of(dtype), bytes = (size_t)n * size;
    uint8_t *got = malloc(bytes + GUARD);
    ls_reference_backend.read(device, buffer, 0, got, bytes + GUARD);
    bool ok = memcmp(got + bytes, guard, GUARD) == 0;
    if (!ok) {
        printf("%s %s: written beyond its end\n", device->info.driver, what);
    }
    for (int64_t i = 0; i < n && ok; i++) {
        const uint8_t *a = (const uint8_t *)want + (size_t)i * size, *b = got + (size_t)i * size;
        if (!same_word(dtype, a, b)) {
            uint32_t x = 0, y = 0;
            memcpy(&x, a, size);
            memcpy(&y, b, size);
            printf("%s %s: element %lld of %lld: %08x (%.9g), not %08x (%.9g)\n",
                   device->info.driver, what, (long long)i, (long long)n, y,
                   (double)LS_FLOAT(y), x, (double)LS_FLOAT(x));
            ok = false;
        }
    }
    passed += ok;
    failed += !ok;
    free(got);
    ls_reference_backend.destroy(device, buffer);
}

static inline void expect(bool condition, const char *what)
{
    passed += condition;
    failed += !condition;
    if (!condition) {
        printf("%s: not so\n", what);
    }
}

static inline void release(struct ls_device *device, struct ls_buffer *buffer)
{
    ls_reference_backend.destroy(device, buffer);
}

/* The fault that a device must have noted, if any. */
static inline void check_fault(struct ls_device *device, enum ls_fault_kind kind, const int32_t *indices,
                        int64_t count, int64_t limit)
{
    struct ls_fault fault;
    int64_t i = 0;
    while (i < count && indices[i] >= 0 && indices[i] < limit) {
        i++;
    }
    ls_reference_backend.fault(device, &fault);
    expect(fault.set == (i < count), "a fault is noted where there is one");
    if (fault.set && i < count) {
        expect(fault.kind == kind && fault.position == i && fault.value == indices[i] &&
                   fault.limit == limit,
               "the fault names the first position");
    }
    ls_reference_backend.fault(device, &fault);
    expect(!fault.set, "a fault is taken once");
}

/* ---- definitions that several tests use ---- */

static inline float combine(enum ls_reduce_op op, float best, float x)
{
    return op == LS_REDUCE_SUM ? best + x : op == LS_REDUCE_PROD ? best * x : x > best ? x : best;
}

/* canon rule 9, in place. */
static inline float reduce_lanes(enum ls_reduce_op op, float *x, int64_t n)
{
    float start = op == LS_REDUCE_SUM ? 0.0f : 1.0f;
    if (n == 0) {
        return start;
    }
    do {
        int64_t blocks = (n + LS_REDUCE_BLOCK - 1) / LS_REDUCE_BLOCK;
        for (int64_t b = 0; b < blocks; b++) {
            float lane[LS_REDUCE_LANES];
            for (int l = 0; l < LS_REDUCE_LANES; l++) {
                lane[l] = start;
                for (int64_t i = b * LS_REDUCE_BLOCK + l; i < n && i < (b + 1) * LS_REDUCE_BLOCK;
                     i += LS_REDUCE_LANES) {
                    lane[l] = combine(op, lane[l], x[i]);
                }
            }
            for (int half = LS_REDUCE_LANES / 2; half; half /= 2) {
                for (int l = 0; l < half; l++) {
                    lane[l] = combine(op, lane[l], lane[l + half]);
                }
            }
            x[b] = lane[0];
        }
        n = blocks;
    } while (n > 1);
    return x[0];
}

/* canon rule 10: the position of the first greatest or least of x[0], x[stride], ... */
static inline int64_t position(enum ls_reduce_op op, const float *x, int64_t n, int64_t stride)
{
    bool least = op == LS_REDUCE_MIN || op == LS_REDUCE_ARGMIN;
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++) {
        if (least ? x[i * stride] < x[best * stride] : x[i * stride] > x[best * stride]) {
            best = i;
        }
    }
    return best;
}

/* ---- devices ---- */

/* Opens every instruction set with one, two and three threads. */
static inline bool open_devices(void)
{
    const char *isas[4];
    size_t isa_count = ls_reference_isas(isas, 4);
    for (size_t i = 0; i < isa_count; i++) {
        for (int threads = 1; threads <= 3; threads++) {
            struct ls_message message;
#if defined _OPENMP
            omp_set_num_threads(threads);
#endif
            if (ls_reference_backend.open(isas[i], &devices[device_count], &message)) {
                printf("%s\n", message.text);
                return false;
            }
            device_count++;
        }
    }
    return true;
}

/* Closes them, reports, and gives the program's status. */
static inline int finish(void)
{
    for (int d = 0; d < device_count; d++) {
        ls_reference_backend.close(devices[d]);
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}

#endif
