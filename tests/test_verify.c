/* SPDX-License-Identifier: Apache-2.0
 *
 *     test_verify [KIND [flushing]]
 *
 * The self-test: exact devices come out as exact, broken ones as broken with the primitive named, and
 * verdicts are kept. With a kind of device, the class that device must have; with `flushing`, in a program
 * that flushes subnormals and rounds up.
 */
#define _XOPEN_SOURCE 700 /* mkdtemp */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lockstep/lockstep.h>

#include "../backends/verify/dump.h"
#include "apart.h"
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
    snprintf(command, sizeof command, "for f in %s/*; do printf 'lscache1' > $f; done", folder);
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

/* ---- verify: ---- */

static void body(void *user, const ls_tensor *in, ls_tensor *out)
{
    ls_tensor w = *(ls_tensor *)user, g;
    LS_TAPE(tape, in[0].context)
        out[0] = ls_mean(ls_square(ls_tanh(ls_matmul(in[0], w))), NULL, 0, false);
    ls_gradient(tape, out[0], &w, 1, &g);
    ls_update_sgd(w, (ls_tensor){0}, g, ls_scalar(in[0].context, 0.5f), 0, false);
}

/* Six steps; returns the status and the weights' fingerprint. */
static ls_status train(const char *device, bool captured, char *text, char *message)
{
    ls_context *ls = ls_open(device);
    ls_tensor x = ls_random_normal(ls, LS_SHAPE(130, 20), 0, 1), out;
    ls_tensor w = ls_variable(ls_random_uniform(ls, LS_SHAPE(20, 9), -1, 1), "w", true);
    ls_function *function = captured ? ls_function_create(ls, body, &w, 1, 1) : NULL;
    for (int step = 0; step < 6; step++)
        LS_SCOPE(ls) {
            if (captured)
                ls_function_call(function, &x, &out);
            else
                body(&w, &x, &out);
        }
    snprintf(text, 32, "%s", ls_fingerprint(&w, 1).text);
    snprintf(message, 1024, "%s", ls_error_message(ls));
    ls_function_destroy(&function);
    return ls_close(&ls);
}

static void diverges(const char *device, bool captured, const char *named)
{
    char text[32], message[1024];
    remove(getenv("LOCKSTEP_DUMP"));
    CHECK(train(device, captured, text, message) == LS_DIVERGED, "%s: \"%s\"", device, message);
    CHECK(strstr(message, named) && strstr(message, "ulp apart") && strstr(message, "0x"), "%s: \"%s\"", device, message);
    CHECK(captured || strcmp(named, "gemm") != 0 || strstr(message, "the op matmul"), "%s: \"%s\"", device, message);

    struct ls_call call;
    struct ls_message said = {{0}};
    CHECK(ls_call_load(&call, getenv("LOCKSTEP_DUMP"), &said) == LS_OK, "%s: %s", device, said.text);
    CHECK(ls_call_differs(&call, LS_SAME_BITS, text, sizeof text), "%s: the file's results agree", device);
    CHECK(call.node.prim != LS_PRIM_gemm || call.node.args.gemm.m * call.node.args.gemm.n == 1, "%s: not made smaller", device);
    int most = strstr(device, "stale") ? 16 : 2; /* a fault that comes at one call of five meets one form of five */
    CHECK(call.node.prim != LS_PRIM_map || call.node.args.map.n <= most, "%s: not made smaller", device);
    struct ls_device *reference = NULL;
    char sentence[256];
    CHECK(ls_device_open("reference", &reference, &said) == LS_OK, "%s", said.text);
    int broken = strncmp(device, "verify:fault", 12) != 0;
    CHECK(ls_call_run(&call, reference, broken) == LS_OK && !ls_call_differs(&call, LS_SAME_BITS, sentence, sizeof sentence),
          "%s: the replay on the reference differs: %s", device, sentence);
    reference->backend->close(reference);
    ls_call_finish(&call);
}

/* Rows of a table: a large one, of which the second device is given what is taken, and a small one. */
static ls_status look_up(const char *device, int rows, int axis, float *sum, uint64_t *calls, char *message)
{
    ls_context *ls = ls_open(device);
    int64_t shape[2] = {axis ? 3 : rows, axis ? rows : 3};
    ls_tensor table = ls_random_normal(ls, (ls_shape){2, {shape[0], shape[1]}}, 0, 1);
    ls_tensor index = ls_from_host(ls, LS_INT32, LS_SHAPE(5), (int32_t[]){6, 1, 0, 6, 4});
    *sum = ls_item(ls_sum(ls_mul(ls_gather(table, index, axis), ls_gather(table, index, axis)), NULL, 0, false));
    *calls = ls_get_stats(ls).dispatches;
    snprintf(message, 1024, "%s", ls_error_message(ls));
    return ls_close(&ls);
}

/* Each call of the first device runs once, and a failure of any one is told. */
static void failing_lookups(int rows, int axis, int calls)
{
    for (int n = 1; n <= calls + 1; n++) {
        char device[64], message[1024];
        float sum;
        uint64_t ran;
        snprintf(device, sizeof device, "verify:fault:call=%d,reference", n);
        ls_status status = look_up(device, rows, axis, &sum, &ran, message);
        CHECK(status == (n <= calls ? LS_DEVICE_ERROR : LS_OK), "%d rows, axis %d, %s of %d: %s \"%s\"", rows, axis, device, calls,
              ls_status_name(status), message);
        CHECK(n > calls || strstr(message, "planted"), "%s: %s", device, message);
    }
}

static void lookups(void)
{
    char message[1024];
    float want, got;
    uint64_t calls;
    for (int rows = 7; rows < 80000; rows *= 100)
        for (int axis = 0; axis < 2; axis++) {
            look_up("reference", rows, axis, &want, &calls, message);
            CHECK(look_up("verify:reference:baseline", rows, axis, &got, &calls, message) == LS_OK && memcmp(&want, &got, sizeof got) == 0,
                  "%d rows, axis %d: %s", rows, axis, message);
            failing_lookups(rows, axis, (int)calls);
            CHECK(look_up("verify:fault:row,reference", rows, axis, &got, &calls, message) == LS_DIVERGED && strstr(message, "gather: "),
                  "%d rows, axis %d: %s", rows, axis, message);
            struct ls_call call;
            struct ls_message said = {{0}};
            CHECK(ls_call_load(&call, getenv("LOCKSTEP_DUMP"), &said) == LS_OK, "%s", said.text);
            CHECK(call.node.args.gather.count == 1 && call.node.args.gather.outer == 1, "%d rows, axis %d: not made smaller", rows, axis);
            ls_call_finish(&call);
        }
}

/* Options in any order; the commas of fault: in either device. */
static void words(void)
{
    static const char *const good[] = {"reference,sample=3,bits", "reference,bits,sample=3", "reference,sample=3,reference:baseline,bits",
                                       "profile:fault:call=999,reference,reference", "fault:call=999,profile:reference,sample=3"};
    char device[80], path[64];
    snprintf(path, sizeof path, "%s/profile", folder);
    setenv("LOCKSTEP_PROFILE", path, 1);
    for (int i = 0; i < 5; i++) {
        snprintf(device, sizeof device, "verify:%s", good[i]);
        ls_context *ls = ls_open(device);
        ls_item(ls_sum(ls_ones(ls, LS_FLOAT32, LS_SHAPE(3)), NULL, 0, false));
        CHECK(ls_error(ls) == LS_OK, "%s: %s", device, ls_error_message(ls));
        CHECK(ls_close(&ls) == LS_OK, "%s", device);
    }
}

/* The name of the file is whole in the message, however long; an enormous one is that of the variable. */
static void long_names(void)
{
    char deep[160], path[600], text[32], message[1024];
    snprintf(deep, sizeof deep, "%s/%0120d", folder, 0);
    CHECK(mkdir(deep, 0700) == 0, "%s", deep);
    for (int length = 150; length < 500; length += 50) {
        int used = snprintf(path, sizeof path, "%s", deep);
        while (used < length)
            used += snprintf(path + used, sizeof path - (size_t)used, "/.");
        snprintf(path + used, sizeof path - (size_t)used, "/file");
        setenv("LOCKSTEP_DUMP", path, 1);
        CHECK(train("verify:fault:unfused,reference", false, text, message) == LS_DIVERGED, "%s", message);
        const char *named = strstr(message, "lockstep replay ");
        CHECK(named && strcmp(named + 16, length > 290 ? "$LOCKSTEP_DUMP" : path) == 0, "%s: %s", path, message);
        CHECK(remove(path) == 0, "%s was not written", path);
    }
    CHECK(rmdir(deep) == 0, "%s", deep);
}

static void decorator(void)
{
    char text[2][32], message[1024], path[64];
    snprintf(path, sizeof path, "%s/dump.lsd", folder);
    setenv("LOCKSTEP_DUMP", path, 1);
    CHECK(train("reference", false, text[0], message) == LS_OK, "%s", message);
    static const char *const good[] = {"verify:reference", "verify:reference,reference:baseline",
                                       "verify:reference:baseline,sample=3"};
    for (int captured = 0; captured < 2; captured++)
        for (int i = 0; i < 3; i++) {
            CHECK(train(good[i], captured, text[1], message) == LS_OK, "%s: %s", good[i], message);
            CHECK(strcmp(text[0], text[1]) == 0, "%s: %s, %s", good[i], text[0], text[1]);
        }
    CHECK(access(path, F_OK) != 0, "a dump without a divergence");
    setenv("LOCKSTEP_CACHE_DIR", "/dev/null/none", 1); /* not yet known to be T, which is held to bounds */
    for (int captured = 0; captured < 2; captured++) {
        diverges("verify:fault:unfused,reference", captured, "gemm");
        diverges("verify:fault:unfused,reference,reference,sample=2", captured, "gemm");
        diverges("verify:fault:tail,reference,reference:baseline", captured, "map");
        diverges("verify:reference,fault:order,reference", captured, "reduce sum");
        diverges("verify:fault:barrier,reference", captured, "reduce sum");
        diverges("verify:fault:stale,reference", captured, "map");
    }
    lookups();
    long_names();
    setenv("LOCKSTEP_CACHE_DIR", folder, 1);
    CHECK(train("verify:fault:unfused,reference", false, text[1], message) == LS_OK, "class T within bounds: %s", message);
    words();
    static const char *const wrong[] = {"verify:", "verify:reference,sample=0", "verify:reference,reference,reference",
                                        "verify:nothing", "verify:reference,sample=-5", "verify:reference,sample=", "verify:sample=3",
                                        "verify:reference,sample=3x", "verify:reference,sample=99999999999999999999"};
    for (int i = 0; i < 9; i++)
        CHECK(train(wrong[i], false, text[1], message) == LS_NOT_FOUND && message[0], "%s: %s", wrong[i], message);
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        struct device_kind kind = device_kind_of(argv[1]);
        ls_selftest_result r;
        if (argc > 2)
            set_host_environment(FLUSHING | UPWARD);
        ls_status status = ls_selftest(&r, .device = kind.words, .again = true);
        if (status == LS_NOT_FOUND || status == LS_UNAVAILABLE)
            device_absent(&kind, r.reasons);
        CHECK(status == LS_OK, "%s: %s", argv[1], r.reasons);
        const char *class = kind.short_loops ? "T" : kind.flushes ? "N" : kind.emulates_fma ? "E-slow" : "E";
        CHECK(strcmp(r.device.exactness, class) == 0, "%s is %s: %s", argv[1], r.device.exactness, r.reasons);
        CHECK(!kind.short_loops || strstr(r.reasons, "gemm 1 x (2, 3, 70001)"), "%s: %s", argv[1], r.reasons);
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
    decorator();
    lost_verdicts();
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK(system(command) == 0, "cannot remove %s", folder);
    return end_of_checks();
}
