/* SPDX-License-Identifier: Apache-2.0
 *
 * Derivatives of higher order, Jacobians, products with vectors; gradients of one's own, and recomputed ones.
 *
 *     test_tape_derivatives [KIND]      as test_tape
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "golden_tape.h"
#include "tape_check.h"

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

int main(int argc, char **argv)
{
    static void (*const parts[])(ls_context *) = {nesting, jacobians, products, custom, checkpoints};
    run_on_both(argc, argv, parts, sizeof parts / sizeof *parts, 100);
    return end_of_checks();
}
