/* SPDX-License-Identifier: Apache-2.0 */
#include "decorator.h"

static struct ls_decorator *of(struct ls_device *device) { return (struct ls_decorator *)device; }

ls_status ls_decorate(struct ls_decorator *d, const struct ls_backend *backend, const char *words, struct ls_message *message)
{
    ls_status status = ls_device_open(words, &d->inner, message);
    d->base.backend = backend;
    if (status == LS_OK)
        d->base.info = d->inner->info;
    return status;
}

ls_status ls_decorator_pass(struct ls_decorator *d, ls_status status)
{
    if (status != LS_OK)
        d->base.message = d->inner->message;
    d->base.lost |= d->inner->lost;
    return status;
}

ls_status ls_decorator_report(struct ls_device *device)
{
    struct ls_device *inner = of(device)->inner;
    return inner->backend->report ? ls_decorator_pass(of(device), inner->backend->report(inner)) : LS_OK;
}

ls_status ls_decorator_create(struct ls_device *device, size_t bytes, struct ls_buffer **buffer)
{
    struct ls_device *inner = of(device)->inner;
    return ls_decorator_pass(of(device), inner->backend->create(inner, bytes, buffer));
}

void ls_decorator_destroy(struct ls_device *device, struct ls_buffer *buffer)
{
    of(device)->inner->backend->destroy(of(device)->inner, buffer);
}

ls_status ls_decorator_write(struct ls_device *device, struct ls_buffer *buffer, size_t offset, const void *data, size_t bytes)
{
    struct ls_device *inner = of(device)->inner;
    return ls_decorator_pass(of(device), inner->backend->write(inner, buffer, offset, data, bytes));
}

ls_status ls_decorator_read(struct ls_device *device, struct ls_buffer *buffer, size_t offset, void *data, size_t bytes)
{
    struct ls_device *inner = of(device)->inner;
    return ls_decorator_pass(of(device), inner->backend->read(inner, buffer, offset, data, bytes));
}

ls_status ls_decorator_finish(struct ls_device *device)
{
    struct ls_device *inner = of(device)->inner;
    return ls_decorator_pass(of(device), inner->backend->finish(inner));
}

ls_status ls_decorator_fault(struct ls_device *device, struct ls_fault *fault)
{
    struct ls_device *inner = of(device)->inner;
    return inner->backend->fault ? ls_decorator_pass(of(device), inner->backend->fault(inner, fault)) : LS_OK;
}

void ls_decorator_step(struct ls_device *device)
{
    struct ls_device *inner = of(device)->inner;
    if (inner->backend->step)
        inner->backend->step(inner);
}
