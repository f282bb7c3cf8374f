/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists of tensors that live as long as a scope, for host memory behind values such as ls_gradients.
 */
#ifndef LOCKSTEP_NN_LISTS_H
#define LOCKSTEP_NN_LISTS_H

#include <lockstep/tensor.h>

struct ls_list;

/** Lists and those to use again. All zero is empty. */
struct ls_lists {
    struct ls_list *first;
};

/**
 * An array of `count` nil tensors that holds until the innermost scope ends. NULL on an error
 * (raised). Costs a search over the lists in use, which are one or two.
 */
ls_tensor *ls_lists_take(struct ls_lists *lists, ls_context *ls, size_t count);

/** Frees all lists. */
void ls_lists_finish(struct ls_lists *lists);

#endif
