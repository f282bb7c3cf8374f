/* SPDX-License-Identifier: Apache-2.0
 *
 * Properties of random graphs of ops (graphs.h): first and second gradients against finite differences
 * in double, and the same bits eager, captured, with recompute_grad, and on another device.
 *
 *     test_graphs [DEVICE] [--graphs N] [--seed S]
 *
 * DEVICE: a kind of device that is compared with the reference, default baseline. The graphs are those
 * of the seeds S, S + 1, … S + N - 1; a failure prints the seed of its graph, and --graphs 1 --seed S
 * repeats it. A new row in the list of ops makes other graphs of the same seeds, so graphs that once
 * failed are written out below, as small as they could be made.
 */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "devices.h"
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

/* One graph on one context. */
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

/* Coefficients of targets and directions of inputs: multiples of 1/64 in ±[0.5, 1). */
static double coefficient(int what, int node, int64_t i)
{
    uint64_t z = mixed((uint64_t)what, (uint64_t)node, (uint64_t)i);
    double magnitude = 0.5 + (double)(z >> 8 & 31) / 64;
    return z & 1 ? magnitude : -magnitude;
}

enum { OF_TARGET = 1, ALONG_U, ALONG_V };

static bool is_source(const struct node *n) { return n->source == VARIABLE || n->source == WATCHED; }

/* ---- The part that is recomputed: nodes that only lead to one of them ---- */

static void choose_part(struct job *job, uint64_t seed)
{
    const struct graph *g = job->graph;
    int ends[MOST_NODES], count = 0;
    job->part_end = -1;
    for (int k = 0; k < g->nodes; k++)
        if (g->node[k].row && g->node[k].dtype == LS_FLOAT32)
            ends[count++] = k;
    for (int attempt = 0; attempt < 4 && count > 0; attempt++) {
        int end = ends[(seed + (uint64_t)attempt * 7) % (uint64_t)count], size = 1;
        memset(job->part, 0, sizeof job->part);
        job->part[end] = true;
        for (int i = end - 1; i >= 0; i--) {
            bool mine = g->node[i].row && graph_reads(g, i);
            for (int j = i + 1; mine && j < g->nodes; j++)
                for (int k = 0; k < g->node[j].inputs; k++)
                    mine = mine && (g->node[j].in[k] != i || job->part[j]);
            job->part[i] = mine;
            size += mine;
        }
        if (size > 2) {
            job->part_end = end;
            return;
        }
    }
    memset(job->part, 0, sizeof job->part);
}

/* ---- Running a graph ---- */

static ls_tensor run_node(struct job *job, int i)
{
    const struct node *n = &job->graph->node[i];
    ls_tensor in[MOST_INPUTS];
    for (int k = 0; k < n->inputs; k++)
        in[k] = job->value[n->in[k]];
    return n->row->call(n, in);
}

/* Whether the part reads node i from outside, other than as a variable. */
static bool enters_part(const struct job *job, int i)
{
    bool enters = false;
    for (int j = i + 1; j < job->graph->nodes; j++)
        for (int k = 0; k < job->graph->node[j].inputs; k++)
            enters = enters || (job->part[j] && job->graph->node[j].in[k] == i);
    return enters && !job->part[i] && job->graph->node[i].source != VARIABLE;
}

static ls_tensor run_part(void *user, const ls_tensor *inputs, size_t count)
{
    struct job *job = user;
    ls_tensor outside[MOST_NODES], end;
    memcpy(outside, job->value, sizeof outside);
    size_t used = 0;
    for (int i = 0; i < job->graph->nodes; i++) {
        if (enters_part(job, i) && used < count)
            job->value[i] = inputs[used++];
        else if (job->part[i])
            job->value[i] = run_node(job, i);
    }
    end = job->value[job->part_end];
    memcpy(job->value, outside, sizeof outside);
    return end;
}

static void run_nodes(struct job *job)
{
    const struct graph *g = job->graph;
    for (int i = 0; i < g->nodes; i++) {
        if (i == job->part_end) {
            ls_tensor inputs[MOST_NODES];
            size_t count = 0;
            for (int j = 0; j < g->nodes; j++)
                if (enters_part(job, j))
                    inputs[count++] = job->value[j];
            job->value[i] = job->recompute ? ls_recompute_grad(job->ls, run_part, job, inputs, count)
                                           : run_part(job, inputs, count);
        } else if (g->node[i].row && !job->part[i]) {
            job->value[i] = run_node(job, i);
        }
    }
}

/*
 * Inputs: the inputs of the graph that are neither variables nor constants of ls_fill, in their order;
 * then the coefficients of the targets, then a direction u for each source. Outputs: all results that
 * are not nil.
 */
static void body(void *user, const ls_tensor *inputs, ls_tensor *outputs)
{
    struct job *job = user;
    const struct graph *g = job->graph;
    ls_context *ls = job->ls;
    ls_tensor source[MOST_NODES], first[MOST_NODES], second[MOST_NODES], target[MOST_NODES], some[MOST_NODES],
        along[MOST_NODES];
    ls_tensor all[MOST_RESULTS];
    size_t sources = 0, firsts = 0, count = 0;
    for (int i = 0; i < g->nodes; i++) {
        const struct node *n = &g->node[i];
        if (n->source == FILL)
            job->leaf[i] = ls_fill(ls, n->shape, (float)g->value[i][0]);
        else if (n->source != VARIABLE && !n->row)
            job->leaf[i] = *inputs++;
        if (!n->row)
            job->value[i] = job->leaf[i];
        if (is_source(n))
            source[sources++] = job->leaf[i];
    }
    const ls_tensor *c = inputs, *u = inputs + job->targets;
    LS_TAPE (outer, ls) {
        LS_TAPE (inner, ls) {
            for (int i = 0; i < g->nodes; i++) {
                if (g->node[i].source == WATCHED) {
                    ls_watch(outer, job->leaf[i]);
                    ls_watch(inner, job->leaf[i]);
                }
            }
            run_nodes(job);
        }
        for (int t = 0; t < job->targets; t++)
            target[t] = job->value[job->target[t]];
        ls_gradient_with(&(ls_gradient_options){inner, target, (size_t)job->targets, c, source, sources,
                                                LS_UNCONNECTED_NONE, first});
    }
    for (size_t s = 0; s < sources; s++) {
        if (!ls_is_nil(first[s])) {
            some[firsts] = first[s];
            along[firsts++] = u[s];
        }
    }
    memset(second, 0, sizeof second);
    if (firsts > 0)
        ls_gradient_with(
            &(ls_gradient_options){outer, some, firsts, along, source, sources, LS_UNCONNECTED_NONE, second});
    for (int i = 0; i < g->nodes; i++)
        if (g->node[i].row && !graph_reads(g, i))
            all[count++] = job->value[i];
    memcpy(all + count, first, sources * sizeof *first);
    memcpy(all + count + sources, second, sources * sizeof *second);
    count += 2 * sources;
    int emitted = 0;
    for (size_t i = 0; i < count; i++) {
        if (job->emitted < 0)
            outputs[emitted++] = all[i];
        else if (!ls_is_nil(all[i]) && emitted < job->emitted)
            outputs[emitted++] = all[i];
    }
}

/* ---- Host and device ---- */

static ls_tensor upload(ls_context *ls, const struct node *n, const double *x)
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

static ls_tensor upload_coefficients(ls_context *ls, int what, const struct graph *g, int i)
{
    double x[MOST_ELEMENTS];
    struct node n = g->node[i];
    for (int64_t e = 0; e < n.n; e++)
        x[e] = coefficient(what, i, e);
    return upload(ls, &n, x);
}

/* The arguments of body at a point; assigns the variables. */
static size_t arguments(struct job *job, double (*point)[MOST_ELEMENTS], ls_tensor *inputs)
{
    const struct graph *g = job->graph;
    size_t count = 0;
    for (int i = 0; i < g->nodes; i++) {
        if (g->node[i].source == VARIABLE)
            ls_assign(job->leaf[i], upload(job->ls, &g->node[i], point[i]));
        else if (!g->node[i].row && g->node[i].source != FILL)
            inputs[count++] = upload(job->ls, &g->node[i], point[i]);
    }
    for (int t = 0; t < job->targets; t++)
        inputs[count++] = upload_coefficients(job->ls, OF_TARGET, g, job->target[t]);
    for (int i = 0; i < g->nodes; i++)
        if (is_source(&g->node[i]))
            inputs[count++] = upload_coefficients(job->ls, ALONG_U, g, i);
    return count;
}

static void read_one(ls_tensor t, struct results *r, struct result *out)
{
    uint8_t bytes[MOST_ELEMENTS];
    int32_t words[MOST_ELEMENTS];
    int64_t n = ls_size(t);
    ls_dtype dtype = ls_dtype_of(t);
    if (n > MOST_ELEMENTS || r->floats + (size_t)n > MOST_FLOATS) {
        r->failed = true;
        return;
    }
    float *to = r->data + r->floats;
    void *raw = dtype == LS_FLOAT32 ? (void *)to : dtype == LS_INT32 ? (void *)words : bytes;
    if (ls_read(t, raw, (size_t)n * ls_dtype_size(dtype)) != LS_OK)
        r->failed = true;
    for (int64_t i = 0; dtype != LS_FLOAT32 && i < n; i++)
        to[i] = dtype == LS_INT32 ? (float)words[i] : bytes[i];
    out->n = n;
    out->start = r->floats;
    r->floats += (size_t)n;
}

/* What each result is, in the order in which body gives them. */
static void list_results(const struct graph *g, struct results *r)
{
    r->count = 0;
    r->floats = 0;
    for (int i = 0; i < g->nodes; i++)
        if (g->node[i].row && !graph_reads(g, i))
            r->list[r->count++] = (struct result){g->node[i].dtype == LS_FLOAT32 ? 'y' : 'i', i, -1, 0};
    for (int order = 0; order < 2; order++)
        for (int i = 0; i < g->nodes; i++)
            if (is_source(&g->node[i]))
                r->list[r->count++] = (struct result){"gh"[order], i, -1, 0};
}

/* Runs the graph at a point, eagerly or as call of a captured function. `like` says which are nil. */
static void run(struct job *job, ls_function *function, double (*point)[MOST_ELEMENTS], const struct results *like,
                struct results *r)
{
    ls_tensor inputs[3 * MOST_NODES], outputs[MOST_RESULTS];
    list_results(job->graph, r);
    r->failed = false;
    LS_SCOPE (job->ls) {
        arguments(job, point, inputs);
        if (function)
            ls_function_call(function, inputs, outputs);
        else
            body(job, inputs, outputs);
        for (int i = 0, o = 0; i < r->count && ls_error(job->ls) == LS_OK; i++) {
            if (like && like->list[i].n < 0)
                continue;
            ls_tensor t = outputs[o++];
            if (!ls_is_nil(t))
                read_one(t, r, &r->list[i]);
        }
    }
    r->failed = r->failed || ls_error(job->ls) != LS_OK;
}

static void job_begin(struct job *job, const struct graph *g, ls_context *ls, uint64_t seed)
{
    *job = (struct job){.graph = g, .ls = ls, .emitted = -1};
    for (int i = 0; i < g->nodes; i++)
        if (g->node[i].row && g->node[i].dtype == LS_FLOAT32 && !graph_reads(g, i))
            job->target[job->targets++] = i;
    choose_part(job, seed);
    LS_SCOPE (ls)
        for (int i = 0; i < g->nodes; i++)
            if (g->node[i].source == VARIABLE)
                job->leaf[i] = ls_variable(upload(ls, &g->node[i], g->value[i]), "v", true);
}

static void job_end(struct job *job)
{
    for (int i = 0; i < job->graph->nodes; i++)
        if (job->graph->node[i].source == VARIABLE)
            ls_variable_destroy(&job->leaf[i]);
}

/* ---- Comparing bits ---- */

static bool flushes; /* the other device does not keep subnormals */

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (isnan(x)) /* a graph on a kink may divide 0 by 0; payloads are never compared */
        return 0x7fc00000;
    return (bits << 1) == 0 || (flushes && (bits << 1) < 0x01000000u) ? 0 : bits;
}

/*
 * Whether results of the kinds in `kind` have the same bits; else says where they differ. A part that is
 * recomputed is one op to the tapes, so that no gradient at all (-1 in a) may be zeros in b.
 */
static bool same(const struct results *a, const struct results *b, const char *kind, char *why, size_t size)
{
    for (int i = 0; i < a->count; i++) {
        const struct result *p = &a->list[i], *q = &b->list[i];
        if (!strchr(kind, p->kind))
            continue;
        bool zeros = p->n < 0 && q->n >= 0;
        for (int64_t e = 0; zeros && e < q->n; e++)
            zeros = b->data[q->start + (size_t)e] == 0;
        if (p->n != q->n && !zeros) {
            snprintf(why, size, "%c%d has %lld elements, and %lld", p->kind, p->node, (long long)p->n, (long long)q->n);
            return false;
        }
        for (int64_t e = 0; e < p->n; e++) {
            float x = a->data[p->start + (size_t)e], y = b->data[q->start + (size_t)e];
            if (bits_of(x) != bits_of(y)) {
                snprintf(why, size, "%c%d[%lld] is %a, and %a", p->kind, p->node, (long long)e, (double)x, (double)y);
                return false;
            }
        }
    }
    return true;
}

/* ---- Finite differences ---- */

static double moved[MOST_NODES][MOST_ELEMENTS];

struct probe {
    double y;
    uint64_t kinks;
    bool near;
};

/* The sum of the targets times their coefficients at x + s u + t v. */
static struct probe probe(const struct job *job, double s, double t)
{
    const struct graph *g = job->graph;
    for (int i = 0; i < g->nodes; i++) {
        const struct node *n = &g->node[i];
        for (int64_t e = 0; !n->row && e < n->n; e++) {
            moved[i][e] = g->value[i][e];
            if (is_source(n))
                moved[i][e] += s * coefficient(ALONG_U, i, e) + t * coefficient(ALONG_V, i, e);
        }
    }
    graph_eval(g, moved);
    double y = 0;
    for (int k = 0; k < job->targets; k++)
        for (int64_t e = 0; e < g->node[job->target[k]].n; e++)
            y += coefficient(OF_TARGET, job->target[k], e) * moved[job->target[k]][e];
    return (struct probe){y, kinks(), kinks_near()};
}

struct estimate {
    double value, error; /* error: how much the last refinement changed it; infinite: a kink is near */
    double step;         /* with which it was found */
};

/* One central difference of the given order; NaN where a kink is in between. */
static double difference(const struct job *job, int order, double h, uint64_t here)
{
    struct probe p[4];
    int count = order == 0 ? 1 : 2 * order;
    p[0] = order == 0 ? probe(job, 0, 0) : order == 1 ? probe(job, 0, h) : probe(job, h, h);
    if (order > 0)
        p[1] = order == 1 ? probe(job, 0, -h) : probe(job, h, -h);
    if (order == 2) {
        p[2] = probe(job, -h, -h);
        p[3] = probe(job, -h, h);
    }
    for (int i = 0; i < count; i++)
        if (p[i].kinks != here || !isfinite(p[i].y))
            return NAN;
    return order == 0   ? p[0].y
           : order == 1 ? (p[0].y - p[1].y) / (2 * h)
                        : (p[0].y - p[1].y + p[2].y - p[3].y) / (4 * h * h);
}

/* Central differences, extrapolated, at ever smaller steps; the one that changed least against the one before. */
static struct estimate differentiate(const struct job *job, int order)
{
    enum { STEPS = 6 };
    struct probe here = probe(job, 0, 0);
    struct estimate best = {0, INFINITY, 0};
    if (here.near)
        return best;
    if (order == 0)
        return (struct estimate){here.y, 0, 0};
    double ratio = order == 1 ? 4 : 2, coarse = NAN, fine = NAN, h = 0x1p-5;
    for (int k = 0; k < STEPS; k++, h /= ratio) {
        double d = difference(job, order, h, here.kinks);
        double refined = (ratio * ratio * d - coarse) / (ratio * ratio - 1);
        if (fabs(refined - fine) < best.error)
            best = (struct estimate){refined, fabs(refined - fine), h};
        coarse = d;
        fine = refined;
    }
    return best;
}

/*
 * How far rounding may move a derivative. Every op's arguments and result are disturbed by up to 2^-18,
 * the derivative of the disturbed graph is taken in double, and its movement is scaled down to float32's
 * 2^-24. Disturbed arguments stand for the rounding of gradients on the way back.
 */
static double movement(const struct job *job, int order, double h, int drawings)
{
    const double amplitude = 0x1p-18;
    uint64_t here = probe(job, 0, 0).kinks;
    double exact = difference(job, order, h, here), most = 0;
    for (int k = 0; k < drawings; k++) {
        graph_disturb(amplitude, k);
        double moved_by = fabs(difference(job, order, h, here) - exact);
        most = moved_by <= most ? most : moved_by; /* NaN, a kink in between, stays */
        if (isnan(moved_by))
            most = INFINITY;
    }
    graph_disturb(0, 0);
    return most / amplitude * 0x1p-24;
}

/* ---- One graph ---- */

/* The sum of results of a kind times coefficients, and that of the magnitudes. */
static double contract(const struct results *r, char kind, int what, double *magnitude)
{
    double sum = 0;
    *magnitude = 0;
    for (int i = 0; i < r->count; i++) {
        const struct result *p = &r->list[i];
        for (int64_t e = 0; p->kind == kind && e < p->n; e++) {
            double x = coefficient(what, p->node, e) * (double)r->data[p->start + (size_t)e];
            sum += x;
            *magnitude += fabs(x);
        }
    }
    return sum;
}

static struct results plain, checkpointed, away, other;
static double away_point[MOST_NODES][MOST_ELEMENTS]; /* where a captured graph is replayed */
static struct graph graph;

static struct {
    long compared[3], loose[3], captured, with_part, ops, elsewhere, used[512];
    double worst[3];
} told;

/*
 * A derivative against its finite difference. The error bound: 16 times the movement by rounding, 16 units
 * of the summed magnitudes, four times the error of the difference. Where that is above two hundredths of
 * the magnitudes nothing would be learned; such graphs are counted.
 */
static bool check_derivative(const struct job *job, const struct results *r, int order, char *why, size_t size)
{
    static const char kinds[] = "ygh";
    static const int along[] = {OF_TARGET, ALONG_V, ALONG_V};
    double magnitude, got = contract(r, kinds[order], along[order], &magnitude);
    struct estimate expected = differentiate(job, order);
    double bound = 0, distance = fabs(got - expected.value);
    for (int drawings = 4; drawings <= 64 && !(distance < bound); drawings += 60) /* four may have missed it */
        bound = 4 * expected.error + 16 * movement(job, order, expected.step, drawings) +
                16 * 0x1p-24 * magnitude + 1e-10;
    if (!isfinite(got) && isfinite(expected.error)) {
        snprintf(why, size, "derivative %d is not finite", order);
        return false;
    }
    if (!isfinite(bound) || !(bound <= 0.02 * magnitude + 1e-6)) {
        told.loose[order]++;
        return true;
    }
    told.compared[order]++;
    double ratio = distance / bound;
    told.worst[order] = fmax(told.worst[order], ratio);
    snprintf(why, size, "derivative %d is %.9g, but %.9g by differences (+- %.2g)", order, got, expected.value, bound);
    return ratio <= 1;
}

static void go_away(const struct graph *g)
{
    memcpy(away_point, g->value, sizeof away_point);
    for (int i = 0; i < g->nodes; i++)
        for (int64_t e = 0; e < g->node[i].n; e++)
            if (!g->node[i].row && g->node[i].dtype == LS_FLOAT32 && g->node[i].source != FILL)
                away_point[i][e] = (double)(float)(g->value[i][e] * (1 + 0x1p-8 * coefficient(4, i, e)));
}

/* The function called eagerly, while it is recorded, and replayed at another point. */
static bool check_captured(struct job *job, const struct results *expected, char *why, size_t size)
{
    size_t inputs = (size_t)job->targets;
    job->emitted = 0;
    for (int i = 0; i < expected->count; i++)
        job->emitted += expected->list[i].n >= 0;
    for (int i = 0; i < graph.nodes; i++)
        inputs += (!graph.node[i].row && graph.node[i].source != FILL && graph.node[i].source != VARIABLE) +
                  is_source(&graph.node[i]);
    ls_function *function = ls_function_create(job->ls, body, job, inputs, (size_t)job->emitted);
    bool good = true;
    for (int call = 0; call < 4 && good; call++) {
        bool elsewhere = call == 2; /* a replay with other inputs, then one with the first inputs again */
        run(job, function, elsewhere ? away_point : graph.value, expected, &other);
        good = !other.failed && same(elsewhere ? &away : expected, &other, "yigh", why, size);
        if (!good) {
            char copy[160];
            snprintf(copy, sizeof copy, "%s", other.failed ? ls_error_message(job->ls) : why);
            snprintf(why, size, "captured, call %d: %.*s", call + 1, (int)sizeof copy, copy);
        }
    }
    ls_function_destroy(&function);
    job->emitted = -1;
    return good;
}

static bool check_on(ls_context *ls, uint64_t seed, bool captured, char *why, size_t size)
{
    struct job job;
    job_begin(&job, &graph, ls, seed);
    run(&job, NULL, graph.value, NULL, &other);
    bool good = !other.failed && same(&plain, &other, "yigh", why, size);
    if (other.failed)
        snprintf(why, size, "on the device: %s", ls_error_message(ls));
    good = good && (!captured || check_captured(&job, &plain, why, size));
    job_end(&job);
    return good;
}

/* All properties of `graph`; `why` says which does not hold. */
static bool check_graph(ls_context *reference, ls_context *device, uint64_t seed, bool captured, char *why, size_t size)
{
    struct job job;
    job_begin(&job, &graph, reference, seed);
    run(&job, NULL, graph.value, NULL, &plain);
    bool good = !plain.failed;
    job.recompute = job.part_end >= 0;
    struct results *mine = job.recompute ? &checkpointed : &plain;
    if (good && job.recompute) {
        run(&job, NULL, graph.value, NULL, &checkpointed);
        good = !checkpointed.failed;
    }
    if (good && captured) {
        go_away(&graph);
        run(&job, NULL, away_point, NULL, &away);
        good = !away.failed;
    }
    if (!good)
        snprintf(why, size, "%s", ls_error(reference) ? ls_error_message(reference) : "the results are too large");
    if (good && job.recompute && !same(&plain, &checkpointed, "yig", why, size)) {
        char copy[160];
        snprintf(copy, sizeof copy, "%s", why);
        snprintf(why, size, "with recompute_grad: %s", copy);
        good = false;
    }
    for (int order = 0; order < 3 && good; order++)
        good = check_derivative(&job, mine, order, why, size);
    if (good && captured)
        good = check_captured(&job, mine, why, size);
    told.captured += captured;
    told.with_part += job.recompute;
    job_end(&job);
    /* Elsewhere nothing is recomputed, which may give second gradients other bits. */
    if (good && device && captured && job.recompute) {
        job_begin(&job, &graph, reference, seed);
        run(&job, NULL, away_point, NULL, &away);
        job_end(&job);
    }
    good = good && (!device || check_on(device, seed, captured, why, size));
    told.elsewhere += device != NULL;
    return good;
}

static void describe(const struct graph *g)
{
    static const char *const from[] = {"op", "variable", "watched", "constant", "fill"};
    for (int i = 0; i < g->nodes; i++) {
        char shape[96];
        printf("    %2d %-14s %-8s %s", i, g->node[i].row ? g->node[i].row->name : from[g->node[i].source],
               ls_dtype_name(g->node[i].dtype), ls_shape_text(g->node[i].shape, shape, sizeof shape));
        for (int k = 0; k < g->node[i].inputs; k++)
            printf(" %s%d", k == 0 ? "of " : "", g->node[i].in[k]);
        printf("\n");
    }
}

/* The smallest beginning of a failed graph that fails too: its last op is the suspect. */
static void explain(ls_context *reference, ls_context *device, uint64_t seed, bool captured)
{
    int whole = graph.nodes;
    char why[256] = "";
    for (graph.nodes = 1; graph.nodes <= whole; graph.nodes++) {
        if (!graph.node[graph.nodes - 1].row)
            continue;
        ls_clear_error(reference);
        if (device)
            ls_clear_error(device);
        if (!check_graph(reference, device, seed, captured, why, sizeof why)) {
            printf("  already up to node %d, %s: %s\n", graph.nodes - 1, graph.node[graph.nodes - 1].row->name, why);
            describe(&graph);
            break;
        }
    }
    ls_clear_error(reference);
    if (device)
        ls_clear_error(device);
}

static void check_seed(ls_context *reference, ls_context *device, uint64_t seed, bool few, bool captured)
{
    char why[256] = "";
    graph_make(&graph, seed, few);
    told.ops += graph.ops;
    for (int i = 0; i < graph.nodes; i++)
        for (int r = 0; r < graph_row_count(); r++)
            told.used[r] += graph.node[i].row == graph_row(r);
    bool good = check_graph(reference, device, seed, captured, why, sizeof why);
    CHECK(good, "graph --seed %llu%s: %s", (unsigned long long)seed, few ? " (few shapes)" : "", why);
    if (!good)
        explain(reference, device, seed, captured);
}

/* ---- Graphs that once failed ---- */

static void expect(ls_tensor t, double value, const char *what)
{
    float got[4] = {NAN, NAN, NAN, NAN};
    int64_t n = ls_size(t);
    bool good = n > 0 && n <= 4 && ls_read(t, got, (size_t)n * 4) == LS_OK;
    for (int64_t i = 0; i < n && i < 4; i++)
        good = good && (double)got[i] == value;
    CHECK(good, "%s is %g, not %g", what, (double)got[0], value);
}

/* Outputs: zeros that are one word until they are read; views of a variable before and after it changes. */
static void constants_and_views(void *user, const ls_tensor *inputs, ls_tensor *outputs)
{
    ls_tensor v = *(ls_tensor *)user, x = inputs[0];
    LS_TAPE (tape, x.context) {
        ls_watch(tape, x);
        outputs[0] = ls_sign(x);
    }
    outputs[1] = ls_exp(ls_neg(ls_exp(ls_neg(x)))); /* which leaves buffers to the function's pool */
    ls_gradient(tape, outputs[0], &x, 1, &outputs[2]);
    outputs[3] = ls_stop_gradient(v);
    ls_assign(v, ls_add(v, x));
    outputs[4] = ls_reshape(v, LS_SHAPE(2, 2));
}

static void kept_cases(ls_context *ls)
{
    LS_SCOPE (ls) {
        ls_tensor x = ls_fill(ls, LS_SHAPE(4), 2), y, g, out[5], old = {0};
        ls_tensor v = ls_variable(ls_fill(ls, LS_SHAPE(4), 1), "v", true);
        LS_TAPE (tape, ls)
            y = ls_cast(v, LS_FLOAT32); /* v itself, which no op has read */
        ls_gradient(tape, y, &v, 1, &g);
        expect(g, 1, "the gradient of a variable to itself");

        ls_function *function = ls_function_create(ls, constants_and_views, &v, 1, 5);
        for (int call = 0; call < 4; call++) {
            ls_function_call(function, &x, out);
            if (call > 0)
                expect(old, 0, "a constant, read after a replay");
            old = out[2];
            expect(old, 0, "a constant that a captured function returns");
            expect(out[3], 1 + 2 * call, "a view of a variable before the assignment");
            expect(out[4], 3 + 2 * call, "a view of a variable after it");
        }
        CHECK(ls_function_size(function) > 0, "it was never replayed");
        ls_function_destroy(&function);
        ls_variable_destroy(&v);

        /* Attention to equal keys with equal values: what reaches the query cancels, but for rounding. */
        float slope[12];
        ls_tensor query = ls_reshape(ls_sin(ls_cast(ls_arange(ls, 12), LS_FLOAT32)), LS_SHAPE(4, 3));
        LS_TAPE (flat, ls) {
            ls_watch(flat, query);
            y = ls_attention(query, .key = ls_fill(ls, LS_SHAPE(3, 3), 0.7f),
                             .value = ls_fill(ls, LS_SHAPE(3, 1), -0.9f));
        }
        ls_gradient(flat, y, &query, 1, &g);
        bool small = ls_read(g, slope, sizeof slope) == LS_OK;
        for (int i = 0; i < 12 && small; i++)
            small = fabsf(slope[i]) <= 0x1p-23f;
        CHECK(small, "more than rounding is left: %g", (double)slope[0]);
    }
    CHECK(ls_error(ls) == LS_OK, "%s", ls_error_message(ls));
    ls_clear_error(ls);
}

static ls_context *open_device(const struct device_kind *kind)
{
    ls_context *ls = ls_open(kind->words);
    if (ls_error(ls) == LS_NOT_FOUND || ls_error(ls) == LS_UNAVAILABLE)
        device_absent(kind, ls_error_message(ls));
    CHECK(ls_error(ls) == LS_OK, "%s", ls_error_message(ls));
    return ls;
}

static void report(long graphs)
{
    printf("%ld graphs, %.1f ops each, %ld with a recomputed part, %ld captured, %ld on another device\n", graphs,
           (double)told.ops / (double)(graphs ? graphs : 1), told.with_part, told.captured, told.elsewhere);
    for (int order = 0; order < 3; order++) {
        printf(
            "derivative %d: %ld compared with differences, %ld too near a kink or too ill-conditioned, largest error "
            "%.2f of the bound\n",
            order, told.compared[order], told.loose[order], told.worst[order]);
        CHECK(graphs < 100 || told.compared[order] > graphs / 2, "only %ld of %ld graphs tell anything about order %d",
              told.compared[order], graphs, order);
    }
    for (int r = 0; r < graph_row_count(); r++)
        CHECK(graphs < 1000 || told.used[r] >= graphs / 100, "%s stands in only %ld places", graph_row(r)->name,
              told.used[r]);
}

int main(int argc, char **argv)
{
    const char *name = "baseline";
    long graphs = 2500;
    unsigned long long seed = 1;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--graphs") == 0 && i + 1 < argc)
            graphs = strtol(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            seed = strtoull(argv[++i], NULL, 10);
        else
            name = argv[i];
    }
    struct device_kind kind = device_kind_of(name);
    bool few = strncmp(kind.words, "opencl", 6) == 0; /* kernels are built for each pattern of shapes */
    flushes = kind.flushes;
    ls_context *reference = ls_open("reference"), *device = open_device(&kind);
    printf("reference and %s, %ld graphs from --seed %llu\n", name, graphs, seed);
    kept_cases(reference);
    kept_cases(device);
    for (long i = 0; i < graphs && checks_failed < 5; i++)
        check_seed(reference, device, seed + (uint64_t)i, few, i % 2 == 0);
    report(graphs);
    CHECK(ls_close(&reference) == LS_OK, "close");
    CHECK(ls_close(&device) == LS_OK, "close");
    return end_of_checks();
}
