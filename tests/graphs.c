/* SPDX-License-Identifier: Apache-2.0 */
#include "graphs.h"

#include <math.h>
#include <string.h>

/* ---- Random numbers: splitmix64 ---- */

static uint64_t next(uint64_t *random)
{
    uint64_t z = *random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

int64_t draw(struct graph *g, int64_t n) { return (int64_t)(next(&g->random) >> 16) % n; }

static double draw_real(struct graph *g, double low, double high)
{
    return low + (high - low) * (double)(next(&g->random) >> 11) * 0x1p-53;
}

uint64_t mixed(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t random = a << 56 ^ b << 40 ^ c;
    return next(&random);
}

/* ---- Shapes ---- */

int64_t elements_of(const ls_shape *shape)
{
    int64_t n = 1;
    for (int d = 0; d < shape->rank; d++)
        n *= shape->dim[d];
    return n;
}

bool broadcast(const ls_shape *a, const ls_shape *b, ls_shape *out)
{
    ls_shape joined = {.rank = a->rank > b->rank ? a->rank : b->rank};
    for (int d = 1; d <= joined.rank; d++) {
        int64_t m = d <= a->rank ? a->dim[a->rank - d] : 1, n = d <= b->rank ? b->dim[b->rank - d] : 1;
        if (m != n && m != 1 && n != 1)
            return false;
        joined.dim[joined.rank - d] = m == 1 ? n : m;
    }
    *out = joined;
    return true;
}

void coordinates_of(const ls_shape *shape, int64_t i, int64_t *at)
{
    for (int d = shape->rank; d-- > 0; i /= shape->dim[d])
        at[d] = i % shape->dim[d];
}

int64_t index_of(const ls_shape *shape, const int64_t *at)
{
    int64_t i = 0;
    for (int d = 0; d < shape->rank; d++)
        i = i * shape->dim[d] + at[d];
    return i;
}

int64_t broadcast_index(const ls_shape *whole, int64_t i, const ls_shape *part)
{
    int64_t at[LS_MAX_RANK], result = 0;
    int shift = whole->rank - part->rank;
    coordinates_of(whole, i, at);
    for (int d = 0; d < part->rank; d++)
        result = result * part->dim[d] + (part->dim[d] == 1 ? 0 : at[d + shift]);
    return result;
}

ls_shape random_shape(struct graph *g, int rank)
{
    static const int64_t few[] = {1, 3, 4}, usual[] = {1, 2, 3, 4, 5}, wide[] = {1, 2, 3, 7, 17, 33, 65, 130};
    ls_shape shape = {.rank = rank};
    do {
        for (int d = 0; d < rank; d++)
            shape.dim[d] = g->few_shapes ? few[draw(g, 3)] : g->wide ? wide[draw(g, 8)] : usual[draw(g, 5)];
        if (g->empty && rank > 0 && draw(g, 3) == 0)
            shape.dim[draw(g, rank)] = 0;
    } while (elements_of(&shape) > MOST_ELEMENTS / 2);
    return shape;
}

ls_shape thinner_shape(struct graph *g, ls_shape whole)
{
    int drop = whole.rank > 0 ? (int)draw(g, whole.rank + 1) * (draw(g, 2) == 0) : 0;
    ls_shape shape = {.rank = whole.rank - drop};
    for (int d = 0; d < shape.rank; d++)
        shape.dim[d] = draw(g, 3) == 0 ? 1 : whole.dim[d + drop];
    return shape;
}

/* ---- Kinks ---- */

static uint64_t answers;
static bool near;

void kinks_reset(void)
{
    answers = 0;
    near = false;
}

uint64_t kinks(void) { return answers; }
bool kinks_near(void) { return near; }

static void answer(int64_t value, double distance)
{
    answers = (answers ^ (uint64_t)value) * 0x9e3779b97f4a7c15u;
    answers ^= answers >> 29;
    near = near || (distance != 0 && fabs(distance) < 1e-4);
}

bool above(double t)
{
    answer(t > 0 ? 2 : t < 0 ? 1 : 0, t);
    return t > 0;
}

double stair(double value, double distance)
{
    answer((int64_t)value, distance == 0 ? 1e-9 : distance); /* on the step itself either side may be taken */
    return value;
}

/* ---- Making a graph ---- */

static bool inside(const struct graph *g, int i, double low, double high)
{
    for (int64_t e = 0; e < g->node[i].n; e++)
        if (!(g->value[i][e] >= low && g->value[i][e] <= high))
            return false;
    return true;
}

int fresh(struct graph *g, ls_dtype dtype, ls_shape shape, double low, double high)
{
    if (g->nodes == MOST_NODES || elements_of(&shape) > MOST_ELEMENTS)
        return -1;
    static const enum source floats[] = {VARIABLE, VARIABLE, WATCHED, WATCHED, CONSTANT, FILL};
    int i = g->nodes++;
    struct node *n = &g->node[i];
    *n = (struct node){.dtype = dtype, .shape = shape, .n = elements_of(&shape)};
    n->source = dtype != LS_FLOAT32 ? CONSTANT : i == 0 ? (draw(g, 2) ? VARIABLE : WATCHED) : floats[draw(g, 6)];
    low = fmax(low, -3);
    high = fmin(high, 3 + fmax(low, 0));
    double margin = dtype == LS_FLOAT32 ? 0.05 * (high - low) : 0;
    for (int64_t e = 0; e < n->n; e++) {
        double x = draw_real(g, low + margin, high - margin);
        g->value[i][e] = dtype == LS_FLOAT32 ? (double)(float)x : floor(x);
        if (n->source == FILL && e > 0)
            g->value[i][e] = g->value[i][0];
    }
    return i;
}

static bool evaluate(const struct graph *g, int i, double (*value)[MOST_ELEMENTS]);

/* Node i moved into [low, high] by an fma with two constants. */
static int fit(struct graph *g, int i, double low, double high)
{
    static const struct row *row;
    for (int r = 0; r < graph_row_count() && !row; r++)
        row = strcmp(graph_row(r)->name, "fma") == 0 ? graph_row(r) : NULL;
    double least = INFINITY, most = -INFINITY;
    for (int64_t e = 0; e < g->node[i].n; e++) {
        least = fmin(least, g->value[i][e]);
        most = fmax(most, g->value[i][e]);
    }
    double middle = (low + high) / 2, scale = most > least ? 0.8 * (high - low) / (most - least) : 1;
    scale = (double)(float)fmin(scale, 1);
    double shift = (double)(float)(middle - scale * (most + least) / 2);
    if (g->nodes + 3 > MOST_NODES)
        return -1;
    int s = fresh(g, LS_FLOAT32, LS_SCALAR_SHAPE, 0, 1), t = fresh(g, LS_FLOAT32, LS_SCALAR_SHAPE, 0, 1);
    g->value[s][0] = scale;
    g->value[t][0] = shift;
    g->node[s].source = g->node[t].source = draw(g, 2) ? FILL : CONSTANT;
    int f = g->nodes++;
    g->node[f] = (struct node){.row = row, .in = {i, s, t}, .inputs = 3, .shape = g->node[i].shape, .n = g->node[i].n};
    g->ops++;
    return evaluate(g, f, g->value) && inside(g, f, low, high) ? f : -1;
}

int pick(struct graph *g, ls_dtype dtype, double low, double high)
{
    int last = -1;
    for (int attempt = 0; attempt < 12 && g->nodes > 0; attempt++) {
        int i = (int)draw(g, g->nodes), j = (int)draw(g, g->nodes);
        i = i > j ? i : j; /* later nodes more often, so that graphs become deep */
        if (g->node[i].dtype != dtype || (g->node[i].source == FILL && attempt < 6))
            continue;
        last = i;
        if (inside(g, i, low, high))
            return i;
    }
    if (last >= 0 && dtype == LS_FLOAT32)
        return fit(g, last, low, high);
    return fresh(g, dtype, random_shape(g, (int)draw(g, 3)), low, high);
}

bool pick_input(struct graph *g, struct node *n, double low, double high)
{
    int a = pick(g, LS_FLOAT32, low, high);
    n->in[n->inputs++] = a;
    if (a >= 0)
        n->shape = g->node[a].shape;
    return a >= 0;
}

bool fresh_input(struct graph *g, struct node *n, ls_shape shape, double low, double high)
{
    int i = fresh(g, LS_FLOAT32, shape, low, high);
    n->in[n->inputs++] = i;
    return i >= 0;
}

static double disturbance;
static int drawn;

void graph_disturb(double amplitude, int drawing)
{
    disturbance = amplitude;
    drawn = drawing;
}

/*
 * x times a number in 1 ± disturbance that depends on where x stands, at place k of node i, and smoothly
 * on x: a constant factor would leave x * (1 / x) and softmax(x + c) what they are.
 */
static double disturbed(double x, int i, int k, int64_t e)
{
    uint64_t bits = mixed((uint64_t)drawn, (uint64_t)(i * 8 + k), (uint64_t)e);
    return x * (1 + disturbance * sin(x + (double)(bits >> 11) * 0x1p-50));
}

static int evaluated; /* the node */

double graph_inside(double x, int64_t place)
{
    return disturbance > 0 ? disturbed(x, evaluated, MOST_INPUTS + 1, place) : x;
}

static bool evaluate(const struct graph *g, int i, double (*value)[MOST_ELEMENTS])
{
    static double read[MOST_INPUTS][MOST_ELEMENTS];
    const struct node *n = &g->node[i];
    struct array in[MOST_INPUTS] = {{{0}}}, out = {n->shape, n->n, value[i]};
    bool noisy = disturbance > 0 && n->dtype == LS_FLOAT32 && !n->row->exact;
    for (int k = 0; k < n->inputs; k++) {
        const struct node *from = &g->node[n->in[k]];
        in[k] = (struct array){from->shape, from->n, value[n->in[k]]};
        if (!noisy || from->dtype != LS_FLOAT32)
            continue;
        for (int64_t e = 0; e < from->n; e++)
            read[k][e] = disturbed(in[k].x[e], i, k, e);
        in[k].x = read[k];
    }
    evaluated = i;
    n->row->eval(n, in, &out);
    for (int64_t e = 0; noisy && e < n->n; e++)
        out.x[e] = disturbed(out.x[e], i, MOST_INPUTS, e);
    for (int64_t e = 0; e < n->n; e++)
        if (!(fabs(out.x[e]) <= 100))
            return false;
    return true;
}

/* Tries to add an op; leaves the graph as it was if it does not fit. */
static bool add_op(struct graph *g, const struct row *row)
{
    int nodes = g->nodes, ops = g->ops;
    struct node n = {.row = row};
    bool good = n.row->plan(g, &n);
    n.n = good ? elements_of(&n.shape) : 0;
    good = good && n.n <= MOST_ELEMENTS && g->nodes < MOST_NODES;
    for (int k = 0; k < n.inputs; k++)
        good = good && n.in[k] >= 0;
    if (good) {
        g->node[g->nodes++] = n;
        g->ops++;
        good = evaluate(g, g->nodes - 1, g->value);
    }
    if (!good) {
        g->nodes = nodes;
        g->ops = ops;
    }
    return good;
}

bool graph_make_of(struct graph *g, const struct row *row, uint64_t seed)
{
    for (uint64_t attempt = 0; attempt < 100; attempt++) {
        g->random = (seed + 1000 * attempt) * 0x2545f4914f6cdd1du + 1;
        g->nodes = g->ops = 0;
        g->few_shapes = attempt < 50; /* some ops are left out of those with few */
        g->wide = g->empty = false;
        /* Where inputs made for it do not fit, it is given some to choose from. */
        for (uint64_t i = 0; i < attempt % 4; i++)
            fresh(g, LS_FLOAT32, random_shape(g, 1 + (int)draw(g, 3)), -3, 3);
        if (add_op(g, row))
            return true;
    }
    return false;
}

void graph_make(struct graph *g, uint64_t seed, bool few_shapes)
{
    g->random = seed * 0x2545f4914f6cdd1du + 1;
    g->nodes = g->ops = 0;
    g->few_shapes = few_shapes;
    g->wide = !few_shapes && draw(g, 8) == 0;
    g->empty = !few_shapes && draw(g, 16) == 0;
    int ops = 5 + (int)draw(g, 26);
    for (int64_t inputs = 1 + draw(g, 3); inputs > 0; inputs--)
        fresh(g, LS_FLOAT32, random_shape(g, (int)draw(g, few_shapes ? 3 : 5)), -3, 3);
    for (int attempt = 0; g->ops < ops && attempt < 400; attempt++)
        add_op(g, graph_row((int)draw(g, graph_row_count())));
}

void graph_eval(const struct graph *g, double (*value)[MOST_ELEMENTS])
{
    kinks_reset();
    for (int i = 0; i < g->nodes; i++) {
        if (g->node[i].row && !g->node[i].row->frozen)
            evaluate(g, i, value);
        else if (g->node[i].row)
            memcpy(value[i], g->value[i], sizeof value[i]);
    }
}

bool graph_reads(const struct graph *g, int i)
{
    for (int j = i + 1; j < g->nodes; j++)
        for (int k = 0; k < g->node[j].inputs; k++)
            if (g->node[j].in[k] == i)
                return true;
    return false;
}

ls_tensor graph_upload(ls_context *ls, const struct node *n, const double *x)
{
    float f[MOST_ELEMENTS];
    int32_t w[MOST_ELEMENTS];
    uint8_t b[MOST_ELEMENTS];
    for (int64_t i = 0; i < n->n; i++) {
        f[i] = (float)x[i];
        w[i] = (int32_t)x[i];
        b[i] = x[i] != 0;
    }
    return ls_from_host(ls, n->dtype, n->shape,
                        n->dtype == LS_FLOAT32 ? (void *)f
                        : n->dtype == LS_INT32 ? (void *)w
                                               : b);
}
