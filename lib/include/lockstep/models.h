/* SPDX-License-Identifier: Apache-2.0
 *
 * Models of more than one path, and what a model knows of itself: its losses and its summary.
 *
 *     ls_symbol *image = ls_input(ls, LS_SHAPE(28, 28, 1));
 *     ls_symbol *a = ls_apply(ls_conv2d(ls, 8, {3}), image);
 *     ls_symbol *b = ls_apply(ls_conv2d(ls, 8, {3}), image);
 *     ls_symbol *both = ls_apply(ls_merge_add(ls), a, b);
 *     ls_model *model = ls_functional(ls, "model", LS_SYMBOLS(image), LS_SYMBOLS(both));
 *
 * A layer is built when it is first applied, so that its shapes can be read and mistakes are named there. It is
 * named then as Keras names it, dense and dense_1 through the whole context, and its weights are "dense/kernel".
 * Applying it again shares its weights. Symbols belong to the context.
 */
#ifndef LOCKSTEP_MODELS_H
#define LOCKSTEP_MODELS_H

#include <stdio.h>

#include <lockstep/layers.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Functional models ---- */

/** A tensor of a model that is being put together: a shape and a type, no values. */
typedef struct ls_symbol ls_symbol;

typedef struct ls_input_options {
    ls_context *context;
    ls_shape shape; /* without the batch */
    ls_dtype dtype; /* 0: float32 */
    const char *name;
} ls_input_options;

/** An input (batch, shape…). keras.Input. */
LS_API ls_symbol *ls_input_with(const ls_input_options *options);
/** ls_input(ls, LS_SHAPE(28, 28)) or ls_input(ls, LS_SHAPE(1), .dtype = LS_INT32). */
#define ls_input(...) ls_input_with(&(ls_input_options){.context = __VA_ARGS__})

/** Symbols in an array that ends with NULL. */
#define LS_SYMBOLS(...) ((ls_symbol *[]){__VA_ARGS__, NULL})

/**
 * layer(inputs): builds the layer if needed and returns the symbol of its result, or the first of several.
 * NULL on an error, which is that of the layer. `inputs` ends with NULL.
 */
LS_API ls_symbol *ls_apply_to(ls_layer *layer, ls_symbol *const *inputs);
/** ls_apply(layer, x) or ls_apply(layer, a, b). */
#define ls_apply(layer, ...) ls_apply_to(layer, LS_SYMBOLS(__VA_ARGS__))

/** The i-th result of the layer that made `symbol`; NULL, with the error raised, where there is none. */
LS_API ls_symbol *ls_symbol_output(ls_symbol *symbol, size_t i);
/** The shape, whose first size, the batch, is 0; rank 0 for NULL. */
LS_API ls_shape ls_symbol_shape(const ls_symbol *symbol);

/**
 * The model that computes `outputs` from `inputs` (both end with NULL and are copied): a layer, called with
 * ls_call(model, x), or with .inputs and .outputs if it has several. Layers and variables are in Keras' order: by
 * the longest way to an output, then as the outputs are traced back. Errors: LS_INVALID_ARGUMENT for an output that
 * needs an input which is not given. `name` NULL: "functional". keras.Model(inputs, outputs).
 */
LS_API ls_model *ls_functional(ls_context *ls, const char *name, ls_symbol *const *inputs, ls_symbol *const *outputs);

/* ---- Layers that merge: several inputs, one result ---- */

typedef struct ls_merge_options {
    ls_context *context;
    int axis;          /* of concatenate, counted with the batch; 0: the last */
    int axes[2];       /* of dot: which dimension of each; 0: the last */
    bool normalize;    /* of dot: both of length 1 first, so that it is the cosine */
    const char *name;
} ls_merge_options;

/* a + b + …, a - b, a * b * …, (a + b + …) / n, the largest, the smallest; broadcast, where (batch, n) beside
 * (batch, m, n) is (batch, 1, n). Keras' Add, Subtract, … */
LS_API ls_layer *ls_merge_add_with(const ls_merge_options *options);
LS_API ls_layer *ls_merge_subtract_with(const ls_merge_options *options);
LS_API ls_layer *ls_merge_multiply_with(const ls_merge_options *options);
LS_API ls_layer *ls_merge_average_with(const ls_merge_options *options);
LS_API ls_layer *ls_merge_maximum_with(const ls_merge_options *options);
LS_API ls_layer *ls_merge_minimum_with(const ls_merge_options *options);
/** One behind the other along an axis. keras.layers.Concatenate. */
LS_API ls_layer *ls_merge_concatenate_with(const ls_merge_options *options);
/** The sum of products along an axis of each, sample by sample. keras.layers.Dot. */
LS_API ls_layer *ls_merge_dot_with(const ls_merge_options *options);
/** ls_merge_add(ls), ls_merge_concatenate(ls, .axis = 1), ls_merge_dot(ls, .axes = {1, 1}). */
#define ls_merge_add(...) ls_merge_add_with(&(ls_merge_options){.context = __VA_ARGS__})
#define ls_merge_subtract(...) ls_merge_subtract_with(&(ls_merge_options){.context = __VA_ARGS__})
#define ls_merge_multiply(...) ls_merge_multiply_with(&(ls_merge_options){.context = __VA_ARGS__})
#define ls_merge_average(...) ls_merge_average_with(&(ls_merge_options){.context = __VA_ARGS__})
#define ls_merge_maximum(...) ls_merge_maximum_with(&(ls_merge_options){.context = __VA_ARGS__})
#define ls_merge_minimum(...) ls_merge_minimum_with(&(ls_merge_options){.context = __VA_ARGS__})
#define ls_merge_concatenate(...) ls_merge_concatenate_with(&(ls_merge_options){.context = __VA_ARGS__})
#define ls_merge_dot(...) ls_merge_dot_with(&(ls_merge_options){.context = __VA_ARGS__})

/* ---- Losses of layers ---- */

/**
 * Keras' model.losses: what the layers added during the last outermost call of the model (activity regularizers,
 * ls_add_loss), then the penalties of its trainable weights. Fills at most `capacity` of them, rank 0, and
 * returns how many there are. Ask inside the tape, in the scope of the call.
 */
LS_API size_t ls_losses(ls_layer *layer, ls_tensor *losses, size_t capacity);
/** Their sum from the first to the last; 0 if there are none. loss = ls_add(loss, ls_sum_losses(model)). */
LS_API ls_tensor ls_sum_losses(ls_layer *layer);

/* ---- Summary ---- */

/**
 * The table that Keras' model.summary() prints, 80 columns wide, in UTF-8: line by line to `line`, which gets no
 * line end. Shapes are those of the last call or build. LS_INVALID_ARGUMENT for NULL.
 */
LS_API ls_status ls_summary_lines(const ls_model *model, void (*line)(void *user, const char *text), void *user);
/** The same to a file, with line ends. LS_FILE_ERROR when it cannot be written. */
LS_API ls_status ls_summary(const ls_model *model, FILE *file);

#ifdef __cplusplus
}
#endif
#endif
