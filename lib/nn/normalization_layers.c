/* SPDX-License-Identifier: Apache-2.0
 *
 * BatchNormalization, LayerNormalization and Normalization.
 */
#include <lockstep/optimizers.h>

#include "layer.h"
#include "optimizer.h"

static ls_initializer initializer_or(ls_initializer given, float value)
{
    return given.make ? given : ls_constant_initializer(value);
}

/* The axis as 0..rank-1, 0 given meaning the last; -1 with the error raised. The batch is no axis. */
static int feature_axis(ls_layer *layer, ls_shape input, int given)
{
    int axis = ls_shape_axis(given ? given : -1, input.rank);
    if (axis < 1)
        ls_fail(ls_layer_context(layer), LS_SHAPE_MISMATCH, "%s: input %s has no axis %d behind the batch",
                ls_layer_name(layer), ls_text(input).text, given ? given : -1);
    return axis < 1 ? -1 : axis;
}

/* All sizes 1 but that of `axis`. */
static ls_shape only_axis(ls_shape shape, int axis)
{
    for (int d = 0; d < shape.rank; d++)
        if (d != axis)
            shape.dim[d] = 1;
    return shape;
}

static int all_but(ls_shape shape, int axis, int *axes)
{
    int count = 0;
    for (int d = 0; d < shape.rank; d++)
        if (d != axis)
            axes[count++] = d;
    return count;
}

/* Whether an input fits the weights, of `features` along `axis`. */
static bool fits(ls_layer *layer, ls_shape shape, int axis, ls_tensor weights)
{
    int64_t features = ls_size(weights);
    if (axis < shape.rank && shape.dim[axis] == features)
        return true;
    ls_fail(ls_layer_context(layer), LS_SHAPE_MISMATCH, "%s: input %s, but it was built for %lld features in axis %d",
            ls_layer_name(layer), ls_text(shape).text, (long long)features, axis);
    return false;
}

/* ---- Batch normalisation ---- */

struct batch_normalization {
    ls_batch_normalization_options options;
    int axis;
    ls_tensor gamma, beta, moving_mean, moving_variance;
};

static void build_batch(ls_layer *layer, void *state, ls_shape input)
{
    struct batch_normalization *b = state;
    const ls_batch_normalization_options *o = &b->options;
    b->axis = feature_axis(layer, input, o->axis);
    if (b->axis < 0)
        return;
    ls_shape shape = LS_SHAPE(input.dim[b->axis]);
    if (!o->no_scale) {
        b->gamma = ls_add_weight(layer, "gamma", shape, o->gamma_initializer, true);
        ls_add_regularizer(layer, b->gamma, o->gamma_regularizer);
    }
    if (!o->no_center) {
        b->beta = ls_add_weight(layer, "beta", shape, o->beta_initializer, true);
        ls_add_regularizer(layer, b->beta, o->beta_regularizer);
    }
    b->moving_mean = ls_add_weight(layer, "moving_mean", shape, o->moving_mean_initializer, false);
    b->moving_variance = ls_add_weight(layer, "moving_variance", shape, o->moving_variance_initializer, false);
}

/* moving = moving * momentum + batch * (1 - momentum). No gradient: a variable's value ends the tape. */
static void move(ls_tensor moving, ls_tensor batch, float momentum)
{
    ls_context *ls = moving.context;
    ls_tensor part = ls_mul(ls_reshape(batch, ls_shape_of_tensor(moving)), ls_scalar(ls, (float)(1.0 - (double)momentum)));
    ls_assign(moving, ls_fma(moving, ls_scalar(ls, momentum), part));
}

static ls_tensor call_batch(ls_layer *layer, void *state, ls_tensor x, bool training)
{
    struct batch_normalization *b = state;
    const ls_batch_normalization_options *o = &b->options;
    ls_shape shape = ls_shape_of_tensor(x);
    if (!ls_layer_wants_float(layer, x) || !fits(layer, shape, b->axis, b->moving_mean))
        return (ls_tensor){0};
    ls_shape features = only_axis(shape, b->axis);
    ls_tensor mean, variance;
    if (training && ls_is_trainable(layer)) {
        int axes[LS_MAX_RANK], count = all_but(shape, b->axis, axes);
        ls_moments(x, axes, count, true, &mean, &variance);
        move(b->moving_mean, mean, o->momentum);
        move(b->moving_variance, variance, o->momentum);
    } else {
        mean = ls_reshape(b->moving_mean, features);
        variance = ls_reshape(b->moving_variance, features);
    }
    ls_tensor beta = o->no_center ? b->beta : ls_reshape(b->beta, features);
    ls_tensor gamma = o->no_scale ? b->gamma : ls_reshape(b->gamma, features);
    return ls_batch_normalization(x, mean, variance, beta, gamma, o->epsilon);
}

static const ls_layer_kind batch_normalization = {.name = "batch_normalization",
                                                  .title = "BatchNormalization",
                                                  .state_size = sizeof(struct batch_normalization),
                                                  .build = build_batch,
                                                  .call = call_batch};

ls_layer *ls_batch_normalization_layer_with(const ls_batch_normalization_options *options)
{
    if (!options)
        return ls_no_options("batch_normalization_layer");
    struct batch_normalization state = {.options = *options};
    ls_batch_normalization_options *o = &state.options;
    if (!o->context || ls_failed(o->context))
        return NULL;
    o->momentum = ls_option(o->momentum, 0.99f);
    o->epsilon = ls_option(o->epsilon, 1e-3f);
    if (!ls_option_within(o->context, "batch_normalization", "momentum", o->momentum, 0, 1, false))
        return NULL;
    o->beta_initializer = initializer_or(o->beta_initializer, 0);
    o->gamma_initializer = initializer_or(o->gamma_initializer, 1);
    o->moving_mean_initializer = initializer_or(o->moving_mean_initializer, 0);
    o->moving_variance_initializer = initializer_or(o->moving_variance_initializer, 1);
    o->name = NULL; /* the layer has its own copy */
    return ls_layer_create(o->context, &batch_normalization, &state, options->name);
}

/* ---- Layer normalisation ---- */

struct layer_normalization {
    ls_layer_normalization_options options;
    int from_last; /* how many dimensions are normalised */
    ls_tensor gamma, beta;
};

static void build_layer(ls_layer *layer, void *state, ls_shape input)
{
    struct layer_normalization *l = state;
    const ls_layer_normalization_options *o = &l->options;
    int axis = feature_axis(layer, input, o->axis);
    if (axis < 0)
        return;
    l->from_last = input.rank - axis;
    ls_shape shape = ls_shape_of(l->from_last, input.dim + axis);
    if (!o->no_scale) {
        l->gamma = ls_add_weight(layer, "gamma", shape, o->gamma_initializer, true);
        ls_add_regularizer(layer, l->gamma, o->gamma_regularizer);
    }
    if (!o->no_center) {
        l->beta = ls_add_weight(layer, "beta", shape, o->beta_initializer, true);
        ls_add_regularizer(layer, l->beta, o->beta_regularizer);
    }
}

static ls_tensor call_layer(ls_layer *layer, void *state, ls_tensor x, bool training)
{
    (void)layer;
    (void)training;
    const struct layer_normalization *l = state;
    return ls_layer_normalization(x, -l->from_last, l->gamma, l->beta, l->options.epsilon);
}

static const ls_layer_kind layer_normalization = {.name = "layer_normalization",
                                                  .title = "LayerNormalization",
                                                  .state_size = sizeof(struct layer_normalization),
                                                  .build = build_layer,
                                                  .call = call_layer};

ls_layer *ls_layer_normalization_layer_with(const ls_layer_normalization_options *options)
{
    if (!options)
        return ls_no_options("layer_normalization_layer");
    struct layer_normalization state = {.options = *options};
    ls_layer_normalization_options *o = &state.options;
    o->epsilon = ls_option(o->epsilon, 1e-3f);
    o->beta_initializer = initializer_or(o->beta_initializer, 0);
    o->gamma_initializer = initializer_or(o->gamma_initializer, 1);
    o->name = NULL;
    return ls_layer_create(o->context, &layer_normalization, &state, options->name);
}

/* ---- Normalization by fixed numbers ---- */

struct normalization {
    int given, axis;
    ls_tensor mean, variance;
};

static void build_fixed(ls_layer *layer, void *state, ls_shape input)
{
    struct normalization *n = state;
    n->axis = feature_axis(layer, input, n->given);
    if (n->axis < 0)
        return;
    ls_shape shape = LS_SHAPE(input.dim[n->axis]);
    n->mean = ls_add_weight(layer, "mean", shape, ls_zeros_initializer(), false);
    n->variance = ls_add_weight(layer, "variance", shape, ls_ones_initializer(), false);
}

static ls_tensor call_fixed(ls_layer *layer, void *state, ls_tensor x, bool training)
{
    const struct normalization *n = state;
    ls_shape shape = ls_shape_of_tensor(x);
    (void)training;
    if (ls_dtype_of(x) != LS_FLOAT32)
        x = ls_cast(x, LS_FLOAT32);
    if (!fits(layer, shape, n->axis, n->mean))
        return (ls_tensor){0};
    ls_shape features = only_axis(shape, n->axis);
    ls_tensor deviation = ls_maximum(ls_sqrt(ls_reshape(n->variance, features)), ls_scalar(x.context, 1e-7f));
    return ls_div(ls_sub(x, ls_reshape(n->mean, features)), deviation);
}

static const ls_layer_kind normalization = {.name = "normalization",
                                            .title = "Normalization",
                                            .state_size = sizeof(struct normalization),
                                            .build = build_fixed,
                                            .call = call_fixed};

ls_layer *ls_normalization_with(const ls_normalization_options *options)
{
    if (!options)
        return ls_no_options("normalization");
    struct normalization state = {.given = options->axis};
    return ls_layer_create(options->context, &normalization, &state, options->name);
}

ls_status ls_adapt(ls_layer *layer, ls_tensor data)
{
    ls_context *ls = ls_layer_context(layer);
    if (!ls || ls_failed(ls))
        return ls ? ls_error(ls) : LS_INVALID_ARGUMENT;
    if (layer->kind != &normalization)
        return ls_fail(ls, LS_INVALID_ARGUMENT, "adapt: %s is not a normalization", ls_layer_name(layer));
    const struct normalization *n = layer->state;
    ls_scope_begin(ls);
    ls_shape shape = ls_shape_of_tensor(data);
    if (ls_build(layer, shape) == LS_OK && fits(layer, shape, n->axis, n->mean)) {
        int axes[LS_MAX_RANK], count = all_but(shape, n->axis, axes);
        ls_tensor mean, variance;
        ls_moments(ls_dtype_of(data) == LS_FLOAT32 ? data : ls_cast(data, LS_FLOAT32), axes, count, false, &mean,
                   &variance);
        ls_assign(n->mean, mean);
        ls_assign(n->variance, variance);
    }
    return ls_scope_end(ls);
}
