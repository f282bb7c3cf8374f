/* SPDX-License-Identifier: Apache-2.0
 *
 *     test_native_opencl [clblast|all]
 *
 * Every native call of the OpenCL backend returns each of its documented codes once: at its first turn each
 * of them, and at eight other turns, or all, one of them, in a program that opens PoCL, trains, reads and closes. Each
 * time: a status that fits, a message that names the call and the code, no object of the driver's and no
 * memory of ours left; the same context works again unless the device counts as lost, and then only a new
 * one does; both get the bits of the run without failures. "clblast" does so with CLBlast's calls.
 */
#define _POSIX_C_SOURCE 200809L
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "devices.h"
#include "native_calls.h"
#include "opencl.h"

#include <CL/cl_ext.h>

/* ---- Our memory: the linker sends the library's allocations here (--wrap) ---- */

enum { PLACES = 1 << 16 };
static void *places[PLACES];
static long host_live;

static size_t place_of(const void *memory)
{
    size_t place = ((uintptr_t)memory >> 4) * 0x9e3779b1u % PLACES;
    while (places[place] != NULL && places[place] != memory)
        place = (place + 1) % PLACES;
    return place;
}

static void *noted(void *memory)
{
    if (memory == NULL)
        return NULL;
    places[place_of(memory)] = memory;
    host_live++;
    return memory;
}

/* What others allocated (strdup, realpath) is not known here. */
static void forget(const void *memory)
{
    size_t hole = place_of(memory);
    if (memory == NULL || places[hole] == NULL)
        return;
    places[hole] = NULL;
    host_live--;
    for (size_t i = (hole + 1) % PLACES; places[i] != NULL; i = (i + 1) % PLACES) {
        void *moved = places[i];
        places[i] = NULL;
        places[place_of(moved)] = moved;
    }
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void __real_free(void *memory);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void __wrap_free(void *memory);

void *__wrap_malloc(size_t size) { return noted(__real_malloc(size)); }
void *__wrap_calloc(size_t count, size_t size) { return noted(__real_calloc(count, size)); }

void *__wrap_realloc(void *memory, size_t size)
{
    forget(memory);
    return noted(__real_realloc(memory, size));
}

void __wrap_free(void *memory)
{
    forget(memory);
    __real_free(memory);
}

/* ---- The calls ---- */

enum kind { CONTEXT = 1, QUEUE, MEMORY, PROGRAM, KERNEL, EVENT };

enum {
#define CL(name) CALL_##name,
#include "functions.def"
    CALLS,
};

static struct native_call calls[CALLS];

#define CL(name) NATIVE_REPLACEMENT(replace_##name, &calls[CALL_##name])
#include "functions.def"

static bool pretend_gpu; /* then the kernels for GPUs run, on a processor */

static native_word replace_query(native_word device, native_word what, native_word size, native_word value,
                                 native_word told, native_word f, native_word g, native_word h, native_word i,
                                 native_word j, native_word k, native_word l)
{
    native_word code = replace_clGetDeviceInfo(device, what, size, value, told, f, g, h, i, j, k, l);
    if (pretend_gpu && (cl_device_info)what == CL_DEVICE_TYPE && (int)code == CL_SUCCESS)
        *(cl_device_type *)value = CL_DEVICE_TYPE_GPU;
    return code;
}

static struct native_call calls[CALLS] = {
#define CODES(...) .codes = (const int[]){__VA_ARGS__, 0}
#define NATIVE(function, ...)                                                                                \
    [CALL_##function] = {.name = #function, .entry = &ls_cl.function, .replacement = replace_##function,     \
                         __VA_ARGS__},
#include "native_opencl.def"
#undef CODES
};

/* CLBlast's own: they take floats, and nineteen arguments. */
static const int clblast_codes[] = {
#define CLBLAST_CODE(value, name, text) value,
#include "codes.def"
    CL_OUT_OF_RESOURCES, CL_MEM_OBJECT_ALLOCATION_FAILURE, CL_BUILD_PROGRAM_FAILURE, 0};

enum { SGEMM, OVERRIDE, CLBLAST_CALLS };
static struct native_call clblast_calls[CLBLAST_CALLS] = {
    {.name = "CLBlastSgemm", .codes = clblast_codes},
    {.name = "CLBlastOverrideParameters", .codes = clblast_codes},
};
static struct ls_clblast_functions clblast;

static int sgemm(int layout, int a_transpose, int b_transpose, size_t m, size_t n, size_t k, float alpha, cl_mem a,
                 size_t a_offset, size_t a_ld, cl_mem b, size_t b_offset, size_t b_ld, float beta, cl_mem c,
                 size_t c_offset, size_t c_ld, cl_command_queue *queue, cl_event *event)
{
    int code = native_due(&clblast_calls[SGEMM]);
    return code != 0 ? code
                     : clblast.CLBlastSgemm(layout, a_transpose, b_transpose, m, n, k, alpha, a, a_offset, a_ld, b,
                                            b_offset, b_ld, beta, c, c_offset, c_ld, queue, event);
}

static int override(cl_device_id device, const char *kernel, int precision, size_t count, const char **names,
                    const size_t *values)
{
    int code = native_due(&clblast_calls[OVERRIDE]);
    return code != 0 ? code : clblast.CLBlastOverrideParameters(device, kernel, precision, count, names, values);
}

/* ---- The program ---- */

static char said[sizeof(struct ls_message) + 512]; /* the last error, also of closing */

static void listen(void *user, ls_log_level level, const char *message)
{
    (void)user;
    if (level == LS_LOG_ERROR)
        snprintf(said, sizeof said, "%s", message);
}

static ls_context *open_device(const char *device)
{
    said[0] = '\0';
    return ls_open_logged(device, LS_LOG_ERROR, listen, NULL);
}

enum { BATCH = 6, INPUTS = 5, UNITS = 7, CLASSES = 3, STEPS = 2, LARGE = (1 << 18) + 1 };

static char folder[] = "/tmp/lockstep-native-XXXXXX"; /* of the cache */
static bool cold;                                     /* whether it is emptied before each trial, */
static off_t cold_size = 1 << 30;                     /* or only of files up to that size */
static int steps = STEPS;

/* Uploads large and small, more of them than may be under way; labels that a kernel checks. */
static ls_fingerprint_text train(ls_context *ls)
{
    static float large[LARGE];
    ls_fingerprint_text text = {""};
    ls_set_random_seed(ls, 3);
    ls_scope_begin(ls);
    ls_model *model = ls_sequential(ls, "small", (ls_layer *[]){
        ls_dense(ls, UNITS, .activation = LS_TANH), ls_dense(ls, CLASSES), NULL});
    ls_optimizer *adam = ls_adam(ls, .learning_rate = 0.02f);
    for (int step = 0; step < steps; step++) {
        float host[BATCH * INPUTS];
        ls_tensor x = {0}, loss = {0};
        for (int i = 0; i < BATCH * INPUTS; i++)
            host[i] = (float)((i * 7 + step) % 11 - 5) / 4.0f;
        for (int part = 0; part < 9; part++)
            x = ls_from_host(ls, LS_FLOAT32, LS_SHAPE(BATCH, INPUTS), host);
        ls_tensor labels = ls_from_host(ls, LS_INT32, LS_SHAPE(BATCH), (int32_t[]){0, 1, 2, 2, 1, 0});
        LS_TAPE(tape, ls) {
            ls_tensor logits = ls_call(model, x, .training = true);
            loss = ls_mean(ls_sparse_softmax_cross_entropy(labels, logits), NULL, 0, false);
        }
        ls_apply_gradients(adam, ls_gradients_of(tape, loss, ls_trainable_variables(model)));
        if (ls_error(ls) == LS_OK)
            ls_item(loss);
    }
    ls_tensor zero = ls_from_host(ls, LS_FLOAT32, LS_SHAPE(cold ? 1 : LARGE), large);
    ls_tensor sum = ls_sum(ls_concat((ls_tensor[]){zero, ls_zeros_like(zero)}, 2, 0), NULL, 0, false);
    if (ls_error(ls) == LS_OK && ls_item(sum) == 0.0f)
        text = ls_fingerprint_model(model);
    ls_optimizer_destroy(&adam);
    ls_layer_destroy(&model);
    ls_scope_end(ls);
    if (ls_error(ls) != LS_OK)
        text.text[0] = '\0';
    return text;
}

/* ---- The trials ---- */

static const char *device = "opencl:Portable Computing Language";
static ls_fingerprint_text truth;
static long host_before;

static ls_status expected_status(int code)
{
    switch (code) {
    case CL_OUT_OF_RESOURCES:
    case CL_OUT_OF_HOST_MEMORY:
    case CL_MEM_OBJECT_ALLOCATION_FAILURE:
    case CL_INVALID_BUFFER_SIZE: return LS_OUT_OF_MEMORY;
    case CL_DEVICE_NOT_AVAILABLE:
    case CL_INVALID_CONTEXT:
    case CL_INVALID_COMMAND_QUEUE: return LS_DEVICE_LOST;
    default: return LS_DEVICE_ERROR;
    }
}

static void check_nothing_left(const char *where)
{
    CHECK(native_balance() == 0, "%s: left: %ld contexts, %ld queues, %ld buffers, %ld programs, %ld kernels, %ld events",
          where, native_live[CONTEXT], native_live[QUEUE], native_live[MEMORY], native_live[PROGRAM],
          native_live[KERNEL], native_live[EVENT]);
    memset(native_live, 0, sizeof native_live);
    CHECK(host_live == host_before, "%s: %ld allocations left", where, host_live - host_before);
    host_before = host_live;
}

static void check_healthy(const char *where)
{
    ls_context *ls = open_device(device);
    ls_fingerprint_text text = train(ls);
    CHECK(strcmp(text.text, truth.text) == 0, "%s: a new context got %s: %s", where, text.text, said);
    CHECK(ls_close(&ls) == LS_OK, "%s: %s", where, said);
}

/* Failures that a run may survive: of what is only released, of devices that are not ours, of the kept binaries
 * of kernels, and of allocations, which are tried again when the pool has given back its free buffers. */
static bool may_be_survived(const struct native_call *call, int code)
{
    static const char *const names[] = {"clGetPlatformInfo", "clGetDeviceInfo", "clGetDeviceIDs",
                                        "clCreateProgramWithBinary", "clGetProgramInfo"};
    bool survived = call->releases != 0 || (call == &calls[CALL_clBuildProgram] && !cold) ||
                    (call == &calls[CALL_clCreateBuffer] && expected_status(code) == LS_OUT_OF_MEMORY);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        survived |= strcmp(call->name, names[i]) == 0;
    return survived;
}

static void empty_cache(void)
{
    DIR *dir = opendir(folder);
    char path[512];
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        struct stat info;
        if (entry->d_name[0] != '.' && stat(path, &info) == 0 && info.st_size <= cold_size)
            unlink(path);
    }
    if (dir)
        closedir(dir);
}

/* One failure. Whether it came about. */
static bool fail_once(struct native_call *call, long ordinal, int code)
{
    char where[128], number[32];
    snprintf(where, sizeof where, "%s, call %ld, returns %d", call->name, ordinal, code);
    snprintf(number, sizeof number, "(%d)", code);
    native_plan(calls, CALLS, call, ordinal, code);
    for (int i = 0; i < CLBLAST_CALLS; i++)
        clblast_calls[i].calls = 0;
    if (cold)
        empty_cache();

    ls_context *ls = open_device(device);
    bool opened = ls_error(ls) == LS_OK;
    ls_fingerprint_text text = train(ls);
    ls_status status = ls_error(ls);
    bool met = native_met(), first_finish = calls[CALL_clFinish].calls + 1 == ordinal;
    bool lost = opened && status == LS_DEVICE_LOST;
    if (status != LS_OK) {
        CHECK(strstr(said, call->name) && strstr(said, number), "%s: \"%s\"", where, said);
        CHECK(!opened || status == expected_status(code) || status == LS_COMPILE_ERROR, "%s: %s: %s", where,
              ls_status_name(status), said);
    } else {
        CHECK(strcmp(text.text, truth.text) == 0, "%s: %s, not %s", where, text.text, truth.text);
        CHECK(!met || may_be_survived(call, code), "%s was not noticed", where);
    }
    if (opened) {
        ls_clear_error(ls);
        CHECK(ls_error(ls) == (lost ? LS_DEVICE_LOST : LS_OK), "%s: cleared, then %s", where,
              ls_status_name(ls_error(ls)));
        if (met && !lost) {
            text = train(ls);
            CHECK(strcmp(text.text, truth.text) == 0, "%s: the same context afterwards: %s: %s", where, text.text,
                  ls_error_message(ls));
        }
    }
    bool before_close = met;
    status = ls_close(&ls);
    met = native_met();
    CHECK(ls == NULL, "%s: close", where);
    if (met && !before_close && call == &calls[CALL_clFinish] && first_finish)
        CHECK(status == expected_status(code) && strstr(said, call->name) && strstr(said, number), "%s: at the end: %s: \"%s\"",
              where, ls_status_name(status), said);
    check_nothing_left(where);
    if (met) {
        check_healthy(where);
        check_nothing_left(where);
    }
    return met;
}

/* Each code at the first turn, then one code at each other turn, `stride` turns apart. */
static void fail_each(struct native_call *call, long turns, long stride)
{
    size_t codes = 0;
    long met = 0, failed = checks_failed;
    for (; call->codes[codes] != 0; codes++)
        met += fail_once(call, 1, call->codes[codes]);
    CHECK(met == (long)codes, "%s: %ld of %zu codes came about", call->name, met, codes);
    for (long turn = 2; turn <= turns; turn += stride)
        met += fail_once(call, turn, call->codes[(size_t)turn % codes]);
    printf("%-28s %3zu codes, %4ld calls, %4ld failures, %ld checks failed\n", call->name, codes, turns, met,
           checks_failed - failed);
    fflush(stdout);
}

/* Runs without failures and tells how often each call came. */
static void count_calls(long turns[CALLS])
{
    if (cold)
        empty_cache();
    native_plan(calls, CALLS, NULL, 0, 0);
    check_healthy("without failures");
    check_nothing_left("without failures");
    for (int i = 0; i < CALLS; i++)
        turns[i] = calls[i].calls;
}

/* With kernels from the cache, then compiled. */
static void fail_opencl(bool all)
{
    long turns[CALLS];
    bool tried[CALLS] = {false};
    count_calls(turns);
    for (int i = 0; i < CALLS; i++) {
        CHECK(calls[i].codes != NULL, "function %d of functions.def has no row in native_opencl.def", i);
        if (turns[i] == 0 || calls[i].codes == NULL)
            continue;
        tried[i] = true;
        fail_each(&calls[i], turns[i], all ? 1 : 1 + turns[i] / 8);
    }
    ls_fingerprint_text trained = truth;
    cold = true;
    steps = 0; /* few kernels: compiling takes long */
    ls_context *ls = open_device(device);
    truth = train(ls);
    ls_close(&ls);
    count_calls(turns);
    static const int of_building[] = {CALL_clCreateProgramWithSource, CALL_clBuildProgram, CALL_clGetProgramInfo};
    for (size_t i = 0; i < sizeof of_building / sizeof *of_building; i++) {
        int call = of_building[i];
        CHECK(turns[call] > 0, "%s was not called without a cache", calls[call].name);
        tried[call] = true;
        fail_each(&calls[call], turns[call], all ? 1 : 1 + turns[call] / 4);
    }
    cold = false;
    steps = STEPS;
    truth = trained;
    for (int i = 0; i < CALLS; i++)
        CHECK(tried[i] || i == CALL_clGetProgramBuildInfo, "%s is never called by the program", calls[i].name);
}

/* The compiler's log, which cannot be had: the error is that of the build. */
static void fail_build_log(void)
{
    struct native_call *call = &calls[CALL_clGetProgramBuildInfo];
    setenv("LOCKSTEP_CL_BUILD_OPTIONS", "-D__kernel=broken(", 1);
    for (long turn = 1; turn <= 2; turn++)
        for (const int *code = call->codes; *code != 0; code++) {
            native_plan(calls, CALLS, call, turn, *code);
            ls_context *ls = open_device(device);
            train(ls);
            CHECK(native_met(), "no log was asked for");
            CHECK(ls_error(ls) == LS_COMPILE_ERROR && strstr(said, "clBuildProgram"), "%s", said);
            ls_close(&ls);
            check_nothing_left(call->name);
        }
    unsetenv("LOCKSTEP_CL_BUILD_OPTIONS");
    check_healthy(call->name);
    check_nothing_left(call->name);
}

/* CLBlast's product, in the program and in the trial that decides whether it may be used. */
static void fail_clblast(bool all)
{
    char version[16];
    struct ls_message message;
    if (!ls_clblast_load(&message, version)) {
        printf("CLBlast was not tested: %s\n", message.text);
        return;
    }
    clblast = ls_clblast;
    ls_clblast.CLBlastSgemm = sgemm;
    ls_clblast.CLBlastOverrideParameters = override;
    setenv("LOCKSTEP_GEMM", "clblast", 1);
    pretend_gpu = true; /* then kernels of CLBlast are replaced by correct ones */
    cold_size = 64; /* the verdict of the trial */
    for (int i = 0; i < CLBLAST_CALLS; i++) {
        struct native_call *call = &clblast_calls[i];
        check_healthy("CLBlast"); /* with the trial */
        native_plan(calls, CALLS, NULL, 0, 0);
        call->calls = 0;
        check_healthy("CLBlast");
        CHECK(call->calls > 0, "%s was not called", call->name);
        fail_each(call, call->calls, all ? 1 : 1 + call->calls / 4);
        cold = true;
        for (long turn = 1; turn <= (all && i == SGEMM ? 100 : 1); turn *= 10)
            fail_once(call, turn, clblast_codes[turn % 7]);
        cold = false;
    }
    unsetenv("LOCKSTEP_GEMM");
    pretend_gpu = false;
}

int main(int argc, char **argv)
{
    const struct device_kind kind = device_kind_of("pocl");
    struct ls_message message;
    CHECK(mkdtemp(folder) != NULL, "no folder below /tmp");
    setenv("LOCKSTEP_CACHE_DIR", folder, 1);
    if (!ls_cl_load(&message))
        device_absent(&kind, message.text);
    calls[CALL_clGetDeviceInfo].replacement = replace_query;
    native_replace(calls, CALLS);

    ls_context *ls = open_device(device);
    if (ls_error(ls) != LS_OK)
        device_absent(&kind, said);
    truth = train(ls);
    CHECK(truth.text[0] != '\0', "%s", said);
    CHECK(ls_close(&ls) == LS_OK, "%s", said);
    host_before = host_live;
    check_nothing_left("without failures");

    const char *part = argc > 1 ? argv[1] : "";
    bool all = strcmp(part, "all") == 0;
    if (strcmp(part, "clblast") != 0) {
        fail_opencl(all);
        fail_build_log();
    }
    if (all || strcmp(part, "clblast") == 0)
        fail_clblast(all);
    cold_size = 1 << 30;
    empty_cache();
    rmdir(folder);
    return end_of_checks();
}
