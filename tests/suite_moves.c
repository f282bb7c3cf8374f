/* SPDX-License-Identifier: Apache-2.0
 *
 * The primitives that move, draw or digest elements.
 */
#include <stdio.h>
#include <string.h>

#include "duel.h"

void duel_fill(struct duel *d, int64_t n)
{
    char name[64];
    snprintf(name, sizeof name, "fill n=%lld", (long long)n);
    static const ls_dtype types[] = {LS_FLOAT32, LS_INT32, LS_UINT8, LS_FLOAT16};
    for (int t = 0; t < 4; t++) {
        struct duel_array out = duel_make(d, types[t], n + 3, PLAIN, -2, 2);
        struct ls_fill_args args = {.dtype = types[t], .value = 0x40490fdb, .step = types[t] == LS_INT32 ? 3 : 0, .n = n};
        DUEL(fill, name, args.dst = out.on[k]);
        duel_compare(d, &out, types[t], n + 3, name);
        duel_drop(d, &out);
    }
}

void duel_copies(struct duel *d)
{
    for (int trial = 0; trial < 40; trial++) {
        static const ls_dtype types[] = {LS_FLOAT32, LS_UINT8, LS_FLOAT32, LS_BFLOAT16};
        struct ls_copy_nd_args args = {.dtype = types[suite_below(d->s, 4)]};
        int64_t src_n = 1, dst_n = 1;
        char name[64];
        args.rank = 1 + (int)suite_below(d->s, 5);
        for (int i = args.rank - 1; i >= 0; i--) {
            args.extent[i] = 1 + suite_below(d->s, d->s->kind.most_elements < 1000 ? 4 : 9);
            int64_t kind = suite_below(d->s, 4), step = 1 + suite_below(d->s, 2);
            args.src_stride[i] = kind == 0 ? 0 : kind == 1 ? -src_n * step : src_n * step;
            if (kind == 1)
                args.src_offset += (args.extent[i] - 1) * src_n * step;
            src_n *= kind == 0 ? 1 : args.extent[i] * step;
            args.dst_stride[i] = dst_n;
            dst_n *= args.extent[i] + suite_below(d->s, 2);
        }
        if (trial % 3 == 0 && args.rank >= 2) { /* a transpose: dense on both sides, in another order */
            int64_t n = 1;
            for (int i = 0; i < args.rank; i++) {
                args.src_stride[i] = n;
                n *= args.extent[i];
            }
            args.src_offset = 0;
            src_n = n;
        }
        args.dst_offset = suite_below(d->s, 5);
        snprintf(name, sizeof name, "copy_nd trial=%d rank=%d", trial, args.rank);
        struct duel_array src = duel_make(d, args.dtype, src_n, ORDER, 0, 0), dst = duel_make(d, args.dtype, dst_n + 8, ORDER, 0, 0);
        DUEL(copy_nd, name, (args.src = src.on[k], args.dst = dst.on[k]));
        duel_compare(d, &dst, args.dtype, dst_n + 8, name);
        duel_drop(d, &src);
        duel_drop(d, &dst);
    }
}

void duel_index(struct duel *d, int64_t outer, int64_t rows_count, int64_t inner, int64_t count)
{
    char name[96];
    snprintf(name, sizeof name, "gather (%lld, %lld, %lld) by %lld", (long long)outer, (long long)rows_count, (long long)inner,
             (long long)count);
    struct duel_array index = duel_indices(d, count, rows_count), table = duel_floats(d, outer * rows_count * inner, ORDER);
    struct duel_array bytes = duel_make(d, LS_UINT8, outer * rows_count * inner, PLAIN, 0, 0);
    struct duel_array halves = duel_make(d, LS_FLOAT16, outer * rows_count * inner, PLAIN, 0, 0);
    struct duel_array small_halves = duel_make(d, LS_FLOAT16, outer * count * inner, PLAIN, 0, 0);
    struct duel_array out = duel_floats(d, outer * count * inner, ORDER), small = duel_make(d, LS_UINT8, outer * count * inner, PLAIN, 0, 0);
    {
        struct ls_gather_args args = {NULL, NULL, NULL, LS_FLOAT32, outer, rows_count, inner, count};
        DUEL(gather, name, (args.table = table.on[k], args.indices = index.on[k], args.dst = out.on[k]));
        duel_compare(d, &out, LS_FLOAT32, outer * count * inner, name);
        args.dtype = LS_UINT8;
        DUEL(gather, name, (args.table = bytes.on[k], args.indices = index.on[k], args.dst = small.on[k]));
        duel_compare(d, &small, LS_UINT8, outer * count * inner, name);
        args.dtype = LS_FLOAT16;
        DUEL(gather, name, (args.table = halves.on[k], args.indices = index.on[k], args.dst = small_halves.on[k]));
        duel_compare(d, &small_halves, LS_FLOAT16, outer * count * inner, name);
    }
    memcpy(name, "scttr+", 6);
    {
        struct ls_scatter_add_args args = {NULL, NULL, NULL, outer, rows_count, inner, count};
        DUEL(scatter_add, name, (args.dst = table.on[k], args.indices = index.on[k], args.updates = out.on[k]));
        duel_compare(d, &table, LS_FLOAT32, outer * rows_count * inner, name);
    }
    duel_drop(d, &halves);
    duel_drop(d, &small_halves);
    duel_drop(d, &index);
    duel_drop(d, &table);
    duel_drop(d, &bytes);
    duel_drop(d, &out);
    duel_drop(d, &small);
}

void duel_random(struct duel *d, int64_t n)
{
    char name[64];
    for (int kind = 0; kind <= LS_RANDOM_BITS; kind++) {
        struct duel_array out = duel_floats(d, n, PLAIN), step = duel_indices(d, 1, 1000000);
        struct ls_random_args args = {.kind = (enum ls_random_kind)kind, .seed = 0x123456789abcdefu, .stream = 7, .n = n};
        snprintf(name, sizeof name, "random kind=%d n=%lld", kind, (long long)n);
        DUEL(random, name, (args.dst = out.on[k], args.step = step.on[k]));
        duel_compare(d, &out, kind == LS_RANDOM_BITS ? LS_INT32 : LS_FLOAT32, n, name);
        duel_drop(d, &out);
        duel_drop(d, &step);
    }
}

/* One call with inputs of every type; -0 must count as +0, also where the device only moves bits. */
void duel_digest(struct duel *d, int64_t n)
{
    static const ls_dtype types[] = {LS_FLOAT32, LS_INT32, LS_FLOAT16, LS_UINT8, LS_BFLOAT16, LS_BOOL, LS_FLOAT32, LS_FLOAT32};
    struct duel_array in[LS_DIGEST_INPUTS], out = duel_make(d, LS_INT32, 2 * LS_DIGEST_INPUTS + 3, PLAIN, 0, 0);
    struct ls_digest_args args = {.inputs = LS_DIGEST_INPUTS, .at = 2};
    char name[64];
    snprintf(name, sizeof name, "digest n=%lld", (long long)n);
    for (int i = 0; i < LS_DIGEST_INPUTS; i++) {
        ls_dtype type = types[(size_t)i % (sizeof types / sizeof *types)];
        int64_t size = i == 6 ? 0 : i == 7 ? n + 1 : n;
        in[i] = duel_make(d, type, size, i == 7 ? SPECIAL : ORDER, -2, 2);
        args.input[i] = (struct ls_digest_input){NULL, type, size};
    }
    for (int side = 0; side < 2; side++) { /* the zeros of the last input have another sign on each device */
        uint32_t zero = side ? 0x80000000u : 0;
        d->device[side]->backend->write(d->device[side], in[7].on[side], (size_t)n * 4, &zero, 4);
    }
    for (int pass = 0; pass < 2; pass++)
        DUEL(digest, name, {
            for (int i = 0; i < LS_DIGEST_INPUTS; i++)
                args.input[i].buffer = in[i].on[k];
            args.dst = out.on[k];
        });
    duel_compare(d, &out, LS_INT32, out.n, name);
    for (int i = 0; i < LS_DIGEST_INPUTS; i++)
        duel_drop(d, &in[i]);
    duel_drop(d, &out);
}
