/* SPDX-License-Identifier: Apache-2.0
 *
 * Failures, one at a time: the Nth allocation on the device, the Nth primitive call, the loss of the
 * device, the Nth allocation on the host. A training step with everything in it (tape, second order,
 * capture, random numbers, optimizer) meets each of them; it must end with a status and a message,
 * nothing may leak (sanitizers watch), and after an error that is not a loss the context must work.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lockstep/function.h>
#include <lockstep/ops.h>
#include <lockstep/tape.h>
#include <lockstep/update.h>

#include "check.h"
#include "failing_memory.h"

/* ---- A job that meets everything ---- */

struct job {
    ls_tensor w, m, v, rate, power1, power2;
};

static void step(void *user, const ls_tensor *in, ls_tensor *out)
{
    struct job *j = user;
    ls_context *ls = in[0].context;
    ls_tensor slope, g;
    ls_tape *outer = ls_tape_begin(ls), *inner = ls_tape_begin(ls);
    ls_watch(inner, in[0]);
    ls_tensor h = ls_softmax(ls_matmul(in[0], j->w, .activation = LS_TANH), 0);
    ls_tensor score = ls_mean(ls_sparse_softmax_cross_entropy(ls_argmax(h, 1), h), NULL, 0, false);
    ls_tape_end(inner);
    ls_gradient(inner, score, in, 1, &slope);
    out[0] = ls_add(score, ls_sum(ls_square(slope), NULL, 0, false));
    ls_tape_end(outer);
    ls_gradient(outer, out[0], &j->w, 1, &g);
    ls_tape_destroy(&inner);
    ls_tape_destroy(&outer);
    ls_update_adam_rate(j->rate, j->power1, j->power2, ls_scalar(ls, 0.1f), 0.9f, 0.999f);
    ls_update_adam(j->w, j->m, j->v, g, j->rate, 0.9f, 0.999f, 1e-7f);
}

static ls_tensor block(void *user, const ls_tensor *in, size_t count)
{
    (void)count;
    return ls_matmul(ls_tanh(in[0]), *(ls_tensor *)user);
}

static size_t straight_through(void *user, const ls_custom_call *call)
{
    (void)user;
    call->gradients[0] = call->output_gradient;
    return 1;
}

static ls_tensor rounded(void *user, const ls_tensor *in, size_t count)
{
    (void)user, (void)count;
    return ls_floor(in[0]);
}

/* Checkpoint, custom gradient, reasons, Jacobian, forward mode. */
static ls_tensor around(ls_context *ls, ls_tensor x, ls_tensor w)
{
    ls_tensor y, g[2], sources[] = {x, w}, tangents[] = {x, w};
    LS_TAPE(tape, ls, .persistent = true) {
        ls_watch(tape, x);
        y = ls_custom_gradient(ls, "rounded", rounded, straight_through, NULL, &x, 1);
        y = ls_sum(ls_recompute_grad(ls, block, &w, &y, 1), (int[]){0}, 1, false);
    }
    ls_gradient(tape, y, sources, 2, g);
    ls_gradient(tape, y, (ls_tensor[]){w, ls_scalar(ls, 1)}, 2, (ls_tensor[2]){{0}});
    ls_tensor j = ls_jacobian(tape, y, w), d = ls_jvp(tape, y, sources, tangents, 2);
    ls_tape_destroy(&tape);
    return ls_add(ls_sum(ls_mul(g[1], ls_sum(j, (int[]){0}, 1, false)), NULL, 0, false), ls_sum(d, NULL, 0, false));
}

static ls_status run(ls_context *ls, float *loss)
{
    struct job j;
    ls_tensor x, out = {0}; /* stays nil where no function could be made */
    ls_scope_begin(ls);
    x = ls_random_normal(ls, LS_SHAPE(6, 5), 0.0f, 1.0f);
    j.w = ls_variable(ls_random_uniform(ls, LS_SHAPE(5, 4), -1.0f, 1.0f), "w", true);
    j.m = ls_variable(ls_zeros_like(j.w), "m", false);
    j.v = ls_variable(ls_zeros_like(j.w), "v", false);
    j.rate = ls_variable(ls_scalar(ls, 0.0f), "rate", false);
    j.power1 = ls_variable(ls_scalar(ls, 1.0f), "power1", false);
    j.power2 = ls_variable(ls_scalar(ls, 1.0f), "power2", false);
    ls_function *function = ls_function_create(ls, step, &j, 1, 1);
    for (int call = 0; call < 4; call++)
        ls_function_call(function, &x, &out);
    out = ls_add(out, around(ls, x, j.w));
    if (ls_error(ls) == LS_OK)
        *loss = ls_item(out);
    ls_fingerprint(&j.w, 1);
    ls_function_destroy(&function);
    ls_tensor *all[] = {&j.w, &j.m, &j.v, &j.rate, &j.power1, &j.power2};
    for (int i = 0; i < 6; i++)
        ls_variable_destroy(all[i]);
    ls_status status = ls_error(ls);
    ls_scope_end(ls);
    return status;
}

/* ---- Planted by the fault decorator ---- */

static void device_faults(const char *kind, const char *device, ls_status expected, float truth)
{
    int met = 0;
    for (int n = 1; n < 900; n++) {
        char words[96];
        float loss = 0.0f;
        snprintf(words, sizeof words, "fault:%s=%d,%s", kind, n, device);
        ls_context *ls = ls_open(words);
        ls_status status = run(ls, &loss);
        if (status == LS_OK) {
            CHECK(loss == truth, "%s: the loss is %g, not %g", words, (double)loss, (double)truth);
            CHECK(ls_close(&ls) == LS_OK, "%s: close", words);
            break;
        }
        met++;
        CHECK(status == expected, "%s: %s: %s", words, ls_status_name(status), ls_error_message(ls));
        CHECK(strstr(ls_error_message(ls), "planted"), "%s: \"%s\"", words, ls_error_message(ls));
        CHECK(ls_get_stats(ls).live_tensors == 0, "%s: %zu tensors left", words, ls_get_stats(ls).live_tensors);
        ls_clear_error(ls);
        if (expected == LS_DEVICE_LOST) {
            CHECK(ls_error(ls) == LS_DEVICE_LOST, "%s: a lost device came back", words);
        } else {
            ls_set_random_seed(ls, 0);
            CHECK(run(ls, &loss) == LS_OK && loss == truth, "%s: afterwards %s, loss %g", words,
                  ls_error_message(ls), (double)loss);
        }
        CHECK(ls_close(&ls) == (expected == LS_DEVICE_LOST ? LS_DEVICE_LOST : LS_OK), "%s: close", words);
    }
    CHECK(met > 3 && met < 899, "fault:%s on %s was met %d times", kind, device, met);
}

/* ---- On the host ---- */

static void host_faults(float truth)
{
    int met = 0, quiet = 0;
    for (long n = 1; n < 4000; n++) {
        float loss = 0.0f;
        host_countdown = n;
        ls_context *ls = ls_open("reference");
        ls_status status = ls ? run(ls, &loss) : LS_OUT_OF_MEMORY;
        bool failed = host_countdown == 0;
        host_countdown = 0;
        if (!failed) {
            CHECK(status == LS_OK && loss == truth, "without a failure: %s", ls_status_name(status));
            ls_close(&ls);
            break;
        }
        met++;
        quiet += status == LS_OK;
        if (status == LS_OK)
            CHECK(loss == truth, "allocation %ld failed unnoticed: loss %g, not %g", n, (double)loss, (double)truth);
        else
            CHECK(status == LS_OUT_OF_MEMORY, "allocation %ld: %s: %s", n, ls_status_name(status),
                  ls_error_message(ls));
        ls_close(&ls);
    }
    CHECK(met > 20 && met < 3999, "host allocations failed %d times", met);
    printf("host allocations: %d failed in turn, %d of them without harm\n", met, quiet);
}

/* A scope that could not be begun: its end, and keeping in it, leave the scopes around it alone. */
static void scope_faults(void)
{
    enum { DEPTH = 40 };
    ls_context *ls = ls_open("reference");
    ls_scope_begin(ls);
    ls_tensor x = ls_scalar(ls, 5.0f);
    host_countdown = 1;
    for (int i = 0; i < DEPTH; i++)
        ls_scope_begin(ls);
    CHECK(host_countdown == 0 && ls_error(ls) == LS_OUT_OF_MEMORY, "%s", ls_error_message(ls));
    ls_clear_error(ls);
    ls_tensor inside = ls_keep(ls_scalar(ls, 6.0f)); /* of the innermost scope that there is */
    CHECK(ls_item(inside) == 6.0f, "kept: %s", ls_error_message(ls));
    for (int i = 0; i < DEPTH; i++)
        CHECK(ls_scope_end(ls) == LS_OK, "end %d: %s", i, ls_error_message(ls));
    CHECK(ls_item(x) == 5.0f, "the outer scope was ended: %s", ls_error_message(ls));
    CHECK(ls_scope_end(ls) == LS_OK && ls_get_stats(ls).live_tensors == 0, "%s", ls_error_message(ls));
    CHECK(ls_scope_end(ls) == LS_INVALID_ARGUMENT, "one end too many");
    ls_clear_error(ls);
    CHECK(ls_close(&ls) == LS_OK, "close");
}

int main(int argc, char **argv)
{
    float truth = 0.0f;
    ls_context *ls = ls_open("reference");
    CHECK(run(ls, &truth) == LS_OK, "%s", ls_error_message(ls));
    CHECK(ls_close(&ls) == LS_OK, "close");
    const char *device = argc > 1 ? argv[1] : "reference";
    device_faults("alloc", device, LS_OUT_OF_MEMORY, truth);
    device_faults("call", device, LS_DEVICE_ERROR, truth);
    device_faults("lost", device, LS_DEVICE_LOST, truth);
    if (argc <= 1) {
        host_faults(truth);
        scope_faults();
    }
    return end_of_checks();
}
