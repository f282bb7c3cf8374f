/* SPDX-License-Identifier: Apache-2.0 */
#include "activation.h"

static const enum ls_row rows[LS_ACTIVATION_COUNT] = {
    [LS_LINEAR] = LS_ROW_NONE,
    [LS_RELU] = LS_ROW_relu,
    [LS_SIGMOID] = LS_ROW_sigmoid,
    [LS_TANH] = LS_ROW_tanh,
};

enum ls_row ls_activation_row(ls_activation activation) { return rows[activation]; }

/* The gradient before the activation, from the activation's result: the rules of relu, sigmoid and
 * tanh in elementwise.def, which all read only y. */
ls_tensor ls_before_activation(ls_activation activation, ls_tensor g, ls_tensor y)
{
    ls_tensor one = ls_scalar(g.context, 1.0f);
    switch (activation) {
    case LS_RELU: return ls_relu_grad(g, y);
    case LS_SIGMOID: return ls_mul(ls_mul(g, y), ls_sub(one, y));
    case LS_TANH: return ls_mul(g, ls_fma(ls_neg(y), y, one));
    default: break;
    }
    return g;
}
