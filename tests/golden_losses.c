/* SPDX-License-Identifier: Apache-2.0
 *
 * Losses and metrics: the same as in golden/cases_losses.py and golden/cases_metrics.py.
 */
#include <lockstep/losses.h>
#include <lockstep/metrics.h>
#include <lockstep/ops.h>

#include "golden.h"

static ls_loss_function *const losses[] = {
    ls_sparse_categorical_crossentropy_with, ls_categorical_crossentropy_with, ls_binary_crossentropy_with,
    ls_kl_divergence_with, ls_hinge_with, ls_squared_hinge_with, ls_categorical_hinge_with,
    ls_mean_squared_error_with, ls_mean_absolute_error_with, ls_mean_absolute_percentage_error_with,
    ls_mean_squared_logarithmic_error_with, ls_huber_with, ls_log_cosh_with, ls_poisson_with,
    ls_cosine_similarity_with};

/* attrs: which, from_logits, reduction. reals: label_smoothing, delta. A third input is sample_weight */
static int call_loss(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    ls_loss_arguments call = {.y_true = in[0],
                              .y_pred = in[1],
                              .from_logits = c->attr[1] != 0,
                              .reduction = (ls_reduction)c->attr[2],
                              .label_smoothing = c->real[0],
                              .delta = c->real[1]};
    (void)ls;
    if (c->inputs == 3)
        call.sample_weight = in[2];
    out[0] = losses[c->attr[0]](&call);
    return 1;
}

/* attrs: which, from_logits, k or top_k, class_id or -1, curve, summation, thresholds. reals: label_smoothing,
 * the thresholds */
static ls_metric *make_metric(ls_context *ls, const struct golden_case *c)
{
    const int64_t *a = c->attr;
    const float *thresholds = a[6] ? c->real + 1 : NULL;
    ls_precision_options precision = {.context = ls,
                                      .thresholds = thresholds,
                                      .threshold_count = (int)a[6],
                                      .top_k = (int)a[2],
                                      .one_class = a[3] >= 0,
                                      .class_id = (int)a[3]};
    if (a[0] >= 100)
        return ls_loss_metric(ls, losses[a[0] - 100], .arguments.from_logits = a[1] != 0,
                              .arguments.label_smoothing = c->real[0]);
    switch (a[0]) {
    case 0:
        return ls_mean_metric(ls, NULL);
    case 1:
        return ls_sum_metric(ls, NULL);
    case 2:
        return ls_accuracy(ls, NULL);
    case 3:
        return ls_binary_accuracy(ls, .threshold = thresholds ? thresholds[0] : 0);
    case 4:
        return ls_categorical_accuracy(ls, NULL);
    case 5:
        return ls_sparse_categorical_accuracy(ls, NULL);
    case 6:
        return ls_top_k_categorical_accuracy(ls, .k = (int)a[2]);
    case 7:
        return ls_sparse_top_k_categorical_accuracy(ls, .k = (int)a[2]);
    case 8:
        return ls_root_mean_squared_error(ls, NULL);
    case 9:
        return ls_precision_with(&precision);
    case 10:
        return ls_recall_with(&precision);
    default:
        return ls_auc(ls, .num_thresholds = (int)a[2], .curve = (ls_auc_curve)a[4],
                      .summation_method = (ls_auc_summation)a[5], .from_logits = a[1] != 0, .thresholds = thresholds,
                      .threshold_count = (int)a[6]);
    }
}

/* Inputs (batches, …): y_true, y_pred and perhaps sample_weight (mean, sum: values and perhaps a weight).
 * Output: the result after each batch */
static int call_metric(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    enum { MOST_BATCHES = 4 };
    int64_t batches = c->input[0].shape.dim[0];
    ls_tensor results[MOST_BATCHES] = {{0}};
    ls_metric *metric = make_metric(ls, c);
    ls_update_state(metric, golden_step(in[0], 0), golden_step(in[c->inputs > 1 ? 1 : 0], 0));
    ls_clear_error(ls); /* mean and sum may take no second input; what was counted is forgotten anyway */
    ls_reset_states(metric);
    for (int64_t i = 0; i < batches && i < MOST_BATCHES; i++) {
        ls_tensor inputs[3];
        for (int k = 0; k < c->inputs; k++)
            inputs[k] = golden_step(in[k], i);
        ls_update_state_with(metric, inputs, (size_t)c->inputs);
        results[i] = ls_expand_dims(ls_result_tensor(metric), 0);
    }
    out[0] = ls_concat(results, (size_t)batches, 0);
    ls_metric_destroy(&metric);
    return 1;
}

/* clang-format off */
#define CALL(op) {#op, call_##op}
const struct golden_entry golden_loss_ops[] = {
    CALL(loss), CALL(metric),
    {0},
};
#undef CALL
/* clang-format on */
