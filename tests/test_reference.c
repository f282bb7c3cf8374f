/* SPDX-License-Identifier: Apache-2.0
 *
 * The reference backend against canon.md: its devices and memory, its floating point environment, and
 * map. The other slots: test_reference_moves.c and test_reference_products.c.
 */
#include "reference_check.h"

#if defined __SSE2__
#include <xmmintrin.h>
#endif

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
#include "elementwise_rows.h"
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
#include "elementwise_rows.h"
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
    case LS_FLOAT16:
    case LS_BFLOAT16: return ((const uint16_t *)data)[at];
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
            case LS_FLOAT16:
            case LS_BFLOAT16: ((uint16_t *)want[k])[e] = (uint16_t)result; break;
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
                kinds[r] == FLOAT ? LS_FLOAT32 : (ls_dtype)(LS_INT32 + draw_below(LS_DTYPE_COUNT - 1));
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

#if defined __SSE2__ || defined __aarch64__
/* The control bits of the floating point environment; ODD flushes subnormals and rounds upward. */
#if defined __SSE2__
enum { CONTROL = 0xffc0, USUAL = 0x1f80, ODD = 0x1f80 | 0x8040 | 0x4000 };
#else
enum { CONTROL = 0x1c00000, USUAL = 0, ODD = 0x1400000 };
#endif

static unsigned host(void)
{
#if defined __SSE2__
    return _mm_getcsr() & CONTROL;
#else
    uint64_t control;
    __asm__ volatile("mrs %0, fpcr" : "=r"(control));
    return (unsigned)control & CONTROL;
#endif
}

static void set_host(unsigned control)
{
#if defined __SSE2__
    _mm_setcsr(control);
#else
    __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)control) : "memory");
#endif
}

/* A host with another environment: same bits, and its setting is kept. */
static void test_environment(void)
{
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
        set_host(ODD);
        ls_reference_backend.map(devices[d], &args);
        unsigned after = host();
        set_host(USUAL);
        expect(after == ODD, "the host's floating point environment is restored");
        check(devices[d], args.output[0].buffer, LS_FLOAT32, want, n, "mul under FTZ, DAZ, upward");
        release(devices[d], args.input[0].buffer);
    }
    free(a);
    free(want);
}
#endif

int main(void)
{
    if (!open_devices()) {
        return 1;
    }
    test_devices();
#if defined __SSE2__ || defined __aarch64__
    test_environment();
#endif
    test_rows();
    test_programs(400);
    return finish();
}
