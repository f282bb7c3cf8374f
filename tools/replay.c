/* SPDX-License-Identifier: Apache-2.0
 *
 * `lockstep replay FILE [DEVICE]`: a call on which verify: found two devices apart, once more.
 */
#include <stdio.h>
#include <string.h>

#include "../backends/verify/dump.h"
#include "tool.h"

/* Runs the call on a device as side 0, against the results on the reference as side 1. */
static int replay(struct ls_call *call, const char *words, struct ls_device *device, struct ls_device *reference)
{
    char text[512];
    ls_status status = ls_call_run(call, reference, 1);
    struct ls_device *failed = reference;
    if (status == LS_OK) {
        failed = device;
        status = ls_call_run(call, device, 0);
    }
    if (status != LS_OK) {
        fprintf(stderr, "lockstep: replay: %s on %s: %s\n", ls_call_name(call), failed->info.device,
                failed->message.text[0] ? failed->message.text : ls_status_text(status));
        return 1;
    }
    snprintf(call->device[0], sizeof call->device[0], "%s", device->info.device);
    snprintf(call->device[1], sizeof call->device[1], "%s", reference->info.device);
    bool differs = ls_call_differs(call, LS_SAME_BITS, text, sizeof text);
    printf("on %s now: %s\n", words, differs ? text : "the reference's bits");
    return differs;
}

int replay_command(int argc, char **argv)
{
    struct ls_call call;
    struct ls_message message = {{0}};
    struct ls_device *device = NULL, *reference = NULL;
    char text[512];
    if (argc < 2 || argc > 3)
        return misuse("replay: a file, and perhaps a device, is what it takes");
    if (ls_call_load(&call, argv[1], &message) != LS_OK) {
        fprintf(stderr, "lockstep: replay: %s\n", message.text);
        return EXIT_MISUSE;
    }
    printf("recorded from %s (%s) and %s (%s):\n%s\n", call.device[0], call.name[0], call.device[1], call.name[1],
           ls_call_differs(&call, LS_SAME_BITS, text, sizeof text) ? text : "the same bits");
    char words[64];
    int suspect = strcmp(call.device[0], "reference") == 0; /* which side to run again if none is named */
    snprintf(words, sizeof words, "%s", argc == 3 ? argv[2] : call.device[suspect]);
    int result = EXIT_MISUSE; /* as for any line that names a device which is not there */
    if (ls_device_open(words, &device, &message) != LS_OK || ls_device_open("reference", &reference, &message) != LS_OK)
        fprintf(stderr, "lockstep: replay: %s\n", message.text);
    else
        result = replay(&call, words, device, reference);
    if (device)
        device->backend->close(device);
    if (reference)
        reference->backend->close(reference);
    ls_call_finish(&call);
    return result;
}
