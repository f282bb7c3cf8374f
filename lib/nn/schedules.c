/* SPDX-License-Identifier: Apache-2.0
 *
 * Learning-rate schedules: a few scalar ops each.
 */
#include <lockstep/ops.h>
#include <lockstep/schedules.h>

#include "../core/internal.h"

static ls_tensor number(ls_tensor like, float value) { return ls_scalar(like.context, value); }

/* step / steps, rounded down if the schedule is a staircase. */
static ls_tensor fraction_of(ls_tensor step, float steps, bool staircase)
{
    ls_tensor p = ls_div(step, number(step, steps));
    return staircase ? ls_floor(p) : p;
}

ls_tensor ls_schedule_rate(const ls_schedule *schedule, ls_tensor step)
{
    ls_context *ls = step.context;
    if (!ls || ls_failed(ls))
        return (ls_tensor){0};
    if (!schedule->rate || schedule->wrong) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "schedule: %s", schedule->wrong ? schedule->wrong : "it has no function `rate`");
        return (ls_tensor){0};
    }
    return schedule->rate(schedule, ls_dtype_of(step) == LS_FLOAT32 ? step : ls_cast(step, LS_FLOAT32));
}

static const char *wrong_steps(float steps) { return steps > 0 ? NULL : "the number of decay steps must be above 0"; }

/* ---- Exponential, inverse time ---- */

static ls_tensor exponential(const ls_schedule *s, ls_tensor step)
{
    ls_tensor p = fraction_of(step, s->parameter[1], s->flag);
    return ls_mul(number(step, s->parameter[0]), ls_pow(number(step, s->parameter[2]), p));
}

ls_schedule ls_exponential_decay(float initial, float decay_steps, float decay_rate, bool staircase)
{
    return (ls_schedule){.rate = exponential,
                         .parameter = {initial, decay_steps, decay_rate},
                         .flag = staircase,
                         .wrong = wrong_steps(decay_steps)};
}

static ls_tensor inverse_time(const ls_schedule *s, ls_tensor step)
{
    ls_tensor p = fraction_of(step, s->parameter[1], s->flag);
    ls_tensor under = ls_fma(number(step, s->parameter[2]), p, number(step, 1));
    return ls_div(number(step, s->parameter[0]), under);
}

ls_schedule ls_inverse_time_decay(float initial, float decay_steps, float decay_rate, bool staircase)
{
    return (ls_schedule){.rate = inverse_time,
                         .parameter = {initial, decay_steps, decay_rate},
                         .flag = staircase,
                         .wrong = wrong_steps(decay_steps)};
}

/* ---- Piecewise constant ---- */

static ls_tensor piecewise(const ls_schedule *s, ls_tensor step)
{
    ls_tensor rate = number(step, s->value[s->count]);
    for (int i = s->count - 1; i >= 0; i--)
        rate = ls_where(ls_less_equal(step, number(step, s->boundary[i])), number(step, s->value[i]), rate);
    return rate;
}

ls_schedule ls_piecewise_constant_decay(int count, const float *boundaries, const float *values)
{
    ls_schedule s = {.rate = piecewise, .count = count};
    if (count < 0 || count > LS_SCHEDULE_BOUNDARIES) {
        s.count = 0;
        s.wrong = "a piecewise constant one has 0 to 16 boundaries";
        return s;
    }
    for (int i = 0; i < count; i++) {
        s.boundary[i] = boundaries[i];
        if (!(i == 0 || boundaries[i - 1] < boundaries[i]))
            s.wrong = "the boundaries must ascend";
    }
    for (int i = 0; i <= count; i++)
        s.value[i] = values[i];
    return s;
}

/* ---- Polynomial ---- */

static ls_tensor polynomial(const ls_schedule *s, ls_tensor step)
{
    ls_tensor zero = number(step, 0), one = number(step, 1), end = number(step, s->parameter[2]);
    ls_tensor steps = number(step, s->parameter[1]);
    if (s->flag) {
        ls_tensor up = ls_neg(ls_floor(ls_neg(ls_div(step, steps)))); /* rounded up */
        steps = ls_mul(steps, ls_where(ls_equal(step, zero), one, up));
    } else {
        step = ls_minimum(step, steps);
    }
    ls_tensor left = ls_sub(one, ls_div(step, steps));
    if (s->parameter[3] != 1)
        left = ls_pow(left, number(step, s->parameter[3]));
    return ls_fma(number(step, s->parameter[0] - s->parameter[2]), left, end);
}

ls_schedule ls_polynomial_decay(float initial, float decay_steps, float end, float power, bool cycle)
{
    return (ls_schedule){.rate = polynomial,
                         .parameter = {initial, decay_steps, end, power},
                         .flag = cycle,
                         .wrong = wrong_steps(decay_steps)};
}

/* ---- Cosine ---- */

/* height * ((1 - alpha) * scale * 0.5 * (1 + cos(pi fraction)) + alpha); scale nil: 1. */
static ls_tensor half_cosine(ls_tensor fraction, float height, ls_tensor scale, float alpha)
{
    ls_tensor wave = ls_cos(ls_mul(number(fraction, 3.14159265f), fraction));
    ls_tensor decayed = ls_mul(number(fraction, 0.5f), ls_add(number(fraction, 1), wave));
    if (!ls_is_nil(scale))
        decayed = ls_mul(scale, decayed);
    decayed = ls_fma(number(fraction, 1 - alpha), decayed, number(fraction, alpha));
    return ls_mul(number(fraction, height), decayed);
}

static ls_tensor cosine(const ls_schedule *s, ls_tensor step)
{
    float initial = s->parameter[0], target = s->parameter[3], warmup = s->parameter[4];
    ls_tensor steps = number(step, s->parameter[1]), nil = {0};
    if (!(warmup > 0))
        return half_cosine(ls_div(ls_minimum(step, steps), steps), initial, nil, s->parameter[2]);
    ls_tensor begin = number(step, warmup);
    ls_tensor rising = ls_fma(number(step, target - initial), ls_div(step, begin), number(step, initial));
    ls_tensor past = ls_minimum(ls_sub(step, begin), steps);
    ls_tensor falling = half_cosine(ls_div(past, steps), target, nil, s->parameter[2]);
    return ls_where(ls_less(step, begin), rising, falling);
}

ls_schedule ls_cosine_decay(float initial, float decay_steps, float alpha, float warmup_target, float warmup_steps)
{
    return (ls_schedule){.rate = cosine,
                         .parameter = {initial, decay_steps, alpha, warmup_target, warmup_steps},
                         .wrong = wrong_steps(decay_steps)};
}

/* How many periods have begun before period i: (t^i - 1) / (t - 1). */
static ls_tensor periods_before(ls_tensor i, float t)
{
    return ls_div(ls_sub(ls_pow(number(i, t), i), number(i, 1)), number(i, t - 1));
}

static ls_tensor restarts(const ls_schedule *s, ls_tensor step)
{
    float t = s->parameter[2];
    ls_tensor one = number(step, 1), done = ls_div(step, number(step, s->parameter[1])), i, fraction;
    if (t == 1) {
        i = ls_floor(done);
        fraction = ls_sub(done, i);
    } else {
        ls_tensor grown = ls_fma(done, number(step, t - 1), one);
        i = ls_floor(ls_div(ls_log(grown), ls_log(number(step, t))));
        /* The logarithm may be off by an ulp at a restart: the period is the one that holds the step. */
        i = ls_where(ls_greater(periods_before(i, t), done), ls_sub(i, one), i);
        ls_tensor next = ls_add(i, one);
        i = ls_where(ls_greater_equal(done, periods_before(next, t)), next, i);
        fraction = ls_div(ls_sub(done, periods_before(i, t)), ls_pow(number(step, t), i));
    }
    return half_cosine(fraction, s->parameter[0], ls_pow(number(step, s->parameter[3]), i), s->parameter[4]);
}

ls_schedule ls_cosine_decay_restarts(float initial, float first_decay_steps, float t_mul, float m_mul, float alpha)
{
    return (ls_schedule){.rate = restarts,
                         .parameter = {initial, first_decay_steps, t_mul, m_mul, alpha},
                         .wrong = !(t_mul > 0) ? "t_mul must be above 0" : wrong_steps(first_decay_steps)};
}
