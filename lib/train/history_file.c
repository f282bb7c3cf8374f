/* SPDX-License-Identifier: Apache-2.0
 *
 * A History as a table and as JSON.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../io/atomic.h"
#include "history.h"
#include "number.h"

static void put(struct ls_atomic *save, const char *text) { ls_atomic_write(save, text, strlen(text)); }

/* A field of a table: in quotes where it must be. */
static void put_field(struct ls_atomic *save, const char *name)
{
    bool quotes = strpbrk(name, ",\"\r\n") != NULL;
    if (quotes)
        put(save, "\"");
    for (; *name; name++)
        ls_atomic_write(save, *name == '"' ? "\"\"" : name, *name == '"' ? 2 : 1);
    if (quotes)
        put(save, "\"");
}

static void put_string(struct ls_atomic *save, const char *text)
{
    put(save, "\"");
    for (; *text; text++) {
        char escaped[8];
        if ((unsigned char)*text < 0x20)
            snprintf(escaped, sizeof escaped, "\\u%04x", (unsigned char)*text);
        else
            snprintf(escaped, sizeof escaped, "%s%c", *text == '"' || *text == '\\' ? "\\" : "", *text);
        put(save, escaped);
    }
    put(save, "\"");
}

static void put_csv(struct ls_atomic *save, const ls_history *history)
{
    char epoch[16];
    put(save, "epoch");
    for (size_t k = 0; k < history->name_count; k++) {
        put(save, ",");
        put_field(save, history->columns[k].name);
    }
    put(save, "\n");
    for (size_t i = 0; i < history->epoch_count; i++) {
        snprintf(epoch, sizeof epoch, "%d", history->epochs[i]);
        put(save, epoch);
        for (size_t k = 0; k < history->name_count; k++) {
            const struct ls_history_value *value = &history->columns[k].values[i];
            put(save, ",");
            if (value->present)
                put(save, ls_number(value->value).text);
        }
        put(save, "\n");
    }
}

static void put_json(struct ls_atomic *save, const ls_history *history)
{
    char epoch[24];
    put(save, "{\"epoch\": [");
    for (size_t i = 0; i < history->epoch_count; i++) {
        snprintf(epoch, sizeof epoch, "%s%d", i ? ", " : "", history->epochs[i]);
        put(save, epoch);
    }
    put(save, "], \"history\": {");
    for (size_t k = 0; k < history->name_count; k++) {
        const struct ls_history_column *column = &history->columns[k];
        put(save, k ? ", " : "");
        put_string(save, column->name);
        put(save, ": [");
        bool first = true;
        for (size_t i = 0; i < history->epoch_count; i++) {
            if (!column->values[i].present)
                continue;
            put(save, first ? "" : ", ");
            put(save, isfinite(column->values[i].value) ? ls_number(column->values[i].value).text : "null");
            first = false;
        }
        put(save, "]");
    }
    put(save, "}}\n");
}

ls_status ls_history_save(const ls_history *history, const char *path,
                          void (*write)(struct ls_atomic *save, const ls_history *history))
{
    if (!history)
        return LS_INVALID_ARGUMENT;
    ls_context *ls = history->context;
    if (ls_failed(ls))
        return ls_error(ls);
    struct ls_atomic *save = malloc(sizeof *save);
    if (!save)
        return ls_fail(ls, LS_OUT_OF_MEMORY, "history: no host memory to save it");
    ls_status status = ls_atomic_begin(save, ls, path);
    if (status == LS_OK) {
        write(save, history);
        status = ls_atomic_commit(save);
    }
    free(save);
    return status;
}

ls_status ls_history_write_csv(const ls_history *history, const char *path)
{
    return ls_history_save(history, path, put_csv);
}

ls_status ls_history_write_json(const ls_history *history, const char *path)
{
    return ls_history_save(history, path, put_json);
}
