/* SPDX-License-Identifier: Apache-2.0
 *
 * map, the plan: what runs and blocks are, where the inputs of a block come from, and where each row
 * leaves its result. Cheap enough to be made anew for every call.
 */
#include "map.h"

#include <string.h>

/* The signature of a row says how many there are. */
const uint8_t ISA(row_arguments)[LS_ROW_COUNT] = {
#define F_F(name, ...) [LS_ROW_##name] = 1,
#define F_FF(name, ...) [LS_ROW_##name] = 2,
#define F_FFF(name, ...) [LS_ROW_##name] = 3,
#define F_I(name, ...) [LS_ROW_##name] = 1,
#define I_F(name, ...) [LS_ROW_##name] = 1,
#define I_I(name, ...) [LS_ROW_##name] = 1,
#define I_FF(name, ...) [LS_ROW_##name] = 2,
#define I_II(name, ...) [LS_ROW_##name] = 2,
#define W_IWW(name, ...) [LS_ROW_##name] = 3,
#include "elementwise_rows.h"
};

/* True if the strides are those of a dense array of this extent. */
bool ISA(is_dense)(const struct ls_map_args *args, const int64_t *stride)
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
        dense[i] = ISA(is_dense)(args, args->input[i].stride);
        if (args->n == 1 || is_constant(args, args->input[i].stride)) {
            plan->constant |= 1u << i;
        } else if (!dense[i]) {
            plain = false;
        }
    }
    plan->by_rows = !plain && args->extent[inner] >= LONG_ROW;
    plan->run = plan->by_rows ? args->extent[inner] : args->n;
    plan->scalar = plan->constant;
    for (int i = 0; i < args->inputs && i < LS_MAP_INPUTS; i++) {
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
            for (int k = 0; k < ISA(row_arguments)[args->row[later].op]; k++) {
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

/* Rows of constant or scalar registers alone are so too. */
static void plan_scalars(struct plan *plan)
{
    const struct ls_map_args *args = plan->args;
    plan->constant |= ((1u << args->immediates) - 1u) << LS_REGISTER_IMMEDIATE;
    plan->scalar |= plan->constant;
    for (int j = 0; j < args->rows; j++) {
        uint32_t read = 0, result = 1u << (LS_REGISTER_ROW + j);
        for (int k = 0; k < ISA(row_arguments)[args->row[j].op]; k++) {
            read |= 1u << args->row[j].arg[k];
        }
        plan->constant |= (read & ~plan->constant) == 0 ? result : 0;
        plan->scalar |= (read & ~plan->scalar) == 0 ? result : 0;
    }
}

static void plan_direct(struct plan *plan)
{
    const struct ls_map_args *args = plan->args;
    for (int j = 0; j < args->rows; j++) {
        plan->direct[j] = NO_SLOT;
    }
    for (int k = args->outputs - 1; k >= 0; k--) {
        int j = args->output[k].source - LS_REGISTER_ROW;
        if (j >= 0 && may_write(plan, j, k)) {
            plan->direct[j] = (uint8_t)k;
        }
    }
}

/* Gives a slot to each staged input, and to each row that needs one; a slot is free again after the
 * last row that reads it, and already for that row's result. */
static void plan_slots(struct plan *plan)
{
    const struct ls_map_args *args = plan->args;
    uint8_t last_use[REGISTERS] = {0};
    uint32_t used = 0;
    for (int j = 0; j < args->rows; j++) {
        for (int k = 0; k < ISA(row_arguments)[args->row[j].op]; k++) {
            last_use[args->row[j].arg[k]] = (uint8_t)j;
        }
    }
    for (int k = 0; k < args->outputs; k++) {
        last_use[args->output[k].source] = LS_MAP_ROWS;
    }
    memset(plan->slot, NO_SLOT, sizeof plan->slot);
    for (int i = 0; i < args->inputs; i++) {
        if (plan->access[i] == STAGED) {
            used |= 1u << plan->slots;
            plan->slot[i] = (uint8_t)plan->slots++;
        }
    }
    for (int j = 0; j < args->rows; j++) {
        for (int k = 0; k < ISA(row_arguments)[args->row[j].op]; k++) {
            int r = args->row[j].arg[k];
            if (last_use[r] == j && plan->slot[r] != NO_SLOT) {
                used &= ~(1u << plan->slot[r]);
            }
        }
        int result = LS_REGISTER_ROW + j, slot = 0;
        if (plan->scalar >> result & 1 || plan->direct[j] != NO_SLOT) {
            continue;
        }
        while (used >> slot & 1) {
            slot++;
        }
        used |= 1u << slot;
        plan->slot[result] = (uint8_t)slot;
        plan->slots = slot < plan->slots ? plan->slots : slot + 1;
    }
}

/* Blocks are as long as the arena allows; where only one row runs and nothing is staged, longer. */
static void plan_blocks(struct plan *plan)
{
    int64_t block = LONG_BLOCK;
    if (plan->slots > 0) {
        block = ARENA / plan->slots / CACHE_LINE * CACHE_LINE;
    }
    if (plan->args->rows > 1 || plan->slots > 0) {
        block = block < BLOCK ? block : BLOCK;
    }
    plan->block = block < plan->run ? block : plan->run;
    plan->blocks = (plan->run + plan->block - 1) / plan->block;
}

void ISA(plan_map)(struct plan *plan, const struct ls_map_args *args)
{
    plan->args = args;
    plan->constant = 0;
    plan->slots = 0;
    plan_inputs(plan);
    plan_scalars(plan);
    plan_direct(plan);
    plan_slots(plan);
    plan_blocks(plan);
}
