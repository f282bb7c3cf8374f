/* SPDX-License-Identifier: Apache-2.0
 *
 * What is done with one batch, by default: in public calls alone, so that a step of one's own can be any part of it.
 */
#include <lockstep/ops.h>
#include <lockstep/tape.h>

#include "../nn/layer.h"
#include "train.h"

static struct ls_compiled *compiled_of(const ls_step *step, const char *who)
{
    return step && !ls_failed(step->context) ? ls_compiled_of(step->model, who) : NULL;
}

ls_tensor ls_forward(ls_step *step, bool training)
{
    if (!step || ls_failed(step->context))
        return (ls_tensor){0};
    const struct ls_compiled *compiled = ls_compiled_or_null(step->model);
    ls_call_arguments call = {.layer = step->model, .x = step->x, .training = training};
    if (step->input_count > 1) {
        call.inputs = step->inputs;
        call.input_count = step->input_count;
    }
    if (compiled && compiled->loss_count > 1) {
        call.outputs = step->outputs;
        call.output_count = compiled->loss_count;
    }
    ls_tensor y_pred = ls_call_with(&call);
    step->outputs[0] = y_pred;
    return y_pred;
}

/* ---- Loss ---- */

static ls_tensor loss_of_output(const ls_step *step, const struct ls_compiled *compiled, size_t i, ls_tensor y_pred)
{
    const ls_loss *loss = &compiled->losses[i];
    ls_context *ls = step->context;
    if (i >= step->target_count) {
        ls_fail(ls, LS_INVALID_ARGUMENT, step->target_count ? "there are %zu targets for %zu losses"
                : "the data have no labels y, which the loss needs", step->target_count, compiled->loss_count);
        return (ls_tensor){0};
    }
    ls_tensor value = loss->function(&(ls_loss_arguments){
        .y_true = step->targets[i], .y_pred = y_pred, .from_logits = loss->from_logits,
        .label_smoothing = loss->label_smoothing, .delta = loss->delta, .reduction = loss->reduction,
        .sample_weight = step->sample_weight});
    if (compiled->output_losses)
        ls_update_state(compiled->output_losses[i], value, ls_scalar(ls, (float)step->size));
    return loss->weight != 0 ? ls_mul(value, ls_scalar(ls, loss->weight)) : value;
}

ls_tensor ls_default_compute_loss(ls_step *step, ls_tensor y_pred)
{
    const struct ls_compiled *compiled = compiled_of(step, "compute_loss");
    if (!compiled)
        return (ls_tensor){0};
    ls_tensor loss = {0};
    for (size_t i = 0; i < compiled->loss_count; i++) {
        if (!compiled->losses[i].function)
            continue;
        ls_tensor one = loss_of_output(step, compiled, i, i ? step->outputs[i] : y_pred);
        loss = loss.context ? ls_add(loss, one) : one;
    }
    if (ls_losses(step->model, NULL, 0) > 0) {
        ls_tensor others = ls_sum_losses(step->model);
        loss = loss.context ? ls_add(loss, others) : others;
    }
    if (!loss.context)
        ls_fail(step->context, LS_INVALID_ARGUMENT, "model %s was compiled without a loss, and its layers have none; "
                "ls_compile(model, optimizer, {ls_mean_squared_error_with})", ls_layer_name(step->model));
    return loss;
}

ls_tensor ls_compute_loss(ls_step *step, ls_tensor y_pred)
{
    const struct ls_compiled *compiled = compiled_of(step, "compute_loss");
    if (!compiled)
        return (ls_tensor){0};
    return compiled->options.compute_loss ? compiled->options.compute_loss(step, y_pred)
                                          : ls_default_compute_loss(step, y_pred);
}

void ls_track_loss(ls_step *step, ls_tensor loss)
{
    const struct ls_compiled *compiled = compiled_of(step, "track_loss");
    if (compiled && compiled->loss)
        ls_update_state(compiled->loss, loss, ls_scalar(step->context, (float)step->size));
}

/* ---- Metrics ---- */

void ls_default_compute_metrics(ls_step *step, ls_tensor y_pred)
{
    const struct ls_compiled *compiled = compiled_of(step, "compute_metrics");
    for (size_t i = 0; compiled && i < compiled->metric_count; i++) {
        const struct ls_output_metric *m = &compiled->metrics[i];
        if (m->output >= step->target_count) {
            ls_fail(step->context, LS_INVALID_ARGUMENT, "the data have no labels y, which metric %s needs",
                    ls_metric_name(m->metric));
            return;
        }
        ls_tensor inputs[] = {step->targets[m->output], m->output ? step->outputs[m->output] : y_pred,
                              step->sample_weight};
        ls_update_state_with(m->metric, inputs, m->weighted && step->sample_weight.context ? 3 : 2);
    }
}

void ls_compute_metrics(ls_step *step, ls_tensor y_pred)
{
    const struct ls_compiled *compiled = compiled_of(step, "compute_metrics");
    if (compiled && compiled->options.compute_metrics)
        compiled->options.compute_metrics(step, y_pred);
    else if (compiled)
        ls_default_compute_metrics(step, y_pred);
}

/* ---- The steps ---- */

/* A model that is frozen as a whole is run, not trained, as in Keras. Its first batch says so. */
static bool is_frozen(ls_step *step)
{
    struct ls_compiled *compiled = ls_compiled_or_null(step->model);
    if (ls_failed(step->context) || ls_trainable_variables(step->model).count > 0)
        return false;
    if (compiled && !compiled->told_of_frozen)
        ls_say(step->context, LS_LOG_WARNING, "The model does not have any trainable weights. %s stays as it is; "
               "ls_set_trainable(model, true) lets it train", ls_layer_name(step->model));
    if (compiled)
        compiled->told_of_frozen = true;
    return true;
}

void ls_default_train_step(ls_step *step)
{
    if (!step || ls_failed(step->context))
        return;
    if (!step->optimizer) {
        ls_fail(step->context, LS_INVALID_ARGUMENT, "model %s was compiled without an optimizer; "
                "ls_compile(model, ls_adam(ls), …)", ls_layer_name(step->model));
        return;
    }
    ls_tensor y_pred = {0}, loss = {0};
    LS_TAPE(tape, step->context) {
        y_pred = ls_forward(step, true);
        loss = ls_compute_loss(step, y_pred);
    }
    ls_track_loss(step, loss);
    if (!is_frozen(step))
        ls_apply_gradients(step->optimizer, ls_gradients_of(tape, loss, ls_trainable_variables(step->model)));
    ls_compute_metrics(step, y_pred);
}

void ls_default_test_step(ls_step *step)
{
    ls_tensor y_pred = ls_forward(step, false);
    ls_track_loss(step, ls_compute_loss(step, y_pred));
    ls_compute_metrics(step, y_pred);
}

ls_tensor ls_default_predict_step(ls_step *step) { return ls_forward(step, false); }
