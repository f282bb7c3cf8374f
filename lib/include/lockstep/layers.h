/* SPDX-License-Identifier: Apache-2.0
 *
 * Layers and models. A layer owns weights and maps a tensor to a tensor; a model is a layer made of
 * layers, so whatever takes the one takes the other. Layers belong to the context they were made
 * with. Weights are made at the first call, from the shape of its input.
 *
 * `ls_dense(ls, 256, .activation = LS_RELU)` is a macro over a plain function and a struct of
 * parameters, as everything here that takes options: what stands in the parentheses initialises the
 * struct, its first members by position and the others by name. A member left out is zero, and zero
 * means the default. Other languages fill the struct and call the function, ls_dense_with. Where an op has
 * the name of a layer, the layer is called so: ls_dropout_layer.
 *
 * Calls are sticky (status.h): on an error they return NULL or the nil tensor, and all of them accept
 * NULL, so a program may check once at its end. None blocks. One thread per context at a time.
 */
#ifndef LOCKSTEP_LAYERS_H
#define LOCKSTEP_LAYERS_H

#include <lockstep/initializers.h>
#include <lockstep/ops.h>
#include <lockstep/regularizers.h>
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
    const ls_tensor *inputs; /* in place of x, for layers of several inputs: at most 64 */
    size_t input_count;
    ls_tensor *outputs; /* where to put the results, for models of several; NULL: only the first is returned */
    size_t output_count;
} ls_call_arguments;

/**
 * layer(x). Makes the weights first if this is the first call. The result belongs to the innermost
 * scope and is recorded by listening tapes. Errors: those of the layer's ops, and LS_SHAPE_MISMATCH
 * when x does not fit the weights.
 */
LS_API ls_tensor ls_call_with(const ls_call_arguments *call);
/** ls_call(mlp, x), ls_call(mlp, x, .training = true) or ls_call(m, .inputs = xs, .input_count = 2). */
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

/**
 * Keras' layer.trainable, of a layer and all its parts: false takes its variables out of
 * ls_trainable_variables, and its batch normalisations then use their moving statistics.
 */
LS_API void ls_set_trainable(ls_layer *layer, bool trainable);
LS_API bool ls_is_trainable(const ls_layer *layer);

/** ls_fingerprint of all variables. Blocks. */
LS_API ls_fingerprint_text ls_fingerprint_model(ls_model *model);

/** The layer's name; "" for NULL. Given by its options, else by its model: dense, dense_1, … */
LS_API const char *ls_layer_name(const ls_layer *layer);

/**
 * Releases a layer, its weights and the layers that were first put into it, and sets `*layer` to
 * NULL. Accepts NULL. Not needed before ls_close. It must not be part of another model any more.
 */
LS_API void ls_layer_destroy(ls_layer **layer);

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
    ls_regularizer kernel_regularizer, bias_regularizer, activity_regularizer;
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

typedef struct ls_reshape_options {
    ls_context *context;
    ls_shape target_shape; /* without the batch; one dimension may be -1 */
    const char *name;
} ls_reshape_options;

/** (batch, …) -> (batch, target…). keras.layers.Reshape. */
LS_API ls_layer *ls_reshape_layer_with(const ls_reshape_options *options);
/** ls_reshape_layer(ls, LS_SHAPE(7, 7, 16)). */
#define ls_reshape_layer(...) ls_reshape_layer_with(&(ls_reshape_options){.context = __VA_ARGS__})

typedef struct ls_permute_options {
    ls_context *context;
    int dims[LS_MAX_RANK]; /* which dimension comes here; the first behind the batch is 1 */
    const char *name;
} ls_permute_options;

/** Permutes all dimensions but the batch. keras.layers.Permute. */
LS_API ls_layer *ls_permute_with(const ls_permute_options *options);
/** ls_permute(ls, {2, 1}). */
#define ls_permute(...) ls_permute_with(&(ls_permute_options){.context = __VA_ARGS__})

/* ---- Activations ---- */

typedef struct ls_activation_options {
    ls_context *context;
    ls_activation activation;
    const char *name;
} ls_activation_options;

/** activation(x), any shape. Parameters are Keras' defaults; leaky_relu's slope is 0.2. keras.layers.Activation. */
LS_API ls_layer *ls_activation_layer_with(const ls_activation_options *options);
/** ls_activation_layer(ls, LS_GELU). */
#define ls_activation_layer(...) ls_activation_layer_with(&(ls_activation_options){.context = __VA_ARGS__})

typedef struct ls_relu_options {
    ls_context *context;
    float max_value; /* 0: none */
    float negative_slope, threshold;
    const char *name;
} ls_relu_options;

/**
 * x >= max_value ? max_value : x > threshold ? x : negative_slope * (x - threshold), any shape. keras.layers.ReLU.
 */
LS_API ls_layer *ls_relu_layer_with(const ls_relu_options *options);
/** ls_relu_layer(ls) or ls_relu_layer(ls, .max_value = 6). */
#define ls_relu_layer(...) ls_relu_layer_with(&(ls_relu_options){.context = __VA_ARGS__})

typedef struct ls_leaky_relu_options {
    ls_context *context;
    float negative_slope; /* 0: 0.3 */
    const char *name;
} ls_leaky_relu_options;

/** x > 0 ? x : negative_slope * x, any shape. keras.layers.LeakyReLU. */
LS_API ls_layer *ls_leaky_relu_layer_with(const ls_leaky_relu_options *options);
#define ls_leaky_relu_layer(...) ls_leaky_relu_layer_with(&(ls_leaky_relu_options){.context = __VA_ARGS__})

typedef struct ls_prelu_options {
    ls_context *context;
    ls_initializer alpha_initializer; /* default zeros */
    ls_regularizer alpha_regularizer;
    int shared_axes[LS_MAX_RANK]; /* dimensions, from 1, that share a slope; 0 ends */
    const char *name;
} ls_prelu_options;

/** x > 0 ? x : alpha * x with a learned alpha of x's shape without the batch. keras.layers.PReLU. */
LS_API ls_layer *ls_prelu_layer_with(const ls_prelu_options *options);
/** ls_prelu_layer(ls) or ls_prelu_layer(ls, .shared_axes = {1, 2}). */
#define ls_prelu_layer(...) ls_prelu_layer_with(&(ls_prelu_options){.context = __VA_ARGS__})

typedef struct ls_softmax_options {
    ls_context *context;
    int axis; /* 0: the last */
    const char *name;
} ls_softmax_options;

/** Softmax along an axis. keras.layers.Softmax. */
LS_API ls_layer *ls_softmax_layer_with(const ls_softmax_options *options);
#define ls_softmax_layer(...) ls_softmax_layer_with(&(ls_softmax_options){.context = __VA_ARGS__})

/* ---- Regularisation by noise: nothing happens unless training ---- */

typedef struct ls_noise_options {
    ls_context *context;
    float amount; /* dropout: the rate; Gaussian noise: its standard deviation */
    const char *name;
} ls_noise_options;

/** ls_dropout(x, rate) while training, any shape; 0 <= rate <= 1, at 1 all zeros. keras.layers.Dropout. */
LS_API ls_layer *ls_dropout_layer_with(const ls_noise_options *options);
/** ls_dropout_layer(ls, 0.5f). */
#define ls_dropout_layer(...) ls_dropout_layer_with(&(ls_noise_options){.context = __VA_ARGS__})
/** x plus normal noise of mean 0 while training, any shape; stddev >= 0. keras.layers.GaussianNoise. */
LS_API ls_layer *ls_gaussian_noise_with(const ls_noise_options *options);
/** ls_gaussian_noise(ls, 0.1f). */
#define ls_gaussian_noise(...) ls_gaussian_noise_with(&(ls_noise_options){.context = __VA_ARGS__})

/* ---- Normalisation ---- */

typedef struct ls_batch_normalization_options {
    ls_context *context;
    int axis;                   /* of the features; 0: the last */
    float momentum, epsilon;    /* 0: 0.99 and 0.001; LS_ZERO: 0 */
    bool no_center, no_scale;   /* without beta, without gamma */
    ls_initializer beta_initializer, gamma_initializer; /* zeros, ones */
    ls_initializer moving_mean_initializer, moving_variance_initializer; /* zeros, ones */
    ls_regularizer beta_regularizer, gamma_regularizer;
    const char *name;
} ls_batch_normalization_options;

/**
 * Training: mean and biased variance of each feature over the batch and all other dimensions, and
 * moving = fma(moving, momentum, batch * (1 - momentum)) for both, gradient or not. Otherwise, and when
 * the layer is not trainable: the moving ones. Then ls_batch_normalization. Variables gamma, beta,
 * moving_mean, moving_variance of the features' size. keras.layers.BatchNormalization.
 */
LS_API ls_layer *ls_batch_normalization_layer_with(const ls_batch_normalization_options *options);
/** ls_batch_normalization_layer(ls). */
#define ls_batch_normalization_layer(...)                                                          \
    ls_batch_normalization_layer_with(&(ls_batch_normalization_options){.context = __VA_ARGS__})

typedef struct ls_layer_normalization_options {
    ls_context *context;
    int axis;                 /* the first that is normalised, all to the last are; 0: only the last */
    float epsilon;            /* 0: 0.001; LS_ZERO: 0 */
    bool no_center, no_scale; /* without beta, without gamma */
    ls_initializer beta_initializer, gamma_initializer; /* zeros, ones */
    ls_regularizer beta_regularizer, gamma_regularizer;
    const char *name;
} ls_layer_normalization_options;

/** ls_layer_normalization with gamma and beta of the shape from `axis` on. keras.layers.LayerNormalization. */
LS_API ls_layer *ls_layer_normalization_layer_with(const ls_layer_normalization_options *options);
/** ls_layer_normalization_layer(ls). */
#define ls_layer_normalization_layer(...)                                                          \
    ls_layer_normalization_layer_with(&(ls_layer_normalization_options){.context = __VA_ARGS__})

typedef struct ls_normalization_options {
    ls_context *context;
    int axis; /* of the features; 0: the last */
    const char *name;
} ls_normalization_options;

/**
 * (x - mean) / max(sqrt(variance), 1e-7) of each feature, by fixed numbers: 0 and 1 until ls_adapt. They are
 * variables that do not train, mean and variance of the features' size. keras.layers.Normalization.
 */
LS_API ls_layer *ls_normalization_with(const ls_normalization_options *options);
/** ls_normalization(ls). */
#define ls_normalization(...) ls_normalization_with(&(ls_normalization_options){.context = __VA_ARGS__})
/** Sets the mean and variance of an ls_normalization to those of data (n, …), in one piece. */
LS_API ls_status ls_adapt(ls_layer *normalization, ls_tensor data);

/* ---- Others ---- */

typedef struct ls_embedding_options {
    ls_context *context;
    int64_t input_dim, output_dim; /* how many ids there are, and features of each */
    ls_initializer embeddings_initializer; /* default uniform in [-0.05, 0.05) */
    ls_regularizer embeddings_regularizer;
    const char *name;
} ls_embedding_options;

/** Rows of embeddings (input_dim, output_dim) by int32 ids (…) -> (…, output_dim). keras.layers.Embedding. */
LS_API ls_layer *ls_embedding_with(const ls_embedding_options *options);
/** ls_embedding(ls, 1000, 64). */
#define ls_embedding(...) ls_embedding_with(&(ls_embedding_options){.context = __VA_ARGS__})

typedef struct ls_lambda_options {
    ls_context *context;
    ls_tensor (*function)(void *user, ls_tensor x); /* public ops only; called with an empty batch too */
    void *user;
    const char *name;
} ls_lambda_options;

/** function(user, x). keras.layers.Lambda. */
LS_API ls_layer *ls_lambda_with(const ls_lambda_options *options);
/** ls_lambda(ls, square). */
#define ls_lambda(...) ls_lambda_with(&(ls_lambda_options){.context = __VA_ARGS__})

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
    const char *title; /* "Dense": Keras' class, for ls_summary; NULL: name */
    /** For layers of several inputs (at most 64), in place of build and call; y[0] is the result. */
    void (*build_many)(ls_layer *layer, void *state, const ls_shape *inputs, size_t count);
    void (*call_many)(ls_layer *layer, void *state, const ls_tensor *x, size_t count, bool training, ls_tensor *y);
    size_t (*outputs)(const void *state); /* how many results call_many makes; NULL: 1 */
} ls_layer_kind;

/**
 * A layer of a kind of one's own. `kind` must outlive it; `state` (state_size bytes) and `name` are
 * copied, `name` may be NULL. On failure returns NULL and leaves what `state` points to alone.
 */
LS_API ls_layer *ls_layer_create(ls_context *ls, const ls_layer_kind *kind, const void *state, const char *name);
/** Makes a weight, named after the layer and `name`. For build functions. The layer owns it. */
LS_API ls_tensor ls_add_weight(ls_layer *layer, const char *name, ls_shape shape, ls_initializer initializer,
                               bool trainable);
/** Gives a weight of the layer a regularizer, whose loss is then among ls_losses. For build functions. */
LS_API void ls_add_regularizer(ls_layer *layer, ls_tensor weight, ls_regularizer regularizer);
/** Gives a layer an activity regularizer: of each result, divided by the batch size, as Keras does. */
LS_API void ls_set_activity_regularizer(ls_layer *layer, ls_regularizer regularizer);
/** Adds a rank-0 loss to ls_losses (Keras' add_loss). For call functions; it holds until the next call. */
LS_API void ls_add_loss(ls_layer *layer, ls_tensor loss);
/** Makes `part` a part of `layer`, so that its variables count as the layer's; returns `part`. */
LS_API ls_layer *ls_add_layer(ls_layer *layer, ls_layer *part);
/** The context of a layer; NULL for NULL. */
LS_API ls_context *ls_layer_context(const ls_layer *layer);

#ifdef __cplusplus
}
#endif
#endif
