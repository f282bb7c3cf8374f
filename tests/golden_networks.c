/* SPDX-License-Identifier: Apache-2.0
 *
 * Small networks: the same functions as in golden/cases_networks.py.
 */
#include <lockstep/ops.h>
#include <lockstep/tape.h>

#include "golden.h"

static ls_tensor mean_of_last(ls_tensor x) { return ls_mean(x, (int[]){-1}, 1, true); }

static int call_net_power(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    (void)ls, (void)c;
    out[0] = ls_square(ls_square(in[0]));
    return 1;
}

static int call_net_shared(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    ls_tensor x = in[0], one = ls_scalar(ls, 1.0f), zero = ls_scalar(ls, 0.0f); /* x (2, 3) */
    ls_tensor a = ls_sub(ls_add(ls_mul(x, x), ls_mul(ls_sin(x), x)), ls_div(x, ls_add(one, ls_square(x))));
    ls_tensor turned = ls_transpose(ls_reshape(a, LS_SHAPE(3, 2)), NULL);
    ls_tensor b = ls_concat((ls_tensor[]){a, x, turned}, 3, 0); /* (6, 3) */
    ls_tensor rows = ls_gather(b, ls_from_host(ls, LS_INT32, LS_SHAPE(4), (int32_t[]){5, 0, 0, 3}), 0);
    ls_tensor part = ls_slice(rows, (int64_t[]){0, 2}, (int64_t[]){2, 3}, (int64_t[]){2, -1}); /* (2, 3) */
    ls_tensor left = ls_mul(ls_exp(ls_mul(ls_scalar(ls, 0.25f), part)), ls_mean(b, (int[]){0}, 1, false));
    ls_tensor right = ls_mul(ls_where(ls_greater(x, zero), x, a), ls_max(b, NULL, 0, false));
    (void)c;
    out[0] = ls_add(left, right);
    return 1;
}

/* x (n, k), kernels (k, h) and (h, classes), bias (h), labels (n) -> losses (n) */
static int call_net_mlp(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    ls_tensor h = ls_matmul(in[0], in[1], .bias = in[2], .activation = LS_TANH);
    (void)ls, (void)c;
    out[0] = ls_sparse_softmax_cross_entropy(in[4], ls_matmul(h, in[3]));
    return 1;
}

/* q, k (b, t, d), v (b, t, e) -> (b, t, e) */
static int call_net_attention(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    ls_tensor scores = ls_mul(ls_scalar(ls, 0.5f), ls_matmul(in[0], in[1], .transpose_b = true));
    (void)c;
    out[0] = ls_matmul(ls_softmax(scores, -1), in[2]);
    return 1;
}

/* Layer normalization of x (n, d) with gamma and beta (d) */
static int call_net_norm(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    ls_tensor centred = ls_sub(in[0], mean_of_last(in[0]));
    ls_tensor scale = ls_rsqrt(ls_add(mean_of_last(ls_square(centred)), ls_scalar(ls, 0.125f)));
    (void)c;
    out[0] = ls_fma(ls_mul(centred, scale), in[1], in[2]);
    return 1;
}

static int call_net_logsumexp(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    ls_tensor m = ls_max(in[0], (int[]){0}, 1, true);
    ls_tensor sum = ls_sum(ls_exp(ls_sub(in[0], m)), (int[]){0}, 1, false);
    (void)ls, (void)c;
    out[0] = ls_add(ls_log(sum), ls_reshape(m, LS_SHAPE(-1)));
    return 1;
}

/* The gradient penalty of WGAN-GP: a gradient inside the function that is differentiated. */
static int call_net_penalty(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    ls_tensor gradient = {0}, critic;
    (void)c;
    ls_tape *tape = ls_tape_begin(ls);
    ls_watch(tape, in[0]);
    critic = ls_matmul(ls_tanh(ls_matmul(in[0], in[1])), in[2]);
    critic = ls_sum(critic, NULL, 0, false);
    ls_tape_end(tape);
    ls_gradient(tape, critic, &in[0], 1, &gradient);
    ls_tape_destroy(&tape);
    ls_tensor norm = ls_sqrt(ls_sum(ls_square(gradient), (int[]){1}, 1, false));
    out[0] = ls_square(ls_sub(norm, ls_scalar(ls, 1.0f)));
    return 1;
}

/* clang-format off */
#define CALL(op) {#op, call_##op}
const struct golden_entry golden_network_ops[] = {
    CALL(net_power), CALL(net_shared), CALL(net_mlp), CALL(net_attention), CALL(net_norm), CALL(net_logsumexp),
    CALL(net_penalty),
    {0},
};
#undef CALL
/* clang-format on */
