/* SPDX-License-Identifier: Apache-2.0
 *
 * What conv.c, which cuts a convolution into tiles, and conv_patch.c, which gathers what a tile reads,
 * share.
 */
#ifndef LS_REFERENCE_CONV_H
#define LS_REFERENCE_CONV_H

#include "slots.h"

/* Where window positions lie along one dimension: `at[x * size + j]` is the coordinate that position j
 * of window x meets, or -1. Those of x that meet one have j in [bounds[2x], bounds[2x + 1]). */
struct places {
    const int32_t *at, *bounds;
    int64_t windows, size, extent; /* how many x and j there are; of the image that is read */
};

/* The windows over an image, of which one group's channels are read. A patch is what one window sees:
 * (size..., channels), with +0 where it reaches outside. */
struct patches {
    struct places along[LS_SPATIAL];
    int64_t channels, pixel; /* of the group; elements from one pixel to the next */
    int64_t size;            /* of a patch */
    bool runs;               /* a window's neighbours in the last dimension are neighbours in memory */
};

/* One window: its image and its place. */
struct window_at {
    int64_t image, x[LS_SPATIAL];
};

/* How many int32 the tables of a window need, and filling them. `back`: the windows stand at the
 * input's positions and see the output. */
int64_t ISA(patches_tables)(const struct ls_window *window, bool back);
void ISA(patches_init)(struct patches *patches, const struct ls_window *window, bool back, int64_t channels,
                       int64_t groups, int32_t *tables);

/* The window number `index`, and the one after it. */
struct window_at ISA(window_at)(const struct patches *patches, int64_t index);
void ISA(window_next)(const struct patches *patches, struct window_at *at);

/* Elements [first, last) of a patch to `to`. `images` starts at the group's channels. */
void ISA(copy_patch)(const struct patches *patches, const float *images, const struct window_at *at,
                     int64_t first, int64_t last, float *to);

/* conv for groups of one channel and one filter. */
ls_status ISA(conv_depthwise)(struct reference_device *device, const struct ls_conv_args *args);

#endif
