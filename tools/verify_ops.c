/* SPDX-License-Identifier: Apache-2.0
 *
 * The ops: the rows of the random graphs of the tests (tests/graphs.h), of which a test shows that they
 * leave out no public op. A case is a graph of one op and of its inputs.
 */
#include <math.h>
#include <string.h>

#include "../tests/graphs.h"
#include "verify.h"

enum { DRAWS = 2 }; /* graphs of each op */

static size_t row_cases(void) { return (size_t)graph_row_count() * DRAWS; }

static ls_tensor evaluate(const struct graph *g, ls_tensor *value)
{
    for (int i = 0; i < g->nodes; i++) {
        ls_tensor in[MOST_INPUTS];
        for (int k = 0; k < g->node[i].inputs; k++)
            in[k] = value[g->node[i].in[k]];
        if (g->node[i].row)
            value[i] = g->node[i].row->call(&g->node[i], in);
    }
    return value[g->nodes - 1];
}

struct evaluation {
    const struct graph *graph;
    ls_tensor value[MOST_NODES];
};

static ls_tensor evaluate_graph(void *user)
{
    struct evaluation *e = user;
    return evaluate(e->graph, e->value);
}

static void run_graph(const struct graph *g, ls_context *ls, struct verify_result *result)
{
    struct evaluation evaluation = {.graph = g};
    ls_tensor *value = evaluation.value, source[MOST_NODES];
    size_t sources = 0;
    for (int i = 0; i < g->nodes; i++) {
        if (g->node[i].row)
            continue;
        value[i] = graph_upload(ls, &g->node[i], g->value[i]);
        if (g->node[i].dtype == LS_FLOAT32)
            source[sources++] = value[i];
    }
    verify_derive(ls, evaluate_graph, &evaluation, source, sources, result);
}

void verify_derive(ls_context *ls, ls_tensor (*call)(void *user), void *user, const ls_tensor *source, size_t sources,
                   struct verify_result *result)
{
    ls_tensor first[MOST_NODES], second[MOST_NODES], y = {0}, slope = {0};
    bool smooth = false;
    memset(first, 0, sizeof first);
    memset(second, 0, sizeof second);
    LS_TAPE (outer, ls) {
        ls_tensor loss = {0};
        LS_TAPE (inner, ls) {
            for (size_t s = 0; s < sources; s++) {
                ls_watch(outer, source[s]);
                ls_watch(inner, source[s]);
            }
            y = call(user);
            smooth = !ls_is_nil(y) && ls_dtype_of(y) == LS_FLOAT32;
            loss = smooth ? ls_sum(ls_square(y), NULL, 0, false) : (ls_tensor){0};
        }
        if (smooth && sources > 0)
            ls_gradient(inner, loss, source, sources, first);
        for (size_t s = 0; s < sources; s++)
            if (!ls_is_nil(first[s])) {
                ls_tensor more = ls_sum(ls_square(first[s]), NULL, 0, false);
                slope = ls_is_nil(slope) ? more : ls_add(slope, more);
            }
    }
    if (!ls_is_nil(slope))
        ls_gradient(outer, slope, source, sources, second);
    verify_note(result, "result", y);
    for (size_t s = 0; s < sources; s++) {
        char name[48];
        snprintf(name, sizeof name, "gradient %zu", s);
        verify_note(result, name, first[s]);
        snprintf(name, sizeof name, "second gradient %zu", s);
        verify_note(result, name, second[s]);
    }
}

/* What reads and makes subnormal numbers: x and y are from 2^-140 to 2^-120, z is near 1/2. */
struct tiny {
    const char *name;
    ls_tensor (*call)(ls_tensor x, ls_tensor y, ls_tensor z);
};

#define TINY(name, expression)                                                                     \
    static ls_tensor tiny_##name(ls_tensor x, ls_tensor y, ls_tensor z)                            \
    {                                                                                              \
        (void)x, (void)y, (void)z;                                                                 \
        return expression;                                                                         \
    }
TINY(add, ls_add(x, y))
TINY(sub, ls_sub(x, y))
TINY(mul, ls_mul(x, z))
TINY(div, ls_div(x, z))
TINY(fma, ls_fma(x, z, y))
TINY(sqrt, ls_sqrt(x))
TINY(sum, ls_sum(x, (int[]){1}, 1, false))
TINY(matmul, ls_matmul(x, z))
#undef TINY

static const struct tiny tiny[] = {
    {"add of subnormals", tiny_add}, {"sub of subnormals", tiny_sub},   {"mul of subnormals", tiny_mul},
    {"div of subnormals", tiny_div}, {"fma of subnormals", tiny_fma},   {"sqrt of subnormals", tiny_sqrt},
    {"sum of subnormals", tiny_sum}, {"matmul of subnormals", tiny_matmul},
};
enum { TINY_CASES = sizeof tiny / sizeof *tiny };

static size_t op_count(void) { return row_cases() + TINY_CASES; }

static const char *op_name(size_t i)
{
    return i < row_cases() ? graph_row((int)(i / DRAWS))->name : tiny[i - row_cases()].name;
}

static void run_tiny(const struct tiny *of, ls_context *ls, struct verify_result *result)
{
    enum { SIDE = 8 };
    float x[SIDE * SIDE], y[SIDE * SIDE], z[SIDE * SIDE];
    for (int i = 0; i < SIDE * SIDE; i++) {
        x[i] = ldexpf(1 + (float)(i * 37 % 64) / 64, -140 + i % 21);
        y[i] = ldexpf(1 + (float)(i * 29 % 64) / 64, -140 + i * 5 % 21);
        z[i] = 0.25f + (float)(i * 23 % 64) / 128;
    }
    ls_shape shape = LS_SHAPE(SIDE, SIDE);
    verify_note(result, "result", of->call(ls_from_host(ls, LS_FLOAT32, shape, x), ls_from_host(ls, LS_FLOAT32, shape, y),
                                           ls_from_host(ls, LS_FLOAT32, shape, z)));
}

static void op_run(size_t i, ls_context *ls, struct verify_result *result)
{
    if (i >= row_cases()) {
        LS_SCOPE (ls)
            run_tiny(&tiny[i - row_cases()], ls, result);
        return;
    }
    static struct graph graph;
    const struct row *row = graph_row((int)(i / DRAWS));
    if (!graph_make_of(&graph, row, 17 + i))
        snprintf(result->failure, sizeof result->failure, "no inputs were found for %s; please report this", row->name);
    else
        LS_SCOPE (ls)
            run_graph(&graph, ls, result);
}

const struct verify_suite verify_ops = {op_count, op_name, op_run};
