/* SPDX-License-Identifier: Apache-2.0
 *
 * What a layer is, for layer.c and the rooms that look into models: functional.c, regularizers.c, summary.c.
 */
#ifndef LOCKSTEP_NN_LAYER_H
#define LOCKSTEP_NN_LAYER_H

#include <lockstep/layers.h>

#include "../core/internal.h"
#include "lists.h"

/** The most inputs, and outputs, that a call takes. */
enum { LS_CALL_INPUTS = 64 };

struct ls_weight {
    ls_tensor variable;
    ls_regularizer regularizer;
    bool trainable;
};

/** An array of variables that a layer hands out; remade whenever it is asked for. */
struct ls_gathered {
    ls_tensor *items;
    size_t count, capacity;
};

/** How many layers of a kind were named outside of a model, by ls_apply. */
struct ls_kind_count {
    const ls_layer_kind *kind;
    size_t count;
    struct ls_kind_count *next;
};

/** What all layers of a context share. */
struct ls_naming {
    struct ls_kind_count *kinds;
    int depth; /* of calls within calls */
};

struct ls_layer {
    ls_context *context;
    struct ls_naming *naming;
    const ls_layer_kind *kind;
    ls_layer *parent; /* the first that it became a part of */
    char *name;       /* NULL until its parent or first call gives one */
    bool named_by_kind;
    bool built, called;
    bool frozen;
    void *state;
    ls_shape output_shape; /* of the last call */
    size_t applied;        /* how often to symbols */

    struct ls_weight *weights;
    size_t weight_count;
    ls_layer **parts;
    size_t part_count;

    ls_regularizer activity_regularizer;
    ls_tensor *losses; /* added during the last call; stale behind the scope of that call */
    size_t loss_count;

    struct ls_gathered gathered[2]; /* trainable, all */
    struct ls_lists lists;

    void *compiled; /* lib/train: what ls_compile left; freed by free_compiled, host memory alone if `closing` */
    void (*free_compiled)(void *compiled, bool closing);
};

/** Names a layer that is in no model yet: dense, dense_1 in the order of the context, as Keras does. */
bool ls_layer_name_alone(ls_layer *layer);
/** How many tensors a call of the layer returns. */
size_t ls_layer_outputs(const ls_layer *layer);
/** Grows an array by one item of `size` bytes, whatever its capacity. */
bool ls_grow(void **items, size_t count, size_t size);

/** Whether a model is functional and more than a chain of layers. */
bool ls_functional_branches(const ls_model *model);
/** Where an input of a layer comes from: `layer`'s output, of the application with that number. */
struct ls_connection {
    const ls_layer *layer;
    size_t application, output;
};
/** The input number `which` of a functional model's layer, over all its applications; false behind the last. */
bool ls_functional_connection(const ls_model *model, const ls_layer *layer, size_t which, struct ls_connection *found);

/** Forgets the losses of the last call of a layer and its parts; adds that of its activity. */
void ls_clear_losses(ls_layer *layer);
void ls_add_activity_loss(ls_layer *layer, ls_tensor output);

/** activation(x), any of ls_activation. */
ls_tensor ls_activate(ls_tensor x, ls_activation activation);
/** Raises an error for an activation that there is not. */
bool ls_activation_known(ls_context *ls, const char *who, ls_activation activation);
/** What an op can apply last, and what must come behind it. */
static inline ls_activation ls_fused_activation(ls_activation a) { return a < LS_ACTIVATION_COUNT ? a : LS_LINEAR; }
static inline ls_activation ls_later_activation(ls_activation a) { return a < LS_ACTIVATION_COUNT ? LS_LINEAR : a; }

/** Raises an error unless x is float32. */
bool ls_layer_wants_float(ls_layer *layer, ls_tensor x);
/** Raises an error unless the rank is `rank`; `form` names the dimensions: "(batch, height, width, channels)". */
bool ls_layer_wants_rank(ls_layer *layer, ls_shape shape, int rank, const char *form);

#endif
