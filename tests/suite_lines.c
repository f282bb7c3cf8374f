/* SPDX-License-Identifier: Apache-2.0
 *
 * The primitives that work along the middle of (outer, r, inner).
 */
#include <stdio.h>

#include "duel.h"

static void reduce(struct duel *d, enum ls_reduce_op op, ls_dtype dtype, int64_t outer, int64_t r, int64_t inner,
                   enum duel_data data)
{
    static const char *const names[] = {"sum", "prod", "max", "min", "argmax", "argmin"};
    char name[96];
    snprintf(name, sizeof name, "reduce/%s %s (%lld, %lld, %lld) data=%d", names[op], ls_dtype_name(dtype),
             (long long)outer, (long long)r, (long long)inner, data);
    struct duel_array src = duel_make(d, dtype, outer * r * inner, data, op == LS_REDUCE_PROD ? 0.999 : -2, op == LS_REDUCE_PROD ? 1.001 : 2);
    struct duel_array dst = duel_floats(d, outer * inner, PLAIN);
    struct ls_reduce_args args = {op, dtype, NULL, NULL, outer, r, inner};
    DUEL(reduce, name, (args.src = src.on[k], args.dst = dst.on[k]));
    duel_compare(d, &dst, op >= LS_REDUCE_ARGMAX ? LS_INT32 : dtype, outer * inner, name);
    duel_drop(d, &src);
    duel_drop(d, &dst);
}

void duel_reductions(struct duel *d, const int64_t *sizes, int count)
{
    for (int op = 0; op <= LS_REDUCE_ARGMIN; op++) {
        for (int i = 0; i < count; i++) {
            int64_t n = sizes[i];
            if (!duel_affordable(d, n))
                continue;
            enum duel_data data = op == LS_REDUCE_PROD ? PLAIN : ORDER;
            reduce(d, (enum ls_reduce_op)op, LS_FLOAT32, 1, n, 1, data);
            if (n <= 4097 && duel_affordable(d, 3 * n)) {
                reduce(d, (enum ls_reduce_op)op, LS_FLOAT32, 3, n, 1, data);
                reduce(d, (enum ls_reduce_op)op, LS_FLOAT32, 1, n, 3, data);
                reduce(d, (enum ls_reduce_op)op, LS_FLOAT32, 2, n, 1, INTEGERS); /* ties */
            }
            if (n <= 4097 && duel_affordable(d, 34 * n)) {
                reduce(d, (enum ls_reduce_op)op, LS_FLOAT32, 2, n, 17, data);
                reduce(d, (enum ls_reduce_op)op, LS_FLOAT32, n, 5, 1, data);
                reduce(d, (enum ls_reduce_op)op, LS_FLOAT32, n, 3, 2, INTEGERS);
            }
            if (n <= 300 && op < LS_REDUCE_ARGMAX && duel_affordable(d, 2 * n))
                reduce(d, (enum ls_reduce_op)op, LS_INT32, 2, n, n % 3 + 1, PLAIN);
        }
    }
    if (duel_affordable(d, 1 << 24))
        reduce(d, LS_REDUCE_SUM, LS_FLOAT32, 1, (1 << 24) + 4097, 1, ORDER);
    if (!d->s->kind.flushes) {
        reduce(d, LS_REDUCE_SUM, LS_FLOAT32, 2, 70, 3, SPECIAL);
        reduce(d, LS_REDUCE_SUM, LS_FLOAT32, 3, 130, 1, SPECIAL);
    }
}

void duel_softmax(struct duel *d, int64_t outer, int64_t r)
{
    char name[64];
    struct duel_array x = duel_make(d, LS_FLOAT32, outer * r, PLAIN, -20, 20), y = duel_floats(d, outer * r, PLAIN);
    struct duel_array labels = duel_indices(d, outer, r), loss = duel_floats(d, outer, PLAIN);
    for (int log = 0; log < 2 && d->device[1]->backend->softmax; log++) {
        struct ls_softmax_args args = {NULL, NULL, outer, r, log};
        snprintf(name, sizeof name, "softmax log=%d (%lld, %lld)", log, (long long)outer, (long long)r);
        DUEL(softmax, name, (args.src = x.on[k], args.dst = y.on[k]));
        duel_compare(d, &y, LS_FLOAT32, outer * r, name);
    }
    if (d->device[1]->backend->sparse_xent) {
        struct ls_sparse_xent_args args = {.outer = outer, .r = r};
        snprintf(name, sizeof name, "sparse_xent (%lld, %lld)", (long long)outer, (long long)r);
        DUEL(sparse_xent, name, (args.logits = x.on[k], args.labels = labels.on[k], args.loss = loss.on[k],
                                 args.probabilities = y.on[k]));
        duel_compare(d, &y, LS_FLOAT32, outer * r, name);
        duel_compare(d, &loss, LS_FLOAT32, outer, name);
    }
    duel_drop(d, &x);
    duel_drop(d, &y);
    duel_drop(d, &labels);
    duel_drop(d, &loss);
}

void duel_scan(struct duel *d, int64_t outer, int64_t r, int64_t inner)
{
    int64_t n = outer * r * inner;
    char name[96];
    struct duel_array factor = duel_make(d, LS_FLOAT32, n, PLAIN, -1.1, 1.1), addend = duel_floats(d, n, ORDER), out = duel_floats(d, n, PLAIN);
    struct duel_array whole = duel_make(d, LS_INT32, n, PLAIN, 0, 0);
    struct duel_array near_one = duel_make(d, LS_FLOAT32, n, PLAIN, 0.998, 1.002); /* products stay normal numbers */
    for (int form = 0; form < 20; form++) {
        struct ls_scan_args args = {.dtype = form < 12 ? LS_FLOAT32 : LS_INT32, .outer = outer, .r = r, .inner = inner};
        bool factors = form < 8 || form >= 16, addends = form < 4 || (form >= 8 && form < 16);
        const struct duel_array *f = form < 4 ? &factor : form < 12 ? &near_one : &whole, *a = form < 12 ? &addend : &whole;
        args.reverse = form & 1;
        args.exclusive = form & 2;
        snprintf(name, sizeof name, "scan form=%d (%lld, %lld, %lld)", form, (long long)outer, (long long)r, (long long)inner);
        DUEL(scan, name, (args.factor = factors ? f->on[k] : NULL, args.addend = addends ? a->on[k] : NULL,
                          args.dst = out.on[k]));
        duel_compare(d, &out, args.dtype, n, name);
    }
    duel_drop(d, &factor);
    duel_drop(d, &addend);
    duel_drop(d, &out);
    duel_drop(d, &whole);
    duel_drop(d, &near_one);
}

void duel_sort(struct duel *d, int64_t outer, int64_t r)
{
    char name[64];
    struct duel_array out = duel_make(d, LS_INT32, outer * r, PLAIN, 0, 0);
    for (int form = 0; form < 8; form++) {
        ls_dtype dtype = form < 6 ? LS_FLOAT32 : LS_INT32;
        struct duel_array x = duel_make(d, dtype, outer * r, form < 2 ? INTEGERS : form < 4 ? SPECIAL : ORDER, -2, 2);
        struct ls_sort_args args = {.dtype = dtype, .outer = outer, .r = r, .descending = form & 1};
        snprintf(name, sizeof name, "sort form=%d (%lld, %lld)", form, (long long)outer, (long long)r);
        DUEL(sort, name, (args.src = x.on[k], args.dst = out.on[k]));
        duel_compare(d, &out, LS_INT32, outer * r, name);
        duel_drop(d, &x);
    }
    duel_drop(d, &out);
}
