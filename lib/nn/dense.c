/* SPDX-License-Identifier: Apache-2.0
 *
 * Dense: one matrix product with bias and activation in its epilogue.
 */
#include <lockstep/layers.h>

#include "../core/internal.h"

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
    if (!o->no_bias)
        d->bias = ls_add_weight(layer, "bias", LS_SHAPE(o->units), o->bias_initializer, true);
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
    if (ls_dtype_of(x) != LS_FLOAT32) {
        ls_fail(ls, LS_DTYPE_MISMATCH, "%s: input is %s, not float32; ls_rescaling before it, or ls_cast, converts",
                ls_layer_name(layer), ls_dtype_name(ls_dtype_of(x)));
        return (ls_tensor){0};
    }
    ls_matmul_options options = {.a = x, .b = d->kernel, .bias = d->bias, .activation = d->options.activation};
    if (shape.rank == 2)
        return ls_matmul_with(&options);
    int64_t rows = 1;
    for (int i = 0; i < shape.rank - 1; i++)
        rows *= shape.dim[i];
    options.a = ls_reshape(x, LS_SHAPE(rows, d->features));
    ls_tensor y = ls_matmul_with(&options);
    shape.dim[shape.rank - 1] = d->options.units;
    return ls_reshape(y, shape);
}

static const ls_layer_kind dense = {"dense", sizeof(struct dense), build, call, NULL};

ls_layer *ls_dense_with(const ls_dense_options *options)
{
    struct dense state = {.options = *options};
    if (!options->context || ls_failed(options->context))
        return NULL;
    if (options->units < 1) {
        ls_fail(options->context, LS_INVALID_ARGUMENT, "dense: units is %lld; a dense layer needs at least one",
                (long long)options->units);
        return NULL;
    }
    if ((unsigned)options->activation >= LS_ACTIVATION_COUNT) {
        ls_fail(options->context, LS_INVALID_ARGUMENT, "dense: there is no activation %d", (int)options->activation);
        return NULL;
    }
    if (!state.options.kernel_initializer.make)
        state.options.kernel_initializer = ls_glorot_uniform();
    if (!state.options.bias_initializer.make)
        state.options.bias_initializer = ls_constant_initializer(0);
    state.options.name = NULL; /* the layer has its own copy */
    return ls_layer_create(options->context, &dense, &state, options->name);
}
