/* SPDX-License-Identifier: Apache-2.0
 *
 *     test_verify [KIND]
 *
 * The self-test: exact devices come out as exact, broken ones as broken with the primitive named, and
 * verdicts are kept. With a kind of device, the class that device must have.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lockstep/lockstep.h>

#include "check.h"
#include "devices.h"

/* A cache folder of the test's own, so that verdicts of other runs are not met. */
static char folder[] = "/tmp/lockstep-test-XXXXXX";

static void expect_class(const char *device, const char *class, const char *named)
{
    ls_selftest_result r;
    ls_status status = ls_selftest(&r, .device = device);
    CHECK(status == LS_OK, "%s: %s", device, r.reasons);
    CHECK(strcmp(r.device.exactness, class) == 0, "%s is %s, not %s: %s", device, r.device.exactness, class, r.reasons);
    CHECK(strstr(r.reasons, named) == r.reasons, "%s: the reason is \"%s\", not %s", device, r.reasons, named);
    CHECK(!r.kept && r.checks > 100, "%s: kept %d, %d checks", device, r.kept, r.checks);
    ls_selftest_result again;
    CHECK(ls_selftest(&again, .device = device) == LS_OK && again.kept, "%s: the verdict was not kept", device);
    CHECK(strcmp(again.device.exactness, class) == 0 && strcmp(again.reasons, r.reasons) == 0,
          "%s: the kept verdict is another: %s", device, again.reasons);
}

static ls_fingerprint_text fingerprint_on(const char *device)
{
    ls_context *ls = ls_open(device);
    ls_tensor x = ls_from_host(ls, LS_FLOAT32, LS_SHAPE(2), (float[]){1, 2});
    ls_fingerprint_text text = ls_fingerprint(&x, 1);
    CHECK(ls_close(&ls) == LS_OK, "%s", device);
    return text;
}

/* A broken device works, but its fingerprints are marked; their digits are the same function. */
static void marked_fingerprints(void)
{
    ls_fingerprint_text exact = fingerprint_on("reference"), broken = fingerprint_on("fault:order,reference");
    CHECK(strncmp(exact.text, "ls1:", 4) == 0, "exact: %s", exact.text);
    CHECK(strncmp(broken.text, "T:", 2) == 0, "broken: %s", broken.text);
    CHECK(strcmp(exact.text + 4, broken.text + 2) == 0, "%s, %s", exact.text, broken.text);
}

static void lost_verdicts(void)
{
    char command[128];
    snprintf(command, sizeof command, "for f in %s/verdict-*; do printf 'lockstep ver' > $f; done", folder);
    CHECK(system(command) == 0, "cannot damage the verdicts");
    ls_selftest_result r;
    CHECK(ls_selftest(&r, .device = "reference") == LS_OK && !r.kept, "a damaged verdict was believed");
    CHECK(ls_selftest(&r, .device = "reference", .again = true) == LS_OK && !r.kept, "again did not test again");
    CHECK(ls_selftest(&r, .device = "reference") == LS_OK && r.kept, "the verdict was not kept");
    CHECK(ls_selftest(&r, .device = "reference", .full = true) == LS_OK && !r.kept && r.full && r.checks > 200 &&
              strcmp(r.device.exactness, "E") == 0, "full: %s, %d checks: %s", r.device.exactness, r.checks, r.reasons);
    CHECK(ls_selftest(&r, .device = "reference") == LS_OK && r.kept && r.full, "a full verdict serves for both");
    CHECK(ls_selftest(&r, .device = "no-such-device") == LS_NOT_FOUND && strstr(r.reasons, "no-such-device"),
          "a missing device: %s", r.reasons);
    CHECK(ls_selftest(&r, .device = "fault:call=3,reference") == LS_DEVICE_ERROR && strstr(r.reasons, "planted"),
          "a failing device: %s", r.reasons);
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        struct device_kind kind = device_kind_of(argv[1]);
        ls_selftest_result r;
        ls_status status = ls_selftest(&r, .device = kind.words, .again = true);
        if (status == LS_NOT_FOUND || status == LS_UNAVAILABLE)
            device_absent(&kind, r.reasons);
        CHECK(status == LS_OK, "%s: %s", argv[1], r.reasons);
        CHECK(strcmp(r.device.exactness, kind.flushes ? "N" : "E") == 0, "%s is %s: %s", argv[1], r.device.exactness,
              r.reasons);
        CHECK(kind.flushes == (strstr(r.reasons, "subnormal") != NULL), "%s: %s", argv[1], r.reasons);
        printf("%s: %s, %.2f s\n", argv[1], r.device.exactness, r.seconds);
        return end_of_checks();
    }
    CHECK(mkdtemp(folder) != NULL, "no folder");
    setenv("LOCKSTEP_CACHE_DIR", folder, 1);
    expect_class("reference", "E", "");
    expect_class("reference:baseline", "E", "");
    expect_class("fault:order,reference", "T", "reduce/sum");
    expect_class("fault:unfused,reference", "T", "gemm");
    expect_class("fault:tail,reference", "T", "map/");
    marked_fingerprints();
    lost_verdicts();
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK(system(command) == 0, "cannot remove %s", folder);
    return end_of_checks();
}
