/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of this backend share. device.c and parallel.c are compiled once; all others once
 * per instruction set, with LS_ISA naming it, and meet device.c only in a struct reference_slots.
 */
#ifndef LS_REFERENCE_DEVICE_H
#define LS_REFERENCE_DEVICE_H

#include "backend.h"

enum {
    CACHE_LINE = 64,
    /* Below this many elements of simple arithmetic a second thread costs more than it saves. */
    PARALLEL_WORK = 32768,
};

/* A buffer is one allocation: this header, padded to a cache line, and then the elements. */
struct reference_buffer {
    struct ls_buffer base;
    _Alignas(CACHE_LINE) unsigned char data[];
};

static inline void *data_of(struct ls_buffer *buffer)
{
    return buffer ? ((struct reference_buffer *)buffer)->data : NULL; /* NULL: no elements */
}

struct reference_device {
    struct ls_device base;
    const struct reference_slots *slots;
    int threads;
    void *scratch; /* what slots need besides their arguments; grown, never shrunk */
    size_t scratch_bytes;
    struct ls_fault fault;
};

/* The primitives for one instruction set. NULL: the optional slot is not there. */
struct reference_slots {
#define PRIM(name, need, meaning)                                                                  \
    ls_status (*name)(struct reference_device *device, const struct ls_##name##_args *args);
#include "prims.def"
#undef PRIM
};

/* At least `bytes` of scratch memory at a cache line, contents undefined, valid until the next call.
 * NULL if there is no memory; the device's message then says so and the slot returns
 * LS_OUT_OF_MEMORY. */
void *ls_reference_scratch(struct reference_device *device, size_t bytes);

/* Notes an index fault unless one is noted already. */
void ls_reference_fault(struct reference_device *device, enum ls_fault_kind kind, int64_t position,
                        int64_t value, int64_t limit);

/* A part [begin, end) of some work, done by thread number `thread`. */
typedef void reference_part(const void *work, int thread, int64_t begin, int64_t end);

/* Cuts [0, n) into one part per thread, at multiples of `grain`, and does them at the same time.
 * With n <= grain there is one part and no thread is woken. Returns when all are done. Every thread
 * runs in the canonical floating point environment. */
void ls_reference_parallel(const struct reference_device *device, int64_t n, int64_t grain,
                           reference_part *part, const void *work);

#endif
