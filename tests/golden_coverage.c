/* SPDX-License-Identifier: Apache-2.0
 *
 * Which ops and rows the passed cases exercised, and which none did.
 */
#include <stdlib.h>
#include <string.h>

#include "golden.h"

static bool covers(const struct golden_result *result, const char *name)
{
    for (size_t i = 0; i < result->names; i++)
        if (strcmp(result->name[i], name) == 0)
            return true;
    return false;
}

void golden_add_cover(struct golden_result *result, const char *name)
{
    if (covers(result, name))
        return;
    const char **more = realloc((void *)result->name, (result->names + 1) * sizeof *more);
    if (!more)
        return;
    more[result->names++] = name;
    result->name = more;
}

void golden_result_finish(struct golden_result *result)
{
    free((void *)result->name);
    *result = (struct golden_result){0};
}

static size_t missing_name(const struct golden_result *result, const char *name, const char *where, FILE *report)
{
    if (covers(result, name))
        return 0;
    if (report)
        fprintf(report, "%s: %s has no golden\n", where, name);
    return 1;
}

/* Every `LS_API ls_tensor ls_NAME(` and `LS_API ls_status ls_NAME(` of a header. */
static size_t missing_in_header(const struct golden_result *result, const char *path, FILE *report)
{
    char line[512], name[64];
    size_t missing = 0, seen = 0;
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "LS_API ls_tensor ls_%63[a-z0-9_](", name) != 1 &&
            sscanf(line, "LS_API ls_status ls_%63[a-z0-9_](", name) != 1)
            continue;
        size_t length = strlen(name);
        if (length > 5 && strcmp(name + length - 5, "_with") == 0) /* ls_matmul_with is matmul */
            name[length - 5] = '\0';
        seen++;
        missing += missing_name(result, name, path, report);
    }
    if (file)
        fclose(file);
    if (seen)
        return missing;
    if (report)
        fprintf(report, "%s: no functions found\n", path);
    return 1;
}

size_t golden_missing(const struct golden_result *result, const char *folder, FILE *report)
{
    static const char *const headers[] = {"convolution", "elementwise", "index",  "linalg", "network",
                                          "random",      "reduce", "shape",  "update"};
    static const char *const rows[] = {
#define ROW(name) #name,
#include "../lib/core/elementwise_names.h"
#undef ROW
    };
    size_t missing = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        missing += missing_name(result, rows[i], "elementwise.def", report);
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s.h", folder, headers[i]);
        missing += missing_in_header(result, path, report);
    }
    return missing;
}
