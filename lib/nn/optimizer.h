/* SPDX-License-Identifier: Apache-2.0
 *
 * What an optimizer is, for sgd.c and its neighbours: a table of functions over slots.
 */
#ifndef LOCKSTEP_NN_OPTIMIZER_H
#define LOCKSTEP_NN_OPTIMIZER_H

#include <lockstep/optimizers.h>

enum { LS_OPTIMIZER_SLOTS = 3, LS_OPTIMIZER_OWN = 3, LS_OPTIMIZER_NUMBERS = 4 };

/** A variable that the optimizer has seen, and what it keeps for it. */
struct ls_optimizer_slots {
    ls_tensor variable;
    ls_tensor slot[LS_OPTIMIZER_SLOTS]; /* of the variable's shape, zeros at first */
    bool warned;                        /* that it had no gradient */
};

struct ls_optimizer_kind {
    const char *slot_name[LS_OPTIMIZER_SLOTS]; /* NULL ends */
    struct {
        const char *name;
        float initial;
    } own[LS_OPTIMIZER_OWN]; /* scalars of the optimizer itself; NULL ends */
    /** What is done once per step, before the variables; NULL: nothing. */
    ls_status (*begin)(ls_optimizer *optimizer);
    ls_status (*update)(ls_optimizer *optimizer, const struct ls_optimizer_slots *slots, ls_tensor gradient);
};

struct ls_optimizer {
    ls_context *context;
    const struct ls_optimizer_kind *kind;
    char *name;
    float number[LS_OPTIMIZER_NUMBERS]; /* the kind's constants */
    bool flag;
    ls_tensor iterations, learning_rate; /* variables of rank 0 */
    ls_tensor own[LS_OPTIMIZER_OWN];
    struct ls_optimizer_slots *slots;
    size_t count, capacity;
};

/** Copies `draft` (context, kind, number, flag) to the heap and gives it its variables. */
ls_optimizer *ls_optimizer_create(const struct ls_optimizer *draft, const char *name, float learning_rate);

/** An option: `value`, or `otherwise` if it is +0 (LS_ZERO, which is -0, is a value). */
float ls_option(float value, float otherwise);

/** Raises an error unless low <= value <= high (or < high if `below`); NaN is never inside. */
bool ls_option_within(ls_context *ls, const char *who, const char *option, float value, float low, float high,
                      bool below);

#endif
