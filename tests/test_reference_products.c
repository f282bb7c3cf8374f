/* SPDX-License-Identifier: Apache-2.0
 *
 * The reference backend against canon.md: gemm, conv, pool, softmax, cross-entropy and random.
 */
#include "reference_check.h"

/* The activations that the test asks for. */
static float activate(uint16_t row, float x)
{
    return row == LS_ROW_relu ? (x > 0.0f ? x : 0.0f) : row == LS_ROW_tanh ? canon_tanh(x) : x;
}

static void gemm_one(struct ls_gemm_args args, bool shared_b, bool with_bias)
{
    char what[128];
    int64_t m = args.m, n = args.n, k = args.k, batch = args.batch;
    args.stride_a = m * k;
    args.stride_b = shared_b ? 0 : k * n;
    int64_t b_size = shared_b ? k * n : batch * k * n;
    float *a = draw_floats(batch * m * k), *b = draw_floats(b_size), *bias = draw_floats(n);
    float *want = malloc((size_t)(batch * m * n) * sizeof *want);
    for (int64_t i = 0; i < batch * m * n; i++) {
        const float *a_i = a + i / (m * n) * args.stride_a, *b_i = b + i / (m * n) * args.stride_b;
        int64_t row = i / n % m, column = i % n;
        float total = 0.0f;
        for (int64_t first = 0; first < k; first += LS_CHAIN_BLOCK) {
            float sum = 0.0f;
            for (int64_t p = first; p < k && p < first + LS_CHAIN_BLOCK; p++) {
                sum = fmaf(a_i[args.trans_a ? p * m + row : row * k + p],
                           b_i[args.trans_b ? column * k + p : p * n + column], sum);
            }
            total = first ? total + sum : sum;
        }
        total = with_bias ? total + bias[column] : total;
        want[i] = activate(args.activation, total);
    }
    snprintf(what, sizeof what, "gemm %lld x (%lld, %lld, %lld)%s%s, bias %d, row %d",
             (long long)batch, (long long)m, (long long)n, (long long)k, args.trans_a ? " A^T" : "",
             args.trans_b ? " B^T" : "", with_bias, args.activation);
    for (int d = 0; d < device_count; d++) {
        args.a = upload(devices[d], a, batch * m * k * 4);
        args.b = upload(devices[d], b, b_size * 4);
        args.bias = with_bias ? upload(devices[d], bias, n * 4) : NULL;
        args.c = upload(devices[d], NULL, batch * m * n * 4);
        expect(ls_reference_backend.gemm(devices[d], &args) == LS_OK, "gemm returns LS_OK");
        check(devices[d], args.c, LS_FLOAT32, want, batch * m * n, what);
        release(devices[d], args.a);
        release(devices[d], args.b);
        if (args.bias) {
            release(devices[d], args.bias);
        }
    }
    free(a);
    free(b);
    free(bias);
    free(want);
}

static void test_gemm(int count)
{
    static const int64_t sizes[] = {1,  2,  3,  5,  6,  7,  8,  10, 11, 12, 13, 14, 15, 16, 17,
                                    23, 31, 32, 33, 47, 48, 49, 63, 64, 65, 95, 96, 97, 130, 200};
    static const int64_t depths[] = {0, 1, 2, 3, 10, 63, 64, 65, 128, 300, 1023, 1024, 1025, 2049};
    static const uint16_t activations[] = {LS_ROW_NONE, LS_ROW_NONE, LS_ROW_relu, LS_ROW_tanh};
    for (int t = 0; t < count; t++) {
        struct ls_gemm_args args = {
            .batch = t % 5 == 0 ? 1 + draw_below(5) : 1,
            .m = sizes[draw_below(30)],
            .n = sizes[draw_below(30)],
            .k = depths[draw_below(14)],
            .trans_a = t & 1,
            .trans_b = t >> 1 & 1,
            .activation = activations[draw_below(4)],
        };
        while (args.batch * args.m * args.n * args.k > 2000000) {
            args.k /= 3;
        }
        bool shared_b = draw() % 2, with_bias = draw() % 2;
        gemm_one(args, shared_b, with_bias);
    }
    for (int t = 0; t < 4; t++) {
        bool trans_a = t & 1, trans_b = t >> 1;
        gemm_one((struct ls_gemm_args){.batch = 1, .m = 128, .n = 256, .k = 784, .trans_a = trans_a,
                                       .trans_b = trans_b, .activation = LS_ROW_relu}, false, true);
        gemm_one((struct ls_gemm_args){.batch = 1, .m = 131, .n = 67, .k = 2500, .trans_a = trans_a,
                                       .trans_b = trans_b, .activation = LS_ROW_NONE}, false, false);
        gemm_one((struct ls_gemm_args){.batch = 1, .m = 1, .n = 1000, .k = 1100, .trans_a = trans_a,
                                       .trans_b = trans_b, .activation = LS_ROW_NONE}, false, true);
        gemm_one((struct ls_gemm_args){.batch = 1, .m = 1000, .n = 1, .k = 1100, .trans_a = trans_a,
                                       .trans_b = trans_b, .activation = LS_ROW_NONE}, false, true);
        gemm_one((struct ls_gemm_args){.batch = 1, .m = 700, .n = 900, .k = 5, .trans_a = trans_a,
                                       .trans_b = trans_b, .activation = LS_ROW_NONE}, false, true);
    }
}

/* ---- conv and pool ---- */

/* Where output position o and window position j meet in dimension d, or -1. */
static int64_t meet(const struct ls_window *w, int d, int64_t o, int64_t j)
{
    int64_t i = o * w->stride[d] - w->before[d] + j * w->dilation[d];
    return i >= 0 && i < w->in[d] ? i : -1;
}

static int64_t volume(const int64_t *sizes) { return sizes[0] * sizes[1] * sizes[2]; }

static void place(int64_t index, const int64_t *sizes, int64_t *x)
{
    for (int d = LS_SPATIAL; d-- > 0; index /= sizes[d]) {
        x[d] = index % sizes[d];
    }
}

/* Input pixel that window o of an image meets at position j, or -1; row-major indices. */
static int64_t pixel_at(const struct ls_window *w, int64_t o, int64_t j)
{
    int64_t os[LS_SPATIAL], js[LS_SPATIAL], at = 0;
    place(o, w->out, os);
    place(j, w->size, js);
    for (int d = 0; d < LS_SPATIAL; d++) {
        int64_t i = meet(w, d, os[d], js[d]);
        if (i < 0) {
            return -1;
        }
        at = at * w->in[d] + i;
    }
    return at;
}

/* The output pixel whose window meets input pixel i at position j, or -1: by looking at all. */
static int64_t window_of(const struct ls_window *w, int64_t i, int64_t j)
{
    for (int64_t o = 0; o < volume(w->out); o++) {
        if (pixel_at(w, o, j) == i) {
            return o;
        }
    }
    return -1;
}

struct chain {
    int64_t terms;
    float total, sum;
};

static void chain_add(struct chain *c, float a, float b)
{
    if (c->terms % LS_CHAIN_BLOCK == 0 && c->terms > 0) {
        c->total = c->terms == LS_CHAIN_BLOCK ? c->sum : c->total + c->sum;
        c->sum = 0.0f;
    }
    c->sum = fmaf(a, b, c->sum);
    c->terms++;
}

static float chain_end(const struct chain *c)
{
    return c->terms > LS_CHAIN_BLOCK ? c->total + c->sum : c->sum;
}

static void conv_one(struct ls_conv_args args, bool with_bias)
{
    const struct ls_window *w = &args.window;
    char what[160];
    int64_t ins = volume(w->in), outs = volume(w->out), positions = volume(w->size);
    int64_t all_c = args.groups * args.channels, all_f = args.groups * args.filters;
    int64_t sizes[3] = {w->batch * ins * all_c, positions * args.channels * all_f, w->batch * outs * all_f};
    float *x = draw_floats(sizes[0]), *kernel = draw_floats(sizes[1]), *y = draw_floats(sizes[2]);
    float *bias = draw_floats(args.pass == LS_CONV_INPUT ? all_c : all_f);
    int result = args.pass == LS_CONV_FORWARD ? 2 : args.pass == LS_CONV_INPUT ? 0 : 1;
    float *want = malloc((size_t)sizes[result] * sizeof *want + 1);
    with_bias = with_bias && args.pass != LS_CONV_KERNEL;
    for (int64_t at = 0; at < sizes[result]; at++) {
        struct chain chain = {0};
        int64_t column = at % (result == 0 ? all_c : all_f), row = at / (result == 0 ? all_c : all_f);
        int64_t g = column / (result == 0 ? args.channels : args.filters);
        if (args.pass == LS_CONV_FORWARD) {
            for (int64_t k = 0; k < positions * args.channels; k++) {
                int64_t i = pixel_at(w, row % outs, k / args.channels), c = g * args.channels + k % args.channels;
                chain_add(&chain, i < 0 ? 0.0f : x[(row / outs * ins + i) * all_c + c], kernel[k * all_f + column]);
            }
        } else if (args.pass == LS_CONV_INPUT) {
            for (int64_t k = 0; k < positions * args.filters; k++) {
                int64_t j = k / args.filters, f = g * args.filters + k % args.filters;
                int64_t o = window_of(w, row % ins, j), c = column % args.channels;
                chain_add(&chain, o < 0 ? 0.0f : y[(row / ins * outs + o) * all_f + f],
                          kernel[(j * args.channels + c) * all_f + f]);
            }
        } else {
            int64_t j = row / args.channels, c = g * args.channels + row % args.channels;
            for (int64_t k = 0; k < w->batch * outs; k++) {
                int64_t i = pixel_at(w, k % outs, j);
                chain_add(&chain, i < 0 ? 0.0f : x[(k / outs * ins + i) * all_c + c], y[k * all_f + column]);
            }
        }
        float total = chain_end(&chain);
        want[at] = activate(args.activation, with_bias ? total + bias[column] : total);
    }
    snprintf(what, sizeof what, "conv pass %d, %lld x (%lld, %lld, %lld) by (%lld, %lld, %lld), %lld x (%lld, %lld)",
             args.pass, (long long)w->batch, (long long)w->in[0], (long long)w->in[1], (long long)w->in[2],
             (long long)w->size[0], (long long)w->size[1], (long long)w->size[2], (long long)args.groups,
             (long long)args.channels, (long long)args.filters);
    for (int d = 0; d < device_count; d++) {
        struct ls_buffer *factor[3] = {upload(devices[d], result == 0 ? NULL : x, sizes[0] * 4),
                                       upload(devices[d], result == 1 ? NULL : kernel, sizes[1] * 4),
                                       upload(devices[d], result == 2 ? NULL : y, sizes[2] * 4)};
        args.input = factor[0];
        args.kernel = factor[1];
        args.output = factor[2];
        args.bias = with_bias ? upload(devices[d], bias, (result == 0 ? all_c : all_f) * 4) : NULL;
        expect(ls_reference_backend.conv(devices[d], &args) == LS_OK, "conv returns LS_OK");
        check(devices[d], factor[result], LS_FLOAT32, want, sizes[result], what);
        for (int i = 0; i < 3; i++) {
            if (i != result) {
                release(devices[d], factor[i]);
            }
        }
        if (args.bias) {
            release(devices[d], args.bias);
        }
    }
    free(x);
    free(kernel);
    free(y);
    free(bias);
    free(want);
}

static struct ls_window draw_window(int unused, int64_t most)
{
    struct ls_window w = {.batch = 1 + draw_below(3)};
    for (int d = 0; d < LS_SPATIAL; d++) {
        bool used = d >= unused;
        w.size[d] = used ? 1 + draw_below(3) : 1;
        w.stride[d] = used ? 1 + draw_below(3) : 1;
        w.dilation[d] = used ? 1 + draw_below(2) : 1;
        int64_t span = (w.size[d] - 1) * w.dilation[d] + 1;
        w.before[d] = draw_below(span);
        w.in[d] = used ? span + draw_below(most) : 1;
        w.out[d] = (w.in[d] + w.before[d] + draw_below(span - w.before[d]) - span) / w.stride[d] + 1;
    }
    return w;
}

static void test_conv(int count)
{
    static const int64_t few[] = {1, 2, 3, 7, 16, 17, 33, 40};
    for (int t = 0; t < count; t++) {
        struct ls_conv_args args = {.pass = (enum ls_conv_pass)(t % 3), .window = draw_window(t / 3 % 3, 5),
                                    .groups = t % 4 ? 1 : 1 + draw_below(3), .channels = few[draw_below(8)],
                                    .filters = few[draw_below(8)],
                                    .activation = t % 3 == 2 || t % 2 ? LS_ROW_NONE : LS_ROW_relu};
        while (volume(args.window.out) * volume(args.window.size) * args.channels * args.filters > 200000) {
            args.channels = (args.channels + 1) / 2;
            args.filters = (args.filters + 1) / 2;
            args.window.batch = 1;
            if (args.channels == 1 && args.filters == 1) {
                break;
            }
        }
        conv_one(args, t % 5 < 2);
    }
    for (int t = 0; t < 24; t++) {
        conv_one((struct ls_conv_args){(enum ls_conv_pass)(t % 3), draw_window(t / 3 % 3, 4), 1 + draw_below(70), 1, 1,
                                       .activation = LS_ROW_NONE}, t % 2);
    }
    /* Several blocks of the chain. */
    struct ls_window deep = {1, {1, 3, 3}, {1, 3, 3}, {1, 3, 3}, {1, 1, 1}, {1, 1, 1}, {0, 1, 1}};
    struct ls_window wide = {3, {1, 25, 30}, {1, 25, 30}, {1, 2, 2}, {1, 1, 1}, {1, 1, 1}, {0, 1, 0}};
    conv_one((struct ls_conv_args){LS_CONV_FORWARD, deep, 1, 250, 35, .activation = LS_ROW_NONE}, true);
    conv_one((struct ls_conv_args){LS_CONV_INPUT, deep, 1, 35, 250, .activation = LS_ROW_tanh}, true);
    conv_one((struct ls_conv_args){LS_CONV_KERNEL, wide, 1, 3, 5, .activation = LS_ROW_NONE}, false);
    conv_one((struct ls_conv_args){LS_CONV_KERNEL, wide, 5, 1, 1, .activation = LS_ROW_NONE}, false);
    /* More columns than are packed at a time. */
    conv_one((struct ls_conv_args){LS_CONV_FORWARD, deep, 1, 120, 150, .activation = LS_ROW_NONE}, false);
}

static void pool_one(struct ls_window w, int64_t channels)
{
    int64_t ins = volume(w.in), outs = volume(w.out), positions = volume(w.size);
    int64_t in = w.batch * ins * channels, out = w.batch * outs * channels;
    float *x = draw_floats(in), *y = draw_floats(out);
    float *max = calloc((size_t)out, 4), *average = calloc((size_t)out, 4), *take = calloc((size_t)out, 4);
    float *count = calloc((size_t)out, 4), *spread_max = calloc((size_t)in, 4), *spread = calloc((size_t)in, 4);
    int32_t *best = malloc((size_t)out * 4);
    for (int64_t o = 0; o < out; o++) {
        best[o] = -1;
        for (int64_t j = 0; j < positions; j++) {
            int64_t i = pixel_at(&w, o / channels % outs, j);
            float value = i < 0 ? 0.0f : x[(o / channels / outs * ins + i) * channels + o % channels];
            if (i < 0) {
                continue;
            }
            if (best[o] < 0 || value > max[o]) {
                best[o] = (int32_t)j;
                max[o] = value;
            }
            average[o] = average[o] + value;
            count[o] = count[o] + 1.0f;
        }
        average[o] = average[o] / count[o];
        take[o] = max[o];
    }
    /* Outputs one by one, each to where it came from. */
    for (int64_t o = 0; o < out; o++) {
        for (int64_t j = 0; j < positions; j++) {
            int64_t i = pixel_at(&w, o / channels % outs, j);
            if (i >= 0) {
                int64_t at = (o / channels / outs * ins + i) * channels + o % channels;
                spread[at] = spread[at] + y[o] / count[o];
                spread_max[at] = best[o] == j ? spread_max[at] + y[o] : spread_max[at];
            }
        }
    }
    const void *want[] = {max, average, take, spread_max, spread};
    for (int d = 0; d < device_count; d++) {
        struct ls_buffer *named = upload(devices[d], best, out * 4);
        for (int op = LS_POOL_MAX; op <= LS_POOL_SPREAD_AVERAGE; op++) {
            bool back = op >= LS_POOL_SPREAD_MAX;
            struct ls_pool_args args = {.op = (enum ls_pool_op)op, .window = w, .channels = channels};
            args.src = upload(devices[d], back ? y : x, (back ? out : in) * 4);
            args.dst = upload(devices[d], NULL, (back ? in : out) * 4);
            args.positions = op == LS_POOL_MAX ? upload(devices[d], NULL, out * 4) : named;
            expect(ls_reference_backend.pool(devices[d], &args) == LS_OK, "pool returns LS_OK");
            check(devices[d], args.dst, LS_FLOAT32, want[op], back ? in : out, "pool");
            if (op == LS_POOL_MAX) {
                check(devices[d], args.positions, LS_INT32, best, out, "positions of pool");
            }
            release(devices[d], args.src);
        }
        release(devices[d], named);
    }
    void *all[] = {x, y, max, average, take, count, spread_max, spread, best};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        free(all[i]);
    }
}

static void test_pool(int count)
{
    for (int t = 0; t < count; t++) {
        struct ls_window w = draw_window(t % 3, 5);
        for (int d = 0; d < LS_SPATIAL; d++) { /* every window has a cell inside */
            w.dilation[d] = 1;
            w.before[d] = w.before[d] < w.size[d] ? w.before[d] : 0;
            w.out[d] = (w.in[d] + w.before[d] - w.size[d]) / w.stride[d] + 1;
        }
        pool_one(w, 1 + draw_below(t % 2 ? 4 : 40));
    }
}

/* ---- softmax and cross-entropy ---- */

static void softmax_one(int64_t outer, int64_t r)
{
    int64_t n = outer * r;
    float *x = draw_floats(n), *e = malloc((size_t)r * sizeof *e);
    float *soft = malloc((size_t)n * sizeof *soft), *log_soft = malloc((size_t)n * sizeof *soft);
    float *loss = malloc((size_t)outer * sizeof *loss);
    int32_t *labels = draw_ints(outer, outer % 2 ? 0 : -1, outer % 2 ? r : r + 1);
    for (int64_t o = 0; o < outer; o++) {
        const float *row = x + o * r;
        float m = row[position(LS_REDUCE_MAX, row, r, 1)];
        for (int64_t i = 0; i < r; i++) {
            e[i] = soft[o * r + i] = canon_exp(row[i] - m);
        }
        float sum = reduce_lanes(LS_REDUCE_SUM, e, r);
        for (int64_t i = 0; i < r; i++) {
            soft[o * r + i] = soft[o * r + i] / sum;
            log_soft[o * r + i] = (row[i] - m) - canon_log(sum);
        }
        bool inside = labels[o] >= 0 && labels[o] < r;
        loss[o] = inside ? canon_log(sum) - (row[labels[o]] - m) : 0.0f;
    }
    for (int d = 0; d < device_count; d++) {
        struct ls_buffer *logits = upload(devices[d], x, n * 4);
        struct ls_softmax_args softmax = {logits, upload(devices[d], NULL, n * 4), outer, r, false};
        ls_reference_backend.softmax(devices[d], &softmax);
        check(devices[d], softmax.dst, LS_FLOAT32, soft, n, "softmax");
        softmax = (struct ls_softmax_args){logits, upload(devices[d], NULL, n * 4), outer, r, true};
        ls_reference_backend.softmax(devices[d], &softmax);
        check(devices[d], softmax.dst, LS_FLOAT32, log_soft, n, "log_softmax");
        for (int with = 0; with < 2; with++) {
            struct ls_sparse_xent_args xent = {
                logits, upload(devices[d], labels, outer * 4), upload(devices[d], NULL, outer * 4),
                with ? upload(devices[d], NULL, n * 4) : NULL, outer, r};
            ls_reference_backend.sparse_xent(devices[d], &xent);
            check(devices[d], xent.loss, LS_FLOAT32, loss, outer, "sparse_xent");
            if (with) {
                check(devices[d], xent.probabilities, LS_FLOAT32, soft, n, "its probabilities");
            }
            check_fault(devices[d], LS_FAULT_SPARSE_XENT, labels, outer, r);
            release(devices[d], xent.labels);
        }
        release(devices[d], logits);
    }
    free(x);
    free(e);
    free(soft);
    free(log_soft);
    free(loss);
    free(labels);
}

static void test_softmax(void)
{
    for (int e = 0; e < EDGES; e++) {
        softmax_one(1, edges[e]);
        softmax_one(edges[e] > 5000 ? 3 : 20, edges[e]);
    }
    softmax_one(1000, 10);
    softmax_one(4097, 3);
    softmax_one(300, 257);
}

/* ---- random ---- */

/* Philox as its paper writes it; known answers of the authors' test vectors check it. */
static void philox(uint32_t c[4], uint32_t key0, uint32_t key1)
{
    for (int round = 0; round < 10; round++) {
        uint64_t first = (uint64_t)0xd2511f53u * c[0], second = (uint64_t)0xcd9e8d57u * c[2];
        uint32_t x = (uint32_t)(second >> 32) ^ c[1] ^ key0;
        uint32_t z = (uint32_t)(first >> 32) ^ c[3] ^ key1;
        c[0] = x;
        c[1] = (uint32_t)second;
        c[2] = z;
        c[3] = (uint32_t)first;
        key0 += 0x9e3779b9u;
        key1 += 0xbb67ae85u;
    }
}

static void random_one(enum ls_random_kind kind, int64_t n)
{
    uint64_t seed = (uint64_t)draw() << 32 | draw();
    uint32_t stream = draw(), *want = malloc((size_t)(n + 4) * 4);
    int32_t step = (int32_t)draw();
    for (int64_t i = 0; i < n; i += 4) {
        uint32_t c[4] = {(uint32_t)(i / 4), stream, (uint32_t)step, 0};
        philox(c, (uint32_t)seed, (uint32_t)(seed >> 32));
        canon_float4 normal = canon_normal4((canon_uint4){c[0], c[1], c[2], c[3]});
        float normals[4] = {normal.x, normal.y, normal.z, normal.w};
        for (int j = 0; j < 4; j++) {
            want[i + j] = kind == LS_RANDOM_BITS      ? c[j]
                          : kind == LS_RANDOM_UNIFORM ? LS_BITS((float)(c[j] >> 8) * 0x1p-24f)
                                                      : LS_BITS(normals[j]);
        }
    }
    for (int d = 0; d < device_count; d++) {
        struct ls_random_args args = {.kind = kind, .seed = seed, .stream = stream, .n = n};
        args.dst = upload(devices[d], NULL, n * 4);
        args.step = upload(devices[d], &step, 4);
        ls_reference_backend.random(devices[d], &args);
        check(devices[d], args.dst, kind == LS_RANDOM_BITS ? LS_INT32 : LS_FLOAT32, want, n,
              "random");
        release(devices[d], args.step);
    }
    free(want);
}

static void test_random(void)
{
    uint32_t zeros[4] = {0}, ones[4] = {~0u, ~0u, ~0u, ~0u};
    philox(zeros, 0, 0);
    philox(ones, ~0u, ~0u);
    expect(zeros[0] == 0x6627e8d5u && zeros[1] == 0xe169c58du, "Philox of zeros");
    expect(ones[0] == 0x408f276du && ones[1] == 0x41c83b0eu, "Philox of ones");
    for (int e = 0; e < EDGES; e++) {
        for (int kind = LS_RANDOM_UNIFORM; kind <= LS_RANDOM_BITS; kind++) {
            random_one((enum ls_random_kind)kind, edges[e]);
        }
    }
}

int main(void)
{
    if (!open_devices()) {
        return 1;
    }
    test_gemm(400);
    test_conv(150);
    test_pool(60);
    test_softmax();
    test_random();
    return finish();
}
