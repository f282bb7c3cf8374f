/* SPDX-License-Identifier: Apache-2.0
 *
 * Every native call of the OpenCL backend returns each of its errors once. The function table is given
 * wrappers; one call fails; then there must be a status and a message that names the call and its code, nothing
 * may leak (the wrappers count what is made and released), the context must work again unless its
 * device is lost, and a new one must work.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lockstep/lockstep.h>

#include "../backends/opencl/opencl.h"
#include "check.h"
#include "devices.h"

static struct ls_cl_functions real;
static struct ls_clblast_functions real_clblast;

/* ---- The one call that fails ---- */

static struct {
    const char *name;
    long countdown; /* 0: none */
    cl_int code;
} plan;

static long live; /* native objects that were made and not released */

static bool due(const char *name)
{
    return plan.countdown > 0 && strcmp(plan.name, name) == 0 && --plan.countdown == 0;
}

/* Calls that return a code; calls that make an object; calls that release one, which they do even as they fail. */
#define CALL(name, parameters, arguments)                                                          \
    static cl_int CL_API_CALL fail_##name parameters { return due(#name) ? plan.code : real.name arguments; }
#define MAKE(type, name, parameters, arguments)                                                    \
    static type CL_API_CALL fail_##name parameters                                                 \
    {                                                                                              \
        if (due(#name)) {                                                                          \
            *code = plan.code;                                                                     \
            return NULL;                                                                           \
        }                                                                                          \
        type made = real.name arguments;                                                           \
        live += made != NULL;                                                                      \
        return made;                                                                               \
    }
#define RELEASE(name, type)                                                                        \
    static cl_int CL_API_CALL fail_##name(type object)                                             \
    {                                                                                              \
        cl_int code = real.name(object);                                                           \
        live -= code == CL_SUCCESS;                                                                \
        return due(#name) ? plan.code : code;                                                      \
    }
/* Commands, of which some make an event. */
#define COMMAND(name, parameters, arguments)                                                       \
    static cl_int CL_API_CALL fail_##name parameters                                               \
    {                                                                                              \
        if (due(#name))                                                                            \
            return plan.code;                                                                      \
        cl_int code = real.name arguments;                                                         \
        live += code == CL_SUCCESS && event != NULL;                                               \
        return code;                                                                               \
    }

CALL(clGetPlatformIDs, (cl_uint n, cl_platform_id *p, cl_uint *count), (n, p, count))
CALL(clGetPlatformInfo, (cl_platform_id p, cl_platform_info i, size_t n, void *v, size_t *s), (p, i, n, v, s))
CALL(clGetDeviceIDs, (cl_platform_id p, cl_device_type t, cl_uint n, cl_device_id *d, cl_uint *c), (p, t, n, d, c))
CALL(clGetDeviceInfo, (cl_device_id d, cl_device_info i, size_t n, void *v, size_t *s), (d, i, n, v, s))
MAKE(cl_context, clCreateContext,
     (const cl_context_properties *p, cl_uint n, const cl_device_id *d,
      void(CL_CALLBACK *f)(const char *, const void *, size_t, void *), void *u, cl_int *code),
     (p, n, d, f, u, code))
RELEASE(clReleaseContext, cl_context)
MAKE(cl_command_queue, clCreateCommandQueue,
     (cl_context c, cl_device_id d, cl_command_queue_properties p, cl_int *code), (c, d, p, code))
RELEASE(clReleaseCommandQueue, cl_command_queue)
MAKE(cl_mem, clCreateBuffer, (cl_context c, cl_mem_flags f, size_t n, void *h, cl_int *code), (c, f, n, h, code))
RELEASE(clReleaseMemObject, cl_mem)
COMMAND(clEnqueueWriteBuffer,
        (cl_command_queue q, cl_mem m, cl_bool b, size_t o, size_t n, const void *d, cl_uint w, const cl_event *l,
         cl_event *event),
        (q, m, b, o, n, d, w, l, event))
COMMAND(clEnqueueReadBuffer,
        (cl_command_queue q, cl_mem m, cl_bool b, size_t o, size_t n, void *d, cl_uint w, const cl_event *l,
         cl_event *event),
        (q, m, b, o, n, d, w, l, event))
COMMAND(clEnqueueFillBuffer,
        (cl_command_queue q, cl_mem m, const void *p, size_t s, size_t o, size_t n, cl_uint w, const cl_event *l,
         cl_event *event),
        (q, m, p, s, o, n, w, l, event))
COMMAND(clEnqueueCopyBuffer,
        (cl_command_queue q, cl_mem a, cl_mem b, size_t x, size_t y, size_t n, cl_uint w, const cl_event *l,
         cl_event *event),
        (q, a, b, x, y, n, w, l, event))
MAKE(cl_program, clCreateProgramWithSource,
     (cl_context c, cl_uint n, const char **t, const size_t *s, cl_int *code), (c, n, t, s, code))
MAKE(cl_program, clCreateProgramWithBinary,
     (cl_context c, cl_uint n, const cl_device_id *d, const size_t *s, const unsigned char **b, cl_int *st, cl_int *code),
     (c, n, d, s, b, st, code))
CALL(clBuildProgram,
     (cl_program p, cl_uint n, const cl_device_id *d, const char *o, void(CL_CALLBACK *f)(cl_program, void *), void *u),
     (p, n, d, o, f, u))
CALL(clGetProgramInfo, (cl_program p, cl_program_info i, size_t n, void *v, size_t *s), (p, i, n, v, s))
CALL(clGetProgramBuildInfo, (cl_program p, cl_device_id d, cl_program_build_info i, size_t n, void *v, size_t *s),
     (p, d, i, n, v, s))
RELEASE(clReleaseProgram, cl_program)
MAKE(cl_kernel, clCreateKernel, (cl_program p, const char *n, cl_int *code), (p, n, code))
RELEASE(clReleaseKernel, cl_kernel)
CALL(clSetKernelArg, (cl_kernel k, cl_uint i, size_t n, const void *v), (k, i, n, v))
COMMAND(clEnqueueNDRangeKernel,
        (cl_command_queue q, cl_kernel k, cl_uint d, const size_t *o, const size_t *g, const size_t *l, cl_uint w,
         const cl_event *e, cl_event *event),
        (q, k, d, o, g, l, w, e, event))
CALL(clFlush, (cl_command_queue q), (q))
CALL(clFinish, (cl_command_queue q), (q))
CALL(clWaitForEvents, (cl_uint n, const cl_event *e), (n, e))
RELEASE(clReleaseEvent, cl_event)

static int fail_CLBlastSgemm(int layout, int ta, int tb, size_t m, size_t n, size_t k, float alpha, cl_mem a, size_t ao,
                             size_t al, cl_mem b, size_t bo, size_t bl, float beta, cl_mem c, size_t co, size_t cl,
                             cl_command_queue *queue, cl_event *event)
{
    return due("CLBlastSgemm") ? plan.code
                               : real_clblast.CLBlastSgemm(layout, ta, tb, m, n, k, alpha, a, ao, al, b, bo, bl, beta, c, co,
                                                           cl, queue, event);
}

static int fail_CLBlastOverrideParameters(cl_device_id d, const char *k, int p, size_t n, const char **names,
                                          const size_t *values)
{
    return due("CLBlastOverrideParameters") ? plan.code
                                            : real_clblast.CLBlastOverrideParameters(d, k, p, n, names, values);
}

static void wrap(void)
{
    real = ls_cl;
#define CL(name) ls_cl.name = fail_##name;
#include "../backends/opencl/functions.def"
}

/* ---- Which errors each call has (the OpenCL 1.2 specification) ---- */

#define MEMORY CL_OUT_OF_RESOURCES, CL_OUT_OF_HOST_MEMORY
#define BUFFERS                                                                                    \
    CL_INVALID_COMMAND_QUEUE, CL_INVALID_CONTEXT, CL_INVALID_MEM_OBJECT, CL_INVALID_VALUE, CL_INVALID_EVENT_WAIT_LIST, \
        CL_MISALIGNED_SUB_BUFFER_OFFSET, CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST,             \
        CL_MEM_OBJECT_ALLOCATION_FAILURE, CL_DEVICE_NOT_AVAILABLE, MEMORY

enum { MOST_CODES = 20 };
enum need { MUST, MAY, COLD }; /* MAY: the work can be done without. COLD: must fail, with no binary in the cache */

static const struct native {
    const char *name;
    enum need need;
    cl_int codes[MOST_CODES];
} natives[] = {
    {"clGetPlatformIDs", MUST, {CL_INVALID_VALUE, CL_OUT_OF_HOST_MEMORY}},
    {"clGetPlatformInfo", MAY, {CL_INVALID_PLATFORM, CL_INVALID_VALUE, CL_OUT_OF_HOST_MEMORY}},
    {"clGetDeviceIDs", MAY, {CL_INVALID_PLATFORM, CL_INVALID_DEVICE_TYPE, CL_INVALID_VALUE, CL_DEVICE_NOT_FOUND, MEMORY}},
    {"clGetDeviceInfo", MAY, {CL_INVALID_DEVICE, CL_INVALID_VALUE, MEMORY}},
    {"clCreateContext", MUST, {CL_INVALID_PLATFORM, CL_INVALID_VALUE, CL_INVALID_DEVICE, CL_DEVICE_NOT_AVAILABLE, MEMORY}},
    {"clReleaseContext", MAY, {CL_INVALID_CONTEXT, MEMORY}},
    {"clCreateCommandQueue", MUST, {CL_INVALID_CONTEXT, CL_INVALID_DEVICE, CL_INVALID_VALUE, CL_INVALID_QUEUE_PROPERTIES, MEMORY}},
    {"clReleaseCommandQueue", MAY, {CL_INVALID_COMMAND_QUEUE, MEMORY}},
    {"clCreateBuffer", MUST, {CL_INVALID_CONTEXT, CL_INVALID_VALUE, CL_INVALID_BUFFER_SIZE, CL_INVALID_HOST_PTR,
                              CL_MEM_OBJECT_ALLOCATION_FAILURE, MEMORY}},
    {"clReleaseMemObject", MAY, {CL_INVALID_MEM_OBJECT, MEMORY}},
    {"clEnqueueWriteBuffer", MUST, {BUFFERS}},
    {"clEnqueueReadBuffer", MUST, {BUFFERS}},
    {"clEnqueueFillBuffer", MUST, {BUFFERS}},
    {"clEnqueueCopyBuffer", MUST, {BUFFERS, CL_MEM_COPY_OVERLAP}},
    {"clCreateProgramWithSource", COLD, {CL_INVALID_CONTEXT, CL_INVALID_VALUE, MEMORY}},
    {"clCreateProgramWithBinary", MAY, {CL_INVALID_CONTEXT, CL_INVALID_VALUE, CL_INVALID_DEVICE, CL_INVALID_BINARY, MEMORY}},
    {"clBuildProgram", COLD, {CL_INVALID_PROGRAM, CL_INVALID_VALUE, CL_INVALID_DEVICE, CL_INVALID_BINARY,
                              CL_INVALID_BUILD_OPTIONS, CL_INVALID_OPERATION, CL_COMPILER_NOT_AVAILABLE,
                              CL_BUILD_PROGRAM_FAILURE, MEMORY}},
    {"clBuildProgram", MAY, {CL_INVALID_BINARY, CL_BUILD_PROGRAM_FAILURE, MEMORY}},
    {"clGetProgramInfo", MAY, {CL_INVALID_VALUE, CL_INVALID_PROGRAM, MEMORY}},
    {"clGetProgramBuildInfo", MAY, {CL_INVALID_DEVICE, CL_INVALID_VALUE, CL_INVALID_PROGRAM, MEMORY}},
    {"clReleaseProgram", MAY, {CL_INVALID_PROGRAM, MEMORY}},
    {"clCreateKernel", MUST, {CL_INVALID_PROGRAM, CL_INVALID_PROGRAM_EXECUTABLE, CL_INVALID_KERNEL_NAME,
                              CL_INVALID_KERNEL_DEFINITION, CL_INVALID_VALUE, MEMORY}},
    {"clReleaseKernel", MAY, {CL_INVALID_KERNEL, MEMORY}},
    {"clSetKernelArg", MUST, {CL_INVALID_KERNEL, CL_INVALID_ARG_INDEX, CL_INVALID_ARG_VALUE, CL_INVALID_MEM_OBJECT,
                              CL_INVALID_SAMPLER, CL_INVALID_ARG_SIZE, MEMORY}},
    {"clEnqueueNDRangeKernel", MUST, {CL_INVALID_PROGRAM_EXECUTABLE, CL_INVALID_COMMAND_QUEUE, CL_INVALID_KERNEL,
                                      CL_INVALID_CONTEXT, CL_INVALID_KERNEL_ARGS, CL_INVALID_WORK_DIMENSION,
                                      CL_INVALID_GLOBAL_WORK_SIZE, CL_INVALID_GLOBAL_OFFSET, CL_INVALID_WORK_GROUP_SIZE,
                                      CL_INVALID_WORK_ITEM_SIZE, CL_MISALIGNED_SUB_BUFFER_OFFSET,
                                      CL_MEM_OBJECT_ALLOCATION_FAILURE, CL_INVALID_EVENT_WAIT_LIST,
                                      CL_DEVICE_NOT_AVAILABLE, MEMORY}},
    {"clFlush", MUST, {CL_INVALID_COMMAND_QUEUE, CL_DEVICE_NOT_AVAILABLE, MEMORY}},
    {"clFinish", MUST, {CL_INVALID_COMMAND_QUEUE, CL_DEVICE_NOT_AVAILABLE, MEMORY}},
    {"clWaitForEvents", MUST, {CL_INVALID_VALUE, CL_INVALID_CONTEXT, CL_INVALID_EVENT,
                               CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST, MEMORY}},
    {"clReleaseEvent", MAY, {CL_INVALID_EVENT, MEMORY}},
};

/* ---- The job: it makes every one of these calls ---- */

static ls_status job(ls_context *ls, float *result)
{
    ls_scope_begin(ls);
    ls_tensor x = ls_from_host(ls, LS_FLOAT32, LS_SHAPE(2, 2), (float[]){1, 2, 3, 4}), y = x;
    ls_tensor index = ls_from_host(ls, LS_INT32, LS_SHAPE(2), (int32_t[]){1, 0});
    for (int i = 0; i < 20; i++) /* more than are launched before a flush, and uploads than there are blocks */
        y = ls_add(y, ls_from_host(ls, LS_FLOAT32, LS_SHAPE(2), (float[]){(float)i, 1}));
    y = ls_matmul(ls_gather(y, index, 0), ls_ones(ls, LS_FLOAT32, LS_SHAPE(2, 2)));
    ls_tensor halves[] = {y, x};
    float all[8] = {0};
    ls_synchronize(ls);
    ls_read(ls_concat(halves, 2, 0), all, sizeof all); /* copies */
    *result = 0;
    for (int i = 0; i < 8; i++)
        *result += all[i] * (float)(i + 1);
    ls_status status = ls_error(ls);
    ls_scope_end(ls);
    return status;
}

static const char *device;
static float truth;

static void check_new(const char *name, const char *code)
{
    float result = 0;
    ls_context *ls = ls_open(device);
    CHECK(job(ls, &result) == LS_OK && result == truth, "%s, %s: a new context: %s", name, code, ls_error_message(ls));
    CHECK(ls_close(&ls) == LS_OK, "%s, %s: a new context does not close", name, code);
}

/* One call fails. Returns whether it was made at all. */
static bool fail_once(const char *name, cl_int code, long nth, enum need need)
{
    const char *text = ls_cl_code_text(code);
    float result = 0;
    plan.name = name;
    plan.code = code;
    plan.countdown = nth;
    ls_context *ls = ls_open(device);
    ls_status status = ls_error(ls);
    bool opened = status == LS_OK;
    if (opened)
        status = job(ls, &result);
    bool met = plan.countdown == 0;
    if (!met && status == LS_OK) { /* calls that come at the end, or not at all */
        CHECK(ls_close(&ls) == LS_OK || plan.countdown == 0, "%s, %s: close", name, text);
        met = plan.countdown == 0;
        plan.countdown = 0;
        CHECK(live == 0, "%s, %s: %ld objects are left", name, text, live);
        return met;
    }
    plan.countdown = 0;
    const char *message = ls_error_message(ls);
    if (need == MAY && status == LS_OK)
        CHECK(result == truth, "%s, %s, call %ld: %g, not %g", name, text, nth, (double)result, (double)truth);
    else
        CHECK(status != LS_OK && message[0], "%s, %s, call %ld: status %s, \"%s\"", name, text, nth, ls_status_name(status),
              message);
    if (need != MAY)
        CHECK(strstr(message, name) && strstr(message, text), "%s, %s, call %ld: the message is \"%s\"", name, text, nth,
              message);
    /* What a driver says of a device that it gave up. */
    bool gone = code == CL_DEVICE_NOT_AVAILABLE || code == CL_INVALID_CONTEXT || code == CL_INVALID_COMMAND_QUEUE;
    bool lost = status == LS_DEVICE_LOST;
    if (need != MAY)
        CHECK(lost == gone, "%s, %s: status %s", name, text, ls_status_name(status));
    ls_clear_error(ls);
    if (opened && !lost)
        CHECK(job(ls, &result) == LS_OK && result == truth, "%s, %s, call %ld: afterwards %g: %s", name, text, nth,
              (double)result, ls_error_message(ls));
    ls_close(&ls);
    CHECK(live == 0, "%s, %s, call %ld: %ld objects are left", name, text, nth, live);
    if (live != 0)
        live = 0;
    check_new(name, text);
    return met;
}

static void every_native(void)
{
    char folder[] = "/tmp/lockstep-test-XXXXXX";
    CHECK(mkdtemp(folder) != NULL, "no folder");
    for (size_t i = 0; i < sizeof natives / sizeof *natives; i++) {
        const struct native *n = &natives[i];
        setenv("LOCKSTEP_CACHE_DIR", n->need == COLD ? "/proc/nothing" : folder, 1);
        if (n->need != COLD)
            check_new("warm", "cache");
        for (int c = 0; c < MOST_CODES && n->codes[c]; c++) {
            bool met = fail_once(n->name, n->codes[c], 1, n->need);
            /* Only a build that fails asks for the log. */
            CHECK(met || strcmp(n->name, "clGetProgramBuildInfo") == 0 || strcmp(n->name, "clGetProgramInfo") == 0,
                  "%s was never called", n->name);
        }
        /* Later calls of the same function, as long as there are some. */
        for (long nth = 2; nth < 24 && n->need == MUST; nth += 1 + nth / 4)
            if (!fail_once(n->name, n->codes[0], nth, n->need))
                break;
    }
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK(system(command) == 0, "cannot remove %s", folder);
}

/* CLBlast's own codes, where it is installed. */
static void every_clblast(void)
{
    struct ls_message message;
    char version[16];
    if (!ls_clblast_load(&message, version)) {
        printf("CLBlast is absent: %s\n", message.text);
        return;
    }
    static const cl_int codes[] = {
#define CLBLAST_CODE(value, name, text) value,
#include "../backends/opencl/codes.def"
    };
    real_clblast = ls_clblast;
    ls_clblast.CLBlastSgemm = fail_CLBlastSgemm;
    ls_clblast.CLBlastOverrideParameters = fail_CLBlastOverrideParameters;
    setenv("LOCKSTEP_GEMM", "clblast", 1);
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        CHECK(fail_once("CLBlastSgemm", codes[i], 1, MAY), "CLBlastSgemm was never called");
    unsetenv("LOCKSTEP_GEMM");
    ls_clblast = real_clblast;
}

int main(void)
{
    struct device_kind kind = device_kind_of("pocl");
    struct ls_message message;
    device = kind.words;
    if (!ls_cl_load(&message))
        device_absent(&kind, message.text);
    ls_context *ls = ls_open(device);
    if (ls_error(ls) == LS_NOT_FOUND || ls_error(ls) == LS_UNAVAILABLE)
        device_absent(&kind, ls_error_message(ls));
    CHECK(job(ls, &truth) == LS_OK && truth > 0, "%s", ls_error_message(ls));
    CHECK(ls_close(&ls) == LS_OK, "close");
    wrap();
    every_native();
    every_clblast();
    return end_of_checks();
}
