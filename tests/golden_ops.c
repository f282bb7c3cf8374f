/* SPDX-License-Identifier: Apache-2.0
 *
 * How each op of a golden file is called: those that need no more than their inputs by the form of their function,
 * the others by a function each, here or in the files whose tables stand at the end. Which attributes it needs is
 * said beside it; generate.py writes them in that order.
 */
#include <string.h>

#include <lockstep/ops.h>

#include "golden.h"

/* What `axes` holds where no axes are given, so that the op takes all (transpose: reverses). */
enum { MISSING = 99 };

static ls_shape shape_attr(const struct golden_case *c, int first, int rank)
{
    return ls_shape_of(rank, c->attr + first);
}

static int axis_attr(const struct golden_case *c) { return (int)c->attr[0]; }

/* attrs: the type */
static int call_cast(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    (void)ls;
    out[0] = ls_cast(in[0], (ls_dtype)c->attr[0]);
    return 1;
}

/* attrs: whether the approximation is meant */
static int call_gelu(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    (void)ls;
    out[0] = ls_gelu(in[0], c->attr[0] != 0);
    return 1;
}

/* attrs: the shape */
static int call_reshape(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    (void)ls;
    out[0] = ls_reshape(in[0], shape_attr(c, 0, c->attrs));
    return 1;
}

static int call_broadcast_to(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    (void)ls;
    out[0] = ls_broadcast_to(in[0], shape_attr(c, 0, c->attrs));
    return 1;
}

static int call_sum_to(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    (void)ls;
    out[0] = ls_sum_to(in[0], shape_attr(c, 0, c->attrs));
    return 1;
}

/* attrs: an axis per dimension, or none */
static int call_transpose(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    int axes[LS_MAX_RANK] = {0};
    (void)ls;
    for (int i = 0; i < c->attrs && i < LS_MAX_RANK; i++)
        axes[i] = (int)c->attr[i];
    out[0] = ls_transpose(in[0], c->attrs ? axes : NULL);
    return 1;
}

/* attrs: rank, begin, size, whether there are steps, step */
static int call_slice(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    int rank = (int)c->attr[0];
    const int64_t *begin = c->attr + 1, *size = begin + rank, *steps = size + rank;
    (void)ls;
    out[0] = ls_slice(in[0], begin, size, *steps ? steps + 1 : NULL);
    return 1;
}

/* attrs: rank, shape, begin, whether there are steps, step */
static int call_unslice(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    int rank = (int)c->attr[0];
    const int64_t *begin = c->attr + 1 + rank, *steps = begin + rank;
    (void)ls;
    out[0] = ls_unslice(in[0], shape_attr(c, 1, rank), begin, *steps ? steps + 1 : NULL);
    return 1;
}

/* attrs: the axis */
static int call_concat(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    (void)ls;
    out[0] = ls_concat(in, (size_t)c->inputs, axis_attr(c));
    return 1;
}

static int call_gather(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    (void)ls;
    out[0] = ls_gather(in[0], in[1], axis_attr(c));
    return 1;
}

static int call_scatter_add(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    (void)ls;
    out[0] = ls_scatter_add(in[0], in[1], in[2], axis_attr(c));
    return 1;
}

/* attrs: the depth */
static int call_one_hot(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    (void)ls;
    out[0] = ls_one_hot(in[0], c->attr[0]);
    return 1;
}

/* attrs: n */
static int call_arange(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    (void)in;
    out[0] = ls_arange(ls, c->attr[0]);
    return 1;
}

/* attrs: transpose_a, transpose_b, activation; a third input is the bias */
static int call_matmul(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    ls_matmul_options options = {.a = in[0],
                                 .b = in[1],
                                 .transpose_a = c->attr[0] != 0,
                                 .transpose_b = c->attr[1] != 0,
                                 .activation = (ls_activation)c->attr[2]};
    (void)ls;
    if (c->inputs == 3)
        options.bias = in[2];
    out[0] = ls_matmul_with(&options);
    return 1;
}

/* attrs: the seed, then which draw is meant, 0 the first; then the shape. reals: the two bounds or moments */
static int call_random(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    bool normal = strcmp(c->op, "random_normal") == 0;
    ls_shape shape = shape_attr(c, 2, c->attrs - 2);
    (void)in;
    ls_set_random_seed(ls, (uint64_t)c->attr[0]);
    for (int64_t draw = 0; draw <= c->attr[1]; draw++)
        out[0] = normal ? ls_random_normal(ls, shape, c->real[0], c->real[1])
                        : ls_random_uniform(ls, shape, c->real[0], c->real[1]);
    return 1;
}

/* ---- The tables ---- */

/* An op that needs its inputs, and at most an axis or two numbers. */
struct form {
    const char *name;
    ls_tensor (*unary)(ls_tensor);
    ls_tensor (*binary)(ls_tensor, ls_tensor);
    ls_tensor (*ternary)(ls_tensor, ls_tensor, ls_tensor);
    ls_tensor (*parameter)(ls_tensor, float);               /* reals: the parameter */
    ls_tensor (*parameters)(ls_tensor, float, float);       /* reals: both */
    ls_tensor (*of_axis)(ls_tensor, int);                   /* attrs: the axis */
    ls_tensor (*reduce)(ls_tensor, const int *, int, bool); /* attrs: keepdims, then axes or MISSING */
};

/* clang-format off */
#define UNARY(op) {.name = #op, .unary = ls_##op}
#define BINARY(op) {.name = #op, .binary = ls_##op}
#define TERNARY(op) {.name = #op, .ternary = ls_##op}
#define OF_AXIS(op) {.name = #op, .of_axis = ls_##op}
#define REDUCE(op) {.name = #op, .reduce = ls_##op}
static const struct form forms[] = {
/* The elementwise ops, from their list. */
#define LS_ROWS 1
#define F_F(op, ...) {.name = #op, .unary = ls_##op},
#define F_FF(op, ...) {.name = #op, .binary = ls_##op},
#define F_FFF(op, ...) {.name = #op, .ternary = ls_##op},
#define I_F F_F
#define I_I F_F
#define I_FF F_FF
#define I_II F_FF
#include "elementwise_rows.h"
#define LS_ROWS 2
#define F_FF(op, ...) {.name = #op, .parameter = ls_##op},
#define F_FFF(op, ...) {.name = #op, .parameters = ls_##op},
#include "elementwise_rows.h"
    {.name = "clip", .parameters = ls_clip}, UNARY(stop_gradient), BINARY(sparse_softmax_cross_entropy), TERNARY(where),
    OF_AXIS(expand_dims), OF_AXIS(argmax), OF_AXIS(argmin), OF_AXIS(softmax), OF_AXIS(log_softmax),
    REDUCE(sum), REDUCE(mean), REDUCE(max), REDUCE(min),
};
#undef UNARY
#undef BINARY
#undef TERNARY
#undef OF_AXIS
#undef REDUCE

#define CALL(op) {#op, call_##op}
static const struct golden_entry calls[] = {
    CALL(gelu), CALL(cast), CALL(reshape), CALL(broadcast_to), CALL(sum_to), CALL(transpose), CALL(slice), CALL(unslice),
    CALL(concat), CALL(gather), CALL(scatter_add), CALL(one_hot), CALL(arange), CALL(matmul),
    {"random_uniform", call_random}, {"random_normal", call_random},
    {0},
};
#undef CALL
/* clang-format on */

static const struct form *find_form(const char *name)
{
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (strcmp(forms[i].name, name) == 0)
            return &forms[i];
    return NULL;
}

static golden_call *find_call(const char *name)
{
    static const struct golden_entry *const tables[] = {calls,           golden_array_ops, golden_convolution_ops,
                                                        golden_loss_ops, golden_network_ops, golden_training_ops};
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
        for (const struct golden_entry *op = tables[t]; op->name; op++)
            if (strcmp(op->name, name) == 0)
                return op->call;
    return NULL;
}

bool golden_has_op(const char *name) { return find_form(name) || find_call(name); }

int golden_call_op(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    const struct form *op = find_form(c->op);
    if (!op)
        return find_call(c->op)(ls, c, in, out);
    if (op->unary)
        out[0] = op->unary(in[0]);
    if (op->binary)
        out[0] = op->binary(in[0], in[1]);
    if (op->ternary)
        out[0] = op->ternary(in[0], in[1], in[2]);
    if (op->parameter)
        out[0] = op->parameter(in[0], c->real[0]);
    if (op->parameters)
        out[0] = op->parameters(in[0], c->real[0], c->real[1]);
    if (op->of_axis)
        out[0] = op->of_axis(in[0], axis_attr(c));
    if (op->reduce) {
        int axes[LS_MAX_RANK] = {0}, count = 0;
        bool all = c->attrs == 2 && c->attr[1] == MISSING;
        for (int i = 1; i < c->attrs && !all && count < LS_MAX_RANK; i++)
            axes[count++] = (int)c->attr[i];
        out[0] = op->reduce(in[0], all ? NULL : axes, count, c->attr[0] != 0);
    }
    return 1;
}

ls_tensor golden_step(ls_tensor steps, int64_t i)
{
    ls_shape shape = ls_shape_of_tensor(steps);
    int64_t begin[LS_MAX_RANK] = {i}, size[LS_MAX_RANK] = {1};
    for (int d = 1; d < shape.rank; d++)
        size[d] = -1;
    return ls_reshape(ls_slice(steps, begin, size, NULL), ls_shape_of(shape.rank - 1, shape.dim + 1));
}
