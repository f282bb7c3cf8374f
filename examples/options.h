/* SPDX-License-Identifier: Apache-2.0
 *
 * The options that all training examples take.
 */
#ifndef EXAMPLES_OPTIONS_H
#define EXAMPLES_OPTIONS_H

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lockstep/lockstep.h>

struct options {
    int epochs;
    long long steps; /* stop after so many, in all epochs together */
    uint64_t seed;
    bool synthetic, captured;
    bool can_capture; /* a default that the program sets: it takes --captured */
};

static void print_usage(FILE *to, const char *program, const struct options *defaults)
{
    fprintf(to,
            "usage: %s [--epochs N] [--steps N] [--seed N] [--synthetic]%s\n"
            "  --epochs N    train for N epochs (%d)\n"
            "  --steps N     stop after N steps\n"
            "  --seed N      seed of the random numbers (%llu)\n"
            "  --synthetic   made-up images instead of Fashion-MNIST\n"
            "%s"
            "LOCKSTEP_BACKEND chooses the device: reference, opencl, opencl:1, ...\n",
            program, defaults->can_capture ? " [--captured]" : "", defaults->epochs, (unsigned long long)defaults->seed,
            defaults->can_capture ? "  --captured    record the training step once and replay it\n" : "");
}

/* The number after an option. Exits when there is none that is at least `least`. */
static long long number_after(const char *option, const char *text, long long least)
{
    char *end = NULL;
    errno = 0;
    long long number = text ? strtoll(text, &end, 10) : 0;
    if (!text || end == text || *end || errno || number < least) {
        fprintf(stderr, "%s needs a number, at least %lld\n", option, least);
        exit(2);
    }
    return number;
}

/* Reads the command line over `options`, which holds the defaults. Exits when it is not understood. */
static void read_options(int argc, char **argv, struct options *options)
{
    const struct options defaults = *options;
    for (int i = 1; i < argc; i++) {
        const char *next = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--synthetic") == 0) {
            options->synthetic = true;
        } else if (strcmp(argv[i], "--captured") == 0 && options->can_capture) {
            options->captured = true;
        } else if (strcmp(argv[i], "--captured") == 0) {
            fprintf(stderr, "%s: --captured: this example runs every step eagerly; cnn, custom_loop, gan, two_optimizers and "
                            "wgan_gp can record theirs\n", argv[0]);
            exit(2);
        } else if (strcmp(argv[i], "--epochs") == 0) {
            long long epochs = number_after(argv[i++], next, 0);
            options->epochs = epochs > 1000000 ? 1000000 : (int)epochs;
        } else if (strcmp(argv[i], "--steps") == 0) {
            options->steps = number_after(argv[i++], next, 0);
        } else if (strcmp(argv[i], "--seed") == 0) {
            options->seed = (uint64_t)number_after(argv[i++], next, 0);
        } else {
            bool help = strcmp(argv[i], "--help") == 0;
            print_usage(help ? stdout : stderr, argv[0], &defaults);
            exit(help ? 0 : 2);
        }
    }
}

/* Fashion-MNIST, or with --synthetic what looks like it: images (28, 28) uint8, labels () int32. */
static inline void load_images(ls_context *ls, const struct options *options, ls_dataset **train,
                               ls_dataset **validation, ls_dataset **test)
{
    if (options->synthetic)
        ls_synthetic_images(ls, options->seed, train, validation, test);
    else
        ls_fashion_mnist(ls, train, validation, test);
}

/* ---- Ctrl-C: the library installs no handlers, the program does ---- */

static volatile sig_atomic_t interrupted; /* the signal's number */

static void note_interrupt(int signal_number) { interrupted = signal_number; }

/* From here on SIGINT and SIGTERM let the current batch end; a second one ends the program at once. */
static inline void stop_on_interrupt(void)
{
    struct sigaction action = {.sa_handler = note_interrupt, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* Whether a loop should end: after the steps that were asked for, or when the program was interrupted. */
static inline bool enough(const struct options *options, long long steps_done)
{
    return interrupted || steps_done >= options->steps;
}

/* ---- The end of a program ---- */

/* After an interruption saves the weights, so that the work is not lost. */
static inline void save_if_interrupted(ls_model *model, const char *path)
{
    if (interrupted && ls_save_weights(model, path) == LS_OK)
        printf("interrupted: the weights are in %s\n", path);
}

/* Says what went wrong, if anything did, and closes. Returns the exit status: 130 after Ctrl-C, as shells have it. */
static inline int leave(ls_context *ls, const char *program)
{
    if (ls_error(ls) != LS_OK)
        fprintf(stderr, "%s: %s\n", program, ls_error_message(ls));
    int status = ls_close(&ls) == LS_OK ? 0 : 1;
    return interrupted ? 128 + (int)interrupted : status;
}

/* Both, with the fingerprint of the weights in between: the same on every exact device. */
static inline int finish(ls_context *ls, ls_model *model, const char *program)
{
    char path[80];
    snprintf(path, sizeof path, "%s.safetensors", program);
    save_if_interrupted(model, path);
    ls_fingerprint_text weights = ls_fingerprint_model(model);
    if (ls_error(ls) == LS_OK)
        printf("weights: %s\n", weights.text);
    return leave(ls, program);
}

#endif
