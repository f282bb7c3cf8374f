/* SPDX-License-Identifier: Apache-2.0
 *
 * Embedding: a row of a table for every id.
 */
#include "layer.h"

struct embedding {
    ls_embedding_options options;
    ls_tensor table;
};

static void build(ls_layer *layer, void *state, ls_shape input)
{
    struct embedding *e = state;
    (void)input;
    e->table = ls_add_weight(layer, "embeddings", LS_SHAPE(e->options.input_dim, e->options.output_dim),
                             e->options.embeddings_initializer, true);
    ls_add_regularizer(layer, e->table, e->options.embeddings_regularizer);
}

static ls_tensor call(ls_layer *layer, void *state, ls_tensor x, bool training)
{
    (void)training;
    if (ls_dtype_of(x) != LS_INT32) {
        ls_fail(ls_layer_context(layer), LS_DTYPE_MISMATCH, "%s: ids are int32, not %s; ls_cast converts",
                ls_layer_name(layer), ls_dtype_name(ls_dtype_of(x)));
        return (ls_tensor){0};
    }
    return ls_embedding_lookup(((struct embedding *)state)->table, x);
}

static const ls_layer_kind embedding = {.name = "embedding",
                                        .title = "Embedding",
                                        .state_size = sizeof(struct embedding),
                                        .build = build,
                                        .call = call};

ls_layer *ls_embedding_with(const ls_embedding_options *o)
{
    if (!o)
        return ls_no_options("embedding");
    if (!o->context || ls_failed(o->context))
        return NULL;
    if (o->input_dim < 1 || o->output_dim < 1) {
        ls_fail(o->context, LS_INVALID_ARGUMENT, "embedding: input_dim is %lld and output_dim %lld; both are at least 1",
                (long long)o->input_dim, (long long)o->output_dim);
        return NULL;
    }
    struct embedding state = {.options = *o};
    state.options.name = NULL;
    if (!o->embeddings_initializer.make)
        state.options.embeddings_initializer = ls_random_uniform_initializer(-0.05f, 0.05f);
    return ls_layer_create(o->context, &embedding, &state, o->name);
}
