/* SPDX-License-Identifier: Apache-2.0
 *
 * File names with numbers in them.
 */
#ifndef LOCKSTEP_TRAIN_TEMPLATE_H
#define LOCKSTEP_TRAIN_TEMPLATE_H

#include <lockstep/history.h>

/** What may stand in braces beside the logs: whole numbers. */
struct ls_template_count {
    const char *name;
    int64_t value; /* -1: none */
};

/**
 * Python's template.format(epoch=…, batch=…, **logs): {epoch:02d}, {val_loss:.2f}, {loss:.3e}, {loss}, {{ and }}.
 * `counts` ends with a NULL name. NULL with the error raised: LS_INVALID_ARGUMENT names what is not there or not
 * understood. The result is to be freed.
 */
char *ls_template_fill(ls_context *ls, const char *who, const char *text, const struct ls_template_count *counts,
                       ls_logs *logs);

#endif
