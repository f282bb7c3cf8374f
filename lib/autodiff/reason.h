/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOCKSTEP_AUTODIFF_REASON_H
#define LOCKSTEP_AUTODIFF_REASON_H

#include "../core/record.h"

/** Notes on the tape why the request's source number `source` is not reached. */
void ls_reason_add(const ls_gradient_options *request, size_t source);

#endif
