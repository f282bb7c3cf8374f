/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole data sets one after another and side by side: repeat, concatenate, zip.
 */
#include <string.h>

#include "stage.h"

/* ---- repeat ---- */

struct repeat {
    ls_dataset base;
    int64_t count; /* -1: for ever */
};

struct repeating {
    struct ls_iterator base;
    uint64_t pass;
    int64_t at; /* elements of this pass that were given */
};

static bool has_ended(const struct repeating *r)
{
    int64_t count = ((const struct repeat *)r->base.dataset)->count;
    return count >= 0 && r->pass >= (uint64_t)count;
}

/* Every pass is an epoch of its own: of all loops together, pass 0, 1, …; for ever, 2^32 per loop. */
static bool open_pass(struct repeating *r, struct ls_problem *problem)
{
    int64_t count = ((const struct repeat *)r->base.dataset)->count;
    uint64_t first = count >= 0 ? r->base.epoch * (uint64_t)count : r->base.epoch << 32;
    if (!r->base.input[0])
        r->base.input[0] = ls_iterator_open(r->base.dataset->input[0], first + r->pass, problem);
    return r->base.input[0] != NULL;
}

static enum ls_next next_repeated(struct ls_iterator *it, struct ls_item *item, struct ls_problem *problem)
{
    struct repeating *r = (struct repeating *)it;
    int64_t count = ((const struct repeat *)it->dataset)->count;
    while (!has_ended(r)) {
        if (!open_pass(r, problem))
            return LS_NEXT_FAILED;
        enum ls_next next = ls_iterator_next(it->input[0], item, problem);
        if (next == LS_NEXT_ITEM && count < 0)
            item->pass = r->pass;
        r->at += next == LS_NEXT_ITEM;
        if (next != LS_NEXT_END)
            return next;
        ls_iterator_close(&it->input[0]);
        if (r->at == 0 && count < 0)
            return ls_problem_set(
                problem, LS_INVALID_ARGUMENT,
                "dataset_repeat: a whole pass gave no element, so to repeat it for ever would never end");
        r->pass = r->at == 0 ? (uint64_t)count : r->pass + 1;
        r->at = 0;
    }
    return LS_NEXT_END;
}

static enum ls_next skip_repeated(struct ls_iterator *it, int64_t count, struct ls_problem *problem)
{
    struct repeating *r = (struct repeating *)it;
    int64_t whole = it->dataset->input[0]->cardinality;
    if (whole <= 0 || count > INT64_MAX - r->at)
        return ls_iterator_step_over(it, count, problem);
    if (r->at + count < whole) {
        r->at += count;
        return open_pass(r, problem) ? ls_iterator_skip(it->input[0], count, problem) : LS_NEXT_FAILED;
    }
    ls_iterator_close(&it->input[0]);
    r->pass += (uint64_t)((r->at + count) / whole);
    r->at = (r->at + count) % whole;
    if (has_ended(r))
        return LS_NEXT_END;
    return open_pass(r, problem) ? ls_iterator_skip(it->input[0], r->at, problem) : LS_NEXT_FAILED;
}

static const struct ls_stage repeat_stage = {
    .name = "dataset_repeat",
    .dataset_size = sizeof(struct repeat),
    .iterator_size = sizeof(struct repeating),
    .opens_inputs = true,
    .next = next_repeated,
    .skip = skip_repeated,
};

static int64_t times(int64_t cardinality, int64_t count)
{
    if (count < 0)
        return LS_INFINITE_CARDINALITY;
    if (count == 0)
        return 0;
    int64_t product;
    return cardinality < 0 ? cardinality : ls_checked_mul(cardinality, count, &product) ? product : INT64_MAX;
}

ls_dataset *ls_dataset_repeat(ls_dataset *dataset, int64_t count)
{
    ls_dataset *made = ls_dataset_step(&repeat_stage, &dataset, 1);
    if (!made)
        return NULL;
    ((struct repeat *)made)->count = count = count < 0 ? -1 : count;
    ls_dataset_sign(made, &count, sizeof count);
    made->cardinality = times(made->cardinality, count);
    made->size = made->batched ? made->size : made->cardinality;
    return made;
}

/* ---- concatenate ---- */

struct joining {
    struct ls_iterator base;
    int which;  /* input */
    int64_t at; /* in it */
};

static enum ls_next next_joined(struct ls_iterator *it, struct ls_item *item, struct ls_problem *problem)
{
    struct joining *j = (struct joining *)it;
    for (; j->which < 2; j->which++, j->at = 0) {
        enum ls_next next = ls_iterator_next(it->input[j->which], item, problem);
        j->at += next == LS_NEXT_ITEM;
        if (next == LS_NEXT_ITEM && !it->dataset->table &&
            !ls_item_load(it->dataset->input[j->which]->table, item, problem))
            next = LS_NEXT_FAILED;
        if (next != LS_NEXT_END)
            return next;
    }
    return LS_NEXT_END;
}

static enum ls_next skip_joined(struct ls_iterator *it, int64_t count, struct ls_problem *problem)
{
    struct joining *j = (struct joining *)it;
    int64_t first = it->dataset->input[0]->cardinality;
    if (j->which == 0 && first == LS_UNKNOWN_CARDINALITY)
        return ls_iterator_step_over(it, count, problem);
    if (j->which == 0 && first >= 0 && count >= first - j->at) {
        count -= first - j->at;
        j->which = 1;
        j->at = 0;
    }
    j->at += count;
    return j->which < 2 ? ls_iterator_skip(it->input[j->which], count, problem) : LS_NEXT_END;
}

static const struct ls_stage concatenate_stage = {
    .name = "dataset_concatenate",
    .dataset_size = sizeof(ls_dataset),
    .iterator_size = sizeof(struct joining),
    .next = next_joined,
    .skip = skip_joined,
};

/* What both data sets' components are; false if they cannot follow each other. */
static bool join_components(ls_dataset *made, const ls_dataset *second)
{
    bool fits = made->count == second->count && made->batched == second->batched;
    for (int i = 0; fits && i < made->count; i++) {
        ls_shape *shape = &made->component[i].shape;
        const ls_shape *other = &second->component[i].shape;
        fits = made->component[i].dtype == second->component[i].dtype && shape->rank == other->rank;
        for (int d = 0; fits && d < shape->rank; d++)
            shape->dim[d] = shape->dim[d] == other->dim[d] ? shape->dim[d] : -1;
    }
    return fits;
}

static int64_t sum(int64_t a, int64_t b)
{
    if (a == LS_INFINITE_CARDINALITY || b == LS_INFINITE_CARDINALITY)
        return LS_INFINITE_CARDINALITY;
    if (a < 0 || b < 0)
        return LS_UNKNOWN_CARDINALITY;
    return a > INT64_MAX - b ? INT64_MAX : a + b;
}

ls_dataset *ls_dataset_concatenate(ls_dataset *first, ls_dataset *second)
{
    ls_dataset *made = ls_dataset_step(&concatenate_stage, (ls_dataset *[]){first, second}, 2);
    if (!made)
        return NULL;
    ls_context *ls = made->context;
    if (!join_components(made, second))
        ls_fail(
            ls, LS_SHAPE_MISMATCH,
            "dataset_concatenate: the elements of the two differ in their components, types or ranks, or only one is "
            "batched");
    if (first->table != second->table) {
        made->table = NULL;
        if (!ls_failed(ls) && ls_dataset_to_host(first) == LS_OK)
            ls_dataset_to_host(second);
    }
    made->cardinality = sum(first->cardinality, second->cardinality);
    made->size = sum(first->size, second->size);
    if (ls_failed(ls))
        ls_dataset_destroy(&made);
    return made;
}

/* ---- zip ---- */

/* One block with the arrays of several, which are released. */
static struct ls_block *join(struct ls_item *items, int count, struct ls_problem *problem)
{
    ls_array arrays[LS_MAX_COMPONENTS] = {0};
    const void *from[LS_MAX_COMPONENTS] = {0};
    int total = 0;
    for (int i = 0; i < count; i++)
        for (int k = 0; k < items[i].block->count; k++, total++) {
            arrays[total] = items[i].block->array[k];
            from[total] = arrays[total].data;
        }
    struct ls_block *block = ls_block_new(arrays, total);
    for (int i = 0; block && i < total; i++)
        memcpy(block->array[i].data, from[i], (size_t)ls_array_bytes(&arrays[i]));
    if (!block)
        ls_problem_set(problem, LS_OUT_OF_MEMORY, "dataset_zip: no host memory for an element");
    return block;
}

static enum ls_next next_zipped(struct ls_iterator *it, struct ls_item *item, struct ls_problem *problem)
{
    struct ls_item items[LS_MAX_COMPONENTS] = {{0}};
    int count = it->dataset->input_count, got = 0;
    enum ls_next next = LS_NEXT_ITEM;
    uint64_t pass = UINT64_MAX;
    for (; next == LS_NEXT_ITEM && got < count; got += next == LS_NEXT_ITEM) {
        next = ls_iterator_next(it->input[got], &items[got], problem);
        if (next == LS_NEXT_ITEM && !ls_item_load(it->dataset->input[got]->table, &items[got], problem))
            next = LS_NEXT_FAILED;
        if (next == LS_NEXT_ITEM && items[got].pass < pass)
            pass = items[got].pass;
    }
    if (next == LS_NEXT_ITEM) {
        *item = (struct ls_item){.block = join(items, count, problem), .pass = pass};
        next = item->block ? LS_NEXT_ITEM : LS_NEXT_FAILED;
    }
    for (int i = 0; i < got; i++)
        ls_item_release(&items[i]);
    return next;
}

static enum ls_next skip_zipped(struct ls_iterator *it, int64_t count, struct ls_problem *problem)
{
    enum ls_next next = LS_NEXT_ITEM;
    for (int i = 0; next == LS_NEXT_ITEM && i < it->dataset->input_count; i++)
        next = ls_iterator_skip(it->input[i], count, problem);
    return next;
}

static const struct ls_stage zip_stage = {
    .name = "dataset_zip",
    .dataset_size = sizeof(ls_dataset),
    .iterator_size = sizeof(struct ls_iterator),
    .next = next_zipped,
    .skip = skip_zipped,
};

/* The smaller of two cardinalities. */
static int64_t smaller(int64_t a, int64_t b)
{
    if (a == LS_INFINITE_CARDINALITY || b == LS_INFINITE_CARDINALITY)
        return a == LS_INFINITE_CARDINALITY ? b : a;
    return a < 0 || b < 0 ? LS_UNKNOWN_CARDINALITY : a < b ? a : b;
}

ls_dataset *ls_dataset_zip(ls_dataset *const *datasets, int count)
{
    if (!datasets || count < 1 || !datasets[0])
        return NULL;
    ls_context *ls = datasets[0]->context;
    int total = 0;
    for (int i = 0; i < count; i++)
        total += ls_dataset_components(datasets[i]);
    if (count > LS_MAX_COMPONENTS || total > LS_MAX_COMPONENTS)
        return ls_dataset_refuse(ls, LS_INVALID_ARGUMENT, "dataset_zip: %d components of %d data sets; at most %d",
                                 total, count, LS_MAX_COMPONENTS);
    ls_dataset *made = ls_dataset_step(&zip_stage, datasets, count);
    if (!made)
        return NULL;
    made->table = NULL;
    made->count = 0;
    for (int i = 0; i < count && !ls_failed(ls); i++) {
        const ls_dataset *one = datasets[i];
        if (one->batched != made->batched)
            ls_fail(ls, LS_INVALID_ARGUMENT, "dataset_zip: data sets 0 and %d: one is batched, the other is not", i);
        ls_dataset_to_host(datasets[i]);
        for (int k = 0; k < one->count; k++)
            made->component[made->count++] = one->component[k];
        made->cardinality = smaller(made->cardinality, one->cardinality);
        made->size = smaller(made->size, one->size);
    }
    if (ls_failed(ls))
        ls_dataset_destroy(&made);
    return made;
}
