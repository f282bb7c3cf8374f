/* SPDX-License-Identifier: Apache-2.0
 *
 * What TensorFlow's guides show of GradientTape, with the numbers that they print. Larger ones of their
 * examples: saliency.c, wgan_gp.c, maml.c.
 */
#include <stdio.h>

#include <lockstep/lockstep.h>

static void print(const char *what, ls_tensor a, ls_tensor b)
{
    printf("%-42s %.1f", what, (double)ls_item(a));
    if (!ls_is_nil(b))
        printf(" %.1f", (double)ls_item(b));
    printf("\n");
}

static void first_steps(ls_context *ls)
{
    ls_tensor x = ls_variable(ls_scalar(ls, 3), "x", true), constant = ls_scalar(ls, 3), y, z, g, nil = {0};
    LS_TAPE (tape, ls)
        y = ls_square(x);
    ls_gradient(tape, y, &x, 1, &g);
    print("x^2 at 3, and its gradient:", y, g);

    ls_gradient(tape, y, &x, 1, &g); /* a tape is consumed by the first gradient */
    printf("asked again: %s\n", ls_error_message(ls));
    ls_clear_error(ls);

    LS_TAPE (watching, ls) {
        ls_watch(watching, constant); /* what is not a trainable variable */
        y = ls_mul(ls_square(constant), constant);
    }
    ls_gradient(watching, y, &constant, 1, &g);
    print("gradient of x^3 by a watched constant 3:", g, nil);

    ls_assign(x, ls_scalar(ls, 2));
    ls_tensor gy, gz;
    LS_TAPE (both, ls, .persistent = true) {
        y = ls_square(x);
        z = ls_mul(y, x);
    }
    ls_gradient(both, y, &x, 1, &gy);
    ls_gradient(both, z, &x, 1, &gz);
    print("x^2 and x^3 at 2, one persistent tape:", gy, gz);

    LS_TAPE (cut, ls)
        y = ls_mul(ls_stop_gradient(x), ls_variable(ls_scalar(ls, 1), "w", true));
    ls_gradient(cut, y, &x, 1, &g);
    printf("none: %s\n", ls_gradient_reason(cut, x));
}

static void higher_order(ls_context *ls)
{
    ls_tensor x = ls_variable(ls_scalar(ls, 2), "x2", true), y, first, second;
    LS_TAPE (outer, ls) {
        LS_TAPE (inner, ls)
            y = ls_square(ls_square(x));
        ls_gradient(inner, y, &x, 1, &first);
    }
    ls_gradient(outer, first, &x, 1, &second);
    printf("x^4 at 2, first and second derivative:     %.1f %.1f %.1f\n", (double)ls_item(y), (double)ls_item(first),
           (double)ls_item(second));
}

/* f(x) = sum of x_i^3: its Hessian is diagonal, 6 x_i. */
static void hessian_vector_product(ls_context *ls)
{
    ls_tensor x = ls_from_host(ls, LS_FLOAT32, LS_SHAPE(3), (float[]){1, 2, 3}), f, g, hv;
    ls_tensor v = ls_from_host(ls, LS_FLOAT32, LS_SHAPE(3), (float[]){1, 0, -1});
    LS_TAPE (outer, ls) {
        ls_watch(outer, x);
        LS_TAPE (inner, ls) {
            ls_watch(inner, x);
            f = ls_sum(ls_mul(ls_square(x), x), NULL, 0, false);
        }
        ls_gradient(inner, f, &x, 1, &g);
    }
    ls_gradient_with(&(ls_gradient_options){.tape = outer,
                                            .targets = &g,
                                            .target_count = 1,
                                            .output_gradients = &v,
                                            .sources = &x,
                                            .source_count = 1,
                                            .gradients = &hv});
    float values[3] = {0};
    ls_read(hv, values, sizeof values);
    printf("Hessian times (1, 0, -1):                  %.1f %.1f %.1f\n", (double)values[0], (double)values[1],
           (double)values[2]);
}

int main(void)
{
    ls_context *ls = ls_open(NULL); /* LOCKSTEP_BACKEND, else the best device */
    if (ls_error(ls) == LS_OK) {
        first_steps(ls);
        higher_order(ls);
        hessian_vector_product(ls);
    }
    if (ls_error(ls) != LS_OK)
        fprintf(stderr, "tape_basics: %s\n", ls_error_message(ls));
    return ls_close(&ls) == LS_OK ? 0 : 1;
}
