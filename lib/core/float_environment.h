/* SPDX-License-Identifier: Apache-2.0
 *
 * The floating point environment that canonical arithmetic is defined in (canon rule 22): rounding to
 * nearest even, no flushing of subnormals, no traps. Each thread has its own, and a new thread that of
 * the one that started it: a program that flushes (gcc's -ffast-math sees to it) or rounds otherwise
 * would hand that down to the threads of drivers, and to their compilers.
 */
#ifndef LOCKSTEP_CORE_FLOAT_ENVIRONMENT_H
#define LOCKSTEP_CORE_FLOAT_ENVIRONMENT_H

#include <stdint.h>

#if defined __SSE2__
#include <xmmintrin.h>

/* MXCSR: round to nearest, FTZ and DAZ off, all exceptions masked. Its low six bits are flags. */
enum { LS_MXCSR_CANONICAL = 0x1f80, LS_MXCSR_CONTROL = 0xffc0 };

/** Sets the canonical environment for this thread; returns what was set before. Costs a few nanoseconds. */
static inline uint64_t ls_float_enter(void)
{
    unsigned before = _mm_getcsr();
    if ((before & LS_MXCSR_CONTROL) != LS_MXCSR_CANONICAL)
        _mm_setcsr(LS_MXCSR_CANONICAL);
    return before;
}

/** Sets what ls_float_enter returned, whatever was called since. */
static inline void ls_float_leave(uint64_t before)
{
    if (((_mm_getcsr() ^ (unsigned)before) & LS_MXCSR_CONTROL) != 0)
        _mm_setcsr((unsigned)before);
}

#elif defined __aarch64__

/* FPCR: round to nearest, FZ, FZ16, AH and DN off, no traps: all zero. */
static inline uint64_t ls_float_environment(void)
{
    uint64_t now;
    __asm__ volatile("mrs %0, fpcr" : "=r"(now));
    return now;
}
static inline uint64_t ls_float_enter(void)
{
    uint64_t before = ls_float_environment();
    if (before != 0)
        __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)0) : "memory");
    return before;
}
static inline void ls_float_leave(uint64_t before)
{
    if (ls_float_environment() != before)
        __asm__ volatile("msr fpcr, %0" : : "r"(before) : "memory");
}

#else
#include <fenv.h>

static inline uint64_t ls_float_enter(void)
{
    int before = fegetround();
    if (before != FE_TONEAREST)
        fesetround(FE_TONEAREST);
    return (uint64_t)before;
}
static inline void ls_float_leave(uint64_t before)
{
    if (fegetround() != (int)before)
        fesetround((int)before);
}
#endif

#endif
