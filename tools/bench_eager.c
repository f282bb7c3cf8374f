/* SPDX-License-Identifier: Apache-2.0
 *
 * What one small op costs, forward and backward, with tape and scope: the library's own overhead.
 */
#include <stdio.h>

#include "bench.h"

enum { ELEMENTS = 16, REPEATS = 100 };

struct small {
    ls_context *ls;
    ls_tensor x;
};

/* d (x * x) = 2 x. The gradient goes to the outer scope if `kept` is given. */
static void once(struct small *s, ls_tensor *kept)
{
    LS_SCOPE(s->ls) {
        ls_tensor y, gradient;
        LS_TAPE(tape, s->ls)
            y = ls_square(s->x);
        ls_gradient(tape, y, &s->x, 1, &gradient);
        if (kept)
            *kept = ls_keep(gradient);
    }
}

static void repeat(void *user)
{
    struct small *s = user;
    for (int i = 0; i < REPEATS; i++)
        once(s, NULL);
    ls_synchronize(s->ls);
}

void bench_eager(struct bench *b, ls_context *ls)
{
    float x[ELEMENTS], got[ELEMENTS] = {0};
    struct bench_bits bits = {"equal"};
    bench_random(x, ELEMENTS, 1);
    LS_SCOPE(ls) {
        ls_tensor gradient = {0};
        struct small s = {ls, ls_variable(ls_from_host(ls, LS_FLOAT32, LS_SHAPE(ELEMENTS), x), "x", true)};
        once(&s, &gradient);
        ls_read(gradient, got, sizeof got);
        if (bench_failed(b, ls, "eager"))
            break;
        for (int i = 0; i < ELEMENTS; i++)
            if (got[i] != 2 * x[i])
                snprintf(bits.text, sizeof bits.text, "gradient %d is %a, not %a", i, (double)got[i],
                         (double)(2 * x[i]));
        double median = bench_median(b, ls, repeat, &s);
        if (!bench_failed(b, ls, "eager"))
            bench_report(b, ls, "eager", median / REPEATS, 0, &bits);
        ls_variable_destroy(&s.x);
    }
}
