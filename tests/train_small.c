/* SPDX-License-Identifier: Apache-2.0
 *
 *     train_small [FINGERPRINT]
 *
 * Trains a small network on made-up data and prints its loss and its weights' fingerprint, which must be
 * the one that is given: on every processor, compiler and device. It reads no file, so it also runs on
 * an emulated processor.
 */
#include <stdio.h>
#include <string.h>

#include <lockstep/lockstep.h>

enum { BATCH = 96, INPUTS = 70, CLASSES = 5, STEPS = 25 };

/* Classes that can be learned: the largest of the first inputs. */
static ls_tensor labels_of(ls_tensor x)
{
    return ls_argmax(ls_slice(x, (int64_t[]){0, 0}, (int64_t[]){BATCH, CLASSES}, NULL), 1);
}

int main(int argc, char **argv)
{
    ls_context *ls = ls_open(NULL);
    ls_set_random_seed(ls, 7);
    ls_model *model = ls_sequential(ls, "small", (ls_layer *[]){
        ls_dense(ls, 33, .activation = LS_TANH),
        ls_dense(ls, 17, .activation = LS_SIGMOID),
        ls_dense(ls, CLASSES),
        NULL});
    ls_optimizer *adam = ls_adam(ls, .learning_rate = 0.02f);
    float first = 0, last = 0;

    for (int step = 0; step < STEPS; step++) {
        LS_SCOPE(ls) {
            ls_tensor x = ls_random_normal(ls, LS_SHAPE(BATCH, INPUTS), 0, 1), loss = {0};
            LS_TAPE(tape, ls) {
                ls_tensor logits = ls_call(model, x, .training = true);
                loss = ls_mean(ls_sparse_softmax_cross_entropy(labels_of(x), logits), NULL, 0, false);
            }
            ls_apply_gradients(adam, ls_gradients_of(tape, loss, ls_trainable_variables(model)));
            last = ls_item(loss);
            first = step == 0 ? last : first;
        }
    }

    ls_fingerprint_text weights = ls_fingerprint_model(model);
    bool good = ls_error(ls) == LS_OK && last < first;
    if (ls_error(ls) != LS_OK)
        fprintf(stderr, "train_small: %s\n", ls_error_message(ls));
    printf("loss: %.9g, then %.9g\nweights: %s\n", (double)first, (double)last, weights.text);
    if (argc > 1 && strcmp(argv[1], weights.text) != 0) {
        printf("expected: %s\n", argv[1]);
        good = false;
    }
    ls_optimizer_destroy(&adam);
    ls_layer_destroy(&model);
    good = ls_close(&ls) == LS_OK && good;
    printf("%d passed, %d failed\n", good, !good);
    return good ? 0 : 1;
}
