/* SPDX-License-Identifier: Apache-2.0
 *
 * The network 784-256-128-10 and its training step, as a user writes it.
 */
#include <math.h>

#include "bench.h"

/* inputs: x (128, 784), y (128); outputs: the loss. */
static void step(void *user, const ls_tensor *inputs, ls_tensor *outputs)
{
    struct mlp *net = user;
    ls_tensor loss;
    LS_TAPE(tape, net->ls) {
        ls_tensor logits = ls_call(net->model, inputs[0], .training = true);
        loss = ls_mean(ls_sparse_softmax_cross_entropy(inputs[1], logits), NULL, 0, false);
    }
    ls_gradients gradients = ls_gradients_of(tape, loss, ls_trainable_variables(net->model));
    ls_apply_gradients(net->adam, gradients);
    outputs[0] = loss;
}

void mlp_init(struct mlp *net, ls_context *ls, bool captured)
{
    static float x[MLP_BATCH * MLP_INPUTS];
    float draws[MLP_BATCH];
    int32_t y[MLP_BATCH];
    bench_random(x, MLP_BATCH * MLP_INPUTS, 1);
    bench_random(draws, MLP_BATCH, 2);
    for (int i = 0; i < MLP_BATCH; i++)
        y[i] = (int32_t)(fabsf(draws[i]) * 0x1p20f) % MLP_CLASSES;

    ls_set_random_seed(ls, 42);
    *net = (struct mlp){
        .ls = ls,
        .model = ls_sequential(ls, "mlp", (ls_layer *[]){
            ls_dense(ls, 256, .activation = LS_RELU),
            ls_dense(ls, 128, .activation = LS_RELU),
            ls_dense(ls, MLP_CLASSES),
            NULL}),
        .adam = ls_adam(ls, .learning_rate = 1e-3f),
        .batch = {ls_from_host(ls, LS_FLOAT32, LS_SHAPE(MLP_BATCH, MLP_INPUTS), x),
                  ls_from_host(ls, LS_INT32, LS_SHAPE(MLP_BATCH), y)},
        .captured = captured ? ls_function_create(ls, step, net, 2, 1) : NULL,
    };
    net->batch[0] = ls_variable(net->batch[0], "x", false); /* belongs to the context, not to a scope */
    net->batch[1] = ls_variable(net->batch[1], "y", false);
}

void mlp_finish(struct mlp *net)
{
    ls_function_destroy(&net->captured);
    ls_optimizer_destroy(&net->adam);
    ls_layer_destroy(&net->model);
    ls_variable_destroy(&net->batch[0]);
    ls_variable_destroy(&net->batch[1]);
}

float mlp_step(struct mlp *net)
{
    ls_tensor loss = {0};
    float value = NAN;
    LS_SCOPE(net->ls) {
        if (net->captured)
            ls_function_call(net->captured, net->batch, &loss);
        else
            step(net, net->batch, &loss);
        value = ls_item(loss);
    }
    return value;
}

ls_fingerprint_text mlp_fingerprint(struct mlp *net) { return ls_fingerprint_model(net->model); }
