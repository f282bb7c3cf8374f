/* SPDX-License-Identifier: Apache-2.0
 *
 * Vulkan where a tensor is larger than a binding may be, and where a shader's loops are longer than llvmpipe lets
 * them run. Each case is computed on Vulkan and on the reference, and compared by bits. Bindings of 64 KiB stand for
 * what a device has; the long loops are as long as they say, and run with the device's own bindings.
 * `test_vulkan_large NAME` runs one case.
 */
#include <stdlib.h>
#include <string.h>

#include "apart.h"
#include "backend.h"

#define SHAPE(...) LS_SHAPE(__VA_ARGS__)
#define FLOATS(...) ls_random_normal(ls, SHAPE(__VA_ARGS__), 0, 2)
#define NEAR_ONE(...) ls_random_uniform(ls, SHAPE(__VA_ARGS__), 0.999f, 1.001f) /* products stay normal numbers */
#define INTS(low, high, ...) ls_random_randint(ls, SHAPE(__VA_ARGS__), low, high)
#define TIES(...) ls_cast(INTS(-9, 9, __VA_ARGS__), LS_FLOAT32)
#define OVER(op, x, axis) op(x, (const int[]){axis}, 1, false)
#define AXES(...) (const int[]){__VA_ARGS__}
#define SIZES(...) (const int64_t[]){__VA_ARGS__}

/* VALUE(name, a tensor); GRADIENT(name, x, y of x): that of the sum of y times something. 16,384 floats are 64 KiB. */
#define LARGE_TENSORS(VALUE, GRADIENT)                                                             \
    VALUE(map_dense, ls_exp(ls_add(FLOATS(50001), FLOATS(50001))))                                 \
    VALUE(map_bytes, ls_cast(ls_greater(FLOATS(70001), FLOATS(70001)), LS_UINT8))                  \
    VALUE(map_rows_and_columns, ls_mul(ls_add(FLOATS(301, 203), FLOATS(203)), FLOATS(301, 1)))     \
    VALUE(map_small_rows, ls_sigmoid(ls_sub(FLOATS(20001, 3), FLOATS(3))))                         \
    VALUE(map_long_rows, ls_maximum(FLOATS(3, 20001), FLOATS(20001)))                              \
    VALUE(map_three, ls_where(ls_greater(FLOATS(41, 43, 1), FLOATS(1, 43, 47)), FLOATS(41, 1, 47), FLOATS(47))) \
    VALUE(cast_halves, ls_cast(ls_cast(FLOATS(40003), LS_FLOAT16), LS_FLOAT32))                    \
    VALUE(transpose, ls_transpose(FLOATS(211, 307), NULL))                                         \
    VALUE(transpose_bytes, ls_transpose(ls_cast(INTS(0, 255, 401, 303), LS_UINT8), NULL))          \
    VALUE(permute, ls_transpose(FLOATS(31, 37, 41), AXES(2, 0, 1)))                                \
    VALUE(flip, ls_flip(FLOATS(203, 301), AXES(0, 1), 2))                                          \
    VALUE(slice, ls_slice(FLOATS(203, 301), SIZES(1, 3), SIZES(100, 290), SIZES(2, 1)))            \
    VALUE(pad, ls_pad(FLOATS(203, 301), .before = SIZES(3, 5), .after = SIZES(1, 2)))                        \
    VALUE(concat, ls_concat((ls_tensor[]){FLOATS(99, 301), FLOATS(99, 203)}, 2, 1))                \
    VALUE(tile, ls_tile(FLOATS(71, 73), SIZES(3, 5)))                                              \
    VALUE(sum_of_all, ls_sum(FLOATS(200001), NULL, 0, false))                                      \
    VALUE(sum_of_rows, OVER(ls_sum, FLOATS(5, 20001), 1))                                          \
    VALUE(sum_of_columns, OVER(ls_sum, FLOATS(20001, 5), 0))                                       \
    VALUE(sum_of_many_columns, OVER(ls_sum, FLOATS(3100, 301), 0))                                 \
    VALUE(sum_of_wide_columns, OVER(ls_sum, FLOATS(5, 20001), 0))                                  \
    VALUE(sum_of_middle, OVER(ls_sum, FLOATS(7, 2100, 19), 1))                                     \
    VALUE(product_of_rows, OVER(ls_prod, NEAR_ONE(3, 30001), 1))                                   \
    VALUE(product_of_columns, OVER(ls_prod, NEAR_ONE(3000, 19), 0))                                \
    VALUE(max_of_rows, OVER(ls_max, FLOATS(3, 30001), 1))                                          \
    VALUE(min_of_columns, OVER(ls_min, FLOATS(2, 20001), 0))                                       \
    VALUE(argmax_of_rows, ls_argmax(TIES(3, 30001), 1))                                            \
    VALUE(argmax_of_columns, ls_argmax(FLOATS(5001, 19), 0))                                       \
    VALUE(argmin_of_columns, ls_argmin(TIES(5001, 19), 0))                                         \
    VALUE(argmax_of_wide_columns, ls_argmax(FLOATS(5, 20001), 0))                                  \
    VALUE(variance, OVER(ls_var, FLOATS(2001, 19), 0))                                             \
    VALUE(softmax, ls_softmax(FLOATS(7, 5001), 1))                                                 \
    VALUE(softmax_of_long_rows, ls_softmax(FLOATS(2, 20001), 1))                                   \
    VALUE(log_softmax, ls_log_softmax(FLOATS(301, 101), 1))                                        \
    GRADIENT(cross_entropy, FLOATS(301, 101), ls_sparse_softmax_cross_entropy(INTS(0, 101, 301), x)) \
    VALUE(cumsum, ls_cumsum(FLOATS(3, 30001), 1, false, false))                                    \
    VALUE(cumsum_back, ls_cumsum(FLOATS(3, 30001), 1, false, true))                                \
    VALUE(cumsum_before, ls_cumsum(FLOATS(20001, 5), 0, true, false))                              \
    VALUE(cumprod_back, ls_cumprod(NEAR_ONE(5, 20001), 0, true, true))                             \
    VALUE(recurrence, ls_linear_recurrence(NEAR_ONE(2, 9001, 3), FLOATS(2, 9001, 3), 1, true))     \
    VALUE(sort, ls_sort(TIES(9, 5001), 1, false))                                                  \
    VALUE(argsort, ls_argsort(FLOATS(30, 1001), 1, true))                                          \
    VALUE(gather_elements, ls_gather(FLOATS(50001), INTS(0, 50001, 20003), 0))                     \
    VALUE(gather_rows, ls_gather(FLOATS(701, 101), INTS(0, 701, 333), 0))                          \
    VALUE(gather_columns, ls_gather(FLOATS(301, 103), INTS(0, 103, 205), 1))                       \
    VALUE(gather_bytes, ls_gather(ls_cast(INTS(0, 255, 701, 203), LS_UINT8), INTS(0, 701, 601), 0)) \
    VALUE(one_hot, ls_one_hot(INTS(0, 101, 301), 101))                                             \
    VALUE(scatter_elements, ls_scatter_add(FLOATS(50001), INTS(0, 50001, 20003), FLOATS(20003), 0)) \
    VALUE(scatter_rows, ls_scatter_add(FLOATS(701, 101), INTS(0, 701, 333), FLOATS(333, 101), 0))  \
    VALUE(scatter_columns, ls_scatter_add(FLOATS(301, 103), INTS(0, 103, 205), FLOATS(301, 205), 1)) \
    VALUE(scatter_on_few, ls_scatter_add(FLOATS(3, 101), INTS(0, 3, 1333), FLOATS(1333, 101), 0))  \
    VALUE(product_nn, ls_matmul(FLOATS(190, 203), FLOATS(203, 187)))                               \
    VALUE(product_nt, ls_matmul(FLOATS(190, 203), FLOATS(187, 203), .transpose_b = true))          \
    VALUE(product_tn, ls_matmul(FLOATS(203, 190), FLOATS(203, 187), .transpose_a = true))          \
    VALUE(product_tt, ls_matmul(FLOATS(203, 190), FLOATS(187, 203), .transpose_a = true, .transpose_b = true)) \
    VALUE(product_of_long_columns, ls_matmul(FLOATS(40003, 3), FLOATS(40003, 5), .transpose_a = true)) \
    VALUE(product_of_long_rows, ls_matmul(FLOATS(3, 40003), FLOATS(5, 40003), .transpose_b = true)) \
    VALUE(product_of_longer_rows, ls_matmul(FLOATS(40, 70001), FLOATS(60, 70001), .transpose_b = true)) \
    VALUE(product_wide, ls_matmul(FLOATS(3, 5), FLOATS(5, 20001), .bias = FLOATS(20001), .activation = LS_RELU)) \
    VALUE(product_tall, ls_matmul(FLOATS(20001, 5), FLOATS(5, 3), .bias = FLOATS(3), .activation = LS_TANH)) \
    VALUE(products, ls_matmul(FLOATS(11, 61, 51), FLOATS(11, 51, 71)))                             \
    VALUE(products_shared, ls_matmul(FLOATS(11, 61, 51), FLOATS(51, 71)))                          \
    VALUE(convolution, ls_conv(FLOATS(13, 15, 17, 9), FLOATS(3, 3, 9, 11), .padding = LS_SAME))    \
    GRADIENT(convolution_input, FLOATS(13, 15, 17, 9), ls_conv(x, FLOATS(3, 3, 9, 11), .strides = {2, 1})) \
    GRADIENT(convolution_kernel, FLOATS(3, 3, 9, 11), ls_conv(FLOATS(41, 8, 9, 9), x))             \
    GRADIENT(max_pool, FLOATS(13, 15, 17, 9), ls_max_pool(x, .pool_size = {3, 2}, .strides = {2, 1})) \
    GRADIENT(average_pool, FLOATS(13, 15, 17, 9), ls_average_pool(x, .pool_size = {3, 2}, .padding = LS_SAME))

/* llvmpipe runs 65,535 rounds of all loops of a shader together. */
#define LONG_LOOPS(VALUE, GRADIENT)                                                                \
    VALUE(long_sum_of_columns, OVER(ls_sum, FLOATS(66001, 257), 0))                                \
    VALUE(long_max_of_columns, OVER(ls_max, FLOATS(66001, 257), 0))                                \
    VALUE(long_sum_of_few_columns, OVER(ls_sum, FLOATS(300001, 3), 0))                             \
    VALUE(long_argmax_of_columns, ls_argmax(FLOATS(300001, 3), 0))                                 \
    VALUE(long_argmin_of_columns, ls_argmin(TIES(2, 150001, 2), 1))                                \
    VALUE(long_argmax_of_rows, ls_argmax(FLOATS(1, 5000001), 1))                                   \
    VALUE(long_softmax, ls_softmax(FLOATS(2, 400001), 1))                                          \
    VALUE(long_product, ls_matmul(FLOATS(3, 100001), FLOATS(100001, 2)))                           \
    VALUE(long_cumsum, ls_cumsum(FLOATS(2, 300001), 1, false, true))                               \
    VALUE(long_sort, ls_sort(FLOATS(1, 300001), 1, false))                                         \
    VALUE(long_scatter, ls_scatter_add(FLOATS(7), INTS(0, 7, 300001), FLOATS(300001), 0))          \
    VALUE(long_norm, ls_norm(FLOATS(300001), LS_NORM_2, NULL, 0, false))                           \
    VALUE(long_max_pool, ls_max_pool(FLOATS(1, 301, 299, 2), .pool_size = {300, 297}, .strides = {1, 1})) \
    VALUE(long_average_pool, ls_average_pool(FLOATS(1, 301, 299, 2), .pool_size = {300, 297}, .strides = {1, 1})) \
    GRADIENT(long_padded_max_pool, FLOATS(1, 61, 2), ls_max_pool(x, .pool_size = {140001}, .strides = {1}, .padding = LS_SAME)) \
    GRADIENT(long_padded_average_pool, FLOATS(1, 23, 1), ls_average_pool(x, .pool_size = {126977}, .strides = {1}, .padding = LS_SAME))

extern const struct ls_backend ls_vulkan_backend, ls_reference_backend;

typedef ls_tensor compute_function(ls_context *ls, ls_tensor x);

static ls_tensor gradient(ls_context *ls, ls_tensor x, compute_function *f)
{
    ls_tensor g = {0};
    ls_tape *tape = ls_tape_begin(ls);
    ls_watch(tape, x);
    ls_tensor y = f(ls, x);
    ls_tensor sum = ls_sum(ls_mul(y, ls_random_normal(ls, ls_shape_of_tensor(y), 0, 1)), NULL, 0, false);
    ls_tape_end(tape);
    ls_gradient(tape, sum, &x, 1, &g);
    ls_tape_destroy(&tape);
    return g;
}

#define VALUE(name, value)                                                                         \
    static ls_tensor name(ls_context *ls, ls_tensor x)                                             \
    {                                                                                              \
        (void)x;                                                                                   \
        return value;                                                                              \
    }
#define GRADIENT(name, input, y)                                                                   \
    static ls_tensor name##_y(ls_context *ls, ls_tensor x) { (void)ls; return y; }                 \
    static ls_tensor name(ls_context *ls, ls_tensor x)                                             \
    {                                                                                              \
        (void)x;                                                                                   \
        return gradient(ls, input, name##_y);                                                      \
    }
LARGE_TENSORS(VALUE, GRADIENT)
LONG_LOOPS(VALUE, GRADIENT)
#undef VALUE
#undef GRADIENT

struct one_case {
    const char *name;
    compute_function *compute;
};
#define NAMED(name, ...) {#name, name},
static const struct one_case large_tensors[] = {LARGE_TENSORS(NAMED, NAMED){NULL, NULL}};
static const struct one_case long_loops[] = {LONG_LOOPS(NAMED, NAMED){NULL, NULL}};
#undef NAMED

static const char *only; /* the case that was asked for */

static void compare(ls_context *const *on, const struct one_case *one)
{
    unsigned char *data[2] = {NULL, NULL};
    size_t bytes = 0, different = 0;
    for (int k = 0; k < 2; k++) {
        ls_scope_begin(on[k]);
        ls_set_random_seed(on[k], 11);
        ls_tensor result = one->compute(on[k], (ls_tensor){0});
        bytes = ls_error(on[k]) == LS_OK ? (size_t)ls_size(result) * ls_dtype_size(ls_dtype_of(result)) : 0;
        data[k] = calloc(1, bytes + 1);
        if (bytes > 0)
            ls_read(result, data[k], bytes);
        CHECK(ls_error(on[k]) == LS_OK && bytes > 0, "%s on %s: %s", one->name, k ? "reference" : "vulkan",
              ls_error_message(on[k]));
        ls_clear_error(on[k]);
        ls_scope_end(on[k]);
    }
    for (size_t i = 0; i < bytes; i++)
        different += data[0][i] != data[1][i];
    CHECK(different == 0, "%s: %zu of %zu bytes differ", one->name, different, bytes);
    free(data[0]);
    free(data[1]);
}

static void compare_all(const struct one_case *cases)
{
    ls_context *on[2] = {ls_open("vulkan"), ls_open("reference")};
    for (; cases->name != NULL; cases++)
        if (only == NULL || strcmp(only, cases->name) == 0)
            compare(on, cases);
    CHECK(ls_close(&on[0]) == LS_OK && ls_close(&on[1]) == LS_OK, "close");
}

static void large(void)
{
    setenv("LOCKSTEP_VULKAN_TEST", "range=65536", 1);
    compare_all(large_tensors);
}

static void large_unfused(void)
{
    setenv("LOCKSTEP_VULKAN_TEST", "range=65532,staging,unfused,groups=7,rounds=20000", 1);
    compare_all(large_tensors);
}

static void loops(void) { compare_all(long_loops); }

/* ---- A map whose output is its input ---- */

/* Adds to two rows of bytes, in their place, a number each, `apart` from one another. */
static void add_in_place(const struct ls_backend *backend, int64_t columns, int64_t apart, unsigned char *bytes)
{
    struct ls_device *device = NULL;
    struct ls_buffer *x = NULL, *y = NULL;
    struct ls_message message = {""};
    int32_t *numbers = calloc((size_t)apart + 1, sizeof *numbers);
    size_t size = (size_t)columns * 2, numbers_size = ((size_t)apart + 1) * sizeof *numbers;
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)(i * 7 + i / 251);
    numbers[0] = 3;
    numbers[apart] = 101;
    ls_status status = backend->open(NULL, &device, &message);
    CHECK(status == LS_OK, "%s", message.text);
    if (status == LS_OK)
        status = backend->create(device, size, &x);
    if (status == LS_OK)
        status = backend->create(device, numbers_size, &y);
    if (status == LS_OK)
        status = backend->write(device, x, 0, bytes, size);
    if (status == LS_OK)
        status = backend->write(device, y, 0, numbers, numbers_size);
    struct ls_map_args args = {.rows = 1, .inputs = 2, .outputs = 1, .rank = 2, .n = (int64_t)size,
                               .extent = {2, columns},
                               .row = {{LS_ROW_int_add, {0, 1}}},
                               .input = {{x, LS_UINT8, {columns, 1}}, {y, LS_INT32, {apart, 0}}},
                               .output = {{x, LS_UINT8, LS_REGISTER_ROW}}};
    if (status == LS_OK)
        status = backend->map(device, &args);
    if (status == LS_OK)
        status = backend->read(device, x, 0, bytes, size);
    CHECK(status == LS_OK, "%s: %s", backend->name, device != NULL ? device->message.text : message.text);
    if (device != NULL) {
        backend->destroy(device, x);
        backend->destroy(device, y);
        backend->close(device);
    }
    free(numbers);
}

/* The first row ends within a word that begins the second one, which is still to be read. */
static void in_place(void)
{
    static const int64_t cases[][2] = {{15001, 1}, {15002, 1}, {3, 20000}, {1, 20000}};
    static unsigned char bytes[2][40000];
    setenv("LOCKSTEP_VULKAN_TEST", "range=65536", 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t different = 0;
        add_in_place(&ls_vulkan_backend, cases[i][0], cases[i][1], bytes[0]);
        add_in_place(&ls_reference_backend, cases[i][0], cases[i][1], bytes[1]);
        for (int64_t b = 0; b < 2 * cases[i][0]; b++)
            different += bytes[0][b] != bytes[1][b];
        CHECK(different == 0, "rows of %lld bytes: %lld differ", (long long)cases[i][0], (long long)different);
    }
}

/* What cannot be cut is an error that says what, how much, the limit and the way out; an index out of range is found
 * where it is, in whichever part. */
static void errors(void)
{
    setenv("LOCKSTEP_VULKAN_TEST", "range=65536", 1);
    ls_context *on[2] = {ls_open("vulkan"), ls_open("reference")};
    ls_context *ls = on[0];
    char buffer[4096];
    ls_read(ls_slice(ls_argsort(FLOATS(16385), 0, false), SIZES(0), SIZES(9), NULL), buffer, 36);
    CHECK_ERROR(ls, LS_UNAVAILABLE, "sort: 65540 bytes");
    ls_read(ls_slice(ls_argsort(FLOATS(16385), 0, false), SIZES(0), SIZES(9), NULL), buffer, 36);
    CHECK_ERROR(ls, LS_UNAVAILABLE, "at most 65536 (maxStorageBufferRange). Make them smaller, or");
    ls_read(ls_sum(ls_conv(FLOATS(1, 129, 129, 1), FLOATS(3, 3, 1, 1)), NULL, 0, false), buffer, 4);
    CHECK_ERROR(ls, LS_UNAVAILABLE, "conv: 66564 bytes");
    ls_read(ls_sum(FLOATS(50001), NULL, 0, false), buffer, 4);
    CHECK(ls_error(ls) == LS_OK, "afterwards: %s", ls_error_message(ls));
    static int32_t index[40000];
    static char message[2][512];
    index[30011] = 70003;
    index[35000] = -5;
    for (int form = 0; form < 3; form++) {
        for (int k = 0; k < 2; k++) {
            ls = on[k];
            ls_tensor at = ls_from_host(ls, LS_INT32, SHAPE(40000), index);
            ls_tensor x = form == 0   ? ls_gather(FLOATS(50001), at, 0)
                          : form == 1 ? ls_scatter_add(FLOATS(50001), at, FLOATS(40000), 0)
                                      : ls_sparse_softmax_cross_entropy(at, FLOATS(40000, 3));
            ls_read(ls_slice(x, SIZES(0), SIZES(9), NULL), buffer, 36);
            snprintf(message[k], sizeof message[k], "%s", ls_error_message(ls));
            CHECK(strstr(message[k], "70003") && strstr(message[k], "30011"), "%s", message[k]);
            ls_clear_error(ls);
        }
        CHECK(strcmp(message[0], message[1]) == 0, "\"%s\" is not \"%s\"", message[0], message[1]);
    }
    CHECK(ls_close(&on[0]) == LS_OK && ls_close(&on[1]) == LS_OK, "close");
}

int main(int argc, char **argv)
{
    only = argc > 1 ? argv[1] : NULL;
    if (!there_is("vulkan")) {
        printf("SKIPPED: there is no Vulkan device\n");
        return 77;
    }
    apart(large, "tensors larger than a binding");
    apart(large_unfused, "the same with staging, short dispatches and short loops");
    apart(loops, "long loops");
    if (only == NULL || strcmp(only, "in_place") == 0)
        apart(in_place, "maps in place");
    if (only == NULL)
        apart(errors, "errors");
    return end_of_checks();
}
