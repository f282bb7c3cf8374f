/* SPDX-License-Identifier: Apache-2.0
 *
 * Clipping of gradients, with public ops, so that tapes differentiate it.
 */
#include <float.h>

#include <lockstep/ops.h>

#include "../core/internal.h"
#include "optimizer.h"

/* sum a^2, elements below 2^-50 counting as 0 (canon.md rule 17). */
static ls_tensor sum_of_squares(ls_tensor a)
{
    ls_context *ls = a.context;
    ls_tensor tiny = ls_less(ls_abs(a), ls_scalar(ls, 8.8817842e-16f));
    ls_tensor squares = ls_square(ls_where(tiny, ls_scalar(ls, 0), a));
    return ls_shape_of_tensor(a).rank ? ls_sum(squares, NULL, 0, false) : squares;
}

static bool positive(ls_context *ls, const char *who, float clip_norm)
{
    if (clip_norm > 0 && clip_norm <= FLT_MAX)
        return true;
    ls_fail(ls, LS_INVALID_ARGUMENT, "%s: clip_norm is %g; it must be a finite number above 0", who,
            (double)clip_norm);
    return false;
}

ls_tensor ls_clip_by_norm(ls_tensor a, float clip_norm)
{
    ls_context *ls = a.context;
    if (!ls || ls_failed(ls) || !positive(ls, "clip_by_norm", clip_norm))
        return (ls_tensor){0};
    ls_tensor sum = sum_of_squares(a), zero = ls_scalar(ls, 0), most = ls_scalar(ls, clip_norm);
    /* The root of 0 has no gradient, so it is never taken. */
    ls_tensor any = ls_greater(sum, zero);
    ls_tensor norm = ls_where(any, ls_sqrt(ls_where(any, sum, ls_scalar(ls, 1))), sum);
    return ls_div(ls_mul(a, most), ls_maximum(norm, most));
}

ls_tensor ls_global_norm(ls_gradients gradients)
{
    ls_tensor sum = {0};
    for (size_t i = 0; i < gradients.count; i++) {
        if (ls_is_nil(gradients.items[i]))
            continue;
        ls_tensor one = sum_of_squares(gradients.items[i]);
        sum = ls_is_nil(sum) ? one : ls_add(sum, one);
    }
    if (ls_is_nil(sum) && gradients.context)
        ls_fail(gradients.context, LS_INVALID_ARGUMENT, "global_norm: there is no gradient among %zu",
                gradients.count);
    return ls_is_nil(sum) ? sum : ls_sqrt(sum);
}

ls_tensor ls_clip_by_global_norm(ls_gradients gradients, float clip_norm)
{
    ls_context *ls = gradients.context;
    if (!ls || ls_failed(ls) || !positive(ls, "clip_by_global_norm", clip_norm))
        return (ls_tensor){0};
    ls_tensor norm = ls_global_norm(gradients), one = ls_scalar(ls, 1), most = ls_scalar(ls, clip_norm);
    ls_tensor finite = ls_mul(most, ls_minimum(ls_div(one, norm), ls_div(one, most)));
    ls_tensor scale = ls_add(finite, ls_sub(norm, norm)); /* NaN unless the norm is finite */
    for (size_t i = 0; i < gradients.count && !ls_failed(ls); i++)
        if (!ls_is_nil(gradients.items[i]))
            gradients.items[i] = ls_mul(gradients.items[i], scale);
    return norm;
}
