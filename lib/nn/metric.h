/* SPDX-License-Identifier: Apache-2.0
 *
 * What a metric is, for accuracies.c and its neighbours: a table of functions over variables.
 */
#ifndef LOCKSTEP_NN_METRIC_H
#define LOCKSTEP_NN_METRIC_H

#include <lockstep/metrics.h>

enum { LS_METRIC_STATES = 4, LS_METRIC_NUMBERS = 3 };

struct ls_metric_kind {
    const char *name;
    size_t inputs;       /* before sample_weight */
    const char *expects; /* for messages */
    const char *state[LS_METRIC_STATES]; /* names of the variables; NULL ends */
    int direction;       /* 1: larger is better, -1: smaller */
    /** Adds to the variables. `weight` is float32 or nil. */
    void (*update)(ls_metric *metric, const ls_tensor *inputs, ls_tensor weight);
    ls_tensor (*result)(const ls_metric *metric);
    /** For ls_mean_update: what is averaged. nil on an error. */
    ls_tensor (*values)(const ls_metric *metric, const ls_tensor *inputs);
};

struct ls_metric {
    ls_context *context;
    const struct ls_metric_kind *kind;
    char *name;
    int direction;
    ls_tensor state[LS_METRIC_STATES]; /* float32 variables */
    size_t states;
    float number[LS_METRIC_NUMBERS]; /* the kind's constants */
    int integer[LS_METRIC_NUMBERS];
    ls_loss_function *loss; /* of a metric made from a loss */
    ls_loss_arguments arguments;
    float *thresholds; /* integer[0] of them, as many as the variables have elements; NULL: rank 0 */
    ls_tensor threshold_values; /* the same on the device, (thresholds, 1) */
};

/**
 * Copies `draft` (context, kind, direction, numbers, loss, thresholds) to the heap and makes its
 * variables. `draft->thresholds` is freed on failure. name NULL: the kind's.
 */
ls_metric *ls_metric_create(const ls_metric *draft, const char *name);

/** variable += value. */
void ls_metric_add(ls_tensor variable, ls_tensor value);

/** State total, count: the weighted mean of kind->values. keras.metrics.Mean. */
void ls_mean_update(ls_metric *metric, const ls_tensor *inputs, ls_tensor weight);
ls_tensor ls_mean_result(const ls_metric *metric);

#endif
