/* SPDX-License-Identifier: Apache-2.0
 *
 * Layers and models. A layer owns weights and maps a tensor to a tensor; a model is a layer made of
 * layers, so whatever takes the one takes the other. Layers belong to the context they were made
 * with. Weights are made at the first call, from the shape of its input.
 *
 * `ls_dense(ls, 256, .activation = LS_RELU)` is a macro over a plain function and a struct of
 * parameters, as everything here that takes options: what stands in the parentheses initialises the
 * struct, its first members by position and the others by name. A member left out is zero, and zero
 * means the default. Other languages fill the struct and call the function, ls_dense_with.
 *
 * Calls are sticky (status.h): on an error they return NULL or the nil tensor, and all of them accept
 * NULL, so a program may check once at its end. None blocks. One thread per context at a time.
 */
#ifndef LOCKSTEP_LAYERS_H
#define LOCKSTEP_LAYERS_H

#include <lockstep/ops.h>
#include <lockstep/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ls_layer ls_layer;

/** A layer whose parts are layers. */
typedef ls_layer ls_model;

/* ---- Calling ---- */

typedef struct ls_call_arguments {
    ls_layer *layer;
    ls_tensor x;
    bool training; /* as in Keras: dropout drops, moving statistics move */
} ls_call_arguments;

/**
 * layer(x). Makes the weights first if this is the first call. The result belongs to the innermost
 * scope and is recorded by listening tapes. Errors: those of the layer's ops, and LS_SHAPE_MISMATCH
 * when x does not fit the weights.
 */
LS_API ls_tensor ls_call_with(const ls_call_arguments *call);
/** ls_call(mlp, x) or ls_call(mlp, x, .training = true). */
#define ls_call(...) ls_call_with(&(ls_call_arguments){.layer = __VA_ARGS__})

/**
 * Makes the weights now, for inputs of shape `input`, whose first dimension (the batch) does not
 * matter. Draws the same initial values as the first call would. No effect when they are made.
 */
LS_API ls_status ls_build(ls_layer *layer, ls_shape input);

/* ---- Weights ---- */

struct ls_lists;

/**
 * Some variables, in Keras' order: a layer's own in the order they were made, then those of its
 * parts. `items` belongs to the layer and holds until it is built or destroyed. Take part of a list
 * by changing `items` and `count`; `lists` is private (where ls_gradients_of keeps its result).
 */
typedef struct ls_variables {
    const ls_tensor *items;
    size_t count;
    struct ls_lists *lists;
} ls_variables;

/** The variables that training changes. None before the layer was built. */
LS_API ls_variables ls_trainable_variables(ls_layer *layer);
/** All variables; of each layer first the trainable ones. None before the layer was built. */
LS_API ls_variables ls_all_variables(ls_layer *layer);

/** ls_fingerprint of all variables. Blocks. */
LS_API ls_fingerprint_text ls_fingerprint_model(ls_model *model);

/** The layer's name; "" for NULL. Given by its options, else by its model: dense, dense_1, … */
LS_API const char *ls_layer_name(const ls_layer *layer);

/**
 * Releases a layer, its weights and the layers that were first put into it, and sets `*layer` to
 * NULL. Accepts NULL. Not needed before ls_close. It must not be part of another model any more.
 */
LS_API void ls_layer_destroy(ls_layer **layer);

/* ---- Initializers ---- */

/** How to draw the first value of a weight; all zero means the layer's default. */
typedef struct ls_initializer {
    ls_tensor (*make)(const struct ls_initializer *self, ls_context *ls, ls_shape shape);
    float parameter[3];
} ls_initializer;

/**
 * Uniform in [-limit, limit), limit = sqrt(6 / (fan_in + fan_out)) in double, then rounded to
 * float32. Fans as keras.initializers: (…, in, out) with the sizes before counting into both.
 * Glorot and Bengio, "Understanding the difficulty of training deep feedforward networks", 2010.
 */
LS_API ls_initializer ls_glorot_uniform(void);
/** Every element has one value. */
LS_API ls_initializer ls_constant_initializer(float value);

/* ---- Models ---- */

/**
 * The layers one after another. `layers` ends with NULL and is copied; `name` NULL: "sequential".
 * A layer without a name gets its kind's, numbered within the model: dense, dense_1. Variables are
 * named after the way to them: "mlp/dense_1/kernel".
 */
LS_API ls_model *ls_sequential(ls_context *ls, const char *name, ls_layer *const *layers);

/* ---- Layers ---- */

typedef struct ls_dense_options {
    ls_context *context;
    int64_t units;
    ls_activation activation; /* 0: LS_LINEAR */
    bool no_bias;             /* Keras' use_bias = False */
    ls_initializer kernel_initializer; /* default ls_glorot_uniform */
    ls_initializer bias_initializer;   /* default zeros */
    const char *name;
} ls_dense_options;

/**
 * activation(x kernel + bias): (batch, …, in) -> (batch, …, units), float32. Variables kernel
 * (in, units) and bias (units). keras.layers.Dense. LS_INVALID_ARGUMENT when units < 1.
 */
LS_API ls_layer *ls_dense_with(const ls_dense_options *options);
/** ls_dense(ls, 10) or ls_dense(ls, 256, .activation = LS_RELU). */
#define ls_dense(...) ls_dense_with(&(ls_dense_options){.context = __VA_ARGS__})

typedef struct ls_rescaling_options {
    ls_context *context;
    float scale;
    float offset;
    const char *name;
} ls_rescaling_options;

/**
 * x * scale, or fma(x, scale, offset) with an offset; any shape. An x that is not float32 (uint8
 * images) is cast on the device. keras.layers.Rescaling.
 */
LS_API ls_layer *ls_rescaling_with(const ls_rescaling_options *options);
/** ls_rescaling(ls, 1.0f / 255). */
#define ls_rescaling(...) ls_rescaling_with(&(ls_rescaling_options){.context = __VA_ARGS__})

typedef struct ls_flatten_options {
    ls_context *context;
    const char *name;
} ls_flatten_options;

/** (batch, a, b, …) -> (batch, a b …), sharing storage; (batch) -> (batch, 1). keras.layers.Flatten. */
LS_API ls_layer *ls_flatten_with(const ls_flatten_options *options);
/** ls_flatten(ls). */
#define ls_flatten(...) ls_flatten_with(&(ls_flatten_options){.context = __VA_ARGS__})

/* ---- Layers of one's own (the role of subclassing keras.layers.Layer) ---- */

/** What a kind of layer is. `state` is the layer's copy of the struct given to ls_layer_create. */
typedef struct ls_layer_kind {
    const char *name;  /* "dense": what unnamed layers are called */
    size_t state_size; /* bytes of the state */
    /** Makes the weights with ls_add_weight for inputs of shape `input`; NULL: there are none. */
    void (*build)(ls_layer *layer, void *state, ls_shape input);
    ls_tensor (*call)(ls_layer *layer, void *state, ls_tensor x, bool training);
    /** Frees what the state points to, not the state and no tensors; NULL: nothing to free. */
    void (*destroy)(void *state);
} ls_layer_kind;

/**
 * A layer of a kind of one's own. `kind` must outlive it; `state` (state_size bytes) and `name` are
 * copied, `name` may be NULL. On failure returns NULL and leaves what `state` points to alone.
 */
LS_API ls_layer *ls_layer_create(ls_context *ls, const ls_layer_kind *kind, const void *state, const char *name);
/** Makes a weight, named after the layer and `name`. For build functions. The layer owns it. */
LS_API ls_tensor ls_add_weight(ls_layer *layer, const char *name, ls_shape shape, ls_initializer initializer,
                               bool trainable);
/** Makes `part` a part of `layer`, so that its variables count as the layer's; returns `part`. */
LS_API ls_layer *ls_add_layer(ls_layer *layer, ls_layer *part);
/** The context of a layer; NULL for NULL. */
LS_API ls_context *ls_layer_context(const ls_layer *layer);

#ifdef __cplusplus
}
#endif
#endif
