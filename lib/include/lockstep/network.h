/* SPDX-License-Identifier: Apache-2.0
 *
 * Ops of neural networks. See ops.h for what all ops share.
 */
#ifndef LOCKSTEP_NETWORK_H
#define LOCKSTEP_NETWORK_H

#include <lockstep/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Networks, float32 ---- */

/** e^(a - max) / sum e^(a - max) along `axis`. */
LS_API ls_tensor ls_softmax(ls_tensor a, int axis);
/** (a - max) - log(sum e^(a - max)) along `axis`. */
LS_API ls_tensor ls_log_softmax(ls_tensor a, int axis);
/** -log softmax(logits)[label]: labels int32 (…), logits (…, classes) -> (…). Keras' from_logits. */
LS_API ls_tensor ls_sparse_softmax_cross_entropy(ls_tensor labels, ls_tensor logits);
/** -sum labels * log_softmax(logits) over the last axis; both (…, classes) -> (…). */
LS_API ls_tensor ls_softmax_cross_entropy(ls_tensor labels, ls_tensor logits);
/**
 * max(x, 0) - x z + log(1 + e^-|x|) per element, x the logits, z the labels in [0, 1]: binary
 * cross-entropy (tf.nn.sigmoid_cross_entropy_with_logits). One shape.
 */
LS_API ls_tensor ls_sigmoid_cross_entropy(ls_tensor labels, ls_tensor logits);
/**
 * -log of the probability of each label sequence, summed over its alignments in time (Graves and others,
 * 2006; tf.nn.ctc_loss): labels int32 (batch, length), logits (batch, time, classes), of which the first
 * label_length and logit_length, int32 (batch), count; `blank` is the class of no label -> (batch). Inf, with
 * gradient 0, where the time is too short. Composed of some 15 ops per step of time, which tapes record. A
 * label out of range or a label_length above `length` is LS_OUT_OF_RANGE at the next wait, also in the padding; a
 * logit_length below 1 counts as 1, above `time` as `time`. Errors: LS_SHAPE_MISMATCH, LS_INVALID_ARGUMENT (blank).
 */
LS_API ls_tensor ls_ctc_loss(ls_tensor labels, ls_tensor logits, ls_tensor label_length, ls_tensor logit_length,
                             int32_t blank);

/**
 * (a - mean) rsqrt(variance + epsilon) scale + offset, the last step one fma (tf.nn.batch_normalization).
 * All broadcast to a's shape; `offset` and `scale` may be nil. ls_moments makes mean and variance.
 */
LS_API ls_tensor ls_batch_normalization(ls_tensor a, ls_tensor mean, ls_tensor variance, ls_tensor offset,
                                        ls_tensor scale, float epsilon);
/**
 * The same with mean and variance of the axes from `axis` to the last, for each index of the others
 * (keras.layers.LayerNormalization). scale and offset broadcast to a's shape, or nil.
 */
LS_API ls_tensor ls_layer_normalization(ls_tensor a, int axis, ls_tensor scale, ls_tensor offset, float epsilon);
/**
 * a (batch, …, channels): mean and variance per sample over everything and the channels of a group
 * (keras.layers.GroupNormalization). scale and offset (channels), or nil.
 */
LS_API ls_tensor ls_group_normalization(ls_tensor a, int64_t groups, ls_tensor scale, ls_tensor offset, float epsilon);
/** a rsqrt(mean a^2 + epsilon) scale, the mean over the axes from `axis` to the last; scale may be nil. */
LS_API ls_tensor ls_rms_normalization(ls_tensor a, int axis, ls_tensor scale, float epsilon);
/**
 * 0 with probability `rate`, else a / (1 - rate) by one product, so that the mean stays: an element is
 * kept where ls_random_uniform, drawn with the context's seed and counter, is not below `rate`. The
 * gradient has the same mask. Errors: LS_INVALID_ARGUMENT unless 0 <= rate < 1.
 */
LS_API ls_tensor ls_dropout(ls_tensor a, float rate);

/** Rows of table (ids, features) by int32 ids (…) -> (…, features). An id out of range as in ls_gather. */
LS_API ls_tensor ls_embedding_lookup(ls_tensor table, ls_tensor ids);
/**
 * The rows of data (n, …) with the same number in segments (n) int32, added in ascending position:
 * (count, …). Segments need not be sorted; an empty one is 0 (tf.math.unsorted_segment_sum).
 */
LS_API ls_tensor ls_segment_sum(ls_tensor data, ls_tensor segments, int64_t count);

typedef struct ls_attention_options {
    ls_tensor query, key, value; /* (…, queries, d), (…, keys, d), (…, keys, e) */
    ls_tensor mask;              /* bool, broadcast to (…, queries, keys): true may be seen; nil: all */
    bool causal;                 /* query i sees keys 0 to i only */
    float scale;                 /* of query * key; 0 means 1 / sqrt(d) */
} ls_attention_options;

/**
 * softmax(scale query key^T) value -> (…, queries, e), masked scores counting as -infinity. A query
 * that may see no key gives zeros and gets no gradient.
 */
LS_API ls_tensor ls_attention_with(const ls_attention_options *options);
/** ls_attention(q, .key = k, .value = v, .causal = true). */
#define ls_attention(...) ls_attention_with(&(ls_attention_options){.query = __VA_ARGS__})

/**
 * Images (batch, height, width, channels) to another size, with the centres of pixels aligned as in
 * tf.image.resize. Nearest takes any type; the gradient adds what one pixel became.
 */
LS_API ls_tensor ls_resize_nearest(ls_tensor a, int64_t height, int64_t width);
/** Between the two neighbours in each direction: below + weight (above - below) by one fma; float32. */
LS_API ls_tensor ls_resize_bilinear(ls_tensor a, int64_t height, int64_t width);

#ifdef __cplusplus
}
#endif
#endif
