/* SPDX-License-Identifier: Apache-2.0
 *
 * Some of the elements: take, skip, shard, filter.
 */
#include <string.h>

#include "stage.h"

struct counted {
    ls_dataset base;
    int64_t count; /* take, skip: < 0 is all */
};

struct position {
    struct ls_iterator base;
    int64_t at;
};

static ls_dataset *counted(const struct ls_stage *stage, ls_dataset *dataset, int64_t count)
{
    ls_dataset *made = ls_dataset_step(stage, &dataset, 1);
    if (!made)
        return NULL;
    ((struct counted *)made)->count = count = count < 0 ? -1 : count;
    ls_dataset_sign(made, &count, sizeof count);
    return made;
}

/* Cardinality and size, where `step` changes the number of elements from n >= 0; infinite becomes `infinite`. */
static void recount(ls_dataset *dataset, int64_t n, int64_t infinite)
{
    if (dataset->cardinality == LS_INFINITE_CARDINALITY)
        dataset->cardinality = infinite;
    else if (dataset->cardinality >= 0)
        dataset->cardinality = n;
    if (!dataset->batched)
        dataset->size = dataset->cardinality;
}

/* ---- take ---- */

static enum ls_next next_taken(struct ls_iterator *it, struct ls_item *item, struct ls_problem *problem)
{
    struct position *position = (struct position *)it;
    int64_t count = ((const struct counted *)it->dataset)->count;
    if (count >= 0 && position->at >= count)
        return LS_NEXT_END;
    position->at++;
    return ls_iterator_next(it->input[0], item, problem);
}

static enum ls_next skip_taken(struct ls_iterator *it, int64_t count, struct ls_problem *problem)
{
    struct position *position = (struct position *)it;
    int64_t most = ((const struct counted *)it->dataset)->count;
    if (most >= 0 && count >= most - position->at) {
        position->at = most;
        return LS_NEXT_END;
    }
    position->at += count;
    return ls_iterator_skip(it->input[0], count, problem);
}

static const struct ls_stage take_stage = {
    .name = "dataset_take",
    .dataset_size = sizeof(struct counted),
    .iterator_size = sizeof(struct position),
    .next = next_taken,
    .skip = skip_taken,
};

ls_dataset *ls_dataset_take(ls_dataset *dataset, int64_t count)
{
    ls_dataset *taken = counted(&take_stage, dataset, count);
    if (taken && count >= 0)
        recount(taken, taken->cardinality < count ? taken->cardinality : count, count);
    return taken;
}

/* ---- skip ---- */

/* Passes over the first elements when the first one after them is asked for. */
static enum ls_next pass_over(struct ls_iterator *it, struct ls_problem *problem)
{
    struct position *position = (struct position *)it;
    int64_t count = ((const struct counted *)it->dataset)->count;
    if (count < 0)
        return LS_NEXT_END;
    if (position->at)
        return LS_NEXT_ITEM;
    position->at = 1;
    return ls_iterator_skip(it->input[0], count, problem);
}

static enum ls_next next_after(struct ls_iterator *it, struct ls_item *item, struct ls_problem *problem)
{
    enum ls_next next = pass_over(it, problem);
    return next == LS_NEXT_ITEM ? ls_iterator_next(it->input[0], item, problem) : next;
}

static enum ls_next skip_after(struct ls_iterator *it, int64_t count, struct ls_problem *problem)
{
    enum ls_next next = pass_over(it, problem);
    return next == LS_NEXT_ITEM ? ls_iterator_skip(it->input[0], count, problem) : next;
}

static const struct ls_stage skip_stage = {
    .name = "dataset_skip",
    .dataset_size = sizeof(struct counted),
    .iterator_size = sizeof(struct position),
    .next = next_after,
    .skip = skip_after,
};

ls_dataset *ls_dataset_skip(ls_dataset *dataset, int64_t count)
{
    ls_dataset *rest = counted(&skip_stage, dataset, count);
    if (rest && count < 0)
        recount(rest, 0, 0);
    else if (rest)
        recount(rest, rest->cardinality > count ? rest->cardinality - count : 0, LS_INFINITE_CARDINALITY);
    return rest;
}

/* ---- shard ---- */

struct shard {
    ls_dataset base;
    int64_t settings[2]; /* shards, index */
};

static enum ls_next next_of_shard(struct ls_iterator *it, struct ls_item *item, struct ls_problem *problem)
{
    struct position *position = (struct position *)it;
    const int64_t *settings = ((const struct shard *)it->dataset)->settings;
    enum ls_next next = ls_iterator_skip(it->input[0], position->at++ ? settings[0] - 1 : settings[1], problem);
    return next == LS_NEXT_ITEM ? ls_iterator_next(it->input[0], item, problem) : next;
}

static enum ls_next skip_of_shard(struct ls_iterator *it, int64_t count, struct ls_problem *problem)
{
    struct position *position = (struct position *)it;
    const int64_t *settings = ((const struct shard *)it->dataset)->settings;
    int64_t elements;
    if (!ls_checked_mul(count - 1, settings[0], &elements) || elements > INT64_MAX - settings[0])
        elements = INT64_MAX - settings[0];
    elements += 1 + (position->at ? settings[0] - 1 : settings[1]);
    position->at = 1;
    return ls_iterator_skip(it->input[0], elements, problem);
}

static const struct ls_stage shard_stage = {
    .name = "dataset_shard",
    .dataset_size = sizeof(struct shard),
    .iterator_size = sizeof(struct position),
    .next = next_of_shard,
    .skip = skip_of_shard,
};

ls_dataset *ls_dataset_shard(ls_dataset *dataset, int64_t shards, int64_t index)
{
    if (dataset && (shards < 1 || index < 0 || index >= shards))
        return ls_dataset_refuse(dataset->context, LS_INVALID_ARGUMENT,
                                 "dataset_shard: part %lld of %lld: the parts are 0 to shards - 1", (long long)index,
                                 (long long)shards);
    ls_dataset *made = ls_dataset_step(&shard_stage, &dataset, 1);
    if (!made)
        return NULL;
    int64_t *settings = ((struct shard *)made)->settings, left = made->cardinality - index;
    settings[0] = shards;
    settings[1] = index;
    ls_dataset_sign(made, settings, sizeof((struct shard *)made)->settings);
    recount(made, left > 0 ? (left - 1) / shards + 1 : 0, LS_INFINITE_CARDINALITY);
    return made;
}

/* ---- filter ---- */

struct filter {
    ls_dataset base;
    ls_element_fn *predicate;
    void *user;
    uint64_t seed;
};

struct filtering {
    struct ls_iterator base;
    int64_t index;
    int64_t dropped; /* since an element was kept */
    uint64_t pass;   /* of that element */
};

/* Whether the predicate sets `drop`, in *drop. */
static enum ls_next ask(struct filtering *f, const struct ls_item *item, bool *drop, struct ls_problem *problem)
{
    const struct filter *filter = (const struct filter *)f->base.dataset;
    const struct ls_table *table = filter->base.table;
    struct ls_item loaded = *item;
    if (loaded.block)
        atomic_fetch_add(&loaded.block->users, 1);
    if (!ls_item_load(table, &loaded, problem))
        return LS_NEXT_FAILED;
    struct ls_element element = {
        .inputs = loaded.block->array,
        .input_count = loaded.block->count,
        .index = f->index,
        .epoch = f->base.epoch,
        .random = ls_element_random(filter->seed, f->base.epoch, f->index),
    };
    f->index++;
    enum ls_next next = ls_element_call("dataset_filter", filter->predicate, filter->user, &element, problem);
    ls_item_release(&loaded);
    *drop = element.drop;
    return next;
}

/* Two passes of an endless data set without an element, and with shuffles, so many that none was left over. */
static bool is_hopeless(const struct filtering *f, const struct ls_item *item)
{
    return item->pass >= f->pass + 2 && f->dropped > 64 * f->base.dataset->buffered;
}

static enum ls_next next_kept(struct ls_iterator *it, struct ls_item *item, struct ls_problem *problem)
{
    struct filtering *f = (struct filtering *)it;
    for (;;) {
        enum ls_next next = ls_iterator_next(it->input[0], item, problem);
        if (next != LS_NEXT_ITEM)
            return next;
        bool drop = false;
        next = ask(f, item, &drop, problem);
        if (next == LS_NEXT_ITEM && !drop) {
            f->dropped = 0;
            f->pass = item->pass;
            return LS_NEXT_ITEM;
        }
        f->dropped++;
        if (next == LS_NEXT_ITEM && is_hopeless(f, item))
            next =
                ls_problem_set(problem, LS_INVALID_ARGUMENT,
                               "dataset_filter: the predicate dropped every element of two passes of an endless data "
                               "set; repeat after the filter, or keep something");
        ls_item_release(item);
        if (next == LS_NEXT_FAILED)
            return next;
    }
}

static const struct ls_stage filter_stage = {
    .name = "dataset_filter",
    .dataset_size = sizeof(struct filter),
    .iterator_size = sizeof(struct filtering),
    .next = next_kept,
};

ls_dataset *ls_dataset_filter(ls_dataset *dataset, ls_element_fn *predicate, void *user)
{
    if (!dataset || ls_failed(dataset->context))
        return NULL;
    if (!predicate)
        return ls_dataset_refuse(dataset->context, LS_INVALID_ARGUMENT, "dataset_filter: the predicate is NULL");
    if (ls_dataset_to_host(dataset) != LS_OK)
        return NULL;
    ls_dataset *made = ls_dataset_step(&filter_stage, &dataset, 1);
    if (!made)
        return NULL;
    struct filter *filter = (struct filter *)made;
    filter->predicate = predicate;
    filter->user = user;
    filter->seed = made->signature;
    made->cardinality = made->cardinality == 0 ? 0 : LS_UNKNOWN_CARDINALITY;
    made->size = made->batched ? made->size : made->cardinality;
    return made;
}
