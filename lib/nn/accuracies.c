/* SPDX-License-Identifier: Apache-2.0
 *
 * Metrics that are the mean of something simple: accuracies, losses, the root of squared errors.
 */
#include <math.h>

#include <lockstep/ops.h>

#include "../core/internal.h"
#include "labels.h"
#include "metric.h"

enum { THRESHOLD }; /* numbers */
enum { K };         /* integers */

static ls_tensor as_float(ls_tensor truth) { return ls_is_nil(truth) ? truth : ls_cast(truth, LS_FLOAT32); }

/* ---- The values ---- */

static ls_tensor sparse_matches(const ls_metric *metric, const ls_tensor *in)
{
    ls_tensor labels = ls_sparse_labels(metric->name, in[0], in[1]);
    return ls_is_nil(labels) ? labels : as_float(ls_equal(labels, ls_argmax(in[1], -1)));
}

static ls_tensor matches(const ls_metric *metric, const ls_tensor *in)
{
    ls_tensor t = in[0], p = in[1];
    if (!ls_fit_labels(metric->name, &t, &p, true))
        return (ls_tensor){0};
    return as_float(ls_equal(ls_argmax(t, -1), ls_argmax(p, -1)));
}

static ls_tensor equals(const ls_metric *metric, const ls_tensor *in)
{
    ls_tensor t = in[0], p = ls_as_float(in[1]);
    return ls_fit_labels(metric->name, &t, &p, false) ? as_float(ls_equal(t, p)) : (ls_tensor){0};
}

static ls_tensor binary_matches(const ls_metric *metric, const ls_tensor *in)
{
    ls_tensor t = in[0], p = in[1];
    if (!ls_fit_labels(metric->name, &t, &p, false))
        return (ls_tensor){0};
    ls_tensor positive = as_float(ls_greater(p, ls_scalar(metric->context, metric->number[THRESHOLD])));
    return as_float(ls_equal(t, positive));
}

/* Fewer than k predictions are larger than the label's. A label that is no class is not among them. */
static ls_tensor in_top_k(const ls_metric *metric, ls_tensor labels, ls_tensor p)
{
    const int last[] = {-1};
    ls_context *ls = metric->context;
    ls_shape shape = ls_shape_of_tensor(p);
    if (ls_size(p) == 0)
        return ls_zeros(ls, LS_FLOAT32, ls_shape_of_tensor(labels));
    ls_tensor hot = ls_greater(ls_one_hot(labels, shape.dim[shape.rank - 1]), ls_scalar(ls, 0));
    ls_tensor score = ls_max(ls_where(hot, p, ls_scalar(ls, -INFINITY)), last, 1, true);
    ls_tensor larger = ls_sum(as_float(ls_greater(p, score)), last, 1, false);
    ls_tensor is_class = ls_greater(ls_max(as_float(hot), last, 1, false), ls_scalar(ls, 0));
    return as_float(ls_logical_and(is_class, ls_less(larger, ls_scalar(ls, (float)metric->integer[K]))));
}

static ls_tensor sparse_top_k(const ls_metric *metric, const ls_tensor *in)
{
    ls_tensor labels = ls_sparse_labels(metric->name, in[0], in[1]);
    return ls_is_nil(labels) ? labels : in_top_k(metric, labels, in[1]);
}

static ls_tensor top_k(const ls_metric *metric, const ls_tensor *in)
{
    ls_tensor t = in[0], p = in[1];
    return ls_fit_labels(metric->name, &t, &p, true) ? in_top_k(metric, ls_argmax(t, -1), p) : (ls_tensor){0};
}

static ls_tensor squared_errors(const ls_metric *metric, const ls_tensor *in)
{
    ls_tensor t = in[0], p = in[1];
    return ls_fit_labels(metric->name, &t, &p, false) ? ls_square(ls_sub(p, t)) : (ls_tensor){0};
}

static ls_tensor root_of_mean(const ls_metric *metric) { return ls_sqrt(ls_mean_result(metric)); }

static ls_tensor loss_values(const ls_metric *metric, const ls_tensor *in)
{
    ls_loss_arguments call = metric->arguments;
    call.y_true = in[0];
    call.y_pred = in[1];
    ls_tensor values = metric->loss(&call);
    return metric->loss == ls_cosine_similarity_with ? ls_neg(values) : values;
}

/* ---- The kinds ---- */

#define MEAN_OF(name, direction, values)                                                           \
    static const struct ls_metric_kind name = {#name, 2, "y_true, y_pred", {"total", "count"},     \
                                               direction, ls_mean_update, ls_mean_result, values};
MEAN_OF(sparse_categorical_accuracy, 1, sparse_matches)
MEAN_OF(categorical_accuracy, 1, matches)
MEAN_OF(accuracy, 1, equals)
MEAN_OF(binary_accuracy, 1, binary_matches)
MEAN_OF(top_k_categorical_accuracy, 1, top_k)
MEAN_OF(sparse_top_k_categorical_accuracy, 1, sparse_top_k)
MEAN_OF(loss, -1, loss_values)
#undef MEAN_OF

static const struct ls_metric_kind root_mean_squared_error = {
    "root_mean_squared_error", 2, "y_true, y_pred", {"total", "count"}, -1, ls_mean_update, root_of_mean,
    squared_errors};

#define PLAIN(kind_)                                                                               \
    ls_metric *ls_##kind_(ls_context *ls, const char *name)                                        \
    {                                                                                              \
        return ls_metric_create(&(ls_metric){.context = ls, .kind = &kind_}, name);                \
    }
PLAIN(sparse_categorical_accuracy)
PLAIN(categorical_accuracy)
PLAIN(accuracy)
PLAIN(root_mean_squared_error)
#undef PLAIN

ls_metric *ls_binary_accuracy_with(const ls_accuracy_options *options)
{
    if (!options)
        return ls_no_options("binary_accuracy");
    float threshold = options->threshold != 0 || signbit(options->threshold) ? options->threshold : 0.5f;
    ls_metric draft = {.context = options->context, .kind = &binary_accuracy, .number[THRESHOLD] = threshold};
    return ls_metric_create(&draft, options->name);
}

static ls_metric *make_top_k(const struct ls_metric_kind *kind, const ls_accuracy_options *options)
{
    ls_metric draft = {.context = options->context, .kind = kind, .integer[K] = options->k ? options->k : 5};
    if (draft.context && !ls_failed(draft.context) && draft.integer[K] < 1) {
        ls_fail(draft.context, LS_INVALID_ARGUMENT, "%s: k is %d; it must be at least 1", kind->name, options->k);
        return NULL;
    }
    return ls_metric_create(&draft, options->name);
}

ls_metric *ls_top_k_categorical_accuracy_with(const ls_accuracy_options *options)
{
    if (!options)
        return ls_no_options("top_k_categorical_accuracy");
    return make_top_k(&top_k_categorical_accuracy, options);
}

ls_metric *ls_sparse_top_k_categorical_accuracy_with(const ls_accuracy_options *options)
{
    if (!options)
        return ls_no_options("sparse_top_k_categorical_accuracy");
    return make_top_k(&sparse_top_k_categorical_accuracy, options);
}

ls_metric *ls_loss_metric_with(const ls_loss_metric_options *options)
{
    if (!options)
        return ls_no_options("loss_metric");
    ls_metric draft = {.context = options->context, .kind = &loss, .loss = options->loss};
    if (!options->loss) {
        if (draft.context)
            ls_fail(draft.context, LS_INVALID_ARGUMENT, "loss_metric: there is no loss; ls_huber_with is one");
        return NULL;
    }
    draft.arguments = options->arguments;
    draft.arguments.reduction = LS_NO_REDUCTION;
    draft.arguments.sample_weight = (ls_tensor){0};
    draft.direction = options->loss == ls_cosine_similarity_with ? 1 : -1;
    return ls_metric_create(&draft, options->name ? options->name : ls_loss_name(options->loss));
}
