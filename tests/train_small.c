/* SPDX-License-Identifier: Apache-2.0
 *
 * Trains a small network on made-up data and prints the fingerprint of its weights. Whatever it is
 * compiled with and for, the line must be the same: scripts/check compares gcc, clang, sanitizers and
 * 64-bit Arm. Reads no files. Fails by itself when the network does not learn.
 */
#include <stdio.h>

#include <lockstep/lockstep.h>

enum { SAMPLES = 192, INPUTS = 40, CLASSES = 5, STEPS = 120 };

static float x[SAMPLES][INPUTS];
static int32_t y[SAMPLES];

/* Inputs are multiples of 1/64; the class is the group of inputs with the largest sum. Integers only,
 * so that no compiler can have a say. */
static void make_data(void)
{
    uint32_t state = 12345;
    for (int i = 0; i < SAMPLES; i++) {
        int best = 0, sums[CLASSES] = {0};
        for (int j = 0; j < INPUTS; j++) {
            state = state * 1664525u + 1013904223u;
            int value = (int)(state >> 25) - 64;
            x[i][j] = (float)value / 64;
            sums[j % CLASSES] += value;
        }
        for (int c = 1; c < CLASSES; c++)
            if (sums[c] > sums[best])
                best = c;
        y[i] = best;
    }
}

int main(void)
{
    make_data();
    ls_context *ls = ls_open(NULL);
    ls_set_random_seed(ls, 7);
    ls_model *net = ls_sequential(ls, "net", (ls_layer *[]){
        ls_dense(ls, 48, .activation = LS_RELU),
        ls_dense(ls, 33, .activation = LS_TANH),
        ls_dense(ls, 17, .activation = LS_SIGMOID),
        ls_dense(ls, CLASSES),
        NULL});
    ls_optimizer *adam = ls_adam(ls, .learning_rate = 0.01f);
    ls_tensor inputs = ls_from_host(ls, LS_FLOAT32, LS_SHAPE(SAMPLES, INPUTS), x);
    ls_tensor labels = ls_from_host(ls, LS_INT32, LS_SHAPE(SAMPLES), y);

    float first = 0, last = 0;
    for (int step = 0; step < STEPS; step++) {
        LS_SCOPE(ls) {
            ls_tensor loss;
            LS_TAPE(tape, ls)
                loss = ls_mean(ls_sparse_softmax_cross_entropy(labels, ls_call(net, inputs)), NULL, 0, false);
            ls_apply_gradients(adam, ls_gradients_of(tape, loss, ls_trainable_variables(net)));
            if (step == 0)
                first = ls_item(loss);
            if (step == STEPS - 1)
                last = ls_item(loss);
        }
    }
    ls_fingerprint_text weights = ls_fingerprint_model(net);

    if (ls_error(ls) != LS_OK)
        fprintf(stderr, "train_small: %s\n", ls_error_message(ls));
    else
        printf("loss: %a, then %a\nweights: %s\n", (double)first, (double)last, weights.text);
    bool learnt = last < first / 4;
    if (!learnt)
        fprintf(stderr, "train_small: the loss went from %g to %g, which is not learning\n", (double)first, (double)last);
    return ls_close(&ls) == LS_OK && learnt ? 0 : 1;
}
