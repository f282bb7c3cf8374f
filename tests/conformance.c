/* SPDX-License-Identifier: Apache-2.0
 *
 * The conformance suite, run on one kind of device per process:
 *
 *     conformance KIND [--goldens DIR --headers DIR]     or any words of LOCKSTEP_BACKEND
 *     conformance WORDS --must-notice NAME               a planted fault: the suite must fail and a
 *                                                        failure must name NAME
 *
 * Three legs for every op: a golden from TensorFlow in float64, goldens of its first and second
 * gradients, and equality with the reference, bit for bit. Ends with "N passed, N failed".
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <lockstep/ops.h>

#include "suite.h"

static const char *must_notice;
static bool noticed;

bool suite_check(struct suite *s, bool held, const char *name, const char *format, ...)
{
    s->passed += held;
    s->failed += !held;
    if (held)
        return true;
    char detail[512];
    va_list args;
    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    if (must_notice && strstr(name, must_notice))
        noticed = true;
    if (s->failed <= 50)
        printf("FAILED %s on %s: %s\n", name, s->kind.name, detail);
    return false;
}

void suite_expect(struct suite *s, ls_context *ls, ls_status status, const char *part, const char *name)
{
    suite_check(s, ls_error(ls) == status && strstr(ls_error_message(ls), part), name ? name : part,
                "%s: \"%s\", not %s with \"%s\"",
                ls_status_name(ls_error(ls)), ls_error_message(ls), ls_status_name(status), part);
    ls_clear_error(ls);
}

void suite_part(struct suite *s, const char *name)
{
    struct timespec now;
    timespec_get(&now, TIME_UTC);
    double seconds = (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
    if (s->since > 0)
        printf("  %s: %.1f s\n", name, seconds - s->since);
    s->since = seconds;
}

uint64_t suite_next(struct suite *s)
{
    uint64_t z = s->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

int64_t suite_below(struct suite *s, int64_t n) { return (int64_t)(suite_next(s) % (uint64_t)n); }

bool suite_same_float(uint32_t a, uint32_t b)
{
    bool nan_a = (a & 0x7fffffffu) > 0x7f800000u, nan_b = (b & 0x7fffffffu) > 0x7f800000u;
    return a == b || ((a | b) & 0x7fffffffu) == 0 || (nan_a && nan_b);
}

/* Nothing may be left when everything was released. */
static void check_empty(struct suite *s, ls_context *ls, const char *after)
{
    ls_stats stats = ls_get_stats(ls);
    suite_check(s, stats.live_tensors == 0, after, "%zu tensors are left", stats.live_tensors);
}

static void goldens(struct suite *s, ls_context *ls, ls_context *reference, const char *folder, const char *headers)
{
    struct golden_set set;
    struct golden_trace here = {0}, there = {0};
    struct golden_result result = {0}, ignored = {0};
    if (!suite_check(s, golden_load(&set, folder, stdout), "goldens", "cannot be read from %s", folder))
        return;
    struct golden_options options = {.skip_subnormal = s->kind.flushes,
                                     .skip_subsets = s->kind.most_elements < 1000,
                                     .trace = &here};
    golden_run(ls, &set, &options, &result, stdout);
    s->passed += result.passed;
    s->failed += result.failed;
    options.trace = &there;
    golden_run(reference, &set, &options, &ignored, stdout);
    size_t different = golden_trace_compare(&there, &here, stdout);
    suite_check(s, different == 0, "goldens by bits", "%zu of %zu arrays differ from the reference", different,
                there.count);
    s->passed += there.count - different;
    if (headers && !s->kind.flushes) {
        size_t missing = golden_missing(&result, headers, stdout);
        suite_check(s, missing == 0, "coverage", "%zu rows or ops have no golden", missing);
    }
    check_empty(s, ls, "goldens");
    golden_result_finish(&result);
    golden_result_finish(&ignored);
    golden_trace_free(&here);
    golden_trace_free(&there);
    golden_unload(&set);
}

static void networks(struct suite *s, ls_context *ls, ls_context *reference)
{
    struct golden_trace here = {0}, there = {0};
    suite_networks(s, reference, &there);
    suite_networks(s, ls, &here);
    size_t different = golden_trace_compare(&there, &here, stdout);
    suite_check(s, different == 0, "networks by bits", "%zu of %zu arrays differ from the reference", different,
                there.count);
    s->passed += there.count - different;
    check_empty(s, ls, "networks");
    golden_trace_free(&here);
    golden_trace_free(&there);
}

int main(int argc, char **argv)
{
    const char *folder = NULL, *headers = NULL;
    struct suite s = {.random = 20261121};
    if (argc < 2) {
        fprintf(stderr, "usage: conformance KIND [--goldens DIR] [--headers DIR] [--seed N] [--must-notice NAME]\n");
        return 2;
    }
    for (int i = 2; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--goldens") == 0)
            folder = argv[i + 1];
        else if (strcmp(argv[i], "--headers") == 0)
            headers = argv[i + 1];
        else if (strcmp(argv[i], "--must-notice") == 0)
            must_notice = argv[i + 1];
        else if (strcmp(argv[i], "--seed") == 0)
            s.random = strtoull(argv[i + 1], NULL, 10);
    }
    s.kind = device_kind_of(argv[1]);
    setvbuf(stdout, NULL, _IOLBF, 0);

    ls_context *ls = ls_open(s.kind.words), *reference = ls_open("reference");
    if (ls_error(ls) == LS_NOT_FOUND || ls_error(ls) == LS_UNAVAILABLE)
        device_absent(&s.kind, ls_error_message(ls));
    if (!suite_check(&s, ls_error(ls) == LS_OK && ls_error(reference) == LS_OK, "open", "%s%s", ls_error_message(ls),
                     ls_error_message(reference)))
        return 1;
    printf("%s: %s\n", s.kind.name, ls_device_name(ls));

    suite_part(&s, "open");
    suite_primitives(&s);
    if (!must_notice) {
        if (folder)
            goldens(&s, ls, reference, folder, headers);
        suite_part(&s, "goldens");
        networks(&s, ls, reference);
        suite_part(&s, "networks");
        suite_errors(&s, ls);
        suite_arguments(&s, ls);
        suite_arrays(&s, ls);
        suite_part(&s, "errors");
        suite_check(&s, ls_error(ls) == LS_OK, "the context", "ends in error: %s", ls_error_message(ls));
    }
    suite_check(&s, ls_close(&ls) == LS_OK, "close", "failed");
    ls_close(&reference);

    if (must_notice) {
        printf("%s: %zu failures, %s\n", argv[1], s.failed, noticed ? "the op was named" : "the op was NOT named");
        printf("%d passed, %d failed\n", noticed, !noticed);
        return noticed ? 0 : 1;
    }
    printf("%zu passed, %zu failed\n", s.passed, s.failed);
    return s.failed ? 1 : 0;
}
