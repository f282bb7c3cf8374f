/* SPDX-License-Identifier: Apache-2.0
 *
 * Normalisation and dropout. Statistics are made by ls_mean and ls_var; the last step is one fma.
 */
#include "op.h"

/* The context if `a` is a usable float32 tensor with at least `rank` dimensions, and so are the optional others
 * (nil: not there). */
static ls_context *enter(const char *op, ls_tensor a, int rank, const ls_tensor *others, int count)
{
    const struct ls_value *v;
    ls_context *ls = ls_op_enter(op, &a, 1, &v);
    if (!ls || !ls_op_dtype(ls, op, v, LS_FLOAT32))
        return NULL;
    if (v->shape.rank < rank) {
        ls_fail(ls, LS_SHAPE_MISMATCH, "%s: %s has fewer than %d dimensions", op, ls_text(v->shape).text, rank);
        return NULL;
    }
    for (int i = 0; i < count; i++) {
        const struct ls_value *both[2];
        if (others[i].context &&
            (!ls_op_enter(op, (ls_tensor[]){a, others[i]}, 2, both) || !ls_op_dtype(ls, op, both[1], LS_FLOAT32)))
            return NULL;
    }
    return ls;
}

/* Whether `t` broadcasts to `shape`; nil does. */
static bool fits(ls_context *ls, const char *op, const char *what, ls_tensor t, const ls_shape *shape)
{
    ls_shape own = ls_shape_of_tensor(t), joined;
    if (!t.context || (ls_shape_broadcast(&own, shape, &joined) && ls_shape_equal(&joined, shape)))
        return true;
    ls_fail(ls, LS_SHAPE_MISMATCH, "%s: %s %s does not broadcast to %s", op, what, ls_text(own).text,
            ls_text(*shape).text);
    return false;
}

/* centred * (rsqrt(spread + epsilon) * scale) + offset, scale and offset optional. */
static ls_tensor finish(ls_context *ls, ls_tensor centred, ls_tensor spread, float epsilon, ls_tensor scale,
                        ls_tensor offset)
{
    ls_tensor factor = ls_rsqrt(ls_add(spread, ls_scalar(ls, epsilon)));
    if (scale.context)
        factor = ls_mul(factor, scale);
    return offset.context ? ls_fma(centred, factor, offset) : ls_mul(centred, factor);
}

ls_tensor ls_batch_normalization(ls_tensor a, ls_tensor mean, ls_tensor variance, ls_tensor offset, ls_tensor scale,
                                 float epsilon)
{
    const char *op = "batch_normalization";
    ls_tensor others[] = {mean, variance, offset, scale};
    static const char *const names[] = {"mean", "variance", "offset", "scale"};
    ls_context *ls = enter(op, a, 0, others, 4);
    if (!ls)
        return LS_NIL;
    ls_shape shape = ls_shape_of_tensor(a);
    for (int i = 0; i < 4; i++)
        if (!fits(ls, op, names[i], others[i], &shape))
            return LS_NIL;
    if (!mean.context || !variance.context) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "%s: mean and variance are needed; ls_moments makes them", op);
        return LS_NIL;
    }
    return finish(ls, ls_sub(a, mean), variance, epsilon, scale, offset);
}

/* The axes from `axis` to the last; -1 with the error raised. */
static int last_axes(ls_context *ls, const char *op, const ls_shape *shape, int axis, int *axes)
{
    int first = ls_op_axis(ls, op, axis, shape), count = 0;
    for (int d = first; first >= 0 && d < shape->rank; d++)
        axes[count++] = d;
    return first < 0 ? -1 : count;
}

ls_tensor ls_layer_normalization(ls_tensor a, int axis, ls_tensor scale, ls_tensor offset, float epsilon)
{
    const char *op = "layer_normalization";
    int axes[LS_MAX_RANK];
    ls_context *ls = enter(op, a, 1, (ls_tensor[]){scale, offset}, 2);
    if (!ls)
        return LS_NIL;
    ls_shape shape = ls_shape_of_tensor(a);
    int count = last_axes(ls, op, &shape, axis, axes);
    if (count < 0 || !fits(ls, op, "scale", scale, &shape) || !fits(ls, op, "offset", offset, &shape))
        return LS_NIL;
    ls_tensor centred = ls_sub(a, ls_mean(a, axes, count, true));
    return finish(ls, centred, ls_mean(ls_square(centred), axes, count, true), epsilon, scale, offset);
}

ls_tensor ls_rms_normalization(ls_tensor a, int axis, ls_tensor scale, float epsilon)
{
    const char *op = "rms_normalization";
    int axes[LS_MAX_RANK];
    ls_context *ls = enter(op, a, 1, &scale, 1);
    if (!ls)
        return LS_NIL;
    ls_shape shape = ls_shape_of_tensor(a);
    int count = last_axes(ls, op, &shape, axis, axes);
    if (count < 0 || !fits(ls, op, "scale", scale, &shape))
        return LS_NIL;
    return finish(ls, a, ls_mean(ls_square(a), axes, count, true), epsilon, scale, LS_NIL);
}

ls_tensor ls_group_normalization(ls_tensor a, int64_t groups, ls_tensor scale, ls_tensor offset, float epsilon)
{
    const char *op = "group_normalization";
    ls_context *ls = enter(op, a, 2, (ls_tensor[]){scale, offset}, 2);
    if (!ls)
        return LS_NIL;
    ls_shape shape = ls_shape_of_tensor(a);
    int64_t channels = shape.dim[shape.rank - 1], places = 1;
    if (groups < 1 || channels % groups != 0) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "%s: %lld channels of %s cannot be cut into %lld groups", op,
                (long long)channels, ls_text(shape).text, (long long)groups);
        return LS_NIL;
    }
    ls_shape one_channel = LS_SHAPE(channels);
    if (!fits(ls, op, "scale", scale, &one_channel) || !fits(ls, op, "offset", offset, &one_channel))
        return LS_NIL;
    for (int d = 1; d < shape.rank - 1; d++)
        places *= shape.dim[d];
    /* (batch, places, groups, channels of a group): normalised over places and the group's channels. */
    ls_shape four = LS_SHAPE(shape.dim[0], places, groups, channels / groups);
    ls_shape per_channel = LS_SHAPE(groups, channels / groups);
    ls_tensor x = ls_reshape(a, four);
    ls_tensor centred = ls_sub(x, ls_mean(x, (int[]){1, 3}, 2, true));
    ls_tensor variance = ls_mean(ls_square(centred), (int[]){1, 3}, 2, true);
    if (scale.context)
        scale = ls_reshape(ls_broadcast_to(scale, one_channel), per_channel);
    if (offset.context)
        offset = ls_reshape(ls_broadcast_to(offset, one_channel), per_channel);
    return ls_reshape(finish(ls, centred, variance, epsilon, scale, offset), shape);
}

ls_tensor ls_dropout(ls_tensor a, float rate)
{
    ls_context *ls = enter("dropout", a, 0, NULL, 0);
    if (!ls)
        return LS_NIL;
    if (!(rate >= 0.0f && rate < 1.0f)) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "dropout: rate %g is not in [0, 1)", (double)rate);
        return LS_NIL;
    }
    if (rate == 0.0f)
        return a;
    ls_tensor draws = ls_random_uniform(ls, ls_shape_of_tensor(a), 0.0f, 1.0f);
    ls_tensor kept = ls_greater_equal(draws, ls_scalar(ls, rate));
    ls_release(&draws);
    return ls_where(kept, ls_mul(a, ls_scalar(ls, 1.0f / (1.0f - rate))), ls_scalar(ls, 0.0f));
}
