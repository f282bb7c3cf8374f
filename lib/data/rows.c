/* SPDX-License-Identifier: Apache-2.0
 *
 * Sources that are tables: their rows, their contents, and those that are made of tensors.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/cache.h"
#include "../io/array_file.h"
#include "dataset.h"
#include "stage.h"

/* ---- One after another ---- */

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

/* ---- What is in them ---- */

/* Of files a sample: the first row, the last, and up to 62 between. */
static uint64_t hash_rows(uint64_t hash, const struct ls_table *table, int component)
{
    enum { SAMPLE = 63 };
    struct ls_problem problem = {0};
    int64_t bytes = ls_array_bytes(&table->component[component]), last = table->rows - 1;
    char *row = malloc((size_t)bytes + 1);
    for (int64_t i = 0; row && i <= SAMPLE && last >= 0; i++)
        if (ls_table_read(table, component, last / SAMPLE * i + last % SAMPLE * i / SAMPLE, row, &problem))
            hash = ls_cache_hash(hash, row, (size_t)bytes);
    free(row);
    return hash;
}

static uint32_t contents_of(struct ls_table *table)
{
    uint64_t hash = LS_CACHE_HASH;
    if (table->contents)
        return table->contents;
    if (ls_table_on_device(table)) {
        ls_fingerprint_text text = ls_fingerprint(table->tensor, (size_t)table->count);
        bool canonical = strncmp(text.text, "ls1:", 4) == 0 && !strchr(text.text, '?');
        hash = canonical ? ls_cache_hash(hash, text.text, sizeof text.text) : 0;
    }
    for (int i = 0; !ls_table_on_device(table) && i < table->count; i++)
        hash = hash_rows(hash, table, i);
    return table->contents = (uint32_t)(hash ^ hash >> 32);
}

uint32_t ls_dataset_contents(const ls_dataset *dataset)
{
    if (dataset->stage == &rows_stage)
        return contents_of(dataset->table);
    if (dataset->input_count == 1)
        return ls_dataset_contents(dataset->input[0]);
    uint32_t contents = 1;
    for (int i = 0; contents && i < dataset->input_count; i++) {
        uint32_t one = ls_dataset_contents(dataset->input[i]);
        contents = one ? (contents * 31 + one) | 1 : 0;
    }
    return contents;
}

/* ---- Tensors ---- */

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
        return ls_dataset_refuse(ls, LS_INVALID_ARGUMENT, "dataset_from_tensor_slices: %d components; at most %d",
                                 count, LS_MAX_COMPONENTS);
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
