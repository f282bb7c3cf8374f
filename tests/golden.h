/* SPDX-License-Identifier: Apache-2.0
 *
 * Goldens: what TensorFlow computes in float64 (tests/golden/generate.py), read from tests/golden/
 * *.golden and run on an open context. No test framework in here; tests/suite calls it.
 *
 * A file is text, words between white space; line ends mean nothing:
 *
 *     lockstep-golden 1
 *     case FAMILY/OP/NAME
 *     op NAME                          which entry of the tables in golden_*.c runs it
 *     covers NAME...                   rows of elementwise.def that it exercises beside its own
 *     flags subnormal no_gradient      subnormal: reads or makes subnormals; see enum golden_flag
 *     attrs N...                       integers, their meaning beside the entry
 *     reals WORD...                    float32
 *     input DTYPE SHAPE WORD...        float32 as 8 hex digits; other types decimal
 *     pattern float32 SHAPE SEED       a large input: multiples of 2^-23 in [-1, 1)
 *     output DTYPE SHAPE [BOUND] WORD...   float32: the bound and then the truth
 *     cotangent WORD...                float32, of the shape of output 0: gradients are asked
 *     gradient I BOUND WORD...         d sum(output * cotangent) / d input I
 *     direction I WORD...              float32, of the shape of input I: the second order is asked
 *     second J BOUND WORD...           d sum_i sum(gradient i * direction i) / d input J;
 *                                      J == the number of inputs stands for the cotangent
 *     ...
 *     end CASES
 *
 * A SHAPE is 3x1x5, or () for rank 0. A bound is the 16 hex digits of a double, a true value those
 * of a double or the 8 of a float32 that holds it; `zeros` stands for all of an array's values.
 */
#ifndef LOCKSTEP_TESTS_GOLDEN_H
#define LOCKSTEP_TESTS_GOLDEN_H

#include <stdio.h>

#include <lockstep/tensor.h>

enum { GOLDEN_ATTRS = 40, GOLDEN_REALS = 8, GOLDEN_INPUTS = 12, GOLDEN_OUTPUTS = 10, GOLDEN_COVERS = 12 };

enum golden_flag {
    GOLDEN_SUBNORMAL = 1,  /* only on devices that keep subnormals */
    GOLDEN_NO_GRADIENT = 2 /* asking for a gradient must be LS_NO_GRADIENT */
};

/** An array of a case. Absent while `given` is false. */
struct golden_array {
    bool given;
    ls_dtype dtype;
    ls_shape shape;
    int64_t size;
    void *data;   /* inputs and expected integers: the elements as ls_from_host takes them */
    double *real; /* expected float32 values */
    double bound; /* how far from `real` a float32 device may be */
};

struct golden_case {
    const char *name, *op;
    unsigned flags; /* of enum golden_flag */
    int attrs, reals, covers, inputs, outputs;
    int64_t attr[GOLDEN_ATTRS];
    float real[GOLDEN_REALS];
    const char *cover[GOLDEN_COVERS];
    struct golden_array input[GOLDEN_INPUTS], output[GOLDEN_OUTPUTS];
    struct golden_array cotangent, gradient[GOLDEN_INPUTS];
    struct golden_array direction[GOLDEN_INPUTS], second[GOLDEN_INPUTS + 1];
};

/** All cases of a folder, in the order of file names and files. */
struct golden_set {
    size_t count;
    struct golden_case *cases;
    size_t texts;
    char **text; /* the files, into which names point */
};

/**
 * Reads every *.golden file of `folder`. On failure says what is wrong on `report`, with file and
 * word, and returns false; `set` is then empty.
 */
bool golden_load(struct golden_set *set, const char *folder, FILE *report);
void golden_unload(struct golden_set *set);

/* ---- What a device computed, to be compared with what another one did ---- */

struct golden_value {
    char name[112]; /* "elementwise/add/same gradient 0" */
    ls_dtype dtype;
    size_t bytes;
    void *data;
};

/** All arrays read from the device in one run, in order. All zero is an empty one. */
struct golden_trace {
    size_t count, capacity;
    struct golden_value *value;
};

/** Copies an array into a trace; false when memory is exhausted. */
bool golden_trace_add(struct golden_trace *trace, const char *name, ls_dtype dtype, const void *data, size_t bytes);

/**
 * Compares bits: -0 equals +0 (canon.md rule 18), a NaN any NaN (rule 19). Returns how many arrays
 * differ or are missing in one of the two, and names the first elements that do on `report`.
 */
size_t golden_trace_compare(const struct golden_trace *a, const struct golden_trace *b, FILE *report);
void golden_trace_free(struct golden_trace *trace);

/* ---- Running ---- */

/** Computes a case's outputs from its inputs and returns how many there are. */
typedef int golden_call(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out);

/** The ops of golden_*.c that have a function of their own; each table ends with a NULL name. */
struct golden_entry {
    const char *name;
    golden_call *call;
};
extern const struct golden_entry golden_array_ops[], golden_convolution_ops[], golden_loss_ops[], golden_network_ops[],
    golden_training_ops[];

/** Whether there is an op of that name, and the call of c->op, which must be one. */
bool golden_has_op(const char *name);
golden_call golden_call_op;

/** Item `i` along the first axis, without that axis. */
ls_tensor golden_step(ls_tensor steps, int64_t i);

struct golden_options {
    const char *only;           /* cases whose name starts so; NULL: all */
    bool skip_subnormal;        /* for devices that flush */
    bool skip_subsets;          /* do not repeat gradients with fewer tensors watched */
    struct golden_trace *trace; /* where arrays read are added; NULL: nowhere */
};

struct golden_result {
    size_t cases, passed, failed, skipped;
    size_t names;
    const char **name; /* ops and rows that some passed case exercised; they belong to the set */
};

/**
 * Runs every case: the outputs, then the gradients by a tape, with every input watched and with
 * every subset of them (the same bits), then the second order by nested tapes. Each failure is a line
 * on `report`: case, array, index, both values, bound. `result` is filled; free its list with
 * golden_result_finish. Leaves nothing alive in the context. Returns the number of failed cases.
 */
size_t golden_run(ls_context *ls, const struct golden_set *set, const struct golden_options *options,
                  struct golden_result *result, FILE *report);
void golden_result_finish(struct golden_result *result);

/** Adds an op or a row that a passed case exercised. */
void golden_add_cover(struct golden_result *result, const char *name);

/**
 * Names on `report` every row of elementwise.def, and every function of the ops' headers in `folder`
 * that returns a tensor or a status, that no case covered. Returns how many there are.
 */
size_t golden_missing(const struct golden_result *result, const char *folder, FILE *report);

#endif
