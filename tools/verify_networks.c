/* SPDX-License-Identifier: Apache-2.0
 *
 * Networks as users write them, trained for a few steps.
 */
#include <stdio.h>

#include "verify.h"

enum { STEPS = 3, BATCH = 8, CLASSES = 4 };

/* What a step trains: from x to logits. Layers where there is one, else variables and ops. */
struct network {
    ls_context *ls;
    ls_layer *model;
    ls_tensor weight[5];
    size_t weights;
    ls_tensor (*forward)(const struct network *net, ls_tensor x);
    ls_shape input;
};

static ls_tensor by_layers(const struct network *net, ls_tensor x) { return ls_call(net->model, x, .training = true); }

static void make_mlp(struct network *net)
{
    net->input = LS_SHAPE(BATCH, 33);
    net->model = ls_sequential(net->ls, "mlp", (ls_layer *[]){
        ls_dense(net->ls, 40, .activation = LS_RELU), ls_dense(net->ls, 17, .activation = LS_TANH),
        ls_dense(net->ls, CLASSES), NULL});
}

static void make_cnn(struct network *net)
{
    net->input = LS_SHAPE(BATCH, 9, 9, 2);
    net->model = ls_sequential(net->ls, "cnn", (ls_layer *[]){
        ls_conv2d(net->ls, 6, {3}, .padding = LS_SAME), ls_batch_normalization_layer(net->ls),
        ls_activation_layer(net->ls, LS_RELU), ls_max_pooling2d(net->ls),
        ls_conv2d(net->ls, 5, {3}), ls_batch_normalization_layer(net->ls), ls_flatten(net->ls), ls_dense(net->ls, CLASSES), NULL});
}

static void add_weight(struct network *net, const char *name, ls_shape shape)
{
    net->weight[net->weights++] = ls_variable(ls_random_uniform(net->ls, shape, -0.4f, 0.4f), name, true);
}

/* h = tanh(x_t W + h U + b) over the second axis. */
static ls_tensor recur(const struct network *net, ls_tensor x)
{
    ls_tensor h = ls_zeros(net->ls, LS_FLOAT32, LS_SHAPE(BATCH, 12));
    for (int64_t t = 0; t < 5; t++) {
        ls_tensor now = ls_reshape(ls_slice(x, (int64_t[]){0, t, 0}, (int64_t[]){BATCH, 1, 7}, NULL), LS_SHAPE(BATCH, 7));
        h = ls_tanh(ls_add(ls_matmul(now, net->weight[0], .bias = net->weight[2]), ls_matmul(h, net->weight[1])));
    }
    return ls_matmul(h, net->weight[3]);
}

static void make_recurrent(struct network *net)
{
    net->input = LS_SHAPE(BATCH, 5, 7);
    net->forward = recur;
    add_weight(net, "kernel", LS_SHAPE(7, 12));
    add_weight(net, "recurrent_kernel", LS_SHAPE(12, 12));
    add_weight(net, "bias", LS_SHAPE(12));
    add_weight(net, "out", LS_SHAPE(12, CLASSES));
}

static ls_tensor attend(const struct network *net, ls_tensor x)
{
    ls_tensor q = ls_matmul(x, net->weight[0]), k = ls_matmul(x, net->weight[1]), v = ls_matmul(x, net->weight[2]);
    ls_tensor mixed = ls_layer_normalization(ls_add(x, ls_attention(q, .key = k, .value = v)), -1, (ls_tensor){0}, (ls_tensor){0}, 1e-3f);
    return ls_matmul(ls_mean(mixed, (int[]){1}, 1, false), net->weight[3]);
}

static void make_attention(struct network *net)
{
    net->input = LS_SHAPE(BATCH, 6, 16);
    net->forward = attend;
    add_weight(net, "query", LS_SHAPE(16, 16));
    add_weight(net, "key", LS_SHAPE(16, 16));
    add_weight(net, "value", LS_SHAPE(16, 16));
    add_weight(net, "out", LS_SHAPE(16, CLASSES));
}

static const struct {
    const char *name;
    void (*make)(struct network *net);
} networks[] = {
    {"network MLP", make_mlp},
    {"network CNN with batch normalization", make_cnn},
    {"network recurrent cell", make_recurrent},
    {"network attention", make_attention},
};

static size_t network_count(void) { return sizeof networks / sizeof *networks; }
static const char *network_name(size_t i) { return networks[i].name; }

static void step(const struct network *net, ls_optimizer *adam, ls_tensor x, ls_tensor y, int number,
                 struct verify_result *result)
{
    ls_tensor loss = {0}, gradient[32];
    char name[48];
    LS_TAPE (tape, net->ls)
        loss = ls_mean(ls_sparse_softmax_cross_entropy(y, net->forward(net, x)), NULL, 0, false);
    ls_variables variables = net->model ? ls_trainable_variables(net->model)
                                        : (ls_variables){.items = net->weight, .count = net->weights};
    ls_gradient(tape, loss, variables.items, variables.count, gradient);
    ls_apply_gradients(adam, (ls_gradients){gradient, variables.items, variables.count, net->ls});
    snprintf(name, sizeof name, "step %d, loss", number);
    verify_note(result, name, loss);
    for (size_t i = 0; i < variables.count; i++) {
        snprintf(name, sizeof name, "step %d, gradient of %.24s", number, ls_name(variables.items[i]));
        verify_note(result, name, gradient[i]);
        snprintf(name, sizeof name, "step %d, %.32s", number, ls_name(variables.items[i]));
        verify_note(result, name, variables.items[i]);
    }
}

static void network_run(size_t i, ls_context *ls, struct verify_result *result)
{
    struct network net = {.ls = ls, .forward = by_layers};
    ls_set_random_seed(ls, 7);
    LS_SCOPE (ls) {
        networks[i].make(&net);
        ls_optimizer *adam = ls_adam(ls, .learning_rate = 0.01f);
        ls_tensor x = ls_random_normal(ls, net.input, 0, 1), y = ls_random_randint(ls, LS_SHAPE(BATCH), 0, CLASSES);
        for (int s = 1; s <= STEPS; s++)
            LS_SCOPE (ls)
                step(&net, adam, x, y, s, result);
        ls_optimizer_destroy(&adam);
    }
    ls_layer_destroy(&net.model);
    for (size_t w = 0; w < net.weights; w++)
        ls_variable_destroy(&net.weight[w]);
}

const struct verify_suite verify_networks = {network_count, network_name, network_run};
