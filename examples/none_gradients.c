/* SPDX-License-Identifier: Apache-2.0
 *
 * When a gradient is none: the four ways to lose it that TensorFlow's guide lists, and how to ask for the reason.
 * The optimizer skips such variables and says so once in the log (LOCKSTEP_LOG=warning shows it).
 */
#include <stdio.h>

#include <lockstep/lockstep.h>

/* Prints d y / d x, or why there is none. */
static void show(ls_tape *tape, const char *what, ls_tensor y, ls_tensor x)
{
    ls_tensor slope;
    ls_gradient(tape, y, &x, 1, &slope);
    if (ls_is_nil(slope))
        printf("%s: none: %s\n", what, ls_gradient_reason(tape, x));
    else
        printf("%s: %g\n", what, (double)ls_item(slope));
}

static void replaced_by_a_tensor(ls_context *ls)
{
    ls_tensor x = ls_variable(ls_scalar(ls, 2), "x", true), changed = ls_add(x, ls_scalar(ls, 1)), y;
    LS_TAPE (tape, ls)
        y = ls_square(changed); /* not x, and made before the tape */
    show(tape, "of a value made outside the tape", y, x);
}

static void through_an_integer(ls_context *ls)
{
    ls_tensor x = ls_variable(ls_from_host(ls, LS_FLOAT32, LS_SHAPE(2), (float[]){1, 2}), "logits", true), y;
    LS_TAPE (tape, ls)
        y = ls_cast(ls_argmax(x, 0), LS_FLOAT32);
    show(tape, "through argmax", y, x);
}

static void cut(ls_context *ls)
{
    ls_tensor x = ls_variable(ls_scalar(ls, 3), "x", true), y;
    LS_TAPE (tape, ls)
        y = ls_square(ls_stop_gradient(x));
    show(tape, "behind stop_gradient", y, x);
}

static void not_used(ls_context *ls)
{
    ls_tensor x = ls_variable(ls_scalar(ls, 2), "x", true), other = ls_variable(ls_scalar(ls, 3), "other", true), y;
    LS_TAPE (tape, ls)
        y = ls_square(other);
    show(tape, "of a variable that was not read", y, x);
}

static void zeros_instead(ls_context *ls)
{
    ls_tensor x = ls_variable(ls_scalar(ls, 2), "x", true), other = ls_variable(ls_scalar(ls, 3), "other", true);
    ls_tensor y, slope;
    LS_TAPE (tape, ls)
        y = ls_square(other);
    ls_gradient_with(&(ls_gradient_options){.tape = tape, .targets = &y, .target_count = 1, .sources = &x,
                                            .source_count = 1, .unconnected_gradients = LS_UNCONNECTED_ZERO,
                                            .gradients = &slope});
    printf("with zeros for unconnected ones: %g\n", (double)ls_item(slope));
}

static void skipped_by_the_optimizer(ls_context *ls)
{
    ls_layer *used = ls_dense(ls, 1, .name = "used"), *unused = ls_dense(ls, 1, .name = "unused");
    ls_model *pair = ls_sequential(ls, "pair", (ls_layer *[]){used, unused, NULL});
    ls_tensor x = ls_ones(ls, LS_FLOAT32, LS_SHAPE(4, 3)), loss;
    ls_build(pair, LS_SHAPE(4, 3));
    LS_TAPE (tape, ls)
        loss = ls_sum(ls_call(used, x), NULL, 0, false); /* the second layer takes no part */
    ls_gradients gradients = ls_gradients_of(tape, loss, ls_trainable_variables(pair));
    for (size_t i = 0; i < gradients.count; i++)
        printf("%s: %s\n", ls_name(gradients.variables[i]), ls_is_nil(gradients.items[i]) ? "none" : "a gradient");
    ls_fingerprint_text before = ls_fingerprint_model(unused);
    ls_apply_gradients(ls_sgd(ls), gradients);
    ls_fingerprint_text after = ls_fingerprint_model(unused);
    printf("weights of the unused layer: %s, then %s\n", before.text, after.text);
}

int main(void)
{
    ls_context *ls = ls_open(NULL); /* LOCKSTEP_BACKEND, else the best device */
    replaced_by_a_tensor(ls);
    through_an_integer(ls);
    cut(ls);
    not_used(ls);
    zeros_instead(ls);
    skipped_by_the_optimizer(ls);
    if (ls_error(ls) != LS_OK)
        fprintf(stderr, "none_gradients: %s\n", ls_error_message(ls));
    return ls_close(&ls) == LS_OK ? 0 : 1;
}
