/* SPDX-License-Identifier: Apache-2.0
 *
 * A backend's functions, each in the canonical floating point environment: whoever calls them, and in
 * whatever environment, what runs in them, the threads that drivers start there and what they compile
 * compute as the canon says. A function that the backend may leave out, and does, says what its absence means. It
 * makes the table that others see of the backend's own, at the end of its device.c:
 *
 *     static const struct ls_backend unguarded = {.list = list, ...};
 *     #define BACKEND vulkan
 *     #include "guarded_backend.h"
 */
#include "backend.h"
#include "float_environment.h"

/* Runs a call of a function of `unguarded` that returns a `type`. */
#define GUARDED(type, call)                                                                        \
    uint64_t before = ls_float_enter();                                                            \
    type result = unguarded.call;                                                                  \
    ls_float_leave(before);                                                                        \
    return result

static size_t guarded_list(struct ls_device_info *devices, size_t capacity)
{
    GUARDED(size_t, list(devices, capacity));
}
static ls_status guarded_open(const char *which, struct ls_device **device, struct ls_message *message)
{
    GUARDED(ls_status, open(which, device, message));
}
static ls_status guarded_report(struct ls_device *device)
{
    GUARDED(ls_status, report == NULL ? LS_OK : unguarded.report(device));
}
static void guarded_step(struct ls_device *device)
{
    uint64_t before = ls_float_enter();
    if (unguarded.step != NULL)
        unguarded.step(device);
    ls_float_leave(before);
}
static void guarded_close(struct ls_device *device)
{
    uint64_t before = ls_float_enter();
    unguarded.close(device);
    ls_float_leave(before);
}
static ls_status guarded_create(struct ls_device *device, size_t bytes, struct ls_buffer **buffer)
{
    GUARDED(ls_status, create(device, bytes, buffer));
}
static void guarded_destroy(struct ls_device *device, struct ls_buffer *buffer)
{
    uint64_t before = ls_float_enter();
    unguarded.destroy(device, buffer);
    ls_float_leave(before);
}
static ls_status guarded_write(struct ls_device *device, struct ls_buffer *buffer, size_t offset, const void *data,
                               size_t bytes)
{
    GUARDED(ls_status, write(device, buffer, offset, data, bytes));
}
static ls_status guarded_read(struct ls_device *device, struct ls_buffer *buffer, size_t offset, void *data,
                              size_t bytes)
{
    GUARDED(ls_status, read(device, buffer, offset, data, bytes));
}
static ls_status guarded_finish(struct ls_device *device) { GUARDED(ls_status, finish(device)); }
static ls_status guarded_fault(struct ls_device *device, struct ls_fault *fault)
{
    fault->set = false;
    GUARDED(ls_status, fault == NULL ? LS_OK : unguarded.fault(device, fault));
}
#define PRIM(name, need, meaning)                                                                  \
    static ls_status guarded_##name(struct ls_device *device, const struct ls_##name##_args *args) \
    {                                                                                              \
        GUARDED(ls_status, name == NULL ? LS_UNSUPPORTED : unguarded.name(device, args));          \
    }
#include "prims.def"
#undef PRIM
#undef GUARDED

#define TEXT(name) #name
#define NAME(name) TEXT(name)
#define JOIN(name) ls_##name##_backend
#define TABLE(name) JOIN(name)

const struct ls_backend TABLE(BACKEND) = {
    .name = NAME(BACKEND),
    .list = guarded_list,
    .open = guarded_open,
    .report = guarded_report,
    .close = guarded_close,
    .create = guarded_create,
    .destroy = guarded_destroy,
    .write = guarded_write,
    .read = guarded_read,
    .finish = guarded_finish,
    .fault = guarded_fault,
    .step = guarded_step,
#define PRIM(name, need, meaning) .name = guarded_##name,
#include "prims.def"
#undef PRIM
};
#undef TEXT
#undef NAME
#undef JOIN
#undef TABLE
