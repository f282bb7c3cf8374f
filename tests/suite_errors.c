/* SPDX-License-Identifier: Apache-2.0
 *
 * What a user can do wrong with the API. Each gives a status and a message that names the op and
 * what to do, and leaves the context usable.
 */
#include <string.h>

#include <lockstep/function.h>
#include <lockstep/ops.h>
#include <lockstep/tape.h>
#include <lockstep/update.h>

#include "suite.h"

static void windows(struct suite *s, ls_context *ls)
{
    ls_tensor x = ls_ones(ls, LS_FLOAT32, LS_SHAPE(2, 5, 4, 6)), k = ls_ones(ls, LS_FLOAT32, LS_SHAPE(3, 3, 6, 8));
    ls_tensor flat = ls_ones(ls, LS_FLOAT32, LS_SHAPE(5, 6)), i = ls_zeros(ls, LS_INT32, LS_SHAPE(2, 5, 4, 6));
    ls_tensor b = ls_ones(ls, LS_FLOAT32, LS_SHAPE(6));
    suite_check(s, ls_is_nil(ls_conv(flat, k)), "conv", "a bad convolution is not nil");
    suite_expect(s, ls, LS_SHAPE_MISMATCH, "conv: input (5, 6) should be (batch, length, channels)", "conv input");
    ls_conv(i, k);
    suite_expect(s, ls, LS_DTYPE_MISMATCH, "conv: needs float32", "conv dtype");
    ls_conv(x, flat);
    suite_expect(s, ls, LS_SHAPE_MISMATCH, "kernel (5, 6) should have the rank", "conv kernel");
    ls_conv(x, k, .groups = 2);
    suite_expect(s, ls, LS_SHAPE_MISMATCH, "3 channels per group, kernel (3, 3, 6, 8) is for 6", "conv channels");
    ls_conv(x, k, .groups = 4);
    suite_expect(s, ls, LS_INVALID_ARGUMENT, "4 groups must divide", "conv groups");
    ls_conv(x, k, .groups = -1);
    suite_expect(s, ls, LS_INVALID_ARGUMENT, "-1 groups", "conv negative groups");
    ls_conv(x, k, .bias = b);
    suite_expect(s, ls, LS_SHAPE_MISMATCH, "bias (6,) should be (8,)", "conv bias");
    ls_conv(x, k, .dilations = {2, 2});
    suite_expect(s, ls, LS_SHAPE_MISMATCH, "dimension 1 the window spans 5 cells, but the input has 4; LS_SAME", "conv window");
    ls_conv(x, k, .strides = {-1});
    suite_expect(s, ls, LS_INVALID_ARGUMENT, "a stride of -1", "conv stride");
    ls_conv(x, k, .dilations = {1, INT64_MAX});
    suite_expect(s, ls, LS_INVALID_ARGUMENT, "a dilation of", "conv dilation");
    ls_conv(x, k, .padding = LS_EXPLICIT, .pads = {{0, -1}});
    suite_expect(s, ls, LS_INVALID_ARGUMENT, "a pad of -1", "conv pads");
    ls_conv(x, k, .padding = LS_CAUSAL);
    suite_expect(s, ls, LS_INVALID_ARGUMENT, "padding 2", "conv causal");
    ls_conv(x, k, .activation = (ls_activation)99);
    suite_expect(s, ls, LS_INVALID_ARGUMENT, "activation 99", "conv activation");
    ls_depthwise_conv(x, ls_ones(ls, LS_FLOAT32, LS_SHAPE(3, 3, 5, 2)));
    suite_expect(s, ls, LS_SHAPE_MISMATCH, "depthwise_conv: input (2, 5, 4, 6) has 6 channels", "depthwise_conv");
    ls_conv_transpose(x, k);
    suite_expect(s, ls, LS_SHAPE_MISMATCH, "kernels are (size…, filters, channels)", "conv_transpose");
    ls_conv_transpose(x, ls_ones(ls, LS_FLOAT32, LS_SHAPE(3, 3, 8, 6)), .output_padding = (int64_t[]){1, 0});
    suite_expect(s, ls, LS_INVALID_ARGUMENT, "output_padding 1 in dimension 0", "conv_transpose padding");
    ls_max_pool(x);
    suite_expect(s, ls, LS_INVALID_ARGUMENT, "no pool_size", "max_pool");
    ls_average_pool(x, .pool_size = {5});
    suite_expect(s, ls, LS_SHAPE_MISMATCH, "the window spans 5 cells, but the input has 4", "average_pool");
    ls_max_pool(x, .pool_size = {2}, .padding = LS_CAUSAL);
    suite_expect(s, ls, LS_INVALID_ARGUMENT, "LS_VALID or LS_SAME", "max_pool padding");
    ls_adaptive_max_pool(x, (int64_t[]){2, 0});
    suite_expect(s, ls, LS_SHAPE_MISMATCH, "dimension 1 of input (2, 5, ", "adaptive_max_pool");
    ls_global_max_pool(flat, false);
    suite_expect(s, ls, LS_SHAPE_MISMATCH, "global_max_pool: input (5, 6)", "global_max_pool");
}

static void shapes(struct suite *s, ls_context *ls)
{
    ls_tensor a = ls_ones(ls, LS_FLOAT32, LS_SHAPE(32, 784)), b = ls_ones(ls, LS_FLOAT32, LS_SHAPE(10, 784));
    ls_tensor i = ls_zeros(ls, LS_INT32, LS_SHAPE(3)), v = ls_ones(ls, LS_FLOAT32, LS_SHAPE(5));
    suite_check(s, ls_is_nil(ls_matmul(a, b)), "matmul", "a bad product is not nil");
    suite_expect(s, ls, LS_SHAPE_MISMATCH, "inner dimensions 784 and 10 differ; transpose_b?", "matmul");
    ls_matmul(a, v);
    suite_expect(s, ls, LS_SHAPE_MISMATCH, "rank 2", "matmul rank");
    ls_matmul(a, b, .transpose_b = true, .bias = v);
    suite_expect(s, ls, LS_SHAPE_MISMATCH, "bias (5,) should be (10,)", "matmul bias");
    ls_matmul(a, b, .transpose_b = true, .activation = (ls_activation)99);
    suite_expect(s, ls, LS_INVALID_ARGUMENT, "activation 99", "matmul activation");
    ls_add(a, b);
    suite_expect(s, ls, LS_SHAPE_MISMATCH, "add: (32, 784) and (10, 784)", "add");
    ls_add(a, i);
    suite_expect(s, ls, LS_DTYPE_MISMATCH, "ls_cast", "add dtypes");
    ls_exp(i);
    suite_expect(s, ls, LS_DTYPE_MISMATCH, "exp: needs float32", "exp dtype");
    ls_where(a, a, a);
    suite_expect(s, ls, LS_DTYPE_MISMATCH, "where: needs bool", "where");
    ls_exp2(i);
    suite_expect(s, ls, LS_DTYPE_MISMATCH, "exp2: needs float32", "exp2 dtype");
    ls_floor_div(i, a);
    suite_expect(s, ls, LS_DTYPE_MISMATCH, "floor_div: needs int32", "floor_div dtypes");
    ls_mod(ls_zeros(ls, LS_INT32, LS_SHAPE(2)), ls_zeros(ls, LS_INT32, LS_SHAPE(3)));
    suite_expect(s, ls, LS_SHAPE_MISMATCH, "mod: (2,) and (3,) do not broadcast", "mod shapes");
    ls_elu(i, 1.0f);
    suite_expect(s, ls, LS_DTYPE_MISMATCH, "elu: needs float32", "elu dtype");
    ls_clip(a, 2.0f, 1.0f);
    suite_expect(s, ls, LS_INVALID_ARGUMENT, "[2, 1]: the minimum must not be above", "clip bounds");
    ls_clip(i, 0.0f, 1.5f);
    suite_expect(s, ls, LS_INVALID_ARGUMENT, "bounds of integers must be whole", "clip int32");
    ls_logical_xor(a, a);
    suite_expect(s, ls, LS_DTYPE_MISMATCH, "logical_xor: needs bool", "logical_xor dtype");
    ls_cast(a, (ls_dtype)77);
    suite_expect(s, ls, LS_INVALID_ARGUMENT, "dtype 77", "cast");
    ls_reshape(a, LS_SHAPE(3, -1));
    suite_expect(s, ls, LS_SHAPE_MISMATCH, "cannot become", "reshape");
    ls_reshape(a, LS_SHAPE(-1, -1));
    suite_expect(s, ls, LS_SHAPE_MISMATCH, "cannot become", "reshape twice inferred");
    ls_reshape(v, ls_shape_of(9, (int64_t[]){1, 1, 1, 1, 1, 1, 1, 1, 5}));
    suite_expect(s, ls, LS_SHAPE_MISMATCH, "reshape", "reshape rank");
    ls_expand_dims(v, 3);
    suite_expect(s, ls, LS_INVALID_ARGUMENT, "axis 3", "expand_dims");
    ls_transpose(a, (int[]){0, 0});
    suite_expect(s, ls, LS_INVALID_ARGUMENT, "twice", "transpose");
    ls_transpose(a, (int[]){0, 5});
    suite_expect(s, ls, LS_INVALID_ARGUMENT, "axes[1] = 5", "transpose axis");
    ls_broadcast_to(a, LS_SHAPE(31, 784));
    suite_expect(s, ls, LS_SHAPE_MISMATCH, "broadcast_to", "broadcast_to");
    ls_slice(v, (int64_t[]){3}, (int64_t[]){3}, NULL);
    suite_expect(s, ls, LS_INVALID_ARGUMENT, "outside the size 5", "slice");
    ls_slice(v, (int64_t[]){0}, (int64_t[]){2}, (int64_t[]){0});
    suite_expect(s, ls, LS_INVALID_ARGUMENT, "steps of 0", "slice step");
    ls_slice(v, (int64_t[]){0}, (int64_t[]){INT64_MAX}, (int64_t[]){INT64_MAX});
    suite_expect(s, ls, LS_INVALID_ARGUMENT, "slice", "slice overflow");
    ls_slice(v, (int64_t[]){4}, (int64_t[]){-1}, (int64_t[]){INT64_MIN});
    ls_clear_error(ls);
    ls_unslice(v, LS_SHAPE(6), (int64_t[]){2}, NULL);
    suite_expect(s, ls, LS_INVALID_ARGUMENT, "unslice", "unslice");
    ls_concat((ls_tensor[]){a, b, v}, 3, 0);
    suite_expect(s, ls, LS_SHAPE_MISMATCH, "input 2 is (5,)", "concat");
    ls_sum(a, (int[]){2}, 1, false);
    suite_expect(s, ls, LS_INVALID_ARGUMENT, "axis 2", "sum axis");
    ls_sum(a, (int[]){0, -2}, 2, false);
    suite_expect(s, ls, LS_INVALID_ARGUMENT, "twice", "sum axis twice");
    ls_max(ls_zeros(ls, LS_FLOAT32, LS_SHAPE(3, 0)), (int[]){1}, 1, false);
    suite_expect(s, ls, LS_INVALID_ARGUMENT, "no elements", "max of nothing");
    ls_argmax(ls_zeros(ls, LS_FLOAT32, LS_SHAPE(3, 0)), 1);
    suite_expect(s, ls, LS_INVALID_ARGUMENT, "no elements", "argmax of nothing");
    ls_softmax(ls_scalar(ls, 1.0f), 0);
    suite_expect(s, ls, LS_INVALID_ARGUMENT, "axis 0", "softmax of a scalar");
    ls_gather(a, v, 0);
    suite_expect(s, ls, LS_DTYPE_MISMATCH, "gather: needs int32", "gather");
    ls_scatter_add(a, i, b, 0);
    suite_expect(s, ls, LS_SHAPE_MISMATCH, "should be (3, 784)", "scatter_add");
    ls_sparse_softmax_cross_entropy(ls_argmax(b, 1), ls_ones(ls, LS_FLOAT32, LS_SHAPE(4, 10)));
    suite_expect(s, ls, LS_SHAPE_MISMATCH, "one more dimension", "cross-entropy");
    ls_one_hot(i, -1);
    suite_expect(s, ls, LS_INVALID_ARGUMENT, "depth -1", "one_hot");
    ls_from_host(ls, LS_FLOAT32, LS_SHAPE(2), NULL);
    suite_expect(s, ls, LS_INVALID_ARGUMENT, "NULL", "from_host");
}

static void sizes(struct suite *s, ls_context *ls)
{
    ls_zeros(ls, LS_FLOAT32, LS_SHAPE(INT64_MAX, 3));
    suite_expect(s, ls, LS_OVERFLOW, "not valid", "a product above 2^63");
    ls_zeros(ls, LS_FLOAT32, LS_SHAPE(-3));
    suite_expect(s, ls, LS_OVERFLOW, "no negative size", "a negative size");
    ls_random_uniform(ls, LS_SHAPE(1LL << 50), 0.0f, 1.0f);
    suite_expect(s, ls, LS_OVERFLOW, "larger than any", "2^50 elements");
    ls_arange(ls, 1LL << 40);
    suite_expect(s, ls, LS_INVALID_ARGUMENT, "int32", "arange");
    if (s->kind.most_elements >= 1 << 18) {
        ls_random_uniform(ls, LS_SHAPE(1LL << 43), 0.0f, 1.0f); /* 32 TiB */
        suite_check(s, ls_error(ls) == LS_OUT_OF_MEMORY, "32 TiB", "%s: %s", ls_status_name(ls_error(ls)),
                    ls_error_message(ls));
        ls_clear_error(ls);
    }
}

static void handles(struct suite *s, ls_context *ls)
{
    ls_context *other = ls_open("reference");
    ls_tensor a = ls_ones(ls, LS_FLOAT32, LS_SHAPE(2)), foreign = ls_ones(other, LS_FLOAT32, LS_SHAPE(2)), old;
    float x[2];
    ls_add(a, foreign);
    suite_expect(s, ls, LS_FOREIGN_HANDLE, "another context", "a foreign handle");
    suite_expect(s, other, LS_FOREIGN_HANDLE, "add: input 1", "a foreign handle, there");
    ls_add(foreign, a);
    suite_expect(s, ls, LS_FOREIGN_HANDLE, "add: input 1", "a foreign handle first");
    ls_clear_error(other);
    ls_close(&other);
    ls_scope_begin(ls);
    old = ls_exp(a);
    ls_scope_end(ls);
    ls_add(a, old);
    suite_expect(s, ls, LS_STALE_HANDLE, "ls_keep", "a stale handle");
    suite_check(s, ls_read(old, x, sizeof x) == LS_STALE_HANDLE, "read", "a stale handle was read");
    ls_clear_error(ls);
    ls_add(a, (ls_tensor){0});
    suite_expect(s, ls, LS_INVALID_ARGUMENT, "nil", "a nil tensor");
    suite_check(s, ls_read(a, x, 4) == LS_INVALID_ARGUMENT, "read", "4 of 8 bytes were read");
    suite_expect(s, ls, LS_INVALID_ARGUMENT, "has 8", "read of a wrong size");
    ls_tensor forged = a;
    forged.index = 1u << 30;
    ls_neg(forged);
    suite_expect(s, ls, LS_STALE_HANDLE, "released", "a forged handle");
    ls_release(&a);
    ls_release(&a);
    suite_check(s, ls_is_nil(a) && ls_error(ls) == LS_OK, "release", "twice is an error");
    suite_check(s, ls_is_nil(ls_exp((ls_tensor){0})), "nil", "an op on nil is not nil");
}

static void sticky(struct suite *s, ls_context *ls)
{
    ls_tensor a = ls_ones(ls, LS_FLOAT32, LS_SHAPE(2));
    ls_sum(a, (int[]){7}, 1, false);
    ls_exp(ls_neg(a)); /* does nothing */
    ls_matmul(a, a);
    suite_expect(s, ls, LS_INVALID_ARGUMENT, "axis 7", "the first error stays");
    suite_check(s, ls_item(ls_sum(a, NULL, 0, false)) == 2.0f, "after an error", "the context is not usable");
}

static void indices(struct suite *s, ls_context *ls)
{
    ls_tensor table = ls_ones(ls, LS_FLOAT32, LS_SHAPE(10, 3));
    ls_tensor bad = ls_from_host(ls, LS_INT32, LS_SHAPE(4), (int32_t[]){1, 2, 12, 99});
    ls_tensor low = ls_from_host(ls, LS_INT32, LS_SHAPE(2), (int32_t[]){0, -1});
    float x[12];
    ls_read(ls_gather(table, bad, 0), x, sizeof x);
    suite_expect(s, ls, LS_OUT_OF_RANGE, "gather: index 12 at position 2 is outside [0, 10)", "gather out of range");
    ls_read(ls_gather(table, low, 0), x, 24);
    suite_expect(s, ls, LS_OUT_OF_RANGE, "index -1 at position 1", "gather below range");
    ls_scatter_add(table, low, ls_ones(ls, LS_FLOAT32, LS_SHAPE(2, 3)), 0);
    suite_check(s, ls_synchronize(ls) == LS_OUT_OF_RANGE, "scatter_add", "no error");
    suite_expect(s, ls, LS_OUT_OF_RANGE, "scatter_add: index -1 at position 1", "scatter_add out of range");
    ls_read(ls_sparse_softmax_cross_entropy(bad, ls_ones(ls, LS_FLOAT32, LS_SHAPE(4, 10))), x, 16);
    suite_expect(s, ls, LS_OUT_OF_RANGE, "label 12 at position 2 is outside [0, 10)", "a label out of range");
    ls_one_hot(low, 5);
    suite_check(s, ls_synchronize(ls) == LS_OUT_OF_RANGE, "one_hot", "no error");
    suite_expect(s, ls, LS_OUT_OF_RANGE, "one_hot: index -1 at position 1 is outside [0, 5)", "one_hot out of range");
    ls_read(ls_take_along_axis(ls_ones(ls, LS_FLOAT32, LS_SHAPE(2)), low, 0), x, 8);
    suite_check(s, strncmp(ls_error_message(ls), "take_along_axis: index -1 at position 1", 39) == 0, "take_along_axis",
                "%s", ls_error_message(ls));
    ls_clear_error(ls);
    ls_gather_nd(ls_ones(ls, LS_FLOAT32, LS_SHAPE(2, 3)), ls_reshape(low, LS_SHAPE(1, 2)));
    suite_check(s, ls_synchronize(ls) == LS_OUT_OF_RANGE, "gather_nd", "no error");
    suite_check(s, strncmp(ls_error_message(ls), "gather_nd: index -1 at position", 31) == 0, "gather_nd", "%s",
                ls_error_message(ls));
    ls_clear_error(ls);
    suite_check(s, ls_read(ls_gather(table, ls_arange(ls, 4), 0), x, sizeof x) == LS_OK, "after a fault", "%s",
                ls_error_message(ls));
}

static void body_reads(void *user, const ls_tensor *in, ls_tensor *out)
{
    (void)user;
    out[0] = ls_exp(in[0]);
    ls_item(out[0]);
}

static void tapes(struct suite *s, ls_context *ls)
{
    ls_tensor x = ls_fill(ls, LS_SCALAR_SHAPE, 2.0f), y, g;
    LS_TAPE(tape, ls) {
        ls_watch(tape, x);
        y = ls_square(x);
    }
    ls_gradient(tape, y, &x, 1, &g);
    suite_check(s, ls_item(g) == 4.0f, "gradient", "%g", (double)ls_item(g));
    suite_check(s, ls_gradient(tape, y, &x, 1, &g) == LS_TAPE_ERROR, "gradient", "a consumed tape was asked");
    suite_expect(s, ls, LS_TAPE_ERROR, "persistent", "a consumed tape");
    LS_TAPE(steps, ls) {
        ls_watch(steps, x);
        y = ls_mul(ls_floor(x), x);
    }
    suite_check(s, ls_gradient(steps, y, &x, 1, &g) == LS_NO_GRADIENT, "floor", "has a gradient");
    suite_expect(s, ls, LS_NO_GRADIENT, "floor has no gradient", "floor");
    ls_clear_error(ls);
    LS_TAPE(whole, ls) {
        ls_watch(whole, x);
        y = ls_mul(ls_cast(ls_greater(x, ls_scalar(ls, 0.0f)), LS_FLOAT32), ls_scalar(ls, 3.0f));
    }
    suite_check(s, ls_gradient(whole, y, &x, 1, &g) == LS_OK && ls_is_nil(g), "greater", "its way back does not end");
    suite_check(s, strstr(ls_gradient_reason(whole, x), "only reached through greater, which has no gradient"), "greater",
                "\"%s\"", ls_gradient_reason(whole, x));
    LS_TAPE(signs, ls) {
        ls_watch(signs, x);
        y = ls_sign(x);
    }
    suite_check(s, ls_gradient(signs, y, &x, 1, &g) == LS_OK && ls_item(g) == 0.0f, "sign", "its gradient is not 0");
    ls_tensor base = ls_fill(ls, LS_SHAPE(1), -1e20f), exponent = ls_fill(ls, LS_SHAPE(1), 2.0f);
    LS_TAPE(power, ls) {
        ls_watch(power, exponent);
        y = ls_pow(base, exponent);
    }
    ls_gradient(power, y, &exponent, 1, &g);
    suite_check(s, ls_item(g) == 0.0f, "pow", "of (-1e20, 2) has gradient %g to the exponent", (double)ls_item(g));
    ls_tape_destroy(&tape);
    ls_tape_destroy(&tape);
    ls_tape_destroy(&steps);
    suite_check(s, ls_gradient(NULL, y, &x, 1, &g) == LS_INVALID_ARGUMENT, "gradient", "of no tape");
    suite_expect(s, ls, LS_INVALID_ARGUMENT, "gradient: the tape is NULL", "gradient of no tape");
    suite_check(s, ls_assign(x, y) == LS_INVALID_ARGUMENT, "assign", "to a tensor");
    suite_expect(s, ls, LS_INVALID_ARGUMENT, "not a variable", "assign to a tensor");
    ls_tensor v = ls_variable(ls_ones(ls, LS_FLOAT32, LS_SHAPE(3)), "weights", true);
    ls_assign(v, ls_ones(ls, LS_FLOAT32, LS_SHAPE(4)));
    suite_expect(s, ls, LS_SHAPE_MISMATCH, "weights: shape (3,) cannot take (4,)", "assign of another shape");
    ls_update_sgd(v, (ls_tensor){0}, ls_ones(ls, LS_FLOAT32, LS_SHAPE(4)), x, 0.0f, false);
    suite_expect(s, ls, LS_SHAPE_MISMATCH, "update_sgd", "update of another shape");
    ls_update_sgd(x, (ls_tensor){0}, x, x, 0.0f, false);
    suite_expect(s, ls, LS_INVALID_ARGUMENT, "not a variable", "update of a tensor");
    ls_variable_destroy(&v);
    ls_function *f = ls_function_create(ls, body_reads, NULL, 1, 1);
    ls_function_call(f, &x, &y);
    suite_check(s, ls_error(ls) == LS_OK, "capture", "the first, eager call fails: %s", ls_error_message(ls));
    ls_function_call(f, &x, &y);
    suite_expect(s, ls, LS_CAPTURE_ERROR, "return it as an output", "reading in a captured function");
    ls_function_destroy(&f);
    suite_check(s, ls_scope_end(ls) == LS_OK && ls_scope_end(ls) == LS_INVALID_ARGUMENT, "scope_end", "too often");
    ls_clear_error(ls);
    ls_scope_begin(ls);
}

void suite_errors(struct suite *s, ls_context *ls)
{
    ls_scope_begin(ls);
    windows(s, ls);
    shapes(s, ls);
    sizes(s, ls);
    handles(s, ls);
    sticky(s, ls);
    indices(s, ls);
    tapes(s, ls);
    ls_scope_end(ls);
    suite_check(s, ls_get_stats(ls).live_tensors == 0, "errors", "%zu tensors are left", ls_get_stats(ls).live_tensors);
}
