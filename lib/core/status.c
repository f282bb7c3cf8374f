/* SPDX-License-Identifier: Apache-2.0
 *
 * Statuses, the context's sticky error, and the log.
 */
#include <stdio.h>

#include "state.h"

const char *ls_status_text(ls_status status)
{
    switch (status) {
#define LS_TEXT(name, value, text) case name: return text;
        LS_STATUS_LIST(LS_TEXT)
#undef LS_TEXT
    }
    return "unknown status";
}

const char *ls_status_name(ls_status status)
{
    switch (status) {
#define LS_NAME(name, value, text) case name: return #name;
        LS_STATUS_LIST(LS_NAME)
#undef LS_NAME
    }
    return "unknown";
}

/* Every error passes here: `break ls_error_raised` stops where it happens. */
static __attribute__((noinline)) void ls_error_raised(ls_status status)
{
    __asm__ volatile("" : : "r"(status));
}

static void log_text(ls_context *ls, ls_log_level level, const char *text)
{
    if (ls->log && level >= ls->log_least)
        ls->log(ls->log_user, level, text);
}

/* What went wrong last in a call that had no context to keep it: NULL options, an empty list of tensors. */
static _Thread_local char without_context[512];

ls_status ls_fail(ls_context *ls, ls_status status, const char *format, ...)
{
    va_list args;
    ls_error_raised(status);
    if (!ls) {
        va_start(args, format);
        vsnprintf(without_context, sizeof without_context, format, args);
        va_end(args);
        return status;
    }
    if (ls->error != LS_OK)
        return status;
    ls->error = status;
    va_start(args, format);
    vsnprintf(ls->message, sizeof ls->message, format, args);
    va_end(args);
    log_text(ls, LS_LOG_ERROR, ls->message);
    return status;
}

void *ls_no_options(const char *what)
{
    ls_fail(NULL, LS_INVALID_ARGUMENT, "%s: its options are NULL; all zero means the defaults", what);
    return NULL;
}

ls_status ls_fail_device(ls_context *ls, ls_status status, const char *what)
{
    struct ls_device *device = ls->device;
    if (status == LS_DEVICE_LOST)
        device->lost = true;
    const char *said = device->message.text[0] ? device->message.text : ls_status_text(status);
    if (status == LS_DIVERGED && ls->op)
        ls_fail(ls, status, "%s on %s, in or after the op %s: %s", what, device->info.device, ls->op, said);
    else
        ls_fail(ls, status, "%s on %s: %s", what, device->info.device, said);
    device->message.text[0] = '\0';
    return status;
}

void ls_say(ls_context *ls, ls_log_level level, const char *format, ...)
{
    if (!ls->log || level < ls->log_least)
        return;
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    log_text(ls, level, text);
}

void ls_log_stderr(void *user, ls_log_level level, const char *message)
{
    (void)user;
    (void)level;
    fprintf(stderr, "lockstep: %s\n", message);
}

ls_status ls_error(const ls_context *ls) { return ls ? ls->error : LS_INVALID_ARGUMENT; }

const char *ls_error_message(const ls_context *ls)
{
    if (!ls)
        return without_context[0] ? without_context : "the context is NULL";
    return ls->error ? ls->message : "";
}

void ls_clear_error(ls_context *ls)
{
    if (!ls)
        without_context[0] = '\0';
    if (!ls || !ls->device || ls->device->lost)
        return;
    ls->error = LS_OK;
    ls->message[0] = '\0';
}

void ls_set_log(ls_context *ls, ls_log_level least, ls_log_fn *log, void *user)
{
    if (!ls)
        return;
    ls->log_least = least;
    ls->log = log;
    ls->log_user = user;
}
