/* SPDX-License-Identifier: Apache-2.0
 *
 * The tape, feature by feature: closed forms, TensorFlow's numbers, messages.
 *
 *     test_tape [KIND]      default reference; another kind of device must also give the reference's bits
 */

#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "golden_tape.h"
#include "tape_check.h"

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

int main(int argc, char **argv)
{
    static void (*const parts[])(ls_context *) = {watching, consuming, stopping, targets, reasons, assigning};
    run_on_both(argc, argv, parts, sizeof parts / sizeof *parts, 50);
    numerics("reference");
    if (argc > 1)
        numerics(device_kind_of(argv[1]).words);
    threads();
    return end_of_checks();
}
