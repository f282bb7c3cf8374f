/* SPDX-License-Identifier: Apache-2.0
 *
 * Rescaling: x * scale + offset, and the cast of images to float32.
 */
#include <lockstep/layers.h>

#include "../core/internal.h"

struct rescaling {
    ls_context *context;
    float scale, offset;
};

static ls_tensor call(ls_layer *layer, void *state, ls_tensor x, bool training)
{
    (void)layer;
    (void)training;
    const struct rescaling *r = state;
    if (ls_dtype_of(x) != LS_FLOAT32)
        x = ls_cast(x, LS_FLOAT32);
    ls_tensor scale = ls_scalar(r->context, r->scale);
    return r->offset != 0 ? ls_fma(x, scale, ls_scalar(r->context, r->offset)) : ls_mul(x, scale);
}

static const ls_layer_kind rescaling = {
    .name = "rescaling", .title = "Rescaling", .state_size = sizeof(struct rescaling), .call = call};

ls_layer *ls_rescaling_with(const ls_rescaling_options *options)
{
    if (!options)
        return ls_no_options("rescaling");
    struct rescaling state = {options->context, options->scale, options->offset};
    return ls_layer_create(options->context, &rescaling, &state, options->name);
}
