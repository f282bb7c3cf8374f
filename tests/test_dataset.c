/* SPDX-License-Identifier: Apache-2.0
 *
 * Data sets: their order, their batches, and the loop over them.
 */
#include <string.h>

#include "check.h"

static ls_context *ls;

enum { COUNT = 1001 };

/* x = 0, 1, …, COUNT - 1 and y = x + 7. */
static ls_dataset *make_numbers(void)
{
    ls_tensor x = ls_arange(ls, COUNT), y = ls_add(x, ls_int_scalar(ls, 7));
    return ls_dataset_from_tensors(x, y);
}

/* Writes the x of one epoch to `order`; returns how many there were. Checks that y belongs to x. */
static size_t read_epoch(ls_dataset *dataset, int32_t order[COUNT])
{
    size_t count = 0;
    LS_FOR_BATCHES(batch, dataset) {
        int32_t y[COUNT];
        size_t bytes = (size_t)batch.size * sizeof *y;
        if (count + (size_t)batch.size > COUNT || ls_read(batch.x, order + count, bytes) != LS_OK ||
            ls_read(batch.y, y, bytes) != LS_OK)
            break;
        for (int64_t i = 0; i < batch.size; i++)
            if (y[i] != order[count + (size_t)i] + 7)
                return 0;
        count += (size_t)batch.size;
    }
    return count;
}

static bool is_permutation(const int32_t order[COUNT])
{
    bool seen[COUNT] = {false};
    for (int i = 0; i < COUNT; i++) {
        if (order[i] < 0 || order[i] >= COUNT || seen[order[i]])
            return false;
        seen[order[i]] = true;
    }
    return true;
}

static void test_shuffle(void)
{
    static int32_t first[COUNT], second[COUNT], other[COUNT];
    ls_dataset *plain = make_numbers();
    CHECK(read_epoch(ls_dataset_batch(plain, 64), first) == COUNT, "an epoch in order");
    for (int i = 0; i < COUNT; i++)
        CHECK(first[i] == i, "unshuffled, element %d is %d", i, (int)first[i]);

    ls_dataset *shuffled = ls_dataset_batch(ls_dataset_shuffle(plain, .seed = 42), 64);
    CHECK(read_epoch(shuffled, first) == COUNT && is_permutation(first), "the first epoch is no permutation");
    CHECK(read_epoch(shuffled, second) == COUNT && is_permutation(second), "the second epoch is no permutation");
    CHECK(memcmp(first, second, sizeof first) != 0, "two epochs in one order");
    /* Known answers: the order is a function of seed and epoch for ever. */
    CHECK(first[0] == 408 && first[1] == 355 && first[COUNT - 1] == 933, "%d %d … %d", (int)first[0],
          (int)first[1], (int)first[COUNT - 1]);

    ls_dataset *again = ls_dataset_batch(ls_dataset_shuffle(plain, .seed = 42), 10);
    CHECK(read_epoch(again, other) == COUNT && memcmp(first, other, sizeof first) == 0, "another order, first epoch");
    CHECK(read_epoch(again, other) == COUNT && memcmp(second, other, sizeof second) == 0, "another order, second");
    again = ls_dataset_batch(ls_dataset_shuffle(plain, .seed = 43), 64);
    CHECK(read_epoch(again, other) == COUNT && memcmp(first, other, sizeof first) != 0, "seeds 42 and 43 are the same");
    again = ls_dataset_batch(ls_dataset_shuffle(plain, .seed = 42, .same_every_epoch = true), 64);
    read_epoch(again, other);
    CHECK(read_epoch(again, other) == COUNT && memcmp(first, other, sizeof first) == 0, "not the same every epoch");

    again = ls_dataset_batch(ls_dataset_shuffle(plain, 50, .seed = 42), 64);
    CHECK(read_epoch(again, other) == COUNT && is_permutation(other), "a window of 50 is no permutation");
    for (int i = 0; i < COUNT; i++)
        CHECK(other[i] < i + 50, "element %d comes at %d, before it is in the window", (int)other[i], i);

    ls_set_random_seed(ls, 5);
    read_epoch(ls_dataset_batch(ls_dataset_shuffle(plain), 64), first);
    ls_set_random_seed(ls, 5);
    read_epoch(ls_dataset_batch(ls_dataset_shuffle(plain), 64), second);
    read_epoch(ls_dataset_batch(ls_dataset_shuffle(plain), 64), other);
    CHECK(memcmp(first, second, sizeof first) == 0, "the context's seed does not decide");
    CHECK(memcmp(first, other, sizeof first) != 0, "two data sets drew one seed");
}

static void test_batches(void)
{
    ls_dataset *plain = make_numbers(), *batched = ls_dataset_batch(plain, 100);
    ls_dataset *full = ls_dataset_batch(plain, 100, .drop_remainder = true);
    CHECK(ls_dataset_size(batched) == COUNT && ls_dataset_batches(batched) == 11, "with the remainder");
    CHECK(ls_dataset_batches(full) == 10 && ls_dataset_batches(plain) == 0, "without it, and not batched");
    static int32_t order[COUNT];
    CHECK(read_epoch(full, order) == 1000, "drop_remainder");
    size_t before = ls_get_stats(ls).live_tensors;
    int64_t seen = 0, size = 0;
    LS_FOR_BATCHES(batch, batched) {
        ls_neg(batch.x);
        seen++;
        size += batch.size;
        if (batch.index < 3)
            continue;
        if (batch.index == 5)
            break;
    }
    CHECK(seen == 6 && size == 600, "break after %lld batches", (long long)seen);
    CHECK(ls_get_stats(ls).live_tensors == before, "break leaves tensors");
    LS_FOR_BATCHES(outer, batched)
        LS_FOR_BATCHES(inner, batched)
            seen++;
    CHECK(seen == 6 + 121 && ls_get_stats(ls).live_tensors == before, "nested loops");
    ls_tensor kept = {0};
    LS_FOR_BATCHES(batch, batched)
        if (batch.index == 10)
            kept = ls_keep(batch.x);
    CHECK(ls_size(kept) == 1, "the last batch, kept");
    ls_release(&kept);

    ls_tensor nil = {0};
    ls_dataset *only_x = ls_dataset_batch(ls_dataset_from_tensors(ls_ones(ls, LS_UINT8, LS_SHAPE(5, 2, 3)), nil), 2);
    LS_FOR_BATCHES(batch, only_x)
        CHECK(ls_is_nil(batch.y) && ls_shape_of_tensor(batch.x).rank == 3 && ls_dtype_of(batch.x) == LS_UINT8, "no y");
    ls_dataset *none = ls_dataset_batch(ls_dataset_shuffle(ls_dataset_from_tensors(ls_arange(ls, 0), nil)), 2);
    CHECK(none && ls_dataset_batches(none) == 0, "no elements");
    LS_FOR_BATCHES(batch, none)
        CHECK(false, "a batch of nothing");
    CHECK(ls_error(ls) == LS_OK, "%s", ls_error_message(ls));

    LS_FOR_BATCHES(batch, plain)
        CHECK(false, "a batch of what was not batched");
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "not batched");
    ls_dataset_shuffle(batched);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "before ls_dataset_batch");
    ls_dataset_batch(plain, 0);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "at least 1");
    ls_dataset_from_tensors(ls_arange(ls, 3), ls_arange(ls, 4));
    CHECK_ERROR(ls, LS_SHAPE_MISMATCH, "(3,)");
    LS_FOR_BATCHES(batch, ls_dataset_batch(ls_dataset_shuffle(NULL), 3))
        CHECK(false, "a batch of NULL");
    CHECK(ls_error(ls) == LS_OK, "%s", ls_error_message(ls));

    ls_dataset_destroy(&full);
    CHECK(read_epoch(batched, order) == COUNT, "the elements outlive one of their data sets");
    ls_dataset_destroy(&plain);
    ls_dataset_destroy(&batched);
    CHECK(!batched && ls_error(ls) == LS_OK, "%s", ls_error_message(ls));
}

static void test_position(void)
{
    static int32_t whole[3][COUNT], resumed[COUNT];
    ls_dataset *plain = make_numbers(), *first = ls_dataset_batch(ls_dataset_shuffle(plain, 99, .seed = 3), 10);
    ls_dataset *second = ls_dataset_batch(ls_dataset_shuffle(plain, 99, .seed = 3), 10);
    ls_dataset_position middle = {{0}}, end = {{0}}, bad;
    for (int epoch = 0; epoch < 3; epoch++) {
        size_t count = 0;
        LS_FOR_BATCHES(batch, first) {
            ls_read(batch.x, whole[epoch] + count, (size_t)batch.size * 4);
            count += (size_t)batch.size;
            if (epoch == 1 && batch.index == 36)
                ls_dataset_save_position(first, &middle);
        }
        if (epoch == 1)
            ls_dataset_save_position(first, &end);
    }
    CHECK(ls_dataset_restore_position(second, &middle) == LS_OK, "%s", ls_error_message(ls));
    int64_t index = 37;
    LS_FOR_BATCHES(batch, second) {
        CHECK(batch.index == index, "batch %lld, not %lld", (long long)batch.index, (long long)index);
        ls_read(batch.x, resumed + 10 * index++, (size_t)batch.size * 4);
    }
    CHECK(memcmp(resumed + 370, whole[1] + 370, (COUNT - 370) * 4) == 0, "other elements after the middle");
    CHECK(read_epoch(second, resumed) == COUNT && memcmp(resumed, whole[2], sizeof resumed) == 0, "the epoch after it");
    CHECK(ls_dataset_restore_position(second, &end) == LS_OK && read_epoch(second, resumed) == COUNT &&
          memcmp(resumed, whole[2], sizeof resumed) == 0, "from the end of an epoch");

    for (int bit = 0; bit < 8 * LS_POSITION_BYTES; bit++) {
        bad = middle;
        bad.bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        CHECK(ls_dataset_restore_position(second, &bad) == LS_BAD_FILE, "bit %d", bit);
        ls_clear_error(ls);
    }
    ls_dataset_restore_position(ls_dataset_batch(ls_dataset_shuffle(plain, 99, .seed = 4), 10), &middle);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "another pipeline");
    ls_tensor x = ls_arange(ls, COUNT);
    ls_dataset *changed = ls_dataset_from_tensors(x, ls_add(x, ls_int_scalar(ls, 8)));
    ls_dataset_restore_position(ls_dataset_batch(ls_dataset_shuffle(changed, 99, .seed = 3), 10), &middle);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "elements are not those");
    CHECK(ls_dataset_save_position(NULL, &bad) == LS_INVALID_ARGUMENT, "NULL");
    CHECK(ls_dataset_wait_seconds(first) > 0 && ls_dataset_report_waiting(first) > 0, "no time was spent");
}

static void test_synthetic(void)
{
    ls_dataset *train, *test;
    ls_synthetic_images(ls, 1, &train, NULL, &test);
    CHECK(ls_dataset_size(train) == 60000 && ls_dataset_size(test) == 10000, "sizes");
    LS_FOR_BATCHES(batch, ls_dataset_batch(test, 1000)) {
        ls_fingerprint_text images = ls_fingerprint((ls_tensor[]){ls_cast(batch.x, LS_INT32), batch.y}, 2);
        CHECK(strcmp(images.text, "ls1:333e67ec91f8814b") == 0, "other images: %s", images.text);
        break;
    }
    ls_dataset_destroy(&train);
    ls_dataset_destroy(&test);
}

int main(int argc, char **argv)
{
    ls = ls_open(argc > 1 ? argv[1] : "reference");
    LS_SCOPE(ls) {
        test_shuffle();
        test_batches();
        test_position();
        test_synthetic();
    }
    CHECK(ls_error(ls) == LS_OK, "%s", ls_error_message(ls));
    CHECK(ls_close(&ls) == LS_OK, "close");
    return end_of_checks();
}
