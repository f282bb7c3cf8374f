/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parts of the command-line tool share.
 */
#ifndef LOCKSTEP_TOOLS_TOOL_H
#define LOCKSTEP_TOOLS_TOOL_H

#include <stdbool.h>
#include <stdint.h>

enum { EXIT_MISUSE = 2 };

/* The commands: argv[0] is the command's own name. They return the exit status. */
int devices_command(int argc, char **argv);
int bench_command(int argc, char **argv);
int first_step_command(int argc, char **argv);
int selftest_command(int argc, char **argv);
int replay_command(int argc, char **argv);
int compare_command(int argc, char **argv);
int verify_command(int argc, char **argv);

/** What a class of exactness means, in a few words (devices.c). */
const char *class_meaning(const char *class);
/** Prints the reasons of a verdict, each on a line of its own. */
void print_reasons(const char *reasons);

/** Says on stderr what is wrong with the command line and where help is; returns EXIT_MISUSE. */
int misuse(const char *format, ...) __attribute__((__format__(__printf__, 1, 2)));

/* ---- JSON: one list of flat objects, written to stdout as it comes (json.c) ---- */

void json_begin_list(void);
void json_end_list(void);
void json_begin_object(void);
void json_end_object(void);
/** Text is escaped; bytes that are not UTF-8 become U+FFFD. */
void json_text(const char *key, const char *text);
/** A number that is not finite becomes null. */
void json_number(const char *key, double number);
void json_integer(const char *key, uint64_t number);
void json_bool(const char *key, bool truth);

#endif
