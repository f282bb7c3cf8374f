/* SPDX-License-Identifier: Apache-2.0
 *
 * The context: one device, its memory, and everything made on it. There is no global context and no
 * hidden current one. A context and all that belongs to it are used by one thread at a time; several
 * threads each open their own. A process that was forked after an OpenCL context was opened cannot use it, nor
 * open another: LS_DEVICE_LOST, LS_UNAVAILABLE.
 */
#ifndef LOCKSTEP_CONTEXT_H
#define LOCKSTEP_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lockstep/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ls_context ls_context;

/** How serious a log message is. */
typedef enum ls_log_level { LS_LOG_DEBUG, LS_LOG_INFO, LS_LOG_WARNING, LS_LOG_ERROR } ls_log_level;

/**
 * Receives log messages. The library itself prints nothing: without a callback the messages are
 * dropped, except that ls_open installs ls_log_stderr when LOCKSTEP_LOG is set. `message` has no
 * line end and is valid during the call only. The callback must not call back into the library.
 */
typedef void ls_log_fn(void *user, ls_log_level level, const char *message);

/** A ready-made callback that writes "lockstep: message" to stderr. `user` is not used. */
LS_API void ls_log_stderr(void *user, ls_log_level level, const char *message);

/**
 * Opens a device. `device` takes the words of LOCKSTEP_BACKEND; NULL reads that variable, and if it
 * is not set, means "auto":
 *
 *     auto                        a real GPU if there is one, else reference
 *     reference                   plain C and OpenMP; `reference:avx2` forces an instruction set
 *     opencl, opencl:1            the first OpenCL device, or the one with that index
 *     opencl:<part of a name>     the first whose name contains it, ignoring case
 *     verify:<device>             that device, compared with the reference, see docs/verify.md
 *     fault:<device>              a decorator for tests, see docs/testing.md
 *
 * Never returns NULL unless memory for the context itself is exhausted: a context that could not be
 * opened holds its error, every call on it does nothing, and ls_close returns the status. So a
 * program may check here with ls_error, or once at its end.
 * Blocks until the device is ready (kernels are built lazily). Any thread.
 */
LS_API ls_context *ls_open(const char *device);

/** As ls_open, with a log callback from the very first message on. */
LS_API ls_context *ls_open_logged(const char *device, ls_log_level least, ls_log_fn *log, void *user);

/**
 * Waits for the device, releases everything that belongs to the context and sets `*ls` to NULL.
 * Returns the first error of the context that was not cleared, else LS_OK. Accepts NULL and a
 * pointer to NULL. All tensors, tapes and functions of the context become invalid; objects that
 * own variables (layers, optimizers) are owned by the context too and go with it.
 */
LS_API ls_status ls_close(ls_context **ls);

/** The first error since the context was opened or the error cleared; LS_OK if there is none. */
LS_API ls_status ls_error(const ls_context *ls);

/**
 * What went wrong, in one sentence that names the op, the shapes, the backend and the way out; ""
 * if nothing did. Belongs to the context; valid until ls_clear_error or ls_close.
 * Of NULL: what was wrong with this thread's last call that no context could remember, as it was given
 * NULL for its options or an empty list of tensors; such calls return nil or LS_INVALID_ARGUMENT.
 */
LS_API const char *ls_error_message(const ls_context *ls);

/** Forgets the error, so that the context can be used again. No effect on a lost device. */
LS_API void ls_clear_error(ls_context *ls);

/** Sends log messages of at least level `least` to `log`; NULL drops them. */
LS_API void ls_set_log(ls_context *ls, ls_log_level least, ls_log_fn *log, void *user);

/** The opened device as LOCKSTEP_BACKEND would name it ("opencl:0"), and its own name. */
LS_API const char *ls_device_id(const ls_context *ls);
LS_API const char *ls_device_name(const ls_context *ls);

/**
 * Seeds the random streams of the context (the role of keras.utils.set_random_seed). The same seed
 * gives the same numbers on every device. The default seed is 0.
 */
LS_API void ls_set_random_seed(ls_context *ls, uint64_t seed);

/** Waits until the device has done all that was asked of it. Blocks. */
LS_API ls_status ls_synchronize(ls_context *ls);

/** Counters of a context, for tests and for the curious. Sizes in bytes. */
typedef struct ls_stats {
    size_t live_tensors;   /* handles that are valid now */
    size_t live_buffers;   /* device buffers in use */
    size_t live_bytes;     /* their sizes */
    size_t pooled_bytes;   /* freed buffers kept for reuse */
    size_t peak_bytes;     /* the most that live_bytes ever was */
    size_t allocations;    /* buffers ever asked of the device */
    uint64_t dispatches;   /* primitive calls handed to the device */
} ls_stats;

/** The counters of `ls` now. */
LS_API ls_stats ls_get_stats(const ls_context *ls);

/** Gives the pooled, unused buffers back to the device. */
LS_API void ls_trim(ls_context *ls);

/** One device that the library knows of, available or not. */
typedef struct ls_device_info {
    char device[64];    /* what to set LOCKSTEP_BACKEND to */
    char backend[16];   /* "reference", "opencl", "vulkan" */
    char name[128];     /* the device's own name */
    char driver[160];   /* platform or driver with version */
    bool available;
    char reason[256];   /* why not, and what to install; "" when available */
    char exactness[16]; /* "E", "E-slow", "N", "T": ls_selftest's verdict, or "untested" */
    uint64_t memory;    /* bytes of global memory, 0 if unknown */
    uint64_t max_buffer;/* bytes of the largest buffer, 0 if unlimited */
    int compute_units;  /* 0 if unknown */
    bool is_gpu;
    bool has_fp64;
    bool emulates_fma;  /* known once it is open: its own fma is not exact */
} ls_device_info;

/**
 * Lists every device of every backend built in, and for a backend with none one entry that says
 * why. Returns how many there are; fills at most `capacity` of them. Any thread. May block while
 * drivers start.
 */
LS_API size_t ls_list_devices(ls_device_info *devices, size_t capacity);

/** One LOCKSTEP_ variable: its name, what it does, its value now (NULL if not set). */
typedef struct ls_variable_info {
    const char *name, *meaning, *value;
} ls_variable_info;

/** Lists the environment variables the library reads. Returns how many; fills at most `capacity`. */
LS_API size_t ls_list_environment(ls_variable_info *variables, size_t capacity);

/** The version of the library, "0.1.0", and of the arithmetic (canon.md), 1. */
LS_API const char *ls_version(void);
LS_API int ls_canon_version(void);

#ifdef __cplusplus
}
#endif
#endif
