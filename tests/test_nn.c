/* SPDX-License-Identifier: Apache-2.0
 *
 * Layers, losses, metrics and optimizers: names, numbers worked out here in double, and misuse.
 */
#include <math.h>
#include <string.h>

#include "check.h"

static ls_context *ls;
static char log_text[2048];
static int log_count;

static void keep_log(void *user, ls_log_level level, const char *message)
{
    (void)user;
    (void)level;
    snprintf(log_text, sizeof log_text, "%s", message);
    log_count++;
}

static ls_tensor vector(int64_t n, const float *values) { return ls_from_host(ls, LS_FLOAT32, LS_SHAPE(n), values); }

static float first_of(ls_tensor a)
{
    float values[64] = {NAN};
    ls_read(a, values, (size_t)ls_size(a) * sizeof *values);
    return values[0];
}

/* ---- Layers ---- */

static void check_names(ls_model *model, size_t count, const char *const *names)
{
    ls_variables variables = ls_all_variables(model);
    CHECK(variables.count == count, "%zu variables", variables.count);
    for (size_t i = 0; i < count && i < variables.count; i++)
        CHECK(strcmp(ls_name(variables.items[i]), names[i]) == 0, "%s, not %s", ls_name(variables.items[i]), names[i]);
}

/* A layer of one's own: x * scale, scale a weight of the last dimension's size that does not train. */
static void scale_build(ls_layer *layer, void *state, ls_shape input)
{
    *(ls_tensor *)state =
        ls_add_weight(layer, "scale", LS_SHAPE(input.dim[input.rank - 1]), ls_constant_initializer(2), false);
}

static ls_tensor scale_call(ls_layer *layer, void *state, ls_tensor x, bool training)
{
    (void)layer;
    return training ? x : ls_mul(x, *(ls_tensor *)state);
}

static const ls_layer_kind scale = {
    .name = "scale", .state_size = sizeof(ls_tensor), .build = scale_build, .call = scale_call};

static ls_model *make_model(const char *name)
{
    return ls_sequential(ls, name, (ls_layer *[]){
        ls_rescaling(ls, 1.0f / 255),
        ls_flatten(ls),
        ls_dense(ls, 5, .activation = LS_RELU),
        ls_dense(ls, 4, .name = "middle", .no_bias = true),
        ls_dense(ls, 3),
        NULL});
}

static void test_names(void)
{
    ls_model *model = make_model("mlp");
    CHECK(ls_trainable_variables(model).count == 0, "variables before the first call");
    ls_build(model, LS_SHAPE(7, 2, 3));
    check_names(model, 5, (const char *const[]){"mlp/dense/kernel", "mlp/dense/bias", "mlp/middle/kernel",
                                                "mlp/dense_1/kernel", "mlp/dense_1/bias"});
    ls_tensor y = ls_call(model, ls_zeros(ls, LS_UINT8, LS_SHAPE(4, 2, 3)));
    CHECK(ls_shape_of_tensor(y).rank == 2 && ls_size(y) == 12, "the result's shape");

    ls_tensor state = {0};
    ls_model *outer = ls_sequential(ls, NULL, (ls_layer *[]){
        ls_sequential(ls, NULL, (ls_layer *[]){ls_dense(ls, 2), NULL}),
        ls_layer_create(ls, &scale, &state, NULL), ls_dense(ls, 2), NULL});
    ls_tensor plain = ls_call(outer, ls_ones(ls, LS_FLOAT32, LS_SHAPE(1, 3)));
    check_names(outer, 5,
                (const char *const[]){"sequential/sequential/dense/kernel", "sequential/sequential/dense/bias",
                                      "sequential/scale/scale", "sequential/dense/kernel", "sequential/dense/bias"});
    CHECK(ls_trainable_variables(outer).count == 4, "the scale does not train");
    ls_tensor trained = ls_call(outer, ls_ones(ls, LS_FLOAT32, LS_SHAPE(1, 3)), .training = true);
    CHECK(first_of(plain) == 2 * first_of(trained), "training is passed on: %g, %g", (double)first_of(plain),
          (double)first_of(trained));

    ls_layer_destroy(&model);
    ls_layer_destroy(&outer);
    CHECK(!model && ls_error(ls) == LS_OK, "%s", ls_error_message(ls));
}

static void test_dense(void)
{
    ls_set_random_seed(ls, 3);
    ls_model *built = make_model("mlp"), *called = make_model("mlp");
    ls_build(built, LS_SHAPE(1, 2, 3));
    ls_set_random_seed(ls, 3);
    ls_call(called, ls_zeros(ls, LS_UINT8, LS_SHAPE(4, 2, 3)));
    ls_fingerprint_text one = ls_fingerprint_model(built), two = ls_fingerprint_model(called);
    CHECK(strcmp(one.text, two.text) == 0, "built %s, called %s", one.text, two.text);
    ls_set_random_seed(ls, 3);
    float limit = (float)sqrt(6.0 / (6 + 5));
    ls_tensor drawn = ls_random_uniform(ls, LS_SHAPE(6, 5), -limit, limit);
    ls_fingerprint_text kernel = ls_fingerprint(ls_trainable_variables(built).items, 1);
    ls_fingerprint_text same = ls_fingerprint(&drawn, 1);
    CHECK(strcmp(kernel.text, same.text) == 0, "glorot uniform is the uniform of its limit");

    ls_layer *layer = ls_dense(ls, 2, .kernel_initializer = ls_constant_initializer(0.5f),
                               .bias_initializer = ls_constant_initializer(-4), .activation = LS_RELU);
    float x[6] = {1, 2, 3, 4, 5, 6}, y[4];
    ls_tensor in = ls_from_host(ls, LS_FLOAT32, LS_SHAPE(1, 2, 3), x), out = ls_call(layer, in);
    CHECK(ls_shape_of_tensor(out).rank == 3, "(1, 2, 3) to (1, 2, 2)");
    ls_read(out, y, sizeof y);
    CHECK(y[0] == 0 && y[1] == 0 && y[2] == 3.5f && y[3] == 3.5f, "%g %g", (double)y[0], (double)y[2]);
    ls_call(layer, ls_zeros(ls, LS_FLOAT32, LS_SHAPE(2, 4)));
    CHECK_ERROR(ls, LS_SHAPE_MISMATCH, "(2, 4)");
    ls_call(layer, ls_zeros(ls, LS_UINT8, LS_SHAPE(2, 3)));
    CHECK_ERROR(ls, LS_DTYPE_MISMATCH, "uint8");
    ls_call(ls_dense(ls, 2), ls_zeros(ls, LS_FLOAT32, LS_SHAPE(2)));
    CHECK_ERROR(ls, LS_SHAPE_MISMATCH, "ls_flatten");
    CHECK(!ls_dense(ls, 0), "no units");
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "units is 0");
    ls_release(&in);
    CHECK(ls_is_nil(ls_call(NULL, out)) && ls_is_nil(ls_call(layer, in)) && ls_error(ls) == LS_OK, "nil in, nil out");
    ls_tensor stale = ls_scalar(ls, 1), handle = stale;
    ls_release(&stale);
    ls_call(layer, handle);
    CHECK_ERROR(ls, LS_STALE_HANDLE, "released");
    ls_context *other = ls_open("reference");
    ls_call(layer, ls_ones(other, LS_FLOAT32, LS_SHAPE(1, 3)));
    CHECK_ERROR(ls, LS_FOREIGN_HANDLE, "another context");
    ls_close(&other);
}

/* ---- Losses and metrics ---- */

static void test_losses(void)
{
    float z[6] = {1, 2, 3, 0, 0, 5}, p[6];
    int32_t labels[2] = {0, 2};
    ls_tensor logits = ls_from_host(ls, LS_FLOAT32, LS_SHAPE(2, 3), z);
    ls_tensor y = ls_from_host(ls, LS_INT32, LS_SHAPE(2), labels);
    double expected = (log(exp(1) + exp(2) + exp(3)) - 1 + log(1 + 1 + exp(5)) - 5) / 2;
    float loss = ls_item(ls_sparse_categorical_crossentropy(y, logits, .from_logits = true));
    CHECK(fabs((double)loss - expected) < 1e-6, "%.8f, not %.8f", (double)loss, expected);
    ls_tensor probabilities = ls_softmax(logits, -1);
    ls_read(probabilities, p, sizeof p);
    float from_p = ls_item(ls_sparse_categorical_crossentropy(y, probabilities));
    CHECK(fabs((double)from_p - expected) < 1e-6, "%.8f, not %.8f", (double)from_p, expected);
    float certain[3] = {0, 1, 0};
    ls_tensor zero = ls_from_host(ls, LS_INT32, LS_SHAPE(1), labels);
    ls_tensor sure = ls_from_host(ls, LS_FLOAT32, LS_SHAPE(1, 3), certain);
    float clipped = ls_item(ls_sparse_categorical_crossentropy(zero, sure));
    CHECK(fabs((double)clipped - 16.118095) < 1e-4, "probability 0 costs %.6f", (double)clipped);

    ls_tensor column = ls_cast(ls_reshape(y, LS_SHAPE(2, 1)), LS_UINT8);
    float again = ls_item(ls_sparse_categorical_crossentropy(column, logits, .from_logits = true));
    CHECK(again == loss, "uint8 labels (2, 1)");
    ls_sparse_categorical_crossentropy(ls_cast(ls_one_hot(y, 3), LS_INT32), logits, .from_logits = true);
    CHECK_ERROR(ls, LS_SHAPE_MISMATCH, "one-hot");
    ls_sparse_categorical_crossentropy(ls_zeros(ls, LS_INT32, LS_SHAPE(3)), logits, .from_logits = true);
    CHECK_ERROR(ls, LS_SHAPE_MISMATCH, "(3,)");
    ls_sparse_categorical_crossentropy(ls_zeros(ls, LS_FLOAT32, LS_SHAPE(2)), logits, .from_logits = true);
    CHECK_ERROR(ls, LS_DTYPE_MISMATCH, "labels are float32");
    ls_tensor wrong = ls_add(y, ls_int_scalar(ls, 1));
    ls_item(ls_sparse_categorical_crossentropy(wrong, logits, .from_logits = true));
    CHECK_ERROR(ls, LS_OUT_OF_RANGE, "3");
}

static void test_metrics(void)
{
    ls_metric *mean = ls_mean_metric(ls, "m"), *accuracy = ls_sparse_categorical_accuracy(ls, NULL);
    CHECK(strcmp(ls_metric_name(accuracy), "sparse_categorical_accuracy") == 0, "%s", ls_metric_name(accuracy));
    CHECK(ls_result(mean) == 0, "of nothing");
    ls_update_state(mean, ls_scalar(ls, 1));
    ls_update_state(mean, vector(3, (float[]){2, 3, 6}));
    CHECK(ls_result(mean) == 3, "%g", (double)ls_result(mean));
    ls_reset_states(mean, accuracy);
    ls_update_state(mean, ls_scalar(ls, 1), ls_scalar(ls, 128));
    ls_update_state(mean, ls_scalar(ls, 4), ls_scalar(ls, 64));
    CHECK(ls_result(mean) == 2, "weights: %g", (double)ls_result(mean));
    ls_reset_states(mean);
    /* Keras: (2, 2) values with weights (2) count as the rows' means, 2 and 5. */
    ls_tensor table = ls_reshape(vector(4, (float[]){1, 3, 4, 6}), LS_SHAPE(2, 2));
    ls_update_state(mean, table, vector(2, (float[]){3, 1}));
    CHECK(ls_result(mean) == 2.75f, "weighted rows: %g", (double)ls_result(mean));

    ls_tensor logits = ls_reshape(vector(6, (float[]){0, 1, 5, 2, 2, 1}), LS_SHAPE(3, 2));
    ls_tensor y = ls_from_host(ls, LS_INT32, LS_SHAPE(3), (int32_t[]){1, 1, 0});
    ls_update_state(accuracy, y, logits);
    CHECK(ls_result(accuracy) == 2.0f / 3, "%g", (double)ls_result(accuracy));
    ls_update_state(accuracy, y, logits, vector(3, (float[]){0, 5, 0}));
    CHECK(ls_result(accuracy) == 0.25f, "%g", (double)ls_result(accuracy));
    ls_update_state(accuracy, y);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "(y_true, y_pred)");
    ls_metric_destroy(&mean);
    ls_metric_destroy(&accuracy);
    CHECK(isnan(ls_result(NULL)) && ls_update_state(mean, y) != LS_OK && ls_error(ls) == LS_OK, "NULL metrics");
}

/* ---- Optimizers ---- */

/* Three steps with gradients 0.5, -0.25 and 1 on a weight that begins at 1. */
static double after_three(ls_optimizer *optimizer)
{
    static const float steps[] = {0.5f, -0.25f, 1};
    ls_tensor w = ls_variable(ls_ones(ls, LS_FLOAT32, LS_SHAPE(2)), "w", true);
    for (int i = 0; i < 3; i++) {
        ls_tensor g = ls_fill(ls, LS_SHAPE(2), steps[i]);
        ls_apply_gradients(optimizer, (ls_gradients){&g, &w, 1, ls});
    }
    double result = (double)first_of(w);
    ls_variable_destroy(&w);
    return result;
}

static double adam_in_double(double rate, double b1, double b2, double epsilon)
{
    static const double g[] = {0.5, -0.25, 1};
    double w = 1, m = 0, v = 0;
    for (int t = 1; t <= 3; t++) {
        m += (g[t - 1] - m) * (1 - b1);
        v += (g[t - 1] * g[t - 1] - v) * (1 - b2);
        w -= rate * sqrt(1 - pow(b2, t)) / (1 - pow(b1, t)) * m / (sqrt(v) + epsilon);
    }
    return w;
}

static double sgd_in_double(double rate, double momentum, bool nesterov)
{
    static const double g[] = {0.5, -0.25, 1};
    double w = 1, m = 0;
    for (int t = 0; t < 3; t++) {
        m = momentum * m - rate * g[t];
        w += nesterov ? momentum * m - rate * g[t] : m;
    }
    return w;
}

#define CLOSE(value, expected)                                                                     \
    do {                                                                                           \
        double v_ = (value), e_ = (expected);                                                      \
        CHECK(fabs(v_ - e_) < 1e-6, "%.9f, not %.9f", v_, e_);                                     \
    } while (0)

static void test_rules(void)
{
    CLOSE(after_three(ls_sgd(ls)), sgd_in_double(0.01, 0, false));
    CLOSE(after_three(ls_sgd(ls, 0.1f, .momentum = 0.9f)), sgd_in_double(0.1, 0.9, false));
    CLOSE(after_three(ls_sgd(ls, 0.1f, .momentum = 0.9f, .nesterov = true)), sgd_in_double(0.1, 0.9, true));
    CLOSE(after_three(ls_adam(ls)), adam_in_double(0.001, 0.9, 0.999, 1e-7));
    CLOSE(after_three(ls_adam(ls, 0.01f, .beta_1 = LS_ZERO, .beta_2 = 0.9f, .epsilon = 0.1f)),
          adam_in_double(0.01, 0, 0.9, 0.1));
    ls_optimizer *adam = ls_adam(ls, .learning_rate = LS_ZERO);
    CHECK(after_three(adam) == 1 && ls_learning_rate(adam) == 0, "a learning rate of 0");
    ls_set_learning_rate(adam, 0.25f);
    CHECK(ls_learning_rate(adam) == 0.25f, "%g", (double)ls_learning_rate(adam));
    int32_t steps = 0;
    ls_read(ls_iterations(adam), &steps, sizeof steps);
    CHECK(steps == 3 && strcmp(ls_name(ls_iterations(adam)), "adam/iteration") == 0, "%d steps", (int)steps);
    ls_set_learning_rate(adam, NAN);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "learning rate");
    CHECK(!ls_adam(ls, .beta_2 = 1), "beta_2 of 1");
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "beta_2 is 1");
    CHECK(!ls_sgd(ls, .momentum = -0.5f), "negative momentum");
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "momentum is -0.5");
    ls_optimizer_destroy(&adam);
}

static void test_missing_gradients(void)
{
    ls_model *model = make_model("mlp");
    ls_optimizer *sgd = ls_sgd(ls);
    ls_tensor x = ls_ones(ls, LS_UINT8, LS_SHAPE(4, 2, 3)), loss;
    ls_build(model, LS_SHAPE(4, 2, 3));
    ls_set_log(ls, LS_LOG_WARNING, keep_log, NULL);
    for (int i = 0; i < 2; i++) {
        ls_variables variables = ls_trainable_variables(model);
        LS_TAPE(tape, ls)
            loss = ls_mean(ls_square(variables.items[2]), NULL, 0, false);
        ls_gradients gradients = ls_gradients_of(tape, loss, variables);
        CHECK(gradients.count == 5 && ls_is_nil(gradients.items[0]) && !ls_is_nil(gradients.items[2]), "what is nil");
        CHECK(ls_apply_gradients(sgd, gradients) == LS_OK, "%s", ls_error_message(ls));
    }
    CHECK(log_count == 1 && strstr(log_text, "[mlp/dense/kernel, mlp/dense/bias, mlp/dense_1/kernel, "), "%d: %s",
          log_count, log_text);
    ls_tensor nothing[5] = {{0}};
    ls_apply_gradients(sgd, (ls_gradients){nothing, ls_trainable_variables(model).items, 5, ls});
    ls_set_log(ls, LS_LOG_WARNING, NULL, NULL);
    CHECK_ERROR(ls, LS_NO_GRADIENT, "No gradients provided for any variable");

    LS_TAPE(tape, ls)
        loss = ls_mean(ls_call(model, x), NULL, 0, false);
    ls_variables by_hand = {ls_trainable_variables(model).items, 5, NULL};
    CHECK(ls_gradients_of(tape, loss, by_hand).count == 0, "a list made by hand");
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "ls_gradient");

    /* Two lists of one scope are two lists; the next scope may use them again. */
    ls_tensor *seen = NULL;
    for (int i = 0; i < 3; i++)
        LS_SCOPE(ls) {
            LS_TAPE(one, ls)
                loss = ls_mean(ls_call(model, x), NULL, 0, false);
            ls_gradients first = ls_gradients_of(one, loss, ls_trainable_variables(model));
            LS_TAPE(two, ls)
                loss = ls_mean(ls_call(model, x), NULL, 0, false);
            ls_gradients second = ls_gradients_of(two, loss, ls_trainable_variables(model));
            CHECK(first.items != second.items && first.count == 5 && second.count == 5, "two lists");
            CHECK(!seen || seen == first.items || seen == second.items, "no list is used again");
            seen = first.items;
        }
    CHECK(ls_error(ls) == LS_OK, "%s", ls_error_message(ls));
}

/* ---- A few steps of training, eager and captured ---- */

struct small {
    ls_model *model;
    ls_optimizer *optimizer;
    ls_metric *accuracy;
};

static void small_step(void *user, const ls_tensor *inputs, ls_tensor *outputs)
{
    struct small *s = user;
    ls_tensor logits;
    LS_TAPE(tape, ls) {
        logits = ls_call(s->model, inputs[0], .training = true);
        outputs[0] = ls_sparse_categorical_crossentropy(inputs[1], logits, .from_logits = true);
    }
    ls_apply_gradients(s->optimizer, ls_gradients_of(tape, outputs[0], ls_trainable_variables(s->model)));
    ls_update_state(s->accuracy, inputs[1], logits);
}

static ls_fingerprint_text train_small(bool captured, float *accuracy)
{
    ls_fingerprint_text weights;
    LS_SCOPE(ls) {
        ls_set_random_seed(ls, 11);
        struct small s = {make_model("small"), ls_adam(ls, 0.05f), ls_sparse_categorical_accuracy(ls, "accuracy")};
        ls_function *step = captured ? ls_function_create(ls, small_step, &s, 2, 1) : NULL;
        ls_tensor x = ls_floor(ls_random_uniform(ls, LS_SHAPE(64, 2, 3), 0, 256));
        ls_tensor y = ls_argmax(ls_slice(x, (int64_t[]){0, 0, 0}, (int64_t[]){64, 1, 3}, NULL), -1);
        x = ls_cast(ls_cast(x, LS_INT32), LS_UINT8);
        ls_dataset *data = ls_dataset_from_tensors(x, ls_reshape(y, LS_SHAPE(64)));
        data = ls_dataset_batch(ls_dataset_shuffle(data, .seed = 1), 16);
        for (int epoch = 0; epoch < 20; epoch++) {
            ls_reset_states(s.accuracy);
            LS_FOR_BATCHES(batch, data) {
                ls_tensor inputs[] = {batch.x, batch.y}, loss = {0};
                if (step)
                    ls_function_call(step, inputs, &loss);
                else
                    small_step(&s, inputs, &loss);
            }
        }
        *accuracy = ls_result(s.accuracy);
        weights = ls_fingerprint_model(s.model);
        ls_function_destroy(&step);
        ls_layer_destroy(&s.model);
        ls_optimizer_destroy(&s.optimizer);
        ls_metric_destroy(&s.accuracy);
        ls_dataset_destroy(&data);
    }
    return weights;
}

static void test_training(void)
{
    float eager = 0, captured = 0;
    ls_fingerprint_text one = train_small(false, &eager), two = train_small(true, &captured);
    CHECK(strcmp(one.text, two.text) == 0 && eager == captured, "eager %s, captured %s", one.text, two.text);
    CHECK(eager > 0.9f, "accuracy %g", (double)eager);
    CHECK(ls_error(ls) == LS_OK, "%s", ls_error_message(ls));
}

/* NULL in place of options: an error that names what was called, and nothing else. */
#define MADE(X) \
    X(dense) X(rescaling) X(flatten) X(reshape_layer) X(permute) X(activation_layer) X(relu_layer) \
    X(leaky_relu_layer) X(prelu_layer) X(softmax_layer) X(dropout_layer) X(gaussian_noise) \
    X(batch_normalization_layer) X(layer_normalization_layer) X(normalization) X(embedding) \
    X(lambda) X(conv1d) X(conv2d) X(conv2d_transpose) X(depthwise_conv2d) X(max_pooling1d) \
    X(max_pooling2d) X(average_pooling1d) X(average_pooling2d) X(global_max_pooling1d) \
    X(global_max_pooling2d) X(global_average_pooling1d) X(global_average_pooling2d) \
    X(zero_padding2d) X(up_sampling2d) X(loss_metric) X(binary_accuracy) \
    X(top_k_categorical_accuracy) X(sparse_top_k_categorical_accuracy) X(precision) X(recall) X(auc) \
    X(input) X(merge_add) X(merge_subtract) X(merge_multiply) X(merge_average) X(merge_maximum) \
    X(merge_minimum) X(merge_concatenate) X(merge_dot) X(sgd) X(adam) X(adamw) X(rmsprop) X(adagrad) \
    X(dataset_from_files) X(dataset_from_csv) X(dataset_from_generator) X(dataset_shuffle) X(dataset_batch) \
    X(dataset_map) X(lambda_callback) X(early_stopping) X(reduce_lr_on_plateau) X(model_checkpoint) \
    X(backup_and_restore) X(learning_rate_scheduler) X(terminate_on_nan) X(csv_logger) X(tensorboard) \
    X(progress_create) X(event_writer_open)
#define DONE(X) \
    X(compile) X(fit) X(evaluate) X(predict) X(train_on_batch) X(test_on_batch) X(predict_on_batch) X(save_weights) \
    X(load_weights) X(save_safetensors)
#define COMPUTED(X) \
    X(call) X(sparse_categorical_crossentropy) X(categorical_crossentropy) X(binary_crossentropy) \
    X(kl_divergence) X(hinge) X(squared_hinge) X(categorical_hinge) X(mean_squared_error) \
    X(mean_absolute_error) X(mean_absolute_percentage_error) X(mean_squared_logarithmic_error) \
    X(huber) X(log_cosh) X(poisson) X(cosine_similarity)

static void test_null_options(void)
{
#define X(name)                                                                                                       \
    ls_clear_error(NULL);                                                                                             \
    CHECK(!ls_##name##_with(NULL) && strstr(ls_error_message(NULL), #name ": its options are NULL"), #name ": %s",    \
          ls_error_message(NULL));
    MADE(X)
#undef X
#define X(name)                                                                                                       \
    ls_clear_error(NULL);                                                                                             \
    CHECK(ls_is_nil(ls_##name##_with(NULL)) && strstr(ls_error_message(NULL), #name ": its options are NULL"),        \
          #name ": %s", ls_error_message(NULL));
    COMPUTED(X)
#undef X
#define X(name)                                                                                                       \
    ls_clear_error(NULL);                                                                                             \
    CHECK(ls_##name##_with(NULL) == LS_INVALID_ARGUMENT &&                                                            \
              strstr(ls_error_message(NULL), #name ": its options are NULL"), #name ": %s", ls_error_message(NULL));
    DONE(X)
#undef X
    ls_clear_error(NULL);
}

int main(int argc, char **argv)
{
    ls = ls_open(argc > 1 ? argv[1] : "reference");
    LS_SCOPE(ls) {
        test_names();
        test_null_options();
        test_dense();
        test_losses();
        test_metrics();
        test_rules();
        test_missing_gradients();
        test_training();
    }
    CHECK(ls_error(ls) == LS_OK, "%s", ls_error_message(ls));
    CHECK(ls_close(&ls) == LS_OK, "close");
    return end_of_checks();
}
