/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "env.h"
#include "tiles.h"

/* All but "large" stay within what Vulkan 1.1 promises: 128 items, 16 KiB. */
const struct ls_tile ls_tiles[LS_TILES] = {
    {"large", 16, 16, 8, 8, 8, 4},  /* 128 x 128 */
    {"medium", 8, 8, 8, 8, 16, 4},  /* 64 x 64 */
    {"small", 8, 8, 4, 4, 16, 6},   /* 32 x 32 */
    {"upright", 4, 16, 4, 4, 16, 6}, /* 64 x 16: few columns, such as classes */
    {"flat", 16, 4, 4, 4, 16, 6},   /* 16 x 64: few rows */
    {"tiny", 8, 8, 2, 2, 16, 10},   /* 16 x 16 */
    {"single", 1, 1, 4, 4, 16, 1000}, /* for devices whose groups have one item */
};

static bool fits(const struct ls_tile *tile, const struct ls_tile_limits *limits)
{
    uint64_t lines = (uint64_t)tile->y * tile->rows + (uint64_t)tile->x * tile->columns + 2;
    return (uint64_t)tile->x * tile->y <= limits->items && (!limits->long_fma || tile->rows * tile->columns <= 16) &&
           lines * tile->depth * sizeof(float) <= limits->bytes;
}

bool ls_tile_check(const struct ls_tile_limits *limits, struct ls_message *message)
{
    const char *wanted = ls_env("LOCKSTEP_TILE");
    char names[128] = "";
    for (int i = 0; i < LS_TILES; i++) {
        if (!fits(&ls_tiles[i], limits))
            continue;
        if (wanted == NULL || strcmp(ls_tiles[i].name, wanted) == 0)
            return true;
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%s", used > 0 ? ", " : "", ls_tiles[i].name);
    }
    if (wanted != NULL)
        snprintf(message->text, sizeof message->text,
                 "LOCKSTEP_TILE: \"%.64s\" is not a tile that this device can have; it can have %s", wanted,
                 names[0] != '\0' ? names : "none but its own choice");
    return wanted == NULL;
}

/* Groups that leave units idle cost as much as those that do not. */
static int64_t cost_of(const struct ls_tile *tile, int units, int64_t m, int64_t n, int64_t batch)
{
    int64_t groups = ls_tile_rows(tile, m) * ls_tile_columns(tile, n) * batch;
    int64_t wanted = units > 0 ? 2 * (int64_t)units : 128;
    int64_t results = (int64_t)tile->x * tile->y * tile->rows * tile->columns;
    return (groups > wanted ? groups : wanted) * results * tile->cost;
}

const struct ls_tile *ls_tile_choose(const struct ls_tile_limits *limits, int64_t m, int64_t n, int64_t batch)
{
    const char *wanted = ls_env("LOCKSTEP_TILE");
    const struct ls_tile *best = NULL;
    for (int i = 0; i < LS_TILES; i++) {
        if (!fits(&ls_tiles[i], limits))
            continue;
        if (wanted != NULL && strcmp(ls_tiles[i].name, wanted) == 0)
            return &ls_tiles[i];
        if (best == NULL ||
            cost_of(&ls_tiles[i], limits->units, m, n, batch) < cost_of(best, limits->units, m, n, batch))
            best = &ls_tiles[i];
    }
    return best != NULL ? best : &ls_tiles[LS_TILES - 1];
}

/* The largest power of two below r. */
static int64_t top_of(int64_t r)
{
    int64_t top = 1;
    while (2 * top < r)
        top *= 2;
    return top;
}

bool ls_sort_next(int64_t r, struct ls_sort_pass *pass)
{
    if (pass->count++ == 0)
        return true;
    if (pass->from > pass->bit) {
        pass->rest = pass->bit;
        pass->distance = pass->from - pass->bit;
        pass->from /= 2;
        return true;
    }
    pass->from = r > 1 ? top_of(r) : 0;
    pass->bit = pass->count == 2 ? pass->from : pass->bit / 2;
    pass->rest = 0;
    pass->distance = pass->bit;
    return pass->bit > 0;
}
