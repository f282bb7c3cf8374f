/* SPDX-License-Identifier: Apache-2.0
 *
 * map. A program of one row is one launch of shaders/map.comp. A longer one is fused (fuse.c) where
 * libshaderc is there; else each row is a launch of its own and what is between them lies in scratch
 * memory. The bits are the same, since every row is rounded by itself.
 */
#include <string.h>

#include "vulkan.h"

enum { MOST_RANK = 6, GROUP = 128 }; /* as in map.comp */

const struct ls_vk_row ls_vk_rows[LS_ROW_COUNT] = {
#define F_F(name, formula, ...) {#name, #formula, "F", 'F', __LINE__},
#define F_FF(name, formula, ...) {#name, #formula, "FF", 'F', __LINE__},
#define F_FFF(name, formula, ...) {#name, #formula, "FFF", 'F', __LINE__},
#define F_I(name, formula) {#name, #formula, "I", 'F', __LINE__},
#define I_F(name, formula) {#name, #formula, "F", 'I', __LINE__},
#define I_I(name, formula) {#name, #formula, "I", 'I', __LINE__},
#define I_FF(name, formula) {#name, #formula, "FF", 'I', __LINE__},
#define I_II(name, formula) {#name, #formula, "II", 'I', __LINE__},
#define W_IWW(name, formula) {#name, #formula, "IWW", 'W', __LINE__},
#include "elementwise_rows.h"
};

/* An argument of a row: memory with strides, or a word. */
struct operand {
    struct ls_buffer *buffer; /* NULL: the word */
    uint32_t word;
    ls_dtype dtype;
    int64_t stride[LS_MAX_RANK];
};

/* Where a launch runs. */
struct space {
    int rank;
    int64_t n;
    int64_t extent[LS_MAX_RANK];
};

int64_t ls_vk_step(int rank, const int64_t *extent, const int64_t *strides)
{
    bool dense = true, scalar = true;
    int64_t stride = 1;
    for (int d = rank - 1; d >= 0; d--) {
        if (extent[d] == 1)
            continue;
        dense = dense && strides[d] == stride;
        scalar = scalar && strides[d] == 0;
        stride *= extent[d];
    }
    return scalar ? 0 : dense ? 1 : -1;
}

int64_t ls_vk_reach(int rank, const int64_t *extent, const int64_t *strides)
{
    int64_t last = 0;
    for (int d = 0; d < rank; d++)
        last += (extent[d] - 1) * strides[d];
    return last + 1;
}

static int64_t step_of(const struct operand *operand, const struct space *space)
{
    return ls_vk_step(space->rank, space->extent, operand->stride);
}

static int64_t bytes_of(const struct operand *operand, const struct space *space)
{
    return ls_vk_reach(space->rank, space->extent, operand->stride) * (int64_t)ls_dtype_size(operand->dtype);
}

static int arguments_of(unsigned row)
{
    return (int)strlen(ls_vk_rows[row].arguments);
}

/* ---- One row ---- */

static void bind_operand(struct ls_vk_launch *launch, const struct operand *operand, const struct space *space)
{
    if (operand->buffer == NULL)
        ls_vk_bind(launch, NULL, 0, 0);
    else
        ls_vk_bind(launch, operand->buffer, bytes_of(operand, space), LS_VK_READ);
}

static ls_status run_row(struct ls_vk_device *device, unsigned row, const struct operand *operands, ls_dtype dtype,
                         struct ls_buffer *result, const struct space *space)
{
    int arguments = arguments_of(row);
    int64_t step[3] = {0, 0, 0};
    bool strided = false;
    uint32_t immediates = 0;
    struct ls_vk_key key = ls_vk_key_of(LS_VK_SHADER_map);
    ls_vk_key_add(&key, (uint32_t)ls_vk_rows[row].line);
    for (int i = 0; i < 3; i++) {
        bool word = i >= arguments || operands[i].buffer == NULL;
        immediates |= word ? 1u << i : 0;
        step[i] = word ? 0 : step_of(&operands[i], space);
        strided = strided || step[i] < 0;
        ls_vk_key_add(&key, word ? LS_VK_WORD : ls_vk_kind_of(operands[i].dtype));
    }
    ls_vk_key_add(&key, ls_vk_kind_of(dtype));
    ls_vk_key_add(&key, strided ? (uint32_t)space->rank : 0);

    const struct ls_vk_pipeline *pipeline;
    ls_status status = ls_vk_pipeline(device, ls_vk_rows[row].name, &key, 4, &pipeline);
    if (status != LS_OK)
        return status;
    int64_t size = (int64_t)ls_dtype_size(dtype);
    struct ls_vk_launch launch = ls_vk_begin(device, pipeline);
    for (int i = 0; i < 3; i++)
        bind_operand(&launch, i < arguments ? &operands[i] : &(struct operand){.buffer = NULL}, space);
    ls_vk_bind(&launch, result, space->n * size, LS_VK_WRITE);
    ls_vk_push(&launch, space->n);
    ls_vk_push_bits(&launch, immediates);
    for (int i = 0; i < 3; i++)
        ls_vk_push_bits(&launch, i < arguments ? operands[i].word : 0);
    for (int d = 0; d < MOST_RANK; d++)
        ls_vk_push(&launch, d < space->rank && strided ? space->extent[d] : 1);
    for (int i = 0; i < 3; i++)
        for (int d = 0; d < MOST_RANK; d++)
            ls_vk_push(&launch, (immediates >> i & 1u) != 0 ? 0
                                : strided                  ? (d < space->rank ? operands[i].stride[d] : 0)
                                                           : (d == 0 ? step[i] : 0));
    int64_t per_word = 4 / size;
    return ls_vk_run(&launch, ls_vk_groups(ls_vk_groups(space->n, per_word), GROUP));
}

/* ---- Programs ---- */

/* The scratch memory of a program: results of rows, and behind them the inputs that are copied. */
enum { SCRATCH_INPUT = LS_MAP_ROWS };

struct program {
    struct ls_vk_device *device;
    const struct ls_map_args *args;
    struct space space;
    struct operand registers[LS_REGISTER_ROW + LS_MAP_ROWS];
};

/* Makes register `reg` the dense elements of `buffer`. */
static void set_dense(struct program *p, int reg, struct ls_buffer *buffer, ls_dtype dtype)
{
    int64_t stride = 1;
    p->registers[reg] = (struct operand){.buffer = buffer, .dtype = dtype};
    for (int d = p->space.rank - 1; d >= 0; d--) {
        p->registers[reg].stride[d] = stride;
        stride *= p->space.extent[d];
    }
}

static ls_status dense_scratch(struct program *p, int index, int reg, ls_dtype dtype)
{
    struct ls_buffer *buffer;
    ls_status status =
        ls_vk_scratch(p->device, index, (size_t)p->args->n * ls_dtype_size(dtype), &buffer);
    if (status == LS_OK)
        set_dense(p, reg, buffer, dtype);
    return status;
}

/* Copies an input to scratch memory: where shaders do not take so many dimensions, or where the input is
 * an output's memory too and is wanted after that was written. */
static ls_status copy_input(struct program *p, int i)
{
    struct operand from = p->registers[i];
    ls_status status = dense_scratch(p, SCRATCH_INPUT + i, i, from.dtype);
    if (status != LS_OK)
        return status;
    struct ls_copy_nd_args copy = {
        .src = from.buffer, .dst = p->registers[i].buffer, .dtype = from.dtype, .rank = p->args->rank};
    for (int d = 0; d < copy.rank; d++) {
        copy.extent[d] = p->space.extent[d];
        copy.src_stride[d] = from.stride[d];
        copy.dst_stride[d] = p->registers[i].stride[d];
    }
    return ls_vk_copy_nd(&p->device->base, &copy);
}

static bool is_output(const struct ls_map_args *args, const struct ls_buffer *buffer)
{
    for (int i = 0; i < args->outputs; i++)
        if (args->output[i].buffer == buffer)
            return true;
    return false;
}

/* Whether a row behind `row` reads register `reg`. */
static bool is_read_later(const struct ls_map_args *args, int row, int reg)
{
    for (int i = row + 1; i < args->rows; i++)
        for (int a = 0; a < arguments_of(args->row[i].op); a++)
            if (args->row[i].arg[a] == reg)
                return true;
    return false;
}

/* The output that this row can write itself: of words, the only one of this row, and its memory is
 * that of no input that is read later. */
static struct ls_buffer *direct_output(const struct ls_map_args *args, int row)
{
    struct ls_buffer *found = NULL;
    for (int i = 0; i < args->outputs; i++) {
        if (args->output[i].source != LS_REGISTER_ROW + row)
            continue;
        if (found != NULL || ls_dtype_size(args->output[i].dtype) != 4)
            return NULL;
        found = args->output[i].buffer;
    }
    for (int i = 0; i < args->inputs && found != NULL; i++)
        if (args->input[i].buffer == found && is_read_later(args, row, i))
            return NULL;
    return found;
}

static ls_status load_inputs(struct program *p)
{
    const struct ls_map_args *args = p->args;
    ls_status status = LS_OK;
    bool deep = false;
    for (int i = 0; i < args->inputs; i++) {
        p->registers[i] = (struct operand){.buffer = args->input[i].buffer, .dtype = args->input[i].dtype};
        memcpy(p->registers[i].stride, args->input[i].stride, sizeof args->input[i].stride);
        deep = deep || (args->rank > MOST_RANK && step_of(&p->registers[i], &p->space) < 0);
    }
    for (int i = 0; i < args->immediates; i++)
        p->registers[LS_REGISTER_IMMEDIATE + i] = (struct operand){.word = args->immediate[i], .dtype = LS_INT32};
    for (int i = 0; i < args->inputs && status == LS_OK; i++) {
        bool stored = false; /* as it is, by a copy at the end */
        for (int o = 0; o < args->outputs; o++)
            stored = stored || args->output[o].source == i;
        if ((deep && step_of(&p->registers[i], &p->space) != 0) || (stored && is_output(args, args->input[i].buffer)))
            status = copy_input(p, i);
    }
    return status;
}

/* The first scratch memory that no row before this one has which is still to be read, by a later row or
 * by an output. This row itself may: it reads and writes element by element. */
static int free_scratch(const struct ls_map_args *args, int row, const int *scratch)
{
    bool taken[LS_MAP_ROWS] = {false};
    int found = 0;
    for (int i = 0; i < row; i++) {
        bool wanted = is_read_later(args, row, LS_REGISTER_ROW + i);
        for (int o = 0; o < args->outputs; o++)
            wanted = wanted || args->output[o].source == LS_REGISTER_ROW + i;
        if (scratch[i] >= 0 && wanted)
            taken[scratch[i]] = true;
    }
    while (taken[found])
        found++;
    return found;
}

static ls_status run_rows(struct program *p)
{
    const struct ls_map_args *args = p->args;
    ls_status status = LS_OK;
    int scratch[LS_MAP_ROWS]; /* the number of a row's, or -1 */
    for (int i = 0; i < args->rows && status == LS_OK; i++) {
        const struct ls_map_row *row = &args->row[i];
        struct operand operands[3] = {{.buffer = NULL}};
        struct ls_buffer *direct = direct_output(args, i);
        for (int a = 0; a < arguments_of(row->op); a++)
            operands[a] = p->registers[row->arg[a]];
        int reg = LS_REGISTER_ROW + i;
        scratch[i] = direct == NULL ? free_scratch(args, i, scratch) : -1;
        if (direct != NULL) /* later rows may read it there */
            set_dense(p, reg, direct, LS_INT32);
        else
            status = dense_scratch(p, scratch[i], reg, LS_INT32);
        if (status == LS_OK)
            status = run_row(p->device, row->op, operands, LS_INT32, p->registers[reg].buffer, &p->space);
    }
    return status;
}

static ls_status store_outputs(struct program *p)
{
    const struct ls_map_args *args = p->args;
    ls_status status = LS_OK;
    for (int i = 0; i < args->outputs && status == LS_OK; i++) {
        const struct operand *from = &p->registers[args->output[i].source];
        if (from->buffer != args->output[i].buffer)
            status = run_row(p->device, LS_ROW_int_copy, from, args->output[i].dtype, args->output[i].buffer,
                             &p->space);
    }
    return status;
}

/* A row that makes the only output needs nothing in between, whatever the output's type. */
static bool is_single(const struct ls_map_args *args)
{
    return args->rows == 1 && args->outputs == 1 && args->output[0].source == LS_REGISTER_ROW;
}

/* ---- Maps of more than can be bound ---- */

static bool fits(const struct ls_vk_device *device, const struct ls_map_args *args)
{
    bool fits = ls_vk_fits(device, args->n, 4); /* of scratch memory as well */
    for (int i = 0; i < args->inputs; i++)
        fits = fits && ls_vk_fits(device, ls_vk_reach(args->rank, args->extent, args->input[i].stride),
                                  (int64_t)ls_dtype_size(args->input[i].dtype));
    return fits;
}

/* Makes `args` what it is for `count` indices of dimension d from `start` on. What is one buffer stays one, since an
 * output may be an input. The first ones are parts too: what is written there must not touch what is behind it. */
static void take(struct ls_map_args *args, int d, int64_t start, int64_t count, struct ls_vk_buffer *parts)
{
    struct ls_buffer **buffers[LS_MAP_INPUTS + LS_MAP_OUTPUTS], *whole[LS_MAP_INPUTS + LS_MAP_OUTPUTS];
    int64_t offset[LS_MAP_INPUTS + LS_MAP_OUTPUTS], inner = args->n / args->extent[d];
    int all = 0;
    for (int i = 0; i < args->inputs; i++, all++) {
        buffers[all] = &args->input[i].buffer;
        offset[all] = start * args->input[i].stride[d] * (int64_t)ls_dtype_size(args->input[i].dtype);
    }
    for (int i = 0; i < args->outputs; i++, all++) {
        buffers[all] = &args->output[i].buffer;
        offset[all] = start * inner * (int64_t)ls_dtype_size(args->output[i].dtype);
    }
    for (int i = 0; i < all; i++) {
        int same = 0;
        whole[i] = *buffers[i];
        while (whole[same] != whole[i] || offset[same] != offset[i])
            same++;
        *buffers[i] = same < i ? *buffers[same] : ls_vk_part(&parts[i], whole[i], offset[i]);
    }
    args->n = count * inner;
    args->extent[d] = count;
}

/* Two halves of the outermost dimension: outputs are dense. */
static ls_status map_halves(struct ls_device *base, const struct ls_map_args *args)
{
    struct ls_vk_buffer parts[LS_MAP_INPUTS + LS_MAP_OUTPUTS];
    struct ls_map_args first = *args;
    int d = 0;
    for (; args->extent[d] == 1; d++)
        for (int i = 0; i < args->inputs; i++)
            first.input[i].stride[d] = 0; /* it may be more than shaders count to */
    struct ls_map_args second = first;
    int64_t half = ls_vk_middle(args->extent[d]);
    take(&first, d, 0, half, parts);
    ls_status status = ls_vk_map(base, &first);
    if (status != LS_OK)
        return status;
    take(&second, d, half, args->extent[d] - half, parts);
    return ls_vk_map(base, &second);
}

ls_status ls_vk_map(struct ls_device *base, const struct ls_map_args *args)
{
    struct ls_vk_device *device = ls_vk_device_of(base);
    if (!fits(device, args) && args->n > 1)
        return map_halves(base, args);
    if (args->rows > 1) {
        ls_status status = ls_vk_map_fused(device, args);
        if (status != LS_UNSUPPORTED)
            return status;
    }
    struct program p = {.device = device, .args = args, .space = {.rank = args->rank, .n = args->n}};
    memcpy(p.space.extent, args->extent, sizeof p.space.extent);
    ls_status status = load_inputs(&p);
    if (status != LS_OK)
        return status;
    if (is_single(args)) {
        struct operand operands[3] = {{.buffer = NULL}};
        for (int a = 0; a < arguments_of(args->row[0].op); a++)
            operands[a] = p.registers[args->row[0].arg[a]];
        return run_row(device, args->row[0].op, operands, args->output[0].dtype, args->output[0].buffer, &p.space);
    }
    status = run_rows(&p);
    return status == LS_OK ? store_outputs(&p) : status;
}

ls_status ls_vk_activate(struct ls_vk_device *device, unsigned row, struct ls_buffer *buffer, int64_t n)
{
    struct ls_map_args args = {
        .rows = 1,
        .inputs = 1,
        .outputs = 1,
        .rank = 1,
        .n = n,
        .extent = {n},
        .row = {{(uint16_t)row, {0}}},
        .input = {{buffer, LS_FLOAT32, {1}}},
        .output = {{buffer, LS_FLOAT32, LS_REGISTER_ROW}},
    };
    return row == LS_ROW_NONE ? LS_OK : ls_vk_map(&device->base, &args);
}
