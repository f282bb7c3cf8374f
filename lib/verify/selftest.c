/* SPDX-License-Identifier: Apache-2.0
 *
 * The self-test: canon.md section 2. The parts compare primitives; here a tiny network is trained, the
 * verdict is reached and kept.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <lockstep/ops.h>
#include <lockstep/tape.h>
#include <lockstep/tensor.h>
#include <lockstep/update.h>
#include <lockstep/verify.h>

#include "../core/internal.h"
#include "cache.h"
#include "env.h"
#include "float_environment.h"
#include "selftest.h"
#include "verdict.h"

/* What the reference gives for the test's data: so that a reference which a compiler broke is noticed.
 * A change of these numbers is a change of the canon, or of the test's data. */
static const uint64_t anchors[2] = {UINT64_C(0x0535730b0e40b795), UINT64_C(0x8754e27c4e983d30)};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* ---- A tiny network, three steps ---- */

enum { STEPS = 3, BATCH = 5, INPUTS = 7, HIDDEN = 6, CLASSES = 3 };

/* Fingerprints of the loss and the gradients of each step, and of the weights at the end. */
static ls_status train(const char *words, char text[STEPS + 1][32], char *message, size_t size)
{
    ls_context *ls = ls_open_plain(words);
    ls_set_random_seed(ls, 11);
    ls_tensor x = ls_random_normal(ls, LS_SHAPE(BATCH, INPUTS), 0, 1), w[4];
    ls_tensor y = ls_from_host(ls, LS_INT32, LS_SHAPE(BATCH), (int32_t[]){0, 1, 2, 1, 0});
    w[0] = ls_variable(ls_random_uniform(ls, LS_SHAPE(INPUTS, HIDDEN), -0.5f, 0.5f), "w1", true);
    w[1] = ls_variable(ls_random_uniform(ls, LS_SHAPE(HIDDEN), -0.1f, 0.1f), "b1", true);
    w[2] = ls_variable(ls_random_uniform(ls, LS_SHAPE(HIDDEN, CLASSES), -0.5f, 0.5f), "w2", true);
    w[3] = ls_variable(ls_random_uniform(ls, LS_SHAPE(CLASSES), -0.1f, 0.1f), "b2", true);
    ls_tensor rate = ls_scalar(ls, 0.1f);
    for (int step = 0; step < STEPS; step++) {
        LS_SCOPE(ls) {
            ls_tensor loss = {0}, g[5];
            LS_TAPE(tape, ls) {
                ls_tensor h = ls_matmul(x, w[0], .bias = w[1], .activation = LS_RELU);
                ls_tensor logits = ls_matmul(h, w[2], .bias = w[3]);
                loss = ls_mean(ls_sparse_softmax_cross_entropy(y, logits), NULL, 0, false);
            }
            ls_gradient(tape, loss, w, 4, g);
            g[4] = loss;
            snprintf(text[step], sizeof text[step], "%s", ls_fingerprint(g, 5).text);
            for (int i = 0; i < 4; i++)
                ls_update_sgd(w[i], (ls_tensor){0}, g[i], rate, 0, false);
        }
    }
    snprintf(text[STEPS], sizeof text[STEPS], "%s", ls_fingerprint(w, 4).text);
    snprintf(message, size, "%s", ls_error_message(ls));
    return ls_close(&ls);
}

/* Only the digits: the words before them say what class a device is thought to have. */
static const char *digits(const char *fingerprint)
{
    size_t length = strlen(fingerprint);
    return length > 16 ? fingerprint + length - 16 : fingerprint;
}

static void network(struct ls_duel *d, const char *words)
{
    char want[STEPS + 1][32], got[STEPS + 1][32], message[256];
    d->status = train("reference", want, message, sizeof message);
    if (d->status == LS_OK)
        d->status = train(words, got, message, sizeof message);
    if (d->status != LS_OK) {
        snprintf(d->reasons, sizeof d->reasons, "a small network cannot be trained: %.200s", message);
        return;
    }
    for (int step = 0; step <= STEPS; step++) {
        d->anchor = ls_cache_hash(d->anchor, digits(want[step]), 16);
        d->checks++;
        if (strcmp(digits(want[step]), digits(got[step])) != 0)
            ls_duel_wrong(d, "network", step < STEPS ? "the gradients of step %d are wrong" : "the weights are wrong",
                          step + 1);
    }
}

/* ---- The verdict ---- */

/* Whether fma is emulated: E-slow, if exact. */
static bool emulates_fma(const struct ls_device *device)
{
    const char *options = ls_env("LOCKSTEP_CL_BUILD_OPTIONS");
    return device->info.emulates_fma ||
           (strcmp(device->info.backend, "opencl") == 0 && options && strstr(options, "-DLS_EMULATE_FMA="));
}

static const char *class_of(const struct ls_duel *d, const struct ls_device_info *info)
{
    const char *numerics = ls_env("LOCKSTEP_NUMERICS");
    bool fast = numerics && strcmp(numerics, "fast") == 0 && strcmp(info->backend, "reference") != 0;
    return d->wrong > 0 || fast ? "T" : d->wrong_subnormal > 0 ? "N" : emulates_fma(d->device[1]) ? "E-slow" : "E";
}

static void run(struct ls_duel *d, const char *words)
{
    ls_selftest_arithmetic(d);
    if (d->status == LS_OK)
        ls_selftest_prims(d);
    if (d->status == LS_OK)
        ls_selftest_rows(d);
    if (d->status == LS_OK)
        network(d, words);
    bool reference = d->device[1]->backend == d->device[0]->backend;
    if (d->status == LS_OK && reference && d->wrong == 0) {
        d->checks++;
        if (d->anchor != anchors[d->full])
            ls_duel_wrong(d, "reference", "its results have the hash %016llx, not %016llx: this build is broken",
                          (unsigned long long)d->anchor, (unsigned long long)anchors[d->full]);
    }
}

/* A decorated device is known by its words; others by what they are. */
static const char *decoration(const struct ls_device *device, const char *words)
{
    return device->backend->list ? NULL : words;
}

static bool answer(const struct ls_device *device, const char *words, bool full, ls_selftest_result *result)
{
    struct ls_verdict verdict;
    if (!ls_verdict_load(&device->info, decoration(device, words), &verdict) || (full && !verdict.full))
        return false;
    memcpy(result->device.exactness, verdict.exactness, sizeof result->device.exactness);
    memcpy(result->reasons, verdict.reasons, sizeof result->reasons);
    result->checks = verdict.checks;
    result->seconds = verdict.seconds;
    result->full = verdict.full;
    result->kept = true;
    return true;
}

static ls_status judge(struct ls_device *device, const char *words, bool full, ls_selftest_result *result)
{
    struct ls_duel d = {.device = {NULL, device}, .full = full, .anchor = LS_CACHE_HASH, .random = 20261121};
    struct ls_message message;
    struct ls_verdict verdict = {.full = full};
    double start = now();
    ls_status status = ls_device_open("reference", &d.device[0], &message);
    if (status != LS_OK) {
        snprintf(result->reasons, sizeof result->reasons, "%s", message.text);
        return status;
    }
    run(&d, words);
    d.device[0]->backend->close(d.device[0]);
    memcpy(result->reasons, d.reasons, sizeof result->reasons);
    if (d.status != LS_OK)
        return d.status;
    verdict.seconds = result->seconds = now() - start;
    verdict.checks = result->checks = d.checks;
    snprintf(verdict.exactness, sizeof verdict.exactness, "%s", class_of(&d, &device->info));
    memcpy(verdict.reasons, d.reasons, sizeof verdict.reasons);
    memcpy(result->device.exactness, verdict.exactness, sizeof verdict.exactness);
    result->full = full;
    ls_verdict_store(&device->info, decoration(device, words), &verdict);
    return LS_OK;
}

ls_status ls_selftest_with(const ls_selftest_options *options)
{
    ls_selftest_result *result = options->result;
    const char *asked = options->device ? options->device : ls_env("LOCKSTEP_BACKEND");
    uint64_t before = ls_float_enter(); /* the numbers that it draws, too, are the same for everybody */
    struct ls_device *device = NULL;
    struct ls_message message = {{0}};
    *result = (ls_selftest_result){.kept = false};
    ls_status status = ls_device_open(asked ? asked : "auto", &device, &message);
    if (status != LS_OK) {
        snprintf(result->reasons, sizeof result->reasons, "%s", message.text);
    } else {
        result->device = device->info;
        if (options->again || !answer(device, asked, options->full, result))
            status = judge(device, asked ? asked : device->info.device, options->full, result);
        device->backend->close(device);
    }
    ls_float_leave(before);
    return status;
}
