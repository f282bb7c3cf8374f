/* SPDX-License-Identifier: Apache-2.0
 *
 * A decorator for tests: it wraps another device and makes one thing go wrong.
 *
 *     fault:alloc=N,<device>    the Nth allocation from now fails, and the second try that follows
 *     fault:call=N,<device>     the Nth primitive call fails, once
 *     fault:lost=N,<device>     the device is lost at the Nth primitive call
 *     fault:order,<device>      sums are added backwards
 *     fault:unfused,<device>    gemm rounds the product before it adds
 *     fault:tail,<device>       the last element of an elementwise result is left out
 *     fault:barrier,<device>    one sum of three over the fastest axis misses its odd elements: the last step of
 *                               its tree read before they were there
 *     fault:flush,<device>      subnormal results of elementwise programs become 0
 *     fault:stale,<device>      one elementwise program of five does not write: its results are what was there
 *     fault:row,<device>        a gather takes the row after the one it was asked for
 *
 * The last seven are mutations: the conformance suite must notice each and name the op. With a number, as in
 * fault:tail=12,<device>, a mutation is at work in that training step only.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decorator.h"
#include "state.h"

enum kind { FAIL_ALLOC, FAIL_CALL, LOSE, ORDER, UNFUSED, TAIL, BARRIER, FLUSH, STALE, ROW, KINDS };
static const char *const kind_names[KINDS] = {"alloc", "call", "lost", "order", "unfused", "tail", "barrier", "flush", "stale",
                                              "row"};

struct fault_device {
    struct ls_decorator d;
    enum kind kind;
    long countdown, step; /* until a failure; the step of a mutation, from 1 on, or 0: all of them */
    long steps;           /* that have ended */
    unsigned long sums, programs; /* calls that a mutation may be for */
};

static struct fault_device *fault_of(struct ls_device *device) { return (struct fault_device *)device; }

static bool is_due(struct fault_device *f, enum kind kind)
{
    return f->kind == kind && f->countdown > 0 && --f->countdown == 0;
}

extern const struct ls_backend ls_fault_backend;

static ls_status fault_open(const char *which, struct ls_device **device, struct ls_message *message)
{
    const char *comma = which ? strchr(which, ',') : NULL;
    for (int kind = 0; comma && kind < KINDS; kind++) {
        size_t length = strlen(kind_names[kind]);
        if (strncmp(which, kind_names[kind], length) != 0 || !strchr("=,", which[length]))
            continue;
        struct fault_device *f = calloc(1, sizeof *f);
        if (!f)
            return LS_OUT_OF_MEMORY;
        ls_status status = ls_decorate(&f->d, &ls_fault_backend, comma + 1, message);
        if (status != LS_OK) {
            free(f);
            return status;
        }
        snprintf(f->d.base.info.device, sizeof f->d.base.info.device, "fault:%.40s", which);
        if (kind >= ORDER)
            snprintf(f->d.base.info.exactness, sizeof f->d.base.info.exactness, "untested");
        f->kind = (enum kind)kind;
        long number = which[length] == '=' ? strtol(which + length + 1, NULL, 10) : 0;
        f->countdown = number ? number : 1;
        f->step = number;
        *device = &f->d.base;
        return LS_OK;
    }
    snprintf(message->text, sizeof message->text, "fault:%s: expected alloc=N, call=N, lost=N, order, unfused, tail, "
             "barrier, flush, stale or row, the last seven perhaps with =STEP, then a comma and a device", which ? which : "");
    return LS_NOT_FOUND;
}

static void fault_close(struct ls_device *device)
{
    struct fault_device *f = fault_of(device);
    f->d.inner->backend->close(f->d.inner);
    free(f);
}

static ls_status fault_create(struct ls_device *device, size_t bytes, struct ls_buffer **buffer)
{
    struct fault_device *f = fault_of(device);
    if (f->kind == FAIL_ALLOC && f->countdown >= 0 && --f->countdown <= 0) {
        snprintf(f->d.base.message.text, sizeof f->d.base.message.text, "planted allocation failure");
        return LS_OUT_OF_MEMORY;
    }
    return ls_decorator_create(device, bytes, buffer);
}

static void fault_step(struct ls_device *device)
{
    fault_of(device)->steps++;
    ls_decorator_step(device);
}

/* ---- Mutations: on the host, between a read and a write ---- */

static float *fetch(struct fault_device *f, struct ls_buffer *buffer, int64_t elements)
{
    float *data = malloc((size_t)elements * sizeof *data + 1);
    if (data && f->d.inner->backend->read(f->d.inner, buffer, 0, data, (size_t)elements * sizeof *data) != LS_OK) {
        free(data);
        return NULL;
    }
    return data;
}

static ls_status backwards(struct fault_device *f, const struct ls_reduce_args *a)
{
    float *src = fetch(f, a->src, a->outer * a->r * a->inner);
    float *dst = malloc((size_t)(a->outer * a->inner) * sizeof *dst + 1);
    ls_status status = src && dst ? LS_OK : LS_OUT_OF_MEMORY;
    for (int64_t o = 0; status == LS_OK && o < a->outer; o++) {
        for (int64_t i = 0; i < a->inner; i++) {
            float sum = 0.0f;
            for (int64_t k = a->r; k-- > 0;)
                sum += src[(o * a->r + k) * a->inner + i];
            dst[o * a->inner + i] = sum;
        }
    }
    if (status == LS_OK)
        status = f->d.inner->backend->write(f->d.inner, a->dst, 0, dst, (size_t)(a->outer * a->inner) * sizeof *dst);
    free(src);
    free(dst);
    return status;
}

/* Only the plain product is broken; batches, bias and activation pass through unbroken. */
static ls_status unfused(struct fault_device *f, const struct ls_gemm_args *g)
{
    float *a = fetch(f, g->a, g->m * g->k), *b = fetch(f, g->b, g->k * g->n);
    float *c = malloc((size_t)(g->m * g->n) * sizeof *c + 1);
    ls_status status = a && b && c ? LS_OK : LS_OUT_OF_MEMORY;
    for (int64_t i = 0; status == LS_OK && i < g->m; i++) {
        for (int64_t j = 0; j < g->n; j++) {
            float sum = 0.0f;
            for (int64_t k = 0; k < g->k; k++) {
                volatile float product = a[g->trans_a ? k * g->m + i : i * g->k + k] *
                                         b[g->trans_b ? j * g->k + k : k * g->n + j];
                sum += product;
            }
            c[i * g->n + j] = sum;
        }
    }
    if (status == LS_OK)
        status = f->d.inner->backend->write(f->d.inner, g->c, 0, c, (size_t)(g->m * g->n) * sizeof *c);
    free(a);
    free(b);
    free(c);
    return status;
}

static ls_status without_tail(struct fault_device *f, const struct ls_map_args *a)
{
    ls_status status = f->d.inner->backend->map(f->d.inner, a);
    if (status == LS_OK && a->output[0].dtype == LS_FLOAT32 && a->n > 1) {
        const uint32_t seven = 0x40e00000u;
        status = f->d.inner->backend->write(f->d.inner, a->output[0].buffer, (size_t)(a->n - 1) * 4, &seven, 4);
    }
    return status;
}

static ls_status before_the_barrier(struct fault_device *f, const struct ls_reduce_args *a)
{
    ls_status status = f->d.inner->backend->reduce(f->d.inner, a);
    if (status != LS_OK || f->sums++ % 3 != 0)
        return status;
    float *src = fetch(f, a->src, a->outer * a->r), *dst = fetch(f, a->dst, a->outer);
    for (int64_t o = 0; src && dst && o < a->outer; o++) {
        dst[o] = 0.0f;
        for (int64_t k = 0; k < a->r; k += 2)
            dst[o] += src[o * a->r + k];
    }
    status = src && dst ? f->d.inner->backend->write(f->d.inner, a->dst, 0, dst, (size_t)a->outer * sizeof *dst)
                        : LS_OUT_OF_MEMORY;
    free(src);
    free(dst);
    return status;
}

static ls_status flushed(struct fault_device *f, const struct ls_map_args *a)
{
    ls_status status = f->d.inner->backend->map(f->d.inner, a);
    for (int i = 0; i < a->outputs && status == LS_OK; i++) {
        float *data = a->output[i].dtype == LS_FLOAT32 ? fetch(f, a->output[i].buffer, a->n) : NULL;
        for (int64_t k = 0; data && k < a->n; k++) {
            uint32_t bits;
            memcpy(&bits, &data[k], sizeof bits);
            bits &= (bits & 0x7f800000u) ? 0xffffffffu : 0x80000000u;
            memcpy(&data[k], &bits, sizeof bits);
        }
        if (data)
            status = f->d.inner->backend->write(f->d.inner, a->output[i].buffer, 0, data, (size_t)a->n * sizeof *data);
        free(data);
    }
    return status;
}

static ls_status stale(struct fault_device *f, const struct ls_map_args *a)
{
    return a->output[0].dtype == LS_FLOAT32 && f->programs++ % 5 == 0 ? LS_OK : f->d.inner->backend->map(f->d.inner, a);
}

static ls_status next_row(struct fault_device *f, const struct ls_gather_args *a)
{
    struct ls_device *inner = f->d.inner;
    struct ls_gather_args wrong = *a;
    size_t bytes = (size_t)a->count * sizeof(int32_t);
    int32_t *index = malloc(bytes + 1);
    ls_status status = index ? inner->backend->read(inner, a->indices, 0, index, bytes) : LS_OUT_OF_MEMORY;
    for (int64_t i = 0; status == LS_OK && i < a->count; i++)
        index[i] += index[i] >= 0 && index[i] + 1 < a->rows;
    if (status == LS_OK)
        status = inner->backend->create(inner, (bytes + 63) / 64 * 64, &wrong.indices);
    if (status == LS_OK) {
        wrong.indices->bytes = bytes;
        status = inner->backend->write(inner, wrong.indices, 0, index, bytes);
        if (status == LS_OK)
            status = inner->backend->gather(inner, &wrong);
        if (inner->backend->finish(inner) == LS_OK)
            inner->backend->destroy(inner, wrong.indices);
    }
    free(index);
    return status;
}

/* Runs a call wrongly, if this is one that the mutation is for. */
static bool mutates(struct fault_device *f, enum ls_prim prim, const void *args, ls_status *status)
{
    const struct ls_reduce_args *reduce = args;
    const struct ls_gemm_args *gemm = args;
    bool sums = prim == LS_PRIM_reduce && reduce->op == LS_REDUCE_SUM && reduce->dtype == LS_FLOAT32, map = prim == LS_PRIM_map;
    if (f->step != 0 && f->steps + 1 != f->step)
        return false;
    if (f->kind == ORDER && sums)
        *status = backwards(f, args);
    else if (f->kind == BARRIER && sums && reduce->inner == 1)
        *status = before_the_barrier(f, args);
    else if (f->kind == UNFUSED && prim == LS_PRIM_gemm && gemm->batch == 1 && !gemm->bias && gemm->activation == LS_ROW_NONE)
        *status = unfused(f, args);
    else if (f->kind == TAIL && map)
        *status = without_tail(f, args);
    else if (f->kind == FLUSH && map)
        *status = flushed(f, args);
    else if (f->kind == STALE && map)
        *status = stale(f, args);
    else if (f->kind == ROW && prim == LS_PRIM_gather)
        *status = next_row(f, args);
    else
        return false;
    return true;
}

/* ---- The primitives: counted, then passed on ---- */

static ls_status before(struct fault_device *f)
{
    if (is_due(f, FAIL_CALL)) {
        snprintf(f->d.base.message.text, sizeof f->d.base.message.text, "planted call failure");
        return LS_DEVICE_ERROR;
    }
    if (is_due(f, LOSE)) {
        snprintf(f->d.base.message.text, sizeof f->d.base.message.text, "planted loss of the device");
        f->d.base.lost = true;
    }
    return f->d.base.lost ? LS_DEVICE_LOST : LS_OK;
}

#define PRIM(name, need, meaning)                                                                  \
    static ls_status fault_##name(struct ls_device *device, const struct ls_##name##_args *args)   \
    {                                                                                              \
        struct fault_device *f = fault_of(device);                                                 \
        ls_status status = before(f);                                                              \
        if (status != LS_OK)                                                                       \
            return status;                                                                         \
        if (mutates(f, LS_PRIM_##name, args, &status))                                             \
            return ls_decorator_pass(&f->d, status);                                               \
        struct ls_device *inner = f->d.inner;                                                      \
        return inner->backend->name ? ls_decorator_pass(&f->d, inner->backend->name(inner, args)) : LS_UNSUPPORTED; \
    }
#include "prims.def"
#undef PRIM

const struct ls_backend ls_fault_backend = {
    .name = "fault",
    .open = fault_open,
    .report = ls_decorator_report,
    .close = fault_close,
    .create = fault_create,
    .destroy = ls_decorator_destroy,
    .write = ls_decorator_write,
    .read = ls_decorator_read,
    .finish = ls_decorator_finish,
    .fault = ls_decorator_fault,
    .step = fault_step,
#define PRIM(name, need, meaning) .name = fault_##name,
#include "prims.def"
#undef PRIM
};
