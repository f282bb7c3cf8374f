/* SPDX-License-Identifier: Apache-2.0
 *
 * Saving and loading the weights of models: which format, and safetensors.
 */
#include "weights.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/internal.h"
#include "../io/safetensors.h"
#include "../nn/layer.h"
#include "../nn/optimizer.h"

/* ---- All or nothing ---- */

void ls_loading_misfit(struct ls_loading *loading, ls_status status, const char *format, ...)
{
    if (loading->misfit_count++ == 0)
        loading->status = status;
    size_t size = sizeof loading->misfits - loading->used;
    char *to = loading->misfits + loading->used;
    if (size < 120)
        return;
    int before = snprintf(to, size, "%s", loading->used ? "; " : "");
    va_list args;
    va_start(args, format);
    vsnprintf(to + before, size - (size_t)before, format, args);
    va_end(args);
    loading->used += strlen(to);
}

ls_status ls_loading_check(struct ls_loading *loading, const char *what)
{
    if (loading->misfit_count == 0 || ls_failed(loading->ls))
        return ls_error(loading->ls);
    return ls_fail(loading->ls, loading->status, "%s: does not fit %s, which stays as it is: %s%s", loading->path, what,
                   loading->misfits, loading->used + 120 > sizeof loading->misfits ? "; and more" : "");
}

void ls_loading_add(struct ls_loading *loading, ls_tensor variable, ls_tensor value)
{
    if (ls_is_nil(value) || ls_failed(loading->ls))
        return;
    if (ls_dtype_of(variable) == LS_FLOAT32 && ls_dtype_is_float16(ls_dtype_of(value)))
        value = ls_cast(value, LS_FLOAT32);
    ls_shape to = ls_shape_of_tensor(variable), from = ls_shape_of_tensor(value);
    if (ls_dtype_of(variable) != ls_dtype_of(value)) {
        ls_loading_misfit(loading, LS_DTYPE_MISMATCH, "%s is %s, but in the file %s", ls_name(variable),
                          ls_dtype_name(ls_dtype_of(variable)), ls_dtype_name(ls_dtype_of(value)));
    } else if (!ls_shape_equal(&to, &from)) {
        ls_loading_misfit(loading, LS_SHAPE_MISMATCH, "%s is %s, but in the file %s", ls_name(variable),
                          ls_text(to).text, ls_text(from).text);
    } else if (loading->count < loading->capacity ||
               ls_grow((void **)&loading->values, loading->capacity = 2 * loading->count + 15,
                       sizeof *loading->values)) {
        loading->values[loading->count++] = (struct ls_new_value){variable, value};
    } else {
        ls_fail(loading->ls, LS_OUT_OF_MEMORY, "%s: no host memory to load it", loading->path);
    }
}

ls_status ls_loading_finish(struct ls_loading *loading)
{
    for (size_t i = 0; i < loading->count && !ls_failed(loading->ls); i++)
        ls_assign(loading->values[i].variable, loading->values[i].value);
    return ls_error(loading->ls);
}

void ls_loading_free(struct ls_loading *loading)
{
    free(loading->values);
    loading->values = NULL;
}

/* ---- safetensors ---- */

#define OPTIMIZER "optimizer/"

/* "optimizer/adam/iteration"; the caller's buffer. */
static const char *file_name(char name[600], ls_tensor variable, bool of_optimizer)
{
    snprintf(name, 600, "%s%s", of_optimizer ? OPTIMIZER : "", ls_name(variable));
    return name;
}

static ls_status save_safetensors(ls_model *model, ls_optimizer *optimizer, const char *path)
{
    ls_context *ls = model->context;
    ls_variables weights = ls_all_variables(model), slots = ls_optimizer_variables(optimizer);
    struct ls_named_data *items = calloc(weights.count + slots.count, sizeof *items);
    char(*names)[600] = calloc(slots.count + 1, sizeof *names);
    if (!items || !names)
        ls_fail(ls, LS_OUT_OF_MEMORY, "%s: no host memory to save it", path);
    size_t count = 0;
    for (size_t i = 0; items && i < weights.count; i++)
        items[count++] = (struct ls_named_data){.name = ls_name(weights.items[i]), .tensor = weights.items[i]};
    for (size_t i = 0; items && names && i < slots.count; i++)
        items[count++] =
            (struct ls_named_data){.name = file_name(names[i], slots.items[i], true), .tensor = slots.items[i]};
    ls_safetensors_save(ls, path, items, count, (const char *[]){"format", "lockstep", NULL});
    free(names);
    free(items);
    return ls_error(ls);
}

static void load_list(struct ls_loading *loading, ls_safetensors *file, ls_variables list, bool of_optimizer)
{
    char name[600];
    for (size_t i = 0; i < list.count && !ls_failed(loading->ls); i++) {
        file_name(name, list.items[i], of_optimizer);
        ptrdiff_t at = ls_safetensors_find(file, name);
        ls_shape to = ls_shape_of_tensor(list.items[i]);
        if (at < 0) {
            ls_loading_misfit(loading, LS_NOT_FOUND, "%s is missing", name);
            continue;
        }
        ls_shape from = ls_safetensors_shape(file, (size_t)at);
        if (!ls_shape_equal(&to, &from))
            ls_loading_misfit(loading, LS_SHAPE_MISMATCH, "%s is %s, but in the file %s", name, ls_text(to).text,
                              from.rank < 0 ? "of a rank above 8" : ls_text(from).text);
        else
            ls_loading_add(loading, list.items[i], ls_safetensors_read(file, name));
    }
}

static bool in_list(ls_variables list, const char *name)
{
    for (size_t i = 0; i < list.count; i++)
        if (strcmp(ls_name(list.items[i]), name) == 0)
            return true;
    return false;
}

static bool is_of_optimizer(const char *name) { return strncmp(name, OPTIMIZER, sizeof OPTIMIZER - 1) == 0; }

/* The state of the optimizer is loaded if all of it is there; else a warning says why not. */
static void load_optimizer(struct ls_loading *loading, ls_safetensors *file, ls_optimizer *optimizer)
{
    ls_variables slots = ls_optimizer_variables(optimizer);
    struct ls_loading own = {.ls = loading->ls, .path = loading->path};
    load_list(&own, file, slots, true);
    if (own.misfit_count)
        ls_say(loading->ls, LS_LOG_WARNING, "%s: the state of the optimizer %s is not in it, which stays as it is: %s",
               loading->path, optimizer->name, own.misfits);
    for (size_t i = 0; !own.misfit_count && i < own.count; i++)
        ls_loading_add(loading, own.values[i].variable, own.values[i].value);
    ls_loading_free(&own);
}

static ls_status load_safetensors(struct ls_loading *loading, ls_model *model, ls_optimizer *optimizer)
{
    ls_safetensors *file = ls_safetensors_open(loading->ls, loading->path);
    if (!file)
        return ls_error(loading->ls);
    ls_variables weights = ls_all_variables(model);
    load_list(loading, file, weights, false);
    for (size_t i = 0; i < ls_safetensors_count(file); i++) {
        const char *name = ls_safetensors_name(file, i);
        if (!in_list(weights, name) && !is_of_optimizer(name))
            ls_loading_misfit(loading, LS_NOT_FOUND, "the model has no %.200s", name);
    }
    if (optimizer)
        load_optimizer(loading, file, optimizer);
    ls_safetensors_close(&file);
    return ls_error(loading->ls);
}

/* ---- The public face ---- */

static bool ends_with(const char *text, const char *end)
{
    size_t a = strlen(text), b = strlen(end);
    return a >= b && strcmp(text + a - b, end) == 0;
}

/* Checks what both ways need; true with nothing raised. */
static bool check(const ls_weights_options *o, const char *who)
{
    ls_context *ls = o->model ? o->model->context : NULL;
    if (!ls || ls_failed(ls))
        return false;
    if (!o->path || (!ends_with(o->path, ".weights.h5") && !ends_with(o->path, ".safetensors")))
        ls_fail(ls, LS_INVALID_ARGUMENT, "%s: the path \"%.300s\" must end with .weights.h5 (Keras) or .safetensors",
                who, o->path ? o->path : "NULL");
    else if (o->optimizer && o->optimizer->context != ls)
        ls_fail(ls, LS_FOREIGN_HANDLE, "%s: the optimizer belongs to another context", who);
    else if (ls_all_variables(o->model).count == 0)
        ls_fail(ls, LS_INVALID_ARGUMENT, "%s: %s has no weights yet; ls_build makes them", who,
                ls_layer_name(o->model));
    return !ls_failed(ls);
}

static ls_status status_of(const ls_weights_options *o)
{
    return o->model ? ls_error(o->model->context) : LS_INVALID_ARGUMENT;
}

ls_status ls_save_weights_with(const ls_weights_options *o)
{
    if (!o)
        return ls_no_options("save_weights"), LS_INVALID_ARGUMENT;
    if (!check(o, "save_weights"))
        return status_of(o);
    ls_scope_begin(o->model->context);
    if (ends_with(o->path, ".safetensors"))
        save_safetensors(o->model, o->optimizer, o->path);
    else
        ls_keras_save(o->model, o->optimizer, o->path);
    return ls_scope_end(o->model->context);
}

ls_status ls_load_weights_with(const ls_weights_options *o)
{
    if (!o)
        return ls_no_options("load_weights"), LS_INVALID_ARGUMENT;
    if (!check(o, "load_weights"))
        return status_of(o);
    ls_context *ls = o->model->context;
    struct ls_loading loading = {.ls = ls, .path = o->path};
    ls_scope_begin(ls);
    if (o->optimizer)
        ls_optimizer_build(o->optimizer, ls_trainable_variables(o->model));
    bool keras = ends_with(o->path, ".weights.h5");
    if ((keras ? ls_keras_load : load_safetensors)(&loading, o->model, o->optimizer) == LS_OK &&
        ls_loading_check(&loading, ls_layer_name(o->model)) == LS_OK)
        ls_loading_finish(&loading);
    ls_loading_free(&loading);
    if (o->optimizer && keras && !ls_failed(ls))
        ls_optimizer_resume(o->optimizer);
    return ls_scope_end(ls);
}
