/* SPDX-License-Identifier: Apache-2.0
 *
 * Random small graphs of public ops, and an interpreter of them in double precision that shares no code
 * with the library, but for the formulas in graphs_derived.c. test_graphs.c compares the two.
 *
 * To add an op: nothing if it is a row of elementwise.def with tensors for inputs and a gradient
 * (graphs_derived.c); one row in graphs_elementwise.def if it works element by element, in graphs_reduce.def if it
 * reduces axes or maps each line along an axis to a line; else a plan, an eval and a call in the file of its family,
 * and a row at its end.
 */
#ifndef LOCKSTEP_TESTS_GRAPHS_H
#define LOCKSTEP_TESTS_GRAPHS_H

#include <lockstep/lockstep.h>

enum { MOST_NODES = 96, MOST_ELEMENTS = 512, MOST_INPUTS = 4 };

/** An array of the interpreter. Integers and bools are doubles too. */
struct array {
    ls_shape shape;
    int64_t n;
    double *x;
};

struct graph;
struct node;

struct row {
    const char *name;
    /** Chooses inputs and attributes of `n` and sets its shape and type; false: nothing fits. */
    bool (*plan)(struct graph *g, struct node *n);
    void (*eval)(const struct node *n, const struct array *in, struct array *out);
    ls_tensor (*call)(const struct node *n, const ls_tensor *in);

    bool exact;  /* only moves, chooses or compares values: nothing is rounded */
    bool frozen; /* the gradient does not pass: under finite differences the value stays what it was */
    /* What the shared plans and evals of graphs_elementwise.c and graphs_reduce.c read. */
    int inputs;
    ls_dtype result, type[3];
    double domain[3][2];
    double (*formula)(double a, double b, double c);
    double (*reduce)(const double *x, int64_t n);
    int64_t least; /* elements that a reduction needs */
    void (*along)(const struct node *n, const double *x, int64_t count, double *y);
};

/** Where an input of the graph comes from. */
enum source { OP, VARIABLE, WATCHED, CONSTANT, FILL };

struct node {
    const struct row *row; /* NULL for an input of the graph */
    enum source source;
    int in[MOST_INPUTS], inputs;
    ls_dtype dtype;
    ls_shape shape;
    int64_t n; /* elements */
    /* Attributes, whatever the row makes of them. */
    int axes[LS_MAX_RANK], count, axis;
    int64_t begin[LS_MAX_RANK], size[LS_MAX_RANK], step[LS_MAX_RANK];
    bool flag[2], with_axes;
    ls_activation activation;
};

struct graph {
    uint64_t random;
    int nodes, ops;
    bool few_shapes;  /* for devices whose kernels are slow to build */
    bool wide, empty; /* larger sizes; sizes of 0 */
    struct node node[MOST_NODES];
    double value[MOST_NODES][MOST_ELEMENTS]; /* at the point where the graph was made */
};

/** The rows, and how many there are: those of the families, then those that follow from elementwise.def alone. */
const struct row *graph_row(int i);
int graph_row_count(void);

/** The rows of a family, in graphs_<family>.c; the last one has no name. */
extern const struct row graph_elementwise_rows[], graph_reduce_rows[], graph_shape_rows[], graph_part_rows[],
    graph_move_rows[], graph_index_rows[], graph_linalg_rows[], graph_convolution_rows[], graph_network_rows[];
/** Row i of elementwise.def that has a gradient; NULL past the end. */
const struct row *graph_derived_row(int i);

/* ---- For plans ---- */

/** A random number in 0..n-1. */
int64_t draw(struct graph *g, int64_t n);
/** A node of that type with all elements in [low, high]; made by a fitting fma if there is none. -1: none. */
int pick(struct graph *g, ls_dtype dtype, double low, double high);
/** A new input of the graph: random numbers in [low, high), whole ones unless float32. -1: no room. */
int fresh(struct graph *g, ls_dtype dtype, ls_shape shape, double low, double high);
/** A random shape of that rank; one that broadcasts with `whole`, some sizes 1, some leading dimensions gone. */
ls_shape random_shape(struct graph *g, int rank);
ls_shape thinner_shape(struct graph *g, ls_shape whole);
/** The next input of `n`: a picked float32 node, whose shape `n` takes; or a new float32 input of the graph. */
bool pick_input(struct graph *g, struct node *n, double low, double high);
bool fresh_input(struct graph *g, struct node *n, ls_shape shape, double low, double high);
/** As pick_input, of (batch, …, channels) with a multiple of `groups` channels; a new one where none fits. */
bool pick_images(struct graph *g, struct node *n, int64_t groups, double low, double high);

/** The plan and the eval of ops that work element by element, which read `inputs`, `type`, `domain` and `formula`. */
bool graph_plan_elementwise(struct graph *g, struct node *n);
void graph_eval_elementwise(const struct node *n, const struct array *in, struct array *out);

/** A hash of three numbers. */
uint64_t mixed(uint64_t a, uint64_t b, uint64_t c);

int64_t elements_of(const ls_shape *shape);
bool broadcast(const ls_shape *a, const ls_shape *b, ls_shape *out);
/** The index in `part`, which was broadcast to `whole`, of element `i` of `whole`. */
int64_t broadcast_index(const ls_shape *whole, int64_t i, const ls_shape *part);
/** Element `i` of `shape` as an index per dimension, and back. */
void coordinates_of(const ls_shape *shape, int64_t i, int64_t *at);
int64_t index_of(const ls_shape *shape, const int64_t *at);

/* ---- For formulas that are not smooth everywhere ---- */

/** The inverse of erf; floor(t), a step function. */
double graph_inverse_erf(double y);
double graph_floor(double t);

/** Whether t > 0. Derivatives are compared only where no such answer changes nearby. */
bool above(double t);
/** A value of a step function; `distance` is how far the nearest step is. */
double stair(double value, double distance);

/** What the answers since kinks_reset were, as one number, and whether any was close. */
void kinks_reset(void);
uint64_t kinks(void);
bool kinks_near(void);

/* ---- Making and evaluating ---- */

/** A graph from a seed: 5 to 30 ops. */
void graph_make(struct graph *g, uint64_t seed, bool few_shapes);

/** A graph of that op and of what it reads; false if none was found. Few shapes. */
bool graph_make_of(struct graph *g, const struct row *row, uint64_t seed);

/** All nodes at the point where input i is `inputs[i]`; results into `value`. Frozen nodes stay as in g. */
void graph_eval(const struct graph *g, double (*value)[MOST_ELEMENTS]);

/**
 * From now on graph_eval multiplies what every op reads and what it gives by numbers in 1 ± amplitude, the
 * same for one `drawing`, so that rounding can be imitated and magnified. 0: it computes exactly again.
 */
void graph_disturb(double amplitude, int drawing);

/**
 * For evals of ops that round within: `x` disturbed likewise. `place` tells the values of one eval apart. Where
 * an op's steps cancel each other, its arguments' rounding says nothing of its own.
 */
double graph_inside(double x, int64_t place);

/** The tensor of an input of the graph: `x` as the type of `n`. */
ls_tensor graph_upload(ls_context *ls, const struct node *n, const double *x);

/** Whether a later node reads node i. */
bool graph_reads(const struct graph *g, int i);

#endif
