/* SPDX-License-Identifier: Apache-2.0
 *
 * Elements on the host: blocks of arrays, rows of tables, and the calls of a user's function.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../io/array_file.h"
#include "random.h"
#include "stage.h"

enum ls_next ls_problem_set(struct ls_problem *problem, ls_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(problem->text, sizeof problem->text, format, args);
    va_end(args);
    problem->status = status;
    return LS_NEXT_FAILED;
}

/* ---- Arrays ---- */

static bool is_known(const ls_shape *shape)
{
    for (int d = 0; d < shape->rank; d++)
        if (shape->dim[d] < 0)
            return false;
    return true;
}

int64_t ls_array_bytes(const ls_array *array)
{
    int64_t bytes = ls_shape_elements(&array->shape);
    return bytes >= 0 && ls_checked_mul(bytes, (int64_t)ls_dtype_size(array->dtype), &bytes) ? bytes : -1;
}

/* Whether `shape` is what `declared` allows. */
static bool shape_fits(const ls_shape *shape, const ls_shape *declared)
{
    if (shape->rank != declared->rank)
        return false;
    for (int d = 0; d < shape->rank; d++)
        if (shape->dim[d] < 0 || (declared->dim[d] >= 0 && declared->dim[d] != shape->dim[d]))
            return false;
    return true;
}

void *ls_array_allocate(ls_array *output, ls_shape shape)
{
    if (!output || output->data || !shape_fits(&shape, &output->shape))
        return NULL;
    ls_array made = {output->dtype, shape, NULL};
    int64_t bytes = ls_array_bytes(&made);
    if (bytes < 0 || (uint64_t)bytes >= SIZE_MAX)
        return NULL;
    made.data = malloc((size_t)bytes + 1);
    if (made.data)
        *output = made;
    return made.data;
}

/* ---- Blocks ---- */

struct ls_block *ls_block_new(const ls_array *components, int count)
{
    struct ls_block *block = calloc(1, sizeof *block);
    if (!block)
        return NULL;
    atomic_init(&block->users, 1);
    block->count = count;
    for (int i = 0; i < count; i++) {
        block->array[i] = (ls_array){components[i].dtype, components[i].shape, NULL};
        if (is_known(&components[i].shape) && !ls_array_allocate(&block->array[i], components[i].shape)) {
            ls_block_release(block);
            return NULL;
        }
    }
    return block;
}

void ls_block_release(struct ls_block *block)
{
    if (!block || atomic_fetch_sub(&block->users, 1) != 1)
        return;
    for (int i = 0; i < block->count; i++)
        free(block->array[i].data);
    free(block->rows);
    free(block);
}

/* ---- Tables ---- */

ls_status ls_table_to_host(ls_context *ls, struct ls_table *table)
{
    for (int i = 0; ls_table_on_device(table) && i < table->count; i++) {
        if (table->host[i])
            continue;
        size_t bytes = (size_t)ls_size(table->tensor[i]) * ls_dtype_size(table->component[i].dtype);
        void *host = malloc(bytes + 1);
        if (!host)
            return ls_fail(ls, LS_OUT_OF_MEMORY, "no host memory for the %zu bytes of a data set", bytes);
        if (ls_read(table->tensor[i], host, bytes) == LS_OK)
            table->host[i] = host;
        else
            free(host);
    }
    return ls_error(ls);
}

bool ls_table_read(const struct ls_table *table, int component, int64_t row, void *to, struct ls_problem *problem)
{
    if (table->file[component])
        return ls_array_file_read(table->file[component], row, to, problem);
    size_t bytes = (size_t)ls_array_bytes(&table->component[component]);
    memcpy(to, (const char *)table->host[component] + (size_t)row * bytes, bytes);
    return true;
}

struct ls_block *ls_table_load(const struct ls_table *table, const int64_t *rows, int64_t count, bool batch,
                               struct ls_problem *problem)
{
    ls_array arrays[LS_MAX_COMPONENTS];
    for (int i = 0; i < table->count; i++) {
        const ls_shape *one = &table->component[i].shape;
        arrays[i] = table->component[i];
        if (batch) {
            arrays[i].shape = (ls_shape){.rank = one->rank + 1, .dim = {count}};
            memcpy(arrays[i].shape.dim + 1, one->dim, (size_t)one->rank * sizeof *one->dim);
        }
    }
    struct ls_block *block = ls_block_new(arrays, table->count);
    if (!block) {
        ls_problem_set(problem, LS_OUT_OF_MEMORY, "no host memory for an element of a data set");
        return NULL;
    }
    for (int i = 0; i < table->count; i++) {
        size_t bytes = (size_t)ls_array_bytes(&table->component[i]);
        for (int64_t n = 0; n < count; n++)
            if (!ls_table_read(table, i, rows[n], (char *)block->array[i].data + (size_t)n * bytes, problem)) {
                ls_block_release(block);
                return NULL;
            }
    }
    return block;
}

bool ls_item_load(const struct ls_table *table, struct ls_item *item, struct ls_problem *problem)
{
    if (!table)
        return true;
    struct ls_block *rows = item->block;
    struct ls_block *loaded = rows ? ls_table_load(table, rows->rows, rows->row_count, true, problem)
                                   : ls_table_load(table, &item->row, 1, false, problem);
    ls_block_release(rows);
    item->block = loaded;
    return loaded != NULL;
}

/* ---- The user's functions ---- */

uint64_t ls_element_random(uint64_t seed, uint64_t epoch, int64_t index)
{
    uint32_t words[4];
    ls_host_words(seed + ((uint64_t)index >> 32), (uint32_t)index, LS_STREAM_ELEMENT, epoch, words);
    return (uint64_t)words[0] << 32 | words[1];
}

enum ls_next ls_element_call(const char *step, ls_element_fn *function, void *user, ls_element *element,
                             struct ls_problem *problem)
{
    char message[LS_ELEMENT_MESSAGE] = "";
    ls_array declared[LS_MAX_COMPONENTS];
    for (int i = 0; i < element->output_count; i++)
        declared[i] = element->outputs[i];
    element->message = message;
    ls_status status = function(user, element);
    message[sizeof message - 1] = '\0';
    long long index = (long long)element->index;
    if (status != LS_OK)
        return ls_problem_set(problem, status, "%s: element %lld: %s", step, index,
                              message[0] ? message : ls_status_text(status));
    for (int i = 0; !element->end && i < element->output_count; i++) {
        const ls_array *output = &element->outputs[i];
        bool same = output->dtype == declared[i].dtype && shape_fits(&output->shape, &declared[i].shape);
        if (!output->data || !same)
            return ls_problem_set(
                problem, output->data ? LS_SHAPE_MISMATCH : LS_INVALID_ARGUMENT,
                "%s: element %lld: output %d %s %s, declared as %s %s", step, index, i,
                output->data ? "became" : "was given no memory by ls_array_allocate:", ls_dtype_name(output->dtype),
                ls_dtype_name(declared[i].dtype), ls_text(declared[i].shape).text);
    }
    return LS_NEXT_ITEM;
}

bool ls_dataset_check_components(ls_context *ls, const char *step, const ls_array *components, int count)
{
    if (!components || count < 1 || count > LS_MAX_COMPONENTS)
        return ls_dataset_refuse(ls, LS_INVALID_ARGUMENT, "%s: an element needs 1 to %d outputs, not %d%s", step,
                                 LS_MAX_COMPONENTS, count, components ? "" : ", and outputs is NULL");
    for (int i = 0; i < count; i++) {
        bool known = components[i].shape.rank >= 0 && components[i].shape.rank <= LS_MAX_RANK;
        ls_array smallest = components[i];
        for (int d = 0; known && d < smallest.shape.rank; d++) {
            known = smallest.shape.dim[d] >= -1;
            smallest.shape.dim[d] = smallest.shape.dim[d] < 0 ? 1 : smallest.shape.dim[d];
        }
        if (!known || (unsigned)components[i].dtype >= LS_DTYPE_COUNT || ls_array_bytes(&smallest) < 0)
            return ls_dataset_refuse(ls, LS_INVALID_ARGUMENT,
                                     "%s: output %d: dtype %d, rank %d: not a type, or sizes below -1 or too large",
                                     step, i, (int)components[i].dtype, components[i].shape.rank);
    }
    return true;
}
