/* SPDX-License-Identifier: Apache-2.0
 *
 * `lockstep bench`: the command line, the clock and the report.
 */
#define _POSIX_C_SOURCE 200809L
#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "host.h"
#include "tool.h"

static const struct {
    const char *name;
    void (*run)(struct bench *b, ls_context *ls);
} benchmarks[] = {{"gemm", bench_gemm}, {"conv", bench_conv}, {"mlp", bench_mlp}, {"eager", bench_eager}, {"fit", bench_fit},
                  {"receipt", bench_receipt}, {"start", bench_start}};
enum { BENCHMARKS = sizeof benchmarks / sizeof *benchmarks };

double bench_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_middle(double *samples, size_t count)
{
    qsort(samples, count, sizeof *samples, by_size);
    return count % 2 ? samples[count / 2] : (samples[count / 2 - 1] + samples[count / 2]) / 2;
}

double bench_median(const struct bench *b, ls_context *ls, void (*job)(void *user), void *user)
{
    enum { WARM_UP = 20, LEAST = 3, MOST = 100000 };
    static double samples[MOST];
    double end = bench_now() + b->seconds;
    for (int i = 0; i < WARM_UP && (i < LEAST || bench_now() < end) && ls_error(ls) == LS_OK; i++)
        job(user);
    size_t count = 0;
    end = bench_now() + b->seconds;
    while (count < MOST && (count < LEAST || bench_now() < end) && ls_error(ls) == LS_OK) {
        double begin = bench_now();
        job(user);
        samples[count++] = bench_now() - begin;
    }
    return ls_error(ls) == LS_OK ? bench_middle(samples, count) : NAN;
}

void bench_report(struct bench *b, ls_context *ls, const char *name, double median_s, double flop,
                  const struct bench_bits *bits)
{
    double rate = flop > 0 ? flop / median_s : NAN;
    if (strcmp(bits->text, "equal") != 0)
        b->wrong = true;
    if (b->json) {
        json_begin_object();
        json_text("name", name);
        json_text("device", ls_device_id(ls));
        json_number("median_s", median_s);
        json_number("gflops", rate / 1e9);
        json_number("fraction_of_peak", rate / b->peak);
        json_text("bits", bits->text);
        json_number("peak_gflops", b->peak / 1e9);
        json_end_object();
        return;
    }
    char speed[32] = "-", fraction[32] = "-", time[32] = "-";
    if (isfinite(rate)) {
        snprintf(speed, sizeof speed, "%.1f", rate / 1e9);
        snprintf(fraction, sizeof fraction, "%.2f", rate / b->peak);
    }
    if (isfinite(median_s))
        snprintf(time, sizeof time, median_s < 1e-4 ? "%.2f us" : "%.3f ms", median_s * (median_s < 1e-4 ? 1e6 : 1e3));
    printf("%-18s %12s %10s %9s  %s\n", name, time, speed, fraction, bits->text);
    fflush(stdout);
}

bool bench_failed(struct bench *b, ls_context *ls, const char *name)
{
    if (ls_error(ls) == LS_OK)
        return false;
    struct bench_bits bits;
    snprintf(bits.text, sizeof bits.text, "%s", ls_error_message(ls));
    bench_report(b, ls, name, NAN, 0, &bits);
    ls_clear_error(ls);
    return true;
}

ls_context *bench_open_other(const ls_context *ls)
{
    bool is_reference = strncmp(ls_device_id(ls), "reference", 9) == 0;
    ls_context *other = ls_open(is_reference ? "reference:baseline" : "reference");
    if (is_reference && ls_error(other) != LS_OK) {
        ls_close(&other);
        other = ls_open("reference");
    }
    return other;
}

void bench_random(float *x, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t z = seed += 0x9e3779b97f4a7c15u; /* SplitMix64: Steele, Lea, Flood, 2014 */
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        z ^= z >> 31;
        x[i] = (float)((int32_t)(z >> 40) - (1 << 23)) * 0x1p-23f;
    }
}

/* This program's own file. */
static const char *own_file(const char *argv0)
{
    static char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length <= 0)
        return argv0;
    path[length] = '\0';
    return path;
}

static bool seconds_from(const char *text, double *seconds)
{
    char *end;
    *seconds = strtod(text, &end);
    return end != text && !*end && *seconds > 0 && *seconds <= 3600;
}

static void run(struct bench *b, ls_context *ls, const bool *chosen)
{
    b->peak = host_peak();
    if (b->json) {
        json_begin_list();
    } else {
        printf("%s: %s\n", ls_device_id(ls), ls_device_name(ls));
        printf("FMA peak of this machine's processor: %.1f GFLOP/s (%s, %d thread%s)\n\n", b->peak / 1e9, host_isa(),
               host_threads(), host_threads() == 1 ? "" : "s");
        printf("%-18s %12s %10s %9s  %s\n", "", "median", "GFLOP/s", "of peak", "bits");
    }
    for (int i = 0; i < BENCHMARKS; i++)
        if (chosen[i])
            benchmarks[i].run(b, ls);
    if (b->json)
        json_end_list();
}

int bench_command(int argc, char **argv)
{
    struct bench b = {.program = own_file("lockstep"), .seconds = 0.5};
    unsetenv("LOCKSTEP_RECEIPT"); /* what is measured is a run without one */
    bool chosen[BENCHMARKS] = {false}, any = false;
    for (int i = 1; i < argc; i++) {
        int which = 0;
        while (which < BENCHMARKS && strcmp(argv[i], benchmarks[which].name) != 0)
            which++;
        if (which < BENCHMARKS) {
            chosen[which] = any = true;
        } else if (strcmp(argv[i], "--json") == 0) {
            b.json = true;
        } else if (strcmp(argv[i], "--device") == 0) {
            if (++i == argc)
                return misuse("bench: --device needs a device");
            b.words = argv[i];
        } else if (strcmp(argv[i], "--seconds") == 0) {
            if (++i == argc || !seconds_from(argv[i], &b.seconds))
                return misuse("bench: --seconds needs a number above 0, up to 3600");
        } else {
            return misuse("bench: \"%s\" is not understood; there are gemm, conv, mlp, eager, fit, receipt and start", argv[i]);
        }
    }
    for (int i = 0; i < BENCHMARKS && !any; i++)
        chosen[i] = true;

    ls_context *ls = ls_open(b.words);
    if (ls_error(ls) != LS_OK) {
        ls_status status = ls_error(ls);
        fprintf(stderr, "lockstep: %s\n", ls_error_message(ls));
        ls_close(&ls);
        return status == LS_NOT_FOUND ? EXIT_MISUSE : 1;
    }
    run(&b, ls, chosen);
    if (ls_close(&ls) != LS_OK)
        b.wrong = true;
    return b.wrong ? 1 : 0;
}
