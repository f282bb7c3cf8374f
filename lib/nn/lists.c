/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists that live as long as a scope. Each list holds a scalar of the scope it was taken in: when
 * that handle has become stale, the scope has ended and the list may be used again.
 */
#include <stdint.h>
#include <stdlib.h>

#include "../core/internal.h"
#include "lists.h"

struct ls_list {
    struct ls_list *next;
    ls_tensor guard;
    size_t capacity;
    ls_tensor items[];
};

static struct ls_list *unused(struct ls_lists *lists, size_t count)
{
    for (struct ls_list *list = lists->first; list; list = list->next)
        if (list->capacity >= count && ls_size(list->guard) == 0)
            return list;
    return NULL;
}

ls_tensor *ls_lists_take(struct ls_lists *lists, ls_context *ls, size_t count)
{
    struct ls_list *list = unused(lists, count);
    if (!list) {
        if (count <= (SIZE_MAX - sizeof *list) / sizeof(ls_tensor))
            list = malloc(sizeof *list + count * sizeof(ls_tensor));
        if (!list) {
            ls_fail(ls, LS_OUT_OF_MEMORY, "no host memory for a list of %zu tensors", count);
            return NULL;
        }
        list->capacity = count;
        list->next = lists->first;
        lists->first = list;
    }
    list->guard = ls_scalar(ls, 0);
    for (size_t i = 0; i < count; i++)
        list->items[i] = (ls_tensor){0};
    return ls_is_nil(list->guard) ? NULL : list->items;
}

void ls_lists_finish(struct ls_lists *lists)
{
    while (lists->first) {
        struct ls_list *next = lists->first->next;
        free(lists->first);
        lists->first = next;
    }
}
