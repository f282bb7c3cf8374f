/* SPDX-License-Identifier: Apache-2.0
 *
 * Shuffling as tf.data does: a window of elements, one drawn from it, the next element put in its place.
 */
#include <stdlib.h>

#include "random.h"
#include "stage.h"

struct settings {
    int64_t buffer_size; /* 0: all */
    uint64_t seed;
    int64_t same_every_epoch;
};

struct shuffle {
    ls_dataset base;
    struct settings settings;
};

struct shuffling {
    struct ls_iterator base;
    struct ls_item *window;
    int64_t filled, room, drawn;
    bool begun, ended; /* the window was filled; nothing comes after it */
    uint32_t words[4];
};

static bool reserve(struct shuffling *s, struct ls_problem *problem)
{
    if (s->filled < s->room)
        return true;
    int64_t room = s->room ? 2 * s->room : 64;
    struct ls_item *grown = realloc(s->window, (size_t)room * sizeof *grown);
    if (!grown)
        return ls_problem_set(problem, LS_OUT_OF_MEMORY, "dataset_shuffle: no host memory for %lld elements",
                              (long long)room) != LS_NEXT_FAILED;
    s->window = grown;
    s->room = room;
    return true;
}

static bool fill(struct shuffling *s, struct ls_problem *problem)
{
    int64_t most = ((const struct shuffle *)s->base.dataset)->settings.buffer_size;
    s->begun = true;
    while (!s->ended && (most == 0 || s->filled < most)) {
        if (!reserve(s, problem))
            return false;
        enum ls_next next = ls_iterator_next(s->base.input[0], &s->window[s->filled], problem);
        if (next == LS_NEXT_FAILED)
            return false;
        s->ended = next == LS_NEXT_END;
        s->filled += !s->ended;
    }
    return true;
}

/* A number below the count of elements in the window. */
static uint32_t draw(struct shuffling *s)
{
    const struct settings *settings = &((const struct shuffle *)s->base.dataset)->settings;
    uint64_t epoch = settings->same_every_epoch ? 0 : s->base.epoch, four = (uint64_t)s->drawn / 4;
    if (s->drawn % 4 == 0)
        ls_host_words(settings->seed + (four >> 32), (uint32_t)four, LS_STREAM_SHUFFLE, epoch, s->words);
    return ls_bounded(s->words[s->drawn++ % 4], (uint32_t)s->filled);
}

static enum ls_next next_shuffled(struct ls_iterator *it, struct ls_item *item, struct ls_problem *problem)
{
    struct shuffling *s = (struct shuffling *)it;
    if (!s->begun && !fill(s, problem))
        return LS_NEXT_FAILED;
    if (s->filled == 0)
        return LS_NEXT_END;
    struct ls_item *drawn = &s->window[draw(s)];
    *item = *drawn;
    if (!s->ended) {
        enum ls_next next = ls_iterator_next(it->input[0], drawn, problem);
        if (next == LS_NEXT_ITEM)
            return next;
        s->ended = true;
        if (next == LS_NEXT_FAILED) {
            *drawn = s->window[--s->filled];
            ls_item_release(item);
            return next;
        }
    }
    *drawn = s->window[--s->filled];
    return LS_NEXT_ITEM;
}

static void close_shuffle(struct ls_iterator *it)
{
    struct shuffling *s = (struct shuffling *)it;
    for (int64_t i = 0; i < s->filled; i++)
        ls_item_release(&s->window[i]);
    free(s->window);
}

static const struct ls_stage shuffle_stage = {
    .name = "dataset_shuffle",
    .dataset_size = sizeof(struct shuffle),
    .iterator_size = sizeof(struct shuffling),
    .next = next_shuffled,
    .close = close_shuffle,
};

ls_dataset *ls_dataset_shuffle_with(const ls_shuffle_options *options)
{
    if (!options)
        return ls_no_options("dataset_shuffle");
    ls_dataset *dataset = options->dataset;
    if (!dataset || ls_failed(dataset->context))
        return NULL;
    ls_context *ls = dataset->context;
    if (dataset->batched)
        return ls_dataset_refuse(ls, LS_INVALID_ARGUMENT, "dataset_shuffle: shuffle elements, before ls_dataset_batch");
    if (options->buffer_size < 0 || options->buffer_size > INT32_MAX)
        return ls_dataset_refuse(ls, LS_INVALID_ARGUMENT,
                                 "dataset_shuffle: buffer_size %lld; 1 to 2^31 - 1, or 0 to shuffle all elements",
                                 (long long)options->buffer_size);
    if (options->buffer_size == 0 && (dataset->cardinality < 0 || dataset->cardinality > INT32_MAX))
        return ls_dataset_refuse(
            ls, LS_INVALID_ARGUMENT,
            "dataset_shuffle: the number of elements is not known or has no end, so not all can be "
            "shuffled; give a buffer_size");
    uint64_t seed = ls_dataset_seed(ls, options->seed);
    ls_dataset *made = ls_dataset_step(&shuffle_stage, &dataset, 1);
    if (!made)
        return NULL;
    struct settings *settings = &((struct shuffle *)made)->settings;
    *settings = (struct settings){options->buffer_size, seed, options->same_every_epoch};
    ls_dataset_sign(made, settings, sizeof *settings);
    made->buffered += options->buffer_size ? options->buffer_size : made->cardinality;
    return made;
}
