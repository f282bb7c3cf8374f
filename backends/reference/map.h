/* SPDX-License-Identifier: Apache-2.0
 *
 * map, the plan: how map_plan.c decides that map.c runs a program.
 *
 * The index space is cut into runs. Where every input is dense or one scalar, there is one run of n
 * elements. Else, if the innermost dimension is long, a run is one innermost row: in it an input
 * is contiguous, or one value, or strided. Else there is one run again, and broadcast inputs are
 * expanded block by block.
 */
#ifndef LS_REFERENCE_MAP_H
#define LS_REFERENCE_MAP_H

#include "slots.h"

enum {
    ARENA = 8192,      /* words of staging memory per thread: with the operands it fits the cache */
    BLOCK = 2048,      /* elements of a block whose registers stay in the cache */
    LONG_BLOCK = 8192, /* and of one without such registers */
    LONG_ROW = 128,    /* an innermost dimension from here on makes runs of its own */
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
    uint8_t slot[REGISTERS];     /* a register's slot in the arena, or NO_SLOT */
    uint8_t direct[LS_MAP_ROWS]; /* the output that a row writes at once, or NO_SLOT */
    bool by_rows;                /* a run is an innermost row */
    int slots;
    int64_t run, block; /* elements of a run, and of a block */
    int64_t blocks;     /* of a run */
};

/* How many arguments each row has. */
extern const uint8_t ISA(row_arguments)[LS_ROW_COUNT];

static inline bool is_word(ls_dtype dtype)
{
    return dtype == LS_FLOAT32 || dtype == LS_INT32;
}

static inline bool is_half(ls_dtype dtype)
{
    return dtype == LS_FLOAT16 || dtype == LS_BFLOAT16;
}

/* True if the strides are those of a dense array of this extent. */
bool ISA(is_dense)(const struct ls_map_args *args, const int64_t *stride);

/* Fills in the whole plan. */
void ISA(plan_map)(struct plan *plan, const struct ls_map_args *args);

#endif
