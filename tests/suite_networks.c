/* SPDX-License-Identifier: Apache-2.0
 *
 * Small networks and their training, through the public ops, tape and capture. Every loss, gradient
 * and weight goes into the trace, which the caller compares with the reference's.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <lockstep/function.h>
#include <lockstep/ops.h>
#include <lockstep/tape.h>
#include <lockstep/update.h>

#include "suite.h"

struct run {
    struct suite *s;
    ls_context *ls;
    struct golden_trace *trace;
    const char *name;
};

/* Reads a tensor into the trace. */
static void note(struct run *r, const char *what, ls_tensor t)
{
    char name[112];
    size_t bytes = (size_t)ls_size(t) * ls_dtype_size(ls_dtype_of(t));
    void *data = calloc(1, bytes + 1);
    snprintf(name, sizeof name, "%s %s", r->name, what);
    suite_check(r->s, ls_read(t, data, bytes) == LS_OK, name, "%s", ls_error_message(r->ls));
    golden_trace_add(r->trace, name, ls_dtype_of(t), data, bytes);
    free(data);
}

/* Whether two tensors have the same bits. */
static bool same(ls_tensor a, ls_tensor b)
{
    size_t n = (size_t)ls_size(a);
    if (n != (size_t)ls_size(b))
        return false;
    uint32_t *x = calloc(n + 1, 4), *y = calloc(n + 1, 4);
    bool equal = ls_read(a, x, n * 4) == LS_OK && ls_read(b, y, n * 4) == LS_OK;
    for (size_t i = 0; i < n && equal; i++)
        equal = suite_same_float(x[i], y[i]);
    free(x);
    free(y);
    return equal;
}

static ls_tensor random_floats(ls_context *ls, ls_shape shape, float low, float high)
{
    return ls_random_uniform(ls, shape, low, high);
}

/* ---- A multilayer perceptron, trained with Adam ---- */

enum { LAYERS = 3, VARIABLES = 2 * LAYERS };

struct mlp {
    ls_tensor w[VARIABLES], m[VARIABLES], v[VARIABLES]; /* kernel 0, bias 0, kernel 1, … */
    ls_tensor rate, power1, power2;
    ls_tensor gradients[VARIABLES];
};

static void mlp_make(ls_context *ls, struct mlp *net, const int64_t *widths)
{
    for (int i = 0; i < LAYERS; i++) {
        float limit = sqrtf(6.0f / (float)(widths[i] + widths[i + 1]));
        ls_tensor kernel = random_floats(ls, LS_SHAPE(widths[i], widths[i + 1]), -limit, limit);
        net->w[2 * i] = ls_variable(kernel, "kernel", true);
        net->w[2 * i + 1] = ls_variable(ls_zeros(ls, LS_FLOAT32, LS_SHAPE(widths[i + 1])), "bias", true);
    }
    for (int i = 0; i < VARIABLES; i++) {
        net->m[i] = ls_variable(ls_zeros_like(net->w[i]), "m", false);
        net->v[i] = ls_variable(ls_zeros_like(net->w[i]), "v", false);
    }
    net->rate = ls_variable(ls_scalar(ls, 0.0f), "rate", false);
    net->power1 = ls_variable(ls_scalar(ls, 1.0f), "power1", false);
    net->power2 = ls_variable(ls_scalar(ls, 1.0f), "power2", false);
}

static void mlp_drop(struct mlp *net)
{
    for (int i = 0; i < VARIABLES; i++) {
        ls_variable_destroy(&net->w[i]);
        ls_variable_destroy(&net->m[i]);
        ls_variable_destroy(&net->v[i]);
    }
    ls_variable_destroy(&net->rate);
    ls_variable_destroy(&net->power1);
    ls_variable_destroy(&net->power2);
}

static ls_tensor mlp_forward(const struct mlp *net, ls_tensor x)
{
    for (int i = 0; i < LAYERS; i++)
        x = ls_matmul(x, net->w[2 * i], .bias = net->w[2 * i + 1], .activation = i < LAYERS - 1 ? LS_RELU : LS_LINEAR);
    return x;
}

/* One step: in[0] images, in[1] labels; out[0] the loss. */
static void mlp_step(void *user, const ls_tensor *in, ls_tensor *out)
{
    struct mlp *net = user;
    ls_context *ls = in[0].context;
    LS_TAPE(tape, ls) {
        out[0] = ls_mean(ls_sparse_softmax_cross_entropy(in[1], mlp_forward(net, in[0])), NULL, 0, false);
    }
    ls_gradient(tape, out[0], net->w, VARIABLES, net->gradients);
    ls_tape_destroy(&tape);
    ls_update_adam_rate(net->rate, net->power1, net->power2, ls_scalar(ls, 1e-2f), 0.9f, 0.999f);
    for (int i = 0; i < VARIABLES; i++)
        ls_update_adam(net->w[i], net->m[i], net->v[i], net->gradients[i], net->rate, 0.9f, 0.999f, 1e-7f);
}

static void train(struct run *r, const int64_t *widths, int64_t batch, int steps, bool captured, bool note_all)
{
    ls_context *ls = r->ls;
    struct mlp net;
    ls_scope_begin(ls);
    ls_set_random_seed(ls, 42);
    mlp_make(ls, &net, widths);
    ls_function *function = captured ? ls_function_create(ls, mlp_step, &net, 2, 1) : NULL;
    for (int step = 0; step < steps; step++) {
        char what[32];
        ls_scope_begin(ls);
        ls_tensor x = random_floats(ls, LS_SHAPE(batch, widths[0]), -1.0f, 1.0f), loss;
        ls_tensor in[] = {x, ls_argmax(ls_slice(x, (int64_t[]){0, 0}, (int64_t[]){batch, widths[LAYERS]}, NULL), 1)};
        if (captured)
            ls_function_call(function, in, &loss);
        else
            mlp_step(&net, in, &loss);
        snprintf(what, sizeof what, "step %d loss", step);
        note(r, what, loss);
        for (int i = 0; i < VARIABLES && note_all && !captured; i++) {
            snprintf(what, sizeof what, "step %d gradient %d", step, i);
            note(r, what, net.gradients[i]);
        }
        suite_check(r->s, ls_scope_end(ls) == LS_OK, r->name, "%s", ls_error_message(ls));
    }
    if (captured)
        suite_check(r->s, ls_function_size(function) > 10, r->name, "only %zu calls were captured",
                    ls_function_size(function));
    for (int i = 0; i < VARIABLES; i++) {
        char what[32];
        snprintf(what, sizeof what, "weight %d", i);
        note(r, what, net.w[i]);
    }
    ls_function_destroy(&function);
    mlp_drop(&net);
    ls_scope_end(ls);
}

/* Eager and captured runs end with the same bits. */
static void training(struct run *r)
{
    static const int64_t small[] = {12, 9, 7, 4}, large[] = {784, 256, 128, 10};
    struct golden_trace traces[2] = {{0}, {0}};
    bool big = r->s->kind.most_elements >= 1 << 18;
    const int64_t *widths = big ? large : small;
    r->name = "mlp";
    train(r, small, 8, 3, false, true);
    for (int captured = 0; captured < 2; captured++) {
        struct run own = {r->s, r->ls, &traces[captured], "captured mlp"};
        train(&own, widths, big ? 128 : 6, 5, captured, false);
    }
    size_t different = golden_trace_compare(&traces[0], &traces[1], stdout);
    suite_check(r->s, different == 0, "captured equals eager", "%zu arrays differ", different);
    for (size_t i = 0; i < traces[1].count; i++) {
        struct golden_value *v = &traces[1].value[i];
        golden_trace_add(r->trace, v->name, v->dtype, v->data, v->bytes);
    }
    golden_trace_free(&traces[0]);
    golden_trace_free(&traces[1]);
}

/* Around a captured step: what the user does with variables between calls is seen by the replay, and
 * a tape that saved a variable's old value keeps it. */
static void count_up(void *user, const ls_tensor *in, ls_tensor *out)
{
    ls_tensor variable = *(ls_tensor *)user;
    ls_assign(variable, ls_add(variable, in[0]));
    out[0] = ls_square(variable);
}

static void variables_and_replay(struct run *r)
{
    ls_context *ls = r->ls;
    r->name = "variables and replay";
    ls_scope_begin(ls);
    ls_tensor v = ls_variable(ls_fill(ls, LS_SHAPE(3), 1.0f), "v", true), twin = ls_variable(v, "twin", false);
    ls_tensor one = ls_fill(ls, LS_SHAPE(3), 1.0f), out;
    ls_function *function = ls_function_create(ls, count_up, &v, 1, 1);
    static const float expected[] = {4, 9, 16, 121, 144};
    for (int call = 0; call < 5; call++) {
        if (call == 3)
            ls_assign(v, ls_fill(ls, LS_SHAPE(3), 10.0f));
        ls_tensor old = ls_stop_gradient(v); /* holds the storage: the replay must not write to it */
        float before[3], after[3], result[3];
        ls_read(old, before, sizeof before);
        ls_function_call(function, &one, &out);
        ls_read(out, result, sizeof result);
        ls_read(old, after, sizeof after);
        suite_check(r->s, result[0] == expected[call] && result[2] == expected[call], r->name,
                    "call %d gives %g, not %g", call, (double)result[0], (double)expected[call]);
        suite_check(r->s, before[0] == after[0], r->name, "call %d changed a tensor that was held", call);
    }
    float untouched[3] = {0};
    ls_read(twin, untouched, sizeof untouched);
    suite_check(r->s, untouched[0] == 1.0f, r->name, "another variable changed to %g", (double)untouched[0]);
    ls_function_destroy(&function);
    ls_variable_destroy(&v);
    ls_variable_destroy(&twin);
    suite_check(r->s, ls_scope_end(ls) == LS_OK, r->name, "%s", ls_error_message(ls));
}

/* Assigning to a variable between forward and backward does not change the gradient. */
static void assigned_while_taped(struct run *r)
{
    ls_context *ls = r->ls;
    r->name = "assign under a tape";
    ls_scope_begin(ls);
    ls_tensor v = ls_variable(ls_fill(ls, LS_SHAPE(2), 3.0f), "v", true), y, g;
    LS_TAPE(tape, ls) {
        y = ls_square(v);
    }
    ls_update_sgd(v, (ls_tensor){0}, ls_ones_like(v), ls_scalar(ls, 1.0f), 0.0f, false);
    ls_gradient(tape, y, &v, 1, &g);
    float now[2], slope[2];
    ls_read(v, now, sizeof now);
    ls_read(g, slope, sizeof slope);
    suite_check(r->s, now[0] == 2.0f && slope[0] == 6.0f && slope[1] == 6.0f, r->name, "v is %g, its gradient %g",
                (double)now[0], (double)slope[0]);
    ls_variable_destroy(&v);
    ls_scope_end(ls);
}

/* ---- Every subset of inputs that need gradients gives the same gradients ---- */

static void subsets(struct run *r)
{
    ls_context *ls = r->ls;
    r->name = "subsets";
    ls_scope_begin(ls);
    ls_set_random_seed(ls, 7);
    ls_tensor in[3] = {random_floats(ls, LS_SHAPE(4, 6), -1, 1), random_floats(ls, LS_SHAPE(6, 5), -1, 1),
                       random_floats(ls, LS_SHAPE(5), -1, 1)};
    ls_tensor whole[3];
    for (int subset = 7; subset > 0; subset--) {
        ls_tensor y, g[3];
        LS_TAPE(tape, ls) {
            for (int i = 0; i < 3; i++)
                if (subset >> i & 1)
                    ls_watch(tape, in[i]);
            ls_tensor hidden = ls_matmul(in[0], in[1], .bias = in[2], .activation = LS_TANH);
            y = ls_mean(ls_mul(ls_softmax(hidden, 0), ls_add(hidden, in[2])), NULL, 0, false);
        }
        ls_gradient(tape, y, in, 3, g);
        for (int i = 0; i < 3; i++) {
            char what[32];
            snprintf(what, sizeof what, "%d gradient %d", subset, i);
            if (subset == 7) {
                whole[i] = g[i];
                note(r, what, g[i]);
            } else if (subset >> i & 1) {
                suite_check(r->s, same(whole[i], g[i]), r->name, "%s differs", what);
            } else {
                suite_check(r->s, ls_is_nil(g[i]), r->name, "%s is there, but was not asked for", what);
            }
        }
    }
    suite_check(r->s, ls_scope_end(ls) == LS_OK, r->name, "%s", ls_error_message(ls));
}

/* ---- Second order: the gradient penalty of a critic, trained ---- */

static void gradient_penalty(struct run *r)
{
    ls_context *ls = r->ls;
    r->name = "gradient penalty";
    ls_scope_begin(ls);
    ls_set_random_seed(ls, 11);
    ls_tensor w1 = ls_variable(random_floats(ls, LS_SHAPE(6, 8), -1, 1), "w1", true);
    ls_tensor w2 = ls_variable(random_floats(ls, LS_SHAPE(8, 1), -1, 1), "w2", true);
    ls_tensor w[] = {w1, w2};
    for (int step = 0; step < 3; step++) {
        ls_scope_begin(ls);
        ls_tensor x = random_floats(ls, LS_SHAPE(5, 6), -1, 1), slope, penalty, g[2];
        LS_TAPE(outer, ls) {
            ls_tape *inner = ls_tape_begin(ls);
            ls_watch(inner, x);
            ls_tensor score = ls_matmul(ls_tanh(ls_matmul(x, w1)), w2);
            ls_tape_end(inner);
            ls_gradient(inner, score, &x, 1, &slope);
            ls_tensor norm = ls_sqrt(ls_sum(ls_square(slope), (int[]){1}, 1, false));
            penalty = ls_mean(ls_square(ls_sub(norm, ls_scalar(ls, 1.0f))), NULL, 0, false);
        }
        ls_gradient(outer, penalty, w, 2, g);
        char what[32];
        snprintf(what, sizeof what, "step %d penalty", step);
        note(r, what, penalty);
        for (int i = 0; i < 2; i++) {
            snprintf(what, sizeof what, "step %d gradient %d", step, i);
            note(r, what, g[i]);
            ls_update_sgd(w[i], (ls_tensor){0}, g[i], ls_scalar(ls, 0.1f), 0.0f, false);
        }
        suite_check(r->s, ls_scope_end(ls) == LS_OK, r->name, "%s", ls_error_message(ls));
    }
    note(r, "w1", w1);
    ls_variable_destroy(&w1);
    ls_variable_destroy(&w2);
    ls_scope_end(ls);
}

/* x^4 at 2: 16, 32, 48, 48, 24 through four nested tapes. */
static void fourth_power(struct run *r)
{
    ls_context *ls = r->ls;
    ls_tape *tapes[4];
    ls_scope_begin(ls);
    ls_tensor x = ls_variable(ls_scalar(ls, 2.0f), "x", true);
    for (int i = 0; i < 4; i++)
        tapes[i] = ls_tape_begin(ls);
    ls_tensor y = ls_square(ls_square(x));
    static const float expected[] = {16, 32, 48, 48, 24};
    for (int order = 0; order <= 4; order++) {
        suite_check(r->s, ls_item(y) == expected[order], "x^4", "derivative %d is %g, not %g", order,
                    (double)ls_item(y), (double)expected[order]);
        if (order < 4) {
            ls_tape_end(tapes[3 - order]);
            ls_gradient(tapes[3 - order], y, &x, 1, &y);
        }
    }
    ls_variable_destroy(&x);
    suite_check(r->s, ls_scope_end(ls) == LS_OK, "x^4", "%s", ls_error_message(ls));
}

/* ---- Checkpoints with dropout, captured too; Jacobians and products with vectors ---- */

static ls_tensor dropout_block(void *user, const ls_tensor *in, size_t count)
{
    ls_tensor w = *(ls_tensor *)user, x = in[0];
    ls_context *ls = x.context;
    (void)count;
    ls_tensor mask = ls_greater(random_floats(ls, ls_shape_of_tensor(x), 0, 1), ls_scalar(ls, 0.25f));
    ls_tensor h = ls_tanh(ls_matmul(ls_where(mask, x, ls_scalar(ls, 0.0f)), w));
    return ls_fma(h, x, ls_sigmoid(x));
}

struct checkpoint {
    ls_tensor w;
    bool recompute;
};

/* One step of SGD on two blocks that share a variable; the input has consumers in and around them. */
static void checkpoint_step(void *user, const ls_tensor *in, ls_tensor *out)
{
    struct checkpoint *c = user;
    ls_context *ls = in[0].context;
    ls_tensor h, g[2], sources[] = {c->w, in[0]};
    ls_tape *tape = ls_tape_begin(ls);
    ls_watch(tape, in[0]);
    h = ls_mul(ls_matmul(in[0], c->w), in[0]);
    for (int i = 0; i < 2; i++)
        h = c->recompute ? ls_recompute_grad(ls, dropout_block, &c->w, &h, 1) : dropout_block(&c->w, &h, 1);
    out[0] = ls_mean(ls_square(ls_add(h, in[0])), NULL, 0, false);
    ls_tape_end(tape);
    ls_gradient(tape, out[0], sources, 2, g);
    ls_tape_destroy(&tape);
    out[1] = g[1];
    ls_update_sgd(c->w, (ls_tensor){0}, g[0], ls_scalar(ls, 0.1f), 0.0f, false);
}

/* With and without checkpoints, eager and captured: one result. */
static void checkpoints(struct run *r)
{
    ls_context *ls = r->ls;
    r->name = "checkpoints";
    ls_scope_begin(ls);
    ls_tensor weights[4];
    for (int how = 0; how < 4; how++) {
        ls_set_random_seed(ls, 21);
        struct checkpoint c = {ls_variable(random_floats(ls, LS_SHAPE(5, 5), -1, 1), "w", true), how & 1};
        ls_tensor x = random_floats(ls, LS_SHAPE(7, 5), -1, 1), out[2];
        ls_function *function = ls_function_create(ls, checkpoint_step, &c, 1, 2);
        for (int step = 0; step < 4; step++) {
            if (how & 2)
                ls_function_call(function, &x, out);
            else
                checkpoint_step(&c, &x, out);
            if (how == 1) {
                char what[32];
                snprintf(what, sizeof what, "step %d loss", step);
                note(r, what, out[0]);
                snprintf(what, sizeof what, "step %d input gradient", step);
                note(r, what, out[1]);
            }
        }
        weights[how] = ls_stop_gradient(c.w);
        suite_check(r->s, same(weights[0], weights[how]), r->name, "%s%s has other weights",
                    how & 2 ? "captured" : "eager", how & 1 ? " with checkpoints" : "");
        ls_function_destroy(&function);
        ls_variable_destroy(&c.w);
    }
    note(r, "weights", weights[1]);
    suite_check(r->s, ls_scope_end(ls) == LS_OK, r->name, "%s", ls_error_message(ls));
}

static void jacobians(struct run *r)
{
    ls_context *ls = r->ls;
    r->name = "jacobians";
    ls_scope_begin(ls);
    ls_set_random_seed(ls, 13);
    ls_tensor x = random_floats(ls, LS_SHAPE(3, 5), -1, 1), w = random_floats(ls, LS_SHAPE(5, 4), -1, 1), y, g;
    ls_tensor sources[] = {x, w}, tangents[] = {random_floats(ls, LS_SHAPE(3, 5), -1, 1),
                                                random_floats(ls, LS_SHAPE(5, 4), -1, 1)};
    ls_tape *inner = NULL;
    LS_TAPE(outer, ls) {
        ls_watch(outer, w);
        inner = ls_tape_begin(ls, .persistent = true);
        ls_watch(inner, x);
        ls_watch(inner, w);
        y = ls_log_softmax(ls_matmul(ls_tanh(x), w), -1);
        ls_tape_end(inner);
        ls_gradient(inner, ls_square(y), &w, 1, &g); /* the square is outside: nil */
        suite_check(r->s, ls_is_nil(g), r->name, "a gradient of what the tape did not see");
        ls_gradient(inner, y, &w, 1, &g);
    }
    note(r, "jacobian", ls_jacobian(inner, y, w));
    note(r, "batch_jacobian", ls_batch_jacobian(inner, y, x));
    note(r, "jvp", ls_jvp(inner, y, sources, tangents, 2));
    note(r, "hvp", ls_jvp(outer, g, &w, &tangents[1], 1));
    suite_check(r->s, ls_scope_end(ls) == LS_OK, r->name, "%s", ls_error_message(ls));
}

/* ---- The same graph again, with other shapes between, in reused buffers ---- */

static ls_tensor some_graph(ls_context *ls, int64_t n)
{
    ls_set_random_seed(ls, 5);
    ls_tensor x = random_floats(ls, LS_SHAPE(n, 11), -2, 2), w = random_floats(ls, LS_SHAPE(11, n), -2, 2);
    ls_tensor h = ls_softmax(ls_matmul(x, w), 1);
    return ls_add(ls_sum(ls_mul(h, h), (int[]){0}, 1, false), ls_max(ls_exp(h), (int[]){1}, 1, false));
}

static void repeated(struct run *r)
{
    ls_context *ls = r->ls;
    r->name = "repeated";
    ls_scope_begin(ls);
    static const int64_t sizes[] = {5, 9, 5, 17, 1, 5, 9, 17, 5};
    ls_tensor first[18] = {{0}};
    for (int i = 0; i < 9; i++) {
        int64_t n = sizes[i];
        ls_scope_begin(ls);
        ls_tensor y = ls_keep(some_graph(ls, n));
        if (i % 3 == 0)
            ls_synchronize(ls); /* waiting changes nothing */
        ls_scope_end(ls);
        if (ls_is_nil(first[n]))
            first[n] = y;
        suite_check(r->s, same(first[n], y), r->name, "run %d of size %lld differs from the first", i, (long long)n);
    }
    note(r, "17", first[17]);
    suite_check(r->s, ls_scope_end(ls) == LS_OK, r->name, "%s", ls_error_message(ls));
}

/* ---- Small integers: every partial sum is exact, so even a tolerance-only device is bit-equal ---- */

static void integers(struct run *r)
{
    ls_context *ls = r->ls;
    r->name = "integers";
    ls_scope_begin(ls);
    ls_set_random_seed(ls, 3);
    ls_tensor x = ls_floor(random_floats(ls, LS_SHAPE(9, 40), -8, 8)), w = ls_floor(random_floats(ls, LS_SHAPE(40, 6), -8, 8));
    ls_tensor y, g[2], in[] = {x, w};
    LS_TAPE(tape, ls) {
        ls_watch(tape, x);
        ls_watch(tape, w);
        y = ls_sum(ls_square(ls_matmul(x, w)), NULL, 0, false);
    }
    ls_gradient(tape, y, in, 2, g);
    note(r, "y", y);
    note(r, "dx", g[0]);
    note(r, "dw", g[1]);
    suite_check(r->s, ls_scope_end(ls) == LS_OK, r->name, "%s", ls_error_message(ls));
}

/* ---- More than 2^24 elements, and sizes of zero ---- */

static void large_and_empty(struct run *r)
{
    ls_context *ls = r->ls;
    r->name = "large";
    ls_scope_begin(ls);
    if (r->s->kind.most_elements >= 1 << 25) {
        int64_t n = (1 << 24) + 4099;
        ls_set_random_seed(ls, 1);
        ls_tensor big = random_floats(ls, LS_SHAPE(n), -1, 1);
        note(r, "sum", ls_sum(ls_add(big, ls_square(big)), NULL, 0, false));
        note(r, "end", ls_slice(big, (int64_t[]){n - 5}, (int64_t[]){5}, NULL));
        note(r, "argmax", ls_argmax(big, 0));
    }
    r->name = "empty";
    ls_tensor none = ls_zeros(ls, LS_FLOAT32, LS_SHAPE(0, 3)), w = ls_ones(ls, LS_FLOAT32, LS_SHAPE(3, 2));
    ls_tensor wide = ls_zeros(ls, LS_FLOAT32, LS_SHAPE(4, 0));
    ls_tensor y, g[2], in[] = {none, w};
    LS_TAPE(tape, ls) {
        ls_watch(tape, none);
        ls_watch(tape, w);
        y = ls_sum(ls_relu(ls_matmul(none, w)), NULL, 0, false);
    }
    ls_gradient(tape, y, in, 2, g);
    note(r, "loss", y);
    note(r, "gradient of nothing", g[0]);
    note(r, "gradient by nothing", g[1]);
    note(r, "product over k = 0", ls_matmul(wide, ls_zeros(ls, LS_FLOAT32, LS_SHAPE(0, 3))));
    note(r, "sum", ls_sum(wide, (int[]){1}, 1, false));
    note(r, "softmax", ls_softmax(none, -1));
    note(r, "concat", ls_concat((ls_tensor[]){none, ls_transpose(w, NULL), none}, 0 + 1, 0));
    suite_check(r->s, ls_scope_end(ls) == LS_OK, r->name, "%s", ls_error_message(ls));
}

void suite_networks(struct suite *s, ls_context *ls, struct golden_trace *trace)
{
    struct run r = {s, ls, trace, ""};
    fourth_power(&r);
    training(&r);
    variables_and_replay(&r);
    assigned_while_taped(&r);
    subsets(&r);
    gradient_penalty(&r);
    checkpoints(&r);
    jacobians(&r);
    repeated(&r);
    integers(&r);
    large_and_empty(&r);
}
