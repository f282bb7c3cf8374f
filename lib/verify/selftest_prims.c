/* SPDX-License-Identifier: Apache-2.0
 *
 * The self-test of the other primitives, at the edges of their blocks and lanes, with data that shows
 * the order of a sum.
 */
#include <stdio.h>

#include "selftest.h"

static struct ls_pair ordered(struct ls_duel *d, int64_t n)
{
    return ls_pair_make(d, LS_FLOAT32, n, d->subnormal ? LS_PATTERN_SUBNORMAL : LS_PATTERN_ORDER, 0, 0);
}

static struct ls_pair blank(struct ls_duel *d, ls_dtype dtype, int64_t n)
{
    return ls_pair_make(d, dtype, n, LS_PATTERN_RANGE, 0, 1);
}

static const char *tail(const struct ls_duel *d) { return d->subnormal ? " subnormal" : ""; }

/* ---- Sums and products ---- */

static void reduce(struct ls_duel *d, enum ls_reduce_op op, int64_t outer, int64_t r, int64_t inner)
{
    static const char *const names[] = {"sum", "prod", "max", "min", "argmax", "argmin"};
    char name[96];
    snprintf(name, sizeof name, "reduce/%s%s (%lld, %lld, %lld)", names[op], tail(d), (long long)outer, (long long)r,
             (long long)inner);
    bool position = op == LS_REDUCE_ARGMAX || op == LS_REDUCE_ARGMIN;
    struct ls_pair src = op == LS_REDUCE_PROD ? ls_pair_make(d, LS_FLOAT32, outer * r * inner, LS_PATTERN_RANGE, 0.999, 1.001)
                         : position ? ls_pair_make(d, LS_FLOAT32, outer * r * inner, LS_PATTERN_INTEGERS, 0, 0) /* ties */
                                    : ordered(d, outer * r * inner);
    struct ls_pair dst = blank(d, position ? LS_INT32 : LS_FLOAT32, outer * inner);
    struct ls_reduce_args args = {op, LS_FLOAT32, NULL, NULL, outer, r, inner};
    LS_DUEL(d, reduce, name, &args, (args.src = src.on[k], args.dst = dst.on[k]));
    ls_pair_compare(d, &dst, outer * inner, name);
    ls_pair_drop(d, &src);
    ls_pair_drop(d, &dst);
}

static void gemm(struct ls_duel *d, int64_t batch, int64_t m, int64_t n, int64_t k_size, int form, bool whole)
{
    char name[96];
    snprintf(name, sizeof name, "gemm%s %lld x (%lld, %lld, %lld) %c%c", tail(d), (long long)batch, (long long)m,
             (long long)n, (long long)k_size, form & 1 ? 'T' : 'N', form & 2 ? 'T' : 'N');
    struct ls_pair a = ordered(d, batch * m * k_size), b = ordered(d, batch * k_size * n), bias = ordered(d, n);
    struct ls_pair c = blank(d, LS_FLOAT32, batch * m * n);
    struct ls_gemm_args args = {.batch = batch,
                                .m = m,
                                .n = n,
                                .k = k_size,
                                .stride_a = m * k_size,
                                .stride_b = k_size * n,
                                .trans_a = form & 1,
                                .trans_b = form & 2,
                                .activation = whole ? LS_ROW_relu : LS_ROW_NONE};
    LS_DUEL(d, gemm, name, &args,
            (args.a = a.on[k], args.b = b.on[k], args.c = c.on[k], args.bias = whole ? bias.on[k] : NULL));
    ls_pair_compare(d, &c, batch * m * n, name);
    ls_pair_drop(d, &a);
    ls_pair_drop(d, &b);
    ls_pair_drop(d, &bias);
    ls_pair_drop(d, &c);
}

/* Products large enough for the tiles that a GPU takes for them (lib/core/tiles.c). */
static void filling(struct ls_duel *d)
{
    static const int64_t sizes[][2] = {{600, 600}, {1100, 1030}, {2048, 2176}, {40000, 10}, {10, 40000}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes && d->device[1]->info.is_gpu; i++)
        gemm(d, 1, sizes[i][0], sizes[i][1], 20, (int)i & 3, false);
}

/* ---- Windows ---- */

static void conv(struct ls_duel *d, enum ls_conv_pass pass, const struct ls_window *w, int64_t groups,
                 int64_t channels, int64_t filters)
{
    static const char *const names[] = {"conv/forward", "conv/input", "conv/kernel"};
    int64_t in = w->batch, out = w->batch, size = channels * groups * filters;
    for (int s = 0; s < LS_SPATIAL; s++) {
        in *= w->in[s];
        out *= w->out[s];
        size *= w->size[s];
    }
    in *= groups * channels;
    out *= groups * filters;
    struct ls_pair x = ordered(d, in), kernel = ordered(d, size), y = ordered(d, out);
    struct ls_conv_args args = {.pass = pass, .window = *w, .groups = groups, .channels = channels, .filters = filters,
                                .activation = LS_ROW_NONE};
    LS_DUEL(d, conv, names[pass], &args, (args.input = x.on[k], args.kernel = kernel.on[k], args.output = y.on[k]));
    const struct ls_pair *result = pass == LS_CONV_FORWARD ? &y : pass == LS_CONV_INPUT ? &x : &kernel;
    ls_pair_compare(d, result, result->n, names[pass]);
    ls_pair_drop(d, &x);
    ls_pair_drop(d, &kernel);
    ls_pair_drop(d, &y);
}

static void pool(struct ls_duel *d, const struct ls_window *w, int64_t channels)
{
    static const char *const names[] = {"pool/max", "pool/average", "pool/take", "pool/spread_max",
                                        "pool/spread_average"};
    int64_t in = w->batch * w->in[0] * w->in[1] * w->in[2] * channels;
    int64_t out = w->batch * w->out[0] * w->out[1] * w->out[2] * channels;
    struct ls_pair positions = blank(d, LS_INT32, out);
    for (int op = 0; op <= LS_POOL_SPREAD_AVERAGE; op++) {
        bool back = op >= LS_POOL_SPREAD_MAX, placed = op != LS_POOL_AVERAGE && op != LS_POOL_SPREAD_AVERAGE;
        if (!d->full && op == LS_POOL_TAKE)
            continue;
        struct ls_pair src = op == LS_POOL_MAX ? ls_pair_make(d, LS_FLOAT32, in, LS_PATTERN_INTEGERS, 0, 0)
                                               : ordered(d, back ? out : in);
        struct ls_pair dst = blank(d, LS_FLOAT32, back ? in : out);
        struct ls_pool_args args = {.op = (enum ls_pool_op)op, .window = *w, .channels = channels};
        LS_DUEL(d, pool, names[op], &args,
                (args.src = src.on[k], args.dst = dst.on[k], args.positions = placed ? positions.on[k] : NULL));
        ls_pair_compare(d, &dst, dst.n, names[op]);
        if (op == LS_POOL_MAX)
            ls_pair_compare(d, &positions, out, names[op]);
        ls_pair_drop(d, &src);
        ls_pair_drop(d, &dst);
    }
    ls_pair_drop(d, &positions);
}

/* ---- What moves ---- */

static void move(struct ls_duel *d)
{
    enum { ROWS = 37, COLUMNS = 53, COUNT = 301 };
    struct ls_pair src = ordered(d, ROWS * COLUMNS), dst = blank(d, LS_FLOAT32, ROWS * COLUMNS);
    struct ls_copy_nd_args turned = {.dtype = LS_FLOAT32,
                                     .rank = 2,
                                     .extent = {COLUMNS, ROWS},
                                     .src_stride = {1, COLUMNS},
                                     .dst_stride = {ROWS, 1}};
    LS_DUEL(d, copy_nd, "copy_nd", &turned, (turned.src = src.on[k], turned.dst = dst.on[k]));
    ls_pair_compare(d, &dst, dst.n, "copy_nd");

    struct ls_pair counted = blank(d, LS_INT32, COUNT);
    struct ls_fill_args fill = {.dtype = LS_INT32, .value = 7, .step = 3, .n = COUNT};
    LS_DUEL(d, fill, "fill", &fill, fill.dst = counted.on[k]);
    ls_pair_compare(d, &counted, COUNT, "fill");

    struct ls_pair indices = ls_pair_make(d, LS_INT32, COUNT, LS_PATTERN_INDEX, 0, ROWS);
    struct ls_pair picked = blank(d, LS_FLOAT32, COUNT * COLUMNS);
    struct ls_gather_args gather = {NULL, NULL, NULL, LS_FLOAT32, 1, ROWS, COLUMNS, COUNT};
    LS_DUEL(d, gather, "gather", &gather,
            (gather.table = src.on[k], gather.indices = indices.on[k], gather.dst = picked.on[k]));
    ls_pair_compare(d, &picked, picked.n, "gather");
    struct ls_scatter_add_args scatter = {NULL, NULL, NULL, 1, ROWS, COLUMNS, COUNT};
    LS_DUEL(d, scatter_add, "scatter_add", &scatter,
            (scatter.dst = src.on[k], scatter.indices = indices.on[k], scatter.updates = picked.on[k]));
    ls_pair_compare(d, &src, src.n, "scatter_add");
    ls_pair_drop(d, &src);
    ls_pair_drop(d, &dst);
    ls_pair_drop(d, &counted);
    ls_pair_drop(d, &indices);
    ls_pair_drop(d, &picked);
}

/* Long walks of one work-item: some drivers end a loop after 65,535 rounds, without a word. */
static void long_walks(struct ls_duel *d)
{
    enum { LONG = 70001, ROWS = 3 };
    gemm(d, 1, 2, 3, LONG, 0, false);
    struct ls_pair src = ordered(d, LONG), dst = blank(d, LS_FLOAT32, LONG), sums = blank(d, LS_FLOAT32, ROWS);
    struct ls_pair indices = ls_pair_make(d, LS_INT32, LONG, LS_PATTERN_INDEX, 0, ROWS);
    struct ls_scan_args scan = {.dtype = LS_FLOAT32, .outer = 1, .r = LONG, .inner = 1};
    LS_DUEL(d, scan, "scan", &scan, (scan.addend = src.on[k], scan.dst = dst.on[k]));
    ls_pair_compare(d, &dst, LONG, "scan");
    struct ls_scatter_add_args scatter = {NULL, NULL, NULL, 1, ROWS, 1, LONG};
    LS_DUEL(d, scatter_add, "scatter_add", &scatter,
            (scatter.dst = sums.on[k], scatter.indices = indices.on[k], scatter.updates = src.on[k]));
    ls_pair_compare(d, &sums, ROWS, "scatter_add");
    ls_pair_drop(d, &src);
    ls_pair_drop(d, &dst);
    ls_pair_drop(d, &sums);
    ls_pair_drop(d, &indices);
}

static void order(struct ls_duel *d)
{
    enum { OUTER = 3, R = 1025, INNER = 2, N = OUTER * R * INNER };
    struct ls_pair factor = ls_pair_make(d, LS_FLOAT32, N, LS_PATTERN_RANGE, 0.5, 1.0), addend = ordered(d, N);
    struct ls_pair dst = blank(d, LS_FLOAT32, N), places = blank(d, LS_INT32, N);
    struct ls_scan_args scan = {.dtype = LS_FLOAT32, .outer = OUTER, .r = R, .inner = INNER};
    for (int form = 0; form < (d->full ? 2 : 1); form++) { /* the recurrence, then sums */
        LS_DUEL(d, scan, "scan", &scan,
                (scan.factor = form ? NULL : factor.on[k], scan.addend = addend.on[k], scan.dst = dst.on[k]));
        ls_pair_compare(d, &dst, N, "scan");
    }
    struct ls_pair ties = ls_pair_make(d, LS_FLOAT32, N, LS_PATTERN_INTEGERS, 0, 0);
    struct ls_sort_args sort = {.dtype = LS_FLOAT32, .outer = OUTER * INNER, .r = R};
    for (int down = 0; down < (d->full ? 2 : 1); down++) {
        sort.descending = down;
        LS_DUEL(d, sort, "sort", &sort, (sort.src = ties.on[k], sort.dst = places.on[k]));
        ls_pair_compare(d, &places, N, "sort");
    }
    ls_pair_drop(d, &factor);
    ls_pair_drop(d, &addend);
    ls_pair_drop(d, &dst);
    ls_pair_drop(d, &places);
    ls_pair_drop(d, &ties);
}

/* Philox4x32-10 of counter 0 and key 0 gives 6627e8d5 e169c58d bc57ac4c 9b00dbd8 (Random123, kat_vectors). */
static void random_numbers(struct ls_duel *d)
{
    static const uint32_t known[] = {0x3ecc4fd0u, 0x3f6169c5u, 0x3f3c57acu, 0x3f1b00dbu}; /* (u >> 8) * 2^-24 */
    enum { N = 4099 };
    struct ls_pair dst = blank(d, LS_FLOAT32, N), step = ls_pair_of(d, LS_INT32, 1, &(int32_t){0});
    struct ls_random_args args = {.kind = LS_RANDOM_UNIFORM, .n = N};
    LS_DUEL(d, random, "random", &args, (args.dst = dst.on[k], args.step = step.on[k]));
    ls_pair_known(d, &dst, 4, known, "random");
    args.seed = 0x123456789abcdefu;
    args.stream = 5;
    for (int kind = 0; kind <= (d->full ? LS_RANDOM_BITS : LS_RANDOM_NORMAL); kind++) {
        args.kind = (enum ls_random_kind)kind;
        LS_DUEL(d, random, "random", &args, (args.dst = dst.on[k], args.step = step.on[k]));
        ls_pair_compare(d, &dst, N, "random");
    }
    ls_pair_drop(d, &dst);
    ls_pair_drop(d, &step);
}

/* Digests of receipts: across the edge of a block, of a pair that n cuts, of nothing, and with -0 as +0. */
static void digest(struct ls_duel *d)
{
    static const int64_t sizes[] = {LS_DIGEST_BLOCK, LS_DIGEST_BLOCK + 1, 70001, 0};
    enum { INPUTS = sizeof sizes / sizeof *sizes + 2 };
    static const uint32_t zeros[2][3] = {{0x3f800000u, 0, 0x3f800000u}, {0x3f800000u, 0x80000000u, 0x3f800000u}};
    struct ls_pair in[INPUTS], dst = blank(d, LS_INT32, 2 * INPUTS);
    struct ls_digest_args args = {.inputs = INPUTS};
    for (int i = 0; i < INPUTS; i++) {
        in[i] = i < 2 ? ls_pair_of(d, LS_FLOAT32, 3, zeros[i]) : ordered(d, sizes[i - 2]);
        args.input[i] = (struct ls_digest_input){NULL, LS_FLOAT32, in[i].n};
    }
    LS_DUEL(d, digest, "digest", &args, {
        for (int i = 0; i < INPUTS; i++)
            args.input[i].buffer = in[i].on[k];
        args.dst = dst.on[k];
    });
    ls_pair_compare(d, &dst, dst.n, "digest");
    for (int i = 0; i < INPUTS; i++)
        ls_pair_drop(d, &in[i]);
    ls_pair_drop(d, &dst);
}

static void softmax(struct ls_duel *d, int64_t outer, int64_t r)
{
    const struct ls_backend *backend = d->device[1]->backend;
    struct ls_pair x = ls_pair_make(d, LS_FLOAT32, outer * r, LS_PATTERN_RANGE, -20, 20);
    struct ls_pair y = blank(d, LS_FLOAT32, outer * r), loss = blank(d, LS_FLOAT32, outer);
    struct ls_pair labels = ls_pair_make(d, LS_INT32, outer, LS_PATTERN_INDEX, 0, (double)r);
    if (backend->softmax) {
        struct ls_softmax_args args = {NULL, NULL, outer, r, false};
        LS_DUEL(d, softmax, "softmax", &args, (args.src = x.on[k], args.dst = y.on[k]));
        ls_pair_compare(d, &y, outer * r, "softmax");
    }
    if (backend->sparse_xent) {
        struct ls_sparse_xent_args args = {.outer = outer, .r = r};
        LS_DUEL(d, sparse_xent, "sparse_xent", &args,
                (args.logits = x.on[k], args.labels = labels.on[k], args.loss = loss.on[k],
                 args.probabilities = y.on[k]));
        ls_pair_compare(d, &y, outer * r, "sparse_xent");
        ls_pair_compare(d, &loss, outer, "sparse_xent");
    }
    ls_pair_drop(d, &x);
    ls_pair_drop(d, &y);
    ls_pair_drop(d, &loss);
    ls_pair_drop(d, &labels);
}

void ls_selftest_prims(struct ls_duel *d)
{
    static const int64_t sizes[] = {1, 63, 64, 65, 4095, 4096, 4097, 70001};
    static const int64_t edges[][3] = {{1, 1, 1}, {7, 9, 33}, {17, 31, 65}, {64, 65, 100}, {5, 6, 1025}};
    static const struct ls_window plane = {2, {1, 7, 6}, {1, 4, 3}, {1, 3, 3}, {1, 2, 2}, {1, 1, 1}, {0, 1, 1}};
    static const struct ls_window overlap = {2, {1, 8, 7}, {1, 7, 6}, {1, 2, 2}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}};
    enum { REPEATS = 20 };

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        reduce(d, LS_REDUCE_SUM, 1, sizes[i], 1);
        if (sizes[i] <= 4097)
            reduce(d, LS_REDUCE_SUM, 2, sizes[i], 3);
    }
    reduce(d, LS_REDUCE_SUM, 257, 10, 1);
    reduce(d, LS_REDUCE_MAX, 3, 4097, 1);
    reduce(d, LS_REDUCE_ARGMAX, 129, 10, 1);
    for (int op = 0; op <= LS_REDUCE_ARGMIN && d->full; op++) {
        reduce(d, (enum ls_reduce_op)op, 3, 4097, 1);
        reduce(d, (enum ls_reduce_op)op, 2, 1025, 7);
    }
    for (int form = 0; form < 4; form++)
        for (size_t i = 0; i < sizeof edges / sizeof *edges; i++)
            gemm(d, 1, edges[i][0], edges[i][1], edges[i][2], form, false);
    gemm(d, 3, 9, 10, 11, 0, true);
    gemm(d, 1, 130, 70, 784, 0, true);
    filling(d);
    for (int pass = 0; pass <= LS_CONV_KERNEL; pass++) {
        conv(d, (enum ls_conv_pass)pass, &plane, 1, 3, 5);
        if (d->full) {
            conv(d, (enum ls_conv_pass)pass, &plane, 2, 3, 4);
            conv(d, (enum ls_conv_pass)pass, &overlap, 6, 1, 1);
        }
    }
    pool(d, &overlap, 3);
    move(d);
    order(d);
    long_walks(d);
    random_numbers(d);
    digest(d);
    softmax(d, 33, 10);
    softmax(d, 3, 130);

    d->subnormal = true;
    reduce(d, LS_REDUCE_SUM, 3, 130, 1);
    reduce(d, LS_REDUCE_SUM, 2, 70, 3);
    gemm(d, 1, 7, 9, 33, 0, false);
    d->subnormal = false;

    uint64_t random = d->random; /* the same twenty times */
    for (int i = 0; i < REPEATS; i++) {
        d->random = random;
        reduce(d, LS_REDUCE_SUM, 1, 70001, 1);
        gemm(d, 1, 64, 65, 100, 0, false);
    }
}
