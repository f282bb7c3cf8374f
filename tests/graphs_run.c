/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs a random graph on a context: the ops, the tapes, the arrays there and back. See graphs_run.h.
 */
#include <math.h>
#include <string.h>

#include "graphs_run.h"

double coefficient(int what, int node, int64_t i)
{
    uint64_t z = mixed((uint64_t)what, (uint64_t)node, (uint64_t)i);
    double magnitude = 0.5 + (double)(z >> 8 & 31) / 64;
    return z & 1 ? magnitude : -magnitude;
}

bool is_source(const struct node *n) { return n->source == VARIABLE || n->source == WATCHED; }

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

void job_body(void *user, const ls_tensor *inputs, ls_tensor *outputs)
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

static ls_tensor upload_coefficients(ls_context *ls, int what, const struct graph *g, int i)
{
    double x[MOST_ELEMENTS];
    struct node n = g->node[i];
    for (int64_t e = 0; e < n.n; e++)
        x[e] = coefficient(what, i, e);
    return graph_upload(ls, &n, x);
}

/* The arguments of body at a point; assigns the variables. */
static size_t arguments(struct job *job, double (*point)[MOST_ELEMENTS], ls_tensor *inputs)
{
    const struct graph *g = job->graph;
    size_t count = 0;
    for (int i = 0; i < g->nodes; i++) {
        if (g->node[i].source == VARIABLE)
            ls_assign(job->leaf[i], graph_upload(job->ls, &g->node[i], point[i]));
        else if (!g->node[i].row && g->node[i].source != FILL)
            inputs[count++] = graph_upload(job->ls, &g->node[i], point[i]);
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

void job_run(struct job *job, ls_function *function, double (*point)[MOST_ELEMENTS], const struct results *like,
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
            job_body(job, inputs, outputs);
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

void job_begin(struct job *job, const struct graph *g, ls_context *ls, uint64_t seed)
{
    *job = (struct job){.graph = g, .ls = ls, .emitted = -1};
    for (int i = 0; i < g->nodes; i++)
        if (g->node[i].row && g->node[i].dtype == LS_FLOAT32 && !graph_reads(g, i))
            job->target[job->targets++] = i;
    choose_part(job, seed);
    LS_SCOPE (ls)
        for (int i = 0; i < g->nodes; i++)
            if (g->node[i].source == VARIABLE)
                job->leaf[i] = ls_variable(graph_upload(ls, &g->node[i], g->value[i]), "v", true);
}

void job_end(struct job *job)
{
    for (int i = 0; i < job->graph->nodes; i++)
        if (job->graph->node[i].source == VARIABLE)
            ls_variable_destroy(&job->leaf[i]);
}

/* ---- Comparing bits ---- */

bool results_flush;

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (isnan(x)) /* a graph on a kink may divide 0 by 0; payloads are never compared */
        return 0x7fc00000;
    return (bits << 1) == 0 || (results_flush && (bits << 1) < 0x01000000u) ? 0 : bits;
}

/*
 * A part that is recomputed is one op to the tapes, so that no gradient at all (-1 in a) may be zeros in b.
 */
bool results_same(const struct results *a, const struct results *b, const char *kind, char *why, size_t size)
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
