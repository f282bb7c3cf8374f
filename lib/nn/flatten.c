/* SPDX-License-Identifier: Apache-2.0
 *
 * Flatten: all dimensions but the batch become one.
 */
#include <lockstep/layers.h>

#include "../core/internal.h"

static ls_tensor call(ls_layer *layer, void *state, ls_tensor x, bool training)
{
    (void)state;
    (void)training;
    ls_shape shape = ls_shape_of_tensor(x);
    if (shape.rank < 1) {
        ls_fail(ls_layer_context(layer), LS_SHAPE_MISMATCH, "%s: input (): needs at least (batch)",
                ls_layer_name(layer));
        return (ls_tensor){0};
    }
    int64_t features = 1;
    for (int d = 1; d < shape.rank; d++)
        features *= shape.dim[d];
    return ls_reshape(x, LS_SHAPE(shape.dim[0], features));
}

static const ls_layer_kind flatten = {.name = "flatten", .title = "Flatten", .call = call};

ls_layer *ls_flatten_with(const ls_flatten_options *options)
{
    if (!options)
        return ls_no_options("flatten");
    return ls_layer_create(options->context, &flatten, NULL, options->name);
}
