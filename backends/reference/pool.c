/* SPDX-License-Identifier: Apache-2.0
 *
 * pool: windows over images, vectors along the channels. Both directions gather, so that every result
 * is written by one thread, in the order that backend.h states.
 */
#include "slots.h"

#include "prelude_c.h"
#include "canon.h"

#include <string.h>

struct pool {
    const struct ls_pool_args *args;
};

/* Pixel number `index` of images with these sizes, as (image, x0, x1, x2). */
static void locate(int64_t index, const int64_t *sizes, int64_t *image, int64_t *x)
{
    for (int d = LS_SPATIAL; d-- > 0;) {
        x[d] = index % sizes[d];
        index /= sizes[d];
    }
    *image = index;
}

static int64_t pixel(int64_t image, const int64_t *sizes, const int64_t *x)
{
    return ((image * sizes[0] + x[0]) * sizes[1] + x[1]) * sizes[2] + x[2];
}

/* Where position j of the window at o lies in the input; false if outside. */
static bool inside(const struct ls_window *w, const int64_t *o, const int64_t *j, int64_t *i)
{
    for (int d = 0; d < LS_SPATIAL; d++) {
        i[d] = o[d] * w->stride[d] - w->before[d] + j[d] * w->dilation[d];
        if (i[d] < 0 || i[d] >= w->in[d]) {
            return false;
        }
    }
    return true;
}

/* The output whose window meets input i at position j; false if there is none. */
static bool meets(const struct ls_window *w, const int64_t *i, const int64_t *j, int64_t *o)
{
    for (int d = 0; d < LS_SPATIAL; d++) {
        int64_t at = i[d] + w->before[d] - j[d] * w->dilation[d];
        o[d] = at / w->stride[d];
        if (at < 0 || at % w->stride[d] || o[d] >= w->out[d]) {
            return false;
        }
    }
    return true;
}

/* How many positions of the window at o lie inside. */
static float count_of(const struct ls_window *w, const int64_t *o)
{
    int64_t count = 1;
    for (int d = 0; d < LS_SPATIAL; d++) {
        int64_t within = 0;
        for (int64_t j = 0; j < w->size[d]; j++) {
            int64_t i = o[d] * w->stride[d] - w->before[d] + j * w->dilation[d];
            within += i >= 0 && i < w->in[d];
        }
        count *= within;
    }
    return (float)count;
}

/* One more element per channel of a window, from x; `first` of the window. */
static void join(enum ls_pool_op op, bool first, int32_t position, int64_t n, const float *x, float *y,
                 int32_t *best)
{
    if (op == LS_POOL_TAKE) {
        EACH(c, n) y[c] = best[c] == position ? x[c] : y[c];
    } else if (op == LS_POOL_AVERAGE) {
        EACH(c, n) y[c] = y[c] + x[c];
    } else if (first) {
        memcpy(y, x, (size_t)n * sizeof *y);
        for (int64_t c = 0; best && c < n; c++) {
            best[c] = position;
        }
    } else if (best) {
        EACH(c, n)
        {
            best[c] = x[c] > y[c] ? position : best[c];
            y[c] = x[c] > y[c] ? x[c] : y[c];
        }
    } else {
        EACH(c, n) y[c] = x[c] > y[c] ? x[c] : y[c];
    }
}

static void pool_window(const struct pool *v, int64_t number)
{
    const struct ls_pool_args *args = v->args;
    const struct ls_window *w = &args->window;
    int64_t n = args->channels, image, o[LS_SPATIAL], j[LS_SPATIAL], i[LS_SPATIAL];
    const float *src = data_of(args->src);
    float *y = (float *)data_of(args->dst) + number * n;
    int32_t *best = args->positions ? (int32_t *)data_of(args->positions) + number * n : NULL;
    int32_t position = 0;
    bool first = true;
    locate(number, w->out, &image, o);
    memset(y, 0, (size_t)n * sizeof *y);
    for (j[0] = 0; j[0] < w->size[0]; j[0]++) {
        for (j[1] = 0; j[1] < w->size[1]; j[1]++) {
            for (j[2] = 0; j[2] < w->size[2]; j[2]++, position++) {
                if (inside(w, o, j, i)) {
                    join(args->op, first, position, n, src + pixel(image, w->in, i) * n, y, best);
                    first = false;
                }
            }
        }
    }
    if (args->op == LS_POOL_AVERAGE) {
        float count = count_of(w, o);
        EACH(c, n) y[c] = LS_DIV(y[c], count);
    }
}

/* Positions descend so that outputs ascend. */
static void spread_pixel(const struct pool *v, int64_t number)
{
    const struct ls_pool_args *args = v->args;
    const struct ls_window *w = &args->window;
    int64_t n = args->channels, image, o[LS_SPATIAL], j[LS_SPATIAL], i[LS_SPATIAL];
    const float *src = data_of(args->src);
    const int32_t *positions = args->op == LS_POOL_SPREAD_MAX ? data_of(args->positions) : NULL;
    float *y = (float *)data_of(args->dst) + number * n;
    int32_t position = (int32_t)(w->size[0] * w->size[1] * w->size[2]);
    locate(number, w->in, &image, i);
    memset(y, 0, (size_t)n * sizeof *y);
    for (j[0] = w->size[0]; j[0]-- > 0;) {
        for (j[1] = w->size[1]; j[1]-- > 0;) {
            for (j[2] = w->size[2]; j[2]-- > 0;) {
                position--;
                if (!meets(w, i, j, o)) {
                    continue;
                }
                int64_t at = pixel(image, w->out, o) * n;
                const float *x = src + at;
                if (positions) {
                    const int32_t *best = positions + at;
                    EACH(c, n) y[c] = y[c] + (best[c] == position ? x[c] : 0.0f);
                } else {
                    float count = count_of(w, o);
                    EACH(c, n) y[c] = y[c] + LS_DIV(x[c], count);
                }
            }
        }
    }
}

static void pool_windows(const void *work, int thread, int64_t begin, int64_t end)
{
    (void)thread;
    for (; begin < end; begin++) {
        pool_window(work, begin);
    }
}

static void spread_pixels(const void *work, int thread, int64_t begin, int64_t end)
{
    (void)thread;
    for (; begin < end; begin++) {
        spread_pixel(work, begin);
    }
}

ls_status ISA(pool)(struct reference_device *device, const struct ls_pool_args *args)
{
    const struct ls_window *w = &args->window;
    bool back = args->op == LS_POOL_SPREAD_MAX || args->op == LS_POOL_SPREAD_AVERAGE;
    const int64_t *to = back ? w->in : w->out;
    struct pool v = {.args = args};
    int64_t work = (args->channels + 16) * w->size[0] * w->size[1] * w->size[2];
    ls_reference_parallel(device, w->batch * to[0] * to[1] * to[2], PARALLEL_WORK / work + 1,
                          back ? spread_pixels : pool_windows, &v);
    return LS_OK;
}
