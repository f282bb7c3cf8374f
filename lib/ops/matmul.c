/* SPDX-License-Identifier: Apache-2.0
 *
 * The matrix product with its epilogue, and its gradient.
 */
#include "activation.h"

struct product {
    bool transpose_a, transpose_b;
    ls_activation activation;
};

/* With C = op(A) op(B): d op(A) = dC op(B)^T and d op(B) = op(A)^T dC, transposed back where A or B
 * was. Broadcast leading dimensions are summed. */
static void vjp_matmul(struct ls_vjp_call *call)
{
    const struct product *p = call->attributes;
    ls_tensor a = call->in[0], b = call->in[1];
    ls_tensor g = ls_before_activation(p->activation, call->dy, call->out);
    if (call->needs[0]) {
        ls_tensor da = p->transpose_a ? ls_matmul(b, g, .transpose_a = p->transpose_b, .transpose_b = true)
                                      : ls_matmul(g, b, .transpose_b = !p->transpose_b);
        call->dx[0] = ls_sum_to(da, ls_shape_of_tensor(a));
    }
    if (call->needs[1]) {
        ls_tensor db = p->transpose_b ? ls_matmul(g, a, .transpose_a = true, .transpose_b = p->transpose_a)
                                      : ls_matmul(a, g, .transpose_a = !p->transpose_a);
        call->dx[1] = ls_sum_to(db, ls_shape_of_tensor(b));
    }
    if (call->inputs == 3 && call->needs[2])
        call->dx[2] = ls_sum_to(g, ls_shape_of_tensor(call->in[2]));
}

static const struct ls_op matmul_op = {"matmul", vjp_matmul, NULL};

ls_activation ls_matmul_activation_of(const struct ls_entry *entry)
{
    return entry->op == &matmul_op ? ((const struct product *)entry->attributes)->activation : LS_LINEAR;
}

/* The leading dimensions of a matrix input, and their product. */
static ls_shape leading(const ls_shape *shape, int64_t *product)
{
    ls_shape batch = *shape;
    batch.rank -= 2;
    *product = ls_shape_elements(&batch);
    return batch;
}

static bool check(ls_context *ls, const struct ls_value *const *v, int inputs, const ls_matmul_options *o,
                  struct ls_gemm_args *g, ls_shape *shape)
{
    const ls_shape *a = &v[0]->shape, *b = &v[1]->shape;
    for (int i = 0; i < inputs; i++)
        if (!ls_op_dtype(ls, "matmul", v[i], LS_FLOAT32))
            return false;
    if (a->rank < 2 || b->rank < 2) {
        ls_fail(ls, LS_SHAPE_MISMATCH, "matmul: %s x %s: both need rank 2 or more; ls_expand_dims adds a dimension",
                ls_text(*a).text, ls_text(*b).text);
        return false;
    }
    int64_t ka = a->dim[a->rank - (o->transpose_a ? 2 : 1)], kb = b->dim[b->rank - (o->transpose_b ? 1 : 2)];
    g->m = a->dim[a->rank - (o->transpose_a ? 1 : 2)];
    g->n = b->dim[b->rank - (o->transpose_b ? 2 : 1)];
    g->k = ka;
    if (ka != kb) {
        bool helps = b->dim[b->rank - (o->transpose_b ? 2 : 1)] == ka;
        ls_fail(ls, LS_SHAPE_MISMATCH, "matmul: %s%s x %s%s: inner dimensions %lld and %lld differ%s", ls_text(*a).text,
                o->transpose_a ? " transposed" : "", ls_text(*b).text, o->transpose_b ? " transposed" : "",
                (long long)ka, (long long)kb, helps ? "; transpose_b?" : "");
        return false;
    }
    int64_t na, nb;
    ls_shape batch_a = leading(a, &na), batch_b = leading(b, &nb);
    if (!ls_shape_broadcast(&batch_a, &batch_b, shape)) {
        ls_fail(ls, LS_SHAPE_MISMATCH, "matmul: %s x %s: leading dimensions do not broadcast", ls_text(*a).text,
                ls_text(*b).text);
        return false;
    }
    g->batch = ls_shape_elements(shape);
    shape->dim[shape->rank] = g->m;
    shape->dim[shape->rank + 1] = g->n;
    shape->rank += 2;
    if (inputs == 3 && (v[2]->shape.rank != 1 || v[2]->shape.dim[0] != g->n)) {
        ls_fail(ls, LS_SHAPE_MISMATCH, "matmul: bias %s should be (%lld,)", ls_text(v[2]->shape).text, (long long)g->n);
        return false;
    }
    if ((unsigned)o->activation >= LS_ACTIVATION_COUNT) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "matmul: unknown activation %d; LS_LINEAR, LS_RELU, LS_SIGMOID or LS_TANH",
                (int)o->activation);
        return false;
    }
    if (ls_shape_elements(shape) < 0) {
        ls_fail(ls, LS_OVERFLOW, "matmul: %s x %s: the result has too many elements", ls_text(*a).text, ls_text(*b).text);
        return false;
    }
    return true;
}

/* An input in a form that one stride per batch index walks; broadcast to the whole batch if need be. */
static ls_tensor walkable(ls_tensor t, const ls_shape *whole, int64_t *stride)
{
    ls_shape shape = ls_shape_of_tensor(t), target = *whole;
    int64_t own, all, matrix = shape.dim[shape.rank - 2] * shape.dim[shape.rank - 1];
    leading(&shape, &own);
    leading(whole, &all);
    *stride = own == 1 ? 0 : matrix;
    if (own == 1 || own == all)
        return t;
    target.dim[target.rank - 2] = shape.dim[shape.rank - 2];
    target.dim[target.rank - 1] = shape.dim[shape.rank - 1];
    return ls_broadcast_to(t, target);
}

static ls_status dispatch(ls_context *ls, struct ls_gemm_args *g, ls_tensor a, ls_tensor b, const struct ls_value *bias,
                          const ls_shape *shape)
{
    ls_tensor wa = walkable(a, shape, &g->stride_a), wb = walkable(b, shape, &g->stride_b);
    const struct ls_slot *sa = ls_slot_of(wa), *sb = ls_slot_of(wb);
    if (!sa || !sb)
        return ls->error;
    g->a = ls_value_buffer(ls, &sa->value);
    g->b = ls_value_buffer(ls, &sb->value);
    g->bias = bias ? ls_value_buffer(ls, bias) : NULL;
    if (ls_failed(ls))
        return ls->error;
    if (g->k == 0)
        g->a = g->b = g->c; /* nothing of A and B is read, but backends are spared a NULL */
    /* A batch of A against one B is one taller product: every output is the same chain. */
    if (g->stride_b == 0 && g->stride_a > 0 && !g->trans_a) {
        g->m *= g->batch;
        g->batch = 1;
        g->stride_a = 0;
    }
    ls_status status = ls_dispatch_gemm(ls, g);
    if (wa.index != a.index)
        ls_release(&wa);
    if (wb.index != b.index)
        ls_release(&wb);
    return status;
}

ls_tensor ls_matmul_with(const ls_matmul_options *o)
{
    if (!o)
        return ls_op_no_options("matmul");
    ls_tensor a = o->a, b = o->b;
    const struct ls_value *v[3], *out;
    ls_tensor in[] = {a, b, o->bias};
    int inputs = o->bias.context ? 3 : 2;
    struct ls_gemm_args g = {.trans_a = o->transpose_a, .trans_b = o->transpose_b};
    ls_shape shape;
    ls_context *ls = ls_op_enter("matmul", in, inputs, v);
    if (!ls || !check(ls, v, inputs, o, &g, &shape))
        return LS_NIL;
    ls_tensor result = ls_op_result(ls, LS_FLOAT32, &shape, &out);
    if (!result.context)
        return LS_NIL;
    g.c = out->storage->buffer;
    g.activation = (uint16_t)ls_activation_row(o->activation);
    if (ls_shape_elements(&shape) > 0 && dispatch(ls, &g, a, b, inputs == 3 ? v[2] : NULL, &shape) != LS_OK)
        return LS_NIL;
    struct product p = {o->transpose_a, o->transpose_b, o->activation};
    return ls_record(ls, &matmul_op, in, inputs, result, 3 | (o->activation ? LS_SAVE_OUT : 0), &p, sizeof p);
}
