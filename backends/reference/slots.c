/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of one instruction set.
 */
#include "slots.h"

const struct reference_slots ISA(slots) = {
    .fill = ISA(fill),
    .copy_nd = ISA(copy_nd),
    .map = ISA(map),
    .reduce = ISA(reduce),
    .gemm = ISA(gemm),
    .conv = ISA(conv),
    .pool = ISA(pool),
    .gather = ISA(gather),
    .scatter_add = ISA(scatter_add),
    .scan = ISA(scan),
    .sort = ISA(sort),
    .random = ISA(random),
    .digest = ISA(digest),
    .softmax = ISA(softmax),
    .sparse_xent = ISA(sparse_xent),
};
