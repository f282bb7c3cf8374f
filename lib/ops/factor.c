/* SPDX-License-Identifier: Apache-2.0
 *
 * Triangular systems and the Cholesky factor, by halves: the matrix is cut into four blocks, and what
 * couples them is a matrix product, whose order the canon states. So these have one order too, on every
 * device. A matrix of n rows takes about 5 n primitive calls.
 */
#include "op.h"

/* Rows and columns of the last two dimensions. */
static ls_tensor block(ls_tensor a, int64_t row, int64_t rows, int64_t column, int64_t columns)
{
    ls_shape size = ls_shape_of_tensor(a);
    int64_t begin[LS_MAX_RANK] = {0};
    if (size.rank < 2)
        return LS_NIL;
    begin[size.rank - 2] = row;
    begin[size.rank - 1] = column;
    size.dim[size.rank - 2] = rows;
    size.dim[size.rank - 1] = columns;
    return ls_slice(a, begin, size.dim, NULL);
}

static ls_tensor turned(ls_tensor a) { return ls_swapaxes(a, -1, -2); }

/* x of m x = b, where m is lower triangular, or upper; its other elements are not read. */
static ls_tensor solve(ls_tensor m, ls_tensor b, int64_t n, int64_t columns, bool lower)
{
    if (n == 1)
        return ls_div(b, m);
    int64_t half = n / 2, rest = n - half;
    ls_tensor upper_left = block(m, 0, half, 0, half), lower_right = block(m, half, rest, half, rest);
    ls_tensor top = block(b, 0, half, 0, columns), bottom = block(b, half, rest, 0, columns);
    if (lower) {
        top = solve(upper_left, top, half, columns, true);
        bottom = ls_sub(bottom, ls_matmul(block(m, half, rest, 0, half), top));
        bottom = solve(lower_right, bottom, rest, columns, true);
    } else {
        bottom = solve(lower_right, bottom, rest, columns, false);
        top = ls_sub(top, ls_matmul(block(m, 0, half, half, rest), bottom));
        top = solve(upper_left, top, half, columns, false);
    }
    return ls_concat((ls_tensor[]){top, bottom}, 2, -2);
}

/* The factor of a, of which the lower triangle is read. */
static ls_tensor factor(ls_tensor a, int64_t n)
{
    if (n == 1)
        return ls_sqrt(a);
    int64_t half = n / 2, rest = n - half;
    ls_shape corner = ls_shape_of_tensor(a);
    if (corner.rank < 2)
        return LS_NIL;
    corner.dim[corner.rank - 2] = half;
    corner.dim[corner.rank - 1] = rest;
    ls_tensor first = factor(block(a, 0, half, 0, half), half);
    ls_tensor below = turned(solve(first, turned(block(a, half, rest, 0, half)), half, rest, true));
    ls_tensor left = ls_sub(block(a, half, rest, half, rest), ls_matmul(below, below, .transpose_b = true));
    ls_tensor last = factor(left, rest);
    ls_tensor above = ls_concat((ls_tensor[]){first, ls_zeros(a.context, LS_FLOAT32, corner)}, 2, -1);
    return ls_concat((ls_tensor[]){above, ls_concat((ls_tensor[]){below, last}, 2, -1)}, 2, -2);
}

/* The steps of a factorisation are no tape's concern: the whole has a rule of its own. */
static void begin_steps(ls_context *ls)
{
    ls_tapes_stop(ls, 1);
    ls_scope_begin(ls);
}

static ls_tensor end_steps(ls_context *ls, ls_tensor result)
{
    const struct ls_slot *slot = ls_slot_of(result);
    ls_tensor out = slot && !ls_failed(ls) ? ls_keep(ls_op_view(ls, &slot->value, &slot->value.shape)) : LS_NIL;
    ls_scope_end(ls);
    ls_tapes_stop(ls, -1);
    return ls_failed(ls) ? LS_NIL : out;
}

static bool square(ls_context *ls, const char *op, const struct ls_value *v)
{
    const ls_shape *s = &v->shape;
    if (!ls_op_dtype(ls, op, v, LS_FLOAT32))
        return false;
    if (s->rank >= 2 && s->dim[s->rank - 1] == s->dim[s->rank - 2])
        return true;
    ls_fail(ls, LS_SHAPE_MISMATCH, "%s: %s should be square matrices (…, n, n)", op, ls_text(*s).text);
    return false;
}

/* ---- triangular_solve ---- */

struct triangle {
    bool upper, transpose;
};

/* db = op(a)^-T g; da is the triangle of -db x^T, or of -x db^T where a was transposed. */
static void vjp_triangular_solve(struct ls_vjp_call *call)
{
    const struct triangle *t = call->attributes;
    ls_tensor a = call->in[0], x = call->out;
    ls_tensor db = ls_triangular_solve(a, call->dy, .upper = t->upper, .transpose_a = !t->transpose);
    if (call->needs[0]) {
        ls_tensor da = t->transpose ? ls_matmul(x, db, .transpose_b = true) : ls_matmul(db, x, .transpose_b = true);
        call->dx[0] = ls_neg(t->upper ? ls_triu(da, 0) : ls_tril(da, 0));
    }
    if (call->needs[1])
        call->dx[1] = db;
}

static const struct ls_op triangular_solve_op = {"triangular_solve", vjp_triangular_solve, NULL};

ls_tensor ls_triangular_solve_with(const ls_triangular_solve_options *o)
{
    const struct ls_value *v[2];
    const char *op = triangular_solve_op.name;
    if (!o)
        return ls_op_no_options(op);
    ls_tensor in[] = {o->a, o->b};
    ls_context *ls = ls_op_enter(op, in, 2, v);
    if (!ls || !square(ls, op, v[0]) || !ls_op_dtype(ls, op, v[1], LS_FLOAT32))
        return LS_NIL;
    ls_shape expected = v[0]->shape, right = v[1]->shape;
    expected.dim[expected.rank - 1] = right.rank ? right.dim[right.rank - 1] : 0;
    if (!ls_shape_equal(&expected, &right)) {
        ls_fail(ls, LS_SHAPE_MISMATCH, "%s: %s x = %s: the right side should be (…, n, columns) with the same leading "
                "dimensions; ls_broadcast_to repeats and ls_expand_dims makes a vector a column", op,
                ls_text(v[0]->shape).text, ls_text(right).text);
        return LS_NIL;
    }
    struct triangle t = {o->upper, o->transpose_a};
    int64_t columns = right.dim[right.rank - 1];
    begin_steps(ls);
    bool empty = ls_shape_elements(&right) == 0;
    ls_tensor x = empty ? o->b : solve(t.transpose ? turned(o->a) : o->a, o->b, right.dim[right.rank - 2], columns,
                                       t.upper == t.transpose);
    return ls_record(ls, &triangular_solve_op, in, 2, end_steps(ls, x), LS_SAVE_OUT | 1, &t, sizeof t);
}

/* ---- cholesky ---- */

/* With L the result: (S + S^T) / 2 for S = L^-T P L^-1, where P is the lower triangle of L^T g with half
 * of its diagonal. */
static void vjp_cholesky(struct ls_vjp_call *call)
{
    ls_tensor l = call->out, half = ls_scalar(call->ls, 0.5f);
    ls_tensor p = ls_tril(ls_matmul(l, call->dy, .transpose_a = true), 0);
    p = ls_fma(ls_diag(ls_diag_part(p)), ls_neg(half), p);
    ls_tensor left = ls_triangular_solve(l, p, .transpose_a = true);
    ls_tensor s = ls_triangular_solve(l, turned(left), .transpose_a = true);
    call->dx[0] = ls_mul(ls_add(s, turned(s)), half);
}

static const struct ls_op cholesky_op = {"cholesky", vjp_cholesky, NULL};

ls_tensor ls_cholesky(ls_tensor a)
{
    const struct ls_value *v;
    ls_context *ls = ls_op_enter("cholesky", &a, 1, &v);
    if (!ls || !square(ls, "cholesky", v))
        return LS_NIL;
    ls_shape shape = v->shape;
    begin_steps(ls);
    ls_tensor l = ls_shape_elements(&shape) == 0 ? a : factor(a, shape.dim[shape.rank - 1]);
    return ls_record(ls, &cholesky_op, &a, 1, end_steps(ls, l), LS_SAVE_OUT, NULL, 0);
}
