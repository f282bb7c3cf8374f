/* SPDX-License-Identifier: Apache-2.0
 *
 * The layers one after another.
 */
#include <stdlib.h>

#include <lockstep/layers.h>

#include "../core/internal.h"

struct sequential {
    ls_layer **layers;
    size_t count;
};

static ls_tensor call(ls_layer *layer, void *state, ls_tensor x, bool training)
{
    (void)layer;
    const struct sequential *s = state;
    for (size_t i = 0; i < s->count; i++)
        x = ls_call(s->layers[i], x, .training = training);
    return x;
}

static void destroy(void *state) { free(((struct sequential *)state)->layers); }

static const ls_layer_kind sequential = {
    .name = "sequential", .title = "Sequential", .state_size = sizeof(struct sequential), .call = call, .destroy = destroy};

ls_model *ls_sequential(ls_context *ls, const char *name, ls_layer *const *layers)
{
    if (!ls || ls_failed(ls))
        return NULL;
    struct sequential state = {0};
    while (layers && layers[state.count])
        state.count++;
    state.layers = malloc((state.count + 1) * sizeof(ls_layer *));
    if (!state.layers) {
        ls_fail(ls, LS_OUT_OF_MEMORY, "sequential: no host memory for %zu layers", state.count);
        return NULL;
    }
    for (size_t i = 0; i < state.count; i++)
        state.layers[i] = layers[i];
    ls_model *model = ls_layer_create(ls, &sequential, &state, name);
    if (!model) {
        free(state.layers);
        return NULL;
    }
    for (size_t i = 0; i < state.count; i++)
        if (!ls_add_layer(model, state.layers[i]))
            return NULL;
    return model;
}
