/* SPDX-License-Identifier: Apache-2.0
 *
 * Device memory. Writes do not wait for the queue: small data is copied to one of a few host blocks
 * first, and the device reads that when the write's turn comes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "opencl.h"

/* Above this a copy costs more than waiting. */
#define LARGEST_UPLOAD ((size_t)1 << 20)

ls_status ls_cl_create(struct ls_device *base, size_t bytes, struct ls_buffer **created)
{
    struct ls_cl_device *device = ls_cl_device_of(base);
    *created = NULL;
    size_t size = bytes == 0 ? 64 : bytes;
    if (size > SIZE_MAX - 63)
        return ls_cl_failed(device, CL_INVALID_BUFFER_SIZE, "a buffer of %zu bytes", bytes);
    size = (size + 63) & ~(size_t)63;
    struct ls_cl_buffer *buffer = malloc(sizeof *buffer);
    if (buffer == NULL)
        return ls_cl_failed(device, CL_OUT_OF_HOST_MEMORY, "a buffer of %zu bytes", bytes);
    cl_int code;
    buffer->base.bytes = size;
    buffer->memory = ls_cl.clCreateBuffer(device->context, CL_MEM_READ_WRITE, size, NULL, &code);
    if (code != CL_SUCCESS) {
        free(buffer);
        return ls_cl_failed(device, code, "clCreateBuffer of %zu bytes (the largest may have %llu)",
                            size, (unsigned long long)device->base.info.max_buffer);
    }
    *created = &buffer->base;
    return LS_OK;
}

void ls_cl_destroy(struct ls_device *base, struct ls_buffer *buffer)
{
    struct ls_message ignored;
    if (buffer == NULL)
        return;
    /* Commands that were queued keep the memory until they ran. */
    if (ls_cl_here(ls_cl_device_of(base)->process, &ignored))
        ls_cl.clReleaseMemObject(ls_cl_memory(buffer));
    free(buffer);
}

/* Makes the next block free and large enough. NULL if there is no memory: then the write waits. */
static struct ls_cl_upload *next_upload(struct ls_cl_device *device, size_t bytes, cl_int *code)
{
    struct ls_cl_upload *upload = &device->uploads[device->next_upload++ % LS_CL_UPLOADS];
    *code = CL_SUCCESS;
    if (upload->done != NULL) {
        *code = ls_cl.clWaitForEvents(1, &upload->done);
        ls_cl.clReleaseEvent(upload->done);
        upload->done = NULL;
        if (*code != CL_SUCCESS)
            return NULL;
    }
    if (upload->capacity < bytes) {
        free(upload->memory);
        upload->memory = malloc(bytes);
        upload->capacity = upload->memory != NULL ? bytes : 0;
    }
    return upload->memory != NULL ? upload : NULL;
}

ls_status ls_cl_write(struct ls_device *base, struct ls_buffer *buffer, size_t offset,
                      const void *data, size_t bytes)
{
    struct ls_cl_device *device = ls_cl_device_of(base);
    if (bytes == 0)
        return LS_OK;
    cl_int code = CL_SUCCESS;
    struct ls_cl_upload *upload = NULL;
    if (!ls_cl_here(device->process, &base->message))
        return LS_DEVICE_LOST;
    if (bytes <= LARGEST_UPLOAD)
        upload = next_upload(device, bytes, &code);
    if (code != CL_SUCCESS)
        return ls_cl_failed(device, code, "clWaitForEvents");
    if (upload != NULL) {
        memcpy(upload->memory, data, bytes);
        data = upload->memory;
    }
    code = ls_cl.clEnqueueWriteBuffer(device->queue, ls_cl_memory(buffer),
                                      upload != NULL ? CL_FALSE : CL_TRUE, offset, bytes, data, 0,
                                      NULL, upload != NULL ? &upload->done : NULL);
    if (code != CL_SUCCESS)
        return ls_cl_failed(device, code, "clEnqueueWriteBuffer of %zu bytes", bytes);
    return LS_OK;
}

ls_status ls_cl_read(struct ls_device *base, struct ls_buffer *buffer, size_t offset, void *data,
                     size_t bytes)
{
    struct ls_cl_device *device = ls_cl_device_of(base);
    if (bytes == 0)
        return LS_OK;
    if (!ls_cl_here(device->process, &base->message))
        return LS_DEVICE_LOST;
    cl_int code = ls_cl.clEnqueueReadBuffer(device->queue, ls_cl_memory(buffer), CL_TRUE, offset,
                                            bytes, data, 0, NULL, NULL);
    device->launches = 0;
    if (code != CL_SUCCESS)
        return ls_cl_failed(device, code, "clEnqueueReadBuffer of %zu bytes", bytes);
    return LS_OK;
}

ls_status ls_cl_scratch(struct ls_cl_device *device, int index, size_t bytes,
                        struct ls_buffer **buffer)
{
    struct ls_buffer **scratch = &device->scratch[index];
    if (*scratch == NULL || (*scratch)->bytes < bytes) {
        ls_cl_destroy(&device->base, *scratch);
        *scratch = NULL;
        ls_status status = ls_cl_create(&device->base, bytes, scratch);
        if (status != LS_OK)
            return status;
    }
    *buffer = *scratch;
    return LS_OK;
}

void ls_cl_release_memory(struct ls_cl_device *device)
{
    for (int i = 0; i < LS_CL_UPLOADS; i++) {
        struct ls_cl_upload *upload = &device->uploads[i];
        if (upload->done != NULL) {
            ls_cl.clWaitForEvents(1, &upload->done);
            ls_cl.clReleaseEvent(upload->done);
        }
        free(upload->memory);
    }
    for (int i = 0; i < LS_CL_SCRATCH; i++)
        ls_cl_destroy(&device->base, device->scratch[i]);
}
