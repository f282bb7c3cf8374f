/* SPDX-License-Identifier: Apache-2.0
 *
 * Batches for a run: those of a data set, or of tensors. One x with one y become a data set; with weights, or with
 * several inputs or targets, the data set holds the samples' numbers and each batch is gathered by them.
 */
#include <stdlib.h>

#include <lockstep/ops.h>

#include "train.h"

/* ---- Class weights ---- */

ls_tensor ls_class_table(ls_context *ls, const char *who, const ls_class_weight *weights, size_t count,
                         int64_t *classes)
{
    enum { MOST = 1000000 };
    *classes = 0;
    for (size_t i = 0; i < count; i++) {
        if (weights[i].class_id < 0 || weights[i].class_id > MOST || !(weights[i].weight >= 0)) {
            ls_fail(ls, LS_INVALID_ARGUMENT, "%s: class_weight[%zu] is {%d, %g}: needs a class from 0 to %d and a "
                    "weight of at least 0", who, i, weights[i].class_id, (double)weights[i].weight, MOST);
            return (ls_tensor){0};
        }
        if (weights[i].class_id >= *classes)
            *classes = weights[i].class_id + 1;
    }
    float *table = malloc(((size_t)*classes + 1) * sizeof *table);
    if (!table) {
        ls_fail(ls, LS_OUT_OF_MEMORY, "%s: no host memory for class weights", who);
        return (ls_tensor){0};
    }
    for (int64_t i = 0; i <= *classes; i++)
        table[i] = 1;
    for (size_t i = 0; i < count; i++)
        table[weights[i].class_id] = weights[i].weight;
    ls_tensor uploaded = ls_from_host(ls, LS_FLOAT32, LS_SHAPE(*classes + 1), table);
    free(table);
    return uploaded;
}

/* Labels (n), (n, 1) or one-hot (n, classes), as Keras reads them; classes that are not listed find the last slot. */
ls_tensor ls_class_weights_of(ls_tensor labels, ls_tensor table, int64_t classes)
{
    ls_context *ls = labels.context;
    ls_shape shape = ls_shape_of_tensor(labels);
    if (shape.rank > 1 && shape.dim[shape.rank - 1] != 1)
        labels = ls_argmax(labels, -1);
    else if (shape.rank > 1)
        labels = ls_squeeze(labels, (const int[]){-1}, 1);
    if (ls_dtype_of(labels) == LS_FLOAT32)
        labels = ls_round(labels);
    ls_tensor other = ls_int_scalar(ls, (int32_t)classes);
    labels = ls_minimum(ls_cast(labels, LS_INT32), other);
    labels = ls_where(ls_less(labels, ls_int_scalar(ls, 0)), other, labels);
    return ls_gather(table, labels, 0);
}

/* ---- Opening ---- */

static int64_t samples_of(ls_tensor tensor)
{
    ls_shape shape = ls_shape_of_tensor(tensor);
    return shape.rank ? shape.dim[0] : -1;
}

/* One tensor of the samples; `what` is its name in messages. */
static bool check_tensor(const struct ls_feed *feed, ls_tensor tensor, const char *what, size_t i)
{
    ls_context *ls = feed->context;
    int64_t samples = samples_of(tensor), wanted = samples_of(feed->inputs[0]);
    if (ls_is_nil(tensor))
        ls_fail(ls, LS_INVALID_ARGUMENT, "%s: %s[%zu] is nil", feed->who, what, i);
    else if (tensor.context != ls)
        ls_fail(ls, LS_FOREIGN_HANDLE, "%s: %s[%zu] belongs to another context than the model", feed->who, what, i);
    else if (samples < 0)
        ls_fail(ls, LS_SHAPE_MISMATCH, "%s: %s[%zu] has no dimension for the samples, or was released", feed->who,
                what, i);
    else if (samples != wanted)
        ls_fail(ls, LS_SHAPE_MISMATCH, "%s: %s[%zu] %s has another number of samples than x %s", feed->who, what, i,
                ls_text(ls_shape_of_tensor(tensor)).text, ls_text(ls_shape_of_tensor(feed->inputs[0])).text);
    return !ls_failed(ls);
}

static bool take_tensors(struct ls_feed *feed, const struct ls_feed_options *o)
{
    const ls_tensor *inputs = o->inputs ? o->inputs : &o->x, *targets = o->targets ? o->targets : &o->y;
    feed->input_count = o->inputs ? o->input_count : 1;
    feed->target_count = o->targets ? o->target_count : o->y.context != NULL;
    feed->weight = o->sample_weight;
    feed->weighted = o->sample_weight.context != NULL;
    if (feed->input_count < 1 || feed->input_count > LS_STEP_TENSORS || feed->target_count > LS_STEP_TENSORS) {
        ls_fail(feed->context, LS_INVALID_ARGUMENT, "%s: %zu inputs and %zu targets; 1 to %d and at most %d are "
                "possible", feed->who, feed->input_count, feed->target_count, LS_STEP_TENSORS, LS_STEP_TENSORS);
        return false;
    }
    for (size_t i = 0; i < feed->input_count; i++) {
        feed->inputs[i] = inputs[i];
        if (!check_tensor(feed, inputs[i], "x", i))
            return false;
    }
    for (size_t i = 0; i < feed->target_count; i++) {
        feed->targets[i] = targets[i];
        if (!check_tensor(feed, targets[i], "y", i))
            return false;
    }
    return !feed->weighted || check_tensor(feed, feed->weight, "sample_weight", 0);
}

static ls_status open_tensors(struct ls_feed *feed, const struct ls_feed_options *o)
{
    ls_context *ls = feed->context;
    if (!take_tensors(feed, o))
        return ls_error(ls);
    int64_t samples = samples_of(feed->inputs[0]);
    if (samples == 0)
        return ls_fail(ls, LS_INVALID_ARGUMENT, "%s: there are no samples: x is %s", feed->who,
                       ls_text(ls_shape_of_tensor(feed->inputs[0])).text);
    if (samples > INT32_MAX)
        return ls_fail(ls, LS_OVERFLOW, "%s: %lld samples are more than 2^31 - 1", feed->who, (long long)samples);
    if (o->batch_size < 0)
        return ls_fail(ls, LS_INVALID_ARGUMENT, "%s: batch_size is negative", feed->who);
    feed->by_number = feed->weighted || feed->input_count > 1 || feed->target_count > 1;
    ls_dataset *whole = feed->by_number
        ? ls_dataset_from_tensors(ls_range(ls, 0, (int32_t)samples, 1), (ls_tensor){0})
        : ls_dataset_from_tensors(feed->inputs[0], feed->target_count ? feed->targets[0] : (ls_tensor){0});
    ls_dataset *shuffled = o->shuffle ? ls_dataset_shuffle(whole) : NULL;
    feed->dataset = ls_dataset_batch(shuffled ? shuffled : whole, o->batch_size ? o->batch_size : 32);
    feed->own_dataset = true;
    ls_dataset_destroy(&shuffled);
    ls_dataset_destroy(&whole);
    return ls_error(ls);
}

static bool gives_tensors(const struct ls_feed_options *o)
{
    return o->x.context || o->y.context || o->sample_weight.context || o->inputs || o->targets;
}

ls_status ls_feed_open(struct ls_feed *feed, ls_context *ls, const char *who, const struct ls_feed_options *options)
{
    *feed = (struct ls_feed){.context = ls, .who = who};
    if (ls_failed(ls))
        return ls_error(ls);
    if (!options->data && !options->x.context && !options->inputs)
        return ls_fail(ls, LS_INVALID_ARGUMENT, "%s: there are no data; give a data set or .x", who);
    if (options->data && gives_tensors(options))
        return ls_fail(ls, LS_INVALID_ARGUMENT, "%s: give a data set or tensors, not both", who);
    if (options->data && options->batch_size)
        return ls_fail(ls, LS_INVALID_ARGUMENT, "%s: batch_size is for tensors; a data set is batched by "
                       "ls_dataset_batch", who);
    if (options->class_weight_count) {
        if (options->sample_weight.context)
            return ls_fail(ls, LS_INVALID_ARGUMENT, "%s: give class_weight or sample_weight, not both", who);
        if (options->target_count > 1)
            return ls_fail(ls, LS_INVALID_ARGUMENT, "%s: class_weight is for models of one output", who);
        feed->class_table = ls_class_table(ls, who, options->class_weight, options->class_weight_count,
                                           &feed->class_count);
    }
    feed->dataset = options->data;
    if (!options->data && open_tensors(feed, options) != LS_OK)
        return ls_error(ls);
    feed->batches = ls_dataset_batches(feed->dataset);
    return ls_error(ls);
}

bool ls_feed_ends(const struct ls_feed *feed, int64_t steps, const char *option)
{
    if (!ls_failed(feed->context) && !steps && feed->batches == LS_INFINITE_CARDINALITY)
        ls_fail(feed->context, LS_INVALID_ARGUMENT, "%s: the data set never ends; give .%s", feed->who, option);
    return !ls_failed(feed->context);
}

/* ---- Batches ---- */

static void fill(struct ls_feed *feed, ls_step *step)
{
    const ls_batch *batch = &feed->batch;
    step->size = batch->size;
    step->sample_weight = (ls_tensor){0};
    if (feed->by_number) {
        for (size_t i = 0; i < feed->input_count; i++)
            feed->batch_inputs[i] = ls_gather(feed->inputs[i], batch->x, 0);
        for (size_t i = 0; i < feed->target_count; i++)
            feed->batch_targets[i] = ls_gather(feed->targets[i], batch->x, 0);
        if (feed->weighted)
            step->sample_weight = ls_gather(feed->weight, batch->x, 0);
    } else {
        feed->batch_inputs[0] = batch->x;
        feed->batch_targets[0] = batch->y;
        step->sample_weight = batch->sample_weight;
        feed->input_count = 1;
        feed->target_count = batch->y.context != NULL;
    }
    step->inputs = feed->batch_inputs;
    step->targets = feed->batch_targets;
    step->input_count = feed->input_count;
    step->target_count = feed->target_count;
    step->x = step->inputs[0];
    step->y = step->target_count ? step->targets[0] : (ls_tensor){0};
    if (feed->class_table.context && step->target_count)
        step->sample_weight = ls_class_weights_of(step->y, feed->class_table, feed->class_count);
}

bool ls_feed_next(struct ls_feed *feed, ls_step *step)
{
    if (ls_failed(feed->context))
        return false;
    if (!feed->begun)
        feed->batch = ls_batches_begin(feed->dataset);
    feed->begun = ls_batch_next(&feed->batch);
    if (!feed->begun)
        return false;
    fill(feed, step);
    if (!ls_failed(feed->context))
        return true;
    ls_feed_release(feed);
    return false;
}

void ls_feed_release(struct ls_feed *feed) { ls_batch_end(&feed->batch); }

void ls_feed_restart(struct ls_feed *feed)
{
    /* A batch that is left open ends its pass, as break does. */
    if (feed->begun && (feed->batch.open || ls_batch_next(&feed->batch)))
        ls_batch_next(&feed->batch);
    feed->begun = false;
}

void ls_feed_close(struct ls_feed *feed)
{
    if (!feed->context)
        return;
    ls_feed_restart(feed);
    if (feed->own_dataset)
        ls_dataset_destroy(&feed->dataset);
}
