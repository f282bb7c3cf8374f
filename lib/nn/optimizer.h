/* SPDX-License-Identifier: Apache-2.0
 *
 * What an optimizer is, for sgd.c and its neighbours: a table of functions over slots.
 */
#ifndef LOCKSTEP_NN_OPTIMIZER_H
#define LOCKSTEP_NN_OPTIMIZER_H

#include <lockstep/optimizers.h>

#include "lists.h"

enum { LS_OPTIMIZER_SLOTS = 3, LS_OPTIMIZER_OWN = 3, LS_OPTIMIZER_NUMBERS = 4 };

/** A variable that the optimizer has seen, and what it keeps for it. */
struct ls_optimizer_slots {
    ls_tensor variable;
    ls_tensor slot[LS_OPTIMIZER_SLOTS]; /* of the variable's shape */
    ls_tensor average, accumulator;     /* with use_ema; with gradient_accumulation_steps */
    bool warned;                        /* that it had no gradient */
    bool decays;
};

struct ls_optimizer_kind {
    const char *slot_name[LS_OPTIMIZER_SLOTS]; /* NULL ends */
    int slot_group[LS_OPTIMIZER_SLOTS];        /* Keras lists the slots of a group variable by variable */
    struct {
        const char *name;
        float initial;
    } own[LS_OPTIMIZER_OWN]; /* scalars of the optimizer itself; NULL ends */
    /** What is done once per step, before the variables; NULL: nothing. */
    ls_status (*begin)(ls_optimizer *optimizer);
    /** Sets `own` to what it is after `steps` steps; NULL: there is none, or `begin` makes it. */
    void (*resume)(ls_optimizer *optimizer, int64_t steps);
    ls_status (*update)(ls_optimizer *optimizer, const struct ls_optimizer_slots *slots, ls_tensor gradient);
};

struct ls_optimizer_common {
    LS_OPTIMIZER_OPTIONS
};

/** The common options out of those of an optimizer. */
#define LS_OPTIMIZER_COMMON(o)                                                                     \
    {                                                                                              \
        .schedule = (o)->schedule, .weight_decay = (o)->weight_decay, .clipnorm = (o)->clipnorm,   \
        .global_clipnorm = (o)->global_clipnorm, .clipvalue = (o)->clipvalue, .use_ema = (o)->use_ema, \
        .ema_momentum = (o)->ema_momentum, .ema_overwrite_frequency = (o)->ema_overwrite_frequency, \
        .gradient_accumulation_steps = (o)->gradient_accumulation_steps                            \
    }

struct ls_exclusion;

struct ls_optimizer {
    ls_context *context;
    const struct ls_optimizer_kind *kind;
    char *name;
    struct ls_optimizer_common common;
    float number[LS_OPTIMIZER_NUMBERS]; /* the kind's constants */
    bool flag;
    unsigned without;   /* bit s: slot s of the kind is not used */
    float slot_initial; /* what slots begin with */
    ls_tensor iterations, learning_rate; /* variables of rank 0 */
    ls_tensor own[LS_OPTIMIZER_OWN];
    struct ls_optimizer_slots *slots;
    size_t count, capacity;
    struct ls_exclusion *exclusions; /* from weight decay */
    struct ls_lists lists;
};

/** Copies `draft` (context, kind, common, number, flag, without, slot_initial) to the heap and gives it
 * its variables. Checks the common options. */
ls_optimizer *ls_optimizer_create(const struct ls_optimizer *draft, const char *name, float learning_rate);

/** Whether slot s is kept. */
bool ls_optimizer_has_slot(const ls_optimizer *optimizer, int s);

/** The slots of a variable, made if it is new; NULL on an error. `hint` is where they probably are. */
struct ls_optimizer_slots *ls_optimizer_slots_of(ls_optimizer *optimizer, ls_tensor variable, size_t hint);

/** How many of ls_optimizer_variables Keras has too: the first so many. */
size_t ls_optimizer_keras_count(ls_optimizer *optimizer);
/** After these were set from elsewhere: makes the rest fit them. Blocks. */
ls_status ls_optimizer_resume(ls_optimizer *optimizer);

/* ---- Weight decay (weight_decay.c) ---- */

/** Whether no pattern excludes the variable. */
bool ls_optimizer_decays(const ls_optimizer *optimizer, ls_tensor variable);
void ls_exclusions_finish(ls_optimizer *optimizer);

/* ---- Averages and accumulated gradients (accumulate.c) ---- */

/** Bool, rank 0: whether this call applies what was accumulated; nil without accumulation. */
ls_tensor ls_accumulation_applies(ls_optimizer *optimizer);
/** The mean of a variable's gradients so far and this one. The new sum goes to `*sum`. */
ls_tensor ls_accumulate(ls_optimizer *optimizer, const struct ls_optimizer_slots *slots, ls_tensor gradient,
                        ls_tensor *sum);
/** Moves the averages, and overwrites the variables by them when it is time. */
void ls_update_averages(ls_optimizer *optimizer);

/** An option: `value`, or `otherwise` if it is +0 (LS_ZERO, which is -0, is a value). */
float ls_option(float value, float otherwise);

/** Raises an error unless low <= value <= high (or < high if `below`); NaN is never inside. */
bool ls_option_within(ls_context *ls, const char *who, const char *option, float value, float low, float high,
                      bool below);

#endif
