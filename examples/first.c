/* SPDX-License-Identifier: Apache-2.0
 *
 * The first program: a derivative, and a derivative of it.
 */
#include <stdio.h>

#include <lockstep/lockstep.h>

int main(void)
{
    ls_context *ls = ls_open(NULL); /* LOCKSTEP_BACKEND, else the best device */
    ls_tensor x = ls_variable(ls_scalar(ls, 3), "x", true), y, slope = {0}, curvature = {0};

    LS_TAPE(outer, ls) {
        LS_TAPE(inner, ls)
            y = ls_mul(x, ls_mul(x, x));      /* y = x^3 */
        ls_gradient(inner, y, &x, 1, &slope); /* dy/dx = 3 x^2 */
    }
    ls_gradient(outer, slope, &x, 1, &curvature); /* d2y/dx2 = 6 x */

    float values[] = {ls_item(y), ls_item(slope), ls_item(curvature)};
    if (ls_error(ls) == LS_OK)
        printf("x = 3: x^3 = %g, first derivative %g, second %g\n", (double)values[0], (double)values[1],
               (double)values[2]);
    else
        fprintf(stderr, "first: %s\n", ls_error_message(ls));
    return ls_close(&ls) == LS_OK ? 0 : 1;
}
