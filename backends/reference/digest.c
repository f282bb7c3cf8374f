/* SPDX-License-Identifier: Apache-2.0
 *
 * digest: canon rule 29. The blocks of all inputs are one list of work, cut into a part per thread.
 */
#include "slots.h"

#include <string.h>
#if defined __AVX2__
#include <immintrin.h>
#endif

#include "prelude_c.h"
#include "canon.h"

enum { PAIRS = LS_DIGEST_BLOCK / 2 };

struct digest_work {
    const struct ls_digest_args *args;
    uint32_t (*sums)[2]; /* one for each input */
};

/* The word that stands for 0 as well: -0, or 0 itself. */
static uint32_t other_zero(ls_dtype dtype)
{
    return dtype == LS_FLOAT32 ? 0x80000000u : dtype == LS_FLOAT16 || dtype == LS_BFLOAT16 ? 0x8000u : 0;
}

static uint64_t pair(const word *x, const uint32_t *key, uint32_t zero)
{
    uint32_t first = x[0] == zero ? 0 : x[0], second = x[1] == zero ? 0 : x[1];
    return (uint64_t)(first ^ key[0]) * (second ^ key[1]);
}

/* The sum of whole pairs. Two words in a 64-bit lane are one pair: a 32-bit product of its halves. */
static uint64_t sum_pairs(const word *x, const uint32_t *key, int64_t pairs, uint32_t zero)
{
    uint64_t sum = 0;
    int64_t i = 0;
#if defined __AVX512F__
    __m512i total = _mm512_setzero_si512(), minus = _mm512_set1_epi32((int)zero);
    for (; i + 8 <= pairs; i += 8) {
        __m512i w = _mm512_loadu_si512(x + 2 * i), k = _mm512_loadu_si512(key + 2 * i);
        w = _mm512_mask_xor_epi32(k, _mm512_cmpneq_epi32_mask(w, minus), w, k);
        total = _mm512_add_epi64(total, _mm512_mul_epu32(w, _mm512_srli_epi64(w, 32)));
    }
    uint64_t lane[8]; /* unsigned sums: _mm512_reduce_add_epi64 adds as signed numbers */
    memcpy(lane, &total, sizeof lane);
    for (int l = 0; l < 8; l++)
        sum += lane[l];
#elif defined __AVX2__
    __m256i total = _mm256_setzero_si256(), minus = _mm256_set1_epi32((int)zero);
    for (; i + 4 <= pairs; i += 4) {
        __m256i w = _mm256_loadu_si256((const __m256i *)(x + 2 * i));
        w = _mm256_xor_si256(_mm256_andnot_si256(_mm256_cmpeq_epi32(w, minus), w),
                             _mm256_loadu_si256((const __m256i *)(key + 2 * i)));
        total = _mm256_add_epi64(total, _mm256_mul_epu32(w, _mm256_srli_epi64(w, 32)));
    }
    uint64_t lane[4];
    memcpy(lane, &total, sizeof lane);
    sum = lane[0] + lane[1] + lane[2] + lane[3];
#endif
    for (; i < pairs; i++)
        sum += pair(x + 2 * i, key + 2 * i, zero);
    return sum;
}

/* `n` elements of a narrow type as words. */
static const word *widened(const unsigned char *data, size_t size, int64_t n, word *wide)
{
    for (int64_t i = 0; i < n; i++) {
        uint16_t half;
        memcpy(&half, data + i * 2 * (size == 2), sizeof half);
        wide[i] = size == 2 ? half : data[i];
    }
    return wide;
}

/* Adds a block's part of an input's digest. */
static void add_block(const struct ls_digest_input *in, int64_t block, const uint32_t *key, uint32_t digest[2])
{
    word wide[LS_DIGEST_BLOCK];
    size_t size = ls_dtype_size(in->dtype);
    int64_t n = in->n - block * LS_DIGEST_BLOCK;
    n = n < LS_DIGEST_BLOCK ? n : LS_DIGEST_BLOCK;
    const unsigned char *data = (const unsigned char *)data_of(in->buffer) + (size_t)block * LS_DIGEST_BLOCK * size;
    const word *x = size == 4 ? (const word *)(const void *)data : widened(data, size, n, wide);
    uint32_t zero = other_zero(in->dtype);
    uint64_t sum = sum_pairs(x, key, n / 2, zero);
    if (n % 2) {
        word last[2] = {x[n - 1], 0};
        sum += pair(last, key + n - 1, zero);
    }
    canon_uint2 joined = canon_digest_join((uint)sum, (uint)(sum >> 32), (uint)block);
    digest[0] += joined.x;
    digest[1] += joined.y;
}

static int64_t blocks_of(const struct ls_digest_input *input)
{
    return (input->n + LS_DIGEST_BLOCK - 1) / LS_DIGEST_BLOCK;
}

/* Blocks [begin, end) of all inputs, one after the other. */
static void digest_part(const void *context, int thread, int64_t begin, int64_t end)
{
    const struct digest_work *work = context;
    uint32_t key[LS_DIGEST_BLOCK];
    (void)thread;
    EACH(i, LS_DIGEST_BLOCK) key[i] = canon_digest_key((uint)i);
    for (int i = 0; i < work->args->inputs; i++) {
        int64_t blocks = blocks_of(&work->args->input[i]);
        uint32_t digest[2] = {0, 0};
        for (int64_t b = begin > 0 ? begin : 0; b < blocks && b < end; b++)
            add_block(&work->args->input[i], b, key, digest);
        for (int k = 0; k < 2; k++) /* other threads add theirs */
            if (digest[k])
                __atomic_fetch_add(&work->sums[i][k], digest[k], __ATOMIC_RELAXED);
        begin -= blocks;
        end -= blocks;
    }
}

ls_status ISA(digest)(struct reference_device *device, const struct ls_digest_args *args)
{
    uint32_t sums[LS_DIGEST_INPUTS][2] = {{0}};
    struct digest_work work = {args, sums};
    int64_t blocks = 0;
    for (int i = 0; i < args->inputs; i++)
        blocks += blocks_of(&args->input[i]);
    if (blocks > 0)
        ls_reference_parallel(device, blocks, PARALLEL_WORK / LS_DIGEST_BLOCK, digest_part, &work);
    memcpy((word *)data_of(args->dst) + args->at, sums, (size_t)args->inputs * sizeof *sums);
    return LS_OK;
}
