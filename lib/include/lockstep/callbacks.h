/* SPDX-License-Identifier: Apache-2.0
 *
 * Callbacks: functions that fit, evaluate and predict call on their way. Keras' order: of one hook all callbacks in
 * the order given, then the History, then the progress bar. They share the logs of the hook: what one adds, later
 * ones see, show and keep.
 *
 *     on_train_begin
 *       on_epoch_begin
 *         on_train_batch_begin, on_train_batch_end        for each batch
 *         on_test_begin                                   with validation data
 *           on_test_batch_begin, on_test_batch_end
 *         on_test_end
 *       on_epoch_end
 *     on_train_end
 *
 * A callback belongs to its context. Calls that make one are sticky and return NULL on an error. A callback serves
 * one fit at a time; on_train_begin makes the ready-made ones as new, as in Keras.
 */
#ifndef LOCKSTEP_CALLBACKS_H
#define LOCKSTEP_CALLBACKS_H

#include <lockstep/history.h>
#include <lockstep/layers.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ls_callback ls_callback;

struct ls_run;

/** What a hook is told. */
typedef struct ls_event {
    ls_model *model;
    ls_logs *logs;  /* never NULL; of on_…_begin empty */
    int epoch;      /* 0 the first */
    int64_t batch;  /* 0 the first of its epoch; in epoch and train hooks the number of batches done */
    int epochs;     /* of the whole fit */
    int64_t steps;  /* batches of an epoch; 0: unknown */
    struct ls_run *run; /* private */
} ls_event;

/**
 * A hook. Another status than LS_OK stops training: it becomes the context's error, unless the hook raised one by a
 * call that failed, whose message then stays.
 */
typedef ls_status ls_hook(void *user, const ls_event *event);

/** All hooks: expands X(name) for each. */
#define LS_HOOK_LIST(X)                                                                            \
    X(on_train_begin) X(on_train_end) X(on_epoch_begin) X(on_epoch_end)                            \
    X(on_train_batch_begin) X(on_train_batch_end)                                                  \
    X(on_test_begin) X(on_test_end) X(on_test_batch_begin) X(on_test_batch_end)                    \
    X(on_predict_begin) X(on_predict_end) X(on_predict_batch_begin) X(on_predict_batch_end)

typedef struct ls_lambda_callback_options {
    ls_context *context;
    const char *name; /* for messages; copied; default "callback" */
    void *user;
#define LS_HOOK_MEMBER(hook) ls_hook *hook;
    LS_HOOK_LIST(LS_HOOK_MEMBER)
#undef LS_HOOK_MEMBER
    void (*destroy)(void *user); /* called when the callback is released; may be NULL */
} ls_lambda_callback_options;

/** A callback of one's own: any of the hooks. keras.callbacks.LambdaCallback, and subclasses of Callback. */
LS_API ls_callback *ls_lambda_callback_with(const ls_lambda_callback_options *options);
/** ls_lambda_callback(ls, .on_epoch_end = print_it, .user = &it). */
#define ls_lambda_callback(...)                                                                    \
    ls_lambda_callback_with(&(ls_lambda_callback_options){.context = __VA_ARGS__})

/**
 * A line to where fit was told to write (its .progress), else to the log as INFO; for hooks. `text` without line
 * end. As Keras' own callbacks do it, begin with "\n" where a bar may stand unfinished on the line.
 */
LS_API void ls_callback_print(const ls_event *event, const char *text);

/** Releases a callback and sets `*callback` to NULL. Accepts NULL. Not needed before ls_close. */
LS_API void ls_callback_destroy(ls_callback **callback);

#ifdef __cplusplus
}
#endif
#endif
