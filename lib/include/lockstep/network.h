/* SPDX-License-Identifier: Apache-2.0
 *
 * Ops of neural networks. See ops.h for what all ops share.
 */
#ifndef LOCKSTEP_NETWORK_H
#define LOCKSTEP_NETWORK_H

#include <lockstep/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Networks, float32 ---- */

/** e^(a - max) / sum e^(a - max) along `axis`. */
LS_API ls_tensor ls_softmax(ls_tensor a, int axis);
/** (a - max) - log(sum e^(a - max)) along `axis`. */
LS_API ls_tensor ls_log_softmax(ls_tensor a, int axis);
/** -log softmax(logits)[label]: labels int32 (…), logits (…, classes) -> (…). Keras' from_logits. */
LS_API ls_tensor ls_sparse_softmax_cross_entropy(ls_tensor labels, ls_tensor logits);

#ifdef __cplusplus
}
#endif
#endif
