/* SPDX-License-Identifier: Apache-2.0
 *
 * Which device: the words of LOCKSTEP_BACKEND.
 */
#include <stdio.h>
#include <string.h>

#include "backend.h"
#include "verdict.h"

enum { MOST_DEVICES = 64 };

static ls_status fail(struct ls_message *message, ls_status status, const char *format, const char *a, const char *b)
{
    snprintf(message->text, sizeof message->text, format, a, b);
    return status;
}

/* Real GPUs first, then the reference: a CPU driver is never chosen silently. */
static ls_status open_auto(struct ls_device **device, struct ls_message *message)
{
    ls_device_info found[MOST_DEVICES];
    size_t count = ls_list_devices(found, MOST_DEVICES);
    for (size_t i = 0; i < count && i < MOST_DEVICES; i++) {
        if (!found[i].available || !found[i].is_gpu)
            continue;
        struct ls_message ignored = {{0}};
        if (ls_device_open(found[i].device, device, &ignored) == LS_OK)
            return fail(message, LS_OK, "%s%s", "auto: the first GPU found", "");
    }
    ls_status status = ls_device_open("reference", device, message);
    if (status == LS_OK)
        fail(message, LS_OK, "%s%s", "auto: no GPU was found", "");
    return status;
}

/* What there is, for the message about what there is not. */
static void list_into(struct ls_message *message)
{
    ls_device_info found[MOST_DEVICES];
    size_t count = ls_list_devices(found, MOST_DEVICES);
    size_t at = strlen(message->text);
    for (size_t i = 0; i < count && i < MOST_DEVICES && at < sizeof message->text; i++)
        if (found[i].available)
            at += (size_t)snprintf(message->text + at, sizeof message->text - at, "%s%s", i ? ", " : "",
                                   found[i].device);
}

ls_status ls_device_open(const char *words, struct ls_device **device, struct ls_message *message)
{
    message->text[0] = '\0';
    if (strcmp(words, "auto") == 0)
        return open_auto(device, message);
    size_t length = strcspn(words, ":");
    for (size_t b = 0; ls_backends[b]; b++) {
        const struct ls_backend *backend = ls_backends[b];
        if (strncmp(backend->name, words, length) != 0 || backend->name[length] != '\0')
            continue;
        ls_status status = backend->open(words[length] ? words + length + 1 : NULL, device, message);
        if (status == LS_OK)
            ls_verdict_apply(&(*device)->info, backend->list ? NULL : words);
        return status;
    }
    fail(message, LS_NOT_FOUND, "there is no backend \"%s\"%s", words, "; LOCKSTEP_BACKEND can be auto, ");
    list_into(message);
    size_t at = strlen(message->text);
    snprintf(message->text + at, sizeof message->text - at, " (see `lockstep devices`)");
    return LS_NOT_FOUND;
}

size_t ls_list_devices(ls_device_info *devices, size_t capacity)
{
    size_t count = 0;
    for (size_t b = 0; ls_backends[b]; b++) {
        if (!ls_backends[b]->list)
            continue; /* decorators have no devices of their own */
        size_t room = count < capacity ? capacity - count : 0;
        count += ls_backends[b]->list(room ? devices + count : NULL, room);
    }
    for (size_t i = 0; i < count && i < capacity; i++)
        ls_verdict_apply(&devices[i], NULL);
    return count;
}
