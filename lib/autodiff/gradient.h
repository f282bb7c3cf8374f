/* SPDX-License-Identifier: Apache-2.0
 *
 * What jacobian.c and custom.c share with gradient.c.
 */
#ifndef LOCKSTEP_AUTODIFF_GRADIENT_H
#define LOCKSTEP_AUTODIFF_GRADIENT_H

#include "../core/record.h"

/** As ls_gradient_with, but the tape is not consumed and reasons are not noted. */
ls_status ls_gradient_again(const ls_gradient_options *request);

/**
 * From inside a rule: the gradient of an inner tape's target, whose output gradient is call->dy, to
 * those of call->in that need one. Their contributions go one by one to where the rule's own gradients
 * would go, so that the order of additions is that of a single tape.
 */
ls_status ls_gradient_into(ls_tape *inner, ls_tensor target, struct ls_vjp_call *call);

/** Raises what forbids asking a tape: it is consumed. Handles are checked by the calls above. */
ls_status ls_tape_askable(ls_tape *tape, const char *what);
/** Raises, on the context of `tensor` if it has one, that the tape is NULL. */
ls_status ls_tape_missing(const char *what, ls_tensor tensor);
/** After a gradient: a tape that is not persistent is consumed. */
void ls_tape_consume(ls_tape *tape);

#endif
