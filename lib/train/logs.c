/* SPDX-License-Identifier: Apache-2.0
 *
 * Logs: named numbers in the caller's memory, read from the device when somebody asks.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "train.h"

static ls_log_entry *find(const ls_logs *logs, const char *name)
{
    for (size_t i = 0; logs && name && i < logs->count; i++)
        if (strcmp(logs->entries[i].name, name) == 0)
            return (ls_log_entry *)&logs->entries[i];
    return NULL;
}

static double read_entry(ls_log_entry *entry)
{
    if (entry->unread) {
        entry->value = (double)ls_result(entry->unread);
        entry->unread = NULL;
    }
    return entry->value;
}

double ls_logs_get(ls_logs *logs, const char *name)
{
    ls_log_entry *entry = find(logs, name);
    return entry ? read_entry(entry) : NAN;
}

bool ls_logs_has(const ls_logs *logs, const char *name) { return find(logs, name) != NULL; }

static ls_log_entry *add(ls_logs *logs, const char *name)
{
    ls_log_entry *entry = find(logs, name);
    if (!entry) {
        if (!logs || !name || logs->count == LS_LOGS_CAPACITY || strlen(name) >= LS_LOG_NAME_SIZE)
            return NULL;
        entry = &logs->entries[logs->count++];
        strcpy(entry->name, name);
    }
    entry->unread = NULL;
    return entry;
}

bool ls_logs_set(ls_logs *logs, const char *name, double value)
{
    ls_log_entry *entry = add(logs, name);
    if (entry)
        entry->value = value;
    return entry != NULL;
}

void ls_logs_clear(ls_logs *logs) { logs->count = 0; }

void ls_logs_of_metrics(ls_logs *logs, const struct ls_compiled *compiled)
{
    ls_logs_clear(logs);
    for (ls_metric *const *metrics = compiled->all; *metrics; metrics++) {
        ls_log_entry *entry = add(logs, ls_name_in_logs(compiled, *metrics));
        if (entry)
            entry->unread = *metrics;
    }
}

void ls_logs_read(ls_logs *logs)
{
    for (size_t i = 0; i < logs->count; i++)
        read_entry(&logs->entries[i]);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const ls_log_entry *)a)->name, ((const ls_log_entry *)b)->name);
}

void ls_logs_sort(ls_logs *logs) { qsort(logs->entries, logs->count, sizeof *logs->entries, by_name); }
