/* SPDX-License-Identifier: Apache-2.0
 *
 * The elementwise ops with a row of their own (graphs_elementwise.def), and those between types.
 */
#include <math.h>

#include "graphs.h"

bool graph_plan_elementwise(struct graph *g, struct node *n)
{
    const struct row *row = n->row;
    n->inputs = row->inputs;
    n->dtype = row->result;
    for (int k = 0; k < n->inputs; k++) {
        const double *domain = row->domain[k];
        ls_shape joined;
        int i = -1;
        for (int attempt = 0; attempt < 4 && i < 0; attempt++) {
            i = pick(g, row->type[k], domain[0], domain[1]);
            if (i >= 0 && k > 0 && !broadcast(&n->shape, &g->node[i].shape, &joined))
                i = -1;
        }
        if (i < 0 && k > 0)
            i = fresh(g, row->type[k], thinner_shape(g, n->shape), domain[0], domain[1]);
        if (i < 0 || (k > 0 && !broadcast(&n->shape, &g->node[i].shape, &joined)))
            return false;
        n->shape = k > 0 ? joined : g->node[i].shape;
        n->in[k] = i;
    }
    return true;
}

void graph_eval_elementwise(const struct node *n, const struct array *in, struct array *out)
{
    for (int64_t i = 0; i < out->n; i++) {
        double x[3] = {0};
        for (int k = 0; k < n->inputs; k++)
            x[k] = in[k].x[broadcast_index(&out->shape, i, &in[k].shape)];
        out->x[i] = n->row->formula(x[0], x[1], x[2]);
    }
}

double graph_floor(double t) { return stair(floor(t), fmin(t - floor(t), floor(t) + 1 - t)); }

/* By Newton's method. */
double graph_inverse_erf(double y)
{
    double x = y;
    for (int i = 0; i < 12; i++)
        x -= (erf(x) - y) * exp(x * x) * sqrt(acos(-1)) / 2;
    return x;
}

/* ---- Between types ---- */

static double as_it_is(double a, double b, double c)
{
    (void)b, (void)c;
    return a;
}

static double chosen(double a, double b, double c) { return a != 0 ? b : c; }
static double negated(double a, double b, double c)
{
    (void)b, (void)c;
    return a == 0;
}

static ls_tensor call_to_float(const struct node *n, const ls_tensor *in)
{
    (void)n;
    return ls_cast(in[0], LS_FLOAT32);
}

static ls_tensor call_to_int(const struct node *n, const ls_tensor *in)
{
    (void)n;
    return ls_cast(in[0], LS_INT32);
}

static double towards_zero(double a, double b, double c)
{
    (void)b, (void)c;
    return stair(trunc(a), fmin(a - floor(a), floor(a) + 1 - a));
}

static ls_tensor call_where(const struct node *n, const ls_tensor *in)
{
    (void)n;
    return ls_where(in[0], in[1], in[2]);
}

static ls_tensor call_not(const struct node *n, const ls_tensor *in)
{
    (void)n;
    return ls_logical_not(in[0]);
}

/* ---- The rows: first what each calls and computes, then each ---- */

#define FUNCTIONS(op, expression, f)                                                       \
    static double formula_##op(double a, double b, double c)                               \
    {                                                                                      \
        (void)a, (void)b, (void)c;                                                         \
        return f;                                                                          \
    }                                                                                      \
    static ls_tensor call_##op(const struct node *n, const ls_tensor *in)                  \
    {                                                                                      \
        ls_tensor a = in[0], b = n->inputs > 1 ? in[1] : a, c = n->inputs > 2 ? in[2] : a; \
        (void)a, (void)b, (void)c;                                                         \
        return expression;                                                                 \
    }
#define ONE(op, call, low, high, f)                   FUNCTIONS(op, call, f)
#define CHOOSE                                        ONE
#define FROZEN                                        ONE
#define TWO(op, call, la, ha, lb, hb, f)              FUNCTIONS(op, call, f)
#define CHOOSE2                                       TWO
#define THREE(op, call, la, ha, lb, hb, lc, hc, f)    FUNCTIONS(op, call, f)
#define TEST                                          FUNCTIONS
#define TEST1                                         FUNCTIONS
#define LOGIC                                         FUNCTIONS
#define WHOLE                                         FUNCTIONS
#define WHOLE1                                        FUNCTIONS
#define WHOLE_TEST                                    FUNCTIONS
#include "graphs_elementwise.def"
#undef ONE
#undef CHOOSE
#undef FROZEN
#undef TWO
#undef CHOOSE2
#undef THREE
#undef TEST
#undef TEST1
#undef LOGIC
#undef WHOLE
#undef WHOLE1
#undef WHOLE_TEST
#undef FUNCTIONS

#define BETWEEN(op) .plan = graph_plan_elementwise, .eval = graph_eval_elementwise, .call = call_##op
#define ROW(op, ...) {.name = #op, BETWEEN(op), .formula = formula_##op, __VA_ARGS__},
#define ONE(op, call, low, high, f)          ROW(op, .inputs = 1, .domain = {{low, high}})
#define CHOOSE(op, call, low, high, f)       ROW(op, .inputs = 1, .domain = {{low, high}}, .exact = true)
#define FROZEN(op, call, low, high, f)       ROW(op, .inputs = 1, .domain = {{low, high}}, .exact = true, .frozen = true)
#define TWO(op, call, la, ha, lb, hb, f)     ROW(op, .inputs = 2, .domain = {{la, ha}, {lb, hb}})
#define CHOOSE2(op, call, la, ha, lb, hb, f) ROW(op, .inputs = 2, .domain = {{la, ha}, {lb, hb}}, .exact = true)
#define THREE(op, call, la, ha, lb, hb, lc, hc, f) ROW(op, .inputs = 3, .domain = {{la, ha}, {lb, hb}, {lc, hc}})
#define TEST(op, call, f)  ROW(op, .inputs = 2, .result = LS_BOOL, .domain = {{-100, 100}, {-100, 100}})
#define TEST1(op, call, f) ROW(op, .inputs = 1, .result = LS_BOOL, .domain = {{-100, 100}})
#define LOGIC(op, call, f) \
    ROW(op, .inputs = 2, .result = LS_BOOL, .type = {LS_BOOL, LS_BOOL}, .domain = {{0, 2}, {0, 2}})
#define WHOLE(op, call, f)                                                          \
    ROW(op, .inputs = 2, .result = LS_INT32, .type = {LS_INT32, LS_INT32}, \
        .domain = {{-100, 100}, {-100, 100}})
#define WHOLE1(op, call, f) ROW(op, .inputs = 1, .result = LS_INT32, .type = {LS_INT32}, .domain = {{-100, 100}})
#define WHOLE_TEST(op, call, f)                                                    \
    ROW(op, .inputs = 2, .result = LS_BOOL, .type = {LS_INT32, LS_INT32}, \
        .domain = {{-100, 100}, {-100, 100}})
const struct row graph_elementwise_rows[] = {
#include "graphs_elementwise.def"
    {"cast_bool", BETWEEN(to_float), .formula = as_it_is, .inputs = 1, .type = {LS_BOOL}, .domain = {{0, 1}}, .exact = true},
    {"cast_int", BETWEEN(to_float), .formula = as_it_is, .inputs = 1, .type = {LS_INT32}, .domain = {{-100, 100}},
     .exact = true},
    {"cast_to_int", BETWEEN(to_int), .formula = towards_zero, .inputs = 1, .result = LS_INT32, .domain = {{-100, 100}}},
    {"logical_not", BETWEEN(not), .formula = negated, .inputs = 1, .result = LS_BOOL, .type = {LS_BOOL}, .domain = {{0, 1}}},
    {"where", BETWEEN(where), .formula = chosen, .inputs = 3, .type = {LS_BOOL},
     .domain = {{0, 1}, {-100, 100}, {-100, 100}}, .exact = true},
    {0},
};
