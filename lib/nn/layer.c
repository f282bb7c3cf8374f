/* SPDX-License-Identifier: Apache-2.0
 *
 * What all layers share: names, weights made at the first call, parts, ownership. A kind of layer
 * (dense.c and its neighbours) is a table of functions and uses the public functions alone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layer.h"

/* ---- Making and releasing ---- */

/* What the layers of a context share; it goes with the context. */
static void free_naming(void *object)
{
    struct ls_naming *naming = object;
    while (naming->kinds) {
        struct ls_kind_count *next = naming->kinds->next;
        free(naming->kinds);
        naming->kinds = next;
    }
    free(naming);
}

/* What the layers of a context share; made at the first call. NULL on an error (raised). */
static struct ls_naming *naming_of(ls_context *ls)
{
    struct ls_naming *naming = ls_owned_by(ls, free_naming);
    if (naming)
        return naming;
    naming = calloc(1, sizeof *naming);
    if (naming && ls_own(ls, naming, free_naming) == LS_OK)
        return naming;
    free(naming);
    ls_fail(ls, LS_OUT_OF_MEMORY, "layers: no host memory for the names of layers");
    return NULL;
}

/* Frees the host side. The context releases the variables by itself when it closes. */
static void free_layer(void *object)
{
    ls_layer *layer = object;
    if (layer->kind->destroy && layer->state)
        layer->kind->destroy(layer->state);
    if (layer->compiled)
        layer->free_compiled(layer->compiled, true);
    ls_lists_finish(&layer->lists);
    free(layer->gathered[0].items);
    free(layer->gathered[1].items);
    free(layer->losses);
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
    struct ls_naming *naming = naming_of(ls);
    ls_layer *layer = naming ? calloc(1, sizeof *layer) : NULL;
    if (!layer) {
        ls_fail(ls, LS_OUT_OF_MEMORY, "%s: no host memory for a layer", kind->name);
        return NULL;
    }
    layer->context = ls;
    layer->naming = naming;
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
    if (layer->compiled)
        layer->free_compiled(layer->compiled, false);
    layer->compiled = NULL;
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

/* Names a layer after its kind and the number of its like before it: dense, dense_1. */
static bool name_by_kind(ls_layer *part, size_t before)
{
    char name[128];
    if (before > 0)
        snprintf(name, sizeof name, "%s_%zu", part->kind->name, before);
    else
        snprintf(name, sizeof name, "%s", part->kind->name);
    part->name = copy_text(name);
    part->named_by_kind = true;
    return part->name != NULL;
}

static bool name_part(const ls_layer *layer, ls_layer *part)
{
    size_t before = 0;
    for (size_t i = 0; i < layer->part_count; i++)
        if (layer->parts[i]->kind == part->kind && layer->parts[i]->named_by_kind)
            before++;
    return name_by_kind(part, before);
}

bool ls_layer_name_alone(ls_layer *layer)
{
    if (layer->name)
        return true;
    struct ls_kind_count *count = layer->naming->kinds;
    while (count && count->kind != layer->kind)
        count = count->next;
    if (!count) {
        count = calloc(1, sizeof *count);
        if (!count)
            return false;
        *count = (struct ls_kind_count){layer->kind, 0, layer->naming->kinds};
        layer->naming->kinds = count;
    }
    return name_by_kind(layer, count->count++);
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
bool ls_grow(void **items, size_t count, size_t size)
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
        !ls_grow((void **)&layer->parts, layer->part_count, sizeof *layer->parts)) {
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
    if (!ls_grow((void **)&layer->weights, layer->weight_count, sizeof *layer->weights)) {
        ls_fail(ls, LS_OUT_OF_MEMORY, "%s: no host memory for one more weight", path);
        return (ls_tensor){0};
    }
    ls_tensor initial = initializer.make(&initializer, ls, shape);
    ls_tensor variable = ls_variable(initial, path, trainable);
    ls_release(&initial);
    if (!ls_is_nil(variable))
        layer->weights[layer->weight_count++] = (struct ls_weight){.variable = variable, .trainable = trainable};
    return variable;
}

static bool gather_one(struct ls_gathered *g, ls_tensor variable)
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
static bool has(const struct ls_gathered *g, ls_tensor variable)
{
    for (size_t i = 0; i < g->count; i++)
        if (g->items[i].index == variable.index && g->items[i].generation == variable.generation)
            return true;
    return false;
}

enum { ONLY_TRAINABLE, ALL_VARIABLES };

static bool gather(struct ls_gathered *g, const ls_layer *layer, int which)
{
    if (which == ONLY_TRAINABLE && layer->frozen)
        return true;
    for (int trainable = 1; trainable >= (which == ALL_VARIABLES ? 0 : 1); trainable--)
        for (size_t i = 0; i < layer->weight_count; i++) {
            const struct ls_weight *weight = &layer->weights[i];
            if (weight->trainable == trainable && !has(g, weight->variable) && !gather_one(g, weight->variable))
                return false;
        }
    for (size_t i = 0; i < layer->part_count; i++)
        if (!gather(g, layer->parts[i], which))
            return false;
    return true;
}

static ls_variables gathered_variables(ls_layer *layer, int which)
{
    if (!layer)
        return (ls_variables){0};
    struct ls_gathered *g = &layer->gathered[which];
    g->count = 0;
    if (!gather(g, layer, which)) {
        ls_fail(layer->context, LS_OUT_OF_MEMORY, "%s: no host memory for the list of its variables",
                ls_layer_name(layer));
        return (ls_variables){0};
    }
    return (ls_variables){g->items, g->count, &layer->lists};
}

ls_variables ls_trainable_variables(ls_layer *layer) { return gathered_variables(layer, ONLY_TRAINABLE); }
ls_variables ls_all_variables(ls_layer *layer) { return gathered_variables(layer, ALL_VARIABLES); }

void ls_set_trainable(ls_layer *layer, bool trainable)
{
    if (!layer)
        return;
    layer->frozen = !trainable;
    for (size_t i = 0; i < layer->part_count; i++)
        ls_set_trainable(layer->parts[i], trainable);
}

bool ls_is_trainable(const ls_layer *layer) { return layer && !layer->frozen; }

ls_fingerprint_text ls_fingerprint_model(ls_model *model)
{
    ls_variables variables = ls_all_variables(model);
    return ls_fingerprint(variables.items, variables.count);
}

/* ---- Checks that kinds share ---- */

bool ls_layer_wants_float(ls_layer *layer, ls_tensor x)
{
    if (ls_dtype_of(x) == LS_FLOAT32)
        return true;
    ls_fail(layer->context, LS_DTYPE_MISMATCH, "%s: input is %s, not float32; ls_rescaling before it, or ls_cast, converts",
            ls_layer_name(layer), ls_dtype_name(ls_dtype_of(x)));
    return false;
}

bool ls_layer_wants_rank(ls_layer *layer, ls_shape shape, int rank, const char *form)
{
    if (shape.rank == rank)
        return true;
    ls_fail(layer->context, LS_SHAPE_MISMATCH, "%s: input %s: needs %s%s", ls_layer_name(layer), ls_text(shape).text, form,
            shape.rank == rank - 1 ? "; ls_reshape_layer adds channels" : "");
    return false;
}

/* ---- Calling ---- */

static bool build_once(ls_layer *layer, const ls_tensor *x, size_t count)
{
    if (layer->built)
        return true;
    ls_scope_begin(layer->context);
    if (layer->kind->build_many) {
        ls_shape shapes[LS_CALL_INPUTS];
        for (size_t i = 0; i < count; i++)
            shapes[i] = ls_shape_of_tensor(x[i]);
        layer->kind->build_many(layer, layer->state, shapes, count);
    } else if (layer->kind->build) {
        layer->kind->build(layer, layer->state, ls_shape_of_tensor(x[0]));
    }
    ls_scope_end(layer->context);
    layer->built = !ls_failed(layer->context);
    return layer->built;
}

static bool check_input(ls_layer *layer, ls_tensor x)
{
    if (ls_is_nil(x))
        return false;
    if (x.context != layer->context) {
        ls_fail(layer->context, LS_FOREIGN_HANDLE, "%s: its input belongs to another context", ls_layer_name(layer));
        return false;
    }
    if (ls_shape_of_tensor(x).rank == 0 && ls_size(x) == 0) {
        ls_fail(layer->context, LS_STALE_HANDLE, "%s: its input was released; ls_keep moves one to the outer scope",
                ls_layer_name(layer));
        return false;
    }
    return true;
}

size_t ls_layer_outputs(const ls_layer *layer)
{
    return layer->kind->outputs ? layer->kind->outputs(layer->state) : 1;
}

/* The number of inputs, 0 with the error raised; NULL in a call of several is an error, nil is one passed on. */
static bool check_call(ls_layer *layer, const ls_tensor *x, size_t count, size_t outputs)
{
    if (count < 1 || count > LS_CALL_INPUTS || (count > 1 && !layer->kind->call_many)) {
        ls_fail(layer->context, LS_INVALID_ARGUMENT, "%s: called with %zu inputs; it takes %s", ls_layer_name(layer),
                count, layer->kind->call_many ? "1 to 64" : "one");
        return false;
    }
    if (outputs > ls_layer_outputs(layer)) {
        ls_fail(layer->context, LS_INVALID_ARGUMENT, "%s: asked for %zu outputs, but it has %zu", ls_layer_name(layer),
                outputs, ls_layer_outputs(layer));
        return false;
    }
    for (size_t i = 0; i < count; i++)
        if (!check_input(layer, x[i]))
            return false;
    return true;
}

ls_tensor ls_call_with(const ls_call_arguments *call)
{
    if (!call)
        return ls_no_options("call"), (ls_tensor){0};
    ls_layer *layer = call->layer;
    const ls_tensor *x = call->inputs ? call->inputs : &call->x;
    size_t count = call->inputs ? call->input_count : 1;
    for (size_t i = 0; call->outputs && i < call->output_count; i++)
        call->outputs[i] = (ls_tensor){0};
    if (!layer || ls_failed(layer->context) || !check_call(layer, x, count, call->output_count) ||
        !build_once(layer, x, count))
        return (ls_tensor){0};
    if (layer->naming->depth == 0)
        ls_clear_losses(layer);
    layer->naming->depth++;
    ls_tensor y[LS_CALL_INPUTS] = {{0}};
    if (layer->kind->call_many)
        layer->kind->call_many(layer, layer->state, x, count, call->training, y);
    else
        y[0] = layer->kind->call(layer, layer->state, x[0], call->training);
    layer->naming->depth--;
    for (size_t i = 0; call->outputs && i < call->output_count; i++)
        call->outputs[i] = y[i];
    if (!ls_is_nil(y[0])) {
        layer->output_shape = ls_shape_of_tensor(y[0]);
        layer->called = true;
        ls_add_activity_loss(layer, y[0]);
    }
    return y[0];
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
