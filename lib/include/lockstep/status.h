/* SPDX-License-Identifier: Apache-2.0
 *
 * Status codes, and what went wrong. Two kinds of calls report errors in two ways:
 *
 *   - Calls that *build* (every op, every layer call) return a tensor. They are sticky: the context
 *     remembers the first error, the call returns the nil tensor, and ops on nil do nothing (see ls_tensor).
 *   - Calls that *cross to the device or end something* (open, read, write, gradient, scope_end, close)
 *     return an ls_status.
 *
 * So a whole step can be written without a check, and asked once at its end.
 */
#ifndef LOCKSTEP_STATUS_H
#define LOCKSTEP_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined _WIN32
#define LS_API
#else
#define LS_API __attribute__((visibility("default")))
#endif

/** Every status there is: name, value, and its text. Values never change meaning. */
#define LS_STATUS_LIST(X)                                                                          \
    X(LS_OK, 0, "no error")                                                                        \
    X(LS_INVALID_ARGUMENT, 1, "an argument is not valid")                                          \
    X(LS_SHAPE_MISMATCH, 2, "shapes do not fit")                                                   \
    X(LS_DTYPE_MISMATCH, 3, "element types do not fit")                                            \
    X(LS_OUT_OF_RANGE, 4, "an index or label is out of range")                                     \
    X(LS_OVERFLOW, 5, "a size is too large")                                                       \
    X(LS_OUT_OF_MEMORY, 6, "memory is exhausted")                                                  \
    X(LS_STALE_HANDLE, 7, "the handle's object was released")                                      \
    X(LS_FOREIGN_HANDLE, 8, "the handle belongs to another context")                               \
    X(LS_NOT_FOUND, 9, "there is no such device, file or name")                                    \
    X(LS_UNAVAILABLE, 10, "what was asked for is not installed or not built in")                   \
    X(LS_UNSUPPORTED, 11, "the backend leaves this to the composed implementation")                \
    X(LS_DEVICE_ERROR, 12, "the device or its driver reported an error")                           \
    X(LS_DEVICE_LOST, 13, "the device is lost; close this context and open a new one")             \
    X(LS_COMPILE_ERROR, 14, "a kernel does not compile")                                           \
    X(LS_FILE_ERROR, 15, "a file cannot be read or written")                                       \
    X(LS_BAD_FILE, 16, "a file's contents are not what its format promises")                       \
    X(LS_NO_GRADIENT, 17, "there is no gradient")                                                  \
    X(LS_TAPE_ERROR, 18, "the tape cannot be used this way")                                       \
    X(LS_CAPTURE_ERROR, 19, "this cannot be captured")                                             \
    X(LS_INTERNAL, 20, "an invariant of the library does not hold; please report it")            \
    X(LS_NOT_FINITE, 21, "an op made a NaN or Inf (LOCKSTEP_CHECK=numerics)")                       \
    X(LS_DIVERGED, 22, "two devices gave different bits (LOCKSTEP_BACKEND=verify:)")

/** The outcome of a call: LS_OK, which is 0, or one of the list above. */
typedef enum ls_status {
#define LS_STATUS_ENUM(name, value, text) name = value,
    LS_STATUS_LIST(LS_STATUS_ENUM)
#undef LS_STATUS_ENUM
} ls_status;

/** The text of a status, for example "shapes do not fit". Never NULL. Static storage; any thread. */
LS_API const char *ls_status_text(ls_status status);

/** The name of a status, for example "LS_SHAPE_MISMATCH". Never NULL. Static storage; any thread. */
LS_API const char *ls_status_name(ls_status status);

#ifdef __cplusplus
}
#endif
#endif
