/* SPDX-License-Identifier: Apache-2.0
 *
 * Elements that a callback makes.
 */
#include <string.h>

#include "stage.h"

struct generator {
    ls_dataset base;
    ls_generator_options options; /* its outputs are the data set's components */
};

struct generating {
    struct ls_iterator base;
    void *state; /* what begin returned, or the user's */
    int64_t index;
    bool begun, ended;
};

static bool begin(struct generating *g, struct ls_problem *problem)
{
    const ls_generator_options *options = &((const struct generator *)g->base.dataset)->options;
    g->state = options->begin ? options->begin(options->user, g->base.epoch) : options->user;
    g->begun = g->state || !options->begin;
    if (!g->begun)
        ls_problem_set(problem, LS_INVALID_ARGUMENT, "dataset_from_generator: begin returned NULL for epoch %llu",
                       (unsigned long long)g->base.epoch);
    return g->begun;
}

static enum ls_next next_generated(struct ls_iterator *it, struct ls_item *item, struct ls_problem *problem)
{
    struct generating *g = (struct generating *)it;
    const ls_generator_options *options = &((const struct generator *)it->dataset)->options;
    if (g->ended || (options->cardinality > 0 && g->index == options->cardinality))
        return LS_NEXT_END;
    if (!g->begun && !begin(g, problem))
        return LS_NEXT_FAILED;
    struct ls_block *block = ls_block_new(it->dataset->component, it->dataset->count);
    if (!block)
        return ls_problem_set(problem, LS_OUT_OF_MEMORY, "dataset_from_generator: element %lld: no host memory",
                              (long long)g->index);
    ls_element element = {
        .outputs = block->array,
        .output_count = block->count,
        .index = g->index,
        .epoch = it->epoch,
        .random = ls_element_random(options->seed, it->epoch, g->index),
    };
    enum ls_next next = ls_element_call("dataset_from_generator", options->next, g->state, &element, problem);
    g->ended = next == LS_NEXT_FAILED || element.end;
    if (next == LS_NEXT_ITEM && element.end)
        next =
            options->cardinality == 0
                ? LS_NEXT_END
                : ls_problem_set(problem, LS_INVALID_ARGUMENT,
                                 "dataset_from_generator: it ended after %lld elements, but cardinality promises %lld",
                                 (long long)g->index, (long long)options->cardinality);
    if (next != LS_NEXT_ITEM) {
        ls_block_release(block);
        return next;
    }
    g->index++;
    *item = (struct ls_item){.block = block};
    return LS_NEXT_ITEM;
}

static void close_generator(struct ls_iterator *it)
{
    const ls_generator_options *options = &((const struct generator *)it->dataset)->options;
    if (((struct generating *)it)->begun && options->finish)
        options->finish(((struct generating *)it)->state);
}

static const struct ls_stage generator_stage = {
    .name = "dataset_from_generator",
    .dataset_size = sizeof(struct generator),
    .iterator_size = sizeof(struct generating),
    .next = next_generated,
    .close = close_generator,
};

ls_dataset *ls_dataset_from_generator_with(const ls_generator_options *options)
{
    if (!options)
        return ls_no_options("dataset_from_generator");
    ls_context *ls = options->context;
    if (!ls || ls_failed(ls))
        return NULL;
    if (!options->next || options->cardinality < 0)
        return ls_dataset_refuse(ls, LS_INVALID_ARGUMENT, "dataset_from_generator: %s",
                                 options->next ? "cardinality is negative; 0 where it is not known" : "next is NULL");
    if (!ls_dataset_check_components(ls, "dataset_from_generator", options->outputs, options->output_count))
        return NULL;
    uint64_t seed = ls_dataset_seed(ls, options->seed);
    ls_dataset *made = ls_dataset_source(ls, &generator_stage);
    if (!made)
        return NULL;
    struct generator *generator = (struct generator *)made;
    generator->options = *options;
    generator->options.seed = seed;
    generator->options.outputs = NULL;
    made->count = options->output_count;
    for (int i = 0; i < made->count; i++)
        made->component[i] = (ls_array){options->outputs[i].dtype, options->outputs[i].shape, NULL};
    made->cardinality = made->size = options->cardinality ? options->cardinality : LS_UNKNOWN_CARDINALITY;
    ls_dataset_sign(made, &seed, sizeof seed);
    ls_dataset_sign(made, &options->cardinality, sizeof options->cardinality);
    ls_dataset_sign_components(made);
    return made;
}
