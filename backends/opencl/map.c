/* SPDX-License-Identifier: Apache-2.0
 *
 * map: a program of elementwise rows becomes one kernel. The rows' formulas are the texts of
 * lib/ops/elementwise.def; what is generated here is their order, the loads and the stores, for
 * shaders/map.cl to run at every element. A kernel depends on the program, the types and the pattern
 * of access, never on sizes or strides.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "opencl.h"

enum { GROUP_WIDE = 1024, GROUP = 256 }; /* elements of a group in the last dimension */

/* A row: its name, its formula, its result and its arguments: F float, I int, W either. */
struct row {
    const char *name, *formula, *arguments;
    char result;
};

static const struct row rows[LS_ROW_COUNT] = {
#define F_F(name, formula, ...) {#name, #formula, "F", 'F'},
#define F_FF(name, formula, ...) {#name, #formula, "FF", 'F'},
#define F_FFF(name, formula, ...) {#name, #formula, "FFF", 'F'},
#define F_I(name, formula) {#name, #formula, "I", 'F'},
#define I_F(name, formula) {#name, #formula, "F", 'I'},
#define I_I(name, formula) {#name, #formula, "I", 'I'},
#define I_FF(name, formula) {#name, #formula, "FF", 'I'},
#define I_II(name, formula) {#name, #formula, "II", 'I'},
#define W_IWW(name, formula) {#name, #formula, "IWW", 'W'},
#include "elementwise_rows.h"
};

static const char *type_name(char type)
{
    return type == 'F' ? "float" : type == 'I' ? "int" : "uint";
}

const char *ls_cl_row_name(unsigned row)
{
    return rows[row].name;
}

/* The files that define the canonical functions of a formula, and what those files need. */
static unsigned parts_of(const char *formula)
{
    const struct {
        const char *text;
        unsigned parts;
    } files[] = {{ls_cl_file_canon_exp, LS_CL_EXP},
                 {ls_cl_file_canon_trig, LS_CL_EXP | LS_CL_TRIG},
                 {ls_cl_file_canon_special, LS_CL_EXP | LS_CL_SPECIAL}};
    unsigned parts = 0;
    for (const char *name = formula; (name = strstr(name, "canon_")) != NULL; name += 6) {
        int length = (int)strcspn(name, "(");
        char of_floats[64], of_ints[64];
        snprintf(of_floats, sizeof of_floats, "%.*s(float", length, name);
        snprintf(of_ints, sizeof of_ints, "%.*s(int", length, name);
        for (size_t i = 0; i < sizeof files / sizeof *files; i++)
            if (strstr(files[i].text, of_floats) != NULL || strstr(files[i].text, of_ints) != NULL)
                parts |= files[i].parts;
    }
    return parts;
}

void ls_cl_add_row(struct ls_cl_source *source, unsigned row)
{
    const struct row *r = &rows[row];
    struct ls_cl_text *text = &source->functions;
    ls_cl_add(text, "LS_FN %s row_%s(", type_name(r->result), r->name);
    for (int i = 0; r->arguments[i] != '\0'; i++)
        ls_cl_add(text, "%s%s %c", i == 0 ? "" : ", ", type_name(r->arguments[i]), 'a' + i);
    ls_cl_add(text, ") { return %s; }\n", r->formula);
    source->parts |= parts_of(r->formula);
}

/* ---- The pattern of access ---- */

enum form { FORM_DENSE, FORM_ROWS, FORM_STRIDED };

/* How an input is read. ALONG, FIXED and STEPPED inputs have strides; the three differ in the last
 * dimension: stride 1, 0 or another. */
enum access { ACCESS_DENSE, ACCESS_SCALAR, ACCESS_ALONG, ACCESS_FIXED, ACCESS_STEPPED };

struct pattern {
    enum form form;
    bool large;
    enum access access[LS_MAP_INPUTS];
};

static enum access access_of(const struct ls_map_args *args, const struct ls_map_input *input)
{
    int last = args->rank - 1;
    bool dense = true, scalar = true;
    int64_t stride = 1;
    for (int d = last; d >= 0; d--) {
        if (args->extent[d] == 1)
            continue;
        dense = dense && input->stride[d] == stride;
        scalar = scalar && input->stride[d] == 0;
        stride *= args->extent[d];
    }
    return scalar                      ? ACCESS_SCALAR
           : dense                     ? ACCESS_DENSE
           : input->stride[last] == 1  ? ACCESS_ALONG
           : input->stride[last] == 0  ? ACCESS_FIXED
                                       : ACCESS_STEPPED;
}

/* Below this a row is too short to be worth a group of its own. */
enum { SHORTEST_ROW = 48 };

static struct pattern pattern_of(const struct ls_map_args *args)
{
    struct pattern pattern = {.form = FORM_DENSE, .large = args->n > INT32_MAX};
    for (int i = 0; i < args->inputs; i++) {
        const struct ls_map_input *input = &args->input[i];
        pattern.access[i] = access_of(args, input);
        if (pattern.access[i] <= ACCESS_SCALAR)
            continue;
        int64_t reach = 0;
        for (int d = 0; d < args->rank; d++)
            reach += llabs(input->stride[d]) * (args->extent[d] - 1);
        pattern.large = pattern.large || reach > INT32_MAX;
        pattern.form = args->rank > 1 && args->extent[args->rank - 1] >= SHORTEST_ROW ? FORM_ROWS
                                                                                    : FORM_STRIDED;
    }
    return pattern;
}

static struct ls_cl_key key_of(const struct ls_map_args *args, const struct pattern *pattern)
{
    struct ls_cl_key key = {.size = 0};
    bool dense = pattern->form == FORM_DENSE;
    ls_cl_key_add(&key, LS_CL_MAP);
    ls_cl_key_add(&key, (unsigned)pattern->form << 5 | (unsigned)pattern->large << 4 |
                            (dense ? 0 : (unsigned)args->rank));
    ls_cl_key_add(&key, args->rows);
    ls_cl_key_add(&key, (unsigned)args->inputs << 4 | args->outputs);
    ls_cl_key_add(&key, args->immediates);
    for (int i = 0; i < args->rows; i++) {
        const struct ls_map_row *row = &args->row[i];
        ls_cl_key_add(&key, row->op & 255u);
        ls_cl_key_add(&key, row->op >> 8);
        for (int a = 0; rows[row->op].arguments[a] != '\0'; a++)
            ls_cl_key_add(&key, row->arg[a]);
    }
    for (int i = 0; i < args->inputs; i++)
        ls_cl_key_add(&key, (unsigned)args->input[i].dtype << 4 | (unsigned)pattern->access[i]);
    for (int i = 0; i < args->outputs; i++) {
        ls_cl_key_add(&key, (unsigned)args->output[i].dtype);
        ls_cl_key_add(&key, args->output[i].source);
    }
    return key;
}

/* ---- The text: see shaders/map.cl ---- */

static const char *const storage[LS_DTYPE_COUNT] = {
    [LS_FLOAT32] = "float", [LS_INT32] = "int", [LS_UINT8] = "uchar", [LS_BOOL] = "uchar",
    [LS_FLOAT16] = "ushort", [LS_BFLOAT16] = "ushort"};
static const char *const kind[LS_DTYPE_COUNT] = {
    [LS_FLOAT32] = "FLOAT", [LS_INT32] = "INT", [LS_UINT8] = "BYTE", [LS_BOOL] = "BOOL",
    [LS_FLOAT16] = "HALF", [LS_BFLOAT16] = "HALF"};
static const char *const access_name[] = {
    [ACCESS_DENSE] = "DENSE", [ACCESS_SCALAR] = "SCALAR", [ACCESS_ALONG] = "ALONG",
    [ACCESS_FIXED] = "FIXED", [ACCESS_STEPPED] = "STEPPED"};

static const char *kind_of_argument(char type)
{
    return type == 'F' ? "FLOAT" : type == 'I' ? "INT" : "WORD";
}

static void add_parameters(struct ls_cl_text *text, const struct ls_map_args *args,
                           const struct pattern *pattern)
{
    ls_cl_add(text, "#define LS_MAP_PARAMETERS");
    for (int i = 0; i < args->inputs; i++) {
        ls_cl_add(text, " __global const %s *in%d,", storage[args->input[i].dtype], i);
        if (pattern->access[i] > ACCESS_SCALAR)
            ls_cl_add(text, " %s stride%d,", pattern->large ? "long8" : "int8", i);
    }
    for (int i = 0; i < args->outputs; i++)
        ls_cl_add(text, " __global %s *out%d,", storage[args->output[i].dtype], i);
    for (int i = 0; i < args->immediates; i++)
        ls_cl_add(text, " uint k%d,", LS_REGISTER_IMMEDIATE + i);
    ls_cl_add(text, "\n");
    for (int i = 0; i < args->inputs; i++)
        if (pattern->access[i] == ACCESS_STEPPED)
            ls_cl_add(text, "#define step%d stride%d.s%d\n", i, i, args->rank - 1);
}

static void add_locate(struct ls_cl_text *text, const struct ls_map_args *args,
                       const struct pattern *pattern)
{
    int rank = pattern->form == FORM_ROWS ? args->rank - 1 : args->rank;
    ls_cl_add(text, "#define LS_MAP_LOCATE");
    for (int i = 0; i < args->inputs; i++)
        if (pattern->access[i] > ACCESS_SCALAR)
            ls_cl_add(text, " offset_t p%d = 0;", i);
    for (int d = rank - 1; d >= 0; d--) {
        if (d > 0)
            ls_cl_add(text, " LS_MAP_SPLIT(%d)", d);
        else
            ls_cl_add(text, " at = LS_MAP_OFFSET(rest);");
        for (int i = 0; i < args->inputs; i++)
            if (pattern->access[i] > ACCESS_SCALAR)
                ls_cl_add(text, " p%d += at * (offset_t)(stride%d.s%d);", i, i, d);
    }
    ls_cl_add(text, "\n");
}

static void add_loads(struct ls_cl_text *text, const struct ls_map_args *args,
                      const struct pattern *pattern)
{
    ls_cl_add(text, "#define LS_MAP_REGISTERS");
    for (int i = 0; i < args->inputs; i++)
        ls_cl_add(text, " r%d,", i);
    for (int i = 0; i < args->immediates; i++)
        ls_cl_add(text, " r%d = (word)(k%d),", LS_REGISTER_IMMEDIATE + i, LS_REGISTER_IMMEDIATE + i);
    ls_cl_add(text, " unused\n#define LS_MAP_LOAD(WAY)");
    for (int i = 0; i < args->inputs; i++)
        ls_cl_add(text, " LS_LOAD(WAY, %d, %s, %s)", i, access_name[pattern->access[i]],
                  kind[args->input[i].dtype]);
    ls_cl_add(text, "\n");
}

static void add_row(struct ls_cl_text *text, const struct ls_map_args *args, int i)
{
    const struct row *row = &rows[args->row[i].op];
    ls_cl_add(text, " word r%d = LS_OF_%s(row_%s(", LS_REGISTER_ROW + i,
              kind_of_argument(row->result), row->name);
    for (int a = 0; row->arguments[a] != '\0'; a++)
        ls_cl_add(text, "%sLS_AS_%s(r%d)", a == 0 ? "" : ", ", kind_of_argument(row->arguments[a]),
                  args->row[i].arg[a]);
    ls_cl_add(text, "));");
}

static void add_program(struct ls_cl_text *text, const struct ls_map_args *args,
                        const struct pattern *pattern, int group)
{
    ls_cl_add(text, "#define LS_MAP_FORM %d\n#define LS_MAP_LARGE %d\n#define LS_MAP_GROUP %d\n",
              (int)pattern->form, pattern->large, group);
    add_parameters(text, args, pattern);
    if (pattern->form != FORM_DENSE)
        add_locate(text, args, pattern);
    add_loads(text, args, pattern);
    ls_cl_add(text, "#define LS_MAP_ROWS");
    for (int i = 0; i < args->rows; i++)
        add_row(text, args, i);
    ls_cl_add(text, "\n#define LS_MAP_STORE(WAY)");
    for (int i = 0; i < args->outputs; i++)
        ls_cl_add(text, " LS_STORE(WAY, %d, r%d, %s)", i, args->output[i].source,
                  kind[args->output[i].dtype]);
    ls_cl_add(text, "\n");
}

/* ---- The launch ---- */

static ls_status build(struct ls_cl_device *device, const struct ls_map_args *args,
                       const struct pattern *pattern, const struct ls_cl_key *key, size_t group,
                       const struct ls_cl_kernel **kernel)
{
    struct ls_cl_source source = {
        .primitive = args->rows == 0 ? "map" : rows[args->row[0].op].name,
        .entry = "map",
        .file = ls_cl_file_map,
        .parts = device->wide ? LS_CL_WIDE : 0,
    };
    bool added[LS_ROW_COUNT] = {false};
    for (int i = 0; i < args->rows; i++) {
        unsigned op = args->row[i].op;
        if (!added[op])
            ls_cl_add_row(&source, op);
        added[op] = true;
    }
    add_program(&source.text, args, pattern, (int)group);
    return ls_cl_build(device, key, &source, kernel);
}

ls_status ls_cl_map(struct ls_device *base, const struct ls_map_args *args)
{
    struct ls_cl_device *device = ls_cl_device_of(base);
    struct pattern pattern = pattern_of(args);
    struct ls_cl_key key = key_of(args, &pattern);
    size_t group = device->wide ? GROUP_WIDE : GROUP;
    if (!device->wide && group > device->max_group)
        group = device->max_group;

    const struct ls_cl_kernel *kernel = ls_cl_find(device, &key);
    if (kernel == NULL) {
        ls_status status = build(device, args, &pattern, &key, group, &kernel);
        if (status != LS_OK)
            return status;
    }

    struct ls_cl_launch launch = ls_cl_begin(device, kernel);
    for (int i = 0; i < args->inputs; i++) {
        ls_cl_pass_buffer(&launch, args->input[i].buffer);
        if (pattern.access[i] > ACCESS_SCALAR)
            ls_cl_pass_dimensions(&launch, args->input[i].stride, args->rank, pattern.large);
    }
    for (int i = 0; i < args->outputs; i++)
        ls_cl_pass_buffer(&launch, args->output[i].buffer);
    for (int i = 0; i < args->immediates; i++)
        ls_cl_pass_int(&launch, (cl_int)args->immediate[i]);

    size_t columns = (size_t)(pattern.form == FORM_ROWS ? args->extent[args->rank - 1] : args->n);
    ls_cl_pass_long(&launch, (cl_long)columns);
    if (pattern.form != FORM_DENSE)
        ls_cl_pass_extents(&launch, args->extent, args->rank, pattern.large);
    size_t groups[3] = {(columns + group - 1) / group, (size_t)args->n / columns, 1};
    return ls_cl_run(&launch, pattern.form == FORM_ROWS ? 2 : 1, groups,
                     (size_t[3]){device->wide ? 1 : group, 1, 1});
}
