/* SPDX-License-Identifier: Apache-2.0
 *
 * The tape, feature by feature: closed forms, TensorFlow's numbers, messages.
 *
 *     test_tape [KIND]      default reference; another kind of device must also give the reference's bits
 */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "devices.h"
#include "golden_tape.h"

/* ---- What was computed, for the comparison of two devices ---- */

static float trace[2][4096];
static size_t traced[2];
static int run; /* which of the two */

/* Whether `t` has `n` elements that are `expected` within `relative`; notes its bits. */
static void check_array(const char *what, ls_tensor t, const double *expected, size_t n, double relative)
{
    float got[256];
    bool read = (size_t)ls_size(t) == n && n <= 256 && (n == 0 || ls_read(t, got, n * 4) == LS_OK);
    CHECK(read, "%s: %zu elements; %s", what, (size_t)ls_size(t), t.context ? ls_error_message(t.context) : "nil");
    if (!read)
        return;
    for (size_t i = 0; i < n; i++)
        CHECK(fabs((double)got[i] - expected[i]) <= relative * (1 + fabs(expected[i])), "%s[%zu] is %.9g, not %.9g",
              what, i, (double)got[i], expected[i]);
    for (size_t i = 0; i < n && traced[run] < 4096; i++)
        trace[run][traced[run]++] = got[i];
}

static void check_exact(const char *what, ls_tensor t, double expected) { check_array(what, t, &expected, 1, 0); }

static bool same_bits(ls_tensor a, ls_tensor b)
{
    float x[256], y[256];
    size_t n = (size_t)ls_size(a);
    return n == (size_t)ls_size(b) && n <= 256 && ls_read(a, x, n * 4) == LS_OK && ls_read(b, y, n * 4) == LS_OK &&
           memcmp(x, y, n * 4) == 0;
}

static ls_tensor numbers(ls_context *ls, ls_shape shape, int seed)
{
    float data[64];
    int64_t n = 1;
    for (int d = 0; d < shape.rank; d++)
        n *= shape.dim[d];
    for (int64_t i = 0; i < n; i++)
        data[i] = (float)((i * 7 + seed * 5) % 13 - 6) / 8;
    return ls_from_host(ls, LS_FLOAT32, shape, data);
}

static ls_tensor total(ls_tensor a) { return ls_sum(a, NULL, 0, false); }

/* ---- Watching, consuming, stopping ---- */

static void watching(ls_context *ls)
{
    ls_tensor a = ls_variable(ls_scalar(ls, 3), "a", true), b = ls_variable(ls_scalar(ls, 2), "b", true);
    ls_tensor frozen = ls_variable(ls_scalar(ls, 5), "frozen", false), c = ls_scalar(ls, 4), y, g[4];
    ls_tensor sources[] = {a, b, frozen, c}, seen[4];
    LS_TAPE (tape, ls) {
        ls_watch(tape, c);
        y = ls_mul(ls_mul(b, a), frozen);
        y = ls_mul(ls_mul(y, c), a); /* a^2 b c frozen */
    }
    CHECK(ls_gradient(tape, y, sources, 4, g) == LS_OK, "%s", ls_error_message(ls));
    check_exact("da", g[0], 240);
    check_exact("db", g[1], 180);
    CHECK(ls_is_nil(g[2]), "a variable that is not trainable was watched");
    check_exact("dc", g[3], 90);
    CHECK(ls_watched_variables(tape, seen, 4) == 2 && strcmp(ls_name(seen[0]), "b") == 0 &&
              strcmp(ls_name(seen[1]), "a") == 0,
          "%zu watched, first %s", ls_watched_variables(tape, NULL, 0), ls_name(seen[0]));

    LS_TAPE (narrow, ls, .ignore_accessed_variables = true) {
        ls_watch(narrow, b);
        y = ls_mul(a, b);
    }
    ls_gradient(narrow, y, sources, 2, g);
    CHECK(ls_is_nil(g[0]), "an accessed variable was watched");
    check_exact("db", g[1], 3);
    CHECK(strcmp(ls_gradient_reason(narrow, a), "variable a is not reached from the target: the tape ignores accessed "
                                                "variables; call ls_watch before it is used") == 0,
          "%s", ls_gradient_reason(narrow, a));
    CHECK(ls_watched_variables(narrow, seen, 4) == 1, "not one watched variable");
    ls_variable_destroy(&a);
    ls_variable_destroy(&b);
    ls_variable_destroy(&frozen);
}

static void consuming(ls_context *ls)
{
    ls_tensor x = ls_scalar(ls, 3), y, z, g;
    LS_TAPE (once, ls) {
        ls_watch(once, x);
        y = ls_square(x);
    }
    ls_gradient(once, y, &x, 1, &g);
    check_exact("x^2", g, 6);
    CHECK(ls_gradient(once, y, &x, 1, &g) == LS_TAPE_ERROR && ls_is_nil(g), "a consumed tape answered");
    CHECK_ERROR(ls, LS_TAPE_ERROR, "non-persistent tape can be asked once");
    CHECK(ls_is_nil(ls_jacobian(once, y, x)), "a consumed tape answered");
    CHECK_ERROR(ls, LS_TAPE_ERROR, "jacobian: a non-persistent tape");
    CHECK(ls_is_nil(ls_jvp(once, y, &x, &x, 1)), "a consumed tape answered");
    CHECK_ERROR(ls, LS_TAPE_ERROR, "jvp: a non-persistent tape");
    LS_TAPE (twice, ls, .persistent = true) {
        ls_watch(twice, x);
        y = ls_square(x);
        z = ls_square(y);
    }
    ls_gradient(twice, z, &x, 1, &g);
    check_exact("x^4", g, 108);
    ls_gradient(twice, y, &x, 1, &g);
    check_exact("x^2", g, 6);
    ls_watch(twice, x);
    CHECK_ERROR(ls, LS_TAPE_ERROR, "watch: the tape no longer records");

    /* Asked while it records, a tape that is not persistent stops; a persistent one goes on. */
    ls_tensor g1, g2;
    LS_TAPE (inside, ls) {
        ls_watch(inside, x);
        ls_gradient(inside, ls_square(x), &x, 1, &g);
        ls_tape_reset(inside);
    }
    CHECK_ERROR(ls, LS_TAPE_ERROR, "the gradient that consumed it");
    LS_TAPE (growing, ls, .persistent = true) {
        ls_watch(growing, x);
        ls_gradient(growing, ls_mul(ls_square(x), x), &x, 1, &g1);
        ls_gradient(growing, g1, &x, 1, &g2);
    }
    check_exact("x^3", g1, 27);
    check_exact("x^3 twice, one tape", g2, 18);
    ls_gradient(growing, g2, &x, 1, &g2);
    check_exact("x^3 thrice, one tape", g2, 6);
}

static void stopping(ls_context *ls)
{
    ls_tensor x = ls_variable(ls_scalar(ls, 3), "x", true), y, z, g, inner_y, g_inner;
    LS_TAPE (outer, ls) {
        LS_TAPE (inner, ls) {
            y = ls_square(x);
            LS_STOP_RECORDING(inner)
            {
                LS_STOP_RECORDING(inner)
                z = ls_square(x);
                z = ls_mul(z, x);
            }
            inner_y = ls_add(y, z);
        }
        ls_gradient(inner, inner_y, &x, 1, &g_inner);
    }
    check_exact("without the stopped part", g_inner, 6);
    ls_gradient(outer, inner_y, &x, 1, &g);
    check_exact("the outer tape did not stop", g, 33);

    LS_TAPE (tape, ls) {
        LS_STOP_RECORDING(tape)
        y = ls_square(x);
        ls_resume_recording(tape);
        CHECK_ERROR(ls, LS_TAPE_ERROR, "recording is not stopped");
    }
    ls_gradient(tape, y, &x, 1, &g);
    CHECK(ls_is_nil(g) && strstr(ls_gradient_reason(tape, x), "read outside the tape"), "%s",
          ls_gradient_reason(tape, x));
    ls_stop_recording(tape);
    CHECK_ERROR(ls, LS_TAPE_ERROR, "stop_recording: the tape no longer records");

    LS_TAPE (consumed, ls) {
        y = ls_square(x);
        LS_STOP_RECORDING(consumed)
        ls_gradient(consumed, y, &x, 1, &g);
    }
    check_exact("asked while stopped", g, 6);

    ls_tape *fresh = ls_tape_begin(ls);
    y = ls_square(x);
    ls_tape_reset(fresh);
    CHECK(ls_watched_variables(fresh, NULL, 0) == 0, "reset did not forget");
    z = ls_mul(x, y);
    ls_tape_end(fresh);
    ls_gradient(fresh, z, &x, 1, &g);
    check_exact("after reset", g, 9);
    ls_variable_destroy(&x);
}

/* ---- Targets, sources ---- */

static ls_tensor network(ls_tensor x, ls_tensor w1, ls_tensor w2) { return ls_matmul(ls_tanh(ls_matmul(x, w1)), w2); }

static void targets(ls_context *ls)
{
    ls_tensor x = numbers(ls, LS_SHAPE(3, 4), 1), w1 = numbers(ls, LS_SHAPE(4, 3), 2),
              w2 = numbers(ls, LS_SHAPE(3, 2), 3);
    ls_tensor sources[] = {x, w1, w2}, target[2], g[3], flat;
    ls_tensor dy[] = {numbers(ls, LS_SHAPE(3, 2), 6), numbers(ls, LS_SHAPE(3), 7)};
    LS_TAPE (tape, ls, .persistent = true) {
        ls_watch(tape, x);
        ls_watch(tape, w1);
        target[0] = network(x, w1, w2);
        target[1] = ls_sum(ls_square(target[0]), (int[]){1}, 1, false);
        flat = ls_sign(w1);
    }
    ls_gradient_options ask = {tape, target, 2, dy, sources, 3, LS_UNCONNECTED_NONE, g};
    CHECK(ls_gradient_with(&ask) == LS_OK, "%s", ls_error_message(ls));
    check_array("two targets, dx", g[0], golden_targets_x, 12, 4e-6);
    check_array("two targets, dw", g[1], golden_targets_w, 12, 4e-6);
    CHECK(ls_is_nil(g[2]), "w2 was not watched");
    ask.unconnected_gradients = LS_UNCONNECTED_ZERO;
    ls_gradient_with(&ask);
    check_array("unconnected", g[2], (double[6]){0}, 6, 0);
    CHECK(strstr(ls_gradient_reason(tape, w2), "source 2 is not reached from the target: the tape does not watch it"),
          "%s", ls_gradient_reason(tape, w2));
    CHECK(ls_gradient_reason(tape, x)[0] == '\0', "%s", ls_gradient_reason(tape, x));
    ls_gradient(tape, flat, &w1, 1, g);
    check_array("sign has a gradient of zero", g[0], (double[12]){0}, 12, 0);

    dy[1] = dy[0];
    CHECK(ls_gradient_with(&ask) == LS_SHAPE_MISMATCH && ls_is_nil(g[0]), "a wrong output gradient was taken");
    CHECK_ERROR(ls, LS_SHAPE_MISMATCH, "output gradient 1 is (3, 2), but its target is (3,)");
    dy[1] = ls_zeros(ls, LS_INT32, LS_SHAPE(3));
    ls_gradient_with(&ask);
    CHECK_ERROR(ls, LS_DTYPE_MISMATCH, "output gradient 1 is int32");
    dy[1] = (ls_tensor){0}; /* ones */
    CHECK(ls_gradient_with(&ask) == LS_OK, "%s", ls_error_message(ls));
    ls_gradient(tape, ls_argmax(x, 0), &x, 1, g);
    CHECK_ERROR(ls, LS_DTYPE_MISMATCH, "target 0 is int32; only float types have gradients");
}

static void expect_reason(const ls_tape *tape, ls_tensor source, const char *part)
{
    CHECK(strstr(ls_gradient_reason(tape, source), part), "\"%s\" lacks \"%s\"", ls_gradient_reason(tape, source),
          part);
}

static void reasons(ls_context *ls)
{
    ls_tensor kernel = ls_variable(numbers(ls, LS_SHAPE(2, 3), 1), "head/kernel", true), g, y, early, other;
    ls_tensor bias = ls_variable(ls_zeros(ls, LS_FLOAT32, LS_SHAPE(3)), "head/bias", true);
    early = ls_square(kernel);
    LS_TAPE (outside, ls)
        y = ls_add(early, bias);
    ls_gradient(outside, y, &kernel, 1, &g);
    expect_reason(outside, kernel, "variable head/kernel is not reached from the target: it was read outside the tape");
    LS_TAPE (stopped, ls)
        y = ls_add(ls_square(ls_stop_gradient(ls_exp(kernel))), bias);
    ls_gradient(stopped, y, &kernel, 1, &g);
    CHECK(ls_is_nil(g), "stop_gradient did not stop");
    expect_reason(stopped, kernel, "it is cut by stop_gradient");
    LS_TAPE (rounded, ls)
        y = ls_add(ls_cast(ls_argmax(ls_exp(kernel), 0), LS_FLOAT32), bias);
    ls_gradient(rounded, y, &kernel, 1, &g);
    expect_reason(rounded, kernel, "it is only reached through argmax, which has no gradient");
    LS_TAPE (compared, ls)
        y = ls_mul(ls_cast(ls_greater(kernel, bias), LS_FLOAT32), bias);
    ls_gradient(compared, y, &kernel, 1, &g);
    expect_reason(compared, kernel, "only reached through greater");
    LS_TAPE (aside, ls) {
        other = ls_square(kernel);
        y = ls_square(bias);
    }
    ls_gradient(aside, y, &kernel, 1, &g);
    expect_reason(aside, kernel, "nothing that the target was computed from on the tape depends on it");
    LS_TAPE (early_target, ls)
        other = ls_square(kernel);
    ls_gradient(early_target, early, &kernel, 1, &g);
    expect_reason(early_target, kernel, "the target was not computed while the tape recorded");
    ls_tensor labels = ls_zeros(ls, LS_INT32, LS_SHAPE(3));
    LS_TAPE (typed, ls)
        y = ls_square(kernel);
    ls_gradient(typed, y, &labels, 1, &g);
    expect_reason(typed, labels, "it is int32, and only float types have gradients");
    (void)other;
    ls_variable_destroy(&kernel);
    ls_variable_destroy(&bias);
}

/* ---- Derivatives of higher order ---- */

static void nesting(ls_context *ls)
{
    enum { DEPTH = 5 };
    ls_tape *tapes[DEPTH];
    ls_tensor x = ls_variable(ls_scalar(ls, 2), "x", true), y;
    for (int i = 0; i < DEPTH; i++)
        tapes[i] = ls_tape_begin(ls);
    y = ls_mul(ls_square(ls_square(x)), x);
    static const double expected[DEPTH] = {80, 160, 240, 240, 120};
    for (int order = 0; order < DEPTH; order++) {
        ls_tape_end(tapes[DEPTH - 1 - order]);
        ls_gradient(tapes[DEPTH - 1 - order], y, &x, 1, &y);
        check_exact("x^5", y, expected[order]);
    }

    ls_tensor z = ls_scalar(ls, 0.5f), d;
    for (int i = 0; i < 3; i++) {
        tapes[i] = ls_tape_begin(ls);
        ls_watch(tapes[i], z);
    }
    d = ls_exp(ls_mul(z, z));
    for (int i = 3; i-- > 0;) {
        ls_tape_end(tapes[i]);
        ls_gradient(tapes[i], d, &z, 1, &d);
    }
    check_array("exp(z^2), third", d, golden_third, 1, 4e-6);
    ls_variable_destroy(&x);
}

static void jacobians(ls_context *ls)
{
    ls_tensor x = numbers(ls, LS_SHAPE(3, 4), 1), w1 = numbers(ls, LS_SHAPE(4, 3), 2),
              w2 = numbers(ls, LS_SHAPE(3, 2), 3);
    ls_tensor y, j;
    LS_TAPE (tape, ls, .persistent = true) {
        ls_watch(tape, x);
        ls_watch(tape, w1);
        y = network(x, w1, w2);
    }
    j = ls_jacobian(tape, y, w1);
    check_array("jacobian", j, golden_jacobian, 72, 4e-6);
    ls_shape shape = ls_shape_of_tensor(j);
    CHECK(shape.rank == 4 && shape.dim[0] == 3 && shape.dim[1] == 2 && shape.dim[2] == 4 && shape.dim[3] == 3, "shape");
    j = ls_batch_jacobian(tape, y, x);
    check_array("batch_jacobian", j, golden_batch_jacobian, 24, 4e-6);
    CHECK(ls_shape_of_tensor(j).rank == 3, "rank %d", ls_shape_of_tensor(j).rank);
    CHECK(ls_is_nil(ls_jacobian(tape, y, w2)), "not watched");
    check_array("unconnected batch_jacobian",
                ls_batch_jacobian(tape, ls_slice(w2, (int64_t[]){0, 0}, (int64_t[]){3, 1}, NULL), x), (double[12]){0},
                12, 0);
    ls_batch_jacobian(tape, y, w1);
    CHECK_ERROR(ls, LS_SHAPE_MISMATCH, "batch_jacobian: of (3, 2) by (4, 3): both need a rank of at least 2");
    ls_batch_jacobian(tape, ls_sum(y, (int[]){1}, 1, false), x);
    CHECK_ERROR(ls, LS_SHAPE_MISMATCH, "rank of at least 2");
    ls_jacobian(tape, ls_zeros(ls, LS_FLOAT32, LS_SHAPE(1, 1, 1, 1, 1)),
                ls_zeros(ls, LS_FLOAT32, LS_SHAPE(1, 1, 1, 1)));
    CHECK_ERROR(ls, LS_OVERFLOW, "the rank would pass 8");
    check_array("of nothing", ls_jacobian(tape, ls_slice(y, (int64_t[]){0, 0}, (int64_t[]){0, 2}, NULL), w1), NULL, 0,
                0);

    /* More columns than one concat takes; and a Hessian, the jacobian of a gradient. */
    ls_tensor wide = ls_fill(ls, LS_SHAPE(300), 2.0f), d;
    LS_TAPE (many, ls) {
        ls_watch(many, wide);
        y = ls_square(wide);
    }
    j = ls_jacobian(many, y, wide);
    check_exact("trace of the jacobian", total(j), 1200);
    check_array("its diagonal",
                ls_slice(ls_reshape(j, LS_SHAPE(90000)), (int64_t[]){299 * 301 - 2}, (int64_t[]){3}, NULL),
                (double[]){0, 0, 4}, 3, 0);
    ls_tensor row = ls_reshape(ls_slice(x, (int64_t[]){0, 0}, (int64_t[]){1, 4}, NULL), LS_SHAPE(4)), g;
    LS_TAPE (outer, ls) {
        ls_watch(outer, row);
        LS_TAPE (inner, ls) {
            ls_watch(inner, row);
            d = ls_tanh(ls_matmul(ls_reshape(row, LS_SHAPE(1, 4)), w1));
            d = total(ls_mul(ls_square(d), d));
        }
        ls_gradient(inner, d, &row, 1, &g);
    }
    check_array("hessian", ls_jacobian(outer, g, row), golden_hessian, 16, 4e-6);
}

static void products(ls_context *ls)
{
    ls_tensor x = numbers(ls, LS_SHAPE(3, 4), 1), w1 = numbers(ls, LS_SHAPE(4, 3), 2),
              w2 = numbers(ls, LS_SHAPE(3, 2), 3);
    ls_tensor vx = numbers(ls, LS_SHAPE(3, 4), 4), vw = numbers(ls, LS_SHAPE(4, 3), 5), y, g, hv;
    ls_tensor sources[] = {x, w1}, tangents[] = {vx, vw};
    LS_TAPE (tape, ls, .persistent = true) {
        ls_watch(tape, x);
        ls_watch(tape, w1);
        y = network(x, w1, w2);
    }
    check_array("jvp", ls_jvp(tape, y, sources, tangents, 2), golden_jvp, 6, 4e-6);
    CHECK(ls_is_nil(ls_jvp(tape, y, &w2, &w2, 1)), "w2 was not watched");
    ls_jvp(tape, y, sources, (ls_tensor[]){vw, vx}, 2);
    CHECK_ERROR(ls, LS_SHAPE_MISMATCH, "jvp: tangent 0 is (4, 3), but its source is (3, 4)");
    check_array("jvp along nothing in x", ls_jvp(tape, ls_square(x), sources, (ls_tensor[]){{0}, vw}, 2), NULL, 0, 0);

    /* Hessian times vector, in both documented ways. */
    for (int way = 0; way < 2; way++) {
        ls_tensor loss;
        LS_TAPE (outer, ls) {
            ls_watch(outer, w1);
            LS_TAPE (inner, ls) {
                ls_watch(inner, w1);
                loss = total(ls_square(network(x, w1, w2)));
            }
            ls_gradient(inner, loss, &w1, 1, &g);
        }
        if (way == 0)
            hv = ls_jvp(outer, g, &w1, &vw, 1);
        else
            ls_gradient_with(&(ls_gradient_options){.tape = outer,
                                                    .targets = &g,
                                                    .target_count = 1,
                                                    .output_gradients = &vw,
                                                    .sources = &w1,
                                                    .source_count = 1,
                                                    .gradients = &hv});
        check_array("hvp", hv, golden_hvp, 12, 8e-6);
    }

    /* jvp of jvp: the second directional derivative of z^3 along 1. */
    ls_tensor z = ls_scalar(ls, 2), one = ls_scalar(ls, 1), d;
    LS_TAPE (second, ls) {
        ls_watch(second, z);
        LS_TAPE (first, ls) {
            ls_watch(first, z);
            y = ls_mul(ls_square(z), z);
        }
        d = ls_jvp(first, y, &z, &one, 1);
    }
    check_exact("z^3 along 1", d, 12);
    check_exact("z^3 along 1, twice", ls_jvp(second, d, &z, &one, 1), 12);
}

/* ---- custom_gradient ---- */

static ls_tensor log1pexp(void *user, const ls_tensor *in, size_t count)
{
    (void)user, (void)count;
    return ls_log(ls_add(ls_scalar(in[0].context, 1), ls_exp(in[0])));
}

static size_t log1pexp_grad(void *user, const ls_custom_call *call)
{
    (void)user;
    call->gradients[0] = ls_mul(call->output_gradient, ls_sigmoid(call->inputs[0]));
    return 1;
}

static ls_tensor product(void *user, const ls_tensor *in, size_t count)
{
    (void)count;
    return user ? ls_mul(in[0], *(ls_tensor *)user) : ls_mul(in[0], in[1]);
}

static size_t wrong_grad(void *user, const ls_custom_call *call)
{
    ls_tensor a = call->inputs[0];
    switch (*(int *)user) {
    case 0: return 1;
    case 1: call->gradients[0] = ls_scalar(a.context, 1); break;
    case 2: call->gradients[0] = ls_zeros(a.context, LS_INT32, ls_shape_of_tensor(a)); break;
    case 3: call->gradients[1] = call->output_gradient; break;
    }
    return 2;
}

static ls_tensor add_two(void *user, const ls_tensor *in, size_t count)
{
    (void)user, (void)count;
    return ls_add(in[0], in[1]);
}

static ls_tensor same_one(void *user, const ls_tensor *in, size_t count)
{
    (void)user, (void)count;
    return in[0];
}

static size_t thrice(void *user, const ls_custom_call *call)
{
    (void)user;
    call->gradients[0] = ls_mul(call->output_gradient, ls_scalar(call->output.context, 3));
    return 1;
}

static void custom(ls_context *ls)
{
    ls_tensor x = ls_fill(ls, LS_SHAPE(2), 100), y, g, second, in[2] = {x, x};
    LS_TAPE (outer, ls) {
        ls_watch(outer, x);
        LS_TAPE (inner, ls) {
            ls_watch(inner, x);
            y = ls_custom_gradient(ls, "log1pexp", log1pexp, log1pexp_grad, NULL, &x, 1);
        }
        ls_gradient(inner, y, &x, 1, &g);
    }
    check_array("log1pexp at 100, not NaN", g, (double[]){1, 1}, 2, 0);
    ls_gradient(outer, g, &x, 1, &second);
    check_array("its second derivative", second, (double[]){0, 0}, 2, 1e-30);

    LS_TAPE (identity, ls) {
        ls_watch(identity, x);
        y = ls_square(ls_custom_gradient(ls, "thrice", same_one, thrice, NULL, &x, 1));
    }
    ls_gradient(identity, y, &x, 1, &g);
    check_array("an input given back", g, (double[]){600, 600}, 2, 0);

    static const struct {
        ls_status status;
        const char *part;
    } wrong[] = {
        {LS_INVALID_ARGUMENT, "custom_gradient bad: expected to return 2 gradients, one per input, but returned 1"},
        {LS_SHAPE_MISMATCH, "custom_gradient bad: gradient 0 is (), but its input is (2,)"},
        {LS_DTYPE_MISMATCH, "custom_gradient bad: gradient 0 is int32, not float32"}};
    for (int i = 0; i < 4; i++) {
        in[1] = ls_fill(ls, LS_SHAPE(2), 1);
        LS_TAPE (tape, ls, .persistent = true) {
            ls_watch(tape, x);
            ls_watch(tape, in[1]);
            y = ls_custom_gradient(ls, "bad", add_two, wrong_grad, &i, in, 2);
        }
        ls_gradient(tape, y, in, 2, (ls_tensor[2]){{0}});
        if (i < 3) {
            CHECK_ERROR(ls, wrong[i].status, wrong[i].part);
        } else {
            ls_tensor both[2];
            ls_gradient(tape, y, in, 2, both);
            CHECK(ls_is_nil(both[0]), "none is not nil");
            check_array("the other", both[1], (double[]){1, 1}, 2, 0);
        }
    }
    ls_tensor w = ls_variable(ls_scalar(ls, 2), "hidden", true);
    LS_TAPE (tape, ls) {
        ls_watch(tape, x);
        y = ls_custom_gradient(ls, "reads", product, log1pexp_grad, &w, &x, 1);
    }
    CHECK(ls_is_nil(y), "a hidden variable was allowed");
    CHECK_ERROR(ls, LS_TAPE_ERROR, "custom_gradient reads: its function reads the trainable variable hidden");
    ls_variable_destroy(&w);
}

/* ---- recompute_grad ---- */

struct block {
    ls_tensor w, v;
    bool nested;
};

/* Uses its input three times and its variable twice, and drops some elements out. */
static ls_tensor block(void *user, const ls_tensor *in, size_t count)
{
    struct block *b = user;
    ls_context *ls = in[0].context;
    (void)count;
    ls_tensor mask =
        ls_cast(ls_greater(ls_random_uniform(ls, ls_shape_of_tensor(in[0]), 0, 1), ls_scalar(ls, 0.3f)), LS_FLOAT32);
    ls_tensor h = ls_tanh(ls_matmul(ls_mul(in[0], mask), b->w));
    h = ls_add(ls_mul(h, in[0]), ls_sigmoid(in[0]));
    return ls_mul(ls_matmul(h, b->w), b->v);
}

static ls_tensor two_blocks(void *user, const ls_tensor *in, size_t count)
{
    ls_tensor h = ls_recompute_grad(in[0].context, block, user, in, count);
    return ls_recompute_grad(in[0].context, block, user, &h, 1);
}

static ls_tensor maybe_checkpoint(int how, struct block *b, ls_tensor x)
{
    ls_tensor h = x;
    if (how == 2)
        return ls_recompute_grad(x.context, two_blocks, b, &x, 1);
    for (int i = 0; i < 2; i++)
        h = how ? ls_recompute_grad(x.context, block, b, &h, 1) : block(b, &h, 1);
    return h;
}

static void checkpoints(ls_context *ls)
{
    struct block b = {ls_variable(numbers(ls, LS_SHAPE(4, 4), 2), "w", true),
                      ls_variable(numbers(ls, LS_SHAPE(4), 3), "v", true), false};
    ls_tensor x = numbers(ls, LS_SHAPE(5, 4), 1), sources[] = {x, b.w, b.v}, g[3][3], y[3];
    ls_tensor w0 = ls_stop_gradient(b.w);
    size_t held[3];
    for (int how = 0; how < 3; how++) {
        ls_set_random_seed(ls, 9);
        ls_tensor early = ls_random_uniform(ls, LS_SHAPE(5, 4), 0, 1);
        LS_TAPE (tape, ls, .persistent = true) {
            ls_watch(tape, x);
            size_t before = ls_get_stats(ls).live_buffers;
            LS_SCOPE (ls) {
                ls_tensor first = ls_mul(ls_exp(x), early); /* consumers of x, w and v around the blocks */
                ls_tensor h = maybe_checkpoint(how, &b, ls_add(x, first));
                y[how] = ls_keep(total(ls_mul(ls_mul(ls_matmul(h, b.w), b.v), ls_cos(x))));
            }
            held[how] = ls_get_stats(ls).live_buffers - before;
        }
        ls_tensor next = ls_random_uniform(ls, LS_SHAPE(3), 0, 1), after;
        ls_assign(b.w, ls_zeros_like(b.w)); /* in between: counts with its old value */
        ls_gradient(tape, y[how], sources, 3, g[how]);
        after = ls_random_uniform(ls, LS_SHAPE(3), 0, 1);
        CHECK(!same_bits(next, after), "the random numbers did not go on");
        ls_tensor again[3];
        ls_set_random_seed(ls, 1234);
        ls_gradient(tape, y[how], sources, 3, again);
        for (int i = 0; i < 3; i++)
            CHECK(same_bits(g[how][i], again[i]), "checkpoint %d: gradient %d differs the second time", how, i);
        check_exact("the assigned value stays", total(b.w), 0);
        ls_assign(b.w, w0);
        CHECK(same_bits(y[0], y[how]), "checkpoint %d: another result", how);
        for (int i = 0; i < 3; i++)
            CHECK(same_bits(g[0][i], g[how][i]), "checkpoint %d: gradient %d has other bits", how, i);
    }
    CHECK(held[1] < held[0] && held[2] < held[1], "held %zu, %zu, %zu buffers", held[0], held[1], held[2]);

    /* A second derivative through a checkpoint. */
    float plain[20], checkpointed[20];
    for (int how = 0; how < 2; how++) {
        ls_tensor gx, gg, loss;
        ls_set_random_seed(ls, 9);
        LS_TAPE (outer, ls) {
            ls_watch(outer, x);
            LS_TAPE (inner, ls) {
                ls_watch(inner, x);
                loss = total(ls_square(maybe_checkpoint(how, &b, x)));
            }
            ls_gradient(inner, loss, &x, 1, &gx);
            gx = total(ls_square(gx));
        }
        ls_gradient(outer, gx, &x, 1, &gg);
        ls_read(gg, how ? checkpointed : plain, sizeof plain);
    }
    for (int i = 0; i < 20; i++)
        CHECK(fabsf(plain[i] - checkpointed[i]) <= 1e-5f * (1 + fabsf(plain[i])), "second derivative %d: %g and %g", i,
              (double)plain[i], (double)checkpointed[i]);
    ls_variable_destroy(&b.w);
    ls_variable_destroy(&b.v);
}

/* ---- Assigning under a tape ---- */

static void assigning(ls_context *ls)
{
    ls_tensor v = ls_variable(ls_scalar(ls, 3), "v", true), y, z, g[2];
    LS_TAPE (tape, ls, .persistent = true) {
        y = ls_square(v);
        ls_assign(v, ls_scalar(ls, 5));
        z = ls_mul(y, v); /* 3^2 * 5: both values of v belong to the variable */
        ls_assign(v, ls_scalar(ls, 7));
    }
    for (int i = 0; i < 2; i++) {
        ls_gradient(tape, y, &v, 1, &g[0]);
        ls_gradient(tape, z, &v, 1, &g[1]);
        check_exact("d v^2", g[0], 6);
        check_exact("d v^2 v", g[1], 39);
        ls_assign(v, ls_scalar(ls, -1));
    }
    ls_variable_destroy(&v);
}

/* ---- LOCKSTEP_CHECK=numerics ---- */

static void numerics(const char *device)
{
    setenv("LOCKSTEP_CHECK", "numerics", 1);
    ls_context *ls = ls_open(device);
    unsetenv("LOCKSTEP_CHECK");
    ls_tensor w = ls_variable(numbers(ls, LS_SHAPE(2, 3), 1), "kernel", true), y, g;
    ls_tensor h = ls_relu(ls_neg(ls_square(w)));
    CHECK(ls_is_nil(ls_log(h)), "log(0) passed");
    CHECK_ERROR(ls, LS_NOT_FINITE,
                "log made -Inf at element 0 of (2, 3) (6 not finite): its inputs were finite; the way "
                "there: kernel -> square -> neg -> relu -> log");
    ls_tensor bad = ls_fill(ls, LS_SHAPE(3), NAN);
    ls_add(w, bad);
    CHECK_ERROR(ls, LS_NOT_FINITE,
                "add made NaN at element 0 of (2, 3) (6 not finite): its input 1, float32 (3,), had "
                "NaN already");
    LS_TAPE (tape, ls)
        y = total(ls_sqrt(h)); /* finite, but not its slope at 0 */
    CHECK(ls_error(ls) == LS_OK, "%s", ls_error_message(ls));
    ls_gradient(tape, y, &w, 1, &g);
    CHECK(ls_error(ls) == LS_OK, "h was computed outside: %s", ls_error_message(ls));
    LS_TAPE (again, ls)
        y = total(ls_sqrt(ls_relu(ls_neg(ls_square(w)))));
    ls_gradient(again, y, &w, 1, &g);
    CHECK_ERROR(ls, LS_NOT_FINITE, "div in the gradient of sqrt made Inf");
    LS_TAPE (fine, ls)
        y = total(ls_square(w));
    CHECK(ls_gradient(fine, y, &w, 1, &g) == LS_OK, "%s", ls_error_message(ls));
    ls_variable_destroy(&w);
    CHECK(ls_close(&ls) == LS_OK, "close");

    setenv("LOCKSTEP_CHECK", "everything", 1);
    ls = ls_open(device);
    unsetenv("LOCKSTEP_CHECK");
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "LOCKSTEP_CHECK=everything: the only check is numerics");
    ls_close(&ls);
}

/* ---- Several contexts at once ---- */

enum { THREADS = 4, ROUNDS = 20 };

struct worker {
    pthread_t thread;
    float result[12];
    ls_status status;
};

static void *work(void *user)
{
    struct worker *me = user;
    ls_context *ls = ls_open("reference");
    for (int round = 0; round < ROUNDS; round++) {
        LS_SCOPE (ls) {
            ls_tensor x = numbers(ls, LS_SHAPE(3, 4), 1), w1 = numbers(ls, LS_SHAPE(4, 3), 2),
                      w2 = numbers(ls, LS_SHAPE(3, 2), 3), g, gg;
            LS_TAPE (outer, ls) {
                ls_watch(outer, w1);
                LS_TAPE (inner, ls) {
                    ls_watch(inner, w1);
                    g = total(ls_square(network(x, w1, w2)));
                }
                ls_gradient(inner, g, &w1, 1, &g);
            }
            ls_gradient(outer, g, &w1, 1, &gg);
            ls_read(gg, me->result, sizeof me->result);
        }
    }
    me->status = ls_close(&ls);
    return NULL;
}

static void threads(void)
{
    struct worker workers[THREADS] = {{0}};
    work(&workers[0]);
    for (int i = 1; i < THREADS; i++)
        CHECK(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0, "no thread");
    for (int i = 1; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        CHECK(workers[i].status == LS_OK && memcmp(workers[0].result, workers[i].result, sizeof workers[i].result) == 0,
              "thread %d has another result", i);
    }
}

static void all(const char *device)
{
    static void (*const parts[])(ls_context *) = {watching,  consuming, stopping, targets,     reasons,  nesting,
                                                  jacobians, products,  custom,   checkpoints, assigning};
    ls_context *ls = ls_open(device);
    CHECK(ls_error(ls) == LS_OK, "%s", ls_error_message(ls));
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        LS_SCOPE (ls)
            parts[i](ls);
        CHECK(ls_error(ls) == LS_OK, "part %zu ends in error: %s", i, ls_error_message(ls));
        ls_clear_error(ls);
        CHECK(ls_get_stats(ls).live_tensors == 0, "part %zu leaves %zu tensors", i, ls_get_stats(ls).live_tensors);
    }
    ls_trim(ls);
    ls_set_random_seed(ls, 0);
    CHECK(ls_get_stats(ls).live_buffers == 0, "%zu buffers are left", ls_get_stats(ls).live_buffers);
    ls_close(&ls);
    numerics(device);
}

int main(int argc, char **argv)
{
    struct device_kind kind = device_kind_of(argc > 1 ? argv[1] : "reference");
    all("reference");
    if (argc > 1) {
        ls_context *ls = ls_open(kind.words);
        if (ls_error(ls) == LS_NOT_FOUND || ls_error(ls) == LS_UNAVAILABLE)
            device_absent(&kind, ls_error_message(ls));
        ls_close(&ls);
        run = 1;
        all(kind.words);
        CHECK(traced[0] == traced[1] && traced[0] > 200, "%zu and %zu numbers", traced[0], traced[1]);
        for (size_t i = 0; i < traced[0] && i < traced[1]; i++)
            CHECK(trace[0][i] == trace[1][i], "number %zu: %a, and %a on %s", i, (double)trace[0][i],
                  (double)trace[1][i], argv[1]);
    }
    threads();
    return end_of_checks();
}
