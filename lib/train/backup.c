/* SPDX-License-Identifier: Apache-2.0
 *
 * BackupAndRestore. It loads at the first on_epoch_begin, when on_train_begin has made the other callbacks as new,
 * and saves at the later ones, when all of them and the History have seen the epoch before.
 */
#include <stdlib.h>
#include <unistd.h>

#include <lockstep/snapshot.h>

#include "train.h"

struct backup {
    ls_backup_and_restore_options options;
    int64_t epoch, batch;
    bool begun;
};

/* What the options say, and what fit knows. */
static ls_snapshot snapshot_of(struct backup *b, const ls_event *event)
{
    ls_snapshot snapshot = b->options.snapshot;
    struct ls_run *run = event->run;
    if (!snapshot.metrics && run->compiled)
        snapshot.metrics = run->compiled->all;
    snapshot.history = run->history;
    snapshot.epoch = &b->epoch;
    snapshot.batch = &b->batch;
    return snapshot;
}

static ls_status save(struct backup *b, const ls_event *event)
{
    b->epoch = event->epoch;
    b->batch = event->batch;
    ls_snapshot snapshot = snapshot_of(b, event);
    return ls_save_snapshot(&snapshot);
}

static ls_status train_begin(void *user, const ls_event *event)
{
    (void)event;
    ((struct backup *)user)->begun = false;
    return LS_OK;
}

static ls_status epoch_begin(void *user, const ls_event *event)
{
    struct backup *b = user;
    ls_snapshot snapshot = snapshot_of(b, event);
    if (b->begun)
        return save(b, event);
    b->begun = true;
    if (access(snapshot.path, F_OK) != 0)
        return save(b, event);
    ls_status status = ls_load_snapshot(&snapshot);
    if (status == LS_OK)
        event->run->event.epoch = (int)b->epoch; /* fit goes on there */
    return status;
}

static ls_status train_batch_end(void *user, const ls_event *event)
{
    struct backup *b = user;
    int64_t done = event->batch + 1;
    /* Behind the last batch the epoch has still to end: its beginning is what can be repeated. */
    bool due = b->options.save_freq > 0 && done % b->options.save_freq == 0 && done < event->steps;
    return due ? save(b, event) : LS_OK;
}

static ls_status train_end(void *user, const ls_event *event)
{
    struct backup *b = user;
    bool whole = event->epoch >= event->epochs || event->run->compiled->stop;
    if (whole && !b->options.keep)
        unlink(b->options.snapshot.path);
    return LS_OK;
}

ls_callback *ls_backup_and_restore_with(const ls_backup_and_restore_options *o)
{
    if (!o)
        return ls_no_options("backup_and_restore");
    ls_context *ls = o->snapshot.context;
    if (!ls || ls_failed(ls))
        return NULL;
    if (!o->snapshot.path || o->save_freq < 0) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "backup_and_restore: needs a path, and a save_freq that is not negative");
        return NULL;
    }
    struct backup *b = ls_callback_state(ls, "backup_and_restore", sizeof *b);
    if (!b)
        return NULL;
    b->options = *o;
    ls_callback *callback =
        ls_lambda_callback(ls, "backup_and_restore", b, .on_train_begin = train_begin, .on_epoch_begin = epoch_begin,
                           .on_train_batch_end = train_batch_end, .on_train_end = train_end, .destroy = free);
    if (!callback)
        free(b);
    return callback;
}
