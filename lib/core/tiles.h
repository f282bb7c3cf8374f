/* SPDX-License-Identifier: Apache-2.0
 *
 * How OpenCL and Vulkan cut work for a device that runs many groups of items: the tiles of a product, the passes of
 * a sort. No choice here changes a bit (canon rule 21).
 */
#ifndef LOCKSTEP_CORE_TILES_H
#define LOCKSTEP_CORE_TILES_H

#include <stdbool.h>
#include <stdint.h>

#include "backend.h"

/** A tile of a product: x * y items with rows * columns results each share `depth` of k of both factors. */
struct ls_tile {
    const char *name;
    unsigned x, y, rows, columns, depth;
    unsigned cost; /* of a result, against other tiles: fewer factors are read where an item has more results */
};

enum { LS_TILES = 7 };
extern const struct ls_tile ls_tiles[LS_TILES];

/** What a device can take: `items` of a group, `bytes` that it shares, `units` that run groups (0: unknown). Where an
 * fma is `long_fma`, dozens of instructions, compilers take many seconds over 64 of them: 16 results of an item then,
 * as where a driver did not take more. */
struct ls_tile_limits {
    uint64_t items, bytes;
    int units;
    bool long_fma;
};

/** Whether LOCKSTEP_TILE, where it is set, names a tile that fits; if not, a message says which do. */
bool ls_tile_check(const struct ls_tile_limits *limits, struct ls_message *message);

/** The tile that should take the least time for `batch` products (m, n); one fits any device. LOCKSTEP_TILE names
 * another for tests. */
const struct ls_tile *ls_tile_choose(const struct ls_tile_limits *limits, int64_t m, int64_t n, int64_t batch);

/** How many of them an (m, n) result takes in each direction. */
static inline int64_t ls_tile_rows(const struct ls_tile *tile, int64_t m)
{
    int64_t height = (int64_t)tile->y * tile->rows;
    return (m + height - 1) / height;
}
static inline int64_t ls_tile_columns(const struct ls_tile *tile, int64_t n)
{
    int64_t width = (int64_t)tile->x * tile->columns;
    return (n + width - 1) / width;
}

/**
 * The passes of a sorting network for rows of any length r: Batcher's odd-even merging (Knuth, The Art of Computer
 * Programming 3, 5.2.2M). A pass compares i with i + distance where (i & bit) == rest, for each i < r - distance; the
 * first one, of distance 0, only copies.
 *
 *     struct ls_sort_pass pass = {0};
 *     while (ls_sort_next(r, &pass)) ...
 */
struct ls_sort_pass {
    int64_t bit, rest, distance;
    int64_t from; /* for ls_sort_next: the distance is from - bit */
    int count;
};
bool ls_sort_next(int64_t r, struct ls_sort_pass *pass);

#endif
