/* SPDX-License-Identifier: Apache-2.0
 *
 * Initializers: first values of weights. Constants are computed in double and rounded once, so that
 * every host gets the same ones.
 */
#include <math.h>

#include <lockstep/layers.h>

/* keras.initializers compute_fans: a kernel is (receptive field…, in, out). */
static void fans(ls_shape shape, double *in, double *out)
{
    *in = *out = shape.rank == 1 ? (double)shape.dim[0] : 1;
    if (shape.rank < 2)
        return;
    double field = 1;
    for (int d = 0; d < shape.rank - 2; d++)
        field *= (double)shape.dim[d];
    *in = field * (double)shape.dim[shape.rank - 2];
    *out = field * (double)shape.dim[shape.rank - 1];
}

static ls_tensor make_glorot_uniform(const ls_initializer *self, ls_context *ls, ls_shape shape)
{
    (void)self;
    double in, out;
    fans(shape, &in, &out);
    double sum = in + out > 1 ? in + out : 1;
    float limit = (float)sqrt(6 / sum);
    return ls_random_uniform(ls, shape, -limit, limit);
}

ls_initializer ls_glorot_uniform(void) { return (ls_initializer){.make = make_glorot_uniform}; }

static ls_tensor make_constant(const ls_initializer *self, ls_context *ls, ls_shape shape)
{
    return ls_fill(ls, shape, self->parameter[0]);
}

ls_initializer ls_constant_initializer(float value)
{
    return (ls_initializer){.make = make_constant, .parameter = {value}};
}
