/* SPDX-License-Identifier: Apache-2.0
 *
 *     test_verify_steps [KIND]
 *
 * verify:...,sample=N checks the first training step and every Nth, whole, and nothing in between: the second
 * device's calls are counted, and faults of one step are found where N divides its number, never elsewhere.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lockstep/lockstep.h>

#include "check.h"
#include "devices.h"

static char folder[] = "/tmp/lockstep-test-XXXXXX", path[64];
static const char *first = "reference:baseline"; /* the device that is checked */

enum program { EAGER, CAPTURED, BY_HAND, TRAINED_THEN_USED, USED_THEN_TRAINED, CURIOUS, CURIOUS_WITHIN, PROGRAMS };
static const char *const names[PROGRAMS] = {"eager", "captured", "by hand", "trained, then used", "used, then trained",
                                            "reads much", "reads much within"};

struct run {
    ls_context *ls;
    ls_tensor w;
    ls_optimizer *momentum;
    int reads; /* between the forward and the backward pass */
};

static void read_often(ls_tensor x, int times)
{
    for (int i = 0; i < times; i++)
        ls_item(ls_sum(ls_square(x), NULL, 0, false));
}

static void step(void *user, const ls_tensor *in, ls_tensor *out)
{
    struct run *r = user;
    ls_tensor g;
    LS_TAPE(tape, r->ls)
        out[0] = ls_mean(ls_square(ls_tanh(ls_matmul(in[0], r->w))), NULL, 0, false);
    read_often(in[0], r->reads);
    ls_gradient(tape, out[0], &r->w, 1, &g);
    if (r->momentum)
        ls_apply_gradients(r->momentum, (ls_gradients){&g, &r->w, 1, r->ls});
    else
        ls_update_sgd(r->w, (ls_tensor){0}, g, ls_scalar(r->ls, 0.5f), 0, false);
}

enum { MOST = 128, TRAINED = 5, USED = 40, READS = 40 };

static bool trains(enum program program, int s)
{
    return program == TRAINED_THEN_USED ? s <= TRAINED : program != USED_THEN_TRAINED || s > USED;
}

/* Runs `steps` steps; how many primitives each called goes to `calls`, from 1 on. */
static ls_status run(const char *device, enum program program, int steps, uint64_t *calls, char *message)
{
    struct run r = {.ls = ls_open(device), .reads = program == CURIOUS_WITHIN ? READS : 0};
    r.w = ls_variable(ls_random_uniform(r.ls, LS_SHAPE(20, 9), -1, 1), "w", true);
    ls_tensor x = ls_keep(ls_random_normal(r.ls, LS_SHAPE(13, 20), 0, 1)), out;
    if (program != BY_HAND)
        r.momentum = ls_sgd(r.ls, .learning_rate = 0.5f, .momentum = 0.9f);
    ls_function *function = program == CAPTURED ? ls_function_create(r.ls, step, &r, 1, 1) : NULL;
    uint64_t before = 0;
    for (int s = 1; s <= steps; s++)
        LS_SCOPE(r.ls) {
            if (function)
                ls_function_call(function, &x, &out);
            else if (!trains(program, s))
                out = ls_sum(ls_tanh(ls_matmul(x, r.w)), NULL, 0, false);
            else
                step(&r, &x, &out);
            read_often(x, program == CURIOUS ? READS : 0);
            ls_item(out);
            if (calls)
                calls[s] = ls_get_stats(r.ls).dispatches - before;
            before = ls_get_stats(r.ls).dispatches;
        }
    snprintf(message, 1024, "%s", ls_error_message(r.ls));
    ls_function_destroy(&function);
    ls_optimizer_destroy(&r.momentum);
    return ls_close(&r.ls);
}

/* The primitive calls in the trace that profile: wrote last; each context of a process has its own. */
static uint64_t profiled_calls(void)
{
    static int contexts;
    char name[80], number[16] = "";
    json_error_t error;
    if (++contexts > 1)
        snprintf(number, sizeof number, ".%d", contexts);
    snprintf(name, sizeof name, "%s%s.json", path, number);
    json_t *root = json_load_file(name, 0, &error), *event;
    uint64_t calls = 0;
    size_t i;
    json_array_foreach(json_object_get(root, "traceEvents"), i, event) {
        const char *kind = json_string_value(json_object_get(event, "name"));
        calls += strcmp(json_string_value(json_object_get(event, "ph")), "X") == 0 && strcmp(kind, "read") != 0 &&
                 strcmp(kind, "write") != 0;
    }
    CHECK(root, "%s: %s", name, error.text);
    json_decref(root);
    remove(name);
    return calls;
}

/* In a run without optimizers' steps, the first 16 reads and then every Nth; a step that is due ends all counting of reads. */
static bool is_checked(enum program program, int s, int sample)
{
    int trained = program == TRAINED_THEN_USED ? TRAINED : 0, by_reads = s - trained - 16;
    if (program == USED_THEN_TRAINED && s > USED + 1) /* the second step stands for the first */
        return s == USED + 2 || (s - USED) % sample == 0;
    if (program <= CAPTURED || s <= trained)
        return s == 1 || s % sample == 0;
    if (trained > 0 && (trained + 1) % sample == 0)
        return true;
    return by_reads > 0 ? by_reads % sample == 0 : trained == 0;
}

/* The second device is called as often as the first one in the steps that are to be checked. */
static void count(enum program program, int steps, int sample)
{
    uint64_t calls[MOST], expected = 0;
    char device[128], message[1024];
    snprintf(device, sizeof device, "verify:%s,profile:reference,sample=%d", first, sample);
    CHECK(run(device, program, steps, calls, message) == LS_OK, "%s: %s", names[program], message);
    for (int s = 1; s <= steps; s++)
        expected += is_checked(program, s, sample) ? calls[s] : 0;
    uint64_t got = profiled_calls();
    CHECK(calls[steps] > 2 && got == expected, "%s, %d steps, sample=%d: the second device was called %llu times, not %llu",
          names[program], steps, sample, (unsigned long long)got, (unsigned long long)expected);
}

static void fault(enum program program, const char *kind, int at, int sample, const char *named)
{
    char device[96], message[1024], where[32];
    snprintf(device, sizeof device, "verify:fault:%s=%d,reference,reference,sample=%d", kind, at, sample);
    snprintf(where, sizeof where, "in step %d;", at);
    ls_status status = run(device, program, 24, NULL, message);
    bool found = status == LS_DIVERGED && strstr(message, where) && strstr(message, named);
    CHECK(at % sample == 0 ? found : status == LS_OK, "%s, %s: %s: \"%s\"", names[program], device, ls_status_name(status),
          message);
}

int main(int argc, char **argv)
{
    char command[128], message[1024];
    CHECK(mkdtemp(folder) != NULL, "no folder");
    snprintf(path, sizeof path, "%s/run", folder);
    setenv("LOCKSTEP_PROFILE", path, 1);
    setenv("LOCKSTEP_DUMP", path, 1);
    setenv("LOCKSTEP_CACHE_DIR", "/dev/null/none", 1); /* no verdicts: bit for bit */
    if (argc > 1) {
        struct device_kind kind = device_kind_of(argv[1]);
        first = kind.words;
        ls_context *ls = ls_open(first);
        if (ls_error(ls) != LS_OK)
            device_absent(&kind, ls_error_message(ls));
        ls_close(&ls);
    }
    static const int samples[] = {1, 2, 3, 7, 1000};
    for (int program = 0; program < CURIOUS; program++)
        for (int i = 0; i < 5; i++) /* a captured step's second call records it, which is other calls */
            if (program != CAPTURED || samples[i] != 2)
                count((enum program)program, program <= CAPTURED ? 24 : 60, samples[i]);
    static const enum program trained[] = {EAGER, CAPTURED, CURIOUS, CURIOUS_WITHIN};
    for (int i = 0; i < 4; i++)
        for (int at = 11; at <= 13; at++)
            for (int sample = 2; sample <= 13; sample++) {
                fault(trained[i], "unfused", at, sample, "gemm");
                fault(trained[i], "tail", at, sample, "map");
            }
    CHECK(run("verify:fault:unfused,reference,reference,sample=1000", BY_HAND, 3, NULL, message) == LS_DIVERGED, "by hand: %s",
          message);
    snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK(system(command) == 0, "cannot remove %s", folder);
    return end_of_checks();
}
