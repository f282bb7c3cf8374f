/* SPDX-License-Identifier: Apache-2.0
 *
 * ls_compile: what a model is trained with, kept with the model.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../nn/layer.h"
#include "train.h"

static void free_compiled(void *object, bool closing)
{
    struct ls_compiled *compiled = object;
    if (!closing) {
        ls_metric_destroy(&compiled->loss);
        for (size_t i = 0; compiled->output_losses && i < compiled->loss_count; i++)
            ls_metric_destroy(&compiled->output_losses[i]);
    }
    free(compiled->output_losses);
    free(compiled->losses);
    free(compiled->metrics);
    free(compiled->all);
    free(compiled);
}

/* ---- Gathering ---- */

static size_t count_of(ls_metric *const *metrics)
{
    size_t count = 0;
    while (metrics && metrics[count])
        count++;
    return count;
}

static void take(struct ls_compiled *compiled, ls_metric *const *metrics, size_t output, bool weighted, const char *prefix)
{
    for (; metrics && *metrics; metrics++) {
        struct ls_output_metric *m = &compiled->metrics[compiled->metric_count++];
        *m = (struct ls_output_metric){*metrics, output, weighted, ""};
        snprintf(m->name, sizeof m->name, "%s%s%s", prefix, *prefix ? "_" : "", ls_metric_name(*metrics));
    }
}

/* The name of output i of several; `text` of LS_LOG_NAME_SIZE is for one that has none. */
static const char *output_name(const struct ls_compiled *compiled, size_t i, char *text)
{
    snprintf(text, LS_LOG_NAME_SIZE, "output_%zu", i + 1);
    return compiled->losses[i].name ? compiled->losses[i].name : text;
}

/* Losses and metrics of all outputs into one list each; false without memory. */
static bool take_outputs(struct ls_compiled *compiled, const ls_compile_options *o)
{
    size_t outputs = o->loss_count ? o->loss_count : 1, metrics = count_of(o->metrics) + count_of(o->weighted_metrics);
    const ls_loss *losses = o->loss_count ? o->losses : &o->loss;
    for (size_t i = 0; i < outputs; i++)
        metrics += count_of(losses[i].metrics);
    compiled->losses = malloc(outputs * sizeof *losses);
    compiled->metrics = malloc((metrics + 1) * sizeof *compiled->metrics);
    compiled->output_losses = outputs > 1 ? calloc(outputs, sizeof(ls_metric *)) : NULL;
    compiled->all = calloc(metrics + count_of(o->trackers) + outputs + 2, sizeof(ls_metric *));
    if (!compiled->losses || !compiled->metrics || !compiled->all || (outputs > 1 && !compiled->output_losses))
        return false;
    memcpy(compiled->losses, losses, outputs * sizeof *losses);
    compiled->loss_count = outputs;
    take(compiled, o->metrics, 0, false, "");
    take(compiled, o->weighted_metrics, 0, true, "");
    for (size_t i = 0; i < outputs; i++) {
        char text[LS_LOG_NAME_SIZE];
        take(compiled, losses[i].metrics, i, false, outputs > 1 ? output_name(compiled, i, text) : "");
    }
    return true;
}

static void make_trackers(struct ls_compiled *compiled, const ls_compile_options *o)
{
    /* A train_step of one's own without a loss here has trackers of its own, as those of a GAN. */
    if (compiled->losses[0].function || o->compute_loss || !o->train_step)
        compiled->loss = ls_mean_metric(compiled->context, "loss");
    for (size_t i = 0; compiled->output_losses && i < compiled->loss_count; i++) {
        char name[2 * LS_LOG_NAME_SIZE], text[LS_LOG_NAME_SIZE];
        snprintf(name, sizeof name, "%s_loss", output_name(compiled, i, text));
        compiled->output_losses[i] = ls_mean_metric(compiled->context, name);
    }
}

/* Puts the last of `count` metrics to its place among those before it, which are in order. */
static void sort_in(struct ls_compiled *compiled, size_t count)
{
    ls_metric **all = compiled->all, *last = all[count - 1];
    size_t at = count - 1;
    for (; at > 0 && strcmp(ls_name_in_logs(compiled, all[at - 1]), ls_name_in_logs(compiled, last)) > 0; at--)
        all[at] = all[at - 1];
    all[at] = last;
}

static void list_all(struct ls_compiled *compiled, ls_metric *const *trackers)
{
    size_t count = 0;
    if (compiled->loss)
        compiled->all[count++] = compiled->loss;
    for (size_t i = 0; compiled->output_losses && i < compiled->loss_count; i++)
        compiled->all[count++] = compiled->output_losses[i];
    for (size_t i = 0; i < compiled->metric_count; i++)
        compiled->all[count++] = compiled->metrics[i].metric;
    for (; trackers && *trackers; trackers++)
        compiled->all[count++] = *trackers;
    for (size_t i = 1; i <= count; i++)
        sort_in(compiled, i);
}

/* ---- Checking ---- */

static bool check_metrics(const struct ls_compiled *compiled)
{
    ls_context *ls = compiled->context;
    size_t count = count_of(compiled->all);
    if (count > LS_LOGS_CAPACITY / 2) /* each may come as val_ too */
        ls_fail(ls, LS_INVALID_ARGUMENT, "compile: %zu metrics; at most %d are logged", count, LS_LOGS_CAPACITY / 2);
    for (size_t i = 0; i < count && !ls_failed(ls); i++) {
        const char *name = ls_name_in_logs(compiled, compiled->all[i]);
        ls_variables state = ls_metric_variables(compiled->all[i]);
        if (state.count && state.items[0].context != ls)
            ls_fail(ls, LS_FOREIGN_HANDLE, "compile: metric %s belongs to another context", name);
        else if (strlen(name) + strlen("val_") >= LS_LOG_NAME_SIZE)
            ls_fail(ls, LS_INVALID_ARGUMENT, "compile: the metric's name %s is longer than %d bytes", name,
                    LS_LOG_NAME_SIZE - 5);
        else if (i > 0 && strcmp(name, ls_name_in_logs(compiled, compiled->all[i - 1])) == 0)
            ls_fail(ls, LS_INVALID_ARGUMENT, "compile: two metrics are called %s; give one of them another name", name);
        ls_scope_begin(ls);
        ls_shape shape = ls_shape_of_tensor(ls_result_tensor(compiled->all[i]));
        if (shape.rank != 0 && !ls_failed(ls))
            ls_fail(ls, LS_INVALID_ARGUMENT, "compile: the result of metric %s is %s, not one number; with several "
                    "thresholds, make one metric for each", name, ls_text(shape).text);
        ls_scope_end(ls);
    }
    return !ls_failed(ls);
}

static bool check_options(ls_context *ls, const ls_compile_options *o)
{
    if (o->loss_count > LS_STEP_TENSORS || (o->loss_count && !o->losses))
        ls_fail(ls, LS_INVALID_ARGUMENT, "compile: loss_count is %zu; give 1 to %d losses in .losses", o->loss_count,
                LS_STEP_TENSORS);
    else if (o->optimizer && ls_iterations(o->optimizer).context != ls)
        ls_fail(ls, LS_FOREIGN_HANDLE, "compile: the optimizer belongs to another context than model %s",
                ls_layer_name(o->model));
    return !ls_failed(ls);
}

/* ---- The calls ---- */

ls_status ls_compile_with(const ls_compile_options *options)
{
    if (!options)
        return ls_no_options("compile"), LS_INVALID_ARGUMENT;
    ls_context *ls = ls_layer_context(options->model);
    if (!ls)
        return LS_INVALID_ARGUMENT;
    if (ls_failed(ls) || !check_options(ls, options))
        return ls_error(ls);
    struct ls_compiled *before = options->model->compiled;
    if (before && before->running)
        return ls_fail(ls, LS_INVALID_ARGUMENT, "compile: model %s is being trained", ls_layer_name(options->model));
    struct ls_compiled *compiled = calloc(1, sizeof *compiled);
    if (compiled) {
        compiled->context = ls;
        compiled->options = *options;
    }
    if (!compiled || !take_outputs(compiled, options)) {
        if (compiled)
            free_compiled(compiled, true);
        return ls_fail(ls, LS_OUT_OF_MEMORY, "compile: no host memory");
    }
    make_trackers(compiled, options);
    if (!ls_failed(ls))
        list_all(compiled, options->trackers);
    if (ls_failed(ls) || !check_metrics(compiled)) {
        free_compiled(compiled, false);
        return ls_error(ls);
    }
    if (before)
        free_compiled(before, false);
    options->model->compiled = compiled;
    options->model->free_compiled = free_compiled;
    return LS_OK;
}

const char *ls_name_in_logs(const struct ls_compiled *compiled, const ls_metric *metric)
{
    for (size_t i = 0; i < compiled->metric_count; i++)
        if (compiled->metrics[i].metric == metric)
            return compiled->metrics[i].name;
    return ls_metric_name(metric);
}

struct ls_compiled *ls_compiled_or_null(const ls_model *model) { return model ? model->compiled : NULL; }

struct ls_compiled *ls_compiled_of(ls_model *model, const char *who)
{
    if (model && !model->compiled)
        ls_fail(model->context, LS_INVALID_ARGUMENT, "%s: model %s is not compiled; call ls_compile first", who,
                ls_layer_name(model));
    return model ? model->compiled : NULL;
}

ls_optimizer *ls_model_optimizer(const ls_model *model)
{
    const struct ls_compiled *compiled = ls_compiled_or_null(model);
    return compiled ? compiled->options.optimizer : NULL;
}

ls_metric *const *ls_model_metrics(const ls_model *model)
{
    const struct ls_compiled *compiled = ls_compiled_or_null(model);
    return compiled ? compiled->all : NULL;
}

ls_status ls_reset_metrics(ls_model *model)
{
    struct ls_compiled *compiled = ls_compiled_of(model, "reset_metrics");
    return compiled ? ls_reset_states_of(compiled->all) : model ? ls_error(model->context) : LS_INVALID_ARGUMENT;
}

void ls_stop_training(ls_model *model)
{
    struct ls_compiled *compiled = ls_compiled_or_null(model);
    if (compiled)
        compiled->stop = true;
}
