/* SPDX-License-Identifier: Apache-2.0
 *
 * The primitives that multiply and add, and the windows that conv and pool share.
 */
#include <stdio.h>

#include "duel.h"

static void product(struct duel *d, int64_t batch, int64_t m, int64_t n, int64_t k_size, int transposes, enum duel_data data,
                    uint16_t activation, bool bias, bool share_b)
{
    char name[128];
    snprintf(name, sizeof name, "gemm %lldx %lldx%lldx%lld %c%c data=%d act=%d bias=%d share=%d", (long long)batch,
             (long long)m, (long long)n, (long long)k_size, transposes & 1 ? 'T' : 'N', transposes & 2 ? 'T' : 'N', data,
             activation, bias, share_b);
    struct duel_array a = duel_floats(d, batch * m * k_size, data), b = duel_floats(d, (share_b ? 1 : batch) * k_size * n, data);
    struct duel_array c = duel_floats(d, batch * m * n, PLAIN), v = duel_floats(d, n, data);
    struct ls_gemm_args args = {.batch = batch,
                                .m = m,
                                .n = n,
                                .k = k_size,
                                .stride_a = m * k_size,
                                .stride_b = share_b ? 0 : k_size * n,
                                .trans_a = transposes & 1,
                                .trans_b = transposes & 2,
                                .activation = activation};
    DUEL(gemm, name, (args.a = a.on[k], args.b = b.on[k], args.c = c.on[k], args.bias = bias ? v.on[k] : NULL));
    duel_compare(d, &c, LS_FLOAT32, batch * m * n, name);
    duel_drop(d, &a);
    duel_drop(d, &b);
    duel_drop(d, &c);
    duel_drop(d, &v);
}

void duel_products(struct duel *d)
{
    static const int64_t edge[] = {1, 2, 7, 8, 9, 15, 17, 31, 33, 64, 65, 100};
    static const uint16_t none = LS_ROW_NONE;
    for (int t = 0; t < 4; t++) {
        for (int i = 0; i < 30; i++) {
            int64_t m = edge[suite_below(d->s, 12)], n = edge[suite_below(d->s, 12)], k = edge[suite_below(d->s, 12)];
            if (duel_affordable(d, m * n * k / 8))
                product(d, 1, m, n, k, t, i % 4 == 3 ? INTEGERS : ORDER, none, false, false);
        }
        product(d, 1, 3, 5, 0, t, PLAIN, none, true, false);
        product(d, 1, 3, 5, 1, t, PLAIN, none, false, false);
        if (!d->s->kind.flushes)
            product(d, 1, 2, 3, 33, t, SPECIAL, none, false, false);
        product(d, 3, 4, 5, 6, t, ORDER, none, true, false);
        product(d, 3, 4, 5, 6, t, ORDER, LS_ROW_relu, true, true);
        product(d, 1, 9, 10, 11, t, ORDER, LS_ROW_relu, true, false);
        product(d, 1, 9, 10, 11, t, PLAIN, LS_ROW_sigmoid, false, false);
        product(d, 2, 9, 10, 11, t, PLAIN, LS_ROW_tanh, true, false);
        /* Blocks of the chain. */
        for (int64_t k = 1023; k <= 1025 && duel_affordable(d, 1025); k++)
            product(d, 1, 5, 6, k, t, ORDER, none, true, false);
        if (duel_affordable(d, 60000)) {
            product(d, 1, 17, 33, 2049, t, ORDER, LS_ROW_relu, true, false);
            product(d, 1, 1, 130, 300, t, ORDER, none, false, false);
            product(d, 1, 130, 1, 300, t, ORDER, none, false, false);
        }
        if (duel_affordable(d, 1 << 18)) {
            product(d, 1, 128, 256, 784, t, ORDER, LS_ROW_relu, true, false);
            product(d, 1, 784, 256, 128, t, ORDER, none, false, false);
            product(d, 1, 301, 203, 1500, t, ORDER, none, false, false);
        }
    }
}

/* A window of random sizes; one in four is one- or two-dimensional. */
static struct ls_window window(struct duel *d, int64_t most)
{
    struct ls_window w = {.batch = 1 + suite_below(d->s, 3)};
    int unused = suite_below(d->s, 4) ? 1 : (int)suite_below(d->s, 3);
    for (int i = 0; i < LS_SPATIAL; i++) {
        bool used = i >= unused;
        w.size[i] = used ? 1 + suite_below(d->s, 4) : 1;
        w.stride[i] = used ? 1 + suite_below(d->s, 3) : 1;
        w.dilation[i] = used ? 1 + suite_below(d->s, 2) : 1;
        int64_t span = (w.size[i] - 1) * w.dilation[i] + 1;
        w.before[i] = suite_below(d->s, span);
        w.in[i] = used ? span + suite_below(d->s, most) : 1;
        int64_t whole = w.in[i] + w.before[i] + suite_below(d->s, span - w.before[i]);
        w.out[i] = (whole - span) / w.stride[i] + 1;
    }
    return w;
}

static int64_t volume(const int64_t *sizes) { return sizes[0] * sizes[1] * sizes[2]; }

static void convolve(struct duel *d, const struct ls_window *w, int64_t groups, int64_t channels, int64_t filters,
                     enum duel_data data, uint16_t activation, bool bias)
{
    int64_t in = w->batch * volume(w->in) * groups * channels, out = w->batch * volume(w->out) * groups * filters;
    int64_t kernels = volume(w->size) * channels * groups * filters;
    static const char *const passes[] = {"forward", "input", "kernel"};
    for (int pass = LS_CONV_FORWARD; pass <= LS_CONV_KERNEL; pass++) {
        char name[192];
        bool epilogue = pass != LS_CONV_KERNEL;
        snprintf(name, sizeof name, "conv/%s %lldx (%lld, %lld, %lld) by (%lld, %lld, %lld) / (%lld, %lld, %lld), %lld x (%lld -> %lld) data=%d act=%d bias=%d",
                 passes[pass], (long long)w->batch, (long long)w->in[0], (long long)w->in[1], (long long)w->in[2],
                 (long long)w->size[0], (long long)w->size[1], (long long)w->size[2], (long long)w->stride[0],
                 (long long)w->stride[1], (long long)w->stride[2], (long long)groups, (long long)channels,
                 (long long)filters, data, activation, bias);
        struct duel_array x = duel_floats(d, in, data), y = duel_floats(d, out, data), f = duel_floats(d, kernels, data);
        struct duel_array v = duel_floats(d, groups * (pass == LS_CONV_INPUT ? channels : filters), data);
        struct ls_conv_args args = {.pass = (enum ls_conv_pass)pass, .window = *w, .groups = groups, .channels = channels,
                                    .filters = filters, .activation = epilogue ? activation : (uint16_t)LS_ROW_NONE};
        DUEL(conv, name, (args.input = x.on[k], args.kernel = f.on[k], args.output = y.on[k],
                          args.bias = bias && epilogue ? v.on[k] : NULL));
        struct duel_array *result = pass == LS_CONV_FORWARD ? &y : pass == LS_CONV_INPUT ? &x : &f;
        duel_compare(d, result, LS_FLOAT32, result->n, name);
        duel_drop(d, &x);
        duel_drop(d, &y);
        duel_drop(d, &f);
        duel_drop(d, &v);
    }
}

void duel_convolutions(struct duel *d)
{
    static const int64_t few[] = {1, 2, 3, 5, 8, 16, 17, 33};
    static const uint16_t none = LS_ROW_NONE;
    for (int trial = 0; trial < 60; trial++) {
        struct ls_window w = window(d, 6);
        int64_t groups = trial % 4 ? 1 : 1 + suite_below(d->s, 3), c = few[suite_below(d->s, 8)], f = few[suite_below(d->s, 8)];
        int64_t work = w.batch * volume(w.out) * volume(w.size) * c * f * groups;
        if (duel_affordable(d, work / 2) && work < 4000000)
            convolve(d, &w, groups, c, f, trial % 8 == 5 ? INTEGERS : ORDER, trial % 3 ? none : (uint16_t)LS_ROW_relu, trial % 2);
    }
    for (int trial = 0; trial < 12; trial++) {
        struct ls_window w = window(d, 6);
        int64_t groups = 1 + suite_below(d->s, 70);
        if (duel_affordable(d, w.batch * volume(w.out) * volume(w.size) * groups))
            convolve(d, &w, groups, 1, 1 + trial % 3 / 2, ORDER, trial % 2 ? none : (uint16_t)LS_ROW_relu, trial % 3 == 0);
    }
    struct ls_window layer = {2, {1, 14, 14}, {1, 14, 14}, {1, 3, 3}, {1, 1, 1}, {1, 1, 1}, {0, 1, 1}};
    if (duel_affordable(d, 1 << 18)) {
        convolve(d, &layer, 1, 32, 64, ORDER, none, false);
        layer.batch = 11; /* 2156 windows: three blocks of the kernel gradient's chain */
        convolve(d, &layer, 1, 3, 40, ORDER, (uint16_t)LS_ROW_tanh, true);
        layer.batch = 1; /* 1170 and 2250 terms: two and three blocks of the others */
        convolve(d, &layer, 1, 130, 250, ORDER, none, true);
    }
    if (!d->s->kind.flushes) {
        struct ls_window small = {1, {1, 4, 3}, {1, 3, 3}, {1, 2, 2}, {1, 1, 1}, {1, 1, 1}, {0, 0, 1}};
        convolve(d, &small, 1, 3, 2, SPECIAL, none, false);
    }
}

void duel_pool(struct duel *d, enum duel_data data)
{
    static const char *const names[] = {"max", "average", "take", "spread_max", "spread_average"};
    struct ls_window w = window(d, 5);
    int64_t channels = 1 + suite_below(d->s, 20), in = w.batch * volume(w.in) * channels, out = w.batch * volume(w.out) * channels;
    for (int i = 0; i < LS_SPATIAL; i++) /* every window of a dilated one has a cell inside only without padding */
        if (w.dilation[i] > 1) {
            w.before[i] = 0;
            w.out[i] = (w.in[i] - (w.size[i] - 1) * w.dilation[i] - 1) / w.stride[i] + 1;
        }
    out = w.batch * volume(w.out) * channels;
    if (!duel_affordable(d, (in + out) * volume(w.size)))
        return;
    struct duel_array x = duel_floats(d, in, data), y = duel_floats(d, out, data), dx = duel_floats(d, in, data);
    struct duel_array positions = duel_make(d, LS_INT32, out, PLAIN, 0, 0);
    for (int op = LS_POOL_MAX; op <= LS_POOL_SPREAD_AVERAGE; op++) {
        char name[160];
        bool back = op >= LS_POOL_SPREAD_MAX;
        snprintf(name, sizeof name, "pool/%s %lldx (%lld, %lld, %lld) by (%lld, %lld, %lld) / (%lld, %lld, %lld), %lld channels data=%d",
                 names[op], (long long)w.batch, (long long)w.in[0], (long long)w.in[1], (long long)w.in[2],
                 (long long)w.size[0], (long long)w.size[1], (long long)w.size[2], (long long)w.stride[0],
                 (long long)w.stride[1], (long long)w.stride[2], (long long)channels, data);
        struct ls_pool_args args = {.op = (enum ls_pool_op)op, .window = w, .channels = channels};
        DUEL(pool, name, (args.src = back ? y.on[k] : x.on[k], args.dst = back ? dx.on[k] : y.on[k],
                          args.positions = positions.on[k]));
        duel_compare(d, back ? &dx : &y, LS_FLOAT32, back ? in : out, name);
        if (op == LS_POOL_MAX) {
            duel_compare(d, &positions, LS_INT32, out, name);
            DUEL(pool, name, (args.src = x.on[k], args.dst = y.on[k], args.positions = NULL));
            duel_compare(d, &y, LS_FLOAT32, out, name);
        }
    }
    duel_drop(d, &x);
    duel_drop(d, &y);
    duel_drop(d, &dx);
    duel_drop(d, &positions);
}
