/* SPDX-License-Identifier: Apache-2.0
 *
 * Data sets: elements on the device, shared by those that were made of each other, and what to do
 * with their numbers. An epoch is a list of element numbers; a batch gathers some of them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <lockstep/ops.h>

#include "../core/cache.h"

#include "../core/internal.h"
#include "dataset.h"
#include "position.h"
#include "random.h"

/* The elements. Variables, because those belong to no scope. */
struct source {
    size_t users;
    ls_tensor x, y;
};

struct ls_dataset {
    ls_context *context;
    struct source *source;
    int64_t first, count; /* the part of the source */
    bool shuffled, same_every_epoch, drop_remainder;
    int64_t buffer_size; /* of shuffle, at most count */
    uint64_t seed;
    int64_t batch_size; /* 0: not batched */
    uint32_t epoch;     /* how many were begun */
    struct ls_place place;  /* what the loop that took a batch last will save */
    int64_t resume_at;      /* the batch that the next loop begins with */
    double waited;          /* seconds, ever */
    double begun, ended, waited_before; /* of the last loop: seconds by the clock, and `waited` at its begin */
};

/* ---- Making and releasing ---- */

static ls_dataset *fail(ls_context *ls, ls_status status, const char *text)
{
    ls_fail(ls, status, "%s", text);
    return NULL;
}

/* Frees the host side. The context releases the variables by itself when it closes. */
static void free_dataset(void *object)
{
    ls_dataset *dataset = object;
    if (--dataset->source->users == 0)
        free(dataset->source);
    free(dataset);
}

/* A data set owned by the context, with one use of its source taken. */
static ls_dataset *create(const ls_dataset *draft)
{
    ls_dataset *dataset = malloc(sizeof *dataset);
    if (!dataset)
        return fail(draft->context, LS_OUT_OF_MEMORY, "no host memory for a data set");
    *dataset = *draft;
    dataset->epoch = 0;
    dataset->place = (struct ls_place){0};
    dataset->resume_at = 0;
    dataset->waited = 0;
    if (ls_own(dataset->context, dataset, free_dataset) != LS_OK) {
        free(dataset);
        return NULL;
    }
    dataset->source->users++;
    return dataset;
}

static ls_tensor share(ls_tensor tensor, const char *name, const char *part)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", name, part);
    return ls_is_nil(tensor) ? tensor : ls_variable(tensor, path, false);
}

static ls_dataset *from_tensors(ls_tensor x, ls_tensor y, const char *name)
{
    ls_context *ls = x.context;
    if (!ls || ls_failed(ls))
        return NULL;
    ls_shape x_shape = ls_shape_of_tensor(x), y_shape = ls_shape_of_tensor(y);
    if (!ls_is_nil(y) && y.context != ls)
        return fail(ls, LS_FOREIGN_HANDLE, "dataset_from_tensors: x and y belong to different contexts");
    if (x_shape.rank < 1 || x_shape.dim[0] > INT32_MAX ||
        (!ls_is_nil(y) && (y_shape.rank < 1 || y_shape.dim[0] != x_shape.dim[0]))) {
        ls_fail(ls, LS_SHAPE_MISMATCH,
                "dataset_from_tensors: x %s, y %s: both need the same first dimension, below 2^31, the elements",
                ls_text(x_shape).text, ls_is_nil(y) ? "nil" : ls_text(y_shape).text);
        return NULL;
    }
    struct source *source = calloc(1, sizeof *source);
    if (!source)
        return fail(ls, LS_OUT_OF_MEMORY, "no host memory for a data set");
    source->x = share(x, name, "x");
    source->y = share(y, name, "y");
    ls_dataset draft = {.context = ls, .source = source, .count = x_shape.dim[0]};
    ls_dataset *dataset = ls_failed(ls) ? NULL : create(&draft);
    if (!dataset) {
        ls_variable_destroy(&source->x);
        ls_variable_destroy(&source->y);
        free(source);
    }
    return dataset;
}

ls_dataset *ls_dataset_from_tensors(ls_tensor x, ls_tensor y) { return from_tensors(x, y, "dataset"); }

void ls_dataset_destroy(ls_dataset **pointer)
{
    if (!pointer || !*pointer)
        return;
    ls_dataset *dataset = *pointer;
    if (dataset->source->users == 1) {
        ls_variable_destroy(&dataset->source->x);
        ls_variable_destroy(&dataset->source->y);
    }
    ls_disown(dataset->context, dataset);
    free_dataset(dataset);
    *pointer = NULL;
}

static ls_dataset *part(const ls_dataset *dataset, int64_t first, int64_t count)
{
    if (!dataset)
        return NULL;
    ls_dataset draft = *dataset;
    draft.first += first;
    draft.count = count;
    return create(&draft);
}

ls_status ls_split_images(ls_context *ls, const char *name, struct ls_image_files *files, int64_t validation_count,
                          ls_dataset **train, ls_dataset **validation, ls_dataset **test)
{
    char title[96];
    snprintf(title, sizeof title, "%s/train", name);
    ls_dataset *all = from_tensors(files->train_x, files->train_y, title);
    snprintf(title, sizeof title, "%s/test", name);
    ls_dataset *tested = from_tensors(files->test_x, files->test_y, title);
    int64_t held_out = validation ? validation_count : 0;
    int64_t trained = ls_dataset_size(all) - held_out;
    ls_dataset *first = part(all, 0, trained), *last = part(all, trained, held_out);
    ls_dataset_destroy(&all);
    ls_release(&files->train_x);
    ls_release(&files->train_y);
    ls_release(&files->test_x);
    ls_release(&files->test_y);
    if (!train || ls_failed(ls))
        ls_dataset_destroy(&first);
    if (!validation || ls_failed(ls))
        ls_dataset_destroy(&last);
    if (!test || ls_failed(ls))
        ls_dataset_destroy(&tested);
    if (train)
        *train = first;
    if (validation)
        *validation = last;
    if (test)
        *test = tested;
    return ls_error(ls);
}

/* ---- Steps ---- */

/* A seed from the context's random numbers: two draws of 24 bits. */
static uint64_t draw_seed(ls_context *ls)
{
    float draws[2] = {0};
    ls_scope_begin(ls);
    ls_read(ls_random_uniform(ls, LS_SHAPE(2), 0, 1), draws, sizeof draws);
    ls_scope_end(ls);
    return (uint64_t)(draws[0] * 0x1p24f) << 24 | (uint64_t)(draws[1] * 0x1p24f);
}

ls_dataset *ls_dataset_shuffle_with(const ls_shuffle_options *options)
{
    const ls_dataset *dataset = options->dataset;
    if (!dataset || ls_failed(dataset->context))
        return NULL;
    ls_context *ls = dataset->context;
    if (dataset->shuffled || dataset->batch_size)
        return fail(ls, LS_INVALID_ARGUMENT, "dataset_shuffle: shuffle once, and before ls_dataset_batch");
    if (options->buffer_size < 0)
        return fail(ls, LS_INVALID_ARGUMENT, "dataset_shuffle: buffer_size is negative; 0 shuffles all elements");
    ls_dataset draft = *dataset;
    draft.shuffled = true;
    draft.same_every_epoch = options->same_every_epoch;
    bool all = options->buffer_size == 0 || options->buffer_size > draft.count;
    draft.buffer_size = all ? draft.count : options->buffer_size;
    draft.seed = options->seed ? options->seed : draw_seed(ls);
    return ls_failed(ls) ? NULL : create(&draft);
}

ls_dataset *ls_dataset_batch_with(const ls_batch_options *options)
{
    const ls_dataset *dataset = options->dataset;
    if (!dataset || ls_failed(dataset->context))
        return NULL;
    if (options->batch_size < 1 || dataset->batch_size)
        return fail(dataset->context, LS_INVALID_ARGUMENT,
                    dataset->batch_size ? "dataset_batch: the data set is batched already"
                                        : "dataset_batch: batch_size must be at least 1");
    ls_dataset draft = *dataset;
    draft.batch_size = options->batch_size;
    draft.drop_remainder = options->drop_remainder;
    return create(&draft);
}

int64_t ls_dataset_size(const ls_dataset *dataset) { return dataset ? dataset->count : 0; }

int64_t ls_dataset_batches(const ls_dataset *dataset)
{
    if (!dataset || !dataset->batch_size)
        return 0;
    int64_t full = dataset->count / dataset->batch_size;
    return full + (!dataset->drop_remainder && dataset->count % dataset->batch_size != 0);
}

/* ---- Going through it ---- */

/* The numbers of the elements in the order of this epoch. As tf.data shuffles: a window of
 * `buffer_size` elements, one drawn from it, the next element put in its place. */
static void draw_order(const ls_dataset *dataset, uint32_t epoch, int32_t *order, int32_t *window)
{
    uint32_t window_size = (uint32_t)dataset->buffer_size, count = (uint32_t)dataset->count, filled = window_size;
    for (uint32_t i = 0; i < window_size; i++)
        window[i] = (int32_t)(dataset->first + i);
    uint32_t words[4] = {0};
    for (uint32_t i = 0; i < count; i++) {
        if (i % 4 == 0)
            ls_host_words(dataset->seed, i / 4, LS_STREAM_SHUFFLE, epoch, words);
        uint32_t drawn = ls_bounded(words[i % 4], filled);
        order[i] = window[drawn];
        uint32_t next = i + window_size;
        window[drawn] = next < count ? (int32_t)(dataset->first + next) : window[--filled];
    }
}

static ls_tensor upload_order(const ls_dataset *dataset, uint32_t epoch)
{
    ls_context *ls = dataset->context;
    size_t count = (size_t)dataset->count, window = (size_t)dataset->buffer_size;
    int32_t *order = malloc((count + window + 1) * sizeof *order);
    if (!order) {
        ls_fail(ls, LS_OUT_OF_MEMORY, "no host memory for the order of %zu elements", count);
        return (ls_tensor){0};
    }
    draw_order(dataset, epoch, order, order + count);
    ls_tensor uploaded = ls_from_host(ls, LS_INT32, LS_SHAPE((int64_t)count), order);
    free(order);
    return uploaded;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

ls_batch ls_batches_begin(ls_dataset *dataset)
{
    ls_batch batch = {.index = -1};
    if (!dataset || ls_failed(dataset->context))
        return batch;
    if (!dataset->batch_size) {
        ls_fail(dataset->context, LS_INVALID_ARGUMENT, "the data set is not batched; call ls_dataset_batch first");
        return batch;
    }
    dataset->waited_before = dataset->waited;
    dataset->begun = dataset->ended = seconds();
    if (dataset->shuffled)
        batch.order = upload_order(dataset, dataset->same_every_epoch ? 0 : dataset->epoch);
    batch.index = dataset->resume_at - 1;
    dataset->place = (struct ls_place){.epoch = dataset->epoch++, .taken = dataset->resume_at};
    dataset->resume_at = 0;
    batch.dataset = dataset;
    return batch;
}

/* Elements begin..begin+size-1 of the first dimension. */
static ls_tensor rows(ls_tensor a, int64_t begin, int64_t size)
{
    int64_t begins[LS_MAX_RANK] = {begin}, sizes[LS_MAX_RANK] = {size};
    for (int d = 1; d < LS_MAX_RANK; d++)
        sizes[d] = -1;
    return ls_slice(a, begins, sizes, NULL);
}

void ls_batch_end(ls_batch *batch)
{
    if (!batch->open)
        return;
    batch->open = false;
    ls_scope_end(batch->dataset->context);
}

static bool finish(ls_batch *batch)
{
    batch->dataset->place = (struct ls_place){.epoch = batch->dataset->epoch};
    batch->dataset->ended = seconds();
    ls_release(&batch->order);
    batch->dataset = NULL;
    return false;
}

bool ls_batch_next(ls_batch *batch)
{
    ls_dataset *dataset = batch->dataset;
    if (!dataset)
        return false;
    bool left = batch->open; /* by break */
    ls_batch_end(batch);
    if (left || ls_failed(dataset->context) || ++batch->index >= ls_dataset_batches(dataset))
        return finish(batch);
    double before = seconds();
    ls_scope_begin(dataset->context);
    batch->open = true;
    int64_t begin = batch->index * dataset->batch_size, left_over = dataset->count - begin;
    batch->size = left_over < dataset->batch_size ? left_over : dataset->batch_size;
    const struct source *source = dataset->source;
    if (dataset->shuffled) {
        ls_tensor numbers = rows(batch->order, begin, batch->size);
        batch->x = ls_gather(source->x, numbers, 0);
        batch->y = ls_is_nil(source->y) ? source->y : ls_gather(source->y, numbers, 0);
    } else {
        batch->x = rows(source->x, dataset->first + begin, batch->size);
        batch->y = ls_is_nil(source->y) ? source->y : rows(source->y, dataset->first + begin, batch->size);
    }
    dataset->ended = seconds();
    dataset->waited += dataset->ended - before;
    dataset->place.taken = batch->index + 1;
    if (!ls_failed(dataset->context))
        return true;
    ls_batch_end(batch);
    return finish(batch);
}

/* ---- Where it stands, and what it waits for ---- */

/* What decides about the order of the elements, as one number. */
static uint64_t signature_of(const ls_dataset *dataset)
{
    int64_t facts[] = {dataset->first, dataset->count, dataset->shuffled, dataset->same_every_epoch,
                       dataset->drop_remainder, dataset->buffer_size, (int64_t)dataset->seed, dataset->batch_size};
    return ls_cache_hash(LS_CACHE_HASH, facts, sizeof facts);
}

ls_status ls_dataset_save_position(const ls_dataset *dataset, ls_dataset_position *position)
{
    if (!dataset || !position)
        return LS_INVALID_ARGUMENT;
    struct ls_place place = dataset->place;
    place.signature = signature_of(dataset);
    ls_position_write(position, &place);
    return ls_error(dataset->context);
}

ls_status ls_dataset_restore_position(ls_dataset *dataset, const ls_dataset_position *position)
{
    struct ls_place place;
    if (!dataset || !position)
        return LS_INVALID_ARGUMENT;
    if (ls_failed(dataset->context) || ls_position_read(dataset->context, position, &place) != LS_OK)
        return ls_error(dataset->context);
    if (place.signature != signature_of(dataset))
        return ls_fail(dataset->context, LS_INVALID_ARGUMENT,
                       "dataset_restore_position: this is a position of another pipeline; make the data set as it was "
                       "when the position was saved, with the same steps, sizes and seeds");
    dataset->place = place;
    dataset->epoch = (uint32_t)place.epoch;
    dataset->resume_at = place.taken;
    return LS_OK;
}

double ls_dataset_wait_seconds(const ls_dataset *dataset) { return dataset ? dataset->waited : 0; }

float ls_dataset_report_waiting(ls_dataset *dataset)
{
    double waited = dataset ? dataset->waited - dataset->waited_before : 0;
    double whole = dataset ? dataset->ended - dataset->begun : 0, share = whole > 0 ? waited / whole : 0;
    if (whole >= 0.1 && share > 0.2)
        ls_say(dataset->context, LS_LOG_WARNING,
               "input-bound: %.0f %% of the step waits for data; ls_dataset_prefetch, more workers in ls_dataset_map, or "
               "ls_dataset_cache may help",
               100 * share);
    return (float)share;
}
