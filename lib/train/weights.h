/* SPDX-License-Identifier: Apache-2.0
 *
 * Loading all or nothing: new values are gathered beside the variables, what does not fit is listed, and only when
 * all is there the variables get them.
 */
#ifndef LOCKSTEP_TRAIN_WEIGHTS_H
#define LOCKSTEP_TRAIN_WEIGHTS_H

#include <lockstep/files.h>

/** A load that is going on. All zero but ls and path is empty. The tensors belong to the innermost scope. */
struct ls_loading {
    ls_context *ls;
    const char *path;
    struct ls_new_value {
        ls_tensor variable, value;
    } *values;
    size_t count, capacity;
    ls_status status; /* of the first thing that does not fit */
    char misfits[700];
    size_t used, misfit_count;
};

/** Notes a value for a variable. Its shape and dtype must fit; 16-bit floats are widened. */
void ls_loading_add(struct ls_loading *loading, ls_tensor variable, ls_tensor value);
/** Notes what does not fit. */
void ls_loading_misfit(struct ls_loading *loading, ls_status status, const char *format, ...);
/** Raises the list of misfits as one error; LS_OK if there is none. */
ls_status ls_loading_check(struct ls_loading *loading, const char *what);
/** Gives all variables their values, unless something failed. */
ls_status ls_loading_finish(struct ls_loading *loading);
/** Frees the list. */
void ls_loading_free(struct ls_loading *loading);

/** .weights.h5 as Keras has it. */
ls_status ls_keras_save(ls_model *model, ls_optimizer *optimizer, const char *path);
ls_status ls_keras_load(struct ls_loading *loading, ls_model *model, ls_optimizer *optimizer);

#endif
