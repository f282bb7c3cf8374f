/* SPDX-License-Identifier: Apache-2.0
 *
 * Functional models. Applying a layer runs it with an empty batch, which infers every shape and computes
 * nothing, and writes down a node; a model keeps the nodes that its outputs need, in Keras' order.
 */
#include <stdlib.h>
#include <string.h>

#include <lockstep/models.h>

#include "layer.h"

struct node;

struct ls_symbol {
    struct node *node;
    size_t output;
    ls_shape shape; /* the batch is 0 */
    ls_dtype dtype;
};

/* One application of a layer; an input if `layer` is the input kind's. Belongs to the context. */
struct node {
    ls_context *context;
    ls_layer *layer;
    bool is_input;
    size_t index; /* how often the layer was applied before */
    size_t input_count, output_count;
    ls_symbol **inputs;
    ls_symbol *outputs;
};

static void free_node(void *object)
{
    struct node *node = object;
    free(node->inputs);
    free(node->outputs);
    free(node);
}

static struct node *make_node(ls_layer *layer, ls_symbol *const *inputs, size_t input_count)
{
    ls_context *ls = layer->context;
    size_t outputs = ls_layer_outputs(layer);
    struct node *node = calloc(1, sizeof *node);
    if (node) {
        *node = (struct node){.context = ls, .layer = layer, .index = layer->applied, .input_count = input_count, .output_count = outputs};
        node->inputs = calloc(input_count + 1, sizeof(ls_symbol *));
        node->outputs = calloc(outputs, sizeof(ls_symbol));
        if (node->inputs && node->outputs && ls_own(ls, node, free_node) == LS_OK) {
            for (size_t i = 0; i < input_count; i++)
                node->inputs[i] = inputs[i];
            for (size_t i = 0; i < outputs; i++)
                node->outputs[i] = (ls_symbol){.node = node, .output = i};
            layer->applied++;
            return node;
        }
        free_node(node);
    }
    ls_fail(ls, LS_OUT_OF_MEMORY, "%s: no host memory to apply it", ls_layer_name(layer));
    return NULL;
}

/* ---- Inputs ---- */

static ls_tensor pass(ls_layer *layer, void *state, ls_tensor x, bool training)
{
    (void)layer;
    (void)state;
    (void)training;
    return x;
}

static const ls_layer_kind input_kind = {.name = "input_layer", .title = "InputLayer", .call = pass};

ls_symbol *ls_input_with(const ls_input_options *o)
{
    if (!o)
        return ls_no_options("input");
    ls_context *ls = o->context;
    if (!ls || ls_failed(ls))
        return NULL;
    if (o->shape.rank < 0 || o->shape.rank >= LS_MAX_RANK || (unsigned)o->dtype >= LS_DTYPE_COUNT) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "input: a shape has at most %d sizes besides the batch", LS_MAX_RANK - 1);
        return NULL;
    }
    ls_layer *layer = ls_layer_create(ls, &input_kind, NULL, o->name);
    struct node *node = layer && ls_layer_name_alone(layer) ? make_node(layer, NULL, 0) : NULL;
    if (!node)
        return NULL;
    node->is_input = true;
    ls_symbol *symbol = &node->outputs[0];
    symbol->shape.rank = o->shape.rank + 1;
    for (int d = 0; d < o->shape.rank; d++)
        symbol->shape.dim[d + 1] = o->shape.dim[d];
    symbol->dtype = o->dtype;
    layer->output_shape = symbol->shape;
    layer->called = layer->built = true;
    return symbol;
}

/* ---- Applying ---- */

static bool infer(struct node *node)
{
    ls_context *ls = node->context;
    ls_tensor x[LS_CALL_INPUTS], y[LS_CALL_INPUTS];
    ls_scope_begin(ls);
    for (size_t i = 0; i < node->input_count; i++)
        x[i] = ls_zeros(ls, node->inputs[i]->dtype, node->inputs[i]->shape);
    ls_call(node->layer, .inputs = x, .input_count = node->input_count, .outputs = y,
            .output_count = node->output_count);
    for (size_t i = 0; i < node->output_count; i++) {
        node->outputs[i].shape = ls_shape_of_tensor(y[i]);
        node->outputs[i].dtype = ls_dtype_of(y[i]);
    }
    return ls_scope_end(ls) == LS_OK;
}

ls_symbol *ls_apply_to(ls_layer *layer, ls_symbol *const *inputs)
{
    size_t count = 0;
    while (inputs && inputs[count])
        count++;
    if (!layer || ls_failed(layer->context))
        return NULL;
    if (count < 1 || count > LS_CALL_INPUTS) {
        ls_fail(layer->context, LS_INVALID_ARGUMENT, "%s: applied to %zu symbols; 1 to %d is possible",
                ls_layer_name(layer), count, LS_CALL_INPUTS);
        return NULL;
    }
    if (!ls_layer_name_alone(layer)) {
        ls_fail(layer->context, LS_OUT_OF_MEMORY, "%s: no host memory for its name", layer->kind->name);
        return NULL;
    }
    struct node *node = make_node(layer, inputs, count);
    return node && infer(node) ? &node->outputs[0] : NULL;
}

ls_symbol *ls_symbol_output(ls_symbol *symbol, size_t i)
{
    if (!symbol || i < symbol->node->output_count)
        return symbol ? &symbol->node->outputs[i] : NULL;
    ls_fail(symbol->node->context, LS_INVALID_ARGUMENT, "%s: has %zu outputs, so none at %zu",
            ls_layer_name(symbol->node->layer), symbol->node->output_count, i);
    return NULL;
}

ls_shape ls_symbol_shape(const ls_symbol *symbol) { return symbol ? symbol->shape : (ls_shape){0}; }

/* ---- The graph between inputs and outputs ---- */

/* A node of a model: where its layer stands in Keras' order, and where its results lie during a call. */
struct step {
    struct node *node;
    int depth;  /* the longest way to an output */
    int traced; /* when tracing first met its layer */
    size_t first; /* of its results among all */
};

struct functional {
    ls_symbol **inputs, **outputs;
    size_t input_count, output_count;
    struct step *steps; /* in an order in which they can be computed */
    size_t step_count, result_count;
    int traced;
};

static struct step *step_of(const struct functional *f, const struct node *node)
{
    for (size_t i = 0; i < f->step_count; i++)
        if (f->steps[i].node == node)
            return &f->steps[i];
    return NULL;
}

static bool is_given(const struct functional *f, const ls_symbol *symbol)
{
    for (size_t i = 0; i < f->input_count; i++)
        if (f->inputs[i] == symbol)
            return true;
    return false;
}

/* The position at which tracing first met a layer, over all its nodes so far. */
struct met {
    const ls_layer **layers;
    size_t count;
};

static int meet(struct met *met, const ls_layer *layer)
{
    for (size_t i = 0; i < met->count; i++)
        if (met->layers[i] == layer)
            return (int)i;
    if (!ls_grow((void **)&met->layers, met->count, sizeof *met->layers))
        return -1;
    met->layers[met->count++] = layer;
    return (int)met->count - 1;
}

/* Depth first from an output to the inputs; a node comes after those that it needs. */
static bool trace(struct functional *f, struct met *met, ls_symbol *symbol)
{
    struct node *node = symbol->node;
    if (step_of(f, node) || (!node->is_input && is_given(f, symbol)))
        return true;
    int position = meet(met, node->layer);
    if (node->is_input && !is_given(f, symbol)) {
        ls_fail(node->context, LS_INVALID_ARGUMENT, "functional: an output needs %s, which is not among the inputs",
                ls_layer_name(node->layer));
        return false;
    }
    for (size_t i = 0; i < node->input_count; i++)
        if (!trace(f, met, node->inputs[i]))
            return false;
    if (position < 0 || !ls_grow((void **)&f->steps, f->step_count, sizeof *f->steps)) {
        ls_fail(node->context, LS_OUT_OF_MEMORY, "functional: no host memory for a model");
        return false;
    }
    f->steps[f->step_count++] = (struct step){.node = node, .traced = position};
    return true;
}

/* Keras: a node is one deeper than what it feeds, a layer as deep as the deepest of its nodes so far. */
static void find_depths(struct functional *f)
{
    for (size_t i = f->step_count; i-- > 0;) {
        struct step *step = &f->steps[i];
        for (size_t j = i + 1; j < f->step_count; j++)
            if (f->steps[j].node->layer == step->node->layer && f->steps[j].depth > step->depth)
                step->depth = f->steps[j].depth;
        for (size_t k = 0; k < step->node->input_count; k++) {
            struct step *before = step_of(f, step->node->inputs[k]->node);
            if (before && before->depth < step->depth + 1)
                before->depth = step->depth + 1;
        }
    }
}

static int layer_depth(const struct functional *f, const ls_layer *layer)
{
    int depth = 0;
    for (size_t i = 0; i < f->step_count; i++)
        if (f->steps[i].node->layer == layer && f->steps[i].depth > depth)
            depth = f->steps[i].depth;
    return depth;
}

/* ---- The model ---- */

/* Results of a call lie in one array: those of the inputs that are no InputLayer first, then of every step. */
static size_t place_of(const struct functional *f, const ls_symbol *symbol)
{
    for (size_t i = 0; i < f->input_count; i++)
        if (f->inputs[i] == symbol)
            return i;
    return step_of(f, symbol->node)->first + symbol->output;
}

static void call(ls_layer *layer, void *state, const ls_tensor *x, size_t count, bool training, ls_tensor *y)
{
    const struct functional *f = state;
    if (count != f->input_count) {
        ls_fail(ls_layer_context(layer), LS_INVALID_ARGUMENT, "%s: called with %zu inputs, but it has %zu",
                ls_layer_name(layer), count, f->input_count);
        return;
    }
    ls_tensor *results = calloc(f->result_count, sizeof *results);
    if (!results) {
        ls_fail(ls_layer_context(layer), LS_OUT_OF_MEMORY, "%s: no host memory for a call", ls_layer_name(layer));
        return;
    }
    memcpy(results, x, count * sizeof *x);
    for (size_t i = 0; i < f->step_count && !ls_failed(ls_layer_context(layer)); i++) {
        const struct node *node = f->steps[i].node;
        ls_tensor in[LS_CALL_INPUTS];
        if (node->is_input)
            continue;
        for (size_t k = 0; k < node->input_count; k++)
            in[k] = results[place_of(f, node->inputs[k])];
        ls_call(node->layer, .inputs = in, .input_count = node->input_count, .training = training,
                .outputs = results + f->steps[i].first, .output_count = node->output_count);
    }
    for (size_t i = 0; i < f->output_count; i++)
        y[i] = results[place_of(f, f->outputs[i])];
    free(results);
}

static size_t count_outputs(const void *state) { return ((const struct functional *)state)->output_count; }

static void destroy(void *state)
{
    struct functional *f = state;
    free(f->inputs);
    free(f->outputs);
    free(f->steps);
}

static const ls_layer_kind functional = {.name = "functional",
                                         .title = "Functional",
                                         .state_size = sizeof(struct functional),
                                         .destroy = destroy,
                                         .call_many = call,
                                         .outputs = count_outputs};

static ls_symbol **copy_symbols(ls_symbol *const *symbols, size_t *count)
{
    while (symbols && symbols[*count])
        ++*count;
    ls_symbol **copy = calloc(*count + 1, sizeof *copy);
    for (size_t i = 0; copy && i < *count; i++)
        copy[i] = symbols[i];
    return copy;
}

static bool make_graph(struct functional *f, ls_context *ls)
{
    struct met met = {0};
    bool good = true;
    for (size_t i = 0; good && i < f->output_count; i++)
        good = trace(f, &met, f->outputs[i]);
    free(met.layers);
    if (good)
        find_depths(f);
    f->result_count = f->input_count;
    for (size_t i = 0; i < f->step_count; i++) {
        f->steps[i].first = f->result_count;
        f->result_count += f->steps[i].node->output_count;
    }
    return good && !ls_failed(ls);
}

/* The layers by falling depth; among equals, the first that was traced. */
static bool add_layers(ls_model *model, const struct functional *f)
{
    int deepest = 0, last = 0;
    for (size_t i = 0; i < f->step_count; i++) {
        deepest = f->steps[i].depth > deepest ? f->steps[i].depth : deepest;
        last = f->steps[i].traced > last ? f->steps[i].traced : last;
    }
    for (int depth = deepest; depth >= 0; depth--)
        for (int traced = 0; traced <= last; traced++)
            for (size_t i = 0; i < f->step_count; i++) {
                const struct step *step = &f->steps[i];
                if (step->traced == traced && layer_depth(f, step->node->layer) == depth &&
                    !ls_add_layer(model, step->node->layer))
                    return false;
            }
    return true;
}

ls_model *ls_functional(ls_context *ls, const char *name, ls_symbol *const *inputs, ls_symbol *const *outputs)
{
    if (!ls || ls_failed(ls))
        return NULL;
    struct functional state = {0};
    state.inputs = copy_symbols(inputs, &state.input_count);
    state.outputs = copy_symbols(outputs, &state.output_count);
    bool good = state.inputs && state.outputs;
    if (!good)
        ls_fail(ls, LS_OUT_OF_MEMORY, "functional: no host memory for a model");
    else if ((good = state.input_count >= 1 && state.input_count <= LS_CALL_INPUTS && state.output_count >= 1 &&
                     state.output_count <= LS_CALL_INPUTS) == false)
        ls_fail(ls, LS_INVALID_ARGUMENT, "functional: %zu inputs and %zu outputs; a model has 1 to %d of both",
                state.input_count, state.output_count, LS_CALL_INPUTS);
    ls_model *model = good && make_graph(&state, ls) ? ls_layer_create(ls, &functional, &state, name) : NULL;
    if (!model) {
        destroy(&state);
        return NULL;
    }
    model->built = true;
    return add_layers(model, &state) ? model : NULL;
}

/* ---- For the summary ---- */

bool ls_functional_branches(const ls_model *model)
{
    const struct functional *f = model->state;
    if (model->kind != &functional)
        return false;
    for (size_t i = 0; i < f->step_count; i++) {
        if (f->steps[i].node->input_count > 1)
            return true;
        for (size_t j = 0; j < i; j++)
            if (f->steps[j].depth == f->steps[i].depth || f->steps[j].node->layer == f->steps[i].node->layer)
                return true;
    }
    return false;
}

bool ls_functional_connection(const ls_model *model, const ls_layer *layer, size_t which, struct ls_connection *found)
{
    const struct functional *f = model->state;
    for (size_t index = 0; index < layer->applied; index++)
        for (size_t i = 0; i < f->step_count; i++) {
            const struct node *node = f->steps[i].node;
            if (node->layer != layer || node->index != index)
                continue;
            if (which < node->input_count) {
                const ls_symbol *from = node->inputs[which];
                *found = (struct ls_connection){from->node->layer, from->node->index, from->output};
                return true;
            }
            which -= node->input_count;
        }
    return false;
}
