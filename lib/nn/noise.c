/* SPDX-License-Identifier: Apache-2.0
 *
 * Dropout and Gaussian noise: layers that do something only while training.
 */
#include "layer.h"

static ls_tensor call_dropout(ls_layer *layer, void *state, ls_tensor x, bool training)
{
    float rate = *(float *)state;
    (void)layer;
    if (!training || rate == 0)
        return x;
    return rate == 1 ? ls_mul(x, ls_zeros_like(x)) : ls_dropout(x, rate);
}

static ls_tensor call_noise(ls_layer *layer, void *state, ls_tensor x, bool training)
{
    float stddev = *(float *)state;
    if (!training || stddev == 0 || !ls_layer_wants_float(layer, x))
        return x;
    return ls_add(x, ls_random_normal(ls_layer_context(layer), ls_shape_of_tensor(x), 0, stddev));
}

static const ls_layer_kind dropout = {
    .name = "dropout", .title = "Dropout", .state_size = sizeof(float), .call = call_dropout};
static const ls_layer_kind noise = {
    .name = "gaussian_noise", .title = "GaussianNoise", .state_size = sizeof(float), .call = call_noise};

static ls_layer *create(const ls_noise_options *o, const ls_layer_kind *kind, float most)
{
    if (!o->context || ls_failed(o->context))
        return NULL;
    if (!(o->amount >= 0 && o->amount <= most)) {
        ls_fail(o->context, LS_INVALID_ARGUMENT, "%s: %g is not between 0 and %g", kind->name, (double)o->amount,
                (double)most);
        return NULL;
    }
    return ls_layer_create(o->context, kind, &o->amount, o->name);
}

ls_layer *ls_dropout_layer_with(const ls_noise_options *o)
{
    return o ? create(o, &dropout, 1) : ls_no_options("dropout_layer");
}

ls_layer *ls_gaussian_noise_with(const ls_noise_options *o)
{
    return o ? create(o, &noise, 3.0e38f) : ls_no_options("gaussian_noise");
}
