/* SPDX-License-Identifier: Apache-2.0
 *
 * Layers and models against Keras (golden/layers/layers.golden, made by golden/generate_layers.py): outputs,
 * losses, statistics and gradients, and their bits on another device.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "devices.h"
#include "golden.h"

static ls_context *ls;
static struct golden_trace *trace;

/* ---- The layers of the table in generate_layers.py ---- */

static ls_tensor square(void *user, ls_tensor x)
{
    (void)user;
    return ls_mul(x, x);
}

static ls_model *two_inputs(void)
{
    ls_symbol *a = ls_input(ls, LS_SHAPE(4)), *b = ls_input(ls, LS_SHAPE(4));
    ls_layer *shared = ls_dense(ls, 4, .activation = LS_TANH), *late = ls_dense(ls, 3);
    ls_symbol *x = ls_apply(shared, a), *y = ls_apply(shared, ls_apply(shared, b));
    ls_symbol *first = ls_apply(late, ls_apply(ls_merge_concatenate(ls), x, y));
    ls_symbol *second = ls_apply(ls_merge_add(ls), ls_apply(ls_merge_multiply(ls), x, y), a);
    return ls_functional(ls, NULL, LS_SYMBOLS(a, b), LS_SYMBOLS(first, second));
}

static ls_model *branches(void)
{
    ls_symbol *a = ls_input(ls, LS_SHAPE(4));
    ls_symbol *wide = ls_apply(ls_dense(ls, 5, .activation = LS_RELU), a);
    ls_symbol *narrow = ls_apply(ls_dense(ls, 2, .no_bias = true), a);
    ls_symbol *both = ls_apply(ls_merge_concatenate(ls), narrow, ls_apply(ls_dense(ls, 3), wide));
    return ls_functional(ls, NULL, LS_SYMBOLS(a), LS_SYMBOLS(both));
}

static ls_model *regularised(void)
{
    return ls_sequential(ls, NULL, (ls_layer *[]){
        ls_dense(ls, 3, .kernel_regularizer = ls_l2(0.25f), .bias_regularizer = ls_l1(0.5f),
                 .activity_regularizer = ls_l1(0.125f)),
        ls_dense(ls, 2, .kernel_regularizer = ls_l1_l2(0.5f, 0.25f), .activity_regularizer = ls_l2(1)), NULL});
}

static ls_layer *normalization(void)
{
    ls_layer *layer = ls_normalization(ls);
    float rows[] = {-1, -2.5f, -0.5f, 3, -1.5f, 1.5f}; /* mean 1, -2, 0.5; variance 4, 0.25, 1 */
    ls_adapt(layer, ls_from_host(ls, LS_FLOAT32, LS_SHAPE(2, 3), rows));
    return layer;
}

#define LAYERS(X)                                                                                  \
    X(dense_relu, ls_dense(ls, 3, .activation = LS_RELU))                                          \
    X(dense_softmax, ls_dense(ls, 3, .activation = LS_SOFTMAX, .no_bias = true))                   \
    X(conv1d_causal, ls_conv1d(ls, 2, {3}, .padding = LS_CAUSAL, .dilation_rate = {2}))            \
    X(conv2d_valid, ls_conv2d(ls, 2, {3, 2}, .activation = LS_RELU))                               \
    X(conv2d_same, ls_conv2d(ls, 2, {3}, {2}, .no_bias = true, .padding = LS_SAME))                \
    X(conv2d_gelu, ls_conv2d(ls, 2, {2}, .activation = LS_GELU))                                   \
    X(conv2d_groups, ls_conv2d(ls, 4, {2}, .groups = 2, .dilation_rate = {2}))                     \
    X(depthwise, ls_depthwise_conv2d(ls, 2, {2, 3}))                                               \
    X(transpose_valid, ls_conv2d_transpose(ls, 2, {3}, {2}))                                       \
    X(transpose_same, ls_conv2d_transpose(ls, 2, {3}, {2}, .activation = LS_TANH, .padding = LS_SAME)) \
    X(max_pooling1d, ls_max_pooling1d(ls))                                                         \
    X(max_pooling2d, ls_max_pooling2d(ls, {3}, {2}, LS_SAME))                                      \
    X(average_pooling1d, ls_average_pooling1d(ls, {3}, {1}))                                       \
    X(average_pooling2d, ls_average_pooling2d(ls, {2, 3}, .padding = LS_SAME))                     \
    X(global_max1d, ls_global_max_pooling1d(ls))                                                   \
    X(global_max2d, ls_global_max_pooling2d(ls, .keepdims = true))                                 \
    X(global_average1d, ls_global_average_pooling1d(ls))                                           \
    X(global_average2d, ls_global_average_pooling2d(ls))                                           \
    X(batch_norm, ls_batch_normalization_layer(ls))                                                \
    X(batch_norm_axis, ls_batch_normalization_layer(ls, 1, .momentum = 0.75f, .epsilon = 0.125f))  \
    X(batch_norm_plain, ls_batch_normalization_layer(ls, .no_center = true, .no_scale = true))     \
    X(layer_norm, ls_layer_normalization_layer(ls))                                                \
    X(layer_norm_axes, ls_layer_normalization_layer(ls, 1, .no_scale = true))                      \
    X(normalization, normalization())                                                              \
    X(embedding, ls_embedding(ls, 5, 3))                                                           \
    X(flatten, ls_flatten(ls))                                                                     \
    X(reshape, ls_reshape_layer(ls, LS_SHAPE(-1, 9)))                                              \
    X(permute, ls_permute(ls, {3, 1, 2}))                                                          \
    X(zero_padding, ls_zero_padding2d(ls, 1, 0, 2, 3))                                             \
    X(up_sampling, ls_up_sampling2d(ls, {2, 3}))                                                   \
    X(up_sampling_bilinear, ls_up_sampling2d(ls, .bilinear = true))                                \
    X(rescaling, ls_rescaling(ls, 0.25f, -1))                                                      \
    X(re_lu, ls_relu_layer(ls))                                                                    \
    X(re_lu_all, ls_relu_layer(ls, 1, 0.25f, 0.5f))                                                \
    X(leaky_re_lu, ls_leaky_relu_layer(ls))                                                        \
    X(p_re_lu, ls_prelu_layer(ls))                                                                 \
    X(p_re_lu_shared, ls_prelu_layer(ls, .shared_axes = {1, 2}))                                   \
    X(softmax, ls_softmax_layer(ls, 1))                                                            \
    X(activation_celu, ls_activation_layer(ls, LS_CELU))                                           \
    X(activation_elu, ls_activation_layer(ls, LS_ELU))                                             \
    X(activation_exponential, ls_activation_layer(ls, LS_EXPONENTIAL))                             \
    X(activation_gelu, ls_activation_layer(ls, LS_GELU))                                           \
    X(activation_hard_shrink, ls_activation_layer(ls, LS_HARD_SHRINK))                             \
    X(activation_hard_sigmoid, ls_activation_layer(ls, LS_HARD_SIGMOID))                           \
    X(activation_hard_silu, ls_activation_layer(ls, LS_HARD_SILU))                                 \
    X(activation_hard_tanh, ls_activation_layer(ls, LS_HARD_TANH))                                 \
    X(activation_leaky_relu, ls_activation_layer(ls, LS_LEAKY_RELU))                               \
    X(activation_linear, ls_activation_layer(ls, LS_LINEAR))                                       \
    X(activation_log_sigmoid, ls_activation_layer(ls, LS_LOG_SIGMOID))                             \
    X(activation_log_softmax, ls_activation_layer(ls, LS_LOG_SOFTMAX))                             \
    X(activation_mish, ls_activation_layer(ls, LS_MISH))                                           \
    X(activation_relu, ls_activation_layer(ls, LS_RELU))                                           \
    X(activation_relu6, ls_activation_layer(ls, LS_RELU6))                                         \
    X(activation_selu, ls_activation_layer(ls, LS_SELU))                                           \
    X(activation_sigmoid, ls_activation_layer(ls, LS_SIGMOID))                                     \
    X(activation_silu, ls_activation_layer(ls, LS_SILU))                                           \
    X(activation_softmax, ls_activation_layer(ls, LS_SOFTMAX))                                     \
    X(activation_soft_shrink, ls_activation_layer(ls, LS_SOFT_SHRINK))                             \
    X(activation_softplus, ls_activation_layer(ls, LS_SOFTPLUS))                                   \
    X(activation_softsign, ls_activation_layer(ls, LS_SOFTSIGN))                                   \
    X(activation_sparse_sigmoid, ls_activation_layer(ls, LS_SPARSE_SIGMOID))                       \
    X(activation_squareplus, ls_activation_layer(ls, LS_SQUAREPLUS))                               \
    X(activation_tanh, ls_activation_layer(ls, LS_TANH))                                           \
    X(activation_tanh_shrink, ls_activation_layer(ls, LS_TANH_SHRINK))                             \
    X(lambda_square, ls_lambda(ls, square))                                                        \
    X(merge_add, ls_merge_add(ls))                                                                 \
    X(merge_subtract, ls_merge_subtract(ls))                                                       \
    X(merge_multiply, ls_merge_multiply(ls))                                                       \
    X(merge_average, ls_merge_average(ls))                                                         \
    X(merge_maximum, ls_merge_maximum(ls))                                                         \
    X(merge_minimum, ls_merge_minimum(ls))                                                         \
    X(merge_concatenate, ls_merge_concatenate(ls))                                                 \
    X(merge_concatenate_first, ls_merge_concatenate(ls, 1))                                        \
    X(merge_dot, ls_merge_dot(ls, .axes = {1, 1}))                                                 \
    X(merge_dot_axes, ls_merge_dot(ls, .axes = {2, 1}))                                            \
    X(merge_dot_cosine, ls_merge_dot(ls, .axes = {1, 1}, .normalize = true))                       \
    X(two_inputs, two_inputs())                                                                    \
    X(branches, branches())                                                                        \
    X(regularised, regularised())

#define X(name, ...)                                                                               \
    static ls_layer *make_##name(void) { return __VA_ARGS__; }
LAYERS(X)
#undef X

static const struct row {
    const char *name;
    ls_layer *(*make)(void);
} rows[] = {
#define X(name, ...) {#name, make_##name},
    LAYERS(X)
#undef X
};

/* ---- Running a case ---- */

static bool same_shape(ls_shape a, ls_shape b)
{
    char left[128], right[128];
    return strcmp(ls_shape_text(a, left, sizeof left), ls_shape_text(b, right, sizeof right)) == 0;
}

static void expect(const struct golden_case *c, const char *what, int index, const struct golden_array *array,
                   ls_tensor got)
{
    char name[112];
    float *values = malloc((size_t)array->size * sizeof *values + 1);
    snprintf(name, sizeof name, "%s %s %d", c->name, what, index);
    ls_shape shape = ls_shape_of_tensor(got);
    if (ls_is_nil(got) && strcmp(what, "gradient") == 0) { /* not connected: Keras' zeros */
        memset(values, 0, (size_t)array->size * sizeof *values);
    } else if (array->given && !(ls_size(got) == array->size && same_shape(shape, array->shape))) {
        CHECK(false, "%s: %lld elements of rank %d, not %lld", name, (long long)ls_size(got), shape.rank,
              (long long)array->size);
        free(values);
        return;
    } else {
        CHECK(ls_read(got, values, (size_t)array->size * sizeof *values) == LS_OK, "%s: %s", name, ls_error_message(ls));
    }
    golden_trace_add(trace, name, LS_FLOAT32, values, (size_t)array->size * sizeof *values);
    double worst = 0;
    int64_t at = 0;
    for (int64_t i = 0; i < array->size; i++)
        if (!(fabs((double)values[i] - array->real[i]) <= worst)) {
            worst = fabs((double)values[i] - array->real[i]);
            at = i;
        }
    CHECK(worst <= array->bound, "%s: element %lld differs by %g, allowed %g", name, (long long)at, worst, array->bound);
    free(values);
}

enum { MOST = GOLDEN_INPUTS };

static void run_case(const struct golden_case *c, ls_layer *layer)
{
    ls_tensor in[MOST], y[GOLDEN_OUTPUTS], losses[MOST], target, gradients[MOST], sources[MOST];
    int inputs = c->inputs, source_count = 0, place[MOST];
    for (int i = 0; i < c->inputs; i++)
        in[i] = ls_from_host(ls, c->input[i].dtype, c->input[i].shape, c->input[i].data);
    if (strncmp(c->op, "merge", 5) != 0) /* those have no weights */
        inputs = strcmp(c->op, "two_inputs") == 0 ? 2 : 1;
    ls_call(layer, .inputs = in, .input_count = (size_t)inputs);
    ls_variables all = ls_all_variables(layer), trainable = ls_trainable_variables(layer);
    CHECK(all.count == (size_t)(c->inputs - inputs) || strcmp(c->op, "normalization") == 0, "%s: %zu variables, %d given: %s",
          c->name, all.count, c->inputs - inputs, ls_error_message(ls));
    for (size_t i = 0; i < all.count && inputs + (int)i < c->inputs; i++)
        ls_assign(all.items[i], in[inputs + (int)i]);
    for (int i = 0; i < inputs; i++)
        if (c->input[i].dtype == LS_FLOAT32) {
            place[source_count] = i;
            sources[source_count++] = in[i];
        }
    for (size_t i = 0, k = 0; i < all.count && k < trainable.count; i++)
        if (all.items[i].index == trainable.items[k].index) {
            place[source_count] = inputs + (int)i;
            sources[source_count++] = all.items[i];
            k++;
        }
    float *cotangent = c->cotangent.data;
    size_t loss_count = 0, outputs = strcmp(c->op, "two_inputs") == 0 ? 2 : 1;
    LS_TAPE(tape, ls) {
        for (int i = 0; i < inputs; i++)
            if (c->input[i].dtype == LS_FLOAT32)
                ls_watch(tape, in[i]);
        ls_call(layer, .inputs = in, .input_count = (size_t)inputs, .training = c->attr[0], .outputs = y,
                .output_count = outputs);
        ls_tensor g = ls_from_host(ls, LS_FLOAT32, c->output[0].shape, cotangent);
        loss_count = ls_losses(layer, losses, MOST);
        target = ls_add(ls_sum(ls_mul(y[0], g), NULL, 0, false), ls_sum_losses(layer));
    }
    ls_gradient(tape, target, sources, (size_t)source_count, gradients);
    int at = 0;
    for (; at < (int)outputs; at++)
        expect(c, "output", at, &c->output[at], y[at]);
    if (loss_count) {
        expect(c, "losses", at, &c->output[at], ls_stack(losses, loss_count, 0));
        at++;
    }
    for (size_t i = 0, k = 0; i < all.count && at < c->outputs; i++)
        if (k < trainable.count && all.items[i].index == trainable.items[k].index)
            k++;
        else
            expect(c, "statistic", at, &c->output[at], all.items[i]), at++;
    CHECK(at == c->outputs, "%s: %d outputs, not %d", c->name, at, c->outputs);
    for (int k = 0; k < source_count; k++) {
        CHECK(c->gradient[place[k]].given, "%s: gradient %d is not expected", c->name, place[k]);
        if (c->gradient[place[k]].given)
            expect(c, "gradient", place[k], &c->gradient[place[k]], gradients[k]);
    }
}

static void run_goldens(const struct golden_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct golden_case *c = &set->cases[i];
        const struct row *row = NULL;
        for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
            if (strcmp(rows[k].name, c->op) == 0)
                row = &rows[k];
        CHECK(row, "%s: no layer of the name %s", c->name, c->op);
        ls_scope_begin(ls);
        if (row)
            run_case(c, row->make());
        ls_scope_end(ls);
        CHECK(ls_error(ls) == LS_OK, "%s: %s", c->name, ls_error_message(ls));
        ls_clear_error(ls);
    }
}

static void all_goldens(const char *device, struct golden_trace *into, const struct golden_set *set)
{
    ls = ls_open(device);
    trace = into;
    run_goldens(set);
    CHECK(ls_close(&ls) == LS_OK, "close");
}

/* The order is that of the weights in the goldens. */
static void test_names(void)
{
    ls_context *outer = ls;
    ls = ls_open("reference");
    ls_variables v = ls_trainable_variables(branches());
    static const char *const names[] = {"dense/kernel", "dense/bias", "dense_1/kernel", "dense_2/kernel", "dense_2/bias"};
    CHECK(v.count == 5, "%zu variables", v.count);
    int found = 0; /* the order is that of the golden's weights, which Keras gave */
    for (size_t i = 0; i < v.count; i++)
        for (size_t k = 0; k < 5; k++)
            found += strcmp(ls_name(v.items[i]), names[k]) == 0;
    CHECK(found == 5, "%d of the names", found);
    ls_close(&ls);
    ls = outer;
}

int main(int argc, char **argv)
{
    struct device_kind kind = device_kind_of(argc > 2 ? argv[2] : "reference");
    struct golden_set set;
    struct golden_trace traces[2] = {{0}};
    if (argc < 2 || !golden_load(&set, argv[1], stdout))
        return 1;
    if (argc > 2) {
        ls = ls_open(kind.words);
        if (ls_error(ls) == LS_NOT_FOUND || ls_error(ls) == LS_UNAVAILABLE)
            device_absent(&kind, ls_error_message(ls));
        ls_close(&ls);
    }
    all_goldens("reference", &traces[0], &set);
    if (argc > 2) {
        all_goldens(kind.words, &traces[1], &set);
        CHECK(golden_trace_compare(&traces[0], &traces[1], stdout) == 0, "bits differ on %s", argv[2]);
    }
    test_names();
    golden_trace_free(&traces[0]);
    golden_trace_free(&traces[1]);
    golden_unload(&set);
    return end_of_checks();
}
