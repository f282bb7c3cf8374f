/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests of drivers: cases in processes of their own, since a driver reads the environment once and does not
 * survive a fork.
 */
#ifndef TESTS_APART_H
#define TESTS_APART_H

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

/* 20 on a healthy device; NaN otherwise. Runs map, gemm, reduce, a program of rows, fill and copies. */
static inline float compute(ls_context *ls)
{
    ls_tensor x = ls_from_host(ls, LS_FLOAT32, LS_SHAPE(2, 2), (float[]){1, 2, 3, 4});
    ls_tensor y = ls_matmul(x, ls_exp(ls_zeros_like(x)));
    return ls_item(ls_sum(ls_transpose(y, (int[]){1, 0}), NULL, 0, false));
}

/* The backend computes, and closes. */
static inline void check_healthy(const char *backend)
{
    ls_context *ls = ls_open(backend);
    CHECK(compute(ls) == 20.0f, "%s", ls_error_message(ls));
    CHECK(ls_close(&ls) == LS_OK, "close");
}

/* A child of a process that started a driver: an error, not a wait for threads that are not there. */
static inline void check_forked(const char *backend)
{
    ls_context *ls = ls_open(backend);
    CHECK(compute(ls) == 20.0f, "%s", ls_error_message(ls));
    ls_tensor x = ls_fill(ls, LS_SHAPE(3), 2.0f);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        float data[3];
        alarm(60);
        checks_failed = 0;
        CHECK(ls_read(x, data, sizeof data) == LS_DEVICE_LOST, "a child read from its parent's device");
        CHECK(strstr(ls_error_message(ls), "before it forked"), "%s", ls_error_message(ls));
        CHECK(ls_close(&ls) == LS_DEVICE_LOST && !ls, "close in a child");
        ls = ls_open(backend);
        CHECK(ls_error(ls) == LS_UNAVAILABLE && strstr(ls_error_message(ls), "before it forked"), "%s",
              ls_error_message(ls));
        ls_close(&ls);
        ls = ls_open("reference");
        CHECK(compute(ls) == 20.0f, "%s", ls_error_message(ls));
        CHECK(ls_close(&ls) == LS_OK, "close");
        fflush(stdout);
        _exit(checks_failed ? 1 : 0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child ended with %#x", (unsigned)status);
    CHECK(compute(ls) == 20.0f, "the parent: %s", ls_error_message(ls));
    CHECK(ls_close(&ls) == LS_OK, "close");
}

/* ---- A host with another floating point environment ---- */

#if defined __SSE2__
#include <xmmintrin.h>

enum { FLUSHING = 0x9fc0, UPWARD = 0x5f80 }; /* MXCSR: FTZ and DAZ, as -ffast-math sets them; rounding up */
static inline unsigned host_environment(void) { return _mm_getcsr() & 0xffc0u; }
static inline void set_host_environment(unsigned control) { _mm_setcsr(control); }
#elif defined __aarch64__
enum { FLUSHING = 1 << 24, UPWARD = 1 << 22 }; /* FPCR */
static inline unsigned host_environment(void)
{
    uint64_t control;
    __asm__ volatile("mrs %0, fpcr" : "=r"(control));
    return (unsigned)control;
}
static inline void set_host_environment(unsigned control)
{
    __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)control) : "memory");
}
#else
enum { FLUSHING = 0, UPWARD = 0 };
static inline unsigned host_environment(void) { return 0; }
static inline void set_host_environment(unsigned control) { (void)control; }
#endif

/* Sums, products, quotients and subnormals. The digits alone: the device may be of class T. */
static inline uint64_t rounded_digits(const char *backend)
{
    ls_context *ls = ls_open(backend);
    ls_set_random_seed(ls, 7);
    ls_tensor x = ls_random_normal(ls, LS_SHAPE(64, 64), 0, 1), y = ls_matmul(x, x);
    ls_tensor all[] = {y, ls_mul(ls_div(y, x), ls_scalar(ls, 1e-39f)), ls_sum(y, NULL, 0, false)};
    ls_fingerprint_text text = ls_fingerprint(all, 3);
    CHECK(ls_close(&ls) == LS_OK, "%s: close", backend);
    return strtoull(strchr(text.text, ':') + 1, NULL, 16);
}

/* To be called before the driver is loaded: its threads inherit what is set when they start. */
static inline void check_environment(const char *backend, unsigned control)
{
    uint64_t want = rounded_digits("reference");
    set_host_environment(control);
    unsigned before = host_environment();
    uint64_t got = rounded_digits(backend);
    unsigned after = host_environment();
    CHECK(after == before, "%s: the host's environment was %#x and is %#x", backend, before, after);
    CHECK(got == want, "%s under %#x: %016llx, not %016llx", backend, control, (unsigned long long)got,
          (unsigned long long)want);
}

/* Runs a case in a process of its own and adds its counts. */
static inline void apart(void (*test)(void), const char *name)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        checks_passed = checks_failed = 0;
        test();
        printf("%s: %d passed, %d failed\n", name, checks_passed, checks_failed);
        fflush(stdout);
        _exit(checks_failed ? 1 : 0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s ended with %#x", name, (unsigned)status);
}

/* Asked in a process of its own too: a driver that was started does not survive a fork. */
static inline bool there_is(const char *backend)
{
    pid_t child = fork();
    if (child == 0) {
        ls_device_info found[32];
        size_t count = ls_list_devices(found, 32);
        bool there = false;
        for (size_t i = 0; i < count && i < 32; i++)
            there |= found[i].available && strcmp(found[i].backend, backend) == 0;
        _exit(there ? 0 : 1);
    }
    int status = 1;
    waitpid(child, &status, 0);
    return status == 0;
}

#endif
