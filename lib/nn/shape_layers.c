/* SPDX-License-Identifier: Apache-2.0
 *
 * Layers that only arrange: Reshape, Permute, ZeroPadding2D, UpSampling2D.
 */
#include <lockstep/layers_spatial.h>

#include "layer.h"

static const char images[] = "(batch, height, width, channels)";

/* ---- Reshape ---- */

/* The -1 is worked out here, because an empty batch tells nothing about it. */
static ls_tensor call_reshape(ls_layer *layer, void *state, ls_tensor x, bool training)
{
    ls_shape target = *(ls_shape *)state, shape = ls_shape_of_tensor(x), result = {.rank = target.rank + 1};
    int64_t features = 1, known = 1;
    int inferred = -1;
    (void)training;
    for (int d = 1; d < shape.rank; d++)
        features *= shape.dim[d];
    for (int d = 0; d < target.rank; d++) {
        result.dim[d + 1] = target.dim[d];
        if (target.dim[d] == -1)
            inferred = d + 1;
        else
            known *= target.dim[d];
    }
    bool fits = shape.rank > 0 && (inferred < 0 ? known == features : known > 0 && features % known == 0);
    if (!fits) {
        ls_fail(ls_layer_context(layer), LS_SHAPE_MISMATCH, "%s: input %s has %lld elements behind the batch, which do not "
                "make %s", ls_layer_name(layer), ls_text(shape).text, (long long)features, ls_text(target).text);
        return (ls_tensor){0};
    }
    result.dim[0] = shape.dim[0];
    if (inferred > 0)
        result.dim[inferred] = features / known;
    return ls_reshape(x, result);
}

static const ls_layer_kind reshape = {
    .name = "reshape", .title = "Reshape", .state_size = sizeof(ls_shape), .call = call_reshape};

ls_layer *ls_reshape_layer_with(const ls_reshape_options *o)
{
    if (!o)
        return ls_no_options("reshape_layer");
    int inferred = 0;
    bool good = o->target_shape.rank >= 0 && o->target_shape.rank < LS_MAX_RANK;
    for (int d = 0; good && d < o->target_shape.rank; d++) {
        inferred += o->target_shape.dim[d] == -1;
        good = o->target_shape.dim[d] >= -1 && inferred <= 1;
    }
    if (!o->context || ls_failed(o->context))
        return NULL;
    if (!good) {
        ls_fail(o->context, LS_INVALID_ARGUMENT, "reshape: a target shape has at most %d sizes, none negative but one "
                "that may be -1", LS_MAX_RANK - 1);
        return NULL;
    }
    return ls_layer_create(o->context, &reshape, &o->target_shape, o->name);
}

/* ---- Permute ---- */

static ls_tensor call_permute(ls_layer *layer, void *state, ls_tensor x, bool training)
{
    const ls_permute_options *o = state;
    int rank = ls_shape_of_tensor(x).rank, axes[LS_MAX_RANK] = {0}, count = 0;
    (void)training;
    while (count < LS_MAX_RANK && o->dims[count])
        count++;
    if (count != rank - 1) {
        ls_fail(ls_layer_context(layer), LS_SHAPE_MISMATCH, "%s: %d dims for an input %s, which has %d behind the batch",
                ls_layer_name(layer), count, ls_text(ls_shape_of_tensor(x)).text, rank - 1);
        return (ls_tensor){0};
    }
    for (int d = 1; d < rank; d++)
        axes[d] = o->dims[d - 1];
    return ls_transpose(x, axes);
}

static const ls_layer_kind permute = {
    .name = "permute", .title = "Permute", .state_size = sizeof(ls_permute_options), .call = call_permute};

ls_layer *ls_permute_with(const ls_permute_options *o)
{
    if (!o)
        return ls_no_options("permute");
    ls_permute_options state = *o;
    state.name = NULL;
    return ls_layer_create(o->context, &permute, &state, o->name);
}

/* ---- Zero padding ---- */

static ls_tensor call_padding(ls_layer *layer, void *state, ls_tensor x, bool training)
{
    const ls_zero_padding2d_options *o = state;
    (void)training;
    if (!ls_layer_wants_rank(layer, ls_shape_of_tensor(x), 4, images))
        return (ls_tensor){0};
    int64_t before[] = {0, o->top, o->left, 0}, after[] = {0, o->bottom, o->right, 0};
    return ls_pad(x, .before = before, .after = after);
}

static const ls_layer_kind padding = {.name = "zero_padding2d",
                                      .title = "ZeroPadding2D",
                                      .state_size = sizeof(ls_zero_padding2d_options),
                                      .call = call_padding};

ls_layer *ls_zero_padding2d_with(const ls_zero_padding2d_options *o)
{
    if (!o)
        return ls_no_options("zero_padding2d");
    ls_zero_padding2d_options state = *o;
    state.name = NULL;
    return ls_layer_create(o->context, &padding, &state, o->name);
}

/* ---- Up-sampling ---- */

static ls_tensor call_sampling(ls_layer *layer, void *state, ls_tensor x, bool training)
{
    const ls_up_sampling2d_options *o = state;
    ls_shape shape = ls_shape_of_tensor(x);
    (void)training;
    if (!ls_layer_wants_rank(layer, shape, 4, images))
        return (ls_tensor){0};
    if (o->bilinear)
        return ls_resize_bilinear(x, shape.dim[1] * o->size[0], shape.dim[2] * o->size[1]);
    return ls_repeat(ls_repeat(x, o->size[0], 1), o->size[1], 2);
}

static const ls_layer_kind sampling = {.name = "up_sampling2d",
                                       .title = "UpSampling2D",
                                       .state_size = sizeof(ls_up_sampling2d_options),
                                       .call = call_sampling};

ls_layer *ls_up_sampling2d_with(const ls_up_sampling2d_options *o)
{
    if (!o)
        return ls_no_options("up_sampling2d");
    ls_up_sampling2d_options state = *o;
    if (!o->context || ls_failed(o->context))
        return NULL;
    if (o->size[0] < 0 || o->size[1] < 0) {
        ls_fail(o->context, LS_INVALID_ARGUMENT, "up_sampling2d: size {%lld, %lld} is negative", (long long)o->size[0],
                (long long)o->size[1]);
        return NULL;
    }
    state.name = NULL;
    state.size[0] = o->size[0] ? o->size[0] : 2;
    state.size[1] = o->size[1] ? o->size[1] : state.size[0];
    return ls_layer_create(o->context, &sampling, &state, o->name);
}
