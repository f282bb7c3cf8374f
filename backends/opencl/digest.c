/* SPDX-License-Identifier: Apache-2.0
 *
 * digest: the words are set to 0, then a launch for each input adds its blocks.
 */
#include "opencl.h"

static ls_status find_kernel(struct ls_cl_device *device, ls_dtype dtype, const struct ls_cl_kernel **kernel)
{
    static const char *const types[] = {[1] = "uchar", [2] = "ushort", [4] = "uint"};
    struct ls_cl_key key = {.size = 0};
    size_t size = ls_dtype_size(dtype);
    bool is_float = dtype == LS_FLOAT32 || dtype == LS_FLOAT16 || dtype == LS_BFLOAT16;
    ls_cl_key_add(&key, LS_CL_DIGEST);
    ls_cl_key_add(&key, (unsigned)size << 1 | is_float);
    *kernel = ls_cl_find(device, &key);
    if (*kernel != NULL)
        return LS_OK;
    struct ls_cl_source source = {.primitive = "digest", .entry = "digest", .file = ls_cl_file_digest};
    ls_cl_add(&source.text, "#define LS_DIGEST_TYPE %s\n#define LS_DIGEST_ZERO %s\n#define LS_GROUP %d\n", types[size],
              !is_float ? "0u" : size == 4 ? "0x80000000u" : "0x8000u", device->wide ? 1 : 64);
    return ls_cl_build(device, &key, &source, kernel);
}

static ls_status add_input(struct ls_cl_device *device, const struct ls_digest_args *args, int i)
{
    const struct ls_digest_input *input = &args->input[i];
    const struct ls_cl_kernel *kernel;
    if (input->n == 0)
        return LS_OK;
    ls_status status = find_kernel(device, input->dtype, &kernel);
    if (status != LS_OK)
        return status;
    struct ls_cl_launch launch = ls_cl_begin(device, kernel);
    ls_cl_pass_buffer(&launch, input->buffer);
    ls_cl_pass_buffer(&launch, args->dst);
    ls_cl_pass_long(&launch, input->n);
    ls_cl_pass_long(&launch, args->at + 2 * (cl_long)i);
    return ls_cl_run(&launch, 1, (size_t[3]){(size_t)((input->n + LS_DIGEST_BLOCK - 1) / LS_DIGEST_BLOCK), 1, 1},
                     (size_t[3]){device->wide ? 1 : 64, 1, 1});
}

ls_status ls_cl_digest(struct ls_device *base, const struct ls_digest_args *args)
{
    struct ls_cl_device *device = ls_cl_device_of(base);
    const cl_uint zero = 0;
    cl_int code = ls_cl.clEnqueueFillBuffer(device->queue, ls_cl_memory(args->dst), &zero, sizeof zero,
                                            (size_t)args->at * 4, (size_t)args->inputs * 8, 0, NULL, NULL);
    if (code != CL_SUCCESS)
        return ls_cl_failed(device, code, "clEnqueueFillBuffer of %d digests", args->inputs);
    ls_status status = ls_cl_queued(device);
    for (int i = 0; i < args->inputs && status == LS_OK; i++)
        status = add_input(device, args, i);
    return status;
}
