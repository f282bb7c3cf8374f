/* SPDX-License-Identifier: Apache-2.0
 *
 * Convolution and pooling over one, two or three dimensions, as Keras has them. See ops.h for what all
 * ops share.
 *
 * Images have their channels last: (batch, length, channels), (batch, height, width, channels) or (batch,
 * depth, height, width, channels); the rank of the input says which. Everything is float32. `strides`,
 * `dilations` and `pool_size` have a number per spatial dimension; one that is left out (0) is that
 * of the first dimension, so {2} means 2 everywhere.
 *
 * A window of k cells, d apart, spans s = d * (k - 1) + 1 cells. The result's length is
 *     LS_VALID     (in - s) / stride + 1, rounded down; the window must fit
 *     LS_SAME      in / stride, rounded up; what is missing is added on both sides, the odd cell at the end
 *     LS_CAUSAL    the same with all of it, s - 1 cells, at the beginning; one dimension only
 *     LS_EXPLICIT  as valid, after `pads` cells (before, after) per dimension were added
 * So of a dimension of size 0, same and causal make 0, and valid is LS_SHAPE_MISMATCH, as in TensorFlow.
 */
#ifndef LOCKSTEP_CONVOLUTION_H
#define LOCKSTEP_CONVOLUTION_H

#include <lockstep/linalg.h>

#ifdef __cplusplus
extern "C" {
#endif

/** No padding; as much as gives ceil(in / stride) cells; all of it before, of sequences only; as `pads` says. */
typedef enum ls_padding { LS_VALID, LS_SAME, LS_CAUSAL, LS_EXPLICIT, LS_PADDING_COUNT } ls_padding;

enum { LS_SPATIAL_MAX = 3 };

/* ---- Convolution ---- */

/** The inputs of ls_conv and its options; zero options are a plain valid convolution. */
typedef struct ls_conv_options {
    ls_tensor input, kernel;
    ls_tensor bias; /* (filters), added to every cell; nil: none */
    int64_t strides[LS_SPATIAL_MAX], dilations[LS_SPATIAL_MAX]; /* 0: 1 */
    ls_padding padding;
    int64_t pads[LS_SPATIAL_MAX][2]; /* for LS_EXPLICIT; LS_INVALID_ARGUMENT with another padding */
    int64_t groups;                  /* 0: 1 */
    ls_activation activation;        /* applied last */
} ls_conv_options;

/**
 * activation(sum over (j, c) of input[n, o * stride - before + j * dilation, c] kernel[j, c, f] + bias[f]):
 * input (batch, …, channels), kernel (size…, channels / groups, filters), bias (filters) -> (batch, …,
 * filters). Channels and filters are cut into `groups` runs, and each run of filters reads its run of
 * channels. This is what networks call convolution: the kernel is not flipped.
 *
 * Each output is one fma chain over (j, c) in ascending order, in which padding takes part as 0, and so
 * are both gradients (canon.md rule 7): to the input over (j, f), to the kernel over (n, o). No pass
 * makes the matrix of patches; the reference allocates 768 KiB per thread for all of them together.
 * LS_SHAPE_MISMATCH where ranks or channels disagree or a window does not fit; LS_INVALID_ARGUMENT for
 * negative options, groups that do not divide, causal padding of images. Keras: keras.ops.conv.
 */
LS_API ls_tensor ls_conv_with(const ls_conv_options *options);
/** ls_conv(x, kernel) or ls_conv(x, kernel, .strides = {2}, .padding = LS_SAME). */
#define ls_conv(...) ls_conv_with(&(ls_conv_options){.input = __VA_ARGS__})

/**
 * Every channel by kernels of its own: input (batch, …, channels), kernel (size…, channels, multiplier),
 * bias (channels * multiplier) -> (batch, …, channels * multiplier), where result channel c * multiplier + m
 * comes from channel c. `groups` is not used. Otherwise as ls_conv. Keras: keras.ops.depthwise_conv.
 */
LS_API ls_tensor ls_depthwise_conv_with(const ls_conv_options *options);
#define ls_depthwise_conv(...) ls_depthwise_conv_with(&(ls_conv_options){.input = __VA_ARGS__})

/** The inputs of ls_conv_transpose and its options. */
typedef struct ls_conv_transpose_options {
    ls_tensor input, kernel;
    ls_tensor bias; /* (filters) */
    int64_t strides[LS_SPATIAL_MAX], dilations[LS_SPATIAL_MAX]; /* 0: 1 */
    ls_padding padding;                                         /* LS_VALID or LS_SAME */
    const int64_t *output_padding; /* per spatial dimension, below the stride; NULL: see below */
    ls_activation activation;
} ls_conv_transpose_options;

/**
 * The gradient of a convolution to its input, used as an op of its own: input (batch, …, channels), kernel
 * (size…, filters, channels), bias (filters) -> (batch, …, filters). With s the span of the kernel, the
 * result's length is
 *     LS_VALID  (in - 1) * stride + s + output_padding; without one, max(stride - s, 0) is taken
 *     LS_SAME   in * stride; with one, (in - 1) * stride + s % 2 + output_padding
 * (0 where in is 0) and the padding is that of a convolution from that length to in. Each output is one fma chain over
 * (kernel position, channel) in ascending order. Errors as ls_conv. Keras: keras.ops.conv_transpose.
 */
LS_API ls_tensor ls_conv_transpose_with(const ls_conv_transpose_options *options);
#define ls_conv_transpose(...) ls_conv_transpose_with(&(ls_conv_transpose_options){.input = __VA_ARGS__})

/* ---- Pooling ---- */

/** The input of a pooling and its options. */
typedef struct ls_pool_options {
    ls_tensor input;
    int64_t pool_size[LS_SPATIAL_MAX]; /* needed */
    int64_t strides[LS_SPATIAL_MAX];   /* 0: pool_size */
    ls_padding padding;                /* LS_VALID or LS_SAME */
} ls_pool_options;

/**
 * The largest element of every window, channel by channel: (batch, …, channels) -> the same. Padding never
 * wins. The gradient goes to the first largest element in the order of the window; where windows overlap
 * contributions are added in the order of the results. Keras: keras.ops.max_pool.
 */
LS_API ls_tensor ls_max_pool_with(const ls_pool_options *options);
/** ls_max_pool(x, .pool_size = {2}) */
#define ls_max_pool(...) ls_max_pool_with(&(ls_pool_options){.input = __VA_ARGS__})

/**
 * The mean of every window: plain adds in the order of the window, then one division by how many elements
 * there are; padding does not count. Keras: keras.ops.average_pool.
 */
LS_API ls_tensor ls_average_pool_with(const ls_pool_options *options);
#define ls_average_pool(...) ls_average_pool_with(&(ls_pool_options){.input = __VA_ARGS__})

/**
 * Pooling to a given size: (batch, …, channels) -> (batch, output_size…, channels). Cell o of n along a
 * dimension of length in covers [o * in / n rounded down, (o + 1) * in / n rounded up); these windows differ in
 * length and may overlap. `output_size` has a number, at least 1, per spatial dimension. The maximum's
 * gradient goes to the first largest element; the mean is taken dimension by dimension, the first one first:
 * the sum along it in the canonical order, divided by the window's length. LS_SHAPE_MISMATCH where a dimension
 * is empty. Keras: keras.ops.adaptive_max_pool, adaptive_average_pool.
 */
LS_API ls_tensor ls_adaptive_max_pool(ls_tensor input, const int64_t *output_size);
LS_API ls_tensor ls_adaptive_average_pool(ls_tensor input, const int64_t *output_size);

/**
 * The largest element, or the mean, of each channel: (batch, …, channels) -> (batch, channels), or with sizes
 * of 1 between if `keepdims`. These are ls_max and ls_mean over the spatial dimensions, so the maximum's
 * gradient is split evenly among ties. Keras: GlobalMaxPooling, GlobalAveragePooling.
 */
LS_API ls_tensor ls_global_max_pool(ls_tensor input, bool keepdims);
LS_API ls_tensor ls_global_average_pool(ls_tensor input, bool keepdims);

#ifdef __cplusplus
}
#endif
#endif
