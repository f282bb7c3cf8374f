/* SPDX-License-Identifier: Apache-2.0
 *
 * Activations by name, and the layers that are one: Activation, ReLU, LeakyReLU, PReLU, Softmax.
 */
#include <stddef.h>

#include <lockstep/optimizers.h>

#include "layer.h"
#include "optimizer.h"

/* ---- By name, with Keras' default parameters ---- */

static ls_tensor elu(ls_tensor x) { return ls_elu(x, 1); }
static ls_tensor celu(ls_tensor x) { return ls_celu(x, 1); }
static ls_tensor gelu(ls_tensor x) { return ls_gelu(x, false); }
static ls_tensor hard_shrink(ls_tensor x) { return ls_hard_shrink(x, 0.5f); }
static ls_tensor soft_shrink(ls_tensor x) { return ls_soft_shrink(x, 0.5f); }
static ls_tensor squareplus(ls_tensor x) { return ls_squareplus(x, 4); }
static ls_tensor leaky_relu(ls_tensor x) { return ls_leaky_relu(x, 0.2f); }
static ls_tensor softmax(ls_tensor x) { return ls_softmax(x, -1); }
static ls_tensor log_softmax(ls_tensor x) { return ls_log_softmax(x, -1); }
static ls_tensor linear(ls_tensor x) { return x; }

static ls_tensor (*const functions[LS_LAYER_ACTIVATION_COUNT])(ls_tensor) = {
    [LS_LINEAR] = linear,
    [LS_RELU] = ls_relu,
    [LS_SIGMOID] = ls_sigmoid,
    [LS_TANH] = ls_tanh,
    [LS_CELU] = celu,
    [LS_ELU] = elu,
    [LS_EXPONENTIAL] = ls_exp,
    [LS_GELU] = gelu,
    [LS_HARD_SHRINK] = hard_shrink,
    [LS_HARD_SIGMOID] = ls_hard_sigmoid,
    [LS_HARD_SILU] = ls_hard_silu,
    [LS_HARD_TANH] = ls_hard_tanh,
    [LS_LEAKY_RELU] = leaky_relu,
    [LS_LOG_SIGMOID] = ls_log_sigmoid,
    [LS_LOG_SOFTMAX] = log_softmax,
    [LS_MISH] = ls_mish,
    [LS_RELU6] = ls_relu6,
    [LS_SELU] = ls_selu,
    [LS_SILU] = ls_silu,
    [LS_SOFTMAX] = softmax,
    [LS_SOFT_SHRINK] = soft_shrink,
    [LS_SOFTPLUS] = ls_softplus,
    [LS_SOFTSIGN] = ls_softsign,
    [LS_SPARSE_SIGMOID] = ls_sparse_sigmoid,
    [LS_SQUAREPLUS] = squareplus,
    [LS_TANH_SHRINK] = ls_tanh_shrink,
};

ls_tensor ls_activate(ls_tensor x, ls_activation activation) { return functions[activation](x); }

bool ls_activation_known(ls_context *ls, const char *who, ls_activation activation)
{
    if ((unsigned)activation < LS_LAYER_ACTIVATION_COUNT)
        return true;
    ls_fail(ls, LS_INVALID_ARGUMENT, "%s: there is no activation %d", who, (int)activation);
    return false;
}

/* ---- Activation ---- */

static ls_tensor call_activation(ls_layer *layer, void *state, ls_tensor x, bool training)
{
    (void)layer;
    (void)training;
    return ls_activate(x, *(ls_activation *)state);
}

static const ls_layer_kind activation = {
    .name = "activation", .title = "Activation", .state_size = sizeof(ls_activation), .call = call_activation};

ls_layer *ls_activation_layer_with(const ls_activation_options *o)
{
    if (!o)
        return ls_no_options("activation_layer");
    if (!o->context || ls_failed(o->context) || !ls_activation_known(o->context, "activation", o->activation))
        return NULL;
    return ls_layer_create(o->context, &activation, &o->activation, o->name);
}

/* ---- ReLU and LeakyReLU ---- */

/* The plain and the leaky one have ops of their own; with a threshold or a maximum it is composed. */
static ls_tensor call_relu(ls_layer *layer, void *state, ls_tensor x, bool training)
{
    (void)training;
    const ls_relu_options *o = state;
    ls_context *ls = ls_layer_context(layer);
    ls_tensor y;
    if (o->negative_slope == 0)
        y = o->threshold == 0 ? ls_relu(x) : ls_threshold(x, o->threshold, 0);
    else if (o->threshold == 0)
        y = ls_leaky_relu(x, o->negative_slope);
    else
        y = ls_where(ls_greater(x, ls_scalar(ls, o->threshold)), x,
                     ls_mul(ls_sub(x, ls_scalar(ls, o->threshold)), ls_scalar(ls, o->negative_slope)));
    return o->max_value != 0 ? ls_minimum(y, ls_scalar(ls, o->max_value)) : y;
}

static const ls_layer_kind relu = {
    .name = "re_lu", .title = "ReLU", .state_size = sizeof(ls_relu_options), .call = call_relu};
static const ls_layer_kind leaky = {
    .name = "leaky_re_lu", .title = "LeakyReLU", .state_size = sizeof(ls_relu_options), .call = call_relu};

ls_layer *ls_relu_layer_with(const ls_relu_options *o)
{
    if (!o)
        return ls_no_options("relu_layer");
    if (!o->context || ls_failed(o->context))
        return NULL;
    if (!(o->max_value >= 0) || !(o->negative_slope >= 0) || !(o->threshold >= 0)) {
        ls_fail(o->context, LS_INVALID_ARGUMENT, "re_lu: max_value %g, negative_slope %g and threshold %g must not be "
                "negative", (double)o->max_value, (double)o->negative_slope, (double)o->threshold);
        return NULL;
    }
    ls_relu_options state = *o;
    state.name = NULL; /* the layer has its own copy */
    return ls_layer_create(o->context, &relu, &state, o->name);
}

ls_layer *ls_leaky_relu_layer_with(const ls_leaky_relu_options *o)
{
    if (!o)
        return ls_no_options("leaky_relu_layer");
    ls_relu_options state = {.negative_slope = ls_option(o->negative_slope, 0.3f)};
    return ls_layer_create(o->context, &leaky, &state, o->name);
}

/* ---- PReLU ---- */

struct prelu {
    ls_prelu_options options;
    ls_tensor alpha;
};

static void build_prelu(ls_layer *layer, void *state, ls_shape input)
{
    struct prelu *p = state;
    ls_shape shape = {.rank = input.rank - 1};
    if (input.rank < 1) {
        ls_fail(ls_layer_context(layer), LS_SHAPE_MISMATCH, "%s: input (): needs at least (batch)",
                ls_layer_name(layer));
        return;
    }
    for (int d = 1; d < input.rank; d++)
        shape.dim[d - 1] = input.dim[d];
    for (int i = 0; i < LS_MAX_RANK && p->options.shared_axes[i]; i++) {
        int axis = p->options.shared_axes[i];
        if (axis < 1 || axis >= input.rank) {
            ls_fail(ls_layer_context(layer), LS_INVALID_ARGUMENT, "%s: shared axis %d: the input %s has axes 1 to %d",
                    ls_layer_name(layer), axis, ls_text(input).text, input.rank - 1);
            return;
        }
        shape.dim[axis - 1] = 1;
    }
    p->alpha = ls_add_weight(layer, "alpha", shape, p->options.alpha_initializer, true);
    ls_add_regularizer(layer, p->alpha, p->options.alpha_regularizer);
}

static ls_tensor call_prelu(ls_layer *layer, void *state, ls_tensor x, bool training)
{
    (void)layer;
    (void)training;
    return ls_prelu(x, ((struct prelu *)state)->alpha);
}

static const ls_layer_kind prelu = {.name = "p_re_lu",
                                    .title = "PReLU",
                                    .state_size = sizeof(struct prelu),
                                    .build = build_prelu,
                                    .call = call_prelu};

ls_layer *ls_prelu_layer_with(const ls_prelu_options *o)
{
    if (!o)
        return ls_no_options("prelu_layer");
    struct prelu state = {.options = *o};
    state.options.name = NULL;
    if (!o->alpha_initializer.make)
        state.options.alpha_initializer = ls_zeros_initializer();
    return ls_layer_create(o->context, &prelu, &state, o->name);
}

/* ---- Softmax ---- */

static ls_tensor call_softmax(ls_layer *layer, void *state, ls_tensor x, bool training)
{
    (void)layer;
    (void)training;
    return ls_softmax(x, *(int *)state);
}

static const ls_layer_kind softmax_kind = {
    .name = "softmax", .title = "Softmax", .state_size = sizeof(int), .call = call_softmax};

ls_layer *ls_softmax_layer_with(const ls_softmax_options *o)
{
    if (!o)
        return ls_no_options("softmax_layer");
    int axis = o->axis ? o->axis : -1;
    return ls_layer_create(o->context, &softmax_kind, &axis, o->name);
}
