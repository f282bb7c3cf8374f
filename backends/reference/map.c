/* SPDX-License-Identifier: Apache-2.0
 *
 * map: an elementwise program, interpreted row by row over blocks of elements that stay in the first
 * level cache.
 *
 * The index space is cut into runs. Where every input is dense or one scalar, there is one run of n
 * elements. Else, if the innermost dimension is long, a run is one innermost row: in it an input
 * is contiguous, or one value, or strided. Else there is one run again, and broadcast inputs
 * are expanded block by block.
 *
 * Registers that have one value for the whole program (immediates, scalars and rows of these alone)
 * are computed once per thread; registers that have one value in a run, once per block.
 */
#include "slots.h"

#include <string.h>

enum {
    ARENA = 8192,     /* words of staging memory per thread: with the operands it fits the cache */
    BLOCK = 1024,     /* elements of a block that is staged */
    LONG_BLOCK = 8192, /* and of one that is not */
    LONG_ROW = 128,   /* an innermost dimension from here on makes runs of its own */
    REGISTERS = LS_REGISTER_ROW + LS_MAP_ROWS,
    NO_SLOT = 255,
};

/* How an input is found in a run. */
enum access {
    DIRECT, /* 32-bit and contiguous: read in place */
    SCALAR, /* one value */
    STAGED, /* copied to a slot: narrow, strided, or broadcast within the run */
};

struct plan {
    const struct ls_map_args *args;
    uint32_t constant; /* registers with one value for the whole program */
    uint32_t scalar;   /* registers with one value per run, the constant ones among them */
    enum access access[LS_MAP_INPUTS];
    uint8_t slot[REGISTERS];           /* a staging slot of the arena, or NO_SLOT */
    uint8_t direct[LS_MAP_ROWS];       /* the output that a row writes in place, or NO_SLOT */
    bool by_rows;
    int slots;
    int64_t run;      /* elements of a run */
    int64_t block;    /* elements of a block */
    int64_t blocks;   /* blocks of a run */
};

static bool is_word(ls_dtype dtype)
{
    return dtype == LS_FLOAT32 || dtype == LS_INT32;
}

/* Element `at` of an array as a register's word. */
static word load(const void *data, ls_dtype dtype, int64_t at)
{
    switch (dtype) {
    case LS_UINT8: return ((const uint8_t *)data)[at];
    case LS_BOOL: return ((const uint8_t *)data)[at] != 0;
    default: return ((const word *)data)[at];
    }
}

/* to[i] = data[at + i*stride] as words. */
static void load_strided(word *to, const void *data, ls_dtype dtype, int64_t at, int64_t stride,
                         int64_t n)
{
    const uint8_t *bytes = (const uint8_t *)data + at;
    const word *words = (const word *)data + at;
    if (stride == 0) {
        word value = load(data, dtype, at);
        EACH(i, n) to[i] = value;
    } else if (dtype == LS_UINT8 && stride == 1) {
        EACH(i, n) to[i] = bytes[i];
    } else if (dtype == LS_BOOL && stride == 1) {
        EACH(i, n) to[i] = bytes[i] != 0;
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
    word *words = (word *)data + at;
    if (dtype == LS_UINT8) {
        EACH(i, n) bytes[i] = (uint8_t)source[i * step];
    } else if (dtype == LS_BOOL) {
        EACH(i, n) bytes[i] = source[i * step] != 0;
    } else if (step) {
        EACH(i, n) words[i] = source[i];
    } else {
        word value = *source;
        EACH(i, n) words[i] = value;
    }
}

/* Arguments of each row; the signature says how many there are. */
static const uint8_t arguments[LS_ROW_COUNT] = {
#define F_F(name, ...) [LS_ROW_##name] = 1,
#define F_FF(name, ...) [LS_ROW_##name] = 2,
#define F_FFF(name, ...) [LS_ROW_##name] = 3,
#define F_I(name, ...) [LS_ROW_##name] = 1,
#define I_F(name, ...) [LS_ROW_##name] = 1,
#define I_I(name, ...) [LS_ROW_##name] = 1,
#define I_FF(name, ...) [LS_ROW_##name] = 2,
#define I_II(name, ...) [LS_ROW_##name] = 2,
#define W_IWW(name, ...) [LS_ROW_##name] = 3,
#include "../../lib/ops/elementwise.def"
#undef F_F
#undef F_FF
#undef F_FFF
#undef F_I
#undef I_F
#undef I_I
#undef I_FF
#undef I_II
#undef W_IWW
};

static void run_row(const struct ls_map_row *row, size_t n, const struct operand *registers,
                    void *result)
{
    struct operand operand[3];
    for (int i = 0; i < arguments[row->op]; i++) {
        operand[i] = registers[row->arg[i]];
    }
    ISA(rows)[row->op](n, operand, result);
}

/* True if the strides are those of a dense array of this extent. */
static bool is_dense(const struct ls_map_args *args, const int64_t *stride)
{
    int64_t expected = 1;
    for (int d = args->rank - 1; d >= 0; d--) {
        if (args->extent[d] != 1 && stride[d] != expected) {
            return false;
        }
        expected *= args->extent[d];
    }
    return true;
}

static bool is_constant(const struct ls_map_args *args, const int64_t *stride)
{
    for (int d = 0; d < args->rank; d++) {
        if (args->extent[d] != 1 && stride[d] != 0) {
            return false;
        }
    }
    return true;
}

/* True if the input is itself an output while some output overwrites its buffer: then it must be
 * staged before anything is stored. */
static bool is_overwritten(const struct ls_map_args *args, int i)
{
    bool is_source = false, is_target = false;
    for (int k = 0; k < args->outputs; k++) {
        is_source |= args->output[k].source == i;
        is_target |= args->output[k].buffer == args->input[i].buffer;
    }
    return is_source && is_target;
}

/* Decides on runs and how each input is found in them. */
static void plan_inputs(struct plan *plan)
{
    const struct ls_map_args *args = plan->args;
    int inner = args->rank - 1;
    bool dense[LS_MAP_INPUTS], plain = true;
    for (int i = 0; i < args->inputs; i++) {
        dense[i] = is_dense(args, args->input[i].stride);
        if (args->n == 1 || is_constant(args, args->input[i].stride)) {
            plan->constant |= 1u << i;
        } else if (!dense[i]) {
            plain = false;
        }
    }
    plan->by_rows = !plain && args->extent[inner] >= LONG_ROW;
    plan->run = plan->by_rows ? args->extent[inner] : args->n;
    plan->scalar = plan->constant;
    for (int i = 0; i < args->inputs; i++) {
        int64_t stride = args->input[i].stride[inner];
        plan->access[i] = STAGED;
        if (plan->constant >> i & 1 || (plan->by_rows && stride == 0)) {
            plan->access[i] = SCALAR;
            plan->scalar |= 1u << i;
        } else if (is_word(args->input[i].dtype) && (dense[i] || (plan->by_rows && stride == 1)) &&
                   !is_overwritten(args, i)) {
            plan->access[i] = DIRECT;
        }
    }
}

/* True if row `j` may write its result to the output's memory at once: nothing later in the block
 * reads what is there. */
static bool may_write(const struct plan *plan, int j, int output)
{
    const struct ls_map_args *args = plan->args;
    const struct ls_map_output *out = &args->output[output];
    if (!is_word(out->dtype) || out->source != LS_REGISTER_ROW + j ||
        plan->scalar >> out->source & 1) {
        return false;
    }
    for (int i = 0; i < args->inputs; i++) {
        if (args->input[i].buffer != out->buffer) {
            continue;
        }
        for (int later = j + 1; later < args->rows; later++) {
            for (int k = 0; k < arguments[args->row[later].op]; k++) {
                if (args->row[later].arg[k] == i) {
                    return false;
                }
            }
        }
        for (int k = 0; k < args->outputs; k++) {
            if (args->output[k].source == i) {
                return false;
            }
        }
    }
    return true;
}

/* Decides which rows are constant, which write in place, and gives the others staging slots, reusing
 * a slot after the last row that reads it. */
static void plan_rows(struct plan *plan)
{
    const struct ls_map_args *args = plan->args;
    uint8_t last_use[REGISTERS] = {0};
    plan->constant |= ((1u << args->immediates) - 1u) << LS_REGISTER_IMMEDIATE;
    plan->scalar |= plan->constant;
    for (int j = 0; j < args->rows; j++) {
        uint32_t read = 0;
        for (int k = 0; k < arguments[args->row[j].op]; k++) {
            read |= 1u << args->row[j].arg[k];
            last_use[args->row[j].arg[k]] = (uint8_t)j;
        }
        uint32_t result = 1u << (LS_REGISTER_ROW + j);
        plan->constant |= (read & ~plan->constant) == 0 ? result : 0;
        plan->scalar |= (read & ~plan->scalar) == 0 ? result : 0;
    }
    for (int j = 0; j < args->rows; j++) {
        plan->direct[j] = NO_SLOT;
    }
    for (int k = args->outputs - 1; k >= 0; k--) {
        int j = args->output[k].source - LS_REGISTER_ROW;
        if (j >= 0 && may_write(plan, j, k)) {
            plan->direct[j] = (uint8_t)k;
        }
        last_use[args->output[k].source] = LS_MAP_ROWS;
    }
    uint32_t used = 0;
    for (int r = 0; r < LS_MAP_INPUTS; r++) {
        plan->slot[r] = NO_SLOT;
        if (r < args->inputs && plan->access[r] == STAGED) {
            plan->slot[r] = (uint8_t)plan->slots++;
            used |= 1u << plan->slot[r];
        }
    }
    for (int j = 0; j < args->rows; j++) {
        for (int k = 0; k < arguments[args->row[j].op]; k++) {
            int r = args->row[j].arg[k];
            if (last_use[r] == j && !(plan->scalar >> r & 1) &&
                (r < LS_MAP_INPUTS || r >= LS_REGISTER_ROW) && plan->slot[r] != NO_SLOT) {
                used &= ~(1u << plan->slot[r]);
            }
        }
        int result = LS_REGISTER_ROW + j;
        plan->slot[result] = NO_SLOT;
        if (!(plan->scalar >> result & 1) && plan->direct[j] == NO_SLOT) {
            int slot = 0;
            while (used >> slot & 1) {
                slot++;
            }
            used |= 1u << slot;
            plan->slot[result] = (uint8_t)slot;
            plan->slots = slot < plan->slots ? plan->slots : slot + 1;
        }
    }
    plan->block = LONG_BLOCK;
    if (plan->slots || args->rows > 1) {
        int64_t fits = plan->slots ? ARENA / plan->slots / 64 * 64 : BLOCK;
        plan->block = fits < BLOCK ? fits : BLOCK;
    }
    plan->block = plan->block < plan->run ? plan->block : plan->run;
    plan->blocks = (plan->run + plan->block - 1) / plan->block;
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
            } else if (is_dense(args, input->stride)) {
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
    plan.args = args;
    plan.constant = 0;
    plan.slots = 0;
    plan_inputs(&plan);
    plan_rows(&plan);
    int64_t blocks = args->n / plan.run * plan.blocks;
    int64_t grain = (PARALLEL_WORK / args->rows + plan.block - 1) / plan.block;
    ls_reference_parallel(device, blocks, grain, run_blocks, &plan);
    return LS_OK;
}
