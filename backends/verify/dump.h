/* SPDX-License-Identifier: Apache-2.0
 *
 * One primitive call with all it reads and what two devices made of it: in memory, and as a file.
 */
#ifndef LS_VERIFY_DUMP_H
#define LS_VERIFY_DUMP_H

#include <stdio.h>

#include "closeness.h"
#include "state.h"

struct ls_call_field {
    size_t at;        /* of the buffer's pointer in the node */
    int same;         /* the earlier field with the same buffer, or -1 */
    int64_t elements;
    ls_dtype dtype;
    bool written;
    void *before, *after[2]; /* NULL: not fetched */
};

struct ls_call {
    struct ls_node node;
    int count;
    struct ls_call_field field[LS_NODE_BUFFERS];
    char device[2][64], name[2][128];
};

/** Describes a call; nothing is fetched yet. `args` is struct ls_<prim>_args of that size. */
void ls_call_init(struct ls_call *call, enum ls_prim prim, const void *args, size_t size);
void ls_call_finish(struct ls_call *call);

/** Fetches what the call finds in its buffers on `device`; LS_OUT_OF_MEMORY on the host too. */
ls_status ls_call_fetch(struct ls_call *call, struct ls_device *device);
/** Fetches results as those of side 0 or 1, from the buffers that the node names. */
ls_status ls_call_results(struct ls_call *call, struct ls_device *device, int side);
/** Runs the call on `device` in buffers of its own, filled with what was fetched, and keeps the results. */
ls_status ls_call_run(struct ls_call *call, struct ls_device *device, int side);
/** Runs the node as it is. */
ls_status ls_call_slot(struct ls_device *device, const struct ls_node *node);

/** A result: which field, and where in it. */
struct ls_place {
    int field;
    int64_t at;
};
/** The first result that differs; `at` is -1 if none does. */
struct ls_place ls_call_first(const struct ls_call *call, enum ls_closeness closeness);
/** Form `number` of a smaller call that makes the result at `place`, from the smallest on, without results (smaller.c);
 * `place` becomes its place there. 1, or 0 if there are no more forms, or -1 if this one cannot be made; the caller
 * finishes it. */
int ls_call_smaller(const struct ls_call *call, struct ls_place *place, int number, struct ls_call *small);
/** Where the results part, in words; false if they do not. */
bool ls_call_differs(const struct ls_call *call, enum ls_closeness closeness, char *text, size_t size);
/** What variant of its primitive a call is (" sum"; the rows of a map), "" if there is one only; and with its sizes.
 * At most 160 bytes. The former returns its length. */
size_t ls_node_kind(const struct ls_node *node, char *text, size_t size);
void ls_node_text(const struct ls_node *node, char *text, size_t size);
const char *ls_call_name(const struct ls_call *call);

/** Whether a call from a file of `most` bytes is one that dispatch could have made (sound.c). */
bool ls_node_is_sound(const struct ls_node *node, int64_t most);
/** Writes to a file; and reads from one, with a sentence in `message` on failure. */
bool ls_call_save(const struct ls_call *call, const char *path);
ls_status ls_call_load(struct ls_call *call, const char *path, struct ls_message *message);

#endif
