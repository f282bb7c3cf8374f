/* SPDX-License-Identifier: Apache-2.0
 *
 * What all layers share: names, weights made at the first call, parts, ownership. A kind of layer
 * (dense.c and its neighbours) is a table of functions and uses the public functions alone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lockstep/layers.h>

#include "../core/internal.h"
#include "lists.h"

struct weight {
    ls_tensor variable;
    bool trainable;
};

/* An array of variables that a layer hands out; remade whenever it is asked for. */
struct gathered {
    ls_tensor *items;
    size_t count, capacity;
};

struct ls_layer {
    ls_context *context;
    const ls_layer_kind *kind;
    ls_layer *parent; /* the first that it became a part of */
    char *name;       /* NULL until its parent or first call gives one */
    bool named_by_kind;
    bool built;
    void *state;

    struct weight *weights;
    size_t weight_count;
    ls_layer **parts;
    size_t part_count;

    struct gathered trainable, all;
    struct ls_lists lists;
};

/* ---- Making and releasing ---- */

/* Frees the host side. The context releases the variables by itself when it closes. */
static void free_layer(void *object)
{
    ls_layer *layer = object;
    if (layer->kind->destroy && layer->state)
        layer->kind->destroy(layer->state);
    ls_lists_finish(&layer->lists);
    free(layer->trainable.items);
    free(layer->all.items);
    free(layer->weights);
    free(layer->parts);
    free(layer->state);
    free(layer->name);
    free(layer);
}

static char *copy_text(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);
    return copy ? memcpy(copy, text, size) : NULL;
}

/* Frees a layer whose kind must not touch the state, because it was not taken over. */
static ls_layer *refuse(ls_layer *layer)
{
    free(layer->state);
    free(layer->name);
    free(layer);
    return NULL;
}

ls_layer *ls_layer_create(ls_context *ls, const ls_layer_kind *kind, const void *state, const char *name)
{
    if (!ls || ls_failed(ls))
        return NULL;
    ls_layer *layer = calloc(1, sizeof *layer);
    if (!layer) {
        ls_fail(ls, LS_OUT_OF_MEMORY, "%s: no host memory for a layer", kind->name);
        return NULL;
    }
    layer->context = ls;
    layer->kind = kind;
    layer->name = name ? copy_text(name) : NULL;
    layer->state = malloc(kind->state_size ? kind->state_size : 1);
    if (!layer->state || (name && !layer->name)) {
        ls_fail(ls, LS_OUT_OF_MEMORY, "%s: no host memory for a layer", kind->name);
        return refuse(layer);
    }
    if (kind->state_size)
        memcpy(layer->state, state, kind->state_size);
    return ls_own(ls, layer, free_layer) == LS_OK ? layer : refuse(layer);
}

void ls_layer_destroy(ls_layer **pointer)
{
    if (!pointer || !*pointer)
        return;
    ls_layer *layer = *pointer;
    for (size_t i = 0; i < layer->part_count; i++)
        if (layer->parts[i]->parent == layer)
            ls_layer_destroy(&layer->parts[i]);
    for (size_t i = 0; i < layer->weight_count; i++)
        ls_variable_destroy(&layer->weights[i].variable);
    ls_disown(layer->context, layer);
    free_layer(layer);
    *pointer = NULL;
}

/* ---- Names ---- */

ls_context *ls_layer_context(const ls_layer *layer) { return layer ? layer->context : NULL; }

const char *ls_layer_name(const ls_layer *layer)
{
    return !layer ? "" : layer->name ? layer->name : layer->kind->name;
}

/* Names a part after its kind and the number of its like before it: dense, dense_1. */
static bool name_part(const ls_layer *layer, ls_layer *part)
{
    size_t before = 0;
    for (size_t i = 0; i < layer->part_count; i++)
        if (layer->parts[i]->kind == part->kind && layer->parts[i]->named_by_kind)
            before++;
    char name[128];
    if (before > 0)
        snprintf(name, sizeof name, "%s_%zu", part->kind->name, before);
    else
        snprintf(name, sizeof name, "%s", part->kind->name);
    part->name = copy_text(name);
    part->named_by_kind = true;
    return part->name != NULL;
}

/* Appends "mlp/dense/" to text, which holds `used` characters; returns how many it holds then. */
static size_t write_path(const ls_layer *layer, char *text, size_t size, size_t used)
{
    if (layer->parent)
        used = write_path(layer->parent, text, size, used);
    if (used < size) {
        int more = snprintf(text + used, size - used, "%s/", ls_layer_name(layer));
        used += more > 0 ? (size_t)more : 0;
    }
    return used;
}

/* ---- Parts and weights ---- */

/* Grows an array by one item, whatever its capacity: layers have few. */
static bool grow(void **items, size_t count, size_t size)
{
    void *grown = realloc(*items, (count + 1) * size);
    if (grown)
        *items = grown;
    return grown != NULL;
}

ls_layer *ls_add_layer(ls_layer *layer, ls_layer *part)
{
    if (!layer || !part || ls_failed(layer->context))
        return NULL;
    for (size_t i = 0; i < layer->part_count; i++)
        if (layer->parts[i] == part)
            return part;
    if (part->context != layer->context) {
        ls_fail(layer->context, LS_FOREIGN_HANDLE, "%s: layer %s belongs to another context", ls_layer_name(layer),
                ls_layer_name(part));
        return NULL;
    }
    if ((!part->name && !name_part(layer, part)) ||
        !grow((void **)&layer->parts, layer->part_count, sizeof *layer->parts)) {
        ls_fail(layer->context, LS_OUT_OF_MEMORY, "%s: no host memory for one more layer", ls_layer_name(layer));
        return NULL;
    }
    layer->parts[layer->part_count++] = part;
    if (!part->parent && part != layer)
        part->parent = layer;
    return part;
}

ls_tensor ls_add_weight(ls_layer *layer, const char *name, ls_shape shape, ls_initializer initializer,
                        bool trainable)
{
    ls_context *ls = ls_layer_context(layer);
    if (!ls || ls_failed(ls))
        return (ls_tensor){0};
    char path[512];
    size_t used = write_path(layer, path, sizeof path, 0);
    if (used < sizeof path)
        snprintf(path + used, sizeof path - used, "%s", name);
    if (!initializer.make) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "%s: the weight has no initializer; ls_glorot_uniform() is one", path);
        return (ls_tensor){0};
    }
    if (!grow((void **)&layer->weights, layer->weight_count, sizeof *layer->weights)) {
        ls_fail(ls, LS_OUT_OF_MEMORY, "%s: no host memory for one more weight", path);
        return (ls_tensor){0};
    }
    ls_tensor initial = initializer.make(&initializer, ls, shape);
    ls_tensor variable = ls_variable(initial, path, trainable);
    ls_release(&initial);
    if (!ls_is_nil(variable))
        layer->weights[layer->weight_count++] = (struct weight){variable, trainable};
    return variable;
}

static bool gather_one(struct gathered *g, ls_tensor variable)
{
    if (g->count == g->capacity) {
        size_t capacity = g->capacity ? 2 * g->capacity : 8;
        ls_tensor *items = realloc(g->items, capacity * sizeof *items);
        if (!items)
            return false;
        g->items = items;
        g->capacity = capacity;
    }
    g->items[g->count++] = variable;
    return true;
}

/* A part that is reached on two ways counts once. */
static bool has(const struct gathered *g, ls_tensor variable)
{
    for (size_t i = 0; i < g->count; i++)
        if (g->items[i].index == variable.index && g->items[i].generation == variable.generation)
            return true;
    return false;
}

static bool gather(struct gathered *g, const ls_layer *layer, bool others)
{
    for (int trainable = 1; trainable >= (others ? 0 : 1); trainable--)
        for (size_t i = 0; i < layer->weight_count; i++) {
            const struct weight *weight = &layer->weights[i];
            if (weight->trainable == trainable && !has(g, weight->variable) && !gather_one(g, weight->variable))
                return false;
        }
    for (size_t i = 0; i < layer->part_count; i++)
        if (!gather(g, layer->parts[i], others))
            return false;
    return true;
}

static ls_variables gathered_variables(ls_layer *layer, struct gathered *g, bool others)
{
    g->count = 0;
    if (!gather(g, layer, others)) {
        ls_fail(layer->context, LS_OUT_OF_MEMORY, "%s: no host memory for the list of its variables",
                ls_layer_name(layer));
        return (ls_variables){0};
    }
    return (ls_variables){g->items, g->count, &layer->lists};
}

ls_variables ls_trainable_variables(ls_layer *layer)
{
    return layer ? gathered_variables(layer, &layer->trainable, false) : (ls_variables){0};
}

ls_variables ls_all_variables(ls_layer *layer)
{
    return layer ? gathered_variables(layer, &layer->all, true) : (ls_variables){0};
}

ls_fingerprint_text ls_fingerprint_model(ls_model *model)
{
    ls_variables variables = ls_all_variables(model);
    return ls_fingerprint(variables.items, variables.count);
}

/* ---- Calling ---- */

static bool build_once(ls_layer *layer, ls_tensor x)
{
    if (layer->built)
        return true;
    if (layer->kind->build) {
        ls_scope_begin(layer->context);
        layer->kind->build(layer, layer->state, ls_shape_of_tensor(x));
        ls_scope_end(layer->context);
    }
    layer->built = !ls_failed(layer->context);
    return layer->built;
}

ls_tensor ls_call_with(const ls_call_arguments *call)
{
    ls_layer *layer = call->layer;
    ls_tensor x = call->x;
    if (!layer || ls_failed(layer->context) || ls_is_nil(x))
        return (ls_tensor){0};
    if (x.context != layer->context) {
        ls_fail(layer->context, LS_FOREIGN_HANDLE, "%s: its input belongs to another context", ls_layer_name(layer));
        return (ls_tensor){0};
    }
    if (ls_shape_of_tensor(x).rank == 0 && ls_size(x) == 0) {
        ls_fail(layer->context, LS_STALE_HANDLE, "%s: its input was released; ls_keep moves one to the outer scope",
                ls_layer_name(layer));
        return (ls_tensor){0};
    }
    if (!build_once(layer, x))
        return (ls_tensor){0};
    return layer->kind->call(layer, layer->state, x, call->training);
}

/* A call with an empty batch infers every shape and computes nothing. */
ls_status ls_build(ls_layer *layer, ls_shape input)
{
    if (!layer)
        return LS_INVALID_ARGUMENT;
    ls_context *ls = layer->context;
    if (ls_failed(ls) || layer->built)
        return ls_error(ls);
    if (input.rank < 1 || input.rank > LS_MAX_RANK)
        return ls_fail(ls, LS_INVALID_ARGUMENT, "%s: the shape to build for needs a rank of 1 to %d, the batch first",
                       ls_layer_name(layer), LS_MAX_RANK);
    input.dim[0] = 0;
    ls_scope_begin(ls);
    ls_call(layer, ls_zeros(ls, LS_FLOAT32, input));
    return ls_scope_end(ls);
}
