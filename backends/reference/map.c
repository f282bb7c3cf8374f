/* SPDX-License-Identifier: Apache-2.0
 *
 * map: an elementwise program, interpreted row by row over blocks of elements that stay in the first
 * level cache. map.h says how the index space is cut into runs and blocks.
 *
 * Registers that have one value for the whole program (immediates, scalars and rows of these alone)
 * are computed once per thread; registers that have one value in a run, once per block.
 */
#include "map.h"

#include <string.h>

/* Element `at` of an array as a register's word. */
static word load(const void *data, ls_dtype dtype, int64_t at)
{
    switch (dtype) {
    case LS_UINT8: return ((const uint8_t *)data)[at];
    case LS_BOOL: return ((const uint8_t *)data)[at] != 0;
    case LS_FLOAT16:
    case LS_BFLOAT16: return ((const uint16_t *)data)[at];
    default: return ((const word *)data)[at];
    }
}

/* to[i] = data[at + i*stride] as words. */
static void load_strided(word *to, const void *data, ls_dtype dtype, int64_t at, int64_t stride,
                         int64_t n)
{
    const uint8_t *bytes = (const uint8_t *)data + at;
    const uint16_t *halves = (const uint16_t *)data + at;
    const word *words = (const word *)data + at;
    if (stride == 0) {
        word value = load(data, dtype, at);
        EACH(i, n) to[i] = value;
    } else if (dtype == LS_UINT8 && stride == 1) {
        EACH(i, n) to[i] = bytes[i];
    } else if (dtype == LS_BOOL && stride == 1) {
        EACH(i, n) to[i] = bytes[i] != 0;
    } else if (is_half(dtype) && stride == 1) {
        EACH(i, n) to[i] = halves[i];
    } else if (!is_word(dtype)) {
        for (int64_t i = 0; i < n; i++) {
            to[i] = load(data, dtype, at + i * stride);
        }
    } else if (stride == 1) {
        EACH(i, n) to[i] = words[i];
    } else {
        for (int64_t i = 0; i < n; i++) {
            to[i] = words[i * stride];
        }
    }
}

/* data[at + i] = from[i * step], narrowed to dtype. */
static void store(void *data, ls_dtype dtype, int64_t at, const struct operand *from, int64_t n)
{
    const word *source = from->data;
    size_t step = from->step;
    uint8_t *bytes = (uint8_t *)data + at;
    uint16_t *halves = (uint16_t *)data + at;
    word *words = (word *)data + at;
    if (dtype == LS_UINT8) {
        EACH(i, n) bytes[i] = (uint8_t)source[i * step];
    } else if (dtype == LS_BOOL) {
        EACH(i, n) bytes[i] = source[i * step] != 0;
    } else if (is_half(dtype)) {
        EACH(i, n) halves[i] = (uint16_t)source[i * step];
    } else if (step) {
        EACH(i, n) words[i] = source[i];
    } else {
        word value = *source;
        EACH(i, n) words[i] = value;
    }
}

static void run_row(const struct ls_map_row *row, size_t n, const struct operand *registers,
                    void *result)
{
    struct operand operand[3];
    for (int i = 0; i < ISA(row_arguments)[row->op]; i++) {
        operand[i] = registers[row->arg[i]];
    }
    ISA(rows)[row->op](n, operand, result);
}

/* What a thread works with. */
struct state {
    struct operand registers[REGISTERS];
    word value[REGISTERS]; /* of scalar registers */
    _Alignas(CACHE_LINE) word arena[ARENA];
};

/* The constant registers. */
static void set_constants(const struct plan *plan, struct state *state)
{
    const struct ls_map_args *args = plan->args;
    for (int i = 0; i < args->immediates; i++) {
        int r = LS_REGISTER_IMMEDIATE + i;
        state->value[r] = args->immediate[i];
        state->registers[r] = (struct operand){&state->value[r], 0};
    }
    for (int i = 0; i < args->inputs; i++) {
        if (plan->constant >> i & 1) {
            state->value[i] = load(data_of(args->input[i].buffer), args->input[i].dtype, 0);
            state->registers[i] = (struct operand){&state->value[i], 0};
        }
    }
    for (int j = 0; j < args->rows; j++) {
        int r = LS_REGISTER_ROW + j;
        if (plan->constant >> r & 1) {
            run_row(&args->row[j], 1, state->registers, &state->value[r]);
            state->registers[r] = (struct operand){&state->value[r], 0};
        }
    }
}

/* The offset of an input at a position of the outer dimensions. */
static int64_t offset_of(const struct ls_map_args *args, const int64_t *stride, int64_t outer)
{
    int64_t offset = 0;
    for (int d = args->rank - 2; d > 0; d--) {
        offset += outer % args->extent[d] * stride[d];
        outer /= args->extent[d];
    }
    return args->rank > 1 ? offset + outer * stride[0] : 0;
}

/* Expands elements [begin, begin + n) of an input that is the same in every row: one period, and then
 * what is there already is doubled. */
static void stage_period(const word *row, int64_t width, int64_t column, int64_t n, word *to)
{
    int64_t done = width < n ? width : n;
    for (int64_t i = 0; i < done; i++) {
        to[i] = row[column + i < width ? column + i : column + i - width];
    }
    while (done < n) {
        int64_t part = done < n - done ? done : n - done;
        memcpy(to + done, to, (size_t)part * sizeof *to);
        done += part;
    }
}

/* Expands elements [begin, begin + n) of an input that is broadcast or strided, row by row. */
static void stage(const struct ls_map_args *args, const struct ls_map_input *input, int64_t begin,
                  int64_t n, word *to)
{
    int inner = args->rank - 1;
    int64_t width = args->extent[inner];
    int64_t outer = begin / width;
    int64_t column = begin % width;
    const void *data = data_of(input->buffer);
    if (args->rank == 2 && input->stride[0] == 0 && input->stride[1] == 1 && is_word(input->dtype)) {
        stage_period(data, width, column, n, to);
        return;
    }
    while (n > 0) {
        int64_t part = width - column < n ? width - column : n;
        int64_t at = offset_of(args, input->stride, outer) + column * input->stride[inner];
        load_strided(to, data, input->dtype, at, input->stride[inner], part);
        to += part;
        n -= part;
        outer++;
        column = 0;
    }
}

/* The inputs of the block of n elements that begins at element `begin`, which is element `column`
 * of run `run`. */
static void set_inputs(const struct plan *plan, struct state *state, int64_t run, int64_t column,
                       int64_t begin, int64_t n)
{
    const struct ls_map_args *args = plan->args;
    for (int i = 0; i < args->inputs; i++) {
        if (plan->constant >> i & 1) {
            continue;
        }
        const struct ls_map_input *input = &args->input[i];
        const void *data = data_of(input->buffer);
        int64_t stride = input->stride[args->rank - 1];
        int64_t at = begin;
        if (plan->by_rows) {
            at = offset_of(args, input->stride, run) + column * stride;
        }
        word *slot = state->arena + plan->slot[i] * plan->block;
        switch (plan->access[i]) {
        case DIRECT: state->registers[i] = (struct operand){(const word *)data + at, 1}; break;
        case SCALAR:
            state->value[i] = load(data, input->dtype, at);
            state->registers[i] = (struct operand){&state->value[i], 0};
            break;
        case STAGED:
            if (plan->by_rows) {
                load_strided(slot, data, input->dtype, at, stride, n);
            } else if (ISA(is_dense)(args, input->stride)) {
                load_strided(slot, data, input->dtype, at, 1, n);
            } else {
                stage(args, input, begin, n, slot);
            }
            state->registers[i] = (struct operand){slot, 1};
            break;
        }
    }
}

/* Runs the program over the block. */
static void run_block(const struct plan *plan, struct state *state, int64_t begin, int64_t n)
{
    const struct ls_map_args *args = plan->args;
    for (int j = 0; j < args->rows; j++) {
        int r = LS_REGISTER_ROW + j;
        word *result;
        size_t count = (size_t)n;
        if (plan->constant >> r & 1) {
            continue;
        }
        if (plan->scalar >> r & 1) {
            result = &state->value[r];
            count = 1;
        } else if (plan->direct[j] != NO_SLOT) {
            result = (word *)data_of(args->output[plan->direct[j]].buffer) + begin;
        } else {
            result = state->arena + plan->slot[r] * plan->block;
        }
        run_row(&args->row[j], count, state->registers, result);
        state->registers[r] = (struct operand){result, result != &state->value[r]};
    }
    for (int k = 0; k < args->outputs; k++) {
        const struct ls_map_output *output = &args->output[k];
        int j = output->source - LS_REGISTER_ROW;
        if (j < 0 || plan->direct[j] != k) {
            store(data_of(output->buffer), output->dtype, begin, &state->registers[output->source],
                  n);
        }
    }
}

/* Blocks [begin, end), counted through all runs. */
static void run_blocks(const void *work, int thread, int64_t begin, int64_t end)
{
    const struct plan *plan = work;
    struct state state;
    (void)thread;
    set_constants(plan, &state);
    for (int64_t block = begin; block < end; block++) {
        int64_t run = plan->by_rows ? block / plan->blocks : 0;
        int64_t column = (block - run * plan->blocks) * plan->block;
        int64_t rest = plan->run - column;
        int64_t n = rest < plan->block ? rest : plan->block;
        int64_t first = run * plan->run + column;
        set_inputs(plan, &state, run, column, first, n);
        run_block(plan, &state, first, n);
    }
}

ls_status ISA(map)(struct reference_device *device, const struct ls_map_args *args)
{
    struct plan plan;
    ISA(plan_map)(&plan, args);
    int64_t blocks = args->n / plan.run * plan.blocks;
    int64_t grain = (PARALLEL_WORK / args->rows + plan.block - 1) / plan.block;
    ls_reference_parallel(device, blocks, grain, run_blocks, &plan);
    return LS_OK;
}
