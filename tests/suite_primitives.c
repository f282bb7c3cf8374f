/* SPDX-License-Identifier: Apache-2.0
 *
 * Every primitive, called directly on the device and on the reference with the same arguments, and
 * their results compared by bits. Sizes stand at the edges of blocks, lanes and tiles; data reveals
 * the order of a sum, a product that was rounded before it was added, a flushed subnormal, a tail.
 */
#include <stdlib.h>
#include <string.h>

#include "suite.h"

/* What elements are like. */
enum data { PLAIN, INTEGERS, ORDER, SPECIAL, DATA_KINDS };

struct duel {
    struct suite *s;
    struct ls_device *device[2]; /* the reference, and the one under test */
    bool builds;                 /* the latter builds a kernel for each row and pattern */
};

/* One array on both devices. */
struct array {
    struct ls_buffer *on[2];
    int64_t n;
    ls_dtype dtype;
};

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static uint32_t element(struct suite *s, ls_dtype dtype, enum data data, double low, double high)
{
    static const uint32_t special[] = {0x00000000, 0x80000000, 0x3f800000, 0xbf800000, 0x7f7fffff, 0xff7fffff,
                                       0x7f800000, 0xff800000, 0x7fc00000, 0x00800000, 0x80800000, 0x4b800000,
                                       0x00000001, 0x80000001, 0x007fffff, 0x00400000}; /* the last 4 subnormal */
    uint64_t r = suite_next(s);
    double unit = (double)(r >> 40) * 0x1p-24;
    if (dtype != LS_FLOAT32)
        return dtype == LS_BOOL                   ? (uint32_t)(r >> 60 & 1)
               : dtype == LS_UINT8                ? (uint32_t)(r >> 56)
               : ls_dtype_size(dtype) == 2        ? (uint32_t)(r >> 48)
                                                  : (uint32_t)(r % 2001) - 1000u;
    switch (data) {
    case INTEGERS: return bits_of((float)((int)(r >> 40) % 17 - 8));
    case ORDER: return bits_of((float)(unit * 2 - 1) * (float)(1 << (r & 15)));
    case SPECIAL:
        if ((r & 3) == 0)
            return special[(r >> 8) % (s->kind.flushes ? 12 : 16)];
        break;
    case PLAIN:
    case DATA_KINDS: break;
    }
    return bits_of((float)(low + (high - low) * unit));
}

static struct array make(struct duel *d, ls_dtype dtype, int64_t n, enum data data, double low, double high)
{
    struct array a = {{NULL, NULL}, n, dtype};
    size_t size = ls_dtype_size(dtype), bytes = (size_t)n * size;
    unsigned char *host = malloc(bytes + 1);
    for (int64_t i = 0; i < n; i++) {
        uint32_t word = element(d->s, dtype, data, low, high);
        memcpy(host + (size_t)i * size, &word, size); /* little-endian: the low byte of a small type */
    }
    for (int k = 0; k < 2; k++) {
        struct ls_device *device = d->device[k];
        size_t rounded = (bytes + 64) / 64 * 64;
        bool made = device->backend->create(device, rounded, &a.on[k]) == LS_OK;
        if (made)
            a.on[k]->bytes = rounded;
        suite_check(d->s, made && (bytes == 0 || device->backend->write(device, a.on[k], 0, host, bytes) == LS_OK),
                    "buffers", "%zu bytes: %s", bytes, device->message.text);
    }
    free(host);
    return a;
}

static struct array floats(struct duel *d, int64_t n, enum data data) { return make(d, LS_FLOAT32, n, data, -2, 2); }

static struct array indices(struct duel *d, int64_t n, int64_t rows)
{
    struct array a = make(d, LS_INT32, n, PLAIN, 0, 0);
    int32_t *host = malloc((size_t)n * sizeof *host + 1);
    for (int64_t i = 0; i < n; i++)
        host[i] = (int32_t)suite_below(d->s, rows);
    for (int k = 0; k < 2 && n > 0; k++)
        d->device[k]->backend->write(d->device[k], a.on[k], 0, host, (size_t)n * sizeof *host);
    free(host);
    return a;
}

static void drop(struct duel *d, struct array *a)
{
    for (int k = 0; k < 2; k++)
        if (a->on[k])
            d->device[k]->backend->destroy(d->device[k], a->on[k]);
}

/* Compares an output on both devices. */
static void compare(struct duel *d, const struct array *a, ls_dtype dtype, int64_t n, const char *name)
{
    size_t size = ls_dtype_size(dtype), bytes = (size_t)n * size;
    unsigned char *host[2] = {calloc(1, bytes + 1), calloc(1, bytes + 1)};
    ls_status status = LS_OK;
    for (int k = 0; k < 2 && bytes > 0; k++)
        if (status == LS_OK)
            status = d->device[k]->backend->read(d->device[k], a->on[k], 0, host[k], bytes);
    int64_t different = 0, first = -1;
    uint32_t want = 0, got = 0;
    for (int64_t i = 0; i < n; i++) {
        uint32_t w[2] = {0, 0};
        for (int k = 0; k < 2; k++)
            memcpy(&w[k], host[k] + (size_t)i * size, size);
        if (dtype == LS_FLOAT32 ? suite_same_float(w[0], w[1]) : w[0] == w[1])
            continue;
        if (different++ == 0) {
            first = i;
            want = w[0];
            got = w[1];
        }
    }
    float fw, fg;
    memcpy(&fw, &want, 4);
    memcpy(&fg, &got, 4);
    suite_check(d->s, status == LS_OK && different == 0, name,
                "%lld of %lld elements differ, first at %lld: %08x (%.9g) should be %08x (%.9g) %s", (long long)different,
                (long long)n, (long long)first, (unsigned)got, (double)fg, (unsigned)want, (double)fw,
                status == LS_OK ? "" : d->device[1]->message.text);
    free(host[0]);
    free(host[1]);
}

/* Runs a slot on both; a NULL optional slot is not a failure, its fallback is tested with the ops. */
#define DUEL(slot, name, ...)                                                                      \
    do {                                                                                           \
        for (int k = 0; k < 2; k++) {                                                              \
            struct ls_device *device = d->device[k];                                               \
            __VA_ARGS__;                                                                               \
            ls_status status = device->backend->slot(device, &args);                               \
            suite_check(d->s, status == LS_OK, name, "%s: %s", ls_status_text(status), device->message.text); \
        }                                                                                          \
    } while (0)

static const int64_t sizes[] = {1, 2, 3, 15, 16, 17, 63, 64, 65, 127, 255, 257, 511, 1023, 1024, 1025, 2049, 4095, 4096, 4097,
                                8193, 65535, 65536, 65537, 262147};
enum { SIZES = sizeof sizes / sizeof *sizes };

static bool affordable(const struct duel *d, int64_t n) { return n <= d->s->kind.most_elements; }

/* ---- map: every row, dense and broadcast ---- */

struct row {
    const char *name, *in, *out; /* F, I or W per argument */
    double domain[6];
};

static const struct row rows[] = {
#define F_F(name, formula, saves, ga, lo, hi) {#name, "F", "F", {lo, hi}},
#define F_FF(name, formula, saves, ga, gb, la, ha, lb, hb) {#name, "FF", "F", {la, ha, lb, hb}},
#define F_FFF(name, ...) {#name, "FFF", "F", {-2, 2, -2, 2, -2, 2}},
#define I_F(name, formula) {#name, "F", "I", {-1000, 1000}},
#define I_I(name, formula) {#name, "I", "I", {0}},
#define I_FF(name, formula) {#name, "FF", "I", {-2, 2, -2, 2}},
#define I_II(name, formula) {#name, "II", "I", {0}},
#define F_I(name, formula) {#name, "I", "F", {0}},
#define W_IWW(name, formula) {#name, "IWW", "W", {0, 0, -2, 2, -2, 2}},
#include "../lib/ops/elementwise.def"
};

static void one_row(struct duel *d, int op, int64_t n, enum data data, int pattern)
{
    const struct row *row = &rows[op];
    int inputs = (int)strlen(row->in);
    char name[96];
    int64_t cols = n < 7 ? n : 7, lines = n / cols;
    n = lines * cols;
    struct array in[3], out = floats(d, n, PLAIN);
    static const char *const patterns[] = {"dense", "scalar", "row", "column"};
    snprintf(name, sizeof name, "map/%s n=%lld %s data=%d", row->name, (long long)n, patterns[pattern], data);
    struct ls_map_args args = {.rows = 1,
                               .inputs = (uint8_t)inputs,
                               .outputs = 1,
                               .rank = pattern >= 2 ? 2 : 1,
                               .n = n,
                               .extent = {pattern >= 2 ? lines : n, cols},
                               .row = {{(uint16_t)op, {0, 1, 2}}}};
    for (int i = 0; i < inputs; i++) {
        bool broadcast = i > 0 && pattern > 0;
        in[i] = make(d, row->in[i] == 'I' ? LS_INT32 : LS_FLOAT32, !broadcast ? n : pattern == 1 ? 1 : pattern == 2 ? cols : lines,
                     data, row->domain[2 * i], row->domain[2 * i + 1]);
        args.input[i].dtype = in[i].dtype;
        args.input[i].stride[0] = !broadcast ? (pattern >= 2 ? cols : 1) : pattern == 3 ? 1 : 0;
        args.input[i].stride[1] = !broadcast || pattern == 2 ? 1 : 0;
    }
    ls_dtype result = row->out[0] == 'I' ? LS_INT32 : LS_FLOAT32;
    args.output[0] = (struct ls_map_output){NULL, result, LS_REGISTER_ROW};
    DUEL(map, name, {
        for (int i = 0; i < inputs; i++)
            args.input[i].buffer = in[i].on[k];
        args.output[0].buffer = out.on[k];
    });
    compare(d, &out, result, n, name);
    for (int i = 0; i < inputs; i++)
        drop(d, &in[i]);
    drop(d, &out);
}

static void every_row(struct duel *d)
{
    static const int64_t few[] = {1, 3, 64, 65, 1025, 4099, 65537};
    for (int op = 0; op < LS_ROW_COUNT; op++) {
        for (size_t i = 0; i < sizeof few / sizeof *few; i++) {
            /* Large arrays test the walk over them, not the row: on slow devices a few rows do. */
            if (!affordable(d, few[i]) || (few[i] > 5000 && !affordable(d, 16 * few[i]) && op % 8 != 0))
                continue;
            one_row(d, op, few[i], PLAIN, 0);
            if (few[i] >= 64 && few[i] < 5000 && !d->s->kind.flushes)
                one_row(d, op, few[i], SPECIAL, 0);
            bool broadcast = rows[op].in[1] && few[i] > 1 && few[i] < 5000;
            /* Where each is a kernel to build, one pattern per row: the rows take turns. */
            for (int pattern = 1; pattern < 4 && broadcast; pattern++)
                if (!d->builds || pattern == 1 + op % 3)
                    one_row(d, op, few[i], PLAIN, pattern);
        }
    }
}

/* Storage types in and out, immediates, many rows, several outputs, in place. */
static void programs(struct duel *d, int64_t n)
{
    enum { ROW = LS_REGISTER_ROW, IMM = LS_REGISTER_IMMEDIATE };
    char name[96];
    struct array bytes = make(d, LS_UINT8, n, PLAIN, 0, 0), flags = make(d, LS_BOOL, n, PLAIN, 0, 0);
    struct array w = floats(d, n, ORDER), m = floats(d, n, ORDER), out = make(d, LS_UINT8, n, PLAIN, 0, 0);
    snprintf(name, sizeof name, "map/program n=%lld", (long long)n);
    /* w = flags ? bytes / 255 : w, m = fma(w, 0.9, m) in place; out = bytes + 200 as uint8 */
    struct ls_map_args args = {.rows = 6,
                               .inputs = 4,
                               .outputs = 3,
                               .immediates = 3,
                               .rank = 1,
                               .n = n,
                               .extent = {n},
                               .immediate = {bits_of(255.0f), bits_of(0.9f), 200},
                               .row = {{LS_ROW_to_float, {0, 0, 0}},
                                       {LS_ROW_div, {ROW, IMM, 0}},
                                       {LS_ROW_where, {1, ROW + 1, 2}},
                                       {LS_ROW_fma, {ROW + 2, IMM + 1, 3}},
                                       {LS_ROW_int_add, {0, IMM + 2, 0}},
                                       {LS_ROW_neg, {ROW + 3, 0, 0}}}};
    DUEL(map, name, {
        args.input[0] = (struct ls_map_input){bytes.on[k], LS_UINT8, {1}};
        args.input[1] = (struct ls_map_input){flags.on[k], LS_BOOL, {1}};
        args.input[2] = (struct ls_map_input){w.on[k], LS_FLOAT32, {1}};
        args.input[3] = (struct ls_map_input){m.on[k], LS_FLOAT32, {1}};
        args.output[0] = (struct ls_map_output){w.on[k], LS_FLOAT32, ROW + 2};
        args.output[1] = (struct ls_map_output){m.on[k], LS_FLOAT32, ROW + 5};
        args.output[2] = (struct ls_map_output){out.on[k], LS_UINT8, ROW + 4};
    });
    compare(d, &w, LS_FLOAT32, n, name);
    compare(d, &m, LS_FLOAT32, n, name);
    compare(d, &out, LS_UINT8, n, name);
    drop(d, &bytes);
    drop(d, &flags);
    drop(d, &w);
    drop(d, &m);
    drop(d, &out);
}

/* Loads and stores of the 16-bit types in every pattern of access: from both to float32, a product, back. */
static void halves(struct duel *d, int64_t n, int pattern)
{
    enum { ROW = LS_REGISTER_ROW };
    static const char *const patterns[] = {"dense", "scalar", "row", "column", "turned"};
    char name[96];
    int64_t cols = n < 7 ? n : n % 2 ? 7 : 50, lines = n / cols;
    n = lines * cols;
    snprintf(name, sizeof name, "map/halves n=%lld %s", (long long)n, patterns[pattern]);
    struct array a = make(d, LS_FLOAT16, n, PLAIN, 0, 0), b = make(d, LS_BFLOAT16, n, PLAIN, 0, 0);
    struct array half = make(d, LS_FLOAT16, n, PLAIN, 0, 0), brain = make(d, LS_BFLOAT16, n, PLAIN, 0, 0);
    struct array whole = floats(d, n, PLAIN), exact = floats(d, n, PLAIN);
    struct ls_map_args args = {.rows = 5,
                               .inputs = 2,
                               .outputs = 4,
                               .rank = 2,
                               .n = n,
                               .extent = {lines, cols},
                               .row = {{LS_ROW_from_float16, {0, 0, 0}},
                                       {LS_ROW_from_bfloat16, {1, 0, 0}},
                                       {LS_ROW_maximum, {ROW, ROW + 1, 0}},
                                       {LS_ROW_to_float16, {ROW + 2, 0, 0}},
                                       {LS_ROW_to_bfloat16, {ROW + 2, 0, 0}}}};
    static const int64_t places[][2] = {{1, 1}, {0, 0}, {0, 1}, {1, 0}, {-1, -1}};
    int64_t row = places[pattern][0], column = places[pattern][1];
    bool turned = pattern == 4;
    DUEL(map, name, {
        args.input[0] = (struct ls_map_input){a.on[k], LS_FLOAT16, {cols, 1}};
        args.input[1] = (struct ls_map_input){b.on[k], LS_BFLOAT16,
                                              {turned ? 1 : row * (column ? cols : 1), turned ? lines : column}};
        args.output[0] = (struct ls_map_output){half.on[k], LS_FLOAT16, ROW + 3};
        args.output[1] = (struct ls_map_output){brain.on[k], LS_BFLOAT16, ROW + 4};
        args.output[2] = (struct ls_map_output){whole.on[k], LS_FLOAT32, ROW + 1};
        args.output[3] = (struct ls_map_output){exact.on[k], LS_FLOAT32, ROW};
    });
    compare(d, &exact, LS_FLOAT32, n, name);
    compare(d, &whole, LS_FLOAT32, n, name);
    /* A comparison of subnormals is not what a device that flushes them promises. */
    if (!d->s->kind.flushes) {
        compare(d, &half, LS_FLOAT16, n, name);
        compare(d, &brain, LS_BFLOAT16, n, name);
    }
    drop(d, &a);
    drop(d, &b);
    drop(d, &half);
    drop(d, &brain);
    drop(d, &whole);
    drop(d, &exact);
}

/* ---- fill and copy_nd ---- */

static void fills(struct duel *d, int64_t n)
{
    char name[64];
    snprintf(name, sizeof name, "fill n=%lld", (long long)n);
    static const ls_dtype types[] = {LS_FLOAT32, LS_INT32, LS_UINT8, LS_FLOAT16};
    for (int t = 0; t < 4; t++) {
        struct array out = make(d, types[t], n + 3, PLAIN, -2, 2);
        struct ls_fill_args args = {.dtype = types[t], .value = 0x40490fdb, .step = types[t] == LS_INT32 ? 3 : 0, .n = n};
        DUEL(fill, name, args.dst = out.on[k]);
        compare(d, &out, types[t], n + 3, name);
        drop(d, &out);
    }
}

static void copies(struct duel *d)
{
    for (int trial = 0; trial < 40; trial++) {
        static const ls_dtype types[] = {LS_FLOAT32, LS_UINT8, LS_FLOAT32, LS_BFLOAT16};
        struct ls_copy_nd_args args = {.dtype = types[suite_below(d->s, 4)]};
        int64_t src_n = 1, dst_n = 1;
        char name[64];
        args.rank = 1 + (int)suite_below(d->s, 5);
        for (int i = args.rank - 1; i >= 0; i--) {
            args.extent[i] = 1 + suite_below(d->s, d->s->kind.most_elements < 1000 ? 4 : 9);
            int64_t kind = suite_below(d->s, 4), step = 1 + suite_below(d->s, 2);
            args.src_stride[i] = kind == 0 ? 0 : kind == 1 ? -src_n * step : src_n * step;
            if (kind == 1)
                args.src_offset += (args.extent[i] - 1) * src_n * step;
            src_n *= kind == 0 ? 1 : args.extent[i] * step;
            args.dst_stride[i] = dst_n;
            dst_n *= args.extent[i] + suite_below(d->s, 2);
        }
        if (trial % 3 == 0 && args.rank >= 2) { /* a transpose: dense on both sides, in another order */
            int64_t n = 1;
            for (int i = 0; i < args.rank; i++) {
                args.src_stride[i] = n;
                n *= args.extent[i];
            }
            args.src_offset = 0;
            src_n = n;
        }
        args.dst_offset = suite_below(d->s, 5);
        snprintf(name, sizeof name, "copy_nd trial=%d rank=%d", trial, args.rank);
        struct array src = make(d, args.dtype, src_n, ORDER, 0, 0), dst = make(d, args.dtype, dst_n + 8, ORDER, 0, 0);
        DUEL(copy_nd, name, (args.src = src.on[k], args.dst = dst.on[k]));
        compare(d, &dst, args.dtype, dst_n + 8, name);
        drop(d, &src);
        drop(d, &dst);
    }
}

/* ---- reduce ---- */

static void reduce(struct duel *d, enum ls_reduce_op op, ls_dtype dtype, int64_t outer, int64_t r, int64_t inner,
                   enum data data)
{
    static const char *const names[] = {"sum", "prod", "max", "min", "argmax", "argmin"};
    char name[96];
    snprintf(name, sizeof name, "reduce/%s %s (%lld, %lld, %lld) data=%d", names[op], ls_dtype_name(dtype),
             (long long)outer, (long long)r, (long long)inner, data);
    struct array src = make(d, dtype, outer * r * inner, data, op == LS_REDUCE_PROD ? 0.999 : -2, op == LS_REDUCE_PROD ? 1.001 : 2);
    struct array dst = floats(d, outer * inner, PLAIN);
    struct ls_reduce_args args = {op, dtype, NULL, NULL, outer, r, inner};
    DUEL(reduce, name, (args.src = src.on[k], args.dst = dst.on[k]));
    compare(d, &dst, op >= LS_REDUCE_ARGMAX ? LS_INT32 : dtype, outer * inner, name);
    drop(d, &src);
    drop(d, &dst);
}

static void reductions(struct duel *d)
{
    for (int op = 0; op <= LS_REDUCE_ARGMIN; op++) {
        for (int i = 0; i < SIZES; i++) {
            int64_t n = sizes[i];
            if (!affordable(d, n))
                continue;
            enum data data = op == LS_REDUCE_PROD ? PLAIN : ORDER;
            reduce(d, (enum ls_reduce_op)op, LS_FLOAT32, 1, n, 1, data);
            if (n <= 4097 && affordable(d, 3 * n)) {
                reduce(d, (enum ls_reduce_op)op, LS_FLOAT32, 3, n, 1, data);
                reduce(d, (enum ls_reduce_op)op, LS_FLOAT32, 1, n, 3, data);
                reduce(d, (enum ls_reduce_op)op, LS_FLOAT32, 2, n, 1, INTEGERS); /* ties */
            }
            if (n <= 4097 && affordable(d, 34 * n)) {
                reduce(d, (enum ls_reduce_op)op, LS_FLOAT32, 2, n, 17, data);
                reduce(d, (enum ls_reduce_op)op, LS_FLOAT32, n, 5, 1, data);
                reduce(d, (enum ls_reduce_op)op, LS_FLOAT32, n, 3, 2, INTEGERS);
            }
            if (n <= 300 && op < LS_REDUCE_ARGMAX && affordable(d, 2 * n))
                reduce(d, (enum ls_reduce_op)op, LS_INT32, 2, n, n % 3 + 1, PLAIN);
        }
    }
    if (affordable(d, 1 << 24))
        reduce(d, LS_REDUCE_SUM, LS_FLOAT32, 1, (1 << 24) + 4097, 1, ORDER);
    if (!d->s->kind.flushes) {
        reduce(d, LS_REDUCE_SUM, LS_FLOAT32, 2, 70, 3, SPECIAL);
        reduce(d, LS_REDUCE_SUM, LS_FLOAT32, 3, 130, 1, SPECIAL);
    }
}

/* ---- gemm ---- */

static void product(struct duel *d, int64_t batch, int64_t m, int64_t n, int64_t k_size, int transposes, enum data data,
                    uint16_t activation, bool bias, bool share_b)
{
    char name[128];
    snprintf(name, sizeof name, "gemm %lldx %lldx%lldx%lld %c%c data=%d act=%d bias=%d share=%d", (long long)batch,
             (long long)m, (long long)n, (long long)k_size, transposes & 1 ? 'T' : 'N', transposes & 2 ? 'T' : 'N', data,
             activation, bias, share_b);
    struct array a = floats(d, batch * m * k_size, data), b = floats(d, (share_b ? 1 : batch) * k_size * n, data);
    struct array c = floats(d, batch * m * n, PLAIN), v = floats(d, n, data);
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
    compare(d, &c, LS_FLOAT32, batch * m * n, name);
    drop(d, &a);
    drop(d, &b);
    drop(d, &c);
    drop(d, &v);
}

static void products(struct duel *d)
{
    static const int64_t edge[] = {1, 2, 7, 8, 9, 15, 17, 31, 33, 64, 65, 100};
    static const uint16_t none = LS_ROW_NONE;
    for (int t = 0; t < 4; t++) {
        for (int i = 0; i < 30; i++) {
            int64_t m = edge[suite_below(d->s, 12)], n = edge[suite_below(d->s, 12)], k = edge[suite_below(d->s, 12)];
            if (affordable(d, m * n * k / 8))
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
        for (int64_t k = 1023; k <= 1025 && affordable(d, 1025); k++)
            product(d, 1, 5, 6, k, t, ORDER, none, true, false);
        if (affordable(d, 60000)) {
            product(d, 1, 17, 33, 2049, t, ORDER, LS_ROW_relu, true, false);
            product(d, 1, 1, 130, 300, t, ORDER, none, false, false);
            product(d, 1, 130, 1, 300, t, ORDER, none, false, false);
        }
        if (affordable(d, 1 << 18)) {
            product(d, 1, 128, 256, 784, t, ORDER, LS_ROW_relu, true, false);
            product(d, 1, 784, 256, 128, t, ORDER, none, false, false);
            product(d, 1, 301, 203, 1500, t, ORDER, none, false, false);
        }
    }
}

/* ---- conv and pool ---- */

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
                     enum data data, uint16_t activation, bool bias)
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
        struct array x = floats(d, in, data), y = floats(d, out, data), f = floats(d, kernels, data);
        struct array v = floats(d, groups * (pass == LS_CONV_INPUT ? channels : filters), data);
        struct ls_conv_args args = {.pass = (enum ls_conv_pass)pass, .window = *w, .groups = groups, .channels = channels,
                                    .filters = filters, .activation = epilogue ? activation : (uint16_t)LS_ROW_NONE};
        DUEL(conv, name, (args.input = x.on[k], args.kernel = f.on[k], args.output = y.on[k],
                          args.bias = bias && epilogue ? v.on[k] : NULL));
        struct array *result = pass == LS_CONV_FORWARD ? &y : pass == LS_CONV_INPUT ? &x : &f;
        compare(d, result, LS_FLOAT32, result->n, name);
        drop(d, &x);
        drop(d, &y);
        drop(d, &f);
        drop(d, &v);
    }
}

static void convolutions(struct duel *d)
{
    static const int64_t few[] = {1, 2, 3, 5, 8, 16, 17, 33};
    static const uint16_t none = LS_ROW_NONE;
    for (int trial = 0; trial < 60; trial++) {
        struct ls_window w = window(d, 6);
        int64_t groups = trial % 4 ? 1 : 1 + suite_below(d->s, 3), c = few[suite_below(d->s, 8)], f = few[suite_below(d->s, 8)];
        int64_t work = w.batch * volume(w.out) * volume(w.size) * c * f * groups;
        if (affordable(d, work / 2) && work < 4000000)
            convolve(d, &w, groups, c, f, trial % 8 == 5 ? INTEGERS : ORDER, trial % 3 ? none : (uint16_t)LS_ROW_relu, trial % 2);
    }
    for (int trial = 0; trial < 12; trial++) {
        struct ls_window w = window(d, 6);
        int64_t groups = 1 + suite_below(d->s, 70);
        if (affordable(d, w.batch * volume(w.out) * volume(w.size) * groups))
            convolve(d, &w, groups, 1, 1 + trial % 3 / 2, ORDER, trial % 2 ? none : (uint16_t)LS_ROW_relu, trial % 3 == 0);
    }
    struct ls_window layer = {2, {1, 14, 14}, {1, 14, 14}, {1, 3, 3}, {1, 1, 1}, {1, 1, 1}, {0, 1, 1}};
    if (affordable(d, 1 << 18)) {
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

static void pools(struct duel *d, enum data data)
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
    if (!affordable(d, (in + out) * volume(w.size)))
        return;
    struct array x = floats(d, in, data), y = floats(d, out, data), dx = floats(d, in, data);
    struct array positions = make(d, LS_INT32, out, PLAIN, 0, 0);
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
        compare(d, back ? &dx : &y, LS_FLOAT32, back ? in : out, name);
        if (op == LS_POOL_MAX) {
            compare(d, &positions, LS_INT32, out, name);
            DUEL(pool, name, (args.src = x.on[k], args.dst = y.on[k], args.positions = NULL));
            compare(d, &y, LS_FLOAT32, out, name);
        }
    }
    drop(d, &x);
    drop(d, &y);
    drop(d, &dx);
    drop(d, &positions);
}

/* ---- gather, scatter_add, random, softmax, sparse_xent ---- */

static void indexing(struct duel *d, int64_t outer, int64_t rows_count, int64_t inner, int64_t count)
{
    char name[96];
    snprintf(name, sizeof name, "gather (%lld, %lld, %lld) by %lld", (long long)outer, (long long)rows_count, (long long)inner,
             (long long)count);
    struct array index = indices(d, count, rows_count), table = floats(d, outer * rows_count * inner, ORDER);
    struct array bytes = make(d, LS_UINT8, outer * rows_count * inner, PLAIN, 0, 0);
    struct array halves = make(d, LS_FLOAT16, outer * rows_count * inner, PLAIN, 0, 0);
    struct array small_halves = make(d, LS_FLOAT16, outer * count * inner, PLAIN, 0, 0);
    struct array out = floats(d, outer * count * inner, ORDER), small = make(d, LS_UINT8, outer * count * inner, PLAIN, 0, 0);
    {
        struct ls_gather_args args = {NULL, NULL, NULL, LS_FLOAT32, outer, rows_count, inner, count};
        DUEL(gather, name, (args.table = table.on[k], args.indices = index.on[k], args.dst = out.on[k]));
        compare(d, &out, LS_FLOAT32, outer * count * inner, name);
        args.dtype = LS_UINT8;
        DUEL(gather, name, (args.table = bytes.on[k], args.indices = index.on[k], args.dst = small.on[k]));
        compare(d, &small, LS_UINT8, outer * count * inner, name);
        args.dtype = LS_FLOAT16;
        DUEL(gather, name, (args.table = halves.on[k], args.indices = index.on[k], args.dst = small_halves.on[k]));
        compare(d, &small_halves, LS_FLOAT16, outer * count * inner, name);
    }
    memcpy(name, "scttr+", 6);
    {
        struct ls_scatter_add_args args = {NULL, NULL, NULL, outer, rows_count, inner, count};
        DUEL(scatter_add, name, (args.dst = table.on[k], args.indices = index.on[k], args.updates = out.on[k]));
        compare(d, &table, LS_FLOAT32, outer * rows_count * inner, name);
    }
    drop(d, &halves);
    drop(d, &small_halves);
    drop(d, &index);
    drop(d, &table);
    drop(d, &bytes);
    drop(d, &out);
    drop(d, &small);
}

static void randoms(struct duel *d, int64_t n)
{
    char name[64];
    for (int kind = 0; kind <= LS_RANDOM_BITS; kind++) {
        struct array out = floats(d, n, PLAIN), step = indices(d, 1, 1000000);
        struct ls_random_args args = {.kind = (enum ls_random_kind)kind, .seed = 0x123456789abcdefu, .stream = 7, .n = n};
        snprintf(name, sizeof name, "random kind=%d n=%lld", kind, (long long)n);
        DUEL(random, name, (args.dst = out.on[k], args.step = step.on[k]));
        compare(d, &out, kind == LS_RANDOM_BITS ? LS_INT32 : LS_FLOAT32, n, name);
        drop(d, &out);
        drop(d, &step);
    }
}

/* One call with inputs of every type; -0 must count as +0, also where the device only moves bits. */
static void digests(struct duel *d, int64_t n)
{
    static const ls_dtype types[] = {LS_FLOAT32, LS_INT32, LS_FLOAT16, LS_UINT8, LS_BFLOAT16, LS_BOOL, LS_FLOAT32, LS_FLOAT32};
    struct array in[LS_DIGEST_INPUTS], out = make(d, LS_INT32, 2 * LS_DIGEST_INPUTS + 3, PLAIN, 0, 0);
    struct ls_digest_args args = {.inputs = LS_DIGEST_INPUTS, .at = 2};
    char name[64];
    snprintf(name, sizeof name, "digest n=%lld", (long long)n);
    for (int i = 0; i < LS_DIGEST_INPUTS; i++) {
        ls_dtype type = types[(size_t)i % (sizeof types / sizeof *types)];
        int64_t size = i == 6 ? 0 : i == 7 ? n + 1 : n;
        in[i] = make(d, type, size, i == 7 ? SPECIAL : ORDER, -2, 2);
        args.input[i] = (struct ls_digest_input){NULL, type, size};
    }
    for (int side = 0; side < 2; side++) { /* the zeros of the last input have another sign on each device */
        uint32_t zero = side ? 0x80000000u : 0;
        d->device[side]->backend->write(d->device[side], in[7].on[side], (size_t)n * 4, &zero, 4);
    }
    for (int pass = 0; pass < 2; pass++)
        DUEL(digest, name, {
            for (int i = 0; i < LS_DIGEST_INPUTS; i++)
                args.input[i].buffer = in[i].on[k];
            args.dst = out.on[k];
        });
    compare(d, &out, LS_INT32, out.n, name);
    for (int i = 0; i < LS_DIGEST_INPUTS; i++)
        drop(d, &in[i]);
    drop(d, &out);
}

static void softmaxes(struct duel *d, int64_t outer, int64_t r)
{
    char name[64];
    struct array x = make(d, LS_FLOAT32, outer * r, PLAIN, -20, 20), y = floats(d, outer * r, PLAIN);
    struct array labels = indices(d, outer, r), loss = floats(d, outer, PLAIN);
    for (int log = 0; log < 2 && d->device[1]->backend->softmax; log++) {
        struct ls_softmax_args args = {NULL, NULL, outer, r, log};
        snprintf(name, sizeof name, "softmax log=%d (%lld, %lld)", log, (long long)outer, (long long)r);
        DUEL(softmax, name, (args.src = x.on[k], args.dst = y.on[k]));
        compare(d, &y, LS_FLOAT32, outer * r, name);
    }
    if (d->device[1]->backend->sparse_xent) {
        struct ls_sparse_xent_args args = {.outer = outer, .r = r};
        snprintf(name, sizeof name, "sparse_xent (%lld, %lld)", (long long)outer, (long long)r);
        DUEL(sparse_xent, name, (args.logits = x.on[k], args.labels = labels.on[k], args.loss = loss.on[k],
                                 args.probabilities = y.on[k]));
        compare(d, &y, LS_FLOAT32, outer * r, name);
        compare(d, &loss, LS_FLOAT32, outer, name);
    }
    drop(d, &x);
    drop(d, &y);
    drop(d, &labels);
    drop(d, &loss);
}

static void scans(struct duel *d, int64_t outer, int64_t r, int64_t inner)
{
    int64_t n = outer * r * inner;
    char name[96];
    struct array factor = make(d, LS_FLOAT32, n, PLAIN, -1.1, 1.1), addend = floats(d, n, ORDER), out = floats(d, n, PLAIN);
    struct array whole = make(d, LS_INT32, n, PLAIN, 0, 0);
    struct array near_one = make(d, LS_FLOAT32, n, PLAIN, 0.998, 1.002); /* products stay normal numbers */
    for (int form = 0; form < 20; form++) {
        struct ls_scan_args args = {.dtype = form < 12 ? LS_FLOAT32 : LS_INT32, .outer = outer, .r = r, .inner = inner};
        bool factors = form < 8 || form >= 16, addends = form < 4 || (form >= 8 && form < 16);
        const struct array *f = form < 4 ? &factor : form < 12 ? &near_one : &whole, *a = form < 12 ? &addend : &whole;
        args.reverse = form & 1;
        args.exclusive = form & 2;
        snprintf(name, sizeof name, "scan form=%d (%lld, %lld, %lld)", form, (long long)outer, (long long)r, (long long)inner);
        DUEL(scan, name, (args.factor = factors ? f->on[k] : NULL, args.addend = addends ? a->on[k] : NULL,
                          args.dst = out.on[k]));
        compare(d, &out, args.dtype, n, name);
    }
    drop(d, &factor);
    drop(d, &addend);
    drop(d, &out);
    drop(d, &whole);
    drop(d, &near_one);
}

static void sorts(struct duel *d, int64_t outer, int64_t r)
{
    char name[64];
    struct array out = make(d, LS_INT32, outer * r, PLAIN, 0, 0);
    for (int form = 0; form < 8; form++) {
        ls_dtype dtype = form < 6 ? LS_FLOAT32 : LS_INT32;
        struct array x = make(d, dtype, outer * r, form < 2 ? INTEGERS : form < 4 ? SPECIAL : ORDER, -2, 2);
        struct ls_sort_args args = {.dtype = dtype, .outer = outer, .r = r, .descending = form & 1};
        snprintf(name, sizeof name, "sort form=%d (%lld, %lld)", form, (long long)outer, (long long)r);
        DUEL(sort, name, (args.src = x.on[k], args.dst = out.on[k]));
        compare(d, &out, LS_INT32, outer * r, name);
        drop(d, &x);
    }
    drop(d, &out);
}

void suite_primitives(struct suite *s)
{
    struct duel duel = {.s = s}, *d = &duel;
    struct ls_message message = {{0}};
    if (!suite_check(s, ls_device_open("reference", &d->device[0], &message) == LS_OK, "open", "%s", message.text))
        return;
    if (suite_check(s, ls_device_open(s->kind.words, &d->device[1], &message) == LS_OK, "open", "%s", message.text)) {
        d->builds = d->device[1]->backend != d->device[0]->backend;
        every_row(d);
        suite_part(s, "map");
        copies(d);
        suite_part(s, "copy_nd");
        reductions(d);
        suite_part(s, "reduce");
        products(d);
        suite_part(s, "gemm");
        convolutions(d);
        suite_part(s, "conv");
        for (int trial = 0; trial < 40; trial++)
            pools(d, trial % 3 ? ORDER : INTEGERS); /* ties */
        suite_part(s, "pool");
        for (int i = 0; i < SIZES; i++) {
            if (!affordable(d, sizes[i]))
                continue;
            programs(d, sizes[i]);
            for (int pattern = 0; pattern < 5 && (sizes[i] == 65 || sizes[i] == 1024 || sizes[i] == 4097); pattern++)
                halves(d, sizes[i], pattern);
            fills(d, sizes[i]);
            randoms(d, sizes[i]);
            digests(d, sizes[i]);
            if (sizes[i] <= 4097) {
                softmaxes(d, 3, sizes[i]);
                if (affordable(d, sizes[i] * 10))
                    softmaxes(d, sizes[i], 10);
            }
        }
        suite_part(s, "programs, fill, random, softmax");
        indexing(d, 1, 10, 1, 5);
        indexing(d, 1, 7, 13, 29);
        indexing(d, 3, 5, 2, 17);
        indexing(d, 2, 4, 1, 60);
        if (affordable(d, 60000)) {
            indexing(d, 1, 100, 64, 257);
            indexing(d, 1, 1000, 33, 1025);
        }
        suite_part(s, "gather, scatter_add");
        for (int i = 0; i < SIZES; i++)
            if (affordable(d, 3 * sizes[i]) && sizes[i] <= 65537) {
                scans(d, 3, sizes[i], 1);
                scans(d, 1, sizes[i] % 1000 + 1, 65);
                sorts(d, 2, sizes[i]);
            }
        suite_part(s, "scan, sort");
        d->device[1]->backend->close(d->device[1]);
    }
    d->device[0]->backend->close(d->device[0]);
}
