/* SPDX-License-Identifier: Apache-2.0
 *
 * Data sets as nodes: their life, what is known of their elements, and their iterators.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lockstep/ops.h>

#include "../core/cache.h"
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
