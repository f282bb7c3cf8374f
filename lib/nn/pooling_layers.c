/* SPDX-License-Identifier: Apache-2.0
 *
 * Pooling layers: a table of kinds over four ops.
 */
#include <lockstep/layers_spatial.h>

#include "layer.h"

struct pooling {
    ls_pool_options options;
    bool keepdims;
    int rank; /* of the input */
    ls_tensor (*windows)(const ls_pool_options *options);
    ls_tensor (*global)(ls_tensor x, bool keepdims);
};

static ls_tensor call(ls_layer *layer, void *state, ls_tensor x, bool training)
{
    const struct pooling *p = state;
    (void)training;
    if (!ls_layer_wants_rank(layer, ls_shape_of_tensor(x), p->rank,
                             p->rank == 3 ? "(batch, length, channels)" : "(batch, height, width, channels)") ||
        !ls_layer_wants_float(layer, x))
        return (ls_tensor){0};
    if (p->global)
        return p->global(x, p->keepdims);
    ls_pool_options options = p->options;
    options.input = x;
    return p->windows(&options);
}

static ls_layer *create_windows(const ls_pooling_layer_options *o, const ls_layer_kind *kind, int rank,
                                ls_tensor (*windows)(const ls_pool_options *))
{
    struct pooling state = {.options.padding = o->padding, .rank = rank, .windows = windows};
    for (int d = 0; d < LS_SPATIAL_MAX; d++) {
        state.options.pool_size[d] = o->pool_size[d];
        state.options.strides[d] = o->strides[d];
    }
    if (o->pool_size[0] == 0)
        state.options.pool_size[0] = 2;
    return ls_layer_create(o->context, kind, &state, o->name);
}

static ls_layer *create_global(const ls_global_pooling_options *o, const ls_layer_kind *kind, int rank,
                               ls_tensor (*global)(ls_tensor, bool))
{
    struct pooling state = {.keepdims = o->keepdims, .rank = rank, .global = global};
    return ls_layer_create(o->context, kind, &state, o->name);
}

#define LAYER(function, options_type, create, class, rank, op)                                     \
    ls_layer *ls_##function##_with(const options_type *o)                                          \
    {                                                                                              \
        static const ls_layer_kind kind = {                                                        \
            .name = #function, .title = class, .state_size = sizeof(struct pooling), .call = call}; \
        return o ? create(o, &kind, rank, op) : ls_no_options(#function);                          \
    }
#define WINDOWS(function, class, rank, op) LAYER(function, ls_pooling_layer_options, create_windows, class, rank, op)
#define GLOBAL(function, class, rank, op) LAYER(function, ls_global_pooling_options, create_global, class, rank, op)

WINDOWS(max_pooling1d, "MaxPooling1D", 3, ls_max_pool_with)
WINDOWS(max_pooling2d, "MaxPooling2D", 4, ls_max_pool_with)
WINDOWS(average_pooling1d, "AveragePooling1D", 3, ls_average_pool_with)
WINDOWS(average_pooling2d, "AveragePooling2D", 4, ls_average_pool_with)
GLOBAL(global_max_pooling1d, "GlobalMaxPooling1D", 3, ls_global_max_pool)
GLOBAL(global_max_pooling2d, "GlobalMaxPooling2D", 4, ls_global_max_pool)
GLOBAL(global_average_pooling1d, "GlobalAveragePooling1D", 3, ls_global_average_pool)
GLOBAL(global_average_pooling2d, "GlobalAveragePooling2D", 4, ls_global_average_pool)
