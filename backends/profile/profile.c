/* SPDX-License-Identifier: Apache-2.0
 *
 * A decorator that measures: `profile:A` runs every primitive on A, waits for it, and notes what it was and
 * how long it took. When its context is closed it writes a table and a trace (docs/profile.md).
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "decorator.h"
#include "dump.h"
#include "env.h"
#include "profile.h"

struct profile_device {
    struct ls_decorator d;
    struct profile profile;
    double opened;
};

extern const struct ls_backend ls_profile_backend;

static struct profile_device *profile_of(struct ls_device *device) { return (struct profile_device *)device; }

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static ls_status profile_open(const char *which, struct ls_device **device, struct ls_message *message)
{
    struct profile_device *p = calloc(1, sizeof *p);
    if (!p)
        return LS_OUT_OF_MEMORY;
    ls_status status = ls_decorate(&p->d, &ls_profile_backend, which && *which ? which : "auto", message);
    if (status != LS_OK) {
        free(p);
        return status;
    }
    snprintf(p->d.base.info.device, sizeof p->d.base.info.device, "profile:%.50s", p->d.inner->info.device);
    p->profile.device = &p->d.base.info;
    p->opened = now();
    *device = &p->d.base;
    return LS_OK;
}

/* ---- What this device can do: the best of a few runs of its own kernels; 0 where it cannot run them ---- */

typedef ls_status peak_call(struct ls_device *device, struct ls_buffer *const *buffers);

static ls_status multiply(struct ls_device *device, struct ls_buffer *const *b)
{
    struct ls_gemm_args args = {.a = b[0], .b = b[1], .c = b[2], .batch = 1, .m = 512, .n = 512, .k = 512,
                                .activation = LS_ROW_NONE};
    return device->backend->gemm(device, &args);
}

enum { COPIED = 4 << 20 };

static ls_status copy(struct ls_device *device, struct ls_buffer *const *b)
{
    struct ls_copy_nd_args args = {.src = b[0], .dst = b[1], .dtype = LS_FLOAT32, .rank = 1, .extent = {COPIED},
                                   .src_stride = {1}, .dst_stride = {1}};
    return device->backend->copy_nd(device, &args);
}

static double best_seconds(struct ls_device *device, peak_call *call, struct ls_buffer *const *buffers)
{
    double best = 0;
    for (int i = 0; i < 6; i++) {
        double start = now();
        if (call(device, buffers) != LS_OK || device->backend->finish(device) != LS_OK)
            return 0;
        double took = now() - start;
        best = i == 0 || took < best ? took : best;
    }
    return best;
}

static void measure_peaks(struct profile_device *p)
{
    struct ls_device *device = p->d.inner;
    struct ls_buffer *buffers[3] = {NULL};
    bool good = !device->lost;
    for (int i = 0; i < 3 && good; i++) {
        good = device->backend->create(device, (size_t)COPIED * 4, &buffers[i]) == LS_OK;
        if (good) {
            buffers[i]->bytes = (size_t)COPIED * 4;
            struct ls_fill_args zeros = {.dst = buffers[i], .dtype = LS_FLOAT32, .n = COPIED};
            good = device->backend->fill(device, &zeros) == LS_OK;
        }
    }
    double product = good ? best_seconds(device, multiply, buffers) : 0;
    double copied = good ? best_seconds(device, copy, buffers) : 0;
    p->profile.peak_flop = product > 0 ? 2.0 * 512 * 512 * 512 / product : 0;
    p->profile.peak_bytes = copied > 0 ? 2.0 * COPIED * 4 / copied : 0;
    for (int i = 0; i < 3; i++)
        if (buffers[i])
            device->backend->destroy(device, buffers[i]);
}

static ls_status profile_report(struct ls_device *device)
{
    struct profile_device *p = profile_of(device);
    if (p->profile.row_count > 0)
        measure_peaks(p);
    ls_status status = ls_profile_write(&p->profile, &p->d.base.message);
    return status == LS_OK ? ls_decorator_report(device) : status;
}

static void profile_close(struct ls_device *device)
{
    struct profile_device *p = profile_of(device);
    if (p->profile.file[0])
        profile_report(device); /* within a decorator that does not ask for it */
    p->d.inner->backend->close(p->d.inner);
    ls_profile_finish(&p->profile);
    free(p);
}

/* ---- Memory ---- */

/* Waits, so that the call's own time is known, and notes it. */
static ls_status note(struct profile_device *p, ls_status status, const char *kind, const char *sizes, double start,
                      double bytes, double flop)
{
    if (status == LS_OK)
        status = p->d.inner->backend->finish(p->d.inner);
    if (status != LS_OK)
        return ls_decorator_pass(&p->d, status);
    double took = now() - start;
    const char *name = ls_env("LOCKSTEP_PROFILE");
    status = ls_profile_open(&p->profile, name ? name : "lockstep-profile", &p->d.base.message);
    if (status == LS_OK)
        ls_profile_note(&p->profile, kind, sizes, start - p->opened, took, bytes, flop);
    return status;
}

static ls_status profile_write(struct ls_device *device, struct ls_buffer *buffer, size_t offset, const void *data,
                               size_t bytes)
{
    struct profile_device *p = profile_of(device);
    double start = now();
    return note(p, p->d.inner->backend->write(p->d.inner, buffer, offset, data, bytes), "write", "", start, (double)bytes, 0);
}

static ls_status profile_read(struct ls_device *device, struct ls_buffer *buffer, size_t offset, void *data, size_t bytes)
{
    struct profile_device *p = profile_of(device);
    double start = now();
    return note(p, p->d.inner->backend->read(p->d.inner, buffer, offset, data, bytes), "read", "", start, (double)bytes, 0);
}

/* ---- The primitives ---- */

/* Multiplications and additions of products; 0 for the others, which memory bounds. */
static double flop_of(const struct ls_node *node)
{
    const struct ls_gemm_args *g = &node->args.gemm;
    const struct ls_conv_args *c = &node->args.conv;
    if (node->prim == LS_PRIM_gemm)
        return 2.0 * (double)g->batch * (double)g->m * (double)g->n * (double)g->k;
    if (node->prim != LS_PRIM_conv)
        return 0;
    double flop = 2.0 * (double)c->window.batch * (double)c->groups * (double)c->channels * (double)c->filters;
    for (int d = 0; d < LS_SPATIAL; d++)
        flop *= (double)c->window.out[d] * (double)c->window.size[d];
    return flop;
}

static ls_status noted(struct profile_device *p, const struct ls_node *node, const char *name, ls_status status, double start)
{
    struct ls_extent extents[LS_NODE_BUFFERS];
    char kind[176], sizes[160];
    if (status == LS_UNSUPPORTED)
        return status;
    double bytes = 0;
    const struct ls_copy_nd_args *copied = &node->args.copy_nd;
    if (node->prim == LS_PRIM_copy_nd) {
        bytes = 2.0 * (double)ls_dtype_size(copied->dtype);
        for (int d = 0; d < copied->rank; d++)
            bytes *= (double)copied->extent[d];
    }
    for (int i = node->prim == LS_PRIM_copy_nd ? 0 : ls_node_extents(node, extents); i-- > 0;)
        bytes += (double)extents[i].elements * (double)ls_dtype_size(extents[i].dtype);
    int used = snprintf(kind, sizeof kind, "%s", name);
    ls_node_kind(node, kind + used, sizeof kind - (size_t)used);
    ls_node_text(node, sizes, sizeof sizes);
    return note(p, status, kind, sizes, start, bytes, flop_of(node));
}

#define PRIM(name, need, meaning)                                                                  \
    static ls_status profile_##name(struct ls_device *device, const struct ls_##name##_args *args) \
    {                                                                                              \
        struct profile_device *p = profile_of(device);                                             \
        if (!p->d.inner->backend->name)                                                              \
            return LS_UNSUPPORTED;                                                                 \
        double start = now();                                                                      \
        ls_status status = p->d.inner->backend->name(p->d.inner, args);                                \
        return noted(p, &(struct ls_node){LS_PRIM_##name, {.name = *args}}, #name, status, start); \
    }
#include "prims.def"
#undef PRIM

const struct ls_backend ls_profile_backend = {
    .name = "profile",
    .open = profile_open,
    .report = profile_report,
    .close = profile_close,
    .create = ls_decorator_create,
    .destroy = ls_decorator_destroy,
    .write = profile_write,
    .read = profile_read,
    .finish = ls_decorator_finish,
    .fault = ls_decorator_fault,
    .step = ls_decorator_step,
#define PRIM(name, need, meaning) .name = profile_##name,
#include "prims.def"
#undef PRIM
};
