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
    CHECK(length > 3000 && strstr(text, "</html>") && strstr(text, "fault:order,reference") && strstr(text, "reduce sum"),
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
    expect("reference:baseline", 0, "no GPU was found", "reference and reference:baseline: the same bits in");
    /* The op, and the primitive that the decorator finds in it. */
    expect("fault:unfused,reference", 1, "matmul on reference and fault:unfused", "gemm 1 x (");
    expect("fault:order,reference", 1, "sum on reference and fault:order", "reduce sum (");
    expect("fault:barrier,reference", 1, "on reference and fault:barrier", "the op sum: reduce sum (");
    expect("fault:flush,reference", 1, "mul of subnormals on reference and fault:flush", "map mul");
    expect("fault:stale,reference", 1, "on reference and fault:stale", "map ");
    expect("fault:stale,reference", 1, "class", "replay lockstep-verify-1.lsd");
    expect("--json fault:unfused,reference", 1, "\"kind\": \"difference\", \"case\": \"matmul\"", "\"family\": \"gemm\"");
    expect("no-such-device", 1, "no-such-device: cannot be verified", "there is no backend");
    expect("fault:call=9,reference", 1, "cannot be verified", "planted");
    expect("--what", 2, "not understood", "");
    replay("fault:unfused,reference");
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
