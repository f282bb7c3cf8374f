/* SPDX-License-Identifier: Apache-2.0
 *
 * Dense: one matrix product with bias and activation in its epilogue.
 */
#include "layer.h"

struct dense {
    ls_dense_options options;
    int64_t features; /* in */
    ls_tensor kernel; /* (in, units) */
    ls_tensor bias;   /* (units), or nil */
};

static void build(ls_layer *layer, void *state, ls_shape input)
{
    struct dense *d = state;
    const ls_dense_options *o = &d->options;
    if (input.rank < 2) {
        ls_fail(o->context, LS_SHAPE_MISMATCH, "%s: input %s: needs (batch, …, features); see ls_flatten",
                ls_layer_name(layer), ls_text(input).text);
        return;
    }
    d->features = input.dim[input.rank - 1];
    d->kernel = ls_add_weight(layer, "kernel", LS_SHAPE(d->features, o->units), o->kernel_initializer, true);
    ls_add_regularizer(layer, d->kernel, o->kernel_regularizer);
    if (!o->no_bias) {
        d->bias = ls_add_weight(layer, "bias", LS_SHAPE(o->units), o->bias_initializer, true);
        ls_add_regularizer(layer, d->bias, o->bias_regularizer);
    }
}

static ls_tensor call(ls_layer *layer, void *state, ls_tensor x, bool training)
{
    (void)training;
    struct dense *d = state;
    ls_context *ls = d->options.context;
    ls_shape shape = ls_shape_of_tensor(x);
    if (shape.rank < 2 || shape.dim[shape.rank - 1] != d->features) {
        ls_fail(ls, LS_SHAPE_MISMATCH, "%s: input %s, but its kernel is for (batch, …, %lld)", ls_layer_name(layer),
                ls_text(shape).text, (long long)d->features);
        return (ls_tensor){0};
    }
    if (!ls_layer_wants_float(layer, x))
        return (ls_tensor){0};
    ls_matmul_options options = {.a = x, .b = d->kernel, .bias = d->bias, .activation = ls_fused_activation(d->options.activation)};
    ls_activation later = ls_later_activation(d->options.activation);
    if (shape.rank == 2)
        return ls_activate(ls_matmul_with(&options), later);
    int64_t rows = 1;
    for (int i = 0; i < shape.rank - 1; i++)
        rows *= shape.dim[i];
    options.a = ls_reshape(x, LS_SHAPE(rows, d->features));
    ls_tensor y = ls_matmul_with(&options);
    shape.dim[shape.rank - 1] = d->options.units;
    return ls_activate(ls_reshape(y, shape), later);
}

static const ls_layer_kind dense = {
    .name = "dense", .title = "Dense", .state_size = sizeof(struct dense), .build = build, .call = call};

ls_layer *ls_dense_with(const ls_dense_options *options)
{
    if (!options)
        return ls_no_options("dense");
    struct dense state = {.options = *options};
    if (!options->context || ls_failed(options->context))
        return NULL;
    if (options->units < 1) {
        ls_fail(options->context, LS_INVALID_ARGUMENT, "dense: units is %lld; a dense layer needs at least one",
                (long long)options->units);
        return NULL;
    }
    if (!ls_activation_known(options->context, "dense", options->activation))
        return NULL;
    if (!state.options.kernel_initializer.make)
        state.options.kernel_initializer = ls_glorot_uniform();
    if (!state.options.bias_initializer.make)
        state.options.bias_initializer = ls_constant_initializer(0);
    state.options.name = NULL; /* the layer has its own copy */
    ls_layer *layer = ls_layer_create(options->context, &dense, &state, options->name);
    ls_set_activity_regularizer(layer, options->activity_regularizer);
    return layer;
}
