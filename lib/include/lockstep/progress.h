/* SPDX-License-Identifier: Apache-2.0
 *
 * The progress bar as Keras 3 draws it (keras.utils.Progbar), written to where the caller says.
 *
 *     Epoch 2/5
 *     430/430 ━━━━━━━━━━━━━━━━━━━━ 1s 2ms/step - accuracy: 0.8612 - loss: 0.3814
 *
 * Belongs to its context. Everything here accepts a NULL bar. One thread per context at a time.
 */
#ifndef LOCKSTEP_PROGRESS_H
#define LOCKSTEP_PROGRESS_H

#include <stdio.h>

#include <lockstep/metrics.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A progress bar. Its context owns it. */
typedef struct ls_progress ls_progress;

typedef enum ls_progress_style {
    LS_PROGRESS_AUTO,     /* one line that changes on a terminal, else a new line per drawing */
    LS_PROGRESS_TERMINAL, /* one line that changes */
    LS_PROGRESS_LINES,    /* a new line per drawing */
    LS_PROGRESS_SUMMARY,  /* Keras' verbose = 2: one plain line per epoch */
} ls_progress_style;

typedef struct ls_progress_options {
    ls_context *context;
    FILE *file; /* written and flushed; NULL: `write` is called instead, or nothing is */
    ls_progress_style style;
    void (*write)(void *user, const char *text, size_t length); /* UTF-8 */
    double (*clock)(void *user); /* seconds, growing; NULL: the system's monotonic clock */
    void *user;                  /* for write and clock */
} ls_progress_options;

/** Makes a bar. NULL on an error (sticky). */
LS_API ls_progress *ls_progress_create_with(const ls_progress_options *options);
/** ls_progress_create(ls, stdout). */
#define ls_progress_create(...) ls_progress_create_with(&(ls_progress_options){.context = __VA_ARGS__})

/**
 * Starts epoch `epoch` (0 the first) of `epochs`: writes "Epoch 1/5" if there are several, and starts
 * the clock. `steps` is how many there will be; 0 or less: unknown.
 */
LS_API void ls_progress_begin(ls_progress *bar, int epoch, int epochs, int64_t steps);

/** A number to show: "name: 0.1234", or 1.2345e-04 where |value| <= 1e-3. `name` is copied. */
typedef struct ls_progress_value {
    const char *name;
    double value;
} ls_progress_value;

/** Whether ls_progress_draw would draw now: the first time, and 0.05 s after the last one. */
LS_API bool ls_progress_due(const ls_progress *bar);

/**
 * `step` steps are done. Draws if it is due or `last`, with all values given since begin, in the order
 * in which they first came. `last` also ends the line.
 */
LS_API void ls_progress_draw(ls_progress *bar, int64_t step, const ls_progress_value *values, size_t count, bool last);

/** The same with the results of `metrics`, an array that ends with NULL. Only if it draws are the
 * metrics read: it blocks up to twenty times a second. Draws nothing when reading fails (sticky). */
LS_API void ls_progress_draw_metrics(ls_progress *bar, int64_t step, ls_metric *const *metrics, bool last);
/** ls_progress_update(bar, step, accuracy, loss): after every step. */
#define ls_progress_update(bar, step, ...)                                                         \
    ls_progress_draw_metrics(bar, step, (ls_metric *[]){__VA_ARGS__, NULL}, false)
/** ls_progress_end(bar, step, accuracy, loss, val_accuracy, val_loss): after the epoch. */
#define ls_progress_end(bar, step, ...)                                                            \
    ls_progress_draw_metrics(bar, step, (ls_metric *[]){__VA_ARGS__, NULL}, true)

/** Releases a bar and sets `*bar` to NULL. Accepts NULL. */
LS_API void ls_progress_destroy(ls_progress **bar);

#ifdef __cplusplus
}
#endif
#endif
