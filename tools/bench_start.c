/* SPDX-License-Identifier: Apache-2.0
 *
 * From the start of a program to the end of its first training step: the tool starts itself.
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "tool.h"

extern char **environ;

enum { STARTS = 7 };

/* The child: one step, then a line with its fingerprint, which the parent waits for. */
int first_step_command(int argc, char **argv)
{
    const char *words = NULL;
    if (argc == 3 && strcmp(argv[1], "--device") == 0)
        words = argv[2];
    else if (argc != 1)
        return misuse("first-step: only --device D is understood");
    struct mlp net;
    ls_context *ls = ls_open(words);
    mlp_init(&net, ls, false);
    mlp_step(&net);
    ls_fingerprint_text weights = mlp_fingerprint(&net);
    if (ls_error(ls) == LS_OK)
        printf("weights: %s\n", weights.text);
    else
        fprintf(stderr, "lockstep: %s\n", ls_error_message(ls));
    fflush(stdout);
    return ls_close(&ls) == LS_OK ? 0 : 1;
}

/* Starts the child and reads its line. Returns the seconds until it came, NAN if none did. */
static double start(const char *program, const char *device, char *line, size_t size)
{
    int ends[2];
    posix_spawn_file_actions_t actions;
    char *arguments[] = {"lockstep", "first-step", "--device", (char *)device, NULL};
    pid_t child;
    if (pipe(ends) != 0)
        return NAN;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    posix_spawn_file_actions_addclose(&actions, ends[1]);
    double begin = bench_now(), seconds = NAN;
    int error = posix_spawn(&child, program, &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);

    size_t length = 0;
    while (error == 0 && length + 1 < size) {
        ssize_t got = read(ends[0], line + length, size - 1 - length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        length += (size_t)got;
        if (isnan(seconds) && memchr(line, '\n', length))
            seconds = bench_now() - begin;
    }
    line[length] = '\0';
    line[strcspn(line, "\n")] = '\0';
    close(ends[0]);
    int status = 1;
    if (error == 0)
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
            ;
    return status == 0 ? seconds : NAN;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void bench_start(struct bench *b, ls_context *ls)
{
    struct mlp net;
    ls_context *other = bench_open_other(ls);
    mlp_init(&net, other, false);
    mlp_step(&net);
    char right[64], line[128];
    snprintf(right, sizeof right, "weights: %s", mlp_fingerprint(&net).text);
    bool compared = !bench_failed(b, other, "start");
    ls_close(&other);

    struct bench_bits bits = {"equal"};
    double seconds[STARTS];
    for (int i = 0; compared && i < STARTS; i++) {
        seconds[i] = start(b->program, ls_device_id(ls), line, sizeof line);
        if (isnan(seconds[i])) {
            snprintf(bits.text, sizeof bits.text, "not measured: `lockstep first-step --device %s` failed",
                     ls_device_id(ls));
            bench_report(b, ls, "start", NAN, 0, &bits);
            return;
        }
        if (strcmp(line, right) != 0)
            snprintf(bits.text, sizeof bits.text, "%s, not %s", line, right);
    }
    qsort(seconds, STARTS, sizeof *seconds, by_size);
    if (compared)
        bench_report(b, ls, "start", seconds[STARTS / 2], 0, &bits);
}
