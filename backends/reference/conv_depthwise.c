/* SPDX-License-Identifier: Apache-2.0
 *
 * conv where every group has one channel and one filter: products of single numbers, so the vectors run
 * along the groups, and there is nothing to multiply as matrices. The chains are those of conv.c.
 */
#include "conv.h"
#include "gemm.h"

#include "prelude_c.h"
#include "canon.h"

enum { WIDTH = 64 }; /* channels whose sums are kept at a time */

struct depthwise {
    const struct ls_conv_args *args;
    struct patches patches;
    const float *images;
    int64_t tiles; /* of channels */
};

/* The chains of some neighbouring channels. */
struct sums {
    float total[WIDTH], sum[WIDTH];
    int64_t n, terms;
};

static const float outside[WIDTH];

static void start(struct sums *s, int64_t n)
{
    s->n = n;
    s->terms = 0;
    EACH(c, WIDTH) s->sum[c] = 0.0f;
}

static void join(struct sums *s)
{
    bool first = s->terms <= LS_CHAIN_BLOCK;
    EACH(c, s->n) s->total[c] = first ? s->sum[c] : s->total[c] + s->sum[c];
    EACH(c, s->n) s->sum[c] = 0.0f;
}

static inline void add(struct sums *s, const float *a, const float *b)
{
    if (s->terms > 0 && s->terms % LS_CHAIN_BLOCK == 0) {
        join(s);
    }
    EACH(c, s->n) s->sum[c] = LS_FMA(a[c], b[c], s->sum[c]);
    s->terms++;
}

/* The channels of what position j of a window sees. */
static inline const float *seen(const struct depthwise *v, const struct window_at *at, int64_t j, int64_t channel)
{
    const struct places *along = v->patches.along;
    int64_t number[LS_SPATIAL] = {j / along[2].size / along[1].size, j / along[2].size % along[1].size,
                                  j % along[2].size};
    int64_t pixel = at->image;
    for (int d = 0; d < LS_SPATIAL; d++) {
        int32_t place = along[d].at[at->x[d] * along[d].size + number[d]];
        if (place < 0) {
            return outside;
        }
        pixel = pixel * along[d].extent + place;
    }
    return v->images + pixel * v->patches.pixel + channel;
}

/* FORWARD and INPUT: windows [begin, end). */
static void windows_part(const void *work, int thread, int64_t begin, int64_t end)
{
    const struct depthwise *v = work;
    const struct ls_conv_args *args = v->args;
    const float *kernel = data_of(args->kernel), *bias = args->bias ? data_of(args->bias) : NULL;
    float *result = data_of(args->pass == LS_CONV_INPUT ? args->input : args->output);
    struct window_at at = ISA(window_at)(&v->patches, begin);
    (void)thread;
    for (int64_t x = begin; x < end; x++) {
        for (int64_t channel = 0; channel < args->groups; channel += WIDTH) {
            struct sums sums;
            start(&sums, args->groups - channel < WIDTH ? args->groups - channel : WIDTH);
            for (int64_t j = 0; j < v->patches.size; j++) {
                add(&sums, seen(v, &at, j, channel), kernel + j * args->groups + channel);
            }
            join(&sums);
            float *c = result + x * args->groups + channel;
            EACH(i, sums.n) c[i] = sums.total[i];
            ISA(finish_tile)(&(struct tile){.c = c, .n = sums.n}, 1, bias ? bias + channel : NULL, args->activation);
        }
        ISA(window_next)(&v->patches, &at);
    }
}

/* KERNEL: positions and tiles of channels [begin, end). */
static void kernel_part(const void *work, int thread, int64_t begin, int64_t end)
{
    const struct depthwise *v = work;
    const struct ls_conv_args *args = v->args;
    const float *y = data_of(args->output);
    float *kernel = data_of(args->kernel);
    int64_t windows = args->window.batch;
    (void)thread;
    for (int d = 0; d < LS_SPATIAL; d++) {
        windows *= args->window.out[d];
    }
    for (; begin < end; begin++) {
        int64_t j = begin / v->tiles, channel = begin % v->tiles * WIDTH;
        struct window_at at = {0};
        struct sums sums;
        start(&sums, args->groups - channel < WIDTH ? args->groups - channel : WIDTH);
        for (int64_t x = 0; x < windows; x++) {
            add(&sums, seen(v, &at, j, channel), y + x * args->groups + channel);
            ISA(window_next)(&v->patches, &at);
        }
        join(&sums);
        EACH(i, sums.n) kernel[j * args->groups + channel + (int64_t)i] = sums.total[i];
    }
}

ls_status ISA(conv_depthwise)(struct reference_device *device, const struct ls_conv_args *args)
{
    bool back = args->pass == LS_CONV_INPUT;
    const struct ls_window *w = &args->window;
    const int64_t *sizes = back ? w->in : w->out;
    int32_t *tables = ls_reference_scratch(device, (size_t)ISA(patches_tables)(w, back) * sizeof(int32_t) + 1);
    if (!tables) {
        return LS_OUT_OF_MEMORY;
    }
    struct depthwise v = {.args = args, .images = data_of(back ? args->output : args->input),
                          .tiles = (args->groups + WIDTH - 1) / WIDTH};
    ISA(patches_init)(&v.patches, w, back, 1, args->groups, tables);
    int64_t windows = w->batch * sizes[0] * sizes[1] * sizes[2], work = args->groups * v.patches.size;
    if (args->pass == LS_CONV_KERNEL) {
        ls_reference_parallel(device, v.patches.size * v.tiles, PARALLEL_WORK / (windows * WIDTH + 1) + 1, kernel_part, &v);
    } else {
        ls_reference_parallel(device, windows, PARALLEL_WORK / work + 1, windows_part, &v);
    }
    return LS_OK;
}
