/* SPDX-License-Identifier: Apache-2.0
 *
 * What no golden of layers holds: the summary, trainable flags, noise, initializers, misuse.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "devices.h"

static ls_context *ls;

static void keep_line(void *user, const char *text)
{
    strcat(user, text);
    strcat(user, "\n");
}

static void test_summary(void)
{
    static const char expected[] = /* what Keras prints for the same model */
        "Model: \"cnn\"\n"
        "┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━┓\n"
        "┃ Layer (type)                    ┃ Output Shape           ┃       Param # ┃\n"
        "┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━┩\n"
        "│ conv2d (Conv2D)                 │ (None, 28, 28, 8)      │            80 │\n"
        "├─────────────────────────────────┼────────────────────────┼───────────────┤\n"
        "│ batch_normalization             │ (None, 28, 28, 8)      │            32 │\n"
        "│ (BatchNormalization)            │                        │               │\n"
        "├─────────────────────────────────┼────────────────────────┼───────────────┤\n"
        "│ max_pooling2d (MaxPooling2D)    │ (None, 14, 14, 8)      │             0 │\n"
        "├─────────────────────────────────┼────────────────────────┼───────────────┤\n"
        "│ flatten (Flatten)               │ (None, 1568)           │             0 │\n"
        "├─────────────────────────────────┼────────────────────────┼───────────────┤\n"
        "│ dropout (Dropout)               │ (None, 1568)           │             0 │\n"
        "├─────────────────────────────────┼────────────────────────┼───────────────┤\n"
        "│ dense (Dense)                   │ (None, 10)             │        15,690 │\n"
        "└─────────────────────────────────┴────────────────────────┴───────────────┘\n"
        " Total params: 15,802 (61.73 KB)\n"
        " Trainable params: 15,786 (61.66 KB)\n"
        " Non-trainable params: 16 (64.00 B)\n";
    static char text[8192];
    ls_model *model = ls_sequential(ls, "cnn", (ls_layer *[]){
        ls_conv2d(ls, 8, {3}, .padding = LS_SAME), ls_batch_normalization_layer(ls), ls_max_pooling2d(ls),
        ls_flatten(ls), ls_dropout_layer(ls, 0.5f), ls_dense(ls, 10), NULL});
    ls_build(model, LS_SHAPE(1, 28, 28, 1));
    CHECK(ls_summary_lines(model, keep_line, text) == LS_OK && strcmp(text, expected) == 0, "the summary:\n%s", text);
}

static void test_summary_of_branches(void)
{
    static const char expected[] = /* what Keras prints for the same model */
        "Model: \"branches\"\n"
        "┏━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━┓\n"
        "┃ Layer (type)        ┃ Output Shape      ┃    Param # ┃ Connected to      ┃\n"
        "┡━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━┩\n"
        "│ a (InputLayer)      │ (None, 5)         │          0 │ -                 │\n"
        "├─────────────────────┼───────────────────┼────────────┼───────────────────┤\n"
        "│ an_input_with_a_lo… │ (None, 5)         │          0 │ -                 │\n"
        "│ (InputLayer)        │                   │            │                   │\n"
        "├─────────────────────┼───────────────────┼────────────┼───────────────────┤\n"
        "│ shared (Dense)      │ (None, 4)         │         24 │ a[0][0],          │\n"
        "│                     │                   │            │ an_input_with_a_… │\n"
        "├─────────────────────┼───────────────────┼────────────┼───────────────────┤\n"
        "│ both (Concatenate)  │ (None, 13)        │          0 │ shared[0][0],     │\n"
        "│                     │                   │            │ shared[1][0],     │\n"
        "│                     │                   │            │ an_input_with_a_… │\n"
        "├─────────────────────┼───────────────────┼────────────┼───────────────────┤\n"
        "│ one (Dense)         │ (None, 1)         │         14 │ both[0][0]        │\n"
        "├─────────────────────┼───────────────────┼────────────┼───────────────────┤\n"
        "│ sum (Add)           │ (None, 5)         │          0 │ a[0][0], a[0][0], │\n"
        "│                     │                   │            │ an_input_with_a_… │\n"
        "├─────────────────────┼───────────────────┼────────────┼───────────────────┤\n"
        "│ two (Dense)         │ (None, 2)         │         28 │ both[0][0]        │\n"
        "└─────────────────────┴───────────────────┴────────────┴───────────────────┘\n"
        " Total params: 66 (264.00 B)\n"
        " Trainable params: 66 (264.00 B)\n"
        " Non-trainable params: 0 (0.00 B)\n";
    static char text[8192];
    ls_symbol *a = ls_input(ls, LS_SHAPE(5), .name = "a");
    ls_symbol *b = ls_input(ls, LS_SHAPE(5), .name = "an_input_with_a_long_name");
    ls_layer *shared = ls_dense(ls, 4, .name = "shared");
    ls_symbol *x = ls_apply(shared, a), *y = ls_apply(shared, b);
    ls_symbol *both = ls_apply(ls_merge_concatenate(ls, .name = "both"), x, y, b);
    ls_symbol *one = ls_apply(ls_dense(ls, 1, .name = "one"), both), *two = ls_apply(ls_dense(ls, 2, .name = "two"), both);
    ls_symbol *sum = ls_apply(ls_merge_add(ls, .name = "sum"), a, a, b);
    ls_model *model = ls_functional(ls, "branches", LS_SYMBOLS(a, b), LS_SYMBOLS(one, sum, two));
    CHECK(ls_summary_lines(model, keep_line, text) == LS_OK && strcmp(text, expected) == 0, "the summary:\n%s", text);
}

static void test_trainable(void)
{
    ls_layer *norm = ls_batch_normalization_layer(ls);
    ls_layer *dense = ls_dense(ls, 2, .kernel_regularizer = ls_l2(1));
    ls_model *model = ls_sequential(ls, NULL, (ls_layer *[]){norm, dense, NULL});
    ls_tensor x = ls_random_normal(ls, LS_SHAPE(8, 3), 5, 1);
    ls_call(model, x);
    ls_fingerprint_text before = ls_fingerprint_model(norm);
    ls_set_trainable(norm, false);
    ls_call(model, x, .training = true);
    CHECK(strcmp(before.text, ls_fingerprint_model(norm).text) == 0, "a frozen layer's statistics moved");
    CHECK(ls_trainable_variables(model).count == 2 && ls_all_variables(model).count == 6, "frozen variables");
    ls_set_trainable(model, false);
    CHECK(ls_trainable_variables(model).count == 0 && ls_losses(model, NULL, 0) == 0, "all frozen");
    ls_set_trainable(model, true);
    ls_call(model, x, .training = true);
    CHECK(strcmp(before.text, ls_fingerprint_model(norm).text) != 0, "the statistics stayed");
    CHECK(ls_trainable_variables(model).count == 4 && ls_losses(model, NULL, 0) == 1, "none frozen");
}

static void test_noise(void)
{
    float y[1000], sum = 0;
    int zeros = 0;
    ls_tensor x = ls_ones(ls, LS_FLOAT32, LS_SHAPE(10, 100));
    ls_read(ls_call(ls_dropout_layer(ls, 0.25f), x, .training = true), y, sizeof y);
    for (int i = 0; i < 1000; i++) {
        zeros += y[i] == 0;
        sum += y[i];
    }
    CHECK(zeros > 190 && zeros < 310 && fabsf(sum - 1000) < 90, "%d dropped, sum %g", zeros, (double)sum);
    ls_read(ls_call(ls_dropout_layer(ls, 1), x, .training = true), y, sizeof y);
    CHECK(y[0] == 0 && y[999] == 0, "rate 1 drops all");
    ls_read(ls_call(ls_gaussian_noise(ls, 0.5f), ls_call(ls_dropout_layer(ls, 0.5f), x)), y, sizeof y);
    CHECK(y[0] == 1 && y[999] == 1, "nothing is dropped or added without training");
    ls_tensor noisy = ls_sub(ls_call(ls_gaussian_noise(ls, 0.5f), x, .training = true), x);
    float deviation = ls_item(ls_std(noisy, NULL, 0, false));
    CHECK(deviation > 0.45f && deviation < 0.55f, "deviation %g", (double)deviation);
}

/* Mean and deviation of a big weight against those of the distribution. */
static void check_moments(const char *name, ls_initializer initializer, ls_shape shape, double mean, double deviation)
{
    ls_tensor w = initializer.make(&initializer, ls, shape);
    double m = (double)ls_item(ls_mean(w, NULL, 0, false)), d = (double)ls_item(ls_std(w, NULL, 0, false));
    double error = 5 * deviation / sqrt((double)ls_size(w));
    CHECK(fabs(m - mean) <= error && fabs(d - deviation) <= error, "%s: mean %g (%g), deviation %g (%g)", name, m, mean, d,
          deviation);
}

static void test_initializers(void)
{
    ls_shape shape = LS_SHAPE(3, 3, 20, 40); /* fans 180 and 360 */
    check_moments("glorot_uniform", ls_glorot_uniform(), shape, 0, sqrt(2.0 / 540));
    check_moments("glorot_normal", ls_glorot_normal(), shape, 0, sqrt(2.0 / 540));
    check_moments("he_uniform", ls_he_uniform(), shape, 0, sqrt(2.0 / 180));
    check_moments("he_normal", ls_he_normal(), shape, 0, sqrt(2.0 / 180));
    check_moments("lecun_uniform", ls_lecun_uniform(), shape, 0, sqrt(1.0 / 180));
    check_moments("lecun_normal", ls_lecun_normal(), shape, 0, sqrt(1.0 / 180));
    check_moments("fan_out", ls_variance_scaling(3, LS_FAN_OUT, LS_UNTRUNCATED_NORMAL), shape, 0, sqrt(3.0 / 360));
    check_moments("random_uniform", ls_random_uniform_initializer(1, 3), shape, 2, sqrt(1.0 / 3));
    check_moments("random_normal", ls_random_normal_initializer(1, 3), shape, 1, 3);
    check_moments("truncated_normal", ls_truncated_normal_initializer(0, 1), shape, 0, 0.87962566103423978);
    check_moments("ones", ls_ones_initializer(), shape, 1, 0);
    check_moments("zeros", ls_zeros_initializer(), shape, 0, 0);
    for (int wide = 0; wide < 2; wide++) {
        ls_initializer orthogonal = ls_orthogonal(2);
        ls_tensor w = orthogonal.make(&orthogonal, ls, wide ? LS_SHAPE(2, 3, 11) : LS_SHAPE(2, 6, 5));
        w = ls_reshape(w, wide ? LS_SHAPE(6, 11) : LS_SHAPE(12, 5));
        ls_tensor product = ls_matmul(w, w, .transpose_a = !wide, .transpose_b = wide);
        int64_t n = wide ? 6 : 5;
        ls_tensor off = ls_abs(ls_sub(product, ls_mul(ls_eye(ls, n, n), ls_scalar(ls, 4))));
        CHECK(ls_item(ls_max(off, NULL, 0, false)) < 4e-6f, "orthogonal: off by %g", (double)ls_item(ls_max(off, NULL, 0, false)));
    }
    ls_initializer identity = ls_identity_initializer(3), orthogonal = ls_orthogonal(1);
    CHECK(ls_item(ls_sum(identity.make(&identity, ls, LS_SHAPE(3, 5)), NULL, 0, false)) == 9, "identity");
    orthogonal.make(&orthogonal, ls, LS_SHAPE(4));
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "orthogonal");
}

/* (batch, n) beside (batch, m, n) is (batch, 1, n), as in Keras. */
static void test_merging_of_ranks(void)
{
    float a[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, b[] = {100, 200, 300, 400};
    const float sums[] = {101, 202, 103, 204, 105, 206, 307, 408, 309, 410, 311, 412};
    ls_tensor xs[] = {ls_from_host(ls, LS_FLOAT32, LS_SHAPE(2, 3, 2), a), ls_from_host(ls, LS_FLOAT32, LS_SHAPE(2, 2), b)};
    float got[12] = {0};
    for (int turn = 0; turn < 2; turn++) {
        ls_tensor y = ls_call(ls_merge_add(ls), .inputs = (ls_tensor[]){xs[turn], xs[1 - turn]}, .input_count = 2);
        CHECK(ls_read(y, got, sizeof got) == LS_OK && memcmp(got, sums, sizeof got) == 0, "%g: %s", (double)got[0],
              ls_error_message(ls));
    }
    ls_clear_error(ls);
}

static void test_misuse(void)
{
    ls_tensor x = ls_ones(ls, LS_FLOAT32, LS_SHAPE(2, 5, 5));
    ls_call(ls_conv2d(ls, 2, {3}), x);
    CHECK_ERROR(ls, LS_SHAPE_MISMATCH, "ls_reshape_layer");
    CHECK(!ls_conv2d(ls, 2), "no size");
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "kernel_size");
    CHECK(!ls_dropout_layer(ls, 1.5f), "rate 1.5");
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "1.5");
    ls_call(ls_embedding(ls, 3, 2), x);
    CHECK_ERROR(ls, LS_DTYPE_MISMATCH, "int32");
    ls_call(ls_merge_add(ls), x);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "at least 2");
    ls_call(ls_dense(ls, 2), .inputs = (ls_tensor[]){x, x}, .input_count = 2);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "takes one");
    CHECK(!ls_dense(ls, 2, .activation = LS_LAYER_ACTIVATION_COUNT), "no activation");
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "activation");
    ls_symbol *a = ls_input(ls, LS_SHAPE(3)), *b = ls_input(ls, LS_SHAPE(4), .name = "other");
    CHECK(!ls_apply(ls_merge_add(ls), a, b), "shapes do not fit");
    CHECK_ERROR(ls, LS_SHAPE_MISMATCH, "(0, 3)");
    ls_symbol *y = ls_apply(ls_merge_concatenate(ls), a, b);
    CHECK(ls_symbol_shape(y).dim[1] == 7, "the shape of a symbol");
    CHECK(!ls_functional(ls, NULL, LS_SYMBOLS(a), LS_SYMBOLS(y)), "an input is missing");
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "other");
    CHECK(!ls_symbol_output(y, 1), "one output");
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "has 1 outputs");
    ls_add_loss(ls_flatten(ls), x);
    CHECK_ERROR(ls, LS_SHAPE_MISMATCH, "rank 0");
}

int main(int argc, char **argv)
{
    struct device_kind kind = device_kind_of(argc > 1 ? argv[1] : "reference");
    ls = ls_open(kind.words);
    if (ls_error(ls) == LS_NOT_FOUND || ls_error(ls) == LS_UNAVAILABLE)
        device_absent(&kind, ls_error_message(ls));
    test_summary();
    test_summary_of_branches();
    test_trainable();
    test_noise();
    test_initializers();
    test_merging_of_ranks();
    test_misuse();
    CHECK(ls_close(&ls) == LS_OK, "close");
    return end_of_checks();
}
