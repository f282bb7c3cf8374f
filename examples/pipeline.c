/* SPDX-License-Identifier: Apache-2.0
 *
 * Input pipelines, the role of tf.data, on threads; the order is a function of the seeds. Training that is
 * interrupted goes on from a saved position as if nothing had happened.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <lockstep/lockstep.h>

enum { POINTS = 1500, BATCH = 50, EPOCHS = 3 };

/* In [-1, 1), from 16 bits of an element's random number. */
static float uniform(uint64_t random, int at) { return (float)(random >> 16 * at & 0xffff) / 32768 - 1; }

/* A point (2,), and whether it is inside of a circle (). */
static ls_status make_point(void *user, ls_element *e)
{
    (void)user;
    float *point = e->outputs[0].data;
    point[0] = uniform(e->random, 0), point[1] = uniform(e->random, 1);
    *(int32_t *)e->outputs[1].data = point[0] * point[0] + point[1] * point[1] < 0.5f;
    return LS_OK;
}

/* Points near the circle are left out. */
static ls_status is_clear(void *user, ls_element *e)
{
    const float *point = e->inputs[0].data;
    e->drop = fabsf(point[0] * point[0] + point[1] * point[1] - 0.5f) < *(const float *)user;
    return LS_OK;
}

/* Runs on the workers: another small movement in every epoch. */
static ls_status jitter(void *user, ls_element *e)
{
    const float *point = e->inputs[0].data, most = *(const float *)user;
    for (int i = 0; i < 2; i++)
        ((float *)e->outputs[0].data)[i] = point[i] + most * uniform(e->random, i);
    memcpy(e->outputs[1].data, e->inputs[1].data, sizeof(int32_t));
    return LS_OK;
}

static ls_dataset *make(ls_context *ls)
{
    static float margin = 0.05f, most = 0.02f;
    ls_array components[] = {{LS_FLOAT32, LS_SHAPE(2), NULL}, {LS_INT32, LS_SCALAR_SHAPE, NULL}};
    ls_dataset *points = ls_dataset_from_generator(ls, make_point, .outputs = components, .output_count = 2,
                                                   .cardinality = POINTS, .seed = 1);
    points = ls_dataset_cache(ls_dataset_filter(points, is_clear, &margin));
    points = ls_dataset_map(ls_dataset_shuffle(points, 500, .seed = 2), jitter, &most, .workers = 2, .seed = 3);
    return ls_dataset_prefetch(ls_dataset_batch(points, BATCH, .drop_remainder = true), 2);
}

/* One epoch, or its first `most` batches. Returns the loss of the last. */
static float train(ls_context *ls, ls_model *model, ls_optimizer *adam, ls_dataset *points, int most,
                   ls_dataset_position *position)
{
    float last = 0;
    LS_FOR_BATCHES(batch, points) {
        ls_tensor loss = {0};
        LS_TAPE(tape, ls)
            loss = ls_sparse_categorical_crossentropy(batch.y, ls_call(model, batch.x), .from_logits = true);
        ls_apply_gradients(adam, ls_gradients_of(tape, loss, ls_trainable_variables(model)));
        last = ls_item(loss);
        if (batch.index + 1 == most) {
            ls_dataset_save_position(points, position); /* 40 bytes, to be kept with the weights */
            break;
        }
    }
    ls_dataset_report_waiting(points); /* with LOCKSTEP_LOG=warning */
    return last;
}

/* Trains; with `interrupted`, another pipeline takes over in the middle of the second epoch. */
static int run(bool interrupted)
{
    ls_context *ls = ls_open(NULL);
    ls_set_random_seed(ls, 7);
    ls_dataset *points = make(ls);
    ls_model *model = ls_sequential(ls, "circle", (ls_layer *[]){ls_dense(ls, 16, .activation = LS_RELU), ls_dense(ls, 2), NULL});
    ls_optimizer *adam = ls_adam(ls, .learning_rate = 0.03f);
    for (int epoch = 0; epoch < EPOCHS && ls_error(ls) == LS_OK; epoch++) {
        if (interrupted && epoch == 1) {
            ls_dataset_position position;
            train(ls, model, adam, points, 10, &position);
            ls_dataset_destroy(&points);
            points = make(ls);
            ls_dataset_restore_position(points, &position);
        }
        printf("epoch %d: loss %.4f\n", epoch + 1, (double)train(ls, model, adam, points, -1, NULL));
    }
    printf("weights, %s: %s\n", interrupted ? "resumed" : "in one go", ls_fingerprint_model(model).text);
    if (ls_error(ls) != LS_OK)
        fprintf(stderr, "pipeline: %s\n", ls_error_message(ls));
    return ls_close(&ls) == LS_OK ? 0 : 1;
}

int main(void) { return run(false) || run(true); }
