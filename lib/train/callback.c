/* SPDX-License-Identifier: Apache-2.0
 *
 * What a callback is: a table of hooks with a user pointer.
 */
#include <math.h>
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
    if (!options)
        return ls_no_options("lambda_callback");
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

void *ls_callback_state(ls_context *ls, const char *name, size_t size)
{
    if (!ls || ls_failed(ls))
        return NULL;
    void *state = calloc(1, size);
    if (!state)
        ls_fail(ls, LS_OUT_OF_MEMORY, "%s: no host memory for a callback", name);
    return state;
}

/* ---- Tensors ---- */

void ls_forget_copies(struct ls_kept *kept)
{
    for (size_t i = 0; i < kept->count; i++)
        ls_variable_destroy(&kept->items[i]);
    free(kept->items);
    *kept = (struct ls_kept){NULL, 0};
}

ls_status ls_keep_copies(ls_context *ls, struct ls_kept *kept, const ls_tensor *items, size_t count)
{
    struct ls_kept copies = {calloc(count + 1, sizeof *copies.items), 0};
    if (!copies.items)
        return ls_fail(ls, LS_OUT_OF_MEMORY, "callback: no host memory for copies of %zu tensors", count);
    for (size_t i = 0; i < count && !ls_failed(ls); i++) {
        ls_tensor copy = ls_variable(items[i], ls_name(items[i]), false);
        if (!ls_is_nil(copy))
            copies.items[copies.count++] = copy;
    }
    ls_forget_copies(kept);
    *kept = copies;
    return ls_error(ls);
}

ls_variables ls_callback_variables(const ls_callback *callback)
{
    return callback && callback->kept ? (ls_variables){callback->kept->items, callback->kept->count, NULL}
                                      : (ls_variables){0};
}

ls_status ls_callback_set_variables(ls_callback *callback, const ls_tensor *values, size_t count)
{
    if (!callback)
        return LS_INVALID_ARGUMENT;
    if (callback->kept)
        return ls_keep_copies(callback->context, callback->kept, values, count);
    return count ? ls_fail(callback->context, LS_INVALID_ARGUMENT, "callback %s keeps no tensors", callback->name) : LS_OK;
}

/* ---- Numbers ---- */

const char *ls_callback_number_name(const ls_callback *callback, size_t i)
{
    return callback && i < LS_CALLBACK_NUMBERS ? callback->numbers[i].name : NULL;
}

static double *number_of(const ls_callback *callback, const char *name)
{
    const char *other;
    for (size_t i = 0; name && (other = ls_callback_number_name(callback, i)); i++)
        if (strcmp(other, name) == 0)
            return callback->numbers[i].at;
    return NULL;
}

double ls_callback_number(const ls_callback *callback, const char *name)
{
    const double *number = number_of(callback, name);
    return number ? *number : NAN;
}

ls_status ls_callback_set_number(ls_callback *callback, const char *name, double value)
{
    double *number = number_of(callback, name);
    if (number)
        *number = value;
    else if (callback)
        return ls_fail(callback->context, LS_NOT_FOUND, "callback %s keeps no number %s", callback->name,
                       name ? name : "NULL");
    return number ? LS_OK : LS_INVALID_ARGUMENT;
}
