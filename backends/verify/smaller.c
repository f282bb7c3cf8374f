/* SPDX-License-Identifier: Apache-2.0
 *
 * A smaller call for the file: what one result is made of. A program of rows becomes its first rows on one
 * element, a product one row by one column, a reduction one row. What is cut off may be what made the
 * difference, so the caller looks whether the smaller call still differs.
 */
#include <stdlib.h>
#include <string.h>

#include "dump.h"

/* Stand for the buffers of the smaller call until it is run in others. */
static struct ls_buffer somewhere[LS_NODE_BUFFERS];

static const bool gives_int[] = {
#define F_F(...) false,
#define F_FF(...) false,
#define F_FFF(...) false,
#define F_I(...) false,
#define W_IWW(...) false,
#define I_F(...) true,
#define I_I(...) true,
#define I_FF(...) true,
#define I_II(...) true,
#include "../ops/elementwise.def"
#undef F_F
#undef F_FF
#undef F_FFF
#undef F_I
#undef W_IWW
#undef I_F
#undef I_I
#undef I_FF
#undef I_II
};

/* Gives a field its elements: first, first + step, ... of the field of the whole call. */
static bool take(struct ls_call_field *field, const struct ls_call_field *whole, int64_t first, int64_t step)
{
    size_t size = ls_dtype_size(field->dtype);
    char *to = malloc((size_t)field->elements * size + 1);
    field->before = to;
    for (int64_t i = 0; to && i < field->elements; i++)
        memcpy(to + (size_t)i * size, (const char *)whole->before + (size_t)(first + i * step) * size, size);
    return to != NULL;
}

static bool one_product(const struct ls_call *call, int64_t at, struct ls_call *small)
{
    const struct ls_gemm_args *g = &call->node.args.gemm;
    int64_t batch = at / (g->m * g->n), row = at / g->n % g->m, column = at % g->n;
    struct ls_gemm_args one = *g;
    one.a = &somewhere[0];
    one.b = &somewhere[1];
    one.c = &somewhere[2];
    one.bias = g->bias ? &somewhere[3] : NULL;
    one.batch = one.m = one.n = 1;
    one.stride_a = one.stride_b = 0;
    one.trans_a = one.trans_b = false;
    ls_call_init(small, LS_PRIM_gemm, &one, sizeof one);
    return take(&small->field[0], &call->field[0], batch * g->stride_a + (g->trans_a ? row : row * g->k), g->trans_a ? g->m : 1) &&
           take(&small->field[1], &call->field[1], batch * g->stride_b + (g->trans_b ? column * g->k : column), g->trans_b ? 1 : g->n) &&
           take(&small->field[2], &call->field[2], at, 1) && (!g->bias || take(&small->field[3], &call->field[3], column, 1));
}

static bool one_row(const struct ls_call *call, int64_t at, struct ls_call *small)
{
    const struct ls_reduce_args *r = &call->node.args.reduce;
    struct ls_reduce_args one = *r;
    int64_t outer = at / r->inner;
    one.src = &somewhere[0];
    one.dst = &somewhere[1];
    one.outer = 1; /* all of inner: a single column would be added in another order */
    ls_call_init(small, LS_PRIM_reduce, &one, sizeof one);
    return take(&small->field[0], &call->field[0], outer * r->r * r->inner, 1) &&
           take(&small->field[1], &call->field[1], outer * r->inner, 1);
}

/* The first `rows` rows, on one element; all of them have all outputs, fewer the result of the last. */
static bool one_element(const struct ls_call *call, int64_t at, int rows, struct ls_call *small)
{
    const struct ls_map_args *m = &call->node.args.map;
    struct ls_map_args one = *m;
    int64_t from[LS_MAP_INPUTS] = {0};
    for (int64_t d = m->rank - 1, rest = at; d >= 0; rest /= m->extent[d], d--)
        for (int i = 0; i < m->inputs; i++)
            from[i] += rest % m->extent[d] * m->input[i].stride[d];
    one.n = one.extent[0] = one.rank = 1;
    for (int i = 0; i < m->inputs; i++) {
        one.input[i].buffer = &somewhere[i];
        one.input[i].stride[0] = 1;
    }
    if (rows < m->rows) {
        one.rows = (uint8_t)rows;
        one.outputs = 1;
        one.output[0].dtype = gives_int[m->row[rows - 1].op] ? LS_INT32 : LS_FLOAT32;
        one.output[0].source = (uint8_t)(LS_REGISTER_ROW + rows - 1);
    }
    for (int i = 0; i < one.outputs; i++)
        one.output[i].buffer = &somewhere[m->inputs + i];
    ls_call_init(small, LS_PRIM_map, &one, sizeof one);
    bool good = true;
    for (int i = 0; i < small->count && good; i++) {
        struct ls_call_field *f = &small->field[i];
        if (i < m->inputs || rows == m->rows)
            good = take(f, &call->field[i], i < m->inputs ? from[i] : at, 1);
        else
            good = (f->before = calloc(1, sizeof(uint32_t))) != NULL;
    }
    return good;
}

int ls_call_smaller(const struct ls_call *call, int64_t at, int number, struct ls_call *small)
{
    int rows = call->node.args.map.rows, forms = call->node.prim == LS_PRIM_map ? rows : 1;
    bool good = false;
    memset(small, 0, sizeof *small);
    if (number >= forms)
        return 0;
    switch (call->node.prim) {
    case LS_PRIM_map: good = one_element(call, at, number + 1, small); break;
    case LS_PRIM_gemm: good = call->node.args.gemm.k > 0 && one_product(call, at, small); break;
    case LS_PRIM_reduce: good = call->node.args.reduce.r > 0 && one_row(call, at, small); break;
    default: break;
    }
    memcpy(small->device, call->device, sizeof small->device);
    memcpy(small->name, call->name, sizeof small->name);
    return good ? 1 : -1;
}
