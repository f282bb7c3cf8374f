/* SPDX-License-Identifier: Apache-2.0
 *
 * Losses: a row of the table below each, its values with public ops.
 */
#include <lockstep/losses.h>
#include <lockstep/ops.h>

#include "../core/internal.h"
#include "../core/record.h"
#include "labels.h"

/* ---- Small parts. t: labels, p: predictions, both float32 of one shape, p of rank 1 or more ---- */

static ls_tensor number(ls_tensor like, float value) { return ls_scalar(like.context, value); }
static ls_tensor epsilon(ls_tensor like) { return number(like, 1e-7f); }
static ls_tensor mean_last(ls_tensor a) { return ls_mean(a, (const int[]){-1}, 1, false); }
static ls_tensor sum_last(ls_tensor a) { return ls_sum(a, (const int[]){-1}, 1, false); }
static ls_tensor at_most(ls_tensor a, float high) { return ls_minimum(a, number(a, high)); }
static ls_tensor at_least(ls_tensor a, float low) { return ls_maximum(a, number(a, low)); }

static ls_tensor clip_probabilities(ls_tensor p) { return at_most(at_least(p, 1e-7f), (float)(1 - 1e-7)); }

/* Labels (1 - s) t + s / n. */
static ls_tensor smooth(ls_tensor t, float s, float n)
{
    return s > 0 ? ls_fma(t, number(t, 1 - s), number(t, s / n)) : t;
}

/* ---- Classes ---- */

static ls_tensor sparse_categorical_crossentropy(const ls_loss_arguments *call, ls_tensor t, ls_tensor p)
{
    /* The softmax of log p is p / sum p: clipped first, then normalised, as Keras does it. */
    ls_tensor logits = call->from_logits ? p : ls_log(clip_probabilities(p));
    return ls_sparse_softmax_cross_entropy(t, logits);
}

static ls_tensor categorical_crossentropy(const ls_loss_arguments *call, ls_tensor t, ls_tensor p)
{
    ls_shape shape = ls_shape_of_tensor(p);
    ls_tensor logs;
    t = smooth(t, call->label_smoothing, (float)shape.dim[shape.rank - 1]);
    if (call->from_logits)
        logs = ls_log_softmax(p, -1);
    else
        logs = ls_log(clip_probabilities(ls_div(p, ls_sum(p, (const int[]){-1}, 1, true))));
    return ls_neg(sum_last(ls_mul(t, logs)));
}

static ls_tensor binary_crossentropy(const ls_loss_arguments *call, ls_tensor t, ls_tensor p)
{
    t = smooth(t, call->label_smoothing, 2);
    if (call->from_logits)
        return mean_last(ls_fma(ls_neg(p), t, ls_softplus(p)));
    ls_tensor one = number(p, 1);
    p = clip_probabilities(p);
    ls_tensor hits = ls_mul(t, ls_log(p));
    return mean_last(ls_neg(ls_fma(ls_sub(one, t), ls_log(ls_sub(one, p)), hits)));
}

static ls_tensor kl_divergence(const ls_loss_arguments *call, ls_tensor t, ls_tensor p)
{
    (void)call;
    t = at_most(at_least(t, 1e-7f), 1);
    p = at_most(at_least(p, 1e-7f), 1);
    return sum_last(ls_mul(t, ls_log(ls_div(t, p))));
}

/* If all labels are 0 or 1, 0 means -1. */
static ls_tensor signs(ls_tensor t)
{
    ls_tensor zero = number(t, 0), one = number(t, 1);
    if (ls_size(t) == 0)
        return t;
    ls_tensor binary = ls_cast(ls_logical_or(ls_equal(t, zero), ls_equal(t, one)), LS_FLOAT32);
    ls_tensor all = ls_greater(ls_min(binary, NULL, 0, false), zero);
    return ls_where(all, ls_fma(t, number(t, 2), number(t, -1)), t);
}

static ls_tensor margin(ls_tensor t, ls_tensor p)
{
    return at_least(ls_fma(ls_neg(signs(t)), p, number(p, 1)), 0);
}

static ls_tensor hinge(const ls_loss_arguments *call, ls_tensor t, ls_tensor p)
{
    (void)call;
    return mean_last(margin(t, p));
}

static ls_tensor squared_hinge(const ls_loss_arguments *call, ls_tensor t, ls_tensor p)
{
    (void)call;
    return mean_last(ls_square(margin(t, p)));
}

static ls_tensor categorical_hinge(const ls_loss_arguments *call, ls_tensor t, ls_tensor p)
{
    (void)call;
    ls_tensor one = number(p, 1), right = sum_last(ls_mul(t, p));
    ls_tensor wrong = ls_max(ls_mul(ls_sub(one, t), p), (const int[]){-1}, 1, false);
    return at_least(ls_add(ls_sub(wrong, right), one), 0);
}

/* ---- Regression ---- */

static ls_tensor mean_squared_error(const ls_loss_arguments *call, ls_tensor t, ls_tensor p)
{
    (void)call;
    return mean_last(ls_square(ls_sub(t, p)));
}

static ls_tensor mean_absolute_error(const ls_loss_arguments *call, ls_tensor t, ls_tensor p)
{
    (void)call;
    return mean_last(ls_abs(ls_sub(t, p)));
}

static ls_tensor mean_absolute_percentage_error(const ls_loss_arguments *call, ls_tensor t, ls_tensor p)
{
    (void)call;
    ls_tensor error = ls_abs(ls_div(ls_sub(t, p), ls_maximum(ls_abs(t), epsilon(t))));
    return ls_mul(number(p, 100), mean_last(error));
}

static ls_tensor mean_squared_logarithmic_error(const ls_loss_arguments *call, ls_tensor t, ls_tensor p)
{
    (void)call;
    return mean_last(ls_square(ls_sub(ls_log1p(at_least(p, 1e-7f)), ls_log1p(at_least(t, 1e-7f)))));
}

static ls_tensor huber(const ls_loss_arguments *call, ls_tensor t, ls_tensor p)
{
    float delta = call->delta != 0 ? call->delta : 1;
    ls_tensor error = ls_sub(p, t), size = ls_abs(error), edge = number(p, delta);
    ls_tensor inside = ls_mul(number(p, 0.5f), ls_square(error));
    ls_tensor outside = ls_fma(edge, size, number(p, -0.5f * (delta * delta)));
    return mean_last(ls_where(ls_less_equal(size, edge), inside, outside));
}

static ls_tensor log_cosh(const ls_loss_arguments *call, ls_tensor t, ls_tensor p)
{
    (void)call;
    ls_tensor error = ls_sub(p, t), rest = ls_softplus(ls_mul(number(p, -2), error));
    return mean_last(ls_sub(ls_add(error, rest), number(p, 0.693147181f)));
}

static ls_tensor poisson(const ls_loss_arguments *call, ls_tensor t, ls_tensor p)
{
    (void)call;
    return mean_last(ls_fma(ls_neg(t), ls_log(ls_add(p, epsilon(p))), p));
}

/* a / |a|; a row of zeros stays one (Keras divides by at least 1e-7). */
static ls_tensor direction(ls_tensor a)
{
    ls_tensor squares = ls_sum(ls_square(a), (const int[]){-1}, 1, true);
    return ls_mul(a, ls_rsqrt(at_least(squares, 1e-14f)));
}

static ls_tensor cosine_similarity(const ls_loss_arguments *call, ls_tensor t, ls_tensor p)
{
    (void)call;
    return ls_neg(sum_last(ls_mul(direction(t), direction(p))));
}

/* ---- The table ---- */

enum labels { NUMBERS, ONE_HOT, ALIKE };

struct loss {
    const char *name;
    ls_loss_function *function;
    enum labels labels;
    bool logits; /* whether from_logits means something */
    ls_tensor (*values)(const ls_loss_arguments *call, ls_tensor t, ls_tensor p);
};

#define LOSSES(LOSS)                                                                               \
    LOSS(sparse_categorical_crossentropy, NUMBERS, true)                                           \
    LOSS(categorical_crossentropy, ONE_HOT, true)                                                  \
    LOSS(binary_crossentropy, ALIKE, true)                                                         \
    LOSS(kl_divergence, ONE_HOT, false)                                                            \
    LOSS(hinge, ALIKE, false)                                                                      \
    LOSS(squared_hinge, ALIKE, false)                                                              \
    LOSS(categorical_hinge, ONE_HOT, false)                                                        \
    LOSS(mean_squared_error, ALIKE, false)                                                         \
    LOSS(mean_absolute_error, ALIKE, false)                                                        \
    LOSS(mean_absolute_percentage_error, ALIKE, false)                                             \
    LOSS(mean_squared_logarithmic_error, ALIKE, false)                                             \
    LOSS(huber, ALIKE, false)                                                                      \
    LOSS(log_cosh, ALIKE, false)                                                                   \
    LOSS(poisson, ALIKE, false)                                                                    \
    LOSS(cosine_similarity, ALIKE, false)

#define LOSS(name, labels, logits) LOSS_##name,
enum { LOSSES(LOSS) LOSS_COUNT };
#undef LOSS

#define LOSS(name, labels, logits) {#name, ls_##name##_with, labels, logits, name},
static const struct loss losses[LOSS_COUNT] = {LOSSES(LOSS)};
#undef LOSS

const char *ls_loss_name(ls_loss_function *function)
{
    for (int i = 0; i < LOSS_COUNT; i++)
        if (losses[i].function == function)
            return losses[i].name;
    return NULL;
}

/* ---- Calling ---- */

ls_tensor ls_reduce_loss(const char *who, ls_tensor values, const ls_loss_arguments *call)
{
    ls_context *ls = values.context;
    ls_tensor weight = call->sample_weight;
    if (!ls || ls_failed(ls))
        return (ls_tensor){0};
    if ((unsigned)call->reduction >= LS_REDUCTION_COUNT) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "%s: there is no reduction %d", who, (int)call->reduction);
        return (ls_tensor){0};
    }
    if (weight.context) {
        ls_shape given = ls_shape_of_tensor(weight), shape = ls_shape_of_tensor(values), joined;
        weight = ls_as_float(weight);
        ls_to_same_rank(&values, &weight);
        ls_shape a = ls_shape_of_tensor(values), b = ls_shape_of_tensor(weight);
        if (ls_is_nil(weight) || !ls_shape_broadcast(&a, &b, &joined) || !ls_shape_equal(&joined, &a)) {
            ls_fail(ls, LS_SHAPE_MISMATCH, "%s: sample_weight %s does not fit the losses %s: needs one weight for each, "
                    "or a shape that broadcasts to theirs", who, ls_text(given).text, ls_text(shape).text);
            return (ls_tensor){0};
        }
        values = ls_mul(values, weight);
    }
    if (call->reduction == LS_NO_REDUCTION || ls_shape_of_tensor(values).rank == 0)
        return values;
    int64_t n = ls_size(values);
    ls_tensor sum = ls_sum(values, NULL, 0, false);
    if (call->reduction == LS_SUM_OF_VALUES || n == 0)
        return sum;
    if (call->reduction == LS_MEAN_WITH_SAMPLE_WEIGHT && weight.context)
        return ls_divide_or_zero(sum, ls_shape_of_tensor(weight).rank ? ls_sum(weight, NULL, 0, false) : weight);
    return ls_div(sum, ls_scalar(ls, (float)n));
}

static bool options_hold(const struct loss *loss, const ls_loss_arguments *call)
{
    const char *wrong = NULL;
    if (!(call->label_smoothing >= 0 && call->label_smoothing <= 1))
        wrong = "label_smoothing must be from 0 to 1";
    else if (!(call->delta >= 0))
        wrong = "delta must be above 0";
    if (wrong)
        ls_fail(call->y_pred.context, LS_INVALID_ARGUMENT, "%s: %s", loss->name, wrong);
    return !wrong;
}

static ls_tensor run(const struct loss *loss, const ls_loss_arguments *call)
{
    ls_tensor t = call->y_true, p = call->y_pred;
    if (!p.context || ls_failed(p.context) || !options_hold(loss, call))
        return (ls_tensor){0};
    if (loss->labels == NUMBERS)
        t = ls_sparse_labels(loss->name, t, p);
    else if (!ls_fit_labels(loss->name, &t, &p, loss->labels == ONE_HOT))
        return (ls_tensor){0};
    if (ls_is_nil(t))
        return t;
    if (loss->logits && call->from_logits)
        ls_warn_of_probabilities(loss->name, p);
    return ls_reduce_loss(loss->name, loss->values(call, t, p), call);
}

#define LOSS(name, labels, logits)                                                                 \
    ls_tensor ls_##name##_with(const ls_loss_arguments *call)                                          \
    {                                                                                              \
        return call ? run(&losses[LOSS_##name], call) : (ls_no_options(#name), (ls_tensor){0});    \
    }
LOSSES(LOSS)
#undef LOSS
#undef LOSSES
