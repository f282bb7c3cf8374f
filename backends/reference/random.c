/* SPDX-License-Identifier: Apache-2.0
 *
 * random: Philox4x32-10 by element index, canon rule 15. Four elements share a counter.
 */
#include "slots.h"

#include <string.h>

#include "prelude_c.h"
#include "canon.h"

struct stream {
    const struct ls_random_args *args;
    uint step, key0, key1;
};

/* to[0 .. 4n) from n counters, beginning with `first`. */
static void draw_bits(const struct stream *stream, uint first, int64_t n, word *to)
{
    uint number = stream->args->stream, step = stream->step;
    uint key0 = stream->key0, key1 = stream->key1;
    EACH(i, n)
    {
        canon_uint4 words = canon_philox(first + (uint)i, number, step, 0u, key0, key1);
        to[4 * i] = words.x;
        to[4 * i + 1] = words.y;
        to[4 * i + 2] = words.z;
        to[4 * i + 3] = words.w;
    }
}

static void draw_uniform(const struct stream *stream, uint first, int64_t n, float *to)
{
    uint number = stream->args->stream, step = stream->step;
    uint key0 = stream->key0, key1 = stream->key1;
    EACH(i, n)
    {
        canon_uint4 words = canon_philox(first + (uint)i, number, step, 0u, key0, key1);
        to[4 * i] = canon_uniform(words.x);
        to[4 * i + 1] = canon_uniform(words.y);
        to[4 * i + 2] = canon_uniform(words.z);
        to[4 * i + 3] = canon_uniform(words.w);
    }
}

static void draw_normal(const struct stream *stream, uint first, int64_t n, float *to)
{
    uint number = stream->args->stream, step = stream->step;
    uint key0 = stream->key0, key1 = stream->key1;
    EACH(i, n)
    {
        canon_uint4 words = canon_philox(first + (uint)i, number, step, 0u, key0, key1);
        canon_float4 values = canon_normal4(words);
        to[4 * i] = values.x;
        to[4 * i + 1] = values.y;
        to[4 * i + 2] = values.z;
        to[4 * i + 3] = values.w;
    }
}

static void draw(const struct stream *stream, int64_t first, int64_t n, void *to)
{
    switch (stream->args->kind) {
    case LS_RANDOM_UNIFORM: draw_uniform(stream, (uint)first, n, to); break;
    case LS_RANDOM_NORMAL: draw_normal(stream, (uint)first, n, to); break;
    case LS_RANDOM_BITS: draw_bits(stream, (uint)first, n, to); break;
    }
}

/* Elements [begin, end); begin is a multiple of four. */
static void random_part(const void *work, int thread, int64_t begin, int64_t end)
{
    const struct stream *stream = work;
    word *to = data_of(stream->args->dst);
    (void)thread;
    int64_t whole = (end - begin) / 4;
    draw(stream, begin / 4, whole, to + begin);
    int64_t rest = begin + 4 * whole;
    if (rest < end) {
        word last[4];
        draw(stream, rest / 4, 1, last);
        memcpy(to + rest, last, (size_t)(end - rest) * sizeof *to);
    }
}

ls_status ISA(random)(struct reference_device *device, const struct ls_random_args *args)
{
    const int32_t *step = data_of(args->step);
    struct stream stream = {.args = args, .step = (uint)*step, .key0 = (uint)args->seed,
                            .key1 = (uint)(args->seed >> 32)};
    ls_reference_parallel(device, args->n, PARALLEL_WORK / 4, random_part, &stream);
    return LS_OK;
}
