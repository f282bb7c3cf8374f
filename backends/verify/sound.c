/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether a call from a file is one that dispatch could have made, so that a device, which checks nothing, can run
 * it: no array is larger than the file (`most` bytes), no stride leads out of the numbers, every register of a
 * program was written before. What a call needs of its buffers is for ls_node_extents to say.
 */
#include <string.h>

#include "dump.h"

/* The product of sizes from 1 on, up to `most`; else 0. */
static int64_t product(int64_t most, int count, const int64_t *size)
{
    int64_t n = 1;
    for (int i = 0; i < count; i++)
        if (size[i] < 1 || !ls_checked_mul(n, size[i], &n) || n > most)
            return 0;
    return n;
}
#define SIZES(...) (product(most, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (int64_t[]){__VA_ARGS__}) > 0)
/* A size that may be 0. */
#define MAY(size) ((size) == 0 ? 1 : (size))

static bool is_between(int64_t low, int64_t x, int64_t high) { return low <= x && x <= high; }

static bool is_dtype(ls_dtype dtype) { return (unsigned)dtype < LS_DTYPE_COUNT; }

static bool is_word(ls_dtype dtype) { return dtype == LS_FLOAT32 || dtype == LS_INT32; }

static bool is_bool(const bool *b) { return *(const unsigned char *)b <= 1; }

/* From the offset on, strides stay within the file; those along one element may be any, of a larger array. */
static bool are_strides(int64_t most, int64_t offset, int rank, const int64_t *extent, const int64_t *stride)
{
    int64_t span;
    bool good = is_between(0, offset, most);
    for (int d = 0; d < rank && good; d++)
        good = is_between(-((int64_t)1 << 48), stride[d], (int64_t)1 << 48) && ls_checked_mul(extent[d] - 1, stride[d], &span) &&
               is_between(-most, span, most);
    return good;
}

/* ---- Programs ---- */

static const struct {
    uint8_t arguments;
    bool activates;
} rows[LS_ROW_COUNT] = {
#define F_F(name, ...) [LS_ROW_##name] = {1, true},
#define F_FF(name, ...) [LS_ROW_##name] = {2, false},
#define F_FFF(name, ...) [LS_ROW_##name] = {3, false},
#define F_I(name, ...) [LS_ROW_##name] = {1, false},
#define I_F(name, ...) [LS_ROW_##name] = {1, false},
#define I_I(name, ...) [LS_ROW_##name] = {1, false},
#define I_FF(name, ...) [LS_ROW_##name] = {2, false},
#define I_II(name, ...) [LS_ROW_##name] = {2, false},
#define W_IWW(name, ...) [LS_ROW_##name] = {3, false},
#include "elementwise_rows.h"
};

static bool is_activation(uint16_t row) { return row == LS_ROW_NONE || (row < LS_ROW_COUNT && rows[row].activates); }

/* Whether a register has a value before row `row`. */
static bool is_there(const struct ls_map_args *a, int reg, int row)
{
    if (reg < LS_REGISTER_IMMEDIATE)
        return reg < a->inputs;
    return reg < LS_REGISTER_ROW ? reg - LS_REGISTER_IMMEDIATE < a->immediates : reg - LS_REGISTER_ROW < row;
}

static bool is_sound_map(const struct ls_map_args *a, int64_t most)
{
    bool good = a->rows <= LS_MAP_ROWS && a->inputs <= LS_MAP_INPUTS && is_between(1, a->outputs, LS_MAP_OUTPUTS) &&
                a->immediates <= LS_MAP_IMMEDIATES && is_between(1, a->rank, LS_MAX_RANK) &&
                a->n > 0 && product(most, a->rank, a->extent) == a->n;
    for (int i = 0; good && i < a->rows; i++) {
        good = a->row[i].op < LS_ROW_COUNT;
        for (int k = 0; good && k < rows[a->row[i].op].arguments; k++)
            good = is_there(a, a->row[i].arg[k], i);
    }
    for (int i = 0; good && i < a->inputs; i++)
        good = is_dtype(a->input[i].dtype) && are_strides(most, 0, a->rank, a->extent, a->input[i].stride);
    for (int i = 0; good && i < a->outputs; i++)
        good = is_dtype(a->output[i].dtype) && is_there(a, a->output[i].source, a->rows);
    return good;
}

/* ---- Moves ---- */

static bool is_sound_fill(const struct ls_fill_args *a, int64_t most) { return is_dtype(a->dtype) && SIZES(a->n); }

static bool is_sound_copy_nd(const struct ls_copy_nd_args *a, int64_t most)
{
    return is_dtype(a->dtype) && is_between(1, a->rank, LS_MAX_RANK) && product(most, a->rank, a->extent) > 0 &&
           are_strides(most, a->src_offset, a->rank, a->extent, a->src_stride) &&
           are_strides(most, a->dst_offset, a->rank, a->extent, a->dst_stride);
}

static bool is_sound_gather(const struct ls_gather_args *a, int64_t most)
{
    return is_dtype(a->dtype) && SIZES(a->outer, a->rows, a->inner) && SIZES(a->outer, a->count, a->inner);
}

static bool is_sound_scatter_add(const struct ls_scatter_add_args *a, int64_t most)
{
    return SIZES(a->outer, a->rows, a->inner) && SIZES(a->outer, MAY(a->count), a->inner);
}

static bool is_sound_random(const struct ls_random_args *a, int64_t most)
{
    return is_between(LS_RANDOM_UNIFORM, a->kind, LS_RANDOM_BITS) && SIZES(a->n);
}

/* ---- Rows ---- */

static bool is_sound_reduce(const struct ls_reduce_args *a, int64_t most)
{
    bool sums = a->op == LS_REDUCE_SUM || a->op == LS_REDUCE_PROD;
    return is_between(LS_REDUCE_SUM, a->op, LS_REDUCE_ARGMIN) &&
           (a->dtype == LS_FLOAT32 || (a->dtype == LS_INT32 && a->op < LS_REDUCE_ARGMAX)) &&
           SIZES(a->outer, sums ? MAY(a->r) : a->r, a->inner);
}

static bool is_sound_scan(const struct ls_scan_args *a, int64_t most)
{
    return is_word(a->dtype) && (a->factor || a->addend) && (a->dtype == LS_FLOAT32 || !a->factor || !a->addend) &&
           is_bool(&a->reverse) && is_bool(&a->exclusive) && SIZES(a->outer, a->r, a->inner);
}

static bool is_sound_sort(const struct ls_sort_args *a, int64_t most)
{
    return is_word(a->dtype) && is_bool(&a->descending) && a->r <= INT32_MAX && SIZES(a->outer, a->r);
}

static bool is_sound_softmax(const struct ls_softmax_args *a, int64_t most) { return is_bool(&a->log) && SIZES(a->outer, a->r); }

static bool is_sound_sparse_xent(const struct ls_sparse_xent_args *a, int64_t most) { return SIZES(a->outer, a->r); }

static bool is_sound_digest(const struct ls_digest_args *a, int64_t most)
{
    bool good = is_between(1, a->inputs, LS_DIGEST_INPUTS) && is_between(0, a->at, most);
    for (int i = 0; good && i < a->inputs; i++)
        good = is_dtype(a->input[i].dtype) && is_between(0, a->input[i].n, most);
    return good;
}

/* ---- Products and windows ---- */

static bool is_sound_gemm(const struct ls_gemm_args *a, int64_t most)
{
    return SIZES(a->batch, a->m, a->n) && SIZES(a->m, MAY(a->k)) && SIZES(MAY(a->k), a->n) &&
           SIZES(MAY(a->batch - 1), MAY(a->stride_a)) && SIZES(MAY(a->batch - 1), MAY(a->stride_b)) &&
           is_bool(&a->trans_a) && is_bool(&a->trans_b) && is_activation(a->activation);
}

/* Positions in a window are int32, and so may its steps be. */
static bool is_window(const struct ls_window *w, int64_t most)
{
    bool good = SIZES(w->size[0], w->size[1], w->size[2]);
    for (int d = 0; good && d < LS_SPATIAL; d++)
        good = is_between(1, w->stride[d], INT32_MAX) && is_between(1, w->dilation[d], INT32_MAX) &&
               is_between(-INT32_MAX, w->before[d], INT32_MAX);
    return good;
}

static bool is_sound_conv(const struct ls_conv_args *a, int64_t most)
{
    const struct ls_window *w = &a->window;
    return is_between(LS_CONV_FORWARD, a->pass, LS_CONV_KERNEL) && is_window(w, most) && is_activation(a->activation) &&
           SIZES(w->batch, w->in[0], w->in[1], w->in[2], a->groups, a->channels) &&
           SIZES(w->size[0], w->size[1], w->size[2], a->channels, a->groups, a->filters) &&
           SIZES(w->batch, w->out[0], w->out[1], w->out[2], a->groups, a->filters);
}

static bool is_sound_pool(const struct ls_pool_args *a, int64_t most)
{
    const struct ls_window *w = &a->window;
    return is_between(LS_POOL_MAX, a->op, LS_POOL_SPREAD_AVERAGE) && is_window(w, most) &&
           SIZES(w->batch, w->in[0], w->in[1], w->in[2], a->channels) &&
           SIZES(w->batch, w->out[0], w->out[1], w->out[2], a->channels);
}

bool ls_node_is_sound(const struct ls_node *node, int64_t most)
{
    switch (node->prim) {
#define PRIM(name, need, meaning)                                                                  \
    case LS_PRIM_##name:                                                                           \
        return is_sound_##name(&node->args.name, most);
#include "prims.def"
#undef PRIM
    default: return false;
    }
}
