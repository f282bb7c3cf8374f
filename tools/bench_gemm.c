/* SPDX-License-Identifier: Apache-2.0
 *
 * Matrix products, (m, k) x (k, n), against the host's own chains.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "host.h"

struct size {
    int64_t m, n, k;
};
static const struct size sizes[] = {
    {128, 256, 784}, {784, 256, 128}, {128, 128, 256}, {512, 512, 512}, {1024, 1024, 1024}};

struct product {
    ls_context *ls;
    ls_tensor a, b;
};

static void multiply(void *user)
{
    struct product *p = user;
    ls_tensor c = ls_matmul(p->a, p->b);
    ls_synchronize(p->ls);
    ls_release(&c);
}

/* -0 counts as +0 (canon.md rule 18). */
static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits == 0x80000000u ? 0 : bits;
}

static struct bench_bits compare(const struct size *s, const float *got, const float *right)
{
    struct bench_bits bits = {"equal"};
    int64_t differ = 0, first = -1;
    for (int64_t i = 0; i < s->m * s->n; i++) {
        if (bits_of(got[i]) == bits_of(right[i]))
            continue;
        if (differ++ == 0)
            first = i;
    }
    if (differ)
        snprintf(bits.text, sizeof bits.text, "%lld of %lld outputs differ, first (%lld, %lld): %a, not %a",
                 (long long)differ, (long long)(s->m * s->n), (long long)(first / s->n), (long long)(first % s->n),
                 (double)got[first], (double)right[first]);
    return bits;
}

static void measure(struct bench *b, ls_context *ls, const struct size *s, float *host)
{
    char name[64];
    snprintf(name, sizeof name, "gemm %lldx%lldx%lld", (long long)s->m, (long long)s->n, (long long)s->k);
    float *x = host, *y = x + s->m * s->k, *right = y + s->k * s->n, *got = right + s->m * s->n;
    bench_random(x, (size_t)(s->m * s->k), 1);
    bench_random(y, (size_t)(s->k * s->n), 2);
    host_gemm(x, y, right, s->m, s->n, s->k);

    struct product p = {ls, ls_from_host(ls, LS_FLOAT32, LS_SHAPE(s->m, s->k), x),
                        ls_from_host(ls, LS_FLOAT32, LS_SHAPE(s->k, s->n), y)};
    ls_tensor c = ls_matmul(p.a, p.b);
    ls_read(c, got, (size_t)(s->m * s->n) * sizeof *got);
    if (bench_failed(b, ls, name))
        return;
    struct bench_bits bits = compare(s, got, right);
    double median = bench_median(b, ls, multiply, &p);
    if (!bench_failed(b, ls, name))
        bench_report(b, ls, name, median, 2.0 * (double)(s->m * s->n * s->k), &bits);
}

void bench_gemm(struct bench *b, ls_context *ls)
{
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const struct size *s = &sizes[i];
        float *host = malloc((size_t)(s->m * s->k + s->k * s->n + 2 * s->m * s->n) * sizeof *host);
        if (!host) {
            fprintf(stderr, "lockstep: no memory for a product\n");
            b->wrong = true;
            return;
        }
        LS_SCOPE(ls)
            measure(b, ls, s, host);
        free(host);
    }
}
