/* SPDX-License-Identifier: Apache-2.0
 *
 * Metrics as weighted means: a kind says how values come from what the metric is updated with, the
 * rest is shared. The rules for shapes and weights are keras/src/metrics/reduction_metrics.py's.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lockstep/metrics.h>
#include <lockstep/ops.h>

#include "../core/internal.h"
#include "labels.h"

struct metric_kind {
    const char *name;
    size_t inputs;       /* before sample_weight */
    const char *expects; /* for messages */
    ls_tensor (*values)(const char *name, const ls_tensor *inputs);
};

struct ls_metric {
    ls_context *context;
    const struct metric_kind *kind;
    char *name;
    ls_tensor total, count; /* float32 variables of rank 0 */
};

/* ---- Making and releasing ---- */

/* Frees the host side. The context releases the variables by itself when it closes. */
static void free_metric(void *object)
{
    ls_metric *metric = object;
    free(metric->name);
    free(metric);
}

static ls_tensor make_zero(const ls_metric *metric, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", metric->name, name);
    ls_tensor zero = ls_scalar(metric->context, 0);
    ls_tensor variable = ls_variable(zero, path, false);
    ls_release(&zero);
    return variable;
}

static ls_metric *create(ls_context *ls, const struct metric_kind *kind, const char *name)
{
    if (!ls || ls_failed(ls))
        return NULL;
    name = name ? name : kind->name;
    ls_metric *metric = calloc(1, sizeof *metric);
    char *copy = malloc(strlen(name) + 1);
    if (!metric || !copy || ls_own(ls, metric, free_metric) != LS_OK) {
        free(metric);
        free(copy);
        ls_fail(ls, LS_OUT_OF_MEMORY, "%s: no host memory for a metric", name);
        return NULL;
    }
    *metric = (ls_metric){.context = ls, .kind = kind, .name = strcpy(copy, name)};
    metric->total = make_zero(metric, "total");
    metric->count = make_zero(metric, "count");
    return ls_failed(ls) ? NULL : metric;
}

void ls_metric_destroy(ls_metric **pointer)
{
    if (!pointer || !*pointer)
        return;
    ls_variable_destroy(&(*pointer)->total);
    ls_variable_destroy(&(*pointer)->count);
    ls_disown((*pointer)->context, *pointer);
    free_metric(*pointer);
    *pointer = NULL;
}

const char *ls_metric_name(const ls_metric *metric) { return metric ? metric->name : ""; }

/* ---- The kinds ---- */

static ls_tensor values_as_given(const char *name, const ls_tensor *inputs)
{
    (void)name;
    return ls_dtype_of(inputs[0]) == LS_FLOAT32 ? inputs[0] : ls_cast(inputs[0], LS_FLOAT32);
}

static ls_tensor matches(const char *name, const ls_tensor *inputs)
{
    ls_tensor labels = ls_sparse_labels(name, inputs[0], inputs[1]);
    return ls_is_nil(labels) ? labels : ls_cast(ls_equal(labels, ls_argmax(inputs[1], -1)), LS_FLOAT32);
}

static const struct metric_kind mean = {"mean", 1, "values", values_as_given};
static const struct metric_kind sparse_categorical_accuracy = {"sparse_categorical_accuracy", 2, "y_true, y_pred",
                                                               matches};

ls_metric *ls_mean_metric(ls_context *ls, const char *name) { return create(ls, &mean, name); }

ls_metric *ls_sparse_categorical_accuracy(ls_context *ls, const char *name)
{
    return create(ls, &sparse_categorical_accuracy, name);
}

/* ---- Updating ---- */

/* The mean over axes from..rank-1. */
static ls_tensor mean_from(ls_tensor a, int from)
{
    int axes[LS_MAX_RANK], count = 0, rank = ls_shape_of_tensor(a).rank;
    for (int axis = from; axis < rank; axis++)
        axes[count++] = axis;
    return count ? ls_mean(a, axes, count, false) : a;
}

static ls_tensor total_of(ls_tensor a) { return ls_shape_of_tensor(a).rank ? ls_sum(a, NULL, 0, false) : a; }

static ls_status add(ls_tensor variable, ls_tensor value) { return ls_assign(variable, ls_add(variable, value)); }

static ls_status update(ls_metric *metric, ls_tensor values, ls_tensor weight)
{
    ls_context *ls = metric->context;
    ls_tensor counted;
    if (ls_is_nil(weight)) {
        ls_shape shape = ls_shape_of_tensor(values);
        values = mean_from(values, 1);
        counted = ls_scalar(ls, shape.rank ? (float)shape.dim[0] : 1);
    } else {
        int rank = ls_shape_of_tensor(weight).rank;
        if (rank > 0)
            values = mean_from(values, rank);
        ls_shape shape = ls_shape_of_tensor(values), given = ls_shape_of_tensor(weight);
        if (!ls_shape_equal(&shape, &given))
            weight = ls_broadcast_to(weight, shape);
        values = mean_from(ls_mul(values, weight), 1);
        counted = total_of(mean_from(weight, 1));
    }
    add(metric->total, total_of(values));
    return add(metric->count, counted);
}

ls_status ls_update_state_with(ls_metric *metric, const ls_tensor *inputs, size_t count)
{
    if (!metric)
        return LS_INVALID_ARGUMENT;
    ls_context *ls = metric->context;
    if (ls_failed(ls))
        return ls_error(ls);
    size_t needs = metric->kind->inputs;
    if (count < needs || count > needs + 1)
        return ls_fail(ls, LS_INVALID_ARGUMENT, "metric %s: takes (%s) or (%s, sample_weight), not %zu tensors",
                       metric->name, metric->kind->expects, metric->kind->expects, count);
    for (size_t i = 0; i < count; i++)
        if (ls_is_nil(inputs[i]))
            return ls_fail(ls, LS_INVALID_ARGUMENT, "metric %s: tensor %zu of %zu is nil", metric->name, i + 1, count);
    ls_scope_begin(ls);
    ls_tensor values = metric->kind->values(metric->name, inputs);
    if (!ls_is_nil(values))
        update(metric, values, count > needs ? inputs[needs] : (ls_tensor){0});
    return ls_scope_end(ls);
}

/* ---- Asking ---- */

ls_tensor ls_result_tensor(const ls_metric *metric)
{
    if (!metric || ls_failed(metric->context))
        return (ls_tensor){0};
    ls_context *ls = metric->context;
    ls_scope_begin(ls);
    ls_tensor nothing = ls_equal(metric->count, ls_scalar(ls, 0));
    ls_tensor divisor = ls_where(nothing, ls_scalar(ls, 1), metric->count);
    ls_tensor result = ls_keep(ls_where(nothing, ls_scalar(ls, 0), ls_div(metric->total, divisor)));
    return ls_scope_end(ls) == LS_OK ? result : (ls_tensor){0};
}

float ls_result(const ls_metric *metric)
{
    ls_tensor result = ls_result_tensor(metric);
    float value = ls_item(result);
    ls_release(&result);
    return value;
}

ls_status ls_reset_states_of(ls_metric *const *metrics)
{
    ls_status status = LS_OK;
    for (; *metrics; metrics++) {
        ls_context *ls = (*metrics)->context;
        ls_scope_begin(ls);
        ls_assign((*metrics)->total, ls_scalar(ls, 0));
        ls_assign((*metrics)->count, ls_scalar(ls, 0));
        ls_status one = ls_scope_end(ls);
        status = status == LS_OK ? one : status;
    }
    return status;
}
