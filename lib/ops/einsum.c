/* SPDX-License-Identifier: Apache-2.0
 *
 * Products that become one matmul: dot, outer, tensordot, einsum. What they do besides is transposing,
 * summing and reshaping, so their gradients are those of these.
 */
#include <ctype.h>
#include <string.h>

#include "op.h"

/* Both float32; the context or NULL. */
static ls_context *enter(const char *op, ls_tensor a, ls_tensor b, ls_shape *sa, ls_shape *sb)
{
    const struct ls_value *v[2];
    ls_context *ls = ls_op_enter(op, (ls_tensor[]){a, b}, 2, v);
    if (!ls || !ls_op_dtype(ls, op, v[0], LS_FLOAT32) || !ls_op_dtype(ls, op, v[1], LS_FLOAT32))
        return NULL;
    *sa = v[0]->shape;
    *sb = v[1]->shape;
    return ls;
}

ls_tensor ls_dot(ls_tensor a, ls_tensor b)
{
    ls_shape sa, sb;
    ls_context *ls = enter("dot", a, b, &sa, &sb);
    if (!ls)
        return LS_NIL;
    if (sa.rank != 1 || !ls_shape_equal(&sa, &sb)) {
        ls_fail(ls, LS_SHAPE_MISMATCH, "dot: %s and %s should be vectors of one length; ls_matmul multiplies matrices",
                ls_text(sa).text, ls_text(sb).text);
        return LS_NIL;
    }
    ls_tensor product = ls_matmul(ls_expand_dims(a, 0), ls_expand_dims(b, 1));
    return ls_reshape(product, LS_SCALAR_SHAPE);
}

ls_tensor ls_outer(ls_tensor a, ls_tensor b)
{
    ls_shape sa, sb;
    ls_context *ls = enter("outer", a, b, &sa, &sb);
    if (!ls)
        return LS_NIL;
    if (sa.rank != 1 || sb.rank != 1) {
        ls_fail(ls, LS_SHAPE_MISMATCH, "outer: %s and %s should be vectors", ls_text(sa).text, ls_text(sb).text);
        return LS_NIL;
    }
    return ls_mul(ls_expand_dims(a, 1), ls_expand_dims(b, 0));
}

ls_tensor ls_tensordot(ls_tensor a, ls_tensor b, const int *axes_a, const int *axes_b, int count)
{
    ls_shape sa, sb, result = {.rank = 0};
    ls_context *ls = enter("tensordot", a, b, &sa, &sb);
    if (!ls)
        return LS_NIL;
    bool summed_a[LS_MAX_RANK] = {false}, summed_b[LS_MAX_RANK] = {false};
    int order_a[LS_MAX_RANK], order_b[LS_MAX_RANK], in_a[LS_MAX_RANK], free_a = 0, at_b = 0;
    int64_t inner = 1, rows = 1, columns = 1;
    if (count < 0 || count > sa.rank || count > sb.rank) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "tensordot: %d pairs of axes of %s and %s; 0 to the lower rank", count,
                ls_text(sa).text, ls_text(sb).text);
        return LS_NIL;
    }
    if (!ls_op_given(ls, "tensordot", "axes_a", axes_a, count, "number") ||
        !ls_op_given(ls, "tensordot", "axes_b", axes_b, count, "number"))
        return LS_NIL;
    for (int i = 0; i < count; i++) {
        int x = ls_op_axis(ls, "tensordot", axes_a[i], &sa),
            y = x < 0 ? -1 : ls_op_axis(ls, "tensordot", axes_b[i], &sb);
        if (y < 0)
            return LS_NIL;
        if (summed_a[x] || summed_b[y] || sa.dim[x] != sb.dim[y]) {
            ls_fail(ls, LS_SHAPE_MISMATCH,
                    "tensordot: axis %d of %s and axis %d of %s differ in size, or one is named twice", x,
                    ls_text(sa).text, y, ls_text(sb).text);
            return LS_NIL;
        }
        summed_a[x] = summed_b[y] = true;
        in_a[i] = x;
        order_b[at_b++] = y;
        inner *= sa.dim[x];
    }
    if (sa.rank + sb.rank - 2 * count > LS_MAX_RANK) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "tensordot: of %s and %s over %d pairs of axes: the result would have a rank "
                "above %d", ls_text(sa).text, ls_text(sb).text, count, LS_MAX_RANK);
        return LS_NIL;
    }
    for (int d = 0; d < sa.rank; d++)
        if (!summed_a[d]) {
            order_a[free_a++] = d;
            rows *= result.dim[result.rank++] = sa.dim[d];
        }
    memcpy(order_a + free_a, in_a, (size_t)count * sizeof *in_a);
    for (int d = 0; d < sb.rank; d++)
        if (!summed_b[d]) {
            order_b[at_b++] = d;
            columns *= result.dim[result.rank++] = sb.dim[d];
        }
    ls_tensor left = ls_reshape(ls_transpose(a, order_a), LS_SHAPE(rows, inner));
    ls_tensor right = ls_reshape(ls_transpose(b, order_b), LS_SHAPE(inner, columns));
    return ls_reshape(ls_matmul(left, right), result);
}

/* ---- Einsum ---- */

/* Labels of one operand or of the result. */
struct term {
    int rank;
    char label[LS_MAX_RANK + 1];
};

struct equation {
    int operands;
    struct term in[2], out;
    int64_t size[128]; /* of a label; -1 where it does not occur */
};

static int place_of(const struct term *term, char label)
{
    const char *at = memchr(term->label, label, (size_t)term->rank);
    return at ? (int)(at - term->label) : -1;
}

/* Reads one term up to `end`; false if it is not letters, or too many. */
static bool read_term(const char *text, const char *end, struct term *term)
{
    *term = (struct term){0};
    for (; text < end; text++) {
        if (*text == ' ')
            continue;
        if (!isalpha((unsigned char)*text) || term->rank == LS_MAX_RANK)
            return false;
        term->label[term->rank++] = *text;
    }
    return true;
}

static bool read_equation(const char *text, int operands, struct equation *e)
{
    const char *arrow = strstr(text, "->"), *comma = strchr(text, ',');
    *e = (struct equation){.operands = operands};
    if (!arrow || (operands == 2) != (comma && comma < arrow))
        return false;
    const char *first_end = operands == 2 ? comma : arrow;
    bool read = read_term(text, first_end, &e->in[0]) && read_term(arrow + 2, text + strlen(text), &e->out);
    if (operands == 2)
        read = read && read_term(comma + 1, arrow, &e->in[1]);
    for (int d = 0; d < e->out.rank && read; d++) {
        char label = e->out.label[d];
        bool known = place_of(&e->in[0], label) >= 0 || (operands == 2 && place_of(&e->in[1], label) >= 0);
        read = known && place_of(&e->out, label) == d;
    }
    return read;
}

/* Notes the labels' sizes; false with the error raised where two of a label differ. */
static bool match(ls_context *ls, const char *text, struct equation *e, int operand, const ls_shape *shape)
{
    const struct term *term = &e->in[operand];
    bool fits = term->rank == shape->rank;
    for (int d = 0; d < term->rank && fits; d++) {
        int64_t *size = &e->size[(unsigned char)term->label[d] & 127];
        fits = *size < 0 || *size == shape->dim[d];
        *size = shape->dim[d];
    }
    if (!fits)
        ls_fail(ls, LS_SHAPE_MISMATCH, "einsum: \"%s\" does not describe operand %d, %s", text, operand,
                ls_text(*shape).text);
    return fits;
}

static int64_t size_of(const struct equation *e, char label) { return e->size[(unsigned char)label & 127]; }

/* The diagonal of two axes of one length, in the place of the first. */
static ls_tensor diagonal(ls_tensor a, int first, int second)
{
    ls_shape shape = ls_shape_of_tensor(a);
    int64_t n = shape.dim[first], begin[LS_MAX_RANK] = {0}, step[LS_MAX_RANK];
    int axes[LS_MAX_RANK], rank = 0;
    for (int d = 0; d < shape.rank; d++)
        if (d != first && d != second)
            axes[rank++] = d;
    ls_shape flat = {.rank = rank + 1};
    for (int d = 0; d < rank; d++)
        flat.dim[d] = shape.dim[axes[d]];
    for (int d = 0; d <= rank; d++)
        step[d] = 1;
    axes[rank] = first;
    axes[rank + 1] = second;
    flat.dim[rank] = n * n;
    step[rank] = n + 1;
    ls_shape part = flat;
    part.dim[rank] = n;
    a = ls_slice(ls_reshape(ls_transpose(a, axes), flat), begin, part.dim, step);
    return ls_moveaxis(a, -1, first);
}

static void drop_label(struct term *term, int at)
{
    memmove(term->label + at, term->label + at + 1, (size_t)(term->rank - at));
    term->rank--;
}

/* Takes diagonals of repeated labels, and sums over the labels that nobody else has. */
static ls_tensor simplify(ls_tensor a, struct term *term, const struct term *other, const struct term *out)
{
    for (int d = term->rank - 1; d >= 0; d--) {
        int first = place_of(term, term->label[d]);
        if (first != d) {
            a = diagonal(a, first, d);
            drop_label(term, d);
        }
    }
    int axes[LS_MAX_RANK], count = 0;
    struct term left = {0};
    for (int d = 0; d < term->rank; d++) {
        if (place_of(out, term->label[d]) < 0 && (!other || place_of(other, term->label[d]) < 0))
            axes[count++] = d;
        else
            left.label[left.rank++] = term->label[d];
    }
    *term = left;
    return count ? ls_sum(a, axes, count, false) : a;
}

/* Transposes `a` so that its labels stand as in `order`. */
static ls_tensor arrange(ls_tensor a, const struct term *from, const struct term *order)
{
    int axes[LS_MAX_RANK];
    bool same = true;
    for (int d = 0; d < order->rank; d++) {
        axes[d] = place_of(from, order->label[d]);
        same &= axes[d] == d;
    }
    return same ? a : ls_transpose(a, axes);
}

enum part { BATCH, LEFT, INNER, RIGHT, PARTS };

/* The labels of a term that belong to one part of the product, appended to `order`; their size. */
static int64_t take(const struct equation *e, const struct term *from, enum part part, struct term *order)
{
    int64_t size = 1;
    for (int d = 0; d < from->rank; d++) {
        char label = from->label[d];
        bool both = place_of(&e->in[0], label) >= 0 && place_of(&e->in[1], label) >= 0;
        bool kept = place_of(&e->out, label) >= 0;
        enum part own = both ? kept ? BATCH : INNER : place_of(&e->in[0], label) >= 0 ? LEFT : RIGHT;
        if (own == part) {
            order->label[order->rank++] = label;
            size *= size_of(e, label);
        }
    }
    return size;
}

static ls_tensor multiply(struct equation *e, ls_tensor a, ls_tensor b)
{
    struct term left = {0}, right = {0}, product = {0};
    ls_shape result = {.rank = 0};
    int64_t batch = take(e, &e->in[0], BATCH, &left), rows = take(e, &e->in[0], LEFT, &left);
    int64_t inner = take(e, &e->in[0], INNER, &left), columns;
    take(e, &e->in[0], BATCH, &right); /* in the order of the first operand, both */
    take(e, &e->in[0], INNER, &right);
    columns = take(e, &e->in[1], RIGHT, &right);
    take(e, &e->in[0], BATCH, &product);
    take(e, &e->in[0], LEFT, &product);
    take(e, &e->in[1], RIGHT, &product);
    a = ls_reshape(arrange(a, &e->in[0], &left), LS_SHAPE(batch, rows, inner));
    b = ls_reshape(arrange(b, &e->in[1], &right), LS_SHAPE(batch, inner, columns));
    for (int d = 0; d < product.rank; d++)
        result.dim[result.rank++] = size_of(e, product.label[d]);
    return arrange(ls_reshape(ls_matmul(a, b), result), &product, &e->out);
}

ls_tensor ls_einsum(const char *equation, const ls_tensor *operands, int count)
{
    const struct ls_value *v[2];
    struct equation e;
    if (!ls_op_list("einsum", operands, count > 0 ? (size_t)count : 0, 2))
        return LS_NIL;
    ls_context *ls = ls_op_enter("einsum", operands, count, v);
    if (!ls || !ls_op_given(ls, "einsum", "equation", equation, count, "term"))
        return LS_NIL;
    if (!read_equation(equation, count, &e)) {
        ls_fail(
            ls, LS_INVALID_ARGUMENT,
            "einsum: \"%s\" with %d operands: one or two terms of letters, \"->\", and letters of theirs, each once; "
            "no ellipsis",
            equation, count);
        return LS_NIL;
    }
    memset(e.size, -1, sizeof e.size);
    for (int i = 0; i < count; i++)
        if (!ls_op_dtype(ls, "einsum", v[i], LS_FLOAT32) || !match(ls, equation, &e, i, &v[i]->shape))
            return LS_NIL;
    ls_tensor a = simplify(operands[0], &e.in[0], count == 2 ? &e.in[1] : NULL, &e.out);
    if (count == 1)
        return arrange(a, &e.in[0], &e.out);
    ls_tensor b = simplify(operands[1], &e.in[1], &e.in[0], &e.out);
    return multiply(&e, a, b);
}
