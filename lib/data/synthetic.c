/* SPDX-License-Identifier: Apache-2.0
 *
 * Made-up images. Each class has a pattern: a grid of random bytes, enlarged. An image is a pattern,
 * shifted, mixed with another class's, dimmed, and covered with noise. Only integers, so the same
 * bytes come out everywhere.
 */
#include <stdlib.h>

#include <lockstep/data.h>

#include "../core/internal.h"
#include "dataset.h"
#include "random.h"

enum {
    SIZE = 28,
    PIXELS = SIZE * SIZE,
    CLASSES = 10,
    TRAIN = 60000,
    VALIDATION = 5000,
    TEST = 10000,
    GRID = 8,   /* points of a pattern per side */
    CELL = 4,   /* pixels from one point to the next */
    SHIFT = 3,  /* pixels, at most, up, down, left and right */
    NOISE = 112 /* of 256: how much of a pixel is noise */
};

typedef unsigned char pattern[SIZE][SIZE];

/* One of four words' sixteen bytes. */
static unsigned byte_of(const uint32_t words[4], unsigned i) { return words[i / 4 % 4] >> (i % 4 * 8) & 255; }

/* Random bytes on a grid, the pixels between them mixed by distance. */
static void draw_pattern(uint64_t seed, unsigned class, pattern out)
{
    unsigned grid[GRID * GRID];
    uint32_t words[4] = {0};
    for (unsigned i = 0; i < GRID * GRID; i++) {
        if (i % 16 == 0)
            ls_host_words(seed, i / 16, LS_STREAM_PATTERN, class, words);
        grid[i] = byte_of(words, i);
    }
    for (unsigned y = 0; y < SIZE; y++)
        for (unsigned x = 0; x < SIZE; x++) {
            const unsigned *at = &grid[y / CELL * GRID + x / CELL];
            unsigned right = x % CELL, down = y % CELL;
            unsigned above = at[0] * (CELL - right) + at[1] * right;
            unsigned below = at[GRID] * (CELL - right) + at[GRID + 1] * right;
            out[y][x] = (unsigned char)((above * (CELL - down) + below * down) / (CELL * CELL));
        }
}

/* Image `number`; returns its label. */
static int32_t draw_image(uint64_t seed, uint32_t number, const pattern *patterns, unsigned char *out)
{
    uint32_t words[4];
    ls_host_words(seed, 0, LS_STREAM_IMAGE, number, words);
    uint32_t label = ls_bounded(words[0], CLASSES), other = ls_bounded(words[1], CLASSES);
    unsigned other_part = words[2] & 127, light = 128 + (words[2] >> 8 & 127);
    unsigned down = ls_bounded(words[3] & 0xffff0000u, 2 * SHIFT + 1) + SIZE - SHIFT;
    unsigned right = ls_bounded(words[3] << 16, 2 * SHIFT + 1) + SIZE - SHIFT;
    for (unsigned y = 0; y < SIZE; y++)
        for (unsigned x = 0; x < SIZE; x++) {
            unsigned i = y * SIZE + x;
            if (i % 16 == 0)
                ls_host_words(seed, 1 + i / 16, LS_STREAM_IMAGE, number, words);
            unsigned own = patterns[label][(y + down) % SIZE][(x + right) % SIZE];
            unsigned mixed = (own * (256 - other_part) + patterns[other][y][x] * other_part) / 256;
            out[i] = (unsigned char)((mixed * light / 256 * (256 - NOISE) + byte_of(words, i) * NOISE) / 256);
        }
    return (int32_t)label;
}

/* `count` images from number `first` on. */
static void make(ls_context *ls, uint64_t seed, const pattern *patterns, uint32_t first, uint32_t count, ls_tensor *x,
                 ls_tensor *y)
{
    unsigned char *images = malloc((size_t)count * PIXELS);
    int32_t *labels = malloc(count * sizeof *labels);
    if (!images || !labels)
        ls_fail(ls, LS_OUT_OF_MEMORY, "synthetic_images: no host memory for %u images", (unsigned)count);
    for (uint32_t i = 0; images && labels && i < count; i++)
        labels[i] = draw_image(seed, first + i, patterns, images + (size_t)i * PIXELS);
    *x = ls_from_host(ls, LS_UINT8, LS_SHAPE(count, SIZE, SIZE), images);
    *y = ls_from_host(ls, LS_INT32, LS_SHAPE(count), labels);
    free(images);
    free(labels);
}

ls_status ls_synthetic_images(ls_context *ls, uint64_t seed, ls_dataset **train, ls_dataset **validation,
                              ls_dataset **test)
{
    struct ls_image_files files = {0};
    pattern patterns[CLASSES];
    for (unsigned class = 0; class < CLASSES; class++)
        draw_pattern(seed, class, patterns[class]);
    if (!ls_failed(ls) && (train || validation))
        make(ls, seed, (const pattern *)patterns, 0, TRAIN, &files.train_x, &files.train_y);
    if (!ls_failed(ls) && test)
        make(ls, seed, (const pattern *)patterns, TRAIN, TEST, &files.test_x, &files.test_y);
    return ls_split_images(ls, "synthetic_images", &files, VALIDATION, train, validation, test);
}
