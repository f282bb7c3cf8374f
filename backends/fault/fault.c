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
 *
 * The last six are mutations: the conformance suite must notice each and name the op. With a number, as in
 * fault:tail=12,<device>, a mutation is at work in that training step only.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend.h"

enum kind { FAIL_ALLOC, FAIL_CALL, LOSE, ORDER, UNFUSED, TAIL, BARRIER, FLUSH, STALE, KINDS };
static const char *const kind_names[KINDS] = {"alloc", "call", "lost", "order", "unfused", "tail", "barrier", "flush", "stale"};

struct fault_device {
    struct ls_device base;
    struct ls_device *inner;
    enum kind kind;
    long countdown, step; /* until a failure; the step of a mutation, from 1 on, or 0: all of them */
    long steps;           /* that have ended */
    unsigned long sums, programs; /* calls that a mutation may be for */
};

static struct fault_device *fault_of(struct ls_device *device) { return (struct fault_device *)device; }

/* What the inner device said is what this one says. */
static ls_status pass(struct fault_device *f, ls_status status)
{
    if (status != LS_OK)
        f->base.message = f->inner->message;
    f->base.lost |= f->inner->lost;
    return status;
}

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
        ls_status status = ls_device_open(comma + 1, &f->inner, message);
        if (status != LS_OK) {
            free(f);
            return status;
        }
        f->base.backend = &ls_fault_backend;
        f->base.info = f->inner->info;
        snprintf(f->base.info.device, sizeof f->base.info.device, "fault:%.40s", which);
        if (kind >= ORDER)
            snprintf(f->base.info.exactness, sizeof f->base.info.exactness, "untested");
        f->kind = (enum kind)kind;
        long number = which[length] == '=' ? strtol(which + length + 1, NULL, 10) : 0;
        f->countdown = number ? number : 1;
        f->step = number;
        *device = &f->base;
        return LS_OK;
    }
    snprintf(message->text, sizeof message->text, "fault:%s: expected alloc=N, call=N, lost=N, order, unfused, tail, "
             "barrier, flush or stale, the last six perhaps with =STEP, then a comma and a device", which ? which : "");
    return LS_NOT_FOUND;
}

static void fault_close(struct ls_device *device)
{
    struct fault_device *f = fault_of(device);
    f->inner->backend->close(f->inner);
    free(f);
}

static ls_status fault_create(struct ls_device *device, size_t bytes, struct ls_buffer **buffer)
{
    struct fault_device *f = fault_of(device);
    if (f->kind == FAIL_ALLOC && f->countdown >= 0 && --f->countdown <= 0) {
        snprintf(f->base.message.text, sizeof f->base.message.text, "planted allocation failure");
        return LS_OUT_OF_MEMORY;
    }
    return pass(f, f->inner->backend->create(f->inner, bytes, buffer));
}

static void fault_destroy(struct ls_device *device, struct ls_buffer *buffer)
{
    struct fault_device *f = fault_of(device);
    f->inner->backend->destroy(f->inner, buffer);
}

static ls_status fault_write(struct ls_device *device, struct ls_buffer *buffer, size_t offset, const void *data,
                             size_t bytes)
{
    struct fault_device *f = fault_of(device);
    return pass(f, f->inner->backend->write(f->inner, buffer, offset, data, bytes));
}

static ls_status fault_read(struct ls_device *device, struct ls_buffer *buffer, size_t offset, void *data, size_t bytes)
{
    struct fault_device *f = fault_of(device);
    return pass(f, f->inner->backend->read(f->inner, buffer, offset, data, bytes));
}

static ls_status fault_finish(struct ls_device *device)
{
    struct fault_device *f = fault_of(device);
    return pass(f, f->inner->backend->finish(f->inner));
}

static ls_status fault_fault(struct ls_device *device, struct ls_fault *fault)
{
    struct fault_device *f = fault_of(device);
    return f->inner->backend->fault ? pass(f, f->inner->backend->fault(f->inner, fault)) : LS_OK;
}

static void fault_step(struct ls_device *device)
{
    struct fault_device *f = fault_of(device);
    f->steps++;
    if (f->inner->backend->step)
        f->inner->backend->step(f->inner);
}

/* Whether a mutation is at work: always, or in its step. */
static bool is_mutated(const struct fault_device *f) { return f->step == 0 || f->steps + 1 == f->step; }

/* ---- Mutations: on the host, between a read and a write ---- */

static float *fetch(struct fault_device *f, struct ls_buffer *buffer, int64_t elements)
{
    float *data = malloc((size_t)elements * sizeof *data + 1);
    if (data && f->inner->backend->read(f->inner, buffer, 0, data, (size_t)elements * sizeof *data) != LS_OK) {
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
        status = f->inner->backend->write(f->inner, a->dst, 0, dst, (size_t)(a->outer * a->inner) * sizeof *dst);
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
        status = f->inner->backend->write(f->inner, g->c, 0, c, (size_t)(g->m * g->n) * sizeof *c);
    free(a);
    free(b);
    free(c);
    return status;
}

static ls_status without_tail(struct fault_device *f, const struct ls_map_args *a)
{
    ls_status status = f->inner->backend->map(f->inner, a);
    if (status == LS_OK && a->output[0].dtype == LS_FLOAT32 && a->n > 1) {
        const uint32_t seven = 0x40e00000u;
        status = f->inner->backend->write(f->inner, a->output[0].buffer, (size_t)(a->n - 1) * 4, &seven, 4);
    }
    return status;
}

static ls_status before_the_barrier(struct fault_device *f, const struct ls_reduce_args *a)
{
    ls_status status = f->inner->backend->reduce(f->inner, a);
    if (status != LS_OK || f->sums++ % 3 != 0)
        return status;
    float *src = fetch(f, a->src, a->outer * a->r), *dst = fetch(f, a->dst, a->outer);
    for (int64_t o = 0; src && dst && o < a->outer; o++) {
        dst[o] = 0.0f;
        for (int64_t k = 0; k < a->r; k += 2)
            dst[o] += src[o * a->r + k];
    }
    status = src && dst ? f->inner->backend->write(f->inner, a->dst, 0, dst, (size_t)a->outer * sizeof *dst)
                        : LS_OUT_OF_MEMORY;
    free(src);
    free(dst);
    return status;
}

static ls_status flushed(struct fault_device *f, const struct ls_map_args *a)
{
    ls_status status = f->inner->backend->map(f->inner, a);
    for (int i = 0; i < a->outputs && status == LS_OK; i++) {
        float *data = a->output[i].dtype == LS_FLOAT32 ? fetch(f, a->output[i].buffer, a->n) : NULL;
        for (int64_t k = 0; data && k < a->n; k++) {
            uint32_t bits;
            memcpy(&bits, &data[k], sizeof bits);
            bits &= (bits & 0x7f800000u) ? 0xffffffffu : 0x80000000u;
            memcpy(&data[k], &bits, sizeof bits);
        }
        if (data)
            status = f->inner->backend->write(f->inner, a->output[i].buffer, 0, data, (size_t)a->n * sizeof *data);
        free(data);
    }
    return status;
}

static ls_status mutated_map(struct fault_device *f, const struct ls_map_args *a)
{
    if (f->kind == STALE)
        return a->output[0].dtype == LS_FLOAT32 && f->programs++ % 5 == 0 ? LS_OK : f->inner->backend->map(f->inner, a);
    return f->kind == FLUSH ? flushed(f, a) : without_tail(f, a);
}

static ls_status mutated_reduce(struct fault_device *f, const struct ls_reduce_args *a)
{
    return f->kind == ORDER ? backwards(f, a) : before_the_barrier(f, a);
}

/* ---- The primitives: counted, then passed on ---- */

static ls_status before(struct fault_device *f)
{
    if (is_due(f, FAIL_CALL)) {
        snprintf(f->base.message.text, sizeof f->base.message.text, "planted call failure");
        return LS_DEVICE_ERROR;
    }
    if (is_due(f, LOSE)) {
        snprintf(f->base.message.text, sizeof f->base.message.text, "planted loss of the device");
        f->base.lost = true;
    }
    return f->base.lost ? LS_DEVICE_LOST : LS_OK;
}

#define MUTATED_fill(f, a) false
#define MUTATED_copy_nd(f, a) false
#define MUTATED_conv(f, a) false
#define MUTATED_pool(f, a) false
#define MUTATED_gather(f, a) false
#define MUTATED_scatter_add(f, a) false
#define MUTATED_scan(f, a) false
#define MUTATED_sort(f, a) false
#define MUTATED_random(f, a) false
#define MUTATED_digest(f, a) false
#define MUTATED_softmax(f, a) false
#define MUTATED_sparse_xent(f, a) false
#define MUTATED_map(f, a) ((f)->kind == TAIL || (f)->kind == FLUSH || (f)->kind == STALE)
#define MUTATED_reduce(f, a)                                                                       \
    ((a)->op == LS_REDUCE_SUM && (a)->dtype == LS_FLOAT32 &&                                       \
     ((f)->kind == ORDER || ((f)->kind == BARRIER && (a)->inner == 1)))
#define MUTATED_gemm(f, a)                                                                         \
    ((f)->kind == UNFUSED && (a)->batch == 1 && !(a)->bias && (a)->activation == LS_ROW_NONE)
#define MUTATION_map(f, a) mutated_map(f, a)
#define MUTATION_reduce(f, a) mutated_reduce(f, a)
#define MUTATION_gemm(f, a) unfused(f, a)
#define MUTATION_fill(f, a) LS_OK
#define MUTATION_copy_nd(f, a) LS_OK
#define MUTATION_conv(f, a) LS_OK
#define MUTATION_pool(f, a) LS_OK
#define MUTATION_gather(f, a) LS_OK
#define MUTATION_scatter_add(f, a) LS_OK
#define MUTATION_scan(f, a) LS_OK
#define MUTATION_sort(f, a) LS_OK
#define MUTATION_random(f, a) LS_OK
#define MUTATION_digest(f, a) LS_OK
#define MUTATION_softmax(f, a) LS_OK
#define MUTATION_sparse_xent(f, a) LS_OK

#define PRIM(name, need, meaning)                                                                  \
    static ls_status fault_##name(struct ls_device *device, const struct ls_##name##_args *args)   \
    {                                                                                              \
        struct fault_device *f = fault_of(device);                                                 \
        ls_status status = before(f);                                                              \
        if (status != LS_OK)                                                                       \
            return status;                                                                         \
        if (is_mutated(f) && MUTATED_##name(f, args))                                                             \
            return pass(f, MUTATION_##name(f, args));                                              \
        return f->inner->backend->name ? pass(f, f->inner->backend->name(f->inner, args)) : LS_UNSUPPORTED; \
    }
#include "prims.def"
#undef PRIM

const struct ls_backend ls_fault_backend = {
    .name = "fault",
    .open = fault_open,
    .close = fault_close,
    .create = fault_create,
    .destroy = fault_destroy,
    .write = fault_write,
    .read = fault_read,
    .finish = fault_finish,
    .fault = fault_fault,
    .step = fault_step,
#define PRIM(name, need, meaning) .name = fault_##name,
#include "prims.def"
#undef PRIM
};
