/* SPDX-License-Identifier: Apache-2.0
 *
 * Regularizers, and the losses of a model: what its layers added during the last call, then the
 * penalties of its trainable weights.
 */
#include <stdlib.h>

#include <lockstep/models.h>

#include "layer.h"

/* ---- Penalties ---- */

static ls_tensor factor(ls_tensor x, float value) { return ls_scalar(x.context, value); }
static ls_tensor sum_abs(ls_tensor x) { return ls_sum(ls_abs(x), NULL, 0, false); }
static ls_tensor sum_square(ls_tensor x) { return ls_sum(ls_square(x), NULL, 0, false); }

static ls_tensor l1(const ls_regularizer *self, ls_tensor x)
{
    return ls_mul(sum_abs(x), factor(x, self->parameter[0]));
}

static ls_tensor l2(const ls_regularizer *self, ls_tensor x)
{
    return ls_mul(sum_square(x), factor(x, self->parameter[0]));
}

static ls_tensor l1_l2(const ls_regularizer *self, ls_tensor x)
{
    ls_tensor first = ls_mul(sum_abs(x), factor(x, self->parameter[0]));
    return ls_fma(sum_square(x), factor(x, self->parameter[1]), first);
}

ls_regularizer ls_l1(float f) { return (ls_regularizer){l1, {f}}; }
ls_regularizer ls_l2(float f) { return (ls_regularizer){l2, {f}}; }
ls_regularizer ls_l1_l2(float first, float second) { return (ls_regularizer){l1_l2, {first, second}}; }

/* ---- Where they are ---- */

void ls_add_regularizer(ls_layer *layer, ls_tensor weight, ls_regularizer regularizer)
{
    for (size_t i = 0; layer && i < layer->weight_count; i++)
        if (layer->weights[i].variable.index == weight.index)
            layer->weights[i].regularizer = regularizer;
}

void ls_set_activity_regularizer(ls_layer *layer, ls_regularizer regularizer)
{
    if (layer)
        layer->activity_regularizer = regularizer;
}

void ls_add_loss(ls_layer *layer, ls_tensor loss)
{
    if (!layer || ls_failed(layer->context) || ls_is_nil(loss))
        return;
    if (ls_shape_of_tensor(loss).rank != 0)
        ls_fail(layer->context, LS_SHAPE_MISMATCH, "%s: a loss has rank 0, not shape %s; ls_sum or ls_mean makes one",
                ls_layer_name(layer), ls_text(ls_shape_of_tensor(loss)).text);
    else if (!ls_grow((void **)&layer->losses, layer->loss_count, sizeof *layer->losses))
        ls_fail(layer->context, LS_OUT_OF_MEMORY, "%s: no host memory for one more loss", ls_layer_name(layer));
    else
        layer->losses[layer->loss_count++] = loss;
}

void ls_add_activity_loss(ls_layer *layer, ls_tensor output)
{
    const ls_regularizer *r = &layer->activity_regularizer;
    ls_shape shape = ls_shape_of_tensor(output);
    if (!r->penalty || ls_size(output) == 0)
        return;
    ls_tensor loss = r->penalty(r, output);
    ls_add_loss(layer, shape.rank > 0 ? ls_div(loss, ls_scalar(layer->context, (float)shape.dim[0])) : loss);
}

void ls_clear_losses(ls_layer *layer)
{
    layer->loss_count = 0;
    for (size_t i = 0; i < layer->part_count; i++)
        ls_clear_losses(layer->parts[i]);
}

/* ---- Listing them ---- */

struct losses {
    ls_tensor *items;
    size_t count, capacity;
};

static void add(struct losses *l, ls_tensor loss)
{
    if (l->count < l->capacity)
        l->items[l->count] = loss;
    l->count++;
}

static void add_activities(struct losses *l, const ls_layer *layer)
{
    for (size_t i = 0; i < layer->loss_count; i++)
        add(l, layer->losses[i]);
    for (size_t i = 0; i < layer->part_count; i++)
        add_activities(l, layer->parts[i]);
}

static void add_penalties(struct losses *l, const ls_layer *layer)
{
    if (layer->frozen)
        return;
    for (size_t i = 0; i < layer->weight_count; i++) {
        const ls_regularizer *r = &layer->weights[i].regularizer;
        if (r->penalty && layer->weights[i].trainable)
            add(l, l->count < l->capacity ? r->penalty(r, layer->weights[i].variable) : (ls_tensor){0});
    }
    for (size_t i = 0; i < layer->part_count; i++)
        add_penalties(l, layer->parts[i]);
}

size_t ls_losses(ls_layer *layer, ls_tensor *losses, size_t capacity)
{
    struct losses l = {losses, 0, losses ? capacity : 0};
    if (layer && !ls_failed(layer->context)) {
        add_activities(&l, layer);
        add_penalties(&l, layer);
    }
    return l.count;
}

ls_tensor ls_sum_losses(ls_layer *layer)
{
    if (!layer || ls_failed(layer->context))
        return (ls_tensor){0};
    size_t count = ls_losses(layer, NULL, 0);
    ls_tensor *items = ls_lists_take(&layer->lists, layer->context, count);
    if (!items)
        return (ls_tensor){0};
    ls_losses(layer, items, count);
    ls_tensor sum = count ? items[0] : ls_scalar(layer->context, 0);
    for (size_t i = 1; i < count; i++)
        sum = ls_add(sum, items[i]);
    return sum;
}
