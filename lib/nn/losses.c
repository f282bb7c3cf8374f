/* SPDX-License-Identifier: Apache-2.0
 *
 * Losses, and how labels are brought into the form that ops take.
 */
#include <lockstep/losses.h>
#include <lockstep/ops.h>

#include "../core/internal.h"
#include "labels.h"

ls_tensor ls_sparse_labels(const char *who, ls_tensor y_true, ls_tensor y_pred)
{
    ls_context *ls = y_pred.context;
    if (!ls || ls_failed(ls) || ls_is_nil(y_true))
        return (ls_tensor){0};
    ls_shape labels = ls_shape_of_tensor(y_true), predictions = ls_shape_of_tensor(y_pred);
    ls_dtype dtype = ls_dtype_of(y_true);
    if (dtype != LS_INT32 && dtype != LS_UINT8) {
        ls_fail(ls, LS_DTYPE_MISMATCH, "%s: labels are %s, but class numbers are int32 or uint8; ls_cast converts",
                who, ls_dtype_name(dtype));
        return (ls_tensor){0};
    }
    if (labels.rank == predictions.rank && labels.rank > 0 && labels.dim[labels.rank - 1] == 1) {
        labels.rank--;
        y_true = ls_reshape(y_true, labels);
    }
    ls_shape expected = predictions;
    expected.rank = predictions.rank > 0 ? predictions.rank - 1 : 0;
    if (predictions.rank < 1 || !ls_shape_equal(&labels, &expected)) {
        bool one_hot = predictions.rank > 0 && ls_shape_equal(&labels, &predictions);
        ls_fail(ls, LS_SHAPE_MISMATCH, "%s: labels %s do not fit predictions %s: needs one class number for each row%s",
                who, ls_text(ls_shape_of_tensor(y_true)).text, ls_text(predictions).text,
                one_hot ? "; of one-hot labels, ls_argmax makes numbers" : "");
        return (ls_tensor){0};
    }
    return dtype == LS_INT32 ? y_true : ls_cast(y_true, LS_INT32);
}

/* keras.config.epsilon(), as probabilities are clipped by it. */
static ls_tensor clip_probabilities(ls_tensor p)
{
    ls_tensor low = ls_scalar(p.context, 1e-7f), high = ls_scalar(p.context, (float)(1 - 1e-7));
    return ls_minimum(ls_maximum(p, low), high);
}

ls_tensor ls_sparse_categorical_crossentropy_with(const ls_sparse_categorical_crossentropy_arguments *call)
{
    ls_tensor labels = ls_sparse_labels("sparse_categorical_crossentropy", call->y_true, call->y_pred);
    if (ls_is_nil(labels))
        return (ls_tensor){0};
    /* The softmax of log p is p / sum p: clipped first, then normalised, as Keras does it. */
    ls_tensor logits = call->from_logits ? call->y_pred : ls_log(clip_probabilities(call->y_pred));
    return ls_mean(ls_sparse_softmax_cross_entropy(labels, logits), NULL, 0, false);
}
