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
#include "graphs_run.h"

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
    ls_function *function = ls_function_create(job->ls, job_body, job, inputs, (size_t)job->emitted);
    bool good = true;
    for (int call = 0; call < 4 && good; call++) {
        bool elsewhere = call == 2; /* a replay with other inputs, then one with the first inputs again */
        job_run(job, function, elsewhere ? away_point : graph.value, expected, &other);
        good = !other.failed && results_same(elsewhere ? &away : expected, &other, "yigh", why, size);
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
    job_run(&job, NULL, graph.value, NULL, &other);
    bool good = !other.failed && results_same(&plain, &other, "yigh", why, size);
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
    job_run(&job, NULL, graph.value, NULL, &plain);
    bool good = !plain.failed;
    job.recompute = job.part_end >= 0;
    struct results *mine = job.recompute ? &checkpointed : &plain;
    if (good && job.recompute) {
        job_run(&job, NULL, graph.value, NULL, &checkpointed);
        good = !checkpointed.failed;
    }
    if (good && captured) {
        go_away(&graph);
        job_run(&job, NULL, away_point, NULL, &away);
        good = !away.failed;
    }
    if (!good)
        snprintf(why, size, "%s", ls_error(reference) ? ls_error_message(reference) : "the results are too large");
    if (good && job.recompute && !results_same(&plain, &checkpointed, "yig", why, size)) {
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
        job_run(&job, NULL, away_point, NULL, &away);
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
    results_flush = kind.flushes;
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
