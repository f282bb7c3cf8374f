/* SPDX-License-Identifier: Apache-2.0
 *
 * Learning-rate schedules: the rate as a function of the steps done so far, computed on the device, so
 * that a captured step follows it. A schedule is a value; give it to an optimizer as `.schedule`. Bad
 * arguments are told by the optimizer that takes it (LS_INVALID_ARGUMENT). Formulas are those of
 * keras.optimizers.schedules, in float32.
 */
#ifndef LOCKSTEP_SCHEDULES_H
#define LOCKSTEP_SCHEDULES_H

#include <lockstep/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { LS_SCHEDULE_PARAMETERS = 6, LS_SCHEDULE_BOUNDARIES = 16 };

/** All zero means none. A schedule of one's own is a function `rate` and what it wants to remember. */
typedef struct ls_schedule {
    /** The rate, rank 0, for `step` (float32, rank 0), made of public ops. */
    ls_tensor (*rate)(const struct ls_schedule *self, ls_tensor step);
    float parameter[LS_SCHEDULE_PARAMETERS];
    bool flag;
    int count; /* of boundaries */
    float boundary[LS_SCHEDULE_BOUNDARIES], value[LS_SCHEDULE_BOUNDARIES + 1];
    const char *wrong; /* what is wrong with the arguments; NULL: nothing */
} ls_schedule;

/** The rate at `step`, an int32 or float32 tensor of rank 0 (exact up to 2^24 steps). Sticky errors. */
LS_API ls_tensor ls_schedule_rate(const ls_schedule *schedule, ls_tensor step);

/** initial * decay_rate^(step / decay_steps), the exponent rounded down if `staircase`. */
LS_API ls_schedule ls_exponential_decay(float initial, float decay_steps, float decay_rate, bool staircase);

/**
 * values[0] while step <= boundaries[0], values[1] while step <= boundaries[1], …, values[count]. At
 * most LS_SCHEDULE_BOUNDARIES boundaries, ascending; both arrays are copied.
 */
LS_API ls_schedule ls_piecewise_constant_decay(int count, const float *boundaries, const float *values);

/**
 * (initial - end) * (1 - s / decay_steps)^power + end, where s = min(step, decay_steps), or, if
 * `cycle`, s = step and decay_steps is the first of its multiples that is not below step.
 */
LS_API ls_schedule ls_polynomial_decay(float initial, float decay_steps, float end, float power, bool cycle);

/** initial / (1 + decay_rate * step / decay_steps), the quotient rounded down if `staircase`. */
LS_API ls_schedule ls_inverse_time_decay(float initial, float decay_steps, float decay_rate, bool staircase);

/**
 * From `initial` (or, after a warm-up, from `warmup_target`) along half a cosine to alpha times that
 * in decay_steps. With warmup_steps > 0 first linearly from `initial` to `warmup_target`.
 */
LS_API ls_schedule ls_cosine_decay(float initial, float decay_steps, float alpha, float warmup_target,
                                   float warmup_steps);

/**
 * Cosine decay that begins anew: the first time after first_decay_steps, then each period t_mul times as
 * long and m_mul times as high. Loshchilov and Hutter, "SGDR", 2016. A restart falls on its step even
 * where Keras' rounding of a logarithm puts it one later.
 */
LS_API ls_schedule ls_cosine_decay_restarts(float initial, float first_decay_steps, float t_mul, float m_mul,
                                            float alpha);

#ifdef __cplusplus
}
#endif
#endif
