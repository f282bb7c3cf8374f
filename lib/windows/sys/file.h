/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOCKSTEP_WINDOWS_SYS_FILE_H
#define LOCKSTEP_WINDOWS_SYS_FILE_H

#define LOCK_EX 2
#define LOCK_NB 4

int ls_windows_flock(int fd, int how);
#define flock ls_windows_flock

#endif
