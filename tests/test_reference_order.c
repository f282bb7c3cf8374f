/* SPDX-License-Identifier: Apache-2.0
 *
 * The reference backend against canon.md: scan and sort.
 */
#include "reference_check.h"

/* ---- scan ---- */

enum form { RECURRENCE, PRODUCTS, SUMS };

static float next_float(enum form form, float s, float factor, float addend)
{
    return form == RECURRENCE ? fmaf(factor, s, addend) : form == PRODUCTS ? s * factor : s + addend;
}

static void scan_one(enum form form, ls_dtype dtype, int64_t outer, int64_t r, int64_t inner, bool reverse,
                     bool exclusive)
{
    int64_t n = outer * r * inner;
    void *factor = draw_elements(dtype, n), *addend = draw_elements(dtype, n);
    uint32_t *want = malloc((size_t)(n + 1) * 4);
    for (int64_t column = 0; column < outer * inner; column++) {
        float s = form == PRODUCTS ? 1.0f : 0.0f;
        uint32_t u = form == PRODUCTS;
        for (int64_t k = 0; k < r; k++) {
            int64_t i = reverse ? r - 1 - k : k, at = (column / inner * r + i) * inner + column % inner;
            uint32_t before = dtype == LS_INT32 ? u : LS_BITS(s);
            if (dtype == LS_INT32) {
                u = form == PRODUCTS ? u * ((uint32_t *)factor)[at] : u + ((uint32_t *)addend)[at];
            } else {
                s = next_float(form, s, ((float *)factor)[at], ((float *)addend)[at]);
            }
            want[at] = exclusive ? before : dtype == LS_INT32 ? u : LS_BITS(s);
        }
    }
    char what[96];
    snprintf(what, sizeof what, "scan %d of type %d (%lld, %lld, %lld)", (int)form, (int)dtype, (long long)outer,
             (long long)r, (long long)inner);
    for (int d = 0; d < device_count; d++) {
        struct ls_buffer *f = upload(devices[d], factor, n * 4), *a = upload(devices[d], addend, n * 4);
        struct ls_scan_args args = {dtype,
                                    form == SUMS ? NULL : f,
                                    form == PRODUCTS ? NULL : a,
                                    upload(devices[d], NULL, n * 4),
                                    outer,
                                    r,
                                    inner,
                                    reverse,
                                    exclusive};
        expect(ls_reference_backend.scan(devices[d], &args) == LS_OK, "scan returns LS_OK");
        check(devices[d], args.dst, dtype, want, n, what);
        release(devices[d], f);
        release(devices[d], a);
    }
    free(factor);
    free(addend);
    free(want);
}

static void test_scan(void)
{
    for (int e = 0; e < EDGES; e++) {
        for (int t = 0; t < 20; t++) {
            enum form form = t < 12 ? (enum form)(t % 3) : t % 2 ? PRODUCTS : SUMS;
            int64_t r = edges[e] % 5000;
            scan_one(form, t < 12 ? LS_FLOAT32 : LS_INT32, 1 + draw_below(3), r ? r : 1, t % 2 ? 1 : 1 + draw_below(70),
                     draw() % 2, draw() % 2);
        }
    }
}

/* ---- sort ---- */

/* Whether x stands before y. */
static bool before(ls_dtype dtype, bool descending, const void *data, int32_t x, int32_t y)
{
    if (dtype == LS_INT32) {
        int32_t a = ((const int32_t *)data)[x], b = ((const int32_t *)data)[y];
        return a == b ? x < y : descending ? a > b : a < b;
    }
    float a = ((const float *)data)[x], b = ((const float *)data)[y];
    if (isnan(a) || isnan(b)) {
        return isnan(a) == isnan(b) ? x < y : isnan(b);
    }
    return a == b ? x < y : descending ? a > b : a < b;
}

static void sort_one(ls_dtype dtype, int64_t outer, int64_t r, bool descending, bool ties)
{
    int64_t n = outer * r;
    uint32_t *x = draw_elements(dtype, n);
    int32_t *want = malloc((size_t)n * 4), *merged = malloc((size_t)r * 4);
    for (int64_t i = 0; i < n; i++) {
        float special[] = {NAN, -NAN, INFINITY, -INFINITY, 0.0f, -0.0f};
        if (dtype == LS_FLOAT32 && draw() % 8 == 0) {
            x[i] = LS_BITS(special[draw() % 6]);
        } else if (ties && dtype == LS_FLOAT32) {
            x[i] = LS_BITS((float)(draw() % 5));
        }
    }
    for (int64_t o = 0; o < outer; o++) { /* merge sort from the bottom up: stable by itself */
        int32_t *order = want + o * r;
        for (int64_t i = 0; i < r; i++) {
            order[i] = (int32_t)i;
        }
        for (int64_t width = 1; width < r; width *= 2) {
            for (int64_t low = 0; low < r; low += 2 * width) {
                int64_t mid = low + width < r ? low + width : r, high = low + 2 * width < r ? low + 2 * width : r;
                for (int64_t i = low, j = mid, k = low; k < high; k++) {
                    bool right = i == mid || (j < high && before(dtype, descending, x + o * r, order[j], order[i]));
                    merged[k] = order[right ? j++ : i++];
                }
                memcpy(order + low, merged + low, (size_t)(high - low) * 4);
            }
        }
    }
    char what[96];
    snprintf(what, sizeof what, "sort of type %d (%lld, %lld)%s", (int)dtype, (long long)outer, (long long)r,
             descending ? " descending" : "");
    for (int d = 0; d < device_count; d++) {
        struct ls_sort_args args = {dtype,     upload(devices[d], x, n * 4), upload(devices[d], NULL, n * 4), outer, r,
                                    descending};
        expect(ls_reference_backend.sort(devices[d], &args) == LS_OK, "sort returns LS_OK");
        check(devices[d], args.dst, LS_INT32, want, n, what);
        release(devices[d], args.src);
    }
    free(x);
    free(want);
    free(merged);
}

static void test_sort(void)
{
    for (int e = 0; e < EDGES; e++) {
        for (int t = 0; t < 6; t++) {
            sort_one(t < 4 ? LS_FLOAT32 : LS_INT32, edges[e] > 5000 ? 1 : 1 + draw_below(5), edges[e], t & 1, t & 2);
        }
    }
}

int main(void)
{
    if (!open_devices()) {
        return 1;
    }
    test_scan();
    test_sort();
    return finish();
}
