/* SPDX-License-Identifier: Apache-2.0
 *
 * The one place where the environment is read.
 */
#ifndef LOCKSTEP_CORE_ENV_H
#define LOCKSTEP_CORE_ENV_H

/** The value of a variable listed in env.def; NULL if it is not set, empty, or not listed there. */
const char *ls_env(const char *name);

#endif
