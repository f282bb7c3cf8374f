/* SPDX-License-Identifier: Apache-2.0
 *
 * The reference backend against canon.md: fill, copy_nd, gather, scatter_add and reduce.
 */
#include "reference_check.h"

static void test_fill(void)
{
    for (int e = 0; e < EDGES; e++) {
        for (int t = 0; t < LS_DTYPE_COUNT; t++) {
            ls_dtype dtype = (ls_dtype)t;
            uint32_t value = t == LS_BOOL ? 1 : draw(), step = t == LS_INT32 ? draw() : 0;
            uint8_t *want = malloc((size_t)edges[e] * 4);
            for (int64_t i = 0; i < edges[e]; i++) {
                uint32_t element = value + (uint32_t)i * step;
                memcpy(want + (size_t)i * size_of(dtype), &element, size_of(dtype));
            }
            for (int d = 0; d < device_count; d++) {
                struct ls_fill_args args = {.dtype = dtype, .value = value, .step = step,
                                            .n = edges[e]};
                args.dst = upload(devices[d], NULL, edges[e] * (int64_t)size_of(dtype));
                ls_reference_backend.fill(devices[d], &args);
                check(devices[d], args.dst, dtype, want, edges[e], "fill");
            }
            free(want);
        }
    }
}

/* Random permutations, slices, reversals and broadcasts into a part of a larger array. */
static void test_copy(int count)
{
    static const int64_t sizes[] = {1, 2, 3, 5, 16, 33, 64, 65, 130, 700};
    for (int t = 0; t < count; t++) {
        struct ls_copy_nd_args args = {.rank = 1 + (int)draw_below(5)};
        int64_t n = 1, src_n = 1, dst_n = 1;
        int order[LS_MAX_RANK];
        char what[64];
        args.dtype = (ls_dtype)draw_below(LS_DTYPE_COUNT);
        for (int d = 0; d < args.rank; d++) {
            args.extent[d] = sizes[draw_below(10)];
            args.extent[d] = n * args.extent[d] > 100000 ? 1 : args.extent[d];
            n *= args.extent[d];
            order[d] = d;
        }
        for (int d = args.rank - 1; d > 0 && draw() % 4; d--) {
            int other = (int)draw_below(d + 1), kept = order[d];
            order[d] = order[other];
            order[other] = kept;
        }
        for (int d = args.rank - 1; d >= 0; d--) {
            int s = order[d];
            int64_t gap = draw() % 4 == 0 ? 2 : 1;
            args.dst_stride[d] = dst_n;
            dst_n *= args.extent[d] + (draw() % 4 == 0);
            if (draw() % 6) {
                args.src_stride[s] = gap * src_n;
                src_n *= gap * args.extent[s];
                if (draw() % 6 == 0) {
                    args.src_offset += args.src_stride[s] * (args.extent[s] - 1);
                    args.src_stride[s] = -args.src_stride[s];
                }
            }
        }
        args.src_offset += 3;
        args.dst_offset = (int64_t)draw_below(5);
        src_n += 3;
        dst_n += 5;
        size_t size = size_of(args.dtype);
        uint8_t *src = draw_elements(args.dtype, src_n), *want = draw_elements(args.dtype, dst_n);
        uint8_t *before = malloc((size_t)dst_n * size);
        memcpy(before, want, (size_t)dst_n * size);
        for (int64_t e = 0; e < n; e++) {
            int64_t rest = e, from = args.src_offset, to = args.dst_offset;
            for (int d = args.rank - 1; d >= 0; d--) {
                from += rest % args.extent[d] * args.src_stride[d];
                to += rest % args.extent[d] * args.dst_stride[d];
                rest /= args.extent[d];
            }
            memcpy(want + (size_t)to * size, src + (size_t)from * size, size);
        }
        snprintf(what, sizeof what, "copy_nd %d, n = %lld", t, (long long)n);
        for (int d = 0; d < device_count; d++) {
            args.src = upload(devices[d], src, src_n * (int64_t)size);
            args.dst = upload(devices[d], before, dst_n * (int64_t)size);
            ls_reference_backend.copy_nd(devices[d], &args);
            check(devices[d], args.dst, args.dtype, want, dst_n, what);
            release(devices[d], args.src);
        }
        free(src);
        free(want);
        free(before);
    }
}

static void test_gather_and_scatter(int count)
{
    static const int64_t inners[] = {1, 3, 16, 64, 65, 127, 128, 129, 500};
    for (int t = 0; t < count; t++) {
        int64_t outer = 1 + draw_below(3), rows_n = 1 + draw_below(300), n = 1 + draw_below(700);
        int64_t inner = inners[draw_below(9)];
        bool faulty = t % 4 == 3;
        int32_t *indices = draw_ints(n, faulty ? -2 : 0, faulty ? rows_n + 2 : rows_n);
        float *table = draw_floats(outer * rows_n * inner);
        float *updates = draw_floats(outer * n * inner);
        uint16_t *halves = draw_elements(LS_BFLOAT16, outer * rows_n * inner);
        uint16_t *gathered_halves = calloc((size_t)(outer * n * inner), sizeof *gathered_halves);
        float *gathered = calloc((size_t)(outer * n * inner), sizeof *gathered);
        float *sums = malloc((size_t)(outer * rows_n * inner) * sizeof *sums);
        memcpy(sums, table, (size_t)(outer * rows_n * inner) * sizeof *sums);
        for (int64_t i = 0; i < outer * n * inner; i++) {
            int64_t o = i / (n * inner), index = indices[i / inner % n];
            int64_t at = (o * rows_n + index) * inner + i % inner;
            if (index >= 0 && index < rows_n) {
                gathered[i] = table[at];
                gathered_halves[i] = halves[at];
                sums[at] = sums[at] + updates[i];
            }
        }
        for (int d = 0; d < device_count; d++) {
            struct ls_buffer *table_b = upload(devices[d], table, outer * rows_n * inner * 4);
            struct ls_buffer *updates_b = upload(devices[d], updates, outer * n * inner * 4);
            struct ls_buffer *indices_b = upload(devices[d], indices, n * 4);
            struct ls_gather_args gather = {
                .table = table_b, .indices = indices_b, .dst = upload(devices[d], NULL, outer * n * inner * 4),
                .dtype = LS_FLOAT32, .outer = outer, .rows = rows_n, .inner = inner, .count = n};
            ls_reference_backend.gather(devices[d], &gather);
            check_fault(devices[d], LS_FAULT_GATHER, indices, n, rows_n);
            check(devices[d], gather.dst, LS_FLOAT32, gathered, outer * n * inner, "gather");
            struct ls_scatter_add_args scatter = {
                .dst = table_b, .indices = indices_b, .updates = updates_b,
                .outer = outer, .rows = rows_n, .inner = inner, .count = n};
            ls_reference_backend.scatter_add(devices[d], &scatter);
            check_fault(devices[d], LS_FAULT_SCATTER_ADD, indices, n, rows_n);
            check(devices[d], table_b, LS_FLOAT32, sums, outer * rows_n * inner, "scatter_add");
            gather.dtype = LS_BFLOAT16;
            gather.table = upload(devices[d], halves, outer * rows_n * inner * 2);
            gather.dst = upload(devices[d], NULL, outer * n * inner * 2);
            ls_reference_backend.gather(devices[d], &gather);
            check_fault(devices[d], LS_FAULT_GATHER, indices, n, rows_n);
            check(devices[d], gather.dst, LS_BFLOAT16, gathered_halves, outer * n * inner, "gather of 16 bits");
            release(devices[d], gather.table);
            release(devices[d], updates_b);
            release(devices[d], indices_b);
        }
        free(indices);
        free(table);
        free(updates);
        free(gathered);
        free(halves);
        free(gathered_halves);
        free(sums);
    }
}

/* ---- reduce ---- */

/* canon rule 8: x[0], x[stride], ... */
static float reduce_chain(enum ls_reduce_op op, const float *x, int64_t n, int64_t stride)
{
    float total = op == LS_REDUCE_SUM ? 0.0f : 1.0f;
    for (int64_t first = 0; first < n; first += LS_CHAIN_BLOCK) {
        float sum = op == LS_REDUCE_SUM ? 0.0f : 1.0f;
        for (int64_t i = first; i < n && i < first + LS_CHAIN_BLOCK; i++) {
            sum = combine(op, sum, x[i * stride]);
        }
        total = first ? combine(op, total, sum) : sum;
    }
    return total;
}

static uint32_t reduce_floats(enum ls_reduce_op op, const float *x, int64_t r, int64_t inner)
{
    if (op > LS_REDUCE_MIN) {
        return (uint32_t)position(op, x, r, inner);
    }
    if (op > LS_REDUCE_PROD) {
        return LS_BITS(x[position(op, x, r, inner) * inner]);
    }
    if (inner > 1) {
        return LS_BITS(reduce_chain(op, x, r, inner));
    }
    float *copy = malloc((size_t)(r + 1) * sizeof *copy);
    memcpy(copy, x, (size_t)r * sizeof *copy);
    float result = reduce_lanes(op, copy, r);
    free(copy);
    return LS_BITS(result);
}

static uint32_t reduce_ints(enum ls_reduce_op op, const int32_t *x, int64_t r, int64_t inner)
{
    uint32_t result = op == LS_REDUCE_SUM ? 0 : op == LS_REDUCE_PROD ? 1 : (uint32_t)x[0];
    for (int64_t i = 0; i < r; i++) {
        int32_t value = x[i * inner], best = (int32_t)result;
        switch (op) {
        case LS_REDUCE_SUM: result += (uint32_t)value; break;
        case LS_REDUCE_PROD: result *= (uint32_t)value; break;
        case LS_REDUCE_MAX: result = (uint32_t)(value > best ? value : best); break;
        default: result = (uint32_t)(value < best ? value : best);
        }
    }
    return result;
}

static void reduce_one(enum ls_reduce_op op, ls_dtype dtype, int64_t outer, int64_t r, int64_t inner)
{
    char what[96];
    int64_t n = outer * r * inner;
    void *x = draw_elements(dtype, n);
    if (dtype == LS_FLOAT32 && op == LS_REDUCE_PROD) {
        for (int64_t i = 0; i < n; i++) {
            ((float *)x)[i] = 1.0f + (float)(int32_t)draw() * 0x1p-38f;
        }
    }
    uint32_t *want = malloc((size_t)(outer * inner) * 4);
    for (int64_t o = 0; o < outer; o++) {
        for (int64_t j = 0; j < inner; j++) {
            int64_t at = o * r * inner + j;
            want[o * inner + j] = dtype == LS_FLOAT32
                                      ? reduce_floats(op, (float *)x + at, r, inner)
                                      : reduce_ints(op, (int32_t *)x + at, r, inner);
        }
    }
    snprintf(what, sizeof what, "reduce %d of %s (%lld, %lld, %lld)", (int)op,
             dtype == LS_FLOAT32 ? "floats" : "ints", (long long)outer, (long long)r,
             (long long)inner);
    for (int d = 0; d < device_count; d++) {
        struct ls_reduce_args args = {op, dtype, upload(devices[d], x, n * 4),
                                      upload(devices[d], NULL, outer * inner * 4), outer, r, inner};
        expect(ls_reference_backend.reduce(devices[d], &args) == LS_OK, "reduce returns LS_OK");
        check(devices[d], args.dst, op > LS_REDUCE_MIN ? LS_INT32 : dtype, want, outer * inner, what);
        release(devices[d], args.src);
    }
    free(x);
    free(want);
}

static void test_reduce(void)
{
    static const int64_t inners[] = {2, 3, 10, 16, 33, 64, 100, 511, 512, 513, 1100};
    for (int op = LS_REDUCE_SUM; op <= LS_REDUCE_ARGMIN; op++) {
        for (int e = 0; e < EDGES; e++) {
            reduce_one((enum ls_reduce_op)op, LS_FLOAT32, 1, edges[e], 1);
            reduce_one((enum ls_reduce_op)op, LS_FLOAT32, edges[e] > 5000 ? 2 : 21, edges[e], 1);
            reduce_one((enum ls_reduce_op)op, LS_FLOAT32, edges[e], 1 + draw_below(40), 1);
            reduce_one((enum ls_reduce_op)op, LS_FLOAT32, 1 + draw_below(3),
                       1 + edges[e] % 5000, inners[draw_below(edges[e] > 1100 ? 5 : 11)]);
            if (op < LS_REDUCE_ARGMAX) {
                reduce_one((enum ls_reduce_op)op, LS_INT32, 2, edges[e], 1);
                reduce_one((enum ls_reduce_op)op, LS_INT32, 2, edges[e] % 5000, 7);
            }
        }
    }
    reduce_one(LS_REDUCE_SUM, LS_FLOAT32, 3, 0, 1);
    reduce_one(LS_REDUCE_PROD, LS_FLOAT32, 3, 0, 5);
    reduce_one(LS_REDUCE_SUM, LS_FLOAT32, 1, ((int64_t)1 << 24) + 77, 1);
}

int main(void)
{
    if (!open_devices()) {
        return 1;
    }
    test_fill();
    test_copy(200);
    test_gather_and_scatter(40);
    test_reduce();
    return finish();
}
