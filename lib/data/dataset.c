/* SPDX-License-Identifier: Apache-2.0
 *
 * Data sets as nodes: their life, what is known of their elements, and the source that is made of tensors.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lockstep/ops.h>

#include "../core/cache.h"
#include "../io/array_file.h"
#include "dataset.h"
#include "stage.h"

/* ---- Making and releasing ---- */

ls_dataset *ls_dataset_refuse(ls_context *ls, ls_status status, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    ls_fail(ls, status, "%s", text);
    return NULL;
}

static void release(ls_dataset *dataset)
{
    if (--dataset->users > 0)
        return;
    if (dataset->stage->destroy)
        dataset->stage->destroy(dataset);
    for (int i = 0; i < dataset->input_count; i++)
        release(dataset->input[i]);
    free(dataset);
}

/* What the context does with handles that nobody destroyed. */
static void destroy_handle(void *object)
{
    ls_course_destroy(object);
    release(object);
}

void ls_dataset_destroy(ls_dataset **pointer)
{
    if (!pointer || !*pointer)
        return;
    ls_disown((*pointer)->context, *pointer);
    destroy_handle(*pointer);
    *pointer = NULL;
}

ls_dataset *ls_dataset_source(ls_context *ls, const struct ls_stage *stage)
{
    if (!ls || ls_failed(ls))
        return NULL;
    ls_dataset *dataset = calloc(1, stage->dataset_size);
    if (!dataset)
        return ls_dataset_refuse(ls, LS_OUT_OF_MEMORY, "no host memory for a data set");
    dataset->context = ls;
    dataset->stage = stage;
    dataset->users = 1;
    dataset->signature = ls_cache_hash(LS_CACHE_HASH, stage->name, strlen(stage->name));
    if (ls_own(ls, dataset, destroy_handle) == LS_OK)
        return dataset;
    free(dataset);
    return NULL;
}

ls_dataset *ls_dataset_step(const struct ls_stage *stage, ls_dataset *const *inputs, int count)
{
    for (int i = 0; i < count; i++)
        if (!inputs[i])
            return NULL;
    ls_context *ls = inputs[0]->context;
    for (int i = 1; i < count; i++)
        if (inputs[i]->context != ls)
            return ls_dataset_refuse(ls, LS_FOREIGN_HANDLE, "%s: data sets of different contexts", stage->name);
    ls_dataset *dataset = ls_dataset_source(ls, stage);
    if (!dataset)
        return NULL;
    const ls_dataset *first = inputs[0];
    dataset->table = first->table;
    memcpy(dataset->component, first->component, sizeof first->component);
    dataset->count = first->count;
    dataset->cardinality = first->cardinality;
    dataset->size = first->size;
    dataset->batched = first->batched;
    for (int i = 0; i < count; i++) {
        dataset->input[dataset->input_count++] = inputs[i];
        inputs[i]->users++;
        dataset->buffered += inputs[i]->buffered;
        ls_dataset_sign(dataset, &inputs[i]->signature, sizeof inputs[i]->signature);
    }
    return dataset;
}

void ls_dataset_sign(ls_dataset *dataset, const void *settings, size_t bytes)
{
    dataset->signature = ls_cache_hash(dataset->signature, settings, bytes);
}

void ls_dataset_sign_components(ls_dataset *dataset)
{
    for (int i = 0; i < dataset->count; i++) {
        int64_t facts[LS_MAX_RANK + 2] = {dataset->component[i].dtype, dataset->component[i].shape.rank};
        for (int d = 0; d < dataset->component[i].shape.rank; d++)
            facts[2 + d] = dataset->component[i].shape.dim[d];
        ls_dataset_sign(dataset, facts, sizeof facts);
    }
}

ls_status ls_dataset_to_host(ls_dataset *dataset)
{
    return dataset->table ? ls_table_to_host(dataset->context, dataset->table) : ls_error(dataset->context);
}

uint64_t ls_dataset_seed(ls_context *ls, uint64_t seed)
{
    if (seed)
        return seed;
    float draws[2] = {0}; /* of 24 bits each */
    ls_scope_begin(ls);
    ls_read(ls_random_uniform(ls, LS_SHAPE(2), 0, 1), draws, sizeof draws);
    ls_scope_end(ls);
    return (uint64_t)(draws[0] * 0x1p24f) << 24 | (uint64_t)(draws[1] * 0x1p24f);
}

/* ---- What is known of the elements ---- */

int64_t ls_dataset_size(const ls_dataset *dataset) { return dataset ? dataset->size : 0; }

int64_t ls_dataset_batches(const ls_dataset *dataset) { return dataset && dataset->batched ? dataset->cardinality : 0; }

int ls_dataset_components(const ls_dataset *dataset) { return dataset ? dataset->count : 0; }

ls_array ls_dataset_component(const ls_dataset *dataset, int component)
{
    bool there = dataset && component >= 0 && component < dataset->count;
    return there ? dataset->component[component] : (ls_array){0};
}

/* ---- Iterators ---- */

struct ls_iterator *ls_iterator_open(const ls_dataset *dataset, uint64_t epoch, struct ls_problem *problem)
{
    struct ls_iterator *it = calloc(1, dataset->stage->iterator_size);
    if (!it) {
        ls_problem_set(problem, LS_OUT_OF_MEMORY, "%s: no host memory for an epoch", dataset->stage->name);
        return NULL;
    }
    it->dataset = dataset;
    it->epoch = epoch;
    bool good = true;
    for (int i = 0; good && !dataset->stage->opens_inputs && i < dataset->input_count; i++)
        good = (it->input[i] = ls_iterator_open(dataset->input[i], epoch, problem)) != NULL;
    if (!good || (dataset->stage->open && !dataset->stage->open(it, problem)))
        ls_iterator_close(&it);
    return it;
}

enum ls_next ls_iterator_skip(struct ls_iterator *it, int64_t count, struct ls_problem *problem)
{
    if (count > 0 && it->dataset->stage->skip)
        return it->dataset->stage->skip(it, count, problem);
    return ls_iterator_step_over(it, count, problem);
}

enum ls_next ls_iterator_step_over(struct ls_iterator *it, int64_t count, struct ls_problem *problem)
{
    enum ls_next next = LS_NEXT_ITEM;
    struct ls_item item = {0};
    for (int64_t i = 0; next == LS_NEXT_ITEM && i < count; i++) {
        next = ls_iterator_next(it, &item, problem);
        if (next == LS_NEXT_ITEM)
            ls_item_release(&item);
    }
    return next;
}

void ls_iterator_close(struct ls_iterator **pointer)
{
    struct ls_iterator *it = *pointer;
    if (!it)
        return;
    if (it->dataset->stage->close)
        it->dataset->stage->close(it);
    for (int i = 0; i < it->dataset->input_count; i++)
        ls_iterator_close(&it->input[i]);
    free(it);
    *pointer = NULL;
}

/* ---- Rows of a table, one after another: tensors and files ---- */

static enum ls_next next_row(struct ls_iterator *it, struct ls_item *item, struct ls_problem *problem)
{
    (void)problem;
    struct ls_rows_iterator *rows = (struct ls_rows_iterator *)it;
    if (rows->at >= it->dataset->table->rows)
        return LS_NEXT_END;
    *item = (struct ls_item){.row = rows->at++};
    return LS_NEXT_ITEM;
}

static enum ls_next skip_rows(struct ls_iterator *it, int64_t count, struct ls_problem *problem)
{
    (void)problem;
    struct ls_rows_iterator *rows = (struct ls_rows_iterator *)it;
    int64_t left = it->dataset->table->rows - rows->at;
    rows->at += count < left ? count : left;
    return rows->at < it->dataset->table->rows ? LS_NEXT_ITEM : LS_NEXT_END;
}

static void destroy_rows(ls_dataset *dataset)
{
    struct ls_table *table = &((struct ls_rows_dataset *)dataset)->table;
    for (int i = 0; i < table->count; i++) {
        ls_variable_destroy(&table->tensor[i]);
        free(table->host[i]);
        ls_array_file_close(&table->file[i]);
    }
}

static const struct ls_stage rows_stage = {
    .name = "rows",
    .dataset_size = sizeof(struct ls_rows_dataset),
    .iterator_size = sizeof(struct ls_rows_iterator),
    .next = next_row,
    .skip = skip_rows,
    .destroy = destroy_rows,
};

ls_dataset *ls_dataset_of_rows(ls_context *ls, int64_t rows, struct ls_table **table)
{
    ls_dataset *dataset = ls_dataset_source(ls, &rows_stage);
    if (!dataset)
        return NULL;
    dataset->table = *table = &((struct ls_rows_dataset *)dataset)->table;
    dataset->cardinality = dataset->size = (*table)->rows = rows;
    ls_dataset_sign(dataset, &rows, sizeof rows);
    return dataset;
}

void ls_dataset_add_component(ls_dataset *dataset, ls_dtype dtype, ls_shape shape)
{
    struct ls_table *table = dataset->table;
    ls_array *component = &table->component[table->count++];
    component->dtype = dtype;
    component->shape.rank = shape.rank - 1;
    for (int d = 1; d < shape.rank; d++)
        component->shape.dim[d - 1] = shape.dim[d];
    dataset->component[dataset->count++] = *component;
}

static bool check_components(ls_context *ls, const ls_tensor *components, int count)
{
    int64_t rows = -1;
    for (int i = 0; i < count; i++) {
        ls_shape shape = ls_shape_of_tensor(components[i]), first = ls_shape_of_tensor(components[0]);
        if (ls_is_nil(components[i]) || components[i].context != ls)
            return ls_dataset_refuse(ls, ls_is_nil(components[i]) ? LS_INVALID_ARGUMENT : LS_FOREIGN_HANDLE,
                                     "dataset_from_tensors: component %d is %s", i,
                                     ls_is_nil(components[i]) ? "nil" : "a tensor of another context");
        rows = i == 0 && shape.rank > 0 ? shape.dim[0] : rows;
        if (shape.rank < 1 || shape.dim[0] > INT32_MAX || shape.dim[0] != rows)
            return ls_dataset_refuse(ls, LS_SHAPE_MISMATCH,
                                     "dataset_from_tensors: component 0 is %s, component %d is %s: all need the same "
                                     "first dimension, below 2^31, the elements",
                                     ls_text(first).text, i, ls_text(shape).text);
    }
    return true;
}

static ls_dataset *from_slices(const ls_tensor *components, int count, const char *name)
{
    ls_context *ls = components[0].context;
    if (!ls || ls_failed(ls) || !check_components(ls, components, count))
        return NULL;
    struct ls_table *table;
    ls_dataset *dataset = ls_dataset_of_rows(ls, ls_shape_of_tensor(components[0]).dim[0], &table);
    static const char *const parts[] = {"x", "y", "sample_weight"};
    for (int i = 0; dataset && i < count; i++) {
        char path[128];
        if (i < 3)
            snprintf(path, sizeof path, "%s/%s", name, parts[i]);
        else
            snprintf(path, sizeof path, "%s/%d", name, i);
        ls_dataset_add_component(dataset, ls_dtype_of(components[i]), ls_shape_of_tensor(components[i]));
        table->tensor[i] = ls_variable(components[i], path, false); /* because those belong to no scope */
    }
    if (dataset)
        ls_dataset_sign_components(dataset);
    if (ls_failed(ls))
        ls_dataset_destroy(&dataset);
    return dataset;
}

ls_dataset *ls_dataset_from_tensors(ls_tensor x, ls_tensor y)
{
    return from_slices((ls_tensor[]){x, y}, ls_is_nil(y) ? 1 : 2, "dataset");
}

ls_dataset *ls_dataset_from_tensor_slices(const ls_tensor *components, int count)
{
    ls_context *ls = components && count > 0 ? components[0].context : NULL;
    if (!ls || ls_failed(ls))
        return NULL;
    if (count > LS_MAX_COMPONENTS)
        return ls_dataset_refuse(ls, LS_INVALID_ARGUMENT, "dataset_from_tensor_slices: %d components; at most %d", count,
                                 LS_MAX_COMPONENTS);
    return from_slices(components, count, "dataset");
}

/* ---- Collections of images ---- */

ls_status ls_split_images(ls_context *ls, const char *name, struct ls_image_files *files, int64_t validation_count,
                          ls_dataset **train, ls_dataset **validation, ls_dataset **test)
{
    char title[96];
    snprintf(title, sizeof title, "%s/train", name);
    ls_dataset *all = from_slices((ls_tensor[]){files->train_x, files->train_y}, 2, title);
    snprintf(title, sizeof title, "%s/test", name);
    ls_dataset *tested = from_slices((ls_tensor[]){files->test_x, files->test_y}, 2, title);
    int64_t held_out = validation ? validation_count : 0;
    int64_t trained = ls_dataset_size(all) - held_out;
    ls_dataset *first = ls_dataset_take(all, trained), *last = ls_dataset_skip(all, trained);
    ls_dataset_destroy(&all);
    ls_release(&files->train_x);
    ls_release(&files->train_y);
    ls_release(&files->test_x);
    ls_release(&files->test_y);
    if (!train || ls_failed(ls))
        ls_dataset_destroy(&first);
    if (!validation || ls_failed(ls))
        ls_dataset_destroy(&last);
    if (!test || ls_failed(ls))
        ls_dataset_destroy(&tested);
    if (train)
        *train = first;
    if (validation)
        *validation = last;
    if (test)
        *test = tested;
    return ls_error(ls);
}
