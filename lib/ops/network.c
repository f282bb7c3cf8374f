/* SPDX-License-Identifier: Apache-2.0
 *
 * Softmax and cross-entropy: fused slots where a backend has them, else composed with the same bits.
 */
#include "op.h"

/* The axis last, and back: op over the last axis becomes op over any. */
static ls_tensor over_axis(ls_tensor a, int axis, ls_tensor (*last)(ls_tensor))
{
    int rank = ls_shape_of_tensor(a).rank, axes[LS_MAX_RANK];
    for (int d = 0; d < rank; d++)
        axes[d] = d;
    axes[axis] = rank - 1;
    axes[rank - 1] = axis;
    return ls_transpose(last(ls_transpose(a, axes)), axes);
}

static ls_tensor run_softmax(const struct ls_op *op, ls_tensor a, bool log)
{
    const struct ls_value *v, *o;
    ls_context *ls = ls_op_enter(op->name, &a, 1, &v);
    if (!ls)
        return LS_NIL;
    ls_tensor out = ls_op_result(ls, LS_FLOAT32, &v->shape, &o);
    int64_t n = ls_shape_elements(&v->shape);
    if (out.context && n > 0) {
        int64_t r = v->shape.dim[v->shape.rank - 1];
        struct ls_softmax_args args = {ls_value_buffer(ls, v), o->storage->buffer, n / r, r, log};
        if (!args.src || ls_dispatch_softmax(ls, &args) != LS_OK)
            return LS_NIL;
    }
    return ls_record(ls, op, &a, 1, out, LS_SAVE_OUT, NULL, 0);
}

/* dx = (g - sum(g y)) y */
static void vjp_softmax(struct ls_vjp_call *call)
{
    const int last[] = {-1};
    ls_tensor g = call->dy, y = call->out;
    call->dx[0] = ls_mul(ls_sub(g, ls_sum(ls_mul(g, y), last, 1, true)), y);
}

/* dx = g - e^y sum(g) */
static void vjp_log_softmax(struct ls_vjp_call *call)
{
    const int last[] = {-1};
    ls_tensor g = call->dy, y = call->out;
    call->dx[0] = ls_fma(ls_neg(ls_exp(y)), ls_sum(g, last, 1, true), g);
}

static const struct ls_op softmax_op = {"softmax", vjp_softmax, NULL};
static const struct ls_op log_softmax_op = {"log_softmax", vjp_log_softmax, NULL};

static ls_tensor softmax_last(ls_tensor a) { return run_softmax(&softmax_op, a, false); }
static ls_tensor log_softmax_last(ls_tensor a) { return run_softmax(&log_softmax_op, a, true); }

static ls_tensor softmax(const char *name, ls_tensor a, int axis, ls_tensor (*last)(ls_tensor))
{
    const struct ls_value *v;
    ls_context *ls = ls_op_enter(name, &a, 1, &v);
    int at = ls && ls_op_dtype(ls, name, v, LS_FLOAT32) ? ls_op_axis(ls, name, axis, &v->shape) : -1;
    if (at < 0)
        return LS_NIL;
    return at == v->shape.rank - 1 ? last(a) : over_axis(a, at, last);
}

ls_tensor ls_softmax(ls_tensor a, int axis) { return softmax("softmax", a, axis, softmax_last); }
ls_tensor ls_log_softmax(ls_tensor a, int axis) { return softmax("log_softmax", a, axis, log_softmax_last); }

/* dlogits = (softmax - one_hot) g. The probabilities of the forward pass are used unless an outer tape
 * listens, which must see how they depend on the logits; the bits are the same. */
static void vjp_sparse_xent(struct ls_vjp_call *call)
{
    if (!call->needs[1])
        return;
    ls_tensor labels = call->in[0], logits = call->in[1], saved = call->in[2];
    ls_shape shape = ls_shape_of_tensor(logits);
    ls_tensor p = ls_recording(call->ls) ? ls_softmax(logits, -1) : saved;
    ls_tensor hot = ls_one_hot_of_checked(labels, shape.dim[shape.rank - 1]);
    call->dx[1] = ls_mul(ls_sub(p, hot), ls_expand_dims(call->dy, -1));
}

static const struct ls_op sparse_xent_op = {"sparse_softmax_cross_entropy", vjp_sparse_xent, NULL};

ls_tensor ls_sparse_softmax_cross_entropy(ls_tensor labels, ls_tensor logits)
{
    const char *name = sparse_xent_op.name;
    const struct ls_value *v[2], *loss, *p = NULL;
    ls_tensor in[] = {labels, logits, LS_NIL};
    ls_context *ls = ls_op_enter(name, in, 2, v);
    if (!ls || !ls_op_dtype(ls, name, v[0], LS_INT32) || !ls_op_dtype(ls, name, v[1], LS_FLOAT32))
        return LS_NIL;
    ls_shape rows = v[1]->shape;
    rows.rank--;
    if (rows.rank < 0 || !ls_shape_equal(&rows, &v[0]->shape)) {
        ls_fail(ls, LS_SHAPE_MISMATCH, "%s: labels %s and logits %s: logits have one more dimension, the classes%s",
                name, ls_text(v[0]->shape).text, ls_text(v[1]->shape).text,
                ls_shape_equal(&v[0]->shape, &v[1]->shape) ? "; one-hot labels? take ls_argmax of them" : "");
        return LS_NIL;
    }
    int64_t outer = ls_shape_elements(&rows), r = v[1]->shape.dim[rows.rank];
    if (outer > 0 && r == 0) {
        ls_fail(ls, LS_SHAPE_MISMATCH, "%s: logits %s have no classes", name, ls_text(v[1]->shape).text);
        return LS_NIL;
    }
    ls_tensor out = ls_op_result(ls, LS_FLOAT32, &rows, &loss);
    if (!out.context)
        return LS_NIL;
    if (ls_recording(ls)) {
        in[2] = ls_op_result(ls, LS_FLOAT32, &v[1]->shape, &p);
        if (!in[2].context)
            return LS_NIL;
    }
    if (outer > 0) {
        struct ls_sparse_xent_args args = {ls_value_buffer(ls, v[1]), ls_value_buffer(ls, v[0]),
                                           loss->storage->buffer, p ? p->storage->buffer : NULL, outer, r};
        if (ls_failed(ls) || ls_dispatch_sparse_xent(ls, &args) != LS_OK)
            return LS_NIL;
    }
    return ls_record(ls, &sparse_xent_op, in, 3, out, 7, NULL, 0);
}
