/* SPDX-License-Identifier: Apache-2.0
 *
 * Attention, losses from logits, look-up and resizing.
 */
#include <float.h>
#include <math.h>

#include "op.h"

/* ---- Look-up ---- */

ls_tensor ls_embedding_lookup(ls_tensor table, ls_tensor ids)
{
    const struct ls_value *v[2];
    ls_tensor in[] = {table, ids};
    ls_context *ls = ls_op_enter("embedding_lookup", in, 2, v);
    if (!ls || !ls_op_dtype(ls, "embedding_lookup", v[0], LS_FLOAT32) ||
        !ls_op_dtype(ls, "embedding_lookup", v[1], LS_INT32))
        return LS_NIL;
    if (v[0]->shape.rank != 2) {
        ls_fail(ls, LS_SHAPE_MISMATCH, "embedding_lookup: the table %s should be (ids, features)",
                ls_text(v[0]->shape).text);
        return LS_NIL;
    }
    return ls_gather_for("embedding_lookup", table, ids, 0);
}

ls_tensor ls_segment_sum(ls_tensor data, ls_tensor segments, int64_t count)
{
    const struct ls_value *v[2];
    ls_tensor in[] = {data, segments};
    ls_context *ls = ls_op_enter("segment_sum", in, 2, v);
    if (!ls || !ls_op_dtype(ls, "segment_sum", v[0], LS_FLOAT32) || !ls_op_dtype(ls, "segment_sum", v[1], LS_INT32))
        return LS_NIL;
    ls_shape shape = v[0]->shape;
    if (shape.rank < 1 || v[1]->shape.rank != 1 || v[1]->shape.dim[0] != shape.dim[0] || count < 0) {
        ls_fail(ls, LS_SHAPE_MISMATCH, "segment_sum: data %s, segments %s, %lld of them: one segment per row of data",
                ls_text(shape).text, ls_text(v[1]->shape).text, (long long)count);
        return LS_NIL;
    }
    shape.dim[0] = count;
    return ls_scatter_add(ls_zeros(ls, LS_FLOAT32, shape), segments, data, 0);
}

/* ---- Cross-entropy from logits ---- */

ls_tensor ls_softmax_cross_entropy(ls_tensor labels, ls_tensor logits)
{
    const char *op = "softmax_cross_entropy";
    const struct ls_value *v[2];
    ls_tensor in[] = {labels, logits};
    ls_context *ls = ls_op_enter(op, in, 2, v);
    if (!ls || !ls_op_dtype(ls, op, v[0], LS_FLOAT32) || !ls_op_dtype(ls, op, v[1], LS_FLOAT32))
        return LS_NIL;
    if (v[0]->shape.rank < 1 || !ls_shape_equal(&v[0]->shape, &v[1]->shape)) {
        ls_fail(ls, LS_SHAPE_MISMATCH,
                "%s: labels %s and logits %s should have one shape, the classes last; for class numbers "
                "ls_sparse_softmax_cross_entropy",
                op, ls_text(v[0]->shape).text, ls_text(v[1]->shape).text);
        return LS_NIL;
    }
    return ls_neg(ls_sum(ls_mul(labels, ls_log_softmax(logits, -1)), (int[]){-1}, 1, false));
}

/* d/dx = sigmoid(x) - z, d/dz = -x: smooth at 0, which the parts of the formula are not. */
static void vjp_sigmoid_cross_entropy(struct ls_vjp_call *call)
{
    ls_tensor z = call->in[0], x = call->in[1], g = call->dy;
    if (call->needs[0])
        call->dx[0] = ls_neg(ls_mul(g, x));
    if (call->needs[1])
        call->dx[1] = ls_mul(g, ls_sub(ls_sigmoid(x), z));
}

static const struct ls_op sigmoid_xent_op = {"sigmoid_cross_entropy", vjp_sigmoid_cross_entropy, NULL};

/* max(x, 0) - x z + log(1 + e^-|x|) as one program. */
ls_tensor ls_sigmoid_cross_entropy(ls_tensor labels, ls_tensor logits)
{
    const char *op = sigmoid_xent_op.name;
    const struct ls_value *v[2], *o;
    ls_tensor in[] = {labels, logits};
    ls_context *ls = ls_op_enter(op, in, 2, v);
    if (!ls || !ls_op_dtype(ls, op, v[0], LS_FLOAT32) || !ls_op_dtype(ls, op, v[1], LS_FLOAT32))
        return LS_NIL;
    if (!ls_shape_equal(&v[0]->shape, &v[1]->shape)) {
        ls_fail(ls, LS_SHAPE_MISMATCH, "%s: labels %s and logits %s should have one shape", op,
                ls_text(v[0]->shape).text, ls_text(v[1]->shape).text);
        return LS_NIL;
    }
    ls_tensor out = ls_op_result(ls, LS_FLOAT32, &v[0]->shape, &o);
    if (!out.context)
        return LS_NIL;
    enum { LABEL, LOGIT, ROW = LS_REGISTER_ROW };
    struct ls_program program = {.rows = 8,
                                 .row = {{LS_ROW_relu, {LOGIT}},
                                         {LS_ROW_neg, {LOGIT}},
                                         {LS_ROW_fma, {ROW + 1, LABEL, ROW}},
                                         {LS_ROW_abs, {LOGIT}},
                                         {LS_ROW_neg, {ROW + 3}},
                                         {LS_ROW_exp, {ROW + 4}},
                                         {LS_ROW_log1p, {ROW + 5}},
                                         {LS_ROW_add, {ROW + 2, ROW + 6}}}};
    struct ls_program_output output = {o->storage->buffer, LS_FLOAT32, ROW + 7};
    if (ls_run_program(ls, &program, &v[0]->shape, v, 2, &output, 1) != LS_OK)
        return LS_NIL;
    return ls_record(ls, &sigmoid_xent_op, in, 2, out, 3, NULL, 0);
}

/* ---- Attention ---- */

/* True where a query may look at a key: its own position and those before. */
static ls_tensor causal_mask(ls_context *ls, int64_t queries, int64_t keys)
{
    ls_tensor row = ls_reshape(ls_arange(ls, queries), LS_SHAPE(queries, 1));
    return ls_greater_equal(row, ls_arange(ls, keys));
}

static bool check_attention(ls_context *ls, const struct ls_value *const *v, int count)
{
    const char *op = "attention";
    for (int i = 0; i < 3; i++)
        if (!ls_op_dtype(ls, op, v[i], LS_FLOAT32))
            return false;
    const ls_shape *q = &v[0]->shape, *k = &v[1]->shape, *s = &v[2]->shape;
    bool fits = q->rank >= 2 && q->rank == k->rank && q->rank == s->rank;
    for (int d = 0; fits && d < q->rank - 2; d++)
        fits = q->dim[d] == k->dim[d] && q->dim[d] == s->dim[d];
    fits = fits && q->dim[q->rank - 1] == k->dim[k->rank - 1] && k->dim[k->rank - 2] == s->dim[s->rank - 2];
    if (!fits) {
        ls_fail(ls, LS_SHAPE_MISMATCH,
                "%s: query %s, key %s, value %s should be (…, queries, d), (…, keys, d), (…, keys, e)", op,
                ls_text(*q).text, ls_text(*k).text, ls_text(*s).text);
        return false;
    }
    if (count < 4)
        return true;
    ls_shape scores = *q, joined;
    scores.dim[q->rank - 1] = k->dim[k->rank - 2];
    if (!ls_op_dtype(ls, op, v[3], LS_BOOL))
        return false;
    if (ls_shape_broadcast(&v[3]->shape, &scores, &joined) && ls_shape_equal(&joined, &scores))
        return true;
    ls_fail(ls, LS_SHAPE_MISMATCH, "%s: the mask %s does not broadcast to the scores %s", op, ls_text(v[3]->shape).text,
            ls_text(scores).text);
    return false;
}

ls_tensor ls_attention_with(const ls_attention_options *o)
{
    const struct ls_value *v[4];
    if (!o)
        return ls_op_no_options("attention");
    ls_tensor in[] = {o->query, o->key, o->value, o->mask}, mask = o->mask;
    int count = mask.context ? 4 : 3;
    ls_context *ls = ls_op_enter("attention", in, count, v);
    if (!ls || !check_attention(ls, v, count))
        return LS_NIL;
    ls_shape q = v[0]->shape, k = v[1]->shape;
    int64_t depth = q.dim[q.rank - 1];
    float scale = o->scale != 0.0f ? o->scale : depth > 0 ? 1.0f / sqrtf((float)depth) : 1.0f;
    ls_tensor query = ls_mul(o->query, ls_scalar(ls, scale));
    ls_tensor scores = ls_matmul(query, o->key, .transpose_b = true);
    if (o->causal) {
        ls_tensor causal = causal_mask(ls, q.dim[q.rank - 2], k.dim[k.rank - 2]);
        mask = mask.context ? ls_logical_and(mask, causal) : causal;
    }
    if (!mask.context)
        return ls_matmul(ls_softmax(scores, -1), o->value);
    /* The lowest finite number, so that a row with everything masked is not NaN; it then becomes 0. */
    ls_tensor weights = ls_softmax(ls_where(mask, scores, ls_scalar(ls, -FLT_MAX)), -1);
    return ls_matmul(ls_where(mask, weights, ls_scalar(ls, 0.0f)), o->value);
}

/* ---- Resizing ---- */

static bool check_resize(ls_context *ls, const char *op, const ls_shape *shape, int64_t height, int64_t width)
{
    bool empty = shape->rank == 4 && (shape->dim[1] == 0 || shape->dim[2] == 0);
    if (shape->rank == 4 && height >= 0 && width >= 0 && height < 1 << 24 && width < 1 << 24 && !empty)
        return true;
    ls_fail(ls, LS_INVALID_ARGUMENT, "%s: %s to %lld x %lld: images are (batch, height, width, channels), not empty",
            op, ls_text(*shape).text, (long long)height, (long long)width);
    return false;
}

/* (i + 1/2) * (from / to) + shift for the `to` new positions, clamped to [0, from - 1]. */
static ls_tensor positions(ls_context *ls, int64_t from, int64_t to, float shift)
{
    ls_tensor i = ls_cast(ls_arange(ls, to), LS_FLOAT32);
    ls_tensor ratio = ls_scalar(ls, (float)from / (float)to);
    ls_tensor at = ls_fma(ls_add(i, ls_scalar(ls, 0.5f)), ratio, ls_scalar(ls, shift));
    return ls_minimum(ls_maximum(at, ls_scalar(ls, 0.0f)), ls_scalar(ls, (float)(from - 1)));
}

ls_tensor ls_resize_nearest(ls_tensor a, int64_t height, int64_t width)
{
    const struct ls_value *v;
    ls_context *ls = ls_op_enter("resize_nearest", &a, 1, &v);
    if (!ls || !check_resize(ls, "resize_nearest", &v->shape, height, width))
        return LS_NIL;
    int64_t size[] = {height, width};
    for (int d = 1; d <= 2; d++) {
        int64_t from = ls_shape_of_tensor(a).dim[d];
        if (from != size[d - 1])
            a = ls_gather(a, ls_cast(positions(ls, from, size[d - 1], 0.0f), LS_INT32), d);
    }
    return a;
}

/* One axis: the neighbours below and above, and between them by one fma. */
static ls_tensor interpolate(ls_context *ls, ls_tensor a, int axis, int64_t to)
{
    int64_t from = ls_shape_of_tensor(a).dim[axis];
    ls_tensor at = positions(ls, from, to, -0.5f), low = ls_floor(at);
    ls_tensor high = ls_minimum(ls_add(low, ls_scalar(ls, 1.0f)), ls_scalar(ls, (float)(from - 1)));
    ls_shape across = LS_SHAPE(1, 1, 1, 1);
    across.dim[axis] = to;
    ls_tensor weight = ls_reshape(ls_sub(at, low), across);
    ls_tensor below = ls_gather(a, ls_cast(low, LS_INT32), axis), above = ls_gather(a, ls_cast(high, LS_INT32), axis);
    return ls_fma(weight, ls_sub(above, below), below);
}

ls_tensor ls_resize_bilinear(ls_tensor a, int64_t height, int64_t width)
{
    const struct ls_value *v;
    ls_context *ls = ls_op_enter("resize_bilinear", &a, 1, &v);
    if (!ls || !ls_op_dtype(ls, "resize_bilinear", v, LS_FLOAT32) ||
        !check_resize(ls, "resize_bilinear", &v->shape, height, width))
        return LS_NIL;
    int64_t size[] = {height, width};
    for (int d = 1; d <= 2; d++)
        if (ls_shape_of_tensor(a).dim[d] != size[d - 1])
            a = interpolate(ls, a, d, size[d - 1]);
    return a;
}
