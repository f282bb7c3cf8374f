/* SPDX-License-Identifier: Apache-2.0
 *
 * The host's allocations: the linker sends the library's here (--wrap), on whatever thread, and one of them fails.
 */
#ifndef TESTS_FAILING_MEMORY_H
#define TESTS_FAILING_MEMORY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

/** The allocation that fails, counted from now; 0: none. */
static atomic_long host_countdown;

/** Whether a countdown ends with this call. */
static inline bool fails(atomic_long *counter)
{
    long left = atomic_load(counter);
    while (left > 0 && !atomic_compare_exchange_weak(counter, &left, left - 1))
        ;
    return left == 1;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

void *__wrap_malloc(size_t size) { return fails(&host_countdown) ? NULL : __real_malloc(size); }
void *__wrap_calloc(size_t count, size_t size) { return fails(&host_countdown) ? NULL : __real_calloc(count, size); }
void *__wrap_realloc(void *memory, size_t size) { return fails(&host_countdown) ? NULL : __real_realloc(memory, size); }

#endif
