/* SPDX-License-Identifier: Apache-2.0
 *
 * `lockstep devices`: what there is, what it can, and why the rest is not available.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "tool.h"
#include "verdict.h"

/* A backend that this build leaves out is told as well, with the way to get it. */
static const struct ls_device_info not_built[] = {
    {.device = "opencl",
     .backend = "opencl",
     .reason = "this build has no OpenCL backend; install the headers (Debian: opencl-c-headers) and build again"},
    {.device = "vulkan",
     .backend = "vulkan",
     .reason = "this build has no Vulkan backend; install the headers and glslc (Debian: libvulkan-dev glslc) and build again"},
};

struct device_list {
    ls_device_info *devices;
    size_t count;
};

static bool is_built(const char *name)
{
    for (size_t b = 0; ls_backends[b]; b++)
        if (strcmp(ls_backends[b]->name, name) == 0)
            return true;
    return false;
}

static bool list_all(struct device_list *list)
{
    enum { NOT_BUILT = sizeof not_built / sizeof *not_built };
    size_t capacity = ls_list_devices(NULL, 0);
    list->devices = calloc(capacity + NOT_BUILT, sizeof *list->devices);
    if (!list->devices)
        return false;
    list->count = ls_list_devices(list->devices, capacity);
    if (list->count > capacity) /* a device came in between */
        list->count = capacity;
    for (size_t i = 0; i < NOT_BUILT; i++)
        if (!is_built(not_built[i].backend))
            list->devices[list->count++] = not_built[i];
    return true;
}

/* A number of bytes in the largest unit that leaves it at least 1. */
struct size_text {
    char text[32];
};
static struct size_text size_of(uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    struct size_text size;
    double value = (double)bytes;
    int unit = 0;
    while (value >= 1024 && unit < 5) {
        value /= 1024;
        unit++;
    }
    snprintf(size.text, sizeof size.text, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
    return size;
}

const char *class_meaning(const char *class)
{
    static const char *const meanings[][2] = {
        {"E", "exact"},
        {"E-slow", "exact with an emulated fma"},
        {"N", "exact as long as no subnormal is met"},
        {"T", "tolerance only"},
    };
    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
        if (strcmp(class, meanings[i][0]) == 0)
            return meanings[i][1];
    return "`lockstep selftest` finds out";
}

void print_reasons(const char *reasons)
{
    for (const char *line = reasons; *line;) {
        int length = (int)strcspn(line, "\n");
        printf("               %.*s\n", length, line);
        line += length + (line[length] == '\n');
    }
}

/* Why the self-test gave the device its class. */
struct reasons_text {
    char text[sizeof ((struct ls_verdict *)0)->reasons];
};
static struct reasons_text reasons_of(const ls_device_info *d)
{
    struct reasons_text reasons = {""};
    struct ls_verdict verdict;
    if (ls_verdict_load(d, NULL, &verdict) && strcmp(verdict.exactness, d->exactness) == 0)
        memcpy(reasons.text, verdict.reasons, sizeof reasons.text);
    return reasons;
}

static void print_device(const ls_device_info *d)
{
    if (!d->available) {
        printf("%s: not available%s%s\n    %s\n\n", d->device, d->name[0] ? ": " : "", d->name, d->reason);
        return;
    }
    printf("%s: %s\n", d->device, d->name);
    printf("    driver     %s\n", d->driver);
    printf("    kind       %s, ", d->is_gpu ? "GPU" : "CPU or other");
    if (d->compute_units > 0) /* Vulkan does not tell */
        printf("%d compute unit%s, ", d->compute_units, d->compute_units == 1 ? "" : "s");
    printf("%s\n", d->has_fp64 ? "fp64" : "no fp64");
    printf("    memory     %s, largest buffer %s\n", d->memory ? size_of(d->memory).text : "unknown",
           d->max_buffer ? size_of(d->max_buffer).text : "not limited");
    printf("    exactness  %s: %s\n", d->exactness, class_meaning(d->exactness));
    print_reasons(reasons_of(d).text);
    putchar('\n');
}

#define PRIM(primitive, need, meaning)                                                             \
    static bool has_##primitive(const struct ls_backend *b) { return b->primitive != NULL; }
#include "prims.def"
#undef PRIM

static const struct primitive {
    const char *name, *need, *meaning;
    bool (*has)(const struct ls_backend *b);
} primitives[] = {
#define PRIM(primitive, need, meaning) {#primitive, #need, meaning, has_##primitive},
#include "prims.def"
#undef PRIM
};

/* Who implements what: "own" is a slot of the backend, "composed" runs as other primitives. Decorators
 * are left out: they have no devices of their own. */
static void print_primitives(void)
{
    printf("%-12s %-9s", "primitive", "");
    for (size_t b = 0; ls_backends[b]; b++)
        if (ls_backends[b]->list)
            printf(" %-9s", ls_backends[b]->name);
    putchar('\n');
    for (size_t p = 0; p < sizeof primitives / sizeof *primitives; p++) {
        printf("%-12s %-9s", primitives[p].name, primitives[p].need);
        for (size_t b = 0; ls_backends[b]; b++)
            if (ls_backends[b]->list)
                printf(" %-9s", primitives[p].has(ls_backends[b]) ? "own" : "composed");
        printf(" %s\n", primitives[p].meaning);
    }
    putchar('\n');
}

static void print_environment(void)
{
    ls_variable_info variables[32];
    size_t count = ls_list_environment(variables, 32);
    for (size_t i = 0; i < count && i < 32; i++)
        printf("%s%s%s\n    %s\n", variables[i].name, variables[i].value ? "=" : " is not set",
               variables[i].value ? variables[i].value : "", variables[i].meaning);
}

static void write_json(const struct device_list *list)
{
    json_begin_list();
    for (size_t i = 0; i < list->count; i++) {
        const ls_device_info *d = &list->devices[i];
        json_begin_object();
        json_text("device", d->device);
        json_text("backend", d->backend);
        json_text("name", d->name);
        json_bool("available", d->available);
        json_text("reason", d->reason);
        json_text("class", d->exactness[0] ? d->exactness : "untested");
        json_text("class_reasons", reasons_of(d).text);
        json_text("driver", d->driver);
        json_integer("memory", d->memory);
        json_integer("max_buffer", d->max_buffer);
        json_integer("compute_units", (uint64_t)(d->compute_units > 0 ? d->compute_units : 0));
        json_bool("is_gpu", d->is_gpu);
        json_bool("has_fp64", d->has_fp64);
        json_end_object();
    }
    json_end_list();
}

int devices_command(int argc, char **argv)
{
    bool json = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") != 0)
            return misuse("devices: \"%s\" is not understood", argv[i]);
        json = true;
    }
    struct device_list list;
    if (!list_all(&list)) {
        fprintf(stderr, "lockstep: no memory for the list of devices\n");
        return 1;
    }
    if (json) {
        write_json(&list);
    } else {
        printf("Lockstep %s, arithmetic canon %d\n\n", ls_version(), ls_canon_version());
        for (size_t i = 0; i < list.count; i++)
            print_device(&list.devices[i]);
        print_primitives();
        print_environment();
    }
    free(list.devices);
    return 0;
}
