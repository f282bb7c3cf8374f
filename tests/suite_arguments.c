/* SPDX-License-Identifier: Apache-2.0
 *
 * Pointers that lead nowhere and numbers that an op cannot take: each is an error that names the op, the
 * argument and what is allowed, and leaves the context usable.
 */
#include <math.h>
#include <string.h>

#include <lockstep/ops.h>
#include <lockstep/tape.h>

#include "suite.h"

/* The same for a call that has no context to keep the error. */
#define REFUSED_ALONE(op, part)                                                       \
    do {                                                                              \
        suite_check(s, ls_is_nil(op), part, "is not nil");                            \
        suite_expect(s, NULL, LS_INVALID_ARGUMENT, part, part);                                   \
        suite_check(s, ls_error(ls) == LS_OK, part, "the context holds an error too"); \
    } while (0)

#define RETURNED(call, part)                                                           \
    do {                                                                               \
        suite_check(s, (call) == LS_INVALID_ARGUMENT, part, "is not refused by status"); \
        suite_expect(s, ls, LS_INVALID_ARGUMENT, part, part);                                      \
    } while (0)

static void null_options(struct suite *s, ls_context *ls)
{
    REFUSED_ALONE(ls_matmul_with(NULL), "matmul: its options are NULL");
    REFUSED_ALONE(ls_triangular_solve_with(NULL), "triangular_solve: its options are NULL");
    REFUSED_ALONE(ls_conv_with(NULL), "conv: its options are NULL");
    REFUSED_ALONE(ls_depthwise_conv_with(NULL), "depthwise_conv: its options are NULL");
    REFUSED_ALONE(ls_conv_transpose_with(NULL), "conv_transpose: its options are NULL");
    REFUSED_ALONE(ls_max_pool_with(NULL), "max_pool: its options are NULL");
    REFUSED_ALONE(ls_average_pool_with(NULL), "average_pool: its options are NULL");
    REFUSED_ALONE(ls_attention_with(NULL), "attention: its options are NULL");
    REFUSED_ALONE(ls_pad_with(NULL), "pad: its options are NULL");
    suite_check(s, strcmp(ls_error_message(NULL), "the context is NULL") == 0, "cleared", "%s", ls_error_message(NULL));
}

static void null_lists(struct suite *s, ls_context *ls)
{
    ls_tensor a = ls_ones(ls, LS_FLOAT32, LS_SHAPE(3, 4)), many[300];
    REFUSED_ALONE(ls_concat(NULL, 2, 0), "concat: the array of tensors is NULL; it takes 1 to 256");
    REFUSED_ALONE(ls_concat(&a, 0, 0), "concat: no tensors");
    REFUSED_ALONE(ls_stack(NULL, 2, 0), "stack: the array of tensors is NULL");
    REFUSED_ALONE(ls_stack(&a, 0, 0), "stack: no tensors");
    REFUSED_ALONE(ls_einsum("ij->ji", NULL, 1), "einsum: the array of tensors is NULL; it takes 1 to 2");
    REFUSED_ALONE(ls_einsum("ij->ji", &a, 0), "einsum: no tensors");
    REFUSED_ALONE(ls_einsum("ij->ji", &a, -1), "einsum: no tensors");
    REFUSED(ls_einsum(NULL, &a, 1), LS_INVALID_ARGUMENT, "einsum: equation is NULL; it should lead to 1 term");
    suite_check(s, ls_meshgrid(NULL, 2, true, many) == LS_INVALID_ARGUMENT && ls_is_nil(many[1]), "meshgrid", "taken");
    suite_expect(s, NULL, LS_INVALID_ARGUMENT, "meshgrid: the array of tensors is NULL; it takes 1 to 8", NULL);
    suite_check(s, ls_meshgrid(&a, 0, true, many) == LS_INVALID_ARGUMENT, "meshgrid of nothing", "is not refused");
    suite_expect(s, NULL, LS_INVALID_ARGUMENT, "meshgrid: no tensors", NULL);
    for (int i = 0; i < 300; i++)
        many[i] = i ? a : (ls_tensor){0};
    REFUSED(ls_concat(many, 300, 0), LS_INVALID_ARGUMENT, "concat: 300 tensors; it takes 1 to 256");
    REFUSED(ls_stack(many, 300, 0), LS_INVALID_ARGUMENT, "stack: 300 tensors");
    ls_tensor v = ls_ones(ls, LS_FLOAT32, LS_SHAPE(3));
    RETURNED(ls_meshgrid(&v, 1, true, NULL), "meshgrid: grids is NULL; it should lead to 1 tensor");
    suite_check(s, ls_meshgrid(&a, 1, true, many) == LS_SHAPE_MISMATCH, "meshgrid of a matrix", "is not refused");
    suite_expect(s, ls, LS_SHAPE_MISMATCH, "meshgrid: input 0 is (3, 4)", NULL);
}

static void null_arrays(struct suite *s, ls_context *ls)
{
    ls_tensor a = ls_ones(ls, LS_FLOAT32, LS_SHAPE(3, 4)), x = ls_ones(ls, LS_FLOAT32, LS_SHAPE(1, 5, 5, 2)), out[4];
    ls_tensor scalar = ls_scalar(ls, 2.0f);
    int64_t two[] = {1, 1};
    int zero[] = {0};
    REFUSED(ls_slice(a, NULL, two, NULL), LS_INVALID_ARGUMENT, "slice: begin is NULL; it should lead to 2 numbers");
    REFUSED(ls_slice(a, two, NULL, NULL), LS_INVALID_ARGUMENT, "slice: size is NULL; it should lead to 2 numbers");
    REFUSED(ls_unslice(a, LS_SHAPE(5, 5), NULL, NULL), LS_INVALID_ARGUMENT, "unslice: begin is NULL");
    REFUSED(ls_tile(a, NULL), LS_INVALID_ARGUMENT, "tile: multiples is NULL; it should lead to 2 numbers");
    REFUSED(ls_tensordot(a, a, NULL, zero, 1), LS_INVALID_ARGUMENT, "tensordot: axes_a is NULL; it should lead to 1 number");
    REFUSED(ls_tensordot(a, a, zero, NULL, 1), LS_INVALID_ARGUMENT, "tensordot: axes_b is NULL");
    REFUSED(ls_sum(a, NULL, 1, false), LS_INVALID_ARGUMENT, "sum: 1 axes of (3, 4), but axes is NULL");
    REFUSED(ls_squeeze(a, NULL, 2), LS_INVALID_ARGUMENT, "squeeze: 2 axes of (3, 4), but axes is NULL");
    REFUSED(ls_flip(a, NULL, 1), LS_INVALID_ARGUMENT, "flip: 1 axes of (3, 4), but axes is NULL");
    REFUSED(ls_adaptive_max_pool(x, NULL), LS_INVALID_ARGUMENT, "adaptive_max_pool: output_size is NULL");
    REFUSED(ls_adaptive_average_pool(x, NULL), LS_INVALID_ARGUMENT, "adaptive_average_pool: output_size is NULL");
    out[0] = a;
    RETURNED(ls_split(a, NULL, 2, 1, out), "split: sizes is NULL; it should lead to 2 numbers");
    suite_check(s, ls_is_nil(out[0]), "split", "a part is not nil");
    RETURNED(ls_split(a, (int64_t[]){2, 2}, 2, 1, NULL), "split: parts is NULL; it should lead to 2 tensors");
    RETURNED(ls_unstack(a, 0, NULL, 3), "unstack: parts is NULL; it should lead to 3 tensors");
    RETURNED(ls_top_k(a, 2, NULL, &out[0]), "top_k: values is NULL; it should lead to 1 tensor");
    RETURNED(ls_top_k(a, 2, &out[0], NULL), "top_k: indices is NULL");
    RETURNED(ls_moments(a, NULL, 0, false, NULL, &out[0]), "moments: mean is NULL");
    RETURNED(ls_moments(a, NULL, 0, false, &out[0], NULL), "moments: variance is NULL");
    RETURNED(ls_get_random_state(ls, NULL), "get_random_state: state is NULL");
    RETURNED(ls_set_random_state(ls, NULL), "set_random_state: state is NULL");
    suite_check(s, ls_get_random_state(NULL, NULL) == LS_INVALID_ARGUMENT, "state of no context", "is not refused");
    ls_clear_error(NULL);
    /* Of rank 0 no number is needed. */
    suite_check(s, ls_item(ls_tile(ls_slice(scalar, NULL, NULL, NULL), NULL)) == 2.0f, "rank 0", "%s", ls_error_message(ls));
}

static void numbers(struct suite *s, ls_context *ls)
{
    ls_tensor a = ls_ones(ls, LS_FLOAT32, LS_SHAPE(3, 4)), one = ls_ones(ls, LS_FLOAT32, LS_SHAPE(1, 3, 1));
    REFUSED(ls_celu(a, 0.0f), LS_INVALID_ARGUMENT, "celu: of (3, 4) with alpha 0; it is any number but 0");
    REFUSED(ls_celu(a, NAN), LS_INVALID_ARGUMENT, "celu: of (3, 4) with alpha nan");
    REFUSED(ls_hard_shrink(a, -0.5f), LS_INVALID_ARGUMENT, "hard_shrink: of (3, 4) with threshold -0.5; it is at least 0");
    REFUSED(ls_soft_shrink(a, NAN), LS_INVALID_ARGUMENT, "soft_shrink: of (3, 4) with threshold nan");
    REFUSED(ls_squareplus(a, -1.0f), LS_INVALID_ARGUMENT, "squareplus: of (3, 4) with b -1; it is at least 0");
    suite_check(s, ls_item(ls_squareplus(ls_scalar(ls, 3.0f), 0.0f)) == 3.0f, "squareplus", "of b = 0 is not relu");
    REFUSED(ls_random_uniform(ls, LS_SHAPE(2), 1.0f, -1.0f), LS_INVALID_ARGUMENT, "random_uniform: from 1 to -1");
    REFUSED(ls_random_uniform(ls, LS_SHAPE(2), NAN, 1.0f), LS_INVALID_ARGUMENT, "random_uniform: from nan");
    REFUSED(ls_random_uniform(ls, LS_SHAPE(2), -3e38f, 3e38f), LS_INVALID_ARGUMENT, "must be finite");
    REFUSED(ls_random_normal(ls, LS_SHAPE(2), 0.0f, -1.0f), LS_INVALID_ARGUMENT, "random_normal: mean 0, stddev -1");
    REFUSED(ls_random_normal(ls, LS_SHAPE(2), NAN, 1.0f), LS_INVALID_ARGUMENT, "random_normal: mean nan");
    REFUSED(ls_random_truncated_normal(ls, LS_SHAPE(2), 0.0f, -1.0f), LS_INVALID_ARGUMENT, "random_truncated_normal: mean 0");
    REFUSED(ls_random_normal(ls, ls_shape_of(2, NULL), 0.0f, 1.0f), LS_INVALID_ARGUMENT, "random_normal: shape () of rank -1 is not valid");
    REFUSED(ls_squeeze(one, (int[]){0, -3}, 2), LS_INVALID_ARGUMENT, "squeeze: axis 0 of (1, 3, 1) is named twice");
    REFUSED(ls_squeeze(one, (int[]){0}, -1), LS_INVALID_ARGUMENT, "squeeze: -1 axes of (1, 3, 1)");
    REFUSED(ls_flip(a, (int[]){0}, -1), LS_INVALID_ARGUMENT, "flip: -1 axes of (3, 4)");
    REFUSED(ls_sum(a, (int[]){0, 0}, 2, false), LS_INVALID_ARGUMENT, "sum: axis 0 of (3, 4) is named twice");
    REFUSED(ls_sum_to(a, (ls_shape){.rank = -1}), LS_INVALID_ARGUMENT, "sum_to: shape () of rank -1 is not valid");
    REFUSED(ls_sum_to(a, (ls_shape){.rank = 9}), LS_INVALID_ARGUMENT, "of rank 9 is not valid");
    REFUSED(ls_gather_nd(a, ls_zeros(ls, LS_INT32, LS_SHAPE(2, 0))), LS_SHAPE_MISMATCH,
            "gather_nd: indices (2, 0) of (3, 4): the last dimension, 0, counts the axes they name, 1 to 2");
    RETURNED(ls_top_k(a, 5, &one, &one), "top_k: 5 of the last dimension of (3, 4); 0 to 4");
    ls_fill(ls, LS_SHAPE((int64_t)1 << 50), 1.0f);
    suite_expect(s, ls, LS_OVERFLOW, "fill: float32 (1125899906842624,) is larger than any device's memory", NULL);
    suite_check(s, strcmp(ls_fingerprint(NULL, 2).text, "ls1:????????????????") == 0, "fingerprint", "of NULL");
    suite_expect(s, NULL, LS_INVALID_ARGUMENT, "fingerprint: the array of tensors is NULL", NULL);
    REFUSED(ls_broadcast_to(a, LS_SHAPE(INT64_MAX, 3, 4)), LS_OVERFLOW, "broadcast_to: shape (9223372036854775807, 3, 4)");
    REFUSED(ls_ones(ls, LS_FLOAT32, LS_SHAPE((int64_t)1 << 45)), LS_OVERFLOW, "fill: float32 (35184372088832,)");
    ls_broadcast_to(ls_exp(a), LS_SHAPE((int64_t)1 << 50, 3, 4));
    suite_expect(s, ls, LS_OVERFLOW, "broadcast_to: its result, float32 (1125899906842624, 3, 4), is larger", NULL);
}

/* What the headers say of NaN operands. */
static void not_numbers(struct suite *s, ls_context *ls)
{
    ls_tensor a = ls_from_host(ls, LS_FLOAT32, LS_SHAPE(3), (float[]){NAN, 0.0f, 1.0f});
    ls_tensor b = ls_from_host(ls, LS_FLOAT32, LS_SHAPE(3), (float[]){0.0f, NAN, NAN});
    float most[3], least[3];
    ls_read(ls_maximum(a, b), most, sizeof most);
    ls_read(ls_minimum(a, b), least, sizeof least);
    suite_check(s, most[0] == 0.0f && isnan(most[1]) && isnan(most[2]), "maximum of NaN", "%g %g %g", (double)most[0],
                (double)most[1], (double)most[2]);
    suite_check(s, least[0] == 0.0f && isnan(least[1]) && isnan(least[2]), "minimum of NaN", "%g %g %g",
                (double)least[0], (double)least[1], (double)least[2]);
    ls_tensor length = {0}, angle = {0}, of_length[2], of_angle[2], both[] = {a, b};
    LS_TAPE(tape, ls, .persistent = true) {
        ls_watch(tape, a);
        ls_watch(tape, b);
        length = ls_hypot(a, b);
        angle = ls_atan2(a, b);
    }
    ls_gradient(tape, length, both, 2, of_length);
    ls_gradient(tape, angle, both, 2, of_angle);
    for (int i = 0; i < 2; i++) {
        ls_read(of_length[i], most, sizeof most);
        ls_read(of_angle[i], least, sizeof least);
        suite_check(s, isnan(most[2]) && isnan(least[2]), "gradients of hypot and atan2 at NaN", "input %d: %g, %g", i,
                    (double)most[2], (double)least[2]);
    }
    if (strcmp(s->kind.name, "reference") != 0)
        return;
    ls_tensor late = ls_from_host(ls, LS_FLOAT32, LS_SHAPE(2), (float[]){1.0f, NAN});
    suite_check(s, ls_item(ls_max(late, NULL, 0, false)) == 1.0f, "max of [1, NaN]", "is not 1");
    suite_check(s, isnan(ls_item(ls_max(ls_flip(late, NULL, 0), NULL, 0, false))), "max of [NaN, 1]", "is not NaN");
}

static void images(struct suite *s, ls_context *ls)
{
    ls_tensor x = ls_ones(ls, LS_FLOAT32, LS_SHAPE(1, 5, 5, 2)), k = ls_ones(ls, LS_FLOAT32, LS_SHAPE(3, 3, 2, 4));
    ls_tensor flat = ls_ones(ls, LS_FLOAT32, LS_SHAPE(1, 0, 5, 2)), text = ls_ones(ls, LS_FLOAT32, LS_SHAPE(2, 0, 3));
    REFUSED(ls_conv(x, k, .pads = {{1, 1}, {1, 1}}), LS_INVALID_ARGUMENT,
            "conv: pads of 1 and 1 in dimension 0, but the padding is LS_VALID; only LS_EXPLICIT takes pads");
    REFUSED(ls_conv(x, k, .padding = LS_SAME, .pads = {{0, 0}, {0, 2}}), LS_INVALID_ARGUMENT, "dimension 1, but the padding is LS_SAME");
    REFUSED(ls_conv(flat, k), LS_SHAPE_MISMATCH, "conv: in dimension 0 the window spans 3 cells, but the input has 0");
    REFUSED(ls_max_pool(flat, .pool_size = {2}), LS_SHAPE_MISMATCH, "max_pool: in dimension 0 the window spans 2 cells, but the input has 0");
    REFUSED(ls_max_pool(x, .pool_size = {-2}), LS_INVALID_ARGUMENT, "max_pool: a window of -2; it is at least 1");
    ls_tensor none = ls_depthwise_conv(ls_ones(ls, LS_FLOAT32, LS_SHAPE(1, 5, 5, 0)), ls_ones(ls, LS_FLOAT32, LS_SHAPE(3, 3, 0, 2)));
    suite_check(s, ls_shape_of_tensor(none).dim[1] == 3 && ls_size(none) == 0 && ls_error(ls) == LS_OK, "no channels", "%s",
                ls_error_message(ls));
    ls_tensor same = ls_conv(flat, k, .padding = LS_SAME);
    suite_check(s, ls_shape_of_tensor(same).dim[1] == 0 && ls_error(ls) == LS_OK, "same", "%s", ls_error_message(ls));
    ls_tensor causal = ls_conv(text, ls_ones(ls, LS_FLOAT32, LS_SHAPE(2, 3, 4)), .padding = LS_CAUSAL);
    suite_check(s, ls_shape_of_tensor(causal).dim[1] == 0 && ls_error(ls) == LS_OK, "causal", "%s", ls_error_message(ls));
}

/* Who looked up by index is named, also where it is made of gather. */
static void lookups(struct suite *s, ls_context *ls)
{
    ls_tensor low = ls_from_host(ls, LS_INT32, LS_SHAPE(2), (int32_t[]){0, -1}), table = ls_ones(ls, LS_FLOAT32, LS_SHAPE(5, 2));
    ls_one_hot(low, 5);
    ls_synchronize(ls);
    suite_expect(s, ls, LS_OUT_OF_RANGE, "one_hot: index -1 at position 1 is outside [0, 5)", NULL);
    ls_embedding_lookup(table, low);
    ls_synchronize(ls);
    suite_expect(s, ls, LS_OUT_OF_RANGE, "embedding_lookup: index -1 at position 1", NULL);
    ls_gather(table, low, 0);
    ls_synchronize(ls);
    suite_check(s, strncmp(ls_error_message(ls), "gather: index", 13) == 0, "gather", "%s", ls_error_message(ls));
    ls_clear_error(ls);
    ls_gather(table, ls_arange(ls, 2), 0);
    ls_one_hot(low, 5);
    ls_synchronize(ls);
    suite_expect(s, ls, LS_OUT_OF_RANGE, "gather or one_hot: index -1 at position 1", NULL);
}

void suite_arguments(struct suite *s, ls_context *ls)
{
    ls_scope_begin(ls);
    null_options(s, ls);
    null_lists(s, ls);
    null_arrays(s, ls);
    numbers(s, ls);
    not_numbers(s, ls);
    images(s, ls);
    lookups(s, ls);
    ls_scope_end(ls);
    suite_check(s, ls_get_stats(ls).live_tensors == 0, "arguments", "%zu tensors are left",
                ls_get_stats(ls).live_tensors);
}
