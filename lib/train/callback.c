/* SPDX-License-Identifier: Apache-2.0
 *
 * What a callback is: a table of hooks with a user pointer.
 */
#include <stdlib.h>
#include <string.h>

#include "train.h"

static void free_callback(void *object)
{
    ls_callback *callback = object;
    if (callback->destroy)
        callback->destroy(callback->user);
    free(callback->name);
    free(callback);
}

ls_callback *ls_lambda_callback_with(const ls_lambda_callback_options *options)
{
    ls_context *ls = options->context;
    if (!ls || ls_failed(ls))
        return NULL;
    const char *name = options->name ? options->name : "callback";
    ls_callback *callback = calloc(1, sizeof *callback);
    char *copy = malloc(strlen(name) + 1);
    if (!callback || !copy || ls_own(ls, callback, free_callback) != LS_OK) {
        free(callback);
        free(copy);
        ls_fail(ls, LS_OUT_OF_MEMORY, "%s: no host memory for a callback", name);
        return NULL;
    }
    callback->context = ls;
    callback->name = strcpy(copy, name);
    callback->user = options->user;
    callback->destroy = options->destroy;
#define TAKE(hook) callback->hooks[LS_HOOK_##hook] = options->hook;
    LS_HOOK_LIST(TAKE)
#undef TAKE
    return callback;
}

void ls_callback_destroy(ls_callback **pointer)
{
    if (!pointer || !*pointer)
        return;
    ls_disown((*pointer)->context, *pointer);
    free_callback(*pointer);
    *pointer = NULL;
}
