/* SPDX-License-Identifier: Apache-2.0
 *
 * Derivatives of random graphs by differences of the interpreter, in double, and how far rounding may move them.
 */
#include <math.h>

#include "graphs_run.h"

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

struct estimate differentiate(const struct job *job, int order)
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

double movement(const struct job *job, int order, double h, int drawings)
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
