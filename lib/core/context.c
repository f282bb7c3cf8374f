/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening and closing a context, and what belongs to it.
 */
#include <stdlib.h>
#include <string.h>

#include "env.h"
#include "receipt.h"
#include "record.h"
#include "state.h"

static ls_log_level level_named(const char *name)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    for (int level = 0; level < 4; level++)
        if (strcmp(name, names[level]) == 0)
            return (ls_log_level)level;
    return LS_LOG_INFO;
}

ls_context *ls_open(const char *device)
{
    const char *level = ls_env("LOCKSTEP_LOG");
    ls_context *ls = ls_open_logged(device, level ? level_named(level) : LS_LOG_ERROR, level ? ls_log_stderr : NULL, NULL);
    if (ls && !ls_failed(ls))
        ls_receipt_open(ls);
    return ls;
}

ls_context *ls_open_logged(const char *device, ls_log_level least, ls_log_fn *log, void *user)
{
    ls_context *ls = calloc(1, sizeof *ls);
    if (!ls)
        return NULL;
    ls->free_slot = ls->variables = LS_NO_SLOT;
    ls->current_pool = &ls->pool;
    ls_set_log(ls, least, log, user);
    ls_scope_begin(ls);
    if (ls->scope_count == 0) {
        free(ls);
        return NULL;
    }
    const char *asked = device ? device : ls_env("LOCKSTEP_BACKEND");
    struct ls_message message = {{0}};
    ls_status status = ls_device_open(asked ? asked : "auto", &ls->device, &message);
    if (status != LS_OK) {
        ls_fail(ls, status, "%s", message.text);
        return ls;
    }
    ls_numerics_open(ls);
    ls_say(ls, LS_LOG_INFO, "%s: %s (%s); %s", ls->device->info.device, ls->device->info.name,
           ls->device->info.driver, message.text[0] ? message.text : "as asked");
    return ls;
}

ls_context *ls_open_plain(const char *device) { return ls_open_logged(device, LS_LOG_ERROR, NULL, NULL); }

ls_status ls_close(ls_context **pointer)
{
    if (!pointer || !*pointer)
        return LS_OK;
    ls_context *ls = *pointer;
    if (ls->device) {
        ls_status status = ls->device->lost ? LS_OK : ls->device->backend->finish(ls->device);
        if (status != LS_OK)
            ls_fail_device(ls, status, "close");
        else if (!ls->device->lost)
            ls_check_fault(ls);
    }
    ls_receipt_close(ls);
    while (ls->owned_count > 0) {
        struct ls_owned last = ls->owned[--ls->owned_count];
        last.destroy(last.object);
    }
    ls_tapes_end_scope(ls, 0);
    ls_tensors_close(ls);
    if (ls->random_step)
        ls_storage_release(ls, ls->random_step);
    if (ls->device) {
        ls_pools_trim(ls);
        ls_status status = ls->device->backend->report ? ls->device->backend->report(ls->device) : LS_OK;
        if (status != LS_OK)
            ls_fail_device(ls, status, "close");
        ls->device->backend->close(ls->device);
    }
    while (ls->pools) {
        struct ls_pool *next = ls->pools->next;
        free(ls->pools);
        ls->pools = next;
    }
    while (ls->free_storage) {
        struct ls_storage *next = ls->free_storage->next_free;
        free(ls->free_storage);
        ls->free_storage = next;
    }
    ls_status error = ls->error;
    free(ls->numerics);
    free(ls->owned);
    free(ls);
    *pointer = NULL;
    return error;
}

ls_status ls_synchronize(ls_context *ls)
{
    if (!ls)
        return LS_INVALID_ARGUMENT;
    if (ls_failed(ls))
        return ls->error;
    ls_status status = ls->device->backend->finish(ls->device);
    return status == LS_OK ? ls_check_fault(ls) : ls_fail_device(ls, status, "synchronize");
}

const char *ls_device_id(const ls_context *ls) { return ls && ls->device ? ls->device->info.device : ""; }
const char *ls_device_name(const ls_context *ls) { return ls && ls->device ? ls->device->info.name : ""; }

ls_stats ls_get_stats(const ls_context *ls) { return ls ? ls->stats : (ls_stats){0}; }

void ls_set_random_seed(ls_context *ls, uint64_t seed)
{
    if (!ls)
        return;
    ls->seed = seed;
    if (ls->random_step) {
        ls_storage_release(ls, ls->random_step);
        ls->random_step = NULL;
    }
}

ls_status ls_own(ls_context *ls, void *object, void (*destroy)(void *object))
{
    if (ls->owned_count == ls->owned_capacity) {
        size_t capacity = ls->owned_capacity ? 2 * ls->owned_capacity : 16;
        struct ls_owned *owned = realloc(ls->owned, capacity * sizeof *owned);
        if (!owned)
            return ls_fail(ls, LS_OUT_OF_MEMORY, "no host memory for an object of the context");
        ls->owned = owned;
        ls->owned_capacity = capacity;
    }
    ls->owned[ls->owned_count++] = (struct ls_owned){object, destroy};
    return LS_OK;
}

void ls_disown(ls_context *ls, void *object)
{
    for (size_t i = ls->owned_count; i-- > 0;) {
        if (ls->owned[i].object == object) {
            memmove(&ls->owned[i], &ls->owned[i + 1], (ls->owned_count - i - 1) * sizeof *ls->owned);
            ls->owned_count--;
            return;
        }
    }
}

void *ls_owned_by(const ls_context *ls, void (*destroy)(void *object))
{
    for (size_t i = 0; i < ls->owned_count; i++)
        if (ls->owned[i].destroy == destroy)
            return ls->owned[i].object;
    return NULL;
}

const char *ls_version(void) { return LOCKSTEP_VERSION; }
int ls_canon_version(void) { return 1; }
