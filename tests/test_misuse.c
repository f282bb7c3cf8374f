/* SPDX-License-Identifier: Apache-2.0
 *
 * What programs do wrong around tapes, functions, scopes and processes, and what they may do although it
 * looks wrong: each gives a message or the right numbers.
 *
 *     test_misuse [DEVICE]
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "devices.h"

static void expect(const char *what, ls_tensor t, float value)
{
    float got[64] = {NAN};
    size_t n = (size_t)ls_size(t);
    bool good = n > 0 && n <= 64 && ls_read(t, got, n * 4) == LS_OK;
    for (size_t i = 0; i < n && good; i++)
        good = got[i] == value;
    CHECK(good, "%s is %g, not %g; %s", what, (double)got[0], (double)value,
          t.context ? ls_error_message(t.context) : "nil");
}

static ls_tensor sum(ls_tensor a) { return ls_sum(a, NULL, 0, false); }

/* ---- NULL, nil, and numbers that are none ---- */

static ls_tensor square(void *user, const ls_tensor *in, size_t count)
{
    (void)user, (void)count;
    return ls_square(in[0]);
}

static size_t none(void *user, const ls_custom_call *call)
{
    (void)user;
    return call->count;
}

static ls_tensor nothing(void *user, const ls_tensor *in, size_t count)
{
    (void)user, (void)in, (void)count;
    return (ls_tensor){0};
}

static ls_tensor released(void *user, const ls_tensor *in, size_t count)
{
    ls_tensor y;
    (void)user, (void)count;
    LS_SCOPE (in[0].context)
        y = ls_exp(in[0]);
    return y;
}

static void nulls(ls_context *ls)
{
    ls_tensor x = ls_scalar(ls, 3), y, g[2] = {x, x};
    LS_TAPE (tape, ls, .persistent = true) {
        ls_watch(tape, x);
        y = ls_square(x);
    }
    ls_watch(NULL, x);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "watch: the tape is NULL");
    CHECK(ls_gradient(NULL, y, &x, 1, g) == LS_INVALID_ARGUMENT && ls_is_nil(g[0]), "a NULL tape answered");
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "gradient: the tape is NULL");
    CHECK(ls_gradient_with(NULL) == LS_INVALID_ARGUMENT, "NULL options");
    CHECK(ls_gradient(NULL, (ls_tensor){0}, &x, 1, g) == LS_INVALID_ARGUMENT, "no context");
    ls_jacobian(NULL, y, x);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "jacobian: the tape is NULL");
    ls_batch_jacobian(NULL, y, x);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "batch_jacobian: the tape is NULL");
    ls_jvp(NULL, y, &x, &x, 1);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "jvp: the tape is NULL");
    CHECK(!ls_tape_begin_with(NULL) && !ls_tape_begin(NULL), "a tape of nothing");
    ls_tape_end(NULL);
    ls_tape_destroy(NULL);
    ls_stop_recording(NULL);
    ls_resume_recording(NULL);
    ls_tape_reset(NULL);
    CHECK(ls_watched_variables(NULL, g, 2) == 0 && ls_gradient_reason(NULL, x)[0] == '\0', "of a NULL tape");
    ls_gradient(tape, y, NULL, 1, g);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "gradient: the array of sources is NULL");
    ls_gradient(tape, y, &x, 1, NULL);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "gradient: the array of gradients is NULL");
    ls_gradient_options ask = {.tape = tape, .target_count = 1, .sources = &x, .source_count = 1, .gradients = g};
    ls_gradient_with(&ask);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "gradient: the array of targets is NULL");
    ask.targets = &y;
    ask.unconnected_gradients = (ls_unconnected)9;
    ls_gradient_with(&ask);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "unconnected_gradients is 9");
    ls_jvp(tape, y, NULL, &x, 1);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "jvp: the array of sources is NULL");
    ls_jvp(tape, y, &x, NULL, 1);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "jvp: the array of tangents is NULL");
    ls_tensor gone = ls_scalar(ls, 1);
    ls_tensor stale = gone;
    ls_release(&gone);
    ls_jvp(tape, y, &x, &stale, 1);
    CHECK_ERROR(ls, LS_STALE_HANDLE, "jvp: tangent 0 was released");
    ls_jvp(tape, y, &stale, &x, 1);
    CHECK_ERROR(ls, LS_STALE_HANDLE, "jvp: source 0 is nil or was released");
    CHECK(ls_gradient(tape, y, &x, 1, g) == LS_OK, "%s", ls_error_message(ls));
    expect("after all that", g[0], 6);

    CHECK(ls_is_nil(ls_keep(stale)), "keep gave back what was released");
    CHECK_ERROR(ls, LS_STALE_HANDLE, "keep: the tensor was released");
    CHECK(ls_is_nil(ls_keep((ls_tensor){0})) && ls_error(ls) == LS_OK, "nil is kept as nil");

    ls_custom_gradient(ls, "c", NULL, none, NULL, &x, 1);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "custom_gradient c: the function is NULL");
    ls_custom_gradient(ls, "c", square, NULL, NULL, &x, 1);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "custom_gradient c: the backward function is NULL");
    ls_custom_gradient(ls, "c", square, none, NULL, NULL, 1);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "custom_gradient c: the array of inputs is NULL");
    ls_custom_gradient(ls, "c", square, none, NULL, &stale, 1);
    CHECK_ERROR(ls, LS_STALE_HANDLE, "custom_gradient c: input 0 was released");
    ls_custom_gradient(ls, "c", nothing, none, NULL, &x, 1);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "custom_gradient c: the function returned no tensor");
    ls_custom_gradient(ls, "c", released, none, NULL, &x, 1);
    CHECK_ERROR(ls, LS_STALE_HANDLE, "custom_gradient c: the function returned a tensor that was released");
    ls_recompute_grad(ls, NULL, NULL, &x, 1);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "recompute_grad: the function is NULL");
    ls_recompute_grad(ls, square, NULL, NULL, 1);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "recompute_grad: the array of inputs is NULL");
    ls_recompute_grad(ls, nothing, NULL, &x, 1);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "recompute_grad: the function returned no tensor");
    CHECK(ls_is_nil(ls_custom_gradient(NULL, "c", square, none, NULL, &x, 1)) &&
              ls_is_nil(ls_recompute_grad(NULL, square, NULL, &x, 1)),
          "without a context");

    /* A backward that gives none: nil, not zeros, and a reason; zeros where they are asked for. */
    LS_TAPE (cut, ls, .persistent = true) {
        ls_watch(cut, x);
        y = ls_custom_gradient(ls, "c", square, none, NULL, &x, 1);
        y = ls_square(ls_recompute_grad(ls, square, NULL, &y, 1));
    }
    ls_gradient(cut, y, &x, 1, g);
    CHECK(ls_is_nil(g[0]), "none is not nil");
    CHECK(strstr(ls_gradient_reason(cut, x), "a custom_gradient on the way gives none for it"), "%s",
          ls_gradient_reason(cut, x));
    ask = (ls_gradient_options){cut, &y, 1, NULL, &x, 1, LS_UNCONNECTED_ZERO, g};
    ls_gradient_with(&ask);
    expect("none, as zero", g[0], 0);
    LS_TAPE (beside, ls) {
        ls_watch(beside, x);
        y = ls_add(ls_custom_gradient(ls, "c", square, none, NULL, &x, 1), ls_square(x));
    }
    ls_gradient(beside, y, &x, 1, g);
    expect("another way is open", g[0], 6);
}

/* ---- Functions ---- */

static void swap_body(void *user, const ls_tensor *in, ls_tensor *out)
{
    (void)user;
    out[0] = ls_add(in[1], in[1]);
    out[1] = in[0];
}

static void lazy_body(void *user, const ls_tensor *in, ls_tensor *out)
{
    int *calls = user;
    out[0] = ls_exp(in[0]);
    if ((*calls)++ == 0)
        out[1] = in[0];
    else if (*calls == 3)
        LS_SCOPE (in[0].context)
            out[1] = ls_exp(in[0]);
}

static void functions(ls_context *ls)
{
    int calls = 1;
    ls_tensor x[2] = {ls_scalar(ls, 1), ls_scalar(ls, 10)}, out[2];
    CHECK(!ls_function_create(ls, NULL, NULL, 1, 1), "a function without a body");
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "the body is NULL");
    CHECK(ls_function_call(NULL, x, x) == LS_INVALID_ARGUMENT, "a NULL function ran");
    ls_function *f = ls_function_create(ls, swap_body, NULL, 2, 2);
    ls_function_call(f, NULL, out);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "function: the array of inputs is NULL");
    ls_function_call(f, x, NULL);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "function: the array of outputs is NULL");
    static const float first[] = {20, 2, 40, 4}, second[] = {1, 20, 2, 40};
    for (int call = 0; call < 4; call++) { /* outputs take the place of inputs */
        CHECK(ls_function_call(f, x, x) == LS_OK, "%s", ls_error_message(ls));
        expect("2 b", x[0], first[call]);
        expect("a", x[1], second[call]);
    }
    CHECK(ls_function_size(f) > 0, "it was never recorded");
    ls_function_destroy(&f);

    f = ls_function_create(ls, lazy_body, &calls, 1, 2);
    CHECK(ls_function_call(f, x, out) == LS_INVALID_ARGUMENT && ls_is_nil(out[0]), "an output is missing");
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "function: the body did not set output 1");
    ls_function_destroy(&f);
    calls = 0;
    f = ls_function_create(ls, lazy_body, &calls, 1, 2);
    CHECK(ls_function_call(f, x, out) == LS_OK, "%s", ls_error_message(ls));
    CHECK(ls_function_call(f, x, out) == LS_INVALID_ARGUMENT, "an output is missing when recorded");
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "function: the body did not set output 1");
    ls_function_call(f, x, out);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "function: the body released output 1");
    ls_function_destroy(&f);
}

/* ---- Arrays that are both sources and gradients; tangents that are all nil ---- */

static void shared_arrays(ls_context *ls)
{
    ls_tensor x = ls_scalar(ls, 3), y = ls_scalar(ls, 5), z, both[3] = {x, y, {0}}, g;
    LS_TAPE (tape, ls, .persistent = true) {
        ls_watch(tape, x);
        ls_watch(tape, y);
        z = ls_mul(ls_square(x), y);
    }
    CHECK(ls_gradient(tape, z, both, 2, both) == LS_OK, "%s", ls_error_message(ls));
    expect("dx", both[0], 30);
    expect("dy", both[1], 9);
    both[0] = x;
    both[1] = y;
    CHECK(ls_gradient(tape, z, both, 2, both + 1) == LS_OK, "%s", ls_error_message(ls));
    expect("dx, one further", both[1], 30);
    expect("dy, one further", both[2], 9);
    g = z;
    ls_gradient_with(&(ls_gradient_options){.tape = tape, .targets = &g, .target_count = 1, .sources = &x,
                                            .source_count = 1, .gradients = &g});
    expect("the target's array", g, 30);
    ls_tensor many[40];
    for (int i = 0; i < 40; i++)
        many[i] = i % 2 ? x : y;
    ls_gradient(tape, z, many, 40, many);
    expect("of many", many[39], 30);
    expect("of many", many[38], 9);

    ls_tensor sources[] = {x, y}, wide;
    LS_TAPE (line, ls, .persistent = true) {
        ls_watch(line, x);
        wide = ls_broadcast_to(x, LS_SHAPE(2, 3));
    }
    g = ls_jvp(line, wide, sources, (ls_tensor[2]){{0}}, 2);
    CHECK(ls_shape_of_tensor(g).rank == 2 && ls_size(g) == 6, "rank %d", ls_shape_of_tensor(g).rank);
    expect("along nothing", g, 0);
    g = ls_jvp(line, wide, sources, (ls_tensor[]){{0}, y}, 2);
    expect("along what does not lead there", g, 0);
    CHECK(ls_is_nil(ls_jvp(line, wide, &y, &y, 1)), "not connected at all");
}

/* ---- Bodies that assign to variables ---- */

static struct {
    ls_tensor v, w;
    int runs;
} state;

/* Reads v, gives it another value, and uses that too. */
static ls_tensor counting(void *user, const ls_tensor *in, size_t count)
{
    (void)user, (void)count;
    ls_tensor y = ls_mul(ls_square(in[0]), state.v);
    ls_assign(state.v, ls_add(state.v, ls_scalar(in[0].context, 1)));
    ls_assign(state.w, in[0]);
    state.runs++;
    return ls_mul(y, state.v);
}

/* Reads v by assigning it. */
static ls_tensor copies(void *user, const ls_tensor *in, size_t count)
{
    (void)user, (void)count;
    ls_assign(state.w, state.v);
    return ls_mul(in[0], state.w);
}

static ls_tensor counting_twice(void *user, const ls_tensor *in, size_t count)
{
    ls_tensor h = ls_recompute_grad(in[0].context, counting, user, in, count);
    return ls_recompute_grad(in[0].context, counting, user, &h, 1);
}

static ls_tensor assigns_input(void *user, const ls_tensor *in, size_t count)
{
    (void)user, (void)count;
    ls_tensor y = ls_square(in[0]);
    ls_assign(state.v, ls_add(in[0], in[0]));
    return ls_mul(y, state.v);
}

static void step(void *how, const ls_tensor *in, ls_tensor *out)
{
    ls_context *ls = in[0].context;
    ls_tensor y, sources[] = {in[0], state.v}, g[2];
    LS_TAPE (tape, ls) {
        ls_watch(tape, in[0]);
        y = how ? ls_recompute_grad(ls, counting_twice, NULL, in, 1) : counting_twice(NULL, in, 1);
    }
    ls_assign(state.w, ls_scalar(ls, 77)); /* in between: stays */
    ls_gradient(tape, y, sources, 2, g);
    out[0] = y;
    out[1] = g[0];
    out[2] = g[1];
    out[3] = ls_stop_gradient(state.w);
}

static void assigning(ls_context *ls)
{
    ls_tensor x = ls_scalar(ls, 2), y, g[2];
    state.v = ls_variable(ls_scalar(ls, 3), "v", true);
    state.w = ls_variable(ls_scalar(ls, 0), "w", false);
    ls_tensor sources[] = {x, state.v};
    state.runs = 0;
    LS_TAPE (tape, ls, .persistent = true) {
        ls_watch(tape, x);
        y = ls_recompute_grad(ls, counting, NULL, &x, 1);
    }
    expect("x^2 v (v + 1)", y, 48);
    expect("v counts up", state.v, 4);
    for (int time = 0; time < 2; time++) {
        ls_gradient(tape, y, sources, 2, g);
        expect("2 x v (v + 1)", g[0], 48);
        expect("4 (3 + 4), both values belong to v", g[1], 28);
        expect("v counts up once", state.v, 4);
        expect("w too", state.w, 2);
    }
    CHECK(state.runs == 3, "%d runs", state.runs);
    ls_assign(state.w, ls_scalar(ls, 5));
    ls_gradient(tape, y, sources, 2, g);
    expect("w keeps what it was given since", state.w, 5);

    ls_assign(state.v, ls_scalar(ls, 3)); /* a variable that is an input, and is assigned to */
    LS_TAPE (input, ls)
        y = ls_recompute_grad(ls, assigns_input, NULL, &state.v, 1);
    expect("v^2 times 2 v", y, 54);
    expect("assigned", state.v, 6);
    ls_gradient(input, y, &state.v, 1, g);
    expect("2 v (2 v) + v^2", g[0], 45);
    expect("still assigned", state.v, 6);

    ls_assign(state.v, ls_scalar(ls, 3));
    LS_TAPE (copied, ls) {
        ls_watch(copied, x);
        y = ls_recompute_grad(ls, copies, NULL, &x, 1);
    }
    ls_assign(state.v, ls_scalar(ls, 100));
    ls_gradient(copied, y, &x, 1, g);
    expect("v as it was copied", g[0], 3);

    /* Eagerly, recorded and replayed, with and without checkpoints: the same. */
    float seen[2][6][6];
    for (int how = 0; how < 2; how++) {
        ls_function *f = ls_function_create(ls, step, how ? &state : NULL, 1, 4);
        ls_assign(state.v, ls_scalar(ls, 1));
        for (int call = 0; call < 6; call++) {
            ls_tensor out[4];
            if (call == 4) /* also from outside */
                ls_assign(state.v, ls_scalar(ls, 0.5f));
            CHECK(ls_function_call(f, &x, out) == LS_OK, "%s", ls_error_message(ls));
            for (int i = 0; i < 4; i++)
                seen[how][call][i] = ls_item(out[i]);
            seen[how][call][4] = ls_item(state.v);
            seen[how][call][5] = ls_item(state.w);
        }
        CHECK(ls_function_size(f) > 0, "it was never recorded");
        ls_function_destroy(&f);
    }
    for (int call = 0; call < 6; call++)
        for (int i = 0; i < 6; i++)
            CHECK(seen[0][call][i] == seen[1][call][i], "call %d, number %d: %g, with checkpoints %g", call, i,
                  (double)seen[0][call][i], (double)seen[1][call][i]);
    CHECK(seen[0][0][4] == 3 && seen[0][3][4] == 9 && seen[0][5][4] == 4.5f, "v is %g, %g, %g", (double)seen[0][0][4],
          (double)seen[0][3][4], (double)seen[0][5][4]);
    ls_variable_destroy(&state.v);
    ls_variable_destroy(&state.w);
}

/* ---- Processes ---- */

static float work(ls_context *ls)
{
    ls_tensor a = ls_fill(ls, LS_SHAPE(300, 300), 1.0f);
    ls_tensor b = ls_exp(ls_zeros(ls, LS_FLOAT32, LS_SHAPE(300, 300)));
    return ls_item(sum(ls_matmul(a, b)));
}

/* The reference has no driver: a child goes on with its parent's context. */
static void forked_reference(void)
{
    ls_context *ls = ls_open("reference");
    float before = work(ls);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        alarm(60); /* if it waits for threads for ever */
        float inside = work(ls);
        ls_context *own = ls_open("reference");
        bool good = inside == before && work(own) == before && ls_close(&own) == LS_OK && ls_close(&ls) == LS_OK;
        _exit(good ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child ended with %#x", (unsigned)status);
    CHECK(before == 27000000.0f && work(ls) == before, "%g", (double)before);
    CHECK(ls_close(&ls) == LS_OK, "close");
}

int main(int argc, char **argv)
{
    static void (*const parts[])(ls_context *) = {nulls, functions, shared_arrays, assigning};
    struct device_kind kind = device_kind_of(argc > 1 ? argv[1] : "reference");
    if (argc <= 1)
        forked_reference();
    ls_context *ls = ls_open(kind.words);
    if (ls_error(ls) == LS_NOT_FOUND || ls_error(ls) == LS_UNAVAILABLE)
        device_absent(&kind, ls_error_message(ls));
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        LS_SCOPE (ls)
            parts[i](ls);
        CHECK(ls_error(ls) == LS_OK, "part %zu ends in error: %s", i, ls_error_message(ls));
        ls_clear_error(ls);
        CHECK(ls_get_stats(ls).live_tensors == 0, "part %zu leaves %zu tensors", i, ls_get_stats(ls).live_tensors);
    }
    ls_trim(ls);
    CHECK(ls_get_stats(ls).live_buffers == 0, "%zu buffers are left", ls_get_stats(ls).live_buffers);
    CHECK(ls_close(&ls) == LS_OK, "close");
    return end_of_checks();
}
