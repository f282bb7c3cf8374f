/* SPDX-License-Identifier: Apache-2.0
 *
 * A random graph run on a context, with its first and second gradients, and its derivatives by finite differences of
 * the interpreter; for test_graphs.c.
 */
#ifndef LOCKSTEP_TESTS_GRAPHS_RUN_H
#define LOCKSTEP_TESTS_GRAPHS_RUN_H

#include "graphs.h"

/* ---- What a run of a graph gives: values of its ends, first gradients g, second gradients h ---- */

enum { MOST_RESULTS = 3 * MOST_NODES, MOST_FLOATS = MOST_RESULTS * 64 };

struct result {
    char kind; /* 'y' target, 'i' other node that nobody reads, 'g', 'h' */
    int node;
    int64_t n;    /* -1: there is no gradient */
    size_t start; /* of its elements */
};

struct results {
    bool failed;
    int count;
    size_t floats;
    struct result list[MOST_RESULTS];
    float data[MOST_FLOATS];
};

/** Whether results of the kinds in `kind` have the same bits; else says where they differ. */
bool results_same(const struct results *a, const struct results *b, const char *kind, char *why, size_t size);

/** Set where the other device does not keep subnormals, which then count as 0. */
extern bool results_flush;

/* ---- Running ---- */

/** One graph on one context. */
struct job {
    const struct graph *graph;
    ls_context *ls;
    bool recompute;        /* part of the graph in ls_recompute_grad */
    bool part[MOST_NODES]; /* which nodes are that part */
    int part_end;          /* the only one of them that others read; -1: there is no part */
    int target[MOST_NODES], targets;
    ls_tensor leaf[MOST_NODES]; /* handles of the inputs; variables stay the same from call to call */
    ls_tensor value[MOST_NODES];
    int emitted; /* results that are not nil, or -1 when not known */
};

/** Chooses the targets and the part, and makes the variables; releases them. */
void job_begin(struct job *job, const struct graph *g, ls_context *ls, uint64_t seed);
void job_end(struct job *job);

/** Runs the graph at a point, eagerly or as call of a captured function. `like` says which are nil. */
void job_run(struct job *job, ls_function *function, double (*point)[MOST_ELEMENTS], const struct results *like,
             struct results *r);

/**
 * What ls_function_create captures; `user` is the job. Inputs: the inputs of the graph that are neither variables nor
 * constants of ls_fill, in their order; then the coefficients of the targets, then a direction u for each source.
 * Outputs: all results that are not nil.
 */
void job_body(void *user, const ls_tensor *inputs, ls_tensor *outputs);

/* ---- Directions and differences ---- */

enum { OF_TARGET = 1, ALONG_U, ALONG_V };

/** Coefficients of targets and directions of inputs: multiples of 1/64 in ±[0.5, 1). */
double coefficient(int what, int node, int64_t i);
bool is_source(const struct node *n);

struct estimate {
    double value, error; /* error: how much the last refinement changed it; infinite: a kink is near */
    double step;         /* with which it was found */
};

/** Central differences, extrapolated, at ever smaller steps; the one that changed least against the one before. */
struct estimate differentiate(const struct job *job, int order);

/**
 * How far rounding may move a derivative. Every op's arguments and result are disturbed by up to 2^-18,
 * the derivative of the disturbed graph is taken in double, and its movement is scaled down to float32's
 * 2^-24. Disturbed arguments stand for the rounding of gradients on the way back.
 */
double movement(const struct job *job, int order, double h, int drawings);

#endif
