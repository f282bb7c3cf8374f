/* SPDX-License-Identifier: Apache-2.0
 *
 * How labels are brought into the form that losses and metrics take, and what is said when they are not
 * what they should be.
 */
#include <string.h>

#include "../ops/op.h"
#include "labels.h"

ls_tensor ls_sparse_labels(const char *who, ls_tensor y_true, ls_tensor y_pred)
{
    ls_context *ls = y_pred.context;
    if (!ls || ls_failed(ls) || ls_is_nil(y_true))
        return (ls_tensor){0};
    ls_shape labels = ls_shape_of_tensor(y_true), predictions = ls_shape_of_tensor(y_pred);
    ls_dtype dtype = ls_dtype_of(y_true);
    bool one_hot = predictions.rank > 0 && ls_shape_equal(&labels, &predictions) &&
                   predictions.dim[predictions.rank - 1] != 1;
    const char *way_out = one_hot ? "; of one-hot labels ls_argmax makes numbers, or take categorical_crossentropy or "
                                    "categorical_accuracy, which want them one-hot"
                                  : "";
    if (dtype != LS_INT32 && dtype != LS_UINT8) {
        ls_fail(ls, LS_DTYPE_MISMATCH, "%s: labels are %s, but class numbers are int32 or uint8; ls_cast converts%s",
                who, ls_dtype_name(dtype), way_out);
        return (ls_tensor){0};
    }
    if (labels.rank == predictions.rank && labels.rank > 0 && labels.dim[labels.rank - 1] == 1) {
        labels.rank--;
        y_true = ls_reshape(y_true, labels);
    }
    ls_shape expected = predictions;
    expected.rank = predictions.rank > 0 ? predictions.rank - 1 : 0;
    if (predictions.rank < 1 || !ls_shape_equal(&labels, &expected)) {
        ls_fail(ls, LS_SHAPE_MISMATCH, "%s: labels %s do not fit predictions %s: needs one class number for each row%s",
                who, ls_text(ls_shape_of_tensor(y_true)).text, ls_text(predictions).text, way_out);
        return (ls_tensor){0};
    }
    return dtype == LS_INT32 ? y_true : ls_cast(y_true, LS_INT32);
}

ls_tensor ls_as_float(ls_tensor a) { return ls_dtype_of(a) == LS_FLOAT32 ? a : ls_cast(a, LS_FLOAT32); }

/* `low` has one dimension less than `high`. */
static void fit_ranks(ls_tensor *low, ls_tensor *high)
{
    ls_shape a = ls_shape_of_tensor(*low), b = ls_shape_of_tensor(*high);
    if (b.dim[b.rank - 1] != 1)
        return;
    if (a.rank == 1) {
        *low = ls_expand_dims(*low, -1);
    } else {
        b.rank--;
        *high = ls_reshape(*high, b);
    }
}

void ls_to_same_rank(ls_tensor *a, ls_tensor *b)
{
    int more = ls_shape_of_tensor(*b).rank - ls_shape_of_tensor(*a).rank;
    if (more == 1)
        fit_ranks(a, b);
    else if (more == -1)
        fit_ranks(b, a);
}

bool ls_fit_labels(const char *who, ls_tensor *y_true, ls_tensor *y_pred, bool classes)
{
    ls_context *ls = y_pred->context;
    if (!ls || ls_failed(ls) || ls_is_nil(*y_true))
        return false;
    ls_shape labels = ls_shape_of_tensor(*y_true), predictions = ls_shape_of_tensor(*y_pred);
    if (ls_dtype_of(*y_pred) != LS_FLOAT32) {
        ls_fail(ls, LS_DTYPE_MISMATCH, "%s: predictions are %s, not float32; are labels and predictions the wrong way "
                "round?", who, ls_dtype_name(ls_dtype_of(*y_pred)));
        return false;
    }
    if (predictions.rank == 0) {
        ls_fail(ls, LS_SHAPE_MISMATCH, "%s: predictions (): needs at least (batch); ls_reshape to (1, 1)?", who);
        return false;
    }
    ls_to_same_rank(y_true, y_pred);
    ls_shape a = ls_shape_of_tensor(*y_true), b = ls_shape_of_tensor(*y_pred);
    if (!ls_shape_equal(&a, &b)) {
        int last = predictions.rank - 1;
        bool number = classes && (labels.rank == last || (labels.rank == last + 1 && labels.dim[last] == 1));
        const char *way_out =
            number ? "class numbers? sparse_categorical_crossentropy takes them, and ls_one_hot makes them one-hot"
            : labels.rank == last || predictions.rank == labels.rank - 1
                ? "one of them lacks a dimension, as (batch) against (batch, n); ls_expand_dims or ls_reshape gives it"
                : "they must be the same; ls_broadcast_to says that a repetition is meant";
        ls_fail(ls, LS_SHAPE_MISMATCH, "%s: labels %s do not fit predictions %s: %s", who, ls_text(labels).text,
                ls_text(predictions).text, way_out);
        return false;
    }
    *y_true = ls_as_float(*y_true);
    return !ls_failed(ls);
}

ls_tensor ls_divide_or_zero(ls_tensor a, ls_tensor b)
{
    ls_tensor zero = ls_scalar(a.context, 0), none = ls_equal(b, zero);
    return ls_where(none, zero, ls_div(a, ls_where(none, ls_scalar(a.context, 1), b)));
}

/* The entry that made a value; NULL if the tape has none. */
static const struct ls_entry *maker(const struct ls_tape *tape, uint64_t id)
{
    int32_t number = ls_tape_find(tape, id);
    for (size_t i = number < 0 ? 0 : tape->entry_count; i > 0; i--)
        if (tape->entries[i - 1].out_index == number)
            return &tape->entries[i - 1];
    return NULL;
}

void ls_warn_of_probabilities(const char *who, ls_tensor logits)
{
    ls_context *ls = logits.context;
    const struct ls_slot *slot = ls_slot_of(logits);
    if (!slot || ls->told_of_probabilities)
        return;
    for (const struct ls_tape *tape = ls->tapes; tape; tape = tape->next) {
        const struct ls_entry *entry = ls_tape_recording(tape) ? maker(tape, slot->value.id) : NULL;
        const char *op = !entry                                           ? ""
                         : ls_matmul_activation_of(entry) == LS_SIGMOID ? "sigmoid"
                                                                          : entry->op->name;
        if (strcmp(op, "softmax") != 0 && strcmp(op, "sigmoid") != 0)
            continue;
        ls->told_of_probabilities = true;
        ls_say(ls, LS_LOG_WARNING,
               "%s: from_logits is set, but y_pred comes from %s, so these are probabilities; leave either of them out",
               who, op);
        return;
    }
}
