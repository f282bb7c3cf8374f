/* SPDX-License-Identifier: Apache-2.0
 *
 * What all metrics share, and the mean and the sum. The rules for shapes and weights are
 * keras/src/metrics/reduction_metrics.py's.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lockstep/ops.h>

#include "../core/internal.h"
#include "labels.h"
#include "metric.h"

/* ---- Making and releasing ---- */

/* Frees the host side. The context releases the variables by itself when it closes. */
static void free_metric(void *object)
{
    ls_metric *metric = object;
    free(metric->thresholds);
    free(metric->name);
    free(metric);
}

static ls_shape state_shape(const ls_metric *metric)
{
    return metric->thresholds ? LS_SHAPE(metric->integer[0]) : LS_SCALAR_SHAPE;
}

static ls_tensor make_zero(const ls_metric *metric, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", metric->name, name);
    ls_tensor zero = ls_zeros(metric->context, LS_FLOAT32, state_shape(metric));
    ls_tensor variable = ls_variable(zero, path, false);
    ls_release(&zero);
    return variable;
}

ls_metric *ls_metric_create(const ls_metric *draft, const char *name)
{
    ls_context *ls = draft->context;
    if (!ls || ls_failed(ls)) {
        free(draft->thresholds);
        return NULL;
    }
    name = name ? name : draft->kind->name;
    ls_metric *metric = calloc(1, sizeof *metric);
    char *copy = malloc(strlen(name) + 1);
    if (!metric || !copy || ls_own(ls, metric, free_metric) != LS_OK) {
        free(metric);
        free(copy);
        free(draft->thresholds);
        ls_fail(ls, LS_OUT_OF_MEMORY, "%s: no host memory for a metric", name);
        return NULL;
    }
    *metric = *draft;
    metric->name = strcpy(copy, name);
    if (!metric->direction)
        metric->direction = metric->kind->direction;
    for (; metric->states < LS_METRIC_STATES && metric->kind->state[metric->states]; metric->states++)
        metric->state[metric->states] = make_zero(metric, metric->kind->state[metric->states]);
    if (metric->thresholds) {
        ls_tensor values = ls_from_host(ls, LS_FLOAT32, LS_SHAPE(metric->integer[0], 1), metric->thresholds);
        metric->threshold_values = ls_variable(values, "thresholds", false);
        ls_release(&values);
    }
    return ls_failed(ls) ? NULL : metric;
}

void ls_metric_destroy(ls_metric **pointer)
{
    if (!pointer || !*pointer)
        return;
    for (size_t i = 0; i < (*pointer)->states; i++)
        ls_variable_destroy(&(*pointer)->state[i]);
    ls_variable_destroy(&(*pointer)->threshold_values);
    ls_disown((*pointer)->context, *pointer);
    free_metric(*pointer);
    *pointer = NULL;
}

const char *ls_metric_name(const ls_metric *metric) { return metric ? metric->name : ""; }

int ls_metric_direction(const ls_metric *metric) { return metric ? metric->direction : 0; }

ls_variables ls_metric_variables(const ls_metric *metric)
{
    return metric ? (ls_variables){metric->state, metric->states, NULL} : (ls_variables){0};
}

void ls_metric_add(ls_tensor variable, ls_tensor value) { ls_assign(variable, ls_add(variable, value)); }

/* ---- Mean and sum ---- */

/* The sum or mean over axes from..rank-1. */
static ls_tensor reduce_from(ls_tensor a, int from, bool mean)
{
    int axes[LS_MAX_RANK], count = 0, rank = ls_shape_of_tensor(a).rank;
    for (int axis = from; axis < rank; axis++)
        axes[count++] = axis;
    if (!count)
        return a;
    return mean ? ls_mean(a, axes, count, false) : ls_sum(a, axes, count, false);
}

static ls_tensor total_of(ls_tensor a) { return ls_shape_of_tensor(a).rank ? ls_sum(a, NULL, 0, false) : a; }

/* Values and weights become one of each per sample; false on an error. */
static bool to_samples(const ls_metric *metric, ls_tensor *values, ls_tensor *weight, bool mean)
{
    if (!ls_is_nil(*weight)) {
        ls_shape given = ls_shape_of_tensor(*weight), whole = ls_shape_of_tensor(*values), joined;
        ls_to_same_rank(values, weight);
        int rank = ls_shape_of_tensor(*weight).rank;
        ls_tensor rows = ls_shape_of_tensor(*values).rank > rank ? reduce_from(*values, rank, mean) : *values;
        ls_shape shape = ls_shape_of_tensor(rows), now = ls_shape_of_tensor(*weight);
        if (!ls_shape_broadcast(&shape, &now, &joined) || !ls_shape_equal(&joined, &shape)) {
            ls_fail(metric->context, LS_SHAPE_MISMATCH, "metric %s: sample_weight %s does not fit the values %s: needs "
                    "one weight for each, or a shape that broadcasts to theirs", metric->name, ls_text(given).text,
                    ls_text(whole).text);
            return false;
        }
        if (!ls_shape_equal(&shape, &now))
            *weight = ls_broadcast_to(*weight, shape);
        *values = ls_mul(rows, *weight);
        *weight = reduce_from(*weight, 1, mean);
    }
    *values = reduce_from(*values, 1, mean);
    return !ls_is_nil(*values);
}

void ls_mean_update(ls_metric *metric, const ls_tensor *inputs, ls_tensor weight)
{
    ls_tensor values = metric->kind->values(metric, inputs);
    if (ls_is_nil(values) || !to_samples(metric, &values, &weight, true))
        return;
    ls_shape shape = ls_shape_of_tensor(values);
    ls_tensor counted = ls_is_nil(weight) ? ls_scalar(metric->context, shape.rank ? (float)shape.dim[0] : 1)
                                          : total_of(weight);
    ls_metric_add(metric->state[0], total_of(values));
    ls_metric_add(metric->state[1], counted);
}

ls_tensor ls_mean_result(const ls_metric *metric) { return ls_divide_or_zero(metric->state[0], metric->state[1]); }

static void sum_update(ls_metric *metric, const ls_tensor *inputs, ls_tensor weight)
{
    ls_tensor values = ls_as_float(inputs[0]);
    if (to_samples(metric, &values, &weight, false))
        ls_metric_add(metric->state[0], total_of(values));
}

static ls_tensor sum_result(const ls_metric *metric) { return ls_stop_gradient(metric->state[0]); }

static ls_tensor values_as_given(const ls_metric *metric, const ls_tensor *inputs)
{
    (void)metric;
    return ls_as_float(inputs[0]);
}

static const struct ls_metric_kind mean = {"mean",         1,              "values",       {"total", "count"}, -1,
                                           ls_mean_update, ls_mean_result, values_as_given};
static const struct ls_metric_kind sum = {"sum", 1, "values", {"total"}, -1, sum_update, sum_result, NULL};

ls_metric *ls_mean_metric(ls_context *ls, const char *name)
{
    return ls_metric_create(&(ls_metric){.context = ls, .kind = &mean}, name);
}

ls_metric *ls_sum_metric(ls_context *ls, const char *name)
{
    return ls_metric_create(&(ls_metric){.context = ls, .kind = &sum}, name);
}

/* ---- Updating ---- */

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
    metric->kind->update(metric, inputs, count > needs ? ls_as_float(inputs[needs]) : (ls_tensor){0});
    return ls_scope_end(ls);
}

/* ---- Asking ---- */

ls_tensor ls_result_tensor(const ls_metric *metric)
{
    if (!metric || ls_failed(metric->context))
        return (ls_tensor){0};
    ls_context *ls = metric->context;
    ls_scope_begin(ls);
    ls_tensor result = metric->kind->result(metric);
    if (!ls_is_nil(result))
        ls_keep(result);
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
        for (size_t i = 0; i < (*metrics)->states; i++)
            ls_assign((*metrics)->state[i], ls_zeros(ls, LS_FLOAT32, state_shape(*metrics)));
        ls_status one = ls_scope_end(ls);
        status = status == LS_OK ? one : status;
    }
    return status;
}
