/* SPDX-License-Identifier: Apache-2.0
 *
 * A device that wraps another one: fault:, profile: and verify: embed this and take from here what they only
 * pass on. A table entry of theirs is one of these functions or their own.
 */
#ifndef LOCKSTEP_CORE_DECORATOR_H
#define LOCKSTEP_CORE_DECORATOR_H

#include "backend.h"

struct ls_decorator {
    struct ls_device base;
    struct ls_device *inner;
};

/** Opens the device to be wrapped. The decorator is like that one; its device's name is left to the caller. */
ls_status ls_decorate(struct ls_decorator *d, const struct ls_backend *backend, const char *words, struct ls_message *message);

/** What the inner device said, and whether it is lost, is what this one says. Returns `status`. */
ls_status ls_decorator_pass(struct ls_decorator *d, ls_status status);

ls_status ls_decorator_report(struct ls_device *device);
ls_status ls_decorator_create(struct ls_device *device, size_t bytes, struct ls_buffer **buffer);
void ls_decorator_destroy(struct ls_device *device, struct ls_buffer *buffer);
ls_status ls_decorator_write(struct ls_device *device, struct ls_buffer *buffer, size_t offset, const void *data, size_t bytes);
ls_status ls_decorator_read(struct ls_device *device, struct ls_buffer *buffer, size_t offset, void *data, size_t bytes);
ls_status ls_decorator_finish(struct ls_device *device);
ls_status ls_decorator_fault(struct ls_device *device, struct ls_fault *fault);
void ls_decorator_step(struct ls_device *device);

#endif
