/* SPDX-License-Identifier: Apache-2.0
 *
 * A decorator that proves: `verify:A` or `verify:A,B` runs every primitive on A, and with the same
 * inputs on B (reference, if not named), and compares the results. The first difference is an error
 * that names the primitive, and its inputs are written to a file for `lockstep replay`.
 *
 *     verify:opencl                    verify:opencl:0,opencl:1
 *     verify:opencl,sample=997         the first step and every 997th, whole; nothing in between
 *     verify:opencl,bits               bit for bit, whatever the classes of the two devices
 *
 * B has no state: each call is given what A has, so that one fault is reported where it happens, and a
 * sampled run is as strict as a full one about the steps that it looks at, whatever was before them.
 *
 * A step ends where an optimizer has applied its gradients (`step`). Programs without optimizers (a loop
 * that assigns to its variables, inference) are known by their reads: after PATIENCE of them without an
 * optimizer's step, beyond those that any step had, each read ends a step. Reads never cut short a step that is to
 * be checked, but for the first one, which may never come: it is then the second that is checked for the first.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decorator.h"
#include "dump.h"
#include "env.h"

struct verify_device {
    struct ls_decorator d; /* around A */
    struct ls_device *b;
    enum ls_closeness closeness;
    uint64_t sample, steps; /* optimizers' steps that have ended */
    uint64_t first;         /* the one that is checked for being the first */
    uint64_t reads;         /* since the last one; each after at least one call */
    uint64_t patience;      /* from so many on, each ends a step */
    bool called;            /* a primitive, since the last read */
    bool looking;           /* this step is one to be checked */
};

enum { PATIENCE = 16 };

extern const struct ls_backend ls_verify_backend;

static struct verify_device *verify_of(struct ls_device *device) { return (struct verify_device *)device; }

/* ---- Opening ---- */

/* The length of the first device's words: those of fault: have a comma of their own. */
static size_t first_words(const char *words)
{
    size_t length = strcspn(words, ",");
    if (strncmp(words, "profile:", 8) == 0)
        return 8 + first_words(words + 8);
    if (strncmp(words, "fault:", 6) == 0 && words[length] == ',')
        return length + 1 + first_words(words + length + 1);
    return length;
}

/* The N of sample=N, up to a comma or the end; 0 if it is no such number. */
static uint64_t sample_of(const char *number)
{
    char *end;
    errno = 0;
    unsigned long long n = number[0] >= '0' && number[0] <= '9' ? strtoull(number, &end, 10) : 0;
    return n > 0 && errno == 0 && (*end == ',' || *end == '\0') ? n : 0;
}

static ls_status wrong_words(struct ls_message *message, const char *which)
{
    snprintf(message->text, sizeof message->text,
             "verify:%.200s: expected a device, then perhaps, each after a comma, a second one, sample=N with N from 1 on, and bits", which);
    return LS_NOT_FOUND;
}

static void close_both(struct verify_device *v)
{
    if (v->d.inner)
        v->d.inner->backend->close(v->d.inner);
    if (v->b)
        v->b->backend->close(v->b);
    free(v);
}

static ls_status verify_open(const char *which, struct ls_device **device, struct ls_message *message)
{
    char words[2][128] = {"", "reference"};
    uint64_t sample = 1;
    bool bits = false;
    int devices = 0;
    const char *at = which ? which : "";
    while (*at) {
        size_t length = first_words(at);
        if (devices > 0 && strncmp(at, "sample=", 7) == 0) {
            sample = sample_of(at + 7);
            if (sample == 0)
                return wrong_words(message, which);
        } else if (devices > 0 && length == 4 && strncmp(at, "bits", 4) == 0) {
            bits = true;
        } else if (devices < 2 && length > 0 && length < sizeof words[0]) {
            snprintf(words[devices++], sizeof words[0], "%.*s", (int)length, at);
        } else {
            return wrong_words(message, which);
        }
        at += length + (at[length] == ',');
    }
    if (!words[0][0])
        return wrong_words(message, which ? which : "");
    struct verify_device *v = calloc(1, sizeof *v);
    if (!v)
        return LS_OUT_OF_MEMORY;
    ls_status status = ls_decorate(&v->d, &ls_verify_backend, words[0], message);
    if (status == LS_OK)
        status = ls_device_open(words[1], &v->b, message);
    if (status != LS_OK) {
        close_both(v);
        return status;
    }
    snprintf(v->d.base.info.device, sizeof v->d.base.info.device, "verify:%.50s", which);
    v->sample = sample;
    v->patience = PATIENCE;
    v->first = 1;
    v->looking = true;
    v->closeness = bits ? LS_SAME_BITS : ls_closeness_of(&v->d.inner->info, &v->b->info);
    *device = &v->d.base;
    return LS_OK;
}

static ls_status verify_report(struct ls_device *device)
{
    struct verify_device *v = verify_of(device);
    ls_status status = ls_decorator_report(device), other = v->b->backend->report ? v->b->backend->report(v->b) : LS_OK;
    if (status == LS_OK && other != LS_OK)
        device->message = v->b->message;
    return status == LS_OK ? other : status;
}

static void verify_close(struct ls_device *device) { close_both(verify_of(device)); }

/* ---- Steps ---- */

static void decide(struct verify_device *v)
{
    uint64_t step = v->steps + 1;
    bool due = step % v->sample == 0 || step == v->first;
    if (v->reads >= v->patience && (v->steps == 0 || !due))
        due = (1 + v->reads - v->patience) % v->sample == 0;
    v->looking = due;
}

static void verify_step(struct ls_device *device)
{
    struct verify_device *v = verify_of(device);
    if (v->steps++ == 0 && v->reads >= v->patience)
        v->first = 2;
    if (v->patience < v->reads + PATIENCE)
        v->patience = v->reads + PATIENCE;
    v->reads = 0;
    v->called = false;
    decide(v);
    ls_decorator_step(device);
    if (v->b->backend->step)
        v->b->backend->step(v->b);
}

static ls_status verify_read(struct ls_device *device, struct ls_buffer *buffer, size_t offset, void *data, size_t bytes)
{
    struct verify_device *v = verify_of(device);
    if (v->called) {
        v->reads++;
        v->called = false;
        decide(v);
    }
    return ls_decorator_read(device, buffer, offset, data, bytes);
}

static ls_status verify_fault(struct ls_device *device, struct ls_fault *fault)
{
    struct verify_device *v = verify_of(device);
    struct ls_fault ignored; /* B met the same indices */
    if (v->b->backend->fault)
        v->b->backend->fault(v->b, &ignored);
    return ls_decorator_fault(device, fault);
}

/* ---- The primitives ---- */

static bool still_differs(struct verify_device *v, struct ls_call *call)
{
    return ls_call_run(call, v->d.inner, 0) == LS_OK && ls_call_run(call, v->b, 1) == LS_OK &&
           ls_call_first(call, v->closeness).at >= 0;
}

/* Writes the smallest call that differs, else the call itself. */
static bool save(struct verify_device *v, const struct ls_call *call, const char *path)
{
    struct ls_place first = ls_call_first(call, v->closeness);
    bool done = false, saved = false;
    struct ls_call small;
    for (int number = 0, made = 1; made != 0 && !done; number++) {
        struct ls_place place = first;
        made = ls_call_smaller(call, &place, number, &small);
        done = made > 0 && still_differs(v, &small);
        saved = done && ls_call_save(&small, path);
        ls_call_finish(&small);
    }
    return done ? saved : ls_call_save(call, path);
}

enum { LONG_PATH = 300 };

static ls_status report(struct verify_device *v, const struct ls_call *call)
{
    char text[360], step[32] = "";
    struct ls_message *message = &v->d.base.message;
    const char *asked = ls_env("LOCKSTEP_DUMP"), *path = asked ? asked : "lockstep-divergence.lsd";
    if (!ls_call_differs(call, v->closeness, text, sizeof text))
        return LS_OK;
    bool saved = save(v, call, path);
    if (v->steps > 0)
        snprintf(step, sizeof step, ", in step %llu", (unsigned long long)v->steps + 1);
    const char *then = saved ? "to repeat: lockstep replay " : "its inputs cannot be written to ";
    if (strlen(path) > LONG_PATH)
        path = "$LOCKSTEP_DUMP"; /* as a shell reads it */
    size_t end = strlen(step) + strlen("; ") + strlen(then) + strlen(path); /* these are never cut */
    int room = (int)(sizeof message->text - 1 - end);
    snprintf(message->text, sizeof message->text, "%.*s%s; %s%s", room, text, step, then, path);
    return LS_DIVERGED;
}

/* ---- Of a large table, B is given the rows that a gather takes ---- */

enum { READ = 32 << 10, TABLE = 8 }; /* reading one row takes about as long as so many bytes of a large read */

static bool takes_few(const struct ls_gather_args *args)
{
    int64_t row = args->inner * (int64_t)ls_dtype_size(args->dtype);
    return args->count > 0 && args->rows / TABLE >= args->count && args->rows * row / READ >= args->count &&
           args->table != args->indices;
}

/* The rows, side by side in place of the table, and indices to match. */
static ls_status fetch_rows(struct ls_call *few, const struct ls_gather_args *whole, struct ls_device *a)
{
    few->node.args.gather.rows = whole->count;
    few->field[0].elements = whole->outer * whole->count * whole->inner;
    ls_status status = ls_call_fetch(few, a);
    size_t bytes = (size_t)whole->inner * ls_dtype_size(whole->dtype);
    char *to = few->field[0].before;
    int32_t *index = few->field[1].before;
    for (int64_t o = 0; o < whole->outer && status == LS_OK; o++)
        for (int64_t i = 0; i < whole->count && status == LS_OK; i++, to += bytes)
            if (index[i] >= 0 && index[i] < whole->rows)
                status = a->backend->read(a, whole->table, (size_t)(o * whole->rows + index[i]) * bytes, to, bytes);
    for (int64_t i = 0; i < whole->count && status == LS_OK; i++)
        index[i] = index[i] >= 0 && index[i] < whole->rows ? (int32_t)i : -1;
    return status;
}

/* What a report is made of is the call as it was, with the table, if there is room for it. */
static void with_table(struct ls_call *few, const struct ls_gather_args *whole, struct ls_device *a)
{
    struct ls_call call;
    ls_call_init(&call, LS_PRIM_gather, whole, sizeof *whole);
    if (ls_call_fetch(&call, a) == LS_OK) {
        few->node = call.node;
        few->field[0].elements = call.field[0].elements;
        for (int i = 0; i < 2; i++) {
            void *rows = few->field[i].before;
            few->field[i].before = call.field[i].before;
            call.field[i].before = rows;
        }
    }
    ls_call_finish(&call);
}

/* ---- A runs the call where it is, B in buffers of its own ---- */

static void name_devices(struct verify_device *v, struct ls_call *call)
{
    snprintf(call->device[0], sizeof call->device[0], "%s", v->d.inner->info.device);
    snprintf(call->device[1], sizeof call->device[1], "%s", v->b->info.device);
    memcpy(call->name[0], v->d.inner->info.name, sizeof call->name[0]);
    memcpy(call->name[1], v->b->info.name, sizeof call->name[1]);
}

static ls_status run_both(struct verify_device *v, struct ls_call *call, enum ls_prim prim, const void *args, size_t size)
{
    struct ls_device *a = v->d.inner;
    struct ls_node node = {.prim = prim};
    memcpy(&node.args, args, size);
    bool few = prim == LS_PRIM_gather && takes_few(args);
    ls_call_init(call, prim, args, size);
    ls_status status = few ? fetch_rows(call, args, a) : ls_call_fetch(call, a);
    if (status == LS_OK)
        status = ls_call_slot(a, &node);
    if (status == LS_OK)
        status = ls_call_results(call, a, 0);
    if (status != LS_OK)
        return ls_decorator_pass(&v->d, status);
    status = ls_call_run(call, v->b, 1);
    if (status == LS_UNSUPPORTED) /* B composes this one: nothing to compare with */
        return LS_OK;
    if (status != LS_OK) {
        v->d.base.message = v->b->message;
        return status;
    }
    if (few && ls_call_first(call, v->closeness).at >= 0)
        with_table(call, args, a);
    name_devices(v, call);
    return report(v, call);
}

static ls_status run(struct verify_device *v, enum ls_prim prim, const void *args, size_t size)
{
    struct ls_call call;
    ls_status status = run_both(v, &call, prim, args, size);
    ls_call_finish(&call);
    return status;
}

#define PRIM(name, need, meaning)                                                                  \
    static ls_status verify_##name(struct ls_device *device, const struct ls_##name##_args *args)  \
    {                                                                                              \
        struct verify_device *v = verify_of(device);                                               \
        struct ls_device *a = v->d.inner;                                                          \
        if (!a->backend->name)                                                                     \
            return LS_UNSUPPORTED;                                                                 \
        v->called = true;                                                                          \
        if (!v->looking)                                                                           \
            return ls_decorator_pass(&v->d, a->backend->name(a, args));                            \
        return run(v, LS_PRIM_##name, args, sizeof *args);                                         \
    }
#include "prims.def"
#undef PRIM

const struct ls_backend ls_verify_backend = {
    .name = "verify",
    .open = verify_open,
    .report = verify_report,
    .close = verify_close,
    .create = ls_decorator_create,
    .destroy = ls_decorator_destroy,
    .write = ls_decorator_write,
    .read = verify_read,
    .finish = ls_decorator_finish,
    .fault = verify_fault,
    .step = verify_step,
#define PRIM(name, need, meaning) .name = verify_##name,
#include "prims.def"
#undef PRIM
};
