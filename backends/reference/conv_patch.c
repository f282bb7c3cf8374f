/* SPDX-License-Identifier: Apache-2.0
 *
 * Patches of images: the rows of the matrix that a convolution multiplies, which is never made whole.
 */
#include "conv.h"

#include <string.h>

static int64_t windows_of(const struct ls_window *window, bool back, int d)
{
    return back ? window->in[d] : window->out[d];
}

int64_t ISA(patches_tables)(const struct ls_window *window, bool back)
{
    int64_t n = 0;
    for (int d = 0; d < LS_SPATIAL; d++) {
        n += windows_of(window, back, d) * (window->size[d] + 2);
    }
    return n;
}

/* Where position j of window x lies in the image that is read, or -1. */
static int32_t meet(const struct ls_window *w, bool back, int d, int64_t x, int64_t j)
{
    int64_t at = back ? x + w->before[d] - j * w->dilation[d]
                      : x * w->stride[d] - w->before[d] + j * w->dilation[d];
    if (back) {
        at = at % w->stride[d] ? -1 : at / w->stride[d];
    }
    return at >= 0 && at < (back ? w->out[d] : w->in[d]) ? (int32_t)at : -1;
}

void ISA(patches_init)(struct patches *patches, const struct ls_window *window, bool back, int64_t channels,
                       int64_t groups, int32_t *tables)
{
    *patches = (struct patches){.channels = channels, .pixel = channels * groups, .size = channels};
    for (int d = 0; d < LS_SPATIAL; d++) {
        int64_t windows = windows_of(window, back, d), size = window->size[d];
        int32_t *at = tables, *bounds = at + windows * size;
        for (int64_t x = 0; x < windows; x++) {
            int32_t low = 0, high = 0;
            for (int64_t j = 0; j < size; j++) {
                int32_t place = meet(window, back, d, x, j);
                at[x * size + j] = place;
                low = place >= 0 && high == 0 ? (int32_t)j : low;
                high = place >= 0 ? (int32_t)j + 1 : high;
            }
            bounds[2 * x] = low;
            bounds[2 * x + 1] = high;
        }
        patches->along[d] = (struct places){at, bounds, windows, size, back ? window->out[d] : window->in[d]};
        patches->size *= size;
        tables = bounds + 2 * windows;
    }
    patches->runs = !back && groups == 1 && window->dilation[LS_SPATIAL - 1] == 1;
}

struct window_at ISA(window_at)(const struct patches *patches, int64_t index)
{
    struct window_at at;
    for (int d = LS_SPATIAL; d-- > 0;) {
        at.x[d] = index % patches->along[d].windows;
        index /= patches->along[d].windows;
    }
    at.image = index;
    return at;
}

void ISA(window_next)(const struct patches *patches, struct window_at *at)
{
    for (int d = LS_SPATIAL; d-- > 0;) {
        if (++at->x[d] < patches->along[d].windows) {
            return;
        }
        at->x[d] = 0;
    }
    at->image++;
}

/* Short pieces are the rule, and calling memcpy for them would be most of the time. */
static inline void copy(float *to, const float *from, int64_t n)
{
    if (n >= 16) {
        memcpy(to, from, (size_t)n * sizeof *to);
        return;
    }
    EACH(i, n) to[i] = from[i];
}

static inline void clear(float *to, int64_t n)
{
    EACH(i, n) to[i] = 0.0f;
}

static inline int64_t clamp(int64_t x, int64_t low, int64_t high)
{
    return x < low ? low : x > high ? high : x;
}

/* Elements [first, last) of one line of a patch, (size of the last dimension, channels). */
static void copy_line(const struct patches *p, const float *line, int64_t x, int64_t first, int64_t last,
                      float *to)
{
    const struct places *along = &p->along[LS_SPATIAL - 1];
    const int32_t *at = along->at + x * along->size;
    if (p->runs) {
        int64_t low = along->bounds[2 * x], high = along->bounds[2 * x + 1];
        int64_t begin = clamp(low * p->channels, first, last), end = clamp(high * p->channels, begin, last);
        clear(to, begin - first);
        if (end > begin) {
            copy(to + (begin - first), line + at[low] * p->pixel + (begin - low * p->channels), end - begin);
        }
        clear(to + (end - first), last - end);
        return;
    }
    for (int64_t j = first / p->channels; first < last; j++) {
        int64_t end = (j + 1) * p->channels < last ? (j + 1) * p->channels : last;
        if (at[j] < 0) {
            clear(to, end - first);
        } else {
            copy(to, line + at[j] * p->pixel + (first - j * p->channels), end - first);
        }
        to += end - first;
        first = end;
    }
}

void ISA(copy_patch)(const struct patches *p, const float *images, const struct window_at *at,
                     int64_t first, int64_t last, float *to)
{
    const struct places *along = p->along;
    int64_t line = along[2].size * p->channels;
    for (int64_t number = first / line; first < last; number++) {
        int64_t begin = number * line, end = begin + line < last ? begin + line : last;
        int64_t y = along[0].at[at->x[0] * along[0].size + number / along[1].size];
        int64_t z = along[1].at[at->x[1] * along[1].size + number % along[1].size];
        if (y < 0 || z < 0) {
            clear(to, end - first);
        } else {
            int64_t row = (at->image * along[0].extent + y) * along[1].extent + z;
            copy_line(p, images + row * along[2].extent * p->pixel, at->x[2], first - begin, end - begin, to);
        }
        to += end - first;
        first = end;
    }
}
