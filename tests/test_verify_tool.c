/* SPDX-License-Identifier: Apache-2.0
 *
 *     test_verify_tool TOOL
 *
 * `lockstep verify`: exact devices agree, and each planted fault is found and its op named. What
 * `lockstep selftest` ends with.
 */
#define _XOPEN_SOURCE 700 /* realpath */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lockstep/lockstep.h>

#include "check.h"

static char folder[] = "/tmp/lockstep-test-XXXXXX";
static const char *tool;

/* Runs `lockstep WORDS` in the folder; what it said stays until the next call. */
static const char *lockstep(const char *words, int expected)
{
    static char said[1 << 20];
    char command[600];
    snprintf(command, sizeof command, "cd %s && '%s' %s 2>&1", folder, tool, words);
    FILE *out = popen(command, "r");
    size_t length = out ? fread(said, 1, sizeof said - 1, out) : 0;
    said[length] = '\0';
    int status = out ? pclose(out) : -1;
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == expected, "%s: %#x, not %d:\n%.2000s", words, (unsigned)status,
          expected, said);
    return said;
}

static const char *verify(const char *words, int expected)
{
    char all[300];
    snprintf(all, sizeof all, "verify %s", words);
    return lockstep(all, expected);
}

static void expect(const char *words, int status, const char *first, const char *second)
{
    const char *said = verify(words, status);
    CHECK(strstr(said, first) && strstr(said, second), "verify %s says neither \"%s\" nor \"%s\":\n%.2000s", words, first,
          second, said);
}

/* What was written of a difference is small, and differs again on the same device, but not on another. */
static void replay(const char *device)
{
    char words[128];
    snprintf(words, sizeof words, "--json %s", device);
    verify(words, 1);
    const char *said = lockstep("replay lockstep-verify-1.lsd", 1), *now = strstr(said, "now: "), *count = now ? strstr(now, " of ") : NULL;
    CHECK(count && atoi(count + 4) <= 4, "%s: not small: %s", device, said);
    CHECK(strstr(lockstep("replay lockstep-verify-1.lsd reference", 0), "the reference's bits"), "%s", device);
}

/* For programs: the run, and each pair with all its cases, among them those of drawn numbers and of digests. */
static void json(void)
{
    const char *said = verify("--json fault:unfused,reference", 1);
    const char *run = strstr(said, "{\"kind\": \"run\", \"version\": \""), *ops = run ? strstr(run, "\"op_cases\": ") : NULL;
    const char *pair = strstr(said, "{\"kind\": \"pair\", \"device\": \"reference\", \"other\": \"fault:unfused,reference\", ");
    int count = 0, networks = 0, same = 0, close = 0, apart = 0;
    CHECK(run && strstr(run, "\"canon\": ") && strstr(run, "\"date\": \"20"), "no head:\n%.500s", said);
    CHECK(ops && sscanf(ops, "\"op_cases\": %d, \"networks\": %d", &count, &networks) == 2, "no cases:\n%.500s", said);
    CHECK(pair && sscanf(strstr(pair, "\"same\""), "\"same\": %d, \"close\": %d, \"apart\": %d", &same, &close, &apart) == 3,
          "no pair:\n%.2000s", said);
    CHECK(same + close + apart == count + networks && apart > 0 && count > 300, "%d + %d + %d of %d + %d cases", same, close,
          apart, count, networks);
    CHECK(strstr(said, "\"family\": \"random\"") && strstr(said, "\"family\": \"digest\""), "primitives are missing:\n%s", said);
}

/* Without drivers two builds of the reference are compared; where there is one only, that is said, and no success. */
static void without_drivers(void)
{
    ls_device_info reference;
    ls_list_devices(&reference, 1);
    bool plain = strstr(reference.driver, "baseline") || strstr(reference.driver, "neon");
    setenv("VK_DRIVER_FILES", "/nonexistent.json", 1);
    setenv("OCL_ICD_VENDORS", "/nonexistent", 1);
    if (plain)
        expect("", 1, "nothing was compared", "opencl: ");
    else
        expect("", 0, "only builds of the reference", "reference and reference:baseline: the same bits in");
    expect("", plain, "vulkan: ", "opencl: ");
    unsetenv("VK_DRIVER_FILES");
    unsetenv("OCL_ICD_VENDORS");
}

static void page(void)
{
    static char text[1 << 20];
    char path[64];
    verify("fault:order,reference --html page.html", 1);
    snprintf(path, sizeof path, "%s/page.html", folder);
    FILE *f = fopen(path, "r");
    size_t length = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f)
        fclose(f);
    CHECK(length > 3000 && strstr(text, "</html>") && strstr(text, "fault:order,reference") && strstr(text, "reduce sum") && strstr(text, "<th>apart"),
          "the page has %zu bytes", length);
    CHECK(!strstr(text, "http") && !strstr(text, "<script"), "the page needs something else");
    verify("reference --html /no/such/folder/page.html", 1);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    char *path = realpath(argv[1], NULL);
    tool = path ? path : argv[1];
    CHECK(mkdtemp(folder) != NULL, "no folder");
    setenv("LOCKSTEP_CACHE_DIR", folder, 1);
    expect("reference:baseline", 0, "only builds of the reference", "reference and reference:baseline: the same bits in");
    /* The op, and the primitive that the decorator finds in it. */
    expect("fault:unfused,reference", 1, "matmul on reference and fault:unfused", "gemm 1 x (");
    expect("fault:order,reference", 1, "sum on reference and fault:order", "reduce sum (");
    expect("fault:barrier,reference", 1, "on reference and fault:barrier", "the op sum: reduce sum (");
    expect("fault:flush,reference", 1, "mul of subnormals on reference and fault:flush", "map mul");
    expect("fault:stale,reference", 1, "on reference and fault:stale", "map ");
    expect("fault:stale,reference", 1, "class", "replay lockstep-verify-1.lsd");
    expect("--json fault:unfused,reference", 1, "\"kind\": \"difference\", \"case\": \"matmul\"", "\"family\": \"gemm\"");
    json();
    without_drivers();
    expect("no-such-device", 2, "no-such-device: there is no backend", "LOCKSTEP_BACKEND can be auto, reference");
    expect("reference opencl:99", 2, "opencl:99: ", "");
    expect("fault:call=9,reference", 1, "cannot be verified", "planted");
    expect("fault:call=9,reference", 1, "nothing was compared", "");
    expect("--what", 2, "not understood", "");
    replay("fault:unfused,reference");
    CHECK(strstr(lockstep("replay lockstep-verify-1.lsd nosuch", 2), "there is no backend \"nosuch\""), "a device that is not there");
    replay("fault:tail,reference");
    replay("fault:stale,reference");
    replay("fault:flush,reference");
    page();
    CHECK(strstr(lockstep("selftest reference reference:baseline", 0), "class      E:"), "the reference is not exact");
    CHECK(strstr(lockstep("selftest reference fault:order,reference", 1), "class      T:"), "a reordered sum is not T");
    lockstep("selftest no-such-device", 1);
    lockstep("selftest --what", 2);
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK(system(command) == 0, "cannot remove %s", folder);
    free(path);
    return end_of_checks();
}
