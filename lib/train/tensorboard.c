/* SPDX-License-Identifier: Apache-2.0
 *
 * What Keras' TensorBoard callback writes, under its names.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <lockstep/events.h>

#include "../nn/layer.h"
#include "train.h"

enum writer { TRAIN, VALIDATION };

struct board {
    ls_context *context;
    char *folders[2];
    int histogram_freq;
    int64_t update_freq, batches; /* of the whole training */
    bool steps_per_second;
    double epoch_start, batch_start;
    int32_t first_iteration; /* of the epoch */
    ls_event_writer *writers[2]; /* made when there is something to write */
};

static void free_board(void *user)
{
    struct board *b = user;
    free(b->folders[TRAIN]);
    free(b->folders[VALIDATION]);
    free(b); /* the context closes the writers */
}

static double seconds(void)
{
    struct timespec time;
    timespec_get(&time, TIME_UTC);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static int32_t iterations(const ls_event *event)
{
    int32_t count = 0;
    ls_optimizer *optimizer = ls_model_optimizer(event->model);
    if (optimizer)
        ls_read(ls_iterations(optimizer), &count, sizeof count);
    return count;
}

static void put(struct board *b, enum writer which, const char *before, const char *name, const char *after,
                double value, int64_t step)
{
    char tag[LS_LOG_NAME_SIZE + 64];
    if (!b->writers[which])
        b->writers[which] = ls_event_writer_open(b->context, b->folders[which]);
    snprintf(tag, sizeof tag, "%s%s%s", before, name, after);
    ls_event_scalar(b->writers[which], tag, (float)value, step);
}

static ls_status board_train_begin(void *user, const ls_event *event)
{
    struct board *b = user;
    if (!event->resumed)
        b->batches = 0;
    return LS_OK;
}

static ls_status board_epoch_begin(void *user, const ls_event *event)
{
    struct board *b = user;
    if (b->steps_per_second)
        b->first_iteration = iterations(event);
    b->epoch_start = seconds();
    return ls_error(b->context);
}

static ls_status board_batch_begin(void *user, const ls_event *event)
{
    (void)event;
    struct board *b = user;
    b->batches++;
    b->batch_start = seconds();
    return LS_OK;
}

static ls_status board_batch_end(void *user, const ls_event *event)
{
    struct board *b = user;
    if (!b->update_freq || b->batches % b->update_freq != 0)
        return LS_OK;
    if (b->steps_per_second)
        put(b, TRAIN, "batch_", "steps_per_second", "", 1 / (seconds() - b->batch_start), b->batches);
    for (size_t i = 0; i < event->logs->count; i++) {
        const char *name = event->logs->entries[i].name;
        put(b, TRAIN, "batch_", name, "", ls_logs_get(event->logs, name), b->batches);
    }
    return ls_error(b->context);
}

static ls_status board_test_end(void *user, const ls_event *event)
{
    struct board *b = user;
    if (!ls_model_optimizer(event->model))
        return LS_OK;
    int32_t step = iterations(event);
    for (size_t i = 0; i < event->logs->count; i++) {
        const char *name = event->logs->entries[i].name;
        put(b, VALIDATION, "evaluation_", name, "_vs_iterations", ls_logs_get(event->logs, name), step);
    }
    return ls_error(b->context);
}

static void put_histograms(struct board *b, const ls_event *event)
{
    char tag[600];
    ls_variables all = ls_all_variables(event->model);
    for (size_t i = 0; i < all.count; i++) {
        snprintf(tag, sizeof tag, "%s/histogram", ls_name(all.items[i]));
        ls_event_histogram(b->writers[TRAIN], tag, all.items[i], event->epoch);
    }
}

static ls_status board_epoch_end(void *user, const ls_event *event)
{
    struct board *b = user;
    ls_optimizer *optimizer = ls_model_optimizer(event->model);
    for (size_t i = 0; i < event->logs->count; i++) {
        const char *name = event->logs->entries[i].name;
        bool validation = strncmp(name, "val_", 4) == 0;
        if (strcmp(name, "learning_rate") != 0 || !optimizer)
            put(b, validation ? VALIDATION : TRAIN, "epoch_", name + (validation ? 4 : 0), "",
                ls_logs_get(event->logs, name), event->epoch);
    }
    if (optimizer)
        put(b, TRAIN, "epoch_", "learning_rate", "", (double)ls_learning_rate(optimizer), event->epoch);
    if (b->steps_per_second)
        put(b, TRAIN, "epoch_", "steps_per_second", "",
            (iterations(event) - b->first_iteration) / (seconds() - b->epoch_start), event->epoch);
    if (b->histogram_freq && event->epoch % b->histogram_freq == 0)
        put_histograms(b, event);
    ls_event_flush(b->writers[TRAIN]); /* a TensorBoard that is running draws the epoch */
    ls_event_flush(b->writers[VALIDATION]);
    return ls_error(b->context);
}

static ls_status board_train_end(void *user, const ls_event *event)
{
    (void)event;
    struct board *b = user;
    ls_status train = ls_event_writer_close(&b->writers[TRAIN]);
    ls_status validation = ls_event_writer_close(&b->writers[VALIDATION]);
    return train != LS_OK ? train : validation;
}

static char *folder(const char *log_dir, const char *name)
{
    size_t size = strlen(log_dir) + strlen(name) + 2;
    char *path = malloc(size);
    if (path)
        snprintf(path, size, "%s/%s", log_dir, name);
    return path;
}

ls_callback *ls_tensorboard_with(const ls_tensorboard_options *o)
{
    if (!o)
        return ls_no_options("tensorboard");
    struct board *b = ls_callback_state(o->context, "tensorboard", sizeof *b);
    if (!b)
        return NULL;
    const char *log_dir = o->log_dir ? o->log_dir : "logs";
    b->context = o->context;
    b->histogram_freq = o->histogram_freq;
    b->update_freq = o->update_freq;
    b->steps_per_second = o->write_steps_per_second;
    b->folders[TRAIN] = folder(log_dir, "train");
    b->folders[VALIDATION] = folder(log_dir, "validation");
    if (!b->folders[TRAIN] || !b->folders[VALIDATION])
        ls_fail(o->context, LS_OUT_OF_MEMORY, "tensorboard: no host memory");
    else if (o->histogram_freq < 0 || o->update_freq < 0)
        ls_fail(o->context, LS_INVALID_ARGUMENT, "tensorboard: histogram_freq and update_freq cannot be negative");
    ls_callback *callback = ls_lambda_callback(
        o->context, "tensorboard", b, .on_train_begin = board_train_begin, .on_epoch_begin = board_epoch_begin,
        .on_train_batch_begin = board_batch_begin, .on_train_batch_end = board_batch_end, .on_test_end = board_test_end,
        .on_epoch_end = board_epoch_end, .on_train_end = board_train_end, .destroy = free_board);
    if (!callback)
        free_board(b);
    return callback;
}
