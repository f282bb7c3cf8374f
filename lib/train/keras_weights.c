/* SPDX-License-Identifier: Apache-2.0
 *
 * Keras' .weights.h5: a group for every layer, named after its class and its place among those of its class in the
 * model, with its variables by number; the optimizer's variables beside them.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/internal.h"
#include "../io/hdf5.h"
#include "../nn/layer.h"
#include "../nn/optimizer.h"
#include "weights.h"

enum { LONGEST_PATH = 900 };

/* ---- Where a layer lies ---- */

/* "MaxPooling2D" makes "max_pooling2d", "PReLU" "p_re_lu": before a capital that a small letter follows, or stands
 * before, comes a line. */
static void snake_case(const char *title, char *out, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; title[i] && n + 3 < size; i++) {
        unsigned char before = i ? (unsigned char)title[i - 1] : 0, c = (unsigned char)title[i];
        if (!isalnum(c) && c != '_')
            continue;
        if (i && isupper(c) && (islower((unsigned char)title[i + 1]) || islower(before)))
            out[n++] = '_';
        out[n++] = (char)tolower(c);
    }
    out[n] = '\0';
}

static const char *title_of(const ls_layer *layer)
{
    return layer->kind->title ? layer->kind->title : layer->kind->name;
}

/* A walk over the layers, each at its first place. */
struct walk {
    ls_context *ls;
    struct ls_h5 *file;
    struct ls_loading *loading; /* NULL: saving */
    const ls_layer **visited;
    size_t visited_count;
    const char *container; /* "layers" */
};

static bool visit_first(struct walk *w, const ls_layer *layer)
{
    for (size_t i = 0; i < w->visited_count; i++)
        if (w->visited[i] == layer)
            return false;
    if (!ls_grow((void **)&w->visited, w->visited_count, sizeof *w->visited)) {
        ls_fail(w->ls, LS_OUT_OF_MEMORY, "%s: no host memory", ls_layer_name(layer));
        return false;
    }
    w->visited[w->visited_count++] = layer;
    return true;
}

/* "layers/dense_1": the component of part i among its like. */
static void part_path(const struct walk *w, const ls_layer *layer, size_t i, const char *path, char *out)
{
    char name[128], other[128];
    snake_case(title_of(layer->parts[i]), name, sizeof name);
    size_t before = 0;
    for (size_t k = 0; k < i; k++) {
        snake_case(title_of(layer->parts[k]), other, sizeof other);
        before += strcmp(name, other) == 0;
    }
    int n = snprintf(out, LONGEST_PATH, "%s%s%s/%s", path, path[0] ? "/" : "", w->container, name);
    if (before && n > 0 && n < LONGEST_PATH)
        snprintf(out + n, LONGEST_PATH - (size_t)n, "_%zu", before);
}

/* Keras' Normalization keeps how many batches it has adapted to, a whole number that nothing reads. */
static bool has_count(const ls_layer *layer) { return strcmp(title_of(layer), "Normalization") == 0; }

/* ---- One layer ---- */

static ls_status write_variable(struct walk *w, const char *at, ls_tensor variable)
{
    if (ls_shape_of_tensor(variable).rank == 0 && ls_dtype_of(variable) == LS_INT32) {
        int32_t value = 0;
        return ls_read(variable, &value, sizeof value) == LS_OK ? ls_h5_write_int(w->file, at, value) : ls_error(w->ls);
    }
    if (ls_dtype_of(variable) != LS_FLOAT32)
        variable = ls_cast(variable, LS_FLOAT32);
    size_t size = (size_t)ls_size(variable) * sizeof(float);
    float *data = malloc(size ? size : 1);
    if (!data)
        return ls_fail(w->ls, LS_OUT_OF_MEMORY, "%s: no host memory for %zu bytes", at, size);
    ls_status status = ls_read(variable, data, size);
    if (status == LS_OK)
        status = ls_h5_write(w->file, at, ls_shape_of_tensor(variable), data);
    free(data);
    return status;
}

/* The value for a variable, if what is in the file fits it. */
static void read_variable(struct walk *w, const char *at, ls_tensor variable, struct ls_loading *into)
{
    ls_shape from = {0}, to = ls_shape_of_tensor(variable);
    enum ls_h5_kind kind;
    if (ls_h5_describe(w->file, at, &from, &kind) != LS_OK)
        return;
    bool whole = ls_dtype_of(variable) == LS_INT32;
    if (whole != (kind == LS_H5_INTEGER)) {
        ls_loading_misfit(into, LS_DTYPE_MISMATCH, "%s (%s) is %s", at, ls_name(variable),
                          whole ? "not a whole number" : "a whole number");
    } else if (!ls_shape_equal(&to, &from)) {
        ls_loading_misfit(into, LS_SHAPE_MISMATCH, "%s is %s, but in the file, as %s, %s", ls_name(variable),
                          ls_text(to).text, at, ls_text(from).text);
    } else if (whole) {
        int32_t value = 0;
        if (ls_h5_read_int(w->file, at, &value) == LS_OK)
            ls_loading_add(into, variable, ls_int_scalar(w->ls, value));
    } else {
        int64_t elements = ls_size(variable);
        float *data = malloc(elements ? (size_t)elements * sizeof *data : 1);
        if (!data)
            ls_fail(w->ls, LS_OUT_OF_MEMORY, "%s: no host memory for %lld numbers", at, (long long)elements);
        else if (ls_h5_read(w->file, at, data, elements) == LS_OK)
            ls_loading_add(into, variable, ls_from_host(w->ls, LS_FLOAT32, to, data));
        free(data);
    }
}

/* The layer's own variables, first those that train. */
static ls_status own_variables(struct walk *w, const ls_layer *layer, const char *group)
{
    char at[LONGEST_PATH + 32];
    size_t n = 0;
    for (int trainable = 1; trainable >= 0; trainable--)
        for (size_t i = 0; i < layer->weight_count && !ls_failed(w->ls); i++) {
            if (layer->weights[i].trainable != trainable)
                continue;
            snprintf(at, sizeof at, "%s/%zu", group, n++);
            if (w->loading)
                read_variable(w, at, layer->weights[i].variable, w->loading);
            else
                write_variable(w, at, layer->weights[i].variable);
        }
    snprintf(at, sizeof at, "%s/%zu", group, n);
    if (!w->loading && has_count(layer) && n)
        ls_h5_write_int(w->file, at, 0);
    return ls_error(w->ls);
}

/* Whether the file has as many variables for the layer as it needs. */
static bool count_fits(struct walk *w, const ls_layer *layer, const char *group)
{
    int64_t there = ls_h5_members(w->file, group);
    if (ls_failed(w->ls) || (there < 0 && layer->weight_count == 0))
        return false;
    size_t more = has_count(layer) && there == (int64_t)layer->weight_count + 1;
    if (there >= 0 && (size_t)there == layer->weight_count + more)
        return true;
    char names[256] = "";
    size_t used = 0;
    for (size_t i = 0; i < layer->weight_count && used < sizeof names; i++) {
        const char *slash = strrchr(ls_name(layer->weights[i].variable), '/');
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "",
                                 slash ? slash + 1 : ls_name(layer->weights[i].variable));
    }
    if (there < 0)
        ls_loading_misfit(w->loading, LS_NOT_FOUND, "%s is missing, for the variables %s of %s", group, names,
                          ls_layer_name(layer));
    else
        ls_loading_misfit(w->loading, LS_SHAPE_MISMATCH, "%s has %lld variables, but %s has %zu: %s", group,
                          (long long)there, ls_layer_name(layer), layer->weight_count, names);
    return false;
}

/* ---- All layers ---- */

/* Groups of layers in the file that the model does not have. */
static void note_extra(struct walk *w, const ls_layer *layer, const char *path)
{
    char group[LONGEST_PATH], name[LONGEST_PATH], part[LONGEST_PATH];
    snprintf(group, sizeof group, "%.800s%s%s", path, path[0] ? "/" : "", w->container);
    int64_t members = ls_h5_members(w->file, group);
    for (int64_t i = 0; i < members && !ls_failed(w->ls); i++) {
        snprintf(name, sizeof name, "%.600s/%.255s", group, ls_h5_member(w->file, group, i));
        bool ours = false;
        for (size_t k = 0; k < layer->part_count && !ours; k++) {
            part_path(w, layer, k, path, part);
            ours = strcmp(part, name) == 0;
        }
        if (!ours)
            ls_loading_misfit(w->loading, LS_NOT_FOUND, "the model has no layer for %.200s", name);
    }
}

static void walk_layer(struct walk *w, ls_layer *layer, const char *path)
{
    char group[LONGEST_PATH + 8];
    if (ls_failed(w->ls) || !visit_first(w, layer))
        return;
    if (strlen(path) > LONGEST_PATH / 2) {
        ls_fail(w->ls, LS_INVALID_ARGUMENT, "%s: models within models are nested too deep for a file", path);
        return;
    }
    snprintf(group, sizeof group, "%s%svars", path, path[0] ? "/" : "");
    if (!w->loading)
        ls_h5_group(w->file, group, ls_layer_name(layer));
    if (!w->loading || count_fits(w, layer, group))
        own_variables(w, layer, group);
    if (w->loading && layer->part_count)
        note_extra(w, layer, path);
    for (size_t i = 0; i < layer->part_count && !ls_failed(w->ls); i++) {
        char part[LONGEST_PATH];
        part_path(w, layer, i, path, part);
        walk_layer(w, layer->parts[i], part);
    }
}

/* ---- The optimizer ---- */

#define OPTIMIZER "optimizer/vars"

static void save_optimizer(struct walk *w, ls_optimizer *optimizer)
{
    char at[64];
    ls_variables variables = ls_optimizer_variables(optimizer);
    size_t count = ls_optimizer_keras_count(optimizer);
    ls_h5_group(w->file, OPTIMIZER, optimizer->name);
    for (size_t i = 0; i < count && !ls_failed(w->ls); i++) {
        snprintf(at, sizeof at, OPTIMIZER "/%zu", i);
        write_variable(w, at, variables.items[i]);
    }
}

/* As Keras, a warning and nothing loaded where the file's state is another's. */
static void load_optimizer(struct walk *w, ls_optimizer *optimizer)
{
    char at[64];
    ls_variables variables = ls_optimizer_variables(optimizer);
    size_t count = ls_optimizer_keras_count(optimizer);
    int64_t there = ls_h5_members(w->file, OPTIMIZER);
    struct ls_loading own = {.ls = w->ls, .path = w->loading->path};
    if (there != (int64_t)count)
        ls_loading_misfit(&own, LS_NOT_FOUND, "it has %lld variables for an optimizer, not %zu",
                          there < 0 ? 0 : (long long)there, count);
    for (size_t i = 0; !own.misfit_count && i < count && !ls_failed(w->ls); i++) {
        snprintf(at, sizeof at, OPTIMIZER "/%zu", i);
        read_variable(w, at, variables.items[i], &own);
    }
    if (own.misfit_count && !ls_failed(w->ls))
        ls_say(w->ls, LS_LOG_WARNING, "%s: the state of the optimizer %s is not in it, which stays as it is: %s",
               own.path, optimizer->name, own.misfits);
    for (size_t i = 0; !own.misfit_count && i < own.count; i++)
        ls_loading_add(w->loading, own.values[i].variable, own.values[i].value);
    ls_loading_free(&own);
}

/* ---- Files ---- */

ls_status ls_keras_save(ls_model *model, ls_optimizer *optimizer, const char *path)
{
    struct walk w = {.ls = model->context, .container = "layers"};
    w.file = ls_h5_create(w.ls, path);
    if (!w.file)
        return ls_error(w.ls);
    walk_layer(&w, model, "");
    if (optimizer && !ls_failed(w.ls))
        save_optimizer(&w, optimizer);
    if (!ls_failed(w.ls))
        ls_h5_save(w.file);
    free(w.visited);
    ls_h5_close(&w.file);
    return ls_error(w.ls);
}

ls_status ls_keras_load(struct ls_loading *loading, ls_model *model, ls_optimizer *optimizer)
{
    struct walk w = {.ls = loading->ls, .loading = loading, .container = "layers"};
    w.file = ls_h5_open(w.ls, loading->path);
    if (!w.file)
        return ls_error(w.ls);
    /* The first versions of Keras 3. */
    if (ls_h5_members(w.file, "layers") < 0 && ls_h5_members(w.file, "_layer_checkpoint_dependencies") >= 0)
        w.container = "_layer_checkpoint_dependencies";
    walk_layer(&w, model, "");
    if (optimizer && !ls_failed(w.ls))
        load_optimizer(&w, optimizer);
    free(w.visited);
    ls_h5_close(&w.file);
    return ls_error(w.ls);
}
