/* SPDX-License-Identifier: Apache-2.0
 *
 * How an op tells the listening tapes what it did. An op's record (struct ls_op) says its name and
 * its gradient rule; a tape keeps, per call, the record, the values that the rule reads, and the
 * attributes. lib/autodiff walks the entries backwards.
 */
#ifndef LOCKSTEP_CORE_RECORD_H
#define LOCKSTEP_CORE_RECORD_H

#include <lockstep/tape.h>

#include "state.h"

struct ls_vjp_call;

/**
 * The vector-Jacobian product of an op: from the gradients of its outputs, those of its inputs, with
 * public ops. Fills dx[i] for the inputs that need it; nil means zero. Errors are sticky.
 */
typedef void ls_vjp(struct ls_vjp_call *call);

struct ls_op {
    const char *name;
    ls_vjp *vjp;             /* NULL: no gradient, and */
    const char *no_gradient; /* why that is an error; NULL: the way back just ends here */
};

struct ls_vjp_call {
    ls_context *ls;
    const struct ls_op *op;
    const void *attributes; /* as given to ls_record */
    int inputs;
    const ls_tensor *in; /* those that were not saved have a shape but no elements */
    ls_tensor out;       /* likewise */
    ls_tensor dy;
    const bool *needs;
    ls_tensor *dx;
    bool nil_is_none;     /* set by a rule whose nil is not zero: nothing arrives at that input */
    struct ls_walk *walk; /* for ls_gradient_into, */
    const int32_t *in_index; /* likewise: the inputs' numbers on the walk's tape */
};

/** Which values an entry keeps: bit i for input i, LS_SAVE_OUT for the output. */
enum { LS_SAVE_OUT = 1 << 30, LS_SAVE_ALL_IN = LS_SAVE_OUT - 1 };

/**
 * Tells the tapes that `op` made `out` from `in`. `attributes` (`bytes` of them) are copied. Returns
 * `out`, or nil when a tape has no memory for it, or when the context checks numerics and `out` has a
 * NaN or Inf. A no-op when no tape listens and nothing is checked. Ops without a rule and without a
 * float result call it too, so that ls_gradient_reason can name them.
 */
ls_tensor ls_record(ls_context *ls, const struct ls_op *op, const ls_tensor *in, int inputs, ls_tensor out,
                    uint32_t saves, const void *attributes, size_t bytes);

/** Whether any tape is recording, so that a fused gradient must not be used. */
bool ls_recording(const ls_context *ls);

/* ---- LOCKSTEP_CHECK=numerics (numerics.c) ---- */

/** Reads the variable, at ls_open. */
void ls_numerics_open(ls_context *ls);
/** Notes the op, and raises LS_NOT_FINITE (returning false) if its result has a NaN or Inf. */
bool ls_numerics_check(ls_context *ls, const struct ls_op *op, const ls_tensor *in, int inputs, ls_tensor out);
/** Says that ops from here on belong to the gradient of `op`, NULL: to none. Returns what was said before. */
const char *ls_numerics_backward(ls_context *ls, const char *op);

/* ---- What a tape holds ---- */

struct ls_entry {
    const struct ls_op *op;
    int inputs;
    int32_t out_index;    /* the tape's number of the output value */
    int32_t *in_index;    /* of the inputs, -1 where the tape does not follow them */
    struct ls_value *in;  /* storage NULL where not saved */
    struct ls_value out;
    void *attributes;
};

struct ls_reason {
    uint64_t id; /* of the source that was not reached */
    char text[256];
};

struct ls_tape {
    ls_context *ls;
    struct ls_tape *next;
    ls_tape_options options;
    bool ended, consumed, warned;
    bool only_watches; /* notes the variables that are read, and their values then, but no ops */
    int stopped;       /* recording is stopped that many times */
    int scope;
    ls_tensor *watched; /* variables */
    size_t watched_count, watched_capacity;
    struct ls_value *read; /* if it only watches: the value of watched[i] when it was first read */
    struct ls_reason *reasons; /* of the last gradient */
    size_t reason_count;

    struct ls_entry *entries;
    size_t entry_count, entry_capacity;
    uint64_t *keys; /* open-addressing table from value id to number */
    int32_t *numbers;
    size_t table_capacity;
    int32_t value_count;
    struct ls_arena_block *arena;
};

/** The tape's number of a value; -1 if it does not follow it. */
int32_t ls_tape_find(const struct ls_tape *tape, uint64_t id);
/** Follows a tensor that is watched; a variable is noted as such. Its number, or -1 without memory (raised). */
int32_t ls_tape_watch(struct ls_tape *tape, ls_tensor tensor);
/** Whether it listens now. */
bool ls_tape_recording(const struct ls_tape *tape);
/** Forgets all entries and values. */
void ls_tape_clear(struct ls_tape *tape);
/** Stops every tape (by 1), and lets them go on (by -1). */
void ls_tapes_stop(ls_context *ls, int by);
/** Ends the life of a tape. */
void ls_tape_free(struct ls_tape *tape);

#endif
