/* SPDX-License-Identifier: Apache-2.0
 *
 * Layers over sequences (batch, length, channels) and images (batch, height, width, channels). See layers.h for
 * what all layers share and convolution.h for the lengths of results. In kernel_size, pool_size, strides and
 * the like a number that is left out (0) is the first one, so {3} means 3 everywhere.
 */
#ifndef LOCKSTEP_LAYERS_SPATIAL_H
#define LOCKSTEP_LAYERS_SPATIAL_H

#include <lockstep/layers.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Convolution ---- */

typedef struct ls_conv_layer_options {
    ls_context *context;
    int64_t filters;
    int64_t kernel_size[LS_SPATIAL_MAX];
    int64_t strides[LS_SPATIAL_MAX], dilation_rate[LS_SPATIAL_MAX]; /* 0: 1 */
    ls_padding padding;                /* LS_VALID, LS_SAME; LS_CAUSAL for sequences */
    int64_t groups;                    /* 0: 1 */
    const int64_t *output_padding;     /* of ls_conv2d_transpose; see ls_conv_transpose */
    ls_activation activation;          /* 0: LS_LINEAR */
    bool no_bias;                      /* Keras' use_bias = False */
    ls_initializer kernel_initializer; /* default ls_glorot_uniform */
    ls_initializer bias_initializer;   /* default zeros */
    ls_regularizer kernel_regularizer, bias_regularizer, activity_regularizer;
    const char *name;
} ls_conv_layer_options;

/** ls_conv with kernel (size…, channels / groups, filters) and bias (filters). keras.layers.Conv1D, Conv2D. */
LS_API ls_layer *ls_conv1d_with(const ls_conv_layer_options *options);
LS_API ls_layer *ls_conv2d_with(const ls_conv_layer_options *options);
/** ls_conv2d(ls, 32, {3}, .padding = LS_SAME, .activation = LS_RELU). */
#define ls_conv1d(...) ls_conv1d_with(&(ls_conv_layer_options){.context = __VA_ARGS__})
#define ls_conv2d(...) ls_conv2d_with(&(ls_conv_layer_options){.context = __VA_ARGS__})

/** ls_conv_transpose with kernel (height, width, filters, channels), bias (filters). keras.layers.Conv2DTranspose. */
LS_API ls_layer *ls_conv2d_transpose_with(const ls_conv_layer_options *options);
/** ls_conv2d_transpose(ls, 16, {3}, .strides = {2}). */
#define ls_conv2d_transpose(...) ls_conv2d_transpose_with(&(ls_conv_layer_options){.context = __VA_ARGS__})

/**
 * ls_depthwise_conv with kernel (height, width, channels, multiplier) and bias (channels * multiplier); `filters`
 * is the depth multiplier. keras.layers.DepthwiseConv2D.
 */
LS_API ls_layer *ls_depthwise_conv2d_with(const ls_conv_layer_options *options);
/** ls_depthwise_conv2d(ls, 1, {3}): the multiplier, then the size. */
#define ls_depthwise_conv2d(...) ls_depthwise_conv2d_with(&(ls_conv_layer_options){.context = __VA_ARGS__})

/* ---- Pooling ---- */

typedef struct ls_pooling_layer_options {
    ls_context *context;
    int64_t pool_size[LS_SPATIAL_MAX]; /* 0: 2 */
    int64_t strides[LS_SPATIAL_MAX];   /* 0: pool_size */
    ls_padding padding;                /* LS_VALID or LS_SAME */
    const char *name;
} ls_pooling_layer_options;

/** ls_max_pool and ls_average_pool. keras.layers.MaxPooling1D, MaxPooling2D, AveragePooling1D, AveragePooling2D. */
LS_API ls_layer *ls_max_pooling1d_with(const ls_pooling_layer_options *options);
LS_API ls_layer *ls_max_pooling2d_with(const ls_pooling_layer_options *options);
LS_API ls_layer *ls_average_pooling1d_with(const ls_pooling_layer_options *options);
LS_API ls_layer *ls_average_pooling2d_with(const ls_pooling_layer_options *options);
/** ls_max_pooling2d(ls) or ls_max_pooling2d(ls, {3}, .strides = {2}). */
#define ls_max_pooling1d(...) ls_max_pooling1d_with(&(ls_pooling_layer_options){.context = __VA_ARGS__})
#define ls_max_pooling2d(...) ls_max_pooling2d_with(&(ls_pooling_layer_options){.context = __VA_ARGS__})
#define ls_average_pooling1d(...) ls_average_pooling1d_with(&(ls_pooling_layer_options){.context = __VA_ARGS__})
#define ls_average_pooling2d(...) ls_average_pooling2d_with(&(ls_pooling_layer_options){.context = __VA_ARGS__})

typedef struct ls_global_pooling_options {
    ls_context *context;
    bool keepdims;
    const char *name;
} ls_global_pooling_options;

/** ls_global_max_pool and ls_global_average_pool: (batch, …, channels) -> (batch, channels). Keras' layers of the name. */
LS_API ls_layer *ls_global_max_pooling1d_with(const ls_global_pooling_options *options);
LS_API ls_layer *ls_global_max_pooling2d_with(const ls_global_pooling_options *options);
LS_API ls_layer *ls_global_average_pooling1d_with(const ls_global_pooling_options *options);
LS_API ls_layer *ls_global_average_pooling2d_with(const ls_global_pooling_options *options);
/** ls_global_average_pooling2d(ls). */
#define ls_global_max_pooling1d(...) ls_global_max_pooling1d_with(&(ls_global_pooling_options){.context = __VA_ARGS__})
#define ls_global_max_pooling2d(...) ls_global_max_pooling2d_with(&(ls_global_pooling_options){.context = __VA_ARGS__})
#define ls_global_average_pooling1d(...)                                                           \
    ls_global_average_pooling1d_with(&(ls_global_pooling_options){.context = __VA_ARGS__})
#define ls_global_average_pooling2d(...)                                                           \
    ls_global_average_pooling2d_with(&(ls_global_pooling_options){.context = __VA_ARGS__})

/* ---- Size ---- */

typedef struct ls_zero_padding2d_options {
    ls_context *context;
    int64_t top, bottom, left, right; /* rows and columns of zeros */
    const char *name;
} ls_zero_padding2d_options;

/** Images with zeros around them. keras.layers.ZeroPadding2D(((top, bottom), (left, right))). */
LS_API ls_layer *ls_zero_padding2d_with(const ls_zero_padding2d_options *options);
/** ls_zero_padding2d(ls, 1, 1, 1, 1). */
#define ls_zero_padding2d(...) ls_zero_padding2d_with(&(ls_zero_padding2d_options){.context = __VA_ARGS__})

typedef struct ls_up_sampling2d_options {
    ls_context *context;
    int64_t size[2]; /* factors; 0: 2 for the first, the first for the second */
    bool bilinear;   /* else nearest: rows and columns repeated */
    const char *name;
} ls_up_sampling2d_options;

/** Images with every row and column repeated, or ls_resize_bilinear. keras.layers.UpSampling2D. */
LS_API ls_layer *ls_up_sampling2d_with(const ls_up_sampling2d_options *options);
/** ls_up_sampling2d(ls) or ls_up_sampling2d(ls, {2, 3}). */
#define ls_up_sampling2d(...) ls_up_sampling2d_with(&(ls_up_sampling2d_options){.context = __VA_ARGS__})

#ifdef __cplusplus
}
#endif
#endif
