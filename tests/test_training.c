/* SPDX-License-Identifier: Apache-2.0
 *
 * Optimizers, losses and metrics beyond their numbers: captured steps have the bits of eager ones, and
 * misuse is told in words that name the way out.
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

/* ---- Eager and captured ---- */

struct job {
    ls_model *model;
    ls_optimizer *optimizer;
    ls_metric *auc, *top;
};

static void step(void *user, const ls_tensor *inputs, ls_tensor *outputs)
{
    struct job *job = user;
    ls_tensor logits;
    LS_TAPE(tape, ls) {
        logits = ls_call(job->model, inputs[0], .training = true);
        outputs[0] = ls_categorical_crossentropy(inputs[1], logits, .from_logits = true, .label_smoothing = 0.125f);
    }
    ls_apply_gradients(job->optimizer, ls_gradients_of(tape, outputs[0], ls_trainable_variables(job->model)));
    ls_update_state(job->auc, inputs[1], ls_softmax(logits, -1));
    ls_update_state(job->top, inputs[1], logits);
}

static ls_fingerprint_text train(int which, bool captured)
{
    ls_fingerprint_text text;
    LS_SCOPE(ls) {
        ls_set_random_seed(ls, 5);
        struct job job = {.model = ls_sequential(ls, "m", (ls_layer *[]){ls_dense(ls, 4, .activation = LS_TANH),
                                                                        ls_dense(ls, 3), NULL}),
                          .auc = ls_auc(ls, .num_thresholds = 11),
                          .top = ls_top_k_categorical_accuracy(ls, .k = 2)};
        ls_schedule cosine = ls_cosine_decay(0.01f, 10, 0.1f, 0.1f, 3);
        if (which == 0)
            job.optimizer = ls_adamw(ls, .schedule = cosine, .gradient_accumulation_steps = 3, .use_ema = true,
                                     .ema_overwrite_frequency = 2, .global_clipnorm = 0.5f, .amsgrad = true);
        else if (which == 1)
            job.optimizer = ls_rmsprop(ls, 0.01f, .momentum = 0.5f, .centered = true, .clipnorm = 0.5f);
        else
            job.optimizer = ls_adagrad(ls, .schedule = ls_exponential_decay(0.1f, 2, 0.5f, true), .clipvalue = 0.25f);
        ls_function *function = captured ? ls_function_create(ls, step, &job, 2, 1) : NULL;
        for (int i = 0; i < 8; i++)
            LS_SCOPE(ls) {
                ls_tensor x = ls_random_uniform(ls, LS_SHAPE(6, 2), -1, 1), loss = {0};
                ls_tensor labels = ls_argmax(ls_random_uniform(ls, LS_SHAPE(6, 3), 0, 1), -1);
                ls_tensor inputs[] = {x, ls_one_hot(labels, 3)};
                if (function)
                    ls_function_call(function, inputs, &loss);
                else
                    step(&job, inputs, &loss);
            }
        ls_variables state = ls_optimizer_variables(job.optimizer), weights = ls_all_variables(job.model);
        ls_tensor all[64];
        size_t count = 0;
        for (size_t i = 0; i < weights.count; i++)
            all[count++] = weights.items[i];
        for (size_t i = 0; i < state.count && count < 60; i++)
            all[count++] = state.items[i];
        all[count++] = ls_result_tensor(job.auc);
        all[count++] = ls_result_tensor(job.top);
        text = ls_fingerprint(all, count);
        ls_function_destroy(&function);
        ls_layer_destroy(&job.model);
        ls_optimizer_destroy(&job.optimizer);
        ls_metric_destroy(&job.auc);
        ls_metric_destroy(&job.top);
    }
    return text;
}

static void test_captured(void)
{
    for (int which = 0; which < 3; which++) {
        ls_fingerprint_text eager = train(which, false), captured = train(which, true);
        CHECK(strcmp(eager.text, captured.text) == 0, "%d: eager %s, captured %s", which, eager.text, captured.text);
        CHECK(ls_error(ls) == LS_OK, "%s", ls_error_message(ls));
        ls_clear_error(ls);
    }
}

/* ---- Optimizers ---- */

static void test_optimizers(void)
{
    ls_tensor w = ls_variable(ls_ones(ls, LS_FLOAT32, LS_SHAPE(2)), "a/kernel", true), g = ls_fill(ls, LS_SHAPE(2), 3);
    ls_optimizer *sgd = ls_sgd(ls, .schedule = ls_inverse_time_decay(0.5f, 1, 1, false));
    CHECK(ls_learning_rate(sgd) == 0.5f, "%g", (double)ls_learning_rate(sgd));
    ls_apply_gradients(sgd, (ls_gradients){&g, &w, 1, ls});
    CHECK(ls_learning_rate(sgd) == 0.25f, "the next step's: %g", (double)ls_learning_rate(sgd));
    ls_set_learning_rate(sgd, 1);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "schedule");
    ls_exclude_from_weight_decay(sgd, "bias");
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "before the optimizer is built");
    ls_optimizer_destroy(&sgd);
    CHECK(!ls_sgd(ls, .clipnorm = 1, .clipvalue = 1), "two ways of clipping");
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "only one of clipnorm");
    CHECK(!ls_adam(ls, .gradient_accumulation_steps = 1), "accumulation over one");
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "at least 2");
    CHECK(!ls_adam(ls, .schedule = ls_exponential_decay(1, 0, 1, false)), "no steps");
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "decay steps");
    CHECK(!ls_rmsprop(ls, .rho = 2), "rho");
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "rho");
    ls_clip_by_norm(g, 0);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "clip_norm is 0");
    ls_optimizer *adamw = ls_adamw(ls);
    ls_exclude_from_weight_decay(adamw, "(");
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "regular expression");
    ls_optimizer_destroy(&adamw);

    /* Averages are put into the variables at the end. */
    sgd = ls_sgd(ls, 1, .use_ema = true, .ema_momentum = 0.5f);
    for (int i = 0; i < 2; i++)
        ls_apply_gradients(sgd, (ls_gradients){&g, &w, 1, ls});
    float before[2], after[2];
    ls_read(w, before, sizeof before);
    ls_finalize_variable_values(sgd);
    ls_read(w, after, sizeof after);
    CHECK(after[0] == before[0] + 1.5f, "%g, %g", (double)before[0], (double)after[0]);
    ls_optimizer_destroy(&sgd);
    ls_variable_destroy(&w);
}

/* ---- Losses and metrics ---- */

static void test_messages(void)
{
    ls_tensor logits = ls_random_uniform(ls, LS_SHAPE(4, 3), -1, 1), labels = ls_zeros(ls, LS_INT32, LS_SHAPE(4));
    ls_categorical_crossentropy(labels, logits, .from_logits = true);
    CHECK_ERROR(ls, LS_SHAPE_MISMATCH, "sparse_categorical_crossentropy");
    ls_sparse_categorical_crossentropy(ls_one_hot(labels, 3), logits);
    CHECK_ERROR(ls, LS_DTYPE_MISMATCH, "ls_argmax");
    ls_mean_squared_error(ls_ones(ls, LS_FLOAT32, LS_SHAPE(4)), logits);
    CHECK_ERROR(ls, LS_SHAPE_MISMATCH, "(batch) against (batch, n)");
    ls_mean_squared_error(logits, logits, .sample_weight = ls_ones(ls, LS_FLOAT32, LS_SHAPE(3)));
    CHECK_ERROR(ls, LS_SHAPE_MISMATCH, "sample_weight (3,)");
    ls_mean_squared_error(logits, labels);
    CHECK_ERROR(ls, LS_DTYPE_MISMATCH, "wrong way");
    ls_huber(logits, logits, .reduction = 9);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "reduction 9");
    ls_metric *precision = ls_precision(ls), *several = NULL;
    ls_update_state(precision, labels, logits);
    CHECK_ERROR(ls, LS_SHAPE_MISMATCH, "precision");
    CHECK(ls_metric_direction(precision) == 1, "up");
    several = ls_loss_metric(ls, ls_huber_with);
    CHECK(ls_metric_direction(several) == -1 && strcmp(ls_metric_name(several), "huber") == 0, "%s",
          ls_metric_name(several));
    CHECK(!ls_recall(ls, .thresholds = (const float[]){0.5f, 2}, .threshold_count = 2), "2 is no threshold");
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "threshold 1 is 2");
    ls_metric_destroy(&precision);
    ls_metric_destroy(&several);

    ls_set_log(ls, LS_LOG_WARNING, keep_log, NULL);
    ls_clear_error(ls);
    for (int i = 0; i < 2; i++) {
        ls_tape *tape = ls_tape_begin(ls);
        ls_watch(tape, logits);
        ls_sparse_categorical_crossentropy(labels, ls_softmax(logits, -1), .from_logits = true);
        ls_tape_end(tape);
        ls_tape_destroy(&tape);
    }
    CHECK(log_count == 1 && strstr(log_text, "comes from softmax"), "%d: %s", log_count, log_text);
    ls_set_log(ls, LS_LOG_WARNING, NULL, NULL);
    CHECK(ls_item(ls_mean_squared_error(ls_zeros(ls, LS_FLOAT32, LS_SHAPE(0, 3)), ls_zeros(ls, LS_FLOAT32,
                                                                                           LS_SHAPE(0, 3)))) == 0,
          "the loss of nothing is 0");
    CHECK(ls_error(ls) == LS_OK, "%s", ls_error_message(ls));
}

int main(int argc, char **argv)
{
    ls = ls_open(argc > 1 ? argv[1] : "reference");
    LS_SCOPE(ls) {
        test_captured();
        test_optimizers();
        test_messages();
    }
    CHECK(ls_error(ls) == LS_OK, "%s", ls_error_message(ls));
    CHECK(ls_get_stats(ls).live_tensors == 0, "%zu tensors are left", ls_get_stats(ls).live_tensors);
    CHECK(ls_close(&ls) == LS_OK, "close");
    return end_of_checks();
}
