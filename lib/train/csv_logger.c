/* SPDX-License-Identifier: Apache-2.0
 *
 * A line for each epoch, as Python's csv.DictWriter writes it for Keras.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"
#include "train.h"

struct logger {
    ls_context *context;
    char *path;
    char separator;
    bool append, header;
    FILE *file;
    size_t key_count;
    char (*keys)[LS_LOG_NAME_SIZE + 4]; /* NULL before the first epoch */
};

static void forget_file(struct logger *l)
{
    if (l->file)
        fclose(l->file);
    free(l->keys);
    l->file = NULL;
    l->keys = NULL;
    l->key_count = 0;
}

static void free_logger(void *user)
{
    struct logger *l = user;
    forget_file(l);
    free(l->path);
    free(l);
}

static ls_status file_error(struct logger *l, const char *what)
{
    return ls_fail(l->context, LS_FILE_ERROR, "csv_logger: %s %s: %s", l->path, what, strerror(errno));
}

static ls_status logger_train_begin(void *user, const ls_event *event)
{
    (void)event;
    struct logger *l = user;
    forget_file(l);
    l->file = fopen(l->path, l->append ? "ab" : "wb");
    if (!l->file)
        return file_error(l, "cannot be opened");
    l->header = fseek(l->file, 0, SEEK_END) != 0 || ftell(l->file) <= 0;
    return LS_OK;
}

/* The columns: the logs of the first epoch by name, and their val_ ones if there are none. */
static bool take_keys(struct logger *l, const ls_logs *logs)
{
    ls_logs sorted = *logs;
    bool validation = false;
    ls_logs_sort(&sorted);
    l->keys = malloc((2 * sorted.count + 1) * sizeof *l->keys);
    if (!l->keys)
        return false;
    for (size_t i = 0; i < sorted.count; i++) {
        snprintf(l->keys[l->key_count++], sizeof *l->keys, "%s", sorted.entries[i].name);
        validation = validation || strncmp(sorted.entries[i].name, "val_", 4) == 0;
    }
    for (size_t i = 0; !validation && i < sorted.count; i++)
        snprintf(l->keys[l->key_count++], sizeof *l->keys, "val_%s", sorted.entries[i].name);
    return true;
}

static void put_field(const struct logger *l, const char *text)
{
    bool quotes = strchr(text, l->separator) || strpbrk(text, "\"\r\n");
    if (quotes)
        fputc('"', l->file);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', l->file);
        fputc(*text, l->file);
    }
    if (quotes)
        fputc('"', l->file);
}

static ls_status logger_epoch_end(void *user, const ls_event *event)
{
    struct logger *l = user;
    char epoch[16];
    if (!l->keys && !take_keys(l, event->logs))
        return ls_fail(l->context, LS_OUT_OF_MEMORY, "csv_logger: no host memory");
    if (l->header) {
        put_field(l, "epoch");
        for (size_t i = 0; i < l->key_count; i++) {
            fputc(l->separator, l->file);
            put_field(l, l->keys[i]);
        }
        fputs("\r\n", l->file);
        l->header = false;
    }
    snprintf(epoch, sizeof epoch, "%d", event->epoch);
    put_field(l, epoch);
    for (size_t i = 0; i < l->key_count; i++) {
        fputc(l->separator, l->file);
        put_field(l,
                  ls_logs_has(event->logs, l->keys[i]) ? ls_number(ls_logs_get(event->logs, l->keys[i])).text : "NA");
    }
    fputs("\r\n", l->file);
    return fflush(l->file) == 0 && !ferror(l->file) ? ls_error(l->context) : file_error(l, "cannot be written");
}

static ls_status logger_train_end(void *user, const ls_event *event)
{
    (void)event;
    struct logger *l = user;
    bool closed = !l->file || fclose(l->file) == 0;
    l->file = NULL;
    forget_file(l);
    return closed ? LS_OK : file_error(l, "cannot be closed");
}

ls_callback *ls_csv_logger_with(const ls_csv_logger_options *o)
{
    if (!o)
        return ls_no_options("csv_logger");
    struct logger *l = ls_callback_state(o->context, "csv_logger", sizeof *l);
    if (!l)
        return NULL;
    const char *separator = o->separator ? o->separator : ",";
    l->context = o->context;
    l->append = o->append;
    l->separator = separator[0];
    if (!o->path || !separator[0] || separator[1])
        ls_fail(o->context, LS_INVALID_ARGUMENT, "csv_logger: needs a path, and a separator of one character");
    l->path = o->path ? malloc(strlen(o->path) + 1) : NULL;
    if (o->path && !l->path)
        ls_fail(o->context, LS_OUT_OF_MEMORY, "csv_logger: no host memory");
    if (l->path)
        strcpy(l->path, o->path);
    ls_callback *callback = ls_lambda_callback(o->context, "csv_logger", l, .on_train_begin = logger_train_begin,
                                               .on_epoch_end = logger_epoch_end, .on_train_end = logger_train_end,
                                               .destroy = free_logger);
    if (!callback)
        free_logger(l);
    return callback;
}
