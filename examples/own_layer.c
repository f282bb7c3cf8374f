/* SPDX-License-Identifier: Apache-2.0
 *
 * A layer and a model of one's own, the role of subclassing keras.layers.Layer and keras.Model: a struct for the
 * state, a function that makes the weights, a function that is called. The tape differentiates it like any other.
 */
#include <stdio.h>

#include <lockstep/lockstep.h>

/* ---- A layer: y = scale * tanh(x kernel), a scale for each of its units ---- */

struct scaled {
    int64_t units;
    ls_tensor kernel, scale; /* belong to the layer */
};

static void build_scaled(ls_layer *layer, void *state, ls_shape input)
{
    struct scaled *self = state;
    self->kernel = ls_add_weight(layer, "kernel", LS_SHAPE(input.dim[1], self->units), ls_glorot_uniform(), true);
    self->scale = ls_add_weight(layer, "scale", LS_SHAPE(self->units), ls_ones_initializer(), true);
}

static ls_tensor call_scaled(ls_layer *layer, void *state, ls_tensor x, bool training)
{
    const struct scaled *self = state;
    (void)layer, (void)training;
    return ls_mul(ls_tanh(ls_matmul(x, self->kernel)), self->scale);
}

static const ls_layer_kind scaled_kind = {.name = "scaled", .title = "Scaled", .state_size = sizeof(struct scaled),
                                          .build = build_scaled, .call = call_scaled};

/* ---- A model is a layer with parts: y = head(block(x) + x) ---- */

struct residual {
    ls_layer *block, *head;
};

static void build_residual(ls_layer *layer, void *state, ls_shape input)
{
    struct residual *self = state;
    ls_context *ls = ls_layer_context(layer);
    self->block = ls_add_layer(layer, ls_layer_create(ls, &scaled_kind, &(struct scaled){.units = input.dim[1]}, NULL));
    self->head = ls_add_layer(layer, ls_dense(ls, 1));
}

static ls_tensor call_residual(ls_layer *layer, void *state, ls_tensor x, bool training)
{
    const struct residual *self = state;
    (void)layer;
    ls_tensor h = ls_add(ls_call(self->block, x, .training = training), x); /* (batch, features) */
    return ls_call(self->head, h, .training = training);                    /* (batch, 1) */
}

static const ls_layer_kind residual_kind = {
    .name = "residual", .state_size = sizeof(struct residual), .build = build_residual, .call = call_residual};

int main(void)
{
    ls_context *ls = ls_open(NULL); /* LOCKSTEP_BACKEND, else the best device */
    ls_set_random_seed(ls, 1);
    ls_tensor x = ls_random_normal(ls, LS_SHAPE(256, 4), 0, 1);
    ls_tensor y = ls_sum(ls_tanh(x), (int[]){1}, 1, true); /* (256, 1) */

    ls_model *model = ls_layer_create(ls, &residual_kind, &(struct residual){0}, NULL);
    ls_compile(model, ls_adam(ls, .learning_rate = 0.02f), {ls_mean_squared_error_with});
    ls_history *history = NULL;
    ls_fit(model, .x = x, .y = y, .epochs = 20, .history = &history);

    ls_variables weights = ls_trainable_variables(model);
    for (size_t i = 0; i < weights.count; i++)
        printf("%s\n", ls_name(weights.items[i]));
    printf("loss: %.4f, then %.4f\n", ls_history_value(history, "loss", 0), ls_history_value(history, "loss", 19));
    printf("weights: %s\n", ls_fingerprint_model(model).text);
    if (ls_error(ls) != LS_OK)
        fprintf(stderr, "own_layer: %s\n", ls_error_message(ls));
    return ls_close(&ls) == LS_OK ? 0 : 1;
}
