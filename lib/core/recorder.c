/* SPDX-License-Identifier: Apache-2.0
 *
 * Called while a function is being captured: the primitive calls, and what becomes of variables.
 */
#include "recorder.h"

#include <stdlib.h>

bool ls_reserve(void **items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return true;
    size_t more = *capacity ? 2 * *capacity : 64;
    void *grown = realloc(*items, more * size);
    if (!grown)
        return false;
    *items = grown;
    *capacity = more;
    return true;
}

ls_status ls_recorder_add(ls_context *ls, const struct ls_node *node, const struct ls_extent *extents, int count)
{
    struct ls_recorder *r = ls->recorder;
    if (!ls_reserve((void **)&r->nodes, r->count, &r->capacity, sizeof *r->nodes))
        return ls_fail(ls, LS_OUT_OF_MEMORY, "no host memory for a captured step of %zu calls", r->count);
    for (int i = 0; i < count; i++) {
        struct ls_storage *owner = (*extents[i].buffer)->owner;
        if (!owner || owner->pool == r->pool)
            continue;
        bool known = false;
        for (size_t k = 0; k < r->kept_count && !known; k++)
            known = r->kept[k] == owner;
        if (known)
            continue;
        if (!ls_reserve((void **)&r->kept, r->kept_count, &r->kept_capacity, sizeof *r->kept))
            return ls_fail(ls, LS_OUT_OF_MEMORY, "no host memory for a captured step");
        ls_storage_retain(owner);
        r->kept[r->kept_count++] = owner;
    }
    r->nodes[r->count++] = *node;
    return LS_OK;
}

void ls_recorder_hold(struct bound_variable *bound)
{
    ls_storage_retain(bound->storage);
    bound->held = true;
}

ls_status ls_recorder_moved(ls_context *ls, struct ls_slot *slot)
{
    /* The first time only: afterwards the variable's storage is another, or was put back by a checkpoint. */
    struct ls_recorder *r = ls->recorder;
    for (size_t b = 0; b < r->bound_count; b++)
        if (r->bound[b].storage == slot->value.storage && !r->bound[b].held)
            ls_recorder_hold(&r->bound[b]);
    return LS_OK;
}
