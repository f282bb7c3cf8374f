/* SPDX-License-Identifier: Apache-2.0
 *
 * Reductions that are made of sums, means and extremes. Their gradients are those of what they are
 * made of.
 */
#include <math.h>

#include "op.h"

/* Checks handle, dtype and axes first, so that a message names the op that the user called. */
static ls_context *enter(const char *op, ls_tensor a, const int *axes, int count, bool float_only)
{
    const struct ls_value *v;
    ls_context *ls = ls_op_enter(op, &a, 1, &v);
    if (!ls || (float_only && !ls_op_dtype(ls, op, v, LS_FLOAT32)))
        return NULL;
    bool named[LS_MAX_RANK];
    return ls_op_axes(ls, op, &v->shape, axes, count, named) ? ls : NULL;
}

ls_tensor ls_all(ls_tensor a, const int *axes, int count, bool keepdims)
{
    const struct ls_value *v;
    ls_context *ls = enter("all", a, axes, count, false);
    if (!ls || !ls_op_enter("all", &a, 1, &v) || !ls_op_dtype(ls, "all", v, LS_BOOL))
        return LS_NIL;
    return ls_cast(ls_prod(ls_cast(a, LS_INT32), axes, count, keepdims), LS_BOOL);
}

ls_tensor ls_any(ls_tensor a, const int *axes, int count, bool keepdims)
{
    const struct ls_value *v;
    ls_context *ls = enter("any", a, axes, count, false);
    if (!ls || !ls_op_enter("any", &a, 1, &v) || !ls_op_dtype(ls, "any", v, LS_BOOL))
        return LS_NIL;
    return ls_logical_not(ls_all(ls_logical_not(a), axes, count, keepdims));
}

ls_tensor ls_count_nonzero(ls_tensor a, const int *axes, int count, bool keepdims)
{
    if (!enter("count_nonzero", a, axes, count, false))
        return LS_NIL;
    return ls_sum(ls_cast(ls_cast(a, LS_BOOL), LS_INT32), axes, count, keepdims);
}

static ls_tensor centred_square(ls_tensor a, const int *axes, int count)
{
    return ls_square(ls_sub(a, ls_mean(a, axes, count, true)));
}

ls_tensor ls_var(ls_tensor a, const int *axes, int count, bool keepdims)
{
    if (!enter("var", a, axes, count, true))
        return LS_NIL;
    return ls_mean(centred_square(a, axes, count), axes, count, keepdims);
}

ls_tensor ls_std(ls_tensor a, const int *axes, int count, bool keepdims)
{
    if (!enter("std", a, axes, count, true))
        return LS_NIL;
    return ls_sqrt(ls_var(a, axes, count, keepdims));
}

ls_status ls_moments(ls_tensor a, const int *axes, int count, bool keepdims, ls_tensor *mean, ls_tensor *variance)
{
    if (mean)
        *mean = LS_NIL;
    if (variance)
        *variance = LS_NIL;
    ls_context *ls = enter("moments", a, axes, count, true);
    if (!ls || !ls_op_given(ls, "moments", "mean", mean, 1, "tensor") ||
        !ls_op_given(ls, "moments", "variance", variance, 1, "tensor"))
        return a.context ? ls_error(a.context) : LS_INVALID_ARGUMENT;
    ls_tensor kept = ls_mean(a, axes, count, true);
    *variance = ls_mean(ls_square(ls_sub(a, kept)), axes, count, keepdims);
    *mean = ls_reshape(kept, ls_shape_of_tensor(*variance));
    if (!ls_failed(ls))
        return LS_OK;
    *mean = *variance = LS_NIL;
    return ls_error(ls);
}

ls_tensor ls_logsumexp(ls_tensor a, const int *axes, int count, bool keepdims)
{
    ls_context *ls = enter("logsumexp", a, axes, count, true);
    if (!ls)
        return LS_NIL;
    if (ls_size(a) == 0)
        return ls_log(ls_sum(a, axes, count, keepdims));
    /* Infinite maxima must not be subtracted from themselves. */
    ls_tensor most = ls_max(ls_stop_gradient(a), axes, count, true);
    most = ls_where(ls_less(ls_abs(most), ls_scalar(ls, INFINITY)), most, ls_scalar(ls, 0.0f));
    ls_tensor sum = ls_log(ls_sum(ls_exp(ls_sub(a, most)), axes, count, keepdims));
    return ls_add(sum, ls_reshape(most, ls_shape_of_tensor(sum)));
}

ls_tensor ls_norm(ls_tensor a, ls_norm_order order, const int *axes, int count, bool keepdims)
{
    ls_context *ls = enter("norm", a, axes, count, true);
    if (!ls)
        return LS_NIL;
    if (order == LS_NORM_1)
        return ls_sum(ls_abs(a), axes, count, keepdims);
    if (order == LS_NORM_INFINITY)
        return ls_max(ls_abs(a), axes, count, keepdims);
    if (order != LS_NORM_2) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "norm: unknown order %d; LS_NORM_1, LS_NORM_2 or LS_NORM_INFINITY",
                (int)order);
        return LS_NIL;
    }
    /* The root of 0 has no slope, so 0 does not go through it. */
    ls_tensor squares = ls_sum(ls_square(a), axes, count, keepdims), zero = ls_scalar(ls, 0.0f);
    ls_tensor away = ls_not_equal(squares, zero);
    return ls_where(away, ls_sqrt(ls_where(away, squares, ls_scalar(ls, 1.0f))), zero);
}
