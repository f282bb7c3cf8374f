/* SPDX-License-Identifier: Apache-2.0
 *
 * Lambda: a function of the user's as a layer.
 */
#include "layer.h"

static ls_tensor call(ls_layer *layer, void *state, ls_tensor x, bool training)
{
    (void)layer;
    (void)training;
    const ls_lambda_options *o = state;
    return o->function(o->user, x);
}

static const ls_layer_kind lambda = {
    .name = "lambda", .title = "Lambda", .state_size = sizeof(ls_lambda_options), .call = call};

ls_layer *ls_lambda_with(const ls_lambda_options *o)
{
    if (!o)
        return ls_no_options("lambda");
    if (!o->context || ls_failed(o->context))
        return NULL;
    if (!o->function) {
        ls_fail(o->context, LS_INVALID_ARGUMENT, "lambda: there is no function");
        return NULL;
    }
    ls_lambda_options state = *o;
    state.name = NULL;
    return ls_layer_create(o->context, &lambda, &state, o->name);
}
