/* SPDX-License-Identifier: Apache-2.0
 *
 * Threads of a pipeline.
 */
#ifndef LOCKSTEP_DATA_THREADS_H
#define LOCKSTEP_DATA_THREADS_H

#include <pthread.h>

#include "stage.h"

/** Starts a thread that receives no signals: those are for the program's own. False: problem, with the step's name. */
bool ls_thread_start(pthread_t *thread, void *(*run)(void *), void *argument, const char *step,
                     struct ls_problem *problem);

#endif
