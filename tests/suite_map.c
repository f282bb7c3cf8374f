/* SPDX-License-Identifier: Apache-2.0
 *
 * The primitive map: every row of elementwise.def, dense and broadcast, and programs of several.
 */
#include <stdio.h>
#include <string.h>

#include "duel.h"

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
#include "elementwise_rows.h"
};

static void one_row(struct duel *d, int op, int64_t n, enum duel_data data, int pattern)
{
    const struct row *row = &rows[op];
    int inputs = (int)strlen(row->in);
    char name[96];
    int64_t cols = n < 7 ? n : 7, lines = n / cols;
    n = lines * cols;
    struct duel_array in[3], out = duel_floats(d, n, PLAIN);
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
        in[i] = duel_make(d, row->in[i] == 'I' ? LS_INT32 : LS_FLOAT32, !broadcast ? n : pattern == 1 ? 1 : pattern == 2 ? cols : lines,
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
    duel_compare(d, &out, result, n, name);
    for (int i = 0; i < inputs; i++)
        duel_drop(d, &in[i]);
    duel_drop(d, &out);
}

void duel_rows(struct duel *d)
{
    static const int64_t few[] = {1, 3, 64, 65, 1025, 4099, 65537};
    for (int op = 0; op < LS_ROW_COUNT; op++) {
        for (size_t i = 0; i < sizeof few / sizeof *few; i++) {
            /* Large arrays test the walk over them, not the row: on slow devices a few rows do. */
            if (!duel_affordable(d, few[i]) || (few[i] > 5000 && !duel_affordable(d, 16 * few[i]) && op % 8 != 0))
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
void duel_program(struct duel *d, int64_t n)
{
    enum { ROW = LS_REGISTER_ROW, IMM = LS_REGISTER_IMMEDIATE };
    char name[96];
    struct duel_array bytes = duel_make(d, LS_UINT8, n, PLAIN, 0, 0), flags = duel_make(d, LS_BOOL, n, PLAIN, 0, 0);
    struct duel_array w = duel_floats(d, n, ORDER), m = duel_floats(d, n, ORDER), out = duel_make(d, LS_UINT8, n, PLAIN, 0, 0);
    snprintf(name, sizeof name, "map/program n=%lld", (long long)n);
    /* w = flags ? bytes / 255 : w, m = fma(w, 0.9, m) in place; out = bytes + 200 as uint8 */
    struct ls_map_args args = {.rows = 6,
                               .inputs = 4,
                               .outputs = 3,
                               .immediates = 3,
                               .rank = 1,
                               .n = n,
                               .extent = {n},
                               .immediate = {duel_bits(255.0f), duel_bits(0.9f), 200},
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
    duel_compare(d, &w, LS_FLOAT32, n, name);
    duel_compare(d, &m, LS_FLOAT32, n, name);
    duel_compare(d, &out, LS_UINT8, n, name);
    duel_drop(d, &bytes);
    duel_drop(d, &flags);
    duel_drop(d, &w);
    duel_drop(d, &m);
    duel_drop(d, &out);
}

/* Loads and stores of the 16-bit types in every pattern of access: from both to float32, a product, back. */
void duel_halves(struct duel *d, int64_t n, int pattern)
{
    enum { ROW = LS_REGISTER_ROW };
    static const char *const patterns[] = {"dense", "scalar", "row", "column", "turned"};
    char name[96];
    int64_t cols = n < 7 ? n : n % 2 ? 7 : 50, lines = n / cols;
    n = lines * cols;
    snprintf(name, sizeof name, "map/halves n=%lld %s", (long long)n, patterns[pattern]);
    struct duel_array a = duel_make(d, LS_FLOAT16, n, PLAIN, 0, 0), b = duel_make(d, LS_BFLOAT16, n, PLAIN, 0, 0);
    struct duel_array half = duel_make(d, LS_FLOAT16, n, PLAIN, 0, 0), brain = duel_make(d, LS_BFLOAT16, n, PLAIN, 0, 0);
    struct duel_array whole = duel_floats(d, n, PLAIN), exact = duel_floats(d, n, PLAIN);
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
    duel_compare(d, &exact, LS_FLOAT32, n, name);
    duel_compare(d, &whole, LS_FLOAT32, n, name);
    /* A comparison of subnormals is not what a device that flushes them promises. */
    if (!d->s->kind.flushes) {
        duel_compare(d, &half, LS_FLOAT16, n, name);
        duel_compare(d, &brain, LS_BFLOAT16, n, name);
    }
    duel_drop(d, &a);
    duel_drop(d, &b);
    duel_drop(d, &half);
    duel_drop(d, &brain);
    duel_drop(d, &whole);
    duel_drop(d, &exact);
}
