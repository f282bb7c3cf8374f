/* SPDX-License-Identifier: Apache-2.0
 *
 * Elements made before they are asked for: kept from the first epoch on (cache), or made on a thread (prefetch).
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "threads.h"

bool ls_thread_start(pthread_t *thread, void *(*run)(void *), void *argument, const char *step,
                     struct ls_problem *problem)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int code = pthread_create(thread, NULL, run, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code != 0)
        ls_problem_set(problem, LS_OUT_OF_MEMORY, "%s: the system refuses another thread (error %d)", step, code);
    return code == 0;
}

/* ---- cache ---- */

struct blocks {
    struct ls_block **block;
    int64_t count, room;
};

struct cache {
    ls_dataset base;
    pthread_mutex_t mutex;
    struct blocks blocks;
    bool full; /* then `blocks` stays as it is */
};

struct caching {
    struct ls_iterator base;
    struct blocks own;
    int64_t at;
    bool from_cache;
};

static void finish_blocks(struct blocks *blocks)
{
    for (int64_t i = 0; i < blocks->count; i++)
        ls_block_release(blocks->block[i]);
    free(blocks->block);
    *blocks = (struct blocks){0};
}

static bool append(struct blocks *blocks, struct ls_block *block)
{
    if (blocks->count == blocks->room) {
        int64_t room = blocks->room ? 2 * blocks->room : 64;
        struct ls_block **grown = realloc(blocks->block, (size_t)room * sizeof *grown);
        if (!grown)
            return false;
        blocks->block = grown;
        blocks->room = room;
    }
    atomic_fetch_add(&block->users, 1);
    blocks->block[blocks->count++] = block;
    return true;
}

static struct cache *cache_of(struct ls_iterator *it) { return (struct cache *)(uintptr_t)it->dataset; }

/* What stands before is always run as in epoch 0, so that it does not matter which epoch filled the cache. */
static bool open_cache(struct ls_iterator *it, struct ls_problem *problem)
{
    struct cache *cache = cache_of(it);
    pthread_mutex_lock(&cache->mutex);
    bool full = ((struct caching *)it)->from_cache = cache->full;
    pthread_mutex_unlock(&cache->mutex);
    return full || (it->input[0] = ls_iterator_open(it->dataset->input[0], 0, problem)) != NULL;
}

static void install(struct caching *c)
{
    struct cache *cache = cache_of(&c->base);
    pthread_mutex_lock(&cache->mutex);
    if (!cache->full) {
        cache->blocks = c->own;
        c->own = (struct blocks){0};
        cache->full = true;
    }
    pthread_mutex_unlock(&cache->mutex);
    c->from_cache = true;
    c->at = cache->blocks.count;
}

static enum ls_next next_cached(struct ls_iterator *it, struct ls_item *item, struct ls_problem *problem)
{
    struct caching *c = (struct caching *)it;
    const struct blocks *blocks = &cache_of(it)->blocks;
    if (c->from_cache) {
        if (c->at >= blocks->count)
            return LS_NEXT_END;
        *item = (struct ls_item){.block = blocks->block[c->at++]};
        atomic_fetch_add(&item->block->users, 1);
        return LS_NEXT_ITEM;
    }
    enum ls_next next = ls_iterator_next(it->input[0], item, problem);
    if (it->dataset->table)
        return next;
    if (next == LS_NEXT_ITEM && !ls_item_load(it->dataset->input[0]->table, item, problem))
        return LS_NEXT_FAILED;
    if (next == LS_NEXT_ITEM && !append(&c->own, item->block)) {
        ls_item_release(item);
        next = ls_problem_set(problem, LS_OUT_OF_MEMORY, "dataset_cache: no host memory after %lld elements",
                              (long long)c->own.count);
    }
    if (next == LS_NEXT_END)
        install(c);
    return next;
}

static enum ls_next skip_cached(struct ls_iterator *it, int64_t count, struct ls_problem *problem)
{
    struct caching *c = (struct caching *)it;
    if (it->dataset->table)
        return ls_iterator_skip(it->input[0], count, problem);
    if (!c->from_cache)
        return ls_iterator_step_over(it, count, problem);
    int64_t left = cache_of(it)->blocks.count - c->at;
    c->at += count < left ? count : left;
    return count < left ? LS_NEXT_ITEM : LS_NEXT_END;
}

static void close_cache(struct ls_iterator *it) { finish_blocks(&((struct caching *)it)->own); }

static void destroy_cache(ls_dataset *dataset)
{
    finish_blocks(&((struct cache *)dataset)->blocks);
    pthread_mutex_destroy(&((struct cache *)dataset)->mutex);
}

static const struct ls_stage cache_stage = {
    .name = "dataset_cache",
    .dataset_size = sizeof(struct cache),
    .iterator_size = sizeof(struct caching),
    .opens_inputs = true,
    .open = open_cache,
    .next = next_cached,
    .skip = skip_cached,
    .close = close_cache,
    .destroy = destroy_cache,
};

ls_dataset *ls_dataset_cache(ls_dataset *dataset)
{
    if (dataset && dataset->cardinality == LS_INFINITE_CARDINALITY)
        return ls_dataset_refuse(dataset->context, LS_INVALID_ARGUMENT,
                                 "dataset_cache: an endless data set cannot be kept; cache before ls_dataset_repeat");
    ls_dataset *made = ls_dataset_step(&cache_stage, &dataset, 1);
    if (!made)
        return NULL;
    pthread_mutex_init(&((struct cache *)made)->mutex, NULL);
    if (!ls_table_on_device(made->table))
        made->table = NULL; /* rows of files are kept as arrays */
    return made;
}

/* ---- prefetch ---- */

enum { MOST_PREFETCHED = 1 << 16 };

struct prefetch {
    ls_dataset base;
    int64_t buffer_size;
};

struct prefetching {
    struct ls_iterator base;
    pthread_t thread;
    pthread_mutex_t mutex; /* of all that follows */
    pthread_cond_t changed;
    struct ls_item *queue;
    int64_t capacity, head, count;
    enum ls_next last; /* not LS_NEXT_ITEM: what comes after the queue */
    struct ls_problem problem;
    bool started, stop;
};

static void *run_ahead(void *argument)
{
    struct prefetching *p = argument;
    enum ls_next next = LS_NEXT_ITEM;
    while (next == LS_NEXT_ITEM) {
        struct ls_item item = {0};
        struct ls_problem problem = {0};
        next = ls_iterator_next(p->base.input[0], &item, &problem);
        pthread_mutex_lock(&p->mutex);
        while (next == LS_NEXT_ITEM && !p->stop && p->count == p->capacity)
            pthread_cond_wait(&p->changed, &p->mutex);
        bool stop = p->stop;
        if (next != LS_NEXT_ITEM) {
            p->problem = problem;
            p->last = next;
        } else if (!stop) {
            p->queue[(p->head + p->count++) % p->capacity] = item;
        }
        pthread_cond_signal(&p->changed);
        pthread_mutex_unlock(&p->mutex);
        if (next == LS_NEXT_ITEM && stop) {
            ls_item_release(&item);
            break;
        }
    }
    return NULL;
}

static bool start(struct prefetching *p, struct ls_problem *problem)
{
    p->capacity = ((const struct prefetch *)p->base.dataset)->buffer_size;
    p->queue = calloc((size_t)p->capacity, sizeof *p->queue);
    if (!p->queue) {
        ls_problem_set(problem, LS_OUT_OF_MEMORY, "dataset_prefetch: no host memory for %lld elements",
                       (long long)p->capacity);
        return false;
    }
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->changed, NULL);
    p->started = ls_thread_start(&p->thread, run_ahead, p, "dataset_prefetch", problem);
    if (p->started)
        return true;
    pthread_mutex_destroy(&p->mutex);
    pthread_cond_destroy(&p->changed);
    free(p->queue);
    p->queue = NULL;
    return false;
}

/* Numbers of rows that the loop draws all at once anyway. */
static bool passes_through(const ls_dataset *dataset)
{
    return ls_table_on_device(dataset->table) && dataset->cardinality >= 0;
}

static enum ls_next next_prefetched(struct ls_iterator *it, struct ls_item *item, struct ls_problem *problem)
{
    struct prefetching *p = (struct prefetching *)it;
    if (passes_through(it->dataset))
        return ls_iterator_next(it->input[0], item, problem);
    if (!p->started && !start(p, problem))
        return LS_NEXT_FAILED;
    pthread_mutex_lock(&p->mutex);
    while (p->count == 0 && p->last == LS_NEXT_ITEM)
        pthread_cond_wait(&p->changed, &p->mutex);
    enum ls_next next = p->count > 0 ? LS_NEXT_ITEM : p->last;
    if (next == LS_NEXT_ITEM) {
        *item = p->queue[p->head];
        p->head = (p->head + 1) % p->capacity;
        p->count--;
    } else if (next == LS_NEXT_FAILED) {
        *problem = p->problem;
    }
    pthread_cond_signal(&p->changed);
    pthread_mutex_unlock(&p->mutex);
    return next;
}

static enum ls_next skip_prefetched(struct ls_iterator *it, int64_t count, struct ls_problem *problem)
{
    return ((struct prefetching *)it)->started ? ls_iterator_step_over(it, count, problem)
                                               : ls_iterator_skip(it->input[0], count, problem);
}

static void close_prefetch(struct ls_iterator *it)
{
    struct prefetching *p = (struct prefetching *)it;
    if (!p->started)
        return;
    pthread_mutex_lock(&p->mutex);
    p->stop = true;
    pthread_cond_signal(&p->changed);
    pthread_mutex_unlock(&p->mutex);
    pthread_join(p->thread, NULL);
    for (int64_t i = 0; i < p->count; i++)
        ls_item_release(&p->queue[(p->head + i) % p->capacity]);
    pthread_mutex_destroy(&p->mutex);
    pthread_cond_destroy(&p->changed);
    free(p->queue);
}

static const struct ls_stage prefetch_stage = {
    .name = "dataset_prefetch",
    .dataset_size = sizeof(struct prefetch),
    .iterator_size = sizeof(struct prefetching),
    .next = next_prefetched,
    .skip = skip_prefetched,
    .close = close_prefetch,
};

ls_dataset *ls_dataset_prefetch(ls_dataset *dataset, int64_t buffer_size)
{
    if (dataset && (buffer_size < 1 || buffer_size > MOST_PREFETCHED))
        return ls_dataset_refuse(dataset->context, LS_INVALID_ARGUMENT,
                                 "dataset_prefetch: buffer_size %lld; 1 to %d, and 2 is usual", (long long)buffer_size,
                                 MOST_PREFETCHED);
    ls_dataset *made = ls_dataset_step(&prefetch_stage, &dataset, 1);
    if (!made)
        return NULL;
    ((struct prefetch *)made)->buffer_size = buffer_size;
    made->signature = dataset->signature; /* it changes nothing about the elements */
    return made;
}
