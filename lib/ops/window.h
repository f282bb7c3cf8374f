/* SPDX-License-Identifier: Apache-2.0
 *
 * Windows over images: what convolution and pooling make of their options.
 */
#ifndef LOCKSTEP_OPS_WINDOW_H
#define LOCKSTEP_OPS_WINDOW_H

#include "op.h"

/** What the caller asked for, and for which op. NULL or 0: the default. */
struct ls_window_options {
    const char *op;
    const int64_t *size;                /* per spatial dimension */
    const int64_t *strides, *dilations; /* LS_SPATIAL_MAX of them, 0: that of the first, else 1 */
    ls_padding padding;
    const int64_t (*pads)[2];
};

/** Spatial dimensions of an image, 1 to 3; 0 with the error raised. */
int ls_window_rank(ls_context *ls, const char *op, const ls_shape *image);

/**
 * Fills `window` for an image of that shape, `sizes` of which are in front where there are fewer than three
 * dimensions. False with the error raised.
 */
bool ls_window_make(ls_context *ls, const struct ls_window_options *o, const ls_shape *image, struct ls_window *window);

/** The option of dimension d: what stands there, else what stands first, else 1. */
int64_t ls_window_option(const int64_t *values, int d);

/** The image on the input's or the output's side: `rank` spatial dimensions and `channels`. */
ls_shape ls_window_image(const struct ls_window *window, bool out, int rank, int64_t channels);

#endif
