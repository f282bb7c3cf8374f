/* SPDX-License-Identifier: Apache-2.0
 *
 * The only caller of the backends' primitive slots. Every call is checked here once, against the
 * sizes of the buffers it names, so that no backend checks anything; counted; and, while a function
 * is being captured, recorded.
 */
#include <stdio.h>
#include <string.h>

#include "state.h"

/* ---- What a call reads and writes: the list of its buffers, and whether each is large enough ---- */

struct extent_list {
    struct ls_extent extent[LS_NODE_BUFFERS];
    int count;
    bool fits;
};

/* Notes that a call reads or writes the first `elements` elements of a buffer. NULL is allowed for nothing. */
static void touch(struct extent_list *list, struct ls_buffer *const *buffer, int64_t elements, ls_dtype dtype, bool written)
{
    int64_t bytes;
    if (!ls_checked_mul(elements, (int64_t)ls_dtype_size(dtype), &bytes) || elements < 0 || (bytes > 0 && !*buffer))
        list->fits = false;
    if (*buffer)
        list->extent[list->count++] = (struct ls_extent){buffer, elements, dtype, written};
}

static void reads(struct extent_list *list, struct ls_buffer *const *buffer, int64_t elements, ls_dtype dtype)
{
    touch(list, buffer, elements, dtype, false);
}

static void writes(struct extent_list *list, struct ls_buffer *const *buffer, int64_t elements, ls_dtype dtype)
{
    touch(list, buffer, elements, dtype, true);
}

static bool fits(const struct extent_list *list)
{
    bool fits = list->fits;
    for (int i = 0; i < list->count && fits; i++)
        fits = (size_t)list->extent[i].elements * ls_dtype_size(list->extent[i].dtype) <= (*list->extent[i].buffer)->bytes;
    return fits;
}

static void extents_fill(const struct ls_fill_args *a, struct extent_list *list)
{
    writes(list, &a->dst, a->n, a->dtype);
}

/* One past the largest element that strides reach, or -1 if they reach below 0. */
static int64_t reach(int64_t offset, int rank, const int64_t *extent, const int64_t *stride)
{
    int64_t low = offset, high = offset;
    for (int d = 0; d < rank; d++) {
        int64_t span = (extent[d] - 1) * stride[d];
        low += span < 0 ? span : 0;
        high += span > 0 ? span : 0;
    }
    return low < 0 ? -1 : high + 1;
}

static void extents_copy_nd(const struct ls_copy_nd_args *a, struct extent_list *list)
{
    reads(list, &a->src, reach(a->src_offset, a->rank, a->extent, a->src_stride), a->dtype);
    writes(list, &a->dst, reach(a->dst_offset, a->rank, a->extent, a->dst_stride), a->dtype);
}

static void extents_map(const struct ls_map_args *a, struct extent_list *list)
{
    for (int i = 0; i < a->inputs; i++)
        reads(list, &a->input[i].buffer, reach(0, a->rank, a->extent, a->input[i].stride), a->input[i].dtype);
    for (int i = 0; i < a->outputs; i++)
        writes(list, &a->output[i].buffer, a->n, a->output[i].dtype);
}

static void extents_reduce(const struct ls_reduce_args *a, struct extent_list *list)
{
    reads(list, &a->src, a->outer * a->r * a->inner, a->dtype);
    writes(list, &a->dst, a->outer * a->inner, a->op >= LS_REDUCE_ARGMAX ? LS_INT32 : a->dtype);
}

static void extents_gemm(const struct ls_gemm_args *a, struct extent_list *list)
{
    reads(list, &a->a, a->k ? (a->batch - 1) * a->stride_a + a->m * a->k : 0, LS_FLOAT32);
    reads(list, &a->b, a->k ? (a->batch - 1) * a->stride_b + a->k * a->n : 0, LS_FLOAT32);
    writes(list, &a->c, a->batch * a->m * a->n, LS_FLOAT32);
    reads(list, &a->bias, a->bias ? a->n : 0, LS_FLOAT32);
}

/* The elements of the images on both sides of a window, of one channel. */
static void pixels(const struct ls_window *w, int64_t *in, int64_t *out)
{
    *in = *out = w->batch;
    for (int d = 0; d < LS_SPATIAL; d++) {
        *in *= w->in[d];
        *out *= w->out[d];
    }
}

static void extents_conv(const struct ls_conv_args *a, struct extent_list *list)
{
    int64_t in, out, size = a->window.size[0] * a->window.size[1] * a->window.size[2];
    int64_t biases = a->groups * (a->pass == LS_CONV_INPUT ? a->channels : a->filters);
    pixels(&a->window, &in, &out);
    touch(list, &a->input, in * a->groups * a->channels, LS_FLOAT32, a->pass == LS_CONV_INPUT);
    touch(list, &a->kernel, size * a->channels * a->groups * a->filters, LS_FLOAT32, a->pass == LS_CONV_KERNEL);
    touch(list, &a->output, out * a->groups * a->filters, LS_FLOAT32, a->pass == LS_CONV_FORWARD);
    reads(list, &a->bias, a->bias ? biases : 0, LS_FLOAT32);
}

static void extents_pool(const struct ls_pool_args *a, struct extent_list *list)
{
    int64_t in, out;
    bool back = a->op == LS_POOL_SPREAD_MAX || a->op == LS_POOL_SPREAD_AVERAGE;
    bool positions = a->op == LS_POOL_TAKE || a->op == LS_POOL_SPREAD_MAX || a->positions;
    pixels(&a->window, &in, &out);
    reads(list, &a->src, (back ? out : in) * a->channels, LS_FLOAT32);
    writes(list, &a->dst, (back ? in : out) * a->channels, LS_FLOAT32);
    touch(list, &a->positions, positions ? out * a->channels : 0, LS_INT32, a->op == LS_POOL_MAX);
}

static void extents_gather(const struct ls_gather_args *a, struct extent_list *list)
{
    reads(list, &a->table, a->outer * a->rows * a->inner, a->dtype);
    reads(list, &a->indices, a->count, LS_INT32);
    writes(list, &a->dst, a->outer * a->count * a->inner, a->dtype);
}

static void extents_scatter_add(const struct ls_scatter_add_args *a, struct extent_list *list)
{
    writes(list, &a->dst, a->outer * a->rows * a->inner, LS_FLOAT32);
    reads(list, &a->indices, a->count, LS_INT32);
    reads(list, &a->updates, a->outer * a->count * a->inner, LS_FLOAT32);
}

static void extents_scan(const struct ls_scan_args *a, struct extent_list *list)
{
    int64_t n = a->outer * a->r * a->inner;
    reads(list, &a->factor, a->factor ? n : 0, a->dtype);
    reads(list, &a->addend, a->addend ? n : 0, a->dtype);
    writes(list, &a->dst, n, a->dtype);
}

static void extents_sort(const struct ls_sort_args *a, struct extent_list *list)
{
    reads(list, &a->src, a->outer * a->r, a->dtype);
    writes(list, &a->dst, a->outer * a->r, LS_INT32);
}

static void extents_random(const struct ls_random_args *a, struct extent_list *list)
{
    writes(list, &a->dst, a->n, a->kind == LS_RANDOM_BITS ? LS_INT32 : LS_FLOAT32);
    reads(list, &a->step, 1, LS_INT32);
}

static void extents_digest(const struct ls_digest_args *a, struct extent_list *list)
{
    for (int i = 0; i < a->inputs; i++)
        reads(list, &a->input[i].buffer, a->input[i].n, a->input[i].dtype);
    writes(list, &a->dst, a->at + 2 * (int64_t)a->inputs, LS_INT32);
}

static void extents_softmax(const struct ls_softmax_args *a, struct extent_list *list)
{
    reads(list, &a->src, a->outer * a->r, LS_FLOAT32);
    writes(list, &a->dst, a->outer * a->r, LS_FLOAT32);
}

static void extents_sparse_xent(const struct ls_sparse_xent_args *a, struct extent_list *list)
{
    reads(list, &a->logits, a->outer * a->r, LS_FLOAT32);
    reads(list, &a->labels, a->outer, LS_INT32);
    writes(list, &a->loss, a->outer, LS_FLOAT32);
    writes(list, &a->probabilities, a->probabilities ? a->outer * a->r : 0, LS_FLOAT32);
}

/* ---- Calls ---- */

static ls_status not_fitting(ls_context *ls, const char *name)
{
    return ls_fail(ls, LS_INTERNAL, "%s: a buffer is smaller than the call needs; please report this", name);
}

/* The composed form of an OPTIONAL primitive; REQUIRED ones have none. */
#define ls_fallback_fill NULL
#define ls_fallback_copy_nd NULL
#define ls_fallback_map NULL
#define ls_fallback_reduce NULL
#define ls_fallback_gemm NULL
#define ls_fallback_conv NULL
#define ls_fallback_pool NULL
#define ls_fallback_gather NULL
#define ls_fallback_scatter_add NULL
#define ls_fallback_scan NULL
#define ls_fallback_sort NULL
#define ls_fallback_random NULL
#define ls_fallback_digest NULL

/* Slot, then fallback, then record: a composed call is recorded as the calls it is made of. */
#define PRIM(name, need, meaning)                                                                  \
    static ls_status call_##name(ls_context *ls, const struct ls_##name##_args *args)              \
    {                                                                                              \
        struct ls_device *device = ls->device;                                                     \
        if (!device->backend->name)                                                                \
            return LS_UNSUPPORTED;                                                                 \
        ls_status status = device->backend->name(device, args);                                    \
        if (status != LS_OK && status != LS_UNSUPPORTED)                                           \
            ls_fail_device(ls, status, #name);                                                     \
        ls->stats.dispatches += status == LS_OK;                                                   \
        return status;                                                                             \
    }                                                                                              \
                                                                                                   \
    ls_status ls_dispatch_##name(ls_context *ls, const struct ls_##name##_args *args)              \
    {                                                                                              \
        struct extent_list list;                                                                   \
        if (ls->error != LS_OK)                                                                    \
            return ls->error;                                                                      \
        list.fits = true;                                                                          \
        list.count = 0;                                                                            \
        extents_##name(args, &list);                                                               \
        if (!fits(&list))                                                                          \
            return not_fitting(ls, #name);                                                         \
        ls_status status = call_##name(ls, args);                                                  \
        if (status == LS_UNSUPPORTED) {                                                            \
            ls_status (*composed)(ls_context *, const struct ls_##name##_args *) = ls_fallback_##name; \
            if (composed)                                                                          \
                return composed(ls, args);                                                         \
            return ls_fail(ls, LS_INTERNAL, #name ": %s lacks a required primitive", ls->device->info.device); \
        }                                                                                          \
        if (status == LS_OK && ls->recorder)                                                       \
            status = ls_recorder_add(ls, &(struct ls_node){LS_PRIM_##name, {.name = *args}},       \
                                     list.extent, list.count);                                     \
        return status;                                                                             \
    }
#include "prims.def"
#undef PRIM

static void tell_step(struct ls_device *device)
{
    if (device->backend->step)
        device->backend->step(device);
}

ls_status ls_dispatch_node(ls_context *ls, const struct ls_node *node)
{
    switch (node->prim) {
#define PRIM(name, need, meaning) case LS_PRIM_##name: return call_##name(ls, &node->args.name);
#include "prims.def"
#undef PRIM
    case LS_NODE_STEP:
        tell_step(ls->device);
        break;
    }
    return LS_OK;
}

void ls_step_ended(ls_context *ls)
{
    if (ls_failed(ls))
        return;
    tell_step(ls->device);
    if (ls->recorder)
        ls_recorder_add(ls, &(struct ls_node){.prim = LS_NODE_STEP}, NULL, 0);
}

int ls_node_extents(const struct ls_node *node, struct ls_extent *extents)
{
    struct extent_list list = {.fits = true};
    switch (node->prim) {
#define PRIM(name, need, meaning) case LS_PRIM_##name: extents_##name(&node->args.name, &list); break;
#include "prims.def"
#undef PRIM
    case LS_PRIM_COUNT:
        break;
    }
    memcpy(extents, list.extent, (size_t)list.count * sizeof *extents);
    return list.fits ? list.count : -1;
}

ls_status ls_copy_elements(ls_context *ls, struct ls_buffer *src, struct ls_buffer *dst, ls_dtype dtype, int64_t n)
{
    struct ls_copy_nd_args args = {
        .src = src, .dst = dst, .dtype = dtype, .rank = 1, .extent = {n}, .src_stride = {1}, .dst_stride = {1}};
    return n > 0 ? ls_dispatch_copy_nd(ls, &args) : LS_OK;
}

/* "one_hot: index", or "gather or one_hot: index" where both looked up since the last wait. */
static void name_lookups(const ls_context *ls, char *text, size_t size)
{
    size_t at = 0;
    for (int i = 0; i < LS_LOOKUPS && ls->lookups[i] && at < size; i++)
        at += (size_t)snprintf(text + at, size - at, "%s%s", i ? " or " : "", ls->lookups[i]);
    if (at > 0 && at < size)
        snprintf(text + at, size - at, ": index");
}

ls_status ls_check_fault(ls_context *ls)
{
    static const char *const names[] = {
        [LS_FAULT_SCATTER_ADD] = "scatter_add: index",
        [LS_FAULT_SPARSE_XENT] = "sparse_softmax_cross_entropy: label",
    };
    char lookup[128] = "gather: index";
    struct ls_device *device = ls->device;
    struct ls_fault fault = {0};
    if (!device->backend->fault)
        return LS_OK;
    ls_status status = device->backend->fault(device, &fault);
    if (status == LS_OK && fault.set && fault.kind == LS_FAULT_GATHER)
        name_lookups(ls, lookup, sizeof lookup);
    memset(ls->lookups, 0, sizeof ls->lookups);
    if (status != LS_OK)
        return ls_fail_device(ls, status, "reading faults");
    if (!fault.set)
        return LS_OK;
    return ls_fail(ls, LS_OUT_OF_RANGE, "%s %lld at position %lld is outside [0, %lld)",
                   fault.kind == LS_FAULT_GATHER ? lookup : names[fault.kind],
                   (long long)fault.value, (long long)fault.position, (long long)fault.limit);
}
