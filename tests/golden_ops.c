/* SPDX-License-Identifier: Apache-2.0
 *
 * How each op of a golden file is called, and the run over all cases. Which op needs which
 * attributes is said beside its function here; generate.py writes them in that order.
 */
#include "golden.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <lockstep/losses.h>
#include <lockstep/metrics.h>
#include <lockstep/ops.h>
#include <lockstep/optimizers.h>
#include <lockstep/tape.h>
#include <lockstep/update.h>

/* ---- The ops ---- */

/* What `axes` holds where no axes are given, so that the op takes all (transpose: reverses). */
enum { MISSING = 99 };

static ls_shape shape_attr(const struct golden_case *c, int first, int rank)
{
    return ls_shape_of(rank, c->attr + first);
}

static int axis_attr(const struct golden_case *c) { return (int)c->attr[0]; }

/* attrs: the type */
static int call_cast(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    (void)ls;
    out[0] = ls_cast(in[0], (ls_dtype)c->attr[0]);
    return 1;
}

/* attrs: whether the approximation is meant */
static int call_gelu(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    (void)ls;
    out[0] = ls_gelu(in[0], c->attr[0] != 0);
    return 1;
}

/* attrs: the shape */
static int call_reshape(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    (void)ls;
    out[0] = ls_reshape(in[0], shape_attr(c, 0, c->attrs));
    return 1;
}

static int call_broadcast_to(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    (void)ls;
    out[0] = ls_broadcast_to(in[0], shape_attr(c, 0, c->attrs));
    return 1;
}

static int call_sum_to(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    (void)ls;
    out[0] = ls_sum_to(in[0], shape_attr(c, 0, c->attrs));
    return 1;
}

/* attrs: an axis per dimension, or none */
static int call_transpose(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    int axes[LS_MAX_RANK] = {0};
    (void)ls;
    for (int i = 0; i < c->attrs && i < LS_MAX_RANK; i++)
        axes[i] = (int)c->attr[i];
    out[0] = ls_transpose(in[0], c->attrs ? axes : NULL);
    return 1;
}

/* attrs: rank, begin, size, whether there are steps, step */
static int call_slice(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    int rank = (int)c->attr[0];
    const int64_t *begin = c->attr + 1, *size = begin + rank, *steps = size + rank;
    (void)ls;
    out[0] = ls_slice(in[0], begin, size, *steps ? steps + 1 : NULL);
    return 1;
}

/* attrs: rank, shape, begin, whether there are steps, step */
static int call_unslice(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    int rank = (int)c->attr[0];
    const int64_t *begin = c->attr + 1 + rank, *steps = begin + rank;
    (void)ls;
    out[0] = ls_unslice(in[0], shape_attr(c, 1, rank), begin, *steps ? steps + 1 : NULL);
    return 1;
}

/* attrs: the axis */
static int call_concat(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    (void)ls;
    out[0] = ls_concat(in, (size_t)c->inputs, axis_attr(c));
    return 1;
}

static int call_gather(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    (void)ls;
    out[0] = ls_gather(in[0], in[1], axis_attr(c));
    return 1;
}

static int call_scatter_add(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    (void)ls;
    out[0] = ls_scatter_add(in[0], in[1], in[2], axis_attr(c));
    return 1;
}

/* attrs: the depth */
static int call_one_hot(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    (void)ls;
    out[0] = ls_one_hot(in[0], c->attr[0]);
    return 1;
}

/* attrs: n */
static int call_arange(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    (void)in;
    out[0] = ls_arange(ls, c->attr[0]);
    return 1;
}

/* attrs: transpose_a, transpose_b, activation; a third input is the bias */
static int call_matmul(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    ls_matmul_options options = {.a = in[0],
                                 .b = in[1],
                                 .transpose_a = c->attr[0] != 0,
                                 .transpose_b = c->attr[1] != 0,
                                 .activation = (ls_activation)c->attr[2]};
    (void)ls;
    if (c->inputs == 3)
        options.bias = in[2];
    out[0] = ls_matmul_with(&options);
    return 1;
}

/* attrs: the seed, then which draw is meant, 0 the first; then the shape. reals: the two bounds or moments */
static int call_random(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    bool normal = strcmp(c->op, "random_normal") == 0;
    ls_shape shape = shape_attr(c, 2, c->attrs - 2);
    (void)in;
    ls_set_random_seed(ls, (uint64_t)c->attr[0]);
    for (int64_t draw = 0; draw <= c->attr[1]; draw++)
        out[0] = normal ? ls_random_normal(ls, shape, c->real[0], c->real[1])
                        : ls_random_uniform(ls, shape, c->real[0], c->real[1]);
    return 1;
}

/* ---- Convolution and pooling ---- */

static void copy_attrs(int64_t *to, const struct golden_case *c, int first, int count)
{
    memcpy(to, c->attr + first, (size_t)count * sizeof *to);
}

/* attrs: padding, groups, activation, three strides, three dilations, three pairs of pads */
static ls_conv_options conv_options(const struct golden_case *c, const ls_tensor *in)
{
    ls_conv_options o = {.input = in[0], .kernel = in[1], .padding = (ls_padding)c->attr[0], .groups = c->attr[1],
                         .activation = (ls_activation)c->attr[2]};
    if (c->inputs == 3)
        o.bias = in[2];
    copy_attrs(o.strides, c, 3, 3);
    copy_attrs(o.dilations, c, 6, 3);
    copy_attrs(o.pads[0], c, 9, 2);
    copy_attrs(o.pads[1], c, 11, 2);
    copy_attrs(o.pads[2], c, 13, 2);
    return o;
}

static int call_conv(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    ls_conv_options o = conv_options(c, in);
    (void)ls;
    out[0] = ls_conv_with(&o);
    return 1;
}

static int call_depthwise_conv(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    ls_conv_options o = conv_options(c, in);
    (void)ls;
    out[0] = ls_depthwise_conv_with(&o);
    return 1;
}

/* attrs: padding, whether there is output_padding, activation, three strides, dilations, output_paddings */
static int call_conv_transpose(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    ls_conv_transpose_options o = {.input = in[0], .kernel = in[1], .padding = (ls_padding)c->attr[0],
                                   .output_padding = c->attr[1] ? c->attr + 9 : NULL,
                                   .activation = (ls_activation)c->attr[2]};
    (void)ls;
    if (c->inputs == 3)
        o.bias = in[2];
    copy_attrs(o.strides, c, 3, 3);
    copy_attrs(o.dilations, c, 6, 3);
    out[0] = ls_conv_transpose_with(&o);
    return 1;
}

/* attrs: padding, three sizes, three strides */
static int call_pool(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    ls_pool_options o = {.input = in[0], .padding = (ls_padding)c->attr[0]};
    (void)ls;
    copy_attrs(o.pool_size, c, 1, 3);
    copy_attrs(o.strides, c, 4, 3);
    out[0] = strcmp(c->op, "max_pool") == 0 ? ls_max_pool_with(&o) : ls_average_pool_with(&o);
    return 1;
}

/* attrs: three sizes */
static int call_adaptive_max_pool(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    (void)ls;
    out[0] = ls_adaptive_max_pool(in[0], c->attr);
    return 1;
}

static int call_adaptive_average_pool(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    (void)ls;
    out[0] = ls_adaptive_average_pool(in[0], c->attr);
    return 1;
}

/* attrs: keepdims */
static int call_global_max_pool(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    (void)ls;
    out[0] = ls_global_max_pool(in[0], c->attr[0] != 0);
    return 1;
}

static int call_global_average_pool(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    (void)ls;
    out[0] = ls_global_average_pool(in[0], c->attr[0] != 0);
    return 1;
}

/* ---- Optimizers: inputs variable, slots, gradients (steps, …). Outputs: the variable after every
 * step, then the slots. Each snapshot shares the variable's storage, which the next step must not
 * write to. ---- */

static ls_tensor snapshot(ls_tensor variable) { return ls_stop_gradient(variable); }

static ls_tensor gradient_of_step(ls_tensor gradients, int64_t step)
{
    ls_shape shape = ls_shape_of_tensor(gradients);
    int64_t begin[LS_MAX_RANK] = {step}, size[LS_MAX_RANK] = {1};
    for (int d = 1; d < shape.rank; d++)
        size[d] = -1;
    return ls_reshape(ls_slice(gradients, begin, size, NULL), ls_shape_of(shape.rank - 1, shape.dim + 1));
}

/* attrs: nesterov, with a velocity. reals: learning rate, momentum */
static int call_update_sgd(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    int steps = (int)c->input[2].shape.dim[0];
    ls_tensor w = ls_variable(in[0], "w", true), v = ls_variable(in[1], "v", false), nil = {0};
    ls_tensor rate = ls_scalar(ls, c->real[0]);
    for (int i = 0; i < steps; i++) {
        ls_update_sgd(w, c->attr[1] ? v : nil, gradient_of_step(in[2], i), rate, c->real[1], c->attr[0] != 0);
        out[i] = snapshot(w);
    }
    if (c->attr[1])
        out[steps] = snapshot(v);
    ls_variable_destroy(&w);
    ls_variable_destroy(&v);
    return steps + (c->attr[1] ? 1 : 0);
}

/* reals: learning rate, beta1, beta2. Outputs: the rate after every step, the two powers */
static int call_update_adam_rate(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    ls_tensor one = ls_scalar(ls, 1.0f), learning_rate = ls_scalar(ls, c->real[0]);
    ls_tensor rate = ls_variable(ls_scalar(ls, 0.0f), "rate", false);
    ls_tensor power1 = ls_variable(one, "beta1_power", false), power2 = ls_variable(one, "beta2_power", false);
    int steps = c->outputs - 2;
    (void)in;
    for (int i = 0; i < steps; i++) {
        ls_update_adam_rate(rate, power1, power2, learning_rate, c->real[1], c->real[2]);
        out[i] = snapshot(rate);
    }
    out[steps] = snapshot(power1);
    out[steps + 1] = snapshot(power2);
    ls_variable_destroy(&rate);
    ls_variable_destroy(&power1);
    ls_variable_destroy(&power2);
    return steps + 2;
}

/* reals: learning rate, beta1, beta2, epsilon. Slots: both moments */
static int call_update_adam(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    int steps = (int)c->input[3].shape.dim[0];
    ls_tensor one = ls_scalar(ls, 1.0f), learning_rate = ls_scalar(ls, c->real[0]);
    ls_tensor rate = ls_variable(ls_scalar(ls, 0.0f), "rate", false);
    ls_tensor power1 = ls_variable(one, "beta1_power", false), power2 = ls_variable(one, "beta2_power", false);
    ls_tensor w = ls_variable(in[0], "w", true), m = ls_variable(in[1], "m", false), v = ls_variable(in[2], "v", false);
    for (int i = 0; i < steps; i++) {
        ls_update_adam_rate(rate, power1, power2, learning_rate, c->real[1], c->real[2]);
        ls_update_adam(w, m, v, gradient_of_step(in[3], i), rate, c->real[1], c->real[2], c->real[3]);
        out[i] = snapshot(w);
    }
    out[steps] = snapshot(m);
    out[steps + 1] = snapshot(v);
    ls_tensor *variables[] = {&rate, &power1, &power2, &w, &m, &v};
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        ls_variable_destroy(variables[i]);
    return steps + 2;
}

/* ---- Whole optimizers, schedules, clipping: the same as in golden/cases_training.py ---- */

/* attrs: kind, flag, the step at which the second gradient is missing, whether bias is excluded from
 * decay, then ema, 64 times its momentum, its frequency, accumulation. reals: learning rate, three
 * numbers of the kind, decay, clipnorm, global_clipnorm, clipvalue. */
static ls_optimizer *make_optimizer(ls_context *ls, const struct golden_case *c)
{
    const float *r = c->real;
    bool flag = c->attr[1] != 0;
#define COMMON                                                                                     \
    .weight_decay = r[4], .clipnorm = r[5], .global_clipnorm = r[6], .clipvalue = r[7],            \
    .use_ema = c->attr[4] != 0, .ema_momentum = (float)c->attr[5] / 64,                            \
    .ema_overwrite_frequency = (int)c->attr[6], .gradient_accumulation_steps = (int)c->attr[7]
    switch (c->attr[0]) {
    case 0:
        return ls_sgd(ls, r[0], .momentum = r[1], .nesterov = flag, COMMON);
    case 1:
        return ls_adam(ls, r[0], r[1], r[2], r[3], .amsgrad = flag, COMMON);
    case 2:
        return ls_adamw(ls, r[0], r[1], r[2], r[3], .amsgrad = flag, COMMON);
    case 3:
        return ls_rmsprop(ls, r[0], r[1], r[2], r[3], .centered = flag, COMMON);
    default:
        return ls_adagrad(ls, r[0], r[1], r[2], COMMON);
    }
#undef COMMON
}

static ls_tensor flat(ls_tensor a) { return ls_reshape(a, LS_SHAPE(-1)); }

/* The optimizer's variables as Keras has them, flat, after a 0. */
static ls_tensor state_of(ls_context *ls, ls_optimizer *optimizer)
{
    ls_tensor parts[32] = {flat(ls_scalar(ls, 0))};
    size_t count = 1;
    ls_variables variables = ls_optimizer_variables(optimizer);
    for (size_t i = 2; i < variables.count && count < 32; i++)
        if (ls_shape_of_tensor(variables.items[i]).rank > 0)
            parts[count++] = flat(variables.items[i]);
    return ls_concat(parts, count, 0);
}

static int call_optimizer(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    enum { MOST_STEPS = 16 };
    int64_t steps = c->input[2].shape.dim[0];
    ls_tensor w[2] = {ls_variable(in[0], "layer/kernel", true), ls_variable(in[1], "layer/bias", true)};
    ls_tensor history[2][MOST_STEPS];
    ls_optimizer *optimizer = make_optimizer(ls, c);
    if (c->attr[3])
        ls_exclude_from_weight_decay(optimizer, "^bi.s$");
    ls_optimizer_build(optimizer, (ls_variables){w, 2, NULL});
    for (int64_t i = 0; i < steps && i < MOST_STEPS; i++) {
        ls_tensor g[2] = {gradient_of_step(in[2], i), gradient_of_step(in[3], i)};
        if (i == c->attr[2])
            g[1] = (ls_tensor){0};
        ls_apply_gradients(optimizer, (ls_gradients){g, w, 2, ls});
        for (int k = 0; k < 2; k++)
            history[k][i] = ls_expand_dims(snapshot(w[k]), 0);
    }
    for (int k = 0; k < 2; k++)
        out[k] = ls_concat(history[k], (size_t)steps, 0);
    out[2] = state_of(ls, optimizer);
    ls_optimizer_destroy(&optimizer);
    ls_variable_destroy(&w[0]);
    ls_variable_destroy(&w[1]);
    return 3;
}

/* attrs: kind, flag. reals: the numbers of the kind. in[0]: steps; then boundaries and values */
static int call_schedule(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    const float *r = c->real;
    bool flag = c->attr[1] != 0;
    ls_schedule s = c->attr[0] == 0   ? ls_exponential_decay(r[0], r[1], r[2], flag)
                    : c->attr[0] == 1 ? ls_piecewise_constant_decay((int)c->input[1].size, c->input[1].data,
                                                                    c->input[2].data)
                    : c->attr[0] == 2 ? ls_polynomial_decay(r[0], r[1], r[2], r[3], flag)
                    : c->attr[0] == 3 ? ls_inverse_time_decay(r[0], r[1], r[2], flag)
                    : c->attr[0] == 4 ? ls_cosine_decay(r[0], r[1], r[2], r[3], r[4])
                                      : ls_cosine_decay_restarts(r[0], r[1], r[2], r[3], r[4]);
    (void)ls;
    out[0] = ls_schedule_rate(&s, in[0]);
    return 1;
}

static int call_clip_by_norm(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    (void)ls;
    out[0] = ls_clip_by_norm(in[0], c->real[0]);
    return 1;
}

/* Both clipped, flat, and then the norm. */
static int call_clip_by_global_norm(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    ls_tensor items[] = {in[0], {0}, in[1]};
    ls_tensor norm = ls_clip_by_global_norm((ls_gradients){items, NULL, 3, ls}, c->real[0]);
    out[0] = ls_concat((ls_tensor[]){flat(items[0]), flat(items[2]), flat(norm)}, 3, 0);
    return 1;
}

/* ---- Losses and metrics: the same as in golden/cases_losses.py ---- */

static ls_loss_function *const losses[] = {
    ls_sparse_categorical_crossentropy_with, ls_categorical_crossentropy_with, ls_binary_crossentropy_with,
    ls_kl_divergence_with, ls_hinge_with, ls_squared_hinge_with, ls_categorical_hinge_with,
    ls_mean_squared_error_with, ls_mean_absolute_error_with, ls_mean_absolute_percentage_error_with,
    ls_mean_squared_logarithmic_error_with, ls_huber_with, ls_log_cosh_with, ls_poisson_with,
    ls_cosine_similarity_with};

/* attrs: which, from_logits, reduction. reals: label_smoothing, delta. A third input is sample_weight */
static int call_loss(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    ls_loss_arguments call = {.y_true = in[0],
                              .y_pred = in[1],
                              .from_logits = c->attr[1] != 0,
                              .reduction = (ls_reduction)c->attr[2],
                              .label_smoothing = c->real[0],
                              .delta = c->real[1]};
    (void)ls;
    if (c->inputs == 3)
        call.sample_weight = in[2];
    out[0] = losses[c->attr[0]](&call);
    return 1;
}

/* attrs: which, from_logits, k or top_k, class_id or -1, curve, summation, thresholds. reals: label_smoothing,
 * the thresholds */
static ls_metric *make_metric(ls_context *ls, const struct golden_case *c)
{
    const int64_t *a = c->attr;
    const float *thresholds = a[6] ? c->real + 1 : NULL;
    ls_precision_options precision = {.context = ls,
                                      .thresholds = thresholds,
                                      .threshold_count = (int)a[6],
                                      .top_k = (int)a[2],
                                      .one_class = a[3] >= 0,
                                      .class_id = (int)a[3]};
    if (a[0] >= 100)
        return ls_loss_metric(ls, losses[a[0] - 100], .arguments.from_logits = a[1] != 0,
                              .arguments.label_smoothing = c->real[0]);
    switch (a[0]) {
    case 0:
        return ls_mean_metric(ls, NULL);
    case 1:
        return ls_sum_metric(ls, NULL);
    case 2:
        return ls_accuracy(ls, NULL);
    case 3:
        return ls_binary_accuracy(ls, .threshold = thresholds ? thresholds[0] : 0);
    case 4:
        return ls_categorical_accuracy(ls, NULL);
    case 5:
        return ls_sparse_categorical_accuracy(ls, NULL);
    case 6:
        return ls_top_k_categorical_accuracy(ls, .k = (int)a[2]);
    case 7:
        return ls_sparse_top_k_categorical_accuracy(ls, .k = (int)a[2]);
    case 8:
        return ls_root_mean_squared_error(ls, NULL);
    case 9:
        return ls_precision_with(&precision);
    case 10:
        return ls_recall_with(&precision);
    default:
        return ls_auc(ls, .num_thresholds = (int)a[2], .curve = (ls_auc_curve)a[4],
                      .summation_method = (ls_auc_summation)a[5], .from_logits = a[1] != 0, .thresholds = thresholds,
                      .threshold_count = (int)a[6]);
    }
}

/* Inputs (batches, …): y_true, y_pred and perhaps sample_weight (mean, sum: values and perhaps a weight).
 * Output: the result after each batch */
static int call_metric(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    enum { MOST_BATCHES = 4 };
    int64_t batches = c->input[0].shape.dim[0];
    ls_tensor results[MOST_BATCHES] = {{0}};
    ls_metric *metric = make_metric(ls, c);
    ls_update_state(metric, gradient_of_step(in[0], 0), gradient_of_step(in[c->inputs > 1 ? 1 : 0], 0));
    ls_clear_error(ls); /* mean and sum may take no second input; what was counted is forgotten anyway */
    ls_reset_states(metric);
    for (int64_t i = 0; i < batches && i < MOST_BATCHES; i++) {
        ls_tensor inputs[3];
        for (int k = 0; k < c->inputs; k++)
            inputs[k] = gradient_of_step(in[k], i);
        ls_update_state_with(metric, inputs, (size_t)c->inputs);
        results[i] = ls_expand_dims(ls_result_tensor(metric), 0);
    }
    out[0] = ls_concat(results, (size_t)batches, 0);
    ls_metric_destroy(&metric);
    return 1;
}

/* ---- Small networks: the same functions as in golden/cases_networks.py ---- */

static ls_tensor mean_of_last(ls_tensor x) { return ls_mean(x, (int[]){-1}, 1, true); }

static int call_net_power(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    (void)ls, (void)c;
    out[0] = ls_square(ls_square(in[0]));
    return 1;
}

static int call_net_shared(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    ls_tensor x = in[0], one = ls_scalar(ls, 1.0f), zero = ls_scalar(ls, 0.0f); /* x (2, 3) */
    ls_tensor a = ls_sub(ls_add(ls_mul(x, x), ls_mul(ls_sin(x), x)), ls_div(x, ls_add(one, ls_square(x))));
    ls_tensor turned = ls_transpose(ls_reshape(a, LS_SHAPE(3, 2)), NULL);
    ls_tensor b = ls_concat((ls_tensor[]){a, x, turned}, 3, 0); /* (6, 3) */
    ls_tensor rows = ls_gather(b, ls_from_host(ls, LS_INT32, LS_SHAPE(4), (int32_t[]){5, 0, 0, 3}), 0);
    ls_tensor part = ls_slice(rows, (int64_t[]){0, 2}, (int64_t[]){2, 3}, (int64_t[]){2, -1}); /* (2, 3) */
    ls_tensor left = ls_mul(ls_exp(ls_mul(ls_scalar(ls, 0.25f), part)), ls_mean(b, (int[]){0}, 1, false));
    ls_tensor right = ls_mul(ls_where(ls_greater(x, zero), x, a), ls_max(b, NULL, 0, false));
    (void)c;
    out[0] = ls_add(left, right);
    return 1;
}

/* x (n, k), kernels (k, h) and (h, classes), bias (h), labels (n) -> losses (n) */
static int call_net_mlp(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    ls_tensor h = ls_matmul(in[0], in[1], .bias = in[2], .activation = LS_TANH);
    (void)ls, (void)c;
    out[0] = ls_sparse_softmax_cross_entropy(in[4], ls_matmul(h, in[3]));
    return 1;
}

/* q, k (b, t, d), v (b, t, e) -> (b, t, e) */
static int call_net_attention(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    ls_tensor scores = ls_mul(ls_scalar(ls, 0.5f), ls_matmul(in[0], in[1], .transpose_b = true));
    (void)c;
    out[0] = ls_matmul(ls_softmax(scores, -1), in[2]);
    return 1;
}

/* Layer normalization of x (n, d) with gamma and beta (d) */
static int call_net_norm(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    ls_tensor centred = ls_sub(in[0], mean_of_last(in[0]));
    ls_tensor scale = ls_rsqrt(ls_add(mean_of_last(ls_square(centred)), ls_scalar(ls, 0.125f)));
    (void)c;
    out[0] = ls_fma(ls_mul(centred, scale), in[1], in[2]);
    return 1;
}

static int call_net_logsumexp(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    ls_tensor m = ls_max(in[0], (int[]){0}, 1, true);
    ls_tensor sum = ls_sum(ls_exp(ls_sub(in[0], m)), (int[]){0}, 1, false);
    (void)ls, (void)c;
    out[0] = ls_add(ls_log(sum), ls_reshape(m, LS_SHAPE(-1)));
    return 1;
}

/* The gradient penalty of WGAN-GP: a gradient inside the function that is differentiated. */
static int call_net_penalty(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    ls_tensor gradient = {0}, critic;
    (void)c;
    ls_tape *tape = ls_tape_begin(ls);
    ls_watch(tape, in[0]);
    critic = ls_matmul(ls_tanh(ls_matmul(in[0], in[1])), in[2]);
    critic = ls_sum(critic, NULL, 0, false);
    ls_tape_end(tape);
    ls_gradient(tape, critic, &in[0], 1, &gradient);
    ls_tape_destroy(&tape);
    ls_tensor norm = ls_sqrt(ls_sum(ls_square(gradient), (int[]){1}, 1, false));
    out[0] = ls_square(ls_sub(norm, ls_scalar(ls, 1.0f)));
    return 1;
}

/* ---- The table ---- */

struct golden_op {
    const char *name;
    ls_tensor (*unary)(ls_tensor);
    ls_tensor (*binary)(ls_tensor, ls_tensor);
    ls_tensor (*ternary)(ls_tensor, ls_tensor, ls_tensor);
    ls_tensor (*parameter)(ls_tensor, float);               /* reals: the parameter */
    ls_tensor (*parameters)(ls_tensor, float, float);       /* reals: both */
    ls_tensor (*of_axis)(ls_tensor, int);                   /* attrs: the axis */
    ls_tensor (*reduce)(ls_tensor, const int *, int, bool); /* attrs: keepdims, then axes or MISSING */
    golden_call *call;
};

/* clang-format off */
#define UNARY(op) {.name = #op, .unary = ls_##op}
#define BINARY(op) {.name = #op, .binary = ls_##op}
#define TERNARY(op) {.name = #op, .ternary = ls_##op}
#define OF_AXIS(op) {.name = #op, .of_axis = ls_##op}
#define REDUCE(op) {.name = #op, .reduce = ls_##op}
#define CALL(op) {.name = #op, .call = call_##op}
static const struct golden_op ops[] = {
/* The elementwise ops, from their list. */
#define LS_ROWS 1
#define F_F(op, ...) {.name = #op, .unary = ls_##op},
#define F_FF(op, ...) {.name = #op, .binary = ls_##op},
#define F_FFF(op, ...) {.name = #op, .ternary = ls_##op},
#define I_F F_F
#define I_I F_F
#define I_FF F_FF
#define I_II F_FF
#include "../lib/ops/elementwise.def"
#undef LS_ROWS
#undef F_F
#undef F_FF
#undef F_FFF
#undef I_F
#undef I_I
#undef I_FF
#undef I_II
#define LS_ROWS 2
#define F_FF(op, ...) {.name = #op, .parameter = ls_##op},
#define F_FFF(op, ...) {.name = #op, .parameters = ls_##op},
#include "../lib/ops/elementwise.def"
#undef LS_ROWS
#undef F_FF
#undef F_FFF
    {.name = "clip", .parameters = ls_clip}, CALL(gelu), UNARY(stop_gradient),
    BINARY(sparse_softmax_cross_entropy), TERNARY(where),
    OF_AXIS(expand_dims), OF_AXIS(argmax), OF_AXIS(argmin), OF_AXIS(softmax), OF_AXIS(log_softmax),
    REDUCE(sum), REDUCE(mean), REDUCE(max), REDUCE(min),
    CALL(cast), CALL(reshape), CALL(broadcast_to), CALL(sum_to), CALL(transpose), CALL(slice), CALL(unslice),
    CALL(concat), CALL(gather), CALL(scatter_add), CALL(one_hot), CALL(arange), CALL(matmul),
    {.name = "random_uniform", .call = call_random}, {.name = "random_normal", .call = call_random},
    CALL(conv), CALL(depthwise_conv), CALL(conv_transpose),
    {.name = "max_pool", .call = call_pool}, {.name = "average_pool", .call = call_pool},
    CALL(adaptive_max_pool), CALL(adaptive_average_pool), CALL(global_max_pool), CALL(global_average_pool),
    CALL(update_sgd), CALL(update_adam_rate), CALL(update_adam),
    CALL(optimizer), CALL(schedule), CALL(clip_by_norm), CALL(clip_by_global_norm),
    CALL(loss), CALL(metric),
    CALL(net_power), CALL(net_shared), CALL(net_mlp), CALL(net_attention), CALL(net_norm), CALL(net_logsumexp),
    CALL(net_penalty),
};
/* clang-format on */
#undef UNARY
#undef BINARY
#undef TERNARY
#undef OF_AXIS
#undef REDUCE
#undef CALL

static const struct golden_op *find_op(const char *name)
{
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        if (strcmp(ops[i].name, name) == 0)
            return &ops[i];
    return NULL;
}

static int call_op(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    const struct golden_op *op = find_op(c->op);
    if (!op)
        return golden_array_op(c->op)(ls, c, in, out);
    if (op->call)
        return op->call(ls, c, in, out);
    if (op->unary)
        out[0] = op->unary(in[0]);
    if (op->binary)
        out[0] = op->binary(in[0], in[1]);
    if (op->ternary)
        out[0] = op->ternary(in[0], in[1], in[2]);
    if (op->parameter)
        out[0] = op->parameter(in[0], c->real[0]);
    if (op->parameters)
        out[0] = op->parameters(in[0], c->real[0], c->real[1]);
    if (op->of_axis)
        out[0] = op->of_axis(in[0], axis_attr(c));
    if (op->reduce) {
        int axes[LS_MAX_RANK] = {0}, count = 0;
        bool all = c->attrs == 2 && c->attr[1] == MISSING;
        for (int i = 1; i < c->attrs && !all && count < LS_MAX_RANK; i++)
            axes[count++] = (int)c->attr[i];
        out[0] = op->reduce(in[0], all ? NULL : axes, count, c->attr[0] != 0);
    }
    return 1;
}

/* ---- Comparing ---- */

struct run {
    ls_context *ls;
    const struct golden_case *c;
    const struct golden_options *options;
    FILE *report;
    bool failed; /* this case */
};

static void say(struct run *run, const char *what, int index, const char *text)
{
    run->failed = true;
    if (run->report)
        fprintf(run->report, "%s %s %d: %s\n", run->c->name, what, index, text);
}

/* One error, reported and cleared, fails the case. */
static bool no_error(struct run *run, const char *what)
{
    if (ls_error(run->ls) == LS_OK)
        return true;
    char text[640];
    snprintf(text, sizeof text, "%s: %s", ls_status_name(ls_error(run->ls)), ls_error_message(run->ls));
    say(run, what, 0, text);
    ls_clear_error(run->ls);
    return false;
}

static bool shapes_agree(ls_shape a, ls_shape b)
{
    return a.rank == b.rank && memcmp(a.dim, b.dim, (size_t)a.rank * sizeof *a.dim) == 0;
}

/* The elements of `t`, which must have that type and shape; of nil, which as a gradient means zero, zeros.
 * NULL, with the failure said, if that cannot be had. The caller frees. */
static void *fetch(struct run *run, const char *what, int index, ls_tensor t, const struct golden_array *like,
                   bool may_be_nil)
{
    size_t bytes = (size_t)like->size * ls_dtype_size(like->dtype);
    void *data = calloc(bytes ? bytes : 1, 1);
    char text[320], got[128], expected[128];
    if (!data || (ls_is_nil(t) && !may_be_nil)) {
        say(run, what, index, data ? "nil" : "no memory");
        free(data);
        return NULL;
    }
    if (ls_is_nil(t))
        return data;
    ls_shape shape = ls_shape_of_tensor(t);
    if (ls_dtype_of(t) != like->dtype || !shapes_agree(shape, like->shape)) {
        snprintf(text, sizeof text, "%s %s, expected %s %s", ls_dtype_name(ls_dtype_of(t)),
                 ls_shape_text(shape, got, sizeof got), ls_dtype_name(like->dtype),
                 ls_shape_text(like->shape, expected, sizeof expected));
        say(run, what, index, text);
        free(data);
        return NULL;
    }
    if (ls_read(t, data, bytes) != LS_OK) {
        no_error(run, what);
        free(data);
        return NULL;
    }
    return data;
}

static bool within(float got, double truth, double bound)
{
    if (isnan(truth) || isinf(truth))
        return isnan(truth) ? isnan(got) : (double)got == truth;
    return fabs((double)got - truth) <= bound;
}

static int64_t element(const struct golden_array *a, const void *data, int64_t i)
{
    switch (ls_dtype_size(a->dtype)) {
    case 1: return ((const uint8_t *)data)[i];
    case 2: return ((const uint16_t *)data)[i];
    default: return ((const int32_t *)data)[i];
    }
}

/* Reads an array, adds it to the trace, compares it with what is expected. Returns the elements for
 * the caller to free, or NULL. */
static void *check(struct run *run, const char *what, int index, ls_tensor t, const struct golden_array *expected,
                   bool may_be_nil)
{
    void *data = fetch(run, what, index, t, expected, may_be_nil);
    if (!data)
        return NULL;
    char text[160];
    if (run->options->trace) {
        snprintf(text, sizeof text, "%s %s %d", run->c->name, what, index);
        size_t bytes = (size_t)expected->size * ls_dtype_size(expected->dtype);
        if (!golden_trace_add(run->options->trace, text, expected->dtype, data, bytes))
            say(run, what, index, "no memory for the trace");
    }
    int64_t wrong = 0;
    for (int64_t i = 0; i < expected->size; i++) {
        if (expected->dtype == LS_FLOAT32) {
            float got = ((const float *)data)[i];
            if (within(got, expected->real[i], expected->bound))
                continue;
            snprintf(text, sizeof text, "[%" PRId64 "] is %.9g, expected %.17g, bound %.3g", i, (double)got,
                     expected->real[i], expected->bound);
        } else {
            int64_t got = element(expected, data, i), truth = element(expected, expected->data, i);
            if (got == truth)
                continue;
            snprintf(text, sizeof text, "[%" PRId64 "] is %" PRId64 ", expected %" PRId64, i, got, truth);
        }
        if (wrong++ < 4)
            say(run, what, index, text);
    }
    if (wrong > 4) {
        snprintf(text, sizeof text, "and %" PRId64 " more of %" PRId64, wrong - 4, expected->size);
        say(run, what, index, text);
    }
    return data;
}

/* ---- The three parts of a case ---- */

static void make_inputs(struct run *run, ls_tensor *in)
{
    for (int i = 0; i < run->c->inputs; i++)
        in[i] = ls_from_host(run->ls, run->c->input[i].dtype, run->c->input[i].shape, run->c->input[i].data);
}

static ls_tensor from_array(ls_context *ls, const struct golden_array *a)
{
    return ls_from_host(ls, a->dtype, a->shape, a->data);
}

static void run_outputs(struct run *run)
{
    ls_tensor in[GOLDEN_INPUTS] = {{0}}, out[GOLDEN_OUTPUTS] = {{0}};
    make_inputs(run, in);
    int outputs = call_op(run->ls, run->c, in, out);
    if (!no_error(run, "output"))
        return;
    if (outputs != run->c->outputs)
        say(run, "output", outputs, "another number of outputs than expected");
    for (int i = 0; i < run->c->outputs && i < outputs; i++)
        free(check(run, "output", i, out[i], &run->c->output[i], false));
}

/* y * cotangent, summed, with the inputs in `watched` (a bit each) watched; then the gradients to them.
 * Reading them is up to the caller, who is in the same scope. */
static ls_status gradients(struct run *run, const ls_tensor *in, ls_tensor cotangent, unsigned watched,
                           ls_tensor *gradient)
{
    ls_tensor source[GOLDEN_INPUTS], found[GOLDEN_INPUTS] = {{0}}, out[GOLDEN_OUTPUTS] = {{0}};
    size_t sources = 0;
    ls_tape *tape = ls_tape_begin(run->ls);
    for (int i = 0; i < run->c->inputs; i++)
        if (watched >> i & 1) {
            ls_watch(tape, in[i]);
            source[sources++] = in[i];
        }
    call_op(run->ls, run->c, in, out);
    ls_tensor target = ls_sum(ls_mul(out[0], cotangent), NULL, 0, false);
    ls_tape_end(tape);
    ls_status status = ls_gradient(tape, target, source, sources, found);
    ls_tape_destroy(&tape);
    for (int i = run->c->inputs - 1; i >= 0; i--)
        if (watched >> i & 1)
            gradient[i] = found[--sources];
    return status;
}

static unsigned float_inputs(const struct golden_case *c)
{
    unsigned mask = 0;
    for (int i = 0; i < c->inputs; i++)
        if (c->input[i].dtype == LS_FLOAT32)
            mask |= 1u << i;
    return mask;
}

/* With only some inputs watched the gradients have the same bits as with all of them. */
static void run_subset(struct run *run, unsigned watched, void *const *all)
{
    ls_tensor in[GOLDEN_INPUTS] = {{0}}, gradient[GOLDEN_INPUTS] = {{0}};
    make_inputs(run, in);
    gradients(run, in, from_array(run->ls, &run->c->cotangent), watched, gradient);
    if (!no_error(run, "gradient of a subset"))
        return;
    for (int i = 0; i < run->c->inputs; i++) {
        const struct golden_array *like = &run->c->input[i];
        if (!(watched >> i & 1) || !all[i])
            continue;
        void *data = fetch(run, "gradient of a subset", i, gradient[i], like, true);
        if (data && memcmp(data, all[i], (size_t)like->size * sizeof(float)) != 0) {
            char text[64];
            snprintf(text, sizeof text, "other bits when only inputs %#x are watched", watched);
            say(run, "gradient", i, text);
        }
        free(data);
    }
}

static void run_gradients(struct run *run)
{
    unsigned all = float_inputs(run->c);
    ls_tensor in[GOLDEN_INPUTS] = {{0}}, gradient[GOLDEN_INPUTS] = {{0}};
    void *data[GOLDEN_INPUTS] = {NULL};
    make_inputs(run, in);
    gradients(run, in, from_array(run->ls, &run->c->cotangent), all, gradient);
    if (!no_error(run, "gradient"))
        return;
    for (int i = 0; i < run->c->inputs; i++)
        if (run->c->gradient[i].given)
            data[i] = check(run, "gradient", i, gradient[i], &run->c->gradient[i], true);
    for (unsigned watched = 1; watched < all && !run->options->skip_subsets; watched++)
        if ((watched & all) == watched && !run->failed) {
            ls_scope_begin(run->ls);
            run_subset(run, watched, data);
            ls_scope_end(run->ls);
        }
    for (int i = 0; i < run->c->inputs; i++)
        free(data[i]);
}

static void run_second(struct run *run)
{
    const struct golden_case *c = run->c;
    unsigned all = float_inputs(c);
    ls_tensor in[GOLDEN_INPUTS + 1] = {{0}}, gradient[GOLDEN_INPUTS] = {{0}}, second[GOLDEN_INPUTS + 1] = {{0}};
    ls_tensor source[GOLDEN_INPUTS + 1], found[GOLDEN_INPUTS + 1] = {{0}}, sum = ls_scalar(run->ls, 0.0f);
    int order[GOLDEN_INPUTS + 1];
    size_t sources = 0;
    make_inputs(run, in);
    in[c->inputs] = from_array(run->ls, &c->cotangent);
    ls_tape *outer = ls_tape_begin(run->ls);
    for (int i = 0; i <= c->inputs; i++)
        if (c->second[i].given) {
            ls_watch(outer, in[i]);
            order[sources] = i;
            source[sources++] = in[i];
        }
    gradients(run, in, in[c->inputs], all, gradient);
    for (int i = 0; i < c->inputs; i++)
        if ((all >> i & 1) && !ls_is_nil(gradient[i])) {
            ls_tensor direction = from_array(run->ls, &c->direction[i]);
            sum = ls_add(sum, ls_sum(ls_mul(gradient[i], direction), NULL, 0, false));
        }
    ls_tape_end(outer);
    ls_gradient(outer, sum, source, sources, found);
    ls_tape_destroy(&outer);
    if (!no_error(run, "second"))
        return;
    for (size_t i = 0; i < sources; i++)
        second[order[i]] = found[i];
    for (int i = 0; i <= c->inputs; i++)
        if (c->second[i].given)
            free(check(run, "second", i, second[i], &c->second[i], true));
}

static void run_no_gradient(struct run *run)
{
    ls_tensor in[GOLDEN_INPUTS] = {{0}}, out[GOLDEN_OUTPUTS] = {{0}}, gradient = {0};
    make_inputs(run, in);
    ls_tape *tape = ls_tape_begin(run->ls);
    ls_watch(tape, in[0]);
    call_op(run->ls, run->c, in, out);
    ls_tape_end(tape);
    ls_status status = ls_gradient(tape, out[0], in, 1, &gradient);
    ls_tape_destroy(&tape);
    if (status != LS_NO_GRADIENT)
        say(run, "gradient", 0, "LS_NO_GRADIENT is expected");
    else if (!strstr(ls_error_message(run->ls), run->c->op))
        say(run, "gradient", 0, "the message does not name the op");
    ls_clear_error(run->ls);
}

static void in_scope(struct run *run, void part(struct run *))
{
    ls_scope_begin(run->ls);
    part(run);
    ls_scope_end(run->ls);
    no_error(run, "scope");
}

/* ---- The whole ---- */

static void add_name(struct golden_result *result, const char *name)
{
    if (golden_covers(result, name))
        return;
    const char **more = realloc((void *)result->name, (result->names + 1) * sizeof *more);
    if (!more)
        return;
    more[result->names++] = name;
    result->name = more;
}

size_t golden_run(ls_context *ls, const struct golden_set *set, const struct golden_options *options,
                  struct golden_result *result, FILE *report)
{
    static const struct golden_options defaults = {0};
    *result = (struct golden_result){0};
    for (size_t i = 0; i < set->count; i++) {
        const struct golden_case *c = &set->cases[i];
        struct run run = {.ls = ls, .c = c, .options = options ? options : &defaults, .report = report};
        const char *only = run.options->only;
        if (only && strncmp(c->name, only, strlen(only)) != 0)
            continue;
        result->cases++;
        if (run.options->skip_subnormal && (c->flags & GOLDEN_SUBNORMAL)) {
            result->skipped++;
            continue;
        }
        if (!find_op(c->op) && !golden_array_op(c->op)) {
            say(&run, "op", 0, "is not in the table of golden_ops.c");
        } else {
            in_scope(&run, run_outputs);
            if (c->cotangent.given)
                in_scope(&run, run_gradients);
            if (c->second[c->inputs].given)
                in_scope(&run, run_second);
            if (c->flags & GOLDEN_NO_GRADIENT)
                in_scope(&run, run_no_gradient);
        }
        if (run.failed) {
            result->failed++;
            continue;
        }
        result->passed++;
        add_name(result, c->op);
        for (int k = 0; k < c->covers; k++)
            add_name(result, c->cover[k]);
    }
    return result->failed;
}

void golden_result_finish(struct golden_result *result)
{
    free((void *)result->name);
    *result = (struct golden_result){0};
}
