/* SPDX-License-Identifier: Apache-2.0
 *
 * The reference backend against canon.md: every slot is stated once more, one scalar at a time in the
 * written order, and compared by bits with every instruction set this machine has, with one, two and
 * three threads. A plain main, so that it also runs under sanitizers.
 */
#include "reference.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined _OPENMP
#include <omp.h>
#endif
#if defined __SSE2__
#include <xmmintrin.h>
#endif

/* Here fma is libm's, so that the backend's emulation is compared with something else. */
#undef LS_EMULATE_FMA
#define LS_EMULATE_FMA 0
#include "prelude_c.h"
#include "canon.h"

enum { MAX_DEVICES = 12, GUARD = 64 };

static struct ls_device *devices[MAX_DEVICES];
static int device_count;
static int passed, failed;

static const int64_t edges[] = {1,    2,    15,   16,   17,    63,    64,    65,   1023,
                                1024, 1025, 4095, 4096, 4097, 65535, 65536, 65537};
enum { EDGES = sizeof edges / sizeof edges[0] };

/* ---- random data ---- */

static uint64_t state = 1;

static uint32_t draw(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    uint64_t x = state ^ state >> 29;
    return (uint32_t)((x * 0xbf58476d1ce4e5b9u) >> 32);
}

static int64_t draw_below(int64_t n)
{
    return (int64_t)(draw() % (uint64_t)n);
}

/* Mostly ordinary numbers; some zeros of both signs, tiny, subnormal and large ones. */
static float draw_float(void)
{
    float x = (float)(int32_t)draw() * 0x1p-29f;
    switch (draw() % 64) {
    case 0: return 0.0f;
    case 1: return -0.0f;
    case 2: return x * 0x1p-60f;
    case 3: return x * 0x1p-130f;
    case 4: return x * 0x1p20f;
    case 5: return (float)(draw() % 7) - 3.0f;
    default: return x;
    }
}

static float *draw_floats(int64_t n)
{
    float *x = malloc((size_t)(n + 1) * sizeof *x);
    for (int64_t i = 0; i < n; i++) {
        x[i] = draw_float();
    }
    return x;
}

static int32_t *draw_ints(int64_t n, int64_t low, int64_t high)
{
    int32_t *x = malloc((size_t)(n + 1) * sizeof *x);
    for (int64_t i = 0; i < n; i++) {
        x[i] = (int32_t)(low + draw_below(high - low));
    }
    return x;
}

static size_t size_of(ls_dtype dtype)
{
    return dtype == LS_FLOAT32 || dtype == LS_INT32 ? 4 : 1;
}

static void *draw_elements(ls_dtype dtype, int64_t n)
{
    if (dtype == LS_FLOAT32) {
        return draw_floats(n);
    }
    int32_t *words = draw_ints(n, -1000, 1000);
    if (size_of(dtype) == 1) {
        uint8_t *bytes = (uint8_t *)words;
        for (int64_t i = 0; i < n; i++) {
            bytes[i] = (uint8_t)(draw() % (dtype == LS_BOOL ? 2 : 256));
        }
    }
    return words;
}

/* ---- buffers and comparison ---- */

static struct ls_buffer *upload(struct ls_device *device, const void *data, int64_t bytes)
{
    static const uint8_t guard[GUARD] = {0xa5, 0x5a};
    struct ls_buffer *buffer = NULL;
    if (ls_reference_backend.create(device, (size_t)bytes + GUARD, &buffer)) {
        abort();
    }
    if (data) {
        ls_reference_backend.write(device, buffer, 0, data, (size_t)bytes);
    }
    ls_reference_backend.write(device, buffer, (size_t)bytes, guard, GUARD);
    return buffer;
}

static bool same_word(ls_dtype dtype, const void *want, const void *got)
{
    if (memcmp(want, got, size_of(dtype)) == 0) {
        return true;
    }
    float a, b;
    memcpy(&a, want, sizeof a);
    memcpy(&b, got, sizeof b);
    return dtype == LS_FLOAT32 && (a == b || (a != a && b != b));
}

/* Compares and frees an output; `what` says what was computed. */
static void check(struct ls_device *device, struct ls_buffer *buffer, ls_dtype dtype,
                  const void *want, int64_t n, const char *what)
{
    static const uint8_t guard[GUARD] = {0xa5, 0x5a};
    size_t size = size_of(dtype), bytes = (size_t)n * size;
    uint8_t *got = malloc(bytes + GUARD);
    ls_reference_backend.read(device, buffer, 0, got, bytes + GUARD);
    bool ok = memcmp(got + bytes, guard, GUARD) == 0;
    if (!ok) {
        printf("%s %s: written beyond its end\n", device->info.driver, what);
    }
    for (int64_t i = 0; i < n && ok; i++) {
        const uint8_t *a = (const uint8_t *)want + (size_t)i * size, *b = got + (size_t)i * size;
        if (!same_word(dtype, a, b)) {
            uint32_t x = 0, y = 0;
            memcpy(&x, a, size);
            memcpy(&y, b, size);
            printf("%s %s: element %lld of %lld: %08x (%.9g), not %08x (%.9g)\n",
                   device->info.driver, what, (long long)i, (long long)n, y,
                   (double)LS_FLOAT(y), x, (double)LS_FLOAT(x));
            ok = false;
        }
    }
    passed += ok;
    failed += !ok;
    free(got);
    ls_reference_backend.destroy(device, buffer);
}

static void expect(bool condition, const char *what)
{
    passed += condition;
    failed += !condition;
    if (!condition) {
        printf("%s: not so\n", what);
    }
}

static void release(struct ls_device *device, struct ls_buffer *buffer)
{
    ls_reference_backend.destroy(device, buffer);
}

/* ---- map ---- */

enum kind { FLOAT, INT, EITHER };

struct row {
    const char *name;
    enum kind result, arg[3];
    int args;
    uint32_t (*of)(uint32_t a, uint32_t b, uint32_t c);
};

#define ROW_OF(name, expression)                                                                   \
    static uint32_t name##_of(uint32_t a_, uint32_t b_, uint32_t c_)                               \
    {                                                                                              \
        (void)b_, (void)c_;                                                                        \
        return expression;                                                                         \
    }
#define F_F(name, formula, ...)                                                                    \
    static float name##_f(float a) { return formula; }                                             \
    ROW_OF(name, LS_BITS(name##_f(LS_FLOAT(a_))))
#define F_FF(name, formula, ...)                                                                   \
    static float name##_f(float a, float b) { return formula; }                                    \
    ROW_OF(name, LS_BITS(name##_f(LS_FLOAT(a_), LS_FLOAT(b_))))
#define F_FFF(name, formula, ...)                                                                  \
    static float name##_f(float a, float b, float c) { return formula; }                           \
    ROW_OF(name, LS_BITS(name##_f(LS_FLOAT(a_), LS_FLOAT(b_), LS_FLOAT(c_))))
#define F_I(name, formula)                                                                         \
    static float name##_f(int a) { return formula; }                                               \
    ROW_OF(name, LS_BITS(name##_f((int)a_)))
#define I_F(name, formula)                                                                         \
    static int name##_f(float a) { return formula; }                                               \
    ROW_OF(name, (uint32_t)name##_f(LS_FLOAT(a_)))
#define I_I(name, formula)                                                                         \
    static int name##_f(int a) { return formula; }                                                 \
    ROW_OF(name, (uint32_t)name##_f((int)a_))
#define I_FF(name, formula)                                                                        \
    static int name##_f(float a, float b) { return formula; }                                      \
    ROW_OF(name, (uint32_t)name##_f(LS_FLOAT(a_), LS_FLOAT(b_)))
#define I_II(name, formula)                                                                        \
    static int name##_f(int a, int b) { return formula; }                                          \
    ROW_OF(name, (uint32_t)name##_f((int)a_, (int)b_))
#define W_IWW(name, formula)                                                                       \
    static uint32_t name##_f(int a, uint32_t b, uint32_t c) { return formula; }                    \
    ROW_OF(name, name##_f((int)a_, b_, c_))
#include "../lib/ops/elementwise.def"
#undef F_F
#undef F_FF
#undef F_FFF
#undef F_I
#undef I_F
#undef I_I
#undef I_FF
#undef I_II
#undef W_IWW
#undef ROW_OF

static const struct row rows[LS_ROW_COUNT] = {
#define F_F(name, ...) {#name, FLOAT, {FLOAT}, 1, name##_of},
#define F_FF(name, ...) {#name, FLOAT, {FLOAT, FLOAT}, 2, name##_of},
#define F_FFF(name, ...) {#name, FLOAT, {FLOAT, FLOAT, FLOAT}, 3, name##_of},
#define F_I(name, ...) {#name, FLOAT, {INT}, 1, name##_of},
#define I_F(name, ...) {#name, INT, {FLOAT}, 1, name##_of},
#define I_I(name, ...) {#name, INT, {INT}, 1, name##_of},
#define I_FF(name, ...) {#name, INT, {FLOAT, FLOAT}, 2, name##_of},
#define I_II(name, ...) {#name, INT, {INT, INT}, 2, name##_of},
#define W_IWW(name, ...) {#name, EITHER, {INT, EITHER, EITHER}, 3, name##_of},
#include "../lib/ops/elementwise.def"
#undef F_F
#undef F_FF
#undef F_FFF
#undef F_I
#undef I_F
#undef I_I
#undef I_FF
#undef I_II
#undef W_IWW
};

/* A map with its host arrays. input_elements: as many as the strides reach. */
struct program {
    struct ls_map_args args;
    void *data[LS_MAP_INPUTS];
    int64_t elements[LS_MAP_INPUTS];
    int in_place[LS_MAP_OUTPUTS]; /* the input whose buffer the output is, or -1 */
    char what[160];
};

static uint32_t load(const struct program *p, int input, int64_t at)
{
    const void *data = p->data[input];
    switch (p->args.input[input].dtype) {
    case LS_UINT8: return ((const uint8_t *)data)[at];
    case LS_BOOL: return ((const uint8_t *)data)[at] != 0;
    default: return ((const uint32_t *)data)[at];
    }
}

/* The definition: element by element, row by row. */
static void interpret(const struct program *p, void *const *want)
{
    const struct ls_map_args *args = &p->args;
    for (int64_t e = 0; e < args->n; e++) {
        uint32_t value[LS_REGISTER_ROW + LS_MAP_ROWS];
        for (int i = 0; i < args->inputs; i++) {
            int64_t at = 0, rest = e;
            for (int d = args->rank - 1; d >= 0; d--) {
                at += rest % args->extent[d] * args->input[i].stride[d];
                rest /= args->extent[d];
            }
            value[i] = load(p, i, at);
        }
        memcpy(value + LS_REGISTER_IMMEDIATE, args->immediate, sizeof args->immediate);
        for (int j = 0; j < args->rows; j++) {
            const uint8_t *arg = args->row[j].arg;
            value[LS_REGISTER_ROW + j] =
                rows[args->row[j].op].of(value[arg[0]], value[arg[1]], value[arg[2]]);
        }
        for (int k = 0; k < args->outputs; k++) {
            uint32_t result = value[args->output[k].source];
            switch (args->output[k].dtype) {
            case LS_UINT8: ((uint8_t *)want[k])[e] = (uint8_t)result; break;
            case LS_BOOL: ((uint8_t *)want[k])[e] = result != 0; break;
            default: ((uint32_t *)want[k])[e] = result;
            }
        }
    }
}

static void run_program(struct program *p)
{
    struct ls_map_args *args = &p->args;
    void *want[LS_MAP_OUTPUTS];
    for (int k = 0; k < args->outputs; k++) {
        want[k] = malloc((size_t)args->n * 4);
    }
    interpret(p, want);
    for (int d = 0; d < device_count; d++) {
        for (int i = 0; i < args->inputs; i++) {
            int64_t bytes = p->elements[i] * (int64_t)size_of(args->input[i].dtype);
            args->input[i].buffer = upload(devices[d], p->data[i], bytes);
        }
        bool reused[LS_MAP_INPUTS] = {false};
        for (int k = 0; k < args->outputs; k++) {
            int64_t bytes = args->n * (int64_t)size_of(args->output[k].dtype);
            args->output[k].buffer = p->in_place[k] >= 0 ? args->input[p->in_place[k]].buffer
                                                         : upload(devices[d], NULL, bytes);
            if (p->in_place[k] >= 0) {
                reused[p->in_place[k]] = true;
            }
        }
        expect(ls_reference_backend.map(devices[d], args) == LS_OK, "map returns LS_OK");
        for (int k = 0; k < args->outputs; k++) {
            check(devices[d], args->output[k].buffer, args->output[k].dtype, want[k], args->n,
                  p->what);
        }
        for (int i = 0; i < args->inputs; i++) {
            if (!reused[i]) {
                release(devices[d], args->input[i].buffer);
            }
        }
    }
    for (int i = 0; i < args->inputs; i++) {
        free(p->data[i]);
    }
    for (int k = 0; k < args->outputs; k++) {
        free(want[k]);
    }
}

static void add_input(struct program *p, ls_dtype dtype, int64_t n, int64_t stride)
{
    int i = p->args.inputs++;
    p->args.input[i].dtype = dtype;
    p->args.input[i].stride[0] = stride;
    p->elements[i] = stride ? n : 1;
    p->data[i] = draw_elements(dtype, p->elements[i]);
}

static enum kind some_kind(enum kind kind)
{
    return kind != EITHER ? kind : draw() % 2 ? FLOAT : INT;
}

/* Every row alone, at every edge size, with each argument dense, one value, or immediate. */
static void test_rows(void)
{
    for (int op = 0; op < LS_ROW_COUNT; op++) {
        for (int e = 0; e < EDGES; e++) {
            struct program p = {.args = {.rows = 1, .outputs = 1, .rank = 1}, .in_place = {-1}};
            int64_t n = edges[e];
            enum kind word = some_kind(EITHER);
            p.args.n = p.args.extent[0] = n;
            p.args.row[0].op = (uint16_t)op;
            snprintf(p.what, sizeof p.what, "row %s, n = %lld", rows[op].name, (long long)n);
            for (int a = 0; a < rows[op].args; a++) {
                enum kind kind = rows[op].arg[a] == EITHER ? word : rows[op].arg[a];
                int form = e % 3 == 0 ? 0 : (int)draw_below(3);
                p.args.row[0].arg[a] = p.args.inputs;
                if (form == 2) {
                    p.args.row[0].arg[a] = LS_REGISTER_IMMEDIATE + p.args.immediates;
                    p.args.immediate[p.args.immediates++] =
                        kind == FLOAT ? LS_BITS(draw_float()) : draw() % 3;
                } else {
                    add_input(&p, kind == FLOAT ? LS_FLOAT32 : LS_INT32, n, form == 0);
                }
            }
            enum kind result = rows[op].result == EITHER ? word : rows[op].result;
            p.args.output[0].dtype = result == FLOAT ? LS_FLOAT32 : LS_INT32;
            p.args.output[0].source = LS_REGISTER_ROW;
            if (e % 2 && p.args.inputs && p.args.input[0].stride[0] &&
                p.args.input[0].dtype == p.args.output[0].dtype) {
                p.in_place[0] = 0;
            }
            run_program(&p);
        }
    }
}

/* A register of this kind among those there are, or -1. */
static int some_register(const enum kind *kinds, int rows_so_far, int inputs, int immediates,
                         enum kind wanted)
{
    int found[LS_REGISTER_ROW + LS_MAP_ROWS], count = 0;
    for (int r = 0; r < LS_REGISTER_ROW + rows_so_far; r++) {
        bool there = r < LS_REGISTER_IMMEDIATE ? r < inputs
                     : r < LS_REGISTER_ROW     ? r < LS_REGISTER_IMMEDIATE + immediates
                                               : true;
        if (there && kinds[r] == wanted) {
            found[count++] = r;
        }
    }
    return count ? found[draw_below(count)] : -1;
}

/* Random strides: dense, constant, broadcast in some dimensions, transposed or with gaps. */
static void draw_strides(struct program *p, int i)
{
    struct ls_map_args *args = &p->args;
    int form = (int)draw_below(5), order[LS_MAX_RANK];
    int64_t step = form == 4 ? 2 : 1, reach = 0;
    for (int d = 0; d < args->rank; d++) {
        order[d] = args->rank - 1 - d;
    }
    for (int d = args->rank - 1; d > 0 && form == 3; d--) {
        int other = (int)draw_below(d + 1), kept = order[d];
        order[d] = order[other];
        order[other] = kept;
    }
    for (int d = 0; d < args->rank; d++) {
        bool broadcast = form == 1 || (form == 2 && draw() % 2);
        args->input[i].stride[order[d]] = broadcast ? 0 : step;
        if (!broadcast) {
            reach += step * (args->extent[order[d]] - 1);
            step *= args->extent[order[d]];
        }
    }
    p->elements[i] = reach + 1;
    p->data[i] = draw_elements(args->input[i].dtype, p->elements[i]);
}

static bool dense(const struct ls_map_args *args, int i)
{
    int64_t step = 1;
    bool is_dense = true;
    for (int d = args->rank - 1; d >= 0; d--) {
        is_dense = is_dense && args->input[i].stride[d] == step;
        step *= args->extent[d];
    }
    return is_dense;
}

static void test_programs(int count)
{
    static const int64_t sizes[] = {1, 2, 3, 7, 10, 31, 64, 100, 127, 128, 129, 300, 1500, 20000};
    for (int t = 0; t < count; t++) {
        struct program p = {.args = {.n = 1, .rank = 1 + (int)draw_below(4)}};
        struct ls_map_args *args = &p.args;
        enum kind kinds[LS_REGISTER_ROW + LS_MAP_ROWS];
        for (int d = 0; d < args->rank; d++) {
            args->extent[d] = sizes[draw_below(14)];
            if (args->n * args->extent[d] > 50000) {
                args->extent[d] = 1;
            }
            args->n *= args->extent[d];
        }
        args->inputs = (uint8_t)(1 + draw_below(LS_MAP_INPUTS));
        args->immediates = (uint8_t)draw_below(LS_MAP_IMMEDIATES + 1);
        args->rows = (uint8_t)(1 + draw_below(LS_MAP_ROWS));
        args->outputs = (uint8_t)(1 + draw_below(LS_MAP_OUTPUTS));
        for (int i = 0; i < args->inputs; i++) {
            args->input[i].dtype = draw() % 2 ? LS_FLOAT32 : (ls_dtype)draw_below(LS_DTYPE_COUNT);
            kinds[i] = args->input[i].dtype == LS_FLOAT32 ? FLOAT : INT;
            draw_strides(&p, i);
        }
        for (int i = 0; i < args->immediates; i++) {
            int r = LS_REGISTER_IMMEDIATE + i;
            kinds[r] = some_kind(EITHER);
            args->immediate[i] = kinds[r] == FLOAT ? LS_BITS(draw_float()) : draw() % 9;
        }
        for (int j = 0; j < args->rows; j++) {
            bool found;
            do {
                int op = (int)draw_below(LS_ROW_COUNT);
                enum kind word = some_kind(EITHER);
                found = true;
                args->row[j].op = (uint16_t)op;
                for (int a = 0; a < rows[op].args && found; a++) {
                    enum kind kind = rows[op].arg[a] == EITHER ? word : rows[op].arg[a];
                    int r = some_register(kinds, j, args->inputs, args->immediates, kind);
                    args->row[j].arg[a] = (uint8_t)r;
                    found = r >= 0;
                }
                kinds[LS_REGISTER_ROW + j] = rows[op].result == EITHER ? word : rows[op].result;
            } while (!found);
        }
        for (int k = 0; k < args->outputs; k++) {
            int r = k ? (int)draw_below(args->inputs) : LS_REGISTER_ROW + args->rows - 1;
            if (k && draw() % 4) {
                r = LS_REGISTER_ROW + (int)draw_below(args->rows);
            }
            args->output[k].source = (uint8_t)r;
            args->output[k].dtype =
                kinds[r] == FLOAT ? LS_FLOAT32 : (ls_dtype)(LS_INT32 + draw_below(3));
            p.in_place[k] = -1;
            if (k < args->inputs && dense(args, k) && draw() % 2 &&
                args->input[k].dtype == args->output[k].dtype) {
                p.in_place[k] = k;
            }
        }
        snprintf(p.what, sizeof p.what, "map program %d, n = %lld, rank %d, rows %d", t,
                 (long long)args->n, args->rank, args->rows);
        run_program(&p);
    }
}

/* ---- moves ---- */

static void test_fill(void)
{
    for (int e = 0; e < EDGES; e++) {
        for (int t = 0; t < LS_DTYPE_COUNT; t++) {
            ls_dtype dtype = (ls_dtype)t;
            uint32_t value = t == LS_BOOL ? 1 : draw(), step = t == LS_INT32 ? draw() : 0;
            uint8_t *want = malloc((size_t)edges[e] * 4);
            for (int64_t i = 0; i < edges[e]; i++) {
                uint32_t element = value + (uint32_t)i * step;
                memcpy(want + (size_t)i * size_of(dtype), &element, size_of(dtype));
            }
            for (int d = 0; d < device_count; d++) {
                struct ls_fill_args args = {.dtype = dtype, .value = value, .step = step,
                                            .n = edges[e]};
                args.dst = upload(devices[d], NULL, edges[e] * (int64_t)size_of(dtype));
                ls_reference_backend.fill(devices[d], &args);
                check(devices[d], args.dst, dtype, want, edges[e], "fill");
            }
            free(want);
        }
    }
}

/* Random permutations, slices, reversals and broadcasts into a part of a larger array. */
static void test_copy(int count)
{
    static const int64_t sizes[] = {1, 2, 3, 5, 16, 33, 64, 65, 130, 700};
    for (int t = 0; t < count; t++) {
        struct ls_copy_nd_args args = {.rank = 1 + (int)draw_below(5)};
        int64_t n = 1, src_n = 1, dst_n = 1;
        int order[LS_MAX_RANK];
        char what[64];
        args.dtype = (ls_dtype)draw_below(LS_DTYPE_COUNT);
        for (int d = 0; d < args.rank; d++) {
            args.extent[d] = sizes[draw_below(10)];
            args.extent[d] = n * args.extent[d] > 100000 ? 1 : args.extent[d];
            n *= args.extent[d];
            order[d] = d;
        }
        for (int d = args.rank - 1; d > 0 && draw() % 4; d--) {
            int other = (int)draw_below(d + 1), kept = order[d];
            order[d] = order[other];
            order[other] = kept;
        }
        for (int d = args.rank - 1; d >= 0; d--) {
            int s = order[d];
            int64_t gap = draw() % 4 == 0 ? 2 : 1;
            args.dst_stride[d] = dst_n;
            dst_n *= args.extent[d] + (draw() % 4 == 0);
            if (draw() % 6) {
                args.src_stride[s] = gap * src_n;
                src_n *= gap * args.extent[s];
                if (draw() % 6 == 0) {
                    args.src_offset += args.src_stride[s] * (args.extent[s] - 1);
                    args.src_stride[s] = -args.src_stride[s];
                }
            }
        }
        args.src_offset += 3;
        args.dst_offset = (int64_t)draw_below(5);
        src_n += 3;
        dst_n += 5;
        size_t size = size_of(args.dtype);
        uint8_t *src = draw_elements(args.dtype, src_n), *want = draw_elements(args.dtype, dst_n);
        uint8_t *before = malloc((size_t)dst_n * size);
        memcpy(before, want, (size_t)dst_n * size);
        for (int64_t e = 0; e < n; e++) {
            int64_t rest = e, from = args.src_offset, to = args.dst_offset;
            for (int d = args.rank - 1; d >= 0; d--) {
                from += rest % args.extent[d] * args.src_stride[d];
                to += rest % args.extent[d] * args.dst_stride[d];
                rest /= args.extent[d];
            }
            memcpy(want + (size_t)to * size, src + (size_t)from * size, size);
        }
        snprintf(what, sizeof what, "copy_nd %d, n = %lld", t, (long long)n);
        for (int d = 0; d < device_count; d++) {
            args.src = upload(devices[d], src, src_n * (int64_t)size);
            args.dst = upload(devices[d], before, dst_n * (int64_t)size);
            ls_reference_backend.copy_nd(devices[d], &args);
            check(devices[d], args.dst, args.dtype, want, dst_n, what);
            release(devices[d], args.src);
        }
        free(src);
        free(want);
        free(before);
    }
}

/* The fault that a device must have noted, if any. */
static void check_fault(struct ls_device *device, enum ls_fault_kind kind, const int32_t *indices,
                        int64_t count, int64_t limit)
{
    struct ls_fault fault;
    int64_t i = 0;
    while (i < count && indices[i] >= 0 && indices[i] < limit) {
        i++;
    }
    ls_reference_backend.fault(device, &fault);
    expect(fault.set == (i < count), "a fault is noted where there is one");
    if (fault.set && i < count) {
        expect(fault.kind == kind && fault.position == i && fault.value == indices[i] &&
                   fault.limit == limit,
               "the fault names the first position");
    }
    ls_reference_backend.fault(device, &fault);
    expect(!fault.set, "a fault is taken once");
}

static void test_gather_and_scatter(int count)
{
    static const int64_t inners[] = {1, 3, 16, 64, 65, 127, 128, 129, 500};
    for (int t = 0; t < count; t++) {
        int64_t outer = 1 + draw_below(3), rows_n = 1 + draw_below(300), n = 1 + draw_below(700);
        int64_t inner = inners[draw_below(9)];
        bool faulty = t % 4 == 3;
        int32_t *indices = draw_ints(n, faulty ? -2 : 0, faulty ? rows_n + 2 : rows_n);
        float *table = draw_floats(outer * rows_n * inner);
        float *updates = draw_floats(outer * n * inner);
        float *gathered = calloc((size_t)(outer * n * inner), sizeof *gathered);
        float *sums = malloc((size_t)(outer * rows_n * inner) * sizeof *sums);
        memcpy(sums, table, (size_t)(outer * rows_n * inner) * sizeof *sums);
        for (int64_t i = 0; i < outer * n * inner; i++) {
            int64_t o = i / (n * inner), index = indices[i / inner % n];
            int64_t at = (o * rows_n + index) * inner + i % inner;
            if (index >= 0 && index < rows_n) {
                gathered[i] = table[at];
                sums[at] = sums[at] + updates[i];
            }
        }
        for (int d = 0; d < device_count; d++) {
            struct ls_buffer *table_b = upload(devices[d], table, outer * rows_n * inner * 4);
            struct ls_buffer *updates_b = upload(devices[d], updates, outer * n * inner * 4);
            struct ls_buffer *indices_b = upload(devices[d], indices, n * 4);
            struct ls_gather_args gather = {
                .table = table_b, .indices = indices_b, .dst = upload(devices[d], NULL, outer * n * inner * 4),
                .dtype = LS_FLOAT32, .outer = outer, .rows = rows_n, .inner = inner, .count = n};
            ls_reference_backend.gather(devices[d], &gather);
            check_fault(devices[d], LS_FAULT_GATHER, indices, n, rows_n);
            check(devices[d], gather.dst, LS_FLOAT32, gathered, outer * n * inner, "gather");
            struct ls_scatter_add_args scatter = {
                .dst = table_b, .indices = indices_b, .updates = updates_b,
                .outer = outer, .rows = rows_n, .inner = inner, .count = n};
            ls_reference_backend.scatter_add(devices[d], &scatter);
            check_fault(devices[d], LS_FAULT_SCATTER_ADD, indices, n, rows_n);
            check(devices[d], table_b, LS_FLOAT32, sums, outer * rows_n * inner, "scatter_add");
            release(devices[d], updates_b);
            release(devices[d], indices_b);
        }
        free(indices);
        free(table);
        free(updates);
        free(gathered);
        free(sums);
    }
}

/* ---- reduce ---- */

static float combine(enum ls_reduce_op op, float best, float x)
{
    return op == LS_REDUCE_SUM ? best + x : op == LS_REDUCE_PROD ? best * x : x > best ? x : best;
}

/* canon rule 9, in place. */
static float reduce_lanes(enum ls_reduce_op op, float *x, int64_t n)
{
    float start = op == LS_REDUCE_SUM ? 0.0f : 1.0f;
    if (n == 0) {
        return start;
    }
    do {
        int64_t blocks = (n + LS_REDUCE_BLOCK - 1) / LS_REDUCE_BLOCK;
        for (int64_t b = 0; b < blocks; b++) {
            float lane[LS_REDUCE_LANES];
            for (int l = 0; l < LS_REDUCE_LANES; l++) {
                lane[l] = start;
                for (int64_t i = b * LS_REDUCE_BLOCK + l; i < n && i < (b + 1) * LS_REDUCE_BLOCK;
                     i += LS_REDUCE_LANES) {
                    lane[l] = combine(op, lane[l], x[i]);
                }
            }
            for (int half = LS_REDUCE_LANES / 2; half; half /= 2) {
                for (int l = 0; l < half; l++) {
                    lane[l] = combine(op, lane[l], lane[l + half]);
                }
            }
            x[b] = lane[0];
        }
        n = blocks;
    } while (n > 1);
    return x[0];
}

/* canon rule 8: x[0], x[stride], ... */
static float reduce_chain(enum ls_reduce_op op, const float *x, int64_t n, int64_t stride)
{
    float total = op == LS_REDUCE_SUM ? 0.0f : 1.0f;
    for (int64_t first = 0; first < n; first += LS_CHAIN_BLOCK) {
        float sum = op == LS_REDUCE_SUM ? 0.0f : 1.0f;
        for (int64_t i = first; i < n && i < first + LS_CHAIN_BLOCK; i++) {
            sum = combine(op, sum, x[i * stride]);
        }
        total = first ? combine(op, total, sum) : sum;
    }
    return total;
}

static int64_t position(enum ls_reduce_op op, const float *x, int64_t n, int64_t stride)
{
    bool least = op == LS_REDUCE_MIN || op == LS_REDUCE_ARGMIN;
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++) {
        if (least ? x[i * stride] < x[best * stride] : x[i * stride] > x[best * stride]) {
            best = i;
        }
    }
    return best;
}

static uint32_t reduce_floats(enum ls_reduce_op op, const float *x, int64_t r, int64_t inner)
{
    if (op > LS_REDUCE_MIN) {
        return (uint32_t)position(op, x, r, inner);
    }
    if (op > LS_REDUCE_PROD) {
        return LS_BITS(x[position(op, x, r, inner) * inner]);
    }
    if (inner > 1) {
        return LS_BITS(reduce_chain(op, x, r, inner));
    }
    float *copy = malloc((size_t)(r + 1) * sizeof *copy);
    memcpy(copy, x, (size_t)r * sizeof *copy);
    float result = reduce_lanes(op, copy, r);
    free(copy);
    return LS_BITS(result);
}

static uint32_t reduce_ints(enum ls_reduce_op op, const int32_t *x, int64_t r, int64_t inner)
{
    uint32_t result = op == LS_REDUCE_SUM ? 0 : op == LS_REDUCE_PROD ? 1 : (uint32_t)x[0];
    for (int64_t i = 0; i < r; i++) {
        int32_t value = x[i * inner], best = (int32_t)result;
        switch (op) {
        case LS_REDUCE_SUM: result += (uint32_t)value; break;
        case LS_REDUCE_PROD: result *= (uint32_t)value; break;
        case LS_REDUCE_MAX: result = (uint32_t)(value > best ? value : best); break;
        default: result = (uint32_t)(value < best ? value : best);
        }
    }
    return result;
}

static void reduce_one(enum ls_reduce_op op, ls_dtype dtype, int64_t outer, int64_t r, int64_t inner)
{
    char what[96];
    int64_t n = outer * r * inner;
    void *x = draw_elements(dtype, n);
    if (dtype == LS_FLOAT32 && op == LS_REDUCE_PROD) {
        for (int64_t i = 0; i < n; i++) {
            ((float *)x)[i] = 1.0f + (float)(int32_t)draw() * 0x1p-38f;
        }
    }
    uint32_t *want = malloc((size_t)(outer * inner) * 4);
    for (int64_t o = 0; o < outer; o++) {
        for (int64_t j = 0; j < inner; j++) {
            int64_t at = o * r * inner + j;
            want[o * inner + j] = dtype == LS_FLOAT32
                                      ? reduce_floats(op, (float *)x + at, r, inner)
                                      : reduce_ints(op, (int32_t *)x + at, r, inner);
        }
    }
    snprintf(what, sizeof what, "reduce %d of %s (%lld, %lld, %lld)", (int)op,
             dtype == LS_FLOAT32 ? "floats" : "ints", (long long)outer, (long long)r,
             (long long)inner);
    for (int d = 0; d < device_count; d++) {
        struct ls_reduce_args args = {op, dtype, upload(devices[d], x, n * 4),
                                      upload(devices[d], NULL, outer * inner * 4), outer, r, inner};
        expect(ls_reference_backend.reduce(devices[d], &args) == LS_OK, "reduce returns LS_OK");
        check(devices[d], args.dst, op > LS_REDUCE_MIN ? LS_INT32 : dtype, want, outer * inner, what);
        release(devices[d], args.src);
    }
    free(x);
    free(want);
}

static void test_reduce(void)
{
    static const int64_t inners[] = {2, 3, 10, 16, 33, 64, 100, 511, 512, 513, 1100};
    for (int op = LS_REDUCE_SUM; op <= LS_REDUCE_ARGMIN; op++) {
        for (int e = 0; e < EDGES; e++) {
            reduce_one((enum ls_reduce_op)op, LS_FLOAT32, 1, edges[e], 1);
            reduce_one((enum ls_reduce_op)op, LS_FLOAT32, edges[e] > 5000 ? 2 : 21, edges[e], 1);
            reduce_one((enum ls_reduce_op)op, LS_FLOAT32, edges[e], 1 + draw_below(40), 1);
            reduce_one((enum ls_reduce_op)op, LS_FLOAT32, 1 + draw_below(3),
                       1 + edges[e] % 5000, inners[draw_below(edges[e] > 1100 ? 5 : 11)]);
            if (op < LS_REDUCE_ARGMAX) {
                reduce_one((enum ls_reduce_op)op, LS_INT32, 2, edges[e], 1);
                reduce_one((enum ls_reduce_op)op, LS_INT32, 2, edges[e] % 5000, 7);
            }
        }
    }
    reduce_one(LS_REDUCE_SUM, LS_FLOAT32, 3, 0, 1);
    reduce_one(LS_REDUCE_PROD, LS_FLOAT32, 3, 0, 5);
    reduce_one(LS_REDUCE_SUM, LS_FLOAT32, 1, ((int64_t)1 << 24) + 77, 1);
}

/* ---- gemm ---- */

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
        if (args.activation != LS_ROW_NONE) {
            total = LS_FLOAT(rows[args.activation].of(LS_BITS(total), 0, 0));
        }
        want[i] = total;
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
        gemm_one(args, draw() % 2, draw() % 2);
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

/* ---- devices, memory, environment ---- */

static void test_devices(void)
{
    struct ls_device *device = NULL;
    struct ls_message message = {{0}};
    const struct ls_backend *backend = &ls_reference_backend;
    expect(backend->open("sse9", &device, &message) == LS_NOT_FOUND, "sse9 is not found");
    expect(strstr(message.text, "reference:") != NULL, "the message lists what there is");
#if defined __x86_64__
    expect(backend->open("neon", &device, &message) == LS_UNAVAILABLE, "neon is unavailable");
#endif
    struct ls_device_info info[2];
    expect(backend->list(info, 2) == 1, "there is one reference device");
    expect(backend->list(NULL, 0) == 1, "list only counts when there is no room");
    expect(info[0].available && strcmp(info[0].device, "reference") == 0, "it is available");
    expect(backend->open(NULL, &device, &message) == LS_OK, "it opens");
    expect(strcmp(device->info.exactness, "E") == 0, "it is exact");
    struct ls_buffer *buffer = NULL;
    expect(backend->create(device, SIZE_MAX, &buffer) == LS_OUT_OF_MEMORY, "SIZE_MAX bytes");
    expect(backend->create(device, SIZE_MAX / 2, &buffer) == LS_OUT_OF_MEMORY, "SIZE_MAX / 2 bytes");
    expect(device->message.text[0] != '\0', "a failure leaves a message");
    expect(backend->create(device, 0, &buffer) == LS_OK, "a buffer of no bytes");
    backend->destroy(device, buffer);
    backend->close(device);
}

#if defined __SSE2__
/* A host that flushes subnormals and rounds upward: same bits, and its setting is kept. */
static void test_environment(void)
{
    enum { HOST = 0x1f80 | 0x8040 | 0x4000 };
    int64_t n = 70000;
    float *a = malloc((size_t)n * sizeof *a), *want = malloc((size_t)n * sizeof *want);
    for (int64_t i = 0; i < n; i++) {
        a[i] = ((float)(int32_t)draw() * 0x1p-100f) * 0x1p-60f;
        want[i] = a[i] * 0.3f;
    }
    for (int d = 0; d < device_count; d++) {
        struct ls_map_args args = {
            .rows = 1, .inputs = 1, .outputs = 1, .immediates = 1, .rank = 1, .n = n, .extent = {n},
            .row = {{LS_ROW_mul, {0, LS_REGISTER_IMMEDIATE, 0}}},
            .immediate = {LS_BITS(0.3f)},
            .input = {{upload(devices[d], a, n * 4), LS_FLOAT32, {1}}},
            .output = {{upload(devices[d], NULL, n * 4), LS_FLOAT32, LS_REGISTER_ROW}}};
        _mm_setcsr(HOST);
        ls_reference_backend.map(devices[d], &args);
        unsigned after = _mm_getcsr();
        _mm_setcsr(0x1f80);
        expect((after & 0xffc0) == HOST, "the host's MXCSR is restored");
        check(devices[d], args.output[0].buffer, LS_FLOAT32, want, n, "mul under FTZ, DAZ, upward");
        release(devices[d], args.input[0].buffer);
    }
    free(a);
    free(want);
}
#endif

int main(void)
{
    const char *isas[4];
    size_t isa_count = ls_reference_isas(isas, 4);
    for (size_t i = 0; i < isa_count; i++) {
        for (int threads = 1; threads <= 3; threads++) {
            struct ls_message message;
#if defined _OPENMP
            omp_set_num_threads(threads);
#endif
            if (ls_reference_backend.open(isas[i], &devices[device_count], &message)) {
                printf("%s\n", message.text);
                return 1;
            }
            device_count++;
        }
    }
    test_devices();
#if defined __SSE2__
    test_environment();
#endif
    test_rows();
    test_programs(400);
    test_fill();
    test_copy(200);
    test_gather_and_scatter(40);
    test_reduce();
    test_gemm(400);
    test_softmax();
    test_random();
    for (int d = 0; d < device_count; d++) {
        ls_reference_backend.close(devices[d]);
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}
