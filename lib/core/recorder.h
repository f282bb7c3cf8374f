/* SPDX-License-Identifier: Apache-2.0
 *
 * What a function writes down while it is being captured. function.c owns it; dispatch and variables
 * tell it what happens, by ls_recorder_add and ls_recorder_moved (state.h).
 */
#ifndef LOCKSTEP_CORE_RECORDER_H
#define LOCKSTEP_CORE_RECORDER_H

#include "state.h"

struct bound_variable {
    ls_tensor variable;
    struct ls_storage *storage;
    bool held; /* one of the storage's references is the function's */
};

struct ls_recorder {
    struct ls_node *nodes;
    size_t count, capacity;
    struct ls_storage **kept; /* storage from outside that the nodes read */
    size_t kept_count, kept_capacity;
    struct bound_variable *bound;
    size_t bound_count;
    struct ls_pool *pool;
    struct ls_receipt_mark *marks; /* recorded steps of receipts (receipt.c) */
    size_t mark_count;
};

/** Makes room for one more item; false, and nothing changed, without memory. */
bool ls_reserve(void **items, size_t count, size_t *capacity, size_t size);

/** Makes one of the storage's references the function's. */
void ls_recorder_hold(struct bound_variable *bound);

#endif
