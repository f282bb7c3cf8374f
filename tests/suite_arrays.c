/* SPDX-License-Identifier: Apache-2.0
 *
 * What a user can do wrong with the ops that move, reduce, order, normalise and draw; and that they
 * can be captured.
 */
#include <string.h>

#include <lockstep/function.h>
#include <lockstep/ops.h>

#include "suite.h"

static void shapes(struct suite *s, ls_context *ls)
{
    ls_tensor a = ls_ones(ls, LS_FLOAT32, LS_SHAPE(3, 4)), v = ls_ones(ls, LS_FLOAT32, LS_SHAPE(5)), parts[2];
    ls_tensor i = ls_zeros(ls, LS_INT32, LS_SHAPE(3)), none = ls_ones(ls, LS_FLOAT32, LS_SHAPE(3, 0));
    int64_t two[] = {2, 3}, many[] = {1, INT64_MAX}, ten[] = {10, 0};
    REFUSED(ls_squeeze(a, (int[]){1}, 1), LS_SHAPE_MISMATCH, "squeeze: axis 1 of (3, 4) has size 4");
    REFUSED(ls_moveaxis(a, 0, 2), LS_INVALID_ARGUMENT, "moveaxis: axis 2");
    REFUSED(ls_swapaxes(a, -3, 0), LS_INVALID_ARGUMENT, "swapaxes: axis -3");
    REFUSED(ls_stack((ls_tensor[]){a, v}, 2, 0), LS_SHAPE_MISMATCH, "stack: input 1 is (5,)");
    REFUSED(ls_stack((ls_tensor[]){v, ls_zeros(ls, LS_INT32, LS_SHAPE(5))}, 2, 0), LS_DTYPE_MISMATCH, "stack: needs");
    suite_check(s, ls_split(a, two, 2, 1, parts) == LS_SHAPE_MISMATCH && ls_is_nil(parts[0]), "split", "no error");
    suite_expect(s, ls, LS_SHAPE_MISMATCH, "split: the 2 sizes along axis 1 of (3, 4) do not add up to 4", NULL);
    suite_check(s, ls_unstack(a, 0, parts, 2) == LS_SHAPE_MISMATCH, "unstack", "no error");
    suite_expect(s, ls, LS_SHAPE_MISMATCH, "unstack: axis 0 of (3, 4) gives 3 tensors, not 2", NULL);
    REFUSED(ls_flip(a, (int[]){0, 0}, 2), LS_INVALID_ARGUMENT, "flip: axis 0 of (3, 4) is named twice");
    REFUSED(ls_roll(a, 1, 5), LS_INVALID_ARGUMENT, "roll: axis 5");
    REFUSED(ls_tile(a, many), LS_INVALID_ARGUMENT, "tile: axis 1 of (3, 4) cannot be repeated");
    REFUSED(ls_repeat(a, -1, 0), LS_INVALID_ARGUMENT, "repeat: axis 0 of (3, 4) cannot be repeated -1");
    REFUSED(ls_pad(a, .before = ten, .mode = LS_PAD_REFLECT), LS_INVALID_ARGUMENT, "pad: 10 before");
    REFUSED(ls_pad(i, .before = ten, .value = 1.0f), LS_DTYPE_MISMATCH, "pad with a value: needs float32");
    REFUSED(ls_all(a, NULL, 0, false), LS_DTYPE_MISMATCH, "all: needs bool");
    REFUSED(ls_prod(a, (int[]){2}, 1, false), LS_INVALID_ARGUMENT, "prod: axis 2");
    REFUSED(ls_var(a, (int[]){0, 0}, 2, false), LS_INVALID_ARGUMENT, "var: axis 0 of (3, 4) is named twice");
    REFUSED(ls_std(i, NULL, 0, false), LS_DTYPE_MISMATCH, "std: needs float32");
    REFUSED(ls_norm(a, (ls_norm_order)9, NULL, 0, false), LS_INVALID_ARGUMENT, "norm: unknown order 9");
    REFUSED(ls_norm(none, LS_NORM_INFINITY, (int[]){1}, 1, false), LS_INVALID_ARGUMENT, "no elements");
    REFUSED(ls_cumsum(a, 2, false, false), LS_INVALID_ARGUMENT, "cumsum: axis 2");
    REFUSED(ls_linear_recurrence(a, v, 0, false), LS_SHAPE_MISMATCH, "linear_recurrence: factors (3, 4)");
    REFUSED(ls_dot(v, a), LS_SHAPE_MISMATCH, "dot: (5,) and (3, 4)");
    REFUSED(ls_ctc_loss(i, a, i, i, 0), LS_SHAPE_MISMATCH, "ctc_loss: labels (3,), logits (3, 4)");
    REFUSED(ls_ctc_loss(ls_zeros(ls, LS_INT32, LS_SHAPE(3, 2)), ls_ones(ls, LS_FLOAT32, LS_SHAPE(3, 4, 5)), i, i, 5),
            LS_INVALID_ARGUMENT, "the blank 5 is no class");
    REFUSED(ls_cholesky(a), LS_SHAPE_MISMATCH, "cholesky: (3, 4) should be square");
    REFUSED(ls_triangular_solve(ls_eye(ls, 5, 5), v), LS_SHAPE_MISMATCH, "triangular_solve: (5, 5) x = (5,)");
    REFUSED(ls_tensordot(a, v, (int[]){0}, (int[]){0}, 1), LS_SHAPE_MISMATCH, "tensordot: axis 0 of (3, 4)");
    REFUSED(ls_einsum("ij,jk", (ls_tensor[]){a, a}, 2), LS_INVALID_ARGUMENT, "einsum: \"ij,jk\" with 2 operands");
    REFUSED(ls_einsum("ij->ik", &a, 1), LS_INVALID_ARGUMENT, "einsum: \"ij->ik\"");
    REFUSED(ls_einsum("ij,jk->ik", (ls_tensor[]){a, a}, 2), LS_SHAPE_MISMATCH, "does not describe operand 1, (3, 4)");
    REFUSED(ls_argsort(ls_zeros(ls, LS_BOOL, LS_SHAPE(2)), 0, false), LS_DTYPE_MISMATCH, "argsort: needs float32");
    REFUSED(ls_take_along_axis(a, i, 1), LS_SHAPE_MISMATCH, "take_along_axis: indices (3,)");
    REFUSED(ls_gather_nd(a, i), LS_SHAPE_MISMATCH, "gather_nd: indices (3,) of (3, 4)");
    REFUSED(ls_scatter_update(a, i, v, 0), LS_SHAPE_MISMATCH, "scatter_update: updates (5,) should be (3, 4)");
    REFUSED(ls_tril(v, 0), LS_SHAPE_MISMATCH, "tril: (5,)");
    REFUSED(ls_range(ls, 0, 4, 0), LS_INVALID_ARGUMENT, "range: from 0 to 4 in steps of 0");
    suite_check(s, ls_top_k(v, 6, &parts[0], &parts[1]) == LS_INVALID_ARGUMENT, "top_k", "no error");
    suite_expect(s, ls, LS_INVALID_ARGUMENT, "top_k: 6 of the last dimension of (5,)", NULL);
}

static void networks(struct suite *s, ls_context *ls)
{
    ls_tensor a = ls_ones(ls, LS_FLOAT32, LS_SHAPE(3, 4)), v = ls_ones(ls, LS_FLOAT32, LS_SHAPE(5)), nil = {0};
    REFUSED(ls_batch_normalization(a, v, v, nil, nil, 0.1f), LS_SHAPE_MISMATCH, "batch_normalization: mean (5,)");
    REFUSED(ls_batch_normalization(a, nil, nil, nil, nil, 0.1f), LS_INVALID_ARGUMENT, "ls_moments");
    REFUSED(ls_layer_normalization(a, -1, v, nil, 0.1f), LS_SHAPE_MISMATCH, "layer_normalization: scale (5,)");
    REFUSED(ls_group_normalization(a, 3, nil, nil, 0.1f), LS_INVALID_ARGUMENT, "4 channels of (3, 4)");
    REFUSED(ls_dropout(a, 1.0f), LS_INVALID_ARGUMENT, "dropout: rate 1");
    REFUSED(ls_embedding_lookup(v, ls_arange(ls, 2)), LS_SHAPE_MISMATCH, "embedding_lookup: the table (5,)");
    REFUSED(ls_segment_sum(a, ls_arange(ls, 4), 4), LS_SHAPE_MISMATCH, "segment_sum: data (3, 4)");
    REFUSED(ls_softmax_cross_entropy(a, v), LS_SHAPE_MISMATCH, "ls_sparse_softmax_cross_entropy");
    REFUSED(ls_sigmoid_cross_entropy(a, v), LS_SHAPE_MISMATCH, "sigmoid_cross_entropy: labels (3, 4)");
    REFUSED(ls_attention(a, .key = a, .value = v), LS_SHAPE_MISMATCH, "attention: query (3, 4)");
    REFUSED(ls_attention(a, .key = a, .value = a, .mask = a), LS_DTYPE_MISMATCH, "attention: needs bool");
    REFUSED(ls_resize_bilinear(a, 2, 2), LS_INVALID_ARGUMENT, "resize_bilinear: (3, 4) to 2 x 2");
    REFUSED(ls_random_randint(ls, LS_SHAPE(2), 5, 5), LS_INVALID_ARGUMENT, "random_randint: [5, 5)");
    REFUSED(ls_random_bernoulli(ls, LS_SHAPE(2), 1.5f), LS_INVALID_ARGUMENT, "1.5 is not a probability");
    REFUSED(ls_random_categorical(ls_scalar(ls, 1.0f), 2), LS_INVALID_ARGUMENT, "random_categorical: 2 samples");
}

/* The kernels report value, position and limit of the index that the user gave. */
static void indices(struct suite *s, ls_context *ls)
{
    ls_tensor a = ls_ones(ls, LS_FLOAT32, LS_SHAPE(2, 5));
    ls_tensor along = ls_from_host(ls, LS_INT32, LS_SHAPE(2, 2), (int32_t[]){0, 4, 5, 1});
    ls_tensor nd = ls_from_host(ls, LS_INT32, LS_SHAPE(3, 2), (int32_t[]){0, 4, 1, 1, 2, 0});
    ls_tensor rows = ls_from_host(ls, LS_INT32, LS_SHAPE(2), (int32_t[]){1, -7});
    ls_take_along_axis(a, along, 1);
    ls_synchronize(ls);
    suite_expect(s, ls, LS_OUT_OF_RANGE, "index 5 at position 2 is outside [0, 5)", NULL);
    ls_gather_nd(a, nd);
    ls_synchronize(ls);
    suite_expect(s, ls, LS_OUT_OF_RANGE, "index 2 at position 2 is outside [0, 2)", NULL);
    ls_scatter_update(a, rows, a, 0);
    ls_synchronize(ls);
    suite_expect(s, ls, LS_OUT_OF_RANGE, "index -7 at position 1 is outside [0, 2)", NULL);
    ls_segment_sum(a, rows, 3);
    ls_synchronize(ls);
    suite_expect(s, ls, LS_OUT_OF_RANGE, "index -7 at position 1 is outside [0, 3)", NULL);
}

static void body(void *user, const ls_tensor *in, ls_tensor *out)
{
    ls_tensor x = in[0];
    (void)user;
    x = ls_dropout(ls_layer_normalization(x, -1, (ls_tensor){0}, (ls_tensor){0}, 1e-5f), 0.25f);
    x = ls_attention(x, .key = x, .value = ls_sort(x, -1, true), .causal = true);
    x = ls_cumsum(ls_roll(ls_pad(x, .before = (int64_t[]){1, 0}), 3, 1), 0, false, true);
    ls_tensor three = ls_slice(x, (int64_t[]){0, 0}, (int64_t[]){3, -1}, NULL);
    x = ls_scatter_update(x, ls_random_permutation(x.context, 3), ls_exp(three), 0);
    ls_shape shape = ls_shape_of_tensor(x);
    x = ls_resize_bilinear(ls_reshape(x, LS_SHAPE(1, shape.dim[0], shape.dim[1], 1)), 5, 9);
    out[0] =
        ls_add(ls_logsumexp(x, NULL, 0, false), ls_random_truncated_normal(x.context, LS_SCALAR_SHAPE, 0.0f, 1.0f));
}

/* Eager, recorded and replayed: the same numbers from the same state, others from another. */
static void capture(struct suite *s, ls_context *ls)
{
    ls_function *f = ls_function_create(ls, body, NULL, 1, 1);
    ls_tensor x = ls_random_normal(ls, LS_SHAPE(6, 8), 0.0f, 1.0f), y;
    ls_random_state state;
    float first = 0, value[4] = {0};
    ls_get_random_state(ls, &state);
    body(NULL, &x, &y);
    first = ls_item(y);
    for (int i = 0; i < 4; i++) {
        if (i < 3)
            ls_set_random_state(ls, &state);
        ls_function_call(f, &x, &y);
        value[i] = ls_item(y);
    }
    suite_check(s, first == value[0] && first == value[1] && first == value[2] && first != value[3], "captured arrays",
                "%.9g, then %.9g %.9g %.9g %.9g: %s", (double)first, (double)value[0], (double)value[1],
                (double)value[2], (double)value[3], ls_error_message(ls));
    ls_function_destroy(&f);
}

void suite_arrays(struct suite *s, ls_context *ls)
{
    ls_scope_begin(ls);
    shapes(s, ls);
    networks(s, ls);
    indices(s, ls);
    capture(s, ls);
    ls_scope_end(ls);
    suite_check(s, ls_get_stats(ls).live_tensors == 0, "arrays", "%zu tensors are left", ls_get_stats(ls).live_tensors);
}
