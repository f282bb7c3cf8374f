/* SPDX-License-Identifier: Apache-2.0
 *
 * A smaller call for the file: what one result is made of. A product becomes one row by one column, a
 * convolution one image and one channel, a program of rows its first rows on one element, and so on. What is
 * cut off may be what made the difference, so each primitive has several forms, from the smallest on, and
 * the caller looks whether the smaller call still differs.
 */
#include <stdlib.h>
#include <string.h>

#include "dump.h"

/* One dimension of a row-major array, and what is taken of it. */
struct part {
    int64_t extent, first, size;
};
#define ALL(extent) {extent, 0, extent}
#define ONE(extent, at) {extent, at, 1}
/* One, where it is cut; else all. */
#define PART(extent, cut, at) {extent, (cut) ? (at) : 0, (cut) ? 1 : (extent)}

struct cut {
    const struct ls_call *call;
    struct ls_call *small;
    struct ls_place *place; /* of the result: in the call, then in the smaller one */
};

static void begin(struct cut *c, const void *args, size_t size) { ls_call_init(c->small, c->call->node.prim, args, size); }

static const void *element(const struct ls_call_field *field, int64_t at)
{
    return (const char *)field->before + (size_t)at * ls_dtype_size(field->dtype);
}

static char *room(struct ls_call_field *field)
{
    field->before = calloc((size_t)field->elements + 1, ls_dtype_size(field->dtype));
    return field->before;
}

/* Gives field `to` of the smaller call its elements: parts of an array that begins at `base` in field `from`. */
static bool take(struct cut *c, int to, int from, int64_t base, int rank, const struct part *part)
{
    struct ls_call_field *field = &c->small->field[to];
    const struct ls_call_field *whole = &c->call->field[from];
    size_t size = ls_dtype_size(field->dtype);
    char *data = room(field);
    int64_t n = 1, here = -1;
    for (int d = 0; d < rank; d++)
        n *= part[d].size;
    for (int64_t i = 0; data && n == field->elements && i < n; i++) {
        int64_t at = 0, rest = i;
        for (int64_t d = rank - 1, stride = 1; d >= 0; rest /= part[d].size, stride *= part[d].extent, d--)
            at += (part[d].first + rest % part[d].size) * stride;
        memcpy(data + (size_t)i * size, element(whole, base + at), size);
        here = base + at == c->place->at ? i : here;
    }
    if (c->place->field == from)
        *c->place = (struct ls_place){to, here};
    return data && n == field->elements;
}
#define TAKE(c, field, ...)                                                                                  \
    take(c, field, field, 0, sizeof((struct part[]){__VA_ARGS__}) / sizeof(struct part), (struct part[]){__VA_ARGS__})

/* 1, 2, 4, ... of n places up to `at`, the last size holding all: the range of form `form`; how many forms. */
static struct part range(int64_t n, int64_t at, int form)
{
    int64_t size = (int64_t)1 << form < n ? (int64_t)1 << form : n;
    return (struct part){n, at + 1 > size ? at + 1 - size : 0, size};
}

static int ranges(int64_t n)
{
    int forms = 1;
    while ((int64_t)1 << (forms - 1) < n)
        forms++;
    return forms;
}

/* ---- Moves ---- */

static bool cut_fill(struct cut *c, int form)
{
    struct ls_fill_args a = c->call->node.args.fill;
    struct part part = range(a.n, c->place->at, form);
    a.n = part.size;
    a.value += (uint32_t)part.first * a.step;
    begin(c, &a, sizeof a);
    return TAKE(c, 0, part);
}

/* The index of the copy that writes place `at`; false if none does. */
static bool copied_from(const struct ls_copy_nd_args *a, int64_t at, int64_t *index)
{
    int64_t n = 1;
    for (int d = 0; d < a->rank; d++)
        n *= a->extent[d];
    for (int64_t i = 0; i < n; i++) {
        int64_t to = a->dst_offset, rest = i;
        for (int d = a->rank - 1; d >= 0; rest /= a->extent[d], d--)
            to += (index[d] = rest % a->extent[d]) * a->dst_stride[d];
        if (to == at)
            return true;
    }
    return false;
}

/* What strides reach of a buffer; the offset counts from there afterwards. */
static struct part window(int rank, const int64_t *extent, const int64_t *stride, int64_t elements, int64_t *offset)
{
    int64_t low = *offset, high = *offset;
    for (int d = 0; d < rank; d++) {
        int64_t span = (extent[d] - 1) * stride[d];
        low += span < 0 ? span : 0;
        high += span > 0 ? span : 0;
    }
    *offset -= low;
    return (struct part){elements, low, high - low + 1};
}

/* A box around the result, with the strides as they are. */
static bool cut_copy_nd(struct cut *c, int form)
{
    struct ls_copy_nd_args a = c->call->node.args.copy_nd;
    int64_t index[LS_MAX_RANK];
    if (!copied_from(&a, c->place->at, index))
        return false;
    for (int d = 0; d < a.rank; d++) {
        struct part part = range(a.extent[d], index[d], form);
        a.extent[d] = part.size;
        a.src_offset += part.first * a.src_stride[d];
        a.dst_offset += part.first * a.dst_stride[d];
    }
    const struct ls_call_field *field = c->call->field;
    struct part src = window(a.rank, a.extent, a.src_stride, field[0].elements, &a.src_offset);
    struct part dst = window(a.rank, a.extent, a.dst_stride, field[1].elements, &a.dst_offset);
    begin(c, &a, sizeof a);
    return TAKE(c, 0, src) && TAKE(c, 1, dst);
}

/* One row by its index; with the table; all of one outer part. */
static bool cut_gather(struct cut *c, int form)
{
    struct ls_gather_args a = c->call->node.args.gather;
    int64_t outer = c->place->at / (a.count * a.inner), i = c->place->at / a.inner % a.count;
    int32_t row = *(const int32_t *)element(&c->call->field[1], i);
    bool there = row >= 0 && row < a.rows, only = form == 0 && there;
    struct part table[] = {ONE(a.outer, outer), PART(a.rows, only, row), ALL(a.inner)};
    struct part indices = PART(a.count, form < 2, i), dst[] = {ONE(a.outer, outer), indices, ALL(a.inner)};
    a.outer = 1;
    a.rows = table[1].size;
    a.count = indices.size;
    begin(c, &a, sizeof a);
    bool good = take(c, 0, 0, 0, 3, table) && TAKE(c, 1, indices) && take(c, 2, 2, 0, 3, dst);
    if (good && only)
        *(int32_t *)c->small->field[1].before = 0;
    return good;
}

/* One row with what is added to it; all of one outer part. */
static bool cut_scatter_add(struct cut *c, int form)
{
    struct ls_scatter_add_args a = c->call->node.args.scatter_add;
    int64_t outer = c->place->at / (a.rows * a.inner), row = c->place->at / a.inner % a.rows, count = 0;
    const int32_t *indices = c->call->field[1].before;
    struct part dst[] = {ONE(a.outer, outer), PART(a.rows, form == 0, row), ALL(a.inner)};
    struct part updates[] = {ONE(a.outer, outer), ALL(a.count), ALL(a.inner)};
    if (form == 0) {
        for (int64_t i = 0; i < a.count; i++)
            count += indices[i] == row;
        a.rows = 1;
        a.count = count;
    }
    a.outer = 1;
    begin(c, &a, sizeof a);
    if (!take(c, 0, 0, 0, 3, dst))
        return false;
    if (form > 0)
        return TAKE(c, 1, ALL(a.count)) && take(c, 2, 2, 0, 3, updates);
    size_t bytes = (size_t)a.inner * sizeof(float);
    char *to = count > 0 && room(&c->small->field[1]) ? room(&c->small->field[2]) : NULL;
    for (int64_t i = 0; to && i < updates[1].extent; i++)
        if (indices[i] == row) {
            memcpy(to, element(&c->call->field[2], (outer * updates[1].extent + i) * a.inner), bytes);
            to += bytes;
        }
    return to != NULL;
}

/* ---- Elementwise ---- */

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
#include "elementwise_rows.h"
};

/* The first rows on a range of elements, which lie side by side; all rows have all outputs, fewer the result of the
 * last. */
static bool cut_map(struct cut *c, int form)
{
    const struct ls_map_args *m = &c->call->node.args.map;
    static struct ls_buffer another;
    struct ls_map_args a = *m;
    int rows = form % m->rows + 1;
    struct part part = range(m->n, c->place->at, form / m->rows);
    bool scalar[LS_MAP_INPUTS];
    a.rank = 1;
    a.n = a.extent[0] = part.size;
    for (int i = 0; i < m->inputs; i++) {
        scalar[i] = true;
        for (int d = 0; d < m->rank; d++)
            scalar[i] = scalar[i] && m->input[i].stride[d] == 0;
        a.input[i].stride[0] = !scalar[i];
    }
    if (rows < m->rows) {
        a.rows = (uint8_t)rows;
        a.outputs = 1;
        a.output[0].buffer = &another;
        a.output[0].dtype = gives_int[m->row[rows - 1].op] ? LS_INT32 : LS_FLOAT32;
        a.output[0].source = (uint8_t)(LS_REGISTER_ROW + rows - 1);
    }
    begin(c, &a, sizeof a);
    bool good = true;
    for (int i = 0; i < m->inputs && good; i++) {
        struct ls_call_field *field = &c->small->field[i];
        char *to = room(field);
        good = to != NULL;
        for (int64_t k = 0; good && k < field->elements; k++) {
            int64_t at = 0, rest = part.first + k;
            for (int d = m->rank - 1; d >= 0; rest /= m->extent[d], d--)
                at += rest % m->extent[d] * m->input[i].stride[d];
            memcpy(to + (size_t)k * ls_dtype_size(field->dtype), element(&c->call->field[i], at), ls_dtype_size(field->dtype));
        }
    }
    if (rows == m->rows)
        for (int i = m->inputs; i < c->small->count && good; i++)
            good = TAKE(c, i, part);
    else if (good && (good = room(&c->small->field[m->inputs]) != NULL))
        *c->place = (struct ls_place){m->inputs, c->place->at - part.first};
    return good;
}

static bool cut_random(struct cut *c, int form)
{
    (void)form;
    struct ls_random_args a = c->call->node.args.random;
    struct part part = {a.n, 0, c->place->at + 1};
    a.n = part.size;
    begin(c, &a, sizeof a);
    return TAKE(c, 0, part) && TAKE(c, 1, ALL(1));
}

/* ---- Rows ---- */

static bool cut_reduce(struct cut *c, int form)
{
    (void)form;
    struct ls_reduce_args a = c->call->node.args.reduce;
    int64_t outer = c->place->at / a.inner, all = a.outer;
    a.outer = 1; /* all of inner: a single column would be added in another order */
    begin(c, &a, sizeof a);
    return TAKE(c, 0, ONE(all, outer), ALL(a.r * a.inner)) && TAKE(c, 1, ONE(all, outer), ALL(a.inner));
}

/* One line up to the result; one line; all of one outer part. */
static bool cut_scan(struct cut *c, int form)
{
    struct ls_scan_args a = c->call->node.args.scan;
    int64_t outer = c->place->at / (a.r * a.inner), r = c->place->at / a.inner % a.r, inner = c->place->at % a.inner;
    struct part line = ALL(a.r);
    if (form == 0)
        line = a.reverse ? (struct part){a.r, r, a.r - r} : (struct part){a.r, 0, r + 1};
    struct part part[] = {ONE(a.outer, outer), line, PART(a.inner, form < 2, inner)};
    a.outer = 1;
    a.r = line.size;
    a.inner = part[2].size;
    begin(c, &a, sizeof a);
    bool good = true;
    for (int i = 0; i < c->small->count && good; i++)
        good = take(c, i, i, 0, 3, part);
    return good;
}

static bool cut_sort(struct cut *c, int form)
{
    (void)form;
    struct ls_sort_args a = c->call->node.args.sort;
    struct part row = ONE(a.outer, c->place->at / a.r);
    a.outer = 1;
    begin(c, &a, sizeof a);
    return TAKE(c, 0, row, ALL(a.r)) && TAKE(c, 1, row, ALL(a.r));
}

static bool cut_softmax(struct cut *c, int form)
{
    (void)form;
    struct ls_softmax_args a = c->call->node.args.softmax;
    struct part row = ONE(a.outer, c->place->at / a.r);
    a.outer = 1;
    begin(c, &a, sizeof a);
    return TAKE(c, 0, row, ALL(a.r)) && TAKE(c, 1, row, ALL(a.r));
}

static bool cut_sparse_xent(struct cut *c, int form)
{
    (void)form;
    struct ls_sparse_xent_args a = c->call->node.args.sparse_xent;
    struct part row = ONE(a.outer, c->place->field == 2 ? c->place->at : c->place->at / a.r);
    a.outer = 1;
    begin(c, &a, sizeof a);
    return TAKE(c, 0, row, ALL(a.r)) && TAKE(c, 1, row) && TAKE(c, 2, row) && (!a.probabilities || TAKE(c, 3, row, ALL(a.r)));
}

static bool cut_digest(struct cut *c, int form)
{
    (void)form;
    struct ls_digest_args a = c->call->node.args.digest;
    int64_t at = c->place->at - a.at, dst = a.inputs;
    int i = (int)(at / 2);
    if (at < 0 || c->call->count != dst + 1) /* an input without elements may have no buffer */
        return false;
    struct part words = {c->call->field[dst].elements, a.at + 2 * i, 2};
    a.input[0] = a.input[i];
    a.inputs = 1;
    a.at = 0;
    begin(c, &a, sizeof a);
    return take(c, 0, i, 0, 1, &(struct part)ALL(a.input[0].n)) && take(c, 1, (int)dst, 0, 1, &words);
}

/* ---- Products and windows ---- */

/* One matrix of the batch: one result; a row; a column; all. */
static bool cut_gemm(struct cut *c, int form)
{
    struct ls_gemm_args a = c->call->node.args.gemm;
    int64_t batch = c->place->at / (a.m * a.n), all = a.batch, of_a = batch * a.stride_a, of_b = batch * a.stride_b;
    struct part m = PART(a.m, form < 2, c->place->at / a.n % a.m), n = PART(a.n, form % 2 == 0, c->place->at % a.n), k = ALL(a.k);
    a.batch = 1;
    a.stride_a = a.stride_b = 0;
    a.m = m.size;
    a.n = n.size;
    begin(c, &a, sizeof a);
    return take(c, 0, 0, of_a, 2, a.trans_a ? (struct part[]){k, m} : (struct part[]){m, k}) &&
           take(c, 1, 1, of_b, 2, a.trans_b ? (struct part[]){n, k} : (struct part[]){k, n}) &&
           TAKE(c, 2, ONE(all, batch), m, n) && (!a.bias || TAKE(c, 3, n));
}

static int64_t volume(const int64_t *sizes) { return sizes[0] * sizes[1] * sizes[2]; }

/* One image (where a kernel gradient has all) and one channel of the result; its group; the image alone. */
static bool cut_conv(struct cut *c, int form)
{
    struct ls_conv_args a = c->call->node.args.conv;
    bool of_input = a.pass == LS_CONV_INPUT, of_kernel = a.pass == LS_CONV_KERNEL;
    int64_t last = of_input ? a.channels : a.filters, image = c->place->at / last / a.groups;
    int64_t channel = of_input ? c->place->at % last : image % a.channels, filter = of_input ? 0 : c->place->at % last;
    image /= of_kernel ? 1 : volume(of_input ? a.window.in : a.window.out);
    struct part images = PART(a.window.batch, !of_kernel, image), groups = PART(a.groups, form < 2, c->place->at / last % a.groups);
    struct part channels = PART(a.channels, form == 0 && a.pass != LS_CONV_FORWARD, channel);
    struct part filters = PART(a.filters, form == 0 && !of_input, filter), biases = of_input ? channels : filters;
    a.window.batch = images.size;
    a.groups = groups.size;
    a.channels = channels.size;
    a.filters = filters.size;
    begin(c, &a, sizeof a);
    return TAKE(c, 0, images, ALL(volume(a.window.in)), groups, channels) &&
           TAKE(c, 1, ALL(volume(a.window.size)), channels, groups, filters) &&
           TAKE(c, 2, images, ALL(volume(a.window.out)), groups, filters) && (!a.bias || TAKE(c, 3, groups, biases));
}

/* One channel of one image; one image. */
static bool cut_pool(struct cut *c, int form)
{
    struct ls_pool_args a = c->call->node.args.pool;
    bool back = a.op == LS_POOL_SPREAD_MAX || a.op == LS_POOL_SPREAD_AVERAGE;
    int64_t in = volume(a.window.in), out = volume(a.window.out);
    struct part image = ONE(a.window.batch, c->place->at / a.channels / (back ? in : out));
    struct part channels = PART(a.channels, form == 0, c->place->at % a.channels);
    a.window.batch = 1;
    a.channels = channels.size;
    begin(c, &a, sizeof a);
    return TAKE(c, 0, image, ALL(back ? out : in), channels) && TAKE(c, 1, image, ALL(back ? in : out), channels) &&
           (c->small->count < 3 || TAKE(c, 2, image, ALL(out), channels));
}

/* ---- */

static int forms_of(const struct ls_node *node)
{
    const struct ls_copy_nd_args *copy = &node->args.copy_nd;
    int64_t longest = 1;
    switch (node->prim) {
    case LS_PRIM_fill: return ranges(node->args.fill.n);
    case LS_PRIM_copy_nd:
        for (int d = 0; d < copy->rank; d++)
            longest = copy->extent[d] > longest ? copy->extent[d] : longest;
        return ranges(longest);
    case LS_PRIM_map: return node->args.map.rows * ranges(node->args.map.n);
    case LS_PRIM_gemm: return 4;
    case LS_PRIM_conv: case LS_PRIM_gather: case LS_PRIM_scan: return 3;
    case LS_PRIM_pool: case LS_PRIM_scatter_add: return 2;
    default: return 1;
    }
}

int ls_call_smaller(const struct ls_call *call, struct ls_place *place, int number, struct ls_call *small)
{
    static bool (*const cuts[])(struct cut *, int) = {
#define PRIM(name, need, meaning) [LS_PRIM_##name] = cut_##name,
#include "prims.def"
#undef PRIM
    };
    struct cut cut = {call, small, place};
    memset(small, 0, sizeof *small);
    if (number >= forms_of(&call->node))
        return 0;
    bool good = cuts[call->node.prim](&cut, number);
    memcpy(small->device, call->device, sizeof small->device);
    memcpy(small->name, call->name, sizeof small->name);
    return good ? 1 : -1;
}
