/* SPDX-License-Identifier: Apache-2.0
 *
 * History: a table of names by epochs.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "history.h"
#include "train.h"

static void free_history(void *object)
{
    ls_history *history = object;
    for (size_t k = 0; k < history->name_count; k++)
        free(history->columns[k].values);
    free(history->columns);
    free(history->epochs);
    free(history);
}

ls_history *ls_history_create(ls_context *ls)
{
    ls_history *history = calloc(1, sizeof *history);
    if (!history || ls_own(ls, history, free_history) != LS_OK) {
        free(history);
        ls_fail(ls, LS_OUT_OF_MEMORY, "history: no host memory");
        return NULL;
    }
    history->context = ls;
    return history;
}

void ls_history_destroy(ls_history **pointer)
{
    if (!pointer || !*pointer)
        return;
    ls_disown((*pointer)->context, *pointer);
    free_history(*pointer);
    *pointer = NULL;
}

/* ---- Adding ---- */

static struct ls_history_column *column_of(const ls_history *history, const char *name)
{
    for (size_t k = 0; history && name && k < history->name_count; k++)
        if (strcmp(history->columns[k].name, name) == 0)
            return &history->columns[k];
    return NULL;
}

static bool grow(void **items, size_t count, size_t size)
{
    void *grown = realloc(*items, count * size);
    if (grown)
        *items = grown;
    return grown != NULL;
}

static struct ls_history_column *add_column(ls_history *history, const char *name)
{
    if (!grow((void **)&history->columns, history->name_count + 1, sizeof *history->columns))
        return NULL;
    struct ls_history_column *column = &history->columns[history->name_count];
    column->values = malloc(history->capacity * sizeof *column->values);
    if (!column->values)
        return NULL;
    strcpy(column->name, name);
    for (size_t i = 0; i < history->epoch_count; i++)
        column->values[i] = (struct ls_history_value){NAN, false};
    history->name_count++;
    return column;
}

static bool grow_epochs(ls_history *history)
{
    if (history->epoch_count < history->capacity)
        return true;
    size_t capacity = history->capacity ? 2 * history->capacity : 16;
    for (size_t k = 0; k < history->name_count; k++)
        if (!grow((void **)&history->columns[k].values, capacity, sizeof *history->columns[k].values))
            return false;
    if (!grow((void **)&history->epochs, capacity, sizeof *history->epochs))
        return false;
    history->capacity = capacity;
    return true;
}

ls_status ls_history_add(ls_history *history, int epoch, ls_logs *logs)
{
    bool memory = grow_epochs(history);
    for (size_t i = 0; memory && i < logs->count; i++)
        memory = column_of(history, logs->entries[i].name) || add_column(history, logs->entries[i].name);
    if (!memory)
        return ls_fail(history->context, LS_OUT_OF_MEMORY, "history: no host memory for epoch %d", epoch + 1);
    for (size_t k = 0; k < history->name_count; k++) {
        struct ls_history_column *column = &history->columns[k];
        bool has = ls_logs_has(logs, column->name);
        column->values[history->epoch_count] = (struct ls_history_value){ls_logs_get(logs, column->name), has};
    }
    history->epochs[history->epoch_count++] = epoch;
    return LS_OK;
}

/* ---- Asking ---- */

size_t ls_history_epochs(const ls_history *history) { return history ? history->epoch_count : 0; }

int ls_history_epoch(const ls_history *history, size_t i)
{
    return history && i < history->epoch_count ? history->epochs[i] : -1;
}

size_t ls_history_names(const ls_history *history) { return history ? history->name_count : 0; }

const char *ls_history_name(const ls_history *history, size_t k)
{
    return history && k < history->name_count ? history->columns[k].name : "";
}

double ls_history_value(const ls_history *history, const char *name, size_t i)
{
    const struct ls_history_column *column = column_of(history, name);
    return column && i < history->epoch_count ? column->values[i].value : NAN;
}

bool ls_history_has(const ls_history *history, const char *name, size_t i)
{
    const struct ls_history_column *column = column_of(history, name);
    return column && i < history->epoch_count && column->values[i].present;
}
