/* SPDX-License-Identifier: Apache-2.0
 *
 * The self-test of elementwise programs: the rules of rounding, and the elementary functions. Several
 * functions share a program, because on some drivers the kernels are what takes the time.
 */
#include <stdio.h>
#include <string.h>

#include "selftest.h"

enum { ROW = LS_REGISTER_ROW, IMM = LS_REGISTER_IMMEDIATE, ONE = 0x3f800000, MANY = 65536 };

static void run(struct ls_duel *d, struct ls_map_args *args, const struct ls_pair *in, const struct ls_pair *out,
                const char *const *names)
{
    args->rank = 1;
    args->n = args->extent[0] = out[0].n;
    LS_DUEL(d, map, names[0], args, {
        for (int i = 0; i < args->inputs; i++)
            args->input[i] = (struct ls_map_input){in[i].on[k], in[i].dtype, {1}};
        for (int i = 0; i < args->outputs; i++) {
            args->output[i].buffer = out[i].on[k];
            args->output[i].dtype = out[i].dtype;
        }
    });
    for (int i = 0; i < args->outputs; i++)
        ls_pair_compare(d, &out[i], out[i].n, names[i]);
}

/* ---- Rounding ---- */

static const struct ls_map_args basic = {
    .rows = 4,
    .inputs = 3,
    .outputs = 4,
    .row = {{LS_ROW_fma, {0, 1, 2}}, {LS_ROW_add, {0, 1, 0}}, {LS_ROW_mul, {0, 1, 0}}, {LS_ROW_div, {0, 1, 0}}},
    .output = {{.source = ROW}, {.source = ROW + 1}, {.source = ROW + 2}, {.source = ROW + 3}}};

/* sqrt |a|; a - b; the error of a + b by TwoSum, which reassociation would lose; a + 0, a * 1, a - a. */
static const struct ls_map_args kept = {
    .rows = 14,
    .inputs = 2,
    .outputs = 4,
    .immediates = 2,
    .immediate = {0, ONE},
    .row = {{LS_ROW_abs, {0, 0, 0}},
            {LS_ROW_sqrt, {ROW, 0, 0}},
            {LS_ROW_sub, {0, 1, 0}},
            {LS_ROW_add, {0, 1, 0}},             /* 3: s */
            {LS_ROW_sub, {ROW + 3, 0, 0}},       /* 4: t = s - a */
            {LS_ROW_sub, {ROW + 3, ROW + 4, 0}}, /* 5: s - t */
            {LS_ROW_sub, {0, ROW + 5, 0}},
            {LS_ROW_sub, {1, ROW + 4, 0}},
            {LS_ROW_add, {ROW + 6, ROW + 7, 0}}, /* 8: the error */
            {LS_ROW_add, {0, IMM, 0}},
            {LS_ROW_mul, {0, IMM + 1, 0}},
            {LS_ROW_sub, {0, 0, 0}},
            {LS_ROW_int_add, {ROW + 9, ROW + 10, 0}},
            {LS_ROW_int_add, {ROW + 11, ROW + 12, 0}}},
    .output = {{.source = ROW + 1}, {.source = ROW + 2}, {.source = ROW + 8}, {.source = ROW + 13}}};

/* Seven shapes that a compiler may contract to fma if it is let; seven results in four outputs. */
static const struct ls_map_args contraction = {
    .rows = 13,
    .inputs = 4,
    .outputs = 4,
    .row = {{LS_ROW_mul, {0, 1, 0}},
            {LS_ROW_mul, {2, 3, 0}},
            {LS_ROW_neg, {ROW, 0, 0}},
            {LS_ROW_add, {ROW, 2, 0}},     /* ab + c */
            {LS_ROW_add, {2, ROW, 0}},     /* c + ab */
            {LS_ROW_sub, {ROW, 2, 0}},     /* ab - c */
            {LS_ROW_sub, {2, ROW, 0}},     /* c - ab */
            {LS_ROW_add, {ROW, ROW + 1, 0}}, /* ab + cd */
            {LS_ROW_sub, {ROW + 1, ROW, 0}}, /* cd - ab */
            {LS_ROW_add, {ROW + 2, 2, 0}},   /* -ab + c */
            {LS_ROW_int_add, {ROW + 3, ROW + 4, 0}},
            {LS_ROW_int_add, {ROW + 5, ROW + 6, 0}},
            {LS_ROW_int_add, {ROW + 7, ROW + 8, 0}}},
    .output = {{.source = ROW + 10}, {.source = ROW + 11}, {.source = ROW + 12}, {.source = ROW + 9}}};

static uint32_t word_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* One probe that tells fused from unfused; products whose rounding error is all that is left; ties. */
enum { HARD = 8192 };
static void hard_triples(struct ls_duel *d, uint32_t *a, uint32_t *b, uint32_t *c)
{
    for (int i = 0; i < HARD; i++) {
        uint64_t r = ls_duel_next(d);
        a[i] = (uint32_t)(r & 0x807fffffu) | (uint32_t)(120 + (r >> 60)) << 23;
        b[i] = (uint32_t)(r >> 24 & 0x807fffffu) | (uint32_t)(120 + (r >> 56 & 15)) << 23;
        float x, y;
        memcpy(&x, &a[i], sizeof x);
        memcpy(&y, &b[i], sizeof y);
        c[i] = word_of(-(float)((double)x * (double)y)); /* what is left is the product's error */
        if (i % 2 && (a[i] = ONE | (r & 0x80000000u)))   /* +-b + half of its last place: a tie */
            c[i] = (b[i] & 0xff800000u) - (24u << 23);
    }
    a[0] = b[0] = 0x3f800800u; /* 1 + 2^-12 */
    c[0] = 0xbf801000u;        /* -(1 + 2^-11) */
}

void ls_selftest_arithmetic(struct ls_duel *d)
{
    static const char *const basic_names[] = {"map/fma", "map/add", "map/mul", "map/div"};
    static const char *const kept_names[] = {"map/sqrt", "map/sub", "map/two_sum", "map/identities"};
    static const char *const contraction_names[] = {"map/contraction ab+c", "map/contraction ab-c",
                                                    "map/contraction ab+cd", "map/contraction c-ab"};
    struct ls_map_args args = basic;
    struct ls_pair out[4], in[4];
    uint32_t a[HARD], b[HARD], c[HARD];
    hard_triples(d, a, b, c);
    in[0] = ls_pair_of(d, LS_FLOAT32, HARD, a);
    in[1] = ls_pair_of(d, LS_FLOAT32, HARD, b);
    in[2] = ls_pair_of(d, LS_FLOAT32, HARD, c);
    for (int i = 0; i < 4; i++)
        out[i] = ls_pair_make(d, LS_FLOAT32, HARD, LS_PATTERN_RANGE, 0, 1);
    run(d, &args, in, out, basic_names);
    ls_pair_known(d, &out[0], 1, (uint32_t[]){0x33800000u}, "map/fma"); /* 2^-24; unfused, 0 */
    for (int i = 0; i < 4; i++) {
        ls_pair_drop(d, &out[i]);
        if (i < 3)
            ls_pair_drop(d, &in[i]);
        in[i] = ls_pair_make(d, LS_FLOAT32, MANY + 3, LS_PATTERN_ORDER, 0, 0);
    }
    for (int i = 0; i < 4; i++)
        out[i] = ls_pair_make(d, LS_FLOAT32, MANY + 3, LS_PATTERN_RANGE, 0, 1);
    run(d, &args, in, out, basic_names);
    args = kept;
    run(d, &args, in, out, kept_names);
    args = contraction;
    run(d, &args, in, out, contraction_names);

    /* Subnormals: both operands; one operand; the result alone. */
    static const char *const subnormal_names[] = {"map/fma subnormal", "map/add subnormal", "map/mul subnormal",
                                                  "map/div subnormal"};
    static const char *const root_names[] = {"map/sqrt subnormal", "map/sub subnormal", "map/two_sum subnormal",
                                             "map/identities subnormal"};
    struct ls_pair tiny[3];
    for (int i = 0; i < 3; i++)
        tiny[i] = ls_pair_make(d, LS_FLOAT32, MANY + 3, LS_PATTERN_SUBNORMAL, 0, 0);
    d->subnormal = true;
    args = basic;
    run(d, &args, tiny, out, subnormal_names);
    run(d, &args, (struct ls_pair[]){tiny[0], in[0], tiny[1]}, out, subnormal_names);
    args = kept;
    run(d, &args, tiny, out, root_names);
    d->subnormal = false;
    for (int i = 0; i < 4; i++) {
        if (i < 3)
            ls_pair_drop(d, &tiny[i]);
        ls_pair_drop(d, &in[i]);
        ls_pair_drop(d, &out[i]);
    }
}

/* ---- Rows ---- */

static const struct row {
    const char *name, *formula, *in; /* F, I or W per argument */
    char out;
    double domain[6];
} rows[] = {
#define F_F(name, formula, saves, ga, lo, hi) {#name, #formula, "F", 'F', {lo, hi}},
#define F_FF(name, formula, saves, ga, gb, la, ha, lb, hb) {#name, #formula, "FF", 'F', {la, ha, lb, hb}},
#define F_FFF(name, formula, ...) {#name, #formula, "FFF", 'F', {-2, 2, -2, 2, -2, 2}},
#define I_F(name, formula) {#name, #formula, "F", 'I', {-1000, 1000}},
#define I_I(name, formula) {#name, #formula, "I", 'I', {0}},
#define I_FF(name, formula) {#name, #formula, "FF", 'I', {-2, 2, -2, 2}},
#define I_II(name, formula) {#name, #formula, "II", 'I', {0}},
#define F_I(name, formula) {#name, #formula, "I", 'F', {0}},
#define W_IWW(name, formula) {#name, #formula, "IWW", 'W', {0, 0, -2, 2, -2, 2}},
#include "elementwise_rows.h"
};

/* A program being put together: its results, the functions', and the inputs, each with its interval. */
struct batch {
    struct ls_map_args args;
    int functions[LS_MAP_ROWS], count;
    double low[LS_MAP_INPUTS], high[LS_MAP_INPUTS];
};

static int input_for(struct batch *b, ls_dtype dtype, double low, double high, int from)
{
    for (int i = from; i < b->args.inputs; i++)
        if (b->args.input[i].dtype == dtype && b->low[i] <= low && b->low[i] >= low && b->high[i] <= high &&
            b->high[i] >= high)
            return i;
    if (b->args.inputs == LS_MAP_INPUTS)
        return -1;
    int i = b->args.inputs++;
    b->args.input[i].dtype = dtype;
    b->low[i] = low;
    b->high[i] = high;
    return i;
}

/* Adds a function; false if the program is full. */
static bool add(struct batch *b, int function)
{
    struct batch before = *b;
    const struct row *row = &rows[function];
    int last = -1;
    if (b->count == 10) /* 10 results, 6 sums of two: 16 rows, 4 outputs */
        return false;
    struct ls_map_row *to = &b->args.row[b->count];
    to->op = (uint16_t)function;
    for (int a = 0; row->in[a]; a++) {
        last = input_for(b, row->in[a] == 'I' ? LS_INT32 : LS_FLOAT32, row->domain[2 * a], row->domain[2 * a + 1],
                         last + 1);
        if (last < 0) {
            *b = before;
            return false;
        }
        to->arg[a] = (uint8_t)last;
    }
    b->functions[b->count++] = function;
    return true;
}

static bool test(struct ls_duel *d, struct batch *b, int64_t n, const char *name)
{
    struct ls_pair in[LS_MAP_INPUTS], out[LS_MAP_OUTPUTS];
    int wrong = d->wrong, results = b->count, outputs = results < 4 ? results : 4;
    uint8_t sum[LS_MAP_OUTPUTS];
    b->args.rows = (uint8_t)results;
    for (int i = 0; i < results; i++) { /* results are words; those that share an output are added */
        if (i < outputs) {
            sum[i] = (uint8_t)(ROW + i);
            continue;
        }
        b->args.row[b->args.rows] = (struct ls_map_row){LS_ROW_int_add, {sum[i % 4], (uint8_t)(ROW + i), 0}};
        sum[i % 4] = (uint8_t)(ROW + b->args.rows++);
    }
    b->args.outputs = (uint8_t)outputs;
    for (int i = 0; i < b->args.inputs; i++)
        in[i] = ls_pair_make(d, b->args.input[i].dtype, n, LS_PATTERN_RANGE, b->low[i], b->high[i]);
    for (int i = 0; i < outputs; i++) {
        bool whole = results > 4 || rows[b->functions[i]].out == 'I';
        out[i] = ls_pair_make(d, whole ? LS_INT32 : LS_FLOAT32, n, LS_PATTERN_RANGE, 0, 1);
        b->args.output[i].source = sum[i];
    }
    run(d, &b->args, in, out, (const char *const[]){name, name, name, name});
    for (int i = 0; i < b->args.inputs; i++)
        ls_pair_drop(d, &in[i]);
    for (int i = 0; i < outputs; i++)
        ls_pair_drop(d, &out[i]);
    return d->wrong == wrong;
}

static void alone(struct ls_duel *d, int function, int64_t n)
{
    struct batch b = {.count = 0};
    char name[64];
    add(&b, function);
    snprintf(name, sizeof name, "map/%s", rows[function].name);
    test(d, &b, n, name);
}

/* A wrong program is taken apart, so that the function is named. */
static void finish(struct ls_duel *d, struct batch *b)
{
    struct ls_duel before = *d;
    if (b->count > 0 && !test(d, b, MANY, "map/program")) {
        struct ls_duel together = *d;
        memcpy(d->reasons, before.reasons, sizeof d->reasons);
        for (int i = 0; i < b->count; i++)
            alone(d, b->functions[i], MANY);
        if (d->wrong == together.wrong) /* right alone, wrong together */
            memcpy(d->reasons, together.reasons, sizeof d->reasons);
    }
    *b = (struct batch){.count = 0};
}

void ls_selftest_rows(struct ls_duel *d)
{
    struct batch b = {.count = 0};
    for (int function = 0; function < LS_ROW_COUNT; function++) {
        if (d->full) {
            alone(d, function, MANY + 1);
        } else if (strncmp(rows[function].formula, "canon_", 6) == 0 && !add(&b, function)) {
            finish(d, &b);
            add(&b, function);
        }
    }
    finish(d, &b);
}
