/* SPDX-License-Identifier: Apache-2.0
 *
 * Batches. Of rows on the device they are lists of numbers; all others are put together here.
 */
#include <stdlib.h>
#include <string.h>

#include "stage.h"

struct batch {
    ls_dataset base;
    int64_t settings[2]; /* batch_size, drop_remainder */
};

struct batching {
    struct ls_iterator base;
    struct ls_item *items; /* of the batch at hand */
    int64_t room, given;
};

static bool reserve(struct batching *b, int64_t count, struct ls_problem *problem)
{
    if (count <= b->room)
        return true;
    int64_t room = b->room ? 2 * b->room : 32;
    struct ls_item *grown = realloc(b->items, (size_t)room * sizeof *grown);
    if (!grown)
        return ls_problem_set(problem, LS_OUT_OF_MEMORY, "dataset_batch: no host memory for %lld elements",
                              (long long)room) != LS_NEXT_FAILED;
    b->items = grown;
    b->room = room;
    return true;
}

/* The elements' shapes with the number of elements in front; false if they differ. */
static bool batch_shapes(const struct batching *b, int64_t count, ls_array *arrays, struct ls_problem *problem)
{
    const struct ls_block *first = b->items[0].block;
    for (int i = 0; i < first->count; i++) {
        const ls_shape *one = &first->array[i].shape;
        for (int64_t n = 1; n < count; n++)
            if (!ls_shape_equal(one, &b->items[n].block->array[i].shape)) {
                ls_problem_set(
                    problem, LS_SHAPE_MISMATCH,
                    "dataset_batch: component %d of element %lld is %s, but of element %lld, in the same batch, "
                    "%s; make them equal with ls_dataset_map",
                    i, (long long)(b->given + n), ls_text(b->items[n].block->array[i].shape).text, (long long)b->given,
                    ls_text(*one).text);
                return false;
            }
        arrays[i] = (ls_array){first->array[i].dtype, {.rank = one->rank + 1, .dim = {count}}, NULL};
        memcpy(arrays[i].shape.dim + 1, one->dim, (size_t)one->rank * sizeof *one->dim);
        if (ls_array_bytes(&arrays[i]) < 0) {
            ls_problem_set(problem, LS_OVERFLOW, "dataset_batch: a batch %s is too large",
                           ls_text(arrays[i].shape).text);
            return false;
        }
    }
    return true;
}

static struct ls_block *stack(const struct batching *b, int64_t count, struct ls_problem *problem)
{
    ls_array arrays[LS_MAX_COMPONENTS] = {0};
    if (!batch_shapes(b, count, arrays, problem))
        return NULL;
    int components = b->items[0].block->count;
    struct ls_block *block = ls_block_new(arrays, components);
    if (!block)
        ls_problem_set(problem, LS_OUT_OF_MEMORY, "dataset_batch: no host memory for a batch of %lld elements",
                       (long long)count);
    for (int i = 0; block && i < components; i++) {
        size_t bytes = (size_t)ls_array_bytes(&b->items[0].block->array[i]);
        for (int64_t n = 0; n < count; n++)
            memcpy((char *)block->array[i].data + (size_t)n * bytes, b->items[n].block->array[i].data, bytes);
    }
    return block;
}

/* A block that only says which rows; or, of files, what is in them. */
static struct ls_block *collect(const struct batching *b, int64_t count, struct ls_problem *problem)
{
    const struct ls_table *table = b->base.dataset->input[0]->table;
    int64_t *rows = malloc((size_t)count * sizeof *rows);
    struct ls_block *block = NULL;
    if (!rows)
        ls_problem_set(problem, LS_OUT_OF_MEMORY, "dataset_batch: no host memory for a batch of %lld elements",
                       (long long)count);
    for (int64_t n = 0; rows && n < count; n++)
        rows[n] = b->items[n].row;
    if (rows && !ls_table_on_device(table)) {
        block = ls_table_load(table, rows, count, true, problem);
        free(rows);
    } else if (rows) {
        block = ls_block_new(NULL, 0);
        if (!block) {
            free(rows);
            ls_problem_set(problem, LS_OUT_OF_MEMORY, "dataset_batch: no host memory for a batch");
            return NULL;
        }
        block->rows = rows;
        block->row_count = count;
    }
    return block;
}

static enum ls_next next_batch(struct ls_iterator *it, struct ls_item *item, struct ls_problem *problem)
{
    struct batching *b = (struct batching *)it;
    const int64_t *settings = ((const struct batch *)it->dataset)->settings;
    int64_t count = 0;
    enum ls_next next = LS_NEXT_ITEM;
    while (count < settings[0]) {
        next =
            reserve(b, count + 1, problem) ? ls_iterator_next(it->input[0], &b->items[count], problem) : LS_NEXT_FAILED;
        if (next != LS_NEXT_ITEM)
            break;
        count++;
    }
    bool dropped = count == 0 || (settings[1] && count < settings[0]);
    struct ls_block *block = NULL;
    uint64_t pass = count ? b->items[count - 1].pass : 0;
    if (next != LS_NEXT_FAILED && !dropped)
        block = it->dataset->input[0]->table ? collect(b, count, problem) : stack(b, count, problem);
    for (int64_t n = 0; n < count; n++)
        ls_item_release(&b->items[n]);
    b->given += count;
    if (next == LS_NEXT_FAILED || dropped)
        return next;
    *item = (struct ls_item){.block = block, .pass = pass};
    return block ? LS_NEXT_ITEM : LS_NEXT_FAILED;
}

static enum ls_next skip_batches(struct ls_iterator *it, int64_t count, struct ls_problem *problem)
{
    struct batching *b = (struct batching *)it;
    int64_t elements;
    if (!ls_checked_mul(count, ((const struct batch *)it->dataset)->settings[0], &elements))
        elements = INT64_MAX - b->given;
    b->given += elements;
    return ls_iterator_skip(it->input[0], elements, problem);
}

static void close_batch(struct ls_iterator *it) { free(((struct batching *)it)->items); }

static const struct ls_stage batch_stage = {
    .name = "dataset_batch",
    .dataset_size = sizeof(struct batch),
    .iterator_size = sizeof(struct batching),
    .next = next_batch,
    .skip = skip_batches,
    .close = close_batch,
};

static int64_t batches(int64_t elements, int64_t size, bool drop_remainder)
{
    return elements < 0 ? elements : elements / size + (!drop_remainder && elements % size != 0);
}

ls_dataset *ls_dataset_batch_with(const ls_batch_options *options)
{
    if (!options)
        return ls_no_options("dataset_batch");
    ls_dataset *dataset = options->dataset;
    if (!dataset || ls_failed(dataset->context))
        return NULL;
    if (options->batch_size < 1 || dataset->batched)
        return ls_dataset_refuse(dataset->context, LS_INVALID_ARGUMENT,
                                 dataset->batched ? "dataset_batch: the data set is batched already"
                                                  : "dataset_batch: batch_size must be at least 1");
    for (int i = 0; i < dataset->count; i++)
        if (dataset->component[i].shape.rank == LS_MAX_RANK)
            return ls_dataset_refuse(dataset->context, LS_SHAPE_MISMATCH,
                                     "dataset_batch: component %d has rank %d, a batch would have more", i,
                                     LS_MAX_RANK);
    ls_dataset *made = ls_dataset_step(&batch_stage, &dataset, 1);
    if (!made)
        return NULL;
    int64_t *settings = ((struct batch *)made)->settings;
    settings[0] = options->batch_size;
    settings[1] = options->drop_remainder;
    ls_dataset_sign(made, settings, sizeof((struct batch *)made)->settings);
    made->batched = true;
    made->cardinality = batches(made->cardinality, options->batch_size, options->drop_remainder);
    if (!ls_table_on_device(made->table))
        made->table = NULL;
    for (int i = 0; i < made->count; i++) {
        ls_shape *shape = &made->component[i].shape;
        memmove(shape->dim + 1, shape->dim, (size_t)shape->rank++ * sizeof *shape->dim);
        shape->dim[0] = options->drop_remainder ? options->batch_size : -1;
    }
    return made;
}
