/* SPDX-License-Identifier: Apache-2.0
 *
 * Data sets from files: arrays that are read row by row, and CSV.
 */
#include <stdlib.h>
#include <string.h>

#include "../io/array_file.h"
#include "../io/csv.h"
#include "stage.h"

/* ---- IDX and NPY ---- */

/* What is known of a file before there is a data set. */
struct opened {
    struct ls_array_file *file; /* or, from gzip, array.data */
    ls_array array;
};

static ls_status open_array(ls_context *ls, const char *path, struct opened *opened)
{
    if (ls_array_file_open(ls, path, &opened->file, &opened->array) == LS_OK && !opened->file)
        ls_array_load(ls, path, ls_array_header_any, &opened->array);
    const ls_shape *shape = &opened->array.shape;
    if (!ls_failed(ls) && (shape->rank < 1 || shape->dim[0] > INT32_MAX))
        ls_fail(ls, LS_SHAPE_MISMATCH, "%s: is %s; elements need a first dimension, below 2^31", path,
                ls_text(*shape).text);
    return ls_error(ls);
}

static ls_dataset *of_opened(ls_context *ls, const char *const *paths, struct opened *opened, int count)
{
    for (int i = 1; i < count; i++)
        if (opened[i].array.shape.dim[0] != opened[0].array.shape.dim[0])
            return ls_dataset_refuse(
                ls, LS_SHAPE_MISMATCH,
                "dataset_from_files: %s is %s, %s is %s: the first dimensions, the elements, differ", paths[0],
                ls_text(opened[0].array.shape).text, paths[i], ls_text(opened[i].array.shape).text);
    struct ls_table *table;
    ls_dataset *dataset = ls_dataset_of_rows(ls, opened[0].array.shape.dim[0], &table);
    for (int i = 0; dataset && i < count; i++) {
        ls_dataset_add_component(dataset, opened[i].array.dtype, opened[i].array.shape);
        table->file[i] = opened[i].file;
        table->host[i] = opened[i].array.data;
        opened[i] = (struct opened){0};
    }
    if (dataset)
        ls_dataset_sign_components(dataset);
    return dataset;
}

ls_dataset *ls_dataset_from_files_with(const ls_files_options *options)
{
    if (!options)
        return ls_no_options("dataset_from_files");
    ls_context *ls = options->context;
    if (!ls || ls_failed(ls))
        return NULL;
    const char *given[] = {options->x, options->y, options->sample_weight}, *paths[3];
    struct opened opened[3] = {{0}};
    int count = 0;
    if (!options->x || (options->sample_weight && !options->y))
        return ls_dataset_refuse(ls, LS_INVALID_ARGUMENT, "dataset_from_files: %s",
                                 options->x ? "sample_weight needs y" : "x, the path of a file, is NULL");
    for (int i = 0; i < 3 && !ls_failed(ls); i++)
        if (given[i]) {
            paths[count] = given[i];
            open_array(ls, given[i], &opened[count++]);
        }
    ls_dataset *dataset = ls_failed(ls) ? NULL : of_opened(ls, paths, opened, count);
    for (int i = 0; i < count; i++) {
        ls_array_file_close(&opened[i].file);
        free(opened[i].array.data);
    }
    return dataset;
}

/* ---- CSV ---- */

ls_dataset *ls_dataset_from_csv_with(const ls_csv_options *options)
{
    if (!options)
        return ls_no_options("dataset_from_csv");
    ls_context *ls = options->context;
    if (!ls || ls_failed(ls))
        return NULL;
    if (!options->path)
        return ls_dataset_refuse(ls, LS_INVALID_ARGUMENT, "dataset_from_csv: the path is NULL");
    struct ls_csv csv;
    if (ls_csv_load(options, &csv) != LS_OK)
        return NULL;
    ls_tensor parts[2] = {{0}};
    parts[0] = ls_from_host(ls, LS_FLOAT32, LS_SHAPE(csv.lines, csv.columns), csv.x);
    if (options->label)
        parts[1] = ls_from_host(ls, options->float_label ? LS_FLOAT32 : LS_INT32, LS_SHAPE(csv.lines), csv.y);
    free(csv.x);
    free(csv.y);
    ls_dataset *dataset = ls_dataset_from_tensor_slices(parts, options->label ? 2 : 1);
    ls_release(&parts[0]);
    ls_release(&parts[1]);
    return dataset;
}
