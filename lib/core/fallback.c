/* SPDX-License-Identifier: Apache-2.0
 *
 * The OPTIONAL primitives composed from the REQUIRED ones, with the bits that a fused slot must have.
 */
#include "state.h"

struct temporaries {
    struct ls_storage *row, *sum, *full; /* (outer), (outer), (outer, r) */
};

static bool make(ls_context *ls, struct temporaries *t, int64_t outer, int64_t r)
{
    t->row = ls_storage_new(ls, LS_FLOAT32, outer);
    t->sum = t->row ? ls_storage_new(ls, LS_FLOAT32, outer) : NULL;
    t->full = t->sum ? ls_storage_new(ls, LS_FLOAT32, outer * r) : NULL;
    return t->full != NULL;
}

static void drop(ls_context *ls, struct temporaries *t)
{
    struct ls_storage *all[] = {t->row, t->sum, t->full};
    for (int i = 0; i < 3; i++)
        if (all[i])
            ls_storage_release(ls, all[i]);
}

/* m = max x, e = exp(x - m) in `full`, s = sum e. */
static ls_status max_exp_sum(ls_context *ls, struct temporaries *t, struct ls_buffer *src, int64_t outer, int64_t r)
{
    struct ls_reduce_args max = {LS_REDUCE_MAX, LS_FLOAT32, src, t->row->buffer, outer, r, 1};
    struct ls_map_args exp = {
        .rows = 2,
        .inputs = 2,
        .outputs = 1,
        .rank = 2,
        .n = outer * r,
        .extent = {outer, r},
        .row = {{LS_ROW_sub, {0, 1, 0}}, {LS_ROW_exp, {LS_REGISTER_ROW, 0, 0}}},
        .input = {{src, LS_FLOAT32, {r, 1}}, {t->row->buffer, LS_FLOAT32, {1, 0}}},
        .output = {{t->full->buffer, LS_FLOAT32, LS_REGISTER_ROW + 1}},
    };
    struct ls_reduce_args sum = {LS_REDUCE_SUM, LS_FLOAT32, t->full->buffer, t->sum->buffer, outer, r, 1};
    ls_status status = ls_dispatch_reduce(ls, &max);
    if (status == LS_OK)
        status = ls_dispatch_map(ls, &exp);
    return status == LS_OK ? ls_dispatch_reduce(ls, &sum) : status;
}

ls_status ls_fallback_softmax(ls_context *ls, const struct ls_softmax_args *a)
{
    struct temporaries t = {0};
    ls_status status = LS_OUT_OF_MEMORY;
    if (make(ls, &t, a->outer, a->r))
        status = max_exp_sum(ls, &t, a->src, a->outer, a->r);
    if (status == LS_OK && a->log) {
        struct ls_map_args log = {
            .rows = 3,
            .inputs = 3,
            .outputs = 1,
            .rank = 2,
            .n = a->outer * a->r,
            .extent = {a->outer, a->r},
            .row = {{LS_ROW_sub, {0, 1, 0}},
                    {LS_ROW_log, {2, 0, 0}},
                    {LS_ROW_sub, {LS_REGISTER_ROW, LS_REGISTER_ROW + 1, 0}}},
            .input = {{a->src, LS_FLOAT32, {a->r, 1}},
                      {t.row->buffer, LS_FLOAT32, {1, 0}},
                      {t.sum->buffer, LS_FLOAT32, {1, 0}}},
            .output = {{a->dst, LS_FLOAT32, LS_REGISTER_ROW + 2}},
        };
        status = ls_dispatch_map(ls, &log);
    } else if (status == LS_OK) {
        struct ls_map_args divide = {
            .rows = 1,
            .inputs = 2,
            .outputs = 1,
            .rank = 2,
            .n = a->outer * a->r,
            .extent = {a->outer, a->r},
            .row = {{LS_ROW_div, {0, 1, 0}}},
            .input = {{t.full->buffer, LS_FLOAT32, {a->r, 1}}, {t.sum->buffer, LS_FLOAT32, {1, 0}}},
            .output = {{a->dst, LS_FLOAT32, LS_REGISTER_ROW}},
        };
        status = ls_dispatch_map(ls, &divide);
    }
    drop(ls, &t);
    return status;
}

/* The label's logit is gathered from the logits as one long row, at row * r + label. A label out of
 * range becomes -1, which gather notes as a fault at that row. */
ls_status ls_fallback_sparse_xent(ls_context *ls, const struct ls_sparse_xent_args *a)
{
    struct temporaries t = {0};
    struct ls_storage *flat = NULL, *picked = NULL;
    ls_status status = LS_OUT_OF_MEMORY;
    if (make(ls, &t, a->outer, a->r))
        status = max_exp_sum(ls, &t, a->logits, a->outer, a->r);
    if (status == LS_OK) {
        flat = ls_storage_new(ls, LS_INT32, a->outer);
        picked = flat ? ls_storage_new(ls, LS_FLOAT32, a->outer) : NULL;
        status = picked ? LS_OK : LS_OUT_OF_MEMORY;
    }
    if (status == LS_OK) {
        struct ls_fill_args rows = {
            .dst = flat->buffer, .dtype = LS_INT32, .step = (uint32_t)a->r, .n = a->outer};
        status = ls_dispatch_fill(ls, &rows);
    }
    enum { LABEL, ROW, ZERO = LS_REGISTER_IMMEDIATE, CLASSES, NONE, FIRST = LS_REGISTER_ROW };
    if (status == LS_OK) {
        struct ls_map_args index = {
            .rows = 5,
            .inputs = 2,
            .outputs = 1,
            .immediates = 3,
            .rank = 1,
            .n = a->outer,
            .extent = {a->outer},
            .immediate = {0, (uint32_t)a->r, 0xffffffffu},
            .row = {{LS_ROW_int_greater_equal, {LABEL, ZERO, 0}},
                    {LS_ROW_int_less, {LABEL, CLASSES, 0}},
                    {LS_ROW_logical_and, {FIRST, FIRST + 1, 0}},
                    {LS_ROW_int_add, {ROW, LABEL, 0}},
                    {LS_ROW_where, {FIRST + 2, FIRST + 3, NONE}}},
            .input = {{a->labels, LS_INT32, {1}}, {flat->buffer, LS_INT32, {1}}},
            .output = {{flat->buffer, LS_INT32, FIRST + 4}},
        };
        status = ls_dispatch_map(ls, &index);
    }
    if (status == LS_OK) {
        struct ls_gather_args pick = {a->logits, flat->buffer, picked->buffer, LS_FLOAT32, 1,
                                      a->outer * a->r, 1, a->outer};
        status = ls_dispatch_gather(ls, &pick);
    }
    if (status == LS_OK) {
        enum { LOGIT, MAX, SUM, FLAT };
        struct ls_map_args loss = {
            .rows = 5,
            .inputs = 4,
            .outputs = 1,
            .immediates = 1,
            .rank = 1,
            .n = a->outer,
            .extent = {a->outer},
            .row = {{LS_ROW_log, {SUM, 0, 0}},
                    {LS_ROW_sub, {LOGIT, MAX, 0}},
                    {LS_ROW_sub, {FIRST, FIRST + 1, 0}},
                    {LS_ROW_int_greater_equal, {FLAT, ZERO, 0}},
                    {LS_ROW_where, {FIRST + 3, FIRST + 2, ZERO}}},
            .input = {{picked->buffer, LS_FLOAT32, {1}},
                      {t.row->buffer, LS_FLOAT32, {1}},
                      {t.sum->buffer, LS_FLOAT32, {1}},
                      {flat->buffer, LS_INT32, {1}}},
            .output = {{a->loss, LS_FLOAT32, FIRST + 4}},
        };
        status = ls_dispatch_map(ls, &loss);
    }
    if (status == LS_OK && a->probabilities) {
        struct ls_map_args divide = {
            .rows = 1,
            .inputs = 2,
            .outputs = 1,
            .rank = 2,
            .n = a->outer * a->r,
            .extent = {a->outer, a->r},
            .row = {{LS_ROW_div, {0, 1, 0}}},
            .input = {{t.full->buffer, LS_FLOAT32, {a->r, 1}}, {t.sum->buffer, LS_FLOAT32, {1, 0}}},
            .output = {{a->probabilities, LS_FLOAT32, FIRST}},
        };
        status = ls_dispatch_map(ls, &divide);
    }
    if (flat)
        ls_storage_release(ls, flat);
    if (picked)
        ls_storage_release(ls, picked);
    drop(ls, &t);
    return status;
}
