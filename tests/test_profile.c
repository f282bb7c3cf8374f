/* SPDX-License-Identifier: Apache-2.0
 *
 * profile: changes no bit, and its files say what ran: the calls that were made, how often, their bytes.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lockstep/lockstep.h>

#include "check.h"

static char folder[] = "/tmp/lockstep-test-XXXXXX", path[64];

static float work(const char *device, ls_status expected)
{
    ls_context *ls = ls_open(device);
    ls_tensor x = ls_from_host(ls, LS_FLOAT32, LS_SHAPE(2, 3), (float[]){1, 2, 3, 4, 5, 6}), y = x;
    for (int i = 0; i < 5; i++)
        y = ls_tanh(ls_matmul(y, ls_ones(ls, LS_FLOAT32, LS_SHAPE(3, 3))));
    float sum = ls_item(ls_sum(y, NULL, 0, false));
    CHECK(ls_error(ls) == expected, "%s: %s", device, ls_error_message(ls));
    ls_status closed = ls_close(&ls);
    CHECK(closed == expected, "%s: closing gives %s", device, ls_status_name(closed));
    return sum;
}

/* A call whose file cannot be made says so, and where; what cannot be written to the end, ls_close. */
static void unwritable(void)
{
    setenv("LOCKSTEP_PROFILE", "/no/such/folder/run", 1);
    ls_context *ls = ls_open("profile:reference");
    ls_item(ls_sum(ls_ones(ls, LS_FLOAT32, LS_SHAPE(3)), NULL, 0, false));
    CHECK(ls_error(ls) == LS_FILE_ERROR && strstr(ls_error_message(ls), "LOCKSTEP_PROFILE: /no/such/folder/run"), "%s",
          ls_error_message(ls));
    CHECK(ls_close(&ls) == LS_FILE_ERROR, "closing hides that there is no profile");
    snprintf(path, sizeof path, "%s/full", folder);
    setenv("LOCKSTEP_PROFILE", path, 1);
    static const char *const device[] = {"profile:reference", "fault:call=999,profile:reference", "verify:profile:reference",
                                         "verify:reference,profile:reference", "verify:fault:call=999,profile:reference"};
    for (int d = 0; d < 5; d++) {
        for (int i = 0; i < 2; i++) {
            static const char *const suffix[] = {"txt", "json"};
            char link[96];
            snprintf(link, sizeof link, "%s/full.%d.%s", folder, 4 + d, suffix[i]);
            CHECK(symlink("/dev/full", link) == 0, "%s", link);
        }
        ls = ls_open(device[d]);
        ls_item(ls_sum(ls_ones(ls, LS_FLOAT32, LS_SHAPE(3)), NULL, 0, false));
        CHECK(ls_error(ls) == LS_OK, "%s: %s", device[d], ls_error_message(ls));
        CHECK(ls_close(&ls) == LS_FILE_ERROR, "%s: closing hides that a profile is not complete", device[d]);
    }
}

static void trace(void)
{
    char name[80];
    json_error_t error;
    snprintf(name, sizeof name, "%s.json", path);
    json_t *root = json_load_file(name, 0, &error), *event;
    CHECK(root, "%s: %s", name, error.text);
    size_t i, products = 0, tanhs = 0, firsts = 0;
    double end = 0;
    json_array_foreach(json_object_get(root, "traceEvents"), i, event) {
        const char *kind = json_string_value(json_object_get(event, "name"));
        json_t *args = json_object_get(event, "args");
        if (strcmp(json_string_value(json_object_get(event, "ph")), "X") != 0)
            continue;
        double ts = json_number_value(json_object_get(event, "ts")), dur = json_number_value(json_object_get(event, "dur"));
        CHECK(ts >= end - 0.002 && dur >= 0, "event %zu begins at %g, before %g", i, ts, end);
        end = ts + dur;
        tanhs += strcmp(kind, "map tanh") == 0;
        if (strcmp(kind, "gemm") != 0)
            continue;
        products++;
        firsts += json_is_true(json_object_get(args, "first"));
        CHECK(json_number_value(json_object_get(args, "flop")) == 2 * 2 * 3 * 3, "flop of a product");
        CHECK(json_number_value(json_object_get(args, "bytes")) == 4 * (6 + 9 + 6), "bytes of a product");
        CHECK(strcmp(json_string_value(json_object_get(args, "sizes")), " 1 x (2, 3, 3) NN") == 0, "sizes of a product");
    }
    CHECK(products == 5 && tanhs == 5 && firsts == 1, "%zu products, %zu first, %zu tanh", products, firsts, tanhs);
    json_decref(root);
}

static void table(const char *number)
{
    char name[80], text[8192];
    snprintf(name, sizeof name, "%s%s.txt", path, number);
    FILE *file = fopen(name, "r");
    size_t length = file ? fread(text, 1, sizeof text - 1, file) : 0;
    text[length] = '\0';
    if (file)
        fclose(file);
    const char *row = strstr(text, "  gemm\n");
    CHECK(row, "no row gemm in\n%s", text);
    while (row && row > text && row[-1] != '\n')
        row--;
    double first = 0, ms = 0, share = 0, each = 0, megabytes = 0;
    int calls = 0;
    CHECK(row && sscanf(row, "%lf %lf %lf %% %d %lf %lf", &first, &ms, &share, &calls, &each, &megabytes) == 6 && calls == 4,
          "%d calls of gemm after the first in\n%s", calls, text);
    CHECK(first > 0 && each > ms * 1e3 / 4 - 1 && each < ms * 1e3 / 4 + 1, "%g us a call of %g ms in\n%s", each, ms, text);
    CHECK(strstr(text, "         0           -       0.000         -                -  read\n"), "read has more than its first call:\n%s", text);
    CHECK(strstr(text, "fma: ") && strstr(text, "copy: ") && strstr(text, "map tanh") && strstr(text, "reduce sum"), "%s", text);
}

int main(void)
{
    CHECK(mkdtemp(folder) != NULL, "no folder");
    snprintf(path, sizeof path, "%s/run", folder);
    setenv("LOCKSTEP_PROFILE", path, 1);
    float plain = work("reference", LS_OK), profiled = work("profile:reference", LS_OK);
    CHECK(memcmp(&plain, &profiled, sizeof plain) == 0, "%a, not %a", (double)profiled, (double)plain);
    trace();
    work("profile:reference", LS_OK);
    table("");
    table(".2");
    work("profile:no-such-device", LS_NOT_FOUND);
    unwritable();
    work("profile:fault:call=4,reference", LS_DEVICE_ERROR);
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK(system(command) == 0, "cannot remove %s", folder);
    return end_of_checks();
}
