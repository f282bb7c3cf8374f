/* SPDX-License-Identifier: Apache-2.0
 *
 * Initializers: first values of weights. Constants are computed in double and rounded once, so that
 * every host gets the same ones.
 */
#include <math.h>

#include <lockstep/initializers.h>
#include <lockstep/ops.h>

#include "../core/internal.h"

static ls_initializer initializer(ls_tensor (*make)(const ls_initializer *, ls_context *, ls_shape), float a, float b,
                                  float c)
{
    return (ls_initializer){make, {a, b, c}};
}

/* ---- Plain ones ---- */

static ls_tensor make_constant(const ls_initializer *self, ls_context *ls, ls_shape shape)
{
    return ls_fill(ls, shape, self->parameter[0]);
}

static ls_tensor make_uniform(const ls_initializer *self, ls_context *ls, ls_shape shape)
{
    return ls_random_uniform(ls, shape, self->parameter[0], self->parameter[1]);
}

static ls_tensor make_normal(const ls_initializer *self, ls_context *ls, ls_shape shape)
{
    return ls_random_normal(ls, shape, self->parameter[0], self->parameter[1]);
}

static ls_tensor make_truncated(const ls_initializer *self, ls_context *ls, ls_shape shape)
{
    return ls_random_truncated_normal(ls, shape, self->parameter[0], self->parameter[1]);
}

ls_initializer ls_constant_initializer(float value) { return initializer(make_constant, value, 0, 0); }
ls_initializer ls_zeros_initializer(void) { return ls_constant_initializer(0); }
ls_initializer ls_ones_initializer(void) { return ls_constant_initializer(1); }
ls_initializer ls_random_uniform_initializer(float low, float high) { return initializer(make_uniform, low, high, 0); }
ls_initializer ls_random_normal_initializer(float mean, float dev) { return initializer(make_normal, mean, dev, 0); }
ls_initializer ls_truncated_normal_initializer(float mean, float dev)
{
    return initializer(make_truncated, mean, dev, 0);
}

/* ---- Variance scaling ---- */

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

static ls_tensor make_scaled(const ls_initializer *self, ls_context *ls, ls_shape shape)
{
    double in, out;
    fans(shape, &in, &out);
    ls_fan fan = (ls_fan)self->parameter[1];
    double n = fan == LS_FAN_IN ? in : fan == LS_FAN_OUT ? out : (in + out) / 2;
    double variance = (double)self->parameter[0] / (n > 1 ? n : 1);
    switch ((ls_distribution)self->parameter[2]) {
    case LS_UNIFORM: {
        float limit = (float)sqrt(3 * variance);
        return ls_random_uniform(ls, shape, -limit, limit);
    }
    case LS_UNTRUNCATED_NORMAL: return ls_random_normal(ls, shape, 0, (float)sqrt(variance));
    default: return ls_random_truncated_normal(ls, shape, 0, (float)(sqrt(variance) / 0.87962566103423978));
    }
}

ls_initializer ls_variance_scaling(float scale, ls_fan fan, ls_distribution distribution)
{
    return initializer(make_scaled, scale, (float)fan, (float)distribution);
}

ls_initializer ls_glorot_uniform(void) { return ls_variance_scaling(1, LS_FAN_AVG, LS_UNIFORM); }
ls_initializer ls_glorot_normal(void) { return ls_variance_scaling(1, LS_FAN_AVG, LS_TRUNCATED_NORMAL); }
ls_initializer ls_he_uniform(void) { return ls_variance_scaling(2, LS_FAN_IN, LS_UNIFORM); }
ls_initializer ls_he_normal(void) { return ls_variance_scaling(2, LS_FAN_IN, LS_TRUNCATED_NORMAL); }
ls_initializer ls_lecun_uniform(void) { return ls_variance_scaling(1, LS_FAN_IN, LS_UNIFORM); }
ls_initializer ls_lecun_normal(void) { return ls_variance_scaling(1, LS_FAN_IN, LS_TRUNCATED_NORMAL); }

/* ---- Matrices ---- */

/* v without its parts along the rows of q, twice: once loses orthogonality to rounding. */
static ls_tensor without(ls_tensor v, ls_tensor q)
{
    for (int pass = 0; pass < 2; pass++)
        v = ls_sub(v, ls_matmul(ls_matmul(v, q, .transpose_b = true), q));
    return v;
}

/* The rows of a (n, length), n <= length, made orthonormal from the first to the last. With the diagonal of
 * R positive, as here, Q is unique: what Keras gets by its correction of signs. */
static ls_tensor orthonormal_rows(ls_tensor a)
{
    ls_shape shape = ls_shape_of_tensor(a);
    ls_tensor q = {0};
    for (int64_t i = 0; i < shape.dim[0] && !ls_failed(a.context); i++) {
        ls_tensor old = q;
        LS_SCOPE(a.context) {
            int64_t begin[] = {i, 0}, size[] = {1, -1};
            ls_tensor v = ls_slice(a, begin, size, NULL);
            v = i > 0 ? without(v, q) : v;
            v = ls_div(v, ls_norm(v, LS_NORM_2, NULL, 0, false));
            q = ls_keep(i > 0 ? ls_concat((ls_tensor[]){q, v}, 2, 0) : v);
        }
        ls_release(&old);
    }
    return q;
}

static ls_tensor make_orthogonal(const ls_initializer *self, ls_context *ls, ls_shape shape)
{
    int64_t elements = ls_shape_elements(&shape);
    if (shape.rank < 2 || elements < 1) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "orthogonal: a weight %s has no columns to be orthogonal; its rank is at "
                "least 2 and it is not empty", ls_text(shape).text);
        return (ls_tensor){0};
    }
    int64_t columns = shape.dim[shape.rank - 1], rows = elements / columns;
    bool wide = rows < columns;
    ls_tensor a = ls_random_normal(ls, wide ? LS_SHAPE(columns, rows) : LS_SHAPE(rows, columns), 0, 1);
    ls_tensor q = orthonormal_rows(ls_transpose(a, NULL));
    return ls_reshape(ls_mul(wide ? q : ls_transpose(q, NULL), ls_scalar(ls, self->parameter[0])), shape);
}

static ls_tensor make_identity(const ls_initializer *self, ls_context *ls, ls_shape shape)
{
    if (shape.rank != 2) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "identity: a weight %s is not a matrix", ls_text(shape).text);
        return (ls_tensor){0};
    }
    return ls_mul(ls_eye(ls, shape.dim[0], shape.dim[1]), ls_scalar(ls, self->parameter[0]));
}

ls_initializer ls_orthogonal(float gain) { return initializer(make_orthogonal, gain, 0, 0); }
ls_initializer ls_identity_initializer(float gain) { return initializer(make_identity, gain, 0, 0); }
