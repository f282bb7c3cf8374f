/* SPDX-License-Identifier: Apache-2.0
 *
 * Conv1D, Conv2D, DepthwiseConv2D, Conv2DTranspose: one state and one build; they differ in the op and in
 * the order of the kernel's last dimensions.
 */
#include <string.h>

#include <lockstep/layers_spatial.h>

#include "layer.h"

enum form { PLAIN, DEPTHWISE, TRANSPOSED };

struct conv {
    ls_conv_layer_options options;
    enum form form;
    int rank; /* of the input: 3 or 4 */
    int64_t channels;
    ls_tensor kernel, bias;
};

static const char *const input_form[] = {[3] = "(batch, length, channels)", [4] = "(batch, height, width, channels)"};

static ls_shape kernel_shape(const struct conv *c)
{
    const ls_conv_layer_options *o = &c->options;
    int spatial = c->rank - 2;
    ls_shape shape = {.rank = c->rank};
    for (int d = 0; d < spatial; d++)
        shape.dim[d] = o->kernel_size[d] ? o->kernel_size[d] : o->kernel_size[0];
    shape.dim[spatial] = c->form == TRANSPOSED ? o->filters : c->form == PLAIN ? c->channels / o->groups : c->channels;
    shape.dim[spatial + 1] = c->form == TRANSPOSED ? c->channels : o->filters;
    return shape;
}

static void build(ls_layer *layer, void *state, ls_shape input)
{
    struct conv *c = state;
    const ls_conv_layer_options *o = &c->options;
    if (!ls_layer_wants_rank(layer, input, c->rank, input_form[c->rank]))
        return;
    c->channels = input.dim[c->rank - 1];
    if (c->channels % o->groups != 0) {
        ls_fail(o->context, LS_SHAPE_MISMATCH, "%s: %lld groups do not divide the %lld channels of %s",
                ls_layer_name(layer), (long long)o->groups, (long long)c->channels, ls_text(input).text);
        return;
    }
    c->kernel = ls_add_weight(layer, "kernel", kernel_shape(c), o->kernel_initializer, true);
    ls_add_regularizer(layer, c->kernel, o->kernel_regularizer);
    if (!o->no_bias) {
        int64_t results = c->form == DEPTHWISE ? c->channels * o->filters : o->filters;
        c->bias = ls_add_weight(layer, "bias", LS_SHAPE(results), o->bias_initializer, true);
        ls_add_regularizer(layer, c->bias, o->bias_regularizer);
    }
}

static ls_tensor convolve(const struct conv *c, ls_tensor x)
{
    const ls_conv_layer_options *o = &c->options;
    ls_conv_options conv = {.input = x,
                            .kernel = c->kernel,
                            .bias = c->bias,
                            .padding = o->padding,
                            .groups = o->groups,
                            .activation = ls_fused_activation(o->activation)};
    memcpy(conv.strides, o->strides, sizeof conv.strides);
    memcpy(conv.dilations, o->dilation_rate, sizeof conv.dilations);
    return c->form == DEPTHWISE ? ls_depthwise_conv_with(&conv) : ls_conv_with(&conv);
}

static ls_tensor transpose(const struct conv *c, ls_tensor x)
{
    const ls_conv_layer_options *o = &c->options;
    ls_conv_transpose_options conv = {.input = x,
                                      .kernel = c->kernel,
                                      .bias = c->bias,
                                      .padding = o->padding,
                                      .output_padding = o->output_padding,
                                      .activation = ls_fused_activation(o->activation)};
    memcpy(conv.strides, o->strides, sizeof conv.strides);
    memcpy(conv.dilations, o->dilation_rate, sizeof conv.dilations);
    return ls_conv_transpose_with(&conv);
}

static ls_tensor call(ls_layer *layer, void *state, ls_tensor x, bool training)
{
    const struct conv *c = state;
    (void)training;
    if (!ls_layer_wants_rank(layer, ls_shape_of_tensor(x), c->rank, input_form[c->rank]) ||
        !ls_layer_wants_float(layer, x))
        return (ls_tensor){0};
    ls_tensor y = c->form == TRANSPOSED ? transpose(c, x) : convolve(c, x);
    return ls_activate(y, ls_later_activation(c->options.activation));
}

#define KIND(variable, kind_name, kind_title)                                                      \
    static const ls_layer_kind variable = {.name = kind_name,                                      \
                                           .title = kind_title,                                    \
                                           .state_size = sizeof(struct conv),                      \
                                           .build = build,                                         \
                                           .call = call};
KIND(conv1d, "conv1d", "Conv1D")
KIND(conv2d, "conv2d", "Conv2D")
KIND(depthwise, "depthwise_conv2d", "DepthwiseConv2D")
KIND(transposed, "conv2d_transpose", "Conv2DTranspose")
#undef KIND

static ls_layer *create(const ls_conv_layer_options *options, const ls_layer_kind *kind, enum form form, int rank)
{
    struct conv state = {.options = *options, .form = form, .rank = rank};
    ls_conv_layer_options *o = &state.options;
    if (!o->context || ls_failed(o->context) || !ls_activation_known(o->context, kind->name, o->activation))
        return NULL;
    if (o->filters < 1 || o->kernel_size[0] < 1 || o->kernel_size[1] < 0 || o->groups < 0 ||
        (o->groups > 1 && form != PLAIN)) {
        ls_fail(o->context, LS_INVALID_ARGUMENT, "%s: filters %lld, kernel_size {%lld, %lld} and groups %lld: filters and "
                "sizes are at least 1, and only plain convolutions have groups", kind->name, (long long)o->filters,
                (long long)o->kernel_size[0], (long long)o->kernel_size[1], (long long)o->groups);
        return NULL;
    }
    o->groups = o->groups ? o->groups : 1;
    if (!o->kernel_initializer.make)
        o->kernel_initializer = ls_glorot_uniform();
    if (!o->bias_initializer.make)
        o->bias_initializer = ls_zeros_initializer();
    o->name = NULL; /* the layer has its own copy */
    ls_layer *layer = ls_layer_create(o->context, kind, &state, options->name);
    ls_set_activity_regularizer(layer, options->activity_regularizer);
    return layer;
}

ls_layer *ls_conv1d_with(const ls_conv_layer_options *o)
{
    return o ? create(o, &conv1d, PLAIN, 3) : ls_no_options("conv1d");
}

ls_layer *ls_conv2d_with(const ls_conv_layer_options *o)
{
    return o ? create(o, &conv2d, PLAIN, 4) : ls_no_options("conv2d");
}

ls_layer *ls_depthwise_conv2d_with(const ls_conv_layer_options *o)
{
    return o ? create(o, &depthwise, DEPTHWISE, 4) : ls_no_options("depthwise_conv2d");
}

ls_layer *ls_conv2d_transpose_with(const ls_conv_layer_options *o)
{
    return o ? create(o, &transposed, TRANSPOSED, 4) : ls_no_options("conv2d_transpose");
}
