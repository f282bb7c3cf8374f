/* SPDX-License-Identifier: Apache-2.0
 *
 * What a pipeline is made of. A data set is a node of a graph: a stage with its settings and its inputs, shared
 * and never changed. A loop opens an iterator on the last node, which opens others on its inputs. Iterators run on
 * threads of their own at times, so they do not touch the context: errors travel as values.
 */
#ifndef LOCKSTEP_DATA_STAGE_H
#define LOCKSTEP_DATA_STAGE_H

#include <stdatomic.h>

#include <lockstep/data.h>

#include "../core/internal.h"
#include "position.h"

enum ls_next { LS_NEXT_ITEM, LS_NEXT_END, LS_NEXT_FAILED };

/** An error on its way to the loop. */
struct ls_problem {
    ls_status status;
    char text[640];
};
/** Writes the message; returns LS_NEXT_FAILED. */
enum ls_next ls_problem_set(struct ls_problem *problem, ls_status status, const char *format, ...) LS_PRINTF(3, 4);

/* ---- Elements ---- */

/** Arrays on the host, one per component; or the numbers of a table's rows that form a batch. Refcounted. */
struct ls_block {
    atomic_int users;
    int count;
    ls_array array[LS_MAX_COMPONENTS];
    int64_t row_count, *rows;
};

/** An element on its way: a row of its data set's table, or a block. */
struct ls_item {
    int64_t row;
    struct ls_block *block; /* NULL: it is a row */
    uint64_t pass;          /* of the endless repeat that it came through */
};

/** Memory for arrays of the shapes given; components with a size of -1 get none. NULL: no memory. */
struct ls_block *ls_block_new(const ls_array *components, int count);
void ls_block_release(struct ls_block *block);
static inline void ls_item_release(struct ls_item *item)
{
    ls_block_release(item->block);
    item->block = NULL;
}
/** Bytes of an array of known shape; -1 on overflow. */
int64_t ls_array_bytes(const ls_array *array);

/** Rows that can be read in any order: tensors on the device, with a copy on the host if a stage needs it, or files. */
struct ls_table {
    int64_t rows;
    int count;
    ls_array component[LS_MAX_COMPONENTS]; /* of one row */
    ls_tensor tensor[LS_MAX_COMPONENTS];   /* all are on the device, or none is */
    void *host[LS_MAX_COMPONENTS];         /* a copy on the host, or what came from a file as a whole */
    struct ls_array_file *file[LS_MAX_COMPONENTS];
    uint32_t contents; /* see ls_dataset_contents; 0: not yet known */
};
/** Copies one row's component; any thread, once ls_table_to_host was called. */
bool ls_table_read(const struct ls_table *table, int component, int64_t row, void *to, struct ls_problem *problem);
/** Makes the rows readable on the host. On the context's thread. */
ls_status ls_table_to_host(ls_context *ls, struct ls_table *table);
static inline bool ls_table_on_device(const struct ls_table *table) { return table && table->tensor[0].context; }
/** Rows as a block of arrays: of a batch, or if `batch` is false, the arrays of one row. NULL: problem. */
struct ls_block *ls_table_load(const struct ls_table *table, const int64_t *rows, int64_t count, bool batch,
                               struct ls_problem *problem);
/** Turns an item of `table` (NULL: it is one already) into a block of arrays. False: problem. */
bool ls_item_load(const struct ls_table *table, struct ls_item *item, struct ls_problem *problem);

/* ---- Iterators ---- */

struct ls_iterator {
    const ls_dataset *dataset;
    uint64_t epoch;
    struct ls_iterator *input[LS_MAX_COMPONENTS];
};

struct ls_stage {
    const char *name;
    size_t dataset_size, iterator_size; /* of the structs that begin with ls_dataset and ls_iterator */
    bool opens_inputs;                  /* `open` and `next` open the inputs themselves; else ls_iterator_open did */
    /* Each may be NULL: nothing to prepare. */
    bool (*open)(struct ls_iterator *it, struct ls_problem *problem);
    enum ls_next (*next)(struct ls_iterator *it, struct ls_item *item, struct ls_problem *problem);
    /* Passes over `count` items as calls of next would, but faster; NULL: next is called. */
    enum ls_next (*skip)(struct ls_iterator *it, int64_t count, struct ls_problem *problem);
    void (*close)(struct ls_iterator *it); /* before the inputs are closed; also after a failed open */
    void (*destroy)(ls_dataset *dataset);
};

struct ls_iterator *ls_iterator_open(const ls_dataset *dataset, uint64_t epoch, struct ls_problem *problem);
static inline enum ls_next ls_iterator_next(struct ls_iterator *it, struct ls_item *item, struct ls_problem *problem);
/** LS_NEXT_ITEM when it may go on; LS_NEXT_END at the latest when next would. */
enum ls_next ls_iterator_skip(struct ls_iterator *it, int64_t count, struct ls_problem *problem);
/** The same by calls of next, whatever the stage has. */
enum ls_next ls_iterator_step_over(struct ls_iterator *it, int64_t count, struct ls_problem *problem);
void ls_iterator_close(struct ls_iterator **it);

/* ---- Data sets ---- */

/** What loops over a data set leave behind. */
struct ls_course {
    uint64_t epoch;                     /* of the next loop */
    int64_t resume_at;                  /* the batch that it begins with */
    struct ls_place place;              /* of the loop that took a batch last */
    double waited;                      /* seconds, ever */
    double begun, ended, waited_before; /* of the last loop: by the clock, and `waited` at its begin */
    struct ls_loop *loops;              /* that have not ended */
};

struct ls_dataset {
    ls_context *context;
    const struct ls_stage *stage;
    size_t users; /* data sets made of it, loops, and the handle */
    ls_dataset *input[LS_MAX_COMPONENTS];
    int input_count;
    struct ls_table *table; /* of which all items are rows; NULL: items are blocks of arrays */
    ls_array component[LS_MAX_COMPONENTS];
    int count; /* components */
    int64_t cardinality;
    int64_t size; /* as cardinality, but before batch */
    bool batched;
    uint64_t signature; /* of all that decides which elements come */
    int64_t buffered;   /* elements that shuffles before it hold back */
    struct ls_course course;
};

static inline enum ls_next ls_iterator_next(struct ls_iterator *it, struct ls_item *item, struct ls_problem *problem)
{
    return it->dataset->stage->next(it, item, problem);
}

/** Data sets whose elements are the rows of a table of their own. */
struct ls_rows_dataset {
    ls_dataset base;
    struct ls_table table;
};
struct ls_rows_iterator {
    struct ls_iterator base;
    int64_t at;
};
/** One with `rows` rows and no components yet; and adds one, given the shape of all rows together. */
ls_dataset *ls_dataset_of_rows(ls_context *ls, int64_t rows, struct ls_table **table);
void ls_dataset_add_component(ls_dataset *dataset, ls_dtype dtype, ls_shape shape);

/** A source, of a stage without inputs; its components, table and cardinality are then set by the caller. */
ls_dataset *ls_dataset_source(ls_context *ls, const struct ls_stage *stage);
/** A data set with the properties of inputs[0], which it retains together with the others. NULL if one is, or on an
 * error. Both belong to the context. */
ls_dataset *ls_dataset_step(const struct ls_stage *stage, ls_dataset *const *inputs, int count);
/** Mixes settings into the signature. */
void ls_dataset_sign(ls_dataset *dataset, const void *settings, size_t bytes);
/** The dtypes and shapes too. */
void ls_dataset_sign_components(ls_dataset *dataset);
/** Lets every stage from here on see elements on the host. */
ls_status ls_dataset_to_host(ls_dataset *dataset);
/** Raises an error of a step in its input's context; returns NULL. */
ls_dataset *ls_dataset_refuse(ls_context *ls, ls_status status, const char *format, ...) LS_PRINTF(3, 4);
/** The seed, or if it is 0 one of the context's random numbers. */
uint64_t ls_dataset_seed(ls_context *ls, uint64_t seed);
/** A hash of the elements that its tables hold (of files: of some); 0 where that cannot be told. Blocks at first. */
uint32_t ls_dataset_contents(const ls_dataset *dataset);
/** Ends the loops over a data set and frees what they left (loop.c). */
void ls_course_destroy(ls_dataset *dataset);

/** Whether these can be the components of a step's elements; else an error of `step`. */
bool ls_dataset_check_components(ls_context *ls, const char *step, const ls_array *components, int count);
/** Calls `function` for an element, and words its error. */
enum ls_next ls_element_call(const char *step, ls_element_fn *function, void *user, ls_element *element,
                             struct ls_problem *problem);
/** The random number of an element. */
uint64_t ls_element_random(uint64_t seed, uint64_t epoch, int64_t index);

#endif
