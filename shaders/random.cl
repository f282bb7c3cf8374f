/* SPDX-License-Identifier: Apache-2.0
 *
 * random: an item makes the four values of one Philox counter (canon rule 15).
 *
 *     LS_RANDOM_KIND  0 uniform, 1 normal, 2 the words
 */
#if LS_RANDOM_KIND == 0
#define LS_VALUE(part) as_uint(canon_uniform(words.part))
#elif LS_RANDOM_KIND == 1
#define LS_VALUE(part) as_uint(values.part)
#else
#define LS_VALUE(part) words.part
#endif

__kernel LS_LOCAL(LS_GROUP, 1) void random(__global uint *dst, __global const uint *step,
                                           uint seed_low, uint seed_high, uint stream, long n)
{
    size_t i = get_global_id(0);
    size_t place = i * 4, end = (size_t)n;
    if (place < end) {
        canon_uint4 words = canon_philox((uint)i, stream, step[0], 0u, seed_low, seed_high);
#if LS_RANDOM_KIND == 1
        canon_float4 values = canon_normal4(words);
#endif
        dst[place] = LS_VALUE(x);
        if (place + 1 < end)
            dst[place + 1] = LS_VALUE(y);
        if (place + 2 < end)
            dst[place + 2] = LS_VALUE(z);
        if (place + 3 < end)
            dst[place + 3] = LS_VALUE(w);
    }
}
