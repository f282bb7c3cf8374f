/* SPDX-License-Identifier: Apache-2.0
 *
 * Pipelines: which elements come, in which order, on how many threads; at their ends, in error, and resumed.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check.h"

static ls_context *ls;

enum { MOST = 4096 };

/* What a loop gave: the first component's numbers, and where batches ended. */
struct course {
    int32_t number[MOST];
    int64_t size[MOST];
    int count, batches;
};

static void read_numbers(ls_tensor x, int32_t *numbers, int64_t size)
{
    float floats[MOST];
    if (ls_dtype_of(x) == LS_INT32) {
        ls_read(x, numbers, (size_t)size * sizeof *numbers);
        return;
    }
    ls_read(x, floats, (size_t)size * sizeof *floats);
    for (int64_t i = 0; i < size; i++)
        numbers[i] = (int32_t)floats[i];
}

/* One loop, of at most `most` batches. */
static struct course *go(ls_dataset *dataset, int most)
{
    static struct course courses[8];
    static int next;
    struct course *c = &courses[next++ % 8];
    memset(c, 0, sizeof *c);
    if (most == 0)
        return c;
    LS_FOR_BATCHES(batch, dataset) {
        if (c->count + batch.size > MOST || ls_size(batch.x) != batch.size)
            break;
        read_numbers(batch.x, c->number + c->count, batch.size);
        c->count += (int)batch.size;
        c->size[c->batches++] = batch.size;
        if (c->batches == most)
            break;
    }
    return c;
}

static bool same(const struct course *a, const struct course *b) { return memcmp(a, b, sizeof *a) == 0; }

/* The course of a data set that has to give these numbers. */
#define EXPECT(dataset, ...)                                                                       \
    do {                                                                                           \
        int32_t expected_[] = {__VA_ARGS__};                                                       \
        struct course *c_ = go(dataset, MOST);                                                     \
        CHECK(c_->count == (int)(sizeof expected_ / sizeof *expected_) - 1 &&                      \
                  memcmp(c_->number, expected_ + 1, sizeof expected_ - sizeof *expected_) == 0,    \
              "%d numbers: %d %d %d %d …; %s", c_->count, (int)c_->number[0], (int)c_->number[1],  \
              (int)c_->number[2], (int)c_->number[3], ls_error_message(ls));                       \
    } while (0)
/* So that an empty list can be written, the first number is not compared. */
#define NONE 0

static ls_dataset *range(int64_t n)
{
    ls_dataset *dataset = NULL;
    LS_SCOPE(ls)
        dataset = ls_dataset_from_tensors(ls_arange(ls, n), (ls_tensor){0});
    return dataset;
}

/* ---- Functions of the user ---- */

static ls_status times_ten(void *user, ls_element *e)
{
    (void)user;
    *(int32_t *)e->outputs[0].data = 10 * *(const int32_t *)e->inputs[0].data;
    return LS_OK;
}

static ls_status is_odd(void *user, ls_element *e)
{
    (void)user;
    e->drop = *(const int32_t *)e->inputs[0].data % 2 != 0;
    return LS_OK;
}

static ls_status drop_all(void *user, ls_element *e)
{
    (void)user;
    e->drop = true;
    return LS_OK;
}

static ls_status fails_at(void *user, ls_element *e)
{
    if (e->input_count)
        memcpy(e->outputs[0].data, e->inputs[0].data, 4);
    else
        *(int32_t *)e->outputs[0].data = (int32_t)e->index;
    if (e->index != *(int *)user)
        return LS_OK;
    snprintf(e->message, LS_ELEMENT_MESSAGE, "planted at %lld", (long long)e->index);
    return LS_BAD_FILE;
}

/* Counts from 0 to *user - 1, and adds 100 times the epoch. */
static ls_status count_up(void *user, ls_element *e)
{
    e->end = e->index == *(int *)user;
    if (!e->end)
        *(int32_t *)e->outputs[0].data = (int32_t)(e->index + 100 * (int64_t)e->epoch);
    return LS_OK;
}

static const ls_array one_int = {LS_INT32, {0}, NULL};

/* ---- Each step by itself ---- */

static void test_steps(void)
{
    ls_dataset *ten = range(10), *three = range(3);
    EXPECT(ls_dataset_batch(ls_dataset_take(ten, 4), 3), NONE, 0, 1, 2, 3);
    EXPECT(ls_dataset_batch(ls_dataset_take(ten, -1), 30), NONE, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9);
    EXPECT(ls_dataset_batch(ls_dataset_skip(ten, 7), 2), NONE, 7, 8, 9);
    EXPECT(ls_dataset_batch(ls_dataset_skip(ten, 17), 2), NONE);
    EXPECT(ls_dataset_batch(ls_dataset_skip(ten, -1), 2), NONE);
    EXPECT(ls_dataset_batch(ls_dataset_shard(ten, 3, 1), 2), NONE, 1, 4, 7);
    EXPECT(ls_dataset_batch(ls_dataset_shard(three, 5, 4), 2), NONE);
    EXPECT(ls_dataset_batch(ls_dataset_repeat(three, 3), 4), NONE, 0, 1, 2, 0, 1, 2, 0, 1, 2);
    EXPECT(ls_dataset_repeat(ls_dataset_batch(three, 2), 2), NONE, 0, 1, 2, 0, 1, 2);
    EXPECT(ls_dataset_batch(ls_dataset_take(ls_dataset_repeat(three, -1), 7), 4), NONE, 0, 1, 2, 0, 1, 2, 0);
    EXPECT(ls_dataset_batch(ls_dataset_skip(ls_dataset_repeat(three, 3), 5), 9), NONE, 2, 0, 1, 2);
    EXPECT(ls_dataset_batch(ls_dataset_concatenate(three, ls_dataset_skip(ten, 8)), 2), NONE, 0, 1, 2, 8, 9);
    EXPECT(ls_dataset_batch(ls_dataset_concatenate(three, three), 4), NONE, 0, 1, 2, 0, 1, 2);
    EXPECT(ls_dataset_batch(ls_dataset_map(ten, times_ten), 4), NONE, 0, 10, 20, 30, 40, 50, 60, 70, 80, 90);
    EXPECT(ls_dataset_batch(ls_dataset_filter(ten, is_odd, NULL), 4), NONE, 0, 2, 4, 6, 8);
    EXPECT(ls_dataset_batch(ls_dataset_filter(ls_dataset_map(three, times_ten), drop_all, NULL), 4), NONE);
    EXPECT(ls_dataset_batch(ls_dataset_prefetch(ls_dataset_filter(ten, is_odd, NULL), 2), 4), NONE, 0, 2, 4, 6, 8);
    EXPECT(ls_dataset_skip(ls_dataset_batch(ten, 4, .drop_remainder = true), 1), NONE, 4, 5, 6, 7);
    EXPECT(ls_dataset_shard(ls_dataset_batch(ten, 2), 2, 1), NONE, 2, 3, 6, 7);
    EXPECT(ls_dataset_batch(ls_dataset_repeat(three, 0), 2), NONE);
    EXPECT(ls_dataset_batch(ls_dataset_take(three, 0), 2), NONE);
    EXPECT(ls_dataset_batch(ls_dataset_repeat(ls_dataset_take(three, 0), 5), 2), NONE);
    EXPECT(ls_dataset_take(ls_dataset_batch(ls_dataset_shuffle(range(0), 5), 2), 2), NONE);

    ls_dataset *batched = ls_dataset_repeat(ls_dataset_batch(ten, 4), 3);
    CHECK(ls_dataset_size(batched) == 10 && ls_dataset_batches(batched) == 9, "sizes after batch");
    CHECK(ls_dataset_size(ls_dataset_filter(ten, is_odd, NULL)) == LS_UNKNOWN_CARDINALITY, "filter");
    CHECK(ls_dataset_size(ls_dataset_repeat(ten, -1)) == LS_INFINITE_CARDINALITY, "repeat");
    CHECK(ls_dataset_size(ls_dataset_take(ls_dataset_repeat(ten, -1), 4)) == 4, "take of repeat");
    CHECK(ls_dataset_size(ls_dataset_repeat(ls_dataset_repeat(ten, INT64_MAX), INT64_MAX)) == INT64_MAX, "overflow");
    CHECK(ls_dataset_size(ls_dataset_shard(ten, 3, 0)) == 4 && ls_dataset_size(ls_dataset_shard(ten, 3, 1)) == 3, "shard");
    CHECK(ls_dataset_size(ls_dataset_concatenate(ten, three)) == 13, "concatenate");
    CHECK(ls_dataset_components(batched) == 1 && ls_dataset_component(batched, 0).shape.rank == 1 &&
          ls_dataset_component(batched, 0).shape.dim[0] == -1 && ls_dataset_component(batched, 1).shape.rank == 0, "spec");
    CHECK(ls_error(ls) == LS_OK, "%s", ls_error_message(ls));
}

static void test_zip(void)
{
    ls_dataset *x = ls_dataset_map(range(5), times_ten);
    ls_dataset *all = ls_dataset_zip((ls_dataset *[]){x, range(7), ls_dataset_repeat(range(2), -1)}, 3);
    CHECK(ls_dataset_size(all) == 5 && ls_dataset_components(all) == 3, "the shortest decides");
    LS_FOR_BATCHES(batch, ls_dataset_batch(all, 5)) {
        int32_t got[3][5] = {{0}};
        ls_read(batch.x, got[0], 20);
        ls_read(batch.y, got[1], 20);
        ls_read(batch.sample_weight, got[2], 20);
        for (int i = 0; i < 5; i++)
            CHECK(got[0][i] == 10 * i && got[1][i] == i && got[2][i] == i % 2, "element %d", i);
    }
    ls_tensor parts[] = {ls_arange(ls, 4), ls_ones(ls, LS_FLOAT32, LS_SHAPE(4, 2)), ls_ones(ls, LS_UINT8, LS_SHAPE(4)),
                         ls_zeros(ls, LS_BOOL, LS_SHAPE(4, 1, 1))};
    LS_FOR_BATCHES(batch, ls_dataset_batch(ls_dataset_shuffle(ls_dataset_from_tensor_slices(parts, 4), .seed = 1), 4))
        CHECK(ls_dtype_of(batch.components[3]) == LS_BOOL && ls_shape_of_tensor(batch.components[3]).rank == 3 &&
              ls_dtype_of(batch.sample_weight) == LS_UINT8 && ls_is_nil(batch.components[4]), "four components");
    CHECK(ls_error(ls) == LS_OK, "%s", ls_error_message(ls));
    for (int i = 0; i < 4; i++)
        ls_release(&parts[i]);
}

static void test_generator(void)
{
    int n = 5;
    ls_dataset *made = ls_dataset_from_generator(ls, count_up, &n, .outputs = &one_int, .output_count = 1);
    EXPECT(ls_dataset_batch(ls_dataset_repeat(made, 2), 3), NONE, 0, 1, 2, 3, 4, 100, 101, 102, 103, 104);
    CHECK(ls_dataset_size(made) == LS_UNKNOWN_CARDINALITY, "size");
    ls_dataset *known = ls_dataset_from_generator(ls, count_up, &n, .outputs = &one_int, .output_count = 1, .cardinality = 4);
    EXPECT(ls_dataset_batch(known, 9), NONE, 0, 1, 2, 3);
    known = ls_dataset_from_generator(ls, count_up, &n, .outputs = &one_int, .output_count = 1, .cardinality = 6);
    go(ls_dataset_batch(known, 2), MOST);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "ended after 5 elements");
    /* Cached: only the first epoch of the generator is ever seen. */
    ls_dataset *cached = ls_dataset_batch(ls_dataset_cache(made), 2);
    for (int epoch = 0; epoch < 3; epoch++)
        EXPECT(cached, NONE, 0, 1, 2, 3, 4);
    int at = 3;
    for (int workers = 0; workers < 5; workers += 2) {
        struct course *c = go(ls_dataset_batch(ls_dataset_map(ls_dataset_map(range(9), times_ten), fails_at, &at,
                                                              .workers = workers), 2), MOST);
        CHECK(c->count == 2, "%d elements before the error", c->count);
        CHECK_ERROR(ls, LS_BAD_FILE, "dataset_map: element 3: planted at 3");
        c = go(ls_dataset_prefetch(ls_dataset_batch(ls_dataset_from_generator(ls, fails_at, &at, .outputs = &one_int,
                                                                              .output_count = 1), 1), 8), MOST);
        CHECK(c->count == 3, "%d elements before the error", c->count);
        CHECK_ERROR(ls, LS_BAD_FILE, "dataset_from_generator: element 3: planted at 3");
    }
}

/* Elements (index % 3 + 1, 2). */
static ls_status ragged(void *user, ls_element *e)
{
    (void)user;
    int64_t rows = e->index % 3 + 1;
    float *data = ls_array_allocate(&e->outputs[0], LS_SHAPE(rows, 2));
    for (int64_t i = 0; data && i < 2 * rows; i++)
        data[i] = (float)i;
    return data ? LS_OK : LS_OUT_OF_MEMORY;
}

static ls_status forgets(void *user, ls_element *e)
{
    (void)user;
    CHECK(!e->outputs[0].data && !ls_array_allocate(&e->outputs[0], LS_SHAPE(2, 3)), "a shape that was not declared");
    return LS_OK;
}

static void test_shapes(void)
{
    ls_array rows = {LS_FLOAT32, LS_SHAPE(-1, 2), NULL};
    ls_dataset *made = ls_dataset_from_generator(ls, ragged, NULL, .outputs = &rows, .output_count = 1, .cardinality = 9);
    int64_t seen = 0;
    LS_FOR_BATCHES(batch, ls_dataset_batch(made, 1))
        seen += ls_shape_of_tensor(batch.x).dim[1];
    CHECK(seen == 18 && ls_error(ls) == LS_OK, "%lld rows; %s", (long long)seen, ls_error_message(ls));
    LS_FOR_BATCHES(batch, ls_dataset_batch(made, 2)) { }
    CHECK_ERROR(ls, LS_SHAPE_MISMATCH, "component 0 of element 1 is (2, 2), but of element 0, in the same batch, (1, 2)");
    made = ls_dataset_from_generator(ls, forgets, NULL, .outputs = &rows, .output_count = 1);
    LS_FOR_BATCHES(batch, ls_dataset_batch(made, 2)) { }
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "ls_array_allocate");
}

/* ---- Threads decide nothing ---- */

/* Takes longer for some elements, so that workers overtake each other. */
static ls_status slow(void *user, ls_element *e)
{
    (void)user;
    struct timespec pause = {0, (long)(e->random % 200) * 1000};
    nanosleep(&pause, NULL);
    *(int32_t *)e->outputs[0].data = *(const int32_t *)e->inputs[0].data * 1000 + (int32_t)(e->random >> 32) % 1000;
    return LS_OK;
}

static ls_dataset *threaded(int workers, int ahead)
{
    ls_dataset *d = ls_dataset_filter(ls_dataset_shuffle(range(203), 31, .seed = 4), is_odd, NULL);
    d = ls_dataset_map(d, slow, .workers = workers, .seed = 9);
    d = ahead ? ls_dataset_prefetch(d, ahead) : d;
    d = ls_dataset_batch(ls_dataset_map(ls_dataset_repeat(d, 2), times_ten, .workers = workers, .seed = 9), 7);
    return ahead ? ls_dataset_prefetch(d, ahead) : d;
}

static void test_threads(void)
{
    ls_dataset *plain = threaded(0, 0);
    struct course first = *go(plain, MOST), second = *go(plain, MOST);
    CHECK(first.count == 204 && !same(&first, &second), "%d elements; %s", first.count, ls_error_message(ls));
    static const int workers[] = {1, 2, 7}, ahead[] = {0, 1, 5};
    for (int w = 0; w < 3; w++)
        for (int a = 0; a < 3; a++) {
            ls_dataset *d = threaded(workers[w], ahead[a]);
            CHECK(same(&first, go(d, MOST)), "%d workers, %d ahead: another first epoch", workers[w], ahead[a]);
            CHECK(same(&second, go(d, MOST)), "%d workers, %d ahead: another second epoch", workers[w], ahead[a]);
            go(d, 3); /* left while threads run */
            LS_FOR_BATCHES(batch, d) {
                ls_dataset_destroy(&d);
                CHECK(!d && ls_size(batch.x) == 7, "the batch at hand outlives the data set");
            }
        }
    ls_dataset *open = threaded(2, 2);
    ls_batch left = ls_batches_begin(open);
    CHECK(ls_batch_next(&left), "a loop that nobody ends");
    ls_batch_end(&left);
    CHECK(ls_error(ls) == LS_OK, "%s", ls_error_message(ls));
}

/* ---- Positions ---- */

static int five = 5;

static ls_dataset *pipeline(int which, int workers)
{
    ls_dataset *d = range(57), *made = ls_dataset_from_generator(ls, count_up, &five, .outputs = &one_int,
                                                                 .output_count = 1, .seed = 1);
    switch (which) {
    case 0: d = ls_dataset_shuffle(d, 20, .seed = 5); break;
    case 1: d = ls_dataset_repeat(ls_dataset_shuffle(d, .seed = 5), 2); break;
    case 2: d = ls_dataset_map(ls_dataset_filter(ls_dataset_shuffle(d, .seed = 5), is_odd, NULL), slow, .seed = 1,
                               .workers = workers); break;
    case 3: d = ls_dataset_concatenate(ls_dataset_shuffle(d, 7, .seed = 5), ls_dataset_shuffle(range(11), .seed = 6)); break;
    case 4: d = ls_dataset_repeat(made, 9); break;
    case 5: d = ls_dataset_zip((ls_dataset *[]){d, ls_dataset_shuffle(ls_dataset_repeat(made, -1), 7, .seed = 5)}, 2); break;
    case 6: d = ls_dataset_cache(ls_dataset_map(ls_dataset_shuffle(d, .seed = 5), slow, .seed = 3, .workers = workers)); break;
    case 7: d = ls_dataset_shard(ls_dataset_take(ls_dataset_skip(ls_dataset_repeat(ls_dataset_shuffle(d, .seed = 5), -1), 13),
                                                 95), 3, 2); break;
    case 8: d = ls_dataset_shuffle(ls_dataset_concatenate(made, ls_dataset_repeat(made, 6)), 4, .seed = 5); break;
    case 9: d = ls_dataset_repeat(ls_dataset_cache(ls_dataset_shuffle(d, .seed = 5)), 2); break;
    }
    d = ls_dataset_batch(d, 6);
    if (which % 2)
        d = ls_dataset_shard(ls_dataset_skip(ls_dataset_repeat(d, 3), 1), 2, 1);
    return workers ? ls_dataset_prefetch(d, workers) : d;
}

enum { PIPELINES = 10 };

static void test_positions(void)
{
    for (int which = 0; which < PIPELINES; which++) {
        ls_dataset *d = pipeline(which, which % 3);
        go(d, MOST);
        struct course second = *go(d, MOST), third = *go(d, MOST);
        CHECK(second.batches > 3 && ls_error(ls) == LS_OK, "pipeline %d: %d batches", which, second.batches);
        for (int stop = 0; stop <= second.batches; stop++) {
            ls_dataset_position position = {{0}};
            ls_dataset *again = pipeline(which, 2), *resumed = pipeline(which, stop % 4);
            go(again, MOST);
            int at = 0, n = 0;
            if (stop == 0)
                ls_dataset_save_position(again, &position);
            LS_FOR_BATCHES(batch, again) {
                if (stop == 0)
                    break;
                at += (int)batch.size;
                if (++n == stop) {
                    ls_dataset_save_position(again, &position);
                    break;
                }
            }
            CHECK(ls_dataset_restore_position(resumed, &position) == LS_OK, "%s", ls_error_message(ls));
            struct course *rest = go(resumed, MOST);
            CHECK(rest->count == second.count - at &&
                  memcmp(rest->number, second.number + at, (size_t)rest->count * sizeof *rest->number) == 0,
                  "pipeline %d, resumed after %d batches: %d elements, not %d, or others", which, stop, rest->count,
                  second.count - at);
            CHECK(same(go(resumed, MOST), &third), "pipeline %d, resumed after %d batches: the epoch after", which, stop);
            ls_dataset_destroy(&again);
            ls_dataset_destroy(&resumed);
        }
        ls_dataset_position position;
        ls_dataset_save_position(d, &position);
        ls_dataset_restore_position(pipeline((which + 1) % PIPELINES, 0), &position);
        CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "another pipeline");
    }
}

/* ---- What must not hang, and what is refused ---- */

static void test_endless(void)
{
    ls_dataset *none = ls_dataset_filter(range(3), drop_all, NULL);
    go(ls_dataset_batch(ls_dataset_repeat(none, -1), 2), MOST);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "would never end");
    go(ls_dataset_batch(ls_dataset_repeat(range(0), -1), 2), MOST);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "would never end");
    EXPECT(ls_dataset_batch(ls_dataset_repeat(none, INT64_MAX), 2), NONE);
    go(ls_dataset_batch(ls_dataset_filter(ls_dataset_repeat(range(3), -1), drop_all, NULL), 2), MOST);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "dropped every element");
    ls_dataset *mixed = ls_dataset_prefetch(ls_dataset_shuffle(ls_dataset_repeat(range(3), -1), 50, .seed = 1), 4);
    go(ls_dataset_batch(ls_dataset_filter(mixed, drop_all, NULL), 2), MOST);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "dropped every element");
    /* One in a thousand is kept: that is not nothing. */
    ls_dataset *rare = ls_dataset_concatenate(ls_dataset_map(range(999), times_ten), range(1));
    CHECK(go(ls_dataset_batch(ls_dataset_filter(ls_dataset_shuffle(ls_dataset_repeat(rare, -1), 500, .seed = 1), is_odd, NULL),
                              20), 30)->batches == 30, "%s", ls_error_message(ls));
    struct course *forever = go(ls_dataset_batch(ls_dataset_repeat(ls_dataset_shuffle(range(4), .seed = 3), -1), 4), 40);
    CHECK(forever->batches == 40 && memcmp(forever->number, forever->number + 4, 80) != 0, "for ever, in one order");
    go(ls_dataset_batch(ls_dataset_take(ls_dataset_repeat(range(4), -1), INT64_MAX), 1000), 1);
    CHECK(ls_error(ls) == LS_OK, "%s", ls_error_message(ls));
}

static void test_refusals(void)
{
    ls_dataset *d = range(4), *batched = ls_dataset_batch(d, 2);
    int at = -1;
    ls_dataset_shard(d, 2, 2);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "part 2 of 2");
    ls_dataset_prefetch(d, 0);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "buffer_size 0");
    ls_dataset_shuffle(ls_dataset_repeat(d, -1));
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "give a buffer_size");
    ls_dataset_shuffle(d, -1);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "buffer_size -1");
    ls_dataset_cache(ls_dataset_repeat(d, -1));
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "cache before");
    ls_dataset_map(d, NULL);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "function is NULL");
    ls_dataset_map(d, times_ten, .workers = 1000);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "1000 workers");
    ls_dataset_map(d, times_ten, .outputs = &one_int);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "not 0");
    ls_dataset_filter(d, NULL, NULL);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "predicate is NULL");
    ls_dataset_from_generator(ls, NULL);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "next is NULL");
    ls_dataset_from_generator(ls, fails_at, &at);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "outputs is NULL");
    ls_dataset_concatenate(d, batched);
    CHECK_ERROR(ls, LS_SHAPE_MISMATCH, "only one is batched");
    ls_dataset_zip((ls_dataset *[]){d, batched}, 2);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "one is batched");
    ls_dataset_zip((ls_dataset *[]){d, d, d, d, d, d, d, d, d}, 9);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "9 components");
    ls_context *other = ls_open("reference");
    ls_dataset *foreign = ls_dataset_from_tensors(ls_arange(other, 4), (ls_tensor){0});
    ls_dataset_concatenate(d, foreign);
    CHECK_ERROR(ls, LS_FOREIGN_HANDLE, "different contexts");
    ls_tensor parts[] = {ls_arange(ls, 4), {0}};
    ls_dataset_from_tensor_slices(parts, 2);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "component 1 is nil");
    ls_release(&parts[0]);
    ls_close(&other);
    ls_dataset *nothing = NULL;
    CHECK(!ls_dataset_take(NULL, 1) && !ls_dataset_zip(&nothing, 1) && !ls_dataset_concatenate(d, NULL) &&
          !ls_dataset_repeat(NULL, 1) && !ls_dataset_cache(NULL) && !ls_dataset_prefetch(NULL, 0) &&
          !ls_dataset_map(NULL, times_ten) && !ls_dataset_filter(NULL, is_odd, NULL) && !ls_dataset_shard(NULL, 0, 0) &&
          ls_error(ls) == LS_OK, "NULL");
}

/* ---- Waiting ---- */

static char last_message[512];

static void note(void *user, ls_log_level level, const char *message)
{
    (void)user;
    if (level == LS_LOG_WARNING)
        snprintf(last_message, sizeof last_message, "%s", message);
}

static ls_status takes_long(void *user, ls_element *e)
{
    (void)user;
    nanosleep(&(struct timespec){0, 20000000}, NULL);
    return times_ten(NULL, e);
}

static void test_waiting(void)
{
    ls_set_log(ls, LS_LOG_WARNING, note, NULL);
    ls_dataset *slow_set = ls_dataset_batch(ls_dataset_map(range(8), takes_long), 1), *quick = ls_dataset_batch(range(8), 1);
    float share = 0;
    for (int attempt = 0; attempt < 5 && !(share > 0.5f); attempt++) { /* the machine may be busy with other things */
        go(slow_set, MOST);
        share = ls_dataset_report_waiting(slow_set);
    }
    CHECK(share > 0.5f && share <= 1 && strstr(last_message, "input-bound: "), "%g: %s", (double)share, last_message);
    CHECK(ls_dataset_wait_seconds(slow_set) >= 0.16, "%g s", ls_dataset_wait_seconds(slow_set));
    for (int attempt = 0; attempt < 5 && !(share < 0.2f); attempt++) {
        last_message[0] = '\0';
        LS_FOR_BATCHES(batch, quick)
            nanosleep(&(struct timespec){0, 20000000}, NULL);
        share = ls_dataset_report_waiting(quick);
    }
    CHECK(share < 0.2f && !last_message[0], "%g: %s", (double)share, last_message);
    CHECK(ls_dataset_report_waiting(NULL) == 0, "NULL");
    ls_set_log(ls, LS_LOG_ERROR, NULL, NULL);
}

/* ---- fit: weights from a data set are weights from a tensor ---- */

static ls_fingerprint_text fitted(const char *device, bool as_dataset)
{
    ls_context *own = ls_open(device);
    ls_set_random_seed(own, 3);
    ls_model *model = ls_sequential(own, "weighted", (ls_layer *[]){ls_dense(own, 4, .activation = LS_TANH), ls_dense(own, 2), NULL});
    ls_compile(model, ls_adam(own, .learning_rate = 0.01f), {ls_sparse_categorical_crossentropy_with, .from_logits = true});
    ls_tensor x = ls_random_normal(own, LS_SHAPE(20, 3), 0, 1), y = ls_cast(ls_greater(ls_random_normal(own, LS_SHAPE(20), 0, 1),
                                                                                       ls_scalar(own, 0)), LS_INT32);
    ls_tensor parts[] = {x, y, ls_random_uniform(own, LS_SHAPE(20), 0, 2)};
    if (as_dataset)
        ls_fit(model, ls_dataset_prefetch(ls_dataset_batch(ls_dataset_from_tensor_slices(parts, 3), 6), 2), .epochs = 2);
    else
        ls_fit(model, .x = x, .y = y, .sample_weight = parts[2], .batch_size = 6, .no_shuffle = true, .epochs = 2);
    ls_fingerprint_text text = ls_fingerprint_model(model);
    CHECK(ls_error(own) == LS_OK, "%s", ls_error_message(own));
    ls_close(&own);
    return text;
}

static void test_weights(const char *device)
{
    ls_fingerprint_text a = fitted(device, false), b = fitted(device, true);
    CHECK(strcmp(a.text, b.text) == 0, "%s and %s", a.text, b.text);
}

int main(int argc, char **argv)
{
    ls = ls_open(argc > 1 ? argv[1] : "reference");
    LS_SCOPE(ls) {
        test_steps();
        test_zip();
        test_generator();
        test_shapes();
        test_threads();
        test_positions();
        test_endless();
        test_refusals();
        test_waiting();
    }
    CHECK(ls_error(ls) == LS_OK, "%s", ls_error_message(ls));
    CHECK(ls_close(&ls) == LS_OK, "close");
    test_weights(argc > 1 ? argv[1] : "reference");
    return end_of_checks();
}
