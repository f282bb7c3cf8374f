/* SPDX-License-Identifier: Apache-2.0
 *
 * Which devices `lockstep verify` compares, and what kind of devices they are.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "state.h"
#include "verify.h"

int verify_opened(const struct verify_report *r)
{
    int opened = 0;
    for (int d = 0; d < r->devices; d++)
        opened += r->device[d].opened;
    return opened;
}

bool verify_is_there(const char *words)
{
    struct ls_device *device = NULL;
    struct ls_message message = {{0}};
    ls_status status = ls_device_open(words, &device, &message);
    if (status == LS_OK)
        device->backend->close(device);
    else
        fprintf(stderr, "lockstep: verify: %s: %s\n", words, message.text[0] ? message.text : ls_status_text(status));
    return status == LS_OK;
}

/* A device takes the next place, unless it has one. */
static void add_device(struct verify_report *r, const char *words)
{
    for (int i = 0; i < r->devices; i++)
        if (strcmp(r->device[i].words, words) == 0)
            return;
    if (r->devices < VERIFY_DEVICES)
        snprintf(r->device[r->devices++].words, sizeof r->device[0].words, "%s", words);
}

/* What the reference runs, if its plainest build is another one: then those are two that can be compared. */
static bool has_second_reference(const ls_device_info *reference)
{
    struct ls_device *baseline = NULL;
    struct ls_message message;
    if (ls_device_open("reference:baseline", &baseline, &message) != LS_OK)
        return false;
    bool other = strcmp(baseline->info.driver, reference->driver) != 0;
    baseline->backend->close(baseline);
    return other;
}

void verify_choose_devices(struct verify_report *r, int named, char **names, const ls_device_info *found, size_t count)
{
    add_device(r, "reference");
    for (int i = 0; i < named; i++)
        add_device(r, names[i]);
    for (size_t i = 0; i < count && named == 0; i++)
        if (found[i].available)
            add_device(r, found[i].device);
    for (size_t i = 0; i < count && r->devices == 1; i++)
        if (strcmp(found[i].device, "reference") == 0 && has_second_reference(&found[i]))
            add_device(r, "reference:baseline");
}

static void say(struct verify_report *r, const char *format, ...) __attribute__((__format__(__printf__, 2, 3)));
static void say(struct verify_report *r, const char *format, ...)
{
    size_t used = strlen(r->scope);
    va_list args;
    va_start(args, format);
    vsnprintf(r->scope + used, sizeof r->scope - used, format, args);
    va_end(args);
}

void verify_describe_scope(struct verify_report *r, bool named, const ls_device_info *found, size_t count)
{
    bool gpu = false, other = false;
    for (int d = 0; d < r->devices; d++) {
        gpu |= r->device[d].opened && r->device[d].verdict.device.is_gpu;
        other |= r->device[d].opened && strcmp(r->device[d].verdict.device.backend, "reference") != 0;
    }
    if (verify_opened(r) < 2)
        say(r, "nothing was compared: no second device could be verified");
    else if (!other)
        say(r, "only builds of the reference for other instruction sets were compared, no driver");
    else if (!gpu)
        say(r, "no GPU was found: these are drivers that run on the processor");
    for (size_t i = 0; i < count && !other && !named; i++)
        if (!found[i].available)
            say(r, "\n%s: %s", found[i].device, found[i].reason);
}
