/* SPDX-License-Identifier: Apache-2.0
 *
 * The command-line tool: which devices there are, and how fast they are.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <lockstep/context.h>

#include "tool.h"

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *arguments, *help;
} commands[] = {
    {"devices", devices_command, "[--json]",
     "lists every device, or why it is not available, what implements each primitive,\n"
     "and the LOCKSTEP_ variables with their values"},
    {"selftest", selftest_command, "[DEVICE...] [--full] [--again] [--json]",
     "tests the arithmetic of devices (without names, of all) on the kernels that training runs, and says\n"
     "which are exact and why others are not; the verdict is kept, --again does not trust it; ends with 1 when one\n"
     "has other bits (class T), with 0 for N, whose bits are the same but for subnormal numbers"},
    {"verify", verify_command, "[DEVICE...] [--json] [--html FILE]",
     "runs every op with its gradients, and networks, on devices (without names, on all) and compares the\n"
     "bits of each two; --html writes a page to attach to a bug report"},
    {"replay", replay_command, "FILE [DEVICE]",
     "repeats the call on which LOCKSTEP_BACKEND=verify:... found two devices apart, on DEVICE (else the one\n"
     "that was verified), and compares it with the reference"},
    {"compare", compare_command, "A.lsr B.lsr [--partial]",
     "compares two receipts (LOCKSTEP_RECEIPT=FILE): the same computation, or the first step and tensor\n"
     "where they part; --partial also takes files that were cut off"},
    {"bench", bench_command, "[gemm] [conv] [mlp] [eager] [start] [--device D] [--seconds S] [--json]",
     "checks the bits, then measures; without names, everything:\n"
     "gemm    matrix products, as a fraction of this machine's FMA peak\n"
     "conv    the three passes of a convolution, 3x3, 32 -> 64, on 14x14, batch 128, likewise\n"
     "mlp     a training step of 784-256-128-10, batch 128, Adam; eager and captured\n"
     "eager   one small op, forward and backward\n"
     "start   from the start of a program to the end of its first training step\n"
     "OMP_NUM_THREADS sets the threads of the reference and of the peak"},
    {"first-step", first_step_command, "[--device D]",
     "trains one step and prints the fingerprint: what `bench start` starts"},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

int misuse(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("lockstep: ", stderr);
    vfprintf(stderr, format, arguments);
    fputs("; see `lockstep --help`\n", stderr);
    va_end(arguments);
    return EXIT_MISUSE;
}

static void print_indented(const char *text)
{
    while (*text) {
        int length = (int)strcspn(text, "\n");
        printf("        %.*s\n", length, text);
        text += length + (text[length] == '\n');
    }
}

static int help(void)
{
    printf("usage: lockstep COMMAND\n\n");
    for (int i = 0; i < COMMANDS; i++) {
        printf("    %s %s\n", commands[i].name, commands[i].arguments);
        print_indented(commands[i].help);
        putchar('\n');
    }
    printf("    --help, --version\n\n"
           "D names a device as LOCKSTEP_BACKEND does: reference, vulkan, opencl, opencl:1, vulkan:<part of a name>.\n"
           "Ends with 0; with 1 when a device fails or bits differ; with 2 when this line was not understood.\n");
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return misuse("a command is missing");
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0)
        return help();
    if (strcmp(argv[1], "--version") == 0) {
        printf("lockstep %s, arithmetic canon %d\n", ls_version(), ls_canon_version());
        return 0;
    }
    for (int i = 0; i < COMMANDS; i++) {
        if (strcmp(argv[1], commands[i].name) != 0)
            continue;
        for (int a = 2; a < argc; a++)
            if (strcmp(argv[a], "--help") == 0)
                return help();
        int status = commands[i].run(argc - 1, argv + 1);
        if (fflush(stdout) == 0 && !ferror(stdout))
            return status;
        fprintf(stderr, "lockstep: the output cannot be written\n");
        return status ? status : 1;
    }
    return misuse("there is no command \"%s\"", argv[1]);
}
