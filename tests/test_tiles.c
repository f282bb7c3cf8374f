/* SPDX-License-Identifier: Apache-2.0
 *
 *     test_tiles [DEVICE]
 *
 * lib/core/tiles.c: which tile is chosen and that a sort sorts. With a device, products and convolutions by each
 * tile have the bits of the reference.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "devices.h"
#include "../lib/core/tiles.h"

/* ---- Choosing ---- */

static const char *chosen(uint64_t items, uint64_t bytes, int units, int64_t m, int64_t n, int64_t batch)
{
    return ls_tile_choose(&(struct ls_tile_limits){items, bytes, units, false}, m, n, batch)->name;
}

#define CHECK_CHOSEN(name, ...)                                                                    \
    CHECK(strcmp(chosen(__VA_ARGS__), name) == 0, "%s is chosen", chosen(__VA_ARGS__))

static void check_choices(void)
{
    CHECK_CHOSEN("large", 1024, 49152, 132, 4096, 4096, 1);
    CHECK_CHOSEN("medium", 128, 16384, 132, 4096, 4096, 1); /* the least that Vulkan promises */
    CHECK_CHOSEN("large", 1024, 32768, 0, 4096, 4096, 1);
    CHECK_CHOSEN("medium", 1024, 32768, 0, 1024, 1024, 1); /* 64 large ones do not fill a GPU */
    CHECK_CHOSEN("upright", 1024, 32768, 0, 65536, 10, 1);
    CHECK_CHOSEN("flat", 1024, 32768, 0, 10, 65536, 1);
    CHECK_CHOSEN("tiny", 1024, 32768, 0, 128, 256, 1);
    CHECK_CHOSEN("tiny", 1024, 32768, 2, 1, 1, 1);
    CHECK_CHOSEN("small", 1024, 32768, 0, 32, 32, 1000);
    CHECK_CHOSEN("single", 1, 1024, 8, 100, 100, 1);
    CHECK_CHOSEN("single", 0, 0, 0, 100, 100, 1);
    CHECK(strcmp(ls_tile_choose(&(struct ls_tile_limits){1024, 49152, 132, true}, 4096, 4096, 1)->name, "small") == 0,
          "64 long fma");
    for (int i = 0; i < LS_TILES; i++) {
        const struct ls_tile *t = &ls_tiles[i];
        unsigned lines = t->x * t->columns + t->y * t->rows;
        CHECK(1024 % t->depth == 0, "%s: blocks of 1024 end inside a tile", t->name);
        CHECK(i == 0 || (t->x * t->y <= 128 && (lines + 2) * t->depth * 4 <= 16384), "%s needs more than Vulkan 1.1 promises", t->name);
        CHECK(ls_tile_rows(t, 1) == 1 && ls_tile_rows(t, t->y * t->rows) == 1 && ls_tile_rows(t, t->y * t->rows + 1) == 2, "%s", t->name);
        CHECK(ls_tile_columns(t, 1) == 1 && ls_tile_columns(t, t->x * t->columns + 1) == 2, "%s", t->name);
    }
}

/* LOCKSTEP_TILE is taken where it fits, and refused where it does not or is no tile. */
static void check_named(void)
{
    const struct ls_tile_limits large = {1024, 49152, 132, false}, usual = {128, 16384, 132, false}, none = {0, 0, 0, false};
    struct ls_message message = {""};
    for (int i = 0; i < LS_TILES; i++) {
        setenv("LOCKSTEP_TILE", ls_tiles[i].name, 1);
        CHECK(ls_tile_choose(&large, 1, 70, 3) == &ls_tiles[i], "%s is named, not chosen", ls_tiles[i].name);
        CHECK(ls_tile_check(&large, &message), "%s", message.text);
        CHECK((ls_tile_choose(&usual, 4096, 4096, 1) == &ls_tiles[i]) == (i > 0), "%s", ls_tiles[i].name);
        CHECK(ls_tile_check(&usual, &message) == (i > 0), "%s: %s", ls_tiles[i].name, message.text);
        CHECK(!ls_tile_check(&none, &message) && strstr(message.text, "none but its own"), "%s", message.text);
    }
    setenv("LOCKSTEP_TILE", "larger", 1);
    CHECK(!ls_tile_check(&usual, &message), "there is no such tile");
    CHECK(strcmp(message.text, "LOCKSTEP_TILE: \"larger\" is not a tile that this device can have; it can have medium, small, "
                               "upright, flat, tiny, single") == 0, "%s", message.text);
    unsetenv("LOCKSTEP_TILE");
    CHECK(ls_tile_check(&none, &message), "%s", message.text);
}

/* ---- Sorting ---- */

/* By the 0-1 principle a network that sorts every row of zeros and ones sorts everything. */
static void check_sort(int r)
{
    int wrong = 0, passes = 0;
    unsigned samples = r <= 12 ? 1u << r : 4096;
    for (unsigned s = 0; s < samples; s++) {
        unsigned char row[1100];
        uint64_t state = s * UINT64_C(0x9e3779b97f4a7c15) + 1;
        for (int i = 0; i < r; i++) {
            state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            row[i] = (unsigned char)(r <= 12 ? s >> i & 1u : state >> 33 & 1u);
        }
        struct ls_sort_pass pass = {0};
        for (passes = 0; ls_sort_next(r, &pass); passes++)
            for (int64_t i = 0; pass.distance > 0 && i + pass.distance < r; i++)
                if ((i & pass.bit) == pass.rest && row[i] > row[i + pass.distance]) {
                    row[i] = 0;
                    row[i + pass.distance] = 1;
                }
        for (int i = 1; i < r; i++)
            wrong += row[i - 1] > row[i];
    }
    int bits = 0;
    while (1 << bits < r)
        bits++;
    CHECK(wrong == 0, "rows of %d are not sorted", r);
    CHECK(passes == 1 + bits * (bits + 1) / 2, "%d passes for rows of %d", passes, r);
}

/* ---- Computing ---- */

enum { PARTS = 16 };

/* Edges of all tiles, every transposition, blocks of 1024, no k at all, and the three passes of a convolution. */
static int compute(ls_context *ls, ls_fingerprint_text parts[PARTS])
{
    static const int64_t sizes[][3] = {{1, 1, 1}, {33, 70, 17}, {130, 17, 100}, {5, 131, 33}};
    int count = 0;
    ls_set_random_seed(ls, 7);
    for (int i = 0; i < 4; i++) {
        int64_t m = sizes[i][0], n = sizes[i][1], k = sizes[i][2];
        ls_tensor a = ls_random_normal(ls, i & 1 ? LS_SHAPE(k, m) : LS_SHAPE(m, k), 0, 1);
        ls_tensor b = ls_random_normal(ls, i & 2 ? LS_SHAPE(n, k) : LS_SHAPE(k, n), 0, 1);
        ls_tensor bias = ls_random_normal(ls, LS_SHAPE(n), 0, 1);
        ls_tensor c = ls_matmul(a, b, .transpose_a = i & 1, .transpose_b = i & 2, .bias = bias, .activation = LS_RELU);
        parts[count++] = ls_fingerprint(&c, 1);
    }
    ls_tensor a = ls_random_normal(ls, LS_SHAPE(2, 3, 2100), 0, 1), b = ls_random_normal(ls, LS_SHAPE(2, 2100, 5), 0, 1);
    ls_tensor c[] = {ls_matmul(a, b), ls_matmul(ls_zeros(ls, LS_FLOAT32, LS_SHAPE(4, 0)), ls_zeros(ls, LS_FLOAT32, LS_SHAPE(0, 3)))};
    parts[count++] = ls_fingerprint(&c[0], 1);
    parts[count++] = ls_fingerprint(&c[1], 1);
    ls_tensor image = ls_random_normal(ls, LS_SHAPE(2, 7, 6, 3), 0, 1), filter = ls_random_normal(ls, LS_SHAPE(3, 2, 3, 20), 0, 1);
    ls_tensor sources[] = {image, filter}, g[2];
    LS_TAPE(tape, ls) {
        ls_watch(tape, image);
        ls_watch(tape, filter);
        ls_tensor y = ls_conv(image, filter, .strides = {2, 1}, .padding = LS_SAME);
        parts[count++] = ls_fingerprint(&y, 1);
        ls_gradient(tape, ls_sum(ls_square(y), NULL, 0, false), sources, 2, g);
    }
    parts[count++] = ls_fingerprint(&g[0], 1);
    parts[count++] = ls_fingerprint(&g[1], 1);
    return count;
}

static void check_device(const char *name)
{
    const struct device_kind kind = device_kind_of(name);
    ls_fingerprint_text here[PARTS], there[PARTS];
    ls_context *reference = ls_open("reference");
    int count = compute(reference, there);
    CHECK(ls_error(reference) == LS_OK, "%s", ls_error_message(reference));
    ls_close(&reference);
    int taken = 0;
    for (int t = -1; t < LS_TILES; t++) {
        setenv("LOCKSTEP_TILE", t < 0 ? "larger" : ls_tiles[t].name, 1);
        ls_context *ls = ls_open(kind.words);
        if (ls_error(ls) == LS_NOT_FOUND || ls_error(ls) == LS_UNAVAILABLE)
            device_absent(&kind, ls_error_message(ls));
        if (t < 0 || (ls_error(ls) == LS_INVALID_ARGUMENT && ls_tiles[t].rows * ls_tiles[t].columns > 16)) {
            CHECK(strstr(ls_error_message(ls), "is not a tile that this device can have"), "%s", ls_error_message(ls));
            ls_close(&ls);
            continue;
        }
        taken++;
        CHECK(compute(ls, here) == count && ls_error(ls) == LS_OK, "%s", ls_error_message(ls));
        for (int i = 0; i < count; i++)
            CHECK(strcmp(here[i].text, there[i].text) == 0, "tile %s, part %d: %s, not %s", ls_tiles[t].name, i, here[i].text,
                  there[i].text);
        CHECK(ls_close(&ls) == LS_OK, "close");
    }
    CHECK(taken >= 5, "%d tiles were taken", taken); /* all of at most 16 results */
}

int main(int argc, char **argv)
{
    check_choices();
    check_named();
    for (int r = 0; r <= 70; r++)
        check_sort(r);
    check_sort(1025);
    if (argc > 1)
        check_device(argv[1]);
    return end_of_checks();
}
