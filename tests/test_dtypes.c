/* SPDX-License-Identifier: Apache-2.0
 *
 * float16 and bfloat16: every value to float32 and back, float32 to both at every tie and at millions
 * of drawn numbers, against a search for the nearest value in double; what moves elements; what is
 * refused; gradients; fingerprints.
 *
 *     test_dtypes [KIND] [SEED]      default reference, 1
 */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "devices.h"

/* ---- The formats, stated once more ---- */

struct format {
    ls_dtype dtype;
    const char *name;
    int fraction, bias; /* bits of the fraction; the exponent field of 1.0 */
    uint16_t infinity, one;
};

static const struct format formats[] = {{LS_FLOAT16, "float16", 10, 15, 0x7c00, 0x3c00},
                                        {LS_BFLOAT16, "bfloat16", 7, 127, 0x7f80, 0x3f80}};
static double magnitude[2][32768]; /* of the positive values; of infinity, that of the next power of two */

static void fill_magnitudes(int f)
{
    for (int code = 0; code <= formats[f].infinity; code++) {
        int field = code >> formats[f].fraction, rest = code & ((1 << formats[f].fraction) - 1);
        double unit = ldexp(1, (field ? field : 1) - formats[f].bias - formats[f].fraction);
        magnitude[f][code] = unit * (rest + (field ? 1 << formats[f].fraction : 0));
    }
}

/* The code nearest to x: of two equally near the even one. -1 for NaN. */
static int nearest(int f, float x)
{
    double size = fabs((double)x);
    int low = 0, high = formats[f].infinity, sign = signbit(x) ? 0x8000 : 0;
    if (isnan(x))
        return -1;
    if (size >= magnitude[f][high])
        return sign | high;
    while (high - low > 1) {
        int middle = (low + high) / 2;
        *(magnitude[f][middle] <= size ? &low : &high) = middle;
    }
    double halfway = (magnitude[f][low] + magnitude[f][high]) / 2;
    return sign | (size < halfway || (size == halfway && low % 2 == 0) ? low : high);
}

static bool is_nan(int f, unsigned code) { return (code & 0x7fff) > formats[f].infinity; }

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* ---- Casts ---- */

enum { MOST = 1 << 16 };
static uint64_t state = 1;

static uint32_t draw(void)
{
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ z >> 31) >> 32);
}

/* Casts n float32 values on the device and compares them with the nearest codes. */
static void check_to(ls_context *ls, int f, const char *what, const float *x, int64_t n)
{
    static uint16_t got[MOST];
    int64_t wrong = 0, first = 0;
    LS_SCOPE (ls) {
        ls_tensor y = ls_cast(ls_from_host(ls, LS_FLOAT32, LS_SHAPE(n), x), formats[f].dtype);
        CHECK(ls_read(y, got, (size_t)n * 2) == LS_OK, "%s", ls_error_message(ls));
    }
    for (int64_t i = n; i-- > 0;) {
        int want = nearest(f, x[i]);
        if (want < 0 ? !is_nan(f, got[i]) : got[i] != want) {
            wrong++;
            first = i;
        }
    }
    CHECK(wrong == 0, "%s to %s: %lld wrong, the first %a gives %04x, not %04x", what, formats[f].name,
          (long long)wrong, (double)x[first], got[first], (unsigned)nearest(f, x[first]));
}

static void every_value(ls_context *ls, int f, int64_t most)
{
    static uint16_t codes[MOST], back[MOST];
    static float floats[MOST];
    for (int i = 0; i < MOST; i++)
        codes[i] = (uint16_t)i;
    for (int64_t at = 0; at < MOST; at += most) {
        int64_t n = MOST - at < most ? MOST - at : most;
        LS_SCOPE (ls) {
            ls_tensor x = ls_from_host(ls, formats[f].dtype, LS_SHAPE(n), codes + at), y = ls_cast(x, LS_FLOAT32);
            CHECK(ls_dtype_of(y) == LS_FLOAT32 && ls_read(y, floats + at, (size_t)n * 4) == LS_OK, "%s",
                  ls_error_message(ls));
            ls_tensor z = ls_cast(y, formats[f].dtype);
            CHECK(ls_dtype_of(z) == formats[f].dtype && ls_read(z, back + at, (size_t)n * 2) == LS_OK, "%s",
                  ls_error_message(ls));
        }
    }
    for (int i = 0; i < MOST; i++) {
        double size = magnitude[f][i & 0x7fff];
        uint32_t want = bits_of((float)((i & 0x7fff) == formats[f].infinity ? INFINITY : size));
        want |= (uint32_t)(i & 0x8000) << 16;
        bool same = is_nan(f, (unsigned)i) ? isnan(floats[i]) && is_nan(f, back[i])
                                           : bits_of(floats[i]) == want && back[i] == i;
        CHECK(same, "%s %04x is %a (%08x), and back %04x", formats[f].name, (unsigned)i, (double)floats[i],
              (unsigned)bits_of(floats[i]), back[i]);
    }
}

/* Between all neighbours, up to the one from which on there is infinity, and a step to either side. */
static void every_tie(ls_context *ls, int f, int64_t most)
{
    static float x[MOST];
    int64_t n = 0;
    for (int code = 0; code < formats[f].infinity; code++) {
        float tie = (float)((magnitude[f][code] + magnitude[f][code + 1]) / 2);
        float three[] = {nextafterf(tie, 0), tie, nextafterf(tie, INFINITY)};
        for (int i = 0; i < 6; i++)
            x[n++] = i < 3 ? three[i] : -three[i - 3];
        if (n + 6 > most || code + 1 == formats[f].infinity) {
            check_to(ls, f, "ties", x, n);
            n = 0;
        }
    }
}

/* Half of them any bits; the others of a size that the format has. */
static void sample(ls_context *ls, int f, int64_t most, int64_t count)
{
    static float x[MOST];
    for (int64_t done = 0; done < count; done += most) {
        for (int64_t i = 0; i < most; i++) {
            uint32_t bits = draw();
            uint32_t field = 127u - 26u + draw() % 44u; /* 2^-26 to 2^17: what is a number in float16 */
            x[i] = float_of(i % 2 ? bits : (bits & 0x807fffffu) | field << 23);
        }
        check_to(ls, f, "a sample", x, most);
    }
}

/* Of other types by way of float32; rank 0, nothing, constants. */
static void other_casts(ls_context *ls, int f)
{
    ls_dtype dtype = formats[f].dtype, other = formats[1 - f].dtype;
    int32_t ints[] = {0, 1, -7, 255, 100000}, got_ints[5];
    uint16_t halves[5];
    uint8_t bytes[5];
    float one = 0, x[] = {0.1f, -2.5f, 60000, 1e-7f, INFINITY};
    ls_tensor a = ls_cast(ls_from_host(ls, LS_INT32, LS_SHAPE(5), ints), dtype);
    CHECK(ls_read(a, halves, sizeof halves) == LS_OK, "%s", ls_error_message(ls));
    for (int i = 0; i < 5; i++)
        CHECK(halves[i] == nearest(f, (float)ints[i]), "%d is %04x", (int)ints[i], halves[i]);
    CHECK(ls_read(ls_cast(a, LS_INT32), got_ints, sizeof got_ints) == LS_OK && got_ints[2] == -7 && got_ints[3] == 255,
          "%d %d", (int)got_ints[2], (int)got_ints[3]);
    CHECK(ls_read(ls_cast(a, LS_BOOL), bytes, 5) == LS_OK && !bytes[0] && bytes[1] && bytes[2], "to bool");
    CHECK(ls_read(ls_cast(a, LS_UINT8), bytes, 5) == LS_OK && bytes[3] == 255, "to uint8: %d", bytes[3]);
    ls_tensor b = ls_cast(ls_cast(ls_from_host(ls, LS_FLOAT32, LS_SHAPE(5), x), dtype), other);
    CHECK(ls_read(b, halves, sizeof halves) == LS_OK, "%s", ls_error_message(ls));
    for (int i = 0; i < 5; i++) {
        int first = nearest(f, x[i]), sign = first & 0x8000;
        double value = (first & 0x7fff) == formats[f].infinity ? INFINITY : magnitude[f][first & 0x7fff];
        CHECK(halves[i] == (sign | nearest(1 - f, (float)value)), "%g to %s and on: %04x", (double)x[i],
              formats[f].name, halves[i]);
    }
    CHECK(ls_cast(b, other).index == b.index, "a cast to the same type is the tensor itself");
    ls_tensor scalar = ls_cast(ls_scalar(ls, 1.0f), dtype), ones = ls_ones(ls, dtype, LS_SHAPE(2, 3));
    CHECK(ls_read(scalar, halves, 2) == LS_OK && halves[0] == formats[f].one, "%04x", halves[0]);
    CHECK(ls_item(ls_cast(ls_slice(ones, (int64_t[]){1, 2}, (int64_t[]){1, 1}, NULL), LS_FLOAT32)) == 1.0f, "ones");
    CHECK(ls_item(ls_sum(ls_cast(ls_ones_like(ones), LS_FLOAT32), NULL, 0, false)) == 6.0f, "ones_like");
    CHECK(ls_size(ls_cast(ls_zeros(ls, dtype, LS_SHAPE(0, 4)), LS_FLOAT32)) == 0, "nothing");
    CHECK(ls_read(ls_where(ls_cast(ls_int_scalar(ls, 1), LS_BOOL), scalar, ls_zeros(ls, dtype, LS_SCALAR_SHAPE)),
                  halves, 2) == LS_OK && halves[0] == formats[f].one, "where of constants: %04x", halves[0]);
    one = ls_item(ls_cast(scalar, LS_FLOAT32));
    CHECK(one == 1.0f && ls_dtype_size(dtype) == 2 && strcmp(ls_dtype_name(dtype), formats[f].name) == 0, "%g",
          (double)one);
    CHECK(ls_error(ls) == LS_OK, "%s", ls_error_message(ls));
}

/* ---- What moves elements: the same as of int32 ---- */

enum { ROWS = 6, COLUMNS = 35, MOVES = 16 };

static ls_tensor moved(int move, ls_tensor a, ls_tensor b)
{
    ls_context *ls = a.context;
    ls_tensor rows = ls_from_host(ls, LS_INT32, LS_SHAPE(4), (int32_t[]){5, 0, 0, 3});
    ls_tensor odd = ls_from_host(ls, LS_BOOL, LS_SHAPE(7, 1), (uint8_t[]){1, 0, 1, 0, 0, 1, 1});
    ls_tensor pairs = ls_from_host(ls, LS_INT32, LS_SHAPE(3, 2), (int32_t[]){5, 34, 0, 0, 2, 17});
    int64_t sizes[] = {2, 4};
    ls_tensor parts[2] = {{0}};
    switch (move) {
    case 0: return ls_reshape(a, LS_SHAPE(7, -1));
    case 1: return ls_transpose(a, NULL);
    case 2: return ls_transpose(ls_reshape(a, LS_SHAPE(2, 3, 5, 7)), (int[]){2, 0, 3, 1});
    case 3: return ls_slice(a, (int64_t[]){5, 1}, (int64_t[]){3, 11}, (int64_t[]){-2, 3});
    case 4: return ls_concat((ls_tensor[]){a, b, a}, 3, 0);
    case 5: return ls_concat((ls_tensor[]){a, b}, 2, 1);
    case 6: return ls_gather(a, rows, 0);
    case 7: return ls_gather(a, rows, 1);
    case 8: return ls_where(odd, ls_reshape(a, LS_SHAPE(1, 210)), ls_reshape(b, LS_SHAPE(1, 210)));
    case 9: return ls_pad(a, .before = (int64_t[]){1, 2}, .after = (int64_t[]){0, 3});
    case 10: return ls_tile(ls_flip(a, NULL, 0), (int64_t[]){2, 3});
    case 11: return ls_stack((ls_tensor[]){a, b}, 2, 1);
    case 12: return ls_tril(a, 3);
    case 13: return ls_gather_nd(a, pairs);
    case 14: return ls_roll(ls_broadcast_to(ls_reshape(a, LS_SHAPE(6, 1, 35)), LS_SHAPE(6, 2, 35)), 4, 2);
    default: return ls_split(a, sizes, 2, 0, parts) == LS_OK ? parts[1] : (ls_tensor){0};
    }
}

static void moves(ls_context *ls, int f)
{
    enum { N = ROWS * COLUMNS };
    static int32_t wide[2][N], want[8 * N];
    static uint16_t narrow[2][N], got[8 * N];
    for (int i = 0; i < 2 * N; i++)
        wide[i / N][i % N] = narrow[i / N][i % N] = (uint16_t)draw();
    for (int move = 0; move < MOVES; move++) {
        LS_SCOPE (ls) {
            ls_tensor x[2], y[2];
            for (int k = 0; k < 2; k++) {
                x[k] = ls_from_host(ls, LS_INT32, LS_SHAPE(ROWS, COLUMNS), wide[k]);
                y[k] = ls_from_host(ls, formats[f].dtype, LS_SHAPE(ROWS, COLUMNS), narrow[k]);
            }
            ls_tensor p = moved(move, x[0], x[1]), q = moved(move, y[0], y[1]);
            ls_shape a = ls_shape_of_tensor(p), b = ls_shape_of_tensor(q);
            size_t n = (size_t)ls_size(p);
            bool read = n > 0 && n <= sizeof got / sizeof *got && ls_read(p, want, n * 4) == LS_OK &&
                        ls_read(q, got, n * 2) == LS_OK;
            CHECK(read && ls_dtype_of(q) == formats[f].dtype && memcmp(&a, &b, sizeof a) == 0, "move %d: %s", move,
                  ls_error_message(ls));
            size_t wrong = 0;
            for (size_t i = 0; read && i < n; i++)
                wrong += want[i] != got[i];
            CHECK(wrong == 0, "move %d of %s: %zu of %zu elements", move, formats[f].name, wrong, n);
        }
    }
    ls_tensor variable = ls_variable(ls_from_host(ls, formats[f].dtype, LS_SHAPE(N), narrow[0]), "stored", false);
    ls_assign(variable, ls_from_host(ls, formats[f].dtype, LS_SHAPE(N), narrow[1]));
    CHECK(ls_read(variable, got, 2 * N) == LS_OK && memcmp(got, narrow[1], 2 * N) == 0, "%s", ls_error_message(ls));
    ls_variable_destroy(&variable);
}

/* ---- What is refused ---- */

static void refusals(ls_context *ls, int f)
{
    ls_tensor h = ls_ones(ls, formats[f].dtype, LS_SHAPE(3, 3)), x = ls_ones(ls, LS_FLOAT32, LS_SHAPE(3, 3));
    char given[64];
    snprintf(given, sizeof given, "was given %s (3, 3); ls_cast converts", formats[f].name);
    for (int i = 0; i < 10; i++) {
        switch (i) {
        case 0: ls_add(h, h); break;
        case 1: ls_mul(x, h); break;
        case 2: ls_relu(h); break;
        case 3: ls_matmul(h, x); break;
        case 4: ls_sum(h, NULL, 0, false); break;
        case 5: ls_softmax(h, -1); break;
        case 6: ls_max(h, NULL, 0, false); break;
        case 7: ls_concat((ls_tensor[]){x, h}, 2, 0); break;
        case 8: ls_equal(h, h); break;
        default: ls_sort(h, 0, false); break;
        }
        CHECK_ERROR(ls, LS_DTYPE_MISMATCH, given);
    }
    ls_item(ls_slice(h, (int64_t[]){0, 0}, (int64_t[]){1, 1}, NULL));
    CHECK_ERROR(ls, LS_DTYPE_MISMATCH, "ls_cast converts");
    ls_variable(h, "w", true);
    CHECK_ERROR(ls, LS_DTYPE_MISMATCH, formats[f].name);
    uint16_t some[8];
    ls_read(h, some, 16);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "has 18");
}

/* ---- Gradients ---- */

static float round_trip(int f, float x)
{
    int code = nearest(f, x);
    return (float)magnitude[f][code & 0x7fff] * (code & 0x8000 ? -1.0f : 1.0f);
}

/* Of through(x)^2 where through rounds: 2 through(x), itself rounded on its way back; and again. */
static void gradients(ls_context *ls, int f)
{
    float x[] = {0.1f, -3.3f, 1000.7f, 2e-6f}, got[4], second[4];
    ls_dtype dtype = formats[f].dtype;
    ls_tensor a = ls_from_host(ls, LS_FLOAT32, LS_SHAPE(4), x), g, gg;
    ls_tape *outer = ls_tape_begin(ls), *inner = ls_tape_begin(ls);
    ls_watch(outer, a);
    ls_watch(inner, a);
    ls_tensor y = ls_square(ls_cast(ls_cast(a, dtype), LS_FLOAT32));
    CHECK(ls_gradient(inner, y, &a, 1, &g) == LS_OK && ls_gradient(outer, g, &a, 1, &gg) == LS_OK, "%s",
          ls_error_message(ls));
    CHECK(ls_read(g, got, sizeof got) == LS_OK && ls_read(gg, second, sizeof second) == LS_OK, "%s",
          ls_error_message(ls));
    for (int i = 0; i < 4; i++)
        CHECK(got[i] == round_trip(f, 2 * round_trip(f, x[i])) && second[i] == 2, "gradients %a and %a by %g",
              (double)got[i], (double)second[i], (double)x[i]);

    /* A stored tensor with several consumers, broadcast, gathered twice and chosen from: its gradient has
     * its type; the contributions are added in float32 and rounded once. */
    ls_tensor table = ls_cast(ls_from_host(ls, LS_FLOAT32, LS_SHAPE(4), x), dtype), dtable;
    ls_tensor ids = ls_from_host(ls, LS_INT32, LS_SHAPE(5), (int32_t[]){1, 1, 2, 1, 0});
    ls_tensor yes = ls_from_host(ls, LS_BOOL, LS_SHAPE(4), (uint8_t[]){0, 1, 1, 0});
    ls_tape *tape = ls_tape_begin(ls);
    ls_watch(tape, table);
    ls_tensor rows = ls_cast(ls_gather(table, ids, 0), LS_FLOAT32);
    ls_tensor wide = ls_cast(ls_broadcast_to(table, LS_SHAPE(3, 4)), LS_FLOAT32);
    ls_tensor some = ls_cast(ls_where(yes, table, ls_zeros(ls, dtype, LS_SCALAR_SHAPE)), LS_FLOAT32);
    ls_tensor ends = ls_cast(ls_concat((ls_tensor[]){ls_slice(table, (int64_t[]){3}, (int64_t[]){1}, NULL),
                                                     ls_reshape(ls_transpose(table, NULL), LS_SHAPE(4))}, 2, 0), LS_FLOAT32);
    ls_tensor z = ls_add(ls_add(ls_sum(rows, NULL, 0, false), ls_mul(ls_scalar(ls, 0.1f), ls_sum(wide, NULL, 0, false))),
                         ls_add(ls_sum(some, NULL, 0, false), ls_sum(ends, NULL, 0, false)));
    CHECK(ls_gradient(tape, z, &table, 1, &dtable) == LS_OK && ls_dtype_of(dtable) == dtype, "%s", ls_error_message(ls));
    uint16_t codes[4] = {0};
    CHECK(ls_read(dtable, codes, sizeof codes) == LS_OK, "%s", ls_error_message(ls));
    float tenth = round_trip(f, 3 * round_trip(f, 0.1f)); /* broadcast: three times, as sum_to rounds it */
    float want[] = {1 + tenth + 0 + 1, 3 + tenth + 1 + 1, 1 + tenth + 1 + 1, 0 + tenth + 0 + 2};
    for (int i = 0; i < 4; i++)
        CHECK(codes[i] == nearest(f, want[i]), "gradient %d of a table is %04x, not %04x", i, codes[i],
              (unsigned)nearest(f, want[i]));

    /* As a target and as an output gradient; of the wrong type it is refused. */
    ls_tape *stored = ls_tape_begin(ls, .persistent = true);
    ls_watch(stored, a);
    ls_tensor h = ls_cast(a, dtype), dy = ls_cast(ls_fill(ls, LS_SHAPE(4), 3.0f), dtype);
    ls_tape_end(stored);
    CHECK(ls_gradient(stored, h, &a, 1, &g) == LS_OK && ls_dtype_of(g) == LS_FLOAT32 &&
              ls_read(g, got, sizeof got) == LS_OK && got[0] == 1 && got[3] == 1, "%s", ls_error_message(ls));
    ls_gradient_options asked = {.tape = stored, .targets = &h, .target_count = 1, .output_gradients = &dy,
                                 .sources = &a, .source_count = 1, .gradients = &g};
    CHECK(ls_gradient_with(&asked) == LS_OK && ls_read(g, got, sizeof got) == LS_OK && got[2] == 3, "%s",
          ls_error_message(ls));
    dy = a;
    ls_gradient_with(&asked);
    CHECK_ERROR(ls, LS_DTYPE_MISMATCH, "output gradient 0 is float32, not");
}

/* ---- Fingerprints, and the check for numbers ---- */

static void fingerprints(ls_context *ls, int f)
{
    uint16_t data[] = {0x0000, 0x8000, 0x3c00, 0xbf80, 0x0001, 0x8001, 0x7bff}, other[7];
    memcpy(other, data, sizeof data);
    other[0] = 0x8000;
    ls_tensor a = ls_from_host(ls, formats[f].dtype, LS_SHAPE(7), data);
    ls_tensor b = ls_from_host(ls, formats[f].dtype, LS_SHAPE(7), other);
    other[2] ^= 1;
    ls_tensor c = ls_from_host(ls, formats[f].dtype, LS_SHAPE(7), other);
    ls_fingerprint_text x = ls_fingerprint(&a, 1), y = ls_fingerprint(&b, 1), z = ls_fingerprint(&c, 1);
    CHECK(strcmp(x.text, y.text) == 0, "-0 is +0: %s, %s", x.text, y.text);
    CHECK(strcmp(x.text, z.text) != 0, "one bit more: %s", z.text);
    CHECK(strcmp(x.text, "ls1:9cd02258af32ee14") == 0, "%s", x.text);
}

static void numerics(const char *device, int f)
{
    setenv("LOCKSTEP_CHECK", "numerics", 1);
    ls_context *ls = ls_open(device);
    unsetenv("LOCKSTEP_CHECK");
    ls_cast(ls_from_host(ls, LS_FLOAT32, LS_SHAPE(3), (float[]){1, -70000, 2}), formats[f].dtype);
    if (formats[f].dtype == LS_FLOAT16)
        CHECK_ERROR(ls, LS_NOT_FINITE, "cast made -Inf at element 1 of (3,)");
    CHECK(ls_error(ls) == LS_OK, "%s", ls_error_message(ls));
    ls_cast(ls_scalar(ls, NAN), formats[f].dtype);
    CHECK_ERROR(ls, LS_NOT_FINITE, "cast made NaN");
    ls_close(&ls);
}

/* ---- Captured ---- */

static void store_and_add(void *user, const ls_tensor *inputs, ls_tensor *outputs)
{
    const struct format *format = user;
    ls_tensor stored = ls_transpose(ls_cast(inputs[0], format->dtype), NULL);
    outputs[0] = ls_concat((ls_tensor[]){stored, inputs[1]}, 2, 0);
    outputs[1] = ls_add(ls_cast(outputs[0], LS_FLOAT32), ls_scalar(inputs[0].context, 1.0f));
}

static void captured(ls_context *ls, int f)
{
    struct format format = formats[f];
    ls_function *function = ls_function_create(ls, store_and_add, &format, 2, 2);
    for (int call = 0; call < 4; call++) {
        float x[6], sums[12];
        uint16_t y[6], both[12];
        ls_tensor out[2] = {{0}};
        for (int i = 0; i < 6; i++) {
            x[i] = (float)(int32_t)draw() * 0x1p-24f;
            y[i] = (uint16_t)(formats[f].one + (int)(draw() % 200));
        }
        LS_SCOPE (ls) {
            ls_tensor in[] = {ls_from_host(ls, LS_FLOAT32, LS_SHAPE(2, 3), x),
                              ls_from_host(ls, formats[f].dtype, LS_SHAPE(3, 2), y)};
            CHECK(ls_function_call(function, in, out) == LS_OK && ls_read(out[0], both, sizeof both) == LS_OK &&
                      ls_read(out[1], sums, sizeof sums) == LS_OK, "%s", ls_error_message(ls));
        }
        for (int i = 0; i < 12; i++) {
            int want = i < 6 ? nearest(f, x[i % 2 * 3 + i / 2]) : y[i - 6];
            float value = (float)magnitude[f][want & 0x7fff] * (want & 0x8000 ? -1.0f : 1.0f);
            CHECK(both[i] == want && sums[i] == value + 1.0f, "call %d, element %d: %04x, %a", call, i, both[i],
                  (double)sums[i]);
        }
    }
    ls_function_destroy(&function);
}

int main(int argc, char **argv)
{
    struct device_kind kind = device_kind_of(argc > 1 ? argv[1] : "reference");
    ls_context *ls = ls_open(kind.words);
    if (ls_error(ls) == LS_NOT_FOUND || ls_error(ls) == LS_UNAVAILABLE)
        device_absent(&kind, ls_error_message(ls));
    state = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
    int64_t most = kind.most_elements < MOST ? kind.most_elements : MOST;
    fill_magnitudes(0);
    fill_magnitudes(1);
    for (int f = 0; f < 2; f++) {
        every_value(ls, f, most);
        every_tie(ls, f, most);
        sample(ls, f, most, kind.most_elements >= 1 << 20 ? 1 << 22 : kind.most_elements);
        LS_SCOPE (ls)
            other_casts(ls, f);
        LS_SCOPE (ls)
            moves(ls, f);
        LS_SCOPE (ls)
            refusals(ls, f);
        LS_SCOPE (ls)
            gradients(ls, f);
        LS_SCOPE (ls)
            fingerprints(ls, f);
        LS_SCOPE (ls)
            captured(ls, f);
        numerics(kind.words, f);
        CHECK(ls_error(ls) == LS_OK, "%s", ls_error_message(ls));
        CHECK(ls_get_stats(ls).live_tensors == 0, "%zu tensors are left", ls_get_stats(ls).live_tensors);
    }
    ls_close(&ls);
    return end_of_checks();
}
