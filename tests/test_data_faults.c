/* SPDX-License-Identifier: Apache-2.0
 *
 * Pipelines while memory or threads are refused: every allocation of the library fails once, in turn, also on the
 * pipelines' own threads, and so does every start of a thread. Each time the loop must end with a status and a
 * message, or give the right elements; nothing may leak (sanitizers watch) or wait for ever.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "failing_memory.h"

/* ---- The linker sends the library's starts of threads here (--wrap) ---- */

static atomic_long thread_countdown; /* 0: none fails */

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument)
{
    return fails(&thread_countdown) ? EAGAIN : __real_pthread_create(thread, attributes, run, argument);
}

/* ---- A pipeline with everything in it ---- */

static char npy_path[] = "/tmp/lockstep-faults-XXXXXX", csv_path[] = "/tmp/lockstep-faults-XXXXXX";

static ls_status grow(void *user, ls_element *e)
{
    (void)user;
    float *out = ls_array_allocate(&e->outputs[0], LS_SHAPE(2));
    if (!out)
        return LS_OUT_OF_MEMORY;
    out[0] = (float)*(const int32_t *)e->inputs[0].data;
    out[1] = 1;
    return LS_OK;
}

static ls_status third(void *user, ls_element *e)
{
    (void)user;
    e->drop = *(const int32_t *)e->inputs[0].data % 3 == 0;
    return LS_OK;
}

static ls_status count(void *user, ls_element *e)
{
    (void)user;
    e->end = e->index == 40;
    *(float *)e->outputs[0].data = (float)e->index;
    return LS_OK;
}

static ls_dataset *make(ls_context *ls)
{
    ls_array pair = {LS_FLOAT32, LS_SHAPE(-1), NULL}, one = {LS_FLOAT32, LS_SCALAR_SHAPE, NULL};
    ls_dataset *a = ls_dataset_from_tensors(ls_arange(ls, 30), (ls_tensor){0});
    a = ls_dataset_filter(ls_dataset_shuffle(a, 8, .seed = 1), third, NULL);
    a = ls_dataset_cache(ls_dataset_map(a, grow, .outputs = &pair, .output_count = 1, .workers = 2, .seed = 1));
    ls_dataset *b = ls_dataset_from_generator(ls, count, NULL, .outputs = &one, .output_count = 1, .seed = 1);
    ls_dataset *c = ls_dataset_concatenate(ls_dataset_from_files(ls, npy_path), ls_dataset_from_csv(ls, csv_path));
    ls_dataset *all = ls_dataset_zip((ls_dataset *[]){ls_dataset_prefetch(a, 3), b, ls_dataset_repeat(c, -1)}, 3);
    return ls_dataset_prefetch(ls_dataset_batch(ls_dataset_repeat(all, 2), 4), 2);
}

static ls_status run(ls_context *ls, float *sum)
{
    *sum = 0;
    ls_scope_begin(ls);
    ls_dataset *d = make(ls), *rows = ls_dataset_from_tensors(ls_arange(ls, 9), (ls_tensor){0});
    for (int epoch = 0; epoch < 2; epoch++) {
        LS_FOR_BATCHES(batch, d) {
            float x[8] = {0}, y[4] = {0}, w[4] = {0};
            ls_read(batch.x, x, 8 * (size_t)batch.size);
            ls_read(batch.y, y, 4 * (size_t)batch.size);
            ls_read(batch.sample_weight, w, 4 * (size_t)batch.size);
            for (int i = 0; i < batch.size; i++)
                *sum = 1.0625f * *sum + x[2 * i] + 2 * y[i] + 3 * w[i];
        }
        LS_FOR_BATCHES(batch, ls_dataset_batch(ls_dataset_shuffle(rows, .seed = 2), 9)) {
            int32_t x[9] = {0};
            ls_read(batch.x, x, sizeof x);
            *sum += (float)x[3];
        }
    }
    ls_status status = ls_error(ls);
    ls_dataset_destroy(&rows);
    ls_scope_end(ls);
    return status;
}

static void refuse_in_turn(atomic_long *counter, const char *what, float truth, int least)
{
    int met = 0, quiet = 0;
    for (long n = 1; n < 4000; n++) {
        float sum = 0;
        ls_context *ls = ls_open("reference");
        atomic_store(counter, n);
        ls_status status = run(ls, &sum);
        bool failed = atomic_exchange(counter, 0) == 0;
        CHECK(status == LS_OK ? sum == truth : failed && status == LS_OUT_OF_MEMORY && *ls_error_message(ls),
              "%s %ld: %s, %g: %s", what, n, ls_status_name(status), (double)sum, ls_error_message(ls));
        quiet += failed && status == LS_OK;
        if (failed) {
            ls_clear_error(ls);
            CHECK(run(ls, &sum) == LS_OK && sum == truth, "%s %ld: afterwards: %s", what, n, ls_error_message(ls));
        }
        CHECK(ls_close(&ls) == LS_OK, "close");
        if (!failed)
            break;
        met++;
    }
    CHECK(met >= least && met < 3999, "%s: %d refused", what, met);
    printf("%s: %d refused in turn, %d of them without harm\n", what, met, quiet);
}

int main(void)
{
    static const char npy[] = "\x93NUMPY\x01\x00\x39\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2,1)}\n"
                              "\0\0\x80\x3f\0\0\0\x40";
    int files[] = {mkstemp(npy_path), mkstemp(csv_path)};
    CHECK(write(files[0], npy, 75) == 75 && write(files[1], "a\n5\n6\n7\n", 8) == 8, "files");
    float truth = 0;
    ls_context *ls = ls_open("reference");
    CHECK(run(ls, &truth) == LS_OK, "%s", ls_error_message(ls));
    CHECK(ls_close(&ls) == LS_OK, "close");
    refuse_in_turn(&host_countdown, "memory", truth, 300);
    refuse_in_turn(&thread_countdown, "threads", truth, 6);
    close(files[0]);
    close(files[1]);
    unlink(npy_path);
    unlink(csv_path);
    return end_of_checks();
}
