/* SPDX-License-Identifier: Apache-2.0
 *
 * The three passes of a convolution, 3x3, 32 -> 64 channels, on 14x14, batch 128: each against a product
 * of the host's own, whose left factor is the matrix of patches. The primitive is called by itself,
 * for the ops would add the making of gradients.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "host.h"
#include "state.h"

enum { BATCH = 128, SIDE = 14, PIXELS = BATCH * SIDE * SIDE, CHANNELS = 32, FILTERS = 64, CELLS = 9 };
enum { IN = PIXELS * CHANNELS, OUT = PIXELS * FILTERS, KERNEL = CELLS * CHANNELS * FILTERS, PATCHES = CELLS * OUT };

struct layer {
    ls_context *ls;
    struct ls_conv_args args;
};

static void convolve(void *user)
{
    struct layer *layer = user;
    ls_dispatch_conv(layer->ls, &layer->args);
    ls_synchronize(layer->ls);
}

/* What cell `cell` of the window at `pixel` sees, or NULL; `turn` the windows look the other way. */
static const float *seen(const float *image, int channels, int pixel, int cell, bool turn)
{
    int down = cell / 3 - 1, across = cell % 3 - 1;
    int y = pixel / SIDE % SIDE + (turn ? -down : down), x = pixel % SIDE + (turn ? -across : across);
    if (y < 0 || y >= SIDE || x < 0 || x >= SIDE)
        return NULL;
    return image + ((int64_t)(pixel / SIDE / SIDE) * SIDE * SIDE + y * SIDE + x) * channels;
}

/* (pixels, cells * channels), or transposed. */
static void make_patches(const float *image, int channels, bool turn, bool transposed, float *patches)
{
    int64_t width = (int64_t)CELLS * channels;
    for (int pixel = 0; pixel < PIXELS; pixel++)
        for (int cell = 0; cell < CELLS; cell++) {
            const float *from = seen(image, channels, pixel, cell, turn);
            for (int c = 0; c < channels; c++) {
                int64_t column = (int64_t)cell * channels + c;
                patches[transposed ? column * PIXELS + pixel : pixel * width + column] = from ? from[c] : 0.0f;
            }
        }
}

static void host_pass(enum ls_conv_pass pass, const float *x, const float *kernel, const float *y, float *patches,
                      float *right)
{
    static float turned[KERNEL]; /* (cells, filters, channels) */
    switch (pass) {
    case LS_CONV_FORWARD:
        make_patches(x, CHANNELS, false, false, patches);
        host_gemm(patches, kernel, right, PIXELS, FILTERS, CELLS * CHANNELS);
        break;
    case LS_CONV_INPUT:
        for (int i = 0; i < KERNEL; i++)
            turned[(i / FILTERS / CHANNELS * FILTERS + i % FILTERS) * CHANNELS + i / FILTERS % CHANNELS] = kernel[i];
        make_patches(y, FILTERS, true, false, patches);
        host_gemm(patches, turned, right, PIXELS, CHANNELS, CELLS * FILTERS);
        break;
    case LS_CONV_KERNEL:
        make_patches(x, CHANNELS, false, true, patches);
        host_gemm(patches, y, right, CELLS * CHANNELS, FILTERS, PIXELS);
        break;
    }
}

/* -0 counts as +0 (canon.md rule 18). */
static bool same(float a, float b) { return a == 0.0f ? b == 0.0f : memcmp(&a, &b, sizeof a) == 0; }

static struct bench_bits compare(const float *got, const float *right, int64_t n)
{
    struct bench_bits bits = {"equal"};
    int64_t differ = 0, first = -1;
    for (int64_t i = 0; i < n; i++)
        if (!same(got[i], right[i]) && differ++ == 0)
            first = i;
    if (differ)
        snprintf(bits.text, sizeof bits.text, "%lld of %lld outputs differ, first %lld: %a, not %a", (long long)differ,
                 (long long)n, (long long)first, (double)got[first], (double)right[first]);
    return bits;
}

static struct ls_buffer *buffer_of(ls_tensor t)
{
    const struct ls_slot *slot = ls_slot_of(t);
    return slot ? slot->value.storage->buffer : NULL;
}

static void measure(struct bench *b, ls_context *ls, enum ls_conv_pass pass, float *host)
{
    static const char *const names[] = {"conv forward", "conv input", "conv kernel"};
    float *x = host, *kernel = x + IN, *y = kernel + KERNEL, *right = y + OUT, *got = right + OUT, *patches = got + OUT;
    bench_random(x, IN, 1);
    bench_random(kernel, KERNEL, 2);
    bench_random(y, OUT, 3);
    host_pass(pass, x, kernel, y, patches, right);

    ls_tensor t[3] = {ls_from_host(ls, LS_FLOAT32, LS_SHAPE(BATCH, SIDE, SIDE, CHANNELS), x),
                      ls_from_host(ls, LS_FLOAT32, LS_SHAPE(3, 3, CHANNELS, FILTERS), kernel),
                      ls_from_host(ls, LS_FLOAT32, LS_SHAPE(BATCH, SIDE, SIDE, FILTERS), y)};
    struct layer layer = {.ls = ls,
                          .args = {.pass = pass,
                                   .window = {BATCH, {1, SIDE, SIDE}, {1, SIDE, SIDE}, {1, 3, 3}, {1, 1, 1}, {1, 1, 1}, {0, 1, 1}},
                                   .groups = 1,
                                   .channels = CHANNELS,
                                   .filters = FILTERS,
                                   .input = buffer_of(t[0]),
                                   .kernel = buffer_of(t[1]),
                                   .output = buffer_of(t[2]),
                                   .activation = LS_ROW_NONE}};
    int result = pass == LS_CONV_FORWARD ? 2 : pass == LS_CONV_INPUT ? 0 : 1;
    int64_t n = result == 0 ? IN : result == 1 ? KERNEL : OUT;
    convolve(&layer);
    ls_read(t[result], got, (size_t)n * sizeof *got);
    if (bench_failed(b, ls, names[pass]))
        return;
    struct bench_bits bits = compare(got, right, n);
    double median = bench_median(b, ls, convolve, &layer);
    if (!bench_failed(b, ls, names[pass]))
        bench_report(b, ls, names[pass], median, 2.0 * CELLS * CHANNELS * OUT, &bits);
}

void bench_conv(struct bench *b, ls_context *ls)
{
    float *host = malloc(((size_t)IN + KERNEL + 3 * (size_t)OUT + PATCHES) * sizeof *host);
    if (!host) {
        fprintf(stderr, "lockstep: no memory for a convolution\n");
        b->wrong = true;
        return;
    }
    for (int pass = LS_CONV_FORWARD; pass <= LS_CONV_KERNEL; pass++)
        LS_SCOPE(ls)
            measure(b, ls, (enum ls_conv_pass)pass, host);
    free(host);
}
