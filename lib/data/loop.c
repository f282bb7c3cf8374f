/* SPDX-License-Identifier: Apache-2.0
 *
 * Loops over batches: where the pipeline meets the context. What it hands over is uploaded, or gathered on the
 * device by number; errors that came along are raised; the time it took is counted.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <lockstep/ops.h>

#include "stage.h"

/* Epochs of up to so many elements of a table are drawn as a whole and their numbers uploaded once. */
static const int64_t most_drawn_ahead = INT64_C(1) << 24;

struct ls_loop {
    ls_dataset *dataset; /* NULL: it was destroyed */
    struct ls_loop *next;
    struct ls_iterator *iterator;
    ls_tensor order;      /* of the batches that were drawn ahead: the numbers of all; nil if those are consecutive */
    int64_t *rows, *ends; /* the same on the host; and where each batch ends */
    int64_t row_count, batch_count, given, row_room, batch_room;
    bool ahead;
    struct ls_problem problem;
};

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* ---- Life ---- */

static void forget(struct ls_loop *loop)
{
    if (!loop->dataset)
        return;
    struct ls_loop **link = &loop->dataset->course.loops;
    while (*link != loop)
        link = &(*link)->next;
    *link = loop->next;
    loop->dataset = NULL;
    ls_iterator_close(&loop->iterator);
}

static void destroy(void *object)
{
    struct ls_loop *loop = object;
    forget(loop);
    free(loop->rows);
    free(loop->ends);
    free(loop);
}

void ls_course_destroy(ls_dataset *dataset)
{
    while (dataset->course.loops)
        forget(dataset->course.loops);
}

static struct ls_loop *create(ls_dataset *dataset)
{
    struct ls_loop *loop = calloc(1, sizeof *loop);
    if (!loop) {
        ls_fail(dataset->context, LS_OUT_OF_MEMORY, "no host memory for a loop over a data set");
        return NULL;
    }
    if (ls_own(dataset->context, loop, destroy) != LS_OK) {
        free(loop);
        return NULL;
    }
    loop->dataset = dataset;
    loop->next = dataset->course.loops;
    dataset->course.loops = loop;
    return loop;
}

/* ---- Drawing an epoch of numbers ahead ---- */

static bool reserve(int64_t **items, int64_t *room, int64_t count)
{
    if (count <= *room)
        return true;
    int64_t wanted = count > 2 * *room ? count : 2 * *room;
    int64_t *grown = realloc(*items, (size_t)wanted * sizeof *grown);
    if (!grown)
        return false;
    *items = grown;
    *room = wanted;
    return true;
}

static bool note(struct ls_loop *loop, const struct ls_block *block)
{
    if (!reserve(&loop->rows, &loop->row_room, loop->row_count + block->row_count) ||
        !reserve(&loop->ends, &loop->batch_room, loop->batch_count + 1))
        return false;
    memcpy(loop->rows + loop->row_count, block->rows, (size_t)block->row_count * sizeof *block->rows);
    loop->row_count += block->row_count;
    loop->ends[loop->batch_count++] = loop->row_count;
    return true;
}

static bool are_consecutive(const int64_t *rows, int64_t count)
{
    for (int64_t i = 1; i < count; i++)
        if (rows[i] != rows[0] + i)
            return false;
    return true;
}

/* A tensor of row numbers. */
static ls_tensor upload(ls_context *ls, const int64_t *rows, int64_t count)
{
    int32_t *numbers = malloc((size_t)count * sizeof *numbers + 1);
    if (!numbers) {
        ls_fail(ls, LS_OUT_OF_MEMORY, "no host memory for the numbers of %lld elements", (long long)count);
        return (ls_tensor){0};
    }
    for (int64_t i = 0; i < count; i++)
        numbers[i] = (int32_t)rows[i];
    ls_tensor uploaded = ls_from_host(ls, LS_INT32, LS_SHAPE(count), numbers);
    free(numbers);
    return uploaded;
}

static void draw_ahead(struct ls_loop *loop)
{
    struct ls_item item = {0};
    enum ls_next next = LS_NEXT_ITEM;
    loop->ahead = true;
    while ((next = ls_iterator_next(loop->iterator, &item, &loop->problem)) == LS_NEXT_ITEM) {
        bool noted = note(loop, item.block);
        ls_item_release(&item);
        if (!noted) {
            ls_problem_set(&loop->problem, LS_OUT_OF_MEMORY, "no host memory for the order of a data set");
            break;
        }
    }
    bool consecutive = true;
    for (int64_t b = 0, begin = 0; consecutive && b < loop->batch_count; begin = loop->ends[b++])
        consecutive = are_consecutive(loop->rows + begin, loop->ends[b] - begin);
    if (!consecutive)
        loop->order = upload(loop->dataset->context, loop->rows, loop->row_count);
}

/* ---- Beginning ---- */

static void begin(struct ls_loop *loop, int64_t resume_at, uint64_t epoch)
{
    ls_dataset *dataset = loop->dataset;
    loop->iterator = ls_iterator_open(dataset, epoch, &loop->problem);
    if (loop->iterator && resume_at > 0 &&
        ls_iterator_skip(loop->iterator, resume_at, &loop->problem) == LS_NEXT_FAILED)
        return;
    bool few = dataset->cardinality >= 0 && dataset->size >= 0 && dataset->size <= most_drawn_ahead &&
               dataset->cardinality <= most_drawn_ahead;
    if (loop->iterator && ls_table_on_device(dataset->table) && few)
        draw_ahead(loop);
}

ls_batch ls_batches_begin(ls_dataset *dataset)
{
    ls_batch batch = {.index = -1};
    if (!dataset || ls_failed(dataset->context))
        return batch;
    if (!dataset->batched) {
        ls_fail(dataset->context, LS_INVALID_ARGUMENT, "the data set is not batched; call ls_dataset_batch first");
        return batch;
    }
    struct ls_course *course = &dataset->course;
    struct ls_loop *loop = create(dataset);
    if (!loop)
        return batch;
    batch.context = dataset->context;
    batch.loop = loop;
    batch.index = course->resume_at - 1;
    course->place = (struct ls_place){.epoch = course->epoch, .taken = course->resume_at};
    course->waited_before = course->waited;
    course->begun = seconds();
    begin(loop, course->resume_at, course->epoch++);
    course->resume_at = 0;
    course->ended = seconds();
    course->waited += course->ended - course->begun;
    return batch;
}

/* ---- Taking ---- */

/* Elements begin..begin+size-1 of the first dimension. */
static ls_tensor rows(ls_tensor a, int64_t begin, int64_t size)
{
    int64_t begins[LS_MAX_RANK] = {begin}, sizes[LS_MAX_RANK] = {size};
    for (int d = 1; d < LS_MAX_RANK; d++)
        sizes[d] = -1;
    return ls_slice(a, begins, sizes, NULL);
}

static void gather(ls_batch *batch, const struct ls_table *table, const int64_t *numbers, int64_t count, int64_t at)
{
    bool consecutive = are_consecutive(numbers, count);
    ls_tensor uploaded = {0};
    if (!consecutive)
        uploaded = ls_is_nil(batch->loop->order) ? upload(batch->context, numbers, count)
                                                 : rows(batch->loop->order, at, count);
    for (int i = 0; i < table->count; i++)
        batch->components[i] = consecutive ? rows(table->tensor[i], count ? numbers[0] : 0, count)
                                           : ls_gather(table->tensor[i], uploaded, 0);
    batch->size = count;
}

static void take_block(ls_batch *batch, const struct ls_block *block)
{
    const struct ls_table *table = batch->loop->dataset->table;
    if (block->rows) {
        gather(batch, table, block->rows, block->row_count, 0);
        return;
    }
    for (int i = 0; i < block->count; i++)
        batch->components[i] =
            ls_from_host(batch->context, block->array[i].dtype, block->array[i].shape, block->array[i].data);
    batch->size = block->array[0].shape.rank > 0 ? block->array[0].shape.dim[0] : 1;
}

/* The next of those that were drawn ahead. */
static bool take_drawn(ls_batch *batch)
{
    struct ls_loop *loop = batch->loop;
    if (loop->given >= loop->batch_count)
        return false;
    int64_t from = loop->given > 0 ? loop->ends[loop->given - 1] : 0;
    gather(batch, loop->dataset->table, loop->rows + from, loop->ends[loop->given] - from, from);
    loop->given++;
    return true;
}

static bool take(ls_batch *batch)
{
    struct ls_loop *loop = batch->loop;
    struct ls_course *course = &loop->dataset->course;
    if (loop->ahead && take_drawn(batch))
        return true;
    struct ls_item item = {0};
    enum ls_next next = LS_NEXT_END;
    double before = seconds();
    if (loop->iterator && !loop->ahead && loop->problem.status == LS_OK)
        next = ls_iterator_next(loop->iterator, &item, &loop->problem);
    course->waited += seconds() - before;
    if (loop->problem.status != LS_OK)
        ls_fail(batch->context, loop->problem.status, "%s", loop->problem.text);
    if (next != LS_NEXT_ITEM)
        return false;
    take_block(batch, item.block);
    ls_item_release(&item);
    return true;
}

void ls_batch_end(ls_batch *batch)
{
    if (!batch->open)
        return;
    batch->open = false;
    ls_scope_end(batch->context);
}

static bool finish(ls_batch *batch)
{
    ls_batch_end(batch);
    struct ls_loop *loop = batch->loop;
    if (loop->dataset) {
        loop->dataset->course.place = (struct ls_place){.epoch = loop->dataset->course.epoch};
        loop->dataset->course.ended = seconds();
    }
    ls_release(&loop->order);
    ls_disown(batch->context, loop);
    destroy(loop);
    batch->loop = NULL;
    return false;
}

bool ls_batch_next(ls_batch *batch)
{
    struct ls_loop *loop = batch->loop;
    if (!loop)
        return false;
    bool left = batch->open; /* by break */
    ls_batch_end(batch);
    if (left || ls_failed(batch->context) || !loop->dataset)
        return finish(batch);
    ls_scope_begin(batch->context);
    batch->open = true;
    memset(batch->components, 0, sizeof batch->components);
    batch->index++;
    if (!take(batch) || ls_failed(batch->context))
        return finish(batch);
    batch->x = batch->components[0];
    batch->y = batch->components[1];
    batch->sample_weight = batch->components[2];
    struct ls_course *course = &loop->dataset->course;
    course->place = (struct ls_place){.epoch = course->epoch - 1, .taken = batch->index + 1};
    course->ended = seconds();
    return true;
}

/* ---- Where it stands, and what it waits for ---- */

ls_status ls_dataset_save_position(const ls_dataset *dataset, ls_dataset_position *position)
{
    if (!dataset || !position)
        return LS_INVALID_ARGUMENT;
    struct ls_place place = dataset->course.place;
    place.signature = dataset->signature;
    place.contents = ls_dataset_contents(dataset);
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
    if (place.signature != dataset->signature)
        return ls_fail(dataset->context, LS_INVALID_ARGUMENT,
                       "dataset_restore_position: this is a position of another pipeline; make the data set as it was "
                       "when the position was saved, with the same steps, sizes and seeds");
    uint32_t contents = place.contents ? ls_dataset_contents(dataset) : 0;
    if (contents && contents != place.contents)
        return ls_fail(
            dataset->context, LS_INVALID_ARGUMENT,
            "dataset_restore_position: the elements are not those of when the position was saved: some would "
            "come twice and others never; restore the data, or begin a new epoch");
    dataset->course.place = place;
    dataset->course.epoch = place.epoch;
    dataset->course.resume_at = place.taken;
    return LS_OK;
}

double ls_dataset_wait_seconds(const ls_dataset *dataset) { return dataset ? dataset->course.waited : 0; }

float ls_dataset_report_waiting(ls_dataset *dataset)
{
    const struct ls_course *course = dataset ? &dataset->course : NULL;
    double waited = course ? course->waited - course->waited_before : 0;
    double whole = course ? course->ended - course->begun : 0, share = whole > 0 ? waited / whole : 0;
    if (whole >= 0.1 && share > 0.2)
        ls_say(
            dataset->context, LS_LOG_WARNING,
            "input-bound: %.0f %% of the step waits for data; ls_dataset_prefetch, more workers in ls_dataset_map, or "
            "ls_dataset_cache may help",
            100 * share);
    return (float)share;
}
