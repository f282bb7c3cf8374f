/* SPDX-License-Identifier: Apache-2.0
 *
 * The activations that products and convolutions apply to their results.
 */
#ifndef LOCKSTEP_OPS_ACTIVATION_H
#define LOCKSTEP_OPS_ACTIVATION_H

#include "op.h"

/** The row that an epilogue runs. */
enum ls_row ls_activation_row(ls_activation activation);

/** The gradient before the activation, from the activation's result y. */
ls_tensor ls_before_activation(ls_activation activation, ls_tensor g, ls_tensor y);

#endif
