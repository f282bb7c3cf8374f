/* SPDX-License-Identifier: Apache-2.0
 *
 * Connectionist temporal classification (Graves and others, 2006): the probability of a label sequence
 * is summed over all its alignments, one step of time after the other, in logarithms. Composed of public
 * ops, so its gradient is theirs.
 */
#include <math.h>

#include "op.h"

/* The logarithm of nothing: finite, so that its differences are numbers; far below any sum of real ones. */
static const float NOTHING = -1e30f;

/* a (batch, states) moved `by` states to the right; what comes in is `fill`, (batch, 1). */
static ls_tensor shifted(ls_tensor a, int64_t by, ls_tensor fill)
{
    ls_shape shape = ls_shape_of_tensor(a);
    int64_t states = shape.dim[1], in = by < states ? by : states, batch = shape.dim[0];
    if (shape.rank != 2)
        return LS_NIL;
    ls_tensor left = ls_broadcast_to(fill, LS_SHAPE(batch, in));
    ls_tensor rest = ls_slice(a, (int64_t[]){0, 0}, (int64_t[]){batch, states - in}, NULL);
    return ls_concat((ls_tensor[]){left, rest}, 2, 1);
}

static bool fits(ls_context *ls, const struct ls_value *const *v)
{
    const ls_shape *labels = &v[0]->shape, *logits = &v[1]->shape;
    for (int i = 0; i < 4; i++)
        if (!ls_op_dtype(ls, "ctc_loss", v[i], i == 1 ? LS_FLOAT32 : LS_INT32))
            return false;
    bool good = labels->rank == 2 && logits->rank == 3 && labels->dim[0] == logits->dim[0] && logits->dim[1] > 0;
    for (int i = 2; i < 4 && good; i++)
        good = v[i]->shape.rank == 1 && v[i]->shape.dim[0] == logits->dim[0];
    if (!good)
        ls_fail(ls, LS_SHAPE_MISMATCH, "ctc_loss: labels %s, logits %s, lengths %s and %s should be (batch, length), "
                "(batch, time, classes) with a time, (batch) and (batch)", ls_text(*labels).text, ls_text(*logits).text,
                ls_text(v[2]->shape).text, ls_text(v[3]->shape).text);
    return good;
}

/* labels with a blank before, between and behind them: (batch, 2 length + 1) */
static ls_tensor with_blanks(ls_tensor labels, int32_t blank)
{
    ls_shape shape = ls_shape_of_tensor(labels);
    ls_context *ls = labels.context;
    ls_tensor blanks = ls_broadcast_to(ls_int_scalar(ls, blank), shape);
    ls_tensor pairs = ls_reshape(ls_stack((ls_tensor[]){blanks, labels}, 2, 2),
                                 LS_SHAPE(shape.dim[0], 2 * shape.dim[1]));
    ls_tensor last = ls_broadcast_to(ls_int_scalar(ls, blank), LS_SHAPE(shape.dim[0], 1));
    return ls_concat((ls_tensor[]){pairs, last}, 2, 1);
}

ls_tensor ls_ctc_loss(ls_tensor labels, ls_tensor logits, ls_tensor label_length, ls_tensor logit_length, int32_t blank)
{
    const struct ls_value *v[4];
    ls_context *ls = ls_op_enter("ctc_loss", (ls_tensor[]){labels, logits, label_length, logit_length}, 4, v);
    if (!ls || !fits(ls, v))
        return LS_NIL;
    int64_t batch = v[1]->shape.dim[0], time = v[1]->shape.dim[1], classes = v[1]->shape.dim[2];
    int64_t states = 2 * v[0]->shape.dim[1] + 1;
    if (blank < 0 || blank >= classes) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "ctc_loss: the blank %d is no class of logits %s", (int)blank,
                ls_text(v[1]->shape).text);
        return LS_NIL;
    }
    if (batch == 0)
        return ls_zeros(ls, LS_FLOAT32, LS_SHAPE(0));
    ls_tensor nothing = ls_scalar(ls, NOTHING), none = ls_broadcast_to(nothing, LS_SHAPE(batch, 1));
    ls_tensor state = with_blanks(labels, blank), number = ls_arange(ls, states);
    ls_tensor blanks = ls_broadcast_to(ls_int_scalar(ls, blank), LS_SHAPE(batch, 1));
    ls_tensor may_skip = ls_not_equal(state, shifted(state, 2, blanks));
    ls_tensor places = ls_broadcast_to(ls_reshape(state, LS_SHAPE(batch, 1, states)), LS_SHAPE(batch, time, states));
    ls_tensor emitted = ls_take_along_axis(ls_log_softmax(logits, -1), places, 2);
    ls_tensor ends = ls_reshape(logit_length, LS_SHAPE(batch, 1)), alpha = LS_NIL;
    for (int64_t t = 0; t < time && !ls_failed(ls); t++) {
        ls_tensor now = ls_reshape(ls_slice(emitted, (int64_t[]){0, t, 0}, (int64_t[]){batch, 1, states}, NULL),
                                   LS_SHAPE(batch, states));
        if (t == 0) {
            alpha = ls_where(ls_less(number, ls_int_scalar(ls, 2)), now, nothing);
            continue;
        }
        ls_tensor skipped = ls_where(may_skip, shifted(alpha, 2, none), nothing);
        ls_tensor next = ls_add(ls_logaddexp(ls_logaddexp(alpha, shifted(alpha, 1, none)), skipped), now);
        alpha = ls_where(ls_greater(ends, ls_int_scalar(ls, (int32_t)t)), next, alpha);
    }
    ls_tensor last = ls_reshape(ls_mul(label_length, ls_int_scalar(ls, 2)), LS_SHAPE(batch, 1));
    ls_tensor before = ls_maximum(ls_sub(last, ls_int_scalar(ls, 1)), ls_int_scalar(ls, 0));
    ls_tensor in_label = ls_where(ls_greater(last, ls_int_scalar(ls, 0)), ls_take_along_axis(alpha, before, 1), nothing);
    ls_tensor loss = ls_neg(ls_logaddexp(ls_take_along_axis(alpha, last, 1), in_label));
    loss = ls_where(ls_greater(loss, ls_scalar(ls, -0.5f * NOTHING)), ls_scalar(ls, INFINITY), loss);
    return ls_reshape(loss, LS_SHAPE(batch));
}
