/* SPDX-License-Identifier: Apache-2.0
 *
 * A user's function on every element. With workers, the thread that asks pulls elements into a ring, workers
 * take them from it, and results leave in the order in which they came: it decides nothing who was faster.
 */
#include <stdlib.h>
#include <string.h>

#include "threads.h"

enum { MOST_WORKERS = 256 };

struct map {
    ls_dataset base;
    ls_element_fn *function;
    void *user;
    ls_array outputs[LS_MAX_COMPONENTS];
    int output_count, workers;
    uint64_t seed;
};

/* A place in the ring. */
struct slot {
    struct ls_item item; /* what goes in, then what comes out */
    int64_t index;
    enum ls_next result;
    bool done;
    struct ls_problem problem;
};

struct mapping {
    struct ls_iterator base;
    int64_t index; /* of the next element that is pulled */
    /* with workers: */
    pthread_t threads[MOST_WORKERS];
    int thread_count;
    struct slot *slots;
    int64_t capacity, head, tail; /* results given; places filled: all belong to the thread that asks */
    pthread_mutex_t mutex;        /* of what follows, and of slots between taken and queued */
    pthread_cond_t work, done;
    int64_t queued, taken; /* elements handed to the workers; begun by them */
    bool ready, input_ended, stop;
};

/* Turns the element into the function's outputs. */
static enum ls_next apply(const struct mapping *m, int64_t index, struct ls_item *item, struct ls_problem *problem)
{
    const struct map *map = (const struct map *)m->base.dataset;
    if (!ls_item_load(map->base.input[0]->table, item, problem))
        return LS_NEXT_FAILED;
    struct ls_block *out = ls_block_new(map->outputs, map->output_count);
    enum ls_next next = LS_NEXT_FAILED;
    if (!out) {
        ls_problem_set(problem, LS_OUT_OF_MEMORY, "dataset_map: element %lld: no host memory for its outputs",
                       (long long)index);
    } else {
        struct ls_element element = {
            .inputs = item->block->array,
            .input_count = item->block->count,
            .outputs = out->array,
            .output_count = out->count,
            .index = index,
            .epoch = m->base.epoch,
            .random = ls_element_random(map->seed, m->base.epoch, index),
        };
        next = ls_element_call("dataset_map", map->function, map->user, &element, problem);
    }
    ls_item_release(item);
    if (next == LS_NEXT_ITEM)
        item->block = out;
    else
        ls_block_release(out);
    return next;
}

/* ---- Workers ---- */

static void *work(void *argument)
{
    struct mapping *m = argument;
    pthread_mutex_lock(&m->mutex);
    for (;;) {
        while (!m->stop && m->taken == m->queued)
            pthread_cond_wait(&m->work, &m->mutex);
        if (m->stop)
            break;
        struct slot *slot = &m->slots[m->taken++ % m->capacity];
        pthread_mutex_unlock(&m->mutex);
        slot->result = apply(m, slot->index, &slot->item, &slot->problem);
        pthread_mutex_lock(&m->mutex);
        slot->done = true;
        pthread_cond_broadcast(&m->done);
    }
    pthread_mutex_unlock(&m->mutex);
    return NULL;
}

/* Starts as many workers as it can; one is enough. */
static bool start(struct ls_iterator *it, struct ls_problem *problem)
{
    struct mapping *m = (struct mapping *)it;
    int workers = ((const struct map *)it->dataset)->workers;
    if (workers == 0)
        return true;
    m->capacity = 4 * workers;
    m->slots = calloc((size_t)m->capacity, sizeof *m->slots);
    if (!m->slots) {
        ls_problem_set(problem, LS_OUT_OF_MEMORY, "dataset_map: no host memory for %d workers", workers);
        return false;
    }
    pthread_mutex_init(&m->mutex, NULL);
    pthread_cond_init(&m->work, NULL);
    pthread_cond_init(&m->done, NULL);
    m->ready = true;
    struct ls_problem ignored;
    while (m->thread_count < workers &&
           ls_thread_start(&m->threads[m->thread_count], work, m, "dataset_map", m->thread_count ? &ignored : problem))
        m->thread_count++;
    return m->thread_count > 0;
}

static void stop(struct ls_iterator *it)
{
    struct mapping *m = (struct mapping *)it;
    if (m->ready) {
        pthread_mutex_lock(&m->mutex);
        m->stop = true;
        pthread_cond_broadcast(&m->work);
        pthread_mutex_unlock(&m->mutex);
        for (int i = 0; i < m->thread_count; i++)
            pthread_join(m->threads[i], NULL);
        pthread_mutex_destroy(&m->mutex);
        pthread_cond_destroy(&m->work);
        pthread_cond_destroy(&m->done);
    }
    for (int64_t i = m->head; i < m->tail; i++)
        ls_item_release(&m->slots[i % m->capacity].item);
    free(m->slots);
}

/* Puts elements into the ring until it is full. The end, or an error, takes a place too. */
static void pull(struct mapping *m)
{
    while (!m->input_ended && m->tail - m->head < m->capacity) {
        struct slot *slot = &m->slots[m->tail++ % m->capacity];
        memset(slot, 0, sizeof *slot);
        slot->result = ls_iterator_next(m->base.input[0], &slot->item, &slot->problem);
        slot->index = m->index++;
        m->input_ended = slot->done = slot->result != LS_NEXT_ITEM;
        if (m->input_ended)
            break;
        pthread_mutex_lock(&m->mutex);
        m->queued++;
        pthread_cond_signal(&m->work);
        pthread_mutex_unlock(&m->mutex);
    }
}

static enum ls_next next_of_workers(struct mapping *m, struct ls_item *item, struct ls_problem *problem)
{
    pull(m);
    struct slot *slot = &m->slots[m->head % m->capacity];
    pthread_mutex_lock(&m->mutex);
    while (!slot->done)
        pthread_cond_wait(&m->done, &m->mutex);
    pthread_mutex_unlock(&m->mutex);
    if (slot->result == LS_NEXT_ITEM) {
        *item = slot->item;
        m->head++;
    } else if (slot->result == LS_NEXT_FAILED) {
        *problem = slot->problem;
    }
    return slot->result;
}

/* ---- The stage ---- */

static enum ls_next next_mapped(struct ls_iterator *it, struct ls_item *item, struct ls_problem *problem)
{
    struct mapping *m = (struct mapping *)it;
    if (m->ready)
        return next_of_workers(m, item, problem);
    enum ls_next next = ls_iterator_next(it->input[0], item, problem);
    return next == LS_NEXT_ITEM ? apply(m, m->index++, item, problem) : next;
}

static enum ls_next skip_mapped(struct ls_iterator *it, int64_t count, struct ls_problem *problem)
{
    struct mapping *m = (struct mapping *)it;
    if (m->tail > m->head)
        return ls_iterator_step_over(it, count, problem);
    m->index += count;
    return ls_iterator_skip(it->input[0], count, problem);
}

static const struct ls_stage map_stage = {
    .name = "dataset_map",
    .dataset_size = sizeof(struct map),
    .iterator_size = sizeof(struct mapping),
    .open = start,
    .next = next_mapped,
    .skip = skip_mapped,
    .close = stop,
};

ls_dataset *ls_dataset_map_with(const ls_map_options *options)
{
    if (!options)
        return ls_no_options("dataset_map");
    ls_dataset *dataset = options->dataset;
    if (!dataset || ls_failed(dataset->context))
        return NULL;
    ls_context *ls = dataset->context;
    if (!options->function)
        return ls_dataset_refuse(ls, LS_INVALID_ARGUMENT, "dataset_map: the function is NULL");
    if (options->workers < 0 || options->workers > MOST_WORKERS)
        return ls_dataset_refuse(ls, LS_INVALID_ARGUMENT, "dataset_map: %d workers; 0 to %d", options->workers,
                                 MOST_WORKERS);
    int count = options->outputs ? options->output_count : dataset->count;
    if (!ls_dataset_check_components(ls, "dataset_map", options->outputs ? options->outputs : dataset->component,
                                     count))
        return NULL;
    uint64_t seed = ls_dataset_seed(ls, options->seed);
    ls_dataset *made = ls_dataset_to_host(dataset) == LS_OK ? ls_dataset_step(&map_stage, &dataset, 1) : NULL;
    if (!made)
        return NULL;
    struct map *map = (struct map *)made;
    map->function = options->function;
    map->user = options->user;
    map->workers = options->workers;
    map->seed = seed;
    map->output_count = made->count = count;
    for (int i = 0; i < count; i++) {
        map->outputs[i] = options->outputs ? options->outputs[i] : dataset->component[i];
        map->outputs[i].data = NULL;
        made->component[i] = map->outputs[i];
    }
    made->table = NULL;
    ls_dataset_sign(made, &seed, sizeof seed);
    ls_dataset_sign_components(made);
    return made;
}
