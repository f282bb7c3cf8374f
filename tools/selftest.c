/* SPDX-License-Identifier: Apache-2.0
 *
 * `lockstep selftest`: judges devices.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lockstep/verify.h>

#include "tool.h"

static void write_object(const ls_selftest_result *r, ls_status status, const char *asked)
{
    json_begin_object();
    json_text("device", status == LS_OK ? r->device.device : asked);
    json_text("name", r->device.name);
    json_text("driver", r->device.driver);
    json_text("class", r->device.exactness);
    json_text("reasons", r->reasons);
    json_integer("checks", (uint64_t)r->checks);
    json_number("seconds", r->seconds);
    json_bool("full", r->full);
    json_bool("kept", r->kept);
    json_end_object();
}

static void print_result(const ls_selftest_result *r)
{
    printf("%s: %s\n    driver     %s\n    class      %s: %s\n", r->device.device, r->device.name, r->device.driver,
           r->device.exactness, class_meaning(r->device.exactness));
    print_reasons(r->reasons);
    printf("    %d checks in %.2f s%s%s\n\n", r->checks, r->seconds, r->full ? ", everything" : "",
           r->kept ? ", earlier; --again repeats them" : "");
}

/* Returns false where the device could not be tested, or has other bits: class T. */
static bool test(const char *device, ls_selftest_options options, bool json)
{
    ls_selftest_result result;
    options.device = device;
    options.result = &result;
    ls_status status = ls_selftest_with(&options);
    if (json)
        write_object(&result, status, device ? device : "");
    else if (status == LS_OK)
        print_result(&result);
    if (status != LS_OK)
        fprintf(stderr, "lockstep: selftest: %s%s%s\n", device ? device : "", device ? ": " : "", result.reasons);
    return status == LS_OK && strcmp(result.device.exactness, "T") != 0;
}

int selftest_command(int argc, char **argv)
{
    ls_selftest_options options = {.device = NULL};
    bool json = false, good = true;
    int named = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            json = true;
        else if (strcmp(argv[i], "--full") == 0)
            options.full = true;
        else if (strcmp(argv[i], "--again") == 0)
            options.again = true;
        else if (argv[i][0] == '-')
            return misuse("selftest: \"%s\" is not understood", argv[i]);
        else
            argv[1 + named++] = argv[i];
    }
    if (json)
        json_begin_list();
    for (int i = 0; i < named; i++)
        good = test(argv[1 + i], options, json) && good;
    if (named == 0) {
        size_t capacity = ls_list_devices(NULL, 0);
        ls_device_info *found = calloc(capacity + 1, sizeof *found);
        size_t count = found ? ls_list_devices(found, capacity) : 0;
        for (size_t i = 0; i < count && i < capacity; i++)
            if (found[i].available)
                good = test(found[i].device, options, json) && good;
        free(found);
    }
    if (json)
        json_end_list();
    return good ? 0 : 1;
}
