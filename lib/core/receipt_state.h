/* SPDX-License-Identifier: Apache-2.0
 *
 * What a receipt keeps, between what happens in a step (receipt.c) and the file (receipt_output.c).
 *
 * A step leaves an entry in `words`, an int32 array on the device: the step's number, then two words for each
 * tensor. The host knows each entry's layout. When the array is full, and at the end, it is read and written to
 * the file.
 */
#ifndef LOCKSTEP_CORE_RECEIPT_STATE_H
#define LOCKSTEP_CORE_RECEIPT_STATE_H

#include "receipt.h"
#include "receipt_file.h"
#include "state.h"

enum { REMEMBERED = 4, MOST_LOSSES = 8 };

/* What the digests of a step are of. */
struct layout {
    ls_tensor iterations; /* of the optimizer */
    ls_tensor *variables;
    bool *has_gradient;
    size_t losses, count, words; /* of the entry */
};

/* An optimizer, and how many steps it has made as far as the host knows (only where `every` is not 1). */
struct counted {
    ls_tensor iterations; /* which it is */
    int64_t steps;        /* below 0: not known */
    int assigned;         /* how often `iterations` was, since the last step; a step does it once itself */
    int number;           /* among those of the same name */
    char name[64];
};

struct entry {
    size_t layout, at;
};

/* One call of ls_gradient: its targets, and the values that it gave. */
struct remembered {
    struct ls_value target[MOST_LOSSES];
    size_t targets;
    uint64_t first, last;
};

struct ls_receipt {
    char *path;
    bool append, failed;
    int64_t every;
    FILE *file;
    struct ls_receipt_line line;
    int64_t written;

    struct layout *layouts;
    size_t layout_count;
    struct counted *optimizers;
    size_t optimizer_count;
    struct remembered calls[REMEMBERED];
    unsigned next_call;

    ls_tensor *assigned; /* since the last step, while a tape recorded: moving averages */
    size_t assigned_count, assigned_capacity;

    struct ls_storage *words;
    size_t used;
    struct entry *entries;
    size_t entry_count, entry_capacity;
};

static inline bool ls_receipt_same(ls_tensor a, ls_tensor b)
{
    return a.context == b.context && a.index == b.index && a.generation == b.generation;
}

/* Makes the file, at the first step; false if that failed. */
bool ls_receipt_begin_file(ls_context *ls, struct ls_receipt *r);

/* The number of the step's layout; a new one is written to the file. False without memory. */
bool ls_receipt_layout(struct ls_receipt *r, const struct ls_receipt_step *step, size_t losses,
                       const struct counted *optimizer, size_t *number);

/* Room for an entry; where it begins, or -1. */
int64_t ls_receipt_reserve(ls_context *ls, struct ls_receipt *r, size_t layout);

/* From here on nothing is written; the program goes on, and ls_close says so. */
void ls_receipt_give_up(ls_context *ls, struct ls_receipt *r);

/* Releases the values that a call of ls_gradient left. */
void ls_receipt_forget_call(ls_context *ls, struct remembered *call);

#endif
