/* SPDX-License-Identifier: Apache-2.0
 *
 * Threads and their floating point environment: the only file that knows OpenMP.
 */
#define _POSIX_C_SOURCE 200809L
#include "device.h"
#include "float_environment.h"

#if defined _OPENMP
#include <omp.h>
#include <stdatomic.h>
#include <unistd.h>

/* Whether this process may use threads: OpenMP's are not there in a child of a process that used them, and
 * a parallel region would wait for them for ever. Such a child computes alone, with the same bits. */
static bool may_use_threads(void)
{
    static atomic_long user; /* the process that first used them */
    long me = (long)getpid(), first = atomic_load(&user);
    return first == me || (first == 0 && (atomic_compare_exchange_strong(&user, &first, me) || first == me));
}
#else
static bool may_use_threads(void) { return false; }
#endif

void ls_reference_parallel(const struct reference_device *device, int64_t n, int64_t grain,
                           reference_part *part, const void *work)
{
    int64_t pieces = (n + grain - 1) / grain;
    int wanted = device->threads < pieces ? device->threads : (int)pieces;
    if (wanted <= 1 || !may_use_threads()) {
        part(work, 0, 0, n);
        return;
    }
#if defined _OPENMP
#pragma omp parallel num_threads(wanted)
    {
        /* There may be fewer threads than wanted. */
        int threads = omp_get_num_threads();
        int thread = omp_get_thread_num();
        int64_t begin = pieces * thread / threads * grain;
        int64_t end = pieces * (thread + 1) / threads * grain;
        end = end < n ? end : n;
        if (begin < end) {
            uint64_t before = ls_float_enter();
            part(work, thread, begin, end);
            ls_float_leave(before);
        }
    }
#endif
}
