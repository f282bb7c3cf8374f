/* SPDX-License-Identifier: Apache-2.0
 *
 * softmax and sparse_xent: the OPTIONAL fused slots. Rows are worked on in groups that stay in the
 * first level cache, so that short rows too fill the vectors. Every value is rounded as in the
 * composition of sub, exp, REDUCE sum, log and div.
 */
#include "slots.h"

#include "prelude_c.h"
#include "canon.h"

enum { GROUP = LS_REDUCE_BLOCK }; /* elements of a group: 16 KiB */

/* The rows of a group, as many as fit, at least one. */
static int64_t group_rows(int64_t r, int64_t rows)
{
    int64_t fit = r < GROUP ? GROUP / r : 1;
    return fit < rows ? fit : rows;
}

/* For each row of x (rows, r): its maximum, y = exp(x - maximum), and the sum of y. */
static void exponentials(const float *x, float *y, float *maximum, float *sum, int64_t rows,
                         int64_t r)
{
    float *to = y;
    ISA(reduce_rows)(LS_REDUCE_MAX, x, maximum, rows, r);
    for (int64_t o = 0; o < rows; o++, x += r, to += r) {
        float m = maximum[o];
        EACH(i, r) to[i] = x[i] - m;
    }
    EACH(i, rows * r) y[i] = canon_exp(y[i]);
    ISA(reduce_rows)(LS_REDUCE_SUM, y, sum, rows, r);
}

/* The sum of exp(x - maximum) over one row of any length, keeping no more than a block per level of
 * REDUCE (canon rule 9): a span of the row becomes one value of the level above. */
static float sum_of_exponentials(const float *x, int64_t r, float maximum)
{
    float part[LS_REDUCE_BLOCK], sum;
    int64_t span = 1;
    while (span * LS_REDUCE_BLOCK < r) {
        span *= LS_REDUCE_BLOCK;
    }
    int64_t count = (r + span - 1) / span;
    if (span == 1) {
        EACH(i, r) part[i] = canon_exp(x[i] - maximum);
    } else {
        for (int64_t i = 0; i < count; i++) {
            int64_t rest = r - i * span;
            part[i] = sum_of_exponentials(x + i * span, rest < span ? rest : span, maximum);
        }
    }
    ISA(reduce_rows)(LS_REDUCE_SUM, part, &sum, 1, count);
    return sum;
}

static void softmax_part(const void *work, int thread, int64_t begin, int64_t end)
{
    const struct ls_softmax_args *args = work;
    float maximum[GROUP], sum[GROUP];
    int64_t r = args->r, rows;
    (void)thread;
    for (int64_t first = begin; first < end; first += rows) {
        const float *x = (const float *)data_of(args->src) + first * r;
        float *y = (float *)data_of(args->dst) + first * r;
        rows = group_rows(r, end - first);
        exponentials(x, y, maximum, sum, rows, r);
        for (int64_t o = 0; o < rows; o++, x += r, y += r) {
            float m = maximum[o], s = sum[o];
            if (args->log) {
                float log_sum = canon_log(s);
                EACH(i, r) y[i] = (x[i] - m) - log_sum;
            } else {
                EACH(i, r) y[i] = LS_DIV(y[i], s);
            }
        }
    }
}

ls_status ISA(softmax)(struct reference_device *device, const struct ls_softmax_args *args)
{
    ls_reference_parallel(device, args->outer, PARALLEL_WORK / 8 / args->r + 1, softmax_part, args);
    return LS_OK;
}

/* Maxima and sums of a group of rows whose probabilities nobody wants. */
static void maxima_and_sums(const float *x, float *maximum, float *sum, int64_t rows, int64_t r)
{
    if (r <= GROUP) {
        float e[GROUP];
        exponentials(x, e, maximum, sum, rows, r);
    } else {
        ISA(reduce_rows)(LS_REDUCE_MAX, x, maximum, rows, r);
        for (int64_t o = 0; o < rows; o++) {
            sum[o] = sum_of_exponentials(x + o * r, r, maximum[o]);
        }
    }
}

static void xent_part(const void *work, int thread, int64_t begin, int64_t end)
{
    const struct ls_sparse_xent_args *args = work;
    float maximum[GROUP], sum[GROUP];
    int64_t r = args->r, rows;
    (void)thread;
    for (int64_t first = begin; first < end; first += rows) {
        const float *x = (const float *)data_of(args->logits) + first * r;
        const int32_t *labels = (const int32_t *)data_of(args->labels) + first;
        float *loss = (float *)data_of(args->loss) + first;
        rows = group_rows(r, end - first);
        if (args->probabilities) {
            float *y = (float *)data_of(args->probabilities) + first * r;
            exponentials(x, y, maximum, sum, rows, r);
            for (int64_t o = 0; o < rows; o++, y += r) {
                float s = sum[o];
                EACH(i, r) y[i] = LS_DIV(y[i], s);
            }
        } else {
            maxima_and_sums(x, maximum, sum, rows, r);
        }
        EACH(o, rows) sum[o] = canon_log(sum[o]);
        for (int64_t o = 0; o < rows; o++, x += r) {
            bool inside = labels[o] >= 0 && labels[o] < r;
            loss[o] = inside ? sum[o] - (x[labels[o]] - maximum[o]) : 0.0f;
        }
    }
}

ls_status ISA(sparse_xent)(struct reference_device *device, const struct ls_sparse_xent_args *args)
{
    ISA(check_indices)(device, LS_FAULT_SPARSE_XENT, data_of(args->labels), args->outer, args->r);
    ls_reference_parallel(device, args->outer, PARALLEL_WORK / 8 / args->r + 1, xent_part, args);
    return LS_OK;
}
